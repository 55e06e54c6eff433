//! Two people, one export: what an operator, two stewards and a consumer who keeps checkpoints do with the program itself.

use std::{
    fs,
    io::BufRead as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ed25519_dalek::{
    SigningKey,
    pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, spki::der::pem::LineEnding},
};
use sqlx::{Connection as _, Executor as _, PgConnection};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the program on a data folder; it must end with `code`. Gives what it said.
    fn run(&self, data: &str, args: &[&str], code: i32) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_throughline"));
        let output = command.arg("--data").arg(self.path(data)).args(args).output().expect("the program runs");
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        said
    }

    /// A data folder with two stewards of its own and no sandbox; gives their keys' files.
    fn two_stewards(&self, data: &str) -> [PathBuf; 2] {
        fs::create_dir_all(self.path(data)).expect("a folder");
        let mut config = String::new();
        let keys = [("ann", 1), ("ben", 2)].map(|(name, seed)| {
            let key = SigningKey::from_bytes(&[seed; 32]);
            let (private, public) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.pub")));
            fs::write(&private, key.to_pkcs8_pem(LineEnding::LF).expect("a key").as_bytes()).expect("a file");
            let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).expect("a key");
            fs::write(&public, pem).expect("a file");
            let table = [format!("[[steward]]\nid = {name:?}"), format!("public_key_file = {:?}\n", text(&public))];
            config.push_str(&table.join("\n"));
            private
        });
        fs::write(self.path(data).join("config.toml"), config).expect("a file");
        keys
    }

    /// The same with the SEA's own agreement in force by both.
    fn agreed(&self, data: &str) -> [PathBuf; 2] {
        let keys = self.two_stewards(data);
        let document = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/consumers/sea/agreement.toml");
        let waiting = digest(&self.run(data, &["agreement", "activate", document], 1));
        for key in &keys {
            self.run(data, &["approve", &waiting, "--key", text(key)], 0);
        }
        self.run(data, &["agreement", "activate", document], 0);
        keys
    }
}

fn said(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// The first run of 64 hexadecimal digits in a text: what stewards are asked to approve.
fn digest(said: &str) -> String {
    let is_hex = |word: &&str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    said.split_whitespace().find(is_hex).unwrap_or_else(|| panic!("no digest in: {said}")).to_owned()
}

#[test]
fn an_export_outside_the_schedule_waits_for_two_stewards() {
    let place = Place::new();
    let keys = place.agreed("data");
    let out = place.path("out");
    let export = ["feed", "export", "--consumer", "sea", "--format", "ndjson", "--out", text(&out)];
    let request = digest(&place.run("data", &export, 1));
    assert!(!out.exists(), "nothing is written before two have approved");
    let again = [&export[..], &["--request", &request]].concat();
    place.run("data", &["approve", &request[..12], "--key", text(&keys[0])], 0);
    place.run("data", &again, 1);
    place.run("data", &["approve", &request[..12], "--key", text(&keys[0])], 0);
    place.run("data", &again, 1);
    place.run("data", &["approve", &request[..12], "--key", text(&keys[1])], 0);
    place.run("data", &again, 0);
    assert!(out.join("manifest.json").exists());
    place.run("data", &again, 1);
    let stranger = place.path("stranger.pem");
    let key = SigningKey::from_bytes(&[9; 32]).to_pkcs8_pem(LineEnding::LF).expect("a key");
    fs::write(&stranger, key.as_bytes()).expect("a file");
    place.run("data", &["approve", &request, "--key", text(&stranger)], 1);
    place.run("data", &["ledger", "verify"], 0);

    // Another log exported over this one's checkpoint: refused, and what was kept stays.
    let tiles = place.path("tiles");
    place.run("data", &["ledger", "export", "--out", text(&tiles)], 0);
    place.run("data", &["ledger", "export", "--out", text(&tiles)], 0);
    let kept = fs::read_to_string(tiles.join("checkpoint")).expect("a checkpoint");
    let said = place.run("other", &["--sandbox", "ledger", "export", "--out", text(&tiles)], 3);
    assert!(said.contains("does not extend the kept checkpoint"), "{said}");
    assert_eq!(fs::read_to_string(tiles.join("checkpoint")).expect("a checkpoint"), kept);
    let said = place.run("other", &["ledger", "verify", "--checkpoint", text(&tiles.join("checkpoint"))], 3);
    assert!(said.contains("does not extend the kept checkpoint"), "{said}");
}

/// Puts the ledger's entries ahead of every clock, as after a day on which one ran ahead.
fn put_ahead(data: &Path) {
    let environment = pg::Environment { search_path: Some("/usr/local/bin:/usr/bin:/bin".into()), bin_dir: None };
    let cluster = pg::Cluster::start(data, &pg::Embedded::default(), &environment, pg::Access::Shared);
    let cluster = cluster.expect("the place's server");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = PgConnection::connect_with(&cluster.admin_options("throughline")).await.expect("a connection");
        let ahead = "SET session_replication_role = replica; UPDATE ledger.entry SET decided_at = decided_at + interval '1 hour'";
        connection.execute(ahead).await.expect("the entries");
        connection.close().await.expect("closed");
    });
    cluster.stop().expect("it stops");
}

#[test]
fn nothing_leaves_by_a_clock_that_stands_behind_the_last_entry() {
    let place = Place::new();
    let keys = place.agreed("data");
    let file = place.path("sasid-2.1x.txt");
    fs::write(&file, sample("ct/sasid-2.1x")).expect("a file");
    place.run("data", &["intake", "load", text(&file), "--sea", "ct"], 0);
    let out = place.path("out");
    let export = ["feed", "export", "--consumer", "sea", "--format", "ndjson", "--out", text(&out)];
    let approved = || {
        let request = digest(&place.run("data", &export, 1));
        for key in &keys {
            place.run("data", &["approve", &request, "--key", text(key)], 0);
        }
        request
    };
    let request = approved();
    put_ahead(&place.path("data"));
    let said = place.run("data", &[&export[..], &["--request", &request]].concat(), 1);
    assert!(said.contains("stands behind the last entry"), "{said}");
    assert!(!out.join("manifest.json").exists(), "{said}");
    // Where clocks may be as far behind it leaves.
    let config = place.path("data/config.toml");
    let settings = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, settings + "\n[ledger]\nclock_behind_max_ms = 7_200_000\n").expect("a configuration");
    place.run("data", &[&export[..], &["--request", &approved()]].concat(), 0);
    assert!(out.join("manifest.json").exists());
}

/// The samples that this program's layouts come with.
fn sample(path: &str) -> String {
    let file = format!("{}/../intake/layouts/{path}.sample", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn a_states_own_file_goes_out_as_it_came_in() {
    let place = Place::new();
    let load = |name: &str, sea: &str, text: &str| {
        let file = place.path(name);
        fs::write(&file, text).expect("a file");
        place.run("data", &["--sandbox", "intake", "load", file.to_str().expect("UTF-8"), "--sea", sea], 0);
    };
    let export_with = |format: &str, report: &[&str]| {
        let out = place.path(format);
        let ask = ["feed", "export", "--consumer", "sea", "--format", format, "--out", text(&out)];
        place.run("data", &[&ask, report].concat(), 0);
        let manifest = fs::read_to_string(out.join("manifest.json")).expect("a manifest");
        let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
        let file = manifest["files"][0]["name"].as_str().expect("a file's name").to_owned();
        (fs::read_to_string(out.join(file)).expect("text"), manifest)
    };
    let export = |format: &str| export_with(format, &[]);
    load("sasid-2.1x.txt", "ct", &sample("ct/sasid-2.1x"));
    let courses = [
        "9900000017064H-4711              022920000000012345001T-88                064631102052G1.0011ALG1                Per. 4 Algebra I, Section 2   B+        06463110827201406152015Pass                1.00180171",
        "9900000025043                    11301995          006                    348031551045G040411                    2                             Pass      04362110902201410312014Transferred",
    ];
    let courses: String = courses.map(|line| format!("{line:<274}X\r\n")).concat();
    load("tcs-4.0.txt", "ct", &courses);
    let (again, manifest) = export("tcs-4.0");
    assert_eq!(again, courses);
    assert!(manifest.get("remarks").is_none(), "{manifest}");

    let records = sample("la/la-sis");
    load("la-sis.txt", "la", &records);
    let (again, manifest) = export("la-sis");
    let codes = |file: &str| file.lines().map(|line| line[6..9].to_owned()).collect::<Vec<_>>();
    assert_eq!(codes(&again), codes(&records));
    assert!(manifest.get("remarks").is_none(), "{manifest}");
    // It is what came in; and it passes the layout's own check.
    let sorted = |file: &str| {
        let mut lines: Vec<String> = file.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&again), sorted(&records));
    let file = place.path("la-sis/la-sis.txt");
    let found = place.run("data", &["intake", "check", text(&file), "--layout", "la-sis", "--json"], 0);
    assert!(!found.contains("\"rule\""), "{found}");
    // The same facts go out the same, and each export is an entry that verifies.
    assert_eq!(export("la-sis").0, again);
    assert_eq!(export("tcs-4.0").0, courses);
    // What the district excludes from state reporting stays on record, and is left out of the state's file.
    load(
        "la-reporting-exclusion.csv",
        "la",
        "StateStudentNumber,SessionYear,SiteCode,EntryDate,ClassCode,ExcludedFromStateReporting\n9900000025,,,,,Y\n9900000017,20182019,990001,,ALG1-02,Y\n",
    );
    let (left, manifest) = export("la-sis");
    let of = |file: &str, what: &str| file.lines().filter(|line| line.contains(what)).count();
    assert_eq!((of(&left, "9900000025"), of(&left, "ALG1-02")), (0, 0));
    assert_eq!(of(&left, "9900000017"), of(&again, "9900000017") - 1);
    assert!(
        manifest["remarks"].as_array().is_some_and(|all| all.iter().all(|one| one["rule"] == "selection.excluded"))
    );
    // A report for one district, of some records, of the students of a partial file; what cannot be made is refused before anybody is asked.
    assert_eq!(export_with("la-sis", &["--district", "990"]).0, left);
    let (none, manifest) = export_with("la-sis", &["--district", "991"]);
    let said =
        manifest["remarks"].as_array().is_some_and(|all| all.iter().any(|one| one["rule"] == "selection.nobody"));
    assert!(none.is_empty() && said, "{manifest}");
    // The access is entered for those whom the report is for, and only they are read.
    assert_eq!(manifest["histories"], 0, "{manifest}");
    let (some, _) = export_with("la-sis", &["--record", "040", "--record", "010"]);
    assert!(some.lines().all(|line| ["010", "040"].contains(&&line[6..9])) && !some.is_empty());
    assert!(export_with("la-sis", &["--partial-file"]).0.is_empty());
    load("la-partial-file.csv", "la", "StateStudentNumber,PartialFileIndicator\n9900000017,Y\n9900000025,N\n");
    let (partial, manifest) = export_with("la-sis", &["--partial-file"]);
    assert_eq!(manifest["histories"], 1, "{manifest}");
    assert_eq!(of(&partial, "9900000017"), partial.lines().count());
    assert_eq!(of(&partial, "9900000017"), of(&left, "9900000017"));
    let out = place.path("refused");
    let ask = ["feed", "export", "--consumer", "sea", "--out", text(&out), "--format"];
    place.run("data", &[&ask[..], &["la-sis", "--record", "093"]].concat(), 1);
    place.run("data", &[&ask[..], &["csv", "--district", "990"]].concat(), 2);
    place.run("data", &["ledger", "verify"], 0);
}

/// What the state's own file says of a contact's phones, of which other files say which is preferred.
#[test]
fn the_preferred_phone_goes_out() {
    let place = Place::new();
    let load = |name: &str, text: &str| {
        let file = place.path(name);
        fs::write(&file, text).expect("a file");
        place.run("data", &["--sandbox", "intake", "load", file.to_str().expect("UTF-8"), "--sea", "ct"], 0);
    };
    let registered = sample("ct/sasid-2.1x");
    load("sasid-2.1x.txt", registered.split_inclusive('\n').next().expect("a registration"));
    let header = sample("ct/ct-student-contacts").lines().next().expect("a header").to_owned();
    load(
        "ct-student-contacts.csv",
        &format!("{header}\r\nMulberry Quince,MOTHER,9900000017,,,,,,,860-555-0105,,860-555-0106,,,Y,\r\n"),
    );
    let phones = |day: &str| {
        let out = place.path("out");
        let ask = ["feed", "export", "--consumer", "sea", "--format", "ct-student-contacts", "--out", text(&out)];
        place.run("data", &[&ask[..], &["--report-to", day]].concat(), 0);
        let file = fs::read_to_string(out.join("ct-student-contacts.csv")).expect("text");
        file.lines().nth(1).map(|line| line.split(',').skip(9).take(3).map(str::to_owned).collect::<Vec<_>>())
    };
    let day = "2015-03-02";
    assert_eq!(phones(day), Some(vec!["860-555-0105".to_owned(), String::new(), "860-555-0106".to_owned()]));
    load(
        "ct-contact-phones.csv",
        "Parent Name,Parent Type,Student Code,Phone Type,Phone Number,Preferred\r\n\
        Mulberry Quince,MOTHER,9900000017,Home,860-555-0101,Y\r\n\
        Mulberry Quince,MOTHER,9900000017,Home,860-555-0102,\r\n\
        Mulberry Quince,MOTHER,9900000017,Cell,860-555-0103,\r\n",
    );
    assert_eq!(phones(day), Some(vec!["860-555-0101".to_owned(), String::new(), "860-555-0103".to_owned()]));
    // The contact again, as the district's own file has it: what is preferred stands.
    load(
        "ct-student-contacts.csv",
        &format!("{header}\r\nMulberry Quince,MOTHER,9900000017,,,,,,,860-555-0107,,860-555-0108,,,Y,\r\n"),
    );
    assert_eq!(phones(day), Some(vec!["860-555-0101".to_owned(), String::new(), "860-555-0108".to_owned()]));
}

/// CSSD's roster of one adjudicated client whose records an order opens.
const ORDERED: &str =
    "ClientPIN,LastName,FirstName,MiddleName,Suffix,DOB,Sex,Race,TownName,ZipCode,SASID,CaseType,SupervisionStartDate,\
SupervisionEndDate,OfficePIN,CaseOwner,OrderNumber,LegalBasis,LegalStatus
501,Quince,Ambrosia,,,2010-03-04,F,,Hartford,06103,,Delinquency,2026-01-05,,1,7,JV-26-118,court_order,adjudicated
";

#[test]
fn a_reported_order_waits_for_two_stewards_and_holds_from_the_next_roster() {
    let place = Place::new();
    let keys = place.two_stewards("data");
    let consumers = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/consumers");
    let document = format!("{consumers}/cssd/agreement.toml");
    let waiting = digest(&place.run("data", &["agreement", "activate", &document], 1));
    for key in &keys {
        place.run("data", &["approve", &waiting, "--key", text(key)], 0);
    }
    place.run("data", &["agreement", "activate", &document], 0);
    let roster = place.path("roster.csv");
    fs::write(&roster, ORDERED).expect("a file");
    let load = || {
        let said = place.run("data", &["--json", "roster", "load", text(&roster), "--consumer", "cssd"], 0);
        let receipt = said.lines().find(|line| line.contains("orders_waiting")).expect("a receipt");
        let receipt: serde_json::Value = serde_json::from_str(receipt).expect("JSON");
        (receipt["orders_approved"].as_u64(), receipt["orders_waiting"].as_u64())
    };
    let orders = |consumer: &str| place.run("data", &["agreement", "orders", "--consumer", consumer], 0);
    assert_eq!(load(), (Some(0), Some(1)));
    let said = orders("cssd");
    assert!(said.contains("court_order JV-26-118") && said.contains("approved by nobody"), "{said}");
    assert!(orders("dcf").contains("no order waits"));
    let order = said.split(':').next().expect("a digest").trim().to_owned();
    place.run("data", &["approve", &order, "--key", text(&keys[0])], 0);
    place.run("data", &["approve", &order, "--key", text(&keys[0])], 0);
    assert_eq!(load(), (Some(0), Some(1)), "one steward is not two");
    let said = place.run("data", &["approve", &order, "--key", text(&keys[1])], 0);
    assert!(said.contains("next roster that reports it"), "{said}");
    assert_eq!(load(), (Some(1), Some(0)), "the last roster again is enough");
    assert_eq!(load(), (Some(0), Some(0)), "once");
    assert!(orders("cssd").contains("no order waits"));
}

#[test]
fn a_certification_goes_on_file_and_is_taken_back() {
    let place = Place::new();
    let keys = place.two_stewards("data");
    let certify = ["agreement", "certify", "--consumer", "cssd", "--holder", "the director", "--reference", "C-2026-1"];
    let certify = [&certify[..], &["--from", "2026-07-01", "--by", "ann", "--json"]].concat();
    let id = |said: &str| {
        let line = said.lines().find(|line| line.contains("certification")).expect("an answer");
        let answer: serde_json::Value = serde_json::from_str(line).expect("JSON");
        answer["certification"].as_i64().expect("a number").to_string()
    };
    let request = place.run("data", &certify, 3);
    let request: serde_json::Value = serde_json::from_str(request.lines().next().expect("an answer")).expect("JSON");
    let request = request["request"].as_str().expect("a digest");
    let carry_out = ["agreement", "certify", "--by", "ann", "--request", request, "--json"];
    place.run("data", &carry_out, 1);
    place.run("data", &["approve", request, "--key", text(&keys[0])], 0);
    place.run("data", &carry_out, 1);
    place.run("data", &["approve", request, "--key", text(&keys[1])], 0);
    let first = id(&place.run("data", &carry_out, 0));
    place.run("data", &carry_out, 1);
    place.run("data", &[&certify[..], &["--to", "2026-06-01"]].concat(), 1);
    place.run("data", &["agreement", "revoke-certification", &first], 0);
    place.run("data", &["agreement", "revoke-certification", &first], 1);
}

#[test]
fn two_children_become_one_only_with_two_signatures() {
    let place = Place::new();
    let keys = place.two_stewards("data");
    let file = place.path("sasid-2.1x.txt");
    fs::write(&file, sample("ct/sasid-2.1x")).expect("a file");
    place.run("data", &["intake", "load", text(&file)], 0);
    let merge =
        ["identity", "merge", "9900000017", "9900000025", "--by", "ann", "--reason", "one child after an adoption"];
    let said = place.run("data", &merge, 3);
    assert!(said.contains("nothing has moved") && said.contains("another first_name"), "{said}");
    let request = digest(&said.replace('\n', " "));
    let carry_out = ["identity", "carry-out", &request];
    place.run("data", &carry_out, 1);
    place.run("data", &["approve", &request, "--key", text(&keys[0])], 0);
    let said = place.run("data", &carry_out, 1);
    assert!(said.contains("two registered stewards"), "{said}");
    let said = place.run("data", &["approve", &request, "--key", text(&keys[1])], 0);
    assert!(said.contains("ann asks to JOIN"), "{said}");
    let said = place.run("data", &carry_out, 0);
    assert!(said.contains("move 1:"), "{said}");
    place.run("data", &carry_out, 1);
    // To part them again one steward is enough, and joining them once more is not.
    place.run("data", &["identity", "undo-move", "1", "--by", "ben", "--reason", "the papers were another child's"], 0);
    let said = place.run("data", &["identity", "undo-move", "2", "--by", "ben", "--reason", "after all"], 3);
    assert!(said.contains("nothing has moved"), "{said}");
    place.run("data", &["ledger", "verify"], 0);
}

#[test]
fn one_key_is_one_steward() {
    let place = Place::new();
    place.two_stewards("data");
    let config = place.path("data").join("config.toml");
    place.run("data", &["config", "check"], 0);
    let text = fs::read_to_string(&config).expect("a file").replace("ben.pub", "ann.pub");
    fs::write(&config, text).expect("a file");
    let said = place.run("data", &["config", "check"], 1);
    assert!(said.contains("ann and ben have one key"), "{said}");
}

#[test]
fn an_agreement_that_cannot_hold_is_refused_with_line_and_clause() {
    let place = Place::new();
    place.two_stewards("data");
    let shipped = |who: &str| {
        let path = format!("{}/../../deploy/consumers/{who}/agreement.toml", env!("CARGO_MANIFEST_DIR"));
        fs::read_to_string(path).expect("a document")
    };
    let check = |document: &str, expect: &str| {
        let path = place.path("draft.toml");
        fs::write(&path, document).expect("a file");
        let said = place.run("data", &["agreement", "check", text(&path)], 3);
        assert!(said.contains(expect) && said.contains("line "), "{expect}: {said}");
        let said = place.run("data", &["agreement", "activate", text(&path)], 1);
        assert!(said.contains(expect), "activation refuses it too: {said}");
    };
    let dcf = shipped("dcf");
    check(&dcf.replace("child_welfare_agency", "juvenile_justice_agency"), "releases only to: child_welfare_agency");
    check(&dcf.replace("dcf.consumers.throughline.test", "*.consumers.throughline.test"), "names more than one system");
    check(&dcf.replace("valid_to = \"perpetual\"", "valid_to = 2020-06-30"), "the agreement ended on 2020-06-30");
    let document = place.path("dcf.toml");
    fs::write(&document, &dcf).expect("a file");
    place.run("data", &["agreement", "check", text(&document)], 0);
    // Another party's certificate: seen beside the documents that are configured, and by activation beside those in force.
    let stolen = shipped("cssd").replace("cssd.consumers.throughline.test", "dcf.consumers.throughline.test");
    let path = place.path("stolen.toml");
    fs::write(&path, stolen).expect("a file");
    let said = place.run("data", &["agreement", "check", text(&path)], 3);
    assert!(said.contains("in dcf_mou version 1 (dcf), another party"), "{said}");
    let other = place.path("other");
    fs::create_dir_all(&other).expect("a folder");
    let said = place.run("other", &["--sandbox", "agreement", "activate", text(&path)], 1);
    assert!(said.contains("another party"), "{said}");
}

/// The number of the database server's first process, once the server is ready.
fn postmaster(data: &Path) -> Option<String> {
    let text = fs::read_to_string(data.join("pg/postmaster.pid")).ok()?;
    let lines: Vec<&str> = text.lines().collect();
    (lines.get(7)?.trim() == "ready").then(|| lines[0].to_owned())
}

fn signal(name: &str, pid: &str) {
    assert!(Command::new("kill").args([name, pid]).status().expect("kill runs").success());
}

#[test]
fn a_served_database_that_is_killed_comes_back() {
    let place = Place::new();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_throughline"));
    serve.args(["--sandbox", "--data"]).arg(place.path("data")).args(["serve", "--listen", "127.0.0.1:0", "--json"]);
    let mut serve = serve.stdout(std::process::Stdio::piped()).spawn().expect("the program runs");
    let mut line = String::new();
    std::io::BufReader::new(serve.stdout.take().expect("its words")).read_line(&mut line).expect("a line");
    assert!(line.contains("serving"), "{line}");
    let data = place.path("data");
    let first = postmaster(&data).expect("a server");
    signal("-9", &first);
    let second = std::iter::repeat_with(|| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        postmaster(&data).filter(|pid| *pid != first)
    })
    .take(1_200)
    .flatten()
    .next();
    assert!(second.is_some(), "nobody started the database again");
    place.run("data", &["--sandbox", "db", "status"], 0);
    signal("-TERM", &serve.id().to_string());
    assert!(serve.wait().expect("its end").success());
}
