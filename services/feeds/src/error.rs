//! Why a delivery could not be written.

use std::path::PathBuf;

/// Why files could not be written. What was written under a temporary name is left for the next attempt to replace.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be written.
    #[error("{} cannot be written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A row could not be put into the format.
    #[error("a row cannot be put into the format {format}")]
    Row {
        /// The format.
        format: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The manifest could not be made.
    #[error("the manifest cannot be written")]
    Manifest(#[source] serde_json::Error),
    /// There is no such format.
    #[error("there is no format {0:?}; there are: {names}", names = crate::formats::NAMES.join(", "))]
    UnknownFormat(String),
}
