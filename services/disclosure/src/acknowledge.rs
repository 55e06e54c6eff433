//! What a receiver says it has stored.

use model::ConsumerId;
use pg::Role;
use uuid::Uuid;

use crate::{
    Context, Error,
    store::{self, holding},
};

/// How much of a run a receiver has stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored<'a> {
    /// Everything up to this client, by its own person id.
    UpTo(&'a str),
    /// The whole run, its end included.
    Whole,
}

/// Notes that a receiver has stored a run durably up to a position; gives the greatest position acknowledged so far. Saying the
/// same again, or less, changes nothing. What was stored need not be sent again while it does not change; withdrawals are done with the whole run.
pub async fn acknowledge(
    context: Context<'_>,
    consumer: &ConsumerId,
    (run, position): (Uuid, u64),
    stored: Stored<'_>,
) -> Result<u64, Error> {
    let position = i64::try_from(position).map_err(|_| Error::Invalid("a position is below 2^63"))?;
    let at = context.clock.now();
    let greatest = pg::transaction("disclosure.acknowledge", Role::Disclosure)
        .setting("consumer", consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                let upto = match stored {
                    Stored::UpTo(person_key) => Some(person_key),
                    Stored::Whole => None,
                };
                holding::confirm_histories(tx, consumer, run, upto, at).await?;
                if stored == Stored::Whole {
                    holding::confirm_withdrawals(tx, consumer, run, at).await?;
                }
                store::record_acknowledged(tx, consumer, run, position, at).await
            })
        })
        .await?;
    u64::try_from(greatest).map_err(|_| Error::Corrupt("a stored position is negative".to_owned()))
}

/// Whether a run of a stream is the last of its feed that ended: what changed since can only be told of that one.
pub async fn is_last_run(
    context: Context<'_>,
    consumer: &ConsumerId,
    (office, purpose): (&str, &str),
    run: Uuid,
) -> Result<bool, Error> {
    pg::transaction("disclosure.last_run", Role::Disclosure)
        .setting("consumer", consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                Ok::<_, Error>(holding::find_last_completed(tx, consumer, (office, purpose)).await? == Some(run))
            })
        })
        .await
}
