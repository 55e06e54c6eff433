//! Program participation with its first and last day.

use chrono::NaiveDate;

use super::World;
use super::dice::Dice;
use super::household::Child;
use super::life::{Life, Program};
use super::places::{KINDERGARTEN, P3, PK, grade};

/// A program: code, name, type, services.
#[derive(Debug)]
pub struct Offer {
    /// Code.
    pub code: &'static str,
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: &'static str,
    /// Services.
    pub services: &'static str,
}

/// Programs.
pub const OFFERS: [Offer; 8] = [
    offer("PREK", "School Readiness pre-kindergarten", "2", ""),
    offer("MAGNET", "Interdistrict magnet school", "5", ""),
    offer("CHOICE", "Open Choice", "8", "Transportation"),
    offer("VOAG", "Vocational agriculture", "7", ""),
    offer("ALT", "Alternative program", "3", "Counseling;Small classes"),
    offer("TRANS", "Transition program", "6", "Job coaching;Travel training"),
    offer("AFTER", "After-school program", "8", "Homework help;Recreation"),
    offer("BILING", "Bilingual program", "8", "Language instruction"),
];

const fn offer(code: &'static str, name: &'static str, kind: &'static str, services: &'static str) -> Offer {
    Offer { code, name, kind, services }
}

/// Taking part in a program.
#[derive(Clone, Debug)]
pub struct Participation {
    /// The year of its fall.
    pub fall: i16,
    /// Reporting district.
    pub district: usize,
    /// School.
    pub school: usize,
    /// Place in [`OFFERS`].
    pub offer: usize,
    /// First day.
    pub from: NaiveDate,
    /// Last day; none while it goes on.
    pub to: Option<NaiveDate>,
    /// Why it ended.
    pub reason: &'static str,
}

/// The programs of a life, one record a school year.
pub fn programs(world: &World, child: &Child, life: &Life, dice: &mut Dice) -> Vec<Participation> {
    let mut all = Vec::new();
    for year in &life.years {
        let calendar = world.calendar(year.fall);
        let poor = child.traits.meals > 0;
        let at = year.grade;
        for stint in &year.stints {
            let mut offers: Vec<usize> = Vec::new();
            let mut maybe = |which: usize, probability: f64| {
                if probability > 0.0 && dice.chance(probability) {
                    offers.push(which);
                }
            };
            let when = |holds: bool, probability: f64| if holds { probability } else { 0.0 };
            maybe(0, when(at == PK || at == P3, 0.5));
            maybe(1, when(stint.program == Program::Magnet, 1.0));
            maybe(2, when(stint.program == Program::OpenChoice, 1.0));
            maybe(3, when(at >= grade(9), 0.01));
            maybe(4, when(at >= grade(8) && child.traits.conduct > 1.6, 0.12));
            maybe(5, when(at == grade(12) && year.repeated, 0.5));
            maybe(6, when(at >= KINDERGARTEN && at <= grade(8) && poor, 0.06));
            maybe(7, when(year.english_learner && child.language == 1, 0.3));
            if stint.facility_2.is_some() {
                continue;
            }
            for offer in offers {
                let ended = stint.to < world.as_of;
                let reason = match (ended, stint.to == calendar.last) {
                    (false, _) => "",
                    (true, true) => "End of school year",
                    (true, false) => "Left the school",
                };
                all.push(Participation {
                    fall: year.fall,
                    district: stint.district,
                    school: stint.school,
                    offer,
                    from: stint.from,
                    to: ended.then_some(stint.to),
                    reason,
                });
            }
        }
    }
    all
}
