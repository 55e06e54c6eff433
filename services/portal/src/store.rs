//! All SQL of the portal: sessions, sign-ins that were used up, looks at records, and reports on what looks wrong in them.

pub(crate) mod look;
pub(crate) mod report;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

/// A session as stored.
pub(crate) struct SessionRow {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) person_name: String,
    pub(crate) consumer: String,
    pub(crate) role: String,
    pub(crate) office: Option<String>,
    pub(crate) officer: Option<String>,
    pub(crate) trained_on: Option<NaiveDate>,
    pub(crate) access_token: Vec<u8>,
    pub(crate) checked_at: DateTime<Utc>,
}

/// Begins a session.
pub(crate) async fn insert_session(
    conn: &mut PgConnection,
    hash: &[u8; 32],
    session: &SessionRow,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- portal.insert_session
        INSERT INTO portal.session (session_hash, issuer, subject, person_name, consumer, role, office, officer, trained_on, access_token,
            begun_at, seen_at, checked_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $11)",
        hash.as_slice(),
        session.issuer,
        session.subject,
        session.person_name,
        session.consumer,
        session.role,
        session.office,
        session.officer,
        session.trained_on,
        session.access_token,
        session.checked_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The session of a hash, if it is neither idle nor too old; it was seen now.
pub(crate) async fn touch_session(
    conn: &mut PgConnection,
    hash: &[u8; 32],
    at: DateTime<Utc>,
    (begun_after, seen_after): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Option<SessionRow>, sqlx::Error> {
    sqlx::query_as!(
        SessionRow,
        "-- portal.touch_session
        UPDATE portal.session SET seen_at = GREATEST(seen_at, $2)
        WHERE session_hash = $1 AND begun_at > $3 AND seen_at > $4
        RETURNING issuer, subject, person_name, consumer, role, office, officer, trained_on, access_token, checked_at",
        hash.as_slice(),
        at,
        begun_after,
        seen_after,
    )
    .fetch_optional(conn)
    .await
}

/// Notes that the issuer still says the same of somebody.
pub(crate) async fn note_checked(
    conn: &mut PgConnection,
    hash: &[u8; 32],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- portal.note_checked
        UPDATE portal.session SET checked_at = GREATEST(checked_at, $2) WHERE session_hash = $1",
        hash.as_slice(),
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a session.
pub(crate) async fn delete_session(conn: &mut PgConnection, hash: &[u8; 32]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- portal.delete_session
        DELETE FROM portal.session WHERE session_hash = $1",
        hash.as_slice(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends all sessions of a person; how many there were.
pub(crate) async fn delete_sessions_of(
    conn: &mut PgConnection,
    issuer: &str,
    subject: &str,
) -> Result<u64, sqlx::Error> {
    let gone = sqlx::query!(
        "-- portal.delete_sessions_of
        DELETE FROM portal.session WHERE issuer = $1 AND subject = $2",
        issuer,
        subject,
    )
    .execute(conn)
    .await?;
    Ok(gone.rows_affected())
}

/// Notes that a sign-in was answered; whether it was the first time.
pub(crate) async fn use_sign_in(
    conn: &mut PgConnection,
    state_hash: &[u8; 32],
    at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let added = sqlx::query!(
        "-- portal.use_sign_in
        INSERT INTO portal.used_sign_in (state_hash, used_at) VALUES ($1, $2) ON CONFLICT (state_hash) DO NOTHING",
        state_hash.as_slice(),
        at,
    )
    .execute(conn)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// Sweeps sessions and sign-ins whose time is over.
pub(crate) async fn sweep(
    conn: &mut PgConnection,
    (begun_before, seen_before, used_before): (DateTime<Utc>, DateTime<Utc>, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- portal.sweep_sessions
        DELETE FROM portal.session WHERE begun_at <= $1 OR seen_at <= $2",
        begun_before,
        seen_before,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "-- portal.sweep_sign_ins
        DELETE FROM portal.used_sign_in WHERE used_at <= $1",
        used_before,
    )
    .execute(conn)
    .await?;
    Ok(())
}
