//! One student, asked for and answered.

use futures::future::BoxFuture;
use model::Masked;
use pg::{Role, Tx, crash::CrashPoint};

use crate::{
    Ask, Context, Disclosed, Encode, Error, Prepared,
    chunk::{Decided, Item, Make, decide_and_read},
    entry,
    until::{ATTEMPTS_MAX, Until},
};

/// Discloses one client's history: decides, reads, encodes, records, commits, and only then returns the bytes.
///
/// A refusal is recorded too, and comes back as [`Error::Denied`]. "Not your client" and "does not exist" take the same road. A call under an id that was used is
/// refused before this ([`crate::ensure_new`]); the one that loses against its own twin, on its way beside it, is not recorded, and comes back as what the other was
/// refused for, or as [`Error::Answered`].
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
    let mut ask = ask.clone();
    let outcome = decided_until_given(context, &mut ask, person_key, make).await;
    let outcome = match (outcome, ask.request) {
        (Err(Error::Ledger(ledger::Error::Answered(_))), Some(mark)) => {
            return Err(entry::answered_before(context, mark).await);
        }
        (outcome, _) => outcome?,
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

/// Decides, records and commits; what has ended by then is not given out, and is decided on anew.
async fn decided_until_given(
    context: Context<'_>,
    ask: &mut Ask<'_>,
    person_key: &Masked<String>,
    make: Make<'_>,
) -> Result<Item, Error> {
    let mut attempts = 1;
    loop {
        let is_last = attempts == ATTEMPTS_MAX;
        attempts += 1;
        let (item, until) = match attempt(context, ask, person_key, make).await {
            Err(Error::Ended) if !is_last => continue,
            done => done?,
        };
        pg::crash::hit(CrashPoint::DiscloseAfterRecord);
        match until.holds(context.clock) {
            // It is entered, and the call with it: what is entered next belongs to the same call.
            Err(Error::Ended) if !is_last => ask.request = None,
            held => return held.map(|()| item),
        }
    }
}

async fn attempt(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_key: &Masked<String>,
    make: Make<'_>,
) -> Result<(Item, Until), Error> {
    pg::transaction("disclosure.one", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| one_in(tx, context, ask, person_key, make))
        .await
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
        entry::record(tx, ask, entry).await?;
        pg::crash::hit(CrashPoint::DiscloseBeforeCommit);
        until.holds(context.clock)?;
        Ok((item, until))
    })
}
