//! Drift: a file that is not what its layout says, recognised by its first lines before anything of it is taken in.

use std::fmt::Write as _;

use super::{
    checks::{Checked, Notes, check},
    delimited::Cells,
    header::{names_all, names_known, simplified},
    plan::RecordPlan,
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
    let mut cells = Cells::default();
    let mut size = |line: &str| match layout.format {
        Format::Fixed { .. } => line.chars().count(),
        Format::Delimited { delimiter, .. } => cells.split(line, delimiter).map_or(wanted, |()| cells.len()),
    };
    let mut lines = complete_lines(sample).map(String::from_utf8_lossy);
    let first_line = lines.next()?;
    let first = size(&first_line);
    let (mut count, mut same) = (1, true);
    if first == wanted {
        return None;
    }
    for line in lines {
        let found = size(&line);
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

/// A file of several kinds of record: none of its first lines is of any of them, and another layout fits.
fn misfit_of_several(layout: &Layout, sample: &[u8]) -> Option<Finding> {
    let Format::Fixed { code: Some(span) } = layout.format else {
        return None;
    };
    let is_known = |line: &str| {
        let code: String = line.chars().skip(span.start).take(span.length).collect();
        layout.find_record(&code).is_some()
    };
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

/// Whether a bad fixed record becomes good when the fields from its first bad one on are read some positions to the right or left.
pub(crate) fn shifted(plan: &RecordPlan<'_>, text: &str, checked: &Checked, line: u32) -> Option<Finding> {
    let bad: Vec<u32> = checked.wrong_fields().filter_map(|finding| finding.column).collect();
    let first = *bad.iter().min()?;
    if bad.len() < 2 || !text.is_ascii() {
        return None;
    }
    for by in (1..=SHIFT_MAX).flat_map(|by| [by as isize, -(by as isize)]) {
        let moved = moved_cells(plan.record, text, first, by);
        let again = check(plan, &moved, line, &mut Notes::default());
        let left = again.findings.iter().filter(|finding| {
            finding.severity >= Severity::Error
                && finding.column.is_some_and(|column| column >= first)
                && !is_last(plan, finding)
        });
        if left.count() == 0 {
            let mut message = String::new();
            let side = if by > 0 { "right" } else { "left" };
            // Cannot fail: writing to a String.
            let _written = write!(
                message,
                "from about position {first} on, everything stands {} to the {side} of where it belongs: a value before it is too {}",
                positions(by.unsigned_abs()),
                if by > 0 { "long" } else { "short" }
            );
            return Some(Finding::new(line, "record.shifted", Severity::Error, message).at_column(first));
        }
    }
    None
}

fn positions(count: usize) -> String {
    if count == 1 { "one position".to_owned() } else { format!("{count} positions") }
}

fn is_last(plan: &RecordPlan<'_>, finding: &Finding) -> bool {
    plan.columns.last().copied() == finding.column
}

fn moved_cells<'t>(record: &Record, text: &'t str, first: u32, by: isize) -> Vec<&'t str> {
    record
        .fields
        .iter()
        .map(|field| {
            let shift = if field.span.start + 1 >= first as usize { by } else { 0 };
            let start = field.span.start.saturating_add_signed(shift).min(text.len());
            let end = (start + field.span.length).min(text.len());
            text.get(start..end).unwrap_or_default().trim_matches(' ')
        })
        .collect()
}
