//! Deliveries of ours on disk: rows and documents of an erased student go, and each folder says what was taken out of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use chrono::{DateTime, Utc};
use disclosure::erase::Held;
use identity::erase::Subject;
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::commands::exchange::{BUNDLE, SUMMARIES, write_whole};
use crate::control::journal::control_folder;

/// Where deliveries were written, a folder a line.
const DELIVERIES: &str = "deliveries";
/// What a folder says of what was taken out of it.
const REDACTED: &str = "redacted.ndjson";
/// Folders inside folders: nobody nests deeper.
const DEPTH_MAX: usize = 8;

/// Remembers that a delivery goes to a folder, or to a file alone, so that an erasure finds it.
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
    /// Clients by the agency's own ids: the agency, its id, and since when it is the student. Not every row that tells of a client bears a disclosure.
    clients: Vec<(String, String, DateTime<Utc>)>,
    /// What a run told of the student, under which of the agency's own ids.
    runs: BTreeMap<String, BTreeSet<String>>,
}

/// Whose a folder's files are, as far as it says so itself.
#[derive(Clone, Debug, Default)]
struct Origin {
    consumer: Option<String>,
    made_at: Option<DateTime<Utc>>,
    run: Option<String>,
}

impl Origin {
    fn of(told: &Json) -> Option<Self> {
        let word = |name: &str| told[name].as_str().map(str::to_owned);
        let made_at = word("created_at").or_else(|| word("at")).and_then(|at| at.parse().ok());
        Some(Self { consumer: Some(word("consumer")?), made_at, run: word("run") })
    }

    /// By the folder's manifest, a night's report, the manifests of a night's parts, or what the folder is called; else as the folder around it.
    fn of_folder(folder: &Path, files: &[PathBuf], around: &Self, marks: &Marks) -> Self {
        let told = |path: PathBuf| {
            let bytes = fs::read(path).ok()?;
            Self::of(&serde_json::from_slice(&bytes).ok()?)
        };
        let part = || {
            let parts = files.iter().filter(|path| path.is_dir());
            let mut parts = parts.filter_map(|path| told(path.join(feeds::MANIFEST)));
            let first = parts.next()?;
            // A run is its own part's. A folder of several agencies' is nobody's.
            parts.all(|one| one.consumer == first.consumer).then_some(Self { run: None, ..first })
        };
        let called = || {
            let name = folder.file_name()?.to_str()?;
            let is_known = marks.clients.iter().any(|(consumer, ..)| consumer == name);
            is_known.then(|| Self { consumer: Some(name.to_owned()), ..Self::default() })
        };
        let own = told(folder.join(feeds::MANIFEST)).or_else(|| told(folder.join("report.json")));
        own.or_else(part).or_else(called).unwrap_or_else(|| around.clone())
    }
}

/// What is looked for in the files of one folder.
struct Sought<'a> {
    marks: &'a Marks,
    /// The agency's own ids of whoever is erased.
    persons: BTreeSet<String>,
    /// The same as tables write them.
    written: BTreeSet<String>,
}

impl Marks {
    /// Where nothing says whose the files are, by the ids of all agencies.
    fn sought(&self, origin: &Origin) -> Sought<'_> {
        let is_then = |consumer: &String, since: &DateTime<Utc>| {
            origin.consumer.as_ref().is_none_or(|one| one == consumer) && origin.made_at.is_none_or(|at| at >= *since)
        };
        let clients = self.clients.iter().filter(|(consumer, _, since)| is_then(consumer, since));
        let of_run = origin.run.as_ref().and_then(|run| self.runs.get(run)).into_iter().flatten();
        let persons: BTreeSet<String> = clients.map(|(_, person, _)| person).chain(of_run).cloned().collect();
        let written = persons.iter().flat_map(|person| feeds::formats::written(person)).collect();
        Sought { marks: self, persons, written }
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

impl Sought<'_> {
    fn are_in(&self, person: Option<&str>, disclosure: Option<&str>) -> bool {
        disclosure.is_some_and(|id| self.marks.disclosures.contains(id))
            || person.is_some_and(|id| self.marks.students.contains(id) || self.written.contains(id))
    }

    fn is_document(&self, name: &str) -> bool {
        name.get(..36).is_some_and(|id| self.marks.disclosures.contains(id))
            || self.persons.iter().any(|person| feeds::bundle::is_document_of(name, person))
    }

    /// Whether a workbook, a Parquet file or a bundle tells of whoever is erased. A bundle says itself whose it is.
    fn are_within(&self, path: &Path, extension: &str) -> anyhow::Result<bool> {
        if feeds::formats::mentions(path, &self.marks.ids())? {
            return Ok(true);
        }
        if extension != "zip" {
            return Ok(false);
        }
        let runs: BTreeSet<String> = self.marks.runs.keys().cloned().collect();
        let manifest = feeds::bundle::find_manifest(path)?;
        let own = manifest.and_then(|manifest| {
            Origin::of(&json!({
                "consumer": manifest.consumer, "created_at": manifest.created_at,
            }))
        });
        match own {
            Some(origin) => Ok(feeds::bundle::tells_of(path, &runs, &self.marks.sought(&origin).persons)?),
            None => Ok(feeds::bundle::tells_of(path, &runs, &self.persons)?),
        }
    }

    /// Whether an unfinished file must go: it tells of whoever is erased, or it is packed or encrypted and nobody can tell.
    fn are_in_part(&self, bytes: &[u8]) -> bool {
        let Some(text) = text_of(bytes) else { return true };
        let names = |id: &String| text.contains(id.as_str());
        let is_edge = |edge: Option<char>| edge.is_none_or(|edge| !edge.is_alphanumeric());
        let stands = |person: &String| {
            text.match_indices(person.as_str()).any(|(at, word)| {
                let (before, after) = text.split_at(at);
                let after = after.strip_prefix(word).unwrap_or(after);
                is_edge(before.chars().next_back()) && is_edge(after.chars().next())
            })
        };
        self.marks.stand_in(bytes) || self.marks.disclosures.iter().any(names) || self.persons.iter().any(stands)
    }
}

/// The text of a file that may be cut in the middle of a character; `None`: it is no text.
fn text_of(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() => std::str::from_utf8(bytes.get(..error.valid_up_to())?).ok(),
        Err(_) => None,
    }
}

/// Whether an erasure looks into a file of rows by this name, if it is told of it.
pub fn is_searched(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let extension = path.extension().and_then(|extension| extension.to_str());
    !matches!(name, "" | REDACTED | feeds::MANIFEST | "report.json" | "schema.ini")
        && matches!(extension, None | Some("csv" | "ndjson" | "txt"))
}

/// What clearing the deliveries came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cleared {
    /// Files that were changed or removed.
    pub files: u64,
    /// Encrypted files, which their recipients' keys alone open: nobody here can tell whom they are about.
    pub unopened: u64,
}

/// Clears every folder that deliveries were written to.
pub fn clear(data: &Path, held: &[Held], subject: &Subject, is_whole: bool) -> anyhow::Result<Cleared> {
    let state_ids = subject.persons.iter().map(|person| person.state_id.expose().as_bytes().to_vec());
    let clients = subject.clients.iter().filter(|client| is_whole && client.is_current);
    let mut marks = Marks {
        disclosures: held.iter().map(|one| one.disclosure.to_string()).collect(),
        students: subject.students.iter().map(ToString::to_string).collect(),
        state_ids: if is_whole { state_ids.collect() } else { Vec::new() },
        clients: clients.map(|one| (one.consumer.to_string(), one.person_key.expose().clone(), one.since)).collect(),
        runs: BTreeMap::new(),
    };
    for one in held {
        if let (Some(run), Some(person)) = (&one.run, person_then(one, subject)) {
            marks.runs.entry(run.clone()).or_default().insert(person);
        }
    }
    let mut folders = list_deliveries(data)?;
    folders.insert(data.with_file_name("out"));
    let mut cleared = Cleared::default();
    for folder in folders {
        if folder.is_file() {
            // Written by itself into a folder that is nobody's delivery: of that only this file is ours.
            if let Some(note) = clear_file(&folder, &marks.sought(&Origin::default()))? {
                cleared.files += 1;
                note_taken(folder.parent().unwrap_or(Path::new(".")), vec![note])?;
            }
            continue;
        }
        // What belongs to a night is remembered by itself too.
        let night = folder.parent().filter(|_| folder.ends_with(SUMMARIES) || folder.ends_with(BUNDLE));
        let around = match night {
            Some(night) if folder.exists() => Origin::of_folder(night, &list(night)?, &Origin::default(), &marks),
            _ => Origin::default(),
        };
        clear_folder(&folder, &marks, &around, DEPTH_MAX, &mut cleared)?;
    }
    Ok(cleared)
}

/// Under which of the agency's own ids a disclosure told of the student.
fn person_then(held: &Held, subject: &Subject) -> Option<String> {
    let of_agency = || subject.clients.iter().filter(|client| client.consumer == held.consumer);
    let then = of_agency().filter(|client| client.since <= held.decided_at).max_by_key(|client| client.since);
    then.or_else(|| of_agency().next()).map(|client| client.person_key.expose().clone())
}

/// What a folder holds, in order; nothing, if it is not there.
fn list(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    Ok(paths)
}

fn clear_folder(
    folder: &Path,
    marks: &Marks,
    around: &Origin,
    depth: usize,
    cleared: &mut Cleared,
) -> anyhow::Result<()> {
    let paths = list(folder)?;
    let origin = Origin::of_folder(folder, &paths, around, marks);
    let sought = marks.sought(&origin);
    let mut taken = Vec::new();
    for path in paths {
        if path.is_dir() {
            if depth > 0 {
                clear_folder(&path, marks, &origin, depth - 1, cleared)?;
            }
        } else if path.extension().is_some_and(|extension| extension == feeds::encrypt::EXTENSION) {
            cleared.unopened += 1;
        } else if let Some(note) = clear_file(&path, &sought)? {
            taken.push(note);
        }
    }
    cleared.files += taken.len() as u64;
    if taken.is_empty() { Ok(()) } else { note_taken(folder, taken) }
}

/// Has a folder say what was taken out of it.
fn note_taken(folder: &Path, taken: Vec<Json>) -> anyhow::Result<()> {
    let mut text = fs::read(folder.join(REDACTED)).unwrap_or_default();
    for note in taken {
        serde_json::to_writer(&mut text, &note)?;
        text.push(b'\n');
    }
    write_whole(&folder.join(REDACTED), &text)
}

/// Clears one file; what was done to it, if anything was: its name, the rows that went, and both hashes.
fn clear_file(path: &Path, sought: &Sought<'_>) -> anyhow::Result<Option<Json>> {
    let marks = sought.marks;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    if matches!(name.as_str(), REDACTED | feeds::MANIFEST | "report.json" | "schema.ini") {
        return Ok(None);
    }
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    // A workbook, a Parquet file and a bundle are whole or nothing: the same rows stand in the other formats, and can be exported again.
    let is_binary = matches!(extension, "xlsx" | "parquet" | "zip");
    if sought.is_document(&name) || (is_binary && sought.are_within(path, extension)?) {
        let before = hash_of(path)?;
        fs::remove_file(path).with_context(|| format!("cannot remove {}", path.display()))?;
        // A document of an unpacked bundle is named by the agency's own id of the client.
        let is_ours = name.get(..36).is_some_and(|id| marks.disclosures.contains(id)) || is_binary;
        let told = if is_ours { json!(name) } else { Json::Null };
        return Ok(Some(json!({ "file": told, "removed": true, "sha256_before": before })));
    }
    let rewritten = match extension {
        "ndjson" => keep_lines(path, |line| {
            let row: Json = serde_json::from_slice(line).unwrap_or_default();
            !sought.are_in(row["person_id"].as_str(), row["disclosure_id"].as_str()) && !marks.stand_in(line)
        })?,
        "csv" => keep_rows(path, sought)?,
        // A file that a kill left unfinished: nobody was given it.
        "part" => {
            if sought.are_in_part(&fs::read(path)?) {
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

/// Where a row of a table says whom it is about.
struct Places {
    persons: Vec<usize>,
    disclosure: Option<usize>,
    file: Option<usize>,
}

impl Places {
    fn of(header: &csv::ByteRecord) -> Self {
        let place = |name: &str| {
            let is_it = |cell: &[u8]| cell.strip_prefix("\u{feff}".as_bytes()).unwrap_or(cell) == name.as_bytes();
            header.iter().position(is_it)
        };
        let persons = feeds::formats::PERSON_COLUMNS.into_iter().filter_map(place).collect();
        Self { persons, disclosure: place("disclosure_id"), file: place("file") }
    }

    fn tell_of(&self, row: &csv::ByteRecord, sought: &Sought<'_>) -> bool {
        let text = |place: usize| row.get(place).and_then(|cell| std::str::from_utf8(cell).ok());
        let document = self.file.and_then(text).and_then(|file| file.strip_suffix(".pdf"));
        sought.are_in(None, self.disclosure.and_then(text))
            || sought.are_in(None, document)
            || self.persons.iter().any(|place| sought.are_in(text(*place), None))
            || row.iter().any(|cell| sought.marks.stand_in(cell))
    }
}

/// A CSV file of ours without the rows of a disclosure, student or client; one with other columns without the rows that hold a state id.
fn keep_rows(path: &Path, sought: &Sought<'_>) -> anyhow::Result<Rewritten> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let broken = |error: csv::Error| anyhow!("{} cannot be read as CSV: {error}", path.display());
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes.as_slice());
    let mut writer = csv::WriterBuilder::new().flexible(true).terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let (mut places, mut gone) = (None, 0);
    for row in reader.byte_records() {
        let row = row.map_err(broken)?;
        if places.as_ref().is_some_and(|places: &Places| places.tell_of(&row, sought)) {
            gone += 1;
            continue;
        }
        writer.write_byte_record(&row).map_err(broken)?;
        places.get_or_insert_with(|| Places::of(&row));
    }
    let kept = writer.into_inner().map_err(|error| anyhow!("{error}"))?;
    Ok((gone > 0).then_some((kept, gone)))
}

#[cfg(test)]
mod tests;
