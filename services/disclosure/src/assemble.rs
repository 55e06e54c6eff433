//! From permitted facts to a disclosed history.

use std::collections::BTreeSet;

use agreements::Grant;
use domains::{Organizations, StoredFact, conceal_other_agency, definition, derive_mobility, discipline, fold};
use model::{Domain, Row, Section, SectionState, Sensitivity, Value};

use crate::{Error, store::Permitted};

/// Facts in an order of their own, in whatever order the database gives them: several of one line too, so that the same content has the same bytes and
/// the same digest.
pub(crate) fn in_order(mut facts: Vec<StoredFact>) -> Vec<StoredFact> {
    let place = |fact: &StoredFact| (fact.domain.code(), fact.source_person, fact.learned());
    let content = |fact: &StoredFact| {
        let mut json = fact.kind.clone();
        Value::write_object(fact.payload.iter().map(|(name, value)| (name.as_str(), value)), &mut json);
        json
    };
    facts.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| content(a).cmp(&content(b))));
    facts
}

/// Holds what the database permitted against the decision: clause, basis, elements and bounds must be the same for every fact. Whatever differs
/// discloses nothing.
pub(crate) fn check_twin(grant: &Grant, permitted: &[Permitted]) -> Result<(), Error> {
    for permitted in permitted.iter().filter(|permitted| !permitted.facts.is_empty()) {
        let differs = |what: &str| Err(Error::Corrupt(format!("{what} of a {} fact", permitted.domain)));
        let Some(permit) = grant.permit(permitted.domain) else { return differs("the domain") };
        if permit.clause() != permitted.clause {
            return differs("the clause");
        }
        if grant.legal_basis().as_str() != permitted.legal_basis {
            return differs("the legal basis");
        }
        let is_same_count = permitted.elements.len() == permit.elements().iter().count();
        if !is_same_count || !permitted.elements.iter().all(|name| permit.allows(name)) {
            return differs("the elements");
        }
        let admits = |fact: &StoredFact| {
            fact.domain == permitted.domain
                && permit.admits(&fact.kind, fact.school_year, fact.valid.to().or(fact.valid.from()))
        };
        if !permitted.facts.iter().all(admits) {
            return differs("the bounds");
        }
    }
    Ok(())
}

/// Which elements of which domain may appear.
pub(crate) trait Allowed {
    /// Whether anything of the domain may.
    fn domain(&self, domain: Domain) -> bool;
    /// Whether the element may.
    fn element(&self, domain: Domain, name: &str) -> bool;
}

impl Allowed for Grant {
    fn domain(&self, domain: Domain) -> bool {
        self.permit(domain).is_some()
    }

    fn element(&self, domain: Domain, name: &str) -> bool {
        self.elements().contains(domain, name)
    }
}

/// Takes out what the grant does not cover, folds the rest, and takes out again what folding may have named.
pub(crate) fn sections(allowed: &dyn Allowed, facts: Vec<StoredFact>, organizations: &Organizations) -> Vec<Section> {
    let named: BTreeSet<(Domain, &'static str)> = Domain::ALL
        .into_iter()
        .flat_map(|domain| definition(domain).elements)
        .filter(|e| e.class == Sensitivity::OtherAgency && allowed.element(e.domain, e.name))
        .map(|e| (e.domain, e.name))
        .collect();
    let mut facts = conceal_other_agency(facts, &named, organizations);
    discipline::keep_own(&mut facts);
    for fact in &mut facts {
        let domain = fact.domain;
        fact.payload.retain(|name, _| allowed.element(domain, name));
    }
    let mut sections: Vec<Section> = Vec::with_capacity(Domain::ALL.len());
    for domain in Domain::ALL {
        let rows = match domain {
            _ if !allowed.domain(domain) => Vec::new(),
            Domain::Mobility => {
                let enrollment = sections.iter().find(|section| section.domain == Domain::Enrollment);
                derive_mobility(enrollment.map_or(&[], |section| &section.rows))
            }
            _ => fold(domain, &facts, organizations),
        };
        sections.push(section(allowed, domain, rows));
    }
    sections
}

fn section(allowed: &dyn Allowed, domain: Domain, mut rows: Vec<Row>) -> Section {
    for row in &mut rows {
        row.values.retain(|name, _| allowed.element(domain, name));
    }
    rows.retain(|row| !row.values.is_empty());
    let state = match (allowed.domain(domain), rows.is_empty()) {
        (false, _) => SectionState::NotPermitted,
        (true, true) => SectionState::NotReported,
        (true, false) => SectionState::Reported,
    };
    let withheld = definition(domain)
        .elements
        .iter()
        .filter(|e| !e.class.is_guarded() && !allowed.element(domain, e.name))
        .map(|e| e.name)
        .collect();
    Section { domain, state, rows, withheld, awaited: None }
}
