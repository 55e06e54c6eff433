//! Every layout with every kind of defect that its fields can have, one at a time: each is named at its field, and no good record
//! is lost. Layouts, records and fields are found, not listed.

use intake::{
    Characters, DigitCount, Field, FieldKind, Finding, Format, Layout, Requirement, Severity, convert, layouts,
};

use crate::{
    rows::{Row, of_sample, written},
    tables,
};

/// Rules across fields: a field that goes wrong may break one of these as well.
const ACROSS_FIELDS: [&str; 8] = [
    "field.required_when",
    "field.blank_unless",
    "field.must_equal",
    "field.must_begin",
    "date.order",
    "number.at_most",
    "record.refused",
    "record.shifted",
];

fn requirement(layout: &Layout, row: &Row, field: &Field) -> Requirement {
    let record = row.record(layout);
    let kind = record.types.as_ref().map_or(0, |types| {
        types.values.iter().position(|(value, _)| *value == row.values[types.field]).unwrap_or_default()
    });
    field.require[kind]
}

/// The wrong values that a field of a row can have, each with the rule it breaks.
fn defects(layout: &Layout, row: &Row, place: usize) -> Vec<(String, &'static str)> {
    let record = row.record(layout);
    let (field, value) = (&record.fields[place], &row.values[place]);
    let require = requirement(layout, row, field);
    let is_person = record.meaning.person == Some(place);
    let mut found: Vec<(String, &'static str)> = Vec::new();
    match &field.kind {
        FieldKind::Constant(constant) => {
            let is_code = matches!(layout.format, Format::Fixed { code: Some(span) } if span == field.span);
            let rule = match (is_code, place + 1 == record.fields.len()) {
                (true, _) => "record.unknown_kind",
                (false, true) => "record.end_marker",
                (false, false) => "field.constant",
            };
            return vec![("?".repeat(constant.len()), rule)];
        }
        FieldKind::Filler => return vec![("x".to_owned(), "field.disallowed")],
        _ if require == Requirement::Disallowed => return vec![("1".to_owned(), "field.disallowed")],
        _ => {}
    }
    if record.types.as_ref().is_some_and(|types| types.field == place) {
        return vec![("?".to_owned(), "record.unknown_type")];
    }
    if value.is_empty() {
        return found;
    }
    if is_person {
        found.push((String::new(), "person.missing"));
    } else if require == Requirement::Mandatory {
        found.push((String::new(), "field.required"));
    }
    match &field.kind {
        FieldKind::Digits(_) => {
            found.push((format!("?{}", &value[1..]), "digits.invalid"));
            let is_exact = field.kind != FieldKind::Digits(DigitCount::AtMost);
            if is_exact && field.length > 1 {
                // A blank in its place keeps the writer from adding a zero.
                found.push((format!("{} ", &value[1..]), "digits.length"));
            }
        }
        FieldKind::SessionYear => found.push(("20182020".to_owned(), "session_year.invalid")),
        FieldKind::Date(form) => {
            found.push((form.name().replace(|c: char| c.is_ascii_alphabetic(), "9"), "date.invalid"));
        }
        FieldKind::Integer | FieldKind::Decimal(_) => found.push(("?".to_owned(), "number.invalid")),
        FieldKind::Boolean(words) if !words.no.is_empty() => found.push(("?".to_owned(), "boolean.invalid")),
        FieldKind::Time => found.push(("?".to_owned(), "time.invalid")),
        FieldKind::Text if field.table.is_some() => found.push(("?".to_owned(), "code.unknown")),
        FieldKind::Text => found.push(("\u{1}".to_owned(), "text.control_character")),
        _ => {}
    }
    if !matches!(field.kind, FieldKind::Text | FieldKind::Boolean(_)) && value.is_ascii() {
        found.push((format!("\0{}", &value[1..]), "text.control_character"));
    }
    let names_its_characters =
        matches!(field.characters, Characters::Name | Characters::Suffix | Characters::Alphanumeric | Characters::Code);
    if names_its_characters && value.is_ascii() && field.table.is_none() {
        found.push((format!("#{}", &value[1..]), "text.characters"));
    }
    if field.is_exact {
        found.push((value[1..].to_owned(), "text.length"));
    }
    if field.shape.is_some() {
        // The letters and digits of a shape change places.
        found.push((value.chars().rev().collect(), "text.shape"));
    }
    found
}

/// How many records were taken, and the findings about records.
fn read(layout: &Layout, bytes: &[u8]) -> (usize, Vec<Finding>) {
    let (mut objects, mut found) = (Vec::new(), Vec::new());
    let mut keep = |finding| found.push(finding);
    convert::to_ndjson(&mut { bytes }, layout, tables(layout), &mut objects, &mut keep).expect("memory can be read");
    found.retain(|finding| finding.line > 0);
    (String::from_utf8(objects).expect("JSON").lines().count(), found)
}

fn check(layout: &Layout, rows: &[Row], changed: usize, place: usize, defect: &(String, &'static str)) {
    let mut rows = rows.to_vec();
    let field = rows[changed].record(layout).fields[place].name.as_str();
    let already: usize = read(layout, &written(layout, &rows)).1.len();
    rows[changed].values[place].clone_from(&defect.0);
    let (good, found) = read(layout, &written(layout, &rows));
    let what = format!("{}: {field} of record {}: {:?}", layout.id, changed + 1, defect.1);
    let of_field: Vec<&Finding> = found
        .iter()
        .filter(|found| !ACROSS_FIELDS.contains(&found.rule.as_str()))
        .filter(|found| found.rule == "record.unknown_kind" || found.field.as_deref() == Some(field))
        .collect();
    let [one] = of_field.as_slice() else { panic!("{what}: {found:?}") };
    assert_eq!(one.rule, defect.1, "{what}");
    let others = found.iter().filter(|found| !ACROSS_FIELDS.contains(&found.rule.as_str())).count();
    assert_eq!(others, already + 1, "{what}: {found:?}");
    let lines: std::collections::BTreeSet<u32> = found.iter().map(|found| found.line).collect();
    assert!(already > 0 || lines.len() == 1, "{what}: {lines:?}");
    let is_lost = found.iter().any(|found| found.severity >= Severity::Error);
    assert_eq!(good, rows.len() - usize::from(is_lost), "{what}");
    for found in &found {
        assert!(found.message.len() > 10 && found.message.is_ascii(), "{what}: {}", found.message);
    }
}

#[test]
fn each_defect_of_a_field_is_named_there_and_loses_no_other_record() {
    let mut seeded = 0;
    for layout in layouts::all() {
        let rows = of_sample(layout);
        for (index, row) in rows.iter().enumerate() {
            for place in 0..row.values.len() {
                for defect in defects(layout, row, place) {
                    check(layout, &rows, index, place, &defect);
                    seeded += 1;
                }
            }
        }
    }
    assert!(seeded > 500, "{seeded}");
}
