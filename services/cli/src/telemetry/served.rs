//! `/metrics`, `/live` and `/ready`, by HTTP, for operators.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use pg::Role;
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Config, exposition};
use crate::app::App;

/// After a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Text as Prometheus reads it.
const EXPOSITION: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What answers are made of.
pub struct Monitor {
    app: Arc<App>,
    config: Config,
}

impl Monitor {
    /// Answers about a running exchange.
    pub fn new(app: &Arc<App>) -> Self {
        Self { app: Arc::clone(app), config: app.settings.telemetry.clone() }
    }

    /// Whether it can serve and record: asked of the database, each time.
    async fn is_ready(&self) -> bool {
        let clock = self.app.clock();
        let health = pg::run_tx(self.app.pool(), "telemetry.ready", Role::Ledger, |tx| {
            Box::pin(async move { ledger::health(tx, clock).await })
        });
        let is_ready = async {
            health.await.is_ok_and(|health| health.is_green())
                && disclosure::clock_is_behind(self.app.disclosure()).await.is_ok_and(|is_behind| !is_behind)
        };
        timeout(self.limit(), is_ready).await.unwrap_or_default()
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "GET alone\n");
        }
        match request.uri().path() {
            "/live" => text(StatusCode::OK, "live\n"),
            "/ready" if self.is_ready().await => text(StatusCode::OK, "ready\n"),
            "/ready" => text(
                StatusCode::SERVICE_UNAVAILABLE,
                "it cannot record, or its clock is wrong, and so does not serve\n",
            ),
            "/metrics" => match exposition() {
                Ok(measured) => text(StatusCode::OK, measured),
                Err(error) => {
                    tracing::error!(error = &*error as &dyn std::error::Error, "measurements could not be given");
                    text(StatusCode::INTERNAL_SERVER_ERROR, "no measurements; the log says why\n")
                }
            },
            _ => text(StatusCode::NOT_FOUND, "/metrics, /live or /ready\n"),
        }
    }

    fn limit(&self) -> Duration {
        Duration::from_millis(self.config.timeout_ms)
    }
}

/// Answers on a listener until `stop`.
pub async fn serve(monitor: Monitor, listener: TcpListener, stop: CancellationToken) {
    let monitor = Arc::new(monitor);
    let places = Arc::new(Semaphore::new(monitor.config.connections_max));
    let tasks = TaskTracker::new();
    loop {
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            next = async { (Arc::clone(&places).acquire_owned().await, listener.accept().await) } => next,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (monitor, stop) = (Arc::clone(&monitor), stop.clone());
        tasks.spawn(async move {
            let _place = place;
            let service = service_fn(|request: Request<Incoming>| {
                let monitor = &monitor;
                async move { Ok::<_, Infallible>(monitor.answer(&request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(monitor.limit())
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(error = &error as &dyn std::error::Error, "a connection was closed");
                },
            }
        });
    }
    tasks.close();
    tasks.wait().await;
}

fn text(status: StatusCode, words: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(words.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, EXPOSITION);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}
