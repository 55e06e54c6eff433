//! All SQL of erasing a student.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

pub(crate) async fn list_persons(
    conn: &mut PgConnection,
    persons: &[i64],
) -> Result<Vec<(i64, String, String, Uuid)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- identity.list_persons_to_erase
        SELECT p.source_person_id, p.sea, p.state_id, c.student_id
        FROM identity.crosswalk AS c JOIN identity.source_person AS p ON p.source_person_id = c.source_person_id
        WHERE c.source_person_id = ANY($1) AND c.to_at IS NULL
        ORDER BY p.source_person_id",
        persons,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.source_person_id, row.sea, row.state_id, row.student_id)).collect())
}

/// A client matched with a student, now or once.
pub(crate) struct ClientRow {
    pub(crate) client_id: i64,
    pub(crate) consumer: String,
    pub(crate) person_key: String,
    pub(crate) is_current: bool,
    pub(crate) since: DateTime<Utc>,
}

pub(crate) async fn list_clients(
    conn: &mut PgConnection,
    students: &[Uuid],
    persons: &[i64],
) -> Result<Vec<ClientRow>, sqlx::Error> {
    sqlx::query_as!(
        ClientRow,
        r#"-- identity.list_clients_to_erase
        SELECT c.client_id, c.consumer, c.person_key, bool_or(m.superseded_at IS NULL) AS "is_current!", min(m.decided_at) AS "since!"
        FROM identity.match_decision AS m JOIN identity.client AS c ON c.client_id = m.client_id
        WHERE (m.student_id = ANY($1) OR m.source_person_id = ANY($2)) AND m.outcome = 'match'
        GROUP BY c.client_id, c.consumer, c.person_key
        ORDER BY c.consumer, c.client_id"#,
        students,
        persons,
    )
    .fetch_all(conn)
    .await
}

/// The clients of an agency, on its rosters or in its reports of stays: its id, our number if a roster named them, and whether they ever were matched.
pub(crate) async fn list_keys(
    conn: &mut PgConnection,
    consumer: &str,
) -> Result<Vec<(String, Option<i64>, bool)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- identity.list_client_keys
        SELECT k.person_key AS "person_key!", c.client_id AS "client_id?", EXISTS (SELECT FROM identity.match_decision AS m
            WHERE m.client_id = c.client_id AND m.outcome = 'match') AS "was_matched!"
        FROM (
            SELECT c.person_key FROM identity.client AS c WHERE c.consumer = $1
            UNION SELECT s.person_key FROM placement.stay AS s WHERE s.reporter = $1
        ) AS k
        LEFT JOIN identity.client AS c ON c.consumer = $1 AND c.person_key = k.person_key"#,
        consumer,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.person_key, row.client_id, row.was_matched)).collect())
}

/// Those of the students of whom a source person is, or once was.
pub(crate) async fn list_kept_students(conn: &mut PgConnection, students: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "-- identity.list_kept_students
        SELECT DISTINCT c.student_id FROM identity.crosswalk AS c WHERE c.student_id = ANY($1)",
        students,
    )
    .fetch_all(conn)
    .await
}

/// Those of the clients who are, or once were, matched with a source person.
pub(crate) async fn list_kept_clients(
    conn: &mut PgConnection,
    consumers: &[String],
    person_keys: &[String],
) -> Result<Vec<(String, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- identity.list_kept_clients
        SELECT c.consumer, c.person_key
        FROM UNNEST($1::text[], $2::text[]) AS u (consumer, person_key)
        JOIN identity.client AS c ON c.consumer = u.consumer AND c.person_key = u.person_key
        WHERE EXISTS (SELECT FROM identity.match_decision AS m WHERE m.client_id = c.client_id AND m.outcome <> 'non_match')",
        consumers,
        person_keys,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.consumer, row.person_key)).collect())
}

pub(crate) async fn is_held(conn: &mut PgConnection, persons: &[i64], at: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- identity.is_held
        SELECT EXISTS (
            SELECT FROM identity.restriction AS r WHERE r.source_person_id = ANY($1) AND r.kind = 'legal_hold' AND r.in_force @> $2::timestamptz
        ) AS "held!""#,
        persons,
        at,
    )
    .fetch_one(conn)
    .await
}

/// Decisions on the student, their evidence, and what rests on them.
pub(crate) async fn delete_matches(
    conn: &mut PgConnection,
    students: &[Uuid],
    persons: &[i64],
    clients: &[i64],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.erase_released
        DELETE FROM identity.released WHERE student_id = ANY($1) OR source_person_id = ANY($2) OR client_id = ANY($3)",
        students,
        persons,
        clients,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- identity.erase_bulk_members
        DELETE FROM identity.bulk_member AS b USING identity.match_decision AS m
        WHERE m.decision_id = b.decision_id
            AND (b.student_id = ANY($1) OR b.client_id = ANY($3) OR m.student_id = ANY($1) OR m.source_person_id = ANY($2) OR m.client_id = ANY($3))",
        students,
        persons,
        clients,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- identity.erase_decisions
        DELETE FROM identity.match_decision WHERE student_id = ANY($1) OR source_person_id = ANY($2) OR client_id = ANY($3)",
        students,
        persons,
        clients,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- identity.erase_override_approvals
        DELETE FROM identity.override_approval AS a USING identity.override AS o
        WHERE o.override_id = a.override_id AND (o.student_id = ANY($1) OR o.client_id = ANY($2))",
        students,
        clients,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- identity.erase_overrides
        DELETE FROM identity.override WHERE student_id = ANY($1) OR client_id = ANY($2)",
        students,
        clients,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete_clients(conn: &mut PgConnection, clients: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.erase_authorities
        DELETE FROM identity.authority WHERE client_id = ANY($1)",
        clients,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- identity.erase_clients
        DELETE FROM identity.client WHERE client_id = ANY($1)",
        clients,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves of these persons alone go; of a move of several, the others' part stays.
pub(crate) async fn delete_moves(conn: &mut PgConnection, persons: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.erase_moves
        DELETE FROM identity.crosswalk_move WHERE source_persons <@ $1::bigint[]",
        persons,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- identity.erase_from_moves
        UPDATE identity.crosswalk_move AS m
        SET vouched = NULL, source_persons = ARRAY(SELECT u.person FROM UNNEST(m.source_persons) AS u (person) WHERE u.person <> ALL($1::bigint[]))
        WHERE m.source_persons && $1::bigint[]",
        persons,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn delete_persons(conn: &mut PgConnection, persons: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.erase_awaiting_orders
        DELETE FROM identity.awaiting_order AS a USING identity.source_person AS p
        WHERE p.sea = a.sea AND p.state_id = a.state_id AND p.source_person_id = ANY($1)",
        persons,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- identity.erase_restrictions
        DELETE FROM identity.restriction WHERE source_person_id = ANY($1)",
        persons,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- identity.erase_crosswalk
        DELETE FROM identity.crosswalk WHERE source_person_id = ANY($1)",
        persons,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- identity.erase_persons
        DELETE FROM identity.source_person WHERE source_person_id = ANY($1)",
        persons,
    )
    .execute(conn)
    .await?;
    Ok(())
}
