//! Giving committed entries their position, and keeping the tree over them.

use chrono::{DateTime, Utc};
use model::DisclosureId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    LastMoment,
    checkpoint::SignedCheckpoint,
    entry::Leaf,
    error::Error,
    store::{bigint, count, hash},
    tiles::{Frontier, FullTile, TILE_WIDTH, TileId, TileSet, level_width, levels},
    tree::Hash,
};

/// The advisory lock that makes the sequencer one. The number is arbitrary and belongs to nobody else: the bytes of "ledger".
const SEQUENCER: i64 = 0x6c65_6467_6572;

/// The place of an entry in the order of sequencing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) era: i32,
    pub(crate) xid: u64,
    pub(crate) entry: Uuid,
}

impl Place {
    /// Before every entry.
    pub(crate) const START: Self = Self { era: 0, xid: 0, entry: Uuid::nil() };
}

pub(crate) fn xid(text: &str) -> Result<u64, Error> {
    text.parse().map_err(|_| Error::Corrupt("a transaction id is no number"))
}

/// Becomes the sequencer until the transaction ends; false if another is.
pub(crate) async fn try_lock(conn: &mut PgConnection) -> Result<bool, Error> {
    let locked = sqlx::query_scalar!(
        r#"-- ledger.try_lock
        SELECT pg_try_advisory_xact_lock($1) AS "locked!""#,
        SEQUENCER
    )
    .fetch_one(conn)
    .await?;
    Ok(locked)
}

/// Becomes the sequencer until the transaction ends, when the present one has finished.
pub(crate) async fn lock(conn: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!(
        r#"-- ledger.lock
        SELECT pg_advisory_xact_lock($1) AS "locked!: ()""#,
        SEQUENCER
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// How many entries are sequenced, and the place of the last.
pub(crate) async fn last(conn: &mut PgConnection) -> Result<(u64, Place), Error> {
    let row = sqlx::query!(
        r#"-- ledger.last
        SELECT s.leaf_index, s.era, s.xid::text AS "xid!", s.entry_id
        FROM ledger.sequence AS s
        ORDER BY s.leaf_index DESC
        LIMIT 1"#
    )
    .fetch_optional(conn)
    .await?;
    row.map_or(Ok((0, Place::START)), |row| {
        let place = Place { era: row.era, xid: xid(&row.xid)?, entry: row.entry_id };
        Ok((count(row.leaf_index)? + 1, place))
    })
}

/// Whether an entry of the present era bears a transaction id that this cluster has not reached: the database was moved to
/// another cluster, and its order can no longer be continued.
pub(crate) async fn is_ahead_of_cluster(conn: &mut PgConnection) -> Result<bool, Error> {
    let ahead = sqlx::query_scalar!(
        r#"-- ledger.is_ahead_of_cluster
        SELECT COALESCE((
            SELECT newest.era = (SELECT max(present.era) FROM ledger.era AS present)
                AND newest.xid >= (SELECT pg_snapshot_xmax(pg_current_snapshot()))
            FROM (
                SELECT e.era, e.xid
                FROM ledger.entry AS e
                WHERE e.xid IS DISTINCT FROM (SELECT pg_current_xact_id_if_assigned())
                ORDER BY e.era DESC, e.xid DESC, e.entry_id DESC
                LIMIT 1
            ) AS newest
        ), FALSE) AS "ahead!""#
    )
    .fetch_one(conn)
    .await?;
    Ok(ahead)
}

/// An entry that can be given a position.
pub(crate) struct Candidate {
    pub(crate) place: Place,
    pub(crate) leaf: Leaf,
}

/// The entries behind `after` that no transaction still running can come before, in order, at most `limit`.
///
/// Below the snapshot's xmin every transaction has ended: what is visible there is all there will ever be. Entries of an
/// earlier era are all committed. The snapshot is this statement's own, taken after the lock.
pub(crate) async fn candidates(conn: &mut PgConnection, after: Place, limit: u32) -> Result<Vec<Candidate>, Error> {
    let rows = sqlx::query!(
        r#"-- ledger.candidates
        SELECT e.entry_id, e.era, e.xid::text AS "xid!", e.record_commitment, e.detail_commitment, e.content_commitment
        FROM ledger.entry AS e
        WHERE (e.era, e.xid, e.entry_id) > ($1, $2::text::xid8, $3)
            AND (
                e.era < (SELECT max(present.era) FROM ledger.era AS present)
                OR e.xid < (SELECT pg_snapshot_xmin(pg_current_snapshot()))
            )
        ORDER BY e.era, e.xid, e.entry_id
        LIMIT $4"#,
        after.era,
        after.xid.to_string(),
        after.entry,
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let place = Place { era: row.era, xid: xid(&row.xid)?, entry: row.entry_id };
            let leaf = Leaf {
                id: DisclosureId(row.entry_id),
                record: hash(&row.record_commitment)?,
                detail: hash(&row.detail_commitment)?,
                content: hash(&row.content_commitment)?,
            };
            Ok(Candidate { place, leaf })
        })
        .collect()
}

/// Takes up the tree of `size` leaves.
pub(crate) async fn frontier(conn: &mut PgConnection, size: u64) -> Result<Frontier, Error> {
    let from = |level: u8| level_width(level, size) / TILE_WIDTH * TILE_WIDTH;
    let ranges = (0..levels(size)).map(|level| (level, from(level), level_width(level, size)));
    let tiles = hashes(conn, &ranges.collect::<Vec<_>>()).await?;
    Frontier::resume(size, tiles).ok_or(Error::Corrupt("the tree's right-hand edge has gaps"))
}

/// The stored hashes of ranges of the tree's levels: `(level, first, end)`. Each must be there whole.
pub(crate) async fn hashes(conn: &mut PgConnection, ranges: &[(u8, u64, u64)]) -> Result<Vec<Vec<Hash>>, Error> {
    let levels: Vec<i16> = ranges.iter().map(|(level, ..)| i16::from(*level)).collect();
    let from = ranges.iter().map(|(_, from, _)| bigint(*from)).collect::<Result<Vec<_>, _>>()?;
    let to = ranges.iter().map(|(.., to)| bigint(*to)).collect::<Result<Vec<_>, _>>()?;
    let rows = sqlx::query!(
        r#"-- ledger.hashes
        SELECT w.ordinal AS "ordinal!", s.leaf_index AS "position!", s.leaf_hash AS "hash!"
        FROM UNNEST($1::smallint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS w (level, first, behind, ordinal)
        JOIN ledger.sequence AS s ON w.level = 0 AND s.leaf_index >= w.first AND s.leaf_index < w.behind
        UNION ALL
        SELECT w.ordinal, n.node_index, n.hash
        FROM UNNEST($1::smallint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS w (level, first, behind, ordinal)
        JOIN ledger.node AS n ON n.level = w.level AND n.node_index >= w.first AND n.node_index < w.behind
        ORDER BY 1, 2"#,
        &levels,
        &from,
        &to
    )
    .fetch_all(conn)
    .await?;
    let mut found = vec![Vec::new(); ranges.len()];
    for row in rows {
        let at = count(row.ordinal)?.saturating_sub(1) as usize;
        if let Some(hashes) = found.get_mut(at) {
            hashes.push(hash(&row.hash)?);
        }
    }
    let whole = found.iter().zip(ranges).all(|(hashes, (_, from, to))| hashes.len() as u64 == to.saturating_sub(*from));
    if whole { Ok(found) } else { Err(Error::Corrupt("hashes of the tree are missing")) }
}

/// The given tiles.
pub(crate) async fn tiles(conn: &mut PgConnection, wanted: impl IntoIterator<Item = TileId>) -> Result<TileSet, Error> {
    let wanted: Vec<TileId> = wanted.into_iter().collect();
    let ranges: Vec<_> = wanted
        .iter()
        .map(|id| (id.level, id.index * TILE_WIDTH, id.index * TILE_WIDTH + u64::from(id.width)))
        .collect();
    let mut set = TileSet::default();
    for (id, hashes) in wanted.iter().zip(hashes(conn, &ranges).await?) {
        set.add(id.level, id.index, hashes);
    }
    Ok(set)
}

/// Gives entries the positions from `first` on.
pub(crate) async fn insert_positions(
    conn: &mut PgConnection,
    first: u64,
    entries: &[(Place, Hash)],
) -> Result<(), Error> {
    let indexes = (first..).take(entries.len()).map(bigint).collect::<Result<Vec<_>, _>>()?;
    let ids: Vec<Uuid> = entries.iter().map(|(place, _)| place.entry).collect();
    let eras: Vec<i32> = entries.iter().map(|(place, _)| place.era).collect();
    let xids: Vec<String> = entries.iter().map(|(place, _)| place.xid.to_string()).collect();
    let hashes: Vec<Vec<u8>> = entries.iter().map(|(_, hash)| hash.as_bytes().to_vec()).collect();
    let done = sqlx::query!(
        "-- ledger.insert_positions
        INSERT INTO ledger.sequence (leaf_index, entry_id, leaf_hash, era, xid)
        SELECT g.leaf_index, g.entry_id, g.leaf_hash, g.era, g.xid::xid8
        FROM UNNEST($1::bigint[], $2::uuid[], $3::bytea[], $4::integer[], $5::text[])
            AS g (leaf_index, entry_id, leaf_hash, era, xid)",
        &indexes,
        &ids,
        &hashes,
        &eras,
        &xids
    )
    .execute(conn)
    .await?;
    if done.rows_affected() == entries.len() as u64 {
        Ok(())
    } else {
        Err(Error::Corrupt("not every entry got its position"))
    }
}

/// Stores the hashes over tiles that became full.
pub(crate) async fn insert_nodes(conn: &mut PgConnection, full: &[FullTile]) -> Result<(), Error> {
    let levels: Vec<i16> = full.iter().map(|tile| i16::from(tile.id.level) + 1).collect();
    let indexes = full.iter().map(|tile| bigint(tile.id.index)).collect::<Result<Vec<_>, _>>()?;
    let hashes: Vec<Vec<u8>> = full.iter().map(|tile| tile.root.as_bytes().to_vec()).collect();
    sqlx::query!(
        "-- ledger.insert_nodes
        INSERT INTO ledger.node (level, node_index, hash)
        SELECT g.level, g.node_index, g.hash
        FROM UNNEST($1::smallint[], $2::bigint[], $3::bytea[]) AS g (level, node_index, hash)",
        &levels,
        &indexes,
        &hashes
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A stored checkpoint, believed or not.
pub(crate) struct StoredCheckpoint {
    pub(crate) size: u64,
    pub(crate) root: Option<Hash>,
    pub(crate) note: String,
    pub(crate) made_at: DateTime<Utc>,
}

/// The last checkpoint, of the greatest tree.
pub(crate) async fn find_last_checkpoint(conn: &mut PgConnection) -> Result<Option<StoredCheckpoint>, Error> {
    let row = sqlx::query!(
        "-- ledger.find_last_checkpoint
        SELECT c.tree_size, c.root, c.note, c.made_at
        FROM ledger.checkpoint AS c
        ORDER BY c.tree_size DESC
        LIMIT 1"
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let root = Hash::try_from(row.root.as_slice()).ok();
        Ok(StoredCheckpoint { size: count(row.tree_size)?, root, note: row.note, made_at: row.made_at })
    })
    .transpose()
}

/// The checkpoints of trees above `after` and up to `upto` leaves, in order.
pub(crate) async fn list_checkpoints(
    conn: &mut PgConnection,
    after: Option<u64>,
    upto: u64,
) -> Result<Vec<StoredCheckpoint>, Error> {
    let rows = sqlx::query!(
        "-- ledger.list_checkpoints
        SELECT c.tree_size, c.root, c.note, c.made_at
        FROM ledger.checkpoint AS c
        WHERE c.tree_size > $1 AND c.tree_size <= $2
        ORDER BY c.tree_size",
        after.map_or(Ok(-1), bigint)?,
        bigint(upto)?
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let root = Hash::try_from(row.root.as_slice()).ok();
            Ok(StoredCheckpoint { size: count(row.tree_size)?, root, note: row.note, made_at: row.made_at })
        })
        .collect()
}

/// Stores a checkpoint.
pub(crate) async fn insert_checkpoint(
    conn: &mut PgConnection,
    checkpoint: &SignedCheckpoint,
    made_at: DateTime<Utc>,
) -> Result<(), Error> {
    let root = checkpoint.root();
    sqlx::query!(
        "-- ledger.insert_checkpoint
        INSERT INTO ledger.checkpoint (tree_size, root, note, made_at)
        VALUES ($1, $2, $3, $4)",
        bigint(checkpoint.size())?,
        root.as_bytes(),
        checkpoint.note().to_string(),
        made_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The notes of changed keys, in their order.
pub(crate) async fn list_key_changes(conn: &mut PgConnection) -> Result<Vec<String>, Error> {
    let notes = sqlx::query_scalar!(
        "-- ledger.list_key_changes
        SELECT k.note FROM ledger.key_change AS k ORDER BY k.number"
    )
    .fetch_all(conn)
    .await?;
    Ok(notes)
}

/// Stores the note of a changed key.
pub(crate) async fn insert_key_change(
    conn: &mut PgConnection,
    number: i32,
    note: &str,
    made_at: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query!(
        "-- ledger.insert_key_change
        INSERT INTO ledger.key_change (number, note, made_at) VALUES ($1, $2, $3)",
        number,
        note,
        made_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What waits to be sequenced.
pub(crate) struct Waiting {
    pub(crate) entries: i64,
    pub(crate) oldest: Option<DateTime<Utc>>,
    pub(crate) held_back: i64,
}

/// The entries behind `after`, counted up to `limit`, and how many of them an older transaction holds back.
pub(crate) async fn waiting(conn: &mut PgConnection, after: Place, limit: u32) -> Result<Waiting, Error> {
    let row = sqlx::query_as!(
        Waiting,
        r#"-- ledger.waiting
        SELECT count(*) AS "entries!", min(w.decided_at) AS oldest, count(*) FILTER (WHERE w.is_held) AS "held_back!"
        FROM (
            SELECT e.decided_at,
                e.era = (SELECT max(present.era) FROM ledger.era AS present)
                    AND e.xid >= (SELECT pg_snapshot_xmin(pg_current_snapshot())) AS is_held
            FROM ledger.entry AS e
            WHERE (e.era, e.xid, e.entry_id) > ($1, $2::text::xid8, $3)
            ORDER BY e.era, e.xid, e.entry_id
            LIMIT $4
        ) AS w"#,
        after.era,
        after.xid.to_string(),
        after.entry,
        i64::from(limit)
    )
    .fetch_one(conn)
    .await?;
    Ok(row)
}

/// The latest decision time among the last entries recorded, and the database's clock.
pub(crate) async fn last_moment(conn: &mut PgConnection) -> Result<LastMoment, Error> {
    let last = sqlx::query_as!(
        LastMoment,
        r#"-- ledger.last_moment
        SELECT max(recent.decided_at) AS "decided_at", clock_timestamp() AS "database!"
        FROM (
            SELECT e.decided_at
            FROM ledger.entry AS e
            ORDER BY e.era DESC, e.xid DESC, e.entry_id DESC
            LIMIT 64
        ) AS recent"#
    )
    .fetch_one(conn)
    .await?;
    Ok(last)
}

/// When the present era began, in seconds since 1970.
pub(crate) async fn epoch(conn: &mut PgConnection) -> Result<u64, Error> {
    let began_at = sqlx::query_scalar!(
        r#"-- ledger.epoch
        SELECT max(e.began_at) AS "began_at!" FROM ledger.era AS e"#
    )
    .fetch_one(conn)
    .await?;
    Ok(u64::try_from(began_at.timestamp()).unwrap_or_default())
}

pub(crate) async fn begin_era(
    conn: &mut PgConnection,
    at: chrono::DateTime<chrono::Utc>,
    why: &str,
) -> Result<(), Error> {
    sqlx::query!(
        "-- ledger.begin_era
        SELECT ledger.begin_era($1, $2)",
        at,
        why
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}
