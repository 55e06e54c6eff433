//! Parents and guardians. Holds names: same role and same erasure as `identity`.

mod elements;

pub(crate) use elements::to_message;
use model::Domain;

use crate::{Definition, Kind};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Contact,
    label: "Contacts",
    elements: elements::ELEMENTS,
    kinds: &[Kind { name: "parent", key: &["contact_id"] }],
};

/// One row a contact: for the same contact the record learned last, in the order the source names them.
pub(crate) fn fold(facts: &[&crate::StoredFact]) -> Vec<model::Row> {
    let mut rows: Vec<model::Row> = facts.iter().map(|fact| fact.to_row()).collect();
    for row in &mut rows {
        // Whoever may not see it has been given an ordinary relationship before.
        if row.find_text("relation").is_some_and(crate::names_other_agency) {
            let relation = row.values.get("relation").cloned();
            row.values.extend(relation.map(|relation| ("other_agency_relation", relation)));
        }
    }
    rows
}
