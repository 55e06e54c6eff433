//! Records opened outside the routine, by court order or in an emergency: opened by two, ended by the clock, looked at afterwards by another.

use chrono::{DateTime, SubsecRound as _, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Agreements, Error,
    canonical::Digest,
    decide::runs,
    evidence::{InstrumentKind, NewInstrument},
    request::Asked,
    store::opening as store,
};

/// A client's records that were opened by order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The paper's digest.
    pub digest: Digest,
    /// What kind of paper.
    pub kind: InstrumentKind,
    /// Its number.
    pub reference: String,
    /// To whom.
    pub consumer: String,
    /// Who opened them.
    pub opened_by: String,
    /// When.
    pub opened_at: DateTime<Utc>,
    /// When they close: the paper's end or its revocation.
    pub closes_at: DateTime<Utc>,
    /// Who looked at it afterwards, when, and what they found.
    pub review: Option<(String, DateTime<Utc>, String)>,
}

impl Agreements {
    /// Opens a client's records on a request that two stewards approved: the paper is on file and in force from its day until it ends by itself, and its
    /// review waits for a person.
    pub async fn open_records(
        &self,
        conn: &mut PgConnection,
        digest: Digest,
        (used_for, by): (Uuid, &str),
        at: DateTime<Utc>,
    ) -> Result<NewInstrument, Error> {
        let at = at.trunc_subsecs(6);
        let used = self.use_request(conn, digest, used_for, at).await?;
        let Asked::Open(request) = used.asked else {
            return Err(Error::Invalid("the request approved is for another act"));
        };
        self.can_open(conn, &request.paper, at).await?;
        self.record_order(conn, &request.paper, &used.approvals, by, at).await?;
        store::insert(conn, digest, by, at).await?;
        Ok(request.paper)
    }

    /// Refuses a court order or emergency that would open nothing: an agreement must be in force with the recipient, and disclose something on a basis
    /// that takes such a paper. Who enters an opening is told so, not that records are open.
    pub(crate) async fn can_open(
        &self,
        conn: &mut PgConnection,
        paper: &NewInstrument,
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        let in_force = self.load_active(conn, &paper.consumer, at).await?;
        let Some(in_force) = in_force.filter(|in_force| runs(in_force, at).is_ok()) else {
            return Err(Error::Invalid(
                "no agreement is in force with the recipient, so that this would open nothing: activate one first",
            ));
        };
        if in_force.plan().takes(paper.kind.evidence()) {
            return Ok(());
        }
        Err(Error::Invalid(match paper.kind {
            InstrumentKind::Emergency => {
                "the agreement in force has no basis for an emergency, so that this would open nothing: amend it by a \
                basis health_safety_emergency, activate that version, then ask again"
            }
            _ => {
                "the agreement in force has no basis for such an order, so that this would open nothing: amend it by a \
                basis court_order, activate that version, then ask again"
            }
        }))
    }

    /// Records opened by order, the latest first; with `waiting` those that nobody has reviewed.
    pub async fn list_openings(&self, conn: &mut PgConnection, waiting: bool) -> Result<Vec<Opening>, Error> {
        store::list(conn, waiting).await
    }

    /// Enters what a steward found who looked at an opening: another person than who opened it, once.
    pub async fn review_opening(
        &self,
        conn: &mut PgConnection,
        digest: Digest,
        (by, found): (&str, &str),
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        if found.trim().is_empty() {
            return Err(Error::Invalid("a review says what was found"));
        }
        if store::review(conn, digest, (by, found), at).await? == 1 {
            Ok(())
        } else {
            Err(Error::Conflict("it waits for no review, or for one by another person than who opened it"))
        }
    }
}
