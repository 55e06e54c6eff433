//! Making findings, and telling them by kind.

use std::{cmp::Reverse, collections::BTreeMap};

use crate::{Finding, Severity, layout::Field};

impl Finding {
    /// A finding about a line as a whole, or about the file (line 0).
    pub(crate) fn new(line: u32, rule: &str, severity: Severity, message: impl Into<String>) -> Self {
        Self { line, column: None, field: None, rule: rule.to_owned(), severity, message: message.into() }
    }

    /// Names the field at fault.
    #[must_use]
    pub(crate) fn at(mut self, column: u32, field: &Field) -> Self {
        self.column = Some(column);
        self.field = Some(field.name.clone());
        self
    }

    /// Names the column at fault, where no field of the layout is meant.
    #[must_use]
    pub(crate) const fn at_column(mut self, column: u32) -> Self {
        self.column = Some(column);
        self
    }
}

/// Rules whose findings quote what the layout wants, and nothing of the row.
const QUOTES_THE_LAYOUT: [&str; 2] = ["record.end_marker", "field.constant"];

/// What a finding says, if that is the same for every row: those that quote a value of the row are left out.
pub(crate) fn words(finding: &Finding) -> Option<&str> {
    let is_plain = QUOTES_THE_LAYOUT.contains(&finding.rule.as_str()) || !finding.message.contains('"');
    is_plain.then_some(&finding.message)
}

/// Kinds that are told apart; names of unknown elements are the file's own, and there may be any number of them.
const KINDS_MAX: usize = 1_000;

/// Warnings and errors counted by kind, the severity, rule and field of each, so that a clerk sees what to ask about before reading row by row.
#[derive(Debug, Default)]
pub struct FindingKinds {
    kinds: BTreeMap<(Reverse<Severity>, String, Option<String>), Kind>,
    /// Those of kinds that are told no more.
    further: u64,
}

#[derive(Debug)]
struct Kind {
    count: u64,
    first_line: u32,
    words: Option<String>,
}

impl FindingKinds {
    /// Counts one; what is only worth knowing is not counted.
    pub fn add(&mut self, finding: &Finding) {
        if finding.severity < Severity::Warning {
            return;
        }
        let key = (Reverse(finding.severity), finding.rule.clone(), finding.field.clone());
        if let Some(kind) = self.kinds.get_mut(&key) {
            kind.count += 1;
        } else if self.kinds.len() < KINDS_MAX {
            let words = words(finding).map(str::to_owned);
            self.kinds.insert(key, Kind { count: 1, first_line: finding.line, words });
        } else {
            self.further += 1;
        }
    }

    /// What most of the errors have in common, if there is such a thing. A value of a row is never part of it: findings quote those.
    pub(crate) fn commonest_error(&self) -> Option<String> {
        let errors = self.kinds.iter().filter(|((severity, ..), _)| severity.0 == Severity::Error);
        let all: u64 = errors.clone().map(|(_, kind)| kind.count).sum();
        let ((_, rule, field), kind) = errors.max_by_key(|(_, kind)| kind.count)?;
        if kind.count * 2 < all {
            return None;
        }
        let place = field.as_ref().map_or_else(String::new, |field| format!(" in {field}"));
        let words = kind.words.as_ref();
        let words = words.map_or_else(String::new, |words| format!(", first in line {}: {words}", kind.first_line));
        Some(format!("{} times {rule}{place}{words}", kind.count))
    }

    /// How often each kind was found, the worst and commonest first; no value of a row. At most `lines_max` kinds, and a line for the rest.
    pub fn lines(&self, lines_max: usize) -> Vec<String> {
        let mut kinds: Vec<_> = self.kinds.iter().collect();
        kinds.sort_by_key(|((severity, ..), kind)| (*severity, Reverse(kind.count)));
        let told = kinds.iter().take(lines_max).map(|((Reverse(severity), rule, field), kind)| {
            let severity = severity.as_str();
            let place = field.as_ref().map_or_else(String::new, |field| format!(" in {field}"));
            let times = if kind.count == 1 {
                format!("one {severity}{place}, in line {}", kind.first_line)
            } else {
                format!("{} {severity}s{place}, first in line {}", kind.count, kind.first_line)
            };
            let words = kind.words.as_ref().map_or_else(String::new, |words| format!(": {words}"));
            format!("{times}{words} [{rule}]")
        });
        let rest = kinds.iter().skip(lines_max).map(|(_, kind)| kind.count).sum::<u64>() + self.further;
        told.chain((rest > 0).then(|| format!("{rest} findings of further kinds"))).collect()
    }
}

impl<'f> FromIterator<&'f Finding> for FindingKinds {
    fn from_iter<I: IntoIterator<Item = &'f Finding>>(findings: I) -> Self {
        let mut kinds = Self::default();
        findings.into_iter().for_each(|finding| kinds.add(finding));
        kinds
    }
}

/// Text of a file in a message: short, and without anything that does not print.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = text.chars().take(SHOWN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_told_by_kind_the_worst_and_commonest_first() {
        fn finding(line: u32, field: &str, rule: &str, severity: Severity, message: &str) -> Finding {
            Finding { field: Some(field.to_owned()), ..Finding::new(line, rule, severity, message) }
        }
        let unknown = |line| finding(line, "Odd", "element.unknown", Severity::Warning, "Nobody knows it.");
        let mut all = vec![finding(3, "grade", "code.unknown", Severity::Error, "\"Mulberry\" is no code")];
        all.extend((10..190).map(unknown));
        all.push(finding(4, "grade", "code.unknown", Severity::Error, "\"Quince\" is no code"));
        all.push(finding(0, "file", "record.passed", Severity::Information, "passed over"));
        all.push(finding(7, "exit", "date.order", Severity::Warning, "The exit lies before the entry."));
        let kinds: FindingKinds = all.iter().collect();
        let told = [
            "2 errors in grade, first in line 3 [code.unknown]",
            "180 warnings in Odd, first in line 10: Nobody knows it. [element.unknown]",
            "one warning in exit, in line 7: The exit lies before the entry. [date.order]",
        ];
        assert_eq!(kinds.lines(3), told);
        assert_eq!(kinds.lines(1), [told[0], "181 findings of further kinds"]);
    }

    #[test]
    fn a_file_with_endless_kinds_is_told_in_bounded_memory() {
        let of = |number: usize| Finding {
            field: Some(format!("e{number}")),
            ..Finding::new(1, "element.unknown", Severity::Warning, "x")
        };
        let all: Vec<Finding> = (0..3 * KINDS_MAX).map(of).collect();
        let kinds: FindingKinds = all.iter().collect();
        assert_eq!(kinds.kinds.len(), KINDS_MAX);
        assert_eq!(kinds.lines(2).last().map(String::as_str), Some("2998 findings of further kinds"));
    }
}
