//! Limits of reading Ed-Fi deliveries.

use serde::{Deserialize, Serialize};

/// What a reader of outside XML allows. Beyond a limit the file is refused with a finding that names the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Elements inside one another. Ed-Fi 1.0 needs twelve.
    pub depth_max: usize,
    /// Bytes of one tag, text, comment or instruction.
    pub markup_bytes_max: u64,
    /// Attributes of one element.
    pub attributes_max: usize,
    /// Bytes of one record that the exchange keeps.
    pub record_bytes_max: usize,
    /// Elements of one record that the exchange keeps.
    pub record_elements_max: usize,
    /// Bytes of one file, unpacked.
    pub file_bytes_max: u64,
    /// Bytes of one control file.
    pub control_bytes_max: u64,
    /// Bytes of what is remembered for references: organizations, courses, parents, incidents.
    pub index_bytes_max: usize,
    /// Bytes of records that wait for a record further down in their file.
    pub waiting_bytes_max: usize,
    /// Facts remembered to notice that a file says the same twice; what lies further apart is not noticed.
    pub repeats_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            depth_max: 32,
            markup_bytes_max: 256 << 10,
            attributes_max: 64,
            record_bytes_max: 1 << 20,
            record_elements_max: 10_000,
            file_bytes_max: 64 << 30,
            control_bytes_max: 1 << 20,
            index_bytes_max: 512 << 20,
            waiting_bytes_max: 64 << 20,
            repeats_max: 200_000,
        }
    }
}
