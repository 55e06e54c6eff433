//! Rosters: an agency's list of its clients, in its own column names.
//!
//! A roster layout (`deploy/consumers/<consumer>/roster.toml`) says which column holds what; this module reads a roster by it.
//! Reading knows no database: rows come out, and findings for the rows that cannot be used.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    io::Read as _,
};

use chrono::NaiveDate;
use model::Masked;
use serde::{Deserialize, Serialize};

use crate::{
    lines::{Lines, line_of},
    normalise::{BirthDate, known_date},
};

mod caseload;
mod details;
mod quotes;

pub use caseload::{Responsible, Supervised, list_responsible, list_supervised};
pub use details::ClientDetails;

/// The longest header, in bytes. A longer one is none: a quotation mark is missing, or the file is of another kind.
const HEADER_BYTES_MAX: usize = 64 << 10;

/// The most columns of a header.
const HEADER_COLUMNS_MAX: usize = 1_000;

/// How much of a column's name a finding quotes, in characters.
const NAME_SHOWN_MAX: usize = 64;

/// How a consumer's roster is laid out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterLayout {
    /// Whether a file names everyone (then absence ends authority) or only what changed.
    pub kind: RosterKind,
    /// How the file is written.
    #[serde(default)]
    pub format: RosterFormat,
    /// The least share of the current clients that a snapshot names: one that names fewer stops for a person.
    #[serde(default = "snapshot_share_min")]
    pub snapshot_share_min: f64,
    /// The consumer's time zone, by IANA name: a roster gives days, and this says when they begin.
    pub time_zone: chrono_tz::Tz,
    /// Day formats tried in order (strftime).
    pub date_formats: Vec<String>,
    /// Which column holds which detail of the client.
    pub columns: ClientColumns,
    /// Where authority comes from.
    pub authority: AuthorityColumns,
    /// Columns of the agency that the exchange does not use. Any other column is refused, so that a renamed one is noticed.
    #[serde(default)]
    pub ignored: Vec<String>,
}

const fn snapshot_share_min() -> f64 {
    0.8
}

/// How a roster file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RosterFormat {
    /// Comma-separated (RFC 4180).
    #[default]
    Csv,
    /// The state's own match-file rules: tab-delimited text, no quotation marks around values, state ids without leading zeros. Its days are
    /// `YYYYMMDD`, which the layout's `date_formats` say as `%Y%m%d`.
    MatchFile,
}

/// Full list or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RosterKind {
    /// Everyone: who is absent has left.
    Snapshot,
    /// Additions and changes only.
    Delta,
}

impl RosterKind {
    /// As stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Delta => "delta",
        }
    }
}

/// The columns of a client's details.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientColumns {
    /// The agency's own person id.
    pub person_key: String,
    /// Surname.
    pub last_name: String,
    /// First name.
    pub first_name: String,
    /// Middle name.
    pub middle_name: Option<String>,
    /// Suffix.
    pub suffix: Option<String>,
    /// Birth date.
    pub birth_date: String,
    /// Sex.
    pub sex: Option<String>,
    /// Race.
    pub race: Option<String>,
    /// Town.
    pub town: Option<String>,
    /// ZIP code.
    pub zip: Option<String>,
    /// State-assigned student id.
    pub sasid: Option<String>,
}

/// Where a client's authority comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityColumns {
    /// What kind of authority this roster gives: `supervision`, `custody`, `release`.
    pub kind: String,
    /// The columns that tell one authority of a client from another (an episode number, a case); with none of its own, the start day.
    pub key: Vec<String>,
    /// First day.
    pub start: String,
    /// Last day; empty while it lasts.
    pub end: Option<String>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// The legal basis.
    pub legal_basis: Coded,
    /// The phase of a juvenile case.
    pub phase: Option<Coded>,
    /// Office.
    pub office: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Worker or officer, by the agency's id.
    pub officer: Option<String>,
    /// Order or docket number.
    pub order_number: Option<String>,
    /// The paper about the client that the row reports: `parent_release`, `student_release`, `court_order`; other values report none.
    pub instrument: Option<Coded>,
}

/// A value that is the same for all rows, or stands in a column under the agency's own codes.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Coded {
    /// The same for all.
    Constant(String),
    /// In a column.
    Column {
        /// The column.
        column: String,
        /// The agency's codes and what they mean here.
        values: BTreeMap<String, String>,
    },
}

/// One authority over one client, in days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// What tells it from the client's others.
    pub source_key: String,
    /// The kind.
    pub kind: String,
    /// The legal basis.
    pub legal_basis: String,
    /// The phase of a juvenile case.
    pub phase: Option<String>,
    /// Office.
    pub office: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// Worker or officer.
    pub officer: Option<String>,
    /// Order number.
    pub order_number: Option<String>,
    /// First day.
    pub start_date: NaiveDate,
    /// Last day.
    pub end_date: Option<NaiveDate>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// The kind of paper the row reports, if it reports one; not stored here, but put on file with the agreements.
    pub instrument: Option<String>,
}

/// A row that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RosterRow {
    /// Its line.
    pub line: u64,
    /// The agency's person id.
    pub person_key: Masked<String>,
    /// The client.
    pub details: ClientDetails,
    /// The authority.
    pub authority: Authority,
}

/// Something wrong with a row, without its values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RosterFinding {
    /// The line; 0 for the file.
    pub line: u64,
    /// The column's name.
    pub column: Option<String>,
    /// The rule.
    pub rule: &'static str,
    /// In words.
    pub message: String,
}

/// A roster, read.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// Usable rows.
    pub rows: Vec<RosterRow>,
    /// What is wrong with the others.
    pub findings: Vec<RosterFinding>,
    /// Whom rows speak of that cannot be used. They are still the agency's clients: what is known of their authority stays as it is.
    pub held: Vec<Held>,
    /// Rows read.
    pub rows_in: u64,
    /// The last line has fewer fields than the header.
    pub is_cut: bool,
}

/// Whom a row that cannot be used speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// The client of this person id.
    Key(Masked<String>),
    /// The row has no person id: whoever is so described.
    Child(Box<ClientDetails>),
}

/// A row that cannot be used, and whom it speaks of if it does not speak against their authority.
struct Refused {
    finding: RosterFinding,
    held: Option<Held>,
}

impl From<RosterFinding> for Refused {
    fn from(finding: RosterFinding) -> Self {
        Self { finding, held: None }
    }
}

/// Reads a roster. A wrong header stops it, with a finding on line 1; a bad row is left out, with a finding.
pub fn read(bytes: &[u8], layout: &RosterLayout) -> Roster {
    let mut roster = Roster::default();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut text = Vec::with_capacity(bytes.len() + 1);
    // Cannot fail: the bytes are in memory.
    let _all_read = Lines::new(bytes).read_to_end(&mut text);
    let mut builder = csv::ReaderBuilder::new();
    builder.flexible(true);
    if layout.format == RosterFormat::MatchFile {
        builder.delimiter(b'\t').quoting(false);
    }
    let mut reader = builder.from_reader(text.as_slice());
    let Ok(header) = reader.headers().cloned() else {
        let message = match layout.format {
            RosterFormat::Csv => "the first line must name the columns, separated by commas, in UTF-8",
            RosterFormat::MatchFile => "the first line must name the columns, separated by tabs, in UTF-8",
        };
        roster.find(1, None, "header.unreadable", message);
        return roster;
    };
    let text_of_header = header.as_slice();
    let is_long = text_of_header.len() > HEADER_BYTES_MAX || header.len() > HEADER_COLUMNS_MAX;
    if is_long || text_of_header.contains('\n') {
        // It may have taken in rows, so that nothing of it is said again.
        let message = "this is no header, or longer than any: is it of this layout, and is a quotation mark missing?";
        roster.find(1, None, "header.too_long", message);
        return roster;
    }
    if !check_header(&header, layout, &mut roster) {
        return roster;
    }
    let places: HashMap<&str, usize> = header.iter().enumerate().map(|(place, name)| (name.trim(), place)).collect();
    let mut bytes = csv::ByteRecord::new();
    // Cannot fail: the bytes are in memory, and rows of any length are allowed here.
    while reader.read_byte_record(&mut bytes).unwrap_or(false) {
        roster.rows_in += 1;
        let mut line = line_of(&reader, &bytes);
        if bytes.as_slice().contains(&b'\n') {
            let raw = raw(&reader, &text, &bytes);
            if let Some((rule, message)) = broken(raw, &bytes, (&header, &places, layout)) {
                // Rows would be lost, and whoever they name with them.
                roster.rows.clear();
                roster.held.clear();
                roster.find(line, None, rule, message);
                return roster;
            }
            // A line break at its end belongs to its last value: no quotation mark is open.
            line -= u64::from(bytes.as_slice().ends_with(b"\n"));
        }
        roster.is_cut = bytes.len() < header.len();
        match record_row(line, layout, &header, &places, &bytes) {
            Ok((row, notes)) => {
                roster.rows.push(row);
                roster.findings.extend(notes);
            }
            Err(refused) => roster.refuse(refused),
        }
    }
    roster
}

/// The record just read, as it stands in the text.
fn raw<'t>(reader: &csv::Reader<&[u8]>, text: &'t [u8], record: &csv::ByteRecord) -> &'t [u8] {
    let place = |position: &csv::Position| usize::try_from(position.byte()).unwrap_or(usize::MAX).min(text.len());
    text.get(record.position().map_or(0, place)..place(reader.position())).unwrap_or_default()
}

/// Why a record of several lines makes the roster unusable: it may have swallowed other clients' rows, or nobody can tell whom it names.
fn broken(
    raw: &[u8],
    record: &csv::ByteRecord,
    (header, places, layout): (&csv::StringRecord, &HashMap<&str, usize>, &RosterLayout),
) -> Option<(&'static str, &'static str)> {
    if !quotes::is_whole(raw) || quotes::has_swallowed(record, header.len()) {
        return Some(("quote.open", "a quotation mark opens here and is not closed where the value ends"));
    }
    let key = places.get(layout.columns.person_key.as_str()).and_then(|place| record.get(*place));
    key.is_some_and(|key| key.contains(&b'\n')).then_some(("key.lines", "the client's id goes over several lines"))
}

/// A record whose values have no line breaks: a blank stands for each.
fn on_one_line(record: csv::StringRecord) -> csv::StringRecord {
    if !record.as_slice().contains('\n') {
        return record;
    }
    let flat = |value: &str| value.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    record.iter().map(|value| if value.contains('\n') { flat(value) } else { value.to_owned() }).collect()
}

/// A record as a row, if it has the header's shape.
fn record_row(
    line: u64,
    layout: &RosterLayout,
    header: &csv::StringRecord,
    places: &HashMap<&str, usize>,
    bytes: &csv::ByteRecord,
) -> Result<(RosterRow, Vec<RosterFinding>), Refused> {
    let misshapen = |column: Option<&str>, rule: &'static str, message: String| {
        let key = places.get(layout.columns.person_key.as_str()).and_then(|place| bytes.get(*place));
        let key = key.and_then(|key| std::str::from_utf8(key).ok()).map(|key| key.trim().trim_matches('"'));
        let held = key.filter(|key| !key.is_empty()).map(|key| Held::Key(Masked::new(key.to_owned())));
        Refused { finding: RosterFinding { line, column: column.map(str::to_owned), rule, message }, held }
    };
    let Ok(record) = csv::StringRecord::from_byte_record(bytes.clone()) else {
        return Err(misshapen(None, "row.unreadable", "the row is not readable as CSV in UTF-8".to_owned()));
    };
    if record.len() != header.len() {
        let message = format!("the row has {} fields, the header {}", record.len(), header.len());
        return Err(misshapen(None, "row.length", message));
    }
    if let Some(column) = quoted(layout, header, &record) {
        let message = "a match file has no quotation marks around values";
        return Err(misshapen(Some(&column), "value.quoted", message.to_owned()));
    }
    let record = on_one_line(record);
    let value = |column: &str| places.get(column).and_then(|place| record.get(*place)).map_or("", str::trim);
    row(line, layout, &value)
}

/// The column of a value in quotation marks, where there must be none.
fn quoted(layout: &RosterLayout, header: &csv::StringRecord, record: &csv::StringRecord) -> Option<String> {
    if layout.format != RosterFormat::MatchFile {
        return None;
    }
    let is_quoted = |text: &str| text.trim().len() > 1 && text.trim().starts_with('"') && text.trim().ends_with('"');
    let place = record.iter().position(is_quoted)?;
    Some(header.get(place).unwrap_or_default().to_owned())
}

impl Roster {
    /// The person ids that rows name, each once, those of rows that cannot be used included.
    pub(crate) fn person_keys(&self) -> Vec<String> {
        let held = self.held.iter().filter_map(|held| match held {
            Held::Key(key) => Some(key.expose()),
            Held::Child(_) => None,
        });
        let keys: BTreeSet<&String> = self.rows.iter().map(|row| row.person_key.expose()).chain(held).collect();
        keys.into_iter().cloned().collect()
    }

    fn refuse(&mut self, mut refused: Refused) {
        if let Some(held) = refused.held {
            refused
                .finding
                .message
                .push_str("; the row is left out, and the client's authority stays as last reported");
            self.held.push(held);
        }
        self.findings.push(refused.finding);
    }

    fn find(&mut self, line: u64, column: Option<&str>, rule: &'static str, message: &str) {
        self.findings.push(RosterFinding {
            line,
            column: column.map(|name| name.chars().take(NAME_SHOWN_MAX).collect()),
            rule,
            message: message.to_owned(),
        });
    }
}

fn check_header(header: &csv::StringRecord, layout: &RosterLayout, roster: &mut Roster) -> bool {
    let known = layout.column_names();
    let present: Vec<&str> = header.iter().map(str::trim).collect();
    for (place, column) in present.iter().enumerate() {
        if present.iter().take(place).any(|other| other == column) {
            roster.find(1, Some(column), "header.repeated", "the column occurs twice: which of them is meant?");
        }
        if !known.contains(column) && !layout.ignored.iter().any(|name| name == column) {
            roster.find(
                1,
                Some(column),
                "header.unknown",
                "the roster layout does not know this column: was it renamed?",
            );
        }
    }
    for column in known {
        if !present.contains(&column) {
            roster.find(
                1,
                Some(column),
                "header.missing",
                "the roster layout needs this column: was it renamed or left out?",
            );
        }
    }
    roster.findings.is_empty()
}

impl RosterLayout {
    /// Reads a layout from its document.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    fn column_names(&self) -> Vec<&str> {
        let (c, a) = (&self.columns, &self.authority);
        let mut names: Vec<&str> = vec![&c.person_key, &c.last_name, &c.first_name, &c.birth_date, &a.start];
        let optional = [
            &c.middle_name,
            &c.suffix,
            &c.sex,
            &c.race,
            &c.town,
            &c.zip,
            &c.sasid,
            &a.end,
            &a.end_reason,
            &a.office,
            &a.region,
            &a.officer,
            &a.order_number,
        ];
        names.extend(optional.into_iter().flatten().map(String::as_str));
        names.extend(a.key.iter().map(String::as_str));
        names.extend([Some(&a.legal_basis), a.phase.as_ref(), a.instrument.as_ref()].into_iter().flatten().filter_map(
            |coded| match coded {
                Coded::Column { column, .. } => Some(column.as_str()),
                Coded::Constant(_) => None,
            },
        ));
        names.sort_unstable();
        names.dedup();
        names
    }
}

type Value<'a> = dyn Fn(&str) -> &'a str + 'a;

fn refuse(line: u64, column: &str, rule: &'static str, message: impl Into<String>) -> RosterFinding {
    RosterFinding { line, column: Some(column.to_owned()), rule, message: message.into() }
}

/// A row, and what is to be said of it although it can be used.
fn row(line: u64, layout: &RosterLayout, value: &Value<'_>) -> Result<(RosterRow, Vec<RosterFinding>), Refused> {
    let key = value(&layout.columns.person_key);
    let details = details(line, layout, value);
    if key.is_empty() {
        let finding = refuse(line, &layout.columns.person_key, "field.required", "the field is empty and must not be");
        let child = details.ok().filter(|_| lasts(layout, value)).map(|(details, _)| Held::Child(Box::new(details)));
        return Err(Refused { finding, held: child });
    }
    let person_key = Masked::new(key.to_owned());
    let refused = |finding: RosterFinding| Refused {
        finding,
        held: lasts(layout, value).then(|| Held::Key(Masked::new(key.to_owned()))),
    };
    let (details, notes) = details.map_err(refused)?;
    let authority = authority(line, layout, value).map_err(refused)?;
    Ok((RosterRow { line, person_key, details, authority }, notes))
}

/// Whether nothing in the row speaks against authority that was given before: no last day, no code without a meaning.
fn lasts(layout: &RosterLayout, value: &Value<'_>) -> bool {
    let a = &layout.authority;
    let is_known = |code: &Coded| coded(0, code, value).is_ok();
    a.end.as_deref().is_none_or(|column| value(column).is_empty())
        && is_known(&a.legal_basis)
        && a.phase.as_ref().is_none_or(is_known)
}

/// Who the client is. Who has no usable name is a client all the same, and matched on the rest.
fn details(
    line: u64,
    layout: &RosterLayout,
    value: &Value<'_>,
) -> Result<(ClientDetails, Vec<RosterFinding>), RosterFinding> {
    let c = &layout.columns;
    let optional = |column: &Option<String>| column.as_deref().map(value).unwrap_or_default().to_owned();
    let (birth_date, note) = birth_date(line, layout, value)?;
    let details = ClientDetails {
        last_name: value(&c.last_name).to_owned(),
        first_name: value(&c.first_name).to_owned(),
        middle_name: optional(&c.middle_name),
        suffix: optional(&c.suffix),
        birth_date,
        sex: optional(&c.sex),
        race: optional(&c.race),
        town: optional(&c.town),
        zip: optional(&c.zip),
        sasid: optional(&c.sasid),
    };
    let mut notes: Vec<_> = note.into_iter().collect();
    for (column, is_missing) in [(&c.last_name, !details.has_last_name()), (&c.first_name, !details.has_first_name())] {
        if is_missing {
            let message = "no name: the client is matched by what earlier rosters said, or without it";
            notes.push(refuse(line, column, NAME_MISSING, message));
        }
    }
    Ok((details, notes))
}

/// The rule of a row without a usable first or last name.
pub(crate) const NAME_MISSING: &str = "name.missing";

/// The birth date, unless it is one that systems put where they know none: such a client is matched without it.
fn birth_date(
    line: u64,
    layout: &RosterLayout,
    value: &Value<'_>,
) -> Result<(Option<NaiveDate>, Option<RosterFinding>), RosterFinding> {
    let column = &layout.columns.birth_date;
    let parsed = layout.date_formats.iter().find_map(|format| NaiveDate::parse_from_str(value(column), format).ok());
    if parsed.is_some_and(|day| matches!(known_date(day), BirthDate::Placeholder)) {
        let message = "a date that stands for unknown: the client is matched without it";
        return Ok((None, Some(refuse(line, column, "date.placeholder", message))));
    }
    Ok((day(line, layout, column, value)?, None))
}

fn authority(line: u64, layout: &RosterLayout, value: &Value<'_>) -> Result<Authority, RosterFinding> {
    let a = &layout.authority;
    let text =
        |column: &Option<String>| column.as_deref().map(value).filter(|text| !text.is_empty()).map(str::to_owned);
    let start_date = day(line, layout, &a.start, value)?.ok_or_else(|| {
        refuse(line, &a.start, "field.required", "authority needs a first day: without one nothing can be released")
    })?;
    let end_date = match &a.end {
        Some(column) => day(line, layout, column, value)?,
        None => None,
    };
    if end_date.is_some_and(|end| end < start_date) {
        let column = a.end.as_deref().unwrap_or(&a.start);
        return Err(refuse(line, column, "date.order", "the authority ends before it begins"));
    }
    let key: Vec<&str> = a.key.iter().map(|column| value(column)).collect();
    let source_key = if key.iter().all(|part| part.is_empty()) { start_date.to_string() } else { key.join("/") };
    Ok(Authority {
        source_key,
        kind: a.kind.clone(),
        legal_basis: coded(line, &a.legal_basis, value)?,
        phase: a.phase.as_ref().map(|phase| coded(line, phase, value)).transpose()?,
        office: text(&a.office),
        region: text(&a.region),
        officer: text(&a.officer),
        order_number: text(&a.order_number),
        start_date,
        end_date,
        end_reason: text(&a.end_reason),
        instrument: a.instrument.as_ref().and_then(|coded_as| coded(line, coded_as, value).ok()),
    })
}

fn coded(line: u64, coded: &Coded, value: &Value<'_>) -> Result<String, RosterFinding> {
    match coded {
        Coded::Constant(text) => Ok(text.clone()),
        Coded::Column { column, values } => values.get(value(column)).cloned().ok_or_else(|| {
            refuse(
                line,
                column,
                "code.unknown",
                "the roster layout gives this code no meaning, so it gives no authority",
            )
        }),
    }
}

fn day(line: u64, layout: &RosterLayout, column: &str, value: &Value<'_>) -> Result<Option<NaiveDate>, RosterFinding> {
    let text = value(column);
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = layout.date_formats.iter().find_map(|format| NaiveDate::parse_from_str(text, format).ok());
    let plausible = parsed.filter(|day| *day > NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or(NaiveDate::MIN));
    plausible.map(Some).ok_or_else(|| {
        let forms: Vec<String> = layout.date_formats.iter().map(|format| form(format)).collect();
        refuse(line, column, "date.invalid", format!("the day is not written {}", forms.join(" or ")))
    })
}

/// A form of days as people write it: `YYYYMMDD`.
fn form(format: &str) -> String {
    format.replace("%Y", "YYYY").replace("%m", "MM").replace("%d", "DD")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: &str = r#"
kind = "snapshot"
time_zone = "America/New_York"
date_formats = ["%Y-%m-%d", "%m/%d/%Y"]
ignored = ["CaseStatus"]
[columns]
person_key = "ClientPIN"
last_name = "LastName"
first_name = "FirstName"
birth_date = "DOB"
[authority]
kind = "supervision"
key = ["CaseType"]
start = "Start"
end = "End"
legal_basis = { column = "Basis", values = { order = "court_order", release = "parent_consent" } }
"#;

    fn check(rows: &str, expect: &[Result<(&str, Option<&str>), &str>]) {
        let layout = RosterLayout::parse(LAYOUT).expect("the layout reads");
        let text = format!("ClientPIN,LastName,FirstName,DOB,CaseType,CaseStatus,Start,End,Basis\n{rows}");
        let roster = read(text.as_bytes(), &layout);
        let rows = roster
            .rows
            .iter()
            .map(|r| (r.line, Ok((r.authority.legal_basis.clone(), r.authority.end_date.map(|d| d.to_string())))));
        let findings = roster.findings.iter().map(|f| (f.line, Err(f.rule)));
        let mut got: Vec<_> = rows.chain(findings).collect();
        got.sort_by_key(|(line, _)| *line);
        let got: Vec<_> = got.into_iter().map(|(_, row)| row).collect();
        let expect: Vec<_> =
            expect.iter().map(|e| e.map(|(basis, end)| (basis.to_owned(), end.map(str::to_owned)))).collect();
        assert_eq!(got, expect);
    }

    #[test]
    fn rows_become_authorities_or_findings() {
        check("7,Roe,Pat,2010-02-03,JUV,x,01/02/2026,,order", &[Ok(("court_order", None))]);
        check(
            "7,Roe,Pat,2008-02-29,JUV,x,2026-01-02,2026-02-28,release",
            &[Ok(("parent_consent", Some("2026-02-28")))],
        );
        check("7,Roe,Pat,2010-02-30,JUV,x,2026-01-02,,order", &[Err("date.invalid")]);
        check("7,Roe,Pat,2010-02-03,JUV,x,,,order", &[Err("field.required")]);
        check("7,Roe,Pat,2010-02-03,JUV,x,2026-01-02,2026-01-01,order", &[Err("date.order")]);
        check("7,Roe,Pat,2010-02-03,JUV,x,2026-01-02,,hunch", &[Err("code.unknown")]);
        check("7,Roe,Pat,2010-02-03,JUV", &[Err("row.length")]);
        check("7,Roe,,2010-02-03,JUV,x,2026-01-02,,order", &[Ok(("court_order", None)), Err("name.missing")]);
        check(
            "7,UNKNOWN,-,2010-02-03,JUV,x,2026-01-02,,order",
            &[Ok(("court_order", None)), Err("name.missing"), Err("name.missing")],
        );
        check("7,R,P,2010-02-03,JUV,x,2026-01-02,,order", &[Ok(("court_order", None))]);
    }

    #[test]
    fn whoever_a_bad_row_names_is_held_unless_the_row_speaks_against_it() {
        fn check(row: &str, expect: &str) {
            let layout = RosterLayout::parse(LAYOUT).expect("the layout reads");
            let text = format!("ClientPIN,LastName,FirstName,DOB,CaseType,CaseStatus,Start,End,Basis\n{row}\n");
            let roster = read(text.as_bytes(), &layout);
            let held = roster.held.iter().map(|held| match held {
                Held::Key(key) => key.expose().as_str(),
                Held::Child(_) => "child",
            });
            assert_eq!(held.collect::<Vec<_>>().join(" "), expect, "{row}");
            assert_eq!((roster.rows.len(), roster.findings.len()), (0, 1), "{row}");
        }
        check("7,Roe,Pat,2010-02-30,JUV,x,2026-01-02,,order", "7");
        check("7,Roe,Pat,2010-02-03,JUV,x,,,order", "7");
        check("7,Roe,Pat,2010-02-03,JUV", "7");
        check(",Roe,Pat,2010-02-03,JUV,x,2026-01-02,,order", "child");
        check("7,Roe,Pat,2010-02-03,JUV,x,,2026-01-02,order", "");
        check("7,Roe,Pat,2010-02-03,JUV,x,2026-01-02,soon,order", "");
        check("7,Roe,Pat,2010-02-03,JUV,x,2026-01-02,,hunch", "");
    }

    const HEADER: &str = "ClientPIN,LastName,FirstName,DOB,CaseType,CaseStatus,Start,End,Basis\r\n";
    const GOOD: &str = "7,Roe,Pat,2010-02-03,JUV,x,01/02/2026,,order\r\n";

    #[test]
    fn a_value_of_several_lines_is_one_value() {
        let layout = RosterLayout::parse(LAYOUT).expect("the layout reads");
        for (row, first_name, lines) in [
            ("8,Roe,\"Ann\r\nMay\",2010-02-03,JUV,x,01/02/2026,,order", "Ann May", 2),
            ("8,\"Roe, \"\"so\nto\nsay\"\"\",Ann,2010-02-03,JUV,\"a\n\nb\",01/02/2026,,order", "Ann", 5),
            ("8,Roe,Ann,2010-02-03,JUV,x,01/02/2026,,\"order\n\"", "Ann", 2),
        ] {
            let text = format!("{HEADER}{GOOD}{row}\r\n{}", GOOD.replace('7', "9"));
            let roster = read(text.as_bytes(), &layout);
            assert_eq!(roster.findings, [], "{row}");
            let told = roster.rows.iter().map(|row| (row.line, row.details.first_name.as_str()));
            assert_eq!(told.collect::<Vec<_>>(), [(2, "Pat"), (3, first_name), (3 + lines, "Pat")], "{row}");
            assert_eq!(roster.rows_in, 3);
        }
    }

    #[test]
    fn a_quotation_mark_never_closed_loses_nobody() {
        let layout = RosterLayout::parse(LAYOUT).expect("the layout reads");
        for (rows, rule) in [
            ("8,\"Roe,Pat,2010-02-03,JUV,x,01/02/2026,,order\r\n", "quote.open"),
            // The next row closes it, and the number of columns is right.
            (
                "8,\"Roe,Pat,2010-02-03,JUV,x,01/02/2026,,order\r\n9,\"Doe\",Pat,2010-02-03,JUV,x,01/02/2026,,order\r\n",
                "quote.open",
            ),
            (
                "8,\"Roe,Pat,2010-02-03,JUV,x,01/02/2026,,order\r\n9,Doe\",Pat,2010-02-03,JUV,x,01/02/2026,,order\r\n",
                "quote.open",
            ),
            (
                "8,Roe,Pat,2010-02-03,JUV,x,01/02/2026,,\"order\r\n9,Doe,Pat,2010-02-03,JUV,x,01/02/2026,,order\"\r\n",
                "quote.open",
            ),
            ("\"8\r\n8\",Roe,Pat,2010-02-03,JUV,x,01/02/2026,,order\r\n", "key.lines"),
        ] {
            let roster = read(format!("{HEADER}{GOOD}{rows}{GOOD}").as_bytes(), &layout);
            assert_eq!((roster.rows.len(), roster.findings[0].line, roster.findings[0].rule), (0, 3, rule), "{rows}");
        }
    }

    #[test]
    fn a_header_without_end_is_not_said_again() {
        let layout = RosterLayout::parse(LAYOUT).expect("the layout reads");
        for header in [
            format!("\"ClientPIN,{GOOD}"),
            format!("\"ClientPIN,{}", GOOD.repeat(10_000)),
            ",".repeat(2_000),
            format!("ClientPIN,{}", "x".repeat(100_000)),
        ] {
            let roster = read(header.as_bytes(), &layout);
            assert_eq!(roster.findings.iter().map(|f| f.rule).collect::<Vec<_>>(), ["header.too_long"]);
        }
        let roster = read(format!("ClientPIN,{}\n", "x".repeat(1_000)).as_bytes(), &layout);
        assert!(roster.findings.iter().all(|f| f.column.as_ref().is_none_or(|name| name.len() <= NAME_SHOWN_MAX)));
    }

    #[test]
    fn a_renamed_column_is_named() {
        let layout = RosterLayout::parse(LAYOUT).expect("the layout reads");
        let roster = read(b"ClientPin,LastName,FirstName,DOB,CaseType,CaseStatus,Start,End,Basis\n", &layout);
        let columns: Vec<_> = roster.findings.iter().filter_map(|f| f.column.as_deref()).collect();
        assert_eq!(columns, ["ClientPin", "ClientPIN"]);
    }
}
