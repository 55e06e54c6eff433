//! What the way out holds of a student who is erased: who is told to destroy what they received, and the personal part of ledger entries.

use std::collections::{BTreeMap, BTreeSet};

use ledger::{Audience, Kind, RecordedEntry};
use model::{ConsumerId, DisclosureId, Domain, Masked, SourcePersonId, StudentId};
use pg::{Role, Tx};

use crate::{
    Ask, Context, Error,
    decided::set_moment,
    entry,
    recall::{Cause, Recalled, enter},
    store::{
        erase as store,
        placement::{self as notices, Destruction},
        recall as queue,
    },
};

/// What is erased, on whose order.
#[derive(Clone, Copy, Debug)]
pub struct Erased<'a> {
    /// Whose records: in a database restored from a backup perhaps still several students.
    pub students: &'a [StudentId],
    /// By which of the state's identifiers they are known.
    pub persons: &'a [SourcePersonId],
    /// The one domain of which a fact goes; none: everything.
    pub domain: Option<Domain>,
    /// Whoever was ever matched with the student, by agency, the earliest first.
    pub clients: &'a [Holder],
    /// The number of the order.
    pub order_number: &'a str,
    /// The two stewards who signed it.
    pub approved_by: &'a [String],
}

/// A client under whose id an agency may hold something of the student.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The agency.
    pub consumer: ConsumerId,
    /// Its client, by its own id.
    pub person_key: Masked<String>,
    /// Since when it was the student.
    pub since: chrono::DateTime<chrono::Utc>,
}

/// What an erasure came to here.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Disclosures that are called back from whoever holds them.
    pub recalled: Vec<Recalled>,
    /// Ledger entries whose personal part was destroyed; their leaves stay, and proofs with them.
    pub details: u64,
}

/// Enters that one of the SEA's own people looks at what there is of a student, before they are told.
pub async fn record_look(context: Context<'_>, own: &Ask<'_>, student: StudentId) -> Result<(), Error> {
    pg::transaction("disclosure.record_look", Role::Steward)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, own, Role::Agreements).await?;
                let in_force = context.agreements.load_active(tx, own.consumer, at).await?;
                let terms = entry::terms_of_ask(own.consumer, in_force.as_deref())?;
                let root = ledger::students_root(&BTreeSet::from([student]));
                let id = model::disclosure_id(context.entropy);
                let mut entry = entry::run(own, Kind::Access, terms, id, (1, root.0), at, context.entropy);
                entry.detail.student = Some(student);
                tx.act_as(Role::Ledger).await?;
                Ok::<_, Error>(ledger::record_one(tx, &entry).await?)
            })
        })
        .await
}

/// A disclosure that holds what is erased.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its id.
    pub disclosure: DisclosureId,
    /// To which agency.
    pub consumer: ConsumerId,
    /// When.
    pub decided_at: chrono::DateTime<chrono::Utc>,
    /// The run it belongs to, as a manifest says it.
    pub run: Option<String>,
}

/// The disclosures of students that hold what is erased, for whoever clears stored deliveries.
pub async fn list_disclosures(
    pool: &pg::Pool,
    students: &[StudentId],
    domain: Option<Domain>,
) -> Result<Vec<Held>, Error> {
    let held = |entry: RecordedEntry| Held {
        disclosure: entry.id,
        consumer: entry.consumer,
        decided_at: entry.decided_at,
        run: entry.run.map(|run| run.to_string()),
    };
    pg::run_tx(pool, "disclosure.list_to_erase", Role::Ledger, |tx| {
        Box::pin(async move { Ok::<_, Error>(holding(tx, students, domain).await?.into_iter().map(held).collect()) })
    })
    .await
}

/// Queues recalls of what is erased, and that districts must destroy what they were told of placements, and destroys the personal part of the entries about a whole student, with an entry that says on whose authority, in
/// the caller's transaction. `own` is the SEA's own ask.
pub async fn erase(tx: &mut Tx<'_, '_>, context: Context<'_>, own: &Ask<'_>, what: Erased<'_>) -> Result<Told, Error> {
    let at = set_moment(tx, context, own, Role::Ledger).await?;
    let entries = holding(tx, what.students, what.domain).await?;
    let recalled: Vec<Recalled> = entries.into_iter().filter_map(|entry| recalled(entry, &what)).collect();
    let by = what.approved_by.join(" and ");
    if what.domain.is_none() {
        let mut keys: BTreeMap<&ConsumerId, Vec<String>> = BTreeMap::new();
        for holder in what.clients {
            keys.entry(&holder.consumer).or_default().push(holder.person_key.expose().clone());
        }
        tx.act_as(Role::Disclosure).await?;
        for (consumer, keys) in &keys {
            tx.set("consumer", consumer.as_str()).await?;
            queue::delete_delivered(tx, what.students).await?;
            store::delete_held(tx, what.students, keys).await?;
        }
    }
    enter(tx, Cause::Erased, &recalled, (&by, at)).await?;
    tx.act_as(Role::Agreements).await?;
    let in_force = context.agreements.load_active(tx, own.consumer, at).await?;
    let terms = entry::terms_of_ask(own.consumer, in_force.as_deref())?;
    tx.act_as(Role::Steward).await?;
    if what.domain.is_none() {
        let told = notices::erase(tx, what.students, what.persons).await?.into_iter();
        let queued: Vec<Destruction> = told
            .map(|(destroys, consumer, office)| Destruction { id: context.entropy.uuid(), destroys, consumer, office })
            .collect();
        notices::queue_destructions(tx, &queued, at).await?;
    }
    let named: Vec<(ConsumerId, String)> =
        what.clients.iter().map(|one| (one.consumer.clone(), one.person_key.expose().clone())).collect();
    let details = match what.domain {
        None => ledger::list_details(tx, what.students, &named).await?,
        Some(_) => BTreeSet::new(),
    };
    let mut entry = entry::act(own, Kind::Erasure, terms, at, context.entropy);
    entry.count = Some(details.len() as u64);
    entry.detail.digest = Some(ledger::erasure_fingerprint(&details));
    entry.detail.person = Some(Masked::new(by));
    entry.detail.authority = Some(Masked::new(format!("erasure order {}", what.order_number)));
    ledger::erase_details(tx, &entry, &details).await?;
    Ok(Told { recalled, details: details.len() as u64 })
}

/// The disclosures of students that may hold something of a domain.
async fn holding(
    tx: &mut Tx<'_, '_>,
    students: &[StudentId],
    domain: Option<Domain>,
) -> Result<Vec<RecordedEntry>, Error> {
    let prefix = domain.map(|domain| format!("{}.", domain.name()));
    let mut found = Vec::new();
    for student in students {
        let mut after = None;
        loop {
            let page = ledger::disclosures_of(tx, *student, Audience::Auditor, after, ledger::PAGE_ENTRIES_MAX).await?;
            after = page.last().map(RecordedEntry::cursor);
            let is_last = page.len() < ledger::PAGE_ENTRIES_MAX as usize;
            found.extend(page.into_iter().filter(|entry| {
                let holds = |prefix: &String| entry.elements.iter().any(|element| element.starts_with(prefix.as_str()));
                entry.kind == Kind::Disclosure && prefix.as_ref().is_none_or(holds)
            }));
            if is_last {
                break;
            }
        }
    }
    Ok(found)
}

/// A disclosure as it is called back: under the client who was the student when it was made.
fn recalled(entry: RecordedEntry, what: &Erased<'_>) -> Option<Recalled> {
    let of_party = || what.clients.iter().filter(|holder| holder.consumer == entry.consumer);
    let then = of_party().filter(|holder| holder.since <= entry.decided_at).max_by_key(|holder| holder.since);
    let holder = then.or_else(|| of_party().next())?;
    Some(Recalled {
        disclosure: entry.id,
        person_key: holder.person_key.clone(),
        student: entry.student?,
        disclosed_at: entry.decided_at,
        delivery: entry.delivery.to_string(),
        consumer: entry.consumer,
    })
}
