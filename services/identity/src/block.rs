//! Which pairs are compared at all: several passes, each with a key that most records of one child share.
//!
//! The smaller side's records look up candidates among the larger side's. A key that no record of the smaller side has
//! is not kept, so the index stays small; a key shared by too many records is left to the other passes and counted.
//! The second tier of passes brings many pairs and is asked only for records that the first left in doubt.

use rayon::prelude::*;

use crate::config::Config;
use crate::corpus::{Corpus, NO_ZIP, Side, Table};
use crate::hash;
use crate::lexicon::{Lexicon, NameId, WordId};
use crate::screen::{Screen, screens_of};

/// One way to find candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Sasid,
    BirthDate,
    FullName,
    BirthDateSwapped,
    LastMonthDay,
    LastYearInitial,
    FirstZip,
    FirstMonthDay,
    NamesSwapped,
    LastPartYearInitial,
    LastZip,
    NameStartsYear,
    FirstLastStart,
    NamesSound,
    NameParts,
    NicknameLast,
    Address,
}

pub(crate) const PASSES: [Pass; 17] = [
    Pass::Sasid,
    Pass::BirthDate,
    Pass::FullName,
    Pass::BirthDateSwapped,
    Pass::LastMonthDay,
    Pass::LastYearInitial,
    Pass::FirstZip,
    Pass::FirstMonthDay,
    Pass::NamesSwapped,
    Pass::LastPartYearInitial,
    Pass::LastZip,
    Pass::NameStartsYear,
    Pass::FirstLastStart,
    Pass::NamesSound,
    Pass::NameParts,
    Pass::NicknameLast,
    Pass::Address,
];

/// When a pass is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    Always,
    InDoubt,
}

impl Pass {
    pub(crate) fn tier(self) -> Tier {
        match self {
            Self::Sasid | Self::BirthDate | Self::FullName | Self::BirthDateSwapped => Tier::Always,
            _ => Tier::InDoubt,
        }
    }

    /// Whether the key says nothing about names, so that most of a block is strangers at first sight.
    fn is_screened(self) -> bool {
        matches!(self, Self::BirthDate | Self::BirthDateSwapped)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sasid => "sasid",
            Self::BirthDate => "birth date",
            Self::FullName => "first and last name",
            Self::BirthDateSwapped => "birth date, day and month swapped",
            Self::LastMonthDay => "last name, month and day",
            Self::LastYearInitial => "last name, birth year, first initial",
            Self::FirstZip => "first name, ZIP",
            Self::FirstMonthDay => "first name, month and day",
            Self::NamesSwapped => "first and last name swapped",
            Self::LastPartYearInitial => "part of last name, birth year, first initial",
            Self::LastZip => "last name, ZIP",
            Self::NameStartsYear => "four letters of last, two of first name, birth year",
            Self::FirstLastStart => "first name, three letters of last name",
            Self::NamesSound => "sound of first and last name",
            Self::NameParts => "part of first and part of last name",
            Self::NicknameLast => "nickname, last name",
            Self::Address => "street address, first initial",
        }
    }
}

/// Whose keys are made: the two sides differ where a pass looks for something the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Indexed,
    Asking,
}

/// A blocking key: 32 bits, so a key and a record fit one word. A clash brings a candidate too many, never one too few.
type Key = u32;

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
    /// For passes whose key says nothing about names: what the names look like, in the order of the entries, so that
    /// most of a block is passed over without touching the records.
    screens: Vec<Screen>,
}

impl Blocks {
    fn range(&self, key: Key) -> std::ops::Range<usize> {
        let from = self.entries.partition_point(|entry| (*entry >> 32) < u64::from(key));
        let length = self.entries[from..].partition_point(|entry| (*entry >> 32) == u64::from(key));
        from..from + length
    }
}

const FILTER_BITS: usize = 1 << 23;

impl<'a> Index<'a> {
    /// Indexes the side that is not asking, as far as the asking side has the same keys.
    pub(crate) fn build(corpus: &'a Corpus, asking: Side, config: &Config) -> Self {
        let indexed = match asking {
            Side::Left => corpus.table(Side::Right),
            Side::Right => corpus.table(Side::Left),
        };
        let blocks =
            PASSES.par_iter().map(|pass| index_pass(*pass, &corpus.lexicon, corpus.table(asking), indexed)).collect();
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
        for (at, pass) in PASSES.iter().enumerate().filter(|(_, pass)| pass.tier() == tier) {
            keys.clear();
            keys_of(*pass, Role::Asking, &self.corpus.lexicon, table, record as usize, &mut keys);
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
                    let alike = block.filter(|(_, screen)| screens.iter().any(|own| own.may_agree(screen)));
                    out.extend(alike.map(|(entry, _)| *entry as u32));
                }
            }
        }
        out.sort_unstable();
        out.dedup();
    }

    /// Whether a pass finds this pair.
    pub(crate) fn finds(&self, pass: Pass, asking: u32, indexed: u32) -> bool {
        let Some(at) = PASSES.iter().position(|known| *known == pass) else { return false };
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

fn index_pass(pass: Pass, lexicon: &Lexicon, asking: &Table, indexed: &Table) -> Blocks {
    let mut keys = Vec::new();
    let mut wanted = vec![0_u64; FILTER_BITS / 64];
    for record in 0..asking.len() {
        keys.clear();
        keys_of(pass, Role::Asking, lexicon, asking, record, &mut keys);
        for key in &keys {
            let bit = *key as usize % FILTER_BITS;
            wanted[bit / 64] |= 1 << (bit % 64);
        }
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
    if !pass.is_screened() {
        entries.shrink_to_fit();
        return Blocks { entries, screens: Vec::new() };
    }
    let mut blocks = Blocks::default();
    for entry in entries {
        for screen in screens_of(lexicon, indexed, entry as u32 as usize) {
            blocks.entries.push(entry);
            blocks.screens.push(screen);
        }
    }
    blocks
}

/// The names of a record as keys are made of them.
#[derive(Clone, Copy)]
struct NameKeys<'a> {
    lexicon: &'a Lexicon,
    first: NameId,
    last: NameId,
}

impl NameKeys<'_> {
    fn joined(&self, name: NameId) -> Option<WordId> {
        (!name.is_none()).then(|| self.lexicon.name(name).joined)
    }

    fn first(&self) -> Option<u64> {
        self.joined(self.first).map(|word| u64::from(word.0))
    }

    fn last(&self) -> Option<u64> {
        self.joined(self.last).map(|word| u64::from(word.0))
    }

    fn initial(&self) -> Option<u64> {
        self.joined(self.first).map(|word| self.lexicon.word(word).initial as u64)
    }

    fn start(&self, name: NameId, letters: usize) -> Option<u64> {
        self.joined(name).map(|word| {
            let text = self.lexicon.text(word);
            let end = text.char_indices().nth(letters).map_or(text.len(), |(end, _)| end);
            hash::text_hash(&text.as_bytes()[..end])
        })
    }

    fn sound(&self, name: NameId) -> Option<u64> {
        self.joined(name).map(|word| u64::from(self.lexicon.word(word).sound)).filter(|sound| *sound != 0)
    }

    fn parts(&self, name: NameId) -> impl Iterator<Item = u64> {
        let name = (!name.is_none()).then(|| *self.lexicon.name(name));
        let lexicon = self.lexicon;
        let mut parts = [None; 5];
        if let Some(name) = name {
            for (place, word) in parts.iter_mut().zip(name.words().chain(std::iter::once(name.joined))) {
                *place = (lexicon.word(word).letters > 1).then_some(u64::from(word.0));
            }
        }
        parts.into_iter().flatten()
    }

    fn roots(&self) -> impl Iterator<Item = u64> {
        let roots = self
            .joined(self.first)
            .map_or([0; 6], |_| self.lexicon.word(self.lexicon.name(self.first).first_word()).roots);
        roots.into_iter().filter(|root| *root != 0).map(u64::from)
    }
}

/// Makes the keys of one record for one pass. A part that is missing makes no key.
fn keys_of(pass: Pass, role: Role, lexicon: &Lexicon, table: &Table, record: usize, out: &mut Vec<Key>) {
    match pass {
        Pass::Sasid => out.extend(table.sasids(record).iter().map(|sasid| key(pass, &[*sasid]))),
        Pass::BirthDate => out.extend(table.births(record).iter().map(|birth| key(pass, &[u64::from(*birth)]))),
        Pass::BirthDateSwapped => {
            let turned = table.births(record).iter().filter_map(|birth| match role {
                Role::Indexed => Some(*birth),
                Role::Asking => day_month_swapped(*birth),
            });
            out.extend(turned.map(|birth| key(pass, &[u64::from(birth)])));
        }
        _ => {
            for name in table.names(record) {
                let names = NameKeys { lexicon, first: name.first, last: name.last };
                name_keys(pass, role, &names, table, record, out);
            }
        }
    }
}

fn name_keys(pass: Pass, role: Role, names: &NameKeys<'_>, table: &Table, record: usize, out: &mut Vec<Key>) {
    let mut push = |parts: [Option<u64>; 3]| {
        if let [Some(a), Some(b), Some(c)] = parts {
            out.push(key(pass, &[a, b, c]));
        }
    };
    let none = Some(0);
    let year = |birth: &u32| Some(u64::from(birth / 10_000));
    let month_day = |birth: &u32| Some(u64::from(birth % 10_000));
    let (births, places) = (table.births(record), table.places(record));
    let zips = || places.iter().filter(|place| place.zip != NO_ZIP).map(|place| u64::from(place.zip));
    match pass {
        Pass::FullName => push([names.first(), names.last(), none]),
        Pass::NamesSwapped => match role {
            Role::Indexed => push([names.last(), names.first(), none]),
            Role::Asking => push([names.first(), names.last(), none]),
        },
        Pass::LastMonthDay => births.iter().for_each(|birth| push([names.last(), month_day(birth), none])),
        Pass::FirstMonthDay => births.iter().for_each(|birth| push([names.first(), month_day(birth), none])),
        Pass::LastYearInitial => births.iter().for_each(|birth| push([names.last(), year(birth), names.initial()])),
        Pass::FirstZip => zips().for_each(|zip| push([names.first(), Some(zip), none])),
        Pass::LastPartYearInitial => {
            births.iter().for_each(|birth| {
                names.parts(names.last).for_each(|part| push([Some(part), year(birth), names.initial()]))
            });
        }
        Pass::LastZip => zips().for_each(|zip| push([names.last(), Some(zip), none])),
        Pass::NameStartsYear => {
            births.iter().for_each(|birth| push([names.start(names.last, 4), names.start(names.first, 2), year(birth)]))
        }
        Pass::FirstLastStart => push([names.first(), names.start(names.last, 3), none]),
        Pass::NamesSound => push([names.sound(names.first), names.sound(names.last), none]),
        Pass::NameParts => names
            .parts(names.first)
            .for_each(|first| names.parts(names.last).for_each(|last| push([Some(first), Some(last), none]))),
        Pass::NicknameLast => names.roots().for_each(|root| push([Some(root), names.last(), none])),
        Pass::Address => places
            .iter()
            .filter(|place| !place.street.house.is_none() && !place.street.name.is_none())
            .for_each(|place| {
                push([Some(u64::from(place.street.house.0)), Some(u64::from(place.street.name.0)), names.initial()])
            }),
        Pass::Sasid | Pass::BirthDate | Pass::BirthDateSwapped => {}
    }
}

fn key(pass: Pass, parts: &[u64]) -> Key {
    let mixed = parts.iter().fold(pass as u64, |sum, part| hash::mix(sum, *part));
    (mixed >> 16) as Key
}

/// The date with day and month the other way round, if that is another date.
fn day_month_swapped(birth: u32) -> Option<u32> {
    let (year, month, day) = (birth / 10_000, birth / 100 % 100, birth % 100);
    (day <= 12 && day != month).then_some(year * 10_000 + day * 100 + month)
}

#[cfg(test)]
mod tests {
    use super::{Index, PASSES, Pass, PassCount, Tier};
    use crate::corpus::{Corpus, Side};
    use crate::{Config, Person, PersonName};
    use chrono::NaiveDate;

    fn person(first: &str, last: &str, birth: (i32, u32, u32)) -> Person {
        let name = PersonName { first: first.to_owned(), last: last.to_owned(), ..PersonName::default() };
        Person {
            names: vec![name],
            birth_dates: NaiveDate::from_ymd_opt(birth.0, birth.1, birth.2).into_iter().collect(),
            ..Person::default()
        }
    }

    #[test]
    fn each_pass_finds_what_it_is_for() {
        let asked = person("Testa", "Probe-Muster", (2010, 3, 4));
        for (other, expect) in [
            (person("Xx", "Yy", (2010, 3, 4)), Pass::BirthDate),
            (person("Testa", "Probe Muster", (1999, 1, 2)), Pass::FullName),
            (person("Xx", "Yy", (2010, 4, 3)), Pass::BirthDateSwapped),
            (person("Xx", "Probe Muster", (2001, 3, 4)), Pass::LastMonthDay),
            (person("Tom", "Probemuster", (2010, 9, 9)), Pass::LastYearInitial),
            (person("Testa", "Yy", (2009, 3, 4)), Pass::FirstMonthDay),
            (person("Probe Muster", "Testa", (2009, 3, 5)), Pass::NamesSwapped),
            (person("Tom", "Muster", (2010, 9, 9)), Pass::LastPartYearInitial),
            (person("Terry", "Probst", (2010, 9, 9)), Pass::NameStartsYear),
            (person("Testa", "Prohaska", (1999, 9, 9)), Pass::FirstLastStart),
            (person("Tesda", "Brobemuster", (1999, 9, 9)), Pass::NamesSound),
            (person("Testa Maria", "Muster", (1999, 9, 9)), Pass::NameParts),
        ] {
            let corpus = Corpus::of([&other], [&asked]);
            let index = Index::build(&corpus, Side::Right, &Config::default());
            let found: Vec<_> = PASSES.into_iter().filter(|pass| index.finds(*pass, 0, 0)).collect();
            assert!(found.contains(&expect), "{expect:?}: {found:?}");
        }
    }

    #[test]
    fn a_block_too_large_is_skipped_and_counted() {
        let many: Vec<_> = (0..20).map(|_| person("Testa", "Probe", (2010, 3, 4))).collect();
        let asked = person("Other", "Name", (2010, 3, 4));
        let corpus = Corpus::of(&many, [&asked]);
        let config = Config { block_records_max: 10, ..Config::default() };
        let index = Index::build(&corpus, Side::Right, &config);
        let (mut counts, mut out) = ([PassCount::default(); PASSES.len()], Vec::new());
        index.candidates(0, Tier::Always, &mut counts, &mut out);
        assert!(out.is_empty());
        assert_eq!(counts.iter().map(|count| count.skipped).sum::<u64>(), 1);
    }
}
