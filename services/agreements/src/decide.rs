//! The decision: may this caller have these elements of this student, for this purpose, now?
//!
//! A pure function over terms and facts. What does not depend on the student is decided first, so that a refusal of that
//! kind says nothing about anybody; what depends on the student is refused in one and the same words.

mod grant;
mod reason;

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use model::ConsumerId;

use crate::{
    element_set::ElementSet,
    evidence::{Instrument, InstrumentKind},
    in_force::{Ended, InForce},
    interval::Interval,
    named::named,
    terms::{Basis, Condition, Delivery, Evidence, LegalBasis, Scope},
};
pub use grant::{Grant, Permit};
pub use reason::{Denial, Reason};

named! {
    /// Where a case stands.
    Phase, "a phase" {
        /// Before adjudication.
        PreAdjudication = "pre_adjudication",
        /// After it.
        Adjudicated = "adjudicated",
    }
}

/// Who asks, in the recipient agency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor<'a> {
    /// A system, by its verified certificate.
    System {
        /// The certificate's subject alternative names.
        names: &'a [String],
        /// Its SHA-256 in lower-case hexadecimal.
        fingerprint: &'a str,
    },
    /// A person signed in.
    Person {
        /// Their role.
        role: &'a str,
        /// Their office.
        office: Option<&'a str>,
        /// Their id as rosters name the officer.
        officer: Option<&'a str>,
        /// When they were last trained.
        trained_on: Option<NaiveDate>,
    },
    /// The exchange itself, delivering on schedule to the place agreed.
    ScheduledRun,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The party on whose certificate, session or schedule it is asked.
    pub consumer: &'a ConsumerId,
    /// Who there.
    pub actor: Actor<'a>,
    /// For what, by the purpose's id.
    pub purpose: &'a str,
    /// How it would leave.
    pub delivery: Delivery,
    /// The one office it is for, if it is for one.
    pub office: Option<&'a str>,
    /// Which elements.
    pub elements: ElementSet,
}

/// Why the agency may ask about a client, and when: a custody episode, a supervision, the SEA's own charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The basis it names. One the program does not know supports nothing.
    pub legal_basis: Option<LegalBasis>,
    /// Its phase, if it states one.
    pub phase: Option<Phase>,
    /// The office responsible.
    pub office: Option<String>,
    /// The officer responsible.
    pub officer: Option<String>,
    /// While it runs.
    pub released: Interval,
}

/// What is known of one student as this agency's client. A student who is not its client, and one who does not exist, has
/// no authorities: they are the same here already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The agency's authorities, those that ended included.
    pub authorities: &'a [Authority],
    /// Papers on file about this client with this agency.
    pub instruments: &'a [Instrument],
    /// When rights pass to the student (see [`crate::majority_at`]); not known, nothing that depends on it holds.
    pub majority_at: Option<DateTime<Utc>>,
}

/// Decides. The time is the caller's: the later of the clock and the last entry of the ledger.
pub fn decide(
    request: &Request<'_>,
    subject: &Subject<'_>,
    in_force: &Arc<InForce>,
    at: DateTime<Utc>,
) -> Result<Grant, Denial> {
    let purpose = admit(request, in_force, at).map_err(|reason| Denial { reason, at })?;
    let plan = in_force.plan();
    let mut closest = Reason::NotAClient;
    for (index, basis) in plan.terms().bases.iter().enumerate() {
        let allowed = plan.elements(index, purpose);
        if allowed.is_empty() {
            continue;
        }
        match holds(basis, request, subject, in_force, at) {
            Ok(ground) => {
                let elements = request.elements.intersection(&allowed);
                if elements.is_empty() {
                    return Err(Denial { reason: Reason::NoElementOnThisBasis, at });
                }
                return Ok(Grant::new(in_force, (index, basis.law, purpose), (request.elements, elements), at, ground));
            }
            Err(reason) => closest = closest.max(reason),
        }
    }
    Err(Denial { reason: closest, at })
}

/// Whether anything at all may be disclosed in answer to a request, whoever it is about: the agreement is in force and admits the caller, the
/// delivery and the purpose.
pub fn stands(request: &Request<'_>, in_force: &InForce, at: DateTime<Utc>) -> Result<(), Reason> {
    admit(request, in_force, at).map(|_| ())
}

/// Whether an agreement is in force at a moment at all, whatever is asked of it.
pub fn runs(in_force: &InForce, at: DateTime<Utc>) -> Result<(), Reason> {
    if at < in_force.activated_at {
        return Err(Reason::AgreementNotYetInForce);
    }
    match in_force.ended {
        Some((ended_at, Ended::Suspended)) if ended_at <= at => return Err(Reason::AgreementSuspended),
        Some((ended_at, Ended::Superseded)) if ended_at <= at => return Err(Reason::AgreementSuperseded),
        _ => {}
    }
    let validity = in_force.plan.validity();
    if at < validity.from {
        return Err(Reason::AgreementNotYetInForce);
    }
    if validity.ended_before(at) {
        return Err(Reason::AgreementExpired);
    }
    Ok(())
}

/// Everything that does not depend on the student; the place of the purpose if nothing speaks against it.
fn admit(request: &Request<'_>, in_force: &InForce, at: DateTime<Utc>) -> Result<usize, Reason> {
    let terms = in_force.terms();
    if *request.consumer != terms.consumer {
        return Err(Reason::AnotherParty);
    }
    runs(in_force, at)?;
    if !terms.access.deliveries.contains(&request.delivery) {
        return Err(Reason::DeliveryNotAgreed);
    }
    admit_actor(request, in_force, at)?;
    let purpose = in_force.plan.find_purpose(request.purpose).ok_or(Reason::PurposeNotAgreed)?;
    if request.elements.intersection(&in_force.plan.elements_on_any_basis(purpose)).is_empty() {
        return Err(Reason::NoElementForThisPurpose);
    }
    Ok(purpose)
}

fn admit_actor(request: &Request<'_>, in_force: &InForce, at: DateTime<Utc>) -> Result<(), Reason> {
    let access = &in_force.terms().access;
    let agreed = |office: &str| access.offices.as_ref().is_none_or(|all| all.iter().any(|one| one == office));
    if request.office.is_some_and(|office| !agreed(office)) {
        return Err(Reason::OfficeNotAgreed);
    }
    match request.actor {
        Actor::ScheduledRun if access.scheduled_runs => Ok(()),
        Actor::ScheduledRun => Err(Reason::ScheduledRunNotAgreed),
        Actor::System { names, fingerprint } => {
            let known = access.systems.iter().any(|system| {
                system.san.as_ref().is_none_or(|san| names.contains(san))
                    && system.fingerprint.as_ref().is_none_or(|print| print == fingerprint)
                    && (system.san.is_some() || system.fingerprint.is_some())
            });
            if known { Ok(()) } else { Err(Reason::SystemNotAgreed) }
        }
        Actor::Person { role, office, trained_on, .. } => {
            let role = access.roles.iter().find(|one| one.name == role).ok_or(Reason::RoleNotAgreed)?;
            if office.is_some_and(|office| !agreed(office)) || (office.is_none() && access.offices.is_some()) {
                return Err(Reason::OfficeNotAgreed);
            }
            let today = at.with_timezone(&in_force.plan.zone()).date_naive();
            let trained = role.training_valid_days.is_none_or(|days| {
                trained_on.is_some_and(|on| on <= today && today - on <= TimeDelta::days(i64::from(days)))
            });
            if trained { Ok(()) } else { Err(Reason::TrainingMissing) }
        }
    }
}

/// Until when the facts a decision rested on are known to hold; `None`: no end is known.
type Until = Option<DateTime<Utc>>;

fn earlier(a: Until, b: Until) -> Until {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn later(a: Until, b: Until) -> Until {
    a.and_then(|a| b.map(|b| a.max(b)))
}

/// What a basis that holds rests on.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// Until when it holds at most.
    pub(crate) until: Until,
    /// The paper about the student, where the basis asks for one.
    pub(crate) instrument: Option<Instrument>,
}

/// Whether a basis holds for the student, and on what. The reason names the first condition that fails for the
/// authority that comes closest.
pub(crate) fn holds(
    basis: &Basis,
    request: &Request<'_>,
    subject: &Subject<'_>,
    in_force: &InForce,
    at: DateTime<Utc>,
) -> Result<Ground, Reason> {
    let mut closest = Reason::NotAClient;
    let mut until: Option<Until> = None;
    for authority in subject.authorities {
        match presents(basis, authority, request, in_force, at) {
            // The authority that runs longest carries the grant.
            Ok(end) => until = Some(until.map_or(end, |other| later(other, end))),
            Err(reason) => closest = closest.max(reason),
        }
    }
    let mut until = until.ok_or(closest)?;
    if basis.requires(Condition::BeforeMajority) {
        until = earlier(until, Some(before_majority(subject, at)?));
    }
    let mut instrument = None;
    if let Some(evidence) = basis.evidence() {
        let (end, paper) = on_file(evidence, subject, at)?;
        until = earlier(until, end);
        instrument = Some(paper.clone());
    }
    if basis.requires(Condition::Certification) {
        let running = in_force.certifications.iter().filter(|one| one.contains(at));
        let longest = running.map(|one| one.to).reduce(later);
        until = earlier(until, longest.ok_or(Reason::CertificationMissing)?);
    }
    until = earlier(until, in_force.plan.validity().to);
    until = earlier(until, in_force.ended.map(|(ended_at, _)| ended_at));
    Ok(Ground { until, instrument })
}

/// Whether an authority puts the student before this caller on this basis, and until when.
fn presents(
    basis: &Basis,
    authority: &Authority,
    request: &Request<'_>,
    in_force: &InForce,
    at: DateTime<Utc>,
) -> Result<Until, Reason> {
    if !authority.released.contains(at) {
        return Err(if authority.released.ended_before(at) {
            Reason::AuthorityEnded
        } else {
            Reason::AuthorityNotBegun
        });
    }
    let same = |wanted: Option<&str>, has: &Option<String>| wanted.is_some() && wanted == has.as_deref();
    if request.office.is_some() && !same(request.office, &authority.office) {
        return Err(Reason::AnotherOffice);
    }
    if let Actor::Person { role, office, officer, .. } = request.actor {
        let scope = in_force.terms().access.roles.iter().find(|one| one.name == role).map(|one| one.scope);
        match scope {
            Some(Scope::Agency) => {}
            Some(Scope::OwnOffice) if same(office, &authority.office) => {}
            Some(Scope::Caseload) if same(officer, &authority.officer) => {}
            Some(Scope::Caseload) => return Err(Reason::AnotherCaseload),
            Some(Scope::OwnOffice) | None => return Err(Reason::AnotherOffice),
        }
    }
    if basis.requires(Condition::Authority) && authority.legal_basis != Some(basis.law) {
        return Err(Reason::AuthorityOnAnotherBasis);
    }
    if basis.requires(Condition::BeforeAdjudication) && authority.phase != Some(Phase::PreAdjudication) {
        return Err(Reason::AfterAdjudication);
    }
    Ok(authority.released.to)
}

fn before_majority(subject: &Subject<'_>, at: DateTime<Utc>) -> Result<DateTime<Utc>, Reason> {
    match subject.majority_at {
        None => Err(Reason::BirthDateUnknown),
        Some(majority) if majority <= at => Err(Reason::RightsPassed),
        Some(majority) => Ok(majority),
    }
}

/// Whether a paper of this kind is in force: the one that runs longest, the first of several alike, and until when it counts.
fn on_file<'s>(
    evidence: Evidence,
    subject: &Subject<'s>,
    at: DateTime<Utc>,
) -> Result<(Until, &'s Instrument), Reason> {
    let (missing, ended) = match evidence {
        Evidence::Release => (Reason::ReleaseMissing, Reason::ReleaseEnded),
        Evidence::CourtOrder => (Reason::OrderMissing, Reason::OrderEnded),
        Evidence::Emergency => (Reason::EmergencyMissing, Reason::EmergencyEnded),
    };
    let mut closest = missing;
    let mut longest: Option<(Until, &Instrument)> = None;
    for instrument in subject.instruments.iter().filter(|one| one.kind.evidence() == evidence) {
        let result = match instrument.kind {
            _ if instrument.in_force.ended_before(at) => Err(ended),
            _ if !instrument.in_force.contains(at) => Err(missing),
            InstrumentKind::ParentRelease => {
                before_majority(subject, at).map(|majority| earlier(instrument.in_force.to, Some(majority)))
            }
            InstrumentKind::StudentRelease => match before_majority(subject, at) {
                Err(Reason::RightsPassed) => Ok(instrument.in_force.to),
                Err(unknown) => Err(unknown),
                Ok(_) => Err(Reason::RightsNotYetPassed),
            },
            InstrumentKind::Emergency if instrument.threat().is_none() => Err(Reason::ThreatNotStated),
            InstrumentKind::CourtOrder | InstrumentKind::Emergency => Ok(instrument.in_force.to),
        };
        match result {
            Ok(end) if longest.is_some_and(|(other, _)| later(other, end) == other) => {}
            Ok(end) => longest = Some((end, instrument)),
            Err(reason) => closest = closest.max(reason),
        }
    }
    longest.ok_or(closest)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
