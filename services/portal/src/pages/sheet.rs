//! A page of parts that lists and details share: what is known, a form, a table, a text as it stands. One template, so that all look alike.

use askama::Template;
use axum::response::Response;
use hyper::{
    StatusCode,
    header::{HeaderValue, REFRESH},
};

use super::Shell;
use crate::{
    error::Failure,
    visit::{Visit, page},
    words::{Words, fill},
};

/// A page that is followed shows itself anew after so many seconds, and so often: then it rests, so that nobody stays signed in by a page that was left open.
const FOLLOW_SECONDS: u32 = 15;
const LOOKS_MAX: u32 = 40;

/// The page.
#[derive(Template)]
#[template(path = "sheet.html")]
struct Sheet<'v> {
    shell: Shell<'v>,
    lead: &'v str,
    told: Option<&'v str>,
    parts: Vec<Part>,
}

/// A part of the page; what is empty is not there.
#[derive(Default)]
pub(super) struct Part {
    pub(super) heading: String,
    pub(super) notes: Vec<String>,
    pub(super) facts: Vec<(String, String)>,
    pub(super) form: Option<Form>,
    pub(super) list: Vec<String>,
    pub(super) table: Option<Table>,
    /// A text as it stands: a command, a matrix.
    pub(super) text: Option<String>,
    /// To the rest of the table.
    pub(super) onward: Option<Form>,
    pub(super) links: Vec<(String, String)>,
}

impl Part {
    pub(super) fn named(heading: &str) -> Self {
        Self { heading: heading.to_owned(), ..Self::default() }
    }

    /// A command for whoever has the server, and why it is not done here.
    pub(super) fn command(why: &str, command: String) -> Self {
        Self { notes: vec![why.to_owned()], text: Some(command), ..Self::default() }
    }

    /// What a reader who cannot see calls the text.
    fn label(&self) -> &str {
        match self.notes.first() {
            Some(note) if self.heading.is_empty() => note,
            _ => &self.heading,
        }
    }
}

/// A form. It is sent, never put into an address: what is looked for stays out of histories and logs.
#[derive(Clone)]
pub(super) struct Form {
    pub(super) action: String,
    pub(super) fields: Vec<Field>,
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) button: String,
}

impl Form {
    /// The same question, from a place on.
    pub(super) fn further(&self, place: (&'static str, String), button: &str) -> Self {
        let mut hidden: Vec<_> = self.fields.iter().map(|field| (field.name, field.value.clone())).collect();
        hidden.push(place);
        Self { action: self.action.clone(), fields: Vec::new(), hidden, button: button.to_owned() }
    }
}

/// A field of a form.
#[derive(Clone)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: String,
    /// As HTML names the kind of input.
    pub(super) kind: &'static str,
    pub(super) value: String,
    /// What can be chosen, value and word; none: it is written.
    pub(super) choices: Vec<(String, String)>,
    /// Letters that can be written.
    pub(super) length_max: usize,
    /// It takes several lines.
    pub(super) is_long: bool,
}

/// Letters of a field, where nothing else is said.
const LENGTH_MAX: usize = 100;

impl Field {
    pub(super) fn text(visit: &Visit<'_>, name: &'static str, label: &str) -> Self {
        Self::of(visit, name, label, "text")
    }

    pub(super) fn day(visit: &Visit<'_>, name: &'static str, label: &str) -> Self {
        Self::of(visit, name, label, "date")
    }

    fn of(visit: &Visit<'_>, name: &'static str, label: &str, kind: &'static str) -> Self {
        let value = sent(visit, name).to_owned();
        let (choices, length_max) = (Vec::new(), LENGTH_MAX);
        Self { name, label: label.to_owned(), kind, value, choices, length_max, is_long: false }
    }

    /// Several lines of text.
    pub(super) fn long(visit: &Visit<'_>, name: &'static str, label: &str, length_max: usize) -> Self {
        Self { length_max, is_long: true, ..Self::of(visit, name, label, "text") }
    }

    /// One of several.
    pub(super) fn choice(
        visit: &Visit<'_>,
        name: &'static str,
        label: &str,
        choices: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self { choices: choices.into_iter().collect(), ..Self::of(visit, name, label, "") }
    }
}

/// What a field of the form that was sent says.
pub(super) fn sent<'v>(visit: &'v Visit<'_>, name: &str) -> &'v str {
    visit.form.get(name).map_or("", |text| text.trim())
}

/// A table; the first cell of each row is its heading.
#[derive(Default)]
pub(super) struct Table {
    pub(super) label: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// Said in place of an empty table.
    pub(super) none: String,
}

/// A column.
pub(super) struct Column {
    pub(super) name: String,
    pub(super) is_number: bool,
}

impl Table {
    /// With these columns, and nothing in it yet.
    pub(super) fn new(label: &str, none: &str, columns: &[(&str, Align)]) -> Self {
        let columns =
            columns.iter().map(|(name, align)| Column { name: (*name).to_owned(), is_number: *align == Align::Number });
        Self { label: label.to_owned(), columns: columns.collect(), rows: Vec::new(), none: none.to_owned() }
    }
}

/// How a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Text,
    Number,
}

/// A cell.
#[derive(Clone, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    /// Where it leads.
    pub(super) to: Option<String>,
    /// It asks to be looked at; the words say why, colour only underlines it.
    pub(super) is_marked: bool,
}

impl<T: ToString> From<T> for Cell {
    fn from(value: T) -> Self {
        Self { text: value.to_string(), ..Self::default() }
    }
}

impl Cell {
    pub(super) fn link(text: impl Into<String>, to: String) -> Self {
        Self { text: text.into(), to: Some(to), is_marked: false }
    }

    pub(super) fn marked(text: impl Into<String>) -> Self {
        Self { text: text.into(), to: None, is_marked: true }
    }
}

/// The page of these parts.
pub(super) fn show(
    visit: &Visit<'_>,
    title: &str,
    (lead, told): (&str, Option<&str>),
    parts: Vec<Part>,
) -> Result<Response, Failure> {
    Ok(page(StatusCode::OK, Sheet { shell: Shell::new(visit, title), lead, told, parts }.render()?))
}

/// Which look at a page that somebody follows this is; none: they do not, or it rests.
fn look(visit: &Visit<'_>) -> Option<u32> {
    visit.query.get("look")?.parse().ok().filter(|look| (1..=LOOKS_MAX).contains(look))
}

/// To where a page is followed, or not any longer. It moves only for whoever asks for it, and they can stop it.
pub(super) fn follow_link(visit: &Visit<'_>, words: &Words, address: &str) -> (String, String) {
    if look(visit).is_some() {
        return (address.to_owned(), words.follow_stop.clone());
    }
    let seconds = FOLLOW_SECONDS.to_string();
    (format!("{address}?look=1"), fill(&words.follow, &[("seconds", &seconds)]))
}

/// The page, shown anew after a while where it is followed.
pub(super) fn followed(visit: &Visit<'_>, mut response: Response, address: &str) -> Response {
    let next = look(visit).map(|look| look + 1).filter(|next| *next <= LOOKS_MAX);
    if let Some(next) = next
        && let Ok(value) = HeaderValue::from_str(&format!("{FOLLOW_SECONDS}; url={address}?look={next}"))
    {
        response.headers_mut().insert(REFRESH, value);
    }
    response
}
