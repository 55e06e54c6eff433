//! All SQL of what was ordered or undone and comes back.

use chrono::{DateTime, Utc};
use model::{ConsumerId, Masked, SourcePersonId, StudentId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Error,
    brought_back::{Awaited, AwaitedUndoing, Known, Ordered, Parted, Undone},
};

const UNREADABLE: Error = Error::Conflict("a stored name cannot be read");

pub(crate) async fn list_orders(conn: &mut PgConnection, since: DateTime<Utc>) -> Result<Vec<Ordered>, Error> {
    let rows = sqlx::query!(
        r#"-- identity.list_orders
        SELECT p.sea AS "sea!", p.state_id AS "state_id!", NULL::smallint AS domain, r.kind AS "kind!", lower(r.in_force) AS "from_at!",
            r.order_number AS "order_number!", r.decided_by AS "decided_by!", r.recorded_at AS "recorded_at!"
        FROM identity.restriction AS r
        JOIN identity.source_person AS p ON p.source_person_id = r.source_person_id
        WHERE r.kind <> 'doubtful_identity' AND upper_inf(r.in_force) AND r.recorded_at >= $1
        UNION
        SELECT a.sea, a.state_id, a.domain, a.kind, lower(a.in_force), a.order_number, a.decided_by, a.recorded_at
        FROM identity.awaiting_order AS a
        WHERE upper_inf(a.in_force) AND a.recorded_at >= $1
        ORDER BY "recorded_at!", "order_number!""#,
        since,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Ordered {
                sea: row.sea.parse().map_err(|_| UNREADABLE)?,
                state_id: Masked::new(row.state_id),
                domain: row.domain,
                kind: row.kind,
                from: row.from_at,
                order_number: row.order_number,
                decided_by: row.decided_by,
                recorded_at: row.recorded_at,
            })
        })
        .collect()
}

/// Matches that ended since, where a person's word on the pair, or on the client, stands now, and no match of the pair does.
pub(crate) async fn list_undone(
    conn: &mut PgConnection,
    engine: &str,
    since: DateTime<Utc>,
) -> Result<Vec<Undone>, Error> {
    let rows = sqlx::query!(
        r#"-- identity.list_undone
        SELECT c.consumer, c.person_key, m.student_id AS "student_id!", max(m.superseded_at) AS "undone_at!",
            bool_or(w.outcome = 'non_match') AS "is_refused!"
        FROM identity.match_decision AS m
        JOIN identity.client AS c ON c.client_id = m.client_id
        JOIN identity.match_decision AS w ON w.client_id = m.client_id AND w.superseded_at IS NULL AND w.outcome <> 'match'
            AND w.decided_by <> $1 AND (w.student_id = m.student_id OR w.student_id IS NULL)
        WHERE m.outcome = 'match' AND m.superseded_at >= $2
            AND NOT EXISTS (SELECT FROM identity.match_decision AS k
                WHERE k.client_id = m.client_id AND k.superseded_at IS NULL AND k.outcome = 'match' AND k.student_id = m.student_id)
        GROUP BY c.consumer, c.person_key, m.student_id
        ORDER BY 4, 1, 2"#,
        engine,
        since,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Undone {
                consumer: row.consumer.parse().map_err(|_| UNREADABLE)?,
                person_key: Masked::new(row.person_key),
                student: StudentId(row.student_id),
                undone_at: row.undone_at,
                is_refused: row.is_refused,
            })
        })
        .collect()
}

/// Moves since after which some stayed behind, as far as the two are still apart.
pub(crate) async fn list_parted(conn: &mut PgConnection, since: DateTime<Utc>) -> Result<Vec<Parted>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- identity.list_parted
        SELECT m.source_persons, m.moved_at,
            ARRAY(SELECT x.source_person_id FROM identity.crosswalk AS x
                WHERE x.student_id = m.from_student AND x.to_at IS NULL ORDER BY x.source_person_id) AS "stayed!"
        FROM identity.crosswalk_move AS m
        WHERE m.kind <> 'merge' AND m.moved_at >= $1
            AND EXISTS (SELECT FROM identity.crosswalk AS x WHERE x.student_id = m.from_student AND x.to_at IS NULL)
            AND NOT EXISTS (SELECT FROM identity.crosswalk AS x
                WHERE x.student_id = m.from_student AND x.to_at IS NULL AND x.source_person_id = ANY (m.source_persons))
        ORDER BY m.move_id"#,
        since,
    )
    .fetch_all(conn)
    .await?;
    let persons = |ids: Vec<i64>| ids.into_iter().map(SourcePersonId).collect();
    Ok(rows
        .into_iter()
        .map(|row| Parted { persons: persons(row.source_persons), with: persons(row.stayed), at: row.moved_at })
        .collect())
}

pub(crate) async fn list_known(
    conn: &mut PgConnection,
    (students, persons, batch): (Option<&[Uuid]>, Option<&[i64]>, Option<i64>),
    after: i64,
    limit: i64,
) -> Result<Vec<Known>, Error> {
    let rows = sqlx::query!(
        "-- identity.list_known
        SELECT p.source_person_id, p.sea, p.state_id, x.student_id
        FROM identity.source_person AS p
        JOIN identity.crosswalk AS x ON x.source_person_id = p.source_person_id AND x.to_at IS NULL
        WHERE p.source_person_id > $4 AND ($1::uuid[] IS NULL OR x.student_id = ANY ($1))
            AND ($2::bigint[] IS NULL OR p.source_person_id = ANY ($2)) AND ($3::bigint IS NULL OR p.created_batch = $3)
        ORDER BY p.source_person_id
        LIMIT $5",
        students as Option<&[Uuid]>,
        persons as Option<&[i64]>,
        batch,
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Known {
                person: SourcePersonId(row.source_person_id),
                sea: row.sea.parse().map_err(|_| UNREADABLE)?,
                state_id: Masked::new(row.state_id),
                student: StudentId(row.student_id),
            })
        })
        .collect()
}

pub(crate) async fn list_client_keys(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
) -> Result<Vec<(i64, Masked<String>)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- identity.list_client_keys
        SELECT c.client_id, c.person_key FROM identity.client AS c WHERE c.consumer = $1 ORDER BY c.client_id",
        consumer.as_str(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.client_id, Masked::new(row.person_key))).collect())
}

pub(crate) async fn find_client_key(conn: &mut PgConnection, client: i64) -> Result<Masked<String>, sqlx::Error> {
    let key = sqlx::query_scalar!(
        "-- identity.find_client_key
        SELECT c.person_key FROM identity.client AS c WHERE c.client_id = $1",
        client,
    )
    .fetch_one(conn)
    .await?;
    Ok(Masked::new(key))
}

pub(crate) async fn insert_awaited(conn: &mut PgConnection, order: &Awaited) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "-- identity.insert_awaited_order
        INSERT INTO identity.awaited_order (person_hash, domain, natural_key, kind, from_at, order_number, decided_by, recorded_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT DO NOTHING",
        &order.person_hash[..],
        order.domain,
        order.natural_key,
        order.kind,
        order.from,
        order.order_number,
        order.decided_by,
        order.recorded_at,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn list_awaited(conn: &mut PgConnection) -> Result<Vec<Awaited>, Error> {
    let rows = sqlx::query!(
        "-- identity.list_awaited_orders
        SELECT a.person_hash, a.domain, a.natural_key, a.kind, a.from_at, a.order_number, a.decided_by, a.recorded_at
        FROM identity.awaited_order AS a ORDER BY a.recorded_at"
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Awaited {
                person_hash: row.person_hash.try_into().map_err(|_| UNREADABLE)?,
                domain: row.domain,
                natural_key: row.natural_key,
                kind: row.kind,
                from: row.from_at,
                order_number: row.order_number,
                decided_by: row.decided_by,
                recorded_at: row.recorded_at,
            })
        })
        .collect()
}

pub(crate) async fn delete_awaited(conn: &mut PgConnection, order: &Awaited) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.delete_awaited_order
        DELETE FROM identity.awaited_order AS a
        WHERE a.person_hash = $1 AND a.kind = $2 AND a.order_number = $3 AND a.domain IS NOT DISTINCT FROM $4
            AND a.natural_key IS NOT DISTINCT FROM $5",
        &order.person_hash[..],
        order.kind,
        order.order_number,
        order.domain,
        order.natural_key,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn insert_awaited_undoing(
    conn: &mut PgConnection,
    undoing: &AwaitedUndoing,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "-- identity.insert_awaited_undoing
        INSERT INTO identity.awaited_undoing (consumer, client_hash, person_hash, undone_at, is_refused)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (consumer, client_hash, person_hash) DO UPDATE
            SET undone_at = GREATEST(awaited_undoing.undone_at, EXCLUDED.undone_at), is_refused = EXCLUDED.is_refused
            WHERE awaited_undoing.undone_at < EXCLUDED.undone_at",
        undoing.consumer.as_str(),
        &undoing.client_hash[..],
        &undoing.person_hash[..],
        undoing.undone_at,
        undoing.is_refused,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

pub(crate) async fn list_awaited_undoings(conn: &mut PgConnection) -> Result<Vec<AwaitedUndoing>, Error> {
    let rows = sqlx::query!(
        "-- identity.list_awaited_undoings
        SELECT a.consumer, a.client_hash, a.person_hash, a.undone_at, a.is_refused FROM identity.awaited_undoing AS a ORDER BY a.undone_at"
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(AwaitedUndoing {
                consumer: row.consumer.parse().map_err(|_| UNREADABLE)?,
                client_hash: row.client_hash.try_into().map_err(|_| UNREADABLE)?,
                person_hash: row.person_hash.try_into().map_err(|_| UNREADABLE)?,
                undone_at: row.undone_at,
                is_refused: row.is_refused,
            })
        })
        .collect()
}

pub(crate) async fn delete_awaited_undoing(
    conn: &mut PgConnection,
    undoing: &AwaitedUndoing,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.delete_awaited_undoing
        DELETE FROM identity.awaited_undoing AS a WHERE a.consumer = $1 AND a.client_hash = $2 AND a.person_hash = $3",
        undoing.consumer.as_str(),
        &undoing.client_hash[..],
        &undoing.person_hash[..],
    )
    .execute(conn)
    .await?;
    Ok(())
}
