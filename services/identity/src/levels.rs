//! The comparisons and their levels.
//!
//! A comparison that depends on another is several comparisons. Sex given that the first names agree is another
//! question than sex alone, because first names tell the sex; race given that a name agrees, and place given that the
//! surnames agree, is another than race and place alone, because families and heritages share them. And names are compared by their form: where one side is a
//! misspelling (a word that hardly anybody bears), a short form, an initial or a compound, an exact agreement is not
//! to be expected, and its absence no evidence. `table` holds what is believed of each level beforehand.

mod table;

pub(crate) use table::COMPARISONS;

/// Places of the comparisons in a pair.
pub(crate) mod field {
    pub(crate) const FIRST: usize = 0;
    pub(crate) const LAST: usize = 1;
    pub(crate) const MIDDLE: usize = 2;
    pub(crate) const SUFFIX: usize = 3;
    pub(crate) const BIRTH: usize = 4;
    pub(crate) const SEX: usize = 5;
    pub(crate) const RACE: usize = 6;
    pub(crate) const PLACE: usize = 7;
    pub(crate) const SASID: usize = 8;
    pub(crate) const COUNT: usize = 9;
}

/// Levels of the comparison of first names.
pub(crate) mod first {
    pub(crate) const EXACT: u8 = 0;
    pub(crate) const TOKEN: u8 = 1;
    pub(crate) const NICKNAME: u8 = 2;
    /// Near, and one of the two is hardly a name: a slip of the pen.
    pub(crate) const MISSPELT: u8 = 3;
    /// Near, and both are names in use: twins may be called so.
    pub(crate) const ALIKE: u8 = 4;
    pub(crate) const MIDDLE: u8 = 5;
    pub(crate) const PHONETIC: u8 = 6;
    pub(crate) const INITIAL: u8 = 7;
    pub(crate) const SIMILAR: u8 = 8;
    pub(crate) const DIFFERENT: u8 = 9;
}

/// Levels of the comparison of surnames.
pub(crate) mod last {
    pub(crate) const EXACT: u8 = 0;
    pub(crate) const TOKEN: u8 = 1;
    pub(crate) const NEAR: u8 = 2;
    pub(crate) const MIDDLE: u8 = 3;
    pub(crate) const PHONETIC: u8 = 4;
    pub(crate) const SIMILAR: u8 = 5;
    pub(crate) const DIFFERENT: u8 = 6;
}

/// Levels of the comparison of middle names.
pub(crate) mod middle {
    pub(crate) const EXACT: u8 = 0;
    pub(crate) const INITIAL: u8 = 1;
    pub(crate) const NEAR: u8 = 2;
    pub(crate) const DIFFERENT: u8 = 3;
}

/// Levels of the comparison of birth dates.
pub(crate) mod birth {
    pub(crate) const EXACT: u8 = 0;
    pub(crate) const SWAPPED: u8 = 1;
    pub(crate) const ONE_DIGIT: u8 = 2;
    pub(crate) const MONTH_DAY: u8 = 3;
    pub(crate) const YEAR_AND_PART: u8 = 4;
    pub(crate) const FIRST_OF_YEAR: u8 = 5;
    pub(crate) const YEAR: u8 = 6;
    pub(crate) const DIFFERENT: u8 = 7;
}

/// Levels of comparisons that agree, differ, or (race) overlap.
pub(crate) mod plain {
    pub(crate) const AGREES: u8 = 0;
    pub(crate) const DIFFERS: u8 = 1;
    pub(crate) const RACE_OVERLAPS: u8 = 1;
    pub(crate) const RACE_DIFFERS: u8 = 2;
}

/// Levels of the comparison of places where both have a street.
pub(crate) mod place {
    pub(crate) const ADDRESS: u8 = 0;
    pub(crate) const STREET: u8 = 1;
    pub(crate) const ZIP: u8 = 2;
    pub(crate) const TOWN: u8 = 3;
    pub(crate) const NEARBY: u8 = 4;
    pub(crate) const DIFFERENT: u8 = 5;
    /// Without a street the levels from `ZIP` on are used, counted from 0.
    pub(crate) const WITHOUT_STREET: u8 = ZIP;
}

/// A comparison: index into `COMPARISONS`.
pub(crate) type ComparisonId = u8;

pub(crate) const FIRST: ComparisonId = 0;
pub(crate) const FIRST_RARE: ComparisonId = 1;
pub(crate) const FIRST_SHORT: ComparisonId = 2;
pub(crate) const FIRST_COMPOUND: ComparisonId = 3;
pub(crate) const FIRST_INITIAL: ComparisonId = 4;
pub(crate) const LAST: ComparisonId = 5;
pub(crate) const LAST_RARE: ComparisonId = 6;
pub(crate) const LAST_COMPOUND: ComparisonId = 7;
pub(crate) const MIDDLE: ComparisonId = 8;
pub(crate) const SUFFIX: ComparisonId = 9;
pub(crate) const BIRTH: ComparisonId = 10;
pub(crate) const SEX_SAME_NAME: ComparisonId = 11;
pub(crate) const SEX_LIKE_NAME: ComparisonId = 12;
pub(crate) const SEX: ComparisonId = 13;
pub(crate) const RACE: ComparisonId = 14;
pub(crate) const RACE_FIRST: ComparisonId = 15;
pub(crate) const RACE_SURNAME: ComparisonId = 16;
pub(crate) const PLACE: ComparisonId = 17;
pub(crate) const PLACE_SURNAME: ComparisonId = 18;
pub(crate) const AREA: ComparisonId = 19;
pub(crate) const AREA_SURNAME: ComparisonId = 20;
pub(crate) const SASID: ComparisonId = 21;
pub(crate) const COMPARISON_COUNT: usize = 22;
pub(crate) const LEVELS_MAX: usize = 10;

/// How a value's frequency enters the weight of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Term {
    /// Not at all.
    None,
    /// Strangers agree on this very value as often as it occurs.
    Exact,
    /// The same for a value that is meant to be unique: no floor to how rare it may be.
    Unique,
    /// Strangers come near this value at least as often as the commoner of the two occurs.
    Fuzzy,
    /// The level's `u` times how much commoner than the mean the value is.
    Ratio,
}

pub(crate) struct Level {
    pub name: &'static str,
    pub m: f64,
    pub u: f64,
    /// Fixed probability among members of one household who are not twins.
    pub kin: f64,
    /// The same among twins.
    pub twin: f64,
    pub term: Term,
}

pub(crate) struct Comparison {
    pub name: &'static str,
    /// Share of household members who compare like one child's own records.
    pub own: f64,
    /// Whether levels are ordered from likest to least alike, so that weights must not rise along them.
    pub ordered: bool,
    pub levels: &'static [Level],
}

#[cfg(test)]
mod tests {
    use super::{COMPARISONS, LEVELS_MAX};

    #[test]
    fn beliefs_are_probabilities() {
        for comparison in &COMPARISONS {
            assert!(comparison.levels.len() <= LEVELS_MAX, "{}", comparison.name);
            for (kind, sum) in [
                ("m", comparison.levels.iter().map(|level| level.m).sum::<f64>()),
                ("u", comparison.levels.iter().map(|level| level.u).sum::<f64>()),
            ] {
                assert!((sum - 1.0).abs() < 1e-6, "{} {kind} {sum}", comparison.name);
            }
            assert!(comparison.levels.iter().all(|level| level.m > 0.0 && level.u > 0.0), "{}", comparison.name);
            for fixed in [
                comparison.levels.iter().map(|level| level.kin).sum::<f64>(),
                comparison.levels.iter().map(|level| level.twin).sum(),
            ] {
                assert!((0.0..=1.0).contains(&(comparison.own + fixed)), "{} {fixed}", comparison.name);
            }
        }
    }
}
