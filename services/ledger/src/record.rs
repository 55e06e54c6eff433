//! The record of disclosures: entries as people read them back.

use std::{borrow::Cow, sync::Arc};

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
    /// For this purpose, as the agreement names it.
    pub purpose: Option<String>,
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

/// Which of them holds the elements.
const ELEMENTS: usize = 8;

/// Whether a record of disclosures names the student of each entry: one of a school or of a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Students {
    /// It is about one, whom whoever asked knows.
    One,
    /// Each line names its own, by our own id, in a column behind the others.
    Named,
}

/// The forms of text that a copy of a record of disclosures takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyForm {
    /// CSV: RFC 4180, one line per entry, lists joined with semicolons. A cell that a spreadsheet would take for a formula is preceded by an apostrophe.
    Csv(Students),
    /// One JSON array.
    Json,
}

/// Writes a copy of a record of disclosures page by page: [`begin`](Self::begin), [`entries`](Self::entries) as often as there are pages,
/// [`end`](Self::end). What they append is the copy, however it was cut into pages.
#[derive(Debug)]
pub struct CopyWriter {
    form: CopyForm,
    is_first: bool,
    /// Lists of elements as their cells: long, and the same in many entries. The lists are kept with them, so that none takes the place of another.
    cells: Vec<(Arc<[String]>, String)>,
}

/// The lists of elements that a [`CopyWriter`] remembers.
const CELLS_MAX: usize = 16;

impl CopyWriter {
    /// A copy of this form.
    pub const fn new(form: CopyForm) -> Self {
        Self { form, is_first: true, cells: Vec::new() }
    }

    /// What stands before the first entry.
    pub fn begin(&self, out: &mut String) {
        match self.form {
            CopyForm::Csv(students) => {
                out.push_str(&CSV_HEADER.join(","));
                if students == Students::Named {
                    out.push_str(",student");
                }
                out.push_str("\r\n");
            }
            CopyForm::Json => out.push('['),
        }
    }

    /// Entries.
    pub fn entries(&mut self, out: &mut String, entries: &[RecordedEntry]) -> Result<(), Error> {
        for entry in entries {
            match self.form {
                CopyForm::Csv(students) => self.line(out, entry, students),
                CopyForm::Json => {
                    let object = serde_json::to_string_pretty(&json_of(entry));
                    let object = object.map_err(|_| Error::Corrupt("the record could not be written as JSON"))?;
                    out.push_str(if self.is_first { "\n  " } else { ",\n  " });
                    // No text in it holds a line's end: JSON writes those otherwise.
                    out.push_str(&object.replace('\n', "\n  "));
                }
            }
            self.is_first = false;
        }
        Ok(())
    }

    /// What stands behind the last entry.
    pub fn end(&self, out: &mut String) {
        match (self.form, self.is_first) {
            (CopyForm::Csv(_), _) => {}
            (CopyForm::Json, true) => out.push(']'),
            (CopyForm::Json, false) => out.push_str("\n]"),
        }
    }

    fn line(&mut self, out: &mut String, entry: &RecordedEntry, students: Students) {
        for (place, cell) in csv_cells(entry).iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            if place == ELEMENTS { self.elements(out, &entry.elements) } else { out.push_str(&quoted(cell)) }
        }
        if students == Students::Named {
            out.push(',');
            out.push_str(&entry.student.map(|student| student.to_string()).unwrap_or_default());
        }
        out.push_str("\r\n");
    }

    fn elements(&mut self, out: &mut String, elements: &Arc<[String]>) {
        if let Some((_, cell)) = self.cells.iter().find(|(list, _)| Arc::ptr_eq(list, elements)) {
            out.push_str(cell);
            return;
        }
        let cell = quoted(&elements.join(";")).into_owned();
        out.push_str(&cell);
        if self.cells.len() == CELLS_MAX {
            self.cells.remove(0);
        }
        self.cells.push((Arc::clone(elements), cell));
    }
}

/// A record of disclosures as CSV.
pub fn to_csv(entries: &[RecordedEntry], students: Students) -> String {
    // Cannot fail: only JSON can.
    written(CopyForm::Csv(students), entries).unwrap_or_default()
}

/// A record of disclosures as one JSON array.
pub fn to_json(entries: &[RecordedEntry]) -> Result<String, Error> {
    written(CopyForm::Json, entries)
}

fn written(form: CopyForm, entries: &[RecordedEntry]) -> Result<String, Error> {
    let (mut writer, mut out) = (CopyWriter::new(form), String::new());
    writer.begin(&mut out);
    writer.entries(&mut out, entries)?;
    writer.end(&mut out);
    Ok(out)
}

/// All but the elements, which are written once for many entries.
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
        String::new(),
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

fn quoted(cell: &str) -> Cow<'_, str> {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if is_formula { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) };
    if cell.contains(['"', ',', '\n', '\r']) { Cow::Owned(format!("\"{}\"", cell.replace('"', "\"\""))) } else { cell }
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
    use super::{CSV_HEADER, ELEMENTS, quoted};

    #[test]
    fn the_elements_stand_below_their_own_head() {
        assert_eq!(CSV_HEADER[ELEMENTS], "elements");
    }

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
