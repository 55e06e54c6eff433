//! The days school is in session, one statewide calendar a year.

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// Days a public school year must have, and a couple more than the law's 180.
const DAYS_IN_SESSION: usize = 182;

/// The last day of ordinary school in 2019-20; after it buildings closed and attendance was not counted.
const CLOSURE_YEAR: i16 = 2019;

/// A school year's calendar.
#[derive(Clone, Debug)]
pub struct Calendar {
    /// The year of its fall.
    pub fall: i16,
    /// The first day of school.
    pub first: NaiveDate,
    /// The last day of school.
    pub last: NaiveDate,
    days: Vec<NaiveDate>,
    before: Vec<u16>,
}

impl Calendar {
    /// The calendar of a school year.
    pub fn of(fall: i16) -> Self {
        let first = first_day(fall);
        let mut days = Vec::with_capacity(DAYS_IN_SESSION);
        let mut day = first;
        while days.len() < DAYS_IN_SESSION {
            if in_session(fall, day) {
                days.push(day);
            }
            day = day + Days::new(1);
        }
        let last = days.last().copied().unwrap_or(first);
        if fall == CLOSURE_YEAR {
            let closed = date(i32::from(fall) + 1, 3, 13);
            days.retain(|day| *day < closed);
        }
        let start = july(fall);
        let mut before = vec![0_u16; 367];
        for day in &days {
            let at = (*day - start).num_days() as usize + 1;
            if let Some(slot) = before.get_mut(at) {
                *slot = 1;
            }
        }
        for at in 1..before.len() {
            before[at] += before[at - 1];
        }
        Self { fall, first, last, days, before }
    }

    /// How many days were in session from one day to another, both counted.
    pub fn days_between(&self, from: NaiveDate, to: NaiveDate) -> u16 {
        if to < from {
            return 0;
        }
        let start = july(self.fall);
        let at = |days: i64| self.before[days.clamp(0, 366) as usize];
        at((to - start).num_days() + 1) - at((from - start).num_days())
    }

    /// A day in session by its place, the last one if there are not so many.
    pub fn day(&self, place: usize) -> NaiveDate {
        self.days.get(place).or(self.days.last()).copied().unwrap_or(self.first)
    }

    /// How many days are in session.
    pub fn days_in_session(&self) -> usize {
        self.days.len()
    }

    /// The first day in session on or after a day; the year's last day if there is none.
    pub fn on_or_after(&self, day: NaiveDate) -> NaiveDate {
        let place = self.days.partition_point(|d| *d < day);
        self.days.get(place).copied().unwrap_or(self.last)
    }

    /// The last day in session on or before a day; the year's first day if there is none.
    pub fn on_or_before(&self, day: NaiveDate) -> NaiveDate {
        let place = self.days.partition_point(|d| *d <= day);
        self.days.get(place.wrapping_sub(1)).copied().unwrap_or(self.first)
    }
}

/// A day that exists; 1 January 1970 otherwise, which no caller asks for.
pub fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap_or(NaiveDate::MIN)
}

/// 1 July of a school year.
pub fn july(fall: i16) -> NaiveDate {
    date(i32::from(fall), 7, 1)
}

/// School begins on the Wednesday on or after 26 August.
fn first_day(fall: i16) -> NaiveDate {
    let mut day = date(i32::from(fall), 8, 26);
    while day.weekday() != Weekday::Wed {
        day = day + Days::new(1);
    }
    day
}

/// The nth weekday of a month.
fn nth(year: i32, month: u32, weekday: Weekday, nth: u8) -> NaiveDate {
    NaiveDate::from_weekday_of_month_opt(year, month, weekday, nth).unwrap_or(NaiveDate::MIN)
}

fn in_session(fall: i16, day: NaiveDate) -> bool {
    if matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
        return false;
    }
    let (autumn, spring) = (i32::from(fall), i32::from(fall) + 1);
    let thanksgiving = nth(autumn, 11, Weekday::Thu, 4);
    let april = nth(spring, 4, Weekday::Mon, 2);
    let presidents = nth(spring, 2, Weekday::Mon, 3);
    let memorial = {
        let fifth = NaiveDate::from_weekday_of_month_opt(spring, 5, Weekday::Mon, 5);
        fifth.unwrap_or_else(|| nth(spring, 5, Weekday::Mon, 4))
    };
    let single = [
        nth(autumn, 9, Weekday::Mon, 1),
        nth(autumn, 10, Weekday::Mon, 2),
        nth(autumn, 11, Weekday::Tue, 1),
        date(autumn, 11, 11),
        thanksgiving,
        thanksgiving + Days::new(1),
        nth(spring, 1, Weekday::Mon, 3),
        presidents,
        presidents + Days::new(1),
        memorial,
    ];
    let juneteenth = spring >= 2022 && day == date(spring, 6, 19);
    let winter = day >= date(autumn, 12, 24) && day <= date(spring, 1, 1);
    let spring_recess = day >= april && day <= april + Days::new(4);
    !(single.contains(&day) || juneteenth || winter || spring_recess || snow_day(fall, day))
}

/// A few winter days are lost to snow, not the same ones each year.
fn snow_day(fall: i16, day: NaiveDate) -> bool {
    matches!(day.month(), 1..=3) && (i64::from(day.num_days_from_ce()) * 7_919 + i64::from(fall) * 104_729) % 23 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_school_year_ends_in_june_and_counts_its_days() {
        for fall in 2005..2027 {
            let year = Calendar::of(fall);
            assert_eq!((year.last.year(), year.last.month()), (i32::from(fall) + 1, 6), "{fall}");
            let june = date(i32::from(fall) + 1, 6, 30);
            let all = year.days_between(july(fall), june);
            assert_eq!(usize::from(all), year.days_in_session());
            assert_eq!(year.days_between(year.first, year.first), 1);
        }
        assert!(Calendar::of(2019).days_in_session() < 130);
    }
}
