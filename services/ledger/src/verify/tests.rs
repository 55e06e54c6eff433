use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;
use crate::{
    entry::{Entry, tests::disclosure},
    folder::{Folder, verify_folder},
    note::{KeyUse, Signer, VerifierKey},
    tiles::{encode_bundle, encode_tile, tile_at},
};

fn signer() -> Signer {
    Signer::from_seed("exchange.example/ledger", KeyUse::Log, &[7; 32]).unwrap()
}

fn trusted() -> Vec<VerifierKey> {
    vec![signer().public().clone()]
}

fn entries(count: u64) -> Vec<Entry> {
    (0..count).map(disclosure).collect()
}

fn head(entries: &[Entry]) -> SignedCheckpoint {
    let root = CompactRange::over(entries.iter().map(|entry| entry.leaf().hash())).root();
    SignedCheckpoint::sign(&signer(), entries.len() as u64, root)
}

/// Writes entries as an exporting ledger would: every tile, bundle and checkpoint in agreement.
fn write(dir: &Path, entries: &[Entry]) {
    let folder = Folder::new(dir);
    let size = entries.len() as u64;
    let mut frontier = Frontier::default();
    let mut full = Vec::new();
    for entry in entries {
        frontier.push(entry.leaf().hash(), &mut full);
    }
    for tile in full {
        folder.write_once(&tile.id.path(), &encode_tile(&tile.hashes)).unwrap();
    }
    for (level, hashes) in (0_u8..).zip(frontier.partial()).filter(|(_, hashes)| !hashes.is_empty()) {
        let index = crate::tiles::level_width(level, size) / TILE_WIDTH;
        let id = tile_at(level, index, size).unwrap();
        folder.write_once(&id.path(), &encode_tile(hashes)).unwrap();
    }
    for (index, block) in (0..).zip(entries.chunks(256)) {
        let leaves: Vec<Vec<u8>> = block.iter().map(|entry| entry.leaf().to_bytes()).collect();
        let id = tile_at(0, index, size).unwrap();
        folder.write_once(&id.bundle_path(), &encode_bundle(&leaves).unwrap()).unwrap();
    }
    folder.write_checkpoint(&head(entries).note().to_string()).unwrap();
}

fn report(dir: &Path, kept: &[SignedCheckpoint]) -> Report {
    verify_folder(dir, &trusted(), kept).unwrap()
}

#[test]
fn an_honest_export_is_content_against_every_kept_checkpoint() {
    let entries = entries(600);
    for size in [1, 2, 255, 256, 257, 512, 600] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &entries[..size]);
        let kept: Vec<_> = [1, size / 2, size].iter().map(|size| head(&entries[..*size])).collect();
        let report = report(dir.path(), &kept);
        assert!(report.is_content(), "{size}: {:?}", report.findings);
        assert_eq!((report.entries, report.heads), (size as u64, 4));
    }
}

#[test]
fn an_empty_ledger_is_content() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &[]);
    assert!(report(dir.path(), &[head(&[])]).is_content());
}

#[test]
fn an_edited_entry_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut entries = entries(300);
    write(dir.path(), &entries);
    entries[270].detail.student = None;
    let block: Vec<Vec<u8>> = entries[256..].iter().map(|entry| entry.leaf().to_bytes()).collect();
    let path = tile_at(0, 1, 300).unwrap().bundle_path();
    fs::write(dir.path().join(path), encode_bundle(&block).unwrap()).unwrap();
    let expect = Finding::EntryAltered { leaf_index: 270, entry: entries[270].id, parts: vec![Part::Leaf] };
    assert_eq!(report(dir.path(), &[]).findings, [expect]);
}

/// The tail is cut, and tiles and checkpoint are made anew with the ledger's own key: only who kept a checkpoint can tell.
#[test]
fn a_cut_tail_shows_against_a_kept_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let entries = entries(300);
    write(dir.path(), &entries[..290]);
    assert!(report(dir.path(), &[]).is_content());
    let kept = [head(&entries[..100]), head(&entries)];
    let expect = Finding::Cut { size: 300, present: 290, keeper: Keeper::Outside };
    assert_eq!(report(dir.path(), &kept).findings, [expect]);
}

/// One entry is rewritten, and everything is recomputed and signed with the ledger's own key.
#[test]
fn a_recomputed_history_shows_against_a_kept_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let honest = entries(300);
    let mut rewritten = honest.clone();
    rewritten[120].detail.student = None;
    write(dir.path(), &rewritten);
    assert!(report(dir.path(), &[]).is_content());
    let kept = [head(&honest[..100]), head(&honest[..200]), head(&honest)];
    let differs = |size| Finding::HeadDiffers { size, agreed: 100, keeper: Keeper::Outside };
    assert_eq!(report(dir.path(), &kept).findings, [differs(200), differs(300)]);
}

#[test]
fn an_exchanged_order_shows_against_a_kept_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let honest = entries(20);
    let mut exchanged = honest.clone();
    exchanged.swap(3, 4);
    write(dir.path(), &exchanged);
    assert!(!report(dir.path(), &[head(&honest)]).is_content());
}

#[test]
fn a_checkpoint_by_another_key_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let entries = entries(3);
    write(dir.path(), &entries);
    let other = Signer::from_seed("exchange.example/ledger", KeyUse::Log, &[8; 32]).unwrap();
    let root = head(&entries).root();
    Folder::new(dir.path()).write_checkpoint(&SignedCheckpoint::sign(&other, 3, root).note().to_string()).unwrap();
    let expect = Finding::CheckpointUntrusted { size: None, why: NoteError::Unsigned };
    assert_eq!(report(dir.path(), &[]).findings, [expect]);
}

#[test]
fn missing_and_short_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &entries(600));
    let tile = tile_at(0, 1, 600).unwrap();
    fs::remove_file(dir.path().join(tile.path())).unwrap();
    let upper = tile_at(1, 0, 600).unwrap();
    fs::write(dir.path().join(upper.path()), [0; 31]).unwrap();
    let findings = report(dir.path(), &[]).findings;
    for path in [tile.path(), upper.path()] {
        assert!(findings.contains(&Finding::FileBroken { path }), "{findings:?}");
    }
    fs::remove_file(dir.path().join(tile.bundle_path())).unwrap();
    assert!(!report(dir.path(), &[]).is_content());
    let nowhere = verify_folder(&dir.path().join("nowhere"), &trusted(), &[]);
    assert!(nowhere.is_err());
}

#[test]
fn a_tile_is_never_overwritten_with_another() {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::new(dir.path());
    folder.write_once("tile/0/000", b"one").unwrap();
    folder.write_once("tile/0/000", b"one").unwrap();
    assert!(folder.write_once("tile/0/000", b"two").is_err());
}

/// Every byte of every file of an export, changed one at a time, is noticed.
#[test]
fn any_changed_byte_of_an_export_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), &entries(258));
    let kept = [head(&entries(258))];
    let mut paths = Vec::new();
    files_below(dir.path(), &mut paths);
    assert_eq!(paths.len(), 6);
    for path in paths {
        let good = fs::read(&path).unwrap();
        let step = (good.len() / 40).max(1);
        for at in (0..good.len()).step_by(step) {
            let mut bent = good.clone();
            bent[at] ^= 1;
            fs::write(&path, &bent).unwrap();
            let noticed = verify_folder(dir.path(), &trusted(), &kept).map_or(true, |report| !report.is_content());
            assert!(noticed, "{} byte {at}", path.display());
        }
        fs::write(&path, &good).unwrap();
    }
    assert!(report(dir.path(), &kept).is_content());
}

fn files_below(dir: &Path, paths: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, paths) } else { paths.push(path) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is done to a history before everything is recomputed: a checkpoint kept behind the change tells.
    #[test]
    fn any_rewriting_shows_against_a_kept_checkpoint(size in 2_u64..40, at in any::<prop::sample::Index>(), how in 0..3) {
        let honest = entries(size);
        let at = at.index(honest.len());
        let mut rewritten = honest.clone();
        match how {
            0 => { rewritten.remove(at); }
            1 => rewritten.insert(at, disclosure(1_000)),
            _ => rewritten[at] = disclosure(1_000),
        }
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), &rewritten);
        prop_assert!(report(dir.path(), &[]).is_content());
        prop_assert!(!report(dir.path(), &[head(&honest)]).is_content());
    }
}
