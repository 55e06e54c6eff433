//! Registrations, changes, exits and collection snapshots, folded into spells.

mod elements;

use model::Domain;

use crate::{Definition, Kind};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Enrollment,
    label: "Enrollment",
    elements: elements::ELEMENTS,
    kinds: &[
        Kind {
            name: "register",
            key: &["local_education_agency_id", "entry_date"],
        },
        Kind {
            name: "change",
            key: &[
                "local_education_agency_id",
                "school_id",
                "grade_level",
                "facility_2_id",
            ],
        },
        Kind {
            name: "unregister",
            key: &["local_education_agency_id", "exit_withdraw_date"],
        },
        Kind {
            name: "collection",
            key: &[
                "collection",
                "school_year",
                "local_education_agency_id",
                "school_id",
            ],
        },
        Kind {
            name: "association",
            key: &["school_id", "entry_date"],
        },
    ],
};
