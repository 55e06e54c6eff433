//! `HistoryService.TraceLineage`: back from what is known to the records as received, for the state education agency's own stewards.

use std::{collections::BTreeSet, io::BufRead, sync::Arc};

use agreements::Delivery;
use disclosure::{Ask, Asker, KeptFile, Repeat, RequestMark, Trace, TracedFact, TracedFile};
use intake::lineage::{self, About, KeptLine, KeptRecord, KeptValue};
use model::{BatchId, Certification, Domain, Masked, StudentId};
use prost::Message as _;
use proto::history::v1::{self as pb, trace_lineage_request::Subject};

use crate::{caller::Caller, convert, own::steward, shared::Shared, status::Failure};

type Traced = TracedFile<Vec<KeptLine>>;

/// Traces. The access is entered before a kept file is opened.
pub(crate) async fn trace(
    shared: &Shared,
    (caller, mark): (&Caller, Option<RequestMark>),
    request: &pb::TraceLineageRequest,
) -> Result<pb::TraceLineageResponse, Failure> {
    let by = steward(shared, &request.steward)?;
    let what = subject(request)?;
    let asker = Asker { person: Some(Masked::new(by.to_owned())), ..caller.asker(None) };
    let ask = Ask {
        consumer: caller.id(),
        actor: caller.actor(),
        purpose: None,
        delivery: Delivery::Unary,
        office: None,
        as_of: None,
        asker,
        run: None,
        repeat: Repeat::Always,
        request: mark,
    };
    let about = if matches!(what, Trace::Student(..)) { About::OneStudent } else { About::TheLine };
    let find = move |file: &KeptFile, lines: &BTreeSet<u32>, kept: &mut dyn BufRead| {
        lineage::find_lines(kept, &file.layout, lines, about).map_err(|error| error.to_string())
    };
    let traced = disclosure::trace(shared.disclosure(), &ask, what, Arc::new(find)).await.map_err(failure)?;
    let lines = traced.iter().flat_map(|file| file.found.iter().map(move |line| message(file, line)));
    let response = pb::TraceLineageResponse { lines: lines.collect() };
    if response.encoded_len() > shared.limits.history_bytes_max {
        return Err(Failure::Precondition {
            reason: "LINEAGE_TOO_LARGE",
            what: "what was traced is greater than this exchange sends at once: name a domain, or a line",
        });
    }
    Ok(response)
}

fn subject(request: &pb::TraceLineageRequest) -> Result<Trace, Failure> {
    const STUDENT: Failure = Failure::Invalid { field: "student_id", what: "a person id of the agency's own feed" };
    const LINE: Failure = Failure::Invalid { field: "batch_line", what: "a batch and a line of it, both from 1" };
    const DOMAIN: Failure = Failure::Invalid { field: "domain", what: "a domain, and only beside a student" };
    let domain = match convert::name("domain", &request.domain)? {
        Some(name) => Some(name.parse::<Domain>().map_err(|_| DOMAIN)?),
        None => None,
    };
    match (&request.subject, domain) {
        (Some(Subject::StudentId(id)), domain) => {
            let id = convert::uuid("student_id", id)?.ok_or(STUDENT)?;
            Ok(Trace::Student(StudentId(id), domain))
        }
        (Some(Subject::BatchLine(_)), Some(_)) => Err(DOMAIN),
        (Some(Subject::BatchLine(at)), None) => {
            let line = u32::try_from(at.line).ok().filter(|line| *line > 0).ok_or(LINE)?;
            if at.batch > 0 { Ok(Trace::Line(BatchId(at.batch), line)) } else { Err(LINE) }
        }
        (None, _) => Err(Failure::Invalid { field: "subject", what: "a student or a line of a batch" }),
    }
}

/// What cannot be opened, and why, the SEA's own may know.
fn failure(error: disclosure::Error) -> Failure {
    match error {
        disclosure::Error::Invalid(what) => Failure::Precondition { reason: "NOT_OPENED", what },
        other => other.into(),
    }
}

fn message(file: &Traced, line: &KeptLine) -> pb::TracedLine {
    let of = &file.file;
    pb::TracedLine {
        batch: of.batch.0,
        file: of.name.clone(),
        file_sha256: of.sha256.clone(),
        file_bytes: convert::count(of.size_bytes),
        layout: of.layout.clone(),
        layout_version: lineage::version_of(&of.layout).unwrap_or_default().to_owned(),
        line: i64::from(line.line),
        shared: line.is_shared,
        records: line.records.iter().map(record).collect(),
        facts: file.facts.iter().filter(|fact| fact.line == line.line).map(fact).collect(),
    }
}

fn record(record: &KeptRecord) -> pb::ReceivedRecord {
    let value = |value: &KeptValue| pb::ReceivedValue {
        field: value.field.clone(),
        line: i64::from(value.line),
        column: value.column.cast_signed(),
        length: value.length.cast_signed(),
        value: value.text.expose().clone(),
        elements: value.elements.clone(),
    };
    pb::ReceivedRecord {
        kind: record.kind.clone(),
        raw: record.raw.expose().clone(),
        values: record.values.iter().map(value).collect(),
    }
}

fn fact(fact: &TracedFact) -> pb::TracedFact {
    let element =
        |(name, value): (&String, &model::Value)| pb::TracedElement { element: name.clone(), value: value.to_plain() };
    pb::TracedFact {
        student_id: fact.student.to_string(),
        domain: fact.domain.to_string(),
        kind: fact.kind.clone(),
        school_year: fact.school_year.map(|year| year.to_string()).unwrap_or_default(),
        valid_from_date: fact.valid.from().map(convert::date),
        valid_to_date: fact.valid.to().map(convert::date),
        preliminary: fact.certification == Certification::Preliminary,
        elements: fact.values.expose().iter().map(element).collect(),
    }
}
