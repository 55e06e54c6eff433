//! A steward's desk: what waits, what came, which nights need somebody; and questions about decisions.

use std::{collections::BTreeMap, path::Path};

use agreements::{Actor, Delivery};
use axum::response::Response;
use chrono::{DateTime, TimeDelta, Utc};
use disclosure::{About, Ask, Asker, Explained, Repeat, review};
use model::{ConsumerId, Domain, Masked, StudentId};
use pg::Role;
use scheduler::{Job, State};

use super::{
    batches,
    caseload::ask,
    report,
    review::REVIEW,
    sheet::{self, Align, Cell, Field, Form, Part, Table, sent},
};
use crate::{
    error::Failure,
    session::Session,
    visit::Visit,
    words::{Language, Words, fill},
};

/// Where a steward begins.
pub(super) const DESK: &str = "/desk";
/// Where nights are.
pub(super) const NIGHTS: &str = "/nights";
/// Where questions are asked.
pub(super) const EXPLAIN: &str = "/explain";
/// Batches that the desk shows.
const BATCHES_SHOWN: u32 = 5;
/// Reports that the desk shows.
const REPORTS_SHOWN: i64 = 5;
/// Nights of each agency that are shown.
const NIGHTS_SHOWN: i64 = 5;
/// So long after it was due a night that is not done asks for somebody.
const LATE: TimeDelta = TimeDelta::hours(4);
/// Since when decisions count in the figures of the queue.
const FIGURES: TimeDelta = TimeDelta::days(90);
/// A report on a night that is read.
const REPORT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What one of the SEA's own people asks with.
pub(super) fn own_ask(session: &Session) -> Ask<'_> {
    ask(session, Delivery::Unary)
}

/// Enters that somebody of the SEA looks at something that is not one student's, before it is shown.
pub(super) async fn record_look(visit: &Visit<'_>, session: &Session, what: &str) -> Result<(), Failure> {
    let nobody = std::collections::BTreeSet::new();
    let ask = own_ask(session);
    Ok(disclosure::record_asking(visit.portal.disclosure(), &ask, (what, &nobody), None).await?)
}

/// The desk.
pub(super) async fn show(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let visit = &*visit;
    let session = visit.steward()?;
    let words = visit.words();
    let now = visit.portal.deps.clock.now();
    let (queues, _) = review::stats(visit.portal.disclosure(), now - FIGURES).await?;
    let columns: [(&str, Align); _] = [
        (&words.column_agency, Align::Text),
        (&words.column_waiting, Align::Number),
        (&words.column_contested, Align::Number),
        (&words.column_oldest, Align::Number),
    ];
    let mut waiting = Table::new(&words.review, &words.review_none, &columns);
    waiting.rows = queues
        .iter()
        .map(|one| {
            vec![
                Cell::link(one.consumer.to_uppercase(), REVIEW.to_owned()),
                Cell::from(one.waiting),
                Cell::from(one.contested),
                Cell::from(one.oldest.map(|at| Language::day_of(at, chrono_tz::Tz::UTC)).unwrap_or_default()),
            ]
        })
        .collect();
    let latest = intake::batches::list(&visit.portal.deps.pool, None, BATCHES_SHOWN).await?;
    let jobs = jobs(visit).await?;
    let reports = report::list_open(visit, REPORTS_SHOWN).await?;
    let parts = vec![
        Part { table: Some(waiting), ..Part::named(&words.review) },
        Part { table: Some(report::table(visit, session, &reports)), ..Part::named(&words.reports) },
        Part { table: Some(batches::table(words, &latest, batches::Shown::Gist)), ..Part::named(&words.batches) },
        Part { table: Some(nights_table(words, &jobs, now)), ..Part::named(&words.jobs) },
    ];
    sheet::show(visit, &words.overview, (&words.overview_about, None), parts)
}

async fn jobs(visit: &Visit<'_>) -> Result<Vec<Job>, Failure> {
    let list = pg::run_tx(&visit.portal.deps.pool, "portal.list_jobs", Role::Scheduler, |tx| {
        Box::pin(async move { scheduler::list(tx, NIGHTS_SHOWN).await })
    });
    list.await.map_err(Failure::of)
}

fn nights_table(words: &Words, jobs: &[Job], now: DateTime<Utc>) -> Table {
    let columns: [(&str, Align); _] = [
        (&words.column_job, Align::Text),
        (&words.column_day, Align::Number),
        (&words.column_state, Align::Text),
        (&words.column_attempts, Align::Number),
        (&words.column_look, Align::Text),
        (&words.column_said, Align::Text),
    ];
    let mut table = Table::new(&words.jobs, &words.jobs_none, &columns);
    table.rows = jobs
        .iter()
        .map(|job| {
            let state = match job.state {
                State::Waiting => "waiting",
                State::Running => "running",
                State::Done => "done",
                State::GivenUp => "given up",
            };
            vec![
                Cell::from(&job.name),
                Cell::from(Language::day(job.day)),
                Cell::from(state),
                Cell::from(job.attempts),
                job.alarm(now, LATE).map_or_else(Cell::default, Cell::marked),
                Cell::from(job.said.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    table
}

/// The nights, who stopped them, and what their last reports say.
pub(super) async fn nights(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let visit = &*visit;
    visit.steward()?;
    let words = visit.words();
    let (jobs, now) = (jobs(visit).await?, visit.portal.deps.clock.now());
    let pauses = pg::run_tx(&visit.portal.deps.pool, "portal.list_pauses", Role::Scheduler, |tx| {
        Box::pin(async move { scheduler::list_pauses(tx).await })
    });
    let notes = pauses.await.map_err(Failure::of)?.into_iter().map(|pause| {
        let since = Language::day_of(pause.since, chrono_tz::Tz::UTC);
        let said = fill(&words.jobs_paused, &[("by", &pause.by), ("since", &since), ("reason", &pause.reason)]);
        format!("{}: {said}", pause.name)
    });
    let mut parts = vec![Part {
        notes: notes.collect(),
        table: Some(nights_table(words, &jobs, now)),
        links: vec![sheet::follow_link(visit, words, NIGHTS)],
        ..Part::default()
    }];
    let mut reports = Vec::new();
    if let Some(folder) = visit.portal.deps.reports.clone() {
        let ids: Vec<ConsumerId> = visit.portal.deps.consumers.iter().map(|one| one.id.clone()).collect();
        let read = tokio::task::spawn_blocking(move || {
            ids.iter()
                .filter_map(|id| last_report(&folder.join(id.as_str())).map(|found| (id.clone(), found)))
                .collect::<Vec<_>>()
        });
        reports = read.await.map_err(|error| Failure::Internal(Box::new(error)))?;
    }
    parts.push(Part {
        notes: if reports.is_empty() { vec![words.jobs_no_reports.clone()] } else { Vec::new() },
        ..Part::named(&words.jobs_reports)
    });
    parts.extend(
        reports
            .into_iter()
            .map(|(id, (day, facts))| Part { facts, ..Part::named(&format!("{}, {day}", id.as_str().to_uppercase())) }),
    );
    let shown = sheet::show(visit, &words.jobs, (&words.jobs_about, None), parts)?;
    Ok(sheet::followed(visit, shown, NIGHTS))
}

/// The last report in a folder: its day, and what it counts. Of what is nested only numbers are shown.
fn last_report(folder: &Path) -> Option<(String, Vec<(String, String)>)> {
    let files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|file| file.path());
    let last = files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).max()?;
    if std::fs::metadata(&last).ok()?.len() > REPORT_BYTES_MAX {
        return None;
    }
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&last).ok()?).ok()?;
    let mut facts = Vec::new();
    for (name, value) in report.as_object()? {
        let name = name.replace('_', " ");
        match value {
            serde_json::Value::String(text) => facts.push((name, text.clone())),
            serde_json::Value::Number(number) => facts.push((name, number.to_string())),
            serde_json::Value::Object(parts) => {
                let numbers = parts.iter().filter_map(|(part, value)| Some((part, value.as_u64()?)));
                facts.extend(
                    numbers.map(|(part, value)| (format!("{name}: {}", part.replace('_', " ")), value.to_string())),
                );
            }
            _ => {}
        }
    }
    Some((last.file_stem()?.to_string_lossy().into_owned(), facts))
}

/// What the agency itself would ask for, on schedule.
fn agency_ask(consumer: &ConsumerId) -> Ask<'_> {
    Ask {
        consumer,
        actor: Actor::ScheduledRun,
        purpose: None,
        delivery: Delivery::Pdf,
        office: None,
        as_of: None,
        asker: Asker::default(),
        run: None,
        repeat: Repeat::Always,
        request: None,
    }
}

/// Asks why an agency is, or is not, given elements of somebody.
pub(super) async fn explain(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let visit = &*visit;
    let session = visit.steward()?;
    let words = visit.words();
    let form = Form {
        action: EXPLAIN.to_owned(),
        fields: vec![
            Field::choice(visit, "agency", &words.explain_agency, visit.agencies().into_iter().skip(1)),
            Field::text(visit, "client", &words.explain_client),
            Field::text(visit, "student", &words.explain_student),
        ],
        hidden: Vec::new(),
        button: words.explain_ask.clone(),
    };
    let mut parts = vec![Part { form: Some(form), ..Part::default() }];
    if !visit.form.is_empty() {
        visit.check_form()?;
        let agency: ConsumerId = sent(visit, "agency").parse().map_err(|_| Failure::Invalid)?;
        let about = match (sent(visit, "client"), sent(visit, "student")) {
            ("", "") => return Err(Failure::Invalid),
            ("", student) => About::Student(StudentId(student.parse().map_err(|_| Failure::Invalid)?)),
            (client, _) => About::Client(Masked::new(client.to_owned())),
        };
        let elements: Vec<_> =
            Domain::ALL.into_iter().flat_map(|domain| domains::definition(domain).elements).collect();
        let (own, of) = (own_ask(session), agency_ask(&agency));
        let told = disclosure::explain(visit.portal.disclosure(), &own, &of, &about, &elements).await?;
        parts.extend(told.iter().flat_map(|one| explained(words, one)));
    }
    sheet::show(visit, &words.explain, (&words.explain_about, None), parts)
}

fn explained(words: &Words, one: &Explained) -> [Part; 2] {
    let chain = one.elements.iter().max_by_key(|(_, why)| why.lines.len());
    let lines = chain.into_iter().flat_map(|(_, why)| why.lines.iter().take(why.lines.len().saturating_sub(2)));
    let mut list: Vec<String> = one.facts.iter().chain(lines).cloned().collect();
    if one.is_restricted {
        list.push(words.explain_restricted.clone());
    }
    if let Some((_, why)) = chain {
        list.push(format!("{}: {}", words.explain_told, why.public));
    }
    let mut domains: BTreeMap<(&str, String), [Vec<&str>; 2]> = BTreeMap::new();
    for (id, why) in &one.elements {
        let (domain, element) = id.split_once('.').unwrap_or((id.as_str(), ""));
        let clause = why.clause.clone().filter(|_| why.permitted).unwrap_or_default();
        let [permitted, refused] = domains.entry((domain, clause)).or_default();
        if why.permitted { permitted } else { refused }.push(element);
    }
    let columns: [(&str, Align); _] = [
        (&words.column_domain, Align::Text),
        (&words.column_clause, Align::Text),
        (&words.column_permitted, Align::Text),
        (&words.column_refused, Align::Text),
    ];
    let mut table = Table::new(&words.explain_elements, &words.explain_restricted, &columns);
    table.rows = domains
        .into_iter()
        .map(|((domain, clause), [permitted, refused])| {
            vec![
                Cell::from(domain.replace('_', " ")),
                Cell::from(clause),
                Cell::from(permitted.join(", ").replace('_', " ")),
                Cell::from(refused.join(", ").replace('_', " ")),
            ]
        })
        .collect();
    [
        Part { list, ..Part::named(&words.explain_facts) },
        Part { table: Some(table), ..Part::named(&words.explain_elements) },
    ]
}
