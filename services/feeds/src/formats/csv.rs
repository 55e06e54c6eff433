//! One CSV file a domain, with a `schema.ini` that gives Access and Excel the right types.

use std::{fmt::Write as _, path::Path};

use disclosure::DisclosedHistory;
use domains::definition;
use model::{Certification, Domain, Row, Value, ValueKind};

use super::Format;
use crate::{Error, FileEntry, delivery::PartFile};

/// Columns before the elements, for linking the tables.
const LINK_COLUMNS: [&str; 2] = ["person_id", "disclosure_id"];
/// Columns behind the elements.
const SOURCE_COLUMNS: [&str; 4] = ["preliminary", "source_batch", "source_file", "source_line"];

/// The format as it writes.
pub struct Csv {
    files: Vec<(Domain, PartFile)>,
    schema: PartFile,
}

fn file_name(domain: Domain) -> String {
    format!("{domain}.csv")
}

impl Csv {
    /// Begins the files in a folder, with their headers.
    pub fn begin(folder: &Path) -> Result<Self, Error> {
        let mut schema = PartFile::create(folder, "schema.ini")?;
        let mut files = Vec::with_capacity(Domain::ALL.len());
        for domain in Domain::ALL {
            let mut file = PartFile::create(folder, &file_name(domain))?;
            let columns: Vec<String> = columns(domain).into_iter().map(|(name, _)| name.to_owned()).collect();
            file.write("\u{feff}".as_bytes(), 0)?;
            file.write(&record(&columns)?, 0)?;
            schema.write(schema_section(domain).as_bytes(), 0)?;
            files.push((domain, file));
        }
        Ok(Self { files, schema })
    }
}

impl Format for Csv {
    fn write(&mut self, history: &DisclosedHistory) -> Result<(), Error> {
        for (domain, file) in &mut self.files {
            let rows = history.find_section(*domain).map_or(&[][..], |section| &section.rows);
            for row in rows {
                file.write(&record(&fields(history, *domain, row))?, 1)?;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<FileEntry>, Error> {
        let files = self.files.into_iter().map(|(_, file)| file).chain([self.schema]);
        files.map(PartFile::finish).collect()
    }
}

/// The columns of a domain's file, with the type names of the text driver.
fn columns(domain: Domain) -> Vec<(&'static str, &'static str)> {
    let kind = |kind: ValueKind| match kind {
        ValueKind::Text => "Text Width 255",
        ValueKind::TextList => "Memo",
        ValueKind::Integer => "Long",
        ValueKind::Decimal => "Double",
        ValueKind::Date => "Date",
        ValueKind::Boolean => "Bit",
    };
    let link = LINK_COLUMNS.into_iter().map(|name| (name, "Text Width 64"));
    let elements = definition(domain).elements.iter().map(|element| (element.name, kind(element.kind)));
    let source = SOURCE_COLUMNS.into_iter().zip(["Bit", "Long", "Text Width 255", "Long"]);
    link.chain(elements).chain(source).collect()
}

fn schema_section(domain: Domain) -> String {
    let mut text = format!(
        "[{}]\r\nFormat=CSVDelimited\r\nColNameHeader=True\r\nCharacterSet=65001\r\nDateTimeFormat=yyyy-mm-dd\r\n",
        file_name(domain)
    );
    for (number, (name, kind)) in columns(domain).into_iter().enumerate() {
        // Cannot fail: writing to a string.
        let _written = write!(text, "Col{}={name} {kind}\r\n", number + 1);
    }
    text.push_str("\r\n");
    text
}

fn fields(history: &DisclosedHistory, domain: Domain, row: &Row) -> Vec<String> {
    let elements =
        definition(domain).elements.iter().map(|element| row.find(element.name).map(plain).unwrap_or_default());
    let preliminary = row.certification == Certification::Preliminary;
    let source =
        [flag(preliminary), row.source.batch.to_string(), row.source.file.to_string(), row.source.line.to_string()];
    [history.person_key().expose().clone(), history.disclosure().to_string()]
        .into_iter()
        .chain(elements)
        .chain(source)
        .collect()
}

fn flag(value: bool) -> String {
    if value { "1" } else { "0" }.to_owned()
}

/// A value as the text driver reads it. A text that a spreadsheet would take for a formula gets an apostrophe before it.
fn plain(value: &Value) -> String {
    match value {
        Value::Boolean(value) => flag(*value),
        Value::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        other => other.to_plain(),
    }
}

fn record(fields: &[String]) -> Result<Vec<u8>, Error> {
    let wrong = |source: Box<dyn std::error::Error + Send + Sync>| Error::Row { format: "csv", source };
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(fields).map_err(|error| wrong(error.into()))?;
    writer.into_inner().map_err(|error| wrong(error.to_string().into()))
}
