//! Deliveries of ours on disk: rows and documents of an erased student go, and each folder says what was taken out of it.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use identity::erase::Subject;
use model::DisclosureId;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::commands::exchange::write_whole;
use crate::control::journal::control_folder;

/// Where deliveries were written, a folder a line.
const DELIVERIES: &str = "deliveries";
/// What a folder says of what was taken out of it.
const REDACTED: &str = "redacted.ndjson";
/// Folders inside folders: nobody nests deeper.
const DEPTH_MAX: usize = 8;

/// Remembers that a delivery goes to a folder, so that an erasure finds it.
pub fn note_delivery(data: &Path, folder: &Path) -> anyhow::Result<()> {
    let folder = std::path::absolute(folder)?;
    let Some(text) = folder.to_str() else { return Ok(()) };
    if text.contains('\n') || list_deliveries(data)?.contains(&folder) {
        return Ok(());
    }
    let path = control_folder(data)?.join(DELIVERIES);
    let mut file = fs::File::options().create(true).append(true).mode(0o600).open(&path)?;
    file.write_all(format!("{text}\n").as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

fn list_deliveries(data: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    match fs::read_to_string(control_folder(data)?.join(DELIVERIES)) {
        Ok(text) => Ok(text.lines().map(PathBuf::from).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error).context("cannot read where deliveries were written"),
    }
}

/// Whom rows are looked for by.
struct Marks {
    /// Disclosures, as they are written.
    disclosures: BTreeSet<String>,
    /// Students, as the SEA's own exports name them.
    students: BTreeSet<String>,
    /// State ids, as states' own layouts hold them.
    state_ids: Vec<Vec<u8>>,
}

impl Marks {
    fn are_in(&self, person: Option<&str>, disclosure: Option<&str>) -> bool {
        disclosure.is_some_and(|id| self.disclosures.contains(id))
            || person.is_some_and(|id| self.students.contains(id))
    }

    /// The ids that rows of tables bear.
    fn ids(&self) -> Vec<String> {
        self.disclosures.iter().chain(&self.students).cloned().collect()
    }

    fn stand_in(&self, bytes: &[u8]) -> bool {
        let stands = |mark: &[u8]| bytes.windows(mark.len().max(1)).any(|window| window == mark);
        self.state_ids.iter().any(|id| stands(id))
    }
}

/// Clears every folder that deliveries were written to. Says how many files were changed or removed.
pub fn clear(
    data: &Path,
    disclosures: &BTreeSet<DisclosureId>,
    subject: &Subject,
    is_whole: bool,
) -> anyhow::Result<u64> {
    let state_ids = subject.persons.iter().map(|person| person.state_id.expose().as_bytes().to_vec());
    let marks = Marks {
        disclosures: disclosures.iter().map(ToString::to_string).collect(),
        students: subject.students.iter().map(ToString::to_string).collect(),
        state_ids: if is_whole { state_ids.collect() } else { Vec::new() },
    };
    let mut folders = list_deliveries(data)?;
    folders.insert(data.with_file_name("out"));
    let mut cleared = 0;
    for folder in folders {
        cleared += clear_folder(&folder, &marks, DEPTH_MAX)?;
    }
    Ok(cleared)
}

fn clear_folder(folder: &Path, marks: &Marks, depth: usize) -> anyhow::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    let mut taken = Vec::new();
    let mut cleared = 0;
    for path in paths {
        if path.is_dir() {
            cleared += if depth > 0 { clear_folder(&path, marks, depth - 1)? } else { 0 };
        } else if let Some(note) = clear_file(&path, marks)? {
            taken.push(note);
        }
    }
    cleared += taken.len() as u64;
    if !taken.is_empty() {
        let mut text = fs::read(folder.join(REDACTED)).unwrap_or_default();
        for note in taken {
            serde_json::to_writer(&mut text, &note)?;
            text.push(b'\n');
        }
        write_whole(&folder.join(REDACTED), &text)?;
    }
    Ok(cleared)
}

/// Clears one file; what was done to it, if anything was: its name, the rows that went, and both hashes.
fn clear_file(path: &Path, marks: &Marks) -> anyhow::Result<Option<Json>> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    if matches!(name.as_str(), REDACTED | feeds::MANIFEST | "report.json" | "schema.ini") {
        return Ok(None);
    }
    let is_document = name.get(..36).is_some_and(|id| marks.disclosures.contains(id));
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    // A workbook, a Parquet file and a bundle are whole or nothing: the same rows stand in the other formats, and can be exported again.
    let is_binary = matches!(extension, "xlsx" | "parquet" | "zip");
    if is_document || (is_binary && feeds::formats::mentions(path, &marks.ids())?) {
        let before = hash_of(path)?;
        fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
        return Ok(Some(json!({ "file": name, "removed": true, "sha256_before": before })));
    }
    let rewritten = match extension {
        "ndjson" => keep_lines(path, |line| {
            let row: Json = serde_json::from_slice(line).unwrap_or_default();
            !marks.are_in(row["person_id"].as_str(), row["disclosure_id"].as_str()) && !marks.stand_in(line)
        })?,
        "csv" => keep_rows(path, marks)?,
        // A file that a kill left unfinished: nobody was given it.
        "part" => {
            let bytes = fs::read(path)?;
            let names = |id: &String| bytes.windows(id.len()).any(|window| window == id.as_bytes());
            if marks.stand_in(&bytes) || marks.disclosures.iter().any(names) {
                fs::remove_file(path)?;
            }
            None
        }
        "pdf" | "tlog-proof" | "json" | "xlsx" | "parquet" | "zip" => None,
        _ => keep_lines(path, |line| !marks.stand_in(line))?,
    };
    let Some((bytes, rows)) = rewritten else { return Ok(None) };
    let before = hash_of(path)?;
    write_whole(path, &bytes)?;
    Ok(Some(json!({
        "file": name, "rows_removed": rows, "sha256_before": before, "sha256_after": hex::encode(Sha256::digest(&bytes)),
    })))
}

fn hash_of(path: &Path) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut fs::File::open(path)?, &mut hash)?;
    Ok(hex::encode(hash.finalize()))
}

type Rewritten = Option<(Vec<u8>, u64)>;

/// A file without the lines that are not kept; `None`: all are.
fn keep_lines(path: &Path, keep: impl Fn(&[u8]) -> bool) -> anyhow::Result<Rewritten> {
    let mut file = BufReader::new(fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?);
    let (mut kept, mut gone, mut line) = (Vec::new(), 0, Vec::new());
    while file.read_until(b'\n', &mut line)? > 0 {
        if keep(&line) {
            kept.extend_from_slice(&line);
        } else {
            gone += 1;
        }
        line.clear();
    }
    Ok((gone > 0).then_some((kept, gone)))
}

/// A CSV file of ours without the rows of a disclosure or student; one with other columns without the rows that hold a state id.
fn keep_rows(path: &Path, marks: &Marks) -> anyhow::Result<Rewritten> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let broken = |error: csv::Error| anyhow!("{} cannot be read as CSV: {error}", path.display());
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes.as_slice());
    let mut writer = csv::WriterBuilder::new().flexible(true).terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let (mut columns, mut gone) = (None, 0);
    for row in reader.byte_records() {
        let row = row.map_err(broken)?;
        let text = |place: Option<usize>| {
            place.and_then(|place| row.get(place)).and_then(|cell| std::str::from_utf8(cell).ok())
        };
        let Some((person, disclosure, file)) = columns else {
            let place = |name: &str| {
                row.iter().position(|cell| cell.strip_prefix("\u{feff}".as_bytes()).unwrap_or(cell) == name.as_bytes())
            };
            columns = Some((place("person_id"), place("disclosure_id"), place("file")));
            writer.write_byte_record(&row).map_err(broken)?;
            continue;
        };
        let document = text(file).and_then(|file| file.strip_suffix(".pdf"));
        let is_marked = marks.are_in(text(person), text(disclosure)) || marks.are_in(None, document);
        if is_marked || row.iter().any(|cell| marks.stand_in(cell)) {
            gone += 1;
        } else {
            writer.write_byte_record(&row).map_err(broken)?;
        }
    }
    let kept = writer.into_inner().map_err(|error| anyhow!("{error}"))?;
    Ok((gone > 0).then_some((kept, gone)))
}
