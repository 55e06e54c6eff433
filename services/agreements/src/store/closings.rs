//! What ended, and ending it again.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    Digest, Error,
    closings::{EndedVersion, RevokedCertification},
};

type Instant = DateTime<Utc>;

pub(crate) async fn list_ended(conn: &mut PgConnection) -> Result<Vec<EndedVersion>, Error> {
    Ok(sqlx::query_as!(
        EndedVersion,
        r#"-- agreements.list_ended
        SELECT a.agreement_id AS agreement, a.version, a.activated_at, a.ended_at AS "ended_at!", a.ended_because AS "because!",
            a.ended_by AS "by!", a.end_reason AS "reason!"
        FROM agreements.activation AS a
        WHERE a.ended_at IS NOT NULL
        ORDER BY a.activation_id"#
    )
    .fetch_all(conn)
    .await?)
}

pub(crate) async fn list_revoked(conn: &mut PgConnection, since: Instant) -> Result<Vec<(Digest, Instant)>, Error> {
    let rows = sqlx::query!(
        r#"-- agreements.list_revoked
        SELECT i.digest, i.revoked_at AS "revoked_at!"
        FROM agreements.instrument AS i
        WHERE i.revoked_at >= $1
        ORDER BY i.revoked_at, i.digest"#,
        since
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((Digest::from_slice(&row.digest)?, row.revoked_at))).collect())
}

pub(crate) async fn list_uncertified(conn: &mut PgConnection) -> Result<Vec<RevokedCertification>, Error> {
    Ok(sqlx::query_as!(
        RevokedCertification,
        r#"-- agreements.list_uncertified
        SELECT c.consumer, c.reference, c.valid_from, c.revoked_at AS "revoked_at!"
        FROM agreements.certification AS c
        WHERE c.revoked_at IS NOT NULL
        ORDER BY c.certification_id"#
    )
    .fetch_all(conn)
    .await?)
}

pub(crate) async fn end_again(conn: &mut PgConnection, ended: &EndedVersion) -> Result<bool, Error> {
    let done = sqlx::query!(
        "-- agreements.end_again
        UPDATE agreements.activation
        SET ended_at = $4, ended_because = $5, ended_by = $6, end_reason = $7, end_recorded_at = $4
        WHERE agreement_id = $1 AND version = $2 AND activated_at = $3 AND (ended_at IS NULL OR ended_at > $4)",
        ended.agreement,
        ended.version,
        ended.activated_at,
        ended.ended_at,
        ended.because,
        ended.by,
        ended.reason
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub(crate) async fn uncertify_again(conn: &mut PgConnection, gone: &RevokedCertification) -> Result<bool, Error> {
    let done = sqlx::query!(
        "-- agreements.uncertify_again
        UPDATE agreements.certification SET revoked_at = $4
        WHERE consumer = $1 AND reference = $2 AND valid_from = $3 AND (revoked_at IS NULL OR revoked_at > $4)",
        gone.consumer,
        gone.reference,
        gone.valid_from,
        gone.revoked_at
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
