//! What changed between two versions, in words: first what is disclosed, then everything else that was written.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    Error,
    terms::{LegalBasis, Terms},
};

/// Fields that tell the items of a list apart.
const KEYS: [&str; 5] = ["id", "law", "name", "party", "version"];

/// The differences, one line each; none when the two say the same. `+` and `-` lines are elements that the new version
/// discloses, or no longer does, for a purpose on a basis; `~` lines are everything else.
pub fn diff(old: &Terms, new: &Terms) -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    disclosed(&mut lines, old, new);
    let json = |terms: &Terms| {
        let mut json = serde_json::to_value(terms).map_err(|_| Error::Corrupt("a value has no JSON form"))?;
        // Elements are told by what they mean for a recipient, above.
        for clause in json.get_mut("clauses").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(clause) = clause.as_object_mut() {
                clause.remove("elements");
            }
        }
        Ok::<_, Error>(json)
    };
    written(&mut lines, "", &json(old)?, &json(new)?);
    Ok(lines)
}

fn disclosed(lines: &mut Vec<String>, old: &Terms, new: &Terms) {
    let pairs: BTreeSet<(LegalBasis, &str)> = [old, new]
        .into_iter()
        .flat_map(|terms| {
            let purposes = terms.purposes.iter().map(|purpose| purpose.id.as_str());
            purposes.flat_map(move |purpose| terms.bases.iter().map(move |basis| (basis.law, purpose)))
        })
        .collect();
    for (law, purpose) in pairs {
        let (before, after) = (old.elements(law, purpose), new.elements(law, purpose));
        for (sign, set) in [("+", after.minus(&before)), ("-", before.minus(&after))] {
            for element in set.iter() {
                lines.push(format!("{sign} {} for {purpose} on the basis {law}", element.id()));
            }
        }
    }
}

fn written(lines: &mut Vec<String>, path: &str, old: &Value, new: &Value) {
    match (old, new) {
        _ if old == new => {}
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let (a, b) = (a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null));
                written(lines, &below, a, b);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.iter().chain(b).all(|item| name(item).is_some()) => {
            lists(lines, path, a, b);
        }
        _ => lines.push(format!("~ {path}: {} -> {}", short(old), short(new))),
    }
}

fn lists(lines: &mut Vec<String>, path: &str, old: &[Value], new: &[Value]) {
    let find = |list: &[Value], wanted: &str| list.iter().find(|item| name(item).as_deref() == Some(wanted)).cloned();
    let names = |list: &[Value]| list.iter().filter_map(name).collect::<Vec<_>>();
    let (before, after) = (names(old), names(new));
    for item in &before {
        match find(new, item) {
            Some(new) => {
                if let Some(old) = find(old, item) {
                    written(lines, &format!("{path}[{item}]"), &old, &new);
                }
            }
            None => lines.push(format!("~ {path}: {item} was removed")),
        }
    }
    for item in after.iter().filter(|item| !before.contains(item)) {
        lines.push(format!("~ {path}: {item} was added"));
    }
    let kept =
        |list: &[String], other: &[String]| list.iter().filter(|one| other.contains(one)).cloned().collect::<Vec<_>>();
    if kept(&before, &after) != kept(&after, &before) {
        lines.push(format!("~ {path}: the order is now {}", after.join(", ")));
    }
}

/// What a list item is called.
fn name(item: &Value) -> Option<String> {
    match item {
        Value::String(text) => Some(text.clone()),
        Value::Object(map) => KEYS.iter().find_map(|key| match map.get(*key)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }),
        _ => None,
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::tests::{SMALL, terms};

    #[test]
    fn a_diff_says_what_a_recipient_gains_and_loses() {
        let old = terms(SMALL);
        let new = terms(
            &SMALL
                .replace("attendance = \"all\"", "attendance = [\"school_year\", \"days_attended\"]")
                .replace("days = 365", "days = 30")
                .replace("\"unary\", \"stream\"", "\"unary\""),
        );
        assert_eq!(diff(&old, &old).expect("a diff"), Vec::<String>::new());
        let lines = diff(&old, &new).expect("a diff");
        assert!(lines.contains(&"- attendance.month for care on the basis ferpa_uninterrupted_scholars".to_owned()));
        assert!(lines.contains(&"~ access.deliveries: stream was removed".to_owned()), "{lines:?}");
        assert!(lines.contains(&"~ retention.days: 365 -> 30".to_owned()));
        assert!(!lines.iter().any(|line| line.starts_with('+')));
    }
}
