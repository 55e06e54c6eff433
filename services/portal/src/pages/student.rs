//! One student's record: the summary as a page, as a document and as one sheet. Each view is a disclosure of its own, recorded with the digest
//! of exactly what is sent before it is sent.

use agreements::Delivery;
use askama::Template;
use axum::response::Response;
use chrono::NaiveDate;
use disclosure::{DisclosedHistory, Unencoded};
use hyper::{
    StatusCode,
    header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue},
};
use model::Masked;
use summary::{Form, Origin, RenderOptions, sign::Stamping, stamped};

use super::{Shell, caseload::ask};
use crate::{
    error::Failure,
    session::Session,
    visit::{Visit, page},
};

#[derive(Template)]
#[template(path = "student.html")]
struct Record<'v> {
    shell: Shell<'v>,
    handle: &'v str,
    blocks: &'v str,
}

/// The client of a handle. What is no handle of this session goes the same way, by a person id that nobody has: the refusal is recorded, and
/// takes as long, whoever was meant.
fn client(session: &Session, handle: &str) -> Masked<String> {
    session
        .client(handle)
        .unwrap_or_else(|| Masked::new(format!("no handle of this session: {}", crate::seal::short(handle))))
}

/// The record as a page.
pub(super) async fn show(visit: &mut Visit<'_>, handle: &str) -> Result<Response, Failure> {
    let visit = &*visit;
    let bytes = disclose(visit, handle, (Delivery::Unary, None), &|history, day| {
        let summary = summary::from_disclosure(history, day);
        let blocks = summary::web_part(&summary, Origin::Exchange, visit.language.of_summaries())
            .map_err(|error| error.to_string())?;
        let record = Record { shell: Shell::new(visit, &visit.words().student_title), handle, blocks: &blocks };
        Ok(record.render().map_err(|error| error.to_string())?.into_bytes())
    })
    .await?;
    Ok(page(StatusCode::OK, bytes))
}

/// The record as a document.
pub(super) async fn whole(visit: &mut Visit<'_>, handle: &str) -> Result<Response, Failure> {
    document(visit, handle, Form::Pdf, "school-records-summary.pdf").await
}

/// The record on one sheet.
pub(super) async fn one_page(visit: &mut Visit<'_>, handle: &str) -> Result<Response, Failure> {
    document(visit, handle, Form::OnePage, "school-records-one-page.pdf").await
}

async fn document(visit: &Visit<'_>, handle: &str, form: Form, name: &'static str) -> Result<Response, Failure> {
    let options = RenderOptions { origin: Origin::Exchange, form, language: visit.language.of_summaries() };
    let deps = &visit.portal.deps;
    let bytes = disclose(visit, handle, (Delivery::Pdf, deps.seals.stamping(form)), &|history, day| {
        let summary = summary::from_disclosure(history, day);
        summary::issue(&deps.renderer, &summary, options, deps.seals.of(history.decided_at()))
            .map_err(|error| error.to_string())
    })
    .await?;
    let mut response = page(StatusCode::OK, bytes);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.media_type()));
    if let Ok(value) = HeaderValue::from_str(&format!("inline; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// What turns a history, on a day, into exactly the bytes that leave.
type Make<'m> = dyn Fn(&DisclosedHistory, NaiveDate) -> Result<Vec<u8>, String> + Sync + 'm;

async fn disclose(
    visit: &Visit<'_>,
    handle: &str,
    (delivery, stamping): (Delivery, Option<&Stamping>),
    make: &Make<'_>,
) -> Result<Vec<u8>, Failure> {
    let (portal, session) = (visit.portal, visit.officer()?);
    let ask = ask(session, delivery);
    let person = client(session, handle);
    let zone = portal.consumer(ask.consumer).map_or(chrono_tz::Tz::UTC, |consumer| consumer.zone);
    let bytes_max = portal.config.limits.page_bytes_max;
    let encode = |history: &DisclosedHistory| {
        let bytes = make(history, history.decided_at().with_timezone(&zone).date_naive())?;
        if bytes.len() > bytes_max {
            return Err(Unencoded::TooLarge { bytes: bytes.len() as u64, bytes_max: bytes_max as u64 });
        }
        Ok(bytes)
    };
    let disclosed = stamped::disclose_one(portal.disclosure(), &ask, &person, &encode, stamping).await?;
    Ok(disclosed.bytes.to_vec())
}
