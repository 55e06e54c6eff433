//! Who the student is: names, birth date, demographics. Stored by `identity` alone.

mod elements;

pub(crate) use elements::to_message;
use model::Domain;

use crate::{Definition, Kind, fold::EXCLUSION};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Student,
    label: "Student",
    elements: elements::ELEMENTS,
    kinds: &[
        Kind { name: "person", key: &["state_id"] },
        Kind { name: "registration", key: &["local_education_agency_id"] },
        Kind { name: "collection", key: &["collection", "school_year", "local_education_agency_id"] },
        Kind { name: EXCLUSION, key: &[] },
    ],
};

/// One row a source person: of each element the value learned last, a person or registration record before a collection
/// when both were learned in the same batch. Its lineage is that of the last report that gave a value which may be shown. A student with several
/// state ids has several rows.
pub(crate) fn fold(facts: &[&crate::StoredFact]) -> Vec<model::Row> {
    let mut facts = facts.to_vec();
    // What was lent another report's lineage yields to that report.
    facts.sort_by_key(|fact| (fact.source_person, fact.learned(), !fact.concealed));
    let mut rows: Vec<(model::SourcePersonId, model::Row)> = Vec::new();
    for fact in facts {
        let row = fact.to_row();
        match rows.last_mut() {
            Some((person, merged)) if *person == fact.source_person => {
                if !row.values.is_empty() {
                    merged.source = row.source;
                }
                merged.values.extend(row.values);
            }
            _ => rows.push((fact.source_person, row)),
        }
    }
    rows.into_iter().map(|(_, row)| row).collect()
}
