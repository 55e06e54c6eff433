//! What may be disclosed, and all that must be recorded with it.

use std::{collections::BTreeSet, fmt, sync::Arc};

use chrono::{DateTime, NaiveDate, Utc};
use model::{ConsumerId, Domain, SchoolYear, Sensitivity};

use crate::{
    canonical::Digest,
    decide::Ground,
    element_set::ElementSet,
    evidence::Instrument,
    in_force::InForce,
    interval::years_before,
    terms::{Audiences, Basis, Clause, LegalBasis, OnwardParty, SchoolYears, Terms},
};

/// A yes, for one student: which elements, under which clauses, on which basis, and until when it can hold.
#[derive(Clone)]
pub struct Grant {
    in_force: Arc<InForce>,
    basis: usize,
    law: LegalBasis,
    purpose: usize,
    elements: ElementSet,
    withheld: ElementSet,
    decided_at: DateTime<Utc>,
    ground: Ground,
}

impl Grant {
    pub(super) fn new(
        in_force: &Arc<InForce>,
        (basis, law, purpose): (usize, LegalBasis, usize),
        (requested, elements): (ElementSet, ElementSet),
        decided_at: DateTime<Utc>,
        ground: Ground,
    ) -> Self {
        // What reveals another agency is not even named as withheld, nor is what is kept for the state's own files.
        let withheld = requested.minus(&elements).minus(&ElementSet::guarded());
        Self { in_force: Arc::clone(in_force), basis, law, purpose, elements, withheld, decided_at, ground }
    }

    /// The agreement in force.
    pub const fn in_force(&self) -> &Arc<InForce> {
        &self.in_force
    }

    fn terms(&self) -> &Terms {
        self.in_force.terms()
    }

    /// The agreement's id.
    pub fn agreement_id(&self) -> &str {
        &self.terms().id
    }

    /// The agreement's title, for the notice.
    pub fn agreement_title(&self) -> &str {
        &self.terms().title
    }

    /// Its version.
    pub fn version(&self) -> i32 {
        self.terms().version
    }

    /// The SHA-256 of its canonical form.
    pub fn digest(&self) -> Digest {
        self.in_force.digest()
    }

    /// The recipient.
    pub fn consumer(&self) -> &ConsumerId {
        &self.terms().consumer
    }

    /// The recipient's name, as a parent should read it.
    pub fn recipient(&self) -> &str {
        self.terms().recipient()
    }

    /// The basis chosen: the first, in the agreement's order, that holds.
    pub const fn legal_basis(&self) -> LegalBasis {
        self.law
    }

    /// The basis as the agreement states it.
    pub fn basis(&self) -> Option<&Basis> {
        self.in_force.plan.basis(self.basis)
    }

    /// The purpose's id.
    pub fn purpose(&self) -> &str {
        self.in_force.plan.purpose(self.purpose).map_or("", |purpose| &purpose.id)
    }

    /// The purpose in words: the recipient's legitimate interest.
    pub fn interest(&self) -> &str {
        self.in_force.plan.purpose(self.purpose).map_or("", |purpose| &purpose.text)
    }

    /// The elements that may be disclosed.
    pub const fn elements(&self) -> ElementSet {
        self.elements
    }

    /// The elements asked for and not granted; never one that is guarded.
    pub const fn withheld(&self) -> ElementSet {
        self.withheld
    }

    /// The granted elements that reveal another agency, each named by a clause. Where one is not among them, what it would
    /// show is to look like any other record.
    pub fn other_agency(&self) -> BTreeSet<(Domain, &'static str)> {
        self.elements
            .intersection(&ElementSet::of_class(Sensitivity::OtherAgency))
            .iter()
            .map(|element| (element.domain, element.name))
            .collect()
    }

    /// What may be disclosed of a domain; `None`: nothing.
    pub fn permit(&self, domain: Domain) -> Option<Permit<'_>> {
        let elements = self.elements.within(domain);
        if elements.is_empty() {
            return None;
        }
        let clause = self.in_force.plan.clause_about(self.basis, self.purpose, domain)?;
        let zone = self.in_force.plan.zone();
        let not_before = clause.records.max_age_years.map(|years| years_before(self.decided_at, zone, years));
        Some(Permit { domain, clause, elements, not_before })
    }

    /// The clauses behind it, each once, in the agreement's order.
    pub fn clauses(&self) -> Vec<&str> {
        let (law, purpose) = (self.legal_basis(), self.purpose());
        self.terms()
            .clauses
            .iter()
            .filter(|clause| clause.speaks(law, purpose) && !clause.elements.intersection(&self.elements).is_empty())
            .map(|clause| clause.id.as_str())
            .collect()
    }

    /// The notice to print with it.
    pub fn notice(&self) -> &str {
        &self.terms().redisclosure.notice
    }

    /// To whom the recipient may disclose further.
    pub fn onward(&self) -> &[OnwardParty] {
        &self.terms().redisclosure.onward
    }

    /// How long the recipient may keep it after its authority has ended.
    pub fn retention_days(&self) -> i32 {
        self.terms().retention.days
    }

    /// Who may be shown that it was disclosed.
    pub fn audience(&self) -> Audiences {
        self.terms().audience
    }

    /// When it was decided.
    pub const fn decided_at(&self) -> DateTime<Utc> {
        self.decided_at
    }

    /// The first instant at which it no longer holds, as far as is known. Something unforeseen may end it sooner.
    pub const fn until(&self) -> Option<DateTime<Utc>> {
        self.ground.until
    }

    /// The paper about the student that it rests on, where its basis asks for one.
    pub const fn instrument(&self) -> Option<&Instrument> {
        self.ground.instrument.as_ref()
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("agreement", &self.agreement_id())
            .field("version", &self.version())
            .field("legal_basis", &self.legal_basis())
            .field("purpose", &self.purpose())
            .field("elements", &self.elements)
            .field("until", &self.until())
            .finish_non_exhaustive()
    }
}

/// What may be disclosed of one domain: one clause, its elements and its bounds.
#[derive(Clone, Copy, Debug)]
pub struct Permit<'g> {
    domain: Domain,
    clause: &'g Clause,
    elements: ElementSet,
    not_before: Option<NaiveDate>,
}

impl<'g> Permit<'g> {
    /// The clause it rests on.
    pub fn clause(&self) -> &'g str {
        &self.clause.id
    }

    /// The elements, all of this domain.
    pub const fn elements(&self) -> ElementSet {
        self.elements
    }

    /// Whether the element of this name may be disclosed.
    pub fn allows(&self, name: &str) -> bool {
        self.elements.contains(self.domain, name)
    }

    /// Of which school years.
    pub const fn school_years(&self) -> SchoolYears {
        self.clause.school_years
    }

    /// The day before which nothing is disclosed, by the last day a record is about.
    pub const fn not_before(&self) -> Option<NaiveDate> {
        self.not_before
    }

    /// The kinds of record that are left out.
    pub fn excluded_kinds(&self) -> impl Iterator<Item = &'g str> {
        self.clause.records.excluded_kinds(self.domain)
    }

    /// Whether a fact may be disclosed at all: the twin of the condition that the database applies.
    pub fn admits(&self, kind: &str, school_year: Option<SchoolYear>, last_day: Option<NaiveDate>) -> bool {
        self.clause.school_years.admit(school_year)
            && self.not_before.is_none_or(|bound| last_day.is_some_and(|day| bound <= day))
            && !self.excluded_kinds().any(|one| one == kind)
    }
}
