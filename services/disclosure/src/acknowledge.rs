//! What a receiver says it has stored.

use model::ConsumerId;
use pg::Role;
use uuid::Uuid;

use crate::{Context, Error, store};

/// Notes that a receiver has stored a run durably up to a position; gives the greatest position acknowledged so far. Saying the
/// same again, or less, changes nothing.
pub async fn acknowledge(context: Context<'_>, consumer: &ConsumerId, run: Uuid, position: u64) -> Result<u64, Error> {
    let stored = i64::try_from(position).map_err(|_| Error::Invalid("a position is below 2^63"))?;
    let at = context.clock.now();
    let greatest = pg::transaction("disclosure.acknowledge", Role::Disclosure)
        .setting("consumer", consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move { store::record_acknowledged(tx, consumer, run, stored, at).await })
        })
        .await?;
    u64::try_from(greatest).map_err(|_| Error::Corrupt("a stored position is negative".to_owned()))
}
