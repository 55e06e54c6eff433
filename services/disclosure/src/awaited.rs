//! What has not come: beside what is disclosed of a domain, the collection that is due and that the student's district has not reported.
//!
//! It is said of the sections as they are disclosed, of the day, and of what has come of districts whoever it was about. Nothing else of a student has a
//! say: two students who are shown at one district on a collection's day read the same, whichever of them another agency knows. A report of another
//! agency's facility, which is disclosed as home's, counts as home's ([`Come::add`]).
//!
//! The lines are content: all that they say is in the digest, and what they follow from is in the stamp ([`Collected::stamp`]). Neither holds the day on
//! which it is told. So a day that passes sends nothing again, and a collection that comes, or another one that is due now, sends it once.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use domains::Organizations;
use model::{Domain, Section};
use reference::{
    collections::{Come, Due, due_on},
    revealing_codes,
};
use sqlx::PgConnection;

use crate::{
    Error,
    store::reported::{self, Noted},
};

const DISTRICT: &str = "local_education_agency_id";

/// What was due on a day, and what has come of it of some districts.
pub(crate) struct Collected {
    due: Vec<(Due, Come)>,
}

impl Collected {
    /// Looks at what was known at the transaction's moment of what these districts, by code, owed on a day. It asks the same whoever is asked about.
    pub(crate) async fn load(
        conn: &mut PgConnection,
        day: NaiveDate,
        districts: &BTreeSet<String>,
        organizations: &Organizations,
    ) -> Result<Self, Error> {
        let due = due_on(day);
        let districts: Vec<String> = districts.iter().cloned().collect();
        let noted = reported::list_noted(conn, &due, &districts, &revealing_codes(organizations)).await?;
        Ok(Self::of(due.into_iter().zip(noted), organizations))
    }

    /// What the notes of each collection come to.
    fn of(noted: impl IntoIterator<Item = (Due, Noted)>, organizations: &Organizations) -> Self {
        let come = |(due, noted): (Due, Noted)| {
            let mut come = Come { is_begun: noted.is_begun, is_usual: noted.is_usual, ..Come::default() };
            noted.reports.iter().for_each(|report| come.add(&due.instance.collection.sea, report, organizations));
            (due, come)
        };
        Self { due: noted.into_iter().map(come).collect() }
    }

    /// Says of each section what has not come.
    pub(crate) fn mark(&self, sections: &mut [Section]) {
        let enrollment = sections.iter().find(|section| section.domain == Domain::Enrollment);
        let stays = enrollment.map_or(&[][..], |section| &section.rows);
        let of = |section: &Section| self.due.iter().find_map(|(due, come)| due.awaited(section, stays, come));
        let awaited: Vec<_> = sections.iter().map(of).collect();
        for (section, awaited) in sections.iter_mut().zip(awaited) {
            section.awaited = awaited;
        }
    }

    /// A text that is another one as soon as anything that could be said of a student of these districts is: which collections are due, and what has come
    /// of them. It is the same from day to day until one of these changes.
    pub(crate) fn stamp(&self, districts: &BTreeSet<String>) -> String {
        let said = |(Due { domain, instance }, come): &(Due, Come)| {
            let of_these: Vec<&str> = districts.iter().map(String::as_str).filter(|code| come.is_of(code)).collect();
            let (sea, id, year) = (&instance.collection.sea, &instance.collection.id, instance.school_year);
            format!("{sea} {id} {year} {domain} {} {} {}", come.is_begun, come.is_usual, of_these.join(","))
        };
        self.due.iter().map(said).collect::<Vec<_>>().join(";")
    }
}

/// The districts, by code, that these sections name as those of a student's stays.
pub(crate) fn districts_of<'s>(sections: impl IntoIterator<Item = &'s [Section]>) -> BTreeSet<String> {
    let rows = sections.into_iter().flatten().filter(|section| section.domain == Domain::Enrollment);
    rows.flat_map(|section| &section.rows).filter_map(|row| row.find_text(DISTRICT)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
