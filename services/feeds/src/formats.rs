//! Delivery formats: each a folder or file of its own, found by name.

pub mod csv;
pub mod ndjson;

use std::path::Path;

use disclosure::DisclosedHistory;

use crate::{Error, FileEntry, Remark};

/// A format that writes histories into a folder. Files carry a temporary name until [`Format::finish`].
pub trait Format: Send {
    /// Writes one history.
    fn write(&mut self, history: &DisclosedHistory) -> Result<(), Error>;
    /// What is to be said about the rows written so far.
    fn remarks(&self) -> Vec<Remark> {
        Vec::new()
    }
    /// Completes the files, gives them their names and says what they are.
    fn finish(self: Box<Self>) -> Result<Vec<FileEntry>, Error>;
}

/// The names of all formats.
pub const NAMES: &[&str] = &["ndjson", "csv"];

/// Begins a format by name in a folder.
pub fn begin(name: &str, folder: &Path) -> Result<Box<dyn Format>, Error> {
    match name {
        "ndjson" => Ok(Box::new(ndjson::Ndjson::begin(folder)?)),
        "csv" => Ok(Box::new(csv::Csv::begin(folder)?)),
        other => Err(Error::UnknownFormat(other.to_owned())),
    }
}
