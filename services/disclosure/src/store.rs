//! The one statement that reads what an agreement permits, and the few that go with it.
//!
//! This file and those beside it read the published views `identity.population`, `agreements.rule`, `history.disclosable`, `history.stated`,
//! `intake.kept_file` and `intake.kept_block`, keep the schema `disclosure`, and touch nothing else.

pub(crate) mod erase;
pub(crate) mod holding;
pub(crate) mod recall;
pub(crate) mod retention;
pub(crate) mod seal;
pub(crate) mod trace;

use std::sync::Arc;

use agreements::Interval;
use chrono::{DateTime, NaiveDate, Utc};
use domains::{StoredFact, definition};
use model::{
    BatchId, Certification, ConsumerId, Domain, Lineage, Payload, Period, SchoolYear, SourcePersonId, StudentId, Value,
};
use sqlx::{PgConnection, postgres::types::PgRange};
use std::ops::Bound;
use uuid::Uuid;

use crate::{Error, withdraw::Feed};

/// Holds the consumer's population still until the transaction ends: an interval that closes waits for what is being
/// disclosed, and what comes after sees it closed. Refuses where the recipient is under seal.
pub(crate) async fn hold_population(conn: &mut PgConnection, consumer: &ConsumerId) -> Result<(), Error> {
    let held = sqlx::query!(
        r#"-- disclosure.hold_population
        SELECT pg_advisory_xact_lock_shared(hashtextextended('identity.' || $1, 0)) AS "held!: ()",
            EXISTS (SELECT FROM disclosure.seal AS s WHERE s.consumer = $1) AS "is_sealed!""#,
        consumer.as_str(),
    )
    .fetch_one(conn)
    .await?;
    if held.is_sealed { Err(Error::Sealed) } else { Ok(()) }
}

/// An authority in force over a client who is a student.
#[derive(Clone, Debug)]
pub(crate) struct MemberRow {
    pub(crate) person_key: String,
    pub(crate) student: StudentId,
    pub(crate) legal_basis: String,
    pub(crate) phase: Option<String>,
    pub(crate) office: Option<String>,
    pub(crate) officer: Option<String>,
    pub(crate) released: Interval,
    pub(crate) birth_date: Option<NaiveDate>,
}

/// The authorities in force over these clients, at the transaction's moment.
pub(crate) async fn list_members(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_keys: &[String],
) -> Result<Vec<MemberRow>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_members
        SELECT DISTINCT p.person_key AS "person_key!", p.student_id AS "student_id!", p.authority_id, p.legal_basis AS "legal_basis!", p.phase,
            p.office, p.officer, p.released AS "released!: PgRange<DateTime<Utc>>", p.birth_date
        FROM identity.population AS p
        WHERE p.consumer = $1 AND p.person_key = ANY($2)
        ORDER BY "person_key!", p.authority_id"#,
        consumer.as_str(),
        person_keys,
    )
    .fetch_all(conn)
    .await?;
    let instant = |bound: Bound<DateTime<Utc>>| match bound {
        Bound::Included(at) | Bound::Excluded(at) => Some(at),
        Bound::Unbounded => None,
    };
    Ok(rows
        .into_iter()
        .map(|row| MemberRow {
            person_key: row.person_key,
            student: StudentId(row.student_id),
            legal_basis: row.legal_basis,
            phase: row.phase,
            office: row.office,
            officer: row.officer,
            released: Interval {
                from: instant(row.released.start).unwrap_or(DateTime::<Utc>::MIN_UTC),
                to: instant(row.released.end),
            },
            birth_date: row.birth_date,
        })
        .collect())
}

/// A page of the population: clients with an authority in force, by person id.
pub(crate) async fn list_population(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    office: Option<&str>,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, Uuid, Option<String>)>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_population
        SELECT p.person_key AS "person_key!", p.student_id AS "student_id!", min(p.office) AS office
        FROM identity.population AS p
        WHERE p.consumer = $1 AND p.person_key > $3 AND ($2::text IS NULL OR p.office = $2)
        GROUP BY p.person_key, p.student_id
        ORDER BY p.person_key
        LIMIT $4"#,
        consumer.as_str(),
        office,
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.person_key, row.student_id, row.office)).collect())
}

/// What the statement needs beside the population.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) consumer: &'a ConsumerId,
    pub(crate) person_keys: &'a [String],
    pub(crate) purpose: &'a str,
    pub(crate) delivery: &'a str,
    pub(crate) office: Option<&'a str>,
    pub(crate) at: DateTime<Utc>,
}

/// A fact that the terms permit, and the clause they permit it by.
pub(crate) struct PermittedFact {
    pub(crate) student: StudentId,
    pub(crate) clause: String,
    pub(crate) legal_basis: String,
    pub(crate) elements: Vec<String>,
    pub(crate) fact: StoredFact,
}

/// A row of `history.disclosable` as a fact.
macro_rules! stored_fact {
    ($row:ident, $files:ident) => {{
        let domain = Domain::from_code($row.domain).ok_or_else(|| Error::Corrupt(format!("domain {}", $row.domain)))?;
        StoredFact {
            source_person: SourcePersonId($row.source_person_id),
            sea: $files.shared(&$row.sea),
            domain,
            kind: $row.kind,
            school_year: $row.school_year.map(SchoolYear),
            valid: Period::new($row.valid_from, $row.valid_to).map_err(|error| Error::Corrupt(error.to_string()))?,
            lea: $row.lea,
            facility: $row.facility,
            certification: if $row.certification == 0 { Certification::Preliminary } else { Certification::Certified },
            source: Lineage {
                batch: BatchId($row.recorded_batch),
                file: $files.shared(&$row.file_name),
                line: $row.line.unsigned_abs(),
                recorded_on: Some($row.recorded_at.date_naive()),
                reported_on: $row.reported_on,
                sea: $files.shared(&$row.sea),
                person: Some(SourcePersonId($row.source_person_id)),
            },
            concealed: false,
            payload: payload(domain, &$row.payload)?,
        }
    }};
}

/// Everything the activated terms permit of these clients, at one moment. The twin of `agreements::decide`: of the bases that hold for a student
/// the first in the agreement's order decides, and each fact comes by exactly one clause.
pub(crate) async fn list_permitted_facts(
    conn: &mut PgConnection,
    reading: Reading<'_>,
) -> Result<Vec<PermittedFact>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_permitted_facts
        WITH holding AS (
            SELECT DISTINCT p.student_id, p.source_person_id, r.basis_rank, r.legal_basis, r.clause, r.domain, r.elements, r.school_year_from,
                r.school_year_to, r.exclude_kinds,
                ($6 AT TIME ZONE r.time_zone)::date - make_interval(years => r.max_age_years) AS not_before
            FROM identity.population AS p
            JOIN agreements.rule AS r ON r.consumer = p.consumer
            WHERE p.consumer = $1 AND p.person_key = ANY($2)
                AND $3 = ANY(r.purposes) AND $4 = ANY(r.deliveries)
                AND ($5::text IS NULL OR p.office = $5)
                AND r.valid_from <= $6 AND (r.valid_to IS NULL OR $6 < r.valid_to)
                AND (r.person_key IS NULL OR r.person_key = p.person_key) AND (r.person_key IS NULL OR r.person_key = ANY($2))
                AND (NOT r.requires_authority OR p.legal_basis = r.legal_basis)
                AND (NOT r.requires_pre_adjudication OR p.phase = 'pre_adjudication')
                AND (NOT r.ends_at_majority OR $6 < ((p.birth_date + interval '18 years') AT TIME ZONE r.time_zone))
                AND (NOT r.begins_at_majority OR ((p.birth_date + interval '18 years') AT TIME ZONE r.time_zone) <= $6)
        ), chosen AS (
            SELECT h.student_id, min(h.basis_rank) AS basis_rank FROM holding AS h GROUP BY h.student_id
        )
        SELECT h.student_id AS "student_id!", h.clause AS "clause!", h.legal_basis AS "legal_basis!", h.elements AS "elements!",
            f.source_person_id AS "source_person_id!", f.domain AS "domain!", f.kind AS "kind!", f.school_year, f.valid_from, f.valid_to,
            f.lea, f.facility, f.certification AS "certification!", f.line AS "line!", f.payload AS "payload!",
            f.recorded_batch AS "recorded_batch!", f.sea AS "sea!", f.file_name AS "file_name!", f.recorded_at AS "recorded_at!",
            f.reported_on
        FROM holding AS h
        JOIN chosen AS c ON c.student_id = h.student_id AND c.basis_rank = h.basis_rank
        JOIN history.disclosable AS f ON f.source_person_id = h.source_person_id AND f.domain = h.domain
        WHERE (h.school_year_from IS NULL OR h.school_year_from <= f.school_year)
            AND (h.school_year_to IS NULL OR f.school_year <= h.school_year_to)
            AND (h.not_before IS NULL OR h.not_before <= COALESCE(f.valid_to, f.valid_from))
            AND NOT f.kind = ANY(h.exclude_kinds)"#,
        reading.consumer.as_str(),
        reading.person_keys,
        reading.purpose,
        reading.delivery,
        reading.office,
        reading.at,
    )
    .fetch_all(conn)
    .await?;
    let mut files = Files::default();
    rows.into_iter()
        .map(|row| {
            let fact = stored_fact!(row, files);
            Ok(PermittedFact {
                student: StudentId(row.student_id),
                clause: row.clause,
                legal_basis: row.legal_basis,
                elements: row.elements,
                fact,
            })
        })
        .collect()
}

/// Names that many rows share, kept once.
#[derive(Default)]
struct Files(std::collections::HashMap<String, Arc<str>>);

impl Files {
    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = name.into();
        self.0.insert(name.to_owned(), Arc::clone(&shared));
        shared
    }
}

/// Reads a stored payload by the domain's definition: what the definition does not know cannot have been stored.
fn payload(domain: Domain, json: &serde_json::Value) -> Result<Payload, Error> {
    let corrupt = |what: &str| Error::Corrupt(format!("a stored {domain} fact {what}"));
    let object = json.as_object().ok_or_else(|| corrupt("is no object"))?;
    object
        .iter()
        .map(|(name, value)| {
            let element = definition(domain)
                .find_element(name)
                .ok_or_else(|| corrupt("has an element that the domain does not know"))?;
            let value =
                Value::from_json(value, element.kind).ok_or_else(|| corrupt("has a value of the wrong kind"))?;
            Ok((name.clone(), value))
        })
        .collect()
}

/// The content digests of what these clients' records were when delivered last.
pub(crate) async fn list_delivered(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    feed: Feed<'_>,
    grant: Option<[u8; 32]>,
    person_keys: &[String],
) -> Result<std::collections::HashMap<String, [u8; 32]>, Error> {
    let rows = sqlx::query!(
        "-- disclosure.list_delivered
        SELECT d.person_key, d.content_digest FROM disclosure.delivered AS d
        WHERE d.consumer = $1 AND d.delivery = $2 AND d.office = $3 AND d.purpose = $4 AND d.person_key = ANY($5)
            AND d.delivered_at IS NOT NULL AND (d.grant_digest IS NULL OR d.grant_digest = $6)
            AND (d.delivery <> 'stream' OR EXISTS (SELECT FROM disclosure.completed AS c WHERE c.run_id = d.run_id))",
        consumer.as_str(),
        feed.delivery,
        feed.office,
        feed.purpose,
        person_keys,
        grant.as_ref().map(<[u8; 32]>::as_slice),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.person_key, row.content_digest.try_into().ok()?))).collect())
}

/// What these clients were delivered last, by client.
pub(crate) async fn list_last_delivered(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    delivery: &str,
    person_keys: &[String],
) -> Result<Vec<crate::Delivered>, Error> {
    let rows = sqlx::query!(
        "-- disclosure.list_last_delivered
        SELECT d.person_key, d.disclosure_id, d.recorded_at FROM disclosure.delivered AS d
        WHERE d.consumer = $1 AND d.delivery = $2 AND d.person_key = ANY($3) AND d.delivered_at IS NOT NULL
        ORDER BY d.person_key",
        consumer.as_str(),
        delivery,
        person_keys,
    )
    .fetch_all(conn)
    .await?;
    let delivered = rows.into_iter().map(|row| crate::Delivered {
        person_key: model::Masked::new(row.person_key),
        disclosure: model::DisclosureId(row.disclosure_id),
        recorded_at: row.recorded_at,
    });
    Ok(delivered.collect())
}

/// Notes what is delivered, in the transaction that records it.
pub(crate) async fn record_delivered(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    feed: Feed<'_>,
    (run, grant): (Option<Uuid>, Option<[u8; 32]>),
    delivered: &[&crate::Disclosed],
) -> Result<(), Error> {
    let histories = || delivered.iter().map(|disclosed| &disclosed.history);
    let keys: Vec<String> = histories().map(|history| history.person_key().expose().clone()).collect();
    let students: Vec<Uuid> = histories().map(|history| history.student().0).collect();
    let ids: Vec<Uuid> = histories().map(|history| history.disclosure().0).collect();
    let digests: Vec<Vec<u8>> = histories().map(|history| history.content_digest().to_vec()).collect();
    let times: Vec<DateTime<Utc>> = histories().map(crate::DisclosedHistory::decided_at).collect();
    sqlx::query!(
        "-- disclosure.record_delivered
        INSERT INTO disclosure.delivered (consumer, person_key, delivery, office, purpose, student_id, disclosure_id, content_digest, run_id,
            grant_digest, recorded_at)
        SELECT $1, u.person_key, $2, $3, $4, u.student_id, u.disclosure_id, u.content_digest, $5, $6, u.recorded_at
        FROM UNNEST($7::text[], $8::uuid[], $9::uuid[], $10::bytea[], $11::timestamptz[])
            AS u (person_key, student_id, disclosure_id, content_digest, recorded_at)
        ON CONFLICT (consumer, delivery, office, purpose, person_key) DO UPDATE SET student_id = EXCLUDED.student_id,
            disclosure_id = EXCLUDED.disclosure_id, content_digest = EXCLUDED.content_digest, run_id = EXCLUDED.run_id,
            grant_digest = EXCLUDED.grant_digest, recorded_at = EXCLUDED.recorded_at, delivered_at = NULL",
        consumer.as_str(),
        feed.delivery,
        feed.office,
        feed.purpose,
        run,
        grant.as_ref().map(<[u8; 32]>::as_slice),
        &keys,
        &students,
        &ids,
        &digests,
        &times,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that these disclosures have arrived whole.
pub(crate) async fn confirm_delivered(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    ids: &[Uuid],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.confirm_delivered
        UPDATE disclosure.delivered SET delivered_at = $3
        WHERE consumer = $1 AND disclosure_id = ANY($2) AND delivered_at IS NULL",
        consumer.as_str(),
        ids,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves a receiver's acknowledged position forward, never back; gives where it is now.
pub(crate) async fn record_acknowledged(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    run: Uuid,
    position: i64,
    at: DateTime<Utc>,
) -> Result<i64, Error> {
    let greatest = sqlx::query_scalar!(
        "-- disclosure.record_acknowledged
        INSERT INTO disclosure.acknowledged AS a (consumer, run_id, position, acknowledged_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (consumer, run_id) DO UPDATE SET position = GREATEST(a.position, EXCLUDED.position),
            acknowledged_at = CASE WHEN a.position < EXCLUDED.position THEN EXCLUDED.acknowledged_at ELSE a.acknowledged_at END
        RETURNING a.position",
        consumer.as_str(),
        run,
        position,
        at,
    )
    .fetch_one(conn)
    .await?;
    Ok(greatest)
}

/// A run that may write files.
#[derive(Clone, Debug)]
pub(crate) struct FileRun {
    pub(crate) run: Uuid,
    pub(crate) consumer: String,
    pub(crate) office: Option<String>,
    pub(crate) as_of: Option<DateTime<Utc>>,
    pub(crate) request: Option<Vec<u8>>,
}

/// Stores that a run may write files.
pub(crate) async fn insert_file_run(conn: &mut PgConnection, begun: &FileRun, at: DateTime<Utc>) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.insert_file_run
        INSERT INTO disclosure.run (run_id, consumer, office, as_of, request, begun_at)
        VALUES ($1, $2, $3, $4, $5, $6)",
        begun.run,
        begun.consumer,
        begun.office,
        begun.as_of,
        begun.request,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The run, if it may write files for the transaction's consumer.
pub(crate) async fn find_file_run(conn: &mut PgConnection, run: Uuid) -> Result<Option<FileRun>, Error> {
    Ok(sqlx::query_as!(
        FileRun,
        "-- disclosure.find_file_run
        SELECT r.run_id AS run, r.consumer, r.office, r.as_of, r.request
        FROM disclosure.run AS r
        WHERE r.run_id = $1",
        run,
    )
    .fetch_optional(conn)
    .await?)
}
