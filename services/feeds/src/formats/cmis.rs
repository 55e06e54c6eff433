//! The school columns of the juvenile probation population snapshot, in the case system's own words, so that it can be loaded without mapping.
//! `cmis/RULES.md` says how each is derived.

use std::path::Path;

use chrono::{Months, NaiveDate};
use disclosure::{DisclosedHistory, Scope};
use model::{Domain, Row, SchoolYear, Section, SectionState, Value};

use super::Format;
use crate::{Error, FileEntry, delivery::PartFile};

/// The file's name.
const FILE: &str = "cmis.csv";

/// The column that names the client by the recipient's own id.
pub const CLIENT_PIN: &str = "ClientPIN";

/// The columns, as the case system names them.
const COLUMNS: [&str; 18] = [
    "SnapshotDate",
    CLIENT_PIN,
    "EnrollmentStatus",
    "SchoolType",
    "SchoolName",
    "NexusTown",
    "CurrentGrade",
    "LastGradeCompleted",
    "LastGradeCompletionStatus",
    "SpecialEDStudent",
    "Plan504",
    "InSchoolNbrSuspensions",
    "OutOfSchoolNbrSuspensions",
    "CurrentlyEnrolled",
    "EverExpelled",
    "CurrentlyExpelled",
    "CurrentExplusionDuration",
    "EverSuspended",
];

/// The highest grade.
const GRADE_LAST: u8 = 12;
/// For how long an expulsion can last at most (Conn. Gen. Stat. 10-233d).
const EXPULSION_MONTHS_MAX: Months = Months::new(12);

/// The format as it writes.
pub struct Cmis {
    file: PartFile,
    day: NaiveDate,
}

impl Cmis {
    /// Begins the file in a folder.
    pub fn begin(folder: &Path, scope: &Scope) -> Result<Self, Error> {
        let mut file = PartFile::create(folder, FILE)?;
        file.append(&super::csv::record(COLUMNS.into_iter().map(str::to_owned))?, 0)?;
        Ok(Self { file, day: scope.day })
    }
}

impl Format for Cmis {
    fn write(&mut self, history: &DisclosedHistory) -> Result<(), Error> {
        let told = [self.day.to_string(), history.person_key().expose().clone()];
        let row = told.into_iter().chain(derive(history.sections(), self.day));
        self.file.append(&super::csv::record(row.map(|text| super::csv::harmless(&text)))?, 1)
    }

    fn finish(self: Box<Self>) -> Result<Vec<FileEntry>, Error> {
        Ok(vec![self.file.finish()?])
    }
}

/// The columns from `EnrollmentStatus` on.
fn derive(sections: &[Section], day: NaiveDate) -> [String; 16] {
    let find = |domain| Told::of(sections.iter().find(|section| section.domain == domain));
    let (enrollment, plans, discipline) =
        (find(Domain::Enrollment), find(Domain::SpecialEducation), find(Domain::Discipline));
    let stay = enrollment.section.and_then(summary::latest_stay);
    let is_enrolled = stay.and_then(|stay| is_enrolled(&enrollment, stay, day));
    let (completed, completion) = completed(&enrollment, stay, day);
    let expelled = discipline.section.map(|_| is_expelled(&discipline, day));
    [
        status(&enrollment, stay, is_enrolled),
        String::new(),
        stay.and_then(|stay| enrollment.text(stay, "school_name")).unwrap_or_default().to_owned(),
        stay.and_then(|stay| nexus_town(&enrollment, stay)).unwrap_or_default().to_owned(),
        number(stay.filter(|_| is_enrolled == Some(true)).and_then(|stay| last_grade(&enrollment, stay))),
        number(completed),
        completion.unwrap_or_default().to_owned(),
        flag(has_plan(&plans, "plan_type", day).or_else(|| stay.and_then(|s| enrollment.flag(s, "special_education")))),
        flag(has_504(&plans, day)),
        number(suspensions(&discipline, Sanction::InSchool, Some(day))),
        number(suspensions(&discipline, Sanction::OutOfSchool, Some(day))),
        flag(is_enrolled),
        flag(ever(&discipline, &[Sanction::Expulsion])),
        flag(expelled.as_ref().and_then(|(is, _)| *is)),
        expelled.and_then(|(_, days)| days).unwrap_or_default(),
        flag(ever(&discipline, &[Sanction::InSchool, Sanction::OutOfSchool])),
    ]
}

fn flag(flag: Option<bool>) -> String {
    flag.map(|flag| u8::from(flag).to_string()).unwrap_or_default()
}

fn number(number: Option<u8>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// A section as far as it tells anything: without rows that are not permitted.
struct Told<'h> {
    section: Option<&'h Section>,
}

impl<'h> Told<'h> {
    fn of(section: Option<&'h Section>) -> Self {
        Self { section: section.filter(|section| section.state != SectionState::NotPermitted) }
    }

    fn rows(&self) -> impl Iterator<Item = &'h Row> + use<'h> {
        self.section.into_iter().flat_map(|section| &section.rows)
    }

    /// Whether all of these elements may be told.
    fn tells(&self, elements: &[&str]) -> bool {
        self.section.is_some_and(|section| elements.iter().all(|element| !section.withheld.contains(element)))
    }

    fn text(&self, row: &'h Row, element: &str) -> Option<&'h str> {
        row.find_text(element).filter(|_| self.tells(&[element]))
    }

    fn flag(&self, row: &Row, element: &str) -> Option<bool> {
        row.find(element).and_then(Value::as_boolean).filter(|_| self.tells(&[element]))
    }
}

fn is_enrolled(enrollment: &Told<'_>, stay: &Row, day: NaiveDate) -> Option<bool> {
    if !enrollment.tells(&["entry_date", "exit_withdraw_date", "exit_basis", "school_year"]) {
        return None;
    }
    let year = last_year(stay)?;
    let ended = stay.find_date("exit_withdraw_date");
    if let Some(ended) = ended {
        return if ended < day { Some(false) } else { begun(stay, day).then_some(true) };
    }
    if stay.find("exit_basis").is_some() {
        return Some(false);
    }
    (begun(stay, day) && year >= SchoolYear::containing(day).previous()).then_some(true)
}

fn begun(stay: &Row, day: NaiveDate) -> bool {
    stay.find_date("entry_date").or_else(|| stay.find_date("first_seen_date")).is_none_or(|entry| entry <= day)
}

fn last_year(stay: &Row) -> Option<SchoolYear> {
    let said = stay.find_text("last_school_year").or_else(|| stay.find_text("school_year"));
    said.and_then(|year| year.parse().ok()).or(stay.school_year)
}

fn status(enrollment: &Told<'_>, stay: Option<&Row>, is_enrolled: Option<bool>) -> String {
    let reason = || stay.and_then(|stay| stay.find_text("exit_withdraw_type"));
    match is_enrolled {
        Some(true) => "Enrolled".to_owned(),
        Some(false) => {
            reason().filter(|_| enrollment.tells(&["exit_withdraw_type"])).unwrap_or("Not enrolled").to_owned()
        }
        None => String::new(),
    }
}

fn nexus_town<'h>(enrollment: &Told<'h>, stay: &'h Row) -> Option<&'h str> {
    let has_other = stay.find("nexus_district_id").is_some() || !enrollment.tells(&["nexus_district_id"]);
    if has_other { None } else { enrollment.text(stay, "resident_town") }
}

/// Kindergarten is 0; what comes before it has no number.
fn grade(text: &str) -> Option<u8> {
    if text.starts_with('K') {
        return Some(0);
    }
    text.parse().ok().filter(|grade| (1..=GRADE_LAST).contains(grade))
}

fn last_grade(enrollment: &Told<'_>, stay: &Row) -> Option<u8> {
    let told = enrollment.tells(&["grade_level", "last_grade_level"]);
    let text = stay.find_text("last_grade_level").or_else(|| stay.find_text("grade_level"));
    text.filter(|_| told).and_then(grade)
}

/// The last grade completed, and how the school year before the last one reported ended.
fn completed(enrollment: &Told<'_>, stay: Option<&Row>, day: NaiveDate) -> (Option<u8>, Option<&'static str>) {
    if !enrollment.tells(&["school_year", "last_school_year", "grade_level", "last_grade_level"]) {
        return (None, None);
    }
    let exit = stay.and_then(|stay| enrollment.text(stay, "exit_withdraw_type"));
    let has_left = stay.and_then(|stay| stay.find_date("exit_withdraw_date")).is_some_and(|left| left <= day);
    if has_left && exit.is_some_and(|reason| reason.starts_with("Graduated")) {
        return (Some(GRADE_LAST), Some("Graduated"));
    }
    let mut years: Vec<(SchoolYear, u8)> = enrollment
        .rows()
        .filter(|row| row.find("stay_basis").is_none())
        .flat_map(|row| {
            let said = |year: &str, level: &str| {
                Some((row.find_text(year)?.parse().ok()?, row.find_text(level).and_then(grade)?))
            };
            [said("school_year", "grade_level"), said("last_school_year", "last_grade_level")]
        })
        .flatten()
        .filter(|(year, _)| *year <= SchoolYear::containing(day))
        .collect();
    years.sort_unstable();
    let Some((year, latest)) = years.last().copied() else { return (None, None) };
    // Of several grades in one year the highest counts.
    let before = years.iter().rev().find(|(earlier, _)| *earlier < year).copied();
    let Some((earlier, lower)) = before else { return (None, None) };
    let (passed, risen) = (year.0 - earlier.0, i16::from(latest) - i16::from(lower));
    let completion = if risen == passed {
        Some("Promoted")
    } else if passed == 1 && risen <= 0 {
        Some("Retained")
    } else {
        None
    };
    // Whoever has risen since has completed the grade below.
    ((risen > 0).then(|| latest.saturating_sub(1)), completion)
}

fn plans_of<'h>(plans: &Told<'h>, day: NaiveDate) -> impl Iterator<Item = &'h Row> + use<'h> {
    let year = SchoolYear::containing(day).to_string();
    let is_over =
        move |row: &Row| ["exit_date", "iep_end_date"].iter().filter_map(|end| row.find_date(end)).any(|end| end < day);
    plans
        .rows()
        .filter(move |row| row.find_text("school_year").is_some_and(|said| same_year(said, &year)) && !is_over(row))
}

fn same_year(one: &str, other: &str) -> bool {
    let year = |text: &str| text.parse::<SchoolYear>().ok();
    year(one).is_some() && year(one) == year(other)
}

/// A plan of special education in the day's school year; nothing, if none is reported: the status of the stay may say more.
fn has_plan(plans: &Told<'_>, element: &str, day: NaiveDate) -> Option<bool> {
    if !plans.tells(&["school_year", element]) {
        return None;
    }
    let is_plan = |row: &Row| row.find_text(element).is_some_and(|plan| !plan.contains("504"));
    plans_of(plans, day).any(is_plan).then_some(true)
}

fn has_504(plans: &Told<'_>, day: NaiveDate) -> Option<bool> {
    if !plans.tells(&["school_year", "section_504"]) {
        return None;
    }
    let said: Vec<bool> =
        plans_of(plans, day).filter_map(|row| row.find("section_504").and_then(Value::as_boolean)).collect();
    (!said.is_empty()).then(|| said.contains(&true))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sanction {
    InSchool,
    OutOfSchool,
    Expulsion,
}

impl Sanction {
    /// By the words of the states' code tables: `In-School Suspension`, `Out-of-school expulsion`.
    fn of(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let is = |word: &str| text.contains(word);
        if is("expulsion") {
            Some(Self::Expulsion)
        } else if is("suspension") && is("in-school") {
            Some(Self::InSchool)
        } else if is("suspension") && is("school") {
            Some(Self::OutOfSchool)
        } else {
            None
        }
    }
}

const SANCTIONS: [(&str, &str); 2] =
    [("discipline_action", "discipline_action_length"), ("discipline_action_2", "discipline_action_2_length")];

/// The sanctions a student answers for: the row, what it is, and the element that holds its days.
fn sanctions<'h>(discipline: &Told<'h>) -> impl Iterator<Item = (&'h Row, Sanction, &'static str)> + use<'h> {
    discipline.rows().filter(|row| domains::discipline::is_answered_for(row)).flat_map(|row| {
        SANCTIONS
            .into_iter()
            .filter_map(move |(sanction, days)| Some((row, Sanction::of(row.find_text(sanction)?)?, days)))
    })
}

/// What must be told for a count to be one.
const COUNTED: [&str; 4] = ["student_participation_code", "discipline_action", "discipline_action_2", "school_year"];

fn suspensions(discipline: &Told<'_>, which: Sanction, day: Option<NaiveDate>) -> Option<u8> {
    if !discipline.tells(&COUNTED) {
        return None;
    }
    let year = day.map(|day| SchoolYear::containing(day).to_string());
    let is_of_year = |row: &Row| {
        year.as_ref().is_none_or(|year| row.find_text("school_year").is_some_and(|said| same_year(said, year)))
    };
    let count = sanctions(discipline).filter(|(row, sanction, _)| *sanction == which && is_of_year(row)).count();
    Some(u8::try_from(count).unwrap_or(u8::MAX))
}

fn ever(discipline: &Told<'_>, which: &[Sanction]) -> Option<bool> {
    let counts = which.iter().map(|which| suspensions(discipline, *which, None));
    counts.map(|count| count.map(|count| count > 0)).reduce(|one, other| Some(one? || other?)).flatten()
}

/// Whether an expulsion is in force on the day, and the days it was given.
fn is_expelled(discipline: &Told<'_>, day: NaiveDate) -> (Option<bool>, Option<String>) {
    if !discipline.tells(&COUNTED) || !discipline.tells(&["incident_date", "discipline_date", "return_date"]) {
        return (None, None);
    }
    let since = day.checked_sub_months(EXPULSION_MONTHS_MAX).unwrap_or(NaiveDate::MIN);
    let mut unknown = false;
    for (row, _, days) in sanctions(discipline).filter(|(_, sanction, _)| *sanction == Sanction::Expulsion) {
        let begun = row.find_date("discipline_date").or_else(|| row.find_date("incident_date"));
        match (begun, row.find_date("return_date")) {
            (Some(begun), Some(returned)) if begun <= day && day < returned => {
                let days = row.find(days).filter(|_| discipline.tells(&[days]));
                return (Some(true), days.map(Value::to_plain));
            }
            (Some(begun), None) if begun <= day && begun > since => unknown = true,
            (None, None) => unknown = true,
            _ => {}
        }
    }
    ((!unknown).then_some(false), None)
}

#[cfg(test)]
mod tests;
