//! What an entry says, and what of it enters the tree.
//!
//! An entry has three parts, so that each can be shown, kept and destroyed on its own:
//!
//! - the **record**: kind, terms, delivery, time, run. Not personal; kept for ever.
//! - the **detail**: the student, the person who asked, what was sent. Personal; erased when the education record itself is
//!   (34 CFR 99.32(a)(2)) or by order.
//! - the **content**: the SHA-256 of what was sent, on its own, so that whoever holds a delivered document can show that
//!   it was recorded and learns nothing else.
//!
//! The tree gets one salted commitment to each, beside the random id: whoever sees the tiles cannot tell who asked, for whom,
//! when, whether it was given or refused, or whether two entries concern one student. Without its salt a commitment
//! to a destroyed part says nothing, and the leaf stays what it was.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};
use model::{DisclosureId, Entropy, Masked, StudentId};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    error::Error,
    terms::{Terms, TermsId, check_text},
    tree::{Hash, leaf_hash},
};

#[cfg(test)]
pub(crate) mod tests;

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word stored and committed to.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::error::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|one| one.as_str() == text)
                    .ok_or(crate::error::Error::Invalid(concat!("unknown ", stringify!($name))))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use named;

named! {
    /// What an entry is about.
    Kind {
        /// A student's record leaves for a recipient.
        Disclosure = "disclosure",
        /// A request was refused; 34 CFR 99.32(a)(1) has each request recorded.
        Refusal = "refusal",
        /// A recipient is told that its right to a student has ended.
        Withdrawal = "withdrawal",
        /// A recipient of an old value, or a district, is sent a notice about a student.
        Notice = "notice",
        /// The SEA's own people looked, or the SEA exported: one entry for each use of that door.
        Access = "access",
        /// A run ended, and this is what it sent.
        Completion = "completion",
        /// A run broke off without a completion: its last chunk may or may not have arrived. Or entries were lost when the database was set back.
        Gap = "gap",
        /// Someone with the power to approve a two-person act did so.
        Approval = "approval",
        /// Details of earlier entries were destroyed, on whose authority.
        Erasure = "erasure",
        /// A recipient attests that it has destroyed what it held of a client.
        Attestation = "attestation",
        /// An act of the SEA's own people, or of the program, that opens, closes or changes what may be disclosed. Which one says the reason.
        Act = "act",
    }
}

named! {
    /// How it was, or would have been, delivered.
    Delivery {
        /// One answer to one call.
        Unary = "unary",
        /// A message of a feed.
        Stream = "stream",
        /// A line of a file.
        File = "file",
        /// A document of its own, such as a summary.
        Document = "document",
        /// A page shown to a person.
        Page = "page",
        /// Shown to the SEA's own people.
        Inspect = "inspect",
        /// Nothing is delivered; the entry records an act.
        Act = "act",
    }
}

/// 128 random bits that hide what a commitment commits to. Never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 16]);

impl std::fmt::Debug for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Salt {
    /// The salt of stored bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// The salts of one entry, one for each part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salts {
    /// Of the record; kept with it.
    pub record: Salt,
    /// Of the detail; destroyed with it.
    pub detail: Salt,
    /// Of the content; destroyed with the detail, and handed to the recipient in the proof.
    pub content: Salt,
}

impl Salts {
    /// Draws fresh salts. Draw them once per entry, before the transaction: a repeated attempt then writes the same bytes.
    pub fn draw(entropy: &dyn Entropy) -> Self {
        let mut bytes = [[0; 16]; 3];
        for one in &mut bytes {
            entropy.fill(one);
        }
        let [record, detail, content] = bytes.map(Salt);
        Self { record, detail, content }
    }
}

/// The personal part of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// The student, by our own id; absent where no student is known (a refusal) or none is singled out (an access, a run).
    pub student: Option<StudentId>,
    /// The person who asked, as the requesting party names them.
    pub person: Option<Masked<String>>,
    /// The system that asked: the identity in its certificate.
    pub system: Option<String>,
    /// On whose behalf, if not their own.
    pub on_behalf_of: Option<Masked<String>>,
    /// The order, release, certification or approved request that it rests on, by number.
    pub authority: Option<Masked<String>>,
    /// For an emergency: the articulable and significant threat (34 CFR 99.32(a)(5)).
    pub threat: Option<Masked<String>>,
    /// The SHA-256 of exactly what is sent; of an access, the Merkle root over its students ([`crate::students_root`]); of an attestation, the SHA-256 over what was
    /// attested.
    pub digest: Option<Hash>,
}

/// One entry, complete, before it is recorded.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its random id; of a disclosure, the id drawn before rendering and printed as the verification code. It names an entry
    /// and opens nothing: tiles show it to anyone.
    pub id: DisclosureId,
    /// What it is about.
    pub kind: Kind,
    /// Who asked, why, under what, for which elements, and who may be told: shared by the entries of a run.
    pub terms: Arc<Terms>,
    /// How it is delivered.
    pub delivery: Delivery,
    /// When it was decided; microseconds count, finer parts do not.
    pub decided_at: DateTime<Utc>,
    /// The run, stream or export it belongs to.
    pub run: Option<Uuid>,
    /// How many students or messages a completion, access or erasure covers.
    pub count: Option<u64>,
    /// Why it was refused, withdrawn or left open, which act it is, or the day that is attested: a code, never a person's data.
    pub reason: Option<String>,
    /// The personal part.
    pub detail: Detail,
    /// The salts.
    pub salts: Salts,
}

impl Entry {
    /// The leaf this entry becomes.
    pub fn leaf(&self) -> Leaf {
        let record = RecordForm {
            count: self.count.and_then(|count| i64::try_from(count).ok()),
            decided_at: &instant(self.decided_at),
            delivery: self.delivery.as_str(),
            kind: self.kind.as_str(),
            reason: self.reason.as_deref(),
            run: self.run,
            terms: self.terms.id(),
        };
        let detail = DetailForm {
            authority: exposed(self.detail.authority.as_ref()),
            digest: self.detail.digest,
            on_behalf_of: exposed(self.detail.on_behalf_of.as_ref()),
            person: exposed(self.detail.person.as_ref()),
            student: self.detail.student.map(|student| student.0),
            system: self.detail.system.as_deref(),
            threat: exposed(self.detail.threat.as_ref()),
        };
        Leaf {
            id: self.id,
            record: record.commitment(&self.salts.record.0),
            detail: detail.commitment(&self.salts.detail.0),
            content: content_commitment(&self.salts.content.0, self.detail.digest),
        }
    }

    /// Refuses an entry that does not hold what its kind must hold (34 CFR 99.32(a)(3), (a)(5); 34 CFR 300.614).
    pub fn check(&self) -> Result<(), Error> {
        self.check_texts()?;
        let detail = &self.detail;
        let require = |holds: bool, rule: &'static str| {
            if holds { Ok(()) } else { Err(Error::Invalid(rule)) }
        };
        match self.kind {
            Kind::Disclosure => {
                let terms = self.terms.parts();
                require(detail.student.is_some(), "a disclosure names its student")?;
                require(detail.digest.is_some(), "a disclosure holds the digest of what is sent")?;
                require(terms.purpose.is_some(), "a disclosure states its purpose")?;
                require(terms.legal_basis.is_some(), "a disclosure states its legal basis")?;
                require(!terms.elements.is_empty(), "a disclosure lists its elements")?;
                require(
                    terms.legal_basis.as_deref() != Some("health_safety_emergency") || detail.threat.is_some(),
                    "an emergency disclosure states the threat",
                )
            }
            Kind::Withdrawal | Kind::Notice => {
                require(detail.student.is_some(), "a withdrawal or notice names its student")?;
                require(detail.digest.is_some(), "a withdrawal or notice holds the digest of what is sent")
            }
            Kind::Refusal => require(self.reason.is_some(), "a refusal states its reason"),
            Kind::Access => {
                require(self.terms.parts().purpose.is_some(), "an access states its purpose")?;
                require(self.count.is_some(), "an access states how many students it covers")
            }
            Kind::Completion => require(
                self.run.is_some() && self.count.is_some(),
                "a completion names its run and counts what was sent",
            ),
            Kind::Gap => require(
                self.run.is_some() || (detail.authority.is_some() && self.count.is_some()),
                "a gap names its run, or counts and names what was lost",
            ),
            Kind::Approval => require(detail.authority.is_some(), "an approval names the request"),
            Kind::Erasure => require(
                detail.authority.is_some() && detail.digest.is_some() && self.count.is_some(),
                "an erasure names its authority, and counts and fingerprints what it destroys",
            ),
            Kind::Attestation => require(
                detail.person.is_some() && detail.authority.is_some(),
                "an attestation names who signed it, and the client",
            ),
            Kind::Act => require(
                self.reason.is_some() && detail.authority.is_some(),
                "an act says which it is, and what it was done to",
            ),
        }
    }

    fn check_texts(&self) -> Result<(), Error> {
        let detail = &self.detail;
        let masked = [&detail.person, &detail.on_behalf_of, &detail.authority, &detail.threat];
        let texts = masked.into_iter().map(|text| exposed(text.as_ref()));
        for text in texts.chain([detail.system.as_deref(), self.reason.as_deref()]).flatten() {
            check_text(text)?;
        }
        if self.count.is_some_and(|count| i64::try_from(count).is_err()) {
            return Err(Error::Invalid("a count is below 2^63"));
        }
        Ok(())
    }
}

fn exposed(text: Option<&Masked<String>>) -> Option<&str> {
    text.map(|text| text.expose().as_str())
}

/// An instant as entries write it: UTC, six decimals.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    at.trunc_subsecs(6).format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// The record part in its canonical form: JSON without white space, keys in alphabetical order (the order of these fields),
/// absent values left out. It is written from an entry when recording and from the stored columns when verifying.
#[derive(Serialize)]
pub(crate) struct RecordForm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<i64>,
    pub(crate) decided_at: &'a str,
    pub(crate) delivery: &'a str,
    pub(crate) kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<Uuid>,
    pub(crate) terms: TermsId,
}

impl RecordForm<'_> {
    pub(crate) fn commitment(&self, salt: &[u8]) -> Hash {
        commitment(b"throughline-ledger/v1/record\n", salt, &canonical(self))
    }
}

/// The detail part in its canonical form; see [`RecordForm`].
#[derive(Serialize)]
pub(crate) struct DetailForm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) authority: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<Hash>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on_behalf_of: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) person: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) student: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) system: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) threat: Option<&'a str>,
}

impl DetailForm<'_> {
    pub(crate) fn commitment(&self, salt: &[u8]) -> Hash {
        commitment(b"throughline-ledger/v1/detail\n", salt, &canonical(self))
    }
}

/// The commitment to the digest of what was sent; to nothing, where nothing was.
pub fn content_commitment(salt: &[u8], digest: Option<Hash>) -> Hash {
    let digest = digest.as_ref().map_or(&[][..], Hash::as_bytes);
    commitment(b"throughline-ledger/v1/content\n", salt, digest)
}

fn commitment(part: &[u8], salt: &[u8], canonical: &[u8]) -> Hash {
    Hash::of_parts(&[part, salt, canonical])
}

/// The canonical bytes of a form: a struct whose fields stand in alphabetical order.
pub(crate) fn canonical(form: &impl Serialize) -> Vec<u8> {
    // Cannot fail: forms hold texts, numbers and lists of texts only, and writing to memory does not fail.
    serde_json::to_vec(form).unwrap_or_default()
}

/// What of an entry enters the tree: its random id and three salted commitments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The entry's id.
    pub id: DisclosureId,
    /// The commitment to its record.
    pub record: Hash,
    /// The commitment to its detail.
    pub detail: Hash,
    /// The commitment to the digest of what was sent.
    pub content: Hash,
}

/// How the bytes of every leaf begin.
const LEAF_PREFIX: &[u8] = b"throughline-ledger/v1/leaf\n";

impl Leaf {
    /// How long the bytes of a leaf are.
    pub const LENGTH: usize = LEAF_PREFIX.len() + 16 + 3 * 32;

    /// The bytes that tiles hold: the prefix `throughline-ledger/v1/leaf` with a newline, the id (16 bytes), and the
    /// commitments to record, detail and content (32 bytes each).
    pub fn to_bytes(&self) -> Vec<u8> {
        [LEAF_PREFIX, self.id.0.as_bytes(), &self.record.0, &self.detail.0, &self.content.0].concat()
    }

    /// The leaf of such bytes, if they are one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(LEAF_PREFIX)?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (record, rest) = rest.split_first_chunk::<32>()?;
        let (detail, rest) = rest.split_first_chunk::<32>()?;
        let content: &[u8; 32] = rest.try_into().ok()?;
        Some(Self {
            id: DisclosureId(Uuid::from_bytes(*id)),
            record: Hash(*record),
            detail: Hash(*detail),
            content: Hash(*content),
        })
    }

    /// Its RFC 6962 leaf hash.
    pub fn hash(&self) -> Hash {
        leaf_hash(&self.to_bytes())
    }
}
