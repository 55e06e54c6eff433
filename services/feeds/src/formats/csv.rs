//! One CSV file a table, with a `schema.ini` that gives Access and Excel the right types.

use std::{fmt::Write as _, path::Path};

use disclosure::{DisclosedHistory, Scope};
use model::Value;

use super::{
    Format,
    table::{Cell, Kind, Table, tables},
};
use crate::{Error, FileEntry, delivery::PartFile};

/// The format as it writes.
pub struct Csv {
    files: Vec<(Table, PartFile)>,
    schema: PartFile,
}

fn file_name(table: &Table) -> String {
    format!("{}.csv", table.name)
}

impl Csv {
    /// Begins the files in a folder, with their headers.
    pub fn begin(folder: &Path, scope: &Scope) -> Result<Self, Error> {
        let mut schema = PartFile::create(folder, "schema.ini")?;
        let mut files = Vec::new();
        for table in tables(&scope.elements) {
            let mut file = PartFile::create(folder, &file_name(&table))?;
            file.append("\u{feff}".as_bytes(), 0)?;
            file.append(&record(table.columns.iter().map(|column| column.name.to_owned()))?, 0)?;
            let columns: Vec<(&str, &str)> =
                table.columns.iter().map(|column| (column.name, driver_type(column.kind))).collect();
            schema.append(schema_section(&file_name(&table), &columns).as_bytes(), 0)?;
            files.push((table, file));
        }
        Ok(Self { files, schema })
    }
}

impl Format for Csv {
    fn write(&mut self, history: &DisclosedHistory) -> Result<(), Error> {
        for (table, file) in &mut self.files {
            for row in table.rows(history) {
                file.append(&record(row.iter().map(plain))?, 1)?;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<FileEntry>, Error> {
        let files = self.files.into_iter().map(|(_, file)| file).chain([self.schema]);
        files.map(PartFile::finish).collect()
    }
}

/// The name that the text driver has for a kind.
const fn driver_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "Text Width 255",
        Kind::LongText | Kind::TextList => "Memo",
        Kind::Integer => "Long",
        Kind::Decimal => "Double",
        Kind::Date => "Date",
        Kind::Boolean => "Bit",
    }
}

/// The lines of `schema.ini` about a file: its columns with the text driver's types.
pub fn schema_section(file: &str, columns: &[(&str, &str)]) -> String {
    let mut text = format!(
        "[{file}]\r\nFormat=CSVDelimited\r\nColNameHeader=True\r\nCharacterSet=65001\r\nDateTimeFormat=yyyy-mm-dd\r\n"
    );
    for (number, (name, kind)) in columns.iter().enumerate() {
        // Cannot fail: writing to a string.
        let _written = write!(text, "Col{}={name} {kind}\r\n", number + 1);
    }
    text.push_str("\r\n");
    text
}

/// A text, with an apostrophe before it if a spreadsheet would take it for a formula.
pub fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// A value as the text driver reads it.
fn plain(cell: &Cell<'_>) -> String {
    match cell.as_deref() {
        None => String::new(),
        Some(Value::Boolean(value)) => if *value { "1" } else { "0" }.to_owned(),
        Some(text @ (Value::Text(_) | Value::TextList(_))) => harmless(&text.to_plain()),
        Some(other) => other.to_plain(),
    }
}

/// A line of a file.
///
/// # Errors
/// If the fields cannot be written as one.
pub fn record(fields: impl Iterator<Item = String>) -> Result<Vec<u8>, Error> {
    let wrong = |source: Box<dyn std::error::Error + Send + Sync>| Error::Row { format: "csv", source };
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(fields).map_err(|error| wrong(error.into()))?;
    writer.into_inner().map_err(|error| wrong(error.to_string().into()))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn no_text_or_list_is_a_formula() {
        fn check(value: Value, expect: &str) {
            assert_eq!(plain(&Some(Cow::Owned(value))), expect);
        }
        for text in ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1"] {
            check(Value::Text(text.to_owned()), &format!("'{text}"));
            check(Value::TextList(vec![text.to_owned(), "b".to_owned()]), &format!("'{text}; b"));
        }
        check(Value::Text("a=1".to_owned()), "a=1");
        check(Value::Integer(-1), "-1");
        assert_eq!(plain(&None), "");
    }
}
