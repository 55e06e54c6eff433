//! An interval that closes while disclosures are under way: each of them is before it or refused.

use std::sync::{Arc, Mutex, mpsc};

use disclosure::Error;
use model::{FixedClock, Masked};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use tests::moment;
use tokio::task::JoinSet;

use crate::world::{STUDENT, World, ask_of, consumer, encode, in_care, loaded_at, registration};

async fn one_in_care() -> Arc<World> {
    let world = World::new(&["dcf"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT)], loaded_at()).await;
    world.roster("dcf", "2026-11-19", &[in_care("D1", "2026-10-01", "")], loaded_at()).await;
    world.link("dcf", "D1", STUDENT).await;
    Arc::new(world)
}

/// Ends the authority and rebuilds the population, in the connection's open transaction.
async fn close_interval(conn: &mut PgConnection) {
    conn.execute("UPDATE identity.authority SET superseded_at = '2026-11-20T15:00:00Z' WHERE superseded_at IS NULL")
        .await
        .unwrap();
    identity::population::rebuild(conn, &consumer("dcf")).await.unwrap();
}

/// Waits until this many transactions of the database wait for a population lock.
async fn wait_for_waiting(conn: &mut PgConnection, expect: i64) {
    loop {
        let row = conn
            .fetch_one(
                "SELECT count(*) FROM pg_catalog.pg_locks AS l
                JOIN pg_catalog.pg_database AS d ON d.oid = l.database
                WHERE l.locktype = 'advisory' AND NOT l.granted AND d.datname = current_database()",
            )
            .await
            .unwrap();
        if row.get::<i64, _>(0) >= expect {
            return;
        }
        tokio::task::yield_now().await;
    }
}

const DISCLOSURES: &str = "SELECT count(*) FROM ledger.entry WHERE kind = 'disclosure'";

#[tokio::test]
async fn what_waits_for_a_closing_interval_is_refused() {
    let world = one_in_care().await;
    let (mut closer, mut watcher) = (world.db.superuser().await, world.db.superuser().await);
    let mut tx = closer.begin().await.unwrap();
    close_interval(&mut tx).await;
    let mut asking = JoinSet::new();
    for _ in 0..4 {
        let world = Arc::clone(&world);
        asking.spawn(async move { world.ask("dcf", "D1", moment()).await.map(|_| ()) });
    }
    wait_for_waiting(&mut watcher, 4).await;
    tx.commit().await.unwrap();
    while let Some(asked) = asking.join_next().await {
        assert!(matches!(asked.unwrap(), Err(Error::Denied(reason)) if reason.is_about_the_student()));
    }
    assert_eq!(world.count(DISCLOSURES).await, 0);
    assert_eq!(world.count("SELECT count(*) FROM ledger.entry WHERE kind = 'refusal'").await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closing_interval_waits_for_what_is_being_disclosed() {
    let world = one_in_care().await;
    let (started, has_started) = tokio::sync::oneshot::channel();
    let (release, released) = mpsc::channel::<()>();
    let (started, released) = (Mutex::new(Some(started)), Mutex::new(released));
    let mut tasks = JoinSet::new();
    let asking = Arc::clone(&world);
    tasks.spawn(async move {
        let (clock, dcf) = (FixedClock(moment()), consumer("dcf"));
        let slow = |history: &disclosure::DisclosedHistory| {
            if let Some(started) = started.lock().unwrap().take() {
                started.send(()).unwrap();
                released.lock().unwrap().recv().unwrap();
            }
            encode(history)
        };
        let person = Masked::new("D1".to_owned());
        disclosure::disclose_one(asking.context(&clock), &ask_of(&dcf), &person, &slow).await.unwrap();
    });
    has_started.await.unwrap();
    // The history is read and not yet recorded: now the interval is to close.
    let closing = Arc::clone(&world);
    tasks.spawn(async move {
        let mut conn = closing.db.superuser().await;
        let mut tx = conn.begin().await.unwrap();
        close_interval(&mut tx).await;
        let row = tx.fetch_one(DISCLOSURES).await.unwrap();
        assert_eq!(row.get::<i64, _>(0), 1, "the disclosure is recorded and committed before the interval closes");
        tx.commit().await.unwrap();
    });
    let mut watcher = world.db.superuser().await;
    wait_for_waiting(&mut watcher, 1).await;
    release.send(()).unwrap();
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert!(world.ask("dcf", "D1", moment()).await.is_err());
    assert_eq!(world.count(DISCLOSURES).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_disclosure_commits_after_the_interval_has_closed() {
    let world = one_in_care().await;
    let mut asking = JoinSet::new();
    for _ in 0..6 {
        let world = Arc::clone(&world);
        asking.spawn(async move {
            let mut granted = 0_i64;
            while world.ask("dcf", "D1", moment()).await.is_ok() {
                granted += 1;
            }
            granted
        });
    }
    let mut watcher = world.db.superuser().await;
    while watcher.fetch_one(DISCLOSURES).await.unwrap().get::<i64, _>(0) < 12 {
        tokio::task::yield_now().await;
    }
    let mut tx = watcher.begin().await.unwrap();
    close_interval(&mut tx).await;
    // Whoever disclosed held the population; now nobody does, so all that ever will be disclosed is here.
    let at_the_end: i64 = tx.fetch_one(DISCLOSURES).await.unwrap().get(0);
    tx.commit().await.unwrap();
    let mut granted = 0;
    while let Some(one) = asking.join_next().await {
        granted += one.unwrap();
    }
    assert_eq!((granted, world.count(DISCLOSURES).await), (at_the_end, at_the_end));
}
