//! Opens the database this configuration means, ready to be used.

use std::{path::Path, sync::Arc};

use chrono::TimeDelta;
use model::Clock;
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};

use crate::{
    Access, Cluster, Config, Environment, Error, Migrate, Problem,
    error::Cause,
    migrate,
    pool::{check_server, connect, create_database, may_migrate, options_of},
};

/// The database inside the embedded cluster.
pub(crate) const EMBEDDED_DATABASE: &str = "throughline";
/// The database of the embedded cluster that always exists.
pub(crate) const MAINTENANCE_DATABASE: &str = "postgres";

/// An open database: migrated, with a pool that acts as the application.
#[derive(Debug)]
pub struct Database {
    pool: PgPool,
    admin: PgConnectOptions,
    cluster: Option<Arc<Cluster>>,
}

impl Database {
    /// Opens what `config` names. Without `url` that is the embedded cluster in `home`, made and started if needed.
    /// Missing migrations are applied, unless the configuration or the login forbids it: then that is said.
    pub async fn open(
        config: &Config,
        home: &Path,
        environment: &Environment,
        access: Access,
        clock: &dyn Clock,
    ) -> Result<Self, Error> {
        match &config.url {
            Some(url) => Self::open_url(config, url, clock).await,
            None => Self::open_embedded(config, home, environment, access, clock).await,
        }
    }

    async fn open_embedded(
        config: &Config,
        home: &Path,
        environment: &Environment,
        access: Access,
        clock: &dyn Clock,
    ) -> Result<Self, Error> {
        let (home, embedded, environment) = (home.to_owned(), config.embedded.clone(), environment.clone());
        let cluster = blocking(move || Cluster::start(&home, &embedded, &environment, access)).await?;
        let admin = cluster.admin_options(EMBEDDED_DATABASE);
        let opened = async {
            create_database(&cluster.admin_options(MAINTENANCE_DATABASE), EMBEDDED_DATABASE, None).await?;
            prepare(&admin, config.migrate, clock).await?;
            connect(cluster.app_options(EMBEDDED_DATABASE), config).await
        }
        .await;
        match opened {
            Ok(pool) => Ok(Self { pool, admin, cluster: Some(Arc::new(cluster)) }),
            Err(error) => {
                let _ = blocking(move || cluster.stop()).await;
                Err(error)
            }
        }
    }

    async fn open_url(config: &Config, url: &str, clock: &dyn Clock) -> Result<Self, Error> {
        let app = options_of("database.url", url, config.password_file.as_deref())?;
        let admin = match &config.admin_url {
            Some(url) => options_of("database.admin_url", url, config.admin_password_file.as_deref())?,
            None => app.clone(),
        };
        check_server(&admin).await?;
        prepare(&admin, config.migrate, clock).await?;
        let pool = connect(app, config).await?;
        Ok(Self { pool, admin, cluster: None })
    }

    /// The pool, for [`crate::run_tx`].
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// How an administrator connects: to migrate, back up, check.
    pub fn admin_options(&self) -> &PgConnectOptions {
        &self.admin
    }

    /// The embedded cluster, when that is what is used; a server looks after it with [`Cluster::supervise`].
    pub fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.cluster.as_ref()
    }

    /// How far `clock` is ahead of the database's own. Who decides by the clock refuses to when this is too much.
    pub async fn clock_offset(&self, clock: &dyn Clock) -> Result<TimeDelta, Error> {
        let mut connection = self.pool.acquire().await?;
        let before = clock.now();
        let theirs = sqlx::query_scalar!("-- pg.clock\nSELECT clock_timestamp() AS \"now!\"")
            .fetch_one(&mut *connection)
            .await?;
        // The answer is from somewhere between asking and hearing.
        let ours = before + (clock.now() - before) / 2;
        Ok(ours - theirs)
    }

    /// Closes all connections, and stops the embedded server if nobody else uses it. Tasks that hold a pool or the
    /// cluster must have ended: the server stays up until the last of them has.
    pub async fn close(self) -> Result<(), Error> {
        self.pool.close().await;
        let Some(cluster) = self.cluster else {
            return Ok(());
        };
        blocking(move || Arc::into_inner(cluster).map_or(Ok(()), Cluster::stop)).await
    }
}

/// Applies missing migrations, or says that they are missing.
pub(crate) async fn prepare(admin: &PgConnectOptions, policy: Migrate, clock: &dyn Clock) -> Result<(), Error> {
    let mut connection = PgConnection::connect_with(admin).await?;
    let pending = migrate::pending(&mut connection).await?;
    if let Some(first) = pending.first() {
        if policy == Migrate::Never || !may_migrate(&mut connection).await? {
            return Err(Problem::NotMigrated { pending: pending.len(), first: first.name.to_owned() }.into());
        }
        migrate::run(&mut connection, clock).await?;
    }
    connection.close().await?;
    Ok(())
}

/// Runs what waits for processes and files where waiting is allowed.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Error::from),
        Err(_) => Err(Error::Unavailable(Cause::from_text("the task that handles the database server was ended"))),
    }
}

#[cfg(test)]
mod tests;
