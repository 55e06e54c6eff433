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
    facts.iter().map(|fact| fact.to_row()).collect()
}
