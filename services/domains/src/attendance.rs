//! Membership and attendance: by year, by month, or event by event.

mod elements;

pub(crate) use elements::to_message;
use model::Domain;

use crate::{Definition, Kind};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Attendance,
    label: "Attendance",
    elements: elements::ELEMENTS,
    kinds: &[
        Kind { name: "year", key: &["school_year", "local_education_agency_id", "school_id"] },
        Kind { name: "month", key: &["school_year", "month", "local_education_agency_id", "school_id"] },
        Kind {
            name: "event",
            key: &["event_date", "school_id", "attendance_event_category", "attendance_event_type", "class_period"],
        },
    ],
};

/// The share of days missed from which a student counts as chronically absent: 10 %.
pub const CHRONIC_ABSENCE_SHARE: model::Decimal = model::Decimal(1_000);

/// One row a fact. Rows with days carry the rate; a year's row also says whether the absence was chronic.
/// Class-period events are events, never days.
pub(crate) fn fold(facts: &[&crate::StoredFact], organizations: &crate::Organizations) -> Vec<model::Row> {
    use model::{Decimal, Value};
    let mut rows = crate::fold::plain(facts, organizations);
    for row in &mut rows {
        let days = |element: &str| row.find(element).and_then(Value::as_integer);
        let (Some(scheduled), Some(attended)) = (days("days_scheduled"), days("days_attended")) else {
            continue;
        };
        let Some(rate) = Decimal::ratio(attended, scheduled) else {
            continue;
        };
        let is_year = row.find("month").is_none();
        row.values.entry("attendance_rate").or_insert(Value::Decimal(rate));
        if is_year {
            let missed = Decimal(Decimal::SCALE - rate.0);
            row.values.entry("chronic_absenteeism").or_insert(Value::Boolean(missed >= CHRONIC_ABSENCE_SHARE));
        }
    }
    rows
}
