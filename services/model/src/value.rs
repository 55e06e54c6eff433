//! Element values and their canonical JSON.

use std::{
    fmt::{self, Write as _},
    str::FromStr,
};

use chrono::NaiveDate;
use serde_json::{Number, Value as Json};

use crate::ValueKind;

/// A number with at most four decimals, kept as ten-thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Decimal(pub i64);

impl Decimal {
    /// Ten-thousandths in one.
    pub const SCALE: i64 = 10_000;

    /// As a floating-point number, for plots and rates.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / Self::SCALE as f64
    }

    /// `part / whole` rounded half away from zero to four decimals; `None` when `whole` is zero.
    pub fn ratio(part: i64, whole: i64) -> Option<Self> {
        if whole == 0 {
            return None;
        }
        let doubled = i128::from(part) * i128::from(Self::SCALE) * 2
            + i128::from(whole) * i128::from(part.signum() * whole.signum());
        i64::try_from(doubled / (i128::from(whole) * 2)).ok().map(Self)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let (whole, rest) = (magnitude / Self::SCALE.unsigned_abs(), magnitude % Self::SCALE.unsigned_abs());
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{rest:04}");
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

/// A text is no number with at most four decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number has digits, at most one point and at most four decimals")]
pub struct ParseDecimalError;

impl FromStr for Decimal {
    type Err = ParseDecimalError;

    fn from_str(text: &str) -> Result<Self, ParseDecimalError> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && rest.is_empty()) || !plain(whole) || !plain(rest) || rest.len() > 4 {
            return Err(ParseDecimalError);
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| ParseDecimalError)? };
        let rest = (0..4).fold(0, |number, place| {
            number * 10 + rest.as_bytes().get(place).map_or(0, |digit| i64::from(digit - b'0'))
        });
        let magnitude = whole.checked_mul(Self::SCALE).and_then(|w| w.checked_add(rest)).ok_or(ParseDecimalError)?;
        Ok(Self(if negative { -magnitude } else { magnitude }))
    }
}

/// A value of an element. Its `Debug` shows the kind only: values are personal data.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// Text, NFC.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with decimals.
    Decimal(Decimal),
    /// A day.
    Date(NaiveDate),
    /// Yes or no.
    Boolean(bool),
    /// Several texts.
    TextList(Vec<String>),
    /// Reported, but suppressed by the source.
    Suppressed,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(***)",
            Self::Integer(_) => "Integer(***)",
            Self::Decimal(_) => "Decimal(***)",
            Self::Date(_) => "Date(***)",
            Self::Boolean(_) => "Boolean(***)",
            Self::TextList(_) => "TextList(***)",
            Self::Suppressed => "Suppressed",
        })
    }
}

impl Value {
    /// What stands in stored JSON for a suppressed value: an object, so that no text of a source can be mistaken for it.
    const SUPPRESSED_KEY: &'static str = "suppressed";

    /// Whether it fits an element of this kind.
    pub const fn is(&self, kind: ValueKind) -> bool {
        matches!(
            (self, kind),
            (Self::Suppressed, _)
                | (Self::Text(_), ValueKind::Text)
                | (Self::Integer(_), ValueKind::Integer)
                | (Self::Decimal(_), ValueKind::Decimal)
                | (Self::Date(_), ValueKind::Date)
                | (Self::Boolean(_), ValueKind::Boolean)
                | (Self::TextList(_), ValueKind::TextList)
        )
    }

    /// The canonical JSON: texts, numbers, booleans, `YYYY-MM-DD`; a suppressed value is `{"suppressed": true}`.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Text(text) => Json::String(text.clone()),
            Self::Integer(number) => Json::Number((*number).into()),
            Self::Decimal(number) => number.to_string().parse::<Number>().map_or(Json::Null, Json::Number),
            Self::Date(day) => Json::String(day.to_string()),
            Self::Boolean(flag) => Json::Bool(*flag),
            Self::TextList(texts) => Json::Array(texts.iter().cloned().map(Json::String).collect()),
            Self::Suppressed => serde_json::json!({ Self::SUPPRESSED_KEY: true }),
        }
    }

    /// Appends the canonical JSON.
    pub fn write_json(&self, json: &mut String) {
        // Cannot fail: writing to a String.
        let _written = match self {
            Self::Text(text) => {
                write_text(text, json);
                Ok(())
            }
            Self::Integer(number) => write!(json, "{number}"),
            Self::Boolean(flag) => write!(json, "{flag}"),
            Self::Date(day) => write!(json, "\"{day}\""),
            Self::Decimal(_) | Self::TextList(_) | Self::Suppressed => write!(json, "{}", self.to_json()),
        };
    }

    /// Appends the canonical JSON object of values by name, in the order given.
    pub fn write_object<'v>(values: impl IntoIterator<Item = (&'v str, &'v Self)>, json: &mut String) {
        json.push('{');
        for (place, (name, value)) in values.into_iter().enumerate() {
            if place > 0 {
                json.push(',');
            }
            write_text(name, json);
            json.push(':');
            value.write_json(json);
        }
        json.push('}');
    }

    /// Reads the canonical JSON of an element of this kind; `None` if it is something else.
    pub fn from_json(json: &Json, kind: ValueKind) -> Option<Self> {
        match (json, kind) {
            (Json::Object(map), _) => {
                (map.get(Self::SUPPRESSED_KEY) == Some(&Json::Bool(true)) && map.len() == 1).then_some(Self::Suppressed)
            }
            (Json::String(text), ValueKind::Text) => Some(Self::Text(text.clone())),
            (Json::String(text), ValueKind::Date) => text.parse().ok().map(Self::Date),
            (Json::Number(number), ValueKind::Integer) => number.as_i64().map(Self::Integer),
            (Json::Number(number), ValueKind::Decimal) => number.to_string().parse().ok().map(Self::Decimal),
            (Json::Bool(flag), ValueKind::Boolean) => Some(Self::Boolean(*flag)),
            (Json::Array(items), ValueKind::TextList) => {
                items.iter().map(|i| i.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>().map(Self::TextList)
            }
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The whole number, if it is one.
    pub const fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// The number, if it is one.
    pub const fn as_decimal(&self) -> Option<Decimal> {
        if let Self::Decimal(number) = self { Some(*number) } else { None }
    }

    /// The day, if it is one.
    pub const fn as_date(&self) -> Option<NaiveDate> {
        if let Self::Date(day) = self { Some(*day) } else { None }
    }

    /// Yes or no, if it is that.
    pub const fn as_boolean(&self) -> Option<bool> {
        if let Self::Boolean(flag) = self { Some(*flag) } else { None }
    }

    /// As a file prints it: text as it is, numbers plain, dates `YYYY-MM-DD`, booleans `true`/`false`, lists joined by `; `.
    pub fn to_plain(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Decimal(number) => number.to_string(),
            Self::Date(day) => day.to_string(),
            Self::Boolean(flag) => flag.to_string(),
            Self::TextList(texts) => texts.join("; "),
            Self::Suppressed => "suppressed".to_owned(),
        }
    }
}

/// Appends a JSON string.
fn write_text(text: &str, json: &mut String) {
    // Element names, codes, labels and numbers need no escape.
    if text.bytes().all(|byte| byte >= b' ' && !matches!(byte, b'"' | b'\\')) {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        // Cannot fail: writing to a String.
        let _written = write!(json, "{}", Json::String(text.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_written_as_canonical_json() {
        let values = [
            ("a_text", Value::Text("quote \" back \\ line \n end \u{1}".to_owned())),
            ("b_text", Value::Text("plain \u{e9}".to_owned())),
            ("count", Value::Integer(-12)),
            ("day", Value::Date(NaiveDate::from_ymd_opt(2018, 8, 9).unwrap_or_default())),
            ("flag", Value::Boolean(true)),
            ("list", Value::TextList(vec!["a".to_owned(), "b\"".to_owned()])),
            ("share", Value::Decimal(Decimal(12_500))),
            ("withheld", Value::Suppressed),
        ];
        let whole: serde_json::Map<_, _> =
            values.iter().map(|(name, value)| ((*name).to_owned(), value.to_json())).collect();
        let mut json = String::new();
        Value::write_object(values.iter().map(|(name, value)| (*name, value)), &mut json);
        assert_eq!(json, Json::Object(whole).to_string());
    }

    #[test]
    fn decimals_read_and_print() {
        fn check(text: &str, expect: Option<&str>) {
            assert_eq!(text.parse::<Decimal>().ok().map(|d| d.to_string()).as_deref(), expect, "{text}");
        }
        check("12.50", Some("12.5"));
        check("-0.0001", Some("-0.0001"));
        check("7", Some("7"));
        check(".5", Some("0.5"));
        check("1.23456", None);
        check("1e3", None);
        check("", None);
    }

    #[test]
    fn ratios_round_half_away_from_zero() {
        assert_eq!(Decimal::ratio(1, 3), Some(Decimal(3333)));
        assert_eq!(Decimal::ratio(2, 3), Some(Decimal(6667)));
        assert_eq!(Decimal::ratio(1, 0), None);
    }
}
