//! Who the student is: names, birth date, demographics. Stored by `identity` alone.

mod elements;

use model::Domain;

use crate::{Definition, Kind};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Student,
    label: "Student",
    elements: elements::ELEMENTS,
    kinds: &[
        Kind {
            name: "person",
            key: &["state_id"],
        },
        Kind {
            name: "registration",
            key: &["local_education_agency_id"],
        },
        Kind {
            name: "collection",
            key: &["collection", "school_year", "local_education_agency_id"],
        },
    ],
};
