//! All SQL of erasing facts.

use chrono::{DateTime, Utc};
use model::{Domain, NaturalKey, SourcePersonId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::erase::{Buried, Found, Tombstone};

fn ids(persons: &[SourcePersonId]) -> Vec<i64> {
    persons.iter().map(|person| person.0).collect()
}

pub(crate) async fn insert_tombstones(
    conn: &mut PgConnection,
    tombstones: &[Tombstone],
    order_number: &str,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let hashes: Vec<Vec<u8>> = tombstones.iter().map(|one| one.hash.to_vec()).collect();
    let (kinds, lengths): (Vec<String>, Vec<Option<i16>>) = tombstones
        .iter()
        .map(|one| match one.buried {
            Buried::Fact => ("fact".to_owned(), None),
            Buried::Person(length) => ("person".to_owned(), i16::try_from(length).ok()),
            Buried::Client => ("client".to_owned(), None),
        })
        .unzip();
    sqlx::query!(
        "-- history.insert_tombstones
        INSERT INTO history.tombstone (key_hash, kind, id_length, order_number, erased_at)
        SELECT u.hash, u.kind, u.id_length, $4, $5 FROM UNNEST($1::bytea[], $2::text[], $3::smallint[]) AS u (hash, kind, id_length)
        ON CONFLICT DO NOTHING",
        &hashes,
        &kinds,
        &lengths as &[Option<i16>],
        order_number,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn list_persons(conn: &mut PgConnection) -> Result<Vec<(Vec<u8>, i16)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- history.list_buried_persons
        SELECT t.key_hash, t.id_length AS "id_length!" FROM history.tombstone AS t WHERE t.kind = 'person'"#,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.key_hash, row.id_length)).collect())
}

pub(crate) async fn list_hashes(conn: &mut PgConnection, hashes: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!(
        "-- history.list_buried
        SELECT t.key_hash FROM history.tombstone AS t WHERE t.key_hash = ANY($1)",
        hashes,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn delete_persons(conn: &mut PgConnection, persons: &[SourcePersonId]) -> Result<u64, sqlx::Error> {
    let persons = ids(persons);
    sqlx::query!(
        "-- history.delete_touched
        DELETE FROM history.touched WHERE source_person_id = ANY($1)",
        &persons,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- history.delete_restrictions
        DELETE FROM history.restriction WHERE source_person_id = ANY($1)",
        &persons,
    )
    .execute(&mut *conn)
    .await?;
    let result = sqlx::query!(
        "-- history.delete_persons
        DELETE FROM history.fact WHERE source_person_id = ANY($1)",
        &persons,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

pub(crate) async fn delete_fact(
    conn: &mut PgConnection,
    person: SourcePersonId,
    domain: Domain,
    key: NaturalKey,
) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- history.delete_fact
        DELETE FROM history.fact WHERE source_person_id = $1 AND domain = $2 AND natural_key = $3",
        person.0,
        domain.code(),
        Uuid::from_bytes(key.0),
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

pub(crate) async fn count_by_domain(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
) -> Result<Vec<(i16, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- history.count_by_domain
        SELECT f.domain, count(*) AS "facts!" FROM history.fact AS f WHERE f.source_person_id = ANY($1)
        GROUP BY f.domain ORDER BY f.domain"#,
        &ids(persons),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.domain, row.facts)).collect())
}

pub(crate) async fn list_facts(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
    domain: Domain,
) -> Result<Vec<Found>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- history.list_facts_to_erase
        SELECT DISTINCT ON (f.source_person_id, f.natural_key) f.source_person_id, f.natural_key, f.kind, f.valid_from, f.line, f.restriction,
            b.file_name, count(*) OVER (PARTITION BY f.source_person_id, f.natural_key) AS "versions!"
        FROM history.fact AS f JOIN history.batch AS b ON b.batch_id = f.recorded_batch
        WHERE f.source_person_id = ANY($1) AND f.domain = $2
        ORDER BY f.source_person_id, f.natural_key, f.recorded_batch DESC, f.line DESC"#,
        &ids(persons),
        domain.code(),
    )
    .fetch_all(conn)
    .await?;
    let found = rows.into_iter().map(|row| Found {
        person: SourcePersonId(row.source_person_id),
        key: NaturalKey(row.natural_key.into_bytes()),
        kind: row.kind,
        valid_from: row.valid_from,
        file_name: row.file_name,
        line: row.line,
        is_expunged: row.restriction != 0,
        versions: row.versions,
    });
    Ok(found.collect())
}

pub(crate) async fn is_held(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
    at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- history.is_held
        SELECT EXISTS (
            SELECT FROM history.restriction AS r WHERE r.source_person_id = ANY($1) AND r.kind = 'legal_hold' AND r.in_force @> $2::timestamptz
        ) AS "held!""#,
        &ids(persons),
        at,
    )
    .fetch_one(conn)
    .await
}

pub(crate) async fn list_places(
    conn: &mut PgConnection,
    person: SourcePersonId,
    domain: Domain,
    key: NaturalKey,
) -> Result<Vec<(i64, i32)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- history.list_places
        SELECT f.recorded_batch, f.line FROM history.fact AS f
        WHERE f.source_person_id = $1 AND f.domain = $2 AND f.natural_key = $3",
        person.0,
        domain.code(),
        Uuid::from_bytes(key.0),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.recorded_batch, row.line)).collect())
}
