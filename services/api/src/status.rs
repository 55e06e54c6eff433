//! The one translation from what went wrong to what a caller is told.
//!
//! A caller gets a code, a reason that programs can read, and words that say nothing of anybody. "Not your client" and
//! "does not exist" are one answer. What is our own fault is logged under an incident id; the caller gets the id.

use std::{collections::HashMap, error::Error as StdError, time::Duration};

use agreements::Reason;
use model::Entropy;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::replay::USED;

/// The domain of all our reasons.
const DOMAIN: &str = "throughline";
/// When to come again after what passes by itself.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// What a caller is told about whatever it may not have or know of.
const NOT_AVAILABLE: Reason = Reason::NotAClient;

type Source = Box<dyn StdError + Send + Sync>;

/// Why a call was not answered.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The certificate is none that an agreement names.
    Unauthenticated,
    /// The agreement does not permit it.
    Denied(Reason),
    /// It may exist or not: the caller is not told.
    Withheld,
    /// A field of the request cannot be meant.
    Invalid {
        /// Which.
        field: &'static str,
        /// What it must be.
        what: &'static str,
    },
    /// Something the caller may know of does not exist.
    NotFound(&'static str),
    /// It contradicts what is there.
    Conflict(&'static str),
    /// Something else has to happen first.
    Precondition {
        /// For programs.
        reason: &'static str,
        /// For people.
        what: &'static str,
    },
    /// Too much at once, or too often.
    Busy {
        /// For programs.
        reason: &'static str,
        /// For people.
        what: &'static str,
    },
    /// The server stops.
    Stopping,
    /// It took too long.
    TooLate,
    /// Something we need is away: later it may not be.
    Unavailable(Source),
    /// Our own fault.
    Internal(Source),
}

impl Failure {
    /// Sorts what went wrong below: what passes by itself, and what does not.
    pub(crate) fn of(error: impl StdError + Send + Sync + 'static) -> Self {
        let mut next: Option<&(dyn StdError + 'static)> = Some(&error);
        while let Some(one) = next {
            if matches!(one.downcast_ref(), Some(pg::Error::Unavailable(_))) {
                return Self::Unavailable(Box::new(error));
            }
            next = one.source();
        }
        Self::Internal(Box::new(error))
    }

    /// What the caller is told.
    pub(crate) fn into_status(self, entropy: &dyn Entropy) -> Status {
        match self {
            Self::Unauthenticated => {
                status(Code::Unauthenticated, "UNKNOWN_CERTIFICATE", "no agreement names this certificate")
            }
            Self::Denied(reason) => denied(reason),
            Self::Withheld => denied(NOT_AVAILABLE),
            Self::Invalid { field, what } => {
                let mut details = details("INVALID_FIELD");
                details.add_bad_request_violation(field, what);
                Status::with_error_details(Code::InvalidArgument, format!("{field}: {what}"), details)
            }
            Self::NotFound(what) => status(Code::NotFound, "NOT_FOUND", &format!("there is no such {what}")),
            Self::Conflict(what) => status(Code::Aborted, "CONFLICT", what),
            Self::Precondition { reason, what } => status(Code::FailedPrecondition, reason, what),
            Self::Busy { reason, what } => again(reason, what),
            Self::Stopping => again("STOPPING", "the server stops; go on with the last token in a moment"),
            Self::TooLate => status(Code::DeadlineExceeded, "TOO_LATE", "it took too long"),
            Self::Unavailable(source) => {
                tracing::warn!(error = &*source as &(dyn StdError + 'static), "a call could not be answered for now");
                again("UNAVAILABLE", "the exchange cannot answer at the moment")
            }
            Self::Internal(source) => {
                let incident = entropy.uuid();
                tracing::error!(incident.id = %incident, error = &*source as &(dyn StdError + 'static), "a call failed");
                let metadata = HashMap::from([("incident".to_owned(), incident.to_string())]);
                let details = ErrorDetails::with_error_info("INTERNAL", DOMAIN, metadata);
                Status::with_error_details(Code::Internal, format!("internal error, incident {incident}"), details)
            }
        }
    }
}

fn details(reason: &str) -> ErrorDetails {
    ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new())
}

fn status(code: Code, reason: &str, words: &str) -> Status {
    Status::with_error_details(code, words, details(reason))
}

fn denied(reason: Reason) -> Status {
    status(Code::PermissionDenied, &reason.public_code().to_ascii_uppercase(), reason.public_words())
}

fn again(reason: &str, words: &str) -> Status {
    let mut details = details(reason);
    details.set_retry_info(Some(RETRY_AFTER));
    Status::with_error_details(Code::Unavailable, words, details)
}

impl From<disclosure::Error> for Failure {
    fn from(error: disclosure::Error) -> Self {
        match error {
            disclosure::Error::Denied(reason) => Self::Denied(reason),
            disclosure::Error::Identity(error) => error.into(),
            disclosure::Error::Answered => USED,
            disclosure::Error::Changed => Self::Conflict("the record changed each time that its document was made"),
            // That the database was set back, or a clock, is nobody's matter outside.
            disclosure::Error::Sealed | disclosure::Error::Ended | disclosure::Error::ClockBehind => {
                Self::Unavailable(Box::new(error))
            }
            disclosure::Error::TooLarge { bytes, bytes_max } => {
                tracing::error!(
                    bytes,
                    bytes_max,
                    "a history is greater than server.limits.history_bytes_max: raise it"
                );
                Self::Precondition {
                    reason: "HISTORY_TOO_LARGE",
                    what: "the history is greater than this exchange sends at once; its operator has been told",
                }
            }
            disclosure::Error::Approval(_) => {
                Self::Invalid { field: "signature", what: "the signature of a registered steward over this" }
            }
            other => Self::of(other),
        }
    }
}

impl From<summary::stamped::Undisclosed> for Failure {
    fn from(error: summary::stamped::Undisclosed) -> Self {
        match error {
            summary::stamped::Undisclosed::Disclosure(error) => error.into(),
            waits @ summary::stamped::Undisclosed::Waits(_) => Self::Unavailable(Box::new(waits)),
        }
    }
}

impl From<identity::Error> for Failure {
    fn from(error: identity::Error) -> Self {
        match error {
            identity::Error::NotFound(what) => Self::NotFound(what),
            identity::Error::Conflict(what) => Self::Conflict(what),
            identity::Error::Precondition(what) => Self::Precondition { reason: "NEEDS_MORE", what },
            other => Self::of(other),
        }
    }
}

impl From<ledger::Error> for Failure {
    fn from(error: ledger::Error) -> Self {
        match error {
            ledger::Error::Invalid(what) => Self::Invalid { field: "request", what },
            ledger::Error::NotFound(what) => Self::NotFound(what),
            ledger::Error::Precondition(what) => Self::Precondition { reason: "NOT_YET", what },
            other => Self::of(other),
        }
    }
}

impl From<agreements::Error> for Failure {
    fn from(error: agreements::Error) -> Self {
        match error {
            agreements::Error::Conflict(what) => Self::Conflict(what),
            other => Self::of(other),
        }
    }
}

impl From<intake::roster::RosterError> for Failure {
    fn from(error: intake::roster::RosterError) -> Self {
        match error {
            intake::roster::RosterError::Agreements(error) => error.into(),
            other => Self::of(other),
        }
    }
}

impl From<feeds::token::TokenError> for Failure {
    fn from(_: feeds::token::TokenError) -> Self {
        Self::Invalid { field: "resume_token", what: "a token that this caller was given" }
    }
}
