//! What the content of clients rests on, in a few numbers.

use std::collections::{BTreeSet, HashMap};

use model::ConsumerId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, withdraw::Feed};

/// What the content of a client rests on.
pub(crate) struct Mark {
    /// Of the facts that may be disclosed.
    pub(crate) facts: String,
    /// The districts, by code, that any of them names as the one that reported it, or as the student's own.
    pub(crate) districts: BTreeSet<String>,
}

/// For each client a mark whose text is another one as soon as any fact of theirs that may be disclosed at the transaction's moment is: how many they are, and
/// two sums of hashes over all that is read of each. Facts that the terms do not permit count too: then a client is looked at for nothing.
pub(crate) async fn list_marks(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_keys: &[String],
) -> Result<HashMap<String, Mark>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_marks
        SELECT m.person_key AS "person_key!", count(f.said) AS "facts!",
            COALESCE(sum(hashtextextended(f.said, 1)), 0)::text AS "one!", COALESCE(sum(hashtextextended(f.said, 2)), 0)::text AS "other!",
            COALESCE(array_agg(DISTINCT f.lea) FILTER (WHERE f.lea IS NOT NULL), '{}') AS "leas!",
            COALESCE(array_agg(DISTINCT f.nexus) FILTER (WHERE f.nexus IS NOT NULL), '{}') AS "nexus!"
        FROM (
            SELECT DISTINCT p.person_key, p.source_person_id FROM identity.population AS p
            WHERE p.consumer = $1 AND p.person_key = ANY($2)
        ) AS m
        LEFT JOIN LATERAL (
            SELECT ROW(d.source_person_id, d.domain, d.natural_key, d.kind, d.school_year, d.valid_from, d.valid_to, d.lea, d.facility,
                d.certification, d.line, d.recorded_batch, d.reported_on, d.payload)::text AS said,
                d.lea, d.payload ->> 'nexus_district_id' AS nexus
            FROM history.disclosable AS d
            WHERE d.source_person_id = m.source_person_id
        ) AS f ON true
        GROUP BY m.person_key"#,
        consumer.as_str(),
        person_keys,
    )
    .fetch_all(conn)
    .await?;
    let mark = |facts, leas: Vec<String>, nexus| Mark {
        facts,
        districts: leas.into_iter().chain::<Vec<String>>(nexus).collect(),
    };
    Ok(rows
        .into_iter()
        .map(|row| (row.person_key, mark(format!("{} {} {}", row.facts, row.one, row.other), row.leas, row.nexus)))
        .collect())
}

/// What of these clients arrived last, under this agreement version and in a run that came to its end: whose it was, and its stamp.
pub(crate) async fn list_stamps(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    feed: Feed<'_>,
    grant: &[u8; 32],
    person_keys: &[String],
) -> Result<HashMap<String, (Uuid, Vec<u8>)>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_stamps
        SELECT d.person_key, d.student_id, d.stamp AS "stamp!" FROM disclosure.delivered AS d
        WHERE d.consumer = $1 AND d.delivery = $2 AND d.office = $3 AND d.purpose = $4 AND d.person_key = ANY($5)
            AND d.delivered_at IS NOT NULL AND d.grant_digest = $6 AND d.stamp IS NOT NULL
            AND (d.delivery <> 'stream' OR EXISTS (SELECT FROM disclosure.completed AS c WHERE c.run_id = d.run_id))"#,
        consumer.as_str(),
        feed.delivery,
        feed.office,
        feed.purpose,
        person_keys,
        grant.as_slice(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.person_key, (row.student_id, row.stamp))).collect())
}

/// Keeps the stamps of what was just recorded, or found to be what was delivered last.
pub(crate) async fn keep_stamps(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    feed: Feed<'_>,
    (person_keys, stamps): (&[String], &[Vec<u8>]),
) -> Result<(), Error> {
    sqlx::query!(
        "-- disclosure.keep_stamps
        UPDATE disclosure.delivered AS d SET stamp = u.stamp
        FROM UNNEST($5::text[], $6::bytea[]) AS u (person_key, stamp)
        WHERE d.consumer = $1 AND d.delivery = $2 AND d.office = $3 AND d.purpose = $4 AND d.person_key = u.person_key",
        consumer.as_str(),
        feed.delivery,
        feed.office,
        feed.purpose,
        person_keys,
        stamps,
    )
    .execute(conn)
    .await?;
    Ok(())
}
