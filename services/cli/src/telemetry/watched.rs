//! Gauges of what only the program as a whole knows: certificates, the disk, the seal, the nights.

use std::{collections::BTreeMap, path::PathBuf, sync::LazyLock, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use opentelemetry::{KeyValue, global, metrics::Gauge};
use scheduler::{Job, Pause, State};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    commands::doctor::{first_end, free_bytes},
};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(15);

struct Gauges {
    certificate_end: Gauge<f64>,
    free: Gauge<u64>,
    sealed: Gauge<u64>,
    night_alarm: Gauge<u64>,
    night_done: Gauge<f64>,
    night_paused: Gauge<u64>,
}

static GAUGES: LazyLock<Gauges> = LazyLock::new(|| {
    let meter = global::meter("throughline");
    let flag = |name: &'static str, words: &'static str| meter.u64_gauge(name).with_description(words).build();
    Gauges {
        certificate_end: meter
            .f64_gauge("throughline.certificate.end.timestamp")
            .with_unit("s")
            .with_description("End of a certificate that is used, in seconds since 1970.")
            .build(),
        free: meter
            .u64_gauge("throughline.data.free")
            .with_unit("By")
            .with_description("Bytes that the volume of the data folder has left.")
            .build(),
        sealed: flag("throughline.sealed", "1 while a restored database is under seal for somebody, else 0."),
        night_alarm: flag("throughline.night.alarm", "1 if somebody must look at a night, else 0."),
        night_done: meter
            .f64_gauge("throughline.night.done.timestamp")
            .with_unit("s")
            .with_description("When the newest night that is done ended, in seconds since 1970.")
            .build(),
        night_paused: flag("throughline.night.paused", "1 while an operator has stopped a job's nights, else 0."),
    }
});

/// Looks now and then, until told to stop. `certificates`: what is in use, each by a name.
pub async fn watch(app: &App, certificates: &[(&'static str, PathBuf)], stop: &CancellationToken) {
    loop {
        for (name, file) in certificates {
            if let Some(end) = std::fs::read(file).ok().and_then(|pem| first_end(&pem)) {
                GAUGES.certificate_end.record(seconds(end), &[KeyValue::new("certificate", *name)]);
            }
        }
        if let Some(free) = free_bytes(&app.data) {
            GAUGES.free.record(free, &[]);
        }
        match disclosure::seal::list(app.disclosure()).await {
            Ok(seals) => GAUGES.sealed.record((!seals.is_empty()).into(), &[]),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "seals could not be looked at"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// How the jobs of a scheduler stand, each by its name; `late`: so long after it was due one that is not done is an alarm.
pub fn nights(jobs: &[Job], pauses: &[Pause], now: DateTime<Utc>, late: TimeDelta) {
    let mut alarms: BTreeMap<&str, bool> = pauses.iter().map(|pause| (pause.name.as_str(), false)).collect();
    let mut done: BTreeMap<&str, DateTime<Utc>> = BTreeMap::new();
    for job in jobs {
        *alarms.entry(&job.name).or_default() |= job.alarm(now, late).is_some();
        if let (State::Done, Some(ended)) = (job.state, job.ended_at) {
            let newest = done.entry(&job.name).or_insert(ended);
            *newest = ended.max(*newest);
        }
    }
    for (name, alarm) in alarms {
        let job = [KeyValue::new("job_name", name.to_owned())];
        GAUGES.night_alarm.record(alarm.into(), &job);
        GAUGES.night_paused.record(pauses.iter().any(|pause| pause.name == name).into(), &job);
        if let Some(ended) = done.get(name) {
            GAUGES.night_done.record(seconds(*ended), &job);
        }
    }
}

fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}
