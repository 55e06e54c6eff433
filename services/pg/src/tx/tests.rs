use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::sync::Barrier;

use super::*;
use crate::testing::TestDatabase;

#[test]
fn pauses_grow_spread_and_stay_bounded() {
    for attempt in 1..=ATTEMPTS_MAX {
        let whole = PAUSE_FIRST.saturating_mul(1 << (attempt - 1)).min(PAUSE_MAX);
        for _ in 0..50 {
            let pause = pause_after(attempt);
            assert!(pause >= whole / 2 && pause <= whole, "{attempt}: {pause:?}");
        }
    }
}

#[test]
fn role_and_isolation_come_with_the_first_round_trip() {
    let transaction =
        transaction("x.y", Role::Ledger).isolation(Isolation::Serializable).statement_timeout(Duration::from_hours(1));
    assert_eq!(
        transaction.begin_statement(),
        "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL ROLE throughline_ledger; SET LOCAL statement_timeout = 3600000"
    );
}

/// Role, grant and whether a transaction is open, as the connection itself sees it.
async fn state(connection: &mut PgConnection) -> (String, String, bool) {
    let row = sqlx::query!(
        r#"SELECT CURRENT_USER::text AS "role!",
            COALESCE(current_setting('throughline.consumer', TRUE), '') AS "grant!",
            pg_current_xact_id_if_assigned() IS NOT NULL AS "writes!""#
    )
    .fetch_one(connection)
    .await
    .unwrap();
    (row.role, row.grant, row.writes)
}

fn nothing() -> (String, String, bool) {
    ("throughline_app".to_owned(), String::new(), false)
}

async fn make_table(database: &mut TestDatabase) {
    database
        .admin
        .execute(
            "CREATE SCHEMA t AUTHORIZATION throughline_owner;
         CREATE TABLE t.counter (id integer PRIMARY KEY, value integer NOT NULL CHECK (value >= 0));
         INSERT INTO t.counter (id, value) VALUES (1, 0), (2, 0);
         GRANT USAGE ON SCHEMA t TO throughline_history;
         GRANT SELECT, INSERT, UPDATE ON t.counter TO throughline_history",
        )
        .await
        .unwrap();
}

async fn add(connection: &mut PgConnection, id: i32, amount: i32) -> Result<i32, Error> {
    let read = AssertSqlSafe(format!("SELECT value FROM t.counter WHERE id = {id}"));
    let row = connection.fetch_one(read).await?;
    let value: i32 = sqlx::Row::get(&row, 0);
    connection
        .execute(AssertSqlSafe(format!("UPDATE t.counter SET value = {} WHERE id = {id}", value + amount)))
        .await?;
    Ok(value + amount)
}

async fn value(database: &mut TestDatabase, id: i32) -> i32 {
    let row = database.admin.fetch_one(AssertSqlSafe(format!("SELECT value FROM t.counter WHERE id = {id}"))).await;
    sqlx::Row::get(&row.unwrap(), 0)
}

#[tokio::test]
async fn a_transaction_acts_as_its_role_with_its_grant_and_the_pool_as_nobody() {
    let database = TestDatabase::create("pg_role", 1).await;
    let seen = transaction("test.state", Role::Disclosure)
        .setting("consumer", "cssd")
        .run(&database.pool, |tx| Box::pin(async move { Ok::<_, Error>(state(tx).await) }))
        .await
        .unwrap();
    assert_eq!(seen, ("throughline_disclosure".to_owned(), "cssd".to_owned(), false));

    let seen = run_tx(&database.pool, "test.switch", Role::Identity, |tx| {
        Box::pin(async move {
            tx.act_as(Role::Ledger).await?;
            tx.set("consumer", "dcf").await?;
            Ok::<_, Error>(state(tx).await)
        })
    });
    assert_eq!(seen.await.unwrap(), ("throughline_ledger".to_owned(), "dcf".to_owned(), false));

    assert_eq!(state(&mut database.pool.acquire().await.unwrap()).await, nothing());
    database.destroy().await;
}

#[tokio::test]
async fn the_login_cannot_become_the_owner_or_read_by_itself() {
    let mut database = TestDatabase::create("pg_login", 1).await;
    make_table(&mut database).await;
    let as_owner = run_tx(&database.pool, "test.owner", Role::Owner, |_| Box::pin(async { Ok::<_, Error>(()) })).await;
    assert!(matches!(as_owner, Err(Error::Denied(_) | Error::Unavailable(_))), "{as_owner:?}");
    let bare = database.pool.acquire().await.unwrap().execute("SELECT value FROM t.counter").await;
    assert!(matches!(Error::from(bare.unwrap_err()), Error::Denied(_)));
    database.destroy().await;
}

#[tokio::test]
async fn nothing_rides_along_after_commit_rollback_panic_or_cancellation() {
    let mut database = TestDatabase::create("pg_clean", 1).await;
    make_table(&mut database).await;
    let pool = database.pool.clone();
    let grant = || transaction("test.clean", Role::History).setting("consumer", "cssd");

    grant().run(&pool, |tx| Box::pin(add(tx, 1, 1))).await.unwrap();
    assert_eq!(state(&mut pool.acquire().await.unwrap()).await, nothing());

    let refusing = grant();
    let refused = refusing.run(&pool, |tx| {
        Box::pin(async move {
            add(tx, 1, 10).await?;
            add(tx, 1, -1000).await
        })
    });
    assert!(matches!(refused.await, Err(Error::Conflict { .. })));
    assert_eq!(state(&mut pool.acquire().await.unwrap()).await, nothing());

    let panicking = pool.clone();
    #[expect(clippy::disallowed_methods, reason = "a panic must stay inside its task")]
    let task = tokio::spawn(async move {
        let body = transaction("test.panic", Role::History).setting("consumer", "cssd");
        let result: Result<(), Error> = body
            .run(&panicking, |tx| {
                Box::pin(async move {
                    add(tx, 1, 100).await?;
                    panic!("on purpose")
                })
            })
            .await;
        result
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(state(&mut pool.acquire().await.unwrap()).await, nothing());

    // Cancelled at every moment of its life, the first round trip included.
    for micros in (0..40_u64).map(|step| step * 100) {
        let transaction = grant();
        let running = transaction.run(&pool, |tx| {
            Box::pin(async move {
                add(tx, 1, 1000).await?;
                tokio::time::sleep(Duration::from_secs(30)).await;
                Ok::<_, Error>(())
            })
        });
        assert!(tokio::time::timeout(Duration::from_micros(micros), running).await.is_err());
        assert_eq!(state(&mut pool.acquire().await.unwrap()).await, nothing(), "cancelled after {micros} us");
    }
    assert_eq!(value(&mut database, 1).await, 1);
    database.destroy().await;
}

#[tokio::test]
async fn a_lost_serializable_transaction_is_run_again_until_it_wins() {
    let mut database = TestDatabase::create("pg_retry", 8).await;
    make_table(&mut database).await;
    let attempts = AtomicU32::new(0);
    let increments = (0..8).map(|_| transaction("test.retry", Role::History).isolation(Isolation::Serializable));
    let increments: Vec<_> = increments.collect();
    let attempts_ref = &attempts;
    let pool = &database.pool;
    let all = increments.iter().map(|transaction| {
        transaction.run(pool, move |tx| {
            Box::pin(async move {
                attempts_ref.fetch_add(1, Ordering::Relaxed);
                add(tx, 1, 1).await
            })
        })
    });
    let results = futures::future::join_all(all).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(value(&mut database, 1).await, 8);
    assert!(attempts.load(Ordering::Relaxed) > 8, "no collision happened: the test shows nothing");
    database.destroy().await;
}

#[derive(Debug, thiserror::Error)]
enum Wrapped {
    #[error("outer")]
    Store(#[source] sqlx::Error),
    #[error(transparent)]
    Database(#[from] Error),
}

async fn increment(connection: &mut PgConnection, id: i32) -> Result<(), Wrapped> {
    let statement = format!("UPDATE t.counter SET value = value + 1 WHERE id = {id}");
    connection.execute(AssertSqlSafe(statement)).await.map_err(Wrapped::Store)?;
    Ok(())
}

#[tokio::test]
async fn a_deadlock_is_broken_and_retried_however_deep_the_error_is_wrapped() {
    let mut database = TestDatabase::create("pg_deadlock", 2).await;
    make_table(&mut database).await;
    let meet = Arc::new(Barrier::new(2));
    let is_first_round = [AtomicU32::new(0), AtomicU32::new(0)];
    let pool = &database.pool;
    let cross = |me: usize, first: i32, second: i32| {
        let (meet, rounds) = (Arc::clone(&meet), &is_first_round[me]);
        async move {
            let meet = &meet;
            run_tx(pool, "test.deadlock", Role::History, move |tx| {
                Box::pin(async move {
                    increment(tx, first).await?;
                    if rounds.fetch_add(1, Ordering::SeqCst) == 0 {
                        meet.wait().await;
                    }
                    increment(tx, second).await
                })
            })
            .await
        }
    };
    let (one, two) = tokio::join!(cross(0, 1, 2), cross(1, 2, 1));
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    assert_eq!((value(&mut database, 1).await, value(&mut database, 2).await), (2, 2));
    database.destroy().await;
}

#[tokio::test]
async fn errors_name_the_rule_and_never_the_value() {
    let mut database = TestDatabase::create("pg_errors", 1).await;
    make_table(&mut database).await;
    let marker = "Zebrafink";
    for statement in [
        format!("SELECT '{marker}'::date"),
        format!("SELECT '{marker}'::integer"),
        format!("DO $$ BEGIN RAISE EXCEPTION '{marker}'; END $$"),
        "INSERT INTO t.counter (id, value) VALUES (1, 5)".to_owned(),
    ] {
        let statement = &statement;
        let result = run_tx(&database.pool, "test.errors", Role::History, move |tx| {
            Box::pin(async move {
                tx.execute(AssertSqlSafe(statement.clone())).await.map_err(Error::from)?;
                Ok::<_, Error>(())
            })
        });
        let error = result.await.unwrap_err();
        let mut whole = format!("{error:?}");
        let mut next: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = next {
            whole.push_str(&error.to_string());
            next = error.source();
        }
        assert!(whole.contains("SQLSTATE"), "{whole}");
        assert!(!whole.contains(marker), "{whole}");
    }
    database.destroy().await;
}
