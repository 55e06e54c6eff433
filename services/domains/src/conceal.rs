//! What another agency did with a child is not the reader's business: the stay prints as ordinary enrollment in the home district.

mod attendance;
mod bridge;
mod person;
mod rows;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeSet;

use chrono::NaiveDate;
use model::{Domain, Lineage, Payload, SchoolYear, Value};
pub use words::names_other_agency;

use crate::{
    Organizations, StoredFact, definition,
    fold::{EXCLUSION, order_day},
};

/// Rewrites facts reported by or about another agency's facility (a detention centre, a child-welfare school), and values that name another
/// agency, so that they say what ordinary facts of the home district would: no gap, no marker.
///
/// `named` are the elements of class `other_agency` that the agreement names. The rules:
/// 1. Exit into a facility, registration and exit there and return home are taken out together, so that the stay at home goes on
///    (`bridge`); unless `enrollment.facility_2_id` is named.
/// 2. What the facility reported is the home district's: the nexus district if reported, else the nearest ordinary enrollment (rather of
///    the same school year, rather before it), with that enrollment's school, and as enrollment with its lineage. Without any, the fact is
///    dropped: it could only reveal. One that then stands under the key of an ordinary fact is dropped too, and a row that would stand
///    out beside those that home reports (`rows`).
/// 3. An exit type, entry type or relationship that names another agency becomes an ordinary one (`words`), unless its guarded twin is named.
pub fn conceal_other_agency(
    facts: Vec<StoredFact>,
    named: &BTreeSet<(Domain, &'static str)>,
    organizations: &Organizations,
) -> Vec<StoredFact> {
    let mut facts =
        if named.contains(&(Domain::Enrollment, "facility_2_id")) { facts } else { move_home(facts, organizations) };
    words::generalise(&mut facts, named);
    facts
}

fn move_home(mut facts: Vec<StoredFact>, organizations: &Organizations) -> Vec<StoredFact> {
    // What is left out of a state's report says nothing of where anybody was: it is no home, and no report of one.
    facts.retain(|fact| fact.kind != EXCLUSION);
    let reveals = |fact: &StoredFact| {
        [&fact.lea, &fact.facility]
            .into_iter()
            .flatten()
            .any(|code| organizations.reveals_other_agency(&fact.sea, code))
    };
    let homes: Vec<Home> =
        facts.iter().filter(|fact| fact.domain == Domain::Enrollment && !reveals(fact)).filter_map(Home::of).collect();
    // Who the student is, home says: a report of the facility's would show by its day, or by its own way of saying the same.
    let told_at_home: BTreeSet<_> = facts
        .iter()
        .filter(|fact| fact.domain == Domain::Student && !reveals(fact))
        .map(|fact| fact.source_person)
        .collect();
    let mut moved: Vec<StoredFact> = facts
        .into_iter()
        .filter_map(|mut fact| {
            if !reveals(&fact) {
                return Some(fact);
            }
            if fact.domain == Domain::Student && told_at_home.contains(&fact.source_person) {
                return None;
            }
            let nexus = fact.find_text("nexus_district_id").map(str::to_owned);
            let home = Home::nearest(&homes, &fact, nexus.as_deref());
            if nexus.is_none() && home.is_none() {
                return None;
            }
            let lea = nexus.or_else(|| home.map(|home| home.lea.clone()));
            let of_lea = home.filter(|home| Some(&home.lea) == lea.as_ref());
            let facility = of_lea.and_then(|home| home.facility.clone());
            if let Some(home) = of_lea.filter(|_| matches!(fact.domain, Domain::Enrollment | Domain::Student)) {
                fact.source = home.source.clone();
            }
            rewrite(&mut fact, lea, facility);
            Some(fact)
        })
        .collect();
    let reports = person::reports(&moved);
    bridge::bridge(&mut moved);
    person::untie(&mut moved, &reports);
    attendance::join(&mut moved);
    rows::drop_outstanding(&mut moved);
    drop_doubles(&mut moved);
    moved
}

struct Home {
    person: model::SourcePersonId,
    day: Option<NaiveDate>,
    year: Option<SchoolYear>,
    lea: String,
    facility: Option<String>,
    source: Lineage,
}

impl Home {
    fn of(fact: &StoredFact) -> Option<Self> {
        // An exit says where the student was, not where they are: it is no home.
        if fact.kind == "unregister" {
            return None;
        }
        Some(Self {
            person: fact.source_person,
            day: order_day(fact),
            year: fact.school_year,
            lea: fact.lea.clone()?,
            facility: fact.facility.clone(),
            source: fact.source.clone(),
        })
    }

    /// The nearest one before, else after; rather one of the same school year (a year may begin at another school), and rather one that
    /// names a school.
    fn nearest<'a>(homes: &'a [Self], fact: &StoredFact, nexus: Option<&str>) -> Option<&'a Self> {
        let day = order_day(fact);
        let nearest = |same_year: bool, needs_school: bool| {
            let candidates = || {
                homes.iter().filter(|home| {
                    home.person == fact.source_person
                        && nexus.is_none_or(|code| home.lea == code)
                        && (!needs_school || home.facility.is_some())
                        && (!same_year || (home.year.is_some() && home.year == fact.school_year))
                })
            };
            // Of several on one day the one learned last, whatever the order they are read in.
            let learned = |home: &&Self| (home.source.batch, home.source.line);
            candidates()
                .filter(|home| home.day <= day)
                .max_by_key(|home| (home.day, learned(home)))
                .or_else(|| candidates().min_by_key(|home| (home.day, learned(home))))
        };
        nearest(true, true).or_else(|| nearest(false, true)).or_else(|| nearest(false, false))
    }
}

fn rewrite(fact: &mut StoredFact, lea: Option<String>, facility: Option<String>) {
    let set = |payload: &mut Payload, element: &str, code: Option<&String>| match code {
        Some(code) if payload.contains_key(element) => {
            payload.insert(element.to_owned(), Value::Text(code.clone()));
        }
        Some(_) => {}
        None => {
            payload.remove(element);
        }
    };
    set(&mut fact.payload, "local_education_agency_id", lea.as_ref());
    set(&mut fact.payload, "school_id", facility.as_ref());
    let has_exit_type = ["exit_withdraw_type", "other_agency_exit_type"].iter().any(|name| fact.find(name).is_some());
    // Why and how the stay began and ended belongs to the stay.
    for element in
        ["school_name", "town_name", "local_education_agency_name", "entry_type", "exit_withdraw_type", "exit_status"]
    {
        fact.payload.remove(element);
    }
    // An exit that stands for home's has a reason where home's have.
    if let Some(ordinary) = words::ordinary_exit_type(&fact.sea).filter(|_| has_exit_type && fact.kind == "unregister")
    {
        fact.payload.insert("exit_withdraw_type".to_owned(), Value::Text(ordinary.to_owned()));
    }
    rows::clear_own_numbers(fact);
    let domain = definition(fact.domain);
    fact.payload.retain(|name, _| domain.find_element(name).is_some_and(|element| !element.class.is_guarded()));
    fact.concealed = true;
    fact.lea = lea;
    fact.facility = facility;
}

/// What the home district and the facility both reported is one report; what only facilities reported, one of theirs.
fn drop_doubles(facts: &mut Vec<StoredFact>) {
    if !facts.iter().any(|fact| fact.concealed) {
        return;
    }
    let key = |fact: &StoredFact| {
        let kind = definition(fact.domain).find_kind(&fact.kind)?;
        let parts = kind.key.iter().map(|element| match *element {
            "school_year" => fact.school_year.map(|year| year.to_string()),
            "local_education_agency_id" => fact.lea.clone(),
            "school_id" => fact.facility.clone(),
            element => fact.find(element).map(Value::to_plain),
        });
        Some((fact.source_person, fact.domain, fact.kind.clone(), parts.collect::<Vec<_>>()))
    };
    let counts = |fact: &StoredFact| fact.domain != Domain::Student;
    let mut seen: BTreeSet<_> = facts.iter().filter(|fact| !fact.concealed).filter_map(key).collect();
    facts.retain(|fact| !fact.concealed || !counts(fact) || key(fact).is_none_or(|key| seen.insert(key)));
}
