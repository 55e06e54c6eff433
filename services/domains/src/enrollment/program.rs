//! Stays in a second facility or a special program: what a snapshot says of one was true on its day, and is claimed for no other.

use chrono::NaiveDate;

use super::{school::Place, snapshot_day};
use crate::StoredFact;

const BASIS_COLLECTION: &str = "collection";
const BASIS_REGISTRATION: &str = "registration";
const BASIS_CHANGE: &str = "change record without a date";

/// A stay in a second facility or special program.
#[derive(Clone, Debug)]
pub(super) struct ProgramStay<'a> {
    /// What tells of it first.
    pub origin: &'a StoredFact,
    /// What tells of it last.
    pub last: &'a StoredFact,
    /// The day it is first reported for.
    pub first_seen: Option<NaiveDate>,
    /// The day it is last reported for.
    pub last_seen: Option<NaiveDate>,
    /// Which report tells of it.
    pub basis: &'static str,
}

impl ProgramStay<'_> {
    /// Where it stands in the history: after the school stay of the same day.
    pub(super) fn order(&self) -> Place {
        let day = self.first_seen.or(self.origin.source.recorded_on);
        (day, self.last_seen.unwrap_or(NaiveDate::MAX), self.origin.source.clone(), 1)
    }
}

/// Facility 2 and special program status.
fn mention(fact: &StoredFact) -> Option<(Option<&str>, Option<&str>)> {
    let said = (fact.find_text("facility_2_id"), fact.find_text("special_program_status"));
    (said != (None, None)).then_some(said)
}

/// The same stay: the same facility, or the same program where no facility is named.
fn is_same(a: &StoredFact, b: &StoredFact) -> bool {
    match (mention(a), mention(b)) {
        (Some((Some(a), _)), Some((Some(b), _))) => a == b,
        (Some((None, a)), Some((None, b))) => a == b,
        _ => false,
    }
}

/// The stays of one source person. Snapshots of one school that follow each other and say the same are one stay, from the day of the first to
/// the day of the last; one between them that says otherwise ends it. A change record has no day: where a dated report tells of
/// the same facility, school and grade it adds nothing, else it is a stay without days.
pub(super) fn stays<'a>(
    snapshots: &[&'a StoredFact],
    registers: &[&'a StoredFact],
    changes: &[&'a StoredFact],
) -> Vec<ProgramStay<'a>> {
    let school = |fact: &'a StoredFact| (fact.lea.as_deref(), fact.facility.as_deref());
    let mut dated: Vec<(Option<NaiveDate>, &'static str, &'a StoredFact)> = Vec::new();
    dated.extend(registers.iter().map(|fact| (fact.valid.from(), BASIS_REGISTRATION, *fact)));
    dated.extend(snapshots.iter().map(|fact| (snapshot_day(fact), BASIS_COLLECTION, *fact)));
    dated.sort_by_key(|(day, _, fact)| (school(fact), *day, fact.learned()));
    let mut stays: Vec<ProgramStay<'a>> = Vec::new();
    let mut before: Option<&StoredFact> = None;
    for (day, basis, fact) in dated {
        let goes_on = before.is_some_and(|before| school_of(before) == school_of(fact) && is_same(before, fact));
        before = Some(fact);
        if mention(fact).is_none() {
            continue;
        }
        match stays.last_mut().filter(|_| goes_on) {
            Some(stay) => (stay.last, stay.last_seen) = (fact, day),
            None => stays.push(ProgramStay { origin: fact, last: fact, first_seen: day, last_seen: day, basis }),
        }
    }
    for fact in changes.iter().filter(|fact| mention(fact).is_some()) {
        let tells_the_same = |stay: &ProgramStay<'_>| {
            is_same_facility(stay.origin, fact)
                && school_of(stay.origin) == school_of(fact)
                && [stay.origin, stay.last].iter().any(|told| told.find("grade_level") == fact.find("grade_level"))
        };
        if !stays.iter().any(tells_the_same) {
            let stay = ProgramStay { origin: fact, last: fact, first_seen: None, last_seen: None, basis: BASIS_CHANGE };
            stays.push(stay);
        }
    }
    stays
}

fn school_of(fact: &StoredFact) -> (Option<&str>, Option<&str>) {
    (fact.lea.as_deref(), fact.facility.as_deref())
}

fn is_same_facility(a: &StoredFact, b: &StoredFact) -> bool {
    a.find("facility_2_id").is_some() && a.find("facility_2_id") == b.find("facility_2_id")
}
