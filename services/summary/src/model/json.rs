//! Reading `school-records-summary/1`, with messages that name the field and never show a value.

use serde_json::error::Category;

use super::{FILE_BYTES_MAX, Record, State, Summary, TEXT_CHARS_MAX, block::check_not_permitted};
use crate::Error;

/// The longest list of withheld elements.
const WITHHELD_MAX: usize = 500;
/// The longest label of an element.
const LABEL_CHARS_MAX: usize = 200;
/// The longest list of subjects without a column.
const SUBJECTS_MAX: usize = 100;
/// The longest verification code.
const CODE_CHARS_MAX: usize = 64;

/// Reads a summary. Errors name the field, line and column, and what was expected there; never what was found.
pub fn from_json(json: &[u8]) -> Result<Summary, Error> {
    if json.len() > FILE_BYTES_MAX {
        return Err(Error::invalid("the file", format!("expected at most {} MB", FILE_BYTES_MAX >> 20)));
    }
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    let summary: Summary = serde_json::from_slice(json).map_err(|error| explain(json, &error))?;
    check(&summary)?;
    Ok(summary)
}

fn check(summary: &Summary) -> Result<(), Error> {
    fn single<T: Record>(
        place: &str,
        record: &T,
        state: State,
        names: &std::collections::BTreeSet<String>,
    ) -> Result<(), Error> {
        check_not_permitted(record, names).map_err(|problem| Error::invalid(place, problem))?;
        if names.iter().any(|name| !T::FIELDS.contains(&name.as_str())) {
            return Err(Error::invalid(format!("{place}.not_permitted"), "expected names of this block's fields"));
        }
        let filled = T::FIELDS.iter().any(|name| record.find_field(name).is_some_and(|field| !field.is_absent()));
        if filled && !state.is_reported() {
            return Err(Error::invalid(place, "expected no values, because the state is not `reported`"));
        }
        Ok(())
    }
    single("client", &summary.client, summary.client.state, &summary.client.not_permitted)?;
    single("summary", &summary.summary, summary.summary.state, &summary.summary.not_permitted)?;
    let texts = [
        ("notice", &summary.notice),
        ("agreement", &summary.agreement),
        ("recipient", &summary.recipient),
        ("client.reported_by", &summary.client.reported_by),
        ("summary.reported_by", &summary.summary.reported_by),
    ];
    for (place, text) in texts {
        if text.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX) {
            return Err(Error::invalid(place, format!("expected at most {TEXT_CHARS_MAX} characters")));
        }
    }
    if summary.code.as_ref().is_some_and(|code| code.is_empty() || code.chars().count() > CODE_CHARS_MAX) {
        return Err(Error::invalid("code", format!("expected 1 to {CODE_CHARS_MAX} characters")));
    }
    let long = |text: &String| text.chars().count() > LABEL_CHARS_MAX;
    if summary.withheld.len() > WITHHELD_MAX || summary.withheld.iter().any(long) {
        return Err(Error::invalid(
            "withheld",
            format!("expected at most {WITHHELD_MAX} labels of at most {LABEL_CHARS_MAX} characters"),
        ));
    }
    for (place, left_out) in [("recent", &summary.recent.tests_left_out), ("history", &summary.history.tests_left_out)]
    {
        let subjects = &left_out.other_subjects;
        if subjects.len() > SUBJECTS_MAX || subjects.iter().any(|other| long(&other.subject)) {
            return Err(Error::invalid(
                format!("{place}.tests_left_out.other_subjects"),
                format!("expected at most {SUBJECTS_MAX} subjects of at most {LABEL_CHARS_MAX} characters"),
            ));
        }
    }
    Ok(())
}

/// Turns a parser's message, which quotes the value it stumbled over, into one that does not.
fn explain(json: &[u8], error: &serde_json::Error) -> Error {
    let offset = offset_of(json, error.line(), error.column());
    let path = path_at(json, offset);
    let place = if path.is_empty() { "the file".to_owned() } else { path };
    Error::invalid(format!("{place} (line {}, column {})", error.line(), error.column()), problem(error))
}

fn problem(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    match error.classify() {
        Category::Syntax | Category::Eof => format!("this is no JSON: {message}"),
        Category::Io => "could not be read".to_owned(),
        Category::Data => {
            if let Some(rest) = message.strip_prefix("unknown field `") {
                let known = rest.rsplit_once("`, expected ").map_or("", |(_, known)| known);
                return format!("no such field; expected {known}");
            }
            if message.starts_with("missing field `")
                || message.starts_with("duplicate field `")
                || message.starts_with("expected ")
            {
                return message.to_owned();
            }
            match message.rsplit_once("expected ") {
                Some((_, expected)) => format!("expected {expected}"),
                None => "the value does not fit".to_owned(),
            }
        }
    }
}

fn offset_of(json: &[u8], line: usize, column: usize) -> usize {
    let start = match line {
        0 | 1 => 0,
        n => json.iter().enumerate().filter(|(_, b)| **b == b'\n').nth(n - 2).map_or(json.len(), |(i, _)| i + 1),
    };
    (start + column).min(json.len())
}

enum Level {
    Object { key: String, awaits_key: bool },
    Array { index: usize },
}

/// The path of the value that ends at `offset`, such as `history.attendance[3].pct`; keys that are no plain identifiers print as `?`.
fn path_at(json: &[u8], offset: usize) -> String {
    let mut levels: Vec<Level> = Vec::new();
    let mut i = 0;
    // The last byte before the offset may open or close the value itself: it is left out, so that its level counts.
    let last = offset.checked_sub(1).and_then(|at| json.get(at)).copied().unwrap_or_default();
    let end = if b"{[}],".contains(&last) { offset - 1 } else { offset };
    while i < end.min(json.len()) {
        match json[i] {
            b'"' => {
                let close = string_end(json, i);
                if let Some(Level::Object { key, awaits_key: true }) = levels.last_mut() {
                    *key = plain_key(&json[i + 1..close.saturating_sub(1).max(i + 1)]);
                }
                i = close;
                continue;
            }
            b'{' => levels.push(Level::Object { key: String::new(), awaits_key: true }),
            b'[' => levels.push(Level::Array { index: 0 }),
            b'}' | b']' => drop(levels.pop()),
            b':' => {
                if let Some(Level::Object { awaits_key, .. }) = levels.last_mut() {
                    *awaits_key = false;
                }
            }
            b',' => match levels.last_mut() {
                Some(Level::Object { awaits_key, .. }) => *awaits_key = true,
                Some(Level::Array { index }) => *index += 1,
                None => {}
            },
            _ => {}
        }
        i += 1;
    }
    // At the end of an object the whole object is meant, not its last field.
    if let (b'}', Some(Level::Object { key, .. })) = (last, levels.last_mut()) {
        key.clear();
    }
    print_path(&levels)
}

fn string_end(json: &[u8], open: usize) -> usize {
    let mut i = open + 1;
    while let Some(byte) = json.get(i) {
        match byte {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    json.len()
}

fn plain_key(bytes: &[u8]) -> String {
    let plain = !bytes.is_empty()
        && bytes.len() <= 40
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_');
    if plain { String::from_utf8_lossy(bytes).into_owned() } else { "?".to_owned() }
}

fn print_path(levels: &[Level]) -> String {
    let mut path = String::new();
    for level in levels {
        match level {
            Level::Object { key, .. } if key.is_empty() => {}
            Level::Object { key, .. } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Level::Array { index } => path.extend(["[", &index.to_string(), "]"]),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"{"format": "school-records-summary/1", "report_date": "2026-11-20", "client": {"name": "Marker, Zed"},
 "summary": {}, "recent": {}, "history": {"attendance": [{"pct": 91.5}, {"pct": 90}]}}"#;

    #[test]
    fn errors_name_the_field_and_never_the_value() {
        fn check(from: &str, to: &str, place: &str, problem: &str) {
            assert!(BASE.contains(from));
            let message = from_json(BASE.replace(from, to).as_bytes()).expect_err(to).to_string();
            assert!(message.starts_with(place) && message.ends_with(problem), "{message}");
            assert!(!message.contains("Marker"), "{message}");
        }
        let number = "column 88): expected a number, null or {\"suppressed\": true}";
        check("\"pct\": 90}", "\"pct\": \"Marker\"}", "history.attendance[1].pct (line 2,", number);
        check(
            "\"name\"",
            "\"nam\"",
            "client.nam (line 1,",
            "no such field; expected one of `name`, `dob`, `sasid`, `gender`, `race_ethnicity`, `lang`, `state`, `as_reported_on`, `received_on`, `reported_by`, `not_permitted`",
        );
        check("\"name\"", "\"Marker\"", "client.? (line 1,", "`not_permitted`");
        check("summary/1", "summary/2", "format (line 1,", "expected \"school-records-summary/1\"");
        check(
            "2026-11-20",
            "11/20/2026",
            "report_date (line 1,",
            "expected a date as YYYY-MM-DD, null or {\"suppressed\": true}",
        );
        let text = "expected a text of at most 2,000 characters, null or {\"suppressed\": true}";
        check("\"Marker, Zed\"", "[\"Marker\"]", "client.name (line 1,", text);
        let suppressed = "{\"name\": \"Marker\", \"state\": \"suppressed\"}";
        check(
            "{\"name\": \"Marker, Zed\"}",
            suppressed,
            "client: ",
            "expected no values, because the state is not `reported`",
        );
        check("\"recent\": {},", "", "the file (line 2,", "missing field `recent`");
        check(
            "{\"pct\": 91.5}",
            "{\"pct\": 91.5 \"Marker\"}",
            "history.attendance[0].pct (line 2,",
            "this is no JSON: expected `,` or `}`",
        );
    }

    #[test]
    fn no_rows_come_with_a_state_that_forbids_them() {
        let json =
            BASE.replace(r#"[{"pct": 91.5}, {"pct": 90}]"#, r#"{"state": "not_permitted", "rows": [{"pct": 91.5}]}"#);
        assert!(from_json(json.as_bytes()).is_err());
        let json =
            BASE.replace(r#"[{"pct": 91.5}, {"pct": 90}]"#, r#"{"not_permitted": ["pct"], "rows": [{"pct": 91.5}]}"#);
        assert!(from_json(json.as_bytes()).is_err());
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let json = BASE.replace(r#"{"pct": 90}]"#, r#"{"pct": {"suppressed": true}}]"#);
        let summary = from_json(json.as_bytes()).expect("reads");
        let again = from_json(&serde_json::to_vec(&summary).expect("writes")).expect("reads again");
        assert_eq!(summary, again);
    }

    #[test]
    fn a_debug_print_shows_no_value() {
        let summary = from_json(BASE.as_bytes()).expect("reads");
        assert!(!format!("{summary:?}").contains("Marker"));
    }
}
