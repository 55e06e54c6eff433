//! Keys and who they belong to.

use std::{fs, path::Path};

use aws_lc_rs::{rand::SystemRandom, signature as lc};
use der::asn1::ObjectIdentifier;
use p256::{SecretKey, ecdsa::signature::Signer as _, pkcs8::DecodePrivateKey as _};
use x509_cert::Certificate;

use crate::Error;

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// ECDSA on P-256 with SHA-256; the signature is DER.
    EcdsaP256,
    /// RSA PKCS#1 v1.5 with SHA-256, 2048 to 8192 bits.
    RsaPkcs1,
}

/// Whose signature it is: the key's certificate, then those that lead to a root.
#[derive(Clone, Debug)]
pub struct Identity {
    chain: Vec<Certificate>,
    scheme: Scheme,
    key: Vec<u8>,
}

impl Identity {
    /// Reads certificates in PEM, the key's own first.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        Certificate::load_pem_chain(pem)
            .ok()
            .and_then(Self::new)
            .ok_or_else(|| Error::invalid("the certificate", "expected PEM with a key on P-256 or an RSA key"))
    }

    pub(super) fn new(chain: Vec<Certificate>) -> Option<Self> {
        let info = &chain.first()?.tbs_certificate.subject_public_key_info;
        let curve = || info.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok();
        let scheme = match info.algorithm.oid {
            EC_PUBLIC_KEY if curve() == Some(P256) => Scheme::EcdsaP256,
            RSA => Scheme::RsaPkcs1,
            _ => return None,
        };
        let key = info.subject_public_key.as_bytes()?.to_vec();
        Some(Self { chain, scheme, key })
    }

    /// How its key signs.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The public key: a point, or an `RSAPublicKey` in DER.
    pub fn public_key(&self) -> &[u8] {
        &self.key
    }

    pub(super) fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    pub(super) fn certificate(&self) -> &Certificate {
        // Cannot fail: `new` refuses an empty chain.
        &self.chain[0]
    }

    /// The most that a signature measures: two numbers of a point's size in DER, or as many bytes as the RSA key is long.
    pub(super) const fn signature_bytes_max(&self) -> usize {
        match self.scheme {
            Scheme::EcdsaP256 => 72,
            // The key in DER is its modulus and more.
            Scheme::RsaPkcs1 => self.key.len(),
        }
    }

    /// Whether the key signed the message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &dyn lc::VerificationAlgorithm = match self.scheme {
            Scheme::EcdsaP256 => &lc::ECDSA_P256_SHA256_ASN1,
            Scheme::RsaPkcs1 => &lc::RSA_PKCS1_2048_8192_SHA256,
        };
        lc::UnparsedPublicKey::new(algorithm, &self.key).verify(message, signature).is_ok()
    }
}

/// A key that signs, wherever it is kept.
pub trait Signer: Send + Sync {
    /// Whose it is.
    fn identity(&self) -> &Identity;
    /// The signature over a message, in the form its [`Scheme`] says.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error>;
}

/// A key from a file.
pub struct KeyFile {
    identity: Identity,
    key: Key,
}

enum Key {
    Ecdsa(p256::ecdsa::SigningKey),
    Rsa(Box<lc::RsaKeyPair>),
}

impl KeyFile {
    /// Reads a key (PKCS#8 in PEM) and its certificates (PEM, the key's own first), and holds them together.
    pub fn load(key_file: &Path, certificate_file: &Path) -> Result<Self, Error> {
        let read = |path: &Path| {
            fs::read(path).map_err(|source| Error::Unavailable { path: path.to_owned(), action: "read", source })
        };
        Self::from_pem(&read(key_file)?, &read(certificate_file)?)
    }

    /// The same from what the files hold.
    pub fn from_pem(key: &[u8], certificates: &[u8]) -> Result<Self, Error> {
        let identity = Identity::from_pem(certificates)?;
        // What a parser says of a broken key is left out: it could quote it.
        let unusable =
            || Error::invalid("the signing key", "expected PKCS#8 in PEM, of the kind that the certificate names");
        let (label, der) = der::pem::decode_vec(key).map_err(|_| unusable())?;
        if label != "PRIVATE KEY" {
            return Err(unusable());
        }
        let (key, public) = match identity.scheme {
            Scheme::EcdsaP256 => {
                let key: p256::ecdsa::SigningKey = SecretKey::from_pkcs8_der(&der).map_err(|_| unusable())?.into();
                let public = key.verifying_key().to_encoded_point(false).as_bytes().to_vec();
                (Key::Ecdsa(key), public)
            }
            Scheme::RsaPkcs1 => {
                let key = lc::RsaKeyPair::from_pkcs8(&der).map_err(|_| unusable())?;
                let public = lc::KeyPair::public_key(&key).as_ref().to_vec();
                (Key::Rsa(Box::new(key)), public)
            }
        };
        if public != identity.key {
            return Err(Error::invalid("the certificate", "expected that of the signing key"));
        }
        Ok(Self { identity, key })
    }
}

impl Signer for KeyFile {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match &self.key {
            Key::Ecdsa(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                Ok(signature.to_der().as_bytes().to_vec())
            }
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&lc::RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .map_err(|_| Error::Corrupt("the key could not sign".to_owned()))?;
                Ok(signature)
            }
        }
    }
}

/// A signature on P-256 as tokens give it, two numbers of 32 bytes, in DER. `None`: it is no such signature.
pub fn ecdsa_der(raw: &[u8]) -> Option<Vec<u8>> {
    let signature = p256::ecdsa::Signature::from_slice(raw).ok()?;
    Some(signature.to_der().as_bytes().to_vec())
}
