//! Ends of authorities.

use chrono::{DateTime, Utc};
use model::ConsumerId;
use sqlx::PgConnection;

/// A current authority.
pub(crate) struct Row {
    pub(crate) authority: i64,
    pub(crate) consumer: String,
    pub(crate) person_key: String,
    pub(crate) source_key: String,
    pub(crate) roster: i64,
    pub(crate) ends_at: Option<DateTime<Utc>>,
}

pub(crate) async fn list_cases(conn: &mut PgConnection, behind: &[(String, i64)]) -> Result<Vec<Row>, sqlx::Error> {
    let consumers: Vec<String> = behind.iter().map(|(consumer, _)| consumer.clone()).collect();
    let rosters: Vec<i64> = behind.iter().map(|(_, roster)| *roster).collect();
    sqlx::query_as!(
        Row,
        r#"-- identity.list_cases
        SELECT a.authority_id AS authority, c.consumer, c.person_key, a.source_key, a.roster_id AS roster, upper(a.released) AS ends_at
        FROM identity.authority AS a
        JOIN identity.client AS c ON c.client_id = a.client_id
        LEFT JOIN UNNEST($1::text[], $2::bigint[]) AS b (consumer, roster) ON b.consumer = c.consumer
        WHERE a.superseded_at IS NULL AND a.roster_id > COALESCE(b.roster, 0)
        ORDER BY a.roster_id, a.authority_id"#,
        &consumers,
        &rosters,
    )
    .fetch_all(conn)
    .await
}

/// Supersedes authorities that end later by the same with an earlier end; one that would never have begun leaves nothing.
pub(crate) async fn cut(
    conn: &mut PgConnection,
    authorities: &[i64],
    ends: &[DateTime<Utc>],
    reason: &str,
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let cut = sqlx::query_scalar!(
        r#"-- identity.cut_authorities
        WITH cut AS (
            UPDATE identity.authority AS a SET superseded_at = $3
            FROM UNNEST($1::bigint[], $2::timestamptz[]) AS u (authority_id, ends_at)
            WHERE a.authority_id = u.authority_id AND a.superseded_at IS NULL
                AND (upper_inf(a.released) OR upper(a.released) > u.ends_at)
            RETURNING a.client_id, a.roster_id, a.source_key, a.kind, a.legal_basis, a.phase, a.office, a.region, a.officer,
                a.order_number, a.start_date, a.end_date, a.released, u.ends_at
        ), kept AS (
            INSERT INTO identity.authority (client_id, roster_id, source_key, kind, legal_basis, phase, office, region, officer,
                order_number, start_date, end_date, end_reason, released, recorded_at)
            SELECT c.client_id, c.roster_id, c.source_key, c.kind, c.legal_basis, c.phase, c.office, c.region, c.officer,
                c.order_number, c.start_date, c.end_date, $4, tstzrange(lower(c.released), c.ends_at), $3
            FROM cut AS c
            WHERE lower(c.released) < c.ends_at
        )
        SELECT count(*) AS "count!" FROM cut"#,
        authorities,
        ends,
        at,
        reason,
    )
    .fetch_one(conn)
    .await?;
    Ok(cut.unsigned_abs())
}

pub(crate) async fn last_received(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "-- identity.last_received
        SELECT max(r.received_at) FROM identity.roster AS r WHERE r.consumer = $1",
        consumer.as_str(),
    )
    .fetch_one(conn)
    .await
}
