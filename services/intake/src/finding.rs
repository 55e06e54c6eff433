//! Making findings.

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

/// Text of a file in a message: short, and without anything that does not print.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = text.chars().take(SHOWN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().count() > SHOWN {
        shown.push('…');
    }
    format!("\"{shown}\"")
}
