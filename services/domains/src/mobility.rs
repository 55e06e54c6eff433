//! Moves, gaps and overlaps: derived from disclosed enrollment, never stored.

mod elements;

use model::Domain;

use crate::Definition;

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Mobility,
    label: "Mobility",
    elements: elements::ELEMENTS,
    kinds: &[],
};
