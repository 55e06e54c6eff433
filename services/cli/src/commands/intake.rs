//! `throughline intake`.

mod check;
mod collect;
mod edfi;
mod lineage;
mod report;
mod sif;

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use disclosure::Trace;
use intake::{
    Finding, Layout, Severity, convert, describe,
    findings_file::{FindingsFormat, Writer},
    layouts,
    load::{self, Receipt},
    read::Sender,
};
use model::{BatchId, Sea, StudentId};
use reference::tables::Tables;
use serde_json::json;

pub use self::sif::day_of;
use self::{
    collect::{Collected, file_name, open},
    report::Report,
};
use super::{Outcome, Usage, with_app};
use crate::{
    app::App,
    args::{ConvertTo, Intake, Place},
    console::{self, Progress},
};

/// Kinds of finding that are told with their counts; the rest is one line.
const KINDS_SAID_MAX: usize = 20;

/// Runs an intake command.
pub async fn run(place: &Place, command: Intake) -> anyhow::Result<Outcome> {
    match command {
        Intake::Load { paths, sea, layout, district } => {
            with_app(place, |app| async move {
                let asked = Asked { sea: &sea, layout: layout.as_deref(), district: district.as_deref() };
                let receipts = load_paths(&app, &paths, asked, place.json).await?;
                Ok(Outcome::of(receipts.refused > 0))
            })
            .await
        }
        Intake::Check { layout, .. } | Intake::Describe { id: layout } if sif::is_objects(&layout) => Err(Usage(format!(
            "{layout} is read by intake load, where its objects find each other; it has no page and no check of its own"
        ))
        .into()),
        Intake::Check { path, layout, district, findings } => {
            let mut report = Report::new(place, &path, findings)?;
            let sender = Sender { district: district.as_deref() };
            if sif::is_layout(&layout) {
                sif::check(&path, &mut report)?;
            } else if let Some(named) = edfi::Named::parse(&layout)? {
                edfi::check(&path, named, &mut report)?;
            } else {
                check::check(&path, find_layout(&layout)?, sender, &mut report)?;
            }
            report.end()
        }
        Intake::Convert { path, layout, to, out, since, state, date } if sif::is_layout(&layout) => sif::convert(
            place,
            &sif::Conversion { path: &path, to, out: &out, since: since.as_deref(), state: state.as_deref(), date },
        ),
        Intake::Convert { layout, .. } if edfi::Named::parse(&layout)?.is_some() || sif::is_objects(&layout) => {
            Err(Usage(format!("{layout} is read (intake load, intake check) and not converted")).into())
        }
        Intake::Convert { path, layout, to, out, .. } => convert_file(&path, find_layout(&layout)?, to, &out),
        Intake::Lineage { student, domain, batch, line, by } => {
            let what = match (student, batch, line) {
                (Some(student), _, _) => Trace::Student(StudentId(student), domain),
                (None, Some(batch), Some(line)) => Trace::Line(BatchId(batch), line),
                _ => anyhow::bail!("name --student, or --batch and --line"),
            };
            lineage::run(place, what, &by).await
        }
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
        Intake::Describe { id } if sif::is_objects(&id) => {
            console::text(&intake::sif::objects_page())?;
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

/// What is said of files that are to be loaded.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The state that sent them.
    pub sea: &'a Sea,
    /// The layout, if it is told.
    pub layout: Option<&'a str>,
    /// The district that sent them, if it is told.
    pub district: Option<&'a str>,
}

/// Loads everything below the paths, in the order of their names.
pub async fn load_paths(app: &App, paths: &[PathBuf], asked: Asked<'_>, as_json: bool) -> anyhow::Result<Totals> {
    load_told(app, paths, asked, as_json, &mut |receipt| say(app, receipt, as_json)).await
}

/// The same; each receipt is told to the caller alone.
pub async fn load_told(
    app: &App,
    paths: &[PathBuf],
    asked: Asked<'_>,
    as_json: bool,
    tell: &mut (dyn FnMut(&Receipt) -> anyhow::Result<()> + Send),
) -> anyhow::Result<Totals> {
    let sea = asked.sea;
    let limits = app.settings.intake;
    let mut collected = Collected::new(asked, &app.data, &limits)?;
    for path in paths {
        collected.collect(path)?;
    }
    collected.close()?;
    for passed in &collected.passed_over {
        console::line(as_json, format!("{passed}: no data file, passed over"));
    }
    let mut totals = Totals::default();
    let total = collected.files.len();
    let mut knows_earlier = false;
    let mut ahead = None;
    for (number, file) in collected.files.iter().enumerate() {
        let progress = Progress::begin(&format!("load {}/{total} {}", number + 1, file.name), 0);
        let context = load::Context {
            pool: app.pool(),
            clock: app.clock(),
            entropy: app.entropy(),
            tombstones: &app.tombstones,
            limits: &limits,
            scratch: collected.scratch(),
            progress: &|rows| progress.at(rows),
        };
        if !knows_earlier && file.layout.starts_with("edfi") {
            collected.edfi.learn(load::described(context, sea, collected.edfi.config()).await?);
            knows_earlier = true;
        }
        let opened = ahead.take().unwrap_or_else(|| load::open(file.clone(), &limits));
        // The next file is read while this one is recorded, if what it says does not hang on what this one said.
        let next = collected.files.get(number + 1).filter(|next| layouts::find(&next.layout).is_some());
        ahead = next.map(|next| load::open(next.clone(), &limits));
        let receipt = load::load_opened(context, opened).await?;
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
    let files = write_findings(app, receipt)?;
    let findings_file = files.first();
    let c = &receipt.counts;
    if as_json {
        return console::json(&json!({
            "batch": receipt.batch.0, "file": receipt.file, "layout": receipt.layout, "rows_in": c.rows_in, "loaded": c.loaded,
            "unchanged": c.unchanged, "superseded": c.superseded, "quarantined": c.quarantined, "control": c.control,
            "adds_up": c.rows_in == c.loaded + c.unchanged + c.superseded + c.quarantined + c.control
                || receipt.refused.is_some(),
            "sha256": hex::encode(receipt.sha256), "bytes": receipt.size_bytes,
            "findings_file": findings_file, "findings_files": files, "findings_dropped": receipt.findings_dropped, "refused": receipt.refused,
            "seen_before": receipt.seen_before, "record_types": record_types(receipt),
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
    if receipt.record_types.len() > 1 {
        for (record_type, c) in &receipt.record_types {
            let bad = if c.quarantined > 0 { format!(", {} quarantined", c.quarantined) } else { String::new() };
            console::line(false, format!("  {record_type}: {} rows{bad}", c.rows_in));
        }
    }
    for line in receipt.found.kinds()?.lines(KINDS_SAID_MAX) {
        console::line(false, format!("  {line}"));
    }
    if let Some(path) = findings_file {
        console::line(false, format!("  findings: {}", path.display()));
    }
    Ok(())
}

/// The counts of each type of record.
fn record_types(receipt: &Receipt) -> Vec<serde_json::Value> {
    let types = receipt.record_types.iter().map(|(record_type, c)| {
        json!({
            "record_type": &**record_type, "rows_in": c.rows_in, "loaded": c.loaded, "unchanged": c.unchanged, "superseded": c.superseded,
            "quarantined": c.quarantined, "control": c.control,
        })
    });
    types.collect()
}

fn write_findings(app: &App, receipt: &Receipt) -> anyhow::Result<Vec<PathBuf>> {
    if receipt.found.is_empty() {
        return Ok(Vec::new());
    }
    let mut files = FindingsFiles::begin(app, receipt.batch)?;
    for finding in receipt.found.read() {
        files.write(&receipt.file, &finding?)?;
    }
    files.end()
}

/// The files of a batch's findings, one of each format, the one that a spreadsheet opens without a question first.
pub struct FindingsFiles(Vec<(PathBuf, Writer)>);

impl FindingsFiles {
    /// Begins them.
    pub fn begin(app: &App, batch: BatchId) -> anyhow::Result<Self> {
        let folder = crate::private::groups(&app.data, "findings")?;
        let begin = |format: FindingsFormat| {
            let path = folder.join(format!("batch-{batch}.{}", format.extension()));
            let max = app.settings.intake.workbook_findings_max;
            let writer = Writer::begin(&path, format, max, app.clock().now())
                .with_context(|| format!("cannot write {}", path.display()))?;
            Ok((path, writer))
        };
        Ok(Self(FindingsFormat::ALL.into_iter().map(begin).collect::<anyhow::Result<Vec<_>>>()?))
    }

    /// Writes one.
    pub fn write(&mut self, file: &str, finding: &Finding) -> anyhow::Result<()> {
        let mut writers = self.0.iter_mut();
        writers.try_for_each(|(_, writer)| writer.write((file, finding))).context("cannot write the findings")
    }

    /// Ends them, and says where they are.
    pub fn end(self) -> anyhow::Result<Vec<PathBuf>> {
        let ended = self.0.into_iter().map(|(path, writer)| writer.end().map(|()| path));
        ended.collect::<Result<Vec<_>, _>>().context("cannot write the findings")
    }
}

fn convert_file(path: &Path, layout: &'static Layout, to: ConvertTo, out: &Path) -> anyhow::Result<Outcome> {
    let mut reader = open(path)?;
    let part = out.with_extension("part");
    let mut writer =
        std::io::BufWriter::new(File::create(&part).with_context(|| format!("cannot write {}", part.display()))?);
    let file = file_name(path);
    let mut is_bad = false;
    let mut keep = |finding: Finding| {
        is_bad |= finding.severity >= Severity::Error;
        console::line(false, format!("{file}, line {}: {}", finding.line, finding.message));
    };
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
    Ok(Outcome::of(is_bad))
}
