//! Courses taken, their outcomes and credits.

mod elements;

pub(crate) use elements::to_message;
use model::{Domain, Row};

use crate::{
    Definition, Kind, Organizations, StoredFact,
    fold::{EXCLUSION, mark_excluded, plain},
};

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
        Kind { name: "grade", key: &["section_code", "school_id", "school_year", "grade_type", "grading_period"] },
        Kind { name: EXCLUSION, key: &["school_id", "local_course_code", "school_year"] },
    ],
};

/// One row a class, marked if it is excluded from state reporting.
pub(crate) fn fold(facts: &[&StoredFact], organizations: &Organizations) -> Vec<Row> {
    let classes: Vec<&StoredFact> = facts.iter().copied().filter(|fact| fact.kind != EXCLUSION).collect();
    let mut rows = plain(&classes, organizations);
    mark_excluded(&mut rows, facts);
    rows
}
