//! From sections to messages.

use model::{Awaited, Certification, Domain, Row, Section, SectionState, Value};
use proto::{
    google::r#type::Date,
    history::v1::{self as pb, DisclosedHistory, Source},
};

/// Reads an element of a kind out of a row, as the message's field.
macro_rules! field {
    (Text, $row:expr, $name:expr) => {
        $row.find_text($name).map(str::to_owned)
    };
    (Integer, $row:expr, $name:expr) => {
        $row.find($name).and_then(model::Value::as_integer)
    };
    (Decimal, $row:expr, $name:expr) => {
        $row.find($name).and_then(model::Value::as_decimal).map(model::Decimal::to_f64)
    };
    (Date, $row:expr, $name:expr) => {
        $row.find_date($name).map(crate::wire::date)
    };
    (Boolean, $row:expr, $name:expr) => {
        $row.find($name).and_then(model::Value::as_boolean)
    };
    (TextList, $row:expr, $name:expr) => {
        crate::wire::texts($row.find($name))
    };
}
pub(crate) use field;

/// A day as a message.
pub fn date(day: chrono::NaiveDate) -> Date {
    use chrono::Datelike;
    Date { year: day.year(), month: day.month().cast_signed(), day: day.day().cast_signed() }
}

pub(crate) fn texts(value: Option<&Value>) -> Vec<String> {
    if let Some(Value::TextList(texts)) = value { texts.clone() } else { Vec::new() }
}

pub(crate) fn suppressed(row: &Row) -> Vec<String> {
    row.values.iter().filter(|(_, value)| **value == Value::Suppressed).map(|(name, _)| (*name).to_owned()).collect()
}

pub(crate) fn source(row: &Row) -> Source {
    Source {
        batch: row.source.batch.0,
        file: row.source.file.to_string(),
        line: i64::from(row.source.line),
        preliminary: row.certification == Certification::Preliminary,
    }
}

fn awaited(awaited: &Awaited) -> pb::AwaitedCollection {
    pb::AwaitedCollection {
        collection: awaited.collection.clone(),
        as_of_date: Some(date(awaited.as_of_on)),
        due_date: Some(date(awaited.due_on)),
        expected_of: awaited.expected_of.clone().unwrap_or_default(),
    }
}

/// Fills a message's sections and rows; its other fields are the caller's.
pub fn fill(message: &mut DisclosedHistory, sections: &[Section]) {
    for section in sections {
        let state = match section.state {
            SectionState::Reported => pb::SectionState::Reported,
            SectionState::NotReported => pb::SectionState::NotReported,
            SectionState::NotPermitted => pb::SectionState::NotPermitted,
        };
        message.sections.push(pb::Section {
            domain: section.domain.name().to_owned(),
            state: state.into(),
            withheld: section.withheld.iter().map(|name| (*name).to_owned()).collect(),
            awaited: section.awaited.as_ref().map(awaited),
        });
        let rows = section.rows.iter();
        match section.domain {
            Domain::Student => message.student = rows.map(crate::student::to_message).collect(),
            Domain::Enrollment => message.enrollment = rows.map(crate::enrollment::to_message).collect(),
            Domain::Mobility => message.mobility = rows.map(crate::mobility::to_message).collect(),
            Domain::Attendance => message.attendance = rows.map(crate::attendance::to_message).collect(),
            Domain::SpecialEducation => {
                message.special_education = rows.map(crate::special_education::to_message).collect();
            }
            Domain::Discipline => message.discipline = rows.map(crate::discipline::to_message).collect(),
            Domain::Assessment => message.assessment = rows.map(crate::assessment::to_message).collect(),
            Domain::Course => message.course = rows.map(crate::course::to_message).collect(),
            Domain::Contact => message.contact = rows.map(crate::contact::to_message).collect(),
            Domain::Program => message.program = rows.map(crate::program::to_message).collect(),
            Domain::Literacy => message.literacy = rows.map(crate::literacy::to_message).collect(),
        }
    }
}
