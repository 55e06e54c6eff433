//! One value of a summary: there, absent, or suppressed.

use std::{fmt, marker::PhantomData};

use chrono::NaiveDate;
use model::Decimal;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Visitor},
    ser::SerializeMap,
};

use super::TEXT_CHARS_MAX;

/// What a field of a summary holds. `null` (or no key) is [`Cell::Absent`], `{"suppressed": true}` is [`Cell::Suppressed`].
///
/// Its `Debug` says only which of the three it is: values are personal data.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Cell<T> {
    /// Not reported.
    #[default]
    Absent,
    /// Reported.
    Value(T),
    /// Reported, but suppressed by the source.
    Suppressed,
}

impl<T> Cell<T> {
    /// The value, if there is one.
    pub const fn value(&self) -> Option<&T> {
        if let Self::Value(value) = self { Some(value) } else { None }
    }

    /// Whether nothing was reported.
    pub const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<T> From<Option<T>> for Cell<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Value)
    }
}

impl<T> fmt::Debug for Cell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Value(_) => "Value(***)",
            Self::Suppressed => "Suppressed",
        })
    }
}

/// A kind of value that a cell can hold, and how JSON spells it.
pub trait Scalar: Sized {
    /// What a message says was expected.
    const EXPECTED: &'static str;
    /// From a JSON string.
    fn from_text(_text: &str) -> Option<Self> {
        None
    }
    /// From a JSON number, printed plainly.
    fn from_number(_digits: &str) -> Option<Self> {
        None
    }
    /// To JSON.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

impl Scalar for String {
    const EXPECTED: &'static str = "a text of at most 2,000 characters";

    fn from_text(text: &str) -> Option<Self> {
        (text.chars().count() <= TEXT_CHARS_MAX).then(|| text.to_owned())
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl Scalar for NaiveDate {
    const EXPECTED: &'static str = "a date as YYYY-MM-DD";

    fn from_text(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let shaped = bytes.len() == 10
            && bytes.iter().enumerate().all(|(i, b)| if i == 4 || i == 7 { *b == b'-' } else { b.is_ascii_digit() });
        if shaped { text.parse().ok() } else { None }
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Scalar for Decimal {
    const EXPECTED: &'static str = "a number";

    /// More than four decimals are rounded, half away from zero, on the digits as written.
    fn from_number(digits: &str) -> Option<Self> {
        let Some((whole, fraction)) = digits.split_once('.') else { return digits.parse().ok() };
        let kept: String = fraction.chars().take(4).collect();
        let exact: Self = format!("{whole}.{kept}").parse().ok()?;
        let up = fraction.as_bytes().get(4).is_some_and(|digit| *digit >= b'5');
        let step = if whole.starts_with('-') { -1 } else { 1 };
        Some(if up { Self(exact.0 + step) } else { exact })
    }

    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % Self::SCALE == 0 {
            serializer.serialize_i64(self.0 / Self::SCALE)
        } else {
            serializer.serialize_f64(self.to_f64())
        }
    }
}

impl<T: Scalar> Serialize for Cell<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent => serializer.serialize_none(),
            Self::Value(value) => value.write(serializer),
            Self::Suppressed => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("suppressed", &true)?;
                map.end()
            }
        }
    }
}

impl<'de, T: Scalar> Deserialize<'de> for Cell<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor(PhantomData))
    }
}

struct CellVisitor<T>(PhantomData<T>);

impl<T: Scalar> CellVisitor<T> {
    fn number<E: serde::de::Error>(digits: &str) -> Result<Cell<T>, E> {
        T::from_number(digits).map(Cell::Value).ok_or_else(|| expected::<T, E>())
    }
}

fn expected<T: Scalar, E: serde::de::Error>() -> E {
    E::custom(format_args!("expected {}, null or {{\"suppressed\": true}}", T::EXPECTED))
}

impl<'de, T: Scalar> Visitor<'de> for CellVisitor<T> {
    type Value = Cell<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, null or {{\"suppressed\": true}}", T::EXPECTED)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Cell<T>, E> {
        Ok(Cell::Absent)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Cell<T>, E> {
        T::from_text(text).map(Cell::Value).ok_or_else(|| expected::<T, E>())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Cell<T>, E> {
        Self::number(&number.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Cell<T>, E> {
        Self::number(&number.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Cell<T>, E> {
        Self::number(&number.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell<T>, A::Error> {
        match map.next_entry::<String, bool>()? {
            Some((key, true)) if key == "suppressed" && map.next_key::<String>()?.is_none() => Ok(Cell::Suppressed),
            _ => Err(A::Error::custom("expected {\"suppressed\": true}")),
        }
    }
}

/// A day that must be there.
pub(super) fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
    match Cell::deserialize(deserializer)? {
        Cell::Value(day) => Ok(day),
        _ => Err(D::Error::custom(format_args!("expected {}", NaiveDate::EXPECTED))),
    }
}
