//! Special education (IDEA Part B) and section 504.

mod elements;

pub(crate) use elements::to_message;
use model::Domain;

use crate::{Definition, Kind};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::SpecialEducation,
    label: "Special Education Services",
    elements: elements::ELEMENTS,
    kinds: &[
        Kind { name: "plan", key: &["school_year", "plan_type", "local_education_agency_id"] },
        // Of its own kind, so that an agreement can take it or leave it: it is no plan under IDEA.
        Kind { name: "section_504", key: &["school_year", "plan_type", "local_education_agency_id"] },
        Kind { name: "association", key: &["plan_type", "iep_begin_date", "school_id"] },
    ],
};
