//! Names people have, drawn as often as people have them.

use anyhow::Context;
use chrono::Datelike;

use super::dice::{Cumulative, Dice};

const SURNAMES: &str = include_str!("tables/surnames.csv");
const FIRST_NAMES: &str = include_str!("tables/first_names.csv");
const NICKNAMES: &str = include_str!("tables/nicknames.csv");
const STREETS: &str = include_str!("tables/streets.csv");

/// Groups that names go with: white, black, Hispanic, Asian.
pub const GROUPS: usize = 4;

/// Sex as the state codes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
    /// Non-binary, permitted in later years.
    NonBinary,
}

impl Sex {
    /// The state's letter.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Female => "F",
            Self::Male => "M",
            Self::NonBinary => "N",
        }
    }
}

#[derive(Debug, Default)]
struct Pool {
    names: Vec<&'static str>,
    sums: Cumulative,
}

impl Pool {
    fn push(&mut self, name: &'static str, weight: &str) -> anyhow::Result<()> {
        if !weight.is_empty() {
            let weight = weight.parse().context("a name's weight")?;
            self.names.push(name);
            self.sums.push(weight);
        }
        Ok(())
    }

    fn draw(&self, dice: &mut Dice) -> &'static str {
        self.names.get(self.sums.draw(dice)).copied().unwrap_or("Doe")
    }
}

/// The tables of names.
#[derive(Debug, Default)]
pub struct Names {
    surnames: [Pool; GROUPS],
    female: [Pool; GROUPS],
    male: [Pool; GROUPS],
    streets: Pool,
    nicknames: Vec<(&'static str, Vec<&'static str>)>,
}

impl Names {
    /// Reads the tables.
    pub fn load() -> anyhow::Result<Self> {
        let mut names = Self::default();
        for line in SURNAMES.lines().skip(1) {
            let mut cells = line.split(',');
            let name = cells.next().context("a surname")?;
            for (pool, weight) in names.surnames.iter_mut().zip(cells) {
                pool.push(name, weight)?;
            }
        }
        for line in FIRST_NAMES.lines().skip(1) {
            let mut cells = line.split(',');
            let name = cells.next().context("a first name")?;
            let pools = match cells.next() {
                Some("F") => &mut names.female,
                _ => &mut names.male,
            };
            for (pool, weight) in pools.iter_mut().zip(cells) {
                pool.push(name, weight)?;
            }
        }
        for line in STREETS.lines().skip(1) {
            let (name, weight) = line.split_once(',').context("a street")?;
            names.streets.push(name, weight)?;
        }
        for line in NICKNAMES.lines().skip(1) {
            let (name, short) = line.split_once(',').context("a nickname")?;
            names.nicknames.push((name, short.split(' ').collect()));
        }
        Ok(names)
    }

    /// A surname of a group.
    pub fn surname(&self, group: usize, dice: &mut Dice) -> &'static str {
        self.surnames[group % GROUPS].draw(dice)
    }

    /// A surname as families form them: some two-part, some hyphenated.
    pub fn family_surname(&self, group: usize, dice: &mut Dice) -> String {
        const HISPANIC: usize = 2;
        let first = self.surname(group, dice);
        let two_part = if group == HISPANIC { 0.14 } else { 0.004 };
        let hyphenated = if group == HISPANIC { 0.05 } else { 0.025 };
        if dice.chance(two_part) {
            format!("{first} {}", self.surname(group, dice))
        } else if dice.chance(hyphenated) {
            format!("{first}-{}", self.surname(group, dice))
        } else {
            first.to_owned()
        }
    }

    /// A first name.
    pub fn first(&self, group: usize, sex: Sex, dice: &mut Dice) -> &'static str {
        let female = match sex {
            Sex::Female => true,
            Sex::Male => false,
            Sex::NonBinary => dice.chance(0.5),
        };
        let pools = if female { &self.female } else { &self.male };
        pools[group % GROUPS].draw(dice)
    }

    /// A house number and street.
    pub fn street(&self, dice: &mut Dice) -> String {
        let kind = dice.word(&["Street", "Street", "Street", "Avenue", "Road", "Road", "Lane", "Drive"]);
        let number = dice.between(1, 480);
        format!("{number} {} {kind}", self.streets.draw(dice))
    }

    /// A name friends use for a first name, if there is one.
    pub fn nickname(&self, first: &str, dice: &mut Dice) -> Option<&'static str> {
        let place = self.nicknames.binary_search_by(|(name, _)| (*name).cmp(first)).ok()?;
        let (_, short) = self.nicknames.get(place)?;
        dice.pick(short).copied()
    }
}

/// The generation suffix of a son named after his father.
pub fn suffix(sex: Sex, birth: chrono::NaiveDate, dice: &mut Dice) -> &'static str {
    if sex != Sex::Male || !dice.chance(0.03) {
        return "";
    }
    // The fashion of the year has nothing to do with it; any cut of the calendar does.
    if birth.day().is_multiple_of(4) { dice.word(&["II", "III", "IV"]) } else { "Jr" }
}

#[cfg(test)]
mod tests {
    use super::super::dice::Purpose;
    use super::*;

    #[test]
    fn names_are_letters_and_the_permitted_marks() {
        let names = Names::load().expect("tables");
        let mut dice = Dice::new(1, Purpose::Person, 1);
        for _ in 0..2_000 {
            let group = dice.below(GROUPS);
            for name in [names.family_surname(group, &mut dice), names.first(group, Sex::Female, &mut dice).to_owned()]
            {
                let permitted = |c: char| c.is_ascii_alphabetic() || matches!(c, '-' | '.' | ' ' | '\'');
                assert!(!name.is_empty() && name.len() <= 35 && name.chars().all(permitted), "{name}");
            }
        }
        assert!(names.nickname("William", &mut dice).is_some());
    }
}
