//! What an agreement says, read and resolved: every element by name, every condition spelled out.
//!
//! [`Terms`] is the one form behind everything else: its canonical JSON is what stewards sign, its rules are what the
//! database joins, and `decide` works on nothing but it.

use std::fmt;

use chrono::NaiveDate;
use chrono_tz::Tz;
use model::{ConsumerId, Domain, SchoolYear};
use serde::{Deserialize, Serialize};

use crate::{
    element_set::ElementSet,
    interval::{Interval, end_of_day, start_of_day},
    named::named,
};

named! {
    /// On what ground the law lets the SEA disclose without asking again.
    LegalBasis, "a legal basis" {
        /// A child welfare agency that is legally responsible for the child: 20 U.S.C. 1232g(b)(1)(L).
        UninterruptedScholars = "ferpa_uninterrupted_scholars",
        /// The juvenile justice system, before adjudication: 34 CFR 99.31(a)(5), 99.38.
        JuvenileJustice = "ferpa_juvenile_justice",
        /// Written consent of the parent, or of the student once rights have passed: 34 CFR 99.30.
        ParentConsent = "parent_consent",
        /// A court's order or subpoena: 34 CFR 99.31(a)(9).
        CourtOrder = "court_order",
        /// A health or safety emergency: 34 CFR 99.31(a)(10), 99.36.
        HealthSafetyEmergency = "health_safety_emergency",
        /// Audit or evaluation of a program: 34 CFR 99.31(a)(3), 99.35.
        AuditEvaluation = "audit_evaluation",
        /// The SEA's own officials: 34 CFR 99.31(a)(1).
        SchoolOfficial = "school_official",
        /// The school or district of the student's enrollment, for what enrollment and transfer need: 34 CFR 99.31(a)(2), 99.34.
        SchoolOfEnrollment = "ferpa_school_of_enrollment",
    }
}

named! {
    /// A fact that must be so at the moment of a disclosure for a basis to hold.
    Condition, "a condition" {
        /// An authority that names this very basis runs: custody, supervision, employment.
        Authority = "authority",
        /// That authority is in its phase before adjudication.
        BeforeAdjudication = "before_adjudication",
        /// The student is under 18.
        BeforeMajority = "before_majority",
        /// The recipient's written certification of no further disclosure is on file.
        Certification = "certification",
        /// A release is on file: a parent's until the 18th birthday, the student's own from then on.
        Release = "release",
        /// A court order about this client is on file.
        CourtOrder = "court_order",
        /// A declared emergency about this client is on file.
        Emergency = "emergency",
    }
}

named! {
    /// How something leaves.
    Delivery, "a kind of delivery" {
        /// One student, asked for and answered.
        Unary = "unary",
        /// A feed.
        Stream = "stream",
        /// Files with a manifest.
        File = "file",
        /// The Client School Records Summary.
        Pdf = "pdf",
    }
}

named! {
    /// Whose students a person in the recipient agency may see.
    Scope, "a scope" {
        /// Those on their own caseload.
        Caseload = "caseload",
        /// Those of their own office.
        OwnOffice = "own_office",
        /// All of the agency's.
        Agency = "agency",
    }
}

named! {
    /// Who may ask for the record of disclosures.
    Audience, "an audience" {
        /// A parent or guardian.
        Parent = "parent",
        /// The student, once rights have passed.
        EligibleStudent = "eligible_student",
        /// The district that holds the education record.
        District = "district",
        /// The SEA's auditors.
        Auditor = "auditor",
    }
}

named! {
    /// What an audience is shown of disclosures under an agreement.
    Showing, "a showing" {
        /// All of them.
        Shown = "shown",
        /// Those that a steward has looked at first: whoever asks may be a party to the case.
        AfterReview = "after_review",
        /// None, not even a count.
        Hidden = "hidden",
    }
}

impl LegalBasis {
    /// Without which the law does not know this basis; a document may add conditions, never leave one out.
    pub const fn required(self) -> &'static [Condition] {
        match self {
            Self::UninterruptedScholars | Self::AuditEvaluation | Self::SchoolOfficial | Self::SchoolOfEnrollment => {
                &[Condition::Authority]
            }
            Self::JuvenileJustice => &[Condition::Authority, Condition::BeforeAdjudication, Condition::Certification],
            Self::ParentConsent => &[Condition::Release],
            Self::CourtOrder => &[Condition::CourtOrder],
            Self::HealthSafetyEmergency => &[Condition::Emergency],
        }
    }

    /// The paragraph it stands in.
    pub const fn source(self) -> &'static str {
        match self {
            Self::UninterruptedScholars => "20 U.S.C. 1232g(b)(1)(L)",
            Self::JuvenileJustice => "34 CFR 99.31(a)(5) and 99.38",
            Self::ParentConsent => "34 CFR 99.30",
            Self::CourtOrder => "34 CFR 99.31(a)(9)",
            Self::HealthSafetyEmergency => "34 CFR 99.31(a)(10) and 99.36",
            Self::AuditEvaluation => "34 CFR 99.31(a)(3) and 99.35",
            Self::SchoolOfficial => "34 CFR 99.31(a)(1)",
            Self::SchoolOfEnrollment => "34 CFR 99.31(a)(2) and 99.34",
        }
    }
}

named! {
    /// What a party is, as far as the law asks.
    PartyKind, "a kind of party" {
        /// A state or local educational authority.
        Education = "education_agency",
        /// A state or local child welfare agency, or a tribal organization.
        ChildWelfare = "child_welfare_agency",
        /// An authority of the juvenile justice system.
        JuvenileJustice = "juvenile_justice_agency",
        /// One whom an educational authority has designated to audit or evaluate a program for it.
        AuthorizedRepresentative = "authorized_representative",
    }
}

/// To whom, and about whom, the law lets a basis release: a basis for whom a row is missing here, or an empty list in it, knows no limit of that sort.
pub struct Reach {
    /// The basis.
    pub law: LegalBasis,
    /// The kinds of party that may receive.
    pub recipients: &'static [PartyKind],
    /// How students come into the population: where none of these rules holds, neither does the basis.
    pub populations: &'static [PopulationRule],
}

/// The reach of each basis (paragraphs: [`LegalBasis::source`]). Consent, a court's order and an emergency reach whomever they name.
pub const REACH: &[Reach] = &[
    Reach {
        law: LegalBasis::UninterruptedScholars,
        recipients: &[PartyKind::ChildWelfare],
        populations: &[PopulationRule::CustodyRoster],
    },
    Reach {
        law: LegalBasis::JuvenileJustice,
        recipients: &[PartyKind::JuvenileJustice],
        populations: &[PopulationRule::SupervisionRoster],
    },
    Reach {
        law: LegalBasis::AuditEvaluation,
        recipients: &[PartyKind::Education, PartyKind::AuthorizedRepresentative],
        populations: &[],
    },
    Reach {
        law: LegalBasis::SchoolOfficial,
        recipients: &[PartyKind::Education],
        populations: &[PopulationRule::EveryStudent],
    },
    Reach {
        law: LegalBasis::SchoolOfEnrollment,
        recipients: &[PartyKind::Education],
        populations: &[PopulationRule::PlacementReports],
    },
];

impl LegalBasis {
    /// How far it reaches; `None`: to whomever its paper names.
    pub fn reach(self) -> Option<&'static Reach> {
        REACH.iter().find(|reach| reach.law == self)
    }
}

impl Condition {
    /// The kind of paper this condition asks for, if it asks for one about the client.
    pub const fn evidence(self) -> Option<Evidence> {
        match self {
            Self::Release => Some(Evidence::Release),
            Self::CourtOrder => Some(Evidence::CourtOrder),
            Self::Emergency => Some(Evidence::Emergency),
            _ => None,
        }
    }
}

named! {
    /// A paper about one client on which a basis may rest.
    Evidence, "evidence" {
        /// A parent's or eligible student's release.
        Release = "release",
        /// A court order.
        CourtOrder = "court_order",
        /// A declared emergency.
        Emergency = "emergency",
    }
}

/// What one version of an agreement says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The form of this description.
    pub format: String,
    /// The agreement's id: stays the same through its versions.
    pub id: String,
    /// Its version, from 1.
    pub version: i32,
    /// Its title.
    pub title: String,
    /// The recipient in this program.
    pub consumer: ConsumerId,
    /// When the parties signed it, as they would say it.
    pub signed: String,
    /// The first day it is valid.
    pub valid_from: NaiveDate,
    /// The last day it is valid; none when perpetual.
    pub valid_to: Option<NaiveDate>,
    /// The recipient's time zone, by its IANA name: its days begin and end there.
    pub time_zone: String,
    /// Who concluded it.
    pub parties: Vec<Party>,
    /// Whose records it is about.
    pub population: Population,
    /// What the recipient may use them for.
    pub purposes: Vec<Purpose>,
    /// On what grounds, the first that holds being the one a disclosure rests on.
    pub bases: Vec<Basis>,
    /// Who in the agency, and how.
    pub access: Access,
    /// What is disclosed.
    pub clauses: Vec<Clause>,
    /// What notices of placements say, beside what clauses disclose of the record. No part of any record: it is an agency's report, passed on. Only an agreement
    /// about placements has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement_notice: Option<PlacementNotice>,
    /// What the recipient may pass on.
    pub redisclosure: Redisclosure,
    /// How long the recipient may keep it.
    pub retention: Retention,
    /// What each audience of the record of disclosures is shown.
    pub audience: Audiences,
    /// What earlier versions were changed by.
    pub amendments: Vec<Amendment>,
}

/// The one form of description this program reads.
pub const FORMAT: &str = "agreement/1";

/// One who concluded the agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Its name.
    pub name: String,
    /// What it does under the agreement.
    pub role: PartyRole,
    /// What it is; a recipient says so. Versions that were signed before parties said so have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PartyKind>,
}

named! {
    /// What a party does under the agreement.
    PartyRole, "a party's role" {
        /// Discloses.
        Discloser = "discloser",
        /// Receives.
        Recipient = "recipient",
        /// Operates the exchange for the discloser.
        Operator = "operator",
    }
}

/// Whose records an agreement is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// How students come into it.
    pub rule: PopulationRule,
    /// The same in words.
    pub text: String,
}

named! {
    /// How students come into a population.
    PopulationRule, "a population rule" {
        /// Custody episodes that the agency's roster reports.
        CustodyRoster = "custody_roster",
        /// Supervision that the agency's roster reports, with its phase.
        SupervisionRoster = "supervision_roster",
        /// Clients whose release the agency's roster reports.
        ReleaseRoster = "release_roster",
        /// Every student: the SEA's own.
        EveryStudent = "every_student",
        /// Students whom an agency reports as placed in a facility, each by the district that is their home.
        PlacementReports = "placement_reports",
    }
}

/// One thing the recipient may use the records for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// Its id, named in requests.
    pub id: String,
    /// In words: the legitimate interest that the record of disclosures states.
    pub text: String,
}

/// One ground, and when it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// Which.
    pub law: LegalBasis,
    /// Where it stands, with the statutes of the state that the agreement relies on.
    pub citation: String,
    /// All that must be so.
    pub conditions: Vec<Condition>,
    /// The same in words.
    pub text: String,
}

impl Basis {
    /// Whether this must be so for the basis to hold.
    pub fn requires(&self, condition: Condition) -> bool {
        self.conditions.contains(&condition)
    }

    /// The paper it rests on, if it rests on one.
    pub fn evidence(&self) -> Option<Evidence> {
        self.conditions.iter().find_map(|one| one.evidence())
    }
}

/// Who in the agency may receive, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Kinds of delivery.
    pub deliveries: Vec<Delivery>,
    /// The offices that may receive; none named means all.
    pub offices: Option<Vec<String>>,
    /// Whether the exchange's own scheduled run may deliver to the place agreed.
    pub scheduled_runs: bool,
    /// Systems, by certificate.
    pub systems: Vec<System>,
    /// People, by role.
    pub roles: Vec<Role>,
}

/// A system of the agency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// What the agency calls it.
    pub name: String,
    /// The subject alternative name of its certificate.
    pub san: Option<String>,
    /// The SHA-256 of its certificate, lower-case hexadecimal; when given, no other certificate will do.
    pub fingerprint: Option<String>,
}

/// A role of people in the agency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Whose students they may see.
    pub scope: Scope,
    /// For how many days a training counts; none when no training is asked for.
    pub training_valid_days: Option<u16>,
}

/// One clause: what is disclosed for which purposes on which grounds. For one purpose and basis at most one clause speaks
/// about a domain, so whatever is disclosed has exactly one clause behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// Its id, recorded with each disclosure.
    pub id: String,
    /// In words.
    pub text: String,
    /// For which purposes.
    pub purposes: Vec<String>,
    /// On which grounds.
    pub bases: Vec<LegalBasis>,
    /// Which elements, all by name.
    pub elements: ElementSet,
    /// Of which school years.
    pub school_years: SchoolYears,
    /// Which records.
    pub records: Records,
}

named! {
    /// What a notice of a placement may say.
    PlacementElement, "an element of a placement notice" {
        /// That the student entered, or left.
        Event = "event",
        /// On which day.
        EventDate = "event_date",
        /// The facility.
        Facility = "facility",
        /// Who teaches there.
        EducatingUnit = "educating_unit",
    }
}

impl PlacementElement {
    /// How the record of disclosures names it.
    pub fn id(self) -> String {
        format!("placement.{self}")
    }
}

/// What notices of placements say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacementNotice {
    /// In words.
    pub text: String,
    /// By name.
    pub elements: Vec<PlacementElement>,
}

/// A range of school years, both ends included; an open end is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchoolYears {
    /// The first.
    pub from: Option<SchoolYear>,
    /// The last.
    pub to: Option<SchoolYear>,
}

impl SchoolYears {
    /// Whether a fact about this school year is admitted. With a bound, a fact about no year is not.
    pub fn admit(&self, year: Option<SchoolYear>) -> bool {
        match year {
            Some(year) => self.from.is_none_or(|from| from <= year) && self.to.is_none_or(|to| year <= to),
            None => self.from.is_none() && self.to.is_none(),
        }
    }
}

/// Which records of a domain are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// Those whose last day lies more than so many years back.
    pub max_age_years: Option<u16>,
    /// Those of these kinds, as `domain.kind`.
    pub exclude_kinds: Vec<String>,
}

impl Records {
    /// The kinds of one domain that are left out.
    pub fn excluded_kinds(&self, domain: Domain) -> impl Iterator<Item = &str> {
        self.exclude_kinds.iter().filter_map(move |kind| {
            let (of, name) = kind.split_once('.')?;
            (of == domain.name()).then_some(name)
        })
    }
}

/// What the recipient may pass on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redisclosure {
    /// The limit in words.
    pub limit: String,
    /// The notice printed with everything delivered.
    pub notice: String,
    /// To whom, on the discloser's behalf.
    pub onward: Vec<OnwardParty>,
}

/// A party to which the recipient may disclose further.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnwardParty {
    /// Its name.
    pub party: String,
    /// Its legitimate interest.
    pub interest: String,
}

/// How long the recipient may keep what it received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Days after authority over the student has ended.
    pub days: i32,
    /// How it is destroyed.
    pub destruction: String,
    /// Days within which the recipient attests the destruction.
    pub attest_within_days: i32,
}

impl Audience {
    /// Whether it reads the threat for which an emergency was declared, of an entry that an agreement shows it: whom 34 CFR 99.32(c) opens the record
    /// to does, in which 99.32(a)(5) has the threat stand; a district, for which 99.32(b) has parties and interests kept, does not. The ledger keeps to
    /// the same; a test of `disclosure` holds the two to one answer.
    pub const fn reads_threat(self) -> bool {
        match self {
            Self::Parent | Self::EligibleStudent | Self::Auditor => true,
            Self::District => false,
        }
    }
}

/// What each audience of the record of disclosures is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audiences {
    /// A parent or guardian.
    pub parent: Showing,
    /// The student, once rights have passed.
    pub eligible_student: Showing,
    /// The district.
    pub district: Showing,
    /// The SEA's auditors: always all.
    pub auditor: Showing,
}

impl Audiences {
    /// What this audience is shown.
    pub const fn of(&self, audience: Audience) -> Showing {
        match audience {
            Audience::Parent => self.parent,
            Audience::EligibleStudent => self.eligible_student,
            Audience::District => self.district,
            Audience::Auditor => self.auditor,
        }
    }
}

/// What a version changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amendment {
    /// The version it made.
    pub version: i32,
    /// When it was agreed.
    pub on: NaiveDate,
    /// What it changed, in words.
    pub text: String,
}

impl Terms {
    /// The recipient's time zone. UTC if the name is not known, which checked terms rule out.
    pub fn zone(&self) -> Tz {
        self.time_zone.parse().unwrap_or(Tz::UTC)
    }

    /// The instants between its first and last day in the recipient's zone.
    pub fn validity(&self) -> Interval {
        let zone = self.zone();
        Interval { from: start_of_day(self.valid_from, zone), to: self.valid_to.map(|day| end_of_day(day, zone)) }
    }

    /// The recipient's name.
    pub fn recipient(&self) -> &str {
        self.parties
            .iter()
            .find(|party| party.role == PartyRole::Recipient)
            .map_or(self.consumer.as_str(), |party| &party.name)
    }

    /// The clause of this id.
    pub fn find_clause(&self, id: &str) -> Option<&Clause> {
        self.clauses.iter().find(|clause| clause.id == id)
    }

    /// The one clause that speaks about a domain for a purpose on a ground.
    pub fn clause_about(&self, law: LegalBasis, purpose: &str, domain: Domain) -> Option<(usize, &Clause)> {
        self.clauses
            .iter()
            .enumerate()
            .find(|(_, clause)| clause.speaks(law, purpose) && !clause.elements.is_empty_in(domain))
    }

    /// All elements for a purpose on a ground.
    pub fn elements(&self, law: LegalBasis, purpose: &str) -> ElementSet {
        self.clauses
            .iter()
            .filter(|clause| clause.speaks(law, purpose))
            .fold(ElementSet::EMPTY, |all, clause| all.union(&clause.elements))
    }
}

impl Clause {
    /// Whether it speaks for this purpose on this ground.
    pub fn speaks(&self, law: LegalBasis, purpose: &str) -> bool {
        self.bases.contains(&law) && self.purposes.iter().any(|one| one == purpose)
    }
}

impl fmt::Display for SchoolYears {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.from, self.to) {
            (None, None) => f.write_str("all school years"),
            (Some(from), None) => write!(f, "school years from {from}"),
            (None, Some(to)) => write!(f, "school years to {to}"),
            (Some(from), Some(to)) => write!(f, "school years {from} to {to}"),
        }
    }
}
