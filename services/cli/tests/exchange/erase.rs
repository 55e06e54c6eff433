//! One student is erased by order, and then looked for everywhere: in every table, in the server's files, on disk, in deliveries and logs, in a
//! restored backup. The original files, loaded again, are refused row by row.

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use intake::RecordWriter;
use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use crate::place::{Place, copy, lines, said, text};

/// What must be nowhere afterwards: planted in every column that can hold it.
const MARKERS: [&str; 7] =
    ["9907070717", "Qyzzleworth", "Xanthwick", "2010-07-17", "07172010", "Zephyrquill", "INC-QYZZ-17"];
/// Another child, of whom nothing may be lost.
pub const OTHER: &str = "9907070725";
pub const NIGHT: &str = "2026-11-20";

pub type Values<'a> = BTreeMap<&'a str, &'a str>;

pub fn file(place: &Place, name: &str, layout: &str, records: &[Values<'_>]) -> PathBuf {
    let layout = intake::layouts::find(layout).expect("a layout");
    let mut writer = RecordWriter::new(layout, Vec::new());
    for record in records {
        let mut values = vec![""; layout.records[0].fields.len()];
        for (field, value) in record {
            values[layout.index_of(field).unwrap_or_else(|| panic!("{} has no field {field}", layout.id))] = value;
        }
        writer.write(&values).expect("a record");
    }
    let folder = place.path("state").join(&layout.id);
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    fs::write(&path, writer.finish().expect("a file")).expect("a file");
    path
}

pub fn registration<'a>(sasid: &'a str, last: &'a str, first: &'a str, born: &'a str) -> Values<'a> {
    BTreeMap::from([
        ("record_type", "R"),
        ("sasid", sasid),
        ("reporting_district", "064"),
        ("reporting_district_entry_date", "08282024"),
        ("resident_town", "064"),
        ("facility_code_1", "0646311"),
        ("last_name", last),
        ("first_name", first),
        ("birth_date", born),
        ("race_code", "3"),
        ("gender_code", "F"),
        ("grade_code", "09"),
    ])
}

fn offense<'a>(sasid: &'a str, incident: &'a str, days: &'a str) -> Values<'a> {
    BTreeMap::from([
        ("sasid", sasid),
        ("fall_of_year", "2024"),
        ("certification_flag", "1"),
        ("reporting_district", "064"),
        ("facility_code", "0646311"),
        ("incident_identifier", incident),
        ("incident_date", "2024-11-05"),
        ("incident_location", "02"),
        ("student_role", "O"),
        ("incident_type_1", "1700"),
        ("bullying", "01"),
        ("sanction_date", "2024-11-06"),
        ("sanction_type_primary", "OSS"),
        ("days_sanctioned_primary", days),
        ("arrested", "0"),
        ("expunged", "0"),
    ])
}

/// Two children, one of them marked, in good rows and bad ones.
pub fn state(place: &Place) -> Vec<PathBuf> {
    let marked = registration(MARKERS[0], MARKERS[1], MARKERS[2], MARKERS[4]);
    let other = registration(OTHER, "Quince", "Ambrosia", "03042011");
    let mut broken = marked.clone();
    broken.insert("birth_date", "07992010");
    vec![
        file(place, "register-1.txt", "sasid-2.1x", &[marked.clone(), other.clone(), broken]),
        // The same again in another file: a row that says nothing new is kept as received all the same.
        file(place, "register-2.txt", "sasid-2.1x", &[other, marked]),
        file(
            place,
            "offenses.csv",
            "ct-discipline",
            &[offense(MARKERS[0], MARKERS[6], "2"), offense(OTHER, "H-1", "3"), offense(MARKERS[0], "H-2", "two")],
        ),
    ]
}

pub const DCF_HEADER: &str = "DCF_Person_ID,Name_Last,Name_First,Name_Middle,Name_Suffix,Birth_Date,Sex,Race,Town,Zip,SASID,EPISODE_ID,\
EPISODE_START_DATE,EPISODE_END_DATE,EPISODE_END_REASON,DCF_OFFICE,DCF_REGION,WORKER_ID";

fn roster(place: &Place) -> PathBuf {
    let path = place.path("roster.csv");
    let rows = [
        format!(
            "D7,{},{},{},,2010-07-17,F,,Hartford,06103,{},E1,2026-01-01,,,Hartford,1,W1",
            MARKERS[1], MARKERS[2], MARKERS[5], MARKERS[0]
        ),
        format!("D8,Quince,Ambrosia,,,2011-03-04,F,,Hartford,06103,{OTHER},E2,2026-01-01,,,Hartford,1,W1"),
    ];
    fs::write(&path, format!("{DCF_HEADER}\n{}\n", rows.join("\n"))).expect("a roster");
    path
}

/// A state loaded, delivered to DCF and to the SEA itself, as text and as documents.
pub fn prepare(place: &Place) {
    let files = state(place);
    let paths: Vec<&str> = files.iter().map(|path| text(path)).collect();
    place.run(&[&["intake", "load"], &paths[..]].concat(), 0);
    let roster = roster(place);
    place.run(&["roster", "load", text(&roster), "--consumer", "dcf", "--date", NIGHT], 0);
    place.run(&["exchange", "run", "--consumer", "dcf", "--date", NIGHT], 0);
    for format in ["ndjson", "csv", "xlsx", "parquet", "sasid-2.1x"] {
        let out = place.path(&format!("own/{format}"));
        let out = text(&out).to_owned();
        let mut command = place.command(&["feed", "export", "--consumer", "sea", "--format", format, "--out", &out]);
        // Not every layout that is read can be written.
        let done = command.output().expect("the program runs");
        assert!(done.status.success() || format == "sasid-2.1x", "{format}: {}", said(&done));
    }
    let folder = place.path("out/dcf").join(NIGHT);
    assert_eq!(lines(&folder.join("ndjson/histories.ndjson")).len(), 2, "both children are delivered");
    for (marker, found) in MARKERS.iter().zip(search_disk(place, "state roster.csv")) {
        assert!(!found.is_empty() || *marker == "07172010", "{marker} was planted");
    }
    let mut server = Server::start(place);
    assert!(kept(&mut server).contains("07172010"), "files are kept as received");
    let said = format!("{} is not {} of incident {}", MARKERS[1], MARKERS[5], MARKERS[6]);
    for sql in [report(&said), LOOK.to_owned()] {
        assert_eq!(server.query(&[&sql, " RETURNING person_key"].concat()), ["D7"]);
    }
    server.stop();
}

/// Somebody of the agency has looked at the record, and said what looks wrong in it.
const LOOK: &str = "INSERT INTO portal.look (consumer, person_key, viewer, student_id, looked_at, seen)
    SELECT 'dcf', 'D7', decode(repeat('07', 32), 'hex'), x.student_id, '2026-11-20', '{}'
    FROM identity.crosswalk AS x JOIN identity.source_person AS p USING (source_person_id) WHERE p.state_id = '9907070717'";

fn report(said: &str) -> String {
    format!(
        "INSERT INTO portal.report (consumer, person_key, viewer, student_id, reported_by, reported_at, block, note)
        SELECT 'dcf', 'D7', decode(repeat('07', 32), 'hex'), x.student_id, 'somebody', '2026-11-20', 'discipline', '{said}'
        FROM identity.crosswalk AS x JOIN identity.source_person AS p USING (source_person_id) WHERE p.state_id = '9907070717'"
    )
}

/// A file outside the program's folders that names a person of the state.
pub fn state_id(place: &Place, id: &str) -> String {
    let path = place.path("roster.csv.id");
    fs::write(&path, format!("ct:{id}\n")).expect("a file");
    text(&path).to_owned()
}

/// Asks, has the sandbox's stewards approve, and carries out.
fn erase(place: &Place, more: &[&str]) -> Json {
    let asked =
        place.run(&[&["erase", "request", "--ground", "court_order", "--order", "FA-26-0717"], more].concat(), 0);
    let asked = asked.iter().find(|line| line["request"].is_string()).expect("a request").clone();
    let request = asked["request"].as_str().expect("a digest").to_owned();
    let done = place.run(&["erase", "run", &request], 0);
    let status = done.iter().rfind(|line| line["erasure"].is_string()).expect("a status").clone();
    assert_eq!(status["step"], "done", "{status}");
    asked
}

#[test]
fn an_erased_student_is_nowhere_and_stays_gone() {
    // What the program says of its work, before and after the erasure, is one of the files that are searched.
    let place = Place::traced();
    prepare(&place);
    assert!(fs::read_to_string(place.path("program.log")).expect("a log").contains("DEBUG"), "it says all that it can");
    place.run(&["db", "backup", "--out", text(&place.path("backup"))], 0);
    let before = place.ledger();
    let keep = place.path("kept-checkpoint");
    fs::copy(place.path("ledger/checkpoint"), &keep).expect("a checkpoint");

    let asked = erase(&place, &["--state-id-file", &state_id(&place, MARKERS[0])]);
    let student = asked["student"].as_str().expect("an id").to_owned();
    check_gone(&place, "after the erasure");
    let told = "SELECT (SELECT count(*) FROM portal.look) + (SELECT count(*) FROM portal.report)";
    assert_eq!(query(&place, told), ["0"], "who looked, and what looked wrong to them, is gone");
    assert!(!place.path("own/xlsx/histories.xlsx").exists(), "a workbook goes as a whole");
    assert!(
        !place.path("own/parquet/student.parquet").exists(),
        "so does a Parquet file that held rows of the student"
    );
    assert!(before.is_subset(&place.ledger()), "the ledger verifies and has lost no entry");
    place.run(&["ledger", "verify", "--checkpoint", text(&keep)], 0);
    let told = place.run(&["agreement", "explain", "--consumer", "dcf", "--student", &student], 0);
    assert!(told[0]["facts"].to_string().contains("erased by order FA-26-0717"), "{told:?}");
    assert_eq!(
        query(&place, "SELECT count(*) FROM disclosure.recall WHERE cause = 'erased'"),
        ["3"],
        "file, table and document"
    );
    check_other(&place);

    // The very same files: known, and told so line by line. The same rows in other files: refused one by one.
    check_receipts(&place.run(&load(&place), 0), &[(3, 1, 2), (2, 1, 1), (3, 1, 2)]);
    for path in state(&place) {
        let mut bytes = fs::read(&path).expect("a file");
        bytes.extend_from_slice(b"\r\n");
        fs::write(&path, bytes).expect("a file");
    }
    check_receipts(&place.run(&load(&place), 0), &[(3, 1, 2), (2, 1, 1), (3, 1, 2)]);
    check_gone(&place, "after the files were loaded again");

    // The agency still names the client on its roster: nothing of that is kept either, and nothing is delivered.
    place.run(&["roster", "load", text(&roster(&place)), "--consumer", "dcf", "--date", "2026-11-21"], 0);
    place.run(&["exchange", "run", "--consumer", "dcf", "--date", "2026-11-21"], 0);
    fs::remove_file(place.path("roster.csv")).expect("the agency's own file");
    check_gone(&place, "after the next night");

    // A backup from before: without the journal it is refused, with it the erasure is carried out again before anything is served.
    let fresh = Place::new();
    fs::create_dir_all(fresh.path("data")).expect("a folder");
    copy(&place.path("data/keys"), &fresh.path("data/keys"));
    fs::copy(place.path("data/config.toml"), fresh.path("data/config.toml")).expect("the configuration");
    let backup = place.path("backup");
    let journal = place.path("data/control/journal.ndjson");
    fresh.run(&["db", "restore", "--from", text(&backup), "--journal", text(&journal)], 0);
    check_gone(&fresh, "after a restore elsewhere");
    check_other(&fresh);
    fresh.run(&["ledger", "verify"], 0);
    place.run(&["db", "restore", "--from", text(&backup)], 0);
    check_gone(&place, "after a restore in place");
    check_receipts(&place.run(&load(&place), 0), &[(3, 1, 2), (2, 1, 1), (3, 1, 2)]);
}

/// The agency's own id of the marked child, which the case system's file bears and nothing else of ours.
const PIN: &str = "52829772";

/// CSSD's night by the document that is shipped: the case system's own file, and everything once more in one bundle.
#[test]
fn an_erased_student_is_in_no_delivery_in_the_case_systems_own_words() {
    let place = Place::new();
    let files = state(&place);
    let paths: Vec<&str> = files.iter().map(|path| text(path)).collect();
    place.run(&[&["intake", "load"], &paths[..]].concat(), 0);
    let row = |pin: &str, who: &str, sasid: &str| {
        format!(
            "{pin},{who},F,,Hartford,06103,{sasid},Delinquency,2026-01-01,,O1,W1,,juvenile_justice,pre_adjudication"
        )
    };
    let marked = format!("{},{},{},,2010-07-17", MARKERS[1], MARKERS[2], MARKERS[5]);
    let rows = [
        crate::leaves::HEADER.to_owned(),
        row(PIN, &marked, MARKERS[0]),
        row("40018", "Quince,Ambrosia,,,2011-03-04", OTHER),
    ];
    let roster = place.path("roster.csv");
    fs::write(&roster, rows.join("\n") + "\n").expect("a roster");
    place.run(&["roster", "load", text(&roster), "--consumer", "cssd", "--date", NIGHT], 0);
    place.run(&["exchange", "run", "--consumer", "cssd", "--date", NIGHT], 0);
    place.run(&["feed", "export", "--consumer", "cssd", "--format", "cmis", "--out", text(&place.path("alone"))], 0);
    let night = place.path("out/cssd").join(NIGHT);
    let table = night.join("cmis/cmis.csv");
    let has = |path: &Path, word: &str| fs::read_to_string(path).expect("a table").contains(word);
    assert!(has(&table, PIN) && has(&table, "40018") && has(&place.path("alone/cmis.csv"), PIN));
    let before = told(&place);
    for word in [PIN, MARKERS[1]] {
        let within = |ending: &str| {
            before.iter().any(|(name, text)| name.contains(ending) && text.contains(&word.to_lowercase()))
        };
        assert!(within(".zip/") && within("") && (word == PIN || within(".pdf")), "{word} was delivered");
    }
    // What a kill left: packed, so that nobody can tell whom it is about. And what only the recipient can open.
    fs::write(night.join("bundle/CMIS.zip.part"), [0x50, 0x4b, 3, 4, 0xff]).expect("a file");
    fs::write(night.join("cmis/cmis.csv.part"), format!("2026-11-20,{PIN},Enrolled")).expect("a file");
    fs::write(night.join("CMIS.zip.age"), "age-encryption.org/v1\n").expect("a file");

    let id = state_id(&place, MARKERS[0]);
    let asked =
        place.run(&["erase", "request", "--ground", "court_order", "--order", "FA-26-0717", "--state-id-file", &id], 0);
    let request = asked.iter().find_map(|line| line["request"].as_str()).expect("a request");
    let done = place.command(&["erase", "run", request]).output().expect("the program runs");
    assert!(done.status.success() && said(&done).contains("1 encrypted files"), "{}", said(&done));
    for (name, text) in told(&place) {
        for word in MARKERS.iter().chain([&PIN]) {
            let word = word.to_lowercase();
            assert!(!text.contains(&word) && !name.to_lowercase().contains(&word), "{word} stands in {name}");
        }
    }
    assert!(has(&table, "40018") && has(&place.path("alone/cmis.csv"), "40018"), "the other child's row is kept");
    assert!(!night.join("bundle").join(format!("CMIS-{NIGHT}.zip")).exists(), "a bundle goes as a whole");
    assert!(!night.join("bundle/CMIS.zip.part").exists() && !night.join("cmis/cmis.csv.part").exists());
    place.run(&["ledger", "verify"], 0);
}

/// What everything delivered says, in small letters: files, files within archives, and the words of documents.
fn told(place: &Place) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut open = vec![place.path("out"), place.path("alone")];
    while let Some(folder) = open.pop() {
        for path in crate::place::files(&folder) {
            if path.is_dir() {
                open.push(path);
            } else {
                say(text(&path), &fs::read(&path).expect("a file"), &mut all);
            }
        }
    }
    all
}

fn say(name: &str, bytes: &[u8], all: &mut Vec<(String, String)>) {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if extension == "zip" {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).expect("an archive");
        for number in 0..archive.len() {
            let mut entry = archive.by_index(number).expect("a file");
            let within = format!("{name}/{}", entry.name().expect("a name"));
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("its bytes");
            say(&within, &bytes, all);
        }
    } else if extension == "pdf" {
        let document = lopdf::Document::load_mem(bytes).expect("a document");
        let pages: Vec<u32> = document.get_pages().into_keys().collect();
        let said = document.extract_text(&pages).expect("its words").to_lowercase();
        // Kerning parts words too.
        all.push((name.to_owned(), said.split_whitespace().collect()));
    }
    all.push((name.to_owned(), String::from_utf8_lossy(bytes).to_lowercase()));
}

#[test]
fn one_fact_goes_and_the_rest_stays() {
    let place = Place::new();
    prepare(&place);
    let id = state_id(&place, MARKERS[0]);
    let facts = place.run(&["erase", "facts", "--state-id-file", &id, "--domain", "discipline"], 0);
    assert_eq!(facts.len(), 1, "{facts:?}");
    let key = facts[0]["fact"].as_str().expect("a key").to_owned();
    erase(&place, &["--state-id-file", &id, "--domain", "discipline", "--fact", &key]);
    let found = search_disk(&place, "state roster.csv roster.csv.id backup");
    assert_eq!(found[6], Vec::<PathBuf>::new(), "the incident's number is nowhere");
    assert!(!found[1].is_empty(), "the student is");
    let again = place.run(&["intake", "load", text(&place.path("state/ct-discipline"))], 0);
    check_receipts(&again, &[(3, 1, 2)]);
    place.run(&["ledger", "verify"], 0);
}

fn load(place: &Place) -> Vec<&'static str> {
    let folder: &'static str = Box::leak(text(&place.path("state")).to_owned().into_boxed_str());
    vec!["intake", "load", folder]
}

/// Rows in, unchanged, quarantined.
fn check_receipts(receipts: &[Json], expect: &[(u64, u64, u64)]) {
    let mut found: Vec<(u64, u64, u64)> = Vec::new();
    for receipt in receipts.iter().filter(|line| line["batch"].is_i64()) {
        assert_eq!(receipt["adds_up"], true, "{receipt}");
        assert_eq!(receipt["refused"], Json::Null, "{receipt}");
        let count = |name: &str| receipt[name].as_u64().expect("a count");
        found.push((count("rows_in"), count("unchanged"), count("quarantined")));
        let findings =
            receipt["findings_files"].as_array().expect("files").iter().map(|file| file.as_str().expect("a path"));
        let findings =
            findings.filter(|file| file.ends_with(".ndjson")).map(|file| fs::read_to_string(file).expect("findings"));
        assert!(findings.collect::<String>().contains("record.erased"), "{receipt}");
    }
    found.sort_unstable();
    let mut expect = expect.to_vec();
    expect.sort_unstable();
    assert_eq!(found, expect);
}

/// The other child is as complete as before.
fn check_other(place: &Place) {
    let count = query(place, "SELECT count(*) FROM identity.source_person");
    assert_eq!(count, ["1"]);
    let facts = query(place, "SELECT DISTINCT domain FROM history.fact ORDER BY domain");
    assert!(facts.len() >= 3 && facts[0] == "1", "{facts:?}");
}

/// Looks for every marker in every table, and in every file below the place but the sender's own.
fn check_gone(place: &Place, when: &str) {
    let mut server = Server::start(place);
    let tables = server.query(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_toast|^information_schema'",
    );
    let patterns: Vec<String> = MARKERS.iter().map(|marker| marker.to_lowercase()).collect();
    for table in tables {
        let sql = format!("SELECT lower(t::text) FROM {table} AS t");
        for row in server.query(&sql) {
            for marker in &patterns {
                let bytes = hex::encode(marker);
                assert!(!row.contains(marker) && !row.contains(&bytes), "{when}: {marker} stands in {table}");
            }
        }
    }
    let kept = kept(&mut server);
    assert!(kept.contains(OTHER), "{when}: the other child's lines are kept");
    for marker in MARKERS {
        assert!(!kept.contains(marker), "{when}: {marker} stands in a kept file");
    }
    server.stop();
    for (marker, found) in MARKERS.iter().zip(search_disk(place, "state roster.csv roster.csv.id backup")) {
        assert_eq!(found, Vec::<PathBuf>::new(), "{when}: {marker} stands in files");
    }
}

/// All kept files, unpacked.
fn kept(server: &mut Server) -> String {
    let blocks = server.query("SELECT encode(r.bytes, 'hex') FROM intake.raw_block AS r ORDER BY r.batch_id, r.block");
    let mut all = String::new();
    for block in blocks {
        let packed = hex::decode(block).expect("hexadecimal");
        let mut bytes = Vec::new();
        flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut bytes).expect("a gzip member");
        all.push_str(&String::from_utf8_lossy(&bytes));
    }
    all
}

/// The files that hold each marker, with the server stopped; files and folders of these names apart.
fn search_disk(place: &Place, but: &str) -> [Vec<PathBuf>; MARKERS.len()] {
    let mut found = [const { Vec::new() }; MARKERS.len()];
    let root = place.path("");
    let mut open = vec![root.clone()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(&root).expect("below").to_str().expect("UTF-8").to_owned();
            if but.split(' ').any(|one| one == name) {
                continue;
            }
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let Ok(bytes) = fs::read(&path) else { continue };
            for (marker, found) in MARKERS.iter().zip(&mut found) {
                if bytes.windows(marker.len()).any(|window| window.eq_ignore_ascii_case(marker.as_bytes())) {
                    found.push(path.clone());
                }
            }
        }
    }
    found
}

/// Asks the place's database as its superuser; the first column of each row.
fn query(place: &Place, sql: &str) -> Vec<String> {
    let mut server = Server::start(place);
    let rows = server.query(sql);
    server.stop();
    rows
}

/// The place's own server, for as long as the test looks into it.
pub struct Server {
    runtime: tokio::runtime::Runtime,
    cluster: pg::Cluster,
    connection: PgConnection,
}

impl Server {
    pub fn start(place: &Place) -> Self {
        let environment = pg::Environment { search_path: Some("/usr/local/bin:/usr/bin:/bin".into()), bin_dir: None };
        let cluster =
            pg::Cluster::start(&place.path("data"), &pg::Embedded::default(), &environment, pg::Access::Shared)
                .expect("the place's server");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let options = cluster.admin_options("throughline");
        let connection = runtime.block_on(PgConnection::connect_with(&options)).expect("a connection");
        Self { runtime, cluster, connection }
    }

    /// The first column of each row.
    pub fn query(&mut self, sql: &str) -> Vec<String> {
        let rows = self.runtime.block_on(self.connection.fetch_all(AssertSqlSafe(sql.to_owned()))).expect("rows");
        let text = |row: &sqlx::postgres::PgRow| {
            let number = || row.try_get::<i64, _>(0).or_else(|_| row.try_get::<i16, _>(0).map(i64::from));
            row.try_get::<String, _>(0).unwrap_or_else(|_| number().expect("text or a number").to_string())
        };
        rows.iter().map(text).collect()
    }

    /// Records entries in the ledger, all at once.
    pub fn record(&mut self, entries: &[ledger::Entry]) {
        self.runtime.block_on(ledger::record_chunk(&mut self.connection, entries)).expect("recorded");
    }

    pub fn stop(self) {
        self.runtime.block_on(self.connection.close()).expect("closed");
        self.cluster.stop().expect("it stops");
    }
}
