//! Findings as files for whoever mends what was sent: CSV and a workbook for a clerk to sort, NDJSON for a program.
//!
//! Each has the same rows in the order they were found, and the same seven columns.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Datelike as _, Utc};
use rust_xlsxwriter::{Color, DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use serde_json::json;

use crate::{Finding, store::severity_name};

/// A column of a sheet: its heading, and its width in characters.
type Column = (&'static str, u8);

/// The columns of findings.
const COLUMNS: [Column; 7] =
    [("file", 28), ("line", 8), ("column", 8), ("field", 26), ("rule", 26), ("severity", 12), ("message", 110)];

/// The columns of the count by rule.
const RULE_COLUMNS: [Column; 6] =
    [("rule", 26), ("field", 26), ("severity", 12), ("findings", 10), ("first line", 10), ("first message", 110)];

/// Rows of a sheet, its heading apart: what the format allows.
const SHEET_ROWS_MAX: usize = 1_048_575;

/// How findings are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindingsFormat {
    /// CSV that a spreadsheet opens: UTF-8 with byte order mark, CR LF.
    Csv,
    /// One JSON object a line, as `intake check --json` prints them.
    Ndjson,
    /// A workbook: the findings with a filter on each column, and how often each rule was broken.
    Xlsx,
}

impl FindingsFormat {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Ndjson, Self::Xlsx];

    /// The extension of its files.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Xlsx => "xlsx",
        }
    }

    /// The format of a file by the extension of its name.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?;
        Self::ALL.into_iter().find(|format| format.extension().eq_ignore_ascii_case(extension))
    }
}

/// A finding and the file it is about.
pub type Said<'a> = (&'a str, &'a Finding);

/// Writes findings, whole or not at all. `at` is the time that the workbook bears.
pub fn write(path: &Path, format: FindingsFormat, findings: &[Said<'_>], at: DateTime<Utc>) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut out = BufWriter::new(File::create(&part)?);
    match format {
        FindingsFormat::Csv => write_csv(&mut out, findings)?,
        FindingsFormat::Ndjson => write_ndjson(&mut out, findings)?,
        FindingsFormat::Xlsx => write_xlsx(&mut out, findings, at).map_err(io::Error::other)?,
    }
    out.flush()?;
    drop(out);
    fs::rename(part, path)
}

/// Findings as the CSV that a spreadsheet opens, in memory.
pub fn csv(findings: &[Said<'_>]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_csv(&mut bytes, findings)?;
    Ok(bytes)
}

fn write_csv(out: &mut dyn io::Write, findings: &[Said<'_>]) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    let mut heading = COLUMNS.map(|(title, _)| title.to_owned());
    if let Some(first) = heading.first_mut() {
        first.insert(0, '\u{feff}');
    }
    writer.write_record(&heading)?;
    for (file, finding) in findings {
        let column = finding.column.map(|column| column.to_string()).unwrap_or_default();
        let line = finding.line.to_string();
        let field = finding.field.as_deref().unwrap_or_default();
        let severity = severity_name(finding.severity);
        writer.write_record([&plain(file), &line, &column, field, &finding.rule, severity, &finding.message])?;
    }
    writer.flush()
}

/// A name that a spreadsheet takes for text: whoever sends a file chooses its name, and a formula is none.
fn plain(name: &str) -> String {
    if name.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{name}") } else { name.to_owned() }
}

fn write_ndjson(out: &mut dyn io::Write, findings: &[Said<'_>]) -> io::Result<()> {
    for (file, finding) in findings {
        serde_json::to_writer(&mut *out, &object(file, finding))?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// A finding as JSON.
pub fn object(file: &str, finding: &Finding) -> serde_json::Value {
    json!({
        "file": file, "line": finding.line, "column": finding.column, "field": finding.field, "rule": finding.rule,
        "severity": severity_name(finding.severity), "message": finding.message,
    })
}

fn write_xlsx(out: &mut dyn io::Write, findings: &[Said<'_>], at: DateTime<Utc>) -> Result<(), XlsxError> {
    let day = ExcelDateTime::from_ymd(at.year().clamp(1900, 9999) as u16, at.month() as u8, at.day() as u8)?;
    let mut workbook = Workbook::new();
    workbook.set_properties(&DocProperties::new().set_title("Findings").set_creation_datetime(&day));
    let heading = Format::new().set_bold().set_background_color(Color::RGB(0x00DC_E6F1));
    let sheet = workbook.add_worksheet_with_low_memory()?;
    write_sheet(sheet, &heading, findings)?;
    let sheet = workbook.add_worksheet_with_low_memory()?;
    write_counts(sheet, &heading, findings)?;
    let bytes = workbook.save_to_buffer()?;
    out.write_all(&bytes)?;
    Ok(())
}

fn write_sheet(sheet: &mut Worksheet, heading: &Format, findings: &[Said<'_>]) -> Result<(), XlsxError> {
    let shown = findings.get(..findings.len().min(SHEET_ROWS_MAX)).unwrap_or(findings);
    prepare(sheet, heading, "Findings", &COLUMNS, shown.len())?;
    for (row, (file, finding)) in (1..).zip(shown) {
        sheet.write_string(row, 0, *file)?;
        sheet.write_number(row, 1, finding.line)?;
        if let Some(column) = finding.column {
            sheet.write_number(row, 2, column)?;
        }
        sheet.write_string(row, 3, finding.field.as_deref().unwrap_or_default())?;
        sheet.write_string(row, 4, &finding.rule)?;
        sheet.write_string(row, 5, severity_name(finding.severity))?;
        sheet.write_string(row, 6, &finding.message)?;
    }
    Ok(())
}

/// How often each rule was broken, and where first: a rule that is broken all through a file is mended once.
fn write_counts(sheet: &mut Worksheet, heading: &Format, findings: &[Said<'_>]) -> Result<(), XlsxError> {
    let mut rules: BTreeMap<(&str, &str), (u32, &Finding)> = BTreeMap::new();
    for (_, finding) in findings {
        let key = (finding.rule.as_str(), finding.field.as_deref().unwrap_or_default());
        rules.entry(key).or_insert((0, finding)).0 += 1;
    }
    prepare(sheet, heading, "By rule", &RULE_COLUMNS, rules.len())?;
    for (row, ((rule, field), (count, first))) in (1..).zip(rules) {
        sheet.write_string(row, 0, rule)?;
        sheet.write_string(row, 1, field)?;
        sheet.write_string(row, 2, severity_name(first.severity))?;
        sheet.write_number(row, 3, count)?;
        sheet.write_number(row, 4, first.line)?;
        sheet.write_string(row, 5, &first.message)?;
    }
    Ok(())
}

/// Names a sheet, heads its columns, and lets each be sorted and filtered.
fn prepare(
    sheet: &mut Worksheet,
    heading: &Format,
    name: &str,
    columns: &[Column],
    rows: usize,
) -> Result<(), XlsxError> {
    sheet.set_name(name)?;
    sheet.set_freeze_panes(1, 0)?;
    let last = u16::try_from(columns.len().saturating_sub(1)).unwrap_or_default();
    sheet.autofilter(0, 0, u32::try_from(rows).unwrap_or(u32::MAX), last)?;
    for (column, (title, width)) in (0..).zip(columns) {
        sheet.set_column_width(column, f64::from(*width))?;
        sheet.write_string_with_format(0, column, *title, heading)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    fn findings() -> Vec<Finding> {
        let mut one = Finding::new(3, "date.invalid", Severity::Error, "the day must exist, \"30 February\" does not");
        one.column = Some(7);
        one.field = Some("birth_date".to_owned());
        vec![one.clone(), Finding { line: 9, ..one }, Finding::new(0, "file.line_end", Severity::Information, "ends")]
    }

    fn written(format: FindingsFormat) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a").with_extension(format.extension());
        let at = DateTime::from_timestamp(1_700_000_000, 0).expect("a time");
        let findings = findings();
        let said: Vec<Said<'_>> = findings.iter().map(|finding| ("=sent.txt", finding)).collect();
        write(&path, format, &said, at).expect("it is written");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
        fs::read(path).expect("it is there")
    }

    #[test]
    fn a_spreadsheet_opens_the_csv_and_runs_nothing_of_it() {
        let text = String::from_utf8(written(FindingsFormat::Csv)).expect("text");
        let mut lines = text.split("\r\n");
        assert_eq!(lines.next(), Some("\u{feff}file,line,column,field,rule,severity,message"));
        let expect =
            "'=sent.txt,3,7,birth_date,date.invalid,error,\"the day must exist, \"\"30 February\"\" does not\"";
        assert_eq!(lines.next(), Some(expect));
        assert_eq!(lines.count(), 3);
    }

    #[test]
    fn a_program_reads_one_object_a_line() {
        let text = String::from_utf8(written(FindingsFormat::Ndjson)).expect("text");
        let objects: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
        assert_eq!(objects.len(), 3);
        assert_eq!(objects[0]["column"], 7);
        assert_eq!(objects[2]["field"], serde_json::Value::Null);
    }

    #[test]
    fn the_workbook_is_the_same_whenever_it_is_written() {
        let bytes = written(FindingsFormat::Xlsx);
        assert!(bytes.starts_with(b"PK"));
        assert_eq!(bytes, written(FindingsFormat::Xlsx));
    }

    #[test]
    fn the_extension_says_the_format() {
        assert_eq!(FindingsFormat::of(Path::new("a/b.XLSX")), Some(FindingsFormat::Xlsx));
        assert_eq!(FindingsFormat::of(Path::new("a/b.txt")), None);
    }
}
