//! Checking a signed document, with nothing but the document and the certificates one trusts.

use der::Encode as _;
use sha2::{Digest as _, Sha256};

use super::{
    BadStamp, Identity, Stamped,
    cms::{Envelope, Opened},
    stamp::{self, Authorities},
};
use crate::Error;

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
    /// What its time stamp says, if it has one.
    pub stamp: Option<Result<Stamped, BadStamp>>,
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

/// Checks the signature of a document, and its time stamp, against certificates that are trusted for the one and for the other.
pub fn verify(pdf: &[u8], trusted: &[Identity], authorities: &Authorities) -> Result<Verified, Unverified> {
    let place = Place::find(pdf)?;
    let envelope = Envelope::read(&place.envelope(pdf)?).ok_or(Unverified::Malformed("its envelope"))?;
    let stamp = envelope.token().map(|token| stamp::check(&token, envelope.imprint(), authorities));
    let mut digest = Sha256::new();
    digest.update(&pdf[..place.before]);
    digest.update(&pdf[place.after..]);
    match envelope.open(digest.finalize().into()) {
        None => Err(Unverified::Malformed("its envelope")),
        Some(Opened::BadSignature) => Err(Unverified::WrongKey),
        Some(Opened::OtherContent) => Err(Unverified::Changed),
        Some(Opened::Good(identity)) => {
            let certificate = identity.certificate();
            Ok(Verified {
                subject: certificate.tbs_certificate.subject.to_string(),
                fingerprint: Sha256::digest(certificate.to_der().unwrap_or_default()).into(),
                claimed_at: claimed(&pdf[..place.range]),
                is_trusted: trusted.iter().any(|one| one.certificate() == certificate),
                stamp,
            })
        }
    }
}

/// What a time stamp of a signed document is over.
pub fn imprint(pdf: &[u8]) -> Result<[u8; 32], Error> {
    Ok(envelope(pdf)?.1.imprint())
}

/// Puts a time stamp into a document that was signed with room for it. What is signed stays as it is.
pub fn add_token(pdf: &[u8], token: &[u8]) -> Result<Vec<u8>, Error> {
    let (place, envelope) = envelope(pdf)?;
    let hex = hex::encode(envelope.with_token(token)?);
    let mut stamped = pdf.to_vec();
    let room = stamped
        .get_mut(place.before + 1..place.before + 1 + hex.len())
        .filter(|room| place.before + 1 + room.len() < place.after)
        .ok_or_else(|| Error::Corrupt("the time stamp needs more room than it was given".to_owned()))?;
    room.copy_from_slice(hex.as_bytes());
    Ok(stamped)
}

fn envelope(pdf: &[u8]) -> Result<(Place, Envelope), Error> {
    let unsigned = |error: Unverified| Error::Corrupt(error.to_string());
    let place = Place::find(pdf).map_err(unsigned)?;
    let envelope = Envelope::read(&place.envelope(pdf).map_err(unsigned)?);
    Ok((place, envelope.ok_or_else(|| unsigned(Unverified::Malformed("its envelope")))?))
}

/// Where the last signature of a document stands: what is signed is all before the one and all after the other.
struct Place {
    /// Of its range.
    range: usize,
    before: usize,
    after: usize,
}

impl Place {
    fn find(pdf: &[u8]) -> Result<Self, Unverified> {
        const KEY: &[u8] = b"/ByteRange[";
        let range = pdf.windows(KEY.len()).rposition(|window| window == KEY).ok_or(Unverified::NotSigned)?;
        let (before, after, length) =
            self::range(&pdf[range + KEY.len()..]).ok_or(Unverified::Malformed("its range"))?;
        if before <= range || after > pdf.len() {
            return Err(Unverified::Malformed("its range"));
        }
        match after.checked_add(length) {
            Some(end) if end == pdf.len() => Ok(Self { range, before, after }),
            Some(end) if end < pdf.len() => Err(Unverified::AddedTo),
            _ => Err(Unverified::Changed),
        }
    }

    fn envelope(&self, pdf: &[u8]) -> Result<Vec<u8>, Unverified> {
        let contents = pdf.get(self.before..self.after).ok_or(Unverified::Malformed("its range"))?;
        let hex = contents.strip_prefix(b"<").and_then(|hex| hex.strip_suffix(b">"));
        bytes(hex.ok_or(Unverified::Malformed("its range"))?).ok_or(Unverified::Malformed("its contents"))
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
