//! The record of disclosures: entries as people read them back.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use model::{ConsumerId, DisclosureId, Masked, StudentId};
use uuid::Uuid;

use crate::{
    entry::{Delivery, Kind, instant},
    error::Error,
    terms::{Audience, Clause, OnwardParty, Showing},
    tree::Hash,
};

/// A recorded entry with its terms. What an audience may not see of it is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEntry {
    /// Its id.
    pub id: DisclosureId,
    /// Its position in the tree, once it has one.
    pub leaf_index: Option<u64>,
    /// What it is about.
    pub kind: Kind,
    /// How it was delivered.
    pub delivery: Delivery,
    /// When.
    pub decided_at: DateTime<Utc>,
    /// The run it belongs to.
    pub run: Option<Uuid>,
    /// What it counts.
    pub count: Option<u64>,
    /// Why, for a refusal.
    pub reason: Option<String>,
    /// The consumer.
    pub consumer: ConsumerId,
    /// The requesting party.
    pub party: String,
    /// Its legitimate interest.
    pub purpose: Option<String>,
    /// The legal basis.
    pub legal_basis: Option<String>,
    /// The clause.
    pub clause: Option<Clause>,
    /// The elements disclosed.
    pub elements: Arc<[String]>,
    /// The elements withheld.
    pub withheld: Arc<[String]>,
    /// To whom the recipient may disclose further.
    pub onward: Arc<[OnwardParty]>,
    /// Whether a steward looks at it before the audience does.
    pub showing: Showing,
    /// The student.
    pub student: Option<StudentId>,
    /// The person who asked; auditors only.
    pub person: Option<Masked<String>>,
    /// The system that asked; auditors only.
    pub system: Option<String>,
    /// On whose behalf; auditors only.
    pub on_behalf_of: Option<Masked<String>>,
    /// The order, release or request; auditors only.
    pub authority: Option<Masked<String>>,
    /// The threat, in an emergency.
    pub threat: Option<Masked<String>>,
    /// The digest of what was sent; auditors only.
    pub digest: Option<Hash>,
    /// Whether the personal part was destroyed.
    pub is_erased: bool,
}

/// Where a page of a record of disclosures ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The time of the last entry shown.
    pub decided_at: DateTime<Utc>,
    /// Its id.
    pub id: DisclosureId,
}

impl RecordedEntry {
    /// Where to go on behind this entry.
    pub const fn cursor(&self) -> Cursor {
        Cursor { decided_at: self.decided_at, id: self.id }
    }
}

/// What a record of disclosures is of; what is absent does not matter, but one of students and request is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordScope {
    /// About these students.
    pub students: Option<Vec<Since>>,
    /// Of this request.
    pub request: Option<OfRequest>,
    /// Decided at or after.
    pub from: Option<DateTime<Utc>>,
    /// Decided before.
    pub to: Option<DateTime<Utc>>,
}

impl RecordScope {
    /// All that is recorded of one student.
    pub fn of(student: StudentId) -> Self {
        Self { students: Some(vec![Since { student, since: None }]), ..Self::default() }
    }

    /// Whether it may be asked for this audience: a copy for anybody but the SEA's auditors is about students who are known, or it could show one
    /// family what was disclosed of another's child.
    pub(crate) fn check(&self, audience: Audience) -> Result<(), Error> {
        match (&self.students, &self.request) {
            (None, None) => Err(Error::Invalid("a record of disclosures is of students or of a request")),
            (None, Some(_)) if audience != Audience::Auditor => {
                Err(Error::Invalid("a copy for anybody but an auditor is about named students"))
            }
            (Some(students), _) if students.len() > STUDENTS_MAX => {
                Err(Error::Invalid("a page of a record of disclosures is of at most 1000 students"))
            }
            _ => Ok(()),
        }
    }
}

/// The most students of one page.
pub const STUDENTS_MAX: usize = 1_000;

/// A student, and from when on entries about them count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    /// The student.
    pub student: StudentId,
    /// The first instant; `None`: from the beginning.
    pub since: Option<DateTime<Utc>>,
}

/// A request by what entries bear of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OfRequest {
    /// Runs, or entries themselves.
    pub ids: Vec<Uuid>,
    /// What they rest on, in the words of entries.
    pub authorities: Vec<String>,
}

/// What an auditor looks for; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Of this consumer.
    pub consumer: Option<ConsumerId>,
    /// Of this run.
    pub run: Option<Uuid>,
    /// Decided at or after.
    pub from: Option<DateTime<Utc>>,
    /// Decided before.
    pub to: Option<DateTime<Utc>>,
}

/// The columns of a record of disclosures as CSV, in the order of 34 CFR 99.32(a)(3) and 300.614.
const CSV_HEADER: &[&str] = &[
    "date_time",
    "kind",
    "party",
    "purpose",
    "legal_basis",
    "agreement",
    "agreement_version",
    "clause",
    "elements",
    "further_parties",
    "delivery",
    "reason",
    "person",
    "system",
    "on_behalf_of",
    "authority",
    "threat",
    "entry_id",
    "leaf_index",
];

/// Whether a record of disclosures names the student of each entry: one of a school or of a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Students {
    /// It is about one, whom whoever asked knows.
    One,
    /// Each line names its own, by our own id, in a column behind the others.
    Named,
}

/// A record of disclosures as CSV: RFC 4180, one line per entry, lists joined with semicolons.
///
/// A cell that a spreadsheet would take for a formula is preceded by an apostrophe.
pub fn to_csv(entries: &[RecordedEntry], students: Students) -> String {
    let mut csv = CSV_HEADER.join(",");
    if students == Students::Named {
        csv.push_str(",student");
    }
    csv.push_str("\r\n");
    for entry in entries {
        let cells = csv_cells(entry).map(|cell| quoted(&cell));
        csv.push_str(&cells.join(","));
        if students == Students::Named {
            csv.push(',');
            csv.push_str(&entry.student.map(|student| student.to_string()).unwrap_or_default());
        }
        csv.push_str("\r\n");
    }
    csv
}

fn csv_cells(entry: &RecordedEntry) -> [String; CSV_HEADER.len()] {
    let clause = entry.clause.as_ref();
    let further: Vec<String> =
        entry.onward.iter().map(|onward| format!("{} ({})", onward.party, onward.interest)).collect();
    [
        instant(entry.decided_at),
        entry.kind.to_string(),
        entry.party.clone(),
        entry.purpose.clone().unwrap_or_default(),
        entry.legal_basis.clone().unwrap_or_default(),
        clause.map(|clause| clause.agreement.clone()).unwrap_or_default(),
        clause.map(|clause| clause.version.to_string()).unwrap_or_default(),
        clause.map(|clause| clause.clause.clone()).unwrap_or_default(),
        entry.elements.join(";"),
        further.join(";"),
        entry.delivery.to_string(),
        entry.reason.clone().unwrap_or_default(),
        opened(entry.person.as_ref()),
        entry.system.clone().unwrap_or_default(),
        opened(entry.on_behalf_of.as_ref()),
        opened(entry.authority.as_ref()),
        opened(entry.threat.as_ref()),
        entry.id.to_string(),
        entry.leaf_index.map(|index| index.to_string()).unwrap_or_default(),
    ]
}

fn opened(text: Option<&Masked<String>>) -> String {
    text.map(|text| text.expose().clone()).unwrap_or_default()
}

fn quoted(cell: &str) -> String {
    let cell = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

/// A record of disclosures as one JSON array.
pub fn to_json(entries: &[RecordedEntry]) -> Result<String, Error> {
    let entries: Vec<serde_json::Value> = entries.iter().map(json_of).collect();
    serde_json::to_string_pretty(&entries).map_err(|_| Error::Corrupt("the record could not be written as JSON"))
}

fn json_of(entry: &RecordedEntry) -> serde_json::Value {
    let shown = |text: Option<&Masked<String>>| text.map(|text| text.expose().clone());
    let further: Vec<_> = entry
        .onward
        .iter()
        .map(|onward| serde_json::json!({ "party": onward.party, "interest": onward.interest }))
        .collect();
    serde_json::json!({
        "entry_id": entry.id.to_string(),
        "leaf_index": entry.leaf_index,
        "date_time": instant(entry.decided_at),
        "kind": entry.kind.as_str(),
        "delivery": entry.delivery.as_str(),
        "consumer": entry.consumer.as_str(),
        "party": entry.party,
        "purpose": entry.purpose,
        "legal_basis": entry.legal_basis,
        "agreement": entry.clause.as_ref().map(|clause| &clause.agreement),
        "agreement_version": entry.clause.as_ref().map(|clause| clause.version),
        "clause": entry.clause.as_ref().map(|clause| &clause.clause),
        "student": entry.student.map(|student| student.to_string()),
        "elements": &*entry.elements,
        "withheld": &*entry.withheld,
        "further_parties": further,
        "needs_review": entry.showing == Showing::AfterReview,
        "reason": entry.reason,
        "person": shown(entry.person.as_ref()),
        "system": entry.system,
        "on_behalf_of": shown(entry.on_behalf_of.as_ref()),
        "authority": shown(entry.authority.as_ref()),
        "threat": shown(entry.threat.as_ref()),
        "digest": entry.digest.map(|digest| digest.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        for (cell, expect) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"so\"", "\"say \"\"so\"\"\""),
            ("=1+1", "'=1+1"),
            ("@x,y", "\"'@x,y\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(quoted(cell), expect);
        }
    }
}
