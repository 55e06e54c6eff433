//! The API end to end: a real server, a real client, real mutual TLS, a real database.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use agreements::{Act, Agreements};
use api::{Consumer, Deps, Limits, Server, Tls};
use feeds::{RunDigest, token::TokenSeal};
use identity::roster::RosterLayout;
use ledger::{InclusionProof, KeyUse, SignedCheckpoint, Signer};
use model::{FixedClock, SeededEntropy};
use prost::Message as _;
use proto::{
    feed::v1::{
        AckFeedRequest, RunEnd, Scope, StreamFeedRequest, StreamFeedResponse, feed_service_client::FeedServiceClient,
        stream_feed_response::Event,
    },
    history::v1::{GetHistoryRequest, SectionState, history_service_client::HistoryServiceClient},
    ledger::v1::{
        GetCheckpointRequest, GetConsistencyProofRequest, GetInclusionProofRequest,
        ledger_service_client::LedgerServiceClient,
    },
    review::v1::{
        ApplyBulkRequest, DecideReviewRequest, DrawBulkRequest, GetBulkRequest, GetReviewRequest,
        ListAlikePairsRequest, ListReviewsRequest, Outcome, UndoBulkRequest, UndoReviewRequest, bulk::State,
        decide_review_request::Verdict, review_service_client::ReviewServiceClient,
    },
    roster::v1::{SubmitRosterRequest, roster_service_client::RosterServiceClient},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sha2::{Digest as _, Sha256};
use tests::{moment, project_file};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{
    Code, Status, Streaming,
    transport::{Certificate, Channel, ClientTlsConfig, Identity},
};
use tonic_types::StatusExt as _;

use crate::world::{World, consumer, in_care, loaded_at, offense, registration, snapshot, supervised};

mod attest;
mod changes;
mod clocks;
mod cut;
mod lineage;
mod requests;
mod rpcs;
mod silence;
mod statements;
mod transfer;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key, PEM.
fn bearer(name: &str, authority: &Authority) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

/// A world that is served.
struct Served {
    world: World,
    at: SocketAddr,
    servers: Authority,
    callers: Authority,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Served {
    async fn start(world: World, limits: Limits) -> Self {
        let (servers, callers) = (authority(), authority());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut served = Self { world, at: nowhere, servers, callers, stop, tasks };
        served.at = served.beside(limits).await;
        served.tasks.close();
        served
    }

    /// Another server of the same exchange: beside the first, or as it is when it was started again.
    async fn beside(&self, limits: Limits) -> SocketAddr {
        self.beside_of(limits, deps(&self.world)).await
    }

    /// The same of what is stated.
    async fn beside_of(&self, limits: Limits, deps: Deps) -> SocketAddr {
        let (certificate, key) = bearer("localhost", &self.servers);
        let tls = Tls {
            certificates: certificate.into_bytes(),
            key: key.into_bytes(),
            client_authorities: self.callers.pem().into_bytes(),
            revocations: None,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (config, ends) = (Server { limits, ..Server::default() }, self.stop.clone());
        self.tasks.spawn(async move {
            api::serve(deps, &config, tokio::sync::watch::channel(tls).1, listener, ends).await.unwrap();
        });
        at
    }

    /// A channel of the system that a shipped agreement names.
    async fn connect(&self, who: &str) -> Channel {
        self.endpoint(who).connect().await.unwrap()
    }

    /// The same to another server.
    async fn connect_at(&self, who: &str, at: SocketAddr) -> Channel {
        self.endpoint_at(who, at).connect().await.unwrap()
    }

    fn endpoint(&self, who: &str) -> tonic::transport::Endpoint {
        self.endpoint_at(who, self.at)
    }

    fn endpoint_at(&self, who: &str, at: SocketAddr) -> tonic::transport::Endpoint {
        let document = project_file(&format!("deploy/consumers/{who}/agreement.toml"));
        let san = agreements::parse(&document).unwrap().access.systems[0].san.clone().unwrap();
        let (certificate, key) = bearer(&san, &self.callers);
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(self.servers.pem()))
            .identity(Identity::from_pem(certificate, key));
        Channel::from_shared(format!("https://localhost:{}", at.port())).unwrap().tls_config(tls).unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(30), self.tasks.wait()).await.expect("the server ends");
    }
}

/// Servers started so far.
static SERVERS: AtomicU64 = AtomicU64::new(0);

fn deps(world: &World) -> Deps {
    let consumers = ["dcf", "cssd", "sea"].map(|who| {
        let file = |name| project_file(&format!("deploy/consumers/{who}/{name}.toml"));
        Consumer {
            id: consumer(who),
            systems: agreements::parse(&file("agreement")).unwrap().access.systems,
            roster: (who != "sea").then(|| RosterLayout::parse(&file("roster")).unwrap()),
        }
    });
    Deps {
        pool: world.db.pool.clone(),
        agreements: Arc::new(Agreements::new(world.agreements.stewards().clone())),
        clock: Arc::new(FixedClock(moment())),
        clock_behind_max: None,
        // A server that is started again draws other ids than the one before it.
        entropy: Arc::new(SeededEntropy::new(7 + SERVERS.fetch_add(1, Ordering::Relaxed))),
        consumers: consumers.to_vec(),
        tokens: TokenSeal::new([5; 32]),
        requests: disclosure::RequestKey::of(&[5; 32]),
        tombstones: crate::world::tombstones(),
        vouch: None,
        renderer: Arc::new(summary::Renderer::new(&summary::RendererOptions::default()).unwrap()),
        seals: summary::sign::Seals { signer: Some(Arc::new(signing_key())), stamping: None },
    }
}

/// A key that signs summaries, drawn once.
fn signing_key() -> summary::sign::KeyFile {
    static PEMS: LazyLock<(String, String)> = LazyLock::new(|| {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        (key.serialize_pem(), certificate.pem())
    });
    summary::sign::KeyFile::from_pem(PEMS.0.as_bytes(), PEMS.1.as_bytes()).unwrap()
}

/// The student of a number.
fn sasid(number: usize) -> String {
    format!("99000010{number:02}")
}

/// So many students, all clients of DCF in order (`D10` and up); the first is CSSD's client `C10` too.
async fn served(clients: usize, limits: Limits) -> Served {
    let world = World::new(&["dcf", "cssd", "sea"]).await;
    let sasids: Vec<String> = (0..clients).map(sasid).collect();
    let records = |of: fn(&str) -> crate::world::Record<'_>| sasids.iter().map(|one| of(one)).collect::<Vec<_>>();
    world.load("sasid-2.1x", &records(registration), loaded_at()).await;
    world.load("ct-student", &records(snapshot), loaded_at()).await;
    world.load("ct-discipline", &records(offense), loaded_at()).await;
    let rows: Vec<String> =
        (0..clients).map(|n| in_care(&format!("D{}", n + 10), "2026-10-01", "2026-12-01")).collect();
    world.roster("dcf", "2026-11-19", &rows, loaded_at()).await;
    for (number, sasid) in sasids.iter().enumerate() {
        world.link("dcf", &format!("D{}", number + 10), sasid).await;
    }
    let row = supervised("C10", "juvenile_justice", "pre_adjudication");
    world.roster("cssd", "2026-11-19", &[row], loaded_at()).await;
    world.link("cssd", "C10", &sasids[0]).await;
    Served::start(world, limits).await
}

fn one_by_one() -> Limits {
    Limits { chunk_clients: 1, page_clients: 2, ..Limits::default() }
}

fn person(id: &str) -> GetHistoryRequest {
    GetHistoryRequest { person_id: id.to_owned(), ..GetHistoryRequest::default() }
}

/// What a caller can tell one refusal from another by.
fn reason_of(status: &Status) -> String {
    status.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

/// All that a caller can tell a refusal by: what it says, and what is sent beside it but for the time of day.
fn told(status: &Status) -> (Code, String, Vec<u8>, Vec<String>) {
    let mut beside = status.metadata().clone();
    beside.remove("date");
    let mut beside: Vec<String> = beside.iter().map(|one| format!("{one:?}")).collect();
    beside.sort();
    (status.code(), status.message().to_owned(), status.details().to_vec(), beside)
}

#[tokio::test]
async fn what_arrives_is_what_was_recorded() {
    let served = served(2, Limits::default()).await;
    let mut client = HistoryServiceClient::new(served.connect("dcf").await);
    let answer = client.get_history(person("D10")).await.unwrap().into_inner();
    let bytes = answer.encode_to_vec();
    let history = answer.history.unwrap();
    assert_eq!((history.person_id.as_str(), history.enrollment.is_empty()), ("D10", false));
    assert_eq!(history.student[0].last_surname.as_deref(), Some("Quince"));
    let courses = history.sections.iter().find(|section| section.domain == "course").unwrap();
    assert_eq!(courses.state(), SectionState::NotPermitted);
    let entries = served.world.entries().await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].digest.as_deref(), Some(&Sha256::digest(&bytes)[..]));
    served.end().await;
}

#[tokio::test]
async fn a_summary_in_any_form_is_one_disclosure_of_exactly_its_bytes() {
    use proto::summary::v1::{
        Format, GetSummaryRequest, SchoolRecordsSummary, summary_service_client::SummaryServiceClient,
    };
    let served = served(2, Limits::default()).await;
    let mut client = SummaryServiceClient::new(served.connect("dcf").await);
    let schema =
        serde_json::from_str(&project_file("proto/throughline/summary/v1/school-records-summary-1.schema.json"));
    let schema = jsonschema::validator_for(&schema.unwrap()).unwrap();
    let formats = [Format::Pdf, Format::OnePage, Format::PdfWithRecord, Format::Html, Format::Json, Format::Message];
    for (number, format) in formats.into_iter().enumerate() {
        let request =
            GetSummaryRequest { person_id: "D10".to_owned(), format: format.into(), ..GetSummaryRequest::default() };
        let answer = client.get_summary(request).await.unwrap().into_inner();
        let entries = served.world.entries().await;
        assert_eq!(entries.len(), number + 1);
        assert_eq!(answer.sha256, Sha256::digest(&answer.document).to_vec());
        assert!(entries.iter().any(|entry| entry.digest.as_deref() == Some(&*answer.sha256)));
        match format {
            Format::Html => assert!(String::from_utf8(answer.document).unwrap().contains(&answer.disclosure_id)),
            Format::Json => {
                let json = serde_json::from_slice(&answer.document).unwrap();
                assert!(schema.is_valid(&json));
                let read = summary::from_json(&answer.document).unwrap();
                assert_eq!(read.code, Some(answer.disclosure_id));
            }
            Format::Message => {
                let message = SchoolRecordsSummary::decode(&*answer.document).unwrap();
                assert!(message.client.unwrap().name.unwrap().value.starts_with("Quince"));
            }
            _ => {
                let trusted = [summary::sign::Signer::identity(&signing_key()).clone()];
                let authorities = summary::sign::Authorities::default();
                assert!(summary::sign::verify(&answer.document, &trusted, &authorities).unwrap().is_trusted);
            }
        }
    }
    let mut other = SummaryServiceClient::new(served.connect("cssd").await);
    let mut refusals = BTreeSet::new();
    for person_id in ["D10", "X1"] {
        let request = GetSummaryRequest { person_id: person_id.to_owned(), ..GetSummaryRequest::default() };
        refusals.insert(format!("{:?}", told(&other.get_summary(request).await.unwrap_err())));
    }
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    served.end().await;
}

#[tokio::test]
async fn not_yours_and_does_not_exist_are_one_answer() {
    let served = served(2, Limits::default()).await;
    let mut client = HistoryServiceClient::new(served.connect("cssd").await);
    assert!(client.get_history(person("C10")).await.is_ok());
    let mut refusals = BTreeSet::new();
    for id in ["D10", "D11", "X1", &sasid(1)] {
        let status = client.get_history(person(id)).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        refusals.insert(format!("{:?}", told(&status)));
    }
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    let purpose = GetHistoryRequest { purpose: "none of theirs".to_owned(), ..person("C10") };
    let refused = client.get_history(purpose).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    served.end().await;
}

/// Everything up to the end of the stream, or to what broke it off.
async fn drain(mut stream: Streaming<StreamFeedResponse>) -> (Vec<StreamFeedResponse>, Option<Status>) {
    let mut messages = Vec::new();
    loop {
        match stream.message().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, None),
            Err(status) => return (messages, Some(status)),
        }
    }
}

fn from(resume_token: &[u8]) -> StreamFeedRequest {
    StreamFeedRequest { resume_token: resume_token.to_vec(), ..StreamFeedRequest::default() }
}

/// Persons and content digests of the histories, in order.
fn contents(messages: &[StreamFeedResponse]) -> Vec<(String, String)> {
    messages
        .iter()
        .filter_map(|message| match &message.event {
            Some(Event::History(history)) => Some((history.person_id.clone(), history.content_digest.clone())),
            _ => None,
        })
        .collect()
}

fn end_of(messages: &[StreamFeedResponse]) -> RunEnd {
    match messages.last().and_then(|message| message.event.clone()) {
        Some(Event::RunEnd(end)) => end,
        other => panic!("the run did not end: {other:?}"),
    }
}

#[tokio::test]
async fn a_feed_cut_anywhere_and_resumed_is_one_clean_run() {
    let served = served(5, one_by_one()).await;
    let mut client = FeedServiceClient::new(served.connect("dcf").await);
    let (clean, broken) = drain(client.stream_feed(from(&[])).await.unwrap().into_inner()).await;
    assert!(broken.is_none());
    let (whole, end) = (contents(&clean), end_of(&clean));
    assert_eq!(
        whole.iter().map(|(person, _)| person.as_str()).collect::<Vec<_>>(),
        ["D10", "D11", "D12", "D13", "D14"]
    );
    let mut digest = RunDigest::default();
    for (_, content) in &whole {
        digest.add(&hex::decode(content).unwrap().try_into().unwrap());
    }
    assert_eq!((end.histories, end.digest.as_str()), (5, hex::encode(digest.finish()).as_str()));
    for cut in 0..clean.len() - 1 {
        let (resumed, broken) =
            drain(client.stream_feed(from(&clean[cut].resume_token)).await.unwrap().into_inner()).await;
        assert!(broken.is_none());
        let kept = &clean[..=cut];
        let together: Vec<_> = contents(kept).into_iter().chain(contents(&resumed)).collect();
        assert_eq!(
            (together, end_of(&resumed).digest, end_of(&resumed).histories),
            (whole.clone(), end.digest.clone(), 5)
        );
    }
    // Every message was a disclosure of its own; the same end, however often it is told, is one completion.
    let histories = 5 + (0..5).map(|cut| 4 - cut).sum::<i64>();
    assert_eq!(served.world.count("SELECT count(*) FROM ledger.entry WHERE kind = 'disclosure'").await, histories);
    assert_eq!(served.world.count("SELECT count(*) FROM ledger.entry WHERE kind = 'completion'").await, 1);
    served.end().await;
}

#[tokio::test]
async fn a_token_opens_for_its_caller_and_its_feed_only() {
    let served = served(2, Limits::default()).await;
    let mut client = FeedServiceClient::new(served.connect("dcf").await);
    let (messages, _) = drain(client.stream_feed(from(&[])).await.unwrap().into_inner()).await;
    let token = &messages[0].resume_token;
    let mut other = FeedServiceClient::new(served.connect("cssd").await);
    assert_eq!(other.stream_feed(from(token)).await.unwrap_err().code(), Code::InvalidArgument);
    // The state itself has no clients; a stream would be empty and look complete.
    let mut own = FeedServiceClient::new(served.connect("sea").await);
    assert_eq!(own.stream_feed(from(&[])).await.unwrap_err().code(), Code::FailedPrecondition);
    let office = StreamFeedRequest { office: "Hartford".to_owned(), ..from(token) };
    assert_eq!(client.stream_feed(office).await.unwrap_err().code(), Code::InvalidArgument);
    // Another version is in force by now: what would come is not what was begun.
    amend(&served.world, str::to_owned).await;
    assert_eq!(client.stream_feed(from(token)).await.unwrap_err().code(), Code::FailedPrecondition);
    served.end().await;
}

/// Brings a second version of DCF's agreement into force.
async fn amend(world: &World, edited: impl FnOnce(&str) -> String) {
    let mut document = project_file("deploy/consumers/dcf/agreement.toml").replacen("version = 1", "version = 2", 1);
    document = edited(&document);
    document.push_str("\n[[amendment]]\nversion = 2\non = 2026-11-20\ntext = \"Nothing but its number.\"\n");
    let (agreements, mut conn) = (&world.agreements, world.db.superuser().await);
    let proposal = agreements.propose(&mut conn, &document, moment()).await.unwrap();
    for approval in world.approvals(Act::Activate, proposal.digest, moment()) {
        agreements.approve(&mut conn, Act::Activate, proposal.digest, &approval).await.unwrap();
    }
    agreements.activate(&mut conn, &proposal.agreement_id, proposal.version, &FixedClock(moment())).await.unwrap();
}

#[tokio::test]
async fn a_receiver_that_does_not_read_holds_disclosure_up_and_authority_that_ends_ends_it() {
    let served = served(40, one_by_one()).await;
    let endpoint = served.endpoint("dcf").initial_stream_window_size(2_048).initial_connection_window_size(2_048);
    let mut client = FeedServiceClient::new(endpoint.connect().await.unwrap());
    let mut stream = client.stream_feed(from(&[])).await.unwrap().into_inner();
    let first = stream.message().await.unwrap().unwrap();
    assert_eq!(first.position, 1);
    let disclosed = "SELECT count(*) FROM ledger.entry WHERE kind = 'disclosure'";
    // It stops by itself, long before the end: nothing is disclosed that could not be sent.
    let mut before = 0;
    let stopped = loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = served.world.count(disclosed).await;
        if now == before {
            break now;
        }
        before = now;
    };
    assert!(stopped < 30, "{stopped} of 40 were disclosed to a receiver that read one");
    // Custody ends for all. What was queued may still arrive; nothing more is disclosed.
    let ends = "UPDATE identity.authority SET superseded_at = '2026-11-20T15:00:00Z' WHERE superseded_at IS NULL";
    served.world.force(ends).await;
    served.world.rebuild("dcf").await;
    let (rest, broken) = drain(stream).await;
    assert!(broken.is_none(), "{broken:?}");
    let arrived = 1 + contents(&rest).len() as i64;
    assert_eq!((end_of(&rest).histories, arrived), (arrived, served.world.count(disclosed).await));
    assert!(arrived < 40);
    served.end().await;
}

#[tokio::test]
async fn a_suspended_agreement_ends_a_feed_with_a_refusal() {
    let served = served(2, Limits::default()).await;
    let mut conn = served.world.db.superuser().await;
    served
        .world
        .agreements
        .suspend(&mut conn, "dcf_mou", ("ann", "a question is open"), &FixedClock(moment()))
        .await
        .unwrap();
    let mut client = FeedServiceClient::new(served.connect("dcf").await);
    let refused = client.stream_feed(from(&[])).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    served.end().await;
}

#[tokio::test]
async fn a_stopping_server_ends_its_feeds_so_that_they_can_go_on() {
    let served = served(30, one_by_one()).await;
    let endpoint = served.endpoint("dcf").initial_stream_window_size(2_048).initial_connection_window_size(2_048);
    let mut client = FeedServiceClient::new(endpoint.connect().await.unwrap());
    let mut stream = client.stream_feed(from(&[])).await.unwrap().into_inner();
    let first = stream.message().await.unwrap().unwrap();
    served.stop.cancel();
    let (_, broken) = drain(stream).await;
    assert_eq!(broken.map(|status| status.code()), Some(Code::Unavailable));
    drop(client);
    let Served { world, stop: _, tasks, .. } = served;
    tokio::time::timeout(Duration::from_secs(30), tasks.wait()).await.expect("the server ends");
    let served = Served::start(world, Limits::default()).await;
    let mut client = FeedServiceClient::new(served.connect("dcf").await);
    let (rest, broken) = drain(client.stream_feed(from(&first.resume_token)).await.unwrap().into_inner()).await;
    assert!(broken.is_none());
    assert_eq!((contents(&rest).len(), end_of(&rest).histories), (29, 30));
    served.end().await;
}

#[tokio::test]
async fn acknowledged_positions_only_move_forward() {
    let served = served(3, one_by_one()).await;
    let mut client = FeedServiceClient::new(served.connect("dcf").await);
    let (messages, _) = drain(client.stream_feed(from(&[])).await.unwrap().into_inner()).await;
    let mut acknowledged = Vec::new();
    for at in [0, 2, 1, 2] {
        let request = AckFeedRequest { resume_token: messages[at].resume_token.clone(), request_id: String::new() };
        acknowledged.push(client.ack_feed(request).await.unwrap().into_inner().position);
    }
    assert_eq!(acknowledged, [1, 3, 3, 3]);
    // What was never sent has no token: one that is altered, made up, or another's moves nothing.
    let mut altered = messages[0].resume_token.clone();
    *altered.last_mut().unwrap() ^= 1;
    for resume_token in [altered, vec![9; 64], Vec::new()] {
        let refused = client.ack_feed(AckFeedRequest { resume_token, request_id: String::new() }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    let stolen = AckFeedRequest { resume_token: messages[2].resume_token.clone(), request_id: String::new() };
    let mut other = FeedServiceClient::new(served.connect("cssd").await);
    assert_eq!(other.ack_feed(stolen).await.unwrap_err().code(), Code::InvalidArgument);
    let kept = "SELECT COALESCE(sum(position), 0)::bigint FROM disclosure.acknowledged";
    assert_eq!(served.world.count(kept).await, 3);
    served.end().await;
}

fn signer() -> Signer {
    Signer::from_seed("exchange.example/ledger", KeyUse::Log, &[7; 32]).unwrap()
}

/// Gives every entry its place, and signs.
async fn sign(world: &World) {
    let mut conn = world.db.superuser().await;
    loop {
        let mut tx = sqlx::Connection::begin(&mut conn).await.unwrap();
        ledger::sequence(&mut tx, 100).await.unwrap();
        tx.commit().await.unwrap();
        if ledger::health(&mut conn, &FixedClock(moment())).await.unwrap().unsequenced == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut tx = sqlx::Connection::begin(&mut conn).await.unwrap();
    ledger::checkpoint(&mut tx, &signer(), &FixedClock(moment())).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn recipients_prove_their_own_disclosures_and_nobody_elses() {
    let served = served(2, Limits::default()).await;
    let (dcf, cssd) = (served.connect("dcf").await, served.connect("cssd").await);
    let mut ledger = LedgerServiceClient::new(dcf.clone());
    assert_eq!(ledger.get_checkpoint(GetCheckpointRequest {}).await.unwrap_err().code(), Code::FailedPrecondition);
    let mut histories = HistoryServiceClient::new(dcf);
    let answer = histories.get_history(person("D10")).await.unwrap().into_inner();
    let bytes = answer.encode_to_vec();
    let wanted = GetInclusionProofRequest { disclosure_id: answer.history.unwrap().disclosure_id };
    let early = ledger.get_inclusion_proof(wanted.clone()).await.unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition);
    sign(&served.world).await;
    let kept = ledger.get_checkpoint(GetCheckpointRequest {}).await.unwrap().into_inner().checkpoint;
    let trusted = [signer().public().clone()];
    let proof = ledger.get_inclusion_proof(wanted.clone()).await.unwrap().into_inner();
    assert_eq!((proof.tree_size, &proof.checkpoint), (1, &kept));
    let document: InclusionProof = proof.proof.parse().unwrap();
    document.verify_document(ledger::Hash::of(&bytes), &trusted).unwrap();
    assert_eq!(document.leaf.hash().as_bytes(), proof.leaf_hash.as_slice());
    assert!(document.verify_document(ledger::Hash::of(b"other bytes"), &trusted).is_err());

    // To anybody else it is as if it did not exist.
    let mut other = LedgerServiceClient::new(cssd.clone());
    let theirs = other.get_inclusion_proof(wanted).await.unwrap_err();
    let nobodys = GetInclusionProofRequest { disclosure_id: uuid::Uuid::nil().to_string() };
    assert_eq!(told(&theirs), told(&other.get_inclusion_proof(nobodys).await.unwrap_err()));
    assert_eq!(theirs.code(), Code::PermissionDenied);

    // The ledger grows, and proves that it only grew.
    HistoryServiceClient::new(cssd).get_history(person("C10")).await.unwrap();
    histories.get_history(person("D11")).await.unwrap();
    sign(&served.world).await;
    let growth = ledger
        .get_consistency_proof(GetConsistencyProofRequest { old_size: 1, new_size: 0 })
        .await
        .unwrap()
        .into_inner();
    let [old, new] = [&kept, &growth.checkpoint].map(|note| SignedCheckpoint::open(note, &trusted).unwrap());
    let path: Vec<ledger::Hash> = growth.hashes.iter().map(|hash| hash.as_slice().try_into().unwrap()).collect();
    assert_eq!((growth.old_size, growth.new_size), (1, 3));
    ledger::tree::verify_consistency(old.size(), new.size(), &old.root(), &new.root(), &path).unwrap();
    for (old_size, new_size, code) in [
        (0, 0, Code::InvalidArgument),
        (-1, 0, Code::InvalidArgument),
        (1, 2, Code::NotFound),
        (4, 0, Code::InvalidArgument),
    ] {
        let request = GetConsistencyProofRequest { old_size, new_size };
        assert_eq!(ledger.get_consistency_proof(request).await.unwrap_err().code(), code, "{old_size} {new_size}");
    }
    served.end().await;
}

#[tokio::test]
async fn a_roster_is_taken_and_its_receipt_speaks_of_its_own_rows_only() {
    let served = served(1, Limits::default()).await;
    let mut client = RosterServiceClient::new(served.connect("cssd").await);
    let header = "ClientPIN,LastName,FirstName,MiddleName,Suffix,DOB,Sex,Race,TownName,ZipCode,SASID,CaseType,\
SupervisionStartDate,SupervisionEndDate,OfficePIN,CaseOwner,OrderNumber,LegalBasis,LegalStatus";
    let good: Vec<String> =
        (0..9).map(|n| supervised(&format!("C{}", n + 10), "juvenile_justice", "pre_adjudication")).collect();
    let bad = good[0].replace("C10", "C99").replace("2010-03-04", "2010-13-04");
    let request = SubmitRosterRequest {
        content: format!("{header}\n{}\n{bad}\n", good.join("\n")).into_bytes(),
        roster_date: Some(proto::google::r#type::Date { year: 2026, month: 11, day: 20 }),
        request_id: String::new(),
    };
    let receipt = client.submit_roster(request.clone()).await.unwrap().into_inner();
    assert_eq!((receipt.rows_in, receipt.accepted, receipt.refused), (10, 9, 1));
    assert_eq!((receipt.refused_reason.as_str(), receipt.seen_before), ("", false));
    assert_eq!((receipt.findings.len(), receipt.findings[0].line), (1, 11));
    let again = client.submit_roster(request.clone()).await.unwrap().into_inner();
    assert!(again.seen_before);
    // Under an id it is done once: the same again gives the same answer, and another request under it none.
    let named = SubmitRosterRequest { request_id: uuid::Uuid::from_u128(7).to_string(), ..request.clone() };
    let first = client.submit_roster(named.clone()).await.unwrap().into_inner();
    assert_eq!(client.submit_roster(named.clone()).await.unwrap().into_inner(), first);
    let other = SubmitRosterRequest { content: b"ClientPIN\n".to_vec(), ..named };
    let refused = client.submit_roster(other).await.unwrap_err();
    assert_eq!((refused.code(), reason_of(&refused).as_str()), (Code::FailedPrecondition, "REQUEST_ID_USED"));
    let undated = SubmitRosterRequest { roster_date: None, ..request };
    assert_eq!(client.submit_roster(undated.clone()).await.unwrap_err().code(), Code::InvalidArgument);
    // Under suspension nobody's records are taken.
    let mut conn = served.world.db.superuser().await;
    served
        .world
        .agreements
        .suspend(&mut conn, "cssd_agreement", ("ann", "a question is open"), &FixedClock(moment()))
        .await
        .unwrap();
    let refused = client.submit_roster(undated).await.unwrap_err();
    assert_eq!((refused.code(), reason_of(&refused).as_str()), (Code::PermissionDenied, "AGREEMENT_SUSPENDED"));
    served.end().await;
}

#[tokio::test]
async fn a_history_asked_for_again_under_its_id_is_not_disclosed_again() {
    let served = served(1, Limits::default()).await;
    let mut client = HistoryServiceClient::new(served.connect("dcf").await);
    let request = GetHistoryRequest { request_id: uuid::Uuid::from_u128(7).to_string(), ..person("D10") };
    client.get_history(request.clone()).await.unwrap();
    let refused = client.get_history(request).await.unwrap_err();
    assert_eq!((refused.code(), reason_of(&refused).as_str()), (Code::FailedPrecondition, "REQUEST_ID_USED"));
    let disclosed = "SELECT count(*) FROM ledger.entry WHERE kind = 'disclosure'";
    assert_eq!(served.world.count(disclosed).await, 1);
    served.end().await;
}

#[tokio::test]
async fn doubtful_matches_are_shown_to_the_states_own_system_and_to_nobody_else() {
    let world = World::new(&["dcf", "sea"]).await;
    world.load("sasid-2.1x", &[registration("9900000017")], loaded_at()).await;
    world.roster("dcf", "2026-11-19", &[in_care("D1", "2026-10-01", "")], loaded_at()).await;
    world.link("dcf", "D1", "9900000017").await;
    // As if the engine had doubts.
    world
        .force("UPDATE identity.match_decision SET outcome = 'review', decided_by = 'engine/1', probability = 0.7")
        .await;
    world.rebuild("dcf").await;
    let served = Served::start(world, Limits::default()).await;

    let mut stranger = ReviewServiceClient::new(served.connect("dcf").await);
    let refused = stranger.list_reviews(ListReviewsRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let get = |client_id| GetReviewRequest { client_id, steward: "ann".to_owned() };
    assert_eq!(stranger.get_review(get(1)).await.unwrap_err().code(), Code::PermissionDenied);

    let mut own = ReviewServiceClient::new(served.connect("sea").await);
    let page = own.list_reviews(ListReviewsRequest::default()).await.unwrap().into_inner();
    let client_id = page.clients[0].client_id;
    assert_eq!((page.clients.len(), page.next_page_token.as_str()), (1, ""));
    let nobody = GetReviewRequest { steward: "nobody".to_owned(), ..get(client_id) };
    assert_eq!(own.get_review(nobody).await.unwrap_err().code(), Code::InvalidArgument);
    let case = own.get_review(get(client_id)).await.unwrap().into_inner();
    assert_eq!((case.person_id.as_str(), case.candidates.len()), ("D1", 1));
    assert_eq!(case.candidates[0].details.as_ref().unwrap().names[0].first, "Ambrosia");
    assert_eq!(served.world.entries().await.iter().filter(|entry| entry.kind == "access").count(), 1);
    let decide = DecideReviewRequest {
        client_id,
        verdict: Some(Verdict::IsStudentId(case.candidates[0].student_id.clone())),
        steward: "ann".to_owned(),
        reason: "the birth record".to_owned(),
        request_id: String::new(),
    };
    assert!(own.decide_review(decide).await.unwrap().into_inner().matched);
    served.world.ask("dcf", "D1", moment()).await.unwrap();
    let undo = UndoReviewRequest {
        client_id,
        steward: "ann".to_owned(),
        reason: "it was not".to_owned(),
        request_id: String::new(),
    };
    assert_eq!(own.undo_review(undo).await.unwrap().into_inner().recalled.len(), 1);
    // The state's own people stop too when its own agreement is suspended.
    let mut conn = served.world.db.superuser().await;
    served
        .world
        .agreements
        .suspend(&mut conn, "sea_access", ("ann", "a question is open"), &FixedClock(moment()))
        .await
        .unwrap();
    let refused = own.list_reviews(ListReviewsRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    served.end().await;
}

#[tokio::test]
async fn a_bulk_is_drawn_looked_at_applied_and_taken_back_by_the_states_own_system() {
    let world = World::new(&["dcf", "sea"]).await;
    world.load("sasid-2.1x", &[registration("9900000017")], loaded_at()).await;
    world.roster("dcf", "2026-11-19", &[in_care("D1", "2026-10-01", "")], loaded_at()).await;
    world.link("dcf", "D1", "9900000017").await;
    world
        .force(
            "UPDATE identity.match_decision SET outcome = 'review', decided_by = 'engine/1', probability = 0.95,
            explanation = '{\"reason\": \"probability\"}'",
        )
        .await;
    world.rebuild("dcf").await;
    let served = Served::start(world, Limits::default()).await;
    let mut stranger = ReviewServiceClient::new(served.connect("dcf").await);
    let refused = stranger.list_alike_pairs(ListAlikePairsRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert_eq!(stranger.get_bulk(GetBulkRequest { bulk_id: 1 }).await.unwrap_err().code(), Code::PermissionDenied);

    let mut own = ReviewServiceClient::new(served.connect("sea").await);
    assert_eq!(own.get_bulk(GetBulkRequest { bulk_id: 1 }).await.unwrap_err().code(), Code::NotFound);
    let kinds = own.list_alike_pairs(ListAlikePairsRequest::default()).await.unwrap().into_inner().kinds;
    assert_eq!((kinds.len(), kinds[0].pair_count, kinds[0].sample_to_link_count), (1, 1, Some(1)));
    let (steward, reason) = ("ann".to_owned(), "the birth records".to_owned());
    let draw = DrawBulkRequest {
        alike_id: kinds[0].alike_id.clone(),
        outcome: Outcome::Match.into(),
        steward: steward.clone(),
        reason: reason.clone(),
        request_id: String::new(),
    };
    let unsaid = DrawBulkRequest { outcome: 0, ..draw.clone() };
    assert_eq!(own.draw_bulk(unsaid).await.unwrap_err().code(), Code::InvalidArgument);
    let bulk = own.draw_bulk(draw).await.unwrap().into_inner().bulk.unwrap();
    let (bulk_id, client_id) = (bulk.bulk_id, bulk.client_ids_to_review[0]);
    let apply = ApplyBulkRequest { bulk_id, steward, reason, request_id: String::new() };
    assert_eq!(own.apply_bulk(apply.clone()).await.unwrap_err().code(), Code::FailedPrecondition);
    let case = GetReviewRequest { client_id, steward: "ann".to_owned() };
    let case = own.get_review(case).await.unwrap().into_inner();
    let decide = DecideReviewRequest {
        client_id,
        verdict: Some(Verdict::IsStudentId(case.candidates[0].student_id.clone())),
        steward: "ann".to_owned(),
        reason: "the birth record".to_owned(),
        request_id: String::new(),
    };
    own.decide_review(decide).await.unwrap();
    let applied = own.apply_bulk(apply).await.unwrap().into_inner();
    assert_eq!((applied.decided_count, applied.bulk.unwrap().state()), (0, State::Applied));
    served.world.ask("dcf", "D1", moment()).await.unwrap();
    let undo = UndoBulkRequest {
        bulk_id,
        steward: "ben".to_owned(),
        reason: "they were not".to_owned(),
        request_id: String::new(),
    };
    let undone = own.undo_bulk(undo).await.unwrap().into_inner();
    assert_eq!((undone.waiting_count, undone.recalled.len(), undone.bulk.unwrap().state()), (1, 1, State::Undone));
    served.end().await;
}
