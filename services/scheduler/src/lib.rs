//! Work that is to be done on certain days: when it is due, who is at it, how it ended. It knows no job by name, and does none.
//!
//! A [`Calendar`] says when a day's work is due, in the zone of whoever waits for it. What is due is a row; whoever takes it holds a lease that runs out
//! unless it is renewed, so that work whose program was killed is taken again. Work that fails is taken again after a while that doubles, and
//! given up at last, which is an alarm.
//!
//! Start with [`Calendar::due`], then [`take`].

mod calendar;
mod error;
mod store;

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

pub use calendar::{Calendar, CalendarError, Due};
pub use error::Error;
pub use store::{list, list_pauses, pause, plan, renew, resume, retry, take};

/// How a job is worked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// So long a lease holds without being renewed.
    pub lease: Duration,
    /// Attempts at one day's work before it is given up.
    pub attempts_max: i32,
    /// Before the second attempt; doubled before each further one, up to an hour.
    pub backoff: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { lease: Duration::from_mins(2), attempts_max: 8, backoff: Duration::from_mins(1) }
    }
}

/// The longest wait between two attempts.
const BACKOFF_MAX: TimeDelta = TimeDelta::hours(1);

impl Patience {
    /// When work is taken again that has failed so often; `None`: no more.
    fn next(&self, attempts: i32, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if attempts >= self.attempts_max {
            return None;
        }
        let doubled = self.backoff.saturating_mul(1_u32 << attempts.saturating_sub(1).clamp(0, 16));
        Some(now + TimeDelta::from_std(doubled).unwrap_or(BACKOFF_MAX).min(BACKOFF_MAX))
    }
}

/// Where a day's work stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits until it may be taken.
    Waiting,
    /// Somebody is at it.
    Running,
    /// It is done.
    Done,
    /// It failed too often: a person has to look.
    GivenUp,
}

/// A day's work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Job {
    /// Which work.
    pub name: String,
    /// The day it is of.
    pub day: NaiveDate,
    /// When it was due.
    pub due_at: DateTime<Utc>,
    /// Where it stands.
    pub state: State,
    /// How often it was begun.
    pub attempts: i32,
    /// When it may be taken next, if it waits.
    pub next_at: DateTime<Utc>,
    /// When it was begun last.
    pub begun_at: Option<DateTime<Utc>>,
    /// Until when whoever is at it holds it.
    pub leased_until: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// What was said when it ended last: for operators, without personal data.
    pub said: Option<String>,
}

impl Job {
    /// Why somebody should look, if somebody should: nobody is at it who says so, or it was given up, or it waits long after it was due.
    pub fn alarm(&self, now: DateTime<Utc>, late: TimeDelta) -> Option<&'static str> {
        match self.state {
            State::GivenUp => Some("it failed too often and is not tried again"),
            State::Running if self.leased_until.is_some_and(|until| until < now) => {
                Some("whoever was at it has stopped saying so")
            }
            State::Waiting | State::Running if self.due_at + late < now => Some("it is long due and not done"),
            State::Done | State::Waiting | State::Running => None,
        }
    }
}

/// Who stopped a job, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// Which work.
    pub name: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

/// The right to work at a day's work, as long as it is renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The work.
    pub job: Job,
    lease: Uuid,
}

/// How work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Done, with a word about it.
    Done(String),
    /// Not done, and why.
    Failed(String),
}

/// Notes how work ended that was taken. Says whether the lease still held: if not, another has taken it meanwhile, and its word counts.
pub async fn end(
    conn: &mut sqlx::PgConnection,
    taken: &Taken,
    patience: &Patience,
    ending: &Ending,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let (state, next, said) = match ending {
        Ending::Done(said) => (State::Done, now, said),
        Ending::Failed(said) => match patience.next(taken.job.attempts, now) {
            Some(next) => (State::Waiting, next, said),
            None => (State::GivenUp, now, said),
        },
    };
    store::end(conn, taken.lease, (state, next), said, now).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(state: State, due: i64, leased: Option<i64>) -> Job {
        let at = |minutes: i64| DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes);
        Job {
            name: "night of cssd".to_owned(),
            day: NaiveDate::MIN,
            due_at: at(due),
            state,
            attempts: 1,
            next_at: at(due),
            begun_at: None,
            leased_until: leased.map(at),
            ended_at: None,
            said: None,
        }
    }

    #[test]
    fn an_alarm_is_raised_for_what_stalls_and_for_nothing_else() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::minutes(100);
        let check =
            |job: Job, expect: bool| assert_eq!(job.alarm(now, TimeDelta::minutes(60)).is_some(), expect, "{job:?}");
        check(job(State::Done, 0, None), false);
        check(job(State::GivenUp, 99, None), true);
        check(job(State::Waiting, 50, None), false);
        check(job(State::Waiting, 30, None), true);
        check(job(State::Running, 90, Some(101)), false);
        check(job(State::Running, 90, Some(99)), true);
        check(job(State::Running, 30, Some(101)), true);
    }

    #[test]
    fn waits_double_and_end() {
        let patience = Patience { attempts_max: 9, ..Patience::default() };
        let waits: Vec<i64> = (1..=9)
            .filter_map(|attempts| patience.next(attempts, DateTime::UNIX_EPOCH).map(|at| at.timestamp() / 60))
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
