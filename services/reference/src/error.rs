//! What can go wrong with reference data.

/// Why reference data could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database did not answer, or refused: try again later.
    #[error("reference data are not available")]
    Unavailable(#[from] sqlx::Error),
    /// A shipped table does not read.
    #[error("the shipped reference table {table} is damaged: {reason}")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// What is wrong, with its line.
        reason: String,
    },
}
