//! What the content of clients rests on, in a few numbers.

use std::collections::{BTreeSet, HashMap};

use model::{ConsumerId, Domain};
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
/// two sums of hashes over all that is read of each. Facts that the terms do not permit count too: then a client is looked at for nothing. Packs have
/// their numbers ready, and give the same mark as the facts in them.
pub(crate) async fn list_marks(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    person_keys: &[String],
) -> Result<HashMap<String, Mark>, Error> {
    let parts = sqlx::query!(
        r#"-- disclosure.list_marks
        WITH member AS MATERIALIZED (
            SELECT DISTINCT p.person_key, p.source_person_id FROM identity.population AS p
            WHERE p.consumer = $1 AND p.person_key = ANY($2)
        ), packed AS MATERIALIZED (
            SELECT m.person_key, k.source_person_id, k.domain, k.fact_count, k.sum_1, k.sum_2, k.districts
            FROM member AS m
            JOIN history.packed AS k ON k.source_person_id = m.source_person_id
        ), unpacked AS MATERIALIZED (
            SELECT m.person_key, m.source_person_id, u.domain
            FROM member AS m
            CROSS JOIN UNNEST($3::smallint[]) AS u (domain)
            WHERE NOT EXISTS (SELECT FROM packed AS k WHERE k.source_person_id = m.source_person_id AND k.domain = u.domain)
        )
        SELECT k.person_key AS "person_key!", k.fact_count AS "facts!", k.sum_1::text AS "one!", k.sum_2::text AS "other!", k.districts AS "districts!"
        FROM packed AS k
        UNION ALL
        SELECT u.person_key, count(f.said), COALESCE(sum(hashtextextended(f.said, 1)), 0)::text, COALESCE(sum(hashtextextended(f.said, 2)), 0)::text,
            array_remove(array_agg(DISTINCT f.lea) || array_agg(DISTINCT f.nexus), NULL)
        FROM unpacked AS u
        LEFT JOIN LATERAL (
            SELECT ROW(d.source_person_id, d.domain, d.natural_key, d.kind, d.school_year, d.valid_from, d.valid_to, d.lea, d.facility,
                d.certification, d.line, d.recorded_batch, d.reported_on, d.payload)::text AS said,
                d.lea, d.payload ->> 'nexus_district_id' AS nexus
            FROM history.disclosable AS d
            WHERE d.source_person_id = u.source_person_id AND d.domain = u.domain
        ) AS f ON true
        GROUP BY u.person_key"#,
        consumer.as_str(),
        person_keys,
        &Domain::ALL.map(Domain::code),
    )
    .fetch_all(conn)
    .await?;
    let mut sums: HashMap<String, (i64, i128, i128, BTreeSet<String>)> = HashMap::new();
    for part in parts {
        let number =
            |text: &str| text.parse::<i128>().map_err(|_| Error::Corrupt("a mark that is no number".to_owned()));
        let (facts, one, other, districts) = sums.entry(part.person_key).or_default();
        *facts += part.facts;
        *one += number(&part.one)?;
        *other += number(&part.other)?;
        districts.extend(part.districts);
    }
    let mark = |(facts, one, other, districts)| Mark { facts: format!("{facts} {one} {other}"), districts };
    Ok(sums.into_iter().map(|(person_key, sum)| (person_key, mark(sum))).collect())
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
