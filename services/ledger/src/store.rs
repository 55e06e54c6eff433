//! All SQL of the ledger; no rules.

pub(crate) mod audit;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod request;
pub(crate) mod sequence;
pub(crate) mod shown;

use crate::{error::Error, tree::Hash};

/// A position or count of the database as ours.
pub(crate) fn count(stored: i64) -> Result<u64, Error> {
    u64::try_from(stored).map_err(|_| Error::Corrupt("a position or count is negative"))
}

/// A position or count of ours as the database's.
pub(crate) fn bigint(count: u64) -> Result<i64, Error> {
    i64::try_from(count).map_err(|_| Error::Invalid("a position or count is below 2^63"))
}

pub(crate) fn hash(bytes: &[u8]) -> Result<Hash, Error> {
    Hash::try_from(bytes).map_err(|_| Error::Corrupt("a stored hash has the wrong length"))
}
