//! Who the student is, without the days on which a hidden stay made someone report it.
//!
//! A return home is a registration, and its line tells the student's names once more. The event is taken out of the enrollment; the block that
//! says who the student is would name its file and line, and the day it came. Its values stay, as if home had told them in the report that is
//! nearest: one that is told in any case.

use std::collections::HashSet;

use model::{Domain, Lineage};

use super::{Home, words::leads_to_other_agency};
use crate::StoredFact;

/// The home district's enrollment reports, before any of them goes; none where nothing tells of a stay elsewhere.
pub(super) fn reports(facts: &[StoredFact]) -> Vec<StoredFact> {
    if !facts.iter().any(|fact| fact.concealed || names_second_facility(fact) || leads_to_other_agency(fact)) {
        return Vec::new();
    }
    facts.iter().filter(|fact| fact.domain == Domain::Enrollment && !fact.concealed).cloned().collect()
}

/// Lends what was moved home, and what the lines of hidden events say of the person, the lineage of the nearest report that is not hidden.
/// `reports` are those there were before the hidden ones were taken out.
pub(super) fn untie(facts: &mut [StoredFact], reports: &[StoredFact]) {
    if reports.is_empty() {
        return;
    }
    let is_enrollment = |fact: &&StoredFact| fact.domain == Domain::Enrollment && !is_of_second_facility(fact, reports);
    let left: HashSet<Lineage> =
        facts.iter().filter(is_enrollment).filter(|fact| !fact.concealed).map(|fact| fact.source.clone()).collect();
    let homes: Vec<Home> = reports.iter().filter(|fact| left.contains(&fact.source)).filter_map(Home::of).collect();
    for fact in facts.iter_mut().filter(|fact| fact.domain == Domain::Enrollment && fact.concealed) {
        if let Some(home) = Home::nearest(&homes, fact, fact.lea.as_deref()) {
            fact.source = home.source.clone();
        }
    }
    let shown: HashSet<Lineage> = facts.iter().filter(is_enrollment).map(|fact| fact.source.clone()).collect();
    for fact in facts.iter_mut().filter(|fact| fact.domain == Domain::Student && !shown.contains(&fact.source)) {
        let hidden = reports.iter().find(|report| report.source == fact.source);
        if let Some(home) = hidden.and_then(|hidden| Home::nearest(&homes, hidden, None)) {
            fact.source = home.source.clone();
            fact.concealed = true;
        }
    }
}

fn names_second_facility(fact: &StoredFact) -> bool {
    ["facility_2_id", "special_program_status"].into_iter().any(|element| fact.find(element).is_some())
}

/// Whether it is a change record that a second facility or special program made: one that names it, or one of the same school and grade that
/// says it is over.
fn is_of_second_facility(fact: &StoredFact, reports: &[StoredFact]) -> bool {
    let what = |fact: &StoredFact| (fact.source_person, fact.lea.clone(), fact.facility.clone());
    let is_change = |fact: &StoredFact| fact.kind == "change";
    is_change(fact)
        && reports.iter().any(|other| {
            is_change(other)
                && names_second_facility(other)
                && what(other) == what(fact)
                && other.find("grade_level") == fact.find("grade_level")
        })
}
