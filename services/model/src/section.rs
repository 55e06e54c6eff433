//! Sections: a history is one per domain.

use std::{collections::BTreeMap, sync::Arc};

use crate::{BatchId, Certification, Domain, SchoolYear, SourcePersonId, Value};

/// Where a row comes from: what leads a printed value back to its line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lineage {
    /// The batch.
    pub batch: BatchId,
    /// The name of the file, as received.
    pub file: Arc<str>,
    /// The line, from 1; 0 for a derived row.
    pub line: u32,
    /// The day it was recorded, if it comes from a file.
    pub recorded_on: Option<chrono::NaiveDate>,
    /// The day the source gives for its report: that of the collection, where the record names one.
    pub reported_on: Option<chrono::NaiveDate>,
    /// The state that sent it; empty for a derived row.
    pub sea: Arc<str>,
    /// Whom the state reported it about, by our own number, which never leaves; `None` for a derived row. A student of several
    /// identifiers is several persons.
    pub person: Option<SourcePersonId>,
}

/// One row of a section: element values by name, and where they come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Values of the domain's elements; an absent element was not reported (or not permitted: see [`Section::withheld`]).
    pub values: BTreeMap<&'static str, Value>,
    /// The school year the row is about.
    pub school_year: Option<SchoolYear>,
    /// Certified or preliminary.
    pub certification: Certification,
    /// Where it comes from.
    pub source: Lineage,
}

impl Row {
    /// The value of an element, if reported.
    pub fn find(&self, element: &str) -> Option<&Value> {
        self.values.get(element)
    }

    /// The text of an element, if reported as text.
    pub fn find_text(&self, element: &str) -> Option<&str> {
        self.find(element).and_then(Value::as_text)
    }

    /// The day of an element, if reported.
    pub fn find_date(&self, element: &str) -> Option<chrono::NaiveDate> {
        self.find(element).and_then(Value::as_date)
    }
}

/// Why a section has the rows it has. "Not reported" and "not permitted" are different answers everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SectionState {
    /// It has rows.
    Reported,
    /// The agreement permits it and there is nothing.
    NotReported,
    /// The agreement does not permit it: nothing was read.
    NotPermitted,
}

/// A collection that is due, and that has not come: who was to report has not reported.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Awaited {
    /// The collection and its school year, in words.
    pub collection: String,
    /// The day it tells of.
    pub as_of_on: chrono::NaiveDate,
    /// The last day to send it.
    pub due_on: chrono::NaiveDate,
    /// The district that is to report, by the name or code it is disclosed with; `None`: it is the state's own to bring.
    pub expected_of: Option<String>,
}

/// All that is known, or disclosed, of one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The domain.
    pub domain: Domain,
    /// Why it has the rows it has.
    pub state: SectionState,
    /// The rows, in the domain's own order.
    pub rows: Vec<Row>,
    /// Elements that the agreement withholds, by name; never one of class `other_agency`.
    pub withheld: Vec<&'static str>,
    /// The latest collection of the domain that was due on the day of what is told, where neither it nor a later one has come of the student's district.
    /// It speaks of the district, never of the student.
    pub awaited: Option<Awaited>,
}
