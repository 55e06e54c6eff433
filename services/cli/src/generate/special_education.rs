//! Special education and section 504: from the first plan on, year by year.

use chrono::{Datelike, Days, NaiveDate};

use super::World;
use super::calendar::date;
use super::dice::Dice;
use super::household::Child;
use super::life::{Life, Year};
use super::places::{Grade, Sector, grade};

/// Kinds of plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanKind {
    /// An individualized education program.
    Iep,
    /// Section 504.
    Section504,
}

/// A disability: the state's code, how often it is the first one, least and greatest weekly hours, related services.
#[derive(Clone, Copy, Debug)]
pub struct Disability {
    /// Code.
    pub code: &'static str,
    /// Weight among children identified before kindergarten, and later.
    pub weights: [f64; 2],
    /// Weekly hours of special education, least and most.
    pub hours: [f64; 2],
    /// Related services by place among the state's flags, each with its probability.
    pub services: &'static [(usize, f64)],
    /// Chance that a year is the last with a plan.
    pub exits: f64,
}

/// How many related services the state has flags for, from counseling to transportation.
pub const SERVICES: usize = 11;

/// Disabilities by place; the second one is the commonest of adolescents with plans under section 504, too.
pub const DISABILITIES: [Disability; 12] = [
    disability("08", [0.01, 0.40], [2.5, 11.0], &[(9, 0.2), (0, 0.1)], 0.035),
    disability("14", [0.01, 0.20], [2.0, 10.0], &[(0, 0.3), (8, 0.3), (4, 0.1)], 0.04),
    disability("03", [0.30, 0.14], [0.5, 2.5], &[(9, 1.0)], 0.20),
    disability("11", [0.15, 0.08], [5.0, 26.0], &[(9, 0.8), (4, 0.5), (8, 0.3), (10, 0.3)], 0.008),
    disability("05", [0.01, 0.08], [4.0, 27.0], &[(0, 0.8), (8, 0.7), (5, 0.3), (10, 0.3)], 0.03),
    disability("01", [0.02, 0.03], [14.0, 29.0], &[(9, 0.7), (4, 0.5), (10, 0.6)], 0.002),
    disability("13", [0.40, 0.00], [3.0, 14.0], &[(9, 0.7), (4, 0.5)], 0.06),
    disability("10", [0.02, 0.02], [18.0, 30.0], &[(9, 0.7), (4, 0.8), (7, 0.6), (10, 0.9)], 0.001),
    disability("07", [0.03, 0.06], [2.0, 14.0], &[(7, 0.5), (4, 0.2)], 0.04),
    disability("02", [0.02, 0.01], [1.0, 12.0], &[(9, 0.6), (1, 0.2)], 0.02),
    disability("04", [0.005, 0.003], [2.0, 10.0], &[(3, 0.6), (4, 0.2)], 0.01),
    disability("12", [0.005, 0.004], [3.0, 20.0], &[(9, 0.5), (4, 0.5), (0, 0.3)], 0.02),
];

const fn disability(
    code: &'static str,
    weights: [f64; 2],
    hours: [f64; 2],
    services: &'static [(usize, f64)],
    exits: f64,
) -> Disability {
    Disability { code, weights, hours, services, exits }
}

const LEARNING: usize = 0;
const AUTISM: usize = 3;
const INTELLECTUAL: usize = 5;
const DELAY: usize = 6;
const MULTIPLE: usize = 7;

/// A disability for a child identified in a grade.
pub fn draw_disability(at: Grade, dice: &mut Dice) -> usize {
    let early = usize::from(at >= grade(1));
    let weights: [f64; 12] = std::array::from_fn(|i| DISABILITIES[i].weights[early]);
    dice.weighted(&weights)
}

/// Whether students with the disability commonly stay for transition services until 21.
pub const fn in_transition(disability: usize) -> bool {
    matches!(disability, INTELLECTUAL | MULTIPLE)
}

/// Whether the child takes alternate assessments.
pub const fn takes_alternate(disability: usize) -> bool {
    matches!(disability, INTELLECTUAL | MULTIPLE)
}

/// A plan as of 1 October of a school year.
#[derive(Clone, Debug)]
pub struct PlanYear {
    /// The year of its fall.
    pub fall: i16,
    /// Its kind.
    pub kind: PlanKind,
    /// Place in [`DISABILITIES`].
    pub disability: usize,
    /// Weekly hours of special education, in hundredths.
    pub hours: u32,
    /// Weekly hours with non-disabled peers, in hundredths.
    pub with_peers: u32,
    /// School hours a week, in hundredths.
    pub total: u32,
    /// Last meeting of the planning and placement team.
    pub ppt: NaiveDate,
    /// Last evaluation.
    pub evaluated: NaiveDate,
    /// Start of the present plan.
    pub begins: NaiveDate,
    /// When the child was found eligible.
    pub eligible: NaiveDate,
    /// When it left special education, if in this year.
    pub exits: Option<NaiveDate>,
    /// A bit for each related service.
    pub services: u16,
    /// Accommodations.
    pub accommodations: &'static str,
    /// Reporting district and school on 1 October.
    pub district: usize,
    /// School.
    pub school: usize,
    /// Whether the school is not run by the home district.
    pub elsewhere: bool,
}

/// The plans of a life.
pub fn plans(world: &World, child: &Child, life: &Life, dice: &mut Dice) -> Vec<PlanYear> {
    let Some(onset) = child.onset else {
        return Vec::new();
    };
    let mut story = Story::new(onset.disability, onset.section_504, dice);
    let mut plans = Vec::new();
    for year in &life.years {
        if year.grade < onset.grade || story.over {
            continue;
        }
        let october = date(i32::from(year.fall), 10, 1);
        if story.eligible.is_none() {
            // Found eligible some months before; a child who arrives with a plan has one from where it came.
            story.eligible = Some(october - Days::new(dice.between(20, 330) as u64));
        }
        if let Some(plan) = story.year(world, child, year, october, dice) {
            plans.push(plan);
        }
    }
    plans
}

/// What goes on from year to year.
struct Story {
    disability: usize,
    kind: PlanKind,
    eligible: Option<NaiveDate>,
    evaluated: Option<NaiveDate>,
    severity: f64,
    services: u16,
    over: bool,
}

impl Story {
    fn new(disability: usize, section_504: bool, dice: &mut Dice) -> Self {
        let kind = if section_504 { PlanKind::Section504 } else { PlanKind::Iep };
        let services = DISABILITIES[disability]
            .services
            .iter()
            .filter(|(_, probability)| dice.chance(*probability))
            .fold(0, |bits, (service, _)| bits | 1 << service);
        Self {
            disability,
            kind,
            eligible: None,
            evaluated: None,
            severity: f64::midpoint(dice.unit(), dice.unit()),
            services,
            over: false,
        }
    }

    fn year(
        &mut self,
        world: &World,
        child: &Child,
        year: &Year,
        october: NaiveDate,
        dice: &mut Dice,
    ) -> Option<PlanYear> {
        let eligible = self.eligible?;
        let age = year.fall - child.birth.year() as i16;
        if self.disability == DELAY && age >= 6 {
            // Developmental delay is a finding of early years; a re-evaluation names what it was.
            self.disability = [2, LEARNING, AUTISM, 8][dice.weighted(&[0.35, 0.4, 0.13, 0.12])];
            self.evaluated = Some(october - Days::new(dice.between(30, 200) as u64));
        }
        let evaluated = match self.evaluated {
            Some(last) if (october - last).num_days() < 3 * 365 => last,
            Some(last) => last + Days::new(3 * 365 - dice.between(0, 40) as u64),
            None => eligible - Days::new(dice.between(5, 40) as u64),
        };
        self.evaluated = Some(evaluated);
        self.severity = (self.severity + dice.normal() * 0.06).clamp(0.0, 1.0);
        let stint = year.on(october).or(year.stints.first())?;
        if stint.from > october || october > world.as_of {
            return None;
        }
        let traits = &DISABILITIES[self.disability];
        let chance = traits.exits * if child.case.is_some() { 0.0 } else { 1.0 };
        let exits = dice.chance(chance).then(|| {
            self.over = !dice.chance(0.12);
            world.calendar(year.fall).day(20 + dice.below(140))
        });
        let exits = exits.filter(|day| *day <= world.as_of && stint.to >= *day);
        let [low, high] = traits.hours;
        let hours = (low + (high - low) * self.severity) * 4.0;
        let total = if year.grade < grade(1) { 25.0 } else { 32.5 };
        let hours = (hours.round() / 4.0).min(total);
        let outside = hours * (0.35 + 0.65 * self.severity);
        let idea = self.kind == PlanKind::Iep;
        let ppt = october - Days::new(dice.between(10, 350) as u64);
        let ppt = ppt.max(eligible);
        let sector = world.places.schools[stint.school].sector;
        Some(PlanYear {
            fall: year.fall,
            kind: self.kind,
            disability: self.disability,
            hours: if idea { (hours * 100.0) as u32 } else { 0 },
            with_peers: ((total - outside).max(0.0) * 4.0).round() as u32 * 25,
            total: (total * 100.0) as u32,
            ppt,
            evaluated,
            begins: (ppt + Days::new(5)).min(october),
            eligible,
            exits,
            services: if idea { self.services } else { 0 },
            accommodations: accommodations(self.kind, dice),
            district: stint.district,
            school: stint.school,
            elsewhere: sector != Sector::Local,
        })
    }
}

fn accommodations(kind: PlanKind, dice: &mut Dice) -> &'static str {
    let often = if kind == PlanKind::Section504 { 1.0 } else { 0.4 };
    if !dice.chance(often) {
        return "";
    }
    dice.word(&[
        "Extended time;Preferential seating",
        "Extended time;Small group",
        "Breaks as needed;Checklists",
        "Copies of notes;Extended time",
        "Preferential seating;Movement breaks",
        "Small group;Text read aloud",
        "Health plan;Access to nurse",
    ])
}
