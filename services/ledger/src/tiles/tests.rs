use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::tree::{consistency_spans, inclusion_spans, leaf_hash, verify_consistency, verify_inclusion};

fn leaf(n: u64) -> Hash {
    leaf_hash(&n.to_be_bytes())
}

/// A growing tree that keeps all its tiles.
#[derive(Default)]
struct Grown {
    frontier: Frontier,
    full: BTreeMap<(u8, u64), Vec<Hash>>,
}

impl Grown {
    fn of(size: u64) -> Self {
        let mut grown = Self::default();
        let mut full = Vec::new();
        for n in 0..size {
            grown.frontier.push(leaf(n), &mut full);
        }
        grown.full = full.into_iter().map(|tile| ((tile.id.level, tile.id.index), tile.hashes)).collect();
        grown
    }

    fn set(&self, spans: &[Span]) -> TileSet {
        let mut set = TileSet::default();
        for id in tiles_for(spans, self.frontier.size()) {
            let partial = || self.frontier.partial()[usize::from(id.level)].clone();
            let hashes = self.full.get(&(id.level, id.index)).cloned().unwrap_or_else(partial);
            assert_eq!(hashes.len(), usize::from(id.width));
            set.add(id.level, id.index, hashes);
        }
        set
    }
}

#[test]
fn paths_are_those_of_the_specification() {
    let id = |index, width| TileId { level: 3, index, width };
    for (tile, expect) in [
        (id(0, 256), "tile/3/000"),
        (id(999, 256), "tile/3/999"),
        (id(1_234_067, 256), "tile/3/x001/x234/067"),
        (id(1_234_067, 5), "tile/3/x001/x234/067.p/5"),
    ] {
        assert_eq!(tile.path(), expect);
    }
    assert_eq!(id(1_000, 7).bundle_path(), "tile/entries/x001/000.p/7");
}

#[test]
fn a_tree_of_70000_has_the_tiles_of_the_specification() {
    let widths = |level| {
        let tiles: Vec<_> = (0..).map_while(|index| tile_at(level, index, 70_000)).collect();
        let full = tiles.iter().filter(|tile| tile.is_full()).count();
        (full, tiles.last().map(|tile| tile.width))
    };
    assert_eq!(widths(0), (273, Some(112)));
    assert_eq!(widths(1), (1, Some(17)));
    assert_eq!(widths(2), (0, Some(1)));
    assert_eq!(levels(70_000), 3);
    assert_eq!((levels(0), levels(1), levels(255), levels(256)), (0, 1, 1, 2));
    assert_eq!(tile_at(0, 0, 256).map(|tile| tile.width), Some(256));
    assert_eq!(tile_at(0, 1, 256), None);
    assert_eq!(tile_at(1, 0, 256).map(|tile| tile.width), Some(1));
}

#[test]
fn the_frontier_gives_the_root_at_every_size_and_can_be_taken_up_again() {
    let mut range = CompactRange::default();
    let mut frontier = Frontier::default();
    let mut full = Vec::new();
    for n in 0..1_100 {
        assert_eq!(frontier.root(), range.root(), "{n}");
        range.push(leaf(n));
        frontier.push(leaf(n), &mut full);
        let resumed = Frontier::resume(n + 1, frontier.partial().to_vec());
        assert_eq!(resumed.as_ref(), Some(&frontier));
        assert_eq!(Frontier::resume(n + 2, frontier.partial().to_vec()), None);
    }
    assert_eq!(full.len(), 4);
    assert!(full.iter().all(|tile| tile.hashes.len() == 256 && tile.root == tile_root(&tile.hashes)));
}

#[test]
fn a_tree_of_three_levels_answers_from_its_tiles() {
    let grown = Grown::of(66_000);
    let (size, root) = (grown.frontier.size(), grown.frontier.root());
    assert_eq!(grown.frontier.root(), CompactRange::over((0..size).map(leaf)).root());
    for index in [0, 255, 256, 65_535, 65_536, 65_999] {
        let spans = inclusion_spans(index, size).unwrap();
        let proof = grown.set(&spans).answer(&spans).unwrap();
        verify_inclusion(index, size, &leaf(index), &proof, &root).unwrap();
    }
    for old in [1, 256, 65_536, 65_537, 66_000] {
        let spans = consistency_spans(old, size).unwrap();
        let proof = grown.set(&spans).answer(&spans).unwrap();
        let old_root = CompactRange::over((0..old).map(leaf)).root();
        verify_consistency(old, size, &old_root, &root, &proof).unwrap();
        let whole = [Span { start: 0, end: old }];
        assert_eq!(grown.set(&whole).answer(&whole), Some(vec![old_root]));
    }
    assert_eq!(TileSet::default().answer(&[Span { start: 0, end: 1 }]), None);
}

#[test]
fn proofs_of_all_small_trees_come_from_tiles() {
    for size in 1..=300 {
        let grown = Grown::of(size);
        for index in 0..size {
            let spans = inclusion_spans(index, size).unwrap();
            let proof = grown.set(&spans).answer(&spans).unwrap();
            verify_inclusion(index, size, &leaf(index), &proof, &grown.frontier.root()).unwrap();
        }
    }
}

proptest! {
    #[test]
    fn bundles_and_tiles_come_back(entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..40), cut in any::<prop::sample::Index>()) {
        let width = entries.len() as u16;
        let bytes = encode_bundle(&entries).unwrap();
        prop_assert_eq!(decode_bundle(&bytes, width).unwrap(), entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert!(decode_bundle(&bytes, width + 1).is_none());
        prop_assert!(decode_bundle(&bytes[..cut.index(bytes.len())], width).is_none());
        let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let bytes = encode_tile(&hashes);
        prop_assert_eq!(decode_tile(&bytes, width), Some(hashes));
        prop_assert!(decode_tile(&bytes[..cut.index(bytes.len())], width).is_none());
    }

    #[test]
    fn no_bytes_upset_the_decoders(bytes in prop::collection::vec(any::<u8>(), 0..600), width in 0_u16..300) {
        let _ = decode_bundle(&bytes, width);
        let _ = decode_tile(&bytes, width);
    }
}

#[test]
fn a_path_names_one_file_and_a_file_one_path() {
    for path in [
        "checkpoint",
        "tile/0/000",
        "tile/0/x001/x234/067",
        "tile/3/000.p/1",
        "tile/entries/x001/000.p/255",
        "keys/007",
    ] {
        let found = Published::of_path(path).unwrap_or_else(|| panic!("{path}"));
        let again = match found {
            Published::Checkpoint => "checkpoint".to_owned(),
            Published::KeyChange(number) => format!("keys/{number:03}"),
            Published::Tile(id) => id.path(),
            Published::Bundle(id) => id.bundle_path(),
        };
        assert_eq!(again, path);
    }
    for path in [
        "",
        "tile",
        "tile/0/0",
        "tile/00/000",
        "tile/0/x000/001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000/",
        "tile/0/../000",
        "tile/-1/000",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/entries/+01",
        "checkpoint/",
        "keys/000",
        "keys/7",
        "keys/+01",
    ] {
        assert_eq!(Published::of_path(path), None, "{path}");
    }
    let all: Vec<Published> = all_of(70_000).collect();
    assert_eq!(all.len(), 274 + 274 + 2 + 1, "bundles, and tiles of three levels");
}
