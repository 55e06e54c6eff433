//! `LedgerService`: checkpoints and proofs, so that recipients need not trust us.

use std::sync::Arc;

use ::ledger::Error as LedgerError;
use futures::future::BoxFuture;
use model::DisclosureId;
use pg::{Role, Tx};
use proto::ledger::v1::{
    GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest, GetConsistencyProofResponse,
    GetInclusionProofRequest, GetInclusionProofResponse, ledger_service_server::LedgerService,
};
use tonic::{Request, Response, Status};

use crate::{caller::Caller, convert, shared::Shared, status::Failure};

const NO_CHECKPOINT: LedgerError = LedgerError::Precondition("no checkpoint is signed yet");

/// The service.
pub(crate) struct Ledger(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl LedgerService for Ledger {
    #[tracing::instrument(name = "api.get_checkpoint", skip_all)]
    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                shared.caller(&request)?;
                checkpoint(shared).await
            })
            .await
    }

    #[tracing::instrument(name = "api.get_inclusion_proof", skip_all)]
    async fn get_inclusion_proof(
        &self,
        request: Request<GetInclusionProofRequest>,
    ) -> Result<Response<GetInclusionProofResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = shared.caller(&request)?;
                inclusion(shared, &caller, &request.into_inner()).await
            })
            .await
    }

    #[tracing::instrument(name = "api.get_consistency_proof", skip_all)]
    async fn get_consistency_proof(
        &self,
        request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                shared.caller(&request)?;
                consistency(shared, request.into_inner()).await
            })
            .await
    }
}

/// Reads from the ledger in one transaction.
async fn read<'env, T: Send>(
    shared: &'env Shared,
    name: &'static str,
    body: impl for<'tx, 'c> FnMut(&'tx mut Tx<'c, 'env>) -> BoxFuture<'tx, Result<T, LedgerError>> + Send,
) -> Result<T, LedgerError> {
    pg::run_tx(&shared.deps.pool, name, Role::Ledger, body).await
}

async fn checkpoint(shared: &Shared) -> Result<GetCheckpointResponse, Failure> {
    let found =
        read(shared, "api.checkpoint", |tx| Box::pin(async move { ::ledger::find_last_checkpoint(tx).await })).await?;
    Ok(GetCheckpointResponse { checkpoint: found.ok_or(NO_CHECKPOINT)? })
}

async fn inclusion(
    shared: &Shared,
    caller: &Caller,
    request: &GetInclusionProofRequest,
) -> Result<GetInclusionProofResponse, Failure> {
    let id = convert::uuid("disclosure_id", &request.disclosure_id)?
        .ok_or(Failure::Invalid { field: "disclosure_id", what: "the id that the history or the document bears" })?;
    let (consumer, id) = (caller.id(), DisclosureId(id));
    let proof = read(shared, "api.inclusion", |tx| {
        Box::pin(async move {
            // Another's disclosure and none at all are one answer.
            if ::ledger::find_party(tx, id).await?.as_ref() == Some(consumer) {
                ::ledger::inclusion(tx, id).await.map(Some)
            } else {
                Ok(None)
            }
        })
    })
    .await?
    .ok_or(Failure::Withheld)?;
    let size = ::ledger::checkpoint::size_of(&proof.checkpoint).map_err(Failure::of)?;
    Ok(GetInclusionProofResponse {
        leaf_index: convert::count(proof.index),
        tree_size: convert::count(size),
        leaf_hash: proof.leaf.hash().as_bytes().to_vec(),
        hashes: proof.path.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
        proof: proof.to_string(),
        checkpoint: proof.checkpoint,
    })
}

async fn consistency(
    shared: &Shared,
    request: GetConsistencyProofRequest,
) -> Result<GetConsistencyProofResponse, Failure> {
    let size =
        |field, size| u64::try_from(size).map_err(|_| Failure::Invalid { field, what: "the size of a checkpoint" });
    let old = size("old_size", request.old_size)?;
    let wanted = Some(size("new_size", request.new_size)?).filter(|size| *size > 0);
    let (new, checkpoint, hashes) = read(shared, "api.consistency", |tx| {
        Box::pin(async move {
            let (new, checkpoint) = match wanted {
                Some(size) => (size, ::ledger::find_checkpoint(tx, size).await?),
                None => match ::ledger::find_last_checkpoint(tx).await? {
                    Some(note) => (::ledger::checkpoint::size_of(&note)?, Some(note)),
                    None => return Err(NO_CHECKPOINT),
                },
            };
            let checkpoint = checkpoint.ok_or(LedgerError::NotFound("checkpoint of that size"))?;
            // A tree extends itself; there is nothing to prove.
            let same = old == new;
            let hashes = if same { Vec::new() } else { ::ledger::consistency(tx, old, new).await? };
            Ok((new, checkpoint, hashes))
        })
    })
    .await?;
    Ok(GetConsistencyProofResponse {
        old_size: convert::count(old),
        new_size: convert::count(new),
        hashes: hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
        checkpoint,
    })
}
