//! Deliveries read whole: small invented ones of our own, and the public data sets where they are at hand.

mod deliveries;
mod own;
mod refusals;
mod seeded;
mod versions;

use std::{ops::ControlFlow, path::Path};

use model::{Domain, Fact, Value};

use super::{Config, Counts, Expected, FileSummary, Index, Interchange, read_delivery, read_interchange};
use crate::item::{Finding, Item};

/// All items of a delivery, with the name of the file each comes from.
struct Reading {
    items: Vec<(String, Item)>,
    summaries: Vec<FileSummary>,
}

impl Reading {
    fn of(control: &Path, index: &mut Index) -> Self {
        let mut items = Vec::new();
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let summaries = read_delivery(control, index, &Config::default(), &mut |path, item| {
            items.push((name(path), item));
            ControlFlow::Continue(())
        })
        .expect("the delivery can be read");
        Self { items, summaries }
    }

    /// The facts of a domain, with the person each is about.
    fn facts(&self, domain: Domain) -> Vec<(&str, &Fact)> {
        self.items.iter().flat_map(|(_, item)| facts_of(item)).filter(|(_, fact)| fact.domain == domain).collect()
    }

    fn findings(&self) -> Vec<(&str, &Finding)> {
        self.items
            .iter()
            .flat_map(|(file, item)| findings_of(item).into_iter().map(move |finding| (file.as_str(), finding)))
            .collect()
    }
}

fn facts_of(item: &Item) -> Vec<(&str, &Fact)> {
    match item {
        Item::Person { state_id, facts, .. } => facts.iter().map(|fact| (state_id.expose().as_str(), fact)).collect(),
        Item::Joint(members) => members.iter().flat_map(facts_of).collect(),
        Item::Dependent(dependent) => dependent.told.iter().flat_map(|told| facts_of(told)).collect(),
        _ => Vec::new(),
    }
}

/// Facts that an item withdraws.
fn withdrawn(item: &Item) -> &[Fact] {
    match item {
        Item::Retracted { facts, .. } => facts,
        _ => &[],
    }
}

fn findings_of(item: &Item) -> Vec<&Finding> {
    match item {
        Item::Person { findings, .. } | Item::Organization { findings, .. } | Item::Rejected { findings, .. } => {
            findings.iter().collect()
        }
        Item::File(finding) => vec![finding],
        Item::Joint(members) => members.iter().flat_map(findings_of).collect(),
        Item::Dependent(dependent) => {
            dependent.findings.iter().chain(dependent.told.iter().flat_map(|told| findings_of(told))).collect()
        }
        Item::Passed { .. } | Item::Described { .. } | Item::Retracted { .. } => Vec::new(),
    }
}

/// A finding in short.
fn said_of(finding: &Finding) -> String {
    format!("{:?}: {} {}", finding.severity, finding.field.as_deref().unwrap_or("-"), finding.rule).to_lowercase()
}

/// An item, or what can be told of one that rests on others.
fn told(item: &Item) -> &Item {
    match item {
        Item::Dependent(dependent) => dependent.told.as_deref().unwrap_or(item),
        item => item,
    }
}

/// Nothing is known of the file.
const fn anything() -> Expected {
    Expected { interchange: Interchange::Other, version: None }
}

/// Reads one text as an interchange.
fn read_text(text: &str, index: &mut Index) -> (Vec<Item>, Counts) {
    read_with(text.as_bytes(), index, &Config::default())
}

fn read_with(mut bytes: &[u8], index: &mut Index, config: &Config) -> (Vec<Item>, Counts) {
    let mut items = Vec::new();
    let counts = read_interchange(anything(), &mut bytes, index, config, &mut |item| {
        items.push(item);
        ControlFlow::Continue(())
    })
    .expect("bytes in memory can be read");
    (items, counts)
}

/// An interchange around some records.
fn interchange(name: &str, records: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<Interchange{name} xmlns=\"http://ed-fi.org/0100\">\n{records}\n</Interchange{name}>\n"
    )
}

/// An element of a fact as text.
fn plain(fact: &Fact, element: &str) -> Option<String> {
    fact.payload.get(element).map(Value::to_plain)
}
