//! The header of a delimited file: which column holds which field, and what is wrong with it.

use super::{delimited::Cells, plan::RecordPlan};
use crate::{Finding, Layout, Severity, finding::quoted, layout::Record};

/// Where the fields stand in a file.
#[derive(Debug)]
pub(crate) struct Columns {
    /// How many columns the file has.
    pub count: usize,
    /// The column (from 0) of each field; `None` for an optional one that is missing.
    pub of_field: Vec<Option<usize>>,
}

impl Columns {
    /// The fields in their own order, for a file without header.
    pub(crate) fn in_order(record: &Record) -> Self {
        Self { count: record.fields.len(), of_field: (0..record.fields.len()).map(Some).collect() }
    }

    /// Tells a plan which column each field has, for findings.
    pub(crate) fn tell(&self, plan: &mut RecordPlan<'_>) {
        for (column, place) in plan.columns.iter_mut().zip(&self.of_field) {
            *column = place.map_or(0, |place| place as u32 + 1);
        }
    }
}

/// A header's name as it is compared: letters and digits only, in lower case.
pub(super) fn simplified(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How many of a layout's columns a header names.
pub(super) fn names_known(record: &Record, header: &[&str]) -> usize {
    let known: Vec<String> = header.iter().map(|name| simplified(name)).collect();
    record.fields.iter().filter(|field| known.contains(&simplified(&field.column))).count()
}

/// Whether a header names every column that a layout cannot do without.
pub(super) fn names_all(record: &Record, header: &[&str]) -> bool {
    let known: Vec<String> = header.iter().map(|name| simplified(name)).collect();
    record.fields.iter().all(|field| field.optional_column || known.contains(&simplified(&field.column)))
}

/// Whether a record is a header of the same layout, with the columns in another order or number.
pub(super) fn is_another(record: &Record, text: &str, cells: &Cells) -> bool {
    let names: Vec<&str> = (0..cells.len()).map(|cell| cells.get(text, cell).trim_matches(' ')).collect();
    names_all(record, &names)
}

/// Places the fields by the names of a header. The findings say what is odd; with a fatal one there are no columns.
pub(super) fn place(layout: &Layout, record: &Record, text: &str, cells: &Cells) -> (Option<Columns>, Vec<Finding>) {
    let header: Vec<&str> = (0..cells.len()).map(|cell| cells.get(text, cell).trim_matches(' ')).collect();
    // A line of data can hold a column's name by chance (White is a surname too): few names make no header, and none is quoted.
    let wanted = record.fields.iter().filter(|field| !field.optional_column).count();
    if names_known(record, &header) * 2 < wanted {
        return (None, vec![nothing_known(layout, text)]);
    }
    if !names_all(record, &header)
        && let Some(other) = super::drift::other_layouts(text, layout)
    {
        return (None, vec![other_layout(layout, &other)]);
    }
    let mut findings = Vec::new();
    let simple: Vec<String> = header.iter().map(|name| simplified(name)).collect();
    let mut used = vec![false; header.len()];
    let mut of_field = Vec::with_capacity(record.fields.len());
    let mut missing = Vec::new();
    for field in &record.fields {
        let wanted = simplified(&field.column);
        let found = simple.iter().position(|name| *name == wanted);
        if let Some(flag) = found.and_then(|column| used.get_mut(column)) {
            *flag = true;
        }
        if found.is_none() {
            missing.push(field);
        }
        of_field.push(found);
    }
    // An optional column that nobody sends is no fault; one that stands there by another name would lose its values.
    let absent: Vec<Finding> = missing
        .iter()
        .filter_map(|field| {
            renamed(&field.column, &header, &used)
                .or_else(|| (!field.optional_column).then(|| is_missing(&field.column)))
        })
        .collect();
    for (column, name) in header.iter().enumerate() {
        let number = column as u32 + 1;
        let is_repeated = simple.iter().take(column).any(|earlier| Some(earlier) == simple.get(column));
        if is_repeated && !name.is_empty() {
            let message = format!("the column {} stands twice in the header", quoted(name));
            findings.push(Finding::new(1, "header.repeated_column", Severity::Fatal, message).at_column(number));
        } else if used.get(column) == Some(&false) && absent.is_empty() {
            let message = format!("the column {} is not part of {}; it is passed over", quoted(name), layout.title);
            findings.push(Finding::new(1, "header.unknown_column", Severity::Warning, message).at_column(number));
        }
    }
    findings.extend(absent);
    let is_fatal = findings.iter().any(|finding| finding.severity == Severity::Fatal);
    findings.extend(no_edition(record, &of_field).filter(|_| !is_fatal));
    let columns = (!is_fatal).then_some(Columns { count: header.len(), of_field });
    (columns, findings)
}

/// Where a report's editions are told by columns that a file leaves out, only the order of loading is left.
fn no_edition(record: &Record, of_field: &[Option<usize>]) -> Option<Finding> {
    let mut telling: Vec<usize> = record.meaning.facts.iter().flat_map(|fact| fact.edition.iter().copied()).collect();
    telling.sort_unstable();
    telling.dedup();
    if telling.is_empty() || telling.iter().any(|field| of_field.get(*field).is_some_and(Option::is_some)) {
        return None;
    }
    let names: Vec<&str> =
        telling.iter().filter_map(|field| record.fields.get(*field)).map(|field| field.column.as_str()).collect();
    let message = format!(
        "the file has none of the columns that tell a corrected file from the one it corrects ({}): where two files differ, the one loaded later stands",
        names.join(", ")
    );
    Some(Finding::new(1, "file.no_edition", Severity::Information, message))
}

fn other_layout(layout: &Layout, other: &str) -> Finding {
    let message = format!("the first line does not name the columns of {}: this is a file of {other}", layout.id);
    Finding::new(1, "file.wrong_layout", Severity::Fatal, message)
}

fn nothing_known(layout: &Layout, line: &str) -> Finding {
    if let Some(finding) = super::drift::other_delimiter(layout, line.as_bytes()) {
        return finding;
    }
    if let Some(other) = super::drift::other_layouts(line, layout) {
        let message = format!("the first line names none of the columns of {}: this is a file of {other}", layout.id);
        return Finding::new(1, "file.wrong_layout", Severity::Fatal, message);
    }
    let first = layout.records.first().and_then(|record| record.fields.first());
    let expected = first.map_or("", |field| field.column.as_str());
    let message = format!(
        "the first line names few or none of the columns of {}: the header is missing, or the file is of another kind. A header begins with {}",
        layout.title,
        quoted(expected)
    );
    Finding::new(1, "header.missing", Severity::Fatal, message)
}

/// The column that stands where a missing one is expected, under a name that is nearly its own.
fn renamed(wanted: &str, header: &[&str], used: &[bool]) -> Option<Finding> {
    let free = header.iter().enumerate().filter(|(column, name)| used.get(*column) == Some(&false) && !name.is_empty());
    let (_, column, name) = free
        .filter(|(_, name)| !differ_in_number(wanted, name))
        .map(|(column, name)| (distance(&simplified(wanted), &simplified(name)), column, *name))
        .min()
        .filter(|(distance, ..)| *distance <= 3.max(wanted.len() / 3))?;
    let (found, expected) = (quoted(name), quoted(wanted));
    let message = format!("the column is called {found} where {expected} is expected: it has been renamed");
    Some(Finding::new(1, "header.renamed", Severity::Fatal, message).at_column(column as u32 + 1))
}

/// Whether two names are those of the first and the second of something, say.
fn differ_in_number(a: &str, b: &str) -> bool {
    let parts = |name: &str| simplified(name).chars().partition::<String, _>(char::is_ascii_digit);
    let ((digits, letters), (other_digits, other_letters)) = (parts(a), parts(b));
    letters == other_letters && digits != other_digits
}

fn is_missing(wanted: &str) -> Finding {
    let message = format!("the column {} is missing from the header", quoted(wanted));
    Finding::new(1, "header.missing_column", Severity::Fatal, message)
}

/// Letters to add, drop or replace to make one word of another.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut next = Vec::with_capacity(row.len());
        next.push(left);
        for (to, above) in b.iter().zip(row.iter().skip(1)) {
            let cost = if from == to { diagonal } else { 1 + diagonal.min(left).min(*above) };
            diagonal = *above;
            left = cost;
            next.push(cost);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{differ_in_number, distance};

    #[test]
    fn the_second_facility_is_not_the_first_renamed() {
        assert!(differ_in_number("Fac1OrgCode", "Fac2OrgCode") && differ_in_number("Town", "Town2"));
        assert!(!differ_in_number("Fac1OrgCode", "Fac1Org") && !differ_in_number("Town", "town"));
    }

    #[test]
    fn words_are_as_far_apart_as_their_edits() {
        fn check(a: &str, b: &str, expect: usize) {
            assert_eq!(distance(a, b), expect, "{a} {b}");
        }
        check("gradecode", "gradecd", 2);
        check("gradecode", "gradecode", 0);
        check("", "abc", 3);
        check("kitten", "sitting", 3);
    }
}
