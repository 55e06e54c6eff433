//! The personal part of ledger entries ends with its time: not before the education record that it is about (34 CFR 99.32(a)(2)), and not before the days
//! that the configuration keeps it in any case. Leaves and proofs stay, and each part of the log that was gone through enters what it destroyed.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ledger::{DetailOf, Kind};
use model::{ConsumerId, DisclosureId, Masked, StudentId};
use pg::{Role, Tx};

use crate::{Ask, Context, Error, decided::set_moment, entry};

/// A part of the log as it was gone through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Personal parts that were destroyed.
    pub erased: u64,
    /// Personal parts as old whose education record is kept: they stay with it.
    pub kept: u64,
    /// The last position that was looked at, behind which to go on; `None`: that was all.
    pub last: Option<u64>,
}

/// Destroys the personal part of entries decided before a time, of one part of the log behind `after`, in a transaction of its own: those about persons of
/// whom no record is kept. Begun anew it finds what is left. `own` is the SEA's own ask.
pub async fn erase_older_details(
    context: Context<'_>,
    own: &Ask<'_>,
    older_than: DateTime<Utc>,
    (after, limit): (Option<u64>, u32),
) -> Result<Expired, Error> {
    pg::transaction("disclosure.erase_older_details", Role::Ledger)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, own, Role::Ledger).await?;
                let page = ledger::list_older_details(tx, older_than, after, limit).await?;
                let kept = Kept::load(tx, &page.details).await?;
                let gone: BTreeSet<DisclosureId> =
                    page.details.iter().filter(|one| !kept.holds(one)).map(|one| one.entry).collect();
                if !gone.is_empty() {
                    destroy(tx, context, own, (&gone, older_than), at).await?;
                }
                let erased = gone.len() as u64;
                Ok(Expired { erased, kept: page.details.len() as u64 - erased, last: page.last })
            })
        })
        .await
}

/// Forgets the ids of the oldest calls that were answered before a time, about as many as `limit`; how many, and none when that was all. Nothing personal goes
/// with them, so it is no erasure and no entry.
pub async fn forget_requests(context: Context<'_>, before: DateTime<Utc>, limit: u32) -> Result<u64, Error> {
    pg::run_tx(context.pool, "disclosure.forget_requests", Role::Steward, |tx| {
        Box::pin(async move { Ok(ledger::forget_requests(tx, before, limit).await?) })
    })
    .await
}

/// The reason that the entry of such an erasure bears.
const REASON: &str = "retention";

async fn destroy(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    own: &Ask<'_>,
    (gone, older_than): (&BTreeSet<DisclosureId>, DateTime<Utc>),
    at: DateTime<Utc>,
) -> Result<(), Error> {
    tx.act_as(Role::Agreements).await?;
    let in_force = context.agreements.load_active(tx, own.consumer, at).await?;
    let terms = entry::terms_of_ask(own.consumer, in_force.as_deref())?;
    let mut entry = entry::act(own, Kind::Erasure, terms, at, context.entropy);
    entry.count = Some(gone.len() as u64);
    entry.reason = Some(REASON.to_owned());
    entry.detail.digest = Some(ledger::erasure_fingerprint(gone));
    let words = format!("retention of personal detail: before {}", older_than.date_naive());
    entry.detail.authority = Some(Masked::new(words));
    tx.act_as(Role::Steward).await?;
    Ok(ledger::erase_details(tx, &entry, gone).await?)
}

/// Of whom records are kept.
struct Kept {
    students: BTreeSet<StudentId>,
    clients: BTreeSet<(ConsumerId, String)>,
}

impl Kept {
    async fn load(tx: &mut Tx<'_, '_>, details: &[DetailOf]) -> Result<Self, Error> {
        let students = details.iter().filter_map(|one| one.student).collect();
        let clients = details.iter().filter_map(client).collect();
        tx.act_as(Role::Identity).await?;
        let (students, clients) = identity::erase::list_kept(tx, &students, &clients).await?;
        Ok(Self { students, clients })
    }

    fn holds(&self, one: &DetailOf) -> bool {
        one.student.is_some_and(|student| self.students.contains(&student))
            || client(one).is_some_and(|client| self.clients.contains(&client))
    }
}

fn client(of: &DetailOf) -> Option<(ConsumerId, String)> {
    of.client.as_ref().map(|(consumer, key)| (consumer.clone(), key.expose().clone()))
}
