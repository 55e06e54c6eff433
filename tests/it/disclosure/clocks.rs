//! Clocks that step back while the exchange serves.

use chrono::{DateTime, Utc};
use disclosure::Context;
use sqlx::{Executor as _, Row as _};

use super::*;

#[tokio::test]
async fn nothing_is_disclosed_while_a_clock_stands_behind_the_last_entry() {
    let world = World::new(&["dcf"]).await;
    let dcf = consumer("dcf");
    let row = world.db.superuser().await.fetch_one("SELECT clock_timestamp()").await.unwrap();
    // By the database's own clock, which is the machine's.
    let now: DateTime<Utc> = row.get(0);
    let asked = async |when: DateTime<Utc>| {
        let clock = FixedClock(when);
        let context = Context { clock_behind_max: Some(TimeDelta::seconds(5)), ..world.context(&clock) };
        let nobody = Masked::new("X1".to_owned());
        let told = disclosure::disclose_one(context, &ask_of(&dcf), &nobody, &encode).await;
        let items = disclosure::disclose_chunk(context, &ask_of(&dcf), &["X1".to_owned()], &encode).await;
        let is_behind = disclosure::clock_is_behind(context).await.unwrap();
        match (told, items) {
            (Err(Error::Denied(_)), Ok(items)) => assert!(matches!(items[..], [Item::Refused { .. }]) && !is_behind),
            (Err(Error::ClockBehind), Err(Error::ClockBehind)) => assert!(is_behind),
            (told, items) => panic!("{told:?} {items:?}"),
        }
        is_behind
    };
    assert!(!asked(now).await, "nothing was entered before");
    assert_eq!(world.entries().await.len(), 2);
    assert!(!asked(now - TimeDelta::seconds(4)).await, "within what machines may differ by");
    assert_eq!(world.entries().await.len(), 4);
    assert!(asked(now - TimeDelta::seconds(6)).await);
    assert_eq!(world.entries().await.len(), 4, "not so much as a refusal is decided by such a clock");
    assert!(!asked(now + TimeDelta::milliseconds(1)).await, "it is right again");
    // This machine's clock goes on, and the database's does not.
    let later = now + TimeDelta::hours(9);
    assert!(matches!(world.ask("dcf", "X1", later).await, Err(Error::Denied(_))));
    assert!(asked(later).await);
    // Where no limit is set the last entry's time goes on being the time.
    assert!(matches!(world.ask("dcf", "X1", now).await, Err(Error::Denied(_))));
}
