//! What has not come: beside what is disclosed of a domain, the collection that is due and that the student's district has not reported.
//!
//! It is said of the sections as they are disclosed, of the day, and of what has come of districts whoever it was about. Nothing else of a student has a
//! say: so whatever another agency knows of a child changes nothing here that it does not change in what is disclosed.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use model::{Domain, Section};
use reference::collections::{Come, Due, due_on};
use sqlx::PgConnection;

use crate::{Error, store::reported};

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
    ) -> Result<Self, Error> {
        let due = due_on(day);
        let districts: Vec<String> = districts.iter().cloned().collect();
        let come = reported::list_come(conn, &due, &districts).await?;
        Ok(Self { due: due.into_iter().zip(come).collect() })
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

    /// A text that is another one as soon as anything that could be said of a student of these districts is.
    pub(crate) fn stamp(&self, districts: &BTreeSet<String>) -> String {
        let said = |(Due { domain, instance }, come): &(Due, Come)| {
            let of_these: Vec<&str> = come.districts.intersection(districts).map(String::as_str).collect();
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
