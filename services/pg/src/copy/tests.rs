use chrono::{DateTime, NaiveDate};
use sqlx::Executor as _;
use uuid::Uuid;

use super::*;
use crate::{Role, run_tx, testing::TestDatabase};

#[test]
fn header_is_nineteen_bytes() {
    assert_eq!(HEADER.len(), 19);
}

#[test]
fn rows_that_cannot_be_stored_are_named_by_number_before_anything_is_sent() {
    let mut rows = Rows::new(2);
    rows.start();
    rows.put(&1_i32);
    rows.put("fine");
    assert!(rows.take().is_ok());
    rows.start();
    rows.put(&2_i32);
    rows.put("not\0fine");
    assert!(matches!(rows.take(), Err(Error::Invalid { row: 2, .. })));
}

#[test]
fn a_row_with_a_value_too_few_is_noticed() {
    let mut rows = Rows::new(2);
    rows.start();
    rows.put(&1_i32);
    rows.start();
    assert!(matches!(rows.take(), Err(Error::Invalid { row: 1, .. })));
}

async fn make_table(database: &mut TestDatabase) {
    database
        .admin
        .execute(
            "CREATE SCHEMA t AUTHORIZATION throughline_owner;
             CREATE TABLE t.kinds (
                 n integer, flag boolean, small smallint, big bigint, real8 double precision, words text, raw bytea, day date,
                 at timestamptz, id uuid, doc jsonb, texts text[], numbers integer[]
             );
             GRANT USAGE ON SCHEMA t TO throughline_intake;
             GRANT INSERT ON t.kinds TO throughline_intake",
        )
        .await
        .unwrap();
}

const COPY: &str = "-- test.copy
    COPY t.kinds (n, flag, small, big, real8, words, raw, day, at, id, doc, texts, numbers) FROM STDIN (FORMAT BINARY)";

fn put_full(rows: &mut Rows, n: i32) {
    rows.start();
    rows.put(&n);
    rows.put(&true);
    rows.put(&-7_i16);
    rows.put(&i64::MIN);
    rows.put(&0.5_f64);
    rows.put("Größe, \"quoted\"\n\\N");
    rows.put(&vec![0_u8, 255]);
    rows.put(&NaiveDate::from_ymd_opt(1999, 12, 31));
    rows.put(&DateTime::from_timestamp_micros(-1));
    rows.put(&Uuid::from_u128(1));
    rows.put(&Json(r#"{"a": [1, null]}"#));
    rows.put(&vec!["x".to_owned(), String::new()]);
    rows.put(&Vec::<i32>::new());
}

fn put_nulls(rows: &mut Rows, n: i32) {
    rows.start();
    rows.put(&n);
    rows.put(&None::<bool>);
    rows.put(&None::<i16>);
    rows.put(&None::<i64>);
    rows.put(&None::<f64>);
    rows.put(&None::<&str>);
    rows.put(&None::<Vec<u8>>);
    rows.put(&None::<NaiveDate>);
    rows.put(&None::<DateTime<chrono::Utc>>);
    rows.put(&None::<Uuid>);
    rows.put(&None::<Json<'_>>);
    rows.put(&None::<Vec<String>>);
    rows.put(&None::<Vec<i32>>);
}

#[tokio::test]
async fn every_type_arrives_as_it_was_sent() {
    let mut database = TestDatabase::create("pg_copy", 1).await;
    make_table(&mut database).await;
    let stored = run_tx(&database.pool, "test.copy", Role::Intake, |tx| {
        Box::pin(async move {
            let mut writer = Writer::begin(tx, COPY).await?;
            let mut rows = Rows::new(13);
            put_full(&mut rows, 1);
            put_nulls(&mut rows, 2);
            writer.send(&mut rows).await?;
            assert!(rows.is_empty());
            writer.finish().await
        })
    });
    assert_eq!(stored.await.unwrap(), 2);
    let texts: Vec<String> = sqlx::Row::get(
        &database
            .admin
            .fetch_one("SELECT array_agg(replace(k::text, E'\\n', '|') ORDER BY n) FROM t.kinds AS k")
            .await
            .unwrap(),
        0,
    );
    database.admin.execute("SET timezone = 'UTC'").await.unwrap();
    assert!(texts[0].contains("-9223372036854775808") && texts[0].contains("1999-12-31"), "{}", texts[0]);
    assert!(texts[0].contains("1969-12-31 23:59:59.999999+00"), "{}", texts[0]);
    assert!(texts[0].contains("Größe") && texts[0].contains(r#""{x,""""}""#), "{}", texts[0]);
    assert_eq!(texts[1], "(2,,,,,,,,,,,,)");
    database.destroy().await;
}

#[tokio::test]
async fn a_copy_that_is_not_finished_stores_nothing_and_the_pool_goes_on() {
    let mut database = TestDatabase::create("pg_copy_abort", 1).await;
    make_table(&mut database).await;
    let refused = run_tx(&database.pool, "test.copy", Role::Intake, |tx| {
        Box::pin(async move {
            let mut writer = Writer::begin(tx, COPY).await?;
            let mut rows = Rows::new(13);
            while !rows.is_full() {
                put_full(&mut rows, 1);
            }
            writer.send(&mut rows).await?;
            rows.start();
            writer.send(&mut rows).await
        })
    });
    assert!(matches!(refused.await, Err(Error::Invalid { .. })));
    let row = database.admin.fetch_one("SELECT count(*) FROM t.kinds").await.unwrap();
    assert_eq!(sqlx::Row::get::<i64, _>(&row, 0), 0);
    let after = run_tx(&database.pool, "test.after", Role::Intake, |tx| {
        Box::pin(async move { Ok::<_, Error>(tx.execute("SELECT 1").await?.rows_affected()) })
    });
    assert_eq!(after.await.unwrap(), 1);
    database.destroy().await;
}
