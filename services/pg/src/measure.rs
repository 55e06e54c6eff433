//! What is measured of the database: how long transactions take, how often they are run again, and how busy the pool is.
//!
//! Names are those of transactions in the code; nothing that was asked or found is in them.

use std::{sync::LazyLock, time::Duration};

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Histogram},
};

use crate::Pool;

/// The scope of what this crate measures.
const SCOPE: &str = "throughline.pg";
/// Upper bounds of the classes of durations, in seconds: from a read in memory to bulk work.
const SECONDS: [f64; 14] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    global::meter(SCOPE)
        .f64_histogram("throughline.transaction.duration")
        .with_unit("s")
        .with_description("Time from the first attempt of a transaction to its commit, or until it is given up.")
        .with_boundaries(SECONDS.to_vec())
        .build()
});

static AGAIN: LazyLock<Counter<u64>> = LazyLock::new(|| {
    global::meter(SCOPE)
        .u64_counter("throughline.transaction.retries")
        .with_description("Attempts beyond the first, of transactions that lost against a concurrent one.")
        .build()
});

/// A transaction has ended.
pub(crate) fn transaction(name: &'static str, is_done: bool, elapsed: Duration, attempts: u32) {
    let outcome = if is_done { "committed" } else { "failed" };
    DURATION.record(elapsed.as_secs_f64(), &[KeyValue::new("tx_name", name), KeyValue::new("outcome", outcome)]);
    if attempts > 1 {
        AGAIN.add(u64::from(attempts - 1), &[KeyValue::new("tx_name", name)]);
    }
}

/// Has the pool's connections counted whenever measurements are read: those that work, and those that wait for work.
pub fn observe_pool(pool: &Pool) {
    let pool = pool.clone();
    let _observed = global::meter(SCOPE)
        .u64_observable_gauge("throughline.pool.connections")
        .with_description("Open connections to the database.")
        .with_callback(move |observer| {
            let (all, idle) = (u64::from(pool.size()), pool.num_idle() as u64);
            observer.observe(idle, &[KeyValue::new("state", "idle")]);
            observer.observe(all.saturating_sub(idle), &[KeyValue::new("state", "used")]);
        })
        .build();
}
