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
    /// Something could not be encrypted or opened: a key that is none, or a file that is not what was encrypted.
    #[error("it cannot be encrypted or opened")]
    Encrypt(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What was written does not read back as it was meant.
    #[error("{} does not read back as it was written", path.display())]
    NotWhole {
        /// Which.
        path: PathBuf,
    },
    /// A file could not be taken to its target, however often it was tried.
    #[error("{file} could not be delivered in {attempts} attempts")]
    Target {
        /// Its name at the target.
        file: String,
        /// How often it was tried.
        attempts: u32,
        /// Why the last attempt failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Authority over somebody in it has ended: it must not leave.
    #[error("authority over a client has ended meanwhile: what was made for the night does not leave")]
    Withheld,
    /// There is no such format.
    #[error("there is no format {0:?}; there are: {names}", names = crate::formats::NAMES.join(", "))]
    UnknownFormat(String),
}
