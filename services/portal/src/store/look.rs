//! Looks at records: what somebody saw of a client last.

use chrono::{DateTime, Utc};
use model::StudentId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::look::{Look, Viewing};

/// What somebody saw of a client last.
pub(crate) async fn find(conn: &mut PgConnection, of: &Viewing<'_>) -> Result<Option<Look>, sqlx::Error> {
    let found = sqlx::query!(
        "-- portal.find_look
        SELECT student_id, looked_at, seen FROM portal.look WHERE consumer = $1 AND person_key = $2 AND viewer = $3",
        of.consumer.as_str(),
        of.person_key.expose(),
        of.viewer().as_slice(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| Look { student: StudentId(row.student_id), at: row.looked_at, seen: row.seen }))
}

/// Keeps what somebody sees of a client now. Of two looks at once the later stays.
pub(crate) async fn keep(conn: &mut PgConnection, of: &Viewing<'_>, look: &Look) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- portal.keep_look
        INSERT INTO portal.look AS l (consumer, person_key, viewer, student_id, looked_at, seen)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (consumer, person_key, viewer) DO UPDATE
        SET student_id = EXCLUDED.student_id, looked_at = EXCLUDED.looked_at, seen = EXCLUDED.seen
        WHERE l.looked_at <= EXCLUDED.looked_at",
        of.consumer.as_str(),
        of.person_key.expose(),
        of.viewer().as_slice(),
        look.student.0,
        look.at,
        &look.seen,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets looks before a time.
pub(crate) async fn sweep(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- portal.sweep_looks
        DELETE FROM portal.look WHERE looked_at <= $1",
        before,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets who looked at students, or at an agency's clients.
pub(crate) async fn erase(
    conn: &mut PgConnection,
    students: &[Uuid],
    (consumers, person_keys): (&[String], &[String]),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- portal.erase_looks
        DELETE FROM portal.look
        WHERE student_id = ANY($1) OR (consumer, person_key) IN (SELECT * FROM UNNEST($2::text[], $3::text[]))",
        students,
        consumers,
        person_keys,
    )
    .execute(conn)
    .await?;
    Ok(())
}
