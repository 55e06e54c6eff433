//! One record of a fixed file.

use super::{Engine, Event, Flow, Visit, bad, first_time, give, unread_type, used_again};
use crate::{
    Finding, Severity,
    finding::quoted,
    layout::{Format, Record},
    read::{
        buffer::{End, Line},
        checks::check,
        drift,
        facts::Checkpoint,
        plan::{Plan, RecordPlan},
        said, value,
    },
};

impl Engine<'_, '_, '_> {
    pub(super) fn fixed(&mut self, line: Line, visit: &mut Visit<'_>) -> Flow {
        let flow = self.fixed_record(line, visit);
        self.advance(line);
        flow
    }

    fn fixed_record(&mut self, line: Line, visit: &mut Visit<'_>) -> Flow {
        let number = self.line + 1;
        let Self { buffer, decoder, plan, spare, notes, summary, already, about, .. } = self;
        let raw = buffer.filled().get(..line.length).unwrap_or_default();
        let decoded = match decoder.decode(raw) {
            Ok(decoded) => decoded,
            Err(why) => {
                let of = (number, unread_type(plan, raw));
                return bad(summary, visit, of, raw, vec![said::no_text(number, why)]);
            }
        };
        if decoded.turned {
            visit(Event::File(said::windows_1252(number)))?;
        }
        let cut = kind_of(plan, decoded.text, line.end, number).and_then(|record_plan| {
            cut(record_plan.record, decoded.text, std::mem::take(spare), line.end, number).map(|cut| (record_plan, cut))
        });
        let (record_plan, Cut { cells, by_bytes }) = match cut {
            Ok(cut) => cut,
            Err(finding) => return bad(summary, visit, (number, unread_type(plan, raw)), raw, vec![finding]),
        };
        let mut checked = check(record_plan, &cells, number, notes);
        if by_bytes && !checked.is_good() {
            // The length fitted in bytes by chance: the record is too short.
            let finding = said::wrong_length(record_plan.record, decoded.text.chars().count(), line.end, number);
            let of = (number, record_plan.type_of(&cells));
            *spare = used_again(cells);
            return bad(summary, visit, of, raw, vec![finding]);
        }
        if by_bytes && first_time(&mut already.byte_positions) {
            visit(Event::File(said::byte_positions(number)))?;
        }
        if !checked.is_good() {
            let text = decoded.text;
            drift::explain_shift(record_plan, &mut checked, number, drift::Unit::Positions, &|shift| {
                drift::moved_text(record_plan.record, text, shift)
            });
        }
        about.look(record_plan, &cells, number, &mut checked);
        let record =
            Checkpoint { plan: record_plan, tables: plan.tables, cells: &cells, year: checked.year, line: number };
        let flow = give(summary, visit, record, raw, checked);
        *spare = used_again(cells);
        flow
    }
}

fn kind_of<'p, 'l>(plan: &'p Plan<'l>, text: &str, end: End, line: u32) -> Result<&'p RecordPlan<'l>, Finding> {
    let unknown = |message: String| Finding::new(line, "record.unknown_kind", Severity::Error, message);
    let Format::Fixed { code: Some(span) } = plan.layout.format else {
        return plan.records.first().ok_or_else(|| unknown("the layout describes no record".to_owned()));
    };
    let code: String = text.chars().skip(span.start).take(span.length).collect();
    let found = plan.records.iter().find(|candidate| candidate.record.code.as_deref() == Some(code.as_str()));
    found.ok_or_else(|| {
        if end == End::File && code.chars().count() < span.length {
            return said::cut_off_early(line);
        }
        let known: Vec<&str> = plan.records.iter().filter_map(|record| record.record.code.as_deref()).collect();
        unknown(format!("{} is no kind of record of this file; it has {}", quoted(&code), known.join(", ")))
            .at_column(span.start as u32 + 1)
    })
}

/// A fixed record cut into its fields, without the blanks around them.
pub(crate) struct Cut<'t> {
    /// The texts of its fields.
    pub cells: Vec<&'t str>,
    /// Positions had to be counted in bytes.
    pub by_bytes: bool,
}

/// Cuts a fixed record. Positions are counted in characters; in bytes only if that alone fits.
pub(crate) fn cut<'t>(
    record: &Record,
    text: &'t str,
    spare: Vec<&'static str>,
    end: End,
    line: u32,
) -> Result<Cut<'t>, Finding> {
    let length = if text.is_ascii() { text.len() } else { text.chars().count() };
    let by_bytes = length != record.length && text.len() == record.length;
    if length != record.length && !by_bytes {
        return Err(said::wrong_length(record, length, end, line));
    }
    let mut cells = used_again(spare);
    if text.len() == length || by_bytes {
        for field in &record.fields {
            let span = field.span.start..field.span.start + field.span.length;
            let cell = text.get(span).ok_or_else(|| said::wrong_length(record, length, end, line))?;
            cells.push(value::trimmed(cell));
        }
    } else {
        let starts: Vec<usize> = text.char_indices().map(|(start, _)| start).chain([text.len()]).collect();
        let at = |position: usize| starts.get(position).copied().unwrap_or(text.len());
        for field in &record.fields {
            let span = at(field.span.start)..at(field.span.start + field.span.length);
            cells.push(value::trimmed(text.get(span).unwrap_or_default()));
        }
    }
    Ok(Cut { cells, by_bytes })
}
