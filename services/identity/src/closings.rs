//! Where authorities end, for whoever keeps that outside the database, and taking such ends back in after the database was set back.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::{ConsumerId, Masked};
use sqlx::PgConnection;

use crate::{
    population::rebuild,
    store::{closings as store, rosters::lock_consumer},
};

/// Why an authority ended that was cut to what is kept outside the database.
pub(crate) const CUT: &str = "ended, by the control journal";

/// A current authority over a client, and the roster that it rests on.
#[derive(Clone, Debug)]
pub struct Case {
    /// Our number for it.
    pub authority: i64,
    /// The agency.
    pub consumer: ConsumerId,
    /// The client, by the agency's own id.
    pub person_key: Masked<String>,
    /// The agency's own id of the episode or case.
    pub source_key: Masked<String>,
    /// The roster.
    pub roster: i64,
    /// The first instant without authority; `None`: no end is known.
    pub ends_at: Option<DateTime<Utc>>,
}

/// The current authorities that rest on rosters behind the one named for their agency, in the order of rosters; all of an agency that is not named.
pub async fn list_cases(conn: &mut PgConnection, behind: &[(String, i64)]) -> Result<Vec<Case>, sqlx::Error> {
    let rows = store::list_cases(conn, behind).await?;
    let read = rows.into_iter().filter_map(|row| {
        Some(Case {
            authority: row.authority,
            consumer: row.consumer.parse().ok()?,
            person_key: Masked::new(row.person_key),
            source_key: Masked::new(row.source_key),
            roster: row.roster,
            ends_at: row.ends_at,
        })
    });
    Ok(read.collect())
}

/// Cuts authorities to the instants given and rebuilds the population of their agencies. An authority that ends before stays as it is.
/// Says how many were cut.
pub async fn cut(
    conn: &mut PgConnection,
    ends: &[(Case, DateTime<Utc>)],
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let consumers: BTreeSet<&ConsumerId> = ends.iter().map(|(case, _)| &case.consumer).collect();
    for consumer in &consumers {
        lock_consumer(conn, consumer).await?;
    }
    let ids: Vec<i64> = ends.iter().map(|(case, _)| case.authority).collect();
    let instants: Vec<DateTime<Utc>> = ends.iter().map(|(_, ends_at)| *ends_at).collect();
    let cut = store::cut(conn, &ids, &instants, CUT, at).await?;
    for consumer in consumers {
        rebuild(conn, consumer).await?;
    }
    Ok(cut)
}

/// When the last roster of an agency was taken.
pub async fn last_received(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    store::last_received(conn, consumer).await
}
