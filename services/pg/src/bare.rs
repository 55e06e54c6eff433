//! A bare table: the least that a database must do to give back the same bytes. Benches hold their figures against it.

#![expect(clippy::disallowed_methods, reason = "a temporary table is unknown to the statement check")]

use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};

use crate::{Database, Error};

/// Rows of a key and some bytes in a temporary table, on a connection of its own that is closed with it.
pub struct Bare {
    connection: PgConnection,
}

impl Bare {
    /// An empty table of the administrator's (the application may make none). It lives as long as this value and is seen by nobody else.
    pub async fn open(database: &Database) -> Result<Self, Error> {
        let mut connection = PgConnection::connect_with(database.admin_options()).await?;
        connection.execute("CREATE TEMPORARY TABLE bare (key bigint PRIMARY KEY, content bytea NOT NULL)").await?;
        Ok(Self { connection })
    }

    /// Adds rows, numbered in their order behind `first`.
    pub async fn fill(&mut self, first: i64, rows: &[Vec<u8>]) -> Result<(), Error> {
        sqlx::query("INSERT INTO bare (key, content) SELECT $1 + u.place - 1, u.content FROM UNNEST($2::bytea[]) WITH ORDINALITY AS u (content, place)")
            .bind(first)
            .bind(rows)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Lets the planner know the table.
    pub async fn settle(&mut self) -> Result<(), Error> {
        self.connection.execute("ANALYZE bare").await?;
        Ok(())
    }

    /// The bytes under these keys, together with one round trip.
    pub async fn read(&mut self, keys: &[i64]) -> Result<u64, Error> {
        let rows = sqlx::query("SELECT content FROM bare WHERE key = ANY($1)")
            .bind(keys)
            .fetch_all(&mut self.connection)
            .await?;
        let mut bytes = 0;
        for row in rows {
            bytes += row.try_get::<&[u8], _>(0)?.len() as u64;
        }
        Ok(bytes)
    }
}
