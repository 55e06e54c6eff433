//! Bulk decisions on doubtful matches.

use ::identity::review::bulk::{Alike, Bulk, BulkState, BulkVerdict};
use disclosure::review;
use proto::review::v1 as pb;

use super::{agency, page_size, reason, recalls, steward};
use crate::{convert, shared::Shared, status::Failure};

pub(super) async fn list_alike(
    shared: &Shared,
    request: pb::ListAlikePairsRequest,
) -> Result<pb::ListAlikePairsResponse, Failure> {
    let (consumer, size) = (agency(&request.consumer)?, page_size(request.page_size)?);
    let mut kinds = review::list_alike(shared.disclosure(), consumer.as_ref()).await?;
    kinds.truncate(size as usize);
    let kind = |one: Alike| pb::AlikePairs {
        alike_id: one.id,
        consumer: one.consumer,
        kind: one.kind,
        pair_count: convert::count(one.pairs),
        sample_to_link_count: one.sample_to_link.map(convert::count),
        sample_to_reject_count: convert::count(one.sample_to_reject),
    };
    Ok(pb::ListAlikePairsResponse { kinds: kinds.into_iter().map(kind).collect() })
}

pub(super) async fn draw(shared: &Shared, request: pb::DrawBulkRequest) -> Result<pb::DrawBulkResponse, Failure> {
    const ALIKE: Failure = Failure::Invalid { field: "alike_id", what: "pairs as ListAlikePairs names them" };
    let (by, reason) = (steward(shared, &request.steward)?, reason(&request.reason)?);
    convert::uuid("request_id", &request.request_id)?;
    let verdict = match request.outcome() {
        pb::Outcome::Match => BulkVerdict::Are,
        pb::Outcome::NonMatch => BulkVerdict::AreNot,
        _ => return Err(Failure::Invalid { field: "outcome", what: "match or non-match" }),
    };
    let alike = convert::name("alike_id", &request.alike_id)?.ok_or(ALIKE)?;
    let bulk = review::draw_bulk(shared.disclosure(), (alike, verdict), (by, reason)).await?;
    Ok(pb::DrawBulkResponse { bulk: Some(message(bulk)) })
}

pub(super) async fn get(shared: &Shared, request: &pb::GetBulkRequest) -> Result<pb::GetBulkResponse, Failure> {
    let bulk = review::find_bulk(shared.disclosure(), request.bulk_id).await?.ok_or(Failure::NotFound("bulk"))?;
    Ok(pb::GetBulkResponse { bulk: Some(message(bulk)) })
}

pub(super) async fn apply(shared: &Shared, request: pb::ApplyBulkRequest) -> Result<pb::ApplyBulkResponse, Failure> {
    let (by, reason) = (steward(shared, &request.steward)?, reason(&request.reason)?);
    convert::uuid("request_id", &request.request_id)?;
    let bulk = review::apply_bulk(shared.disclosure(), request.bulk_id, (by, reason)).await?;
    Ok(pb::ApplyBulkResponse { decided_count: convert::count(bulk.decided), bulk: Some(message(bulk)) })
}

pub(super) async fn undo(shared: &Shared, request: pb::UndoBulkRequest) -> Result<pb::UndoBulkResponse, Failure> {
    let (by, reason) = (steward(shared, &request.steward)?, reason(&request.reason)?);
    convert::uuid("request_id", &request.request_id)?;
    let (bulk, waiting, recalled) = review::undo_bulk(shared.disclosure(), request.bulk_id, (by, reason)).await?;
    Ok(pb::UndoBulkResponse {
        bulk: Some(message(bulk)),
        waiting_count: convert::count(waiting),
        recalled: recalls(&recalled),
    })
}

fn message(bulk: Bulk) -> pb::Bulk {
    let outcome = match bulk.verdict {
        BulkVerdict::Are => pb::Outcome::Match,
        BulkVerdict::AreNot => pb::Outcome::NonMatch,
    };
    let state = match bulk.state {
        BulkState::Open => pb::bulk::State::Open,
        BulkState::Refused => pb::bulk::State::Refused,
        BulkState::Applied => pb::bulk::State::Applied,
        BulkState::Undone => pb::bulk::State::Undone,
    };
    pb::Bulk {
        bulk_id: bulk.id,
        consumer: bulk.consumer,
        kind: bulk.kind,
        outcome: outcome.into(),
        state: state.into(),
        drawn_by: bulk.drawn_by,
        reason: bulk.reason,
        drawn_time: Some(convert::timestamp(bulk.drawn_at)),
        pair_count: convert::count(bulk.pairs),
        sample_count: convert::count(bulk.sampled),
        agreed_count: convert::count(bulk.agreed),
        disagreed_count: convert::count(bulk.disagreed),
        moved_on_count: convert::count(bulk.moved_on),
        client_ids_to_review: bulk.to_look_at,
    }
}
