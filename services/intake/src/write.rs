//! Writing records: the other direction of a layout. A clean file that was read comes out byte for byte.

use std::io::{self, Write};

use crate::{
    Layout,
    layout::{DigitCount, Field, FieldKind, Format, Record},
};

/// Writes records of a layout. The header goes out with the first record, or with [`RecordWriter::finish`].
///
/// Values come in the order of the layout's fields ([`Layout::index_of`]); blank is `""`. Constants (end markers) and fillers
/// may be left blank: the writer knows them. No check is made but that a value fits its field and can be read back.
#[derive(Debug)]
pub struct RecordWriter<'l, W: Write> {
    layout: &'l Layout,
    out: W,
    line: Vec<u8>,
    begun: bool,
}

impl<'l, W: Write> RecordWriter<'l, W> {
    /// Begins a file.
    pub const fn new(layout: &'l Layout, out: W) -> Self {
        Self { layout, out, line: Vec::new(), begun: false }
    }

    /// Writes a record of a file of one kind.
    pub fn write(&mut self, values: &[&str]) -> io::Result<()> {
        let layout = self.layout;
        let record = layout.records.first().ok_or_else(|| invalid("the layout has no record"))?;
        self.write_record(record, values)
    }

    /// Writes a record of a kind.
    pub fn write_record(&mut self, record: &Record, values: &[&str]) -> io::Result<()> {
        if values.len() != record.fields.len() {
            return Err(invalid(&format!("{} values for {} fields", values.len(), record.fields.len())));
        }
        self.begin()?;
        self.line.clear();
        encode(self.layout, record, values, &mut self.line)?;
        self.out.write_all(&self.line)
    }

    /// Writes what is still to be written and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        self.begin()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) || !self.layout.has_header() {
            return Ok(());
        }
        let Format::Delimited { delimiter, .. } = self.layout.format else {
            return Ok(());
        };
        self.line.clear();
        for (index, field) in self.layout.records.iter().flat_map(|record| &record.fields).enumerate() {
            if index > 0 {
                self.line.push(delimiter);
            }
            cell(&mut self.line, &field.column, delimiter);
        }
        self.line.extend_from_slice(self.layout.line_end.bytes());
        self.out.write_all(&self.line)
    }
}

/// Adds a record to `line`, line end included.
pub(crate) fn encode(layout: &Layout, record: &Record, values: &[&str], line: &mut Vec<u8>) -> io::Result<()> {
    match layout.format {
        Format::Fixed { .. } => fixed(line, record, values)?,
        Format::Delimited { delimiter, .. } => {
            for (index, (field, value)) in record.fields.iter().zip(values).enumerate() {
                if index > 0 {
                    line.push(delimiter);
                }
                cell(line, written(field, value), delimiter);
            }
        }
    }
    line.extend_from_slice(layout.line_end.bytes());
    Ok(())
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

fn written<'a>(field: &'a Field, value: &'a str) -> &'a str {
    match &field.kind {
        FieldKind::Constant(constant) if value.is_empty() => constant,
        _ => value,
    }
}

fn fixed(line: &mut Vec<u8>, record: &Record, values: &[&str]) -> io::Result<()> {
    for (field, value) in record.fields.iter().zip(values) {
        let padded = padded(field, value);
        let value = padded.as_deref().unwrap_or_else(|| written(field, value));
        let length = if value.is_ascii() { value.len() } else { value.chars().count() };
        if length > field.length {
            return Err(invalid(&format!(
                "a value of {length} characters for the field {} of {}",
                field.name, field.length
            )));
        }
        if value.contains(['\r', '\n']) {
            return Err(invalid(&format!("a line break in the field {}", field.name)));
        }
        line.extend_from_slice(value.as_bytes());
        line.resize(line.len() + field.length - length, b' ');
    }
    Ok(())
}

/// A number with the zeros before it that its field wants; `None` if it wants none.
pub(crate) fn padded(field: &Field, value: &str) -> Option<String> {
    let wants = field.kind == FieldKind::Digits(DigitCount::Padded) && !value.is_empty() && value.len() < field.length;
    (wants && value.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| format!("{value:0>width$}", width = field.length))
}

/// Quotes a value only where it must be: it holds the delimiter, a quote or a line break.
pub(crate) fn cell(line: &mut Vec<u8>, value: &str, delimiter: u8) {
    let bytes = value.as_bytes();
    let special = |byte: &u8| *byte == delimiter || matches!(*byte, b'"' | b'\r' | b'\n');
    if !bytes.iter().any(special) {
        line.extend_from_slice(bytes);
        return;
    }
    line.push(b'"');
    for byte in bytes {
        if *byte == b'"' {
            line.push(b'"');
        }
        line.push(*byte);
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layouts;

    fn written_by(id: &str, fill: &[(&str, &str)]) -> String {
        let layout = layouts::find(id).expect("the layout is there");
        let fields = layout.records.first().map_or(0, |record| record.fields.len());
        let mut values = vec![""; fields];
        for (field, value) in fill {
            let index = layout.index_of(field).expect("the field is there");
            values[index] = value;
        }
        let mut writer = RecordWriter::new(layout, Vec::new());
        writer.write(&values).expect("it is written");
        String::from_utf8(writer.finish().expect("it is flushed")).expect("it is text")
    }

    #[test]
    fn fixed_records_are_padded_and_end_with_their_marker() {
        let line = written_by("tcs-4.0", &[("sasid", "1234567890"), ("outcome", "A-")]);
        assert_eq!(line.len(), 277);
        assert!(line.starts_with("1234567890 ") && line.ends_with("X\r\n"));
        assert_eq!(line.get(143..153), Some("A-        "));
    }

    #[test]
    fn delimited_records_quote_only_what_must_be_quoted() {
        let text = written_by(
            "ct-program",
            &[("SASID", "1234567890"), ("program_name", "Arts, \"new\""), ("sponsor", "plain text")],
        );
        let mut lines = text.lines();
        assert!(lines.next().is_some_and(|header| header.starts_with("SASID,FallOfYear,")));
        assert_eq!(lines.next(), Some("1234567890,,,,,\"Arts, \"\"new\"\"\",,plain text,,,,"));
    }

    #[test]
    fn an_empty_file_still_has_its_header() {
        let layout = layouts::find("ct-program").expect("the layout is there");
        let text = RecordWriter::new(layout, Vec::new()).finish().expect("it is flushed");
        assert_eq!(memchr::memchr_iter(b'\n', &text).count(), 1);
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused() {
        let layout = layouts::find("tcs-4.0").expect("the layout is there");
        let mut values = vec![""; 22];
        values[0] = "12345678901";
        assert!(RecordWriter::new(layout, Vec::new()).write(&values).is_err());
        assert!(RecordWriter::new(layout, Vec::new()).write(&["x"]).is_err());
    }
}
