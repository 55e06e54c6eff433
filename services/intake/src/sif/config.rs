//! Limits of reading SIF deliveries.

use serde::{Deserialize, Serialize};

/// What a delivery of SIF may ask of its reader. Beyond a limit its files are refused with a finding that names the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Bytes of what is remembered for references: what the RefIds of students, record exchanges, schools, districts and attendance codes stand for.
    pub index_bytes_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { index_bytes_max: 512 << 20 }
    }
}
