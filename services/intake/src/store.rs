//! All SQL of intake: batches, raw blocks, findings, quarantine.

pub(crate) mod batches;
pub(crate) mod erase;
pub(crate) mod kept;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::{BatchId, Masked, Sea};
use sqlx::PgConnection;

use crate::{
    Finding, Severity,
    load::{Counts, CountsByType},
};

/// What is known of a file before its rows.
pub(crate) struct Received<'a> {
    pub(crate) sea: &'a Sea,
    pub(crate) file_name: &'a str,
    pub(crate) layout: &'a str,
    pub(crate) sha256: &'a [u8; 32],
    pub(crate) size_bytes: u64,
    pub(crate) at: DateTime<Utc>,
}

/// Waits until no other load of this SEA is under way: batches are recorded one after the other.
pub(crate) async fn lock_sea(conn: &mut PgConnection, sea: &Sea) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- intake.lock_sea
        SELECT pg_advisory_xact_lock(hashtextextended('intake.' || $1, 0))",
        sea.as_str(),
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// The batch that loaded the same bytes with the same layout, if any, and what became of its rows.
pub(crate) async fn find_loaded(
    conn: &mut PgConnection,
    received: &Received<'_>,
) -> Result<Option<(BatchId, Counts, CountsByType)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"-- intake.find_loaded
        SELECT b.batch_id, b.rows_in, b.quarantined + b.erased AS "quarantined!", b.passed,
            b.record_types AS "record_types: sqlx::types::Json<BTreeMap<String, Counts>>"
        FROM intake.batch AS b WHERE b.sea = $1 AND b.sha256 = $2 AND b.layout = $3 AND b.state = 'loaded'"#,
        received.sea.as_str(),
        received.sha256,
        received.layout,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| {
        let counts = Counts {
            rows_in: row.rows_in.unsigned_abs(),
            quarantined: row.quarantined.unsigned_abs(),
            control: row.passed.unsigned_abs(),
            ..Counts::default()
        };
        (
            BatchId(row.batch_id),
            counts,
            row.record_types.0.into_iter().map(|(of, counts)| (of.into(), counts)).collect(),
        )
    }))
}

/// Bytes of all recorded files, and of those recorded since a moment.
pub(crate) async fn sum_received(
    conn: &mut PgConnection,
    since: chrono::DateTime<chrono::Utc>,
) -> Result<(u64, u64), sqlx::Error> {
    let row = sqlx::query!(
        r#"-- intake.sum_received
        SELECT COALESCE(sum(b.size_bytes), 0)::bigint AS "whole!",
            COALESCE(sum(b.size_bytes) FILTER (WHERE b.recorded_at >= $1), 0)::bigint AS "lately!"
        FROM intake.batch AS b
        WHERE b.recorded_at IS NOT NULL"#,
        since,
    )
    .fetch_one(conn)
    .await?;
    Ok((u64::try_from(row.whole).unwrap_or_default(), u64::try_from(row.lately).unwrap_or_default()))
}

pub(crate) async fn insert_batch(conn: &mut PgConnection, received: &Received<'_>) -> Result<BatchId, sqlx::Error> {
    let id = sqlx::query_scalar!(
        "-- intake.insert_batch
        INSERT INTO intake.batch (sea, file_name, layout, sha256, size_bytes, received_at, state)
        VALUES ($1, $2, $3, $4, $5, $6, 'received') RETURNING batch_id",
        received.sea.as_str(),
        received.file_name,
        received.layout,
        received.sha256,
        i64::try_from(received.size_bytes).unwrap_or(i64::MAX),
        received.at,
    )
    .fetch_one(conn)
    .await?;
    Ok(BatchId(id))
}

/// Closes a batch: loaded, or refused for a reason.
pub(crate) async fn close_batch(
    conn: &mut PgConnection,
    batch: BatchId,
    (counts, record_types): (&Counts, &CountsByType),
    refused: Option<&str>,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let by_name: BTreeMap<&str, &Counts> = record_types.iter().map(|(of, counts)| (&**of, counts)).collect();
    sqlx::query!(
        "-- intake.close_batch
        UPDATE intake.batch
        SET state = CASE WHEN $8::text IS NULL THEN 'loaded' ELSE 'refused' END, refused_reason = $8, recorded_at = $9,
            rows_in = $2, loaded = $3, unchanged = $4, superseded = $5, quarantined = $6, passed = $7, record_types = $10
        WHERE batch_id = $1",
        batch.0,
        count(counts.rows_in),
        count(counts.loaded),
        count(counts.unchanged),
        count(counts.superseded),
        count(counts.quarantined),
        count(counts.control),
        refused,
        at,
        sqlx::types::Json(by_name) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn insert_raw_block(
    conn: &mut PgConnection,
    batch: BatchId,
    block: i32,
    bytes: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- intake.insert_raw_block
        INSERT INTO intake.raw_block (batch_id, block, bytes) VALUES ($1, $2, $3)",
        batch.0,
        block,
        bytes,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn insert_quarantine(
    conn: &mut PgConnection,
    batch: BatchId,
    first: i32,
    rows: &[(u32, Masked<Vec<u8>>)],
) -> Result<(), sqlx::Error> {
    let numbers: Vec<i32> = (first..).take(rows.len()).collect();
    let lines: Vec<i32> = rows.iter().map(|(line, _)| i32::try_from(*line).unwrap_or(i32::MAX)).collect();
    let raw: Vec<Vec<u8>> = rows.iter().map(|(_, raw)| raw.expose().clone()).collect();
    sqlx::query!(
        "-- intake.insert_quarantine
        INSERT INTO intake.quarantine (batch_id, row_number, line, raw)
        SELECT $1, u.row_number, u.line, u.raw FROM UNNEST($2::integer[], $3::integer[], $4::bytea[]) AS u (row_number, line, raw)",
        batch.0,
        &numbers,
        &lines,
        &raw,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Keeps findings of a batch, behind those it has.
pub(crate) async fn insert_findings_after(
    conn: &mut PgConnection,
    batch: BatchId,
    last: i32,
    findings: &[Finding],
) -> Result<(), sqlx::Error> {
    let number: Vec<i32> = (last + 1..).take(findings.len()).collect();
    let line: Vec<i32> = findings.iter().map(|f| i32::try_from(f.line).unwrap_or(i32::MAX)).collect();
    let column: Vec<Option<i32>> =
        findings.iter().map(|f| f.column.map(|c| i32::try_from(c).unwrap_or(i32::MAX))).collect();
    let field: Vec<Option<String>> = findings.iter().map(|f| f.field.clone()).collect();
    let rule: Vec<String> = findings.iter().map(|f| f.rule.clone()).collect();
    let severity: Vec<String> = findings.iter().map(|f| severity_name(f.severity).to_owned()).collect();
    let message: Vec<String> = findings.iter().map(|f| f.message.clone()).collect();
    sqlx::query!(
        "-- intake.insert_findings
        INSERT INTO intake.finding (batch_id, finding, line, column_number, field, rule, severity, message)
        SELECT $1, u.finding, u.line, u.column_number, u.field, u.rule, u.severity, u.message
        FROM UNNEST($2::integer[], $3::integer[], $4::integer[], $5::text[], $6::text[], $7::text[], $8::text[])
            AS u (finding, line, column_number, field, rule, severity, message)",
        batch.0,
        &number,
        &line,
        &column as &[Option<i32>],
        &field as &[Option<String>],
        &rule,
        &severity,
        &message,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The severity as it is stored and printed.
pub(crate) const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Information => "information",
        Severity::Warning => "warning",
        Severity::Error => "error",
        Severity::Fatal => "fatal",
    }
}

/// The severity that is stored as a word; what nobody wrote is taken as the worst.
pub(crate) fn severity_of(name: &str) -> Severity {
    let all = [Severity::Information, Severity::Warning, Severity::Error, Severity::Fatal];
    all.into_iter().find(|one| severity_name(*one) == name).unwrap_or(Severity::Fatal)
}
