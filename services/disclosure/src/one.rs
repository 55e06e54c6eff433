//! One student, asked for and answered.

use futures::future::BoxFuture;
use model::Masked;
use pg::{Role, Tx, crash::CrashPoint};

use crate::{
    Ask, Context, Disclosed, Encode, Error,
    chunk::{Decided, Item, decide_and_read},
};

/// Discloses one client's history: decides, reads, encodes, records, commits, and only then returns the bytes.
///
/// A refusal is recorded too, and comes back as [`Error::Denied`]. "Not your client" and "does not exist" take the same road.
pub async fn disclose_one(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_key: &Masked<String>,
    encode: &Encode<'_>,
) -> Result<Disclosed, Error> {
    let outcome = pg::transaction("disclosure.one", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| one_in(tx, context, ask, person_key, encode))
        .await?;
    pg::crash::hit(CrashPoint::DiscloseAfterRecord);
    match outcome {
        Item::Disclosed(disclosed) => Ok(*disclosed),
        Item::Refused { reason, .. } => Err(Error::Denied(reason)),
        Item::TooLarge { bytes, bytes_max, .. } => Err(Error::TooLarge { bytes, bytes_max }),
        Item::Unchanged { .. } | Item::Withdrawn(_) => Err(Error::Invalid("a single request is always answered")),
    }
}

fn one_in<'t>(
    tx: &'t mut Tx<'_, '_>,
    context: Context<'t>,
    ask: &'t Ask<'t>,
    person_key: &'t Masked<String>,
    encode: &'t Encode<'t>,
) -> BoxFuture<'t, Result<Item, Error>> {
    Box::pin(async move {
        let keys = [person_key.expose().clone()];
        let Decided { items, entries, .. } = decide_and_read(tx, context, ask, &keys, encode).await?;
        let (Some(item), [entry]) = (items.into_iter().next(), entries.as_slice()) else {
            return Err(Error::Corrupt("one client gives one answer".to_owned()));
        };
        pg::crash::hit(CrashPoint::DiscloseBeforeRecord);
        tx.act_as(Role::Ledger).await?;
        ledger::record_one(tx, entry).await?;
        pg::crash::hit(CrashPoint::DiscloseBeforeCommit);
        Ok(item)
    })
}
