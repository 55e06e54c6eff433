//! From what a file says to what can be compared: case, diacritics, punctuation, particles, suffixes, addresses, dates.
//!
//! Everything here is a pure function of one field. Nothing is guessed: a placeholder becomes "missing", and missing
//! is no evidence.

use chrono::{Datelike, NaiveDate};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

mod address;

pub(crate) use address::{parse_street, parse_town, parse_zip};

/// Words of one name that are compared one by one; further ones only count in the joined form.
pub(crate) const WORDS_MAX: usize = 4;
/// Letters of a word that are compared.
const LETTERS_MAX: usize = 64;

/// A name taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ParsedName {
    /// All letters without spaces or hyphens; empty when there is no name.
    pub joined: String,
    /// The parts, a particle joined to its word (`DELACRUZ`), followed by the bare words of such parts (`CRUZ`).
    pub words: Vec<String>,
    /// A generation suffix found among the words.
    pub suffix: Suffix,
}

/// Generation suffix.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Suffix {
    #[default]
    None,
    Junior,
    Senior,
    Second,
    Third,
    Fourth,
}

impl Suffix {
    /// Whether both may be one person's: JR and II are used for each other.
    pub(crate) fn agrees(self, other: Self) -> bool {
        self == other || matches!((self, other), (Self::Junior, Self::Second) | (Self::Second, Self::Junior))
    }
}

/// Uppercase letters and digits with single spaces between words. Diacritics go, apostrophes join, the rest separates.
pub(crate) fn fold(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    if raw.is_ascii() {
        raw.bytes().for_each(|byte| push_folded(&mut out, char::from(byte)));
    } else {
        raw.nfkd().filter(|letter| !is_combining_mark(*letter)).for_each(|letter| push_folded(&mut out, letter));
    }
    out.truncate(out.trim_end().len());
    out
}

fn push_folded(out: &mut String, letter: char) {
    match letter {
        '\'' | '`' | '´' | '‘' | '’' | 'ʻ' | 'ʼ' | '\u{200b}' | '\u{feff}' | '\u{ad}' => {}
        'a'..='z' => out.push(letter.to_ascii_uppercase()),
        'A'..='Z' | '0'..='9' => out.push(letter),
        'ß' | 'ẞ' => out.push_str("SS"),
        'æ' | 'Æ' => out.push_str("AE"),
        'œ' | 'Œ' => out.push_str("OE"),
        'ø' | 'Ø' => out.push('O'),
        'đ' | 'Đ' | 'ð' | 'Ð' => out.push('D'),
        'ł' | 'Ł' => out.push('L'),
        'þ' | 'Þ' => out.push_str("TH"),
        'ı' => out.push('I'),
        other if other.is_alphanumeric() => out.extend(other.to_uppercase()),
        _ if out.is_empty() || out.ends_with(' ') => {}
        _ => out.push(' '),
    }
}

const NO_NAME: &[&str] = &[
    "UNKNOWN",
    "UNK",
    "UNKN",
    "NONE",
    "NOT REPORTED",
    "NOT PROVIDED",
    "NOT AVAILABLE",
    "NOT APPLICABLE",
    "NO NAME",
    "NO NAME GIVEN",
    "NO FIRST NAME",
    "NO LAST NAME",
    "NO MIDDLE NAME",
    "NFN",
    "NLN",
    "NMN",
    "NMI",
    "FNU",
    "LNU",
    "BABY BOY",
    "BABY GIRL",
    "BABYBOY",
    "BABYGIRL",
    "INFANT",
    "XX",
    "XXX",
    "XXXX",
];
const TITLES: &[&str] = &["MR", "MRS", "MS", "MISS", "DR"];
/// Particles whose word also stands alone: a DE LA CRUZ is a CRUZ in many files.
const LOOSE_PARTICLES: &[&str] = &[
    "DE", "LA", "LAS", "LOS", "DEL", "DELA", "DI", "DA", "DAS", "DO", "DOS", "DU", "DELLA", "VAN", "VON", "DER", "DEN",
    "TER", "TEN", "AL", "EL", "BIN", "IBN", "ABU", "SAN", "SANTA", "LE",
];
/// Particles that make another name of the word: a MCDONALD is no DONALD.
const TIGHT_PARTICLES: &[&str] = &["MC", "MAC", "O", "D", "ST", "SAINT", "FITZ"];
const CONJUNCTIONS: &[&str] = &["Y", "E", "I"];

/// A first or middle name.
pub(crate) fn parse_given(raw: &str) -> ParsedName {
    let folded = letters_only(raw);
    let mut words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty()).collect();
    if words.len() > 1 && TITLES.contains(&words[0]) {
        words.remove(0);
    }
    let suffix = take_suffix(&mut words);
    name_of(words.iter().map(|word| (*word).to_owned()).collect(), Vec::new(), suffix)
}

/// A surname: particles joined, compound names in parts, a trailing suffix split off.
pub(crate) fn parse_surname(raw: &str) -> ParsedName {
    let folded = letters_only(raw);
    let mut words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty()).collect();
    let suffix = take_suffix(&mut words);
    let (mut parts, mut bare) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < words.len() {
        let start = at;
        while at + 1 < words.len() && (LOOSE_PARTICLES.contains(&words[at]) || TIGHT_PARTICLES.contains(&words[at])) {
            at += 1;
        }
        let conjunction = start == at && start > 0 && at + 1 < words.len() && CONJUNCTIONS.contains(&words[at]);
        if !conjunction {
            parts.push(words[start..=at].concat());
            if at > start && LOOSE_PARTICLES.contains(&words[at - 1]) && words[at].len() > 2 {
                bare.push(words[at].to_owned());
            }
        }
        at += 1;
    }
    name_of(parts, bare, suffix)
}

fn name_of(mut parts: Vec<String>, bare: Vec<String>, suffix: Suffix) -> ParsedName {
    let mut joined = parts.concat();
    truncate(&mut joined);
    parts.extend(bare);
    parts.truncate(WORDS_MAX);
    parts.iter_mut().for_each(truncate);
    ParsedName { joined, words: parts, suffix }
}

fn truncate(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LETTERS_MAX) {
        text.truncate(end);
    }
}

/// Folds, drops digits, and knows the texts that stand for "no name".
fn letters_only(raw: &str) -> String {
    let mut folded = fold(raw);
    if folded.bytes().any(|byte| byte.is_ascii_digit())
        && parse_suffix(folded.rsplit(' ').next().unwrap_or("")) == Suffix::None
    {
        folded.retain(|letter| !letter.is_ascii_digit());
    }
    if NO_NAME.contains(&folded.as_str()) {
        folded.clear();
    }
    folded
}

fn take_suffix(words: &mut Vec<&str>) -> Suffix {
    match words.last() {
        Some(last) if words.len() > 1 => {
            let suffix = parse_suffix(last);
            if suffix != Suffix::None {
                words.pop();
            }
            suffix
        }
        _ => Suffix::None,
    }
}

/// A suffix column, or a last word that may be a suffix.
pub(crate) fn parse_suffix(raw: &str) -> Suffix {
    match fold(raw).as_str() {
        "JR" | "JNR" | "JUNIOR" => Suffix::Junior,
        "SR" | "SNR" | "SENIOR" => Suffix::Senior,
        "II" | "2ND" => Suffix::Second,
        "III" | "3RD" => Suffix::Third,
        "IV" | "4TH" => Suffix::Fourth,
        _ => Suffix::None,
    }
}

/// `M`, `F`, `X`, or nothing.
pub(crate) fn parse_sex(raw: &str) -> Option<u8> {
    match fold(raw).as_str() {
        "M" | "MALE" | "BOY" => Some(b'M'),
        "F" | "FEMALE" | "GIRL" => Some(b'F'),
        "X" | "N" | "NB" | "NONBINARY" | "NON BINARY" => Some(b'X'),
        _ => None,
    }
}

/// A state-assigned student id as a number to compare: leading zeros do not count, as agencies drop them.
pub(crate) fn parse_sasid(raw: &str) -> Option<u64> {
    let compact: String = fold(raw).chars().filter(|letter| *letter != ' ').collect();
    let digits = compact.trim_start_matches('0');
    if digits.is_empty() || (digits.len() > 3 && digits.bytes().all(|byte| byte == b'9')) {
        return None;
    }
    if NO_NAME.contains(&compact.as_str()) || matches!(compact.as_str(), "NA" | "NULL" | "PENDING") {
        return None;
    }
    match digits.parse::<u64>() {
        Ok(number) if number < 1 << 63 => Some(number),
        _ => Some(crate::hash::text_hash(digits.as_bytes()) | 1 << 63),
    }
}

/// A birth date as the number `yyyymmdd`.
pub(crate) type DateCode = u32;

/// What a birth date field held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BirthDate {
    Missing,
    /// A date that stands for "unknown" in many systems.
    Placeholder,
    Invalid,
    Known(DateCode),
}

/// A birth date written `YYYY-MM-DD`.
pub(crate) fn parse_birth_date(raw: &str) -> BirthDate {
    let text = raw.trim();
    if text.is_empty() {
        return BirthDate::Missing;
    }
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shaped {
        return BirthDate::Invalid;
    }
    let number =
        |from: usize, to: usize| bytes[from..to].iter().fold(0_u32, |sum, byte| sum * 10 + u32::from(byte - b'0'));
    match NaiveDate::from_ymd_opt(number(0, 4) as i32, number(5, 7), number(8, 10)) {
        Some(date) => known_date(date),
        None if text == "0000-00-00" => BirthDate::Placeholder,
        None => BirthDate::Invalid,
    }
}

/// A date to compare, unless it is one that only stands for "unknown".
pub(crate) fn known_date(date: NaiveDate) -> BirthDate {
    match (date.year(), date.month(), date.day()) {
        (..=1901, 1, 1) | (9999, ..) | (1899, 12, 30..) => BirthDate::Placeholder,
        (1850..=2150, month, day) => BirthDate::Known(date.year() as u32 * 10_000 + month * 100 + day),
        _ => BirthDate::Invalid,
    }
}

#[cfg(test)]
mod tests;
