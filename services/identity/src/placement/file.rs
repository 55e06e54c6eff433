//! Reading a report of placements: strictly, and with every mistake named at once.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeZone as _, Utc};
use model::Masked;

use super::{PlacementFinding, PlacementLayout, PlacementReport, PlacementRow};
use crate::lines::{Lines, line_of};

/// The longest file that is read, in bytes: some hundred thousand stays.
const FILE_BYTES_MAX: usize = 32 << 20;

/// How much of a column's name a finding quotes, in characters.
const NAME_SHOWN_MAX: usize = 64;

/// The longest id of the reporter's, in digits.
const ID_DIGITS_MAX: usize = 18;

type Places<'h> = HashMap<&'h str, usize>;

/// Reads a report. A wrong header or encoding stops it; a bad row is left out, with a finding. `received_at` is when the file came: nothing in it is later.
pub fn read(bytes: &[u8], layout: &PlacementLayout, name: &str, received_at: DateTime<Utc>) -> PlacementReport {
    let mut reading = Reading { layout, name, received_at, report: PlacementReport::default() };
    reading.read(bytes);
    reading.report
}

struct Reading<'a> {
    layout: &'a PlacementLayout,
    name: &'a str,
    received_at: DateTime<Utc>,
    report: PlacementReport,
}

impl Reading<'_> {
    fn finding(&self, line: u64, field: Option<&str>, rule: &'static str, message: &str) -> PlacementFinding {
        PlacementFinding {
            file: self.name.to_owned(),
            line,
            field: field.map(|field| field.chars().take(NAME_SHOWN_MAX).collect()),
            rule,
            message: message.to_owned(),
        }
    }

    /// Refuses the file as a whole.
    fn refuse(&mut self, field: Option<&str>, rule: &'static str, message: &str) {
        let finding = self.finding(1, field, rule, message);
        self.report.findings.push(finding);
        self.report.refused_reason.get_or_insert_with(|| message.to_owned());
    }

    fn read(&mut self, bytes: &[u8]) {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.len() > FILE_BYTES_MAX {
            return self.refuse(None, "file.too_long", "the file is longer than any report of placements");
        }
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(Lines::new(bytes));
        let Ok(header) = reader.headers().cloned() else {
            return self.refuse(
                None,
                "header.unreadable",
                "the first line must name the columns, separated by commas, in UTF-8",
            );
        };
        self.check_header(&header);
        let places: Places<'_> = header.iter().enumerate().map(|(place, name)| (name.trim(), place)).collect();
        let mut record = csv::ByteRecord::new();
        // Cannot fail: the bytes are in memory, and rows of any length are allowed here.
        while reader.read_byte_record(&mut record).unwrap_or(false) {
            self.report.rows_in += 1;
            if self.report.refused_reason.is_some() {
                // Nothing of it is taken, and nothing more is said of it.
                continue;
            }
            let line = line_of(&reader, &record);
            if record.as_slice().contains(&b'\n') {
                // No value of a report has several lines: others' rows would be lost in it.
                let message = "a quotation mark opens here and is not closed on its line: rows behind it would be lost";
                let finding = self.finding(line, None, "quote.open", message);
                self.report.findings.push(finding);
                self.report.refused_reason.get_or_insert_with(|| message.to_owned());
                continue;
            }
            match self.row(line, &header, &places, &record) {
                Ok(row) => self.report.rows.push(row),
                Err(finding) => self.report.findings.push(finding),
            }
        }
        if self.report.refused_reason.is_some() {
            self.report.rows.clear();
        }
        self.settle_repetitions();
    }

    /// The header names the columns of the layout, each once, and no other. Of a file without a header a child's data stands here: no text of it is said
    /// again but a name that the layout has.
    fn check_header(&mut self, header: &csv::StringRecord) {
        let known = self.layout.column_names();
        let present: Vec<&str> = header.iter().map(str::trim).collect();
        let is_same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        for (place, column) in present.iter().enumerate() {
            let is_known = known.contains(column);
            let field = if is_known { (*column).to_owned() } else { format!("column {}", place + 1) };
            if self.layout.case_columns.iter().any(|of_case| is_same(of_case, column)) {
                let message = "the column speaks of the case: nothing of a case is taken in, and the file is refused as a whole; send it without";
                self.refuse(Some(column), "column.case_data", message);
            } else if present.iter().take(place).any(|other| other == column) {
                self.refuse(Some(&field), "header.repeated", "the column occurs twice: which of them is meant?");
            } else if !is_known {
                let message = "the layout does not know this column, and takes no other in: was it renamed?";
                self.refuse(Some(&field), "header.unknown", message);
            }
        }
        for column in known {
            if !present.contains(&column) {
                self.refuse(
                    Some(column),
                    "header.missing",
                    "the layout needs this column: was it renamed or left out?",
                );
            }
        }
    }

    fn row(
        &self,
        line: u64,
        header: &csv::StringRecord,
        places: &Places<'_>,
        record: &csv::ByteRecord,
    ) -> Result<PlacementRow, PlacementFinding> {
        let whole = |rule, message: &str| self.finding(line, None, rule, message);
        let record = csv::StringRecord::from_byte_record(record.clone())
            .map_err(|_| whole("row.unreadable", "the row is not readable as CSV in UTF-8"))?;
        if record.len() != header.len() {
            let message = format!("the row has {} fields, the header {}", record.len(), header.len());
            return Err(whole("row.length", &message));
        }
        let value = |column: &str| places.get(column).and_then(|place| record.get(*place)).map_or("", str::trim);
        let columns = &self.layout.columns;
        let person_key = self.id(line, &columns.person_key, &value)?;
        let parts = columns.stay.iter().map(|column| self.id(line, column, &value)).collect::<Result<Vec<_>, _>>()?;
        let facility = self.code(line, &columns.facility, &value, &self.layout.facilities)?.clone();
        let kind = *self.code(line, &columns.record, &value, &self.layout.records)?;
        let admitted_at = self
            .time(line, &columns.admitted, &value, LocalResult::earliest)?
            .ok_or_else(|| self.empty(line, &columns.admitted))?;
        let released_at = self.time(line, &columns.released, &value, LocalResult::latest)?;
        if released_at.is_some_and(|released| released <= admitted_at) {
            let message = "the client is released before or when they were admitted";
            return Err(self.finding(line, Some(&columns.released), "time.order", message));
        }
        Ok(PlacementRow {
            line,
            person_key: Masked::new(person_key),
            stay_key: Masked::new(parts.join("/")),
            facility,
            admitted_at,
            released_at,
            kind,
        })
    }

    fn empty(&self, line: u64, column: &str) -> PlacementFinding {
        self.finding(line, Some(column), "field.required", "the field is empty and must not be")
    }

    /// An id of the reporter's: digits, so that nothing else can be brought in under its name.
    fn id<'r>(&self, line: u64, column: &str, value: &dyn Fn(&str) -> &'r str) -> Result<String, PlacementFinding> {
        let text = value(column);
        if text.is_empty() {
            return Err(self.empty(line, column));
        }
        if text.len() > ID_DIGITS_MAX || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = format!("an id has 1 to {ID_DIGITS_MAX} digits and nothing else");
            return Err(self.finding(line, Some(column), "id.invalid", &message));
        }
        Ok(text.to_owned())
    }

    /// A code of a list.
    fn code<'c, T>(
        &self,
        line: u64,
        column: &str,
        value: &dyn Fn(&str) -> &'c str,
        list: &'c BTreeMap<String, T>,
    ) -> Result<&'c T, PlacementFinding> {
        let text = value(column);
        if text.is_empty() {
            return Err(self.empty(line, column));
        }
        let unknown = || self.finding(line, Some(column), "code.unknown", "the layout does not list this code");
        list.get(text).ok_or_else(unknown)
    }

    /// A time of the reporter's zone. Where clocks are set back and a time comes twice, `which` of the two makes the stay the longer one.
    fn time<'r>(
        &self,
        line: u64,
        column: &str,
        value: &dyn Fn(&str) -> &'r str,
        which: impl Fn(LocalResult<DateTime<chrono_tz::Tz>>) -> Option<DateTime<chrono_tz::Tz>>,
    ) -> Result<Option<DateTime<Utc>>, PlacementFinding> {
        let text = value(column);
        if text.is_empty() {
            return Ok(None);
        }
        let refused = |rule, message: &str| self.finding(line, Some(column), rule, message);
        let formats = &self.layout.time_formats;
        let local = formats
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .ok_or_else(|| refused("time.invalid", "the field is no date and time in a form that the layout names"))?;
        let at = which(self.layout.time_zone.from_local_datetime(&local))
            .ok_or_else(|| refused("time.nonexistent", "clocks jump over this time: it does not exist"))?
            .to_utc();
        if at > self.received_at {
            return Err(refused(
                "time.future",
                "the time lies behind that at which the file came: only what has happened is reported",
            ));
        }
        Ok(Some(at))
    }

    /// Of several rows that say the same of a stay the first is taken. Where they say different things nobody can tell which holds: none is taken.
    fn settle_repetitions(&mut self) {
        let mut first: BTreeMap<String, (PlacementRow, bool)> = BTreeMap::new();
        for row in &self.report.rows {
            let (said, is_two) = first.entry(row.stay_key.expose().clone()).or_insert_with(|| (row.clone(), false));
            *is_two |= !said.says_the_same(row);
        }
        for row in std::mem::take(&mut self.report.rows) {
            let Some((said, is_two)) = first.get(row.stay_key.expose()) else { continue };
            let finding = if *is_two {
                let message = "rows of the same stay say different things of it: none is taken";
                self.finding(row.line, None, "row.contradiction", message)
            } else if said.line != row.line {
                self.finding(
                    row.line,
                    None,
                    "row.duplicate",
                    "an earlier row says the same of this stay: that one is taken",
                )
            } else {
                self.report.rows.push(row);
                continue;
            };
            self.report.findings.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::RecordKind;

    /// Whatever a row is for, it is one of the two.
    #[test]
    fn a_row_is_a_stay_or_takes_one_back() {
        for (code, expect) in [("stay", RecordKind::Stay), ("withdrawn", RecordKind::Withdrawn)] {
            let kind: RecordKind = serde_json::from_value(code.into()).expect("a kind");
            assert_eq!(kind, expect);
        }
        assert!(serde_json::from_value::<RecordKind>("offense".into()).is_err());
    }
}
