//! The time by which is decided, and clocks that are wrong.
//!
//! A decision is made at the later of the clock and the last entry's time. A clock that has stepped back, or a database that was moved to a machine whose clock
//! lags, would hold that time still, and what ends meanwhile would not end. A clock that runs ahead would open what is to come, and its first entry would hold
//! everybody else's time still. Which of two clocks is right nobody here knows: so where clocks are held to anything nothing is disclosed while either stands further
//! behind the last entry than is stated, or the two further apart than [`APART_MAX`]; it goes on by itself when both are right again. Who stops or closes something
//! is not kept from it.

use chrono::{DateTime, TimeDelta, Utc};
use model::Clock;
use pg::Role;
use sqlx::PgConnection;

use crate::{Context, Error};

/// How far this machine's clock may stand from the database's, as at the program's start.
const APART_MAX: TimeDelta = TimeDelta::seconds(2);

/// The time of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The later of the clock and the last entry's time.
    pub(crate) at: DateTime<Utc>,
    /// How far the clock, or the database's, stands behind the last entry; not positive: neither does.
    behind: TimeDelta,
    /// How far they stand from each other; not positive: not as far as can be told.
    apart: TimeDelta,
}

impl Moment {
    /// `asked` and `answered`: the clock before the database was asked for its own, and after.
    fn of(
        (asked, answered): (DateTime<Utc>, DateTime<Utc>),
        ledger::LastMoment { decided_at, database }: ledger::LastMoment,
    ) -> Self {
        // However long the answer took, a clock that is right was between the two; and what others entered meanwhile is not behind it.
        let apart = (asked - database).max(database - answered);
        let behind = decided_at.map_or(TimeDelta::zero(), |last| last - answered.min(database));
        Self { at: decided_at.map_or(asked, |last| last.max(asked)), behind, apart }
    }

    /// Asks for it.
    pub(crate) async fn load(conn: &mut PgConnection, clock: &dyn Clock) -> Result<Self, Error> {
        let asked = clock.now();
        let last = ledger::last_moment(conn).await?;
        Ok(Self::of((asked, clock.now()), last))
    }

    fn is_off(self, max: Option<TimeDelta>) -> bool {
        max.is_some_and(|max| self.behind > max || self.apart > APART_MAX)
    }

    /// Refuses to disclose by a clock that is wrong.
    pub(crate) fn may_disclose(self, context: Context<'_>) -> Result<Self, Error> {
        if self.is_off(context.clock_behind_max) { Err(Error::ClockBehind) } else { Ok(self) }
    }
}

/// Whether a clock stands so far behind the last entry, or from the other clock, that nothing is disclosed.
pub async fn is_behind(context: Context<'_>) -> Result<bool, Error> {
    pg::run_tx(context.pool, "disclosure.clock", Role::Ledger, |tx| {
        Box::pin(async move { Ok(Moment::load(tx, context.clock).await?.is_off(context.clock_behind_max)) })
    })
    .await
}

#[cfg(test)]
mod tests {
    use ledger::LastMoment;

    use super::*;

    #[test]
    fn a_clock_is_wrong_that_stands_behind_the_last_entry_or_from_the_other_clock() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let check_slow = |(asked, answered), databases, last: Option<i64>, expect: (i64, bool)| {
            let last = LastMoment { decided_at: last.map(at), database: at(databases) };
            let moment = Moment::of((at(asked), at(answered)), last);
            assert_eq!((moment.at, moment.is_off(Some(TimeDelta::seconds(5)))), (at(expect.0), expect.1));
            assert!(!moment.is_off(None), "no limit is set");
        };
        let check = |ours, databases, last, expect| check_slow((ours, ours), databases, last, expect);
        check(100, 100, None, (100, false));
        check(100, 100, Some(100), (100, false));
        check(100, 100, Some(105), (105, false));
        check(100, 100, Some(106), (106, true));
        check(102, 100, Some(106), (106, true));
        check(100, 102, Some(106), (106, true));
        check(102, 101, Some(106), (106, false));
        check(110, 110, Some(106), (110, false));
        check(0, 0, None, (0, false));
        // From each other, whatever was entered.
        for last in [None, Some(90)] {
            check(102, 100, last, (102, false));
            check(103, 100, last, (103, true));
            check(100, 102, last, (100, false));
            check(100, 103, last, (100, true));
        }
        // A slow answer is no clock that runs ahead, and what others entered while it was waited for is none that has stepped back.
        check_slow((100, 130), 128, None, (100, false));
        check_slow((100, 130), 133, None, (100, true));
        check_slow((100, 130), 97, None, (100, true));
        check_slow((100, 130), 128, Some(127), (127, false));
        check_slow((100, 130), 128, Some(134), (134, true));
    }
}
