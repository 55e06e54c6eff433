//! Who calls, and how often: asked before a byte of what a request brings is read.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tonic::{Request, Status, service::Interceptor};

use crate::shared::Shared;

/// Stands before every service but health. A caller whom no agreement names, or who comes too often, is refused there: what it sends takes no memory.
#[derive(Clone)]
pub(crate) struct Admission(Arc<Shared>);

impl Admission {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }
}

impl Interceptor for Admission {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let shared = &*self.0;
        let caller = shared.caller(&request).map_err(|failure| shared.status(failure))?;
        shared.count_call(caller.id()).map_err(|failure| shared.status(failure))?;
        Ok(request)
    }
}

/// The same for rosters, the only requests that may be large: a consumer sends so many at once and no more.
#[derive(Clone)]
pub(crate) struct RosterAdmission(Admission);

impl RosterAdmission {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self(Admission::new(shared))
    }
}

/// A place among the rosters that a consumer may send at once; it is the call's until the roster is taken.
#[derive(Clone)]
pub(crate) struct RosterPlace(#[expect(dead_code, reason = "held, not read")] Arc<OwnedSemaphorePermit>);

impl Interceptor for RosterAdmission {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let mut request = self.0.call(request)?;
        let shared = &*self.0.0;
        let place = shared
            .caller(&request)
            .and_then(|caller| shared.take_roster(caller.id()))
            .map_err(|failure| shared.status(failure))?;
        request.extensions_mut().insert(RosterPlace(Arc::new(place)));
        Ok(request)
    }
}
