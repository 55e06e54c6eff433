//! TLS: version 1.3 only, post-quantum hybrid key exchange first, and no caller without a certificate.

use std::{fmt, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime, pem::PemObject};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use x509_parser::{extensions::GeneralName, prelude::FromDer as _};

use crate::Error;

/// The server's certificate and key, and the authority whose certificates callers bear: all PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Tls {
    /// The server's certificate, then those between it and its authority.
    pub certificates: Vec<u8>,
    /// The server's private key.
    pub key: Vec<u8>,
    /// The authorities that sign callers' certificates.
    pub client_authorities: Vec<u8>,
    /// Lists of revoked callers' certificates, if the authorities publish any. With a list, a certificate whose authority has
    /// none is refused.
    pub revocations: Option<Vec<u8>>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(***)")
    }
}

impl Tls {
    /// Says whether these can be served with: they read, the key is the certificate's, there is an authority.
    pub fn check(&self) -> Result<(), Error> {
        self.gate().map(|_| ())
    }

    /// What callers are let in by.
    pub(crate) fn gate(&self) -> Result<Gate, Error> {
        // Its first group for key exchange is X25519MLKEM768: the workspace asks for `prefer-post-quantum`.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut authorities = RootCertStore::empty();
        for certificate in read(&self.client_authorities, "the client authorities")? {
            authorities.add(certificate)?;
        }
        let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(&provider));
        if let Some(lists) = &self.revocations {
            verifier = verifier.with_crls(read::<CertificateRevocationListDer<'_>>(lists, "the revocation lists")?);
        }
        let verifier = verifier.build().map_err(|error| Error::Invalid(format!("the client authorities: {error}")))?;
        let (certificates, key) = identity(&self.certificates, &self.key)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::clone(&verifier))
            .with_single_cert(certificates, key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        // Every connection shows its certificate anew: no resumption, no early data.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(Gate { acceptor: TlsAcceptor::from(Arc::new(config)), verifier })
    }
}

/// What callers are let in by, until the next change of certificates, authorities or revocations.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) acceptor: TlsAcceptor,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Gate {
    /// Whether a caller who was let in before would be now.
    pub(crate) fn admits(&self, chain: &[CertificateDer<'_>]) -> bool {
        chain
            .split_first()
            .is_some_and(|(own, others)| self.verifier.verify_client_cert(own, others, UnixTime::now()).is_ok())
    }
}

/// The server's certificate, with those up to its authority, and its key.
pub(crate) fn identity(
    certificates: &[u8],
    key: &[u8],
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let certificates = read(certificates, "the server's certificate")?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| Error::Invalid("the server's key is no private key in PEM".to_owned()))?;
    Ok((certificates, key))
}

fn read<T: PemObject>(pem: &[u8], what: &str) -> Result<Vec<T>, Error> {
    let found: Vec<T> = T::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| Error::Invalid(format!("{what}: this is no PEM")))?;
    if found.is_empty() { Err(Error::Invalid(format!("{what}: nothing is there"))) } else { Ok(found) }
}

/// What a verified certificate says of its bearer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its DNS names, in lower case. A pattern is no name.
    pub(crate) names: Vec<String>,
    /// SHA-256 of the certificate, in lower-case hexadecimal.
    pub(crate) fingerprint: String,
}

impl Peer {
    /// Reads a certificate that TLS has verified; `None`: it cannot be read, and its bearer is nobody.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, read) = x509_parser::certificate::X509Certificate::from_der(certificate).ok()?;
        let names = read.subject_alternative_name().ok()?.map_or_else(Vec::new, |names| {
            names
                .value
                .general_names
                .iter()
                .filter_map(|name| if let GeneralName::DNSName(name) = name { Some(*name) } else { None })
                .filter(|name| !name.contains('*'))
                .map(str::to_ascii_lowercase)
                .collect()
        });
        Some(Self { names, fingerprint: hex::encode(Sha256::digest(certificate)) })
    }
}
