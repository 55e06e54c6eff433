use std::sync::Arc;

use chrono::DateTime;
use model::FixedClock;
use sqlx::Executor as _;

use super::*;
use crate::{
    Role, run_tx,
    testing::{TestDatabase, clock, embedded, environment},
};

fn config() -> Config {
    Config { embedded: embedded(), connections_max: 4, ..Config::default() }
}

async fn role_in(pool: &PgPool) -> String {
    run_tx(pool, "test.role", Role::History, |tx| {
        Box::pin(async move {
            let role = sqlx::query_scalar!(r#"SELECT CURRENT_USER::text AS "role!""#).fetch_one(&mut **tx).await?;
            Ok::<_, Error>(role)
        })
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn an_empty_folder_is_prepared_by_whoever_comes_first_and_found_ready_by_the_next() {
    let home = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let (config, environment) = (config(), environment());
        let database = Database::open(&config, home.path(), &environment, Access::Alone, &clock()).await.unwrap();
        assert_eq!(role_in(database.pool()).await, "throughline_history");
        let ahead =
            database.clock_offset(&FixedClock(DateTime::from_timestamp(4_000_000_000, 0).unwrap())).await.unwrap();
        assert!(ahead.num_days() > 365, "{ahead}");
        let mut admin = PgConnection::connect_with(database.admin_options()).await.unwrap();
        assert!(migrate::pending(&mut admin).await.unwrap().is_empty());
        admin.close().await.unwrap();
        let data = database.cluster().map(|cluster| cluster.socket_dir().parent().unwrap().to_owned()).unwrap();
        database.close().await.unwrap();
        assert!(!data.join("postmaster.pid").exists());
    }
}

#[tokio::test]
async fn two_processes_that_open_an_empty_folder_at_once_both_get_there() {
    let home = tempfile::tempdir().unwrap();
    let (config, environment, clock) = (config(), environment(), clock());
    let open = || Database::open(&config, home.path(), &environment, Access::Shared, &clock);
    let (one, two) = tokio::join!(open(), open());
    let (one, two) = (one.unwrap(), two.unwrap());
    one.close().await.unwrap();
    assert_eq!(role_in(two.pool()).await, "throughline_history");
    two.close().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_named_works_the_same_whoever_the_login_is() {
    let database = TestDatabase::create("pg_url", 2).await;
    for login in ["postgres", "throughline_app"] {
        let url = format!("postgres://{login}@localhost/pg_url?host={}", database.socket_dir().display());
        let config = Config { url: Some(url), ..config() };
        let opened =
            Database::open(&config, "/nowhere".as_ref(), &environment(), Access::Alone, &clock()).await.unwrap();
        assert!(opened.cluster().is_none());
        let owned = "SELECT version FROM public.pg_migrations FOR UPDATE";
        let by_itself = opened.pool().acquire().await.unwrap().execute(owned).await;
        assert!(matches!(Error::from(by_itself.unwrap_err()), Error::Denied(_)), "{login} can write by itself");
        assert_eq!(role_in(opened.pool()).await, "throughline_history");
        opened.close().await.unwrap();
    }
    database.destroy().await;
}

#[tokio::test]
async fn a_database_without_migrations_is_refused_to_those_who_may_not_apply_them() {
    let database = TestDatabase::create("pg_unmigrated_base", 1).await;
    let admin = database.admin_options("postgres");
    crate::drop_database(&admin, "pg_unmigrated").await.unwrap();
    create_database(&admin, "pg_unmigrated", None).await.unwrap();
    let socket_dir = database.socket_dir();
    let open = async |login: &str, migrate: Migrate| {
        let url = format!("postgres://{login}@localhost/pg_unmigrated?host={}", socket_dir.display());
        let config = Config { url: Some(url), migrate, ..config() };
        Database::open(&config, "/nowhere".as_ref(), &environment(), Access::Alone, &clock()).await
    };
    for (login, policy) in [("postgres", Migrate::Never), ("throughline_app", Migrate::Auto)] {
        let refused = open(login, policy).await.unwrap_err().to_string();
        assert!(refused.contains("db migrate") && refused.contains("pg_roles"), "{refused}");
    }
    open("postgres", Migrate::Auto).await.unwrap().close().await.unwrap();
    open("throughline_app", Migrate::Never).await.unwrap().close().await.unwrap();
    crate::drop_database(&admin, "pg_unmigrated").await.unwrap();
    database.destroy().await;
}

#[tokio::test]
async fn a_server_nobody_runs_is_unavailable() {
    let config = Config { url: Some("postgres://app@127.0.0.1:1/nothing?sslmode=disable".to_owned()), ..config() };
    let refused = Database::open(&config, "/nowhere".as_ref(), &environment(), Access::Alone, &clock()).await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn migrations_run_once_belong_to_the_owner_and_refuse_what_was_edited() {
    let mut database = TestDatabase::create("pg_migrations", 1).await;
    assert!(migrate::run(&mut database.admin, &clock()).await.unwrap().is_empty());
    let strangers = sqlx::query_scalar!(
        r#"SELECT relname::text AS "name!" FROM pg_catalog.pg_class
        WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema)' AND relowner <> 'throughline_owner'::regrole
            AND relname NOT LIKE 'pg\_stat%'"#
    )
    .fetch_all(&mut database.admin)
    .await
    .unwrap();
    assert!(strangers.is_empty(), "not owned by throughline_owner: {strangers:?}");

    let edited = "UPDATE public.pg_migrations SET sha256 = sha256(sha256) WHERE version = 20261121000100";
    database.admin.execute(edited).await.unwrap();
    let refused = migrate::run(&mut database.admin, &clock()).await.unwrap_err();
    assert!(matches!(refused, Error::Precondition(Problem::EditedMigration { .. })), "{refused}");
    database.admin.execute("UPDATE public.pg_migrations SET version = 1 WHERE version = 20261121000100").await.unwrap();
    let refused = migrate::pending(&mut database.admin).await.unwrap_err();
    assert!(matches!(refused, Error::Precondition(Problem::UnknownMigration { .. })), "{refused}");
    database.destroy().await;
}

#[tokio::test]
async fn a_pool_that_is_still_held_keeps_no_server_alive_by_accident() {
    let home = tempfile::tempdir().unwrap();
    let opened = Database::open(&config(), home.path(), &environment(), Access::Shared, &clock()).await.unwrap();
    let cluster = Arc::clone(opened.cluster().unwrap());
    let data = cluster.socket_dir().parent().unwrap().to_owned();
    opened.close().await.unwrap();
    assert!(data.join("postmaster.pid").exists(), "somebody still holds the cluster");
    tokio::task::spawn_blocking(move || drop(cluster)).await.unwrap();
    assert!(!data.join("postmaster.pid").exists());
}
