//! Databases for this crate's own tests: one cluster below `target`, one database per test.

use std::path::PathBuf;

use chrono::DateTime;
use model::FixedClock;
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgConnectOptions};

use crate::{Access, Cluster, Config, Embedded, Environment, connect, create_database, drop_database, migrate};

pub(crate) fn environment() -> Environment {
    Environment { search_path: Some("/usr/local/bin:/usr/bin:/bin".into()), bin_dir: None }
}

/// Small and patient: several test processes may share the two cores.
pub(crate) fn embedded() -> Embedded {
    Embedded { shared_buffers_mib: Some(32), ..Embedded::default() }
}

pub(crate) fn clock() -> FixedClock {
    FixedClock(DateTime::from_timestamp(1_800_000_000, 0).unwrap())
}

/// A migrated database of the test's own, and a pool on it that acts as the application.
pub(crate) struct TestDatabase {
    pub pool: PgPool,
    pub admin: PgConnection,
    name: &'static str,
    cluster: Cluster,
}

impl TestDatabase {
    pub async fn create(name: &'static str, connections_max: u32) -> Self {
        let cluster = tokio::task::spawn_blocking(|| {
            let home = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/test-pg");
            Cluster::start(&home, &embedded(), &environment(), Access::Shared).unwrap()
        });
        let cluster = cluster.await.unwrap();
        drop_database(&cluster.admin_options("postgres"), name).await.unwrap();
        create_database(&cluster.admin_options("postgres"), name, None).await.unwrap();
        let mut admin = PgConnection::connect_with(&cluster.admin_options(name)).await.unwrap();
        migrate::run(&mut admin, &clock()).await.unwrap();
        let config = Config { connections_max, ..Config::default() };
        let pool = connect(cluster.app_options(name), &config).await.unwrap();
        Self { pool, admin, name, cluster }
    }

    pub fn socket_dir(&self) -> PathBuf {
        self.cluster.socket_dir()
    }

    pub fn admin_options(&self, database: &str) -> PgConnectOptions {
        self.cluster.admin_options(database)
    }

    pub async fn destroy(self) {
        self.pool.close().await;
        self.admin.close().await.unwrap();
        drop_database(&self.cluster.admin_options("postgres"), self.name).await.unwrap();
        tokio::task::spawn_blocking(move || self.cluster.stop().unwrap()).await.unwrap();
    }
}
