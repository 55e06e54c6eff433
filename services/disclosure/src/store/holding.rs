//! What receivers hold, by feed, and what they are told to destroy.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use model::ConsumerId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, withdraw::Feed};

/// The clients a run of a feed is about, behind `after`: those on the roster and in the population now, those of whom something was sent, and those of
/// whom something waits to be called back; by person id.
pub(crate) async fn list_due(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    feed: Feed<'_>,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar!(
        r#"-- disclosure.list_due
        SELECT u.person_key AS "person_key!" FROM (
            (SELECT DISTINCT p.person_key FROM identity.population AS p
                WHERE p.consumer = $1 AND p.person_key > $5 AND ($3 = '' OR p.office = $3) ORDER BY p.person_key LIMIT $6)
            UNION
            (SELECT DISTINCT r.person_key FROM identity.rostered AS r
                WHERE r.consumer = $1 AND r.person_key > $5 AND ($3 = '' OR r.office = $3) ORDER BY r.person_key LIMIT $6)
            UNION
            (SELECT d.person_key FROM disclosure.delivered AS d
                WHERE d.consumer = $1 AND d.delivery = $2 AND d.office = $3 AND d.purpose = $4 AND d.person_key > $5
                ORDER BY d.person_key LIMIT $6)
            UNION
            (SELECT DISTINCT r.person_key FROM disclosure.recall AS r
                WHERE r.consumer = $1 AND r.person_key > $5 AND r.delivered_at IS NULL AND $3 = ''
                    AND (r.delivery IS NULL OR ($2 = 'stream') = (r.delivery = 'stream') OR r.delivery = 'unary')
                ORDER BY r.person_key LIMIT $6)
        ) AS u
        ORDER BY u.person_key
        LIMIT $6"#,
        consumer.as_str(),
        feed.delivery,
        feed.office,
        feed.purpose,
        after,
        limit,
    )
    .fetch_all(conn)
    .await?)
}

/// Something of a client that a receiver holds, or that is called back from it.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Whose it was.
    pub(crate) student: Uuid,
    /// Why it is called back, if it is.
    pub(crate) cause: Option<String>,
    /// Since when it is called back.
    pub(crate) queued_at: Option<DateTime<Utc>>,
}

/// What the receiver of a feed holds of these clients, and what of it is called back.
pub(crate) async fn list_held(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    feed: Feed<'_>,
    person_keys: &[String],
) -> Result<HashMap<String, Held>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_held
        SELECT k.person_key AS "person_key!", COALESCE(d.student_id, w.student_id) AS "student_id!", w.cause AS "cause?", w.queued_at AS "queued_at?"
        FROM UNNEST($5::text[]) AS k (person_key)
        LEFT JOIN disclosure.delivered AS d ON d.consumer = $1 AND d.delivery = $2 AND d.office = $3 AND d.purpose = $4
            AND d.person_key = k.person_key
        LEFT JOIN LATERAL (
            SELECT r.student_id, r.cause, r.queued_at FROM disclosure.recall AS r
            WHERE r.consumer = $1 AND r.person_key = k.person_key AND r.delivered_at IS NULL AND ($3 = '' OR d.person_key IS NOT NULL)
                AND (r.delivery IS NULL OR ($2 = 'stream') = (r.delivery = 'stream') OR r.delivery = 'unary')
            ORDER BY r.recall_id
            LIMIT 1
        ) AS w ON true
        WHERE d.person_key IS NOT NULL OR w.cause IS NOT NULL"#,
        consumer.as_str(),
        feed.delivery,
        feed.office,
        feed.purpose,
        person_keys,
    )
    .fetch_all(conn)
    .await?;
    let held = rows
        .into_iter()
        .map(|row| (row.person_key, Held { student: row.student_id, cause: row.cause, queued_at: row.queued_at }));
    Ok(held.collect())
}

/// A withdrawal to be kept.
pub(crate) struct NewWithdrawal<'a> {
    pub(crate) id: Uuid,
    pub(crate) person_key: &'a str,
    pub(crate) student: Uuid,
    pub(crate) reason: &'static str,
    pub(crate) destroy_by: NaiveDate,
}

/// Keeps withdrawals of a run, in the transaction that records them.
pub(crate) async fn insert_withdrawals(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    feed: Feed<'_>,
    (run, at): (Uuid, DateTime<Utc>),
    list: &[NewWithdrawal<'_>],
) -> Result<(), Error> {
    let ids: Vec<Uuid> = list.iter().map(|one| one.id).collect();
    let keys: Vec<String> = list.iter().map(|one| one.person_key.to_owned()).collect();
    let students: Vec<Uuid> = list.iter().map(|one| one.student).collect();
    let reasons: Vec<String> = list.iter().map(|one| one.reason.to_owned()).collect();
    let days: Vec<NaiveDate> = list.iter().map(|one| one.destroy_by).collect();
    sqlx::query!(
        "-- disclosure.insert_withdrawals
        INSERT INTO disclosure.withdrawal (withdrawal_id, consumer, delivery, office, purpose, person_key, student_id, run_id, reason, destroy_by,
            recorded_at)
        SELECT u.id, $1, $2, $3, $4, u.person_key, u.student_id, $5, u.reason, u.destroy_by, $6
        FROM UNNEST($7::uuid[], $8::text[], $9::uuid[], $10::text[], $11::date[]) AS u (id, person_key, student_id, reason, destroy_by)",
        consumer.as_str(),
        feed.delivery,
        feed.office,
        feed.purpose,
        run,
        at,
        &ids,
        &keys,
        &students,
        &reasons,
        &days,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that histories of a run have arrived, up to a client (none: all of them).
pub(crate) async fn confirm_histories(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    run: Uuid,
    upto: Option<&str>,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.confirm_histories
        UPDATE disclosure.delivered SET delivered_at = $4
        WHERE consumer = $1 AND run_id = $2 AND delivered_at IS NULL AND ($3::text IS NULL OR person_key <= $3)",
        consumer.as_str(),
        run,
        upto,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that the withdrawals of a run have arrived, all of them: what they name is held no longer, and the recalls they answer are done.
pub(crate) async fn confirm_withdrawals(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    run: Uuid,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.confirm_withdrawals
        WITH arrived AS (
            UPDATE disclosure.withdrawal SET delivered_at = $3
            WHERE consumer = $1 AND run_id = $2 AND delivered_at IS NULL
            RETURNING delivery, office, purpose, person_key, run_id, recorded_at
        ), gone AS (
            DELETE FROM disclosure.delivered AS d USING arrived AS a
            WHERE d.consumer = $1 AND d.person_key = a.person_key AND d.run_id IS DISTINCT FROM a.run_id AND d.recorded_at <= a.recorded_at
                AND ((d.delivery = a.delivery AND d.office = a.office AND d.purpose = a.purpose)
                    OR (a.delivery = 'file' AND d.delivery = 'pdf'))
        )
        UPDATE disclosure.recall AS r SET delivered_at = $3 FROM arrived AS a
        WHERE r.consumer = $1 AND r.person_key = a.person_key AND r.delivered_at IS NULL AND r.queued_at <= a.recorded_at
            AND (r.delivery IS NULL OR (a.delivery = 'stream') = (r.delivery = 'stream') OR r.delivery = 'unary')",
        consumer.as_str(),
        run,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The run of a feed that ended last.
pub(crate) async fn find_last_completed(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    (office, purpose): (&str, &str),
) -> Result<Option<Uuid>, Error> {
    Ok(sqlx::query_scalar!(
        "-- disclosure.find_last_completed
        SELECT c.run_id FROM disclosure.completed AS c
        WHERE c.consumer = $1 AND c.office = $2 AND c.purpose = $3
        ORDER BY c.completed_no DESC
        LIMIT 1",
        consumer.as_str(),
        office,
        purpose,
    )
    .fetch_optional(conn)
    .await?)
}

/// The runs of files that have sent something whose arrival nobody has noted.
pub(crate) async fn list_unconfirmed_files(conn: &mut PgConnection, consumer: &ConsumerId) -> Result<Vec<Uuid>, Error> {
    Ok(sqlx::query_scalar!(
        r#"-- disclosure.list_unconfirmed_files
        SELECT u.run_id AS "run_id!" FROM (
            SELECT d.run_id FROM disclosure.delivered AS d
            WHERE d.consumer = $1 AND d.delivery = 'file' AND d.delivered_at IS NULL AND d.run_id IS NOT NULL
            UNION
            SELECT w.run_id FROM disclosure.withdrawal AS w
            WHERE w.consumer = $1 AND w.delivery = 'file' AND w.delivered_at IS NULL
        ) AS u
        ORDER BY u.run_id"#,
        consumer.as_str(),
    )
    .fetch_all(conn)
    .await?)
}

/// Notes the end of a run; says whether this very end was not told before.
pub(crate) async fn insert_completed(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    feed: Feed<'_>,
    (run, digest): (Uuid, &[u8; 32]),
    at: DateTime<Utc>,
) -> Result<bool, Error> {
    let done = sqlx::query!(
        "-- disclosure.insert_completed
        INSERT INTO disclosure.completed (run_id, digest, consumer, office, purpose, completed_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (run_id, digest) DO NOTHING",
        run,
        digest.as_slice(),
        consumer.as_str(),
        feed.office,
        feed.purpose,
        at,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}
