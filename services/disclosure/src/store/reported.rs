//! What has come of which districts.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use reference::collections::{Due, Instance, Report};
use sqlx::PgConnection;

use crate::Error;

/// What has come of a collection, as it was noted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted {
    /// Whether anything of it has come, of any district, or of a later one.
    pub(crate) is_begun: bool,
    /// Whether anything of it had come a year earlier.
    pub(crate) is_usual: bool,
    /// Reports of the districts asked about, and those that may be another agency's about their students, or about nobody knows whose.
    pub(crate) reports: Vec<Report>,
}

/// Which notes are of a collection.
struct Window {
    sea: String,
    domain: i16,
    /// The first and the last school year.
    years: (i16, i16),
    /// The days of the reports themselves, where the collection has any: the first, and the last if it is bounded.
    days: Option<(NaiveDate, Option<NaiveDate>)>,
    /// The first day on which they came, where it has no days.
    opens_on: Option<NaiveDate>,
}

impl Window {
    /// Of the collection, or of a later one.
    fn since(Due { domain, instance }: &Due) -> Self {
        Self {
            sea: instance.collection.sea.clone(),
            domain: domain.code(),
            years: (instance.school_year.0, i16::MAX),
            days: instance.snapshot_days().map(|(from, _)| (from, None)),
            opens_on: Instance::opens_on(*instance),
        }
    }

    /// Of the collection a year earlier.
    fn a_year_before(due: &Due) -> Self {
        let before = due.instance.previous();
        let year = before.school_year.0;
        let days = before.snapshot_days().map(|(from, to)| (from, Some(to)));
        Self { years: (year, year), days, opens_on: None, ..Self::since(due) }
    }
}

/// The same as the arrays that UNNEST takes.
struct Columns {
    seas: Vec<String>,
    domains: Vec<i16>,
    first_years: Vec<i16>,
    last_years: Vec<i16>,
    from: Vec<Option<NaiveDate>>,
    to: Vec<Option<NaiveDate>>,
    opens: Vec<Option<NaiveDate>>,
}

impl Columns {
    fn of(windows: impl Iterator<Item = Window>) -> Self {
        let windows: Vec<Window> = windows.collect();
        Self {
            seas: windows.iter().map(|one| one.sea.clone()).collect(),
            domains: windows.iter().map(|one| one.domain).collect(),
            first_years: windows.iter().map(|one| one.years.0).collect(),
            last_years: windows.iter().map(|one| one.years.1).collect(),
            from: windows.iter().map(|one| one.days.map(|(from, _)| from)).collect(),
            to: windows.iter().map(|one| one.days.and_then(|(_, to)| to)).collect(),
            opens: windows.iter().map(|one| one.opens_on).collect(),
        }
    }
}

/// For each collection in its order what has come of it as of the transaction's moment. `districts` are asked about; `revealing` says by state how the codes
/// begin of organizations that may be another agency's.
pub(crate) async fn list_noted(
    conn: &mut PgConnection,
    due: &[Due],
    districts: &[String],
    revealing: &BTreeSet<(String, String)>,
) -> Result<Vec<Noted>, Error> {
    let since = || due.iter().map(Window::since);
    let windows = Columns::of(since().chain(due.iter().map(Window::a_year_before)));
    let mut come = list_come(conn, &windows, districts).await?;
    let usual = come.split_off(due.len().min(come.len()));
    let own = |lea: String| Report { lea: Some(lea), ..Report::default() };
    let mut noted: Vec<Noted> = come
        .into_iter()
        .zip(usual)
        .map(|((districts, is_begun), (_, is_usual))| {
            let reports = districts.into_iter().map(own).collect();
            Noted { is_begun, is_usual, reports }
        })
        .collect();
    for (place, report) in list_revealing(conn, &Columns::of(since()), districts, revealing).await? {
        let slot = usize::try_from(place - 1).ok().and_then(|place| noted.get_mut(place));
        slot.ok_or_else(|| Error::Corrupt("an ordinality too great".to_owned()))?.reports.push(report);
    }
    Ok(noted)
}

/// For each window in its order of which of these districts anything has come by a report of their own, and whether of any. Districts are looked for
/// one by one, by key: of EXISTS the planner would make a list of all that have reported.
async fn list_come(
    conn: &mut PgConnection,
    windows: &Columns,
    districts: &[String],
) -> Result<Vec<(Vec<String>, bool)>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_come
        SELECT ARRAY(
                SELECT d.lea FROM UNNEST($8::text[]) AS d (lea)
                WHERE CASE WHEN w.from_on IS NOT NULL THEN (
                        SELECT true FROM history.reported AS r
                        WHERE r.sea = w.sea AND r.domain = w.domain AND r.lea = d.lea
                            AND r.reported_on BETWEEN w.from_on AND COALESCE(w.to_on, 'infinity')
                            AND r.recorded_at <= nullif(current_setting('throughline.as_of', true), '')::timestamptz
                        LIMIT 1
                    ) ELSE (
                        SELECT true FROM history.reported AS r
                        WHERE r.sea = w.sea AND r.domain = w.domain AND r.lea = d.lea AND r.school_year BETWEEN w.first_year AND w.last_year
                            AND r.recorded_on >= COALESCE(w.opens_on, '-infinity')
                            AND r.recorded_at <= nullif(current_setting('throughline.as_of', true), '')::timestamptz
                        LIMIT 1
                    ) END
            ) AS "districts!",
            CASE WHEN w.from_on IS NOT NULL THEN EXISTS (
                    SELECT FROM history.reported AS r
                    WHERE r.sea = w.sea AND r.domain = w.domain AND r.reported_on BETWEEN w.from_on AND COALESCE(w.to_on, 'infinity')
                        AND r.recorded_at <= nullif(current_setting('throughline.as_of', true), '')::timestamptz
                ) ELSE EXISTS (
                    SELECT FROM history.reported AS r
                    WHERE r.sea = w.sea AND r.domain = w.domain AND r.school_year BETWEEN w.first_year AND w.last_year
                        AND r.recorded_on >= COALESCE(w.opens_on, '-infinity')
                        AND r.recorded_at <= nullif(current_setting('throughline.as_of', true), '')::timestamptz
                ) END AS "of_any!"
        FROM UNNEST($1::text[], $2::smallint[], $3::smallint[], $4::smallint[], $5::date[], $6::date[], $7::date[])
            WITH ORDINALITY AS w (sea, domain, first_year, last_year, from_on, to_on, opens_on, place)
        ORDER BY w.place"#,
        &windows.seas,
        &windows.domains,
        &windows.first_years,
        &windows.last_years,
        &windows.from as &[Option<NaiveDate>],
        &windows.to as &[Option<NaiveDate>],
        &windows.opens as &[Option<NaiveDate>],
        districts,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.districts, row.of_any)).collect())
}

/// Reports whose district or facility has a revealing code, with the place of their window, from one: those about these districts' students, about
/// another such organization's, and about nobody knows whose.
async fn list_revealing(
    conn: &mut PgConnection,
    windows: &Columns,
    districts: &[String],
    revealing: &BTreeSet<(String, String)>,
) -> Result<Vec<(i64, Report)>, Error> {
    let (states, codes): (Vec<String>, Vec<String>) = revealing.iter().cloned().unzip();
    let rows = sqlx::query!(
        r#"-- disclosure.list_revealing
        SELECT DISTINCT w.place AS "place!", r.lea, r.facility, r.nexus
        FROM UNNEST($1::text[], $2::smallint[], $3::smallint[], $4::date[], $5::date[])
            WITH ORDINALITY AS w (sea, domain, first_year, from_on, opens_on, place)
        JOIN UNNEST($6::text[], $7::text[]) AS x (sea, code) ON x.sea = w.sea
        CROSS JOIN LATERAL (
            SELECT a.school_year, a.lea, a.facility, a.nexus, a.reported_on, a.recorded_on, a.recorded_at
            FROM history.reported AS a
            WHERE a.sea = w.sea AND a.domain = w.domain AND a.lea >= x.code AND a.lea < x.code || chr(1114111)
            UNION ALL
            SELECT b.school_year, b.lea, b.facility, b.nexus, b.reported_on, b.recorded_on, b.recorded_at
            FROM history.reported AS b
            WHERE b.sea = w.sea AND b.domain = w.domain AND b.facility >= x.code AND b.facility < x.code || chr(1114111)
        ) AS r
        WHERE CASE WHEN w.from_on IS NOT NULL THEN r.reported_on >= w.from_on
                ELSE r.school_year >= w.first_year AND r.recorded_on >= COALESCE(w.opens_on, '-infinity') END
            AND r.recorded_at <= nullif(current_setting('throughline.as_of', true), '')::timestamptz
            AND (r.nexus IS NULL OR r.nexus = ANY($8::text[])
                OR EXISTS (SELECT FROM UNNEST($6::text[], $7::text[]) AS y (sea, code) WHERE y.sea = w.sea AND starts_with(r.nexus, y.code)))"#,
        &windows.seas,
        &windows.domains,
        &windows.first_years,
        &windows.from as &[Option<NaiveDate>],
        &windows.opens as &[Option<NaiveDate>],
        &states,
        &codes,
        districts,
    )
    .fetch_all(conn)
    .await?;
    let report = |lea, facility, nexus| Report { lea, facility, nexus };
    Ok(rows.into_iter().map(|row| (row.place, report(row.lea, row.facility, row.nexus))).collect())
}
