//! HTTP for the storage library, over the program's own TLS: one connection a request, each of a few megabytes at most.

use std::{future::Future, io, path::Path, pin::Pin, sync::Arc, time::Duration};

use futures::future::{Either, select};
use http_body_util::{BodyExt as _, Limited};
use hyper::{
    Uri,
    body::Bytes,
    client::conn::http1,
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
    },
};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::Problem;

/// For one request: what it carries is a few megabytes.
const ANSWER_MAX: Duration = Duration::from_mins(2);
/// Of one answer.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// TLS with those authorities (PEM) as the ones believed; without any, those of the web.
pub fn trust(authorities: Option<&Path>) -> Result<TlsConnector, Problem> {
    let mut roots = RootCertStore::empty();
    match authorities {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let bytes = std::fs::read(path).map_err(|error| named(&error))?;
            for certificate in CertificateDer::pem_slice_iter(&bytes) {
                roots.add(certificate.map_err(|error| named(&error))?).map_err(|error| named(&error))?;
            }
            if roots.is_empty() {
                return Err(named(&"it holds no authority").into());
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The connections.
#[derive(Clone)]
pub(super) struct Http {
    tls: TlsConnector,
}

impl Http {
    /// With these authorities.
    pub(super) fn new(authorities: Option<&Path>) -> Result<Self, Problem> {
        Ok(Self { tls: trust(authorities)? })
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let uri = request.uri().clone();
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let connect = |error: io::Error| HttpError::new(HttpErrorKind::Connect, error);
        let stream = TcpStream::connect((host.as_str(), port)).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        if !is_secure {
            return exchange(stream, &uri, request).await;
        }
        let name = ServerName::try_from(host).map_err(|error| HttpError::new(HttpErrorKind::Connect, error))?;
        exchange(self.tls.connect(name, stream).await.map_err(connect)?, &uri, request).await
    }
}

/// Sends a request on a connection, and takes the whole answer.
async fn exchange<S>(stream: S, uri: &Uri, mut request: HttpRequest) -> Result<HttpResponse, HttpError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let failed = |error: hyper::Error| HttpError::new(HttpErrorKind::Interrupted, error);
    let (mut open, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    if let Some(authority) = uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().insert(HOST, host);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|error| HttpError::new(HttpErrorKind::Request, InvalidUri(error)))?;
    let work = async move {
        let (head, body) = open.send_request(request).await.map_err(failed)?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let bytes: Bytes = body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, Cut(error)))?.to_bytes();
        Ok(HttpResponse::from_parts(head, HttpResponseBody::from(bytes)))
    };
    match select(Box::pin(work), Box::pin(connection)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, work)) => work.await,
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the answer was cut, or is longer than any can be")]
struct Cut(#[source] Problem);

#[derive(Debug, thiserror::Error)]
#[error("no request can be made of the address")]
struct InvalidUri(#[source] hyper::http::uri::InvalidUri);

#[derive(Debug, thiserror::Error)]
#[error("the store does not answer")]
struct Late;

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Http")
    }
}

impl HttpConnector for Http {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Http {
    fn call<'life, 'work>(
        &'life self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'work>>
    where
        'life: 'work,
        Self: 'work,
    {
        Box::pin(async move {
            let late = |_| HttpError::new(HttpErrorKind::Timeout, Late);
            timeout(ANSWER_MAX, self.answer(request)).await.map_err(late)?
        })
    }
}
