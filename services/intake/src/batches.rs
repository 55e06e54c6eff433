//! What was received and what was wrong with it, for the SEA's own stewards to look at. Whoever shows findings enters the access first.

use chrono::{DateTime, Utc};
use model::{BatchId, Sea};
use pg::Role;

use crate::{Finding, Severity, load::Counts, store::batches as store};

/// Rows of a page at most.
pub const PAGE_MAX: u32 = 10_000;

/// A received file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its number.
    pub id: BatchId,
    /// The state.
    pub sea: Sea,
    /// The name it came under.
    pub file: String,
    /// The layout it was read by.
    pub layout: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// `received`, `loaded` or `refused`.
    pub state: String,
    /// Why it was refused as a whole.
    pub refused: Option<String>,
    /// What became of its rows.
    pub counts: Counts,
    /// Rows that were erased since.
    pub erased: u64,
}

/// Which findings of a batch; what is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// Of this rule.
    pub rule: Option<String>,
    /// Of this field.
    pub field: Option<String>,
    /// Of this severity, by its name.
    pub severity: Option<String>,
}

/// How often a rule was broken in a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfRule {
    /// The rule.
    pub rule: String,
    /// The field, if it is about one.
    pub field: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// How often.
    pub count: u64,
}

/// Batches before a number, the latest first.
pub async fn list(pool: &pg::Pool, before: Option<BatchId>, limit: u32) -> Result<Vec<Batch>, pg::Error> {
    let limit = i64::from(limit.min(PAGE_MAX));
    pg::run_tx(pool, "intake.list_batches", Role::Steward, |tx| {
        Box::pin(async move { Ok::<_, pg::Error>(store::list_batches(tx, before, limit).await?) })
    })
    .await
}

/// One batch with the count of its findings by rule, if there is such a batch.
pub async fn find(pool: &pg::Pool, id: BatchId) -> Result<Option<(Batch, Vec<OfRule>)>, pg::Error> {
    pg::run_tx(pool, "intake.find_batch", Role::Steward, |tx| {
        Box::pin(async move {
            let Some(batch) = store::find_batch(tx, id).await? else { return Ok(None) };
            Ok::<_, pg::Error>(Some((batch, store::count_findings(tx, id).await?)))
        })
    })
    .await
}

/// Findings of a batch behind a number, in the order they were found, each with its number.
pub async fn list_findings(
    pool: &pg::Pool,
    id: BatchId,
    which: &Which,
    after: Option<i32>,
    limit: u32,
) -> Result<Vec<(i32, Finding)>, pg::Error> {
    let limit = i64::from(limit.min(PAGE_MAX));
    pg::run_tx(pool, "intake.list_findings", Role::Steward, |tx| {
        Box::pin(async move { Ok::<_, pg::Error>(store::list_findings(tx, id, which, after, limit).await?) })
    })
    .await
}
