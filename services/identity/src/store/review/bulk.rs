//! Bulk decisions: pairs alike, the bulk drawn from them, its sample, and what it decided.

use chrono::{DateTime, Utc};
use model::ConsumerId;
use sqlx::PgConnection;
use uuid::Uuid;

/// A pair that waits alone: its client has no other candidate, and its student no other client of the agency.
pub(crate) struct AlikeRow {
    pub(crate) decision_id: i64,
    pub(crate) client_id: i64,
    pub(crate) student_id: Uuid,
    pub(crate) consumer: String,
    pub(crate) probability: f64,
    pub(crate) explanation: serde_json::Value,
}

/// Pairs that a bulk may decide. What an open or refused bulk holds is not among them, nor a client whom the agency has changed since.
pub(crate) async fn list_alone(
    conn: &mut PgConnection,
    engine: &str,
    consumer: Option<&ConsumerId>,
) -> Result<Vec<AlikeRow>, sqlx::Error> {
    sqlx::query_as!(
        AlikeRow,
        r#"-- identity.list_alone
        SELECT m.decision_id, m.client_id, m.student_id AS "student_id!", m.consumer, m.probability AS "probability!", m.explanation
        FROM identity.match_decision AS m
        JOIN identity.client AS c ON c.client_id = m.client_id AND c.details_hash = m.details_hash
        WHERE m.superseded_at IS NULL AND m.outcome = 'review' AND m.decided_by = $1 AND ($2::text IS NULL OR m.consumer = $2)
            AND m.student_id IS NOT NULL AND m.probability IS NOT NULL
            AND NOT EXISTS (SELECT FROM identity.match_decision AS o
                WHERE o.client_id = m.client_id AND o.decision_id <> m.decision_id AND o.superseded_at IS NULL)
            AND NOT EXISTS (SELECT FROM identity.match_decision AS t
                WHERE t.consumer = m.consumer AND t.student_id = m.student_id AND t.client_id <> m.client_id AND t.superseded_at IS NULL
                    AND t.outcome IN ('match', 'review'))
            AND NOT EXISTS (SELECT FROM identity.bulk_member AS b JOIN identity.bulk AS u ON u.bulk_id = b.bulk_id
                WHERE b.client_id = m.client_id AND b.student_id = m.student_id AND u.applied_at IS NULL)
        ORDER BY m.decision_id"#,
        engine,
        consumer.map(ConsumerId::as_str),
    )
    .fetch_all(conn)
    .await
}

/// A bulk as stored.
pub(crate) struct BulkRow {
    pub(crate) bulk_id: i64,
    pub(crate) consumer: String,
    pub(crate) kind: String,
    pub(crate) outcome: String,
    pub(crate) drawn_by: String,
    pub(crate) reason: String,
    pub(crate) drawn_at: DateTime<Utc>,
    pub(crate) refused_at: Option<DateTime<Utc>>,
    pub(crate) applied_at: Option<DateTime<Utc>>,
    pub(crate) undone_at: Option<DateTime<Utc>>,
}

/// A bulk about to be entered.
pub(crate) struct NewBulk<'a> {
    pub(crate) consumer: &'a ConsumerId,
    pub(crate) kind: &'a str,
    pub(crate) outcome: &'a str,
    pub(crate) by: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) at: DateTime<Utc>,
}

pub(crate) async fn insert_bulk(conn: &mut PgConnection, new: &NewBulk<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        "-- identity.insert_bulk
        INSERT INTO identity.bulk (consumer, kind, outcome, drawn_by, reason, drawn_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING bulk_id",
        new.consumer.as_str(),
        new.kind,
        new.outcome,
        new.by,
        new.reason,
        new.at,
    )
    .fetch_one(conn)
    .await
}

pub(crate) async fn insert_members(
    conn: &mut PgConnection,
    bulk: i64,
    members: &[&AlikeRow],
) -> Result<(), sqlx::Error> {
    let clients: Vec<i64> = members.iter().map(|row| row.client_id).collect();
    let students: Vec<Uuid> = members.iter().map(|row| row.student_id).collect();
    let decisions: Vec<i64> = members.iter().map(|row| row.decision_id).collect();
    sqlx::query!(
        "-- identity.insert_members
        INSERT INTO identity.bulk_member (bulk_id, client_id, student_id, decision_id)
        SELECT $1, u.client_id, u.student_id, u.decision_id
        FROM UNNEST($2::bigint[], $3::uuid[], $4::bigint[]) AS u (client_id, student_id, decision_id)",
        bulk,
        &clients,
        &students,
        &decisions,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Draws members into the sample.
pub(crate) async fn sample_members(
    conn: &mut PgConnection,
    bulk: i64,
    clients: &[i64],
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- identity.sample_members
        UPDATE identity.bulk_member SET sampled_at = $3 WHERE bulk_id = $1 AND client_id = ANY($2) AND sampled_at IS NULL",
        bulk,
        clients,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// Notes that a steward looks at a case, in the samples of open bulks it is of.
pub(crate) async fn note_look(conn: &mut PgConnection, client: i64, at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.note_look
        UPDATE identity.bulk_member AS b SET looked_at = $2
        FROM identity.bulk AS u
        WHERE u.bulk_id = b.bulk_id AND u.applied_at IS NULL AND u.refused_at IS NULL AND b.client_id = $1 AND b.sampled_at IS NOT NULL",
        client,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A bulk by its number.
pub(crate) async fn find_bulk(conn: &mut PgConnection, id: i64) -> Result<Option<BulkRow>, sqlx::Error> {
    sqlx::query_as!(
        BulkRow,
        "-- identity.find_bulk
        SELECT u.bulk_id, u.consumer, u.kind, u.outcome, u.drawn_by, u.reason, u.drawn_at, u.refused_at, u.applied_at, u.undone_at
        FROM identity.bulk AS u WHERE u.bulk_id = $1",
        id,
    )
    .fetch_optional(conn)
    .await
}

/// An open bulk, by what its pairs have in common.
pub(crate) struct OpenRow {
    pub(crate) bulk_id: i64,
    pub(crate) consumer: String,
    pub(crate) kind: String,
}

pub(crate) async fn list_open_bulks(conn: &mut PgConnection) -> Result<Vec<OpenRow>, sqlx::Error> {
    sqlx::query_as!(
        OpenRow,
        "-- identity.list_open_bulks
        SELECT u.bulk_id, u.consumer, u.kind FROM identity.bulk AS u WHERE u.refused_at IS NULL AND u.applied_at IS NULL",
    )
    .fetch_all(conn)
    .await
}

/// Bulks, the latest first.
pub(crate) async fn list_bulks(
    conn: &mut PgConnection,
    consumer: Option<&ConsumerId>,
    limit: i64,
) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "-- identity.list_bulks
        SELECT u.bulk_id FROM identity.bulk AS u WHERE $1::text IS NULL OR u.consumer = $1 ORDER BY u.bulk_id DESC LIMIT $2",
        consumer.map(ConsumerId::as_str),
        limit,
    )
    .fetch_all(conn)
    .await
}

/// A pair of a bulk, as it stands.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a row of answers, each a column of its own")]
pub(crate) struct MemberRow {
    pub(crate) client_id: i64,
    pub(crate) decision_id: i64,
    pub(crate) is_sampled: bool,
    /// It waits as it did when the bulk was drawn.
    pub(crate) is_standing: bool,
    /// A steward looked, and decided as the bulk does.
    pub(crate) agrees: bool,
    /// Somebody decided otherwise since the bulk was drawn.
    pub(crate) disagrees: bool,
}

/// The pairs of a bulk. Decisions made with the bulk itself count neither way.
pub(crate) async fn list_bulk_members(
    conn: &mut PgConnection,
    engine: &str,
    bulk: i64,
) -> Result<Vec<MemberRow>, sqlx::Error> {
    sqlx::query_as!(
        MemberRow,
        r#"-- identity.list_bulk_members
        SELECT b.client_id, b.decision_id, b.sampled_at IS NOT NULL AS "is_sampled!",
            (w.decision_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM identity.match_decision AS o
                    WHERE o.client_id = b.client_id AND o.decision_id <> b.decision_id AND o.superseded_at IS NULL)
                AND NOT EXISTS (SELECT FROM identity.match_decision AS t
                    WHERE t.consumer = u.consumer AND t.student_id = b.student_id AND t.client_id <> b.client_id AND t.superseded_at IS NULL
                        AND t.outcome IN ('match', 'review'))) AS "is_standing!",
            COALESCE(b.looked_at <= s.agreed_at, false) AS "agrees!", COALESCE(s.disagrees, false) AS "disagrees!"
        FROM identity.bulk AS u
        JOIN identity.bulk_member AS b ON b.bulk_id = u.bulk_id
        JOIN identity.client AS c ON c.client_id = b.client_id
        LEFT JOIN identity.match_decision AS w ON w.decision_id = b.decision_id AND w.superseded_at IS NULL AND w.details_hash = c.details_hash
        LEFT JOIN LATERAL (
            SELECT max(d.decided_at) FILTER (WHERE (d.outcome = 'match' AND d.student_id = b.student_id) = (u.outcome = 'match')) AS agreed_at,
                bool_or((d.outcome = 'match' AND d.student_id = b.student_id) <> (u.outcome = 'match')) AS disagrees
            FROM identity.match_decision AS d
            WHERE d.client_id = b.client_id AND d.superseded_at IS NULL AND d.decided_by <> $1 AND d.bulk_id IS NULL
                AND d.decided_at >= u.drawn_at
                AND (d.outcome = 'match' OR (d.outcome = 'non_match' AND (d.student_id IS NULL OR d.student_id = b.student_id)))
        ) AS s ON true
        WHERE u.bulk_id = $2
        ORDER BY b.client_id"#,
        engine,
        bulk,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn refuse_bulk(conn: &mut PgConnection, id: i64, at: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- identity.refuse_bulk
        UPDATE identity.bulk SET refused_at = $2 WHERE bulk_id = $1 AND refused_at IS NULL AND applied_at IS NULL",
        id,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

pub(crate) async fn apply_bulk(
    conn: &mut PgConnection,
    id: i64,
    by: &str,
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- identity.apply_bulk
        UPDATE identity.bulk SET applied_by = $2, applied_at = $3 WHERE bulk_id = $1 AND refused_at IS NULL AND applied_at IS NULL",
        id,
        by,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

pub(crate) async fn undo_bulk(
    conn: &mut PgConnection,
    id: i64,
    (by, reason): (&str, &str),
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- identity.undo_bulk
        UPDATE identity.bulk SET undone_by = $2, undone_reason = $3, undone_at = $4
        WHERE bulk_id = $1 AND applied_at IS NOT NULL AND undone_at IS NULL",
        id,
        by,
        reason,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// A decision of a person on many pairs at once: what the engine had said of each is kept beside it.
pub(crate) struct ManyDecided<'a> {
    /// The rows by which the pairs stood; they are superseded apart.
    pub(crate) of: &'a [i64],
    pub(crate) outcome: &'a str,
    pub(crate) bulk: Option<i64>,
    pub(crate) by: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) at: DateTime<Utc>,
}

pub(crate) async fn insert_many_decisions(conn: &mut PgConnection, new: &ManyDecided<'_>) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- identity.insert_many_decisions
        INSERT INTO identity.match_decision (client_id, source_person_id, student_id, consumer, outcome, probability, score_bits, explanation,
            details_hash, decided_by, reason, decided_at, bulk_id)
        SELECT m.client_id, (SELECT min(x.source_person_id) FROM identity.crosswalk AS x WHERE x.student_id = m.student_id AND x.to_at IS NULL),
            m.student_id, m.consumer, $2, m.probability, m.score_bits, m.explanation, c.details_hash, $3, $4, $5, $6
        FROM identity.match_decision AS m JOIN identity.client AS c ON c.client_id = m.client_id
        WHERE m.decision_id = ANY($1)",
        new.of,
        new.outcome,
        new.by,
        new.reason,
        new.at,
        new.bulk,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// A decision that a bulk, or its sample, made and that stands.
pub(crate) struct StandingRow {
    pub(crate) decision_id: i64,
    pub(crate) person_key: String,
    pub(crate) student_id: Uuid,
    pub(crate) outcome: String,
    pub(crate) decided_at: DateTime<Utc>,
}

/// What of a bulk stands: the decisions made with it, and those on its sample.
pub(crate) async fn list_standing(
    conn: &mut PgConnection,
    engine: &str,
    bulk: i64,
) -> Result<Vec<StandingRow>, sqlx::Error> {
    sqlx::query_as!(
        StandingRow,
        r#"-- identity.list_standing
        SELECT d.decision_id, c.person_key, d.student_id AS "student_id!", d.outcome, d.decided_at
        FROM identity.bulk AS u
        JOIN identity.bulk_member AS b ON b.bulk_id = u.bulk_id
        JOIN identity.match_decision AS d ON d.client_id = b.client_id AND d.student_id = b.student_id AND d.superseded_at IS NULL
            AND d.outcome = u.outcome
        JOIN identity.client AS c ON c.client_id = b.client_id
        WHERE u.bulk_id = $2 AND d.decided_by <> $1
            AND (d.bulk_id = u.bulk_id OR (b.sampled_at IS NOT NULL AND d.bulk_id IS NULL AND d.decided_at BETWEEN u.drawn_at AND u.applied_at))
        ORDER BY d.decision_id"#,
        engine,
        bulk,
    )
    .fetch_all(conn)
    .await
}
