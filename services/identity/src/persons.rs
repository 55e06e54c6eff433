//! From state identifiers to source persons.

mod two;

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use model::{BatchId, Domain, Entropy, Masked, Sea, SourcePersonId};
use sqlx::PgConnection;
pub use two::{Doubt, Said, clear_differences, doubt, list_doubts, list_said, may_be_twins, settle};

use crate::store::persons as store;

/// A person a record speaks of.
#[derive(Clone, Copy, Debug)]
pub struct Mention<'a> {
    /// The state's identifier.
    pub state_id: &'a Masked<String>,
    /// Whether the record may introduce the person, or only refers to one that must be known.
    pub introduces: bool,
}

/// The batch in whose name persons are introduced.
#[derive(Clone, Copy, Debug)]
pub struct Introduction<'a> {
    /// Whose identifiers these are.
    pub sea: &'a Sea,
    /// The batch.
    pub batch: BatchId,
    /// When.
    pub at: DateTime<Utc>,
}

/// Resolves mentions to source persons, in order; a new person becomes a student of their own. `None`: only referred to, and unknown.
pub async fn resolve(
    conn: &mut PgConnection,
    introduction: Introduction<'_>,
    mentions: &[Mention<'_>],
    entropy: &dyn Entropy,
) -> Result<Vec<Option<SourcePersonId>>, sqlx::Error> {
    let Introduction { sea, batch, at } = introduction;
    let ids: Vec<String> =
        mentions.iter().map(|m| m.state_id.expose().clone()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut known: HashMap<String, i64> = HashMap::with_capacity(ids.len());
    for (place, person) in store::find_many(conn, sea, &ids).await? {
        if let Some(id) = ids.get(place) {
            known.insert(id.clone(), person);
        }
    }
    let new: BTreeSet<String> = mentions
        .iter()
        .filter(|m| m.introduces && !known.contains_key(m.state_id.expose()))
        .map(|m| m.state_id.expose().clone())
        .collect();
    if !new.is_empty() {
        let new: Vec<String> = new.into_iter().collect();
        let mut added = store::insert_many(conn, sea, batch, &new).await?;
        added.sort();
        let students: Vec<_> = added.iter().map(|(_, person)| (entropy.uuid(), *person)).collect();
        store::insert_students(conn, &students, "intake", "first report of a state id", at).await?;
        known.extend(added);
    }
    Ok(mentions.iter().map(|m| known.get(m.state_id.expose()).map(|person| SourcePersonId(*person))).collect())
}

/// Which of these persons are known under another birth date than the one a record claims; a person without any is not among them.
pub async fn birth_date_differs(
    conn: &mut PgConnection,
    claims: &[(SourcePersonId, Masked<chrono::NaiveDate>)],
) -> Result<BTreeSet<SourcePersonId>, sqlx::Error> {
    let ids: Vec<i64> = claims.iter().map(|(person, _)| person.0).collect();
    let mut known: HashMap<i64, BTreeSet<chrono::NaiveDate>> = HashMap::new();
    for (person, day) in store::list_birth_dates(conn, &ids).await? {
        known.entry(person).or_default().insert(day);
    }
    let differs = |(person, claim): &(SourcePersonId, Masked<chrono::NaiveDate>)| {
        known.get(&person.0).is_some_and(|days| !days.contains(claim.expose()))
    };
    Ok(claims.iter().filter(|claim| differs(claim)).map(|(person, _)| *person).collect())
}

/// Keeps an order about a person whom the state has not reported: it is in force from the statement that introduces them. Call it where
/// [`resolve`] found nobody.
pub async fn await_person(
    conn: &mut PgConnection,
    (sea, state_id): (&Sea, &Masked<String>),
    domain: Option<Domain>,
    what: (&str, &str, &str),
    from: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    store::insert_awaiting_order(conn, (sea, state_id.expose()), domain.map(Domain::code), what, from, at).await
}

/// Puts a whole person under a restriction from a moment on: nothing of them is disclosed outside the SEA while it is in force. The same
/// order again changes nothing. Says whether it is new.
pub async fn restrict(
    conn: &mut PgConnection,
    person: SourcePersonId,
    (kind, order_number, decided_by): (&str, &str, &str),
    from: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    Ok(store::insert_restriction(conn, person.0, (kind, order_number, decided_by), from, at).await? > 0)
}
