//! Time comes in as a parameter: rules never ask for it.

use chrono::{DateTime, Utc};

/// Where "now" comes from. The one real implementation lives in the program; tests use [`FixedClock`].
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> DateTime<Utc>;
}

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
pub struct FixedClock(pub DateTime<Utc>);

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.0
    }
}
