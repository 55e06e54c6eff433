//! Membership and attendance: by year, by month, or event by event.

mod elements;

use model::Domain;

use crate::{Definition, Kind};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Attendance,
    label: "Attendance",
    elements: elements::ELEMENTS,
    kinds: &[
        Kind {
            name: "year",
            key: &["school_year", "local_education_agency_id", "school_id"],
        },
        Kind {
            name: "month",
            key: &[
                "school_year",
                "month",
                "local_education_agency_id",
                "school_id",
            ],
        },
        Kind {
            name: "event",
            key: &[
                "event_date",
                "school_id",
                "attendance_event_category",
                "attendance_event_type",
                "class_period",
            ],
        },
    ],
};
