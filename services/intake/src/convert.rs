//! Conversion: records as NDJSON, one object a line, and back to the file.
//!
//! An object has the layout's field names in the order of the file; blank fields are left out, and so are constants and fillers,
//! which the layout knows. A date `MMDDYYYY` is written `YYYY-MM-DD`; everything else is the file's own text, so that a clean
//! file comes back byte for byte. `line` is for the reader and is ignored on the way back; `record` is the code of the kind of record
//! where a file has several.

use std::{
    io::{BufRead, Write},
    ops::ControlFlow,
};

use reference::tables::Tables;
use serde_json::{Map, Value as Json};

use crate::{
    Error, Finding, Layout, RecordWriter, Severity,
    json_lines::{JsonLine, JsonLines},
    layout::{DateForm, Field, FieldKind, Record},
    read::{
        ReadSummary,
        engine::{self, Event},
        facts::Checkpoint,
        value,
    },
};

/// Writes each good record of a file as a line of NDJSON; what is wrong with the others goes to `findings`.
pub fn to_ndjson(
    reader: &mut dyn BufRead,
    layout: &Layout,
    tables: &Tables,
    out: &mut dyn Write,
    findings: &mut dyn FnMut(Finding),
) -> Result<ReadSummary, Error> {
    let mut failed = None;
    let summary = engine::run(reader, layout, tables, &mut |event| {
        let found = match event {
            Event::File(finding) => vec![finding],
            Event::Bad { findings, .. } => findings,
            Event::Good { record, findings, .. } => {
                if let Err(error) = write_object(&record, out) {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
                findings
            }
        };
        found.into_iter().for_each(&mut *findings);
        ControlFlow::Continue(())
    })?;
    match failed {
        Some(error) => Err(Error::unavailable("the records cannot be written", error)),
        None => Ok(summary),
    }
}

fn write_object(record: &Checkpoint<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    write!(out, "{{\"line\":{}", record.line)?;
    if let Some(code) = &record.plan.record.code {
        write!(out, ",\"record\":")?;
        serde_json::to_writer(&mut *out, code)?;
    }
    for (field, text) in record.plan.record.fields.iter().zip(record.cells) {
        if text.is_empty() || matches!(field.kind, FieldKind::Constant(_) | FieldKind::Filler) {
            continue;
        }
        // Field names are ours: letters, digits and underscores.
        write!(out, ",\"{}\":", field.name)?;
        match field.kind {
            FieldKind::Date(form @ DateForm::MonthDayYear) => match value::date(text, form) {
                Some(day) => write!(out, "\"{day}\"")?,
                None => serde_json::to_writer(&mut *out, text)?,
            },
            _ => serde_json::to_writer(&mut *out, text)?,
        }
    }
    out.write_all(b"}\n")
}

/// Writes each line of NDJSON as a record of a file; lines that are no record of it go to `findings`. Returns how many were written.
pub fn from_ndjson(
    reader: &mut dyn BufRead,
    layout: &Layout,
    out: &mut dyn Write,
    findings: &mut dyn FnMut(Finding),
) -> Result<u64, Error> {
    let mut writer = RecordWriter::new(layout, out);
    let mut written = 0;
    let mut lines = JsonLines::new(reader);
    while let Some(line) = lines.next_line()? {
        let (number, text) = match line {
            JsonLine::Text(number, text) => (number, text),
            JsonLine::Refused(finding) => {
                findings(finding);
                continue;
            }
        };
        match read_object(layout, text, number) {
            Err(finding) => findings(finding),
            Ok((record, values)) => {
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                match writer.write_record(record, &values) {
                    Ok(()) => written += 1,
                    Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
                        findings(Finding::new(number, "value.does_not_fit", Severity::Error, error.to_string()));
                    }
                    Err(error) => return Err(Error::unavailable("the file cannot be written", error)),
                }
            }
        }
    }
    writer.finish().map_err(|error| Error::unavailable("the file cannot be written", error))?;
    Ok(written)
}

fn read_object<'l>(layout: &'l Layout, line: &str, number: u32) -> Result<(&'l Record, Vec<String>), Finding> {
    let refuse = |rule: &str, message: String| Finding::new(number, rule, Severity::Error, message);
    let object: Map<String, Json> = serde_json::from_str(line)
        .map_err(|error| refuse("json.invalid", format!("the line is no JSON object: {}", error_place(&error))))?;
    let record = match object.get("record").and_then(Json::as_str) {
        Some(code) => layout.find_record(code),
        None => layout.records.first().filter(|_| layout.records.len() == 1),
    };
    let record = record
        .ok_or_else(|| refuse("record.unknown_kind", "the object names no kind of record of this layout".to_owned()))?;
    let mut values = vec![String::new(); record.fields.len()];
    for (name, json) in &object {
        if name == "line" || name == "record" {
            continue;
        }
        let index = record.index_of(name).ok_or_else(|| {
            refuse("field.unknown", format!("{} is no field of this layout", crate::finding::quoted(name)))
        })?;
        let (Some(place), Some(field)) = (values.get_mut(index), record.fields.get(index)) else {
            continue;
        };
        *place = text_of(field, json)
            .ok_or_else(|| refuse("field.kind", format!("the value of {name} must be a text or a number")))?;
    }
    Ok((record, values))
}

/// Where a JSON text is wrong, without any of it.
fn error_place(error: &serde_json::Error) -> String {
    format!("it breaks off or goes wrong in column {}", error.column())
}

fn text_of(field: &Field, json: &Json) -> Option<String> {
    let text = match json {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Bool(flag) => match &field.kind {
            FieldKind::Boolean(words) if *flag => words.yes.first()?.clone(),
            FieldKind::Boolean(words) => words.no.first().cloned().unwrap_or_default(),
            _ => return None,
        },
        Json::Null => String::new(),
        Json::Array(_) | Json::Object(_) => return None,
    };
    Some(match (&field.kind, value::date(&text, DateForm::Iso)) {
        (FieldKind::Date(DateForm::MonthDayYear), Some(day)) => day.format("%m%d%Y").to_string(),
        _ => text,
    })
}
