//! From a field's text to a value.

use chrono::NaiveDate;
use model::{Decimal, SchoolYear, Value};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::layout::{DateForm, FieldKind};

/// Years that a date in a school record can have.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2100;

/// A cell without the blanks around it.
pub(super) fn trimmed(text: &str) -> &str {
    let bytes = text.as_bytes();
    // Many fields are blank, and long: eight at a time.
    let (eights, _) = bytes.as_chunks::<8>();
    let blank = eights.iter().take_while(|eight| **eight == [b' '; 8]).count() * 8;
    let rest = bytes.get(blank..).unwrap_or_default();
    let begin = rest.iter().position(|byte| *byte != b' ').map_or(bytes.len(), |first| blank + first);
    let rest = bytes.get(begin..).unwrap_or_default();
    let (_, eights) = rest.as_rchunks::<8>();
    let blank = eights.iter().rev().take_while(|eight| **eight == [b' '; 8]).count() * 8;
    let rest = rest.get(..rest.len() - blank).unwrap_or_default();
    let end = rest.iter().rposition(|byte| *byte != b' ').map_or(begin, |last| begin + last + 1);
    // Both ends stand beside an ASCII byte, so they are ends of characters.
    text.get(begin..end).unwrap_or_default()
}

/// Text in NFC, as it is stored.
pub(super) fn nfc(text: &str) -> String {
    if text.is_ascii() || is_nfc(text) { text.to_owned() } else { text.nfc().collect() }
}

/// A text value.
pub(super) fn text(text: &str) -> Value {
    Value::Text(nfc(text))
}

/// The number that digits write; `None` if anything else is among them.
fn digits(text: &str) -> Option<u32> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    text.bytes().try_fold(0_u32, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

/// Reads a day.
pub(crate) fn date(text: &str, form: DateForm) -> Option<NaiveDate> {
    let part = |range: std::ops::Range<usize>| text.get(range).and_then(digits);
    let iso = |text: &str| {
        let bytes = text.as_bytes();
        let dashes = text.len() == 10 && bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
        dashes.then_some(()).and_then(|()| Some((part(0..4)?, part(5..7)?, part(8..10)?)))
    };
    let (year, month, day) = match form {
        DateForm::MonthDayYear => {
            if text.len() != 8 {
                return None;
            }
            (part(4..8)?, part(0..2)?, part(2..4)?)
        }
        DateForm::Iso => iso(text)?,
        DateForm::Timestamp => {
            let (day, time) = text.split_once('T')?;
            if !time.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.')) {
                return None;
            }
            iso(day)?
        }
        DateForm::Slashes => {
            let mut parts = text.split('/');
            let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
            if parts.next().is_some() || year.len() != 4 || month.len() > 2 || day.len() > 2 {
                return None;
            }
            (digits(year)?, digits(month)?, digits(day)?)
        }
    };
    let year = i32::try_from(year).ok().filter(|year| YEARS.contains(year))?;
    NaiveDate::from_ymd_opt(year, month, day)
}

/// Reads a school year written by both its calendar years, `20182019`.
pub(crate) fn session_year(text: &str) -> Option<SchoolYear> {
    let (fall, spring) = (digits(text.get(..4)?)?, digits(text.get(4..)?)?);
    let is_year = text.len() == 8 && spring == fall + 1 && i32::try_from(fall).is_ok_and(|year| YEARS.contains(&year));
    is_year.then(|| i16::try_from(fall).ok().map(SchoolYear)).flatten()
}

/// Whether a text is a time of day, `HH:MM` or `HH:MM:SS`.
pub(super) fn is_time(text: &str) -> bool {
    let mut parts = text.split(':');
    let mut within = |limit: u32| {
        parts.next().is_some_and(|part| part.len() == 2 && digits(part).is_some_and(|number| number < limit))
    };
    let good = within(24) && within(60);
    good && match text.len() {
        5 => true,
        8 => within(60),
        _ => false,
    }
}

/// Reads a whole number.
pub(super) fn integer(text: &str) -> Option<i64> {
    let plain = text.strip_prefix('-').unwrap_or(text);
    let good = !plain.is_empty() && plain.len() <= 15 && plain.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

/// Reads a number with at most so many decimals.
pub(super) fn decimal(text: &str, places: u8) -> Option<Decimal> {
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    (decimals <= usize::from(places) && text.len() <= 15).then(|| text.parse().ok()).flatten()
}

/// The value of a field's text, of the kind of the element it fills. `None` for blank, and for text that a check refused.
pub(super) fn of(kind: &FieldKind, content: &str, wanted: model::ValueKind) -> Option<Value> {
    if content.is_empty() && !matches!(kind, FieldKind::Boolean(words) if words.no.is_empty()) {
        return None;
    }
    match kind {
        FieldKind::Text | FieldKind::Digits(_) | FieldKind::SessionYear | FieldKind::Time => Some(text(content)),
        FieldKind::Date(form) => date(content, *form).map(Value::Date),
        FieldKind::Integer => {
            let number = integer(content)?;
            match wanted {
                model::ValueKind::Decimal => number.checked_mul(Decimal::SCALE).map(|n| Value::Decimal(Decimal(n))),
                model::ValueKind::Text => Some(text(content)),
                _ => Some(Value::Integer(number)),
            }
        }
        FieldKind::Decimal(places) => {
            let number = decimal(content, *places)?;
            Some(if wanted == model::ValueKind::Text { text(content) } else { Value::Decimal(number) })
        }
        FieldKind::Boolean(words) => Some(Value::Boolean(words.yes.iter().any(|word| word == content))),
        FieldKind::Constant(_) | FieldKind::Filler => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read_in_each_form() {
        fn check(text: &str, form: DateForm, expect: Option<(i32, u32, u32)>) {
            let expect = expect.and_then(|(y, m, d)| NaiveDate::from_ymd_opt(y, m, d));
            assert_eq!(date(text, form), expect, "{text}");
        }
        check("08272014", DateForm::MonthDayYear, Some((2014, 8, 27)));
        check("02292015", DateForm::MonthDayYear, None);
        check("8272014", DateForm::MonthDayYear, None);
        check("20140827", DateForm::MonthDayYear, None);
        check("08270001", DateForm::MonthDayYear, None);
        check("2014-08-27", DateForm::Iso, Some((2014, 8, 27)));
        check("2014/08/27", DateForm::Iso, None);
        check("2014-8-27", DateForm::Iso, None);
        check("8/7/2014", DateForm::Slashes, Some((2014, 8, 7)));
        check("8/7/14", DateForm::Slashes, None);
        check("1984-07-01T00:00:00.000", DateForm::Timestamp, Some((1984, 7, 1)));
        check("1984-07-01", DateForm::Timestamp, None);
        check("é9-07-01x", DateForm::Iso, None);
    }

    #[test]
    fn session_years_name_two_years_that_follow() {
        fn check(text: &str, expect: Option<i16>) {
            assert_eq!(session_year(text).map(|year| year.0), expect, "{text}");
        }
        check("20182019", Some(2018));
        check("19992000", Some(1999));
        check("20182020", None);
        check("2018-019", None);
        check("2018", None);
        check("201820190", None);
        check("00000001", None);
    }

    #[test]
    fn times_are_on_twenty_four_hours() {
        fn check(text: &str, expect: bool) {
            assert_eq!(is_time(text), expect, "{text}");
        }
        check("08:05", true);
        check("23:59:59", true);
        check("24:00", false);
        check("8:05", false);
        check("08:05:", false);
        check("08:05 AM", false);
    }

    #[test]
    fn numbers_keep_their_places() {
        assert_eq!(decimal("1.50", 2), Some(Decimal(15_000)));
        assert_eq!(decimal("1.505", 2), None);
        assert_eq!(integer("-12"), Some(-12));
        assert_eq!(integer("1 2"), None);
        assert_eq!(integer("1.0"), None);
    }
}
