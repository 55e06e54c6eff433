//! What can go wrong, by what the caller can do about it.

use crate::{note::NoteError, tree::ProofError};

/// The ledger could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The entry, or the request, breaks a rule of the ledger; the text names the rule and carries no personal data.
    #[error("the ledger refuses this: {0}")]
    Invalid(&'static str),
    /// There is no such entry, checkpoint or file.
    #[error("the ledger holds no such {0}")]
    NotFound(&'static str),
    /// An entry of this id is recorded already.
    #[error("this entry is recorded already")]
    Conflict(#[source] pg::Error),
    /// The call was answered before, under the id that its caller gave it. Nothing was recorded.
    #[error("a call of this id was answered before")]
    Answered(#[source] pg::Error),
    /// It cannot be done yet, or not here; the text says what is missing.
    #[error("the ledger cannot do this now: {0}")]
    Precondition(&'static str),
    /// The database cannot be used now; later it may. Nothing was recorded.
    #[error("the ledger's database cannot be used at the moment")]
    Unavailable(#[source] pg::Error),
    /// The database refused, for a reason that time will not mend. Nothing was recorded.
    #[error("the ledger's database refused")]
    Database(#[source] pg::Error),
    /// A file or key could not be read or written.
    #[error("a file of the ledger could not be used: {what}")]
    File {
        /// Which file, by its role, not its path.
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A signed note is malformed or does not verify.
    #[error("a checkpoint cannot be trusted")]
    Note(#[from] NoteError),
    /// A checkpoint that was kept is not one of this log: the log was cut, rewritten or set back, or is another one.
    #[error("the log does not extend the kept checkpoint: {0}")]
    Diverged(&'static str),
    /// A proof does not hold.
    #[error("a proof does not hold")]
    Proof(#[from] ProofError),
    /// What is stored contradicts itself. `verify` says where.
    #[error("the ledger contradicts itself: {0}")]
    Corrupt(&'static str),
}

impl From<pg::Error> for Error {
    fn from(source: pg::Error) -> Self {
        match &source {
            // One statement writes both rows, in either order.
            pg::Error::Conflict { constraint, .. } if matches!(constraint.as_str(), "entry_pkey" | "detail_pkey") => {
                Self::Conflict(source)
            }
            pg::Error::Conflict { constraint, .. } if constraint == "request_pkey" => Self::Answered(source),
            pg::Error::Unavailable(_) => Self::Unavailable(source),
            _ => Self::Database(source),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        Self::from(pg::Error::from(source))
    }
}

impl Error {
    /// Turns an I/O error about the named thing into ours.
    pub(crate) fn file(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { what, source }
    }
}
