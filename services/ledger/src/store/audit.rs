//! Reading everything back, exactly as it stands, for verification and export.
//!
//! These statements read values that a superuser may have bent out of shape: texts and times come as stored, hashes as bytes.

use chrono::DateTime;
use model::{DisclosureId, Masked};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Act, Attested, AttestedDetail,
    entry::instant,
    error::Error,
    opened::{OpenedDetail, OpenedEntry, OpenedTerms},
    store::{
        bigint, count,
        sequence::{Place, xid},
    },
    tree::Hash,
};

/// A position of the tree and what stands at it.
pub(crate) struct Position {
    pub(crate) leaf_index: u64,
    pub(crate) place: Place,
    pub(crate) leaf_hash: Hash,
    /// The entry, unless it was deleted.
    pub(crate) entry: Option<OpenedEntry>,
    /// Whether the entry still bears the era and transaction it was sequenced under.
    pub(crate) keeps_place: bool,
    /// Whether time and terms stand beside the detail as they do in the entry.
    pub(crate) keeps_copy: bool,
    /// Whether an erasure accounts for a missing detail.
    pub(crate) is_erased: bool,
}

/// A hash of the wrong length is no hash of anything: it compares unequal to every other.
fn bent(bytes: &[u8]) -> Hash {
    Hash::try_from(bytes).unwrap_or(Hash([0; 32]))
}

/// An instant from its seconds since 1970 as exact decimal text; anything else is kept as it is, and matches nothing.
fn decided_at(seconds: &str) -> String {
    let exact = || {
        let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
        let micros: i64 = format!("{whole}{part:0<6}").parse().ok()?;
        DateTime::from_timestamp_micros(micros).map(instant)
    };
    exact().unwrap_or_else(|| seconds.to_owned())
}

/// A list that may have been given a NULL, which no committed list holds.
fn texts(list: Vec<Option<String>>) -> Vec<String> {
    list.into_iter().map(|text| text.unwrap_or_else(|| "\0".to_owned())).collect()
}

/// The positions behind `after`, in order.
pub(crate) async fn list_positions(
    conn: &mut PgConnection,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<Position>, Error> {
    let rows = sqlx::query!(
        r#"-- ledger.list_positions
        SELECT s.leaf_index, s.entry_id, s.leaf_hash, s.era, s.xid::text AS "xid!",
            e.entry_id AS "found?", (e.era = s.era AND e.xid = s.xid) AS keeps_place,
            e.kind AS "kind?", e.terms_id AS "terms_id?", e.delivery AS "delivery?",
            extract(EPOCH FROM e.decided_at)::text AS decided_at, e.run_id, e.counted, e.reason, e.salt AS "salt?",
            e.record_commitment AS "record_commitment?", e.detail_commitment AS "detail_commitment?",
            e.content_commitment AS "content_commitment?",
            d.salt AS "detail_salt?", d.content_salt AS "content_salt?", d.student_id, d.person, d.system,
            d.on_behalf_of, d.authority, d.threat, d.digest,
            (d.decided_at IS NULL OR (d.decided_at = e.decided_at AND d.terms_id = e.terms_id)) AS keeps_copy,
            (x.entry_id IS NOT NULL) AS "is_erased!"
        FROM ledger.sequence AS s
        LEFT JOIN ledger.entry AS e ON e.entry_id = s.entry_id
        LEFT JOIN ledger.detail AS d ON d.entry_id = s.entry_id
        LEFT JOIN ledger.erasure AS x ON x.entry_id = s.entry_id
        WHERE s.leaf_index > $1
        ORDER BY s.leaf_index
        LIMIT $2"#,
        after.map_or(Ok(-1), bigint)?,
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let leaf_index = count(row.leaf_index)?;
            let detail = row.detail_salt.map(|salt| OpenedDetail {
                salt,
                content_salt: row.content_salt.unwrap_or_default(),
                student: row.student_id,
                person: row.person,
                system: row.system,
                on_behalf_of: row.on_behalf_of,
                authority: row.authority,
                threat: row.threat,
                digest: row.digest.as_deref().map(bent),
            });
            let entry = row.found.map(|entry_id| OpenedEntry {
                leaf_index,
                entry_id,
                kind: row.kind.unwrap_or_default(),
                terms: bent(&row.terms_id.unwrap_or_default()),
                delivery: row.delivery.unwrap_or_default(),
                decided_at: decided_at(&row.decided_at.unwrap_or_default()),
                run: row.run_id,
                count: row.counted,
                reason: row.reason,
                salt: row.salt.unwrap_or_default(),
                record_commitment: bent(&row.record_commitment.unwrap_or_default()),
                detail_commitment: bent(&row.detail_commitment.unwrap_or_default()),
                content_commitment: bent(&row.content_commitment.unwrap_or_default()),
                detail,
            });
            Ok(Position {
                leaf_index,
                place: Place { era: row.era, xid: xid(&row.xid)?, entry: row.entry_id },
                leaf_hash: bent(&row.leaf_hash),
                entry,
                keeps_place: row.keeps_place.unwrap_or(false),
                keeps_copy: row.keeps_copy.unwrap_or(false),
                is_erased: row.is_erased,
            })
        })
        .collect()
}

/// The eras that began.
pub(crate) async fn list_eras(conn: &mut PgConnection) -> Result<Vec<i32>, Error> {
    let eras = sqlx::query_scalar!(
        "-- ledger.list_eras
        SELECT g.era FROM ledger.era AS g ORDER BY g.era"
    )
    .fetch_all(conn)
    .await?;
    Ok(eras)
}

/// Acts and accesses that name one of these authorities: the entry, and which.
pub(crate) async fn list_uses(
    conn: &mut PgConnection,
    authorities: &[String],
) -> Result<Vec<(DisclosureId, String)>, Error> {
    let rows = sqlx::query!(
        r#"-- ledger.list_uses
        SELECT DISTINCT ON (d.authority) d.entry_id, d.authority AS "authority!"
        FROM UNNEST($1::text[]) AS u (authority)
        JOIN ledger.detail AS d ON left(d.authority, 120) = left(u.authority, 120) AND d.authority = u.authority
        JOIN ledger.entry AS e ON e.entry_id = d.entry_id
        WHERE e.kind <> 'approval'
        ORDER BY d.authority, e.decided_at, d.entry_id"#,
        authorities
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (DisclosureId(row.entry_id), row.authority)).collect())
}

/// The acts of one kind, oldest first: the entry, what it was done to, when, and how many it covers with which digest.
pub(crate) async fn list_acts(conn: &mut PgConnection, reason: &str) -> Result<Vec<Act>, Error> {
    let rows = sqlx::query!(
        "-- ledger.list_acts
        SELECT e.entry_id, e.decided_at, e.counted, d.authority, d.digest
        FROM ledger.entry AS e
        JOIN ledger.detail AS d ON d.entry_id = e.entry_id
        WHERE e.kind = 'act' AND e.reason = $1
        ORDER BY e.decided_at, e.era, e.xid, e.entry_id",
        reason
    )
    .fetch_all(conn)
    .await?;
    let act = rows.into_iter().map(|row| Act {
        entry: DisclosureId(row.entry_id),
        at: row.decided_at,
        to: row.authority.unwrap_or_default(),
        covers: row.counted.and_then(|count| u64::try_from(count).ok()).zip(row.digest.as_deref().map(bent)),
    });
    Ok(act.collect())
}

/// What recipients attested, by the ledger.
pub(crate) async fn list_attestations(conn: &mut PgConnection) -> Result<Vec<Attested>, Error> {
    let rows = sqlx::query!(
        r#"-- ledger.list_attestations
        SELECT e.entry_id, t.consumer, e.decided_at, e.reason, d.entry_id AS "detail?", d.person AS "person?", d.on_behalf_of AS "on_behalf_of?",
            d.authority AS "authority?", d.digest AS "digest?"
        FROM ledger.entry AS e
        JOIN ledger.terms AS t ON t.terms_id = e.terms_id
        LEFT JOIN ledger.detail AS d ON d.entry_id = e.entry_id
        WHERE e.kind = 'attestation'
        ORDER BY e.entry_id"#
    )
    .fetch_all(conn)
    .await?;
    let attested = rows.into_iter().map(|row| {
        // Whatever is no digest fits nothing.
        let digest = row.digest.as_deref().map(|bytes| Hash::try_from(bytes).unwrap_or(Hash([0; 32])));
        let said = row.detail.map(|_| AttestedDetail {
            attested_by: row.person.map(Masked::new),
            entered_by: row.on_behalf_of.map(Masked::new),
            about: row.authority.map(Masked::new),
            digest,
        });
        let (entry, consumer) = (DisclosureId(row.entry_id), row.consumer);
        Attested { entry, consumer, at: row.decided_at, day: row.reason, said }
    });
    Ok(attested.collect())
}

/// The terms of the given hashes, as far as they are there.
pub(crate) async fn list_terms(conn: &mut PgConnection, ids: &[Hash]) -> Result<Vec<OpenedTerms>, Error> {
    let ids: Vec<Vec<u8>> = ids.iter().map(|id| id.as_bytes().to_vec()).collect();
    let rows = sqlx::query!(
        r#"-- ledger.list_terms
        SELECT t.terms_id, t.consumer, t.party, t.purpose, t.legal_basis, t.agreement, t.agreement_version, t.clause,
            t.elements AS "elements: Vec<Option<String>>", t.withheld AS "withheld: Vec<Option<String>>",
            t.onward_parties AS "onward_parties: Vec<Option<String>>",
            t.onward_interests AS "onward_interests: Vec<Option<String>>",
            t.shown_to AS "shown_to: Vec<Option<String>>",
            t.shown_after_review AS "shown_after_review: Vec<Option<String>>"
        FROM ledger.terms AS t
        WHERE t.terms_id = ANY ($1)"#,
        &ids
    )
    .fetch_all(conn)
    .await?;
    let opened = rows.into_iter().map(|row| OpenedTerms {
        terms: bent(&row.terms_id),
        consumer: row.consumer,
        party: row.party,
        purpose: row.purpose,
        legal_basis: row.legal_basis,
        agreement: row.agreement,
        agreement_version: row.agreement_version,
        clause: row.clause,
        elements: texts(row.elements),
        withheld: texts(row.withheld),
        onward_parties: texts(row.onward_parties),
        onward_interests: texts(row.onward_interests),
        shown_to: texts(row.shown_to),
        shown_after_review: texts(row.shown_after_review),
    });
    Ok(opened.collect())
}

/// The hashes stored over full tiles: those of each level between the given positions, as far as they are there.
pub(crate) async fn list_nodes(
    conn: &mut PgConnection,
    ranges: &[(u8, u64, u64)],
) -> Result<Vec<((u8, u64), Hash)>, Error> {
    let levels: Vec<i16> = ranges.iter().map(|(level, ..)| i16::from(*level)).collect();
    let from = ranges.iter().map(|(_, from, _)| bigint(*from)).collect::<Result<Vec<_>, _>>()?;
    let to = ranges.iter().map(|(.., to)| bigint(*to)).collect::<Result<Vec<_>, _>>()?;
    let rows = sqlx::query!(
        "-- ledger.list_nodes
        SELECT n.level, n.node_index, n.hash
        FROM UNNEST($1::smallint[], $2::bigint[], $3::bigint[]) AS w (level, first, behind)
        JOIN ledger.node AS n ON n.level = w.level AND n.node_index >= w.first AND n.node_index < w.behind",
        &levels,
        &from,
        &to
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| Ok(((row.level.unsigned_abs() as u8, count(row.node_index)?), bent(&row.hash))))
        .collect()
}

/// Hashes stored over tiles that a tree of `size` leaves does not fill: the level and index of each.
pub(crate) async fn list_nodes_beyond(conn: &mut PgConnection, size: u64, limit: u32) -> Result<Vec<(u8, u64)>, Error> {
    let rows = sqlx::query!(
        "-- ledger.list_nodes_beyond
        SELECT n.level, n.node_index
        FROM ledger.node AS n
        WHERE n.node_index >= ($1::bigint >> (8 * n.level))
        ORDER BY n.level, n.node_index
        LIMIT $2",
        bigint(size)?,
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| Ok((row.level.unsigned_abs() as u8, count(row.node_index)?))).collect()
}

/// Entries that stand before the last sequenced one and are not in the tree.
pub(crate) async fn list_left_out(
    conn: &mut PgConnection,
    last: Place,
    limit: u32,
) -> Result<Vec<DisclosureId>, Error> {
    let rows = sqlx::query_scalar!(
        "-- ledger.list_left_out
        SELECT e.entry_id
        FROM ledger.entry AS e
        LEFT JOIN ledger.sequence AS s ON s.entry_id = e.entry_id
        WHERE s.entry_id IS NULL AND (e.era, e.xid, e.entry_id) <= ($1, $2::text::xid8, $3)
        LIMIT $4",
        last.era,
        last.xid.to_string(),
        last.entry,
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(DisclosureId).collect())
}

/// Details whose entry is gone and that no position names.
pub(crate) async fn list_left_over(conn: &mut PgConnection, limit: u32) -> Result<Vec<DisclosureId>, Error> {
    let rows = sqlx::query_scalar!(
        "-- ledger.list_left_over
        SELECT d.entry_id
        FROM ledger.detail AS d
        LEFT JOIN ledger.entry AS e ON e.entry_id = d.entry_id
        LEFT JOIN ledger.sequence AS s ON s.entry_id = d.entry_id
        WHERE e.entry_id IS NULL AND s.entry_id IS NULL
        LIMIT $1",
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(DisclosureId).collect())
}

/// The erasures behind `after`, each with the kind, count and fingerprint of its entry, as far as that is there.
pub(crate) struct Erasure {
    pub(crate) id: Uuid,
    pub(crate) kind: Option<String>,
    pub(crate) counted: Option<i64>,
    pub(crate) digest: Option<Vec<u8>>,
}

/// The erasures behind `after`.
pub(crate) async fn list_erasures(
    conn: &mut PgConnection,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Vec<Erasure>, Error> {
    let rows = sqlx::query_as!(
        Erasure,
        r#"-- ledger.list_erasures
        SELECT named.erasure_id AS "id!", e.kind AS "kind?", e.counted, d.digest
        FROM (
            SELECT DISTINCT x.erasure_id
            FROM ledger.erasure AS x
            WHERE $1::uuid IS NULL OR x.erasure_id > $1
            ORDER BY x.erasure_id
            LIMIT $2
        ) AS named
        LEFT JOIN ledger.entry AS e ON e.entry_id = named.erasure_id
        LEFT JOIN ledger.detail AS d ON d.entry_id = named.erasure_id
        ORDER BY named.erasure_id"#,
        after,
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The entries that an erasure names, behind `after`, in order of their ids.
pub(crate) async fn list_erased(
    conn: &mut PgConnection,
    erasure: Uuid,
    after: Option<Uuid>,
    limit: u32,
) -> Result<Vec<Uuid>, Error> {
    let rows = sqlx::query_scalar!(
        "-- ledger.list_erased
        SELECT x.entry_id
        FROM ledger.erasure AS x
        WHERE x.erasure_id = $1 AND ($2::uuid IS NULL OR x.entry_id > $2)
        ORDER BY x.entry_id
        LIMIT $3",
        erasure,
        after,
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::decided_at;

    #[test]
    fn times_come_back_as_they_were_committed_to() {
        assert_eq!(decided_at("1795249800.000000"), "2026-11-21T08:30:00.000000Z");
        assert_eq!(decided_at("1795249800.123456"), "2026-11-21T08:30:00.123456Z");
        assert_eq!(decided_at("1795249800"), "2026-11-21T08:30:00.000000Z");
        for bent in ["Infinity", "-Infinity", "", "-210866803200.0000001", "1795249800.1234567"] {
            assert!(!decided_at(bent).starts_with("2026"), "{bent}");
        }
    }
}
