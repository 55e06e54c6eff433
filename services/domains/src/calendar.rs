//! What is ordinary of a school year in a state: data with a status, not law that the program knows.

use chrono::{Datelike, NaiveDate};

/// How well a value is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Read in the source that is named.
    Verified,
    /// Taken from common knowledge of the state's schools; nobody has held it against a source yet.
    Provisional,
}

/// The ordinary school year of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Code of the state education agency; empty: any other.
    pub sea: &'static str,
    /// Days of school that a year holds, the least the state asks for.
    pub year_days: i64,
    /// Days of school that a month holds.
    pub month_days: i64,
    /// Month and day of the first day on which schools may be closed for summer.
    pub summer_from: (u32, u32),
    /// Month and day of the last such day.
    pub summer_to: (u32, u32),
    /// How well these are founded.
    pub status: Status,
    /// Where they come from.
    pub source: &'static str,
}

/// The calendars known, the general one last.
pub const CALENDARS: &[Calendar] = &[
    Calendar {
        sea: "ct",
        year_days: 180,
        month_days: 20,
        summer_from: (6, 8),
        summer_to: (8, 31),
        status: Status::Provisional,
        source: "Conn. Gen. Stat. 10-15 (180 days); months and summer: districts' usual calendars",
    },
    Calendar {
        sea: "la",
        year_days: 177,
        month_days: 20,
        summer_from: (5, 18),
        summer_to: (8, 18),
        status: Status::Provisional,
        source: "La. R.S. 17:154.1 (177 days); months and summer: districts' usual calendars",
    },
    GENERAL,
];

const GENERAL: Calendar = Calendar {
    sea: "",
    year_days: 175,
    month_days: 20,
    summer_from: (5, 25),
    summer_to: (8, 31),
    status: Status::Provisional,
    source: "usual calendars",
};

/// The calendar of a state, or the general one.
pub fn find_calendar(sea: &str) -> &'static Calendar {
    CALENDARS.iter().find(|calendar| calendar.sea == sea).unwrap_or(&GENERAL)
}

impl Calendar {
    /// Whether schools may be closed for summer on the day.
    pub fn is_summer(&self, day: NaiveDate) -> bool {
        let day = (day.month(), day.day());
        self.summer_from <= day && day <= self.summer_to
    }
}
