//! Files: rows of many children, written part by part in the order of the children, whoever computed them.
//!
//! A [`Batch`] holds the bytes that a few hundred children add to each file. Batches are computed on many threads and given to
//! [`Files`] in order, so the bytes do not depend on the number of threads and memory is bounded by a few batches.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use chrono::{Datelike, NaiveDate};
use intake::{Layout, RecordWriter};
use serde_json::json;

use super::dice::Dice;

/// A file before it is split by size: its folder and the stem of its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileKey {
    /// Folder below the output folder, such as `state/tcs-4.0`.
    pub folder: &'static str,
    /// Fall of the school year; 0 for none.
    pub fall: i16,
    /// What it holds.
    pub part: &'static str,
    /// The ending of its name.
    pub extension: &'static str,
}

impl FileKey {
    fn is_state(&self) -> bool {
        self.folder.starts_with("state/")
    }
}

/// A layout with the places of the columns that one kind of row fills.
#[derive(Clone, Debug)]
pub struct Table {
    layout: &'static Layout,
    to: Vec<usize>,
    fields: usize,
    header: usize,
    /// Folder below the output folder.
    folder: &'static str,
    extension: &'static str,
}

impl Table {
    /// Finds a layout and its columns.
    pub fn new(id: &str, folder: &'static str, columns: &[&str]) -> anyhow::Result<Self> {
        let layout = intake::layouts::find(id).with_context(|| format!("no layout {id}"))?;
        let to = columns
            .iter()
            .map(|column| layout.index_of(column).with_context(|| format!("the layout {id} has no field {column}")))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let fields = layout.records.first().map_or(0, |record| record.fields.len());
        let header = RecordWriter::new(layout, Vec::new()).finish()?.len();
        let fixed = matches!(layout.format, intake::Format::Fixed { .. });
        Ok(Self { layout, to, fields, header, folder, extension: if fixed { "txt" } else { "csv" } })
    }
}

/// A row in the making.
#[derive(Debug, Default)]
pub struct Row {
    text: String,
    spans: Vec<(u32, u32)>,
}

impl Row {
    fn begin(&mut self, table: &Table) {
        self.text.clear();
        self.spans.clear();
        self.spans.resize(table.fields, (0, 0));
    }

    fn close(&mut self, table: &Table, column: usize, from: usize) {
        let Some(slot) = table.to.get(column).and_then(|to| self.spans.get_mut(*to)) else {
            return;
        };
        *slot = (from as u32, self.text.len() as u32);
    }

    fn values(&self) -> Vec<&str> {
        self.spans.iter().map(|(from, to)| self.text.get(*from as usize..*to as usize).unwrap_or("")).collect()
    }
}

/// Fills the columns of a row.
#[derive(Debug)]
pub struct Fill<'a> {
    table: &'a Table,
    row: &'a mut Row,
}

impl Fill<'_> {
    /// Text.
    pub fn text(&mut self, column: impl Into<usize>, value: &str) -> &mut Self {
        let from = self.row.text.len();
        self.row.text.push_str(value);
        self.row.close(self.table, column.into(), from);
        self
    }

    /// A number.
    pub fn number(&mut self, column: impl Into<usize>, value: impl Into<i64>) -> &mut Self {
        let from = self.row.text.len();
        push_number(&mut self.row.text, value.into(), 1);
        self.row.close(self.table, column.into(), from);
        self
    }

    /// A number with two decimals, given in hundredths.
    pub fn hundredths(&mut self, column: impl Into<usize>, value: u32) -> &mut Self {
        let from = self.row.text.len();
        push_number(&mut self.row.text, i64::from(value / 100), 1);
        self.row.text.push('.');
        push_number(&mut self.row.text, i64::from(value % 100), 2);
        self.row.close(self.table, column.into(), from);
        self
    }

    /// A day as YYYY-MM-DD.
    pub fn iso(&mut self, column: impl Into<usize>, day: NaiveDate) -> &mut Self {
        let from = self.row.text.len();
        push_iso(&mut self.row.text, day);
        self.row.close(self.table, column.into(), from);
        self
    }

    /// A day as MMDDYYYY.
    pub fn mdy(&mut self, column: impl Into<usize>, day: NaiveDate) -> &mut Self {
        let from = self.row.text.len();
        push_number(&mut self.row.text, i64::from(day.month()), 2);
        push_number(&mut self.row.text, i64::from(day.day()), 2);
        push_number(&mut self.row.text, i64::from(day.year()), 4);
        self.row.close(self.table, column.into(), from);
        self
    }

    /// `1` or `0`.
    pub fn flag(&mut self, column: impl Into<usize>, value: bool) -> &mut Self {
        self.text(column, if value { "1" } else { "0" })
    }
}

/// Adds a number with at least so many digits.
pub fn push_number(text: &mut String, value: i64, digits: usize) {
    if value < 0 {
        text.push('-');
    }
    let mut left = value.unsigned_abs();
    let mut buffer = [b'0'; 20];
    let mut at = buffer.len();
    while left > 0 || buffer.len() - at < digits {
        at -= 1;
        buffer[at] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    text.extend(buffer[at..].iter().map(|b| char::from(*b)));
}

/// Adds a day as YYYY-MM-DD.
pub fn push_iso(text: &mut String, day: NaiveDate) {
    push_number(text, i64::from(day.year()), 4);
    text.push('-');
    push_number(text, i64::from(day.month()), 2);
    text.push('-');
    push_number(text, i64::from(day.day()), 2);
}

/// How a row is damaged on purpose.
#[derive(Clone, Copy, Debug)]
pub enum Damage {
    /// A column gets a value it cannot have.
    Value(usize, &'static str, &'static str),
    /// The row is cut short.
    Short,
}

/// Rows damaged on purpose: how often, and by what stream.
#[derive(Debug)]
pub struct Damages {
    /// Share of rows that a bad row follows.
    pub share: f64,
    /// The stream.
    pub dice: Dice,
}

struct Piece {
    writer: RecordWriter<'static, Vec<u8>>,
    header: usize,
    rows: u64,
    bad: Vec<(u64, &'static str)>,
    short: Vec<Vec<u8>>,
}

/// What a few hundred children add to each file.
pub struct Batch {
    pieces: BTreeMap<FileKey, Piece>,
    plain: BTreeMap<FileKey, (Vec<u8>, u64)>,
    row: Row,
    damages: Damages,
}

impl Batch {
    /// An empty one.
    pub fn new(damages: Damages) -> Self {
        Self { pieces: BTreeMap::new(), plain: BTreeMap::new(), row: Row::default(), damages }
    }

    /// Writes a row of a table, and now and then a damaged copy after it.
    pub fn write(
        &mut self,
        table: &Table,
        (fall, part): (i16, &'static str),
        damage: &[Damage],
        fill: impl FnOnce(&mut Fill<'_>),
    ) -> anyhow::Result<()> {
        self.row.begin(table);
        fill(&mut Fill { table, row: &mut self.row });
        let key = FileKey { folder: table.folder, fall, part, extension: table.extension };
        let piece = self.pieces.entry(key).or_insert_with(|| Piece {
            writer: RecordWriter::new(table.layout, Vec::new()),
            header: table.header,
            rows: 0,
            bad: Vec::new(),
            short: Vec::new(),
        });
        piece.writer.write(&self.row.values())?;
        piece.rows += 1;
        if self.damages.share > 0.0 && self.damages.dice.chance(self.damages.share) {
            let which = self.damages.dice.below(damage.len());
            if let Some(damage) = damage.get(which) {
                spoil(piece, table, &mut self.row, *damage)?;
            }
        }
        Ok(())
    }

    /// A heading, or nothing, of a file that has no layout: the file is there even if no line follows.
    pub fn heading(&mut self, key: FileKey, heading: &str) {
        let (bytes, _) = self.plain.entry(key).or_default();
        bytes.extend_from_slice(heading.as_bytes());
    }

    /// Adds a line to a file that has no layout.
    pub fn plain(&mut self, key: FileKey) -> &mut Vec<u8> {
        let (bytes, lines) = self.plain.entry(key).or_default();
        *lines += 1;
        bytes
    }
}

fn spoil(piece: &mut Piece, table: &Table, row: &mut Row, damage: Damage) -> anyhow::Result<()> {
    match damage {
        Damage::Value(column, value, rule) => {
            let from = row.text.len();
            row.text.push_str(value);
            row.close(table, column, from);
            piece.writer.write(&row.values())?;
            piece.rows += 1;
            piece.bad.push((piece.rows, rule));
        }
        Damage::Short => {
            let mut writer = RecordWriter::new(table.layout, Vec::new());
            writer.write(&row.values())?;
            let bytes = writer.finish()?;
            let line = bytes.get(table.header..).unwrap_or_default();
            let end = line.len() - line.iter().rev().take_while(|b| matches!(b, b'\r' | b'\n')).count();
            let (body, newline) = line.split_at(end);
            let keep = match table.extension {
                "csv" => body.iter().rposition(|b| *b == b',').unwrap_or(end),
                _ => end.saturating_sub(20),
            };
            piece.short.push([&body[..keep], newline].concat());
        }
    }
    Ok(())
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Where, below the output folder.
    pub path: PathBuf,
    /// Rows, the header not counted.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

struct Open {
    out: BufWriter<File>,
    written: Written,
    number: u32,
}

/// The files of an invented state.
pub struct Files {
    root: PathBuf,
    split_bytes: u64,
    open: BTreeMap<FileKey, Open>,
    done: Vec<Written>,
    bad_rows: BufWriter<File>,
}

impl Files {
    /// Begins in a folder.
    pub fn new(root: &Path, split_bytes: u64) -> anyhow::Result<Self> {
        let truth = root.join("truth");
        std::fs::create_dir_all(&truth).with_context(|| format!("cannot create {}", truth.display()))?;
        Ok(Self {
            root: root.to_owned(),
            split_bytes,
            open: BTreeMap::new(),
            done: Vec::new(),
            bad_rows: BufWriter::new(create(&truth.join("bad_rows.ndjson"))?),
        })
    }

    /// Writes a batch. Batches come in the order of the children.
    pub fn add(&mut self, batch: Batch) -> anyhow::Result<()> {
        for (key, (bytes, lines)) in batch.plain {
            let file = self.file(&key, &[])?;
            file.out.write_all(&bytes)?;
            file.written.rows += lines;
            file.written.bytes += bytes.len() as u64;
        }
        for (key, piece) in batch.pieces {
            let mut bytes = piece.writer.finish()?;
            let mut bad = piece.bad;
            let mut rows = piece.rows;
            for line in piece.short {
                bytes.extend_from_slice(&line);
                rows += 1;
                bad.push((rows, "record.short"));
            }
            let (header, body) = bytes.split_at(piece.header.min(bytes.len()));
            let file = self.file(&key, header)?;
            let before = file.written.rows + u64::from(!header.is_empty());
            let path = file.written.path.display().to_string();
            file.out.write_all(body)?;
            file.written.rows += rows;
            file.written.bytes += body.len() as u64;
            for (row, rule) in bad {
                let line = json!({"file": path, "line": before + row, "damage": rule});
                writeln!(self.bad_rows, "{line}")?;
            }
        }
        Ok(())
    }

    /// The open file of a key; the next one when the last has grown to the limit.
    fn file(&mut self, key: &FileKey, header: &[u8]) -> anyhow::Result<&mut Open> {
        let mut number = 1;
        if let Some(full) = self.open.get(key) {
            // Only the state's files are split: what follows has one name.
            if full.written.bytes < self.split_bytes || !key.is_state() {
                // Looked up again because the borrow of an early return would outlive the branch.
                return self.open.get_mut(key).context("an open file");
            }
            number = full.number + 1;
            if let Some(mut full) = self.open.remove(key) {
                full.out.flush()?;
                self.done.push(full.written);
            }
        }
        let opened = self.begin(key, number, header)?;
        Ok(self.open.entry(key.clone()).or_insert(opened))
    }

    fn begin(&self, key: &FileKey, number: u32, header: &[u8]) -> anyhow::Result<Open> {
        let name = match (key.is_state(), key.fall) {
            (true, 0) => format!("{}-{number:02}.{}", key.part, key.extension),
            (true, fall) => format!("{fall}-{}-{number:02}.{}", key.part, key.extension),
            (false, _) => format!("{}.{}", key.part, key.extension),
        };
        let folder = self.root.join(key.folder);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = Path::new(key.folder).join(name);
        let mut out = BufWriter::with_capacity(1 << 16, create(&self.root.join(&path))?);
        out.write_all(header)?;
        let bytes = header.len() as u64;
        Ok(Open { out, written: Written { path, rows: 0, bytes }, number })
    }

    /// Closes all files.
    pub fn finish(mut self) -> anyhow::Result<Vec<Written>> {
        self.bad_rows.flush()?;
        for (_, mut open) in std::mem::take(&mut self.open) {
            open.out.flush()?;
            self.done.push(open.written);
        }
        self.done.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(self.done)
    }
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("cannot create {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_days_are_padded() {
        fn check(value: i64, digits: usize, expect: &str) {
            let mut text = String::new();
            push_number(&mut text, value, digits);
            assert_eq!(text, expect);
        }
        check(0, 1, "0");
        check(7, 2, "07");
        check(2026, 4, "2026");
        check(-12, 1, "-12");
        let mut text = String::new();
        push_iso(&mut text, NaiveDate::from_ymd_opt(2014, 8, 27).expect("a day"));
        assert_eq!(text, "2014-08-27");
    }
}
