//! Work of days under leases, with a clock of the test's own.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use pg::Role;
use scheduler::{Due, Ending, Patience, Pause, State, Taken};
use tests::TestDatabase;
use uuid::Uuid;

fn at(minutes: i64) -> DateTime<Utc> {
    "2027-03-14T06:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

fn day(number: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2027, 3, number).unwrap()
}

struct Jobs {
    db: TestDatabase,
    patience: Patience,
    lease: std::sync::atomic::AtomicU64,
}

impl Jobs {
    async fn new() -> Self {
        Self { db: TestDatabase::new().await, patience: Patience::default(), lease: 1.into() }
    }

    async fn plan(&self, name: &str, number: u32, minutes: i64) {
        let due = Due { day: day(number), at: at(minutes) };
        let plan = pg::run_tx(&self.db.pool, "plan", Role::Scheduler, |tx| {
            Box::pin(async move { scheduler::plan(tx, name, due).await })
        });
        plan.await.unwrap();
    }

    async fn take(&self, minutes: i64) -> Option<Taken> {
        let lease = Uuid::from_u128(u128::from(self.lease.fetch_add(1, std::sync::atomic::Ordering::Relaxed)));
        let take = pg::run_tx(&self.db.pool, "take", Role::Scheduler, |tx| {
            Box::pin(async move { scheduler::take(tx, lease, &self.patience, at(minutes)).await })
        });
        take.await.unwrap()
    }

    async fn renew(&self, taken: &Taken, minutes: i64) -> bool {
        let renew = pg::run_tx(&self.db.pool, "renew", Role::Scheduler, |tx| {
            Box::pin(async move { scheduler::renew(tx, taken, &self.patience, at(minutes)).await })
        });
        renew.await.unwrap()
    }

    async fn end(&self, taken: &Taken, ending: Ending, minutes: i64) -> bool {
        let end = pg::run_tx(&self.db.pool, "end", Role::Scheduler, |tx| {
            let ending = &ending;
            Box::pin(async move { scheduler::end(tx, taken, &self.patience, ending, at(minutes)).await })
        });
        end.await.unwrap()
    }

    async fn states(&self) -> Vec<(String, u32, State, i32)> {
        use chrono::Datelike as _;
        let list = pg::run_tx(&self.db.pool, "list", Role::Scheduler, |tx| {
            Box::pin(async move { scheduler::list(tx, 9).await })
        });
        list.await.unwrap().into_iter().map(|job| (job.name, job.day.day(), job.state, job.attempts)).collect()
    }
}

#[tokio::test]
async fn work_is_taken_once_and_again_when_its_lease_has_run_out() {
    let jobs = Jobs::new().await;
    jobs.plan("night of cssd", 14, 30).await;
    jobs.plan("night of cssd", 14, 30).await;
    assert!(jobs.take(29).await.is_none(), "it is not due");
    let (one, other) = tokio::join!(jobs.take(30), jobs.take(30));
    let taken = one.xor(other).expect("one of two who ask at once has it");
    assert!(jobs.take(31).await.is_none() && jobs.renew(&taken, 31).await);
    assert!(jobs.take(32).await.is_none(), "renewed, it holds until 33");
    // Nobody renews it: another takes it, and the word of the first counts no more.
    let again = jobs.take(33).await.expect("its lease has run out");
    assert_eq!((again.job.attempts, again.job.day), (2, day(14)));
    assert!(!jobs.renew(&taken, 33).await && !jobs.end(&taken, Ending::Done(String::new()), 33).await);
    assert!(jobs.end(&again, Ending::Done("delivered".to_owned()), 34).await);
    assert!(jobs.take(1_000).await.is_none(), "what is done stays done");
    // A clock that jumps back a day sees the same row, and no second night.
    jobs.plan("night of cssd", 14, 30).await;
    assert!(jobs.take(30).await.is_none());
    assert_eq!(jobs.states().await, [("night of cssd".to_owned(), 14, State::Done, 2)]);
}

#[tokio::test]
async fn what_fails_waits_longer_each_time_and_is_given_up_until_somebody_asks_again() {
    let jobs = Jobs { patience: Patience { attempts_max: 3, ..Patience::default() }, ..Jobs::new().await };
    jobs.plan("night of dcf", 14, 0).await;
    for (minutes, wait) in [(0, 1), (1, 2), (3, 0)] {
        let taken = jobs.take(minutes).await.expect("it may be taken");
        assert!(jobs.end(&taken, Ending::Failed("no share".to_owned()), minutes).await);
        if wait > 1 {
            assert!(jobs.take(minutes + wait - 1).await.is_none(), "it waits {wait} minutes");
        }
    }
    assert!(jobs.take(9_999).await.is_none());
    assert_eq!(jobs.states().await, [("night of dcf".to_owned(), 14, State::GivenUp, 3)]);
    let retry = |name: &'static str| {
        pg::run_tx(&jobs.db.pool, "retry", Role::Scheduler, move |tx| {
            Box::pin(async move { scheduler::retry(tx, name, None, at(20)).await })
        })
    };
    assert_eq!(retry("night of dcf").await.unwrap(), day(14));
    assert!(matches!(retry("night of nobody").await, Err(scheduler::Error::NotFound)));
    assert!(jobs.take(20).await.is_some());
}

#[tokio::test]
async fn what_is_stopped_is_not_taken_and_the_last_day_brings_everything() {
    let jobs = Jobs::new().await;
    jobs.plan("night of cssd", 13, 0).await;
    let stop =
        Pause { name: "night of cssd".to_owned(), by: "ann".to_owned(), reason: "a question".to_owned(), since: at(0) };
    let paused = pg::run_tx(&jobs.db.pool, "pause", Role::Scheduler, |tx| {
        let stop = &stop;
        Box::pin(async move { scheduler::pause(tx, stop).await })
    });
    paused.await.unwrap();
    assert!(jobs.take(5).await.is_none());
    jobs.plan("night of cssd", 15, 10).await;
    jobs.plan("night of dcf", 14, 10).await;
    assert_eq!(jobs.take(10).await.map(|taken| taken.job.name).as_deref(), Some("night of dcf"), "another's goes on");
    let resumed = pg::run_tx(&jobs.db.pool, "resume", Role::Scheduler, |tx| {
        Box::pin(async move { scheduler::resume(tx, "night of cssd").await })
    });
    assert!(resumed.await.unwrap());
    assert_eq!(jobs.take(10).await.map(|taken| taken.job.day), Some(day(15)));
    assert!(jobs.take(10).await.is_none(), "the night before was never begun, and is not made up for");
}
