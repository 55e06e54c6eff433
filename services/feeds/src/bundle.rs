//! A whole night in one file: the data, a document for each client named by the recipient's own id, an index, a manifest.
//!
//! A ZIP file is there whole or not at all, can be encrypted as one, and shows no client's id to whoever keeps it. It is read back before it counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::{
    Error, MANIFEST,
    delivery::create_private,
    encrypt::{Hashing, digest_of},
    sink::Digest,
};

/// What a bundle's manifest is.
pub const FORMAT: &str = "bundle-manifest/1";
/// The bundle's index: which document is whose, and since when it is the same.
pub const INDEX: &str = "index.csv";
/// The ending of a document's proof that it was logged.
pub const PROOF: &str = "tlog-proof";

/// A client's document of a night.
#[derive(Clone, Debug)]
pub struct Document {
    /// The client by the recipient's own id. Never in `Debug`, logs or errors.
    pub person: model::Masked<String>,
    /// The document, if this night brought one.
    pub path: Option<PathBuf>,
    /// The disclosure it came with.
    pub disclosure: String,
    /// `new or changed`, or that it was looked at and is the same.
    pub state: String,
    /// Since when it is the same.
    pub since: String,
}

/// What a bundle holds.
#[derive(Clone, Debug)]
pub struct Contents<'a> {
    /// The recipient.
    pub consumer: &'a str,
    /// The night.
    pub date: &'a str,
    /// When it was made (RFC 3339).
    pub created_at: &'a str,
    /// Folders of data: the name in the bundle, and where it lies.
    pub data: Vec<(&'a str, PathBuf)>,
    /// Documents, and clients whose document is the same as before.
    pub documents: &'a [Document],
}

/// The manifest inside a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The recipient.
    pub consumer: String,
    /// The night.
    pub date: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// Documents in it.
    pub documents: u64,
    /// Clients whose document was looked at and is the same as before.
    pub unchanged: u64,
    /// Its other files.
    pub files: Vec<Entry>,
}

/// A file in a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in the bundle.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
}

/// A bundle as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Its file name.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Documents in it.
    pub documents: u64,
}

/// The name of a night's bundle.
pub fn file_name(name: &str, date: &str) -> String {
    format!("{name}-{date}.zip")
}

/// Writes a bundle into a folder: under a temporary name, read back file by file, ready to be given its name.
pub fn write(folder: &Path, name: &str, contents: &Contents<'_>) -> Result<Unconfirmed, Error> {
    fs::create_dir_all(folder).map_err(|source| Error::File { path: folder.to_owned(), source })?;
    let path = folder.join(file_name(name, contents.date));
    let mut unconfirmed = Unconfirmed { part: path.with_added_extension("part"), path, documents: 0 };
    unconfirmed.documents = unconfirmed.fill(contents)?;
    unconfirmed.verify()?;
    Ok(unconfirmed)
}

/// A bundle that is written and verified and does not bear its name yet.
pub struct Unconfirmed {
    path: PathBuf,
    part: PathBuf,
    documents: u64,
}

impl Unconfirmed {
    fn failed(&self) -> impl Fn(io::Error) -> Error + use<> {
        let path = self.part.clone();
        move |source| Error::File { path: path.clone(), source }
    }

    fn fill(&self, contents: &Contents<'_>) -> Result<u64, Error> {
        let failed = self.failed();
        let file = create_private(&self.part).map_err(&failed)?;
        let mut bundle = Writing {
            zip: ZipWriter::new(BufWriter::with_capacity(1 << 18, file)),
            entries: Vec::new(),
            failed: &failed,
        };
        for (name, from) in &contents.data {
            bundle.add_folder(&format!("data/{name}"), from)?;
        }
        let (documents, index) = bundle.add_documents(contents.documents)?;
        bundle.add_bytes(INDEX, &index)?;
        let manifest = Manifest {
            format: FORMAT.to_owned(),
            consumer: contents.consumer.to_owned(),
            date: contents.date.to_owned(),
            created_at: contents.created_at.to_owned(),
            documents,
            unchanged: contents.documents.iter().filter(|one| one.path.is_none()).count() as u64,
            files: std::mem::take(&mut bundle.entries),
        };
        bundle.add_bytes(MANIFEST, &serde_json::to_vec_pretty(&manifest).map_err(Error::Manifest)?)?;
        let out = bundle.zip.finish().map_err(zip_error)?;
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(&failed)?;
        Ok(documents)
    }

    /// Reads the file back, and holds each of its files against its manifest.
    fn verify(&self) -> Result<(), Error> {
        if verify(&self.part)?.is_some() { Ok(()) } else { Err(Error::NotWhole { path: self.part.clone() }) }
    }

    /// Gives it its name.
    pub fn confirm(self) -> Result<Written, Error> {
        let failed = self.failed();
        let digest = digest_of(&self.part).map_err(&failed)?;
        pg::crash::hit(pg::crash::CrashPoint::DeliverBeforeRename);
        fs::rename(&self.part, &self.path).map_err(&failed)?;
        pg::crash::hit(pg::crash::CrashPoint::DeliverAfterRename);
        if let Some(folder) = self.path.parent() {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(&failed)?;
        }
        Ok(Written {
            file: self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            bytes: digest.bytes,
            sha256: hex::encode(digest.sha256),
            documents: self.documents,
        })
    }

    /// Leaves nothing of it.
    pub fn discard(self) -> Result<(), Error> {
        fs::remove_file(&self.part).map_err(self.failed())
    }
}

struct Writing<'a> {
    zip: ZipWriter<BufWriter<File>>,
    entries: Vec<Entry>,
    failed: &'a dyn Fn(io::Error) -> Error,
}

impl Writing<'_> {
    /// What is small already is stored as it is: documents are compressed inside.
    fn begin(&mut self, name: &str) -> Result<(), Error> {
        let is_small = [".pdf", ".parquet", ".xlsx"].iter().any(|ending| name.ends_with(ending));
        let method = if is_small { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let options = SimpleFileOptions::default().compression_method(method).large_file(true).unix_permissions(0o640);
        self.zip.start_file(name, options).map_err(zip_error)
    }

    fn end(&mut self, name: &str, digest: Digest) {
        self.entries.push(Entry { name: name.to_owned(), bytes: digest.bytes, sha256: hex::encode(digest.sha256) });
    }

    fn add_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        self.begin(name)?;
        self.zip.write_all(bytes).map_err(self.failed)?;
        self.end(name, Digest { bytes: bytes.len() as u64, sha256: Sha256::digest(bytes).into() });
        Ok(())
    }

    fn add_file(&mut self, name: &str, from: &Path) -> Result<(), Error> {
        let mut file = File::open(from).map_err(|source| Error::File { path: from.to_owned(), source })?;
        self.begin(name)?;
        let mut out = Hashing::new(&mut self.zip);
        io::copy(&mut file, &mut out).map_err(self.failed)?;
        let digest = out.digest();
        self.end(name, digest);
        Ok(())
    }

    fn add_folder(&mut self, name: &str, from: &Path) -> Result<(), Error> {
        let failed = |source| Error::File { path: from.to_owned(), source };
        let listed = fs::read_dir(from).map_err(failed)?;
        let mut paths =
            listed.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        paths.sort();
        for path in paths {
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.extension().is_none_or(|extension| extension != "part") {
                self.add_file(&format!("{name}/{file}"), &path)?;
            }
        }
        Ok(())
    }

    /// Documents, each with its proof; gives how many, and the index.
    fn add_documents(&mut self, documents: &[Document]) -> Result<(u64, Vec<u8>), Error> {
        let names = names(documents.iter().map(|one| one.person.expose().as_str()));
        let mut index = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        let row = |source: csv::Error| Error::Row { format: "bundle", source: source.into() };
        index.write_record(["person_id", "file", "state", "since", "disclosure_id"]).map_err(row)?;
        let mut count = 0;
        for one in documents {
            let person = one.person.expose().as_str();
            let mut file = String::new();
            if let (Some(path), Some(name)) = (&one.path, names.get(person)) {
                file = format!("documents/{name}.pdf");
                self.add_file(&file, path)?;
                let proof = path.with_added_extension(PROOF);
                if proof.exists() {
                    self.add_file(&format!("{file}.{PROOF}"), &proof)?;
                }
                count += 1;
            }
            let person = crate::formats::csv::harmless(person);
            index.write_record([&*person, &file, &one.state, &one.since, &one.disclosure]).map_err(row)?;
        }
        let index =
            index.into_inner().map_err(|error| Error::Row { format: "bundle", source: error.to_string().into() })?;
        Ok((count, index))
    }
}

fn zip_error(error: zip::result::ZipError) -> Error {
    Error::Row { format: "bundle", source: Box::new(error) }
}

/// File names of clients: the recipient's own id, with what no file system takes as `%` and two digits. Of ids that differ in large and small letters
/// alone, all but the first have their small letters written so: no file replaces another where the file system makes no difference.
fn names<'a>(persons: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, String> {
    let mut taken = BTreeSet::new();
    let mut names = BTreeMap::new();
    for person in persons {
        let mut name = file_name_of(person, |_| true);
        if !taken.insert(name.to_lowercase()) {
            name = file_name_of(person, |byte| !byte.is_ascii_lowercase());
            taken.insert(name.to_lowercase());
        }
        names.insert(person, name);
    }
    names
}

fn file_name_of(person: &str, as_it_is: impl Fn(u8) -> bool) -> String {
    let mut name = String::with_capacity(person.len());
    for (place, byte) in person.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && place > 0);
        if is_plain && as_it_is(byte) {
            name.push(char::from(byte));
        } else {
            // Cannot fail: a text takes everything.
            let _ = write!(name, "%{byte:02X}");
        }
    }
    name
}

/// Whether a file of this name is the document, or its proof, of a client in a bundle: by the recipient's own id.
pub fn is_document_of(file: &str, person: &str) -> bool {
    let stem = file.strip_suffix(&format!(".{PROOF}")).unwrap_or(file).strip_suffix(".pdf");
    stem.is_some_and(|stem| {
        stem == file_name_of(person, |_| true) || stem == file_name_of(person, |byte| !byte.is_ascii_lowercase())
    })
}

/// Whose a bundle is, by its own manifest; `None`: it has none that can be read.
pub fn find_manifest(path: &Path) -> Result<Option<Manifest>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let Ok(mut archive) = ZipArchive::new(io::BufReader::new(File::open(path).map_err(failed)?)) else {
        return Ok(None);
    };
    Ok(archive.by_name(MANIFEST).ok().and_then(|entry| serde_json::from_reader(entry).ok()))
}

/// Whether a bundle tells of one of these clients, by the recipient's own ids: in the name of a document, in a table, or in data of a run that told of them.
pub fn tells_of(path: &Path, runs: &BTreeSet<String>, persons: &BTreeSet<String>) -> Result<bool, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut archive = ZipArchive::new(io::BufReader::new(File::open(path).map_err(failed)?)).map_err(zip_error)?;
    let written: BTreeSet<String> = persons.iter().flat_map(|person| crate::formats::written(person)).collect();
    for number in 0..archive.len() {
        let entry = archive.by_index(number).map_err(zip_error)?;
        let name = entry.name().map_err(zip_error)?.into_owned();
        let file = name.rsplit('/').next().unwrap_or_default();
        let extension = Path::new(file).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let is_found = if name.starts_with("documents/") {
            persons.iter().any(|person| is_document_of(file, person))
        } else if file == MANIFEST {
            let manifest: serde_json::Value = serde_json::from_reader(entry).unwrap_or_default();
            manifest["run"].as_str().is_some_and(|run| runs.contains(run))
        } else if extension == "csv" {
            table_names(entry, &written)?
        } else if extension == "ndjson" {
            lines_name(entry, persons).map_err(failed)?
        } else {
            false
        };
        if is_found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a table names one of these clients.
fn table_names(table: impl io::Read, written: &BTreeSet<String>) -> Result<bool, Error> {
    let wrong = |error: csv::Error| Error::Row { format: "bundle", source: error.into() };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(table);
    let mut places: Option<Vec<usize>> = None;
    for row in reader.byte_records() {
        let row = row.map_err(wrong)?;
        let cells = row.iter().map(|cell| cell.strip_prefix("\u{feff}".as_bytes()).unwrap_or(cell));
        match &places {
            None => {
                let is_person = |cell: &[u8]| crate::formats::PERSON_COLUMNS.iter().any(|name| name.as_bytes() == cell);
                places = Some(cells.enumerate().filter(|(_, cell)| is_person(cell)).map(|(place, _)| place).collect());
            }
            Some(places) => {
                let mut told = places.iter().filter_map(|place| std::str::from_utf8(row.get(*place)?).ok());
                if told.any(|cell| written.contains(cell)) {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// Whether a line is the history of one of these clients.
fn lines_name(lines: impl io::Read, persons: &BTreeSet<String>) -> io::Result<bool> {
    let mut lines = io::BufReader::new(lines);
    let mut line = Vec::new();
    while io::BufRead::read_until(&mut lines, b'\n', &mut line)? > 0 {
        let row: serde_json::Value = serde_json::from_slice(&line).unwrap_or_default();
        if row[crate::formats::table::PERSON_ID].as_str().is_some_and(|person| persons.contains(person)) {
            return Ok(true);
        }
        line.clear();
    }
    Ok(false)
}

/// Holds a bundle against its own manifest: its manifest if every file is there, and as it says, and nothing else; `None` if not.
pub fn verify(path: &Path) -> Result<Option<Manifest>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let Ok(mut archive) = ZipArchive::new(io::BufReader::new(File::open(path).map_err(failed)?)) else {
        return Ok(None);
    };
    let manifest = match archive.by_name(MANIFEST) {
        Ok(entry) => serde_json::from_reader::<_, Manifest>(entry).ok(),
        Err(_) => None,
    };
    let Some(manifest) = manifest.filter(|manifest| manifest.format == FORMAT) else { return Ok(None) };
    if archive.len() != manifest.files.len() + 1 {
        return Ok(None);
    }
    for entry in &manifest.files {
        let mut hashing = Hashing::new(io::sink());
        let Ok(mut file) = archive.by_name(&entry.name) else { return Ok(None) };
        if io::copy(&mut file, &mut hashing).is_err() {
            return Ok(None);
        }
        let found = hashing.digest();
        if found.bytes != entry.bytes || hex::encode(found.sha256) != entry.sha256 {
            return Ok(None);
        }
    }
    Ok(Some(manifest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(person: &str, path: Option<PathBuf>) -> Document {
        Document {
            person: model::Masked::new(person.to_owned()),
            path,
            disclosure: "d".to_owned(),
            state: "new or changed".to_owned(),
            since: String::new(),
        }
    }

    #[test]
    fn names_are_the_recipients_ids_and_never_fall_on_each_other() {
        let check = |persons: &[&str], expect: &[&str]| {
            let names = names(persons.iter().copied());
            let got: Vec<&str> = persons.iter().map(|person| names[person].as_str()).collect();
            assert_eq!(got, expect);
        };
        check(&["100234", "A-7_b"], &["100234", "A-7_b"]);
        check(&["../x", "a b", "é"], &["%2E.%2Fx", "a%20b", "%C3%A9"]);
        check(&["AB1", "ab1"], &["AB1", "%61%621"]);
    }

    #[test]
    fn a_bundle_tells_of_whom_its_tables_documents_and_runs_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = dir.path().join("cmis");
        fs::create_dir_all(&data).expect("a folder");
        fs::write(data.join("cmis.csv"), "SnapshotDate,ClientPIN\r\n2030-01-02,7\r\n2030-01-02,'-9\r\n")
            .expect("a file");
        fs::write(data.join("histories.ndjson"), "{\"person_id\":\"10\"}\n").expect("a file");
        fs::write(data.join(MANIFEST), "{\"run\":\"r\"}").expect("a file");
        let pdf = dir.path().join("doc.pdf");
        fs::write(&pdf, "%PDF").expect("a file");
        let documents = [document("A/8", Some(pdf)), document("11", None)];
        let contents = Contents {
            consumer: "cssd",
            date: "2030-01-02",
            created_at: "2030-01-02T00:00:00Z",
            data: vec![("cmis", data)],
            documents: &documents,
        };
        write(dir.path(), "CMIS", &contents).expect("written").confirm().expect("renamed");
        let path = dir.path().join("CMIS-2030-01-02.zip");
        assert_eq!(find_manifest(&path).expect("it reads").expect("a manifest").consumer, "cssd");
        let check = |run: &str, person: &str, expect: bool| {
            let set = |text: &str| BTreeSet::from([text.to_owned()]);
            assert_eq!(tells_of(&path, &set(run), &set(person)).expect("it reads"), expect, "{run} {person}");
        };
        for person in ["7", "-9", "10", "A/8", "11"] {
            check("", person, true);
        }
        check("r", "", true);
        check("s", "2030-01-02", false);
        check("", "8", false);
    }

    #[test]
    fn a_bundle_holds_what_its_manifest_says_and_a_changed_one_is_found() {
        let dir = tempfile::tempdir().expect("a folder");
        let data = dir.path().join("cmis");
        fs::create_dir_all(&data).expect("a folder");
        fs::write(data.join("cmis.csv"), "ClientPIN\r\n7\r\n").expect("a file");
        fs::write(data.join("left.part"), "x").expect("a file");
        let pdf = dir.path().join("doc.pdf");
        fs::write(&pdf, "%PDF the very words").expect("a file");
        fs::write(dir.path().join("doc.pdf.tlog-proof"), "proof").expect("a file");
        let documents = [document("7", Some(pdf)), document("8", None)];
        let contents = Contents {
            consumer: "cssd",
            date: "2030-01-02",
            created_at: "2030-01-02T00:00:00Z",
            data: vec![("cmis", data)],
            documents: &documents,
        };
        let out = dir.path().join("bundle");
        let unconfirmed = write(&out, "CMIS", &contents).expect("written");
        let path = out.join("CMIS-2030-01-02.zip");
        assert!(!path.exists(), "it has no name before it is confirmed");
        let written = unconfirmed.confirm().expect("renamed");
        assert_eq!((written.file.as_str(), written.documents), ("CMIS-2030-01-02.zip", 1));
        let manifest = verify(&path).expect("it reads").expect("it is whole");
        let names: Vec<&str> = manifest.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["data/cmis/cmis.csv", "documents/7.pdf", "documents/7.pdf.tlog-proof", "index.csv"]);
        assert_eq!((manifest.documents, manifest.unchanged), (1, 1));
        let mut bytes = fs::read(&path).expect("a file");
        let place = bytes.windows(9).position(|window| window == b"very word").expect("stored as it is");
        bytes[place] ^= 1;
        fs::write(&path, &bytes).expect("a file");
        assert_eq!(verify(&path).expect("it reads"), None);
        write(&out, "CMIS", &contents).expect("written").discard().expect("gone");
        assert!(!path.with_added_extension("part").exists(), "nothing is left of what may not stand");
    }
}
