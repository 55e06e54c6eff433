//! One student a line: all that is disclosed, and what is withheld by name.

use std::path::Path;

use disclosure::DisclosedHistory;
use model::{Awaited, Certification, Domain, Row, Section, SectionState};
use serde_json::{Map, Value as Json, json};

use super::{Format, table::state};
use crate::{Error, FileEntry, delivery::PartFile};

/// The file's name.
const FILE: &str = "histories.ndjson";

/// The format as it writes.
pub struct Ndjson {
    file: PartFile,
}

impl Ndjson {
    /// Begins the file in a folder.
    pub fn begin(folder: &Path) -> Result<Self, Error> {
        Ok(Self { file: PartFile::create(folder, FILE)? })
    }
}

impl Format for Ndjson {
    fn write(&mut self, history: &DisclosedHistory) -> Result<(), Error> {
        self.file.append(&line(history), 1)
    }

    fn finish(self: Box<Self>) -> Result<Vec<FileEntry>, Error> {
        Ok(vec![self.file.finish()?])
    }
}

/// One history as its line, line feed included: the domains, what is withheld, and on what terms all of it was disclosed.
pub fn line(history: &DisclosedHistory) -> Vec<u8> {
    let mut object = Map::new();
    object.insert("person_id".to_owned(), json!(history.person_key().expose()));
    object.insert("disclosure_id".to_owned(), json!(history.disclosure().to_string()));
    object.insert("content_digest".to_owned(), json!(hex::encode(history.content_digest())));
    object.insert("recipient".to_owned(), json!(history.recipient()));
    object.insert("legal_basis".to_owned(), json!(history.legal_basis()));
    object.insert(
        "agreement".to_owned(),
        json!({ "title": history.agreement_title(), "version": history.agreement_version() }),
    );
    object.insert("redisclosure_notice".to_owned(), json!(history.notice()));
    object.insert("retention_days".to_owned(), json!(history.retention_days()));
    object.insert("decided_at".to_owned(), json!(history.decided_at().to_rfc3339()));
    object.insert("as_of".to_owned(), json!(history.as_of().to_rfc3339()));
    let mut withheld = Vec::new();
    let (mut states, mut awaited) = (Map::new(), Map::new());
    for section in history.sections() {
        withheld.extend(section.withheld.iter().map(|name| format!("{}.{name}", section.domain.name())));
        states.insert(section.domain.name().to_owned(), json!(state(section)));
        object.insert(section.domain.name().to_owned(), section_json(section));
        if let Some(due) = &section.awaited {
            awaited.insert(section.domain.name().to_owned(), awaited_json(due));
        }
    }
    object.insert("sections".to_owned(), Json::Object(states));
    if !awaited.is_empty() {
        object.insert("awaited".to_owned(), Json::Object(awaited));
    }
    object.insert("withheld".to_owned(), json!(withheld));
    let mut rows = history.sections().iter().flat_map(|section| &section.rows);
    if rows.any(|row| row.certification == Certification::Preliminary) {
        object.insert("preliminary".to_owned(), Json::Bool(true));
    }
    let mut bytes = Json::Object(object).to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

/// Student and mobility are objects, the others arrays of rows; what is not permitted is `null`, what is not reported is empty.
fn section_json(section: &Section) -> Json {
    match section.domain {
        _ if section.state == SectionState::NotPermitted => Json::Null,
        Domain::Student => student(&section.rows),
        Domain::Mobility => mobility(&section.rows),
        _ => Json::Array(section.rows.iter().map(row).collect()),
    }
}

/// A collection that was due and has not come, with the names of the contract.
fn awaited_json(Awaited { collection, as_of_on, due_on, expected_of }: &Awaited) -> Json {
    json!({ "collection": collection, "as_of_date": as_of_on, "due_date": due_on, "expected_of": expected_of })
}

fn row(row: &Row) -> Json {
    let mut object: Map<String, Json> =
        row.values.iter().map(|(name, value)| ((*name).to_owned(), value.to_json())).collect();
    object.insert(
        "source".to_owned(),
        json!({ "batch": row.source.batch.0, "file": &*row.source.file, "line": row.source.line }),
    );
    if row.certification == Certification::Preliminary {
        object.insert("preliminary".to_owned(), Json::Bool(true));
    }
    Json::Object(object)
}

/// The row learned last, and beside it the identifiers of all rows: a student may have several.
fn student(rows: &[Row]) -> Json {
    let Some(last) = rows.iter().max_by_key(|row| (row.source.batch, row.source.line)) else { return json!({}) };
    let mut object = row(last);
    let identifiers: Vec<Json> = rows
        .iter()
        .map(|row| json!({ "state_id": row.find_text("state_id"), "district_student_id": row.find_text("district_student_id") }))
        .collect();
    if let Json::Object(map) = &mut object
        && rows.iter().any(|row| row.find("state_id").is_some())
    {
        map.insert("identifiers".to_owned(), Json::Array(identifiers));
    }
    object
}

/// The whole life, with the school years below it.
fn mobility(rows: &[Row]) -> Json {
    let plain =
        |row: &Row| row.values.iter().map(|(name, value)| ((*name).to_owned(), value.to_json())).collect::<Map<_, _>>();
    let mut object = rows.iter().find(|row| row.school_year.is_none()).map(plain).unwrap_or_default();
    if rows.iter().any(|row| row.certification == Certification::Preliminary) {
        object.insert("preliminary".to_owned(), Json::Bool(true));
    }
    let years: Vec<Json> =
        rows.iter().filter(|row| row.school_year.is_some()).map(|row| Json::Object(plain(row))).collect();
    object.insert("school_years".to_owned(), Json::Array(years));
    Json::Object(object)
}
