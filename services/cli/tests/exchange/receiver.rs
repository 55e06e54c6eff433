//! A consumer's system: the served program as a process, and a client of it over mutual TLS that counts what it receives.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use proto::{
    feed::v1::{RunEnd, StreamFeedRequest, feed_service_client::FeedServiceClient, stream_feed_response::Event},
    history::v1::{GetHistoryRequest, history_service_client::HistoryServiceClient},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

use crate::place::{Place, word};

/// The program, serving.
pub struct Server {
    child: Child,
    url: String,
    /// Where the log is published.
    pub log: String,
    /// Where operators read, if it is set.
    pub monitor: Option<String>,
    /// Where the certificates lie.
    pub certificates: PathBuf,
}

impl Server {
    /// Serves on a free port, with these settings of the environment.
    pub fn start(place: &Place, environment: &[(&str, &str)]) -> Self {
        Self::begin(place, environment).expect("it says where it serves")
    }

    /// Serves likewise; `None`: it was killed before it said where.
    pub fn begin(place: &Place, environment: &[(&str, &str)]) -> Option<Self> {
        let mut command = place.command(&["serve", "--listen", "127.0.0.1:0", "--tiles", "127.0.0.1:0"]);
        command.envs(environment.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let Some(said) = out.lines().map_while(Result::ok).find_map(|line| serde_json::from_str::<Json>(&line).ok())
        else {
            let status = child.wait().expect("a status");
            assert_eq!(status.code(), None, "it was killed: {status}");
            return None;
        };
        let at = |name: &str| {
            let port = word(&said, name).rsplit(':').next().expect("a port").to_owned();
            format!("https://localhost:{port}")
        };
        let certificates = word(&said, "certificates").into();
        let monitor = said["metrics"].as_str().map(str::to_owned);
        Some(Self { child, url: at("serving"), log: at("tiles"), monitor, certificates })
    }

    /// A channel of a consumer's system.
    async fn connect(&self, consumer: &str) -> Option<Channel> {
        let read = |name: &str| fs::read_to_string(self.certificates.join(name)).expect("a certificate");
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(read("ca.pem")))
            .identity(Identity::from_pem(read(&format!("{consumer}.pem")), read(&format!("{consumer}.key"))));
        let endpoint = Channel::from_shared(self.url.clone()).expect("a URL").tls_config(tls).expect("certificates");
        endpoint.connect().await.ok()
    }

    /// Waits until the process has been killed.
    pub fn died(mut self) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().expect("a status") {
                assert_eq!(status.code(), None, "it was killed: {status}");
                return;
            }
            assert!(Instant::now() < until, "it was to be killed, and lives");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether it was killed. What still lives a while after its caller has gone is stopped in order.
    pub fn ended(mut self) -> bool {
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("a status") {
                assert_eq!(status.code(), None, "it was killed: {status}");
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.stop();
        false
    }

    /// Where it listens, and where its certificates and the callers' are.
    pub fn place(&self) -> (String, PathBuf) {
        (self.url.trim_start_matches("https://").to_owned(), self.certificates.clone())
    }

    /// Stops it in order.
    pub fn stop(mut self) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(id, Signal::TERM).expect("it can be told to stop");
        let status = self.child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "it stops in order");
    }
}

/// What a consumer's system has received.
#[derive(Default)]
pub struct Receiver {
    /// Where it goes on.
    token: Vec<u8>,
    /// Persons and content digests: the state that the feed leaves it in.
    pub histories: BTreeMap<String, String>,
    /// Disclosure ids of everything that arrived, and how many messages that was.
    pub disclosures: BTreeSet<String>,
    /// Messages with a history, as they arrived.
    pub messages: u64,
}

impl Receiver {
    /// Takes a feed from where it was cut; `None`: it was cut again.
    async fn pull(&mut self, server: &Server, consumer: &str) -> Option<RunEnd> {
        let mut client = FeedServiceClient::new(server.connect(consumer).await?);
        let request = StreamFeedRequest { resume_token: self.token.clone(), ..StreamFeedRequest::default() };
        let mut stream = client.stream_feed(request).await.ok()?.into_inner();
        loop {
            let message = stream.message().await.ok()??;
            match message.event? {
                Event::History(history) => {
                    self.token = message.resume_token;
                    self.messages += 1;
                    self.disclosures.insert(history.disclosure_id);
                    self.histories.insert(history.person_id, history.content_digest);
                }
                Event::RunEnd(end) => return Some(end),
                _ => {}
            }
        }
    }

    /// Begins a new run of the feed.
    fn begin_anew(&mut self) {
        self.token.clear();
        self.histories.clear();
    }

    /// Asks for one client; the disclosure counts like any other.
    async fn ask(&mut self, server: &Server, consumer: &str, person: &str) -> Option<()> {
        let mut client = HistoryServiceClient::new(server.connect(consumer).await?);
        let request = GetHistoryRequest { person_id: person.to_owned(), ..GetHistoryRequest::default() };
        let history = client.get_history(request).await.ok()?.into_inner().history?;
        self.messages += 1;
        self.disclosures.insert(history.disclosure_id);
        Some(())
    }
}

/// A whole run of a consumer's feed.
pub fn take(server: &Server, consumer: &str) -> Receiver {
    let mut receiver = Receiver::default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(receiver.pull(server, consumer)).expect("the end of the run");
    receiver
}

/// As much of a run as comes, and whether it came to its end.
pub fn try_to_take(server: &Server, consumer: &str) -> (Receiver, bool) {
    let mut receiver = Receiver::default();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let end = runtime.block_on(receiver.pull(server, consumer));
    (receiver, end.is_some())
}

/// Asks for one client once; what it was refused with.
pub fn ask(server: &Server, consumer: &str, person: &str) -> Result<(), (tonic::Code, String)> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut client = HistoryServiceClient::new(server.connect(consumer).await.expect("a connection"));
        let request = GetHistoryRequest { person_id: person.to_owned(), ..GetHistoryRequest::default() };
        let refused = client.get_history(request).await.map(|_| ());
        refused.map_err(|status| (status.code(), status.message().to_owned()))
    })
}

/// Two whole runs of a consumer's feed, then one client asked for; whenever the server dies it is served again, and the receiver goes on
/// from where it was. Gives what was received, and how often the server died.
pub fn receive(place: &Place, consumer: &str, environment: &[(&str, &str)]) -> (Receiver, u64) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut server = Server::start(place, environment);
    let mut receiver = Receiver::default();
    let mut deaths = 0;
    for _ in 0..2 {
        receiver.begin_anew();
        let end = loop {
            if let Some(end) = runtime.block_on(receiver.pull(&server, consumer)) {
                break end;
            }
            server.died();
            deaths += 1;
            server = Server::start(place, &[]);
        };
        let arrived = i64::try_from(receiver.histories.len()).expect("a count");
        assert_eq!(end.histories, arrived, "the receiver has as many as the end of the run says");
    }
    let person = receiver.histories.keys().next().expect("a client").clone();
    while runtime.block_on(receiver.ask(&server, consumer, &person)).is_none() {
        server.died();
        deaths += 1;
        server = Server::start(place, &[]);
    }
    if deaths == 0 && environment.iter().any(|(name, _)| *name == "THROUGHLINE_CRASH_AT") {
        // What is armed strikes when the last entries get their place.
        server.died();
        deaths += 1;
    } else {
        server.stop();
    }
    (receiver, deaths)
}

/// How often a process passed each crash point, as it wrote down when it ended.
pub fn passages(file: &Path) -> BTreeMap<String, u64> {
    let text = fs::read_to_string(file).expect("the counts of crash points");
    let line =
        |line: &str| line.split_once(' ').map(|(name, count)| (name.to_owned(), count.parse().expect("a count")));
    text.lines().filter_map(line).collect()
}
