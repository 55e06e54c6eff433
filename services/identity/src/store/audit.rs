//! Reading the population and what it follows from, to hold the one against the other.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, postgres::types::PgRange};

/// A row of the population that does not follow from match and authority, or is missing.
pub(crate) struct Differing {
    pub(crate) consumer: String,
    pub(crate) authority: i64,
    pub(crate) source_person: i64,
    pub(crate) is_there: bool,
    pub(crate) is_due: bool,
}

/// Rows of `identity.released` that differ from what a rebuild would write. A birth date may be one that was reported meanwhile.
pub(crate) async fn list_differing(conn: &mut PgConnection, limit: i64) -> Result<Vec<Differing>, sqlx::Error> {
    sqlx::query_as!(
        Differing,
        r#"-- identity.list_differing
        SELECT COALESCE(r.consumer, e.consumer) AS "consumer!", COALESCE(r.authority_id, e.authority_id) AS "authority!",
            COALESCE(r.source_person_id, e.source_person_id) AS "source_person!",
            r.client_id IS NOT NULL AS "is_there!", e.client_id IS NOT NULL AS "is_due!"
        FROM (
            SELECT c.client_id, a.authority_id, x.source_person_id, x.student_id, c.consumer, c.person_key, a.legal_basis, a.phase, a.office,
                a.region, a.officer, a.released, c.details ->> 'birth_date' AS born
            FROM identity.client AS c
            JOIN identity.match_decision AS m ON m.client_id = c.client_id AND m.superseded_at IS NULL AND m.outcome = 'match'
            JOIN identity.crosswalk AS x ON x.student_id = m.student_id AND x.to_at IS NULL
            JOIN identity.authority AS a ON a.client_id = c.client_id AND a.superseded_at IS NULL
            WHERE c.details_hash IN (m.details_hash, m.found_again_hash)
                AND NOT EXISTS (SELECT FROM identity.match_decision AS w
                    WHERE w.client_id = c.client_id AND w.superseded_at IS NULL AND w.outcome = 'review')
        ) AS e
        FULL JOIN identity.released AS r
            ON r.consumer = e.consumer AND r.source_person_id = e.source_person_id AND r.authority_id = e.authority_id
        WHERE ROW (e.client_id, e.student_id, e.person_key, e.legal_basis, e.phase, e.office, e.region, e.officer, e.released)
                IS DISTINCT FROM ROW (r.client_id, r.student_id, r.person_key, r.legal_basis, r.phase, r.office, r.region, r.officer, r.released)
            OR (r.birth_date::text IS DISTINCT FROM e.born AND (
                (r.birth_date IS NULL AND e.born IS NOT NULL)
                OR NOT EXISTS (SELECT FROM identity.crosswalk AS y
                    JOIN identity.person_fact AS f ON f.source_person_id = y.source_person_id
                    WHERE y.student_id = r.student_id AND f.payload ->> 'birth_date' = r.birth_date::text)))
        ORDER BY 1, 2, 3
        LIMIT $1"#,
        limit
    )
    .fetch_all(conn)
    .await
}

/// A current authority with its days and the day of the roster that it rests on.
pub(crate) struct Days {
    pub(crate) authority: i64,
    pub(crate) client: i64,
    pub(crate) consumer: String,
    pub(crate) source_key: String,
    pub(crate) start_date: NaiveDate,
    pub(crate) end_date: Option<NaiveDate>,
    pub(crate) end_reason: Option<String>,
    pub(crate) released: PgRange<DateTime<Utc>>,
    pub(crate) roster_date: NaiveDate,
}

/// The current authorities behind `after`, in the order of their numbers.
pub(crate) async fn list_days(conn: &mut PgConnection, after: i64, limit: i64) -> Result<Vec<Days>, sqlx::Error> {
    sqlx::query_as!(
        Days,
        "-- identity.list_days
        SELECT a.authority_id AS authority, a.client_id AS client, c.consumer, a.source_key, a.start_date, a.end_date, a.end_reason, a.released,
            o.roster_date
        FROM identity.authority AS a
        JOIN identity.client AS c ON c.client_id = a.client_id
        JOIN identity.roster AS o ON o.roster_id = a.roster_id
        WHERE a.superseded_at IS NULL AND a.authority_id > $1
        ORDER BY a.authority_id
        LIMIT $2",
        after,
        limit
    )
    .fetch_all(conn)
    .await
}
