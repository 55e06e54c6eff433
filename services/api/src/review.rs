//! `ReviewService`: doubtful matches, for the state education agency's own stewards.
//!
//! Who may call follows from the agreement in force, not from a name: its population is every student, and it names the calling system.

mod bulk;

use std::sync::Arc;

use ::identity::review::{Candidate, Case, Comparison, Past, Place, Verdict};
use agreements::{Approval, Delivery};
use chrono::{Datelike as _, Days, NaiveDate};
use disclosure::{
    Ask, Asker, Repeat,
    recall::Recalled,
    review::{self, Decided},
};
use model::{ConsumerId, Masked, StudentId};
use proto::{
    google::r#type::Date,
    review::v1::{self as pb, review_service_server::ReviewService},
};
use tonic::{Request, Response, Status};

use crate::{
    caller::Caller,
    convert,
    own::{own, steward},
    shared::Shared,
    status::Failure,
};

/// Clients of a page, if the caller does not say.
const PAGE: u32 = 50;
/// Days of figures, if the caller does not say.
const DAYS: u32 = 90;
/// The longest reason.
const REASON_BYTES_MAX: usize = 4 * 1024;

/// The service.
pub(crate) struct Review(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl ReviewService for Review {
    #[tracing::instrument(name = "api.list_reviews", skip_all)]
    async fn list_reviews(
        &self,
        request: Request<pb::ListReviewsRequest>,
    ) -> Result<Response<pb::ListReviewsResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                own(shared, &request).await?;
                list(shared, request.into_inner()).await
            })
            .await
    }

    #[tracing::instrument(name = "api.get_review", skip_all)]
    async fn get_review(
        &self,
        request: Request<pb::GetReviewRequest>,
    ) -> Result<Response<pb::GetReviewResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = own(shared, &request).await?;
                get(shared, &caller, request.into_inner()).await
            })
            .await
    }

    #[tracing::instrument(name = "api.decide_review", skip_all)]
    async fn decide_review(
        &self,
        request: Request<pb::DecideReviewRequest>,
    ) -> Result<Response<pb::DecideReviewResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = own(shared, &request).await?;
                let request = request.into_inner();
                let asked = (&*request.request_id, &request);
                shared.once((&caller, "DecideReview"), asked, Box::pin(decide(shared, request.clone()))).await
            })
            .await
    }

    #[tracing::instrument(name = "api.undo_review", skip_all)]
    async fn undo_review(
        &self,
        request: Request<pb::UndoReviewRequest>,
    ) -> Result<Response<pb::UndoReviewResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = own(shared, &request).await?;
                let request = request.into_inner();
                let asked = (&*request.request_id, &request);
                shared.once((&caller, "UndoReview"), asked, Box::pin(undo(shared, request.clone()))).await
            })
            .await
    }

    #[tracing::instrument(name = "api.request_override", skip_all)]
    async fn request_override(
        &self,
        request: Request<pb::RequestOverrideRequest>,
    ) -> Result<Response<pb::RequestOverrideResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = own(shared, &request).await?;
                let request = request.into_inner();
                let asked = (&*request.request_id, &request);
                shared.once((&caller, "RequestOverride"), asked, Box::pin(ask_override(shared, request.clone()))).await
            })
            .await
    }

    #[tracing::instrument(name = "api.approve_override", skip_all)]
    async fn approve_override(
        &self,
        request: Request<pb::ApproveOverrideRequest>,
    ) -> Result<Response<pb::ApproveOverrideResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                own(shared, &request).await?;
                approve(shared, request.into_inner()).await
            })
            .await
    }

    #[tracing::instrument(name = "api.get_review_stats", skip_all)]
    async fn get_review_stats(
        &self,
        request: Request<pb::GetReviewStatsRequest>,
    ) -> Result<Response<pb::GetReviewStatsResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                own(shared, &request).await?;
                stats(shared, request.into_inner()).await
            })
            .await
    }

    #[tracing::instrument(name = "api.list_alike_pairs", skip_all)]
    async fn list_alike_pairs(
        &self,
        request: Request<pb::ListAlikePairsRequest>,
    ) -> Result<Response<pb::ListAlikePairsResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                own(shared, &request).await?;
                bulk::list_alike(shared, request.into_inner()).await
            })
            .await
    }

    #[tracing::instrument(name = "api.draw_bulk", skip_all)]
    async fn draw_bulk(&self, request: Request<pb::DrawBulkRequest>) -> Result<Response<pb::DrawBulkResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = own(shared, &request).await?;
                let request = request.into_inner();
                let asked = (&*request.request_id, &request);
                shared.once((&caller, "DrawBulk"), asked, Box::pin(bulk::draw(shared, request.clone()))).await
            })
            .await
    }

    #[tracing::instrument(name = "api.get_bulk", skip_all)]
    async fn get_bulk(&self, request: Request<pb::GetBulkRequest>) -> Result<Response<pb::GetBulkResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                own(shared, &request).await?;
                bulk::get(shared, &request.into_inner()).await
            })
            .await
    }

    #[tracing::instrument(name = "api.apply_bulk", skip_all)]
    async fn apply_bulk(
        &self,
        request: Request<pb::ApplyBulkRequest>,
    ) -> Result<Response<pb::ApplyBulkResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = own(shared, &request).await?;
                let request = request.into_inner();
                let asked = (&*request.request_id, &request);
                shared.once((&caller, "ApplyBulk"), asked, Box::pin(bulk::apply(shared, request.clone()))).await
            })
            .await
    }

    #[tracing::instrument(name = "api.undo_bulk", skip_all)]
    async fn undo_bulk(&self, request: Request<pb::UndoBulkRequest>) -> Result<Response<pb::UndoBulkResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = own(shared, &request).await?;
                let request = request.into_inner();
                let asked = (&*request.request_id, &request);
                shared.once((&caller, "UndoBulk"), asked, Box::pin(bulk::undo(shared, request.clone()))).await
            })
            .await
    }
}

fn reason(text: &str) -> Result<&str, Failure> {
    match text.trim() {
        text if !text.is_empty() && text.len() <= REASON_BYTES_MAX => Ok(text),
        _ => Err(Failure::Invalid { field: "reason", what: "why, in at most 4096 bytes" }),
    }
}

fn student(field: &'static str, text: &str) -> Result<StudentId, Failure> {
    let id = convert::uuid(field, text)?;
    id.map(StudentId).ok_or(Failure::Invalid { field, what: "a student of the case" })
}

/// One agency, or all.
fn agency(text: &str) -> Result<Option<ConsumerId>, Failure> {
    match convert::name("consumer", text)? {
        Some(text) => {
            text.parse().map(Some).map_err(|_| Failure::Invalid { field: "consumer", what: "a consumer's id" })
        }
        None => Ok(None),
    }
}

fn page_size(size: i32) -> Result<u32, Failure> {
    match u32::try_from(size) {
        Ok(0) => Ok(PAGE),
        Ok(size) => Ok(size.min(review::PAGE_MAX)),
        Err(_) => Err(Failure::Invalid { field: "page_size", what: "0 or more" }),
    }
}

async fn list(shared: &Shared, request: pb::ListReviewsRequest) -> Result<pb::ListReviewsResponse, Failure> {
    let consumer = agency(&request.consumer)?;
    let after = match request.page_token.as_str() {
        "" => None,
        text => Some(
            Place::parse(text)
                .ok_or(Failure::Invalid { field: "page_token", what: "a token that this caller was given" })?,
        ),
    };
    let size = page_size(request.page_size)?;
    let page = review::list(shared.disclosure(), consumer.as_ref(), after, size).await?;
    let next = page.last().filter(|_| page.len() == size as usize).map(|last| last.place().to_text());
    let client = |one: ::identity::review::Waiting| pb::WaitingClient {
        client_id: one.client,
        consumer: one.consumer,
        candidate_count: i32::try_from(one.candidates).unwrap_or(i32::MAX),
        best_probability: one.best,
        waiting_since_time: Some(convert::timestamp(one.waiting_since)),
        contested: one.is_contested,
        authority_in_force: one.has_authority,
    };
    Ok(pb::ListReviewsResponse {
        clients: page.into_iter().map(client).collect(),
        next_page_token: next.unwrap_or_default(),
    })
}

async fn get(
    shared: &Shared,
    caller: &Caller,
    request: pb::GetReviewRequest,
) -> Result<pb::GetReviewResponse, Failure> {
    let by = steward(shared, &request.steward)?;
    let asker = Asker { person: Some(Masked::new(by.to_owned())), ..caller.asker(None) };
    let ask = Ask {
        consumer: caller.id(),
        actor: caller.actor(),
        purpose: None,
        delivery: Delivery::Unary,
        office: None,
        as_of: None,
        asker,
        run: None,
        repeat: Repeat::Always,
        request: None,
    };
    Ok(case(review::open(shared.disclosure(), &ask, request.client_id).await?))
}

async fn decide(shared: &Shared, request: pb::DecideReviewRequest) -> Result<pb::DecideReviewResponse, Failure> {
    use pb::decide_review_request::Verdict as Said;
    let (by, reason) = (steward(shared, &request.steward)?, reason(&request.reason)?);
    convert::uuid("request_id", &request.request_id)?;
    let verdict = match request.verdict {
        Some(Said::IsStudentId(id)) => Verdict::Is(student("is_student_id", &id)?),
        Some(Said::IsNotStudentId(id)) => Verdict::IsNot(student("is_not_student_id", &id)?),
        Some(Said::IsNobody(true)) => Verdict::IsNobody,
        _ => return Err(Failure::Invalid { field: "verdict", what: "one of the three" }),
    };
    let Decided { is_matched, recalled } =
        review::decide(shared.disclosure(), request.client_id, verdict, (by, reason)).await?;
    Ok(pb::DecideReviewResponse { matched: is_matched, recalled: recalls(&recalled) })
}

async fn undo(shared: &Shared, request: pb::UndoReviewRequest) -> Result<pb::UndoReviewResponse, Failure> {
    let (by, reason) = (steward(shared, &request.steward)?, reason(&request.reason)?);
    convert::uuid("request_id", &request.request_id)?;
    let undone = review::undo(shared.disclosure(), request.client_id, (by, reason)).await?;
    Ok(pb::UndoReviewResponse { recalled: recalls(&undone.recalled) })
}

async fn ask_override(
    shared: &Shared,
    request: pb::RequestOverrideRequest,
) -> Result<pb::RequestOverrideResponse, Failure> {
    let (by, reason) = (steward(shared, &request.steward)?, reason(&request.reason)?);
    convert::uuid("request_id", &request.request_id)?;
    let pair = (request.client_id, student("student_id", &request.student_id)?);
    let filed = review::request_override(shared.disclosure(), pair, (by, reason)).await?;
    Ok(pb::RequestOverrideResponse {
        override_id: filed.id.to_string(),
        statement: filed.statement,
        digest: filed.digest.to_vec(),
    })
}

async fn approve(shared: &Shared, request: pb::ApproveOverrideRequest) -> Result<pb::ApproveOverrideResponse, Failure> {
    const SIGNATURE: Failure = Failure::Invalid { field: "signature", what: "64 bytes" };
    let id = convert::uuid("override_id", &request.override_id)?
        .ok_or(Failure::Invalid { field: "override_id", what: "a link that was asked for" })?;
    let given = request.given_time.ok_or(Failure::Invalid { field: "given_time", what: "an instant" })?;
    let approval = Approval {
        steward: steward(shared, &request.steward)?.to_owned(),
        given_at: convert::instant("given_time", given)?,
        signature: request.signature.try_into().map_err(|_| SIGNATURE)?,
    };
    let decided = review::approve_override(shared.disclosure(), id, &approval).await?.unwrap_or_default();
    Ok(pb::ApproveOverrideResponse { matched: decided.is_matched, recalled: recalls(&decided.recalled) })
}

async fn stats(shared: &Shared, request: pb::GetReviewStatsRequest) -> Result<pb::GetReviewStatsResponse, Failure> {
    const DAY_COUNT: Failure = Failure::Invalid { field: "day_count", what: "0 or more, and no more than there were" };
    let days = match u32::try_from(request.day_count).map_err(|_| DAY_COUNT)? {
        0 => DAYS,
        days => days,
    };
    let from = shared.deps.clock.now().checked_sub_days(Days::new(u64::from(days))).ok_or(DAY_COUNT)?;
    let (queues, bins) = review::stats(shared.disclosure(), from).await?;
    let queue = |one: ::identity::review::Queue| pb::QueueStats {
        consumer: one.consumer,
        waiting_count: convert::count(one.waiting),
        contested_count: convert::count(one.contested),
        oldest_time: one.oldest.map(convert::timestamp),
    };
    let bin = |one: ::identity::review::Reliability| pb::ReliabilityBin {
        probability_min: one.from,
        decided_count: convert::count(one.decided),
        confirmed_count: convert::count(one.confirmed),
        expected_count: one.expected,
    };
    Ok(pb::GetReviewStatsResponse {
        queues: queues.into_iter().map(queue).collect(),
        reliability: bins.into_iter().map(bin).collect(),
    })
}

fn recalls(list: &[Recalled]) -> Vec<pb::RecalledDisclosure> {
    let message = |one: &Recalled| pb::RecalledDisclosure {
        disclosure_id: one.disclosure.to_string(),
        consumer: one.consumer.to_string(),
        person_id: one.person_key.expose().clone(),
        disclosed_time: Some(convert::timestamp(one.disclosed_at)),
    };
    list.iter().map(message).collect()
}

fn outcome(text: &str) -> i32 {
    let outcome = match text {
        "match" => pb::Outcome::Match,
        "review" => pb::Outcome::Review,
        "non_match" => pb::Outcome::NonMatch,
        _ => pb::Outcome::Unspecified,
    };
    outcome.into()
}

fn date(day: NaiveDate) -> Date {
    Date { year: day.year(), month: day.month().cast_signed(), day: day.day().cast_signed() }
}

fn case(case: Case) -> pb::GetReviewResponse {
    let d = case.details;
    let name = pb::PersonName { first: d.first_name, middle: d.middle_name, last: d.last_name, suffix: d.suffix };
    let some = |text: String| Some(text).filter(|text| !text.is_empty()).into_iter().collect();
    pb::GetReviewResponse {
        client_id: case.client,
        consumer: case.consumer.to_string(),
        person_id: case.person_key.into_exposed(),
        details: Some(pb::PersonDetails {
            names: vec![name],
            birth_dates: d.birth_date.map(date).into_iter().collect(),
            sex: d.sex,
            towns: some(d.town),
            sasids: some(d.sasid),
        }),
        candidates: case.candidates.into_iter().map(candidate).collect(),
        past_decisions: case.past.into_iter().map(past).collect(),
    }
}

fn candidate(one: Candidate) -> pb::ReviewCandidate {
    let person = one.person;
    let name = |name: ::identity::PersonName| pb::PersonName {
        first: name.first,
        middle: name.middle,
        last: name.last,
        suffix: name.suffix,
    };
    let comparison = |part: Comparison| pb::Comparison {
        comparison: part.comparison,
        level: part.level,
        bits: part.bits,
        frequency: part.frequency,
    };
    pb::ReviewCandidate {
        student_id: one.student.to_string(),
        details: Some(pb::PersonDetails {
            names: person.names.into_iter().map(name).collect(),
            birth_dates: person.birth_dates.into_iter().map(date).collect(),
            sex: person.sex.unwrap_or_default(),
            towns: person.addresses.into_iter().map(|address| address.town).filter(|town| !town.is_empty()).collect(),
            sasids: person.sasids,
        }),
        probability: one.probability,
        score_bits: one.score_bits,
        comparisons: one.comparisons.into_iter().map(comparison).collect(),
        reason: one.reason,
        outcome: outcome(&one.outcome),
        taken: one.is_taken,
    }
}

fn past(one: Past) -> pb::PastDecision {
    pb::PastDecision {
        student_id: one.student.map(|student| student.to_string()).unwrap_or_default(),
        outcome: outcome(&one.outcome),
        decided_by: one.decided_by,
        reason: one.reason,
        decided_time: Some(convert::timestamp(one.decided_at)),
        superseded_time: one.superseded_at.map(convert::timestamp),
    }
}
