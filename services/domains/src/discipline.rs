//! Incidents (what happened) and actions (what was done).

mod elements;

use model::Domain;

use crate::{Definition, Kind};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Discipline,
    label: "Disciplinary Action",
    elements: elements::ELEMENTS,
    kinds: &[
        Kind {
            name: "offense",
            key: &["local_education_agency_id", "incident_identifier"],
        },
        Kind {
            name: "incident",
            key: &["school_id", "incident_identifier"],
        },
        Kind {
            name: "action",
            key: &["discipline_action_identifier", "discipline_date"],
        },
    ],
};
