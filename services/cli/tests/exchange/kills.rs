//! Killed over and over while another process receives: what that process holds, synced to its disk before it takes the next, is never more than what the
//! ledger records, nor anything else: each message and each whole row of a file has the digest that its entry bears. Calls, streams and files; the report
//! lists each named point with how often it struck.
//!
//! Each point strikes once in every run of the tests. `THROUGHLINE_KILLS=3000 cargo test -p cli --test exchange kills -- --nocapture` goes on for hours.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use pg::crash::CrashPoint;
use prost::Message as _;
use proto::{
    feed::v1::{StreamFeedRequest, feed_service_client::FeedServiceClient, stream_feed_response::Event},
    history::v1::{GetHistoryRequest, history_service_client::HistoryServiceClient},
};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

use crate::{
    erase::Server as Database,
    faults::lying_about,
    place::{Place, files, lines, said, text, word},
    receiver::Server,
};

const CONSUMER: &str = "dcf";
const NIGHT: &str = "2026-11-20";
/// What tells the receiving process what to do.
const TASK: &str = "THROUGHLINE_RECEIVE";
/// How many kills; without it each point strikes once.
const KILLS: &str = "THROUGHLINE_KILLS";
/// Kills between two looks at the ledger.
const LOOK_EVERY: u64 = 40;

/// How histories leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Call,
    Stream,
    File,
}

/// Each way with the points that it passes, in the order in which a record travels.
fn pairs() -> Vec<(Way, CrashPoint)> {
    use CrashPoint as P;
    let recorded = [P::DiscloseAfterDecide, P::DiscloseBeforeRecord, P::DiscloseBeforeCommit, P::DiscloseAfterRecord];
    let placed = [P::LedgerBeforeSequence, P::LedgerAfterSequence];
    let of = |way: Way, points: &[P]| points.iter().map(|point| (way, *point)).collect::<Vec<_>>();
    [
        of(Way::Call, &recorded),
        of(Way::Call, &placed),
        of(Way::Stream, &recorded),
        of(Way::Stream, &[P::SendAfterFirstChunk, P::SendBeforeCompletion, P::SendAfterCompletion]),
        of(Way::File, &recorded),
        of(Way::File, &placed),
        of(Way::File, &[P::DeliverBeforeRename, P::DeliverAfterRename]),
    ]
    .concat()
}

#[expect(clippy::disallowed_methods, reason = "how long to go on is said by whoever starts the tests")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The disclosure and the digest of the bytes in which it came, as [`Siege::look`] compares them with the ledger.
fn as_recorded(disclosure: &str, bytes: &[u8]) -> String {
    format!("{disclosure} {}", hex::encode(Sha256::digest(bytes)))
}

/// The receiving process: takes what it is told to, and syncs what each history was to its own file before it takes the next. It ends with the first
/// failure of the connection, as the connection of a killed server does.
#[test]
fn receives_as_a_process_of_its_own() {
    let Some(task) = environment(TASK) else { return };
    let task: Json = serde_json::from_str(&fs::read_to_string(task).expect("a task")).expect("a task");
    let mut kept = File::options().create(true).append(true).open(word(&task, "kept")).expect("a file");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let Some(channel) = connect(&task).await else { return };
        let mut keep = |disclosure: &str, bytes: &[u8]| {
            let line = as_recorded(disclosure, bytes);
            writeln!(kept, "{line}").and_then(|()| kept.sync_data()).expect("it is kept");
        };
        if word(&task, "way") == "Call" {
            let mut client = HistoryServiceClient::new(channel);
            for person in task["persons"].as_array().expect("clients") {
                let request = GetHistoryRequest {
                    person_id: person.as_str().expect("an id").to_owned(),
                    ..GetHistoryRequest::default()
                };
                let Ok(answer) = client.get_history(request).await else { return };
                let answer = answer.into_inner();
                let bytes = answer.encode_to_vec();
                keep(&answer.history.expect("a history").disclosure_id, &bytes);
            }
            return;
        }
        let mut client = FeedServiceClient::new(channel);
        let Ok(stream) = client.stream_feed(StreamFeedRequest::default()).await else { return };
        let mut stream = stream.into_inner();
        while let Ok(Some(message)) = stream.message().await {
            match message.event {
                Some(Event::History(history)) => keep(&history.disclosure_id, &history.encode_to_vec()),
                Some(Event::RunEnd(_)) => return,
                _ => {}
            }
        }
    });
}

async fn connect(task: &Json) -> Option<Channel> {
    let certificates = PathBuf::from(word(task, "certificates"));
    let read = |name: &str| fs::read_to_string(certificates.join(name)).expect("a certificate");
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(read("ca.pem")))
        .identity(Identity::from_pem(read(&format!("{CONSUMER}.pem")), read(&format!("{CONSUMER}.key"))));
    let url = format!("https://{}", word(task, "address"));
    Channel::from_shared(url).expect("a URL").tls_config(tls).expect("certificates").connect().await.ok()
}

/// An invented state with a night, and how often what struck.
struct Siege {
    place: Place,
    persons: Vec<String>,
    struck: BTreeMap<(Way, CrashPoint), u64>,
    /// Runs in which the armed passage was not reached.
    spared: u64,
    /// What lay where deliveries go, rows cut short included.
    files: BTreeSet<String>,
    /// Rows that lay there whole.
    rows: BTreeSet<String>,
}

impl Siege {
    fn lay() -> Self {
        let place = Place::new();
        place.generate(60);
        let world = place.path("world");
        place.run(&["intake", "load", text(&world.join("state/ct-organization")), text(&world.join("state"))], 0);
        let config = place.path("data/config.toml");
        let settings = fs::read_to_string(&config).expect("the sandbox's configuration");
        fs::write(&config, format!("{settings}\n[server.limits]\nchunk_clients = 3\n")).expect("it can be changed");
        let roster = world.join(format!("rosters/{CONSUMER}/{NIGHT}.csv"));
        place.run(&["roster", "load", text(&roster), "--consumer", CONSUMER, "--date", NIGHT], 0);
        let out = place.path("first");
        place.run(&["exchange", "run", "--consumer", CONSUMER, "--date", NIGHT, "--out", text(&out)], 0);
        let rows = lines(&out.join(NIGHT).join("ndjson/histories.ndjson"));
        let persons = rows.iter().map(|row| word(row, "person_id").to_owned()).collect();
        Self { place, persons, struck: BTreeMap::new(), spared: 0, files: BTreeSet::new(), rows: BTreeSet::new() }
    }

    fn kept(&self) -> PathBuf {
        self.place.path("kept.txt")
    }

    /// One kill, if the passage is reached.
    fn strike(&mut self, way: Way, point: CrashPoint, passage: u64) {
        let at = format!("{point}:{passage}");
        let died = if way == Way::File { self.export(&at) } else { self.serve(way, &at) };
        if died {
            *self.struck.entry((way, point)).or_default() += 1;
        } else {
            self.spared += 1;
        }
    }

    fn export(&mut self, at: &str) -> bool {
        let out = self.place.path("out");
        let args = ["feed", "export", "--consumer", CONSUMER, "--format", "ndjson", "--out", text(&out)];
        let output = self.place.command(&args).env("THROUGHLINE_CRASH_AT", at).output().expect("the program runs");
        assert!(output.status.code().is_none_or(|code| code == 0), "{at}: {}", said(&output));
        self.files.extend(lying_about(&out));
        self.rows.extend(whole_rows(&out));
        if out.exists() {
            fs::remove_dir_all(&out).expect("it can be removed");
        }
        output.status.code().is_none()
    }

    fn serve(&mut self, way: Way, at: &str) -> bool {
        let armed = [("THROUGHLINE_CRASH_AT", at)];
        // What an earlier kill left to be placed is placed as serving begins, and may pass the point before any call:
        // it is placed first, so that the kill is one of a call.
        let server = Server::begin(&self.place, &armed).unwrap_or_else(|| {
            self.place.ledger();
            Server::start(&self.place, &armed)
        });
        let (address, certificates) = server.place();
        let task = self.place.path("task.json");
        let says = json!({
            "way": format!("{way:?}"), "address": address, "certificates": certificates, "kept": self.kept(), "persons": self.persons,
        });
        fs::write(&task, says.to_string()).expect("a task");
        let own = std::env::current_exe().expect("this program");
        let mut receiver = Command::new(own);
        receiver.args(["kills::receives_as_a_process_of_its_own", "--exact", "--nocapture"]).env(TASK, &task);
        let done = receiver.output().expect("the receiver runs");
        assert!(done.status.success(), "the receiver: {}", said(&done));
        server.ended()
    }

    /// Nothing that was received, or lies where deliveries go, is missing in the ledger or other than its entry says; the ledger verifies.
    fn look(&self) -> (usize, usize, usize) {
        let mut received = self.rows.clone();
        if let Ok(kept) = File::open(self.kept()) {
            received.extend(BufReader::new(kept).lines().map(|line| line.expect("a line")));
        }
        let entries = self.place.ledger();
        let mut database = Database::start(&self.place);
        let digests: BTreeSet<String> = database.query(RECORDED).into_iter().collect();
        database.stop();
        let missing: Vec<_> = self.files.iter().filter(|id| !entries.contains(*id)).collect();
        assert!(missing.is_empty(), "lying about, and not recorded: {missing:?}");
        let (known, other): (Vec<_>, Vec<_>) =
            received.difference(&digests).partition(|line| entries.contains(id_of(line)));
        assert!(known.is_empty(), "received, and recorded as something else: {known:?}");
        assert!(other.is_empty(), "received, and not recorded: {other:?}");
        (received.len() - self.rows.len(), self.files.len(), entries.len())
    }
}

/// Each entry with the digest of what was sent.
const RECORDED: &str =
    "SELECT entry_id::text || ' ' || encode(digest, 'hex') FROM ledger.detail WHERE digest IS NOT NULL";

fn id_of(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

/// The whole rows of histories below a folder, each as [`as_recorded`].
fn whole_rows(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in if folder.exists() { files(folder) } else { Vec::new() } {
        if path.is_dir() {
            found.extend(whole_rows(&path));
        } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("histories.ndjson")) {
            let text = fs::read_to_string(&path).expect("a file");
            for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
                let row: Json = serde_json::from_str(line).expect("a row");
                found.push(as_recorded(word(&row, "disclosure_id"), line.as_bytes()));
            }
        }
    }
    found
}

#[test]
fn another_process_never_holds_what_the_ledger_lacks() {
    let pairs = pairs();
    let kills = environment(KILLS).map_or(pairs.len() as u64, |kills| kills.parse().expect("how many kills"));
    let mut siege = Siege::lay();
    let (mut round, mut struck) = (0, 0);
    while struck < kills {
        for (way, point) in &pairs {
            if struck >= kills {
                break;
            }
            // Another passage each round; where one is not reached, the first is.
            let passage = 1 + round % 5;
            let before = siege.spared;
            siege.strike(*way, *point, passage);
            if siege.spared > before && passage > 1 {
                siege.strike(*way, *point, 1);
            }
            struck = siege.struck.values().sum();
            if struck % LOOK_EVERY == 0 {
                let (received, lying, entries) = siege.look();
                progress(&format!(
                    "{struck} of {kills} kills; another process received {received}, files held {lying}, the ledger holds {entries}"
                ));
            }
        }
        round += 1;
    }
    let (received, lying, entries) = siege.look();
    let mut table = format!("{:<8}{:<26}{:>8}\n", "way", "point", "kills");
    for (way, point) in &pairs {
        let count = siege.struck.get(&(*way, *point)).copied().unwrap_or(0);
        assert!(count > 0, "{way:?} was never killed at {point}");
        writeln!(table, "{:<8}{:<26}{count:>8}", format!("{way:?}").to_lowercase(), point.name()).expect("text");
    }
    writeln!(
        table,
        "{struck} kills; another process received {received}, files held {lying}, the ledger holds {entries}"
    )
    .expect("text");
    say(&table);
}

/// How far it is: a long run takes hours.
#[expect(clippy::disallowed_macros, reason = "whoever started a long run reads how far it is")]
fn progress(line: &str) {
    println!("{line}");
}

/// The test's result: shown with `--nocapture`, and kept below the target folder.
#[expect(clippy::disallowed_macros, reason = "a table that people read")]
fn say(table: &str) {
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("kills.txt"), table).expect("the table can be kept");
    println!("{table}");
}
