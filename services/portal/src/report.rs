//! What looks wrong to somebody who reads a record, and what became of it.
//!
//! The note goes one way: to the SEA's stewards, who read it after the access is entered in the ledger. What comes back is one of few words, so that
//! nothing of a record leaves by an answer.

use chrono::{DateTime, Utc};
use model::{ConsumerId, Masked, StudentId};

/// Letters of a note.
pub(crate) const NOTE_MAX: usize = 1_000;
/// Letters of a steward's remark.
pub(crate) const REMARK_MAX: usize = 1_000;
/// Reports of one person about one client that may wait.
pub(crate) const OPEN_MAX: i64 = 20;
/// What is about none of a page's blocks.
pub(crate) const OTHER: &str = "other";

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The district that reported it was asked: more may follow.
    PassedOn,
    /// What was reported has been, or is being, corrected.
    Corrected,
    /// The district stands by what it reported.
    Stands,
    /// What was meant could not be found out.
    Unclear,
}

impl Outcome {
    pub(crate) const ALL: [Self; 4] = [Self::PassedOn, Self::Corrected, Self::Stands, Self::Unclear];

    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::PassedOn => "passed_on",
            Self::Corrected => "corrected",
            Self::Stands => "stands",
            Self::Unclear => "unclear",
        }
    }

    pub(crate) fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }

    /// Whether nothing more follows.
    pub(crate) fn is_final(self) -> bool {
        self != Self::PassedOn
    }
}

/// A report as it is filed.
pub(crate) struct Filed<'f> {
    pub(crate) consumer: &'f ConsumerId,
    pub(crate) person_key: &'f Masked<String>,
    pub(crate) viewer: &'f [u8; 32],
    /// Whose record was looked at.
    pub(crate) student: StudentId,
    pub(crate) by: &'f str,
    pub(crate) at: DateTime<Utc>,
    pub(crate) block: &'f str,
    pub(crate) note: &'f Masked<String>,
}

/// A report as whoever filed it sees it.
#[derive(Clone, Debug)]
pub(crate) struct Reported {
    pub(crate) student: StudentId,
    pub(crate) block: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) answered_at: Option<DateTime<Utc>>,
}

/// A report as stewards see it, without its note.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) id: i64,
    pub(crate) consumer: String,
    pub(crate) student: StudentId,
    pub(crate) by: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) block: String,
    pub(crate) answer: Option<Answer>,
}

/// What a steward answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) by: String,
    pub(crate) at: DateTime<Utc>,
    /// For stewards only.
    pub(crate) remark: Option<Masked<String>>,
}
