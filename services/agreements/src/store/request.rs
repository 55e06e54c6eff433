//! Requests that two people approve.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, approval::Act, canonical::Digest, request::ExportRequest};

/// A request as stored.
pub(crate) struct Stored {
    pub(crate) digest: Vec<u8>,
    pub(crate) statement: String,
    pub(crate) used_at: Option<DateTime<Utc>>,
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    digest: Digest,
    statement: &str,
    request: &ExportRequest,
) -> Result<(), Error> {
    sqlx::query!(
        "-- agreements.insert_request
        INSERT INTO agreements.request (digest, act, consumer, statement, requested_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (digest) DO NOTHING",
        digest.0.as_slice(),
        Act::Export.as_str(),
        request.consumer.as_str(),
        statement,
        request.requested_at,
        request.expires_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// At most two requests whose digest begins so, in hexadecimal.
pub(crate) async fn list_by_prefix(conn: &mut PgConnection, prefix: &str) -> Result<Vec<Stored>, Error> {
    Ok(sqlx::query_as!(
        Stored,
        "-- agreements.list_requests_by_prefix
        SELECT r.digest, r.statement, r.used_at
        FROM agreements.request AS r
        WHERE starts_with(encode(r.digest, 'hex'), $1)
        ORDER BY r.requested_at
        LIMIT 2",
        prefix
    )
    .fetch_all(conn)
    .await?)
}

/// The request, held against a second use until the transaction ends.
pub(crate) async fn lock(conn: &mut PgConnection, digest: Digest) -> Result<Option<Stored>, Error> {
    Ok(sqlx::query_as!(
        Stored,
        "-- agreements.lock_request
        SELECT r.digest, r.statement, r.used_at
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
