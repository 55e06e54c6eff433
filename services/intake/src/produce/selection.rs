//! What is known of a student, person by person, and which of it the source's criteria select.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use model::{Domain, Row, SchoolYear, Section, SectionState, SourcePersonId, Value};

use super::{Extent, Options};

/// A disclosed history, as far as it is one state's.
#[derive(Clone, Copy)]
pub(super) struct History<'h> {
    sections: &'h [Section],
    sea: &'h str,
}

/// One of the state's persons that the student is.
#[derive(Clone, Copy)]
pub(super) struct Person<'h> {
    pub id: Option<SourcePersonId>,
    /// What is known of them as a person.
    pub row: &'h Row,
}

impl<'h> History<'h> {
    pub(super) const fn new(sections: &'h [Section], sea: &'h str) -> Self {
        Self { sections, sea }
    }

    pub(super) fn section(&self, domain: Domain) -> Option<&'h Section> {
        self.sections.iter().find(|section| section.domain == domain)
    }

    /// Whether the agreement lets the element be told at all. Elements that reveal another agency are never listed as withheld.
    pub(super) fn is_permitted(&self, domain: Domain, element: &str) -> bool {
        self.section(domain)
            .is_some_and(|section| section.state != SectionState::NotPermitted && !section.withheld.contains(&element))
    }

    /// The rows of a domain that the state reported, in the domain's order.
    fn of_state(&self, domain: Domain) -> impl Iterator<Item = &'h Row> + use<'h> {
        let sea = self.sea;
        self.section(domain).into_iter().flat_map(|section| &section.rows).filter(move |row| &*row.source.sea == sea)
    }

    /// The state's persons, whether excluded from its reports or not.
    pub(super) fn persons(&self) -> impl Iterator<Item = Person<'h>> + use<'h> {
        self.of_state(Domain::Student).map(|row| Person { id: row.source.person, row })
    }

    pub(super) fn rows(&self, domain: Domain, person: &Person<'_>) -> impl Iterator<Item = &'h Row> + use<'h> {
        let id = person.id;
        self.of_state(domain).filter(move |row| row.source.person == id)
    }

    /// The districts and schools that the state's students are reported at.
    pub(super) fn places(&self) -> impl Iterator<Item = &'h str> {
        let of_row = |row: &'h Row| ["local_education_agency_id", "school_id"].map(|element| row.find_text(element));
        self.of_state(Domain::Enrollment).flat_map(of_row).flatten()
    }

    /// All that the state reported, of whatever domain.
    fn all(&self) -> impl Iterator<Item = &'h Row> + use<'h> {
        let sea = self.sea;
        self.sections.iter().flat_map(|section| &section.rows).filter(move |row| &*row.source.sea == sea)
    }

    /// Rows of the domain that no person with an identifier answers for.
    pub(super) fn has_rows(&self, domain: Domain) -> bool {
        self.of_state(domain).next().is_some()
    }

    /// The stays at schools that the source's criteria select, by entry date: the exit lies behind the report's first day and behind the
    /// entry, the entry not behind the report's last day.
    pub(super) fn enrolled(&self, person: &Person<'_>, options: &Options) -> Vec<&'h Row> {
        let selected = |row: &&Row| {
            let Some(entry) = row.find_date("entry_date") else { return false };
            let exit = row.find_date("exit_withdraw_date");
            exit.is_none_or(|exit| exit > entry && options.from.is_none_or(|from| exit > from))
                && options.to.is_none_or(|to| entry <= to)
        };
        self.reported(person, options).filter(selected).collect()
    }

    /// The stays that are not excluded from state reporting, at schools that the report takes in.
    fn reported<'o>(&self, person: &Person<'_>, options: &'o Options) -> impl Iterator<Item = &'h Row> + use<'h, 'o> {
        self.rows(Domain::Enrollment, person)
            .filter(|row| !is_excluded(row) && !is_of_excluded_school(row, options) && is_reported_place(row, options))
    }

    /// The stays on the report's last day.
    pub(super) fn active(&self, person: &Person<'_>, options: &Options) -> Vec<&'h Row> {
        let day = options.to.unwrap_or(options.today);
        let selected = |row: &&Row| {
            row.find_date("entry_date").is_some_and(|entry| entry <= day)
                && row.find_date("exit_withdraw_date").is_none_or(|exit| exit >= day)
                && row.find("exit_basis").is_none_or(|_| row.find_date("exit_withdraw_date").is_some())
        };
        self.reported(person, options).filter(selected).collect()
    }
}

/// Whether the source excludes what the row is about from state reporting.
pub(super) fn is_excluded(row: &Row) -> bool {
    row.find("excluded_from_reporting").and_then(Value::as_boolean) == Some(true)
}

/// Whether the row is about a school that the report leaves out.
pub(super) fn is_of_excluded_school(row: &Row, options: &Options) -> bool {
    let school = row.find_text("school_id");
    school.is_some_and(|school| options.excluded_schools.iter().any(|excluded| excluded == school))
}

/// Whether a stay is at a district and school that the report is for.
fn is_reported_place(stay: &Row, options: &Options) -> bool {
    let is_for = |wanted: &[String], element| wanted.is_empty() || is_one_of(stay.find_text(element), wanted);
    is_for(&options.districts, "local_education_agency_id") && is_for(&options.schools, "school_id")
}

fn is_one_of(code: Option<&str>, wanted: &[String]) -> bool {
    code.is_some_and(|code| wanted.iter().any(|one| one == code))
}

/// Whether a row is about a district and school that the report is for. One that names no school, or no district either, is that of the
/// student's stays there (`stays`, as the report selects them).
pub(super) fn is_of_report(row: &Row, stays: &[&Row], options: &Options) -> bool {
    let (lea, school) = (row.find_text("local_education_agency_id"), row.find_text("school_id"));
    let of_stays = |element, code: &str| stays.iter().any(|stay| stay.find_text(element) == Some(code));
    if options.districts.is_empty() && options.schools.is_empty() {
        return true;
    }
    let in_district = match lea {
        Some(lea) if options.districts.is_empty() => school.is_some() || of_stays("local_education_agency_id", lea),
        Some(_) => is_one_of(lea, &options.districts),
        None => !stays.is_empty(),
    };
    let at_school = match school {
        Some(_) if options.schools.is_empty() => true,
        Some(_) => is_one_of(school, &options.schools),
        None => options.schools.is_empty() || !stays.is_empty(),
    };
    in_district && at_school
}

/// Whether the report can be for the student, by who that is and where they were ever reported: never narrower than what selects rows. Where the report
/// names students it is for each of them: that one was never in a district is told of them by leaving them out.
pub(super) fn is_for(history: History<'_>, options: &Options) -> bool {
    let is_at = |codes: &[String], element| {
        codes.is_empty() || history.all().any(|row| is_one_of(row.find_text(element), codes))
    };
    // Of whom the agreement does not let it be told who they are it cannot be told that they are others.
    let is_untold = history.persons().next().is_none() && history.all().next().is_some();
    if let Some(students) = &options.students {
        return is_untold || history.persons().any(|person| is_named(&person, students.expose()));
    }
    (is_untold || history.persons().any(|person| is_asked_for(&person, options).is_ok()))
        && is_at(&options.districts, "local_education_agency_id")
        && is_at(&options.schools, "school_id")
}

/// Whether the report is for the student at all; what is to be said if not.
pub(super) fn why_left_out(person: &Person<'_>, options: &Options) -> Option<(&'static str, &'static str)> {
    if is_excluded(person.row) {
        return Some(("selection.excluded", "the student is excluded from state reporting and left out"));
    }
    is_asked_for(person, options).err()
}

fn is_named(person: &Person<'_>, students: &BTreeSet<String>) -> bool {
    person.row.find_text("state_id").is_some_and(|id| students.contains(id))
}

/// Whether the report names or marks the student, where it is for some; what is to be said if not.
fn is_asked_for(person: &Person<'_>, options: &Options) -> Result<(), (&'static str, &'static str)> {
    if options.students.as_ref().is_some_and(|students| !is_named(person, students.expose())) {
        return Err(("selection.not_named", "the report is for other students; the student is left out"));
    }
    if options.extent == Extent::Partial && person.row.find("partial_file").and_then(Value::as_boolean) != Some(true) {
        return Err(("selection.partial_file", "the student is not marked for partial files and left out"));
    }
    Ok(())
}

/// Whether a day lies within the report's dates.
pub(super) fn within(day: NaiveDate, options: &Options) -> bool {
    options.from.is_none_or(|from| from <= day) && options.to.is_none_or(|to| day <= to)
}

/// Whether a school year overlaps the report's dates.
pub(super) fn overlaps(year: SchoolYear, options: &Options) -> bool {
    options.from.is_none_or(|from| from <= year.last_day()) && options.to.is_none_or(|to| year.first_day() <= to)
}

/// A text as an element gives it, for telling rows apart.
pub(super) fn told(row: &Row, element: &str) -> String {
    row.find(element).map(Value::to_plain).unwrap_or_default()
}
