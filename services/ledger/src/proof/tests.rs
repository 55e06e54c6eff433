use proptest::prelude::*;

use super::*;
use crate::{
    entry::tests::disclosure,
    note::{KeyUse, Signer},
    tree::{CompactRange, inclusion_spans},
};

fn signer() -> Signer {
    Signer::from_seed("exchange.example/ledger", KeyUse::Log, &[7; 32]).unwrap()
}

/// The proof of the entry `index` among `size` invented ones.
fn proof(index: u64, size: u64) -> InclusionProof {
    let leaves: Vec<Hash> = (0..size).map(|n| disclosure(n).leaf().hash()).collect();
    let over = |start: u64, end: u64| CompactRange::over(leaves[start as usize..end as usize].iter().copied()).root();
    let spans = inclusion_spans(index, size).unwrap();
    let entry = disclosure(index);
    InclusionProof {
        index,
        leaf: entry.leaf(),
        content_salt: Some(entry.salts.content),
        path: spans.iter().map(|span| over(span.start, span.end)).collect(),
        checkpoint: SignedCheckpoint::sign(&signer(), size, over(0, size)).note().to_string(),
    }
}

#[test]
fn a_sidecar_comes_back_and_shows_the_document() {
    let trusted = [signer().public().clone()];
    for (index, size) in [(0, 1), (0, 2), (4, 7), (6, 7)] {
        let text = proof(index, size).to_string();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra "));
        let read: InclusionProof = text.parse().unwrap();
        assert_eq!(read, proof(index, size));
        let digest = Hash::of(&index.to_be_bytes());
        assert_eq!(read.verify_document(digest, &trusted).unwrap().size(), size);
        assert_eq!(read.verify_document(Hash::of(b"another"), &trusted), Err(InclusionError::Document));
    }
}

#[test]
fn after_erasure_the_entry_is_shown_and_the_document_is_not() {
    let trusted = [signer().public().clone()];
    let proof = InclusionProof { content_salt: None, ..proof(1, 3) };
    let read: InclusionProof = proof.to_string().parse().unwrap();
    assert_eq!(read, proof);
    assert!(read.verify(&trusted).is_ok());
    let digest = Hash::of(&1_u64.to_be_bytes());
    assert_eq!(read.verify_document(digest, &trusted), Err(InclusionError::Document));
}

#[test]
fn an_unknown_key_is_no_proof() {
    let stranger = Signer::from_seed("exchange.example/ledger", KeyUse::Log, &[8; 32]).unwrap();
    let result = proof(1, 3).verify(&[stranger.public().clone()]);
    assert!(matches!(result, Err(InclusionError::Checkpoint(_))));
}

proptest! {
    #[test]
    fn any_edit_of_a_sidecar_is_refused(at in any::<prop::sample::Index>(), with in prop::char::range('!', '~')) {
        let good = proof(2, 5).to_string();
        let mut letters: Vec<char> = good.chars().collect();
        let at = at.index(letters.len());
        prop_assume!(letters[at] != with);
        letters[at] = with;
        let bent: String = letters.into_iter().collect();
        let trusted = [signer().public().clone()];
        let digest = Hash::of(&2_u64.to_be_bytes());
        let read = bent.parse::<InclusionProof>();
        prop_assert!(read.and_then(|proof| proof.verify_document(digest, &trusted)).is_err());
    }

    #[test]
    fn no_text_upsets_the_reader(text in ".{0,300}") {
        let _ = text.parse::<InclusionProof>();
        let _ = format!("{HEADER}\n{text}").parse::<InclusionProof>();
    }
}
