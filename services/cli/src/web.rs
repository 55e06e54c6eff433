//! Connections to somebody's web server: for one request after another, over TLS where the address says so.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context as _, ensure};
use hyper::{
    Uri,
    body::Body,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::app::spawn;

/// A server by its address.
pub struct Server {
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
}

impl Server {
    /// The server of an address. Of one by https these authorities (PEM) vouch for its certificate; without any, those of the web.
    pub fn of(address: &Uri, authorities: Option<&Path>) -> anyhow::Result<Self> {
        let host = address.host().with_context(|| format!("{address} names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let (tls, usual) = match address.scheme_str() {
            Some("https") => (Some(tls(authorities)?), 443),
            Some("http") => (None, 80),
            _ => anyhow::bail!("{address} is no web address"),
        };
        Ok(Self { host, port: address.port_u16().unwrap_or(usual), tls })
    }

    /// Its name.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Connects.
    pub async fn connect<B>(&self) -> anyhow::Result<SendRequest<B>>
    where
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let stream = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .with_context(|| format!("cannot connect to {}", self.host))?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return speak(stream).await };
        let name =
            ServerName::try_from(self.host.clone()).with_context(|| format!("{} is no usable name", self.host))?;
        let stream = tls.connect(name, stream).await.with_context(|| format!("{} cannot be trusted", self.host))?;
        speak(stream).await
    }
}

async fn speak<B>(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> anyhow::Result<SendRequest<B>>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let (open, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender.
    spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection was closed");
        }
    });
    Ok(open)
}

fn tls(authorities: Option<&Path>) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    match authorities {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            for certificate in CertificateDer::pem_slice_iter(&bytes) {
                let certificate = certificate.with_context(|| format!("{} is no PEM", path.display()))?;
                roots.add(certificate).with_context(|| format!("{} holds no authority", path.display()))?;
            }
            ensure!(!roots.is_empty(), "{} holds no authority", path.display());
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
