//! Which pairs are compared at all: several passes, each with a key that most records of one child share.
//!
//! The smaller side's records look up candidates among the larger side's. A key that no record of the smaller side has
//! is not kept, so the index stays small; a key shared by too many records is left to the other passes and counted.
//! The second tier of passes brings many pairs and is asked only for records that the first left in doubt.

use rayon::prelude::*;

use crate::config::Config;
use crate::corpus::{Corpus, Side, Table};
use crate::lexicon::Lexicon;
use crate::screen::{Glance, Screen, screens_of};

mod pass;

use pass::{Key, Role, keys_of};
pub(crate) use pass::{PASSES, Pass, Tier};

/// What a pass did in one linkage.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct PassReport {
    /// What the key is made of.
    pub pass: &'static str,
    /// Candidate pairs the pass brought, those that other passes brought too included.
    pub pairs: u64,
    /// Look-ups given up because the block was too large.
    pub blocks_skipped: u64,
    /// Linked pairs that agree on the key: what the pass would have found alone.
    pub matches_found: u64,
}

/// Counts while candidates are gathered.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PassCount {
    pub pairs: u64,
    pub skipped: u64,
}

/// Records of the larger side by key, for each pass.
pub(crate) struct Index<'a> {
    corpus: &'a Corpus,
    asking: Side,
    block_records_max: usize,
    /// By pass.
    blocks: Vec<Blocks>,
}

/// The records of one pass by key.
#[derive(Default)]
struct Blocks {
    /// Key in the upper half, record in the lower, sorted.
    entries: Vec<u64>,
    /// Where the entries begin whose keys start with the same bits: keys are hashes, so a few entries share a start.
    starts: Vec<u32>,
    /// Bits of a key that `starts` leaves out.
    shift: u32,
    /// For passes with large blocks: what the names look like, in the order of the entries, so that most of a block is
    /// passed over without touching the records.
    screens: Vec<Screen>,
}

impl Blocks {
    fn new(entries: Vec<u64>, screens: Vec<Screen>) -> Self {
        let bits = (entries.len() / ENTRIES_PER_START).max(1).ilog2();
        let shift = Key::BITS - bits;
        let mut starts = vec![0_u32; (1 << bits) + 1];
        for entry in &entries {
            starts[start_of((*entry >> 32) as Key, shift) + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        Self { entries, starts, shift, screens }
    }

    fn range(&self, key: Key) -> std::ops::Range<usize> {
        if self.entries.is_empty() {
            return 0..0;
        }
        let start = start_of(key, self.shift);
        let (from, to) = (self.starts[start] as usize, self.starts[start + 1] as usize);
        let near = &self.entries[from..to];
        let first = from + near.partition_point(|entry| (*entry >> 32) < u64::from(key));
        let length = self.entries[first..to].partition_point(|entry| (*entry >> 32) == u64::from(key));
        first..first + length
    }
}

fn start_of(key: Key, shift: u32) -> usize {
    // A shift by all 32 bits would overflow; then there is one start for all keys.
    key.checked_shr(shift).unwrap_or(0) as usize
}

/// Entries that share a start, on average: about a cache line of them.
const ENTRIES_PER_START: usize = 8;
const FILTER_BITS: usize = 1 << 23;

impl<'a> Index<'a> {
    /// Indexes the side that is not asking, as far as the asking side has the same keys.
    pub(crate) fn build(corpus: &'a Corpus, asking: Side, config: &Config) -> Self {
        let indexed = match asking {
            Side::Left => corpus.table(Side::Right),
            Side::Right => corpus.table(Side::Left),
        };
        let blocks = PASSES
            .par_iter()
            .map(|plan| index_pass(plan.pass, plan.glance, &corpus.lexicon, corpus.table(asking), indexed))
            .collect();
        Self { corpus, asking, block_records_max: config.block_records_max, blocks }
    }

    /// The side whose records ask for candidates.
    pub(crate) fn asking(&self) -> Side {
        self.asking
    }

    /// Candidates of one asking record by the passes of a tier, sorted, each once.
    pub(crate) fn candidates(
        &self,
        record: u32,
        tier: Tier,
        counts: &mut [PassCount; PASSES.len()],
        out: &mut Vec<u32>,
    ) {
        out.clear();
        let table = self.corpus.table(self.asking);
        let mut keys = Vec::new();
        let screens = screens_of(&self.corpus.lexicon, table, record as usize);
        for (at, plan) in PASSES.iter().enumerate().filter(|(_, plan)| plan.tier == tier) {
            keys.clear();
            keys_of(plan.pass, Role::Asking, &self.corpus.lexicon, table, record as usize, &mut keys);
            keys.sort_unstable();
            keys.dedup();
            for key in &keys {
                let blocks = &self.blocks[at];
                let range = blocks.range(*key);
                if range.len() > self.block_records_max {
                    counts[at].skipped += 1;
                    continue;
                }
                counts[at].pairs += range.len() as u64;
                if blocks.screens.is_empty() {
                    out.extend(blocks.entries[range].iter().map(|entry| *entry as u32));
                } else {
                    let block = blocks.entries[range.clone()].iter().zip(&blocks.screens[range]);
                    let alike =
                        block.filter(|(_, screen)| screens.iter().any(|own| own.may_agree(screen, plan.glance)));
                    out.extend(alike.map(|(entry, _)| *entry as u32));
                }
            }
        }
        out.sort_unstable();
        out.dedup();
    }

    /// Whether a pass finds this pair.
    pub(crate) fn finds(&self, pass: Pass, asking: u32, indexed: u32) -> bool {
        let Some(at) = PASSES.iter().position(|plan| plan.pass == pass) else { return false };
        let mut keys = Vec::new();
        let table = self.corpus.table(self.asking);
        keys_of(pass, Role::Asking, &self.corpus.lexicon, table, asking as usize, &mut keys);
        keys.iter().any(|key| {
            let range = self.blocks[at].range(*key);
            let wanted = u64::from(*key) << 32 | u64::from(indexed);
            range.len() <= self.block_records_max && self.blocks[at].entries[range].binary_search(&wanted).is_ok()
        })
    }
}

fn index_pass(pass: Pass, glance: Glance, lexicon: &Lexicon, asking: &Table, indexed: &Table) -> Blocks {
    let mut keys = Vec::new();
    let mut wanted = vec![0_u64; FILTER_BITS / 64];
    let mut asked = 0;
    for record in 0..asking.len() {
        keys.clear();
        keys_of(pass, Role::Asking, lexicon, asking, record, &mut keys);
        asked += keys.len();
        for key in &keys {
            let bit = *key as usize % FILTER_BITS;
            wanted[bit / 64] |= 1 << (bit % 64);
        }
    }
    if asked == 0 {
        return Blocks::default();
    }
    let mut entries = Vec::new();
    for record in 0..indexed.len() {
        keys.clear();
        keys_of(pass, Role::Indexed, lexicon, indexed, record, &mut keys);
        for key in &keys {
            let bit = *key as usize % FILTER_BITS;
            if wanted[bit / 64] & 1 << (bit % 64) != 0 {
                entries.push(u64::from(*key) << 32 | record as u64);
            }
        }
    }
    entries.sort_unstable();
    entries.dedup();
    if glance == Glance::None {
        entries.shrink_to_fit();
        return Blocks::new(entries, Vec::new());
    }
    let (mut repeated, mut screens) = (Vec::with_capacity(entries.len()), Vec::with_capacity(entries.len()));
    for entry in entries {
        for screen in screens_of(lexicon, indexed, entry as u32 as usize) {
            repeated.push(entry);
            screens.push(screen);
        }
    }
    Blocks::new(repeated, screens)
}

#[cfg(test)]
mod tests;
