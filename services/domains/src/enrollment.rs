//! Registrations, changes, exits and collection snapshots, folded into stays.
#![doc = include_str!("enrollment/RULES.md")]

mod basis;
mod district;
mod elements;
mod program;
mod row;
mod school;
#[cfg(test)]
mod tests;

pub use basis::{IMPLIED, is_implied};
pub(crate) use elements::to_message;
use model::{Domain, Row};

use crate::{
    Definition, Kind, Organizations, StoredFact,
    fold::{EXCLUSION, mark_excluded},
};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Enrollment,
    label: "Enrollment",
    elements: elements::ELEMENTS,
    kinds: &[
        Kind { name: "register", key: &["local_education_agency_id", "entry_date"] },
        Kind { name: "change", key: &["local_education_agency_id", "school_id", "grade_level", "facility_2_id"] },
        Kind { name: "unregister", key: &["local_education_agency_id", "exit_withdraw_date"] },
        Kind { name: "collection", key: &["collection", "school_year", "local_education_agency_id", "school_id"] },
        Kind { name: "association", key: &["school_id", "entry_date"] },
        Kind { name: EXCLUSION, key: &["local_education_agency_id", "school_id", "entry_date"] },
    ],
};

/// Folds registrations, changes, exits and collection snapshots into rows: one a stay at one school, and one a stay in a second facility or
/// special program. A state reports its own events in order; another state's stand beside them.
pub(crate) fn fold(facts: &[&StoredFact], organizations: &Organizations) -> Vec<Row> {
    let mut schools: Vec<school::SchoolStay<'_>> = Vec::new();
    let mut programs: Vec<program::ProgramStay<'_>> = Vec::new();
    for person_facts in facts.chunk_by(|a, b| a.source_person == b.source_person) {
        let of_kind = |kind: &str| person_facts.iter().copied().filter(|fact| fact.kind == kind).collect::<Vec<_>>();
        let snapshots = in_order(of_kind("collection"));
        let districts = district::stays(of_kind("register"), &of_kind("unregister"), &snapshots);
        schools.extend(school::stays(&districts, &of_kind("change")));
        schools.extend(of_kind("association").into_iter().map(school::SchoolStay::of_association));
        programs.extend(program::stays(&snapshots, &of_kind("register"), &of_kind("change")));
    }
    schools.sort_by(school::SchoolStay::compare);
    let primary = school::primary(&schools);
    let mut rows: Vec<_> = schools
        .iter()
        .zip(primary)
        .map(|(stay, primary)| (stay.order(), row::of_school(stay, primary, organizations)))
        .collect();
    rows.extend(programs.iter().map(|stay| (stay.order(), row::of_program(stay, organizations))));
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    mark_excluded(&mut rows, facts);
    rows
}

/// The day a snapshot is about.
fn snapshot_day(fact: &StoredFact) -> Option<chrono::NaiveDate> {
    fact.find_date("snapshot_date")
        .or_else(|| fact.valid.from())
        .or_else(|| fact.school_year.map(model::SchoolYear::first_day))
}

/// By the day they are about, then as they were learned.
fn in_order(mut snapshots: Vec<&StoredFact>) -> Vec<&StoredFact> {
    snapshots.sort_by_key(|fact| (snapshot_day(fact), fact.learned()));
    snapshots
}
