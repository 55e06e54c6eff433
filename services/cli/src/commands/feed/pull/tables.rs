//! The tables of a copy, taken from the contract itself: one for the disclosures, one a repeated message, a column a field.

use anyhow::{Context as _, bail};
use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage as _,
    Value as Wire,
};

/// A value of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Text(String),
    Integer(i64),
    Real(f64),
    Boolean(bool),
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Text,
    Day,
    Integer,
    Real,
    Boolean,
}

pub struct Column {
    pub name: String,
    pub kind: Type,
}

pub struct Table {
    pub name: String,
    /// The first names the client.
    pub columns: Vec<Column>,
}

pub struct Tables {
    history: MessageDescriptor,
    /// The table of disclosures, then those of repeated messages, in the order of the contract.
    pub all: Vec<Table>,
}

/// One client's rows, table by table.
#[derive(Debug)]
pub struct Rows {
    pub person: String,
    pub rows: Vec<(usize, Vec<Value>)>,
}

const PERSON: &str = "person_id";
const HISTORY: &str = "throughline.history.v1.DisclosedHistory";

impl Tables {
    pub fn load() -> anyhow::Result<Self> {
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).context("the contract cannot be read")?;
        let history = pool.get_message_by_name(HISTORY).context("the contract has no history")?;
        let mut all = vec![Table { name: "disclosures".to_owned(), columns: columns(&history, "") }];
        for field in history.fields().filter(FieldDescriptor::is_list) {
            let Kind::Message(message) = field.kind() else { continue };
            let mut columns = columns(&message, "");
            columns.insert(0, Column { name: PERSON.to_owned(), kind: Type::Text });
            all.push(Table { name: field.name().to_owned(), columns });
        }
        Ok(Self { history, all })
    }

    /// The rows of a history, given as it was sent.
    pub fn rows(&self, bytes: &[u8]) -> anyhow::Result<Rows> {
        let message = DynamicMessage::decode(self.history.clone(), bytes).context("a history cannot be read")?;
        let person = match message.get_field_by_name(PERSON).as_deref() {
            Some(Wire::String(person)) if !person.is_empty() => person.clone(),
            _ => bail!("a history names no client"),
        };
        let mut rows = vec![(0, values(&message))];
        let lists = self.history.fields().filter(|field| field.is_list() && matches!(field.kind(), Kind::Message(_)));
        for (table, field) in (1..).zip(lists) {
            let of_field = message.get_field(&field);
            for item in of_field.as_list().unwrap_or_default() {
                let Some(item) = item.as_message() else { continue };
                let mut row = vec![Value::Text(person.clone())];
                row.extend(values(item));
                rows.push((table, row));
            }
        }
        Ok(Rows { person, rows })
    }
}

/// The columns of a message: lists of messages apart, which are tables; messages within it by their fields.
fn columns(message: &MessageDescriptor, before: &str) -> Vec<Column> {
    let mut all = Vec::new();
    for field in message.fields() {
        let name = format!("{before}{}", field.name());
        let kind = match field.kind() {
            Kind::Message(_) if field.is_list() => continue,
            Kind::Message(inner) => match inner.full_name() {
                "google.type.Date" => Type::Day,
                "google.protobuf.Timestamp" => Type::Text,
                _ => {
                    all.extend(columns(&inner, &format!("{name}_")));
                    continue;
                }
            },
            _ if field.is_list() => Type::Text,
            Kind::Bool => Type::Boolean,
            Kind::Double | Kind::Float => Type::Real,
            Kind::String | Kind::Bytes | Kind::Enum(_) => Type::Text,
            _ => Type::Integer,
        };
        all.push(Column { name, kind });
    }
    all
}

fn values(message: &DynamicMessage) -> Vec<Value> {
    let mut all = Vec::new();
    for field in message.descriptor().fields() {
        match field.kind() {
            Kind::Message(_) if field.is_list() => {}
            Kind::Message(inner) if !matches!(inner.full_name(), "google.type.Date" | "google.protobuf.Timestamp") => {
                let value = message.get_field(&field);
                match value.as_message() {
                    Some(item) if message.has_field(&field) => all.extend(values(item)),
                    _ => all.extend(columns(&inner, "").iter().map(|_| Value::Null)),
                }
            }
            _ => all.push(value(message, &field)),
        }
    }
    all
}

fn value(message: &DynamicMessage, field: &FieldDescriptor) -> Value {
    let is_absent =
        !message.has_field(field) && (field.supports_presence() || field.cardinality() == Cardinality::Repeated);
    if is_absent {
        return Value::Null;
    }
    match (&*message.get_field(field), field.kind()) {
        (Wire::String(text), _) => Value::Text(text.clone()),
        (Wire::Bool(flag), _) => Value::Boolean(*flag),
        (Wire::I64(number), _) => Value::Integer(*number),
        (Wire::I32(number), _) => Value::Integer(i64::from(*number)),
        (Wire::F64(number), _) => Value::Real(*number),
        (Wire::EnumNumber(number), Kind::Enum(names)) => {
            let name = names.get_value(*number).map_or_else(|| number.to_string(), |value| value.name().to_owned());
            Value::Text(short(&name, names.name()))
        }
        (Wire::List(items), _) => {
            let texts: Vec<&str> = items.iter().filter_map(Wire::as_str).collect();
            if texts.is_empty() { Value::Null } else { Value::Text(texts.join("; ")) }
        }
        (Wire::Message(item), Kind::Message(inner)) if inner.full_name() == "google.type.Date" => {
            let part = |name: &str| item.get_field_by_name(name).and_then(|part| part.as_i32()).unwrap_or_default();
            Value::Text(format!("{:04}-{:02}-{:02}", part("year"), part("month"), part("day")))
        }
        (Wire::Message(item), _) => {
            let seconds = item.get_field_by_name("seconds").and_then(|part| part.as_i64()).unwrap_or_default();
            let nanos = item.get_field_by_name("nanos").and_then(|part| part.as_i32()).unwrap_or_default();
            let at = chrono::DateTime::from_timestamp(seconds, nanos.unsigned_abs());
            at.map_or(Value::Null, |at| Value::Text(at.to_rfc3339()))
        }
        _ => Value::Null,
    }
}

/// `SECTION_STATE_NOT_REPORTED` of `SectionState` as `not_reported`.
fn short(name: &str, of: &str) -> String {
    let mut prefix = String::new();
    for (at, letter) in of.chars().enumerate() {
        if at > 0 && letter.is_uppercase() {
            prefix.push('_');
        }
        prefix.extend(letter.to_uppercase());
    }
    prefix.push('_');
    name.strip_prefix(&prefix).unwrap_or(name).to_lowercase()
}

/// A day as text.
pub fn day(date: proto::google::r#type::Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}
