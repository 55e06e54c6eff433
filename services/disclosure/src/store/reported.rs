//! What has come of which districts.

use chrono::NaiveDate;
use reference::collections::{Come, Due};
use sqlx::PgConnection;

use crate::Error;

/// For each collection in its order what has come of it as of the transaction's moment: of which of these districts, of any, and of any a year earlier.
pub(crate) async fn list_come(conn: &mut PgConnection, due: &[Due], districts: &[String]) -> Result<Vec<Come>, Error> {
    let instances = || due.iter().map(|due| due.instance);
    let seas: Vec<String> = instances().map(|one| one.collection.sea.clone()).collect();
    let domains: Vec<i16> = due.iter().map(|due| due.domain.code()).collect();
    let years: Vec<i16> = instances().map(|one| one.school_year.0).collect();
    let first = |one: reference::collections::Instance| one.snapshot_days().map(|(from, _)| from);
    let last = |one: reference::collections::Instance| one.snapshot_days().map(|(_, to)| to);
    let from: Vec<Option<NaiveDate>> = instances().map(first).collect();
    let to: Vec<Option<NaiveDate>> = instances().map(last).collect();
    let from_before: Vec<Option<NaiveDate>> = instances().map(|one| first(one.previous())).collect();
    let to_before: Vec<Option<NaiveDate>> = instances().map(|one| last(one.previous())).collect();
    let opens: Vec<Option<NaiveDate>> = instances().map(reference::collections::Instance::opens_on).collect();
    let rows = sqlx::query!(
        r#"-- disclosure.list_come
        SELECT ARRAY(
                SELECT d.lea FROM UNNEST($9::text[]) AS d (lea)
                WHERE EXISTS (
                    SELECT FROM history.reported AS r
                    WHERE r.sea = w.sea AND r.domain = w.domain AND r.school_year = w.school_year AND r.lea = d.lea
                        AND (w.from_on IS NULL OR r.reported_on BETWEEN w.from_on AND w.to_on)
                        AND (w.opens_on IS NULL OR w.from_on IS NOT NULL OR r.recorded_on >= w.opens_on)
                        AND r.recorded_at <= nullif(current_setting('throughline.as_of', true), '')::timestamptz
                )
            ) AS "districts!",
            EXISTS (
                SELECT FROM history.reported AS r
                WHERE r.sea = w.sea AND r.domain = w.domain AND r.school_year = w.school_year
                    AND (w.from_on IS NULL OR r.reported_on BETWEEN w.from_on AND w.to_on)
                    AND (w.opens_on IS NULL OR w.from_on IS NOT NULL OR r.recorded_on >= w.opens_on)
                    AND r.recorded_at <= nullif(current_setting('throughline.as_of', true), '')::timestamptz
            ) AS "is_begun!",
            EXISTS (
                SELECT FROM history.reported AS r
                WHERE r.sea = w.sea AND r.domain = w.domain AND r.school_year = w.school_year - 1
                    AND (w.from_before IS NULL OR r.reported_on BETWEEN w.from_before AND w.to_before)
                    AND r.recorded_at <= nullif(current_setting('throughline.as_of', true), '')::timestamptz
            ) AS "is_usual!"
        FROM UNNEST($1::text[], $2::smallint[], $3::smallint[], $4::date[], $5::date[], $6::date[], $7::date[], $8::date[])
            WITH ORDINALITY AS w (sea, domain, school_year, from_on, to_on, from_before, to_before, opens_on, place)
        ORDER BY w.place"#,
        &seas,
        &domains,
        &years,
        &from as &[Option<NaiveDate>],
        &to as &[Option<NaiveDate>],
        &from_before as &[Option<NaiveDate>],
        &to_before as &[Option<NaiveDate>],
        &opens as &[Option<NaiveDate>],
        districts,
    )
    .fetch_all(conn)
    .await?;
    let come = |row: Vec<String>, is_begun, is_usual| Come { districts: row.into_iter().collect(), is_begun, is_usual };
    Ok(rows.into_iter().map(|row| come(row.districts, row.is_begun, row.is_usual)).collect())
}
