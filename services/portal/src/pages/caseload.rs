//! The clients of somebody: the list from which they open a record. It is their own agency's roster.

use agreements::Delivery;
use askama::Template;
use axum::response::Response;
use chrono::TimeDelta;
use disclosure::{Ask, Caseload, Repeat, list_caseload};
use hyper::StatusCode;
use identity::roster::Supervised;
use model::Masked;

use super::Shell;
use crate::{
    error::Failure,
    session::Session,
    visit::{Visit, page},
    words::{Language, Words, fill},
};

/// Letters of a search that are looked at.
const SEARCH_MAX: usize = 100;

#[derive(Template)]
#[template(path = "caseload.html")]
struct List<'v> {
    shell: Shell<'v>,
    about: &'v str,
    searched: &'v str,
    count: String,
    is_cut: bool,
    rows: Vec<Row>,
    has_offices: bool,
    has_officers: bool,
    /// The page before and the one behind, if there are any; from 1.
    before: Option<usize>,
    behind: Option<usize>,
    place: String,
}

/// A client, as the list shows them.
struct Row {
    handle: String,
    name: String,
    person_key: String,
    birth_date: String,
    office: String,
    officer: String,
    basis: String,
    since: String,
    until: String,
}

/// What somebody of an agency asks with, by this kind of delivery.
pub(super) fn ask(session: &Session, delivery: Delivery) -> Ask<'_> {
    Ask {
        consumer: &session.person.standing.consumer,
        actor: session.person.actor(),
        purpose: None,
        delivery,
        office: None,
        as_of: None,
        asker: session.person.asker(),
        run: None,
        repeat: Repeat::Always,
        request: None,
    }
}

/// The list from its beginning.
pub(super) async fn show(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    list(visit, "", 1).await
}

/// The list by a search, or another page of it. What is searched for is in the form: an address would keep it.
pub(super) async fn search(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    visit.check_form()?;
    let search = visit.form.get("search").map_or("", |text| text.trim());
    let text: String = search.chars().take(SEARCH_MAX).collect();
    let number = visit.form.get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    list(visit, &text, number).await
}

async fn list(visit: &Visit<'_>, searched: &str, number: usize) -> Result<Response, Failure> {
    let session = visit.officer()?;
    let caseload = list_caseload(visit.portal.disclosure(), &ask(session, Delivery::Unary)).await?;
    let wanted = Masked::new(searched.to_owned());
    let found: Vec<&Supervised> = caseload.clients.iter().filter(|client| client.is_found_by(&wanted)).collect();
    let size = visit.portal.config.limits.page_clients;
    let pages = found.len().div_ceil(size).max(1);
    let number = number.clamp(1, pages);
    let shown = found.iter().skip((number - 1) * size).take(size);
    let words = visit.words();
    let rows: Vec<Row> = shown.map(|client| row(session, client, &caseload, words)).collect();
    let (total, many) = (caseload.clients.len().to_string(), found.len().to_string());
    let count = match (searched.is_empty(), found.len()) {
        (true, 1) => words.count_one.clone(),
        (true, _) => fill(&words.count_many, &[("count", &total)]),
        (false, _) => fill(&words.count_found, &[("found", &many), ("count", &total)]),
    };
    let list = List {
        shell: Shell::new(visit, &words.caseload),
        about: about(session, words),
        searched,
        count,
        is_cut: caseload.is_cut,
        has_offices: session.person.standing.office.is_none()
            && caseload.clients.iter().any(|one| one.office.is_some()),
        has_officers: session.person.standing.officer.is_none()
            && caseload.clients.iter().any(|one| one.officer.is_some()),
        rows,
        before: (number > 1).then(|| number - 1),
        behind: (number < pages).then_some(number + 1),
        place: fill(&words.page_of, &[("page", &number.to_string()), ("pages", &pages.to_string())]),
    };
    Ok(page(StatusCode::OK, list.render()?))
}

fn about<'w>(session: &Session, words: &'w Words) -> &'w str {
    let standing = &session.person.standing;
    match (&standing.officer, &standing.office) {
        (Some(_), _) => &words.caseload_own,
        (None, Some(_)) => &words.caseload_office,
        (None, None) => &words.caseload_agency,
    }
}

fn row(session: &Session, client: &Supervised, caseload: &Caseload, words: &Words) -> Row {
    let day = |at| Language::day_of(at, caseload.zone);
    Row {
        handle: session.handle(&client.person_key),
        name: client.name().into_exposed(),
        person_key: client.person_key.expose().clone(),
        birth_date: client.details.birth_date.map(Language::day).unwrap_or_default(),
        office: client.office.clone().unwrap_or_default(),
        officer: client.officer.clone().unwrap_or_default(),
        basis: basis(&client.legal_basis, words).to_owned(),
        since: day(client.since),
        until: client.until.map_or_else(|| words.no_end.clone(), |end| day(end - TimeDelta::seconds(1))),
    }
}

fn basis<'w>(code: &str, words: &'w Words) -> &'w str {
    match code {
        "ferpa_uninterrupted_scholars" => &words.basis_uninterrupted_scholars,
        "ferpa_juvenile_justice" => &words.basis_juvenile_justice,
        "parent_consent" => &words.basis_parent_consent,
        "court_order" => &words.basis_court_order,
        "health_safety_emergency" => &words.basis_emergency,
        "audit_evaluation" => &words.basis_audit,
        _ => &words.basis_other,
    }
}
