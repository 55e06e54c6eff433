//! A layout as its TOML file writes it. Nothing is checked here but the spelling of keys: see `compile`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Status, produce::ProduceSpec};

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LayoutSpec {
    pub id: String,
    pub title: String,
    pub sea: String,
    pub version: String,
    pub status: Status,
    pub source: String,
    pub about: String,
    #[serde(default)]
    pub notes: Vec<String>,
    pub format: FormatSpec,
    /// The kinds of record in the file; most files hold one.
    pub records: Vec<RecordSpec>,
}

/// How the bytes are cut into records and fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "lowercase")]
pub(super) enum FormatSpec {
    Fixed {
        line_end: String,
        /// Where the code of the kind of record stands, in a file of several kinds.
        code: Option<CodeSpec>,
    },
    Delimited {
        line_end: String,
        delimiter: char,
        header: bool,
        /// What stands for a value that the source suppressed.
        suppressed: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeSpec {
    pub at: usize,
    pub length: usize,
}

/// One kind of record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordSpec {
    pub code: Option<String>,
    pub name: Option<String>,
    /// The layout's own unless told.
    pub status: Option<Status>,
    /// Remarks on this kind of record.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The field that holds the state's identifier of the person.
    pub person: Option<String>,
    /// A birth date given for checking only.
    pub claimed_birth_date: Option<String>,
    /// The day the source gives for its report.
    pub reported_on: Option<ReportedOnSpec>,
    /// The field whose values tell the types of this record apart (register, change, unregister).
    pub types: Option<TypesSpec>,
    /// Where the school year comes from; the first that has a value.
    #[serde(default)]
    pub school_year: Vec<YearSpec>,
    pub fields: Vec<FieldSpec>,
    #[serde(default)]
    pub rules: Vec<RuleSpec>,
    #[serde(default)]
    pub facts: Vec<FactSpec>,
    pub organization: Option<OrganizationSpec>,
    /// How it is made from what is known of a student.
    pub produce: Option<ProduceSpec>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypesSpec {
    pub field: String,
    /// Value and name, in the order that requirements are read out.
    pub values: Vec<[String; 2]>,
}

/// A source of the school year.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum YearSpec {
    Containing { containing: String },
    Fall { fall: String },
    Text { text: String },
    Session { session: String },
}

/// A field, one line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldSpec {
    pub name: String,
    pub title: Option<String>,
    pub column: Option<String>,
    pub at: Option<usize>,
    pub length: Option<usize>,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub require: Option<String>,
    pub table: Option<String>,
    pub allowed: Option<String>,
    /// Text fills the whole length.
    #[serde(default)]
    pub exact: bool,
    /// The shape that text usually has.
    pub shape: Option<String>,
    pub min: Option<String>,
    pub max: Option<String>,
    /// The severity of a value where none is allowed; `error` unless told.
    pub disallowed: Option<String>,
    /// The column may be missing from the header.
    #[serde(default)]
    pub optional_column: bool,
    #[serde(default)]
    pub about: String,
}

/// A condition on another field.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConditionSpec {
    pub field: String,
    pub is: Option<Vec<String>>,
    pub not: Option<Vec<String>>,
    pub blank: Option<bool>,
    pub like: Option<String>,
    pub flag: Option<String>,
    pub not_flag: Option<String>,
    pub weekend: Option<bool>,
    pub since: Option<chrono::NaiveDate>,
}

/// A rule across fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, tag = "rule", rename_all = "snake_case")]
pub(super) enum RuleSpec {
    DateOrder {
        first: String,
        then: String,
        severity: Option<String>,
    },
    AtMost {
        field: String,
        limit: String,
        severity: Option<String>,
    },
    RequiredWhen {
        field: String,
        when: Vec<ConditionSpec>,
        because: String,
        severity: Option<String>,
    },
    BlankUnless {
        field: String,
        when: Vec<ConditionSpec>,
        because: String,
        severity: Option<String>,
    },
    MustEqual {
        field: String,
        other: String,
        #[serde(default)]
        when: Vec<ConditionSpec>,
        because: String,
        severity: Option<String>,
    },
    MustBegin {
        field: String,
        with: String,
        #[serde(default)]
        when: Vec<ConditionSpec>,
        because: String,
        severity: Option<String>,
    },
    Refused {
        field: String,
        when: Vec<ConditionSpec>,
        because: String,
        severity: Option<String>,
    },
}

/// Where the day of a report comes from.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum ReportedOnSpec {
    /// A date field.
    Field(String),
    /// The first of October of the year a field names: the day such a collection is about by definition.
    FirstOfOctober { first_of_october: String },
}

/// A fact the record makes.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactSpec {
    pub domain: String,
    pub kind: String,
    /// One such fact for each of these fields that is filled; the fact names the field at hand `each`.
    #[serde(default)]
    pub for_each: Vec<String>,
    #[serde(default)]
    pub when: Vec<ConditionSpec>,
    pub lea: Option<String>,
    pub facility: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub day: Option<String>,
    /// The days are those of the school year where no date is named or given.
    #[serde(default)]
    pub whole_year: bool,
    /// Leave the school year out although the record has one.
    #[serde(default)]
    pub any_year: bool,
    pub certified: Option<String>,
    pub expunged: Option<String>,
    /// The fields by which editions of the report are put in order: of two the later one stands, whichever comes first.
    #[serde(default)]
    pub edition: Vec<String>,
    #[serde(default)]
    pub key_parts: Vec<SetSpec>,
    pub set: BTreeMap<String, SetSpec>,
}

/// Where the value of an element comes from.
#[derive(Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(super) enum SetSpec {
    Field(String),
    Constant {
        constant: toml::Value,
    },
    Transform {
        from: OneOrMany,
        #[serde(rename = "as")]
        transform: String,
    },
}

#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// How a record of reference data names an organization.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrganizationSpec {
    /// The first that has a value is the code.
    pub code: Vec<String>,
    pub name: Vec<String>,
    #[serde(rename = "type")]
    pub kind: String,
    pub parent: Option<String>,
    pub parent_digits: Option<usize>,
    pub town: Option<String>,
    pub open_date: Option<String>,
}
