//! The clerical review queue and the decisions of people.

use chrono::{DateTime, Utc};
use model::ConsumerId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::matches::ReportRow;

pub(crate) mod bulk;

/// A client who waits for a person.
pub(crate) struct WaitingRow {
    pub(crate) client_id: i64,
    pub(crate) consumer: String,
    pub(crate) candidates: i64,
    pub(crate) best: f64,
    pub(crate) waiting_since: DateTime<Utc>,
    pub(crate) is_contested: bool,
    pub(crate) has_authority: bool,
    pub(crate) rank: i32,
}

/// Clients who wait, most valuable first, behind a place in that order.
pub(crate) async fn list_waiting(
    conn: &mut PgConnection,
    consumer: Option<&ConsumerId>,
    after: Option<(i32, f64, i64)>,
    at: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<WaitingRow>, sqlx::Error> {
    sqlx::query_as!(
        WaitingRow,
        r#"-- identity.list_waiting
        WITH waiting AS (
            SELECT m.client_id, m.consumer, count(*) AS candidates, COALESCE(max(m.probability), 0) AS best, min(m.decided_at) AS waiting_since
            FROM identity.match_decision AS m
            WHERE m.superseded_at IS NULL AND m.outcome = 'review' AND ($1::text IS NULL OR m.consumer = $1)
            GROUP BY m.client_id, m.consumer
        ), known AS (
            SELECT w.client_id, w.consumer, w.candidates, w.best, w.waiting_since,
                EXISTS (SELECT FROM identity.match_decision AS m
                    WHERE m.client_id = w.client_id AND m.superseded_at IS NULL AND m.outcome = 'match') AS is_contested,
                EXISTS (SELECT FROM identity.authority AS a
                    WHERE a.client_id = w.client_id AND a.superseded_at IS NULL AND a.released @> $2::timestamptz) AS has_authority
            FROM waiting AS w
        ), ranked AS (
            SELECT k.client_id, k.consumer, k.candidates, k.best, k.waiting_since, k.is_contested, k.has_authority,
                2 * k.is_contested::int + k.has_authority::int AS rank
            FROM known AS k
        )
        SELECT r.client_id, r.consumer, r.candidates AS "candidates!", r.best AS "best!", r.waiting_since AS "waiting_since!",
            r.is_contested AS "is_contested!", r.has_authority AS "has_authority!", r.rank AS "rank!"
        FROM ranked AS r
        WHERE $3::int IS NULL OR (r.rank, r.best, -r.client_id) < ($3, $4::float8, -$5::bigint)
        ORDER BY r.rank DESC, r.best DESC, r.client_id
        LIMIT $6"#,
        consumer.map(ConsumerId::as_str),
        at,
        after.map(|(rank, ..)| rank),
        after.map(|(_, best, _)| best),
        after.map(|(.., client)| client),
        limit,
    )
    .fetch_all(conn)
    .await
}

/// A client as the agency last sent it.
pub(crate) struct ClientCaseRow {
    pub(crate) consumer: String,
    pub(crate) person_key: String,
    pub(crate) details: serde_json::Value,
    pub(crate) details_hash: Vec<u8>,
}

pub(crate) async fn find_client(conn: &mut PgConnection, client: i64) -> Result<Option<ClientCaseRow>, sqlx::Error> {
    sqlx::query_as!(
        ClientCaseRow,
        "-- identity.find_client
        SELECT c.consumer, c.person_key, c.details, c.details_hash FROM identity.client AS c WHERE c.client_id = $1",
        client,
    )
    .fetch_optional(conn)
    .await
}

/// The client of an agency's own id.
pub(crate) async fn find_client_by_key(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_key: &str,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "-- identity.find_client_by_key
        SELECT c.client_id FROM identity.client AS c WHERE c.consumer = $1 AND c.person_key = $2",
        consumer.as_str(),
        person_key,
    )
    .fetch_optional(conn)
    .await
}

/// A decision on a client, current or past.
pub(crate) struct CaseDecisionRow {
    pub(crate) decision_id: i64,
    pub(crate) student_id: Option<Uuid>,
    pub(crate) outcome: String,
    pub(crate) probability: Option<f64>,
    pub(crate) score_bits: Option<f64>,
    pub(crate) explanation: serde_json::Value,
    pub(crate) decided_by: String,
    pub(crate) reason: String,
    pub(crate) decided_at: DateTime<Utc>,
    pub(crate) superseded_at: Option<DateTime<Utc>>,
}

pub(crate) async fn list_case(
    conn: &mut PgConnection,
    client: i64,
    limit: i64,
) -> Result<Vec<CaseDecisionRow>, sqlx::Error> {
    sqlx::query_as!(
        CaseDecisionRow,
        "-- identity.list_case
        SELECT m.decision_id, m.student_id, m.outcome, m.probability, m.score_bits, m.explanation, m.decided_by, m.reason, m.decided_at,
            m.superseded_at
        FROM identity.match_decision AS m WHERE m.client_id = $1
        ORDER BY m.superseded_at IS NOT NULL, m.probability DESC NULLS LAST, m.decision_id DESC
        LIMIT $2",
        client,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Everything ever reported about these students.
pub(crate) async fn list_reports_of(conn: &mut PgConnection, students: &[Uuid]) -> Result<Vec<ReportRow>, sqlx::Error> {
    sqlx::query_as!(
        ReportRow,
        r#"-- identity.list_reports_of
        SELECT p.source_person_id, x.student_id, p.state_id, f.payload AS "payload?"
        FROM identity.crosswalk AS x
        JOIN identity.source_person AS p ON p.source_person_id = x.source_person_id
        LEFT JOIN identity.person_fact AS f ON f.source_person_id = p.source_person_id
        WHERE x.student_id = ANY($1) AND x.to_at IS NULL
        ORDER BY p.source_person_id, f.recorded_batch, f.line"#,
        students,
    )
    .fetch_all(conn)
    .await
}

/// Which of these students are another client of the agency.
pub(crate) async fn list_taken(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    client: i64,
    students: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- identity.list_taken
        SELECT m.student_id AS "student_id!" FROM identity.match_decision AS m
        WHERE m.consumer = $1 AND m.client_id <> $2 AND m.student_id = ANY($3) AND m.outcome = 'match' AND m.superseded_at IS NULL"#,
        consumer.as_str(),
        client,
        students,
    )
    .fetch_all(conn)
    .await
}

/// A decision of a person about to be entered.
pub(crate) struct PersonsDecision<'a> {
    pub(crate) client: i64,
    pub(crate) student: Option<Uuid>,
    pub(crate) outcome: &'a str,
    /// The engine's row on the pair: what it said is kept beside what the person said.
    pub(crate) of: Option<i64>,
    pub(crate) override_id: Option<Uuid>,
    pub(crate) by: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) at: DateTime<Utc>,
}

pub(crate) async fn insert_persons_decision(
    conn: &mut PgConnection,
    new: &PersonsDecision<'_>,
) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- identity.insert_persons_decision
        INSERT INTO identity.match_decision (client_id, source_person_id, student_id, consumer, outcome, probability, score_bits, explanation,
            details_hash, decided_by, reason, decided_at, override_id)
        SELECT c.client_id, (SELECT min(x.source_person_id) FROM identity.crosswalk AS x WHERE x.student_id = $2 AND x.to_at IS NULL),
            $2, c.consumer, $3, m.probability, m.score_bits, COALESCE(m.explanation, '{}'::jsonb), c.details_hash, $5, $6, $7, $8
        FROM identity.client AS c LEFT JOIN identity.match_decision AS m ON m.decision_id = $4
        WHERE c.client_id = $1",
        new.client,
        new.student,
        new.outcome,
        new.of,
        new.by,
        new.reason,
        new.at,
        new.override_id,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// An override as stored.
pub(crate) struct OverrideRow {
    pub(crate) override_id: Uuid,
    pub(crate) consumer: String,
    pub(crate) client_id: i64,
    pub(crate) student_id: Uuid,
    pub(crate) details_hash: Vec<u8>,
    pub(crate) statement: String,
    pub(crate) digest: Vec<u8>,
    pub(crate) requested_by: String,
    pub(crate) reason: String,
    pub(crate) requested_at: DateTime<Utc>,
    pub(crate) used_at: Option<DateTime<Utc>>,
}

pub(crate) async fn insert_override(conn: &mut PgConnection, row: &OverrideRow) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.insert_override
        INSERT INTO identity.override (override_id, consumer, client_id, student_id, details_hash, statement, digest, requested_by, reason,
            requested_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        row.override_id,
        row.consumer,
        row.client_id,
        row.student_id,
        &row.details_hash,
        row.statement,
        &row.digest,
        row.requested_by,
        row.reason,
        row.requested_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An override, held until the transaction ends.
pub(crate) async fn find_override(conn: &mut PgConnection, id: Uuid) -> Result<Option<OverrideRow>, sqlx::Error> {
    sqlx::query_as!(
        OverrideRow,
        "-- identity.find_override
        SELECT o.override_id, o.consumer, o.client_id, o.student_id, o.details_hash, o.statement, o.digest, o.requested_by, o.reason,
            o.requested_at, o.used_at
        FROM identity.override AS o WHERE o.override_id = $1 FOR UPDATE",
        id,
    )
    .fetch_optional(conn)
    .await
}

pub(crate) async fn use_override(conn: &mut PgConnection, id: Uuid, at: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- identity.use_override
        UPDATE identity.override SET used_at = $2 WHERE override_id = $1 AND used_at IS NULL",
        id,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// A steward's signature over an override.
pub(crate) struct SignatureRow {
    pub(crate) steward: String,
    pub(crate) given_at: DateTime<Utc>,
    pub(crate) signature: Vec<u8>,
}

pub(crate) async fn insert_signature(
    conn: &mut PgConnection,
    id: Uuid,
    (steward, given_at, signature, sandbox): (&str, DateTime<Utc>, &[u8], bool),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.insert_signature
        INSERT INTO identity.override_approval (override_id, steward, given_at, signature, sandbox) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (override_id, steward) DO NOTHING",
        id,
        steward,
        given_at,
        signature,
        sandbox,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn list_signatures(conn: &mut PgConnection, id: Uuid) -> Result<Vec<SignatureRow>, sqlx::Error> {
    sqlx::query_as!(
        SignatureRow,
        "-- identity.list_signatures
        SELECT a.steward, a.given_at, a.signature FROM identity.override_approval AS a WHERE a.override_id = $1 ORDER BY a.given_at",
        id,
    )
    .fetch_all(conn)
    .await
}

/// The queue of one agency in figures.
pub(crate) struct QueueRow {
    pub(crate) consumer: String,
    pub(crate) waiting: i64,
    pub(crate) contested: i64,
    pub(crate) oldest: Option<DateTime<Utc>>,
}

pub(crate) async fn list_queues(conn: &mut PgConnection) -> Result<Vec<QueueRow>, sqlx::Error> {
    sqlx::query_as!(
        QueueRow,
        r#"-- identity.list_queues
        SELECT m.consumer, count(DISTINCT m.client_id) AS "waiting!",
            count(DISTINCT m.client_id) FILTER (WHERE EXISTS (SELECT FROM identity.match_decision AS o
                WHERE o.client_id = m.client_id AND o.superseded_at IS NULL AND o.outcome = 'match')) AS "contested!",
            min(m.decided_at) AS oldest
        FROM identity.match_decision AS m WHERE m.superseded_at IS NULL AND m.outcome = 'review'
        GROUP BY m.consumer ORDER BY m.consumer"#
    )
    .fetch_all(conn)
    .await
}

/// What people decided on pairs to which the engine gave a probability.
pub(crate) struct ReliabilityRow {
    pub(crate) bin: i32,
    pub(crate) decided: i64,
    pub(crate) confirmed: i64,
    pub(crate) expected: f64,
}

pub(crate) async fn list_reliability(
    conn: &mut PgConnection,
    engine: &str,
    from: DateTime<Utc>,
) -> Result<Vec<ReliabilityRow>, sqlx::Error> {
    sqlx::query_as!(
        ReliabilityRow,
        r#"-- identity.list_reliability
        SELECT width_bucket(m.probability, ARRAY[0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999]) AS "bin!", count(*) AS "decided!",
            count(*) FILTER (WHERE m.outcome = 'match') AS "confirmed!", sum(m.probability) AS "expected!"
        FROM identity.match_decision AS m
        WHERE m.decided_by <> $1 AND m.probability IS NOT NULL AND m.student_id IS NOT NULL AND m.outcome IN ('match', 'non_match')
            AND m.decided_at >= $2
        GROUP BY 1 ORDER BY 1"#,
        engine,
        from,
    )
    .fetch_all(conn)
    .await
}
