//! What another agency did with a child is not the reader's business: the stay prints as ordinary enrollment in the home district.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use model::{Domain, Payload, Sensitivity, Value};

use crate::{Organizations, StoredFact, definition, fold::order_day};

/// Rewrites facts reported by or about another agency's facility (a detention centre, a child-welfare school) so that they say
/// what an ordinary fact of the home district would: no gap, no marker.
///
/// `named` are the elements of class `other_agency` that the agreement names; a fact stays as it is only where its domain's
/// marker element is named. The home district is the nexus district if reported, else that of the nearest ordinary enrollment
/// before it, else after it; the school is that enrollment's. Without any, the fact is dropped: it could only reveal.
pub fn conceal_other_agency(
    facts: Vec<StoredFact>,
    named: &BTreeSet<(Domain, &'static str)>,
    organizations: &Organizations,
) -> Vec<StoredFact> {
    let reveals = |fact: &StoredFact| {
        [&fact.lea, &fact.facility]
            .into_iter()
            .flatten()
            .any(|code| organizations.reveals_other_agency(&fact.sea, code))
    };
    let homes: Vec<Home> =
        facts.iter().filter(|fact| fact.domain == Domain::Enrollment && !reveals(fact)).filter_map(Home::of).collect();
    let may_show = named.contains(&(Domain::Enrollment, "facility_2_id"));
    facts
        .into_iter()
        .filter_map(|mut fact| {
            if !reveals(&fact) || may_show {
                return Some(fact);
            }
            let nexus = fact.find_text("nexus_district_id").map(str::to_owned);
            let home = Home::nearest(&homes, &fact, nexus.as_deref());
            if nexus.is_none() && home.is_none() {
                return None;
            }
            let lea = nexus.or_else(|| home.map(|home| home.lea.clone()));
            let facility = home.filter(|home| Some(&home.lea) == lea.as_ref()).and_then(|home| home.facility.clone());
            rewrite(&mut fact, lea, facility);
            Some(fact)
        })
        .collect()
}

struct Home {
    person: model::SourcePersonId,
    day: Option<NaiveDate>,
    lea: String,
    facility: Option<String>,
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
            lea: fact.lea.clone()?,
            facility: fact.facility.clone(),
        })
    }

    /// The nearest that names a school, else the nearest that names the district alone: an exit does not say which school it ends.
    fn nearest<'a>(homes: &'a [Self], fact: &StoredFact, nexus: Option<&str>) -> Option<&'a Self> {
        let day = order_day(fact);
        let nearest = |needs_school: bool| {
            let candidates = || {
                homes.iter().filter(|home| {
                    home.person == fact.source_person
                        && nexus.is_none_or(|code| home.lea == code)
                        && (!needs_school || home.facility.is_some())
                })
            };
            candidates()
                .filter(|home| home.day <= day)
                .max_by_key(|home| home.day)
                .or_else(|| candidates().min_by_key(|home| home.day))
        };
        nearest(true).or_else(|| nearest(false))
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
    // Why and how the stay began and ended, and the facility's own number for the student, belong to the stay.
    for element in [
        "school_name",
        "town_name",
        "local_education_agency_name",
        "exit_withdraw_type",
        "exit_status",
        "district_student_id",
    ] {
        fact.payload.remove(element);
    }
    let domain = definition(fact.domain);
    fact.payload
        .retain(|name, _| domain.find_element(name).is_some_and(|element| element.class != Sensitivity::OtherAgency));
    fact.concealed = true;
    fact.lea = lea;
    fact.facility = facility;
}
