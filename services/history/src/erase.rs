//! Erasing: facts go for good, and a tombstone refuses them when they come again.
//!
//! The caller has set `throughline.erasure` to an erasure that is on record; without it the database lets no fact go.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::{Domain, NaturalKey, SourcePersonId};
use sqlx::PgConnection;

use crate::{Error, store::erase as store};

/// What a tombstone refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buried {
    /// One fact of a person.
    Fact,
    /// Whatever is said of a person whose state id has so many bytes.
    Person(usize),
    /// What an agency's roster says of a client.
    Client,
}

/// A tombstone: a keyed hash, and what it refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The keyed hash.
    pub hash: [u8; 32],
    /// What of.
    pub buried: Buried,
}

/// Sets tombstones; those that stand already stay.
pub async fn bury(
    conn: &mut PgConnection,
    tombstones: &[Tombstone],
    order_number: &str,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    Ok(store::insert_tombstones(conn, tombstones, order_number, at).await?)
}

/// All tombstones of persons, with the lengths of their state ids. Erasures are few, so that a load holds them all.
pub async fn list_buried_persons(conn: &mut PgConnection) -> Result<(BTreeSet<[u8; 32]>, BTreeSet<usize>), Error> {
    let mut hashes = BTreeSet::new();
    let mut lengths = BTreeSet::new();
    for (hash, length) in store::list_persons(conn).await? {
        hashes.insert(hash.try_into().map_err(|_| Error::Corrupt("a tombstone has not 32 bytes".to_owned()))?);
        lengths.insert(usize::from(length.unsigned_abs()));
    }
    Ok((hashes, lengths))
}

/// Those of the hashes that are tombstones.
pub async fn list_buried(conn: &mut PgConnection, hashes: &[[u8; 32]]) -> Result<BTreeSet<[u8; 32]>, Error> {
    let wanted: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_vec()).collect();
    let found = store::list_hashes(conn, &wanted).await?;
    Ok(found.into_iter().filter_map(|hash| hash.try_into().ok()).collect())
}

/// Everything known of persons goes: facts, restrictions, what marks them for nightly runs. Says how many facts went.
pub async fn erase_persons(conn: &mut PgConnection, persons: &[SourcePersonId]) -> Result<u64, Error> {
    Ok(store::delete_persons(conn, persons).await?)
}

/// Every version of one fact goes. Says how many there were.
pub async fn erase_fact(
    conn: &mut PgConnection,
    person: SourcePersonId,
    domain: Domain,
    key: NaturalKey,
) -> Result<u64, Error> {
    Ok(store::delete_fact(conn, person, domain, key).await?)
}

/// How many facts of persons there are, superseded ones included, by domain.
pub async fn count_facts(conn: &mut PgConnection, persons: &[SourcePersonId]) -> Result<Vec<(Domain, u64)>, Error> {
    let counts = store::count_by_domain(conn, persons).await?;
    counts
        .into_iter()
        .map(|(code, count)| {
            let domain = Domain::from_code(code).ok_or_else(|| Error::Corrupt("an unknown domain".to_owned()))?;
            Ok((domain, count.unsigned_abs()))
        })
        .collect()
}

/// A fact as a steward finds the one that is to go: no payload.
#[derive(Clone, Debug)]
pub struct Found {
    /// Whose.
    pub person: SourcePersonId,
    /// What it is about.
    pub key: NaturalKey,
    /// Its kind within the domain.
    pub kind: String,
    /// The first day it is about.
    pub valid_from: Option<chrono::NaiveDate>,
    /// The file of its latest version.
    pub file_name: String,
    /// Its line there.
    pub line: i32,
    /// The source says expunged.
    pub is_expunged: bool,
    /// How many versions there are.
    pub versions: i64,
}

/// The facts of persons in a domain, the latest version of each.
pub async fn list_facts(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
    domain: Domain,
) -> Result<Vec<Found>, Error> {
    Ok(store::list_facts(conn, persons, domain).await?)
}

/// Whether a hold of the law is in force on any of the persons' domains.
pub async fn is_held(conn: &mut PgConnection, persons: &[SourcePersonId], at: DateTime<Utc>) -> Result<bool, Error> {
    Ok(store::is_held(conn, persons, at).await?)
}

/// Where the versions of one fact came from: batches and lines.
pub async fn list_places(
    conn: &mut PgConnection,
    person: SourcePersonId,
    domain: Domain,
    key: NaturalKey,
) -> Result<Vec<(model::BatchId, u32)>, Error> {
    let places = store::list_places(conn, person, domain, key).await?;
    Ok(places.into_iter().map(|(batch, line)| (model::BatchId(batch), line.unsigned_abs())).collect())
}
