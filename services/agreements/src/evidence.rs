//! Papers: certifications of a recipient, and releases, orders and emergencies about one client.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};
use model::{ConsumerId, Masked};
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    canonical::{Digest, canonical, read},
    interval::Interval,
    named::named,
    reported::REPORTED,
    terms::Evidence,
};

named! {
    /// What kind of paper about one client.
    InstrumentKind, "a kind of instrument" {
        /// A parent's release: ends at the 18th birthday at the latest.
        ParentRelease = "parent_release",
        /// The student's own release: counts from the 18th birthday.
        StudentRelease = "student_release",
        /// A court order or subpoena, by its number.
        CourtOrder = "court_order",
        /// A declared health or safety emergency, by its reason.
        Emergency = "emergency",
    }
}

impl InstrumentKind {
    /// Which condition it can meet.
    pub const fn evidence(self) -> Evidence {
        match self {
            Self::ParentRelease | Self::StudentRelease => Evidence::Release,
            Self::CourtOrder => Evidence::CourtOrder,
            Self::Emergency => Evidence::Emergency,
        }
    }

    /// Whether two stewards must approve it before it opens anything: it comes from outside the family and the agreement.
    pub const fn needs_approval(self) -> bool {
        matches!(self, Self::CourtOrder | Self::Emergency)
    }
}

/// The longest reason of a court order or emergency, in bytes: as long a text as an entry of the ledger takes.
pub const REASON_BYTES_MAX: usize = 4_000;

/// The longest number of an order or emergency, in bytes.
pub const REFERENCE_BYTES_MAX: usize = 400;

/// What a paper says for the record of disclosures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Paper {
    /// Its number at the court, in the SEA's files or in the district's.
    pub reference: Masked<String>,
    /// Why it was given; of an emergency the articulable and significant threat.
    pub reason: Masked<String>,
}

/// A paper about one client as a decision sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Instrument {
    /// What kind.
    pub kind: InstrumentKind,
    /// While it is in force: what it says, cut where it was revoked.
    pub in_force: Interval,
    /// What it says. A grant that rests on it takes it along.
    pub paper: Arc<Paper>,
}

impl Instrument {
    /// The articulable and significant threat, of an emergency that states one as the record of disclosures must hold it
    /// (34 CFR 99.32(a)(5)). A roster that reports an emergency states none. The view `agreements.rule` asks the same.
    pub fn threat(&self) -> Option<&Masked<String>> {
        let threat = self.paper.reason.expose();
        let states = !threat.trim().is_empty() && threat.len() <= REASON_BYTES_MAX && threat != REPORTED;
        (self.kind == InstrumentKind::Emergency && states).then_some(&self.paper.reason)
    }

    /// How the record of disclosures names it: its kind and its number, a number that is longer than any court's cut short.
    pub fn named(&self) -> Masked<String> {
        let reference = self.paper.reference.expose();
        let end = reference.floor_char_boundary(REFERENCE_BYTES_MAX);
        Masked::new(format!("{} {}", self.kind, reference.get(..end).unwrap_or_default()))
    }
}

/// A paper about one client as it is put on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInstrument {
    /// What kind.
    pub kind: InstrumentKind,
    /// The recipient it opens records to.
    pub consumer: ConsumerId,
    /// The client, by the recipient's own person id.
    pub person_key: Masked<String>,
    /// Its number at the court, in the SEA's files or in the district's.
    pub reference: String,
    /// Why, for an order or emergency (34 CFR 99.32(a)(5): the articulable and significant threat).
    pub reason: String,
    /// While it is in force.
    pub in_force: Interval,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    consumer: ConsumerId,
    from: DateTime<Utc>,
    kind: InstrumentKind,
    person_key: String,
    reason: String,
    reference: String,
    to: Option<DateTime<Utc>>,
}

impl NewInstrument {
    /// What stewards sign when it needs their approval.
    pub fn digest(&self) -> Result<Digest, Error> {
        Ok(Digest::of(self.statement()?.as_bytes()))
    }

    /// What it says, as canonical JSON.
    pub(crate) fn statement(&self) -> Result<String, Error> {
        canonical(&Form {
            consumer: self.consumer.clone(),
            from: self.in_force.from.trunc_subsecs(6),
            kind: self.kind,
            person_key: self.person_key.expose().clone(),
            reason: self.reason.clone(),
            reference: self.reference.clone(),
            to: self.in_force.to.map(|to| to.trunc_subsecs(6)),
        })
    }

    /// The paper that a statement is of.
    pub(crate) fn read(statement: &str) -> Result<Self, Error> {
        let form: Form = read(statement)?;
        Ok(Self {
            kind: form.kind,
            consumer: form.consumer,
            person_key: Masked::new(form.person_key),
            reference: form.reference,
            reason: form.reason,
            in_force: Interval { from: form.from, to: form.to },
        })
    }

    /// The same in one sentence, for the person who approves.
    pub fn describe(&self) -> String {
        let to = self.in_force.to.map_or_else(|| "with no end".to_owned(), |to| format!("until {to}"));
        format!(
            "{} {} opens the records of client {} to {}, from {} {to}, because: {}",
            self.kind.as_str(),
            self.reference,
            self.person_key.expose(),
            self.consumer,
            self.in_force.from,
            self.reason
        )
    }

    /// Refuses what would never be in force, would be for ever where that is not allowed, or says nothing.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.person_key.expose().trim().is_empty() {
            return Err(Error::Invalid("the client's person id is empty"));
        }
        if self.reference.trim().is_empty() {
            return Err(Error::Invalid("a release or order has a reference"));
        }
        if self.kind.needs_approval() && self.reason.trim().is_empty() {
            return Err(Error::Invalid("a court order or emergency states its reason"));
        }
        if self.kind.needs_approval() && self.reason.len() > REASON_BYTES_MAX {
            return Err(Error::Invalid("the reason of a court order or emergency is longer than 4000 bytes"));
        }
        if self.kind.needs_approval() && self.in_force.to.is_none() {
            return Err(Error::Invalid("a court order or emergency has an end"));
        }
        if self.in_force.to.is_some_and(|to| to <= self.in_force.from) {
            return Err(Error::Invalid("it ends before it begins"));
        }
        Ok(())
    }
}

/// A recipient's written certification as it is put on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCertification {
    /// The recipient that certifies.
    pub consumer: ConsumerId,
    /// Who signed for it, by office.
    pub holder: String,
    /// Where the paper is.
    pub reference: String,
    /// While it is in force.
    pub in_force: Interval,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificationForm {
    consumer: ConsumerId,
    from: DateTime<Utc>,
    holder: String,
    reference: String,
    to: Option<DateTime<Utc>>,
}

impl NewCertification {
    /// What stewards sign.
    pub fn digest(&self) -> Result<Digest, Error> {
        Ok(Digest::of(self.statement()?.as_bytes()))
    }

    /// What it says, as canonical JSON.
    pub(crate) fn statement(&self) -> Result<String, Error> {
        canonical(&CertificationForm {
            consumer: self.consumer.clone(),
            from: self.in_force.from.trunc_subsecs(6),
            holder: self.holder.clone(),
            reference: self.reference.clone(),
            to: self.in_force.to.map(|to| to.trunc_subsecs(6)),
        })
    }

    /// The certification that a statement is of.
    pub(crate) fn read(statement: &str) -> Result<Self, Error> {
        let form: CertificationForm = read(statement)?;
        let in_force = Interval { from: form.from, to: form.to };
        Ok(Self { consumer: form.consumer, holder: form.holder, reference: form.reference, in_force })
    }

    /// The same in one sentence, for the person who approves.
    pub fn describe(&self) -> String {
        let to = self.in_force.to.map_or_else(|| "until it is taken back".to_owned(), |to| format!("until {to}"));
        format!(
            "{} of {} certifies that nothing is disclosed further ({}), from {} {to}",
            self.holder, self.consumer, self.reference, self.in_force.from
        )
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.holder.trim().is_empty() || self.reference.trim().is_empty() {
            return Err(Error::Invalid("a certification names its holder and where the paper is"));
        }
        if self.in_force.to.is_some_and(|to| to <= self.in_force.from) {
            return Err(Error::Invalid("it ends before it begins"));
        }
        Ok(())
    }
}
