//! What a witness does: holds the log's checkpoint against the last one it saw, and cosigns it only if the log has done nothing but grow.
//!
//! A witness trusts nothing but the log's public key and its own memory. It needs the checkpoint and a few tiles, from wherever the log
//! publishes them, and no database.

use std::fmt;

use crate::{
    checkpoint::SignedCheckpoint,
    error::Error,
    folder::Folder,
    tiles::{TileSet, tiles_for},
    tree::{consistency_spans, verify_consistency},
};

/// What became of the log since the witness last looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The witness sees the log for the first time.
    First,
    /// Nothing was added.
    Same,
    /// It has grown, and holds all that was seen.
    Grown,
}

/// Why a witness does not cosign: the log is not the one it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another log.
    OtherLog,
    /// It covers fewer entries than were seen: the end was cut off, or an older database was restored.
    RolledBack {
        /// Entries seen.
        seen: u64,
        /// Entries offered.
        offered: u64,
    },
    /// Entries that were seen are not those that it covers now.
    Forked {
        /// Entries seen.
        seen: u64,
    },
    /// A tile that the proof needs is missing or has the wrong length.
    TileMissing {
        /// Its path.
        path: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherLog => f.write_str("this is another log than the one that was seen"),
            Self::RolledBack { seen, offered } => {
                write!(f, "the log was rolled back: {seen} entries were seen, and it covers {offered} only")
            }
            Self::Forked { seen } => {
                write!(f, "the log has forked: it does not hold the {seen} entries that were seen")
            }
            Self::TileMissing { path } => {
                write!(f, "it cannot be shown that the log holds what was seen: {path} is missing")
            }
        }
    }
}

/// Holds the checkpoint that a log offers against the last one seen, with tiles of the log's folder. The inner `Err`: it must not be cosigned.
pub fn hold_against(
    folder: &Folder,
    offered: &SignedCheckpoint,
    seen: Option<&SignedCheckpoint>,
) -> Result<Result<Seen, Refusal>, Error> {
    let Some(seen) = seen else { return Ok(Ok(Seen::First)) };
    if seen.checkpoint().origin != offered.checkpoint().origin {
        return Ok(Err(Refusal::OtherLog));
    }
    let (old, new) = (seen.size(), offered.size());
    if new < old {
        return Ok(Err(Refusal::RolledBack { seen: old, offered: new }));
    }
    if new == old {
        let is_same = seen.root() == offered.root();
        return Ok(if is_same { Ok(Seen::Same) } else { Err(Refusal::Forked { seen: old }) });
    }
    // An empty tree is the beginning of every other.
    let Some(spans) = consistency_spans(old, new) else { return Ok(Ok(Seen::Grown)) };
    let mut tiles = TileSet::default();
    for id in tiles_for(&spans, new) {
        match folder.find_tile(id)? {
            Some(hashes) => tiles.add(id.level, id.index, hashes),
            None => return Ok(Err(Refusal::TileMissing { path: id.path() })),
        }
    }
    let Some(proof) = tiles.answer(&spans) else { return Ok(Err(Refusal::Forked { seen: old })) };
    let holds = verify_consistency(old, new, &seen.root(), &offered.root(), &proof).is_ok();
    Ok(if holds { Ok(Seen::Grown) } else { Err(Refusal::Forked { seen: old }) })
}
