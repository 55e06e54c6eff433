//! The one statement that reads what an agreement permits (`permitted`), and the few that go with it.
//!
//! This file and those beside it read the published views `identity.population`, `agreements.rule`, `history.disclosable`, `history.stated`,
//! `history.reported`, `intake.kept_file` and `intake.kept_block`, keep the schema `disclosure`, and touch nothing else.

pub(crate) mod attested;
pub(crate) mod erase;
pub(crate) mod holding;
mod permitted;
pub(crate) mod placement;
pub(crate) mod recall;
pub(crate) mod reported;
pub(crate) mod retention;
pub(crate) mod seal;
pub(crate) mod stamp;
pub(crate) mod trace;
pub(crate) mod under_order;

use agreements::Interval;
use chrono::{DateTime, NaiveDate, Utc};
use model::{ConsumerId, StudentId};
pub(crate) use permitted::{Permitted, Reading, list_enrollment_facts, list_facts_in_facilities, list_permitted_facts};
use sqlx::{PgConnection, postgres::types::PgRange};
use std::ops::Bound;
use uuid::Uuid;

use crate::{Error, withdraw::Feed};

/// Holds still until the transaction ends whatever a disclosure to the consumer rests on and somebody may end: its population, its agreement with
/// certifications and papers, restrictions. What ends waits for what is being disclosed, and what comes after sees it ended. Refuses where the
/// recipient is under seal.
pub(crate) async fn hold_population(conn: &mut PgConnection, consumer: &ConsumerId) -> Result<(), Error> {
    let held = sqlx::query!(
        r#"-- disclosure.hold_population
        SELECT pg_advisory_xact_lock_shared(hashtextextended('identity.' || $1, 0)) AS "held!: ()",
            pg_advisory_xact_lock_shared(hashtextextended('agreements.' || $1, 0)) AS "in_force!: ()",
            pg_advisory_xact_lock_shared(hashtextextended('restriction', 0)) AS "unrestricted!: ()",
            EXISTS (SELECT FROM disclosure.seal AS s WHERE s.consumer = $1) AS "is_sealed!""#,
        consumer.as_str(),
    )
    .fetch_one(conn)
    .await?;
    if held.is_sealed { Err(Error::Sealed) } else { Ok(()) }
}

/// An authority in force over a client who is a student.
#[derive(Clone, Debug)]
pub(crate) struct MemberRow {
    pub(crate) person_key: String,
    pub(crate) student: StudentId,
    pub(crate) legal_basis: String,
    pub(crate) phase: Option<String>,
    pub(crate) office: Option<String>,
    pub(crate) officer: Option<String>,
    pub(crate) released: Interval,
    pub(crate) birth_date: Option<NaiveDate>,
}

/// The authorities in force over these clients, at the transaction's moment.
pub(crate) async fn list_members(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_keys: &[String],
) -> Result<Vec<MemberRow>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_members
        SELECT DISTINCT p.person_key AS "person_key!", p.student_id AS "student_id!", p.authority_id, p.legal_basis AS "legal_basis!", p.phase,
            p.office, p.officer, p.released AS "released!: PgRange<DateTime<Utc>>", p.birth_date
        FROM identity.population AS p
        WHERE p.consumer = $1 AND p.person_key = ANY($2)
        ORDER BY "person_key!", p.authority_id"#,
        consumer.as_str(),
        person_keys,
    )
    .fetch_all(conn)
    .await?;
    let instant = |bound: Bound<DateTime<Utc>>| match bound {
        Bound::Included(at) | Bound::Excluded(at) => Some(at),
        Bound::Unbounded => None,
    };
    Ok(rows
        .into_iter()
        .map(|row| MemberRow {
            person_key: row.person_key,
            student: StudentId(row.student_id),
            legal_basis: row.legal_basis,
            phase: row.phase,
            office: row.office,
            officer: row.officer,
            released: Interval {
                from: instant(row.released.start).unwrap_or(DateTime::<Utc>::MIN_UTC),
                to: instant(row.released.end),
            },
            birth_date: row.birth_date,
        })
        .collect())
}

/// A page of the population: clients with an authority in force, by person id.
pub(crate) async fn list_population(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    office: Option<&str>,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, Uuid, Option<String>)>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_population
        SELECT p.person_key AS "person_key!", p.student_id AS "student_id!", min(p.office) AS office
        FROM identity.population AS p
        WHERE p.consumer = $1 AND p.person_key > $3 AND ($2::text IS NULL OR p.office = $2)
        GROUP BY p.person_key, p.student_id
        ORDER BY p.person_key
        LIMIT $4"#,
        consumer.as_str(),
        office,
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.person_key, row.student_id, row.office)).collect())
}

/// A page of those whom the agency's own roster puts before it, known to the state or not, by person id.
pub(crate) async fn list_rostered(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    office: Option<&str>,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, Error> {
    Ok(sqlx::query_scalar!(
        r#"-- disclosure.list_rostered
        SELECT DISTINCT r.person_key AS "person_key!"
        FROM identity.rostered AS r
        WHERE r.consumer = $1 AND r.person_key > $3 AND ($2::text IS NULL OR r.office = $2)
        ORDER BY "person_key!"
        LIMIT $4"#,
        consumer.as_str(),
        office,
        after,
        limit,
    )
    .fetch_all(conn)
    .await?)
}

/// Whoever was reported as enrolled in a school or district, with the time of the first report. Each is looked up by key: a school is a small part of a
/// state, and a source person is one student of the SEA's own population.
pub(crate) async fn list_students_of(
    conn: &mut PgConnection,
    own: &ConsumerId,
    school: &crate::School,
) -> Result<Vec<ledger::Since>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_students_of
        SELECT w.student_id AS "student_id!", min(r.since) AS "since!"
        FROM (
            SELECT f.source_person_id, min(f.recorded_at) AS since
            FROM history.disclosable AS f
            WHERE f.domain = 2 AND f.sea = $2 AND (f.lea = $3 OR f.facility = $3)
            GROUP BY f.source_person_id
        ) AS r
        CROSS JOIN LATERAL (
            SELECT p.student_id FROM identity.population AS p
            WHERE p.consumer = $1 AND p.source_person_id = r.source_person_id
            LIMIT 1
        ) AS w
        GROUP BY w.student_id
        ORDER BY w.student_id"#,
        own.as_str(),
        school.sea.as_str(),
        school.code,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ledger::Since { student: StudentId(row.student_id), since: Some(row.since) })
        .collect())
}

/// The content digests of what these clients' records were when delivered last.
pub(crate) async fn list_delivered(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    feed: Feed<'_>,
    grant: Option<[u8; 32]>,
    person_keys: &[String],
) -> Result<std::collections::HashMap<String, [u8; 32]>, Error> {
    let rows = sqlx::query!(
        "-- disclosure.list_delivered
        SELECT d.person_key, d.content_digest FROM disclosure.delivered AS d
        WHERE d.consumer = $1 AND d.delivery = $2 AND d.office = $3 AND d.purpose = $4 AND d.person_key = ANY($5)
            AND d.delivered_at IS NOT NULL AND (d.grant_digest IS NULL OR d.grant_digest = $6)
            AND (d.delivery <> 'stream' OR EXISTS (SELECT FROM disclosure.completed AS c WHERE c.run_id = d.run_id))",
        consumer.as_str(),
        feed.delivery,
        feed.office,
        feed.purpose,
        person_keys,
        grant.as_ref().map(<[u8; 32]>::as_slice),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.person_key, row.content_digest.try_into().ok()?))).collect())
}

/// What these clients were delivered last, by client.
pub(crate) async fn list_last_delivered(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    delivery: &str,
    person_keys: &[String],
) -> Result<Vec<crate::Delivered>, Error> {
    let rows = sqlx::query!(
        "-- disclosure.list_last_delivered
        SELECT d.person_key, d.disclosure_id, d.recorded_at FROM disclosure.delivered AS d
        WHERE d.consumer = $1 AND d.delivery = $2 AND d.person_key = ANY($3) AND d.delivered_at IS NOT NULL
        ORDER BY d.person_key",
        consumer.as_str(),
        delivery,
        person_keys,
    )
    .fetch_all(conn)
    .await?;
    let delivered = rows.into_iter().map(|row| crate::Delivered {
        person_key: model::Masked::new(row.person_key),
        disclosure: model::DisclosureId(row.disclosure_id),
        recorded_at: row.recorded_at,
    });
    Ok(delivered.collect())
}

/// Notes what is delivered, in the transaction that records it.
pub(crate) async fn record_delivered(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    feed: Feed<'_>,
    (run, grant): (Option<Uuid>, Option<[u8; 32]>),
    delivered: &[&crate::Disclosed],
) -> Result<(), Error> {
    let histories = || delivered.iter().map(|disclosed| &disclosed.history);
    let keys: Vec<String> = histories().map(|history| history.person_key().expose().clone()).collect();
    let students: Vec<Uuid> = histories().map(|history| history.student().0).collect();
    let ids: Vec<Uuid> = histories().map(|history| history.disclosure().0).collect();
    let digests: Vec<Vec<u8>> = histories().map(|history| history.content_digest().to_vec()).collect();
    let times: Vec<DateTime<Utc>> = histories().map(crate::DisclosedHistory::decided_at).collect();
    sqlx::query!(
        "-- disclosure.record_delivered
        INSERT INTO disclosure.delivered (consumer, person_key, delivery, office, purpose, student_id, disclosure_id, content_digest, run_id,
            grant_digest, recorded_at)
        SELECT $1, u.person_key, $2, $3, $4, u.student_id, u.disclosure_id, u.content_digest, $5, $6, u.recorded_at
        FROM UNNEST($7::text[], $8::uuid[], $9::uuid[], $10::bytea[], $11::timestamptz[])
            AS u (person_key, student_id, disclosure_id, content_digest, recorded_at)
        ON CONFLICT (consumer, delivery, office, purpose, person_key) DO UPDATE SET student_id = EXCLUDED.student_id,
            disclosure_id = EXCLUDED.disclosure_id, content_digest = EXCLUDED.content_digest, run_id = EXCLUDED.run_id,
            grant_digest = EXCLUDED.grant_digest, recorded_at = EXCLUDED.recorded_at, delivered_at = NULL,
            stamp = NULL",
        consumer.as_str(),
        feed.delivery,
        feed.office,
        feed.purpose,
        run,
        grant.as_ref().map(<[u8; 32]>::as_slice),
        &keys,
        &students,
        &ids,
        &digests,
        &times,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that these disclosures have arrived whole.
pub(crate) async fn confirm_delivered(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    ids: &[Uuid],
    at: DateTime<Utc>,
) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.confirm_delivered
        UPDATE disclosure.delivered SET delivered_at = $3
        WHERE consumer = $1 AND disclosure_id = ANY($2) AND delivered_at IS NULL",
        consumer.as_str(),
        ids,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves a receiver's acknowledged position forward, never back; gives where it is now.
pub(crate) async fn record_acknowledged(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    run: Uuid,
    position: i64,
    at: DateTime<Utc>,
) -> Result<i64, Error> {
    let greatest = sqlx::query_scalar!(
        "-- disclosure.record_acknowledged
        INSERT INTO disclosure.acknowledged AS a (consumer, run_id, position, acknowledged_at)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (consumer, run_id) DO UPDATE SET position = GREATEST(a.position, EXCLUDED.position),
            acknowledged_at = CASE WHEN a.position < EXCLUDED.position THEN EXCLUDED.acknowledged_at ELSE a.acknowledged_at END
        RETURNING a.position",
        consumer.as_str(),
        run,
        position,
        at,
    )
    .fetch_one(conn)
    .await?;
    Ok(greatest)
}

/// A run that may write files.
#[derive(Clone, Debug)]
pub(crate) struct FileRun {
    pub(crate) run: Uuid,
    pub(crate) consumer: String,
    pub(crate) office: Option<String>,
    pub(crate) as_of: Option<DateTime<Utc>>,
    pub(crate) request: Option<Vec<u8>>,
}

/// Stores that a run may write files.
pub(crate) async fn insert_file_run(conn: &mut PgConnection, begun: &FileRun, at: DateTime<Utc>) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.insert_file_run
        INSERT INTO disclosure.run (run_id, consumer, office, as_of, request, begun_at)
        VALUES ($1, $2, $3, $4, $5, $6)",
        begun.run,
        begun.consumer,
        begun.office,
        begun.as_of,
        begun.request,
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The run, if it may write files for the transaction's consumer.
pub(crate) async fn find_file_run(conn: &mut PgConnection, run: Uuid) -> Result<Option<FileRun>, Error> {
    Ok(sqlx::query_as!(
        FileRun,
        "-- disclosure.find_file_run
        SELECT r.run_id AS run, r.consumer, r.office, r.as_of, r.request
        FROM disclosure.run AS r
        WHERE r.run_id = $1",
        run,
    )
    .fetch_optional(conn)
    .await?)
}
