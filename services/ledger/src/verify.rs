//! Finding what was changed: the tree is built again from what is stored, and held against every head that was ever signed.
//!
//! Whoever can write to the database can make it contradict itself, which shows here by entry, or can recompute all of it,
//! which shows only against a checkpoint that someone else kept. Both are findings, not errors: `verify` always ends.

use std::{collections::BTreeMap, fmt};

use model::DisclosureId;

use crate::{
    checkpoint::SignedCheckpoint,
    note::NoteError,
    tiles::{Frontier, FullTile, TILE_WIDTH},
    tree::{CompactRange, Hash, empty_root},
};

#[cfg(test)]
mod tests;

/// How many findings a report spells out; the rest are counted.
pub const FINDINGS_MAX: usize = 200;

/// A part of an entry that is no longer what was committed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Kind, terms, delivery, time, run, count or reason.
    Record,
    /// Student, person, system, authority or digest, or the copies of time and terms beside them.
    Detail,
    /// The digest of what was sent.
    Content,
    /// The commitments themselves.
    Leaf,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Record => "record",
            Self::Detail => "detail",
            Self::Content => "digest of what was sent",
            Self::Leaf => "commitments",
        })
    }
}

/// Who holds the head that the tree was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keeper {
    /// The ledger itself.
    Ledger,
    /// Someone else: a consumer, a witness, a proof beside a document.
    Outside,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// An entry was edited.
    EntryAltered {
        /// Its position.
        leaf_index: u64,
        /// Its id.
        entry: DisclosureId,
        /// Which parts no longer fit.
        parts: Vec<Part>,
    },
    /// The row of a sequenced entry is gone.
    EntryMissing {
        /// Its position.
        leaf_index: u64,
        /// Its id.
        entry: DisclosureId,
    },
    /// An entry stands in an era that never began.
    EraMissing {
        /// The era.
        era: i32,
        /// The first position in it.
        leaf_index: u64,
    },
    /// An entry's detail is gone, and no erasure accounts for it.
    DetailMissing {
        /// Its position.
        leaf_index: u64,
        /// Its id.
        entry: DisclosureId,
    },
    /// A detail is left over whose entry is gone.
    EntryMissingBesideDetail {
        /// Its id.
        entry: DisclosureId,
    },
    /// A position holds nothing.
    PositionMissing {
        /// The first empty position.
        leaf_index: u64,
        /// How many in a row are empty.
        count: u64,
    },
    /// An entry stands before one that was recorded earlier.
    Reordered {
        /// Its position.
        leaf_index: u64,
        /// Its id.
        entry: DisclosureId,
    },
    /// A committed entry was left out of the tree, or taken out of it.
    LeftOut {
        /// Its id.
        entry: DisclosureId,
    },
    /// The terms of an entry were edited or are gone.
    TermsAltered {
        /// The first position that rests on them.
        leaf_index: u64,
        /// The hash under which they are stored.
        terms: Hash,
    },
    /// The entries that an erasure destroyed are not those that it was recorded for.
    ErasureDiffers {
        /// The erasure's id.
        entry: DisclosureId,
    },
    /// A stored hash over these leaves is not the one that the leaves give: one of them was changed, moved or exchanged.
    BlockDiffers {
        /// The first leaf.
        first: u64,
        /// The last leaf.
        last: u64,
    },
    /// The tree at this size has another root than the head that was signed.
    HeadDiffers {
        /// The size of the signed tree.
        size: u64,
        /// The greatest smaller size whose head agrees: the change lies behind it.
        agreed: u64,
        /// Who kept the head.
        keeper: Keeper,
    },
    /// A head was signed over more entries than there are: the last ones were cut off.
    Cut {
        /// The size of the signed tree.
        size: u64,
        /// How many entries there are.
        present: u64,
        /// Who kept the head.
        keeper: Keeper,
    },
    /// A checkpoint is not what a trusted key signed.
    CheckpointUntrusted {
        /// The size it is stored under, if known.
        size: Option<u64>,
        /// What is wrong.
        why: NoteError,
    },
    /// A file of the export is missing or has the wrong length.
    FileBroken {
        /// Its path inside the export.
        path: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EntryAltered { leaf_index, entry, parts } => {
                let parts: Vec<String> = parts.iter().map(Part::to_string).collect();
                write!(f, "entry {entry} (leaf {leaf_index}) was altered: {} no longer as committed", parts.join(", "))
            }
            Self::EntryMissing { leaf_index, entry } => {
                write!(f, "entry {entry} (leaf {leaf_index}) was deleted")
            }
            Self::DetailMissing { leaf_index, entry } => {
                write!(f, "the detail of entry {entry} (leaf {leaf_index}) was deleted, and no erasure accounts for it")
            }
            Self::EntryMissingBesideDetail { entry } => {
                write!(f, "entry {entry} was deleted; its detail is left over")
            }
            Self::EraMissing { era, leaf_index } => {
                write!(f, "era {era}, in which leaf {leaf_index} stands, never began or was deleted")
            }
            Self::PositionMissing { leaf_index, count } => {
                write!(f, "{count} position(s) from leaf {leaf_index} on were deleted")
            }
            Self::Reordered { leaf_index, entry } => {
                write!(f, "entry {entry} (leaf {leaf_index}) stands out of order")
            }
            Self::LeftOut { entry } => write!(f, "entry {entry} is recorded and not in the tree"),
            Self::TermsAltered { leaf_index, terms } => {
                write!(f, "terms {terms} were altered or deleted; leaf {leaf_index} is the first that rests on them")
            }
            Self::ErasureDiffers { entry } => {
                write!(f, "erasure {entry} does not account for exactly the entries it was recorded for")
            }
            Self::BlockDiffers { first, last } => {
                write!(f, "leaves {first} to {last} do not give the stored hash over them")
            }
            Self::HeadDiffers { size, agreed, keeper } => write!(
                f,
                "{}the first {size} entries are not those of the checkpoint {}; those up to {agreed} are",
                does_not_extend(*keeper),
                kept_by(*keeper)
            ),
            Self::Cut { size, present, keeper } => {
                let words = does_not_extend(*keeper);
                write!(
                    f,
                    "{words}the checkpoint {} covers {size} entries and only {present} are here",
                    kept_by(*keeper)
                )
            }
            Self::CheckpointUntrusted { size: Some(size), why } => {
                write!(f, "the checkpoint of size {size} cannot be trusted: {why}")
            }
            Self::CheckpointUntrusted { size: None, why } => {
                write!(f, "the checkpoint cannot be trusted: {why}")
            }
            Self::FileBroken { path } => write!(f, "{path} is missing or has the wrong length"),
        }
    }
}

const fn kept_by(keeper: Keeper) -> &'static str {
    match keeper {
        Keeper::Ledger => "in the ledger",
        Keeper::Outside => "kept outside",
    }
}

const fn does_not_extend(keeper: Keeper) -> &'static str {
    match keeper {
        Keeper::Ledger => "",
        Keeper::Outside => "the log does not extend the kept checkpoint: ",
    }
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How many entries were checked.
    pub entries: u64,
    /// The root over them.
    pub root: Hash,
    /// How many signed heads they were held against.
    pub heads: u64,
    /// What is wrong, in the order found.
    pub findings: Vec<Finding>,
    /// How many findings were not spelled out.
    pub unlisted: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_content(&self) -> bool {
        self.findings.is_empty()
    }
}

struct Head {
    root: Hash,
    keeper: Keeper,
}

/// The tree, built again leaf by leaf and held against signed heads on the way.
pub(crate) struct Replay {
    range: CompactRange,
    frontier: Frontier,
    heads: BTreeMap<u64, Vec<Head>>,
    heads_checked: u64,
    agreed: u64,
    own_head_differed: bool,
    findings: Vec<Finding>,
    unlisted: u64,
}

impl Replay {
    /// Starts an empty tree, to be held against the heads that others kept.
    pub(crate) fn new(kept: &[SignedCheckpoint]) -> Self {
        let mut replay = Self {
            range: CompactRange::default(),
            frontier: Frontier::default(),
            heads: BTreeMap::new(),
            heads_checked: 0,
            agreed: 0,
            own_head_differed: false,
            findings: Vec::new(),
            unlisted: 0,
        };
        for checkpoint in kept {
            replay.expect(checkpoint.size(), checkpoint.root(), Keeper::Outside);
        }
        replay
    }

    /// Adds a head to hold the tree against. Its size has not been passed yet, or it is looked at in [`Self::finish`].
    pub(crate) fn expect(&mut self, size: u64, root: Hash, keeper: Keeper) {
        self.heads.entry(size).or_default().push(Head { root, keeper });
    }

    /// How many leaves the tree has.
    pub(crate) const fn size(&self) -> u64 {
        self.range.size()
    }

    /// Notes a finding.
    pub(crate) fn find(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.unlisted += 1;
        }
    }

    /// Takes in the next leaf hash and compares the tree with the heads of that size. Tiles it fills are returned, so that the
    /// hashes stored over them can be compared.
    pub(crate) fn push(&mut self, leaf: Hash) -> Vec<FullTile> {
        let mut full = Vec::new();
        self.range.push(leaf);
        self.frontier.push(leaf, &mut full);
        self.compare(self.range.size());
        full
    }

    /// Ends the comparison with heads: positions are missing, so the tree cannot be built any further. Heads kept outside over
    /// more leaves than it has so far count as differing.
    pub(crate) fn break_off(&mut self) {
        let agreed = self.agreed;
        for (size, heads) in std::mem::take(&mut self.heads) {
            if heads.iter().any(|head| head.keeper == Keeper::Outside) {
                self.heads_checked += 1;
                self.find(Finding::HeadDiffers { size, agreed, keeper: Keeper::Outside });
            }
        }
    }

    fn compare(&mut self, size: u64) {
        let Some(heads) = self.heads.remove(&size) else {
            return;
        };
        let root = self.range.root();
        let mut agrees = true;
        for head in heads {
            self.heads_checked += 1;
            if head.root == root {
                continue;
            }
            agrees = false;
            // After the first of the ledger's own heads, the following ones differ for the same reason.
            let repeated = head.keeper == Keeper::Ledger && self.own_head_differed;
            self.own_head_differed |= head.keeper == Keeper::Ledger;
            if !repeated {
                let agreed = self.agreed;
                self.find(Finding::HeadDiffers { size, agreed, keeper: head.keeper });
            }
        }
        if agrees {
            self.agreed = size;
        }
    }

    /// Holds the hash stored over a full tile against the one its leaves give.
    pub(crate) fn compare_block(&mut self, tile: &FullTile, stored: Option<Hash>) {
        if stored != Some(tile.root) {
            self.block_differs(tile.id.level + 1, tile.id.index);
        }
    }

    /// Notes that the stored hash of that level and index is not that of the leaves below it.
    pub(crate) fn block_differs(&mut self, level: u8, index: u64) {
        let leaves = TILE_WIDTH.saturating_pow(u32::from(level));
        let first = index.saturating_mul(leaves);
        let last = first.saturating_add(leaves - 1);
        self.find(Finding::BlockDiffers { first, last });
    }

    /// The partial tile of each level at the end.
    pub(crate) const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Ends the tree: heads over more entries than it has show that it was cut.
    pub(crate) fn finish(mut self) -> Report {
        let present = self.size();
        if let Some(heads) = self.heads.remove(&0) {
            self.heads_checked += heads.len() as u64;
            if heads.iter().any(|head| head.root != empty_root()) {
                let keeper = Keeper::Outside;
                self.find(Finding::HeadDiffers { size: 0, agreed: 0, keeper });
            }
        }
        for (size, heads) in std::mem::take(&mut self.heads) {
            for head in heads {
                self.heads_checked += 1;
                self.find(Finding::Cut { size, present, keeper: head.keeper });
            }
        }
        Report {
            entries: present,
            root: self.range.root(),
            heads: self.heads_checked,
            findings: self.findings,
            unlisted: self.unlisted,
        }
    }
}
