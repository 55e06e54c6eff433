//! The pages. Each is a function from a visit to an answer or a failure; what all share is here.

mod audit;
mod batches;
mod caseload;
mod desk;
mod log;
mod notices;
mod report;
mod review;
mod sandbox;
mod sheet;
mod sign_in;
mod student;
mod terms;

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use askama::Template;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::{get, post},
};
use futures::future::BoxFuture;
use hyper::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::{
    error::{Failure, Why},
    person::Work,
    server::Portal,
    visit::{Visit, drop_session, keep_language, page, redirect},
    words::{Language, Words},
};

/// Where the issuer sends browsers back to.
pub(crate) const SIGNED_IN: &str = "/signed-in";
/// Where the sandbox's issuer is.
pub(crate) const SANDBOX: &str = "/sandbox";
/// Where people sign in.
const SIGN_IN: &str = "/sign-in";
const CASELOAD: &str = "/caseload";

/// The style of documents' blocks, and behind it the portal's own.
static STYLE: LazyLock<(String, String)> = LazyLock::new(|| {
    let text = [summary::WEB_STYLE, include_str!("../assets/portal.css")].concat();
    let digest = hex::encode(&Sha256::digest(&text)[..8]);
    (format!("/style-{digest}.css"), text)
});

/// Where the style sheet is: its address changes with it.
pub(crate) fn style_path() -> &'static str {
    &STYLE.0
}

/// What a page is asked with, and what it makes of it.
type Page = for<'v, 'p> fn(&'v mut Visit<'p>, &'v str) -> BoxFuture<'v, Result<Response, Failure>>;

/// All addresses.
pub(crate) fn router(portal: &Arc<Portal>) -> Router {
    let mut router = Router::new()
        .route("/", get(at(|visit, _| Box::pin(async move { start(visit) }))))
        .route(style_path(), get(style))
        .route("/language", post(at(|visit, _| Box::pin(async move { language(visit) }))))
        .route(SIGN_IN, get(at(|visit, _| Box::pin(async move { sign_in::offer(visit) }))))
        .route("/sign-in/begin", get(at(|visit, _| Box::pin(sign_in::begin(visit)))))
        .route(SIGNED_IN, get(at(|visit, _| Box::pin(sign_in::finish(visit)))))
        .route("/sign-out", post(at(|visit, _| Box::pin(sign_in::end(visit)))))
        .route("/sign-out-everywhere", post(at(|visit, _| Box::pin(sign_in::end_all(visit)))))
        .route(
            CASELOAD,
            get(at(|visit, _| Box::pin(caseload::show(visit)))).post(at(|visit, _| Box::pin(caseload::search(visit)))),
        )
        .route("/student/{handle}", get(at(|visit, handle| Box::pin(student::show(visit, handle)))))
        .route("/student/{handle}/report", post(at(|visit, handle| Box::pin(report::file(visit, handle)))))
        .route("/student/{handle}/summary.pdf", get(at(|visit, handle| Box::pin(student::whole(visit, handle)))))
        .route("/student/{handle}/one-page.pdf", get(at(|visit, handle| Box::pin(student::one_page(visit, handle)))));
    router = router.route(
        notices::NOTICES,
        get(at(|visit, _| Box::pin(notices::show(visit)))).post(at(|visit, _| Box::pin(notices::take(visit)))),
    );
    router = looking_after(router);
    if portal.is_sandbox() {
        let (offer, choose) = (
            at(|visit, _| Box::pin(async move { sandbox::offer(visit) })),
            at(|visit, _| Box::pin(async move { sandbox::choose(visit) })),
        );
        router = router.route("/sandbox/authorize", get(offer).post(choose));
    }
    router.fallback(at(|_, _| Box::pin(async { Err(Failure::NotFound) }))).with_state(Arc::clone(portal))
}

/// The pages of the SEA's own stewards and auditors.
fn looking_after(router: Router<Arc<Portal>>) -> Router<Arc<Portal>> {
    let both = |page: Page| get(at(page)).post(at(page));
    router
        .route(desk::DESK, get(at(|visit, _| Box::pin(desk::show(visit)))))
        .route(review::REVIEW, both(|visit, _| Box::pin(review::list(visit))))
        .route(
            "/case/{handle}",
            get(at(|v, handle| Box::pin(review::open(v, handle))))
                .post(at(|v, handle| Box::pin(review::decide(v, handle)))),
        )
        .route(report::REPORTS, both(|visit, _| Box::pin(report::list(visit))))
        .route(
            "/report/{handle}",
            get(at(|v, handle| Box::pin(report::open(v, handle))))
                .post(at(|v, handle| Box::pin(report::answer(v, handle)))),
        )
        .route(batches::BATCHES, both(|visit, _| Box::pin(batches::list(visit))))
        .route("/batch/{number}", both(|visit, number| Box::pin(batches::show(visit, number))))
        .route("/batch/{number}/findings.csv", get(at(|visit, number| Box::pin(batches::download(visit, number)))))
        .route(terms::AGREEMENTS, get(at(|visit, _| Box::pin(terms::list(visit)))))
        .route("/agreement/{named}", get(at(|visit, named| Box::pin(terms::show(visit, named)))))
        .route(desk::NIGHTS, get(at(|visit, _| Box::pin(desk::nights(visit)))))
        .route(desk::EXPLAIN, both(|visit, _| Box::pin(desk::explain(visit))))
        .route(audit::LEDGER, both(|visit, _| Box::pin(audit::search_ledger(visit))))
        .route(audit::RECORD, both(|visit, _| Box::pin(audit::record(visit))))
        .route(log::LOG, both(|visit, _| Box::pin(log::show(visit))))
        .route(audit::DESTRUCTION, get(at(|visit, _| Box::pin(audit::destruction(visit)))))
}

/// The pages that somebody's work is done on: where each is, and what it is called; the first is where they begin.
fn places(work: Option<Work>, words: &Words) -> Vec<(&'static str, &str)> {
    match work {
        None => Vec::new(),
        Some(Work::Clients) => vec![(CASELOAD, &words.caseload)],
        Some(Work::Notices) => vec![(notices::NOTICES, &words.notices)],
        Some(Work::Stewardship) => vec![
            (desk::DESK, &words.overview),
            (review::REVIEW, &words.review),
            (report::REPORTS, &words.reports),
            (batches::BATCHES, &words.batches),
            (desk::NIGHTS, &words.jobs),
            (terms::AGREEMENTS, &words.agreements),
            (desk::EXPLAIN, &words.explain),
        ],
        Some(Work::Audit) => vec![
            (audit::LEDGER, &words.ledger),
            (audit::RECORD, &words.record),
            (log::LOG, &words.log),
            (audit::DESTRUCTION, &words.destruction),
            (terms::AGREEMENTS, &words.agreements),
        ],
        Some(Work::Law) => vec![(terms::AGREEMENTS, &words.agreements)],
    }
}

/// Serves a page: who asks and what they sent is read first, failures become pages, and nothing takes too long.
fn at(
    page: Page,
) -> impl Fn(State<Arc<Portal>>, Request) -> BoxFuture<'static, Response> + Clone + Send + Sync + 'static {
    move |State(portal), request| {
        Box::pin(async move {
            // What an address is about stands in its second part: a handle needs no decoding.
            let handle = request.uri().path().split('/').nth(2).unwrap_or_default().to_owned();
            let mut visit = Visit::read(&portal, &request);
            let limit = Duration::from_millis(portal.config.limits.answer_timeout_ms);
            let work = async {
                let answer = timeout(limit, Box::pin(answer(&mut visit, page, &handle, request))).await;
                answer.unwrap_or(Err(Failure::TooLate))
            };
            let answer = disclosure::on_the_grid(work, |failure| matches!(failure, Failure::Denied(_))).await;
            answer.unwrap_or_else(|failure| failed(&visit, &failure))
        })
    }
}

async fn answer(visit: &mut Visit<'_>, page: Page, handle: &str, request: Request) -> Result<Response, Failure> {
    if request.method() == Method::POST {
        visit.read_form(request.into_body()).await?;
    }
    visit.find_session().await?;
    page(visit, handle).await
}

/// What stands around every page.
pub(crate) struct Shell<'v> {
    words: &'static Words,
    language: &'static str,
    title: &'v str,
    style: &'static str,
    is_sandbox: bool,
    person: Option<PersonLine<'v>>,
    form_token: &'v str,
}

/// Who is signed in, as they see it.
struct PersonLine<'v> {
    name: &'v str,
    agency: &'v str,
    role: String,
    places: Vec<(&'static str, &'v str)>,
}

impl<'v> Shell<'v> {
    pub(crate) fn new(visit: &'v Visit<'_>, title: &'v str) -> Self {
        let session = visit.session.as_ref();
        let person = session.map(|session| {
            let person = &session.person;
            let agency = visit.portal.consumer(&person.standing.consumer);
            PersonLine {
                name: person.name.expose(),
                agency: agency.map_or("", |agency| &agency.name),
                role: person.standing.role.replace('_', " "),
                places: places(visit.work, visit.words()),
            }
        });
        Self {
            words: visit.words(),
            language: visit.language.code(),
            title,
            style: style_path(),
            is_sandbox: visit.portal.is_sandbox(),
            person,
            form_token: session.map_or("", |session| &session.form_token),
        }
    }
}

/// A page that says one thing.
#[derive(Template)]
#[template(path = "message.html")]
pub(crate) struct Message<'v> {
    pub(crate) shell: Shell<'v>,
    pub(crate) text: &'v str,
    /// Where one goes on, and what that is called.
    pub(crate) onward: (&'v str, &'v str),
}

fn failed(visit: &Visit<'_>, failure: &Failure) -> Response {
    let words = visit.words();
    match failure {
        Failure::SignedOut(why) => {
            let mut response = redirect(&match why {
                Why::Never if visit.session_cookie().is_none() => SIGN_IN.to_owned(),
                why => format!("{SIGN_IN}?why={}", why.code()),
            });
            drop_session(&mut response);
            return response;
        }
        Failure::Unavailable(source) => {
            tracing::warn!(
                error = &**source as &(dyn std::error::Error + 'static),
                "a page could not be given for now"
            );
        }
        Failure::Conflict(source) => {
            tracing::info!(why = &**source as &(dyn std::error::Error + 'static), "a decision was not taken");
        }
        Failure::Internal(source) => {
            let incident = visit.portal.deps.entropy.uuid();
            tracing::error!(incident.id = %incident, error = &**source as &(dyn std::error::Error + 'static), "a page failed");
        }
        _ => {}
    }
    let (status, text) = failure.told(words);
    let onward =
        if matches!(failure, Failure::NotSignedIn(_)) { (SIGN_IN, &*words.sign_in_again) } else { ("/", &*words.home) };
    let message = Message { shell: Shell::new(visit, &words.error_title), text, onward };
    match message.render() {
        Ok(html) => page(status, html),
        Err(_) => page(StatusCode::INTERNAL_SERVER_ERROR, ""),
    }
}

/// To where the person's work is.
fn start(visit: &Visit<'_>) -> Result<Response, Failure> {
    visit.session()?;
    let words = visit.words();
    if let Some((first, _)) = places(visit.work, words).first() {
        return Ok(redirect(first));
    }
    let message =
        Message { shell: Shell::new(visit, &words.no_work_title), text: &words.no_work, onward: ("/", &words.home) };
    Ok(page(StatusCode::OK, message.render()?))
}

/// Keeps the language that was chosen.
fn language(visit: &Visit<'_>) -> Result<Response, Failure> {
    visit.check_site()?;
    let chosen = visit.form.get("language").and_then(|code| Language::of_code(code)).ok_or(Failure::Invalid)?;
    let mut response = redirect("/");
    keep_language(&mut response, chosen);
    Ok(response)
}

async fn style() -> Response {
    let mut response = Response::new(Body::from(STYLE.1.as_str()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    response
}
