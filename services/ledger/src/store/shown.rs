//! Entries as people are shown them: the record of disclosures of students or of a request, and the auditor's search.
//!
//! A record is found first and read after: which entries belong to it is told from keys and terms alone, and what stands in them is read of those of a page.
//! Terms are shared by many entries and hold long lists: they are read once a page, not once an entry.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use model::{DisclosureId, Masked, StudentId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    contents::Listed,
    entry::Kind,
    error::Error,
    record::{Cursor, OfRequest, RecordScope, RecordedEntry, Search, Since},
    store::{bigint, count, hash},
    terms::{Audience, Clause, OnwardParty, Showing},
};

const CORRUPT: Error = Error::Corrupt("a stored entry cannot be read");

/// An entry with its detail, as the statements below return it.
struct Row {
    entry_id: Uuid,
    leaf_index: Option<i64>,
    kind: String,
    delivery: String,
    decided_at: DateTime<Utc>,
    run_id: Option<Uuid>,
    counted: Option<i64>,
    reason: Option<String>,
    terms_id: Vec<u8>,
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

/// The terms of entries.
struct TermsRow {
    terms_id: Vec<u8>,
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
}

/// Terms as entries bear them.
struct Shown {
    consumer: model::ConsumerId,
    party: String,
    purpose: Option<String>,
    legal_basis: Option<String>,
    clause: Option<Clause>,
    elements: Arc<[String]>,
    withheld: Arc<[String]>,
    onward: Arc<[OnwardParty]>,
}

impl TryFrom<TermsRow> for Shown {
    type Error = Error;

    fn try_from(row: TermsRow) -> Result<Self, Error> {
        let clause = match (row.agreement, row.agreement_version, row.clause) {
            (Some(agreement), Some(version), Some(clause)) => {
                Some(Clause { agreement, version: u32::try_from(version).map_err(|_| CORRUPT)?, clause })
            }
            _ => None,
        };
        let onward = row.onward_parties.into_iter().zip(row.onward_interests);
        Ok(Self {
            consumer: row.consumer.parse().map_err(|_| CORRUPT)?,
            party: row.party,
            purpose: row.purpose,
            legal_basis: row.legal_basis,
            clause,
            elements: row.elements.into(),
            withheld: row.withheld.into(),
            onward: onward.map(|(party, interest)| OnwardParty { party, interest }).collect(),
        })
    }
}

fn recorded(row: Row, terms: &Shown) -> Result<RecordedEntry, Error> {
    Ok(RecordedEntry {
        id: DisclosureId(row.entry_id),
        leaf_index: row.leaf_index.map(count).transpose()?,
        kind: row.kind.parse().map_err(|_| CORRUPT)?,
        delivery: row.delivery.parse().map_err(|_| CORRUPT)?,
        decided_at: row.decided_at,
        run: row.run_id,
        count: row.counted.map(count).transpose()?,
        reason: row.reason,
        consumer: terms.consumer.clone(),
        party: terms.party.clone(),
        purpose: terms.purpose.clone(),
        legal_basis: terms.legal_basis.clone(),
        clause: terms.clause.clone(),
        elements: Arc::clone(&terms.elements),
        withheld: Arc::clone(&terms.withheld),
        onward: Arc::clone(&terms.onward),
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

/// Gives rows the terms that they name.
async fn with_terms(conn: &mut PgConnection, rows: Vec<Row>) -> Result<Vec<RecordedEntry>, Error> {
    let ids: BTreeSet<&[u8]> = rows.iter().map(|row| row.terms_id.as_slice()).collect();
    let ids: Vec<Vec<u8>> = ids.into_iter().map(<[u8]>::to_vec).collect();
    let terms = sqlx::query_as!(
        TermsRow,
        "-- ledger.list_shown_terms
        SELECT t.terms_id, t.consumer, t.party, t.purpose, t.legal_basis, t.agreement, t.agreement_version, t.clause,
            t.elements, t.withheld, t.onward_parties, t.onward_interests
        FROM ledger.terms AS t
        WHERE t.terms_id = ANY ($1)",
        &ids
    )
    .fetch_all(conn)
    .await?;
    let terms: BTreeMap<Vec<u8>, Shown> =
        terms.into_iter().map(|row| Ok((row.terms_id.clone(), Shown::try_from(row)?))).collect::<Result<_, Error>>()?;
    rows.into_iter()
        .map(|row| {
            let of_row = terms.get(&row.terms_id).ok_or(CORRUPT)?;
            recorded(row, of_row)
        })
        .collect()
}

/// What is asked beside students and request: whom it is for, of which time, where the page begins and how long it is.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a> {
    pub(crate) scope: &'a RecordScope,
    pub(crate) audience: Audience,
    pub(crate) after: Option<Cursor>,
    pub(crate) limit: u32,
}

/// An entry's place in a record, as the statements below return it.
struct Place {
    entry_id: Uuid,
    decided_at: DateTime<Utc>,
    student_id: Option<Uuid>,
    needs_review: bool,
}

impl From<Place> for Listed {
    fn from(row: Place) -> Self {
        Self {
            id: DisclosureId(row.entry_id),
            decided_at: row.decided_at,
            student: row.student_id.map(StudentId),
            showing: if row.needs_review { Showing::AfterReview } else { Showing::Open },
        }
    }
}

/// Which entries about these students one audience is shown, oldest first. Only the index of details is read: whose an entry is stands there, when it was
/// decided and under which terms. Of details that were written before these two stood there, the entry is looked up by its key.
pub(crate) async fn list_of_students(
    conn: &mut PgConnection,
    students: &[Since],
    page: Page<'_>,
) -> Result<Vec<Listed>, Error> {
    let ids: Vec<Uuid> = students.iter().map(|one| one.student.0).collect();
    let since: Vec<Option<DateTime<Utc>>> = students.iter().map(|one| one.since).collect();
    let of = page.scope.request.as_ref();
    let rows = sqlx::query_as!(
        Place,
        r#"-- ledger.list_of_students
        SELECT d.entry_id, COALESCE(d.decided_at, e.decided_at) AS "decided_at!", d.student_id, NOT ($3 = ANY (t.shown_to)) AS "needs_review!"
        FROM UNNEST($1::uuid[], $2::timestamptz[]) AS u (student_id, since)
        JOIN ledger.detail AS d ON d.student_id = u.student_id
        LEFT JOIN LATERAL (
            SELECT y.decided_at, y.terms_id
            FROM ledger.entry AS y
            WHERE d.decided_at IS NULL AND y.entry_id = d.entry_id
            LIMIT 1
        ) AS e ON TRUE
        JOIN ledger.terms AS t ON t.terms_id = COALESCE(d.terms_id, e.terms_id)
        WHERE ($3 = ANY (t.shown_to) OR $3 = ANY (t.shown_after_review))
            AND (u.since IS NULL OR COALESCE(d.decided_at, e.decided_at) >= u.since)
            AND ($4::timestamptz IS NULL OR COALESCE(d.decided_at, e.decided_at) >= $4)
            AND ($5::timestamptz IS NULL OR COALESCE(d.decided_at, e.decided_at) < $5)
            AND (
                $6::uuid[] IS NULL
                OR d.entry_id = ANY ($6)
                OR (SELECT r.run_id FROM ledger.entry AS r WHERE r.entry_id = d.entry_id LIMIT 1) = ANY ($6)
                OR (SELECT a.authority FROM ledger.detail AS a WHERE a.entry_id = d.entry_id LIMIT 1) = ANY ($7::text[])
            )
            AND ($8::timestamptz IS NULL OR (COALESCE(d.decided_at, e.decided_at), d.entry_id) > ($8, $9::uuid))
        ORDER BY COALESCE(d.decided_at, e.decided_at), d.entry_id
        LIMIT $10"#,
        &ids,
        &since as &[Option<DateTime<Utc>>],
        page.audience.as_str(),
        page.scope.from,
        page.scope.to,
        of.map(|of| of.ids.as_slice()),
        of.map(|of| of.authorities.as_slice()),
        page.after.map(|cursor| cursor.decided_at),
        page.after.map(|cursor| cursor.id.0),
        i64::from(page.limit)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Listed::from).collect())
}

/// The same of one request, whoever it is about and where nobody is known. What belongs to an entry is looked up by its key, however many a request is
/// guessed to have.
pub(crate) async fn list_of_request(
    conn: &mut PgConnection,
    of: &OfRequest,
    page: Page<'_>,
) -> Result<Vec<Listed>, Error> {
    let rows = sqlx::query_as!(
        Place,
        r#"-- ledger.list_of_request
        SELECT e.entry_id AS "entry_id!", e.decided_at AS "decided_at!", d.student_id, NOT ($3 = ANY (t.shown_to)) AS "needs_review!"
        FROM (
            SELECT r.entry_id FROM ledger.entry AS r WHERE r.run_id = ANY ($1)
            UNION
            SELECT i.entry_id FROM ledger.entry AS i WHERE i.entry_id = ANY ($1)
            UNION
            SELECT a.entry_id
            FROM UNNEST($2::text[]) AS u (authority)
            JOIN ledger.detail AS a ON left(a.authority, 120) = left(u.authority, 120) AND a.authority = u.authority
        ) AS w
        CROSS JOIN LATERAL (
            SELECT y.entry_id, y.decided_at, y.terms_id
            FROM ledger.entry AS y
            WHERE y.entry_id = w.entry_id
            LIMIT 1
        ) AS e
        JOIN ledger.terms AS t ON t.terms_id = e.terms_id
        LEFT JOIN LATERAL (
            SELECT y.student_id FROM ledger.detail AS y WHERE y.entry_id = w.entry_id LIMIT 1
        ) AS d ON TRUE
        WHERE ($3 = ANY (t.shown_to) OR $3 = ANY (t.shown_after_review))
            AND ($4::timestamptz IS NULL OR e.decided_at >= $4)
            AND ($5::timestamptz IS NULL OR e.decided_at < $5)
            AND ($6::timestamptz IS NULL OR (e.decided_at, e.entry_id) > ($6, $7::uuid))
        ORDER BY e.decided_at, e.entry_id
        LIMIT $8"#,
        &of.ids,
        &of.authorities,
        page.audience.as_str(),
        page.scope.from,
        page.scope.to,
        page.after.map(|cursor| cursor.decided_at),
        page.after.map(|cursor| cursor.id.0),
        i64::from(page.limit)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Listed::from).collect())
}

/// Listed entries as one audience is shown them, in the order in which they are named: whatever an entry has is looked up by its key.
///
/// Only auditors are shown persons, systems and authorities; to a family the law owes the parties and their interests, and of an emergency the threat
/// ([`Audience::reads_threat`]).
pub(crate) async fn list_shown(
    conn: &mut PgConnection,
    ids: &[Uuid],
    audience: Audience,
) -> Result<Vec<RecordedEntry>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"-- ledger.list_shown
        SELECT e.entry_id AS "entry_id!", s.leaf_index AS "leaf_index?", e.kind AS "kind!", e.delivery AS "delivery!",
            e.decided_at AS "decided_at!", e.run_id, e.counted, e.reason, e.terms_id AS "terms_id!",
            NOT ($2 = ANY (t.shown_to)) AS "needs_review!",
            d.student_id,
            CASE WHEN $2 = 'auditor' THEN d.person END AS person,
            CASE WHEN $2 = 'auditor' THEN d.system END AS system,
            CASE WHEN $2 = 'auditor' THEN d.on_behalf_of END AS on_behalf_of,
            CASE WHEN $2 = 'auditor' THEN d.authority END AS authority,
            CASE WHEN $3 THEN d.threat END AS threat,
            CASE WHEN $2 = 'auditor' THEN d.digest END AS digest,
            (d.entry_id IS NOT NULL) AS "has_detail!"
        FROM UNNEST($1::uuid[]) WITH ORDINALITY AS w (entry_id, place)
        CROSS JOIN LATERAL (
            SELECT y.entry_id, y.kind, y.delivery, y.decided_at, y.run_id, y.counted, y.reason, y.terms_id
            FROM ledger.entry AS y
            WHERE y.entry_id = w.entry_id
            LIMIT 1
        ) AS e
        JOIN ledger.terms AS t ON t.terms_id = e.terms_id
        LEFT JOIN LATERAL (
            SELECT y.leaf_index FROM ledger.sequence AS y WHERE y.entry_id = w.entry_id LIMIT 1
        ) AS s ON TRUE
        LEFT JOIN LATERAL (
            SELECT y.entry_id, y.student_id, y.person, y.system, y.on_behalf_of, y.authority, y.threat, y.digest
            FROM ledger.detail AS y
            WHERE y.entry_id = w.entry_id
            LIMIT 1
        ) AS d ON TRUE
        WHERE $2 = ANY (t.shown_to) OR $2 = ANY (t.shown_after_review)
        ORDER BY w.place"#,
        ids,
        audience.as_str(),
        audience.reads_threat()
    )
    .fetch_all(&mut *conn)
    .await?;
    with_terms(conn, rows).await
}

/// The purposes that entries were ever made for, by name, up to `limit`. Terms are few, however many entries share them.
pub(crate) async fn list_purposes(conn: &mut PgConnection, limit: i64) -> Result<Vec<String>, Error> {
    let rows = sqlx::query_scalar!(
        r#"-- ledger.list_purposes
        SELECT DISTINCT t.purpose AS "purpose!"
        FROM ledger.terms AS t
        WHERE t.purpose IS NOT NULL
        ORDER BY 1
        LIMIT $1"#,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
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
        SELECT e.entry_id, s.leaf_index AS "leaf_index?", e.kind, e.delivery, e.decided_at, e.run_id, e.counted, e.reason, e.terms_id,
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
            AND ($7::text IS NULL OR t.purpose = $7)
        ORDER BY s.leaf_index DESC
        LIMIT $8"#,
        before.map_or(Ok(i64::MAX), bigint)?,
        search.kind.map(Kind::as_str),
        search.consumer.as_ref().map(model::ConsumerId::as_str),
        search.run,
        search.from,
        search.to,
        search.purpose,
        i64::from(limit)
    )
    .fetch_all(&mut *conn)
    .await?;
    with_terms(conn, rows).await
}
