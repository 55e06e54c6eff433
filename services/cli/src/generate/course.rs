//! Courses of grades 6 to 12 by SCED codes, with outcomes and credits (TCS).

use anyhow::Context;
use chrono::NaiveDate;

use super::World;
use super::dice::Dice;
use super::household::Child;
use super::life::{Life, Stint, Year};
use super::places::{Sector, grade};

const COURSES: &str = include_str!("tables/courses.csv");

/// The first school year reported in TCS version 4.0.
pub const FIRST_FALL: i16 = 2014;
/// Shortest membership, in days in session, that a district reports courses for.
const DAYS_MIN: u16 = 60;

/// A course of the catalogue.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Course {
    /// Five digits of SCED.
    pub code: String,
    track: String,
    step: u8,
    first_grade: u8,
    last_grade: u8,
    /// Credit; nought before grade 9.
    pub credit: f64,
    /// Usual rigor.
    pub rigor: String,
    /// Twelve characters.
    #[serde(skip)]
    pub full_code: String,
}

/// How a course ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Passed.
    Pass,
    /// Failed.
    Fail,
    /// Left for another school.
    Transferred,
    /// Not complete.
    Incomplete,
}

/// A course a student took.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The year of its fall.
    pub fall: i16,
    /// Reporting district.
    pub district: usize,
    /// Facility 1.
    pub school: usize,
    /// Place in the catalogue.
    pub course: usize,
    /// Section number.
    pub section: u8,
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: NaiveDate,
    /// How it ended.
    pub ending: Ending,
    /// Mark in per cent.
    pub mark: u8,
    /// Earned credit in hundredths.
    pub credits: u16,
    /// Sessions held.
    pub sessions: u16,
    /// Sessions attended.
    pub attended: u16,
    /// Credit at a college too.
    pub dual: bool,
}

/// Reads the catalogue.
pub fn catalogue() -> anyhow::Result<Vec<Course>> {
    let mut courses = Vec::new();
    for row in csv::Reader::from_reader(COURSES.as_bytes()).deserialize() {
        let mut course: Course = row.context("the table of courses")?;
        course.full_code = if course.credit > 0.0 {
            format!("{}{}{:.2}11", course.code, course.rigor, course.credit)
        } else {
            let span = course.first_grade;
            format!("{}{}{span:02}{span:02}11", course.code, course.rigor)
        };
        courses.push(course);
    }
    Ok(courses)
}

/// The courses of a life, through the years that are over.
pub fn courses(world: &World, child: &Child, life: &Life, dice: &mut Dice) -> Vec<Taken> {
    let mut all = Vec::new();
    for year in &life.years {
        let over = world.calendar(year.fall).last <= world.as_of;
        if year.grade < grade(6) || year.fall < FIRST_FALL || !over {
            continue;
        }
        let schedule = schedule(world, child, year, dice);
        for (place, stint) in year.stints.iter().enumerate() {
            let joined = place > 0 && same_place(&year.stints[place - 1], stint);
            if !joined {
                let last = year.stints[place..].iter().take_while(|s| same_place(stint, s)).last();
                let to = last.map_or(stint.to, |s| s.to);
                at_school(world, child, year, (stint, to), &schedule, dice, &mut all);
            }
        }
    }
    all
}

fn same_place(a: &Stint, b: &Stint) -> bool {
    a.district == b.district && a.school == b.school
}

/// The courses of a grade: one of each track, by what came before and what the child can.
fn schedule(world: &World, child: &Child, year: &Year, dice: &mut Dice) -> Vec<usize> {
    let number = year.grade - grade(0);
    let ability = child.traits.ability;
    let ahead = (ability * 0.8 + 0.2).round().clamp(-1.0, 1.0) as i8;
    let high = number >= 9;
    let technical = year.last().is_some_and(|s| world.places.schools[s.school].sector == Sector::Technical);
    let mut wanted: Vec<(&str, u8)> = Vec::with_capacity(8);
    wanted.push(("english", if high && number >= 11 && ability > 1.2 { 2 } else { 1 }));
    let mathematics = if high { (number as i8 - 8 + ahead).clamp(0, 6) as u8 } else { 1 };
    wanted.push(("mathematics", mathematics));
    let science = if high { number - 8 + u8::from(number == 12 && ability < 0.5) * 3 } else { 1 };
    wanted.push(("science", science));
    let social = if high { number - 8 + u8::from(number == 12) } else { 1 };
    wanted.push(("social_studies", social));
    wanted.push(("physical", 1 + u8::from(high && number.is_multiple_of(2))));
    wanted.push(("arts", 1 + dice.below(if high { 4 } else { 2 }) as u8));
    if technical {
        wanted.push(("technical", 1 + (child.index % 7) as u8));
    } else if ability > -0.8 && number >= 7 {
        let other = child.index.is_multiple_of(4);
        let step = if high { number - 8 } else { 1 };
        let shift = if high { 4 } else { 1 };
        wanted.push(("language", step + u8::from(other) * shift));
    }
    if high {
        let support = child.onset.is_some() && dice.chance(0.5);
        wanted.push(if support { ("support", 1) } else { ("elective", 1 + dice.below(6) as u8) });
    }
    wanted.iter().filter_map(|(track, step)| find(&world.courses, number, track, *step)).collect()
}

/// The course of a track and step for a grade, or the nearest step that the grade may take.
fn find(courses: &[Course], number: u8, track: &str, step: u8) -> Option<usize> {
    (0..courses.len())
        .filter(|i| {
            let course = &courses[*i];
            course.track == track && (course.first_grade..=course.last_grade).contains(&number)
        })
        .min_by_key(|i| courses[*i].step.abs_diff(step))
}

fn at_school(
    world: &World,
    child: &Child,
    year: &Year,
    (stint, to): (&Stint, NaiveDate),
    schedule: &[usize],
    dice: &mut Dice,
    all: &mut Vec<Taken>,
) {
    let calendar = world.calendar(year.fall);
    let days = calendar.days_between(stint.from, to);
    if days < DAYS_MIN {
        return;
    }
    let left = to < calendar.last;
    let present = (0.97 - 0.05 * (child.traits.absence * 0.6).exp()).clamp(0.4, 1.0);
    for course in schedule {
        let Some(offered) = world.courses.get(*course) else { continue };
        let base = 79.0 + child.traits.ability * 8.0 - child.traits.absence * 3.5;
        let mark = (base + dice.normal() * 7.0).clamp(38.0, 100.0) as u8;
        let ending = if left {
            Ending::Transferred
        } else if mark < 60 {
            Ending::Fail
        } else if dice.chance(0.006) {
            Ending::Incomplete
        } else {
            Ending::Pass
        };
        let advanced = offered.rigor == "E" || offered.rigor == "H";
        let credits = if ending == Ending::Pass { (offered.credit * 100.0) as u16 } else { 0 };
        all.push(Taken {
            fall: year.fall,
            district: stint.district,
            school: stint.school,
            course: *course,
            section: 1 + dice.below(6) as u8,
            from: stint.from,
            to,
            ending,
            mark,
            credits,
            sessions: days,
            attended: (f64::from(days) * (present + dice.normal() * 0.02).clamp(0.2, 1.0)) as u16,
            dual: advanced && dice.chance(0.25),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn course_codes_have_twelve_characters() {
        for course in catalogue().expect("tables") {
            assert_eq!(course.full_code.len(), 12, "{}", course.full_code);
            let (first, last) = (course.first_grade, course.last_grade);
            assert!((6..=12).contains(&first) && first <= last && last <= 12);
        }
    }
}
