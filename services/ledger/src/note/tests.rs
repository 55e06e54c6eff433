use proptest::prelude::*;

use super::*;
use crate::{checkpoint::SignedCheckpoint, tree::Hash};

fn signer(name: &str, used_for: KeyUse, seed: u8) -> Signer {
    Signer::from_seed(name, used_for, &[seed; 32]).unwrap()
}

fn log() -> Signer {
    signer("exchange.example/ledger", KeyUse::Log, 7)
}

#[test]
fn the_example_of_the_specification_verifies() {
    let key: VerifierKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k".parse().unwrap();
    let note: Note = "This is an example message.\n\n\
        \u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
        .parse()
        .unwrap();
    assert_eq!(note.verify(std::slice::from_ref(&key)).unwrap(), [&key]);
    assert_eq!(key.to_string().parse::<VerifierKey>().unwrap(), key);
}

#[test]
fn a_checkpoint_comes_back_and_knows_its_signers() {
    let (log, witness) = (log(), signer("witness.example/dcf", KeyUse::Witness, 9));
    let mut note = SignedCheckpoint::sign(&log, 5, Hash::of(b"root")).note().clone();
    let signature = witness.cosign(&note, 1_795_249_800);
    note.add(signature);
    let text = note.to_string();
    let trusted = [log.public().clone(), witness.public().clone()];
    let opened = SignedCheckpoint::open(&text, &trusted).unwrap();
    assert_eq!((opened.size(), opened.root()), (5, Hash::of(b"root")));
    assert_eq!(opened.witnesses(), ["witness.example/dcf"]);
    assert_eq!(opened.note().to_string(), text);
    // A witness the reader does not know is carried along unseen; a witness alone is no log.
    let opened = SignedCheckpoint::open(&text, &trusted[..1]).unwrap();
    assert!(opened.witnesses().is_empty());
    assert_eq!(opened.note().to_string(), text);
    assert_eq!(SignedCheckpoint::open(&text, &trusted[1..]), Err(NoteError::Unsigned));
}

#[test]
fn a_key_of_another_origin_is_not_the_log() {
    let stranger = signer("stranger.example/ledger", KeyUse::Log, 3);
    let text = SignedCheckpoint::sign(&log(), 5, Hash::of(b"root")).note().text().to_owned();
    let note = Note::new(text.clone(), stranger.sign(&text)).to_string();
    assert_eq!(SignedCheckpoint::open(&note, &[stranger.public().clone()]), Err(NoteError::Unsigned));
}

#[test]
fn malformed_notes_and_keys_are_refused_in_words() {
    let good = SignedCheckpoint::sign(&log(), 5, Hash::of(b"root")).note().to_string();
    let trusted = [log().public().clone()];
    for bent in [
        String::new(),
        "text".to_owned(),
        "text\n\n".to_owned(),
        good.trim_end().to_owned(),
        good.replace('\u{2014}', "-"),
        good.replace('5', "05"),
        good.replace("\n5\n", "\n6\n"),
        good.replace('\n', "\r\n"),
        format!("{good}\n"),
    ] {
        assert!(SignedCheckpoint::open(&bent, &trusted).is_err(), "{bent:?}");
    }
    for bent in ["", "a+b", "exchange.example+00000000+AQ==", "a b+00000000+AQ==", "x+zz+!!"] {
        assert!(bent.parse::<VerifierKey>().is_err(), "{bent:?}");
    }
    assert!(Signer::from_seed("with space", KeyUse::Log, &[1; 32]).is_err());
}

#[test]
fn a_key_file_must_be_private_and_is_never_printed() {
    use std::os::unix::fs::PermissionsExt as _;

    use ed25519_dalek::pkcs8::{EncodePrivateKey as _, spki::der::pem::LineEnding};

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.pem");
    let pem = SigningKey::from_bytes(&[7; 32]).to_pkcs8_pem(LineEnding::LF).unwrap();
    fs::write(&path, pem.as_bytes()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let read = || Signer::from_pem_file("exchange.example/ledger", KeyUse::Log, &path);
    assert!(matches!(read(), Err(Error::Precondition(_))));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(read().unwrap().public(), log().public());
    let printed = format!("{:?}", read().unwrap());
    assert!(!printed.contains(&hex::encode([7; 32])) && !printed.contains("7, 7, 7, 7"), "{printed}");
    fs::write(&path, "nonsense").unwrap();
    assert!(matches!(read(), Err(Error::Note(NoteError::Key(_)))));
}

proptest! {
    #[test]
    fn any_edit_of_a_checkpoint_is_refused(at in any::<prop::sample::Index>(), with in prop::char::range(' ', '~')) {
        let good = SignedCheckpoint::sign(&log(), 1_234, Hash::of(b"root")).note().to_string();
        let mut letters: Vec<char> = good.chars().collect();
        let at = at.index(letters.len());
        prop_assume!(letters[at] != with);
        letters[at] = with;
        let bent: String = letters.into_iter().collect();
        prop_assert!(SignedCheckpoint::open(&bent, &[log().public().clone()]).is_err());
    }

    #[test]
    fn no_text_upsets_the_reader(text in ".{0,200}") {
        let _ = text.parse::<Note>();
        let _ = text.parse::<VerifierKey>();
    }
}
