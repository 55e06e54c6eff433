//! The transport on its own: who gets in, what they are told when nothing can be answered, and how it ends. The database
//! is away throughout; what needs one is tested with one.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use agreements::{Agreements, Stewards, System};
use api::{Consumer, Deps, Limits, Server, Tls};
use chrono::{DateTime, Utc};
use feeds::token::{Scope, Token, TokenSeal};
use model::{FixedClock, SeededEntropy};
use proto::{
    feed::v1::{AckFeedRequest, StreamFeedRequest, feed_service_client::FeedServiceClient},
    history::v1::{GetHistoryRequest, history_service_client::HistoryServiceClient},
    ledger::v1::{GetCheckpointRequest, GetInclusionProofRequest, ledger_service_client::LedgerServiceClient},
    roster::v1::{SubmitRosterRequest, SubmitRosterResponse, roster_service_client::RosterServiceClient},
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, ExtendedKeyUsagePurpose,
    IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::{
    ClientConfig, NamedGroup, ProtocolVersion, RootCertStore, SupportedProtocolVersion, crypto::SupportedKxGroup,
    version,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{
    Code, Status,
    client::Grpc,
    transport::{Certificate, Channel, ClientTlsConfig, Identity},
};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt as _;

type Authority = CertifiedIssuer<'static, KeyPair>;

/// A certificate and its key, PEM.
#[derive(Clone)]
struct Bearer(String, String);

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn bearer(name: &str, usage: ExtendedKeyUsagePurpose, authority: &Authority) -> Bearer {
    bearer_with(name, usage, authority, |_| {})
}

fn bearer_with(
    name: &str,
    usage: ExtendedKeyUsagePurpose,
    authority: &Authority,
    change: impl FnOnce(&mut CertificateParams),
) -> Bearer {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.extended_key_usages = vec![usage];
    change(&mut params);
    Bearer(params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

/// A running server and everything to call it with.
struct World {
    at: SocketAddr,
    stop: CancellationToken,
    tasks: TaskTracker,
    server_ca: String,
    servers: Authority,
    tls: watch::Sender<Tls>,
    callers: Authority,
    known: Bearer,
    unlisted: Bearer,
    stranger: Bearer,
}

const NAME: &str = "one.consumers.example.test";
const KNOWN_SERIAL: u64 = 7_001;

impl World {
    async fn start(limits: Limits, reflection: bool) -> Self {
        let (servers, callers, strangers) = (authority(), authority(), authority());
        let server = bearer("localhost", ExtendedKeyUsagePurpose::ServerAuth, &servers);
        let tls = Tls {
            certificates: server.0.into_bytes(),
            key: server.1.into_bytes(),
            client_authorities: callers.pem().into_bytes(),
            revocations: None,
        };
        let (tls, changes) = watch::channel(tls);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let config = Server { reflection, limits, ..Server::default() };
        let ends = stop.clone();
        tasks.spawn(async move { api::serve(deps(), &config, changes, listener, ends).await.unwrap() });
        tasks.close();
        let client = |name, authority| bearer(name, ExtendedKeyUsagePurpose::ClientAuth, authority);
        Self {
            at,
            stop,
            tasks,
            server_ca: servers.pem(),
            known: bearer_with(NAME, ExtendedKeyUsagePurpose::ClientAuth, &callers, |params| {
                params.serial_number = Some(SerialNumber::from(KNOWN_SERIAL));
            }),
            unlisted: client("nobody.example.test", &callers),
            stranger: client(NAME, &strangers),
            tls,
            callers,
            servers,
        }
    }

    async fn connect(&self, bearer: Option<&Bearer>) -> Result<Channel, tonic::transport::Error> {
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&self.server_ca));
        if let Some(Bearer(certificate, key)) = bearer {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        let url = format!("https://localhost:{}", self.at.port());
        Channel::from_shared(url).unwrap().tls_config(tls)?.connect().await
    }

    /// A bare TLS connection of a known caller, of one version.
    async fn handshake(
        &self,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.server_ca.as_bytes()).unwrap()).unwrap();
        let certificate = CertificateDer::from_pem_slice(self.known.0.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.known.1.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(self.at).await?;
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(Duration::from_secs(20), self.tasks.wait()).await.expect("the server ends");
    }
}

fn deps() -> Deps {
    let away = sqlx::postgres::PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(1);
    let pool = sqlx::postgres::PgPoolOptions::new().acquire_timeout(Duration::from_millis(200)).connect_lazy_with(away);
    let system = System { name: "its system".to_owned(), san: Some(NAME.to_owned()), fingerprint: None };
    Deps {
        pool,
        agreements: Arc::new(Agreements::new(Stewards::new(Vec::new()).unwrap())),
        clock: Arc::new(FixedClock(DateTime::<Utc>::UNIX_EPOCH)),
        clock_behind_max: None,
        entropy: Arc::new(SeededEntropy::new(1)),
        consumers: vec![Consumer { id: "one".parse().unwrap(), systems: vec![system], roster: None }],
        tokens: seal(),
        requests: disclosure::RequestKey::of(&[9; 32]),
        tombstones: intake::TombstoneKey::new([9; 32]),
        vouch: None,
        renderer: Arc::new(summary::Renderer::new(&summary::RendererOptions::default()).unwrap()),
        seals: summary::sign::Seals::default(),
    }
}

fn seal() -> TokenSeal {
    TokenSeal::new([9; 32])
}

fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().expect("every status has a reason");
    assert_eq!(info.domain, "throughline");
    info.reason.clone()
}

fn field(status: &Status) -> String {
    let details = status.get_error_details();
    details.bad_request().expect("the field is named").field_violations[0].field.clone()
}

fn history(person_id: &str, request_id: &str) -> GetHistoryRequest {
    GetHistoryRequest { person_id: person_id.to_owned(), request_id: request_id.to_owned(), ..Default::default() }
}

#[tokio::test]
async fn only_tls_1_3_with_a_hybrid_key_exchange_is_spoken() {
    let world = World::start(Limits::default(), false).await;
    let stream = world.handshake(&version::TLS13).await.unwrap();
    let (_, tls) = stream.get_ref();
    assert_eq!(tls.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(tls.alpn_protocol(), Some(b"h2".as_slice()));
    assert_eq!(tls.negotiated_key_exchange_group().map(SupportedKxGroup::name), Some(NamedGroup::X25519MLKEM768));
    drop(stream);
    assert!(world.handshake(&version::TLS12).await.is_err());
    world.end().await;
}

#[tokio::test]
async fn a_caller_is_who_its_certificate_says_and_nobody_else() {
    let world = World::start(Limits::default(), true).await;
    let ask = async |bearer: Option<&Bearer>| {
        let channel = world.connect(bearer).await.map_err(|_| None)?;
        let answer = LedgerServiceClient::new(channel).get_checkpoint(GetCheckpointRequest {}).await;
        Err::<(), _>(answer.err())
    };
    // TLS 1.3 tells a client of its refusal with the first answer: either way nothing is answered.
    for nobody in [None, Some(&world.stranger)] {
        let error = ask(nobody).await.unwrap_err();
        assert!(error.is_none_or(|status| status.get_error_details().error_info().is_none()));
    }
    let unlisted = ask(Some(&world.unlisted)).await.unwrap_err().expect("it is answered");
    assert_eq!((unlisted.code(), reason(&unlisted).as_str()), (Code::Unauthenticated, "UNKNOWN_CERTIFICATE"));
    let known = ask(Some(&world.known)).await.unwrap_err().expect("it is answered");
    assert_eq!(known.code(), Code::Unavailable);
    world.end().await;
}

/// What a caller is told: nothing, since it is not let in, or a code.
async fn told(world: &World, bearer: &Bearer) -> Option<Code> {
    let channel = world.connect(Some(bearer)).await.ok()?;
    said(channel).await
}

async fn said(channel: Channel) -> Option<Code> {
    let status = LedgerServiceClient::new(channel).get_checkpoint(GetCheckpointRequest {}).await.err()?;
    status.get_error_details().error_info().map(|_| status.code())
}

#[tokio::test]
async fn only_a_certificate_for_callers_in_its_time_lets_in() {
    let world = World::start(Limits::default(), false).await;
    let of = |usage, change: fn(&mut CertificateParams)| bearer_with(NAME, usage, &world.callers, change);
    let caller = ExtendedKeyUsagePurpose::ClientAuth;
    assert_eq!(told(&world, &of(caller.clone(), |_| {})).await, Some(Code::Unavailable));
    let wrong = [
        of(caller.clone(), |params| params.not_after = date_time_ymd(2020, 1, 1)),
        of(caller, |params| params.not_before = date_time_ymd(2999, 1, 1)),
        of(ExtendedKeyUsagePurpose::ServerAuth, |_| {}),
    ];
    for bearer in &wrong {
        assert_eq!(told(&world, bearer).await, None);
    }
    world.end().await;
}

/// A list of the authority's revoked certificates: the known caller's.
fn revocations(authority: &Authority) -> Vec<u8> {
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from(KNOWN_SERIAL),
        revocation_time: date_time_ymd(2026, 1, 1),
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2999, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![revoked],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    list.signed_by(authority).unwrap().pem().unwrap().into_bytes()
}

#[tokio::test]
async fn a_revoked_caller_is_shut_out_at_once_and_others_go_on() {
    let world = World::start(Limits::default(), false).await;
    let (known, other) =
        (world.connect(Some(&world.known)).await.unwrap(), world.connect(Some(&world.unlisted)).await.unwrap());
    assert_eq!(said(known.clone()).await, Some(Code::Unavailable));
    // What cannot be used changes nothing.
    world.tls.send_modify(|tls| tls.client_authorities = b"no PEM".to_vec());
    assert_eq!(told(&world, &world.known).await, Some(Code::Unavailable));
    let server = bearer("localhost", ExtendedKeyUsagePurpose::ServerAuth, &world.servers);
    world.tls.send_modify(|tls| {
        tls.client_authorities = world.callers.pem().into_bytes();
        tls.revocations = Some(revocations(&world.callers));
        (tls.certificates, tls.key) = (server.0.clone().into_bytes(), server.1.clone().into_bytes());
    });
    while told(&world, &world.known).await.is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(said(known).await, None, "the connection from before is shut");
    assert_eq!(said(other).await, Some(Code::Unauthenticated), "others go on");
    assert_eq!(told(&world, &world.unlisted).await, Some(Code::Unauthenticated));
    world.end().await;
}

#[tokio::test]
async fn every_method_asks_who_calls_before_it_looks_at_the_request() {
    let world = World::start(Limits::default(), false).await;
    let channel = world.connect(Some(&world.unlisted)).await.unwrap();
    let wrong = || "no uuid".to_owned();
    let mut feeds = FeedServiceClient::new(channel.clone());
    let mut ledger = LedgerServiceClient::new(channel.clone());
    let refused = [
        HistoryServiceClient::new(channel.clone()).get_history(history("", &wrong())).await.unwrap_err(),
        feeds.stream_feed(StreamFeedRequest { resume_token: vec![1], ..Default::default() }).await.unwrap_err(),
        feeds.ack_feed(AckFeedRequest { request_id: wrong(), ..Default::default() }).await.unwrap_err(),
        ledger.get_checkpoint(GetCheckpointRequest {}).await.unwrap_err(),
        ledger.get_inclusion_proof(GetInclusionProofRequest { disclosure_id: wrong() }).await.unwrap_err(),
        ledger
            .get_consistency_proof(proto::ledger::v1::GetConsistencyProofRequest { old_size: -1, new_size: -1 })
            .await
            .unwrap_err(),
        RosterServiceClient::new(channel).submit_roster(SubmitRosterRequest::default()).await.unwrap_err(),
    ];
    for status in refused {
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "UNKNOWN_CERTIFICATE"));
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_by_field() {
    let world = World::start(Limits::default(), false).await;
    let channel = world.connect(Some(&world.known)).await.unwrap();
    let check = |status: Status, expected: &str| {
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "INVALID_FIELD"));
        assert_eq!(field(&status), expected);
    };
    let mut histories = HistoryServiceClient::new(channel.clone());
    check(histories.get_history(history("1", "no uuid")).await.unwrap_err(), "request_id");
    check(histories.get_history(history("", "")).await.unwrap_err(), "person_id");
    check(histories.get_history(history("1\u{0}2", "")).await.unwrap_err(), "person_id");
    let mut feeds = FeedServiceClient::new(channel.clone());
    let token = Token {
        run: uuid::Uuid::nil(),
        position: 1,
        after: "1".to_owned(),
        office: String::new(),
        purpose: String::new(),
        grant: [0; 32],
        histories: 1,
        withdrawals: 0,
        omitted: 0,
        scope: Scope::Whole,
        is_end: false,
        epoch: 0,
        digest: [0; 32],
    };
    for resume_token in [b"no token".to_vec(), seal().seal("two", &token)] {
        check(
            feeds.ack_feed(AckFeedRequest { resume_token, request_id: String::new() }).await.unwrap_err(),
            "resume_token",
        );
    }
    let long = GetHistoryRequest { person_id: "1".repeat(100_000), ..Default::default() };
    assert_eq!(histories.get_history(long).await.unwrap_err().code(), Code::OutOfRange);
    let roster = RosterServiceClient::new(channel).submit_roster(SubmitRosterRequest::default()).await.unwrap_err();
    assert_eq!((roster.code(), reason(&roster).as_str()), (Code::FailedPrecondition, "NO_ROSTER_LAYOUT"));
    world.end().await;
}

#[tokio::test]
async fn what_passes_by_itself_says_when_to_come_again_and_nothing_of_us() {
    let world = World::start(Limits::default(), false).await;
    let channel = world.connect(Some(&world.known)).await.unwrap();
    let status = HistoryServiceClient::new(channel).get_history(history("1001", "")).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "UNAVAILABLE"));
    assert!(status.get_error_details().retry_info().is_some_and(|retry| retry.retry_delay.is_some()));
    let told = format!("{status:?}");
    for secret in ["1001", "127.0.0.1", "postgres", "pool", "connection"] {
        assert!(!told.contains(secret), "{told}");
    }
    world.end().await;
}

#[tokio::test]
async fn bad_peers_disturb_nobody() {
    let limits = Limits { handshake_timeout_ms: 300, handshakes_max: 4, connections_max: 2, ..Limits::default() };
    let world = World::start(limits, false).await;
    let mut bad = Vec::new();
    for number in 0..20_u8 {
        let mut stream = TcpStream::connect(world.at).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        }
        bad.push(stream);
    }
    let first = world.connect(Some(&world.known)).await.unwrap();
    let second = world.connect(Some(&world.known)).await.unwrap();
    for channel in [&first, &second] {
        let status =
            LedgerServiceClient::new(channel.clone()).get_checkpoint(GetCheckpointRequest {}).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
    }
    // The places are taken: a third connection is closed, and there is room again when one is given up.
    let mut third = world.handshake(&version::TLS13).await.unwrap();
    let closed = third.read(&mut [0; 16]).await;
    assert!(closed.is_err() || closed.is_ok_and(|read| read == 0));
    drop((first, bad));
    let mut attempt = Err(());
    for _ in 0..50 {
        let Ok(channel) = world.connect(Some(&world.known)).await else { continue };
        let answer = LedgerServiceClient::new(channel).get_checkpoint(GetCheckpointRequest {}).await;
        attempt = answer.map(|_| ()).or_else(|status| if reason_if_any(&status).is_some() { Ok(()) } else { Err(()) });
        if attempt.is_ok() {
            break;
        }
    }
    attempt.expect("a place was given back");
    world.end().await;
}

fn reason_if_any(status: &Status) -> Option<String> {
    status.get_error_details().error_info().map(|info| info.reason.clone())
}

#[tokio::test]
async fn health_is_red_without_a_database_and_reflection_is_off_unless_asked_for() {
    use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest,
    };
    for reflection in [false, true] {
        let world = World::start(Limits { health_interval_ms: 50, ..Limits::default() }, reflection).await;
        let channel = world.connect(Some(&world.known)).await.unwrap();
        let mut health = HealthClient::new(channel.clone());
        let mut watch = health
            .watch(HealthCheckRequest { service: "throughline.history.v1.HistoryService".to_owned() })
            .await
            .unwrap()
            .into_inner();
        let red = async {
            while let Some(update) = watch.message().await.unwrap() {
                if update.status() == ServingStatus::NotServing {
                    return;
                }
            }
        };
        timeout(Duration::from_secs(10), red).await.expect("it turns red");
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let answer = ServerReflectionClient::new(channel).server_reflection_info(tokio_stream::iter([request])).await;
        match (reflection, answer) {
            (false, Err(status)) => assert_eq!(status.code(), Code::Unimplemented),
            (true, Ok(mut answers)) => {
                let listed = format!("{:?}", answers.get_mut().message().await.unwrap());
                assert!(listed.contains("throughline.feed.v1.FeedService"), "{listed}");
            }
            (_, other) => panic!("{other:?}"),
        }
        drop(watch);
        world.end().await;
    }
}

/// A roster whose bytes never come.
async fn unsent_roster(channel: Channel) -> Status {
    let mut client = Grpc::new(channel);
    client.ready().await.unwrap();
    let path = "/throughline.roster.v1.RosterService/SubmitRoster".parse().unwrap();
    let codec = ProstCodec::<SubmitRosterRequest, SubmitRosterResponse>::default();
    let called = client.streaming(tonic::Request::new(futures::stream::pending()), path, codec).await;
    called.map(|_| ()).unwrap_err()
}

#[tokio::test]
async fn a_stranger_is_refused_before_what_it_sends_is_read() {
    let world = World::start(Limits::default(), false).await;
    let channel = world.connect(Some(&world.unlisted)).await.unwrap();
    let refused = timeout(Duration::from_secs(20), unsent_roster(channel)).await.expect("no byte is waited for");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unauthenticated, "UNKNOWN_CERTIFICATE"));
    world.end().await;
}

#[tokio::test]
async fn a_consumer_sends_one_roster_at_a_time_and_calls_no_oftener_than_it_may() {
    let rare = Limits { calls_per_second_max: 40.try_into().unwrap(), ..Limits::default() };
    let world = World::start(rare, false).await;
    let channel = world.connect(Some(&world.known)).await.unwrap();
    let sending = TaskTracker::new().spawn(unsent_roster(channel.clone()));
    let mut client = RosterServiceClient::new(channel);
    let mut told = Vec::new();
    while !told.iter().any(|reason| reason == "TOO_MANY_ROSTERS") {
        tokio::task::yield_now().await;
        told.push(reason(&client.submit_roster(SubmitRosterRequest::default()).await.unwrap_err()));
    }
    sending.abort();
    while reason(&client.submit_roster(SubmitRosterRequest::default()).await.unwrap_err()) != "NO_ROSTER_LAYOUT" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut calls = Vec::new();
    while calls.last().is_none_or(|reason| reason != "TOO_MANY_CALLS") {
        let status = client.submit_roster(SubmitRosterRequest::default()).await.unwrap_err();
        assert_eq!(reason(&status) == "TOO_MANY_CALLS", status.code() == Code::Unavailable);
        calls.push(reason(&status));
    }
    world.end().await;
}

#[tokio::test]
async fn a_consumer_holds_its_own_connections_only_and_an_address_its_own_handshakes() {
    let limits = Limits {
        connections_per_consumer_max: 1,
        handshakes_per_address_max: 2,
        handshake_timeout_ms: 60_000,
        ..Limits::default()
    };
    let world = World::start(limits, false).await;
    let first = world.connect(Some(&world.known)).await.unwrap();
    let mut second = world.handshake(&version::TLS13).await.unwrap();
    let closed = second.read(&mut [0; 16]).await;
    assert!(closed.is_err() || closed.is_ok_and(|read| read == 0), "the consumer has its connection");
    // Another's place is its own.
    let other = world.connect(Some(&world.unlisted)).await.unwrap();
    let status = LedgerServiceClient::new(other).get_checkpoint(GetCheckpointRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let status = LedgerServiceClient::new(first).get_checkpoint(GetCheckpointRequest {}).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    // Two that keep silent: a third from there is closed at once.
    let silent = [TcpStream::connect(world.at).await.unwrap(), TcpStream::connect(world.at).await.unwrap()];
    let mut third = TcpStream::connect(world.at).await.unwrap();
    let closed = timeout(Duration::from_secs(20), third.read(&mut [0; 16])).await.expect("it is not waited for");
    assert!(closed.is_err() || closed.is_ok_and(|read| read == 0));
    drop(silent);
    world.end().await;
}
