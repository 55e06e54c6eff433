//! Fetching what a log publishes by HTTPS GET: into a folder of our own, where it is verified like any other.
//!
//! The server is believed nothing: its checkpoint must bear the log's signature before anything else is fetched, so that it says how much there
//! is to fetch, and every answer has a limit.

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, bail, ensure};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::{
    Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1::SendRequest,
    header::{ACCEPT_ENCODING, HOST, USER_AGENT},
};
use ledger::{
    Published, SignedCheckpoint, VerifierKey,
    folder::BUNDLE_BYTES_MAX,
    rotation::KEY_CHANGES_MAX,
    tiles::{all_of, tiles_for},
    tree::consistency_spans,
};
use tokio::time::timeout;

use crate::web::Server;

/// For a connection, and for each answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Where a log is published.
pub struct Log {
    prefix: Uri,
    server: Server,
    open: Option<SendRequest<Empty<Bytes>>>,
}

/// Whether a log is named by a web address, not by a folder.
pub fn is_address(tiles: &str) -> bool {
    tiles.contains("://")
}

impl Log {
    /// The log at an address, whose server's certificate these authorities (PEM) vouch for; without any, those of the web.
    pub fn at(address: &str, authorities: Option<&Path>) -> anyhow::Result<Self> {
        let prefix: Uri = address.parse().with_context(|| format!("{address} is no address"))?;
        ensure!(prefix.scheme_str() == Some("https"), "a log is fetched by https only");
        ensure!(prefix.query().is_none(), "the address of a log has no query");
        Ok(Self { server: Server::of(&prefix, authorities)?, prefix, open: None })
    }

    /// The checkpoint's text.
    pub async fn checkpoint(&mut self) -> anyhow::Result<String> {
        let bytes = self.get("checkpoint").await?.context("the log publishes no checkpoint")?;
        String::from_utf8(bytes).context("the checkpoint is no text")
    }

    /// The notes by which the log changed its key, fetched into a folder.
    pub async fn fetch_key_changes(&mut self, into: &Path) -> anyhow::Result<()> {
        for number in 1..=KEY_CHANGES_MAX {
            let path = format!("keys/{number:03}");
            let Some(bytes) = self.get(&path).await? else { break };
            write(&into.join(path), &bytes)?;
        }
        Ok(())
    }

    /// Fetches everything up to the log's checkpoint into a folder. What the log lacks is lacking there too, and verification says so; a checkpoint
    /// that the log did not sign is all that is fetched.
    pub async fn fetch_all(&mut self, trusted: &[VerifierKey], into: &Path) -> anyhow::Result<()> {
        let text = self.checkpoint().await?;
        if let Ok(head) = SignedCheckpoint::open(&text, trusted) {
            self.fetch(all_of(head.size()), into).await?;
        }
        write(&into.join("checkpoint"), text.as_bytes())
    }

    /// Fetches what shows that the log goes on from an earlier head.
    pub async fn fetch_growth(&mut self, seen: u64, offered: u64, into: &Path) -> anyhow::Result<()> {
        let spans = consistency_spans(seen, offered).unwrap_or_default();
        self.fetch(tiles_for(&spans, offered).into_iter().map(Published::Tile), into).await
    }

    async fn fetch(&mut self, files: impl Iterator<Item = Published>, into: &Path) -> anyhow::Result<()> {
        for file in files {
            let (path, full) = match file {
                Published::Checkpoint => ("checkpoint".to_owned(), None),
                Published::KeyChange(number) => (format!("keys/{number:03}"), None),
                Published::Tile(id) => (id.path(), (!id.is_full()).then(|| id.full().path())),
                Published::Bundle(id) => (id.bundle_path(), (!id.is_full()).then(|| id.full().bundle_path())),
            };
            // Where a partial tile was dropped for the full one, that begins with it.
            let mut found = self.get(&path).await?.map(|bytes| (path, bytes));
            if let (None, Some(full)) = (&found, full) {
                found = self.get(&full).await?.map(|bytes| (full, bytes));
            }
            if let Some((path, bytes)) = found {
                write(&into.join(path), &bytes)?;
            }
        }
        Ok(())
    }

    /// The bytes of a file; `None`: the log has no such file.
    async fn get(&mut self, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        // A connection that was kept open may have been closed meanwhile: once more, on a new one.
        if let Some(open) = self.open.take()
            && let Ok(found) = timeout(ANSWER_MAX, self.ask(open, path)).await?
        {
            return Ok(found);
        }
        let open = timeout(ANSWER_MAX, self.server.connect()).await.context("the log's server does not answer")??;
        timeout(ANSWER_MAX, self.ask(open, path)).await.context("the log's server does not answer")?
    }

    async fn ask(&mut self, mut open: SendRequest<Empty<Bytes>>, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
        open.ready().await?;
        let prefix = self.prefix.path().trim_end_matches('/');
        let authority = self.prefix.authority().map_or(self.server.host(), |authority| authority.as_str());
        let request = Request::get(format!("{prefix}/{path}"))
            .header(HOST, authority)
            .header(ACCEPT_ENCODING, "identity")
            .header(USER_AGENT, concat!("throughline/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())?;
        let response = open.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), BUNDLE_BYTES_MAX as usize).collect().await;
        let bytes = match body {
            Ok(body) => body.to_bytes().to_vec(),
            Err(_) => bail!("the log's answer to {path} was cut, or is longer than any can be"),
        };
        self.open = Some(open);
        match status {
            StatusCode::OK => Ok(Some(bytes)),
            StatusCode::NOT_FOUND => Ok(None),
            other => bail!("the log's server answers {other} to {path}"),
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
