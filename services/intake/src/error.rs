//! What can keep intake from doing its work. Bad input is not among it: that is a finding.

/// Why intake could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for makes no sense; the caller must change it.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// A file, folder or service did not do its part; trying again may help.
    #[error("{context}")]
    Unavailable {
        /// What was being done.
        context: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something of our own is broken.
    #[error("{0}")]
    Corrupt(String),
}

impl Error {
    /// Wraps a failure of something outside, with what was being done.
    pub fn unavailable(
        context: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable { context: context.into(), source: source.into() }
    }
}
