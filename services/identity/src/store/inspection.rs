//! What stewards look into when they ask why.

use chrono::{DateTime, Utc};
use model::{ConsumerId, StudentId};
use sqlx::{PgConnection, postgres::types::PgRange};
use uuid::Uuid;

use super::rosters::bound;
use crate::inspection::{AuthorityInterval, PersonRestriction, Standing};

fn ids(students: &[StudentId]) -> Vec<Uuid> {
    students.iter().map(|student| student.0).collect()
}

pub(crate) async fn list_intervals(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_keys: &[String],
    students: &[StudentId],
) -> Result<Vec<AuthorityInterval>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- identity.list_intervals
        SELECT DISTINCT r.person_key, r.student_id, r.authority_id, r.legal_basis, r.phase, r.office, r.officer,
            r.released AS "released!: PgRange<DateTime<Utc>>", r.birth_date
        FROM identity.released AS r
        WHERE r.consumer = $1 AND (r.person_key = ANY($2) OR r.student_id = ANY($3))
        ORDER BY r.person_key, r.authority_id"#,
        consumer.as_str(),
        person_keys,
        &ids(students),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| AuthorityInterval {
            person_key: row.person_key,
            student: StudentId(row.student_id),
            legal_basis: row.legal_basis,
            phase: row.phase,
            office: row.office,
            officer: row.officer,
            from: bound(&row.released.start),
            to: bound(&row.released.end),
            birth_date: row.birth_date,
        })
        .collect())
}

pub(crate) async fn list_restrictions(
    conn: &mut PgConnection,
    students: &[StudentId],
    at: DateTime<Utc>,
) -> Result<Vec<PersonRestriction>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- identity.list_restrictions_of_students
        SELECT DISTINCT c.student_id, x.kind, x.order_number
        FROM identity.crosswalk AS c
        JOIN identity.restriction AS x ON x.source_person_id = c.source_person_id
        WHERE c.student_id = ANY($1) AND c.to_at IS NULL AND x.in_force @> $2::timestamptz
        ORDER BY c.student_id, x.order_number",
        &ids(students),
        at,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| PersonRestriction {
            student: StudentId(row.student_id),
            kind: row.kind,
            order_number: row.order_number,
        })
        .collect())
}

pub(crate) async fn find_standing(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_key: &str,
) -> Result<Standing, sqlx::Error> {
    let row = sqlx::query!(
        r#"-- identity.find_standing
        SELECT
            EXISTS (SELECT FROM identity.match_decision AS m
                WHERE m.client_id = c.client_id AND m.superseded_at IS NULL AND m.outcome = 'match') AS "is_matched!",
            EXISTS (SELECT FROM identity.match_decision AS m
                WHERE m.client_id = c.client_id AND m.superseded_at IS NULL AND m.outcome = 'review') AS "is_waiting!"
        FROM identity.client AS c WHERE c.consumer = $1 AND c.person_key = $2"#,
        consumer.as_str(),
        person_key,
    )
    .fetch_optional(conn)
    .await?;
    Ok(match row {
        None => Standing::NeverNamed,
        Some(row) if row.is_matched && row.is_waiting => Standing::Contested,
        Some(row) if row.is_matched => Standing::Matched,
        Some(row) if row.is_waiting => Standing::Waiting,
        Some(_) => Standing::Unmatched,
    })
}

/// Of each student matched with a client, the end of the last authority; NULL if one has none.
pub(crate) async fn list_ends(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    students: &[Uuid],
) -> Result<Vec<(Uuid, String, Option<DateTime<Utc>>)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- identity.list_ends
        SELECT m.student_id AS "student_id!", c.person_key,
            CASE WHEN bool_or(upper_inf(a.released)) THEN NULL ELSE max(upper(a.released)) END AS ended_at
        FROM identity.match_decision AS m
        JOIN identity.client AS c ON c.client_id = m.client_id
        JOIN identity.authority AS a ON a.client_id = c.client_id AND a.superseded_at IS NULL
        WHERE m.consumer = $1 AND m.student_id = ANY($2) AND m.outcome = 'match' AND m.superseded_at IS NULL
        GROUP BY m.student_id, c.person_key"#,
        consumer.as_str(),
        students,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.student_id, row.person_key, row.ended_at)).collect())
}

/// A student's source persons, each with whether an order seals it.
pub(crate) async fn list_persons_sealed(
    conn: &mut PgConnection,
    student: Uuid,
    at: DateTime<Utc>,
) -> Result<Vec<(i64, bool)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- identity.list_persons_sealed
        SELECT c.source_person_id, EXISTS (
            SELECT FROM identity.restriction AS x
            WHERE x.source_person_id = c.source_person_id AND x.kind = 'sealed' AND x.in_force @> $2::timestamptz
        ) AS "is_sealed!"
        FROM identity.crosswalk AS c
        WHERE c.student_id = $1 AND c.to_at IS NULL
        ORDER BY c.source_person_id"#,
        student,
        at,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.source_person_id, row.is_sealed)).collect())
}

/// The students whose source persons these are, each with whether an order seals any of the student's source persons.
pub(crate) async fn list_owners(
    conn: &mut PgConnection,
    persons: &[i64],
    at: DateTime<Utc>,
) -> Result<Vec<(StudentId, bool)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- identity.list_owners
        SELECT DISTINCT c.student_id, EXISTS (
            SELECT FROM identity.crosswalk AS o
            JOIN identity.restriction AS x ON x.source_person_id = o.source_person_id
            WHERE o.student_id = c.student_id AND o.to_at IS NULL AND x.kind = 'sealed' AND x.in_force @> $2::timestamptz
        ) AS "is_sealed!"
        FROM identity.crosswalk AS c
        WHERE c.source_person_id = ANY($1) AND c.to_at IS NULL
        ORDER BY c.student_id"#,
        persons,
        at,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (StudentId(row.student_id), row.is_sealed)).collect())
}
