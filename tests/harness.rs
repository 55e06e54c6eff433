//! What database tests stand on: one private server in the build's target folder, a database of its own for each test.
//!
//! The server is the embedded default itself, so that every run also tries it. It is shared by all test processes of one user and stays
//! up between runs; each process migrates one template and copies it for every test. A test's database goes with the test; what a killed
//! process left behind goes when the next one starts.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use chrono::{DateTime, TimeZone as _, Utc};
use model::FixedClock;
use pg::{Access, Cluster, Config, Embedded, Environment};
use sqlx::{
    Connection as _, Executor as _, PgConnection, Row as _,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::OnceCell;

/// The moment at which tests take place.
pub fn moment() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 20, 15, 0, 0).single().unwrap_or_default()
}

/// A file of the project, by its path from the root.
pub fn project_file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).expect("a file of the project")
}

static SERVER: OnceCell<Cluster> = OnceCell::const_new();

/// The server's folder: one for each account, because a server of another account can be neither used nor stopped.
fn home() -> PathBuf {
    let account = std::fs::metadata("/proc/self").map_or(0, |process| process.uid());
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../target/test-data-{account}"))
}

/// The template of this process.
fn template() -> String {
    format!("template_{}", std::process::id())
}

async fn server() -> &'static Cluster {
    SERVER
        .get_or_init(|| async {
            let cluster = tokio::task::spawn_blocking(start).await.expect("the server is started");
            drop_leftovers(&cluster).await;
            let admin = cluster.admin_options("postgres");
            pg::create_database(&admin, &template(), None).await.expect("a template can be made");
            let mut connection =
                PgConnection::connect_with(&cluster.admin_options(&template())).await.expect("the template answers");
            pg::migrate::run(&mut connection, &FixedClock(moment())).await.expect("migrations apply");
            connection.close().await.expect("the connection closes");
            cluster
        })
        .await
}

#[expect(clippy::disallowed_methods, reason = "like the program itself, tests look for PostgreSQL along PATH")]
fn start() -> Cluster {
    let environment = Environment { search_path: std::env::var_os("PATH"), bin_dir: None };
    std::fs::create_dir_all(home()).expect("the test folder can be made");
    let embedded = Embedded { shared_buffers_mib: Some(64), ..Embedded::default() };
    Cluster::start(&home(), &embedded, &environment, Access::Shared).expect("the embedded server starts")
}

/// Removes the databases of processes that no longer live, and those of an earlier process that had this one's number.
async fn drop_leftovers(cluster: &Cluster) {
    let admin = cluster.admin_options("postgres");
    let mut connection = PgConnection::connect_with(&admin).await.expect("the server answers");
    let rows = connection
        .fetch_all("SELECT datname::text FROM pg_catalog.pg_database WHERE datname ~ '^(test|template)_[0-9]+'")
        .await
        .expect("databases can be listed");
    connection.close().await.expect("the connection closes");
    for name in rows.iter().map(|row| row.get::<String, _>(0)) {
        let process = name.split('_').nth(1).unwrap_or_default();
        let is_own = process == std::process::id().to_string();
        if is_own || !Path::new("/proc").join(process).exists() {
            pg::drop_database(&admin, &name).await.expect("a leftover can be removed");
        }
    }
}

/// A database of a test's own, with all migrations; it goes when this is dropped.
pub struct TestDatabase {
    /// The pool that acts as the application.
    pub pool: pg::Pool,
    name: String,
    cluster: &'static Cluster,
}

impl TestDatabase {
    /// Makes one.
    pub async fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let cluster = server().await;
        let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let admin = cluster.admin_options("postgres");
        pg::create_database(&admin, &name, Some(&template())).await.expect("a database can be made");
        let mut superuser = PgConnection::connect_with(&cluster.admin_options(&name)).await.expect("it answers");
        // Rights on a database are not copied with its template.
        let grants = format!(
            "REVOKE ALL ON DATABASE {name} FROM PUBLIC;
            GRANT CONNECT ON DATABASE {name} TO throughline_app;
            GRANT CREATE, CONNECT, TEMPORARY ON DATABASE {name} TO throughline_owner;
            GRANT TEMPORARY ON DATABASE {name} TO throughline_intake, throughline_identity"
        );
        superuser.execute(sqlx::AssertSqlSafe(grants)).await.expect("rights can be given");
        superuser.close().await.expect("the connection closes");
        let pool = open(cluster, &name, 8).await;
        Self { pool, name, cluster }
    }

    /// A pool of its own size, for tests that must meet the same connection again.
    pub async fn pool_of(&self, connections_max: u32) -> pg::Pool {
        open(self.cluster, &self.name, connections_max).await
    }

    /// A pool of one connection, which tells of each statement that it is given, by the driver's own events: the program's say nothing. A second
    /// connection would ask first what the one before it had asked before.
    pub async fn pool_that_tells(&self) -> pg::Pool {
        let options = self.cluster.app_options(&self.name);
        PgPoolOptions::new().max_connections(1).connect_with(options).await.expect("the pool opens")
    }

    /// A superuser's connection: what an attacker with the database in hand has.
    pub async fn superuser(&self) -> PgConnection {
        PgConnection::connect_with(&self.admin()).await.expect("the database answers")
    }

    fn admin(&self) -> PgConnectOptions {
        self.cluster.admin_options(&self.name)
    }
}

async fn open(cluster: &Cluster, name: &str, connections_max: u32) -> pg::Pool {
    let config = Config { connections_max, ..Config::default() };
    pg::connect(cluster.app_options(name), &config).await.expect("the pool opens")
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (admin, name) = (self.cluster.admin_options("postgres"), self.name.clone());
        // The test's runtime cannot be waited for from here, so another thread has one of its own.
        let gone = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(pg::drop_database(&admin, &name)).ok()
        });
        // Should it fail, the next process removes it.
        let _ = gone.join();
    }
}
