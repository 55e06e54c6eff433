//! The terms of an entry: who asked, why, under which clause, for which elements, and who may be told.
//!
//! The entries of a run share them, so they are stored once, under the hash of what they say; an entry commits to that hash.
//! They name agencies, never a person.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use model::ConsumerId;
use serde::Serialize;

use crate::{
    entry::{canonical, named},
    error::Error,
    tree::Hash,
};

/// The longest text an entry takes, in bytes.
pub const TEXT_BYTES_MAX: usize = 4_000;

/// The longest list (of elements, or of onward parties) that terms take.
pub const LIST_MAX: usize = 2_000;

named! {
    /// Who may be shown a record of disclosures.
    Audience {
        /// A parent or guardian.
        Parent = "parent",
        /// The student, once the rights have passed to them.
        EligibleStudent = "eligible_student",
        /// The district that holds the education record.
        District = "district",
        /// The SEA's auditors and stewards: they see every entry.
        Auditor = "auditor",
    }
}

impl Audience {
    /// Whether this audience reads the threat for which an emergency was declared, of an entry that it is shown at all.
    ///
    /// 34 CFR 99.32(a)(5) has the articulable and significant threat recorded, and 99.32(c) opens the record to the parent or eligible student and to
    /// who audits it. What a state authority keeps for a district is who else received, and for what interest (99.32(b)): the threat, which may be
    /// about other people, is no part of it. A recipient is no audience: no consumer reads any of another's entries.
    pub const fn reads_threat(self) -> bool {
        match self {
            Self::Parent | Self::EligibleStudent | Self::Auditor => true,
            Self::District => false,
        }
    }
}

/// How an audience is shown an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Showing {
    /// On request.
    Open,
    /// After a steward has looked at this copy: the person who asks may be a party to the case.
    AfterReview,
}

/// The clause that was decided under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The agreement.
    pub agreement: String,
    /// Its version.
    pub version: u32,
    /// The clause, as the document numbers it.
    pub clause: String,
}

/// A party to which the recipient may disclose further on the agency's behalf (34 CFR 99.32(b)(1)).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OnwardParty {
    /// Its name.
    pub party: String,
    /// Its legitimate interest.
    pub interest: String,
}

/// What terms say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TermsParts {
    /// The consumer that asked; the SEA itself for an access.
    pub consumer: ConsumerId,
    /// The requesting party's name, as a parent should read it.
    pub party: String,
    /// Its legitimate interest.
    pub purpose: Option<String>,
    /// The legal basis, by its code in the agreement.
    pub legal_basis: Option<String>,
    /// The clause, if one was reached.
    pub clause: Option<Clause>,
    /// The elements disclosed or asked for, by id.
    pub elements: BTreeSet<String>,
    /// The elements withheld, by id; never one of class `other_agency`.
    pub withheld: BTreeSet<String>,
    /// To whom the recipient may disclose further.
    pub onward: BTreeSet<OnwardParty>,
    /// Who may be shown entries of these terms, beside auditors. Who is not named sees nothing, not even a count.
    pub audiences: BTreeMap<Audience, Showing>,
}

/// The hash of what terms say, under which they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TermsId(pub Hash);

impl fmt::Display for TermsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Checked terms with their id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    id: TermsId,
    parts: TermsParts,
}

impl Terms {
    /// Checks what terms say and gives them their id.
    pub fn new(parts: TermsParts) -> Result<Self, Error> {
        if parts.party.trim().is_empty() {
            return Err(Error::Invalid("the requesting party has a name"));
        }
        for list in [parts.elements.len(), parts.withheld.len(), parts.onward.len()] {
            if list > LIST_MAX {
                return Err(Error::Invalid("a list of the terms is too long"));
            }
        }
        let clause = parts.clause.as_ref();
        let texts = [Some(&parts.party), parts.purpose.as_ref(), parts.legal_basis.as_ref()]
            .into_iter()
            .chain([clause.map(|c| &c.agreement), clause.map(|c| &c.clause)])
            .flatten()
            .chain(&parts.elements)
            .chain(&parts.withheld)
            .chain(parts.onward.iter().flat_map(|onward| [&onward.party, &onward.interest]));
        for text in texts {
            check_text(text)?;
        }
        if clause.is_some_and(|c| i32::try_from(c.version).is_err()) {
            return Err(Error::Invalid("a version is below 2^31"));
        }
        let id = TermsForm::of(&parts).id();
        Ok(Self { id, parts })
    }

    /// The hash of what they say.
    pub const fn id(&self) -> TermsId {
        self.id
    }

    /// What they say.
    pub const fn parts(&self) -> &TermsParts {
        &self.parts
    }

    /// The audiences of one showing, by name; auditors are always shown everything.
    pub(crate) fn audiences(&self, showing: Showing) -> Vec<&'static str> {
        audiences(&self.parts, showing)
    }
}

fn audiences(parts: &TermsParts, wanted: Showing) -> Vec<&'static str> {
    Audience::ALL
        .iter()
        .filter(|audience| {
            let shown = match audience {
                Audience::Auditor => Some(&Showing::Open),
                other => parts.audiences.get(other),
            };
            shown == Some(&wanted)
        })
        .map(|audience| audience.as_str())
        .collect()
}

/// Refuses a text that the database could not hold, or that nobody meant to enter.
pub(crate) fn check_text(text: &str) -> Result<(), Error> {
    if text.contains('\0') {
        return Err(Error::Invalid("a text of an entry holds a NUL character"));
    }
    if text.len() > TEXT_BYTES_MAX {
        return Err(Error::Invalid("a text of an entry is longer than 4000 bytes"));
    }
    Ok(())
}

/// Terms in their canonical form: JSON without white space, keys in alphabetical order (the order of these fields), absent
/// values left out, lists sorted.
#[derive(Serialize)]
pub(crate) struct TermsForm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agreement: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agreement_version: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) clause: Option<&'a str>,
    pub(crate) consumer: &'a str,
    pub(crate) elements: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) legal_basis: Option<&'a str>,
    pub(crate) onward_interests: Vec<&'a str>,
    pub(crate) onward_parties: Vec<&'a str>,
    pub(crate) party: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) purpose: Option<&'a str>,
    pub(crate) shown_after_review: Vec<&'a str>,
    pub(crate) shown_to: Vec<&'a str>,
    pub(crate) withheld: Vec<&'a str>,
}

impl<'a> TermsForm<'a> {
    pub(crate) fn of(parts: &'a TermsParts) -> Self {
        let clause = parts.clause.as_ref();
        let onward = |pick: fn(&OnwardParty) -> &String| parts.onward.iter().map(|one| pick(one).as_str()).collect();
        Self {
            agreement: clause.map(|c| c.agreement.as_str()),
            agreement_version: clause.and_then(|c| i32::try_from(c.version).ok()),
            clause: clause.map(|c| c.clause.as_str()),
            consumer: parts.consumer.as_str(),
            elements: parts.elements.iter().map(String::as_str).collect(),
            legal_basis: parts.legal_basis.as_deref(),
            onward_interests: onward(|one| &one.interest),
            onward_parties: onward(|one| &one.party),
            party: &parts.party,
            purpose: parts.purpose.as_deref(),
            shown_after_review: audiences(parts, Showing::AfterReview),
            shown_to: audiences(parts, Showing::Open),
            withheld: parts.withheld.iter().map(String::as_str).collect(),
        }
    }

    pub(crate) fn id(&self) -> TermsId {
        TermsId(Hash::of_parts(&[b"throughline-ledger/v1/terms\n", &canonical(self)]))
    }
}
