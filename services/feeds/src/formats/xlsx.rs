//! One workbook: a sheet a table, with typed cells, a heading that stays in sight, and a filter on each column. A table of more rows than a
//! sheet can hold goes on in another.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use chrono::{Datelike as _, NaiveDate};
use disclosure::{DisclosedHistory, Scope};
use memchr::memmem;
use model::Value;
use rust_xlsxwriter::{Color, DocProperties, ExcelDateTime, Format as Look, Workbook, Worksheet, XlsxError};

use super::{
    Format,
    table::{Cell, Kind, Table, tables},
};
use crate::{Error, FileEntry, Remark, delivery::PartFile};

/// The file's name.
const FILE: &str = "histories.xlsx";
/// Rows of a sheet, its heading apart: what the format allows.
const SHEET_ROWS_MAX: u32 = 1_048_575;
/// UTF-16 units of a cell's text: what the format allows.
const CELL_UNITS_MAX: usize = 32_767;
/// The last whole number a cell can hold exactly.
const WHOLE_MAX: i64 = 1 << 53;
/// The first day a cell can hold as a day; earlier ones are written as text.
const FIRST_YEAR: i32 = 1900;

/// The format as it writes. Rows stand in temporary files in the delivery's own folder until the workbook is saved, so memory stays flat.
pub struct Xlsx {
    folder: PathBuf,
    workbook: Workbook,
    sheets: Vec<Sheet>,
    looks: Looks,
    sheet_count: usize,
    sheet_rows_max: u32,
    cut: u64,
    day: NaiveDate,
}

struct Sheet {
    table: Table,
    /// Its place in the workbook.
    index: usize,
    /// Which of the table's sheets it is, from 1.
    part: u32,
    /// The row written last; 0 is the heading.
    row: u32,
    rows: u64,
}

struct Looks {
    heading: Look,
    day: Look,
}

impl Xlsx {
    /// Begins the workbook in a folder.
    pub fn begin(folder: &Path, scope: &Scope) -> Result<Self, Error> {
        Self::begin_with(folder, scope, SHEET_ROWS_MAX)
    }

    fn begin_with(folder: &Path, scope: &Scope, sheet_rows_max: u32) -> Result<Self, Error> {
        let mut workbook = Workbook::new();
        workbook.set_tempdir(folder).map_err(wrong)?;
        let looks = Looks {
            heading: Look::new().set_bold().set_background_color(Color::RGB(0x00DC_E6F1)),
            day: Look::new().set_num_format("yyyy-mm-dd"),
        };
        let mut format = Self {
            folder: folder.to_owned(),
            workbook,
            sheets: Vec::new(),
            looks,
            sheet_count: 0,
            sheet_rows_max,
            cut: 0,
            day: scope.day,
        };
        for table in tables(&scope.elements) {
            let index = format.add_sheet(&table, 1)?;
            format.sheets.push(Sheet { table, index, part: 1, row: 0, rows: 0 });
        }
        Ok(format)
    }

    fn add_sheet(&mut self, table: &Table, part: u32) -> Result<usize, Error> {
        let sheet = self.workbook.add_worksheet_with_constant_memory().map_err(wrong)?;
        let name = if part == 1 { table.name.to_owned() } else { format!("{} {part}", table.name) };
        prepare(sheet, &name, table, &self.looks.heading).map_err(wrong)?;
        self.sheet_count += 1;
        Ok(self.sheet_count - 1)
    }

    fn write_row(&mut self, place: usize, row: &[Cell<'_>]) -> Result<(), Error> {
        let Some(sheet) = self.sheets.get(place) else { return Ok(()) };
        if sheet.row == self.sheet_rows_max {
            let (table, part) = (sheet.table.clone(), sheet.part + 1);
            let index = self.add_sheet(&table, part)?;
            if let Some(sheet) = self.sheets.get_mut(place) {
                (sheet.index, sheet.part, sheet.row) = (index, part, 0);
            }
        }
        let Some(sheet) = self.sheets.get_mut(place) else { return Ok(()) };
        sheet.row += 1;
        sheet.rows += 1;
        let (index, number) = (sheet.index, sheet.row);
        let out = self.workbook.worksheet_from_index(index).map_err(wrong)?;
        for (column, cell) in (0..).zip(row) {
            if let Some(value) = cell {
                self.cut += u64::from(write_cell(out, (number, column), value, &self.looks).map_err(wrong)?);
            }
        }
        Ok(())
    }
}

impl Format for Xlsx {
    fn write(&mut self, history: &DisclosedHistory) -> Result<(), Error> {
        for place in 0..self.sheets.len() {
            let rows = self.sheets.get(place).map(|sheet| sheet.table.rows(history)).unwrap_or_default();
            for row in rows {
                self.write_row(place, &row)?;
            }
        }
        Ok(())
    }

    fn remarks(&self) -> Vec<Remark> {
        if self.cut == 0 {
            return Vec::new();
        }
        vec![Remark {
            record: "workbook".to_owned(),
            field: None,
            rule: "value.cut".to_owned(),
            message: format!(
                "a cell holds {CELL_UNITS_MAX} characters; what is longer was cut and is whole in the other formats"
            ),
            count: self.cut,
        }]
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<FileEntry>, Error> {
        for sheet in &self.sheets {
            let last = u16::try_from(sheet.table.columns.len().saturating_sub(1)).unwrap_or(u16::MAX);
            let out = self.workbook.worksheet_from_index(sheet.index).map_err(wrong)?;
            out.autofilter(0, 0, sheet.row, last).map_err(wrong)?;
        }
        // The format has no clock: the workbook bears the day of what it tells.
        let day = excel_day(self.day).map_err(wrong)?;
        self.workbook.set_properties(&DocProperties::new().set_creation_datetime(&day));
        let mut file = PartFile::create(&self.folder, FILE)?;
        file.add_rows(self.sheets.iter().map(|sheet| sheet.rows).sum());
        self.workbook.save_to_writer(&mut file).map_err(wrong)?;
        Ok(vec![file.finish()?])
    }
}

fn wrong(source: XlsxError) -> Error {
    Error::Row { format: "xlsx", source: source.into() }
}

/// Names a sheet and heads its columns.
fn prepare(sheet: &mut Worksheet, name: &str, table: &Table, heading: &Look) -> Result<(), XlsxError> {
    sheet.set_name(name)?;
    sheet.set_freeze_panes(1, 0)?;
    for (number, column) in (0..).zip(&table.columns) {
        let width = match column.kind {
            Kind::LongText | Kind::TextList => 40,
            Kind::Text => column.name.len().max(16),
            _ => column.name.len().max(10),
        };
        sheet.set_column_width(number, width as f64 + 2.0)?;
        sheet.write_string_with_format(0, number, column.name, heading)?;
    }
    Ok(())
}

/// A day of the years that a cell can hold.
fn excel_day(day: NaiveDate) -> Result<ExcelDateTime, XlsxError> {
    ExcelDateTime::from_ymd(day.year().clamp(FIRST_YEAR, 9999) as u16, day.month() as u8, day.day() as u8)
}

/// Writes a value; says whether its text was cut.
fn write_cell(
    sheet: &mut Worksheet,
    (row, column): (u32, u16),
    value: &Value,
    looks: &Looks,
) -> Result<bool, XlsxError> {
    match value {
        Value::Integer(number) if number.abs() <= WHOLE_MAX => sheet.write_number(row, column, *number as f64)?,
        Value::Decimal(number) => sheet.write_number(row, column, number.to_f64())?,
        Value::Boolean(flag) => sheet.write_boolean(row, column, *flag)?,
        Value::Date(day) if (FIRST_YEAR..=9999).contains(&day.year()) => {
            sheet.write_datetime_with_format(row, column, excel_day(*day)?, &looks.day)?
        }
        other => {
            let text = other.to_plain();
            let kept = cut(&text);
            sheet.write_string(row, column, kept)?;
            return Ok(kept.len() < text.len());
        }
    };
    Ok(false)
}

/// As much of a text as a cell holds.
fn cut(text: &str) -> &str {
    let mut units = 0;
    let fits = |(_, character): &(usize, char)| {
        units += character.len_utf16();
        units <= CELL_UNITS_MAX
    };
    let end = text.char_indices().take_while(fits).last().map_or(0, |(at, character)| at + character.len_utf8());
    text.get(..end).unwrap_or(text)
}

/// Whether one of these words stands in a workbook of ours.
pub fn mentions(path: &Path, words: &[String]) -> Result<bool, Error> {
    let failed = |source: std::io::Error| Error::File { path: path.to_owned(), source };
    let mut archive = zip::ZipArchive::new(File::open(path).map_err(failed)?)
        .map_err(|source| Error::Row { format: "xlsx", source: source.into() })?;
    let mut chunk = vec![0; 1 << 20];
    // What two chunks share: a word cut by the end of one stands whole in it and the next.
    let overlap = words.iter().map(String::len).max().unwrap_or_default();
    for number in 0..archive.len() {
        let mut entry =
            archive.by_index(number).map_err(|source| Error::Row { format: "xlsx", source: source.into() })?;
        let mut held: Vec<u8> = Vec::new();
        loop {
            let taken = entry.read(&mut chunk).map_err(failed)?;
            if taken == 0 {
                break;
            }
            held.extend_from_slice(chunk.get(..taken).unwrap_or_default());
            if words.iter().any(|word| memmem::find(&held, word.as_bytes()).is_some()) {
                return Ok(true);
            }
            held.drain(..held.len().saturating_sub(overlap));
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
