//! Tests: which family a grade took in which year, and the scores.

use chrono::NaiveDate;

use super::World;
use super::calendar::date;
use super::dice::Dice;
use super::household::Child;
use super::life::{Life, Stint, Year};
use super::places::{Grade, KINDERGARTEN, grade};
use super::special_education::{PlanYear, takes_alternate};

/// Subjects in the order of a child's subject traits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Writing.
    Writing = 0,
    /// Reading, or English language arts.
    Reading = 1,
    /// Mathematics.
    Mathematics = 2,
    /// Science.
    Science = 3,
    /// Speaking, of English learners.
    Speaking = 4,
    /// Listening, of English learners.
    Listening = 5,
}

/// A test result.
#[derive(Clone, Debug)]
pub struct Score {
    /// The year of its fall.
    pub fall: i16,
    /// Reporting district.
    pub district: usize,
    /// School.
    pub school: usize,
    /// Test family.
    pub family: &'static str,
    /// Subject.
    pub subject: Subject,
    /// Grade.
    pub grade: Grade,
    /// Day.
    pub day: NaiveDate,
    /// Scale score; none for one who did not take part.
    pub scale: Option<i32>,
    /// Level; none where the family has none.
    pub level: Option<u8>,
    /// Screening period, of K-3 screenings.
    pub period: &'static str,
    /// Accommodations.
    pub accommodations: &'static str,
    /// Score as first reported, when a rescoring changed it.
    pub first_reported: Option<i32>,
}

/// The kindergarten entrance inventory: language, literacy, numeracy, physical, creative, personal.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// The year of its fall.
    pub fall: i16,
    /// Reporting district.
    pub district: usize,
    /// School.
    pub school: usize,
    /// Day.
    pub day: NaiveDate,
    /// Levels 1 to 3.
    pub levels: [u8; 6],
}

/// Least score, cut scores and greatest score of a Smarter Balanced test, by grade 3 to 8 and 11.
type Cuts = [i32; 5];
const ELA: [Cuts; 7] = [
    [2114, 2367, 2432, 2490, 2623],
    [2131, 2416, 2473, 2533, 2663],
    [2201, 2442, 2502, 2582, 2701],
    [2210, 2457, 2531, 2618, 2724],
    [2258, 2479, 2552, 2649, 2745],
    [2288, 2487, 2567, 2668, 2769],
    [2299, 2493, 2583, 2682, 2795],
];
const MATHEMATICS: [Cuts; 7] = [
    [2189, 2381, 2436, 2501, 2621],
    [2204, 2411, 2485, 2549, 2659],
    [2219, 2455, 2528, 2579, 2700],
    [2235, 2473, 2552, 2610, 2748],
    [2250, 2484, 2567, 2635, 2778],
    [2265, 2504, 2586, 2653, 2802],
    [2280, 2543, 2628, 2718, 2862],
];
/// CMT and CAPT: 100 to 400, five levels. The cut scores are invented; the range and the number of levels are the state's.
const MASTERY: [i32; 6] = [100, 193, 219, 245, 284, 400];
/// School-day SAT: 200 to 800 by tens; met is 480 in reading and writing, 530 in mathematics.
const SAT_READING: Cuts = [200, 420, 480, 640, 800];
const SAT_MATHEMATICS: Cuts = [200, 460, 530, 650, 800];
/// NGSS science, CTAA and LAS Links: ranges and levels of general knowledge.
const SCIENCE: Cuts = [300, 470, 500, 545, 700];
const ALTERNATE: Cuts = [1200, 1234, 1240, 1254, 1290];
const LANGUAGE: [i32; 6] = [300, 420, 470, 515, 560, 780];
const SCREENING: Cuts = [0, 26, 42, 64, 100];

/// All tests of a life.
pub fn scores(
    world: &World,
    child: &Child,
    life: &Life,
    plans: &[PlanYear],
    dice: &mut Dice,
) -> (Vec<Score>, Vec<Inventory>) {
    let mut taker = Taker { world, child, dice, scores: Vec::new(), inventories: Vec::new() };
    for year in &life.years {
        let plan = plans.iter().find(|plan| plan.fall == year.fall);
        taker.year(year, plan);
    }
    (taker.scores, taker.inventories)
}

struct Taker<'a> {
    world: &'a World,
    child: &'a Child,
    dice: &'a mut Dice,
    scores: Vec<Score>,
    inventories: Vec<Inventory>,
}

impl Subject {
    /// The state's abbreviation within a test family.
    pub fn code(self, family: &str) -> &'static str {
        match (self, family) {
            (_, "K3") => "CP",
            (Self::Reading, "SBAC" | "CTAA") => "ELA",
            (Self::Reading, "SAT") => "EBRW",
            (Self::Writing, _) => "W",
            (Self::Reading, _) => "R",
            (Self::Mathematics, _) => "M",
            (Self::Science, _) => "S",
            (Self::Speaking, _) => "SP",
            (Self::Listening, _) => "LI",
        }
    }
}

impl Taker<'_> {
    fn year(&mut self, year: &Year, plan: Option<&PlanYear>) {
        let fall = year.fall;
        if year.grade == KINDERGARTEN {
            self.inventory(year);
        }
        if (KINDERGARTEN..=grade(3)).contains(&year.grade) && fall >= 2016 {
            self.screening(year);
        }
        // No statewide tests in the spring of 2020.
        if fall == 2019 {
            return;
        }
        if year.english_learner && year.grade >= KINDERGARTEN {
            let day = self.spring(fall, 2, 10);
            for subject in [Subject::Speaking, Subject::Listening, Subject::Reading, Subject::Writing] {
                self.take(year, day, "LAS", subject, &LANGUAGE, (0.1, 0.75), "");
            }
        }
        let accommodations = plan.map_or("", |plan| plan.accommodations);
        let alternate = plan.is_some_and(|plan| takes_alternate(plan.disability));
        if alternate {
            self.alternate(year);
        } else {
            self.mastery(year, accommodations);
        }
    }

    fn alternate(&mut self, year: &Year) {
        let tested = (grade(3)..=grade(8)).contains(&year.grade) || year.grade == grade(11);
        if !tested || year.fall < 2014 {
            return;
        }
        let day = self.spring(year.fall, 4, 12);
        for subject in [Subject::Reading, Subject::Mathematics] {
            self.take(year, day, "CTAA", subject, &ALTERNATE, (0.9, 0.5), "");
        }
        if matches!(year.grade, g if g == grade(5) || g == grade(8) || g == grade(11)) && year.fall >= 2018 {
            self.take(year, day, "CTAS", Subject::Science, &ALTERNATE, (0.9, 0.5), "");
        }
    }

    fn mastery(&mut self, year: &Year, accommodations: &'static str) {
        let (fall, at) = (year.fall, year.grade);
        let lower = (grade(3)..=grade(8)).contains(&at);
        let science_grade = at == grade(5) || at == grade(8);
        let day = self.spring(fall, if fall <= 2012 { 3 } else { 4 }, 18);
        let family = if lower { "CMT" } else { "CAPT" };
        if (lower || at == grade(10)) && fall <= 2012 {
            for subject in [Subject::Reading, Subject::Writing, Subject::Mathematics] {
                self.take(year, day, family, subject, &MASTERY, (0.0, 0.75), accommodations);
            }
        }
        // Science of the old families went on until spring 2017.
        if (science_grade || at == grade(10)) && fall <= 2016 {
            self.take(year, day, family, Subject::Science, &MASTERY, (0.0, 0.75), accommodations);
        }
        let smarter = fall >= 2014 && (lower || (at == grade(11) && fall == 2014));
        if smarter {
            let place = if lower { usize::from(at - grade(3)) } else { 6 };
            for (subject, cuts) in [(Subject::Reading, &ELA), (Subject::Mathematics, &MATHEMATICS)] {
                if let Some(cuts) = cuts.get(place) {
                    self.take(year, day, "SBAC", subject, cuts, (0.05, 0.8), accommodations);
                }
            }
        }
        if at == grade(11) && fall >= 2015 {
            let day = self.spring(fall, 3, 22);
            self.take(year, day, "SAT", Subject::Reading, &SAT_READING, (0.1, 0.9), accommodations);
            self.take(year, day, "SAT", Subject::Mathematics, &SAT_MATHEMATICS, (-0.2, 0.9), accommodations);
        }
        if (science_grade || at == grade(11)) && fall >= 2018 {
            let day = self.spring(fall, 5, 6);
            self.take(year, day, "NGSS", Subject::Science, &SCIENCE, (0.05, 0.8), accommodations);
        }
    }

    /// A day of a spring window on which school is in session.
    fn spring(&mut self, fall: i16, month: u32, day: u32) -> NaiveDate {
        let first = date(i32::from(fall) + 1, month, day);
        let day = self.dice.day(first, first + chrono::Days::new(18));
        self.world.calendar(fall).on_or_after(day)
    }

    fn stint(&self, year: &Year, day: NaiveDate) -> Option<Stint> {
        if day > self.world.as_of {
            return None;
        }
        year.on(day).cloned()
    }

    #[expect(clippy::too_many_arguments, reason = "one row of a table of tests")]
    fn take(
        &mut self,
        year: &Year,
        day: NaiveDate,
        family: &'static str,
        subject: Subject,
        cuts: &[i32],
        (middle, width): (f64, f64),
        accommodations: &'static str,
    ) {
        let Some(stint) = self.stint(year, day) else { return };
        let traits = &self.child.traits;
        let own = traits.subjects.get(subject as usize).copied().unwrap_or(0.0);
        let learner = if year.english_learner { -0.6 } else { 0.0 };
        let after_closure = if (2020..2024).contains(&year.fall) { -0.15 } else { 0.0 };
        let z = traits.ability * width + own + middle + learner + after_closure + self.dice.normal() * 0.3;
        let absent = self.dice.chance(0.025);
        let (scale, level) = scaled(z, cuts, family);
        let rescored = !absent && self.dice.chance(0.003);
        self.scores.push(Score {
            fall: year.fall,
            district: stint.district,
            school: stint.school,
            family,
            subject,
            grade: year.grade,
            day,
            scale: (!absent).then_some(scale),
            level: (!absent).then_some(level),
            period: "",
            accommodations,
            first_reported: rescored.then_some(scale - 10),
        });
    }

    fn inventory(&mut self, year: &Year) {
        let day = self.world.calendar(year.fall).day(22 + self.dice.below(20));
        let Some(stint) = self.stint(year, day) else { return };
        let ability = self.child.traits.ability;
        let levels = std::array::from_fn(|_| match ability + self.dice.normal() * 0.7 {
            z if z < -0.7 => 1,
            z if z < 0.6 => 2,
            _ => 3,
        });
        self.inventories.push(Inventory {
            fall: year.fall,
            district: stint.district,
            school: stint.school,
            day,
            levels,
        });
    }

    fn screening(&mut self, year: &Year) {
        for (period, place) in [("Fall", 15), ("Winter", 90), ("Spring", 160)] {
            let calendar = self.world.calendar(year.fall);
            if place + 12 > calendar.days_in_session() {
                continue;
            }
            let day = calendar.day(place + self.dice.below(12));
            self.take(year, day, "K3", Subject::Reading, &SCREENING, (0.1, 0.8), "");
            if let Some(score) = self.scores.last_mut().filter(|s| s.day == day && s.family == "K3") {
                score.period = period;
                score.first_reported = None;
            }
        }
    }
}

/// A scale score and its level from a standing, by cut scores: the middle cut is the median's.
fn scaled(z: f64, cuts: &[i32], family: &str) -> (i32, u8) {
    let (Some(low), Some(high)) = (cuts.first(), cuts.last()) else {
        return (0, 1);
    };
    let inner = &cuts[1..cuts.len() - 1];
    let middle = inner[inner.len() / 2];
    let spread = f64::from(inner[inner.len() - 1] - inner[0]).max(1.0) / 1.7;
    let mut scale = (f64::from(middle) + z * spread).round() as i32;
    if family == "SAT" {
        scale = scale / 10 * 10;
    }
    let scale = scale.clamp(*low, *high);
    let level = 1 + inner.iter().filter(|cut| scale >= **cut).count() as u8;
    (scale, level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_the_cut_scores() {
        fn check(z: f64, cuts: &[i32], expect: (i32, u8)) {
            assert_eq!(scaled(z, cuts, "SBAC"), expect);
        }
        check(-9.0, &ELA[0], (2114, 1));
        check(0.0, &ELA[0], (2432, 3));
        check(9.0, &ELA[0], (2623, 4));
        check(9.0, &MASTERY, (400, 5));
        for (scale, level) in [(2366, 1), (2367, 2), (2431, 2), (2432, 3), (2490, 4)] {
            let z = f64::from(scale - 2432) / (f64::from(2490 - 2367) / 1.7);
            check(z, &ELA[0], (scale, level));
        }
    }
}
