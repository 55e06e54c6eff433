//! The ledger as files: C2SP tlog-tiles under a folder, which any web server can serve and anyone can verify.
//!
//! Tiles and bundles never change once written, so they are written once and a file that is there with other bytes is
//! refused. The checkpoint comes last: whoever reads it finds all it needs.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead as _, Read as _, Write as _},
    path::{Path, PathBuf},
};

use model::DisclosureId;

use crate::{
    checkpoint::SignedCheckpoint,
    entry::Leaf,
    error::Error,
    note::{NOTE_BYTES_MAX, VerifierKey},
    opened::{OpenedEntry, OpenedTerms},
    tiles::{TILE_WIDTH, TileId, decode_bundle, decode_tile, tile_at},
    tree::{Hash, leaf_hash},
    verify::{Finding, Replay, Report},
};

/// Where details are written, when they are.
pub(crate) const DETAILS: &str = "details.ndjson";

/// Where terms are written, beside details.
pub(crate) const TERMS: &str = "terms.ndjson";

/// No bundle is longer: 256 entries of 65535 bytes, each behind its length.
pub const BUNDLE_BYTES_MAX: u64 = TILE_WIDTH * (2 + u16::MAX as u64);

const CHECKPOINT: &str = "checkpoint";

/// An exported ledger.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at that path; it may not exist yet.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The checkpoint's text, if there is one.
    pub fn find_checkpoint(&self) -> Result<Option<String>, Error> {
        const WHAT: &str = "the checkpoint";
        let path = self.root.join(CHECKPOINT);
        match fs::metadata(&path) {
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(other) => Err(Error::file(WHAT)(other)),
            Ok(about) if about.len() > NOTE_BYTES_MAX as u64 => Err(Error::Invalid("the checkpoint is too long")),
            Ok(_) => fs::read_to_string(path).map(Some).map_err(Error::file(WHAT)),
        }
    }

    /// The notes by which the log changed its key, the oldest first.
    pub fn key_changes(&self) -> Result<Vec<String>, Error> {
        let mut changes = Vec::new();
        for number in 1..=crate::rotation::KEY_CHANGES_MAX {
            let Some(bytes) = self.read(&format!("keys/{number:03}"))? else { break };
            changes.push(String::from_utf8(bytes).map_err(|_| Error::Invalid("a change of key is no text"))?);
        }
        Ok(changes)
    }

    /// Writes the checkpoint over the last one.
    pub(crate) fn write_checkpoint(&self, text: &str) -> Result<(), Error> {
        self.replace(CHECKPOINT, text.as_bytes()).map_err(Error::file("the checkpoint"))
    }

    /// Writes a tile or bundle that is not there yet.
    pub(crate) fn write_once(&self, path: &str, bytes: &[u8]) -> Result<(), Error> {
        match fs::read(self.root.join(path)) {
            Ok(present) if present == bytes => Ok(()),
            Ok(_) => {
                Err(Error::Diverged("the folder holds other tiles than the ledger gives: one of them was changed"))
            }
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                self.replace(path, bytes).map_err(Error::file("a tile"))
            }
            Err(other) => Err(Error::file("a tile")(other)),
        }
    }

    /// Begins a file of lines that replaces the one of that name when it is complete.
    pub(crate) fn begin_lines(&self, name: &'static str) -> Result<Lines, Error> {
        fs::create_dir_all(&self.root).map_err(Error::file(name))?;
        let path = self.root.join(name);
        let unfinished = beside(&path);
        let file = private_file(&unfinished).map_err(Error::file(name))?;
        Ok(Lines { file: io::BufWriter::new(file), unfinished, path, name })
    }

    fn replace(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.root.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let unfinished = beside(&path);
        let mut file = fs::File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(unfinished, path)
    }

    /// The bytes of a tile or bundle; of one that is longer than any can be, as many as show it.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut bytes = Vec::new();
        let read = fs::File::open(self.root.join(path)).and_then(|file| {
            let mut file = file.take(BUNDLE_BYTES_MAX + 1);
            file.read_to_end(&mut bytes)
        });
        match read {
            Ok(_) => Ok(Some(bytes)),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(other) => Err(Error::file("a tile")(other)),
        }
    }

    /// The hashes of a tile. A partial tile may have been dropped for the full one, which begins with it.
    pub fn find_tile(&self, id: TileId) -> Result<Option<Vec<Hash>>, Error> {
        if let Some(bytes) = self.read(&id.path())? {
            return Ok(decode_tile(&bytes, id.width));
        }
        let full = id.full();
        Ok(self.read(&full.path())?.and_then(|bytes| {
            let mut hashes = decode_tile(&bytes, full.width)?;
            hashes.truncate(usize::from(id.width));
            Some(hashes)
        }))
    }

    /// The leaves of an entry bundle, as bytes.
    pub fn find_bundle(&self, id: TileId) -> Result<Option<Vec<Vec<u8>>>, Error> {
        let own = |entries: Vec<&[u8]>| entries.into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
        if let Some(bytes) = self.read(&id.bundle_path())? {
            return Ok(decode_bundle(&bytes, id.width).map(own));
        }
        let full = id.full();
        Ok(self.read(&full.bundle_path())?.and_then(|bytes| {
            let mut entries = decode_bundle(&bytes, full.width).map(own)?;
            entries.truncate(usize::from(id.width));
            Some(entries)
        }))
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".unfinished");
    PathBuf::from(name)
}

fn private_file(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// A file of JSON lines on its way; readable by its owner only, since details are personal.
pub(crate) struct Lines {
    file: io::BufWriter<fs::File>,
    unfinished: PathBuf,
    path: PathBuf,
    name: &'static str,
}

impl Lines {
    pub(crate) fn write(&mut self, line: &impl serde::Serialize) -> Result<(), Error> {
        serde_json::to_writer(&mut self.file, line)
            .map_err(io::Error::from)
            .and_then(|()| self.file.write_all(b"\n"))
            .map_err(Error::file(self.name))
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        let file = self.file.into_inner().map_err(|error| Error::file(self.name)(error.into_error()))?;
        file.sync_all().and_then(|()| fs::rename(&self.unfinished, &self.path)).map_err(Error::file(self.name))
    }
}

/// Verifies an exported ledger, without a database and without trusting who exported it: each entry against its leaf hash, each
/// tile against the one below, the root against the checkpoint, and against every checkpoint that was kept.
///
/// Fails only if it cannot read; whatever is wrong is in the report.
pub fn verify_folder(root: &Path, trusted: &[VerifierKey], kept: &[SignedCheckpoint]) -> Result<Report, Error> {
    let folder = Folder::new(root);
    let text = folder.find_checkpoint()?.ok_or(Error::NotFound("checkpoint in this folder"))?;
    let mut replay = Replay::new(kept);
    let head = match SignedCheckpoint::open(&text, trusted) {
        Ok(head) => head,
        Err(why) => {
            replay.find(Finding::CheckpointUntrusted { size: None, why });
            return Ok(replay.finish());
        }
    };
    replay.expect(head.size(), head.root(), crate::verify::Keeper::Ledger);
    let mut opened = OpenedLines::begin(&folder)?;
    let mut upper = UpperTiles { folder: &folder, size: head.size(), tiles: BTreeMap::new() };
    for index in 0..head.size().div_ceil(TILE_WIDTH) {
        let Some(id) = tile_at(0, index, head.size()) else {
            break;
        };
        if !check_block(&folder, id, &mut replay, &mut upper, &mut opened)? {
            break;
        }
    }
    if replay.size() == head.size() {
        upper.compare_partial(&mut replay)?;
    }
    Ok(replay.finish())
}

/// One bundle against its tile. False if neither is there, so that nothing behind it can be checked.
fn check_block(
    folder: &Folder,
    id: TileId,
    replay: &mut Replay,
    upper: &mut UpperTiles<'_>,
    opened: &mut OpenedLines,
) -> Result<bool, Error> {
    let hashes = folder.find_tile(id)?;
    let bundle = folder.find_bundle(id)?;
    if hashes.is_none() {
        replay.find(Finding::FileBroken { path: id.path() });
    }
    if bundle.is_none() {
        replay.find(Finding::FileBroken { path: id.bundle_path() });
    }
    let first = id.index * TILE_WIDTH;
    for at in 0..usize::from(id.width) {
        let leaf_index = first + at as u64;
        let entry = bundle.as_ref().and_then(|entries| entries.get(at));
        let in_tile = hashes.as_ref().and_then(|hashes| hashes.get(at)).copied();
        let of_entry = entry.map(|bytes| leaf_hash(bytes));
        let Some(hash) = in_tile.or(of_entry) else {
            return Ok(false);
        };
        let leaf = entry.and_then(|bytes| Leaf::from_bytes(bytes));
        if of_entry.is_some_and(|of_entry| of_entry != hash) || (entry.is_some() && leaf.is_none()) {
            let entry = leaf.map_or(DisclosureId(uuid::Uuid::nil()), |leaf| leaf.id);
            replay.find(Finding::EntryAltered { leaf_index, entry, parts: vec![crate::verify::Part::Leaf] });
        }
        opened.compare(leaf_index, &hash, replay)?;
        for tile in replay.push(hash) {
            let stored = upper.hash(tile.id.level + 1, tile.id.index)?;
            replay.compare_block(&tile, stored);
        }
    }
    Ok(true)
}

/// The tiles above level 0, the current one of each level.
struct UpperTiles<'a> {
    folder: &'a Folder,
    size: u64,
    tiles: BTreeMap<u8, (u64, Vec<Hash>)>,
}

impl UpperTiles<'_> {
    fn hash(&mut self, level: u8, position: u64) -> Result<Option<Hash>, Error> {
        let index = position / TILE_WIDTH;
        if self.tiles.get(&level).is_none_or(|(current, _)| *current != index) {
            let hashes = match tile_at(level, index, self.size) {
                Some(id) => self.folder.find_tile(id)?,
                None => None,
            };
            self.tiles.insert(level, (index, hashes.unwrap_or_default()));
        }
        let within = (position % TILE_WIDTH) as usize;
        Ok(self.tiles.get(&level).and_then(|(_, hashes)| hashes.get(within)).copied())
    }

    /// The partial tiles at the end hold no more than the tree gives; each of their hashes was compared when it arose, so what is
    /// left to see is that the file is there.
    fn compare_partial(&mut self, replay: &mut Replay) -> Result<(), Error> {
        let partial = replay.frontier().partial().to_vec();
        for (level, hashes) in (0_u8..).zip(partial).skip(1) {
            if hashes.is_empty() {
                continue;
            }
            let index = crate::tiles::level_width(level, self.size) / TILE_WIDTH;
            if let Some(id) = tile_at(level, index, self.size)
                && self.folder.find_tile(id)?.as_ref() != Some(&hashes)
            {
                replay.find(Finding::FileBroken { path: id.path() });
            }
        }
        Ok(())
    }
}

/// The exported details, if there are any, read beside the tiles.
struct OpenedLines {
    lines: Option<io::Lines<io::BufReader<fs::File>>>,
    terms: BTreeMap<Hash, TermsState>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TermsState {
    Unaltered,
    Altered,
    Reported,
}

impl OpenedLines {
    fn begin(folder: &Folder) -> Result<Self, Error> {
        let mut terms = BTreeMap::new();
        for line in lines_of(&folder.root.join(TERMS), TERMS)?.into_iter().flatten() {
            let line = line.map_err(Error::file(TERMS))?;
            let opened: OpenedTerms =
                serde_json::from_str(&line).map_err(|_| Error::Invalid("a line of terms.ndjson is not terms"))?;
            let state = if opened.is_unaltered() { TermsState::Unaltered } else { TermsState::Altered };
            terms.insert(opened.terms, state);
        }
        Ok(Self { lines: lines_of(&folder.root.join(DETAILS), DETAILS)?, terms })
    }

    fn compare(&mut self, leaf_index: u64, in_tree: &Hash, replay: &mut Replay) -> Result<(), Error> {
        let Some(lines) = &mut self.lines else {
            return Ok(());
        };
        let Some(line) = lines.next().transpose().map_err(Error::file(DETAILS))? else {
            replay.find(Finding::FileBroken { path: DETAILS.to_owned() });
            self.lines = None;
            return Ok(());
        };
        // Which part of a line is broken is not said: the parser's message could quote it.
        let opened: OpenedEntry =
            serde_json::from_str(&line).map_err(|_| Error::Invalid("a line of details.ndjson is not an entry"))?;
        let entry = DisclosureId(opened.entry_id);
        if opened.leaf_index != leaf_index {
            replay.find(Finding::Reordered { leaf_index, entry });
        }
        let parts = opened.altered(in_tree);
        if !parts.is_empty() {
            replay.find(Finding::EntryAltered { leaf_index, entry, parts });
        }
        let state = self.terms.entry(opened.terms).or_insert(TermsState::Altered);
        if *state == TermsState::Altered {
            *state = TermsState::Reported;
            replay.find(Finding::TermsAltered { leaf_index, terms: opened.terms });
        }
        Ok(())
    }
}

fn lines_of(path: &Path, name: &'static str) -> Result<Option<io::Lines<io::BufReader<fs::File>>>, Error> {
    match fs::File::open(path) {
        Ok(file) => Ok(Some(io::BufReader::new(file).lines())),
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(other) => Err(Error::file(name)(other)),
    }
}
