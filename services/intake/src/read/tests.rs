//! What is written is cut at the same places.

use proptest::prelude::*;

use super::{buffer::End, delimited::Cells, engine::cut as cut_fixed};
use crate::{
    Layout, RecordWriter,
    layout::{DigitCount, FieldKind, Format, Record},
    layouts,
};

/// The texts of the one record of a file.
fn cut(layout: &Layout, record: &Record, file: &str) -> Vec<String> {
    let end = std::str::from_utf8(layout.line_end.bytes()).expect("ASCII");
    let body = if layout.has_header() { file.split_once(end).map_or("", |(_, body)| body) } else { file };
    let body = body.strip_suffix(end).expect("the record ends");
    let texts = match layout.format {
        Format::Fixed { .. } => cut_fixed(record, body, Vec::new(), End::CrLf, 1).expect("it has its length").cells,
        Format::Delimited { delimiter, .. } => {
            let mut cells = Cells::default();
            cells.split(body, delimiter).expect("it can be cut");
            return (0..cells.len()).map(|cell| cells.get(body, cell).to_owned()).collect();
        }
    };
    texts.into_iter().map(str::to_owned).collect()
}

/// Any text that a field can hold: no blanks around it, no line break in a fixed record.
fn text(layout: &Layout, length: usize) -> BoxedStrategy<String> {
    let inner = match (length, matches!(layout.format, Format::Fixed { .. })) {
        (0, _) => 30,
        (1, true) => return "[!-~é]?".boxed(),
        (length, _) => length.saturating_sub(2).min(30),
    };
    let characters = if matches!(layout.format, Format::Fixed { .. }) { "[ -~é]" } else { "[ -~é,\"\n\r]" };
    proptest::string::string_regex(&format!("([!-~é]{characters}{{0,{inner}}}[!-~é])?")).expect("a pattern").boxed()
}

fn any_record() -> impl Strategy<Value = (&'static Layout, &'static Record, Vec<String>)> {
    let kinds: Vec<(&Layout, &Record)> =
        layouts::all().iter().flat_map(|layout| layout.records.iter().map(move |record| (layout, record))).collect();
    proptest::sample::select(kinds).prop_flat_map(|(layout, record)| {
        let fields: Vec<BoxedStrategy<String>> = record
            .fields
            .iter()
            .map(|field| match &field.kind {
                FieldKind::Constant(constant) => Just(constant.clone()).boxed(),
                // The writer fills a number up with zeros: only a full one comes back as it was.
                FieldKind::Digits(DigitCount::Padded) => {
                    proptest::string::string_regex(&format!("([0-9]{{{}}})?", field.length)).expect("a pattern").boxed()
                }
                _ => text(layout, field.length),
            })
            .collect();
        (Just(layout), Just(record), fields)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_cut_at_the_same_places((layout, record, values) in any_record()) {
        let mut writer = RecordWriter::new(layout, Vec::new());
        let texts: Vec<&str> = values.iter().map(String::as_str).collect();
        writer.write_record(record, &texts).expect("it fits");
        let file = String::from_utf8(writer.finish().expect("memory can be written")).expect("text");
        prop_assert_eq!(cut(layout, record, &file), values);
    }
}
