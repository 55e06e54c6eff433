//! Streets, towns and ZIP codes.

use super::fold;

/// A street address taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Street {
    /// House number as written, or a box number; empty when there is none.
    pub house: String,
    /// Name of the street without type, direction words spelled short, no spaces.
    pub name: String,
}

const TYPES: &[&str] = &[
    "ST",
    "STREET",
    "AVE",
    "AVENUE",
    "AV",
    "RD",
    "ROAD",
    "DR",
    "DRIVE",
    "LN",
    "LANE",
    "CT",
    "COURT",
    "PL",
    "PLACE",
    "BLVD",
    "BOULEVARD",
    "CIR",
    "CIRCLE",
    "TER",
    "TERRACE",
    "WAY",
    "HWY",
    "HIGHWAY",
    "PKWY",
    "PARKWAY",
    "SQ",
    "SQUARE",
    "TRL",
    "TRAIL",
    "CRES",
    "CRESCENT",
    "CL",
    "CLOSE",
    "XING",
    "CROSSING",
    "EXT",
    "TPKE",
    "TURNPIKE",
    "RUN",
    "ROW",
    "LOOP",
    "PASS",
    "PATH",
    "ALY",
    "ALLEY",
];
const UNITS: &[&str] = &[
    "APT",
    "APARTMENT",
    "UNIT",
    "STE",
    "SUITE",
    "FL",
    "FLR",
    "FLOOR",
    "RM",
    "ROOM",
    "LOT",
    "TRLR",
    "BLDG",
    "BSMT",
    "REAR",
];

fn canonical(word: &str) -> &str {
    match word {
        "NORTH" => "N",
        "SOUTH" => "S",
        "EAST" => "E",
        "WEST" => "W",
        "SAINT" => "ST",
        "MOUNT" => "MT",
        "FORT" => "FT",
        "FIRST" => "1ST",
        "SECOND" => "2ND",
        "THIRD" => "3RD",
        "FOURTH" => "4TH",
        "FIFTH" => "5TH",
        "SIXTH" => "6TH",
        "SEVENTH" => "7TH",
        "EIGHTH" => "8TH",
        "NINTH" => "9TH",
        "TENTH" => "10TH",
        other => other,
    }
}

/// `12B North Main Street, Apt 4` is house `12B` of `NMAIN`.
pub(crate) fn parse_street(raw: &str) -> Street {
    let folded = fold(raw);
    let mut words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty()).collect();
    if let Some(cut) = words.iter().position(|word| UNITS.contains(word)).filter(|at| *at > 0) {
        words.truncate(cut);
    }
    let post_box = match words.as_slice() {
        ["PO", "BOX", number, ..] | ["P", "O", "BOX", number, ..] | ["POBOX" | "BOX", number, ..] => Some(*number),
        _ => None,
    };
    if let Some(number) = post_box {
        return Street { house: number.to_owned(), name: "POBOX".to_owned() };
    }
    let numbered =
        words.len() > 1 && words[0].starts_with(|letter: char| letter.is_ascii_digit()) && !is_ordinal(words[0]);
    let house = if numbered { words.remove(0).to_owned() } else { String::new() };
    // The last type word ends the name; what follows is a unit or a direction.
    if let Some(at) = words.iter().rposition(|word| TYPES.contains(word)).filter(|at| *at > 0) {
        let direction = words.get(at + 1).copied().map(canonical).filter(|word| matches!(*word, "N" | "S" | "E" | "W"));
        words.truncate(at);
        words.extend(direction);
    }
    Street { house, name: words.iter().map(|word| canonical(word)).collect() }
}

fn is_ordinal(word: &str) -> bool {
    ["ST", "ND", "RD", "TH"].iter().any(|end| word.len() > 2 && word.ends_with(end))
}

/// A town as one comparable word; empty when missing.
pub(crate) fn parse_town(raw: &str) -> String {
    let folded = fold(raw);
    match folded.as_str() {
        "UNKNOWN" | "UNK" | "HOMELESS" | "NONE" | "OUT OF STATE" => String::new(),
        _ => folded.split(' ').map(canonical).collect(),
    }
}

/// The five-digit ZIP. A leading zero lost by a spreadsheet is put back, a `+4` is ignored.
pub(crate) fn parse_zip(raw: &str) -> Option<u32> {
    let digits: Vec<u8> = raw.trim().bytes().take_while(u8::is_ascii_digit).take(6).collect();
    let wanted = match digits.len() {
        3..=5 => digits.as_slice(),
        6 => &digits[..5],
        _ => return None,
    };
    let zip = wanted.iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    (!matches!(zip, 0 | 99_999)).then_some(zip)
}
