//! What is measured of the API: calls by method and status, what was refused and why, connections, feeds, and whether it could record.
//!
//! Labels are names of methods, statuses and reasons of the contract, and ids of consumers: few and bounded. Nothing of what was asked is in them.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
    time::Instant,
};

use futures::future::BoxFuture;
use hyper::{
    HeaderMap, Request, Response,
    body::{Body, Bytes, Frame, SizeHint},
};
use model::ConsumerId;
use opentelemetry::{
    KeyValue, StringValue, global,
    metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter},
};
use prost::Message as _;
use prost_types::FileDescriptorSet;
use tonic::{Code, Status};
use tower::{Layer, Service};

/// Upper bounds of the classes of durations, in seconds: from a read of one history to the stream of a state.
const SECONDS: [f64; 15] =
    [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3600.0];

fn meter() -> Meter {
    global::meter("throughline.api")
}

static DURATION: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    meter()
        .f64_histogram("rpc.server.call.duration")
        .with_unit("s")
        .with_description("Time from a call's head to the last byte of its answer.")
        .with_boundaries(SECONDS.to_vec())
        .build()
});
static OPEN: LazyLock<UpDownCounter<i64>> = LazyLock::new(|| {
    meter().i64_up_down_counter("throughline.calls.open").with_description("Calls under way.").build()
});
static FAILED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter()
        .u64_counter("throughline.calls.failed")
        .with_description("Calls that were not answered, by the reason that the caller was given.")
        .build()
});
static CONNECTIONS: LazyLock<UpDownCounter<i64>> = LazyLock::new(|| {
    meter()
        .i64_up_down_counter("throughline.connections.open")
        .with_description("Connections that were let in.")
        .build()
});
static TURNED_AWAY: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter()
        .u64_counter("throughline.connections.refused")
        .with_description("Connections that were not let in: without a good certificate, too slow, or too many.")
        .build()
});
static MESSAGES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter()
        .u64_counter("throughline.feed.messages")
        .with_description("Messages of feeds that were handed to the transport.")
        .build()
});
static BYTES: LazyLock<Counter<u64>> = LazyLock::new(|| {
    meter()
        .u64_counter("throughline.feed.histories.size")
        .with_unit("By")
        .with_description("Bytes of the histories among them.")
        .build()
});
static HEALTHY: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    meter()
        .u64_gauge("throughline.healthy")
        .with_description("1 while the exchange can serve and record, else 0.")
        .build()
});
static WAITING: LazyLock<Gauge<u64>> = LazyLock::new(|| {
    meter()
        .u64_gauge("throughline.ledger.waiting")
        .with_description("Entries of the ledger that have no place in its tree yet.")
        .build()
});
static LAG: LazyLock<Gauge<f64>> = LazyLock::new(|| {
    meter()
        .f64_gauge("throughline.ledger.lag")
        .with_unit("s")
        .with_description("Age of the oldest entry without a place.")
        .build()
});

/// A caller was told a failure.
pub(crate) fn failed(status: &Status, reason: &str) {
    let code = KeyValue::new("rpc_response_status_code", code_name(status.code()));
    FAILED.add(1, &[KeyValue::new("reason", reason.to_owned()), code]);
}

/// What the ledger's health was when it was last looked at; `None`: it could not be asked.
pub(crate) fn health(is_green: bool, ledger: Option<(u64, f64)>) {
    HEALTHY.record(is_green.into(), &[]);
    if let Some((waiting, lag_s)) = ledger {
        WAITING.record(waiting, &[]);
        LAG.record(lag_s, &[]);
    }
}

/// A connection was not let in.
pub(crate) fn turned_away(why: &'static str) {
    TURNED_AWAY.add(1, &[KeyValue::new("why", why)]);
}

/// A message of a feed was handed to the transport; of a history with its bytes.
pub(crate) fn feed_message(consumer: &ConsumerId, kind: &'static str, bytes: usize) {
    let consumer = KeyValue::new("consumer", consumer.as_str().to_owned());
    BYTES.add(bytes as u64, std::slice::from_ref(&consumer));
    MESSAGES.add(1, &[consumer, KeyValue::new("kind", kind)]);
}

/// Counts an open connection until it is dropped.
pub(crate) struct OpenConnection(());

impl OpenConnection {
    pub(crate) fn new() -> Self {
        CONNECTIONS.add(1, &[]);
        Self(())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        CONNECTIONS.add(-1, &[]);
    }
}

/// Service and method of each call of the contract, by its path. What else somebody asks for is one: labels stay few.
type Methods = HashMap<String, [KeyValue; 2]>;

fn methods() -> Methods {
    let files = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap_or_default().file;
    let mut methods = Methods::new();
    for file in files {
        for service in &file.service {
            let name = format!("{}.{}", file.package(), service.name());
            for method in &service.method {
                let labels = labels(name.clone().into(), method.name().to_owned().into());
                methods.insert(format!("/{name}/{}", method.name()), labels);
            }
        }
    }
    methods
}

fn labels(service: StringValue, method: StringValue) -> [KeyValue; 2] {
    [KeyValue::new("rpc_service", service), KeyValue::new("rpc_method", method)]
}

/// Puts the measuring around all services.
#[derive(Clone)]
pub(crate) struct Measuring(Arc<Methods>);

impl Measuring {
    pub(crate) fn new() -> Self {
        Self(Arc::new(methods()))
    }
}

impl<S> Layer<S> for Measuring {
    type Service = Measured<S>;

    fn layer(&self, inner: S) -> Measured<S> {
        Measured { inner, methods: Arc::clone(&self.0) }
    }
}

/// A service whose calls are measured.
#[derive(Clone)]
pub(crate) struct Measured<S> {
    inner: S,
    methods: Arc<Methods>,
}

impl<S, Q, B> Service<Request<Q>> for Measured<S>
where
    S: Service<Request<Q>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    B: Send + 'static,
{
    type Response = Response<MeasuredBody<B>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let labels = self.methods.get(request.uri().path()).cloned();
        let mut call = Call::begin(labels.unwrap_or_else(labels_of_others));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            // An answer that is a status alone has it in its head.
            call.read(answer.headers());
            Ok(answer.map(|inner| MeasuredBody { inner: Box::pin(inner), call }))
        })
    }
}

fn labels_of_others() -> [KeyValue; 2] {
    labels("other".into(), "other".into())
}

/// A call, measured when it is dropped: then its answer has been handed over, or nobody waits for it any more.
struct Call {
    labels: [KeyValue; 2],
    started: Instant,
    code: Option<Code>,
}

impl Call {
    fn begin(labels: [KeyValue; 2]) -> Self {
        OPEN.add(1, &labels);
        Self { labels, started: Instant::now(), code: None }
    }

    fn read(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get("grpc-status") {
            self.code = Some(Code::from_bytes(status.as_bytes()));
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        OPEN.add(-1, &self.labels);
        let [service, method] = self.labels.clone();
        let code = KeyValue::new("rpc_response_status_code", code_name(self.code.unwrap_or(Code::Cancelled)));
        DURATION.record(self.started.elapsed().as_secs_f64(), &[service, method, code]);
    }
}

/// An answer's body; its trailers tell how the call went.
pub(crate) struct MeasuredBody<B> {
    inner: Pin<Box<B>>,
    call: Call,
}

impl<B: Body<Data = Bytes>> Body for MeasuredBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = self.inner.as_mut().poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame
            && let Some(trailers) = frame.trailers_ref()
        {
            self.call.read(trailers);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The code as the protocol spells it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_methods_of_the_contract_and_one_more() {
        let methods = methods();
        assert!(methods.contains_key("/throughline.history.v1.HistoryService/GetHistory"), "{:?}", methods.keys());
        assert!(methods.len() < 100, "{}", methods.len());
    }

    #[test]
    fn a_status_in_the_head_or_in_the_trailers_is_the_calls_status() {
        let mut call = Call::begin(labels_of_others());
        assert_eq!(call.code, None);
        call.read(&HeaderMap::from_iter([("grpc-status".parse().unwrap(), "7".parse().unwrap())]));
        assert_eq!(call.code.map(code_name), Some("PERMISSION_DENIED"));
    }
}
