//! Applies migrations, forward only.
//!
//! The files of `migrations/` are part of the program. Each is applied once, in the order of its timestamp, and entered
//! in `public.pg_migrations` with its digest in the same transaction. What was applied and then edited, and what a
//! newer program applied, is refused in words. The first file makes the roles and runs as whoever migrates; all others
//! run as `throughline_owner`, so that everything belongs to it.
//!
//! A file whose first line is `-- no-transaction` holds one statement that cannot run in a transaction
//! (`CREATE INDEX CONCURRENTLY IF NOT EXISTS`); it must bear being run again if the program dies between it and its entry.

use chrono::{DateTime, Utc};
use model::Clock;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::{Error, Problem, Role};

/// The migration that makes the roles, before which nobody can be the owner.
const ROLES: i64 = 20_261_121_000_100;
/// Two programs that migrate the same database take turns on this advisory lock.
const LOCK: i64 = 0x7468_726f_7567_686c;
/// First line of a migration that holds one statement which refuses to run in a transaction.
const NO_TRANSACTION: &str = "-- no-transaction";

/// One file of `migrations/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The timestamp its name begins with.
    pub version: i64,
    /// Its whole name, without `.sql`.
    pub name: &'static str,
    sql: &'static str,
}

impl Migration {
    fn digest(&self) -> Vec<u8> {
        Sha256::digest(self.sql.as_bytes()).to_vec()
    }
}

/// The migrations this program carries, in order.
#[expect(
    clippy::unreadable_literal,
    reason = "timestamps, written by the build script as they stand in the file names"
)]
pub const MIGRATIONS: &[Migration] = include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

/// A migration as the database remembers it.
struct Applied {
    version: i64,
    name: String,
    sha256: Vec<u8>,
}

/// The version of the server with `createrole_self_grant`.
const ROLES_GRANTED_SINCE: u32 = 160_000;

/// One digest over all migrations: equal digests, equal schema.
pub fn digest() -> [u8; 32] {
    MIGRATIONS.iter().fold(Sha256::new(), |whole, migration| whole.chain_update(migration.digest())).finalize().into()
}

/// Applies what is missing and returns it. `connection` must be a superuser's, or of a login that may create roles, or
/// (once those exist) of a member of `throughline_owner`.
pub async fn run(connection: &mut PgConnection, clock: &dyn Clock) -> Result<Vec<&'static Migration>, Error> {
    run_list(connection, clock, MIGRATIONS).await
}

/// What this program carries and the database lacks.
pub async fn pending(connection: &mut PgConnection) -> Result<Vec<&'static Migration>, Error> {
    let applied = list_applied(connection).await?;
    select_pending(MIGRATIONS, &applied).map_err(Error::from)
}

async fn run_list(
    connection: &mut PgConnection,
    clock: &dyn Clock,
    carried: &'static [Migration],
) -> Result<Vec<&'static Migration>, Error> {
    // Held by the session: freed below, and by the server should we die.
    sqlx::query!("-- pg.migrate_lock\nSELECT pg_advisory_lock($1)", LOCK).fetch_one(&mut *connection).await?;
    let result = run_locked(connection, clock, carried).await;
    sqlx::query!("-- pg.migrate_unlock\nSELECT pg_advisory_unlock($1)", LOCK).fetch_one(&mut *connection).await?;
    result
}

async fn run_locked(
    connection: &mut PgConnection,
    clock: &dyn Clock,
    carried: &'static [Migration],
) -> Result<Vec<&'static Migration>, Error> {
    create_list(connection).await?;
    let applied = list_applied(connection).await?;
    let pending = select_pending(carried, &applied)?;
    // From this version on a login that may create roles may not act as those it made, unless it says so beforehand.
    if connection.server_version_num().unwrap_or(0) >= ROLES_GRANTED_SINCE {
        connection.execute("SET createrole_self_grant = 'set, inherit'").await?;
    }
    for migration in &pending {
        apply(connection, migration, clock.now()).await?;
        tracing::info!(migration.name, "migration applied");
    }
    Ok(pending)
}

/// The list of applied migrations must exist before the first of them.
async fn create_list(connection: &mut PgConnection) -> Result<(), Error> {
    connection
        .execute(
            "-- pg.create_migrations
            SET client_min_messages = warning;
            CREATE TABLE IF NOT EXISTS public.pg_migrations (
                version bigint PRIMARY KEY,
                name text NOT NULL UNIQUE,
                sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
                applied_at timestamptz NOT NULL
            );
            RESET client_min_messages",
        )
        .await?;
    Ok(())
}

async fn list_applied(connection: &mut PgConnection) -> Result<Vec<Applied>, Error> {
    let exists = sqlx::query_scalar!(
        r#"-- pg.migrations_exist
        SELECT to_regclass('public.pg_migrations') IS NOT NULL AS "exists!""#
    )
    .fetch_one(&mut *connection)
    .await?;
    if !exists {
        return Ok(Vec::new());
    }
    let applied = sqlx::query_as!(
        Applied,
        "-- pg.list_migrations
        SELECT version, name, sha256
        FROM public.pg_migrations
        ORDER BY version"
    )
    .fetch_all(connection)
    .await?;
    Ok(applied)
}

fn select_pending(carried: &'static [Migration], applied: &[Applied]) -> Result<Vec<&'static Migration>, Problem> {
    for applied in applied {
        match carried.iter().find(|migration| migration.version == applied.version) {
            None => {
                return Err(Problem::UnknownMigration { name: applied.name.clone() });
            }
            Some(migration) if migration.digest() != applied.sha256 => {
                return Err(Problem::EditedMigration { name: applied.name.clone() });
            }
            Some(_) => {}
        }
    }
    Ok(carried.iter().filter(|migration| applied.iter().all(|applied| applied.version != migration.version)).collect())
}

async fn apply(connection: &mut PgConnection, migration: &Migration, at: DateTime<Utc>) -> Result<(), Error> {
    let failed = |error: sqlx::Error| {
        // A migration holds no personal data, so what the server says about it may be repeated in full.
        Error::from(Problem::MigrationFailed { name: migration.name.to_owned(), said: error.to_string() })
    };
    if migration.sql.lines().next().is_some_and(|line| line.trim() == NO_TRANSACTION) {
        become_owner(connection, "SET ROLE").await?;
        let done = connection.execute(migration.sql).await;
        connection.execute("RESET ROLE").await?;
        done.map_err(failed)?;
        return enter(connection, migration, at).await.map_err(failed);
    }
    let mut transaction = connection.begin().await?;
    if migration.version != ROLES {
        become_owner(&mut transaction, "SET LOCAL ROLE").await?;
    }
    transaction.execute(migration.sql).await.map_err(failed)?;
    transaction.execute("RESET ROLE").await?;
    if migration.version == ROLES {
        let hand_over = "ALTER TABLE public.pg_migrations OWNER TO throughline_owner;
            GRANT SELECT ON public.pg_migrations TO throughline_app";
        transaction.execute(hand_over).await.map_err(failed)?;
    }
    become_owner(&mut transaction, "SET LOCAL ROLE").await?;
    enter(&mut transaction, migration, at).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

async fn become_owner(connection: &mut PgConnection, set_role: &'static str) -> Result<(), Error> {
    // Safe: both parts are ours.
    connection.execute(AssertSqlSafe(format!("{set_role} {}", Role::Owner))).await?;
    Ok(())
}

async fn enter(connection: &mut PgConnection, migration: &Migration, at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- pg.enter_migration
        INSERT INTO public.pg_migrations (version, name, sha256, applied_at)
        VALUES ($1, $2, $3, $4)",
        migration.version,
        migration.name,
        migration.digest(),
        at
    )
    .execute(connection)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARRIED: &[Migration] = &[
        Migration { version: 1, name: "1_pg_a", sql: "SELECT 1" },
        Migration { version: 2, name: "2_pg_b", sql: "SELECT 2" },
    ];

    fn applied(version: i64, sql: &str) -> Applied {
        Applied { version, name: format!("{version}_applied"), sha256: Sha256::digest(sql).to_vec() }
    }

    #[test]
    fn only_what_is_missing_is_applied_and_in_order() {
        assert_eq!(select_pending(CARRIED, &[]).unwrap(), CARRIED.iter().collect::<Vec<_>>());
        assert_eq!(select_pending(CARRIED, &[applied(1, "SELECT 1")]).unwrap(), [&CARRIED[1]]);
        assert_eq!(select_pending(CARRIED, &[applied(2, "SELECT 2")]).unwrap(), [&CARRIED[0]]);
    }

    #[test]
    fn an_edited_or_unknown_migration_is_refused_in_words() {
        let edited = select_pending(CARRIED, &[applied(1, "SELECT 0")]).unwrap_err();
        assert!(edited.to_string().contains("1_applied") && edited.to_string().contains("never edited"), "{edited}");
        let unknown = select_pending(CARRIED, &[applied(3, "SELECT 3")]).unwrap_err();
        assert!(unknown.to_string().contains("3_applied") && unknown.to_string().contains("as new as"), "{unknown}");
    }

    #[test]
    fn carried_migrations_are_ordered_and_named_after_their_context() {
        assert!(MIGRATIONS.is_sorted_by(|a, b| a.version < b.version));
        assert_eq!(MIGRATIONS.first().map(|first| first.version), Some(ROLES));
        for migration in MIGRATIONS {
            assert_eq!(migration.version.to_string().len(), 14, "{}", migration.name);
            assert!(migration.name.split('_').count() >= 3, "{}", migration.name);
        }
    }
}
