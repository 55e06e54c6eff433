//! An entry as it lies open in the database or in an exported detail file, and whether it still says what was committed to.
//!
//! Texts here are kept exactly as stored: a word that the program does not know is an alteration to be found, not a failure
//! to read.

use model::DisclosureId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    entry::{DetailForm, Leaf, RecordForm, content_commitment},
    terms::{TermsForm, TermsId},
    tree::Hash,
    verify::Part,
};

/// A recorded entry, with its salts and, unless erased, its detail. One line of `details.ndjson`. No `Debug`: it is personal.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenedEntry {
    /// Its position in the tree.
    pub leaf_index: u64,
    /// Its id.
    pub entry_id: Uuid,
    /// See [`crate::Kind`].
    pub kind: String,
    /// The hash of its terms.
    pub terms: Hash,
    /// See [`crate::Delivery`].
    pub delivery: String,
    /// When it was decided: UTC with six decimals, as `2026-11-21T08:30:00.000000Z`.
    pub decided_at: String,
    /// The run it belongs to.
    pub run: Option<Uuid>,
    /// What it counts.
    pub count: Option<i64>,
    /// Why, for a refusal.
    pub reason: Option<String>,
    /// The record's salt.
    #[serde(with = "hexadecimal")]
    pub salt: Vec<u8>,
    /// The three commitments.
    pub record_commitment: Hash,
    /// To the detail.
    pub detail_commitment: Hash,
    /// To the digest of what was sent.
    pub content_commitment: Hash,
    /// The personal part, unless erased.
    pub detail: Option<OpenedDetail>,
}

/// The personal part of an [`OpenedEntry`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenedDetail {
    /// The detail's salt.
    #[serde(with = "hexadecimal")]
    pub salt: Vec<u8>,
    /// The content's salt.
    #[serde(with = "hexadecimal")]
    pub content_salt: Vec<u8>,
    /// The student.
    pub student: Option<Uuid>,
    /// The person who asked.
    pub person: Option<String>,
    /// The system that asked.
    pub system: Option<String>,
    /// On whose behalf.
    pub on_behalf_of: Option<String>,
    /// The order, release or request.
    pub authority: Option<String>,
    /// The threat, in an emergency.
    pub threat: Option<String>,
    /// The digest of what was sent.
    pub digest: Option<Hash>,
}

impl OpenedEntry {
    /// The leaf that the stored commitments give.
    pub fn leaf(&self) -> Leaf {
        Leaf {
            id: DisclosureId(self.entry_id),
            record: self.record_commitment,
            detail: self.detail_commitment,
            content: self.content_commitment,
        }
    }

    /// Which parts no longer fit their commitments, given the leaf hash that stands in the tree.
    pub(crate) fn altered(&self, in_tree: &Hash) -> Vec<Part> {
        let mut parts = Vec::new();
        if self.record() != self.record_commitment {
            parts.push(Part::Record);
        }
        if let Some(detail) = &self.detail {
            if detail.form().commitment(&detail.salt) != self.detail_commitment {
                parts.push(Part::Detail);
            }
            if content_commitment(&detail.content_salt, detail.digest) != self.content_commitment {
                parts.push(Part::Content);
            }
        }
        if self.leaf().hash() != *in_tree {
            parts.push(Part::Leaf);
        }
        parts
    }

    fn record(&self) -> Hash {
        let form = RecordForm {
            count: self.count,
            decided_at: &self.decided_at,
            delivery: &self.delivery,
            kind: &self.kind,
            reason: self.reason.as_deref(),
            run: self.run,
            terms: TermsId(self.terms),
        };
        form.commitment(&self.salt)
    }
}

impl OpenedDetail {
    fn form(&self) -> DetailForm<'_> {
        DetailForm {
            authority: self.authority.as_deref(),
            digest: self.digest,
            on_behalf_of: self.on_behalf_of.as_deref(),
            person: self.person.as_deref(),
            student: self.student,
            system: self.system.as_deref(),
            threat: self.threat.as_deref(),
        }
    }
}

/// Terms as stored. One line of `terms.ndjson`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenedTerms {
    /// The hash they are stored under.
    pub terms: Hash,
    /// The consumer.
    pub consumer: String,
    /// The requesting party.
    pub party: String,
    /// Its legitimate interest.
    pub purpose: Option<String>,
    /// The legal basis.
    pub legal_basis: Option<String>,
    /// The agreement.
    pub agreement: Option<String>,
    /// Its version.
    pub agreement_version: Option<i32>,
    /// The clause.
    pub clause: Option<String>,
    /// The elements disclosed.
    pub elements: Vec<String>,
    /// The elements withheld.
    pub withheld: Vec<String>,
    /// The parties to which the recipient may disclose further.
    pub onward_parties: Vec<String>,
    /// Their legitimate interests, in the same order.
    pub onward_interests: Vec<String>,
    /// The audiences shown entries on request.
    pub shown_to: Vec<String>,
    /// The audiences shown entries after a steward's review.
    pub shown_after_review: Vec<String>,
}

impl OpenedTerms {
    /// Whether they still say what their hash was taken over.
    pub(crate) fn is_unaltered(&self) -> bool {
        fn all(texts: &[String]) -> Vec<&str> {
            texts.iter().map(String::as_str).collect()
        }
        let form = TermsForm {
            agreement: self.agreement.as_deref(),
            agreement_version: self.agreement_version,
            clause: self.clause.as_deref(),
            consumer: &self.consumer,
            elements: all(&self.elements),
            legal_basis: self.legal_basis.as_deref(),
            onward_interests: all(&self.onward_interests),
            onward_parties: all(&self.onward_parties),
            party: &self.party,
            purpose: self.purpose.as_deref(),
            shown_after_review: all(&self.shown_after_review),
            shown_to: all(&self.shown_to),
            withheld: all(&self.withheld),
        };
        form.id().0 == self.terms
    }
}

/// Salts as hexadecimal text.
mod hexadecimal {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        hex::decode(text).map_err(|_| D::Error::custom("not hexadecimal"))
    }
}
