//! All SQL of reference data.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, NaiveDate, Utc};
use domains::{Organization, Organizations};
use model::{Period, Sea};
use sqlx::PgConnection;

use crate::{Error, OrganizationName, other_agency};

/// The first day of a name whose beginning is not known.
const BEGINNING: NaiveDate = NaiveDate::MIN;

/// Records names of organizations: one that says what is known is left, one that says something else about the same first day supersedes.
/// Says how many rows are new.
pub async fn record_organizations(
    conn: &mut PgConnection,
    sea: &Sea,
    names: &[OrganizationName],
    recorded_at: DateTime<Utc>,
) -> Result<u64, Error> {
    // Of several names with the same code and first day the last one given stands.
    let mut last = std::collections::BTreeMap::new();
    for name in names {
        last.insert((name.code.as_str(), first_day(name)), name);
    }
    let codes: Vec<String> = last.values().map(|n| n.code.clone()).collect();
    let from: Vec<NaiveDate> = last.values().map(|n| first_day(n)).collect();
    let text: Vec<String> = last.values().map(|n| n.name.clone()).collect();
    let kinds: Vec<String> = last.values().map(|n| n.organization_type.clone()).collect();
    let parents: Vec<Option<String>> = last.values().map(|n| n.parent_code.clone()).collect();
    let towns: Vec<Option<String>> = last.values().map(|n| n.town.clone()).collect();
    let agencies: Vec<Option<String>> =
        last.values().map(|n| other_agency(sea.as_str(), &n.code).map(str::to_owned)).collect();
    let statuses: Vec<String> =
        last.values().map(|n| if n.verified { "verified" } else { "provisional" }.to_owned()).collect();
    let result = sqlx::query!(
        "-- reference.record_organizations
        WITH given AS (
            SELECT u.code, u.valid_from, u.name, u.organization_type, u.parent_code, u.town, u.agency, u.status
            FROM UNNEST($3::text[], $4::date[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
                AS u (code, valid_from, name, organization_type, parent_code, town, agency, status)
        ), changed AS (
            SELECT g.code, g.valid_from, g.name, g.organization_type, g.parent_code, g.town, g.agency, g.status
            FROM given AS g
            LEFT JOIN reference.organization AS o
                ON o.sea = $1 AND o.code = g.code AND o.valid_from = g.valid_from AND o.superseded_at IS NULL
            WHERE o.code IS NULL
                OR (o.name, o.organization_type, o.status) <> (g.name, g.organization_type, g.status)
                OR o.parent_code IS DISTINCT FROM g.parent_code OR o.town IS DISTINCT FROM g.town
        ), superseded AS (
            UPDATE reference.organization AS o SET superseded_at = $2
            FROM changed AS c
            WHERE o.sea = $1 AND o.code = c.code AND o.valid_from = c.valid_from AND o.superseded_at IS NULL
        )
        INSERT INTO reference.organization (sea, code, valid_from, recorded_at, name, organization_type, parent_code, town, agency, status)
        SELECT $1, c.code, c.valid_from, $2, c.name, c.organization_type, c.parent_code, c.town, c.agency, c.status
        FROM changed AS c",
        sea.as_str(),
        recorded_at,
        &codes,
        &from,
        &text,
        &kinds,
        &parents as &[Option<String>],
        &towns as &[Option<String>],
        &agencies as &[Option<String>],
        &statuses,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

fn first_day(name: &OrganizationName) -> NaiveDate {
    // PostgreSQL's dates begin later than chrono's: the year 1 stands for "always".
    name.valid_from.unwrap_or(BEGINNING).max(NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or(BEGINNING))
}

/// The organizations as they were read last. They change with a load, not with a disclosure: each is held against what the database has
/// before it is used again.
#[derive(Debug, Default)]
pub struct OrganizationCache {
    read: Mutex<Option<(Version, Arc<Organizations>)>>,
}

/// When rows changed last, and how many there are: no change leaves both as they were, for none takes a row away.
type Version = (Option<DateTime<Utc>>, i64);

impl OrganizationCache {
    /// All organizations of all states as known at `as_of`, ready for folding.
    pub async fn load(&self, conn: &mut PgConnection, as_of: DateTime<Utc>) -> Result<Arc<Organizations>, Error> {
        let version = last_change(conn).await?;
        if version.0.is_some_and(|changed_at| as_of < changed_at) {
            return Ok(Arc::new(load_organizations(conn, as_of).await?));
        }
        if let Some((_, organizations)) = self.lock().as_ref().filter(|(read, _)| *read == version) {
            return Ok(Arc::clone(organizations));
        }
        let organizations = Arc::new(load_organizations(conn, as_of).await?);
        *self.lock() = Some((version, Arc::clone(&organizations)));
        Ok(organizations)
    }

    /// What changes whenever an organization does, for whoever wants to know whether to look again.
    pub async fn version(&self, conn: &mut PgConnection) -> Result<String, Error> {
        let (changed_at, count) = last_change(conn).await?;
        Ok(format!("{changed_at:?} {count}"))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Version, Arc<Organizations>)>> {
        // What a panicking thread left behind is whole: a value is put in place at once.
        self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

async fn last_change(conn: &mut PgConnection) -> Result<Version, Error> {
    let row = sqlx::query!(
        r#"-- reference.last_change
        SELECT max(GREATEST(o.recorded_at, o.superseded_at)) AS changed_at, count(*) AS "count!" FROM reference.organization AS o"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.changed_at, row.count))
}

/// All organizations of all states as known at `as_of`, ready for folding.
pub async fn load_organizations(conn: &mut PgConnection, as_of: DateTime<Utc>) -> Result<Organizations, Error> {
    let rows = sqlx::query!(
        "-- reference.load_organizations
        SELECT o.sea, o.code, o.valid_from, o.valid_to, o.name, o.town, o.parent_code, o.agency
        FROM reference.organization AS o
        WHERE o.recorded_at <= $1 AND (o.superseded_at IS NULL OR o.superseded_at > $1)
        ORDER BY o.sea, o.code, o.valid_from",
        as_of,
    )
    .fetch_all(conn)
    .await?;
    let mut organizations = Organizations::with_rule(|sea, code| other_agency(sea, code).is_some());
    for row in rows {
        let valid = Period::new(Some(row.valid_from), row.valid_to).unwrap_or(Period::ALWAYS);
        let organization = Organization {
            valid,
            name: row.name,
            town: row.town,
            parent: row.parent_code,
            other_agency: row.agency.is_some(),
        };
        organizations.insert(&row.sea, &row.code, organization);
    }
    Ok(organizations)
}
