//! `FeedService`: the caller's population as a stream, resumable at every message.

mod attest;
mod run;

use std::sync::Arc;

use agreements::{PopulationRule, Reason};
use disclosure::{Ask, Stored};
use feeds::{
    RunDigest,
    token::{Scope, Token},
};
use model::ConsumerId;
use pg::Role;
use proto::feed::v1::{
    AckFeedRequest, AckFeedResponse, AttestDestructionRequest, AttestDestructionResponse, StreamFeedRequest,
    StreamFeedResponse, feed_service_server::FeedService,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{caller::Caller, convert, shared::Shared, status::Failure};

/// Nobody is a client of the state itself: a stream would be empty and look complete.
const OWN_EXPORT: Failure = Failure::Precondition {
    reason: "OWN_EXPORT",
    what: "the state's own records are not a feed of clients; `throughline feed export` makes its complete export",
};

/// The exchange was restored from a backup since: what the receiver holds and what the exchange believes it holds are two things.
const EPOCH_CHANGED: Failure = Failure::Precondition {
    reason: "EPOCH_CHANGED",
    what: "the exchange was restored from a backup since the run; begin a whole run, without a token",
};

/// What changed since a run can be told of the last one only.
const SUPERSEDED: Failure = Failure::Precondition {
    reason: "RUN_SUPERSEDED",
    what: "another run of this feed has ended since; begin a whole run, without a token",
};

/// The service.
pub(crate) struct Feed(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl FeedService for Feed {
    type StreamFeedStream = ReceiverStream<Result<StreamFeedResponse, Status>>;

    #[tracing::instrument(name = "api.stream_feed", skip_all)]
    async fn stream_feed(
        &self,
        request: Request<StreamFeedRequest>,
    ) -> Result<Response<Self::StreamFeedStream>, Status> {
        let shared = &self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = shared.caller(&request)?;
                start(shared, caller, request.into_inner()).await
            })
            .await
    }

    #[tracing::instrument(name = "api.ack_feed", skip_all)]
    async fn ack_feed(&self, request: Request<AckFeedRequest>) -> Result<Response<AckFeedResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = shared.caller(&request)?;
                acknowledge(shared, &caller, &request.into_inner()).await
            })
            .await
    }

    #[tracing::instrument(name = "api.attest_destruction", skip_all)]
    async fn attest_destruction(
        &self,
        request: Request<AttestDestructionRequest>,
    ) -> Result<Response<AttestDestructionResponse>, Status> {
        const METHOD: &str = "AttestDestruction";
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = shared.caller(&request)?;
                if caller.consumer().roster.is_none() {
                    return Err(Failure::Withheld);
                }
                let request = request.into_inner();
                let asked = (&*request.request_id, &request);
                // Remembered with its entries for all servers; this one gives the same answer again.
                let mark = shared.mark((&caller, METHOD), asked)?;
                let work = Box::pin(attest::attest(shared, (&caller, mark), &request));
                shared.once((&caller, METHOD), asked, work).await
            })
            .await
    }
}

/// Begins a run or goes on with one. Either way the agreement in force now decides, chunk by chunk.
async fn start(
    shared: &Arc<Shared>,
    caller: Caller,
    request: StreamFeedRequest,
) -> Result<ReceiverStream<Result<StreamFeedResponse, Status>>, Failure> {
    let place = shared.take_feed(caller.id())?;
    let office = convert::name("office", &request.office)?.unwrap_or_default().to_owned();
    let purpose = convert::name("purpose", &request.purpose)?.unwrap_or_default().to_owned();
    let InForceNow { version, grant, epoch } = in_force(shared, caller.id()).await?;
    let begin = |scope| Token {
        run: shared.deps.entropy.uuid(),
        position: 0,
        after: String::new(),
        office: office.clone(),
        purpose: purpose.clone(),
        grant,
        histories: 0,
        withdrawals: 0,
        omitted: 0,
        scope,
        is_end: false,
        epoch,
        digest: RunDigest::default().finish(),
    };
    let token = if request.resume_token.is_empty() {
        begin(Scope::Whole)
    } else {
        let token = shared.deps.tokens.open(caller.id().as_str(), &request.resume_token)?;
        if token.office != office {
            return Err(Failure::Invalid { field: "office", what: "the one that the run began for" });
        }
        if token.purpose != purpose {
            return Err(Failure::Invalid { field: "purpose", what: "the one that the run began for" });
        }
        if token.epoch != epoch {
            return Err(EPOCH_CHANGED);
        }
        if token.is_end {
            // Whoever comes back with the end of a run has stored it, and asks for what changed since.
            stored(shared, &caller, &token).await?;
            if !disclosure::is_last_run(shared.disclosure(), caller.id(), (&office, &purpose), token.run).await? {
                return Err(SUPERSEDED);
            }
            begin(Scope::Changes)
        } else if token.grant != grant {
            return Err(run::GRANT_CHANGED);
        } else {
            token
        }
    };
    if let Some(reason) = disclosure::refuse_run(shared.disclosure(), &ask(&caller, &token)).await? {
        return Err(Failure::Denied(reason));
    }
    Ok(run::begin(shared, caller, token, version, place))
}

/// What a run begins under.
struct InForceNow {
    /// The agreement version.
    version: i32,
    /// Its digest.
    grant: [u8; 32],
    /// The epoch of positions.
    epoch: u64,
}

async fn in_force(shared: &Shared, consumer: &ConsumerId) -> Result<InForceNow, Failure> {
    let deps = &shared.deps;
    let (agreements, at) = (&*deps.agreements, deps.clock.now());
    let in_force = pg::run_tx(&deps.pool, "api.agreement", Role::Agreements, |tx| {
        Box::pin(async move { agreements.load_active(tx, consumer, at).await })
    })
    .await?
    .ok_or(Failure::Denied(Reason::NoAgreement))?;
    if in_force.terms().population.rule == PopulationRule::EveryStudent {
        return Err(OWN_EXPORT);
    }
    let epoch =
        pg::run_tx(&deps.pool, "api.epoch", Role::Ledger, |tx| Box::pin(async move { ledger::epoch(tx).await }))
            .await?;
    Ok(InForceNow { version: in_force.terms().version, grant: in_force.digest().0, epoch })
}

/// Notes what a receiver has stored of a run: all of it, if it has the end.
async fn stored(shared: &Shared, caller: &Caller, token: &Token) -> Result<u64, Failure> {
    let stored = if token.is_end { Stored::Whole } else { Stored::UpTo(&token.after) };
    Ok(disclosure::acknowledge(shared.disclosure(), caller.id(), (token.run, token.position), stored).await?)
}

async fn acknowledge(shared: &Shared, caller: &Caller, request: &AckFeedRequest) -> Result<AckFeedResponse, Failure> {
    convert::uuid("request_id", &request.request_id)?;
    let token = shared.deps.tokens.open(caller.id().as_str(), &request.resume_token)?;
    let position = stored(shared, caller, &token).await?;
    Ok(AckFeedResponse { position: convert::count(position) })
}

/// What a run asks for.
fn ask<'a>(caller: &'a Caller, token: &'a Token) -> Ask<'a> {
    Ask {
        consumer: caller.id(),
        actor: caller.actor(),
        purpose: Some(token.purpose.as_str()).filter(|purpose| !purpose.is_empty()),
        delivery: agreements::Delivery::Stream,
        office: Some(token.office.as_str()).filter(|office| !office.is_empty()),
        as_of: None,
        asker: caller.asker(None),
        run: Some(token.run),
        repeat: match token.scope {
            Scope::Whole => disclosure::Repeat::Always,
            Scope::Changes => disclosure::Repeat::WhenChanged,
        },
        request: None,
    }
}
