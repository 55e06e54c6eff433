//! `FeedService`: the caller's population as a stream, resumable at every message.

mod run;

use std::sync::Arc;

use agreements::{PopulationRule, Reason};
use disclosure::Ask;
use feeds::{RunDigest, token::Token};
use model::ConsumerId;
use pg::Role;
use proto::feed::v1::{
    AckFeedRequest, AckFeedResponse, StreamFeedRequest, StreamFeedResponse, feed_service_server::FeedService,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{caller::Caller, convert, shared::Shared, status::Failure};

/// Nobody is a client of the state itself: a stream would be empty and look complete.
const OWN_EXPORT: Failure = Failure::Precondition {
    reason: "OWN_EXPORT",
    what: "the state's own records are not a feed of clients; `throughline feed export` makes its complete export",
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
    let (version, grant) = in_force(shared, caller.id()).await?;
    let token = if request.resume_token.is_empty() {
        Token {
            run: shared.deps.entropy.uuid(),
            position: 0,
            after: String::new(),
            office,
            purpose,
            grant,
            histories: 0,
            digest: RunDigest::default().finish(),
        }
    } else {
        let token = shared.deps.tokens.open(caller.id().as_str(), &request.resume_token)?;
        if token.office != office {
            return Err(Failure::Invalid { field: "office", what: "the one that the run began for" });
        }
        if token.purpose != purpose {
            return Err(Failure::Invalid { field: "purpose", what: "the one that the run began for" });
        }
        if token.grant != grant {
            return Err(run::GRANT_CHANGED);
        }
        token
    };
    Ok(run::begin(shared, caller, token, version, place))
}

/// The agreement version in force, and its digest.
async fn in_force(shared: &Shared, consumer: &ConsumerId) -> Result<(i32, [u8; 32]), Failure> {
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
    Ok((in_force.terms().version, in_force.digest().0))
}

async fn acknowledge(shared: &Shared, caller: &Caller, request: &AckFeedRequest) -> Result<AckFeedResponse, Failure> {
    convert::uuid("request_id", &request.request_id)?;
    let token = shared.deps.tokens.open(caller.id().as_str(), &request.resume_token)?;
    let position = disclosure::acknowledge(shared.disclosure(), caller.id(), token.run, token.position).await?;
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
        repeat: disclosure::Repeat::Always,
    }
}
