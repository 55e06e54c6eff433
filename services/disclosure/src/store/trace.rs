//! Where facts stand in the files they came in, and those files' bytes.

use model::{BatchId, SourcePersonId};
use sqlx::PgConnection;

use crate::{Error, KeptFile};

/// The file of a loaded batch.
pub(crate) async fn find_kept_file(conn: &mut PgConnection, batch: BatchId) -> Result<Option<KeptFile>, Error> {
    let row = sqlx::query!(
        r#"-- disclosure.find_kept_file
        SELECT k.file_name AS "file_name!", k.layout AS "layout!", k.sha256 AS "sha256!", k.size_bytes AS "size_bytes!"
        FROM intake.kept_file AS k WHERE k.batch_id = $1"#,
        batch.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| KeptFile {
        batch,
        name: row.file_name,
        layout: row.layout,
        sha256: row.sha256,
        size_bytes: row.size_bytes.unsigned_abs(),
    }))
}

/// One block of a kept file, compressed; `None` behind the last.
pub(crate) async fn find_kept_block(
    conn: &mut PgConnection,
    batch: BatchId,
    block: i32,
) -> Result<Option<Vec<u8>>, Error> {
    let bytes = sqlx::query_scalar!(
        r#"-- disclosure.find_kept_block
        SELECT k.bytes AS "bytes!" FROM intake.kept_block AS k WHERE k.batch_id = $1 AND k.block = $2"#,
        batch.0,
        block,
    )
    .fetch_optional(conn)
    .await?;
    Ok(bytes)
}

/// Whether any fact ever stated of these source persons is expunged or under seal.
pub(crate) async fn has_sealed(conn: &mut PgConnection, persons: &[SourcePersonId]) -> Result<bool, Error> {
    let persons: Vec<i64> = persons.iter().map(|person| person.0).collect();
    let has = sqlx::query_scalar!(
        r#"-- disclosure.has_sealed
        SELECT EXISTS (SELECT FROM history.stated AS f WHERE f.source_person_id = ANY($1) AND f.is_sealed) AS "has!""#,
        &persons,
    )
    .fetch_one(conn)
    .await?;
    Ok(has)
}

/// The source persons of whom a line stated a fact, whatever became of it, and whether one of those facts is expunged or under seal. No index
/// leads from lines to facts: every fact is looked at.
pub(crate) async fn list_stated(
    conn: &mut PgConnection,
    (batch, line): (BatchId, u32),
    limit: i64,
) -> Result<Vec<(SourcePersonId, bool)>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_stated
        SELECT f.source_person_id AS "person!", bool_or(f.is_sealed) AS "is_sealed!"
        FROM history.stated AS f
        WHERE f.recorded_batch = $1 AND f.line = $2
        GROUP BY f.source_person_id
        ORDER BY f.source_person_id
        LIMIT $3"#,
        batch.0,
        i32::try_from(line).unwrap_or(i32::MAX),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (SourcePersonId(row.person), row.is_sealed)).collect())
}
