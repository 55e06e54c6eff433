//! How single values are written.

use std::borrow::Cow;

use chrono::{Datelike, NaiveDate};
use model::Decimal;

use crate::fonts::is_ignorable;

/// M/D/YYYY without padding.
pub(crate) fn date(day: NaiveDate) -> String {
    format!("{}/{}/{}", day.month(), day.day(), day.year())
}

/// One decimal, rounded half away from zero on the exact digits: 68.45 is 68.5%, 68.44 is 68.4%.
pub(super) fn percent(value: Decimal) -> String {
    let tenths = tenths(value);
    let sign = if tenths < 0 { "-" } else { "" };
    format!("{sign}{}.{}%", tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10)
}

/// Tenths of a number, rounded half away from zero.
fn tenths(value: Decimal) -> i64 {
    let step = Decimal::SCALE / 10;
    let half = if value.0 < 0 { -step / 2 } else { step / 2 };
    value.0.saturating_add(half) / step
}

/// The decimals it has, no more.
pub(super) fn number(value: Decimal) -> String {
    value.to_string()
}

/// Text fit for setting: white space of every kind is a space, characters that are none become U+FFFD, and the marks that
/// override the direction of text are taken out, so that no value can disorder what stands around it.
pub(crate) fn clean(text: &str) -> String {
    let cleaned: String = text.chars().filter_map(clean_char).collect();
    match cleaned.trim() {
        trimmed if trimmed.len() == cleaned.len() => cleaned,
        trimmed => trimmed.to_owned(),
    }
}

fn clean_char(c: char) -> Option<char> {
    match c {
        // Those that forbid a break stay.
        '\u{a0}' | '\u{202f}' => Some(c),
        _ if c.is_whitespace() => Some(' '),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => None,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fdd0}'..='\u{fdef}' => Some(char::REPLACEMENT_CHARACTER),
        _ if u32::from(c) & 0xfffe == 0xfffe => Some(char::REPLACEMENT_CHARACTER),
        _ => Some(c),
    }
}

/// Whether a text shows anything when it is printed.
pub(super) fn is_seen(text: &str) -> bool {
    text.chars().any(|c| !c.is_whitespace() && !is_ignorable(c))
}

/// Wraps text that runs from right to left so that a sentence around it keeps its order.
pub(crate) fn isolate(text: &str) -> String {
    if might_be_rtl(text) { format!("\u{2068}{text}\u{2069}") } else { text.to_owned() }
}

/// Whether any character comes from a block that holds right-to-left scripts.
pub(crate) fn might_be_rtl(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{590}'..='\u{8ff}' | '\u{200f}' | '\u{2066}'..='\u{2069}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}'))
}

/// Cuts a list for a text alternative that readers and the PDF format can hold.
pub(super) fn join_capped<'a>(
    parts: impl ExactSizeIterator<Item = Cow<'a, str>>,
    cut: impl Fn(usize) -> String,
) -> String {
    const CHARS_MAX: usize = 12_000;
    let total = parts.len();
    let mut out = String::new();
    let mut chars = 0;
    for (i, part) in parts.enumerate() {
        chars += part.chars().count() + 2;
        if chars > CHARS_MAX {
            out.push_str("; ");
            out.push_str(&cut(total - i));
            return out;
        }
        if i > 0 {
            out.push_str("; ");
        }
        out.push_str(&part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_half_away_from_zero() {
        fn check(value: &str, expect: &str) {
            assert_eq!(percent(value.parse().expect("a number")), expect, "{value}");
        }
        check("68.45", "68.5%");
        check("68.4499", "68.4%");
        check("100", "100.0%");
        check("0", "0.0%");
        check("-0.05", "-0.1%");
        check("99.95", "100.0%");
    }

    #[test]
    fn dates_have_no_padding() {
        assert_eq!(date(NaiveDate::from_ymd_opt(2006, 7, 1).expect("a day")), "7/1/2006");
    }

    #[test]
    fn text_is_made_fit_for_setting() {
        fn check(text: &str, expect: &str) {
            assert_eq!(clean(text), expect, "{text:?}");
        }
        check("a\tb\r\nc", "a b  c");
        check("\u{202e}evil\u{202c}", "evil");
        check("nul\0", "nul\u{fffd}");
        check("\u{feff} x\u{3000}y ", "x y");
        check("\u{1ffff}", "\u{fffd}");
        check("Zoë", "Zoë");
    }
}
