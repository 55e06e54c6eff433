//! Courses taken, their outcomes and credits.

mod elements;

pub(crate) use elements::to_message;
use model::Domain;

use crate::{Definition, Kind};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Course,
    label: "Courses",
    elements: elements::ELEMENTS,
    kinds: &[
        Kind {
            name: "section",
            key: &["course_code", "local_course_code", "section_code", "school_id", "session_begin_date"],
        },
        Kind { name: "transcript", key: &["course_code", "school_id", "school_year", "session_begin_date"] },
    ],
};
