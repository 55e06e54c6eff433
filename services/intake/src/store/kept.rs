//! All SQL of descriptions and of the records that rest on them.

use std::collections::{BTreeMap, BTreeSet};

use model::{BatchId, Sea};
use sqlx::PgConnection;

use crate::{Description, Reference, load::ToKeep};

fn bytes<'r>(references: impl IntoIterator<Item = &'r Reference>) -> Vec<Vec<u8>> {
    references.into_iter().map(|reference| reference.0.to_vec()).collect()
}

fn reference(bytes: &[u8]) -> Option<Reference> {
    bytes.try_into().ok().map(Reference)
}

fn number(line: u32) -> i32 {
    i32::try_from(line).unwrap_or(i32::MAX)
}

/// What has been described, contacts and incidents apart.
pub(crate) async fn list_descriptions(conn: &mut PgConnection, sea: &Sea) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!(
        "-- intake.list_descriptions
        SELECT d.body FROM intake.description AS d WHERE d.sea = $1 AND d.kind NOT IN ('contact', 'incident')",
        sea.as_str(),
    )
    .fetch_all(conn)
    .await
}

/// What has been described under these names.
pub(crate) async fn find_descriptions(
    conn: &mut PgConnection,
    sea: &Sea,
    wanted: &BTreeSet<Reference>,
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar!(
        "-- intake.find_descriptions
        SELECT d.body FROM intake.description AS d WHERE d.sea = $1 AND d.reference = ANY ($2)",
        sea.as_str(),
        &bytes(wanted),
    )
    .fetch_all(conn)
    .await
}

/// Keeps descriptions, each under a name of its own, and gives the names of those that say something new.
pub(crate) async fn upsert_descriptions(
    conn: &mut PgConnection,
    sea: &Sea,
    batch: BatchId,
    rows: &[(u32, Description)],
) -> Result<Vec<Reference>, sqlx::Error> {
    let references = bytes(rows.iter().map(|(_, row)| &row.reference));
    let kinds: Vec<String> = rows.iter().map(|(_, row)| row.kind.to_owned()).collect();
    let bodies: Vec<Vec<u8>> = rows.iter().map(|(_, row)| row.body.expose().clone()).collect();
    let lines: Vec<i32> = rows.iter().map(|(line, _)| number(*line)).collect();
    let new = sqlx::query_scalar!(
        "-- intake.upsert_descriptions
        INSERT INTO intake.description AS d (sea, reference, kind, body, batch_id, line)
        SELECT $1, u.reference, u.kind, u.body, $2, u.line
        FROM UNNEST($3::bytea[], $4::text[], $5::bytea[], $6::integer[]) AS u (reference, kind, body, line)
        ON CONFLICT (sea, reference) DO UPDATE
        SET body = EXCLUDED.body, batch_id = EXCLUDED.batch_id, line = EXCLUDED.line WHERE d.body <> EXCLUDED.body
        RETURNING d.reference",
        sea.as_str(),
        batch.0,
        &references,
        &kinds,
        &bodies,
        &lines,
    )
    .fetch_all(conn)
    .await?;
    Ok(new.iter().filter_map(|bytes| reference(bytes)).collect())
}

/// Forgets kept records of facts that a later record speaks of, and gives those facts.
pub(crate) async fn delete_subjects(
    conn: &mut PgConnection,
    sea: &Sea,
    subjects: &BTreeSet<Reference>,
) -> Result<BTreeSet<Reference>, sqlx::Error> {
    let kept = sqlx::query_scalar!(
        "-- intake.delete_subjects
        DELETE FROM intake.kept_record AS k
        USING intake.kept_subject AS s WHERE k.kept_id = s.kept_id AND s.sea = $1 AND s.subject = ANY ($2)
        RETURNING s.subject",
        sea.as_str(),
        &bytes(subjects),
    )
    .fetch_all(conn)
    .await?;
    Ok(kept.iter().filter_map(|bytes| reference(bytes)).collect())
}

/// Keeps records, with what they rest on and what they speak of.
pub(crate) async fn insert_records(
    conn: &mut PgConnection,
    sea: &Sea,
    batch: BatchId,
    rows: &[ToKeep],
) -> Result<(), sqlx::Error> {
    let lines: Vec<i32> = rows.iter().map(|row| number(row.line)).collect();
    let records: Vec<Vec<u8>> = rows.iter().map(|row| row.record.expose().clone()).collect();
    let ids = sqlx::query_scalar!(
        "-- intake.insert_kept_records
        INSERT INTO intake.kept_record (sea, batch_id, line, record)
        SELECT $1, $2, u.line, u.record
        FROM UNNEST($3::integer[], $4::bytea[]) WITH ORDINALITY AS u (line, record, place) ORDER BY u.place
        RETURNING kept_id",
        sea.as_str(),
        batch.0,
        &lines,
        &records,
    )
    .fetch_all(&mut *conn)
    .await?;
    let rests = ids.iter().zip(rows).flat_map(|(id, row)| row.rests_on.iter().map(move |reference| (*id, reference)));
    let (rest_ids, rests): (Vec<i64>, Vec<&Reference>) = rests.unzip();
    let subjects: BTreeSet<(i64, &Reference)> =
        ids.iter().zip(rows).flat_map(|(id, row)| row.subjects.iter().map(move |subject| (*id, subject))).collect();
    let (subject_ids, subjects): (Vec<i64>, Vec<&Reference>) = subjects.into_iter().unzip();
    sqlx::query!(
        "-- intake.insert_kept_for
        INSERT INTO intake.kept_for (sea, reference, kept_id)
        SELECT $1, u.reference, u.kept_id FROM UNNEST($2::bytea[], $3::bigint[]) AS u (reference, kept_id)",
        sea.as_str(),
        &bytes(rests),
        &rest_ids,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- intake.insert_kept_subject
        INSERT INTO intake.kept_subject (sea, subject, kept_id)
        SELECT $1, u.subject, u.kept_id FROM UNNEST($2::bytea[], $3::bigint[]) AS u (subject, kept_id)",
        sea.as_str(),
        &bytes(subjects),
        &subject_ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes the records that rest on what has arrived, in the order they came, each with the line of what arrived.
pub(crate) async fn take_records(
    conn: &mut PgConnection,
    sea: &Sea,
    arrived: &BTreeMap<Reference, u32>,
) -> Result<Vec<(u32, Vec<u8>)>, sqlx::Error> {
    let lines: Vec<i32> = arrived.values().map(|line| number(*line)).collect();
    let mut rows = sqlx::query!(
        r#"-- intake.take_kept_records
        WITH ready AS (
            SELECT f.kept_id, min(u.line) AS line
            FROM UNNEST($2::bytea[], $3::integer[]) AS u (reference, line)
            JOIN intake.kept_for AS f ON f.sea = $1 AND f.reference = u.reference
            GROUP BY f.kept_id
        )
        DELETE FROM intake.kept_record AS k USING ready AS r WHERE k.kept_id = r.kept_id
        RETURNING k.kept_id, k.record, r.line AS "line!""#,
        sea.as_str(),
        &bytes(arrived.keys()),
        &lines,
    )
    .fetch_all(conn)
    .await?;
    rows.sort_by_key(|row| row.kept_id);
    Ok(rows.into_iter().map(|row| (row.line.unsigned_abs(), row.record)).collect())
}

/// What was withdrawn before anybody stated it.
pub(crate) async fn list_early_withdrawals(
    conn: &mut PgConnection,
    sea: &Sea,
) -> Result<BTreeSet<Reference>, sqlx::Error> {
    let subjects = sqlx::query_scalar!(
        "-- intake.list_early_withdrawals
        SELECT e.subject FROM intake.early_withdrawal AS e WHERE e.sea = $1",
        sea.as_str(),
    )
    .fetch_all(conn)
    .await?;
    Ok(subjects.iter().filter_map(|bytes| reference(bytes)).collect())
}

/// Remembers what this batch withdraws before anybody stated it.
pub(crate) async fn insert_early_withdrawals(
    conn: &mut PgConnection,
    sea: &Sea,
    batch: BatchId,
    withdrawn: &BTreeMap<Reference, u32>,
) -> Result<(), sqlx::Error> {
    let lines: Vec<i32> = withdrawn.values().map(|line| number(*line)).collect();
    sqlx::query!(
        "-- intake.insert_early_withdrawals
        INSERT INTO intake.early_withdrawal (sea, subject, batch_id, line)
        SELECT $1, u.subject, $2, u.line FROM UNNEST($3::bytea[], $4::integer[]) AS u (subject, line)
        ON CONFLICT (sea, subject) DO NOTHING",
        sea.as_str(),
        batch.0,
        &bytes(withdrawn.keys()),
        &lines,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets withdrawals that have met their records.
pub(crate) async fn delete_early_withdrawals(
    conn: &mut PgConnection,
    sea: &Sea,
    met: &BTreeSet<Reference>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- intake.delete_early_withdrawals
        DELETE FROM intake.early_withdrawal AS e WHERE e.sea = $1 AND e.subject = ANY ($2)",
        sea.as_str(),
        &bytes(met),
    )
    .execute(conn)
    .await?;
    Ok(())
}
