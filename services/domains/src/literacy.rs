//! K-3 literacy screening and the kindergarten entry inventory.

mod elements;

pub(crate) use elements::to_message;
use model::Domain;

use crate::{Definition, Kind};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Literacy,
    label: "Literacy",
    elements: elements::ELEMENTS,
    kinds: &[Kind { name: "screening", key: &["instrument", "measure", "period", "school_year"] }],
};
