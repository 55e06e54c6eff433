use std::sync::Arc;

use super::*;
use crate::{
    canonical::Digest,
    document::tests::shipped,
    evidence::{Paper, REASON_BYTES_MAX},
    explain,
    in_force::Plan,
    interval::{majority_at, start_of_day},
    terms::Terms,
};
use model::{Domain, Masked};

const NEW_YORK: chrono_tz::Tz = chrono_tz::America::New_York;

pub(super) fn day(text: &str) -> DateTime<Utc> {
    start_of_day(text.parse().expect("a day"), NEW_YORK)
}

fn between(from: &str, to: &str) -> Interval {
    Interval { from: day(from), to: (!to.is_empty()).then(|| day(to)) }
}

pub(super) fn in_force(terms: Terms) -> InForce {
    InForce {
        plan: Arc::new(Plan::new(terms, Digest([7; 32]))),
        activated_at: day("2020-01-01"),
        ended: None,
        approved_by: ["ann".to_owned(), "ben".to_owned()],
        sandbox_approval: false,
        certifications: vec![between("2024-01-01", "2027-01-01")],
    }
}

/// A question about one client, changed a little by each row of a table.
struct Case {
    in_force: InForce,
    consumer: ConsumerId,
    system: Vec<String>,
    person: Option<Actor<'static>>,
    purpose: &'static str,
    delivery: Delivery,
    office: Option<&'static str>,
    elements: ElementSet,
    authorities: Vec<Authority>,
    instruments: Vec<Instrument>,
    birth_date: Option<&'static str>,
    at: DateTime<Utc>,
}

impl Case {
    fn decide(&self) -> Result<Grant, Denial> {
        let system = Actor::System { names: &self.system, fingerprint: "00" };
        let machine = if self.system.is_empty() { Actor::ScheduledRun } else { system };
        let actor = self.person.unwrap_or(machine);
        let request = Request {
            consumer: &self.consumer,
            actor,
            purpose: self.purpose,
            delivery: self.delivery,
            office: self.office,
            elements: self.elements,
        };
        let subject = Subject {
            authorities: &self.authorities,
            instruments: &self.instruments,
            majority_at: self.birth_date.map(|day| majority_at(day.parse().expect("a day"), NEW_YORK)),
        };
        let in_force = Arc::new(self.in_force.clone());
        let decision = decide(&request, &subject, &in_force, self.at);
        let element = domains::find_element("attendance.days_attended").expect("an element");
        let explained = explain(&request, &subject, &in_force, element, self.at);
        assert!(!explained.lines.is_empty());
        if decision.is_ok() {
            assert!(explained.permitted || !self.elements.contains(Domain::Attendance, "days_attended"));
        } else if decision.as_ref().is_err_and(|denial| denial.reason < Reason::NoElementForThisPurpose) {
            assert!(!explained.permitted);
        }
        decision
    }

    fn outcome(&self) -> Result<LegalBasis, Reason> {
        self.decide().map(|grant| grant.legal_basis()).map_err(|denial| denial.reason)
    }
}

fn authority(law: LegalBasis, phase: Option<Phase>, released: Interval) -> Authority {
    Authority {
        legal_basis: Some(law),
        phase,
        office: Some("Hartford".to_owned()),
        officer: Some("po-17".to_owned()),
        released,
    }
}

fn case(terms: Terms, purpose: &'static str, authorities: Vec<Authority>) -> Case {
    Case {
        consumer: terms.consumer.clone(),
        in_force: in_force(terms),
        system: Vec::new(),
        person: None,
        purpose,
        delivery: Delivery::Stream,
        office: None,
        elements: ElementSet::all(),
        authorities,
        instruments: Vec::new(),
        birth_date: Some("2010-05-05"),
        at: day("2026-03-01"),
    }
}

fn person(
    role: &'static str,
    office: Option<&'static str>,
    officer: Option<&'static str>,
    trained: Option<&str>,
) -> Actor<'static> {
    let trained_on = trained.map(|day| day.parse().expect("a day"));
    Actor::Person { role, office, officer, trained_on }
}

/// A child in custody from 1 January to 30 June 2026.
fn dcf() -> Case {
    let [terms, ..] = shipped();
    let custody = authority(LegalBasis::UninterruptedScholars, None, between("2026-01-01", "2026-07-01"));
    Case { system: vec!["dcf.consumers.throughline.test".to_owned()], ..case(terms, "case_planning", vec![custody]) }
}

/// A client under supervision before adjudication.
fn cssd() -> Case {
    let [_, terms, ..] = shipped();
    let supervision = authority(LegalBasis::JuvenileJustice, Some(Phase::PreAdjudication), between("2026-01-01", ""));
    case(terms, "service_planning", vec![supervision])
}

/// A student in a facility whose parent signed a release.
fn unit() -> Case {
    let [_, _, terms, ..] = shipped();
    let presence = authority(LegalBasis::ParentConsent, None, between("2026-01-01", ""));
    Case {
        instruments: paper(InstrumentKind::ParentRelease, "2026-01-01", "2027-01-01"),
        ..case(terms, "education_oversight", vec![presence])
    }
}

fn adjudicated(mut case: Case) -> Case {
    case.authorities[0].phase = Some(Phase::Adjudicated);
    case
}

fn saying(kind: InstrumentKind, from: &str, to: &str, reason: &str) -> Instrument {
    let said = Paper { reference: Masked::new(format!("P {from}")), reason: Masked::new(reason.to_owned()) };
    Instrument { kind, in_force: between(from, to), paper: Arc::new(said) }
}

fn paper(kind: InstrumentKind, from: &str, to: &str) -> Vec<Instrument> {
    vec![saying(kind, from, to, "as it says")]
}

fn check(name: &str, case: &Case, expect: Result<LegalBasis, Reason>) {
    assert_eq!(case.outcome(), expect, "{name}");
}

#[test]
fn custody_opens_and_closes_records_at_the_instant() {
    let expect = Ok(LegalBasis::UninterruptedScholars);
    check("in custody", &dcf(), expect);
    check("first instant", &Case { at: day("2026-01-01"), ..dcf() }, expect);
    let before = day("2026-01-01") - TimeDelta::microseconds(1);
    check("before it", &Case { at: before, ..dcf() }, Err(Reason::AuthorityNotBegun));
    let last = day("2026-07-01") - TimeDelta::microseconds(1);
    check("last instant", &Case { at: last, ..dcf() }, expect);
    check("ended", &Case { at: day("2026-07-01"), ..dcf() }, Err(Reason::AuthorityEnded));
    check("stranger", &Case { authorities: vec![], ..dcf() }, Err(Reason::NotAClient));

    let mut back = dcf();
    back.authorities.push(authority(LegalBasis::UninterruptedScholars, None, between("2026-09-01", "")));
    back.at = day("2026-10-01");
    check("back in care", &back, expect);
    back.at = day("2026-08-01");
    check("between two episodes", &back, Err(Reason::AuthorityEnded));

    let mut juvenile = dcf();
    juvenile.authorities[0].legal_basis = Some(LegalBasis::JuvenileJustice);
    check("held, but not in custody", &juvenile, Err(Reason::AuthorityOnAnotherBasis));
    juvenile.authorities[0].legal_basis = None;
    check("a basis nobody knows", &juvenile, Err(Reason::AuthorityOnAnotherBasis));
}

#[test]
fn a_grant_says_until_when() {
    let until = |case: &Case| case.decide().expect("a grant").until();
    assert_eq!(until(&dcf()), Some(day("2026-07-01")));
    let mut two = dcf();
    two.authorities.push(authority(LegalBasis::UninterruptedScholars, None, between("2026-02-01", "2026-09-01")));
    assert_eq!(until(&two), Some(day("2026-09-01")));
    assert_eq!(until(&cssd()), Some(day("2027-01-01")), "the certification");
    assert_eq!(until(&unit()), Some(day("2027-01-01")), "the release");
    let birthday = Case { birth_date: Some("2008-03-02"), ..unit() };
    assert_eq!(until(&birthday), Some(day("2026-03-02")), "the 18th birthday");
    let mut replaced = dcf();
    replaced.in_force.ended = Some((day("2026-04-01"), Ended::Superseded));
    assert_eq!(until(&replaced), Some(day("2026-04-01")), "the next version");
}

#[test]
fn juvenile_justice_needs_the_phase_and_the_certification() {
    check("before adjudication", &cssd(), Ok(LegalBasis::JuvenileJustice));
    check("adjudicated", &adjudicated(cssd()), Err(Reason::AfterAdjudication));
    let mut unstated = cssd();
    unstated.authorities[0].phase = None;
    check("phase not stated", &unstated, Err(Reason::AfterAdjudication));

    let certified = |from: &str, to: &str| {
        let mut case = cssd();
        case.in_force.certifications = vec![between(from, to)];
        case
    };
    check("certified from today", &certified("2026-03-01", ""), Ok(LegalBasis::JuvenileJustice));
    check("certified from tomorrow", &certified("2026-03-02", ""), Err(Reason::CertificationMissing));
    check("certification ended", &certified("2024-01-01", "2026-03-01"), Err(Reason::CertificationMissing));
    let mut none = cssd();
    none.in_force.certifications.clear();
    check("none on file", &none, Err(Reason::CertificationMissing));
}

#[test]
fn after_adjudication_an_order_or_a_release_opens() {
    use InstrumentKind::{CourtOrder, Emergency, ParentRelease, StudentRelease};
    let with = |instruments| Case { instruments, ..adjudicated(cssd()) };
    check("order", &with(paper(CourtOrder, "2026-02-01", "2026-04-01")), Ok(LegalBasis::CourtOrder));
    check("order ended", &with(paper(CourtOrder, "2026-02-01", "2026-03-01")), Err(Reason::OrderEnded));
    check("order to come", &with(paper(CourtOrder, "2026-04-01", "2026-05-01")), Err(Reason::AfterAdjudication));
    check("release", &with(paper(ParentRelease, "2026-02-01", "")), Ok(LegalBasis::ParentConsent));
    check("release ended", &with(paper(ParentRelease, "2026-02-01", "2026-03-01")), Err(Reason::ReleaseEnded));
    check("student too young to sign", &with(paper(StudentRelease, "2026-02-01", "")), Err(Reason::RightsNotYetPassed));
    check(
        "an emergency this agreement does not know",
        &with(paper(Emergency, "2026-02-01", "")),
        Err(Reason::AfterAdjudication),
    );
    let before = Case { instruments: paper(CourtOrder, "2026-02-01", "2026-04-01"), ..cssd() };
    check("the first basis that holds decides", &before, Ok(LegalBasis::JuvenileJustice));
    let mut ended = with(paper(CourtOrder, "2026-02-01", "2026-04-01"));
    ended.authorities[0].released = between("2026-01-01", "2026-02-15");
    check("an order is for a client", &ended, Err(Reason::AuthorityEnded));
}

/// CSSD's agreement, with a basis for emergencies behind the others.
fn with_emergency(instruments: Vec<Instrument>) -> Case {
    let [_, mut terms, ..] = shipped();
    let law = LegalBasis::HealthSafetyEmergency;
    let of = terms.bases[0].clone();
    terms.bases.push(Basis { law, conditions: law.required().to_vec(), ..of });
    for clause in &mut terms.clauses {
        clause.bases.push(law);
    }
    let authorities = adjudicated(cssd()).authorities;
    Case { instruments, ..case(terms, "service_planning", authorities) }
}

#[test]
fn an_emergency_opens_what_the_record_can_say_why() {
    use InstrumentKind::{CourtOrder, Emergency};
    let declared = |reason: &str| saying(Emergency, "2026-02-01", "2026-04-01", reason);
    let check_one = |name, reason: &str, expect| check(name, &with_emergency(vec![declared(reason)]), expect);
    let (opens, refused) = (Ok(LegalBasis::HealthSafetyEmergency), Err(Reason::ThreatNotStated));
    check_one("a threat", "a threat to the school", opens);
    check_one("no threat", " ", refused);
    check_one("what no entry of the record takes", &"x".repeat(REASON_BYTES_MAX + 1), refused);
    check_one("as a roster reports it", crate::reported::REPORTED, refused);
    check("over", &with_emergency(paper(Emergency, "2026-02-01", "2026-03-01")), Err(Reason::EmergencyEnded));
    let other = saying(Emergency, "2026-02-01", "2026-03-15", "a threat to the school");
    let said = with_emergency(vec![declared(""), other.clone()]).decide().expect("a grant");
    assert_eq!((said.instrument(), said.until()), (Some(&other), Some(day("2026-03-15"))), "the one that says why");
    // The paper that runs longest is the one that is recorded.
    let [short, long] = ["2026-03-05", "2026-04-05"].map(|to| saying(CourtOrder, "2026-02-01", to, "hearing"));
    for papers in [vec![short.clone(), long.clone()], vec![long.clone(), short]] {
        let grant = Case { instruments: papers, ..adjudicated(cssd()) }.decide().expect("a grant");
        assert_eq!(grant.instrument(), Some(&long));
    }
    assert_eq!(cssd().decide().expect("a grant").instrument(), None);
}

#[test]
fn rights_pass_to_the_student_at_18() {
    use InstrumentKind::{ParentRelease, StudentRelease};
    check("with a release", &unit(), Ok(LegalBasis::ParentConsent));
    check("without one", &Case { instruments: vec![], ..unit() }, Err(Reason::ReleaseMissing));
    check("the day before", &Case { birth_date: Some("2008-03-02"), ..unit() }, Ok(LegalBasis::ParentConsent));
    check("the birthday", &Case { birth_date: Some("2008-03-01"), ..unit() }, Err(Reason::RightsPassed));
    check("not known", &Case { birth_date: None, ..unit() }, Err(Reason::BirthDateUnknown));
    let own = |birth_date| Case { birth_date, instruments: paper(StudentRelease, "2026-01-01", ""), ..unit() };
    check("the student's own", &own(Some("2008-03-01")), Ok(LegalBasis::ParentConsent));
    check("signed too early", &own(Some("2008-03-02")), Err(Reason::RightsNotYetPassed));
    check("age not known", &own(None), Err(Reason::BirthDateUnknown));
    let revoked = Case { instruments: paper(ParentRelease, "2026-01-01", "2026-02-01"), ..unit() };
    check("revoked", &revoked, Err(Reason::ReleaseEnded));
    let mut both = revoked;
    both.instruments.extend(paper(ParentRelease, "2026-02-15", ""));
    check("signed again", &both, Ok(LegalBasis::ParentConsent));
}

#[test]
fn an_agreement_out_of_force_discloses_nothing() {
    let with = |ended: Option<(&str, Ended)>| {
        let mut case = dcf();
        case.in_force.ended = ended.map(|(at, why)| (day(at), why));
        case
    };
    check("suspended now", &with(Some(("2026-03-01", Ended::Suspended))), Err(Reason::AgreementSuspended));
    check("replaced", &with(Some(("2026-02-01", Ended::Superseded))), Err(Reason::AgreementSuperseded));
    check("replaced later", &with(Some(("2026-03-02", Ended::Superseded))), Ok(LegalBasis::UninterruptedScholars));
    let expired = Case { at: day("2031-07-01"), ..cssd() };
    check("the day after its last", &expired, Err(Reason::AgreementExpired));
    let mut early = dcf();
    early.in_force.activated_at = day("2026-03-02");
    check("activated tomorrow", &early, Err(Reason::AgreementNotYetInForce));
    check("before its first day", &Case { at: day("2016-06-29"), ..dcf() }, Err(Reason::AgreementNotYetInForce));
}

#[test]
fn the_caller_is_one_the_agreement_names() {
    let ok = Ok(LegalBasis::UninterruptedScholars);
    check("another party", &Case { consumer: "cssd".parse().expect("an id"), ..dcf() }, Err(Reason::AnotherParty));
    let stranger = Case { system: vec!["cssd.consumers.throughline.test".to_owned()], ..dcf() };
    check("another system", &stranger, Err(Reason::SystemNotAgreed));
    check("a scheduled run", &Case { system: vec![], ..dcf() }, ok);
    check("another purpose", &Case { purpose: "research", ..dcf() }, Err(Reason::PurposeNotAgreed));
    let mut narrow = dcf();
    let mut terms = narrow.in_force.terms().clone();
    terms.access.deliveries = vec![Delivery::Pdf];
    terms.access.scheduled_runs = false;
    narrow.in_force = in_force(terms);
    check("another delivery", &narrow, Err(Reason::DeliveryNotAgreed));
    let pdf = Case { delivery: Delivery::Pdf, system: vec![], ..narrow };
    check("no scheduled runs", &pdf, Err(Reason::ScheduledRunNotAgreed));

    check("its own office", &Case { office: Some("Hartford"), ..dcf() }, ok);
    check("another office", &Case { office: Some("Danbury"), ..dcf() }, Err(Reason::AnotherOffice));
    let mut listed = dcf();
    let mut terms = listed.in_force.terms().clone();
    terms.access.offices = Some(vec!["Hartford".to_owned()]);
    listed.in_force = in_force(terms);
    listed.office = Some("Danbury");
    check("an office the agreement does not name", &listed, Err(Reason::OfficeNotAgreed));
}

#[test]
fn people_see_what_their_role_sees() {
    let as_dcf = |role, office, trained| Case { person: Some(person(role, office, None, trained)), ..dcf() };
    let ok = Ok(LegalBasis::UninterruptedScholars);
    let trained = Some("2025-09-01");
    check("own office", &as_dcf("caseworker", Some("Hartford"), trained), ok);
    check("another office", &as_dcf("caseworker", Some("Danbury"), trained), Err(Reason::AnotherOffice));
    check("no office", &as_dcf("caseworker", None, trained), Err(Reason::AnotherOffice));
    check("the whole agency", &as_dcf("education_consultant", None, trained), ok);
    check("another role", &as_dcf("janitor", Some("Hartford"), trained), Err(Reason::RoleNotAgreed));
    check("never trained", &as_dcf("caseworker", Some("Hartford"), None), Err(Reason::TrainingMissing));
    check(
        "trained too long ago",
        &as_dcf("caseworker", Some("Hartford"), Some("2024-02-28")),
        Err(Reason::TrainingMissing),
    );
    check(
        "trained tomorrow",
        &as_dcf("caseworker", Some("Hartford"), Some("2026-03-02")),
        Err(Reason::TrainingMissing),
    );
    let officer =
        |officer| Case { person: Some(person("probation_officer", Some("Hartford"), officer, trained)), ..cssd() };
    check("own caseload", &officer(Some("po-17")), Ok(LegalBasis::JuvenileJustice));
    check("another's caseload", &officer(Some("po-18")), Err(Reason::AnotherCaseload));
    check("no officer", &officer(None), Err(Reason::AnotherCaseload));
}

#[test]
fn a_grant_holds_elements_clauses_and_bounds() {
    let grant = unit().decide().expect("a grant");
    let granted = grant.elements();
    assert!(granted.contains(Domain::Course, "credits_earned"));
    assert!(!granted.contains(Domain::Enrollment, "facility_2_id"), "not named, so not disclosed");
    assert!(grant.withheld().contains(Domain::Enrollment, "homeless"));
    assert!(!grant.withheld().contains(Domain::Enrollment, "facility_2_id"), "and not named as withheld");
    assert!(grant.other_agency().is_empty());
    assert!(grant.permit(Domain::Contact).is_none());

    let discipline = grant.permit(Domain::Discipline).expect("discipline");
    assert_eq!(discipline.clause(), "discipline");
    let bound = "2021-03-01".parse().expect("a day");
    assert_eq!(discipline.not_before(), Some(bound));
    assert!(discipline.admits("offense", None, Some(bound)));
    assert!(!discipline.admits("offense", None, bound.pred_opt()));
    assert!(!discipline.admits("offense", None, None), "a record without a day cannot be shown to be recent");
    assert!(grant.permit(Domain::Attendance).expect("attendance").admits("year", None, None));

    let only =
        Case { elements: ElementSet::from_ids(["course.outcome", "contact.contact_name"]).expect("ids"), ..unit() };
    let grant = only.decide().expect("a grant");
    assert_eq!(grant.elements().ids(), ["course.outcome"]);
    assert_eq!(grant.withheld().ids(), ["contact.contact_name"]);
    assert_eq!(grant.clauses(), ["course"]);
    let contacts = Case { elements: ElementSet::of_domain(Domain::Contact), ..unit() };
    check("nothing agreed", &contacts, Err(Reason::NoElementForThisPurpose));
}

#[test]
fn the_sea_sees_everything_it_holds_and_says_why() {
    let [.., terms] = shipped();
    let charge = authority(LegalBasis::SchoolOfficial, None, between("2020-01-01", ""));
    let steward =
        Case { person: Some(person("steward", None, None, None)), ..case(terms, "stewardship", vec![charge]) };
    let grant = steward.decide().expect("a grant");
    assert_eq!(grant.elements(), ElementSet::all());
    assert!(grant.other_agency().contains(&(Domain::Enrollment, "facility_2_id")));
    assert!(grant.withheld().is_empty());
}

#[test]
fn what_a_recipient_is_told_gives_nobody_away() {
    let told = |case: &Case| case.decide().map_err(|denial| denial.reason.public_words()).expect_err("a denial");
    let stranger = told(&Case { authorities: vec![], ..dcf() });
    assert_eq!(told(&Case { at: day("2026-07-01"), ..dcf() }), stranger);
    assert_eq!(told(&Case { office: Some("Danbury"), ..dcf() }), stranger);
    assert_eq!(told(&adjudicated(cssd())), stranger);
    assert_eq!(told(&Case { birth_date: Some("2008-03-01"), ..unit() }), stranger);
    // A refusal that does not depend on the student comes first, for strangers and clients alike.
    let nobody = Case { purpose: "research", authorities: vec![], ..dcf() };
    check("stranger, wrong purpose", &nobody, Err(Reason::PurposeNotAgreed));
}

#[test]
fn an_explanation_names_clause_and_fact() {
    let case = adjudicated(cssd());
    let request = Request {
        consumer: &case.consumer,
        actor: Actor::ScheduledRun,
        purpose: case.purpose,
        delivery: case.delivery,
        office: None,
        elements: ElementSet::EMPTY,
    };
    let subject = Subject { authorities: &case.authorities, instruments: &[], majority_at: None };
    let in_force = Arc::new(case.in_force.clone());
    let explain =
        |id: &str| explain(&request, &subject, &in_force, domains::find_element(id).expect("an element"), case.at);
    let refused = explain("attendance.days_attended");
    assert_eq!((refused.permitted, refused.clause.as_deref()), (false, Some("attendance")));
    let all = refused.lines.join("\n");
    assert!(all.contains("The basis ferpa_juvenile_justice does not hold: the case is past adjudication"), "{all}");
    assert!(all.contains("The basis court_order does not hold: no court order is on file"), "{all}");
    assert!(!refused.public.contains("adjudication"));
    let unnamed = explain("enrollment.facility_2_id");
    assert!(unnamed.lines.join("\n").contains("only a clause that names it"), "{:?}", unnamed.lines);
}
