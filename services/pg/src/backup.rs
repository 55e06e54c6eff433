//! The whole database as one file, and back.

use std::{path::Path, process::Command, sync::Arc};

use model::Clock;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::{
    Access, Cluster, Config, Database, Environment, Error, Problem,
    cluster::run_tool,
    database::{EMBEDDED_DATABASE, MAINTENANCE_DATABASE, blocking, prepare},
    pool::{create_database, drop_database},
};

/// What the present database is called while another takes its place.
const BEFORE: &str = "throughline_before";

impl Database {
    /// Writes the embedded database to a file, as of one moment, with the server's own `pg_dump`; work goes on beside it.
    pub async fn dump(&self, to: &Path) -> Result<(), Error> {
        let Some(cluster) = self.cluster().map(Arc::clone) else {
            return Err(Problem::NotEmbedded.into());
        };
        let to = to.to_owned();
        blocking(move || {
            let mut command = tool(&cluster, "pg_dump");
            run_tool(command.args(["--format=custom", "--dbname", EMBEDDED_DATABASE, "--file"]).arg(&to))
        })
        .await
    }

    /// Puts a file of [`Database::dump`] in the place of the embedded database in `home`, which is gone afterwards, and opens nothing. If
    /// the file cannot be read in whole, the present database stays.
    pub async fn restore(
        config: &Config,
        home: &Path,
        environment: &Environment,
        clock: &dyn Clock,
        from: &Path,
    ) -> Result<(), Error> {
        if config.url.is_some() {
            return Err(Problem::NotEmbedded.into());
        }
        let (home, embedded, environment) = (home.to_owned(), config.embedded.clone(), environment.clone());
        let cluster = Arc::new(blocking(move || Cluster::start(&home, &embedded, &environment, Access::Alone)).await?);
        let done = replace(&cluster, config, clock, from).await;
        let stopped = blocking(move || Arc::into_inner(cluster).map_or(Ok(()), Cluster::stop)).await;
        done.and(stopped)
    }
}

async fn replace(cluster: &Arc<Cluster>, config: &Config, clock: &dyn Clock, from: &Path) -> Result<(), Error> {
    let (admin, maintenance) = (cluster.admin_options(EMBEDDED_DATABASE), cluster.admin_options(MAINTENANCE_DATABASE));
    // The first migration makes the roles, which belong to the server and stand in no dump.
    create_database(&maintenance, EMBEDDED_DATABASE, None).await?;
    prepare(&admin, config.migrate, clock).await?;
    drop_database(&maintenance, BEFORE).await?;
    rename(cluster, EMBEDDED_DATABASE, BEFORE).await?;
    let (with, dump) = (Arc::clone(cluster), from.to_owned());
    let restored = blocking(move || {
        let mut command = tool(&with, "pg_restore");
        run_tool(command.args(["--create", "--exit-on-error", "--dbname", MAINTENANCE_DATABASE]).arg(&dump))
    })
    .await;
    if let Err(error) = restored {
        drop_database(&maintenance, EMBEDDED_DATABASE).await?;
        rename(cluster, BEFORE, EMBEDDED_DATABASE).await?;
        return Err(error);
    }
    drop_database(&maintenance, BEFORE).await
}

async fn rename(cluster: &Cluster, from: &str, to: &str) -> Result<(), Error> {
    let mut connection = PgConnection::connect_with(&cluster.admin_options(MAINTENANCE_DATABASE)).await?;
    // Safe: both names are ours.
    connection.execute(AssertSqlSafe(format!("ALTER DATABASE {from} RENAME TO {to}"))).await?;
    connection.close().await?;
    Ok(())
}

/// A program of the server's own version, as the superuser of its socket.
fn tool(cluster: &Cluster, program: &str) -> Command {
    let mut command = Command::new(cluster.bin_dir().join(program));
    command.arg("--host").arg(cluster.socket_dir()).args(["--username", "postgres", "--no-password"]);
    command
}
