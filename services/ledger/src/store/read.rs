//! Reading entries for people: a student's record of disclosures, the auditor's search, one entry's proof.

use chrono::{DateTime, Utc};
use model::{DisclosureId, Masked, StudentId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    entry::{Kind, Leaf, Salt},
    error::Error,
    record::{Cursor, RecordedEntry, Search},
    store::{bigint, count, hash},
    terms::{Audience, Clause, OnwardParty, Showing},
    tree::Hash,
};

/// An entry joined with its terms and detail, as the statements below return it.
struct Row {
    entry_id: Uuid,
    leaf_index: Option<i64>,
    kind: String,
    delivery: String,
    decided_at: DateTime<Utc>,
    run_id: Option<Uuid>,
    counted: Option<i64>,
    reason: Option<String>,
    consumer: String,
    party: String,
    purpose: Option<String>,
    legal_basis: Option<String>,
    agreement: Option<String>,
    agreement_version: Option<i32>,
    clause: Option<String>,
    elements: Vec<String>,
    withheld: Vec<String>,
    onward_parties: Vec<String>,
    onward_interests: Vec<String>,
    needs_review: bool,
    student_id: Option<Uuid>,
    person: Option<String>,
    system: Option<String>,
    on_behalf_of: Option<String>,
    authority: Option<String>,
    threat: Option<String>,
    digest: Option<Vec<u8>>,
    has_detail: bool,
}

impl TryFrom<Row> for RecordedEntry {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        const CORRUPT: Error = Error::Corrupt("a stored entry cannot be read");
        let clause = match (row.agreement, row.agreement_version, row.clause) {
            (Some(agreement), Some(version), Some(clause)) => {
                Some(Clause { agreement, version: u32::try_from(version).map_err(|_| CORRUPT)?, clause })
            }
            _ => None,
        };
        let onward = row.onward_parties.into_iter().zip(row.onward_interests);
        Ok(Self {
            id: DisclosureId(row.entry_id),
            leaf_index: row.leaf_index.map(count).transpose()?,
            kind: row.kind.parse().map_err(|_| CORRUPT)?,
            delivery: row.delivery.parse().map_err(|_| CORRUPT)?,
            decided_at: row.decided_at,
            run: row.run_id,
            count: row.counted.map(count).transpose()?,
            reason: row.reason,
            consumer: row.consumer.parse().map_err(|_| CORRUPT)?,
            party: row.party,
            purpose: row.purpose,
            legal_basis: row.legal_basis,
            clause,
            elements: row.elements,
            withheld: row.withheld,
            onward: onward.map(|(party, interest)| OnwardParty { party, interest }).collect(),
            showing: if row.needs_review { Showing::AfterReview } else { Showing::Open },
            student: row.student_id.map(StudentId),
            person: row.person.map(Masked::new),
            system: row.system,
            on_behalf_of: row.on_behalf_of.map(Masked::new),
            authority: row.authority.map(Masked::new),
            threat: row.threat.map(Masked::new),
            digest: row.digest.as_deref().map(hash).transpose()?,
            is_erased: !row.has_detail,
        })
    }
}

/// A student's record of disclosures as one audience is shown it, oldest first, behind `after`.
///
/// Only auditors are shown persons, systems and authorities; to a family the law owes the parties and their interests.
pub(crate) async fn list_of_student(
    conn: &mut PgConnection,
    student: StudentId,
    audience: Audience,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<RecordedEntry>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"-- ledger.list_of_student
        SELECT e.entry_id, s.leaf_index AS "leaf_index?", e.kind, e.delivery, e.decided_at, e.run_id, e.counted, e.reason,
            t.consumer, t.party, t.purpose, t.legal_basis, t.agreement, t.agreement_version, t.clause,
            t.elements, t.withheld, t.onward_parties, t.onward_interests,
            NOT ($2 = ANY (t.shown_to)) AS "needs_review!",
            d.student_id,
            CASE WHEN $2 = 'auditor' THEN d.person END AS person,
            CASE WHEN $2 = 'auditor' THEN d.system END AS system,
            CASE WHEN $2 = 'auditor' THEN d.on_behalf_of END AS on_behalf_of,
            CASE WHEN $2 = 'auditor' THEN d.authority END AS authority,
            d.threat,
            CASE WHEN $2 = 'auditor' THEN d.digest END AS digest,
            TRUE AS "has_detail!"
        FROM ledger.detail AS d
        JOIN ledger.entry AS e ON e.entry_id = d.entry_id
        JOIN ledger.terms AS t ON t.terms_id = e.terms_id
        LEFT JOIN ledger.sequence AS s ON s.entry_id = e.entry_id
        WHERE d.student_id = $1
            AND ($2 = ANY (t.shown_to) OR $2 = ANY (t.shown_after_review))
            AND ($3::timestamptz IS NULL OR (e.decided_at, e.entry_id) > ($3, $4::uuid))
        ORDER BY e.decided_at, e.entry_id
        LIMIT $5"#,
        student.0,
        audience.as_str(),
        after.map(|cursor| cursor.decided_at),
        after.map(|cursor| cursor.id.0),
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(RecordedEntry::try_from).collect()
}

/// Sequenced entries, newest first, before the position `before`.
pub(crate) async fn list(
    conn: &mut PgConnection,
    search: &Search,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<RecordedEntry>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"-- ledger.list
        SELECT e.entry_id, s.leaf_index AS "leaf_index?", e.kind, e.delivery, e.decided_at, e.run_id, e.counted, e.reason,
            t.consumer, t.party, t.purpose, t.legal_basis, t.agreement, t.agreement_version, t.clause,
            t.elements, t.withheld, t.onward_parties, t.onward_interests,
            FALSE AS "needs_review!",
            d.student_id, d.person, d.system, d.on_behalf_of, d.authority, d.threat, d.digest,
            (d.entry_id IS NOT NULL) AS "has_detail!"
        FROM ledger.sequence AS s
        JOIN ledger.entry AS e ON e.entry_id = s.entry_id
        JOIN ledger.terms AS t ON t.terms_id = e.terms_id
        LEFT JOIN ledger.detail AS d ON d.entry_id = e.entry_id
        WHERE s.leaf_index < $1
            AND ($2::text IS NULL OR e.kind = $2)
            AND ($3::text IS NULL OR t.consumer = $3)
            AND ($4::uuid IS NULL OR e.run_id = $4)
            AND ($5::timestamptz IS NULL OR e.decided_at >= $5)
            AND ($6::timestamptz IS NULL OR e.decided_at < $6)
        ORDER BY s.leaf_index DESC
        LIMIT $7"#,
        before.map_or(Ok(i64::MAX), bigint)?,
        search.kind.map(Kind::as_str),
        search.consumer.as_ref().map(model::ConsumerId::as_str),
        search.run,
        search.from,
        search.to,
        i64::from(limit)
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(RecordedEntry::try_from).collect()
}

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
    let authorities: Vec<String> = clients.iter().map(|(_, key)| format!("client {key}")).collect();
    let ids = sqlx::query_scalar!(
        r#"-- ledger.list_details
        SELECT d.entry_id FROM ledger.detail AS d WHERE d.student_id = ANY($1)
        UNION
        SELECT d.entry_id
        FROM UNNEST($2::text[], $3::text[]) AS u (consumer, authority)
        JOIN ledger.detail AS d ON d.authority = u.authority
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
