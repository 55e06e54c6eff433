//! Reading entries one by one or in sums: one entry's proof, what a run has, whose detail names whom.

use chrono::{DateTime, Utc};
use model::{DisclosureId, Masked, StudentId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    DetailOf,
    entry::{Kind, Leaf, Salt},
    error::Error,
    store::{bigint, count, hash},
    tree::Hash,
};

/// Before an agency's own id of a client in an entry's authority.
const CLIENT: &str = "client ";

/// The entries whose detail is of the person they are about. That of others (acts, approvals, accesses, runs) says on whose word something was done.
const ABOUT_A_PERSON: [Kind; 4] = [Kind::Disclosure, Kind::Refusal, Kind::Withdrawal, Kind::Notice];

/// What the proof of one entry starts from.
pub(crate) struct Provable {
    pub(crate) leaf: Leaf,
    pub(crate) leaf_index: Option<u64>,
    pub(crate) content_salt: Option<Salt>,
}

/// One entry's leaf, position and content salt.
pub(crate) async fn find_provable(conn: &mut PgConnection, id: DisclosureId) -> Result<Option<Provable>, Error> {
    let row = sqlx::query!(
        r#"-- ledger.find_provable
        SELECT e.record_commitment, e.detail_commitment, e.content_commitment,
            s.leaf_index AS "leaf_index?", d.content_salt AS "content_salt?"
        FROM ledger.entry AS e
        LEFT JOIN ledger.sequence AS s ON s.entry_id = e.entry_id
        LEFT JOIN ledger.detail AS d ON d.entry_id = e.entry_id
        WHERE e.entry_id = $1"#,
        id.0
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Provable {
            leaf: Leaf {
                id,
                record: hash(&row.record_commitment)?,
                detail: hash(&row.detail_commitment)?,
                content: hash(&row.content_commitment)?,
            },
            leaf_index: row.leaf_index.map(count).transpose()?,
            content_salt: row.content_salt.as_deref().and_then(Salt::from_slice),
        })
    })
    .transpose()
}

/// The consumer that an entry's terms name.
pub(crate) async fn find_party(conn: &mut PgConnection, id: DisclosureId) -> Result<Option<String>, Error> {
    let consumer = sqlx::query_scalar!(
        "-- ledger.find_party
        SELECT t.consumer
        FROM ledger.entry AS e
        JOIN ledger.terms AS t ON t.terms_id = e.terms_id
        WHERE e.entry_id = $1",
        id.0
    )
    .fetch_optional(conn)
    .await?;
    Ok(consumer)
}

/// The leaves of a range, with the leaf hash that stands in the tree.
pub(crate) async fn list_leaves(conn: &mut PgConnection, from: u64, to: u64) -> Result<Vec<(Leaf, Hash)>, Error> {
    let rows = sqlx::query!(
        "-- ledger.list_leaves
        SELECT s.leaf_hash, e.entry_id, e.record_commitment, e.detail_commitment, e.content_commitment
        FROM ledger.sequence AS s
        JOIN ledger.entry AS e ON e.entry_id = s.entry_id
        WHERE s.leaf_index >= $1 AND s.leaf_index < $2
        ORDER BY s.leaf_index",
        bigint(from)?,
        bigint(to)?
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let leaf = Leaf {
                id: DisclosureId(row.entry_id),
                record: hash(&row.record_commitment)?,
                detail: hash(&row.detail_commitment)?,
                content: hash(&row.content_commitment)?,
            };
            Ok((leaf, hash(&row.leaf_hash)?))
        })
        .collect()
}

/// How many entries a run has of one kind.
pub(crate) async fn count_of_run(conn: &mut PgConnection, run: Uuid, kind: Kind) -> Result<u64, Error> {
    let found = sqlx::query_scalar!(
        r#"-- ledger.count_of_run
        SELECT count(*) AS "count!"
        FROM ledger.entry AS e
        WHERE e.run_id = $1 AND e.kind = $2"#,
        run,
        kind.as_str()
    )
    .fetch_one(conn)
    .await?;
    count(found)
}

/// Entries whose detail names one of the students, or one of the clients as a refusal does.
pub(crate) async fn list_details(
    conn: &mut PgConnection,
    students: &[StudentId],
    clients: &[(model::ConsumerId, String)],
) -> Result<std::collections::BTreeSet<DisclosureId>, Error> {
    let consumers: Vec<String> = clients.iter().map(|(consumer, _)| consumer.to_string()).collect();
    let authorities: Vec<String> = clients.iter().map(|(_, key)| format!("{CLIENT}{key}")).collect();
    let ids = sqlx::query_scalar!(
        r#"-- ledger.list_details
        SELECT d.entry_id FROM ledger.detail AS d WHERE d.student_id = ANY($1)
        UNION
        SELECT d.entry_id
        FROM UNNEST($2::text[], $3::text[]) AS u (consumer, authority)
        JOIN ledger.detail AS d ON left(d.authority, 120) = left(u.authority, 120) AND d.authority = u.authority
        JOIN ledger.entry AS e ON e.entry_id = d.entry_id
        JOIN ledger.terms AS t ON t.terms_id = e.terms_id AND t.consumer = u.consumer"#,
        &students.iter().map(|student| student.0).collect::<Vec<Uuid>>(),
        &consumers,
        &authorities,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().flatten().map(DisclosureId).collect())
}

/// A position, and whose detail stands at it if it may end with its time.
pub(crate) struct AtPosition {
    pub(crate) leaf_index: i64,
    pub(crate) is_older: bool,
    pub(crate) detail: Option<DetailOf>,
}

/// The positions behind `after`, in order.
pub(crate) async fn list_at_positions(
    conn: &mut PgConnection,
    older_than: DateTime<Utc>,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<AtPosition>, Error> {
    let rows = sqlx::query!(
        r#"-- ledger.list_at_positions
        SELECT w.leaf_index, (e.decided_at < $1) AS "is_older!", t.consumer, d.entry_id AS "detail?", d.student_id, d.authority
        FROM (
            SELECT s.leaf_index, s.entry_id FROM ledger.sequence AS s WHERE s.leaf_index > $3 ORDER BY s.leaf_index LIMIT $4
        ) AS w
        CROSS JOIN LATERAL (
            SELECT y.kind, y.terms_id, y.decided_at FROM ledger.entry AS y WHERE y.entry_id = w.entry_id LIMIT 1
        ) AS e
        JOIN ledger.terms AS t ON t.terms_id = e.terms_id
        LEFT JOIN LATERAL (
            SELECT y.entry_id, y.student_id, y.authority FROM ledger.detail AS y WHERE y.entry_id = w.entry_id LIMIT 1
        ) AS d ON e.kind = ANY ($2)
        ORDER BY w.leaf_index"#,
        older_than,
        &ABOUT_A_PERSON.map(|kind| kind.as_str().to_owned()),
        after.map_or(Ok(-1), bigint)?,
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let consumer = row.consumer.parse().map_err(|_| Error::Corrupt("a stored entry cannot be read"))?;
            let client = row.authority.as_deref().and_then(|words| words.strip_prefix(CLIENT));
            Ok(AtPosition {
                leaf_index: row.leaf_index,
                is_older: row.is_older,
                detail: row.detail.map(|id| DetailOf {
                    entry: DisclosureId(id),
                    student: row.student_id.map(StudentId),
                    client: client.map(|key| (consumer, Masked::new(key.to_owned()))),
                }),
            })
        })
        .collect()
}

/// The students of whom a consumer was disclosed something, and when last.
pub(crate) async fn list_last_disclosed(
    conn: &mut PgConnection,
    consumer: &model::ConsumerId,
) -> Result<Vec<(StudentId, DateTime<Utc>)>, Error> {
    let rows = sqlx::query!(
        r#"-- ledger.list_last_disclosed
        SELECT d.student_id AS "student_id!", max(e.decided_at) AS "last!"
        FROM ledger.terms AS t
        JOIN ledger.entry AS e ON e.terms_id = t.terms_id AND e.kind = 'disclosure'
        JOIN ledger.detail AS d ON d.entry_id = e.entry_id AND d.student_id IS NOT NULL
        WHERE t.consumer = $1
        GROUP BY d.student_id"#,
        consumer.as_str(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (StudentId(row.student_id), row.last)).collect())
}
