//! The term report: of each student one line about the school year so far, with attendance, credits and discipline, for whoever looks after schooling in a
//! facility (C.G.S. 17a-3b).
//!
//! Rules. The school year is that of the day told of.
//! - *Attendance*: days of the rows of whole years; where a school reports months alone, those of its months. Schools add up. The rate is of these days.
//! - *Courses*: one a row of classes; credits as far as they are reported. A grade is no class and adds no credit.
//! - *Discipline*: incidents with an action taken against the student, each once; the days are those sanctioned.
//! - *State* of each: `reported`, `not_reported` or `not_permitted`, so that nothing is read as none. A value that the agreement withholds is blank.
//! - *Certification*: `preliminary` if any row that is counted is, as a district's file of the current year; else `certified`.

use std::{collections::BTreeSet, path::Path};

use chrono::NaiveDate;
use disclosure::{DisclosedHistory, Scope};
use model::{Certification, Decimal, Domain, Row, SchoolYear, Section, SectionState, Value};

use super::Format;
use crate::{Error, FileEntry, delivery::PartFile};

/// The file's name.
const FILE: &str = "term_report.csv";

/// The columns. The client's is called as in our other tables: an erasure finds the line by it.
const COLUMNS: [&str; 16] = [
    "report_date",
    super::table::PERSON_ID,
    "school_year",
    "certification",
    "reported_on",
    "attendance_state",
    "days_scheduled",
    "days_attended",
    "attendance_rate",
    "course_state",
    "courses",
    "credits_attempted",
    "credits_earned",
    "discipline_state",
    "incidents",
    "days_sanctioned",
];

/// The format as it writes.
pub struct Term {
    file: PartFile,
    day: NaiveDate,
}

impl Term {
    /// Begins the file in a folder.
    pub fn begin(folder: &Path, scope: &Scope) -> Result<Self, Error> {
        let mut file = PartFile::create(folder, FILE)?;
        file.append(&super::csv::record(COLUMNS.into_iter().map(str::to_owned))?, 0)?;
        Ok(Self { file, day: scope.day })
    }
}

impl Format for Term {
    fn write(&mut self, history: &DisclosedHistory) -> Result<(), Error> {
        let told = [self.day.to_string(), history.person_key().expose().clone()];
        let row = told.into_iter().chain(derive(history.sections(), self.day));
        self.file.append(&super::csv::record(row.map(|text| super::csv::harmless(&text)))?, 1)
    }

    fn finish(self: Box<Self>) -> Result<Vec<FileEntry>, Error> {
        Ok(vec![self.file.finish()?])
    }
}

/// The columns from `school_year` on.
fn derive(sections: &[Section], day: NaiveDate) -> [String; 14] {
    let year = SchoolYear::containing(day);
    let told = |domain| Told::of(sections.iter().find(|section| section.domain == domain), year);
    let attendance = told(Domain::Attendance).keep(is_total);
    let courses = told(Domain::Course).keep(|row, _| row.find("grade_type").is_none());
    let discipline = told(Domain::Discipline).keep(|row, _| domains::discipline::is_answered_for(row));
    let all = || attendance.rows.iter().chain(&courses.rows).chain(&discipline.rows);
    let certification = match all().map(|row| row.certification).min() {
        None => "",
        Some(Certification::Preliminary) => "preliminary",
        Some(Certification::Certified) => "certified",
    };
    let reported_on = all().filter_map(|row| row.source.reported_on.or(row.source.recorded_on)).max();
    let (scheduled, attended) = (attendance.days("days_scheduled"), attendance.days("days_attended"));
    let rate = scheduled.zip(attended).and_then(|(scheduled, attended)| Decimal::ratio(attended, scheduled));
    [
        year.to_string(),
        certification.to_owned(),
        text(reported_on),
        attendance.state().to_owned(),
        text(scheduled),
        text(attended),
        text(rate.filter(|_| attendance.tells("attendance_rate"))),
        courses.state().to_owned(),
        text(courses.count(|row| row.source.line.to_string() + "/" + &row.source.batch.to_string())),
        text(courses.sum(&["credits_attempted"])),
        text(courses.sum(&["credits_earned"])),
        discipline.state().to_owned(),
        text(discipline.count(incident)),
        text(discipline.sum(&["discipline_action_length", "discipline_action_2_length"])),
    ]
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// What tells an incident from others.
fn incident(row: &Row) -> String {
    let code = row.find_text("incident_identifier").or_else(|| row.find_text("state_incident_number"));
    let day = row.find_date("incident_date").or_else(|| row.find_date("discipline_date"));
    format!("{} {}", code.unwrap_or_default(), text(day))
}

/// Days of a whole year; those of a month only where the same school reports no year.
fn is_total(row: &Row, all: &[&Row]) -> bool {
    if row.find("event_date").is_some() {
        return false;
    }
    let school = |row: &Row| (row.find("local_education_agency_id").cloned(), row.find("school_id").cloned());
    let is_year = |row: &Row| row.find("month").is_none() && row.find("event_date").is_none();
    is_year(row) || !all.iter().any(|other| is_year(other) && school(other) == school(row))
}

/// The rows of a section that are of the year, and what of them may be told.
struct Told<'h> {
    section: Option<&'h Section>,
    rows: Vec<&'h Row>,
}

impl<'h> Told<'h> {
    fn of(section: Option<&'h Section>, year: SchoolYear) -> Self {
        let section = section.filter(|section| section.state != SectionState::NotPermitted);
        let rows = section.into_iter().flat_map(|section| &section.rows).filter(|row| year_of(row) == Some(year));
        Self { section, rows: rows.collect() }
    }

    fn keep(mut self, keeps: impl Fn(&Row, &[&Row]) -> bool) -> Self {
        let all = self.rows.clone();
        self.rows.retain(|row| keeps(row, &all));
        self
    }

    const fn state(&self) -> &'static str {
        match (self.section, self.rows.is_empty()) {
            (None, _) => "not_permitted",
            (Some(_), true) => "not_reported",
            (Some(_), false) => "reported",
        }
    }

    fn tells(&self, element: &str) -> bool {
        self.section.is_some_and(|section| !section.withheld.contains(&element))
    }

    /// How many there are, each once; nothing where nothing is reported.
    fn count(&self, name: impl Fn(&Row) -> String) -> Option<usize> {
        let names: BTreeSet<String> = self.rows.iter().map(|row| name(row)).collect();
        (!names.is_empty()).then_some(names.len())
    }

    /// Days of all rows together; nothing where one of them does not say: a part is not the whole.
    fn days(&self, element: &str) -> Option<i64> {
        if !self.tells(element) || self.rows.is_empty() {
            return None;
        }
        self.rows.iter().try_fold(0_i64, |sum, row| Some(sum.saturating_add(row.find(element)?.as_integer()?)))
    }

    /// The sum of what rows say; nothing where the source keeps one of the values back.
    fn sum(&self, elements: &[&str]) -> Option<Decimal> {
        let is_kept_back = |row: &&Row| elements.iter().any(|element| row.find(element) == Some(&Value::Suppressed));
        if self.rows.iter().any(is_kept_back) {
            return None;
        }
        let values = elements
            .iter()
            .filter(|element| self.tells(element))
            .flat_map(|element| self.rows.iter().filter_map(move |row| row.find(element).and_then(Value::as_decimal)));
        values
            .fold(None, |sum: Option<Decimal>, value| Some(Decimal(sum.map_or(0, |sum| sum.0).saturating_add(value.0))))
    }
}

/// The school year a row is about: as it says, or by its own day.
fn year_of(row: &Row) -> Option<SchoolYear> {
    let said = row.school_year.or_else(|| row.find_text("school_year")?.parse().ok());
    let day = || {
        ["incident_date", "discipline_date", "session_begin_date", "event_date"]
            .iter()
            .find_map(|day| row.find_date(day))
    };
    said.or_else(|| day().map(SchoolYear::containing))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domains::definition;
    use model::{BatchId, Lineage};

    use super::*;

    fn row(domain: Domain, line: u32, values: &[(&'static str, Value)]) -> Row {
        let name = |name: &str| definition(domain).find_element(name).expect("an element").name;
        Row {
            values: values.iter().map(|(element, value)| (name(element), value.clone())).collect::<BTreeMap<_, _>>(),
            school_year: Some(SchoolYear::containing("2026-10-01".parse().expect("a day"))),
            certification: Certification::Certified,
            source: Lineage {
                batch: BatchId(1),
                file: "invented".into(),
                line,
                recorded_on: "2026-11-01".parse().ok(),
                reported_on: None,
                sea: "ct".into(),
                person: None,
            },
        }
    }

    fn section(domain: Domain, rows: Vec<Row>) -> Section {
        let state = if rows.is_empty() { SectionState::NotReported } else { SectionState::Reported };
        Section { domain, state, rows, withheld: Vec::new(), awaited: None }
    }

    fn says(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn number(text: &str) -> Value {
        Value::Decimal(text.parse().expect("a number"))
    }

    /// The columns that are not empty, by name.
    fn check(sections: &[Section], expect: &[(&str, &str)]) {
        let values = derive(sections, "2026-11-20".parse().expect("a day"));
        let told: Vec<(&str, &str)> = COLUMNS.into_iter().skip(2).zip(values.iter().map(String::as_str)).collect();
        let told: Vec<_> = told.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        assert_eq!(told, expect);
    }

    fn days(line: u32, month: Option<&str>, school: &str, scheduled: i64, attended: i64) -> Row {
        let mut values = vec![
            ("school_id", says(school)),
            ("days_scheduled", Value::Integer(scheduled)),
            ("days_attended", Value::Integer(attended)),
        ];
        values.extend(month.map(|month| ("month", says(month))));
        row(Domain::Attendance, line, &values)
    }

    #[test]
    fn a_year_adds_up_across_schools_and_counts_nothing_twice() {
        let mut preliminary = days(4, Some("2026-11"), "3480115", 10, 9);
        preliminary.certification = Certification::Preliminary;
        let mut last_year = days(5, None, "0646311", 180, 90);
        last_year.school_year = Some(SchoolYear::containing("2025-10-01".parse().expect("a day")));
        let attendance = vec![
            days(1, None, "0646311", 40, 30),
            days(2, Some("2026-09"), "0646311", 20, 15),
            days(3, Some("2026-10"), "3480115", 10, 10),
            preliminary,
            last_year,
        ];
        let class = |line, earned: &str| {
            row(Domain::Course, line, &[("course_code", says("01001")), ("credits_earned", number(earned))])
        };
        let grade = row(Domain::Course, 9, &[("grade_type", says("Midterm")), ("credits_earned", number("1"))]);
        let action = |line, incident: &str, length: &str| {
            let values = [
                ("incident_identifier", says(incident)),
                ("discipline_action", says("Out-of-school suspension")),
                ("discipline_action_length", number(length)),
            ];
            row(Domain::Discipline, line, &values)
        };
        let seen = row(Domain::Discipline, 12, &[("incident_identifier", says("H-3"))]);
        check(
            &[
                section(Domain::Attendance, attendance),
                section(Domain::Course, vec![class(6, "0.5"), class(7, "0.25"), grade]),
                section(Domain::Discipline, vec![action(10, "H-1", "2"), action(11, "H-1", "1.5"), seen]),
            ],
            &[
                ("school_year", "2026-27"),
                ("certification", "preliminary"),
                ("reported_on", "2026-11-01"),
                ("attendance_state", "reported"),
                ("days_scheduled", "60"),
                ("days_attended", "49"),
                ("attendance_rate", "0.8167"),
                ("course_state", "reported"),
                ("courses", "2"),
                ("credits_earned", "0.75"),
                ("discipline_state", "reported"),
                ("incidents", "1"),
                ("days_sanctioned", "3.5"),
            ],
        );
    }

    #[test]
    fn not_reported_and_not_permitted_are_no_numbers() {
        let withheld = Section {
            withheld: vec!["days_attended"],
            ..section(Domain::Attendance, vec![days(1, None, "1", 40, 30)])
        };
        let closed = Section { state: SectionState::NotPermitted, ..section(Domain::Discipline, Vec::new()) };
        check(
            &[withheld, section(Domain::Course, Vec::new()), closed],
            &[
                ("school_year", "2026-27"),
                ("certification", "certified"),
                ("reported_on", "2026-11-01"),
                ("attendance_state", "reported"),
                ("days_scheduled", "40"),
                ("course_state", "not_reported"),
                ("discipline_state", "not_permitted"),
            ],
        );
    }
}
