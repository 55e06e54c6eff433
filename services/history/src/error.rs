//! What can go wrong in the fact store.

/// Why the store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database did not answer, or refused: try again later.
    #[error("the fact store is not available")]
    Unavailable(#[from] pg::Error),
    /// What is stored is not what was written.
    #[error("the fact store holds something it cannot have written: {0}")]
    Corrupt(String),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}
