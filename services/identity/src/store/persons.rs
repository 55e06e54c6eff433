//! Source persons and the students they make.

use chrono::{DateTime, Utc};
use model::{BatchId, Sea};
use sqlx::PgConnection;
use uuid::Uuid;

/// The source persons of these state ids that are known, by place.
pub(crate) async fn find_many(
    conn: &mut PgConnection,
    sea: &Sea,
    state_ids: &[String],
) -> Result<Vec<(usize, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- identity.find_persons
        SELECT u.place AS "place!", p.source_person_id
        FROM UNNEST($2::text[]) WITH ORDINALITY AS u (state_id, place)
        JOIN identity.source_person AS p ON p.sea = $1 AND p.state_id = u.state_id"#,
        sea.as_str(),
        state_ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((usize::try_from(row.place - 1).ok()?, row.source_person_id))).collect())
}

/// Adds source persons; gives their ids with their state ids. Those that another load has just added are not among them.
pub(crate) async fn insert_many(
    conn: &mut PgConnection,
    sea: &Sea,
    batch: BatchId,
    state_ids: &[String],
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- identity.insert_persons
        INSERT INTO identity.source_person (sea, state_id, created_batch)
        SELECT $1, u.state_id, $2 FROM UNNEST($3::text[]) AS u (state_id)
        ON CONFLICT (sea, state_id) DO NOTHING
        RETURNING source_person_id, state_id",
        sea.as_str(),
        batch.0,
        state_ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.state_id, row.source_person_id)).collect())
}

/// Makes each source person a student of its own: the crosswalk's beginning.
pub(crate) async fn insert_students(
    conn: &mut PgConnection,
    students: &[(Uuid, i64)],
    decided_by: &str,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = students.iter().map(|(id, _)| *id).collect();
    let persons: Vec<i64> = students.iter().map(|(_, person)| *person).collect();
    sqlx::query!(
        "-- identity.insert_students
        WITH born AS (
            INSERT INTO identity.student (student_id, created_at) SELECT u.student_id, $3 FROM UNNEST($1::uuid[]) AS u (student_id)
        )
        INSERT INTO identity.crosswalk (student_id, source_person_id, from_at, decided_by, reason)
        SELECT u.student_id, u.source_person_id, $3, $4, $5 FROM UNNEST($1::uuid[], $2::bigint[]) AS u (student_id, source_person_id)",
        &ids,
        &persons,
        at,
        decided_by,
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The birth dates a state has reported for source persons, current ones.
pub(crate) async fn list_birth_dates(
    conn: &mut PgConnection,
    persons: &[i64],
) -> Result<Vec<(i64, chrono::NaiveDate)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- identity.list_birth_dates
        SELECT f.source_person_id, (f.payload ->> 'birth_date')::date AS "birth_date!"
        FROM identity.person_fact AS f
        WHERE f.source_person_id = ANY($1) AND f.superseded_batch IS NULL AND f.payload ? 'birth_date'
            AND jsonb_typeof(f.payload -> 'birth_date') = 'string'"#,
        persons,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.source_person_id, row.birth_date)).collect())
}

/// Names and birth dates a state has reported for source persons, current ones.
pub(crate) async fn list_said(
    conn: &mut PgConnection,
    persons: &[i64],
) -> Result<Vec<(i64, Option<String>, Option<String>, Option<chrono::NaiveDate>)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- identity.list_said
        SELECT DISTINCT f.source_person_id, f.payload ->> 'first_name' AS first_name, f.payload ->> 'last_surname' AS last_surname,
            CASE WHEN jsonb_typeof(f.payload -> 'birth_date') = 'string' THEN (f.payload ->> 'birth_date')::date END AS birth_date
        FROM identity.person_fact AS f
        WHERE f.source_person_id = ANY($1) AND f.superseded_batch IS NULL AND f.payload ? 'last_surname'",
        persons,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.source_person_id, row.first_name, row.last_surname, row.birth_date)).collect())
}

/// Puts a whole person under a restriction, once per order.
/// Keeps an order about a person nobody has reported. Once per order.
pub(crate) async fn insert_awaiting_order(
    conn: &mut PgConnection,
    (sea, state_id): (&Sea, &str),
    domain: Option<i16>,
    (kind, order_number, decided_by): (&str, &str, &str),
    from: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.insert_awaiting_order
        INSERT INTO identity.awaiting_order (sea, state_id, domain, kind, in_force, order_number, decided_by, recorded_at)
        VALUES ($1, $2, $3, $4, tstzrange($5, NULL), $6, $7, $8)
        ON CONFLICT DO NOTHING",
        sea.as_str(),
        state_id,
        domain,
        kind,
        from,
        order_number,
        decided_by,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn insert_restriction(
    conn: &mut PgConnection,
    person: i64,
    (kind, order_number, decided_by): (&str, &str, &str),
    from: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- identity.insert_restriction
        INSERT INTO identity.restriction (source_person_id, kind, in_force, order_number, decided_by, recorded_at)
        SELECT $1, $2, tstzrange($3, NULL), $4, $5, $6
        WHERE NOT EXISTS (
            SELECT FROM identity.restriction AS r WHERE r.source_person_id = $1 AND r.kind = $2 AND r.order_number = $4
        )",
        person,
        kind,
        from,
        order_number,
        decided_by,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}
