//! C2SP signed notes: a text, and below it signatures by named keys.
//!
//! A [`Note`] is only a text until [`Note::verify`] has found a signature of a key that the reader trusts. Signatures of other
//! keys are carried along: that is how logs change keys and witnesses add theirs.

use std::{fmt, fs, io::Read as _, path::Path, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey, pkcs8::DecodePrivateKey as _};
use sha2::{Digest as _, Sha256};

use crate::error::Error;

#[cfg(test)]
mod tests;

/// The longest note that is read.
pub const NOTE_BYTES_MAX: usize = 256 * 1024;

/// How many signatures of a note are read.
pub const SIGNATURES_MAX: usize = 64;

/// The longest private key file that is read.
const KEY_FILE_BYTES_MAX: u64 = 4_096;

/// A note is malformed, or is signed by nobody who is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a signed note.
    #[error("this is not a signed note: {0}")]
    Malformed(&'static str),
    /// The text is not that of a checkpoint.
    #[error("this is not a checkpoint: {0}")]
    NotACheckpoint(&'static str),
    /// A text is not a key.
    #[error("this is not a key: {0}")]
    Key(&'static str),
    /// A trusted key is named, and its signature is wrong.
    #[error("a signature by a trusted key is wrong")]
    Signature,
    /// No trusted key signed it.
    #[error("no trusted key has signed this")]
    Unsigned,
}

/// What a key signs, and how: the signature type byte of the C2SP registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyUse {
    /// The log's own Ed25519 signature over the text.
    Log = 0x01,
    /// A witness's Ed25519 signature over time and text (C2SP tlog-cosignature, version 1).
    Witness = 0x04,
}

impl KeyUse {
    const fn byte(self) -> u8 {
        self as u8
    }
}

/// A public key under its name, as `name+id+key` (a C2SP "vkey").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: u32,
    used_for: KeyUse,
    key: VerifyingKey,
    until: Option<u64>,
}

fn check_name(name: &str) -> Result<(), NoteError> {
    let legal = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    if name.is_empty() || !name.chars().all(legal) {
        return Err(NoteError::Key("its name is empty or holds a space or a plus"));
    }
    Ok(())
}

impl VerifierKey {
    /// Gives a public key a name and a use.
    pub fn new(name: &str, used_for: KeyUse, key: VerifyingKey) -> Result<Self, NoteError> {
        check_name(name)?;
        let mut hasher = Sha256::new();
        hasher.update(name);
        hasher.update([b'\n', used_for.byte()]);
        hasher.update(key.as_bytes());
        let hash: [u8; 32] = hasher.finalize().into();
        let [a, b, c, d, ..] = hash;
        Ok(Self { name: name.to_owned(), id: u32::from_be_bytes([a, b, c, d]), used_for, key, until: None })
    }

    /// The name it signs under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same key, good for heads of at most so many entries: it was retired then.
    #[must_use]
    pub fn until(self, size: u64) -> Self {
        Self { until: Some(size), ..self }
    }

    /// Whether it may have signed a head of so many entries.
    pub(crate) fn is_good_for(&self, size: u64) -> bool {
        self.until.is_none_or(|until| size <= until)
    }

    /// What it signs.
    pub const fn used_for(&self) -> KeyUse {
        self.used_for
    }

    fn is_of(&self, signature: &NoteSignature) -> bool {
        self.id == signature.key_id && self.name == signature.name
    }

    fn verifies(&self, text: &str, signature: &NoteSignature) -> bool {
        let check = |message: &[u8], bytes: &[u8]| {
            Signature::from_slice(bytes).is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
        };
        match self.used_for {
            KeyUse::Log => check(text.as_bytes(), &signature.bytes),
            KeyUse::Witness => signature
                .bytes
                .split_first_chunk::<8>()
                .is_some_and(|(time, bytes)| check(cosigned(u64::from_be_bytes(*time), text).as_bytes(), bytes)),
        }
    }
}

/// What a witness signs.
fn cosigned(unix_seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {unix_seconds}\n{text}")
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![self.used_for.byte()];
        key.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id, STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key("it has not three parts"));
        };
        let bytes = STANDARD.decode(key).map_err(|_| NoteError::Key("it is not base64"))?;
        let used_for = match bytes.first() {
            Some(0x01) => KeyUse::Log,
            Some(0x04) => KeyUse::Witness,
            _ => return Err(NoteError::Key("its kind is unknown")),
        };
        let key = bytes
            .get(1..)
            .and_then(|bytes| <&[u8; 32]>::try_from(bytes).ok())
            .and_then(|bytes| VerifyingKey::from_bytes(bytes).ok())
            .ok_or(NoteError::Key("it is not an Ed25519 public key"))?;
        let key = Self::new(name, used_for, key)?;
        if format!("{:08x}", key.id) == id {
            Ok(key)
        } else {
            Err(NoteError::Key("its id is not that of the name and key"))
        }
    }
}

/// The private key of the log, or of a witness. Never printed.
pub struct Signer {
    key: SigningKey,
    public: VerifierKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("public", &self.public).finish_non_exhaustive()
    }
}

impl Signer {
    /// A signer from the 32 bytes of an Ed25519 seed.
    pub fn from_seed(name: &str, used_for: KeyUse, seed: &[u8; 32]) -> Result<Self, NoteError> {
        let key = SigningKey::from_bytes(seed);
        let public = VerifierKey::new(name, used_for, key.verifying_key())?;
        Ok(Self { key, public })
    }

    /// A signer from a PKCS#8 PEM file, which nobody but its owner may read.
    pub fn from_pem_file(name: &str, used_for: KeyUse, path: &Path) -> Result<Self, Error> {
        use std::os::unix::fs::PermissionsExt as _;

        const WHAT: &str = "the signing key";
        let file = fs::File::open(path).map_err(Error::file(WHAT))?;
        let about = file.metadata().map_err(Error::file(WHAT))?;
        if about.permissions().mode() & 0o077 != 0 {
            return Err(Error::Precondition("the signing key's file is open to others; make it 0600"));
        }
        let mut pem = String::new();
        file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut pem).map_err(Error::file(WHAT))?;
        let key = SigningKey::from_pkcs8_pem(&pem)
            .map_err(|_| NoteError::Key("the file holds no Ed25519 private key in PKCS#8 PEM"))?;
        let public = VerifierKey::new(name, used_for, key.verifying_key())?;
        Ok(Self { key, public })
    }

    /// The public half.
    pub const fn public(&self) -> &VerifierKey {
        &self.public
    }

    /// Signs a text that ends in a newline, as the log does.
    pub(crate) fn sign(&self, text: &str) -> NoteSignature {
        self.signature(self.key.sign(text.as_bytes()).to_bytes().to_vec())
    }

    /// Signs a text together with the time, as a witness does.
    pub fn cosign(&self, note: &Note, unix_seconds: u64) -> NoteSignature {
        let signature = self.key.sign(cosigned(unix_seconds, note.text()).as_bytes());
        let mut bytes = unix_seconds.to_be_bytes().to_vec();
        bytes.extend_from_slice(&signature.to_bytes());
        self.signature(bytes)
    }

    fn signature(&self, bytes: Vec<u8>) -> NoteSignature {
        NoteSignature { name: self.public.name.clone(), key_id: self.public.id, bytes }
    }
}

/// One line of signature, believed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    name: String,
    key_id: u32,
    bytes: Vec<u8>,
}

impl NoteSignature {
    /// Its bytes in base64.
    pub(crate) fn to_base64(&self) -> String {
        STANDARD.encode(&self.bytes)
    }
}

/// A text with the signatures below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// A note of a text and its first signature.
    pub(crate) fn new(text: String, signature: NoteSignature) -> Self {
        Self { text, signatures: vec![signature] }
    }

    /// The text, its last newline included. It must be ignored until [`Self::verify`] has accepted it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Adds a signature, such as a witness's.
    pub fn add(&mut self, signature: NoteSignature) {
        self.signatures.push(signature);
    }

    /// When a witness says that it signed this, in seconds of Unix time; `None`: its key did not.
    pub(crate) fn cosigned_at(&self, witness: &VerifierKey) -> Option<u64> {
        let own = self.signatures.iter().find(|signature| witness.is_of(signature));
        let time = own.filter(|own| witness.verifies(&self.text, own))?.bytes.first_chunk::<8>()?;
        (witness.used_for == KeyUse::Witness).then(|| u64::from_be_bytes(*time))
    }

    /// The keys, out of the trusted ones, that signed it. Refused if one of them is named with a wrong signature, or if none
    /// signed.
    pub fn verify<'k>(&self, trusted: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut signed = Vec::new();
        for signature in &self.signatures {
            let Some(key) = trusted.iter().find(|key| key.is_of(signature)) else {
                continue;
            };
            if !key.verifies(&self.text, signature) {
                return Err(NoteError::Signature);
            }
            signed.push(key);
        }
        if signed.is_empty() {
            return Err(NoteError::Unsigned);
        }
        Ok(signed)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            let mut bytes = signature.key_id.to_be_bytes().to_vec();
            bytes.extend_from_slice(&signature.bytes);
            writeln!(f, "\u{2014} {} {}", signature.name, STANDARD.encode(bytes))?;
        }
        Ok(())
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Malformed("it is too long"));
        }
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(NoteError::Malformed("it holds control characters"));
        }
        let split = note.rfind("\n\n").ok_or(NoteError::Malformed("it has no signatures"))?;
        let (text, below) = note.split_at(split + 1);
        let lines = below
            .strip_prefix('\n')
            .and_then(|lines| lines.strip_suffix('\n'))
            .ok_or(NoteError::Malformed("its last line does not end"))?;
        let signatures = lines.split('\n').map(parse_signature).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::Malformed("it has too many signatures"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }
}

fn parse_signature(line: &str) -> Result<NoteSignature, NoteError> {
    const WRONG: NoteError = NoteError::Malformed("a line of signature is not one");
    let (name, encoded) = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' ')).ok_or(WRONG)?;
    check_name(name).map_err(|_| WRONG)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| WRONG)?;
    let (id, rest) = bytes.split_first_chunk::<4>().ok_or(WRONG)?;
    if rest.is_empty() {
        return Err(WRONG);
    }
    Ok(NoteSignature { name: name.to_owned(), key_id: u32::from_be_bytes(*id), bytes: rest.to_vec() })
}
