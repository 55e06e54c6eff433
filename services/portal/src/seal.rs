//! Secrets: what browsers are given that they cannot read, and keys that follow from one another.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hmac,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use model::Entropy;
use sha2::{Digest as _, Sha256};

/// What is sealed is padded to multiples of this, so that its length says little.
const BLOCK_BYTES: usize = 64;

/// 32 secret bytes.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Secret {
    pub(crate) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// As a cookie holds it.
    pub(crate) fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(crate) fn of_text(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// What may be stored of it.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// Another secret that follows from this one; the way back is closed.
    pub(crate) fn derive(&self, label: &str) -> Self {
        Self(self.mac(label.as_bytes()))
    }

    fn mac(&self, message: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), message);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    /// A digest of several texts that only this secret makes; where one ends and the next begins counts.
    pub(crate) fn digest(&self, texts: &[&str]) -> [u8; 32] {
        let mut message = Vec::new();
        for text in texts {
            message.extend_from_slice(&(text.len() as u64).to_be_bytes());
            message.extend_from_slice(text.as_bytes());
        }
        self.mac(&message)
    }

    /// Seals a text as text. The same text gives the same: whoever holds no key learns only that two are equal.
    pub(crate) fn seal(&self, text: &str) -> String {
        let mut bytes = (text.len() as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
        let mac = self.derive("nonce").mac(&bytes);
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&mac[..NONCE_LEN]);
        let mut sealed = nonce.to_vec();
        let Some(key) = self.key() else { return String::new() };
        // Fails only beyond 64 GiB: a form, a token and a person id are shorter.
        if key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut bytes).is_err() {
            return String::new();
        }
        sealed.extend_from_slice(&bytes);
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens what was sealed; `None`: this was not.
    pub(crate) fn open(&self, sealed: &str) -> Option<String> {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let mut body = (bytes.len() >= NONCE_LEN).then(|| bytes.split_off(NONCE_LEN))?;
        let nonce: [u8; NONCE_LEN] = bytes.try_into().ok()?;
        let plain = self.key()?.open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut body).ok()?;
        let (length, rest) = plain.split_first_chunk::<4>()?;
        let text = rest.get(..u32::from_be_bytes(*length) as usize)?;
        String::from_utf8(text.to_vec()).ok()
    }

    fn key(&self) -> Option<LessSafeKey> {
        // Cannot fail: the key has the length that the algorithm wants.
        UnboundKey::new(&AES_256_GCM, &self.derive("seal").0).ok().map(LessSafeKey::new)
    }
}

/// What may be stored of a secret text.
pub(crate) fn hash_of(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// A text of any length as a few letters that tell nothing of it.
pub(crate) fn short(text: &str) -> String {
    hex::encode(&hash_of(text)[..8])
}

/// Whether two texts are equal, in a time that does not depend on where they differ.
pub(crate) fn are_equal(one: &str, other: &str) -> bool {
    Sha256::digest(one) == Sha256::digest(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_the_same_secret_and_no_other() {
        let (one, other) = (Secret::new([1; 32]), Secret::new([2; 32]));
        for text in ["", "C-17", "Peña", &"x".repeat(500)] {
            let sealed = one.seal(text);
            assert_eq!(one.open(&sealed).as_deref(), Some(text));
            assert_eq!(one.seal(text), sealed);
            assert_eq!(other.open(&sealed), None);
            for at in [0, sealed.len() / 2, sealed.len() - 2] {
                let mut forged = sealed.clone().into_bytes();
                forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
                assert_eq!(one.open(&String::from_utf8(forged).unwrap()), None, "{text} {at}");
            }
        }
        for forged in ["", "A", "made-up", "%", &"A".repeat(100)] {
            assert_eq!(one.open(forged), None);
        }
    }

    #[test]
    fn two_person_ids_of_different_lengths_are_sealed_alike_long() {
        let secret = Secret::new([3; 32]);
        assert_eq!(secret.seal("1").len(), secret.seal("a-much-longer-person-id").len());
        assert_ne!(secret.seal("1"), secret.seal("2"));
        assert_eq!(Secret::of_text(&secret.to_text()), Some(secret));
    }
}
