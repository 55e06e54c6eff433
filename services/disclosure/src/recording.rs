//! What recording costs a process: for whoever measures how much of its rate a stream keeps beside the ledger.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

static NANOSECONDS: AtomicU64 = AtomicU64::new(0);

/// Adds what ended now: a chunk's entries were written and committed.
pub(crate) fn add(from: Instant) {
    let spent = u64::try_from(from.elapsed().as_nanos()).unwrap_or(u64::MAX);
    NANOSECONDS.fetch_add(spent, Ordering::Relaxed);
}

/// The time by the clock that chunks of streams and files have spent in this process on their ledger entries: from the first word about them to the
/// database until the transaction was committed. The commit counts whole, though it also keeps what the chunk notes beside its entries.
pub fn recording_time() -> Duration {
    Duration::from_nanos(NANOSECONDS.load(Ordering::Relaxed))
}
