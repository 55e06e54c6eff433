//! Requests to join the records of children whom the state reports as different: what one person alone must not do.

use chrono::{DateTime, SubsecRound as _, Utc};
use model::ConsumerId;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Agreements, Error,
    approval::Act,
    canonical::{Digest, canonical},
    named::named,
    store,
};

named! {
    /// How records come together.
    JoinKind, "a way to join records" {
        /// Two students become one.
        Merge = "merge",
        /// State ids go over to another student.
        Relink = "relink",
        /// A move that parted them is taken back.
        Undo = "undo",
        /// A doubt whether one state id is two children's is settled: it is one child's.
        Settle = "settle",
    }
}

/// What somebody asks for: that these source persons be one child with those. It names nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinRequest {
    /// The SEA's own consumer, under whose agreement the approvals are entered.
    pub consumer: ConsumerId,
    /// In what the state reports them otherwise, by the name of the element; of a doubt nothing.
    pub differ: Vec<String>,
    /// The first instant at which the request counts no longer.
    pub expires_at: DateTime<Utc>,
    /// The student they leave, by our own id; of a doubt none.
    pub from: Option<Uuid>,
    /// How.
    pub kind: JoinKind,
    /// The source persons who move, or the one in doubt.
    pub persons: Vec<i64>,
    /// Why, in words.
    pub reason: String,
    /// When it was asked.
    pub requested_at: DateTime<Utc>,
    /// Who asks.
    pub requested_by: String,
    /// The student they become; of a doubt none.
    pub to: Option<Uuid>,
    /// The move that is taken back, if one is.
    pub undoes: Option<i64>,
    /// The source persons whom they join.
    pub with: Vec<i64>,
}

impl JoinRequest {
    /// The same in one sentence, for the person who approves.
    pub fn describe(&self) -> String {
        let student = |id: Option<Uuid>| id.map_or_else(String::new, |id| format!(" (student {id})"));
        let differ = if self.differ.is_empty() {
            String::new()
        } else {
            format!(", whom the state reports with another {}", self.differ.join(" and another "))
        };
        let what = match self.kind {
            JoinKind::Settle => format!(
                "to RELEASE source person {}, under whose state id two children may be reported",
                self.persons.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
            kind => format!(
                "to JOIN source persons {:?}{} with {:?}{}{differ} ({kind})",
                self.persons,
                student(self.from),
                self.with,
                student(self.to)
            ),
        };
        format!(
            "{} asks {what}, because: {} (asked {}, expires {})",
            self.requested_by, self.reason, self.requested_at, self.expires_at
        )
    }
}

impl Agreements {
    /// Puts a request to join records on file; the same again changes nothing.
    pub async fn file_joining(&self, conn: &mut PgConnection, request: &JoinRequest) -> Result<Digest, Error> {
        let mut request = request.clone();
        request.expires_at = request.expires_at.trunc_subsecs(6);
        request.requested_at = request.requested_at.trunc_subsecs(6);
        if request.requested_by.trim().is_empty() || request.reason.trim().is_empty() {
            return Err(Error::Invalid("a request names who asks and why"));
        }
        if request.expires_at <= request.requested_at {
            return Err(Error::Invalid("a request expires after it was made"));
        }
        let terms = (&request.consumer, request.requested_at, request.expires_at);
        store::request::insert(conn, Act::Join, &canonical(&request)?, terms).await
    }
}
