//! Comparing two persons: which level each comparison reaches. Symmetric: who is left and who is right does not matter.

use crate::corpus::{Corpus, Side, Table};
use crate::levels::{self, ComparisonId, birth, field, first, last, place, plain};
use crate::lexicon::NameId;
use crate::weights::Weights;

mod dates;
mod likeness;
mod names;
mod places;

pub(crate) use likeness::LikenessCache;
use names::NameReading;

/// The level one comparison reached, and the frequency of the value agreed on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Observed {
    pub comparison: ComparisonId,
    pub level: u8,
    /// As `levels::Term` of the level wants it; 0 where no frequency counts.
    pub frequency: f32,
}

impl Observed {
    /// A field that is missing on a side says nothing.
    pub(crate) const MISSING: Self = Self { comparison: ComparisonId::MAX, level: 0, frequency: 0.0 };

    pub(crate) fn is_missing(self) -> bool {
        self.comparison == ComparisonId::MAX
    }

    fn plain(comparison: ComparisonId, level: u8) -> Self {
        Self { comparison, level, frequency: 0.0 }
    }

    fn with(comparison: ComparisonId, level: u8, frequency: f64) -> Self {
        Self { comparison, level, frequency: frequency as f32 }
    }
}

/// Everything seen about a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Features {
    pub observed: [Observed; field::COUNT],
    /// First and last name were read crosswise.
    pub swapped: bool,
    /// Share of other persons with the same first and last name; 0 unless both agree exactly.
    pub full_name: f32,
}

impl Features {
    fn is_same_place(&self) -> bool {
        let observed = self.observed[field::PLACE];
        match observed.comparison {
            levels::PLACE | levels::PLACE_SURNAME => observed.level <= place::ZIP,
            levels::AREA | levels::AREA_SURNAME => observed.level + place::WITHOUT_STREET <= place::ZIP,
            _ => false,
        }
    }

    /// Both have the same state id, whatever else they have.
    pub(crate) fn is_same_state_id(&self) -> bool {
        self.level(field::SASID) == Some(plain::AGREES)
    }

    /// Neither name agrees in any way.
    pub(crate) fn is_hopeless(&self) -> bool {
        [(field::FIRST, first::DIFFERENT), (field::LAST, last::DIFFERENT)]
            .iter()
            .all(|(field, different)| self.level(*field).is_none_or(|level| level == *different))
    }

    pub(crate) fn level(&self, field: usize) -> Option<u8> {
        let observed = self.observed[field];
        (!observed.is_missing()).then_some(observed.level)
    }
}

/// Compares persons of a corpus.
#[derive(Clone, Copy)]
pub(crate) struct Comparer<'a> {
    pub corpus: &'a Corpus,
    pub weights: &'a Weights,
}

impl Comparer<'_> {
    /// Features of a pair, or none when it cannot be one child: neither name agrees in any way, no SASID does, and
    /// birth date and place do not both. That is the great majority of what blocking brings.
    pub(crate) fn compare(&self, left: u32, right: u32, cache: &mut LikenessCache) -> Option<Features> {
        let (a, b) = (self.corpus.table(Side::Left), self.corpus.table(Side::Right));
        let sasid = Self::sasid(a, left as usize, b, right as usize, self.corpus.frequencies.persons());
        let date = self.birth(a.births(left as usize), b.births(right as usize));
        let dates = date.map(|(_, a, b)| (a, b));
        let reading = self.names(a.names(left as usize), b.names(right as usize), dates, cache);
        let same_sasid = !sasid.is_missing() && sasid.level == plain::AGREES;
        let birth = date.map(|(observed, ..)| observed);
        let hopeless = reading.is_hopeless() && !same_sasid;
        if hopeless && birth.is_none_or(|birth| birth.level > birth::ONE_DIGIT) {
            return None;
        }
        let features = self.rest(left as usize, right as usize, &reading, birth, sasid, cache);
        (!hopeless || features.is_same_place()).then_some(features)
    }

    /// Features of any pair, alike or not: what strangers are measured with.
    pub(crate) fn observe(&self, left: u32, right: u32, cache: &mut LikenessCache) -> Features {
        let (a, b) = (self.corpus.table(Side::Left), self.corpus.table(Side::Right));
        let sasid = Self::sasid(a, left as usize, b, right as usize, self.corpus.frequencies.persons());
        let date = self.birth(a.births(left as usize), b.births(right as usize));
        let reading = self.names(a.names(left as usize), b.names(right as usize), date.map(|(_, a, b)| (a, b)), cache);
        self.rest(left as usize, right as usize, &reading, date.map(|(observed, ..)| observed), sasid, cache)
    }

    fn rest(
        &self,
        left: usize,
        right: usize,
        names: &NameReading,
        birth: Option<Observed>,
        sasid: Observed,
        cache: &mut LikenessCache,
    ) -> Features {
        let (a, b) = (self.corpus.table(Side::Left), self.corpus.table(Side::Right));
        let same_surname = names.is_same_surname();
        let mut observed = [Observed::MISSING; field::COUNT];
        observed[field::FIRST] = names.first;
        observed[field::LAST] = names.last;
        observed[field::MIDDLE] = names.middle;
        observed[field::SUFFIX] = names.suffix;
        observed[field::BIRTH] = birth.unwrap_or(Observed::MISSING);
        observed[field::SEX] = Self::sex(a.sex(left), b.sex(right), names.first);
        observed[field::RACE] = self.race(a.race(left), b.race(right), names);
        observed[field::PLACE] = self.places(a.places(left), b.places(right), same_surname, cache);
        observed[field::SASID] = sasid;
        Features { observed, swapped: names.swapped, full_name: names.full_name }
    }

    fn sex(a: u8, b: u8, first_name: Observed) -> Observed {
        if a == 0 || b == 0 {
            return Observed::MISSING;
        }
        let comparison = match first_name.level {
            _ if first_name.is_missing() => levels::SEX,
            first::EXACT..=first::NICKNAME => levels::SEX_SAME_NAME,
            first::DIFFERENT => levels::SEX,
            _ => levels::SEX_LIKE_NAME,
        };
        Observed::plain(comparison, if a == b { plain::AGREES } else { plain::DIFFERS })
    }

    fn race(&self, a: NameId, b: NameId, names: &NameReading) -> Observed {
        if a.is_none() || b.is_none() {
            return Observed::MISSING;
        }
        let comparison = if names.is_same_surname() {
            levels::RACE_SURNAME
        } else if !names.first.is_missing() && names.first.level <= first::MISSPELT {
            levels::RACE_FIRST
        } else {
            levels::RACE
        };
        let level = if a == b {
            plain::AGREES
        } else {
            let (a, b) = (self.corpus.lexicon.name(a), self.corpus.lexicon.name(b));
            if a.words().any(|word| b.words().any(|other| word == other)) {
                plain::RACE_OVERLAPS
            } else {
                plain::RACE_DIFFERS
            }
        };
        Observed::plain(comparison, level)
    }

    fn sasid(a: &Table, left: usize, b: &Table, right: usize, persons: f64) -> Observed {
        let (a, b) = (a.sasids(left), b.sasids(right));
        if a.is_empty() || b.is_empty() {
            return Observed::MISSING;
        }
        if a.iter().any(|sasid| b.contains(sasid)) {
            // A state id belongs to one person, so strangers share one as seldom as the state is large.
            return Observed::with(levels::SASID, plain::AGREES, 1.0 / persons.max(1000.0));
        }
        Observed::plain(levels::SASID, plain::DIFFERS)
    }
}

#[cfg(test)]
mod tests;
