//! The seal: a database that was set back to an earlier state discloses nothing until it has caught up with what ended since.
//!
//! Whoever is about to disclose asks in the statement that holds the population still ([`Error::Sealed`]), so that no road leads around it.

use agreements::{Act, Asked, Digest};
use chrono::{DateTime, Utc};
use ledger::Kind;
use model::{ConsumerId, Masked};
use pg::Role;
use uuid::Uuid;

use crate::{
    Ask, Context, Error,
    act::{Deed, Done, named, record_act},
    decided::set_moment,
    entry,
    store::seal as store,
};

/// A recipient to whom nothing is disclosed for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Who.
    pub consumer: ConsumerId,
    /// The moment to which the database was set back.
    pub since: DateTime<Utc>,
    /// When a steward had compared the ledger.
    pub compared_at: Option<DateTime<Utc>>,
}

/// Entries that the ledger lost when the database was set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The first of them, by its position.
    pub from: u64,
    /// The first position behind them that others know of.
    pub to: u64,
    /// The root over all of them and those before, as others keep it.
    pub root: [u8; 32],
}

/// Seals these recipients: what rosters and stewards said after `since` is not in the database.
pub async fn close(context: Context<'_>, consumers: &[ConsumerId], since: DateTime<Utc>) -> Result<(), Error> {
    let at = context.clock.now();
    pg::run_tx(context.pool, "disclosure.seal", Role::Disclosure, |tx| {
        Box::pin(async move { store::insert(tx, consumers, "the database was set back", since, at).await })
    })
    .await
}

/// The seals.
pub async fn list(context: Context<'_>) -> Result<Vec<Seal>, Error> {
    pg::run_tx(context.pool, "disclosure.seals", Role::Disclosure, |tx| Box::pin(async move { store::list(tx).await }))
        .await
}

/// Enters that two stewards have held the ledger against what others keep, with the entries that were lost: a gap, named for ever. The request they
/// approved is used up; it must be about this very occasion.
pub async fn compared(
    context: Context<'_>,
    own: &Ask<'_>,
    (by, why): (&str, &str),
    (request, used_for): (Digest, Uuid),
    lost: Option<Lost>,
) -> Result<(), Error> {
    let done =
        Done { why: Some(why.to_owned()), ..Done::new(Deed::Unseal, "ledger compared after a restore".to_owned()) };
    let use_up = Done::new(Deed::UseRequest, named(Act::Unseal, request));
    pg::run_tx(context.pool, "disclosure.compared", Role::Agreements, |tx| {
        let (done, use_up) = (&done, &use_up);
        Box::pin(async move {
            let at = set_moment(tx, context, own, Role::Agreements).await?;
            let used = context.agreements.use_request(tx, request, used_for, at).await?;
            let Asked::Unseal(asked) = used.asked else {
                return Err(Error::Invalid("the request approved is for another act"));
            };
            tx.act_as(Role::Disclosure).await?;
            if store::list(tx).await?.iter().any(|seal| seal.compared_at.is_none() && seal.since != asked.since) {
                return Err(Error::Invalid(
                    "the request approved is about another time at which the database was set back",
                ));
            }
            record_act(tx, context, own, use_up).await?;
            tx.act_as(Role::Agreements).await?;
            if let Some(lost) = lost {
                let in_force = context.agreements.load_active(tx, own.consumer, at).await?;
                let terms = entry::terms_of_ask(own.consumer, in_force.as_deref())?;
                let mut entry = entry::act(own, Kind::Gap, terms, at, context.entropy);
                entry.reason = Some("set_back".to_owned());
                entry.count = Some(lost.to.saturating_sub(lost.from));
                entry.detail.digest = Some(ledger::Hash(lost.root));
                let range =
                    format!("entries {} to {} of the log before it was set back", lost.from, lost.to.saturating_sub(1));
                entry.detail.authority = Some(Masked::new(range));
                tx.act_as(Role::Ledger).await?;
                ledger::record_one(tx, &entry).await?;
            }
            record_act(tx, context, own, done).await?;
            tx.act_as(Role::Disclosure).await?;
            store::compare(tx, by, at).await
        })
    })
    .await
}

/// Lifts the seal of a recipient. Says whether there was one on which the ledger had been compared.
pub async fn lift(context: Context<'_>, consumer: &ConsumerId) -> Result<bool, Error> {
    pg::run_tx(context.pool, "disclosure.unseal", Role::Disclosure, |tx| {
        Box::pin(async move { store::delete(tx, consumer).await })
    })
    .await
}
