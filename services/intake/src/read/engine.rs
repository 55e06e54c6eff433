//! The loop under reading, checking and converting: record after record, each good or bad, in bounded memory.

use std::ops::ControlFlow;

use std::io::BufRead;

use reference::tables::Tables;

use super::{
    ReadSummary,
    buffer::{Buffer, End, Line, Next, RECORD_BYTES_MAX},
    checks::{Checked, Notes, check},
    delimited::{Broken, Cells},
    drift,
    encoding::{Beginning, Decoder, NotText, beginning},
    facts::Checkpoint,
    header::{self, Columns},
    plan::{Plan, RecordPlan},
};
use crate::{
    Error, Finding, Layout, Severity,
    layout::{Format, LineEnd, Record},
};

/// What the loop tells.
pub(crate) enum Event<'a> {
    /// A record that can be loaded; the findings are warnings.
    Good { record: Checkpoint<'a>, raw: &'a [u8], findings: Vec<Finding> },
    /// A record that cannot.
    Bad { line: u32, raw: &'a [u8], findings: Vec<Finding> },
    /// Something about the file.
    File(Finding),
}

type Visit<'v> = dyn FnMut(Event<'_>) -> ControlFlow<()> + 'v;

/// Reads a file from its beginning.
pub(crate) fn run(
    reader: &mut dyn BufRead,
    layout: &Layout,
    tables: &Tables,
    visit: &mut Visit<'_>,
) -> Result<ReadSummary, Error> {
    let mut engine = Engine {
        plan: Plan::new(layout, tables)?,
        buffer: Buffer::new(reader),
        decoder: Decoder::new(),
        cells: Cells::default(),
        spare: Vec::new(),
        columns: None,
        line: 0,
        other_line_ends: 0,
        is_said: Said::default(),
        notes: Notes::default(),
        summary: ReadSummary::default(),
    };
    // Breaking off is the visitor's wish, not a failure.
    let _ended = engine.read(visit)?;
    engine.summary.bytes = engine.buffer.taken();
    engine.summary.lines = u64::from(engine.line);
    Ok(engine.summary)
}

struct Engine<'r, 'l> {
    plan: Plan<'l>,
    buffer: Buffer<'r>,
    decoder: Decoder,
    cells: Cells,
    /// The memory of the last record's cells, to be used again.
    spare: Vec<&'static str>,
    columns: Option<Columns>,
    line: u32,
    other_line_ends: u64,
    is_said: Said,
    notes: Notes,
    summary: ReadSummary,
}

/// What is said once a file.
#[derive(Default)]
struct Said {
    byte_positions: bool,
    extra_columns: bool,
}

/// Breaking off, or going on.
type Flow = ControlFlow<()>;

impl Engine<'_, '_> {
    fn read(&mut self, visit: &mut Visit<'_>) -> Result<Flow, Error> {
        self.buffer.fill(RECORD_BYTES_MAX)?;
        if let Some(finding) = self.begin()? {
            return Ok(self.refuse(finding, visit));
        }
        if let Some(flow) = self.read_header(visit)? {
            return Ok(flow);
        }
        loop {
            let flow = match self.buffer.line_at(0)? {
                Next::End => break,
                Next::TooLong => self.too_long(visit)?,
                Next::Line(line) if self.is_blank(line) => {
                    self.advance(line);
                    self.summary.blank_lines += 1;
                    Flow::Continue(())
                }
                Next::Line(line) => match self.plan.layout.format {
                    Format::Fixed { .. } => self.fixed(line, visit),
                    Format::Delimited { delimiter, .. } => self.delimited(line, delimiter, visit)?,
                },
            };
            if flow.is_break() {
                return Ok(flow);
            }
            for note in std::mem::take(&mut self.notes.pending) {
                if visit(Event::File(note)).is_break() {
                    return Ok(Flow::Break(()));
                }
            }
        }
        Ok(self.end(visit))
    }

    fn refuse(&mut self, finding: Finding, visit: &mut Visit<'_>) -> Flow {
        self.summary.refused |= finding.severity == Severity::Fatal;
        visit(Event::File(finding))
    }

    /// What the first bytes say: encoding, emptiness, lengths.
    fn begin(&mut self) -> Result<Option<Finding>, Error> {
        let mark = match beginning(self.buffer.filled()) {
            Beginning::Text(mark) => mark,
            Beginning::Wide => {
                let message = "the file is written in UTF-16 or is no text at all; save it as UTF-8 and send it again";
                return Ok(Some(Finding::new(0, "encoding.not_utf8", Severity::Fatal, message)));
            }
        };
        self.buffer.take(mark);
        if self.buffer.line_at(0)? == Next::End {
            return Ok(Some(Finding::new(0, "file.empty", Severity::Fatal, "the file is empty")));
        }
        Ok(drift::misfit(self.plan.layout, self.buffer.filled()))
    }

    /// Reads the header of a file that has one. `Some` ends the reading.
    fn read_header(&mut self, visit: &mut Visit<'_>) -> Result<Option<Flow>, Error> {
        let Format::Delimited { delimiter, header, .. } = self.plan.layout.format else {
            return Ok(None);
        };
        let layout = self.plan.layout;
        let Some(record) = layout.records.first() else {
            return Ok(None);
        };
        let Next::Line(line) = self.buffer.line_at(0)? else {
            let message = "the first line is too long to be a header";
            return Ok(Some(self.refuse(Finding::new(1, "header.missing", Severity::Fatal, message), visit)));
        };
        let bytes = self.buffer.filled().get(..line.length).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes).into_owned();
        if !header {
            self.columns = Some(Columns::in_order(record));
            return Ok(self.pass_header(&text, line, delimiter, record, visit));
        }
        let (columns, findings) = match self.cells.split(&text, delimiter) {
            Ok(()) => header::place(layout, record, &text, &self.cells),
            Err(_) => {
                let message = "the header has a quote that is not closed";
                (None, vec![Finding::new(1, "header.missing", Severity::Fatal, message)])
            }
        };
        self.advance(line);
        for finding in findings {
            if self.refuse(finding, visit).is_break() {
                return Ok(Some(Flow::Break(())));
            }
        }
        let Some(columns) = columns else {
            return Ok(Some(Flow::Break(())));
        };
        if let Some(plan) = self.plan.records.first_mut() {
            columns.tell(plan);
        }
        self.columns = Some(columns);
        Ok(None)
    }

    /// Passes over a header where none should be. `Some` ends the reading.
    fn pass_header(
        &mut self,
        text: &str,
        line: Line,
        delimiter: u8,
        record: &Record,
        visit: &mut Visit<'_>,
    ) -> Option<Flow> {
        self.cells.split(text, delimiter).ok()?;
        let names: Vec<&str> = (0..self.cells.len()).map(|cell| self.cells.get(text, cell)).collect();
        if !drift::is_header(record, &names) {
            return None;
        }
        let message = "the file begins with a header; this layout has none, so the line is passed over";
        self.advance(line);
        let flow = visit(Event::File(Finding::new(1, "header.unexpected", Severity::Warning, message)));
        flow.is_break().then_some(flow)
    }

    fn is_blank(&self, line: Line) -> bool {
        let bytes = self.buffer.filled().get(..line.length).unwrap_or_default();
        // Some systems end a file with the old end-of-file character.
        bytes.iter().all(|byte| *byte == b' ') || (bytes == [0x1a] && line.end == End::EndOfFile)
    }

    fn advance(&mut self, line: Line) {
        self.line += 1;
        let expected = match line.end {
            End::EndOfFile => true,
            End::CrLf => self.plan.layout.line_end == LineEnd::CrLf,
            End::LineFeed => self.plan.layout.line_end == LineEnd::Lf,
        };
        self.other_line_ends += u64::from(!expected);
        self.buffer.take(line.consumed);
    }

    fn too_long(&mut self, visit: &mut Visit<'_>) -> Result<Flow, Error> {
        self.line += 1;
        let message = format!(
            "the line has more than {RECORD_BYTES_MAX} bytes; its beginning is kept in quarantine, the rest is passed over"
        );
        let findings = vec![Finding::new(self.line, "record.too_long", Severity::Error, message)];
        let raw = self.buffer.filled().get(..RECORD_BYTES_MAX).unwrap_or_default();
        self.summary.count_bad();
        let flow = visit(Event::Bad { line: self.line, raw, findings });
        self.buffer.skip_line()?;
        Ok(flow)
    }

    /// One record of a fixed file.
    fn fixed(&mut self, line: Line, visit: &mut Visit<'_>) -> Flow {
        let number = self.line + 1;
        let Self { buffer, decoder, plan, spare, notes, summary, is_said, .. } = self;
        let raw = buffer.filled().get(..line.length).unwrap_or_default();
        let mut tell = |finding| visit(Event::File(finding));
        let flow = match decoder.decode(raw) {
            Err(not_text) => bad(summary, visit, number, raw, vec![no_text(number, not_text)]),
            Ok(decoded) => {
                if decoded.turned && tell(windows_1252(number)).is_break() {
                    return Flow::Break(());
                }
                match kind_of(plan, decoded.text, number) {
                    Err(finding) => bad(summary, visit, number, raw, vec![finding]),
                    Ok(record_plan) => {
                        match fixed_cells(record_plan.record, decoded.text, std::mem::take(spare), line.end, number) {
                            Err(finding) => bad(summary, visit, number, raw, vec![finding]),
                            Ok(cut) => {
                                if cut.by_bytes
                                    && !std::mem::replace(&mut is_said.byte_positions, true)
                                    && tell(byte_positions(number)).is_break()
                                {
                                    return Flow::Break(());
                                }
                                let mut checked = check(record_plan, &cut.cells, number, notes);
                                if !checked.is_good() {
                                    checked.findings.extend(drift::shifted(
                                        record_plan,
                                        decoded.text,
                                        &checked,
                                        number,
                                    ));
                                }
                                let checkpoint = Checkpoint {
                                    plan: record_plan,
                                    tables: plan.tables,
                                    cells: &cut.cells,
                                    year: checked.year,
                                    line: number,
                                };
                                let flow = give(summary, visit, checkpoint, raw, checked);
                                *spare = used_again(cut.cells);
                                flow
                            }
                        }
                    }
                }
            }
        };
        self.advance(line);
        flow
    }

    /// One record of a delimited file: a line, or several while a quote is open.
    fn delimited(&mut self, first: Line, delimiter: u8, visit: &mut Visit<'_>) -> Result<Flow, Error> {
        let number = self.line + 1;
        let extent = self.extent(first, delimiter)?;
        let Self { buffer, decoder, plan, cells, columns, spare, notes, summary, is_said, .. } = self;
        let (Some(columns), Some(record_plan)) = (columns.as_ref(), plan.records.first()) else {
            return Ok(Flow::Break(()));
        };
        let whole = buffer.filled().get(..extent.length).unwrap_or_default();
        let raw_line = buffer.filled().get(..first.length).unwrap_or_default();
        let decoded = match decoder.decode(whole) {
            Ok(decoded) => decoded,
            Err(not_text) => {
                let flow = bad(summary, visit, number, raw_line, vec![no_text(number, not_text)]);
                self.advance(first);
                return Ok(flow);
            }
        };
        if decoded.turned && visit(Event::File(windows_1252(number))).is_break() {
            return Ok(Flow::Break(()));
        }
        let cut = cells
            .split(decoded.text, delimiter)
            .map_err(|broken| broken_quote(number, broken))
            .and_then(|()| columns_fit(columns, cells, decoded.text, number, &extent));
        let is_one_line = extent.lines.is_empty();
        match cut {
            Err(finding) => {
                // A quote that swallowed lines is the fault of the line that opened it; the next ones may be good.
                let finding = if is_one_line { finding } else { unclosed(number) };
                let flow = bad(summary, visit, number, raw_line, vec![finding]);
                self.advance(first);
                Ok(flow)
            }
            Ok(surplus) => {
                if surplus
                    && !std::mem::replace(&mut is_said.extra_columns, true)
                    && visit(Event::File(extra_columns(number))).is_break()
                {
                    return Ok(Flow::Break(()));
                }
                let mut values = used_again(std::mem::take(spare));
                values.extend(
                    columns
                        .of_field
                        .iter()
                        .map(|column| column.map_or("", |column| cells.get(decoded.text, column).trim_matches(' '))),
                );
                let checked = check(record_plan, &values, number, notes);
                let checkpoint = Checkpoint {
                    plan: record_plan,
                    tables: plan.tables,
                    cells: &values,
                    year: checked.year,
                    line: number,
                };
                let flow = give(summary, visit, checkpoint, whole, checked);
                *spare = used_again(values);
                self.advance(first);
                for line in extent.lines {
                    self.advance(line);
                }
                Ok(flow)
            }
        }
    }

    /// How far the record goes that begins with a line: further lines while a quote is open and another quote is in reach.
    fn extent(&mut self, first: Line, delimiter: u8) -> Result<Extent, Error> {
        let mut extent = Extent { length: first.length, lines: Vec::new(), ends_file: first.end == End::EndOfFile };
        let mut consumed = first.consumed;
        let begun = self.buffer.filled().get(..first.length);
        let mut quotes = count_quotes(begun);
        // A quote in the middle of a cell stands for itself: a line that can be cut alone is a record alone.
        if quotes % 2 == 1 && self.cells.split(&String::from_utf8_lossy(begun.unwrap_or_default()), delimiter).is_ok() {
            return Ok(extent);
        }
        while quotes % 2 == 1 && extent.lines.len() < LINES_IN_RECORD_MAX {
            let Next::Line(line) = self.buffer.line_at(consumed)? else {
                // No end in sight: the first line stands alone.
                return Ok(Extent { length: first.length, lines: Vec::new(), ends_file: first.end == End::EndOfFile });
            };
            quotes += count_quotes(self.buffer.filled().get(consumed..consumed + line.length));
            extent.length = consumed + line.length;
            extent.ends_file = line.end == End::EndOfFile;
            extent.lines.push(line);
            consumed += line.consumed;
        }
        Ok(extent)
    }

    /// What can only be said at the end.
    fn end(&mut self, visit: &mut Visit<'_>) -> Flow {
        let mut findings = Vec::new();
        if self.other_line_ends > 0 {
            let (found, expected) = match self.plan.layout.line_end {
                LineEnd::CrLf => ("a line feed alone", "carriage return and line feed"),
                LineEnd::Lf => ("carriage return and line feed", "a line feed alone"),
            };
            let message = format!(
                "{} lines end with {found} where {expected} is the rule; they were read all the same",
                self.other_line_ends
            );
            findings.push(Finding::new(0, "file.line_end", Severity::Information, message));
        }
        if self.summary.blank_lines > 0 {
            let message = format!("{} blank lines were passed over", self.summary.blank_lines);
            findings.push(Finding::new(0, "file.blank_lines", Severity::Information, message));
        }
        for finding in findings {
            if visit(Event::File(finding)).is_break() {
                return Flow::Break(());
            }
        }
        Flow::Continue(())
    }
}

/// The most lines of one delimited record after its first.
const LINES_IN_RECORD_MAX: usize = 200;

/// How far a delimited record goes.
struct Extent {
    /// Bytes from its beginning to the line end of its last line.
    length: usize,
    /// Its lines after the first.
    lines: Vec<Line>,
    /// The file ends with it, without a line end.
    ends_file: bool,
}

fn count_quotes(bytes: Option<&[u8]>) -> usize {
    memchr::memchr_iter(b'"', bytes.unwrap_or_default()).count()
}

fn bad(summary: &mut ReadSummary, visit: &mut Visit<'_>, line: u32, raw: &[u8], findings: Vec<Finding>) -> Flow {
    summary.count_bad();
    visit(Event::Bad { line, raw, findings })
}

fn give(
    summary: &mut ReadSummary,
    visit: &mut Visit<'_>,
    record: Checkpoint<'_>,
    raw: &[u8],
    checked: Checked,
) -> Flow {
    if !checked.is_good() {
        return bad(summary, visit, record.line, raw, checked.findings);
    }
    summary.records += 1;
    visit(Event::Good { record, raw, findings: checked.findings })
}

fn kind_of<'p, 'l>(plan: &'p Plan<'l>, text: &str, line: u32) -> Result<&'p RecordPlan<'l>, Finding> {
    let Format::Fixed { code: Some(span) } = plan.layout.format else {
        return plan
            .records
            .first()
            .ok_or_else(|| Finding::new(line, "record.unknown_kind", Severity::Error, "the layout has no record"));
    };
    let code: String = text.chars().skip(span.start).take(span.length).collect();
    plan.records.iter().find(|candidate| candidate.record.code.as_deref() == Some(code.as_str())).ok_or_else(|| {
        let known: Vec<&str> = plan.records.iter().filter_map(|record| record.record.code.as_deref()).collect();
        let message =
            format!("{} is no kind of record of this file; it has {}", crate::finding::quoted(&code), known.join(", "));
        Finding::new(line, "record.unknown_kind", Severity::Error, message).at_column(span.start as u32 + 1)
    })
}

/// A fixed record cut into its fields.
pub(super) struct Cut<'t> {
    pub cells: Vec<&'t str>,
    /// Positions had to be counted in bytes.
    by_bytes: bool,
}

pub(super) fn fixed_cells<'t>(
    record: &Record,
    text: &'t str,
    spare: Vec<&'static str>,
    end: End,
    line: u32,
) -> Result<Cut<'t>, Finding> {
    let length = if text.is_ascii() { text.len() } else { text.chars().count() };
    let by_bytes = length != record.length && text.len() == record.length;
    if length != record.length && !by_bytes {
        return Err(wrong_length(record, length, end, line));
    }
    let mut cells = used_again(spare);
    if text.len() == length || by_bytes {
        for field in &record.fields {
            let cell = text
                .get(field.span.start..field.span.start + field.span.length)
                .ok_or_else(|| wrong_length(record, length, end, line))?;
            cells.push(cell.trim_matches(' '));
        }
    } else {
        let starts: Vec<usize> = text.char_indices().map(|(start, _)| start).chain([text.len()]).collect();
        let at = |position: usize| starts.get(position).copied().unwrap_or(text.len());
        for field in &record.fields {
            let span = at(field.span.start)..at(field.span.start + field.span.length);
            cells.push(text.get(span).unwrap_or_default().trim_matches(' '));
        }
    }
    Ok(Cut { cells, by_bytes })
}

/// Empties a list of texts and keeps its memory for texts that live elsewhere.
fn used_again<'b>(mut list: Vec<&str>) -> Vec<&'b str> {
    list.clear();
    list.into_iter().map(|_| "").collect()
}

fn wrong_length(record: &Record, length: usize, end: End, line: u32) -> Finding {
    if end == End::EndOfFile && length < record.length {
        let message = format!(
            "the file ends in the middle of this record, after {length} of {} characters: it was cut off; send it again",
            record.length
        );
        return Finding::new(line, "file.truncated", Severity::Error, message);
    }
    let message = format!("the line has {length} characters where {} are expected", record.length);
    Finding::new(line, "record.length", Severity::Error, message)
}

fn columns_fit(columns: &Columns, cells: &Cells, text: &str, line: u32, extent: &Extent) -> Result<bool, Finding> {
    if cells.len() == columns.count {
        return Ok(false);
    }
    if cells.len() > columns.count
        && (columns.count..cells.len()).all(|cell| cells.get(text, cell).trim_matches(' ').is_empty())
    {
        return Ok(true);
    }
    if cells.len() < columns.count && extent.ends_file {
        let message = format!(
            "the file ends in the middle of this record, in column {} of {}: it was cut off; send it again",
            cells.len(),
            columns.count
        );
        return Err(Finding::new(line, "file.truncated", Severity::Error, message));
    }
    let message = format!(
        "the record has {} columns where {} are expected: a value is missing, or one holds a delimiter and is not quoted",
        cells.len(),
        columns.count
    );
    Err(Finding::new(line, "record.columns", Severity::Error, message))
}

fn no_text(line: u32, why: NotText) -> Finding {
    let message = match why {
        NotText::NotUtf8 => {
            "the record holds bytes that are no UTF-8, although others before it are; save the whole file as UTF-8"
        }
        NotText::Mixed => {
            "the record is written in UTF-8, although others before it are written in Windows-1252; save the whole file as UTF-8"
        }
    };
    Finding::new(line, "encoding.mixed", Severity::Error, message)
}

fn windows_1252(line: u32) -> Finding {
    let message = format!(
        "line {line} holds bytes that are no UTF-8: the file is read as Windows-1252. Check accented letters, and send UTF-8 if you can"
    );
    Finding::new(0, "encoding.windows_1252", Severity::Warning, message)
}

fn byte_positions(line: u32) -> Finding {
    let message = format!(
        "line {line} has the right length only if its positions are counted in bytes; accented letters take two. It is read so"
    );
    Finding::new(0, "record.byte_positions", Severity::Warning, message)
}

fn extra_columns(line: u32) -> Finding {
    let message = format!(
        "line {line} ends with delimiters too many; nothing stands between them, so they are passed over, here and further on"
    );
    Finding::new(0, "record.extra_columns", Severity::Information, message)
}

fn unclosed(line: u32) -> Finding {
    let message =
        "a quote is opened in this line and not closed in it, and what follows does not read as its continuation";
    Finding::new(line, "quote.unclosed", Severity::Error, message)
}

fn broken_quote(line: u32, broken: Broken) -> Finding {
    match broken {
        Broken::Unclosed(column) => unclosed(line).at_column(column),
        Broken::AfterQuote(column) => {
            let message = "text follows the closing quote; a quote inside a value is written twice";
            Finding::new(line, "quote.misplaced", Severity::Error, message).at_column(column)
        }
    }
}
