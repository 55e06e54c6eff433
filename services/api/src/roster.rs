//! `RosterService`: an agency's list of its clients.

use std::sync::Arc;

use identity::roster::RosterLayout;
use proto::roster::v1::{
    RosterFinding, SubmitRosterRequest, SubmitRosterResponse, roster_service_server::RosterService,
};
use tonic::{Request, Response, Status};

use crate::{admission::RosterPlace, caller::Caller, convert, shared::Shared, status::Failure};

/// The service.
pub(crate) struct Roster(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl RosterService for Roster {
    #[tracing::instrument(name = "api.submit_roster", skip_all)]
    async fn submit_roster(
        &self,
        request: Request<SubmitRosterRequest>,
    ) -> Result<Response<SubmitRosterResponse>, Status> {
        let shared = &*self.0;
        let place = request.extensions().get::<RosterPlace>().cloned();
        shared
            .answer(shared.limits.roster_timeout_ms, async move {
                let _place = place;
                let caller = shared.caller(&request)?;
                submit(shared, &caller, request.into_inner()).await
            })
            .await
    }
}

async fn submit(
    shared: &Shared,
    caller: &Caller,
    request: SubmitRosterRequest,
) -> Result<SubmitRosterResponse, Failure> {
    let consumer = caller.consumer();
    let layout = consumer.roster.as_ref().ok_or(Failure::Precondition {
        reason: "NO_ROSTER_LAYOUT",
        what: "it is not agreed how this consumer's rosters read",
    })?;
    // Who may be told nothing tells nothing either: the exchange keeps no personal data that no agreement covers.
    shared.standing(caller).await?;
    let asked = (&*request.request_id, &request);
    shared.once((caller, "SubmitRoster"), asked, Box::pin(take(shared, caller, layout, &request))).await
}

async fn take(
    shared: &Shared,
    caller: &Caller,
    layout: &RosterLayout,
    request: &SubmitRosterRequest,
) -> Result<SubmitRosterResponse, Failure> {
    let consumer = caller.consumer();
    let date = convert::day("roster_date", request.roster_date)?;
    if request.content.is_empty() {
        return Err(Failure::Invalid { field: "content", what: "a CSV file with a header line" });
    }
    let deps = &shared.deps;
    let name = format!("submitted for {date}.csv");
    let file = (&consumer.id, name.as_str(), request.content.as_slice());
    let taken =
        intake::roster::take(&deps.pool, (&deps.agreements, &deps.tombstones), layout, file, (date, deps.clock.now()))
            .await?;
    let receipt = taken.receipt;
    tracing::info!(
        consumer = %consumer.id,
        roster.rows_in = receipt.rows_in,
        roster.accepted = receipt.accepted,
        roster.orders_waiting = taken.orders.len(),
        "a roster was taken"
    );
    Ok(SubmitRosterResponse {
        rows_in: convert::count(receipt.rows_in),
        accepted: convert::count(receipt.accepted),
        refused: convert::count(receipt.refused),
        findings: receipt
            .findings
            .into_iter()
            .map(|finding| RosterFinding {
                line: convert::count(finding.line),
                column: finding.column.unwrap_or_default(),
                rule: finding.rule.to_owned(),
                message: finding.message,
            })
            .collect(),
        refused_reason: receipt.refused_reason.unwrap_or_default(),
        seen_before: receipt.seen_before,
    })
}
