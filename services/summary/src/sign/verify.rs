//! Checking a signed document, with nothing but the document and the certificates one trusts.

use der::Encode as _;
use sha2::{Digest as _, Sha256};

use super::{Identity, cms, cms::Opened};

/// A signature that holds, over the whole document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whose, by the subject of the certificate.
    pub subject: String,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// The time the signer claims, as the document says it (`D:YYYYMMDDHHMMSSZ`).
    pub claimed_at: Option<String>,
    /// Whether one of the trusted certificates is the signer's.
    pub is_trusted: bool,
}

/// Why a document cannot be relied upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// It has no signature at all.
    #[error("the document is not signed")]
    NotSigned,
    /// It has one that this program cannot read.
    #[error("the document's signature cannot be read: {0}")]
    Malformed(&'static str),
    /// Bytes were added after it was signed.
    #[error("the document was added to after it was signed")]
    AddedTo,
    /// Bytes were changed.
    #[error("the document was changed after it was signed")]
    Changed,
    /// The signature is not by the key of the certificate that is with it.
    #[error("the signature was not made with the key of its certificate")]
    WrongKey,
}

/// Checks the signature of a document against trusted certificates (PEM each, or several in one).
pub fn verify(pdf: &[u8], trusted: &[Identity]) -> Result<Verified, Unverified> {
    const KEY: &[u8] = b"/ByteRange[";
    let at = pdf.windows(KEY.len()).rposition(|window| window == KEY).ok_or(Unverified::NotSigned)?;
    let (before, after, length) = range(&pdf[at + KEY.len()..]).ok_or(Unverified::Malformed("its range"))?;
    let contents = pdf.get(before..after).ok_or(Unverified::Malformed("its range"))?;
    let hex = contents
        .strip_prefix(b"<")
        .and_then(|hex| hex.strip_suffix(b">"))
        .filter(|_| before > at)
        .ok_or(Unverified::Malformed("its range"))?;
    match after.checked_add(length) {
        Some(end) if end == pdf.len() => {}
        Some(end) if end < pdf.len() => return Err(Unverified::AddedTo),
        _ => return Err(Unverified::Changed),
    }
    let envelope = bytes(hex).ok_or(Unverified::Malformed("its contents"))?;
    let mut digest = Sha256::new();
    digest.update(&pdf[..before]);
    digest.update(&pdf[after..]);
    match cms::open(&envelope, digest.finalize().into()) {
        None => Err(Unverified::Malformed("its envelope")),
        Some(Opened::BadSignature) => Err(Unverified::WrongKey),
        Some(Opened::OtherContent) => Err(Unverified::Changed),
        Some(Opened::Good(identity)) => {
            let certificate = identity.certificate();
            Ok(Verified {
                subject: certificate.tbs_certificate.subject.to_string(),
                fingerprint: Sha256::digest(certificate.to_der().unwrap_or_default()).into(),
                claimed_at: claimed(&pdf[..at]),
                is_trusted: trusted.iter().any(|one| one.certificate() == certificate),
            })
        }
    }
}

/// `0 a b c]`, of which the file's first `a` bytes and `c` from `b` on are signed.
fn range(text: &[u8]) -> Option<(usize, usize, usize)> {
    let inside = std::str::from_utf8(text.get(..text.iter().take(64).position(|byte| *byte == b']')?)?).ok()?;
    let numbers: Vec<usize> = inside.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    match numbers[..] {
        [0, before, after, length] if before < after => Some((before, after, length)),
        _ => None,
    }
}

fn claimed(before: &[u8]) -> Option<String> {
    let at = before.windows(3).rposition(|window| window == b"/M(")? + 3;
    let text = before.get(at..)?.split(|byte| *byte == b')').next()?;
    String::from_utf8(text.to_vec()).ok().filter(|text| text.starts_with("D:"))
}

/// In lower case only: another way to write the same would be a change that is not seen.
fn bytes(hex: &[u8]) -> Option<Vec<u8>> {
    hex::decode(hex).ok().filter(|_| !hex.iter().any(u8::is_ascii_uppercase))
}
