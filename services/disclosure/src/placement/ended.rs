//! Stays, and what was told of them, at the end of their time: both go together, and not before whoever was told must have destroyed it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use identity::placement::{StayOver, destroy, list_over, list_owners, list_persons_placed};
use ledger::Kind;
use model::{ConsumerId, Masked, SourcePersonId};
use pg::{Role, Tx};
use uuid::Uuid;

use super::plan::{PlacementEvent, Times};
use crate::{
    Ask, Context, Error,
    decided::set_moment,
    entry,
    store::{self, placement as notices},
};

/// The code of the act by which they are destroyed.
const REASON: &str = "placements_destroyed";

/// Whose stays go, and when.
#[derive(Clone, Copy, Debug)]
pub struct PlacementsKept<'a> {
    /// Who reports them.
    pub reporter: &'a ConsumerId,
    /// Who is told of them.
    pub recipient: &'a ConsumerId,
    /// For how many days after the release they are kept in any case; longer while the recipient's agreement lets a notice be held.
    pub days: u32,
}

/// What went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlacementsEnded {
    /// Stays.
    pub stays: u64,
    /// Notices about them.
    pub notices: u64,
    /// Stays as old that wait: an order or a hold of the law is in force about the student, something was told of them since, or whoever was told
    /// has not learnt yet that it was wrong.
    pub waiting: u64,
}

/// A stay whose time is over.
#[derive(Clone, Debug)]
pub struct EndedStay {
    /// The client, by the reporter's own person id.
    pub person_key: Masked<String>,
    /// Since when it is over.
    pub since: DateTime<Utc>,
    /// It waits: see [`PlacementsEnded::waiting`].
    pub waits: bool,
}

/// Destroys the stays whose time is over, and the notices about them. An act is entered that counts them. While anything is sealed after a restore nothing goes.
/// `own` is the SEA's own ask.
pub async fn end_placements(
    context: Context<'_>,
    own: &Ask<'_>,
    of: PlacementsKept<'_>,
) -> Result<PlacementsEnded, Error> {
    let ended = transaction("disclosure.end_placements", of)
        .run(context.pool, |tx| Box::pin(async move { end(tx, context, own, of).await }))
        .await;
    match ended {
        Err(Error::Sealed) => Ok(PlacementsEnded::default()),
        ended => ended,
    }
}

/// The stays whose time is over, the oldest first: what [`end_placements`] would destroy now, and what waits.
pub async fn list_ended(context: Context<'_>, own: &Ask<'_>, of: PlacementsKept<'_>) -> Result<Vec<EndedStay>, Error> {
    transaction("disclosure.list_ended_placements", of)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, own, Role::Agreements).await?;
                let found = find(tx, context, of, at).await?.into_iter();
                Ok(found
                    .map(|(stay, waits)| EndedStay { person_key: stay.person_key, since: stay.since, waits })
                    .collect())
            })
        })
        .await
}

fn transaction(name: &'static str, of: PlacementsKept<'_>) -> pg::Transaction {
    pg::transaction(name, Role::Agreements)
        .setting("consumer", of.recipient.as_str())
        .setting("reporter", of.reporter.as_str())
}

async fn end(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    own: &Ask<'_>,
    of: PlacementsKept<'_>,
) -> Result<PlacementsEnded, Error> {
    tx.act_as(Role::Disclosure).await?;
    store::hold_population(tx, of.reporter).await?;
    store::hold_population(tx, of.recipient).await?;
    let at = set_moment(tx, context, own, Role::Agreements).await?;
    let found = find(tx, context, of, at).await?;
    let go: Vec<Uuid> = found.iter().filter(|(_, waits)| !waits).map(|(stay, _)| stay.placement).collect();
    let waiting = (found.len() - go.len()) as u64;
    if go.is_empty() {
        return Ok(PlacementsEnded { waiting, ..PlacementsEnded::default() });
    }
    tx.act_as(Role::Placement).await?;
    destroy(tx, of.reporter, &go).await?;
    tx.act_as(Role::Steward).await?;
    let notices = notices::delete_of_placements(tx, of.recipient, &go).await?;
    tx.act_as(Role::Agreements).await?;
    let in_force = context.agreements.load_active(tx, own.consumer, at).await?;
    let terms = entry::terms_of_ask(own.consumer, in_force.as_deref())?;
    let mut entry = entry::act(own, Kind::Act, terms, at, context.entropy);
    entry.reason = Some(REASON.to_owned());
    entry.count = Some(go.len() as u64);
    let words = format!("stays reported by {} and what {} was told of them", of.reporter, of.recipient);
    entry.detail.authority = Some(Masked::new(words));
    tx.act_as(Role::Ledger).await?;
    ledger::record_one(tx, &entry).await?;
    Ok(PlacementsEnded { stays: go.len() as u64, notices, waiting })
}

/// The stays whose time is over, and whether each waits.
async fn find(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    of: PlacementsKept<'_>,
    at: DateTime<Utc>,
) -> Result<Vec<(StayOver, bool)>, Error> {
    tx.act_as(Role::Agreements).await?;
    let in_force = context.agreements.load_active(tx, of.recipient, at).await?;
    let held = in_force.map_or(at, |in_force| Times::of(in_force.terms(), at).over_before());
    let before = held.min(at - TimeDelta::days(i64::from(of.days)));
    tx.act_as(Role::Placement).await?;
    let over = list_over(tx, of.reporter, before).await?;
    if over.is_empty() {
        return Ok(Vec::new());
    }
    let keys: BTreeSet<String> = over.iter().map(|stay| stay.person_key.expose().clone()).collect();
    let keys: Vec<String> = keys.into_iter().collect();
    tx.act_as(Role::Disclosure).await?;
    let placements: BTreeSet<Uuid> = over.iter().map(|stay| stay.placement).collect();
    let mut made = notices::list_of_placements(tx, of.recipient).await?;
    made.retain(|one| placements.contains(&one.placement));
    tx.act_as(Role::Identity).await?;
    let persons = list_persons_placed(tx, of.reporter, &keys, at).await?;
    let told: Vec<SourcePersonId> = made.iter().map(|one| one.person).collect();
    let free = list_owners(tx, &told, at).await?;
    tx.act_as(Role::Steward).await?;
    let all: Vec<SourcePersonId> = persons.iter().map(|(_, person, _)| *person).chain(told).collect();
    let under_order = notices::list_under_any_order(tx, &all).await?;
    let waits = |stay: &StayOver| {
        let is_theirs = |key: &String| key == stay.person_key.expose();
        let is_held = |(key, person, is_restricted): &(String, SourcePersonId, bool)| {
            is_theirs(key) && (*is_restricted || under_order.contains(person))
        };
        persons.iter().any(is_held)
            || made.iter().filter(|one| one.placement == stay.placement).any(|one| {
                let last = one.delivered_at.unwrap_or(one.at);
                // With the stay would go that whoever was told is still to learn that it was wrong.
                let is_unlearnt = one.event == PlacementEvent::Retracted && one.delivered_at.is_none();
                let is_kept = under_order.contains(&one.person) || !free.contains_key(&one.person);
                before <= last || is_unlearnt || is_kept
            })
    };
    Ok(over.into_iter().map(|stay| (waits(&stay), stay)).map(|(waits, stay)| (stay, waits)).collect())
}
