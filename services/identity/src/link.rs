//! Linking two CSV files without a database.
//!
//! Columns are found by header, in any order; missing ones are allowed, unknown ones are refused, because a misspelt
//! header would silently cost a whole comparison. Adjacent rows with one id are one person with several names, dates
//! or addresses. A bad birth date is a finding with its line; the person is matched on the rest.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::Config;
use crate::corpus::{Corpus, CorpusBuilder, Side};
use crate::matcher::{LinkResult, Matcher, Progress, Report};
use crate::model::Model;
use crate::{Error, Outcome};

mod read;

/// What was wrong with a row. It never holds the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Line in the file, the header being 1.
    pub line: u64,
    /// The column.
    pub column: &'static str,
    /// The rule, for machines.
    pub rule: Rule,
    /// The rule, for people.
    pub message: &'static str,
}

/// Rules of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A row without an id cannot be named in the result.
    IdMissing,
    /// An id that other rows, not adjacent, have too.
    IdRepeated,
    /// A birth date that is no date, or not written `YYYY-MM-DD`.
    BirthDateInvalid,
    /// A birth date that stands for "unknown".
    BirthDatePlaceholder,
    /// More or fewer columns than the header has.
    ColumnCount,
}

impl Rule {
    fn message(self) -> &'static str {
        match self {
            Self::IdMissing => "the row has no id and was left out",
            Self::IdRepeated => {
                "the id occurs on an earlier, not adjacent row; both rows are matched as different persons"
            }
            Self::BirthDateInvalid => "not a date of the form YYYY-MM-DD; the person was matched without it",
            Self::BirthDatePlaceholder => "a date that stands for unknown; the person was matched without it",
            Self::ColumnCount => "the row has more or fewer columns than the header and was left out",
        }
    }
}

/// What linking two files did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LinkReport {
    /// Counts of the linkage.
    pub report: Report,
    /// Rows read of the left and of the right file.
    pub rows: [u64; 2],
    /// Rows of the left and of the right file that were left out.
    pub rows_refused: [u64; 2],
    /// Pairs written.
    pub pairs_written: u64,
    /// What was wrong in the files, up to `findings_max` of each.
    pub findings: Vec<Finding>,
    /// All findings, those beyond the limit included.
    pub findings_total: u64,
}

/// Seed of a training for which none is given: the same files give the same result.
const SEED: u64 = 20_160_701;
/// Decimals of a probability: enough to rank the surest pairs.
const DECIMALS: usize = 12;

/// Links two files and writes `left_id,right_id,score,outcome` for every candidate above the listed probability.
///
/// Without a model one is trained on the files themselves. The result appears whole or not at all.
pub fn link_files(
    left: &Path,
    right: &Path,
    out: &Path,
    model: Option<&Path>,
    save_model: Option<&Path>,
    config: &Config,
    progress: Progress<'_>,
) -> Result<LinkReport, Error> {
    config.check()?;
    let model = model.map(Model::load).transpose()?;
    let mut builder = CorpusBuilder::new();
    let left_rows = read::read(left, Side::Left, &mut builder, config, progress)?;
    let right_rows = read::read(right, Side::Right, &mut builder, config, progress)?;
    let corpus = builder.build();
    let (matcher, result) = if let Some(model) = model {
        let matcher = Matcher::new(model, config)?;
        let result = matcher.link(&corpus, progress)?;
        (matcher, result)
    } else {
        Matcher::train_and_link(&corpus, SEED, config, progress)?
    };
    if let Some(path) = save_model {
        matcher.model().save(path)?;
    }
    progress("writing", 0, 1);
    let pairs_written = write_whole(out, &corpus, &result, config)?;
    progress("writing", 1, 1);
    let findings_total = left_rows.findings_total + right_rows.findings_total;
    let mut findings = left_rows.findings;
    findings.extend(right_rows.findings);
    Ok(LinkReport {
        report: result.report,
        rows: [left_rows.rows, right_rows.rows],
        rows_refused: [left_rows.refused, right_rows.refused],
        pairs_written,
        findings,
        findings_total,
    })
}

/// Writes beside the target and renames, so that nobody reads half a file.
fn write_whole(out: &Path, corpus: &Corpus, result: &LinkResult, config: &Config) -> Result<u64, Error> {
    let mut name =
        out.file_name().ok_or_else(|| Error::Invalid(format!("{}: not a file name", out.display())))?.to_owned();
    name.push(".part");
    let part = out.with_file_name(name);
    let failed = |source: std::io::Error| Error::file(out, "written", source);
    let written = write_pairs(&part, corpus, result, config).map_err(failed).and_then(|count| {
        std::fs::rename(&part, out).map_err(failed)?;
        Ok(count)
    });
    if written.is_err() {
        // The part file may not exist; either way the first error is the one to report.
        let _ = std::fs::remove_file(&part);
    }
    written
}

fn write_pairs(path: &Path, corpus: &Corpus, result: &LinkResult, config: &Config) -> std::io::Result<u64> {
    let mut writer = csv::Writer::from_writer(std::io::BufWriter::new(std::fs::File::create(path)?));
    writer.write_record(["left_id", "right_id", "score", "outcome"])?;
    let mut count = 0;
    for pair in &result.pairs {
        if pair.probability < config.listed_probability_min && pair.outcome == Outcome::NonMatch {
            continue;
        }
        let score = format!("{:.DECIMALS$}", pair.probability);
        writer.write_record([
            corpus.id(Side::Left, pair.left),
            corpus.id(Side::Right, pair.right),
            score.as_str(),
            pair.outcome.as_str(),
        ])?;
        count += 1;
    }
    let mut inner = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    inner.flush()?;
    Ok(count)
}

#[cfg(test)]
mod tests;
