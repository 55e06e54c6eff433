//! `throughline roster` and `throughline exchange`: an agency's night.

mod leave;
mod placements;
mod schedule;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use agreements::{Actor, Delivery};
use anyhow::{Context as _, anyhow, bail, ensure};
use chrono::{Days, NaiveDate};
use disclosure::{Ask, Asker, Item, Repeat, RunTotals, Unencoded};
use identity::matching::{self, MatchReport};
use intake::roster;
pub use leave::{BUNDLE, SUMMARIES, ask as scheduled_ask};
use leave::{Left, Staged};
use model::{ConsumerId, StudentId};
use pg::{Role, crash::CrashPoint};
pub use schedule::run_nights;
use serde_json::{Value as Json, json};
use summary::{Form, Origin, RenderOptions, Renderer, stamped};

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
    crate::control::bring_undoings(app).await?;
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
            if let Some(key) = &app.vouch {
                identity::vouch::vouch(tx, key, identity::vouch::Which::Own).await?;
            }
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
    let (consumer, date, out) = match command {
        Exchange::Run { consumer, date, out } => (consumer, date, out),
        Exchange::Plan { consumer, date } => return schedule::plan(place, consumer, date).await,
        Exchange::Status => return schedule::status(place).await,
        Exchange::Pause { which, by, reason } => return schedule::pause(place, which.into(), Some((by, reason))).await,
        Exchange::Resume { which } => return schedule::pause(place, which.into(), None).await,
        Exchange::Retry { which, date } => return schedule::retry(place, which.into(), date).await,
        Exchange::Explain { which, date } => return schedule::explain(place, which.into(), date).await,
    };
    with_app(place, |app| async move {
        let out = out.unwrap_or_else(|| schedule::out_of(&app, &consumer));
        let report = night(&app, &consumer, date, &out).await?;
        let refused = report["state"] == "refused";
        if place.json {
            console::json(&report)?;
        } else if placements::is_told(&app, &consumer)? && !refused {
            placements::say(&consumer, &report);
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
            if let Some(file) = report["bundle"]["file"].as_str() {
                console::line(
                    false,
                    format!(
                        "  in one file: {}",
                        out.join(report["date"].as_str().unwrap_or_default()).join(BUNDLE).join(file).display()
                    ),
                );
            }
            if let Some(to) = report["carried"]["to"].as_str() {
                let files = &report["carried"]["files"];
                console::line(false, format!("  {files} files taken to {to}, read back whole"));
            }
            console::line(false, format!("  delivered to {}", out.display()));
        }
        let withheld = report["summaries"]["withheld"].as_u64().unwrap_or(0);
        if withheld > 0 && !place.json {
            let again = if report["bundle"].is_null() && report["carried"].is_null() {
                "run the night again when the authority answers"
            } else {
                "the next night brings them"
            };
            console::line(false, format!("  {withheld} summaries wait for a time stamp: {again}"));
        }
        Ok(Outcome::of(refused || withheld > 0 || placements::needs_a_person(&report)))
    })
    .await
}

/// Runs a night for one consumer. The report is kept in the data folder, for the SEA alone: how many clients were matched, and how many
/// refused, says of people on the roster whether the state knows them. What is written beside the deliveries counts these only.
pub async fn night(app: &App, consumer: &ConsumerId, date: Option<NaiveDate>, out: &Path) -> anyhow::Result<Json> {
    if placements::is_told(app, consumer)? {
        return placements::night(app, consumer, date, out).await;
    }
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
    let folder = out.join(today.to_string());
    let plan = &app.consumer(consumer)?.delivery;
    let work = Work { app, consumer, plan, today, folder: &folder };
    let first_run = first_run(&folder, &plan.formats);
    if work.leaves_whole() && first_run.is_some() {
        // What left as a whole is not added to.
        let report = json!({
            "consumer": consumer, "date": today, "state": "already_delivered", "at": app.clock().now(), "first_run": first_run,
        });
        kept.add(&report)?;
        lease.give_back().await?;
        return Ok(report);
    }
    let (matching, intervals) = match_clients(app, consumer).await?;
    if let Err(error) = intake::packs::refresh(app.pool()).await {
        tracing::warn!(%error, "facts could not be packed: what has no pack is read from the facts, which takes longer");
    }
    let made = match work.make().await {
        Ok(made) => made,
        Err(error) => {
            kept.add(&json!({
                "consumer": consumer, "date": today, "state": "failed", "at": app.clock().now(), "why": format!("{error:#}"),
            }))?;
            lease.give_back().await?;
            return Err(error);
        }
    };
    let summaries = &made.summaries;
    let is_new = first_run.is_none() || summaries["rendered"].as_u64() != Some(0);
    let report = json!({
        "consumer": consumer, "date": today, "state": if is_new { "delivered" } else { "already_delivered" }, "at": app.clock().now(),
        "first_run": first_run,
        "matching": matching, "population_intervals": intervals,
        "files": {
            "histories": made.histories, "withdrawals": made.withdrawals, "refused": made.refused, "formats": plan.formats,
        },
        "summaries": summaries, "proofs": made.proofs,
        "bundle": made.left.bundle, "carried": made.left.carried,
        "waiting_for_a_person": matching.waiting + matching.contested,
    });
    kept.add(&report)?;
    if is_new {
        let delivered = json!({
            "consumer": consumer, "date": today, "at": report["at"],
            "files": { "histories": made.histories, "withdrawals": made.withdrawals, "formats": plan.formats },
            "summaries": { "rendered": summaries["rendered"], "unchanged": summaries["unchanged"] },
            "proofs": made.proofs, "bundle": made.left.bundle, "carried": made.left.carried,
        });
        write_whole(&folder.join(REPORT), &serde_json::to_vec_pretty(&delivered)?)?;
    }
    lease.give_back().await?;
    Ok(report)
}

/// How often a night is made again because somebody in it left while it was made.
const MAKINGS_MAX: u32 = 3;

/// A night to be made.
struct Work<'a> {
    app: &'a App,
    consumer: &'a ConsumerId,
    plan: &'a feeds::Plan,
    today: NaiveDate,
    folder: &'a Path,
}

/// A night as it was made.
struct Made {
    histories: Option<u64>,
    refused: Option<u64>,
    withdrawals: Option<u64>,
    summaries: Json,
    proofs: u64,
    left: Left,
    /// Everybody it tells of.
    clients: Vec<(String, StudentId)>,
    /// The index of its documents.
    index: Vec<[String; 4]>,
    /// Its documents.
    arrived: Vec<model::DisclosureId>,
}

impl Work<'_> {
    /// Whether it leaves as a whole, in one file or for another place: it has arrived when it has left, and not before.
    const fn leaves_whole(&self) -> bool {
        self.plan.bundle.is_some() || self.plan.to.is_some()
    }

    async fn make(&self) -> anyhow::Result<Made> {
        if !self.leaves_whole() {
            return self.stage().await;
        }
        for _ in 0..MAKINGS_MAX {
            self.clear()?;
            let mut made = self.stage().await?;
            let staged = Staged {
                consumer: self.consumer,
                plan: self.plan,
                date: self.today,
                folder: self.folder,
                clients: &made.clients,
                index: &made.index,
            };
            let Some(left) = leave::leave(self.app, &staged).await? else { continue };
            made.left = left;
            disclosure::confirm_files(self.app.disclosure(), self.consumer).await?;
            disclosure::confirm_delivered(self.app.disclosure(), &leave::ask(self.consumer), &made.arrived).await?;
            return Ok(made);
        }
        bail!("each time the night was made somebody in it left: nothing was delivered; run it again");
    }

    /// What a run that was broken off left lies here and left for nowhere: it is made anew, as things stand now.
    fn clear(&self) -> anyhow::Result<()> {
        for name in self.plan.formats.iter().map(String::as_str).chain([SUMMARIES, BUNDLE]) {
            let folder = self.folder.join(name);
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot remove {}", folder.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes data and documents in the night's folder.
    async fn stage(&self) -> anyhow::Result<Made> {
        let Self { app, consumer, folder, .. } = *self;
        let (mut histories, mut refused, mut withdrawals) = (None, None, None);
        let mut clients = BTreeMap::new();
        for format in &self.plan.formats {
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
            clients.extend(manifest.clients.into_exposed());
        }
        if !self.leaves_whole() {
            // All formats stand: what they say is held, or to be destroyed, from here on.
            disclosure::confirm_files(app.disclosure(), consumer).await?;
        }
        let arrives = if self.leaves_whole() { Arrives::WhenItHasLeft } else { Arrives::HereAtOnce };
        let documents = summaries(app, consumer, (self.today, arrives), &folder.join(SUMMARIES)).await?;
        app.sequence().await?;
        let proofs = write_proofs(app, &folder.join(SUMMARIES)).await?;
        clients.extend(documents.clients);
        Ok(Made {
            histories,
            refused,
            withdrawals,
            summaries: documents.report,
            proofs,
            left: Left { bundle: None, carried: None },
            clients: clients.into_iter().collect(),
            index: documents.index,
            arrived: documents.arrived,
        })
    }
}

/// The night's report as the SEA keeps it: of its first run, with what later runs of the same night came to.
struct Kept {
    path: PathBuf,
    before: Option<Json>,
}

impl Kept {
    fn open(app: &App, consumer: &ConsumerId, night: NaiveDate) -> anyhow::Result<Self> {
        let folder = crate::private::groups(&app.data, "reports")?.join(consumer.as_str());
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
fn first_run(folder: &Path, formats: &[String]) -> Option<Json> {
    let report: Json = serde_json::from_slice(&fs::read(folder.join(REPORT)).ok()?).ok()?;
    let run = |format: &String| {
        let manifest: Json = serde_json::from_slice(&fs::read(folder.join(format).join(feeds::MANIFEST)).ok()?).ok()?;
        Some((manifest["run"].clone(), manifest["created_at"].clone()))
    };
    let runs: Vec<(Json, Json)> = formats.iter().filter_map(run).collect();
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
    let path = out.join(night.to_string()).join(SUMMARIES).join(INDEX);
    let mut index = csv::Reader::from_path(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rows = index.records().map(|row| Ok(row?.get(0).unwrap_or_default().to_owned()));
    rows.collect()
}

/// When a night's documents have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrives {
    /// When they are whole in the night's folder.
    HereAtOnce,
    /// When the night has left as a whole.
    WhenItHasLeft,
}

/// The documents of a night.
struct Documents {
    /// How many of what.
    report: Json,
    /// The clients who have a new one.
    clients: Vec<(String, StudentId)>,
    /// Whose is which.
    index: Vec<[String; 4]>,
    /// The new ones.
    arrived: Vec<model::DisclosureId>,
}

fn documents_ask<'a>(app: &App, consumer: &'a ConsumerId) -> Ask<'a> {
    Ask {
        consumer,
        actor: Actor::ScheduledRun,
        purpose: None,
        delivery: Delivery::Pdf,
        office: None,
        as_of: None,
        asker: Asker { system: Some("nightly exchange".to_owned()), ..Asker::default() },
        run: Some(app.entropy().uuid()),
        repeat: Repeat::WhenChanged,
        request: None,
    }
}

/// How a night's documents are made: in the language that the consumer's `delivery.toml` names.
const fn of_documents(plan: &feeds::Plan) -> RenderOptions {
    RenderOptions { origin: Origin::Exchange, form: Form::Pdf, language: plan.language }
}

/// Renders the summaries that changed, each recorded before its file exists. Files are named by disclosure id; the index tells whose they are.
async fn summaries(
    app: &App,
    consumer: &ConsumerId,
    (today, arrives): (NaiveDate, Arrives),
    folder: &Path,
) -> anyhow::Result<Documents> {
    fs::create_dir_all(folder)?;
    note_delivery(&app.data, folder)?;
    let renderer = Renderer::new(&app.settings.summary.renderer())?;
    let seals = app.summary_seals().await?;
    let ask = documents_ask(app, consumer);
    if arrives == Arrives::HereAtOnce {
        confirm_arrived(app, &ask, folder).await?;
    }
    let (mut clients, mut all_arrived) = (Vec::new(), Vec::new());
    let members = rostered(app, &ask).await?;
    let progress = Progress::begin(&format!("summaries for {consumer}"), members.len() as u64);
    let options = of_documents(&app.consumer(consumer)?.delivery);
    let encode = |history: &disclosure::DisclosedHistory| {
        let summary = summary::from_disclosure(history, today);
        summary::issue(&renderer, &summary, options, seals.of(history.decided_at()))
            .map_err(|error| Unencoded::Failed(error.to_string()))
    };
    let (mut rendered, mut unchanged, mut refused) = (0_u64, 0_u64, BTreeMap::<&'static str, u64>::new());
    let mut withheld = 0;
    let mut digest = feeds::RunDigest::default();
    let mut index = Index { folder, time_zone: app.roster_layout(consumer)?.time_zone, rows: Vec::new() };
    for (number, keys) in members.chunks(CHUNK).enumerate() {
        let (mut arrived, mut same) = (Vec::new(), Vec::new());
        let (items, unstamped) =
            stamped::disclose_chunk(app.disclosure(), &ask, keys, &encode, seals.stamping(Form::Pdf)).await?;
        withheld += unstamped;
        for item in items {
            match item {
                Item::Disclosed(disclosed) => {
                    let history = &disclosed.history;
                    let name = format!("{}.pdf", history.disclosure());
                    write_whole(&folder.join(&name), &disclosed.bytes)?;
                    digest.add(history.content_digest());
                    index.rows.push([history.person_key().expose(), &*name, NEW_OR_CHANGED, ""].map(str::to_owned));
                    arrived.push(history.disclosure());
                    clients.push((history.person_key().expose().clone(), history.student()));
                    rendered += 1;
                }
                Item::Unchanged { person_key } | Item::Untouched { person_key } => {
                    same.push(person_key.into_exposed());
                    unchanged += 1;
                }
                Item::Refused { reason, .. } => *refused.entry(reason.code()).or_default() += 1,
                Item::TooLarge { .. } => *refused.entry("history_too_large").or_default() += 1,
                // Notices go with the files; a document is never sent after one.
                Item::Withdrawn(_) => {}
            }
        }
        if arrives == Arrives::HereAtOnce {
            confirm(app, &ask, folder, &arrived).await?;
        }
        all_arrived.extend(arrived);
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
    let index = index.write()?;
    progress.done(&format!("{rendered} rendered, {unchanged} unchanged"));
    let report = json!({
        "rendered": rendered, "unchanged": unchanged, "withheld": withheld, "refused": refused.values().sum::<u64>(),
        "refused_because": refused,
    });
    Ok(Documents { report, clients, index, arrived: all_arrived })
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

/// The person ids that a consumer's roster puts before it at this moment, known to the state or not.
pub async fn rostered(app: &App, ask: &Ask<'_>) -> anyhow::Result<Vec<String>> {
    let mut keys: Vec<String> = Vec::new();
    loop {
        let after = keys.last().cloned().unwrap_or_default();
        let page = disclosure::list_rostered(app.disclosure(), ask, &after, PAGE).await?;
        let last = page.len() < PAGE as usize;
        keys.extend(page);
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

    fn write(mut self) -> anyhow::Result<Vec<[String; 4]>> {
        self.rows.sort();
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        writer.write_record(["person_id", "file", "state", "since"])?;
        for row in &self.rows {
            writer.write_record(row)?;
        }
        let bytes = writer.into_inner().map_err(|error| anyhow!("{error}"))?;
        write_whole(&self.folder.join(INDEX), &bytes)?;
        Ok(self.rows)
    }
}

/// Writes a file whole or not at all: it has its name when its bytes are on the disk.
pub fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = WholeFile::begin(path)?;
    file.write(bytes)?;
    file.finish()
}

/// A file that gets its name when all of it is on the disk.
pub struct WholeFile {
    path: PathBuf,
    part: PathBuf,
    file: fs::File,
}

impl WholeFile {
    /// Begins it, under a temporary name beside its own.
    pub fn begin(path: &Path) -> anyhow::Result<Self> {
        let part = path.with_extension(PART);
        let mut options = fs::File::options();
        let file = options.write(true).create(true).truncate(true).mode(0o640).open(&part);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path: path.to_owned(), part, file })
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.file.write_all(bytes).with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Gives it its name.
    pub fn finish(self) -> anyhow::Result<()> {
        let cannot = || format!("cannot write {}", self.path.display());
        self.file.sync_all().with_context(cannot)?;
        pg::crash::hit(CrashPoint::DeliverBeforeRename);
        fs::rename(&self.part, &self.path).with_context(cannot)?;
        pg::crash::hit(CrashPoint::DeliverAfterRename);
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use summary::Language;

    use super::*;

    #[test]
    fn a_nights_documents_are_in_the_language_of_its_plan() {
        let language = |plan: &str| feeds::Plan::parse(plan).map(|plan| of_documents(&plan).language);
        assert_eq!(language(""), Ok(Language::English));
        assert_eq!(language("language = \"spanish\""), Ok(Language::Spanish));
        assert_eq!(language("language = \"portuguese\""), Ok(Language::Portuguese));
    }
}
