//! The queue of what must be called back.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, recall::Recalled};

/// Queues disclosures of one consumer; one that waits already is not queued again.
pub(crate) async fn insert_recalls(
    conn: &mut PgConnection,
    cause: &str,
    list: &[Recalled],
    by: &str,
    at: DateTime<Utc>,
) -> Result<u64, Error> {
    let consumers: Vec<String> = list.iter().map(|one| one.consumer.to_string()).collect();
    let keys: Vec<String> = list.iter().map(|one| one.person_key.expose().clone()).collect();
    let students: Vec<Uuid> = list.iter().map(|one| one.student.0).collect();
    let ids: Vec<Uuid> = list.iter().map(|one| one.disclosure.0).collect();
    let times: Vec<DateTime<Utc>> = list.iter().map(|one| one.disclosed_at).collect();
    let deliveries: Vec<String> = list.iter().map(|one| one.delivery.clone()).collect();
    let result = sqlx::query!(
        "-- disclosure.insert_recalls
        INSERT INTO disclosure.recall (consumer, person_key, student_id, disclosure_id, disclosed_at, delivery, cause, queued_by, queued_at)
        SELECT u.consumer, u.person_key, u.student_id, u.disclosure_id, u.disclosed_at, u.delivery, $7, $8, $9
        FROM UNNEST($1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::text[])
            AS u (consumer, person_key, student_id, disclosure_id, disclosed_at, delivery)
        ON CONFLICT (consumer, disclosure_id) DO NOTHING",
        &consumers,
        &keys,
        &students,
        &ids,
        &times,
        &deliveries,
        cause,
        by,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// Forgets recalls of a student's disclosures that the transaction's consumer has been told of.
pub(crate) async fn delete_delivered(conn: &mut PgConnection, students: &[model::StudentId]) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.delete_delivered_recalls
        DELETE FROM disclosure.recall WHERE student_id = ANY($1) AND delivered_at IS NOT NULL",
        &students.iter().map(|student| student.0).collect::<Vec<Uuid>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
