//! Changing the log's signing key: a note that the old key and the new one sign, about the tree up to which the old one counts.
//!
//! Whoever knows one key of the log comes to the present one by these notes, and by nothing else: no key is believed that the one before did not
//! name. The note is a checkpoint of the tree at the change with one line more, so that other tools read it as a checkpoint.

use crate::{
    checkpoint::{Checkpoint, parse_body},
    note::{KeyUse, Note, NoteError, Signer, VerifierKey},
};

/// Begins the line that names the next key.
const NEXT: &str = "next-key ";

/// No log has changed its key so often.
pub const KEY_CHANGES_MAX: usize = 999;

/// The note by which one key hands over to the next, at this head of the tree.
pub fn announce(old: &Signer, new: &Signer, head: &Checkpoint) -> Note {
    let text = format!("{head}{NEXT}{}\n", new.public());
    let mut note = Note::new(text.clone(), old.sign(&text));
    note.add(new.sign(&text));
    note
}

/// What the entry of a change says, signed by both keys: their names, and the two signatures in base64.
pub fn statement(old: &Signer, new: &Signer) -> String {
    let text = format!("log key {} is followed by {}", old.public(), new.public());
    let line = format!("{text}\n");
    format!("{text}, signed {} and {}", old.sign(&line).to_base64(), new.sign(&line).to_base64())
}

/// The next key that a note names; nobody's signature is checked.
pub fn next_key(change: &str) -> Result<VerifierKey, NoteError> {
    let note: Note = change.parse()?;
    let line = note.text().lines().find_map(|line| line.strip_prefix(NEXT));
    let key: VerifierKey = line.ok_or(NoteError::NotACheckpoint("it names no next key"))?.parse()?;
    if key.used_for() == KeyUse::Log { Ok(key) } else { Err(NoteError::Key("the next key is no log's")) }
}

/// All keys of the log from one that is known, each good for the trees that it signed. Changes before the known key are passed over; one
/// that is not signed by both is refused.
pub fn follow(known: &VerifierKey, changes: &[String]) -> Result<Vec<VerifierKey>, NoteError> {
    let (mut keys, mut current) = (Vec::new(), known.clone());
    for change in changes {
        let note: Note = change.parse()?;
        let next = next_key(change)?;
        // Signed by both: the key to which it hands over would pass for the one from which it does.
        if next == current || note.verify(std::slice::from_ref(&current)).is_err() {
            continue;
        }
        note.verify(std::slice::from_ref(&next))?;
        let head = parse_body(note.text())?;
        if head.origin != current.name() || next.name() != current.name() {
            return Err(NoteError::Key("the next key is another log's"));
        }
        keys.push(current.until(head.size));
        current = next;
    }
    keys.push(current);
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{checkpoint::SignedCheckpoint, tree::Hash};

    fn signer(seed: u8) -> Signer {
        Signer::from_seed("log.example", KeyUse::Log, &[seed; 32]).unwrap()
    }

    fn change(old: u8, new: u8, size: u64) -> String {
        let head = Checkpoint { origin: "log.example".into(), size, root: Hash([size as u8; 32]) };
        announce(&signer(old), &signer(new), &head).to_string()
    }

    #[test]
    fn a_new_key_is_believed_only_through_the_old_one() {
        let changes = [change(1, 2, 10), change(2, 3, 20)];
        let known = |seed: u8| follow(signer(seed).public(), &changes).unwrap();
        assert_eq!((known(1).len(), known(2).len(), known(3).len(), known(9).len()), (3, 2, 1, 1));
        let keys = known(1);
        let opens = |seed: u8, size: u64| {
            let text = SignedCheckpoint::sign(&signer(seed), size, Hash([7; 32])).note().to_string();
            SignedCheckpoint::open(&text, &keys).is_ok()
        };
        assert!(opens(1, 10) && opens(2, 11) && opens(2, 20) && opens(3, 99), "each for its own time");
        assert!(!opens(1, 11) && !opens(2, 21) && !opens(9, 5), "a retired key signs nothing new");
        // As a checkpoint it reads like any other.
        assert_eq!(SignedCheckpoint::open(&changes[0], &keys).unwrap().size(), 10);
        // One that the old key did not sign leads nowhere, and one that the new key did not sign is refused.
        let forged = change(9, 4, 30);
        assert_eq!(follow(signer(1).public(), &[forged]).unwrap().len(), 1);
        let half = changes[0].lines().filter(|line| !line.starts_with('—')).collect::<Vec<_>>().join("\n");
        let by_old = changes[0].lines().find(|line| line.starts_with('—')).unwrap();
        assert!(follow(signer(1).public(), &[format!("{half}\n{by_old}\n")]).is_err());
    }
}
