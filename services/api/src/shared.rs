//! What all services share: what they work with, who calls, and how an answer is given.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use agreements::{InForce, Reason};
use chrono::{DateTime, Utc};
use disclosure::RequestMark;
use futures::future::BoxFuture;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use model::ConsumerId;
use pg::Role;
use prost::Message;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Request, Response, Status};
use tonic_types::StatusExt as _;

use crate::{Consumer, Deps, Limits, caller::Caller, convert, measure, replay::Requests, status::Failure, tls::Peer};

/// What all services share.
pub(crate) struct Shared {
    pub(crate) deps: Deps,
    pub(crate) limits: Limits,
    /// Tasks of streams; the server waits for them.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the server stops.
    pub(crate) stop: CancellationToken,
    consumers: Vec<Arc<Consumer>>,
    callers: BTreeMap<ConsumerId, Places>,
    organizations: disclosure::OrganizationCache,
    requests: Requests,
}

/// What a consumer may have under way at once.
struct Places {
    calls: DefaultDirectRateLimiter,
    feeds: Arc<Semaphore>,
    rosters: Arc<Semaphore>,
}

impl Places {
    fn new(limits: &Limits) -> Self {
        Self {
            calls: RateLimiter::direct(Quota::per_second(limits.calls_per_second_max)),
            feeds: Arc::new(Semaphore::new(limits.feeds_per_consumer_max)),
            rosters: Arc::new(Semaphore::new(limits.rosters_per_consumer_max)),
        }
    }
}

impl Shared {
    pub(crate) fn new(deps: Deps, limits: Limits, tasks: TaskTracker, stop: CancellationToken) -> Self {
        let callers = deps.consumers.iter().map(|consumer| (consumer.id.clone(), Places::new(&limits))).collect();
        let consumers = deps.consumers.iter().cloned().map(Arc::new).collect();
        Self {
            deps,
            limits,
            tasks,
            stop,
            consumers,
            callers,
            organizations: disclosure::OrganizationCache::default(),
            requests: Requests::default(),
        }
    }

    /// Who calls. Asked first, before anything of the request is looked at.
    pub(crate) fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Failure> {
        let peer = request.extensions().get::<Arc<Peer>>().ok_or(Failure::Unauthenticated)?;
        Caller::resolve(&self.consumers, peer).ok_or(Failure::Unauthenticated)
    }

    /// The agreement under which a caller may act now: in force, and naming this system. What is to be disclosed is decided elsewhere, anew.
    pub(crate) async fn standing(&self, caller: &Caller) -> Result<Arc<InForce>, Failure> {
        let at = self.deps.clock.now();
        let in_force = self.in_force(caller, at).await?.ok_or(Failure::Denied(Reason::NoAgreement))?;
        agreements::runs(&in_force, at).map_err(Failure::Denied)?;
        ensure_named(caller, &in_force)?;
        Ok(in_force)
    }

    /// Refuses a system that the last version that was in force does not name. Where there never was one there is nothing to ask it of.
    pub(crate) async fn ensure_not_dropped(&self, caller: &Caller) -> Result<(), Failure> {
        let in_force = self.in_force(caller, self.deps.clock.now()).await?;
        in_force.map_or(Ok(()), |in_force| ensure_named(caller, &in_force))
    }

    async fn in_force(&self, caller: &Caller, at: DateTime<Utc>) -> Result<Option<Arc<InForce>>, Failure> {
        let in_force = pg::run_tx(&self.deps.pool, "api.standing", Role::Agreements, |tx| {
            let id = caller.id();
            Box::pin(async move { self.deps.agreements.load_active(tx, id, at).await })
        });
        Ok(in_force.await?)
    }

    /// What disclosures need.
    pub(crate) fn disclosure(&self) -> disclosure::Context<'_> {
        disclosure::Context {
            pool: &self.deps.pool,
            agreements: &self.deps.agreements,
            organizations: &self.organizations,
            clock: &*self.deps.clock,
            entropy: &*self.deps.entropy,
            vouch: self.deps.vouch.as_ref(),
            clock_behind_max: self.deps.clock_behind_max,
        }
    }

    /// The consumer for which a certificate speaks, if it speaks for one.
    pub(crate) fn consumer_of(&self, peer: &Arc<Peer>) -> Option<ConsumerId> {
        Caller::resolve(&self.consumers, peer).map(|caller| caller.id().clone())
    }

    /// Counts a call of a consumer; refused where it calls more often than it may.
    pub(crate) fn count_call(&self, consumer: &ConsumerId) -> Result<(), Failure> {
        const OFTEN: Failure =
            Failure::Busy { reason: "TOO_MANY_CALLS", what: "this consumer calls more often than it may" };
        self.places(consumer)?.calls.check().map_err(|_| OFTEN)
    }

    /// A place among the feeds a consumer may have open.
    pub(crate) fn take_feed(&self, consumer: &ConsumerId) -> Result<OwnedSemaphorePermit, Failure> {
        const FULL: Failure =
            Failure::Busy { reason: "TOO_MANY_FEEDS", what: "this consumer has as many feeds open as it may" };
        Arc::clone(&self.places(consumer)?.feeds).try_acquire_owned().map_err(|_| FULL)
    }

    /// A place among the rosters a consumer may send at once.
    pub(crate) fn take_roster(&self, consumer: &ConsumerId) -> Result<OwnedSemaphorePermit, Failure> {
        const FULL: Failure =
            Failure::Busy { reason: "TOO_MANY_ROSTERS", what: "a roster of this consumer is still being taken" };
        Arc::clone(&self.places(consumer)?.rosters).try_acquire_owned().map_err(|_| FULL)
    }

    /// Does what is asked, once for each request id of a caller who may ask it, and gives its answer again.
    pub(crate) async fn once<A: Message, T: Message + Default>(
        &self,
        (caller, method): (&Caller, &str),
        (request_id, asked): (&str, &A),
        work: BoxFuture<'_, Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let id = convert::uuid("request_id", request_id)?;
        self.requests.once((caller.id(), method), id, asked, work).await
    }

    /// Discloses what is asked, once for each request id of a caller: the work is given what the ledger remembers the call by.
    pub(crate) async fn disclosing<'w, A: Message, T>(
        &self,
        (caller, method): (&Caller, &str),
        (request_id, asked): (&str, &A),
        work: impl FnOnce(Option<RequestMark>) -> BoxFuture<'w, Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        let mark = self.mark((caller, method), (request_id, asked))?;
        let id = convert::uuid("request_id", request_id)?;
        if let Some(mark) = mark {
            disclosure::ensure_new(self.disclosure(), mark).await?;
        }
        self.requests.disclosing(caller.id(), id, work(mark)).await
    }

    /// What the ledger remembers a call by, if its caller gave it an id.
    pub(crate) fn mark<A: Message>(
        &self,
        (caller, method): (&Caller, &str),
        (request_id, asked): (&str, &A),
    ) -> Result<Option<RequestMark>, Failure> {
        let id = convert::uuid("request_id", request_id)?;
        Ok(id.map(|id| self.deps.requests.mark((caller.id(), id), (method, &asked.encode_to_vec()))))
    }

    fn places(&self, consumer: &ConsumerId) -> Result<&Places, Failure> {
        self.callers.get(consumer).ok_or(Failure::Unauthenticated)
    }

    /// Gives an answer within a time, or says why there is none.
    pub(crate) async fn answer<T>(
        &self,
        limit_ms: u64,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<Response<T>, Status> {
        let work = timeout(Duration::from_millis(limit_ms), Box::pin(work));
        let work = async { work.await.unwrap_or(Err(Failure::TooLate)) };
        let is_refusal = |failure: &Failure| matches!(failure, Failure::Denied(_) | Failure::Withheld);
        let answer = disclosure::on_the_grid(work, is_refusal).await;
        answer.map(Response::new).map_err(|failure| self.status(failure))
    }

    /// The status of a failure.
    pub(crate) fn status(&self, failure: Failure) -> Status {
        let status = failure.into_status(&*self.deps.entropy);
        let details = status.get_error_details();
        measure::failed(&status, details.error_info().map_or("", |info| info.reason.as_str()));
        status
    }
}

fn ensure_named(caller: &Caller, in_force: &InForce) -> Result<(), Failure> {
    let is_named = in_force.terms().access.systems.iter().any(|system| caller.is_system(system));
    if is_named { Ok(()) } else { Err(Failure::Denied(Reason::SystemNotAgreed)) }
}
