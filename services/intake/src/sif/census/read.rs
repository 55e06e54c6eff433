//! Reads a census set by the layouts of its files.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufRead, BufReader},
    ops::ControlFlow,
    path::Path,
};

use chrono::NaiveDate;
use model::{Period, SchoolYear};
use reference::tables::Tables;
use unicode_normalization::UnicodeNormalization as _;

use super::{Census, Enrollment, Household, Location, Membership, Person, Relationship};
use crate::{
    Error, Finding, Layout, Severity,
    layout::DateForm,
    layouts,
    read::{
        engine::{self, Event},
        value,
    },
};

/// The files of a set, without `.csv`; the layout of each is `census-` and its name.
pub const FILES: [&str; 6] = ["person", "household", "membership", "location", "relationship", "enrollment"];

/// Whether a folder holds a census set: its relationships and its persons tell it.
pub fn is_set(folder: &Path) -> bool {
    ["relationship", "person"].iter().all(|name| folder.join(format!("{name}.csv")).is_file())
}

/// A record by the names of its fields.
struct Fields<'a> {
    layout: &'a Layout,
    cells: &'a [&'a str],
}

impl Fields<'_> {
    fn text(&self, name: &str) -> String {
        let index = self.layout.index_of(name);
        index.and_then(|index| self.cells.get(index)).map_or_else(String::new, |text| text.trim().nfc().collect())
    }

    fn yes(&self, name: &str) -> bool {
        matches!(self.text(name).as_str(), "Y" | "1")
    }

    fn date(&self, name: &str) -> Option<NaiveDate> {
        value::date(&self.text(name), DateForm::Iso)
    }

    /// The days of a record; the layout has refused one that ends before it begins.
    fn days(&self) -> Period {
        Period::new(self.date("start_date"), self.date("end_date")).unwrap_or_default()
    }
}

/// Reads the set in a folder. What is wrong goes to `sink` with the name of its file; a wrong record is left out.
pub(crate) fn read_set(folder: &Path, sink: &mut dyn FnMut(&str, Finding)) -> Result<Census, Error> {
    let mut census = Census::default();
    for name in FILES {
        let file_name = format!("{name}.csv");
        let path = folder.join(&file_name);
        if !path.is_file() {
            let message = format!("the set has no {file_name}; nothing can be published without it");
            sink(&file_name, Finding::new(0, "census.incomplete", Severity::Fatal, message));
            continue;
        }
        let file = File::open(&path).map_err(|error| Error::unavailable(format!("open {file_name}"), error))?;
        read_file(name, &mut BufReader::new(file), &mut census, &mut |finding| sink(&file_name, finding))?;
    }
    let mut ids = HashSet::new();
    for person in &census.persons {
        if !ids.insert(person.person_id.as_str()) {
            let message = "two records have the same person_id: whose address and phone are meant is not known";
            sink("person.csv", Finding::new(person.line, "person.repeated", Severity::Fatal, message));
        }
    }
    Ok(census)
}

/// Reads one file of a set into it.
pub(crate) fn read_file(
    name: &str,
    reader: &mut dyn BufRead,
    census: &mut Census,
    sink: &mut dyn FnMut(Finding),
) -> Result<(), Error> {
    let id = format!("census-{name}");
    let (Some(layout), Some(tables)) = (layouts::find(&id), Tables::builtin("sif")) else {
        return Err(Error::Corrupt(format!("there is no layout {id}")));
    };
    engine::run(reader, layout, tables, &mut |event| {
        match event {
            Event::File(finding) => sink(finding),
            Event::Bad { findings, .. } => findings.into_iter().for_each(&mut *sink),
            Event::Good { record, findings, .. } => {
                findings.into_iter().for_each(&mut *sink);
                let fields = Fields { layout, cells: record.cells };
                if let Some(finding) = take(name, record.line, &fields, census) {
                    sink(finding);
                }
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(())
}

fn take(name: &str, line: u32, fields: &Fields<'_>, census: &mut Census) -> Option<Finding> {
    let text = |name: &str| fields.text(name);
    match name {
        "person" => census.persons.push(person(line, fields)),
        "household" => {
            census.households.push(Household { household_id: text("household_id"), phone: text("household_phone") });
        }
        "membership" => census.memberships.push(Membership {
            membership_id: text("membership_id"),
            household_id: text("household_id"),
            person_id: text("person_id"),
            days: fields.days(),
            is_secondary: fields.yes("secondary"),
            is_private: fields.yes("private"),
        }),
        "location" => census.locations.push(location(fields)),
        "relationship" => census.relationships.push(Relationship {
            line,
            relationship_id: text("relationship_id"),
            person_id: text("person_id"),
            contact_person_id: text("contact_person_id"),
            relation: text("relation"),
            is_guardian: fields.yes("guardian"),
            sequence: text("sequence"),
            days: fields.days(),
            ref_id: super::super::check::guid(&text("ref_id")),
        }),
        _ => {
            let Some(school_year) = school_year(&text("school_year")) else {
                let message = "A school year reads 2025-2026, or 2026 for the year that ends in 2026.";
                let mut finding = Finding::new(line, "school_year.invalid", Severity::Error, message);
                finding.field = Some("school_year".to_owned());
                return Some(finding);
            };
            census.enrollments.push(Enrollment {
                person_id: text("person_id"),
                school_year,
                is_excluded: fields.yes("excluded"),
                is_calendar_excluded: fields.yes("calendar_excluded"),
            });
        }
    }
    None
}

fn person(line: u32, fields: &Fields<'_>) -> Person {
    let text = |name: &str| fields.text(name);
    Person {
        line,
        person_id: text("person_id"),
        state_id: text("state_id"),
        student_personal_ref_id: super::super::check::guid(&text("student_personal_ref_id")),
        last_name: text("last_name"),
        first_name: text("first_name"),
        middle_name: text("middle_name"),
        suffix: text("suffix"),
        alias: text("alias"),
        gender: text("gender"),
        birth_date: fields.date("birth_date"),
        cell_phone: text("cell_phone"),
        work_phone: text("work_phone"),
        email: text("email"),
        is_excluded: fields.yes("excluded"),
    }
}

fn location(fields: &Fields<'_>) -> Location {
    let text = |name: &str| fields.text(name);
    Location {
        location_id: text("location_id"),
        household_id: text("household_id"),
        days: fields.days(),
        is_secondary: fields.yes("secondary"),
        is_private: fields.yes("private"),
        is_post_office_box: fields.yes("post_office_box"),
        number: text("number"),
        prefix: text("prefix"),
        street: text("street"),
        tag: text("tag"),
        dir: text("dir"),
        apartment: text("apartment"),
        city: text("city"),
        state: text("state").to_ascii_uppercase(),
        zip: text("zip"),
    }
}

/// A school year in words of the census or of SIF, which names a year by the one it ends in.
pub(crate) fn school_year(text: &str) -> Option<SchoolYear> {
    match text.len() {
        4 => text.parse::<i16>().ok().filter(|year| (1901..=2200).contains(year)).map(|year| SchoolYear(year - 1)),
        _ => text.parse().ok(),
    }
}
