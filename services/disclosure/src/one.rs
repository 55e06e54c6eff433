//! One student, asked for and answered.

use futures::future::BoxFuture;
use model::Masked;
use pg::{Role, Tx, crash::CrashPoint};

use crate::{
    Ask, Context, Disclosed, Encode, Error, Prepared,
    chunk::{Decided, Item, Make, decide_and_read},
    until::{ATTEMPTS_MAX, Until},
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
    disclose_made(context, ask, person_key, Make::Encode(encode)).await
}

/// Discloses what was prepared for one client, where the decision now permits the very same; else [`Error::Changed`].
pub async fn disclose_one_prepared(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_key: &Masked<String>,
    prepared: &Prepared,
) -> Result<Disclosed, Error> {
    disclose_made(context, ask, person_key, Make::Prepared(prepared)).await
}

async fn disclose_made(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_key: &Masked<String>,
    make: Make<'_>,
) -> Result<Disclosed, Error> {
    let mut attempts = 1;
    let outcome = loop {
        match attempt(context, ask, person_key, make).await {
            Err(Error::Ended) if attempts < ATTEMPTS_MAX => attempts += 1,
            outcome => break outcome?,
        }
    };
    match outcome {
        Item::Disclosed(disclosed) => Ok(*disclosed),
        Item::Refused { reason, .. } => Err(Error::Denied(reason)),
        Item::TooLarge { bytes, bytes_max, .. } => Err(Error::TooLarge { bytes, bytes_max }),
        Item::Unchanged { .. } | Item::Untouched { .. } | Item::Withdrawn(_) => {
            Err(Error::Invalid("a single request is always answered"))
        }
    }
}

/// Decides, records and commits; what has ended by then is not given out.
async fn attempt(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_key: &Masked<String>,
    make: Make<'_>,
) -> Result<Item, Error> {
    let (item, until) = pg::transaction("disclosure.one", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| one_in(tx, context, ask, person_key, make))
        .await?;
    pg::crash::hit(CrashPoint::DiscloseAfterRecord);
    until.holds(context.clock)?;
    Ok(item)
}

fn one_in<'t>(
    tx: &'t mut Tx<'_, '_>,
    context: Context<'t>,
    ask: &'t Ask<'t>,
    person_key: &'t Masked<String>,
    make: Make<'t>,
) -> BoxFuture<'t, Result<(Item, Until), Error>> {
    Box::pin(async move {
        let keys = [person_key.expose().clone()];
        let Decided { items, entries, until, .. } = decide_and_read(tx, context, ask, &keys, make).await?;
        let (Some(item), [entry]) = (items.into_iter().next(), entries.as_slice()) else {
            return Err(Error::Corrupt("one client gives one answer".to_owned()));
        };
        pg::crash::hit(CrashPoint::DiscloseBeforeRecord);
        tx.act_as(Role::Ledger).await?;
        ledger::record_one(tx, entry).await?;
        pg::crash::hit(CrashPoint::DiscloseBeforeCommit);
        until.holds(context.clock)?;
        Ok((item, until))
    })
}
