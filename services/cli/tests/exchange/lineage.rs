//! From every row of an export back to the bytes of its line, whatever the file was and however it was packed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::Value as Json;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::place::{Place, files, lines, text, word};

/// Two objects on lines of their own.
const SIF: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<SIF_Message xmlns="http://www.sifinfo.org/infrastructure/2.x" Version="2.7"><SIF_Response><SIF_Header/><SIF_ObjectData>
<StudentPersonal RefId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"><LocalId>101</LocalId><StateProvinceId>9990000001</StateProvinceId>
  <Name Type="04"><LastName>Zzobject</LastName><FirstName>Ada</FirstName></Name>
  <Demographics><Gender>F</Gender><BirthDate>2012-04-09</BirthDate></Demographics></StudentPersonal>
<StudentSchoolEnrollment RefId="CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC" StudentPersonalRefId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" SchoolInfoRefId="DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD" MembershipType="Home" TimeFrame="Current" SchoolYear="2026">
  <EntryDate>2025-09-02</EntryDate></StudentSchoolEnrollment>
</SIF_ObjectData></SIF_Response></SIF_Message>
"#;

/// The files sent, unpacked, by what they were loaded with and their name.
struct Sent(BTreeMap<(String, String), Vec<u8>>);

impl Sent {
    fn keep(&mut self, layout: &str, name: &str, bytes: Vec<u8>) {
        assert!(self.0.insert((layout.to_owned(), name.to_owned()), bytes).is_none(), "{layout}/{name} is sent once");
    }

    fn keep_folder(&mut self, layout: &str, folder: &Path) {
        for file in files(folder) {
            self.keep(layout, name_of(&file), fs::read(&file).expect("a file"));
        }
    }

    /// The file from where a line begins.
    fn bytes_from(&self, found: &Json, line: u64) -> &[u8] {
        let layout = family(word(found, "layout"));
        let key = (layout.to_owned(), word(found, "file").to_owned());
        let bytes = self.0.get(&key).unwrap_or_else(|| panic!("{key:?} was sent"));
        let feeds = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let start = std::iter::once(0).chain(feeds).nth(usize::try_from(line - 1).expect("a line")).expect("a line");
        &bytes[start..]
    }
}

/// A layout without what tells its deliveries apart.
fn family(layout: &str) -> &str {
    if layout.starts_with("edfi") { "edfi" } else { layout.split('@').next().unwrap_or(layout) }
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name")
}

/// Packs every file of a folder with gzip, in its place.
fn pack(folder: &Path, sent: &mut Sent) {
    for file in files(folder) {
        let bytes = fs::read(&file).expect("a file");
        let packed = PathBuf::from(format!("{}.gz", file.display()));
        let mut encoder = GzEncoder::new(fs::File::create(&packed).expect("room"), Compression::fast());
        encoder.write_all(&bytes).expect("room");
        encoder.finish().expect("room");
        fs::remove_file(&file).expect("it is there");
        sent.keep(name_of(folder), name_of(&packed), bytes);
    }
}

/// Puts a folder into an archive, in its place.
fn archive(folder: &Path, sent: &mut Sent) {
    let mut archive = ZipWriter::new(fs::File::create(folder.with_extension("zip")).expect("room"));
    for file in files(folder) {
        let bytes = fs::read(&file).expect("a file");
        let name = format!("{}/{}", name_of(folder), name_of(&file));
        archive.start_file(name, SimpleFileOptions::default()).expect("room");
        archive.write_all(&bytes).expect("room");
        sent.keep(name_of(folder), name_of(&file), bytes);
    }
    archive.finish().expect("room");
    fs::remove_dir_all(folder).expect("it is there");
}

/// What the state, another state and two other senders sent, loaded.
fn load(place: &Place) -> (Sent, Vec<Json>) {
    place.generate(30);
    let state = place.path("world").join("state");
    let mut sent = Sent(BTreeMap::new());
    pack(&state.join("sasid-2.1x"), &mut sent);
    archive(&state.join("ct-program"), &mut sent);
    for folder in files(&state) {
        if folder.is_dir() && !folder.ends_with("sasid-2.1x") {
            sent.keep_folder(name_of(&folder), &folder);
        }
    }
    let intake = Path::new(env!("CARGO_MANIFEST_DIR")).join("../intake");
    let (edfi, la, sif) = (place.path("edfi"), place.path("la-sis"), place.path("sif"));
    fs::create_dir_all(&edfi).expect("room");
    for name in [
        "Attendance.xml",
        "Discipline.xml",
        "Enrollment.xml",
        "Grades.xml",
        "Organization.xml",
        "Program.xml",
        "Schedule.xml",
        "StudentParent.xml",
    ] {
        let text = fs::read_to_string(intake.join("fixtures/edfi/first").join(name)).expect("a fixture");
        // With one bad record less the file stands.
        fs::write(edfi.join(name), text.replace("2000-13-01", "2000-12-01")).expect("room");
    }
    sent.keep_folder("edfi", &edfi);
    fs::create_dir_all(&la).expect("room");
    fs::create_dir_all(&sif).expect("room");
    let mut sis = fs::read(intake.join("layouts/la/la-sis.sample")).expect("a sample");
    sis.extend_from_slice(b"this is no record\r\n");
    fs::write(la.join("sis.txt"), &sis).expect("room");
    sent.keep("la-sis", "sis.txt", sis);
    fs::write(sif.join("objects.xml"), SIF).expect("room");
    sent.keep("sif-2", "objects.xml", SIF.as_bytes().to_vec());
    let mut receipts = place.run(
        &["intake", "load", text(&state.join("ct-organization")), text(&state.join("sasid-2.1x")), text(&state)],
        0,
    );
    receipts.extend(place.run(&["intake", "load", text(&edfi), text(&sif)], 0));
    receipts.extend(place.run(&["intake", "load", "--sea", "la", text(&la)], 0));
    (sent, receipts)
}

/// Holds what was found of one record against the file that was sent.
fn check_record(sent: &Sent, found: &Json, record: &Json) {
    let (file, line) = (word(found, "file"), found["line"].as_u64().expect("a line"));
    let raw = word(record, "raw").as_bytes();
    let rest = sent.bytes_from(found, line);
    if word(found, "layout").starts_with("edfi") || word(found, "layout").starts_with("sif") {
        let name = word(record, "record");
        let begins = rest.iter().position(|byte| *byte == b'<').expect("an element");
        assert!(rest[begins..].starts_with(raw), "{file}, line {line}: the bytes of the element");
        let tag: String =
            word(record, "raw").chars().skip(1).take_while(|c| c.is_alphanumeric() || *c == ':').collect();
        let is_whole = tag.ends_with(name) && raw.ends_with(format!("</{tag}>").as_bytes());
        assert!(is_whole, "{file}, line {line}: the element from its start to its end: {record}");
        return;
    }
    assert!(rest.starts_with(raw), "{file}, line {line}: the bytes of the line");
    let behind = &rest[raw.len()..];
    assert!(
        behind.starts_with(b"\r\n") || behind.starts_with(b"\n") || behind.is_empty(),
        "{file}, line {line}: all of it"
    );
    for value in record["values"].as_array().expect("values") {
        let (Some(length), Some(column)) = (value["length"].as_u64(), value["column"].as_u64()) else { continue };
        let stands: String = word(record, "raw").chars().skip(column as usize - 1).take(length as usize).collect();
        assert_eq!(stands.trim(), word(value, "value"), "{file}, line {line}, column {column}");
    }
}

#[test]
fn every_row_of_an_export_leads_back_to_the_bytes_of_its_line() {
    let place = Place::new();
    let (sent, receipts) = load(&place);
    let out = place.path("out");
    place.run(&["feed", "export", "--consumer", "sea", "--format", "ndjson", "--out", text(&out)], 0);
    let export =
        files(&out).into_iter().find(|file| file.extension().is_some_and(|e| e == "ndjson")).expect("an export");
    let recorded = place.ledger();
    let mut families: BTreeMap<String, u32> = BTreeMap::new();
    let (mut traces, mut rows) = (0, 0);
    for student in lines(&export) {
        let sources = sources(&student);
        let layouts: BTreeSet<&str> = sources.iter().map(|(batch, ..)| layout(&receipts, *batch)).collect();
        // A few students of each family, and so every layout of it.
        let is_new = layouts.iter().any(|layout| families.get(*layout).is_none_or(|seen| *seen < 2));
        if !is_new {
            continue;
        }
        for layout in &layouts {
            *families.entry(layout.split('@').next().unwrap_or(layout).to_owned()).or_default() += 1;
        }
        let found = place.run(&["intake", "lineage", "--student", word(&student, "person_id")], 0);
        traces += 1;
        let by_line: BTreeMap<(u64, u64), &Json> = found.iter().map(|one| (place_of(one), one)).collect();
        for (batch, file, line) in sources {
            let one = by_line.get(&(batch, line)).unwrap_or_else(|| panic!("{file}, line {line}: is found"));
            assert_eq!(word(one, "file"), file);
            let records = one["records"].as_array().expect("records");
            assert_eq!(records.len(), 1, "{file}, line {line}: one record");
            check_record(&sent, one, &records[0]);
            rows += 1;
        }
    }
    for layout in ["sasid-2.1x", "tcs-4.0", "ct-student", "ct-program", "la-sis", "sif-2"] {
        assert!(families.contains_key(layout), "{layout} was traced: {families:?}");
    }
    assert!(families.keys().any(|layout| layout.starts_with("edfi-")), "{families:?}");
    assert!(rows > 100, "{rows} rows");
    quarantined_line_is_opened(&place, &sent, &receipts);
    let recorded_after = place.ledger();
    assert_eq!(recorded_after.difference(&recorded).count(), traces + 3, "each look is an entry of its own");
}

fn layout(receipts: &[Json], batch: u64) -> &str {
    let receipt = receipts.iter().find(|receipt| receipt["batch"] == batch).expect("a receipt");
    word(receipt, "layout").split(['/', '@']).next().expect("a layout")
}

fn place_of(found: &Json) -> (u64, u64) {
    (found["batch"].as_u64().expect("a batch"), found["line"].as_u64().expect("a line"))
}

/// Where the rows of a student stand: batch, file and line of all that come from files.
fn sources(student: &Json) -> Vec<(u64, String, u64)> {
    let mut found = Vec::new();
    let mut open = vec![student];
    while let Some(value) = open.pop() {
        match value {
            Json::Array(values) => open.extend(values),
            Json::Object(fields) => {
                let source = fields.get("source").filter(|source| source["line"].as_u64().is_some_and(|line| line > 0));
                found.extend(source.map(|source| {
                    let (batch, line) = place_of(source);
                    (batch, word(source, "file").to_owned(), line)
                }));
                open.extend(fields.values());
            }
            _ => {}
        }
    }
    found
}

fn quarantined_line_is_opened(place: &Place, sent: &Sent, receipts: &[Json]) {
    let receipt = receipts.iter().find(|receipt| word(receipt, "file") == "sis.txt").expect("a receipt");
    assert_eq!(receipt["quarantined"], 1);
    let (batch, last) = (receipt["batch"].to_string(), receipt["rows_in"].to_string());
    let found = place.run(&["intake", "lineage", "--batch", &batch, "--line", &last], 0);
    let record = &found[0]["records"][0];
    assert_eq!(word(record, "raw"), "this is no record");
    check_record(sent, &found[0], record);
    assert_eq!(found[0]["facts"], Json::Array(Vec::new()));
    // A line that the file does not have.
    let missing = place.run(&["intake", "lineage", "--batch", &batch, "--line", "99999"], 3);
    assert_eq!(missing[0]["records"], Json::Array(Vec::new()));
    place.run(&["intake", "lineage", "--batch", "99999", "--line", "1"], 1);
}
