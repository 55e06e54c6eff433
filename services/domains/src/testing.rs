//! Invented facts for this crate's tests.

use std::sync::Arc;

use chrono::NaiveDate;
use model::{BatchId, Certification, Domain, Lineage, Period, Row, SchoolYear, SourcePersonId, Value};

use crate::{Organization, Organizations, StoredFact};

pub fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// A fact about nothing yet; facts made later with greater lines were learned later.
pub fn fact(domain: Domain, kind: &str, line: u32) -> StoredFact {
    StoredFact {
        source_person: SourcePersonId(1),
        sea: Arc::from("ct"),
        domain,
        kind: kind.to_owned(),
        school_year: None,
        valid: Period::ALWAYS,
        lea: None,
        facility: None,
        certification: Certification::Certified,
        source: Lineage {
            batch: BatchId(1),
            file: Arc::from("file"),
            line,
            recorded_on: Some(day("2026-11-20")),
            reported_on: None,
            sea: Arc::from("ct"),
            person: Some(SourcePersonId(1)),
        },
        concealed: false,
        payload: model::Payload::new(),
    }
}

#[allow(missing_docs, reason = "tests only")]
impl StoredFact {
    #[must_use]
    pub fn with(mut self, element: &str, value: &str) -> Self {
        self.payload.insert(element.to_owned(), Value::Text(value.to_owned()));
        self
    }

    #[must_use]
    pub fn with_value(mut self, element: &str, value: Value) -> Self {
        self.payload.insert(element.to_owned(), value);
        self
    }

    #[must_use]
    pub fn at(mut self, lea: &str, school: &str) -> Self {
        self.lea = Some(lea.to_owned());
        self.payload.insert("local_education_agency_id".to_owned(), Value::Text(lea.to_owned()));
        if !school.is_empty() {
            self.facility = Some(school.to_owned());
            self.payload.insert("school_id".to_owned(), Value::Text(school.to_owned()));
        }
        self
    }

    #[must_use]
    pub fn in_year(mut self, year: SchoolYear) -> Self {
        self.school_year = Some(year);
        self
    }

    #[must_use]
    pub fn recorded(mut self, on: &str) -> Self {
        self.source.recorded_on = Some(day(on));
        self
    }
}

pub fn register(line: u32, lea: &str, school: &str, entry: &str, grade: &str) -> StoredFact {
    let on = day(entry);
    let mut fact = fact(Domain::Enrollment, "register", line)
        .at(lea, school)
        .in_year(SchoolYear::containing(on))
        .with_value("entry_date", Value::Date(on))
        .with("grade_level", grade);
    fact.valid = Period::new(Some(on), None).unwrap();
    fact
}

pub fn unregister(line: u32, lea: &str, exit: Option<&str>, kind: &str) -> StoredFact {
    let fact = fact(Domain::Enrollment, "unregister", line).at(lea, "").with("exit_withdraw_type", kind);
    let Some(on) = exit.map(day) else { return fact };
    let mut fact = fact.in_year(SchoolYear::containing(on)).with_value("exit_withdraw_date", Value::Date(on));
    fact.valid = Period::day(on);
    fact
}

pub fn snapshot(line: u32, lea: &str, school: &str, on: &str, grade: &str) -> StoredFact {
    let on = day(on);
    let mut fact = fact(Domain::Enrollment, "collection", line)
        .at(lea, school)
        .in_year(SchoolYear::containing(on))
        .with_value("snapshot_date", Value::Date(on))
        .with("collection", if on.to_string().contains("-10-") { "October" } else { "June" })
        .with("grade_level", grade);
    fact.valid = Period::day(on);
    fact
}

pub fn change(line: u32, lea: &str, school: &str, grade: &str) -> StoredFact {
    fact(Domain::Enrollment, "change", line).at(lea, school).with("grade_level", grade)
}

/// Detention centres and their district are another agency's.
pub fn organizations() -> Organizations {
    let mut organizations = Organizations::with_rule(|_, code| code.starts_with("348"));
    let named = |name: &str| Organization {
        valid: Period::ALWAYS,
        name: name.to_owned(),
        town: None,
        parent: None,
        other_agency: false,
    };
    organizations.insert("ct", "3480115", named("Bridgeport Detention Center"));
    organizations
}

/// Some elements of each row, blank where absent.
pub fn table(rows: &[Row], elements: &[&str]) -> String {
    let cell = |row: &Row, element: &&str| row.find(element).map(Value::to_plain).unwrap_or_default();
    let line = |row: &Row| elements.iter().map(|element| cell(row, element)).collect::<Vec<_>>().join(" | ");
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
