//! A layout as a page that a district can follow: Markdown, made from the same description that reads its files.

mod produced;

use std::fmt::{self, Write};

use reference::tables::{CodeTable, Edition, TableStatus, Tables};

use crate::{
    Layout, Severity,
    layout::{Condition, FactRule, Field, Format, LineEnd, Record, Rule, RuleKind, Status},
};

/// Codes of a table that a page prints; a longer table is summed up.
const CODES_SHOWN_MAX: usize = 60;

/// The page of a layout.
pub fn page(layout: &Layout) -> String {
    let mut page = String::new();
    // Cannot fail: writing to a String.
    let _written = write_page(&mut page, layout);
    page
}

fn write_page(out: &mut String, layout: &Layout) -> fmt::Result {
    let tables = Tables::builtin(&layout.sea);
    writeln!(out, "# {}\n", layout.title)?;
    writeln!(out, "{}\n", layout.about.trim())?;
    writeln!(out, "- Layout: `{}`, version {}, {}", layout.id, layout.version, status(layout.status))?;
    writeln!(out, "- After: {}", layout.source)?;
    writeln!(out, "- Form: {}", form(layout))?;
    for note in &layout.notes {
        writeln!(out, "- {note}")?;
    }
    for record in &layout.records {
        write_record(out, layout, record)?;
    }
    if let Some(tables) = tables {
        write_tables(out, layout, tables)?;
    }
    Ok(())
}

const fn status(status: Status) -> &'static str {
    match status {
        Status::Verified => "as the source publishes it",
        Status::Provisional => "provisional: completed where the source is silent",
    }
}

fn form(layout: &Layout) -> String {
    let end = match layout.line_end {
        LineEnd::CrLf => "carriage return and line feed",
        LineEnd::Lf => "line feed",
    };
    let what = match &layout.format {
        Format::Fixed { code: None } => {
            let length = layout.records.first().map_or(0, |record| record.length);
            format!("fixed width, {length} characters a record; text to the left, filled up with blanks")
        }
        Format::Fixed { code: Some(span) } => format!(
            "fixed width, several kinds of record, told apart by positions {} to {}",
            span.start + 1,
            span.start + span.length
        ),
        Format::Delimited { delimiter, header, suppressed } => {
            let header = if *header { "with a header" } else { "without a header" };
            let mut text = format!(
                "values between `{}`, {header}; a value that holds the delimiter, a quote or a line break stands in double quotes",
                char::from(*delimiter)
            );
            if let Some(mark) = suppressed {
                text.push_str("; `");
                text.push_str(mark);
                text.push_str("` stands for a suppressed value");
            }
            text
        }
    };
    format!("{what}; each record ends with {end}; UTF-8 (Windows-1252 is recognised)")
}

fn write_record(out: &mut String, layout: &Layout, record: &Record) -> fmt::Result {
    writeln!(out, "\n## Fields of the {}\n", record.name)?;
    if let (Some(code), true) = (&record.code, matches!(layout.format, Format::Fixed { .. })) {
        writeln!(out, "Code `{code}`, {} characters; {}.\n", record.length, status(record.status))?;
    }
    for note in &record.notes {
        writeln!(out, "- {note}")?;
    }
    if !record.notes.is_empty() {
        writeln!(out)?;
    }
    if let Some(types) = &record.types {
        let names: Vec<String> = types.values.iter().map(|(value, name)| format!("`{value}` {name}")).collect();
        writeln!(out, "Types: {}.\n", names.join(", "))?;
    }
    writeln!(out, "M mandatory, O optional, R recommended, C conditional (see the rules), D disallowed.\n")?;
    let is_fixed = matches!(layout.format, Format::Fixed { .. });
    let place = if is_fixed { "Positions" } else { "Column" };
    writeln!(out, "| # | Field | {place} | Length | Holds | Filled | Table | Remarks |")?;
    writeln!(out, "|---|---|---|---|---|---|---|---|")?;
    for (index, field) in record.fields.iter().enumerate() {
        let place = if is_fixed {
            format!("{}-{}", field.span.start + 1, field.span.start + field.span.length)
        } else if layout.has_header() {
            format!("`{}`{}", field.column, if field.optional_column { ", may be missing" } else { "" })
        } else {
            (index + 1).to_string()
        };
        let length = if field.length == 0 { String::new() } else { field.length.to_string() };
        writeln!(
            out,
            "| {} | {} | {place} | {length} | {} | {} | {} | {} |",
            index + 1,
            field.title,
            holds(field),
            letters(record, field),
            field.table.as_ref().map_or_else(String::new, |table| format!("[{table}](#{table})")),
            field.about
        )?;
    }
    if !record.rules.is_empty() {
        writeln!(out, "\n### Rules\n")?;
        for rule in &record.rules {
            writeln!(out, "- {}", rule_words(record, rule))?;
        }
    }
    if !record.meaning.facts.is_empty() {
        writeln!(out, "\n### What it becomes\n")?;
        for fact in &record.meaning.facts {
            write_fact(out, record, fact)?;
        }
    }
    produced::write(out, record)?;
    if record.meaning.organization.is_some() {
        writeln!(
            out,
            "\n### What it becomes\n\n- An organization of the reference data: code, name, type, town, opening date."
        )?;
    }
    Ok(())
}

fn holds(field: &Field) -> String {
    let mut text = field.kind.words();
    if field.characters != crate::layout::Characters::Any {
        text.push_str(": ");
        text.push_str(field.characters.words());
    }
    if field.is_exact {
        text.push_str(", all positions filled");
    }
    if let Some(shape) = &field.shape {
        text.push_str(", usually of the shape `");
        text.push_str(shape);
        text.push_str("` (`#` a digit, `@` a letter, `?` any)");
    }
    let shown = |limit: i64| model::Decimal(limit).to_string();
    match (field.min, field.max) {
        (Some(min), Some(max)) => format!("{text}, {} to {}", shown(min), shown(max)),
        (Some(min), None) => format!("{text}, at least {}", shown(min)),
        (None, Some(max)) => format!("{text}, at most {}", shown(max)),
        (None, None) => text,
    }
}

fn letters(record: &Record, field: &Field) -> String {
    match &record.types {
        None => field.require.iter().map(|require| require.letter()).collect(),
        Some(types) => types
            .values
            .iter()
            .zip(&field.require)
            .map(|((value, _), require)| format!("{value}:{}", require.letter()))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

fn title(record: &Record, field: usize) -> &str {
    record.fields.get(field).map_or("", |field| field.title.as_str())
}

fn conditions(record: &Record, when: &[Condition]) -> String {
    let words: Vec<String> = when.iter().map(|condition| condition.words(title(record, condition.field))).collect();
    words.join(" and ")
}

fn rule_words(record: &Record, rule: &Rule) -> String {
    let name = |field: &usize| title(record, *field);
    let given = |when: &[Condition]| {
        if when.is_empty() { String::new() } else { format!(" when {}", conditions(record, when)) }
    };
    let text = match &rule.kind {
        RuleKind::DateOrder { first, then } => format!("{} is not before {}", name(then), name(first)),
        RuleKind::AtMost { field, limit } => format!("{} is not greater than {}", name(field), name(limit)),
        RuleKind::RequiredWhen { field, when, because } => {
            format!("{} must be filled when {}: {because}", name(field), conditions(record, when))
        }
        RuleKind::BlankUnless { field, when, because } => {
            format!("{} must be blank unless {}: {because}", name(field), conditions(record, when))
        }
        RuleKind::MustEqual { field, other, when, because } => {
            format!("{} must equal {}{}: {because}", name(field), name(other), given(when))
        }
        RuleKind::MustBegin { field, with, when, because } => {
            format!("{} must begin with {}{}: {because}", name(field), name(with), given(when))
        }
        RuleKind::Refused { field, when, because } => {
            format!("{}: {because}; so not {}", name(field), conditions(record, when))
        }
    };
    match rule.severity {
        Severity::Error | Severity::Fatal => format!("{text}."),
        Severity::Warning | Severity::Information => format!("{text} (a warning)."),
    }
}

fn write_fact(out: &mut String, record: &Record, fact: &FactRule) -> fmt::Result {
    use crate::layout::Setting;
    let when = if fact.when.is_empty() { String::new() } else { format!(", when {}", conditions(record, &fact.when)) };
    writeln!(out, "- {} ({}){when}:", fact.domain, fact.kind)?;
    for (element, setting) in &fact.set {
        let source = match setting {
            Setting::Field(field) => title(record, *field).to_owned(),
            Setting::Constant(value) => format!("always \"{}\"", value.to_plain()),
            Setting::Transform(transform, fields) => {
                let names: Vec<&str> = fields.iter().map(|field| title(record, *field)).collect();
                format!("{}: {}", names.join(", "), transform.about)
            }
        };
        writeln!(out, "  - `{}.{element}`: {source}", fact.domain)?;
    }
    if !fact.edition.is_empty() {
        let names: Vec<&str> = fact.edition.iter().map(|field| title(record, *field)).collect();
        let order = names.join(", then ");
        writeln!(
            out,
            "  - Of two that differ the later edition stands, by {order}, whichever file came first; of one edition, or of none told, the file loaded later."
        )?;
    }
    Ok(())
}

fn write_tables(out: &mut String, layout: &Layout, tables: &Tables) -> fmt::Result {
    let mut named: Vec<&str> = Vec::new();
    for field in layout.records.iter().flat_map(|record| &record.fields) {
        if let Some(table) = field.table.as_deref().filter(|table| !named.contains(table)) {
            named.push(table);
        }
    }
    let found: Vec<&CodeTable> = named.into_iter().filter_map(|id| tables.find(id)).collect();
    if found.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Code tables")?;
    for table in found {
        writeln!(out, "\n### <a id=\"{}\"></a>{}", table.id, table.title)?;
        for edition in table.editions() {
            write_edition(out, edition)?;
        }
    }
    Ok(())
}

fn write_edition(out: &mut String, edition: &Edition) -> fmt::Result {
    let years = match (edition.from, edition.to) {
        (None, None) => "All school years".to_owned(),
        (Some(from), None) => format!("From {from} on"),
        (None, Some(to)) => format!("Up to {to}"),
        (Some(from), Some(to)) => format!("{from} to {to}"),
    };
    let status = match edition.status {
        TableStatus::Verified => "verified",
        TableStatus::Provisional => "provisional",
    };
    writeln!(out, "\n{years}, {status}: {}.\n", edition.source)?;
    for code in edition.codes.iter().take(CODES_SHOWN_MAX) {
        let doubt = match code.status {
            Some(TableStatus::Provisional) if edition.status == TableStatus::Verified => " (provisional)",
            Some(TableStatus::Verified) if edition.status == TableStatus::Provisional => " (verified)",
            _ => "",
        };
        writeln!(out, "- `{}` {}{doubt}", code.code, code.label)?;
    }
    let rest = edition.codes.len().saturating_sub(CODES_SHOWN_MAX);
    if rest > 0 {
        writeln!(out, "- and {rest} more")?;
    }
    Ok(())
}
