//! Two-person acts: what a steward signs, and what counts as approved.
//!
//! The keys that count come from the configuration, not from the database: whoever can write rows can then still approve
//! nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, SubsecRound as _, Utc};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use crate::{canonical::Digest, interval::Interval, named::named};

named! {
    /// What two people approve.
    Act, "an act" {
        /// A version of an agreement comes into force.
        Activate = "agreement.activate",
        /// A court order or emergency opens a client's records.
        RecordInstrument = "instrument.record",
        /// A client is linked with a student whom the engine did not propose.
        OverrideMatch = "match.override",
        /// A consumer's whole feed is written as files outside the schedule.
        Export = "export.run",
        /// Records are erased for good.
        Erase = "record.erase",
        /// Records of children whom the state reports as different become one child's.
        Join = "record.join",
        /// A recipient's certification goes on file.
        Certify = "certification.record",
        /// Disclosures go on after the database was set back.
        Unseal = "exchange.unseal",
    }
}

/// A person whose approval counts.
#[derive(Clone, Debug)]
pub struct Steward {
    /// Who, by a short name that is recorded with each approval.
    pub id: String,
    /// The public key that their approvals verify under.
    pub key: VerifyingKey,
    /// While approvals of this key count; an approval given before the key was retired stays good.
    pub registered: Interval,
    /// Whether the program itself holds the key, as in the sandbox. Every approval of such a steward says so.
    pub sandbox: bool,
}

/// All stewards of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Stewards(BTreeMap<String, Steward>);

/// An approval, or two of them, will not do. The text names stewards by their short names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalError {
    /// One person in two guises.
    #[error("two stewards share the name or the key of {0}")]
    Shared(String),
    /// Not a steward.
    #[error("{0} is not a registered steward")]
    Unknown(String),
    /// Not a steward then.
    #[error("{0} was not a registered steward when the approval was given")]
    NotRegisteredThen(String),
    /// The signature is not over this.
    #[error("the signature of {0} does not verify")]
    Forged(String),
    /// One person twice, or one person alone.
    #[error("approvals of two distinct stewards are needed")]
    NotTwo,
    /// Given for an earlier occasion.
    #[error("the approval of {0} was given before the agreement was last suspended")]
    Stale(String),
    /// Given so long ago that it counts no longer.
    #[error("the approval of {0} was given more than 30 days ago and counts no longer: approve again")]
    Expired(String),
    /// Given in the future.
    #[error("the approval of {0} bears a later time than the act")]
    Early(String),
}

impl Stewards {
    /// Registers stewards. Two must differ in name and in key, or one person could pass for two.
    pub fn new(stewards: impl IntoIterator<Item = Steward>) -> Result<Self, ApprovalError> {
        let mut all = BTreeMap::<String, Steward>::new();
        for steward in stewards {
            if all.contains_key(&steward.id) || all.values().any(|other| other.key == steward.key) {
                return Err(ApprovalError::Shared(steward.id));
            }
            all.insert(steward.id.clone(), steward);
        }
        Ok(Self(all))
    }

    /// The steward of this name.
    pub fn find(&self, id: &str) -> Option<&Steward> {
        self.0.get(id)
    }

    /// The steward who holds this key.
    pub fn find_by_key(&self, key: &VerifyingKey) -> Option<&Steward> {
        self.0.values().find(|steward| steward.key == *key)
    }

    /// Whether the approval is a registered steward's, given while registered, over exactly this.
    pub fn verify(&self, act: Act, digest: Digest, approval: &Approval) -> Result<&Steward, ApprovalError> {
        let name = || approval.steward.clone();
        let steward = self.find(&approval.steward).ok_or_else(|| ApprovalError::Unknown(name()))?;
        if !steward.registered.contains(approval.given_at) {
            return Err(ApprovalError::NotRegisteredThen(name()));
        }
        let statement = statement(act, digest, &approval.steward, approval.given_at, steward.sandbox);
        steward
            .key
            .verify_strict(statement.as_bytes(), &Signature::from_bytes(&approval.signature))
            .map_err(|_| ApprovalError::Forged(name()))?;
        Ok(steward)
    }

    /// Whether two distinct stewards approved exactly this, after `not_before` and no later than `at`.
    pub fn verify_two(
        &self,
        act: Act,
        digest: Digest,
        approvals: &[Approval; 2],
        not_before: Option<DateTime<Utc>>,
        at: DateTime<Utc>,
    ) -> Result<[&Steward; 2], ApprovalError> {
        let [first, second] = approvals;
        if first.steward == second.steward {
            return Err(ApprovalError::NotTwo);
        }
        for approval in approvals {
            if not_before.is_some_and(|bound| approval.given_at <= bound) {
                return Err(ApprovalError::Stale(approval.steward.clone()));
            }
            if approval.given_at > at {
                return Err(ApprovalError::Early(approval.steward.clone()));
            }
        }
        Ok([self.verify(act, digest, first)?, self.verify(act, digest, second)?])
    }
}

/// One steward's signed yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who.
    pub steward: String,
    /// When, as they signed it; whole microseconds, as the database keeps them.
    pub given_at: DateTime<Utc>,
    /// The Ed25519 signature over the statement.
    pub signature: [u8; 64],
}

impl Approval {
    /// Signs as a steward. Fails if the key is not the one registered for that name.
    pub fn sign(
        stewards: &Stewards,
        steward: &str,
        key: &SigningKey,
        (act, digest): (Act, Digest),
        at: DateTime<Utc>,
    ) -> Result<Self, ApprovalError> {
        let registered = stewards.find(steward).ok_or_else(|| ApprovalError::Unknown(steward.to_owned()))?;
        let given_at = at.trunc_subsecs(6);
        let statement = statement(act, digest, steward, given_at, registered.sandbox);
        let approval =
            Self { steward: steward.to_owned(), given_at, signature: key.sign(statement.as_bytes()).to_bytes() };
        stewards.verify(act, digest, &approval)?;
        Ok(approval)
    }
}

/// What is signed, readable by whoever signs it.
fn statement(act: Act, digest: Digest, steward: &str, at: DateTime<Utc>, sandbox: bool) -> String {
    let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let held = if sandbox { "the program (sandbox)" } else { "the steward" };
    format!(
        "throughline approval/1\nact: {act}\nsha-256: {digest}\nsteward: {steward}\nkey held by: {held}\ngiven at: {at}\n"
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    pub(crate) fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    pub(crate) fn steward(id: &str, seed: u8) -> Steward {
        Steward {
            id: id.to_owned(),
            key: key(seed).verifying_key(),
            registered: Interval { from: at("2026-01-01T00:00:00Z"), to: Some(at("2027-01-01T00:00:00Z")) },
            sandbox: false,
        }
    }

    #[test]
    fn only_two_people_approve() {
        let digest = Digest::of(b"an agreement");
        let stewards = Stewards::new([steward("ann", 1), steward("ben", 2)]).expect("two");
        let now = at("2026-03-01T00:00:00Z");
        let sign = |who: &str, seed: u8, when: &str| {
            Approval::sign(&stewards, who, &key(seed), (Act::Activate, digest), at(when))
        };
        let ann = sign("ann", 1, "2026-02-01T00:00:00Z").expect("ann signs");
        let ben = sign("ben", 2, "2026-02-02T00:00:00Z").expect("ben signs");
        let verify = |approvals: [&Approval; 2], digest: Digest, not_before: Option<&str>| {
            let approvals = approvals.map(Clone::clone);
            stewards.verify_two(Act::Activate, digest, &approvals, not_before.map(at), now).err()
        };

        assert_eq!(verify([&ann, &ben], digest, None), None);
        assert_eq!(verify([&ann, &ann], digest, None), Some(ApprovalError::NotTwo));
        assert_eq!(verify([&ann, &ben], Digest::of(b"another"), None), Some(ApprovalError::Forged("ann".into())));
        assert_eq!(
            verify([&ann, &ben], digest, Some("2026-02-01T12:00:00Z")),
            Some(ApprovalError::Stale("ann".into()))
        );
        let renamed = Approval { steward: "ben".into(), ..ann.clone() };
        assert_eq!(verify([&ann, &renamed], digest, None), Some(ApprovalError::Forged("ben".into())));
        let moved = Approval { given_at: at("2026-02-03T00:00:00Z"), ..ben.clone() };
        assert_eq!(verify([&ann, &moved], digest, None), Some(ApprovalError::Forged("ben".into())));
        let stranger = Approval { steward: "cat".into(), ..ben };
        assert_eq!(verify([&ann, &stranger], digest, None), Some(ApprovalError::Unknown("cat".into())));

        assert_eq!(sign("ben", 1, "2026-02-01T00:00:00Z"), Err(ApprovalError::Forged("ben".into())));
        assert_eq!(sign("ben", 2, "2025-12-31T23:59:59Z"), Err(ApprovalError::NotRegisteredThen("ben".into())));
        assert!(Stewards::new([steward("ann", 1), steward("ben", 1)]).is_err());
    }
}
