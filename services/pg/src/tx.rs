//! One way to run a transaction.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Postgres, pool::PoolConnection};
use tracing::Instrument as _;

use crate::{Error, Role, error::is_retryable, measure};

/// Attempts before a transaction that keeps losing is given up.
const ATTEMPTS_MAX: u32 = 10;
/// Pause before the second attempt; it doubles up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(4);
/// Longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_millis(500);
/// Settings handed to row-level security live under this prefix.
const SETTING_PREFIX: &str = "throughline.";

/// What a transaction sees of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Each statement sees what was committed when it began.
    #[default]
    ReadCommitted,
    /// All statements see one snapshot: what is read, decided and recorded belongs to the same moment.
    RepeatableRead,
    /// As if transactions ran one after the other.
    Serializable,
}

impl Isolation {
    const fn sql(self) -> &'static str {
        match self {
            Self::ReadCommitted => "READ COMMITTED",
            Self::RepeatableRead => "REPEATABLE READ",
            Self::Serializable => "SERIALIZABLE",
        }
    }
}

/// An open transaction: a connection that acts as one role, until it commits or rolls back.
///
/// Stores take it as `&mut PgConnection`, to which it dereferences.
pub struct Tx<'c, 'env: 'c> {
    open: sqlx::Transaction<'c, Postgres>,
    /// Lets a body borrow from its surroundings for `'env`.
    surroundings: PhantomData<&'env ()>,
}

impl fmt::Debug for Tx<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tx")
    }
}

impl Tx<'_, '_> {
    /// Continues as another context, in the same transaction: where siblings meet in layer 3.
    pub async fn act_as(&mut self, role: Role) -> Result<(), Error> {
        // Safe: the name is one of ours.
        self.execute(AssertSqlSafe(format!("SET LOCAL ROLE {role}"))).await?;
        Ok(())
    }

    /// Hands a grant to row-level security: `SET LOCAL throughline.<name>`. Gone with the transaction.
    pub async fn set(&mut self, name: &'static str, value: &str) -> Result<(), Error> {
        self.set_all(&[(name, value.to_owned())]).await
    }

    /// The same for several, together with one round trip.
    pub async fn set_all(&mut self, settings: &[(&'static str, String)]) -> Result<(), Error> {
        if settings.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = settings.iter().map(|(name, _)| format!("{SETTING_PREFIX}{name}")).collect();
        let values: Vec<String> = settings.iter().map(|(_, value)| value.clone()).collect();
        sqlx::query!(
            r#"-- pg.set
            SELECT set_config(setting.name, setting.value, TRUE) AS applied
            FROM UNNEST($1::text[], $2::text[]) AS setting (name, value)"#,
            &names,
            &values
        )
        .fetch_all(&mut **self)
        .await?;
        Ok(())
    }
}

impl Deref for Tx<'_, '_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.open
    }
}

impl DerefMut for Tx<'_, '_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.open
    }
}

/// A pooled connection on loan. It goes back to the pool only when the server has confirmed the end of the
/// transaction; after anything else (a failure, a panic, a cancelled future, wherever it was) it is closed, so that no
/// role and no grant can ride along.
struct Lease {
    connection: PoolConnection<Postgres>,
    is_clean: bool,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.is_clean {
            self.connection.close_on_drop();
        }
    }
}

/// A transaction to be run: its name, its role, and what deviates from the ordinary.
#[derive(Clone, Debug)]
pub struct Transaction {
    name: &'static str,
    role: Role,
    isolation: Isolation,
    settings: Vec<(&'static str, String)>,
    statement_timeout: Option<Duration>,
    keeps_plans: bool,
}

/// Describes a transaction: `pg::transaction("disclosure.record", Role::Disclosure).isolation(...).run(pool, ...)`.
pub fn transaction(name: &'static str, role: Role) -> Transaction {
    Transaction {
        name,
        role,
        isolation: Isolation::default(),
        settings: Vec::new(),
        statement_timeout: None,
        keeps_plans: false,
    }
}

/// Runs `body` in a transaction named `name`, acting as `role`, at READ COMMITTED. See [`Transaction::run`].
pub async fn run_tx<'env, T, E, F>(pool: &PgPool, name: &'static str, role: Role, body: F) -> Result<T, E>
where
    F: for<'tx, 'c> FnMut(&'tx mut Tx<'c, 'env>) -> BoxFuture<'tx, Result<T, E>> + Send,
    E: From<Error> + std::error::Error + 'static,
    T: Send,
{
    transaction(name, role).run(pool, body).await
}

impl Transaction {
    /// States what the transaction sees of others.
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.isolation = isolation;
        self
    }

    /// Hands a grant to row-level security for this transaction: `SET LOCAL throughline.<name>`.
    #[must_use]
    pub fn setting(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.settings.push((name, value.into()));
        self
    }

    /// Replaces the pool's limit for a single statement, for bulk work.
    #[must_use]
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.statement_timeout = Some(limit);
        self
    }

    /// Plans each statement once for a connection, not anew for each set of values: for statements that are asked by key
    /// whatever the values, and whose planning costs more than their work.
    #[must_use]
    pub fn keep_plans(mut self) -> Self {
        self.keeps_plans = true;
        self
    }

    /// Runs `body` and commits if it returns `Ok`, else rolls back and returns its error.
    ///
    /// When the database reports that the transaction lost against a concurrent one (serialization failure, deadlock),
    /// whether to the body or at commit, `body` is run again in a new transaction: it must have no effect but through
    /// its connection. No network, files or channels inside. What it captures it captures by reference.
    pub async fn run<'env, T, E, F>(&self, pool: &PgPool, mut body: F) -> Result<T, E>
    where
        F: for<'tx, 'c> FnMut(&'tx mut Tx<'c, 'env>) -> BoxFuture<'tx, Result<T, E>> + Send,
        E: From<Error> + std::error::Error + 'static,
        T: Send,
    {
        let span = tracing::debug_span!(
            "pg.tx",
            tx.name = self.name,
            tx.role = self.role.name(),
            tx.attempts = tracing::field::Empty
        );
        async {
            let started = Instant::now();
            let mut attempt = 1;
            loop {
                let result = self.attempt(pool, &mut body).await;
                let is_lost = result.as_ref().is_err_and(|error| is_retryable(error));
                if !is_lost || attempt == ATTEMPTS_MAX {
                    let elapsed = started.elapsed();
                    measure::transaction(self.name, result.is_ok(), elapsed, attempt);
                    tracing::Span::current().record("tx.attempts", attempt);
                    tracing::debug!(elapsed_us = elapsed.as_micros() as u64, ok = result.is_ok(), "transaction ended");
                    return result;
                }
                tokio::time::sleep(pause_after(attempt)).await;
                attempt += 1;
            }
        }
        .instrument(span)
        .await
    }

    async fn attempt<'env, T, E, F>(&self, pool: &PgPool, body: &mut F) -> Result<T, E>
    where
        F: for<'tx, 'c> FnMut(&'tx mut Tx<'c, 'env>) -> BoxFuture<'tx, Result<T, E>> + Send,
        E: From<Error> + std::error::Error + 'static,
        T: Send,
    {
        let mut lease = Lease { connection: pool.acquire().await.map_err(Error::from)?, is_clean: false };
        let (result, has_ended) = self.attempt_on(&mut lease.connection, body).await?;
        lease.is_clean = has_ended && !lease.connection.is_in_transaction();
        result
    }

    /// What the body made of it, and whether the server has confirmed the end of the transaction.
    async fn attempt_on<'env, T, E, F>(
        &self,
        connection: &mut PgConnection,
        body: &mut F,
    ) -> Result<(Result<T, E>, bool), Error>
    where
        F: for<'tx, 'c> FnMut(&'tx mut Tx<'c, 'env>) -> BoxFuture<'tx, Result<T, E>> + Send,
        E: From<Error>,
        T: Send,
    {
        // Safe: made of our own names for isolation and role.
        let open = connection.begin_with(AssertSqlSafe(self.begin_statement())).await?;
        let mut tx = Tx { open, surroundings: PhantomData };
        tx.set_all(&self.settings).await?;
        match body(&mut tx).await {
            Ok(value) => match tx.open.commit().await {
                Ok(()) => Ok((Ok(value), true)),
                Err(error) => Err(error.into()),
            },
            Err(error) => Ok((Err(error), tx.open.rollback().await.is_ok())),
        }
    }

    /// One round trip: the transaction begins as the role, never as the login.
    fn begin_statement(&self) -> String {
        let mut statement = format!("BEGIN ISOLATION LEVEL {}; SET LOCAL ROLE {}", self.isolation.sql(), self.role);
        if let Some(limit) = self.statement_timeout {
            statement.extend(["; SET LOCAL statement_timeout = ", &limit.as_millis().to_string()]);
        }
        if self.keeps_plans {
            statement.push_str("; SET LOCAL plan_cache_mode = force_generic_plan");
        }
        statement
    }
}

/// Doubling pauses, each shortened by up to half so that two that collided do not collide again. Spread needs no
/// secrecy: a counter, mixed, is enough, and keeps ambient randomness out.
fn pause_after(attempt: u32) -> Duration {
    static TURN: AtomicU64 = AtomicU64::new(0);
    let turn = TURN.fetch_add(1, Ordering::Relaxed);
    let mixed = (turn ^ u64::from(std::process::id()) << 32).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    let whole = PAUSE_FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(PAUSE_MAX);
    let micros = whole.as_micros() as u64;
    Duration::from_micros(micros / 2 + mixed % (micros / 2 + 1))
}

#[cfg(test)]
mod tests;
