//! What the tabular formats have in common: a table a domain, one of the disclosures, and one of what each section holds or lacks.

use std::borrow::Cow;

use disclosure::DisclosedHistory;
use domains::definition;
use model::{Certification, Domain, Element, Row, Section, SectionState, Value, ValueKind};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text of at most a few words.
    Text,
    /// Text of any length.
    LongText,
    /// Several texts.
    TextList,
    /// A whole number.
    Integer,
    /// A number with at most four decimals.
    Decimal,
    /// A day.
    Date,
    /// Yes or no.
    Boolean,
}

impl Kind {
    const fn of(kind: ValueKind) -> Self {
        match kind {
            ValueKind::Text => Self::Text,
            ValueKind::TextList => Self::TextList,
            ValueKind::Integer => Self::Integer,
            ValueKind::Decimal => Self::Decimal,
            ValueKind::Date => Self::Date,
            ValueKind::Boolean => Self::Boolean,
        }
    }
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, the element's in a domain's table.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// A table of the delivery.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name, which files and sheets bear.
    pub name: &'static str,
    /// Its columns. The first two link the tables: [`PERSON_ID`] and [`DISCLOSURE_ID`].
    pub columns: Vec<Column>,
    of: Of,
}

#[derive(Clone, Debug)]
enum Of {
    Disclosures,
    Sections,
    Domain(Domain, Vec<&'static str>),
}

/// The column that names the client by the recipient's own id.
pub const PERSON_ID: &str = "person_id";
/// The column that names the disclosure.
pub const DISCLOSURE_ID: &str = "disclosure_id";

const LINK: [Column; 2] = [column(PERSON_ID, Kind::Text), column(DISCLOSURE_ID, Kind::Text)];
const DISCLOSURES: [Column; 9] = [
    column("recipient", Kind::Text),
    column("legal_basis", Kind::Text),
    column("agreement", Kind::LongText),
    column("agreement_version", Kind::Integer),
    column("redisclosure_notice", Kind::LongText),
    column("retention_days", Kind::Integer),
    column("decided_at", Kind::Text),
    column("as_of", Kind::Text),
    column("content_digest", Kind::Text),
];
/// The last four say of a collection that was due and has not come of the student's district; all empty: none is known to be missing. Without a district it is
/// the state's own to bring, or no district has.
const SECTIONS: [Column; 7] = [
    column("domain", Kind::Text),
    column("state", Kind::Text),
    column("withheld", Kind::TextList),
    column("awaited_collection", Kind::LongText),
    column("awaited_as_of_date", Kind::Date),
    column("awaited_due_date", Kind::Date),
    column("awaited_expected_of", Kind::LongText),
];
/// Columns behind the elements: which of them the source has suppressed, whether the row is preliminary, and where it comes from.
const SOURCE: [Column; 5] = [
    column("suppressed", Kind::TextList),
    column("preliminary", Kind::Boolean),
    column("source_batch", Kind::Integer),
    column("source_file", Kind::Text),
    column("source_line", Kind::Integer),
];

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

/// The tables of a delivery whose rows can hold these elements.
pub fn tables(elements: &[&'static Element]) -> Vec<Table> {
    let link = |columns: &[Column]| LINK.iter().chain(columns).copied().collect();
    let mut tables = vec![
        Table { name: "disclosures", columns: link(&DISCLOSURES), of: Of::Disclosures },
        Table { name: "sections", columns: link(&SECTIONS), of: Of::Sections },
    ];
    for domain in Domain::ALL {
        let of_domain: Vec<&Element> = definition(domain).elements.iter().filter(|e| elements.contains(e)).collect();
        let columns: Vec<Column> =
            of_domain.iter().map(|element| column(element.name, Kind::of(element.kind))).collect();
        let names = of_domain.iter().map(|element| element.name).collect();
        tables.push(Table {
            name: domain.name(),
            columns: LINK.into_iter().chain(columns).chain(SOURCE).collect(),
            of: Of::Domain(domain, names),
        });
    }
    tables
}

/// A value in a row; none: not reported, not permitted (the table `sections` says which), or suppressed (the column of that name says so).
pub type Cell<'h> = Option<Cow<'h, Value>>;

impl Table {
    /// The rows of a history, each with a cell a column.
    pub fn rows<'h>(&self, history: &'h DisclosedHistory) -> Vec<Vec<Cell<'h>>> {
        match &self.of {
            Of::Disclosures => vec![disclosure(history)],
            Of::Sections => history.sections().iter().map(|section| linked(history, of_section(section))).collect(),
            Of::Domain(domain, elements) => {
                let rows = history.find_section(*domain).map_or(&[][..], |section| &section.rows);
                rows.iter().map(|row| linked(history, of_row(row, elements))).collect()
            }
        }
    }
}

fn linked<'h>(history: &DisclosedHistory, cells: impl IntoIterator<Item = Cell<'h>>) -> Vec<Cell<'h>> {
    let link = [text(history.person_key().expose()), text(&history.disclosure())];
    link.map(owned).into_iter().chain(cells).collect()
}

fn owned<'h>(value: Option<Value>) -> Cell<'h> {
    value.map(Cow::Owned)
}

fn disclosure(history: &DisclosedHistory) -> Vec<Cell<'_>> {
    let values = [
        text(&history.recipient()),
        text(&history.legal_basis()),
        text(&history.agreement_title()),
        integer(history.agreement_version().into()),
        text(&history.notice()),
        integer(history.retention_days().into()),
        text(&history.decided_at().to_rfc3339()),
        text(&history.as_of().to_rfc3339()),
        text(&hex::encode(history.content_digest())),
    ];
    linked(history, values.map(owned))
}

fn of_section(section: &Section) -> [Cell<'_>; 7] {
    let awaited = section.awaited.as_ref();
    [
        text(&section.domain.name()),
        text(&state(section)),
        texts(&section.withheld),
        awaited.and_then(|awaited| text(&awaited.collection)),
        awaited.map(|awaited| Value::Date(awaited.as_of_on)),
        awaited.map(|awaited| Value::Date(awaited.due_on)),
        awaited.and_then(|awaited| text(awaited.expected_of.as_ref()?)),
    ]
    .map(owned)
}

fn of_row<'h>(row: &'h Row, elements: &[&'static str]) -> Vec<Cell<'h>> {
    let reported = |name: &&'static str| row.find(name).filter(|value| **value != Value::Suppressed).map(Cow::Borrowed);
    let suppressed: Vec<&str> =
        elements.iter().copied().filter(|name| row.find(name) == Some(&Value::Suppressed)).collect();
    let source = [
        texts(&suppressed),
        Some(Value::Boolean(row.certification == Certification::Preliminary)),
        integer(row.source.batch.0),
        text(&row.source.file),
        integer(row.source.line.into()),
    ];
    elements.iter().map(reported).chain(source.map(owned)).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "a cell beside others that may be empty")]
fn text(text: &impl ToString) -> Option<Value> {
    Some(Value::Text(text.to_string()))
}

#[expect(clippy::unnecessary_wraps, reason = "a cell beside others that may be empty")]
const fn integer(number: i64) -> Option<Value> {
    Some(Value::Integer(number))
}

fn texts(names: &[&str]) -> Option<Value> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    (!names.is_empty()).then_some(Value::TextList(names))
}

/// Why a section has the rows it has. A section is suppressed when it has rows and all their values are suppressed by the source.
pub fn state(section: &Section) -> &'static str {
    let mut values = section.rows.iter().flat_map(|row| row.values.values()).peekable();
    match section.state {
        SectionState::NotPermitted => "not_permitted",
        SectionState::NotReported => "not_reported",
        SectionState::Reported if values.peek().is_some() && values.all(|value| *value == Value::Suppressed) => {
            "suppressed"
        }
        SectionState::Reported => "reported",
    }
}
