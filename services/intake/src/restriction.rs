//! Restrictions: a sealed record, a protective order, a confidential address. What they name is disclosed to nobody outside the
//! SEA from the day of the order on, whatever time is asked about.

pub mod kept;

use agreements::{Agreements, Asked, Digest, JoinKind, JoinRequest};
use chrono::{DateTime, NaiveDate, Utc};
use identity::{
    crosswalk::{self, Author, Joining, Moved, Sanction},
    persons::{Introduction, Mention, resolve},
    population::day_begins,
};
use model::{BatchId, Domain, Masked, Sea, SourcePersonId, StudentId};
use pg::{Role, Tx};

/// An order to restrict.
#[derive(Clone, Debug)]
pub struct Order {
    /// Whose identifier it names.
    pub sea: Sea,
    /// The state's identifier of the person.
    pub state_id: Masked<String>,
    /// `sealed`, `protective_order`, `confidential_address` or `legal_hold`.
    pub kind: String,
    /// The domain; none: everything about the person.
    pub domain: Option<Domain>,
    /// The day it holds from, in the SEA's zone.
    pub ordered_on: NaiveDate,
    /// Its number.
    pub order_number: String,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// It is in force.
    New,
    /// It was entered before.
    Known,
    /// The state has not reported such a person yet: it is kept, and in force from the moment that it does.
    Awaiting,
}

/// Why an order could not be entered.
#[derive(Debug, thiserror::Error)]
pub enum RestrictionError {
    /// The database did not answer, or refused.
    #[error("the restriction could not be recorded")]
    Unavailable(#[from] pg::Error),
    /// The crosswalk could not be read or changed.
    #[error("{0}")]
    Identity(#[from] identity::Error),
    /// The fact store failed.
    #[error("the restriction could not be recorded")]
    History(#[from] history::Error),
    /// What two people must approve they have not, or not this.
    #[error("{0}")]
    Agreements(#[from] agreements::Error),
}

impl From<sqlx::Error> for RestrictionError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Enters an order, behind whatever is being disclosed: nothing that it restricts is recorded as disclosed after it. It restricts only, so one person may
/// enter it; taking it back is another matter.
pub async fn restrict(
    pool: &pg::Pool,
    order: &Order,
    zone: chrono_tz::Tz,
    by: &str,
    at: DateTime<Utc>,
) -> Result<Entered, RestrictionError> {
    let from = day_begins(zone, order.ordered_on);
    pg::run_tx(pool, "intake.restrict", Role::Identity, |tx| {
        Box::pin(async move {
            let mention = [Mention { state_id: &order.state_id, introduces: false }];
            let introduction = Introduction { sea: &order.sea, batch: BatchId(0), at };
            let resolved = resolve(tx, introduction, &mention, &NoEntropy).await?;
            let what = (order.kind.as_str(), order.order_number.as_str(), by);
            let Some(person) = resolved.persons.into_iter().next().flatten() else {
                let whom = (&order.sea, &order.state_id);
                identity::persons::await_person(tx, whom, order.domain, what, from, at).await?;
                return Ok(Entered::Awaiting);
            };
            let is_new = match order.domain {
                // Of the whole person: the population keeps back every source person of the student.
                None => identity::persons::restrict(tx, person, what, from, at).await?,
                Some(domain) => {
                    // Of a domain: the fact store knows source persons only, so each of the student's gets it.
                    let together = crosswalk::list_together(tx, person).await?;
                    identity::persons::stop_disclosures(tx).await?;
                    tx.act_as(Role::History).await?;
                    let mut is_new = false;
                    for one in together {
                        is_new |= history::restrict(tx, (one, domain), what, from, at).await?;
                    }
                    is_new
                }
            };
            Ok::<_, RestrictionError>(if is_new { Entered::New } else { Entered::Known })
        })
    })
    .await
}

/// A move of the crosswalk to be made.
#[derive(Clone, Debug)]
pub enum Move {
    /// Two students are one child: the second becomes the first.
    Merge(StudentId, StudentId),
    /// These source persons are a child of their own, under this new id.
    Unmerge(Vec<SourcePersonId>, StudentId),
    /// These source persons belong to another student.
    Relink(Vec<SourcePersonId>, StudentId),
    /// An earlier move is taken back.
    Undo(i64),
}

/// Moves source persons in the caller's transaction: the crosswalk, the decisions on it, the populations, and restrictions of a domain, which
/// from now on hold for all source persons of the student. What they restrict stays restricted if they part again: lifting it is a
/// decision of its own. Facts are not touched. Says how many restrictions were carried over.
///
/// On one steward's word it makes one child only of whom the records call one; of others it fails with [`identity::Error::Unlike`].
pub async fn shift(tx: &mut Tx<'_, '_>, what: &Move, author: Author<'_>) -> Result<(Moved, u64), RestrictionError> {
    shift_as(tx, what, author, Sanction::One).await
}

async fn shift_as(
    tx: &mut Tx<'_, '_>,
    what: &Move,
    author: Author<'_>,
    sanction: Sanction<'_>,
) -> Result<(Moved, u64), RestrictionError> {
    tx.act_as(Role::Identity).await?;
    let moved = match what {
        Move::Merge(keep, other) => crosswalk::merge(tx, *keep, *other, author, sanction).await?,
        Move::Unmerge(persons, new) => crosswalk::unmerge(tx, persons, *new, author).await?,
        Move::Relink(persons, to) => crosswalk::relink(tx, persons, *to, author, sanction).await?,
        Move::Undo(id) => crosswalk::undo(tx, *id, author, sanction).await?,
    };
    identity::persons::stop_disclosures(tx).await?;
    tx.act_as(Role::History).await?;
    let carried = history::carry_restrictions(tx, &moved.together, author.at).await?;
    Ok((moved, carried))
}

impl Move {
    /// How the request for it names it, and the move it takes back, if it may join children at all.
    pub const fn joins(&self) -> Option<(JoinKind, Option<i64>)> {
        match self {
            Self::Merge(..) => Some((JoinKind::Merge, None)),
            Self::Relink(..) => Some((JoinKind::Relink, None)),
            Self::Undo(id) => Some((JoinKind::Undo, Some(*id))),
            Self::Unmerge(..) => None,
        }
    }
}

/// What two stewards had carried out.
#[derive(Debug)]
pub enum CarriedOut {
    /// Source persons moved; so many restrictions were carried over.
    Moved(Box<Moved>, u64),
    /// The doubt about somebody is settled.
    Settled(SourcePersonId),
}

/// Carries out a joining that two stewards approved, in the caller's transaction: signatures are verified anew, and the request is used up. The two
/// are named as who decided.
pub async fn carry_out(
    tx: &mut Tx<'_, '_>,
    agreements: &Agreements,
    (request, used_for): (Digest, uuid::Uuid),
    at: DateTime<Utc>,
) -> Result<(CarriedOut, String), RestrictionError> {
    tx.act_as(Role::Agreements).await?;
    let used = agreements.use_request(tx, request, used_for, at).await?;
    let Asked::Join(asked) = &used.asked else {
        return Err(agreements::Error::Invalid("the request approved is for another act").into());
    };
    let by = used.approved_by.join(" and ");
    tx.act_as(Role::Identity).await?;
    if asked.kind == JoinKind::Settle {
        let [person] = asked.persons.as_slice() else {
            return Err(agreements::Error::Corrupt("a doubt is about one source person").into());
        };
        let person = SourcePersonId(*person);
        if !identity::persons::settle(tx, person, (&by, &asked.reason), at).await? {
            return Err(identity::Error::Conflict("there is no doubt about them any more").into());
        }
        return Ok((CarriedOut::Settled(person), by));
    }
    let (what, signed) = signed(asked)?;
    let author = Author { by: &by, reason: &asked.reason, at };
    let (moved, carried) = shift_as(tx, &what, author, Sanction::Two(&signed)).await?;
    Ok((CarriedOut::Moved(Box::new(moved), carried), by))
}

/// The move that was signed, and who is joined with whom by it.
fn signed(asked: &JoinRequest) -> Result<(Move, Joining), agreements::Error> {
    let corrupt = agreements::Error::Corrupt("a request to join names no students");
    let (Some(from), Some(to)) = (asked.from.map(StudentId), asked.to.map(StudentId)) else { return Err(corrupt) };
    let persons: Vec<SourcePersonId> = asked.persons.iter().copied().map(SourcePersonId).collect();
    let with = asked.with.iter().copied().map(SourcePersonId).collect();
    let what = match (asked.kind, asked.undoes) {
        (JoinKind::Merge, _) => Move::Merge(to, from),
        (JoinKind::Undo, Some(id)) => Move::Undo(id),
        (JoinKind::Relink, _) => Move::Relink(persons.clone(), to),
        (JoinKind::Undo | JoinKind::Settle, _) => return Err(corrupt),
    };
    Ok((what, Joining { from, to, persons, with, differ: Vec::new() }))
}

/// Nobody is introduced here, so nothing is drawn.
struct NoEntropy;

impl model::Entropy for NoEntropy {
    fn fill(&self, _: &mut [u8]) {}
}
