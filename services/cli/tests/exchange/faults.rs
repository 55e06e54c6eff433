//! Killed at every named crash point of load, decide, record, send and deliver, and started again: the end is that of a run that nothing
//! disturbed, and nothing is anywhere that the ledger does not hold.
//!
//! A point that is added to `CrashPoint` is taken up here by itself; if no step passes it, the test fails.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use pg::crash::{Armed, CrashPoint};
use serde_json::Value as Json;

use crate::{
    APPROVALS, counts,
    erase::state_id,
    place::{Night, Place, contents, copy, files, lines, parts, said, text, word},
    receiver::{passages, receive},
};

const CONSUMER: &str = "dcf";
const NIGHT: &str = "2026-11-20";
/// Places that are killed at once.
const WORKERS: usize = 2;

/// What a process does between two states of the data folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// Loads the files that were held back.
    Load,
    /// Takes the roster.
    Roster,
    /// Runs the night.
    Exchange,
    /// Serves a receiver.
    Serve,
    /// Erases a student.
    Erase,
}

impl Step {
    const ALL: [Self; 5] = [Self::Load, Self::Roster, Self::Exchange, Self::Serve, Self::Erase];

    fn args(self, world: &Path, place: &Place) -> Vec<String> {
        let roster = world.join(format!("rosters/{CONSUMER}/{NIGHT}.csv"));
        let (held, out, request) = (world.join("held"), place.path("out"), world.join("request"));
        let args = match self {
            Self::Load => vec!["intake", "load", text(&held)],
            Self::Roster => vec!["roster", "load", text(&roster), "--consumer", CONSUMER, "--date", NIGHT],
            Self::Exchange => vec!["exchange", "run", "--consumer", CONSUMER, "--date", NIGHT, "--out", text(&out)],
            Self::Serve => vec![],
            Self::Erase => vec!["erase", "run", text(&request)],
        };
        let mut args: Vec<String> = args.into_iter().map(str::to_owned).collect();
        if let (Self::Erase, Some(request)) = (self, args.last_mut()) {
            *request = fs::read_to_string(&*request).expect("a request that was made");
        }
        args
    }

    fn run(self, world: &Path, place: &Place) -> Vec<Json> {
        let args = self.args(world, place);
        place.run(&args.iter().map(String::as_str).collect::<Vec<_>>(), 0)
    }
}

/// A run that nothing disturbed: the data folder before each step, and what came of it.
struct Clean {
    place: Place,
    passages: BTreeMap<Step, BTreeMap<String, u64>>,
    receipts: Vec<Json>,
    state: BTreeMap<String, String>,
    /// The same without the student who is erased last.
    erased: BTreeMap<String, String>,
    night: Night,
    stream: BTreeMap<String, String>,
}

impl Clean {
    fn run() -> Self {
        let place = Place::new();
        place.generate(60);
        let world = place.path("world");
        hold_back(&world);
        let organizations = world.join("state/ct-organization");
        place.run(&["intake", "load", text(&organizations), text(&world.join("state"))], 0);
        let config = place.path("data/config.toml");
        let settings = fs::read_to_string(&config).expect("the sandbox's configuration");
        fs::write(&config, format!("{settings}\n[server.limits]\nchunk_clients = 3\n")).expect("it can be changed");
        fs::create_dir(place.path("before")).expect("a folder");
        let mut clean = Self {
            passages: BTreeMap::new(),
            receipts: Vec::new(),
            state: BTreeMap::new(),
            erased: BTreeMap::new(),
            night: Night::default(),
            stream: BTreeMap::new(),
            place,
        };
        let place = &clean.place;
        for step in Step::ALL {
            if step == Step::Erase {
                clean.state = export_state(place);
                ask_to_erase(place, &world);
            }
            copy(&place.path("data"), &clean.before(step));
            let file = place.path("passages");
            let counted = [("THROUGHLINE_CRASH_COUNTS", text(&file))];
            if step == Step::Serve {
                let (receiver, _) = receive(place, CONSUMER, &counted);
                let entries = place.ledger();
                assert!(receiver.disclosures.is_subset(&entries), "everything received is in the ledger");
                assert_eq!(
                    receiver.messages,
                    receiver.disclosures.len() as u64,
                    "each message is a disclosure of its own"
                );
                // Two runs with a completion each, in which the same clients were refused as in the file.
                let expected = APPROVALS
                    + crate::noted(place)
                    + clean.night.entries
                    + receiver.messages
                    + 2 * (1 + clean.night.refused);
                assert_eq!(entries.len() as u64, expected, "the ledger holds what was received, and nothing else");
                clean.stream = receiver.histories;
            } else {
                let args = step.args(&world, place);
                let mut command = place.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
                command.envs(counted);
                let printed = crate::place::finished(command, 0);
                if step == Step::Load {
                    clean.receipts = printed;
                }
            }
            if step == Step::Exchange {
                clean.night = Night::open(&place.path("out").join(NIGHT), &place.report(CONSUMER, NIGHT));
            }
            clean.passages.insert(step, passages(&file));
        }
        clean.erased = export_state(&clean.place);
        assert_eq!(clean.erased.len() + 1, clean.state.len(), "one student is erased");
        assert!(!clean.stream.is_empty() && clean.stream == clean.night.histories, "stream and file hold the same");
        clean
    }

    /// The data folder as it was before a step.
    fn before(&self, step: Step) -> PathBuf {
        self.place.path("before").join(format!("{step:?}"))
    }

    fn world(&self) -> PathBuf {
        self.place.path("world")
    }

    fn passages(&self, step: Step, point: CrashPoint) -> u64 {
        self.passages.get(&step).and_then(|counts| counts.get(point.name())).copied().unwrap_or(0)
    }

    /// Where a point strikes: at the first passage of all, and in the middle and at the end of the last step that passes it.
    fn kills(&self, point: CrashPoint) -> Vec<(Step, u64)> {
        // An erasure passes points of the ledger too; what a kill there does is seen at the other steps.
        let is_of = |step: &Step| (*step == Step::Erase) == point.name().starts_with("erase.");
        let passed: Vec<Step> =
            Step::ALL.into_iter().filter(is_of).filter(|step| self.passages(*step, point) > 0).collect();
        let mut kills: Vec<(Step, u64)> = Vec::new();
        if let (Some(first), Some(last)) = (passed.first(), passed.last()) {
            kills.push((*first, 1));
            // The sequencer works by its own pace: how often it has something to do is not the same twice.
            let count = if point.name().starts_with("ledger.") { 1 } else { self.passages(*last, point) };
            kills.extend([(*last, count / 2 + 1), (*last, count)]);
        }
        kills.sort_unstable();
        kills.dedup();
        kills
    }
}

/// Takes a few files out of the state, to be loaded later: new students, their year, incidents and corrections.
fn hold_back(world: &Path) {
    for (layout, name) in [
        ("sasid-2.1x", "2026-register-01.txt"),
        ("ct-student", "2026-1-october-01.csv"),
        ("ct-discipline", "2026-1-offenses-01.csv"),
        ("ct-discipline", "2026-2-corrections-01.csv"),
    ] {
        let folder = world.join("held").join(layout);
        fs::create_dir_all(&folder).expect("a folder");
        fs::rename(world.join("state").join(layout).join(name), folder.join(name)).expect("a file of the state");
    }
}

/// Asks that a client of the agency be erased; the sandbox's stewards approve it.
fn ask_to_erase(place: &Place, world: &Path) {
    let links = lines(&world.join("truth/links.ndjson"));
    let link = links.iter().find(|link| word(link, "consumer") == CONSUMER && !link["child"].is_null());
    let id = state_id(place, link.expect("a client")["sasids"][0].as_str().expect("a state id"));
    let order = ["--ground", "court_order", "--order", "FA-26-1"];
    let asked = place.run(&[&["erase", "request", "--state-id-file", &id], &order[..]].concat(), 0);
    let request = asked.iter().find_map(|line| line["request"].as_str()).expect("a request");
    fs::write(world.join("request"), request).expect("a file");
}

/// The content of every student's history, by the SEA's own export.
fn export_state(place: &Place) -> BTreeMap<String, String> {
    let out = place.path("own");
    place.run(&["feed", "export", "--consumer", "sea", "--format", "ndjson", "--out", text(&out)], 0);
    contents(&out)
}

/// One kill, what went on after it, and what it must have come to.
fn survive(clean: &Clean, step: Step, armed: Armed) {
    let place = Place::new();
    place.take_data(&clean.before(step));
    if matches!(step, Step::Serve | Step::Exchange) {
        // Nothing else is there yet; a night is delivered into an empty folder.
        fs::create_dir(place.path("out")).expect("a folder");
    }
    let at = format!("{}:{}", armed.point, armed.passage);
    let world = clean.world();
    if step == Step::Serve {
        let (receiver, deaths) = receive(&place, CONSUMER, &[("THROUGHLINE_CRASH_AT", &at)]);
        assert_eq!(deaths, 1, "{at}: it died once");
        assert_eq!(receiver.histories, clean.stream, "{at}: the receiver's state is that of a clean run");
        assert!(receiver.disclosures.is_subset(&place.ledger()), "{at}: everything received is in the ledger");
        return;
    }
    let args = step.args(&world, &place);
    let mut command = place.command(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let output = command.env("THROUGHLINE_CRASH_AT", &at).output().expect("the program runs");
    assert_eq!(output.status.code(), None, "{at} was not passed in {step:?}: {}", said(&output));
    if step == Step::Erase {
        // Whatever is run next finishes what was broken off, before anything else.
        assert_eq!(export_state(&place), clean.erased, "{at}: the student is gone, and nobody else");
        let status = place.run(&["erase", "status"], 0);
        assert!(status.len() == 1 && status[0]["step"] == "done", "{at}: {status:?}");
        place.ledger();
        return;
    }
    let seen = lying_about(&place.path("out"));
    let receipts = step.run(&world, &place);
    match step {
        Step::Load => {
            let before = armed.passage - u64::from(armed.point != CrashPoint::IntakeAfterCommit);
            check_receipts(clean, &receipts, before, &at);
            assert_eq!(export_state(&place), clean.state, "{at}: the same histories");
            return;
        }
        Step::Roster => drop(Step::Exchange.run(&world, &place)),
        Step::Exchange | Step::Serve | Step::Erase => {}
    }
    let night = Night::open(&place.path("out").join(NIGHT), &place.report(CONSUMER, NIGHT));
    assert_eq!(night.histories, clean.night.histories, "{at}: the same histories");
    assert!(night.documents.keys().eq(clean.night.documents.keys()), "{at}: the same clients have a document");
    assert_eq!(parts(&place.path("out")), Vec::<PathBuf>::new(), "{at}: nothing half-delivered");
    let entries = place.ledger();
    assert!(night.disclosures.is_subset(&entries), "{at}: everything delivered is in the ledger");
    assert!(seen.is_subset(&entries), "{at}: what lay there at the kill is in the ledger");
    assert!(entries.len() as u64 >= night.entries, "{at}: no entry is missing");
}

/// Files in before the kill were in whole, and the others come in as if nothing had been.
fn check_receipts(clean: &Clean, receipts: &[Json], before: u64, at: &str) {
    let (known, new): (Vec<&Json>, Vec<&Json>) =
        receipts.iter().partition(|receipt| receipt["seen_before"].as_bool() == Some(true));
    assert_eq!(known.len() as u64, before, "{at}: files that were in before");
    let expected = counts(&clean.receipts);
    for (file, count) in counts(&new.into_iter().cloned().collect::<Vec<_>>()) {
        assert_eq!(Some(&count), expected.get(&file), "{at}: {file} is loaded as a whole");
    }
}

/// The disclosure ids in whatever a killed process left, complete or not.
pub fn lying_about(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in if folder.exists() { files(folder) } else { Vec::new() } {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            found.extend(lying_about(&path));
        } else if name.starts_with("histories.ndjson") {
            let text = fs::read_to_string(&path).expect("a file");
            // The last line may be cut.
            let rows = text.lines().filter_map(|line| serde_json::from_str::<Json>(line).ok());
            found.extend(rows.map(|row| word(&row, "disclosure_id").to_owned()));
        } else if let Some(id) = name.get(..36).filter(|_| name.contains(".pdf") || name.contains(".part")) {
            found.insert(id.to_owned());
        }
    }
    found.retain(|id| id.parse::<uuid::Uuid>().is_ok());
    found
}

#[test]
fn a_kill_at_any_point_leaves_nothing_half_done() {
    let clean = Clean::run();
    let mut table = format!(
        "{:<24}{:>6}{:>8}{:>10}{:>7}{:>7}  killed at\n",
        "point", "load", "roster", "exchange", "serve", "erase"
    );
    let mut work = VecDeque::new();
    for point in CrashPoint::ALL.iter().copied() {
        let passed = Step::ALL.map(|step| clean.passages(step, point));
        let kills = clean.kills(point);
        assert!(passed.iter().sum::<u64>() > 0 && !kills.is_empty(), "no step of this test passes {point}");
        let said: Vec<String> =
            kills.iter().map(|(step, passage)| format!("{step:?}:{passage}").to_lowercase()).collect();
        let [load, roster, exchange, serve, erase] = passed;
        writeln!(
            table,
            "{:<24}{load:>6}{roster:>8}{exchange:>10}{serve:>7}{erase:>7}  {}: recovered",
            point.name(),
            said.join(", ")
        )
        .expect("text");
        work.extend(kills.into_iter().map(|(step, passage)| (step, Armed { point, passage })));
    }
    let work = Mutex::new(work);
    let next = || work.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some((step, armed)) = next() {
                    survive(&clean, step, armed);
                }
            });
        }
    });
    say(&table);
}

/// The test's result: shown with `--nocapture`, and kept below the target folder.
#[expect(clippy::disallowed_macros, reason = "a table that people read")]
fn say(table: &str) {
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash-points.txt"), table).expect("the table can be kept");
    println!("{table}");
}
