//! What was received, and what was wrong with it.

use axum::response::Response;
use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use intake::{
    Finding,
    batches::{self, Batch, OfRule, Which},
};
use model::BatchId;

use super::{
    desk::record_look,
    sheet::{self, Align, Cell, Field, Form, Part, Table, sent},
};
use crate::{
    error::Failure,
    visit::{Visit, page},
    words::{Words, fill},
};

/// Where the list is.
pub(super) const BATCHES: &str = "/batches";
/// Findings of a file for download; a batch with more says so in its folder on the server.
const DOWNLOAD_MAX: u32 = batches::PAGE_MAX;

/// How much of its receipt a row shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// What tells whether somebody has to look.
    Gist,
    Whole,
}

/// The columns of a receipt, and whether each is of its gist.
fn columns(words: &Words) -> [(&str, Align, bool); 10] {
    [
        (&words.column_file, Align::Text, true),
        (&words.column_layout, Align::Text, false),
        (&words.column_received, Align::Number, true),
        (&words.column_state, Align::Text, true),
        (&words.column_rows_in, Align::Number, true),
        (&words.column_loaded, Align::Number, true),
        (&words.column_unchanged, Align::Number, false),
        (&words.column_superseded, Align::Number, false),
        (&words.column_quarantined, Align::Number, true),
        (&words.column_control, Align::Number, false),
    ]
}

/// The batches as rows that lead to each.
pub(super) fn table(words: &Words, all: &[Batch], shown: Shown) -> Table {
    let is_shown = |is_gist: bool| is_gist || shown == Shown::Whole;
    let columns = columns(words);
    let named: Vec<(&str, Align)> =
        columns.iter().filter(|one| is_shown(one.2)).map(|(name, align, _)| (*name, *align)).collect();
    let mut table = Table::new(&words.batches, &words.batches_none, &named);
    table.rows = all
        .iter()
        .map(|one| {
            let cells = row(one).into_iter().zip(&columns).filter(|(_, column)| is_shown(column.2));
            cells.map(|(cell, _)| cell).collect()
        })
        .collect();
    table
}

fn row(one: &Batch) -> [Cell; 10] {
    let counts = one.counts;
    [
        Cell::link(format!("{} (#{})", one.file, one.id), format!("/batch/{}", one.id)),
        Cell::from(&one.layout),
        Cell::from(one.received_at.format("%Y-%m-%d %H:%M")),
        if one.refused.is_some() { Cell::marked(&one.state) } else { Cell::from(&one.state) },
        Cell::from(counts.rows_in),
        Cell::from(counts.loaded),
        Cell::from(counts.unchanged),
        Cell::from(counts.superseded),
        Cell::from(counts.quarantined),
        Cell::from(counts.control),
    ]
}

/// All of them, the latest first.
pub(super) async fn list(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let visit = &*visit;
    visit.steward()?;
    let words = visit.words();
    if !visit.form.is_empty() {
        visit.check_form()?;
    }
    let size = visit.portal.config.limits.page_clients as u32;
    let before = sent(visit, "before").parse().ok().map(BatchId);
    let all = batches::list(&visit.portal.deps.pool, before, size).await?;
    let last = all.last().filter(|_| all.len() == size as usize);
    let onward = last.map(|last| Form {
        action: BATCHES.to_owned(),
        fields: Vec::new(),
        hidden: vec![("before", last.id.to_string())],
        button: words.show_more.clone(),
    });
    // A later page of the list does not move: what comes is on the first.
    let links = if before.is_none() { vec![sheet::follow_link(visit, words, BATCHES)] } else { Vec::new() };
    let part = Part { table: Some(table(words, &all, Shown::Whole)), onward, links, ..Part::default() };
    let shown = sheet::show(visit, &words.batches, (&words.batches_about, None), vec![part])?;
    Ok(sheet::followed(visit, shown, BATCHES))
}

async fn found(visit: &Visit<'_>, number: &str) -> Result<(Batch, Vec<OfRule>), Failure> {
    let id = number.parse().map(BatchId).map_err(|_| Failure::NotFound)?;
    batches::find(&visit.portal.deps.pool, id).await?.ok_or(Failure::NotFound)
}

fn which(visit: &Visit<'_>) -> Which {
    let of = |name: &str| Some(sent(visit, name).to_owned()).filter(|text| !text.is_empty());
    Which { rule: of("rule"), field: of("field"), severity: of("severity") }
}

/// One batch: its receipt, its findings by rule, and the findings themselves.
pub(super) async fn show(visit: &mut Visit<'_>, number: &str) -> Result<Response, Failure> {
    let visit = &*visit;
    let session = visit.steward()?;
    let words = visit.words();
    if !visit.form.is_empty() {
        visit.check_form()?;
    }
    let (batch, by_rule) = found(visit, number).await?;
    record_look(visit, session, &format!("findings of batch {}", batch.id)).await?;
    let size = visit.portal.config.limits.page_clients as u32;
    let after = sent(visit, "after").parse().ok();
    let findings = batches::list_findings(&visit.portal.deps.pool, batch.id, &which(visit), after, size).await?;
    let title = fill(&words.batch_title, &[("number", &batch.id.to_string())]);
    let parts =
        vec![receipt(words, &batch), rules(words, &by_rule), list_of(visit, (&batch, &by_rule), &findings, size)];
    sheet::show(visit, &title, (&batch.file, None), parts)
}

fn receipt(words: &Words, batch: &Batch) -> Part {
    let counts = batch.counts;
    let facts = [
        (&words.column_state, batch.state.clone()),
        (&words.column_layout, batch.layout.clone()),
        (&words.column_received, batch.received_at.format("%Y-%m-%d %H:%M UTC").to_string()),
        (&words.column_rows_in, counts.rows_in.to_string()),
        (&words.column_loaded, counts.loaded.to_string()),
        (&words.column_unchanged, counts.unchanged.to_string()),
        (&words.column_superseded, counts.superseded.to_string()),
        (&words.column_quarantined, counts.quarantined.to_string()),
        (&words.column_control, counts.control.to_string()),
        (&words.column_erased, batch.erased.to_string()),
    ];
    Part {
        facts: facts.into_iter().map(|(name, value)| (name.clone(), value)).collect(),
        notes: batch.refused.iter().cloned().collect(),
        ..Part::default()
    }
}

fn rules(words: &Words, by_rule: &[OfRule]) -> Part {
    let columns: [(&str, Align); _] = [
        (&words.column_rule, Align::Text),
        (&words.column_field, Align::Text),
        (&words.column_severity, Align::Text),
        (&words.column_count, Align::Number),
    ];
    let mut table = Table::new(&words.findings_by_rule, &words.findings_none, &columns);
    table.rows = by_rule
        .iter()
        .map(|one| {
            let field = one.field.clone().unwrap_or_default();
            vec![Cell::from(&one.rule), Cell::from(field), Cell::from(one.severity.as_str()), Cell::from(one.count)]
        })
        .collect();
    Part { table: Some(table), ..Part::named(&words.findings_by_rule) }
}

fn list_of(visit: &Visit<'_>, (batch, by_rule): (&Batch, &[OfRule]), findings: &[(i32, Finding)], size: u32) -> Part {
    let words = visit.words();
    let any = || std::iter::once((String::new(), words.any.clone()));
    let distinct = |of: &dyn Fn(&OfRule) -> Option<String>| {
        let mut all: Vec<String> = by_rule.iter().filter_map(of).collect();
        all.sort();
        all.dedup();
        any().chain(all.into_iter().map(|one| (one.clone(), one))).collect::<Vec<_>>()
    };
    let form = Form {
        action: format!("/batch/{}", batch.id),
        fields: vec![
            Field::choice(visit, "rule", &words.column_rule, distinct(&|one| Some(one.rule.clone()))),
            Field::choice(visit, "field", &words.column_field, distinct(&|one| one.field.clone())),
            Field::choice(
                visit,
                "severity",
                &words.column_severity,
                distinct(&|one| Some(one.severity.as_str().to_owned())),
            ),
        ],
        hidden: Vec::new(),
        button: words.filter.clone(),
    };
    let columns: [(&str, Align); _] = [
        (&words.column_line, Align::Number),
        (&words.column_column, Align::Number),
        (&words.column_field, Align::Text),
        (&words.column_rule, Align::Text),
        (&words.column_severity, Align::Text),
        (&words.column_message, Align::Text),
    ];
    let mut table = Table::new(&words.findings, &words.findings_none, &columns);
    table.rows = findings
        .iter()
        .map(|(_, one)| {
            let column = one.column.map(|column| column.to_string()).unwrap_or_default();
            let field = one.field.clone().unwrap_or_default();
            vec![
                Cell::from(one.line),
                Cell::from(column),
                Cell::from(field),
                Cell::from(&one.rule),
                Cell::from(one.severity.as_str()),
                Cell::from(&one.message),
            ]
        })
        .collect();
    let last = findings.last().filter(|_| findings.len() == size as usize);
    let onward = last.map(|(number, _)| form.further(("after", number.to_string()), &words.show_more));
    let first = findings.first().map_or(1, |(_, one)| one.line.max(1));
    Part {
        notes: vec![words.findings_about.clone(), words.findings_lineage.clone()],
        text: Some(format!("throughline intake lineage --batch {} --line {first}", batch.id)),
        form: Some(form),
        table: Some(table),
        onward,
        links: vec![(format!("/batch/{}/findings.csv", batch.id), words.findings_download.clone())],
        ..Part::named(&words.findings)
    }
}

/// The findings as a file that a spreadsheet opens.
pub(super) async fn download(visit: &mut Visit<'_>, number: &str) -> Result<Response, Failure> {
    let visit = &*visit;
    let session = visit.steward()?;
    let (batch, _) = found(visit, number).await?;
    record_look(visit, session, &format!("findings of batch {}", batch.id)).await?;
    let findings =
        batches::list_findings(&visit.portal.deps.pool, batch.id, &Which::default(), None, DOWNLOAD_MAX).await?;
    let said: Vec<_> = findings.iter().map(|(_, one)| (&*batch.file, one)).collect();
    let bytes = intake::findings_file::csv(&said).map_err(|error| Failure::Internal(Box::new(error)))?;
    let mut response = page(hyper::StatusCode::OK, bytes);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"findings-{}.csv\"", batch.id)) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok(response)
}
