//! Clocks that step back, or run ahead, while the exchange serves.

use chrono::{DateTime, Utc};
use disclosure::Context;
use model::Clock;

use super::*;

/// A clock that goes on like the database's, so much ahead of it.
struct Ahead(TimeDelta);

impl Clock for Ahead {
    #[expect(clippy::disallowed_methods, reason = "held against the database's clock, which is the machine's")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + self.0
    }
}

#[tokio::test]
async fn nothing_is_disclosed_while_a_clock_stands_behind_the_last_entry() {
    let world = World::new(&["dcf"]).await;
    let dcf = consumer("dcf");
    let asked = async |seconds: i64| {
        let clock = Ahead(TimeDelta::seconds(seconds));
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
    for wrong in [-60, 60] {
        assert!(asked(wrong).await, "the two clocks are too far apart, though nothing was entered before");
    }
    assert_eq!(world.entries().await.len(), 0, "not so much as a refusal is decided by such a clock");
    assert!(!asked(0).await);
    assert_eq!(world.entries().await.len(), 2);
    assert!(!asked(-1).await, "within what machines may differ by");
    assert_eq!(world.entries().await.len(), 4);
    for wrong in [-60, 60] {
        assert!(asked(wrong).await);
    }
    assert_eq!(world.entries().await.len(), 4);
    assert!(!asked(0).await, "it is right again");
    // Where no limit is set the last entry's time goes on being the time; where one is, both clocks stand behind it now.
    let later = Ahead(TimeDelta::hours(9)).now();
    assert!(matches!(world.ask("dcf", "X1", later).await, Err(Error::Denied(_))));
    assert!(asked(0).await);
    assert!(matches!(world.ask("dcf", "X1", Ahead(TimeDelta::zero()).now()).await, Err(Error::Denied(_))));
}
