//! Requests to the issuer: HTTPS 1.1, no redirects, bounded in time and size.

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    body::Bytes,
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use openidconnect::{HttpRequest, HttpResponse};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{config::Limits, error::Error};

/// How the issuer is reached: over the network, or, in the sandbox, within the program.
pub(crate) trait Transport: Send + Sync {
    /// Sends a request and waits for the whole answer.
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>>;
}

/// The issuer was not reached. It says nothing of what was sent.
#[derive(Debug, thiserror::Error)]
#[error("the issuer could not be asked: {0}")]
pub(crate) struct HttpError(pub(crate) &'static str);

/// The issuer over the network.
pub(crate) struct Network {
    tls: TlsConnector,
    limit: Duration,
    bytes_max: usize,
}

impl Network {
    /// With the authorities named (PEM), or those that browsers trust.
    pub(crate) fn new(authorities: Option<&[u8]>, limits: &Limits) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        match authorities {
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate =
                        certificate.map_err(|_| Error::Invalid("the issuer's authorities are no PEM".to_owned()))?;
                    roots.add(certificate)?;
                }
                if roots.is_empty() {
                    return Err(Error::Invalid("the issuer's authorities: nothing is there".to_owned()));
                }
            }
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            limit: Duration::from_millis(limits.issuer_timeout_ms),
            bytes_max: limits.issuer_bytes_max,
        })
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let uri = request.uri().clone();
        if uri.scheme_str() != Some("https") {
            return Err(HttpError("its address is not https"));
        }
        let host = uri.host().ok_or(HttpError("its address has no host"))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let stream = TcpStream::connect((bare.as_str(), uri.port_u16().unwrap_or(443)))
            .await
            .map_err(|_| HttpError("no connection"))?;
        let name = ServerName::try_from(bare).map_err(|_| HttpError("its host is no name"))?;
        let stream = self.tls.connect(name, stream).await.map_err(|_| HttpError("no TLS"))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| HttpError("no HTTP"))?;
        let (mut head, body) = request.into_parts();
        let authority = uri.authority().ok_or(HttpError("its address has no host"))?;
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| HttpError("its host is no name"))?;
        head.headers.insert(HOST, host);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = path.parse().map_err(|_| HttpError("its address has no path"))?;
        let request = hyper::Request::from_parts(head, Full::new(Bytes::from(body)));
        let answer = async {
            let response = sender.send_request(request).await.map_err(|_| HttpError("no answer"))?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, self.bytes_max).collect().await.map_err(|_| HttpError("no whole answer"))?;
            Ok(HttpResponse::from_parts(head, body.to_bytes().to_vec()))
        };
        // The connection is driven here and ends with the answer: no task outlives it.
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answered = &mut answer => answered,
            _ = connection => answer.await,
        }
    }
}

impl Transport for Network {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, HttpError>> {
        Box::pin(async move {
            timeout(self.limit, self.exchange(request)).await.unwrap_or(Err(HttpError("it took too long")))
        })
    }
}
