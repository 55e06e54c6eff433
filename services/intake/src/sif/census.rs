//! The census set: who a district knows, where they live and what they are to each other. Six CSV files in one folder, each
//! with its own layout (`census-person` and so on).

mod read;

use chrono::NaiveDate;
use model::{Period, SchoolYear};

pub use self::read::{FILES, is_set};
pub(crate) use self::read::{read_set, school_year};

/// A person.
#[derive(Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the columns of the file")]
pub(crate) struct Person {
    pub line: u32,
    pub person_id: String,
    pub state_id: String,
    pub student_personal_ref_id: String,
    pub last_name: String,
    pub first_name: String,
    pub middle_name: String,
    pub suffix: String,
    pub alias: String,
    pub gender: String,
    pub birth_date: Option<NaiveDate>,
    pub cell_phone: String,
    pub work_phone: String,
    pub email: String,
    pub is_excluded: bool,
}

/// A household.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Household {
    pub household_id: String,
    pub phone: String,
}

/// A person's time in a household.
#[derive(Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the columns of the file")]
pub(crate) struct Membership {
    pub membership_id: String,
    pub household_id: String,
    pub person_id: String,
    pub days: Period,
    pub is_secondary: bool,
    pub is_private: bool,
}

/// A household's time at an address.
#[derive(Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the columns of the file")]
pub(crate) struct Location {
    pub location_id: String,
    pub household_id: String,
    pub days: Period,
    pub is_secondary: bool,
    pub is_private: bool,
    pub is_post_office_box: bool,
    pub number: String,
    pub prefix: String,
    pub street: String,
    pub tag: String,
    pub dir: String,
    pub apartment: String,
    pub city: String,
    pub state: String,
    pub zip: String,
}

/// What a person is to a student.
#[derive(Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the columns of the file")]
pub(crate) struct Relationship {
    pub line: u32,
    pub relationship_id: String,
    pub person_id: String,
    pub contact_person_id: String,
    pub relation: String,
    pub is_guardian: bool,
    pub sequence: String,
    pub days: Period,
    pub ref_id: String,
}

/// A person's enrollment in a school year.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Enrollment {
    pub person_id: String,
    pub school_year: SchoolYear,
    pub is_excluded: bool,
    pub is_calendar_excluded: bool,
}

/// A census set.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Census {
    pub persons: Vec<Person>,
    pub households: Vec<Household>,
    pub memberships: Vec<Membership>,
    pub locations: Vec<Location>,
    pub relationships: Vec<Relationship>,
    pub enrollments: Vec<Enrollment>,
}

impl std::fmt::Debug for Census {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Census").field("persons", &self.persons.len()).finish_non_exhaustive()
    }
}
