//! The loop under reading, checking and converting: record after record, each good or bad, in bounded memory.

mod delimited;
mod fixed;

use std::{io::BufRead, ops::ControlFlow};

#[cfg(test)]
pub(super) use fixed::cut;
use reference::tables::Tables;

use super::{
    ReadSummary, Sender,
    buffer::{Buffer, End, Line, Next, RECORD_BYTES_MAX},
    checks::{Checked, Notes},
    delimited::Cells,
    drift,
    encoding::{Beginning, Decoder, beginning},
    facts::Checkpoint,
    header::{self, Columns},
    origin::Origin,
    plan::{Plan, RecordPlan},
    repeats::Repeats,
    said,
};
use crate::{
    Error, Finding, Layout, RecordType, Severity,
    layout::{Format, LineEnd, Record},
};

/// What the loop tells.
pub(crate) enum Event<'a> {
    /// A record that can be loaded; the findings are warnings.
    Good { record: Checkpoint<'a>, raw: &'a [u8], findings: Vec<Finding> },
    /// A record that cannot.
    Bad { line: u32, record_type: RecordType, raw: &'a [u8], findings: Vec<Finding> },
    /// Something about the file.
    File(Finding),
}

type Visit<'v> = dyn FnMut(Event<'_>) -> ControlFlow<()> + 'v;

/// Breaking off, or going on.
type Flow = ControlFlow<()>;

/// Reads a file from its beginning.
pub(crate) fn run(
    reader: &mut dyn BufRead,
    layout: &Layout,
    tables: &Tables,
    visit: &mut Visit<'_>,
) -> Result<ReadSummary, Error> {
    run_from(reader, layout, tables, Sender::default(), visit)
}

/// Reads a file that somebody in particular is to have sent.
pub(crate) fn run_from(
    reader: &mut dyn BufRead,
    layout: &Layout,
    tables: &Tables,
    sender: Sender<'_>,
    visit: &mut Visit<'_>,
) -> Result<ReadSummary, Error> {
    let mut engine = Engine {
        plan: Plan::new(layout, tables)?,
        buffer: Buffer::new(reader),
        decoder: Decoder::new(),
        cells: Cells::default(),
        spare: Vec::new(),
        columns: None,
        header: HeaderLine::default(),
        about: About { repeats: Repeats::default(), origin: Origin::new(sender) },
        line: 0,
        other_line_ends: 0,
        already: Already::default(),
        notes: Notes::default(),
        summary: ReadSummary::default(),
    };
    // Breaking off is the visitor's wish, not a failure.
    let _ended = engine.read(visit)?;
    engine.summary.bytes = engine.buffer.taken();
    engine.summary.lines = u64::from(engine.line);
    Ok(engine.summary)
}

struct Engine<'r, 'l, 's> {
    plan: Plan<'l>,
    buffer: Buffer<'r>,
    decoder: Decoder,
    cells: Cells,
    /// The memory of the last record's cells, to be used again.
    spare: Vec<&'static str>,
    columns: Option<Columns>,
    header: HeaderLine,
    about: About<'s>,
    /// Lines taken so far.
    line: u32,
    other_line_ends: u64,
    already: Already,
    notes: Notes,
    summary: ReadSummary,
}

/// What is said once a file, and has been.
#[derive(Default)]
struct Already {
    byte_positions: bool,
    extra_columns: bool,
}

/// The header of a file, if it has one, as it stands in it.
#[derive(Default)]
struct HeaderLine {
    bytes: Vec<u8>,
    names: Vec<String>,
}

impl HeaderLine {
    /// Whether a record begins as the header could, with its columns in another order.
    fn is_begun_by(&self, cell: &str) -> bool {
        !cell.is_empty() && self.names.iter().any(|name| name == cell)
    }
}

/// What the records of a file are about, seen together.
struct About<'s> {
    repeats: Repeats,
    origin: Origin<'s>,
}

impl About<'_> {
    /// Looks at a record that is good by itself.
    fn look(&mut self, plan: &RecordPlan<'_>, cells: &[&str], line: u32, checked: &mut Checked) {
        if checked.is_good() {
            checked.findings.extend(self.origin.look(plan, cells, line));
        }
        if checked.is_good() {
            checked.findings.extend(self.repeats.look(plan, cells, line));
        }
    }
}

/// Whether something is to be said: the first time only.
const fn first_time(already: &mut bool) -> bool {
    !std::mem::replace(already, true)
}

impl Engine<'_, '_, '_> {
    fn read(&mut self, visit: &mut Visit<'_>) -> Result<Flow, Error> {
        self.buffer.fill(RECORD_BYTES_MAX)?;
        if let Some(finding) = self.begin()? {
            return Ok(self.tell(finding, visit));
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
            if flow.is_break() || self.tell_notes(visit).is_break() {
                return Ok(Flow::Break(()));
            }
        }
        Ok(self.end(visit))
    }

    fn tell(&mut self, finding: Finding, visit: &mut Visit<'_>) -> Flow {
        self.summary.refused |= finding.severity == Severity::Fatal;
        visit(Event::File(finding))
    }

    fn tell_notes(&mut self, visit: &mut Visit<'_>) -> Flow {
        for note in std::mem::take(&mut self.notes.pending) {
            self.tell(note, visit)?;
        }
        match self.about.origin.verdict(false) {
            Some(finding) => {
                self.tell(finding, visit)?;
                Flow::Break(())
            }
            None => Flow::Continue(()),
        }
    }

    /// What the first bytes say: encoding, emptiness, lengths. A finding ends the reading.
    fn begin(&mut self) -> Result<Option<Finding>, Error> {
        match beginning(self.buffer.filled()) {
            Beginning::Text(mark) => self.buffer.take(mark),
            Beginning::Wide => return Ok(Some(said::not_utf8())),
            Beginning::Mainframe => return Ok(Some(said::mainframe())),
        }
        if self.buffer.line_at(0)? == Next::End {
            return Ok(Some(said::empty()));
        }
        if drift::ends_lines_with_returns(self.buffer.filled()) {
            return Ok(Some(said::returns_alone()));
        }
        Ok(drift::misfit(self.plan.layout, self.buffer.filled()))
    }

    /// Reads the header of a file that has one. `Some` ends the reading.
    fn read_header(&mut self, visit: &mut Visit<'_>) -> Result<Option<Flow>, Error> {
        let layout = self.plan.layout;
        let (Format::Delimited { delimiter, header, .. }, Some(record)) = (&layout.format, layout.records.first())
        else {
            return Ok(None);
        };
        let Next::Line(line) = self.buffer.line_at(0)? else {
            if !header {
                self.columns = Some(Columns::in_order(record));
                return Ok(None);
            }
            return Ok(Some(self.tell(said::no_header("the first line is too long to be a header"), visit)));
        };
        let bytes = self.buffer.filled().get(..line.length).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes).into_owned();
        if !header {
            self.columns = Some(Columns::in_order(record));
            return Ok(self.pass_header(&text, line, *delimiter, record, visit));
        }
        let (columns, findings) = match self.cells.split(&text, *delimiter) {
            Ok(()) => header::place(layout, record, &text, &self.cells),
            Err(_) => (None, vec![said::no_header("the header has a quote that is not closed")]),
        };
        self.header = HeaderLine {
            bytes: bytes.to_vec(),
            names: (0..self.cells.len()).map(|cell| self.cells.get(&text, cell).to_owned()).collect(),
        };
        self.advance(line);
        for finding in findings {
            if self.tell(finding, visit).is_break() {
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
        self.advance(line);
        let flow = self.tell(said::unexpected_header(), visit);
        flow.is_break().then_some(flow)
    }

    fn is_blank(&self, line: Line) -> bool {
        let bytes = self.buffer.filled().get(..line.length).unwrap_or_default();
        // Some systems end a file with the old end-of-file character.
        bytes.iter().all(|byte| *byte == b' ') || (bytes == [0x1a] && line.end == End::File)
    }

    fn advance(&mut self, line: Line) {
        self.line += 1;
        let expected = match line.end {
            End::File => true,
            End::CrLf => self.plan.layout.line_end == LineEnd::CrLf,
            End::LineFeed => self.plan.layout.line_end == LineEnd::Lf,
        };
        self.other_line_ends += u64::from(!expected);
        self.buffer.take(line.consumed);
    }

    fn too_long(&mut self, visit: &mut Visit<'_>) -> Result<Flow, Error> {
        self.line += 1;
        let raw = self.buffer.filled().get(..RECORD_BYTES_MAX).unwrap_or_default();
        let of = (self.line, unread_type(&self.plan, raw));
        let flow = bad(&mut self.summary, visit, of, raw, vec![said::too_long(self.line)]);
        self.buffer.skip_line()?;
        Ok(flow)
    }

    /// What can only be said at the end.
    fn end(&mut self, visit: &mut Visit<'_>) -> Flow {
        if self.other_line_ends > 0 {
            self.tell(said::other_line_ends(self.other_line_ends, self.plan.layout.line_end), visit)?;
        }
        if self.summary.blank_lines > 0 {
            self.tell(said::blank_lines(self.summary.blank_lines), visit)?;
        }
        for finding in self.notes.new_codes() {
            self.tell(finding, visit)?;
        }
        if let Some(finding) = self.about.origin.verdict(true) {
            self.tell(finding, visit)?;
        }
        Flow::Continue(())
    }
}

fn bad(
    summary: &mut ReadSummary,
    visit: &mut Visit<'_>,
    (line, record_type): (u32, RecordType),
    raw: &[u8],
    findings: Vec<Finding>,
) -> Flow {
    summary.count_bad();
    visit(Event::Bad { line, record_type, raw, findings })
}

/// The type of a record that could not be cut, as far as its first bytes say it.
fn unread_type(plan: &Plan<'_>, raw: &[u8]) -> RecordType {
    let begun = raw.get(..TYPE_BYTES_MAX).unwrap_or(raw);
    plan.type_of(&String::from_utf8_lossy(begun))
}

/// Bytes at the beginning of a record in which it says its type.
const TYPE_BYTES_MAX: usize = 256;

fn give(
    summary: &mut ReadSummary,
    visit: &mut Visit<'_>,
    record: Checkpoint<'_>,
    raw: &[u8],
    checked: Checked,
) -> Flow {
    if !checked.is_good() {
        let of = (record.line, record.plan.type_of(record.cells));
        return bad(summary, visit, of, raw, checked.findings);
    }
    summary.rows_in += 1;
    visit(Event::Good { record, raw, findings: checked.findings })
}

/// Empties a list of texts and keeps its memory for texts that live elsewhere.
fn used_again<'b>(mut list: Vec<&str>) -> Vec<&'b str> {
    list.clear();
    list.into_iter().map(|_| "").collect()
}
