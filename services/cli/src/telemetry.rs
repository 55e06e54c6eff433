//! What operators see of a running exchange: measurements for Prometheus, and measurements and traces for a collector (OpenTelemetry).
//!
//! The crates below measure through the `opentelemetry` interface and know nothing of where it goes. Nothing here holds personal data: labels are
//! names of methods, transactions, consumers and outcomes; spans hold ids of ours (`student.id`, `disclosure.id`), as logs do.

mod served;
mod watched;

use std::{net::SocketAddr, sync::OnceLock, time::Duration};

use anyhow::{Context as _, anyhow};
use opentelemetry::{KeyValue, global, trace::TracerProvider as _};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithTonicConfig as _};
use opentelemetry_sdk::{
    Resource,
    metrics::{PeriodicReader, SdkMeterProvider},
    trace::SdkTracerProvider,
};
use prometheus::Registry;
use serde::Deserialize;
use tonic::transport::{Channel, ClientTlsConfig};

pub use served::{Monitor, serve};
pub use watched::{nights, watch};

/// The telemetry's part of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address of `/metrics`, `/live` and `/ready` while serving, by HTTP: for a network that only operators reach. Absent: not served.
    pub listen: Option<SocketAddr>,
    /// A collector's address (OTLP over gRPC, `http://` or `https://`) to which measurements and traces are pushed. Absent: nothing is pushed.
    pub otlp_endpoint: Option<String>,
    /// Between two pushes of measurements.
    pub otlp_every_ms: u64,
    /// For one push.
    pub otlp_timeout_ms: u64,
    /// Connections to `listen` at once.
    pub connections_max: usize,
    /// For a request's head, and for an answer.
    pub timeout_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: None,
            otlp_endpoint: None,
            otlp_every_ms: 60_000,
            otlp_timeout_ms: 10_000,
            connections_max: 16,
            timeout_ms: 10_000,
        }
    }
}

impl Config {
    /// Every mistake.
    pub fn mistakes(&self) -> Vec<String> {
        let positive = [
            ("otlp_every_ms", self.otlp_every_ms),
            ("otlp_timeout_ms", self.otlp_timeout_ms),
            ("connections_max", self.connections_max as u64),
            ("timeout_ms", self.timeout_ms),
        ];
        let mut wrong: Vec<String> = positive
            .iter()
            .filter(|(_, value)| *value == 0)
            .map(|(name, _)| format!("telemetry.{name} is greater than 0"))
            .collect();
        if let Some(endpoint) = &self.otlp_endpoint
            && !endpoint.starts_with("http://")
            && !endpoint.starts_with("https://")
        {
            wrong.push("telemetry.otlp_endpoint begins with http:// or https://".to_owned());
        }
        wrong
    }
}

/// Measuring, from the first transaction of the process to its end.
struct Telemetry {
    registry: Registry,
    meters: SdkMeterProvider,
    tracers: Option<SdkTracerProvider>,
}

static TELEMETRY: OnceLock<Telemetry> = OnceLock::new();

/// Begins to measure, before anything is done that is measured. The first configuration of a process holds.
pub fn begin(config: &Config) -> anyhow::Result<()> {
    if TELEMETRY.get().is_some() {
        return Ok(());
    }
    let registry = Registry::new();
    registry
        .register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))
        .context("the process cannot be measured")?;
    let for_prometheus = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .without_target_info()
        .build()
        .map_err(|error| anyhow!("measurements cannot be kept: {error}"))?;
    let resource = Resource::builder()
        .with_service_name("throughline")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let mut meters = SdkMeterProvider::builder().with_reader(for_prometheus).with_resource(resource.clone());
    let mut tracers = None;
    if let Some(endpoint) = &config.otlp_endpoint {
        let channel = channel(endpoint, config).with_context(|| format!("telemetry.otlp_endpoint {endpoint}"))?;
        let metrics = MetricExporter::builder().with_tonic().with_channel(channel.clone()).build();
        let spans = SpanExporter::builder().with_tonic().with_channel(channel).build()?;
        let every = Duration::from_millis(config.otlp_every_ms);
        meters = meters.with_reader(PeriodicReader::builder(metrics?).with_interval(every).build());
        let provider = SdkTracerProvider::builder().with_batch_exporter(spans).with_resource(resource).build();
        crate::system::trace_to(provider.tracer("throughline"))?;
        tracers = Some(provider);
    }
    let meters = meters.build();
    global::set_meter_provider(meters.clone());
    // Cannot fail: one thread opens the program's database, and nothing was kept before.
    drop(TELEMETRY.set(Telemetry { registry, meters, tracers }));
    Ok(())
}

/// The way to a collector, which need not be there yet.
fn channel(endpoint: &str, config: &Config) -> anyhow::Result<Channel> {
    let limit = Duration::from_millis(config.otlp_timeout_ms);
    let mut to = Channel::from_shared(endpoint.to_owned())?.timeout(limit).connect_timeout(limit);
    if endpoint.starts_with("https://") {
        let authorities = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        to = to.tls_config(ClientTlsConfig::new().trust_anchors(authorities))?;
    }
    Ok(to.connect_lazy())
}

/// Pushes what was measured last, at the end of the process. What a collector does not take is lost, and said: it never holds up the work.
pub fn end() {
    let Some(telemetry) = TELEMETRY.get() else { return };
    let traces = telemetry.tracers.as_ref().map_or(Ok(()), SdkTracerProvider::shutdown);
    if let Err(error) = traces.and_then(|()| telemetry.meters.shutdown()) {
        tracing::warn!(error = &error as &dyn std::error::Error, "the last measurements could not be pushed");
    }
}

/// Everything measured so far, in Prometheus's text format.
fn exposition() -> anyhow::Result<String> {
    let telemetry = TELEMETRY.get().context("nothing is measured")?;
    prometheus::TextEncoder::new()
        .encode_to_string(&telemetry.registry.gather())
        .context("measurements cannot be written")
}
