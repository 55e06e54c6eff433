//! Verification and export of the database's ledger.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use model::DisclosureId;
use sqlx::PgConnection;

use crate::{
    checkpoint::SignedCheckpoint,
    entry::Kind,
    error::Error,
    folder::{DETAILS, Folder, TERMS},
    note::{NoteError, VerifierKey},
    sequencer::root_of,
    store::{
        audit::{self, Position},
        read, sequence,
        sequence::{Place, StoredCheckpoint},
    },
    tiles::{TILE_WIDTH, encode_bundle, encode_tile, level_width, levels, tile_at},
    tree::{CompactRange, Hash, leaf_hash},
    verify::{FINDINGS_MAX, Finding, Keeper, Part, Replay, Report},
};

/// How many positions are read at once.
const PAGE: u32 = 4_096;

/// Holds every row of the ledger against what was committed to, the tree against the rows, and every signed checkpoint, the
/// ledger's own and those `kept` outside, against the tree.
///
/// Fails only if it cannot read; whatever is wrong is in the report, each entry by id and position.
#[tracing::instrument(name = "ledger.verify", skip_all, fields(kept = kept.len()))]
pub async fn verify(
    conn: &mut PgConnection,
    trusted: &[VerifierKey],
    kept: &[SignedCheckpoint],
) -> Result<Report, Error> {
    let mut audit = Audit {
        replay: Replay::new(kept),
        trusted,
        last: Place::START,
        eras: audit::list_eras(conn).await?.into_iter().collect(),
        terms: BTreeSet::new(),
        is_whole: true,
    };
    audit.heads(conn, None, 0).await?;
    let mut after = None;
    loop {
        let page = audit::list_positions(conn, after, PAGE).await?;
        let (Some(first), Some(last)) = (page.first(), page.last()) else {
            break;
        };
        let (first, end) = (first.leaf_index, last.leaf_index.saturating_add(1));
        audit.heads(conn, Some(first), end).await?;
        audit.page(conn, &page, (first, end)).await?;
        after = Some(last.leaf_index);
    }
    audit.cut_heads(conn).await?;
    audit.strays(conn).await?;
    audit.erasures(conn).await?;
    let report = audit.replay.finish();
    if report.is_content() {
        tracing::info!(ledger.size = report.entries, ledger.heads = report.heads, "ledger verified");
    } else {
        let findings = report.findings.len() as u64 + report.unlisted;
        tracing::error!(ledger.size = report.entries, findings, "the ledger was changed");
    }
    Ok(report)
}

struct Audit<'a> {
    replay: Replay,
    trusted: &'a [VerifierKey],
    last: Place,
    /// Eras that began, and those found missing.
    eras: BTreeSet<i32>,
    /// Terms that were looked at already.
    terms: BTreeSet<Hash>,
    /// Whether every position so far was there, so that the tree can be built.
    is_whole: bool,
}

impl Audit<'_> {
    /// Expects the ledger's own checkpoints over more than `after` and up to `upto` leaves.
    async fn heads(&mut self, conn: &mut PgConnection, after: Option<u64>, upto: u64) -> Result<(), Error> {
        if self.is_whole {
            for stored in sequence::list_checkpoints(conn, after, upto).await? {
                self.expect(&stored);
            }
        }
        Ok(())
    }

    /// A checkpoint over more leaves than there are shows the cut; the greatest is enough.
    async fn cut_heads(&mut self, conn: &mut PgConnection) -> Result<(), Error> {
        if let Some(stored) = sequence::find_last_checkpoint(conn).await?
            && self.is_whole
            && stored.size > self.replay.size()
        {
            self.expect(&stored);
        }
        Ok(())
    }

    fn expect(&mut self, stored: &StoredCheckpoint) {
        let size = Some(stored.size);
        match SignedCheckpoint::open(&stored.note, self.trusted) {
            Ok(signed) if size == Some(signed.size()) && stored.root == Some(signed.root()) => {
                self.replay.expect(signed.size(), signed.root(), Keeper::Ledger);
            }
            Ok(_) => {
                let why = NoteError::NotACheckpoint("its row says something else");
                self.replay.find(Finding::CheckpointUntrusted { size, why });
            }
            Err(why) => self.replay.find(Finding::CheckpointUntrusted { size, why }),
        }
    }

    async fn page(
        &mut self,
        conn: &mut PgConnection,
        page: &[Position],
        (first, end): (u64, u64),
    ) -> Result<(), Error> {
        let ranges: Vec<_> =
            (1..=levels(end)).map(|level| (level, level_width(level, first), level_width(level, end))).collect();
        let nodes: BTreeMap<_, _> = audit::list_nodes(conn, &ranges).await?.into_iter().collect();
        self.page_terms(conn, page).await?;
        for position in page {
            self.position(position);
            if !self.is_whole {
                continue;
            }
            for tile in self.replay.push(position.leaf_hash) {
                let stored = nodes.get(&(tile.id.level + 1, tile.id.index)).copied();
                self.replay.compare_block(&tile, stored);
            }
        }
        Ok(())
    }

    /// Looks at terms when the first entry that rests on them comes by.
    async fn page_terms(&mut self, conn: &mut PgConnection, page: &[Position]) -> Result<(), Error> {
        let mut first_use = BTreeMap::new();
        for position in page {
            if let Some(entry) = &position.entry
                && !self.terms.contains(&entry.terms)
            {
                first_use.entry(entry.terms).or_insert(position.leaf_index);
            }
        }
        let wanted: Vec<Hash> = first_use.keys().copied().collect();
        for opened in audit::list_terms(conn, &wanted).await? {
            if opened.is_unaltered() {
                first_use.remove(&opened.terms);
            }
        }
        self.terms.extend(wanted);
        for (terms, leaf_index) in first_use {
            self.replay.find(Finding::TermsAltered { leaf_index, terms });
        }
        Ok(())
    }

    fn position(&mut self, position: &Position) {
        let leaf_index = position.leaf_index;
        let entry = DisclosureId(position.place.entry);
        if self.is_whole && leaf_index != self.replay.size() {
            let from = self.replay.size();
            self.replay.find(Finding::PositionMissing { leaf_index: from, count: leaf_index.saturating_sub(from) });
            self.replay.break_off();
            self.is_whole = false;
        }
        if position.place <= self.last {
            self.replay.find(Finding::Reordered { leaf_index, entry });
        }
        self.last = self.last.max(position.place);
        if self.eras.insert(position.place.era) {
            self.replay.find(Finding::EraMissing { era: position.place.era, leaf_index });
        }
        let Some(opened) = &position.entry else {
            self.replay.find(Finding::EntryMissing { leaf_index, entry });
            return;
        };
        let mut parts = opened.altered(&position.leaf_hash);
        if !position.keeps_place && !parts.contains(&Part::Record) {
            parts.insert(0, Part::Record);
        }
        if !position.keeps_copy && !parts.contains(&Part::Record) && !parts.contains(&Part::Detail) {
            parts.push(Part::Detail);
        }
        if !parts.is_empty() {
            self.replay.find(Finding::EntryAltered { leaf_index, entry, parts });
        }
        if opened.detail.is_none() && !position.is_erased {
            self.replay.find(Finding::DetailMissing { leaf_index, entry });
        }
    }

    /// Rows that stand alone: hashes over leaves that are not there, entries outside the tree, details without an entry.
    async fn strays(&mut self, conn: &mut PgConnection) -> Result<(), Error> {
        let limit = FINDINGS_MAX as u32;
        if self.is_whole {
            for (level, index) in audit::list_nodes_beyond(conn, self.replay.size(), limit).await? {
                self.replay.block_differs(level, index);
            }
        }
        for entry in audit::list_left_out(conn, self.last, limit).await? {
            self.replay.find(Finding::LeftOut { entry });
        }
        for entry in audit::list_left_over(conn, limit).await? {
            self.replay.find(Finding::EntryMissingBesideDetail { entry });
        }
        Ok(())
    }

    /// Each erasure accounts for exactly the entries it was recorded for.
    async fn erasures(&mut self, conn: &mut PgConnection) -> Result<(), Error> {
        let mut after = None;
        loop {
            let erasures = audit::list_erasures(conn, after, PAGE).await?;
            let Some(last) = erasures.last() else {
                return Ok(());
            };
            after = Some(last.id);
            for erasure in &erasures {
                let named = fingerprint_of_stored(conn, erasure.id).await?;
                let holds = erasure.kind.as_deref() == Some(Kind::Erasure.as_str())
                    && erasure.counted.and_then(|count| u64::try_from(count).ok()) == Some(named.size())
                    && erasure.digest.as_deref() == Some(named.root().as_bytes());
                if !holds {
                    let entry = DisclosureId(erasure.id);
                    self.replay.find(Finding::ErasureDiffers { entry });
                }
            }
        }
    }
}

async fn fingerprint_of_stored(conn: &mut PgConnection, erasure: uuid::Uuid) -> Result<CompactRange, Error> {
    let mut range = CompactRange::default();
    let mut after = None;
    loop {
        let page = audit::list_erased(conn, erasure, after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(range);
        };
        after = Some(*last);
        for id in page {
            range.push(leaf_hash(id.as_bytes()));
        }
    }
}

/// Whether an export holds the personal part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Details {
    /// Tiles, bundles and checkpoint only: what may be handed to anyone.
    Omit,
    /// Also `details.ndjson` and `terms.ndjson`, readable by their owner only: for the SEA's own auditors.
    Include,
}

/// Writes the ledger up to its last checkpoint as C2SP tlog-tiles. Into a folder that holds an earlier export, only what is new
/// is written; one whose checkpoint the log does not extend stays as it is ([`Error::Diverged`]).
#[tracing::instrument(name = "ledger.export", skip_all)]
pub async fn export(
    conn: &mut PgConnection,
    dir: &Path,
    trusted: &[VerifierKey],
    details: Details,
) -> Result<SignedCheckpoint, Error> {
    let stored = sequence::find_last_checkpoint(conn).await?.ok_or(Error::NotFound("checkpoint"))?;
    let head = SignedCheckpoint::open(&stored.note, trusted)?;
    let folder = Folder::new(dir);
    let from = match folder.find_checkpoint()? {
        Some(text) => {
            let there = SignedCheckpoint::open(&text, trusted).map_err(|why| match why {
                NoteError::Unsigned | NoteError::Signature => {
                    Error::Diverged("the one in the folder is not signed with this log's key")
                }
                other => Error::Note(other),
            })?;
            extend(conn, &there, &head).await?
        }
        None => 0,
    };
    export_entries(conn, &folder, from, head.size()).await?;
    export_upper(conn, &folder, from, head.size()).await?;
    if details == Details::Include {
        export_details(conn, &folder, head.size()).await?;
    }
    for (number, change) in (1..).zip(sequence::list_key_changes(conn).await?) {
        folder.write_once(&format!("keys/{number:03}"), change.as_bytes())?;
    }
    folder.write_checkpoint(&stored.note)?;
    Ok(head)
}

/// Where an export that is there already can be continued.
async fn extend(conn: &mut PgConnection, there: &SignedCheckpoint, head: &SignedCheckpoint) -> Result<u64, Error> {
    if there.size() > head.size() {
        return Err(Error::Diverged("the folder holds a later state than the database, which was set back or cut"));
    }
    if root_of(conn, there.size()).await? != there.root() {
        return Err(Error::Diverged("the folder holds another history than the database"));
    }
    Ok(there.size())
}

async fn export_entries(conn: &mut PgConnection, folder: &Folder, from: u64, size: u64) -> Result<(), Error> {
    let mut first = from / TILE_WIDTH * TILE_WIDTH;
    while first < size {
        let end = size.min(first + u64::from(PAGE));
        let leaves = read::list_leaves(conn, first, end).await?;
        if leaves.len() as u64 != end - first {
            return Err(Error::Corrupt("entries are missing"));
        }
        for (index, block) in (first / TILE_WIDTH..).zip(leaves.chunks(TILE_WIDTH as usize)) {
            let id = tile_at(0, index, size).ok_or(Error::Corrupt("a tile lies outside the tree"))?;
            let hashes: Vec<Hash> = block.iter().map(|(_, hash)| *hash).collect();
            let entries: Vec<Vec<u8>> = block.iter().map(|(leaf, _)| leaf.to_bytes()).collect();
            let bundle = encode_bundle(&entries).ok_or(Error::Corrupt("an entry is too long for a bundle"))?;
            folder.write_once(&id.path(), &encode_tile(&hashes))?;
            folder.write_once(&id.bundle_path(), &bundle)?;
        }
        first = end;
    }
    Ok(())
}

async fn export_upper(conn: &mut PgConnection, folder: &Folder, from: u64, size: u64) -> Result<(), Error> {
    for level in 1..levels(size) {
        for index in level_width(level, from) / TILE_WIDTH.. {
            let Some(id) = tile_at(level, index, size) else {
                break;
            };
            let start = index * TILE_WIDTH;
            let hashes = sequence::hashes(conn, &[(level, start, start + u64::from(id.width))]).await?;
            folder.write_once(&id.path(), &encode_tile(&hashes.concat()))?;
        }
    }
    Ok(())
}

async fn export_details(conn: &mut PgConnection, folder: &Folder, size: u64) -> Result<(), Error> {
    let mut details = folder.begin_lines(DETAILS)?;
    let mut terms = BTreeSet::new();
    let mut after = None;
    loop {
        let page = audit::list_positions(conn, after, PAGE).await?;
        let Some(last) = page.last().map(|last| last.leaf_index) else {
            break;
        };
        for position in page.into_iter().filter(|position| position.leaf_index < size) {
            let entry = position.entry.ok_or(Error::Corrupt("entries are missing"))?;
            terms.insert(entry.terms);
            details.write(&entry)?;
        }
        after = Some(last);
        if last + 1 >= size {
            break;
        }
    }
    details.finish()?;
    let mut lines = folder.begin_lines(TERMS)?;
    let terms: Vec<Hash> = terms.into_iter().collect();
    for opened in audit::list_terms(conn, &terms).await? {
        lines.write(&opened)?;
    }
    lines.finish()
}
