//! How long recipients may keep what they received: when it is due to be destroyed, what they attest, and what is overdue.
//!
//! What a recipient holds is what the ledger says it was sent. It is due the agreement's days after authority over the student has ended, or at once
//! where it was called back, or when a notice said so to whom it may not be told of any more though authority goes on: after an adjudication, from an
//! eighteenth birthday. The attestation is due the agreement's days after that.

use std::collections::BTreeMap;

use agreements::InForce;
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use ledger::Kind;
use model::{DisclosureId, Masked, StudentId};
use pg::{Role, Tx};
use uuid::Uuid;

use crate::{Ask, Context, Error, attested::Statement, decided::set_moment, entry, store::retention as store};

/// Why something is to be destroyed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The recipient's authority over the student has ended.
    AuthorityEnded,
    /// It was called back: a wrong match, or an erasure, by the queue's word.
    CalledBack(String),
    /// A notice told the recipient to stop, for another reason: the basis has ended, or the record is not available any more.
    Stopped,
}

/// Something that a recipient holds and has to destroy.
#[derive(Clone, Debug)]
pub struct Due {
    /// The client, by the recipient's own id.
    pub person_key: Masked<String>,
    /// Why.
    pub cause: Cause,
    /// Since when: the end of authority, or the moment of the recall or the notice.
    pub since: DateTime<Utc>,
    /// When it was last disclosed.
    pub disclosed_at: DateTime<Utc>,
    /// The last day on which it may be held, in the recipient's zone.
    pub destroy_by: NaiveDate,
    /// The last day for the attestation.
    pub attest_by: NaiveDate,
}

impl Due {
    /// Whether the attestation should have come before this day.
    pub fn is_overdue(&self, today: NaiveDate) -> bool {
        self.attest_by < today
    }
}

/// What a recipient attests.
#[derive(Clone, Debug)]
pub struct Attestation {
    /// The clients, by the recipient's own ids.
    pub person_keys: Vec<String>,
    /// The day of the destruction.
    pub destroyed_on: NaiveDate,
    /// How.
    pub method: String,
    /// Who signed for the recipient.
    pub attested_by: String,
    /// Where the paper is.
    pub reference: String,
    /// The steward who enters it, or the recipient's own system.
    pub recorded_by: String,
}

/// What a recipient has to destroy and has not attested, the most urgent first, and the day it is in the recipient's zone.
pub async fn list_due(context: Context<'_>, ask: &Ask<'_>) -> Result<(Vec<Due>, NaiveDate), Error> {
    pg::transaction("disclosure.list_due", Role::Disclosure)
        .setting("consumer", ask.consumer.as_str())
        .statement_timeout(STATEMENT_TIMEOUT)
        .run(context.pool, |tx| Box::pin(async move { due_in(tx, context, ask).await }))
        .await
}

/// The ledger is read over a recipient's whole record.
const STATEMENT_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(10);

async fn due_in(tx: &mut Tx<'_, '_>, context: Context<'_>, ask: &Ask<'_>) -> Result<(Vec<Due>, NaiveDate), Error> {
    let at = set_moment(tx, context, ask, Role::Agreements).await?;
    let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
    let in_force = in_force.ok_or(Error::Invalid("this consumer never had an agreement in force"))?;
    tx.act_as(Role::Ledger).await?;
    let sent = ledger::list_last_disclosed(tx, ask.consumer).await?;
    let sent: BTreeMap<StudentId, DateTime<Utc>> = sent.into_iter().collect();
    tx.act_as(Role::Identity).await?;
    let students: Vec<StudentId> = sent.keys().copied().collect();
    let ends = identity::inspection::list_ends(tx, ask.consumer, &students).await?;
    tx.act_as(Role::Disclosure).await?;
    let mut due: Vec<Due> = Vec::new();
    for end in ends {
        let (Some(ended_at), Some(disclosed_at)) = (end.ended_at, sent.get(&end.student)) else { continue };
        if ended_at <= at {
            due.push(of(&in_force, end.person_key, Cause::AuthorityEnded, ended_at, *disclosed_at));
        }
    }
    for recall in store::list_recalls(tx).await? {
        let cause = Cause::CalledBack(recall.cause);
        due.push(of(&in_force, Masked::new(recall.person_key), cause, recall.queued_at, recall.disclosed_at));
    }
    for notice in store::list_stopped(tx, ask.consumer).await? {
        // Sent again since, it may be held again.
        let sent_at = sent.get(&StudentId(notice.student_id)).filter(|sent_at| **sent_at < notice.recorded_at);
        let is_due = |one: &Due| *one.person_key.expose() == notice.person_key;
        if let (Some(disclosed_at), false) = (sent_at, due.iter().any(is_due)) {
            due.push(Due {
                person_key: Masked::new(notice.person_key),
                cause: Cause::Stopped,
                since: notice.recorded_at,
                disclosed_at: *disclosed_at,
                destroy_by: notice.destroy_by,
                attest_by: attest_by(&in_force, notice.destroy_by),
            });
        }
    }
    let zone = in_force.plan().zone();
    let attested: BTreeMap<String, DateTime<Utc>> = store::list_attested(tx, zone.name()).await?.into_iter().collect();
    due.retain(|one| attested.get(one.person_key.expose()).is_none_or(|until| *until < one.disclosed_at));
    due.sort_by(|a, b| (a.attest_by, a.person_key.expose()).cmp(&(b.attest_by, b.person_key.expose())));
    due.dedup_by(|a, b| a.person_key.expose() == b.person_key.expose() && a.cause == b.cause);
    Ok((due, at.with_timezone(&zone).date_naive()))
}

/// The dates that follow from the agreement's terms. An end is an instant: the day before it is the last day of authority.
fn of(
    in_force: &InForce,
    person_key: Masked<String>,
    cause: Cause,
    since: DateTime<Utc>,
    disclosed_at: DateTime<Utc>,
) -> Due {
    let destroy_by = destroy_by(in_force, &cause, since);
    let attest_by = attest_by(in_force, destroy_by);
    Due { person_key, cause, since, disclosed_at, destroy_by, attest_by }
}

fn attest_by(in_force: &InForce, destroy_by: NaiveDate) -> NaiveDate {
    days_after(destroy_by, in_force.terms().retention.attest_within_days)
}

fn days_after(day: NaiveDate, count: i32) -> NaiveDate {
    day.checked_add_days(Days::new(u64::from(count.unsigned_abs()))).unwrap_or(NaiveDate::MAX)
}

/// The last day on which something may be held, in the recipient's zone.
pub(crate) fn destroy_by(in_force: &InForce, cause: &Cause, since: DateTime<Utc>) -> NaiveDate {
    let zone = in_force.plan().zone();
    let last_day = |instant: DateTime<Utc>| (instant - TimeDelta::microseconds(1)).with_timezone(&zone).date_naive();
    match cause {
        Cause::AuthorityEnded => days_after(last_day(since), in_force.terms().retention.days),
        Cause::CalledBack(_) | Cause::Stopped => since.with_timezone(&zone).date_naive(),
    }
}

/// Clients of the transaction's consumer by the notices that it was sent of them: those of the notices that are its own, in no order.
pub async fn list_noticed(
    context: Context<'_>,
    ask: &Ask<'_>,
    notices: &[Uuid],
) -> Result<Vec<(Uuid, Masked<String>)>, Error> {
    pg::transaction("disclosure.list_noticed", Role::Disclosure)
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| Box::pin(async move { store::list_noticed(tx, ask.consumer, notices).await }))
        .await
}

/// Enters a recipient's attestation: one row and one ledger entry a client, all or none. Whoever is not to be destroyed now may be attested too. Gives the entries,
/// in the order of the clients.
pub async fn attest(
    context: Context<'_>,
    ask: &Ask<'_>,
    attestation: &Attestation,
) -> Result<Vec<DisclosureId>, Error> {
    let Attestation { person_keys: _, destroyed_on: _, method, attested_by, reference, recorded_by } = attestation;
    if [method, attested_by, reference, recorded_by].into_iter().any(|text| text.trim().is_empty()) {
        return Err(Error::Invalid("an attestation names who signed, how it was destroyed and where the paper is"));
    }
    let entered = pg::transaction("disclosure.attest", Role::Disclosure)
        .setting("consumer", ask.consumer.as_str())
        .run(context.pool, |tx| Box::pin(async move { attest_in(tx, context, ask, attestation).await }))
        .await;
    match (entered, ask.request) {
        (Err(Error::Ledger(ledger::Error::Answered(_))), Some(mark)) => {
            Err(entry::answered_before(context, mark).await)
        }
        (entered, _) => entered,
    }
}

async fn attest_in(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    ask: &Ask<'_>,
    attestation: &Attestation,
) -> Result<Vec<DisclosureId>, Error> {
    let Attestation { person_keys, destroyed_on, method, attested_by, reference, recorded_by } = attestation;
    let at = set_moment(tx, context, ask, Role::Agreements).await?;
    let in_force = context.agreements.load_active(tx, ask.consumer, at).await?;
    let zone = in_force.as_ref().map_or(chrono_tz::UTC, |in_force| in_force.plan().zone());
    if *destroyed_on > at.with_timezone(&zone).date_naive() {
        return Err(Error::Invalid("what is attested has been done: its day is not to come"));
    }
    let terms = entry::terms_of_ask(ask.consumer, in_force.as_deref())?;
    let entry_of = |person_key: &String| {
        let destroyed_on = *destroyed_on;
        let stated = Statement { person_key, destroyed_on, method, attested_by, reference, recorded_by };
        let mut entry = entry::act(ask, Kind::Attestation, std::sync::Arc::clone(&terms), at, context.entropy);
        entry.reason = Some(stated.day());
        entry.detail.person = Some(Masked::new(attested_by.clone()));
        entry.detail.on_behalf_of = Some(Masked::new(format!("entered by {recorded_by}")));
        entry.detail.authority = Some(Masked::new(format!("client {person_key}")));
        entry.detail.digest = Some(stated.digest());
        entry
    };
    let entries: Vec<ledger::Entry> = person_keys.iter().map(entry_of).collect();
    let ids: Vec<DisclosureId> = entries.iter().map(|entry| entry.id).collect();
    tx.act_as(Role::Ledger).await?;
    ledger::record_chunk(tx, &entries).await?;
    if let (Some(mark), Some(first)) = (ask.request, ids.first()) {
        ledger::remember_request(tx, mark, *first, at).await?;
    }
    tx.act_as(Role::Disclosure).await?;
    store::insert_attestations(tx, (ask.consumer, &ids), attestation, at).await?;
    Ok(ids)
}
