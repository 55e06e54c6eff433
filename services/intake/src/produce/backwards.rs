//! From the value of an element back to the fields that made it.

use model::{SchoolYear, Value};

use crate::{
    layout::{DateForm, FieldKind, Setting},
    read::plan::RecordPlan,
    write::padded,
};

/// A field and its text; `None`: the value is known, and the layout has no text for it (a label that no code of the table bears).
pub(super) type Filled = (usize, Option<String>);

/// Transforms that only ever lose: what they make is told by another element, or cannot be told from it at all.
const ONE_WAY: [&str; 12] = [
    "first_three",
    "title",
    "first_or_label",
    "share",
    "race_ethnicity",
    "race_ethnicity_of_flags",
    "subject_area",
    "available_credit",
    "educational_setting",
    "is_section_504",
    "performance_level_met",
    "contact_key",
];

/// Whether a setting can be read backwards.
pub(super) fn is_told(setting: &Setting) -> bool {
    match setting {
        Setting::Constant(_) => false,
        Setting::Field(_) => true,
        Setting::Transform(transform, _) => !ONE_WAY.contains(&transform.name),
    }
}

/// Whether a setting says less than another of the same field: that there is one, and not which.
pub(super) fn is_vague(setting: &Setting) -> bool {
    matches!(setting, Setting::Transform(transform, _) if transform.name == "yes")
}

/// The fields that make this value.
pub(super) fn fields(plan: &RecordPlan<'_>, setting: &Setting, value: &Value, year: Option<SchoolYear>) -> Vec<Filled> {
    let from = match setting {
        Setting::Constant(_) => return Vec::new(),
        Setting::Field(field) => return vec![(*field, text(plan, *field, value))],
        Setting::Transform(_, from) if *value == Value::Suppressed => {
            return from.iter().map(|field| (*field, plan.suppressed.map(str::to_owned))).collect();
        }
        Setting::Transform(_, from) => from,
    };
    let Setting::Transform(transform, _) = setting else { return Vec::new() };
    let Some(first) = from.first().copied() else { return Vec::new() };
    let code = |label: &str| code(plan, first, label, year);
    match (transform.name, value) {
        ("label" | "own_label" | "other_agency_label" | "performance_level", Value::Text(label)) => {
            vec![(first, code(label))]
        }
        ("yes", Value::Boolean(flag)) => vec![(first, answer(plan, first, *flag, year))],
        ("count", Value::Integer(_)) | ("number", Value::Decimal(_)) => vec![(first, text(plan, first, value))],
        ("upper", Value::Text(text)) => vec![(first, Some(text.clone()))],
        ("list", Value::TextList(parts)) => vec![(first, Some(parts.join(";")))],
        ("titled", Value::Text(text)) => {
            let parts: Vec<&str> = text.split("; ").collect();
            titled(plan, from, &parts, year)
        }
        ("titled_list", Value::TextList(parts)) => {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            titled(plan, from, &parts, year)
        }
        ("title_of_yes", Value::Text(text)) if *text == title(plan, first) => {
            vec![(first, answer(plan, first, true, year))]
        }
        ("titles_of_yes", Value::TextList(titles)) => from
            .iter()
            .map(|field| (*field, answer(plan, *field, titles.iter().any(|t| *t == title(plan, *field)), year)))
            .collect(),
        _ => Vec::new(),
    }
}

fn title<'p>(plan: &'p RecordPlan<'_>, field: usize) -> &'p str {
    plan.record.fields.get(field).map_or("", |field| field.title.as_str())
}

/// A text of a field's own kind.
pub(super) fn text(plan: &RecordPlan<'_>, field: usize, value: &Value) -> Option<String> {
    let field = plan.record.fields.get(field)?;
    let text = match (&field.kind, value) {
        (_, Value::Suppressed) => plan.suppressed?.to_owned(),
        (FieldKind::Boolean(words), Value::Boolean(flag)) => {
            let words = if *flag { &words.yes } else { &words.no };
            words.first().cloned().unwrap_or_default()
        }
        (FieldKind::Date(form), Value::Date(day)) => day
            .format(match form {
                DateForm::MonthDayYear => "%m%d%Y",
                DateForm::Iso => "%Y-%m-%d",
                DateForm::Slashes => "%-m/%-d/%Y",
                DateForm::Timestamp => "%Y-%m-%dT00:00:00.000",
            })
            .to_string(),
        (FieldKind::Decimal(places), Value::Decimal(number)) => decimal(*number, *places)?,
        (FieldKind::Integer, Value::Decimal(number)) if number.0 % model::Decimal::SCALE == 0 => {
            (number.0 / model::Decimal::SCALE).to_string()
        }
        (FieldKind::Constant(_) | FieldKind::Filler | FieldKind::Boolean(_) | FieldKind::Date(_), _)
        | (_, Value::TextList(_) | Value::Boolean(_) | Value::Date(_)) => return None,
        (_, value) => field.characters.written(&value.to_plain()),
    };
    Some(padded(field, &text).unwrap_or(text))
}

/// A number with all its places; `None` if it has more.
fn decimal(number: model::Decimal, places: u8) -> Option<String> {
    let unit = model::Decimal::SCALE / 10_i64.pow(u32::from(places.min(4)));
    if number.0 % unit != 0 {
        return None;
    }
    let places = usize::from(places);
    if places == 0 {
        return Some((number.0 / model::Decimal::SCALE).to_string());
    }
    let (whole, rest) = (number.0.abs() / model::Decimal::SCALE, number.0.abs() % model::Decimal::SCALE);
    let rest = format!("{rest:04}");
    let rest: String = rest.chars().chain("0".repeat(6).chars()).take(places).collect();
    Some(format!("{}{whole}.{rest}", if number.0 < 0 { "-" } else { "" }))
}

/// The code of a label: of several that mean the same the first of the table. A label that is no longer than the table's codes is one
/// that the table did not know when it was read.
pub(super) fn code(plan: &RecordPlan<'_>, field: usize, label: &str, year: Option<SchoolYear>) -> Option<String> {
    let Some(edition) = plan.edition_in_use(field, year) else { return Some(label.to_owned()) };
    if let Some(code) = edition.codes.iter().find(|code| code.label == label) {
        return Some(code.code.clone());
    }
    let longest = edition.codes.iter().map(|code| code.code.len()).max().unwrap_or_default();
    (label.len() <= longest).then(|| label.to_owned())
}

/// The code that says yes or no, if one does; several with different labels say more than is known.
fn answer(plan: &RecordPlan<'_>, field: usize, is_yes: bool, year: Option<SchoolYear>) -> Option<String> {
    if let Some(FieldKind::Boolean(words)) = plan.record.fields.get(field).map(|field| &field.kind) {
        let words = if is_yes { &words.yes } else { &words.no };
        return Some(words.first().cloned().unwrap_or_default());
    }
    let flag = if is_yes { "yes" } else { "no" };
    let edition = plan.edition_in_use(field, year)?;
    let mut codes = edition.codes.iter().filter(|code| code.flags.iter().any(|found| found == flag));
    let Some(first) = codes.next() else {
        // A table of what there can be has no code for none: that is said by a blank.
        return (!is_yes).then(String::new);
    };
    codes.all(|code| code.label == first.label).then(|| first.code.clone())
}

/// The parts that begin with the title of a field. A part that begins with none belongs to the one before it.
fn titled(plan: &RecordPlan<'_>, from: &[usize], parts: &[&str], year: Option<SchoolYear>) -> Vec<Filled> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for part in parts {
        let named = from.iter().find_map(|field| {
            let rest = part.strip_prefix(title(plan, *field))?.strip_prefix(": ")?;
            Some((*field, rest.to_owned()))
        });
        match (named, found.last_mut()) {
            (Some(named), _) => found.push(named),
            (None, Some((_, text))) => {
                text.push_str("; ");
                text.push_str(part);
            }
            (None, None) => {}
        }
    }
    found.into_iter().map(|(field, label)| (field, code(plan, field, &label, year))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_all_their_places() {
        fn check(ten_thousandths: i64, places: u8, expect: Option<&str>) {
            assert_eq!(decimal(model::Decimal(ten_thousandths), places).as_deref(), expect, "{ten_thousandths}");
        }
        check(10_000, 2, Some("1.00"));
        check(5_000, 2, Some("0.50"));
        check(-15_000, 1, Some("-1.5"));
        check(12_345, 2, None);
        check(120_000, 0, Some("12"));
    }
}
