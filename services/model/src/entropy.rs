//! Chance comes in as a parameter, so that a run can be repeated.

use std::sync::{Mutex, PoisonError};

use rand::{RngCore, SeedableRng, rngs::StdRng};
use uuid::Uuid;

use crate::DisclosureId;

/// A source of random bytes: the operating system's in the program, a seeded one in tests and in `generate`.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// Random bytes from a seed. Not for keys.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<StdRng>);

impl SeededEntropy {
    /// A source that always gives the same bytes for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes);
    }
}

/// Draws the random id of a disclosure: it names nothing and nobody, and is printed as the verification code.
pub fn disclosure_id(entropy: &dyn Entropy) -> DisclosureId {
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes);
    DisclosureId(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

impl dyn Entropy + '_ {
    /// A random UUID (version 4).
    pub fn uuid(&self) -> Uuid {
        disclosure_id(self).0
    }
}
