//! `throughline roster` and `throughline exchange`: an agency's night.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use agreements::{Actor, Delivery};
use anyhow::{Context as _, anyhow, ensure};
use chrono::{Days, NaiveDate};
use disclosure::{Ask, Asker, Item, Repeat, RunTotals, Unencoded};
use identity::matching::{self, MatchReport};
use intake::roster;
use model::ConsumerId;
use pg::{Role, crash::CrashPoint};
use serde_json::{Value as Json, json};
use summary::{Origin, RenderOptions, Renderer};

use super::{Outcome, erase::note_delivery, feed, with_app};
use crate::{
    app::App,
    args::{Exchange, Place, Roster},
    console::{self, Progress},
};

/// Clients disclosed with one ledger commit.
pub const CHUNK: usize = 100;
/// Clients read from the population at once.
pub const PAGE: u32 = 1_000;
/// The seed of matching: the same rosters and state give the same links.
const MATCH_SEED: u64 = 1;

/// Takes a roster.
pub async fn roster(place: &Place, command: Roster) -> anyhow::Result<Outcome> {
    let Roster::Load { file, consumer, date, accept_shrunken } = command;
    with_app(place, |app| async move {
        let report = take_roster_as(&app, &consumer, &file, date, accept_shrunken.as_deref()).await?;
        let refused = !report["refused_reason"].is_null();
        say_roster(place, &report)?;
        Ok(Outcome::of(refused || report["refused"].as_u64().unwrap_or(0) > 0))
    })
    .await
}

fn say_roster(place: &Place, report: &Json) -> anyhow::Result<()> {
    if place.json {
        return console::json(report);
    }
    console::line(
        false,
        format!(
            "roster {}: {} rows in, {} accepted, {} refused, {} changed, {} ended by absence",
            report["file"],
            report["rows_in"],
            report["accepted"],
            report["refused"],
            report["changed"],
            report["ended_by_absence"]
        ),
    );
    if let Some(reason) = report["refused_reason"].as_str() {
        console::line(false, format!("  refused as a whole: {reason}"));
    }
    for finding in report["findings"].as_array().into_iter().flatten() {
        console::line(
            false,
            format!(
                "  line {}, {}: {}",
                finding["line"],
                finding["column"].as_str().unwrap_or("row"),
                finding["message"].as_str().unwrap_or_default()
            ),
        );
    }
    Ok(())
}

/// Takes a roster file; gives its receipt.
pub async fn take_roster(
    app: &App,
    consumer: &ConsumerId,
    file: &Path,
    date: Option<NaiveDate>,
) -> anyhow::Result<Json> {
    take_roster_as(app, consumer, file, date, None).await
}

/// Takes a roster that a steward may have accepted although it is much smaller than the last.
async fn take_roster_as(
    app: &App,
    consumer: &ConsumerId,
    file: &Path,
    date: Option<NaiveDate>,
    accepted_by: Option<&str>,
) -> anyhow::Result<Json> {
    let layout = app.roster_layout(consumer)?;
    if let Some(by) = accepted_by {
        anyhow::ensure!(app.agreements.stewards().find(by).is_some(), "{by} is not a registered steward");
    }
    let now = app.clock().now();
    let date = date.unwrap_or_else(|| now.with_timezone(&layout.time_zone).date_naive());
    let bytes = roster::read_file(file).with_context(|| format!("{}", file.display()))?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let incoming = roster::Incoming {
        consumer,
        file_name: &name,
        bytes: &bytes,
        roster_date: date,
        at: now,
        accepted_by,
        tombstones: &app.tombstones,
    };
    let taken = roster::take_accepted(app.pool(), &app.agreements, layout, incoming).await?;
    let (approved, waiting) = app.file_orders(&taken.orders).await?;
    let approved = approved + taken.approved;
    let r = &taken.receipt;
    Ok(json!({
        "roster": r.roster, "consumer": consumer, "file": name, "date": date, "rows_in": r.rows_in, "accepted": r.accepted, "refused": r.refused,
        "changed": r.changed, "ended_by_absence": r.ended_by_absence, "seen_before": r.seen_before, "refused_reason": r.refused_reason,
        "releases": taken.releases, "orders_approved": approved, "orders_waiting": waiting, "findings": r.findings,
    }))
}

/// Matches an agency's clients with students and rebuilds its population.
pub async fn match_clients(app: &App, consumer: &ConsumerId) -> anyhow::Result<(MatchReport, u64)> {
    let config = app.settings.matching.clone();
    let at = app.clock().now();
    let input = pg::run_tx(app.pool(), "identity.load", Role::Identity, |tx| {
        let config = &config;
        Box::pin(async move { matching::load(tx, consumer, config, at).await.map_err(MatchError::from) })
    })
    .await?;
    let progress = Progress::begin(&format!("match {consumer}"), 0);
    let plan = tokio::task::spawn_blocking(move || matching::decide(&input, &config, MATCH_SEED, &|_, _, _| {}))
        .await
        .map_err(|_| anyhow!("matching stopped"))??;
    let at = app.clock().now().max(at);
    let result = pg::run_tx(app.pool(), "identity.match", Role::Identity, |tx| {
        let plan = &plan;
        Box::pin(async move {
            let report = matching::store_plan(tx, consumer, plan, at).await?;
            let intervals = identity::population::rebuild(tx, consumer).await?;
            Ok::<_, MatchError>((report, intervals))
        })
    })
    .await?;
    progress.done(&format!(
        "{} of {} clients matched, {} wait for a person",
        result.0.matched, result.0.clients, result.0.waiting
    ));
    Ok(result)
}

#[derive(Debug, thiserror::Error)]
enum MatchError {
    #[error(transparent)]
    Database(#[from] pg::Error),
    #[error("the clients could not be matched")]
    Identity(#[from] identity::Error),
    #[error("the matches could not be stored")]
    Statement(#[from] sqlx::Error),
}

/// An agency's night: match, population, files, summaries, report.
pub async fn run(place: &Place, command: Exchange) -> anyhow::Result<Outcome> {
    let Exchange::Run { consumer, date, out } = command;
    with_app(place, |app| async move {
        let out = out.unwrap_or_else(|| app.data.with_file_name("out").join(consumer.as_str()));
        let report = night(&app, &consumer, date, &out).await?;
        let refused = report["state"] == "refused";
        if place.json {
            console::json(&report)?;
        } else if refused {
            let why = report["message"].as_str().unwrap_or_default();
            console::line(false, format!("{consumer}: nothing is delivered, for {why}; no file was written"));
        } else if report["state"] == "already_delivered" {
            let first = &report["first_run"];
            let (day, at) = (report["date"].as_str().unwrap_or_default(), first["at"].as_str().unwrap_or_default());
            console::line(
                false,
                format!("{consumer}: the night of {day} was delivered already, at {at}; nothing new was written"),
            );
            console::line(false, format!("  what was delivered stands in {}", out.join(day).display()));
        } else {
            console::line(
                false,
                format!(
                    "{consumer}: {} clients matched, {} histories in files, {} summaries, {} unchanged, {} refused",
                    report["matching"]["matched"],
                    report["files"]["histories"],
                    report["summaries"]["rendered"],
                    report["summaries"]["unchanged"],
                    report["summaries"]["refused"]
                ),
            );
            console::line(false, format!("  delivered to {}", out.display()));
        }
        Ok(Outcome::of(refused))
    })
    .await
}

/// Runs a night for one consumer. The report is kept in the data folder, for the SEA alone: how many clients were matched, and how many
/// refused, says of people on the roster whether the state knows them. What is written beside the deliveries counts these only.
pub async fn night(app: &App, consumer: &ConsumerId, date: Option<NaiveDate>, out: &Path) -> anyhow::Result<Json> {
    let layout = app.roster_layout(consumer)?;
    let today = date.unwrap_or_else(|| app.clock().now().with_timezone(&layout.time_zone).date_naive());
    let now = app.clock().now().with_timezone(&layout.time_zone).date_naive();
    ensure!(today <= now + Days::new(1), "{today} lies in the future: a night is run on its day, or after it");
    let lease = app.lease_deliveries(consumer).await?;
    let kept = Kept::open(app, consumer, today)?;
    if let Some(reason) = feed::refusal(app, consumer, None, None).await? {
        let report = json!({
            "consumer": consumer, "date": today, "state": "refused", "refused_because": reason.code(), "message": reason.words(),
            "at": app.clock().now(),
        });
        kept.add(&report)?;
        lease.give_back().await?;
        return Ok(report);
    }
    let (matching, intervals) = match_clients(app, consumer).await?;
    if let Err(error) = intake::packs::refresh(app.pool()).await {
        tracing::warn!(%error, "facts could not be packed: what has no pack is read from the facts, which takes longer");
    }
    let folder = out.join(today.to_string());
    let first_run = first_run(&folder);
    let (mut histories, mut refused, mut withdrawals) = (None, None, None);
    for format in feeds::formats::NIGHTLY {
        let target = folder.join(format);
        if let Ok(text) = fs::read(target.join(feeds::MANIFEST)) {
            // The same night again: what was delivered whole stays.
            let delivered: Json = serde_json::from_slice(&text).unwrap_or_default();
            histories = histories.or(delivered["histories"].as_u64());
            withdrawals = withdrawals.or(delivered["withdrawals"].as_u64());
            continue;
        }
        let manifest = feed::export(app, &feed::Export::scheduled(consumer, format, &target)).await?;
        (histories, refused) = (Some(manifest.histories), Some(manifest.refused));
        withdrawals = Some(manifest.withdrawals);
    }
    // All formats stand: what they say is held, or to be destroyed, from here on.
    disclosure::confirm_files(app.disclosure(), consumer).await?;
    let summaries = summaries(app, consumer, today, &folder.join("summaries")).await?;
    app.sequence().await?;
    let proofs = write_proofs(app, &folder.join("summaries")).await?;
    let is_new = first_run.is_none() || summaries["rendered"].as_u64() != Some(0);
    let report = json!({
        "consumer": consumer, "date": today, "state": if is_new { "delivered" } else { "already_delivered" }, "at": app.clock().now(),
        "first_run": first_run,
        "matching": matching, "population_intervals": intervals,
        "files": { "histories": histories, "withdrawals": withdrawals, "refused": refused, "formats": feeds::formats::NIGHTLY },
        "summaries": summaries, "proofs": proofs,
        "waiting_for_a_person": matching.waiting + matching.contested,
    });
    kept.add(&report)?;
    if is_new {
        let delivered = json!({
            "consumer": consumer, "date": today, "at": report["at"],
            "files": { "histories": histories, "withdrawals": withdrawals, "formats": feeds::formats::NIGHTLY },
            "summaries": { "rendered": report["summaries"]["rendered"], "unchanged": report["summaries"]["unchanged"] },
            "proofs": proofs,
        });
        write_whole(&folder.join(REPORT), &serde_json::to_vec_pretty(&delivered)?)?;
    }
    lease.give_back().await?;
    Ok(report)
}

/// The night's report as the SEA keeps it: of its first run, with what later runs of the same night came to.
struct Kept {
    path: PathBuf,
    before: Option<Json>,
}

impl Kept {
    fn open(app: &App, consumer: &ConsumerId, night: NaiveDate) -> anyhow::Result<Self> {
        let folder = app.data.join("reports").join(consumer.as_str());
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join(format!("{night}.json"));
        let before = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Ok(Self { path, before })
    }

    /// A run that delivered something new is the night's; any other is added to it.
    fn add(self, report: &Json) -> anyhow::Result<()> {
        let report = match self.before {
            Some(mut before) if report["state"] != "delivered" => {
                if let Some(fields) = before.as_object_mut() {
                    let later = fields.entry("later_runs").or_insert_with(|| json!([]));
                    if let Some(list) = later.as_array_mut() {
                        list.push(report.clone());
                    }
                }
                before
            }
            _ => report.clone(),
        };
        write_whole(&self.path, &serde_json::to_vec_pretty(&report)?)
    }
}

/// When a night was delivered first, and under which runs, if it was delivered to its end.
fn first_run(folder: &Path) -> Option<Json> {
    let report: Json = serde_json::from_slice(&fs::read(folder.join(REPORT)).ok()?).ok()?;
    let run = |format: &&str| {
        let manifest: Json = serde_json::from_slice(&fs::read(folder.join(format).join(feeds::MANIFEST)).ok()?).ok()?;
        Some((manifest["run"].clone(), manifest["created_at"].clone()))
    };
    let runs: Vec<(Json, Json)> = feeds::formats::NIGHTLY.iter().filter_map(run).collect();
    let at = runs.first().map_or_else(|| report["at"].clone(), |(_, at)| at.clone());
    Some(json!({ "runs": runs.into_iter().map(|(run, _)| run).collect::<Vec<_>>(), "at": at }))
}

/// What a night delivered, written last: with it the night is done.
const REPORT: &str = "report.json";
/// Which client's document is which.
const INDEX: &str = "index.csv";

/// Whether a night was done to its end.
pub fn is_reported(out: &Path, night: NaiveDate) -> bool {
    out.join(night.to_string()).join(REPORT).exists()
}

/// The clients whose summaries a night delivered or found unchanged, from its index.
pub fn clients_of(out: &Path, night: NaiveDate) -> anyhow::Result<BTreeSet<String>> {
    let path = out.join(night.to_string()).join("summaries").join(INDEX);
    let mut index = csv::Reader::from_path(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rows = index.records().map(|row| Ok(row?.get(0).unwrap_or_default().to_owned()));
    rows.collect()
}

/// Renders the summaries that changed, each recorded before its file exists. Files are named by disclosure id; the index tells whose they are.
async fn summaries(app: &App, consumer: &ConsumerId, today: NaiveDate, folder: &Path) -> anyhow::Result<Json> {
    fs::create_dir_all(folder)?;
    note_delivery(&app.data, folder)?;
    let renderer = Renderer::new(&app.settings.summary.renderer())?;
    let signer = app.summary_signer()?;
    let ask = Ask {
        consumer,
        actor: Actor::ScheduledRun,
        purpose: None,
        delivery: Delivery::Pdf,
        office: None,
        as_of: None,
        asker: Asker { system: Some("nightly exchange".to_owned()), ..Asker::default() },
        run: Some(app.entropy().uuid()),
        repeat: Repeat::WhenChanged,
    };
    confirm_arrived(app, &ask, folder).await?;
    let members = population(app, &ask).await?;
    let progress = Progress::begin(&format!("summaries for {consumer}"), members.len() as u64);
    let encode = |history: &disclosure::DisclosedHistory| {
        let summary = summary::from_disclosure(history, today);
        let options = RenderOptions { origin: Origin::Exchange, ..RenderOptions::default() };
        summary::issue(&renderer, &summary, options, signer.as_deref(), history.decided_at())
            .map_err(|error| Unencoded::Failed(error.to_string()))
    };
    let (mut rendered, mut unchanged, mut refused) = (0_u64, 0_u64, BTreeMap::<&'static str, u64>::new());
    let mut digest = feeds::RunDigest::default();
    let mut index = Index { folder, time_zone: app.roster_layout(consumer)?.time_zone, rows: Vec::new() };
    for (number, keys) in members.chunks(CHUNK).enumerate() {
        let (mut arrived, mut same) = (Vec::new(), Vec::new());
        for item in disclosure::disclose_chunk(app.disclosure(), &ask, keys, &encode).await? {
            match item {
                Item::Disclosed(disclosed) => {
                    let history = &disclosed.history;
                    let name = format!("{}.pdf", history.disclosure());
                    write_whole(&folder.join(&name), &disclosed.bytes)?;
                    digest.add(history.content_digest());
                    index.rows.push([history.person_key().expose(), &*name, NEW_OR_CHANGED, ""].map(str::to_owned));
                    arrived.push(history.disclosure());
                    rendered += 1;
                }
                Item::Unchanged { person_key } => {
                    same.push(person_key.into_exposed());
                    unchanged += 1;
                }
                Item::Refused { reason, .. } => *refused.entry(reason.code()).or_default() += 1,
                Item::TooLarge { .. } => *refused.entry("history_too_large").or_default() += 1,
                // Notices go with the files; a document is never sent after one.
                Item::Withdrawn(_) => {}
            }
        }
        confirm(app, &ask, folder, &arrived).await?;
        index.add_unchanged(disclosure::list_delivered(app.disclosure(), &ask, &same).await?);
        progress.at(((number + 1) * CHUNK).min(members.len()) as u64);
    }
    if rendered > 0 {
        disclosure::complete_run(
            app.disclosure(),
            &ask,
            RunTotals { histories: rendered, withdrawals: 0, digest: digest.finish() },
        )
        .await?;
    }
    index.write()?;
    progress.done(&format!("{rendered} rendered, {unchanged} unchanged"));
    Ok(
        json!({ "rendered": rendered, "unchanged": unchanged, "refused": refused.values().sum::<u64>(), "refused_because": refused }),
    )
}

/// The person ids of a consumer's population at this moment.
pub async fn population(app: &App, ask: &Ask<'_>) -> anyhow::Result<Vec<String>> {
    let mut keys: Vec<String> = Vec::new();
    loop {
        let after = keys.last().cloned().unwrap_or_default();
        let page = disclosure::list_population(app.disclosure(), ask, &after, PAGE).await?;
        let last = page.len() < PAGE as usize;
        keys.extend(page.into_iter().map(|member| member.person_key.into_exposed()));
        if last {
            return Ok(keys);
        }
    }
}

/// What a killed run of the same night left: documents that are there whole have arrived and are not made again; parts go.
async fn confirm_arrived(app: &App, ask: &Ask<'_>, folder: &Path) -> anyhow::Result<()> {
    let mut arrived = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == PART) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        } else if let Some(id) = disclosure_of(&path) {
            arrived.push(id);
        }
    }
    confirm(app, ask, folder, &arrived).await
}

/// Notes that documents have arrived, once the disk holds their names too: what is noted is not made again.
async fn confirm(app: &App, ask: &Ask<'_>, folder: &Path, arrived: &[model::DisclosureId]) -> anyhow::Result<()> {
    if arrived.is_empty() {
        return Ok(());
    }
    let durable = fs::File::open(folder).and_then(|folder| folder.sync_all());
    durable.with_context(|| format!("cannot write {}", folder.display()))?;
    Ok(disclosure::confirm_delivered(app.disclosure(), ask, arrived).await?)
}

/// The disclosure that a document's name tells.
fn disclosure_of(path: &Path) -> Option<model::DisclosureId> {
    let id = path.file_stem()?.to_str()?.parse().ok().map(model::DisclosureId);
    id.filter(|_| path.extension().is_some_and(|extension| extension == "pdf"))
}

/// The extension of a file that is not complete.
const PART: &str = "part";
/// Of a document that this night brought.
const NEW_OR_CHANGED: &str = "new or changed";

/// A night's index: each client's document, and since when it is the same.
struct Index<'a> {
    folder: &'a Path,
    time_zone: chrono_tz::Tz,
    rows: Vec<[String; 4]>,
}

impl Index<'_> {
    /// Documents that need not be sent again. Those that this very night brought, before a kill, are new all the same.
    fn add_unchanged(&mut self, delivered: Vec<disclosure::Delivered>) {
        for one in delivered {
            let name = format!("{}.pdf", one.disclosure);
            let person = one.person_key.into_exposed();
            self.rows.push(if self.folder.join(&name).exists() {
                [person, name, NEW_OR_CHANGED.to_owned(), String::new()]
            } else {
                let since = one.recorded_at.with_timezone(&self.time_zone).date_naive().to_string();
                [person, name, "checked today, unchanged since".to_owned(), since]
            });
        }
    }

    fn write(mut self) -> anyhow::Result<()> {
        self.rows.sort();
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        writer.write_record(["person_id", "file", "state", "since"])?;
        for row in &self.rows {
            writer.write_record(row)?;
        }
        let bytes = writer.into_inner().map_err(|error| anyhow!("{error}"))?;
        write_whole(&self.folder.join(INDEX), &bytes)
    }
}

/// Writes a file whole or not at all: it has its name when its bytes are on the disk.
pub fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let cannot = || format!("cannot write {}", path.display());
    let part = path.with_extension(PART);
    let mut options = fs::File::options();
    let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(&part).with_context(cannot)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(cannot)?;
    pg::crash::hit(CrashPoint::DeliverBeforeRename);
    fs::rename(&part, path).with_context(cannot)?;
    pg::crash::hit(CrashPoint::DeliverAfterRename);
    Ok(())
}

/// Writes the inclusion proof beside each document: `NAME.tlog-proof`.
async fn write_proofs(app: &App, folder: &Path) -> anyhow::Result<u64> {
    let mut written = 0;
    let entries: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    for path in entries {
        let proof_path = path.with_extension("pdf.tlog-proof");
        let (Some(id), false) = (disclosure_of(&path), proof_path.exists()) else { continue };
        let proof = pg::run_tx(app.pool(), "ledger.inclusion", Role::Ledger, |tx| {
            Box::pin(async move { ledger::inclusion(tx, id).await })
        })
        .await?;
        write_whole(&proof_path, proof.to_string().as_bytes())?;
        written += 1;
    }
    Ok(written)
}
