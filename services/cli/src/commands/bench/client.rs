//! A recipient, as the bench needs one: its certificate, a channel, its calls.

use std::path::Path;

use anyhow::Context as _;
use proto::{
    feed::v1::{StreamFeedRequest, feed_service_client::FeedServiceClient, stream_feed_response::Event},
    history::v1::{GetHistoryRequest, history_service_client::HistoryServiceClient},
    summary::v1::{GetSummaryRequest, summary_service_client::SummaryServiceClient},
};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

/// The largest message taken.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// A recipient of histories; copies share its one connection.
#[derive(Clone)]
pub struct Client {
    channel: Channel,
}

impl Client {
    /// Connects over mutual TLS with the sandbox's certificate of a consumer.
    pub async fn connect(port: u16, certificates: &Path, consumer: &str) -> anyhow::Result<Self> {
        let read =
            |name: String| std::fs::read(certificates.join(&name)).with_context(|| format!("no certificate {name}"));
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(read("ca.pem".to_owned())?))
            .identity(Identity::from_pem(read(format!("{consumer}.pem"))?, read(format!("{consumer}.key"))?));
        let channel = Channel::from_shared(format!("https://localhost:{port}"))?.tls_config(tls)?.connect().await?;
        Ok(Self { channel })
    }

    /// One client's history.
    pub async fn history(&self, person_id: &str) -> anyhow::Result<proto::history::v1::DisclosedHistory> {
        let request = GetHistoryRequest { person_id: person_id.to_owned(), ..GetHistoryRequest::default() };
        let mut client = HistoryServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let response = client.get_history(request).await?.into_inner();
        response.history.context("an answer without a history")
    }

    /// One client's summary, as a signed PDF.
    pub async fn summary(&self, person_id: &str) -> anyhow::Result<Vec<u8>> {
        let request = GetSummaryRequest { person_id: person_id.to_owned(), ..GetSummaryRequest::default() };
        let mut client = SummaryServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        Ok(client.get_summary(request).await?.into_inner().document)
    }

    /// The whole feed; gives each history to `take`, and says how many the run's end claims.
    pub async fn feed(&self, mut take: impl FnMut(proto::history::v1::DisclosedHistory)) -> anyhow::Result<i64> {
        let mut client = FeedServiceClient::new(self.channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let mut stream = client.stream_feed(StreamFeedRequest::default()).await?.into_inner();
        while let Some(message) = stream.message().await? {
            match message.event {
                Some(Event::History(history)) => take(*history),
                Some(Event::RunEnd(end)) => return Ok(end.histories),
                _ => {}
            }
        }
        anyhow::bail!("the stream ended without the end of its run")
    }
}
