//! Reading one side's file.

use std::path::Path;

use csv::ByteRecord;

use super::{Finding, Rule};
use crate::Error;
use crate::config::Config;
use crate::corpus::{CorpusBuilder, Side};
use crate::hash::{FoldSet, text_hash};
use crate::lines::{Lines, line_of};
use crate::matcher::Progress;
use crate::normalise::{BirthDate, parse_birth_date};

/// The columns a file may have.
const COLUMNS: [&str; 12] = [
    "id",
    "sasid",
    "first_name",
    "middle_name",
    "last_name",
    "suffix",
    "birth_date",
    "sex",
    "race",
    "street",
    "town",
    "zip",
];
const ID: usize = 0;
const BIRTH_DATE: usize = 6;
/// How many columns that are wrong a refusal names.
const WRONG_NAMED_MAX: usize = 20;
/// Longest field; a longer one is a quote that was never closed.
const FIELD_BYTES_MAX: usize = 4096;
const PROGRESS_ROWS: u64 = 50_000;

/// What reading a file came to.
#[derive(Default)]
pub(super) struct Read {
    pub rows: u64,
    pub refused: u64,
    pub findings: Vec<Finding>,
    pub findings_total: u64,
}

/// Where each known column stands.
type Places = [Option<usize>; COLUMNS.len()];

pub(super) fn read(
    path: &Path,
    side: Side,
    builder: &mut CorpusBuilder,
    config: &Config,
    progress: Progress<'_>,
) -> Result<Read, Error> {
    let file = std::fs::File::open(path).map_err(|source| Error::file(path, "opened", source))?;
    let bytes = file.metadata().map_err(|source| Error::file(path, "read", source))?.len();
    let lines = Lines::new(std::io::BufReader::with_capacity(1 << 18, file));
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).buffer_capacity(1 << 18).from_reader(lines);
    let stage = if side == Side::Left { "reading left" } else { "reading right" };
    progress(stage, 0, bytes);
    let mut record = ByteRecord::new();
    if !next(&mut reader, &mut record, path)? {
        return Err(Error::Invalid(format!(
            "{}: the file is empty; a header with the column names is needed",
            path.display()
        )));
    }
    let header = Header { places: places(&record, path)?, columns: record.len() };
    let mut loader =
        Loader { path, side, builder, config, header, read: Read::default(), ids: FoldSet::default(), open: None };
    while next(&mut reader, &mut record, path)? {
        loader.row(&record, line_of(&reader, &record))?;
        if loader.read.rows.is_multiple_of(PROGRESS_ROWS) {
            progress(stage, reader.position().byte(), bytes);
        }
    }
    loader.close();
    progress(stage, bytes, bytes);
    Ok(loader.read)
}

fn next<R: std::io::Read>(reader: &mut csv::Reader<R>, record: &mut ByteRecord, path: &Path) -> Result<bool, Error> {
    reader.read_byte_record(record).map_err(|error| {
        let source = match error.into_kind() {
            csv::ErrorKind::Io(source) => source,
            // Cannot happen: rows of any length and any bytes are allowed here.
            _ => std::io::Error::from(std::io::ErrorKind::InvalidData),
        };
        Error::file(path, "read", source)
    })
}

/// Finds the columns, and says all that is wrong with the header at once.
fn places(header: &ByteRecord, path: &Path) -> Result<Places, Error> {
    let mut places = Places::default();
    let mut wrong = Vec::new();
    for (at, raw) in header.iter().enumerate() {
        let text = String::from_utf8_lossy(raw);
        let name = text.trim_start_matches('\u{feff}').trim().to_lowercase();
        match COLUMNS.iter().position(|column| *column == name) {
            Some(column) if places[column].is_none() => places[column] = Some(at),
            Some(column) => wrong.push(format!("column {} occurs twice", COLUMNS[column])),
            None if name.chars().count() > 40
                || !name.chars().all(|letter| letter.is_alphanumeric() || "_ -.#".contains(letter)) =>
            {
                wrong.push(format!("column {} has no usable name", at + 1));
            }
            None => wrong.push(format!("unknown column {name:?}")),
        }
    }
    if places.iter().all(Option::is_none) {
        // Perhaps a file without header: its first row is about somebody and must not be repeated here.
        let columns = COLUMNS.join(", ");
        return Err(Error::Invalid(format!(
            "{}: the first line names no known column; columns are: {columns}",
            path.display()
        )));
    }
    if places[ID].is_none() {
        wrong.push("column id is missing".to_owned());
    }
    if wrong.is_empty() {
        return Ok(places);
    }
    if wrong.len() > WRONG_NAMED_MAX {
        let more = wrong.len() - WRONG_NAMED_MAX;
        wrong.truncate(WRONG_NAMED_MAX);
        wrong.push(format!("{more} more columns"));
    }
    Err(Error::Invalid(format!("{}: {}; columns are: {}", path.display(), wrong.join("; "), COLUMNS.join(", "))))
}

struct Header {
    places: Places,
    columns: usize,
}

/// What belongs to the person, not to one of several rows about them.
struct Open {
    id: String,
    sex: String,
    race: String,
}

struct Loader<'a> {
    path: &'a Path,
    side: Side,
    builder: &'a mut CorpusBuilder,
    config: &'a Config,
    header: Header,
    read: Read,
    ids: FoldSet<u64>,
    open: Option<Open>,
}

impl Loader<'_> {
    fn row(&mut self, record: &ByteRecord, line: u64) -> Result<(), Error> {
        if record.len() == 1 && record.get(0).is_some_and(|field| field.trim_ascii().is_empty()) {
            return Ok(());
        }
        self.read.rows += 1;
        if record.len() != self.header.columns {
            self.refuse(line, ID, Rule::ColumnCount);
            return Ok(());
        }
        let mut fields = [""; COLUMNS.len()];
        for (column, field) in fields.iter_mut().enumerate() {
            *field = self.field(record, column, line)?;
        }
        let [id, sasid, first, middle, last, suffix, birth_date, sex, race, street, town, zip] = fields;
        if id.is_empty() {
            self.refuse(line, ID, Rule::IdMissing);
            return Ok(());
        }
        if self.open.as_ref().is_none_or(|open| open.id != id) {
            self.close();
            if !self.ids.insert(text_hash(id.as_bytes())) {
                self.find(line, ID, Rule::IdRepeated);
            }
            self.open = Some(Open { id: id.to_owned(), sex: String::new(), race: String::new() });
        }
        self.builder.add_name(self.side, first, middle, last, suffix);
        self.builder.add_address(self.side, street, town, zip);
        self.builder.add_sasid(self.side, sasid);
        match parse_birth_date(birth_date) {
            BirthDate::Known(code) => self.builder.add_birth_code(self.side, code),
            BirthDate::Missing => {}
            BirthDate::Invalid => self.find(line, BIRTH_DATE, Rule::BirthDateInvalid),
            BirthDate::Placeholder => self.find(line, BIRTH_DATE, Rule::BirthDatePlaceholder),
        }
        if let Some(open) = &mut self.open {
            for (kept, said) in [(&mut open.sex, sex), (&mut open.race, race)] {
                if kept.is_empty() {
                    kept.push_str(said);
                }
            }
        }
        Ok(())
    }

    fn field<'r>(&self, record: &'r ByteRecord, column: usize, line: u64) -> Result<&'r str, Error> {
        let Some(bytes) = self.header.places[column].and_then(|place| record.get(place)) else { return Ok("") };
        let bytes = bytes.trim_ascii();
        if bytes.len() > FIELD_BYTES_MAX {
            return Err(self.broken(column, line, "is longer than any field can be; is a quotation mark missing?"));
        }
        std::str::from_utf8(bytes).map_err(|_| self.broken(column, line, "is not UTF-8; save the file as UTF-8 first"))
    }

    fn broken(&self, column: usize, line: u64, what: &str) -> Error {
        Error::Invalid(format!("{}, line {line}: {} {what}", self.path.display(), COLUMNS[column]))
    }

    /// Ends the person whose rows were read.
    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.builder.close(self.side, &open.id, &open.sex, &open.race);
        }
    }

    fn refuse(&mut self, line: u64, column: usize, rule: Rule) {
        self.read.refused += 1;
        self.find(line, column, rule);
    }

    fn find(&mut self, line: u64, column: usize, rule: Rule) {
        self.read.findings_total += 1;
        if self.read.findings.len() < self.config.findings_max {
            self.read.findings.push(Finding {
                file: self.path.to_path_buf(),
                line,
                column: COLUMNS[column],
                rule,
                message: rule.message(),
            });
        }
    }
}
