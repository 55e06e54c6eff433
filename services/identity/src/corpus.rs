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

impl NameEntry {
    const MISSING: Self = Self { first: NameId::NONE, middle: NameId::NONE, last: NameId::NONE, suffix: Suffix::None };
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

impl PlaceEntry {
    const MISSING: Self =
        Self { street: StreetIds { house: WordId::NONE, name: WordId::NONE }, town: WordId::NONE, zip: NO_ZIP };
}

/// A person in one cache line. Most people have one name, one birth date and one address, and comparing them reads
/// nothing else; who has more of anything has it in `Table::more`.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Row {
    name: NameEntry,
    place: PlaceEntry,
    sasid: u64,
    birth: DateCode,
    race: NameId,
    /// Position in `Table::more`, or `NO_MORE`.
    more: u32,
    sex: u8,
    has_name: bool,
    has_place: bool,
}

const NO_MORE: u32 = u32::MAX;
/// No birth date, no SASID.
const NONE: u32 = 0;

/// Everything of a person who has several of something.
#[derive(Default, Clone)]
struct More {
    names: Vec<NameEntry>,
    births: Vec<DateCode>,
    places: Vec<PlaceEntry>,
    sasids: Vec<u64>,
}

impl More {
    fn is_single(&self) -> bool {
        self.names.len() < 2 && self.births.len() < 2 && self.places.len() < 2 && self.sasids.len() < 2
    }

    fn clear(&mut self) {
        self.names.clear();
        self.births.clear();
        self.places.clear();
        self.sasids.clear();
    }
}

/// The persons of one side.
#[derive(Default)]
pub(crate) struct Table {
    id_text: String,
    id_end: Vec<u32>,
    rows: Vec<Row>,
    more: Vec<More>,
    /// The person whose names, dates, places and ids are being added.
    open: More,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn id(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.id_end[index - 1] as usize };
        &self.id_text[start..self.id_end[index] as usize]
    }

    pub(crate) fn sasids(&self, index: usize) -> &[u64] {
        let row = &self.rows[index];
        match self.more.get(row.more as usize) {
            Some(more) => &more.sasids,
            None => of_one(&row.sasid, row.sasid != u64::from(NONE)),
        }
    }

    pub(crate) fn names(&self, index: usize) -> &[NameEntry] {
        let row = &self.rows[index];
        match self.more.get(row.more as usize) {
            Some(more) => &more.names,
            None => of_one(&row.name, row.has_name),
        }
    }

    /// Whether there is no second name.
    pub(crate) fn has_one_name(&self, index: usize) -> bool {
        let row = &self.rows[index];
        row.has_name && row.more == NO_MORE
    }

    pub(crate) fn births(&self, index: usize) -> &[DateCode] {
        let row = &self.rows[index];
        match self.more.get(row.more as usize) {
            Some(more) => &more.births,
            None => of_one(&row.birth, row.birth != NONE),
        }
    }

    pub(crate) fn places(&self, index: usize) -> &[PlaceEntry] {
        let row = &self.rows[index];
        match self.more.get(row.more as usize) {
            Some(more) => &more.places,
            None => of_one(&row.place, row.has_place),
        }
    }

    /// `M`, `F`, `X`, or 0 when missing.
    pub(crate) fn sex(&self, index: usize) -> u8 {
        self.rows[index].sex
    }

    pub(crate) fn race(&self, index: usize) -> NameId {
        self.rows[index].race
    }

    /// Ends the open person.
    fn close(&mut self, id: &str, sex: u8, race: NameId) {
        let open = &mut self.open;
        let more = if open.is_single() { NO_MORE } else { self.more.len() as u32 };
        self.rows.push(Row {
            name: open.names.first().copied().unwrap_or(NameEntry::MISSING),
            place: open.places.first().copied().unwrap_or(PlaceEntry::MISSING),
            sasid: open.sasids.first().copied().unwrap_or(u64::from(NONE)),
            birth: open.births.first().copied().unwrap_or(NONE),
            race,
            more,
            sex,
            has_name: !open.names.is_empty(),
            has_place: !open.places.is_empty(),
        });
        if more != NO_MORE {
            self.more.push(open.clone());
        }
        open.clear();
        self.id_text.push_str(id);
        self.id_end.push(self.id_text.len() as u32);
    }
}

fn of_one<T>(item: &T, is_there: bool) -> &[T] {
    if is_there { std::slice::from_ref(item) } else { &[] }
}

fn add<T: PartialEq>(items: &mut Vec<T>, item: T) {
    if !items.contains(&item) {
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
            add(&mut self.table(side).open.names, NameEntry { first, middle, last, suffix });
        }
    }

    pub(crate) fn add_birth_date(&mut self, side: Side, date: NaiveDate) {
        if let BirthDate::Known(code) = normalise::known_date(date) {
            self.add_birth_code(side, code);
        }
    }

    pub(crate) fn add_birth_code(&mut self, side: Side, code: DateCode) {
        add(&mut self.table(side).open.births, code);
    }

    pub(crate) fn add_address(&mut self, side: Side, street: &str, town: &str, zip: &str) {
        let street = self.lexicon.street(street);
        let town = self.lexicon.town(town);
        let zip = normalise::parse_zip(zip).unwrap_or(NO_ZIP);
        if !(street.name.is_none() && town.is_none() && zip == NO_ZIP) {
            add(&mut self.table(side).open.places, PlaceEntry { street, town, zip });
        }
    }

    pub(crate) fn add_sasid(&mut self, side: Side, sasid: &str) {
        if let Some(number) = normalise::parse_sasid(sasid) {
            add(&mut self.table(side).open.sasids, number);
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
