//! `throughline intake`.

mod archive;
mod collect;
mod edfi;
mod sif;

use std::{
    fs::{self, File},
    io::Write as _,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use intake::{
    Finding, Layout, Severity, convert, describe, layouts,
    load::{self, Receipt},
};
use model::Sea;
use reference::tables::Tables;
use serde_json::json;

use self::collect::{Collected, file_name, open};
pub use self::sif::day_of;
use super::{Outcome, with_app};
use crate::{
    app::App,
    args::{ConvertTo, Intake, Place},
    console::{self, Progress},
};

/// Runs an intake command.
pub async fn run(place: &Place, command: Intake) -> anyhow::Result<Outcome> {
    match command {
        Intake::Load { paths, sea, layout } => {
            with_app(place, |app| async move {
                let receipts = load_paths(&app, &paths, &sea, layout.as_deref(), place.json).await?;
                Ok(Outcome::of(receipts.refused > 0))
            })
            .await
        }
        Intake::Check { path, layout } if sif::is_layout(&layout) => sif::check(place, &path),
        Intake::Check { path, layout } => match edfi::Named::parse(&layout)? {
            Some(named) => edfi::check(place, &path, named),
            None => check(place, &path, find_layout(&layout)?),
        },
        Intake::Convert { path, layout, to, out, since, state, date } if sif::is_layout(&layout) => sif::convert(
            place,
            &sif::Conversion { path: &path, to, out: &out, since: since.as_deref(), state: state.as_deref(), date },
        ),
        Intake::Convert { path, layout, to, out, .. } => convert_file(&path, find_layout(&layout)?, to, &out),
        Intake::Layouts => {
            for layout in layouts::all() {
                console::line(false, format!("{:<24} {}", layout.id, layout.title));
            }
            for version in intake::edfi::versions() {
                console::line(false, format!("{:<24} {}", version.id, version.title));
            }
            for (id, title) in sif::LAYOUTS {
                console::line(false, format!("{id:<24} {title}"));
            }
            Ok(Outcome::Done)
        }
        Intake::Describe { id } if sif::is_layout(&id) => {
            console::text(&intake::sif::page())?;
            Ok(Outcome::Done)
        }
        Intake::Describe { id } => {
            let page = match edfi::Named::parse(&id)? {
                Some(named) => named.version.page(),
                None => describe::page(find_layout(&id)?),
            };
            console::text(&page)?;
            Ok(Outcome::Done)
        }
    }
}

fn find_layout(id: &str) -> anyhow::Result<&'static Layout> {
    layouts::find(id).ok_or_else(|| {
        let mut known: Vec<&str> = layouts::all().iter().map(|layout| layout.id.as_str()).collect();
        known.extend(intake::edfi::versions().iter().map(|version| version.id.as_str()));
        anyhow!("there is no layout {id}; there are: {}", known.join(", "))
    })
}

fn tables(layout: &Layout) -> anyhow::Result<&'static Tables> {
    Tables::builtin(&layout.sea).ok_or_else(|| anyhow!("the program has no code tables for {}", layout.sea))
}

/// What became of several files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Files.
    pub files: u64,
    /// Files refused as a whole.
    pub refused: u64,
    /// Rows read.
    pub rows: u64,
    /// Rows quarantined.
    pub quarantined: u64,
}

/// Loads everything below the paths, in the order of their names.
pub async fn load_paths(
    app: &App,
    paths: &[PathBuf],
    sea: &Sea,
    layout: Option<&str>,
    as_json: bool,
) -> anyhow::Result<Totals> {
    load_told(app, paths, (sea, layout), as_json, &mut |receipt| say(app, receipt, as_json)).await
}

/// The same; each receipt is told to the caller alone.
pub async fn load_told(
    app: &App,
    paths: &[PathBuf],
    (sea, layout): (&Sea, Option<&str>),
    as_json: bool,
    tell: &mut (dyn FnMut(&Receipt) -> anyhow::Result<()> + Send),
) -> anyhow::Result<Totals> {
    let mut collected = Collected::new(sea, layout)?;
    for path in paths {
        collected.collect(path)?;
    }
    collected.close()?;
    for passed in &collected.passed_over {
        console::line(as_json, format!("{passed}: no data file, passed over"));
    }
    let mut totals = Totals::default();
    let limits = app.settings.intake;
    let total = collected.files.len();
    let mut knows_earlier = false;
    for (number, file) in collected.files.iter().enumerate() {
        let progress = Progress::begin(&format!("load {}/{total} {}", number + 1, file.name), 0);
        let context = load::Context {
            pool: app.pool(),
            clock: app.clock(),
            entropy: app.entropy(),
            tombstones: &app.tombstones,
            limits: &limits,
            progress: &|rows| progress.at(rows),
        };
        if !knows_earlier && file.layout.starts_with("edfi") {
            collected.edfi.learn(load::described(context, sea, collected.edfi.config()).await?);
            knows_earlier = true;
        }
        let receipt = load::load(context, file).await?;
        // What a refused file described was not kept: it must not serve the files after it.
        knows_earlier &= receipt.refused.is_none();
        progress.done(&format!("{} rows, {} quarantined", receipt.counts.rows_in, receipt.counts.quarantined));
        totals.files += 1;
        totals.rows += receipt.counts.rows_in;
        totals.quarantined += receipt.counts.quarantined;
        totals.refused += u64::from(receipt.refused.is_some());
        tell(&receipt)?;
    }
    Ok(totals)
}

fn say(app: &App, receipt: &Receipt, as_json: bool) -> anyhow::Result<()> {
    let mut findings_file = None;
    if !receipt.findings.is_empty() {
        let folder = app.data.join("findings");
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("batch-{}.csv", receipt.batch));
        load::write_findings(&path, &receipt.file, &receipt.findings)?;
        findings_file = Some(path);
    }
    let c = &receipt.counts;
    if as_json {
        return console::json(&json!({
            "batch": receipt.batch.0, "file": receipt.file, "layout": receipt.layout, "rows_in": c.rows_in, "loaded": c.loaded,
            "unchanged": c.unchanged, "superseded": c.superseded, "quarantined": c.quarantined, "control": c.control,
            "adds_up": c.rows_in == c.loaded + c.unchanged + c.superseded + c.quarantined + c.control
                || receipt.refused.is_some(),
            "sha256": hex::encode(receipt.sha256), "bytes": receipt.size_bytes,
            "findings_file": findings_file, "findings_dropped": receipt.findings_dropped, "refused": receipt.refused,
            "seen_before": receipt.seen_before,
        }));
    }
    let verdict = match &receipt.refused {
        Some(reason) => format!("refused: {reason}"),
        None if receipt.seen_before => "the same bytes were loaded before: nothing changed".to_owned(),
        None => format!(
            "{} loaded, {} unchanged, {} superseded, {} quarantined, {} control",
            c.loaded, c.unchanged, c.superseded, c.quarantined, c.control
        ),
    };
    console::line(
        false,
        format!("batch {} {} ({}): {} rows in; {verdict}", receipt.batch, receipt.file, receipt.layout, c.rows_in),
    );
    if let Some(path) = findings_file {
        console::line(false, format!("  findings: {}", path.display()));
    }
    Ok(())
}

/// Says what is wrong with a file, without a database.
fn check(place: &Place, path: &Path, layout: &'static Layout) -> anyhow::Result<Outcome> {
    let mut bad = false;
    let mut failed = None;
    let file = file_name(path);
    let mut reader = open(path)?;
    let summary = intake::check::check_file(&mut reader, layout, tables(layout)?, &mut |finding| {
        bad |= finding.severity >= Severity::Error;
        match say_finding(place, &file, &finding) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    console::line(place.json, format!("{file}: {} rows", summary.rows_in));
    Ok(Outcome::of(bad))
}

fn say_finding(place: &Place, file: &str, finding: &Finding) -> anyhow::Result<()> {
    if place.json {
        return console::json(
            &json!({ "file": file, "line": finding.line, "column": finding.column, "field": finding.field,
            "rule": finding.rule, "severity": finding.severity, "message": finding.message }),
        );
    }
    let field = finding.field.as_deref().map(|field| format!(", {field}")).unwrap_or_default();
    console::line(false, format!("{file}, line {}{field}: {} [{}]", finding.line, finding.message, finding.rule));
    Ok(())
}

fn convert_file(path: &Path, layout: &'static Layout, to: ConvertTo, out: &Path) -> anyhow::Result<Outcome> {
    let mut reader = open(path)?;
    let part = out.with_extension("part");
    let mut writer =
        std::io::BufWriter::new(File::create(&part).with_context(|| format!("cannot write {}", part.display()))?);
    let mut findings = Vec::new();
    let mut keep = |finding: Finding| findings.push(finding);
    match to {
        ConvertTo::Ndjson => {
            convert::to_ndjson(&mut reader, layout, tables(layout)?, &mut writer, &mut keep)?;
        }
        ConvertTo::File => {
            convert::from_ndjson(&mut reader, layout, &mut writer, &mut keep)?;
        }
    }
    writer.flush()?;
    drop(writer);
    fs::rename(&part, out)?;
    let file = file_name(path);
    for finding in &findings {
        console::line(false, format!("{file}, line {}: {}", finding.line, finding.message));
    }
    Ok(Outcome::of(findings.iter().any(|finding| finding.severity >= Severity::Error)))
}
