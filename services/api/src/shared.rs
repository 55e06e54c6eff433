//! What all services share: what they work with, who calls, and how an answer is given.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use agreements::{InForce, Reason};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use model::ConsumerId;
use pg::Role;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::{Request, Response, Status};

use crate::{Consumer, Deps, Limits, caller::Caller, status::Failure, tls::Peer};

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
        Self { deps, limits, tasks, stop, consumers, callers, organizations: disclosure::OrganizationCache::default() }
    }

    /// Who calls. Asked first, before anything of the request is looked at.
    pub(crate) fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Failure> {
        let peer = request.extensions().get::<Arc<Peer>>().ok_or(Failure::Unauthenticated)?;
        Caller::resolve(&self.consumers, peer).ok_or(Failure::Unauthenticated)
    }

    /// The agreement under which a caller may act now: in force, and naming this system. What is to be disclosed is decided elsewhere, anew.
    pub(crate) async fn standing(&self, caller: &Caller) -> Result<Arc<InForce>, Failure> {
        let at = self.deps.clock.now();
        let in_force = pg::run_tx(&self.deps.pool, "api.standing", Role::Agreements, |tx| {
            let id = caller.id();
            Box::pin(async move { self.deps.agreements.load_active(tx, id, at).await })
        })
        .await?
        .ok_or(Failure::Denied(Reason::NoAgreement))?;
        agreements::runs(&in_force, at).map_err(Failure::Denied)?;
        if !in_force.terms().access.systems.iter().any(|system| caller.is_system(system)) {
            return Err(Failure::Denied(Reason::SystemNotAgreed));
        }
        Ok(in_force)
    }

    /// What disclosures need.
    pub(crate) fn disclosure(&self) -> disclosure::Context<'_> {
        disclosure::Context {
            pool: &self.deps.pool,
            agreements: &self.deps.agreements,
            organizations: &self.organizations,
            clock: &*self.deps.clock,
            entropy: &*self.deps.entropy,
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

    fn places(&self, consumer: &ConsumerId) -> Result<&Places, Failure> {
        self.callers.get(consumer).ok_or(Failure::Unauthenticated)
    }

    /// Gives an answer within a time, or says why there is none.
    pub(crate) async fn answer<T>(
        &self,
        limit_ms: u64,
        work: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<Response<T>, Status> {
        let begun = Instant::now();
        let answer = match timeout(Duration::from_millis(limit_ms), work).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::TooLate),
        };
        if matches!(answer, Err(Failure::Denied(_) | Failure::Withheld)) {
            sleep(until_release(begun.elapsed())).await;
        }
        answer.map(Response::new).map_err(|failure| self.status(failure))
    }

    /// The status of a failure.
    pub(crate) fn status(&self, failure: Failure) -> Status {
        failure.into_status(&*self.deps.entropy)
    }
}

/// The grid on which refusals are released: how long one took tells nothing of whether the person is known.
const REFUSAL_GRID: Duration = Duration::from_millis(25);

/// How long a refusal that took so long so far is still held.
fn until_release(took: Duration) -> Duration {
    let grid = REFUSAL_GRID.as_micros();
    let over = took.as_micros() % grid;
    let rest = u64::try_from(grid - over).unwrap_or_default();
    Duration::from_micros(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_released_on_the_grid_whatever_it_took() {
        for (took_us, released_ms) in
            [(0, 25), (1, 25), (3_700, 25), (24_999, 25), (25_000, 50), (25_001, 50), (49_000, 50), (130_000, 150)]
        {
            let took = Duration::from_micros(took_us);
            assert_eq!(took + until_release(took), Duration::from_millis(released_ms), "{took_us}");
        }
    }
}
