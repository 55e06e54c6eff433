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

use crate::{Finding, Severity, store::severity_name};

/// A column of a sheet: its heading, and its width in characters.
type Column = (&'static str, u8);

/// The columns of findings.
const COLUMNS: [Column; 7] =
    [("file", 28), ("line", 8), ("column", 8), ("field", 26), ("rule", 26), ("severity", 12), ("message", 110)];

/// The columns of the count by rule.
const RULE_COLUMNS: [Column; 6] =
    [("rule", 26), ("field", 26), ("severity", 12), ("findings", 10), ("first line", 10), ("first message", 110)];

/// Findings that a workbook may list: the rows that the format allows, less its heading and one that says that there are more.
pub const WORKBOOK_FINDINGS_MAX: u32 = 1_048_574;

/// Rules and fields that a workbook counts one by one; names of unknown elements are the file's own, and there may be any number of them.
const RULES_MAX: usize = 1_000;

/// Bytes of a cell: no more characters than the format allows.
const CELL_BYTES_MAX: usize = 32_767;

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

/// A file of findings under way: written as they come, and there under its name when it is whole.
pub struct Writer {
    path: PathBuf,
    part: PathBuf,
    out: Out,
    is_whole: bool,
}

enum Out {
    Csv(Box<csv::Writer<File>>),
    Ndjson(BufWriter<File>),
    Xlsx(Box<Book>),
}

impl Writer {
    /// Begins a file. A workbook lists at most `workbook_findings_max` findings and says how many more there are; `at` is the time that it bears.
    pub fn begin(
        path: &Path,
        format: FindingsFormat,
        workbook_findings_max: usize,
        at: DateTime<Utc>,
    ) -> io::Result<Self> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part)?;
        let out = match format {
            FindingsFormat::Csv => Out::Csv(Box::new(begin_csv(file)?)),
            FindingsFormat::Ndjson => Out::Ndjson(BufWriter::new(file)),
            FindingsFormat::Xlsx => {
                let folder = part.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                Out::Xlsx(Box::new(Book::begin(file, folder, workbook_findings_max, at).map_err(io::Error::other)?))
            }
        };
        Ok(Self { path: path.to_owned(), part, out, is_whole: false })
    }

    /// Writes one about a file.
    pub fn write(&mut self, said: Said<'_>) -> io::Result<()> {
        match &mut self.out {
            Out::Csv(out) => write_csv(out, said),
            Out::Ndjson(out) => write_ndjson(out, said),
            Out::Xlsx(book) => book.write(said).map_err(io::Error::other),
        }
    }

    /// Ends the file and gives it its name.
    pub fn end(mut self) -> io::Result<()> {
        match &mut self.out {
            Out::Csv(out) => out.flush()?,
            Out::Ndjson(out) => out.flush()?,
            Out::Xlsx(book) => book.end().map_err(io::Error::other)?,
        }
        fs::rename(&self.part, &self.path)?;
        self.is_whole = true;
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.is_whole {
            // What is left of a file that could not be written says nothing more than the error does.
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// Findings as the CSV that a spreadsheet opens, in memory.
pub fn csv(findings: &[Said<'_>]) -> io::Result<Vec<u8>> {
    let mut out = begin_csv(Vec::new())?;
    findings.iter().try_for_each(|said| write_csv(&mut out, *said))?;
    out.into_inner().map_err(csv::IntoInnerError::into_error)
}

fn begin_csv<W: io::Write>(out: W) -> io::Result<csv::Writer<W>> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    let mut heading = COLUMNS.map(|(title, _)| title.to_owned());
    if let Some(first) = heading.first_mut() {
        first.insert(0, '\u{feff}');
    }
    writer.write_record(&heading)?;
    Ok(writer)
}

fn write_csv<W: io::Write>(out: &mut csv::Writer<W>, (file, finding): Said<'_>) -> io::Result<()> {
    let column = finding.column.map(|column| column.to_string()).unwrap_or_default();
    let line = finding.line.to_string();
    let field = finding.field.as_deref().unwrap_or_default();
    let severity = severity_name(finding.severity);
    out.write_record([&plain(file), &line, &column, field, &finding.rule, severity, &finding.message])?;
    Ok(())
}

/// A name that a spreadsheet takes for text: whoever sends a file chooses its name, and a formula is none.
fn plain(name: &str) -> String {
    if name.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{name}") } else { name.to_owned() }
}

fn write_ndjson(out: &mut dyn io::Write, (file, finding): Said<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, &object(file, finding))?;
    out.write_all(b"\n")
}

/// A finding as JSON.
pub fn object(file: &str, finding: &Finding) -> serde_json::Value {
    json!({
        "file": file, "line": finding.line, "column": finding.column, "field": finding.field, "rule": finding.rule,
        "severity": severity_name(finding.severity), "message": finding.message,
    })
}

/// How often a rule was broken in a field, and where first: a rule that is broken all through a file is mended once.
struct OfRule {
    count: u64,
    first: Finding,
}

/// A workbook under way. Its rows go to a file without a name in the folder of the workbook; what stays in memory is how often what was found.
struct Book {
    workbook: Workbook,
    heading: Format,
    file: File,
    /// Rows of the sheet of findings.
    rows: u32,
    rows_max: u32,
    /// Findings that the sheet does not list.
    further: u64,
    rules: BTreeMap<(String, String), OfRule>,
    /// Findings of rules and fields that are not told apart any more.
    further_rules: u64,
}

impl Book {
    fn begin(file: File, folder: &Path, findings_max: usize, at: DateTime<Utc>) -> Result<Self, XlsxError> {
        let day = ExcelDateTime::from_ymd(at.year().clamp(1900, 9999) as u16, at.month() as u8, at.day() as u8)?;
        let mut workbook = Workbook::new();
        workbook.set_tempdir(folder)?;
        workbook.set_properties(&DocProperties::new().set_title("Findings").set_creation_datetime(&day));
        let heading = Format::new().set_bold().set_background_color(Color::RGB(0x00DC_E6F1));
        let sheet = workbook.add_worksheet_with_constant_memory()?;
        prepare(sheet, &heading, "Findings", &COLUMNS)?;
        let rows_max = u32::try_from(findings_max).unwrap_or(u32::MAX).min(WORKBOOK_FINDINGS_MAX);
        let (rules, further, further_rules) = (BTreeMap::new(), 0, 0);
        Ok(Self { workbook, heading, file, rows: 0, rows_max, further, rules, further_rules })
    }

    fn write(&mut self, (file, finding): Said<'_>) -> Result<(), XlsxError> {
        self.count(finding);
        if self.rows == self.rows_max {
            self.further += 1;
            return Ok(());
        }
        self.rows += 1;
        write_row(self.workbook.worksheet_from_index(0)?, self.rows, (file, finding))
    }

    fn count(&mut self, finding: &Finding) {
        let key = (finding.rule.clone(), finding.field.clone().unwrap_or_default());
        if let Some(of_rule) = self.rules.get_mut(&key) {
            of_rule.count += 1;
        } else if self.rules.len() < RULES_MAX {
            self.rules.insert(key, OfRule { count: 1, first: finding.clone() });
        } else {
            self.further_rules += 1;
        }
    }

    fn end(&mut self) -> Result<(), XlsxError> {
        if self.further > 0 {
            let message = format!(
                "{} further findings are not listed in this workbook: the same findings as CSV or NDJSON have them all, and the other sheet counts them",
                self.further
            );
            let said = Finding::new(0, "workbook.limit", Severity::Information, message);
            self.rows += 1;
            write_row(self.workbook.worksheet_from_index(0)?, self.rows, ("", &said))?;
        }
        let sheet = self.workbook.worksheet_from_index(0)?;
        filter(sheet, self.rows, &COLUMNS)?;
        let sheet = self.workbook.add_worksheet_with_constant_memory()?;
        prepare(sheet, &self.heading, "By rule", &RULE_COLUMNS)?;
        let mut row = 0;
        for ((rule, field), OfRule { count, first }) in &self.rules {
            row += 1;
            sheet.write_string(row, 0, cell(rule))?;
            sheet.write_string(row, 1, cell(field))?;
            sheet.write_string(row, 2, severity_name(first.severity))?;
            sheet.write_number(row, 3, *count as f64)?;
            sheet.write_number(row, 4, first.line)?;
            sheet.write_string(row, 5, cell(&first.message))?;
        }
        if self.further_rules > 0 {
            row += 1;
            sheet.write_string(row, 0, "of further rules or fields")?;
            sheet.write_number(row, 3, self.further_rules as f64)?;
        }
        filter(sheet, row, &RULE_COLUMNS)?;
        let mut out = BufWriter::new(&self.file);
        self.workbook.save_to_writer(&mut out)?;
        Ok(out.flush()?)
    }
}

fn write_row(sheet: &mut Worksheet, row: u32, (file, finding): Said<'_>) -> Result<(), XlsxError> {
    sheet.write_string(row, 0, cell(file))?;
    sheet.write_number(row, 1, finding.line)?;
    if let Some(column) = finding.column {
        sheet.write_number(row, 2, column)?;
    }
    sheet.write_string(row, 3, cell(finding.field.as_deref().unwrap_or_default()))?;
    sheet.write_string(row, 4, cell(&finding.rule))?;
    sheet.write_string(row, 5, severity_name(finding.severity))?;
    sheet.write_string(row, 6, cell(&finding.message))?;
    Ok(())
}

/// As much of a text as a cell may hold: the name of an element is the sender's own, and may be of any length.
fn cell(text: &str) -> &str {
    text.get(..text.floor_char_boundary(CELL_BYTES_MAX)).unwrap_or(text)
}

/// Names a sheet and heads its columns.
fn prepare(sheet: &mut Worksheet, heading: &Format, name: &str, columns: &[Column]) -> Result<(), XlsxError> {
    sheet.set_name(name)?;
    sheet.set_freeze_panes(1, 0)?;
    for (column, (title, width)) in (0..).zip(columns) {
        sheet.set_column_width(column, f64::from(*width))?;
        sheet.write_string_with_format(0, column, *title, heading)?;
    }
    Ok(())
}

/// Lets each column be sorted and filtered.
fn filter(sheet: &mut Worksheet, rows: u32, columns: &[Column]) -> Result<(), XlsxError> {
    let last = u16::try_from(columns.len().saturating_sub(1)).unwrap_or_default();
    sheet.autofilter(0, 0, rows, last)?;
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
        written_of(format, &findings(), 100)
    }

    fn written_of(format: FindingsFormat, findings: &[Finding], max: usize) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a").with_extension(format.extension());
        let at = DateTime::from_timestamp(1_700_000_000, 0).expect("a time");
        let mut writer = Writer::begin(&path, format, max, at).expect("it is begun");
        for finding in findings {
            writer.write(("=sent.txt", finding)).expect("it is written");
        }
        writer.end().expect("it is whole");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
        fs::read(path).expect("it is there")
    }

    /// The text of a sheet of a workbook.
    fn sheet(bytes: &[u8], number: u8) -> String {
        let mut archive = zip::ZipArchive::new(io::Cursor::new(bytes)).expect("a workbook");
        let mut text = String::new();
        let mut sheet = archive.by_name(&format!("xl/worksheets/sheet{number}.xml")).expect("a sheet");
        io::Read::read_to_string(&mut sheet, &mut text).expect("text");
        text
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
    fn a_workbook_lists_so_many_and_says_and_counts_the_rest() {
        let many: Vec<Finding> =
            (1..=12).map(|line| Finding::new(line, "date.invalid", Severity::Error, format!("day {line}"))).collect();
        let bytes = written_of(FindingsFormat::Xlsx, &many, 5);
        let listed = sheet(&bytes, 1);
        assert_eq!(listed.matches("<row ").count(), 1 + 5 + 1, "a heading, five, and what it does not list");
        assert!(listed.contains("7 further findings") && listed.contains("day 5") && !listed.contains("day 6"));
        assert!(listed.contains("<autoFilter ref=\"A1:G7\"/>"), "{listed}");
        let counted = sheet(&bytes, 2);
        assert!(counted.contains("<v>12</v>"), "all are counted: {counted}");
        let whole = sheet(&written_of(FindingsFormat::Xlsx, &many, 12), 1);
        assert!(whole.contains("day 12") && !whole.contains("further findings"));
        for format in [FindingsFormat::Csv, FindingsFormat::Ndjson] {
            let text = String::from_utf8(written_of(format, &many, 5)).expect("text");
            assert_eq!(text.matches("date.invalid").count(), 12, "the others have them all");
        }
    }

    #[test]
    fn fields_of_any_number_and_length_make_a_workbook() {
        let many = (0..RULES_MAX as u32 + 30).map(|line| {
            let field = Some(format!("{line}{}", "\u{e9}".repeat(if line == 7 { 40_000 } else { 1 })));
            Finding { field, ..Finding::new(line, "element.unknown", Severity::Warning, "no such element") }
        });
        let counted = sheet(&written_of(FindingsFormat::Xlsx, &many.collect::<Vec<_>>(), 5), 2);
        assert!(counted.contains("of further rules or fields") && counted.contains("<v>30</v>"));
        assert_eq!(counted.matches("<row ").count(), 1 + RULES_MAX + 1);
    }

    #[test]
    fn a_file_that_is_not_ended_is_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = DateTime::from_timestamp(1_700_000_000, 0).expect("a time");
        for format in FindingsFormat::ALL {
            let path = folder.path().join("a").with_extension(format.extension());
            let mut writer = Writer::begin(&path, format, 5, at).expect("it is begun");
            for finding in &findings() {
                writer.write(("sent.txt", finding)).expect("room");
            }
            drop(writer);
        }
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }

    #[test]
    fn the_extension_says_the_format() {
        assert_eq!(FindingsFormat::of(Path::new("a/b.XLSX")), Some(FindingsFormat::Xlsx));
        assert_eq!(FindingsFormat::of(Path::new("a/b.txt")), None);
    }
}
