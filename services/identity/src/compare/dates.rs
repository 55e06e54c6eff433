//! Comparing birth dates, as one question.

use super::{Comparer, Observed};
use crate::jaro::one_edit;
use crate::levels::{self, birth};
use crate::normalise::DateCode;

impl Comparer<'_> {
    /// The likest pair of dates.
    pub(super) fn birth(&self, a: &[DateCode], b: &[DateCode]) -> Option<(Observed, DateCode, DateCode)> {
        let pairs = a.iter().flat_map(|left| b.iter().map(move |right| (birth_level(*left, *right), *left, *right)));
        let (level, left, right) =
            pairs.min_by_key(|(level, left, right)| (*level, *left.min(right), *left.max(right)))?;
        let frequency = if level == birth::EXACT { self.corpus.frequencies.birth(left) } else { 0.0 };
        Some((Observed::with(levels::BIRTH, level, frequency), left, right))
    }
}

/// How two birth dates compare.
pub(crate) fn birth_level(a: DateCode, b: DateCode) -> u8 {
    if a == b {
        return birth::EXACT;
    }
    let parts = |date: DateCode| (date / 10_000, date / 100 % 100, date % 100);
    let ((year_a, month_a, day_a), (year_b, month_b, day_b)) = (parts(a), parts(b));
    let same_year = year_a == year_b;
    let new_year = (month_a, day_a) == (1, 1) || (month_b, day_b) == (1, 1);
    if same_year && month_a == day_b && day_a == month_b {
        birth::SWAPPED
    } else if one_edit(&date_digits(a), &date_digits(b)) {
        birth::ONE_DIGIT
    } else if same_year && new_year {
        birth::FIRST_OF_YEAR
    } else if month_a == month_b && day_a == day_b {
        birth::MONTH_DAY
    } else if same_year && (month_a == month_b || day_a == day_b) {
        birth::YEAR_AND_PART
    } else if same_year {
        birth::YEAR
    } else {
        birth::DIFFERENT
    }
}

fn date_digits(date: DateCode) -> [u8; 8] {
    let mut digits = [0; 8];
    let mut rest = date;
    for digit in digits.iter_mut().rev() {
        *digit = (rest % 10) as u8;
        rest /= 10;
    }
    digits
}
