//! One Parquet file a table: typed columns with dictionaries, in row groups of bounded bytes.

use std::{fs::File, path::Path, sync::Arc};

use chrono::NaiveDate;
use disclosure::{DisclosedHistory, Scope};
use model::Value;
use parquet::{
    basic::Compression,
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::ParquetError,
    file::{
        properties::{WriterProperties, WriterPropertiesPtr},
        reader::{FileReader as _, SerializedFileReader},
        writer::SerializedFileWriter,
    },
    record::Field,
    schema::{parser::parse_message_type, types::Type},
};

use super::{
    Format,
    table::{Cell, Column, DISCLOSURE_ID, Kind, PERSON_ID, Table, tables},
};
use crate::{Error, FileEntry, delivery::PartFile};

/// Bytes of values that a table holds in memory before they are written as a row group.
const ROW_GROUP_BYTES_MAX: usize = 8 << 20;

/// The format as it writes.
pub struct Parquet {
    files: Vec<TableFile>,
}

struct TableFile {
    table: Table,
    out: SerializedFileWriter<PartFile>,
    columns: Vec<Buffer>,
    bytes: usize,
    row_group_bytes_max: usize,
    rows: u64,
}

impl Parquet {
    /// Begins the files in a folder.
    pub fn begin(folder: &Path, scope: &Scope) -> Result<Self, Error> {
        Self::begin_with(folder, scope, ROW_GROUP_BYTES_MAX)
    }

    fn begin_with(folder: &Path, scope: &Scope, row_group_bytes_max: usize) -> Result<Self, Error> {
        let properties: WriterPropertiesPtr = Arc::new(
            WriterProperties::builder()
                .set_compression(Compression::SNAPPY)
                .set_created_by("throughline".to_owned())
                .build(),
        );
        let mut files = Vec::new();
        for table in tables(&scope.elements) {
            let part = PartFile::create(folder, &format!("{}.parquet", table.name))?;
            let schema = Arc::new(schema(&table).map_err(wrong)?);
            let out = SerializedFileWriter::new(part, schema, Arc::clone(&properties)).map_err(wrong)?;
            let columns = table.columns.iter().map(Buffer::new).collect();
            files.push(TableFile { table, out, columns, bytes: 0, row_group_bytes_max, rows: 0 });
        }
        Ok(Self { files })
    }
}

impl Format for Parquet {
    fn write(&mut self, history: &DisclosedHistory) -> Result<(), Error> {
        for file in &mut self.files {
            for row in file.table.rows(history) {
                file.push(&row).map_err(wrong)?;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<FileEntry>, Error> {
        let finish = |mut file: TableFile| {
            if file.bytes > 0 {
                file.write_row_group().map_err(wrong)?;
            }
            let mut part = file.out.into_inner().map_err(wrong)?;
            part.add_rows(file.rows);
            part.finish()
        };
        self.files.into_iter().map(finish).collect()
    }
}

impl TableFile {
    fn push(&mut self, row: &[Cell<'_>]) -> Result<(), ParquetError> {
        self.bytes += row.iter().zip(&mut self.columns).map(|(cell, column)| column.push(cell)).sum::<usize>();
        self.rows += 1;
        if self.bytes < self.row_group_bytes_max { Ok(()) } else { self.write_row_group() }
    }

    fn write_row_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.out.next_row_group()?;
        for buffer in &mut self.columns {
            let Some(mut column) = group.next_column()? else { break };
            buffer.write_to(column.untyped())?;
            column.close()?;
        }
        group.close()?;
        self.bytes = 0;
        Ok(())
    }
}

fn wrong(source: ParquetError) -> Error {
    Error::Row { format: "parquet", source: source.into() }
}

fn schema(table: &Table) -> Result<Type, ParquetError> {
    let field = |column: &Column| {
        let name = column.name;
        match column.kind {
            Kind::Text | Kind::LongText => format!("OPTIONAL BYTE_ARRAY {name} (STRING);"),
            Kind::TextList => {
                format!(
                    "OPTIONAL group {name} (LIST) {{ REPEATED group list {{ REQUIRED BYTE_ARRAY element (STRING); }} }}"
                )
            }
            Kind::Integer => format!("OPTIONAL INT64 {name};"),
            Kind::Decimal => format!("OPTIONAL INT64 {name} (DECIMAL(18,4));"),
            Kind::Date => format!("OPTIONAL INT32 {name} (DATE);"),
            Kind::Boolean => format!("OPTIONAL BOOLEAN {name};"),
        }
    };
    let fields: Vec<String> = table.columns.iter().map(field).collect();
    parse_message_type(&format!("message {} {{ {} }}", table.name, fields.join(" ")))
}

/// The values of a column that are not written yet, with the levels that say where there is none and where a list begins.
struct Buffer {
    values: Values,
    definitions: Vec<i16>,
    repetitions: Option<Vec<i16>>,
}

enum Values {
    Texts(Vec<ByteArray>),
    Numbers(Vec<i64>),
    Days(Vec<i32>),
    Flags(Vec<bool>),
}

/// The day from which the format counts days.
const EPOCH: NaiveDate = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a day");

impl Buffer {
    fn new(column: &Column) -> Self {
        let values = match column.kind {
            Kind::Text | Kind::LongText | Kind::TextList => Values::Texts(Vec::new()),
            Kind::Integer | Kind::Decimal => Values::Numbers(Vec::new()),
            Kind::Date => Values::Days(Vec::new()),
            Kind::Boolean => Values::Flags(Vec::new()),
        };
        let repetitions = (column.kind == Kind::TextList).then(Vec::new);
        Self { values, definitions: Vec::new(), repetitions }
    }

    /// Adds a cell; says about how many bytes it takes.
    fn push(&mut self, cell: &Cell<'_>) -> usize {
        if let Some(repetitions) = &mut self.repetitions {
            let texts = match cell.as_deref() {
                Some(Value::TextList(texts)) => Some(texts.as_slice()),
                _ => None,
            };
            // A list that is there and empty is defined one level deep, an entry two.
            let Some((first, others)) = texts.and_then(|texts| texts.split_first()) else {
                self.definitions.push(i16::from(texts.is_some()));
                repetitions.push(0);
                return LEVEL_BYTES;
            };
            let mut bytes = 0;
            for (level, text) in std::iter::once((0, first)).chain(others.iter().map(|text| (1, text))) {
                self.definitions.push(2);
                repetitions.push(level);
                bytes += self.values.push_text(text);
            }
            return bytes;
        }
        let bytes = cell.as_deref().and_then(|value| self.values.push(value));
        self.definitions.push(i16::from(bytes.is_some()));
        bytes.unwrap_or(LEVEL_BYTES)
    }

    /// Writes what there is and begins anew.
    fn write_to(&mut self, column: &mut ColumnWriter<'_>) -> Result<(), ParquetError> {
        let definitions = Some(self.definitions.as_slice());
        let repetitions = self.repetitions.as_deref();
        match (&mut self.values, column) {
            (Values::Texts(values), ColumnWriter::ByteArrayColumnWriter(out)) => {
                out.write_batch(values, definitions, repetitions)?;
                values.clear();
            }
            (Values::Numbers(values), ColumnWriter::Int64ColumnWriter(out)) => {
                out.write_batch(values, definitions, repetitions)?;
                values.clear();
            }
            (Values::Days(values), ColumnWriter::Int32ColumnWriter(out)) => {
                out.write_batch(values, definitions, repetitions)?;
                values.clear();
            }
            (Values::Flags(values), ColumnWriter::BoolColumnWriter(out)) => {
                out.write_batch(values, definitions, repetitions)?;
                values.clear();
            }
            _ => return Err(ParquetError::General("a column is not of the type its schema gives it".to_owned())),
        }
        self.definitions.clear();
        if let Some(repetitions) = &mut self.repetitions {
            repetitions.clear();
        }
        Ok(())
    }
}

/// What a cell without a value takes.
const LEVEL_BYTES: usize = 2;

impl Values {
    fn push_text(&mut self, text: &str) -> usize {
        if let Self::Texts(values) = self {
            values.push(ByteArray::from(text));
        }
        text.len() + size_of::<ByteArray>() + LEVEL_BYTES
    }

    /// Adds a value of the column's kind; none if it is of another.
    fn push(&mut self, value: &Value) -> Option<usize> {
        match (self, value) {
            (texts @ Self::Texts(_), Value::Text(text)) => return Some(texts.push_text(text)),
            (Self::Numbers(numbers), Value::Integer(number)) => numbers.push(*number),
            (Self::Numbers(numbers), Value::Decimal(number)) => numbers.push(number.0),
            (Self::Days(days), Value::Date(day)) => {
                days.push(i32::try_from(day.signed_duration_since(EPOCH).num_days()).ok()?);
            }
            (Self::Flags(flags), Value::Boolean(flag)) => flags.push(*flag),
            _ => return None,
        }
        Some(size_of::<i64>() + LEVEL_BYTES)
    }
}

/// Whether a file of ours has a row of one of these clients or disclosures.
pub fn mentions(path: &Path, ids: &[String]) -> Result<bool, Error> {
    let file = File::open(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    let reader = SerializedFileReader::new(file).map_err(wrong)?;
    let schema = reader.metadata().file_metadata().schema();
    let links = schema.get_fields().iter().filter(|field| [PERSON_ID, DISCLOSURE_ID].contains(&field.name()));
    let links = Type::group_type_builder(schema.name()).with_fields(links.map(Arc::clone).collect()).build();
    for row in reader.get_row_iter(Some(links.map_err(wrong)?)).map_err(wrong)? {
        let row = row.map_err(wrong)?;
        if row.get_column_iter().any(|(_, field)| matches!(field, Field::Str(text) if ids.contains(text))) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
