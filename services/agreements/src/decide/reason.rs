//! Why not: one reason for the record, and words for the recipient that give nothing away.

use std::fmt;

use chrono::{DateTime, Utc};

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Denial {
    /// Why, for the record and the steward.
    pub reason: Reason,
    /// As of when.
    pub at: DateTime<Utc>,
}

impl Denial {
    /// The refusal of a party that has no agreement at all.
    pub const fn no_agreement(at: DateTime<Utc>) -> Self {
        Self { reason: Reason::NoAgreement, at }
    }
}

/// Why a request is refused. Later ones came closer to a grant: of several, the latest is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The party has no activated agreement.
    NoAgreement,
    /// The agreement is another party's.
    AnotherParty,
    /// Its first day, or its activation, is still to come.
    AgreementNotYetInForce,
    /// A later version took its place.
    AgreementSuperseded,
    /// A steward stopped it.
    AgreementSuspended,
    /// Its last day is over.
    AgreementExpired,
    /// This kind of delivery is not agreed.
    DeliveryNotAgreed,
    /// The certificate is none the agreement names.
    SystemNotAgreed,
    /// The exchange may not deliver by itself.
    ScheduledRunNotAgreed,
    /// The role is none the agreement names.
    RoleNotAgreed,
    /// The office is none the agreement names.
    OfficeNotAgreed,
    /// The person's training is missing or too old.
    TrainingMissing,
    /// The purpose is none the agreement states.
    PurposeNotAgreed,
    /// No clause discloses any of the elements for this purpose.
    NoElementForThisPurpose,

    /// The student is not the agency's client, or does not exist.
    NotAClient,
    /// Authority has not begun.
    AuthorityNotBegun,
    /// Authority has ended.
    AuthorityEnded,
    /// Another office is responsible.
    AnotherOffice,
    /// Another officer is responsible.
    AnotherCaseload,
    /// Authority runs, and names another basis.
    AuthorityOnAnotherBasis,
    /// No emergency is declared.
    EmergencyMissing,
    /// No court order is on file.
    OrderMissing,
    /// No release is on file.
    ReleaseMissing,
    /// The basis covers the time before adjudication only.
    AfterAdjudication,
    /// The emergency is over.
    EmergencyEnded,
    /// The emergency on file does not state the threat, which the record of disclosures must hold.
    ThreatNotStated,
    /// The court order has ended.
    OrderEnded,
    /// The release has ended or was revoked.
    ReleaseEnded,
    /// The birth date is not known, and the basis depends on it.
    BirthDateUnknown,
    /// The release is the student's own, who is not yet 18.
    RightsNotYetPassed,
    /// The student is 18: the parent's release has ended, or the basis covers minors only.
    RightsPassed,
    /// The recipient's certification is missing, ended or revoked.
    CertificationMissing,
    /// The basis that holds discloses none of the elements.
    NoElementOnThisBasis,
}

impl Reason {
    /// All of them, in their order.
    pub const ALL: [Self; 33] = [
        Self::NoAgreement,
        Self::AnotherParty,
        Self::AgreementNotYetInForce,
        Self::AgreementSuperseded,
        Self::AgreementSuspended,
        Self::AgreementExpired,
        Self::DeliveryNotAgreed,
        Self::SystemNotAgreed,
        Self::ScheduledRunNotAgreed,
        Self::RoleNotAgreed,
        Self::OfficeNotAgreed,
        Self::TrainingMissing,
        Self::PurposeNotAgreed,
        Self::NoElementForThisPurpose,
        Self::NotAClient,
        Self::AuthorityNotBegun,
        Self::AuthorityEnded,
        Self::AnotherOffice,
        Self::AnotherCaseload,
        Self::AuthorityOnAnotherBasis,
        Self::EmergencyMissing,
        Self::OrderMissing,
        Self::ReleaseMissing,
        Self::AfterAdjudication,
        Self::EmergencyEnded,
        Self::ThreatNotStated,
        Self::OrderEnded,
        Self::ReleaseEnded,
        Self::BirthDateUnknown,
        Self::RightsNotYetPassed,
        Self::RightsPassed,
        Self::CertificationMissing,
        Self::NoElementOnThisBasis,
    ];

    /// The reason that has this code in the record of disclosures.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The code kept in the record of disclosures.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoAgreement => "no_agreement",
            Self::AnotherParty => "another_party",
            Self::AgreementNotYetInForce => "agreement_not_yet_in_force",
            Self::AgreementSuperseded => "agreement_superseded",
            Self::AgreementSuspended => "agreement_suspended",
            Self::AgreementExpired => "agreement_expired",
            Self::DeliveryNotAgreed => "delivery_not_agreed",
            Self::SystemNotAgreed => "system_not_agreed",
            Self::ScheduledRunNotAgreed => "scheduled_run_not_agreed",
            Self::RoleNotAgreed => "role_not_agreed",
            Self::OfficeNotAgreed => "office_not_agreed",
            Self::TrainingMissing => "training_missing",
            Self::PurposeNotAgreed => "purpose_not_agreed",
            Self::NoElementForThisPurpose => "no_element_for_this_purpose",
            Self::NotAClient => "not_a_client",
            Self::AuthorityNotBegun => "authority_not_begun",
            Self::AuthorityEnded => "authority_ended",
            Self::AnotherOffice => "another_office",
            Self::AnotherCaseload => "another_caseload",
            Self::AuthorityOnAnotherBasis => "authority_on_another_basis",
            Self::AfterAdjudication => "after_adjudication",
            Self::BirthDateUnknown => "birth_date_unknown",
            Self::ReleaseMissing => "release_missing",
            Self::ReleaseEnded => "release_ended",
            Self::RightsNotYetPassed => "rights_not_yet_passed",
            Self::RightsPassed => "rights_passed",
            Self::OrderMissing => "order_missing",
            Self::OrderEnded => "order_ended",
            Self::EmergencyMissing => "emergency_missing",
            Self::EmergencyEnded => "emergency_ended",
            Self::ThreatNotStated => "threat_not_stated",
            Self::CertificationMissing => "certification_missing",
            Self::NoElementOnThisBasis => "no_element_on_this_basis",
        }
    }

    /// Whether it says something about a student. Such a reason never reaches the recipient.
    pub fn is_about_the_student(self) -> bool {
        self >= Self::NotAClient
    }

    /// What a steward reads.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoAgreement => "the party has no agreement in force",
            Self::AnotherParty => "the agreement is another party's",
            Self::AgreementNotYetInForce => "the agreement is not in force yet",
            Self::AgreementSuperseded => "a later version has taken the agreement's place",
            Self::AgreementSuspended => "the agreement is suspended",
            Self::AgreementExpired => "the agreement has expired",
            Self::DeliveryNotAgreed => "this kind of delivery is not agreed",
            Self::SystemNotAgreed => "the certificate is none that the agreement names",
            Self::ScheduledRunNotAgreed => "scheduled deliveries are not agreed",
            Self::RoleNotAgreed => "the role is none that the agreement names",
            Self::OfficeNotAgreed => "the office is none that the agreement names",
            Self::TrainingMissing => "the person's training is missing or too old",
            Self::PurposeNotAgreed => "the purpose is none that the agreement states",
            Self::NoElementForThisPurpose => "no clause discloses any of these elements for this purpose",
            Self::NotAClient => "the student is not a client of this agency",
            Self::AuthorityNotBegun => "the agency's authority over the student has not begun",
            Self::AuthorityEnded => "the agency's authority over the student has ended",
            Self::AnotherOffice => "another office is responsible for the student",
            Self::AnotherCaseload => "the student is on another officer's caseload",
            Self::AuthorityOnAnotherBasis => "the agency's authority over the student names another legal basis",
            Self::AfterAdjudication => {
                "the case is past adjudication, or its phase is not stated, and the basis covers the time before only"
            }
            Self::BirthDateUnknown => "the student's birth date is not known, and the basis depends on it",
            Self::ReleaseMissing => "no release is on file",
            Self::ReleaseEnded => "the release on file has ended or was revoked",
            Self::RightsNotYetPassed => "the release is the student's own, who is not yet 18",
            Self::RightsPassed => {
                "the student is 18, so that a parent's release or a basis for minors no longer counts"
            }
            Self::OrderMissing => "no court order is on file",
            Self::OrderEnded => "the court order on file has ended",
            Self::EmergencyMissing => "no emergency is declared",
            Self::EmergencyEnded => "the declared emergency is over",
            Self::ThreatNotStated => {
                "the declared emergency does not state the threat, which the record of disclosures must hold"
            }
            Self::CertificationMissing => {
                "the recipient's written certification is not on file, has ended or was revoked"
            }
            Self::NoElementOnThisBasis => "the basis that holds discloses none of these elements",
        }
    }

    /// The code a recipient gets.
    pub fn public_code(self) -> &'static str {
        match self {
            _ if self.is_about_the_student() => "not_available",
            Self::AnotherParty => Self::NoAgreement.code(),
            other => other.code(),
        }
    }

    /// What a recipient reads: the same for every reason that is about a student, known or not.
    pub fn public_words(self) -> &'static str {
        match self {
            _ if self.is_about_the_student() => "no records of this person are available to you under the agreement",
            Self::AnotherParty => Self::NoAgreement.words(),
            other => other.words(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_found_by_its_code() {
        assert_eq!(Reason::ALL.len(), Reason::NoElementOnThisBasis as usize + 1, "the last of them");
        for (at, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!((reason as usize, Reason::of_code(reason.code())), (at, Some(reason)));
        }
        assert_eq!(Reason::of_code("history_too_large"), None);
    }
}
