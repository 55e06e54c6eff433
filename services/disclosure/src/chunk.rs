//! Many students, a bounded chunk at a time: what streams and files are made of.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use agreements::{Delivery, Reason};
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use ledger::{Entry, Kind, Terms};
use model::{DisclosureId, Masked, StudentId};
use pg::{Role, Tx, crash::CrashPoint};

use crate::{
    Ask, Context, Disclosed, Encode, Error, Repeat,
    decided::{self, set_moment},
    entry, file_run, store,
};

/// What became of one client of a chunk.
#[derive(Clone, Debug)]
pub enum Item {
    /// Recorded; it may leave.
    Disclosed(Box<Disclosed>),
    /// The same content as was delivered last: neither recorded nor sent again.
    Unchanged {
        /// The client by the recipient's own person id.
        person_key: Masked<String>,
    },
    /// Refused; the refusal is recorded.
    Refused {
        /// The client by the recipient's own person id.
        person_key: Masked<String>,
        /// Why, for the record; the recipient gets the public words.
        reason: Reason,
    },
}

/// A client with an authority in force.
#[derive(Clone, Debug)]
pub struct Member {
    /// The client by the recipient's own person id.
    pub person_key: Masked<String>,
    /// The student.
    pub student: StudentId,
    /// The office, if one is responsible.
    pub office: Option<String>,
}

/// What a run sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunTotals {
    /// Histories.
    pub histories: u64,
    /// Withdrawals.
    pub withdrawals: u64,
    /// SHA-256 over what was sent, as the channel defines it.
    pub digest: [u8; 32],
}

/// A page of the caller's population at this moment, in the order of person ids, behind `after`.
pub async fn list_population(
    context: Context<'_>,
    ask: &Ask<'_>,
    after: &str,
    limit: u32,
) -> Result<Vec<Member>, Error> {
    let rows = pg::transaction("disclosure.population", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                set_moment(tx, context, ask, Role::Disclosure).await?;
                store::list_population(tx, ask.consumer, ask.office, after, i64::from(limit)).await
            })
        })
        .await?;
    Ok(rows
        .into_iter()
        .map(|(key, student, office)| Member { person_key: Masked::new(key), student: StudentId(student), office })
        .collect())
}

/// Discloses a chunk of clients: all entries commit before anything of it is returned. The order is that of `person_keys`.
pub async fn disclose_chunk(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
    encode: &Encode<'_>,
) -> Result<Vec<Item>, Error> {
    let items = pg::transaction("disclosure.chunk", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| chunk_in(tx, context, ask, person_keys, encode))
        .await?;
    pg::crash::hit(CrashPoint::DiscloseAfterRecord);
    Ok(items)
}

fn chunk_in<'t>(
    tx: &'t mut Tx<'_, '_>,
    context: Context<'t>,
    ask: &'t Ask<'t>,
    person_keys: &'t [String],
    encode: &'t Encode<'t>,
) -> BoxFuture<'t, Result<Vec<Item>, Error>> {
    Box::pin(async move {
        let (items, entries) = decide_and_read(tx, context, ask, person_keys, encode).await?;
        pg::crash::hit(CrashPoint::DiscloseBeforeRecord);
        let delivered: Vec<&Disclosed> = items.iter().filter_map(Item::disclosed).collect();
        store::record_delivered(tx, ask.consumer, ask.delivery.as_str(), &delivered).await?;
        tx.act_as(Role::Ledger).await?;
        ledger::record_chunk(tx, &entries).await?;
        pg::crash::hit(CrashPoint::DiscloseBeforeCommit);
        Ok(items)
    })
}

impl Item {
    fn disclosed(&self) -> Option<&Disclosed> {
        if let Self::Disclosed(disclosed) = self { Some(disclosed) } else { None }
    }
}

/// What a client was delivered last.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The client by the recipient's own person id.
    pub person_key: Masked<String>,
    /// The disclosure it came with.
    pub disclosure: DisclosureId,
    /// When that was recorded.
    pub recorded_at: DateTime<Utc>,
}

/// What these clients were delivered last by the kind of delivery that is asked for, and whole; in the order of person ids.
pub async fn list_delivered(
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
) -> Result<Vec<Delivered>, Error> {
    pg::transaction("disclosure.delivered", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(
                async move { store::list_last_delivered(tx, ask.consumer, ask.delivery.as_str(), person_keys).await },
            )
        })
        .await
}

/// Notes that these disclosures have been delivered whole: until then their content is sent again.
pub async fn confirm_delivered(context: Context<'_>, ask: &Ask<'_>, disclosures: &[DisclosureId]) -> Result<(), Error> {
    let ids: Vec<uuid::Uuid> = disclosures.iter().map(|id| id.0).collect();
    let at = context.clock.now();
    pg::transaction("disclosure.confirm", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            let ids = &ids;
            Box::pin(async move { store::confirm_delivered(tx, ask.consumer, ids, at).await })
        })
        .await
}

/// Records that a run is complete and what it sent.
pub async fn complete_run(context: Context<'_>, ask: &Ask<'_>, totals: RunTotals) -> Result<(), Error> {
    pg::transaction("disclosure.complete", Role::Disclosure)
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, ask, Role::Disclosure).await?;
                let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
                let terms = entry::terms_of_ask(ask.consumer, in_force.as_deref())?;
                let sent = (totals.histories + totals.withdrawals, totals.digest);
                let id = model::disclosure_id(context.entropy);
                let entry = entry::run(ask, Kind::Completion, terms, id, sent, at, context.entropy);
                tx.act_as(Role::Ledger).await?;
                ledger::record_one(tx, &entry).await?;
                Ok::<_, Error>(())
            })
        })
        .await
}

/// Decides about each client, reads what is permitted with one statement, and prepares answers and entries in the order of the keys.
pub(crate) async fn decide_and_read(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    person_keys: &[String],
    encode: &Encode<'_>,
) -> Result<(Vec<Item>, Vec<Entry>), Error> {
    store::hold_population(tx, ask.consumer).await?;
    let authority = match ask.delivery {
        Delivery::File => file_run::authority(tx, ask).await?,
        Delivery::Unary | Delivery::Stream | Delivery::Pdf => None,
    };
    let read = decided::read(tx, context, ask, Role::Disclosure, person_keys).await?;
    let granted = read.granted_keys();
    let known = match ask.repeat {
        Repeat::Always => HashMap::new(),
        Repeat::WhenChanged => store::list_delivered(tx, ask.consumer, ask.delivery.as_str(), &granted).await?,
    };
    let refused_terms = entry::terms_of_ask(ask.consumer, read.in_force.as_deref())?;
    let mut terms_by_basis: BTreeMap<&'static str, Arc<Terms>> = BTreeMap::new();
    let mut items = Vec::with_capacity(read.clients.len());
    let mut entries = Vec::with_capacity(read.clients.len());
    for (person_key, decision) in read.clients {
        let person_key = Masked::new(person_key);
        match decision {
            Err(denial) => {
                let id = model::disclosure_id(context.entropy);
                let terms = Arc::clone(&refused_terms);
                entries.push(entry::refusal(ask, terms, id, &person_key, denial.reason, read.at, context.entropy));
                items.push(Item::Refused { person_key, reason: denial.reason });
            }
            Ok((grant, history)) => {
                if known.get(history.person_key().expose()) == Some(history.content_digest()) {
                    items.push(Item::Unchanged { person_key });
                    continue;
                }
                let bytes: Arc<[u8]> = encode(&history).map_err(Error::Encode)?.into();
                let basis = grant.legal_basis().as_str();
                let terms = if let Some(terms) = terms_by_basis.get(basis) {
                    Arc::clone(terms)
                } else {
                    let terms = entry::terms_of(&grant)?;
                    terms_by_basis.insert(basis, Arc::clone(&terms));
                    terms
                };
                let mut entry = entry::disclosure(ask, terms, &history, &bytes, context.entropy);
                entry.detail.authority.clone_from(&authority);
                entries.push(entry);
                items.push(Item::Disclosed(Box::new(Disclosed { history: *history, bytes })));
            }
        }
    }
    Ok((items, entries))
}
