//! Writing entries, their detail and their terms.

use std::collections::BTreeMap;

use model::{DisclosureId, Masked};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    entry::Entry,
    error::Error,
    request::RequestMark,
    store::bigint,
    terms::{Showing, Terms, TermsId},
    tree::Hash,
};

fn text(masked: Option<&Masked<String>>) -> Option<&str> {
    masked.map(|text| text.expose().as_str())
}

fn counted(entry: &Entry) -> Result<Option<i64>, Error> {
    entry.count.map(bigint).transpose()
}

/// Inserts one entry and its detail, if its terms are stored. Returns how many rows that made: one or none.
pub(crate) async fn insert_one(conn: &mut PgConnection, entry: &Entry) -> Result<u64, Error> {
    let leaf = entry.leaf();
    let detail = &entry.detail;
    let terms = entry.terms.id();
    let done = sqlx::query!(
        "-- ledger.insert_one
        WITH recorded AS (
            INSERT INTO ledger.entry (
                entry_id, kind, terms_id, delivery, decided_at, run_id, counted, reason, salt,
                record_commitment, detail_commitment, content_commitment
            )
            SELECT $1, $2, t.terms_id, $4, $5, $6, $7, $8, $9, $10, $11, $12
            FROM ledger.terms AS t
            WHERE t.terms_id = $3
            RETURNING entry_id, decided_at, terms_id
        )
        INSERT INTO ledger.detail (
            entry_id, decided_at, terms_id, salt, content_salt, student_id, person, system, on_behalf_of, authority, threat, digest
        )
        SELECT r.entry_id, r.decided_at, r.terms_id, $13, $14, $15, $16, $17, $18, $19, $20, $21
        FROM recorded AS r",
        entry.id.0,
        entry.kind.as_str(),
        terms.0.as_bytes(),
        entry.delivery.as_str(),
        entry.decided_at,
        entry.run,
        counted(entry)?,
        entry.reason.as_deref(),
        &entry.salts.record.0[..],
        leaf.record.as_bytes(),
        leaf.detail.as_bytes(),
        leaf.content.as_bytes(),
        &entry.salts.detail.0[..],
        &entry.salts.content.0[..],
        detail.student.map(|student| student.0),
        text(detail.person.as_ref()),
        detail.system.as_deref(),
        text(detail.on_behalf_of.as_ref()),
        text(detail.authority.as_ref()),
        text(detail.threat.as_ref()),
        detail.digest.as_ref().map(Hash::as_bytes),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// The same with the call that it answers, of which there is one under its id.
pub(crate) async fn insert_asked(conn: &mut PgConnection, entry: &Entry, mark: RequestMark) -> Result<u64, Error> {
    let leaf = entry.leaf();
    let detail = &entry.detail;
    let terms = entry.terms.id();
    let done = sqlx::query!(
        "-- ledger.insert_asked
        WITH recorded AS (
            INSERT INTO ledger.entry (
                entry_id, kind, terms_id, delivery, decided_at, run_id, counted, reason, salt,
                record_commitment, detail_commitment, content_commitment
            )
            SELECT $1, $2, t.terms_id, $4, $5, $6, $7, $8, $9, $10, $11, $12
            FROM ledger.terms AS t
            WHERE t.terms_id = $3
            RETURNING entry_id, decided_at, terms_id
        ), remembered AS (
            INSERT INTO ledger.request (request, question, entry_id, answered_at)
            SELECT $22, $23, r.entry_id, $5
            FROM recorded AS r
        )
        INSERT INTO ledger.detail (
            entry_id, decided_at, terms_id, salt, content_salt, student_id, person, system, on_behalf_of, authority, threat, digest
        )
        SELECT r.entry_id, r.decided_at, r.terms_id, $13, $14, $15, $16, $17, $18, $19, $20, $21
        FROM recorded AS r",
        entry.id.0,
        entry.kind.as_str(),
        terms.0.as_bytes(),
        entry.delivery.as_str(),
        entry.decided_at,
        entry.run,
        counted(entry)?,
        entry.reason.as_deref(),
        &entry.salts.record.0[..],
        leaf.record.as_bytes(),
        leaf.detail.as_bytes(),
        leaf.content.as_bytes(),
        &entry.salts.detail.0[..],
        &entry.salts.content.0[..],
        detail.student.map(|student| student.0),
        text(detail.person.as_ref()),
        detail.system.as_deref(),
        text(detail.on_behalf_of.as_ref()),
        text(detail.authority.as_ref()),
        text(detail.threat.as_ref()),
        detail.digest.as_ref().map(Hash::as_bytes),
        mark.id.as_bytes(),
        mark.question.as_bytes(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Stores those of the given terms that are not stored yet.
pub(crate) async fn ensure_terms(conn: &mut PgConnection, wanted: &BTreeMap<TermsId, &Terms>) -> Result<(), Error> {
    let ids: Vec<Vec<u8>> = wanted.keys().map(|id| id.0.as_bytes().to_vec()).collect();
    let missing = sqlx::query_scalar!(
        r#"-- ledger.list_missing_terms
        SELECT w.terms_id AS "terms_id!"
        FROM UNNEST($1::bytea[]) AS w (terms_id)
        WHERE NOT EXISTS (SELECT FROM ledger.terms AS t WHERE t.terms_id = w.terms_id)
        ORDER BY w.terms_id"#,
        &ids
    )
    .fetch_all(&mut *conn)
    .await?;
    // One statement each, in the order of their ids so that two writers cannot block each other: terms are new once in their life.
    for id in missing {
        let id = TermsId(super::hash(&id)?);
        if let Some(terms) = wanted.get(&id) {
            insert_terms(conn, terms).await?;
        }
    }
    Ok(())
}

/// Stores terms, unless another writer just has.
pub(crate) async fn insert_terms(conn: &mut PgConnection, terms: &Terms) -> Result<(), Error> {
    let id = terms.id();
    let parts = terms.parts();
    let clause = parts.clause.as_ref();
    let version = clause.map(|clause| i32::try_from(clause.version)).transpose();
    let elements: Vec<String> = parts.elements.iter().cloned().collect();
    let withheld: Vec<String> = parts.withheld.iter().cloned().collect();
    let onward_parties: Vec<String> = parts.onward.iter().map(|onward| onward.party.clone()).collect();
    let onward_interests: Vec<String> = parts.onward.iter().map(|onward| onward.interest.clone()).collect();
    sqlx::query!(
        "-- ledger.insert_terms
        INSERT INTO ledger.terms (
            terms_id, consumer, party, purpose, legal_basis, agreement, agreement_version, clause,
            elements, withheld, onward_parties, onward_interests, shown_to, shown_after_review
        )
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (terms_id) DO NOTHING",
        id.0.as_bytes(),
        parts.consumer.as_str(),
        parts.party,
        parts.purpose.as_deref(),
        parts.legal_basis.as_deref(),
        clause.map(|clause| clause.agreement.as_str()),
        version.map_err(|_| Error::Invalid("a version is below 2^31"))?,
        clause.map(|clause| clause.clause.as_str()),
        &elements,
        &withheld,
        &onward_parties,
        &onward_interests,
        &terms.audiences(Showing::Open) as &[&str],
        &terms.audiences(Showing::AfterReview) as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The columns of a chunk of entries, each as one array.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    kinds: Vec<&'a str>,
    terms: Vec<Vec<u8>>,
    deliveries: Vec<&'a str>,
    decided_at: Vec<chrono::DateTime<chrono::Utc>>,
    runs: Vec<Option<Uuid>>,
    counts: Vec<Option<i64>>,
    reasons: Vec<Option<&'a str>>,
    salts: [Vec<Vec<u8>>; 3],
    commitments: [Vec<Vec<u8>>; 3],
    students: Vec<Option<Uuid>>,
    texts: [Vec<Option<&'a str>>; 5],
    digests: Vec<Option<&'a [u8]>>,
}

impl<'a> Columns<'a> {
    fn of(entries: &'a [Entry]) -> Result<Self, Error> {
        let mut columns = Self::default();
        for entry in entries {
            columns.push(entry)?;
        }
        Ok(columns)
    }

    fn push(&mut self, entry: &'a Entry) -> Result<(), Error> {
        let leaf = entry.leaf();
        let detail = &entry.detail;
        self.ids.push(entry.id.0);
        self.kinds.push(entry.kind.as_str());
        self.terms.push(entry.terms.id().0.as_bytes().to_vec());
        self.deliveries.push(entry.delivery.as_str());
        self.decided_at.push(entry.decided_at);
        self.runs.push(entry.run);
        self.counts.push(counted(entry)?);
        self.reasons.push(entry.reason.as_deref());
        let salts = [entry.salts.record, entry.salts.detail, entry.salts.content];
        for (column, salt) in self.salts.iter_mut().zip(salts) {
            column.push(salt.0.to_vec());
        }
        let commitments = [leaf.record, leaf.detail, leaf.content];
        for (column, commitment) in self.commitments.iter_mut().zip(commitments) {
            column.push(commitment.as_bytes().to_vec());
        }
        self.students.push(detail.student.map(|student| student.0));
        let texts = [
            text(detail.person.as_ref()),
            detail.system.as_deref(),
            text(detail.on_behalf_of.as_ref()),
            text(detail.authority.as_ref()),
            text(detail.threat.as_ref()),
        ];
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.push(text);
        }
        self.digests.push(detail.digest.as_ref().map(Hash::as_bytes));
        Ok(())
    }
}

/// Inserts entries and details whose terms are stored, in one statement. Returns how many.
pub(crate) async fn insert_chunk(conn: &mut PgConnection, entries: &[Entry]) -> Result<u64, Error> {
    let columns = Columns::of(entries)?;
    let [record_salts, detail_salts, content_salts] = &columns.salts;
    let [records, details, contents] = &columns.commitments;
    let [persons, systems, on_behalf_of, authorities, threats] = &columns.texts;
    let done = sqlx::query!(
        "-- ledger.insert_chunk
        WITH recorded AS (
            INSERT INTO ledger.entry (
                entry_id, kind, terms_id, delivery, decided_at, run_id, counted, reason, salt,
                record_commitment, detail_commitment, content_commitment
            )
            SELECT g.entry_id, g.kind, g.terms_id, g.delivery, g.decided_at, g.run_id, g.counted, g.reason, g.salt,
                g.record_commitment, g.detail_commitment, g.content_commitment
            FROM UNNEST(
                $1::uuid[], $2::text[], $3::bytea[], $4::text[], $5::timestamptz[], $6::uuid[], $7::bigint[], $8::text[],
                $9::bytea[], $10::bytea[], $11::bytea[], $12::bytea[]
            ) AS g (
                entry_id, kind, terms_id, delivery, decided_at, run_id, counted, reason, salt,
                record_commitment, detail_commitment, content_commitment
            )
        )
        INSERT INTO ledger.detail (
            entry_id, decided_at, terms_id, salt, content_salt, student_id, person, system, on_behalf_of, authority, threat, digest
        )
        SELECT g.entry_id, g.decided_at, g.terms_id, g.salt, g.content_salt, g.student_id, g.person, g.system, g.on_behalf_of, g.authority,
            g.threat, g.digest
        FROM UNNEST(
            $1::uuid[], $5::timestamptz[], $3::bytea[], $13::bytea[], $14::bytea[], $15::uuid[], $16::text[], $17::text[], $18::text[],
            $19::text[], $20::text[], $21::bytea[]
        ) AS g (
            entry_id, decided_at, terms_id, salt, content_salt, student_id, person, system, on_behalf_of, authority, threat, digest
        )",
        &columns.ids,
        &columns.kinds as &[&str],
        &columns.terms,
        &columns.deliveries as &[&str],
        &columns.decided_at,
        &columns.runs as &[Option<Uuid>],
        &columns.counts as &[Option<i64>],
        &columns.reasons as &[Option<&str>],
        record_salts,
        records,
        details,
        contents,
        detail_salts,
        content_salts,
        &columns.students as &[Option<Uuid>],
        persons as &[Option<&str>],
        systems as &[Option<&str>],
        on_behalf_of as &[Option<&str>],
        authorities as &[Option<&str>],
        threats as &[Option<&str>],
        &columns.digests as &[Option<&[u8]>],
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Names the entries whose detail an erasure destroys. Returns how many; one that is named already is refused.
pub(crate) async fn insert_erased(
    conn: &mut PgConnection,
    erasure: DisclosureId,
    entries: &[Uuid],
) -> Result<u64, Error> {
    let done = sqlx::query!(
        "-- ledger.insert_erased
        INSERT INTO ledger.erasure (entry_id, erasure_id)
        SELECT g.entry_id, $2
        FROM UNNEST($1::uuid[]) AS g (entry_id)",
        entries,
        erasure.0
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Destroys the details that an erasure names. Returns how many there were.
pub(crate) async fn destroy_details(conn: &mut PgConnection, erasure: DisclosureId) -> Result<i64, Error> {
    let gone = sqlx::query_scalar!(
        r#"-- ledger.destroy_details
        SELECT ledger.destroy_details($1) AS "gone!""#,
        erasure.0
    )
    .fetch_one(conn)
    .await?;
    Ok(gone)
}
