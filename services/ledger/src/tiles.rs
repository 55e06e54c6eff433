//! C2SP tlog-tiles: the tree cut into tiles of 256 hashes, and the entries into bundles of 256.
//!
//! A tile of level 0 holds leaf hashes; one of level L holds the hashes of full tiles of the level below. The last tile of a
//! level may be partial. Any proof can be computed from a few tiles, so the log serves files and computes nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{CompactRange, Hash, Node, Span, bag, empty_root};

#[cfg(test)]
mod tests;

/// How many hashes a full tile holds, and how many entries a full bundle.
pub const TILE_WIDTH: u64 = 256;

/// The height of a tile: 256 is two to the 8th.
const TILE_HEIGHT: u8 = 8;

/// One tile: its level, its index within the level and how many hashes it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// The level; leaf hashes are level 0.
    pub level: u8,
    /// The index within the level.
    pub index: u64,
    /// How many hashes it holds: 256, or fewer for a partial tile.
    pub width: u16,
}

impl TileId {
    /// The tile's path: `tile/0/x001/x234/067.p/5`.
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, self.tail())
    }

    /// The path of the entry bundle with the same index and width: `tile/entries/x001/x234/067.p/5`.
    pub fn bundle_path(&self) -> String {
        format!("tile/entries/{}", self.tail())
    }

    /// Whether it holds all it can.
    pub fn is_full(&self) -> bool {
        u64::from(self.width) == TILE_WIDTH
    }

    /// The same tile when it will be full.
    #[must_use]
    pub const fn full(self) -> Self {
        Self { width: TILE_WIDTH as u16, ..self }
    }

    fn tail(&self) -> String {
        let mut path = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            path = format!("x{:03}/{path}", rest % 1000);
            rest /= 1000;
        }
        if self.is_full() { path } else { format!("{path}.p/{}", self.width) }
    }
}

/// One of the files that a log publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The signed head of the tree.
    Checkpoint,
    /// A change of the log's signing key, from 1: `keys/001`.
    KeyChange(u16),
    /// A tile of hashes.
    Tile(TileId),
    /// A bundle of entries.
    Bundle(TileId),
}

impl Published {
    /// The file of a path, if it is one of tlog-tiles, spelt in the one way it may be.
    pub fn of_path(path: &str) -> Option<Self> {
        if path == "checkpoint" {
            return Some(Self::Checkpoint);
        }
        if let Some(number) = path.strip_prefix("keys/") {
            let change = number.parse().ok().filter(|number| *number > 0).map(Self::KeyChange);
            return change.filter(|_| number.len() == 3 && number.bytes().all(|digit| digit.is_ascii_digit()));
        }
        let (level, tail) = path.strip_prefix("tile/")?.split_once('/')?;
        let (parts, width) = match tail.rsplit_once(".p/") {
            Some((parts, width)) => (parts, width.parse().ok().filter(|width| (1..TILE_WIDTH).contains(width))?),
            None => (tail, TILE_WIDTH),
        };
        let mut index: u64 = 0;
        for part in parts.split('/') {
            let digits: u64 = part.strip_prefix('x').unwrap_or(part).parse().ok()?;
            index = index.checked_mul(1000)?.checked_add(digits)?;
        }
        let level_or_none = if level == "entries" { None } else { Some(level.parse().ok()?) };
        let id = TileId { level: level_or_none.unwrap_or(0), index, width: width as u16 };
        let (found, spelt) = match level_or_none {
            Some(_) => (Self::Tile(id), id.path()),
            None => (Self::Bundle(id), id.bundle_path()),
        };
        (spelt == path).then_some(found)
    }
}

/// Everything that a log with a tree of `size` leaves publishes beside its checkpoint: bundles, and tiles of every level.
pub fn all_of(size: u64) -> impl Iterator<Item = Published> {
    let of_level = move |level: u8| (0..).map_while(move |index| tile_at(level, index, size));
    of_level(0).map(Published::Bundle).chain((0..levels(size)).flat_map(of_level).map(Published::Tile))
}

/// How many hashes a level has in all its tiles, for a tree of `size` leaves.
pub fn level_width(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0)
}

/// How many levels of tiles a tree of `size` leaves has.
pub fn levels(size: u64) -> u8 {
    // Eight levels hold 2^64 leaves.
    (0..8).find(|level| level_width(*level, size) == 0).unwrap_or(8)
}

/// The tile of that level and index in a tree of `size` leaves, with the width it has there; `None` if it would be empty.
pub fn tile_at(level: u8, index: u64, size: u64) -> Option<TileId> {
    let width = level_width(level, size).checked_sub(index.checked_mul(TILE_WIDTH)?)?;
    (width > 0).then(|| TileId { level, index, width: width.min(TILE_WIDTH) as u16 })
}

/// The root over the hashes of one tile.
pub fn tile_root(hashes: &[Hash]) -> Hash {
    CompactRange::over(hashes.iter().copied()).root()
}

/// The unfinished tile of each level of a growing tree: all that is needed to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    partial: Vec<Vec<Hash>>,
}

/// A tile that has just become full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullTile {
    /// Which one.
    pub id: TileId,
    /// Its 256 hashes.
    pub hashes: Vec<Hash>,
    /// The root over them: the next hash of the level above.
    pub root: Hash,
}

impl Frontier {
    /// Takes up a tree of `size` leaves, given the hashes of the partial tile of each level. `None` if their numbers do not
    /// belong to that size.
    pub fn resume(size: u64, partial: Vec<Vec<Hash>>) -> Option<Self> {
        let wanted = (0..levels(size)).map(|level| level_width(level, size) % TILE_WIDTH);
        let fits = partial.len() == usize::from(levels(size))
            && wanted.zip(&partial).all(|(width, hashes)| width == hashes.len() as u64);
        fits.then_some(Self { size, partial })
    }

    /// How many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of the partial tile of each level, from the lowest.
    pub fn partial(&self) -> &[Vec<Hash>] {
        &self.partial
    }

    /// Takes in one more leaf hash; tiles that it fills are added to `full`.
    pub fn push(&mut self, leaf: Hash, full: &mut Vec<FullTile>) {
        self.size += 1;
        let mut hash = leaf;
        for level in 0_u8.. {
            let at = usize::from(level);
            if self.partial.len() <= at {
                self.partial.push(Vec::new());
            }
            let Some(hashes) = self.partial.get_mut(at) else {
                return;
            };
            hashes.push(hash);
            if (hashes.len() as u64) < TILE_WIDTH {
                return;
            }
            let hashes = std::mem::take(hashes);
            let root = tile_root(&hashes);
            let index = level_width(level + 1, self.size) - 1;
            let id = TileId { level, index, width: TILE_WIDTH as u16 };
            full.push(FullTile { id, hashes, root });
            hash = root;
        }
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let parts: Vec<Hash> =
            self.partial.iter().rev().filter(|hashes| !hashes.is_empty()).flat_map(|hashes| peaks(hashes)).collect();
        bag(&parts).unwrap_or_else(empty_root)
    }
}

/// The roots of the perfect subtrees that a run of hashes fills, largest first.
fn peaks(hashes: &[Hash]) -> Vec<Hash> {
    let mut rest = hashes;
    let mut peaks = Vec::new();
    while !rest.is_empty() {
        let (perfect, behind) = rest.split_at(1 << rest.len().ilog2());
        peaks.push(tile_root(perfect));
        rest = behind;
    }
    peaks
}

/// Where the hash of a perfect subtree comes from: some neighbouring hashes of one tile.
struct Place {
    level: u8,
    tile: u64,
    from: usize,
    count: usize,
}

fn place(node: Node) -> Place {
    let level = node.height / TILE_HEIGHT;
    let inside = node.height % TILE_HEIGHT;
    let first = node.index << inside;
    Place { level, tile: first / TILE_WIDTH, from: (first % TILE_WIDTH) as usize, count: 1 << inside }
}

/// The tiles needed to answer for these spans in a tree of `size` leaves.
pub fn tiles_for(spans: &[Span], size: u64) -> BTreeSet<TileId> {
    spans
        .iter()
        .flat_map(|span| span.nodes())
        .map(place)
        .filter_map(|place| tile_at(place.level, place.tile, size))
        .collect()
}

/// Some tiles of a tree, enough for the spans they were fetched for.
#[derive(Clone, Debug, Default)]
pub struct TileSet(BTreeMap<(u8, u64), Vec<Hash>>);

impl TileSet {
    /// Adds the hashes of a tile.
    pub fn add(&mut self, level: u8, index: u64, hashes: Vec<Hash>) {
        self.0.insert((level, index), hashes);
    }

    /// The hashes of the spans; `None` if a tile is missing or too short.
    pub fn answer(&self, spans: &[Span]) -> Option<Vec<Hash>> {
        spans.iter().map(|span| self.span(*span)).collect()
    }

    fn span(&self, span: Span) -> Option<Hash> {
        let parts = span.nodes().into_iter().map(|node| self.node(node)).collect::<Option<Vec<Hash>>>()?;
        bag(&parts)
    }

    fn node(&self, node: Node) -> Option<Hash> {
        let place = place(node);
        let hashes = self.0.get(&(place.level, place.tile))?;
        let hashes = hashes.get(place.from..place.from + place.count)?;
        Some(tile_root(hashes))
    }
}

/// The bytes of a tile.
pub fn encode_tile(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// The hashes of a tile's bytes; `None` unless there are exactly `width`.
pub fn decode_tile(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() == usize::from(width)).then(|| hashes.iter().map(|bytes| Hash(*bytes)).collect())
}

/// The bytes of an entry bundle: each entry behind its length, two bytes, the greater first. `None` if an entry is too long.
pub fn encode_bundle(entries: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend(u16::try_from(entry.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Some(bytes)
}

/// The entries of a bundle; `None` unless there are exactly `width`.
pub fn decode_bundle(bytes: &[u8], width: u16) -> Option<Vec<&[u8]>> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, behind) = behind.split_at_checked(length)?;
        entries.push(entry);
        rest = behind;
    }
    (rest.is_empty() && entries.len() == usize::from(width)).then_some(entries)
}
