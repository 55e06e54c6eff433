//! An auditor's pages: the ledger, one student's record of disclosures, and what recipients have still to destroy.
//! Each search is an access of its own, entered before its answer is shown.

use std::collections::{BTreeMap, BTreeSet};

use agreements::{Actor, Delivery, end_of_day, start_of_day};
use axum::response::Response;
use chrono::NaiveDate;
use disclosure::{Ask, Asker, Repeat, retention};
use ledger::{Audience, Kind, OfRequest, RecordScope, RecordedEntry, Search};
use model::{ConsumerId, StudentId};
use pg::Role;
use uuid::Uuid;

use super::{
    desk::{own_ask, record_look},
    sheet::{self, Align, Cell, Field, Form, Part, Table, sent},
};
use crate::{
    error::Failure,
    visit::Visit,
    words::{Language, Words, fill},
};

/// Where the ledger is searched.
pub(super) const LEDGER: &str = "/ledger";
/// Where a student's record is asked for.
pub(super) const RECORD: &str = "/record";
/// Where destruction is looked after.
pub(super) const DESTRUCTION: &str = "/destruction";
/// Entries of a student's record that a page shows.
const RECORD_MAX: u32 = 2_000;

/// What a search says; what cannot be meant is refused.
fn search(visit: &Visit<'_>) -> Result<Search, Failure> {
    let zone = visit.own_zone();
    let day = |name: &str| match sent(visit, name) {
        "" => Ok(None),
        text => text.parse::<NaiveDate>().map(Some).map_err(|_| Failure::Invalid),
    };
    let consumer = match sent(visit, "agency") {
        "" => None,
        text => Some(text.parse::<ConsumerId>().map_err(|_| Failure::Invalid)?),
    };
    let kind = match sent(visit, "kind") {
        "" => None,
        text => Some(text.parse::<Kind>().map_err(|_| Failure::Invalid)?),
    };
    let purpose = Some(sent(visit, "purpose").to_owned()).filter(|text| !text.is_empty());
    Ok(Search {
        kind,
        consumer,
        run: None,
        purpose,
        from: day("from")?.map(|day| start_of_day(day, zone)),
        to: day("to")?.map(|day| end_of_day(day, zone)),
    })
}

/// The ledger, the latest first, or what a disclosure or run of an id left in it.
pub(super) async fn search_ledger(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let visit = &*visit;
    let (session, words) = (visit.auditor()?, visit.words());
    if !visit.form.is_empty() {
        visit.check_form()?;
    }
    let (wanted, size) = (search(visit)?, visit.portal.config.limits.page_clients as u32);
    let before = sent(visit, "before").parse().ok();
    let id = match sent(visit, "id") {
        "" => None,
        text => Some(text.parse::<Uuid>().map_err(|_| Failure::Invalid)?),
    };
    record_look(visit, session, "search of the ledger").await?;
    let found = pg::run_tx(&visit.portal.deps.pool, "portal.search_ledger", Role::Ledger, |tx| {
        let wanted = &wanted;
        Box::pin(async move {
            let entries = match id {
                None => ledger::list(tx, wanted, before, size).await?,
                Some(id) => {
                    let request = Some(OfRequest { ids: vec![id], authorities: Vec::new() });
                    let scope = RecordScope { request, ..RecordScope::default() };
                    ledger::record_of(tx, &scope, Audience::Auditor, None, size).await?
                }
            };
            Ok::<_, ledger::Error>((entries, ledger::list_purposes(tx).await?))
        })
    });
    let (entries, purposes) = found.await.map_err(Failure::of)?;
    let any = || std::iter::once((String::new(), words.any.clone()));
    let purposes = purposes.into_iter().map(|purpose| (purpose.clone(), purpose.replace('_', " ")));
    let kinds = Kind::ALL.iter().map(|kind| (kind.to_string(), kind.to_string().replace('_', " ")));
    let form = Form {
        action: LEDGER.to_owned(),
        fields: vec![
            Field::day(visit, "from", &words.ledger_from),
            Field::day(visit, "to", &words.ledger_to),
            Field::choice(visit, "agency", &words.column_agency, visit.agencies()),
            Field::choice(visit, "kind", &words.ledger_kind, any().chain(kinds)),
            Field::choice(visit, "purpose", &words.column_purpose, any().chain(purposes)),
            Field::text(visit, "id", &words.ledger_id),
        ],
        hidden: Vec::new(),
        button: words.search.clone(),
    };
    let last = entries.last().filter(|_| id.is_none() && entries.len() == size as usize);
    let onward = last.and_then(|last| Some(form.further(("before", last.leaf_index?.to_string()), &words.show_more)));
    let table = entries_table(words, &entries, &words.ledger_none);
    let part = Part { form: Some(form), table: Some(table), onward, ..Part::default() };
    sheet::show(visit, &words.ledger, (&words.ledger_about, None), vec![part])
}

fn entries_table(words: &Words, entries: &[RecordedEntry], none: &str) -> Table {
    let columns: [(&str, Align); _] = [
        (&words.column_time, Align::Text),
        (&words.column_outcome, Align::Text),
        (&words.column_party, Align::Text),
        (&words.column_purpose, Align::Text),
        (&words.column_who, Align::Text),
        (&words.column_records, Align::Text),
        (&words.column_entry, Align::Text),
    ];
    let mut table = Table::new(&words.ledger, none, &columns);
    table.rows = entries.iter().map(entry).collect();
    table
}

fn entry(one: &RecordedEntry) -> Vec<Cell> {
    let mut domains: BTreeMap<&str, usize> = BTreeMap::new();
    for element in one.elements.iter() {
        *domains.entry(element.split_once('.').map_or(element.as_str(), |(domain, _)| domain)).or_default() += 1;
    }
    let records: Vec<String> =
        domains.iter().map(|(name, count)| format!("{} ({count})", name.replace('_', " "))).collect();
    let kind = one.kind.to_string().replace('_', " ");
    let outcome = match &one.reason {
        Some(reason) => Cell::marked(format!("{kind}: {}", reason.replace('_', " "))),
        None => Cell::from(kind),
    };
    let who = one.person.as_ref().map(|person| person.expose().clone()).or_else(|| one.system.clone());
    let what = match (&one.authority, records.is_empty()) {
        (Some(what), true) => what.expose().clone(),
        _ => records.join(", "),
    };
    let basis = one.legal_basis.as_ref().map_or_else(String::new, |basis| format!(" ({})", basis.replace('_', " ")));
    vec![
        Cell::from(one.decided_at.format("%Y-%m-%d %H:%M:%S")),
        outcome,
        Cell::from(&one.party),
        Cell::from(format!("{}{basis}", one.purpose.clone().unwrap_or_default())),
        Cell::from(who.unwrap_or_default()),
        Cell::from(what),
        Cell::from(one.id.to_string()),
    ]
}

/// One student's record of disclosures, to read and to print.
pub(super) async fn record(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let visit = &*visit;
    let (session, words) = (visit.auditor()?, visit.words());
    let form = Form {
        action: RECORD.to_owned(),
        fields: vec![Field::text(visit, "student", &words.record_student)],
        hidden: Vec::new(),
        button: words.record_show.clone(),
    };
    let mut parts = vec![Part { form: Some(form), ..Part::default() }];
    if !visit.form.is_empty() {
        visit.check_form()?;
        let student = StudentId(sent(visit, "student").parse().map_err(|_| Failure::Invalid)?);
        let what = format!("record of disclosures of student {student} for {}", Audience::Auditor);
        let students = BTreeSet::from([student]);
        let ask = own_ask(session);
        disclosure::record_asking(visit.portal.disclosure(), &ask, (&what, &students), Some(student)).await?;
        let entries = pg::run_tx(&visit.portal.deps.pool, "portal.record", Role::Ledger, |tx| {
            Box::pin(async move { ledger::disclosures_of(tx, student, Audience::Auditor, None, RECORD_MAX).await })
        });
        let entries = entries.await.map_err(Failure::of)?;
        let day = Language::day_of(visit.portal.deps.clock.now(), visit.own_zone());
        let (student, count) = (student.to_string(), entries.len().to_string());
        let of = fill(&words.record_of, &[("student", &student), ("day", &day), ("count", &count)]);
        let mut notes = vec![words.print_hint.clone()];
        let command = format!("throughline ledger disclosures --student {student} --format pdf --out FILE");
        if entries.len() >= RECORD_MAX as usize {
            notes.push(fill(&words.record_cut, &[("count", &count)]));
        }
        let table = entries_table(words, &entries, &words.record_none);
        parts.push(Part { notes, table: Some(table), ..Part::named(&of) });
        parts.push(Part::command(&words.record_family, format!("{command} --audience parent --release --key FILE")));
    }
    sheet::show(visit, &words.record, (&words.record_about, None), parts)
}

/// What recipients must destroy and have not attested.
pub(super) async fn destruction(visit: &mut Visit<'_>) -> Result<Response, Failure> {
    let visit = &*visit;
    let (session, words) = (visit.auditor()?, visit.words());
    record_look(visit, session, "what recipients have to destroy").await?;
    let columns: [(&str, Align); _] = [
        (&words.column_client, Align::Text),
        (&words.column_cause, Align::Text),
        (&words.column_last_disclosed, Align::Number),
        (&words.column_destroy_by, Align::Number),
        (&words.column_attest_by, Align::Number),
        (&words.column_state, Align::Text),
    ];
    let mut parts = Vec::new();
    for consumer in visit.portal.deps.consumers.iter().filter(|one| one.has_roster) {
        let ask = recipient_ask(&consumer.id);
        let (due, today) = match retention::list_due(visit.portal.disclosure(), &ask).await {
            Ok(found) => found,
            // It never had an agreement: nothing was sent to it.
            Err(disclosure::Error::Invalid(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        let mut table = Table::new(&consumer.name, &words.destruction_none, &columns);
        table.rows = due
            .iter()
            .map(|one| {
                let cause = match &one.cause {
                    retention::Cause::AuthorityEnded => words.authority_ended.clone(),
                    retention::Cause::Stopped => words.stopped.clone(),
                    retention::Cause::CalledBack(cause) => fill(&words.called_back, &[("cause", cause)]),
                };
                vec![
                    Cell::from(one.person_key.expose()),
                    Cell::from(cause),
                    Cell::from(Language::day_of(one.disclosed_at, consumer.zone)),
                    Cell::from(Language::day(one.destroy_by)),
                    Cell::from(Language::day(one.attest_by)),
                    if one.is_overdue(today) { Cell::marked(&words.overdue) } else { Cell::from(&words.due) },
                ]
            })
            .collect();
        parts.push(Part { table: Some(table), ..Part::named(&consumer.name) });
    }
    sheet::show(visit, &words.destruction, (&words.destruction_about, None), parts)
}

/// As whose record it is read.
fn recipient_ask(consumer: &ConsumerId) -> Ask<'_> {
    Ask {
        consumer,
        actor: Actor::ScheduledRun,
        purpose: None,
        delivery: Delivery::File,
        office: None,
        as_of: None,
        asker: Asker::default(),
        run: None,
        repeat: Repeat::Always,
        request: None,
    }
}
