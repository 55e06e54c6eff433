//! Days of attendance at a facility are added to the home school's of the same time: two rows would show the seam.

use model::{Domain, Value};

use crate::{StoredFact, calendar::find_calendar};

/// Joins what stands beside a home row of the same time. A home school that counts the days already is left as it is. Whatever finds no
/// home row stays as it is. Nothing is added beyond the days that the state's [`calendar`](crate::calendar) gives the year or month: a home school
/// that counts more counts the whole of it, and some days fewer have ordinary reasons.
pub(super) fn join(facts: &mut Vec<StoredFact>) {
    let is_count = |fact: &StoredFact| fact.domain == Domain::Attendance && fact.find("days_scheduled").is_some();
    let (concealed, mut others): (Vec<StoredFact>, Vec<StoredFact>) =
        std::mem::take(facts).into_iter().partition(|fact| fact.concealed && is_count(fact));
    for fact in concealed {
        let same = |other: &StoredFact| {
            !other.concealed
                && is_count(other)
                && (&other.kind, other.source_person, other.school_year, other.find("month"))
                    == (&fact.kind, fact.source_person, fact.school_year, fact.find("month"))
        };
        let counted = others.iter().filter(|other| same(other)).filter_map(|other| days(other, SCHEDULED));
        let room = counted.fold(days_of_school(&fact), i64::saturating_sub);
        // The home school's row, else any of that time.
        let place = others
            .iter()
            .position(|other| same(other) && other.facility == fact.facility)
            .or_else(|| others.iter().position(same));
        match place.and_then(|place| others.get_mut(place)) {
            Some(home) => add(home, &fact, room),
            None => others.push(fact),
        }
    }
    *facts = others;
}

const SCHEDULED: &str = "days_scheduled";
const ATTENDED: &str = "days_attended";

fn days(fact: &StoredFact, element: &str) -> Option<i64> {
    fact.find(element).and_then(Value::as_integer)
}

fn days_of_school(fact: &StoredFact) -> i64 {
    let calendar = find_calendar(&fact.sea);
    if fact.find("month").is_some() { calendar.month_days } else { calendar.year_days }
}

/// Adds the days for which there is room, and of those attended the same share.
fn add(home: &mut StoredFact, away: &StoredFact, room: i64) {
    let (Some(scheduled), Some(attended)) = (days(away, SCHEDULED), days(away, ATTENDED)) else { return };
    let (Some(own_scheduled), Some(own_attended)) = (days(home, SCHEDULED), days(home, ATTENDED)) else { return };
    let added = scheduled.min(room);
    if added <= 0 {
        return;
    }
    let present = attended.saturating_mul(added) / scheduled;
    let mut set = |element: &str, days: i64| home.payload.insert(element.to_owned(), Value::Integer(days));
    set(SCHEDULED, own_scheduled.saturating_add(added));
    set(ATTENDED, own_attended.saturating_add(present));
    if let Some(absent) = days(home, "days_absent") {
        let absent = absent.saturating_add(added.saturating_sub(present));
        home.payload.insert("days_absent".to_owned(), Value::Integer(absent));
    }
    for derived in ["attendance_rate", "chronic_absenteeism"] {
        home.payload.remove(derived);
    }
}
