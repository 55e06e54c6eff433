//! `throughline feed`: a consumer's whole feed as files.

mod layout;
mod open;
mod pull;

use std::{collections::BTreeSet, path::Path};

use agreements::{Act, Actor, Delivery, Digest, ExportRequest, Reason};
use anyhow::{anyhow, bail};
use chrono::{DateTime, TimeDelta, Utc};
use disclosure::{Ask, Asker, Item, Occasion, Repeat};
use feeds::Manifest;
use intake::produce::Producer;
use model::{ConsumerId, Masked, StudentId};
use pg::Role;
use serde_json::json;

use super::{
    Outcome, Usage,
    erase::note_delivery,
    exchange::{CHUNK, PAGE, rostered},
    with_app,
};
use crate::{
    app::App,
    args::{Feed, Place, Report},
    console::{self, Progress},
};

/// How long stewards have to approve an export, and it to run.
const REQUEST_DAYS: i64 = 7;

/// What is exported, in whose name, and on what occasion.
pub struct Export<'a> {
    /// Whose feed.
    pub consumer: &'a ConsumerId,
    /// The one office it is for.
    pub office: Option<&'a str>,
    /// The delivery format.
    pub format: &'a str,
    /// The folder.
    pub out: &'a Path,
    /// What was known then.
    pub as_of: Option<DateTime<Utc>>,
    /// The person who asked, outside the schedule.
    pub by: Option<&'a str>,
    /// What a state's own layout is asked to report, if the format is one.
    pub report: Report,
    /// On schedule, or on a request that two stewards approved.
    pub occasion: Occasion<'a>,
}

impl<'a> Export<'a> {
    /// A delivery that the schedule asks for.
    pub const fn scheduled(consumer: &'a ConsumerId, format: &'a str, out: &'a Path) -> Self {
        Self {
            consumer,
            office: None,
            format,
            out,
            as_of: None,
            by: None,
            report: Report::whole(),
            occasion: Occasion::Scheduled,
        }
    }

    fn asker(&self, system: &str) -> Asker {
        let system = if self.by.is_some() { "command line" } else { system };
        Asker {
            person: self.by.map(|by| Masked::new(by.to_owned())),
            system: Some(system.to_owned()),
            ..Asker::default()
        }
    }
}

/// Exports a feed outside the schedule: on a request that two stewards approved. In the sandbox the built-in ones do.
pub async fn run(place: &Place, command: Feed) -> anyhow::Result<Outcome> {
    let (consumer, office, format, out, as_of, by, reason, request, report) = match command {
        Feed::Export { consumer, office, format, out, as_of, by, reason, request, report } => {
            (consumer, office, format, out, as_of, by, reason, request, report)
        }
        Feed::Pull(options) => return pull::run(place, options).await,
        Feed::Open { night, identity, out } => return open::run(place, &night, identity.as_deref(), out.as_deref()),
    };
    if !names().any(|name| name == format) {
        bail!("there is no format {format:?}; there are: {}", names().collect::<Vec<_>>().join(", "));
    }
    with_app(place, |app| async move {
        let is_own = app.consumer(&consumer)?.is_own;
        check_asked(&app, &consumer, office.as_deref(), as_of).await?;
        // What cannot be made is refused before stewards are asked for it.
        if layout::producer(&format, &report, app.clock().now())?.is_none() && report != Report::whole() {
            bail!(Usage(format!(
                "{format} is no state's layout: what a report takes in can be chosen for a layout alone"
            )));
        }
        if let Some(refused) = refusal(&app, &consumer, office.as_deref(), as_of).await? {
            say_refused(place, &consumer, refused)?;
            return Ok(Outcome::Found);
        }
        let approved = if let Some(prefix) = request {
            find_request(&app, &prefix).await?
        } else {
            let now = app.clock().now();
            let asked = ExportRequest {
                as_of,
                consumer: consumer.clone(),
                expires_at: now + TimeDelta::days(REQUEST_DAYS),
                format: format.clone(),
                office: office.clone(),
                reason,
                requested_at: now,
                requested_by: by.clone(),
            };
            ask_for(&app, &asked).await?
        };
        let wanted = Export {
            consumer: &consumer,
            office: office.as_deref(),
            format: &format,
            out: &out,
            as_of,
            by: Some(&by),
            report: report.clone(),
            occasion: Occasion::Approved { request: approved, format: &format },
        };
        let lease = app.lease_deliveries(&consumer).await?;
        let manifest = if is_own { export_own(&app, &wanted).await? } else { export(&app, &wanted).await? };
        disclosure::confirm_files(app.disclosure(), &consumer).await?;
        lease.give_back().await?;
        app.sequence().await?;
        if place.json {
            console::json(&json!({ "out": out, "manifest": manifest }))?;
        } else {
            console::line(
                false,
                format!(
                    "{} histories in {} ({} refused, {} withdrawn)",
                    manifest.histories,
                    out.display(),
                    manifest.refused,
                    manifest.withdrawals
                ),
            );
            for remark in &manifest.remarks {
                let field = remark.field.as_ref().map_or_else(String::new, |field| format!(" {field}"));
                console::line(
                    false,
                    format!("{}{field}, {} times: {} [{}]", remark.record, remark.count, remark.message, remark.rule),
                );
            }
        }
        Ok(Outcome::Done)
    })
    .await
}

/// Refuses what would give an empty file and look like an answer: a time to come, an office that nobody has named.
async fn check_asked(
    app: &App,
    consumer: &ConsumerId,
    office: Option<&str>,
    as_of: Option<DateTime<Utc>>,
) -> anyhow::Result<()> {
    let now = app.moment().await?;
    if let Some(as_of) = as_of.filter(|as_of| *as_of > now) {
        bail!(Usage(format!("--as-of {as_of} lies in the future ({now} now): nobody knows what will be known then")));
    }
    let Some(office) = office else { return Ok(()) };
    let known = pg::run_tx(app.pool(), "cli.offices", Role::Identity, |tx| {
        Box::pin(async move { Ok::<_, disclosure::Error>(identity::population::list_offices(tx, consumer).await?) })
    })
    .await?;
    if known.iter().all(|one| one != office) {
        bail!(Usage(match known.len() {
            0 => format!("{consumer} has no offices: no roster of it names one"),
            1..=20 => format!("no roster of {consumer} names an office {office:?}; there are: {}", known.join(", ")),
            count => format!("no roster of {consumer} names an office {office:?}; they name {count} others"),
        }));
    }
    Ok(())
}

/// Why a consumer is delivered nothing at all today, if so: an empty delivery would say that it has no clients. The refusal is entered.
pub async fn refusal(
    app: &App,
    consumer: &ConsumerId,
    office: Option<&str>,
    as_of: Option<DateTime<Utc>>,
) -> anyhow::Result<Option<Reason>> {
    if app.consumer(consumer)?.is_own {
        return Ok(None);
    }
    let ask = Ask {
        consumer,
        actor: Actor::ScheduledRun,
        purpose: None,
        delivery: Delivery::File,
        office,
        as_of,
        asker: Asker { system: Some("files".to_owned()), ..Asker::default() },
        run: None,
        repeat: Repeat::Always,
        request: None,
    };
    let refused = disclosure::refuse_run(app.disclosure(), &ask).await?;
    if refused.is_some() {
        app.sequence().await?;
    }
    Ok(refused)
}

/// Says in words that nothing was written, and why.
pub fn say_refused(place: &Place, consumer: &ConsumerId, reason: Reason) -> anyhow::Result<()> {
    if place.json {
        return console::json(&json!({
            "consumer": consumer, "state": "refused", "refused_because": reason.code(), "message": reason.words(),
        }));
    }
    console::line(false, format!("{consumer}: nothing is delivered, for {}; no file was written", reason.words()));
    Ok(())
}

/// The names of all formats: those of recipients, and the layouts of states that can be produced.
fn names() -> impl Iterator<Item = &'static str> {
    feeds::formats::NAMES.iter().copied().chain(intake::produce::names())
}

/// What makes a state's own file, as of a moment; `None` for the formats of recipients.
fn producer(wanted: &Export<'_>, now: DateTime<Utc>) -> anyhow::Result<Option<Producer>> {
    layout::producer(wanted.format, &wanted.report, wanted.as_of.map_or(now, |as_of| as_of.min(now)))
}

/// Begins the files of a format.
async fn begin(
    app: &App,
    ask: &Ask<'_>,
    wanted: &Export<'_>,
    producer: Option<Producer>,
) -> anyhow::Result<feeds::Delivery> {
    note_delivery(&app.data, wanted.out)?;
    Ok(match producer {
        None => {
            let scope = disclosure::scope(app.disclosure(), ask).await?;
            feeds::Delivery::begin(wanted.out, wanted.format, &scope)?
        }
        Some(producer) => {
            feeds::Delivery::begin_with(wanted.out, || Ok(Box::new(layout::LayoutFile::begin(wanted.out, producer)?)))?
        }
    })
}

/// Puts a request on file; in the sandbox the built-in stewards approve it, elsewhere it waits for two people.
async fn ask_for(app: &App, asked: &ExportRequest) -> anyhow::Result<Digest> {
    let agreements = &*app.agreements;
    let digest = pg::run_tx(app.pool(), "cli.file_request", Role::Agreements, |tx| {
        Box::pin(async move { agreements.file_request(tx, asked).await })
    })
    .await?;
    if !app.is_sandbox() {
        bail!(
            "an export outside the schedule needs two stewards; the request is on file until {}. Each approves with: throughline approve \
             {digest} --key FILE; then repeat this command with --request {digest}",
            asked.expires_at
        );
    }
    for approval in &app.sandbox_approvals(Act::Export, digest, app.clock().now())? {
        app.approve(&asked.consumer, Act::Export, digest, approval).await?;
    }
    Ok(digest)
}

async fn find_request(app: &App, prefix: &str) -> anyhow::Result<Digest> {
    let agreements = &*app.agreements;
    let found = pg::run_tx(app.pool(), "cli.find_request", Role::Agreements, |tx| {
        Box::pin(async move { agreements.find_request(tx, prefix).await })
    })
    .await?;
    found.map(|filed| filed.digest).ok_or_else(|| anyhow!("there is no request {prefix}"))
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
        withdrawals: 0,
        refused: 0,
        clients: Masked::default(),
        digest: String::new(),
        files: Vec::new(),
        remarks: Vec::new(),
    }
}

/// Delivers a consumer's population as files: each chunk is recorded before it is written, and the completion before the manifest.
pub async fn export(app: &App, wanted: &Export<'_>) -> anyhow::Result<Manifest> {
    let Export { consumer, format, .. } = *wanted;
    let ask = Ask {
        consumer,
        actor: Actor::ScheduledRun,
        purpose: None,
        delivery: Delivery::File,
        office: wanted.office,
        as_of: wanted.as_of,
        asker: wanted.asker("scheduled delivery"),
        run: Some(app.entropy().uuid()),
        repeat: Repeat::Always,
        request: None,
    };
    disclosure::begin_file_run(app.disclosure(), &ask, wanted.occasion).await?;
    let now = app.clock().now();
    let keys = due(app, &ask).await?;
    let progress = Progress::begin(&format!("{format} for {consumer}"), keys.len() as u64);
    let mut delivery = begin(app, &ask, wanted, producer(wanted, now)?).await?;
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
                Item::Withdrawn(notice) => delivery.withdraw(&notice),
                Item::Refused { .. } | Item::TooLarge { .. } => refused += 1,
                Item::Unchanged { .. } | Item::Untouched { .. } => {}
            }
        }
        progress.at(((number + 1) * CHUNK).min(keys.len()) as u64);
    }
    let totals = delivery.totals();
    disclosure::complete_run(app.disclosure(), &ask, totals).await?;
    let mut manifest = manifest(&ask, agreement, now);
    manifest.refused = refused;
    let manifest = delivery.finish(manifest)?;
    progress.done(&format!("{} histories", totals.histories));
    Ok(manifest)
}

/// The clients a run is about: whom the recipient's roster puts before it, and whoever it was sent something of.
async fn due(app: &App, ask: &Ask<'_>) -> anyhow::Result<Vec<String>> {
    if ask.as_of.is_some() {
        return rostered(app, ask).await;
    }
    let mut keys: Vec<String> = Vec::new();
    loop {
        let after = keys.last().cloned().unwrap_or_default();
        let page = disclosure::list_due(app.disclosure(), ask, &after, PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        keys.extend(page);
        if is_last {
            return Ok(keys);
        }
    }
}

/// The SEA's own complete export: one access entry for the run, before the first byte.
pub async fn export_own(app: &App, wanted: &Export<'_>) -> anyhow::Result<Manifest> {
    let Export { consumer, format, .. } = *wanted;
    let steward = Actor::Person { role: "steward", office: None, officer: None, trained_on: None };
    let ask = Ask {
        consumer,
        actor: if wanted.by.is_some() { steward } else { Actor::ScheduledRun },
        purpose: None,
        delivery: Delivery::File,
        office: None,
        as_of: wanted.as_of,
        asker: wanted.asker("complete export"),
        run: Some(app.entropy().uuid()),
        repeat: Repeat::Always,
        request: None,
    };
    if wanted.office.is_some() {
        bail!("{consumer} has no offices");
    }
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
    let producer = producer(wanted, now)?;
    if let Some(producer) = producer.as_ref().filter(|producer| !producer.is_for_all()) {
        let is_for = |history: &disclosure::DisclosedHistory| producer.is_for(history.sections());
        students = disclosure::select_students(app.disclosure(), &ask, &students, &is_for).await?;
    }
    let access = disclosure::record_access(app.disclosure(), &ask, students, wanted.occasion).await?;
    let students: Vec<StudentId> = access.students().iter().copied().collect();
    let progress = Progress::begin(&format!("{format} for {consumer}"), students.len() as u64);
    let mut delivery = begin(app, &ask, wanted, producer).await?;
    let mut agreement = String::new();
    for (number, chunk) in students.chunks(CHUNK).enumerate() {
        for history in disclosure::access_chunk(app.disclosure(), &ask, &access, chunk).await? {
            agreement = format!("{}, version {}", history.agreement_title(), history.agreement_version());
            delivery.add(&history)?;
        }
        progress.at(((number + 1) * CHUNK).min(students.len()) as u64);
    }
    let mut manifest = manifest(&ask, agreement, now);
    manifest.refused = (students.len() as u64).saturating_sub(delivery.totals().histories);
    let manifest = delivery.finish(manifest)?;
    progress.done(&format!("{} histories", manifest.histories));
    Ok(manifest)
}
