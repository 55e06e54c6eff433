//! Reports on what looks wrong: filed by whoever reads a record, answered by stewards.

use chrono::{DateTime, Utc};
use model::{ConsumerId, Masked, StudentId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::report::{Answer, Filed, Outcome, Report, Reported};

/// Files a report, unless as many of the same person about the same client are open already; whether it was.
pub(crate) async fn insert(conn: &mut PgConnection, filed: &Filed<'_>, open_max: i64) -> Result<bool, sqlx::Error> {
    let added = sqlx::query!(
        "-- portal.insert_report
        INSERT INTO portal.report (consumer, person_key, viewer, student_id, reported_by, reported_at, block, note)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8
        WHERE (SELECT count(*) FROM portal.report AS r
            WHERE r.consumer = $1 AND r.person_key = $2 AND r.viewer = $3 AND (r.outcome IS NULL OR r.outcome = 'passed_on')) < $9",
        filed.consumer.as_str(),
        filed.person_key.expose(),
        filed.viewer.as_slice(),
        filed.student.0,
        filed.by,
        filed.at,
        filed.block,
        filed.note.expose(),
        open_max,
    )
    .execute(conn)
    .await?;
    Ok(added.rows_affected() == 1)
}

/// What somebody reported on a client, the latest first, and what became of it.
pub(crate) async fn list_own(
    conn: &mut PgConnection,
    (consumer, person_key, viewer): (&ConsumerId, &Masked<String>, &[u8; 32]),
    limit: i64,
) -> Result<Vec<Reported>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- portal.list_own_reports
        SELECT student_id, block, reported_at, outcome, answered_at FROM portal.report
        WHERE consumer = $1 AND person_key = $2 AND viewer = $3
        ORDER BY report_id DESC LIMIT $4",
        consumer.as_str(),
        person_key.expose(),
        viewer.as_slice(),
        limit,
    )
    .fetch_all(conn)
    .await?;
    let all = rows.into_iter().map(|row| Reported {
        student: StudentId(row.student_id),
        block: row.block,
        at: row.reported_at,
        outcome: row.outcome.as_deref().and_then(Outcome::of_code),
        answered_at: row.answered_at,
    });
    Ok(all.collect())
}

/// Reports before a number, the latest first; those that are answered for good only where `with_closed`. Notes are not among it.
pub(crate) async fn list(
    conn: &mut PgConnection,
    with_closed: bool,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Report>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- portal.list_reports
        SELECT report_id, consumer, student_id, reported_by, reported_at, block, outcome, answered_by, answered_at
        FROM portal.report
        WHERE ($1 OR outcome IS NULL OR outcome = 'passed_on') AND ($2::bigint IS NULL OR report_id < $2)
        ORDER BY report_id DESC LIMIT $3",
        with_closed,
        before,
        limit,
    )
    .fetch_all(conn)
    .await?;
    let all = rows.into_iter().map(|row| Report {
        id: row.report_id,
        consumer: row.consumer,
        student: StudentId(row.student_id),
        by: row.reported_by,
        at: row.reported_at,
        block: row.block,
        answer: answer(row.outcome.as_deref(), row.answered_by, row.answered_at, None),
    });
    Ok(all.collect())
}

/// A report without its note.
pub(crate) async fn find(conn: &mut PgConnection, id: i64) -> Result<Option<Report>, sqlx::Error> {
    let row = sqlx::query!(
        "-- portal.find_report
        SELECT report_id, consumer, student_id, reported_by, reported_at, block, outcome, answered_by, answered_at, remark
        FROM portal.report WHERE report_id = $1",
        id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Report {
        id: row.report_id,
        consumer: row.consumer,
        student: StudentId(row.student_id),
        by: row.reported_by,
        at: row.reported_at,
        block: row.block,
        answer: answer(row.outcome.as_deref(), row.answered_by, row.answered_at, row.remark),
    }))
}

fn answer(
    outcome: Option<&str>,
    by: Option<String>,
    at: Option<DateTime<Utc>>,
    remark: Option<String>,
) -> Option<Answer> {
    Some(Answer { outcome: Outcome::of_code(outcome?)?, by: by?, at: at?, remark: remark.map(Masked::new) })
}

/// What was written in a report.
pub(crate) async fn find_note(conn: &mut PgConnection, id: i64) -> Result<Option<Masked<String>>, sqlx::Error> {
    let row = sqlx::query!(
        "-- portal.find_note
        SELECT note FROM portal.report WHERE report_id = $1",
        id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Masked::new(row.note)))
}

/// Answers a report that is not answered for good; whether it was.
pub(crate) async fn answer_open(conn: &mut PgConnection, id: i64, answer: &Answer) -> Result<bool, sqlx::Error> {
    let changed = sqlx::query!(
        "-- portal.answer_report
        UPDATE portal.report SET outcome = $2, answered_by = $3, answered_at = $4, remark = $5
        WHERE report_id = $1 AND (outcome IS NULL OR outcome = 'passed_on')",
        id,
        answer.outcome.code(),
        answer.by,
        answer.at,
        answer.remark.as_ref().map(Masked::expose),
    )
    .execute(conn)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Forgets reports that were answered for good before a time, and those that nobody answered and that were filed before an earlier one.
pub(crate) async fn sweep(
    conn: &mut PgConnection,
    (before, unanswered_before): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- portal.sweep_reports
        DELETE FROM portal.report
        WHERE (answered_at <= $1 AND outcome <> 'passed_on') OR reported_at <= $2",
        before,
        unanswered_before,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what was reported on students, or on an agency's clients.
pub(crate) async fn erase(
    conn: &mut PgConnection,
    students: &[Uuid],
    (consumers, person_keys): (&[String], &[String]),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- portal.erase_reports
        DELETE FROM portal.report
        WHERE student_id = ANY($1) OR (consumer, person_key) IN (SELECT * FROM UNNEST($2::text[], $3::text[]))",
        students,
        consumers,
        person_keys,
    )
    .execute(conn)
    .await?;
    Ok(())
}
