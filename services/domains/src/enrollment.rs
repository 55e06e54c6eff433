//! Registrations, changes, exits and collection snapshots, folded into spells.

mod elements;

pub(crate) use elements::to_message;
use model::Domain;

use crate::{Definition, Kind};

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
    ],
};

mod spells;

/// Folds registrations, changes, exits and collection snapshots into spells: one row a stay at one school.
///
/// The rules, per source person (a state reports its own events in order; another state's are side by side):
/// 1. A registration begins a spell in its district; an unregistration ends the district's latest spell begun by then.
/// 2. A spell still open when another district registers the student later ends the day before (`exit_basis`:
///    registered elsewhere).
/// 3. A collection snapshot says which school the student attends. A snapshot at another school than the one before splits the spell:
///    between two school years at their boundary, within a year at the snapshot's day (`exit_basis`: collection).
///    A snapshot in a district without registration makes a spell of its own, with no entry date.
/// 4. A change record has no date: it adds what it says to the district's latest spell, and another school begins a stay without entry date.
/// 5. A source's own association (Ed-Fi) is a spell as it stands.
/// 6. Spells that overlap in two districts both stay; the later begun is shown first (`primary_spell`).
pub(crate) fn fold(facts: &[&crate::StoredFact], organizations: &crate::Organizations) -> Vec<model::Row> {
    let mut spells: Vec<spells::Spell> = Vec::new();
    for person_facts in facts.chunk_by(|a, b| a.source_person == b.source_person) {
        spells.extend(spells::of_person(person_facts));
    }
    spells.sort_by(spells::Spell::compare);
    let mut spells = spells::join_concealed(spells);
    spells::mark_overlaps(&mut spells);
    spells.into_iter().map(|spell| spell.into_row(organizations)).collect()
}
