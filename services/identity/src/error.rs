//! What can stop identity work. None of these texts carries a value from a record.

use std::path::PathBuf;

/// Why identity work could not be done. Bad rows are findings, not errors.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller asked for something that cannot be meant: a configuration or a file of the wrong shape.
    #[error("{0}")]
    Invalid(String),
    /// A model file that cannot be used: another format, another version, or an untrained level.
    #[error("the match model cannot be used: {0}")]
    Model(String),
    /// A file could not be read or written.
    #[error("{}: cannot be {action}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried, as a participle: `read`, `written`.
        action: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// There is no such thing, by name.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(&'static str),
    /// Something else has to happen first.
    #[error("{0}")]
    Precondition(&'static str),
    /// The state reports the children who would be one as different: two stewards have to agree.
    #[error(
        "the state reports them as different children (another {}): two stewards must approve that they are one",
        .0.differ.join(", another ")
    )]
    Unlike(Box<crate::crosswalk::Joining>),
    /// The database did not answer, or refused.
    #[error("the database is not available")]
    Database(#[from] sqlx::Error),
    /// The machine would not give what the work needs (threads).
    #[error("cannot start the matching threads")]
    Unavailable(#[source] rayon::ThreadPoolBuildError),
}

impl Error {
    pub(crate) fn file(path: &std::path::Path, action: &'static str, source: std::io::Error) -> Self {
        Self::File { path: path.to_path_buf(), action, source }
    }
}
