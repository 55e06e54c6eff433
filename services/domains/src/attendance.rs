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
    let joined = join_concealed(facts);
    let facts: Vec<&crate::StoredFact> = joined.iter().collect();
    let mut rows = crate::fold::plain(&facts, organizations);
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

/// Adds the days of a concealed stay to the home school's row of the same time: two rows would show the seam.
fn join_concealed(facts: &[&crate::StoredFact]) -> Vec<crate::StoredFact> {
    use model::Value;
    let (concealed, mut joined): (Vec<crate::StoredFact>, Vec<crate::StoredFact>) =
        facts.iter().map(|fact| (*fact).clone()).partition(|fact| fact.concealed);
    for fact in concealed {
        let same = |other: &crate::StoredFact| {
            (&other.kind, other.source_person, other.school_year, other.find("month"))
                == (&fact.kind, fact.source_person, fact.school_year, fact.find("month"))
                && other.find("days_scheduled").is_some()
        };
        // The home school's row, else any of that time.
        let place = joined
            .iter()
            .position(|other| same(other) && other.facility == fact.facility)
            .or_else(|| joined.iter().position(same))
            .filter(|_| fact.find("days_scheduled").is_some());
        let Some(home) = place.and_then(|place| joined.get_mut(place)) else {
            joined.push(fact);
            continue;
        };
        for element in ["days_scheduled", "days_attended"] {
            let days = |of: &crate::StoredFact| of.find(element).and_then(Value::as_integer);
            if let (Some(own), Some(more)) = (days(home), days(&fact)) {
                home.payload.insert(element.to_owned(), Value::Integer(own + more));
            }
        }
        for derived in ["attendance_rate", "chronic_absenteeism"] {
            home.payload.remove(derived);
        }
    }
    joined
}
