//! `SummaryService`: one client's summary, asked for and answered.

use std::sync::{Arc, Mutex, PoisonError};

use ::summary::{Form, Language, Origin, RenderOptions, stamped};
use agreements::Delivery;
use chrono::{Datelike as _, NaiveDate};
use disclosure::{Ask, DisclosedHistory, Repeat, RequestMark};
use proto::{
    google::r#type::Date,
    summary::v1::{self as pb, GetSummaryRequest, GetSummaryResponse, summary_service_server::SummaryService},
};
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};

use crate::{caller::Caller, convert, history::within, shared::Shared, status::Failure};

/// The service.
pub(crate) struct Summaries(pub(crate) Arc<Shared>);

#[tonic::async_trait]
impl SummaryService for Summaries {
    #[tracing::instrument(name = "api.get_summary", skip_all)]
    async fn get_summary(&self, request: Request<GetSummaryRequest>) -> Result<Response<GetSummaryResponse>, Status> {
        let shared = &*self.0;
        shared
            .answer(shared.limits.request_timeout_ms, async move {
                let caller = shared.caller(&request)?;
                let request = request.into_inner();
                let asked = (&*request.request_id, &request);
                shared
                    .disclosing((&caller, "GetSummary"), asked, |mark| Box::pin(get(shared, (&caller, mark), &request)))
                    .await
            })
            .await
    }
}

async fn get(
    shared: &Shared,
    (caller, mark): (&Caller, Option<RequestMark>),
    request: &GetSummaryRequest,
) -> Result<GetSummaryResponse, Failure> {
    let person = convert::person("person_id", &request.person_id)?
        .ok_or(Failure::Invalid { field: "person_id", what: "the caller's own person id of the client" })?;
    let (options, delivery) = asked_for(request)?;
    let form = options.form;
    let ask = Ask {
        consumer: caller.id(),
        actor: caller.actor(),
        purpose: convert::name("purpose", &request.purpose)?,
        delivery,
        office: None,
        as_of: request.as_of_time.map(|at| convert::instant("as_of_time", at)).transpose()?,
        asker: caller.asker(convert::person("on_behalf_of", &request.on_behalf_of)?),
        run: None,
        repeat: Repeat::Always,
        request: mark,
    };
    // The day that was printed, that of what is told: the body may run again, and the last one counts.
    let printed = Mutex::new(NaiveDate::default());
    let encode = |history: &DisclosedHistory| {
        let told_on = history.told_on();
        *printed.lock().unwrap_or_else(PoisonError::into_inner) = told_on;
        let summary = ::summary::from_disclosure(history, told_on);
        let seal = shared.deps.seals.of(history.decided_at());
        let document = ::summary::issue(&shared.deps.renderer, &summary, options, seal);
        within(document.map_err(|error| error.to_string())?, shared.limits.history_bytes_max)
    };
    let stamping = shared.deps.seals.stamping(form);
    let disclosed = stamped::disclose_one(shared.disclosure(), &ask, &person, &encode, stamping).await?;
    let day = printed.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(GetSummaryResponse {
        sha256: Sha256::digest(&disclosed.bytes).to_vec(),
        disclosure_id: disclosed.history.disclosure().to_string(),
        media_type: form.media_type().to_owned(),
        report_date: Some(Date { year: day.year(), month: day.month().cast_signed(), day: day.day().cast_signed() }),
        document: disclosed.bytes.to_vec(),
    })
}

/// How the document is made, and the kind of delivery that the agreement must name for it.
fn asked_for(request: &GetSummaryRequest) -> Result<(RenderOptions, Delivery), Failure> {
    let (form, delivery) = form(request.format)?;
    Ok((RenderOptions { origin: Origin::Exchange, form, language: language(request.language)? }, delivery))
}

/// What is made, and the kind of delivery that the agreement must name for it.
fn form(format: i32) -> Result<(Form, Delivery), Failure> {
    const UNKNOWN: Failure = Failure::Invalid { field: "format", what: "one of the forms" };
    Ok(match pb::Format::try_from(format).map_err(|_| UNKNOWN)? {
        pb::Format::Unspecified | pb::Format::Pdf => (Form::Pdf, Delivery::Pdf),
        pb::Format::OnePage => (Form::OnePage, Delivery::Pdf),
        pb::Format::PdfWithRecord => (Form::PdfWithRecord, Delivery::Pdf),
        pb::Format::Html => (Form::Html, Delivery::Unary),
        pb::Format::Json => (Form::Json, Delivery::Unary),
        pb::Format::Message => (Form::Message, Delivery::Unary),
    })
}

fn language(language: i32) -> Result<Language, Failure> {
    const UNKNOWN: Failure = Failure::Invalid { field: "language", what: "one of the languages" };
    Ok(match pb::Language::try_from(language).map_err(|_| UNKNOWN)? {
        pb::Language::Unspecified | pb::Language::English => Language::English,
        pb::Language::Spanish => Language::Spanish,
        pb::Language::Portuguese => Language::Portuguese,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_made_in_the_language_and_form_that_the_call_names() {
        let of = |language: i32, format: i32| {
            asked_for(&GetSummaryRequest { language, format, ..GetSummaryRequest::default() }).ok()
        };
        let check = |language: pb::Language, expect: Language| {
            let options = of(language as i32, pb::Format::OnePage as i32).map(|(options, _)| options);
            let made = RenderOptions { origin: Origin::Exchange, form: Form::OnePage, language: expect };
            assert_eq!(options, Some(made), "{language:?}");
        };
        check(pb::Language::Unspecified, Language::English);
        check(pb::Language::English, Language::English);
        check(pb::Language::Spanish, Language::Spanish);
        check(pb::Language::Portuguese, Language::Portuguese);
        assert!(of(99, 0).is_none() && of(0, 99).is_none(), "what is not known is refused");
        assert!(of(0, 0).is_some_and(|(options, _)| options.form == Form::Pdf));
    }
}
