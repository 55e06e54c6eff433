//! What a receiver holds of a client whom it may not see any longer, or of another child than it thought: it is told to stop and to destroy.
//!
//! A notice goes to whoever was sent something, by the way that it was sent, and to nobody else: it tells a receiver nothing about people who are not
//! its own. Each is an entry of the ledger, and is sent again until it has arrived.

use std::collections::{BTreeMap, HashMap};

use agreements::{Delivery, InForce};
use chrono::{DateTime, NaiveDate, Utc};
use ledger::{Entry, Kind};
use model::{DisclosureId, Masked, StudentId};
use pg::{Role, Tx};
use sha2::{Digest as _, Sha256};

use crate::{
    Ask, Context, Error,
    decided::set_moment,
    entry, retention,
    store::holding::{self as store, Held, NewWithdrawal},
};

/// Which receiver: the way, the office and the purpose of a feed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feed<'a> {
    pub(crate) delivery: &'a str,
    pub(crate) office: &'a str,
    pub(crate) purpose: &'a str,
}

impl<'a> Feed<'a> {
    /// The feed that an ask is of.
    pub(crate) fn of(ask: &Ask<'a>) -> Self {
        Self {
            delivery: ask.delivery.as_str(),
            office: ask.office.unwrap_or_default(),
            purpose: ask.purpose.unwrap_or_default(),
        }
    }
}

/// Whether notices go with what is asked: with a run of a stream or of files, about the present.
pub(crate) const fn carries_notices(ask: &Ask<'_>) -> bool {
    matches!(ask.delivery, Delivery::Stream | Delivery::File) && ask.run.is_some() && ask.as_of.is_none()
}

/// A notice to stop using what was sent of a client, and to destroy it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    /// Its entry in the ledger.
    pub id: DisclosureId,
    /// The client by the recipient's own person id.
    pub person_key: Masked<String>,
    /// Whose it was.
    pub(crate) student: StudentId,
    /// Why, by code: `authority_ended`, `match_undone` or `not_available`.
    pub reason: &'static str,
    /// The last day on which it may be held, in the recipient's zone.
    pub destroy_by: NaiveDate,
}

impl Withdrawn {
    /// What the digest of the notice is taken over: who, why and until when, a line each.
    fn said(&self) -> String {
        format!("{}\n{}\n{}\n", self.person_key.expose(), self.reason, self.destroy_by)
    }

    /// Its entry.
    pub(crate) fn entry(
        &self,
        ask: &Ask<'_>,
        terms: std::sync::Arc<ledger::Terms>,
        at: DateTime<Utc>,
        context: Context<'_>,
    ) -> Entry {
        let digest = Sha256::digest(self.said()).into();
        let mut entry = entry::run(ask, Kind::Withdrawal, terms, self.id, (1, digest), at, context.entropy);
        entry.count = None;
        entry.reason = Some(self.reason.to_owned());
        entry.detail.student = Some(self.student);
        entry
    }
}

/// The clients a run is about, behind `after`, by the recipient's own person id: whoever is on its roster with
/// authority in force, known to the state or not, its population, and whoever it was sent something of.
pub async fn list_due(context: Context<'_>, ask: &Ask<'_>, after: &str, limit: u32) -> Result<Vec<String>, Error> {
    pg::transaction("disclosure.due", Role::Disclosure)
        .keep_plans()
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                set_moment(tx, context, ask, Role::Disclosure).await?;
                store::list_due(tx, ask.consumer, Feed::of(ask), after, i64::from(limit)).await
            })
        })
        .await
}

/// Makes the notices about clients, by client: why, and until when what was sent may be held.
pub(crate) async fn notices(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    (ask, in_force, at): (&Ask<'_>, &InForce, DateTime<Utc>),
    held: &HashMap<String, Held>,
    person_keys: &[&str],
) -> Result<BTreeMap<String, Withdrawn>, Error> {
    let students: Vec<StudentId> =
        person_keys.iter().filter_map(|key| held.get(*key)).map(|one| StudentId(one.student)).collect();
    if students.is_empty() {
        return Ok(BTreeMap::new());
    }
    tx.act_as(Role::Identity).await?;
    let ends = identity::inspection::list_ends(tx, ask.consumer, &students).await?;
    tx.act_as(Role::Disclosure).await?;
    let mut notices = BTreeMap::new();
    for key in person_keys {
        let Some(one) = held.get(*key) else { continue };
        let end = ends.iter().find(|end| end.student.0 == one.student && end.person_key.expose() == key);
        let ended_at = end.and_then(|end| end.ended_at).filter(|ended_at| *ended_at <= at);
        let (reason, cause, since) = match (one.cause.as_deref(), one.queued_at, ended_at) {
            (Some("erased"), since, _) => {
                ("not_available", retention::Cause::CalledBack(String::new()), since.unwrap_or(at))
            }
            (Some(_), since, _) => ("match_undone", retention::Cause::CalledBack(String::new()), since.unwrap_or(at)),
            (None, _, Some(ended_at)) => ("authority_ended", retention::Cause::AuthorityEnded, ended_at),
            // It may come back, as when a doubt is settled: to be stopped now, and destroyed when the agreement says so.
            (None, ..) => ("not_available", retention::Cause::AuthorityEnded, at),
        };
        let notice = Withdrawn {
            id: model::disclosure_id(context.entropy),
            person_key: Masked::new((*key).to_owned()),
            student: StudentId(one.student),
            reason,
            destroy_by: retention::destroy_by(in_force, &cause, since),
        };
        notices.insert((*key).to_owned(), notice);
    }
    Ok(notices)
}

/// Keeps notices that a run carries, in the transaction that enters them.
pub(crate) async fn keep(
    tx: &mut Tx<'_, '_>,
    ask: &Ask<'_>,
    at: DateTime<Utc>,
    sent: &[&Withdrawn],
) -> Result<(), Error> {
    let (Some(run), false) = (ask.run, sent.is_empty()) else { return Ok(()) };
    let rows: Vec<NewWithdrawal<'_>> = sent
        .iter()
        .map(|one| NewWithdrawal {
            id: one.id.0,
            person_key: one.person_key.expose(),
            student: one.student.0,
            reason: one.reason,
            destroy_by: one.destroy_by,
        })
        .collect();
    store::insert_withdrawals(tx, ask.consumer, Feed::of(ask), (run, at), &rows).await
}

/// Notes that all that the files of a consumer have carried so far has arrived: histories are held, what was withdrawn is held no longer.
pub async fn confirm_files(context: Context<'_>, consumer: &model::ConsumerId) -> Result<(), Error> {
    let at = context.clock.now();
    pg::transaction("disclosure.confirm_files", Role::Disclosure)
        .setting("consumer", consumer.as_str())
        .run(context.pool, |tx| {
            Box::pin(async move {
                for run in store::list_unconfirmed_files(tx, consumer).await? {
                    store::confirm_histories(tx, consumer, run, None, at).await?;
                    store::confirm_withdrawals(tx, consumer, run, at).await?;
                }
                Ok::<_, Error>(())
            })
        })
        .await
}
