//! What a field can hold.

use model::ValueKind;

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Text.
    Text,
    /// Digits only: an identifier or a code, kept as text.
    Digits(DigitCount),
    /// A school year by both its calendar years, `20182019`.
    SessionYear,
    /// A day.
    Date(DateForm),
    /// A time of day, `HH:MM` on 24 hours.
    Time,
    /// A whole number.
    Integer,
    /// A number with at most so many decimals.
    Decimal(u8),
    /// Yes or no.
    Boolean(BooleanWords),
    /// Always the same text (an end marker, a system indicator).
    Constant(String),
    /// Nothing.
    Filler,
}

/// How many digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitCount {
    /// As many as the field is long.
    Exact,
    /// At most as many.
    AtMost,
    /// As many as the field is long; a shorter number is written with zeros before it.
    Padded,
}

/// How a day is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateForm {
    /// `MMDDYYYY`.
    MonthDayYear,
    /// `YYYY-MM-DD`.
    Iso,
    /// `M/D/YYYY`, with or without leading zeros.
    Slashes,
    /// `YYYY-MM-DDTHH:MM:SS.fff`, of which the day counts.
    Timestamp,
}

impl DateForm {
    /// As layouts and messages write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MonthDayYear => "MMDDYYYY",
            Self::Iso => "YYYY-MM-DD",
            Self::Slashes => "M/D/YYYY",
            Self::Timestamp => "YYYY-MM-DDTHH:MM:SS.fff",
        }
    }

    const ALL: [Self; 4] = [Self::MonthDayYear, Self::Iso, Self::Slashes, Self::Timestamp];
}

/// What stands for yes and for no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BooleanWords {
    /// The words for yes.
    pub yes: Vec<String>,
    /// The words for no; empty: anything else, blank included.
    pub no: Vec<String>,
}

/// The characters a field may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Characters {
    /// Any but control characters.
    Any,
    /// Letters, dash, period, space and apostrophe, as the source says, in any of the shapes that they are typed in: anything else is refused.
    Name,
    /// What a person's name may hold; the source says nothing of it, so that anything else is loaded with a warning.
    Person,
    /// Letters and period.
    Suffix,
    /// Letters and digits.
    Alphanumeric,
    /// Letters, digits and period, none of them accented.
    Code,
    /// Any, line breaks included (quoted fields of a delimited file).
    Lines,
}

impl Characters {
    /// In words, for messages and documentation.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Any => "any printable character",
            Self::Name => "letters, dash, period, space, apostrophe",
            Self::Person => "letters, dash, period, space, apostrophe; others are taken with a warning",
            Self::Suffix => "letters, period",
            Self::Alphanumeric => "letters and digits",
            Self::Code => "letters A to Z, digits, period",
            Self::Lines => "any printable character, and line breaks inside quotes",
        }
    }

    /// Whether a character of a name is one that names are written with: a dash, an apostrophe or a space in whatever shape it was typed
    /// is one.
    pub(crate) fn is_of_name(character: char) -> bool {
        let plain = plain(character);
        plain.is_alphabetic() || matches!(plain, '-' | '.' | ' ' | '\'' | '\u{300}'..='\u{36f}')
    }

    /// A text as this field's own rule wants it written: of names the marks that every system knows.
    pub(crate) fn written(self, text: &str) -> String {
        match self {
            Self::Name | Self::Person => text.chars().map(plain).collect(),
            Self::Any | Self::Suffix | Self::Alphanumeric | Self::Code | Self::Lines => text.to_owned(),
        }
    }

    /// The set of a name in a layout.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "any" => Self::Any,
            "name" => Self::Name,
            "person" => Self::Person,
            "suffix" => Self::Suffix,
            "alphanumeric" => Self::Alphanumeric,
            "code" => Self::Code,
            "lines" => Self::Lines,
            _ => return None,
        })
    }
}

/// The dash, apostrophe or space that every keyboard has, for the shapes that word processors and phones put in their place (Unicode names
/// them as such); any other character itself.
const fn plain(character: char) -> char {
    match character {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => '-',
        '\u{2018}'..='\u{201b}' | '\u{2bb}'..='\u{2bd}' | '\u{2c8}' | '\u{2032}' | '`' | '\u{b4}' | '\u{ff07}' => '\'',
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        other => other,
    }
}

impl FieldKind {
    /// Reads the `type` of a layout's field: `text`, `digits`, `digits at most`, `digits padded`, `session year`, `date MMDDYYYY`, `time`, `integer`, `decimal 2`,
    /// `boolean Y,1/N`, `boolean Y/*`, `constant X`, `filler`.
    pub(super) fn named(text: &str) -> Option<Self> {
        let (name, parameter) = text.split_once(' ').unwrap_or((text, ""));
        Some(match (name, parameter) {
            ("text", "") => Self::Text,
            ("digits", "") => Self::Digits(DigitCount::Exact),
            ("digits", "at most") => Self::Digits(DigitCount::AtMost),
            ("digits", "padded") => Self::Digits(DigitCount::Padded),
            ("session", "year") => Self::SessionYear,
            ("time", "") => Self::Time,
            ("integer", "") => Self::Integer,
            ("filler", "") => Self::Filler,
            ("date", form) => Self::Date(DateForm::ALL.into_iter().find(|f| f.name() == form)?),
            ("decimal", places) => Self::Decimal(places.parse().ok().filter(|n| *n <= 6)?),
            ("boolean", words) => Self::Boolean(boolean_words(words)?),
            ("constant", value) if !value.is_empty() => Self::Constant(value.to_owned()),
            _ => return None,
        })
    }

    /// The kind of value it becomes; `None` when it never becomes one.
    pub const fn value_kind(&self) -> Option<ValueKind> {
        Some(match self {
            Self::Text | Self::Digits(_) | Self::SessionYear | Self::Time => ValueKind::Text,
            Self::Date(_) => ValueKind::Date,
            Self::Integer => ValueKind::Integer,
            Self::Decimal(_) => ValueKind::Decimal,
            Self::Boolean(_) => ValueKind::Boolean,
            Self::Constant(_) | Self::Filler => return None,
        })
    }

    /// In words, for documentation.
    pub fn words(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Digits(DigitCount::Padded) => "digits, zeros before a shorter number".to_owned(),
            Self::Digits(_) => "digits".to_owned(),
            Self::SessionYear => "school year by both its years, as 20182019".to_owned(),
            Self::Date(form) => format!("date {}", form.name()),
            Self::Time => "time HH:MM".to_owned(),
            Self::Integer => "whole number".to_owned(),
            Self::Decimal(places) => format!("number, up to {places} decimals"),
            Self::Boolean(words) if words.no.is_empty() => {
                format!("{} for yes, anything else for no", words.yes.join(" or "))
            }
            Self::Boolean(words) => format!("{} for yes, {} for no", words.yes.join(" or "), words.no.join(" or ")),
            Self::Constant(value) => format!("always `{value}`"),
            Self::Filler => "blank".to_owned(),
        }
    }
}

fn boolean_words(text: &str) -> Option<BooleanWords> {
    let (yes, no) = text.split_once('/')?;
    let words = |list: &str| list.split(',').map(str::to_owned).collect::<Vec<_>>();
    if yes.is_empty() || no.is_empty() {
        return None;
    }
    Some(BooleanWords { yes: words(yes), no: if no == "*" { Vec::new() } else { words(no) } })
}
