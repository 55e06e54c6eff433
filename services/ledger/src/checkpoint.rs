//! C2SP checkpoints: the size and root of the ledger's tree, as a signed note.
//!
//! A checkpoint commits the SEA to every entry before it. Who keeps one can later show that the ledger was cut or rewritten,
//! even if all of it was recomputed with the ledger's own key.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{
    note::{KeyUse, Note, NoteError, Signer, VerifierKey},
    tree::{Hash, empty_root},
};

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log; also that of the key it signs with.
    pub origin: String,
    /// How many entries the tree holds.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root.to_base64())
    }
}

/// A checkpoint whose signature by a trusted log key has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
    witnesses: Vec<String>,
}

impl SignedCheckpoint {
    /// Signs the head of a tree. The caller has made sure that it extends every checkpoint signed before.
    pub fn sign(signer: &Signer, size: u64, root: Hash) -> Self {
        let checkpoint = Checkpoint { origin: signer.public().name().to_owned(), size, root };
        let text = checkpoint.to_string();
        let signature = signer.sign(&text);
        Self { checkpoint, note: Note::new(text, signature), witnesses: Vec::new() }
    }

    /// Reads a checkpoint and checks that a trusted log key of its origin signed it. Witnesses among the trusted keys are
    /// checked too; which of them are enough is for the reader to say.
    pub fn open(text: &str, trusted: &[VerifierKey]) -> Result<Self, NoteError> {
        let note: Note = text.parse()?;
        let signed = note.verify(trusted)?;
        let checkpoint = parse_body(note.text())?;
        let by_log = signed.iter().any(|key| {
            key.used_for() == KeyUse::Log && key.name() == checkpoint.origin && key.is_good_for(checkpoint.size)
        });
        if !by_log {
            return Err(NoteError::Unsigned);
        }
        let witnesses = signed
            .into_iter()
            .filter(|key| key.used_for() == KeyUse::Witness)
            .map(|key| key.name().to_owned())
            .collect();
        Ok(Self { checkpoint, note, witnesses })
    }

    /// What it says.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// How many entries it covers.
    pub const fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// The root over them.
    pub const fn root(&self) -> Hash {
        self.checkpoint.root
    }

    /// The note, to send or to store.
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// When a witness says, by its own clock, that it cosigned this; `None`: its key did not.
    pub fn cosigned_at(&self, witness: &VerifierKey) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp(i64::try_from(self.note.cosigned_at(witness)?).ok()?, 0)
    }

    /// The trusted witnesses that cosigned it.
    pub fn witnesses(&self) -> &[String] {
        &self.witnesses
    }
}

/// The size that a checkpoint of our own states; nobody's signature is checked.
pub fn size_of(text: &str) -> Result<u64, NoteError> {
    let note: Note = text.parse()?;
    Ok(parse_body(note.text())?.size)
}

/// The log that a checkpoint of our own is of; nobody's signature is checked.
pub(crate) fn origin_of(text: &str) -> Result<String, NoteError> {
    let note: Note = text.parse()?;
    Ok(parse_body(note.text())?.origin)
}

/// Reads the body of a checkpoint. Extension lines are allowed and ignored.
pub(crate) fn parse_body(text: &str) -> Result<Checkpoint, NoteError> {
    let mut lines = text.strip_suffix('\n').ok_or(NoteError::NotACheckpoint("its last line does not end"))?.split('\n');
    let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(NoteError::NotACheckpoint("it has fewer than three lines"));
    };
    if origin.is_empty() || lines.any(str::is_empty) {
        return Err(NoteError::NotACheckpoint("a line is empty"));
    }
    let size = parse_decimal(size).ok_or(NoteError::NotACheckpoint("its size is no number"))?;
    let root = Hash::from_base64(root).ok_or(NoteError::NotACheckpoint("its root is no hash"))?;
    if size == 0 && root != empty_root() {
        return Err(NoteError::NotACheckpoint("an empty tree has one root only"));
    }
    Ok(Checkpoint { origin: origin.to_owned(), size, root })
}

/// A decimal number without sign or leading zeroes.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || (text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}
