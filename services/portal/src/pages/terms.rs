//! Agreements for people to read: which there are, what each says, and what a version changed. Nothing is approved here: an approval is a signature
//! by a steward's own key, which no browser holds.

use agreements::{Terms, VersionSummary};
use axum::response::Response;
use pg::Role;

use super::sheet::{self, Align, Cell, Part, Table};
use crate::{
    error::Failure,
    visit::Visit,
    words::{Language, Words, fill},
};

/// Where the list is.
pub(super) const AGREEMENTS: &str = "/agreements";
/// Between an agreement's id and its version, in an address.
const VERSION: char = '~';

async fn versions(visit: &Visit<'_>) -> Result<Vec<VersionSummary>, Failure> {
    let agreements = &visit.portal.deps.agreements;
    let list = pg::run_tx(&visit.portal.deps.pool, "portal.list_versions", Role::Agreements, |tx| {
        Box::pin(async move { agreements.list_versions(tx).await })
    });
    list.await.map_err(Failure::of)
}

/// All versions with how they stand.
pub(super) async fn list(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let visit = &*visit;
    visit.official()?;
    let words = visit.words();
    let columns: [(&str, Align); _] = [
        (&words.column_agreement, Align::Text),
        (&words.column_version, Align::Number),
        (&words.column_agency, Align::Text),
        (&words.column_state, Align::Text),
        (&words.column_in_force, Align::Number),
        (&words.column_ended, Align::Number),
    ];
    let mut table = Table::new(&words.agreements, &words.agreements_none, &columns);
    let day = |at: Option<chrono::DateTime<chrono::Utc>>| {
        at.map(|at| Language::day_of(at, chrono_tz::Tz::UTC)).unwrap_or_default()
    };
    table.rows = versions(visit)
        .await?
        .iter()
        .map(|one| {
            vec![
                Cell::link(&one.agreement_id, format!("/agreement/{}{VERSION}{}", one.agreement_id, one.version)),
                Cell::from(one.version),
                Cell::from(one.consumer.as_str().to_uppercase()),
                Cell::from(state(words, one)),
                Cell::from(day(one.activated_at)),
                Cell::from(day(one.ended_at)),
            ]
        })
        .collect();
    let part = Part { table: Some(table), ..Part::default() };
    sheet::show(visit, &words.agreements, (&words.agreements_about, None), vec![part])
}

fn state(words: &Words, one: &VersionSummary) -> String {
    match (&one.activated_at, &one.ended_because) {
        (None, _) => words.on_file.clone(),
        (Some(_), None) => words.in_force.clone(),
        (Some(_), Some(why)) => why.clone(),
    }
}

async fn terms(visit: &Visit<'_>, id: &str, version: i32) -> Result<Option<Terms>, Failure> {
    let agreements = &visit.portal.deps.agreements;
    let found = pg::run_tx(&visit.portal.deps.pool, "portal.find_terms", Role::Agreements, |tx| {
        Box::pin(async move { agreements.find_terms(tx, id, version).await })
    });
    found.await.map_err(Failure::of)
}

/// One version: its terms in words, element by element, and what it changed.
pub(super) async fn show(visit: &mut Visit<'_>, named: &str) -> Result<Response, Failure> {
    let visit = &*visit;
    visit.official()?;
    let words = visit.words();
    let (id, version) = named.split_once(VERSION).ok_or(Failure::NotFound)?;
    let version: i32 = version.parse().map_err(|_| Failure::NotFound)?;
    let now = terms(visit, id, version).await?.ok_or(Failure::NotFound)?;
    let all = versions(visit).await?;
    let summary = all.iter().rfind(|one| one.agreement_id == id && one.version == version).ok_or(Failure::NotFound)?;
    let before = all.iter().filter(|one| one.agreement_id == id && one.version < version).map(|one| one.version).max();
    let mut parts = in_words(words, &now, summary);
    if let Some(before) = before
        && let Some(old) = terms(visit, id, before).await?
    {
        let lines = agreements::diff(&old, &now).map_err(Failure::of)?;
        let notes = if lines.is_empty() { vec![words.agreement_diff_none.clone()] } else { Vec::new() };
        parts.push(Part { notes, list: lines, ..Part::named(&words.agreement_diff) });
    }
    let matrix = agreements::matrix(std::slice::from_ref(&now));
    parts.push(Part { text: Some(matrix), ..Part::named(&words.agreement_matrix) });
    sheet::show(visit, &words.agreement_title, (&now.title, None), parts)
}

fn in_words(words: &Words, terms: &Terms, summary: &VersionSummary) -> Vec<Part> {
    let until = terms.valid_to.map_or_else(|| words.agreement_perpetual.clone(), Language::day);
    let access = &terms.access;
    let joined = |all: Vec<String>| if all.is_empty() { words.any.clone() } else { all.join(", ") };
    let facts = [
        (&words.column_agreement, terms.id.clone()),
        (&words.column_version, terms.version.to_string()),
        (&words.column_state, state(words, summary)),
        (&words.column_recipient, terms.recipient().to_owned()),
        (&words.agreement_valid, format!("{} - {until}", Language::day(terms.valid_from))),
        (&words.agreement_digest, summary.digest.to_string()),
    ];
    let list = |heading: &str, list: Vec<String>| Part { list, ..Part::named(heading) };
    let deliveries = joined(access.deliveries.iter().map(ToString::to_string).collect());
    let mut who = vec![deliveries, joined(access.offices.clone().unwrap_or_default())];
    who.extend(access.roles.iter().map(|role| format!("{}: {}", role.name, role.scope).replace('_', " ")));
    who.extend(access.systems.iter().map(|system| system.name.clone()));
    let audience = terms.audience;
    let seen = [
        ("parent", audience.parent),
        ("eligible student", audience.eligible_student),
        ("district", audience.district),
        ("auditor", audience.auditor),
    ];
    let days = [("days", terms.retention.days.to_string()), ("attest", terms.retention.attest_within_days.to_string())];
    let kept = fill(&words.agreement_retention_days, &days.each_ref().map(|(name, value)| (*name, value.as_str())));
    let mut onward = vec![terms.redisclosure.limit.clone(), terms.redisclosure.notice.clone()];
    onward.extend(terms.redisclosure.onward.iter().map(|one| format!("{}: {}", one.party, one.interest)));
    let mut parts =
        vec![Part { facts: facts.into_iter().map(|(name, value)| (name.clone(), value)).collect(), ..Part::default() }];
    if summary.activated_at.is_none() {
        let command =
            format!("throughline approve {} --key FILE\nthroughline agreement activate DOCUMENT", summary.digest);
        parts.push(Part::command(&words.agreement_approve, command));
    }
    parts.extend([
        list(
            &words.agreement_parties,
            terms.parties.iter().map(|one| format!("{} ({})", one.name, one.role)).collect(),
        ),
        list(&words.agreement_population, vec![terms.population.text.clone()]),
        list(&words.agreement_purposes, terms.purposes.iter().map(|one| one.text.clone()).collect()),
        list(
            &words.agreement_bases,
            terms.bases.iter().map(|one| format!("{} ({})", one.text, one.citation)).collect(),
        ),
        list(&words.agreement_clauses, terms.clauses.iter().map(|one| format!("{}: {}", one.id, one.text)).collect()),
        list(&words.agreement_access, who),
        list(&words.agreement_onward, onward),
        list(&words.agreement_retention, vec![kept, terms.retention.destruction.clone()]),
        list(
            &words.agreement_audience,
            seen.map(|(who, what)| format!("{who}: {}", what.as_str().replace('_', " "))).to_vec(),
        ),
    ]);
    if !terms.amendments.is_empty() {
        let amended =
            terms.amendments.iter().map(|one| format!("{} ({}): {}", one.version, Language::day(one.on), one.text));
        parts.push(list(&words.agreement_amendments, amended.collect()));
    }
    parts
}
