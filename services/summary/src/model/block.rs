//! Blocks: rows with their state, age and source.

use std::{collections::BTreeSet, fmt, marker::PhantomData};

use chrono::NaiveDate;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer},
};

use super::{ROWS_MAX, Record, TEXT_CHARS_MAX};

/// Whether a block could be filled, and why not. On paper the three reasons are three different sentences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Reported; without rows it was reported that there is nothing.
    #[default]
    Reported,
    /// Nobody has reported it.
    NotReported,
    /// The agreement does not permit it.
    NotPermitted,
    /// Reported, but suppressed by the source.
    Suppressed,
}

impl State {
    /// Whether it is [`State::Reported`].
    pub const fn is_reported(&self) -> bool {
        matches!(self, Self::Reported)
    }
}

/// A collection that was due by the report date and has not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Awaited {
    /// The collection and its school year, in words.
    #[serde(deserialize_with = "words")]
    pub collection: String,
    /// The day it tells of.
    #[serde(deserialize_with = "super::cell::day")]
    pub as_of: NaiveDate,
    /// The last day to send it.
    #[serde(deserialize_with = "super::cell::day")]
    pub due: NaiveDate,
    /// The district that has not reported it; `None`: it is the state's own to bring, or no district has.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "some_words")]
    pub expected_of: Option<String>,
}

fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.chars().count() <= TEXT_CHARS_MAX {
        Ok(text)
    } else {
        Err(D::Error::custom("expected at most 2,000 characters"))
    }
}

fn some_words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let is_short = text.as_ref().is_none_or(|text| text.chars().count() <= TEXT_CHARS_MAX);
    if is_short { Ok(text) } else { Err(D::Error::custom("expected at most 2,000 characters")) }
}

/// How old a block is, who reported it, and who has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The day it was last reported.
    pub as_reported_on: Option<NaiveDate>,
    /// The day it was last received, where the report gives no day of its own.
    pub received_on: Option<NaiveDate>,
    /// Who reported it: a school, a district, the state.
    pub reported_by: Option<String>,
    /// The latest collection that was due, where it has not come.
    pub awaited: Option<Awaited>,
}

/// The rows of a block, or why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<T> {
    /// The rows; none means "none recorded".
    Reported(Vec<T>),
    /// Nobody has reported it.
    NotReported,
    /// The agreement does not permit it.
    NotPermitted,
    /// Suppressed by the source.
    Suppressed,
}

/// One block of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block<T> {
    /// The rows, or why there are none.
    pub content: Content<T>,
    /// Age and source.
    pub provenance: Provenance,
    /// Fields of the rows that the agreement does not permit; no row has a value in them.
    pub not_permitted: BTreeSet<String>,
}

impl<T> Default for Block<T> {
    fn default() -> Self {
        Self { content: Content::NotReported, provenance: Provenance::default(), not_permitted: BTreeSet::new() }
    }
}

impl<T> From<Vec<T>> for Block<T> {
    fn from(rows: Vec<T>) -> Self {
        Self { content: Content::Reported(rows), ..Self::default() }
    }
}

impl<T> Block<T> {
    /// The rows; none when it was not reported, not permitted or suppressed.
    pub fn rows(&self) -> &[T] {
        if let Content::Reported(rows) = &self.content { rows } else { &[] }
    }

    /// The state.
    pub const fn state(&self) -> State {
        match self.content {
            Content::Reported(_) => State::Reported,
            Content::NotReported => State::NotReported,
            Content::NotPermitted => State::NotPermitted,
            Content::Suppressed => State::Suppressed,
        }
    }
}

/// The object form of a block.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "T: Deserialize<'de>"))]
struct Form<T> {
    #[serde(default)]
    state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    as_reported_on: Option<NaiveDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    received_on: Option<NaiveDate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reported_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    awaited: Option<Awaited>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    not_permitted: BTreeSet<String>,
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    rows: Vec<T>,
}

impl<T: Record> Form<T> {
    fn into_block(self) -> Result<Block<T>, &'static str> {
        let content = match (self.state, self.rows.is_empty()) {
            (State::Reported, _) => Content::Reported(self.rows),
            (State::NotReported, true) => Content::NotReported,
            (State::NotPermitted, true) => Content::NotPermitted,
            (State::Suppressed, true) => Content::Suppressed,
            _ => return Err("expected no rows, because the state is not `reported`"),
        };
        let block = Block {
            content,
            provenance: Provenance {
                as_reported_on: self.as_reported_on,
                received_on: self.received_on,
                reported_by: self.reported_by,
                awaited: self.awaited,
            },
            not_permitted: self.not_permitted,
        };
        block.rows().iter().try_for_each(|row| check_not_permitted(row, &block.not_permitted))?;
        if block.provenance.reported_by.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX) {
            return Err("expected at most 2,000 characters in `reported_by`");
        }
        if block.not_permitted.iter().any(|name| !T::FIELDS.contains(&name.as_str())) {
            return Err("expected names of this block's fields in `not_permitted`");
        }
        Ok(block)
    }
}

/// A field named as not permitted has no value, whoever filled the record.
pub(super) fn check_not_permitted<T: Record>(record: &T, names: &BTreeSet<String>) -> Result<(), &'static str> {
    let clean = names.iter().all(|name| record.find_field(name).is_none_or(|field| field.is_absent()));
    if clean { Ok(()) } else { Err("expected no value in a field that `not_permitted` names") }
}

impl<T: Serialize + Clone> Serialize for Block<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.provenance == Provenance::default() && self.not_permitted.is_empty() && self.state() == State::Reported
        {
            return self.rows().serialize(serializer);
        }
        Form {
            state: self.state(),
            as_reported_on: self.provenance.as_reported_on,
            received_on: self.provenance.received_on,
            reported_by: self.provenance.reported_by.clone(),
            awaited: self.provenance.awaited.clone(),
            not_permitted: self.not_permitted.clone(),
            rows: self.rows().to_vec(),
        }
        .serialize(serializer)
    }
}

impl<'de, T: Record + Deserialize<'de>> Deserialize<'de> for Block<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let block = deserializer.deserialize_any(BlockVisitor(PhantomData))?;
        if block.rows().len() > ROWS_MAX {
            return Err(D::Error::custom(format_args!("expected at most {ROWS_MAX} rows")));
        }
        Ok(block)
    }
}

struct BlockVisitor<T>(PhantomData<T>);

impl<'de, T: Record + Deserialize<'de>> Visitor<'de> for BlockVisitor<T> {
    type Value = Block<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows, or an object with rows, state, as_reported_on, received_on, reported_by, awaited and not_permitted")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, rows: A) -> Result<Block<T>, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(rows)).map(Block::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Block<T>, A::Error> {
        Form::deserialize(MapAccessDeserializer::new(map))?.into_block().map_err(A::Error::custom)
    }
}
