//! Batches and their findings, for people to look at.

use chrono::{DateTime, Utc};
use model::{BatchId, Sea};
use sqlx::PgConnection;

use super::severity_of;
use crate::{
    Finding,
    batches::{Batch, OfRule, Which},
    load::Counts,
};

/// A row of `intake.batch`.
struct Row {
    batch_id: i64,
    sea: String,
    file_name: String,
    layout: String,
    received_at: DateTime<Utc>,
    state: String,
    rows_in: i64,
    loaded: i64,
    unchanged: i64,
    superseded: i64,
    quarantined: i64,
    passed: i64,
    erased: i64,
    refused_reason: Option<String>,
}

impl Row {
    fn batch(self) -> Option<Batch> {
        Some(Batch {
            id: BatchId(self.batch_id),
            sea: self.sea.parse::<Sea>().ok()?,
            file: self.file_name,
            layout: self.layout,
            received_at: self.received_at,
            state: self.state,
            refused: self.refused_reason,
            counts: Counts {
                rows_in: self.rows_in.unsigned_abs(),
                loaded: self.loaded.unsigned_abs(),
                unchanged: self.unchanged.unsigned_abs(),
                superseded: self.superseded.unsigned_abs(),
                quarantined: self.quarantined.unsigned_abs(),
                control: self.passed.unsigned_abs(),
            },
            erased: self.erased.unsigned_abs(),
        })
    }
}

/// Batches before a number, the latest first.
pub(crate) async fn list_batches(
    conn: &mut PgConnection,
    before: Option<BatchId>,
    limit: i64,
) -> Result<Vec<Batch>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "-- intake.list_batches
        SELECT b.batch_id, b.sea, b.file_name, b.layout, b.received_at, b.state, b.rows_in, b.loaded, b.unchanged, b.superseded,
            b.quarantined, b.passed, b.erased, b.refused_reason
        FROM intake.batch AS b
        WHERE b.batch_id < COALESCE($1, 9223372036854775807)
        ORDER BY b.batch_id DESC LIMIT $2",
        before.map(|id| id.0),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(Row::batch).collect())
}

/// One batch.
pub(crate) async fn find_batch(conn: &mut PgConnection, id: BatchId) -> Result<Option<Batch>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "-- intake.find_batch
        SELECT b.batch_id, b.sea, b.file_name, b.layout, b.received_at, b.state, b.rows_in, b.loaded, b.unchanged, b.superseded,
            b.quarantined, b.passed, b.erased, b.refused_reason
        FROM intake.batch AS b WHERE b.batch_id = $1",
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.and_then(Row::batch))
}

/// Findings of a batch behind a number, in the order they were found, each with its number.
pub(crate) async fn list_findings(
    conn: &mut PgConnection,
    id: BatchId,
    which: &Which,
    after: Option<i32>,
    limit: i64,
) -> Result<Vec<(i32, Finding)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- intake.list_findings
        SELECT f.finding, f.line, f.column_number, f.field, f.rule, f.severity, f.message
        FROM intake.finding AS f
        WHERE f.batch_id = $1 AND f.finding > COALESCE($2, -1)
            AND ($3::text IS NULL OR f.rule = $3) AND ($4::text IS NULL OR f.field = $4) AND ($5::text IS NULL OR f.severity = $5)
        ORDER BY f.finding LIMIT $6",
        id.0,
        after,
        which.rule.as_deref(),
        which.field.as_deref(),
        which.severity.as_deref(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    let found = rows.into_iter().map(|row| {
        let finding = Finding {
            line: row.line.unsigned_abs(),
            column: row.column_number.map(i32::unsigned_abs),
            field: row.field,
            rule: row.rule,
            severity: severity_of(&row.severity),
            message: row.message,
        };
        (row.finding, finding)
    });
    Ok(found.collect())
}

/// How often each rule was broken in a batch, and in which field; the most frequent first.
pub(crate) async fn count_findings(conn: &mut PgConnection, id: BatchId) -> Result<Vec<OfRule>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- intake.count_findings
        SELECT f.rule, f.field, f.severity, count(*) AS "count!"
        FROM intake.finding AS f WHERE f.batch_id = $1
        GROUP BY f.rule, f.field, f.severity
        ORDER BY count(*) DESC, f.rule, f.field LIMIT 500"#,
        id.0,
    )
    .fetch_all(conn)
    .await?;
    let of_rule = rows.into_iter().map(|row| OfRule {
        rule: row.rule,
        field: row.field,
        severity: severity_of(&row.severity),
        count: row.count.unsigned_abs(),
    });
    Ok(of_rule.collect())
}
