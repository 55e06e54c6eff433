//! Seals.

use chrono::{DateTime, Utc};
use model::ConsumerId;
use sqlx::PgConnection;

use crate::{Error, seal::Seal};

/// Seals recipients; one that is sealed already is so anew.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    consumers: &[ConsumerId],
    reason: &str,
    since: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let consumers: Vec<String> = consumers.iter().map(ToString::to_string).collect();
    sqlx::query!(
        "-- disclosure.insert_seals
        INSERT INTO disclosure.seal (consumer, since, reason, sealed_at)
        SELECT g.consumer, $2, $3, $4 FROM UNNEST($1::text[]) AS g (consumer)
        ON CONFLICT (consumer) DO UPDATE
            SET since = EXCLUDED.since, reason = EXCLUDED.reason, sealed_at = EXCLUDED.sealed_at, compared_at = NULL, compared_by = NULL",
        &consumers,
        since,
        reason,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// All of them, by recipient.
pub(crate) async fn list(conn: &mut PgConnection) -> Result<Vec<Seal>, Error> {
    let rows = sqlx::query!(
        "-- disclosure.list_seals
        SELECT s.consumer, s.since, s.compared_at FROM disclosure.seal AS s ORDER BY s.consumer"
    )
    .fetch_all(conn)
    .await?;
    let read = rows.into_iter().map(|row| {
        let consumer = row.consumer.parse().map_err(|_| Error::Corrupt("a seal names nobody".to_owned()))?;
        Ok(Seal { consumer, since: row.since, compared_at: row.compared_at })
    });
    read.collect()
}

/// Notes on every seal that the ledger was compared.
pub(crate) async fn compare(conn: &mut PgConnection, by: &str, at: DateTime<Utc>) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.compare_seals
        UPDATE disclosure.seal SET compared_at = $2, compared_by = $1 WHERE compared_at IS NULL",
        by,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lifts a seal on which the ledger was compared.
pub(crate) async fn delete(conn: &mut PgConnection, consumer: &ConsumerId) -> Result<bool, Error> {
    let done = sqlx::query!(
        "-- disclosure.delete_seal
        DELETE FROM disclosure.seal WHERE consumer = $1 AND compared_at IS NOT NULL",
        consumer.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
