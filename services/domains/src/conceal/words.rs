//! Words that name another agency, and the ordinary ones that stand in for them.

use std::collections::BTreeSet;

use model::{Domain, Value};

use crate::StoredFact;

/// Whether a text tells that another agency is involved. A word too many only hides a harmless text.
pub fn names_other_agency(text: &str) -> bool {
    const WORDS: [&str; 18] = [
        "foster",
        "surrogate parent",
        "child welfare",
        "child protective",
        "dcf",
        "caseworker",
        "ward of",
        "court",
        "probation",
        "juvenile",
        "delinquen",
        "neglected",
        "correction",
        "incarcerat",
        "jail",
        "detention",
        "to an institution",
        "state agency",
    ];
    let text = text.to_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

/// An element that may name another agency, its twin of class `other_agency`, and what is said instead.
struct Guarded {
    domain: Domain,
    element: &'static str,
    twin: &'static str,
    /// By SEA; without an entry the element is left out. Each is an ordinary value of that state's own code table, which other students
    /// bear too: where a state requires the value, its absence would tell as much as the value.
    ordinary: &'static [(&'static str, &'static str)],
}

const GUARDED: &[Guarded] = &[
    Guarded {
        domain: Domain::Enrollment,
        element: "exit_withdraw_type",
        twin: "other_agency_exit_type",
        ordinary: &[("ct", "Not enrolled, unknown status")],
    },
    Guarded { domain: Domain::Enrollment, element: "entry_type", twin: "other_agency_entry_type", ordinary: &[] },
    Guarded {
        domain: Domain::Contact,
        element: "relation",
        twin: "other_agency_relation",
        ordinary: &[("ct", "Other")],
    },
];

/// An ordinary reason for an exit, if the state has one for whoever must give one.
pub(super) fn ordinary_exit_type(sea: &str) -> Option<&'static str> {
    let guarded = GUARDED.iter().find(|guarded| guarded.element == "exit_withdraw_type")?;
    guarded.ordinary.iter().find(|(of, _)| *of == sea).map(|(_, text)| *text)
}

pub(super) fn generalise(facts: &mut [StoredFact], named: &BTreeSet<(Domain, &'static str)>) {
    for guarded in GUARDED.iter().filter(|guarded| !named.contains(&(guarded.domain, guarded.twin))) {
        for fact in facts.iter_mut().filter(|fact| fact.domain == guarded.domain) {
            let is_told =
                fact.find_text(guarded.element).is_some_and(names_other_agency) || fact.find(guarded.twin).is_some();
            if !is_told {
                continue;
            }
            fact.payload.remove(guarded.twin);
            match guarded.ordinary.iter().find(|(sea, _)| *sea == &*fact.sea) {
                Some((_, text)) => fact.payload.insert(guarded.element.to_owned(), Value::Text((*text).to_owned())),
                None => fact.payload.remove(guarded.element),
            };
        }
    }
}

/// Whether the exit leads to another agency, by its type.
pub(super) fn leads_to_other_agency(fact: &StoredFact) -> bool {
    fact.find("other_agency_exit_type").is_some()
        || fact.find_text("exit_withdraw_type").is_some_and(names_other_agency)
}
