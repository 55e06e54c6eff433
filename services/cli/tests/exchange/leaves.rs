//! A night that leaves as a whole: in one file, encrypted, for another place.

use std::{fs, io::Read as _, path::Path};

use age::secrecy::ExposeSecret as _;
use feeds::bundle;

use crate::{
    erase::{OTHER, state},
    nights::set_time,
    place::{Place, files, json, parts, text, word},
};

pub const HEADER: &str = "ClientPIN,LastName,FirstName,MiddleName,Suffix,DOB,Sex,Race,TownName,ZipCode,SASID,CaseType,SupervisionStartDate,\
SupervisionEndDate,OfficePIN,CaseOwner,OrderNumber,LegalBasis,LegalStatus";

/// A state, and CSSD under a document of its own.
pub fn begin(delivery: &str) -> Place {
    let place = Place::new();
    // Each command begins at the time that is set, however long the one before took.
    set_time(&place, "2030-01-01T12:00:00Z");
    let consumers = place.path("consumers");
    for consumer in ["cssd", "sea"] {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/consumers").join(consumer);
        fs::create_dir_all(consumers.join(consumer)).expect("a folder");
        for file in files(&shipped) {
            fs::copy(&file, consumers.join(consumer).join(file.file_name().expect("a name"))).expect("a copy");
        }
    }
    fs::write(consumers.join("cssd/delivery.toml"), delivery).expect("a document");
    let config = format!("sandbox = true\n[consumers]\nfolder = \"{}\"\n", consumers.display());
    fs::write(place.path("data/config.toml"), config).expect("a configuration");
    let files = state(&place);
    let paths: Vec<&str> = files.iter().map(|path| text(path)).collect();
    place.run(&[&["intake", "load"], &paths[..]].concat(), 0);
    set_time(&place, "2030-01-02T12:00:00Z");
    place
}

/// CSSD's roster: the second client until a day.
pub fn roster(place: &Place, day: &str, end: &str) {
    let row = |pin: &str, who: &str, sasid: &str, end: &str| {
        format!(
            "{pin},{who},F,,Hartford,06103,{sasid},Delinquency,2029-01-01,{end},O1,W1,,juvenile_justice,pre_adjudication"
        )
    };
    let rows = [
        HEADER.to_owned(),
        row("40017", "Quince,Ambrosia,,,2011-03-04", OTHER, ""),
        row("A/40018", "Qyzzleworth,Xanthwick,,,2010-07-17", "9907070717", end),
    ];
    let path = place.path(&format!("cssd-{day}.csv"));
    fs::write(&path, rows.join("\n") + "\n").expect("a roster");
    place.run(&["roster", "load", text(&path), "--consumer", "cssd", "--date", day], 0);
}

fn run(place: &Place, day: &str, code: i32) -> Option<serde_json::Value> {
    place.run(&["exchange", "run", "--consumer", "cssd", "--date", day], code).last().cloned()
}

fn names(bundle: &Path) -> Vec<String> {
    let archive = zip::ZipArchive::new(fs::File::open(bundle).expect("a bundle")).expect("a ZIP file");
    let mut names: Vec<String> = archive.file_names().map(|name| name.expect("a name").into_owned()).collect();
    names.sort();
    names
}

fn read(bundle: &Path, name: &str) -> String {
    let mut archive = zip::ZipArchive::new(fs::File::open(bundle).expect("a bundle")).expect("a ZIP file");
    let mut text = String::new();
    archive.by_name(name).expect("a file").read_to_string(&mut text).expect("text");
    text
}

pub const BUNDLED: &str = "formats = [\"cmis\", \"ndjson\"]\nbundle = \"CMIS\"\n";

#[test]
fn a_night_is_one_file_with_a_document_for_each_client_and_none_for_who_has_left() {
    let place = begin(BUNDLED);
    roster(&place, "2030-01-02", "");
    // Killed between the bundle's last byte and its name, and run again: it is there whole.
    let mut killed = place.command(&["exchange", "run", "--consumer", "cssd", "--date", "2030-01-02"]);
    // Data (2 files and 2 manifests), documents, index and proofs come before it.
    killed.env("THROUGHLINE_CRASH_AT", "deliver.before_rename:10");
    assert_eq!(killed.output().expect("it runs").status.code(), None, "it was killed");
    let out = place.path("out/cssd");
    let first = out.join("2030-01-02/bundle/CMIS-2030-01-02.zip");
    assert!(!first.exists() && !out.join("2030-01-02/report.json").exists());
    let report = run(&place, "2030-01-02", 0).expect("a report");
    assert_eq!((word(&report, "state"), &report["bundle"]["documents"]), ("delivered", &2.into()), "{report}");
    let manifest = bundle::verify(&first).expect("it reads").expect("it is whole");
    assert_eq!((manifest.documents, manifest.unchanged), (2, 0));
    let expected = [
        "data/cmis/cmis.csv",
        "data/cmis/manifest.json",
        "data/ndjson/histories.ndjson",
        "data/ndjson/manifest.json",
        "documents/40017.pdf",
        "documents/40017.pdf.tlog-proof",
        "documents/A%2F40018.pdf",
        "documents/A%2F40018.pdf.tlog-proof",
        "index.csv",
        "manifest.json",
    ];
    assert_eq!(names(&first), expected, "names hold the agency's own ids and nothing else");
    assert!(read(&first, "data/cmis/cmis.csv").contains(",40017,"));
    assert!(read(&first, "index.csv").contains("40017,documents/40017.pdf,new or changed,,"));
    let before = fs::read(&first).expect("a bundle");
    assert_eq!(word(&run(&place, "2030-01-02", 0).expect("a report"), "state"), "already_delivered");
    assert!(fs::read(&first).expect("a bundle") == before, "what was delivered stays as it is");
    assert!(parts(&out).is_empty());

    set_time(&place, "2030-01-12T12:00:00Z");
    roster(&place, "2030-01-12", "2030-01-10");
    let report = run(&place, "2030-01-12", 0).expect("a report");
    assert_eq!(report["bundle"]["documents"], 0, "{report}");
    let second = out.join("2030-01-12/bundle/CMIS-2030-01-12.zip");
    let (index, gone) = (read(&second, "index.csv"), read(&second, "data/cmis/withdrawals.csv"));
    assert!(index.contains("40017,,\"checked today, unchanged since\",2030-01-02,"), "{index}");
    assert!(!index.contains("A/40018") && gone.contains("\"A/40018\",authority_ended,"), "{index}{gone}");
    assert!(!read(&second, "data/ndjson/histories.ndjson").contains("A/40018"));
    // An erasure finds a bundle by the disclosures in it, and takes it away as a whole.
    assert!(
        feeds::formats::mentions(&first, &[word(&disclosure(&first), "disclosure_id").to_owned()]).expect("it reads")
    );
    place.run(&["ledger", "verify"], 0);
}

/// The first history of a bundle.
fn disclosure(bundle: &Path) -> serde_json::Value {
    let text = read(bundle, "data/ndjson/histories.ndjson");
    serde_json::from_str(text.lines().next().expect("a history")).expect("JSON")
}

#[test]
fn a_night_for_another_place_arrives_encrypted_or_counts_as_not_sent() {
    let key = age::x25519::Identity::generate();
    let keys = tempfile::tempdir().expect("a folder");
    let share = keys.path().join("share");
    let delivery = format!(
        "{BUNDLED}encrypt_to = [\"{}\"]\n[to]\nkind = \"folder\"\npath = {share:?}\n[retry]\nattempts = 2\nbackoff_ms = 1\n",
        key.to_public()
    );
    let place = begin(&delivery);
    roster(&place, "2030-01-02", "");
    assert_eq!(run(&place, "2030-01-02", 1), None, "the share is not mounted");
    assert_eq!(word(&json(&place.report("cssd", "2030-01-02")), "state"), "failed");
    assert!(!place.path("out/cssd/2030-01-02/report.json").exists());

    // The next night brings everything that never arrived.
    fs::create_dir(&share).expect("a folder");
    set_time(&place, "2030-01-03T12:00:00Z");
    roster(&place, "2030-01-03", "");
    let report = run(&place, "2030-01-03", 0).expect("a report");
    assert_eq!(
        (&report["bundle"]["documents"], &report["carried"]["encrypted"]),
        (&2.into(), &true.into()),
        "{report}"
    );
    let night = share.join("2030-01-03");
    let there: Vec<String> =
        files(&night).iter().map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    assert_eq!(there, ["CMIS-2030-01-03.zip.age", "manifest.json"]);
    let told = fs::read_to_string(night.join("manifest.json")).expect("a manifest");
    assert!(!told.contains("40017"), "no client's id is told to whoever keeps the share");

    let identity = keys.path().join("key.txt");
    fs::write(&identity, format!("# for a test\n{}\n", key.to_string().expose_secret())).expect("a key");
    let opened = place.path("opened");
    let open = ["feed", "open", text(&night), "--identity", text(&identity)];
    place.run(&[&open[..], &["--out", text(&opened)]].concat(), 0);
    let bundle = opened.join("CMIS-2030-01-03.zip");
    assert_eq!(
        names(&bundle).iter().filter(|name| name.starts_with("documents/") && !name.contains("tlog-proof")).count(),
        2
    );
    place.run(&["feed", "open", text(&night), "--out", text(&opened)], 2);
    let sealed = night.join("CMIS-2030-01-03.zip.age");
    let mut bytes = fs::read(&sealed).expect("a file");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&sealed, bytes).expect("a file");
    let said = place.run(&open, 3);
    assert_eq!(said[0]["wrong"].as_array().map(Vec::len), Some(1), "{said:?}");
}
