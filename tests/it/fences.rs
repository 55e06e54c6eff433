//! The second fence: what the database itself refuses, should the program ever ask wrongly.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use pg::Role;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tests::moment;

use crate::world::{OTHER, STUDENT, World, in_care, loaded_at, registration, snapshot, supervised};

/// DCF has the one student as a client, CSSD the other.
async fn two_agencies() -> World {
    let world = World::new(&["dcf", "cssd"]).await;
    world.load("sasid-2.1x", &[registration(STUDENT), registration(OTHER)], loaded_at()).await;
    world.load("ct-student", &[snapshot(STUDENT), snapshot(OTHER)], loaded_at()).await;
    world.roster("dcf", "2026-11-19", &[in_care("D1", "2026-10-01", "2026-12-01")], loaded_at()).await;
    world.roster("cssd", "2026-11-19", &[supervised("C1", "juvenile_justice", "pre_adjudication")], loaded_at()).await;
    world.link("dcf", "D1", STUDENT).await;
    world.link("cssd", "C1", OTHER).await;
    world
}

/// What a role sees or does under these settings, in a transaction that is rolled back.
async fn as_role(
    conn: &mut PgConnection,
    role: &str,
    settings: &[(&str, &str)],
    sql: &str,
) -> Result<i64, sqlx::Error> {
    let mut tx = conn.begin().await?;
    for (name, value) in settings {
        tx.execute(AssertSqlSafe(format!("SET LOCAL throughline.{name} = '{value}'"))).await?;
    }
    tx.execute(AssertSqlSafe(format!("SET LOCAL ROLE {role}"))).await?;
    let row = tx.fetch_one(AssertSqlSafe(sql.to_owned())).await?;
    Ok(row.get(0))
}

fn is_refused<T: std::fmt::Debug>(result: &Result<T, sqlx::Error>) -> bool {
    let code =
        result.as_ref().err().and_then(|error| error.as_database_error()?.code().map(std::borrow::Cow::into_owned));
    code.as_deref() == Some("42501")
}

/// The pool's one connection carries nothing of whoever had it before.
async fn assert_bare(pool: &pg::Pool, after: &str) {
    let mut conn = pool.acquire().await.unwrap();
    let row = conn
        .fetch_one(
            "SELECT current_user::text, session_user::text, COALESCE(current_setting('throughline.consumer', true), ''),
            COALESCE(current_setting('throughline.at', true), '')",
        )
        .await
        .unwrap();
    let state: [String; 4] = std::array::from_fn(|column| row.get(column));
    assert_eq!(state, ["throughline_app", "throughline_app", "", ""], "after {after}");
    for table in ["history.fact", "identity.released", "identity.person_fact", "ledger.entry", "intake.raw_block"] {
        let rows = conn.fetch_one(AssertSqlSafe(format!("SELECT count(*) FROM {table}"))).await;
        assert!(is_refused(&rows), "after {after}: {table}: {rows:?}");
    }
}

#[tokio::test]
async fn a_connection_goes_back_bare_whatever_happened() {
    let world = two_agencies().await;
    let pool = world.db.pool_of(1).await;
    assert_bare(&pool, "nothing").await;
    let grant = || {
        pg::transaction("tests.fence", Role::Disclosure).setting("consumer", "dcf").setting("at", moment().to_rfc3339())
    };
    let seen = grant()
        .run(&pool, |tx| {
            Box::pin(async move {
                let row = tx.fetch_one("SELECT count(*) FROM history.fact").await?;
                Ok::<i64, pg::Error>(row.get(0))
            })
        })
        .await
        .unwrap();
    assert!(seen > 0, "inside, the client's facts are there");
    assert_bare(&pool, "a commit").await;

    let failed: Result<(), pg::Error> =
        grant().run(&pool, |tx| Box::pin(async move { Ok(tx.execute("SELECT nothing").await.map(|_| ())?) })).await;
    assert!(failed.is_err());
    assert_bare(&pool, "a rollback").await;

    let panicked = AssertUnwindSafe(grant().run(&pool, |tx| {
        Box::pin(async move {
            tx.execute("SELECT 1").await?;
            assert!(!tx.is_in_transaction(), "on purpose");
            Ok::<(), pg::Error>(())
        })
    }))
    .catch_unwind()
    .await;
    assert!(panicked.is_err());
    assert_bare(&pool, "a panic").await;

    let (inside, is_inside) = tokio::sync::oneshot::channel();
    let mut inside = Some(inside);
    let transaction = grant();
    let run = transaction.run(&pool, |tx| {
        let inside = inside.take();
        Box::pin(async move {
            tx.execute("SELECT 1").await?;
            if let Some(inside) = inside {
                let _ = inside.send(());
            }
            std::future::pending::<()>().await;
            Ok::<(), pg::Error>(())
        })
    });
    tokio::select! {
        _ = run => panic!("it never ends by itself"),
        entered = is_inside => entered.unwrap(),
    }
    assert_bare(&pool, "a cancelled future").await;
}

#[tokio::test]
async fn disclosure_sees_its_own_consumers_population_and_nothing_without_one() {
    let world = two_agencies().await;
    let mut conn = world.db.superuser().await;
    let now = moment().to_rfc3339();
    let after = "2026-12-02T05:00:00Z";
    let facts = "SELECT count(*) FROM history.fact";
    let persons = "SELECT count(DISTINCT source_person_id) FROM history.fact";
    let released = "SELECT count(*) FROM identity.released";
    let population = "SELECT count(*) FROM identity.population";
    let disclosable = "SELECT count(*) FROM history.disclosable";
    for (settings, sql, expect) in [
        (vec![], facts, 0),
        (vec![], released, 0),
        (vec![], population, 0),
        (vec![("at", now.as_str())], facts, 0),
        (vec![("at", now.as_str())], released, 0),
        (vec![("consumer", "dcf")], facts, 0),
        (vec![("consumer", "dcf"), ("at", "")], facts, 0),
        (vec![("consumer", ""), ("at", now.as_str())], facts, 0),
        (vec![("consumer", "sea"), ("at", now.as_str())], facts, 0),
        (vec![("consumer", "sea"), ("at", now.as_str())], population, 0),
        (vec![("consumer", "dcf"), ("at", now.as_str())], persons, 1),
        (vec![("consumer", "dcf"), ("at", now.as_str())], released, 1),
        (vec![("consumer", "dcf"), ("at", now.as_str())], population, 1),
        (vec![("consumer", "dcf"), ("at", now.as_str())], disclosable, 0),
        (vec![("consumer", "dcf"), ("at", after)], facts, 0),
        (vec![("consumer", "dcf"), ("at", after)], population, 0),
        (vec![("consumer", "cssd"), ("at", after)], persons, 1),
    ] {
        let seen = as_role(&mut conn, "throughline_disclosure", &settings, sql).await.unwrap();
        assert_eq!(seen, expect, "{sql} with {settings:?}");
    }
    let own = "SELECT count(*) FROM history.fact WHERE source_person_id <> (SELECT source_person_id FROM identity.released WHERE person_key = 'D1')";
    let settings = [("consumer", "dcf"), ("at", now.as_str())];
    assert_eq!(as_role(&mut conn, "throughline_disclosure", &settings, own).await.unwrap(), 0);
}

#[tokio::test]
async fn no_role_reaches_further_than_its_context() {
    let world = two_agencies().await;
    let mut conn = world.db.superuser().await;
    let refused: &[(&str, &[&str])] = &[
        // Around row security through a partition, to names, to raw files, to others' tables.
        (
            "throughline_disclosure",
            &[
                "SELECT count(*) FROM history.fact_enrollment",
                "SELECT count(*) FROM identity.person_fact",
                "SELECT count(*) FROM identity.person_fact_row",
                "SELECT count(*) FROM history.pack_row",
                "SELECT count(*) FROM identity.person_pack",
                "DELETE FROM history.pack RETURNING 1::bigint",
                "SELECT count(*) FROM identity.source_person",
                "SELECT count(*) FROM identity.client",
                "SELECT count(*) FROM intake.raw_block",
                "SELECT count(*) FROM ledger.detail",
                "UPDATE history.fact SET superseded_batch = NULL RETURNING 1::bigint",
                "UPDATE identity.released SET consumer = 'dcf' RETURNING 1::bigint",
                "DELETE FROM identity.restriction RETURNING 1::bigint",
                "DELETE FROM ledger.entry RETURNING 1::bigint",
            ],
        ),
        (
            "throughline_history",
            &[
                "SELECT count(*) FROM identity.person_fact",
                "SELECT count(*) FROM identity.person_fact_row",
                "SELECT count(*) FROM identity.source_person",
                "SELECT count(*) FROM history.fact_contact",
                "SELECT count(*) FROM history.pack",
                "SELECT count(*) FROM identity.person_pack",
            ],
        ),
        (
            "throughline_intake",
            &[
                "SELECT count(*) FROM identity.client",
                "SELECT count(*) FROM identity.released",
                // It may add to the partitions, and reads through the fenced table alone.
                "SELECT count(*) FROM identity.person_fact_row",
                "SELECT count(*) FROM history.fact_contact",
                "UPDATE history.fact_course SET superseded_batch = NULL RETURNING 1::bigint",
                "UPDATE identity.person_fact_row SET superseded_batch = NULL RETURNING 1::bigint",
                "DELETE FROM history.fact_course RETURNING 1::bigint",
                "DELETE FROM history.fact RETURNING 1::bigint",
                "DELETE FROM intake.raw_block RETURNING 1::bigint",
            ],
        ),
        (
            "throughline_ledger",
            &[
                "SELECT count(*) FROM history.fact",
                "UPDATE ledger.entry SET reason = 'x' RETURNING 1::bigint",
                "DELETE FROM ledger.entry RETURNING 1::bigint",
                "DELETE FROM ledger.detail RETURNING 1::bigint",
            ],
        ),
        (
            "throughline_agreements",
            &[
                "SELECT count(*) FROM history.fact",
                "SELECT count(*) FROM identity.released",
                "UPDATE agreements.version SET canonical = '' RETURNING 1::bigint",
            ],
        ),
        (
            "throughline_identity",
            &[
                "SELECT count(*) FROM history.fact",
                "SELECT count(*) FROM identity.person_fact_row",
                "SELECT count(*) FROM ledger.entry",
            ],
        ),
        (
            "throughline_steward",
            &[
                "UPDATE history.fact SET restriction = 0 RETURNING 1::bigint",
                "DELETE FROM history.pack RETURNING 1::bigint",
                "INSERT INTO identity.restriction DEFAULT VALUES RETURNING 1::bigint",
                "SELECT count(*) FROM intake.raw_block",
            ],
        ),
        (
            "throughline_app",
            &[
                "SELECT count(*) FROM history.fact",
                "SELECT count(*) FROM identity.client",
                "SELECT count(*) FROM agreements.term",
            ],
        ),
    ];
    for (role, statements) in refused {
        for sql in *statements {
            let result = as_role(&mut conn, role, &[], sql).await;
            assert!(is_refused(&result), "{role}: {sql}: {result:?}");
        }
    }
    let names = "SELECT count(*) FROM history.fact WHERE domain = 1";
    assert_eq!(as_role(&mut conn, "throughline_history", &[], names).await.unwrap(), 0);
    let others = "SELECT count(*) FROM history.fact WHERE domain <> 1";
    assert!(as_role(&mut conn, "throughline_history", &[], others).await.unwrap() > 0);
    // Even the owner of the tables sees no row of the fenced ones.
    for table in
        ["history.fact", "identity.released", "identity.crosswalk", "agreements.instrument", "disclosure.delivered"]
    {
        let seen =
            as_role(&mut conn, "throughline_owner", &[], &format!("SELECT count(*) FROM {table}")).await.unwrap();
        assert_eq!(seen, 0, "{table}");
    }
}
