//! Where a child goes to school: towns, districts, schools, grades, moves, gaps, facility stays, the end of schooling.

mod events;
mod walk;

use chrono::NaiveDate;

use super::World;
use super::dice::{Dice, Purpose};
use super::household::{Child, Household};
use super::places::Grade;

pub use events::Event;

/// Exit types by their codes.
pub mod exit {
    /// Another public school of the same state.
    pub const OTHER_DISTRICT: &str = "02";
    /// A public school of another state.
    pub const OTHER_STATE: &str = "03";
    /// A private school of the same state.
    pub const PRIVATE: &str = "05";
    /// A religious school of the same state.
    pub const RELIGIOUS: &str = "08";
    /// A school outside the country.
    pub const ABROAD: &str = "10";
    /// An institution.
    pub const INSTITUTION: &str = "11";
    /// Schooling at home.
    pub const HOME: &str = "12";
    /// A charter school.
    pub const CHARTER: &str = "13";
    /// Graduation.
    pub const GRADUATED: &str = "14";
    /// Completion with other credentials.
    pub const OTHER_CREDENTIAL: &str = "15";
    /// Death.
    pub const DIED: &str = "16";
    /// The greatest age of schooling.
    pub const MAXIMUM_AGE: &str = "19";
    /// Schooling discontinued.
    pub const DISCONTINUED: &str = "20";
    /// Whereabouts unknown.
    pub const UNKNOWN: &str = "23";
}

/// What a stay in the district's school is besides ordinary schooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Program {
    /// Nothing.
    Ordinary,
    /// An interdistrict magnet school.
    Magnet,
    /// Open Choice.
    OpenChoice,
    /// A detention centre or secure unit of the courts.
    Detention,
    /// A child-welfare facility.
    ChildWelfare,
    /// Taught at home for illness.
    Homebound,
}

/// How a stint begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// The district registers the child.
    Registered,
    /// The district reports a change of school, grade, town or facility.
    Changed,
}

/// How a stint ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closes {
    /// It has not ended, or goes over into the next.
    Open,
    /// The district unregisters the child: day and type.
    Exit(NaiveDate, &'static str),
}

/// A stretch of days in one school.
#[derive(Clone, Debug)]
pub struct Stint {
    /// Reporting district.
    pub district: usize,
    /// Facility 1.
    pub school: usize,
    /// Facility 2.
    pub facility_2: Option<usize>,
    /// What it is besides ordinary schooling.
    pub program: Program,
    /// Town of residence.
    pub town: usize,
    /// The day of registration in the district.
    pub registered: NaiveDate,
    /// How it begins.
    pub opens: Opens,
    /// Its first day.
    pub from: NaiveDate,
    /// Its last day, counted.
    pub to: NaiveDate,
    /// How it ends.
    pub closes: Closes,
}

/// A school year of a child that was in school for any of it.
#[derive(Clone, Debug)]
pub struct Year {
    /// The year of its fall.
    pub fall: i16,
    /// The grade.
    pub grade: Grade,
    /// The grade was taken before.
    pub repeated: bool,
    /// Stints in the order of their days.
    pub stints: Vec<Stint>,
    /// 0 full price, 1 reduced, 2 free.
    pub meals: u8,
    /// Place in the list of night-time residences of the homeless.
    pub homeless: Option<usize>,
    /// English learner.
    pub english_learner: bool,
    /// Gifted and talented.
    pub gifted: bool,
}

impl Year {
    /// The stint on a day.
    pub fn on(&self, day: NaiveDate) -> Option<&Stint> {
        self.stints.iter().rev().find(|s| s.from <= day && day <= s.to)
    }

    /// The last stint.
    pub fn last(&self) -> Option<&Stint> {
        self.stints.last()
    }
}

/// A life in school, as far as the state's files reach back.
#[derive(Clone, Debug)]
pub struct Life {
    /// The years, in order; a year out of school is missing.
    pub years: Vec<Year>,
    /// Whether it died.
    pub died: bool,
}

/// Lives a child's life.
pub fn live(world: &World, household: &Household, child: &Child) -> Life {
    let mut dice = Dice::new(world.seed, Purpose::Life, child.index);
    walk::walk(world, household, child, &mut dice)
}
