//! The comparisons and their levels, with what is believed about each before any data is seen.
//!
//! A comparison that depends on another is several comparisons: sex given that the first names agree is another
//! question than sex alone, because first names tell the sex; race and place given that the surnames agree is
//! another than race and place alone, because families share them. `m` is the probability of a level among records of
//! one child, `u` among records of two strangers. Both are starting beliefs that training replaces as far as the data
//! speaks; where it is silent (a swapped date among a million random pairs) they keep a level from being untrained.
//!
//! `kin` and `twin` say how two members of one household compare: the second kind of non-match, which the product of
//! independent agreements cannot see. A share `own` of them compare like one child's records (one address), some
//! levels have a fixed probability (twins share a birth date and never a first name), and the rest compare like
//! strangers. They are beliefs, not learnt: no unlabelled file shows them apart from true pairs.

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
pub(crate) const LAST: ComparisonId = 1;
pub(crate) const MIDDLE: ComparisonId = 2;
pub(crate) const SUFFIX: ComparisonId = 3;
pub(crate) const BIRTH: ComparisonId = 4;
pub(crate) const SEX_SAME_NAME: ComparisonId = 5;
pub(crate) const SEX_LIKE_NAME: ComparisonId = 6;
pub(crate) const SEX: ComparisonId = 7;
pub(crate) const RACE: ComparisonId = 8;
pub(crate) const RACE_SURNAME: ComparisonId = 9;
pub(crate) const PLACE: ComparisonId = 10;
pub(crate) const PLACE_SURNAME: ComparisonId = 11;
pub(crate) const AREA: ComparisonId = 12;
pub(crate) const AREA_SURNAME: ComparisonId = 13;
pub(crate) const SASID: ComparisonId = 14;
pub(crate) const COMPARISON_COUNT: usize = 15;
pub(crate) const LEVELS_MAX: usize = 10;

/// How a value's frequency enters the weight of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Term {
    /// Not at all.
    None,
    /// Strangers agree on this very value as often as it occurs.
    Exact,
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

const fn level(name: &'static str, m: f64, u: f64, kin: f64, term: Term) -> Level {
    Level { name, m, u, kin, twin: kin, term }
}

const fn twin_level(name: &'static str, m: f64, u: f64, [kin, twin]: [f64; 2], term: Term) -> Level {
    Level { name, m, u, kin, twin, term }
}

use Term::{Exact, Fuzzy, None as Plain, Ratio};

pub(crate) static COMPARISONS: [Comparison; COMPARISON_COUNT] = [
    Comparison {
        name: "first_name",
        own: 0.0,
        ordered: false,
        levels: &[
            twin_level("exact", 0.855, 0.004, [0.004, 0.0003], Exact),
            twin_level("token", 0.020, 0.001, [0.004, 0.004], Exact),
            twin_level("nickname", 0.025, 0.0015, [0.003, 0.002], Fuzzy),
            twin_level("misspelt", 0.032, 0.0006, [0.001, 0.0006], Fuzzy),
            twin_level("alike", 0.008, 0.0034, [0.010, 0.020], Fuzzy),
            twin_level("moved_to_middle", 0.006, 0.0015, [0.010, 0.004], Exact),
            twin_level("phonetic", 0.004, 0.0005, [0.003, 0.004], Fuzzy),
            twin_level("initial", 0.008, 0.0008, [0.0005, 0.0008], Plain),
            twin_level("similar", 0.007, 0.015, [0.010, 0.020], Plain),
            level("different", 0.035, 0.9717, 0.0, Plain),
        ],
    },
    Comparison {
        name: "last_name",
        own: 0.0,
        ordered: false,
        levels: &[
            level("exact", 0.890, 0.003, 0.860, Exact),
            level("token", 0.035, 0.002, 0.050, Exact),
            level("near", 0.035, 0.002, 0.015, Fuzzy),
            level("moved_to_middle", 0.004, 0.0008, 0.001, Exact),
            level("phonetic", 0.003, 0.0007, 0.001, Fuzzy),
            level("similar", 0.006, 0.020, 0.003, Plain),
            level("different", 0.027, 0.9715, 0.0, Plain),
        ],
    },
    Comparison {
        name: "middle_name",
        own: 0.0,
        ordered: false,
        levels: &[
            level("exact", 0.700, 0.010, 0.010, Exact),
            level("initial", 0.240, 0.060, 0.0, Plain),
            level("near", 0.020, 0.005, 0.0, Plain),
            level("different", 0.040, 0.925, 0.0, Plain),
        ],
    },
    Comparison {
        name: "suffix",
        own: 0.0,
        ordered: true,
        levels: &[level("same", 0.970, 0.500, 0.050, Plain), level("differs", 0.030, 0.500, 0.500, Plain)],
    },
    Comparison {
        name: "birth_date",
        own: 0.0,
        ordered: false,
        levels: &[
            twin_level("exact", 0.925, 0.000_15, [0.0, 0.985], Exact),
            level("day_month_swapped", 0.006, 0.000_04, 0.0, Plain),
            level("one_digit", 0.030, 0.0009, 0.0, Plain),
            level("month_and_day", 0.006, 0.0024, 0.0, Plain),
            level("year_and_part", 0.014, 0.0060, 0.0, Plain),
            level("first_of_year", 0.002, 0.0002, 0.0, Plain),
            level("year", 0.005, 0.0450, 0.0, Plain),
            level("different", 0.012, 0.9453, 0.0, Plain),
        ],
    },
    Comparison {
        name: "sex_given_first_name",
        own: 0.0,
        ordered: true,
        levels: &[level("same", 0.992, 0.960, 0.0, Plain), level("differs", 0.008, 0.040, 0.0, Plain)],
    },
    Comparison {
        name: "sex_given_like_first_name",
        own: 0.0,
        ordered: true,
        levels: &[level("same", 0.990, 0.700, 0.0, Plain), level("differs", 0.010, 0.300, 0.0, Plain)],
    },
    Comparison {
        name: "sex",
        own: 0.0,
        ordered: true,
        levels: &[level("same", 0.980, 0.500, 0.0, Plain), level("differs", 0.020, 0.500, 0.0, Plain)],
    },
    Comparison {
        name: "race",
        own: 0.9,
        ordered: true,
        levels: &[
            level("same", 0.930, 0.400, 0.0, Plain),
            level("overlaps", 0.020, 0.050, 0.0, Plain),
            level("differs", 0.050, 0.550, 0.0, Plain),
        ],
    },
    Comparison {
        name: "race_given_surname",
        own: 0.9,
        ordered: true,
        levels: &[
            level("same", 0.930, 0.700, 0.0, Plain),
            level("overlaps", 0.020, 0.050, 0.0, Plain),
            level("differs", 0.050, 0.250, 0.0, Plain),
        ],
    },
    Comparison {
        name: "place",
        own: 0.8,
        ordered: false,
        levels: &[
            level("address", 0.550, 0.000_02, 0.0, Plain),
            level("street", 0.060, 0.0020, 0.0, Ratio),
            level("zip", 0.120, 0.0060, 0.0, Ratio),
            level("town", 0.080, 0.0100, 0.0, Ratio),
            level("nearby", 0.040, 0.0200, 0.0, Plain),
            level("different", 0.150, 0.961_98, 0.0, Plain),
        ],
    },
    Comparison {
        name: "place_given_surname",
        own: 0.8,
        ordered: false,
        levels: &[
            level("address", 0.550, 0.0003, 0.0, Plain),
            level("street", 0.060, 0.0030, 0.0, Ratio),
            level("zip", 0.120, 0.0100, 0.0, Ratio),
            level("town", 0.080, 0.0150, 0.0, Ratio),
            level("nearby", 0.040, 0.0250, 0.0, Plain),
            level("different", 0.150, 0.9467, 0.0, Plain),
        ],
    },
    Comparison {
        name: "area",
        own: 0.8,
        ordered: false,
        levels: &[
            level("zip", 0.720, 0.0060, 0.0, Ratio),
            level("town", 0.090, 0.0100, 0.0, Ratio),
            level("nearby", 0.040, 0.0200, 0.0, Plain),
            level("different", 0.150, 0.9640, 0.0, Plain),
        ],
    },
    Comparison {
        name: "area_given_surname",
        own: 0.8,
        ordered: false,
        levels: &[
            level("zip", 0.720, 0.0120, 0.0, Ratio),
            level("town", 0.090, 0.0150, 0.0, Ratio),
            level("nearby", 0.040, 0.0250, 0.0, Plain),
            level("different", 0.150, 0.9480, 0.0, Plain),
        ],
    },
    Comparison {
        name: "sasid",
        own: 0.0,
        ordered: true,
        levels: &[level("same", 0.950, 0.000_001, 0.0005, Exact), level("differs", 0.050, 0.999_999, 0.0, Plain)],
    },
];

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
