//! What witnesses of the log saw last, held against the log as it stands in the database.
//!
//! A witness keeps its memory at its own place; what it cosigned comes here as a file. So a tree that was cut, set back or rewritten, with all its checkpoints,
//! is found out by a glance at a page: whoever can do that to the database has not the witness's key. Nodes are believed as they are stored: an entry that was
//! altered under them is found by `throughline ledger verify`, which reads all of it. And a file can be taken away, or an older one put back in its place.

use std::{io::Read as _, path::Path};

use chrono::{DateTime, TimeDelta, Utc};
use ledger::{SignedCheckpoint, VerifierKey, witness::Refusal};
use pg::Role;

use crate::{config::Witness, error::Failure, server::Portal};

/// A file with a checkpoint that is read.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// How far a witness's clock may run ahead of this one's.
const AHEAD_MAX: TimeDelta = TimeDelta::hours(1);

/// A witness, and what became of what it saw last.
pub(crate) struct Watched {
    pub(crate) name: String,
    pub(crate) state: State,
}

/// What a witness's last checkpoint says.
#[derive(Debug)]
pub(crate) enum State {
    /// Nothing has come from it yet.
    Never,
    /// What came cannot be read, or is not what this log signed and the witness cosigned.
    NotBelieved,
    /// The log is not the one that it saw.
    Refused(Refusal, Cosigned),
    /// The log holds all that it saw.
    Holds {
        seen: Cosigned,
        /// Entries that the log has grown by since.
        behind: u64,
        /// It has not looked for longer than it may.
        is_late: bool,
    },
}

/// What a witness put its name to, and when by its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cosigned {
    pub(crate) at: DateTime<Utc>,
    pub(crate) size: u64,
}

impl State {
    /// Somebody has to look at once: the log may have been changed.
    pub(crate) const fn is_alarm(&self) -> bool {
        matches!(self, Self::NotBelieved | Self::Refused(..))
    }

    /// What it saw, where that can be believed.
    pub(crate) const fn seen(&self) -> Option<Cosigned> {
        match self {
            Self::Never | Self::NotBelieved => None,
            Self::Refused(_, seen) | Self::Holds { seen, .. } => Some(*seen),
        }
    }
}

/// All witnesses of the configuration, in its order.
pub(crate) async fn list(portal: &Portal) -> Result<Vec<Watched>, Failure> {
    let witnesses = portal.config.witness.clone();
    let read = tokio::task::spawn_blocking(move || {
        let known = witnesses.into_iter().filter_map(|one| Some((one.key()?, one)));
        known.map(|(key, one)| (read(&one.checkpoint_file), key, one)).collect::<Vec<_>>()
    });
    let read = read.await.map_err(|error| Failure::Internal(Box::new(error)))?;
    let mut all = Vec::with_capacity(read.len());
    for (text, key, witness) in read {
        let state = match text {
            None => State::Never,
            Some(text) => state(portal, &text, &key, &witness).await?,
        };
        all.push(Watched { name: key.name().to_owned(), state });
    }
    Ok(all)
}

/// The text of a file; none: there is no such file. What cannot be read is no text of a checkpoint.
fn read(path: &Path) -> Option<String> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "a witness's checkpoint cannot be read");
            return Some(String::new());
        }
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_or_else(|_| Some(String::new()), |_| Some(text))
}

async fn state(portal: &Portal, text: &str, key: &VerifierKey, witness: &Witness) -> Result<State, Failure> {
    let Some((head, at)) = opened(portal, text, key) else { return Ok(State::NotBelieved) };
    let seen = Cosigned { at, size: head.size() };
    let since = portal.deps.clock.now() - at;
    // A cosignature of tomorrow would never be late.
    if since < -AHEAD_MAX {
        return Ok(State::NotBelieved);
    }
    let is_late = since > TimeDelta::hours(i64::from(witness.late_after_hours));
    Ok(match hold_against(portal, &head).await? {
        Ok(behind) => State::Holds { seen, behind, is_late },
        Err(refusal) => State::Refused(refusal, seen),
    })
}

/// A checkpoint that this log signed and this witness cosigned, and when it did.
fn opened(portal: &Portal, text: &str, key: &VerifierKey) -> Option<(SignedCheckpoint, DateTime<Utc>)> {
    let trusted: Vec<VerifierKey> = portal.deps.log_keys.iter().chain([key]).cloned().collect();
    let head = SignedCheckpoint::open(text, &trusted).ok()?;
    let at = head.cosigned_at(key)?;
    Some((head, at))
}

/// Holds the log against a head that somebody kept: by how many entries it has grown since, or why it is not that log.
pub(crate) async fn hold_against(portal: &Portal, head: &SignedCheckpoint) -> Result<Result<u64, Refusal>, Failure> {
    let held = pg::run_tx(&portal.deps.pool, "portal.hold_against_kept", Role::Ledger, |tx| {
        Box::pin(async move { ledger::hold_against_kept(tx, head).await })
    });
    held.await.map_err(Failure::of)
}
