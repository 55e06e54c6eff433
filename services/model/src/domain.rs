//! The eleven data domains.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A data domain. Its number is what the database stores and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i16)]
pub enum Domain {
    /// Names, birth date, demographics. Kept by `identity` alone.
    Student = 1,
    /// Registrations, changes, exits and collection snapshots, folded into spells.
    Enrollment = 2,
    /// Moves, gaps and overlaps: derived from enrollment, never stored.
    Mobility = 3,
    /// Membership and attendance, by year, month or event.
    Attendance = 4,
    /// Special education and section 504.
    SpecialEducation = 5,
    /// Incidents and actions.
    Discipline = 6,
    /// Test scores.
    Assessment = 7,
    /// Courses, outcomes and credits.
    Course = 8,
    /// Parents and guardians.
    Contact = 9,
    /// Program participation.
    Program = 10,
    /// K-3 literacy screening and kindergarten entry assessment.
    Literacy = 11,
}

impl Domain {
    /// All of them, in the order of a history.
    pub const ALL: [Self; 11] = [
        Self::Student,
        Self::Enrollment,
        Self::Mobility,
        Self::Attendance,
        Self::SpecialEducation,
        Self::Discipline,
        Self::Assessment,
        Self::Course,
        Self::Contact,
        Self::Program,
        Self::Literacy,
    ];

    /// The number stored in the database.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The domain of a stored number.
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.code() == code)
    }

    /// The name used in element ids, agreements, files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Student => "student",
            Self::Enrollment => "enrollment",
            Self::Mobility => "mobility",
            Self::Attendance => "attendance",
            Self::SpecialEducation => "special_education",
            Self::Discipline => "discipline",
            Self::Assessment => "assessment",
            Self::Course => "course",
            Self::Contact => "contact",
            Self::Program => "program",
            Self::Literacy => "literacy",
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Domain {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|d| d.name() == text).ok_or_else(|| format!("no data domain is called {text:?}"))
    }
}
