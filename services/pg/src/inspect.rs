//! What a database says of itself, for whoever looks after it.

use crate::{Database, Error};

/// A server and its database, as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The server's version, as it writes it.
    pub version: String,
    /// Settings that durability rests on and that are off: an entry that was committed could be lost.
    pub not_durable: Vec<String>,
    /// Bytes of the database.
    pub bytes: u64,
    /// Connections that are open to the server, from whomever.
    pub connections: u32,
    /// How many it takes.
    pub connections_max: u32,
}

impl Database {
    /// Asks the server.
    pub async fn inspect(&self) -> Result<Inspection, Error> {
        let row = sqlx::query!(
            r#"-- pg.inspect
            SELECT current_setting('server_version') AS "version!", current_setting('fsync') AS "fsync!",
                current_setting('full_page_writes') AS "full_page_writes!", current_setting('synchronous_commit') AS "synchronous_commit!",
                pg_database_size(current_database()) AS "bytes!", (SELECT count(*) FROM pg_catalog.pg_stat_activity) AS "connections!",
                current_setting('max_connections')::bigint AS "connections_max!""#
        )
        .fetch_one(self.pool())
        .await?;
        let settings = [
            ("fsync", row.fsync),
            ("full_page_writes", row.full_page_writes),
            ("synchronous_commit", row.synchronous_commit),
        ];
        Ok(Inspection {
            version: row.version,
            not_durable: settings
                .iter()
                .filter(|(_, value)| value == "off")
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            bytes: u64::try_from(row.bytes).unwrap_or_default(),
            connections: u32::try_from(row.connections).unwrap_or(u32::MAX),
            connections_max: u32::try_from(row.connections_max).unwrap_or_default(),
        })
    }
}
