//! What was stopped, taken back or revoked, for whoever keeps that outside the database, and taking it back in after the database was set back.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{Digest, Error, registry::Agreements, store};

/// A version that went out of force.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndedVersion {
    /// The agreement.
    pub agreement: String,
    /// The version.
    pub version: i32,
    /// When it had come into force.
    pub activated_at: DateTime<Utc>,
    /// When that ended.
    pub ended_at: DateTime<Utc>,
    /// `superseded` or `suspended`.
    pub because: String,
    /// Who ended it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A recipient's certification that was revoked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedCertification {
    /// The recipient.
    pub consumer: String,
    /// Where the paper is.
    pub reference: String,
    /// Since when it had counted.
    pub valid_from: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: DateTime<Utc>,
}

impl Agreements {
    /// Every version that went out of force.
    pub async fn list_ended(&self, conn: &mut PgConnection) -> Result<Vec<EndedVersion>, Error> {
        store::closings::list_ended(conn).await
    }

    /// The papers that were taken back at or after an instant, with the instant; in the order of both.
    pub async fn list_revoked(
        &self,
        conn: &mut PgConnection,
        since: DateTime<Utc>,
    ) -> Result<Vec<(Digest, DateTime<Utc>)>, Error> {
        store::closings::list_revoked(conn, since).await
    }

    /// Every certification that was revoked.
    pub async fn list_uncertified(&self, conn: &mut PgConnection) -> Result<Vec<RevokedCertification>, Error> {
        store::closings::list_uncertified(conn).await
    }

    /// Those of these papers that are on file, each with when it was taken back, if it was.
    pub async fn list_standing(
        &self,
        conn: &mut PgConnection,
        papers: &[Digest],
    ) -> Result<HashMap<Digest, Option<DateTime<Utc>>>, Error> {
        store::list_standing(conn, papers).await
    }

    /// Ends what has ended: a version that this database has in force, or in force for longer. Says whether it changed anything.
    pub async fn end_again(&self, conn: &mut PgConnection, ended: &EndedVersion) -> Result<bool, Error> {
        store::closings::end_again(conn, ended).await
    }

    /// Takes a paper back that was taken back. Says whether it changed anything.
    pub async fn revoke_again(&self, conn: &mut PgConnection, paper: Digest, at: DateTime<Utc>) -> Result<bool, Error> {
        store::revoke_instrument(conn, paper, at).await
    }

    /// Revokes a certification that was revoked. Says whether it changed anything.
    pub async fn uncertify_again(&self, conn: &mut PgConnection, gone: &RevokedCertification) -> Result<bool, Error> {
        store::closings::uncertify_again(conn, gone).await
    }
}
