//! Terms as rows: what the database joins when it reads.
//!
//! One row a clause, domain and basis, with every element by name. The rows are a function of the signed terms and of
//! nothing else, so that rows which were changed behind the program's back are found by computing them again.

use domains::definition;
use model::Domain;
use serde::{Deserialize, Serialize};

use crate::terms::{Basis, Clause, Condition, Terms};

/// One rule as it is stored.
#[expect(clippy::struct_excessive_bools, reason = "a row of a table, each flag a column")]
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct RuleRow {
    pub(crate) clause: String,
    pub(crate) domain: i16,
    pub(crate) legal_basis: String,
    pub(crate) basis_rank: i16,
    pub(crate) purposes: Vec<String>,
    pub(crate) deliveries: Vec<String>,
    pub(crate) elements: Vec<String>,
    pub(crate) school_year_from: Option<i16>,
    pub(crate) school_year_to: Option<i16>,
    pub(crate) max_age_years: Option<i16>,
    pub(crate) exclude_kinds: Vec<String>,
    pub(crate) requires_authority: bool,
    pub(crate) requires_pre_adjudication: bool,
    pub(crate) requires_certification: bool,
    pub(crate) ends_at_majority: bool,
    pub(crate) evidence: Option<String>,
}

/// All rules of a version, in a fixed order.
pub(crate) fn rows(terms: &Terms) -> Vec<RuleRow> {
    let mut rows = Vec::new();
    for clause in &terms.clauses {
        for domain in clause.elements.domains() {
            for (rank, basis) in terms.bases.iter().enumerate() {
                if clause.bases.contains(&basis.law) {
                    rows.push(row(terms, clause, domain, (rank, basis)));
                }
            }
        }
    }
    rows.sort_unstable();
    rows
}

fn row(terms: &Terms, clause: &Clause, domain: Domain, (rank, basis): (usize, &Basis)) -> RuleRow {
    let mut elements: Vec<String> = definition(domain)
        .elements
        .iter()
        .filter(|element| clause.elements.contains(domain, element.name))
        .map(|element| element.name.to_owned())
        .collect();
    elements.sort_unstable();
    RuleRow {
        clause: clause.id.clone(),
        domain: domain.code(),
        legal_basis: basis.law.as_str().to_owned(),
        basis_rank: i16::try_from(rank).unwrap_or(i16::MAX),
        purposes: clause.purposes.clone(),
        deliveries: terms.access.deliveries.iter().map(|one| one.as_str().to_owned()).collect(),
        elements,
        school_year_from: clause.school_years.from.map(|year| year.0),
        school_year_to: clause.school_years.to.map(|year| year.0),
        max_age_years: clause.records.max_age_years.and_then(|years| i16::try_from(years).ok()),
        exclude_kinds: clause.records.excluded_kinds(domain).map(str::to_owned).collect(),
        requires_authority: basis.requires(Condition::Authority),
        requires_pre_adjudication: basis.requires(Condition::BeforeAdjudication),
        requires_certification: basis.requires(Condition::Certification),
        ends_at_majority: basis.requires(Condition::BeforeMajority),
        evidence: basis.evidence().map(|one| one.as_str().to_owned()),
    }
}
