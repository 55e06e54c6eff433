//! Both sides of a linkage in compact form: interned once, compared many times.
//!
//! A person takes about a hundred bytes here whatever the spelling, so a state of a million fits in a small machine.
//! Nothing changes after `CorpusBuilder::build`, and nothing in here prints a value.

use chrono::NaiveDate;

use crate::Person;
use crate::frequency::Frequencies;
use crate::lexicon::{Lexicon, NameId, StreetIds, WordId};
use crate::normalise::{self, BirthDate, DateCode, Suffix};

/// Which of the two files or populations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The first one: the state's students in a nightly exchange.
    Left,
    /// The second one: an agency's roster.
    Right,
}

/// One name of one person, interned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameEntry {
    pub first: NameId,
    pub middle: NameId,
    pub last: NameId,
    pub suffix: Suffix,
}

/// One address of one person, interned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlaceEntry {
    pub street: StreetIds,
    pub town: WordId,
    /// `NO_ZIP` when missing.
    pub zip: u32,
}

pub(crate) const NO_ZIP: u32 = u32::MAX;

/// Where a person's lists end, and what there is one of. Kept together, because comparing touches all of it at once.
#[derive(Clone, Copy)]
struct Row {
    names: u32,
    births: u32,
    places: u32,
    sasids: u32,
    race: NameId,
    sex: u8,
}

/// The persons of one side.
#[derive(Default)]
pub(crate) struct Table {
    id_text: String,
    id_end: Vec<u32>,
    rows: Vec<Row>,
    sasids: Vec<u64>,
    names: Vec<NameEntry>,
    births: Vec<DateCode>,
    places: Vec<PlaceEntry>,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn id(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.id_end[index - 1] as usize };
        &self.id_text[start..self.id_end[index] as usize]
    }

    fn start(&self, index: usize, end: impl Fn(&Row) -> u32) -> usize {
        if index == 0 { 0 } else { end(&self.rows[index - 1]) as usize }
    }

    pub(crate) fn sasids(&self, index: usize) -> &[u64] {
        &self.sasids[self.start(index, |row| row.sasids)..self.rows[index].sasids as usize]
    }

    pub(crate) fn names(&self, index: usize) -> &[NameEntry] {
        &self.names[self.start(index, |row| row.names)..self.rows[index].names as usize]
    }

    pub(crate) fn births(&self, index: usize) -> &[DateCode] {
        &self.births[self.start(index, |row| row.births)..self.rows[index].births as usize]
    }

    pub(crate) fn places(&self, index: usize) -> &[PlaceEntry] {
        &self.places[self.start(index, |row| row.places)..self.rows[index].places as usize]
    }

    /// `M`, `F`, `X`, or 0 when missing.
    pub(crate) fn sex(&self, index: usize) -> u8 {
        self.rows[index].sex
    }

    pub(crate) fn race(&self, index: usize) -> NameId {
        self.rows[index].race
    }

    /// Ends the person whose names, dates, places and ids were added.
    fn close(&mut self, id: &str, sex: u8, race: NameId) {
        self.rows.push(Row {
            names: self.names.len() as u32,
            births: self.births.len() as u32,
            places: self.places.len() as u32,
            sasids: self.sasids.len() as u32,
            race,
            sex,
        });
        self.id_text.push_str(id);
        self.id_end.push(self.id_text.len() as u32);
    }
}

/// Adds to the list of the person being built, unless it is there already.
fn add<T: PartialEq>(items: &mut Vec<T>, start: Option<u32>, item: T) {
    if !items[start.unwrap_or(0) as usize..].contains(&item) {
        items.push(item);
    }
}

/// Takes persons in, one at a time, in bounded memory.
pub struct CorpusBuilder {
    lexicon: Lexicon,
    left: Table,
    right: Table,
}

/// Both sides, ready to be compared.
pub struct Corpus {
    pub(crate) lexicon: Lexicon,
    pub(crate) left: Table,
    pub(crate) right: Table,
    pub(crate) frequencies: Frequencies,
}

impl std::fmt::Debug for Corpus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Corpus")
            .field("left", &self.left.len())
            .field("right", &self.right.len())
            .finish_non_exhaustive()
    }
}

impl Default for CorpusBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl CorpusBuilder {
    /// Nobody on either side yet.
    pub fn new() -> Self {
        Self { lexicon: Lexicon::new(), left: Table::default(), right: Table::default() }
    }

    /// Adds a person to a side; persons keep the order in which they come, from 0.
    pub fn push(&mut self, side: Side, person: &Person) {
        for name in &person.names {
            self.add_name(side, &name.first, &name.middle, &name.last, &name.suffix);
        }
        for date in &person.birth_dates {
            self.add_birth_date(side, *date);
        }
        for address in &person.addresses {
            self.add_address(side, &address.street, &address.town, &address.zip);
        }
        for sasid in &person.sasids {
            self.add_sasid(side, sasid);
        }
        self.close(side, &person.id, person.sex.as_deref().unwrap_or(""), person.race.as_deref().unwrap_or(""));
    }

    /// All names, counted and ready.
    pub fn build(mut self) -> Corpus {
        self.lexicon.seal();
        let frequencies = Frequencies::count(&self.lexicon, [&self.left, &self.right]);
        Corpus { lexicon: self.lexicon, left: self.left, right: self.right, frequencies }
    }

    pub(crate) fn add_name(&mut self, side: Side, first: &str, middle: &str, last: &str, suffix: &str) {
        let (first, first_suffix) = self.lexicon.given(first);
        let (middle, middle_suffix) = self.lexicon.given(middle);
        let (last, last_suffix) = self.lexicon.surname(last);
        let own = if suffix.is_empty() { Suffix::None } else { normalise::parse_suffix(suffix) };
        let suffix = [own, last_suffix, first_suffix, middle_suffix]
            .into_iter()
            .find(|suffix| *suffix != Suffix::None)
            .unwrap_or_default();
        if !(first.is_none() && middle.is_none() && last.is_none()) {
            let table = self.table(side);
            add(&mut table.names, table.rows.last().map(|row| row.names), NameEntry { first, middle, last, suffix });
        }
    }

    pub(crate) fn add_birth_date(&mut self, side: Side, date: NaiveDate) {
        if let BirthDate::Known(code) = normalise::known_date(date) {
            self.add_birth_code(side, code);
        }
    }

    pub(crate) fn add_birth_code(&mut self, side: Side, code: DateCode) {
        let table = self.table(side);
        add(&mut table.births, table.rows.last().map(|row| row.births), code);
    }

    pub(crate) fn add_address(&mut self, side: Side, street: &str, town: &str, zip: &str) {
        let street = self.lexicon.street(street);
        let town = self.lexicon.town(town);
        let zip = normalise::parse_zip(zip).unwrap_or(NO_ZIP);
        if !(street.name.is_none() && town.is_none() && zip == NO_ZIP) {
            let table = self.table(side);
            add(&mut table.places, table.rows.last().map(|row| row.places), PlaceEntry { street, town, zip });
        }
    }

    pub(crate) fn add_sasid(&mut self, side: Side, sasid: &str) {
        if let Some(number) = normalise::parse_sasid(sasid) {
            let table = self.table(side);
            add(&mut table.sasids, table.rows.last().map(|row| row.sasids), number);
        }
    }

    /// Ends the person whose names, dates and addresses were added.
    pub(crate) fn close(&mut self, side: Side, id: &str, sex: &str, race: &str) {
        let race = self.lexicon.race(race);
        self.table(side).close(id, normalise::parse_sex(sex).unwrap_or(0), race);
    }

    fn table(&mut self, side: Side) -> &mut Table {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }
}

impl Corpus {
    /// Both sides at once, for callers that hold them in memory.
    pub fn of<'a>(left: impl IntoIterator<Item = &'a Person>, right: impl IntoIterator<Item = &'a Person>) -> Self {
        let mut builder = CorpusBuilder::new();
        left.into_iter().for_each(|person| builder.push(Side::Left, person));
        right.into_iter().for_each(|person| builder.push(Side::Right, person));
        builder.build()
    }

    /// Number of persons on a side.
    pub fn len(&self, side: Side) -> usize {
        self.table(side).len()
    }

    /// Whether a side has nobody.
    pub fn is_empty(&self, side: Side) -> bool {
        self.len(side) == 0
    }

    /// The caller's id of a person by position.
    pub fn id(&self, side: Side, index: u32) -> &str {
        self.table(side).id(index as usize)
    }

    pub(crate) fn table(&self, side: Side) -> &Table {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }
}
