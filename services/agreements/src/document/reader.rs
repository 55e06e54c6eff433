//! Reads a TOML document field by field, keeps what is wrong with its line, and forgets no unknown field.

use std::{collections::BTreeSet, str::FromStr};

use chrono::NaiveDate;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::finding::{Finding, Severity};

/// The document and what was found wrong with it so far.
pub(super) struct Reader {
    line_starts: Vec<usize>,
    pub(super) findings: Vec<Finding>,
}

/// One table of the document, and which of its fields were asked for.
pub(super) struct Node<'d> {
    table: &'d DeTable<'d>,
    at: usize,
    path: String,
    clause: Option<String>,
    asked: BTreeSet<&'static str>,
}

/// A value and where it stands.
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

type Value<'d> = Spanned<DeValue<'d>>;

impl<'d> Node<'d> {
    pub(super) fn root(table: &'d Spanned<DeTable<'d>>) -> Self {
        Self::new(table.get_ref(), 0, String::new(), None)
    }

    fn new(table: &'d DeTable<'d>, at: usize, path: String, clause: Option<String>) -> Self {
        Self { table, at, path, clause, asked: BTreeSet::new() }
    }

    /// Findings below this table name the clause.
    pub(super) fn name_clause(&mut self, clause: &str) {
        self.clause = Some(clause.to_owned());
    }

    /// Where the table begins.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The names of its fields, in the order of the document.
    pub(super) fn keys(&self) -> Vec<&'d str> {
        self.table.keys().map(|key| &**key.get_ref()).collect()
    }

    /// Where the field of this name stands; the table itself, if it has none.
    pub(super) fn place(&self, key: &str) -> usize {
        self.table.get_key_value(key).map_or(self.at, |(name, _)| name.span().start)
    }

    /// Where a field of a table of this one stands; the table itself, if it has no such field.
    pub(super) fn place_in(&self, table: &str, key: &str) -> usize {
        let inner = self.table.get(table).and_then(|value| value.get_ref().as_table());
        inner
            .and_then(|inner| inner.get_key_value(key))
            .map_or_else(|| self.place(table), |(name, _)| name.span().start)
    }

    /// Where each table of a list stands: `[[table]]`, or `[[table.list]]` when a list is named.
    pub(super) fn places(&self, table: &str, list: Option<&str>) -> Vec<usize> {
        let found = self.table.get(table);
        let found = match list {
            None => found,
            Some(list) => found.and_then(|value| value.get_ref().as_table()).and_then(|inner| inner.get(list)),
        };
        let items = found.and_then(|value| value.get_ref().as_array());
        items.map_or_else(Vec::new, |items| items.iter().map(|item| item.span().start).collect())
    }

    fn field(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn find(&mut self, key: &'static str) -> Option<&'d Value<'d>> {
        self.asked.insert(key);
        self.table.get(key)
    }
}

impl Reader {
    pub(super) fn new(text: &str) -> Self {
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { line_starts, findings: Vec::new() }
    }

    pub(super) fn line(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    pub(super) fn syntax(&mut self, error: &toml::de::Error) {
        let at = error.span().map_or(0, |span| span.start);
        let line = self.line(at);
        self.findings.push(Finding {
            severity: Severity::Error,
            line,
            clause: None,
            field: String::new(),
            message: error.message().to_owned(),
        });
    }

    pub(super) fn wrong(&mut self, node: &Node<'_>, key: &str, at: usize, message: impl Into<String>) {
        self.note(Severity::Error, node, key, at, message.into());
    }

    pub(super) fn doubtful(&mut self, node: &Node<'_>, key: &str, at: usize, message: impl Into<String>) {
        self.note(Severity::Warning, node, key, at, message.into());
    }

    fn note(&mut self, severity: Severity, node: &Node<'_>, key: &str, at: usize, message: String) {
        let finding = Finding {
            severity,
            line: self.line(at),
            clause: node.clause.clone(),
            field: if key.is_empty() { node.path.clone() } else { node.field(key) },
            message,
        };
        self.findings.push(finding);
    }

    /// A mistake of a clause as a whole.
    pub(super) fn wrong_clause(&mut self, clause: &str, at: usize, message: impl Into<String>) {
        let line = self.line(at);
        self.findings.push(Finding {
            severity: Severity::Error,
            line,
            clause: Some(clause.to_owned()),
            field: String::new(),
            message: message.into(),
        });
    }

    fn missing(&mut self, node: &Node<'_>, key: &str) {
        self.wrong(node, key, node.at, "is missing");
    }

    fn mistyped(&mut self, node: &Node<'_>, key: &str, value: &Value<'_>, wanted: &str) {
        let found = value.get_ref().type_str();
        self.wrong(node, key, value.span().start, format!("must be {wanted}, and is {found}"));
    }

    /// Every field nobody asked for is a mistake: a term the program does not know must not be passed over.
    pub(super) fn close(&mut self, node: &Node<'_>) {
        for key in node.table.keys() {
            if !node.asked.contains(&**key.get_ref()) {
                let known = node.asked.iter().copied().collect::<Vec<_>>().join(", ");
                let message = format!("is not known here; known are: {known}");
                self.wrong(node, key.get_ref(), key.span().start, message);
            }
        }
    }

    /// A text with something in it.
    pub(super) fn text(&mut self, node: &mut Node<'_>, key: &'static str) -> Option<Found<String>> {
        let found = self.text_if_any(node, key);
        if found.is_none() && !node.table.contains_key(key) {
            self.missing(node, key);
        }
        found
    }

    /// A text that may be absent.
    pub(super) fn text_if_any(&mut self, node: &mut Node<'_>, key: &'static str) -> Option<Found<String>> {
        let value = node.find(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.mistyped(node, key, value, "a text");
            return None;
        };
        self.plain(node, key, text, value.span().start)
    }

    fn plain(&mut self, node: &Node<'_>, key: &str, text: &str, at: usize) -> Option<Found<String>> {
        // White space at line ends and breaks of long texts carry no meaning.
        let value = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if value.is_empty() || value.contains('\0') {
            self.wrong(node, key, at, "must say something");
            return None;
        }
        Some(Found { value, at })
    }

    /// A text of a closed list or a form of its own.
    pub(super) fn name<T>(&mut self, node: &mut Node<'_>, key: &'static str) -> Option<Found<T>>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        let text = self.text(node, key)?;
        self.parse(node, key, &text)
    }

    fn parse<T>(&mut self, node: &Node<'_>, key: &str, text: &Found<String>) -> Option<Found<T>>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        match text.value.parse() {
            Ok(value) => Some(Found { value, at: text.at }),
            Err(error) => {
                self.wrong(node, key, text.at, format!("{:?} will not do: {error}", text.value));
                None
            }
        }
    }

    /// A text of a closed list that may be absent.
    pub(super) fn name_if_any<T>(&mut self, node: &mut Node<'_>, key: &'static str) -> Option<Found<T>>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        let text = self.text_if_any(node, key)?;
        self.parse(node, key, &text)
    }

    /// Texts of a closed list, at least one, each once.
    pub(super) fn names<T>(&mut self, node: &mut Node<'_>, key: &'static str) -> Option<Vec<T>>
    where
        T: FromStr<Err: std::fmt::Display> + PartialEq,
    {
        let texts = self.texts(node, key)?;
        let mut values: Vec<T> = Vec::with_capacity(texts.len());
        let mut complete = true;
        for text in texts {
            match self.parse(node, key, &text) {
                Some(found) if values.contains(&found.value) => {
                    self.wrong(node, key, text.at, format!("{:?} is named twice", text.value));
                }
                Some(found) => values.push(found.value),
                None => complete = false,
            }
        }
        complete.then_some(values)
    }

    /// A list of texts, at least one.
    pub(super) fn texts(&mut self, node: &mut Node<'_>, key: &'static str) -> Option<Vec<Found<String>>> {
        let Some(value) = node.find(key) else {
            self.missing(node, key);
            return None;
        };
        self.texts_of(node, key, value)
    }

    /// A list of texts that may be absent, but not empty.
    pub(super) fn texts_if_any(&mut self, node: &mut Node<'_>, key: &'static str) -> Option<Vec<Found<String>>> {
        let value = node.find(key)?;
        self.texts_of(node, key, value)
    }

    fn texts_of(&mut self, node: &Node<'_>, key: &str, value: &Value<'_>) -> Option<Vec<Found<String>>> {
        let Some(items) = value.get_ref().as_array() else {
            self.mistyped(node, key, value, "a list of texts");
            return None;
        };
        if items.is_empty() {
            self.wrong(node, key, value.span().start, "must name at least one");
            return None;
        }
        let mut texts = Vec::with_capacity(items.len());
        let mut complete = true;
        for item in items {
            let found = if let Some(text) = item.get_ref().as_str() {
                self.plain(node, key, text, item.span().start)
            } else {
                self.mistyped(node, key, item, "a text");
                None
            };
            complete &= found.is_some();
            texts.extend(found);
        }
        complete.then_some(texts)
    }

    /// `"all"`, or a list of texts, at least one.
    pub(super) fn all_or_texts(&mut self, node: &mut Node<'_>, key: &'static str) -> Option<AllOr> {
        let Some(value) = node.find(key) else {
            self.missing(node, key);
            return None;
        };
        match value.get_ref().as_str() {
            Some("all") => Some(AllOr::All),
            Some(_) => {
                self.mistyped(node, key, value, "\"all\" or a list of texts");
                None
            }
            None => self.texts_of(node, key, value).map(AllOr::Listed),
        }
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, node: &mut Node<'_>, key: &'static str, least: i64, most: i64) -> Option<i64> {
        if !node.table.contains_key(key) {
            self.missing(node, key);
        }
        self.number_if_any(node, key, least, most)
    }

    /// A whole number within bounds that may be absent.
    pub(super) fn number_if_any(
        &mut self,
        node: &mut Node<'_>,
        key: &'static str,
        least: i64,
        most: i64,
    ) -> Option<i64> {
        let value = node.find(key)?;
        let Some(number) =
            value.get_ref().as_integer().and_then(|digits| i64::from_str_radix(digits.as_str(), digits.radix()).ok())
        else {
            self.mistyped(node, key, value, "a whole number");
            return None;
        };
        if number < least || number > most {
            self.wrong(node, key, value.span().start, format!("must lie between {least} and {most}"));
            return None;
        }
        Some(number)
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, node: &mut Node<'_>, key: &'static str) -> Option<bool> {
        let Some(value) = node.find(key) else {
            self.missing(node, key);
            return None;
        };
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.mistyped(node, key, value, "true or false");
        }
        flag
    }

    /// A day.
    pub(super) fn day(&mut self, node: &mut Node<'_>, key: &'static str) -> Option<Found<NaiveDate>> {
        let Some(value) = node.find(key) else {
            self.missing(node, key);
            return None;
        };
        self.day_of(node, key, value)
    }

    fn day_of(&mut self, node: &Node<'_>, key: &str, value: &Value<'_>) -> Option<Found<NaiveDate>> {
        let day = value
            .get_ref()
            .as_datetime()
            .filter(|at| at.time.is_none() && at.offset.is_none())
            .and_then(|at| at.date)
            .and_then(|day| NaiveDate::from_ymd_opt(day.year.into(), day.month.into(), day.day.into()));
        if day.is_none() {
            self.mistyped(node, key, value, "a day such as 2016-06-30, without time");
        }
        day.map(|day| Found { value: day, at: value.span().start })
    }

    /// A day, or `"perpetual"` for none.
    pub(super) fn day_or_perpetual(&mut self, node: &mut Node<'_>, key: &'static str) -> Option<LastDay> {
        let Some(value) = node.find(key) else {
            self.missing(node, key);
            return None;
        };
        if value.get_ref().as_str() == Some("perpetual") {
            return Some(LastDay::Never);
        }
        if value.get_ref().as_datetime().is_none() {
            self.mistyped(node, key, value, "a day such as 2016-06-30, or \"perpetual\"");
            return None;
        }
        self.day_of(node, key, value).map(LastDay::On)
    }

    /// A table.
    pub(super) fn table<'d>(&mut self, node: &mut Node<'d>, key: &'static str) -> Option<Node<'d>> {
        if !node.table.contains_key(key) {
            self.missing(node, key);
        }
        self.table_if_any(node, key)
    }

    /// A table that may be absent.
    pub(super) fn table_if_any<'d>(&mut self, node: &mut Node<'d>, key: &'static str) -> Option<Node<'d>> {
        let value = node.find(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.mistyped(node, key, value, "a table");
            return None;
        };
        Some(Node::new(table, value.span().start, node.field(key), node.clause.clone()))
    }

    /// Tables, at least one.
    pub(super) fn tables<'d>(&mut self, node: &mut Node<'d>, key: &'static str) -> Vec<Node<'d>> {
        if !node.table.contains_key(key) {
            self.missing(node, key);
        }
        self.tables_if_any(node, key)
    }

    /// Any number of tables.
    pub(super) fn tables_if_any<'d>(&mut self, node: &mut Node<'d>, key: &'static str) -> Vec<Node<'d>> {
        let Some(value) = node.find(key) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.mistyped(node, key, value, &format!("a list of tables: [[{}]]", node.field(key)));
            return Vec::new();
        };
        let mut nodes = Vec::with_capacity(items.len());
        for item in items {
            if let Some(table) = item.get_ref().as_table() {
                let at = item.span().start;
                nodes.push(Node::new(table, at, node.field(key), node.clause.clone()));
            } else {
                self.mistyped(node, key, item, "a table");
            }
        }
        nodes
    }

    /// The value of a field whose name the document chooses.
    pub(super) fn any<'d>(&mut self, node: &Node<'d>, key: &str) -> Option<Any<'d>> {
        let (name, value) = node.table.get_key_value(key)?;
        let at = name.span().start;
        match value.get_ref() {
            DeValue::String(text) => Some(Any::Text(text)),
            DeValue::Array(_) => self.texts_of(node, key, value).map(Any::Texts),
            DeValue::Table(table) => Some(Any::Table(Node::new(table, at, node.field(key), node.clause.clone()))),
            _ => {
                self.mistyped(node, key, value, "\"all\", a list of elements or a table");
                None
            }
        }
    }
}

/// A last day, or none.
pub(super) enum LastDay {
    Never,
    On(Found<NaiveDate>),
}

/// `"all"` or what is listed.
pub(super) enum AllOr {
    All,
    Listed(Vec<Found<String>>),
}

/// What a field of a free name may hold.
pub(super) enum Any<'d> {
    Text(&'d str),
    Texts(Vec<Found<String>>),
    Table(Node<'d>),
}
