//! The time by which is decided, and clocks that step back.
//!
//! A decision is made at the later of the clock and the last entry's time. A clock that has stepped back, or a database that was moved to a machine whose clock
//! lags, would hold that time still, and what ends meanwhile would not end. So where a limit is set nothing is disclosed while either clock stands further behind
//! the last entry than that; it goes on by itself when both are right again. Who stops or closes something is not kept from it.

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
    /// How far the clock, or the database's, stands behind the last entry; zero: neither does.
    behind: TimeDelta,
}

impl Moment {
    fn of(now: DateTime<Utc>, ledger::LastMoment { decided_at, database }: ledger::LastMoment) -> Self {
        let Some(last) = decided_at else { return Self { at: now, behind: TimeDelta::zero() } };
        Self { at: last.max(now), behind: (last - now.min(database)).max(TimeDelta::zero()) }
    }

    /// Asks for it.
    pub(crate) async fn load(conn: &mut PgConnection, clock: &dyn Clock) -> Result<Self, Error> {
        let now = clock.now();
        Ok(Self::of(now, ledger::last_moment(conn).await?))
    }

    fn is_behind(self, max: Option<TimeDelta>) -> bool {
        max.is_some_and(|max| self.behind > max)
    }

    /// Refuses to disclose by a clock that has stepped back.
    pub(crate) fn may_disclose(self, context: Context<'_>) -> Result<Self, Error> {
        if self.is_behind(context.clock_behind_max) { Err(Error::ClockBehind) } else { Ok(self) }
    }
}

/// Whether a clock has stepped back so far behind the last entry that nothing is disclosed.
pub async fn is_behind(context: Context<'_>) -> Result<bool, Error> {
    pg::run_tx(context.pool, "disclosure.clock", Role::Ledger, |tx| {
        Box::pin(async move { Ok(Moment::load(tx, context.clock).await?.is_behind(context.clock_behind_max)) })
    })
    .await
}

#[cfg(test)]
mod tests {
    use ledger::LastMoment;

    use super::*;

    #[test]
    fn a_clock_is_behind_by_as_much_as_the_last_entry_is_ahead_of_it() {
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let check = |ours, databases, last: Option<i64>, expect: (i64, bool)| {
            let moment = Moment::of(at(ours), LastMoment { decided_at: last.map(at), database: at(databases) });
            assert_eq!((moment.at, moment.is_behind(Some(TimeDelta::seconds(5)))), (at(expect.0), expect.1));
            assert!(!moment.is_behind(None), "no limit is set");
        };
        check(100, 100, None, (100, false));
        check(100, 100, Some(100), (100, false));
        check(100, 100, Some(105), (105, false));
        check(100, 110, Some(106), (106, true));
        check(110, 100, Some(106), (110, true));
        check(110, 110, Some(106), (110, false));
        check(0, 0, None, (0, false));
    }
}
