//! Keyed hashes of matches and moves.

use sqlx::PgConnection;

use crate::vouch::{MatchRow, MoveRow};

/// Current matches that this transaction wrote and nobody has vouched for, or all current ones; behind `after`.
pub(crate) async fn list_to_vouch(
    conn: &mut PgConnection,
    all: bool,
    after: i64,
    limit: i64,
) -> Result<Vec<MatchRow>, sqlx::Error> {
    sqlx::query_as!(
        MatchRow,
        r#"-- identity.list_to_vouch
        SELECT m.decision_id AS decision, m.client_id AS client, c.consumer, c.person_key, m.source_person_id AS source_person,
            m.student_id AS student, m.details_hash, m.decided_by, m.decided_at, m.override_id, m.bulk_id AS bulk, m.found_again_hash,
            m.vouched, m.found_vouched
        FROM identity.match_decision AS m
        JOIN identity.client AS c ON c.client_id = m.client_id
        WHERE m.outcome = 'match' AND m.superseded_at IS NULL AND m.decision_id > $2
            AND ($1 OR (
                (m.vouched IS NULL OR (m.found_again_hash IS NOT NULL AND m.found_vouched IS NULL))
                AND m.xmin = (SELECT pg_current_xact_id()::xid)
            ))
        ORDER BY m.decision_id
        LIMIT $3"#,
        all,
        after,
        limit,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn set_vouched(
    conn: &mut PgConnection,
    ids: &[i64],
    own: &[Vec<u8>],
    again: &[Option<Vec<u8>>],
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "-- identity.set_vouched
        UPDATE identity.match_decision AS m SET vouched = u.own, found_vouched = u.again
        FROM UNNEST($1::bigint[], $2::bytea[], $3::bytea[]) AS u (decision_id, own, again)
        WHERE m.decision_id = u.decision_id",
        ids,
        own,
        again as &[Option<Vec<u8>>],
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Moves that this transaction made and nobody has vouched for, or all.
pub(crate) async fn list_moves_to_vouch(conn: &mut PgConnection, all: bool) -> Result<Vec<MoveRow>, sqlx::Error> {
    sqlx::query_as!(
        MoveRow,
        r#"-- identity.list_moves_to_vouch
        SELECT m.move_id AS id, m.kind, m.from_student AS "from", m.to_student AS "to", m.source_persons AS persons, m.decided_by, m.moved_at,
            m.undoes, m.vouched
        FROM identity.crosswalk_move AS m
        WHERE $1 OR (m.vouched IS NULL AND m.xmin = (SELECT pg_current_xact_id()::xid))
        ORDER BY m.move_id"#,
        all,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn set_moves_vouched(
    conn: &mut PgConnection,
    ids: &[i64],
    over: &[Vec<u8>],
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "-- identity.set_moves_vouched
        UPDATE identity.crosswalk_move AS m SET vouched = u.said
        FROM UNNEST($1::bigint[], $2::bytea[]) AS u (move_id, said)
        WHERE m.move_id = u.move_id",
        ids,
        over,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn list_moves(conn: &mut PgConnection) -> Result<Vec<MoveRow>, sqlx::Error> {
    list_moves_to_vouch(conn, true).await
}

/// Current matches, behind `after`.
pub(crate) async fn list_matches(
    conn: &mut PgConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<MatchRow>, sqlx::Error> {
    list_to_vouch(conn, true, after, limit).await
}

/// Source persons whom neither the first entry of the crosswalk nor the last move brought where they are; and where two came into one student by
/// their first entries, both.
pub(crate) async fn list_misplaced(conn: &mut PgConnection, limit: i64) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- identity.list_misplaced
        WITH moved AS (
            SELECT DISTINCT ON (u.person) u.person, m.to_student
            FROM identity.crosswalk_move AS m, UNNEST(m.source_persons) AS u (person)
            ORDER BY u.person, m.move_id DESC
        ), placed AS (
            SELECT x.source_person_id, x.student_id, v.to_student,
                count(*) FILTER (WHERE v.to_student IS NULL) OVER (PARTITION BY x.student_id) AS first_here
            FROM identity.crosswalk AS x
            LEFT JOIN moved AS v ON v.person = x.source_person_id
            WHERE x.to_at IS NULL
        )
        SELECT p.source_person_id
        FROM placed AS p
        WHERE p.student_id <> p.to_student OR (p.to_student IS NULL AND p.first_here > 1)
        ORDER BY p.source_person_id
        LIMIT $1"#,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Current matches whose source person is of another student now.
pub(crate) async fn list_matches_of_others(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<(i64, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- identity.list_matches_of_others
        SELECT m.decision_id, m.consumer
        FROM identity.match_decision AS m
        WHERE m.outcome = 'match' AND m.superseded_at IS NULL AND NOT EXISTS (
            SELECT FROM identity.crosswalk AS x
            WHERE x.source_person_id = m.source_person_id AND x.student_id = m.student_id AND x.to_at IS NULL
        )
        ORDER BY m.decision_id
        LIMIT $1",
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.decision_id, row.consumer)).collect())
}
