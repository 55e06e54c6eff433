//! `HistoryService`: one client, asked for and answered; and for the state education agency itself, where it comes from.

use std::sync::Arc;

use agreements::Delivery;
use disclosure::{Ask, DisclosedHistory, Repeat, RequestMark, Unencoded};
use futures::future::BoxFuture;
use prost::Message as _;
use proto::history::v1::{
    GetHistoryRequest, GetHistoryResponse, TraceLineageRequest, TraceLineageResponse,
    history_service_server::HistoryService,
};
use tonic::{Request, Response, Status};

use crate::{caller::Caller, convert, lineage, own::own, shared::Shared, status::Failure};

/// The service.
pub(crate) struct History(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl HistoryService for History {
    #[tracing::instrument(name = "api.get_history", skip_all)]
    async fn get_history(&self, request: Request<GetHistoryRequest>) -> Result<Response<GetHistoryResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = shared.caller(&request)?;
                let request = request.into_inner();
                let asked = (&*request.request_id, &request);
                shared
                    .disclosing((&caller, "GetHistory"), asked, |mark| Box::pin(get(shared, (&caller, mark), &request)))
                    .await
            })
            .await
    }

    #[tracing::instrument(name = "api.trace_lineage", skip_all)]
    async fn trace_lineage(
        &self,
        request: Request<TraceLineageRequest>,
    ) -> Result<Response<TraceLineageResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = own(shared, &request).await?;
                let request = request.into_inner();
                let asked = (&*request.request_id, &request);
                let trace = |mark| Box::pin(lineage::trace(shared, (&caller, mark), &request)) as BoxFuture<'_, _>;
                shared.disclosing((&caller, "TraceLineage"), asked, trace).await
            })
            .await
    }
}

async fn get(
    shared: &Shared,
    (caller, mark): (&Caller, Option<RequestMark>),
    request: &GetHistoryRequest,
) -> Result<GetHistoryResponse, Failure> {
    let person = convert::person("person_id", &request.person_id)?
        .ok_or(Failure::Invalid { field: "person_id", what: "the caller's own person id of the client" })?;
    let ask = Ask {
        consumer: caller.id(),
        actor: caller.actor(),
        purpose: convert::name("purpose", &request.purpose)?,
        delivery: Delivery::Unary,
        office: None,
        as_of: request.as_of_time.map(|at| convert::instant("as_of_time", at)).transpose()?,
        asker: caller.asker(convert::person("on_behalf_of", &request.on_behalf_of)?),
        run: None,
        repeat: Repeat::Always,
        request: mark,
    };
    let encode = |history: &DisclosedHistory| encode(history, shared.limits.history_bytes_max);
    let disclosed = disclosure::disclose_one(shared.disclosure(), &ask, &person, &encode).await?;
    // What is sent is what was recorded: the message is read back from the very bytes whose digest the ledger holds, and
    // encodes to them again.
    GetHistoryResponse::decode(&*disclosed.bytes).map_err(Failure::of)
}

fn encode(history: &DisclosedHistory, bytes_max: usize) -> Result<Vec<u8>, Unencoded> {
    let message = GetHistoryResponse { history: Some(convert::history(history)) };
    within(message.encode_to_vec(), bytes_max)
}

/// What could not be sent must not be recorded as sent.
pub(crate) fn within(bytes: Vec<u8>, bytes_max: usize) -> Result<Vec<u8>, Unencoded> {
    if bytes.len() <= bytes_max {
        return Ok(bytes);
    }
    Err(Unencoded::TooLarge { bytes: bytes.len() as u64, bytes_max: bytes_max as u64 })
}
