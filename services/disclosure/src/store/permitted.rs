//! The one statement that reads what an agreement permits.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, NaiveDate, Utc};
use domains::{Names, StoredFact, read_pack, read_payload};
use model::{BatchId, Certification, ConsumerId, Domain, Lineage, Period, SchoolYear, SourcePersonId, StudentId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;

/// What the statement needs beside the population.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) consumer: &'a ConsumerId,
    pub(crate) person_keys: &'a [String],
    pub(crate) purpose: &'a str,
    pub(crate) delivery: &'a str,
    pub(crate) office: Option<&'a str>,
    /// A person's own office, if they see their office's clients.
    pub(crate) own_office: Option<&'a str>,
    /// A person as rosters name the officer, if they see their own clients.
    pub(crate) own_officer: Option<&'a str>,
    pub(crate) at: DateTime<Utc>,
}

/// What one clause permits of one domain of one source person of a student.
pub(crate) struct Permitted {
    pub(crate) student: StudentId,
    pub(crate) domain: Domain,
    pub(crate) clause: String,
    pub(crate) legal_basis: String,
    pub(crate) elements: Vec<String>,
    pub(crate) facts: Vec<StoredFact>,
}

/// A row of the statement: what a clause permits of a domain of a source person, with all its facts where they are packed; or, if it has a kind, one
/// of the facts that it permits.
struct PermittedRow {
    /// The same number for a clause's row and its facts.
    place: i64,
    domain: i16,
    student_id: Option<Uuid>,
    clause: Option<String>,
    legal_basis: Option<String>,
    elements: Option<Vec<String>>,
    packed: Option<String>,
    source_person_id: Option<i64>,
    kind: Option<String>,
    school_year: Option<i16>,
    valid_from: Option<NaiveDate>,
    valid_to: Option<NaiveDate>,
    lea: Option<String>,
    facility: Option<String>,
    certification: Option<i16>,
    line: Option<i32>,
    payload: Option<String>,
    recorded_batch: Option<i64>,
    sea: Option<String>,
    file_name: Option<String>,
    recorded_at: Option<DateTime<Utc>>,
    reported_on: Option<NaiveDate>,
}

/// Everything the activated terms permit of these clients, at one moment. The twin of `agreements::decide`: of the bases that hold for a student
/// the first in the agreement's order decides, and each fact comes by exactly one clause. What is said once of many facts is sent once.
///
/// A clause that permits a whole domain without bounds takes it packed, if `history.packed` has it: the same facts, in the same snapshot.
pub(crate) async fn list_permitted_facts(
    conn: &mut PgConnection,
    reading: Reading<'_>,
) -> Result<Vec<Permitted>, Error> {
    let rows = sqlx::query_as!(
        PermittedRow,
        r#"-- disclosure.list_permitted_facts
        WITH rule AS (
            SELECT r.consumer, r.person_key, r.clause, r.domain, r.legal_basis, r.basis_rank, r.purposes, r.deliveries, r.elements,
                r.school_year_from, r.school_year_to, r.max_age_years, r.exclude_kinds, r.requires_authority, r.requires_pre_adjudication,
                r.ends_at_majority, r.begins_at_majority, r.time_zone, r.valid_from, r.valid_to
            FROM agreements.rule AS r WHERE r.consumer = $1 AND r.person_key IS NULL
            UNION ALL
            SELECT r.consumer, r.person_key, r.clause, r.domain, r.legal_basis, r.basis_rank, r.purposes, r.deliveries, r.elements,
                r.school_year_from, r.school_year_to, r.max_age_years, r.exclude_kinds, r.requires_authority, r.requires_pre_adjudication,
                r.ends_at_majority, r.begins_at_majority, r.time_zone, r.valid_from, r.valid_to
            FROM agreements.rule AS r WHERE r.consumer = $1 AND r.person_key = ANY($2)
        ), holding AS (
            SELECT DISTINCT p.student_id, p.source_person_id, r.basis_rank, r.legal_basis, r.clause, r.domain, r.elements, r.school_year_from,
                r.school_year_to, r.exclude_kinds,
                ($6 AT TIME ZONE r.time_zone)::date - make_interval(years => r.max_age_years) AS not_before
            FROM identity.population AS p
            JOIN rule AS r ON r.consumer = p.consumer AND (r.person_key IS NULL OR r.person_key = p.person_key)
            WHERE p.consumer = $1 AND p.person_key = ANY($2)
                AND $3 = ANY(r.purposes) AND $4 = ANY(r.deliveries)
                AND ($5::text IS NULL OR p.office = $5)
                AND ($7::text IS NULL OR p.office = $7)
                AND ($8::text IS NULL OR p.officer = $8)
                AND r.valid_from <= $6 AND (r.valid_to IS NULL OR $6 < r.valid_to)
                AND (NOT r.requires_authority OR p.legal_basis = r.legal_basis)
                AND (NOT r.requires_pre_adjudication OR p.phase = 'pre_adjudication')
                AND (NOT r.ends_at_majority OR $6 < ((p.birth_date + interval '18 years') AT TIME ZONE r.time_zone))
                AND (NOT r.begins_at_majority OR ((p.birth_date + interval '18 years') AT TIME ZONE r.time_zone) <= $6)
        ), chosen AS (
            SELECT h.student_id, min(h.basis_rank) AS basis_rank FROM holding AS h GROUP BY h.student_id
        ), held AS MATERIALIZED (
            SELECT row_number() OVER () AS place, h.student_id, h.source_person_id, h.legal_basis, h.clause, h.domain, h.elements,
                h.school_year_from, h.school_year_to, h.exclude_kinds, h.not_before, k.facts AS packed
            FROM holding AS h
            JOIN chosen AS c ON c.student_id = h.student_id AND c.basis_rank = h.basis_rank
            LEFT JOIN history.packed AS k ON k.source_person_id = h.source_person_id AND k.domain = h.domain
                AND h.school_year_from IS NULL AND h.school_year_to IS NULL AND h.not_before IS NULL AND cardinality(h.exclude_kinds) = 0
        )
        SELECT h.place AS "place!", h.domain AS "domain!", h.student_id, h.clause, h.legal_basis, h.elements, h.packed,
            h.source_person_id, NULL::text AS kind, NULL::smallint AS school_year, NULL::date AS valid_from,
            NULL::date AS valid_to, NULL::text AS lea, NULL::text AS facility, NULL::smallint AS certification, NULL::integer AS line,
            NULL::text AS payload, NULL::bigint AS recorded_batch, NULL::text AS sea, NULL::text AS file_name,
            NULL::timestamptz AS recorded_at, NULL::date AS reported_on
        FROM held AS h
        UNION ALL
        SELECT h.place, h.domain, NULL, NULL, NULL, NULL, NULL, f.source_person_id, f.kind, f.school_year, f.valid_from, f.valid_to,
            f.lea, f.facility, f.certification, f.line, f.payload::text, f.recorded_batch, f.sea, f.file_name, f.recorded_at, f.reported_on
        FROM held AS h
        JOIN history.disclosable AS f ON f.source_person_id = h.source_person_id AND f.domain = h.domain
        WHERE h.packed IS NULL
            AND (h.school_year_from IS NULL OR h.school_year_from <= f.school_year)
            AND (h.school_year_to IS NULL OR f.school_year <= h.school_year_to)
            AND (h.not_before IS NULL OR h.not_before <= COALESCE(f.valid_to, f.valid_from))
            AND NOT f.kind = ANY(h.exclude_kinds)"#,
        reading.consumer.as_str(),
        reading.person_keys,
        reading.purpose,
        reading.delivery,
        reading.office,
        reading.at,
        reading.own_office,
        reading.own_officer,
    )
    .fetch_all(conn)
    .await?;
    gather(rows)
}

/// The enrollment of source persons as it was reported: for what is found out inside, and never given out. The transaction acts for the state's own stewards.
pub(crate) async fn list_enrollment_facts(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
) -> Result<Vec<StoredFact>, Error> {
    let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
    let rows = sqlx::query_as!(
        PermittedRow,
        r#"-- disclosure.list_enrollment_facts
        SELECT 0::bigint AS "place!", f.domain AS "domain!", NULL::uuid AS student_id, NULL::text AS clause, NULL::text AS legal_basis,
            NULL::text[] AS elements, NULL::text AS packed, f.source_person_id, f.kind, f.school_year, f.valid_from, f.valid_to, f.lea, f.facility,
            f.certification, f.line, f.payload::text AS payload, f.recorded_batch, f.sea, f.file_name, f.recorded_at, f.reported_on
        FROM history.disclosable AS f
        WHERE f.source_person_id = ANY($1) AND f.domain = 2"#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    enrollment(rows)
}

/// The reports of enrollment that name one of these facilities as a student's second one. The transaction acts for the state's own stewards.
pub(crate) async fn list_facts_in_facilities(
    conn: &mut PgConnection,
    facilities: &[String],
) -> Result<Vec<StoredFact>, Error> {
    let rows = sqlx::query_as!(
        PermittedRow,
        r#"-- disclosure.list_facts_in_facilities
        SELECT 0::bigint AS "place!", f.domain AS "domain!", NULL::uuid AS student_id, NULL::text AS clause, NULL::text AS legal_basis,
            NULL::text[] AS elements, NULL::text AS packed, f.source_person_id, f.kind, f.school_year, f.valid_from, f.valid_to, f.lea, f.facility,
            f.certification, f.line, f.payload::text AS payload, f.recorded_batch, f.sea, f.file_name, f.recorded_at, f.reported_on
        FROM history.disclosable AS f
        WHERE f.domain = 2 AND f.payload ->> 'facility_2_id' = ANY($1)"#,
        facilities,
    )
    .fetch_all(conn)
    .await?;
    enrollment(rows)
}

fn enrollment(rows: Vec<PermittedRow>) -> Result<Vec<StoredFact>, Error> {
    let mut names = Names::default();
    let lacks = || Error::Corrupt("a fact of enrollment lacks what all of them have".to_owned());
    rows.into_iter().map(|row| row.into_fact(Domain::Enrollment, &mut names)?.ok_or_else(lacks)).collect()
}

/// Puts facts to the clauses that permit them, in whatever order both come.
fn gather(rows: Vec<PermittedRow>) -> Result<Vec<Permitted>, Error> {
    let mut names = Names::default();
    let mut held: BTreeMap<i64, Permitted> = BTreeMap::new();
    let mut facts: Vec<(i64, StoredFact)> = Vec::with_capacity(rows.len());
    for row in rows {
        let place = row.place;
        let domain = Domain::from_code(row.domain).ok_or_else(|| Error::Corrupt(format!("domain {}", row.domain)))?;
        let lacks = || Error::Corrupt(format!("what is permitted of {domain} lacks what all of it has"));
        if row.kind.is_some() {
            facts.push((place, row.into_fact(domain, &mut names)?.ok_or_else(lacks)?));
        } else {
            held.insert(place, row.into_clause(domain, &mut names)?.ok_or_else(lacks)?);
        }
    }
    for (place, fact) in facts {
        let permitted = held.get_mut(&place).filter(|permitted| permitted.domain == fact.domain);
        permitted.ok_or_else(|| Error::Corrupt("a fact that no clause permits".to_owned()))?.facts.push(fact);
    }
    Ok(held.into_values().collect())
}

impl PermittedRow {
    fn into_clause(self, domain: Domain, names: &mut Names) -> Result<Option<Permitted>, Error> {
        let person = self.source_person_id.map(SourcePersonId);
        let facts = match (self.packed, person) {
            (Some(packed), Some(person)) => {
                read_pack(person, domain, &packed, names).map_err(|error| Error::Corrupt(error.to_string()))?
            }
            _ => Vec::new(),
        };
        let clause = || {
            Some(Permitted {
                student: StudentId(self.student_id?),
                domain,
                clause: self.clause?,
                legal_basis: self.legal_basis?,
                elements: self.elements?,
                facts,
            })
        };
        Ok(clause())
    }

    fn into_fact(self, domain: Domain, names: &mut Names) -> Result<Option<StoredFact>, Error> {
        let corrupt = |error: &dyn std::error::Error| Error::Corrupt(error.to_string());
        let valid = Period::new(self.valid_from, self.valid_to).map_err(|error| corrupt(&error))?;
        let Some(payload) = self.payload else { return Ok(None) };
        let payload = read_payload(domain, &payload).map_err(|error| corrupt(&error))?;
        let fact = || {
            let (person, sea) = (SourcePersonId(self.source_person_id?), names.shared(&self.sea?));
            Some(StoredFact {
                source_person: person,
                sea: Arc::clone(&sea),
                domain,
                kind: self.kind?,
                school_year: self.school_year.map(SchoolYear),
                valid,
                lea: self.lea,
                facility: self.facility,
                certification: if self.certification? == 0 {
                    Certification::Preliminary
                } else {
                    Certification::Certified
                },
                source: Lineage {
                    batch: BatchId(self.recorded_batch?),
                    file: names.shared(&self.file_name?),
                    line: self.line?.unsigned_abs(),
                    recorded_on: Some(self.recorded_at?.date_naive()),
                    reported_on: self.reported_on,
                    sea,
                    person: Some(person),
                },
                concealed: false,
                payload,
            })
        };
        Ok(fact())
    }
}
