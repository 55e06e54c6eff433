//! What was ordered or undone, for whoever keeps that outside the database, and taking it back in after the database was set back.
//!
//! Outside the database nobody is named: whoever keeps it hashes the ids that are listed here, and finds them again among those of the database by the
//! same hash.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use model::{BatchId, ConsumerId, Masked, Sea, SourcePersonId, StudentId};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Error,
    crosswalk::Link,
    matching::ENGINE,
    population::rebuild,
    review::Decided,
    store::{
        brought_back::{self as store},
        crosswalk,
        matches::supersede_decisions,
        review::{PersonsDecision, insert_persons_decision, list_case},
        rosters::lock_consumer,
    },
};

/// Who decides what is brought back.
const JOURNAL: &str = "the control journal";
/// Why.
const BECAUSE: &str = "undone before the database was set back";
/// The most decisions of one client that are looked at.
const DECISIONS_MAX: i64 = 1_000;

/// An order in force on a person, or kept for one whom the state has not reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// Whose identifier it names.
    pub sea: Sea,
    /// The state's identifier.
    pub state_id: Masked<String>,
    /// The domain, by its code; none: everything about the person.
    pub domain: Option<i16>,
    /// What kind of order.
    pub kind: String,
    /// From when on it holds.
    pub from: DateTime<Utc>,
    /// Its number.
    pub order_number: String,
    /// Who entered it.
    pub decided_by: String,
    /// When.
    pub recorded_at: DateTime<Utc>,
}

/// A match that a person undid, and that nobody has made again since.
#[derive(Clone, Debug)]
pub struct Undone {
    /// The agency.
    pub consumer: ConsumerId,
    /// Its client, by its own id.
    pub person_key: Masked<String>,
    /// Whom the client was matched with.
    pub student: StudentId,
    /// When that ended.
    pub undone_at: DateTime<Utc>,
    /// A person said that it is another child; otherwise the client waits for a person.
    pub is_refused: bool,
}

/// A student who proved to be two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted {
    /// Who left.
    pub persons: Vec<SourcePersonId>,
    /// Whom they left.
    pub with: Vec<SourcePersonId>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A source person with the state's identifier.
#[derive(Clone, Debug)]
pub struct Known {
    /// Our own number.
    pub person: SourcePersonId,
    /// Whose identifier it is.
    pub sea: Sea,
    /// The identifier.
    pub state_id: Masked<String>,
    /// The student they are.
    pub student: StudentId,
}

/// An order that waits for somebody to be introduced, by a keyed hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// The keyed hash of the person's identifier.
    pub person_hash: [u8; 32],
    /// The domain, by its code; none: everything about the person.
    pub domain: Option<i16>,
    /// The fact; none: the whole domain.
    pub natural_key: Option<Uuid>,
    /// What kind of order.
    pub kind: String,
    /// From when on it holds.
    pub from: DateTime<Utc>,
    /// Its number.
    pub order_number: String,
    /// Who entered it.
    pub decided_by: String,
    /// When.
    pub recorded_at: DateTime<Utc>,
}

/// A match that must not stand, of a client or a person who may not be known, by keyed hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwaitedUndoing {
    /// The agency.
    pub consumer: ConsumerId,
    /// The keyed hash of the client's id.
    pub client_hash: [u8; 32],
    /// The keyed hash of the person's identifier.
    pub person_hash: [u8; 32],
    /// When the match ended.
    pub undone_at: DateTime<Utc>,
    /// A person said that it is another child.
    pub is_refused: bool,
}

/// Orders on whole persons entered since, those among them that wait for a person; doubts are raised again by what is loaded again.
pub async fn list_orders(conn: &mut PgConnection, since: DateTime<Utc>) -> Result<Vec<Ordered>, Error> {
    store::list_orders(conn, since).await
}

/// Matches that people undid since.
pub async fn list_undone(conn: &mut PgConnection, since: DateTime<Utc>) -> Result<Vec<Undone>, Error> {
    store::list_undone(conn, ENGINE, since).await
}

/// Students who proved to be two since, as far as they have not become one again.
pub async fn list_parted(conn: &mut PgConnection, since: DateTime<Utc>) -> Result<Vec<Parted>, Error> {
    Ok(store::list_parted(conn, since).await?)
}

/// The source persons of students, of a batch, or behind a number: at most so many, in the order of their numbers.
pub async fn list_known(conn: &mut PgConnection, of: Whose<'_>, limit: u32) -> Result<Vec<Known>, Error> {
    let (students, persons, batch, after) = match of {
        Whose::Students(students) => {
            (Some(students.iter().map(|student| student.0).collect::<Vec<_>>()), None, None, 0)
        }
        Whose::Persons(persons) => (None, Some(persons.iter().map(|person| person.0).collect::<Vec<_>>()), None, 0),
        Whose::Batch(batch) => (None, None, Some(batch.0), 0),
        Whose::Behind(person) => (None, None, None, person.0),
    };
    store::list_known(conn, (students.as_deref(), persons.as_deref(), batch), after, i64::from(limit)).await
}

/// Which source persons are listed.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// Those of these students.
    Students(&'a [StudentId]),
    /// These.
    Persons(&'a [SourcePersonId]),
    /// Those whom a batch introduced.
    Batch(BatchId),
    /// All behind this one.
    Behind(SourcePersonId),
}

/// The clients of an agency: our own number, and the agency's id.
pub async fn list_clients(conn: &mut PgConnection, consumer: &ConsumerId) -> Result<Vec<(i64, Masked<String>)>, Error> {
    Ok(store::list_client_keys(conn, consumer).await?)
}

/// Keeps orders about persons whom nobody has introduced; says how many were not kept before.
pub async fn keep_orders(conn: &mut PgConnection, orders: &[Awaited]) -> Result<u64, Error> {
    let mut kept = 0;
    for order in orders {
        kept += store::insert_awaited(conn, order).await?;
    }
    Ok(kept)
}

/// The orders that wait.
pub async fn list_awaited(conn: &mut PgConnection) -> Result<Vec<Awaited>, Error> {
    store::list_awaited(conn).await
}

/// An order waits no longer: it is in force.
pub async fn forget_order(conn: &mut PgConnection, order: &Awaited) -> Result<(), Error> {
    Ok(store::delete_awaited(conn, order).await?)
}

/// Keeps what must not stand until client and person are known; says how many were not kept before.
pub async fn keep_undoings(conn: &mut PgConnection, undoings: &[AwaitedUndoing]) -> Result<u64, Error> {
    let mut kept = 0;
    for undoing in undoings {
        kept += store::insert_awaited_undoing(conn, undoing).await?;
    }
    Ok(kept)
}

/// What waits for client and person.
pub async fn list_undoings(conn: &mut PgConnection) -> Result<Vec<AwaitedUndoing>, Error> {
    store::list_awaited_undoings(conn).await
}

/// It waits no longer.
pub async fn forget_undoing(conn: &mut PgConnection, undoing: &AwaitedUndoing) -> Result<(), Error> {
    Ok(store::delete_awaited_undoing(conn, undoing).await?)
}

/// What a match brought down did: whether anything changed, and the link that ended.
pub type BroughtDown = (bool, Decided);

/// Ends a match that a person had undone, and keeps the engine from making it again: the client is not that student, or waits for a person. A match that was
/// made later stays. The consumer's population follows.
pub async fn undo_again(
    conn: &mut PgConnection,
    (consumer, client): (&ConsumerId, i64),
    student: StudentId,
    (undone_at, is_refused): (DateTime<Utc>, bool),
    at: DateTime<Utc>,
) -> Result<BroughtDown, Error> {
    crosswalk::lock(conn, false).await?;
    lock_consumer(conn, consumer).await?;
    let mut decisions = list_case(conn, client, DECISIONS_MAX).await?;
    decisions
        .retain(|row| row.superseded_at.is_none() && (row.student_id == Some(student.0) || row.student_id.is_none()));
    let is_persons = |row: &&crate::store::review::CaseDecisionRow| row.decided_by != ENGINE;
    // Made anew since: by a person, or by the engine after a person had withdrawn the word.
    if decisions.iter().any(|row| row.outcome == "match" && row.decided_at > undone_at) {
        return Ok((false, Decided::default()));
    }
    let matched = decisions.iter().find(|row| row.outcome == "match");
    let has_word = decisions
        .iter()
        .filter(is_persons)
        .any(|row| row.outcome == "non_match" || (!is_refused && row.outcome == "review"));
    if matched.is_none() && has_word {
        return Ok((false, Decided::default()));
    }
    let ends: BTreeSet<i64> =
        decisions.iter().filter(|row| row.student_id.is_some()).map(|row| row.decision_id).collect();
    let of = matched.map(|row| row.decision_id);
    let ended = match matched {
        Some(row) => Some(Link {
            consumer: consumer.clone(),
            person_key: store::find_client_key(conn, client).await?,
            student,
            since: row.decided_at,
        }),
        None => None,
    };
    supersede_decisions(conn, &ends.into_iter().collect::<Vec<_>>(), at).await?;
    let new = PersonsDecision {
        client,
        student: Some(student.0),
        outcome: if is_refused { "non_match" } else { "review" },
        of,
        override_id: None,
        by: JOURNAL,
        reason: BECAUSE,
        at,
    };
    if insert_persons_decision(conn, &new).await? != 1 {
        return Err(Error::NotFound("client"));
    }
    rebuild(conn, consumer).await?;
    Ok((true, Decided { ended, is_matched: false }))
}
