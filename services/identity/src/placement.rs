//! Placements: an agency's report that a client entered or left a facility, in its own column names.
//!
//! A placement layout (`deploy/consumers/<consumer>/placements.toml`) says which column holds what. A stay has a client, a facility, an admission and
//! perhaps a release. It has no place for why: a column that the layout does not name refuses the file as a whole, one that speaks of the case by a rule
//! of its own, and every value is a number, a code of the layout or a time, so that no free text can be taken in (C.G.S. 46b-124).
//!
//! Reading knows no database: rows come out, and findings for the rows that cannot be used. [`take`] brings them in, under a role and in a schema that no
//! part of the education record can reach. [`list_matched`] says which students the clients are.

mod file;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
pub use file::read;
use model::{ConsumerId, Entropy, Masked, Sea, SourcePersonId, StudentId};
use plan::plan;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Error,
    store::{
        crosswalk,
        placements::{self as store, NewFile},
        rosters::lock_consumer,
    },
};

/// How an agency's reports of placements are laid out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacementLayout {
    /// The agency's time zone, by IANA name: its times are of that zone.
    pub time_zone: chrono_tz::Tz,
    /// The state whose codes name the facilities, and whose districts are told.
    pub sea: Sea,
    /// Time formats tried in order (strftime).
    pub time_formats: Vec<String>,
    /// Who is told: the recipient whose agreement is about placements.
    pub notifies: ConsumerId,
    /// Which column holds what.
    pub columns: PlacementColumns,
    /// The agency's codes of facilities, and the state's code for each. Any other facility is refused.
    pub facilities: BTreeMap<String, String>,
    /// The agency's codes for what a row is.
    pub records: BTreeMap<String, RecordKind>,
    /// Names of the agency's columns that speak of the case, so that a file with one of them is refused in words that say why.
    #[serde(default)]
    pub case_columns: Vec<String>,
}

/// The columns of a report.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacementColumns {
    /// The agency's own person id.
    pub person_key: String,
    /// The columns that tell one stay from another.
    pub stay: Vec<String>,
    /// The facility, by the agency's code.
    pub facility: String,
    /// When the client was admitted.
    pub admitted: String,
    /// When the client was released; empty while the stay lasts.
    pub released: String,
    /// What the row is.
    pub record: String,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// A stay as it is known now: new, or corrected.
    Stay,
    /// There was no such stay: an earlier report is taken back.
    Withdrawn,
}

impl PlacementLayout {
    /// Reads a layout from its document.
    pub fn parse(text: &str) -> Result<Self, String> {
        let layout: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if layout.columns.stay.is_empty() {
            return Err("columns.stay names no column: nothing would tell one stay from another".to_owned());
        }
        let names = layout.column_names();
        if let Some(column) = layout.case_columns.iter().find(|column| names.contains(&column.as_str())) {
            return Err(format!("{column} is a column of the case, and nothing of a case is taken in"));
        }
        let is_code = |code: &&String| {
            (1..=12).contains(&code.len())
                && code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        };
        match layout.facilities.values().find(|code| !is_code(code)) {
            Some(code) => Err(format!("{code:?} is no code of a facility")),
            None => Ok(layout),
        }
    }

    fn column_names(&self) -> Vec<&str> {
        let c = &self.columns;
        let single = [&c.person_key, &c.facility, &c.admitted, &c.released, &c.record];
        single.into_iter().chain(&c.stay).map(String::as_str).collect()
    }
}

/// A row that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacementRow {
    /// Its line.
    pub line: u64,
    /// The client, by the agency's own person id.
    pub person_key: Masked<String>,
    /// What tells the stay from others, in the agency's own ids.
    pub stay_key: Masked<String>,
    /// The facility, by the state's code.
    pub facility: String,
    /// When the client was admitted.
    pub admitted_at: DateTime<Utc>,
    /// When the client was released, if they were.
    pub released_at: Option<DateTime<Utc>>,
    /// What the row is.
    pub kind: RecordKind,
}

impl PlacementRow {
    /// Whether two rows say the same of a stay, wherever they stand.
    fn says_the_same(&self, other: &Self) -> bool {
        Self { line: 0, ..self.clone() } == Self { line: 0, ..other.clone() }
    }
}

/// Something wrong with a row or a file: where, by which rule, in words. Never a value of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlacementFinding {
    /// The file's name.
    pub file: String,
    /// The line; 0 for the file as a whole.
    pub line: u64,
    /// The column.
    pub field: Option<String>,
    /// The rule.
    pub rule: &'static str,
    /// In words.
    pub message: String,
}

/// A report, read.
#[derive(Clone, Debug, Default)]
pub struct PlacementReport {
    /// Usable rows.
    pub rows: Vec<PlacementRow>,
    /// What is wrong with the others.
    pub findings: Vec<PlacementFinding>,
    /// Rows read.
    pub rows_in: u64,
    /// Why the file as a whole cannot be used, if it cannot.
    pub refused_reason: Option<String>,
}

/// A file of placements as it comes in.
#[derive(Clone, Copy, Debug)]
pub struct PlacementFile<'a> {
    /// Who sent it.
    pub reporter: &'a ConsumerId,
    /// Its name.
    pub name: &'a str,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// The day it speaks of.
    pub reported_on: NaiveDate,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// The sender's receipt: `rows_in` is the sum of `new`, `corrected`, `withdrawn`, `unchanged` and `refused`. It speaks of the agency's own rows only,
/// never of what the state knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlacementReceipt {
    /// Rows read.
    pub rows_in: u64,
    /// Stays not reported before.
    pub new: u64,
    /// Stays that were reported otherwise before.
    pub corrected: u64,
    /// Stays taken back.
    pub withdrawn: u64,
    /// Rows that say what is known.
    pub unchanged: u64,
    /// Rows refused: their findings say why, or the reason why all are.
    pub refused: u64,
    /// What was wrong.
    pub findings: Vec<PlacementFinding>,
    /// The same bytes had come before for the same day, and nothing newer since: nothing was done.
    pub seen_before: bool,
    /// Why the file as a whole was refused, if it was.
    pub refused_reason: Option<String>,
}

/// A stay as it stands: the last version of what was reported of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Our own id, the same for all its versions.
    pub placement: Uuid,
    /// The client, by the reporter's own person id.
    pub person_key: Masked<String>,
    /// What tells the stay from others, in the reporter's own ids.
    pub stay_key: Masked<String>,
    /// The facility, by the state's code.
    pub facility: String,
    /// When the client was admitted.
    pub admitted_at: DateTime<Utc>,
    /// When the client was released, if they were.
    pub released_at: Option<DateTime<Utc>>,
    /// It was taken back.
    pub is_withdrawn: bool,
    /// When this version came.
    pub recorded_at: DateTime<Utc>,
}

/// Takes a report in the caller's transaction, which acts as the role for placements with the setting `reporter`. Whatever is being
/// disclosed of the reporter's clients ends first.
pub async fn take(
    conn: &mut PgConnection,
    file: &PlacementFile<'_>,
    report: PlacementReport,
    entropy: &dyn Entropy,
) -> Result<PlacementReceipt, Error> {
    lock_consumer(conn, file.reporter).await?;
    let mut receipt = PlacementReceipt { rows_in: report.rows_in, findings: report.findings, ..Default::default() };
    let refused = |reason: String, receipt: PlacementReceipt| PlacementReceipt {
        refused: receipt.rows_in,
        refused_reason: Some(reason),
        ..receipt
    };
    if let Some(reason) = report.refused_reason {
        return Ok(refused(reason, receipt));
    }
    let last = store::find_last(conn, file.reporter).await?;
    let is_seen = last.as_ref().is_some_and(|last| last.reported_on == file.reported_on && last.sha256 == file.sha256);
    if let Some(last) = last.filter(|last| last.reported_on > file.reported_on) {
        let reason = format!(
            "the file speaks of {}, but one of {} has been taken: an older file would undo it",
            file.reported_on, last.reported_on
        );
        return Ok(refused(reason, receipt));
    }
    let keys = |of: &dyn Fn(&PlacementRow) -> String| report.rows.iter().map(of).collect::<Vec<String>>();
    let stay_keys = keys(&|row| row.stay_key.expose().clone());
    let person_keys = keys(&|row| row.person_key.expose().clone());
    let current = store::list_current(conn, file.reporter, &stay_keys, &person_keys).await?;
    let planned = plan(file.name, report.rows, &current, file.received_at, entropy);
    receipt.new = planned.new;
    receipt.corrected = planned.corrected;
    receipt.withdrawn = planned.withdrawn;
    receipt.unchanged = planned.unchanged;
    receipt.findings.extend(planned.findings);
    receipt.findings.sort_by_key(|finding| finding.line);
    receipt.refused = receipt.rows_in - receipt.new - receipt.corrected - receipt.withdrawn - receipt.unchanged;
    if is_seen && planned.inserted.is_empty() {
        return Ok(PlacementReceipt { seen_before: true, ..receipt });
    }
    let new = NewFile { file, rows_in: receipt.rows_in, refused: receipt.refused };
    let id = store::insert_file(conn, &new).await?;
    store::supersede(conn, file.reporter, &planned.superseded, file.received_at).await?;
    store::insert_stays(conn, file.reporter, id, &planned.inserted).await?;
    Ok(receipt)
}

/// The stays of a reporter as they stand, withdrawn ones included, but for those that ended before an instant. The caller's transaction acts as the role for
/// placements with the setting `reporter`.
pub async fn list_stays(
    conn: &mut PgConnection,
    reporter: &ConsumerId,
    ended_since: DateTime<Utc>,
) -> Result<Vec<Stay>, Error> {
    Ok(store::list_stays(conn, reporter, ended_since).await?)
}

/// A stay that is over, or was taken back, and of which nothing has come for as long.
#[derive(Clone, Debug)]
pub struct StayOver {
    /// Our own id.
    pub placement: Uuid,
    /// The client, by the reporter's own person id.
    pub person_key: Masked<String>,
    /// Since when: the release, or when it was last reported if that was later.
    pub since: DateTime<Utc>,
}

/// The stays of a reporter that are over since before an instant. The caller's transaction acts as the role for placements with the setting `reporter`.
pub async fn list_over(
    conn: &mut PgConnection,
    reporter: &ConsumerId,
    before: DateTime<Utc>,
) -> Result<Vec<StayOver>, Error> {
    let rows = store::list_over(conn, reporter, before).await?.into_iter();
    Ok(rows.map(|(placement, key, since)| StayOver { placement, person_key: Masked::new(key), since }).collect())
}

/// Destroys stays of a reporter, every version. The caller's transaction acts as the role for placements with the setting `reporter`.
pub async fn destroy(conn: &mut PgConnection, reporter: &ConsumerId, placements: &[Uuid]) -> Result<(), Error> {
    Ok(store::delete(conn, reporter, placements).await?)
}

/// Who these clients are or ever were, by source person, with whether an order restricts any of the persons at an instant.
pub async fn list_persons_placed(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_keys: &[String],
    at: DateTime<Utc>,
) -> Result<Vec<(String, SourcePersonId, bool)>, Error> {
    let rows = store::list_persons_of_clients(conn, consumer, person_keys, at).await?.into_iter();
    Ok(rows.map(|(key, person, is_restricted)| (key, SourcePersonId(person), is_restricted)).collect())
}

/// All source persons that students are now.
pub async fn list_persons_of(
    conn: &mut PgConnection,
    students: &[StudentId],
) -> Result<Vec<(SourcePersonId, StudentId)>, Error> {
    let ids: Vec<Uuid> = students.iter().map(|student| student.0).collect();
    let rows = crosswalk::list_persons_of(conn, &ids).await?.into_iter();
    Ok(rows.map(|(person, student)| (SourcePersonId(person), StudentId(student))).collect())
}

/// When the last report of a reporter was taken. The caller's transaction acts as the role for placements with the setting `reporter`.
pub async fn last_received(
    conn: &mut PgConnection,
    reporter: &ConsumerId,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    store::last_received(conn, reporter).await
}

/// How a client of whom a stay is reported stands with the students.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The client is this student, by these source persons.
    Student {
        /// The student.
        student: StudentId,
        /// Their source persons.
        persons: Vec<SourcePersonId>,
    },
    /// Nothing may be said for now: an order restricts the student, or the match waits for a person.
    Held,
}

/// Which students clients are, by the agency's person ids. Whoever is not in it is no student as far as is known.
pub async fn list_matched(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_keys: &[String],
    at: DateTime<Utc>,
) -> Result<BTreeMap<String, Known>, Error> {
    Ok(store::list_matched(conn, consumer, person_keys, at).await?)
}

/// Which students source persons are now. Whoever is under an order at an instant is not in it.
pub async fn list_owners(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
    at: DateTime<Utc>,
) -> Result<BTreeMap<SourcePersonId, StudentId>, Error> {
    let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
    let rows = store::list_unrestricted_owners(conn, &ids, at).await?;
    Ok(rows.into_iter().map(|(person, student)| (SourcePersonId(person), StudentId(student))).collect())
}

/// The state's identifier of each source person, with the state.
pub async fn list_state_ids(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
) -> Result<BTreeMap<SourcePersonId, (Sea, Masked<String>)>, Error> {
    let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
    let mut found = BTreeMap::new();
    for (person, sea, state_id) in store::list_state_ids(conn, &ids).await? {
        let sea = sea.parse().map_err(|_| Error::Conflict("a stored name of a state cannot be read"))?;
        found.insert(SourcePersonId(person), (sea, Masked::new(state_id)));
    }
    Ok(found)
}
