//! Reading attestations back as they stand, to hold them against the ledger.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;

/// An attestation of the transaction's consumer. A day or time that is none, such as infinity, is left out.
pub(crate) struct AttestationRow {
    pub(crate) attestation_id: Uuid,
    pub(crate) person_key: String,
    pub(crate) destroyed_on: Option<NaiveDate>,
    pub(crate) method: String,
    pub(crate) attested_by: String,
    pub(crate) reference: String,
    pub(crate) recorded_by: String,
    pub(crate) recorded_at: Option<DateTime<Utc>>,
}

/// Everything that the transaction's consumer attested.
pub(crate) async fn list_attestations(conn: &mut PgConnection) -> Result<Vec<AttestationRow>, Error> {
    Ok(sqlx::query_as!(
        AttestationRow,
        r#"-- disclosure.list_attestations
        SELECT a.attestation_id, a.person_key, CASE WHEN isfinite(a.destroyed_on) THEN a.destroyed_on END AS "destroyed_on?", a.method,
            a.attested_by, a.reference, a.recorded_by, CASE WHEN isfinite(a.recorded_at) THEN a.recorded_at END AS "recorded_at?"
        FROM disclosure.attestation AS a
        ORDER BY a.attestation_id"#
    )
    .fetch_all(conn)
    .await?)
}
