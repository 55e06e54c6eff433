//! `NAME.tlog-proof`: what is handed out beside a document, to show that its disclosure is in the ledger.
//!
//! The format is C2SP tlog-proof. Its `extra` line holds the content salt and the bytes of the leaf, so that the holder of the
//! document can compute the leaf from the document; nothing else of the entry can be learned from it.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    checkpoint::{SignedCheckpoint, parse_decimal},
    entry::{Leaf, Salt, content_commitment},
    note::{NOTE_BYTES_MAX, NoteError, VerifierKey},
    tree::{Hash, ProofError, verify_inclusion},
};

#[cfg(test)]
mod tests;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A tree of 2^63 leaves has paths of this length.
const PATH_MAX: usize = 63;

/// A proof that an entry is in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The entry's position.
    pub index: u64,
    /// The entry's leaf.
    pub leaf: Leaf,
    /// The content's salt, unless the detail was erased.
    pub content_salt: Option<Salt>,
    /// The hashes from the leaf's sibling up to the root's child.
    pub path: Vec<Hash>,
    /// The text of the signed checkpoint that it leads to.
    pub checkpoint: String,
}

/// A proof does not show what its holder claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InclusionError {
    /// The text is no proof of this ledger.
    #[error("this is not an inclusion proof: {0}")]
    Malformed(&'static str),
    /// The checkpoint cannot be trusted.
    #[error("the proof's checkpoint cannot be trusted")]
    Checkpoint(#[from] NoteError),
    /// The path does not lead from the leaf to the checkpoint.
    #[error("the proof does not hold")]
    Path(#[from] ProofError),
    /// The document is not the one that was recorded.
    #[error("the document is not the one that was recorded")]
    Document,
}

impl InclusionProof {
    /// Checks that the leaf is in the tree of a checkpoint that a trusted key signed.
    pub fn verify(&self, trusted: &[VerifierKey]) -> Result<SignedCheckpoint, InclusionError> {
        let head = SignedCheckpoint::open(&self.checkpoint, trusted)?;
        verify_inclusion(self.index, head.size(), &self.leaf.hash(), &self.path, &head.root())?;
        Ok(head)
    }

    /// Checks, beyond [`Self::verify`], that exactly this document was recorded, given its SHA-256.
    pub fn verify_document(&self, digest: Hash, trusted: &[VerifierKey]) -> Result<SignedCheckpoint, InclusionError> {
        let salt = self.content_salt.ok_or(InclusionError::Document)?;
        if content_commitment(&salt.0, Some(digest)) != self.leaf.content {
            return Err(InclusionError::Document);
        }
        self.verify(trusted)
    }
}

impl fmt::Display for InclusionProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let salt = self.content_salt.map(|salt| salt.0.to_vec()).unwrap_or_default();
        let extra = [self.leaf.to_bytes(), salt].concat();
        writeln!(f, "{HEADER}\nextra {}\nindex {}", STANDARD.encode(extra), self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", hash.to_base64())?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for InclusionProof {
    type Err = InclusionError;

    fn from_str(text: &str) -> Result<Self, InclusionError> {
        const WRONG: fn(&'static str) -> InclusionError = InclusionError::Malformed;
        if text.len() > 2 * NOTE_BYTES_MAX {
            return Err(WRONG("it is too long"));
        }
        let (above, checkpoint) = text.split_once("\n\n").ok_or(WRONG("it has no checkpoint"))?;
        let mut lines = above.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(WRONG("its first line is another"));
        }
        let extra = lines
            .next()
            .and_then(|line| line.strip_prefix("extra "))
            .and_then(|extra| STANDARD.decode(extra).ok())
            .ok_or(WRONG("it does not hold the leaf"))?;
        let (leaf, salt) = extra.split_at_checked(Leaf::LENGTH).ok_or(WRONG("the leaf is too short"))?;
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(parse_decimal)
            .ok_or(WRONG("it has no index"))?;
        let path = lines
            .map(Hash::from_base64)
            .collect::<Option<Vec<_>>>()
            .filter(|path| path.len() <= PATH_MAX)
            .ok_or(WRONG("its path is none"))?;
        let content_salt = match salt {
            [] => None,
            bytes => Some(Salt::from_slice(bytes).ok_or(WRONG("the salt has the wrong length"))?),
        };
        Ok(Self {
            index,
            leaf: Leaf::from_bytes(leaf).ok_or(WRONG("the leaf is none"))?,
            content_salt,
            path,
            checkpoint: checkpoint.to_owned(),
        })
    }
}
