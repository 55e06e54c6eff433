//! Of whom anything has come.

use chrono::{DateTime, NaiveDate, Utc};
use model::BatchId;
use sqlx::PgConnection;

use crate::{BatchInfo, Error, recording::Reported};

/// Enters of which districts and facilities a batch has brought anything.
pub(crate) async fn insert_reported(
    conn: &mut PgConnection,
    batch: &BatchInfo,
    reported: &[Reported],
) -> Result<(), Error> {
    if reported.is_empty() {
        return Ok(());
    }
    let codes = |of: fn(&Reported) -> Option<&String>| reported.iter().map(|one| of(one).cloned()).collect::<Vec<_>>();
    let domains: Vec<i16> = reported.iter().map(|one| one.domain.code()).collect();
    let years: Vec<i16> = reported.iter().map(|one| one.school_year.0).collect();
    let days: Vec<Option<NaiveDate>> = reported.iter().map(|one| one.told_on).collect();
    sqlx::query!(
        "-- history.insert_reported
        INSERT INTO history.reported (batch_id, sea, domain, school_year, lea, facility, nexus, reported_on, recorded_on, recorded_at)
        SELECT $1, $2, u.domain, u.school_year, u.lea, u.facility, u.nexus, u.reported_on, $3, $4
        FROM UNNEST($5::smallint[], $6::smallint[], $7::text[], $8::text[], $9::text[], $10::date[])
            AS u (domain, school_year, lea, facility, nexus, reported_on)",
        batch.batch.0,
        batch.sea.as_str(),
        batch.recorded_at.date_naive(),
        batch.recorded_at,
        &domains,
        &years,
        &codes(|one| one.lea.as_ref()) as &[Option<String>],
        &codes(|one| one.facility.as_ref()) as &[Option<String>],
        &codes(|one| one.nexus.as_ref()) as &[Option<String>],
        &days as &[Option<NaiveDate>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Enters that all that a batch has brought has come again, once a day.
pub(crate) async fn report_again(conn: &mut PgConnection, batch: BatchId, at: DateTime<Utc>) -> Result<(), Error> {
    sqlx::query!(
        "-- history.report_again
        INSERT INTO history.reported (batch_id, sea, domain, school_year, lea, facility, nexus, reported_on, recorded_on, recorded_at)
        SELECT DISTINCT r.batch_id, r.sea, r.domain, r.school_year, r.lea, r.facility, r.nexus, r.reported_on, $2::date, $3::timestamptz
        FROM history.reported AS r WHERE r.batch_id = $1
        ON CONFLICT (batch_id, domain, school_year, lea, facility, nexus, reported_on, recorded_on) DO NOTHING",
        batch.0,
        at.date_naive(),
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
