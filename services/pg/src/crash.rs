//! Places where the process may be made to die, to show that nothing half-done survives.
//!
//! The program calls [`hit`] where a kill would hurt most. Ordinarily that is one relaxed atomic read. A test, or the
//! command line on behalf of one, may [`observe`] (count every passage) or [`arm`] a point: its n-th passage then aborts
//! the process on the spot, with no destructor run and nothing flushed, as a power cut would.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
};

macro_rules! points {
    ($($(#[doc = $doc:literal])+ $point:ident = $name:literal,)+) => {
        /// A named place at which the process may be killed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum CrashPoint {
            $($(#[doc = $doc])+ $point,)+
        }

        impl CrashPoint {
            /// Every point, in the order in which a record travels.
            pub const ALL: &'static [Self] = &[$(Self::$point),+];

            /// The name under which it is armed and listed.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }
        }
    };
}

points! {
    /// The batch is entered; nothing of its file is stored.
    IntakeAfterReceive = "intake.after_receive",
    /// Facts and findings are written, not committed.
    IntakeBeforeCommit = "intake.before_commit",
    /// The batch is committed; its receipt is not yet given.
    IntakeAfterCommit = "intake.after_commit",
    /// Clients, matches and population are written, not committed.
    RosterBeforeCommit = "roster.before_commit",
    /// The roster is committed; its receipt is not yet given.
    RosterAfterCommit = "roster.after_commit",
    /// The decision is made; nothing is recorded.
    DiscloseAfterDecide = "disclose.after_decide",
    /// The content is assembled and hashed; nothing is recorded.
    DiscloseBeforeRecord = "disclose.before_record",
    /// The entry is written, not committed.
    DiscloseBeforeCommit = "disclose.before_commit",
    /// The entry is committed; no byte has left.
    DiscloseAfterRecord = "disclose.after_record",
    /// Committed entries have positions in an open transaction.
    LedgerBeforeSequence = "ledger.before_sequence",
    /// Positions are committed; the checkpoint is not yet signed.
    LedgerAfterSequence = "ledger.after_sequence",
    /// The first chunk of a stream is handed to the transport.
    SendAfterFirstChunk = "send.after_first_chunk",
    /// Everything is sent; the completion is not recorded.
    SendBeforeCompletion = "send.before_completion",
    /// The completion is recorded; the receiver is not told.
    SendAfterCompletion = "send.after_completion",
    /// A file is complete under its temporary name.
    DeliverBeforeRename = "deliver.before_rename",
    /// A file has its final name; what comes behind it (a manifest, a confirmation) is not written.
    DeliverAfterRename = "deliver.after_rename",
    /// An erasure is on record; nothing has gone yet.
    EraseAfterBegin = "erase.after_begin",
    /// One kept file is blanked.
    EraseAfterFile = "erase.after_file",
    /// Findings and deliveries on disk are cleared; the records are still there.
    EraseBeforeRecords = "erase.before_records",
    /// The records are gone; the server still holds what it keeps of deleted rows.
    EraseAfterRecords = "erase.after_records",
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A point and the passage at which it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// Where.
    pub point: CrashPoint,
    /// At the how-manieth passage, from 1.
    pub passage: u64,
}

/// What was meant as `name` or `name:passage` and is neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{given}' is no crash point; write NAME or NAME:PASSAGE with one of: {known}")]
pub struct ParseArmedError {
    given: String,
    known: String,
}

impl FromStr for Armed {
    type Err = ParseArmedError;

    fn from_str(text: &str) -> Result<Self, ParseArmedError> {
        let (name, passage) = match text.split_once(':') {
            Some((name, passage)) => (name, passage.parse().ok().filter(|passage| *passage > 0)),
            None => (text, Some(1)),
        };
        let point = CrashPoint::ALL.iter().copied().find(|point| point.name() == name);
        match (point, passage) {
            (Some(point), Some(passage)) => Ok(Self { point, passage }),
            _ => Err(ParseArmedError {
                given: text.to_owned(),
                known: CrashPoint::ALL.iter().map(|point| point.name()).collect::<Vec<_>>().join(", "),
            }),
        }
    }
}

const OFF: u8 = 0;
const ON: u8 = 1;
const NOT_ARMED: u64 = 0;

static MODE: AtomicU8 = AtomicU8::new(OFF);
/// Per point the passages so far.
static PASSAGES: [AtomicU64; CrashPoint::ALL.len()] = [const { AtomicU64::new(0) }; CrashPoint::ALL.len()];
/// Per point the passage that kills, 0 for none.
static STRIKES: [AtomicU64; CrashPoint::ALL.len()] = [const { AtomicU64::new(NOT_ARMED) }; CrashPoint::ALL.len()];

/// Marks that execution passes `point`.
#[inline]
pub fn hit(point: CrashPoint) {
    if MODE.load(Ordering::Relaxed) != OFF {
        pass(point);
    }
}

#[cold]
fn pass(point: CrashPoint) {
    let index = point as usize;
    let (Some(passages), Some(strike)) = (PASSAGES.get(index), STRIKES.get(index)) else {
        return;
    };
    let passage = passages.fetch_add(1, Ordering::SeqCst) + 1;
    if strike.load(Ordering::SeqCst) == passage {
        std::process::abort();
    }
}

/// Starts counting passages.
pub fn observe() {
    MODE.store(ON, Ordering::SeqCst);
}

/// Makes the process die at a point. Passages are counted from the start of observation.
pub fn arm(armed: Armed) {
    if let Some(strike) = STRIKES.get(armed.point as usize) {
        strike.store(armed.passage, Ordering::SeqCst);
    }
    observe();
}

/// How often each point was passed since observation began.
pub fn counts() -> Vec<(CrashPoint, u64)> {
    CrashPoint::ALL.iter().zip(&PASSAGES).map(|(point, passages)| (*point, passages.load(Ordering::SeqCst))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_parse_back() {
        let names: BTreeSet<_> = CrashPoint::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), CrashPoint::ALL.len());
        for point in CrashPoint::ALL.iter().copied() {
            assert_eq!(point.name().parse(), Ok(Armed { point, passage: 1 }));
            assert_eq!(format!("{point}:7").parse(), Ok(Armed { point, passage: 7 }));
        }
        for text in ["", "nowhere", "intake.after_receive:0", "intake.after_receive:x"] {
            let error = text.parse::<Armed>().unwrap_err().to_string();
            assert!(error.contains("send.after_first_chunk"), "{error}");
        }
    }

    #[test]
    fn passages_are_counted_only_when_observed() {
        let count = |wanted| counts().into_iter().find(|(point, _)| *point == wanted).map(|(_, count)| count);
        hit(CrashPoint::SendAfterCompletion);
        assert_eq!(count(CrashPoint::SendAfterCompletion), Some(0));
        observe();
        hit(CrashPoint::SendAfterCompletion);
        hit(CrashPoint::SendAfterCompletion);
        assert_eq!(count(CrashPoint::SendAfterCompletion), Some(2));
    }

    /// Set for the child of the test below, which is this test binary again.
    const CHILD: &str = "THROUGHLINE_TEST_CRASH_CHILD";

    #[test]
    #[expect(clippy::disallowed_methods, reason = "how the child knows that it is the child")]
    fn an_armed_point_kills_at_its_passage_and_not_before() {
        use std::os::unix::process::ExitStatusExt as _;

        let point = CrashPoint::DeliverBeforeRename;
        if let Ok(passages) = std::env::var(CHILD) {
            arm(Armed { point, passage: 3 });
            (0..passages.parse::<u64>().unwrap()).for_each(|_| hit(point));
            return;
        }
        for (passages, signal) in [("2", None), ("3", Some(6))] {
            let name = "crash::tests::an_armed_point_kills_at_its_passage_and_not_before";
            let child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", name])
                .env(CHILD, passages)
                .output()
                .unwrap();
            assert_eq!(child.status.signal(), signal, "after {passages} passages");
        }
    }
}
