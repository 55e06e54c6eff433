//! From the model to strings: every value is formatted once, here, and nothing later looks at the record again.

use chrono::NaiveDate;

pub(crate) use charts::{End, Naming, Spell, Timeline, Trend};
pub(crate) use format::{clean, date, isolate, might_be_rtl};

use crate::{
    Error, Origin,
    layout::{Column, Kind, Layout, Order, Section, Words, fill},
    model::{
        AttendanceRow, Awaited, Block, Client, Current, DisciplineRow, Field, Provenance, Record, SchoolRow,
        SpecialEducationRow, State, Summary, TestRow, TestsLeftOut,
    },
};
use format::{is_seen, number, percent};

mod charts;
mod format;

/// What is printed.
#[derive(Clone)]
pub(crate) struct View {
    /// The report date, as printed.
    pub report_date: String,
    /// The same as a day, for the document's metadata.
    pub report_day: NaiveDate,
    /// In the head of the pages after the first: the name and the identifier.
    pub running: (String, String),
    /// In the foot of each page.
    pub footer: String,
    /// Above everything: that the summary was not issued, when it was not.
    pub banner: Option<String>,
    /// To whom, under which agreement, and how far it may go on: a paragraph each.
    pub disclosed: Vec<CellText>,
    /// One for each section of the layout.
    pub sections: Vec<SectionView>,
    /// The attendance trend, if there is anything to draw.
    pub trend: Option<Trend>,
    /// The enrollment timeline, if there is anything to draw.
    pub timeline: Option<Timeline>,
    /// Labels of what was withheld; `None` when no agreement is named.
    pub withheld: Option<Vec<String>>,
    /// The verification code.
    pub code: Option<String>,
    /// The language of the name.
    pub name_language: Option<String>,
    /// How to read it: a sentence for each answer that is printed somewhere.
    pub notes: Vec<String>,
    /// Whether U+FFFD stands in place of characters that are none.
    pub has_replaced: bool,
}

/// A section's strings.
#[derive(Clone, Default)]
pub(crate) struct SectionView {
    /// Age and source.
    pub provenance: Option<String>,
    /// Rows of cells, in print order.
    pub rows: Vec<Vec<CellText>>,
    /// What is printed instead of rows.
    pub message: Option<String>,
    /// What is said below the rows.
    pub note: Option<String>,
}

/// A cell's string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CellText {
    /// Never empty.
    pub text: String,
    /// A value of the record, or our words about its absence.
    pub is_value: bool,
}

impl CellText {
    fn note(text: &str) -> Self {
        Self { text: text.to_owned(), is_value: false }
    }

    /// How many decimals it has, if it is a number.
    pub(crate) fn decimals(&self) -> Option<usize> {
        self.is_value.then(|| self.fraction()).flatten().map(|fraction| fraction.len().saturating_sub(1))
    }

    /// The point of a number and what comes after it; empty for a whole number.
    pub(crate) fn fraction(&self) -> Option<&str> {
        let is_number = self.is_value
            && self.text.starts_with(|c: char| c == '-' || c.is_ascii_digit())
            && self.text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'));
        is_number.then(|| self.text.find('.').map_or("", |at| &self.text[at..]))
    }
}

impl View {
    pub(crate) fn new(summary: &Summary, origin: Origin, layout: &Layout) -> Result<Self, Error> {
        let words = &layout.words;
        let code = match (origin, &summary.code) {
            (Origin::Exchange, None) => {
                return Err(Error::Precondition("a summary issued by the exchange needs a verification code"));
            }
            (Origin::Exchange, Some(code)) => Some(clean(code)),
            (Origin::File, _) => None,
        };
        let client = &summary.client;
        let plain =
            |cell: &crate::model::Cell<String>| cell.value().map_or_else(|| words.dash.clone(), |text| clean(text));
        let not_issued = origin == Origin::File;
        let withheld = summary.withheld.iter().map(|label| clean(label)).filter(|label| !label.is_empty());
        let withheld: Vec<String> = withheld.collect();
        let mut view = Self {
            report_date: date(summary.report_date),
            report_day: summary.report_date,
            running: (plain(&client.name), isolate(&plain(&client.sasid).chars().take(40).collect::<String>())),
            footer: match &code {
                _ if not_issued => words.not_issued_footer.clone(),
                Some(code) => fill(&words.confidential_code, &[("code", code)]),
                None => words.confidential.clone(),
            },
            banner: not_issued.then(|| words.not_issued_long.clone()),
            disclosed: disclosed(summary, words),
            sections: layout.sections.iter().map(|section| section_view(summary, section, words)).collect(),
            trend: charts::trend(&summary.history.attendance, words),
            timeline: charts::timeline(&summary.history.schools, words),
            // Under an agreement it is said that nothing is; a record without one may still say that something was.
            withheld: (summary.agreement.is_some() || !withheld.is_empty()).then_some(withheld),
            code,
            name_language: client.lang.clone().filter(|tag| is_language(tag)),
            notes: Vec::new(),
            has_replaced: false,
        };
        (view.notes, view.has_replaced) = (view.notes(words), view.texts().any(|text| text.contains('\u{fffd}')));
        Ok(view)
    }

    /// Everything printed that is a value, or stands for one.
    fn texts(&self) -> impl Iterator<Item = &str> {
        let of_sections = self.sections.iter().flat_map(|section| {
            let cells = section.rows.iter().flatten().map(|cell| &*cell.text);
            cells.chain(section.message.as_deref()).chain(section.note.as_deref()).chain(section.provenance.as_deref())
        });
        let disclosed = self.disclosed.iter().map(|said| &*said.text);
        of_sections.chain(disclosed).chain(self.withheld.iter().flatten().map(String::as_str))
    }

    /// A sentence for each answer that stands somewhere, and how rows and numbers are printed.
    fn notes(&self, words: &Words) -> Vec<String> {
        let cells = || self.sections.iter().flat_map(|section| &section.rows).flatten().filter(|cell| !cell.is_value);
        let messages = || self.sections.iter().filter_map(|section| section.message.as_ref());
        let has_cell = |text: &String| cells().any(|cell| cell.text == *text);
        let has_message = |text: &String| messages().any(|message| message == text);
        let explained = [
            (has_cell(&words.dash), &words.reading_dash),
            (has_message(&words.none_recorded), &words.reading_none),
            (has_message(&words.not_reported), &words.reading_not_reported),
            (has_message(&words.not_permitted) || has_cell(&words.cell_not_permitted), &words.reading_not_permitted),
            (has_message(&words.suppressed) || has_cell(&words.cell_suppressed), &words.reading_suppressed),
            (true, &words.reading_note),
        ];
        explained.into_iter().filter(|(occurs, _)| *occurs).map(|(_, sentence)| sentence.clone()).collect()
    }
}

/// "Disclosed to R under A.", and the agreement's notice, which is in the agreement's words; else ours.
fn disclosed(summary: &Summary, words: &Words) -> Vec<CellText> {
    let text =
        |value: &Option<String>| value.as_ref().map(|text| isolate(&clean(text))).filter(|text| !text.is_empty());
    let (agreement, recipient, notice) = (text(&summary.agreement), text(&summary.recipient), text(&summary.notice));
    let to = agreement.as_ref().map(|agreement| match &recipient {
        Some(recipient) => fill(&words.disclosed, &[("recipient", recipient), ("agreement", agreement)]),
        None => fill(&words.disclosed_under, &[("agreement", agreement)]),
    });
    let ours = agreement.as_ref().map(|agreement| fill(&words.redisclosure, &[("agreement", agreement)]));
    match (to, notice) {
        (to, Some(notice)) => {
            let notice = CellText { text: notice, is_value: true };
            to.iter().map(|text| CellText::note(text)).chain([notice]).collect()
        }
        (to, None) => to.into_iter().chain(ours).map(|text| CellText { text, is_value: false }).collect(),
    }
}

/// The shape of a BCP 47 tag, as far as PDF readers care.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    parts.next().is_some_and(|first| (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic()))
        && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// The names of the fields of a block; `None` if the model has no such block.
pub(crate) fn source_fields(source: &str) -> Option<&'static [&'static str]> {
    Some(match source {
        "client" => Client::FIELDS,
        "summary" => Current::FIELDS,
        "recent.attendance" | "history.attendance" => AttendanceRow::FIELDS,
        "recent.special_ed" | "history.special_ed" => SpecialEducationRow::FIELDS,
        "recent.tests" | "history.tests" => TestRow::FIELDS,
        "recent.discipline" | "history.discipline" => DisciplineRow::FIELDS,
        "history.schools" => SchoolRow::FIELDS,
        _ => return None,
    })
}

fn section_view(summary: &Summary, section: &Section, words: &Words) -> SectionView {
    if !matches!(section.kind, Kind::Card | Kind::Table) {
        return SectionView::default();
    }
    let at = Printer { section, words, report_day: summary.report_date };
    match section.source.as_str() {
        "client" => {
            let c = &summary.client;
            let provenance = provenance_of(c.as_reported_on, c.received_on, c.reported_by.as_ref(), None);
            at.single(c, c.state, &provenance, &c.not_permitted)
        }
        "summary" => {
            let c = &summary.summary;
            let awaited = c.awaited.as_ref();
            let provenance = provenance_of(c.as_reported_on, c.received_on, c.reported_by.as_ref(), awaited);
            at.single(c, c.state, &provenance, &c.not_permitted)
        }
        "recent.attendance" => at.block(&summary.recent.attendance),
        "recent.special_ed" => at.block(&summary.recent.special_ed),
        "recent.tests" => at.tests(&summary.recent.tests, &summary.recent.tests_left_out),
        "recent.discipline" => at.block(&summary.recent.discipline),
        "history.schools" => at.block(&summary.history.schools),
        "history.attendance" => at.block(&summary.history.attendance),
        "history.special_ed" => at.block(&summary.history.special_ed),
        "history.tests" => at.tests(&summary.history.tests, &summary.history.tests_left_out),
        "history.discipline" => at.block(&summary.history.discipline),
        // Cannot happen: the layout was checked against `source_fields`.
        _ => SectionView::default(),
    }
}

fn provenance_of(
    on: Option<NaiveDate>,
    received: Option<NaiveDate>,
    by: Option<&String>,
    awaited: Option<&Awaited>,
) -> Provenance {
    Provenance { as_reported_on: on, received_on: received, reported_by: by.cloned(), awaited: awaited.cloned() }
}

/// Prints one section.
struct Printer<'a> {
    section: &'a Section,
    words: &'a Words,
    report_day: NaiveDate,
}

type Names = std::collections::BTreeSet<String>;

impl Printer<'_> {
    fn block<T: Record>(&self, block: &Block<T>) -> SectionView {
        let mut rows: Vec<&T> = block.rows().iter().collect();
        if let Some(order) = &self.section.order {
            sort(&mut rows, order);
        }
        let rows: Vec<Vec<CellText>> = rows.into_iter().map(|row| self.row(row, &block.not_permitted)).collect();
        let message = match block.state() {
            State::Reported if rows.is_empty() => Some(self.words.none_recorded.clone()),
            state => self.state(state),
        };
        SectionView { provenance: self.provenance(&block.provenance), rows, message, note: None }
    }

    /// The table of scores, and below it what it leaves out.
    fn tests(&self, block: &Block<TestRow>, left_out: &TestsLeftOut) -> SectionView {
        let mut section = self.block(block);
        let others = &left_out.other_subjects;
        if block.state() == State::Reported && block.rows().is_empty() && !others.is_empty() {
            section.message = Some(self.words.tests_other_only.clone());
        }
        let count: u64 = others.iter().map(|other| u64::from(other.count)).sum();
        let subjects: Vec<String> =
            others.iter().map(|other| format!("{} {}", isolate(&clean(&other.subject)), other.count)).collect();
        let values = [("count", &*count.to_string()), ("subjects", &subjects.join(", "))];
        let other = (!others.is_empty()).then(|| fill(&self.words.tests_other, &values));
        let attempts = left_out.earlier_attempts;
        let earlier = (attempts > 0).then(|| fill(&self.words.tests_earlier, &[("count", &attempts.to_string())]));
        let sentences: Vec<String> = other.into_iter().chain(earlier).collect();
        section.note = (!sentences.is_empty()).then(|| sentences.join(" "));
        section
    }

    fn single<T: Record>(
        &self,
        record: &T,
        state: State,
        provenance: &Provenance,
        not_permitted: &Names,
    ) -> SectionView {
        let message = self.state(state);
        let rows = if message.is_none() { vec![self.row(record, not_permitted)] } else { Vec::new() };
        SectionView { provenance: self.provenance(provenance), rows, message, note: None }
    }

    fn state(&self, state: State) -> Option<String> {
        match state {
            State::Reported => None,
            State::NotReported => Some(self.words.not_reported.clone()),
            State::NotPermitted => Some(self.words.not_permitted.clone()),
            State::Suppressed => Some(self.words.suppressed.clone()),
        }
    }

    fn row<T: Record>(&self, record: &T, not_permitted: &Names) -> Vec<CellText> {
        self.section.columns.iter().map(|column| self.cell(record, column, not_permitted)).collect()
    }

    fn cell<T: Record>(&self, record: &T, column: &Column, not_permitted: &Names) -> CellText {
        if not_permitted.contains(&column.key) {
            return CellText::note(&self.words.cell_not_permitted);
        }
        let printed = match record.find_field(&column.key) {
            Some(Field::Text(cell)) => print(cell, |text| clean(text)),
            Some(Field::Date(cell)) => print(cell, |day| date(*day)),
            Some(Field::Number(cell)) => print(cell, |value| number(*value)),
            Some(Field::Percent(cell)) => print(cell, |value| percent(*value)),
            None => Printed::Absent,
        };
        match printed {
            Printed::Value(text) if is_seen(&text) && is_inferred(record, &column.key) => {
                CellText { text: fill(&self.words.cell_inferred, &[("date", &text)]), is_value: true }
            }
            Printed::Value(text) if is_seen(&text) => CellText { text, is_value: true },
            Printed::Value(_) | Printed::Absent => CellText::note(&self.words.dash),
            Printed::Suppressed => CellText::note(&self.words.cell_suppressed),
        }
    }

    /// How old, who reported, who has not: up to two sentences.
    fn provenance(&self, provenance: &Provenance) -> Option<String> {
        let awaited = provenance.awaited.as_ref().map(|awaited| self.awaited(awaited));
        match (self.reported(provenance), awaited) {
            (Some(reported), Some(awaited)) => {
                Some(fill(&self.words.reported_and_awaited, &[("reported", &reported), ("awaited", &awaited)]))
            }
            (reported, awaited) => reported.or(awaited),
        }
    }

    /// Who has not reported what was due.
    fn awaited(&self, awaited: &Awaited) -> String {
        let words = self.words;
        let text = |text: &str| isolate(&clean(text));
        let source = awaited.expected_of.as_deref().map(text).filter(|text| !text.is_empty());
        let template = if source.is_some() { &words.awaited } else { &words.awaited_of_all };
        let (as_of, due) = (date(awaited.as_of), date(awaited.due));
        let collection = text(&awaited.collection);
        let source = source.unwrap_or_default();
        fill(template, &[("source", &source), ("collection", &collection), ("as_of", &as_of), ("due", &due)])
    }

    fn reported(&self, provenance: &Provenance) -> Option<String> {
        let words = self.words;
        let source = provenance.reported_by.as_ref().map(|text| isolate(&clean(text))).filter(|text| !text.is_empty());
        let on = provenance.as_reported_on.or(provenance.received_on);
        let day = on.map(date).unwrap_or_default();
        let age = match on.map(|on| (self.report_day - on).num_days()) {
            Some(0) => words.age_same.clone(),
            Some(1) => words.age_day.clone(),
            Some(days) if days > 1 => fill(&words.age_days, &[("days", &days.to_string())]),
            _ => String::new(),
        };
        let template = match (provenance.as_reported_on, provenance.received_on, &source) {
            (Some(_), _, Some(_)) => &words.as_reported,
            (Some(_), _, None) => &words.as_reported_on,
            (None, Some(_), Some(_)) => &words.received,
            (None, Some(_), None) => &words.received_on,
            (None, None, Some(_)) => &words.reported_by,
            (None, None, None) => return None,
        };
        Some(fill(template, &[("date", &day), ("age", &age), ("source", source.as_deref().unwrap_or_default())]))
    }
}

/// Whether a rule and not a report gives the value: its field has a companion that names the rule.
fn is_inferred<T: Record>(record: &T, key: &str) -> bool {
    record.find_field(&format!("{key}_inferred")).is_some_and(|rule| !rule.is_absent())
}

enum Printed {
    Absent,
    Value(String),
    Suppressed,
}

fn print<T>(cell: &crate::model::Cell<T>, format: impl Fn(&T) -> String) -> Printed {
    match cell {
        crate::model::Cell::Absent => Printed::Absent,
        crate::model::Cell::Value(value) => Printed::Value(format(value)),
        crate::model::Cell::Suppressed => Printed::Suppressed,
    }
}

/// Stable; rows without the key come last in either direction.
fn sort<T: Record>(rows: &mut [&T], order: &Order) {
    fn key<'a, T: Record>(row: &'a T, name: &str) -> Option<(NaiveDate, &'a str)> {
        match row.find_field(name)? {
            Field::Date(cell) => cell.value().map(|day| (*day, "")),
            Field::Text(cell) => cell.value().map(|text| (NaiveDate::MIN, text.as_str())),
            Field::Number(_) | Field::Percent(_) => None,
        }
    }
    rows.sort_by(|a, b| match (key(*a, &order.key), key(*b, &order.key)) {
        (Some(a), Some(b)) if order.newest_first => b.cmp(&a),
        (Some(a), Some(b)) => a.cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
}
