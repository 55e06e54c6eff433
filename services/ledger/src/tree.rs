//! The Merkle tree of RFC 6962: leaf and node hashes, a growing root, inclusion and consistency proofs.
//!
//! Nothing here knows what a leaf means. A proof is first planned as a list of [`Span`]s (which stretches of leaves it
//! needs the hashes of) and then answered by whoever holds the hashes; the checks need no tree at all.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

#[cfg(test)]
mod tests;

/// A SHA-256 hash: of a leaf, of a node, or of what was sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The SHA-256 of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The SHA-256 of several pieces, one after the other.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The bytes, as stored.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Standard base64, as checkpoints and proofs write it.
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }

    /// The hash of a base64 text, if it is one.
    pub fn from_base64(text: &str) -> Option<Self> {
        Self::try_from(STANDARD.decode(text).ok()?.as_slice()).ok()
    }
}

/// Bytes or text that are no SHA-256 hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 32 bytes, or 64 hexadecimal digits")]
pub struct ParseHashError;

impl TryFrom<&[u8]> for Hash {
    type Error = ParseHashError;

    fn try_from(bytes: &[u8]) -> Result<Self, ParseHashError> {
        bytes.try_into().map(Self).map_err(|_| ParseHashError)
    }
}

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, ParseHashError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseHashError)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The hash of a leaf (RFC 6962 section 2.1): a prefix of 0x00 keeps leaves and nodes apart.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash::of_parts(&[&[0], data])
}

/// The hash of a node over its two children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::of_parts(&[&[1], &left.0, &right.0])
}

/// The root of a tree without leaves.
pub fn empty_root() -> Hash {
    Hash::of(&[])
}

/// The right-hand edge of a growing tree: the roots of the perfect subtrees that its leaves fill, largest first.
/// Enough to take in the next leaf and to give the root, in space of the logarithm of the size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    peaks: Vec<Hash>,
}

impl CompactRange {
    /// A range over the given leaf hashes.
    pub fn over(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let mut range = Self::default();
        for leaf in leaves {
            range.push(leaf);
        }
        range
    }

    /// How many leaves it holds.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Takes in one more leaf hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root over all leaves so far.
    pub fn root(&self) -> Hash {
        bag(&self.peaks).unwrap_or_else(empty_root)
    }
}

/// The root over perfect subtrees of falling size.
pub(crate) fn bag(peaks: &[Hash]) -> Option<Hash> {
    let (last, rest) = peaks.split_last()?;
    Some(rest.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

/// A stretch of leaves whose hash (the `MTH` of RFC 6962) a proof contains: `start` included, `end` not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first leaf.
    pub start: u64,
    /// The leaf after the last.
    pub end: u64,
}

/// A perfect subtree of `2^height` leaves that begins at `index * 2^height`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its height; a leaf has 0.
    pub height: u8,
    /// Its position among the nodes of its height.
    pub index: u64,
}

impl Span {
    /// The perfect subtrees that fill the span, largest first. Spans of proofs always begin where this is possible.
    pub fn nodes(self) -> Vec<Node> {
        let mut nodes = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let height = (self.end - start).ilog2();
            nodes.push(Node { height: height as u8, index: start >> height });
            start += 1 << height;
        }
        nodes
    }
}

/// The largest power of two below `size`, where RFC 6962 splits a tree. `size` is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// What the inclusion proof of the leaf `index` in a tree of `size` leaves consists of, from the leaf's sibling upwards.
/// `None` if the tree has no such leaf.
pub fn inclusion_spans(index: u64, size: u64) -> Option<Vec<Span>> {
    if index >= size {
        return None;
    }
    let (mut start, mut end) = (0, size);
    let mut spans = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            spans.push(Span { start: middle, end });
            end = middle;
        } else {
            spans.push(Span { start, end: middle });
            start = middle;
        }
    }
    spans.reverse();
    Some(spans)
}

/// What the proof consists of that a tree of `new` leaves extends its first `old` leaves. `None` if it cannot.
pub fn consistency_spans(old: u64, new: u64) -> Option<Vec<Span>> {
    if old == 0 || old > new {
        return None;
    }
    let (mut start, mut end) = (0, new);
    let mut spans = Vec::new();
    let mut old_root_is_known = true;
    while old != end {
        let middle = start + split(end - start);
        if old <= middle {
            spans.push(Span { start: middle, end });
            end = middle;
        } else {
            spans.push(Span { start, end: middle });
            start = middle;
            old_root_is_known = false;
        }
    }
    if !old_root_is_known {
        spans.push(Span { start, end });
    }
    spans.reverse();
    Some(spans)
}

/// A proof does not show what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree of that size has no such leaf.
    #[error("the tree has no leaf at this position")]
    NoSuchLeaf,
    /// An empty tree is the beginning of every tree, and a tree never shrinks: neither can be shown.
    #[error("these two sizes cannot be shown to be consistent")]
    Sizes,
    /// Too few or too many hashes for these sizes.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// Checks that `leaf` is the leaf `index` of the tree of `size` leaves with the root `root`.
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, proof: &[Hash], root: &Hash) -> Result<(), ProofError> {
    let spans = inclusion_spans(index, size).ok_or(ProofError::NoSuchLeaf)?;
    if spans.len() != proof.len() {
        return Err(ProofError::Length);
    }
    let computed = spans.iter().zip(proof).fold(*leaf, |hash, (span, beside)| {
        if span.start > index { node_hash(&hash, beside) } else { node_hash(beside, &hash) }
    });
    if computed == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that the tree of `new` leaves with root `new_root` begins with the tree of `old` leaves with root `old_root`.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let spans = consistency_spans(old, new).ok_or(ProofError::Sizes)?;
    if spans.len() != proof.len() {
        return Err(ProofError::Length);
    }
    // Where the old tree is one perfect subtree of the new, its root is the first hash and the proof leaves it out.
    let known = spans.first().is_none_or(|span| span.start >= old);
    let first = if known { Some(old_root) } else { proof.first() };
    let rest = usize::from(!known);
    let start = first.copied().ok_or(ProofError::Length)?;
    let (mut of_old, mut of_new) = (start, start);
    for (span, beside) in spans.iter().zip(proof).skip(rest) {
        if span.start >= old {
            of_new = node_hash(&of_new, beside);
        } else {
            of_old = node_hash(beside, &of_old);
            of_new = node_hash(beside, &of_new);
        }
    }
    if of_old == *old_root && of_new == *new_root { Ok(()) } else { Err(ProofError::Root) }
}
