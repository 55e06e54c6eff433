//! `throughline feed pull`: the receiving side, for an agency's own machine. Takes the feed, keeps a copy of it in tables, and goes on where it was cut.
//!
//! What is applied and how far the feed has come are one transaction of the copy, so a message is applied once, wherever a kill falls; only what is stored is
//! acknowledged. A run counts when its end says as many as arrived, with the same digest.

mod client;
mod folder;
mod replica;
mod store;
mod tables;

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail, ensure};
use ledger::{Hash, VerifierKey};
use proto::feed::v1::{RunEnd, Scope, StreamFeedResponse, Withdrawal, stream_feed_response::Event};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use self::{
    client::Client,
    replica::{Change, Replica, State},
    tables::Tables,
};
use crate::{
    args::{Place, Pull},
    commands::{Outcome, ledger::witness::verifier_key},
    console::{self, Progress},
};

/// Messages that are applied together, at most.
const BATCH_MESSAGES_MAX: usize = 200;
/// Bytes of messages that are applied together, about.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Disclosures of a run that are proved to be in the ledger, byte for byte.
const PROOFS_MAX: usize = 20;
/// The first pause before another attempt; each further one is twice as long, up to the greatest.
const PAUSE_MS: u64 = 250;
const PAUSE_MS_MAX: u64 = 30_000;
/// Codes with which the exchange says that a run of its own is to be begun.
const BEGIN_ANEW: [&str; 3] = ["GRANT_CHANGED", "EPOCH_CHANGED", "RUN_SUPERSEDED"];

/// What came of a pull.
#[derive(Default)]
struct Pulled {
    histories: u64,
    withdrawals: u64,
    omitted: u64,
    proved: usize,
    is_whole: bool,
    ledger: Option<u64>,
}

/// Pulls until the feed's run has ended.
pub async fn run(place: &Place, options: Pull) -> anyhow::Result<Outcome> {
    let client = Client::connect(&options)?;
    let tables = Tables::load()?;
    let key = options.log_key.as_deref().map(verifier_key).transpose()?;
    let target = Target::parse(&options.to);
    let mut replica = target.open(&tables).await?;
    let progress = Progress::begin("feed", 0);
    let mut pulled = take(&client, &mut replica, &tables, &options, &progress).await?;
    if let Some(key) = key {
        let (size, proved) = verify(&client, &mut replica, key).await?;
        (pulled.ledger, pulled.proved) = (Some(size), proved);
    }
    if let Target::Folder(folder) = &target {
        folder::write(folder, &tables, &mut replica).await?;
    }
    progress.done(&format!("{} histories, {} withdrawals", pulled.histories, pulled.withdrawals));
    say(place, &options.to, &pulled)?;
    // A history too great to be sent leaves an older copy: somebody has to look.
    Ok(if pulled.omitted == 0 { Outcome::Done } else { Outcome::Found })
}

fn say(place: &Place, to: &str, pulled: &Pulled) -> anyhow::Result<()> {
    let ledger = match pulled.ledger {
        Some(size) => format!(
            "the ledger holds {size} entries, grew from the one kept, and {} disclosures are proved",
            pulled.proved
        ),
        None => "the ledger was not looked at: name its key with --log-key".to_owned(),
    };
    if place.json {
        return console::json(&json!({
            "to": to, "histories": pulled.histories, "withdrawals": pulled.withdrawals, "omitted": pulled.omitted,
            "scope": if pulled.is_whole { "whole" } else { "changes" }, "ledger_entries": pulled.ledger, "proved": pulled.proved,
        }));
    }
    let scope = if pulled.is_whole { "everybody" } else { "what changed" };
    console::line(
        false,
        format!("{scope}: {} histories, {} withdrawals, in {to}", pulled.histories, pulled.withdrawals),
    );
    if pulled.omitted > 0 {
        console::line(
            false,
            format!("  {} histories were too large to be sent: the copies held are old ones", pulled.omitted),
        );
    }
    console::line(false, format!("  {ledger}"));
    Ok(())
}

/// Where the copy is kept.
enum Target {
    /// An SQLite database, and beside it one current set of CSV files.
    Folder(PathBuf),
    Sqlite(PathBuf),
    Postgres(String),
}

impl Target {
    fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some(("sqlite", file)) => Self::Sqlite(file.into()),
            Some(("postgres" | "postgresql", _)) => Self::Postgres(text.to_owned()),
            _ => Self::Folder(text.into()),
        }
    }

    async fn open(&self, tables: &Tables) -> anyhow::Result<Replica> {
        match self {
            Self::Folder(folder) => {
                std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
                Replica::open_sqlite(&folder.join(folder::COPY), tables)
            }
            Self::Sqlite(file) => Replica::open_sqlite(file, tables),
            Self::Postgres(url) => Replica::open_postgres(url, tables).await,
        }
    }
}

/// Takes a run to its end, with as many attempts as asked for; an attempt that brought something on does not count.
async fn take(
    client: &Client,
    replica: &mut Replica,
    tables: &Tables,
    options: &Pull,
    progress: &Progress,
) -> anyhow::Result<Pulled> {
    let mut failed = 0;
    loop {
        let state = replica.state().await?;
        let before = state.position;
        let mut receiving = Receiving { replica, tables, state, batch: Vec::new(), bytes: 0, progress };
        let error = match receiving.run(client, options).await? {
            Ok(pulled) => return Ok(pulled),
            Err(status) => status,
        };
        let reason = error.get_error_details().error_info().map(|info| info.reason.clone()).unwrap_or_default();
        let state = receiving.state.clone();
        if error.code() == Code::FailedPrecondition && BEGIN_ANEW.contains(&reason.as_str()) {
            tracing::info!(reason, "a whole run begins");
            replica.apply(tables, &[], &state.anew()).await?;
        } else if !may_pass(error.code()) {
            bail!("the exchange does not send the feed: {} ({reason})", error.message());
        }
        failed = if state.position > before { 0 } else { failed + 1 };
        ensure!(failed <= options.retries, "the exchange did not answer after {failed} attempts: {}", error.message());
        tokio::time::sleep(pause(failed)).await;
    }
}

const fn may_pass(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::Aborted
            | Code::ResourceExhausted
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::FailedPrecondition
    )
}

fn pause(failed: u32) -> Duration {
    Duration::from_millis(PAUSE_MS.saturating_mul(1 << failed.min(16)).min(PAUSE_MS_MAX))
}

/// A run being received.
struct Receiving<'r> {
    replica: &'r mut Replica,
    tables: &'r Tables,
    state: State,
    batch: Vec<Change>,
    bytes: usize,
    progress: &'r Progress,
}

impl Receiving<'_> {
    /// Receives until the run's end. The inner error is the exchange's; what was received before it is kept.
    async fn run(&mut self, client: &Client, options: &Pull) -> anyhow::Result<Result<Pulled, Status>> {
        let mut stream = match client.stream(options, &self.state.token).await {
            Ok(stream) => stream,
            Err(status) => return Ok(Err(status)),
        };
        if self.state.is_ended {
            self.state.begin();
        }
        loop {
            let message = match stream.message().await {
                Ok(Some(message)) => message,
                Ok(None) => {
                    self.store(client).await?;
                    return Ok(Err(Status::unavailable("the feed ended without the end of its run")));
                }
                Err(status) => {
                    self.store(client).await?;
                    return Ok(Err(status));
                }
            };
            if let Some(end) = self.add(message)? {
                return self.finish(client, &end).await.map(Ok);
            }
            if self.batch.len() >= BATCH_MESSAGES_MAX || self.bytes >= BATCH_BYTES_MAX {
                self.store(client).await?;
            }
        }
    }

    /// Takes a message; gives the run's end, if it is that.
    fn add(&mut self, message: StreamFeedResponse) -> anyhow::Result<Option<RunEnd>> {
        let StreamFeedResponse { resume_token, position, event, .. } = message;
        match event {
            Some(Event::History(history)) => {
                let bytes = prost::Message::encode_to_vec(&*history);
                self.state.count_history(&history.content_digest)?;
                self.state.sample(&history.disclosure_id, Hash::of(&bytes));
                self.bytes += bytes.len();
                self.batch.push(Change::Replace(self.tables.rows(&bytes)?));
            }
            Some(Event::Withdrawal(withdrawal)) => {
                self.state.count_withdrawal(&withdrawal);
                self.batch.push(Change::Withdraw(withdrawal));
            }
            Some(Event::Omission(omission)) => {
                self.state.omitted += 1;
                // The copy held is not the present one, and nobody may take it for that.
                self.batch.push(Change::Keep(omission.person_id));
            }
            Some(Event::RunEnd(end)) => {
                (self.state.token, self.state.position) = (resume_token, position);
                return Ok(Some(end));
            }
            // A heartbeat, or something newer than this program.
            Some(Event::Heartbeat(_)) | None => return Ok(None),
        }
        (self.state.token, self.state.position) = (resume_token, position);
        self.progress.at(self.state.histories + self.state.withdrawals);
        Ok(None)
    }

    /// Stores what was taken, then says so.
    async fn store(&mut self, client: &Client) -> anyhow::Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.replica.apply(self.tables, &self.batch, &self.state).await?;
        (self.batch, self.bytes) = (Vec::new(), 0);
        client.acknowledge(&self.state.token).await;
        Ok(())
    }

    /// The run is complete: holds it against what came, and drops whoever is in it no longer.
    async fn finish(&mut self, client: &Client, end: &RunEnd) -> anyhow::Result<Pulled> {
        let claimed = [end.histories, end.withdrawals, end.omitted].map(i64::unsigned_abs);
        let came = [self.state.histories, self.state.withdrawals, self.state.omitted];
        if claimed != came || end.digest != hex::encode(self.state.digest) {
            self.replica.apply(self.tables, &[], &self.state.anew()).await?;
            bail!(
                "the run's count or digest is not that of what was received: nothing more is believed of it; pull again for a whole run"
            );
        }
        let is_whole = end.scope() != Scope::Changes;
        self.state.is_ended = true;
        self.replica.finish(self.tables, &self.batch, &self.state, is_whole).await?;
        client.acknowledge(&self.state.token).await;
        let [histories, withdrawals, omitted] = came;
        Ok(Pulled { histories, withdrawals, omitted, is_whole, ..Pulled::default() })
    }
}

/// The digest that a withdrawal counts with.
fn digest_of(withdrawal: &Withdrawal) -> [u8; 32] {
    let day = withdrawal.destroy_by_date.map(tables::day).unwrap_or_default();
    Sha256::digest(format!("{}\n{}\n{day}\n", withdrawal.person_id, withdrawal.reason)).into()
}

/// Holds the ledger against the checkpoint kept, and some of the run's disclosures against the ledger. Gives its size and how many were proved.
async fn verify(client: &Client, replica: &mut Replica, key: VerifierKey) -> anyhow::Result<(u64, usize)> {
    let mut state = replica.state().await?;
    let trusted = [key];
    let head = client.checkpoint(&state.checkpoint, &trusted).await?;
    let mut proved = 0;
    for (disclosure, digest) in &state.samples {
        let proof = client.proof(disclosure).await?;
        proof
            .verify_document(*digest, &trusted)
            .with_context(|| format!("disclosure {disclosure} is not in the ledger as it was received"))?;
        proved += 1;
    }
    (state.checkpoint, state.samples) = (head.text, Vec::new());
    replica.keep_state(&state).await?;
    Ok((head.size, proved))
}
