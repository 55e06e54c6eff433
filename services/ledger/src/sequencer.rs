//! The one sequencer: positions for committed entries, and signed heads of the tree over them.

use chrono::{DateTime, TimeDelta, Utc};
use model::Clock;
use sqlx::PgConnection;

use crate::{
    checkpoint::SignedCheckpoint,
    error::Error,
    note::Signer,
    rotation, store,
    tiles::{Frontier, tiles_for},
    tree::{Hash, Span, empty_root},
};

/// Unsequenced entries older than this turn health red.
pub const LAG_SECONDS_MAX: i64 = 10;

/// How many waiting entries are counted before "more".
const WAITING_MAX: u32 = 100_000;

/// What one call of [`sequence`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequenced {
    /// How many entries got their position.
    pub assigned: u64,
    /// How many have one now.
    pub size: u64,
    /// Whether there may be more to do at once.
    pub is_behind: bool,
}

/// Gives at most `max` committed entries their position in the tree, in the order (era, transaction, id).
///
/// Call it in a transaction of its own at READ COMMITTED, about once a second, and again at once while it is behind. Only one
/// runs at a time: if another is at it, this does nothing. Only entries that no running transaction can still come
/// before are taken, so none is passed over however late it commits.
#[tracing::instrument(name = "ledger.sequence", skip_all, fields(max))]
pub async fn sequence(conn: &mut PgConnection, max: u32) -> Result<Sequenced, Error> {
    if !store::sequence::try_lock(conn).await? {
        let (size, _) = store::sequence::last(conn).await?;
        return Ok(Sequenced { assigned: 0, size, is_behind: false });
    }
    let (size, last) = store::sequence::last(conn).await?;
    if store::sequence::is_ahead_of_cluster(conn).await? {
        return Err(Error::Precondition(
            "the database was moved to another cluster; its owner must call ledger.begin_era first",
        ));
    }
    let candidates = store::sequence::candidates(conn, last, max).await?;
    if candidates.is_empty() {
        return Ok(Sequenced { assigned: 0, size, is_behind: false });
    }
    let mut frontier = store::sequence::frontier(conn, size).await?;
    let mut full = Vec::new();
    let mut positions = Vec::with_capacity(candidates.len());
    for candidate in &candidates {
        let hash = candidate.leaf.hash();
        frontier.push(hash, &mut full);
        positions.push((candidate.place, hash));
    }
    store::sequence::insert_positions(conn, size, &positions).await?;
    store::sequence::insert_nodes(conn, &full).await?;
    let assigned = candidates.len() as u64;
    Ok(Sequenced { assigned, size: size + assigned, is_behind: assigned == u64::from(max) })
}

/// Signs the head of the tree, if it has grown since the last was signed.
///
/// Nothing is signed that does not extend the last checkpoint: were the stored tree changed below it, this fails, and
/// `verify` says where. Call it in a transaction of its own.
#[tracing::instrument(name = "ledger.checkpoint", skip_all)]
pub async fn checkpoint(
    conn: &mut PgConnection,
    signer: &Signer,
    clock: &dyn Clock,
) -> Result<Option<SignedCheckpoint>, Error> {
    store::sequence::lock(conn).await?;
    let (size, _) = store::sequence::last(conn).await?;
    let frontier = store::sequence::frontier(conn, size).await?;
    if let Some(last) = store::sequence::find_last_checkpoint(conn).await? {
        if last.size > size {
            return Err(Error::Corrupt("entries were cut off behind the last checkpoint"));
        }
        if Some(root_at(conn, last.size, &frontier).await?) != last.root {
            return Err(Error::Corrupt("the tree does not extend its last checkpoint"));
        }
        if last.size == size {
            return Ok(None);
        }
    }
    if let Some(change) = store::sequence::list_key_changes(conn).await?.last()
        && rotation::next_key(change)? != *signer.public()
    {
        return Err(Error::Precondition(
            "the log was handed over to another key; a server that runs since before is started again",
        ));
    }
    let signed = SignedCheckpoint::sign(signer, size, frontier.root());
    store::sequence::insert_checkpoint(conn, &signed, clock.now()).await?;
    tracing::info!(ledger.size = size, "checkpoint signed");
    Ok(Some(signed))
}

/// The root that the stored tree had at an earlier size.
async fn root_at(conn: &mut PgConnection, size: u64, frontier: &Frontier) -> Result<Hash, Error> {
    if size == frontier.size() {
        return Ok(frontier.root());
    }
    root_of(conn, size).await
}

/// The root of the stored tree over its first `size` leaves.
pub(crate) async fn root_of(conn: &mut PgConnection, size: u64) -> Result<Hash, Error> {
    if size == 0 {
        return Ok(empty_root());
    }
    let spans = [Span { start: 0, end: size }];
    let tiles = store::sequence::tiles(conn, tiles_for(&spans, size)).await?;
    let roots = tiles.answer(&spans).unwrap_or_default();
    roots.first().copied().ok_or(Error::Corrupt("hashes of the tree are missing"))
}

/// How the sequencer keeps up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// Committed entries without a position.
    pub unsequenced: u64,
    /// How long the oldest of them has waited.
    pub lag: TimeDelta,
    /// How many of them an older transaction, still open somewhere in the cluster, holds back.
    pub held_back: u64,
}

impl Health {
    /// Whether the ledger can be said to record: nothing waits for more than ten seconds.
    pub fn is_green(&self) -> bool {
        self.lag <= TimeDelta::seconds(LAG_SECONDS_MAX)
    }
}

/// Looks at what waits to be sequenced.
pub async fn health(conn: &mut PgConnection, clock: &dyn Clock) -> Result<Health, Error> {
    let (_, last) = store::sequence::last(conn).await?;
    let waiting = store::sequence::waiting(conn, last, WAITING_MAX).await?;
    let lag = waiting.oldest.map_or(TimeDelta::zero(), |oldest| (clock.now() - oldest).max(TimeDelta::zero()));
    Ok(Health { unsequenced: store::count(waiting.entries)?, lag, held_back: store::count(waiting.held_back)? })
}

/// The last time the ledger knows: decisions are never dated before it, whatever the clock says.
pub async fn last_decided_at(conn: &mut PgConnection) -> Result<Option<DateTime<Utc>>, Error> {
    Ok(last_moment(conn).await?.decided_at)
}

/// The last time the ledger knows, and the time by the database's clock: what clocks that step back are found out by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastMoment {
    /// The latest time among the last entries; `None`: there are none.
    pub decided_at: Option<DateTime<Utc>>,
    /// By the database's clock. Nothing is decided by it.
    pub database: DateTime<Utc>,
}

/// The last time the ledger knows, beside the database's.
pub async fn last_moment(conn: &mut PgConnection) -> Result<LastMoment, Error> {
    store::sequence::last_moment(conn).await
}
