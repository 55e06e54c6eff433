//! The digest of a run: what the receiver can compute from what it received.

use sha2::{Digest, Sha256};

/// SHA-256 over the content digests of a run in the order sent.
#[derive(Clone, Debug, Default)]
pub struct RunDigest(Sha256);

impl RunDigest {
    /// Adds a history's content digest.
    pub fn add(&mut self, content_digest: &[u8; 32]) {
        self.0.update(content_digest);
    }

    /// The digest so far.
    pub fn finish(&self) -> [u8; 32] {
        self.0.clone().finalize().into()
    }
}
