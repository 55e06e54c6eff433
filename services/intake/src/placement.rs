//! The way in for placements: stays in facilities go to `identity`, into a schema of their own. None of it becomes a fact, none of it is kept as received,
//! and nothing that a load, a history or a produced file reads can reach it.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use identity::placement::{PlacementFile, PlacementLayout, PlacementReceipt, read, take as take_report};
use model::{ConsumerId, Entropy};
use pg::Role;
use sha2::{Digest, Sha256};

use crate::TombstoneKey;

/// Why a report could not be taken. A bad report is no error: it is a receipt that says so.
#[derive(Debug, thiserror::Error)]
pub enum PlacementError {
    /// The database did not answer, or refused.
    #[error("the placements could not be recorded")]
    Unavailable(#[from] pg::Error),
    /// The tombstones could not be read.
    #[error("the placements could not be held against what was erased")]
    History(#[from] history::Error),
    /// The stays could not be recorded.
    #[error("the placements could not be recorded")]
    Identity(#[from] identity::Error),
}

impl From<sqlx::Error> for PlacementError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

/// A report as it comes in.
#[derive(Clone, Copy, Debug)]
pub struct IncomingPlacements<'a> {
    /// Who sent it.
    pub reporter: &'a ConsumerId,
    /// Its name.
    pub file_name: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The day it speaks of.
    pub reported_on: NaiveDate,
    /// When it came.
    pub at: DateTime<Utc>,
}

/// Takes a report in one transaction. The receipt does not depend on whether the state knows anybody whom it names.
pub async fn take(
    pool: &pg::Pool,
    tombstones: &TombstoneKey,
    entropy: &dyn Entropy,
    layout: &PlacementLayout,
    incoming: IncomingPlacements<'_>,
) -> Result<PlacementReceipt, PlacementError> {
    let IncomingPlacements { reporter, file_name, bytes, reported_on, at } = incoming;
    let report = read(bytes, layout, file_name, at);
    let sha256 = Sha256::digest(bytes).into();
    let file = PlacementFile { reporter, name: file_name, sha256, reported_on, received_at: at };
    pg::transaction("intake.placements", Role::Intake)
        .setting("reporter", reporter.as_str())
        .run(pool, |tx| {
            let (mut report, file) = (report.clone(), &file);
            Box::pin(async move {
                let hash = |key: &String| tombstones.hash_client(reporter, key);
                let hashes: Vec<[u8; 32]> = report.rows.iter().map(|row| hash(row.person_key.expose())).collect();
                let buried: BTreeSet<[u8; 32]> = history::erase::list_buried(tx, &hashes).await?.into_iter().collect();
                let rows = report.rows.len();
                report.rows.retain(|row| !buried.contains(&hash(row.person_key.expose())));
                let erased = (rows - report.rows.len()) as u64;
                tx.act_as(Role::Placement).await?;
                let mut receipt = take_report(tx, file, report, entropy).await?;
                if receipt.refused_reason.is_none() {
                    // Of an erased client nothing is kept, and the sender is not told.
                    receipt.unchanged += erased;
                    receipt.refused -= erased;
                }
                Ok::<_, PlacementError>(receipt)
            })
        })
        .await
}
