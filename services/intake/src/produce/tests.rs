//! What is produced: the sources' own criteria row by row, and files that come back as they were.

mod round_trips;
mod rules;

use std::collections::BTreeMap;

use chrono::NaiveDate;
use domains::definition;
use model::{
    BatchId, Certification, Domain, Lineage, Masked, Row, SchoolYear, Section, SectionState, SourcePersonId, Value,
};

use super::{Extent, Options, Producer, Remark};

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

/// A row of the first person, learned at a line.
fn row(domain: Domain, sea: &str, line: u32, year: Option<i16>, values: &[(&str, Value)]) -> Row {
    let name = |name: &str| definition(domain).find_element(name).expect("an element of the domain").name;
    Row {
        values: values.iter().map(|(element, value)| (name(element), value.clone())).collect::<BTreeMap<_, _>>(),
        school_year: year.map(SchoolYear),
        certification: Certification::Certified,
        source: Lineage {
            batch: BatchId(1),
            file: "invented".into(),
            line,
            recorded_on: None,
            reported_on: None,
            sea: sea.into(),
            person: Some(SourcePersonId(1)),
        },
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// One section a domain, all permitted.
fn sections(rows: Vec<(Domain, Row)>) -> Vec<Section> {
    let mut by_domain: BTreeMap<Domain, Vec<Row>> = BTreeMap::new();
    for (domain, row) in rows {
        by_domain.entry(domain).or_default().push(row);
    }
    Domain::ALL
        .into_iter()
        .map(|domain| Section {
            domain,
            state: SectionState::Reported,
            rows: by_domain.remove(&domain).unwrap_or_default(),
            withheld: Vec::new(),
            awaited: None,
        })
        .collect()
}

/// Takes an element out, as a disclosure does.
fn withhold(sections: &mut [Section], domain: Domain, element: &'static str) {
    for section in sections.iter_mut().filter(|section| section.domain == domain) {
        section.withheld.push(element);
        for row in &mut section.rows {
            row.values.remove(element);
        }
    }
}

/// The lines of a layout, sorted, without their ends; and what is said about them.
fn produced(layout: &str, options: Options, sections: &[Section]) -> (Vec<String>, Vec<Remark>) {
    let mut producer = Producer::begin(layout, options).expect("its state is known").expect("it can be produced");
    let mut lines: Vec<(usize, Vec<u8>)> = producer.produce(sections);
    lines.sort();
    let lines = lines.into_iter().map(|(_, line)| {
        let line = String::from_utf8(line).expect("text");
        line.trim_end_matches(['\r', '\n']).to_owned()
    });
    (lines.collect(), producer.remarks())
}
