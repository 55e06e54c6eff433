//! The digest of a run: what the receiver can compute from what it received, and go on with from where it was cut.

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

/// A chain over the content digests of a run in the order sent: 32 zero bytes at first, then with each history SHA-256 of the
/// digest so far and its content digest; a withdrawal counts likewise. Whoever keeps the 32 bytes can go on after a cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunDigest([u8; 32]);

impl RunDigest {
    /// Goes on from a digest.
    pub const fn resume(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Adds a history's content digest.
    pub fn add(&mut self, content_digest: &[u8; 32]) {
        self.0 = Sha256::new().chain_update(self.0).chain_update(content_digest).finalize().into();
    }

    /// Adds a withdrawal: who, why, and the day by which what was sent is to be destroyed.
    pub fn withdraw(&mut self, person_key: &str, reason: &str, destroy_by: NaiveDate) {
        let said = format!("{person_key}\n{reason}\n{destroy_by}\n");
        self.add(&Sha256::digest(said).into());
    }

    /// The digest so far.
    pub const fn finish(&self) -> [u8; 32] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_cut_anywhere_and_resumed_is_that_of_the_whole() {
        let contents: Vec<[u8; 32]> = (0..5).map(|n| [n; 32]).collect();
        let digest = |contents: &[[u8; 32]], mut from: RunDigest| {
            for content in contents {
                from.add(content);
            }
            from.finish()
        };
        let whole = digest(&contents, RunDigest::default());
        for cut in 0..=contents.len() {
            let (before, behind) = contents.split_at(cut);
            let kept = digest(before, RunDigest::default());
            assert_eq!(digest(behind, RunDigest::resume(kept)), whole);
        }
        let mut other = contents.clone();
        other.swap(1, 2);
        assert_ne!(digest(&other, RunDigest::default()), whole);
    }
}
