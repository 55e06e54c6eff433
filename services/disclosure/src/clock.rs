//! The time by which is decided, and clocks that are wrong.
//!
//! A decision is made at the later of the clock and the last entry's time. A clock that has stepped back, or a database that was moved to a machine whose clock
//! lags, would hold that time still, and what ends meanwhile would not end. A clock that runs ahead would open what is to come, and its first entry would hold
//! everybody else's time still. Which of two clocks is right nobody here knows: so where a limit is set nothing is disclosed while either stands further behind the
//! last entry than that, or the two further apart; it goes on by itself when both are right again. Who stops or closes something is not kept from it.

use chrono::{DateTime, TimeDelta, Utc};
use model::Clock;
use pg::Role;
use sqlx::PgConnection;

use crate::{Context, Error};

/// The time of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// The later of the clock and the last entry's time.
    pub(crate) at: DateTime<Utc>,
    /// How far the clock, or the database's, stands behind the last entry, or the two apart, whichever is most; zero: neither is wrong as far as can be told.
    off: TimeDelta,
}

impl Moment {
    /// `asked` and `answered`: the clock before the database was asked for its own, and after.
    fn of(
        (asked, answered): (DateTime<Utc>, DateTime<Utc>),
        ledger::LastMoment { decided_at, database }: ledger::LastMoment,
    ) -> Self {
        // However long the answer took, a clock that is right was between the two.
        let apart = (asked - database).max(database - answered);
        let last = decided_at.unwrap_or(asked.min(database));
        Self { at: last.max(asked), off: (last - asked.min(database)).max(apart).max(TimeDelta::zero()) }
    }

    /// Asks for it.
    pub(crate) async fn load(conn: &mut PgConnection, clock: &dyn Clock) -> Result<Self, Error> {
        let asked = clock.now();
        let last = ledger::last_moment(conn).await?;
        Ok(Self::of((asked, clock.now()), last))
    }

    fn is_off(self, max: Option<TimeDelta>) -> bool {
        max.is_some_and(|max| self.off > max)
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
        check(110, 110, Some(106), (110, false));
        check(0, 0, None, (0, false));
        // From each other, whatever was entered.
        for last in [None, Some(90)] {
            check(105, 100, last, (105, false));
            check(106, 100, last, (106, true));
            check(100, 105, last, (100, false));
            check(100, 106, last, (100, true));
        }
        // A slow answer is no clock that runs ahead.
        check_slow((100, 130), 128, None, (100, false));
        check_slow((100, 130), 136, None, (100, true));
        check_slow((100, 130), 94, None, (100, true));
    }
}
