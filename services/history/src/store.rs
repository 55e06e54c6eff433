//! All SQL of the fact store.

mod copy;
pub(crate) mod erase;
pub(crate) mod pack;

use std::collections::BTreeSet;

use chrono::NaiveDate;
pub(crate) use copy::{copy_facts, copy_touched};
use model::{BatchId, Certification, Domain, Edition, Fact, NaturalKey, SourcePersonId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    BatchInfo, Encoded, Error, TombstoneKey,
    supersede::{Compared, Stored},
};

pub(crate) async fn insert_batch(conn: &mut PgConnection, info: &BatchInfo) -> Result<(), Error> {
    sqlx::query!(
        "-- history.insert_batch
        INSERT INTO history.batch (batch_id, sea, file_name, layout, recorded_at) VALUES ($1, $2, $3, $4, $5)",
        info.batch.0,
        info.sea.as_str(),
        info.file_name,
        info.layout,
        info.recorded_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The columns of facts that are compared, as the arrays that UNNEST takes.
#[derive(Default)]
struct Columns {
    person: Vec<i64>,
    key: Vec<Uuid>,
    kind: Vec<String>,
    school_year: Vec<Option<i16>>,
    valid_from: Vec<Option<NaiveDate>>,
    valid_to: Vec<Option<NaiveDate>>,
    lea: Vec<Option<String>>,
    facility: Vec<Option<String>>,
    certification: Vec<i16>,
    restriction: Vec<i16>,
    payload: Vec<String>,
}

impl Columns {
    fn push(&mut self, person: SourcePersonId, Encoded { fact, json }: &Encoded) {
        self.person.push(person.0);
        self.key.push(Uuid::from_bytes(fact.natural_key.0));
        self.kind.push(fact.kind.clone());
        self.school_year.push(fact.school_year.map(|year| year.0));
        self.valid_from.push(fact.valid.from());
        self.valid_to.push(fact.valid.to());
        self.lea.push(fact.lea.clone());
        self.facility.push(fact.facility.clone());
        self.certification.push(fact.certification as i16);
        self.restriction.push(fact.restriction as i16);
        self.payload.push(json.expose().clone());
    }
}

/// Of these places of `facts`, those under whose keys there is a current fact, or any that is marked expunged.
pub(crate) async fn list_known(
    conn: &mut PgConnection,
    domain: Domain,
    facts: &[(SourcePersonId, &Encoded)],
    places: &[usize],
) -> Result<Vec<usize>, Error> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let asked = || places.iter().filter_map(|place| facts.get(*place));
    let persons: Vec<i64> = asked().map(|(person, _)| person.0).collect();
    let keys: Vec<Uuid> = asked().map(|(_, told)| Uuid::from_bytes(told.fact.natural_key.0)).collect();
    // A scalar subquery is asked by the key, each time: as a join, the planner may read the whole partition for every chunk.
    let known = sqlx::query_scalar!(
        r#"-- history.list_known
        SELECT u.place AS "place!"
        FROM UNNEST($2::bigint[], $3::uuid[]) WITH ORDINALITY AS u (person, key, place)
        WHERE (
            SELECT true FROM history.fact AS f
            WHERE f.source_person_id = u.person AND f.domain = $1 AND f.natural_key = u.key
                AND (f.superseded_batch IS NULL OR f.restriction = 1)
            LIMIT 1
        )"#,
        domain.code(),
        &persons,
        &keys,
    )
    .fetch_all(conn)
    .await?;
    let found = known.into_iter().map(|place| {
        let place = place_of(place)?;
        places.get(place).copied().ok_or_else(|| Error::Corrupt("an ordinality too great".to_owned()))
    });
    found.collect()
}

/// The places of those facts under whose keys there ever was a fact.
pub(crate) async fn list_stated(
    conn: &mut PgConnection,
    domain: Domain,
    facts: &[(SourcePersonId, &Fact)],
) -> Result<Vec<usize>, Error> {
    let persons: Vec<i64> = facts.iter().map(|(person, _)| person.0).collect();
    let keys: Vec<Uuid> = facts.iter().map(|(_, fact)| Uuid::from_bytes(fact.natural_key.0)).collect();
    let places = sqlx::query_scalar!(
        r#"-- history.list_stated
        SELECT DISTINCT u.place AS "place!"
        FROM UNNEST($2::bigint[], $3::uuid[]) WITH ORDINALITY AS u (person, key, place)
        JOIN history.fact AS f ON f.source_person_id = u.person AND f.domain = $1 AND f.natural_key = u.key"#,
        domain.code(),
        &persons,
        &keys,
    )
    .fetch_all(conn)
    .await?;
    places.into_iter().map(place_of).collect()
}

/// A place of an array that WITH ORDINALITY has numbered.
fn place_of(ordinality: i64) -> Result<usize, Error> {
    usize::try_from(ordinality - 1).map_err(|_| Error::Corrupt("an ordinality below one".to_owned()))
}

/// The current facts under the keys of those `facts` that are at `known` places, each with the place of the fact it was compared with.
pub(crate) async fn list_current(
    conn: &mut PgConnection,
    domain: Domain,
    facts: &[(SourcePersonId, &Encoded)],
    known: &[usize],
) -> Result<Vec<((usize, Compared), Stored)>, Error> {
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let mut columns = Columns::default();
    for (person, fact) in known.iter().filter_map(|place| facts.get(*place)) {
        columns.push(*person, fact);
    }
    let rows = sqlx::query!(
        r#"-- history.list_current
        SELECT u.place AS "place!", f.source_person_id, f.natural_key, f.recorded_batch, f.line, f.certification, f.edition,
            (f.kind = u.kind AND f.school_year IS NOT DISTINCT FROM u.school_year
                AND f.valid_from IS NOT DISTINCT FROM u.valid_from AND f.valid_to IS NOT DISTINCT FROM u.valid_to
                AND f.lea IS NOT DISTINCT FROM u.lea AND f.facility IS NOT DISTINCT FROM u.facility
                AND f.certification = u.certification AND f.restriction = u.restriction
                AND f.payload = u.payload::jsonb) AS "same!"
        FROM UNNEST($2::bigint[], $3::uuid[], $4::text[], $5::smallint[], $6::date[], $7::date[], $8::text[], $9::text[],
                $10::smallint[], $11::smallint[], $12::text[])
            WITH ORDINALITY AS u (person, key, kind, school_year, valid_from, valid_to, lea, facility, certification, restriction, payload, place)
        JOIN history.fact AS f ON f.source_person_id = u.person AND f.domain = $1 AND f.natural_key = u.key AND f.superseded_batch IS NULL"#,
        domain.code(),
        &columns.person,
        &columns.key,
        &columns.kind,
        &columns.school_year as &[Option<i16>],
        &columns.valid_from as &[Option<NaiveDate>],
        &columns.valid_to as &[Option<NaiveDate>],
        &columns.lea as &[Option<String>],
        &columns.facility as &[Option<String>],
        &columns.certification,
        &columns.restriction,
        &columns.payload,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let place = place_of(row.place)?;
            let place =
                known.get(place).copied().ok_or_else(|| Error::Corrupt("an ordinality too great".to_owned()))?;
            let stored = Stored {
                person: SourcePersonId(row.source_person_id),
                key: NaturalKey(*row.natural_key.as_bytes()),
                batch: BatchId(row.recorded_batch),
                line: u32::try_from(row.line).map_err(|_| Error::Corrupt("a line below zero".to_owned()))?,
                certification: if row.certification == 0 {
                    Certification::Preliminary
                } else {
                    Certification::Certified
                },
                edition: row.edition.map(Edition::from_stored),
            };
            Ok(((place, Compared { same: row.same }), stored))
        })
        .collect()
}

pub(crate) async fn mark_superseded(
    conn: &mut PgConnection,
    domain: Domain,
    batch: BatchId,
    stored: &[Stored],
) -> Result<u64, Error> {
    if stored.is_empty() {
        return Ok(0);
    }
    let persons: Vec<i64> = stored.iter().map(|s| s.person.0).collect();
    let keys: Vec<Uuid> = stored.iter().map(|s| Uuid::from_bytes(s.key.0)).collect();
    let batches: Vec<i64> = stored.iter().map(|s| s.batch.0).collect();
    let lines: Vec<i32> = stored.iter().map(|s| i32::try_from(s.line).unwrap_or(i32::MAX)).collect();
    let result = sqlx::query!(
        "-- history.mark_superseded
        UPDATE history.fact AS f SET superseded_batch = $2
        FROM UNNEST($3::bigint[], $4::uuid[], $5::bigint[], $6::integer[]) AS u (person, key, batch, line)
        WHERE f.source_person_id = u.person AND f.domain = $1 AND f.natural_key = u.key AND f.recorded_batch = u.batch AND f.line = u.line
            AND f.superseded_batch IS NULL",
        domain.code(),
        batch.0,
        &persons,
        &keys,
        &batches,
        &lines,
    )
    .execute(conn)
    .await?;
    if result.rows_affected() != stored.len() as u64 {
        return Err(Error::Corrupt(format!(
            "{} current facts to supersede, {} found",
            stored.len(),
            result.rows_affected()
        )));
    }
    Ok(result.rows_affected())
}

/// Says of current facts that a later edition has said them again. Nothing else of them changes.
pub(crate) async fn raise_editions(
    conn: &mut PgConnection,
    domain: Domain,
    raised: &[(Stored, Edition)],
) -> Result<(), Error> {
    if raised.is_empty() {
        return Ok(());
    }
    let persons: Vec<i64> = raised.iter().map(|(s, _)| s.person.0).collect();
    let keys: Vec<Uuid> = raised.iter().map(|(s, _)| Uuid::from_bytes(s.key.0)).collect();
    let batches: Vec<i64> = raised.iter().map(|(s, _)| s.batch.0).collect();
    let lines: Vec<i32> = raised.iter().map(|(s, _)| i32::try_from(s.line).unwrap_or(i32::MAX)).collect();
    let editions: Vec<String> = raised.iter().map(|(_, edition)| edition.as_str().to_owned()).collect();
    let result = sqlx::query!(
        "-- history.raise_editions
        UPDATE history.fact AS f SET edition = u.edition
        FROM UNNEST($2::bigint[], $3::uuid[], $4::bigint[], $5::integer[], $6::text[]) AS u (person, key, batch, line, edition)
        WHERE f.source_person_id = u.person AND f.domain = $1 AND f.natural_key = u.key AND f.recorded_batch = u.batch AND f.line = u.line
            AND f.superseded_batch IS NULL",
        domain.code(),
        &persons,
        &keys,
        &batches,
        &lines,
        &editions,
    )
    .execute(conn)
    .await?;
    if result.rows_affected() != raised.len() as u64 {
        return Err(Error::Corrupt(format!("{} current facts, {} found", raised.len(), result.rows_affected())));
    }
    Ok(())
}

/// Of the keys of those `facts` that are at `known` places, those of which any version, current or not, is marked expunged.
pub(crate) async fn list_expunged(
    conn: &mut PgConnection,
    domain: Domain,
    facts: &[(SourcePersonId, &Encoded)],
    known: &[usize],
) -> Result<BTreeSet<(SourcePersonId, NaturalKey)>, Error> {
    if known.is_empty() {
        return Ok(BTreeSet::new());
    }
    let asked = || known.iter().filter_map(|place| facts.get(*place));
    let persons: Vec<i64> = asked().map(|(person, _)| person.0).collect();
    let keys: Vec<Uuid> = asked().map(|(_, told)| Uuid::from_bytes(told.fact.natural_key.0)).collect();
    let rows = sqlx::query!(
        "-- history.list_expunged
        SELECT DISTINCT f.source_person_id, f.natural_key
        FROM history.fact AS f
        JOIN UNNEST($2::bigint[], $3::uuid[]) AS u (person, key) ON f.source_person_id = u.person AND f.natural_key = u.key
        WHERE f.domain = $1 AND f.restriction = 1",
        domain.code(),
        &persons,
        &keys,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (SourcePersonId(row.source_person_id), NaturalKey(row.natural_key.into_bytes())))
        .collect())
}

/// Puts the source's restriction on every version of these facts, earlier ones and the current one included.
pub(crate) async fn restrict_versions(
    conn: &mut PgConnection,
    domain: Domain,
    facts: &[(SourcePersonId, &Encoded)],
) -> Result<(), Error> {
    if facts.is_empty() {
        return Ok(());
    }
    let persons: Vec<i64> = facts.iter().map(|(person, _)| person.0).collect();
    let keys: Vec<Uuid> = facts.iter().map(|(_, told)| Uuid::from_bytes(told.fact.natural_key.0)).collect();
    sqlx::query!(
        "-- history.restrict_versions
        UPDATE history.fact AS f SET restriction = 1
        FROM UNNEST($2::bigint[], $3::uuid[]) AS u (person, key)
        WHERE f.source_person_id = u.person AND f.domain = $1 AND f.natural_key = u.key AND f.restriction = 0",
        domain.code(),
        &persons,
        &keys,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Those of the facts' keys that bear a tombstone.
pub(crate) async fn list_tombstones(
    conn: &mut PgConnection,
    facts: &[(SourcePersonId, &Encoded)],
    secret: &TombstoneKey,
) -> Result<BTreeSet<(SourcePersonId, Domain, NaturalKey)>, Error> {
    let any = sqlx::query_scalar!(
        r#"-- history.any_tombstone
        SELECT EXISTS (SELECT FROM history.tombstone) AS "any!""#
    )
    .fetch_one(&mut *conn)
    .await?;
    if !any {
        return Ok(BTreeSet::new());
    }
    let hashes: Vec<Vec<u8>> = facts
        .iter()
        .map(|(person, told)| secret.hash(*person, told.fact.domain, told.fact.natural_key).to_vec())
        .collect();
    let found: BTreeSet<Vec<u8>> = sqlx::query_scalar!(
        "-- history.list_tombstones
        SELECT t.key_hash FROM history.tombstone AS t WHERE t.key_hash = ANY($1)",
        &hashes,
    )
    .fetch_all(conn)
    .await?
    .into_iter()
    .collect();
    let erased = facts.iter().zip(&hashes).filter(|(_, hash)| found.contains(*hash));
    Ok(erased.map(|((person, told), _)| (*person, told.fact.domain, told.fact.natural_key)).collect())
}

/// Restrictions without an end, entered since.
pub(crate) async fn list_restrictions(
    conn: &mut PgConnection,
    since: chrono::DateTime<chrono::Utc>,
) -> Result<Vec<crate::Restriction>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- history.list_restrictions
        SELECT r.source_person_id, r.domain, r.natural_key, r.kind, lower(r.in_force) AS "from_at!", r.order_number, r.decided_by, r.recorded_at
        FROM history.restriction AS r
        WHERE upper_inf(r.in_force) AND r.recorded_at >= $1
        ORDER BY r.restriction_id"#,
        since,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| crate::Restriction {
            person: SourcePersonId(row.source_person_id),
            domain: row.domain,
            natural_key: row.natural_key,
            kind: row.kind,
            from: row.from_at,
            order_number: row.order_number,
            decided_by: row.decided_by,
            recorded_at: row.recorded_at,
        })
        .collect())
}

/// Puts a domain of a person, or one fact of it, under a restriction, once per order. No order is ended: one that is on file with an end, or from later
/// on, is not on file.
pub(crate) async fn insert_restriction(
    conn: &mut PgConnection,
    (person, domain, fact): (SourcePersonId, Domain, Option<model::NaturalKey>),
    (kind, order_number, decided_by): (&str, &str, &str),
    from: chrono::DateTime<chrono::Utc>,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<u64, Error> {
    let result = sqlx::query!(
        "-- history.insert_restriction
        INSERT INTO history.restriction (source_person_id, domain, kind, in_force, order_number, decided_by, recorded_at, natural_key)
        SELECT $1, $2, $3, tstzrange($4, NULL), $5, $6, $7, $8
        WHERE NOT EXISTS (
            SELECT FROM history.restriction AS r
            WHERE r.source_person_id = $1 AND r.domain = $2 AND r.kind = $3 AND r.order_number = $5
                AND r.natural_key IS NOT DISTINCT FROM $8 AND upper_inf(r.in_force) AND lower(r.in_force) <= $4
        )",
        person.0,
        domain.code(),
        kind,
        from,
        order_number,
        decided_by,
        at,
        fact.map(|fact| Uuid::from_bytes(fact.0)),
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// Enters each restriction in force on one of these persons for the others too, once per order.
pub(crate) async fn carry_restrictions(
    conn: &mut PgConnection,
    together: &[SourcePersonId],
    at: chrono::DateTime<chrono::Utc>,
) -> Result<u64, sqlx::Error> {
    let persons: Vec<i64> = together.iter().map(|person| person.0).collect();
    let result = sqlx::query!(
        "-- history.carry_restrictions
        INSERT INTO history.restriction (source_person_id, domain, natural_key, kind, in_force, order_number, decided_by, recorded_at)
        SELECT DISTINCT u.person, x.domain, x.natural_key, x.kind, x.in_force, x.order_number, x.decided_by, $2::timestamptz
        FROM history.restriction AS x CROSS JOIN UNNEST($1::bigint[]) AS u (person)
        WHERE x.source_person_id = ANY($1) AND u.person <> x.source_person_id AND (upper_inf(x.in_force) OR upper(x.in_force) > $2::timestamptz)
            AND NOT EXISTS (
                SELECT FROM history.restriction AS r
                WHERE r.source_person_id = u.person AND r.domain = x.domain AND r.natural_key IS NOT DISTINCT FROM x.natural_key
                    AND r.kind = x.kind AND r.order_number = x.order_number
            )",
        &persons,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}
