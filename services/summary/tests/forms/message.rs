//! Reads a message back by what its contract says of it, and a record by what it says itself, both as paths with their values.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DescriptorPool, DynamicMessage, Kind, MessageDescriptor, ReflectMessage as _, Value as Field};
use serde_json::{Map, Value, json};

/// Paths with their values, as text.
pub type Leaves = BTreeMap<String, String>;

/// What the message calls otherwise than the record.
const OTHER_NAMES: [(&str, &str); 6] = [
    ("current", "summary"),
    ("withheld_labels", "withheld"),
    ("as_reported_date", "as_reported_on"),
    ("received_date", "received_on"),
    ("not_permitted_fields", "not_permitted"),
    ("language_code", "lang"),
];

fn contract() -> MessageDescriptor {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).expect("descriptors");
    pool.get_message_by_name("throughline.summary.v1.SchoolRecordsSummary").expect("the message")
}

/// What an encoded message says. The names of the fields that are filled go to `filled`.
pub fn read(bytes: &[u8], filled: &mut BTreeSet<String>) -> Leaves {
    let message = DynamicMessage::decode(contract(), bytes).expect("a message");
    assert_eq!(message.unknown_fields().count(), 0, "nothing is in it that the contract does not name");
    let mut leaves = Leaves::new();
    walk(&message, "", filled, &mut leaves);
    leaves
}

/// All fields that the message and what is in it can have; those of a day apart.
pub fn fields() -> BTreeSet<String> {
    let (mut names, mut open) = (BTreeSet::new(), vec![contract()]);
    while let Some(message) = open.pop() {
        for field in message.fields() {
            let is_new = names.insert(field.full_name().to_owned());
            if let (Kind::Message(inner), true) = (field.kind(), is_new)
                && inner.full_name() != "google.type.Date"
            {
                open.push(inner);
            }
        }
    }
    names
}

fn walk(message: &DynamicMessage, path: &str, filled: &mut BTreeSet<String>, leaves: &mut Leaves) {
    for (field, value) in message.fields() {
        filled.insert(field.full_name().to_owned());
        let name = OTHER_NAMES.iter().find(|(own, _)| *own == field.name()).map_or(field.name(), |(_, other)| *other);
        let path = if field.name() == "provenance" { path.to_owned() } else { join(path, name) };
        match (value, field.kind()) {
            (Field::List(items), _) => {
                for (at, item) in items.iter().enumerate() {
                    leaf(item, &format!("{path}[{at}]"), filled, leaves);
                }
            }
            (Field::EnumNumber(number), Kind::Enum(of)) => {
                let value = of.get_value(*number).expect("a value of the contract");
                let word = value.name().strip_prefix("BLOCK_STATE_").expect("a state").to_lowercase();
                leaves.insert(path, word);
            }
            (value, _) => leaf(value, &path, filled, leaves),
        }
    }
}

fn leaf(value: &Field, path: &str, filled: &mut BTreeSet<String>, leaves: &mut Leaves) {
    match value {
        Field::String(text) => drop(leaves.insert(path.to_owned(), text.clone())),
        Field::Message(inner) if inner.descriptor().full_name() == "google.type.Date" => {
            let part = |name| inner.get_field_by_name(name).and_then(|part| part.as_i32()).expect("a number");
            leaves.insert(path.to_owned(), format!("{:04}-{:02}-{:02}", part("year"), part("month"), part("day")));
        }
        Field::Message(inner) if inner.descriptor().name().ends_with("Value") => {
            let mut one = Leaves::new();
            walk(inner, "", filled, &mut one);
            let is_suppressed = inner.get_field_by_name("suppressed").and_then(|said| said.as_bool()) == Some(true);
            let value = if is_suppressed { "SUPPRESSED".to_owned() } else { one.remove("value").unwrap_or_default() };
            assert!(one.is_empty(), "{path}: what is suppressed has no value");
            leaves.insert(
                path.to_owned(),
                if inner.descriptor().name() == "NumberValue" { number(&value) } else { value },
            );
        }
        Field::Message(inner) => walk(inner, path, filled, leaves),
        Field::U32(number) => drop(leaves.insert(path.to_owned(), number.to_string())),
        Field::Bool(true) => {}
        other => panic!("{path}: {other:?}"),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A number as it reads, however it is written.
fn number(text: &str) -> String {
    text.parse::<f64>().map_or_else(|_| text.to_owned(), |number| number.to_string())
}

/// What a record says: its JSON, with what it leaves out because it is usual.
pub fn of_record(record: &Value) -> Leaves {
    let mut record = record.clone();
    record.as_object_mut().expect("an object").remove("format");
    for block in ["client", "summary"] {
        state(record[block].as_object_mut().expect("an object"));
    }
    for part in ["recent", "history"] {
        let blocks = record[part].as_object_mut().expect("an object").iter_mut();
        for (_, block) in blocks.filter(|(name, _)| *name != "tests_left_out") {
            if block.is_array() {
                *block = json!({"rows": block.take()});
            }
            state(block.as_object_mut().expect("an object"));
        }
    }
    let mut leaves = Leaves::new();
    flatten(&record, "", &mut leaves);
    leaves
}

fn state(block: &mut Map<String, Value>) {
    block.entry("state").or_insert_with(|| "reported".into());
}

fn flatten(value: &Value, path: &str, leaves: &mut Leaves) {
    match value {
        Value::Null => {}
        Value::Object(fields) if fields.contains_key("suppressed") => {
            leaves.insert(path.to_owned(), "SUPPRESSED".to_owned());
        }
        Value::Object(fields) => fields.iter().for_each(|(name, value)| flatten(value, &join(path, name), leaves)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| flatten(item, &format!("{path}[{at}]"), leaves));
        }
        Value::String(text) => drop(leaves.insert(path.to_owned(), text.clone())),
        other => drop(leaves.insert(path.to_owned(), number(&other.to_string()))),
    }
}
