//! Recalls that wait for destruction, and what recipients attest.

use chrono::{DateTime, NaiveDate, Utc};
use model::{ConsumerId, DisclosureId, Masked};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, retention::Attestation};

/// A disclosure that was called back from the transaction's consumer.
pub(crate) struct RecallRow {
    pub(crate) person_key: String,
    pub(crate) cause: String,
    pub(crate) queued_at: DateTime<Utc>,
    pub(crate) disclosed_at: DateTime<Utc>,
}

/// What was called back from the transaction's consumer: of each client and cause the latest.
pub(crate) async fn list_recalls(conn: &mut PgConnection) -> Result<Vec<RecallRow>, Error> {
    Ok(sqlx::query_as!(
        RecallRow,
        r#"-- disclosure.list_recalls
        SELECT r.person_key, r.cause, min(r.queued_at) AS "queued_at!", max(r.disclosed_at) AS "disclosed_at!"
        FROM disclosure.recall AS r GROUP BY r.person_key, r.cause ORDER BY r.person_key, r.cause"#,
    )
    .fetch_all(conn)
    .await?)
}

/// A notice to stop.
pub(crate) struct StoppedRow {
    pub(crate) person_key: String,
    pub(crate) student_id: Uuid,
    pub(crate) destroy_by: NaiveDate,
    pub(crate) recorded_at: DateTime<Utc>,
}

/// The notices that recipients were sent of their clients: of each client's student the last.
pub(crate) async fn list_stopped(conn: &mut PgConnection, consumer: &ConsumerId) -> Result<Vec<StoppedRow>, Error> {
    Ok(sqlx::query_as!(
        StoppedRow,
        "-- disclosure.list_stopped
        SELECT DISTINCT ON (w.person_key, w.student_id) w.person_key, w.student_id, w.destroy_by, w.recorded_at
        FROM disclosure.withdrawal AS w
        WHERE w.consumer = $1
        ORDER BY w.person_key, w.student_id, w.recorded_at DESC",
        consumer.as_str(),
    )
    .fetch_all(conn)
    .await?)
}

/// Until when what was sent is attested to be destroyed, by client of the transaction's consumer: until the end of the day that is stated, in a zone, and
/// not beyond the moment at which it was entered.
pub(crate) async fn list_attested(conn: &mut PgConnection, zone: &str) -> Result<Vec<(String, DateTime<Utc>)>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_attested
        SELECT a.person_key, max(least(a.recorded_at, (a.destroyed_on + 1)::timestamp AT TIME ZONE $1)) AS "until!"
        FROM disclosure.attestation AS a
        GROUP BY a.person_key"#,
        zone
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.person_key, row.until)).collect())
}

/// The clients of notices that are the consumer's own.
pub(crate) async fn list_noticed(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    notices: &[Uuid],
) -> Result<Vec<(Uuid, Masked<String>)>, Error> {
    let rows = sqlx::query!(
        "-- disclosure.list_noticed
        SELECT w.withdrawal_id, w.person_key FROM disclosure.withdrawal AS w WHERE w.consumer = $1 AND w.withdrawal_id = ANY ($2)",
        consumer.as_str(),
        notices
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.withdrawal_id, Masked::new(row.person_key))).collect())
}

/// What is attested of each client, by its entry; both in one order.
pub(crate) async fn insert_attestations(
    conn: &mut PgConnection,
    (consumer, entries): (&ConsumerId, &[DisclosureId]),
    said: &Attestation,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let entries: Vec<Uuid> = entries.iter().map(|entry| entry.0).collect();
    sqlx::query!(
        "-- disclosure.insert_attestations
        INSERT INTO disclosure.attestation (attestation_id, consumer, person_key, destroyed_on, method, attested_by, reference, recorded_by, recorded_at)
        SELECT c.entry, $2, c.person_key, $4, $5, $6, $7, $8, $9
        FROM unnest($1::uuid[], $3::text[]) AS c (entry, person_key)",
        &entries,
        consumer.as_str(),
        &said.person_keys,
        said.destroyed_on,
        said.method,
        said.attested_by,
        said.reference,
        said.recorded_by,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
