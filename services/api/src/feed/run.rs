//! One run of a feed: pages of the population, chunks of histories, a message each, and the end.
//!
//! A chunk is disclosed only when the receiver has taken the one before: what authority no longer covers is neither recorded
//! nor queued, and a slow receiver holds up nothing but its own stream.

use std::{sync::Arc, time::Duration};

use disclosure::{Item, RunTotals, Withdrawn};
use feeds::{
    RunDigest,
    token::{Scope, Token},
};
use model::Masked;
use pg::crash::{CrashPoint, hit};
use prost::Message as _;
use proto::{
    feed::v1::{Heartbeat, Omission, RunEnd, StreamFeedResponse, Withdrawal, stream_feed_response::Event},
    history::v1::DisclosedHistory,
};
use tokio::{
    sync::{
        OwnedSemaphorePermit,
        mpsc::{self, OwnedPermit},
    },
    time::{Instant, interval_at, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::Instrument as _;

use super::ask;
use crate::{caller::Caller, convert, history::within, measure, shared::Shared, status::Failure};

/// The agreement is another than the one that the run began under: what was sent and what would come are not one feed.
pub(super) const GRANT_CHANGED: Failure = Failure::Precondition {
    reason: "GRANT_CHANGED",
    what: "the agreement has changed since the run began; begin a new run",
};

/// What a history is taken to measure before one was sent.
const HISTORY_BYTES_FIRST: usize = 16 * 1024;

type Message = Result<StreamFeedResponse, Status>;

/// A run under way.
struct Run {
    shared: Arc<Shared>,
    caller: Caller,
    /// Where the receiver is after the last message sent.
    token: Token,
    /// The agreement version it began under.
    version: i32,
    out: mpsc::Sender<Message>,
    /// Histories and bytes sent here, to choose the size of chunks.
    sent: (usize, usize),
    is_first_chunk: bool,
}

/// Why a run ends early.
enum Stop {
    /// Nobody listens any more.
    Gone,
    /// This is what the receiver is told.
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Starts a run, behind the token's position.
pub(super) fn begin(
    shared: &Arc<Shared>,
    caller: Caller,
    token: Token,
    version: i32,
    place: OwnedSemaphorePermit,
) -> ReceiverStream<Message> {
    // One message waits for the transport; the other place is kept for the last word, which thus never waits.
    let (out, messages) = mpsc::channel(2);
    let last_word = out.clone().try_reserve_owned().ok();
    let mut run = Run { shared: Arc::clone(shared), caller, token, version, out, sent: (0, 0), is_first_chunk: true };
    let span = tracing::info_span!("api.feed", consumer = %run.caller.id(), run = %run.token.run);
    let work = async move {
        let _place = place;
        run.work(last_word).await;
    };
    shared.tasks.spawn(work.instrument(span));
    ReceiverStream::new(messages)
}

impl Run {
    async fn work(&mut self, last_word: Option<OwnedPermit<Message>>) {
        let (shared, out) = (Arc::clone(&self.shared), self.out.clone());
        let end = tokio::select! {
            biased;
            () = out.closed() => Err(Stop::Gone),
            () = shared.stop.cancelled() => Err(Stop::Failed(Failure::Stopping)),
            end = self.send_all() => end,
        };
        match end {
            Ok(()) => tracing::info!(histories = self.token.histories, "a feed is complete"),
            Err(Stop::Gone) => tracing::info!(position = self.token.position, "a feed lost its receiver"),
            Err(Stop::Failed(failure)) => {
                tracing::info!(position = self.token.position, "a feed broke off");
                let status = shared.status(failure);
                if let Some(last_word) = last_word {
                    last_word.send(Err(status));
                }
            }
        }
    }

    async fn send_all(&mut self) -> Result<(), Stop> {
        let page_clients = self.shared.limits.page_clients;
        let mut after = self.token.after.clone();
        loop {
            let keys: Vec<String> = {
                let ask = ask(&self.caller, &self.token);
                let page = disclosure::list_due(self.shared.disclosure(), &ask, &after, page_clients);
                self.with_heartbeat(page).await?
            };
            let is_last = keys.len() < page_clients as usize;
            let mut rest = keys.as_slice();
            while let Some((chunk, behind)) = rest.split_at_checked(self.chunk_clients().min(rest.len())) {
                if chunk.is_empty() {
                    break;
                }
                self.send_chunk(chunk).await?;
                rest = behind;
            }
            if let Some(last) = keys.last() {
                after.clone_from(last);
            }
            if is_last {
                return self.complete().await;
            }
        }
    }

    /// How many clients measure about as much as a chunk should.
    fn chunk_clients(&self) -> usize {
        let limits = &self.shared.limits;
        let (histories, bytes) = self.sent;
        let average = bytes.checked_div(histories).unwrap_or(HISTORY_BYTES_FIRST).max(1);
        (limits.chunk_bytes / average).clamp(1, limits.chunk_clients)
    }

    /// Discloses a chunk, which commits its entries, then sends it and waits until the transport has taken all of it.
    async fn send_chunk(&mut self, chunk: &[String]) -> Result<(), Stop> {
        let bytes_max = self.shared.limits.history_bytes_max;
        let encode =
            |history: &disclosure::DisclosedHistory| within(convert::history(history).encode_to_vec(), bytes_max);
        let items = {
            let ask = ask(&self.caller, &self.token);
            let disclose = disclosure::disclose_chunk(self.shared.disclosure(), &ask, chunk, &encode);
            self.with_heartbeat(disclose).await?
        };
        let mut items = items.into_iter().peekable();
        while let Some(item) = items.next() {
            match item {
                Item::Withdrawn(notice) => {
                    // A history of the same client may follow: whoever is cut between the two gets both again.
                    let next = items.peek().map(Item::person_key);
                    self.send_withdrawal(&notice, next != Some(&notice.person_key)).await?;
                }
                Item::Disclosed(disclosed) => self.send_history(&disclosed).await?,
                // It holds for everybody: the feed ends.
                Item::Refused { reason, .. } if !reason.is_about_the_student() => {
                    return Err(Failure::Denied(reason).into());
                }
                Item::TooLarge { person_key, bytes, bytes_max } => {
                    self.omit(person_key, (bytes, bytes_max)).await?;
                }
                Item::Refused { .. } | Item::Unchanged { .. } | Item::Untouched { .. } => {}
            }
        }
        self.drained().await?;
        if std::mem::take(&mut self.is_first_chunk) {
            hit(CrashPoint::SendAfterFirstChunk);
        }
        Ok(())
    }

    async fn send_history(&mut self, disclosed: &disclosure::Disclosed) -> Result<(), Stop> {
        let history = &disclosed.history;
        if history.agreement_version() != self.version {
            return Err(GRANT_CHANGED.into());
        }
        let mut digest = RunDigest::resume(self.token.digest);
        digest.add(history.content_digest());
        self.token.digest = digest.finish();
        self.token.after.clone_from(history.person_key().expose());
        self.token.position += 1;
        self.token.histories += 1;
        self.sent = (self.sent.0 + 1, self.sent.1 + disclosed.bytes.len());
        // Read back from the very bytes whose digest the ledger holds.
        let message = DisclosedHistory::decode(&*disclosed.bytes).map_err(Failure::of)?;
        self.send(Event::History(Box::new(message))).await?;
        measure::feed_message(self.caller.id(), "history", disclosed.bytes.len());
        Ok(())
    }

    async fn send_withdrawal(&mut self, notice: &Withdrawn, moves_on: bool) -> Result<(), Stop> {
        let person = notice.person_key.expose();
        let mut digest = RunDigest::resume(self.token.digest);
        digest.withdraw(person, notice.reason, notice.destroy_by);
        self.token.digest = digest.finish();
        if moves_on {
            self.token.after.clone_from(person);
        }
        self.token.position += 1;
        self.token.withdrawals += 1;
        self.send(Event::Withdrawal(Withdrawal {
            person_id: person.clone(),
            reason: notice.reason.to_owned(),
            destroy_by_date: Some(convert::date(notice.destroy_by)),
            withdrawal_id: notice.id.to_string(),
        }))
        .await?;
        measure::feed_message(self.caller.id(), "withdrawal", 0);
        Ok(())
    }

    /// A history that is too great to send: the receiver hears that it lacks this one, the operator that the limit is too small, and the others
    /// still arrive.
    async fn omit(&mut self, person_key: Masked<String>, (bytes, bytes_max): (u64, u64)) -> Result<(), Stop> {
        tracing::error!(
            bytes,
            bytes_max,
            position = self.token.position + 1,
            "a history is greater than server.limits.history_bytes_max and was left out of a feed: raise it"
        );
        self.token.after.clone_from(person_key.expose());
        self.token.position += 1;
        self.token.omitted += 1;
        let reason = "too_large".to_owned();
        let (bytes, bytes_max) = (convert::count(bytes), convert::count(bytes_max));
        self.send(Event::Omission(Omission { person_id: person_key.into_exposed(), reason, bytes, bytes_max })).await?;
        measure::feed_message(self.caller.id(), "omission", 0);
        Ok(())
    }

    /// Records that the run is complete, then says so.
    async fn complete(&mut self) -> Result<(), Stop> {
        hit(CrashPoint::SendBeforeCompletion);
        let totals = RunTotals {
            histories: self.token.histories,
            withdrawals: self.token.withdrawals,
            digest: self.token.digest,
        };
        {
            let ask = ask(&self.caller, &self.token);
            disclosure::complete_run(self.shared.disclosure(), &ask, totals).await?;
        }
        hit(CrashPoint::SendAfterCompletion);
        self.token.is_end = true;
        self.send(Event::RunEnd(RunEnd {
            histories: convert::count(totals.histories),
            withdrawals: convert::count(totals.withdrawals),
            digest: hex::encode(totals.digest),
            completed_time: Some(convert::timestamp(self.shared.deps.clock.now())),
            omitted: convert::count(self.token.omitted),
            scope: match self.token.scope {
                Scope::Whole => proto::feed::v1::Scope::Whole.into(),
                Scope::Changes => proto::feed::v1::Scope::Changes.into(),
            },
        }))
        .await?;
        measure::feed_message(self.caller.id(), "run_end", 0);
        Ok(())
    }

    /// The event as a message that can be resumed behind.
    fn message(&self, event: Event) -> StreamFeedResponse {
        StreamFeedResponse {
            resume_token: self.shared.deps.tokens.seal(self.caller.id().as_str(), &self.token),
            position: convert::count(self.token.position),
            epoch: convert::count(self.token.epoch),
            event: Some(event),
        }
    }

    async fn send(&self, event: Event) -> Result<(), Stop> {
        let sent = timeout(self.patience(), self.out.send(Ok(self.message(event)))).await;
        sent.map_err(|_| Stop::Failed(Failure::TooLate))?.map_err(|_| Stop::Gone)
    }

    /// Waits until the transport has taken everything sent.
    async fn drained(&self) -> Result<(), Stop> {
        let room = timeout(self.patience(), self.out.reserve()).await;
        room.map_err(|_| Stop::Failed(Failure::TooLate))?.map(drop).map_err(|_| Stop::Gone)
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.shared.limits.send_timeout_ms)
    }

    /// Waits for work; the receiver hears meanwhile that the stream is alive.
    async fn with_heartbeat<T, E: Into<Failure>>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, Stop> {
        let every = Duration::from_millis(self.shared.limits.heartbeat_ms);
        let mut beat = interval_at(Instant::now() + every, every);
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done.map_err(|error| Stop::Failed(error.into())),
                _ = beat.tick() => {
                    // A message that still waits for the transport is sign of life enough.
                    drop(self.out.try_send(Ok(self.message(Event::Heartbeat(Heartbeat {})))));
                }
            }
        }
    }
}
