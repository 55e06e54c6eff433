//! The demo against the truth that lies beside the invented state: who is linked, for how long, and what reaches whom on which night.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone as _, Utc};
use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use crate::place::{contents, files, finished, json, lines, program, text, word};

const CONSUMERS: [&str; 3] = ["cssd", "dcf", "education_unit"];

/// Who must be delivered on which of the four nights: the cases whose nights differ, or on which nothing may leave.
const EXPECTED: [(&str, &str, &str); 37] = [
    ("cssd_pre_adjudication", "cssd", "1234"),
    ("dcf_in_care", "dcf", "1234"),
    ("both_agencies", "cssd", "1234"),
    ("both_agencies", "dcf", "1234"),
    ("detained", "dcf", "1234"),
    ("cssd_adjudicated_without_basis", "cssd", ""),
    ("cssd_court_order", "cssd", "1234"),
    ("cssd_parent_consent", "cssd", "1234"),
    ("cssd_ended", "cssd", ""),
    // The end is the day of the third night, and covers it.
    ("cssd_ends_during_run", "cssd", "123"),
    ("cssd_reopened", "cssd", "234"),
    ("cssd_joins", "cssd", "34"),
    ("cssd_leaves_roster", "cssd", "12"),
    ("dcf_ended", "dcf", ""),
    ("dcf_reopened", "dcf", "1234"),
    ("dcf_ends_during_run", "dcf", "123"),
    ("turns_18", "cssd", "12"),
    ("turns_18", "education_unit", "12"),
    ("education_unit_release", "education_unit", "1234"),
    ("education_unit_expired", "education_unit", ""),
    ("education_unit_turned_18", "education_unit", ""),
    ("education_unit_student_release", "education_unit", "1234"),
    ("expunged_discipline", "cssd", "1234"),
    ("sealed_record", "dcf", ""),
    ("erased_record", "cssd", ""),
    ("confidential_address", "dcf", "1234"),
    ("protective_order", "dcf", "1234"),
    ("doubtful", "cssd", ""),
    ("corrected_attendance", "cssd", "1234"),
    ("correctional", "education_unit", "1234"),
    ("deceased", "dcf", ""),
    ("child_welfare_facility", "cssd", "1234"),
    ("wrong_match", "cssd", "123"),
    ("two_sasids", "dcf", "1234"),
    ("dcf_office_transfer", "dcf", "1234"),
    // Declared for twelve hours from the third evening on.
    ("education_unit_emergency", "education_unit", "3"),
    ("cssd_certification_missing", "cssd", "1234"),
];

/// A client as the truth has it.
struct True {
    sasids: BTreeSet<String>,
    is_known: bool,
    spans: Vec<(NaiveDate, Option<NaiveDate>)>,
    left: Option<NaiveDate>,
}

impl True {
    fn read(dir: &Path) -> BTreeMap<(String, String), Self> {
        let day = |value: &Json| value.as_str().map(|text| text.parse::<NaiveDate>().expect("a day"));
        let read = |line: &Json| {
            let texts = line["sasids"].as_array().expect("a list").iter();
            let spans = line["authority"].as_array().expect("a list").iter();
            let one = Self {
                sasids: texts.map(|sasid| sasid.as_str().expect("a text").to_owned()).collect(),
                is_known: !line["child"].is_null(),
                spans: spans.map(|span| (day(&span["from"]).expect("a day"), day(&span["to"]))).collect(),
                left: day(&line["left"]),
            };
            ((word(line, "consumer").to_owned(), word(line, "person_id").to_owned()), one)
        };
        lines(&dir.join("truth/links.ndjson")).iter().map(read).collect()
    }

    /// Whether the agency has authority on a day, as far as the roster of that night tells.
    fn holds_on(&self, day: NaiveDate) -> bool {
        self.left.is_none_or(|left| day < left)
            && self.spans.iter().any(|(from, to)| *from <= day && to.is_none_or(|to| day <= to))
    }

    /// The intervals that the population must hold after the last night.
    fn intervals(&self) -> BTreeSet<(DateTime<Utc>, Option<DateTime<Utc>>)> {
        let cut = self.left.map(begins);
        let interval = |(from, to): &(NaiveDate, Option<NaiveDate>)| {
            let end = to.map(|day| begins(day + Days::new(1)));
            let end = match (end, cut) {
                (Some(end), Some(cut)) => Some(end.min(cut)),
                (end, cut) => end.or(cut),
            };
            (begins(*from), end)
        };
        self.spans.iter().map(interval).collect()
    }
}

fn begins(day: NaiveDate) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    chrono_tz::America::New_York.from_local_datetime(&midnight).earliest().expect("midnight").to_utc()
}

/// A demo, and how to run it again.
struct Demo {
    dir: tempfile::TempDir,
}

impl Demo {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self) -> std::process::Command {
        let mut command = program();
        command.args(["--json", "demo", "--students", "400", "--seed", "11", "--exit", "--dir"]).arg(self.dir.path());
        command
    }

    fn nights(&self, consumer: &str) -> Vec<PathBuf> {
        files(&self.path("out").join(consumer))
    }

    /// What a command on the demo's data says.
    fn run(&self, args: &[&str], code: i32) -> Vec<Json> {
        let mut command = program();
        command.arg("--data").arg(self.path("data")).arg("--json").args(args);
        finished(command, code)
    }

    fn entries(&self) -> u64 {
        let verdict = self.run(&["ledger", "verify"], 0).pop().expect("a verdict");
        verdict["entries"].as_u64().expect("a count")
    }

    /// Every file that was delivered, with its content.
    fn delivered(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn below(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for path in files(folder) {
                if path.is_dir() {
                    below(&path, into);
                } else {
                    let bytes = std::fs::read(&path).expect("a file");
                    into.insert(path, bytes);
                }
            }
        }
        let mut all = BTreeMap::new();
        below(&self.path("out"), &mut all);
        all
    }

    /// Rows of a statement, as texts, from the demo's own database.
    fn rows(&self, sql: &'static str) -> Vec<Vec<Option<String>>> {
        let environment = pg::Environment { search_path: Some("/usr/local/bin:/usr/bin:/bin".into()), bin_dir: None };
        let data = self.path("data");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let home = data.clone();
            let start = move || pg::Cluster::start(&home, &pg::Embedded::default(), &environment, pg::Access::Shared);
            let cluster = tokio::task::spawn_blocking(start).await.expect("a task").expect("the demo's server");
            let options = cluster.admin_options("throughline");
            let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
            let rows = connection.fetch_all(AssertSqlSafe(sql)).await.expect("rows");
            let rows = rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect();
            connection.close().await.expect("it closes");
            tokio::task::spawn_blocking(move || cluster.stop()).await.expect("a task").expect("it stops");
            rows
        })
    }
}

/// The client whom the agency itself lists under another child's number, and the first night on which it no longer does. Until then nothing can
/// tell; from then on the match is contested, and releases nothing until a person decides.
const MISLISTED: (&str, &str, usize) = ("wrong_match", "cssd", 4);

#[test]
fn the_demo_delivers_what_is_true_night_by_night() {
    let demo = Demo::new();
    // Killed in the middle of a night, it goes on from there; done, it does nothing again.
    let killed =
        demo.command().env("THROUGHLINE_CRASH_AT", "disclose.after_record:20").output().expect("the program runs");
    assert_eq!(killed.status.code(), None, "{}", crate::place::said(&killed));
    finished(demo.command(), 0);
    let (entries, delivered) = (demo.entries(), demo.delivered());
    finished(demo.command(), 0);
    assert!(demo.entries() == entries && demo.delivered() == delivered, "the demo run again does nothing twice");

    let truth = True::read(demo.dir.path());
    let cases = Cases::read(demo.dir.path());
    links_and_intervals_are_true(&demo, &truth, &cases);
    deliveries_are_true(&demo, &truth, &cases);
    restrictions_hold(&demo);
    a_merge_gives_the_whole_history(&demo, &truth, &cases);
    an_emergency_leaves_paper_notice_and_review(&demo);
    a_missing_certification_refuses(&demo);
    a_transfer_is_told_to_the_new_office(&demo, &cases);
    the_matrix_tells_documents_or_what_is_in_force(&demo);
}

/// The clients of each case, by case and consumer.
struct Cases(BTreeMap<(String, String), String>);

impl Cases {
    fn read(dir: &Path) -> Self {
        let mut clients = BTreeMap::new();
        for case in lines(&dir.join("truth/cases.ndjson")) {
            for client in case["clients"].as_array().expect("a list") {
                let key = (word(&case, "case").to_owned(), word(client, "consumer").to_owned());
                clients.insert(key, word(client, "person_id").to_owned());
            }
        }
        Self(clients)
    }

    fn client(&self, case: &str, consumer: &str) -> &str {
        let key = (case.to_owned(), consumer.to_owned());
        self.0.get(&key).unwrap_or_else(|| panic!("{case} is a client of {consumer}"))
    }
}

fn links_and_intervals_are_true(demo: &Demo, truth: &BTreeMap<(String, String), True>, cases: &Cases) {
    let (case, consumer, _) = MISLISTED;
    let mislisted = (consumer.to_owned(), cases.client(case, consumer).to_owned());
    let linked = demo.rows(
        "SELECT c.consumer, c.person_key, d.outcome, p.state_id
         FROM identity.client AS c
         JOIN identity.match_decision AS d ON d.client_id = c.client_id AND d.superseded_at IS NULL
         LEFT JOIN identity.source_person AS p ON p.source_person_id = d.source_person_id",
    );
    let mut outcomes: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for row in linked {
        let [consumer, person, outcome, sasid] = row.try_into().expect("four columns");
        let key = (consumer.expect("a consumer"), person.expect("a person"));
        let outcome = outcome.expect("an outcome");
        let one = truth.get(&key).unwrap_or_else(|| panic!("{key:?} is in the truth"));
        let is_own = sasid.is_some_and(|sasid| one.sasids.contains(&sasid));
        assert!(outcome != "match" || is_own || key == mislisted, "{key:?} is linked with a stranger");
        outcomes.entry(key).or_default().insert(outcome);
    }
    let doubtful = ("cssd".to_owned(), cases.client("doubtful", "cssd").to_owned());
    assert_eq!(outcomes.get(&doubtful), Some(&BTreeSet::from(["review".to_owned()])), "a doubtful client waits");
    let contested = BTreeSet::from(["match".to_owned(), "review".to_owned()]);
    assert_eq!(outcomes.get(&mislisted), Some(&contested), "what the agency corrected waits for a person");

    let known = truth.values().filter(|one| one.is_known).count();
    let is_released = |outcomes: &&BTreeSet<String>| outcomes.contains("match") && !outcomes.contains("review");
    let matched = outcomes.values().filter(is_released).count();
    assert!(matched * 100 >= known * 85, "{matched} of {known} clients whom the state knows are matched");

    let population = demo.rows(
        "SELECT DISTINCT r.consumer, r.person_key, lower(r.released)::text, upper(r.released)::text FROM identity.released AS r",
    );
    let mut intervals: BTreeMap<(String, String), BTreeSet<_>> = BTreeMap::new();
    for row in population {
        let [consumer, person, from, to] = row.try_into().expect("four columns");
        let instant = |text: String| {
            DateTime::parse_from_str(&format!("{text}:00"), "%Y-%m-%d %H:%M:%S%:z").expect("an instant").to_utc()
        };
        let interval = (instant(from.expect("a beginning")), to.map(instant));
        intervals.entry((consumer.expect("a consumer"), person.expect("a person"))).or_default().insert(interval);
    }
    assert_eq!(
        intervals.len(),
        matched,
        "whoever is matched, and not contested, has a population interval, and nobody else"
    );
    for (key, found) in intervals {
        assert_eq!(found, truth[&key].intervals(), "{key:?}: authority begins and ends as it truly does");
    }
}

fn deliveries_are_true(demo: &Demo, truth: &BTreeMap<(String, String), True>, cases: &Cases) {
    let mut delivered: BTreeMap<(&str, usize), BTreeSet<String>> = BTreeMap::new();
    for consumer in CONSUMERS {
        let mislisted = (consumer == MISLISTED.1).then(|| cases.client(MISLISTED.0, consumer));
        let nights = demo.nights(consumer);
        assert_eq!(nights.len(), 4, "{consumer}: a delivery each night");
        for (number, night) in nights.iter().enumerate() {
            let day: NaiveDate = text(night).rsplit('/').next().and_then(|day| day.parse().ok()).expect("a day");
            for row in lines(&night.join("ndjson/histories.ndjson")) {
                let person = word(&row, "person_id");
                let one = &truth[&(consumer.to_owned(), person.to_owned())];
                assert!(one.is_known, "{consumer} {day}: {person} is somebody whom the state has never seen");
                assert!(one.holds_on(day), "{consumer} {day}: {person} is delivered without authority");
                let told = row["student"]["identifiers"].as_array().expect("identifiers");
                let told: BTreeSet<&str> = told.iter().map(|id| word(id, "state_id")).collect();
                let is_own = !told.is_empty() && told.iter().all(|id| one.sasids.contains(*id));
                let is_foretold = Some(person) == mislisted && number + 1 < MISLISTED.2;
                assert!(is_own || is_foretold, "{consumer} {day}: {person} is a stranger's record");
                delivered.entry((consumer, number + 1)).or_default().insert(person.to_owned());
            }
            assert!(
                contents(&night.join("ndjson")).len() as u64 == histories(night),
                "{consumer} {day}: no client twice"
            );
        }
    }
    for (case, consumer, nights) in EXPECTED {
        let person = cases.client(case, consumer);
        let found: String = (1..=4)
            .filter(|night| delivered.get(&(consumer, *night)).is_some_and(|all| all.contains(person)))
            .map(|night| night.to_string())
            .collect();
        assert_eq!(found, nights, "the nights on which {consumer} is delivered the case {case}");
    }
    let unchanged = json(&demo.nights("dcf")[3].join("report.json"))["summaries"]["unchanged"].as_u64();
    assert!(unchanged.is_some_and(|unchanged| unchanged > 0), "what did not change is not sent again");
}

fn histories(night: &Path) -> u64 {
    json(&night.join("ndjson/manifest.json"))["histories"].as_u64().expect("a count")
}

/// What a court or the state took out of the record reaches nobody, on no night.
fn restrictions_hold(demo: &Demo) {
    for restriction in lines(&demo.path("truth/restrictions.ndjson")) {
        let sasid = word(&restriction, "sasid");
        for night in CONSUMERS.iter().flat_map(|consumer| demo.nights(consumer)) {
            for row in lines(&night.join("ndjson/histories.ndjson")) {
                let told = row["student"]["identifiers"].as_array().expect("identifiers");
                if !told.iter().any(|id| word(id, "state_id") == sasid) {
                    continue;
                }
                match word(&restriction, "kind") {
                    "expunged" => {
                        let incident = word(&restriction, "incident_identifier");
                        let shown = row["discipline"].to_string().contains(&format!("\"{incident}\""));
                        assert!(!shown, "an expunged incident in {}", night.display());
                    }
                    "confidential_address" | "protective_order" => {
                        let is_empty = row["contact"].as_array().is_none_or(Vec::is_empty);
                        assert!(is_empty, "contacts under an order in {}", night.display());
                        let stays = row["enrollment"].as_array().into_iter().flatten();
                        let told = stays.chain([&row["student"]]).any(|said| said["resident_town"].is_string());
                        assert!(!told, "where a child lives whose contacts are under an order in {}", night.display());
                    }
                    kind => panic!("a {kind} record in {}", night.display()),
                }
            }
        }
    }
}

/// Before two state ids are one student's each is a history of its own; after it the client has both.
fn a_merge_gives_the_whole_history(demo: &Demo, truth: &BTreeMap<(String, String), True>, cases: &Cases) {
    let person = cases.client("two_sasids", "dcf");
    let told: Vec<usize> = demo
        .nights("dcf")
        .iter()
        .map(|night| {
            let rows = lines(&night.join("ndjson/histories.ndjson"));
            let row = rows.iter().find(|row| word(row, "person_id") == person).expect("delivered each night");
            let told = row["student"]["identifiers"].as_array().expect("identifiers").iter();
            told.map(|id| word(id, "state_id")).collect::<BTreeSet<_>>().len()
        })
        .collect();
    assert_eq!(told, [1, 1, 2, 2], "state ids told on each night");
    assert_eq!(truth[&("dcf".to_owned(), person.to_owned())].sasids.len(), 2);
}

/// The paper is on file with its threat, the SEA has a notice, and the opening waits for somebody to look at it.
fn an_emergency_leaves_paper_notice_and_review(demo: &Demo) {
    let waiting = demo.run(&["break-glass", "list", "--waiting"], 3);
    let told: Vec<_> =
        waiting.iter().map(|one| (word(one, "kind"), word(one, "order"), word(one, "consumer"))).collect();
    assert_eq!(told, [("emergency", "DEMO-E-1", "education_unit")]);
    assert_eq!(waiting[0]["open"], false, "it ended by itself");
    let notices = files(&demo.path("data/notices"));
    assert_eq!(notices.len(), 1);
    assert_eq!(word(&json(&notices[0]), "opening"), word(&waiting[0], "opening"));
    let recorded = demo.rows(
        "SELECT DISTINCT d.authority, (d.threat LIKE 'a clinician of the facility states%')::text
         FROM ledger.entry AS e JOIN ledger.detail AS d USING (entry_id) JOIN ledger.terms AS t ON t.terms_id = e.terms_id
         WHERE e.kind = 'disclosure' AND t.legal_basis = 'health_safety_emergency'",
    );
    let [row] = &recorded[..] else { panic!("{recorded:?}") };
    let [authority, threat] = row.clone().try_into().expect("two columns");
    assert!(authority.is_some_and(|said| said.starts_with("emergency DEMO-E-1")));
    assert_eq!(threat.as_deref(), Some("true"), "the threat is recorded");
}

/// The demo has amended an agreement: its documents are as they were, and what is in force is the amendment.
fn the_matrix_tells_documents_or_what_is_in_force(demo: &Demo) {
    let matrix = |more: &[&str]| {
        let mut command = program();
        command.arg("--data").arg(demo.path("data")).args(["agreement", "matrix"]).args(more);
        let output = command.output().expect("the program runs");
        assert_eq!(output.status.code(), Some(0), "{}", crate::place::said(&output));
        String::from_utf8(output.stdout).expect("a text")
    };
    let amended = demo.path("agreements/education_unit-2.toml");
    assert!(agreements::parse(&std::fs::read_to_string(&amended).expect("the amended document")).is_ok());
    let [documents, in_force, of_file] = [matrix(&[]), matrix(&["--in-force"]), matrix(&[text(&amended)])];
    assert!(!documents.contains("health_safety_emergency") && !documents.contains("\n  state: "));
    assert!(of_file.contains("basis 2: health_safety_emergency"));
    let of_unit = in_force.split("\n\n").find(|part| part.starts_with("education_unit ")).expect("the unit's part");
    assert!(
        of_unit.contains("\n  state: in force, version 2 since ")
            && of_unit.contains("basis 2: health_safety_emergency")
    );
    assert_eq!(in_force.matches("\n  state: in force, version ").count(), 5, "{in_force}");
}

/// One client of CSSD was refused for want of the agency's certification; the one that followed is in force.
fn a_missing_certification_refuses(demo: &Demo) {
    let refused = demo
        .rows("SELECT count(*)::text FROM ledger.entry WHERE kind = 'refusal' AND reason = 'certification_missing'");
    assert_eq!(refused, [[Some("1".to_owned())]]);
    let certified = demo.rows(
        "SELECT c.reference, (c.revoked_at IS NULL)::text FROM agreements.certification AS c WHERE c.consumer = 'cssd'
         ORDER BY c.certification_id",
    );
    let stands: Vec<Option<&str>> = certified.iter().map(|row| row[1].as_deref()).collect();
    assert_eq!(stands, [Some("false"), Some("true")], "{certified:?}");
}

/// The roster moves the client from one area office to another; the files of the one no longer have it, those of the other do.
fn a_transfer_is_told_to_the_new_office(demo: &Demo, cases: &Cases) {
    let person = cases.client("dcf_office_transfer", "dcf");
    let offices: Vec<String> = files(&demo.path("rosters/dcf"))
        .iter()
        .map(|roster| {
            let mut rows = csv::Reader::from_path(roster).expect("a roster");
            let office =
                rows.headers().expect("a header").iter().position(|name| name == "DCF_OFFICE").expect("a column");
            let row =
                rows.records().map(|row| row.expect("a row")).find(|row| &row[0] == person).expect("on the roster");
            row[office].to_owned()
        })
        .collect();
    assert_eq!(offices, ["Hartford", "Hartford", "Bridgeport", "Bridgeport"]);
    for (office, has) in [("Hartford", false), ("Bridgeport", true)] {
        let out = demo.path("offices").join(office);
        demo.run(
            &["feed", "export", "--consumer", "dcf", "--office", office, "--format", "ndjson", "--out", text(&out)],
            0,
        );
        assert_eq!(contents(&out).contains_key(person), has, "{office}");
        // What a worker there would be answered, and what decided it.
        let as_worker = ["--role", "caseworker", "--office", office, "--element", "enrollment.entry_date"];
        let asked = ["agreement", "explain", "--consumer", "dcf", "--client", person];
        let told = demo.run(&[&asked[..], &as_worker].concat(), 0).remove(0);
        let element = &told["elements"][0];
        let reason = if has { Json::Null } else { Json::from("another_office") };
        assert_eq!((&element["permitted"], &element["reason"]), (&Json::Bool(has), &reason), "{office}: {told}");
    }
}
