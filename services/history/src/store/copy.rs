//! Facts on their way in, by COPY: straight into the partition of their domain.

use model::{BatchId, Domain, Edition, SourcePersonId};
use pg::copy::{Json, Rows, Writer};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Encoded, Error, supersede::Insert};

macro_rules! into_partition {
    ($table:literal) => {
        Some(concat!(
            "-- history.copy_facts\nCOPY ",
            $table,
            " (source_person_id, recorded_batch, superseded_batch, line, valid_from, valid_to, domain, school_year, certification,",
            " restriction, natural_key, kind, lea, facility, payload, reported_on, edition) FROM STDIN (FORMAT BINARY)"
        ))
    };
}

/// Columns of that statement.
const FACT_COLUMNS: u16 = 17;

/// The statement that fills a domain's partition. A derived domain has none.
const fn into_partition(domain: Domain) -> Option<&'static str> {
    match domain {
        Domain::Student => into_partition!("identity.person_fact_row"),
        Domain::Enrollment => into_partition!("history.fact_enrollment"),
        Domain::Mobility => None,
        Domain::Attendance => into_partition!("history.fact_attendance"),
        Domain::SpecialEducation => into_partition!("history.fact_special_education"),
        Domain::Discipline => into_partition!("history.fact_discipline"),
        Domain::Assessment => into_partition!("history.fact_assessment"),
        Domain::Course => into_partition!("history.fact_course"),
        Domain::Contact => into_partition!("history.fact_contact"),
        Domain::Program => into_partition!("history.fact_program"),
        Domain::Literacy => into_partition!("history.fact_literacy"),
    }
}

/// Inserts facts of one domain.
pub(crate) async fn copy_facts(
    conn: &mut PgConnection,
    domain: Domain,
    batch: BatchId,
    facts: &[(SourcePersonId, &Encoded)],
    inserts: &[Insert],
) -> Result<(), Error> {
    if inserts.is_empty() {
        return Ok(());
    }
    let statement =
        into_partition(domain).ok_or_else(|| Error::Corrupt(format!("the domain {domain} stores no facts")))?;
    let mut writer = Writer::begin(conn, statement).await?;
    let mut rows = Rows::new(FACT_COLUMNS);
    for insert in inserts {
        let Some((person, told)) = facts.get(insert.place) else { continue };
        put(&mut rows, *person, told, batch, insert);
        if rows.is_full() {
            writer.send(&mut rows).await?;
        }
    }
    writer.send(&mut rows).await?;
    expect(inserts.len(), writer.finish().await?, "facts")
}

fn put(rows: &mut Rows, person: SourcePersonId, told: &Encoded, batch: BatchId, insert: &Insert) {
    let Encoded { fact, json, .. } = told;
    rows.start();
    rows.put(&person.0);
    rows.put(&batch.0);
    rows.put(&insert.superseded_by.map(|batch| batch.0));
    rows.put(&i32::try_from(fact.line).unwrap_or(i32::MAX));
    rows.put(&fact.valid.from());
    rows.put(&fact.valid.to());
    rows.put(&fact.domain.code());
    rows.put(&fact.school_year.map(|year| year.0));
    rows.put(&(fact.certification as i16));
    rows.put(&(fact.restriction as i16));
    rows.put(&Uuid::from_bytes(fact.natural_key.0));
    rows.put(&fact.kind);
    rows.put(&fact.lea);
    rows.put(&fact.facility);
    rows.put(&Json(json.expose()));
    rows.put(&fact.reported_on);
    rows.put(&insert.edition.as_ref().map(Edition::as_str));
}

/// Says that a batch has changed these persons: each once a batch.
pub(crate) async fn copy_touched(
    conn: &mut PgConnection,
    batch: BatchId,
    persons: &[SourcePersonId],
) -> Result<(), Error> {
    if persons.is_empty() {
        return Ok(());
    }
    let statement =
        "-- history.copy_touched\nCOPY history.touched (source_person_id, batch_id) FROM STDIN (FORMAT BINARY)";
    let mut writer = Writer::begin(conn, statement).await?;
    let mut rows = Rows::new(2);
    for person in persons {
        rows.start();
        rows.put(&person.0);
        rows.put(&batch.0);
        if rows.is_full() {
            writer.send(&mut rows).await?;
        }
    }
    writer.send(&mut rows).await?;
    expect(persons.len(), writer.finish().await?, "persons")
}

fn expect(sent: usize, stored: u64, what: &str) -> Result<(), Error> {
    if stored == sent as u64 { Ok(()) } else { Err(Error::Corrupt(format!("{sent} {what} to store, {stored} stored"))) }
}
