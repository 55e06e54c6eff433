//! The fact store: what states reported, under one key, for ever; a correction supersedes and edits nothing.
//!
//! This crate knows no names, no agreements and no files: a fact comes in with its source person and batch, and is read
//! by `disclosure` through the view `history.disclosable`, never here. Folding facts into rows is the domains' work.
//!
//! Start with [`Recording::record`]; its rules, without a database, are in [`supersede`].

mod encoded;
pub mod erase;
mod error;
pub mod pack;
mod recording;
mod store;
pub mod supersede;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
pub use encoded::Encoded;
pub use error::Error;
use model::{BatchId, Domain, Fact, Sea, SourcePersonId};
pub use recording::Recording;
use sqlx::PgConnection;
pub use supersede::Outcome;

/// What the store must know of a batch before its facts.
#[derive(Clone, Debug)]
pub struct BatchInfo {
    /// Its id: later batches of the same SEA have greater ones.
    pub batch: BatchId,
    /// Who sent it.
    pub sea: Sea,
    /// The file's name, as received.
    pub file_name: String,
    /// The layout it was read with.
    pub layout: String,
    /// When it is recorded.
    pub recorded_at: DateTime<Utc>,
}

/// Enters a batch, once, before its first facts.
pub async fn open_batch(conn: &mut PgConnection, info: &BatchInfo) -> Result<Recording, Error> {
    store::insert_batch(conn, info).await?;
    Ok(Recording::new(info))
}

/// The bytes of a batch have come again and are not read again: whoever reported with them has reported again.
pub async fn report_again(conn: &mut PgConnection, batch: BatchId, at: DateTime<Utc>) -> Result<(), Error> {
    store::report_again(conn, batch, at).await
}

/// The places of those facts of which some version was ever recorded, current or not.
pub async fn list_stated(conn: &mut PgConnection, facts: &[(SourcePersonId, &Fact)]) -> Result<Vec<usize>, Error> {
    let domains: BTreeSet<Domain> = facts.iter().map(|(_, fact)| fact.domain).collect();
    let mut stated = Vec::new();
    for domain in domains {
        let (places, of_domain): (Vec<usize>, Vec<(SourcePersonId, &Fact)>) =
            facts.iter().copied().enumerate().filter(|(_, (_, fact))| fact.domain == domain).unzip();
        let found = store::list_stated(conn, domain, &of_domain).await?;
        stated.extend(found.into_iter().filter_map(|place| places.get(place).copied()));
    }
    Ok(stated)
}

/// The secret that turns an erased fact's person and key into a tombstone, so that tombstones tell nothing by themselves.
#[derive(Clone)]
pub struct TombstoneKey([u8; 32]);

impl TombstoneKey {
    /// A key from 32 secret bytes.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The keyed hash of a person's fact key.
    pub fn hash(&self, person: SourcePersonId, domain: Domain, key: model::NaturalKey) -> [u8; 32] {
        self.keyed(&[&person.0.to_be_bytes(), &domain.code().to_be_bytes(), &key.0])
    }

    /// The keyed hash of a state's identifier of a person.
    pub fn hash_person(&self, sea: &Sea, state_id: &[u8]) -> [u8; 32] {
        self.keyed(&[b"person\0", sea.as_str().as_bytes(), b"\0", state_id])
    }

    /// The keyed hash of an agency's own id of a client.
    pub fn hash_client(&self, consumer: &model::ConsumerId, person_key: &str) -> [u8; 32] {
        self.keyed(&[b"client\0", consumer.as_str().as_bytes(), b"\0", person_key.as_bytes()])
    }

    /// HMAC-SHA-256 (RFC 2104) with a 32-byte key: inner and outer pad over the 64-byte block.
    fn keyed(&self, parts: &[&[u8]]) -> [u8; 32] {
        use sha2::{Digest, Sha256};
        let pad = |byte: u8| {
            let mut block = [byte; 64];
            for (to, from) in block.iter_mut().zip(self.0) {
                *to ^= from;
            }
            block
        };
        let inner = parts.iter().fold(Sha256::new().chain_update(pad(0x36)), Digest::chain_update);
        Sha256::new().chain_update(pad(0x5c)).chain_update(inner.finalize()).finalize().into()
    }
}

impl std::fmt::Debug for TombstoneKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TombstoneKey(***)")
    }
}

/// Puts a domain of a person under a restriction from a moment on: nothing of it is disclosed outside the SEA while it is in force. The same
/// order again changes nothing. Says whether it is new.
pub async fn restrict(
    conn: &mut PgConnection,
    (person, domain): (SourcePersonId, Domain),
    order: (&str, &str, &str),
    from: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<bool, Error> {
    Ok(store::insert_restriction(conn, (person, domain, None), order, from, at).await? > 0)
}

/// A restriction of a domain, or of one fact of it, as it was entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restriction {
    /// Whose.
    pub person: SourcePersonId,
    /// The domain, by its code.
    pub domain: i16,
    /// The fact; none: the whole domain.
    pub natural_key: Option<uuid::Uuid>,
    /// What kind of order.
    pub kind: String,
    /// From when on it holds.
    pub from: DateTime<Utc>,
    /// The number of the order.
    pub order_number: String,
    /// Who entered it.
    pub decided_by: String,
    /// When.
    pub recorded_at: DateTime<Utc>,
}

/// The restrictions without an end that were entered since.
pub async fn list_restrictions(conn: &mut PgConnection, since: DateTime<Utc>) -> Result<Vec<Restriction>, Error> {
    Ok(store::list_restrictions(conn, since).await?)
}

/// Enters a restriction again of a domain, or of one fact of it, that this database may not know. Says whether it is new.
pub async fn restrict_again(
    conn: &mut PgConnection,
    whose: (SourcePersonId, Domain, Option<model::NaturalKey>),
    order: (&str, &str, &str),
    from: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<bool, Error> {
    Ok(store::insert_restriction(conn, whose, order, from, at).await? > 0)
}

/// Source persons have become one student: a restriction in force on one of them holds for all from now on. Says how many were entered.
pub async fn carry_restrictions(
    conn: &mut PgConnection,
    together: &[SourcePersonId],
    at: DateTime<Utc>,
) -> Result<u64, Error> {
    Ok(store::carry_restrictions(conn, together, at).await?)
}
