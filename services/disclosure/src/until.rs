//! An authority that ends while something is being disclosed on it: from that instant on nothing is recorded, and nothing leaves.
//!
//! A decision is made at a moment, and its entry commits a little later: after a document was rendered, after a chunk was written. What ends because somebody
//! ends it waits for the locks that a disclosure holds; what ends because its time has come waits for nobody, and is looked at here.

use agreements::Grant;
use chrono::{DateTime, Utc};
use model::Clock;

use crate::Error;

/// How often an answer is decided on anew: each time another authority must have ended meanwhile.
pub(crate) const ATTEMPTS_MAX: u32 = 16;

/// The instant at which the first of the grants behind an answer ends, if one does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Until(Option<DateTime<Utc>>);

impl Until {
    /// The same for an answer that rests on another grant as well.
    pub(crate) fn and(self, grant: &Grant) -> Self {
        Self([self.0, grant.until()].into_iter().flatten().min())
    }

    /// Fails from the instant on.
    pub(crate) fn holds(self, clock: &dyn Clock) -> Result<(), Error> {
        if self.0.is_some_and(|end| end <= clock.now()) { Err(Error::Ended) } else { Ok(()) }
    }
}
