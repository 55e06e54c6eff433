//! Stored payloads, and packs of facts, read by the domain's definition.

use std::{collections::HashSet, fmt, sync::Arc};

use chrono::NaiveDate;
use model::{
    BatchId, Certification, Domain, Element, Lineage, Payload, Period, SchoolYear, SourcePersonId, Value, ValueKind,
};
use serde::{
    Deserialize,
    de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value as Json;

use crate::{Definition, StoredFact, definition};

/// What a domain's definition does not know cannot have been stored. Names no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a stored {0} fact is not as the domain's definition says")]
pub struct ReadError(Domain);

/// Reads a payload out of its canonical JSON: every element is one of the domain's, and every value of its kind.
pub fn read_payload(domain: Domain, json: &str) -> Result<Payload, ReadError> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let payload = Object(definition(domain)).deserialize(&mut reader);
    payload.and_then(|payload| reader.end().map(|()| payload)).map_err(|_| ReadError(domain))
}

/// Names that many facts share, kept once.
#[derive(Debug, Default)]
pub struct Names(HashSet<Arc<str>>);

impl Names {
    /// The name, kept.
    pub fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let shared: Arc<str> = name.into();
        self.0.insert(Arc::clone(&shared));
        shared
    }
}

/// Reads the packed facts of a person in a domain: a JSON array with an array a fact, as `history.pack` describes it.
pub fn read_pack(
    person: SourcePersonId,
    domain: Domain,
    json: &str,
    names: &mut Names,
) -> Result<Vec<StoredFact>, ReadError> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let facts = reader.deserialize_seq(Pack { person, domain, names });
    facts.and_then(|facts| reader.end().map(|()| facts)).map_err(|_| ReadError(domain))
}

/// Reads an array of facts.
struct Pack<'n> {
    person: SourcePersonId,
    domain: Domain,
    names: &'n mut Names,
}

impl<'de> Visitor<'de> for Pack<'_> {
    type Value = Vec<StoredFact>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of facts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut facts: A) -> Result<Self::Value, A::Error> {
        let Self { person, domain, names } = self;
        let mut read = Vec::new();
        while let Some(fact) = facts.next_element_seed(PackedFact { person, domain, names })? {
            read.push(fact);
        }
        Ok(read)
    }
}

/// Reads one fact.
struct PackedFact<'n> {
    person: SourcePersonId,
    domain: Domain,
    names: &'n mut Names,
}

impl<'de> DeserializeSeed<'de> for PackedFact<'_> {
    type Value = StoredFact;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<StoredFact, D::Error> {
        reader.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for PackedFact<'_> {
    type Value = StoredFact;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a fact")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut columns: A) -> Result<StoredFact, A::Error> {
        let kind: String = next(&mut columns)?;
        let school_year: Option<i16> = next(&mut columns)?;
        let valid: (Option<NaiveDate>, Option<NaiveDate>) = (next_day(&mut columns)?, next_day(&mut columns)?);
        let lea: Option<String> = next(&mut columns)?;
        let facility: Option<String> = next(&mut columns)?;
        let certification: i16 = next(&mut columns)?;
        let line: i32 = next(&mut columns)?;
        let batch: i64 = next(&mut columns)?;
        let sea = self.names.shared(&next::<_, String>(&mut columns)?);
        let file = self.names.shared(&next::<_, String>(&mut columns)?);
        let (recorded_on, reported_on) = (next_day(&mut columns)?, next_day(&mut columns)?);
        let payload = columns.next_element_seed(Object(definition(self.domain)))?.ok_or_else(cut)?;
        if columns.next_element::<serde::de::IgnoredAny>()?.is_some() || recorded_on.is_none() {
            return Err(A::Error::custom("a fact of fourteen columns"));
        }
        let certification = if certification == 0 { Certification::Preliminary } else { Certification::Certified };
        let (batch, person) = (BatchId(batch), Some(self.person));
        Ok(StoredFact {
            source_person: self.person,
            sea: Arc::clone(&sea),
            domain: self.domain,
            kind,
            school_year: school_year.map(SchoolYear),
            valid: Period::new(valid.0, valid.1).map_err(A::Error::custom)?,
            lea,
            facility,
            certification,
            source: Lineage { batch, file, line: line.unsigned_abs(), recorded_on, reported_on, sea, person },
            concealed: false,
            payload,
        })
    }
}

fn cut<E: serde::de::Error>() -> E {
    E::custom("a fact has all its columns")
}

fn next<'de, A: SeqAccess<'de>, T: Deserialize<'de>>(columns: &mut A) -> Result<T, A::Error> {
    columns.next_element()?.ok_or_else(cut)
}

/// A day, counted from 1970: years have more than four digits in what some sources report.
fn next_day<'de, A: SeqAccess<'de>>(columns: &mut A) -> Result<Option<NaiveDate>, A::Error> {
    const DAYS_BEFORE_1970: i32 = 719_163;
    let Some(days) = next::<_, Option<i32>>(columns)? else { return Ok(None) };
    let day = days.checked_add(DAYS_BEFORE_1970).and_then(NaiveDate::from_num_days_from_ce_opt);
    day.map(Some).ok_or_else(|| A::Error::custom("a day of the calendar"))
}

/// Reads an object of elements.
struct Object(&'static Definition);

impl<'de> DeserializeSeed<'de> for Object {
    type Value = Payload;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Payload, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object {
    type Value = Payload;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of elements")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Payload, A::Error> {
        let mut payload = Payload::new();
        while let Some(name) = map.next_key::<String>()? {
            let element = self.0.find_element(&name).ok_or_else(|| A::Error::custom("an element of the domain"))?;
            payload.insert(name, map.next_value_seed(OfKind(element))?);
        }
        Ok(payload)
    }
}

/// Reads a value of an element's kind.
struct OfKind(&'static Element);

impl OfKind {
    fn read<E: serde::de::Error>(&self, json: &Json) -> Result<Value, E> {
        Value::from_json(json, self.0.kind).ok_or_else(|| E::custom("a value of the element's kind"))
    }
}

impl<'de> DeserializeSeed<'de> for OfKind {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        match self.0.kind {
            // Most values are texts: they are read without a detour.
            ValueKind::Text => reader.deserialize_any(self),
            _ => self.read(&serde::Deserialize::deserialize(reader)?),
        }
    }
}

impl<'de> Visitor<'de> for OfKind {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or a mark that it is suppressed")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Value, E> {
        Ok(Value::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        self.read(&serde::Deserialize::deserialize(MapAccessDeserializer::new(map))?)
    }
}

#[cfg(test)]
mod tests {
    use model::Decimal;

    use super::*;

    /// A value of a kind, by a number.
    fn value(kind: ValueKind, number: i64) -> Value {
        match kind {
            _ if number == 0 => Value::Suppressed,
            ValueKind::Text => Value::Text(format!("t\"\\\n\u{e9}{number}")),
            ValueKind::Integer => Value::Integer(number),
            ValueKind::Decimal => Value::Decimal(Decimal(number * 2_500)),
            ValueKind::Date => Value::Date(chrono::NaiveDate::default() + chrono::Days::new(number.unsigned_abs())),
            ValueKind::Boolean => Value::Boolean(number % 2 == 0),
            ValueKind::TextList => Value::TextList(vec!["a".to_owned(), format!("b{number}")]),
        }
    }

    #[test]
    fn every_element_is_read_as_it_was_written_and_nothing_else_is() {
        for domain in Domain::ALL {
            for number in [0, 1, 7, -3] {
                let elements = definition(domain).elements.iter();
                let payload: Payload = elements.map(|e| (e.name.to_owned(), value(e.kind, number))).collect();
                let mut json = String::new();
                Value::write_object(payload.iter().map(|(name, value)| (name.as_str(), value)), &mut json);
                assert_eq!(read_payload(domain, &json), Ok(payload));
            }
        }
        for wrong in [
            "",
            "[]",
            "{\"no_such_element\":\"a\"}",
            "{\"grade_level\":7}",
            "{\"grade_level\":null}",
            "{\"grade_level\":{\"suppressed\":false}}",
            "{\"grade_level\":{\"suppressed\":true,\"more\":1}}",
            "{\"entry_date\":\"2020-02-30\"}",
            "{\"grade_level\":\"07\"} and more",
        ] {
            assert_eq!(read_payload(Domain::Enrollment, wrong), Err(ReadError(Domain::Enrollment)), "{wrong}");
        }
        assert!(read_payload(Domain::Enrollment, "{\"grade_level\":\"07\"}").is_ok());
    }

    #[test]
    fn packs_are_read_whole_or_not_at_all() {
        let read = |json: &str| read_pack(SourcePersonId(7), Domain::Enrollment, json, &mut Names::default());
        let fact =
            "[\"register\",2016,16673,null,\"064\",null,1,12,3,\"ct\",\"a.txt\",20048,null,{\"grade_level\":\"07\"}]";
        let facts = read(&format!("[{fact}, {fact}]")).unwrap();
        let day = |text: &str| Some(text.parse::<NaiveDate>().unwrap());
        assert_eq!(facts.len(), 2);
        assert_eq!((facts[0].valid.from(), facts[0].valid.to()), (day("2015-08-26"), None));
        assert_eq!((facts[0].source.line, facts[0].source.recorded_on), (12, day("2024-11-21")));
        assert_eq!(facts[0].find_text("grade_level"), Some("07"));
        assert_eq!(read("[]"), Ok(Vec::new()));
        for wrong in [
            fact.to_owned(),
            "[[]]".to_owned(),
            format!("[{fact}"),
            format!("[{fact}]]"),
            format!("[{}]", fact.replace("16673", "2147483647")),
            format!("[{}]", fact.replace("20048", "null")),
            format!("[{}]", fact.replace("grade_level", "nothing")),
            format!("[{}]", fact.replace("}]", "},1]")),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }
}
