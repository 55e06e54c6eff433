//! A place where the program runs: a data folder, an invented state, and what was delivered from it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ledger::{Folder, Leaf, VerifierKey, tiles::tile_at};
use serde_json::Value as Json;

/// A folder of its own, gone when dropped.
pub struct Place {
    dir: tempfile::TempDir,
    is_traced: bool,
}

impl Place {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary folder"), is_traced: false }
    }

    /// One in which whatever [`Place::run`] runs says all that it can in `program.log`.
    pub fn traced() -> Self {
        Self { is_traced: true, ..Self::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = program();
        command.arg("--data").arg(self.path("data")).args(["--sandbox", "--json"]).args(args);
        command
    }

    /// Runs a command that must end with `code`; gives the JSON objects it printed.
    pub fn run(&self, args: &[&str], code: i32) -> Vec<Json> {
        let mut command = self.command(args);
        if self.is_traced {
            let log = fs::File::options().create(true).append(true).open(self.path("program.log"));
            command.args(["--log", "trace"]).stderr(log.expect("a log"));
        }
        finished(command, code)
    }

    /// The SEA's own report on a night.
    pub fn report(&self, consumer: &str, night: &str) -> PathBuf {
        self.path("data").join("reports").join(consumer).join(format!("{night}.json"))
    }

    /// Takes a copy of a data folder whose server has stopped.
    pub fn take_data(&self, from: &Path) {
        copy(from, &self.path("data"));
    }

    pub fn generate(&self, students: u32) {
        let out = self.path("world");
        let students = students.to_string();
        self.run(&["generate", "--students", &students, "--seed", "7", "--clients", "0.2", "--out", text(&out)], 0);
    }

    /// Exports the ledger and verifies it from the files alone; gives the ids of its entries.
    pub fn ledger(&self) -> BTreeSet<String> {
        let out = self.path("ledger");
        self.run(&["ledger", "export", "--out", text(&out)], 0);
        let key = fs::read_to_string(out.join("log-key.txt")).expect("the log's key");
        let key: VerifierKey = key.trim().parse().expect("a verifier key");
        let report = ledger::verify_folder(&out, &[key], &[]).expect("a ledger that can be read");
        assert!(report.is_content(), "the ledger verifies: {:?}", report.findings);
        let folder = Folder::new(&out);
        let bundles = (0..).map_while(|index| tile_at(0, index, report.entries));
        let leaves = bundles.flat_map(|id| folder.find_bundle(id).expect("a bundle").expect("it is there"));
        leaves.map(|leaf| Leaf::from_bytes(&leaf).expect("a leaf").id.to_string()).collect()
    }
}

/// The program.
pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_throughline"))
}

/// Runs a command that must end with `code`; gives the JSON objects it printed.
pub fn finished(mut command: Command, code: i32) -> Vec<Json> {
    let output = command.output().expect("the program runs");
    assert_eq!(output.status.code(), Some(code), "{command:?}: {}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

pub fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Copies a folder with modes and owners: the embedded server insists on both.
pub fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").args(["-a", "--reflink=auto"]).arg(from).arg(to).status().expect("cp runs");
    assert!(status.success(), "{} is copied", from.display());
}

/// The entries of a folder, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

pub fn json(path: &Path) -> Json {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).expect("JSON")
}

pub fn lines(path: &Path) -> Vec<Json> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

pub fn word<'a>(value: &'a Json, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is a text in {value}"))
}

/// The content digests of an export by person: what must be the same after any detour.
pub fn contents(export: &Path) -> BTreeMap<String, String> {
    let line = |line: &Json| (word(line, "person_id").to_owned(), word(line, "content_digest").to_owned());
    lines(&export.join("histories.ndjson")).iter().map(line).collect()
}

/// What a consumer finds in a night's folder, counted by itself.
#[derive(Default)]
pub struct Night {
    /// Persons and content digests of the NDJSON file.
    pub histories: BTreeMap<String, String>,
    /// Disclosure ids that stand in a file or its name.
    pub disclosures: BTreeSet<String>,
    /// Clients with a document, by the index.
    pub documents: BTreeMap<String, String>,
    /// Clients for whom nothing may be disclosed, by the SEA's own report.
    pub refused: u64,
    /// Entries that the ledger must hold for a night that nothing disturbed.
    pub entries: u64,
}

impl Night {
    /// Opens what lies there, and holds it against manifests, index and report.
    pub fn open(folder: &Path, report: &Path) -> Self {
        let report = json(report);
        // A file that an earlier, killed run delivered says nothing of them; the summaries refuse the same.
        let refused = report["files"]["refused"].as_u64().or(report["summaries"]["refused"].as_u64()).expect("a count");
        let (mut disclosures, mut entries) = (BTreeSet::new(), 0);
        let rows = lines(&folder.join("ndjson/histories.ndjson"));
        disclosures.extend(rows.iter().map(|row| word(row, "disclosure_id").to_owned()));
        for format in report["files"]["formats"].as_array().expect("formats") {
            let format = format.as_str().expect("a format");
            let manifest = json(&folder.join(format).join("manifest.json"));
            assert_eq!(
                manifest["histories"].as_u64(),
                Some(rows.len() as u64),
                "{format}: as many as its manifest says"
            );
            for file in manifest["files"].as_array().expect("files") {
                let bytes = fs::metadata(folder.join(format).join(word(file, "name"))).expect("a file").len();
                assert_eq!(file["bytes"].as_u64(), Some(bytes), "{format}: whole");
            }
            assert!(manifest.get("refused").is_none(), "{format}: nothing of whom it does not hold");
            entries += rows.len() as u64 + refused + 1;
        }
        let mut students = csv::Reader::from_path(folder.join("csv/student.csv")).expect("a file of students");
        let students = students.records().map(|row| row.expect("a row"));
        let students: BTreeMap<String, String> = students.map(|row| (row[0].to_owned(), row[1].to_owned())).collect();
        let persons: BTreeSet<&str> = rows.iter().map(|row| word(row, "person_id")).collect();
        assert!(students.keys().map(String::as_str).eq(persons), "both formats hold the same clients");
        disclosures.extend(students.into_values());
        let is = |path: &Path, extension: &str| path.extension().is_some_and(|e| e == extension);
        let summaries = files(&folder.join("summaries"));
        let pdfs: BTreeSet<String> = summaries
            .iter()
            .filter(|path| is(path, "pdf"))
            .map(|path| path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned())
            .collect();
        let proofs = summaries.iter().filter(|path| is(path, "tlog-proof")).count();
        assert_eq!(proofs, pdfs.len(), "each document has its proof beside it");
        let mut index = csv::Reader::from_path(folder.join("summaries/index.csv")).expect("an index");
        let documents: BTreeMap<String, String> = index
            .records()
            .map(|row| row.expect("a row"))
            .filter(|row| &row[2] == "new or changed")
            .map(|row| (row[0].to_owned(), row[1].to_owned()))
            .collect();
        let named: BTreeSet<String> = documents.values().map(|name| name.replace(".pdf", "")).collect();
        assert_eq!(named, pdfs, "the index names each document, and only what is there");
        let told = fs::read_to_string(folder.join("report.json")).expect("a report");
        assert!(!told.contains("refused") && !told.contains("match"), "nothing of whom the night did not deliver");
        entries += pdfs.len() as u64 + report["summaries"]["refused"].as_u64().expect("a count");
        entries += u64::from(!pdfs.is_empty());
        disclosures.extend(pdfs);
        let histories = contents(&folder.join("ndjson"));
        Self { histories, disclosures, documents, refused, entries }
    }
}

/// Files that are not complete, anywhere below a folder.
pub fn parts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in files(folder) {
        if path.is_dir() {
            found.extend(parts(&path));
        } else if path.extension().is_some_and(|extension| extension == "part") {
            found.push(path);
        }
    }
    found
}
