//! What a reader gives for each record of a file. Everything downstream (check, convert, load) works on items.

use std::sync::Arc;

use model::{Fact, Masked, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing was left out.
    Information,
    /// The record is loaded; somebody should look.
    Warning,
    /// The record is not loaded: it is in quarantine.
    Error,
    /// The file as a whole cannot be trusted: the batch is refused.
    Fatal,
}

impl Severity {
    /// Its name, as findings files have it.
    pub const fn as_str(self) -> &'static str {
        crate::store::severity_name(self)
    }
}

/// Something to say about a record. The message is for a district clerk and holds no more of the record than the field at fault
/// needs; never a name, birth date or identifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The line (or record) of the file, from 1; 0 for the file as a whole.
    pub line: u32,
    /// The column (fixed width: first position; delimited: column number), from 1.
    pub column: Option<u32>,
    /// The field, as the layout names it.
    pub field: Option<String>,
    /// The rule that was broken: a stable code such as `date.invalid` or `field.required`.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and what to do, in words.
    pub message: String,
}

/// The type of a record in its source's words: the code that tells kinds of record apart, the name of an element; `record` in a file of one
/// type. Receipts count by it.
pub type RecordType = Arc<str>;

/// Where a record is counted that gives several items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// By this item.
    Here,
    /// By another item of the same record.
    Elsewhere,
}

/// An organization as a reference file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationRecord {
    /// The state's code (seven digits in Connecticut), or the source's own id.
    pub code: String,
    /// Its name.
    pub name: String,
    /// What it is, in the source's words: district, public school, state agency facility, ...
    pub organization_type: String,
    /// The code of the district it belongs to; its own code for a district.
    pub parent_code: Option<String>,
    /// The town it lies in.
    pub town: Option<String>,
    /// First day it bears this name, if the source says.
    pub open_date: Option<chrono::NaiveDate>,
}

/// Names something that records describe and refer to (an incident, a contact, a school), by a hash of its kind and identity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference(pub [u8; 32]);

impl Reference {
    /// The name of what has this kind and identity in its source.
    pub fn of(kind: &str, key: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [kind, key] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().into())
    }
}

impl std::fmt::Debug for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reference")
    }
}

/// What a record says about something that others refer to, kept between deliveries.
#[derive(Clone, Debug)]
pub struct Description {
    /// What is described.
    pub reference: Reference,
    /// What kind of thing it is: `incident`, `contact`, `organization`, ...
    pub kind: &'static str,
    /// What is said of it, for the reader that wrote it.
    pub body: Masked<Vec<u8>>,
}

/// A record that rests on descriptions: what it says cannot be told, or not fully, without them. It is kept, and read again when one
/// of them arrives or changes.
#[derive(Clone, Debug)]
pub struct Dependent {
    /// The line or record number, from 1.
    pub line: u32,
    /// Its type.
    pub record_type: RecordType,
    /// What it refers to and nobody has described so far.
    pub missing: Vec<Reference>,
    /// Descriptions that it copies from.
    pub rests_on: Vec<Reference>,
    /// Its facts, by person and natural key: a later record of the same facts takes its place.
    pub subjects: Vec<Reference>,
    /// The record, for the reader that wrote it.
    pub record: Masked<Vec<u8>>,
    /// The bytes as received, for quarantine.
    pub raw: Masked<Vec<u8>>,
    /// What can be told of it now; nothing if it makes no sense without what is missing.
    pub told: Option<Box<Item>>,
    /// Why nothing can be told.
    pub findings: Vec<Finding>,
}

/// One record of a file, read.
#[derive(Clone, Debug)]
pub enum Item {
    /// A good record about one person: its facts (of one or several domains, `student` included), and warnings.
    Person {
        /// The line or record number, from 1.
        line: u32,
        /// Its type.
        record_type: RecordType,
        /// The state's identifier of the person.
        state_id: Masked<String>,
        /// A birth date the record names only so that the identifier can be checked (course files): compared, never stored.
        claimed_birth_date: Option<Masked<chrono::NaiveDate>>,
        /// What it says.
        facts: Vec<Fact>,
        /// Whether the record makes the person known (a registration, a student record). One that only refers to a person
        /// (an attendance event, a parent link) is loaded if the exchange knows the person already, else quarantined.
        introduces: bool,
        /// The bytes as received of a record that only refers to a person, for its quarantine; empty if it introduces them.
        raw: Masked<Vec<u8>>,
        /// Warnings.
        findings: Vec<Finding>,
    },
    /// A good record of reference data.
    Organization {
        /// The line or record number, from 1.
        line: u32,
        /// Its type.
        record_type: RecordType,
        /// What it says.
        record: OrganizationRecord,
        /// Warnings.
        findings: Vec<Finding>,
    },
    /// A good record that holds nothing the exchange keeps (a calendar, a staff record): counted, and said once per kind.
    Passed {
        /// The line or record number, from 1.
        line: u32,
        /// Its type.
        record_type: RecordType,
        /// The kind of record, as findings say it.
        kind: String,
    },
    /// A record withdrawn by the source: the fact of this key is retracted (Ed-Fi deletes).
    Retracted {
        /// The line or record number, from 1.
        line: u32,
        /// Its type.
        record_type: RecordType,
        /// The state's identifier of the person.
        state_id: Masked<String>,
        /// The facts whose natural keys are withdrawn (payload ignored).
        facts: Vec<Fact>,
    },
    /// A record that is not loaded: it goes to quarantine as received, with the reasons.
    Rejected {
        /// The line or record number, from 1.
        line: u32,
        /// Its type; `unknown` if it does not say.
        record_type: RecordType,
        /// The bytes as received.
        raw: Masked<Vec<u8>>,
        /// Why.
        findings: Vec<Finding>,
    },
    /// One record about several persons (a discipline action): counted once. Its members are [`Item::Person`] or [`Item::Retracted`].
    Joint(Vec<Item>),
    /// A good record that describes what others refer to, and is no fact by itself: kept for them.
    Described {
        /// The line or record number, from 1.
        line: u32,
        /// Its type.
        record_type: RecordType,
        /// What it describes, under each name that others may use.
        descriptions: Vec<Description>,
        /// Whether another item counts the record as a row.
        counted: Counted,
    },
    /// A record that rests on what other records describe.
    Dependent(Dependent),
    /// Something about the file as a whole (line 0) or about its end.
    File(Finding),
}

impl Item {
    /// How many bytes it holds: of the record as received, and of what was made of it.
    pub(crate) fn size(&self) -> usize {
        let of_findings = |findings: &[Finding]| findings.iter().map(|one| one.message.len()).sum::<usize>();
        match self {
            Self::Person { facts, raw, findings, .. } => {
                facts.iter().map(size_of_fact).sum::<usize>() + raw.expose().len() + of_findings(findings)
            }
            Self::Retracted { facts, .. } => facts.iter().map(size_of_fact).sum(),
            Self::Rejected { raw, findings, .. } => raw.expose().len() + of_findings(findings),
            Self::Joint(members) => members.iter().map(Self::size).sum(),
            Self::Described { descriptions, .. } => {
                descriptions.iter().map(|description| description.body.expose().len()).sum()
            }
            Self::Dependent(dependent) => {
                let told = dependent.told.as_ref().map_or(0, |told| told.size());
                let kept = dependent.record.expose().len() + dependent.raw.expose().len();
                kept + told + of_findings(&dependent.findings)
            }
            Self::Organization { findings, .. } => of_findings(findings),
            Self::Passed { .. } | Self::File(_) => 0,
        }
    }
}

fn size_of_fact(fact: &Fact) -> usize {
    let of_value = |value: &Value| match value {
        Value::Text(text) => text.len(),
        Value::TextList(texts) => texts.iter().map(String::len).sum(),
        _ => size_of::<Value>(),
    };
    fact.payload.iter().map(|(name, value)| name.len() + of_value(value)).sum()
}

#[cfg(test)]
mod tests {
    use domains::FactBuilder;
    use model::Domain;

    use super::*;

    #[test]
    fn an_item_is_as_large_as_what_it_holds() {
        let mut fact = FactBuilder::new(Domain::Student, "person", 1);
        fact.set("first_name", Value::Text("x".repeat(1_000)));
        fact.set("races", Value::TextList(vec!["y".repeat(500), "z".repeat(500)]));
        let person = Item::Person {
            line: 1,
            record_type: RecordType::from("record"),
            state_id: Masked::new("1".to_owned()),
            claimed_birth_date: None,
            facts: vec![fact.build().expect("a fact")],
            introduces: true,
            raw: Masked::new(vec![0; 3_000]),
            findings: Vec::new(),
        };
        let dependent = Item::Dependent(Dependent {
            line: 1,
            record_type: RecordType::from("record"),
            missing: Vec::new(),
            rests_on: Vec::new(),
            subjects: Vec::new(),
            record: Masked::new(vec![0; 700]),
            raw: Masked::new(vec![0; 800]),
            told: Some(Box::new(Item::Joint(vec![person.clone(), person.clone()]))),
            findings: Vec::new(),
        });
        assert!((5_000..5_100).contains(&person.size()), "{}", person.size());
        assert_eq!(dependent.size(), 1_500 + 2 * person.size());
    }
}
