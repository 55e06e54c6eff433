//! Loading: one file, one batch, one transaction. Every row ends as a fact or as a finding, and a kill at any point leaves nothing half-loaded.

mod chunk;
mod early;
mod erased;
mod found;
mod kept;
mod one_person;
mod raw;

pub(crate) use erased::{Buried, erased as erased_finding};
pub use found::{Found, Reading};
pub(crate) use kept::ToKeep;

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::future::BoxFuture;
use history::TombstoneKey;
use model::{BatchId, Clock, Entropy, Sea};
use pg::{Role, Tx, crash::CrashPoint};
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, task::JoinHandle};

use self::early::Early;
use crate::{Finding, Item, RecordType, Severity, edfi, erase, findings_file::WORKBOOK_FINDINGS_MAX, sif, store};

/// Limits of a load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest share of bad rows a batch may have before it is refused as a whole. Control rows do not count, nor do rows that are
    /// kept until what they refer to comes.
    pub quarantined_share_max: f64,
    /// Bad rows from which the share counts. With fewer, the file stands and they are quarantined: one bad row says nothing about a
    /// file, even if it is the file's only one.
    pub quarantined_rows_min: u64,
    /// Findings kept for a batch; further ones are counted and their number is said, their rows are in quarantine all the same.
    pub findings_max: usize,
    /// Findings of a batch that stay in memory while it is loaded; further ones wait in a file.
    pub findings_at_hand_max: usize,
    /// Findings that a workbook lists; it says how many more there are. The other findings files list all that are kept.
    pub workbook_findings_max: usize,
    /// Rows written to the database at once; up to six times as many of two files together wait in memory.
    pub chunk_rows: usize,
    /// Bytes, as received and as kept, of rows written to the database at once. One row may be larger.
    pub chunk_bytes: usize,
    /// Bytes of the file in one stored block, before compression.
    pub raw_block_bytes: usize,
    /// Limits of reading Ed-Fi deliveries.
    pub edfi: edfi::Config,
    /// Limits of reading SIF deliveries.
    pub sif: sif::Config,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            quarantined_share_max: 0.2,
            quarantined_rows_min: 2,
            findings_max: 1_000_000,
            findings_at_hand_max: 1_000,
            workbook_findings_max: 100_000,
            chunk_rows: 4_000,
            chunk_bytes: 8 << 20,
            raw_block_bytes: 1 << 20,
            edfi: edfi::Config::default(),
            sif: sif::Config::default(),
        }
    }
}

impl Limits {
    /// What cannot be set so.
    pub fn mistakes(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if !(0.0..=1.0).contains(&self.quarantined_share_max) {
            wrong.push("quarantined_share_max lies between 0 and 1".to_owned());
        }
        if self.chunk_rows == 0 || self.chunk_bytes == 0 || self.raw_block_bytes == 0 {
            wrong.push("chunk_rows, chunk_bytes and raw_block_bytes are greater than 0".to_owned());
        }
        if self.workbook_findings_max > WORKBOOK_FINDINGS_MAX as usize {
            wrong.push(format!(
                "workbook_findings_max is at most {WORKBOOK_FINDINGS_MAX}, which is what a workbook can hold"
            ));
        }
        wrong
    }
}

/// What happened to the rows of a file. `rows_in` is the sum of the next five. Of a batch refused as a whole nothing is kept: all rows that were
/// read count as quarantined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows read.
    pub rows_in: u64,
    /// Rows that said something new and corrected nothing.
    pub loaded: u64,
    /// Rows that said only what was known.
    pub unchanged: u64,
    /// Rows that corrected or withdrew something.
    pub superseded: u64,
    /// Rows not loaded.
    pub quarantined: u64,
    /// Control rows: they describe what others refer to, or are of a kind the exchange does not keep.
    pub control: u64,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Loaded,
    Unchanged,
    Superseded,
    Quarantined,
    Control,
}

impl Counts {
    const fn add(&mut self, fate: Fate, rows: u64) {
        self.rows_in += rows;
        match fate {
            Fate::Loaded => self.loaded += rows,
            Fate::Unchanged => self.unchanged += rows,
            Fate::Superseded => self.superseded += rows,
            Fate::Quarantined => self.quarantined += rows,
            Fate::Control => self.control += rows,
        }
    }

    /// The same rows in a batch that is refused as a whole: nothing of it is kept.
    const fn refused(self) -> Self {
        let Self { rows_in, .. } = self;
        Self { rows_in, loaded: 0, unchanged: 0, superseded: 0, quarantined: rows_in, control: 0 }
    }

    /// The same rows, had they come again: what was taken says nothing new.
    const fn again(self) -> Self {
        let Self { rows_in, quarantined, control, .. } = self;
        let unchanged = rows_in.saturating_sub(quarantined + control);
        Self { rows_in, loaded: 0, unchanged, superseded: 0, quarantined, control }
    }
}

/// Counts by type of record.
pub type CountsByType = BTreeMap<RecordType, Counts>;

/// The sender's receipt.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// The batch; that of the earlier load when the same bytes came before.
    pub batch: BatchId,
    /// The file's name.
    pub file: String,
    /// The layout it was read with.
    pub layout: String,
    /// SHA-256 of the bytes as received.
    pub sha256: [u8; 32],
    /// Their number.
    pub size_bytes: u64,
    /// The counts; they add up.
    pub counts: Counts,
    /// The same by type of record: their sum is `counts`.
    pub record_types: CountsByType,
    /// The first of what was wrong, at most [`Limits::findings_at_hand_max`].
    pub findings: Vec<Finding>,
    /// All of it, at most [`Limits::findings_max`].
    pub found: Arc<Found>,
    /// Findings beyond the limit.
    pub findings_dropped: u64,
    /// Why the batch was refused as a whole, if it was.
    pub refused: Option<String>,
    /// The same bytes had been loaded before: nothing was done.
    pub seen_before: bool,
}

/// Reads the file's items, from the beginning, each time it is called.
pub type Produce = Arc<dyn Fn(&mut dyn FnMut(Item) -> ControlFlow<()>) -> Result<(), crate::Error> + Send + Sync>;

/// A file to load.
#[derive(Clone)]
pub struct LoadFile {
    /// Who sent it.
    pub sea: Sea,
    /// Where its bytes are.
    pub path: PathBuf,
    /// Its name in receipts and lineage.
    pub name: String,
    /// The layout.
    pub layout: String,
    /// Reads it.
    pub produce: Produce,
    /// Whether other files of its delivery need what it says, so that it is read even when its bytes were loaded before.
    pub is_referred_to: bool,
}

/// What a load needs from outside.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The database.
    pub pool: &'a pg::Pool,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Chance, for student ids.
    pub entropy: &'a dyn Entropy,
    /// The secret of tombstones.
    pub tombstones: &'a TombstoneKey,
    /// Limits.
    pub limits: &'a Limits,
    /// A folder of our own for what does not stay in memory. Nothing is left in it.
    pub scratch: &'a Path,
    /// Told the rows done, now and then.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// Why a load could not be done. A bad file is no error: it is a receipt that says so.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file could not be read.
    #[error("{file} cannot be read")]
    File {
        /// Its name.
        file: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The reader stopped.
    #[error("the file could not be parsed to its end")]
    Read(#[source] Box<crate::Error>),
    /// The database did not answer, or refused.
    #[error("the batch could not be recorded")]
    Unavailable(#[from] pg::Error),
    /// A statement failed.
    #[error("the batch could not be recorded")]
    Statement(#[from] sqlx::Error),
    /// The fact store failed.
    #[error("the facts could not be recorded")]
    History(#[from] history::Error),
    /// Reference data failed.
    #[error("the organizations could not be recorded")]
    Reference(#[from] reference::Error),
    /// An order that waited for somebody whom the file introduces could not be brought into force.
    #[error("an order that waited could not be brought into force")]
    Order(#[from] crate::restriction::RestrictionError),
    /// What was found could not be put aside or read back.
    #[error("what was found in the file could not be kept")]
    Found(#[source] std::io::Error),
    /// The reading task died.
    #[error("the reading task stopped before the end of the file")]
    Stopped,
    /// The batch is refused as a whole: carries what its receipt says.
    #[error("the batch is refused")]
    Refused(Box<Tally>),
}

/// What a load has counted and found so far.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Counts,
    record_types: CountsByType,
    found: Found,
    /// Rows kept in quarantine.
    kept: u64,
    passed_kinds: BTreeMap<String, u64>,
    described_kinds: BTreeMap<String, u64>,
    /// Rows that were loaded without all that they refer to.
    incomplete: u64,
    /// Quarantined rows that are kept until what they refer to comes: they say nothing against the file.
    waiting: u64,
    /// Rows of earlier files that this one completed or changed.
    completed: u64,
    /// Withdrawals that nothing was there for.
    early: Early,
    /// Whom the file has named how.
    named: one_person::Named,
    /// Whether anything may be disclosed no longer that could be before: somebody is in doubt.
    restricts: bool,
    /// Lines that tombstones refused.
    erased: std::collections::BTreeSet<u32>,
    refused: Option<String>,
}

impl Tally {
    fn count(&mut self, record_type: &RecordType, fate: Fate, rows: u64) {
        self.counts.add(fate, rows);
        match self.record_types.get_mut(record_type) {
            Some(counts) => counts.add(fate, rows),
            None => self.record_types.entry(record_type.clone()).or_default().add(fate, rows),
        }
    }

    fn find_all(&mut self, findings: Vec<Finding>, max: usize) {
        for finding in findings {
            self.find(finding, max);
        }
    }

    /// Takes what was found out of memory, but for the first of it.
    fn put_aside(&mut self, context: Context<'_>) -> Result<(), LoadError> {
        self.found.spill(context.limits.findings_at_hand_max, context.scratch).map_err(LoadError::Found)
    }

    fn find(&mut self, finding: Finding, max: usize) {
        if finding.severity == Severity::Fatal && self.refused.is_none() {
            self.refused = Some(finding.message.clone());
        }
        self.found.add(finding, max);
    }
}

/// A file whose reading has begun, on threads of its own: a bounded part of it waits until it is loaded. Dropped, they stop.
pub struct Opened {
    file: LoadFile,
    digest: JoinHandle<std::io::Result<([u8; 32], u64)>>,
    streams: Streams,
}

/// What comes out of a file: its bytes in blocks, and its items.
struct Streams {
    packed: raw::Packed,
    chunks: mpsc::Receiver<Vec<chunk::Ready>>,
    reader: JoinHandle<Result<(), crate::Error>>,
}

impl Streams {
    fn begin(file: &LoadFile, limits: &Limits) -> Self {
        let (chunks, reader) = read_in_background(file, limits);
        Self { packed: raw::Packed::begin(&file.path, limits.raw_block_bytes), chunks, reader }
    }
}

/// Begins to read a file, so that it is parsed while the one before it is being recorded. For files that can be read without knowing what came of
/// others.
pub fn open(file: LoadFile, limits: &Limits) -> Opened {
    Opened { digest: raw::digest(&file.path), streams: Streams::begin(&file, limits), file }
}

/// Loads one file as one batch.
pub async fn load(context: Context<'_>, file: &LoadFile) -> Result<Receipt, LoadError> {
    load_opened(context, open(file.clone(), context.limits)).await
}

/// Loads a file whose reading has begun.
pub async fn load_opened(context: Context<'_>, opened: Opened) -> Result<Receipt, LoadError> {
    let Opened { file, digest, streams } = opened;
    let digest = digest.await.map_err(|_| LoadError::Stopped)?;
    let (sha256, size_bytes) = digest.map_err(|source| LoadError::File { file: file.name.clone(), source })?;
    let file = &file;
    let mut streams = Some(streams);
    let result = pg::transaction("intake.load", Role::Intake)
        .statement_timeout(STATEMENT_TIMEOUT)
        .run(context.pool, |tx| {
            // A second attempt reads the file from its beginning.
            let streams = streams.take();
            load_in(tx, context, (file, streams), sha256, size_bytes)
        })
        .await;
    let receipt = |batch, mut tally: Tally, seen_before| {
        tally.put_aside(context)?;
        Ok::<_, LoadError>(Receipt {
            batch,
            file: file.name.clone(),
            layout: file.layout.clone(),
            sha256,
            size_bytes,
            counts: tally.counts,
            record_types: tally.record_types,
            findings: tally.found.first().to_vec(),
            findings_dropped: tally.found.dropped(),
            found: Arc::new(tally.found),
            refused: tally.refused,
            seen_before,
        })
    };
    let done = match result {
        Ok((batch, mut tally, seen_before)) => {
            if seen_before && file.is_referred_to {
                let findings = read_for_reference(file.produce.clone()).await?;
                tally.find_all(findings, context.limits.findings_max);
                tally.refused = None;
            }
            receipt(batch, tally, seen_before)?
        }
        Err(LoadError::Refused(tally)) => {
            let batch = record_refusal(context, file, &tally, sha256, size_bytes).await?;
            receipt(batch, *tally, false)?
        }
        Err(error) => return Err(error),
    };
    pg::crash::hit(CrashPoint::IntakeAfterCommit);
    tracing::info!(
        batch.id = done.batch.0,
        rows = done.counts.rows_in,
        quarantined = done.counts.quarantined,
        refused = done.refused.is_some(),
        "batch received"
    );
    Ok(done)
}

/// One statement of a load works on one chunk: it may take longer than an ordinary one.
const STATEMENT_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(10);

/// Chunks that may wait between the reader and the database.
const CHUNKS_WAITING_MAX: usize = 2;

type Loaded = (BatchId, Tally, bool);

/// A batch under way.
struct Batch {
    info: history::BatchInfo,
    recording: history::Recording,
}

fn load_in<'t>(
    tx: &'t mut Tx<'_, '_>,
    context: Context<'t>,
    (file, streams): (&'t LoadFile, Option<Streams>),
    sha256: [u8; 32],
    size_bytes: u64,
) -> BoxFuture<'t, Result<Loaded, LoadError>> {
    Box::pin(async move {
        let now = context.clock.now();
        let received = store::Received {
            sea: &file.sea,
            file_name: &file.name,
            layout: &file.layout,
            sha256: &sha256,
            size_bytes,
            at: now,
        };
        store::lock_sea(tx, &file.sea).await?;
        if let Some((batch, counts, types)) = store::find_loaded(tx, &received).await? {
            let erased = store::erase::list_redactions(tx, batch).await?;
            let counts = counts.again();
            let record_types: CountsByType = match types.len() {
                // Of which type an erased line was is known no longer, unless there is one only.
                _ if erased.is_empty() => types.into_iter().map(|(of, counts)| (of, counts.again())).collect(),
                1 => types.into_keys().map(|of| (of, counts)).collect(),
                _ => CountsByType::default(),
            };
            let found = erased.into_iter().map(erased::erased).collect::<Vec<_>>().into();
            return Ok((batch, Tally { counts, record_types, found, ..Tally::default() }, true));
        }
        let buried = Buried::load(tx, context.tombstones, &file.sea).await?;
        let batch = store::insert_batch(tx, &received).await?;
        let info = history::BatchInfo {
            batch,
            sea: file.sea.clone(),
            file_name: file.name.clone(),
            layout: file.layout.clone(),
            recorded_at: now,
        };
        let recording = history::open_batch(tx, &info).await?;
        pg::crash::hit(CrashPoint::IntakeAfterReceive);
        let streams = streams.unwrap_or_else(|| Streams::begin(file, context.limits));
        let mut writing = Batch { info, recording };
        let mut tally = write_all(tx, context, &mut writing, (file, streams, &buried)).await?;
        finish(&mut tally, context.limits)?;
        tally.put_aside(context)?;
        if tally.refused.is_some() {
            return Err(LoadError::Refused(Box::new(tally)));
        }
        tally.early.store(tx, &writing.info).await?;
        if !tally.erased.is_empty() {
            let lines = erase::Wanted::Lines(tally.erased.clone());
            erase::redact_refused(tx, batch, Some(&file.layout), &lines).await?;
        }
        // Whoever this batch introduced may be under an order that a database set back to an earlier state knows by a hash alone.
        crate::restriction::kept::bring_orders(tx, context.tombstones, batch).await?;
        tx.act_as(Role::Intake).await?;
        insert_found(tx, batch, &tally.found, context.limits).await?;
        store::close_batch(tx, batch, (&tally.counts, &tally.record_types), None, now).await?;
        if tally.restricts || writing.recording.restricts() {
            // Last, so that nobody waits for the file: what is being disclosed is recorded before it, and nothing after it rests on what was.
            identity::persons::stop_disclosures(tx).await?;
        }
        pg::crash::hit(CrashPoint::IntakeBeforeCommit);
        Ok((batch, tally, false))
    })
}

/// Writes what comes out of a file, blocks and items as they come, to its end or until it is plain that it is refused.
async fn write_all(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    batch: &mut Batch,
    (file, streams, buried): (&LoadFile, Streams, &Buried),
) -> Result<Tally, LoadError> {
    let Streams { mut packed, mut chunks, reader } = streams;
    let mut tally = Tally { early: Early::load(tx, &file.sea).await?, ..Tally::default() };
    let mut block = 0;
    while tally.refused.is_none() {
        tokio::select! {
            biased;
            Some(bytes) = packed.blocks.recv() => {
                store::insert_raw_block(tx, batch.info.batch, block, &bytes).await?;
                block += 1;
            }
            Some(items) = chunks.recv() => {
                chunk::write(tx, context, (batch, buried), items, &mut tally).await?;
                tally.put_aside(context)?;
                (context.progress)(tally.counts.rows_in);
            }
            else => break,
        }
    }
    drop(chunks);
    reader.await.map_err(|_| LoadError::Stopped)?.map_err(|error| LoadError::Read(Box::new(error)))?;
    packed.end(&file.name).await?;
    Ok(tally)
}

/// Reads a file for what others of its delivery refer to, and drops its items; what it says about the file is said again.
async fn read_for_reference(produce: Produce) -> Result<Vec<Finding>, LoadError> {
    let reader = tokio::task::spawn_blocking(move || {
        let mut findings = Vec::new();
        produce(&mut |item| {
            if let Item::File(finding) = item {
                findings.push(finding);
            }
            ControlFlow::Continue(())
        })?;
        Ok(findings)
    });
    reader.await.map_err(|_| LoadError::Stopped)?.map_err(|error: crate::Error| LoadError::Read(Box::new(error)))
}

/// Bytes of all files that were recorded, and of those recorded since a moment: what the database grows with.
pub async fn received(pool: &pg::Pool, since: chrono::DateTime<chrono::Utc>) -> Result<(u64, u64), LoadError> {
    pg::run_tx(pool, "intake.received", Role::Intake, |tx| {
        Box::pin(async move { Ok(store::sum_received(tx, since).await?) })
    })
    .await
}

/// What earlier deliveries of this SEA described, contacts and incidents apart: those are looked up when a record asks for them.
///
/// `Err`: the database did not answer, or `config.index_bytes_max` is too small for what was described.
pub async fn described(context: Context<'_>, sea: &Sea, config: &edfi::Config) -> Result<edfi::Index, LoadError> {
    let bodies = pg::run_tx(context.pool, "intake.described", Role::Intake, |tx| {
        Box::pin(async move { Ok::<_, LoadError>(store::kept::list_descriptions(tx, sea).await?) })
    })
    .await?;
    let mut index = edfi::Index::new(config.index_bytes_max);
    for body in &bodies {
        index.import(body).map_err(|error| LoadError::Read(Box::new(error)))?;
    }
    Ok(index)
}

type Chunks = (mpsc::Receiver<Vec<chunk::Ready>>, JoinHandle<Result<(), crate::Error>>);

/// Parses on a blocking thread; a full channel makes it wait, a closed one makes it stop.
fn read_in_background(file: &LoadFile, limits: &Limits) -> Chunks {
    let LoadFile { produce, layout, .. } = file.clone();
    let Limits { chunk_rows, chunk_bytes, .. } = *limits;
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
    let reader = tokio::task::spawn_blocking(move || {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        let mut send = |item: Item| {
            bytes += item.size();
            chunk.extend(chunk::Ready::of(item, &layout));
            if chunk.len() < chunk_rows && bytes < chunk_bytes {
                return ControlFlow::Continue(());
            }
            bytes = 0;
            match sender.blocking_send(std::mem::take(&mut chunk)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        };
        let result = produce(&mut send);
        // A closed channel means that the batch is being refused: nobody waits for the rest.
        let _refused = sender.blocking_send(chunk);
        result
    });
    (receiver, reader)
}

/// Refuses a batch with too many bad rows: then each of its rows counts as quarantined. Of one that stands it is said what was passed over or kept.
fn finish(tally: &mut Tally, limits: &Limits) -> Result<(), LoadError> {
    let Counts { rows_in, quarantined, control, .. } = tally.counts;
    if tally.refused.is_none() && rows_in == 0 {
        tally.refused = Some("the file has no records".to_owned());
    }
    let rows = rows_in - control;
    let bad = quarantined.saturating_sub(tally.waiting).saturating_sub(tally.erased.len() as u64);
    let is_many = bad >= limits.quarantined_rows_min;
    if tally.refused.is_none() && is_many && bad as f64 > limits.quarantined_share_max * rows as f64 {
        tally.refused = Some(format!(
            "{bad} of {rows} rows are bad, more than {:.0} %: the file as a whole is not to be trusted{}",
            limits.quarantined_share_max * 100.0,
            tally
                .found
                .kinds()
                .map_err(LoadError::Found)?
                .commonest_error()
                .map_or_else(String::new, |fault| format!(". {fault}"))
        ));
    }
    if tally.refused.is_some() {
        tally.counts = tally.counts.refused();
        tally.record_types.values_mut().for_each(|counts| *counts = counts.refused());
    } else {
        say_kinds(tally, limits);
    }
    tally.found.say_dropped(limits.findings_max);
    Ok(())
}

/// Keeps what was found, a part at a time.
async fn insert_found(tx: &mut Tx<'_, '_>, batch: BatchId, found: &Found, limits: &Limits) -> Result<(), LoadError> {
    let mut reading = found.read();
    let mut last = 0;
    loop {
        let piece = reading.next_piece(limits.chunk_rows).map_err(LoadError::Found)?;
        if piece.is_empty() {
            return Ok(());
        }
        store::insert_findings_after(tx, batch, last, &piece).await?;
        last = last.saturating_add(i32::try_from(piece.len()).unwrap_or(i32::MAX));
    }
}

/// Says once per kind what was passed over or kept for others.
fn say_kinds(tally: &mut Tally, limits: &Limits) {
    let mut said: Vec<(&str, String)> = Vec::new();
    for (kind, count) in &tally.passed_kinds {
        let message = format!("{count} records of kind {kind} hold nothing the exchange keeps and were passed over");
        said.push(("record.passed", message));
    }
    for (kind, count) in &tally.described_kinds {
        let message = format!("{count} records of kind {kind} describe what others refer to, and are kept for them");
        said.push(("record.described", message));
    }
    if tally.incomplete > 0 {
        let message = format!(
            "{} records refer to what no delivery has described so far; they are loaded without it, and completed when it is described",
            tally.incomplete
        );
        said.push(("reference.awaited", message));
    }
    if tally.waiting > 0 {
        let message = format!(
            "{} of the quarantined records only refer to what has not come yet; they are kept, and loaded when it comes",
            tally.waiting
        );
        said.push(("reference.kept", message));
    }
    if tally.completed > 0 {
        let message = format!("{} records of earlier files were completed or changed by this one", tally.completed);
        said.push(("reference.completed", message));
    }
    for (rule, message) in said {
        tally.find(Finding::new(0, rule, Severity::Information, message), limits.findings_max);
    }
}

/// Enters a refused batch with its findings, after the load itself was rolled back.
async fn record_refusal(
    context: Context<'_>,
    file: &LoadFile,
    tally: &Tally,
    sha256: [u8; 32],
    size_bytes: u64,
) -> Result<BatchId, LoadError> {
    pg::run_tx(context.pool, "intake.refuse", Role::Intake, |tx| {
        Box::pin(async move {
            let now = context.clock.now();
            let received = store::Received {
                sea: &file.sea,
                file_name: &file.name,
                layout: &file.layout,
                sha256: &sha256,
                size_bytes,
                at: now,
            };
            let batch = store::insert_batch(tx, &received).await?;
            raw::store(tx, batch, &file.path, &file.name, context.limits.raw_block_bytes).await?;
            let buried = Buried::load(tx, context.tombstones, &file.sea).await?;
            if !buried.is_empty() {
                erase::redact_refused(tx, batch, None, &erase::Wanted::Buried(buried)).await?;
            }
            insert_found(tx, batch, &tally.found, context.limits).await?;
            store::close_batch(tx, batch, (&tally.counts, &tally.record_types), tally.refused.as_deref(), now).await?;
            Ok::<_, LoadError>(batch)
        })
    })
    .await
}
