//! Requests that two people approve.

use chrono::{DateTime, Utc};
use model::ConsumerId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, approval::Act, canonical::Digest};

/// A request as stored.
pub(crate) struct Stored {
    pub(crate) digest: Vec<u8>,
    pub(crate) act: String,
    pub(crate) statement: String,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) used_at: Option<DateTime<Utc>>,
    pub(crate) used_for: Option<Uuid>,
}

/// Puts a statement on file under its digest, for an act about a consumer, from when until when.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    act: Act,
    statement: &str,
    (consumer, requested_at, expires_at): (&ConsumerId, DateTime<Utc>, DateTime<Utc>),
) -> Result<Digest, Error> {
    let digest = Digest::of(statement.as_bytes());
    sqlx::query!(
        "-- agreements.insert_request
        INSERT INTO agreements.request (digest, act, consumer, statement, requested_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (digest) DO NOTHING",
        digest.0.as_slice(),
        act.as_str(),
        consumer.as_str(),
        statement,
        requested_at,
        expires_at
    )
    .execute(conn)
    .await?;
    Ok(digest)
}

/// At most two requests whose digest begins so, in hexadecimal.
pub(crate) async fn list_by_prefix(conn: &mut PgConnection, prefix: &str) -> Result<Vec<Stored>, Error> {
    Ok(sqlx::query_as!(
        Stored,
        "-- agreements.list_requests_by_prefix
        SELECT r.digest, r.act, r.statement, r.expires_at, r.used_at, r.used_for
        FROM agreements.request AS r
        WHERE starts_with(encode(r.digest, 'hex'), $1)
        ORDER BY r.requested_at
        LIMIT 2",
        prefix
    )
    .fetch_all(conn)
    .await?)
}

/// Requests for orders with this reason that are not on file, have not ended, and are unused, of one recipient or of all.
pub(crate) async fn list_reported(
    conn: &mut PgConnection,
    consumer: Option<&ConsumerId>,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<Vec<Stored>, Error> {
    Ok(sqlx::query_as!(
        Stored,
        "-- agreements.list_reported_requests
        SELECT r.digest, r.act, r.statement, r.expires_at, r.used_at, r.used_for
        FROM agreements.request AS r
        WHERE r.act = 'instrument.record' AND r.used_at IS NULL AND r.expires_at > $3
            AND r.statement::jsonb ->> 'reason' = $2 AND ($1::text IS NULL OR r.consumer = $1)
            AND NOT EXISTS (SELECT FROM agreements.instrument AS i WHERE i.digest = r.digest)
        ORDER BY r.requested_at, r.digest",
        consumer.map(ConsumerId::as_str),
        reason,
        at
    )
    .fetch_all(conn)
    .await?)
}

/// The request, held against a second use until the transaction ends.
pub(crate) async fn lock(conn: &mut PgConnection, digest: Digest) -> Result<Option<Stored>, Error> {
    Ok(sqlx::query_as!(
        Stored,
        "-- agreements.lock_request
        SELECT r.digest, r.act, r.statement, r.expires_at, r.used_at, r.used_for
        FROM agreements.request AS r
        WHERE r.digest = $1
        FOR UPDATE",
        digest.0.as_slice()
    )
    .fetch_optional(conn)
    .await?)
}

/// Marks a request used, unless it is. Returns how many rows that changed.
pub(crate) async fn mark_used(
    conn: &mut PgConnection,
    digest: Digest,
    run: Uuid,
    at: DateTime<Utc>,
) -> Result<u64, Error> {
    let done = sqlx::query!(
        "-- agreements.mark_request_used
        UPDATE agreements.request SET used_at = $2, used_for = $3
        WHERE digest = $1 AND used_at IS NULL",
        digest.0.as_slice(),
        at,
        run
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Papers about these clients go, and requests for them.
pub(crate) async fn delete_instruments(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_keys: &[String],
) -> Result<u64, Error> {
    sqlx::query!(
        "-- agreements.delete_openings
        DELETE FROM agreements.request
        WHERE act = 'instrument.record' AND consumer = $1 AND statement::jsonb ->> 'person_key' = ANY($2)",
        consumer.as_str(),
        person_keys
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- agreements.delete_reviews
        DELETE FROM agreements.opening AS o USING agreements.instrument AS i
        WHERE i.digest = o.digest AND i.consumer = $1 AND i.person_key = ANY($2)",
        consumer.as_str(),
        person_keys
    )
    .execute(&mut *conn)
    .await?;
    let done = sqlx::query!(
        "-- agreements.delete_instruments
        DELETE FROM agreements.instrument WHERE consumer = $1 AND person_key = ANY($2)",
        consumer.as_str(),
        person_keys
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
