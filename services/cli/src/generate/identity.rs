//! The state's identifiers of a child, and what the state has wrong about it.

use chrono::{Days, NaiveDate};

use super::World;
use super::dice::Dice;
use super::household::Child;
use super::life::{Life, Opens};

/// SASIDs kept apart for each child.
const PER_CHILD: u64 = 4;

/// Identifiers of a child over the years.
#[derive(Clone, Debug)]
pub struct Identity {
    /// SASIDs with the fall of the first school year they were used in.
    pub sasids: Vec<(i16, String)>,
    /// A birth date reported wrongly before a fall, and corrected in that school year.
    pub misreported: Option<(NaiveDate, i16)>,
}

/// The SASID a child gets first.
pub fn first_sasid(world: &World, index: u64) -> String {
    world.sasids.at(index * PER_CHILD).to_string()
}

/// Draws the identifiers of a child.
pub fn identity(world: &World, child: &Child, life: &Life, dice: &mut Dice) -> Identity {
    let mut sasids = vec![(i16::MIN, first_sasid(world, child.index))];
    let second = || world.sasids.at(child.index * PER_CHILD + 1).to_string();
    let borrowed = match child.case {
        Some(case) => case.borrowed_sasid,
        None => child.twin && dice.chance(0.01),
    };
    if borrowed && child.index > 0 {
        // The first two years under the elder twin's, then its own.
        let own = life.years.get(2).map_or(i16::MAX, |year| year.fall);
        let (_, mine) = sasids.swap_remove(0);
        sasids = vec![(i16::MIN, first_sasid(world, child.index - 1)), (own, mine)];
    } else if let Some(fall) = duplicate(world, child, life, dice) {
        sasids.push((fall, second()));
    }
    let misreported = (child.case.is_none() && dice.chance(0.004))
        .then(|| {
            let from = life.years.get(dice.below(life.years.len()))?.fall;
            let wrong = if dice.chance(0.5) {
                child.birth + Days::new(dice.between(1, 9) as u64)
            } else {
                child.birth - Days::new(30)
            };
            Some((wrong, from))
        })
        .flatten();
    Identity { sasids, misreported }
}

/// The fall from which a second SASID is used: a district did not find the child and registered it anew.
fn duplicate(world: &World, child: &Child, life: &Life, dice: &mut Dice) -> Option<i16> {
    if let Some(case) = child.case {
        return case.second_sasid.map(|ago| world.last_fall - ago);
    }
    if !dice.chance(0.012) {
        return None;
    }
    let anew: Vec<i16> = life
        .years
        .iter()
        .skip(1)
        .filter(|y| y.stints.first().is_some_and(|s| s.opens == Opens::Registered))
        .map(|y| y.fall)
        .collect();
    dice.pick(&anew).copied()
}

impl Identity {
    /// The SASID used in a school year.
    pub fn sasid(&self, fall: i16) -> &str {
        self.sasids.iter().rev().find(|(from, _)| *from <= fall).map_or("", |(_, sasid)| sasid)
    }

    /// The SASID used last.
    pub fn latest(&self) -> &str {
        self.sasids.last().map_or("", |(_, sasid)| sasid)
    }

    /// The birth date as reported in a school year.
    pub fn birth(&self, child: &Child, fall: i16) -> NaiveDate {
        match self.misreported {
            Some((wrong, corrected)) if fall < corrected => wrong,
            _ => child.birth,
        }
    }
}
