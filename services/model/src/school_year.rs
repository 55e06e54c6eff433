//! School years, named by the calendar year of their fall.

use std::{fmt, str::FromStr};

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

/// A school year by the year of its fall: 2014 is 2014-15. Runs from 1 July to 30 June.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SchoolYear(pub i16);

impl SchoolYear {
    /// The month a school year begins with.
    pub const FIRST_MONTH: u32 = 7;

    /// The school year a day falls in: 12/10/2005 and 1/10/2006 are both 2005.
    pub fn containing(day: NaiveDate) -> Self {
        let year = if day.month() >= Self::FIRST_MONTH { day.year() } else { day.year() - 1 };
        Self(year as i16)
    }

    /// 1 July of its fall.
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(i32::from(self.0), Self::FIRST_MONTH, 1).unwrap_or(NaiveDate::MIN)
    }

    /// 30 June of its spring.
    pub fn last_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(i32::from(self.0) + 1, Self::FIRST_MONTH - 1, 30).unwrap_or(NaiveDate::MAX)
    }

    /// The year before.
    #[must_use]
    pub fn previous(self) -> Self {
        Self(self.0 - 1)
    }

    /// The year after.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for SchoolYear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:02}", self.0, (self.0 + 1).rem_euclid(100))
    }
}

/// A text is no school year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a school year reads 2014-15 or 2014-2015, the second year following the first")]
pub struct ParseSchoolYearError;

impl FromStr for SchoolYear {
    type Err = ParseSchoolYearError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (fall, spring) = text.split_once('-').ok_or(ParseSchoolYearError)?;
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if fall.len() != 4 || !digits(fall) || !digits(spring) {
            return Err(ParseSchoolYearError);
        }
        let fall: i16 = fall.parse().map_err(|_| ParseSchoolYearError)?;
        let follows = match spring.len() {
            2 => spring.parse() == Ok((fall + 1).rem_euclid(100)),
            4 => spring.parse() == Ok(fall + 1),
            _ => false,
        };
        if follows { Ok(Self(fall)) } else { Err(ParseSchoolYearError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn school_years_read_and_print() {
        fn check(text: &str, expect: Option<(i16, &str)>) {
            let got = text.parse::<SchoolYear>().ok();
            assert_eq!(got.map(|y| (y.0, y.to_string())), expect.map(|(n, s)| (n, s.to_owned())), "{text}");
        }
        check("2014-15", Some((2014, "2014-15")));
        check("2014-2015", Some((2014, "2014-15")));
        check("1999-00", Some((1999, "1999-00")));
        check("2014-16", None);
        check("2014", None);
        check("14-15", None);
    }
}
