//! Drift: a file that is not what its layout says, recognised by its first lines before anything of it is taken in.

use super::{
    checks::{Checked, Notes, check},
    delimited::Cells,
    header::{names_all, names_known, simplified},
    plan::RecordPlan,
    said,
};
use crate::{
    Finding, Layout, Severity,
    layout::{FieldKind, Format, Record},
    layouts,
};

/// How far a shifted record is looked for.
const SHIFT_MAX: usize = 3;

/// The layouts that a file beginning with this line could be of, the likeliest first: by the names of a header, by the length of a
/// fixed record, by the number of columns.
pub(crate) fn candidates(first_line: &str) -> Vec<&'static Layout> {
    let mut by_header: Vec<(usize, &Layout)> = Vec::new();
    let mut others = Vec::new();
    let length = first_line.chars().count();
    for layout in layouts::all() {
        let Some(record) = layout.records.first() else {
            continue;
        };
        match layout.format {
            Format::Fixed { code: None } if record.length == length => others.push(layout),
            Format::Fixed { code: Some(_) }
                if layout.records.iter().any(|record| is_record_of(layout, record, first_line)) =>
            {
                others.push(layout);
            }
            Format::Fixed { .. } => {}
            Format::Delimited { delimiter, header, .. } => {
                let mut cells = Cells::default();
                if cells.split(first_line, delimiter).is_err() {
                    continue;
                }
                let names: Vec<&str> =
                    (0..cells.len()).map(|cell| cells.get(first_line, cell).trim_matches(' ')).collect();
                if header && names_all(record, &names) {
                    by_header.push((names_known(record, &names), layout));
                } else if !header && cells.len() == record.fields.len() {
                    others.push(layout);
                }
            }
        }
    }
    by_header.sort_by_key(|(known, _)| std::cmp::Reverse(*known));
    if by_header.is_empty() {
        return others;
    }
    by_header.into_iter().map(|(_, layout)| layout).collect()
}

fn is_record_of(layout: &Layout, record: &Record, line: &str) -> bool {
    let Format::Fixed { code: Some(span) } = layout.format else {
        return false;
    };
    let code: String = line.chars().skip(span.start).take(span.length).collect();
    record.code.as_deref() == Some(code.as_str()) && record.length == line.chars().count()
}

/// The likely layouts of a file, but for the one it should be of, in words; `None` if there is none.
pub(crate) fn other_layouts(first_line: &str, except: &Layout) -> Option<String> {
    let ids: Vec<&str> = candidates(first_line)
        .into_iter()
        .filter(|layout| layout.id != except.id)
        .map(|layout| layout.id.as_str())
        .collect();
    (!ids.is_empty()).then(|| ids.join(" or "))
}

/// Looks at the first lines of a file without header: none of them fits its layout, or another layout fits them better.
pub(crate) fn misfit(layout: &Layout, sample: &[u8]) -> Option<Finding> {
    let [record] = layout.records.as_slice() else {
        return misfit_of_several(layout, sample);
    };
    let (wanted, unit) = match layout.format {
        Format::Fixed { .. } => (record.length, "characters"),
        Format::Delimited { header: false, .. } => (record.fields.len(), "columns"),
        Format::Delimited { .. } => return None,
    };
    if let Some(finding) = other_delimiter(layout, complete_lines(sample).next().unwrap_or_default()) {
        return Some(finding);
    }
    let mut cells = Cells::default();
    // A line that cannot be cut alone, because a quote goes on in the next one, says nothing.
    let mut size = |line: &str| match layout.format {
        Format::Fixed { .. } => Some(line.chars().count()),
        Format::Delimited { delimiter, .. } => cells.split(line, delimiter).ok().map(|()| cells.len()),
    };
    let mut lines = complete_lines(sample).map(String::from_utf8_lossy);
    let first_line = lines.next()?;
    let first = size(&first_line)?;
    let (mut count, mut same) = (1, true);
    if first == wanted {
        return None;
    }
    for found in lines.filter_map(|line| size(&line)) {
        if found == wanted {
            return None;
        }
        count += 1;
        same &= found == first;
    }
    if let Some(other) = other_layouts(&first_line, layout) {
        let message =
            format!("the first line has {first} {unit} where {} has {wanted}: this is a file of {other}", layout.id);
        return Some(Finding::new(1, "file.wrong_layout", Severity::Fatal, message));
    }
    if count < LINES_TO_JUDGE {
        return None;
    }
    if !same {
        let message = format!("none of the first {count} lines has {wanted} {unit}: this is no file of {}", layout.id);
        return Some(Finding::new(1, "file.wrong_layout", Severity::Fatal, message));
    }
    let marker = match record.fields.last().map(|field| &field.kind) {
        Some(FieldKind::Constant(marker)) => marker.len(),
        _ => 0,
    };
    let how = if first > wanted {
        "a column has been added or widened"
    } else if marker > 0 && first + marker == wanted {
        "the end of record marker is missing, or a column has been narrowed"
    } else {
        "a column has been dropped or narrowed, or blanks at the end were cut off"
    };
    let message = format!("all lines have {first} {unit} where {wanted} are expected: {how}");
    Some(Finding::new(1, "file.record_length", Severity::Fatal, message))
}

/// Says so when the first line of a delimited file is one of its layout, but for what stands between the values.
pub(super) fn other_delimiter(layout: &Layout, first_line: &[u8]) -> Option<Finding> {
    let (Format::Delimited { delimiter, header, .. }, Some(record)) = (&layout.format, layout.records.first()) else {
        return None;
    };
    let line = String::from_utf8_lossy(first_line);
    let mut cells = Cells::default();
    let mut fits = |by: u8| {
        if cells.split(&line, by).is_err() {
            return false;
        }
        if !header {
            return cells.len() == record.fields.len();
        }
        let names: Vec<&str> = (0..cells.len()).map(|cell| cells.get(&line, cell).trim_matches(' ')).collect();
        names_all(record, &names)
    };
    let found = *b";\t|,".iter().find(|by| **by != *delimiter && fits(**by))?;
    Some(said::other_delimiter(found, *delimiter))
}

/// A file of several kinds of record: none of its first lines is of any of them, and another layout fits.
fn misfit_of_several(layout: &Layout, sample: &[u8]) -> Option<Finding> {
    let is_known = |line: &str| layout.records.iter().any(|record| is_record_of(layout, record, line));
    let mut lines = complete_lines(sample).map(String::from_utf8_lossy);
    let first = lines.next()?;
    if is_known(&first) || lines.any(|line| is_known(&line)) {
        return None;
    }
    let other = other_layouts(&first, layout)?;
    let message = format!("none of the first lines is a record of {}: this is a file of {other}", layout.id);
    Some(Finding::new(1, "file.wrong_layout", Severity::Fatal, message))
}

/// Whether the first line of a file that should have no header is one all the same.
pub(crate) fn is_header(record: &Record, cells: &[&str]) -> bool {
    let alike = record.fields.iter().zip(cells).filter(|(field, cell)| {
        let cell = simplified(cell);
        !cell.is_empty() && (cell == simplified(&field.title) || cell == simplified(&field.name))
    });
    alike.count() * 3 > record.fields.len()
}

/// Lines that must agree before a file as a whole is judged by them.
const LINES_TO_JUDGE: usize = 5;

/// The lines of a sample that end in it, without their line ends and without blank ones.
fn complete_lines(sample: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = memchr::memrchr(b'\n', sample).unwrap_or_default();
    sample
        .get(..end)
        .unwrap_or_default()
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| line.iter().any(|byte| *byte != b' '))
}

/// Whether the lines of a sample end with a carriage return alone.
pub(crate) fn ends_lines_with_returns(sample: &[u8]) -> bool {
    memchr::memchr(b'\n', sample).is_none() && memchr::memchr_iter(b'\r', sample).take(2).count() == 2
}

/// What a record is cut by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Positions,
    Columns,
}

/// How the cells of a record are read where something has shifted them.
#[derive(Clone, Copy)]
pub(super) struct Shift {
    /// The first place (from 1) that has moved.
    first: u32,
    /// How many places further on it stands.
    by: isize,
    /// The end marker stands where it belongs: it has not moved, and is part of nothing else.
    is_marked: bool,
}

/// Gives the cells of a record as they are read through a shift.
type Moved<'m, 't> = dyn Fn(Shift) -> Vec<&'t str> + 'm;

/// Where a bad record becomes good when its fields from the first odd one on are read some places to the right or left, says that one thing
/// instead of what follows from it.
pub(super) fn explain_shift(
    plan: &RecordPlan<'_>,
    checked: &mut Checked,
    line: u32,
    unit: Unit,
    moved: &Moved<'_, '_>,
) {
    let odd: Vec<u32> = checked.of_fields().filter_map(|finding| finding.column).collect();
    let Some(first) = odd.iter().copied().min().filter(|_| odd.len() > 1) else { return };
    let most = if unit == Unit::Positions { SHIFT_MAX } else { 1 };
    let last = plan.columns.iter().max().copied();
    let has_marker = matches!(plan.record.fields.last().map(|field| &field.kind), Some(FieldKind::Constant(_)));
    let is_marked = has_marker && last.is_some_and(|last| !odd.contains(&last));
    for by in (1..=most).flat_map(|by| [by as isize, -(by as isize)]) {
        let again = check(plan, &moved(Shift { first, by, is_marked }), line, &mut Notes::default());
        // What stood at the far end has been pushed out, and what was cut short or left out has its value nowhere.
        let is_gone = |column: u32| {
            last == Some(column)
                || (by < 0 && column == first)
                || (is_marked && by > 0 && is_before_marker(plan, column, by.unsigned_abs(), unit))
        };
        let is_left = |finding: &&Finding| finding.column.is_some_and(|column| column >= first && !is_gone(column));
        if !again.of_fields().filter(is_left).any(|finding| finding.severity >= Severity::Error) {
            // Nothing was odd before that place, and what is odd after it follows from the shift.
            checked.findings = vec![shifted(first, by, unit, line)];
            return;
        }
    }
}

/// Whether what stood in a field has been pushed out, in part at least, by an end marker that did not give way.
fn is_before_marker(plan: &RecordPlan<'_>, column: u32, by: usize, unit: Unit) -> bool {
    let Some(marker) = plan.record.fields.last() else { return false };
    match (plan.columns.iter().position(|own| *own == column), unit) {
        (Some(place), Unit::Positions) => plan
            .record
            .fields
            .get(place)
            .is_some_and(|field| field.span.start + field.span.length + by > marker.span.start),
        (Some(place), Unit::Columns) => place + 1 + by >= plan.record.fields.len(),
        (None, _) => false,
    }
}

fn shifted(first: u32, by: isize, unit: Unit, line: u32) -> Finding {
    let side = if by > 0 { "right" } else { "left" };
    let (place, one, many) = match unit {
        Unit::Positions => ("position", "one position".to_owned(), "positions"),
        Unit::Columns => ("column", "one column".to_owned(), "columns"),
    };
    let count = if by.unsigned_abs() == 1 { one } else { format!("{} {many}", by.unsigned_abs()) };
    let cause = match (unit, by > 0) {
        (Unit::Positions, true) => "a value before it is too long",
        (Unit::Positions, false) => "a value before it is too short",
        (Unit::Columns, true) => "a value before it is one too many, or holds a delimiter and is not quoted",
        (Unit::Columns, false) => "a value before it was left out",
    };
    let message =
        format!("from about {place} {first} on, everything stands {count} to the {side} of where it belongs: {cause}");
    Finding::new(line, "record.shifted", Severity::Error, message).at_column(first)
}

/// The fields of a fixed record, read through a shift.
pub(super) fn moved_text<'t>(record: &Record, text: &'t str, shift: Shift) -> Vec<&'t str> {
    let starts: Vec<usize> = text.char_indices().map(|(start, _)| start).collect();
    let at = |position: usize| starts.get(position).copied().unwrap_or(text.len());
    let end = record.fields.last().map(|marker| marker.span.start).filter(|_| shift.is_marked).unwrap_or(usize::MAX);
    record
        .fields
        .iter()
        .map(|field| {
            let (start, length) = (field.span.start, field.span.length);
            let cut = if start >= end {
                at(start)..at(start + length)
            } else {
                let by = if start + 1 >= shift.first as usize { shift.by } else { 0 };
                let start = start.saturating_add_signed(by);
                at(start.min(end))..at((start + length).min(end))
            };
            text.get(cut).unwrap_or_default().trim_matches(' ')
        })
        .collect()
}

/// The fields of a delimited record, read through a shift.
pub(super) fn moved_cells<'t>(
    of_field: &[Option<usize>],
    text: &'t str,
    cells: &'t Cells,
    shift: Shift,
) -> Vec<&'t str> {
    let marker = of_field.last().copied().flatten().filter(|_| shift.is_marked);
    let text_of = |column: usize| {
        let has_moved = column + 1 >= shift.first as usize && marker != Some(column);
        let from = if has_moved { column.saturating_add_signed(shift.by) } else { column };
        if has_moved && marker == Some(from) { "" } else { cells.get(text, from).trim_matches(' ') }
    };
    of_field.iter().map(|column| column.map_or("", text_of)).collect()
}
