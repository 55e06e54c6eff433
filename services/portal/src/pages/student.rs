//! One student's record: the summary as a page, as a document and as one sheet. Each view is a disclosure of its own, recorded with the digest
//! of exactly what is sent before it is sent. The page says what is new since the same person looked last, and takes word of what looks wrong.

use std::sync::Mutex;

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
use summary::{Form, Marks, Origin, RenderOptions, sign::Stamping, stamped};

use super::{
    Shell,
    caseload::ask,
    report::{self, OwnReports},
};
use crate::{
    error::Failure,
    look::{Changes, Look, Viewing},
    session::Session,
    visit::{Visit, page},
    words::{Language, Words, fill},
};

#[derive(Template)]
#[template(path = "student.html")]
struct Record<'v> {
    shell: Shell<'v>,
    handle: &'v str,
    blocks: &'v str,
    since: String,
    changed: Vec<ChangedBlock>,
    reports: OwnReports,
}

/// A block in which something is new, as the page says it.
struct ChangedBlock {
    /// Where it stands on the page; none: at its beginning.
    place: Option<&'static str>,
    title: String,
    said: String,
}

/// The client of a handle. What is no handle of this session goes the same way, by a person id that nobody has: the refusal is recorded, and
/// takes as long, whoever was meant.
pub(super) fn client(session: &Session, handle: &str) -> Masked<String> {
    session
        .client(handle)
        .unwrap_or_else(|| Masked::new(format!("no handle of this session: {}", crate::seal::short(handle))))
}

/// The record as a page. What is seen is kept, by digest, once it may be seen.
pub(super) async fn show(visit: &mut Visit<'_>, handle: &str) -> Result<Response, Failure> {
    let visit = &*visit;
    let (portal, session) = (visit.portal, visit.officer()?);
    let person = client(session, handle);
    let viewing = Viewing::new(portal, &session.person, &person);
    let last = viewing.find_last(portal).await?;
    let reported = report::list_own(portal, &session.person, &person).await?;
    let seen: Mutex<Option<Look>> = Mutex::default();
    let make = |history: &DisclosedHistory, day: NaiveDate| {
        let summary = summary::from_disclosure(history, day);
        let said = |error: summary::Error| error.to_string();
        let language = visit.language.of_summaries();
        let told = summary::web_blocks(&summary, Origin::Exchange, language).map_err(said)?;
        let changes = viewing.compare(&told, history.student(), last.as_ref(), history.decided_at());
        let marks = Marks { word: &visit.words().since_mark, is_marked: &|block, row| changes.is_new(block, row) };
        let blocks = summary::web_part(&summary, Origin::Exchange, language, Some(&marks)).map_err(said)?;
        let record = Record {
            shell: Shell::new(visit, &visit.words().student_title),
            handle,
            blocks: &blocks,
            since: since(visit, session, &changes),
            changed: changed(visit.words(), &changes, &told),
            reports: report::own(visit, history.student(), &reported),
        };
        let bytes = record.render().map_err(|error| error.to_string())?.into_bytes();
        *seen.lock().map_err(|error| error.to_string())? = changes.look;
        Ok(bytes)
    };
    let bytes = disclose(visit, &person, (Delivery::Unary, None), &make).await?;
    if let Some(look) = seen.into_inner().ok().flatten() {
        viewing.keep(portal, &look).await?;
    }
    Ok(page(StatusCode::OK, bytes))
}

fn since(visit: &Visit<'_>, session: &Session, changes: &Changes) -> String {
    let words = visit.words();
    let Some(at) = changes.since else { return words.since_first.clone() };
    let zone = visit.portal.consumer(&session.person.standing.consumer).map_or(chrono_tz::Tz::UTC, |one| one.zone);
    let (day, time) = (Language::day_of(at, zone), at.with_timezone(&zone).format("%H:%M").to_string());
    let text = if changes.blocks.is_empty() { &words.since_nothing } else { &words.since_some };
    fill(text, &[("day", &day), ("time", &time)])
}

/// The blocks with something new. What another block repeats is told of there alone.
fn changed(words: &Words, changes: &Changes, blocks: &[summary::WebBlock]) -> Vec<ChangedBlock> {
    let is_repeated = |id: &str| blocks.iter().any(|block| block.id == id && block.is_repeated);
    let all = changes.blocks.iter().filter(|one| !is_repeated(one.id));
    all.map(|one| ChangedBlock {
        place: (!one.title.is_empty()).then_some(one.id),
        title: report::title(words, one.id, &one.title),
        said: fill(&words.since_new, &[("count", &one.new.to_string())]),
    })
    .collect()
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
    let person = client(visit.officer()?, handle);
    let bytes = disclose(visit, &person, (Delivery::Pdf, deps.seals.stamping(form)), &|history, day| {
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
    person: &Masked<String>,
    (delivery, stamping): (Delivery, Option<&Stamping>),
    make: &Make<'_>,
) -> Result<Vec<u8>, Failure> {
    let (portal, session) = (visit.portal, visit.officer()?);
    let ask = ask(session, delivery);
    let bytes_max = portal.config.limits.page_bytes_max;
    let encode = |history: &DisclosedHistory| {
        let bytes = make(history, history.told_on())?;
        if bytes.len() > bytes_max {
            return Err(Unencoded::TooLarge { bytes: bytes.len() as u64, bytes_max: bytes_max as u64 });
        }
        Ok(bytes)
    };
    let disclosed = stamped::disclose_one(portal.disclosure(), &ask, person, &encode, stamping).await?;
    Ok(disclosed.bytes.to_vec())
}
