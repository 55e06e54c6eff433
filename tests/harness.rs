//! What database tests stand on: one private server for the test process, a database of its own for each test.
//!
//! The server is the embedded default itself, in a folder below the build's target folder, so that every run also tries it.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use chrono::{DateTime, TimeZone as _, Utc};
use model::FixedClock;
use pg::{Access, Config, Database, Environment};
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

/// The moment at which tests take place.
pub fn moment() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 20, 15, 0, 0).single().unwrap_or_default()
}

/// The template database, migrated once.
static SERVER: OnceCell<Server> = OnceCell::const_new();

struct Server {
    admin: PgConnectOptions,
    /// Keeps the server running until the process ends.
    _database: Database,
}

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/test-data")
}

async fn server() -> &'static Server {
    SERVER
        .get_or_init(|| async {
            std::fs::create_dir_all(home()).expect("the test folder can be made");
            let environment = Environment { search_path: std::env::var_os("PATH"), bin_dir: None };
            let database = Database::open(&Config::default(), &home(), &environment, Access::Shared, &FixedClock(moment()))
                .await
                .expect("the embedded server starts");
            database.pool().close().await;
            Server { admin: database.admin_options().clone(), _database: database }
        })
        .await
}

/// A database of a test's own, with all migrations.
pub struct TestDatabase {
    /// The pool that acts as the application.
    pub pool: pg::Pool,
    admin: PgConnectOptions,
}

impl TestDatabase {
    /// Makes one.
    pub async fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = server().await;
        let name = format!("test_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        pg::create_database(&server.admin, &name, None).await.expect("a database can be made");
        let admin = server.admin.clone().database(&name);
        let mut connection = PgConnection::connect_with(&admin).await.expect("the database answers");
        pg::migrate::run(&mut connection, &FixedClock(moment())).await.expect("migrations apply");
        connection.close().await.expect("the connection closes");
        let pool = pg::connect(admin.clone(), &Config { connections_max: 8, ..Config::default() }).await.expect("the pool opens");
        Self { pool, admin }
    }

    /// A superuser's connection: what an attacker with the database in hand has.
    pub async fn superuser(&self) -> PgConnection {
        PgConnection::connect_with(&self.admin).await.expect("the database answers")
    }
}
