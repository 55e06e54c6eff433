//! A bare table: the least that a database must do to give back the same bytes. Benches hold their figures against it.

#![expect(clippy::disallowed_methods, reason = "a temporary table is unknown to the statement check")]

use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _, postgres::PgConnectOptions};

use crate::{
    Database, Error,
    copy::{Rows, Writer},
};

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

/// Fills a table of a bench's own database by COPY, past every privilege: `next` adds rows of so many columns and says whether there are more. Says how
/// many rows it stored.
pub async fn fill(
    database: &Database,
    (statement, columns): (&'static str, u16),
    mut next: impl FnMut(&mut Rows) -> bool,
) -> Result<u64, Error> {
    let mut connection = PgConnection::connect_with(database.admin_options()).await?;
    let mut writer = Writer::begin(&mut connection, statement).await?;
    let mut rows = Rows::new(columns);
    loop {
        let has_more = next(&mut rows);
        if rows.is_full() || !has_more {
            writer.send(&mut rows).await?;
        }
        if !has_more {
            return writer.finish().await;
        }
    }
}

/// Lets the planner know tables that were filled. Names are the caller's own words.
pub async fn analyze(database: &Database, tables: &'static str) -> Result<(), Error> {
    let mut connection = PgConnection::connect_with(database.admin_options()).await?;
    connection.execute(sqlx::AssertSqlSafe(format!("VACUUM (ANALYZE) {tables}"))).await?;
    Ok(())
}

/// Rows of some tables as text, and empty tables with the same columns and indexes: the least that taking those rows in must cost.
pub struct BareCopy {
    connection: PgConnection,
    tables: Vec<CopiedTable>,
}

/// The rows of one table.
struct CopiedTable {
    bare: String,
    like: String,
    text: Vec<Vec<u8>>,
}

impl BareCopy {
    /// Takes rows of tables: `which` says which of a table, and in what order. Names are the caller's own words.
    pub async fn open(database: &Database, tables: &[(&str, &str)]) -> Result<Self, Error> {
        let mut connection = PgConnection::connect_with(database.admin_options()).await?;
        let mut copied = Vec::with_capacity(tables.len());
        for (number, (table, which)) in tables.iter().enumerate() {
            let statement = format!("COPY (SELECT t.* FROM {table} AS t {which}) TO STDOUT (FORMAT csv)");
            let mut rows = connection.copy_out_raw(&statement).await?;
            let mut text = Vec::new();
            while let Some(chunk) = rows.try_next().await? {
                match text.last_mut() {
                    Some(last) if Vec::len(last) < crate::copy::CHUNK_BYTES => last.extend_from_slice(&chunk),
                    _ => text.push(chunk.to_vec()),
                }
            }
            let bare = format!("public.bare_copy_{number}");
            let like = format!("CREATE TABLE {bare} (LIKE {table} INCLUDING INDEXES)");
            copied.push(CopiedTable { bare, like, text });
        }
        Ok(Self { connection, tables: copied })
    }

    /// Copies them into fresh tables, logged and committed like any other; says how many there are and how long it took.
    pub async fn copy(&mut self) -> Result<(u64, Duration), Error> {
        let mut rows = 0;
        let mut elapsed = Duration::ZERO;
        for CopiedTable { bare, like, text } in &self.tables {
            let drop = format!("DROP TABLE IF EXISTS {bare}");
            self.connection.execute(sqlx::AssertSqlSafe(drop.clone())).await?;
            self.connection.execute(sqlx::AssertSqlSafe(like.clone())).await?;
            let started = Instant::now();
            let mut copy = self.connection.copy_in_raw(&format!("COPY {bare} FROM STDIN (FORMAT csv)")).await?;
            for chunk in text {
                copy.send(chunk.as_slice()).await?;
            }
            rows += copy.finish().await?;
            elapsed += started.elapsed();
            self.connection.execute(sqlx::AssertSqlSafe(drop)).await?;
        }
        Ok((rows, elapsed))
    }
}

/// Rows of some tables as they are stored, and empty tables with the same columns and indexes to put them into again: the least that
/// writing those rows must cost.
pub struct BareRows {
    database: PgConnectOptions,
    tables: Vec<(String, Vec<String>)>,
}

impl BareRows {
    /// Takes at most `limit` rows of each table. Names are the caller's own words.
    pub async fn open(database: &Database, tables: &[&str], limit: usize) -> Result<Self, Error> {
        let mut connection = PgConnection::connect_with(database.admin_options()).await?;
        let mut taken = Vec::new();
        for (number, table) in tables.iter().enumerate() {
            let bare = format!("public.bare_rows_{number}");
            let make = format!("DROP TABLE IF EXISTS {bare}; CREATE TABLE {bare} (LIKE {table} INCLUDING INDEXES)");
            connection.execute(sqlx::AssertSqlSafe(make)).await?;
            let read = format!("SELECT r::text FROM {table} AS r LIMIT {limit}");
            let rows = connection.fetch_all(sqlx::AssertSqlSafe(read)).await?;
            let rows = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
            taken.push((bare, rows));
        }
        Ok(Self { database: database.admin_options().clone(), tables: taken })
    }

    /// Empties the tables.
    pub async fn clear(&self) -> Result<(), Error> {
        let mut connection = PgConnection::connect_with(&self.database).await?;
        for (table, _) in &self.tables {
            connection.execute(sqlx::AssertSqlSafe(format!("TRUNCATE {table}"))).await?;
        }
        Ok(())
    }

    /// A connection that writes.
    pub async fn writer(&self) -> Result<BareWriter<'_>, Error> {
        let tables = self.tables.iter().map(|(table, rows)| {
            // The row is read from its text once, not once a column.
            let insert = format!(
                "INSERT INTO {table} SELECT (x.line).* FROM (SELECT u.line::{table} AS line FROM UNNEST($1::text[]) AS u (line) OFFSET 0) AS x"
            );
            (insert, rows.as_slice())
        });
        Ok(BareWriter { tables: tables.collect(), connection: PgConnection::connect_with(&self.database).await? })
    }
}

/// Writes rows into the tables of a [`BareRows`].
pub struct BareWriter<'b> {
    connection: PgConnection,
    tables: Vec<(String, &'b [String])>,
}

impl BareWriter<'_> {
    /// Inserts these rows into each table, and commits.
    pub async fn insert(&mut self, rows: std::ops::Range<usize>) -> Result<(), Error> {
        let mut tx = self.connection.begin().await?;
        for (insert, all) in &self.tables {
            let rows = all.get(rows.clone()).unwrap_or_default();
            sqlx::query(sqlx::AssertSqlSafe(insert.clone())).bind(rows).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
