//! Requests for acts outside the routine: stated, approved by two stewards, used once, before they expire.

use chrono::{DateTime, SubsecRound as _, Utc};
use model::ConsumerId;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Agreements, Error,
    approval::{Act, Approval},
    canonical::{Digest, canonical, read},
    store,
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

/// A request on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiledRequest {
    /// What stewards sign.
    pub digest: Digest,
    /// What is asked.
    pub request: ExportRequest,
    /// When it was used, if it was.
    pub used_at: Option<DateTime<Utc>>,
    /// The stewards who approved so far.
    pub approved_by: Vec<String>,
}

/// A request that two stewards approved and that has just been used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedRequest {
    /// Its digest.
    pub digest: Digest,
    /// What was asked.
    pub request: ExportRequest,
    /// The two.
    pub approved_by: [String; 2],
    /// Whether the program itself held a key that approved it, as in the sandbox.
    pub sandbox_approval: bool,
}

/// The shortest beginning of a digest by which a request is found.
const PREFIX_MIN: usize = 8;

impl Agreements {
    /// Puts a request on file; the same again changes nothing.
    pub async fn file_request(&self, conn: &mut PgConnection, request: &ExportRequest) -> Result<Digest, Error> {
        let request = request.clone().truncated();
        request.check()?;
        let statement = canonical(&request)?;
        let digest = Digest::of(statement.as_bytes());
        store::request::insert(conn, digest, &statement, &request).await?;
        Ok(digest)
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
        let (digest, request) = opened(&stored)?;
        let approvals = store::list_approvals(conn, Act::Export, digest).await?;
        let mut approved_by: Vec<String> = Vec::new();
        for approval in &approvals {
            if self.stewards().verify(Act::Export, digest, approval).is_ok() && !approved_by.contains(&approval.steward)
            {
                approved_by.push(approval.steward.clone());
            }
        }
        Ok(Some(FiledRequest { digest, request, used_at: stored.used_at, approved_by }))
    }

    /// Uses a request for a run: it must be unexpired, unused, and approved by two distinct stewards. It serves no other run.
    pub async fn use_request(
        &self,
        conn: &mut PgConnection,
        digest: Digest,
        run: Uuid,
        at: DateTime<Utc>,
    ) -> Result<UsedRequest, Error> {
        let stored = store::request::lock(conn, digest).await?.ok_or(Error::NotFound("request"))?;
        let (digest, request) = opened(&stored)?;
        if stored.used_at.is_some() {
            return Err(Error::Conflict("the request has been used; another export needs a request of its own"));
        }
        if request.expires_at <= at {
            return Err(Error::Conflict("the request has expired"));
        }
        let approvals = store::list_approvals(conn, Act::Export, digest).await?;
        let (first, second) = self.two(Act::Export, digest, &approvals, None, at)?;
        let sandbox = |approval: &Approval| self.stewards().find(&approval.steward).is_some_and(|one| one.sandbox);
        let used = UsedRequest {
            digest,
            request,
            approved_by: [first.steward.clone(), second.steward.clone()],
            sandbox_approval: sandbox(first) || sandbox(second),
        };
        if store::request::mark_used(conn, digest, run, at).await? == 1 {
            Ok(used)
        } else {
            Err(Error::Conflict("the request has been used; another export needs a request of its own"))
        }
    }
}

/// What a stored request says, if that is what its digest was taken over.
fn opened(stored: &store::request::Stored) -> Result<(Digest, ExportRequest), Error> {
    let digest = Digest::from_slice(&stored.digest).ok_or(Error::Corrupt("a digest has not 32 bytes"))?;
    if Digest::of(stored.statement.as_bytes()) != digest {
        return Err(Error::Corrupt("a request says something else than was approved"));
    }
    Ok((digest, read(&stored.statement)?))
}
