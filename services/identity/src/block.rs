//! Which pairs are compared at all: several passes, each with a key that most records of one child share.
//!
//! The smaller side's records look up candidates among the larger side's. A key that no record of the smaller side has
//! is not kept, so the index stays small; a key shared by too many records is left to the other passes and counted.
//! The second tier of passes brings many pairs and is asked only for records that the first left in doubt.

use rayon::prelude::*;

use crate::config::Config;
use crate::corpus::{Corpus, Side, Table};
use crate::lexicon::Lexicon;
use crate::normalise::DateCode;
use crate::screen::{Glance, Screen, screens_of};

mod pass;

use pass::Plan;
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
    /// For passes with large blocks: what the records look like, in the order of the entries, so that most of a block is
    /// passed over without touching them.
    looks: Looks,
}

/// What is seen of a block's records at a glance.
#[derive(Default)]
enum Looks {
    #[default]
    Nothing,
    Names(Vec<Screen>),
    BirthDates(Vec<DateCode>),
}

impl Blocks {
    fn new(entries: Vec<u64>, looks: Looks) -> Self {
        let bits = (entries.len() / ENTRIES_PER_START).max(1).ilog2();
        let shift = Key::BITS - bits;
        let mut starts = vec![0_u32; (1 << bits) + 1];
        for entry in &entries {
            starts[start_of((*entry >> 32) as Key, shift) + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        Self { entries, starts, shift, looks }
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
/// Bits of a filter for each key that it lets pass, and at most: a wrong one in sixteen costs less than a filter that no cache holds.
const FILTER_BITS_PER_KEY: usize = 16;
const FILTER_BITS_MAX: usize = 1 << 24;
/// Records whose keys are made in one go.
const CHUNK: usize = 8192;
/// Blocks up to this size are not looked over: who bears so rare a name is compared whatever the birth date says.
const SMALL: usize = 32;

impl<'a> Index<'a> {
    /// Indexes the side that is not asking, as far as the asking side has the same keys.
    pub(crate) fn build(corpus: &'a Corpus, asking: Side, config: &Config) -> Self {
        let indexed = match asking {
            Side::Left => corpus.table(Side::Right),
            Side::Right => corpus.table(Side::Left),
        };
        let blocks = index(&corpus.lexicon, corpus.table(asking), indexed);
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
        let screens: Vec<Screen> = screens_of(&self.corpus.lexicon, table, record as usize).collect();
        let births = table.births(record as usize);
        for (at, plan) in PASSES.iter().enumerate().filter(|(_, plan)| plan.tier == tier) {
            keys.clear();
            keys_of(plan.pass, Role::Asking, &self.corpus.lexicon, table, record as usize, &mut keys);
            keys.sort_unstable();
            keys.dedup();
            for key in &keys {
                let blocks = &self.blocks[plan.blocks];
                let range = blocks.range(*key);
                if range.len() > self.block_records_max {
                    counts[at].skipped += 1;
                    continue;
                }
                counts[at].pairs += range.len() as u64;
                let block = &blocks.entries[range.clone()];
                match &blocks.looks {
                    Looks::Names(looks) => {
                        let alike = |look: &Screen| screens.iter().any(|own| own.may_agree(look, plan.glance));
                        let alike = block.iter().zip(&looks[range]).filter(|(_, look)| alike(look));
                        out.extend(alike.map(|(entry, _)| *entry as u32));
                    }
                    Looks::BirthDates(looks) if block.len() > SMALL && !births.is_empty() => {
                        let alike = |look: DateCode| births.iter().any(|own| may_be_one_date(*own, look));
                        let alike = block.iter().zip(&looks[range]).filter(|(_, look)| alike(**look));
                        out.extend(alike.map(|(entry, _)| *entry as u32));
                    }
                    Looks::BirthDates(_) | Looks::Nothing => out.extend(block.iter().map(|entry| *entry as u32)),
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
        let (table, blocks) = (self.corpus.table(self.asking), &self.blocks[PASSES[at].blocks]);
        keys_of(pass, Role::Asking, &self.corpus.lexicon, table, asking as usize, &mut keys);
        keys.iter().any(|key| {
            let range = blocks.range(*key);
            let wanted = u64::from(*key) << 32 | u64::from(indexed);
            range.len() <= self.block_records_max && blocks.entries[range].binary_search(&wanted).is_ok()
        })
    }
}

/// The keys that the asking side has, in one pass: sure to let those pass, and few others.
#[derive(Default)]
struct Filter {
    bits: Vec<u64>,
}

impl Filter {
    /// For the blocks at a place of the passes, whichever passes look there.
    fn new(at: usize, lexicon: &Lexicon, asking: &Table) -> Self {
        let mut keys = Vec::new();
        for plan in PASSES.iter().filter(|plan| plan.blocks == at) {
            (0..asking.len()).for_each(|record| keys_of(plan.pass, Role::Asking, lexicon, asking, record, &mut keys));
        }
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Self::default();
        }
        let bits = (keys.len() * FILTER_BITS_PER_KEY).next_power_of_two().clamp(64, FILTER_BITS_MAX);
        let mut filter = Self { bits: vec![0; bits / 64] };
        for key in keys {
            let (word, bit) = filter.place(key);
            filter.bits[word] |= bit;
        }
        filter
    }

    /// Powers of two only, so the remainder is a mask.
    fn place(&self, key: Key) -> (usize, u64) {
        ((key as usize / 64) & (self.bits.len() - 1), 1 << (key % 64))
    }

    fn passes(&self, key: Key) -> bool {
        let (word, bit) = self.place(key);
        self.bits[word] & bit != 0
    }
}

/// Goes over the records once for all passes, so that what is known of a name is fetched once for all keys made of it.
fn index(lexicon: &Lexicon, asking: &Table, indexed: &Table) -> Vec<Blocks> {
    let filters: Vec<Filter> = (0..PASSES.len()).into_par_iter().map(|at| Filter::new(at, lexicon, asking)).collect();
    let chunks: Vec<(Vec<Vec<u64>>, Vec<Screen>)> = (0..indexed.len().div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let mut entries = vec![Vec::new(); PASSES.len()];
            let mut keys = Vec::new();
            let mut looks = Vec::with_capacity(CHUNK);
            for record in chunk * CHUNK..((chunk + 1) * CHUNK).min(indexed.len()) {
                for ((plan, filter), entries) in PASSES.iter().zip(&filters).zip(&mut entries) {
                    if filter.bits.is_empty() {
                        continue;
                    }
                    keys.clear();
                    keys_of(plan.pass, Role::Indexed, lexicon, indexed, record, &mut keys);
                    let wanted = keys.iter().filter(|key| filter.passes(**key));
                    entries.extend(wanted.map(|key| u64::from(*key) << 32 | record as u64));
                }
                looks.push(screens_of(lexicon, indexed, record).next().unwrap_or_default());
            }
            (entries, looks)
        })
        .collect();
    drop(filters);
    let looks: Vec<Screen> = chunks.iter().flat_map(|(_, looks)| looks).copied().collect();
    let by_pass = |at: usize| {
        let mut entries = Vec::with_capacity(chunks.iter().map(|(entries, _)| entries[at].len()).sum());
        for (chunk, _) in &chunks {
            entries.extend_from_slice(&chunk[at]);
        }
        entries
    };
    let blocks = |(at, plan): (usize, &Plan)| blocks_of(plan.glance, lexicon, indexed, &looks, by_pass(at));
    PASSES.par_iter().enumerate().map(blocks).collect()
}

/// The blocks of a pass. `looks` has the first name of each record as it looks.
fn blocks_of(glance: Glance, lexicon: &Lexicon, indexed: &Table, looks: &[Screen], mut entries: Vec<u64>) -> Blocks {
    entries.sort_unstable();
    entries.dedup();
    let mut repeated = Vec::with_capacity(entries.len());
    let looks = match glance {
        Glance::None => return Blocks::new(entries, Looks::Nothing),
        Glance::BirthDate => {
            let mut births = Vec::with_capacity(entries.len());
            for entry in entries {
                let known = indexed.births(entry as u32 as usize);
                births.extend_from_slice(if known.is_empty() { &[NO_DATE] } else { known });
                repeated.resize(births.len(), entry);
            }
            Looks::BirthDates(births)
        }
        Glance::FirstName | Glance::LastName | Glance::EitherName => {
            let mut screens = Vec::with_capacity(entries.len());
            for entry in entries {
                let record = entry as u32 as usize;
                if indexed.has_one_name(record) {
                    screens.push(looks[record]);
                } else {
                    screens.extend(screens_of(lexicon, indexed, record));
                }
                repeated.resize(screens.len(), entry);
            }
            Looks::Names(screens)
        }
    };
    Blocks::new(repeated, looks)
}

/// The birth date of a record that has none.
const NO_DATE: DateCode = 0;

/// Whether two dates agree in the year, or in month and day, or one is missing. Slips that change more are left to the passes with a place in their key.
fn may_be_one_date(a: DateCode, b: DateCode) -> bool {
    b == NO_DATE || a / 10_000 == b / 10_000 || a % 10_000 == b % 10_000
}

#[cfg(test)]
mod tests;
