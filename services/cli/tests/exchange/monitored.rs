//! What operators read of a running exchange, and what a collector is sent: measurements and traces, and nobody's record in either.

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use opentelemetry_proto::tonic::collector::{
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

use crate::{
    nights::{begin, roster, run, set_time},
    receiver::{Server, ask, take},
};

/// Looks before something that comes by and by counts as missing.
const LOOKS: u32 = 200;

/// A collector that keeps what it is sent: the names, and everything as text.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<(BTreeSet<String>, String)>>);

impl Collector {
    /// Listens, as long as the runtime lives.
    fn start(runtime: &tokio::runtime::Runtime) -> (Self, SocketAddr) {
        let collector = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let serving = collector.clone();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            let server = tonic::transport::Server::builder()
                .add_service(MetricsServiceServer::new(serving.clone()))
                .add_service(TraceServiceServer::new(serving));
            server.serve_with_incoming(TcpIncoming::from(listener)).await.expect("it serves");
        });
        (collector, address)
    }

    fn keep(&self, names: impl Iterator<Item = String>, all: &str) {
        let mut kept = self.0.lock().expect("what is kept");
        kept.0.extend(names);
        kept.1.push_str(all);
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let sent = request.into_inner();
        let scopes = sent.resource_metrics.iter().flat_map(|one| &one.scope_metrics);
        self.keep(scopes.flat_map(|one| &one.metrics).map(|metric| metric.name.clone()), &format!("{sent:?}"));
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let sent = request.into_inner();
        let scopes = sent.resource_spans.iter().flat_map(|one| &one.scope_spans);
        self.keep(scopes.flat_map(|one| &one.spans).map(|span| span.name.clone()), &format!("{sent:?}"));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// What is answered to a path: the status and the rest.
fn get(monitor: &str, path: &str) -> (u16, String) {
    let address = monitor.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("a connection");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    (status, answer)
}

/// The measurements, once they hold all of these.
fn measured(monitor: &str, wanted: &[String]) -> String {
    for _ in 0..LOOKS {
        let (status, text) = get(monitor, "/metrics");
        assert_eq!(status, 200, "{text}");
        if wanted.iter().all(|wanted| text.lines().any(|line| line == wanted)) {
            return text;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{wanted:#?} is not all in\n{}", get(monitor, "/metrics").1);
}

#[test]
fn operators_see_what_goes_on_and_nothing_of_anybody() {
    let day = "2030-01-02";
    let place = begin(day);
    roster(&place, day, "");
    run(&place, day, 0);
    set_time(&place, "2030-01-02T13:00:00Z");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (collector, address) = Collector::start(&runtime);
    let mut config = OpenOptions::new().append(true).open(place.path("data/config.toml")).expect("the configuration");
    write!(config, "\n[telemetry]\nlisten = \"127.0.0.1:0\"\notlp_endpoint = \"http://{address}\"\n")
        .expect("settings");
    let server = Server::start(&place, &[]);
    let monitor = server.monitor.clone().expect("where it is measured");

    let received = take(&server, "dcf");
    assert!(received.messages > 0, "nobody was disclosed");
    ask(&server, "dcf", "nobody's id").expect_err("there is no such client");

    let call = |service: &str, method: &str, code: &str| {
        let labels = format!(
            "rpc_method=\"{method}\",rpc_response_status_code=\"{code}\",rpc_service=\"throughline.{service}\""
        );
        format!("rpc_server_call_duration_seconds_count{{{labels}}} 1")
    };
    let text = measured(
        &monitor,
        &[
            call("feed.v1.FeedService", "StreamFeed", "OK"),
            call("history.v1.HistoryService", "GetHistory", "PERMISSION_DENIED"),
            format!("throughline_feed_messages_total{{consumer=\"dcf\",kind=\"history\"}} {}", received.messages),
            "throughline_calls_failed_total{reason=\"NOT_AVAILABLE\",rpc_response_status_code=\"PERMISSION_DENIED\"} 1"
                .to_owned(),
            "throughline_healthy 1".to_owned(),
            "throughline_sealed 0".to_owned(),
        ],
    );
    for name in [
        "throughline_certificate_end_timestamp_seconds",
        "throughline_data_free_bytes",
        "process_resident_memory_bytes",
    ] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} is not in\n{text}");
    }
    assert_eq!((get(&monitor, "/live").0, get(&monitor, "/ready").0, get(&monitor, "/").0), (200, 200, 404));
    server.stop();

    let (names, sent) = collector.0.lock().expect("what was sent").clone();
    for name in
        ["throughline.feed.messages", "rpc.server.call.duration", "throughline.transaction.duration", "api.stream_feed"]
    {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    for person in received.histories.keys() {
        assert!(!text.contains(person.as_str()) && !sent.contains(person.as_str()), "a client's id was measured");
    }
}
