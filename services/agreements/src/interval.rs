//! Half-open instants, and how days become instants.

use chrono::{DateTime, Days, Months, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

/// The age at which rights pass to the student, in months.
const MAJORITY_MONTHS: u32 = 18 * 12;

/// From `from`, included, to `to`, excluded; open when it has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interval {
    /// The first instant.
    pub from: DateTime<Utc>,
    /// The first instant after it.
    pub to: Option<DateTime<Utc>>,
}

impl Interval {
    /// Whether the instant lies in it.
    pub fn contains(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && self.to.is_none_or(|to| at < to)
    }

    /// Whether it lies wholly before the instant.
    pub fn ended_before(&self, at: DateTime<Utc>) -> bool {
        self.to.is_some_and(|to| to <= at)
    }
}

/// The instant a day begins in a zone. Where the clocks skip midnight it is the first instant after it.
pub fn start_of_day(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    (0..=4)
        .find_map(|half_hours| zone.from_local_datetime(&(midnight + TimeDelta::minutes(30 * half_hours))).earliest())
        .map_or_else(|| midnight.and_utc(), |start| start.to_utc())
}

/// The instant a day has passed in a zone.
pub fn end_of_day(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    day.checked_add_days(Days::new(1)).map_or(DateTime::<Utc>::MAX_UTC, |next| start_of_day(next, zone))
}

/// The instant rights pass to the student: the beginning of the 18th birthday in the consumer's zone. A 29 February falls
/// on the 28th in years without one, in the database as here.
pub fn majority_at(birth_date: NaiveDate, zone: Tz) -> DateTime<Utc> {
    birth_date
        .checked_add_months(Months::new(MAJORITY_MONTHS))
        .map_or(DateTime::<Utc>::MIN_UTC, |day| start_of_day(day, zone))
}

/// The day that lies a number of years before the day of an instant in a zone.
pub(crate) fn years_before(at: DateTime<Utc>, zone: Tz, years: u16) -> NaiveDate {
    at.with_timezone(&zone)
        .date_naive()
        .checked_sub_months(Months::new(u32::from(years) * 12))
        .unwrap_or(NaiveDate::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW_YORK: Tz = chrono_tz::America::New_York;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    #[test]
    fn days_begin_in_the_consumers_zone() {
        let check = |start: DateTime<Utc>, expect: &str| assert_eq!(start.to_rfc3339(), expect);
        check(start_of_day(day("2026-01-15"), NEW_YORK), "2026-01-15T05:00:00+00:00");
        check(start_of_day(day("2026-07-15"), NEW_YORK), "2026-07-15T04:00:00+00:00");
        check(end_of_day(day("2026-07-15"), NEW_YORK), "2026-07-16T04:00:00+00:00");
        // Clocks in Santiago skip from 24:00 to 1:00.
        check(start_of_day(day("2026-09-06"), chrono_tz::America::Santiago), "2026-09-06T04:00:00+00:00");
        check(majority_at(day("2008-02-29"), NEW_YORK), "2026-02-28T05:00:00+00:00");
    }

    #[test]
    fn an_interval_is_half_open() {
        let from = start_of_day(day("2026-01-01"), NEW_YORK);
        let to = start_of_day(day("2026-02-01"), NEW_YORK);
        let interval = Interval { from, to: Some(to) };
        assert!(interval.contains(from));
        assert!(!interval.contains(to));
        assert!(interval.ended_before(to));
        assert!(Interval { from, to: None }.contains(to));
    }
}
