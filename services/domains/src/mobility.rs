//! Moves, gaps and overlaps: derived from disclosed enrollment, never stored.

mod elements;

pub(crate) use elements::to_message;
use model::Domain;

use crate::{
    Definition,
    calendar::{Calendar, find_calendar},
};

/// The domain as data.
pub const DEFINITION: Definition =
    Definition { domain: Domain::Mobility, label: "Mobility", elements: elements::ELEMENTS, kinds: &[] };

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDate};
use model::{BatchId, Certification, Lineage, Row, SchoolYear, Value};

/// Days out of school between two stays from which they count as a gap; the state's summer ([`crate::calendar`]) does not count.
pub const GAP_DAYS_MIN: i64 = 10;

/// Derives mobility: one row for the whole life (no school year), then one for each school year with an entry.
///
/// A move is two stays in a row at different schools; it is within the school year when the later begins from October to June. A
/// gap is more than [`GAP_DAYS_MIN`] days between the last exit so far and the next entry, the summer of the state that is entered left out; where an
/// exit is not known, none is counted. Only rows that are
/// disclosed are looked at, so nothing can be learned here that enrollment does not say.
pub(crate) fn derive(enrollment: &[Row]) -> Vec<Row> {
    if enrollment.is_empty() {
        return Vec::new();
    }
    let mut life = Tally::default();
    let mut years: BTreeMap<SchoolYear, Tally> = BTreeMap::new();
    let mut previous: Option<&Row> = None;
    let mut covered = Covered::default();
    for row in enrollment {
        let year = row.find_date("entry_date").map(SchoolYear::containing).or(row.school_year);
        let is_school = row.find("stay_basis").is_none();
        let out = if is_school { covered.days_out(row) } else { 0 };
        life.add(previous, row, out);
        if let Some(year) = year {
            years.entry(year).or_default().add(previous, row, out);
        }
        // A stay in a second facility or program lies within a stay at a school.
        if is_school {
            covered.add(row);
            previous = Some(row);
        }
    }
    let mut rows = vec![life.into_row(None)];
    rows.extend(years.into_iter().map(|(year, tally)| tally.into_row(Some(year))));
    rows
}

#[derive(Default)]
struct Tally {
    schools: std::collections::BTreeSet<String>,
    districts: std::collections::BTreeSet<String>,
    between_districts: i64,
    within_district: i64,
    within_year: i64,
    gaps: i64,
    days_out: i64,
    overlaps: i64,
    facility_stays: i64,
}

impl Tally {
    fn add(&mut self, previous: Option<&Row>, row: &Row, days_out: i64) {
        if row.find("stay_basis").is_some() {
            self.facility_stays += i64::from(row.find("facility_2_id").is_some());
            return;
        }
        self.schools.extend(school(row));
        self.districts.extend(district(row));
        self.overlaps += i64::from(row.find("primary_spell") == Some(&Value::Boolean(true)));
        if days_out > GAP_DAYS_MIN {
            self.gaps += 1;
            self.days_out += days_out;
        }
        let Some(previous) = previous else { return };
        let moved = school(previous) != school(row);
        let changed_district = district(previous) != district(row);
        if changed_district {
            self.between_districts += 1;
        } else if moved {
            self.within_district += 1;
        }
        let entry = row.find_date("entry_date");
        if (moved || changed_district) && entry.is_some_and(|day| day.month() >= 10 || day.month() <= 6) {
            self.within_year += 1;
        }
    }

    fn into_row(self, year: Option<SchoolYear>) -> Row {
        let mut values = BTreeMap::new();
        if let Some(year) = year {
            values.insert("school_year", Value::Text(year.to_string()));
        }
        let counts = [
            ("schools", self.schools.len() as i64),
            ("districts", self.districts.len() as i64),
            ("moves_between_districts", self.between_districts),
            ("moves_within_district", self.within_district),
            ("moves_within_school_year", self.within_year),
            ("gaps", self.gaps),
            ("days_out_of_school", self.days_out),
            ("overlaps", self.overlaps),
            ("facility_stays", self.facility_stays),
        ];
        values.extend(counts.map(|(name, count)| (name, Value::Integer(count))));
        let source = Lineage {
            batch: BatchId(0),
            file: "derived".into(),
            line: 0,
            recorded_on: None,
            reported_on: None,
            sea: "".into(),
            person: None,
        };
        Row { values, school_year: year, certification: Certification::Certified, source }
    }
}

/// How far the stays so far reach: a gap is between the last of their ends and the next entry, whichever stay began last.
#[derive(Default)]
struct Covered {
    until: Option<NaiveDate>,
    /// The stay before ended on a day that is not known.
    is_uncertain: bool,
    /// One of them has not ended.
    is_open: bool,
}

impl Covered {
    fn days_out(&self, row: &Row) -> i64 {
        match (self.until, row.find_date("entry_date")) {
            (Some(exit), Some(entry)) if !self.is_uncertain && !self.is_open => {
                days_out_between(exit, entry, find_calendar(&row.source.sea))
            }
            _ => 0,
        }
    }

    fn add(&mut self, row: &Row) {
        let exit = row.find_date("exit_withdraw_date");
        self.is_uncertain = exit.is_none() && row.find("exit_basis").is_some();
        self.is_open |= exit.is_none() && !self.is_uncertain;
        self.until = self.until.max(exit);
    }
}

fn school(row: &Row) -> Option<String> {
    row.find_text("school_id").or_else(|| row.find_text("school_name")).map(str::to_owned)
}

fn district(row: &Row) -> Option<String> {
    row.find_text("local_education_agency_id")
        .or_else(|| row.find_text("local_education_agency_name"))
        .map(str::to_owned)
}

/// Days strictly between an exit and the next entry, summer left out.
fn days_out_between(exit: NaiveDate, entry: NaiveDate, calendar: &Calendar) -> i64 {
    exit.iter_days()
        .skip(1)
        .take_while(|day| *day < entry)
        .take(DAYS_LOOKED_AT_MAX)
        .filter(|day| !calendar.is_summer(*day))
        .count() as i64
}

/// A gap longer than this is counted as this long: twenty years.
const DAYS_LOOKED_AT_MAX: usize = 7_300;
