//! Why the server could not serve. What goes wrong in a call is in `status`.

/// Why the server could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration, the certificates or the consumers cannot be used as they are.
    #[error("the API cannot be served: {0}")]
    Invalid(String),
    /// The TLS library refuses the certificates or keys.
    #[error("the API cannot be served with these certificates")]
    Tls(#[from] rustls::Error),
    /// The transport broke down.
    #[error("the API's transport broke down")]
    Transport(#[from] tonic::transport::Error),
}
