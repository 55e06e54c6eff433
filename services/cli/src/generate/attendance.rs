//! Days of membership and attendance: a trait of the child, shocks, and the year.

use super::World;
use super::dice::Dice;
use super::household::Child;
use super::life::{Life, Program, Year};
use super::places::{KINDERGARTEN, grade};

/// A child's days at one school of one district in one school year.
#[derive(Clone, Debug)]
pub struct Attendance {
    /// The year of its fall.
    pub fall: i16,
    /// Reporting district.
    pub district: usize,
    /// Facility 1.
    pub school: usize,
    /// Days of membership.
    pub days: u16,
    /// Days attended.
    pub attended: u16,
    /// Days attended as first reported, when a later file corrected them.
    pub first_reported: Option<u16>,
}

/// The attendance of a life, through the years that are over.
pub fn attendance(world: &World, child: &Child, life: &Life, dice: &mut Dice) -> Vec<Attendance> {
    let mut all: Vec<Attendance> = Vec::with_capacity(life.years.len());
    let mut mood = 0.0;
    for year in &life.years {
        mood = mood * 0.5 + dice.normal() * 0.45;
        let shock = if dice.chance(0.035) { 1.3 } else { 0.0 };
        let calendar = world.calendar(year.fall);
        if calendar.last > world.as_of {
            break;
        }
        let absent = share_absent(world, child, year, mood + shock);
        let first = all.len();
        for stint in &year.stints {
            let days = calendar.days_between(stint.from, stint.to);
            let kept_in = matches!(stint.program, Program::Detention | Program::ChildWelfare);
            let share = if kept_in { 0.02 } else { absent };
            let attended = days - missed(days, share, dice);
            let same = all[first..].iter_mut().find(|a| a.district == stint.district && a.school == stint.school);
            match same {
                Some(entry) => {
                    entry.days += days;
                    entry.attended += attended;
                }
                None => all.push(Attendance {
                    fall: year.fall,
                    district: stint.district,
                    school: stint.school,
                    days,
                    attended,
                    first_reported: None,
                }),
            }
        }
        let forced = child.case.is_some_and(|case| case.corrected_attendance) && year.fall == world.last_fall - 1;
        for entry in &mut all[first..] {
            if entry.days > 20 && (forced || dice.chance(0.01)) {
                let off = dice.between(2, 15) as u16;
                entry.first_reported = Some(entry.attended.saturating_sub(off));
            }
        }
    }
    all.retain(|a| a.days > 0);
    all
}

/// The expected share of days absent.
fn share_absent(world: &World, child: &Child, year: &Year, mood: f64) -> f64 {
    let town = year.stints.first().map_or(child.town, |s| s.town);
    let usual = 1.0 - world.places.towns[town].attendance;
    // The published rates of 2022-23 are those of a bad year.
    let base = (usual * 0.60).max(0.02);
    let grade_effect = match year.grade {
        ..=KINDERGARTEN => 1.25,
        g if (grade(1)..=grade(5)).contains(&g) => 0.85,
        g if g <= grade(8) => 0.95,
        g if g == grade(12) => 1.5,
        _ => 1.25,
    };
    let period = match year.fall {
        2020 => 1.33,
        2021 => 1.69,
        2022 => 1.48,
        2023 => 1.37,
        2024 => 1.28,
        2025.. => 1.20,
        _ => 1.0,
    };
    let trait_effect = (child.traits.absence * 0.62 + mood * 0.5 - 0.25).exp();
    let homeless = if year.homeless.is_some() { 1.8 } else { 1.0 };
    (base * grade_effect * period * trait_effect * homeless).clamp(0.0, 0.85)
}

/// Days missed: about binomial, illness comes in runs so a little wider.
fn missed(days: u16, share: f64, dice: &mut Dice) -> u16 {
    let days_f = f64::from(days);
    let spread = (days_f * share * (1.0 - share)).sqrt() * 1.3;
    (days_f * share + dice.normal() * spread).round().clamp(0.0, days_f) as u16
}

/// The state's flag: missing ten per cent of the days or more.
pub const fn chronic(attended: u16, days: u16) -> bool {
    attended as u32 * 10 <= days as u32 * 9
}
