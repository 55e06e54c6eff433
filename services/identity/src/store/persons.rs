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

/// Of these persons, those for whom a state has reported a birth date, and not this one; current reports only. Days are written YYYY-MM-DD.
pub(crate) async fn list_other_birth_dates(
    conn: &mut PgConnection,
    persons: &[i64],
    days: &[String],
) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- identity.list_other_birth_dates
        SELECT u.person AS "person!"
        FROM UNNEST($1::bigint[], $2::text[]) AS u (person, day)
        WHERE (
            SELECT true FROM identity.person_fact AS f
            WHERE f.source_person_id = u.person AND f.superseded_batch IS NULL AND f.payload ->> 'birth_date' = u.day
            LIMIT 1
        ) IS NULL AND (
            SELECT true FROM identity.person_fact AS f
            WHERE f.source_person_id = u.person AND f.superseded_batch IS NULL AND jsonb_typeof(f.payload -> 'birth_date') = 'string'
            LIMIT 1
        )"#,
        persons,
        days,
    )
    .fetch_all(conn)
    .await
}

/// The places of those of these statements that a current report makes word for word. Birth dates are written YYYY-MM-DD.
pub(crate) async fn list_repeated(
    conn: &mut PgConnection,
    persons: &[i64],
    first_names: &[Option<String>],
    last_names: &[Option<String>],
    birth_dates: &[Option<String>],
) -> Result<Vec<usize>, sqlx::Error> {
    let places = sqlx::query_scalar!(
        r#"-- identity.list_repeated
        SELECT u.place AS "place!"
        FROM UNNEST($1::bigint[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS u (person, first_name, last_name, birth_date, place)
        WHERE (
            SELECT true FROM identity.person_fact AS f
            WHERE f.source_person_id = u.person AND f.superseded_batch IS NULL AND f.payload ->> 'last_surname' = u.last_name
                AND f.payload ->> 'first_name' IS NOT DISTINCT FROM u.first_name
                AND f.payload ->> 'birth_date' IS NOT DISTINCT FROM u.birth_date
            LIMIT 1
        )"#,
        persons,
        first_names as &[Option<String>],
        last_names as &[Option<String>],
        birth_dates as &[Option<String>],
    )
    .fetch_all(conn)
    .await?;
    Ok(places.into_iter().filter_map(|place| usize::try_from(place - 1).ok()).collect())
}

/// What a state has reported of who a source person is.
pub(crate) struct SaidRow {
    pub(crate) source_person_id: i64,
    pub(crate) first_name: Option<String>,
    pub(crate) last_surname: Option<String>,
    pub(crate) birth_date: Option<chrono::NaiveDate>,
    pub(crate) sex: Option<String>,
    pub(crate) is_of_batch: bool,
}

/// Names, birth dates and sexes a state has reported for source persons, current ones, and whether in this batch.
pub(crate) async fn list_said(
    conn: &mut PgConnection,
    persons: &[i64],
    batch: i64,
) -> Result<Vec<SaidRow>, sqlx::Error> {
    sqlx::query_as!(
        SaidRow,
        r#"-- identity.list_said
        SELECT DISTINCT f.source_person_id, f.payload ->> 'first_name' AS first_name, f.payload ->> 'last_surname' AS last_surname,
            CASE WHEN jsonb_typeof(f.payload -> 'birth_date') = 'string' THEN (f.payload ->> 'birth_date')::date END AS birth_date,
            f.payload ->> 'sex' AS sex, f.recorded_batch = $2 AS "is_of_batch!"
        FROM identity.person_fact AS f
        WHERE f.source_person_id = ANY($1) AND f.superseded_batch IS NULL AND f.payload ? 'last_surname'"#,
        persons,
        batch,
    )
    .fetch_all(conn)
    .await
}

/// Marks persons as doubtful who are not so already.
pub(crate) async fn insert_doubts(
    conn: &mut PgConnection,
    persons: &[i64],
    whence: &[String],
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- identity.insert_doubts
        INSERT INTO identity.restriction (source_person_id, kind, in_force, order_number, decided_by, recorded_at)
        SELECT DISTINCT ON (u.person) u.person, 'doubtful_identity', tstzrange($3, NULL), u.whence, 'intake', $3
        FROM UNNEST($1::bigint[], $2::text[]) AS u (person, whence)
        WHERE NOT EXISTS (
            SELECT FROM identity.restriction AS r
            WHERE r.source_person_id = u.person AND r.kind = 'doubtful_identity' AND upper_inf(r.in_force)
        )
        ORDER BY u.person, u.whence",
        persons,
        whence,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// Who is in doubt, those first for whom most clients wait.
pub(crate) async fn list_doubts(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<crate::persons::Doubt>, sqlx::Error> {
    sqlx::query_as!(
        crate::persons::Doubt,
        r#"-- identity.list_doubts
        SELECT p.sea, r.source_person_id AS source_person, r.order_number AS raised_by, r.recorded_at AS raised_at,
            (SELECT count(*) FROM identity.crosswalk AS x
                JOIN identity.match_decision AS m ON m.student_id = x.student_id AND m.superseded_at IS NULL AND m.outcome = 'match'
                WHERE x.source_person_id = r.source_person_id AND x.to_at IS NULL) AS "clients!"
        FROM identity.restriction AS r
        JOIN identity.source_person AS p ON p.source_person_id = r.source_person_id
        WHERE r.kind = 'doubtful_identity' AND upper_inf(r.in_force)
        ORDER BY "clients!" DESC, r.recorded_at, r.restriction_id
        LIMIT $1"#,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Ends the doubt about a person.
pub(crate) async fn settle_doubt(
    conn: &mut PgConnection,
    person: i64,
    by: &str,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- identity.settle_doubt
        UPDATE identity.restriction SET in_force = tstzrange(lower(in_force), $4), settled_by = $2, settled_reason = $3
        WHERE source_person_id = $1 AND kind = 'doubtful_identity' AND upper_inf(in_force) AND lower(in_force) < $4",
        person,
        by,
        reason,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

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

/// Waits until nothing is being disclosed to anybody, and keeps anything from being disclosed until the transaction ends. Disclosures hold the same
/// lock, shared.
pub(crate) async fn stop(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- identity.stop
        SELECT pg_advisory_xact_lock(hashtextextended('restriction', 0)) AS "held!: ()""#
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Puts a whole person under a restriction, once per order. No order is ended: one that is on file with an end, or from later on, is not on file.
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
            SELECT FROM identity.restriction AS r
            WHERE r.source_person_id = $1 AND r.kind = $2 AND r.order_number = $4 AND upper_inf(r.in_force) AND lower(r.in_force) <= $3
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
