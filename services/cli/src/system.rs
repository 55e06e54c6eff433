//! The ambient world, in one place: clock, random bytes, environment, logging.

use std::sync::{
    OnceLock,
    atomic::{AtomicI64, Ordering},
};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use model::{Clock, Entropy};
use opentelemetry_sdk::trace::SdkTracer;
use rand::TryRngCore as _;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::{
    Layer as _, Registry, filter::LevelFilter, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _,
};

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// The machine's clock, set to another time: the nights of an invented state.
#[derive(Debug, Default)]
pub struct SetClock {
    offset_us: AtomicI64,
}

impl SetClock {
    /// A clock that reads `at` now.
    pub fn at(at: DateTime<Utc>) -> Self {
        let clock = Self::default();
        clock.set(at);
        clock
    }

    /// Sets it; it goes on from there.
    pub fn set(&self, at: DateTime<Utc>) {
        let offset = (at - SystemClock.now()).num_microseconds().unwrap_or(0);
        self.offset_us.store(offset, Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::microseconds(self.offset_us.load(Ordering::SeqCst))
    }
}

/// The operating system's random bytes.
#[derive(Clone, Copy, Debug)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if rand::rngs::OsRng.try_fill_bytes(bytes).is_err() {
            // Without random bytes ids and salts would be guessable: nothing may go on.
            std::process::abort();
        }
    }
}

/// Logs go to standard error; never a record's content.
pub fn start_logging(filter: &str) {
    let filter =
        tracing_subscriber::EnvFilter::try_new(filter).unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    let (traces, handle) = reload::Layer::new(None);
    // Cannot fail: logging is started once.
    drop(TRACES.set(handle));
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(true).with_filter(filter);
    tracing_subscriber::registry().with(traces.with_filter(LevelFilter::INFO)).with(log).init();
}

type Traces = Option<OpenTelemetryLayer<Registry, SdkTracer>>;

/// Where spans go beside the log, once the configuration says it.
static TRACES: OnceLock<reload::Handle<Traces, Registry>> = OnceLock::new();

/// Passes spans of units of work on to a tracer too.
pub fn trace_to(tracer: SdkTracer) -> anyhow::Result<()> {
    let traces = TRACES.get().context("logging was not started")?;
    let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false);
    traces.reload(Some(layer)).context("traces cannot be passed on")
}

/// Arms the crash point that `THROUGHLINE_CRASH_AT=name[:passage]` names, for tests that kill the process. With
/// `THROUGHLINE_CRASH_COUNTS=FILE` passages are counted, for [`write_crash_counts`].
#[expect(clippy::disallowed_methods, reason = "the environment is read in this crate only")]
pub fn arm_crash_point() -> anyhow::Result<()> {
    if std::env::var_os(CRASH_COUNTS).is_some() {
        pg::crash::observe();
    }
    let Ok(text) = std::env::var("THROUGHLINE_CRASH_AT") else { return Ok(()) };
    let armed: pg::crash::Armed = text.parse().map_err(|error| anyhow::anyhow!("THROUGHLINE_CRASH_AT: {error}"))?;
    pg::crash::arm(armed);
    Ok(())
}

/// Names the file that [`write_crash_counts`] writes.
const CRASH_COUNTS: &str = "THROUGHLINE_CRASH_COUNTS";

/// Writes how often this process passed each crash point, a name and a number a line, where a test asked for it.
#[expect(clippy::disallowed_methods, reason = "the environment is read in this crate only")]
pub fn write_crash_counts() -> anyhow::Result<()> {
    let Some(path) = std::env::var_os(CRASH_COUNTS) else { return Ok(()) };
    let lines: Vec<String> =
        pg::crash::counts().into_iter().map(|(point, passages)| format!("{point} {passages}\n")).collect();
    std::fs::write(&path, lines.concat()).context("cannot write the counts of crash points")
}

/// Where programs of PostgreSQL may be found.
#[expect(clippy::disallowed_methods, reason = "the environment is read in this crate only")]
pub fn environment() -> pg::Environment {
    pg::Environment {
        search_path: std::env::var_os("PATH"),
        bin_dir: std::env::var_os("PG_BINDIR").map(std::path::PathBuf::from),
    }
}

/// The platform's data folder for this program.
#[expect(clippy::disallowed_methods, reason = "the environment is read in this crate only")]
pub fn data_folder() -> std::path::PathBuf {
    let base = std::env::var_os("XDG_DATA_HOME")
        .map(std::path::PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| std::path::PathBuf::from(home).join(".local/share")));
    base.unwrap_or_else(|| std::path::PathBuf::from("/var/lib")).join("throughline")
}
