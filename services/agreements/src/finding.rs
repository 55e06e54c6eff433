//! What is wrong with a document, where.

use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The document cannot be activated.
    Error,
    /// Somebody should look: it may not mean what its author thinks.
    Warning,
}

/// One mistake in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The line, from 1.
    pub line: usize,
    /// The clause it stands in.
    pub clause: Option<String>,
    /// The field, with the tables it stands in.
    pub field: String,
    /// What is wrong, for whoever wrote the document.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(clause) = &self.clause {
            write!(f, ", clause {clause}")?;
        }
        if !self.field.is_empty() {
            write!(f, ", {}", self.field)?;
        }
        let label = match self.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        write!(f, ": {label}{}", self.message)
    }
}
