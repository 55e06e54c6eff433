//! Incidents and sanctions as ED166 reports them.

use chrono::{Days, NaiveDate};

use super::World;
use super::codes::{IncidentType, LOCATIONS, OFFENSES, Sanction};
use super::dice::Dice;
use super::household::Child;
use super::life::Life;
use super::places::{Grade, KINDERGARTEN, grade};

/// A sanction.
#[derive(Clone, Copy, Debug)]
pub struct Action {
    /// What.
    pub sanction: &'static Sanction,
    /// Days, in halves.
    pub half_days: u16,
    /// Days served, in halves.
    pub served: u16,
    /// Days carried over to the next year, in halves.
    pub carried: u16,
}

/// An incident and the child's part in it.
#[derive(Clone, Debug)]
pub struct Incident {
    /// The year of its fall.
    pub fall: i16,
    /// Reporting district.
    pub district: usize,
    /// School.
    pub school: usize,
    /// The district's number.
    pub identifier: u64,
    /// The state's number.
    pub state_number: u64,
    /// Its day.
    pub day: NaiveDate,
    /// Minutes after midnight.
    pub minute: u16,
    /// Where.
    pub location: &'static str,
    /// What, first and second type.
    pub kind: &'static IncidentType,
    /// Second type.
    pub second: Option<&'static IncidentType>,
    /// Bullying code.
    pub bullying: &'static str,
    /// Offender or participant.
    pub role: &'static str,
    /// Up to two sanctions.
    pub actions: Vec<Action>,
    /// When the sanction was decided.
    pub decided: NaiveDate,
    /// Education provided meanwhile.
    pub educated: bool,
    /// Arrested.
    pub arrested: bool,
    /// Expunged by a later file.
    pub expunged: bool,
    /// Days of the first sanction as first reported, in halves, when an appeal changed them.
    pub first_reported: Option<u16>,
}

/// The incidents of a life.
pub fn incidents(world: &World, child: &Child, life: &Life, dice: &mut Dice) -> Vec<Incident> {
    let mut all = Vec::new();
    for year in &life.years {
        let mean = expected(child, year.grade, year.fall);
        let shown = child.case.is_some_and(|case| case.expunged);
        let least = usize::from(shown && year.fall + 1 == world.last_fall);
        let count = dice.poisson(mean).clamp(least, 8);
        let calendar = world.calendar(year.fall);
        let mut days: Vec<NaiveDate> = (0..count)
            .map(|_| calendar.day(dice.below(calendar.days_in_session())))
            .filter(|day| *day + Days::new(10) <= world.as_of)
            .collect();
        days.sort_unstable();
        days.dedup();
        for day in days {
            let Some(stint) = year.on(day) else { continue };
            let number = all.len() as u64;
            let incident = incident(child, year.grade, number, dice);
            all.push(Incident {
                fall: year.fall,
                district: stint.district,
                school: stint.school,
                day,
                decided: day + Days::new(dice.between(0, 3) as u64),
                ..incident
            });
        }
    }
    if child.case.is_some_and(|case| case.expunged)
        && let Some(incident) = all.last_mut()
    {
        incident.expunged = true;
    }
    all
}

/// The expected number of reportable incidents in a year.
fn expected(child: &Child, at: Grade, fall: i16) -> f64 {
    let by_grade = match at {
        ..=KINDERGARTEN => 0.008,
        g if g <= grade(3) => 0.02,
        g if g <= grade(5) => 0.05,
        g if g == grade(6) => 0.12,
        g if g <= grade(8) => 0.19,
        g if g == grade(9) => 0.22,
        g if g == grade(10) => 0.18,
        _ => 0.12,
    };
    let period = match fall {
        2019 => 0.65,
        2020 => 0.12,
        2021 => 0.9,
        _ => 1.0,
    };
    // The few cause the many: the exponent is steep and the mean of its exponential is brought back to one.
    by_grade * period * (child.traits.conduct * 1.1 - 0.75).exp()
}

fn incident(child: &Child, at: Grade, number: u64, dice: &mut Dice) -> Incident {
    let young = at < grade(6);
    let weights: Vec<f64> = OFFENSES.iter().map(|o| o.weight * if young && o.older { 0.05 } else { 1.0 }).collect();
    let kind = &OFFENSES[dice.weighted(&weights)];
    let second =
        dice.chance(0.09).then(|| &OFFENSES[dice.weighted(&weights)]).filter(|second| second.code != kind.code);
    let actions = actions(kind, dice);
    let identifier = child.index * 64 + number;
    let appealed = actions.first().is_some_and(|a| a.half_days >= 4) && dice.chance(0.02);
    let suspended = actions.first().is_some_and(|a| a.half_days > 2);
    let first_reported = appealed.then(|| actions.first().map(|a| a.half_days + 4)).flatten();
    Incident {
        fall: 0,
        district: 0,
        school: 0,
        identifier,
        state_number: 4_000_000_000 + identifier,
        day: NaiveDate::MIN,
        minute: dice.between(7 * 60 + 30, 15 * 60) as u16,
        location: dice.word(&LOCATIONS),
        kind,
        second,
        bullying: if kind.bullying && dice.chance(0.3) { dice.word(&["02", "03"]) } else { "01" },
        role: if kind.shared && dice.chance(0.2) { "P" } else { "O" },
        actions,
        decided: NaiveDate::MIN,
        educated: suspended && dice.chance(0.8),
        arrested: kind.serious && at >= grade(6) && dice.chance(0.04),
        expunged: dice.chance(0.004),
        first_reported,
    }
}

fn actions(kind: &IncidentType, dice: &mut Dice) -> Vec<Action> {
    use super::codes::{BUS, EXPULSION, IN_SCHOOL, OUT_OF_SCHOOL};
    let mut actions = Vec::with_capacity(1);
    let mut action = |sanction: &'static Sanction, half_days: i64, dice: &mut Dice| {
        let half_days = half_days as u16;
        let carried = if sanction.code == EXPULSION.code && half_days > 120 { half_days / 3 } else { 0 };
        let remitted = if dice.chance(0.06) && half_days > 2 { 2 } else { 0 };
        actions.push(Action { sanction, half_days, served: half_days - carried - remitted, carried });
    };
    let weights = if kind.serious { [0.30, 0.56, 0.02, 0.02, 0.10] } else { [0.62, 0.26, 0.0, 0.06, 0.06] };
    match dice.weighted(&weights) {
        0 => action(&IN_SCHOOL, dice.between(1, 6), dice),
        1 => action(&OUT_OF_SCHOOL, dice.between(1, 10) * 2, dice),
        2 => {
            action(&OUT_OF_SCHOOL, 20, dice);
            action(&EXPULSION, dice.between(20, 180) * 2, dice);
        }
        3 => action(&BUS, dice.between(1, 5) * 2, dice),
        // A serious incident is reported whatever came of it.
        _ => {}
    }
    actions
}
