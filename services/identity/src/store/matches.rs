//! What matching reads and what it decides.

use chrono::{DateTime, Utc};
use model::ConsumerId;
use sqlx::PgConnection;
use uuid::Uuid;

/// A client with its current decision, if any.
pub(crate) struct ClientRow {
    pub(crate) client_id: i64,
    pub(crate) details: serde_json::Value,
    pub(crate) details_hash: Vec<u8>,
}

/// Clients whom the last roster names or who have an authority in force: all current ones.
pub(crate) async fn list_clients(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
) -> Result<Vec<ClientRow>, sqlx::Error> {
    sqlx::query_as!(
        ClientRow,
        "-- identity.list_clients
        SELECT c.client_id, c.details, c.details_hash FROM identity.client AS c WHERE c.consumer = $1 ORDER BY c.client_id",
        consumer.as_str(),
    )
    .fetch_all(conn)
    .await
}

/// A current decision.
pub(crate) struct DecisionRow {
    pub(crate) decision_id: i64,
    pub(crate) client_id: i64,
    pub(crate) student_id: Option<Uuid>,
    pub(crate) outcome: String,
    pub(crate) decided_by: String,
    pub(crate) details_hash: Vec<u8>,
    pub(crate) found_again_hash: Option<Vec<u8>>,
    pub(crate) probability: Option<f64>,
}

impl DecisionRow {
    /// Whether it was made, or found again, of a client so described.
    pub(crate) fn speaks_of(&self, details_hash: &[u8]) -> bool {
        self.details_hash == details_hash || self.found_again_hash.as_deref() == Some(details_hash)
    }
}

pub(crate) async fn list_decisions(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
) -> Result<Vec<DecisionRow>, sqlx::Error> {
    sqlx::query_as!(
        DecisionRow,
        "-- identity.list_decisions
        SELECT m.decision_id, m.client_id, m.student_id, m.outcome, m.decided_by, m.details_hash, m.found_again_hash, m.probability
        FROM identity.match_decision AS m WHERE m.consumer = $1 AND m.superseded_at IS NULL",
        consumer.as_str(),
    )
    .fetch_all(conn)
    .await
}

/// One current report about a source person's names, birth date and the like.
pub(crate) struct ReportRow {
    pub(crate) source_person_id: i64,
    pub(crate) student_id: Uuid,
    pub(crate) state_id: String,
    pub(crate) payload: Option<serde_json::Value>,
}

/// Everything ever reported about every source person, superseded reports included: a changed surname still matches.
pub(crate) async fn list_reports(conn: &mut PgConnection) -> Result<Vec<ReportRow>, sqlx::Error> {
    sqlx::query_as!(
        ReportRow,
        r#"-- identity.list_reports
        SELECT p.source_person_id, x.student_id, p.state_id, f.payload AS "payload?"
        FROM identity.source_person AS p
        JOIN identity.crosswalk AS x ON x.source_person_id = p.source_person_id AND x.to_at IS NULL
        LEFT JOIN identity.person_fact AS f ON f.source_person_id = p.source_person_id
        ORDER BY p.source_person_id, f.recorded_batch, f.line"#
    )
    .fetch_all(conn)
    .await
}

/// A decision about to be entered.
pub(crate) struct NewDecision {
    pub(crate) client_id: i64,
    pub(crate) source_person_id: Option<i64>,
    pub(crate) student_id: Option<Uuid>,
    pub(crate) outcome: &'static str,
    pub(crate) probability: Option<f64>,
    pub(crate) score_bits: Option<f64>,
    pub(crate) explanation: serde_json::Value,
    pub(crate) details_hash: Vec<u8>,
    pub(crate) reason: String,
}

pub(crate) async fn supersede_decisions(
    conn: &mut PgConnection,
    ids: &[i64],
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- identity.supersede_decisions
        UPDATE identity.match_decision SET superseded_at = $2 WHERE decision_id = ANY($1) AND superseded_at IS NULL",
        ids,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// Notes that persons' matches were found again under the clients' present details.
pub(crate) async fn note_found_again(
    conn: &mut PgConnection,
    decisions: &[i64],
    hashes: &[Vec<u8>],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.note_found_again
        UPDATE identity.match_decision AS m SET found_again_hash = u.details_hash, found_vouched = NULL
        FROM UNNEST($1::bigint[], $2::bytea[]) AS u (decision_id, details_hash)
        WHERE m.decision_id = u.decision_id AND m.superseded_at IS NULL",
        decisions,
        hashes,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn insert_decisions(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    decided_by: &str,
    list: &[NewDecision],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    macro_rules! column {
        ($field:ident) => {
            &list.iter().map(|d| d.$field.clone()).collect::<Vec<_>>()
        };
    }
    let outcomes: Vec<String> = list.iter().map(|d| d.outcome.to_owned()).collect();
    sqlx::query!(
        "-- identity.insert_decisions
        INSERT INTO identity.match_decision (client_id, source_person_id, student_id, consumer, outcome, probability, score_bits, explanation,
            details_hash, decided_by, reason, decided_at)
        SELECT u.client_id, u.source_person_id, u.student_id, $1, u.outcome, u.probability, u.score_bits, u.explanation, u.details_hash, $2, u.reason, $3
        FROM UNNEST($4::bigint[], $5::bigint[], $6::uuid[], $7::text[], $8::float8[], $9::float8[], $10::jsonb[], $11::bytea[], $12::text[])
            AS u (client_id, source_person_id, student_id, outcome, probability, score_bits, explanation, details_hash, reason)",
        consumer.as_str(),
        decided_by,
        at,
        column!(client_id),
        column!(source_person_id) as &[Option<i64>],
        column!(student_id) as &[Option<Uuid>],
        &outcomes,
        column!(probability) as &[Option<f64>],
        column!(score_bits) as &[Option<f64>],
        column!(explanation),
        column!(details_hash),
        column!(reason),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The last run over a consumer's roster, with the model it used.
pub(crate) struct RunRow {
    pub(crate) model_version: i32,
    pub(crate) model: serde_json::Value,
    pub(crate) trained_at: DateTime<Utc>,
    pub(crate) batch_marks: serde_json::Value,
    pub(crate) move_mark: i64,
    pub(crate) threshold: f64,
    pub(crate) coverage: f64,
}

pub(crate) async fn find_last_run(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
) -> Result<Option<RunRow>, sqlx::Error> {
    sqlx::query_as!(
        RunRow,
        "-- identity.find_last_run
        SELECT r.model_version, o.model, o.trained_at, r.batch_marks, r.move_mark, r.threshold, r.coverage
        FROM identity.match_run AS r JOIN identity.match_model AS o ON o.consumer = r.consumer AND o.version = r.model_version
        WHERE r.consumer = $1 ORDER BY r.run_id DESC LIMIT 1",
        consumer.as_str(),
    )
    .fetch_optional(conn)
    .await
}

/// How far reports and moves have come: the latest batch of each SEA, and the latest move.
pub(crate) async fn find_marks(conn: &mut PgConnection) -> Result<(serde_json::Value, i64), sqlx::Error> {
    let row = sqlx::query!(
        r#"-- identity.find_marks
        WITH latest AS (
            SELECT p.sea, max(GREATEST(p.created_batch, f.recorded_batch, f.superseded_batch)) AS batch
            FROM identity.source_person AS p LEFT JOIN identity.person_fact AS f ON f.source_person_id = p.source_person_id
            GROUP BY p.sea
        )
        SELECT (SELECT COALESCE(jsonb_object_agg(l.sea, l.batch), '{}'::jsonb) FROM latest AS l) AS "batches!",
            (SELECT COALESCE(max(m.move_id), 0) FROM identity.crosswalk_move AS m) AS "moves!""#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.batches, row.moves))
}

/// Students of whom something was reported, or who were merged or parted, since these marks.
pub(crate) async fn list_changed_students(
    conn: &mut PgConnection,
    batches: &serde_json::Value,
    moves: i64,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- identity.list_changed_students
        SELECT x.student_id AS "student_id!" FROM identity.source_person AS p
        JOIN identity.crosswalk AS x ON x.source_person_id = p.source_person_id AND x.to_at IS NULL
        LEFT JOIN identity.person_fact AS f ON f.source_person_id = p.source_person_id
        WHERE GREATEST(p.created_batch, f.recorded_batch, f.superseded_batch) > COALESCE(($1::jsonb ->> p.sea)::bigint, 0)
        UNION
        SELECT u.student_id FROM identity.crosswalk_move AS m, UNNEST(ARRAY[m.from_student, m.to_student]) AS u (student_id)
        WHERE m.move_id > $2"#,
        batches,
        moves,
    )
    .fetch_all(conn)
    .await
}

/// Those of these students who are still somebody.
pub(crate) async fn list_current_students(
    conn: &mut PgConnection,
    students: &[Uuid],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "-- identity.list_current_students
        SELECT DISTINCT x.student_id FROM identity.crosswalk AS x WHERE x.student_id = ANY($1) AND x.to_at IS NULL",
        students,
    )
    .fetch_all(conn)
    .await
}

/// Keeps a model under the consumer's next version.
pub(crate) async fn insert_model(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    model: &serde_json::Value,
    at: DateTime<Utc>,
) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!(
        "-- identity.insert_model
        INSERT INTO identity.match_model (consumer, version, model, trained_at)
        SELECT $1, COALESCE(max(o.version), 0) + 1, $2, $3 FROM identity.match_model AS o WHERE o.consumer = $1
        RETURNING version",
        consumer.as_str(),
        model,
        at,
    )
    .fetch_one(conn)
    .await
}

/// A run about to be entered.
pub(crate) struct NewRun<'a> {
    pub(crate) consumer: &'a ConsumerId,
    pub(crate) model_version: i32,
    pub(crate) is_full: bool,
    pub(crate) batch_marks: &'a serde_json::Value,
    pub(crate) move_mark: i64,
    pub(crate) clients: i32,
    pub(crate) scored: i32,
    pub(crate) threshold: f64,
    pub(crate) expected_wrong: f64,
    pub(crate) expected_missed: f64,
    pub(crate) coverage: f64,
    pub(crate) run_at: DateTime<Utc>,
}

pub(crate) async fn insert_run(conn: &mut PgConnection, run: &NewRun<'_>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.insert_run
        INSERT INTO identity.match_run (consumer, model_version, is_full, batch_marks, move_mark, clients, scored, threshold, expected_wrong,
            expected_missed, coverage, run_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        run.consumer.as_str(),
        run.model_version,
        run.is_full,
        run.batch_marks,
        run.move_mark,
        run.clients,
        run.scored,
        run.threshold,
        run.expected_wrong,
        run.expected_missed,
        run.coverage,
        run.run_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
