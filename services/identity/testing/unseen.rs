//! A second kind of noise, kept apart from the one the matcher was developed with: nothing in the matcher may ever be
//! tuned to it.
//!
//! Errors are made by other mechanisms than in `invented`: keys that lie beside each other, letters heard for each
//! other, fields cut to a width, accents lost, names run together, dates keyed with two figures changed round, dates
//! that stand for "unknown", households that share a phone's address book. Fifteen in a hundred clients are not in the
//! state's file while their brothers, sisters and twins are; three children in a hundred are twins; siblings live at
//! one address.

use chrono::{Datelike, NaiveDate};
use identity::{Address, Person, PersonName};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::invented::{Child, GROUPS, Invented, NamePool, Profile, Towns, families};

/// What was done to a client's record, as bits.
pub mod done {
    /// The surname is another one altogether (adoption, marriage of a parent).
    pub const OTHER_SURNAME: u16 = 1;
    /// Birth date, sex, ZIP or middle name is missing.
    pub const MISSING: u16 = 1 << 1;
    /// The birth date is wrong.
    pub const WRONG_DATE: u16 = 1 << 2;
    /// The first name is spelt otherwise.
    pub const FIRST_SPELT: u16 = 1 << 3;
    /// The surname is spelt otherwise.
    pub const LAST_SPELT: u16 = 1 << 4;
    /// The first name is a short or other form.
    pub const OTHER_FORM: u16 = 1 << 5;
    /// First and last name are in each other's place.
    pub const SWAPPED: u16 = 1 << 6;
    /// The family lives elsewhere now.
    pub const MOVED: u16 = 1 << 7;
    /// The birth date is missing or stands for "unknown".
    pub const NO_DATE: u16 = 1 << 8;
}

/// How the children of this noise live.
const PROFILE: Profile =
    Profile { noise: 1.0, absent: 0.15, moved: 0.25, streets: false, towns: true, years: (2003, 2020) };

/// Invents both files; gives what was done to each right row beside them.
pub fn invent(names: &NamePool, students: usize, clients: usize, seed: u64) -> (Invented, Vec<u16>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x0075_6e73_6565_6e00);
    let towns = Towns::new(&mut rng);
    let absent = (clients as f64 * PROFILE.absent) as usize;
    let children = families(names, &towns, students + absent, &mut rng, PROFILE);
    let order = rand::seq::index::sample(&mut rng, children.len(), children.len()).into_vec();
    let mut is_gone = vec![false; children.len()];
    order[..absent].iter().for_each(|at| is_gone[*at] = true);
    let mut left_of = vec![None; children.len()];
    let (mut left, mut left_child) = (Vec::with_capacity(students), Vec::with_capacity(students));
    for (at, child) in children.iter().enumerate().filter(|(at, _)| !is_gone[*at]) {
        left_of[at] = Some(left.len() as u32);
        left.push(state_record(child, &mut rng, format!("S{at}")));
        left_child.push(at as u32);
    }
    let mut chosen: Vec<usize> = order[..clients.min(order.len())].to_vec();
    let shuffled = rand::seq::index::sample(&mut rng, chosen.len(), chosen.len()).into_vec();
    chosen = shuffled.into_iter().map(|at| chosen[at]).collect();
    let (right, done): (Vec<_>, Vec<_>) = chosen
        .iter()
        .enumerate()
        .map(|(row, at)| client_record(&children[*at], names, &towns, &mut rng, format!("R{row}")))
        .unzip();
    let truth = chosen.iter().map(|at| left_of[*at]).collect();
    let right_child = chosen.iter().map(|at| *at as u32).collect();
    (Invented { left, right, truth, left_child, right_child, children }, done)
}

fn person(id: String, name: PersonName, birth: Option<NaiveDate>, [sex, race]: [&str; 2], home: Address) -> Person {
    Person {
        id,
        sasids: Vec::new(),
        names: vec![name],
        birth_dates: birth.into_iter().collect(),
        sex: Some(sex.to_owned()),
        race: Some(race.to_owned()),
        addresses: vec![home],
    }
}

/// A district clerk keys capitals, cuts names to a field's width, and keeps the legal name.
fn state_record(child: &Child, rng: &mut ChaCha8Rng, id: String) -> Person {
    let cut = |text: &str, width: usize| text.to_uppercase().chars().take(width).collect::<String>();
    let mut name = PersonName {
        first: cut(&child.first, 15),
        middle: cut(&child.middle, 15),
        last: cut(&child.last, 25),
        suffix: child.suffix.to_owned(),
    };
    if rng.random_bool(0.25) {
        name.middle = name.middle.chars().take(1).collect();
    } else if rng.random_bool(0.2) {
        name.middle.clear();
    }
    if rng.random_bool(0.004) {
        name.first = misheard(&name.first, rng);
    }
    if rng.random_bool(0.004) {
        name.last = misheard(&name.last, rng);
    }
    let birth = if rng.random_bool(0.003) { miskeyed(child.birth, rng) } else { child.birth };
    let race = if rng.random_bool(0.03) { "" } else { GROUPS[child.group].0 };
    person(id, name, Some(birth), [["F", "M"][child.sex], race], child.home.clone())
}

/// A caseworker writes what is said, on a screen or by hand.
fn client_record(child: &Child, names: &NamePool, towns: &Towns, rng: &mut ChaCha8Rng, id: String) -> (Person, u16) {
    let mut done = 0;
    let mut hit = |share: f64, bit: u16| {
        let is_hit = rng.random_bool(share);
        done |= if is_hit { bit } else { 0 };
        is_hit
    };
    let (other_surname, other_form) = (hit(0.03, done::OTHER_SURNAME), hit(0.05, done::OTHER_FORM));
    let (first_spelt, last_spelt) = (hit(0.03, done::FIRST_SPELT), hit(0.03, done::LAST_SPELT));
    let (wrong_date, no_date) = (hit(0.025, done::WRONG_DATE), hit(0.02, done::MISSING | done::NO_DATE));
    let (no_sex, no_zip, swapped) = (hit(0.03, done::MISSING), hit(0.05, done::MISSING), hit(0.004, done::SWAPPED));
    let moved = hit(PROFILE.moved, done::MOVED);
    let mut name = PersonName {
        first: child.first.clone(),
        middle: child.middle.clone(),
        last: one_surname(&child.last, rng),
        suffix: if rng.random_bool(0.5) { child.suffix.to_owned() } else { String::new() },
    };
    if other_form {
        other_form_of(&mut name, rng);
    }
    if first_spelt {
        name.first = if rng.random_bool(0.5) { misheard(&name.first, rng) } else { beside(&name.first, rng) };
    }
    if other_surname {
        names.surnames[child.group].draw(rng).clone_into(&mut name.last);
    }
    if last_spelt {
        name.last = if rng.random_bool(0.5) { misheard(&name.last, rng) } else { beside(&name.last, rng) };
    }
    match rng.random_range(0..10) {
        0..=3 => name.middle.clear(),
        4..=6 => name.middle = name.middle.chars().take(1).collect(),
        _ => {}
    }
    if swapped {
        std::mem::swap(&mut name.first, &mut name.last);
    }
    let birth = match (no_date, wrong_date) {
        (true, _) => rng.random_bool(0.5).then(|| NaiveDate::from_ymd_opt(1900, 1, 1)).flatten(),
        (_, true) => Some(miskeyed(child.birth, rng)),
        _ => Some(child.birth),
    };
    let sex = if no_sex { "" } else { ["F", "M"][if rng.random_bool(0.003) { 1 - child.sex } else { child.sex }] };
    let race = match rng.random_range(0..100) {
        0..=7 => "",
        8..=12 => GROUPS[rng.random_range(0..GROUPS.len())].0,
        _ => GROUPS[child.group].0,
    };
    let mut home = if moved { towns.home(child.group, rng, PROFILE) } else { child.home.clone() };
    if no_zip {
        home.zip.clear();
    }
    (person(id, name, birth, [sex, race], home), done)
}

/// A compound surname as an agency writes it: one part, both, run together, or cut.
fn one_surname(last: &str, rng: &mut ChaCha8Rng) -> String {
    let Some((first, second)) = last.split_once(['-', ' ']) else { return last.to_owned() };
    match rng.random_range(0..20) {
        0..=3 => first.to_owned(),
        4..=5 => second.to_owned(),
        6 => format!("{second}-{first}"),
        7 => format!("{first}{second}"),
        8 => format!("{first} {}", second.chars().take(1).collect::<String>()),
        _ => last.to_owned(),
    }
}

/// Another form of a first name: its beginning, with a diminutive ending, with the middle name, or the middle name.
fn other_form_of(name: &mut PersonName, rng: &mut ChaCha8Rng) {
    let letters = name.first.chars().count();
    let start = |count: usize| name.first.chars().take(count).collect::<String>();
    let form = match rng.random_range(0..10) {
        0..=3 if letters > 5 => start(4),
        4..=5 if letters > 4 => format!("{}y", start(3)),
        6 if letters > 4 => format!("{}ie", start(4)),
        7 if !name.middle.is_empty() => format!("{} {}", name.first, std::mem::take(&mut name.middle)),
        8 if !name.middle.is_empty() => std::mem::take(&mut name.middle),
        9 => start(1),
        _ => name.first.clone(),
    };
    name.first = form;
}

/// A word as it is heard: sounds that are written in two ways change places.
fn misheard(text: &str, rng: &mut ChaCha8Rng) -> String {
    const ALIKE: [(&str, &str); 16] = [
        ("ph", "f"),
        ("ck", "k"),
        ("c", "k"),
        ("ie", "y"),
        ("y", "ie"),
        ("ee", "ea"),
        ("ll", "l"),
        ("l", "ll"),
        ("nn", "n"),
        ("n", "nn"),
        ("s", "z"),
        ("z", "s"),
        ("ai", "ay"),
        ("sh", "ch"),
        ("v", "b"),
        ("h", ""),
    ];
    let lower = text.to_lowercase();
    let from = rng.random_range(0..ALIKE.len());
    let found = (0..ALIKE.len())
        .map(|step| ALIKE[(from + step) % ALIKE.len()])
        .find(|(sound, _)| lower.char_indices().skip(1).any(|(at, _)| lower[at..].starts_with(sound)));
    let Some((sound, other)) = found else { return text.to_owned() };
    let at = lower.char_indices().skip(1).map(|(at, _)| at).find(|at| lower[*at..].starts_with(sound));
    at.map_or_else(|| text.to_owned(), |at| format!("{}{other}{}", &lower[..at], &lower[at + sound.len()..]))
}

/// A word with one key hit beside the right one, or one letter struck twice.
fn beside(text: &str, rng: &mut ChaCha8Rng) -> String {
    const ROWS: [&str; 3] = ["qwertyuiop", "asdfghjkl", "zxcvbnm"];
    let mut letters: Vec<char> = text.chars().collect();
    if letters.len() < 3 {
        return text.to_owned();
    }
    let at = rng.random_range(1..letters.len());
    let key = letters[at].to_ascii_lowercase();
    let neighbour = ROWS.iter().find_map(|row| {
        let place = row.find(key)?;
        row.chars().nth(if place == 0 || rng.random_bool(0.5) { place + 1 } else { place - 1 })
    });
    match neighbour {
        Some(other) if rng.random_bool(0.7) => letters[at] = other,
        _ => letters.insert(at, letters[at]),
    }
    letters.into_iter().collect()
}

/// A date as it is miskeyed: two figures changed round, one beside the right one, day for month, or a default.
fn miskeyed(date: NaiveDate, rng: &mut ChaCha8Rng) -> NaiveDate {
    let mut figures: Vec<u8> = format!("{:04}{:02}{:02}", date.year(), date.month(), date.day()).into_bytes();
    let changed = match rng.random_range(0..10) {
        0..=3 => {
            let at = rng.random_range(2..7);
            figures.swap(at, at + 1);
            parse(&figures)
        }
        4..=6 => {
            let at = rng.random_range(3..8);
            figures[at] = if figures[at] == b'0' { b'1' } else { figures[at] - 1 };
            parse(&figures)
        }
        7 => NaiveDate::from_ymd_opt(date.year(), date.day(), date.month()),
        8 => NaiveDate::from_ymd_opt(date.year(), 1, 1),
        _ => NaiveDate::from_ymd_opt(date.year(), date.month(), rng.random_range(1..=28)),
    };
    changed.unwrap_or(date)
}

fn parse(figures: &[u8]) -> Option<NaiveDate> {
    let number = |from: usize, to: usize| figures[from..to].iter().fold(0_i32, |sum, f| sum * 10 + i32::from(f - b'0'));
    NaiveDate::from_ymd_opt(number(0, 4), number(4, 6) as u32, number(6, 8) as u32)
}
