//! From state identifiers to source persons.

mod two;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::{BatchId, Domain, Entropy, Masked, Sea, SourcePersonId};
use sqlx::PgConnection;
pub use two::{Doubt, Said, clear_differences, doubt, list_doubts, list_said, may_be_twins, settle, unlike, were_said};

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

/// What mentions were resolved to.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// The source person of each mention, in order. `None`: only referred to, and unknown.
    pub persons: Vec<Option<SourcePersonId>>,
    /// Those whom nobody had mentioned before: nothing is known of them.
    pub introduced: BTreeSet<SourcePersonId>,
}

/// Resolves mentions to source persons; a new person becomes a student of their own.
pub async fn resolve(
    conn: &mut PgConnection,
    introduction: Introduction<'_>,
    mentions: &[Mention<'_>],
    entropy: &dyn Entropy,
) -> Result<Resolved, sqlx::Error> {
    let Introduction { sea, batch, at } = introduction;
    // Each id once, in the order of the index that finds it.
    let mut ids: Vec<(&str, bool)> = mentions.iter().map(|m| (m.state_id.expose().as_str(), m.introduces)).collect();
    ids.sort_unstable_by_key(|(id, introduces)| (*id, !introduces));
    ids.dedup_by_key(|(id, _)| *id);
    let asked: Vec<String> = ids.iter().map(|(id, _)| (*id).to_owned()).collect();
    let mut known: Vec<Option<SourcePersonId>> = vec![None; ids.len()];
    for (place, person) in store::find_many(conn, sea, &asked).await? {
        if let Some(slot) = known.get_mut(place) {
            *slot = Some(SourcePersonId(person));
        }
    }
    let new = ids.iter().zip(&known).filter(|((_, introduces), person)| *introduces && person.is_none());
    let new: Vec<String> = new.map(|((id, _), _)| (*id).to_owned()).collect();
    let mut introduced = BTreeSet::new();
    if !new.is_empty() {
        let mut added = store::insert_many(conn, sea, batch, &new).await?;
        added.sort_unstable();
        let students: Vec<_> = added.iter().map(|(_, person)| (entropy.uuid(), *person)).collect();
        store::insert_students(conn, &students, "intake", "first report of a state id", at).await?;
        for (id, person) in added {
            let place = ids.binary_search_by_key(&id.as_str(), |(id, _)| *id).ok();
            if let Some(slot) = place.and_then(|place| known.get_mut(place)) {
                *slot = Some(SourcePersonId(person));
            }
            introduced.insert(SourcePersonId(person));
        }
    }
    let person = |mention: &Mention<'_>| {
        let place = ids.binary_search_by_key(&mention.state_id.expose().as_str(), |(id, _)| *id).ok()?;
        known.get(place).copied().flatten()
    };
    Ok(Resolved { persons: mentions.iter().map(person).collect(), introduced })
}

/// Which of these persons are known under another birth date than the one a record claims; a person without any is not among them.
pub async fn birth_date_differs(
    conn: &mut PgConnection,
    claims: &[(SourcePersonId, Masked<chrono::NaiveDate>)],
) -> Result<BTreeSet<SourcePersonId>, sqlx::Error> {
    let mut claims: Vec<(i64, chrono::NaiveDate)> =
        claims.iter().map(|(person, day)| (person.0, *day.expose())).collect();
    claims.sort_unstable();
    claims.dedup();
    let persons: Vec<i64> = claims.iter().map(|(person, _)| *person).collect();
    let days: Vec<String> = claims.iter().map(|(_, day)| day.to_string()).collect();
    let differ = store::list_other_birth_dates(conn, &persons, &days).await?;
    Ok(differ.into_iter().map(SourcePersonId).collect())
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

/// Waits until nothing is being disclosed to anybody, and keeps anything from being disclosed until the transaction ends: to be called, last, by whoever
/// restricts, so that what was being disclosed is on record before the restriction, and nothing after it.
pub async fn stop_disclosures(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    store::stop(conn).await
}

/// Puts a whole person under a restriction from a moment on: nothing of them is disclosed outside the SEA while it is in force. The same
/// order again changes nothing. Says whether it is new. Waits for what is being disclosed.
pub async fn restrict(
    conn: &mut PgConnection,
    person: SourcePersonId,
    (kind, order_number, decided_by): (&str, &str, &str),
    from: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    stop_disclosures(conn).await?;
    Ok(store::insert_restriction(conn, person.0, (kind, order_number, decided_by), from, at).await? > 0)
}
