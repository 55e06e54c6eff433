//! `throughline demo`: the whole exchange on an invented state.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use chrono::NaiveDate;
use model::ConsumerId;
use serde_json::json;

use super::{Outcome, exchange, feed, identity, intake, with_app};
use crate::{
    app::App,
    args::{Demo, Place},
    console::{self, Progress},
    generate,
};

/// Invents a state, loads it, takes rosters, matches, delivers, and serves.
pub async fn run(place: &Place, options: &Demo) -> anyhow::Result<Outcome> {
    let dir = std::path::absolute(&options.dir)?;
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let place =
        Place { data: Some(place.data.clone().unwrap_or_else(|| dir.join("data"))), sandbox: true, ..place.clone() };
    invent(options, &dir)?;
    let outcome = with_app(&place, |app| {
        let dir = dir.clone();
        let as_json = place.json;
        async move {
            play(&app, &dir, as_json).await?;
            say_where(&app, &dir, as_json)?;
            Ok(Outcome::Done)
        }
    })
    .await?;
    if options.exit {
        return Ok(outcome);
    }
    super::serve::run(&place, &crate::args::Serve { listen: None }).await
}

/// Writes the invented state, unless this folder has it already.
fn invent(options: &Demo, dir: &Path) -> anyhow::Result<()> {
    let done = dir.join("generated.json");
    let wanted = json!({ "students": options.students, "seed": options.seed }).to_string();
    if fs::read_to_string(&done).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    let progress = Progress::begin("invent a state", options.students);
    let report =
        generate::run(&generate::Options::new(options.students, options.seed, dir.to_owned()), &|_, done, _| {
            progress.at(done);
        })?;
    progress.done(&format!("{} files", report.files.len()));
    fs::write(done, wanted)?;
    Ok(())
}

/// State files, rosters night by night, the exchange of the last night for each consumer, the SEA's own export.
async fn play(app: &App, dir: &Path, as_json: bool) -> anyhow::Result<()> {
    let sea: model::Sea = "ct".parse()?;
    let totals = intake::load_paths(app, &state_files(&dir.join("state"))?, &sea, None, as_json).await?;
    console::line(
        as_json,
        format!(
            "state loaded: {} files, {} rows, {} quarantined, {} files refused",
            totals.files, totals.rows, totals.quarantined, totals.refused
        ),
    );
    let orders = dir.join("truth/restrictions.ndjson");
    if orders.exists() {
        let (in_force, _) = identity::restrict(app, &orders, &sea).await?;
        console::line(as_json, format!("{in_force} court orders restrict disclosure"));
    }
    for consumer in app.consumers.iter().filter(|(_, documents)| documents.roster.is_some()).map(|(id, _)| id) {
        let mut last = None;
        for (date, file) in rosters(&dir.join("rosters").join(consumer.as_str()))? {
            let receipt = exchange::take_roster(app, consumer, &file, Some(date)).await?;
            console::line(
                as_json,
                format!(
                    "roster of {consumer}, {date}: {} accepted, {} refused",
                    receipt["accepted"], receipt["refused"]
                ),
            );
            last = Some(date);
        }
        let Some(night) = last else { continue };
        let report = exchange::night(app, consumer, Some(night), &dir.join("out").join(consumer.as_str())).await?;
        if as_json {
            console::json(&report)?;
        } else {
            console::line(
                false,
                format!(
                    "{consumer}: {} of {} clients matched, {} histories, {} summaries",
                    report["matching"]["matched"],
                    report["matching"]["clients"],
                    report["files"]["histories"],
                    report["summaries"]["rendered"]
                ),
            );
        }
    }
    let own: ConsumerId = "sea".parse()?;
    let target = dir.join("out/sea/ndjson");
    if app.consumers.contains_key(&own) && !target.join("manifest.json").exists() {
        feed::export_own(app, &feed::Export::scheduled(&own, "ndjson", &target)).await?;
    }
    app.sequence().await
}

/// The state's files in the order in which a state would send them: organizations and registrations first, then year by year.
fn state_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    const FIRST: [&str; 2] = ["ct-organization", "sasid-2.1x"];
    let mut layouts: Vec<PathBuf> = fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    layouts.sort_by_key(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        (FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len()), name)
    });
    Ok(layouts)
}

/// Roster files with the day in their name, oldest first.
fn rosters(folder: &Path) -> anyhow::Result<Vec<(NaiveDate, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let day = stem.get(stem.len().saturating_sub(10)..).and_then(|text| text.parse::<NaiveDate>().ok());
        files.extend(day.map(|day| (day, path)));
    }
    files.sort();
    Ok(files)
}

fn say_where(app: &App, dir: &Path, as_json: bool) -> anyhow::Result<()> {
    let program = "throughline";
    let data = app.data.display();
    if as_json {
        return console::json(
            &json!({ "state": dir.join("state"), "out": dir.join("out"), "data": app.data, "certificates": app.data.join("certs"), "api": app.settings.server.listen.to_string() }),
        );
    }
    console::line(false, format!("\nstate files    {}", dir.join("state").display()));
    console::line(false, format!("rosters        {}", dir.join("rosters").display()));
    console::line(
        false,
        format!("deliveries     {}/<consumer>/<date>/{{ndjson,csv,summaries}}", dir.join("out").display()),
    );
    console::line(false, format!("findings       {}", app.data.join("findings").display()));
    console::line(false, format!("certificates   {}", app.data.join("certs").display()));
    console::line(false, format!("API            {} (gRPC, mutual TLS)", app.settings.server.listen));
    console::line(false, "\ntry:");
    console::line(false, format!("  {program} --data {data} ledger verify"));
    console::line(false, format!("  {program} --data {data} agreement matrix"));
    console::line(false, format!("  {program} --data {data} feed export --consumer dcf --format csv --out dcf-feed"));
    Ok(())
}
