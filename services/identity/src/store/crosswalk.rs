//! Moves of the crosswalk.

use chrono::{DateTime, Utc};
use model::Sea;
use sqlx::PgConnection;
use uuid::Uuid;

/// Keeps the crosswalk still (a match run that stores) or to oneself (a move), until the transaction ends.
pub(crate) async fn lock(conn: &mut PgConnection, alone: bool) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.lock_crosswalk
        SELECT CASE WHEN $1 THEN pg_advisory_xact_lock(hashtextextended('identity crosswalk', 0))
            ELSE pg_advisory_xact_lock_shared(hashtextextended('identity crosswalk', 0)) END",
        alone,
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// A source person and the student it is of.
pub(crate) struct MemberRow {
    pub(crate) student_id: Uuid,
    pub(crate) from_at: DateTime<Utc>,
}

/// The current places of these persons.
pub(crate) async fn list_members(conn: &mut PgConnection, persons: &[i64]) -> Result<Vec<MemberRow>, sqlx::Error> {
    sqlx::query_as!(
        MemberRow,
        "-- identity.list_members
        SELECT x.student_id, x.from_at FROM identity.crosswalk AS x
        WHERE x.source_person_id = ANY($1) AND x.to_at IS NULL ORDER BY x.source_person_id",
        persons,
    )
    .fetch_all(conn)
    .await
}

/// The source persons of these students.
pub(crate) async fn list_persons_of(
    conn: &mut PgConnection,
    students: &[Uuid],
) -> Result<Vec<(i64, Uuid)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- identity.list_persons_of
        SELECT x.source_person_id, x.student_id FROM identity.crosswalk AS x
        WHERE x.student_id = ANY($1) AND x.to_at IS NULL ORDER BY x.source_person_id",
        students,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.source_person_id, row.student_id)).collect())
}

/// The source person of a state id, and the student it is of.
pub(crate) async fn find_by_state_id(
    conn: &mut PgConnection,
    sea: &Sea,
    state_id: &str,
) -> Result<Option<(i64, Uuid)>, sqlx::Error> {
    let row = sqlx::query!(
        "-- identity.find_by_state_id
        SELECT p.source_person_id, x.student_id FROM identity.source_person AS p
        JOIN identity.crosswalk AS x ON x.source_person_id = p.source_person_id AND x.to_at IS NULL
        WHERE p.sea = $1 AND p.state_id = $2",
        sea.as_str(),
        state_id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.source_person_id, row.student_id)))
}

/// Ends the places of these persons with a student; says how many ended.
pub(crate) async fn close(
    conn: &mut PgConnection,
    student: Uuid,
    persons: &[i64],
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- identity.close_crosswalk
        UPDATE identity.crosswalk SET to_at = GREATEST($3, from_at)
        WHERE student_id = $1 AND source_person_id = ANY($2) AND to_at IS NULL",
        student,
        persons,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// Gives these persons a place with a student, who is made if there is no such student yet.
pub(crate) async fn open(
    conn: &mut PgConnection,
    student: Uuid,
    persons: &[i64],
    (by, reason): (&str, &str),
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.open_crosswalk
        WITH born AS (
            INSERT INTO identity.student (student_id, created_at) VALUES ($1, $3) ON CONFLICT (student_id) DO NOTHING
        )
        INSERT INTO identity.crosswalk (student_id, source_person_id, from_at, decided_by, reason)
        SELECT $1, u.source_person_id, $3, $4, $5 FROM UNNEST($2::bigint[]) AS u (source_person_id)",
        student,
        persons,
        at,
        by,
        reason,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A move as stored.
pub(crate) struct MoveRow {
    pub(crate) kind: String,
    pub(crate) from_student: Uuid,
    pub(crate) to_student: Uuid,
    pub(crate) source_persons: Vec<i64>,
    pub(crate) moved_at: DateTime<Utc>,
    pub(crate) is_undone: bool,
}

pub(crate) async fn find_move(conn: &mut PgConnection, id: i64) -> Result<Option<MoveRow>, sqlx::Error> {
    sqlx::query_as!(
        MoveRow,
        r#"-- identity.find_move
        SELECT m.kind, m.from_student, m.to_student, m.source_persons, m.moved_at,
            EXISTS (SELECT FROM identity.crosswalk_move AS u WHERE u.undoes = m.move_id) AS "is_undone!"
        FROM identity.crosswalk_move AS m WHERE m.move_id = $1"#,
        id,
    )
    .fetch_optional(conn)
    .await
}

pub(crate) async fn insert_move(
    conn: &mut PgConnection,
    row: &MoveRow,
    joined_since: DateTime<Utc>,
    undoes: Option<i64>,
    (by, reason): (&str, &str),
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        "-- identity.insert_move
        INSERT INTO identity.crosswalk_move (kind, from_student, to_student, source_persons, joined_since, decided_by, reason, moved_at, undoes)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING move_id",
        row.kind,
        row.from_student,
        row.to_student,
        &row.source_persons,
        joined_since,
        by,
        reason,
        row.moved_at,
        undoes,
    )
    .fetch_one(conn)
    .await
}

/// A current decision about one of these students.
pub(crate) struct LinkRow {
    pub(crate) decision_id: i64,
    pub(crate) consumer: String,
    pub(crate) client_id: i64,
    pub(crate) person_key: String,
    pub(crate) student_id: Uuid,
    pub(crate) outcome: String,
    pub(crate) decided_at: DateTime<Utc>,
}

pub(crate) async fn list_links(conn: &mut PgConnection, students: &[Uuid]) -> Result<Vec<LinkRow>, sqlx::Error> {
    sqlx::query_as!(
        LinkRow,
        r#"-- identity.list_links
        SELECT m.decision_id, m.consumer, m.client_id, c.person_key, m.student_id AS "student_id!", m.outcome, m.decided_at
        FROM identity.match_decision AS m JOIN identity.client AS c ON c.client_id = m.client_id
        WHERE m.student_id = ANY($1) AND m.superseded_at IS NULL
        ORDER BY m.consumer, m.decision_id"#,
        students,
    )
    .fetch_all(conn)
    .await
}

/// Enters a decision anew for another student or with another outcome: everything else is as it was decided.
pub(crate) async fn insert_copies(
    conn: &mut PgConnection,
    copies: &[(i64, Uuid, &'static str)],
    decided_by: Option<&str>,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let ids: Vec<i64> = copies.iter().map(|(id, ..)| *id).collect();
    let students: Vec<Uuid> = copies.iter().map(|(_, student, _)| *student).collect();
    let outcomes: Vec<String> = copies.iter().map(|(.., outcome)| (*outcome).to_owned()).collect();
    let result = sqlx::query!(
        "-- identity.insert_copies
        INSERT INTO identity.match_decision (client_id, source_person_id, student_id, consumer, outcome, probability, score_bits, explanation,
            details_hash, decided_by, reason, decided_at, override_id)
        SELECT m.client_id, (SELECT min(x.source_person_id) FROM identity.crosswalk AS x WHERE x.student_id = u.student_id AND x.to_at IS NULL),
            u.student_id, m.consumer, u.outcome, m.probability, m.score_bits, m.explanation, m.details_hash,
            COALESCE($4, m.decided_by), $5, $6, m.override_id
        FROM UNNEST($1::bigint[], $2::uuid[], $3::text[]) AS u (decision_id, student_id, outcome)
        JOIN identity.match_decision AS m ON m.decision_id = u.decision_id",
        &ids,
        &students,
        &outcomes,
        decided_by,
        reason,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}
