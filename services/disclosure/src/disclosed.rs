//! What a recipient gets of one student.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use model::{ConsumerId, DisclosureId, Domain, Masked, Section, StudentId, Value};
use sha2::{Digest, Sha256};

/// A history with everything taken out that the grant does not cover. Only this crate makes one, and it can only be read.
#[derive(Clone, Debug)]
pub struct DisclosedHistory {
    pub(crate) disclosure: DisclosureId,
    pub(crate) consumer: ConsumerId,
    pub(crate) person_key: Masked<String>,
    pub(crate) student: StudentId,
    pub(crate) agreement_title: String,
    pub(crate) agreement_version: i32,
    pub(crate) recipient: String,
    pub(crate) legal_basis: String,
    pub(crate) notice: String,
    pub(crate) retention_days: i32,
    pub(crate) decided_at: DateTime<Utc>,
    pub(crate) as_of: DateTime<Utc>,
    /// The zone of the agreement.
    pub(crate) zone: Tz,
    pub(crate) sections: Vec<Section>,
    pub(crate) content_digest: [u8; 32],
}

impl DisclosedHistory {
    /// The random id of the disclosure, under which the ledger holds it.
    pub const fn disclosure(&self) -> DisclosureId {
        self.disclosure
    }

    /// The recipient by id.
    pub const fn consumer(&self) -> &ConsumerId {
        &self.consumer
    }

    /// The client by the recipient's own person id.
    pub const fn person_key(&self) -> &Masked<String> {
        &self.person_key
    }

    /// The student by our own id. Never leaves.
    pub const fn student(&self) -> StudentId {
        self.student
    }

    /// The agreement's title.
    pub fn agreement_title(&self) -> &str {
        &self.agreement_title
    }

    /// The agreement's version.
    pub const fn agreement_version(&self) -> i32 {
        self.agreement_version
    }

    /// The recipient's name.
    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    /// The legal basis by code.
    pub fn legal_basis(&self) -> &str {
        &self.legal_basis
    }

    /// The redisclosure notice.
    pub fn notice(&self) -> &str {
        &self.notice
    }

    /// Days the recipient may keep it after its authority has ended.
    pub const fn retention_days(&self) -> i32 {
        self.retention_days
    }

    /// When it was decided.
    pub const fn decided_at(&self) -> DateTime<Utc> {
        self.decided_at
    }

    /// What was known at this time.
    pub const fn as_of(&self) -> DateTime<Utc> {
        self.as_of
    }

    /// The day of the decision, in the zone of the agreement.
    pub fn decided_on(&self) -> NaiveDate {
        self.decided_at.with_timezone(&self.zone).date_naive()
    }

    /// The day of what is told, in the zone of the agreement: that of the decision, or the earlier one that was asked about.
    pub fn told_on(&self) -> NaiveDate {
        self.as_of.with_timezone(&self.zone).date_naive()
    }

    /// One section a domain, in the order of [`Domain::ALL`].
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// The section of a domain.
    pub fn find_section(&self, domain: Domain) -> Option<&Section> {
        self.sections.iter().find(|section| section.domain == domain)
    }

    /// Whether the same is disclosed of the same student, on the same terms: all but the disclosure's id and its time.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let terms = |one: &Self| {
            let recipient = (one.consumer.clone(), one.recipient.clone(), one.person_key.expose().clone(), one.student);
            let agreement = (one.agreement_title.clone(), one.agreement_version, one.notice.clone());
            (recipient, agreement, one.legal_basis.clone(), one.retention_days)
        };
        terms(self) == terms(other) && self.sections == other.sections
    }

    /// SHA-256 of what is disclosed, disclosure id, times and lineage apart: equal contents have equal digests.
    pub const fn content_digest(&self) -> &[u8; 32] {
        &self.content_digest
    }
}

/// The digest of contents: domains, states, values, withheld elements and what has not come, in canonical JSON, length-prefixed.
///
/// Of what has not come everything that is told is in it. The day of the disclosure is not: what is told of a collection is the same from the day after it
/// was due until it comes or the next one is due, and only what is told otherwise is sent again.
pub(crate) fn digest_sections(sections: &[Section]) -> [u8; 32] {
    let (mut hash, mut json) = (Sha256::new(), String::new());
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    for section in sections {
        add(section.domain.name());
        add(match section.state {
            model::SectionState::Reported => "reported",
            model::SectionState::NotReported => "not_reported",
            model::SectionState::NotPermitted => "not_permitted",
        });
        section.withheld.iter().for_each(|name| add(name));
        if let Some(awaited) = &section.awaited {
            add("awaited");
            add(&awaited.collection);
            add(&awaited.as_of_on.to_string());
            add(&awaited.due_on.to_string());
            add(awaited.expected_of.as_deref().unwrap_or_default());
        }
        for row in &section.rows {
            json.clear();
            Value::write_object(row.values.iter().map(|(name, value)| (*name, value)), &mut json);
            add(&json);
        }
    }
    hash.finalize().into()
}
