//! Rosters, clients, authorities and the population that follows from them.

use chrono::{DateTime, NaiveDate, Utc};
use model::{ConsumerId, Masked, SourcePersonId};
use sqlx::{PgConnection, postgres::types::PgRange};
use std::ops::Bound;

use crate::roster::{Responsible, Supervised};

/// A roster about to be entered.
pub(crate) struct NewRoster<'a> {
    pub(crate) consumer: &'a ConsumerId,
    pub(crate) file_name: &'a str,
    pub(crate) sha256: &'a [u8; 32],
    pub(crate) kind: &'a str,
    pub(crate) roster_date: NaiveDate,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) rows_in: i32,
    pub(crate) accepted: i32,
    pub(crate) refused: i32,
    pub(crate) accepted_by: Option<&'a str>,
}

/// Waits until no other roster or match run of this consumer is under way.
pub(crate) async fn lock_consumer(conn: &mut PgConnection, consumer: &ConsumerId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- identity.lock_consumer
        SELECT pg_advisory_xact_lock(hashtextextended('identity.' || $1, 0))",
        consumer.as_str(),
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// The offices that current authorities name.
pub(crate) async fn list_offices(conn: &mut PgConnection, consumer: &ConsumerId) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- identity.list_offices
        SELECT DISTINCT a.office AS "office!"
        FROM identity.authority AS a JOIN identity.client AS c ON c.client_id = a.client_id
        WHERE c.consumer = $1 AND a.superseded_at IS NULL AND a.office IS NOT NULL
        ORDER BY a.office"#,
        consumer.as_str(),
    )
    .fetch_all(conn)
    .await
}

/// The roster of the same day and the same bytes, if it is still that day's last word. The same bytes for a later day are a
/// roster of their own: between the two, others may have said something else.
pub(crate) async fn find_roster(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    sha256: &[u8; 32],
    roster_date: NaiveDate,
) -> Result<Option<(i64, i32, i32, i32)>, sqlx::Error> {
    let row = sqlx::query!(
        "-- identity.find_roster
        SELECT r.roster_id, r.rows_in, r.accepted, r.refused
        FROM identity.roster AS r
        WHERE r.consumer = $1 AND r.sha256 = $2 AND r.roster_date = $3
            AND NOT EXISTS (
                SELECT FROM identity.roster AS l WHERE l.consumer = $1 AND l.roster_date = $3 AND l.roster_id > r.roster_id
            )",
        consumer.as_str(),
        sha256,
        roster_date,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.roster_id, row.rows_in, row.accepted, row.refused)))
}

pub(crate) async fn latest_roster_date(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
) -> Result<Option<NaiveDate>, sqlx::Error> {
    sqlx::query_scalar!(
        "-- identity.latest_roster_date
        SELECT max(r.roster_date) FROM identity.roster AS r WHERE r.consumer = $1",
        consumer.as_str(),
    )
    .fetch_one(conn)
    .await
}

pub(crate) async fn insert_roster(conn: &mut PgConnection, roster: &NewRoster<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        "-- identity.insert_roster
        INSERT INTO identity.roster (consumer, file_name, sha256, kind, roster_date, received_at, rows_in, accepted, refused, accepted_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING roster_id",
        roster.consumer.as_str(),
        roster.file_name,
        roster.sha256,
        roster.kind,
        roster.roster_date,
        roster.received_at,
        roster.rows_in,
        roster.accepted,
        roster.refused,
        roster.accepted_by,
    )
    .fetch_one(conn)
    .await
}

/// Enters or renews clients; gives client ids by place.
pub(crate) async fn upsert_clients(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    roster: i64,
    keys: &[String],
    details: &[serde_json::Value],
    hashes: &[Vec<u8>],
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- identity.upsert_clients
        INSERT INTO identity.client (consumer, person_key, first_roster, last_roster, details, details_hash)
        SELECT $1, u.person_key, $2, $2, u.details, u.details_hash FROM UNNEST($3::text[], $4::jsonb[], $5::bytea[]) AS u (person_key, details, details_hash)
        ON CONFLICT (consumer, person_key) DO UPDATE
            SET last_roster = EXCLUDED.last_roster, details = EXCLUDED.details, details_hash = EXCLUDED.details_hash
        RETURNING client_id, person_key",
        consumer.as_str(),
        roster,
        keys,
        details,
        hashes,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.person_key, row.client_id)).collect())
}

/// The clients of these person ids who are known.
pub(crate) async fn list_named(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    keys: &[String],
) -> Result<std::collections::BTreeSet<i64>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        "-- identity.list_named
        SELECT c.client_id FROM identity.client AS c WHERE c.consumer = $1 AND c.person_key = ANY($2)",
        consumer.as_str(),
        keys,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().collect())
}

/// All clients ever named: by our id, by the agency's, with what it said of them last.
pub(crate) async fn list_details(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
) -> Result<Vec<(i64, String, serde_json::Value)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- identity.list_details
        SELECT c.client_id, c.person_key, c.details FROM identity.client AS c WHERE c.consumer = $1",
        consumer.as_str(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.client_id, row.person_key, row.details)).collect())
}

/// The clients over whom an authority runs at a moment, those of one officer or office if one is named.
pub(crate) async fn list_supervised(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    responsible: Responsible<'_>,
    at: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Supervised>, sqlx::Error> {
    let (office, officer) = match responsible {
        Responsible::Officer(officer) => (None, Some(officer)),
        Responsible::Office(office) => (Some(office), None),
        Responsible::Agency => (None, None),
    };
    let rows = sqlx::query!(
        r#"-- identity.list_supervised
        SELECT c.person_key, c.details, min(a.office) AS office, min(a.officer) AS officer, min(a.legal_basis) AS "legal_basis!",
            min(lower(a.released)) AS "since!", NULLIF(max(COALESCE(upper(a.released), 'infinity')), 'infinity') AS until
        FROM identity.authority AS a
        JOIN identity.client AS c ON c.client_id = a.client_id
        WHERE c.consumer = $1 AND a.superseded_at IS NULL AND a.released @> $2::timestamptz
            AND ($3::text IS NULL OR a.office = $3) AND ($4::text IS NULL OR a.officer = $4)
        GROUP BY c.client_id
        ORDER BY c.client_id
        LIMIT $5"#,
        consumer.as_str(),
        at,
        office,
        officer,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Supervised {
            person_key: Masked::new(row.person_key),
            details: serde_json::from_value(row.details).unwrap_or_default(),
            office: row.office,
            officer: row.officer,
            legal_basis: row.legal_basis,
            since: row.since,
            until: row.until,
        })
        .collect())
}

/// Offices and officers by how many clients they have at a moment, the most first.
pub(crate) async fn list_responsible(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    at: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(Option<String>, Option<String>)>, sqlx::Error> {
    let rows = sqlx::query!(
        "-- identity.list_responsible
        SELECT a.office, a.officer
        FROM identity.authority AS a
        JOIN identity.client AS c ON c.client_id = a.client_id
        WHERE c.consumer = $1 AND a.superseded_at IS NULL AND a.released @> $2::timestamptz
        GROUP BY a.office, a.officer
        ORDER BY count(*) DESC, a.office, a.officer
        LIMIT $3",
        consumer.as_str(),
        at,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.office, row.officer)).collect())
}

/// A current authority as stored.
#[derive(Clone, Debug)]
pub(crate) struct StoredAuthority {
    pub(crate) authority_id: i64,
    pub(crate) client_id: i64,
    pub(crate) source_key: String,
    pub(crate) kind: String,
    pub(crate) legal_basis: String,
    pub(crate) phase: Option<String>,
    pub(crate) office: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) officer: Option<String>,
    pub(crate) order_number: Option<String>,
    pub(crate) start_date: NaiveDate,
    pub(crate) end_date: Option<NaiveDate>,
    pub(crate) end_reason: Option<String>,
    pub(crate) released: PgRange<DateTime<Utc>>,
}

pub(crate) async fn list_authorities(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
) -> Result<Vec<StoredAuthority>, sqlx::Error> {
    sqlx::query_as!(
        StoredAuthority,
        "-- identity.list_authorities
        SELECT a.authority_id, a.client_id, a.source_key, a.kind, a.legal_basis, a.phase, a.office, a.region, a.officer, a.order_number,
            a.start_date, a.end_date, a.end_reason, a.released
        FROM identity.authority AS a JOIN identity.client AS c ON c.client_id = a.client_id
        WHERE c.consumer = $1 AND a.superseded_at IS NULL",
        consumer.as_str(),
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn supersede_authorities(
    conn: &mut PgConnection,
    ids: &[i64],
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let result = sqlx::query!(
        "-- identity.supersede_authorities
        UPDATE identity.authority SET superseded_at = $2 WHERE authority_id = ANY($1) AND superseded_at IS NULL",
        ids,
        at,
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}

/// Enters authorities. Intervals are half-open.
pub(crate) async fn insert_authorities(
    conn: &mut PgConnection,
    roster: i64,
    list: &[StoredAuthority],
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    macro_rules! column {
        ($field:ident) => {
            &list.iter().map(|a| a.$field.clone()).collect::<Vec<_>>()
        };
    }
    let lower: Vec<Option<DateTime<Utc>>> = list.iter().map(|a| bound(&a.released.start)).collect();
    let upper: Vec<Option<DateTime<Utc>>> = list.iter().map(|a| bound(&a.released.end)).collect();
    sqlx::query!(
        "-- identity.insert_authorities
        INSERT INTO identity.authority (client_id, roster_id, source_key, kind, legal_basis, phase, office, region, officer, order_number,
            start_date, end_date, end_reason, released, recorded_at)
        SELECT u.client_id, $1, u.source_key, u.kind, u.legal_basis, u.phase, u.office, u.region, u.officer, u.order_number,
            u.start_date, u.end_date, u.end_reason, tstzrange(u.lower, u.upper), $2
        FROM UNNEST($3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
                $12::date[], $13::date[], $14::text[], $15::timestamptz[], $16::timestamptz[])
            AS u (client_id, source_key, kind, legal_basis, phase, office, region, officer, order_number, start_date, end_date, end_reason, lower, upper)",
        roster,
        at,
        column!(client_id),
        column!(source_key),
        column!(kind),
        column!(legal_basis),
        column!(phase) as &[Option<String>],
        column!(office) as &[Option<String>],
        column!(region) as &[Option<String>],
        column!(officer) as &[Option<String>],
        column!(order_number) as &[Option<String>],
        column!(start_date),
        column!(end_date) as &[Option<NaiveDate>],
        column!(end_reason) as &[Option<String>],
        &lower as &[Option<DateTime<Utc>>],
        &upper as &[Option<DateTime<Utc>>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The instant of a bound, whichever its kind: our ranges are half-open by construction.
pub(crate) fn bound(bound: &Bound<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    match bound {
        Bound::Included(at) | Bound::Excluded(at) => Some(*at),
        Bound::Unbounded => None,
    }
}

pub(crate) async fn list_released(
    conn: &mut PgConnection,
    after: SourcePersonId,
    limit: u32,
) -> Result<Vec<SourcePersonId>, sqlx::Error> {
    let persons = sqlx::query_scalar!(
        "-- identity.list_released_persons
        SELECT DISTINCT r.source_person_id FROM identity.released AS r WHERE r.source_person_id > $1
        ORDER BY r.source_person_id LIMIT $2",
        after.0,
        i64::from(limit),
    )
    .fetch_all(conn)
    .await?;
    Ok(persons.into_iter().map(SourcePersonId).collect())
}

/// Rebuilds the population intervals of a consumer's clients from current matches and authorities.
pub(crate) async fn rebuild_released(conn: &mut PgConnection, consumer: &ConsumerId) -> Result<u64, sqlx::Error> {
    sqlx::query!(
        "-- identity.clear_released
        DELETE FROM identity.released WHERE consumer = $1",
        consumer.as_str(),
    )
    .execute(&mut *conn)
    .await?;
    let result = sqlx::query!(
        "-- identity.rebuild_released
        INSERT INTO identity.released (client_id, authority_id, source_person_id, student_id, consumer, person_key, legal_basis, phase, office, region,
            officer, released, birth_date)
        SELECT c.client_id, a.authority_id, x.source_person_id, x.student_id, c.consumer, c.person_key, a.legal_basis, a.phase, a.office, a.region,
            a.officer, a.released,
            COALESCE(
                (SELECT min((f.payload ->> 'birth_date')::date) FROM identity.crosswalk AS y
                    JOIN identity.person_fact AS f ON f.source_person_id = y.source_person_id AND f.superseded_batch IS NULL
                    WHERE y.student_id = m.student_id AND y.to_at IS NULL AND jsonb_typeof(f.payload -> 'birth_date') = 'string'),
                (c.details ->> 'birth_date')::date)
        FROM identity.client AS c
        JOIN identity.match_decision AS m ON m.client_id = c.client_id AND m.superseded_at IS NULL AND m.outcome = 'match'
        JOIN identity.crosswalk AS x ON x.student_id = m.student_id AND x.to_at IS NULL
        JOIN identity.authority AS a ON a.client_id = c.client_id AND a.superseded_at IS NULL
        WHERE c.consumer = $1
            AND c.details_hash IN (m.details_hash, m.found_again_hash)
            AND NOT EXISTS (SELECT FROM identity.match_decision AS w
                WHERE w.client_id = c.client_id AND w.superseded_at IS NULL AND w.outcome = 'review')",
        consumer.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(result.rows_affected())
}
