//! Records opened by order, and their review.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{Error, canonical::Digest, opening::Opening};

pub(crate) async fn insert(conn: &mut PgConnection, digest: Digest, by: &str, at: DateTime<Utc>) -> Result<(), Error> {
    sqlx::query!(
        "-- agreements.insert_opening
        INSERT INTO agreements.opening (digest, opened_by, opened_at) VALUES ($1, $2, $3)
        ON CONFLICT (digest) DO NOTHING",
        digest.0.as_slice(),
        by,
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn list(conn: &mut PgConnection, waiting: bool) -> Result<Vec<Opening>, Error> {
    let rows = sqlx::query!(
        r#"-- agreements.list_openings
        SELECT o.digest, i.kind, i.reference, i.consumer, o.opened_by, o.opened_at, LEAST(i.valid_to, i.revoked_at) AS "closes_at!",
            o.reviewed_by, o.reviewed_at, o.review
        FROM agreements.opening AS o JOIN agreements.instrument AS i ON i.digest = o.digest
        WHERE NOT $1 OR o.reviewed_at IS NULL
        ORDER BY o.opened_at DESC, o.digest"#,
        waiting
    )
    .fetch_all(conn)
    .await?;
    let read = rows.into_iter().map(|row| {
        let corrupt = Error::Corrupt("an opening cannot be read");
        let (Some(digest), Ok(kind)) = (Digest::from_slice(&row.digest), row.kind.parse()) else { return Err(corrupt) };
        let review = match (row.reviewed_by, row.reviewed_at, row.review) {
            (Some(by), Some(at), Some(found)) => Some((by, at, found)),
            _ => None,
        };
        Ok(Opening {
            digest,
            kind,
            reference: row.reference,
            consumer: row.consumer,
            opened_by: row.opened_by,
            opened_at: row.opened_at,
            closes_at: row.closes_at,
            review,
        })
    });
    read.collect()
}

/// Enters a review, unless there is one or the reviewer opened it. Returns how many rows that changed.
pub(crate) async fn review(
    conn: &mut PgConnection,
    digest: Digest,
    (by, found): (&str, &str),
    at: DateTime<Utc>,
) -> Result<u64, Error> {
    let done = sqlx::query!(
        "-- agreements.review_opening
        UPDATE agreements.opening SET reviewed_by = $2, review = $3, reviewed_at = $4
        WHERE digest = $1 AND reviewed_at IS NULL AND opened_by <> $2",
        digest.0.as_slice(),
        by,
        found,
        at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
