//! The exchange, as a receiver calls it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use ledger::{InclusionProof, SignedCheckpoint, VerifierKey, tree::verify_consistency};
use proto::{
    feed::v1::{AckFeedRequest, StreamFeedRequest, StreamFeedResponse, feed_service_client::FeedServiceClient},
    ledger::v1::{
        GetCheckpointRequest, GetConsistencyProofRequest, GetInclusionProofRequest,
        ledger_service_client::LedgerServiceClient,
    },
};
use tonic::{
    Code, Status, Streaming,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use crate::{args::Pull, system::SystemEntropy};

/// The largest message taken: what the exchange may be configured to send, and its envelope.
const MESSAGE_BYTES_MAX: usize = (256 << 20) + (1 << 20);
/// For an answer that is no stream.
const ANSWER_MAX: Duration = Duration::from_mins(1);
/// Between two signs of life that the connection is asked for.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How often a proof is asked for again: an entry has its place within a second or so.
const PROOF_ATTEMPTS: u32 = 20;
const PROOF_PAUSE: Duration = Duration::from_millis(500);

pub struct Client {
    channel: Channel,
    office: String,
    purpose: String,
}

/// The ledger's head, as it was proved to go on from the one kept.
pub struct Head {
    pub text: String,
    pub size: u64,
}

impl Client {
    pub fn connect(options: &Pull) -> anyhow::Result<Self> {
        let read =
            |path: &std::path::Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(read(&options.ca)?))
            .identity(Identity::from_pem(read(&options.cert)?, read(&options.key)?));
        let url =
            if options.server.contains("://") { options.server.clone() } else { format!("https://{}", options.server) };
        ensure!(url.starts_with("https://"), "the server is reached by https only");
        let endpoint = Endpoint::from_shared(url)
            .context("the server is named as HOST:PORT or https://HOST:PORT")?
            .tls_config(tls)
            .context("the certificates cannot be used")?
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_while_idle(true);
        // The first call connects, and is tried again like any other.
        Ok(Self {
            channel: endpoint.connect_lazy(),
            office: options.office.clone().unwrap_or_default(),
            purpose: options.purpose.clone().unwrap_or_default(),
        })
    }

    fn feeds(&self) -> FeedServiceClient<Channel> {
        FeedServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    }

    pub async fn stream(&self, _options: &Pull, token: &[u8]) -> Result<Streaming<StreamFeedResponse>, Status> {
        let request = StreamFeedRequest {
            office: self.office.clone(),
            purpose: self.purpose.clone(),
            resume_token: token.to_vec(),
        };
        Ok(self.feeds().stream_feed(request).await?.into_inner())
    }

    /// Says what is stored. That this could not be said is no matter: the next token says it too.
    pub async fn acknowledge(&self, token: &[u8]) {
        let request_id = (&SystemEntropy as &dyn model::Entropy).uuid().to_string();
        let mut request = tonic::Request::new(AckFeedRequest { resume_token: token.to_vec(), request_id });
        request.set_timeout(ANSWER_MAX);
        if let Err(status) = self.feeds().ack_feed(request).await {
            tracing::debug!(code = ?status.code(), "an acknowledgement did not arrive");
        }
    }

    /// The ledger's head, proved to go on from the checkpoint kept (none: an empty text).
    pub async fn checkpoint(&self, kept: &str, trusted: &[VerifierKey]) -> anyhow::Result<Head> {
        let mut ledger = LedgerServiceClient::new(self.channel.clone());
        let text = ledger.get_checkpoint(GetCheckpointRequest {}).await?.into_inner().checkpoint;
        let new = SignedCheckpoint::open(&text, trusted).context("the ledger's checkpoint cannot be trusted")?;
        if !kept.is_empty() {
            let old = SignedCheckpoint::open(kept, trusted).context("the checkpoint kept cannot be trusted")?;
            ensure!(
                old.size() <= new.size(),
                "the ledger has shrunk: it held {} entries, now {}",
                old.size(),
                new.size()
            );
            let request = GetConsistencyProofRequest {
                old_size: i64::try_from(old.size())?,
                new_size: i64::try_from(new.size())?,
            };
            let hashes = if old.size() == 0 || old.size() == new.size() {
                Vec::new()
            } else {
                ledger.get_consistency_proof(request).await?.into_inner().hashes
            };
            let hashes: Vec<ledger::Hash> = hashes
                .iter()
                .map(|hash| ledger::Hash::try_from(hash.as_slice()))
                .collect::<Result<_, _>>()
                .context("a proof's hash has not 32 bytes")?;
            if old.size() > 0 {
                verify_consistency(old.size(), new.size(), &old.root(), &new.root(), &hashes)
                    .context("the ledger does not go on from the one kept: it was rewritten")?;
            }
        }
        Ok(Head { text, size: new.size() })
    }

    /// The proof of a disclosure, once it has its place.
    pub async fn proof(&self, disclosure: &str) -> anyhow::Result<InclusionProof> {
        let mut ledger = LedgerServiceClient::new(self.channel.clone());
        let mut attempt = 0;
        loop {
            let request = GetInclusionProofRequest { disclosure_id: disclosure.to_owned() };
            match ledger.get_inclusion_proof(request).await {
                Ok(answer) => return Ok(answer.into_inner().proof.parse::<InclusionProof>()?),
                Err(status)
                    if attempt < PROOF_ATTEMPTS
                        && matches!(status.code(), Code::NotFound | Code::FailedPrecondition | Code::Unavailable) =>
                {
                    attempt += 1;
                    tokio::time::sleep(PROOF_PAUSE).await;
                }
                Err(status) => return Err(status).with_context(|| format!("no proof of disclosure {disclosure}")),
            }
        }
    }
}
