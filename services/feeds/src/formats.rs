//! Delivery formats: each a folder or file of its own, found by name.

pub mod cmis;
pub mod csv;
pub mod ndjson;
pub mod parquet;
pub mod table;
pub mod term;
pub mod xlsx;

use std::path::Path;

use disclosure::{DisclosedHistory, Scope};

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
pub const NAMES: &[&str] = &["ndjson", "csv", "xlsx", "parquet", "cmis", "term"];

/// Those that a night is delivered in where the consumer's document names none.
pub const NIGHTLY: &[&str] = &["ndjson", "csv"];

/// Begins a format by name in a folder.
pub fn begin(name: &str, folder: &Path, scope: &Scope) -> Result<Box<dyn Format>, Error> {
    match name {
        "ndjson" => Ok(Box::new(ndjson::Ndjson::begin(folder)?)),
        "csv" => Ok(Box::new(csv::Csv::begin(folder, scope)?)),
        "xlsx" => Ok(Box::new(xlsx::Xlsx::begin(folder, scope)?)),
        "parquet" => Ok(Box::new(parquet::Parquet::begin(folder, scope)?)),
        "cmis" => Ok(Box::new(cmis::Cmis::begin(folder, scope)?)),
        "term" => Ok(Box::new(term::Term::begin(folder, scope)?)),
        other => Err(Error::UnknownFormat(other.to_owned())),
    }
}

/// The columns of our tables that name a client by the recipient's own id: ours, and the case system's.
pub const PERSON_COLUMNS: [&str; 2] = [table::PERSON_ID, cmis::CLIENT_PIN];

/// How a table can write the recipient's own id of a client: as it is, and as no spreadsheet takes it for a formula.
pub fn written(person: &str) -> [String; 2] {
    [person.to_owned(), csv::harmless(person)]
}

/// Whether a workbook, a Parquet file or a bundle of ours has a row of one of these clients or disclosures.
pub fn mentions(path: &Path, ids: &[String]) -> Result<bool, Error> {
    if path.extension().is_some_and(|extension| extension == "xlsx" || extension == "zip") {
        xlsx::mentions(path, ids)
    } else {
        parquet::mentions(path, ids)
    }
}
