//! Requests for acts outside the routine (an export, an erasure, an order that opens records, children joined into one): stated, approved by two stewards, used once, before
//! they expire.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use model::ConsumerId;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Agreements, Error,
    approval::{Act, Approval},
    canonical::{Digest, canonical, read},
    evidence::{NewCertification, NewInstrument},
    joining::JoinRequest,
    reported::REPORTED,
    store,
    unsealing::UnsealRequest,
};

/// What somebody asks for: a consumer's whole feed as files, outside the schedule. Stewards sign the digest of exactly this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportRequest {
    /// What was known then; `None`: what is known when it runs.
    pub as_of: Option<DateTime<Utc>>,
    /// Whose feed.
    pub consumer: ConsumerId,
    /// The first instant at which the request counts no longer.
    pub expires_at: DateTime<Utc>,
    /// The delivery format.
    pub format: String,
    /// The one office it is for.
    pub office: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// When it was asked.
    pub requested_at: DateTime<Utc>,
    /// Who asks.
    pub requested_by: String,
}

impl ExportRequest {
    /// Times as the database keeps them: whole microseconds.
    #[must_use]
    pub fn truncated(mut self) -> Self {
        self.as_of = self.as_of.map(|at| at.trunc_subsecs(6));
        self.expires_at = self.expires_at.trunc_subsecs(6);
        self.requested_at = self.requested_at.trunc_subsecs(6);
        self
    }

    /// The same in one sentence, for the person who approves.
    pub fn describe(&self) -> String {
        let office = self.office.as_ref().map_or_else(String::new, |office| format!(", office {office}"));
        let as_of = self.as_of.map_or_else(String::new, |at| format!(", as known on {at}"));
        format!(
            "{} asks to export the whole feed of {}{office} as {}{as_of}, because: {} (asked {}, expires {})",
            self.requested_by, self.consumer, self.format, self.reason, self.requested_at, self.expires_at
        )
    }

    fn check(&self) -> Result<(), Error> {
        if self.requested_by.trim().is_empty() || self.reason.trim().is_empty() {
            return Err(Error::Invalid("a request names who asks and why"));
        }
        if self.expires_at <= self.requested_at {
            return Err(Error::Invalid("a request expires after it was made"));
        }
        Ok(())
    }
}

/// What somebody asks for: that everything about a student, or one fact, be erased for good. It names nobody: it outlives what it erases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EraseRequest {
    /// An agency's client who matches no student, in place of a student.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientNamed>,
    /// The SEA's own consumer, under whose agreement the act is entered.
    pub consumer: ConsumerId,
    /// The first instant at which the request counts no longer.
    pub expires_at: DateTime<Utc>,
    /// The one fact that goes; `None`: everything.
    pub fact: Option<FactNamed>,
    /// `court_order` or `retention`.
    pub ground: String,
    /// The number of the order, or of the retention decision.
    pub order_number: String,
    /// When it was asked.
    pub requested_at: DateTime<Utc>,
    /// Who asks.
    pub requested_by: String,
    /// Whose records, by our own id; of a client one that is drawn for the request, and nobody's.
    pub student: Uuid,
}

/// A client without the agency's own id, which the request outlives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientNamed {
    /// The agency.
    pub consumer: ConsumerId,
    /// A keyed hash of its id of the client, in hexadecimal.
    pub keyed_hash: String,
}

/// A fact by our own ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FactNamed {
    /// Its domain.
    pub domain: String,
    /// Its key, in hexadecimal.
    pub natural_key: String,
    /// The source person whose it is.
    pub source_person: i64,
}

impl EraseRequest {
    /// The same in one sentence, for the person who approves.
    pub fn describe(&self) -> String {
        if let Some(client) = &self.client {
            return format!(
                "{} asks to ERASE FOR GOOD everything about the client of {} with the keyed number {}, who matches no student, on the ground {}, order {} (asked {}, expires {})",
                self.requested_by,
                client.consumer,
                client.keyed_hash,
                self.ground,
                self.order_number,
                self.requested_at,
                self.expires_at
            );
        }
        let what = self.fact.as_ref().map_or_else(
            || "everything about the student".to_owned(),
            |fact| format!("the fact {} of domain {} of the student", fact.natural_key, fact.domain),
        );
        format!(
            "{} asks to ERASE FOR GOOD {what} {}, on the ground {}, order {} (asked {}, expires {})",
            self.requested_by, self.student, self.ground, self.order_number, self.requested_at, self.expires_at
        )
    }
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A consumer's whole feed as files.
    Export(ExportRequest),
    /// Records are erased.
    Erase(EraseRequest),
    /// A court order or declared emergency opens a client's records.
    Open(OpenRequest),
    /// Records of children whom the state reports as different become one child's.
    Join(JoinRequest),
    /// A recipient's certification goes on file.
    Certify(NewCertification),
    /// Disclosures go on after the database was set back.
    Unseal(UnsealRequest),
}

/// What somebody asks for: that a court order or a declared emergency open one client's records, until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// The paper, whose digest is the request's.
    pub paper: NewInstrument,
}

impl Asked {
    /// The act that two stewards approve.
    pub const fn act(&self) -> Act {
        match self {
            Self::Export(_) => Act::Export,
            Self::Erase(_) => Act::Erase,
            Self::Open(_) => Act::RecordInstrument,
            Self::Join(_) => Act::Join,
            Self::Certify(_) => Act::Certify,
            Self::Unseal(_) => Act::Unseal,
        }
    }

    /// The consumer it is about; of an erasure, a joining or an unsealing the SEA's own.
    pub const fn consumer(&self) -> &ConsumerId {
        match self {
            Self::Export(request) => &request.consumer,
            Self::Erase(request) => &request.consumer,
            Self::Open(request) => &request.paper.consumer,
            Self::Join(request) => &request.consumer,
            Self::Certify(certification) => &certification.consumer,
            Self::Unseal(request) => &request.consumer,
        }
    }

    /// The same in one sentence, for the person who approves.
    pub fn describe(&self) -> String {
        match self {
            Self::Export(request) => request.describe(),
            Self::Erase(request) => request.describe(),
            Self::Open(request) => request.paper.describe(),
            Self::Join(request) => request.describe(),
            Self::Certify(certification) => certification.describe(),
            Self::Unseal(request) => request.describe(),
        }
    }

    pub(crate) fn read(act: &str, statement: &str) -> Result<Self, Error> {
        match act.parse() {
            Ok(Act::Export) => Ok(Self::Export(read(statement)?)),
            Ok(Act::Erase) => Ok(Self::Erase(read(statement)?)),
            Ok(Act::Join) => Ok(Self::Join(read(statement)?)),
            Ok(Act::Certify) => Ok(Self::Certify(NewCertification::read(statement)?)),
            Ok(Act::Unseal) => Ok(Self::Unseal(read(statement)?)),
            Ok(Act::RecordInstrument) => Ok(Self::Open(OpenRequest { paper: NewInstrument::read(statement)? })),
            _ => Err(Error::Corrupt("a request is for an unknown act")),
        }
    }
}

/// A request on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiledRequest {
    /// What stewards sign.
    pub digest: Digest,
    /// What is asked.
    pub asked: Asked,
    /// When it was used, if it was.
    pub used_at: Option<DateTime<Utc>>,
    /// What it was used for: a run, an erasure, a paper.
    pub used_for: Option<Uuid>,
    /// From when it counts no longer.
    pub expires_at: DateTime<Utc>,
    /// The stewards who approved so far.
    pub approved_by: Vec<String>,
}

/// A request that two stewards approved and that has just been used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedRequest {
    /// Its digest.
    pub digest: Digest,
    /// What was asked.
    pub asked: Asked,
    /// The two.
    pub approved_by: [String; 2],
    /// Their approvals.
    pub approvals: [Approval; 2],
    /// Whether the program itself held a key that approved it, as in the sandbox.
    pub sandbox_approval: bool,
}

/// The shortest beginning of a digest by which a request is found.
const PREFIX_MIN: usize = 8;

/// How long a court order or emergency may wait for two stewards: whoever is in a hurry asks again.
const OPENING_REQUEST: TimeDelta = TimeDelta::days(1);

/// From when a request to open records counts no longer: a day after it was asked, or with the paper; one that a roster reports, with the paper.
pub(crate) fn opening_expires_at(paper: &NewInstrument, requested_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let ends_at = paper.in_force.to?;
    Some(if paper.reason == REPORTED { ends_at } else { ends_at.min(requested_at + OPENING_REQUEST) })
}

impl Agreements {
    /// Puts a request for an export on file; the same again changes nothing.
    pub async fn file_request(&self, conn: &mut PgConnection, request: &ExportRequest) -> Result<Digest, Error> {
        let request = request.clone().truncated();
        request.check()?;
        let statement = canonical(&request)?;
        let terms = (&request.consumer, request.requested_at, request.expires_at);
        store::request::insert(conn, Act::Export, &statement, terms).await
    }

    /// Puts a request for an erasure on file; the same again changes nothing.
    pub async fn file_erasure(&self, conn: &mut PgConnection, request: &EraseRequest) -> Result<Digest, Error> {
        let mut request = request.clone();
        request.expires_at = request.expires_at.trunc_subsecs(6);
        request.requested_at = request.requested_at.trunc_subsecs(6);
        if request.requested_by.trim().is_empty() || request.order_number.trim().is_empty() {
            return Err(Error::Invalid("a request names who asks, and the order"));
        }
        if !matches!(request.ground.as_str(), "court_order" | "retention") {
            return Err(Error::Invalid("records are erased on a court order or at the end of retention"));
        }
        if request.expires_at <= request.requested_at {
            return Err(Error::Invalid("a request expires after it was made"));
        }
        let terms = (&request.consumer, request.requested_at, request.expires_at);
        store::request::insert(conn, Act::Erase, &canonical(&request)?, terms).await
    }

    /// Puts a court order or emergency on file as a request: it opens nothing until two stewards have approved it and it is used. It
    /// expires after a day, or with the paper. Refused where the paper could open nothing: the agreement in force has to name a basis that takes it.
    pub async fn file_opening(
        &self,
        conn: &mut PgConnection,
        paper: &NewInstrument,
        at: DateTime<Utc>,
    ) -> Result<Digest, Error> {
        self.can_open(conn, paper, at).await?;
        self.file_paper(conn, paper, at).await
    }

    /// The same of an order that a roster reports, and will report again: it waits with the paper, and for an agreement that takes it.
    pub(crate) async fn file_paper(
        &self,
        conn: &mut PgConnection,
        paper: &NewInstrument,
        at: DateTime<Utc>,
    ) -> Result<Digest, Error> {
        paper.check()?;
        let Some(ends_at) = paper.in_force.to.filter(|_| paper.kind.needs_approval()) else {
            return Err(Error::Invalid("only a court order or emergency is opened so, and it has an end"));
        };
        let expires_at = opening_expires_at(paper, at).unwrap_or(ends_at);
        let terms = (&paper.consumer, at.trunc_subsecs(6), expires_at.trunc_subsecs(6));
        store::request::insert(conn, Act::RecordInstrument, &paper.statement()?, terms).await
    }

    /// The one request whose digest begins so, in hexadecimal, with at least eight digits.
    pub async fn find_request(&self, conn: &mut PgConnection, prefix: &str) -> Result<Option<FiledRequest>, Error> {
        if prefix.len() < PREFIX_MIN || prefix.len() > 64 || !prefix.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Error::Invalid("a request is named by at least eight hexadecimal digits"));
        }
        let mut found = store::request::list_by_prefix(conn, &prefix.to_ascii_lowercase()).await?;
        let Some(stored) = found.pop() else { return Ok(None) };
        if !found.is_empty() {
            return Err(Error::Invalid("more than one request begins so; give more digits"));
        }
        self.filed(conn, &stored).await.map(Some)
    }

    async fn filed(&self, conn: &mut PgConnection, stored: &store::request::Stored) -> Result<FiledRequest, Error> {
        let (digest, asked) = opened(stored)?;
        let act = asked.act();
        let approvals = store::list_approvals(conn, act, digest).await?;
        let mut approved_by: Vec<String> = Vec::new();
        for approval in &approvals {
            if self.stewards().verify(act, digest, approval).is_ok() && !approved_by.contains(&approval.steward) {
                approved_by.push(approval.steward.clone());
            }
        }
        let (used_at, used_for) = (stored.used_at, stored.used_for);
        Ok(FiledRequest { digest, asked, used_at, used_for, expires_at: stored.expires_at, approved_by })
    }

    /// Orders reported by rosters that wait for two stewards, of one recipient or of all, the oldest first.
    pub async fn list_reported_orders(
        &self,
        conn: &mut PgConnection,
        consumer: Option<&ConsumerId>,
        at: DateTime<Utc>,
    ) -> Result<Vec<FiledRequest>, Error> {
        let mut waiting = Vec::new();
        for stored in store::request::list_reported(conn, consumer, REPORTED, at).await? {
            waiting.push(self.filed(conn, &stored).await?);
        }
        Ok(waiting)
    }

    /// Uses a request up for a run, an erasure or a paper: it must be unexpired, unused, and approved by two distinct stewards. It serves nothing else.
    pub async fn use_request(
        &self,
        conn: &mut PgConnection,
        digest: Digest,
        used_for: Uuid,
        at: DateTime<Utc>,
    ) -> Result<UsedRequest, Error> {
        let stored = store::request::lock(conn, digest).await?.ok_or(Error::NotFound("request"))?;
        let (digest, asked) = opened(&stored)?;
        if stored.used_at.is_some() {
            return Err(Error::Conflict("the request has been used; another act needs a request of its own"));
        }
        if stored.expires_at <= at {
            return Err(Error::Conflict("the request has expired"));
        }
        let approvals = store::list_approvals(conn, asked.act(), digest).await?;
        let (first, second) = self.two(asked.act(), digest, &approvals, None, at)?;
        let sandbox = |approval: &Approval| self.stewards().find(&approval.steward).is_some_and(|one| one.sandbox);
        let used = UsedRequest {
            digest,
            asked,
            approved_by: [first.steward.clone(), second.steward.clone()],
            approvals: [first.clone(), second.clone()],
            sandbox_approval: sandbox(first) || sandbox(second),
        };
        if store::request::mark_used(conn, digest, used_for, at).await? == 1 {
            Ok(used)
        } else {
            Err(Error::Conflict("the request has been used; another act needs a request of its own"))
        }
    }

    /// Releases, orders and emergencies about clients who are erased go. Says how many there were.
    pub async fn erase_instruments(
        &self,
        conn: &mut PgConnection,
        consumer: &ConsumerId,
        person_keys: &[String],
    ) -> Result<u64, Error> {
        store::request::delete_instruments(conn, consumer, person_keys).await
    }
}

/// What a stored request says, if that is what its digest was taken over.
fn opened(stored: &store::request::Stored) -> Result<(Digest, Asked), Error> {
    let digest = Digest::from_slice(&stored.digest).ok_or(Error::Corrupt("a digest has not 32 bytes"))?;
    if Digest::of(stored.statement.as_bytes()) != digest {
        return Err(Error::Corrupt("a request says something else than was approved"));
    }
    Ok((digest, Asked::read(&stored.act, &stored.statement)?))
}
