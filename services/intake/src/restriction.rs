//! Restrictions: a sealed record, a protective order, a confidential address. What they name is disclosed to nobody outside the
//! SEA from the day of the order on, whatever time is asked about.

use chrono::{DateTime, NaiveDate, Utc};
use identity::{
    persons::{Introduction, Mention, resolve},
    population::day_begins,
};
use model::{BatchId, Domain, Masked, Sea};
use pg::Role;

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
    /// The exchange knows no such person: nothing can be disclosed of them either.
    Unknown,
}

/// Why an order could not be entered.
#[derive(Debug, thiserror::Error)]
pub enum RestrictionError {
    /// The database did not answer, or refused.
    #[error("the restriction could not be recorded")]
    Unavailable(#[from] pg::Error),
    /// The fact store failed.
    #[error("the restriction could not be recorded")]
    History(#[from] history::Error),
}

impl From<sqlx::Error> for RestrictionError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Enters an order. It restricts only, so one person may enter it; taking it back is another matter.
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
            let Some(person) = resolved.into_iter().next().flatten() else { return Ok(Entered::Unknown) };
            let what = (order.kind.as_str(), order.order_number.as_str(), by);
            let is_new = match order.domain {
                None => identity::persons::restrict(tx, person, what, from, at).await?,
                Some(domain) => {
                    tx.act_as(Role::History).await?;
                    history::restrict(tx, (person, domain), what, from, at).await?
                }
            };
            Ok::<_, RestrictionError>(if is_new { Entered::New } else { Entered::Known })
        })
    })
    .await
}

/// Nobody is introduced here, so nothing is drawn.
struct NoEntropy;

impl model::Entropy for NoEntropy {
    fn fill(&self, _: &mut [u8]) {}
}
