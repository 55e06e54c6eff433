//! Everything put together: connections, TLS, limits, and the headers that every answer has.

use std::{collections::BTreeMap, convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request, response::Response};
use hyper::{
    HeaderMap,
    body::Incoming,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use model::ConsumerId;
use rustls::{ServerConfig, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Consumer, Deps, SignIn,
    config::{ClaimNames, Config, Issuer, RoleMapping},
    error::Error,
    oidc::{
        Oidc,
        http::{Network, Transport},
        sandbox::CLIENT_ID,
    },
    pages,
    seal::Secret,
};

/// After a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a page may do: show itself in our style, and send its forms to us.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// What a document may do. Browsers show a PDF in a page of their own, which a stricter policy would take apart.
const DOCUMENT_POLICY: &str = "frame-ancestors 'none'; form-action 'none'; base-uri 'none'";

/// What all pages share.
pub(crate) struct Portal {
    pub(crate) deps: Deps,
    pub(crate) config: Config,
    /// How browsers reach it.
    pub(crate) url: String,
    pub(crate) oidc: Oidc,
    /// Seals what browsers keep while somebody signs in.
    pub(crate) secret: Secret,
    pub(crate) organizations: disclosure::OrganizationCache,
    consumers: BTreeMap<ConsumerId, Consumer>,
}

impl Portal {
    fn new(deps: Deps, config: Config, url: String) -> Result<Self, Error> {
        let redirect = format!("{url}{}", pages::SIGNED_IN);
        let oidc = match &deps.sign_in {
            SignIn::Sandbox(sandbox) => {
                let issuer_url = format!("{url}{}", pages::SANDBOX);
                sandbox.settle(&issuer_url);
                let issuer = Issuer {
                    url: issuer_url,
                    client_id: CLIENT_ID.to_owned(),
                    client_secret_file: None,
                    authorities_file: None,
                    scopes: Vec::new(),
                    claims: ClaimNames::default(),
                };
                let transport: Arc<dyn Transport> = Arc::new(Arc::clone(sandbox));
                Oidc::new(issuer, None, redirect, transport)
            }
            SignIn::Issuer { client_secret, authorities } => {
                let issuer = config.issuer.clone();
                let issuer = issuer.ok_or_else(|| Error::Invalid("nobody says who somebody is".to_owned()))?;
                let network = Network::new(authorities.as_deref(), &config.limits)?;
                Oidc::new(issuer, client_secret.clone(), redirect, Arc::new(network))
            }
        };
        let consumers = deps.consumers.iter().map(|consumer| (consumer.id.clone(), consumer.clone())).collect();
        let secret = Secret::new(deps.secret);
        Ok(Self { deps, config, url, oidc, secret, organizations: disclosure::OrganizationCache::default(), consumers })
    }

    /// What the issuer's roles stand for.
    pub(crate) fn roles(&self) -> Vec<RoleMapping> {
        match &self.deps.sign_in {
            SignIn::Sandbox(sandbox) => sandbox.roles(),
            SignIn::Issuer { .. } => self.config.role.clone(),
        }
    }

    pub(crate) const fn is_sandbox(&self) -> bool {
        matches!(self.deps.sign_in, SignIn::Sandbox(_))
    }

    pub(crate) fn consumer(&self, id: &ConsumerId) -> Option<&Consumer> {
        self.consumers.get(id)
    }

    /// What disclosures need.
    pub(crate) fn disclosure(&self) -> disclosure::Context<'_> {
        disclosure::Context {
            pool: &self.deps.pool,
            agreements: &self.deps.agreements,
            organizations: &self.organizations,
            clock: &*self.deps.clock,
            entropy: &*self.deps.entropy,
            vouch: self.deps.vouch.as_ref(),
            clock_behind_max: self.deps.clock_behind_max,
        }
    }
}

/// Where the portal listens, and under which certificate.
pub struct Listening {
    /// The listener.
    pub listener: TcpListener,
    /// The server's certificate with those up to its authority, and its key, PEM; none: a proxy on this machine speaks TLS.
    pub tls: Option<(Vec<u8>, Vec<u8>)>,
}

/// Serves the portal until `stop`. Connections end at once then: a page can be asked for again, and what was recorded stays recorded.
///
/// # Errors
/// If the configuration, the certificates or the listener cannot be used.
pub async fn serve(deps: Deps, config: Config, listening: Listening, stop: CancellationToken) -> Result<(), Error> {
    let wrong = config.mistakes(matches!(deps.sign_in, SignIn::Sandbox(_)));
    if !wrong.is_empty() {
        return Err(Error::Invalid(wrong.join("; ")));
    }
    let Listening { listener, tls } = listening;
    let address = listener.local_addr().map_err(|error| Error::Invalid(error.to_string()))?;
    let acceptor = match tls {
        Some((certificates, key)) => Some(TlsAcceptor::from(Arc::new(server_config(&certificates, &key)?))),
        None if config.behind_proxy && address.ip().is_loopback() => None,
        None => return Err(Error::Invalid("plain HTTP is spoken to a proxy on this machine only".to_owned())),
    };
    let url = config.public_url.clone().unwrap_or_else(|| own_url(address));
    let portal = Arc::new(Portal::new(deps, config, url)?);
    let router = pages::router(&portal);
    accept(&portal, &router, (listener, acceptor), stop).await;
    Ok(())
}

fn own_url(address: SocketAddr) -> String {
    format!("https://localhost:{}", address.port())
}

async fn accept(
    portal: &Arc<Portal>,
    router: &Router,
    (listener, acceptor): (TcpListener, Option<TlsAcceptor>),
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(portal.config.limits.connections_max));
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
                let (portal, router) = (Arc::clone(portal), router.clone());
                let (acceptor, stop) = (acceptor.clone(), stop.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = connection(stream, &portal, router, acceptor, place) => {}
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
}

fn server_config(certificates: &[u8], key: &[u8]) -> Result<ServerConfig, Error> {
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificates)
        .collect::<Result<_, _>>()
        .map_err(|_| Error::Invalid("the portal's certificate is no PEM".to_owned()))?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| Error::Invalid("the portal's key is no private key in PEM".to_owned()))?;
    // TLS 1.2 as well: the browsers of agencies are not ours to choose.
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// One connection, from its handshake to its end. What fails in it is nobody else's matter.
async fn connection(
    stream: TcpStream,
    portal: &Portal,
    router: Router,
    acceptor: Option<TlsAcceptor>,
    _place: Option<OwnedSemaphorePermit>,
) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let Some(acceptor) = acceptor else {
        return exchange(stream, portal, router).await;
    };
    let head = Duration::from_millis(portal.config.limits.head_timeout_ms);
    let Ok(Ok(stream)) = timeout(head, acceptor.accept(stream)).await else {
        tracing::debug!("a handshake failed");
        return;
    };
    exchange(stream, portal, router).await;
}

async fn exchange(stream: impl AsyncRead + AsyncWrite + Unpin, portal: &Portal, router: Router) {
    let limits = &portal.config.limits;
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = TowerToHyperService::new(router.clone());
        async move {
            let request: Request = request.map(Body::new);
            let is_fixed = request.uri().path() == pages::style_path();
            let mut response: Response = router.call(request).await?;
            dress(response.headers_mut(), is_fixed);
            Ok::<_, Infallible>(response)
        }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.head_timeout_ms))
        .max_buf_size(limits.head_bytes_max)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = timeout(Duration::from_millis(limits.connection_age_ms), serving).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection was closed");
    }
}

/// What every answer says to the browser. Only the style sheet, whose address changes with it, may be kept.
fn dress(headers: &mut HeaderMap, is_fixed: bool) {
    let is_document = headers.get(hyper::header::CONTENT_TYPE).is_some_and(|kind| kind == "application/pdf");
    let cache = if is_fixed { "public, max-age=31536000, immutable" } else { "no-store" };
    let fixed = [
        (CACHE_CONTROL, cache),
        (CONTENT_SECURITY_POLICY, if is_document { DOCUMENT_POLICY } else { POLICY }),
        (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        // With `no-referrer` browsers say of our own forms that they come from nowhere.
        (REFERRER_POLICY, "same-origin"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("x-robots-tag"), "noindex, noarchive"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
