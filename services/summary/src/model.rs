//! The view model: one student's school records, as disclosed, ready to be printed. Its JSON is `school-records-summary/1`.
//!
//! The *base form* holds `report_date`, `client`, `summary`, `recent` and `history`, where each block of rows is an array.
//! A block may instead be an object `{"state", "as_reported_on", "received_on", "reported_by", "not_permitted", "rows"}`, and `client`
//! and `summary` may carry the first five of these beside their own fields. `notice`, `agreement`, `recipient`, `withheld` and
//! `code` are optional, and unknown fields are refused.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

pub use block::{Block, Content, Provenance, State};
pub use cell::{Cell, Scalar};

mod block;
mod cell;
mod json;

/// The name of the JSON format.
pub const FORMAT: &str = "school-records-summary/1";
/// The largest JSON that is read.
pub const FILE_BYTES_MAX: usize = 8 << 20;
/// The most rows of one block.
pub const ROWS_MAX: usize = 5_000;
/// The most characters of one text.
pub const TEXT_CHARS_MAX: usize = 2_000;

/// What a field of a record holds, with the kind that says how to print it.
#[derive(Clone, Copy, Debug)]
pub enum Field<'a> {
    /// Text, printed as it is.
    Text(&'a Cell<kinds::Text>),
    /// A day, printed M/D/YYYY.
    Date(&'a Cell<kinds::Date>),
    /// A number, printed with the decimals it has.
    Number(&'a Cell<kinds::Number>),
    /// A percentage, printed with one decimal.
    Percent(&'a Cell<kinds::Percent>),
}

impl Field<'_> {
    /// Whether nothing was reported.
    pub const fn is_absent(&self) -> bool {
        match self {
            Self::Text(cell) => cell.is_absent(),
            Self::Date(cell) => cell.is_absent(),
            Self::Number(cell) | Self::Percent(cell) => cell.is_absent(),
        }
    }
}

/// The Rust type of each kind of field.
pub mod kinds {
    /// Of [`super::Field::Text`].
    pub type Text = String;
    /// Of [`super::Field::Date`].
    pub type Date = chrono::NaiveDate;
    /// Of [`super::Field::Number`].
    pub type Number = model::Decimal;
    /// Of [`super::Field::Percent`].
    pub type Percent = model::Decimal;
}

/// A row, or a single block, whose fields are found by the names that JSON and the page layout use.
pub trait Record {
    /// All names.
    const FIELDS: &'static [&'static str];
    /// The field of this name.
    fn find_field(&self, name: &str) -> Option<Field<'_>>;
}

macro_rules! record {
    ($(#[$meta:meta])* $name:ident $({ $($extra:tt)* })? [ $($(#[$field_meta:meta])* $field:ident = $key:literal : $kind:ident),+ $(,)? ]) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_meta])* #[serde(rename = $key)] pub $field: Cell<kinds::$kind>,)+
            $($($extra)*)?
        }

        impl Record for $name {
            const FIELDS: &'static [&'static str] = &[$($key),+];

            fn find_field(&self, name: &str) -> Option<Field<'_>> {
                match name {
                    $($key => Some(Field::$kind(&self.$field)),)+
                    _ => None,
                }
            }
        }
    };
}

record!(
    /// Who the summary is about.
    Client {
        /// The language of the name, as a BCP 47 tag, for speech.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub lang: Option<String>,
        /// Whether the block could be filled, and why not.
        #[serde(skip_serializing_if = "State::is_reported")]
        pub state: State,
        /// The day the block was last reported.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub as_reported_on: Option<NaiveDate>,
        /// The day it was last received, where the report gives no day of its own.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub received_on: Option<NaiveDate>,
        /// Who reported it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reported_by: Option<String>,
        /// Fields that the agreement does not permit.
        #[serde(skip_serializing_if = "BTreeSet::is_empty")]
        pub not_permitted: BTreeSet<String>,
    } [
        /// Family name, given names.
        name = "name": Text,
        /// Date of birth.
        dob = "dob": Date,
        /// State-assigned student identifier.
        sasid = "sasid": Text,
        /// Gender.
        gender = "gender": Text,
        /// Race and ethnicity.
        race_ethnicity = "race_ethnicity": Text,
    ]
);

record!(
    /// The latest enrollment in a line.
    Current {
        /// Whether the block could be filled, and why not.
        #[serde(skip_serializing_if = "State::is_reported")]
        pub state: State,
        /// The day the block was last reported.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub as_reported_on: Option<NaiveDate>,
        /// The day it was last received, where the report gives no day of its own.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub received_on: Option<NaiveDate>,
        /// Who reported it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub reported_by: Option<String>,
        /// Fields that the agreement does not permit.
        #[serde(skip_serializing_if = "BTreeSet::is_empty")]
        pub not_permitted: BTreeSet<String>,
    } [
        /// School name.
        school = "school": Text,
        /// School district.
        district = "district": Text,
        /// Current grade.
        grade = "grade": Text,
        /// Free lunch status.
        free_lunch = "free_lunch": Text,
        /// Special education status.
        special_ed = "special_ed": Text,
        /// Language.
        language = "language": Text,
    ]
);

record!(
    /// One spell of enrollment.
    SchoolRow [
        /// School name.
        school = "school": Text,
        /// School district.
        district = "district": Text,
        /// First day.
        entry_date = "entry_date": Date,
        /// Last day.
        exit_date = "exit_date": Date,
        /// Why it ended.
        exit_reason = "exit_reason": Text,
        /// The rule by which the first day was inferred; absent when it was reported.
        #[serde(skip_serializing_if = "Cell::is_absent")]
        entry_inferred = "entry_date_inferred": Text,
        /// The rule by which the last day was inferred; absent when it was reported.
        #[serde(skip_serializing_if = "Cell::is_absent")]
        exit_inferred = "exit_date_inferred": Text,
        /// Why there is no last day although the stay is not known to go on; absent when it has one, or goes on.
        #[serde(skip_serializing_if = "Cell::is_absent")]
        exit_missing = "exit_date_missing": Text,
    ]
);

record!(
    /// Attendance of one school year at one school.
    AttendanceRow [
        /// School name.
        school = "school": Text,
        /// School district.
        district = "district": Text,
        /// Town of the school.
        town = "town": Text,
        /// School year, such as 2014-15.
        year = "year": Text,
        /// Days scheduled.
        scheduled = "scheduled": Number,
        /// Days attended.
        attended = "attended": Number,
        /// Days attended of those scheduled, in percent.
        pct = "pct": Percent,
    ]
);

record!(
    /// Special education services of one school year at one school.
    SpecialEducationRow [
        /// School name.
        school = "school": Text,
        /// School district.
        district = "district": Text,
        /// School year.
        year = "year": Text,
        /// Type of disability.
        disability = "disability": Text,
        /// Hours of service a week.
        hours = "hours": Number,
    ]
);

record!(
    /// One test, with up to four subjects.
    TestRow [
        /// School name.
        school = "school": Text,
        /// School district.
        district = "district": Text,
        /// School year.
        year = "year": Text,
        /// Test type.
        kind = "type": Text,
        /// Writing score.
        writing = "writing": Number,
        /// Writing level.
        writing_level = "writing_level": Text,
        /// Reading score.
        reading = "reading": Number,
        /// Reading level.
        reading_level = "reading_level": Text,
        /// Math score.
        math = "math": Number,
        /// Math level.
        math_level = "math_level": Text,
        /// Science score.
        science = "science": Number,
        /// Science level.
        science_level = "science_level": Text,
    ]
);

record!(
    /// One disciplinary action.
    DisciplineRow [
        /// School name.
        school = "school": Text,
        /// School district.
        district = "district": Text,
        /// Day of the incident.
        date = "date": Date,
        /// Incident type.
        kind = "type": Text,
        /// Sanction type.
        sanction = "sanction": Text,
        /// Days sanctioned.
        days = "days": Number,
    ]
);

/// The newest of each kind that is available.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recent {
    /// Attendance.
    pub attendance: Block<AttendanceRow>,
    /// Special education services.
    pub special_ed: Block<SpecialEducationRow>,
    /// Test scores.
    pub tests: Block<TestRow>,
    /// Disciplinary action.
    pub discipline: Block<DisciplineRow>,
    /// What the table of test scores leaves out.
    #[serde(skip_serializing_if = "TestsLeftOut::is_empty")]
    pub tests_left_out: TestsLeftOut,
}

/// All years.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    /// Schools, printed by entry date, oldest first.
    pub schools: Block<SchoolRow>,
    /// Attendance, printed newest first, as all that follow.
    pub attendance: Block<AttendanceRow>,
    /// Special education services.
    pub special_ed: Block<SpecialEducationRow>,
    /// Test scores.
    pub tests: Block<TestRow>,
    /// Disciplinary actions.
    pub discipline: Block<DisciplineRow>,
    /// What the table of test scores leaves out.
    #[serde(skip_serializing_if = "TestsLeftOut::is_empty")]
    pub tests_left_out: TestsLeftOut,
}

/// Test scores that were reported and are not in the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TestsLeftOut {
    /// Scores in subjects that have no column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_subjects: Vec<OtherSubject>,
    /// Earlier attempts at tests whose last attempt is in the table.
    #[serde(skip_serializing_if = "is_zero")]
    pub earlier_attempts: u32,
}

impl TestsLeftOut {
    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Scores in a subject that has no column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OtherSubject {
    /// The subject, as reported.
    pub subject: String,
    /// How many.
    pub count: u32,
}

/// A Client School Records Summary. Its `Debug` shows no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Always [`FORMAT`].
    pub format: Format,
    /// The day of the run that last changed the content.
    #[serde(deserialize_with = "cell::day")]
    pub report_date: NaiveDate,
    /// Who it is about.
    pub client: Client,
    /// The latest enrollment.
    pub summary: Current,
    /// The newest of each kind.
    pub recent: Recent,
    /// All years.
    pub history: History,
    /// The redisclosure notice of the agreement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// The agreement it was disclosed under, by its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<String>,
    /// Who it was disclosed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    /// What the agreement withheld, by the labels of the elements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
    /// The verification code: the random id of the disclosure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Stands for [`FORMAT`]: reading anything else fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format;

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(FORMAT)
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == FORMAT { Ok(Self) } else { Err(D::Error::custom(format_args!("expected \"{FORMAT}\""))) }
    }
}

pub use json::from_json;
