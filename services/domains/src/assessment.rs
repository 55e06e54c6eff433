//! Test scores by family, subject and administration.

mod elements;

pub(crate) use elements::to_message;
use model::Domain;

use crate::{Definition, Kind};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Assessment,
    label: "Test Scores",
    elements: elements::ELEMENTS,
    kinds: &[Kind {
        name: "result",
        key: &[
            "assessment_family",
            "assessment_title",
            "academic_subject",
            "school_year",
            "administration_date",
            "attempt",
        ],
    }],
};
