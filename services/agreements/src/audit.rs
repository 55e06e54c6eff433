//! Holding what is on file against what was signed, row by row: one that was altered keeps none of the others from being looked at.
//!
//! Whoever can write to the database can make a row say something else. Loading refuses such a row when it is needed; here every row is
//! looked at, needed or not, and named.

use std::{collections::BTreeSet, fmt};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    Act, Digest, Error, InstrumentKind, Interval, NewInstrument,
    canonical::{canonical, read},
    certifying::certifying_expires_at,
    document,
    registry::Agreements,
    request::{Asked, opening_expires_at},
    rule,
    store::{
        self,
        audit::{ActivationOnFile, PaperOnFile, RequestOnFile, VersionOnFile},
    },
    terms::Terms,
};

/// How many papers are read at once.
const PAGE: i64 = 4_096;

/// Something on file that is not what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Altered {
    /// Which row, by names and digests of ours; never a client.
    pub what: String,
    /// What no longer fits.
    pub why: &'static str,
}

impl fmt::Display for Altered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was altered: {}", self.what, self.why)
    }
}

/// A request that is on file as not yet used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Its digest.
    pub digest: Digest,
    /// The act it is for.
    pub act: Act,
}

/// What an audit of the agreements found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Rows that are not what was signed.
    pub altered: Vec<Altered>,
    /// Requests on file as unused, for whoever knows what was done on requests.
    pub unused: Vec<Unused>,
    /// Activations that are on file as not stopped, for whoever knows what was suspended: the agreement, and since when.
    pub standing: Vec<(String, DateTime<Utc>)>,
    /// Papers on file as never taken back, for whoever knows which were.
    pub open: BTreeSet<Digest>,
}

impl Agreements {
    /// Looks at every version with its rules, every activation, paper and request. Fails only if it cannot read.
    pub async fn audit(&self, conn: &mut PgConnection) -> Result<Audit, Error> {
        let (mut altered, mut standing, mut open) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut find = |what: String, why: Option<&'static str>| {
            altered.extend(why.map(|why| Altered { what, why }));
        };
        for version in store::audit::list_versions(conn).await? {
            // There are a handful of versions.
            let mut rules = store::list_terms(conn, &version.agreement_id, version.version).await?;
            rules.sort_unstable();
            let what = format!("agreement {} version {}", version.agreement_id, version.version);
            find(what, version_differs(&version, &rules));
        }
        for activation in store::audit::list_activations(conn).await? {
            let ActivationOnFile { agreement_id, version, activated_at, .. } = &activation;
            let what = format!("the activation of {agreement_id} version {version} at {activated_at}");
            find(what, self.activation_differs(&activation));
            if activation.ended_at.is_none() {
                standing.push((agreement_id.clone(), *activated_at));
            }
        }
        let mut after = Vec::new();
        loop {
            let page = store::audit::list_papers(conn, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.digest);
            for paper in &page {
                find(format!("paper {} ({})", hex::encode(&paper.digest), paper.kind), self.paper_differs(paper));
                open.extend(Digest::from_slice(&paper.digest).filter(|_| !paper.is_revoked));
            }
        }
        for certification in store::list_certifications(conn, None).await? {
            let what = format!("certification {} of {}", certification.id, certification.said.consumer);
            let holds = self.is_certified(conn, &certification).await?;
            find(what, (!holds).then_some("it does not bear two valid approvals"));
        }
        let mut unused = Vec::new();
        for request in store::audit::list_requests(conn).await? {
            let what = format!("request {}", hex::encode(&request.digest));
            find(what, request_differs(&request));
            if let (None, Some(digest), Ok(act)) =
                (request.used_at, Digest::from_slice(&request.digest), request.act.parse())
            {
                unused.push(Unused { digest, act });
            }
        }
        Ok(Audit { altered, unused, standing, open })
    }

    fn activation_differs(&self, row: &ActivationOnFile) -> Option<&'static str> {
        if row.of_version.as_ref() != Some(&row.digest) {
            return Some("the version it brought into force is not on file as it was");
        }
        if row.ended_at.is_some() != row.ended_because.is_some() {
            return Some("its end is stated by halves");
        }
        let (Some(digest), Some(approvals)) = (Digest::from_slice(&row.digest), &row.approvals) else {
            return Some("its two approvals are not on file");
        };
        let bounds = (row.suspended_before, row.activated_at);
        let verified = self.stewards().verify_two(Act::Activate, digest, approvals, bounds.0, bounds.1);
        verified.err().map(|_| "it does not bear two valid approvals")
    }

    fn paper_differs(&self, row: &PaperOnFile) -> Option<&'static str> {
        const SAYS: Option<&str> = Some("it says something else than was put on file");
        let (Ok(kind), Ok(consumer)) = (row.kind.parse::<InstrumentKind>(), row.consumer.parse()) else { return SAYS };
        let said = NewInstrument {
            kind,
            consumer,
            person_key: model::Masked::new(row.person_key.clone()),
            reference: row.reference.clone(),
            reason: row.reason.clone(),
            in_force: Interval { from: row.valid_from, to: row.valid_to },
        };
        let Some(digest) = said.digest().ok().filter(|digest| row.digest == digest.0) else { return SAYS };
        if !kind.needs_approval() {
            let key = self.release_key()?;
            let is_own = key.is_over(digest, &row.recorded_by, row.recorded_at, row.vouched.as_deref());
            return (!is_own).then_some("it is not as the program put it on file");
        }
        let Some(approvals) = &row.approvals else { return Some("its two approvals are not on file") };
        let verified = self.stewards().verify_two(Act::RecordInstrument, digest, approvals, None, row.recorded_at);
        verified.err().map(|_| "it does not bear two valid approvals")
    }
}

fn version_differs(row: &VersionOnFile, rules: &[rule::RuleRow]) -> Option<&'static str> {
    let digest = Digest::of(row.canonical.as_bytes());
    if row.digest != digest.0 {
        return Some("its terms are not those whose hash it bears");
    }
    let Ok(terms) = read::<Terms>(&row.canonical) else { return Some("its terms cannot be read") };
    if (&terms.id, terms.version, terms.consumer.as_str()) != (&row.agreement_id, row.version, row.consumer.as_str()) {
        return Some("it is filed under another name, number or consumer than its terms state");
    }
    let validity = Interval { from: row.valid_from, to: row.valid_to };
    if terms.time_zone != row.time_zone || terms.validity() != validity {
        return Some("its days of validity are not those of its terms");
    }
    if rules != rule::rows(&terms) {
        return Some("its rules are not those of its terms");
    }
    // What "all" meant when it was filed, only the terms say.
    let said = document::parse(&row.document).and_then(|terms| canonical(&terms));
    let is_same = said.is_ok_and(|said| said == row.canonical) || row.document.contains("\"all\"");
    (!is_same).then_some("its document is not the one whose terms were signed")
}

fn request_differs(row: &RequestOnFile) -> Option<&'static str> {
    if Digest::of(row.statement.as_bytes()).0 != row.digest.as_slice() {
        return Some("it says something else than was put on file");
    }
    let Ok(asked) = Asked::read(&row.act, &row.statement) else { return Some("it is for another act than was asked") };
    let expires_at = match &asked {
        Asked::Export(request) => request.expires_at,
        Asked::Erase(request) => request.expires_at,
        Asked::Join(request) => request.expires_at,
        Asked::Unseal(request) => request.expires_at,
        Asked::Certify(_) => certifying_expires_at(row.requested_at),
        Asked::Open(request) => opening_expires_at(&request.paper, row.requested_at).unwrap_or(row.expires_at),
    };
    if asked.consumer().as_str() != row.consumer || expires_at != row.expires_at {
        return Some("its consumer or the time until which it counts is not what was asked");
    }
    if row.approved_at.is_some_and(|approved_at| approved_at < row.requested_at) {
        return Some("it was approved before it was asked");
    }
    (row.has_opened && row.used_at.is_none()).then_some("it is on file as unused, and records were opened on it")
}
