//! All SQL of packs.

use model::SourcePersonId;
use sqlx::PgConnection;

/// Holds erasures, and whoever else packs, until the transaction ends.
pub(crate) async fn lock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- history.lock_packs
        SELECT pg_advisory_xact_lock(hashtextextended('history.pack', 0)) AS "held!: ()""#
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

/// Of these persons those that something has touched since they were packed.
pub(crate) async fn list_due(conn: &mut PgConnection, persons: &[SourcePersonId]) -> Result<Vec<i64>, sqlx::Error> {
    let persons: Vec<i64> = persons.iter().map(|person| person.0).collect();
    sqlx::query_scalar!(
        "-- history.list_unpacked
        SELECT t.source_person_id
        FROM (
            SELECT t.source_person_id, max(t.batch_id) AS last_batch, count(*) AS batches
            FROM history.touched AS t
            WHERE t.source_person_id = ANY($1)
            GROUP BY t.source_person_id
        ) AS t
        WHERE NOT EXISTS (
            SELECT FROM history.pack AS p
            WHERE p.source_person_id = t.source_person_id AND p.last_batch = t.last_batch AND p.batches = t.batches
        )",
        &persons,
    )
    .fetch_all(conn)
    .await
}

pub(crate) async fn delete(conn: &mut PgConnection, persons: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- history.delete_packs
        DELETE FROM history.pack WHERE source_person_id = ANY($1)",
        persons,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Packs these persons, who have no packs. Facts and what touched them are seen in one moment. What a fact says is put together as `disclosure.list_marks`
/// does it, so that a client's mark is the same whether their facts are packed or not.
pub(crate) async fn insert(conn: &mut PgConnection, persons: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- history.insert_packs
        INSERT INTO history.pack (source_person_id, domain, last_batch, batches, known_at, fact_count, sum_1, sum_2, districts, facts)
        SELECT f.source_person_id, f.domain, t.last_batch, t.batches, GREATEST(t.known_at, max(b.recorded_at)),
            count(*), sum(hashtextextended(s.said, 1)), sum(hashtextextended(s.said, 2)),
            array_remove(array_agg(DISTINCT f.lea) || array_agg(DISTINCT f.payload ->> 'nexus_district_id'), NULL),
            json_agg(
                json_build_array(f.kind, f.school_year, f.valid_from - DATE 'epoch', f.valid_to - DATE 'epoch', f.lea, f.facility,
                    f.certification, f.line, f.recorded_batch, b.sea, b.file_name,
                    (b.recorded_at AT TIME ZONE 'UTC')::date - DATE 'epoch', f.reported_on - DATE 'epoch', f.payload)
                ORDER BY f.recorded_batch, f.line
            )::text
        FROM (
            SELECT t.source_person_id, max(t.batch_id) AS last_batch, count(*) AS batches, max(b.recorded_at) AS known_at
            FROM history.touched AS t
            JOIN history.batch AS b ON b.batch_id = t.batch_id
            WHERE t.source_person_id = ANY($1)
            GROUP BY t.source_person_id
        ) AS t
        JOIN history.fact AS f ON f.source_person_id = t.source_person_id
        JOIN history.batch AS b ON b.batch_id = f.recorded_batch
        CROSS JOIN LATERAL (
            SELECT ROW(f.source_person_id, f.domain, f.natural_key, f.kind, f.school_year, f.valid_from, f.valid_to, f.lea, f.facility,
                f.certification, f.line, f.recorded_batch, f.reported_on, f.payload)::text AS said
        ) AS s
        WHERE f.superseded_batch IS NULL AND f.restriction = 0
        GROUP BY f.source_person_id, f.domain, t.last_batch, t.batches, t.known_at",
        persons,
    )
    .execute(conn)
    .await?;
    Ok(())
}
