//! `throughline feed`: a consumer's whole feed as files.

use std::{collections::BTreeSet, path::Path};

use agreements::{Actor, Delivery};
use anyhow::bail;
use chrono::{DateTime, Utc};
use disclosure::{Ask, Asker, Item, Repeat, RunTotals};
use feeds::Manifest;
use model::{ConsumerId, StudentId};
use serde_json::json;

use super::{
    Outcome,
    exchange::{CHUNK, PAGE, population},
    with_app,
};
use crate::{
    app::App,
    args::{Feed, Place},
    console::{self, Progress},
};

/// Exports a feed.
pub async fn run(place: &Place, command: Feed) -> anyhow::Result<Outcome> {
    let Feed::Export { consumer, office, format, out, as_of } = command;
    if !feeds::formats::NAMES.contains(&format.as_str()) {
        bail!("there is no format {format:?}; there are: {}", feeds::formats::NAMES.join(", "));
    }
    with_app(place, |app| async move {
        let manifest = if app.consumer(&consumer)?.roster.is_some() {
            export(&app, &consumer, office.as_deref(), &format, &out, as_of).await?
        } else {
            export_everything(&app, &consumer, &format, &out, as_of).await?
        };
        app.sequence().await?;
        if place.json {
            console::json(&json!({ "out": out, "manifest": manifest }))?;
        } else {
            console::line(
                false,
                format!("{} histories in {} ({} refused)", manifest.histories, out.display(), manifest.refused),
            );
        }
        Ok(Outcome::Done)
    })
    .await
}

fn manifest(ask: &Ask<'_>, agreement: String, now: DateTime<Utc>) -> Manifest {
    Manifest {
        format: "delivery-manifest/1",
        consumer: ask.consumer.to_string(),
        office: ask.office.map(str::to_owned),
        run: ask.run.map(|run| run.to_string()).unwrap_or_default(),
        agreement,
        created_at: now.to_rfc3339(),
        as_of: ask.as_of.unwrap_or(now).to_rfc3339(),
        histories: 0,
        refused: 0,
        digest: String::new(),
        files: Vec::new(),
    }
}

/// Delivers a consumer's population as files: each chunk is recorded before it is written, and the completion before the manifest.
pub async fn export(
    app: &App,
    consumer: &ConsumerId,
    office: Option<&str>,
    format: &str,
    out: &Path,
    as_of: Option<DateTime<Utc>>,
) -> anyhow::Result<Manifest> {
    let ask = Ask {
        consumer,
        actor: Actor::ScheduledRun,
        purpose: None,
        delivery: Delivery::File,
        office,
        as_of,
        asker: Asker { system: Some("scheduled delivery".to_owned()), ..Asker::default() },
        run: Some(app.entropy().uuid()),
        repeat: Repeat::Always,
    };
    let now = app.clock().now();
    let keys = population(app, &ask).await?;
    let progress = Progress::begin(&format!("{format} for {consumer}"), keys.len() as u64);
    let mut delivery = feeds::Delivery::begin(out, format)?;
    let mut agreement = String::new();
    let mut refused = 0;
    let encode = |history: &disclosure::DisclosedHistory| Ok(feeds::formats::ndjson::line(history));
    for (number, chunk) in keys.chunks(CHUNK).enumerate() {
        for item in disclosure::disclose_chunk(app.disclosure(), &ask, chunk, &encode).await? {
            match item {
                Item::Disclosed(disclosed) => {
                    agreement = format!(
                        "{}, version {}",
                        disclosed.history.agreement_title(),
                        disclosed.history.agreement_version()
                    );
                    delivery.add(&disclosed.history)?;
                }
                Item::Refused { .. } => refused += 1,
                Item::Unchanged { .. } => {}
            }
        }
        progress.at(((number + 1) * CHUNK).min(keys.len()) as u64);
    }
    let (digest, histories) = delivery.totals();
    disclosure::complete_run(app.disclosure(), &ask, RunTotals { histories, withdrawals: 0, digest }).await?;
    let mut manifest = manifest(&ask, agreement, now);
    manifest.refused = refused;
    let manifest = delivery.finish(manifest)?;
    progress.done(&format!("{histories} histories"));
    Ok(manifest)
}

/// The SEA's own complete export in a format.
pub async fn export_own(app: &App, consumer: &ConsumerId, format: &str, out: &Path) -> anyhow::Result<Manifest> {
    export_everything(app, consumer, format, out, None).await
}

/// The SEA's own complete export: one access entry for the run, before the first byte.
async fn export_everything(
    app: &App,
    consumer: &ConsumerId,
    format: &str,
    out: &Path,
    as_of: Option<DateTime<Utc>>,
) -> anyhow::Result<Manifest> {
    let ask = Ask {
        consumer,
        actor: Actor::ScheduledRun,
        purpose: None,
        delivery: Delivery::File,
        office: None,
        as_of,
        asker: Asker { system: Some("complete export".to_owned()), ..Asker::default() },
        run: Some(app.entropy().uuid()),
        repeat: Repeat::Always,
    };
    let now = app.clock().now();
    let mut students: BTreeSet<StudentId> = BTreeSet::new();
    loop {
        let page = disclosure::list_students(app.disclosure(), &ask, students.last().copied(), PAGE).await?;
        let last = page.len() < PAGE as usize;
        students.extend(page);
        if last {
            break;
        }
    }
    disclosure::record_access(app.disclosure(), &ask, &students).await?;
    let progress = Progress::begin(&format!("{format} for {consumer}"), students.len() as u64);
    let mut delivery = feeds::Delivery::begin(out, format)?;
    let students: Vec<StudentId> = students.into_iter().collect();
    for (number, chunk) in students.chunks(CHUNK).enumerate() {
        for history in disclosure::access_chunk(app.disclosure(), &ask, chunk).await? {
            delivery.add(&history)?;
        }
        progress.at(((number + 1) * CHUNK).min(students.len()) as u64);
    }
    let manifest = delivery.finish(manifest(&ask, "the SEA's own access".to_owned(), now))?;
    progress.done(&format!("{} histories", manifest.histories));
    Ok(manifest)
}
