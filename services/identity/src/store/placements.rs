//! Stays as an agency reports them (schema `placement`), and which students the clients are.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use model::{ConsumerId, Masked, SourcePersonId, StudentId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::placement::{Known, PlacementFile, Stay};

/// The last file of a reporter.
pub(crate) struct LastFile {
    pub(crate) reported_on: NaiveDate,
    pub(crate) sha256: Vec<u8>,
}

pub(crate) async fn find_last(conn: &mut PgConnection, reporter: &ConsumerId) -> Result<Option<LastFile>, sqlx::Error> {
    sqlx::query_as!(
        LastFile,
        "-- identity.find_last_placement_file
        SELECT f.reported_on, f.sha256 FROM placement.file AS f WHERE f.reporter = $1 ORDER BY f.reported_on DESC, f.file_id DESC LIMIT 1",
        reporter.as_str(),
    )
    .fetch_optional(conn)
    .await
}

pub(crate) async fn last_received(
    conn: &mut PgConnection,
    reporter: &ConsumerId,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "-- identity.last_placement_report
        SELECT max(f.received_at) FROM placement.file AS f WHERE f.reporter = $1",
        reporter.as_str(),
    )
    .fetch_one(conn)
    .await
}

struct StayRow {
    placement_id: Uuid,
    person_key: String,
    stay_key: String,
    facility: String,
    admitted_at: DateTime<Utc>,
    released_at: Option<DateTime<Utc>>,
    is_withdrawn: bool,
    recorded_at: DateTime<Utc>,
}

impl From<StayRow> for Stay {
    fn from(row: StayRow) -> Self {
        Self {
            placement: row.placement_id,
            person_key: Masked::new(row.person_key),
            stay_key: Masked::new(row.stay_key),
            facility: row.facility,
            admitted_at: row.admitted_at,
            released_at: row.released_at,
            is_withdrawn: row.is_withdrawn,
            recorded_at: row.recorded_at,
        }
    }
}

/// The last versions of stays by their keys, and of all stays of these clients.
pub(crate) async fn list_current(
    conn: &mut PgConnection,
    reporter: &ConsumerId,
    stay_keys: &[String],
    person_keys: &[String],
) -> Result<Vec<Stay>, sqlx::Error> {
    let rows = sqlx::query_as!(
        StayRow,
        "-- identity.list_current_stays
        SELECT s.placement_id, s.person_key, s.stay_key, s.facility, s.admitted_at, s.released_at, s.is_withdrawn, s.recorded_at
        FROM placement.stay AS s
        WHERE s.reporter = $1 AND s.superseded_at IS NULL AND (s.stay_key = ANY($2) OR s.person_key = ANY($3))
        ORDER BY s.version_id",
        reporter.as_str(),
        stay_keys,
        person_keys,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Stay::from).collect())
}

/// The last versions of stays but for those that ended, and were last reported, before an instant; oldest admission first.
pub(crate) async fn list_stays(
    conn: &mut PgConnection,
    reporter: &ConsumerId,
    ended_since: DateTime<Utc>,
) -> Result<Vec<Stay>, sqlx::Error> {
    let rows = sqlx::query_as!(
        StayRow,
        "-- identity.list_stays
        SELECT s.placement_id, s.person_key, s.stay_key, s.facility, s.admitted_at, s.released_at, s.is_withdrawn, s.recorded_at
        FROM placement.stay AS s
        WHERE s.reporter = $1 AND s.superseded_at IS NULL AND (s.released_at IS NULL OR $2 <= s.released_at OR $2 <= s.recorded_at)
        ORDER BY s.admitted_at, s.placement_id",
        reporter.as_str(),
        ended_since,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Stay::from).collect())
}

/// Stays that ended, and were last reported, before an instant, with the client: the oldest first.
pub(crate) async fn list_over(
    conn: &mut PgConnection,
    reporter: &ConsumerId,
    before: DateTime<Utc>,
) -> Result<Vec<(Uuid, String, DateTime<Utc>)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- identity.list_stays_over
        SELECT s.placement_id, s.person_key, greatest(s.released_at, s.recorded_at) AS "over_at!"
        FROM placement.stay AS s
        WHERE s.reporter = $1 AND s.superseded_at IS NULL AND s.recorded_at < $2 AND (s.is_withdrawn OR s.released_at < $2)
        ORDER BY s.recorded_at, s.placement_id"#,
        reporter.as_str(),
        before,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.placement_id, row.person_key, row.over_at)).collect())
}

/// Destroys stays, all versions of each.
pub(crate) async fn delete(
    conn: &mut PgConnection,
    reporter: &ConsumerId,
    placements: &[Uuid],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.delete_stays
        DELETE FROM placement.stay WHERE reporter = $1 AND placement_id = ANY($2)",
        reporter.as_str(),
        placements,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Who these clients are, or ever were, by source person, with whether an order restricts the person, a hold of the law among them.
pub(crate) async fn list_persons_of_clients(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_keys: &[String],
    at: DateTime<Utc>,
) -> Result<Vec<(String, i64, bool)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- identity.list_persons_placed
        SELECT DISTINCT c.person_key, y.source_person_id, EXISTS (SELECT FROM identity.restriction AS r
            WHERE r.source_person_id = y.source_person_id AND r.in_force @> $3::timestamptz) AS "is_restricted!"
        FROM identity.client AS c
        JOIN identity.match_decision AS m ON m.client_id = c.client_id
        JOIN identity.crosswalk AS y ON y.student_id = m.student_id AND y.to_at IS NULL
        WHERE c.consumer = $1 AND c.person_key = ANY($2)"#,
        consumer.as_str(),
        person_keys,
        at,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.person_key, row.source_person_id, row.is_restricted)).collect())
}

/// A file about to be entered.
pub(crate) struct NewFile<'a> {
    pub(crate) file: &'a PlacementFile<'a>,
    pub(crate) rows_in: u64,
    pub(crate) refused: u64,
}

pub(crate) async fn insert_file(conn: &mut PgConnection, new: &NewFile<'_>) -> Result<i64, sqlx::Error> {
    let count = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
    sqlx::query_scalar!(
        "-- identity.insert_placement_file
        INSERT INTO placement.file (reporter, file_name, sha256, reported_on, received_at, rows_in, refused)
        VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING file_id",
        new.file.reporter.as_str(),
        new.file.name,
        &new.file.sha256[..],
        new.file.reported_on,
        new.file.received_at,
        count(new.rows_in),
        count(new.refused),
    )
    .fetch_one(conn)
    .await
}

pub(crate) async fn supersede(
    conn: &mut PgConnection,
    reporter: &ConsumerId,
    placements: &[Uuid],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.supersede_stays
        UPDATE placement.stay SET superseded_at = $3 WHERE reporter = $1 AND placement_id = ANY($2) AND superseded_at IS NULL",
        reporter.as_str(),
        placements,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn insert_stays(
    conn: &mut PgConnection,
    reporter: &ConsumerId,
    file: i64,
    stays: &[Stay],
) -> Result<(), sqlx::Error> {
    let texts = |of: &dyn Fn(&Stay) -> &String| stays.iter().map(|stay| of(stay).clone()).collect::<Vec<String>>();
    sqlx::query!(
        "-- identity.insert_stays
        INSERT INTO placement.stay (placement_id, reporter, person_key, stay_key, facility, admitted_at, released_at, is_withdrawn, file_id, recorded_at)
        SELECT u.placement_id, $1, u.person_key, u.stay_key, u.facility, u.admitted_at, u.released_at, u.is_withdrawn, $2, u.recorded_at
        FROM UNNEST($3::uuid[], $4::text[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::boolean[], $10::timestamptz[])
            AS u (placement_id, person_key, stay_key, facility, admitted_at, released_at, is_withdrawn, recorded_at)",
        reporter.as_str(),
        file,
        &stays.iter().map(|stay| stay.placement).collect::<Vec<_>>(),
        &texts(&|stay| stay.person_key.expose()),
        &texts(&|stay| stay.stay_key.expose()),
        &texts(&|stay| &stay.facility),
        &stays.iter().map(|stay| stay.admitted_at).collect::<Vec<_>>(),
        &stays.iter().map(|stay| stay.released_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &stays.iter().map(|stay| stay.is_withdrawn).collect::<Vec<_>>(),
        &stays.iter().map(|stay| stay.recorded_at).collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Clients who are students, by the conditions under which a match releases anything (`rebuild_released`). One whose match waits for a person, or who is under
/// an order, is held.
pub(crate) async fn list_matched(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_keys: &[String],
    at: DateTime<Utc>,
) -> Result<BTreeMap<String, Known>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- identity.list_placed_students
        SELECT c.person_key, m.student_id, x.persons,
            COALESCE(c.details_hash IN (m.details_hash, m.found_again_hash), false) AND x.persons IS NOT NULL AND NOT x.is_restricted
                AND NOT EXISTS (SELECT FROM identity.match_decision AS w
                    WHERE w.client_id = c.client_id AND w.superseded_at IS NULL AND w.outcome = 'review') AS "is_free!"
        FROM identity.client AS c
        JOIN identity.match_decision AS m ON m.client_id = c.client_id AND m.superseded_at IS NULL AND m.outcome = 'match'
        CROSS JOIN LATERAL (
            SELECT array_agg(y.source_person_id ORDER BY y.source_person_id) AS persons,
                COALESCE(bool_or(EXISTS (SELECT FROM identity.restriction AS r
                    WHERE r.source_person_id = y.source_person_id AND r.in_force @> $3::timestamptz)), false) AS is_restricted
            FROM identity.crosswalk AS y WHERE y.student_id = m.student_id AND y.to_at IS NULL
        ) AS x
        WHERE c.consumer = $1 AND c.person_key = ANY($2)"#,
        consumer.as_str(),
        person_keys,
        at,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let known = match (row.is_free, row.student_id, row.persons) {
                (true, Some(student), Some(persons)) => Known::Student {
                    student: StudentId(student),
                    persons: persons.into_iter().map(SourcePersonId).collect(),
                },
                _ => Known::Held,
            };
            (row.person_key, known)
        })
        .collect())
}

pub(crate) async fn list_unrestricted_owners(
    conn: &mut PgConnection,
    persons: &[i64],
    at: DateTime<Utc>,
) -> Result<Vec<(i64, Uuid)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- identity.list_unrestricted_owners
        SELECT c.source_person_id, c.student_id
        FROM identity.crosswalk AS c
        WHERE c.source_person_id = ANY($1) AND c.to_at IS NULL
            AND NOT EXISTS (SELECT FROM identity.crosswalk AS y
                JOIN identity.restriction AS r ON r.source_person_id = y.source_person_id
                WHERE y.student_id = c.student_id AND y.to_at IS NULL AND r.in_force @> $2::timestamptz)",
        persons,
        at,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.source_person_id, row.student_id)).collect())
}

pub(crate) async fn list_state_ids(
    conn: &mut PgConnection,
    persons: &[i64],
) -> Result<Vec<(i64, String, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- identity.list_state_ids
        SELECT p.source_person_id, p.sea, p.state_id FROM identity.source_person AS p WHERE p.source_person_id = ANY($1)",
        persons,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.source_person_id, row.sea, row.state_id)).collect())
}

/// Takes the stays of clients along who are erased.
pub(crate) async fn erase(
    conn: &mut PgConnection,
    reporters: &[String],
    person_keys: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.erase_stays
        DELETE FROM placement.stay AS s USING UNNEST($1::text[], $2::text[]) AS u (reporter, person_key)
        WHERE s.reporter = u.reporter AND s.person_key = u.person_key",
        reporters,
        person_keys,
    )
    .execute(conn)
    .await?;
    Ok(())
}
