//! Encryption of what is delivered to the recipient's own key, in the format of age: whoever keeps the store, or sits on the way, sees names and sizes alone.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
    str::FromStr as _,
};

use age::x25519;
use sha2::{Digest as _, Sha256};

use crate::{Error, sink::Digest};

/// The ending of a file that is encrypted.
pub const EXTENSION: &str = "age";

/// Whom something is encrypted to.
pub struct Recipients(Vec<x25519::Recipient>);

impl Recipients {
    /// Reads public keys (`age1...`); none are none.
    pub fn parse(keys: &[String]) -> Result<Self, String> {
        let parse = |key: &String| {
            x25519::Recipient::from_str(key).map_err(|why| format!("{key:?} is no public key of age: {why}"))
        };
        keys.iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Encrypts a file into another, which is made; gives the digest of what was written.
    pub fn encrypt(&self, from: &Path, into: &Path) -> Result<Digest, Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { path, source }
        };
        let encryptor = age::Encryptor::with_recipients(self.0.iter().map(|one| one as &dyn age::Recipient))
            .map_err(|error| Error::Encrypt(Box::new(error)))?;
        let mut plain = File::open(from).map_err(failed(from))?;
        let file = crate::delivery::create_private(into).map_err(failed(into))?;
        let mut out = encryptor.wrap_output(Hashing::new(io::BufWriter::new(file))).map_err(failed(into))?;
        io::copy(&mut plain, &mut out).map_err(failed(into))?;
        let mut out = out.finish().map_err(failed(into))?;
        out.flush().map_err(failed(into))?;
        Ok(out.digest())
    }
}

/// A private key (`AGE-SECRET-KEY-1...`) that opens what was encrypted to it.
pub struct Identity(x25519::Identity);

impl Identity {
    /// Reads a key file, as `age-keygen` writes it: lines that begin with # are comments.
    pub fn read(text: &str) -> Option<Self> {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
        x25519::Identity::from_str(line).ok().map(Self)
    }

    /// Decrypts a file into a writer; gives the digest of the plaintext. What is cut, changed or encrypted to others is an error, and what was
    /// written until then must not be used.
    pub fn decrypt(&self, from: &Path, out: impl Write) -> Result<Digest, Error> {
        let failed = |source| Error::File { path: from.to_owned(), source };
        let file = io::BufReader::new(File::open(from).map_err(failed)?);
        let decryptor = age::Decryptor::new_buffered(file).map_err(|error| Error::Encrypt(Box::new(error)))?;
        let identity = std::iter::once(&self.0 as &dyn age::Identity);
        let mut plain = decryptor.decrypt(identity).map_err(|error| Error::Encrypt(Box::new(error)))?;
        let mut out = Hashing::new(out);
        io::copy(&mut plain, &mut out).map_err(failed)?;
        out.flush().map_err(failed)?;
        Ok(out.digest())
    }
}

/// A writer that hashes what passes it.
pub(crate) struct Hashing<W> {
    out: W,
    hash: Sha256,
    bytes: u64,
}

impl<W> Hashing<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, hash: Sha256::new(), bytes: 0 }
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest { bytes: self.bytes, sha256: self.hash.clone().finalize().into() }
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.hash.update(bytes.get(..taken).unwrap_or_default());
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The digest of a file on disk.
pub fn digest_of(path: &Path) -> io::Result<Digest> {
    let mut hashing = Hashing::new(io::sink());
    let mut file = File::open(path)?;
    let mut chunk = vec![0; 1 << 18];
    loop {
        let taken = file.read(&mut chunk)?;
        if taken == 0 {
            return Ok(hashing.digest());
        }
        hashing.write_all(chunk.get(..taken).unwrap_or_default())?;
    }
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;

    use super::*;

    /// A key pair made for this run alone.
    fn pair() -> (Identity, Recipients, String) {
        let key = x25519::Identity::generate();
        let public = key.to_public().to_string();
        let text = format!("# made for a test\n{}\n", key.to_string().expose_secret());
        (
            Identity::read(&text).expect("a key"),
            Recipients::parse(std::slice::from_ref(&public)).expect("a key"),
            public,
        )
    }

    #[test]
    fn only_the_recipient_opens_it_and_only_whole() {
        let dir = tempfile::tempdir().expect("a folder");
        let (plain, sealed) = (dir.path().join("plain"), dir.path().join("sealed"));
        std::fs::write(&plain, vec![7; 200_000]).expect("a file");
        let ((identity, recipients, _), (stranger, ..)) = (pair(), pair());
        let told = recipients.encrypt(&plain, &sealed).expect("encrypted");
        assert_eq!(told, digest_of(&sealed).expect("a file"), "the digest is that of the ciphertext");
        let mut out = Vec::new();
        let opened = identity.decrypt(&sealed, &mut out).expect("opened");
        assert_eq!((opened, out.len()), (digest_of(&plain).expect("a file"), 200_000));
        assert!(stranger.decrypt(&sealed, io::sink()).is_err(), "another's key opens nothing");
        let whole = std::fs::read(&sealed).expect("a file");
        std::fs::write(&sealed, &whole[..whole.len() - 1]).expect("a file");
        assert!(identity.decrypt(&sealed, io::sink()).is_err(), "a cut is found");
        let mut changed = whole;
        changed[150_000] ^= 1;
        std::fs::write(&sealed, &changed).expect("a file");
        assert!(identity.decrypt(&sealed, io::sink()).is_err(), "a changed byte is found");
    }

    #[test]
    fn a_private_key_is_no_recipient() {
        let key = x25519::Identity::generate();
        let secret = key.to_string().expose_secret().to_owned();
        assert!(Recipients::parse(&[secret]).is_err());
        assert!(Identity::read("# nothing\n").is_none());
    }
}
