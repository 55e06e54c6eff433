//! What can go wrong with jobs.

/// Why jobs could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database did not answer, or refused: try again later.
    #[error("jobs are not available")]
    Unavailable(#[from] sqlx::Error),
    /// The database could not be used as this role.
    #[error("jobs are not available")]
    Database(#[from] pg::Error),
    /// There is no such work.
    #[error("there is no such work")]
    NotFound,
    /// A stored job is none.
    #[error("a stored job is damaged: {0}")]
    Corrupt(String),
}
