//! What is believed about each level before any data is seen.
//!
//! `m` is the probability of a level among records of one child, `u` among records of two strangers. Both are starting
//! beliefs that training replaces as far as the data speaks; where it is silent (a swapped date among a million random
//! pairs) they keep a level from being untrained.
//!
//! `kin` and `twin` say how two members of one household compare: the second kind of non-match, which the product of
//! independent agreements cannot see. A share `own` of them compare like one child's records (one address), some
//! levels have a fixed probability (twins share a birth date and never a first name), and the rest compare like
//! strangers. They are beliefs, not learnt: no unlabelled file shows them apart from true pairs.

use super::Term::{self, Exact, Fuzzy, None as Plain, Ratio, Unique};
use super::{COMPARISON_COUNT, Comparison, Level};

const fn level(name: &'static str, m: f64, u: f64, kin: f64, term: Term) -> Level {
    Level { name, m, u, kin, twin: kin, term }
}

const fn twin_level(name: &'static str, m: f64, u: f64, [kin, twin]: [f64; 2], term: Term) -> Level {
    Level { name, m, u, kin, twin, term }
}

/// Levels of first names of one form.
const fn first_levels(m: [f64; 10], u: [f64; 10]) -> [Level; 10] {
    [
        twin_level("exact", m[0], u[0], [0.004, 0.0003], Exact),
        twin_level("token", m[1], u[1], [0.004, 0.004], Exact),
        twin_level("nickname", m[2], u[2], [0.003, 0.002], Fuzzy),
        twin_level("misspelt", m[3], u[3], [0.001, 0.0006], Fuzzy),
        twin_level("alike", m[4], u[4], [0.010, 0.020], Fuzzy),
        twin_level("moved_to_middle", m[5], u[5], [0.010, 0.004], Exact),
        twin_level("phonetic", m[6], u[6], [0.003, 0.004], Fuzzy),
        twin_level("initial", m[7], u[7], [0.050, 0.050], Plain),
        twin_level("similar", m[8], u[8], [0.010, 0.020], Plain),
        level("different", m[9], u[9], 0.0, Plain),
    ]
}

/// Levels of surnames of one form.
const fn last_levels(m: [f64; 7], u: [f64; 7]) -> [Level; 7] {
    [
        level("exact", m[0], u[0], 0.860, Exact),
        level("token", m[1], u[1], 0.050, Exact),
        level("near", m[2], u[2], 0.015, Fuzzy),
        level("moved_to_middle", m[3], u[3], 0.001, Exact),
        level("phonetic", m[4], u[4], 0.001, Fuzzy),
        level("similar", m[5], u[5], 0.003, Plain),
        level("different", m[6], u[6], 0.0, Plain),
    ]
}

const fn name_comparison(name: &'static str, levels: &'static [Level]) -> Comparison {
    Comparison { name, own: 0.0, ordered: false, levels }
}

/// Both are names in use.
static FIRST: [Level; 10] = first_levels(
    [0.920, 0.002, 0.015, 0.002, 0.008, 0.006, 0.004, 0.001, 0.006, 0.036],
    [0.0045, 0.0002, 0.0015, 0.0002, 0.0035, 0.0015, 0.0010, 0.0001, 0.0150, 0.9725],
);
/// One is borne by hardly anybody.
static FIRST_RARE: [Level; 10] = first_levels(
    [0.450, 0.005, 0.015, 0.420, 0.010, 0.010, 0.015, 0.001, 0.034, 0.040],
    [0.000_02, 0.0001, 0.0003, 0.0030, 0.0010, 0.0005, 0.0010, 0.0001, 0.0080, 0.985_98],
);
/// One is a short form only.
static FIRST_SHORT: [Level; 10] = first_levels(
    [0.480, 0.004, 0.420, 0.010, 0.010, 0.010, 0.005, 0.001, 0.015, 0.045],
    [0.0020, 0.0002, 0.0060, 0.0005, 0.0020, 0.0015, 0.0008, 0.0001, 0.0150, 0.9719],
);
/// One has several words.
static FIRST_COMPOUND: [Level; 10] = first_levels(
    [0.420, 0.470, 0.010, 0.020, 0.005, 0.010, 0.005, 0.001, 0.014, 0.045],
    [0.0005, 0.0080, 0.0010, 0.0010, 0.0010, 0.0015, 0.0005, 0.0001, 0.0080, 0.9784],
);
/// One is a single letter.
static FIRST_INITIAL: [Level; 10] = first_levels(
    [0.001, 0.001, 0.001, 0.001, 0.001, 0.010, 0.001, 0.900, 0.001, 0.083],
    [0.0001, 0.0001, 0.0001, 0.0001, 0.0001, 0.0010, 0.0001, 0.0750, 0.0001, 0.9233],
);
/// Both are borne by several people.
static LAST: [Level; 7] = last_levels(
    [0.940, 0.002, 0.008, 0.004, 0.003, 0.004, 0.039],
    [0.0035, 0.0003, 0.0015, 0.0008, 0.0008, 0.0200, 0.9731],
);
/// One is borne by hardly anybody.
static LAST_RARE: [Level; 7] = last_levels(
    [0.500, 0.005, 0.400, 0.004, 0.010, 0.021, 0.060],
    [0.000_01, 0.0001, 0.0008, 0.0004, 0.0005, 0.0100, 0.988_19],
);
/// One has several words.
static LAST_COMPOUND: [Level; 7] = last_levels(
    [0.600, 0.320, 0.020, 0.004, 0.004, 0.010, 0.042],
    [0.0004, 0.0080, 0.0005, 0.0008, 0.0004, 0.0120, 0.9779],
);

pub(crate) static COMPARISONS: [Comparison; COMPARISON_COUNT] = [
    name_comparison("first_name", &FIRST),
    name_comparison("first_name_rare", &FIRST_RARE),
    name_comparison("first_name_short", &FIRST_SHORT),
    name_comparison("first_name_compound", &FIRST_COMPOUND),
    name_comparison("first_name_initial", &FIRST_INITIAL),
    name_comparison("last_name", &LAST),
    name_comparison("last_name_rare", &LAST_RARE),
    name_comparison("last_name_compound", &LAST_COMPOUND),
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
            level("different", 0.012, 0.945_31, 0.0, Plain),
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
        name: "race_given_first_name",
        own: 0.9,
        ordered: true,
        levels: &[
            level("same", 0.930, 0.550, 0.0, Plain),
            level("overlaps", 0.020, 0.050, 0.0, Plain),
            level("differs", 0.050, 0.400, 0.0, Plain),
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
        levels: &[level("same", 0.950, 0.000_001, 0.0005, Unique), level("differs", 0.050, 0.999_999, 0.0, Plain)],
    },
];
