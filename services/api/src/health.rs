//! Health: green while the exchange can serve and record.

use std::{sync::Arc, time::Duration};

use pg::Role;
use proto::{
    feed::v1::feed_service_server::SERVICE_NAME as FEED, history::v1::history_service_server::SERVICE_NAME as HISTORY,
    ledger::v1::ledger_service_server::SERVICE_NAME as LEDGER,
    roster::v1::roster_service_server::SERVICE_NAME as ROSTER,
};
use tonic_health::{ServingStatus, server::HealthReporter};

use crate::{measure, shared::Shared};

/// The services that are red when nothing could be recorded; the empty name is the server as a whole.
const SERVICES: [&str; 5] = ["", HISTORY, FEED, LEDGER, ROSTER];

/// Red, until it is known to be otherwise.
pub(crate) async fn close(reporter: &HealthReporter) {
    for service in SERVICES {
        reporter.set_service_status(service, ServingStatus::NotServing).await;
    }
}

/// Looks from time to time, until the server stops.
pub(crate) async fn watch(shared: Arc<Shared>, reporter: HealthReporter) {
    let every = Duration::from_millis(shared.limits.health_interval_ms);
    loop {
        let is_green = is_green(&shared).await;
        let status = if is_green { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in SERVICES {
            reporter.set_service_status(service, status).await;
        }
        tokio::select! {
            () = shared.stop.cancelled() => break,
            () = tokio::time::sleep(every) => {}
        }
    }
    close(&reporter).await;
}

async fn is_green(shared: &Shared) -> bool {
    let is_right = is_clock_right(shared).await;
    keeps_up(shared, is_right).await && is_right
}

async fn is_clock_right(shared: &Shared) -> bool {
    match disclosure::clock_is_behind(shared.disclosure()).await {
        Ok(false) => true,
        Ok(true) => {
            tracing::error!(
                reason = "clock.stepped_back",
                "this machine's clock, or the database's, stands behind the last entry of the ledger or apart from the other: nothing is disclosed until both are right"
            );
            false
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the clocks could not be looked at");
            false
        }
    }
}

/// Whether the ledger can be reached, and its sequencer keeps up. What is measured is both.
async fn keeps_up(shared: &Shared, is_clock_right: bool) -> bool {
    let clock = &*shared.deps.clock;
    let health = pg::run_tx(&shared.deps.pool, "api.health", Role::Ledger, |tx| {
        Box::pin(async move { ledger::health(tx, clock).await })
    })
    .await;
    let seen = health.as_ref().ok().map(|health| (health.unsequenced, health.lag.num_milliseconds()));
    let is_green = health.as_ref().is_ok_and(::ledger::Health::is_green);
    measure::health(is_green && is_clock_right, seen.map(|(waiting, lag_ms)| (waiting, lag_ms as f64 / 1000.0)));
    match health {
        Ok(_) if is_green => true,
        Ok(health) => {
            tracing::warn!(
                ledger.unsequenced = health.unsequenced,
                ledger.lag_ms = health.lag.num_milliseconds(),
                "the ledger's sequencer is behind"
            );
            false
        }
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the ledger cannot be reached");
            false
        }
    }
}
