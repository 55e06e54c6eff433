//! What can go wrong, by what the caller can do about it.

use crate::{approval::ApprovalError, finding::Finding};

/// Agreements could not do what they were asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The document has mistakes; all of them are named.
    #[error("the agreement has {} mistakes, the first in {}", .0.len(), .0.first().map_or_else(String::new, ToString::to_string))]
    Document(Vec<Finding>),
    /// What was handed in breaks a rule; the text names it and holds no personal data.
    #[error("this cannot be entered: {0}")]
    Invalid(&'static str),
    /// There is no such thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It exists already and says something else.
    #[error("this contradicts what is on file: {0}")]
    Conflict(&'static str),
    /// Two valid approvals of two people are missing.
    #[error("it is not approved by two registered stewards")]
    Precondition(#[from] ApprovalError),
    /// The database could not be used.
    #[error("the agreements could not be read or written")]
    Unavailable(#[source] pg::Error),
    /// What is stored does not verify or contradicts itself. Nothing is disclosed under it.
    #[error("the stored agreements cannot be trusted: {0}")]
    Corrupt(&'static str),
}

impl From<pg::Error> for Error {
    fn from(error: pg::Error) -> Self {
        match error {
            pg::Error::Conflict { .. } => Self::Conflict("the database holds it already"),
            other => Self::Unavailable(other),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        pg::Error::from(error).into()
    }
}
