//! One record of a delimited file: a line, or several while a quote is open.

use super::{Engine, Event, Flow, Visit, bad, first_time, give, unread_type, used_again};
use crate::{
    Error, Finding,
    read::{
        buffer::{End, Line, Next},
        checks::check,
        delimited::Cells,
        drift,
        facts::Checkpoint,
        header::{self, Columns},
        said, value,
    },
};

/// The most lines of one record after its first.
const LINES_IN_RECORD_MAX: usize = 200;

/// How far a record goes.
struct Extent {
    /// Bytes from its beginning to the line end of its last line.
    length: usize,
    /// Bytes of its first line, with its end.
    consumed: usize,
    /// Its lines after the first.
    lines: Vec<Line>,
    /// The file ends with it, without a line end.
    ends_file: bool,
}

impl Extent {
    fn of(line: Line) -> Self {
        Self { length: line.length, consumed: line.consumed, lines: Vec::new(), ends_file: line.end == End::File }
    }

    /// How much of a bad record of several lines is to be passed over: all, unless one of its lines has the delimiters of a record of its own
    /// and was swallowed by a quote that nobody closed.
    fn taken_when_bad(&self, bytes: &[u8], delimiter: u8, columns: usize) -> Taken {
        let mut at = self.consumed;
        for line in &self.lines {
            let own = bytes.get(at..at + line.length).unwrap_or_default();
            if memchr::memchr_iter(delimiter, own).count() + 1 >= columns {
                return Taken::FirstLine;
            }
            at += line.consumed;
        }
        Taken::All
    }
}

impl Engine<'_, '_, '_> {
    pub(super) fn delimited(&mut self, first: Line, delimiter: u8, visit: &mut Visit<'_>) -> Result<Flow, Error> {
        let begun = self.buffer.filled().get(..first.length).unwrap_or_default();
        if !self.header.bytes.is_empty() && begun == self.header.bytes {
            self.advance(first);
            return Ok(self.tell(said::header_again(self.line), visit));
        }
        let extent = self.extent(first, delimiter)?;
        let (flow, taken) = self.delimited_record(first, &extent, delimiter, visit);
        self.advance(first);
        if taken == Taken::All {
            for line in extent.lines {
                self.advance(line);
            }
        }
        Ok(flow)
    }

    fn delimited_record(
        &mut self,
        first: Line,
        extent: &Extent,
        delimiter: u8,
        visit: &mut Visit<'_>,
    ) -> (Flow, Taken) {
        let number = self.line + 1;
        let Self { buffer, decoder, plan, cells, columns, spare, notes, summary, already, about, header, .. } = self;
        let (Some(columns), Some(record_plan)) = (columns.as_ref(), plan.records.first()) else {
            return (Flow::Break(()), Taken::All);
        };
        let whole = buffer.filled().get(..extent.length).unwrap_or_default();
        let first_line = buffer.filled().get(..first.length).unwrap_or_default();
        let decoded = match decoder.decode(whole) {
            Ok(decoded) => decoded,
            Err(why) => {
                let taken = extent.taken_when_bad(buffer.filled(), delimiter, columns.count);
                let of = (number, unread_type(plan, first_line));
                let flow = bad(summary, visit, of, first_line, vec![said::no_text(number, why)]);
                return (flow, taken);
            }
        };
        if decoded.turned && visit(Event::File(said::windows_1252(number))).is_break() {
            return (Flow::Break(()), Taken::All);
        }
        let cut = cells
            .split(decoded.text, delimiter)
            .map_err(|broken| (said::broken_quote(number, broken), Taken::FirstLine))
            .and_then(|()| {
                fit(columns, cells, decoded.text, number, extent)
                    .map_err(|finding| (finding, extent.taken_when_bad(buffer.filled(), delimiter, columns.count)))
            });
        let fitting = match cut {
            Ok(fitting) => fitting,
            Err((finding, taken)) => {
                // A quote that swallowed lines is the fault of the line that opened it; the next ones may be good.
                let has_swallowed = taken == Taken::FirstLine && !extent.lines.is_empty();
                let finding = if has_swallowed { said::unclosed_quote(number) } else { finding };
                let raw = if taken == Taken::All { whole } else { first_line };
                return (bad(summary, visit, (number, unread_type(plan, raw)), raw, vec![finding]), taken);
            }
        };
        if fitting == Fitting::BlankColumnsMore
            && first_time(&mut already.extra_columns)
            && visit(Event::File(said::extra_columns(number))).is_break()
        {
            return (Flow::Break(()), Taken::All);
        }
        if header.is_begun_by(cells.get(decoded.text, 0)) && header::is_another(record_plan.record, decoded.text, cells)
        {
            summary.refused = true;
            let _heard = visit(Event::File(said::other_header(number)));
            return (Flow::Break(()), Taken::All);
        }
        let mut values = used_again(std::mem::take(spare));
        let text_of = |column: &Option<usize>| column.map_or("", |column| cells.get(decoded.text, column));
        values.extend(columns.of_field.iter().map(|column| value::trimmed(text_of(column))));
        let mut checked = check(record_plan, &values, number, notes);
        if !checked.is_good() {
            let text = decoded.text;
            drift::explain_shift(record_plan, &mut checked, number, drift::Unit::Columns, &|shift| {
                drift::moved_cells(&columns.of_field, text, cells, shift)
            });
        }
        about.look(record_plan, &values, number, &mut checked);
        let record =
            Checkpoint { plan: record_plan, tables: plan.tables, cells: &values, year: checked.year, line: number };
        let flow = give(summary, visit, record, whole, checked);
        *spare = used_again(values);
        (flow, Taken::All)
    }

    /// How far the record goes that begins with a line: further lines while a quote is open.
    fn extent(&mut self, first: Line, delimiter: u8) -> Result<Extent, Error> {
        let mut extent = Extent::of(first);
        let begun = self.buffer.filled().get(..first.length).unwrap_or_default();
        let mut quotes = count_quotes(begun);
        // A quote in the middle of a cell stands for itself: a line that can be cut alone is a record alone.
        if quotes.is_multiple_of(2) || self.cells.split(&String::from_utf8_lossy(begun), delimiter).is_ok() {
            return Ok(extent);
        }
        let mut consumed = first.consumed;
        while !quotes.is_multiple_of(2) && extent.lines.len() < LINES_IN_RECORD_MAX {
            let Next::Line(line) = self.buffer.line_at(consumed)? else {
                // No end in sight: the first line stands alone.
                return Ok(Extent::of(first));
            };
            quotes += count_quotes(self.buffer.filled().get(consumed..consumed + line.length).unwrap_or_default());
            extent.length = consumed + line.length;
            extent.ends_file = line.end == End::File;
            extent.lines.push(line);
            consumed += line.consumed;
        }
        Ok(extent)
    }
}

/// How much of an extent proved to be one record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    All,
    FirstLine,
}

fn count_quotes(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'"', bytes).count()
}

/// How a record's columns fit those of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fitting {
    Exactly,
    BlankColumnsMore,
}

fn fit(columns: &Columns, cells: &Cells, text: &str, line: u32, extent: &Extent) -> Result<Fitting, Finding> {
    let (found, wanted) = (cells.len(), columns.count);
    if found == wanted {
        return Ok(Fitting::Exactly);
    }
    if found > wanted && (wanted..found).all(|cell| value::trimmed(cells.get(text, cell)).is_empty()) {
        return Ok(Fitting::BlankColumnsMore);
    }
    if found < wanted && extent.ends_file {
        return Err(said::cut_off(found, wanted, line));
    }
    Err(said::wrong_columns(found, wanted, line))
}
