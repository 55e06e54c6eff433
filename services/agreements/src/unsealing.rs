//! Requests to go on disclosing after the database was set back: what it lost cannot be asked of it, so two people answer for it.

use chrono::{DateTime, SubsecRound as _, Utc};
use model::ConsumerId;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{
    Agreements, Error,
    approval::Act,
    canonical::{Digest, canonical},
    store,
};

/// What somebody asks for: that disclosures go on. It names the one occasion, and what the ledger is held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnsealRequest {
    /// The last checkpoint that others keep; `None`: nobody keeps one.
    pub checkpoint: Option<String>,
    /// The SEA's own consumer, under whose agreement the act is entered.
    pub consumer: ConsumerId,
    /// The first instant at which the request counts no longer.
    pub expires_at: DateTime<Utc>,
    /// Why, in words.
    pub reason: String,
    /// When it was asked.
    pub requested_at: DateTime<Utc>,
    /// Who asks.
    pub requested_by: String,
    /// The moment to which the database was set back: the request is good for no other occasion.
    pub since: DateTime<Utc>,
}

impl UnsealRequest {
    /// The same in one sentence, for the person who approves.
    pub fn describe(&self) -> String {
        let held = match &self.checkpoint {
            Some(checkpoint) => {
                let size = checkpoint.lines().nth(1).unwrap_or("?");
                format!("with the ledger held against a kept checkpoint of {size} entries")
            }
            None => "with NO kept checkpoint, so that what was lost of the ledger cannot be named".to_owned(),
        };
        format!(
            "{} asks to DISCLOSE AGAIN after the database was set back to {}, {held}, because: {} (asked {}, expires {})",
            self.requested_by, self.since, self.reason, self.requested_at, self.expires_at
        )
    }
}

impl Agreements {
    /// Puts a request to go on disclosing on file; the same again changes nothing.
    pub async fn file_unsealing(&self, conn: &mut PgConnection, request: &UnsealRequest) -> Result<Digest, Error> {
        let mut request = request.clone();
        request.expires_at = request.expires_at.trunc_subsecs(6);
        request.requested_at = request.requested_at.trunc_subsecs(6);
        request.since = request.since.trunc_subsecs(6);
        if request.requested_by.trim().is_empty() || request.reason.trim().is_empty() {
            return Err(Error::Invalid("a request names who asks and why"));
        }
        if request.expires_at <= request.requested_at {
            return Err(Error::Invalid("a request expires after it was made"));
        }
        let terms = (&request.consumer, request.requested_at, request.expires_at);
        store::request::insert(conn, Act::Unseal, &canonical(&request)?, terms).await
    }
}
