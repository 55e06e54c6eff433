//! How agencies write people down: typing errors, nicknames, parts of surnames, swapped and mistyped dates.

use chrono::{Datelike, NaiveDate};

use super::World;
use super::dice::Dice;
use super::household::Child;

/// Letters with their neighbours on a keyboard.
const NEIGHBOURS: [(&str, &str); 12] = [
    ("a", "s"),
    ("e", "r"),
    ("i", "o"),
    ("o", "p"),
    ("u", "i"),
    ("n", "m"),
    ("s", "d"),
    ("t", "r"),
    ("l", "k"),
    ("c", "v"),
    ("d", "f"),
    ("r", "t"),
];

/// Names as some write them with their accents; the state writes them without.
const ACCENTS: [(&str, &str); 16] = [
    ("Garcia", "García"),
    ("Rodriguez", "Rodríguez"),
    ("Martinez", "Martínez"),
    ("Hernandez", "Hernández"),
    ("Lopez", "López"),
    ("Gonzalez", "González"),
    ("Perez", "Pérez"),
    ("Sanchez", "Sánchez"),
    ("Ramirez", "Ramírez"),
    ("Gomez", "Gómez"),
    ("Nunez", "Núñez"),
    ("Munoz", "Muñoz"),
    ("Jose", "José"),
    ("Jesus", "Jesús"),
    ("Sofia", "Sofía"),
    ("Andres", "Andrés"),
];

/// One typing error: two letters swapped, one left out, doubled, or the next key.
pub fn typo(name: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    if letters.len() < 3 {
        return name.to_owned();
    }
    // The first letter is seldom wrong.
    let at = 1 + dice.below(letters.len() - 2);
    match dice.weighted(&[0.3, 0.3, 0.2, 0.2]) {
        0 => letters.swap(at, at + 1),
        1 => {
            letters.remove(at);
        }
        2 => letters.insert(at, letters[at]),
        _ => {
            let old = letters[at].to_string();
            let near = NEIGHBOURS.iter().find(|(key, _)| *key == old);
            letters[at] = near.and_then(|(_, other)| other.chars().next()).unwrap_or('e');
        }
    }
    letters.into_iter().collect()
}

/// With its accents.
pub fn accented(name: &str) -> String {
    let found = ACCENTS.iter().find(|(plain, _)| *plain == name);
    found.map_or(name, |(_, accented)| accented).to_owned()
}

/// The last part of a surname of two.
pub fn last_part(name: &str) -> &str {
    name.rsplit(['-', ' ']).next().unwrap_or(name)
}

/// The first part of a surname of two.
pub fn first_part(name: &str) -> &str {
    name.split(['-', ' ']).next().unwrap_or(name)
}

/// Day and month swapped, where that gives a date.
pub fn swapped(birth: NaiveDate) -> NaiveDate {
    NaiveDate::from_ymd_opt(birth.year(), birth.day(), birth.month()).unwrap_or(birth)
}

/// One digit of the date mistyped or two transposed.
pub fn mistyped(birth: NaiveDate, dice: &mut Dice) -> NaiveDate {
    let (year, month, day) = (birth.year(), birth.month(), birth.day());
    let other = match dice.weighted(&[0.5, 0.2, 0.3]) {
        // The digits of the day transposed, or the next day.
        0 => {
            let transposed = day % 10 * 10 + day / 10;
            NaiveDate::from_ymd_opt(year, month, transposed).filter(|d| *d != birth).or(birth.succ_opt())
        }
        1 => NaiveDate::from_ymd_opt(year, month % 12 + 1, day),
        _ => NaiveDate::from_ymd_opt(year + if dice.chance(0.5) { 1 } else { -1 }, month, day),
    };
    other.unwrap_or(birth)
}

/// Two neighbouring digits transposed.
pub fn transposed(number: &str, dice: &mut Dice) -> String {
    let mut digits: Vec<char> = number.chars().collect();
    if digits.len() > 3 {
        let at = 1 + dice.below(digits.len() - 2);
        digits.swap(at, at + 1);
    }
    digits.into_iter().collect()
}

/// First, middle and last name as an agency has them, with what went wrong.
pub fn names(
    world: &World,
    child: &Child,
    as_of: NaiveDate,
    dice: &mut Dice,
    noise: &mut Vec<&'static str>,
) -> (String, String, String) {
    let mut first = child.first.clone();
    let mut last = child.last_on(as_of).to_owned();
    if child.renamed.is_some() && dice.chance(0.45) {
        last.clone_from(&child.last);
        noise.push("earlier_surname");
    } else if last.contains(['-', ' ']) && dice.chance(0.45) {
        let part = if dice.chance(0.6) { first_part(&last) } else { last_part(&last) };
        last = part.to_owned();
        noise.push("part_of_surname");
    } else if dice.chance(0.012) {
        last = world.names.surname(child.group, dice).to_owned();
        noise.push("other_surname");
    }
    if dice.chance(0.09)
        && let Some(nickname) = world.names.nickname(&first, dice)
    {
        nickname.clone_into(&mut first);
        noise.push("nickname");
    }
    if dice.chance(0.05) {
        last = typo(&last, dice);
        noise.push("typo_last");
    }
    if dice.chance(0.045) {
        first = typo(&first, dice);
        noise.push("typo_first");
    }
    if dice.chance(0.15) {
        (first, last) = (accented(&first), accented(&last));
    }
    let middle = match dice.weighted(&[0.35, 0.35, 0.30]) {
        0 => child.middle.clone(),
        1 => child.middle.chars().take(1).collect(),
        _ => String::new(),
    };
    (first, middle, last)
}

/// The birth date as an agency has it.
pub fn birth(child: &Child, dice: &mut Dice, noise: &mut Vec<&'static str>) -> NaiveDate {
    match dice.weighted(&[0.958, 0.014, 0.028]) {
        0 => child.birth,
        1 => {
            noise.push("swapped_date");
            swapped(child.birth)
        }
        _ => {
            noise.push("mistyped_date");
            mistyped(child.birth, dice)
        }
    }
}
