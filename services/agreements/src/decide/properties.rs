//! Properties over random agreements, clients and requests. The one that matters: less agreed, less asked or less on file
//! never discloses more.

use std::sync::Arc;

use proptest::prelude::*;

use super::{
    tests::{day, in_force},
    *,
};
use crate::{
    document::tests::{SMALL, terms},
    rule::{self, RuleRow},
    terms::{Clause, Records, SchoolYears, Terms},
};
use model::{Domain, SchoolYear};

const BASES: [LegalBasis; 4] =
    [LegalBasis::JuvenileJustice, LegalBasis::UninterruptedScholars, LegalBasis::CourtOrder, LegalBasis::ParentConsent];

fn elements() -> impl Strategy<Value = ElementSet> {
    proptest::collection::vec(any::<prop::sample::Index>(), 0..40).prop_map(|picks| {
        let all: Vec<_> = ElementSet::all().iter().copied().collect();
        let mut set = ElementSet::EMPTY;
        for pick in &picks {
            set.insert(pick.get(&all));
        }
        set
    })
}

fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    (0_i64..24).prop_map(|months| day("2026-01-01") + TimeDelta::days(months * 30))
}

fn interval() -> impl Strategy<Value = Interval> {
    (instant(), proptest::option::of(1_i64..12))
        .prop_map(|(from, months)| Interval { from, to: months.map(|months| from + TimeDelta::days(months * 30)) })
}

/// One clause a domain, so that no two contradict each other.
fn agreement() -> impl Strategy<Value = Terms> {
    let clause = (
        elements(),
        proptest::sample::subsequence(BASES.to_vec(), 0..=4),
        proptest::option::of(2010_i16..2026),
        proptest::option::of(1_u16..10),
    );
    (
        proptest::sample::subsequence(BASES.to_vec(), 1..=4).prop_shuffle(),
        proptest::collection::vec(clause, Domain::ALL.len()),
    )
        .prop_map(|(bases, clauses)| {
            let mut terms = terms(SMALL);
            let template = terms.bases[0].clone();
            terms.bases = bases
                .into_iter()
                .map(|law| Basis { law, conditions: law.required().to_vec(), ..template.clone() })
                .collect();
            terms.clauses = Domain::ALL
                .into_iter()
                .zip(clauses)
                .map(|(domain, (elements, bases, from, age))| Clause {
                    id: domain.name().to_owned(),
                    text: "Random.".to_owned(),
                    purposes: vec!["care".to_owned()],
                    bases,
                    elements: elements.within(domain),
                    school_years: SchoolYears { from: from.map(SchoolYear), to: None },
                    records: Records { max_age_years: age, exclude_kinds: Vec::new() },
                })
                .collect();
            terms
        })
}

prop_compose! {
    fn authority()(
        law in proptest::option::of(proptest::sample::select(BASES.to_vec())),
        phase in proptest::option::of(proptest::sample::select(Phase::ALL.to_vec())),
        released in interval(),
    ) -> Authority {
        Authority { legal_basis: law, phase, office: None, officer: None, released }
    }
}

prop_compose! {
    fn instrument()(
        kind in proptest::sample::select(InstrumentKind::ALL.to_vec()),
        in_force in interval(),
    ) -> Instrument {
        Instrument { kind, in_force, paper: Arc::default() }
    }
}

#[derive(Clone, Debug)]
struct World {
    terms: Terms,
    certifications: Vec<Interval>,
    authorities: Vec<Authority>,
    instruments: Vec<Instrument>,
    majority_at: Option<DateTime<Utc>>,
    elements: ElementSet,
    at: DateTime<Utc>,
}

prop_compose! {
    fn world()(
        terms in agreement(),
        certifications in proptest::collection::vec(interval(), 0..3),
        authorities in proptest::collection::vec(authority(), 0..4),
        instruments in proptest::collection::vec(instrument(), 0..4),
        majority_at in proptest::option::of(instant()),
        elements in elements(),
        at in instant(),
    ) -> World {
        World { terms, certifications, authorities, instruments, majority_at, elements, at }
    }
}

impl World {
    fn decide(&self) -> Result<Grant, Denial> {
        let mut in_force = in_force(self.terms.clone());
        in_force.certifications.clone_from(&self.certifications);
        let request = Request {
            consumer: &self.terms.consumer,
            actor: Actor::ScheduledRun,
            purpose: "care",
            delivery: Delivery::Stream,
            office: None,
            elements: self.elements,
        };
        let subject =
            Subject { authorities: &self.authorities, instruments: &self.instruments, majority_at: self.majority_at };
        decide(&request, &subject, &Arc::new(in_force), self.at)
    }

    fn granted(&self) -> ElementSet {
        self.decide().map_or(ElementSet::EMPTY, |grant| grant.elements())
    }

    /// What the view and the statement that joins it say, in the plainest words: the join, row by row.
    fn joined(&self) -> Option<(LegalBasis, ElementSet)> {
        let rules = rule::rows(&self.terms);
        let holding: Vec<&RuleRow> =
            rules.iter().filter(|rule| self.authorities.iter().any(|a| self.joins(rule, a))).collect();
        let first = holding.iter().map(|rule| rule.basis_rank).min()?;
        let mut set = ElementSet::EMPTY;
        let mut law = None;
        for rule in holding.into_iter().filter(|rule| rule.basis_rank == first) {
            let domain = Domain::from_code(rule.domain)?;
            law = rule.legal_basis.parse().ok();
            for name in &rule.elements {
                set.insert(domains::definition(domain).find_element(name)?);
            }
        }
        Some((law?, set.intersection(&self.elements)))
    }

    fn joins(&self, rule: &RuleRow, authority: &Authority) -> bool {
        let at = self.at;
        let minor = self.majority_at.is_some_and(|majority| at < majority);
        let adult = self.majority_at.is_some_and(|majority| majority <= at);
        let papers = |kinds: &[InstrumentKind]| {
            self.instruments.iter().any(|paper| {
                kinds.contains(&paper.kind)
                    && paper.in_force.contains(at)
                    && (paper.kind != InstrumentKind::ParentRelease || minor)
                    && (paper.kind != InstrumentKind::StudentRelease || adult)
            })
        };
        authority.released.contains(at)
            && (!rule.requires_authority || authority.legal_basis.map(LegalBasis::as_str) == Some(&*rule.legal_basis))
            && (!rule.requires_pre_adjudication || authority.phase == Some(Phase::PreAdjudication))
            && (!rule.requires_certification || self.certifications.iter().any(|one| one.contains(at)))
            && (!rule.ends_at_majority || minor)
            && match rule.evidence.as_deref() {
                None => true,
                Some("release") => papers(&[InstrumentKind::ParentRelease, InstrumentKind::StudentRelease]),
                Some("court_order") => papers(&[InstrumentKind::CourtOrder]),
                Some(_) => papers(&[InstrumentKind::Emergency]),
            }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn the_decision_and_the_rows_give_one_answer(world in world()) {
        let by_rows = world.joined().filter(|(_, elements)| !elements.is_empty());
        match world.decide() {
            Ok(grant) => prop_assert_eq!(Some((grant.legal_basis(), grant.elements())), by_rows),
            Err(denial) => prop_assert_eq!(by_rows, None, "{:?}", denial.reason),
        }
    }

    #[test]
    fn a_smaller_request_never_gets_more(world in world(), keep in elements()) {
        let smaller = World { elements: world.elements.intersection(&keep), ..world.clone() };
        prop_assert!(smaller.granted().is_subset(&world.granted()));
    }

    #[test]
    fn a_smaller_agreement_never_discloses_more(world in world(), keep in elements()) {
        // The basis is the same: what a basis discloses at all decides whether it is looked at.
        let mut smaller = world.clone();
        for clause in &mut smaller.terms.clauses {
            let kept = clause.elements.intersection(&keep);
            clause.elements = if kept.is_empty() { clause.elements } else { kept };
        }
        prop_assert!(smaller.granted().is_subset(&world.granted()));
    }

    #[test]
    fn what_is_on_file_less_opens_nothing_new(world in world()) {
        let granted_by_any: ElementSet = world.terms.bases.iter().fold(ElementSet::EMPTY, |all, basis| {
            all.union(&world.terms.elements(basis.law, "care"))
        });
        for without in [
            World { authorities: Vec::new(), ..world.clone() },
            World { authorities: Vec::new(), instruments: Vec::new(), ..world.clone() },
        ] {
            prop_assert!(without.granted().is_empty());
        }
        for law in BASES {
            // With one basis there is no choice, so less evidence is simply less.
            let mut one = world.clone();
            one.terms.bases.retain(|basis| basis.law == law);
            if one.terms.bases.is_empty() {
                continue;
            }
            for less in [
                World { instruments: one.instruments.iter().skip(1).cloned().collect(), ..one.clone() },
                World { certifications: one.certifications.iter().skip(1).copied().collect(), ..one.clone() },
                World { authorities: one.authorities.iter().skip(1).cloned().collect(), ..one.clone() },
            ] {
                prop_assert!(less.granted().is_subset(&one.granted()));
            }
            prop_assert!(one.granted().is_subset(&granted_by_any));
        }
    }

    #[test]
    fn a_grant_is_within_its_clauses_and_ends_when_it_says(world in world()) {
        let Ok(grant) = world.decide() else { return Ok(()) };
        prop_assert!(grant.elements().is_subset(&world.elements));
        prop_assert!(grant.withheld().intersection(&grant.elements()).is_empty());
        prop_assert!(grant.withheld().intersection(&ElementSet::guarded()).is_empty());
        for domain in Domain::ALL {
            let elements = grant.elements().within(domain);
            prop_assert_eq!(grant.permit(domain).map(|permit| permit.elements()), (!elements.is_empty()).then_some(elements));
        }
        if let Some(until) = grant.until() {
            prop_assert!(world.at < until);
            let just_before = World { at: until - TimeDelta::microseconds(1), ..world.clone() };
            // Another basis may have come into force meanwhile, earlier in the order; this one still holds.
            let law = grant.legal_basis();
            let mut one = just_before;
            one.terms.bases.retain(|basis| basis.law == law);
            prop_assert!(one.decide().is_ok());
        }
    }
}
