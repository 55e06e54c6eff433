//! Everything put together, and taken down again.

use std::{sync::Arc, time::Duration};

use proto::{
    feed::v1::feed_service_server::FeedServiceServer, history::v1::history_service_server::HistoryServiceServer,
    ledger::v1::ledger_service_server::LedgerServiceServer, review::v1::review_service_server::ReviewServiceServer,
    roster::v1::roster_service_server::RosterServiceServer, summary::v1::summary_service_server::SummaryServiceServer,
};
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{service::interceptor::InterceptedService, transport::server::Router};
use tower::layer::util::{Identity, Stack};

use crate::{
    Deps, Error, Server, Tls,
    admission::{Admission, RosterAdmission},
    feed::Feed,
    health,
    history::History,
    incoming,
    ledger::Ledger,
    measure::Measuring,
    review::Review,
    roster::Roster,
    shared::Shared,
    summary::Summaries,
};

/// What a message may measure beyond its content.
const ENVELOPE_BYTES: usize = 64 * 1024;

/// Serves the API on a listener until `shutdown` is cancelled; calls under way then have a bounded time to end.
///
/// A change of `tls` holds from the next connection on, and shuts those of callers whom it no longer admits; other calls go on.
/// Returns when everything has ended. Feeds end at once with a status that says so, and can be resumed.
pub async fn serve(
    deps: Deps,
    config: &Server,
    tls: watch::Receiver<Tls>,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    config.check()?;
    let gate = tls.borrow().gate()?;
    let tasks = TaskTracker::new();
    let stop = shutdown.child_token();
    // Whatever ends this function, a failure or its caller, ends its tasks.
    let _guard = stop.clone().drop_guard();
    let shared = Arc::new(Shared::new(deps, config.limits.clone(), tasks.clone(), stop.clone()));
    let incoming = incoming::accept(listener, (gate, tls), &shared, &tasks, stop.clone());
    let (reporter, health_service) = tonic_health::server::health_reporter();
    health::close(&reporter).await;
    tasks.spawn(health::watch(Arc::clone(&shared), reporter));
    let router = services(&shared, config)?.add_service(health_service);
    let serving = router.serve_with_incoming_shutdown(ReceiverStream::new(incoming), stop.clone().cancelled_owned());
    let drain = Duration::from_millis(config.limits.drain_timeout_ms);
    let late = async {
        stop.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    let served = tokio::select! {
        served = serving => served,
        () = late => {
            tracing::warn!("calls were still under way when the server stopped");
            Ok(())
        }
    };
    stop.cancel();
    tasks.close();
    if timeout(drain, tasks.wait()).await.is_err() {
        tracing::warn!("tasks were still running when the server stopped");
    }
    Ok(served?)
}

/// The services, each with its limits.
fn services(shared: &Arc<Shared>, config: &Server) -> Result<Router<Stack<Measuring, Identity>>, Error> {
    let limits = &config.limits;
    let answer_bytes = limits.history_bytes_max + ENVELOPE_BYTES;
    let history = HistoryServiceServer::new(History(Arc::clone(shared)))
        .max_decoding_message_size(limits.request_bytes_max)
        .max_encoding_message_size(answer_bytes);
    let feed = FeedServiceServer::new(Feed(Arc::clone(shared)))
        .max_decoding_message_size(limits.request_bytes_max)
        .max_encoding_message_size(answer_bytes);
    let ledger =
        LedgerServiceServer::new(Ledger(Arc::clone(shared))).max_decoding_message_size(limits.request_bytes_max);
    let review =
        ReviewServiceServer::new(Review(Arc::clone(shared))).max_decoding_message_size(limits.request_bytes_max);
    let roster = RosterServiceServer::new(Roster(Arc::clone(shared)))
        .max_decoding_message_size(limits.roster_bytes_max + ENVELOPE_BYTES);
    let summaries = SummaryServiceServer::new(Summaries(Arc::clone(shared)))
        .max_decoding_message_size(limits.request_bytes_max)
        .max_encoding_message_size(answer_bytes);
    let reflection = if config.reflection {
        let built = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .build_v1();
        Some(built.map_err(|error| Error::Invalid(format!("reflection: {error}")))?)
    } else {
        None
    };
    let admission = Admission::new(shared);
    let keepalive = Duration::from_millis(limits.keepalive_ms);
    Ok(tonic::transport::Server::builder()
        .layer(Measuring::new())
        .max_concurrent_streams(limits.calls_per_connection_max)
        .concurrency_limit_per_connection(limits.calls_per_connection_max as usize)
        .http2_max_header_list_size(limits.header_bytes_max)
        .http2_keepalive_interval(Some(keepalive))
        .http2_keepalive_timeout(Some(keepalive))
        .max_connection_age(Duration::from_millis(limits.connection_age_ms))
        // For the whole of a call that is answered at once, its arrival included; answers have their own, shorter limits.
        .timeout(Duration::from_millis(limits.roster_timeout_ms))
        .add_optional_service(reflection)
        .add_service(InterceptedService::new(history, admission.clone()))
        .add_service(InterceptedService::new(feed, admission.clone()))
        .add_service(InterceptedService::new(ledger, admission.clone()))
        .add_service(InterceptedService::new(review, admission.clone()))
        .add_service(InterceptedService::new(roster, RosterAdmission::new(shared)))
        .add_service(InterceptedService::new(summaries, admission)))
}
