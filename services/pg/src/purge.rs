//! What the server still holds of rows that were deleted: dead tuples, planner samples, and the log of changes.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::{Database, Error};

/// Segments of the log that are gone through at most until none from before is left.
const SEGMENTS_MAX: u32 = 512;

/// What a purge came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purged {
    /// Tables were written anew. Not so where the login may not: then deleted rows lie in the tables' files until the server uses their place again, and
    /// whoever administers the server writes them anew.
    pub tables_are_rewritten: bool,
    /// The log of changes in the server's own folder holds nothing from before. Archived logs and backups are another matter.
    pub log_is_clear: bool,
}

impl Database {
    /// Writes tables anew without their deleted rows, with fresh samples for the planner, and has the server drop the segments of its log that
    /// were written before. Tables are locked while they are written anew. The names are the program's own, never input.
    ///
    /// Blocks that the files occupied on the disk are given back to the file system, which may keep their content until it uses them again.
    pub async fn purge(&self, tables: &[&'static str]) -> Result<Purged, Error> {
        let mut connection = PgConnection::connect_with(self.admin_options()).await?;
        connection.execute("SET statement_timeout = 0; SET lock_timeout = 0").await?;
        for table in tables.iter().chain(&["pg_catalog.pg_statistic"]) {
            // Safe: the names are written in the program.
            let done = connection.execute(AssertSqlSafe(format!("VACUUM (FULL, ANALYZE) {table}"))).await;
            match done.map_err(Error::from) {
                Ok(_) => {}
                Err(Error::Denied(_)) => return Ok(Purged { tables_are_rewritten: false, log_is_clear: false }),
                Err(error) => return Err(error),
            }
        }
        let log_is_clear = self.cluster().is_some() && clear_log(&mut connection).await?;
        connection.close().await?;
        Ok(Purged { tables_are_rewritten: true, log_is_clear })
    }
}

/// Goes through the log until every segment of its folder was written after this began. A segment that is used again is filled from its beginning, and
/// what it held before is overwritten; one that is no longer needed is deleted instead of kept for later.
async fn clear_log(connection: &mut PgConnection) -> Result<bool, Error> {
    connection.execute("ALTER SYSTEM SET wal_recycle = off").await?;
    let cleared = go_through(connection).await;
    connection.execute("ALTER SYSTEM RESET wal_recycle").await?;
    connection.execute("SELECT pg_reload_conf()").await?;
    cleared
}

async fn go_through(connection: &mut PgConnection) -> Result<bool, Error> {
    connection.execute("SELECT pg_reload_conf()").await?;
    let current = sqlx::query_scalar!(
        r#"-- pg.log_segment
        SELECT pg_walfile_name(pg_current_wal_insert_lsn()) AS "segment!""#
    )
    .fetch_one(&mut *connection)
    .await?;
    let before: Vec<String> = sqlx::query_scalar!(
        r#"-- pg.log_segments
        SELECT w.name AS "name!" FROM pg_ls_waldir() AS w WHERE w.name ~ '^[0-9A-F]{24}$' ORDER BY w.name"#
    )
    .fetch_all(&mut *connection)
    .await?;
    // The last of them, made beforehand for later use, must have been written through too.
    let last = before.into_iter().max().unwrap_or_default().max(current);
    for _ in 0..SEGMENTS_MAX {
        connection.execute("CHECKPOINT").await?;
        connection.execute("SELECT pg_switch_wal()").await?;
        let oldest = sqlx::query_scalar!(
            r#"-- pg.oldest_log_segment
            SELECT COALESCE(min(w.name), '') AS "name!" FROM pg_ls_waldir() AS w WHERE w.name ~ '^[0-9A-F]{24}$'"#
        )
        .fetch_one(&mut *connection)
        .await?;
        if oldest > last {
            return Ok(true);
        }
    }
    Ok(false)
}
