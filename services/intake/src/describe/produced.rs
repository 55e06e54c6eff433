//! How a record is produced, for its page.

use std::fmt::{self, Write};

use super::{conditions, title};
use crate::layout::{
    Record,
    produce::{Each, Fill, Part, Produce, Select, Students},
};

/// Writes which records are produced from what is known, and what is done to them.
pub(super) fn write(out: &mut String, record: &Record) -> fmt::Result {
    let Some(produce) = &record.produce else { return Ok(()) };
    writeln!(out, "\n### How it is produced\n")?;
    writeln!(
        out,
        "From what is known of students, each field as it is read, backwards. What may not be told, is not known or is not kept is blank."
    )?;
    writeln!(out, "\n- {}", what(produce))?;
    writeln!(
        out,
        "- Nothing of students, enrollments, classes or schools (`--exclude-school`) that are excluded from state reporting; of \
            other districts (`--district`), schools (`--school`) and students (`--students`) than the report is for; of kinds \
            of record that are not asked for (`--record`); of students who are in no partial file, if it is one (`--partial-file`)"
    )?;
    for criterion in &produce.select {
        writeln!(out, "- {}", select(record, criterion))?;
    }
    for fill in &produce.fill {
        writeln!(out, "- {} is taken from {}", title(record, fill.field), from(fill))?;
    }
    for replace in &produce.replace {
        let when = conditions(record, &replace.when);
        writeln!(out, "- {}: reported as `{}` where {when}", title(record, replace.field), replace.with)?;
    }
    for (field, flag) in &produce.prefer {
        let title = title(record, *field);
        writeln!(out, "- {title}: of several the last that is preferred (`{flag}`), else the last")?;
    }
    for fields in &produce.complete {
        writeln!(out, "- {}: all filled, or all blank", titles(record, fields))?;
    }
    if let Some((code, fields)) = &produce.promoted {
        let (fields, code) = (titles(record, fields), title(record, *code));
        writeln!(out, "- {fields}: blank when {code} is one that the report names as a promotion (`--promoted`)")?;
    }
    Ok(())
}

fn what(produce: &Produce) -> String {
    let students = match produce.students {
        Students::All => "",
        Students::Enrolled => {
            ", of students with a stay that overlaps the report's dates and whose exit lies behind their entry"
        }
        Students::Active => ", of students with a stay on the report's last day",
    };
    let part = |part: &Part| match part {
        Part::Element(element) => format!("`{element}`"),
        Part::SchoolYear => "school year".to_owned(),
    };
    let each = match produce.each {
        Each::Stay => "One record for each such stay at a school".to_owned(),
        Each::Membership => "One record for each district and school year of such stays".to_owned(),
        Each::Row if produce.together.is_empty() => "One record for each row that was reported".to_owned(),
        Each::Row => {
            let parts: Vec<String> = produce.together.iter().map(part).collect();
            format!("One record for all rows with the same {}; what was learned last stands", parts.join(", "))
        }
    };
    format!("{each}{students}")
}

fn select(record: &Record, criterion: &Select) -> String {
    let elements = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
    match criterion {
        Select::AnyElement(names) => format!("Only with {}", elements(names)),
        Select::AnyField(fields) => format!("Only with one of these filled: {}", titles(record, fields)),
        Select::Coded(field) => format!("Only with a known code in {}", title(record, *field)),
        Select::After(first, then) => format!("Only if `{then}` lies behind `{first}`, where both are reported"),
        Select::BehindFirstOfOctober(element) => {
            format!("Only if `{element}` lies behind 1 October of the school year, where it is reported")
        }
        Select::Within(names) => {
            format!("Only if {} lies within the report's dates, where it is reported", elements(names))
        }
    }
}

fn titles(record: &Record, fields: &[usize]) -> String {
    fields.iter().map(|field| title(record, *field)).collect::<Vec<_>>().join(", ")
}

fn from(fill: &Fill) -> String {
    let ids: Vec<String> = fill.from.iter().map(|element| format!("`{}`", element.id())).collect();
    let part = match (fill.first, fill.day) {
        (Some(first), _) => format!(", the first {first} characters"),
        (None, true) => ", the day of the month".to_owned(),
        (None, false) => String::new(),
    };
    format!("{}{part}", ids.join(", else "))
}
