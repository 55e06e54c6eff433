//! When a day's work is due: at a time of day, in a named zone, on the days of a calendar.
//!
//! Clocks are put forward and back: a time that a day does not have is due when the clock has passed it, one that it has twice is due the first time.
//! So a day's work is due once, whatever the clock does.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc, Weekday};
use chrono_tz::Tz;
use serde::Deserialize;

/// A calendar, as a configuration states it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Stated")]
pub struct Calendar {
    at: NaiveTime,
    days: BTreeSet<u8>,
    holidays: BTreeSet<NaiveDate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    /// The time of day: HH:MM.
    at: String,
    /// The days of the week, such as "mon"; absent: all.
    #[serde(default)]
    days: Option<Vec<String>>,
    /// Days on which nothing is done.
    #[serde(default)]
    holidays: Vec<NaiveDate>,
}

/// What a calendar states and none can mean.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The time of day.
    #[error("{0:?} is no time of day: it is said as HH:MM")]
    Time(String),
    /// A day of the week.
    #[error("{0:?} is no day of the week: mon, tue, wed, thu, fri, sat, sun")]
    Day(String),
    /// No day at all.
    #[error("a calendar has one day of the week at least")]
    Empty,
}

impl TryFrom<Stated> for Calendar {
    type Error = CalendarError;

    fn try_from(stated: Stated) -> Result<Self, CalendarError> {
        let at = NaiveTime::parse_from_str(&stated.at, "%H:%M").map_err(|_| CalendarError::Time(stated.at.clone()))?;
        let days = match stated.days {
            None => (0..7).collect(),
            Some(days) => days
                .iter()
                .map(|day| match day.parse::<Weekday>() {
                    Ok(parsed) if day.len() == 3 => Ok(parsed.num_days_from_monday() as u8),
                    _ => Err(CalendarError::Day(day.clone())),
                })
                .collect::<Result<BTreeSet<u8>, _>>()?,
        };
        if days.is_empty() {
            return Err(CalendarError::Empty);
        }
        Ok(Self { at, days, holidays: stated.holidays.into_iter().collect() })
    }
}

/// A day's work, and when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The day in the calendar's zone.
    pub day: NaiveDate,
    /// The instant.
    pub at: DateTime<Utc>,
}

/// How far back, and ahead, a day of the calendar is looked for: a calendar that skips more has none.
const DAYS_MAX: u64 = 400;
/// No clock is put forward by more.
const GAP_MAX: TimeDelta = TimeDelta::hours(26);

impl Calendar {
    /// Every day at a time.
    pub fn daily(at: NaiveTime) -> Self {
        Self { at, days: (0..7).collect(), holidays: BTreeSet::new() }
    }

    fn includes(&self, day: NaiveDate) -> bool {
        self.days.contains(&(day.weekday().num_days_from_monday() as u8)) && !self.holidays.contains(&day)
    }

    /// When the work of a day is due; `None`: it has none.
    pub fn due_on(&self, day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
        if !self.includes(day) {
            return None;
        }
        let local = day.and_time(self.at);
        if let Some(at) = zone.from_local_datetime(&local).earliest() {
            return Some(at.to_utc());
        }
        // The clock jumps over it: the first instant behind the gap, found to the minute.
        let mut behind = local;
        while behind - local < GAP_MAX {
            behind += TimeDelta::minutes(1);
            if let Some(at) = zone.from_local_datetime(&behind).earliest() {
                return Some(at.to_utc());
            }
        }
        None
    }

    /// The last day's work that is due now. Days that were slept through are not made up for one by one: the last brings everything.
    pub fn due(&self, zone: Tz, now: DateTime<Utc>) -> Option<Due> {
        let today = now.with_timezone(&zone).date_naive();
        (0..DAYS_MAX)
            .filter_map(|back| today.checked_sub_days(Days::new(back)))
            .filter_map(|day| Some(Due { day, at: self.due_on(day, zone)? }))
            .find(|due| due.at <= now)
    }

    /// The next day's work that is not due yet.
    pub fn next(&self, zone: Tz, now: DateTime<Utc>) -> Option<Due> {
        let today = now.with_timezone(&zone).date_naive();
        (0..DAYS_MAX)
            .filter_map(|ahead| today.checked_add_days(Days::new(ahead)))
            .filter_map(|day| Some(Due { day, at: self.due_on(day, zone)? }))
            .find(|due| due.at > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONE: Tz = chrono_tz::America::New_York;

    fn calendar(text: &str) -> Calendar {
        toml::from_str(text).expect("a calendar")
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn a_time_of_day_is_due_once_whatever_the_clock_does() {
        let check = |time: &str, on: &str, expect: &str| {
            let due = calendar(&format!("at = \"{time}\"")).due_on(day(on), ZONE);
            assert_eq!(due, Some(at(expect)), "{time} on {on}");
        };
        check("18:30", "2026-11-20", "2026-11-20T23:30:00Z");
        check("18:30", "2026-07-20", "2026-07-20T22:30:00Z");
        // Put forward on 14 March 2027: there is no 02:30, and at 03:00 it is passed.
        check("02:30", "2027-03-13", "2027-03-13T07:30:00Z");
        check("02:30", "2027-03-14", "2027-03-14T07:00:00Z");
        check("02:30", "2027-03-15", "2027-03-15T06:30:00Z");
        // Put back on 7 November 2027: there are two 01:30, and the first counts.
        check("01:30", "2027-11-06", "2027-11-06T05:30:00Z");
        check("01:30", "2027-11-07", "2027-11-07T05:30:00Z");
        check("01:30", "2027-11-08", "2027-11-08T06:30:00Z");
    }

    #[test]
    fn over_the_days_that_clocks_change_each_minute_sees_each_night_once_and_in_order() {
        for (time, from, to) in [
            ("02:30", "2027-03-12T00:00:00Z", "2027-03-17T00:00:00Z"),
            ("01:30", "2027-11-05T00:00:00Z", "2027-11-10T00:00:00Z"),
        ] {
            let calendar = calendar(&format!("at = \"{time}\""));
            let (mut now, mut seen) = (at(from), Vec::new());
            while now < at(to) {
                let due = calendar.due(ZONE, now).expect("a night");
                assert!(due.at <= now && calendar.next(ZONE, now).expect("a night").at > now);
                if seen.last() != Some(&due) {
                    seen.push(due);
                }
                now += TimeDelta::minutes(1);
            }
            let days: Vec<NaiveDate> = seen.iter().map(|due| due.day).collect();
            assert!(days.windows(2).all(|pair| pair[0].succ_opt() == Some(pair[1])), "{days:?}");
        }
    }

    #[test]
    fn weekends_and_holidays_have_none_and_what_was_slept_through_is_the_last() {
        let calendar = calendar(
            "at = \"18:30\"\ndays = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"]\nholidays = [\"2026-11-26\", \"2026-11-27\"]",
        );
        let due = |now: &str| calendar.due(ZONE, at(now)).map(|due| due.day.to_string());
        assert_eq!(due("2026-11-25T23:29:59Z").as_deref(), Some("2026-11-24"));
        assert_eq!(due("2026-11-25T23:30:00Z").as_deref(), Some("2026-11-25"));
        assert_eq!(
            due("2026-11-30T12:00:00Z").as_deref(),
            Some("2026-11-25"),
            "Thanksgiving, the day after, a weekend"
        );
        let next = calendar.next(ZONE, at("2026-11-25T23:30:00Z")).map(|due| due.day);
        assert_eq!(next, Some(day("2026-11-30")));
    }

    #[test]
    fn what_no_calendar_can_mean_is_said() {
        for text in [
            "at = \"25:00\"",
            "at = \"2:30 am\"",
            "at = \"02:30\"\ndays = [\"monday\"]",
            "at = \"02:30\"\ndays = []",
            "at = \"02:30\"\nday = 1",
        ] {
            assert!(toml::from_str::<Calendar>(text).is_err(), "{text}");
        }
    }
}
