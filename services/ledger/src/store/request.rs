//! Calls that are remembered by the id that their caller gave them.

use chrono::{DateTime, Utc};
use model::DisclosureId;
use sqlx::PgConnection;

use crate::{error::Error, request::RequestMark, tree::Hash};

/// A call as it is remembered, with what its entry says.
pub(crate) struct RequestRow {
    pub(crate) question: Vec<u8>,
    pub(crate) kind: String,
    pub(crate) reason: Option<String>,
}

pub(crate) async fn find(conn: &mut PgConnection, id: Hash) -> Result<Option<RequestRow>, Error> {
    Ok(sqlx::query_as!(
        RequestRow,
        "-- ledger.find_request
        SELECT r.question, e.kind, e.reason
        FROM ledger.request AS r
        JOIN ledger.entry AS e ON e.entry_id = r.entry_id
        WHERE r.request = $1",
        id.as_bytes()
    )
    .fetch_optional(conn)
    .await?)
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    mark: RequestMark,
    entry: DisclosureId,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query!(
        "-- ledger.insert_request
        INSERT INTO ledger.request (request, question, entry_id, answered_at)
        VALUES ($1, $2, $3, $4)",
        mark.id.as_bytes(),
        mark.question.as_bytes(),
        entry.0,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// About as many as `limit`: those of one moment go together.
pub(crate) async fn delete_older(conn: &mut PgConnection, before: DateTime<Utc>, limit: u32) -> Result<u64, Error> {
    let gone = sqlx::query!(
        "-- ledger.delete_older_requests
        DELETE FROM ledger.request AS r
        WHERE r.answered_at <= (
            SELECT max(oldest.answered_at)
            FROM (
                SELECT o.answered_at FROM ledger.request AS o WHERE o.answered_at < $1 ORDER BY o.answered_at LIMIT $2
            ) AS oldest
        )",
        before,
        i64::from(limit)
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}
