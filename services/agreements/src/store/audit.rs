//! Reading everything on file back, exactly as it stands, to hold it against what was signed.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{Error, approval::Approval};

type Instant = DateTime<Utc>;

/// A version as it stands.
pub(crate) struct VersionOnFile {
    pub(crate) agreement_id: String,
    pub(crate) version: i32,
    pub(crate) consumer: String,
    pub(crate) document: String,
    pub(crate) canonical: String,
    pub(crate) digest: Vec<u8>,
    pub(crate) time_zone: String,
    pub(crate) valid_from: Instant,
    pub(crate) valid_to: Option<Instant>,
}

pub(crate) async fn list_versions(conn: &mut PgConnection) -> Result<Vec<VersionOnFile>, Error> {
    Ok(sqlx::query_as!(
        VersionOnFile,
        "-- agreements.list_versions_on_file
        SELECT v.agreement_id, v.version, v.consumer, v.document, v.canonical, v.digest, v.time_zone, v.valid_from, v.valid_to
        FROM agreements.version AS v
        ORDER BY v.agreement_id, v.version"
    )
    .fetch_all(conn)
    .await?)
}

/// An activation as it stands.
pub(crate) struct ActivationOnFile {
    pub(crate) agreement_id: String,
    pub(crate) version: i32,
    pub(crate) digest: Vec<u8>,
    pub(crate) activated_at: Instant,
    pub(crate) ended_at: Option<Instant>,
    pub(crate) ended_because: Option<String>,
    /// The digest of the version it is of, if that is on file for the same consumer.
    pub(crate) of_version: Option<Vec<u8>>,
    pub(crate) suspended_before: Option<Instant>,
    pub(crate) approvals: Option<[Approval; 2]>,
}

pub(crate) async fn list_activations(conn: &mut PgConnection) -> Result<Vec<ActivationOnFile>, Error> {
    let rows = sqlx::query!(
        r#"-- agreements.list_activations_on_file
        SELECT a.agreement_id, a.version, a.digest, a.activated_at, a.ended_at, a.ended_because, v.digest AS "of_version?",
            p.steward AS "first_steward?", p.given_at AS "first_given_at?", p.signature AS "first_signature?",
            q.steward AS "second_steward?", q.given_at AS "second_given_at?", q.signature AS "second_signature?",
            (SELECT max(x.end_recorded_at)
                FROM agreements.activation AS x
                WHERE x.agreement_id = a.agreement_id AND x.ended_because = 'suspended'
                    AND x.activation_id < a.activation_id
                    AND x.end_recorded_at IS DISTINCT FROM a.end_recorded_at) AS suspended_before
        FROM agreements.activation AS a
        LEFT JOIN agreements.version AS v ON v.agreement_id = a.agreement_id AND v.version = a.version AND v.consumer = a.consumer
        LEFT JOIN agreements.approval AS p ON p.digest = a.digest AND p.act = a.act AND p.steward = a.first_steward
            AND p.given_at = a.first_given_at
        LEFT JOIN agreements.approval AS q ON q.digest = a.digest AND q.act = a.act AND q.steward = a.second_steward
            AND q.given_at = a.second_given_at
        ORDER BY a.activation_id"#
    )
    .fetch_all(conn)
    .await?;
    let read = rows.into_iter().map(|row| ActivationOnFile {
        approvals: two(
            (row.first_steward, row.first_given_at, row.first_signature),
            (row.second_steward, row.second_given_at, row.second_signature),
        ),
        agreement_id: row.agreement_id,
        version: row.version,
        digest: row.digest,
        activated_at: row.activated_at,
        ended_at: row.ended_at,
        ended_because: row.ended_because,
        of_version: row.of_version,
        suspended_before: row.suspended_before,
    });
    Ok(read.collect())
}

type Stored = (Option<String>, Option<Instant>, Option<Vec<u8>>);

/// Two approvals, if both are there whole.
fn two(first: Stored, second: Stored) -> Option<[Approval; 2]> {
    let one = |(steward, given_at, signature): Stored| {
        Some(Approval { steward: steward?, given_at: given_at?, signature: signature?.as_slice().try_into().ok()? })
    };
    Some([one(first)?, one(second)?])
}

/// A paper as it stands.
pub(crate) struct PaperOnFile {
    pub(crate) consumer: String,
    pub(crate) person_key: String,
    pub(crate) kind: String,
    pub(crate) reference: String,
    pub(crate) reason: String,
    pub(crate) valid_from: Instant,
    pub(crate) valid_to: Option<Instant>,
    pub(crate) recorded_by: String,
    pub(crate) recorded_at: Instant,
    pub(crate) is_revoked: bool,
    pub(crate) digest: Vec<u8>,
    pub(crate) vouched: Option<Vec<u8>>,
    pub(crate) approvals: Option<[Approval; 2]>,
}

/// The papers behind `after`, in the order of their digests.
pub(crate) async fn list_papers(conn: &mut PgConnection, after: &[u8], limit: i64) -> Result<Vec<PaperOnFile>, Error> {
    let rows = sqlx::query!(
        r#"-- agreements.list_papers_on_file
        SELECT i.consumer, i.person_key, i.kind, i.reference, i.reason, i.valid_from, i.valid_to, i.recorded_by, i.recorded_at, i.digest, i.vouched,
            i.revoked_at IS NOT NULL AS "is_revoked!", p.steward AS "first_steward?", p.given_at AS "first_given_at?", p.signature AS "first_signature?",
            q.steward AS "second_steward?", q.given_at AS "second_given_at?", q.signature AS "second_signature?"
        FROM agreements.instrument AS i
        LEFT JOIN agreements.approval AS p ON p.digest = i.digest AND p.act = i.act AND p.steward = i.first_steward
            AND p.given_at = i.first_given_at
        LEFT JOIN agreements.approval AS q ON q.digest = i.digest AND q.act = i.act AND q.steward = i.second_steward
            AND q.given_at = i.second_given_at
        WHERE i.digest > $1
        ORDER BY i.digest
        LIMIT $2"#,
        after,
        limit
    )
    .fetch_all(conn)
    .await?;
    let read = rows.into_iter().map(|row| PaperOnFile {
        approvals: two(
            (row.first_steward, row.first_given_at, row.first_signature),
            (row.second_steward, row.second_given_at, row.second_signature),
        ),
        consumer: row.consumer,
        person_key: row.person_key,
        kind: row.kind,
        reference: row.reference,
        reason: row.reason,
        valid_from: row.valid_from,
        valid_to: row.valid_to,
        recorded_by: row.recorded_by,
        recorded_at: row.recorded_at,
        is_revoked: row.is_revoked,
        digest: row.digest,
        vouched: row.vouched,
    });
    Ok(read.collect())
}

/// A request as it stands.
pub(crate) struct RequestOnFile {
    pub(crate) digest: Vec<u8>,
    pub(crate) act: String,
    pub(crate) consumer: String,
    pub(crate) statement: String,
    pub(crate) requested_at: Instant,
    pub(crate) expires_at: Instant,
    pub(crate) used_at: Option<Instant>,
    /// Whether records were opened on it.
    pub(crate) has_opened: bool,
    /// When the first steward approved it.
    pub(crate) approved_at: Option<Instant>,
}

pub(crate) async fn list_requests(conn: &mut PgConnection) -> Result<Vec<RequestOnFile>, Error> {
    Ok(sqlx::query_as!(
        RequestOnFile,
        r#"-- agreements.list_requests_on_file
        SELECT r.digest, r.act, r.consumer, r.statement, r.requested_at, r.expires_at, r.used_at,
            EXISTS (SELECT FROM agreements.opening AS o WHERE o.digest = r.digest) AS "has_opened!",
            (SELECT min(p.given_at) FROM agreements.approval AS p WHERE p.digest = r.digest AND p.act = r.act) AS approved_at
        FROM agreements.request AS r
        ORDER BY r.requested_at, r.digest"#
    )
    .fetch_all(conn)
    .await?)
}

/// Releases that nobody vouches for: digest, who recorded it, when.
pub(crate) async fn list_unvouched(conn: &mut PgConnection) -> Result<Vec<(Vec<u8>, String, Instant)>, Error> {
    let rows = sqlx::query!(
        "-- agreements.list_unvouched
        SELECT i.digest, i.recorded_by, i.recorded_at
        FROM agreements.instrument AS i
        WHERE i.kind IN ('parent_release', 'student_release') AND i.vouched IS NULL"
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.digest, row.recorded_by, row.recorded_at)).collect())
}

/// Vouches for releases that nobody vouched for.
pub(crate) async fn set_vouched(
    conn: &mut PgConnection,
    digests: &[Vec<u8>],
    vouched: &[Vec<u8>],
) -> Result<u64, Error> {
    let done = sqlx::query!(
        "-- agreements.set_vouched
        UPDATE agreements.instrument AS i SET vouched = u.vouched
        FROM UNNEST($1::bytea[], $2::bytea[]) AS u (digest, vouched)
        WHERE i.digest = u.digest AND i.vouched IS NULL",
        digests,
        vouched
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
