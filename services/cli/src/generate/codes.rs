//! The state's codes that an invented life is written in. Tables whose values are not public have the values of the reference
//! tables, provisional there too.

use super::life::Program;
use super::places::{Grade, KINDERGARTEN, P3, PK};

/// A type of incident.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a row of a table: each column says yes or no by itself")]
pub struct IncidentType {
    /// Code of ED166.
    pub code: &'static str,
    /// How often it happens.
    pub weight: f64,
    /// Always reportable.
    pub serious: bool,
    /// Others take part in it.
    pub shared: bool,
    /// It may be bullying.
    pub bullying: bool,
    /// Of older students.
    pub older: bool,
    /// Substance code, for offences with one.
    pub substance: &'static str,
    /// Weapon code, for offences with one.
    pub weapon: &'static str,
}

const fn offense(code: &'static str, weight: f64) -> IncidentType {
    IncidentType {
        code,
        weight,
        serious: true,
        shared: false,
        bullying: false,
        older: false,
        substance: "",
        weapon: "",
    }
}

const fn shared(code: &'static str, weight: f64) -> IncidentType {
    IncidentType { shared: true, ..offense(code, weight) }
}

const fn personal(code: &'static str, weight: f64) -> IncidentType {
    IncidentType { bullying: true, ..offense(code, weight) }
}

const fn policy(code: &'static str, weight: f64) -> IncidentType {
    IncidentType { serious: false, ..offense(code, weight) }
}

const fn substance(code: &'static str, weight: f64, which: &'static str) -> IncidentType {
    IncidentType { older: true, substance: which, ..offense(code, weight) }
}

/// Incident types with how often they happen.
pub const OFFENSES: [IncidentType; 23] = [
    shared("1700", 0.110),
    shared("1710", 0.100),
    shared("1711", 0.060),
    shared("1720", 0.030),
    offense("1730", 0.020),
    offense("1740", 0.060),
    personal("1810", 0.050),
    personal("1811", 0.012),
    personal("1814", 0.015),
    personal("1800", 0.020),
    offense("1410", 0.025),
    IncidentType { older: true, ..offense("1100", 0.001) },
    IncidentType { older: true, ..shared("1712", 0.004) },
    policy("3000", 0.130),
    policy("3010", 0.160),
    policy("3020", 0.090),
    policy("3030", 0.060),
    policy("3040", 0.060),
    policy("3060", 0.040),
    substance("3710", 0.030, "03"),
    substance("3720", 0.010, "02"),
    substance("3730", 0.035, "04"),
    IncidentType { weapon: "01", ..offense("3700", 0.012) },
];

/// A sanction.
#[derive(Debug)]
pub struct Sanction {
    /// Code.
    pub code: &'static str,
}

/// In-school suspension.
pub static IN_SCHOOL: Sanction = Sanction { code: "ISS" };
/// Out-of-school suspension.
pub static OUT_OF_SCHOOL: Sanction = Sanction { code: "OSS" };
/// Expulsion.
pub static EXPULSION: Sanction = Sanction { code: "EXP" };
/// Bus suspension.
pub static BUS: Sanction = Sanction { code: "BUS" };

/// Locations of incidents.
pub const LOCATIONS: [&str; 9] = ["01", "02", "03", "04", "05", "06", "07", "08", "09"];

/// Night-time residences of homeless students, by place.
pub const HOMELESS: [&str; 4] = ["01", "02", "03", "04"];

/// The state's code of a grade in a school year: kindergarten was half a day in some districts.
pub const fn grade_code(grade: Grade, fall: i16, district: usize) -> &'static str {
    match grade {
        P3 => "P3",
        PK => "PK",
        KINDERGARTEN => {
            if fall < 2015 && district.is_multiple_of(3) {
                "KH"
            } else {
                "KF"
            }
        }
        3 => "01",
        4 => "02",
        5 => "03",
        6 => "04",
        7 => "05",
        8 => "06",
        9 => "07",
        10 => "08",
        11 => "09",
        12 => "10",
        13 => "11",
        _ => "12",
    }
}

/// Special program status.
pub const fn special_program(program: Program) -> &'static str {
    match program {
        Program::Ordinary => "",
        Program::Magnet => "03",
        Program::OpenChoice => "02",
        Program::Homebound => "07",
        Program::Detention => "08",
        Program::ChildWelfare => "09",
    }
}

/// Meal eligibility.
pub const fn meals(meals: u8) -> &'static str {
    match meals {
        2 => "F",
        1 => "R",
        _ => "N",
    }
}

/// The race code used before July 2010 and still in the register layout: 1 American Indian, 2 Asian, 3 black, 4 white, 5 Hispanic.
pub const fn legacy_race(hispanic: bool, races: [bool; 5]) -> &'static str {
    if hispanic {
        "5"
    } else if races[2] {
        "3"
    } else if races[1] || races[3] {
        "2"
    } else if races[0] {
        "1"
    } else {
        "4"
    }
}

/// The roll-up the state reports.
pub fn race_ethnicity(hispanic: bool, races: [bool; 5]) -> &'static str {
    const NAMES: [&str; 5] = [
        "American Indian or Alaska Native",
        "Asian",
        "Black or African American",
        "Native Hawaiian or Other Pacific Islander",
        "White",
    ];
    if hispanic {
        return "Hispanic/Latino of any race";
    }
    let mut set = races.iter().zip(NAMES).filter(|(flag, _)| **flag);
    match (set.next(), set.next()) {
        (Some((_, name)), None) => name,
        (Some(_), Some(_)) => "Two or More Races",
        _ => "",
    }
}

/// Exit status that goes with an exit type.
pub fn exit_status(exit_type: &str) -> &'static str {
    match exit_type {
        "14" => "01",
        "15" => "03",
        "02" | "13" => "02",
        _ => "04",
    }
}

/// English learner program.
pub const fn english_program(language: usize, index: u64) -> &'static str {
    match (language, index % 10) {
        (1, 0..=3) => "01",
        (1, 4) => "03",
        (_, 9) => "04",
        _ => "02",
    }
}
