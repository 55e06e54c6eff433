//! The way in for rosters: clients and authority go to `identity`, the papers a roster reports go on file with the agreements.

use std::{collections::BTreeSet, path::Path};

use agreements::{Agreements, InstrumentKind, Interval, NewInstrument, REPORTED, Reported, Settled};
use chrono::{DateTime, Days, NaiveDate, Utc};
use history::TombstoneKey;
use identity::{
    population::{RosterFile, RosterReceipt, day_begins, rebuild, take_roster},
    roster::{ClientDetails, RosterKind, RosterLayout, RosterRow, read},
};
use model::{ConsumerId, Masked};
use pg::{Role, Tx, crash::CrashPoint};
use sha2::{Digest, Sha256};

/// How long an order is taken to hold at most, from the first day of the authority it supports: five years.
const ORDER_DAYS_MAX: u64 = 1_826;

/// Why a roster could not be taken. A bad roster is no error: it is a receipt that says so.
#[derive(Debug, thiserror::Error)]
pub enum RosterError {
    /// The file could not be read.
    #[error("the roster cannot be read")]
    File(#[source] std::io::Error),
    /// The database did not answer, or refused.
    #[error("the roster could not be recorded")]
    Unavailable(#[from] pg::Error),
    /// The tombstones could not be read.
    #[error("the roster could not be held against what was erased")]
    History(#[from] history::Error),
    /// The papers could not be put on file.
    #[error("the releases could not be put on file")]
    Agreements(#[from] agreements::Error),
}

impl From<sqlx::Error> for RosterError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

/// A roster taken.
#[derive(Debug)]
pub struct Taken {
    /// The sender's receipt.
    pub receipt: RosterReceipt,
    /// Releases newly put on file.
    pub releases: u64,
    /// Court orders that the roster reports and two stewards have approved, put on file.
    pub approved: u64,
    /// Court orders that the roster reports: each opens nothing until two stewards approve it, and a roster reports it again.
    pub orders: Vec<NewInstrument>,
}

/// Reads the bytes of a roster file.
pub fn read_file(path: &Path) -> Result<Vec<u8>, RosterError> {
    std::fs::read(path).map_err(RosterError::File)
}

/// A roster as it comes in.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Who sent it.
    pub consumer: &'a ConsumerId,
    /// Its name.
    pub file_name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The day it speaks of.
    pub roster_date: NaiveDate,
    /// When it came.
    pub at: DateTime<Utc>,
    /// The steward who has made sure that it is right although it is much smaller than the last.
    pub accepted_by: Option<&'a str>,
    /// The secret of tombstones: of a client who was erased with their student nothing but the agency's own id is kept.
    pub tombstones: &'a TombstoneKey,
}

/// Takes a roster in one transaction; the population follows in the same one, for matches that exist.
pub async fn take(
    pool: &pg::Pool,
    (agreements, tombstones): (&Agreements, &TombstoneKey),
    layout: &RosterLayout,
    (consumer, file_name, bytes): (&ConsumerId, &str, &[u8]),
    (roster_date, at): (NaiveDate, DateTime<Utc>),
) -> Result<Taken, RosterError> {
    let incoming = Incoming { consumer, file_name, bytes, roster_date, at, accepted_by: None, tombstones };
    take_accepted(pool, agreements, layout, incoming).await
}

/// The same, for a roster that a steward may have accepted although it is much smaller than the last.
pub async fn take_accepted(
    pool: &pg::Pool,
    agreements: &Agreements,
    layout: &RosterLayout,
    incoming: Incoming<'_>,
) -> Result<Taken, RosterError> {
    let Incoming { consumer, file_name, bytes, roster_date, at, accepted_by, tombstones } = incoming;
    let roster = read(bytes, layout);
    let sha256 = Sha256::digest(bytes).into();
    let file = RosterFile { consumer, file_name, sha256, roster_date, received_at: at, accepted_by };
    let papers: Vec<NewInstrument> = roster.rows.iter().filter_map(|row| instrument(row, layout, consumer)).collect();
    let (receipt, settled) = pg::run_tx(pool, "intake.roster", Role::Identity, |tx| {
        let mut roster = roster.clone();
        let (file, papers) = (&file, &papers);
        Box::pin(async move {
            blank_erased(tx, consumer, &mut roster.rows, tombstones).await?;
            let clients: BTreeSet<String> = roster.rows.iter().map(|row| row.person_key.expose().clone()).collect();
            let receipt = take_roster(tx, file, layout, roster).await?;
            let mut settled = Settled::default();
            // The last roster again may find orders that nobody approved yet; an earlier one says nothing of today.
            if receipt.refused_reason.is_none() && (!receipt.seen_before || receipt.is_latest) {
                rebuild(tx, file.consumer).await?;
                tx.act_as(Role::Agreements).await?;
                let reported = Reported {
                    consumer: file.consumer,
                    papers,
                    clients: (layout.kind == RosterKind::Delta || receipt.seen_before).then_some(&clients),
                    held: &exposed(&receipt.held),
                    other_child: &exposed(&receipt.other_child),
                };
                settled = agreements.settle_reported(tx, reported, "roster", at).await?;
            }
            pg::crash::hit(CrashPoint::RosterBeforeCommit);
            Ok::<_, RosterError>((receipt, settled))
        })
    })
    .await?;
    pg::crash::hit(CrashPoint::RosterAfterCommit);
    Ok(Taken { receipt, releases: settled.filed, approved: settled.approved, orders: settled.orders })
}

/// Takes out what the rows of erased clients say of them: the agency learns nothing of it, and nothing of it is kept.
async fn blank_erased(
    tx: &mut Tx<'_, '_>,
    consumer: &ConsumerId,
    rows: &mut [RosterRow],
    tombstones: &TombstoneKey,
) -> Result<(), RosterError> {
    tx.act_as(Role::Intake).await?;
    let hashes: Vec<[u8; 32]> =
        rows.iter().map(|row| tombstones.hash_client(consumer, row.person_key.expose())).collect();
    let buried = history::erase::list_buried(tx, &hashes).await?;
    for (row, hash) in rows.iter_mut().zip(&hashes) {
        if buried.contains(hash) {
            row.details = ClientDetails::default();
        }
    }
    tx.act_as(Role::Identity).await?;
    Ok(())
}

fn exposed(keys: &BTreeSet<Masked<String>>) -> BTreeSet<String> {
    keys.iter().map(|key| key.expose().clone()).collect()
}

/// The paper a row reports. A release holds while the row's authority does; an order, which has a number, for a bounded time.
fn instrument(row: &RosterRow, layout: &RosterLayout, consumer: &ConsumerId) -> Option<NewInstrument> {
    let kind: InstrumentKind = row.authority.instrument.as_deref()?.parse().ok()?;
    let authority = &row.authority;
    if kind.needs_approval() && authority.order_number.is_none() {
        return None;
    }
    let after = |day: NaiveDate, days: u64| day.checked_add_days(Days::new(days)).unwrap_or(NaiveDate::MAX);
    let mut last = authority.end_date;
    if kind.needs_approval() {
        let latest = after(authority.start_date, ORDER_DAYS_MAX);
        last = Some(last.map_or(latest, |day| day.min(latest)));
    }
    Some(NewInstrument {
        kind,
        consumer: consumer.clone(),
        person_key: Masked::new(row.person_key.expose().clone()),
        reference: authority.order_number.clone().unwrap_or_else(|| format!("roster {}", authority.source_key)),
        reason: REPORTED.to_owned(),
        in_force: Interval {
            from: day_begins(layout.time_zone, authority.start_date),
            to: last.map(|day| day_begins(layout.time_zone, after(day, 1))),
        },
    })
}
