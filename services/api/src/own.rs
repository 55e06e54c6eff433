//! Who may ask what is the state education agency's own: its systems, on behalf of its stewards.

use agreements::PopulationRule;
use tonic::Request;

use crate::{caller::Caller, convert, shared::Shared, status::Failure};

/// The caller, if the agreement in force makes it one of the SEA's own systems; every other caller gets the one answer.
pub(crate) async fn own<T>(shared: &Shared, request: &Request<T>) -> Result<Caller, Failure> {
    let caller = shared.caller(request)?;
    let in_force = shared.standing(&caller).await.map_err(|failure| match failure {
        Failure::Denied(_) => Failure::Withheld,
        other => other,
    })?;
    if in_force.terms().population.rule == PopulationRule::EveryStudent { Ok(caller) } else { Err(Failure::Withheld) }
}

/// A registered steward, by the name in the request.
pub(crate) fn steward<'t>(shared: &Shared, name: &'t str) -> Result<&'t str, Failure> {
    let name = convert::name("steward", name)?.unwrap_or_default();
    match shared.deps.agreements.stewards().find(name) {
        Some(steward) if steward.registered.contains(shared.deps.clock.now()) => Ok(name),
        _ => Err(Failure::Invalid { field: "steward", what: "a registered steward" }),
    }
}
