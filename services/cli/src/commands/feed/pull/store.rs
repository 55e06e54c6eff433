//! The databases a copy can be kept in. Their tables follow the contract, so statements are made while running; the values in them never are.

use std::{fs, os::unix::fs::OpenOptionsExt as _, path::Path};

use anyhow::Context as _;
use rusqlite::types::{ToSqlOutput, Value as SqliteValue};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, postgres::PgArguments};

use super::tables::{Type, Value};

/// A statement with its values. Names in it are the contract's.
pub struct Statement {
    pub sql: String,
    pub values: Vec<(Type, Value)>,
}

impl Statement {
    pub fn plain(sql: &str) -> Self {
        Self { sql: sql.to_owned(), values: Vec::new() }
    }
}

pub enum Database {
    Sqlite(rusqlite::Connection),
    Postgres(PgConnection),
}

/// How long another program may hold the file.
const BUSY_MS: u64 = 30_000;

impl Database {
    pub fn open_sqlite(file: &Path) -> anyhow::Result<Self> {
        // Whom the folder's group holds may read it, and nobody else; what SQLite writes beside it has the same mode.
        drop(fs::File::options().create(true).append(true).mode(0o640).open(file)?);
        let connection = rusqlite::Connection::open(file)?;
        connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
        // What is acknowledged must be on the disk.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // What is deleted is overwritten: a withdrawal asks for no less.
        connection.pragma_update(None, "secure_delete", "ON")?;
        Ok(Self::Sqlite(connection))
    }

    pub async fn open_postgres(url: &str) -> anyhow::Result<Self> {
        Ok(Self::Postgres(PgConnection::connect(url).await?))
    }

    pub const fn type_name(&self, kind: Type) -> &'static str {
        match (self, kind) {
            (_, Type::Text) | (Self::Sqlite(_), Type::Day) => "text",
            (Self::Postgres(_), Type::Day) => "date",
            (_, Type::Integer) => "bigint",
            (_, Type::Real) => "double precision",
            (_, Type::Boolean) => "boolean",
        }
    }

    /// The place of a value in a statement.
    pub fn place(&self, number: usize, kind: Type) -> String {
        match (self, kind) {
            (Self::Postgres(_), Type::Day) => format!("CAST(${number} AS date)"),
            _ => format!("${number}"),
        }
    }

    /// Executes statements, all or none.
    pub async fn transact(&mut self, statements: &[Statement]) -> anyhow::Result<()> {
        if let Self::Postgres(connection) = self {
            let mut transaction = connection.begin().await?;
            for statement in statements {
                bound(statement).execute(&mut *transaction).await.context("the copy could not be changed")?;
            }
            transaction.commit().await?;
            return Ok(());
        }
        tokio::task::block_in_place(|| self.transact_now(statements))
    }

    /// The same where nothing has to be waited for: a file.
    pub fn transact_now(&mut self, statements: &[Statement]) -> anyhow::Result<()> {
        let Self::Sqlite(connection) = self else { return Ok(()) };
        let transaction = connection.transaction()?;
        for Statement { sql, values } in statements {
            let values = values.iter().map(|(_, value)| sqlite(value));
            transaction
                .prepare_cached(sql)?
                .execute(rusqlite::params_from_iter(values))
                .context("the copy could not be changed")?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Rows as text.
    pub async fn select(&mut self, sql: &str) -> anyhow::Result<Vec<Vec<Option<String>>>> {
        match self {
            Self::Postgres(connection) => {
                let rows = query(sql).fetch_all(connection).await?;
                let row = |row: &sqlx::postgres::PgRow| (0..row.len()).map(|place| row.try_get(place)).collect();
                Ok(rows.iter().map(row).collect::<Result<_, sqlx::Error>>()?)
            }
            Self::Sqlite(connection) => tokio::task::block_in_place(|| {
                let mut statement = connection.prepare(sql)?;
                let width = statement.column_count();
                let rows = statement.query_map([], |row| (0..width).map(|place| row.get(place)).collect())?;
                Ok(rows.collect::<Result<_, rusqlite::Error>>()?)
            }),
        }
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, PgArguments>;

#[expect(
    clippy::disallowed_methods,
    reason = "the tables of a copy are made from the contract while running: no query can be checked beforehand"
)]
fn query<'q>(sql: &str) -> Query<'q> {
    sqlx::query(AssertSqlSafe(sql.to_owned()))
}

fn bound(statement: &Statement) -> Query<'_> {
    statement.values.iter().fold(query(&statement.sql), |query, (kind, value)| match (kind, value) {
        (_, Value::Text(text)) => query.bind(text.as_str()),
        (_, Value::Integer(number)) => query.bind(*number),
        (_, Value::Real(number)) => query.bind(*number),
        (_, Value::Boolean(flag)) => query.bind(*flag),
        (Type::Text | Type::Day, Value::Null) => query.bind(None::<String>),
        (Type::Integer, Value::Null) => query.bind(None::<i64>),
        (Type::Real, Value::Null) => query.bind(None::<f64>),
        (Type::Boolean, Value::Null) => query.bind(None::<bool>),
    })
}

fn sqlite(value: &Value) -> ToSqlOutput<'_> {
    match value {
        Value::Null => ToSqlOutput::Owned(SqliteValue::Null),
        Value::Text(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Boolean(flag) => (*flag).into(),
    }
}
