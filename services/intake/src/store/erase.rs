//! All SQL of erasing: the act, kept files and what was blanked in them, and what is kept between deliveries.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::{BatchId, Domain, NaturalKey, Sea, SourcePersonId, StudentId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::erase::{Erasure, Order};

fn number(line: u32) -> i32 {
    i32::try_from(line).unwrap_or(i32::MAX)
}

fn numbers(lines: &BTreeSet<u32>) -> Vec<i32> {
    lines.iter().map(|line| number(*line)).collect()
}

/// Enters an erasure; one on the same request is left as it is.
pub(crate) async fn insert_erasure(
    conn: &mut PgConnection,
    order: &Order,
    persons: &[i64],
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let fact = order.fact.as_ref();
    let result = sqlx::query!(
        "-- intake.insert_erasure
        INSERT INTO intake.erasure (erasure_id, request, student_id, source_persons, domain, natural_key, ground, order_number, approved_by, begun_at, step,
            client_of, client_hash)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'raw', $11, $12)
        ON CONFLICT (request) DO NOTHING",
        order.id,
        order.request.as_slice(),
        order.student.0,
        persons,
        fact.map(|fact| fact.domain.code()),
        fact.map(|fact| Uuid::from_bytes(fact.key.0)),
        order.ground.as_str(),
        order.order_number,
        &order.approved_by,
        at,
        order.client.as_ref().map(|client| client.consumer.as_str()),
        order.client.as_ref().map(|client| client.hash.to_vec()),
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// A row of the table of erasures.
struct Row {
    erasure_id: Uuid,
    request: Vec<u8>,
    student_id: Uuid,
    source_persons: Vec<i64>,
    domain: Option<i16>,
    natural_key: Option<Uuid>,
    ground: String,
    order_number: String,
    approved_by: Vec<String>,
    begun_at: DateTime<Utc>,
    step: String,
    batch_done: i64,
    lines_blanked: i64,
    facts_erased: i64,
    finished_at: Option<DateTime<Utc>>,
    client_of: Option<String>,
    client_hash: Option<Vec<u8>>,
}

impl Row {
    fn read(self) -> Option<Erasure> {
        let persons: Vec<SourcePersonId> = self.source_persons.into_iter().map(SourcePersonId).collect();
        let fact = match (self.domain, self.natural_key) {
            (Some(domain), Some(key)) => Some(crate::erase::FactName {
                person: *persons.first()?,
                domain: Domain::from_code(domain)?,
                key: NaturalKey(key.into_bytes()),
            }),
            _ => None,
        };
        let client = match (self.client_of, self.client_hash) {
            (Some(consumer), Some(hash)) => {
                Some(crate::erase::ClientName { consumer: consumer.parse().ok()?, hash: hash.try_into().ok()? })
            }
            _ => None,
        };
        Some(Erasure {
            order: Order {
                id: self.erasure_id,
                request: self.request.try_into().ok()?,
                student: StudentId(self.student_id),
                fact,
                client,
                ground: self.ground.parse().ok()?,
                order_number: self.order_number,
                approved_by: self.approved_by,
            },
            persons,
            begun_at: self.begun_at,
            step: self.step.parse().ok()?,
            batch_done: BatchId(self.batch_done),
            lines_blanked: self.lines_blanked.unsigned_abs(),
            facts_erased: self.facts_erased.unsigned_abs(),
            finished_at: self.finished_at,
        })
    }
}

/// Erasures, the oldest first; those of one student if one is named.
pub(crate) async fn list_erasures(
    conn: &mut PgConnection,
    student: Option<StudentId>,
) -> Result<Vec<Erasure>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "-- intake.list_erasures
        SELECT e.erasure_id, e.request, e.student_id, e.source_persons, e.domain, e.natural_key, e.ground, e.order_number, e.approved_by,
            e.begun_at, e.step, e.batch_done, e.lines_blanked, e.facts_erased, e.finished_at, e.client_of,
            e.client_hash
        FROM intake.erasure AS e WHERE $1::uuid IS NULL OR e.student_id = $1
        ORDER BY e.begun_at, e.erasure_id",
        student.map(|student| student.0),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(Row::read).collect())
}

/// Moves an erasure from one step to the next; says whether it stood there.
pub(crate) async fn advance(
    conn: &mut PgConnection,
    erasure: Uuid,
    (from, to): (&str, &str),
    facts: u64,
    finished_at: Option<DateTime<Utc>>,
) -> Result<bool, sqlx::Error> {
    let result = sqlx::query!(
        "-- intake.advance_erasure
        UPDATE intake.erasure SET step = $3, facts_erased = facts_erased + $4, finished_at = $5
        WHERE erasure_id = $1 AND step = $2",
        erasure,
        from,
        to,
        i64::try_from(facts).unwrap_or(i64::MAX),
        finished_at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Notes that a batch's file was searched, and how many lines were blanked.
pub(crate) async fn note_batch(
    conn: &mut PgConnection,
    erasure: Uuid,
    batch: BatchId,
    lines: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- intake.note_searched_batch
        UPDATE intake.erasure SET batch_done = $2, lines_blanked = lines_blanked + $3 WHERE erasure_id = $1",
        erasure,
        batch.0,
        i64::try_from(lines).unwrap_or(i64::MAX),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A batch whose file may hold records of a person.
pub(crate) struct SearchedBatch {
    pub(crate) batch_id: i64,
    pub(crate) sea: String,
    pub(crate) layout: String,
    pub(crate) is_loaded: bool,
}

/// The next batch of these states behind `after`.
pub(crate) async fn find_batch_after(
    conn: &mut PgConnection,
    seas: &[String],
    after: BatchId,
) -> Result<Option<SearchedBatch>, sqlx::Error> {
    sqlx::query_as!(
        SearchedBatch,
        r#"-- intake.find_batch_after
        SELECT b.batch_id, b.sea, b.layout, b.state = 'loaded' AS "is_loaded!"
        FROM intake.batch AS b WHERE b.sea = ANY($1) AND b.batch_id > $2
        ORDER BY b.batch_id LIMIT 1"#,
        seas,
        after.0,
    )
    .fetch_optional(conn)
    .await
}

/// How many batches of these states there are.
pub(crate) async fn count_batches(conn: &mut PgConnection, seas: &[String]) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- intake.count_batches
        SELECT count(*) AS "batches!" FROM intake.batch AS b WHERE b.sea = ANY($1)"#,
        seas,
    )
    .fetch_one(conn)
    .await
}

pub(crate) async fn find_block_after(
    conn: &mut PgConnection,
    batch: BatchId,
    after: i32,
) -> Result<Option<(i32, Vec<u8>)>, sqlx::Error> {
    let row = sqlx::query!(
        "-- intake.find_block_after
        SELECT r.block, r.bytes FROM intake.raw_block AS r WHERE r.batch_id = $1 AND r.block > $2 ORDER BY r.block LIMIT 1",
        batch.0,
        after,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.block, row.bytes)))
}

pub(crate) async fn insert_block(
    conn: &mut PgConnection,
    batch: BatchId,
    block: i32,
    bytes: &[u8],
) -> Result<(), sqlx::Error> {
    super::insert_raw_block(conn, batch, block, bytes).await
}

/// Puts the blocks with negative numbers (-1 is the first) in the place of the others, and enters the file's new hash.
pub(crate) async fn replace_blocks(
    conn: &mut PgConnection,
    batch: BatchId,
    sha256: &[u8; 32],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- intake.delete_old_blocks
        DELETE FROM intake.raw_block WHERE batch_id = $1 AND block >= 0",
        batch.0,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- intake.number_new_blocks
        UPDATE intake.raw_block SET block = -1 - block WHERE batch_id = $1 AND block < 0",
        batch.0,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- intake.set_redacted_hash
        UPDATE intake.batch SET redacted_sha256 = $2 WHERE batch_id = $1",
        batch.0,
        sha256.as_slice(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Enters blanked lines in the redaction list; gives those that are new there.
pub(crate) async fn insert_redactions(
    conn: &mut PgConnection,
    batch: BatchId,
    lines: &BTreeSet<u32>,
    erasure: Option<Uuid>,
) -> Result<BTreeSet<u32>, sqlx::Error> {
    let new = sqlx::query_scalar!(
        "-- intake.insert_redactions
        INSERT INTO intake.redaction (batch_id, line, erasure_id)
        SELECT $1, u.line, $3 FROM UNNEST($2::integer[]) AS u (line)
        ON CONFLICT DO NOTHING
        RETURNING line",
        batch.0,
        &numbers(lines),
        erasure,
    )
    .fetch_all(conn)
    .await?;
    Ok(new.into_iter().map(i32::unsigned_abs).collect())
}

/// Takes rows out of quarantine; gives the lines they stood on.
pub(crate) async fn delete_quarantined(
    conn: &mut PgConnection,
    batch: BatchId,
    lines: &BTreeSet<u32>,
) -> Result<BTreeSet<u32>, sqlx::Error> {
    let gone = sqlx::query_scalar!(
        "-- intake.delete_quarantined
        DELETE FROM intake.quarantine WHERE batch_id = $1 AND line = ANY($2) RETURNING line",
        batch.0,
        &numbers(lines),
    )
    .fetch_all(conn)
    .await?;
    Ok(gone.into_iter().map(i32::unsigned_abs).collect())
}

pub(crate) async fn delete_findings(
    conn: &mut PgConnection,
    batch: BatchId,
    lines: &BTreeSet<u32>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- intake.delete_findings
        DELETE FROM intake.finding WHERE batch_id = $1 AND line = ANY($2)",
        batch.0,
        &numbers(lines),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets withdrawals that stood on these lines and wait for what they withdraw.
pub(crate) async fn delete_early_withdrawals(
    conn: &mut PgConnection,
    batch: BatchId,
    lines: &BTreeSet<u32>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- intake.delete_early_withdrawals_on
        DELETE FROM intake.early_withdrawal WHERE batch_id = $1 AND line = ANY($2)",
        batch.0,
        &numbers(lines),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The number of a batch's last finding; 0 if there is none.
pub(crate) async fn last_finding(conn: &mut PgConnection, batch: BatchId) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- intake.last_finding
        SELECT COALESCE(max(f.finding), 0) AS "last!" FROM intake.finding AS f WHERE f.batch_id = $1"#,
        batch.0,
    )
    .fetch_one(conn)
    .await
}

/// Counts rows of a loaded batch as erased: a second load of its bytes has them quarantined.
pub(crate) async fn count_erased(conn: &mut PgConnection, batch: BatchId, rows: u64) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- intake.count_erased
        UPDATE intake.batch SET erased = LEAST(erased + $2, rows_in - quarantined - passed)
        WHERE batch_id = $1 AND state = 'loaded'",
        batch.0,
        i64::try_from(rows).unwrap_or(i64::MAX),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The blanked lines of a batch.
pub(crate) async fn list_redactions(conn: &mut PgConnection, batch: BatchId) -> Result<Vec<u32>, sqlx::Error> {
    let lines = sqlx::query_scalar!(
        "-- intake.list_redactions
        SELECT r.line FROM intake.redaction AS r WHERE r.batch_id = $1 ORDER BY r.line",
        batch.0,
    )
    .fetch_all(conn)
    .await?;
    Ok(lines.into_iter().map(i32::unsigned_abs).collect())
}

/// Batches in whose files an erasure blanked lines, each with its file's name.
pub(crate) async fn list_redacted(
    conn: &mut PgConnection,
    erasure: Uuid,
) -> Result<Vec<(BatchId, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- intake.list_redacted
        SELECT b.batch_id, b.file_name FROM intake.batch AS b
        WHERE EXISTS (SELECT FROM intake.redaction AS r WHERE r.batch_id = b.batch_id AND r.erasure_id = $1)
        ORDER BY b.batch_id",
        erasure,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (BatchId(row.batch_id), row.file_name)).collect())
}

/// Descriptions that speak of a person, or that none but the person's records rest on (a parent's own record).
pub(crate) async fn list_descriptions(
    conn: &mut PgConnection,
    sea: &Sea,
    quoted_id: &[u8],
) -> Result<Vec<(Vec<u8>, BatchId, u32)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- intake.list_descriptions_of
        WITH own AS (
            SELECT k.kept_id FROM intake.kept_record AS k WHERE k.sea = $1 AND position($2::bytea IN k.record) > 0
        )
        SELECT d.reference, d.batch_id, d.line FROM intake.description AS d
        WHERE d.sea = $1 AND (
            position($2::bytea IN d.body) > 0
            OR (d.kind = 'contact'
                AND EXISTS (SELECT FROM intake.kept_for AS f JOIN own ON own.kept_id = f.kept_id WHERE f.sea = $1 AND f.reference = d.reference)
                AND NOT EXISTS (
                    SELECT FROM intake.kept_for AS f WHERE f.sea = $1 AND f.reference = d.reference
                        AND NOT EXISTS (SELECT FROM own WHERE own.kept_id = f.kept_id)
                ))
        )",
        sea.as_str(),
        quoted_id,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.reference, BatchId(row.batch_id), row.line.unsigned_abs())).collect())
}

/// Kept records that speak of a person go, and these descriptions with them.
pub(crate) async fn delete_kept(
    conn: &mut PgConnection,
    sea: &Sea,
    quoted_id: &[u8],
    descriptions: &[Vec<u8>],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- intake.delete_kept_records_of
        DELETE FROM intake.kept_record WHERE sea = $1 AND position($2::bytea IN record) > 0",
        sea.as_str(),
        quoted_id,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- intake.delete_descriptions_of
        DELETE FROM intake.description WHERE sea = $1 AND reference = ANY($2)",
        sea.as_str(),
        descriptions,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The lines of a batch that a fact's versions came from, by batch.
pub(crate) fn lines_of(places: &[(BatchId, u32)], batch: BatchId) -> BTreeSet<u32> {
    places.iter().filter(|(of, _)| *of == batch).map(|(_, line)| *line).collect()
}
