//! Demonstration cases: a child for each situation that the exchange must get right, with a fixed name in every invented state.
//!
//! The first children of a state are these, as many as it has room for. Everything else about them (parents, schools, marks) is
//! drawn like anyone's. Nights are counted from 0, the first roster, to [`NIGHTS`] - 1, the last.

mod table;

use chrono::{Days, Months, NaiveDate};

use super::life::Event;
use super::names::Sex;

pub use table::CASES;

/// How many nights each agency's roster is written for; the last is the night of `as_of`.
pub const NIGHTS: usize = 4;

/// An agency that sends a roster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    /// Court Support Services Division.
    Cssd,
    /// Department of Children and Families.
    Dcf,
    /// DCF's education unit for juvenile-justice students.
    EducationUnit,
}

impl Consumer {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cssd, Self::Dcf, Self::EducationUnit];

    /// Its id: the name of its folder.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Cssd => "cssd",
            Self::Dcf => "dcf",
            Self::EducationUnit => "education_unit",
        }
    }
}

/// How the agency wrote the person down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// As the state has it, without the SASID.
    Exact,
    /// As the state has it, with the SASID.
    WithSasid,
    /// By a nickname.
    Nickname,
    /// Day and month of birth swapped.
    SwappedDate,
    /// By the last name of before a change.
    OldSurname,
    /// The first name by its initial only, and nothing else to tell it from a twin's: a person must decide.
    Doubtful,
    /// With the SASID of the next child.
    StrangersSasid,
    /// The part of the surname after a hyphen or space only.
    LastPart,
}

/// A time of authority, in days before `as_of`; negative days lie after it.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// First day.
    pub start: i64,
    /// Last day, if it is known on the last night.
    pub end: Option<i64>,
    /// The night from which the end is on the roster.
    pub end_known: usize,
    /// The night from which the span is on the roster.
    pub known: usize,
}

/// A client of an agency.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// The agency.
    pub consumer: Consumer,
    /// Times of authority.
    pub spans: &'static [Span],
    /// CSSD: after adjudication.
    pub adjudicated: bool,
    /// CSSD: legal basis. Education unit: who signed the release. DCF: reason of the episode's end.
    pub basis: &'static str,
    /// How the agency wrote the person down.
    pub view: View,
    /// The night from which it is written right, with the SASID.
    pub corrected: Option<usize>,
    /// The night from which the rows are gone.
    pub gone: Option<usize>,
    /// DCF: the night from which another area office has the child, and that office's place in the list of offices.
    pub transfer: Option<(usize, usize)>,
}

/// A restriction that the state puts on a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restricted {
    /// None.
    No,
    /// The whole record is sealed by a court.
    Sealed,
    /// The record is erased by order.
    Erased,
    /// Addresses are confidential.
    ConfidentialAddress,
    /// A protective order covers contacts.
    ProtectiveOrder,
}

/// A case.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a row of a table: each column says yes or no by itself")]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// First name.
    pub first: &'static str,
    /// Last name.
    pub last: &'static str,
    /// Another last name it takes later.
    pub renamed: Option<&'static str>,
    /// Sex.
    pub sex: Sex,
    /// Age in whole years, and days beyond, on `as_of`.
    pub age: (u32, u64),
    /// Town of residence at first.
    pub town: &'static str,
    /// Children of its household, itself counted.
    pub siblings: u64,
    /// Whether it is the twin of the child before.
    pub twin: bool,
    /// Whether it has an IEP.
    pub iep: bool,
    /// Added to its proneness to incidents and absence.
    pub trouble: f64,
    /// How often it moves.
    pub mobility: f64,
    /// What happens, as (years before the current one, day in session, event).
    pub events: &'static [(i16, usize, Event)],
    /// Its agencies.
    pub clients: &'static [Script],
    /// Two SASIDs: the number of school years ago that the second one began.
    pub second_sasid: Option<i16>,
    /// Its first years are reported under its older twin's SASID.
    pub borrowed_sasid: bool,
    /// Its latest incident is expunged.
    pub expunged: bool,
    /// Last year's attendance is corrected by a later file.
    pub corrected_attendance: bool,
    /// A restriction.
    pub restricted: Restricted,
}

impl Case {
    /// Its birth date.
    pub fn birth(&self, as_of: NaiveDate) -> NaiveDate {
        let (years, days) = self.age;
        as_of - Months::new(12 * years) - Days::new(days)
    }
}

/// The case a child stands for.
pub fn find(index: u64) -> Option<&'static Case> {
    CASES.get(usize::try_from(index).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_have_names_of_their_own() {
        let mut names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CASES.len());
        for (index, case) in CASES.iter().enumerate() {
            if case.twin {
                assert_eq!(CASES[index - 1].siblings, 2, "{}", case.name);
                assert_eq!(CASES[index - 1].age, case.age, "{}", case.name);
            }
        }
    }
}
