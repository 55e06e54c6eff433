//! Program participation.

mod elements;

pub(crate) use elements::to_message;
use model::Domain;

use crate::{Definition, Kind};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Program,
    label: "Programs",
    elements: elements::ELEMENTS,
    kinds: &[Kind { name: "participation", key: &["program_id", "begin_date", "local_education_agency_id"] }],
};
