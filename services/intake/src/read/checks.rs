//! What must hold of a record: field by field, then across fields. Nothing here builds a fact, and a good record costs no memory.

use std::collections::{BTreeMap, HashSet};

use chrono::{Datelike as _, Weekday};
use model::SchoolYear;
use reference::tables::{Edition, EditionMatch, Unknown};

use super::{plan::RecordPlan, value};
use crate::{
    Finding, Severity,
    finding::quoted,
    layout::{Characters, Condition, DigitCount, Field, FieldKind, Requirement, Rule, RuleKind, Test, rule::is_like},
};

/// What a check found out about a record.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// The place of its type among the record's types.
    pub kind: usize,
    /// The school year it is about.
    pub year: Option<SchoolYear>,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// How many of these are about a field by itself; the others are about rules across fields.
    pub of_fields: usize,
}

impl Checked {
    /// Whether it can be loaded.
    pub(crate) fn is_good(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity < Severity::Error)
    }

    /// What is odd about fields, each by itself.
    pub(crate) fn of_fields(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().take(self.of_fields)
    }

    /// What is wrong with fields, each by itself.
    pub(crate) fn wrong_fields(&self) -> impl Iterator<Item = &Finding> {
        self.of_fields().filter(|finding| finding.severity >= Severity::Error)
    }

    fn is_wrong(&self, column: u32) -> bool {
        self.wrong_fields().any(|finding| finding.column == Some(column))
    }
}

/// Things said once a file: a code table without an edition for a school year.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    seen: HashSet<(String, i16)>,
    /// Not yet told.
    pub pending: Vec<Finding>,
    /// Records by field and unknown code.
    unknown_codes: BTreeMap<(usize, usize, String), u64>,
    /// What a finding about each of these says.
    said: BTreeMap<(usize, usize, String), String>,
}

/// Unknown codes that are counted; what comes after so many different ones is no new code but another column.
const UNKNOWN_CODES_MAX: usize = 64;

/// Records that must bear an unknown code before it is taken for a new one.
const RECORDS_OF_NEW_CODE: u64 = 5;

impl Notes {
    /// Counts a code that its table does not know, with what is said of it.
    fn unknown_code(&mut self, plan: &RecordPlan<'_>, field: usize, shown: &str, title: &str) {
        let key = (plan.number, field, shown.to_owned());
        if let Some(count) = self.unknown_codes.get_mut(&key) {
            *count += 1;
        } else if self.unknown_codes.len() < UNKNOWN_CODES_MAX {
            let of = plan.record.fields.get(field).map_or("", |field| field.title.as_str());
            self.said.insert(key.clone(), format!("bear {shown} as {of}, which is not in the code table \"{title}\""));
            self.unknown_codes.insert(key, 1);
        }
    }

    /// What is to be said at the end of codes that many records bear.
    pub(super) fn new_codes(&self) -> Vec<Finding> {
        let many = self.unknown_codes.iter().filter(|(_, count)| **count >= RECORDS_OF_NEW_CODE);
        let said = many.filter_map(|(key, count)| Some((count, self.said.get(key)?)));
        said.map(|(count, said)| {
            let message =
                format!("{count} records {said}: if the state has brought it in, the table must learn it first");
            Finding::new(0, "code.new", Severity::Warning, message)
        })
        .collect()
    }

    fn edition(&mut self, plan: &RecordPlan<'_>, field: usize, year: SchoolYear) {
        let Some(table) = plan.tables.get(field).copied().flatten() else {
            return;
        };
        if !self.seen.contains(&(table.id.clone(), year.0)) {
            self.seen.insert((table.id.clone(), year.0));
            let message =
                format!("the code table \"{}\" has no edition for {year}; the nearest one is used", table.title);
            self.pending.push(Finding::new(0, "table.no_edition", Severity::Warning, message));
        }
    }
}

/// Checks a record.
pub(crate) fn check(plan: &RecordPlan<'_>, cells: &[&str], line: u32, notes: &mut Notes) -> Checked {
    let mut checked = Checked { year: plan.school_year(cells), ..Checked::default() };
    if let Some(types) = &plan.record.types {
        let text = cells.get(types.field).copied().unwrap_or_default();
        let Some(kind) = types.values.iter().position(|(value, _)| value == text) else {
            checked.findings.push(unknown_type(plan, types.field, text, line));
            return checked;
        };
        checked.kind = kind;
    }
    for (index, field) in plan.record.fields.iter().enumerate() {
        let text = cells.get(index).copied().unwrap_or_default();
        check_field(plan, (index, field), text, line, &mut checked, notes);
    }
    checked.of_fields = checked.findings.len();
    for rule in &plan.record.rules {
        // What a wrong value would require is not worth saying.
        if !rule.kind.conditions().iter().any(|condition| checked.is_wrong(plan.column(condition.field))) {
            check_rule(plan, rule, cells, line, &mut checked);
        }
    }
    checked
}

fn unknown_type(plan: &RecordPlan<'_>, index: usize, text: &str, line: u32) -> Finding {
    let types = plan.record.types.iter().flat_map(|types| &types.values);
    let known: Vec<String> = types.map(|(value, name)| format!("{value} ({name})")).collect();
    let message = format!("{} is no type of this record; it is one of {}", quoted(text), known.join(", "));
    let finding = Finding::new(line, "record.unknown_type", Severity::Error, message);
    match plan.record.fields.get(index) {
        Some(field) => finding.at(plan.column(index), field),
        None => finding,
    }
}

fn check_field(
    plan: &RecordPlan<'_>,
    (index, field): (usize, &Field),
    text: &str,
    line: u32,
    checked: &mut Checked,
    notes: &mut Notes,
) {
    let require = field.require.get(checked.kind).copied().unwrap_or(Requirement::Optional);
    let mut say = |rule: &str, severity: Severity, message: String| {
        let finding = Finding::new(line, rule, severity, message).at(plan.column(index), field);
        checked.findings.push(finding);
    };
    if let FieldKind::Constant(constant) = &field.kind {
        if text != constant {
            let is_last = index + 1 == plan.record.fields.len();
            let rule = if is_last { "record.end_marker" } else { "field.constant" };
            say(
                rule,
                Severity::Error,
                format!(
                    "{} must be {}; it is missing here, or something before it is too long or too short",
                    field.title,
                    quoted(constant)
                ),
            );
        }
        return;
    }
    if text.is_empty() {
        if plan.record.meaning.person == Some(index) {
            say(
                "person.missing",
                Severity::Error,
                format!("{} is blank: without it nobody can tell which student this record is about", field.title),
            );
        } else if require == Requirement::Mandatory {
            say("field.required", Severity::Error, format!("{} must be filled", field.title));
        }
        return;
    }
    if require == Requirement::Disallowed || field.kind == FieldKind::Filler {
        let type_name = plan.record.types.as_ref().and_then(|types| types.values.get(checked.kind));
        let of = type_name.map_or_else(String::new, |(_, name)| format!(" in a {name} record"));
        if let Some((rule, message)) = unprintable(field, text) {
            say(rule, Severity::Error, message);
            return;
        }
        say("field.disallowed", field.disallowed, format!("{} must be blank{of}", field.title));
        return;
    }
    if plan.is_suppressed(text) && require != Requirement::Mandatory {
        return;
    }
    if let Err(refused) = check_content(field, text) {
        // What a number or a day looks wrong for may be a character that nobody sees.
        let unseen = if field.kind == FieldKind::Text { None } else { unprintable(field, text) };
        let (rule, message) = unseen.unwrap_or(refused);
        say(rule, Severity::Error, message);
        return;
    }
    if let Some(shape) = field.shape.as_deref().filter(|shape| !is_like(text, shape)) {
        let message =
            format!("{} is usually of the shape {shape} (# a digit, @ a letter); it is taken as it is", field.title);
        say("text.shape", Severity::Warning, message);
    }
    if field.characters == Characters::Person && !text.chars().all(Characters::is_of_name) {
        let message =
            format!("{} holds a character that names are seldom written with; it is taken as it is", field.title);
        say("text.unusual", Severity::Warning, message);
    }
    if let Some((severity, message)) = check_code(plan, index, text, checked.year, notes) {
        say("code.unknown", severity, message);
    }
}

/// Looks a text up in its field's code table.
fn check_code(
    plan: &RecordPlan<'_>,
    index: usize,
    text: &str,
    year: Option<SchoolYear>,
    notes: &mut Notes,
) -> Option<(Severity, String)> {
    let found = plan.edition(index, year)?;
    if let (EditionMatch::Nearest(_), Some(year)) = (found, year) {
        notes.edition(plan, index, year);
    }
    let edition = found.edition();
    if edition.find(text).is_some() {
        return None;
    }
    let title = plan.tables.get(index).copied().flatten().map_or("", |table| table.title.as_str());
    let (severity, open) = match edition.unknown {
        Unknown::Error => (Severity::Error, ""),
        Unknown::Warning => (Severity::Warning, "; the table may be incomplete, so the record is taken as it is"),
    };
    let of = year.map_or_else(String::new, |year| format!(" of {year}"));
    let shown = shown_code(edition, text);
    if shown.starts_with('"') {
        notes.unknown_code(plan, index, &shown, title);
    }
    Some((severity, format!("{shown} is not in the code table \"{title}\"{of}{open}")))
}

/// A code in a message. What is longer than any code of its table may be something else that has slipped into the field, a name
/// perhaps, and is not shown.
fn shown_code(edition: &Edition, text: &str) -> String {
    const SHOWN_MAX: usize = 7;
    let longest = edition.codes.iter().map(|code| code.code.len()).max().unwrap_or_default();
    let looks_like_code = longest <= 4 || text.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() <= longest.min(SHOWN_MAX) && looks_like_code { quoted(text) } else { "the value".to_owned() }
}

type Refused = (&'static str, String);

fn check_content(field: &Field, text: &str) -> Result<(), Refused> {
    if field.length > 0 && text.len() > field.length {
        let length = text.chars().count();
        if length > field.length {
            return Err((
                "field.length",
                format!("{} has {length} characters; {} are allowed", field.title, field.length),
            ));
        }
    }
    let refuse = |rule: &'static str, what: &str| Err((rule, format!("{} {what}", field.title)));
    match &field.kind {
        FieldKind::Text => {
            check_characters(field, text)?;
            match text.chars().count() {
                length if field.is_exact && length != field.length => {
                    refuse("text.length", &format!("must have {} characters; it has {length}", field.length))
                }
                _ => Ok(()),
            }
        }
        FieldKind::Digits(count) => {
            if !text.bytes().all(|byte| byte.is_ascii_digit()) {
                return refuse("digits.invalid", "must hold digits only");
            }
            if *count != DigitCount::AtMost && field.length > 0 && text.len() != field.length {
                return refuse(
                    "digits.length",
                    &format!("must have {} digits, leading zeros included; it has {}", field.length, text.len()),
                );
            }
            Ok(())
        }
        FieldKind::SessionYear => match value::session_year(text) {
            Some(_) => Ok(()),
            None => refuse("session_year.invalid", "must be a school year, written by both its years, as 20182019"),
        },
        FieldKind::Date(form) => match value::date(text, *form) {
            Some(_) => Ok(()),
            None => refuse("date.invalid", &format!("must be a day that exists, written {}", form.name())),
        },
        FieldKind::Time if !value::is_time(text) => {
            refuse("time.invalid", "must be a time of day, written HH:MM on 24 hours")
        }
        FieldKind::Integer => match value::integer(text) {
            Some(number) => check_range(field, number.saturating_mul(model::Decimal::SCALE)),
            None => refuse("number.invalid", "must be a whole number"),
        },
        FieldKind::Decimal(places) => match value::decimal(text, *places) {
            Some(number) => check_range(field, number.0),
            None => refuse("number.invalid", &format!("must be a number with at most {places} decimals")),
        },
        FieldKind::Boolean(words) => {
            let is_word = |list: &[String]| list.iter().any(|word| word == text);
            if words.no.is_empty() {
                return unprintable(field, text).map_or(Ok(()), Err);
            }
            if is_word(&words.yes) || is_word(&words.no) {
                return Ok(());
            }
            refuse("boolean.invalid", &format!("must be {}", field.kind.words()))
        }
        FieldKind::Time | FieldKind::Constant(_) | FieldKind::Filler => Ok(()),
    }
}

fn check_range(field: &Field, number: i64) -> Result<(), Refused> {
    let shown = |limit: i64| model::Decimal(limit);
    if let Some(min) = field.min.filter(|min| number < *min) {
        return Err(("number.range", format!("{} must be at least {}", field.title, shown(min))));
    }
    if let Some(max) = field.max.filter(|max| number > *max) {
        return Err(("number.range", format!("{} must be at most {}", field.title, shown(max))));
    }
    Ok(())
}

fn check_characters(field: &Field, text: &str) -> Result<(), Refused> {
    // Most text is plain ASCII: one pass over bytes settles it.
    if field.characters == Characters::Any && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(());
    }
    for c in text.chars() {
        let is_break = field.characters == Characters::Lines && matches!(c, '\n' | '\r' | '\t');
        if is_unprintable(c) && !is_break {
            return Err(control_character(field, c));
        }
        let good = match field.characters {
            Characters::Any | Characters::Lines | Characters::Person => true,
            Characters::Name => Characters::is_of_name(c),
            Characters::Suffix => c.is_alphabetic() || c == '.',
            Characters::Alphanumeric => c.is_alphanumeric(),
            Characters::Code => c.is_ascii_alphanumeric() || c == '.',
        };
        if !good {
            return Err(("text.characters", format!("{} may hold {} only", field.title, field.characters.words())));
        }
    }
    Ok(())
}

fn is_unprintable(c: char) -> bool {
    c.is_control() || c == '\u{fffd}'
}

fn control_character(field: &Field, c: char) -> Refused {
    let message = format!("{} holds a character that cannot be printed (code {:04X})", field.title, u32::from(c));
    ("text.control_character", message)
}

/// What is wrong with a text that is not looked at otherwise.
fn unprintable(field: &Field, text: &str) -> Option<Refused> {
    text.chars().find(|c| is_unprintable(*c)).map(|c| control_character(field, c))
}

/// Whether all conditions hold.
pub(crate) fn all_hold(plan: &RecordPlan<'_>, when: &[Condition], cells: &[&str], year: Option<SchoolYear>) -> bool {
    when.iter().all(|condition| holds(plan, condition, cells, year))
}

fn holds(plan: &RecordPlan<'_>, condition: &Condition, cells: &[&str], year: Option<SchoolYear>) -> bool {
    let text = cells.get(condition.field).copied().unwrap_or_default();
    match &condition.test {
        Test::Is(values) => values.iter().any(|value| value == text),
        Test::Not(values) => values.iter().all(|value| value != text),
        Test::Blank => text.is_empty(),
        Test::Filled => !text.is_empty(),
        Test::Like(shape) => is_like(text, shape),
        Test::Weekend => date_of(plan, condition.field, cells)
            .is_some_and(|day| matches!(day.weekday(), Weekday::Sat | Weekday::Sun)),
        Test::Since(day) => date_of(plan, condition.field, cells).is_some_and(|found| *day <= found),
        Test::Flag(flag) => has_flag(plan, condition.field, text, flag, year),
        Test::NotFlag(flag) => !has_flag(plan, condition.field, text, flag, year),
    }
}

fn has_flag(plan: &RecordPlan<'_>, field: usize, text: &str, flag: &str, year: Option<SchoolYear>) -> bool {
    let code = plan.edition_in_use(field, year).and_then(|edition| edition.find(text));
    code.is_some_and(|code| code.flags.iter().any(|found| found == flag))
}

fn check_rule(plan: &RecordPlan<'_>, rule: &Rule, cells: &[&str], line: u32, checked: &mut Checked) {
    let text = |field: usize| cells.get(field).copied().unwrap_or_default();
    let title = |field: usize| plan.record.fields.get(field).map_or("", |field| field.title.as_str());
    let applies = |when: &[Condition]| all_hold(plan, when, cells, checked.year);
    let broken: Option<(usize, String)> = match &rule.kind {
        RuleKind::DateOrder { first, then } => {
            let (before, after) = (date_of(plan, *first, cells), date_of(plan, *then, cells));
            matches!((before, after), (Some(before), Some(after)) if after < before)
                .then(|| (*then, format!("{} lies before {}", title(*then), title(*first))))
        }
        RuleKind::AtMost { field, limit } => {
            let (number, most) = (number_of(text(*field)), number_of(text(*limit)));
            matches!((number, most), (Some(number), Some(most)) if most < number)
                .then(|| (*field, format!("{} is greater than {}", title(*field), title(*limit))))
        }
        RuleKind::RequiredWhen { field, when, because } => (text(*field).is_empty() && applies(when))
            .then(|| (*field, format!("{} must be filled: {because}", title(*field)))),
        RuleKind::BlankUnless { field, when, because } => (!text(*field).is_empty() && !applies(when))
            .then(|| (*field, format!("{} must be blank: {because}", title(*field)))),
        RuleKind::MustEqual { field, other, when, because } => (text(*field) != text(*other) && applies(when))
            .then(|| (*field, format!("{} must equal {}: {because}", title(*field), title(*other)))),
        RuleKind::MustBegin { field, with, when, because } => (!text(*field).starts_with(text(*with)) && applies(when))
            .then(|| (*field, format!("{} must begin with {}: {because}", title(*field), title(*with)))),
        RuleKind::Refused { field, when, because } => {
            applies(when).then(|| (*field, format!("{}: {because}", title(*field))))
        }
    };
    if let Some((field, message)) = broken {
        let finding = Finding::new(line, rule.kind.code(), rule.severity, message);
        checked.findings.push(match plan.record.fields.get(field) {
            Some(described) => finding.at(plan.column(field), described),
            None => finding,
        });
    }
}

fn date_of(plan: &RecordPlan<'_>, field: usize, cells: &[&str]) -> Option<chrono::NaiveDate> {
    let FieldKind::Date(form) = plan.record.fields.get(field)?.kind else {
        return None;
    };
    value::date(cells.get(field)?, form)
}

fn number_of(text: &str) -> Option<model::Decimal> {
    if text.is_empty() { None } else { text.parse().ok() }
}
