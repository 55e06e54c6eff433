//! The log by HTTPS GET: its checkpoint, tiles and entry bundles under the paths of C2SP tlog-tiles, for whoever verifies or witnesses it.
//!
//! Everything here may be read by anyone: the tree holds random ids and salted commitments. So no certificate is asked of the reader, the
//! listener is its own, and nothing is taken but a path. Full and partial tiles never change and may be kept for ever; the checkpoint
//! may not.

use std::{convert::Infallible, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use ::ledger::Published;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use pg::Role;
use rustls::{ServerConfig, crypto::aws_lc_rs, version::TLS13};
use serde::Deserialize;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Error, tls};

/// After a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What never changes.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// What the next entry changes.
const FOR_A_MOMENT: HeaderValue = HeaderValue::from_static("public, max-age=2");
/// What may be there soon.
const NOT_AT_ALL: HeaderValue = HeaderValue::from_static("no-store");

/// The published log's part of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tiles {
    /// Address and port; absent: the log is not served by this program, and `ledger export` writes it for another web server.
    pub listen: Option<SocketAddr>,
    /// Folder with `server.pem` and `server.key`; absent: those of the API.
    pub certificates: Option<PathBuf>,
    /// Open connections.
    pub connections_max: usize,
    /// For a handshake, and for the head of a request to come whole.
    pub head_timeout_ms: u64,
    /// For an answer.
    pub answer_timeout_ms: u64,
    /// After which a connection ends, whatever goes on.
    pub connection_age_ms: u64,
    /// The head of a request.
    pub head_bytes_max: usize,
}

impl Default for Tiles {
    fn default() -> Self {
        Self {
            listen: None,
            certificates: None,
            connections_max: 64,
            head_timeout_ms: 10_000,
            answer_timeout_ms: 10_000,
            connection_age_ms: 600_000,
            head_bytes_max: 16 * 1024,
        }
    }
}

/// The least that a head may measure: what the HTTP library needs.
const HEAD_BYTES_MIN: usize = 8 * 1024;

impl Tiles {
    /// Says every mistake at once.
    pub fn check(&self) -> Result<(), Error> {
        let positive = [
            ("connections_max", self.connections_max as u64),
            ("head_timeout_ms", self.head_timeout_ms),
            ("answer_timeout_ms", self.answer_timeout_ms),
            ("connection_age_ms", self.connection_age_ms),
        ];
        let mut wrong: Vec<String> = positive
            .iter()
            .filter(|(_, value)| *value == 0)
            .map(|(name, _)| format!("tiles.{name} is greater than 0"))
            .collect();
        if self.head_bytes_max < HEAD_BYTES_MIN {
            wrong.push(format!("tiles.head_bytes_max is at least {HEAD_BYTES_MIN}"));
        }
        if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong.join("; "))) }
    }
}

/// Serves the log on a listener until `stop`, with the server's certificate and key (PEM). Connections end at once then: what is fetched can
/// be fetched again.
pub async fn serve_tiles(
    pool: pg::Pool,
    config: &Tiles,
    (certificates, key): (&[u8], &[u8]),
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), Error> {
    config.check()?;
    let acceptor = TlsAcceptor::from(Arc::new(server_config(certificates, key)?));
    let places = Arc::new(Semaphore::new(config.connections_max));
    let tasks = TaskTracker::new();
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            // Cannot fail: the semaphore is never closed.
            place = Arc::clone(&places).acquire_owned() => place.ok(),
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (pool, config, acceptor, stop) = (pool.clone(), config.clone(), acceptor.clone(), stop.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = connection(stream, pool, config, acceptor, place) => {}
                    }
                });
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    tasks.close();
    tasks.wait().await;
    Ok(())
}

fn server_config(certificates: &[u8], key: &[u8]) -> Result<ServerConfig, Error> {
    let (certificates, key) = tls::identity(certificates, key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// One connection, from its handshake to its end. What fails in it is nobody else's matter.
async fn connection(
    stream: TcpStream,
    pool: pg::Pool,
    config: Tiles,
    acceptor: TlsAcceptor,
    _place: Option<OwnedSemaphorePermit>,
) {
    let head = Duration::from_millis(config.head_timeout_ms);
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection was closed");
        return;
    }
    let Ok(Ok(stream)) = timeout(head, acceptor.accept(stream)).await else {
        tracing::debug!("a handshake failed");
        return;
    };
    let limit = Duration::from_millis(config.answer_timeout_ms);
    let service = service_fn(|request: Request<Incoming>| {
        let pool = &pool;
        async move {
            let answer = timeout(limit, answer(pool, &request)).await;
            Ok::<_, Infallible>(answer.unwrap_or_else(|_| empty(StatusCode::SERVICE_UNAVAILABLE)))
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(config.head_bytes_max)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = timeout(Duration::from_millis(config.connection_age_ms), serving).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection was closed");
    }
}

async fn answer(pool: &pg::Pool, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = empty(StatusCode::METHOD_NOT_ALLOWED);
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    let Some(what) = request.uri().path().strip_prefix('/').and_then(Published::of_path) else {
        return empty(StatusCode::NOT_FOUND);
    };
    let found = pg::run_tx(pool, "api.published", Role::Ledger, |tx| {
        Box::pin(async move { ::ledger::find_published(tx, what).await })
    })
    .await;
    match found {
        Ok(Some(bytes)) => file(what, bytes),
        Ok(None) => empty(StatusCode::NOT_FOUND),
        Err(error @ ::ledger::Error::Unavailable(_)) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the log could not be read");
            empty(StatusCode::SERVICE_UNAVAILABLE)
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the log could not be read");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

fn file(what: Published, bytes: Vec<u8>) -> Response<Full<Bytes>> {
    let (kind, keep) = match what {
        Published::Checkpoint => ("text/plain; charset=utf-8", FOR_A_MOMENT),
        Published::KeyChange(_) => ("text/plain; charset=utf-8", FOR_EVER),
        Published::Tile(_) | Published::Bundle(_) => ("application/octet-stream", FOR_EVER),
    };
    let mut response = Response::new(Full::new(Bytes::from(bytes)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, keep);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, NOT_AT_ALL);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_changes_may_be_kept_for_ever() {
        let cache = |answer: &Response<Full<Bytes>>| answer.headers()[CACHE_CONTROL].to_str().unwrap().to_owned();
        let tile = Published::of_path("tile/0/000.p/7").unwrap();
        assert_eq!(cache(&file(tile, Vec::new())), "public, max-age=31536000, immutable");
        let checkpoint = file(Published::Checkpoint, Vec::new());
        assert_eq!(cache(&checkpoint), "public, max-age=2");
        assert_eq!(checkpoint.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
        assert_eq!(cache(&empty(StatusCode::NOT_FOUND)), "no-store");
    }

    #[test]
    fn limits_are_checked_and_the_defaults_pass() {
        Tiles::default().check().unwrap();
        let error =
            Tiles { connections_max: 0, head_bytes_max: 1, ..Tiles::default() }.check().unwrap_err().to_string();
        assert!(error.contains("connections_max") && error.contains("head_bytes_max"), "{error}");
    }
}
