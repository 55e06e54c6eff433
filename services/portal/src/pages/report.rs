//! "This looks wrong": whoever reads a record tells the SEA's stewards, who open it as an access of their own, and answer. The answer is one of few
//! words: no record leaves by it.
use agreements::{Delivery, Reason};
use axum::response::Response;
use disclosure::list_caseload;
use model::{Masked, StudentId};
use pg::Role;

use super::{
    caseload::ask,
    desk::own_ask,
    sheet::{self, Align, Cell, Field, Form, Part, Table, sent},
    student::client,
};
use crate::{
    error::Failure,
    look::{Viewing, viewing},
    person::Person,
    report::{Answer, Filed, NOTE_MAX, OPEN_MAX, OTHER, Outcome, REMARK_MAX, Report, Reported},
    server::Portal,
    session::Session,
    store::report as store,
    visit::{Visit, redirect},
    words::{Language, Words},
};

/// Where stewards find reports.
pub(super) const REPORTS: &str = "/reports";
/// Reports of their own that a reader sees beside a record.
const OWN_MAX: i64 = 50;

/// What a reader of a record sees of their own reports, and may report.
pub(super) struct OwnReports {
    /// What can be chosen: an id and a title.
    pub(super) blocks: Vec<(&'static str, String)>,
    pub(super) table: Table,
    pub(super) note_max: usize,
}

/// A block's title, or ours where it has none.
pub(super) fn title(words: &Words, id: &str, title: &str) -> String {
    match (id, title) {
        (OTHER, _) => words.report_other.clone(),
        (_, "") => words.report_client.clone(),
        (_, title) => title.to_owned(),
    }
}

fn blocks(visit: &Visit<'_>) -> Vec<(&'static str, String)> {
    let words = visit.words();
    let all = summary::web_titles(visit.language.of_summaries()).into_iter().chain([(OTHER, "")]);
    all.map(|(id, named)| (id, title(words, id, named))).collect()
}

/// The title of a block by its id, as far as it is still known.
fn titled(visit: &Visit<'_>, id: &str) -> String {
    blocks(visit).into_iter().find(|(known, _)| *known == id).map_or_else(|| id.to_owned(), |(_, title)| title)
}

fn became(words: &Words, outcome: Option<Outcome>) -> &str {
    match outcome {
        None => &words.report_waits,
        Some(Outcome::PassedOn) => &words.outcome_passed_on,
        Some(Outcome::Corrected) => &words.outcome_corrected,
        Some(Outcome::Stands) => &words.outcome_stands,
        Some(Outcome::Unclear) => &words.outcome_unclear,
    }
}

/// Who reports, as row-level security knows them: whatever key the portal has, they find their reports again.
fn reporter(person: &Person) -> [u8; 32] {
    crate::seal::hash_of(&format!("{}\n{}", person.issuer, person.subject))
}

/// What somebody reported on a client.
pub(super) async fn list_own(
    portal: &Portal,
    person: &Person,
    person_key: &Masked<String>,
) -> Result<Vec<Reported>, Failure> {
    let (consumer, viewer) = (&person.standing.consumer, &reporter(person));
    let transaction = viewing("portal.list_own_reports", consumer, viewer);
    let list = transaction.run(&portal.deps.pool, |tx| {
        Box::pin(async move { Ok::<_, pg::Error>(store::list_own(tx, (consumer, person_key, viewer), OWN_MAX).await?) })
    });
    Ok(list.await?)
}

/// The same for the page of a student: what was reported on another one is not told there.
pub(super) fn own(visit: &Visit<'_>, student: StudentId, reported: &[Reported]) -> OwnReports {
    let words = visit.words();
    let columns: [(&str, Align); _] = [
        (&words.column_block, Align::Text),
        (&words.column_reported, Align::Number),
        (&words.column_became, Align::Text),
        (&words.column_answered, Align::Number),
    ];
    let mut table = Table::new(&words.report_own, "", &columns);
    let day = |at| Language::day_of(at, visit.own_zone());
    let all = reported.iter().filter(|one| one.student == student);
    table.rows = all
        .map(|one| {
            vec![
                Cell::from(titled(visit, &one.block)),
                Cell::from(day(one.at)),
                Cell::from(became(words, one.outcome)),
                Cell::from(one.answered_at.map(day).unwrap_or_default()),
            ]
        })
        .collect();
    OwnReports { blocks: blocks(visit), table, note_max: NOTE_MAX }
}

/// Takes word of what looks wrong in a record that this person has looked at, of somebody who is still their client.
pub(super) async fn file(visit: &mut Visit<'_>, handle: &str) -> Result<Response, Failure> {
    let visit = &*visit;
    visit.check_form()?;
    let (portal, session) = (visit.portal, visit.officer()?);
    let person_key = client(session, handle);
    let caseload = list_caseload(portal.disclosure(), &ask(session, Delivery::Unary)).await?;
    let is_client = caseload.clients.iter().any(|one| one.person_key.expose() == person_key.expose());
    let look = Viewing::new(portal, &session.person, &person_key).find_last(portal).await?;
    let look = look.filter(|_| is_client).ok_or(Failure::Denied(Reason::NotAClient))?;
    // Browsers count a line's end as one letter and send two.
    let (block, note) = (sent(visit, "block"), Masked::new(sent(visit, "note").replace("\r\n", "\n")));
    let length = note.expose().chars().count();
    if !blocks(visit).iter().any(|(id, _)| *id == block) || length == 0 || length > NOTE_MAX {
        return Err(Failure::Invalid);
    }
    let (viewer, by) = (reporter(&session.person), session.person.signature());
    let filed = Filed {
        consumer: &session.person.standing.consumer,
        person_key: &person_key,
        viewer: &viewer,
        student: look.student,
        by: &by,
        at: portal.deps.clock.now(),
        block,
        note: &note,
    };
    let transaction = viewing("portal.file_report", filed.consumer, &viewer);
    let is_filed = transaction.run(&portal.deps.pool, |tx| {
        let filed = &filed;
        Box::pin(async move { Ok::<_, pg::Error>(store::insert(tx, filed, OPEN_MAX).await?) })
    });
    if !is_filed.await? {
        return Err(Failure::Conflict("as many reports on this client wait already".into()));
    }
    Ok(redirect(&format!("/student/{handle}#reported")))
}

/// What names a report in an address of this session.
fn report_handle(session: &Session, id: i64) -> String {
    session.handle(&Masked::new(format!("report {id}")))
}

fn report_of(session: &Session, handle: &str) -> Result<i64, Failure> {
    let named = session.client(handle).ok_or(Failure::NotFound)?;
    named.expose().strip_prefix("report ").and_then(|number| number.parse().ok()).ok_or(Failure::NotFound)
}

/// How many reports wait, of some that are shown.
pub(super) async fn list_open(visit: &Visit<'_>, limit: i64) -> Result<Vec<Report>, Failure> {
    let list = pg::run_tx(&visit.portal.deps.pool, "portal.list_reports", Role::Steward, |tx| {
        Box::pin(async move { Ok::<_, pg::Error>(store::list(tx, false, None, limit).await?) })
    });
    Ok(list.await?)
}

/// Reports as rows that lead to each. They name nobody.
pub(super) fn table(visit: &Visit<'_>, session: &Session, reports: &[Report]) -> Table {
    let words = visit.words();
    let columns: [(&str, Align); _] = [
        (&words.report_title, Align::Text),
        (&words.column_agency, Align::Text),
        (&words.column_block, Align::Text),
        (&words.column_reported, Align::Number),
        (&words.column_state, Align::Text),
    ];
    let mut table = Table::new(&words.reports, &words.reports_none, &columns);
    table.rows = reports
        .iter()
        .map(|one| {
            let outcome = one.answer.as_ref().map(|answer| answer.outcome);
            vec![
                Cell::link(format!("#{}", one.id), format!("/report/{}", report_handle(session, one.id))),
                Cell::from(one.consumer.to_uppercase()),
                Cell::from(titled(visit, &one.block)),
                Cell::from(Language::day_of(one.at, visit.own_zone())),
                Cell::from(became(words, outcome)),
            ]
        })
        .collect();
    table
}

/// The queue of reports, the latest first.
pub(super) async fn list(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let visit = &*visit;
    let (session, words) = (visit.steward()?, visit.words());
    if !visit.form.is_empty() {
        visit.check_form()?;
    }
    let with_closed = sent(visit, "which") == "all";
    let before = sent(visit, "before").parse().ok();
    let size = visit.portal.config.limits.page_clients as i64;
    let reports = pg::run_tx(&visit.portal.deps.pool, "portal.list_reports", Role::Steward, |tx| {
        Box::pin(async move { Ok::<_, pg::Error>(store::list(tx, with_closed, before, size).await?) })
    });
    let reports = reports.await?;
    let choices = [("", &words.reports_open), ("all", &words.reports_all)];
    let choices = choices.map(|(value, word)| (value.to_owned(), word.clone()));
    let form = Form {
        action: REPORTS.to_owned(),
        fields: vec![Field::choice(visit, "which", &words.reports_which, choices)],
        hidden: Vec::new(),
        button: words.filter.clone(),
    };
    let last = reports.last().filter(|_| reports.len() as i64 == size);
    let onward = last.map(|last| form.further(("before", last.id.to_string()), &words.show_more));
    let table = table(visit, session, &reports);
    let part = Part { form: Some(form), table: Some(table), onward, ..Part::default() };
    let told = visit.query.contains_key("done").then_some(&*words.report_done);
    sheet::show(visit, &words.reports, (&words.reports_about, told), vec![part])
}

/// One report. The access is entered, under the student's number, before what was written is read.
pub(super) async fn open(visit: &mut Visit<'_>, handle: &str) -> Result<Response, Failure> {
    let visit = &*visit;
    let (session, words) = (visit.steward()?, visit.words());
    let id = report_of(session, handle)?;
    let report = pg::run_tx(&visit.portal.deps.pool, "portal.find_report", Role::Steward, |tx| {
        Box::pin(async move { Ok::<_, pg::Error>(store::find(tx, id).await?) })
    });
    let report = report.await?.ok_or(Failure::NotFound)?;
    let what = format!("report {id} of what looks wrong in a record");
    disclosure::record_opening(visit.portal.disclosure(), &own_ask(session), &what, report.student).await?;
    let note = pg::run_tx(&visit.portal.deps.pool, "portal.find_note", Role::Steward, |tx| {
        Box::pin(async move { Ok::<_, pg::Error>(store::find_note(tx, id).await?) })
    });
    // It may have been erased in between.
    let note = note.await?.ok_or(Failure::NotFound)?;
    let mut parts = vec![
        Part { facts: facts(visit, &report), ..Part::default() },
        Part { notes: note.expose().lines().map(str::to_owned).collect(), ..Part::named(&words.report_said) },
    ];
    if let Some(answer) = &report.answer {
        let remark = answer.remark.iter().map(|remark| remark.expose().clone());
        parts.push(Part {
            notes: remark.collect(),
            facts: answered(visit, answer),
            ..Part::named(&words.report_answer)
        });
    }
    if report.answer.as_ref().is_none_or(|answer| !answer.outcome.is_final()) {
        let outcomes = Outcome::ALL.map(|one| (one.code().to_owned(), became(words, Some(one)).to_owned()));
        let form = Form {
            action: format!("/report/{handle}"),
            fields: vec![
                Field::choice(visit, "outcome", &words.column_became, outcomes),
                Field::long(visit, "remark", &words.report_remark, REMARK_MAX),
            ],
            hidden: Vec::new(),
            button: words.report_give.clone(),
        };
        let notes = vec![words.report_answer_about.clone()];
        parts.push(Part { notes, form: Some(form), ..Part::named(&words.report_give) });
    }
    parts.push(Part { links: vec![(REPORTS.to_owned(), words.report_back.clone())], ..Part::default() });
    sheet::show(visit, &words.report_title, (&words.report_about_steward, None), parts)
}

fn facts(visit: &Visit<'_>, report: &Report) -> Vec<(String, String)> {
    let words = visit.words();
    vec![
        (words.report_title.clone(), format!("#{}", report.id)),
        (words.column_agency.clone(), report.consumer.to_uppercase()),
        (words.column_block.clone(), titled(visit, &report.block)),
        (words.column_reported.clone(), Language::day_of(report.at, visit.own_zone())),
        (words.report_by.clone(), report.by.clone()),
        (words.record_student.clone(), report.student.to_string()),
    ]
}

fn answered(visit: &Visit<'_>, answer: &Answer) -> Vec<(String, String)> {
    let words = visit.words();
    vec![
        (words.column_became.clone(), became(words, Some(answer.outcome)).to_owned()),
        (words.column_answered.clone(), Language::day_of(answer.at, visit.own_zone())),
        (words.report_by_steward.clone(), answer.by.clone()),
    ]
}

/// Answers a report.
pub(super) async fn answer(visit: &mut Visit<'_>, handle: &str) -> Result<Response, Failure> {
    let visit = &*visit;
    visit.check_form()?;
    let session = visit.steward()?;
    let id = report_of(session, handle)?;
    let outcome = Outcome::of_code(sent(visit, "outcome")).ok_or(Failure::Invalid)?;
    let remark = sent(visit, "remark");
    if remark.chars().count() > REMARK_MAX {
        return Err(Failure::Invalid);
    }
    let remark = (!remark.is_empty()).then(|| Masked::new(remark.to_owned()));
    let answer = Answer { outcome, by: session.person.signature(), at: visit.portal.deps.clock.now(), remark };
    let is_answered = pg::run_tx(&visit.portal.deps.pool, "portal.answer_report", Role::Steward, |tx| {
        let answer = &answer;
        Box::pin(async move { Ok::<_, pg::Error>(store::answer_open(tx, id, answer).await?) })
    });
    if !is_answered.await? {
        return Err(Failure::Conflict("the report is answered already, or is gone".into()));
    }
    Ok(redirect(&format!("{REPORTS}?done=answered")))
}
