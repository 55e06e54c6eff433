//! What `intake check` says: on the console as it is found, and in a file at the end.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};
use intake::{
    Finding, FindingKinds, Severity,
    findings_file::{self, FindingsFormat, Writer},
    load::Limits,
};
use model::Clock as _;

use super::{KINDS_SAID_MAX, Outcome, collect::file_name};
use crate::{args::Place, console, system::SystemClock};

/// The findings of one check.
pub struct Report<'p> {
    place: &'p Place,
    file: String,
    out: Option<(PathBuf, Writer)>,
    /// What was said of each file, by kind.
    kinds: BTreeMap<String, FindingKinds>,
    is_bad: bool,
}

impl<'p> Report<'p> {
    /// None yet. `Err`: no format is known by the name of the file they are to be written to, or it cannot be written.
    pub fn new(place: &'p Place, path: &Path, out: Option<PathBuf>) -> anyhow::Result<Self> {
        let begin = |out: PathBuf| {
            let format = FindingsFormat::of(&out)
                .ok_or_else(|| anyhow!("{}: findings are written to .csv, .ndjson or .xlsx", out.display()))?;
            let writer = Writer::begin(&out, format, Limits::default().workbook_findings_max, SystemClock.now())
                .with_context(|| format!("cannot write {}", out.display()))?;
            anyhow::Ok((out, writer))
        };
        let out = out.map(begin).transpose()?;
        Ok(Self { place, file: file_name(path), out, kinds: BTreeMap::new(), is_bad: false })
    }

    /// Says one about the file.
    pub fn say(&mut self, finding: &Finding) -> anyhow::Result<()> {
        let file = std::mem::take(&mut self.file);
        let said = self.say_of(&file, finding);
        self.file = file;
        said
    }

    /// Says one about a file of several.
    pub fn say_of(&mut self, file: &str, finding: &Finding) -> anyhow::Result<()> {
        self.is_bad |= finding.severity >= Severity::Error;
        self.kinds.entry(file.to_owned()).or_default().add(finding);
        if self.place.json {
            console::json(&findings_file::object(file, finding))?;
        } else {
            let field = finding.field.as_deref().map(|field| format!(", {field}")).unwrap_or_default();
            let (line, message, rule) = (finding.line, &finding.message, &finding.rule);
            console::line(false, format!("{file}, line {line}{field}: {message} [{rule}]"));
        }
        if let Some((path, writer)) = &mut self.out {
            writer.write((file, finding)).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// Says what was read.
    pub fn close(&mut self, read: &str) {
        let file = self.file.clone();
        self.close_of(&file, read);
    }

    /// Says what was read of a file of several, and how often what was found.
    pub fn close_of(&mut self, file: &str, read: &str) {
        console::line(self.place.json, format!("{file}: {read}"));
        for line in self.kinds.remove(file).unwrap_or_default().lines(KINDS_SAID_MAX) {
            console::line(self.place.json, format!("{file}: {line}"));
        }
    }

    /// Ends the file.
    pub fn end(self) -> anyhow::Result<Outcome> {
        if let Some((path, writer)) = self.out {
            writer.end().with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(Outcome::of(self.is_bad))
    }
}
