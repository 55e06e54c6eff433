//! The records of a layout's sample as values that a test can change and write again.

use std::fs;

use intake::{Format, Layout, Record, RecordWriter};

use crate::sample;

/// One record of a sample.
#[derive(Clone)]
pub struct Row {
    /// Which of the layout's kinds of record it is.
    pub kind: usize,
    /// A value for each of its fields.
    pub values: Vec<String>,
}

impl Row {
    /// Its kind of record.
    pub fn record<'l>(&self, layout: &'l Layout) -> &'l Record {
        &layout.records[self.kind]
    }

    /// The row with some fields changed.
    pub fn with(&self, layout: &Layout, changes: &[(&str, &str)]) -> Self {
        let mut changed = self.clone();
        for (field, value) in changes {
            let place = self.record(layout).index_of(field).unwrap_or_else(|| panic!("{}: {field}", layout.id));
            (*value).clone_into(&mut changed.values[place]);
        }
        changed
    }
}

/// The records of a layout's sample.
pub fn of_sample(layout: &Layout) -> Vec<Row> {
    let text = fs::read_to_string(sample(layout, "sample")).expect("it has a sample");
    match layout.format {
        Format::Fixed { code } => {
            text.lines().map(|line| fixed(layout, code.map(|c| (c.start, c.length)), line)).collect()
        }
        Format::Delimited { delimiter, header, .. } => delimited(layout, delimiter, header, &text),
    }
}

fn fixed(layout: &Layout, code: Option<(usize, usize)>, line: &str) -> Row {
    let cut = |start: usize, length: usize| line.chars().skip(start).take(length).collect::<String>();
    let kind = code.map_or(0, |(start, length)| {
        let code = cut(start, length);
        layout.records.iter().position(|record| record.code.as_ref() == Some(&code)).expect("samples are clean")
    });
    let fields = &layout.records[kind].fields;
    let values = fields.iter().map(|f| cut(f.span.start, f.span.length).trim_matches(' ').to_owned()).collect();
    Row { kind, values }
}

fn delimited(layout: &Layout, delimiter: u8, header: bool, text: &str) -> Vec<Row> {
    let record = &layout.records[0];
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(text.as_bytes());
    let mut lines = reader.records().map(|line| line.expect("samples are clean"));
    let columns: Vec<usize> = if header {
        let names = lines.next().expect("it has a header");
        names.iter().map(|name| record.index_of(name.trim()).expect("the column is described")).collect()
    } else {
        (0..record.fields.len()).collect()
    };
    let row = |line: csv::StringRecord| {
        let mut values = vec![String::new(); record.fields.len()];
        for (place, value) in columns.iter().zip(line.iter()) {
            value.trim_matches(' ').clone_into(&mut values[*place]);
        }
        Row { kind: 0, values }
    };
    lines.map(row).collect()
}

/// A file of these records.
pub fn written(layout: &Layout, rows: &[Row]) -> Vec<u8> {
    let mut writer = RecordWriter::new(layout, Vec::new());
    for row in rows {
        let values: Vec<&str> = row.values.iter().map(String::as_str).collect();
        writer.write_record(row.record(layout), &values).expect("it fits");
    }
    writer.finish().expect("memory can be written")
}
