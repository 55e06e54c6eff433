//! Why something was not disclosed.

use agreements::Reason;

/// Why a disclosure did not happen. Nothing has left when one of these is returned.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The agreement does not permit it; the refusal is recorded. Only `Reason::public` words may reach the recipient.
    #[error("refused")]
    Denied(Reason),
    /// What was asked cannot be meant.
    #[error("{0}")]
    Invalid(&'static str),
    /// The ledger could not record it, so it is not disclosed.
    #[error("the disclosure could not be recorded, so nothing is disclosed")]
    Ledger(#[from] ledger::Error),
    /// The agreements could not be read or do not verify.
    #[error("the agreements cannot be relied on, so nothing is disclosed")]
    Agreements(#[from] agreements::Error),
    /// Identity refuses, or could not do it.
    #[error("the crosswalk or a match could not be changed")]
    Identity(#[from] identity::Error),
    /// Two stewards have not signed it.
    #[error("the approval does not count")]
    Approval(#[from] agreements::ApprovalError),
    /// Organizations could not be read.
    #[error("reference data are not available")]
    Reference(#[from] reference::Error),
    /// The database did not answer, or refused: try again later.
    #[error("the database is not available")]
    Unavailable(#[from] pg::Error),
    /// The content is greater than can be carried: it is not disclosed, which is recorded.
    #[error("the content measures {bytes} bytes, and {bytes_max} can be carried")]
    TooLarge {
        /// What it measures.
        bytes: u64,
        /// What can be carried.
        bytes_max: u64,
    },
    /// The content could not be encoded.
    #[error("the content could not be put into its format: {0}")]
    Encode(String),
    /// Authorities kept ending while it was being disclosed: nothing of it has left, and asked again it is decided on anew.
    #[error("what was to be disclosed has ended meanwhile, so nothing is disclosed")]
    Ended,
    /// The database was set back, and has not caught up with what ended since.
    #[error(
        "nothing is disclosed to this recipient until the exchange has caught up with what ended since its database was set \
         back; `db status` says what is missing"
    )]
    Sealed,
    /// The call was answered before, under the id that its caller gave it: it is not answered again, and nothing is entered.
    #[error("a call of this id was answered before, so nothing is disclosed")]
    Answered,
    /// A clock stands further behind the last entry, or from the database's, than it may: what ends would not end by it, or what is to come would have begun.
    #[error(
        "this machine's clock, or the database's, stands behind the last entry of the ledger or apart from the other, so nothing is disclosed until both are right"
    )]
    ClockBehind,
    /// What was prepared is no longer what is permitted, or what is there: begin anew.
    #[error("the record, or what may be disclosed of it, changed while a document was made")]
    Changed,
    /// What the database permits and what was decided differ, or stored data do not read: nothing is disclosed.
    #[error("stored data contradict the decision: {0}")]
    Corrupt(String),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}
