//! `intake lineage`: from facts to the lines of the files they came in, for the SEA's own stewards.

use std::{collections::BTreeSet, io::BufRead, sync::Arc};

use disclosure::{KeptFile, Trace, TracedFact, TracedFile};
use intake::lineage::{self, About, KeptLine, KeptRecord, KeptValue};
use serde_json::json;

use super::super::{Outcome, own_ask, with_app};
use crate::{args::Place, console};

/// Traces, after the access has been entered in the ledger. Ends with 3 where a line was not found in its file.
pub async fn run(place: &Place, what: Trace, by: &str) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let own = own_ask(app.own_consumer()?, "steward", by);
        let about = if matches!(what, Trace::Student(..)) { About::OneStudent } else { About::TheLine };
        let find = move |file: &KeptFile, lines: &BTreeSet<u32>, kept: &mut dyn BufRead| {
            lineage::find_lines(kept, &file.layout, lines, about).map_err(|error| error.to_string())
        };
        let traced = disclosure::trace(app.disclosure(), &own, what, Arc::new(find)).await?;
        app.sequence().await?;
        if traced.is_empty() {
            console::line(place.json, "nothing is known that the SEA's own agreement gives");
        }
        let mut is_missing = false;
        for file in &traced {
            for line in &file.found {
                is_missing |= line.records.is_empty();
                if place.json {
                    console::json(&as_json(file, line))?;
                } else {
                    say(file, line);
                }
            }
        }
        Ok(Outcome::of(is_missing))
    })
    .await
}

fn facts_of<'a>(file: &'a TracedFile<Vec<KeptLine>>, line: &KeptLine) -> impl Iterator<Item = &'a TracedFact> {
    let wanted = line.line;
    file.facts.iter().filter(move |fact| fact.line == wanted)
}

fn as_json(file: &TracedFile<Vec<KeptLine>>, line: &KeptLine) -> serde_json::Value {
    let facts: Vec<_> = facts_of(file, line)
        .map(|fact| {
            let values: serde_json::Map<_, _> =
                fact.values.expose().iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
            json!({
                "student": fact.student.to_string(), "domain": fact.domain.to_string(), "kind": fact.kind,
                "school_year": fact.school_year.map(|year| year.to_string()), "valid_from": fact.valid.from(),
                "valid_to": fact.valid.to(), "values": values,
            })
        })
        .collect();
    let records: Vec<_> = line.records.iter().map(record_as_json).collect();
    let of = &file.file;
    json!({
        "batch": of.batch.0, "file": of.name, "layout": of.layout, "layout_version": lineage::version_of(&of.layout),
        "sha256": hex::encode(&of.sha256), "bytes": of.size_bytes, "line": line.line, "shared": line.is_shared,
        "records": records, "facts": facts,
    })
}

/// The bytes as text, or as hexadecimal digits where they are no UTF-8.
fn record_as_json(record: &KeptRecord) -> serde_json::Value {
    let raw = record.raw.expose();
    let text = std::str::from_utf8(raw).ok();
    let values: Vec<_> = record
        .values
        .iter()
        .map(|value| {
            json!({
                "field": value.field, "line": value.line, "column": value.column,
                "length": (value.length > 0).then_some(value.length), "value": value.text.expose(), "elements": value.elements,
            })
        })
        .collect();
    json!({
        "record": record.kind, "raw": text, "raw_hex": text.is_none().then(|| hex::encode(raw)), "values": values,
    })
}

fn say(file: &TracedFile<Vec<KeptLine>>, line: &KeptLine) {
    let of = &file.file;
    let version = lineage::version_of(&of.layout).map_or_else(String::new, |version| format!(", version {version}"));
    console::line(false, format!("batch {} {}, line {} ({}{version})", of.batch, of.name, line.line, of.layout));
    if line.is_shared {
        console::line(false, "  records of several students stand on this line: open it by --batch and --line");
    } else if line.records.is_empty() {
        console::line(false, "  no record begins on this line: it was erased, or the file has no such line");
    }
    for record in &line.records {
        console::line(false, format!("  {}", String::from_utf8_lossy(record.raw.expose())));
        for value in &record.values {
            console::line(false, format!("    {}", words(value, line.line)));
        }
    }
    for fact in facts_of(file, line) {
        let year = fact.school_year.map_or_else(String::new, |year| format!(", school year {year}"));
        console::line(false, format!("  gives {} ({}) of student {}{year}:", fact.domain, fact.kind, fact.student));
        for (name, value) in fact.values.expose() {
            console::line(false, format!("    {name} = {}", value.to_plain()));
        }
    }
}

fn words(value: &KeptValue, line: u32) -> String {
    let place = match value.length {
        0 if value.line == line => format!("column {}", value.column),
        0 => format!("line {}, column {}", value.line, value.column),
        length => format!("columns {}-{}", value.column, value.column + length - 1),
    };
    let into = if value.elements.is_empty() { String::new() } else { format!(" -> {}", value.elements.join(", ")) };
    format!("{place}: {} = {}{into}", value.field, value.text.expose())
}
