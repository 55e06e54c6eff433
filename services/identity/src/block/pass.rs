//! The passes and their keys.

use crate::corpus::{NO_ZIP, Table};
use crate::hash;
use crate::lexicon::{Lexicon, NameId, WordId};
use crate::screen::Glance;

/// One way to find candidates, in the order of `PASSES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Sasid,
    BirthDate,
    FullName,
    BirthDateSwapped,
    LastMonthDay,
    LastYear,
    LastPartYearInitial,
    LastZip,
    LastHouse,
    LastFirstStart,
    FirstMonthDay,
    FirstYear,
    FirstZip,
    FirstHouse,
    FirstLastStart,
    NamesSwapped,
    NamesSound,
    NameParts,
    NicknameLast,
    BirthDateZip,
    BirthDateHouse,
    Address,
}

/// When a pass is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    Always,
    InDoubt,
}

/// A pass with what it takes to run it.
pub(crate) struct Plan {
    pub pass: Pass,
    pub name: &'static str,
    pub tier: Tier,
    /// What a candidate must look like at a glance.
    pub glance: Glance,
    /// The place in `PASSES` whose blocks it looks in: a date turned round is sought among the dates as they are.
    pub blocks: usize,
}

const fn plan(pass: Pass, name: &'static str, tier: Tier, glance: Glance) -> Plan {
    let blocks = if matches!(pass, Pass::BirthDateSwapped) { Pass::BirthDate } else { pass };
    Plan { pass, name, tier, glance, blocks: blocks as usize }
}

use Tier::{Always, InDoubt};

pub(crate) static PASSES: [Plan; 22] = [
    plan(Pass::Sasid, "sasid", Always, Glance::None),
    plan(Pass::BirthDate, "birth date", Always, Glance::EitherName),
    plan(Pass::FullName, "first and last name", Always, Glance::BirthDate),
    plan(Pass::BirthDateSwapped, "birth date, day and month swapped", Always, Glance::EitherName),
    plan(Pass::LastMonthDay, "last name, month and day", InDoubt, Glance::None),
    plan(Pass::LastYear, "last name, birth year", InDoubt, Glance::FirstName),
    plan(Pass::LastPartYearInitial, "part of last name, birth year, first initial", InDoubt, Glance::None),
    plan(Pass::LastZip, "last name, ZIP", InDoubt, Glance::None),
    plan(Pass::LastHouse, "last name, house number", InDoubt, Glance::None),
    plan(Pass::LastFirstStart, "last name, three letters of first name", InDoubt, Glance::BirthDate),
    plan(Pass::FirstMonthDay, "first name, month and day", InDoubt, Glance::None),
    plan(Pass::FirstYear, "first name, birth year", InDoubt, Glance::LastName),
    plan(Pass::FirstZip, "first name, ZIP", InDoubt, Glance::None),
    plan(Pass::FirstHouse, "first name, house number", InDoubt, Glance::None),
    plan(Pass::FirstLastStart, "first name, three letters of last name", InDoubt, Glance::BirthDate),
    plan(Pass::NamesSwapped, "first and last name swapped", InDoubt, Glance::None),
    plan(Pass::NamesSound, "sound of first and last name", InDoubt, Glance::BirthDate),
    plan(Pass::NameParts, "part of first and part of last name", InDoubt, Glance::BirthDate),
    plan(Pass::NicknameLast, "nickname, last name", InDoubt, Glance::BirthDate),
    plan(Pass::BirthDateZip, "birth date, ZIP", InDoubt, Glance::None),
    plan(Pass::BirthDateHouse, "birth date, house number", InDoubt, Glance::None),
    plan(Pass::Address, "street address, first initial", InDoubt, Glance::None),
];

/// Whose keys are made: the two sides differ where a pass looks for something the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Indexed,
    Asking,
}

/// A blocking key: 32 bits, so a key and a record fit one word. A clash brings a candidate too many, never one too few.
pub(super) type Key = u32;

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
            // A name of one word is its only part.
            let joined = std::iter::once(name.joined).filter(|_| name.is_compound());
            for (place, word) in parts.iter_mut().zip(name.words().chain(joined)) {
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
pub(super) fn keys_of(pass: Pass, role: Role, lexicon: &Lexicon, table: &Table, record: usize, out: &mut Vec<Key>) {
    let (births, places) = (table.births(record), table.places(record));
    match pass {
        Pass::Sasid => out.extend(table.sasids(record).iter().map(|sasid| key(pass, &[*sasid]))),
        Pass::BirthDate => out.extend(births.iter().map(|birth| key(pass, &[u64::from(*birth)]))),
        Pass::BirthDateSwapped => {
            let turned = births.iter().filter_map(|birth| match role {
                Role::Indexed => Some(*birth),
                Role::Asking => day_month_swapped(*birth),
            });
            out.extend(turned.map(|birth| key(Pass::BirthDate, &[u64::from(birth)])));
        }
        Pass::BirthDateZip | Pass::BirthDateHouse => {
            for place in places {
                let part = if pass == Pass::BirthDateZip { place.zip } else { place.street.house.0 };
                // Both are all ones when missing.
                if part != u32::MAX {
                    out.extend(births.iter().map(|birth| key(pass, &[u64::from(*birth), u64::from(part)])));
                }
            }
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
    let houses =
        || places.iter().filter(|place| !place.street.house.is_none()).map(|place| u64::from(place.street.house.0));
    let zips = || places.iter().filter(|place| place.zip != NO_ZIP).map(|place| u64::from(place.zip));
    match pass {
        Pass::FullName => push([names.first(), names.last(), none]),
        Pass::NamesSwapped => match role {
            Role::Indexed => push([names.last(), names.first(), none]),
            Role::Asking => push([names.first(), names.last(), none]),
        },
        Pass::LastMonthDay => births.iter().for_each(|birth| push([names.last(), month_day(birth), none])),
        Pass::FirstMonthDay => births.iter().for_each(|birth| push([names.first(), month_day(birth), none])),
        Pass::LastYear => births.iter().for_each(|birth| push([names.last(), year(birth), none])),
        Pass::FirstYear => births.iter().for_each(|birth| push([names.first(), year(birth), none])),
        Pass::LastHouse => houses().for_each(|house| push([names.last(), Some(house), none])),
        Pass::FirstHouse => houses().for_each(|house| push([names.first(), Some(house), none])),
        Pass::LastFirstStart => push([names.last(), names.start(names.first, 3), none]),
        Pass::FirstZip => zips().for_each(|zip| push([names.first(), Some(zip), none])),
        Pass::LastPartYearInitial => {
            for birth in births {
                names.parts(names.last).for_each(|part| push([Some(part), year(birth), names.initial()]));
            }
        }
        Pass::LastZip => zips().for_each(|zip| push([names.last(), Some(zip), none])),
        Pass::FirstLastStart => push([names.first(), names.start(names.last, 3), none]),
        Pass::NamesSound => push([names.sound(names.first), names.sound(names.last), none]),
        Pass::NameParts => names
            .parts(names.first)
            .for_each(|first| names.parts(names.last).for_each(|last| push([Some(first), Some(last), none]))),
        Pass::NicknameLast => names.roots().for_each(|root| push([Some(root), names.last(), none])),
        Pass::Address => {
            for street in places.iter().map(|place| place.street) {
                if !street.house.is_none() && !street.name.is_none() {
                    push([Some(u64::from(street.house.0)), Some(u64::from(street.name.0)), names.initial()]);
                }
            }
        }
        _ => {}
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
