//! The crate's error, by what the caller can do about it.

use std::{io, path::PathBuf};

/// Why no summary could be read or rendered. No variant holds a value of a record: places are field names, problems our own words.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is no `school-records-summary/1`: correct it.
    #[error("{place}: {problem}")]
    Invalid {
        /// The field, as a path such as `history.attendance[3].pct`, with line and column where they are known.
        place: String,
        /// What is wrong there.
        problem: String,
    },
    /// The summary lacks what this way of rendering needs.
    #[error("{0}")]
    Precondition(&'static str),
    /// A file or folder could not be read or written: try again, or elsewhere.
    #[error("{} could not be {action}", path.display())]
    Unavailable {
        /// The file or folder.
        path: PathBuf,
        /// `read` or `written`.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No time stamp could be had: try again later.
    #[error("there is no time stamp: {0}")]
    Unstamped(String),
    /// A defect of ours, or of a font: the document was not made.
    #[error("the document could not be made: {0}")]
    Corrupt(String),
}

impl Error {
    /// An [`Error::Invalid`].
    pub(crate) fn invalid(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { place: place.into(), problem: problem.into() }
    }
}
