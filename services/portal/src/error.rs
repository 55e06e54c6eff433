//! What goes wrong, and what a browser is told: the one translation of errors into HTTP.

use std::error::Error as StdError;

use agreements::Reason;
use hyper::StatusCode;

use crate::words::Words;

/// Why the portal could not be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration, the certificates or the issuer cannot be used as they are.
    #[error("the portal cannot be served: {0}")]
    Invalid(String),
    /// The TLS library refuses the certificates or keys.
    #[error("the portal cannot be served with these certificates")]
    Tls(#[from] rustls::Error),
}

/// Why a page was not given.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody is signed in, or not any longer: to the page where they can.
    SignedOut(Why),
    /// The sign-in failed.
    NotSignedIn(Why),
    /// The agreement does not permit it.
    Denied(Reason),
    /// It is not a page of their role.
    NotYours,
    /// Somebody else was faster, or what is there does not allow it.
    Conflict(Box<dyn StdError + Send + Sync>),
    /// A form that is not from a page of ours in this session.
    Forged,
    /// The request cannot be meant.
    Invalid,
    /// There is no such page.
    NotFound,
    /// It is greater than a page may be.
    TooLarge,
    /// It took too long.
    TooLate,
    /// Something we need is away: later it may not be.
    Unavailable(Box<dyn StdError + Send + Sync>),
    /// Our own fault.
    Internal(Box<dyn StdError + Send + Sync>),
}

/// Why nobody is signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// They never were, or it is not known any longer.
    Never,
    /// The issuer says something else of them now.
    Changed,
    /// The issuer's answer does not belong to this browser's sign-in, or came too late or twice.
    Stale,
    /// The issuer's answer could not be believed, or it refused.
    Refused,
    /// The issuer knows them, and the portal has no role for them.
    NoRole,
}

impl Why {
    /// As the address of the page has it.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Never => "ended",
            Self::Changed => "changed",
            Self::Stale => "stale",
            Self::Refused => "refused",
            Self::NoRole => "role",
        }
    }

    pub(crate) fn of_code(code: &str) -> Option<Self> {
        [Self::Never, Self::Changed, Self::Stale, Self::Refused, Self::NoRole]
            .into_iter()
            .find(|why| why.code() == code)
    }

    pub(crate) fn text(self, words: &Words) -> &str {
        match self {
            Self::Never => &words.why_ended,
            Self::Changed => &words.why_changed,
            Self::Stale => &words.why_stale,
            Self::Refused => &words.why_refused,
            Self::NoRole => &words.why_no_role,
        }
    }
}

impl Failure {
    /// Something is away, in words that name nobody.
    pub(crate) fn unavailable(what: &'static str) -> Self {
        Self::Unavailable(what.into())
    }

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

    /// The status, and what is read.
    pub(crate) fn told<'w>(&self, words: &'w Words) -> (StatusCode, &'w str) {
        match self {
            Self::SignedOut(why) | Self::NotSignedIn(why) => (StatusCode::UNAUTHORIZED, why.text(words)),
            Self::Denied(reason) if reason.is_about_the_student() => (StatusCode::FORBIDDEN, &words.not_available),
            Self::Denied(Reason::TrainingMissing) => (StatusCode::FORBIDDEN, &words.training_missing),
            Self::Denied(_) => (StatusCode::FORBIDDEN, &words.not_admitted),
            Self::NotYours => (StatusCode::FORBIDDEN, &words.not_yours),
            Self::Conflict(_) => (StatusCode::CONFLICT, &words.already_done),
            Self::Forged => (StatusCode::FORBIDDEN, &words.forged),
            Self::Invalid => (StatusCode::BAD_REQUEST, &words.invalid),
            Self::NotFound => (StatusCode::NOT_FOUND, &words.not_found),
            Self::TooLarge => (StatusCode::PRECONDITION_FAILED, &words.too_large),
            Self::TooLate | Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, &words.unavailable),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, &words.internal),
        }
    }
}

impl From<disclosure::Error> for Failure {
    fn from(error: disclosure::Error) -> Self {
        match error {
            disclosure::Error::Denied(reason) => Self::Denied(reason),
            // What was made is not what there is now, or has ended; and that the database was set back is nobody's matter outside.
            disclosure::Error::Changed
            | disclosure::Error::Ended
            | disclosure::Error::Sealed
            | disclosure::Error::ClockBehind => Self::Unavailable(Box::new(error)),
            disclosure::Error::TooLarge { bytes, bytes_max } => {
                tracing::error!(bytes, bytes_max, "a page is greater than portal.limits.page_bytes_max: raise it");
                Self::TooLarge
            }
            disclosure::Error::Identity(
                error
                @ (identity::Error::Conflict(_) | identity::Error::Precondition(_) | identity::Error::NotFound(_)),
            ) => Self::Conflict(Box::new(error)),
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

impl From<pg::Error> for Failure {
    fn from(error: pg::Error) -> Self {
        Self::of(error)
    }
}

impl From<askama::Error> for Failure {
    fn from(error: askama::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}
