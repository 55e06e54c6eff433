//! A layout: what a file of a source looks like, field by field, and what its records mean. One description serves reading,
//! writing, checking and documentation.
//!
//! A layout is data: `layouts/<source>/<id>.toml`, turned into a [`Layout`] once and checked while that happens, so that the
//! code that reads millions of records finds every name resolved.

mod compile;
mod kind;
pub(crate) mod produce;
pub(crate) mod rule;
mod spec;

use std::{collections::HashMap, fmt};

pub use kind::{Characters, DateForm, DigitCount, FieldKind};
use model::{Domain, Value};
pub use rule::{Condition, Rule, RuleKind, Test};
use serde::Deserialize;

use crate::{Severity, read::transform::Transform};

/// Whether a layout or a code table is the source's own or partly ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As the source publishes it.
    Verified,
    /// Completed by us where the source is silent.
    Provisional,
}

/// How a file is cut into records and records into fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// Fields at fixed positions, counted in characters.
    Fixed {
        /// Where the code stands that tells kinds of record apart; `None` for a file of one kind.
        code: Option<Span>,
    },
    /// Fields between delimiters, RFC 4180.
    Delimited {
        /// The delimiter.
        delimiter: u8,
        /// Whether the first record names the columns.
        header: bool,
        /// What stands for a value that the source suppressed.
        suppressed: Option<String>,
    },
}

/// A stretch of positions, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub start: usize,
    /// How many.
    pub length: usize,
}

/// The line end that is written; both are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnd {
    /// Carriage return and line feed.
    CrLf,
    /// Line feed.
    Lf,
}

impl LineEnd {
    /// Its bytes.
    pub const fn bytes(self) -> &'static [u8] {
        match self {
            Self::CrLf => b"\r\n",
            Self::Lf => b"\n",
        }
    }
}

/// Whether a field must, may or must not be filled, as the state's own documents letter it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// M: blank is an error.
    Mandatory,
    /// O: filled or not.
    Optional,
    /// R: the state would like it.
    Recommended,
    /// C: a rule says when it must be filled.
    Conditional,
    /// D: must be blank.
    Disallowed,
}

impl Requirement {
    /// Its letter.
    pub const fn letter(self) -> char {
        match self {
            Self::Mandatory => 'M',
            Self::Optional => 'O',
            Self::Recommended => 'R',
            Self::Conditional => 'C',
            Self::Disallowed => 'D',
        }
    }
}

/// A layout.
#[derive(Debug)]
pub struct Layout {
    /// Its id, such as `tcs-4.0`: the name of its file, and of the folder that deliveries of it stand in.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// The state whose files it describes.
    pub sea: String,
    /// The version of the source's document.
    pub version: String,
    /// The source's own, or completed by us.
    pub status: Status,
    /// Where the description comes from.
    pub source: String,
    /// What the file is for.
    pub about: String,
    /// Remarks for whoever prepares a file.
    pub notes: Vec<String>,
    /// How bytes become fields.
    pub format: Format,
    /// The line end that is written.
    pub line_end: LineEnd,
    /// The kinds of record; never empty.
    pub records: Vec<Record>,
}

/// One kind of record.
#[derive(Debug)]
pub struct Record {
    /// Its code, in a file of several kinds.
    pub code: Option<String>,
    /// What people call it.
    pub name: String,
    /// The source's own, or completed by us: one kind of record may be less certain than its layout.
    pub status: Status,
    /// Remarks for whoever prepares it.
    pub notes: Vec<String>,
    /// The fields, in the order of the file.
    pub fields: Vec<Field>,
    /// Characters of a fixed record, without its line end; 0 for a delimited one.
    pub length: usize,
    /// The field that tells types of this record apart.
    pub types: Option<Types>,
    /// Rules across fields.
    pub rules: Vec<Rule>,
    /// What the record means.
    pub meaning: Meaning,
    /// How it is made from what is known of a student; `None` for a record that is only read.
    pub(crate) produce: Option<produce::Produce>,
    by_name: HashMap<String, usize>,
}

/// The types of a record (register, change, unregister), told apart by a field.
#[derive(Debug)]
pub struct Types {
    /// The field.
    pub field: usize,
    /// Its values and what people call them; requirements are listed in this order.
    pub values: Vec<(String, String)>,
}

/// One field.
#[derive(Debug)]
pub struct Field {
    /// Its name in code, conversions and findings: snake case.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// The name of its column in a header, or the field name.
    pub column: String,
    /// Where it stands in a fixed record.
    pub span: Span,
    /// The most characters it holds; 0 when the source does not say.
    pub length: usize,
    /// What it holds.
    pub kind: FieldKind,
    /// Whether it must be filled, for each type of the record (one entry when the record has no types).
    pub require: Vec<Requirement>,
    /// How bad a value is where none is allowed.
    pub disallowed: Severity,
    /// The code table its values come from.
    pub table: Option<String>,
    /// The characters it may hold.
    pub characters: Characters,
    /// Text that fills its whole length, or is blank.
    pub is_exact: bool,
    /// The shape that its text usually has (see [`Test::Like`]); another is taken with a warning.
    pub shape: Option<String>,
    /// The least value of a number.
    pub min: Option<i64>,
    /// The greatest value of a number.
    pub max: Option<i64>,
    /// A header may do without its column.
    pub optional_column: bool,
    /// What it means.
    pub about: String,
}

/// Where the day of a report comes from.
#[derive(Clone, Copy, Debug)]
pub enum ReportedOn {
    /// A date field.
    Field(usize),
    /// The first of October of the year that a field names.
    FirstOfOctober(usize),
}

/// What a record means to the exchange.
#[derive(Debug, Default)]
pub struct Meaning {
    /// The field of the state's identifier, for a record about a person.
    pub person: Option<usize>,
    /// The field of a birth date given for checking only.
    pub claimed_birth_date: Option<usize>,
    /// The day the source gives for its report.
    pub reported_on: Option<ReportedOn>,
    /// Where the school year comes from; the first that has a value.
    pub school_year: Vec<YearSource>,
    /// The facts it makes.
    pub facts: Vec<FactRule>,
    /// The organization it describes.
    pub organization: Option<OrganizationRule>,
}

/// A field the school year can be read from.
#[derive(Clone, Copy, Debug)]
pub enum YearSource {
    /// The year a day falls in.
    Containing(usize),
    /// The calendar year of its fall.
    Fall(usize),
    /// Written out, as 2014-15.
    Text(usize),
    /// Both its calendar years, as 20142015.
    Session(usize),
}

impl YearSource {
    /// The field.
    pub const fn field(self) -> usize {
        match self {
            Self::Containing(field) | Self::Fall(field) | Self::Text(field) | Self::Session(field) => field,
        }
    }
}

/// A fact that a record makes when its conditions hold.
#[derive(Debug)]
pub struct FactRule {
    /// The domain.
    pub domain: Domain,
    /// The kind of fact.
    pub kind: String,
    /// All must hold.
    pub when: Vec<Condition>,
    /// The field of the reporting district.
    pub lea: Option<usize>,
    /// The field of the facility.
    pub facility: Option<usize>,
    /// The days it is about.
    pub days: Days,
    /// Whether the record's school year belongs to it.
    pub has_year: bool,
    /// The field that says whether it is certified.
    pub certified: Option<usize>,
    /// The field that says whether it is expunged.
    pub expunged: Option<usize>,
    /// The days and numbers that tell editions of its report apart, the first that differs decides; none where the source tells none apart.
    pub edition: Vec<usize>,
    /// Parts of its natural key that are no elements.
    pub key_parts: Vec<Setting>,
    /// Its elements.
    pub set: Vec<(&'static str, Setting)>,
}

/// The days a fact is about.
#[derive(Clone, Copy, Debug)]
pub enum Days {
    /// One day.
    Day(usize),
    /// From one to another; either may be open.
    Between(Option<usize>, Option<usize>),
    /// The school year.
    SchoolYear,
    /// One day if given, else the school year.
    DayOrSchoolYear(usize),
    /// All time.
    Always,
}

/// Where the value of an element comes from.
pub enum Setting {
    /// A field, as its own kind of value.
    Field(usize),
    /// Always the same.
    Constant(Value),
    /// A transform of one or several fields.
    Transform(&'static Transform, Vec<usize>),
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => write!(f, "Field({field})"),
            Self::Constant(value) => write!(f, "Constant({value:?})"),
            Self::Transform(transform, fields) => write!(f, "{}({fields:?})", transform.name),
        }
    }
}

/// How a record names an organization.
#[derive(Debug)]
pub struct OrganizationRule {
    /// The fields of its code; the first that has a value.
    pub code: Vec<usize>,
    /// The fields of its name; the first that has a value.
    pub name: Vec<usize>,
    /// The field of its type.
    pub kind: usize,
    /// The field of the organization it belongs to.
    pub parent: Option<usize>,
    /// How many digits of that field are its code; all if not told.
    pub parent_digits: Option<usize>,
    /// The field of its town.
    pub town: Option<usize>,
    /// The field of its first day.
    pub open_date: Option<usize>,
}

impl Layout {
    /// Reads a layout from its TOML and checks it.
    pub fn from_toml(text: &str) -> Result<Self, crate::Error> {
        compile::compile(text)
    }

    /// The place of a field in [`crate::RecordWriter::write`], by its name or the name of its column. For a file of several
    /// kinds of record ask the [`Record`].
    pub fn index_of(&self, field: &str) -> Option<usize> {
        self.records.first()?.index_of(field)
    }

    /// The kind of record of a code.
    pub fn find_record(&self, code: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.code.as_deref() == Some(code))
    }

    /// Whether the first record of a file names the columns.
    pub const fn has_header(&self) -> bool {
        matches!(self.format, Format::Delimited { header: true, .. })
    }
}

impl Record {
    /// The place of a field, by its name or the name of its column.
    pub fn index_of(&self, field: &str) -> Option<usize> {
        self.by_name.get(field).copied().or_else(|| self.fields.iter().position(|candidate| candidate.column == field))
    }
}
