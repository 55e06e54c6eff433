//! `throughline intake`.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write as _},
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, anyhow, bail};
use flate2::read::MultiGzDecoder;
use intake::{
    Finding, Item, Layout, Severity, convert, describe, edfi, layouts,
    load::{self, LoadFile, Receipt},
    read,
};
use model::Sea;
use reference::tables::Tables;
use serde_json::json;

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
        Intake::Check { path, layout } => check(place, &path, find_layout(&layout)?),
        Intake::Convert { path, layout, to, out } => convert_file(&path, find_layout(&layout)?, to, &out),
        Intake::Layouts => {
            for layout in layouts::all() {
                console::line(false, format!("{:<24} {}", layout.id, layout.title));
            }
            console::line(
                false,
                format!("{:<24} {}", EDFI_LAYOUT, "Ed-Fi 1.0 XML interchanges, by their control file"),
            );
            Ok(Outcome::Done)
        }
        Intake::Describe { id } => {
            console::text(&describe::page(find_layout(&id)?))?;
            Ok(Outcome::Done)
        }
    }
}

/// The layout name of Ed-Fi deliveries in receipts.
const EDFI_LAYOUT: &str = "edfi-1.0";

fn find_layout(id: &str) -> anyhow::Result<&'static Layout> {
    layouts::find(id).ok_or_else(|| {
        let known: Vec<&str> = layouts::all().iter().map(|layout| layout.id.as_str()).collect();
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
    let unpacked = tempfile::tempdir().context("cannot make a temporary folder")?;
    let mut files = Vec::new();
    for path in paths {
        collect(path, sea, layout, unpacked.path(), &mut files)?;
    }
    let mut totals = Totals::default();
    let limits = app.settings.intake;
    let total = files.len();
    for (number, file) in files.into_iter().enumerate() {
        let file = match file {
            Found::File(file) => file,
            Found::Unknown(path, finding) => {
                totals.refused += 1;
                say_unknown(&path, &finding, as_json)?;
                continue;
            }
        };
        let progress = Progress::begin(&format!("load {}/{total} {}", number + 1, file.name), 0);
        let context = load::Context {
            pool: app.pool(),
            clock: app.clock(),
            entropy: app.entropy(),
            tombstones: &app.tombstones,
            limits: &limits,
            progress: &|rows| progress.at(rows),
        };
        let receipt = load::load(context, &file).await?;
        progress.done(&format!("{} rows, {} quarantined", receipt.counts.rows_in, receipt.counts.quarantined));
        totals.files += 1;
        totals.rows += receipt.counts.rows_in;
        totals.quarantined += receipt.counts.quarantined;
        totals.refused += u64::from(receipt.refused.is_some());
        say(app, &receipt, as_json)?;
    }
    Ok(totals)
}

fn say_unknown(path: &Path, finding: &Finding, as_json: bool) -> anyhow::Result<()> {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if as_json {
        return console::json(
            &json!({ "batch": null, "file": file, "layout": null, "rows_in": 0, "loaded": 0, "unchanged": 0, "superseded": 0,
            "quarantined": 0, "control": null, "findings_file": null, "refused": finding.message }),
        );
    }
    console::line(false, format!("{file}: refused: {}", finding.message));
    Ok(())
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
            "unchanged": c.unchanged, "superseded": c.superseded, "quarantined": c.quarantined, "passed": c.passed,
            "control": { "sha256": hex::encode(receipt.sha256), "bytes": receipt.size_bytes,
                "adds_up": c.rows_in == c.loaded + c.unchanged + c.superseded + c.quarantined || receipt.refused.is_some() },
            "findings_file": findings_file, "findings_dropped": receipt.findings_dropped, "refused": receipt.refused,
            "seen_before": receipt.seen_before,
        }));
    }
    let verdict = match &receipt.refused {
        Some(reason) => format!("refused: {reason}"),
        None if receipt.seen_before => "the same bytes were loaded before: nothing changed".to_owned(),
        None => format!(
            "{} loaded, {} unchanged, {} superseded, {} quarantined",
            c.loaded, c.unchanged, c.superseded, c.quarantined
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

enum Found {
    File(LoadFile),
    Unknown(PathBuf, Finding),
}

/// Finds what there is to load at a path: a file, a folder, a zip, or an Ed-Fi control file.
fn collect(
    path: &Path,
    sea: &Sea,
    layout: Option<&str>,
    unpacked: &Path,
    files: &mut Vec<Found>,
) -> anyhow::Result<()> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
    if path.is_dir() {
        let mut entries: Vec<PathBuf> = fs::read_dir(path)
            .with_context(|| format!("cannot read {}", path.display()))?
            .map(|entry| entry.map(|e| e.path()))
            .collect::<Result<_, _>>()?;
        entries.sort();
        if let Some(control) = entries.iter().find(|entry| is_control(entry)) {
            return collect_edfi(control, sea, files);
        }
        for entry in entries {
            collect(&entry, sea, layout, unpacked, files)?;
        }
        return Ok(());
    }
    if !path.exists() {
        bail!("there is no {}", path.display());
    }
    if extension == "zip" {
        let folder = unpack(path, unpacked)?;
        return collect(&folder, sea, layout, unpacked, files);
    }
    if is_control(path) {
        return collect_edfi(path, sea, files);
    }
    let layout = match layout {
        Some(id) => find_layout(id)?,
        None => match layouts::detect(path, &first_bytes(path)?) {
            Ok(layout) => layout,
            Err(finding) => {
                files.push(Found::Unknown(path.to_owned(), finding));
                return Ok(());
            }
        },
    };
    files.push(match layouts::check_sea(layout, sea.as_str()) {
        Ok(()) => Found::File(layout_file(path, sea, layout)?),
        Err(finding) => Found::Unknown(path.to_owned(), finding),
    });
    Ok(())
}

fn is_control(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("ctl"))
}

/// Bytes by which a layout is recognised.
const FIRST_BYTES: u64 = 64 << 10;

fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let packed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    Ok(if packed {
        Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(file))))
    } else {
        Box::new(BufReader::with_capacity(1 << 18, file))
    })
}

fn first_bytes(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(FIRST_BYTES).read_to_end(&mut bytes).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}

fn layout_file(path: &Path, sea: &Sea, layout: &'static Layout) -> anyhow::Result<LoadFile> {
    let tables = tables(layout)?;
    let source = path.to_owned();
    Ok(LoadFile {
        sea: sea.clone(),
        path: path.to_owned(),
        name: file_name(path),
        layout: layout.id.clone(),
        produce: Arc::new(move |sink| {
            let mut reader =
                open(&source).map_err(|error| intake::Error::unavailable("open the file", error.to_string()))?;
            read::read(&mut reader, layout, tables, sink).map(|_| ())
        }),
        is_referred_to: false,
    })
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// An Ed-Fi delivery: each listed file is a batch; what one file needs of another is kept in a shared index.
fn collect_edfi(control: &Path, sea: &Sea, files: &mut Vec<Found>) -> anyhow::Result<()> {
    let config = edfi::Config::default();
    let delivery = edfi::read_control(control, &config)?;
    let index = Arc::new(Mutex::new(edfi::Index::new(config.index_bytes_max)));
    let about_delivery = Arc::new(delivery.findings);
    for (number, file) in delivery.files.into_iter().enumerate() {
        let (index, about_delivery) = (Arc::clone(&index), Arc::clone(&about_delivery));
        let (path, config) = (file.path.clone(), config.clone());
        files.push(Found::File(LoadFile {
            sea: sea.clone(),
            path: path.clone(),
            name: file_name(&path),
            layout: format!("{EDFI_LAYOUT}/{:?}", file.interchange),
            produce: Arc::new(move |sink: &mut dyn FnMut(Item) -> ControlFlow<()>| {
                if number == 0 {
                    for finding in about_delivery.iter() {
                        if sink(Item::File(finding.clone())).is_break() {
                            return Ok(());
                        }
                    }
                }
                let mut index = index.lock().unwrap_or_else(PoisonError::into_inner);
                edfi::read_file(&file, &mut index, &config, sink).map(|_| ())
            }),
            is_referred_to: true,
        }));
    }
    Ok(())
}

/// Bytes that a zip may unpack to: beyond it is a bomb.
const UNPACKED_BYTES_MAX: u64 = 64 << 30;

fn unpack(path: &Path, into: &Path) -> anyhow::Result<PathBuf> {
    let mut archive =
        zip::ZipArchive::new(File::open(path)?).with_context(|| format!("{} is no zip file", path.display()))?;
    let folder = into.join(path.file_stem().unwrap_or_default());
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let Some(name) = entry.enclosed_name() else {
            bail!("{}: an entry's name leads out of the folder", path.display())
        };
        let target = folder.join(name);
        if entry.is_dir() {
            fs::create_dir_all(&target)?;
            continue;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut limited = (&mut entry).take(UNPACKED_BYTES_MAX.saturating_sub(total) + 1);
        total += std::io::copy(&mut limited, &mut File::create(&target)?)?;
        if total > UNPACKED_BYTES_MAX {
            bail!("{} unpacks to more than {} GiB", path.display(), UNPACKED_BYTES_MAX >> 30);
        }
    }
    Ok(folder)
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
