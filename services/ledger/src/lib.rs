//! The record of disclosures: append-only, provable to anyone, silent about children.
//!
//! Each disclosure, refusal and access is an [`Entry`], committed before the first byte leaves. What of it is personal
//! lies beside the tree and can be destroyed; the tree (RFC 6962) holds salted commitments only. One sequencer gives committed
//! entries their place and signs checkpoints (C2SP), so that a consumer who keeps one can later show any change, even one
//! made with the ledger's own key.
//!
//! What this crate must never know: names of students, what an agreement permits, how anything is delivered.
//!
//! The pure core reads in this order: [`tree`] (hashes and proofs), [`tiles`] (the tree as files), [`note`] and
//! [`checkpoint`](mod@checkpoint) (signed heads), then `entry` and `terms` (what is recorded), [`proof`] (what a recipient is given) and
//! [`verify`](mod@verify) (what can be found out), [`witness`] (what a partner cosigns). The functions below join it with the store.
//!
//! Writing, in the transaction of the disclosure: [`record_one`], [`record_asked`], [`record_chunk`]. In the background: [`sequence`],
//! [`checkpoint()`]. For those who ask: [`disclosures_of`], [`record_of`], [`list_record`], [`list`], [`inclusion`], [`consistency`], [`verify()`],
//! [`export`], [`find_published`].

pub mod checkpoint;
pub mod note;
pub mod proof;
pub mod rotation;
pub mod tiles;
pub mod tree;
pub mod verify;
pub mod witness;

mod audit;
mod contents;
mod entry;
mod error;
pub mod folder;
mod opened;
mod record;
mod request;
mod sequencer;
mod store;
mod terms;

use std::collections::{BTreeMap, BTreeSet};

use model::{ConsumerId, DisclosureId, Masked, StudentId};
use sqlx::PgConnection;
use uuid::Uuid;

pub use audit::{Details, export, verify};
pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use contents::Contents;
pub use entry::{Delivery, Detail, Entry, Kind, Leaf, Salt, Salts, content_commitment};
pub use error::Error;
pub use folder::{Folder, verify_folder};
pub use note::{KeyUse, Note, NoteError, Signer, VerifierKey};
pub use opened::{OpenedDetail, OpenedEntry, OpenedTerms};
pub use proof::{InclusionError, InclusionProof};
pub use record::{
    CopyForm, CopyWriter, Cursor, OfRequest, RecordScope, RecordedEntry, STUDENTS_MAX, Search, Since, Students, to_csv,
    to_json,
};
pub use request::{Answered, RequestKey, RequestMark, find_request, forget_requests, remember_request};
pub use sequencer::{
    Health, LAG_SECONDS_MAX, LastMoment, Sequenced, checkpoint, health, last_decided_at, last_moment, sequence,
};
pub use terms::{Audience, Clause, OnwardParty, Showing, TEXT_BYTES_MAX, Terms, TermsId, TermsParts};
pub use tiles::Published;
pub use tree::Hash;
pub use verify::{Finding, Report};

use tree::{CompactRange, leaf_hash};

/// The most entries that one chunk takes.
pub const CHUNK_ENTRIES_MAX: usize = 10_000;

/// The most entries that one page holds.
pub const PAGE_ENTRIES_MAX: u32 = 10_000;

/// The most purposes that a search offers.
pub const PURPOSES_MAX: i64 = 200;

/// The most entries that one page of a listing names.
pub const LISTED_ENTRIES_MAX: u32 = 100_000;

/// Records one entry, in the caller's transaction: nothing may leave before that has committed.
#[tracing::instrument(name = "ledger.record_one", skip_all, fields(disclosure.id = %entry.id, kind = %entry.kind))]
pub async fn record_one(conn: &mut PgConnection, entry: &Entry) -> Result<(), Error> {
    entry.check()?;
    // Terms are new once in their life; asking for them only then spares every other entry the lists.
    if store::record::insert_one(conn, entry).await? == 1 {
        return Ok(());
    }
    store::record::insert_terms(conn, &entry.terms).await?;
    match store::record::insert_one(conn, entry).await? {
        1 => Ok(()),
        _ => Err(Error::Corrupt("terms that were just stored are not there")),
    }
}

/// The same, remembering in the same statement by which call it was asked: what a caller sends again under one id is not entered again, and comes back
/// as [`Error::Answered`]. The transaction is of no use then.
#[tracing::instrument(name = "ledger.record_asked", skip_all, fields(disclosure.id = %entry.id, kind = %entry.kind))]
pub async fn record_asked(conn: &mut PgConnection, entry: &Entry, mark: RequestMark) -> Result<(), Error> {
    entry.check()?;
    if store::record::insert_asked(conn, entry, mark).await? == 1 {
        return Ok(());
    }
    store::record::insert_terms(conn, &entry.terms).await?;
    match store::record::insert_asked(conn, entry, mark).await? {
        1 => Ok(()),
        _ => Err(Error::Corrupt("terms that were just stored are not there")),
    }
}

/// Records a bounded chunk of entries, all or none, in the caller's transaction: no message of the chunk may be queued
/// before that has committed.
#[tracing::instrument(name = "ledger.record_chunk", skip_all, fields(entries = entries.len()))]
pub async fn record_chunk(conn: &mut PgConnection, entries: &[Entry]) -> Result<(), Error> {
    if entries.len() > CHUNK_ENTRIES_MAX {
        return Err(Error::Invalid("a chunk holds at most 10000 entries"));
    }
    let mut terms = BTreeMap::new();
    for entry in entries {
        entry.check()?;
        terms.insert(entry.terms.id(), &*entry.terms);
    }
    if entries.is_empty() {
        return Ok(());
    }
    store::record::ensure_terms(conn, &terms).await?;
    if store::record::insert_chunk(conn, entries).await? == entries.len() as u64 {
        Ok(())
    } else {
        Err(Error::Corrupt("not every entry of a chunk was recorded"))
    }
}

/// Destroys the personal part of entries: by order, or when the education record itself goes. Records the erasure first; its
/// count and digest must be those of [`erasure_fingerprint`]. Runs as the stewards' role.
#[tracing::instrument(name = "ledger.erase_details", skip_all, fields(disclosure.id = %erasure.id, entries = entries.len()))]
pub async fn erase_details(
    conn: &mut PgConnection,
    erasure: &Entry,
    entries: &BTreeSet<DisclosureId>,
) -> Result<(), Error> {
    let fingerprint = erasure_fingerprint(entries);
    let fits = erasure.kind == Kind::Erasure
        && erasure.count == Some(entries.len() as u64)
        && erasure.detail.digest == Some(fingerprint);
    if !fits {
        return Err(Error::Invalid("an erasure counts and fingerprints exactly what it destroys"));
    }
    if entries.contains(&erasure.id) {
        return Err(Error::Invalid("an erasure does not destroy its own detail"));
    }
    record_one(conn, erasure).await?;
    let ids: Vec<Uuid> = entries.iter().map(|id| id.0).collect();
    let named = store::record::insert_erased(conn, erasure.id, &ids).await?;
    let gone = store::record::destroy_details(conn, erasure.id).await?;
    if named == entries.len() as u64 && store::count(gone)? == named { Ok(()) } else { Err(Error::NotFound("detail")) }
}

/// The entries whose detail names one of the students, or (by an agency's own id) a client who is one: what goes with an education record that is erased.
pub async fn list_details(
    conn: &mut PgConnection,
    students: &[StudentId],
    clients: &[(ConsumerId, String)],
) -> Result<BTreeSet<DisclosureId>, Error> {
    store::read::list_details(conn, students, clients).await
}

/// Whose personal part stands beside an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetailOf {
    /// The entry.
    pub entry: DisclosureId,
    /// The student, where one is named.
    pub student: Option<StudentId>,
    /// The client, by an agency's own id, where one is named.
    pub client: Option<(ConsumerId, model::Masked<String>)>,
}

/// A part of the log, as far as personal parts in it may end with their time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetailPage {
    /// The personal parts of entries about persons that are older, in the order of the log.
    pub details: Vec<DetailOf>,
    /// The last position, behind which to go on; `None`: nothing behind it is older.
    pub last: Option<u64>,
}

/// The personal parts of entries about persons (disclosures, refusals, withdrawals, notices) that were decided before a time, position by position behind
/// `after`. Where no entry of a page is older none behind it is looked at: positions are given in the order of time, within seconds.
pub async fn list_older_details(
    conn: &mut PgConnection,
    older_than: chrono::DateTime<chrono::Utc>,
    after: Option<u64>,
    limit: u32,
) -> Result<DetailPage, Error> {
    let limit = limit.min(PAGE_ENTRIES_MAX);
    let rows = store::read::list_at_positions(conn, older_than, after, limit).await?;
    let is_last = rows.len() < limit as usize || rows.iter().all(|row| !row.is_older);
    let last = rows.last().filter(|_| !is_last).map(|row| store::count(row.leaf_index)).transpose()?;
    let details = rows.into_iter().filter(|row| row.is_older).filter_map(|row| row.detail).collect();
    Ok(DetailPage { details, last })
}

/// The Merkle root over the ids of entries to be erased, in their order.
pub fn erasure_fingerprint(entries: &BTreeSet<DisclosureId>) -> Hash {
    CompactRange::over(entries.iter().map(|id| leaf_hash(id.0.as_bytes()))).root()
}

/// The Merkle root over the students of an access or export, in the order of their ids, each once.
pub fn students_root(students: &BTreeSet<StudentId>) -> Hash {
    CompactRange::over(students.iter().map(|id| leaf_hash(id.0.as_bytes()))).root()
}

/// A page of a student's record of disclosures as one audience is shown it, oldest first, behind `after`. Go on from
/// [`RecordedEntry::cursor`] of the last. Entries with [`Showing::AfterReview`] go to a steward first.
#[tracing::instrument(name = "ledger.disclosures_of", skip_all, fields(student.id = %student, audience = %audience))]
pub async fn disclosures_of(
    conn: &mut PgConnection,
    student: StudentId,
    audience: Audience,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<RecordedEntry>, Error> {
    record_of(conn, &RecordScope::of(student), audience, after, limit).await
}

/// The same of whatever a record of disclosures can be asked by. A copy for anybody but an auditor is refused without students. An entry whose personal part
/// is erased meanwhile counts, and says that it is.
#[tracing::instrument(name = "ledger.record_of", skip_all, fields(audience = %audience))]
pub async fn record_of(
    conn: &mut PgConnection,
    scope: &RecordScope,
    audience: Audience,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<RecordedEntry>, Error> {
    let contents = list_record(conn, scope, audience, after, limit.min(PAGE_ENTRIES_MAX)).await?;
    shown_as_listed(conn, &contents, 0, limit).await
}

/// Reads a page of what was listed. Whom an entry is shown to was told from what stands beside its detail: where the entry itself says otherwise nothing is shown.
async fn shown_as_listed(
    conn: &mut PgConnection,
    contents: &Contents,
    from: usize,
    limit: u32,
) -> Result<Vec<RecordedEntry>, Error> {
    let entries = store::shown::list_shown(conn, &contents.ids(from, limit), contents.audience).await?;
    if contents.is_said_by(from, limit, &entries) {
        Ok(entries)
    } else {
        Err(Error::Corrupt("an entry and what stands beside its detail say different things: `ledger verify` names it"))
    }
}

/// A page of what belongs to a record of disclosures, oldest first, behind `after`, without reading what stands in it: at most [`LISTED_ENTRIES_MAX`]. Go on
/// from [`Contents::cursor`].
#[tracing::instrument(name = "ledger.list_record", skip_all, fields(audience = %audience))]
pub async fn list_record(
    conn: &mut PgConnection,
    scope: &RecordScope,
    audience: Audience,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Contents, Error> {
    scope.check(audience)?;
    let page = store::shown::Page { scope, audience, after, limit: limit.min(LISTED_ENTRIES_MAX) };
    let listed = match (&scope.students, &scope.request) {
        (Some(students), _) => store::shown::list_of_students(conn, students, page).await?,
        (None, Some(request)) => store::shown::list_of_request(conn, request, page).await?,
        // Cannot happen: the scope was checked.
        (None, None) => Vec::new(),
    };
    Ok(Contents { audience, is_of_students: scope.students.is_some(), listed })
}

/// The entries of a record from a place in it on, at most [`PAGE_ENTRIES_MAX`]. What was erased since it was listed is left out of students' records.
#[tracing::instrument(name = "ledger.record_page", skip_all, fields(audience = %contents.audience, from))]
pub async fn record_page(
    conn: &mut PgConnection,
    contents: &Contents,
    from: usize,
    limit: u32,
) -> Result<Vec<RecordedEntry>, Error> {
    let mut entries = shown_as_listed(conn, contents, from, limit).await?;
    entries.retain(|entry| !(contents.is_of_students && entry.is_erased));
    Ok(entries)
}

/// A page of the auditor's search, newest first, before the position `before`. Go on from the last entry's `leaf_index`.
pub async fn list(
    conn: &mut PgConnection,
    search: &Search,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<RecordedEntry>, Error> {
    store::shown::list(conn, search, before, limit.min(PAGE_ENTRIES_MAX)).await
}

/// The purposes that entries were ever made for, by name: what an auditor can look for. At most [`PURPOSES_MAX`].
pub async fn list_purposes(conn: &mut PgConnection) -> Result<Vec<String>, Error> {
    store::shown::list_purposes(conn, PURPOSES_MAX).await
}

/// The students of whom a consumer was disclosed something, each with the last time: what it may still hold.
pub async fn list_last_disclosed(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
) -> Result<Vec<(StudentId, chrono::DateTime<chrono::Utc>)>, Error> {
    store::read::list_last_disclosed(conn, consumer).await
}

/// Begins an era: to be called, on an administrator's connection, after the database was restored, since transaction ids begin anew.
pub async fn begin_era(conn: &mut PgConnection, at: chrono::DateTime<chrono::Utc>, why: &str) -> Result<(), Error> {
    store::sequence::begin_era(conn, at, why).await
}

/// The epoch of positions: it grows with each restore from a backup. Seconds since 1970 of the present era's beginning.
pub async fn epoch(conn: &mut PgConnection) -> Result<u64, Error> {
    store::sequence::epoch(conn).await
}

/// How many entries of one kind a run has: what its completion is held against.
pub async fn count_of_run(conn: &mut PgConnection, run: Uuid, kind: Kind) -> Result<u64, Error> {
    store::read::count_of_run(conn, run, kind).await
}

/// The first entry, approvals apart, that rests on each of these authorities (an approved request, an order), as far as there is one.
pub async fn list_uses(conn: &mut PgConnection, authorities: &[String]) -> Result<Vec<(DisclosureId, String)>, Error> {
    store::audit::list_uses(conn, authorities).await
}

/// An act as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Its entry.
    pub entry: DisclosureId,
    /// When.
    pub at: chrono::DateTime<chrono::Utc>,
    /// What it was done to, and why.
    pub to: String,
    /// How many it covers, and their digest.
    pub covers: Option<(u64, Hash)>,
}

/// The acts that bear a reason, oldest first.
pub async fn list_acts(conn: &mut PgConnection, reason: &str) -> Result<Vec<Act>, Error> {
    store::audit::list_acts(conn, reason).await
}

/// A recipient's attestation as it is recorded.
#[derive(Clone, Debug)]
pub struct Attested {
    /// Its entry.
    pub entry: DisclosureId,
    /// The recipient.
    pub consumer: String,
    /// When it was entered.
    pub at: chrono::DateTime<chrono::Utc>,
    /// The code of its day; none: it was entered before entries stated it.
    pub day: Option<String>,
    /// Its personal part; none: it was erased.
    pub said: Option<AttestedDetail>,
}

/// The personal part of an attestation.
#[derive(Clone, Debug)]
pub struct AttestedDetail {
    /// Who signed for the recipient.
    pub attested_by: Option<Masked<String>>,
    /// By whom it was entered, in words.
    pub entered_by: Option<Masked<String>>,
    /// The client, in words.
    pub about: Option<Masked<String>>,
    /// The digest over what was attested; none: it was entered before entries held one.
    pub digest: Option<Hash>,
}

/// All attestations of recipients.
pub async fn list_attestations(conn: &mut PgConnection) -> Result<Vec<Attested>, Error> {
    store::audit::list_attestations(conn).await
}

/// The text of the last signed checkpoint.
pub async fn find_last_checkpoint(conn: &mut PgConnection) -> Result<Option<String>, Error> {
    Ok(store::sequence::find_last_checkpoint(conn).await?.map(|stored| stored.note))
}

/// The text of the last signed checkpoint, and when it was signed.
pub async fn find_last_head(conn: &mut PgConnection) -> Result<Option<(String, chrono::DateTime<chrono::Utc>)>, Error> {
    Ok(store::sequence::find_last_checkpoint(conn).await?.map(|stored| (stored.note, stored.made_at)))
}

/// Holds the log as it stands in the database against a head of it that somebody kept: how many entries it has grown by since. The inner `Err`: it is not the
/// log that they saw. Nodes of the tree are believed as they are stored; whether entries are those of the tree says [`verify()`].
pub async fn hold_against_kept(
    conn: &mut PgConnection,
    kept: &SignedCheckpoint,
) -> Result<Result<u64, witness::Refusal>, Error> {
    // A head that cannot be read any more is no head of the log that they saw.
    let is_of_log = |last: &String| checkpoint::origin_of(last).is_ok_and(|origin| origin == kept.checkpoint().origin);
    if find_last_checkpoint(conn).await?.is_some_and(|last| !is_of_log(&last)) {
        return Ok(Err(witness::Refusal::OtherLog));
    }
    let (seen, (present, _)) = (kept.size(), store::sequence::last(conn).await?);
    let Some(grown) = present.checked_sub(seen) else {
        return Ok(Err(witness::Refusal::RolledBack { seen, offered: present }));
    };
    let is_same = match sequencer::root_of(conn, seen).await {
        // Hashes that are missing: whoever took them away has something to hide.
        Err(Error::Corrupt(_)) => false,
        root => root? == kept.root(),
    };
    Ok(if is_same { Ok(grown) } else { Err(witness::Refusal::Forked { seen }) })
}

/// The text of the checkpoint of a tree of exactly this size, if one was signed.
pub async fn find_checkpoint(conn: &mut PgConnection, size: u64) -> Result<Option<String>, Error> {
    let found = store::sequence::list_checkpoints(conn, size.checked_sub(1), size).await?;
    Ok(found.into_iter().next().map(|stored| stored.note))
}

/// The notes by which the log changed its signing key, the oldest first.
pub async fn list_key_changes(conn: &mut PgConnection) -> Result<Vec<String>, Error> {
    store::sequence::list_key_changes(conn).await
}

/// Hands the log over to another signing key, at its last checkpoint: from then on [`checkpoint()`] signs with no other. Call it in a transaction of its own,
/// when everything has been sequenced.
pub async fn change_key(
    conn: &mut PgConnection,
    (old, new): (&Signer, &Signer),
    clock: &dyn model::Clock,
) -> Result<(), Error> {
    store::sequence::lock(conn).await?;
    let changes = store::sequence::list_key_changes(conn).await?;
    if changes.len() >= rotation::KEY_CHANGES_MAX {
        return Err(Error::Precondition("the log has changed its key too often"));
    }
    let stored = store::sequence::find_last_checkpoint(conn).await?;
    let stored = stored.ok_or(Error::Precondition("a log that has signed nothing needs no other key"))?;
    let head = SignedCheckpoint::open(&stored.note, std::slice::from_ref(old.public()))?;
    let note = rotation::announce(old, new, head.checkpoint());
    store::sequence::insert_key_change(conn, changes.len() as i32 + 1, &note.to_string(), clock.now()).await
}

/// The bytes of a file that the log publishes, up to its last checkpoint; `None`: that tree has no such file, or there is no checkpoint yet.
pub async fn find_published(conn: &mut PgConnection, what: Published) -> Result<Option<Vec<u8>>, Error> {
    let Some(head) = store::sequence::find_last_checkpoint(conn).await? else { return Ok(None) };
    let (id, level) = match what {
        Published::Checkpoint => return Ok(Some(head.note.into_bytes())),
        Published::KeyChange(number) => {
            let mut changes = store::sequence::list_key_changes(conn).await?.into_iter();
            let at = usize::from(number).checked_sub(1);
            return Ok(at.and_then(|at| changes.nth(at)).map(String::into_bytes));
        }
        Published::Tile(id) => (id, id.level),
        Published::Bundle(id) => (id, 0),
    };
    // Whatever was published for an earlier tree stays: a narrower tile is the beginning of a wider one.
    let first = id.index.checked_mul(tiles::TILE_WIDTH);
    let Some((first, end)) = first.and_then(|first| Some((first, first.checked_add(u64::from(id.width))?))) else {
        return Ok(None);
    };
    if end > tiles::level_width(level, head.size) {
        return Ok(None);
    }
    if let Published::Tile(_) = what {
        let hashes = store::sequence::hashes(conn, &[(level, first, end)]).await?;
        return Ok(Some(tiles::encode_tile(&hashes.concat())));
    }
    let leaves = store::read::list_leaves(conn, first, end).await?;
    if leaves.len() as u64 != end - first {
        return Err(Error::Corrupt("entries are missing"));
    }
    let entries: Vec<Vec<u8>> = leaves.iter().map(|(leaf, _)| leaf.to_bytes()).collect();
    tiles::encode_bundle(&entries).map(Some).ok_or(Error::Corrupt("an entry is too long for a bundle"))
}

/// The party to which an entry's disclosure was made, or whose request it records; `None`: there is no such entry.
pub async fn find_party(conn: &mut PgConnection, id: DisclosureId) -> Result<Option<ConsumerId>, Error> {
    let stored = store::read::find_party(conn, id).await?;
    stored.map(|party| party.parse().map_err(|_| Error::Corrupt("a stored entry cannot be read"))).transpose()
}

/// The proof that an entry is in the ledger, up to the last checkpoint. A precondition fails while the entry has no position or
/// no checkpoint covers it yet: at most a second or two.
#[tracing::instrument(name = "ledger.inclusion", skip_all, fields(disclosure.id = %id))]
pub async fn inclusion(conn: &mut PgConnection, id: DisclosureId) -> Result<InclusionProof, Error> {
    const NOT_YET: Error = Error::Precondition("no checkpoint covers this entry yet");
    let entry = store::read::find_provable(conn, id).await?.ok_or(Error::NotFound("entry"))?;
    let index = entry.leaf_index.ok_or(NOT_YET)?;
    let head = store::sequence::find_last_checkpoint(conn).await?.ok_or(NOT_YET)?;
    let spans = tree::inclusion_spans(index, head.size).ok_or(NOT_YET)?;
    let tiles = store::sequence::tiles(conn, tiles::tiles_for(&spans, head.size)).await?;
    Ok(InclusionProof {
        index,
        leaf: entry.leaf,
        content_salt: entry.content_salt,
        path: tiles.answer(&spans).ok_or(Error::Corrupt("hashes of the tree are missing"))?,
        checkpoint: head.note,
    })
}

/// The root over the first `size` entries, or over all where there are fewer; and how many those are.
pub async fn root_up_to(conn: &mut PgConnection, size: u64) -> Result<(u64, Hash), Error> {
    let (present, _) = store::sequence::last(conn).await?;
    let size = size.min(present);
    Ok((size, sequencer::root_of(conn, size).await?))
}

/// The proof that the tree of `new` leaves extends that of `old` leaves, for [`tree::verify_consistency`].
pub async fn consistency(conn: &mut PgConnection, old: u64, new: u64) -> Result<Vec<Hash>, Error> {
    let spans =
        tree::consistency_spans(old, new).ok_or(Error::Invalid("a tree extends a smaller one that is not empty"))?;
    let (size, _) = store::sequence::last(conn).await?;
    if new > size {
        return Err(Error::NotFound("tree of that size"));
    }
    let tiles = store::sequence::tiles(conn, tiles::tiles_for(&spans, new)).await?;
    tiles.answer(&spans).ok_or(Error::Corrupt("hashes of the tree are missing"))
}
