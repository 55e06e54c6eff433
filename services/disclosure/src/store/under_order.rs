//! What orders keep back of a student, and what is left.

use std::collections::{BTreeMap, BTreeSet};

use model::{Domain, SourcePersonId};
use sqlx::PgConnection;

use crate::{Error, under_order::Order};

fn domain(code: i16) -> Result<Domain, Error> {
    Domain::from_code(code).ok_or_else(|| Error::Corrupt(format!("domain {code}")))
}

fn ids(persons: &[SourcePersonId]) -> Vec<i64> {
    persons.iter().map(|person| person.0).collect()
}

/// The orders in force over domains, or single facts, of these source persons.
pub(crate) async fn list_orders(conn: &mut PgConnection, persons: &[SourcePersonId]) -> Result<Vec<Order>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_orders
        SELECT DISTINCT o.domain AS "domain!", o.natural_key IS NOT NULL AS "is_of_fact!", o.kind AS "kind!", o.order_number AS "number!"
        FROM history.under_order AS o
        WHERE o.source_person_id = ANY($1)
        ORDER BY 1, 2, 4, 3"#,
        &ids(persons),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Order { domain: domain(row.domain)?, is_of_fact: row.is_of_fact, kind: row.kind, number: row.number })
        })
        .collect()
}

/// The domains of which anything may be disclosed of these source persons, each with those of these elements that are stated.
pub(crate) async fn list_left(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
    elements: &[String],
) -> Result<BTreeMap<Domain, BTreeSet<String>>, Error> {
    let rows = sqlx::query!(
        r#"-- disclosure.list_left
        SELECT f.domain AS "domain!", array_agg(DISTINCT k.name) FILTER (WHERE k.name = ANY($2)) AS names
        FROM history.disclosable AS f
        LEFT JOIN LATERAL jsonb_object_keys(f.payload) AS k (name) ON TRUE
        WHERE f.source_person_id = ANY($1)
        GROUP BY f.domain"#,
        &ids(persons),
        elements,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| Ok((domain(row.domain)?, row.names.unwrap_or_default().into_iter().collect()))).collect()
}
