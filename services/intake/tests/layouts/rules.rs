//! Every rule across fields of every layout, broken in turn: the finding is the rule's, at its field, and no good record is lost. Records that
//! break a rule are found by trying, not listed, so a new rule is seeded as soon as it stands in a layout.

use std::{collections::BTreeSet, ops::ControlFlow};

use chrono::{Datelike as _, Days, NaiveDate, Weekday};
use intake::{
    Condition, DateForm, FieldKind, Finding, Layout, Rule, RuleKind, Severity, Test, check, layouts, read::Sender,
};

use crate::{
    rows::{Row, of_sample, written},
    tables,
};

/// Values tried for one field.
const VALUES_MAX: usize = 12;

/// Other fields that are mended so that a record breaks one rule alone.
const REPAIRS_MAX: usize = 3;

/// Records tried for one rule.
const TRIES_MAX: usize = 30_000;

fn findings(layout: &Layout, rows: &[Row]) -> (u64, Vec<Finding>) {
    let mut found = Vec::new();
    let mut sink = |finding| {
        found.push(finding);
        ControlFlow::Continue(())
    };
    let bytes = written(layout, rows);
    let summary = check::check_file(&mut bytes.as_slice(), layout, tables(layout), Sender::default(), &mut sink)
        .expect("memory can be read");
    (summary.rows_in - summary.rejected, found)
}

/// The fields that a rule looks at, its own first.
fn fields_of(rule: &Rule) -> Vec<usize> {
    let own = match rule.kind {
        RuleKind::DateOrder { first, then } => vec![then, first],
        RuleKind::AtMost { field, limit } => vec![field, limit],
        RuleKind::MustEqual { field, other, .. } => vec![field, other],
        RuleKind::MustBegin { field, with, .. } => vec![field, with],
        RuleKind::RequiredWhen { field, .. }
        | RuleKind::BlankUnless { field, .. }
        | RuleKind::Refused { field, .. } => {
            vec![field]
        }
    };
    let mut fields = own;
    for condition in rule.kind.conditions() {
        if !fields.contains(&condition.field) {
            fields.push(condition.field);
        }
    }
    fields
}

fn day(text: &str, form: DateForm) -> Option<NaiveDate> {
    let pattern = match form {
        DateForm::MonthDayYear => "%m%d%Y",
        DateForm::Slashes => "%m/%d/%Y",
        DateForm::Iso | DateForm::Timestamp => "%Y-%m-%d",
    };
    NaiveDate::parse_from_str(text, pattern).ok()
}

fn day_text(day: NaiveDate, form: DateForm) -> String {
    let pattern = match form {
        DateForm::MonthDayYear => "%m%d%Y",
        DateForm::Slashes => "%m/%d/%Y",
        DateForm::Iso | DateForm::Timestamp => "%Y-%m-%d",
    };
    day.format(pattern).to_string()
}

/// A text of a shape.
fn of_shape(shape: &str) -> String {
    let letter = |wanted| match wanted {
        '#' | '?' => Some('1'),
        '@' => Some('A'),
        '*' => None,
        other => Some(other),
    };
    shape.chars().filter_map(letter).collect()
}

/// Values worth trying in a field, the record's own first.
fn values(layout: &Layout, rows: &[Row], row: &Row, field: usize, conditions: &[Condition]) -> Vec<String> {
    let described = &row.record(layout).fields[field];
    let own = row.values[field].clone();
    let of_others = rows.iter().filter(|other| other.kind == row.kind).map(|other| other.values[field].clone());
    let mut found = vec![own.clone(), String::new()];
    for condition in conditions.iter().filter(|condition| condition.field == field) {
        match &condition.test {
            Test::Is(words) => found.extend(words.iter().take(4).cloned()),
            Test::Not(words) => {
                found.push("9".repeat(described.length));
                found.extend(words.iter().take(3).cloned());
            }
            Test::Like(shape) => found.push(of_shape(shape)),
            Test::Flag(flag) | Test::NotFlag(flag) => {
                let table = described.table.as_ref().and_then(|table| tables(layout).find(table));
                let codes: Vec<_> = table.iter().flat_map(|table| table.editions()).flat_map(|e| &e.codes).collect();
                let bear = |bears: bool| codes.iter().filter(move |code| code.flags.contains(flag) == bears);
                found.extend(bear(true).take(3).chain(bear(false).take(2)).map(|code| code.code.clone()));
            }
            Test::Since(since) => {
                let FieldKind::Date(form) = described.kind else { continue };
                found.extend([Some(*since), since.pred_opt()].into_iter().flatten().map(|day| day_text(day, form)));
            }
            Test::Blank | Test::Filled | Test::Weekend => {}
        }
    }
    found.extend(of_others.filter(|value| !value.is_empty()).take(3));
    match &described.kind {
        FieldKind::Date(form) => {
            let base = day(&own, *form).or(NaiveDate::from_ymd_opt(2018, 10, 3)).expect("a day");
            let week = (0..7).filter_map(|days| base.checked_add_days(Days::new(days)));
            let weekend = week.filter(|day| matches!(day.weekday(), Weekday::Sat | Weekday::Sun));
            // A day before each other day of the record, and before its own.
            let fields = row.record(layout).fields.iter().zip(&row.values);
            let others = fields.filter_map(|(field, value)| match field.kind {
                FieldKind::Date(form) => day(value, form)?.pred_opt(),
                _ => None,
            });
            let mut days: Vec<NaiveDate> = others.chain(base.pred_opt()).chain(weekend.take(1)).chain([base]).collect();
            days.sort_unstable();
            days.dedup();
            found.extend(days.into_iter().map(|day| day_text(day, *form)));
        }
        FieldKind::Integer | FieldKind::Decimal(_) => found.extend(["0", "1", "2", "999"].map(str::to_owned)),
        FieldKind::Digits(_) if described.length > 0 => found.push("1".repeat(described.length)),
        FieldKind::Text if described.table.is_none() => found.push("A".to_owned()),
        FieldKind::Time => found.push("08:00".to_owned()),
        FieldKind::Boolean(words) => found.extend(words.yes.iter().take(1).cloned()),
        _ => {}
    }
    if let Some(table) = described.table.as_ref().and_then(|table| tables(layout).find(table)) {
        found.extend(table.editions().iter().flat_map(|e| &e.codes).take(2).map(|code| code.code.clone()));
    }
    let mut seen = BTreeSet::new();
    found.retain(|value| seen.insert(value.clone()));
    found.truncate(VALUES_MAX);
    found
}

/// A record of the sample that breaks this rule and no other, if one can be made.
fn broken(layout: &Layout, rows: &[Row], kind: usize, rule: &Rule) -> Option<(usize, Row)> {
    let fields = fields_of(rule);
    for (place, row) in rows.iter().enumerate().filter(|(_, row)| row.kind == kind) {
        let choices: Vec<Vec<String>> =
            fields.iter().map(|field| values(layout, rows, row, *field, rule.kind.conditions())).collect();
        let count = choices.iter().map(Vec::len).product::<usize>();
        for number in 0..count.min(TRIES_MAX) {
            let mut changed = row.clone();
            let mut rest = number;
            for (field, choice) in fields.iter().zip(&choices) {
                changed.values[*field].clone_from(&choice[rest % choice.len()]);
                rest /= choice.len();
            }
            if let Some(changed) = alone(layout, rows, changed, rule, REPAIRS_MAX) {
                return Some((place, changed));
            }
        }
    }
    None
}

/// The record, if it breaks this rule alone, or can be made to by mending what else is wrong with it.
fn alone(layout: &Layout, rows: &[Row], row: Row, rule: &Rule, repairs: usize) -> Option<Row> {
    let fields = &row.record(layout).fields;
    let too_long =
        |(field, value): (&intake::Field, &String)| field.span.length > 0 && value.chars().count() > field.span.length;
    if fields.iter().zip(&row.values).any(too_long) {
        return None;
    }
    let (_, found) = findings(layout, std::slice::from_ref(&row));
    let name = fields[fields_of(rule)[0]].name.as_str();
    let is_ours = |one: &&Finding| {
        one.rule == rule.kind.code() && one.field.as_deref() == Some(name) && one.severity == rule.severity
    };
    let ours = found.iter().find(is_ours)?;
    // Of two fields one of which must be filled, each is missed where neither is.
    let is_same_fault = |one: &&Finding| {
        let place = fields.iter().position(|field| Some(field.name.as_str()) == one.field.as_deref());
        one.rule == "field.required_when" && place.is_some_and(|place| fields_of(rule).contains(&place))
    };
    let Some(other) = found.iter().find(|one| !std::ptr::eq(*one, ours) && !is_same_fault(one)) else {
        return Some(row);
    };
    if repairs == 0 {
        return None;
    }
    let place = fields.iter().position(|field| Some(field.name.as_str()) == other.field.as_deref())?;
    let of_others = rows.iter().filter(|one| one.kind == row.kind).map(|one| one.values[place].clone());
    let mended = [String::new()].into_iter().chain(of_others.filter(|value| !value.is_empty()).take(2));
    mended.filter(|value| *value != row.values[place]).find_map(|value| {
        let mut changed = row.clone();
        changed.values[place] = value;
        alone(layout, rows, changed, rule, repairs - 1)
    })
}

#[test]
fn each_rule_across_fields_can_be_broken_alone_and_says_so() {
    let mut wrong = Vec::new();
    let mut broken_rules = 0;
    for layout in layouts::all() {
        let rows = of_sample(layout);
        let clean = findings(layout, &rows);
        for (kind, record) in layout.records.iter().enumerate() {
            for (number, rule) in record.rules.iter().enumerate() {
                let what = format!("{} {}: rule {} ({})", layout.id, record.name, number + 1, rule.kind.code());
                let Some((place, changed)) = broken(layout, &rows, kind, rule) else {
                    wrong.push(format!("{what}: no record breaks it alone"));
                    continue;
                };
                broken_rules += 1;
                let mut file = rows.clone();
                file[place] = changed;
                let (good, found) = findings(layout, &file);
                let lost = u64::from(rule.severity >= Severity::Error);
                // Beside another record the changed one may be its repetition.
                let is_new = |finding: &&Finding| {
                    finding.rule != "record.repeated" && !clean.1.iter().any(|old| old.message == finding.message)
                };
                let new: Vec<&Finding> = found.iter().filter(is_new).collect();
                let in_one_line = new.iter().all(|finding| finding.line == new[0].line);
                if good != clean.0 - lost || new.is_empty() || !in_one_line {
                    wrong.push(format!("{what}: {good} of {} good; {new:?}", clean.0));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), wrong.len() + broken_rules, wrong.join("\n"));
    assert!(broken_rules > 40, "{broken_rules}");
}
