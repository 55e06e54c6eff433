//! A version that is, or was, in force: its terms, prepared for decisions.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use model::Domain;

use crate::{
    canonical::Digest,
    element_set::ElementSet,
    interval::Interval,
    terms::{Basis, Clause, Evidence, Purpose, Terms},
};

/// Why a version is no longer in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// A later version took its place.
    Superseded,
    /// A steward stopped it.
    Suspended,
}

/// Terms by basis and purpose, so that a decision looks nothing up by name twice. Built once a version.
#[derive(Clone, Debug)]
pub struct Plan {
    terms: Terms,
    digest: Digest,
    zone: Tz,
    validity: Interval,
    /// What each basis (outer) discloses for each purpose (inner).
    elements: Vec<Vec<ElementSet>>,
    /// For each purpose, what any basis discloses.
    by_purpose: Vec<ElementSet>,
}

impl Plan {
    /// Prepares terms.
    pub fn new(terms: Terms, digest: Digest) -> Self {
        let elements: Vec<Vec<ElementSet>> = terms
            .bases
            .iter()
            .map(|basis| terms.purposes.iter().map(|purpose| terms.elements(basis.law, &purpose.id)).collect())
            .collect();
        let by_purpose = (0..terms.purposes.len())
            .map(|at| {
                elements
                    .iter()
                    .filter_map(|of_basis| of_basis.get(at))
                    .fold(ElementSet::EMPTY, |all, one| all.union(one))
            })
            .collect();
        Self { zone: terms.zone(), validity: terms.validity(), terms, digest, elements, by_purpose }
    }

    /// What the version says.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The SHA-256 of its canonical form.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The recipient's zone.
    pub const fn zone(&self) -> Tz {
        self.zone
    }

    /// The instants between its first and last day.
    pub const fn validity(&self) -> Interval {
        self.validity
    }

    pub(crate) fn purpose(&self, at: usize) -> Option<&Purpose> {
        self.terms.purposes.get(at)
    }

    pub(crate) fn basis(&self, at: usize) -> Option<&Basis> {
        self.terms.bases.get(at)
    }

    pub(crate) fn find_purpose(&self, id: &str) -> Option<usize> {
        self.terms.purposes.iter().position(|purpose| purpose.id == id)
    }

    pub(crate) fn elements(&self, basis: usize, purpose: usize) -> ElementSet {
        self.elements.get(basis).and_then(|of_basis| of_basis.get(purpose)).copied().unwrap_or_default()
    }

    pub(crate) fn elements_on_any_basis(&self, purpose: usize) -> ElementSet {
        self.by_purpose.get(purpose).copied().unwrap_or_default()
    }

    /// Whether a basis that asks for such a paper discloses anything for any purpose.
    pub(crate) fn takes(&self, evidence: Evidence) -> bool {
        let discloses = |of_basis: &Vec<ElementSet>| of_basis.iter().any(|elements| !elements.is_empty());
        let bases = self.terms.bases.iter().zip(&self.elements);
        bases.into_iter().any(|(basis, of_basis)| basis.evidence() == Some(evidence) && discloses(of_basis))
    }

    pub(crate) fn clause_about(&self, basis: usize, purpose: usize, domain: Domain) -> Option<&Clause> {
        let (law, purpose) = (self.basis(basis)?.law, &self.purpose(purpose)?.id);
        self.terms.clause_about(law, purpose, domain).map(|(_, clause)| clause)
    }
}

/// A version with two verified approvals, the time it is in force, and the recipient's certifications.
#[derive(Clone, Debug)]
pub struct InForce {
    pub(crate) plan: Arc<Plan>,
    pub(crate) activated_at: DateTime<Utc>,
    pub(crate) ended: Option<(DateTime<Utc>, Ended)>,
    pub(crate) approved_by: [String; 2],
    pub(crate) sandbox_approval: bool,
    pub(crate) certifications: Vec<Interval>,
}

impl InForce {
    /// The terms, prepared.
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// What the version says.
    pub fn terms(&self) -> &Terms {
        self.plan.terms()
    }

    /// The SHA-256 of its canonical form.
    pub fn digest(&self) -> Digest {
        self.plan.digest()
    }

    /// When it came into force.
    pub const fn activated_at(&self) -> DateTime<Utc> {
        self.activated_at
    }

    /// When and why it went out of force, if it did.
    pub const fn ended(&self) -> Option<(DateTime<Utc>, Ended)> {
        self.ended
    }

    /// The two who approved it.
    pub const fn approved_by(&self) -> &[String; 2] {
        &self.approved_by
    }

    /// Whether the program itself held a key that approved it, as in the sandbox.
    pub const fn has_sandbox_approval(&self) -> bool {
        self.sandbox_approval
    }

    /// Whether a certification of the recipient's is in force at an instant, approved by two.
    pub fn is_certified(&self, at: DateTime<Utc>) -> bool {
        self.certifications.iter().any(|one| one.contains(at))
    }
}
