//! A recipient's certification goes on file on the word of two stewards: without one nothing is disclosed on a basis that asks for it, so whoever puts
//! one there opens records.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use model::ConsumerId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Agreements, Error,
    approval::{Act, Approval},
    canonical::Digest,
    evidence::NewCertification,
    interval::Interval,
    request::Asked,
    store,
};

/// How long a certification may wait for two stewards.
const CERTIFYING: TimeDelta = TimeDelta::days(30);

/// From when a request to certify counts no longer.
pub(crate) fn certifying_expires_at(requested_at: DateTime<Utc>) -> DateTime<Utc> {
    requested_at + CERTIFYING
}

impl Agreements {
    /// Puts a certification on file as a request: it counts for nothing until two stewards have approved it and it is used. The same again changes nothing.
    pub async fn file_certification(
        &self,
        conn: &mut PgConnection,
        certification: &NewCertification,
        at: DateTime<Utc>,
    ) -> Result<Digest, Error> {
        certification.check()?;
        let at = at.trunc_subsecs(6);
        let terms = (&certification.consumer, at, certifying_expires_at(at));
        store::request::insert(conn, Act::Certify, &certification.statement()?, terms).await
    }

    /// Puts a certification on file on a request that two stewards approved. Returns its id.
    pub async fn certify(
        &self,
        conn: &mut PgConnection,
        digest: Digest,
        (used_for, by): (Uuid, &str),
        at: DateTime<Utc>,
    ) -> Result<(i64, NewCertification), Error> {
        let at = at.trunc_subsecs(6);
        let used = self.use_request(conn, digest, used_for, at).await?;
        let Asked::Certify(certification) = used.asked else {
            return Err(Error::Invalid("the request approved is for another act"));
        };
        let id = self.record_certification(conn, &certification, &used.approvals, by, at).await?;
        Ok((id, certification))
    }

    /// Puts a recipient's certification on file that two stewards approved, or finds it there. Returns its id.
    pub async fn record_certification(
        &self,
        conn: &mut PgConnection,
        certification: &NewCertification,
        approvals: &[Approval; 2],
        by: &str,
        at: DateTime<Utc>,
    ) -> Result<i64, Error> {
        certification.check()?;
        let at = at.trunc_subsecs(6);
        let (act, digest) = (Act::Certify, certification.digest()?);
        let stewards = self.stewards().verify_two(act, digest, approvals, None, at)?;
        for (approval, steward) in approvals.iter().zip(stewards) {
            store::insert_approval(conn, (act, digest), approval, steward.sandbox).await?;
        }
        store::insert_certification(conn, certification, by, at).await
    }

    /// While the recipient's certifications are, or were, in force: those that bear two valid approvals. One that somebody wrote past the program
    /// counts for nothing; the audit names it.
    pub(crate) async fn certifications(
        &self,
        conn: &mut PgConnection,
        consumer: &ConsumerId,
    ) -> Result<Vec<Interval>, Error> {
        let rows = store::list_certifications(conn, Some(consumer)).await?;
        let mut counting = Vec::with_capacity(rows.len());
        for row in rows {
            // There are a handful.
            if self.is_certified(conn, &row).await? {
                let ends = [row.said.in_force.to, row.revoked_at].into_iter().flatten().min();
                counting.push(Interval { from: row.said.in_force.from, to: ends });
            }
        }
        Ok(counting)
    }

    /// Whether this certification is on file with two valid approvals, in force or taken back.
    pub async fn is_on_file(&self, conn: &mut PgConnection, certification: &NewCertification) -> Result<bool, Error> {
        let digest = certification.digest()?;
        for row in store::list_certifications(conn, Some(&certification.consumer)).await? {
            if row.said.digest()? == digest && self.is_certified(conn, &row).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The recipient's certifications on file that have not been taken back, by their numbers.
    pub async fn list_standing_certifications(
        &self,
        conn: &mut PgConnection,
        consumer: &ConsumerId,
    ) -> Result<Vec<i64>, Error> {
        let rows = store::list_certifications(conn, Some(consumer)).await?;
        Ok(rows.into_iter().filter(|row| row.revoked_at.is_none()).map(|row| row.id).collect())
    }

    /// Whether a certification on file bears two valid approvals.
    pub(crate) async fn is_certified(
        &self,
        conn: &mut PgConnection,
        row: &store::CertificationRow,
    ) -> Result<bool, Error> {
        let digest = row.said.digest()?;
        let approvals = store::list_approvals(conn, Act::Certify, digest).await?;
        Ok(self.two(Act::Certify, digest, &approvals, None, row.recorded_at).is_ok())
    }
}
