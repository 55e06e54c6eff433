//! What a reader gives for each record of a file. Everything downstream (check, convert, load) works on items.

use model::{Fact, Masked};
use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
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

/// Something to say about a record. The message is for a district clerk and holds no more of the record than the field at fault
/// needs; never a name, birth date or identifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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

/// One record of a file, read.
#[derive(Clone, Debug)]
pub enum Item {
    /// A good record about one person: its facts (of one or several domains, `student` included), and warnings.
    Person {
        /// The line or record number, from 1.
        line: u32,
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
        /// What it says.
        record: OrganizationRecord,
        /// Warnings.
        findings: Vec<Finding>,
    },
    /// A good record that holds nothing the exchange keeps (a calendar, a staff record): counted, and said once per kind.
    Passed {
        /// The line or record number, from 1.
        line: u32,
        /// The kind of record.
        kind: String,
    },
    /// A record withdrawn by the source: the fact of this key is retracted (Ed-Fi deletes).
    Retracted {
        /// The line or record number, from 1.
        line: u32,
        /// The state's identifier of the person.
        state_id: Masked<String>,
        /// The facts whose natural keys are withdrawn (payload ignored).
        facts: Vec<Fact>,
    },
    /// A record that is not loaded: it goes to quarantine as received, with the reasons.
    Rejected {
        /// The line or record number, from 1.
        line: u32,
        /// The bytes as received.
        raw: Masked<Vec<u8>>,
        /// Why.
        findings: Vec<Finding>,
    },
    /// Something about the file as a whole (line 0) or about its end.
    File(Finding),
}
