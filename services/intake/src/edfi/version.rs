//! Versions of the standard, as data: `layouts/edfi/<id>.toml` says how a version's names differ from those the reader knows.

use std::{
    collections::{BTreeMap, HashMap},
    sync::LazyLock,
};

use serde::Deserialize;

use super::node::Node;
use crate::xml::vocabulary::Vocabulary;

const TEXTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/edfi_versions.rs"));

static VERSIONS: LazyLock<Vec<Version>> = LazyLock::new(|| {
    TEXTS
        .iter()
        .map(|(layout, vocabulary)| {
            // Cannot fail: the texts are part of the program, and a test reads every one.
            #[expect(clippy::panic, reason = "a version of our own that cannot be read is a defect of the program")]
            let version = toml::from_str(layout).unwrap_or_else(|error| panic!("{error}"));
            #[expect(clippy::panic, reason = "a version of our own that cannot be read is a defect of the program")]
            let vocabulary = Vocabulary::read(vocabulary).unwrap_or_else(|error| panic!("{error}"));
            Version { vocabulary: Some(vocabulary), ..version }
        })
        .collect()
});

/// All versions, by id.
pub fn versions() -> &'static [Version] {
    &VERSIONS
}

/// The version of an id such as `edfi-5.2`; what follows a slash (the interchange) is passed over.
pub fn find_version(id: &str) -> Option<&'static Version> {
    let id = id.split('/').next().unwrap_or(id);
    versions().iter().find(|version| version.id == id)
}

/// The version whose files have this namespace.
pub(super) fn version_of_namespace(namespace: &str) -> Option<&'static Version> {
    versions().iter().find(|version| version.namespaces.iter().any(|known| known == namespace))
}

/// A version of the standard.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Its id, the first part of the layout in receipts.
    pub id: String,
    /// What it is, in words.
    pub title: String,
    /// `verified` against published deliveries, or `provisional`: made from the published schema alone.
    pub status: String,
    /// The namespaces of its files.
    pub namespaces: Vec<String>,
    /// Children from which an element takes its text, best first.
    #[serde(default)]
    descriptors: Vec<String>,
    /// Elements with another name, wherever they stand.
    #[serde(default)]
    names: HashMap<String, String>,
    /// Elements that stand elsewhere, in every record.
    #[serde(default)]
    paths: BTreeMap<String, String>,
    /// The records that are read.
    records: BTreeMap<String, RecordShape>,
    /// What its records may say.
    #[serde(skip)]
    vocabulary: Option<Vocabulary>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordShape {
    /// The record of 5.2 it is read as.
    #[serde(rename = "as")]
    kind: String,
    /// Elements that stand elsewhere in this record.
    #[serde(default)]
    paths: BTreeMap<String, String>,
}

impl Version {
    /// What records of this name are read as; `None`: they are passed over.
    pub(super) fn kind(&self, record: &str) -> Option<&str> {
        self.records.get(record).map(|shape| shape.kind.as_str())
    }

    /// Names of records and what each is read as.
    pub fn records(&self) -> impl Iterator<Item = (&str, &str)> {
        self.records.iter().map(|(name, shape)| (name.as_str(), shape.kind.as_str()))
    }

    /// The version as a page: which records are read, and what differs from 5.2.
    pub fn page(&self) -> String {
        let mut page =
            format!("{}: {} ({})\n\nNamespaces: {}\n", self.id, self.title, self.status, self.namespaces.join(", "));
        page.push_str("\nRecords that are read; all others are counted and passed over:\n");
        for (name, shape) in &self.records {
            let as_other = if *name == shape.kind { String::new() } else { format!(", as {} of 5.2", shape.kind) };
            page.extend(["  ", name, &as_other, "\n"]);
            for (from, to) in &shape.paths {
                page.extend(["    ", from, " is ", to, " of 5.2\n"]);
            }
        }
        let names: BTreeMap<&String, &String> = self.names.iter().collect();
        for (from, to) in names.into_iter().chain(&self.paths) {
            page.extend(["  everywhere: ", from, " is ", to, " of 5.2\n"]);
        }
        page.push_str(
            "\nThe files of the standard say nothing of which of two is the later one: a record takes the place of one of the same identity that was \
            loaded before it.\n",
        );
        let records: Vec<&str> = self.records.keys().map(String::as_str).collect();
        page + &self.vocabulary.as_ref().map(|vocabulary| vocabulary.page(&records)).unwrap_or_default()
    }

    /// What its records may say; `None` only while it is being read.
    pub(super) const fn vocabulary(&self) -> Option<&Vocabulary> {
        self.vocabulary.as_ref()
    }

    /// What the version calls an element that the reader knows under this name.
    pub(super) fn said<'a>(&'a self, name: &'a str) -> &'a str {
        let last = |path: &'a str| path.rsplit(['/', '@']).next().unwrap_or(path);
        let renamed = self.names.iter().find(|(_, known)| *known == name).map(|(own, _)| own.as_str());
        let moved = || {
            let shapes = self.records.values().flat_map(|shape| &shape.paths).chain(&self.paths);
            let mut moved = shapes.filter(|(_, to)| last(to) == name).map(|(from, _)| last(from));
            moved.next()
        };
        let record = || self.records.iter().find(|(_, shape)| shape.kind == name).map(|(own, _)| own.as_str());
        if self.records.contains_key(name) {
            return name;
        }
        renamed.or_else(moved).or_else(record).unwrap_or(name)
    }

    /// The record as 5.2 would have it.
    pub(super) fn normalise(&self, record: Node) -> Node {
        let shape = self.records.get(&record.name);
        let kind = shape.map_or_else(|| self.name(&record.name).to_owned(), |shape| shape.kind.clone());
        let mut record = self.rebuild(shape, record, "", "").made;
        record.name = kind;
        record
    }

    fn name<'a>(&'a self, name: &'a str) -> &'a str {
        self.names.get(name).map_or(name, String::as_str)
    }

    fn path<'s>(&'s self, shape: Option<&'s RecordShape>, path: &str) -> Option<&'s str> {
        shape.and_then(|shape| shape.paths.get(path)).or_else(|| self.paths.get(path)).map(String::as_str)
    }

    /// Rebuilds an element that stands at `path` in the version's record and at `target` in 5.2's.
    fn rebuild(&self, shape: Option<&RecordShape>, source: Node, path: &str, target: &str) -> Rebuilt {
        let name = target.rsplit('/').next().unwrap_or(target).to_owned();
        let mut rebuilt = Rebuilt { made: Node::new(name, source.place, Vec::new()), beside: Vec::new() };
        rebuilt.made.text = descriptor_value(source.text);
        for (attribute, value) in source.attributes {
            match self.path(shape, &format!("{path}@{attribute}")) {
                Some(to) => {
                    let name = to.rsplit('/').next().unwrap_or(to).to_owned();
                    let mut node = Node::new(name, source.place, Vec::new());
                    node.text = value;
                    rebuilt.put(target, to, node);
                }
                None => rebuilt.made.attributes.push((attribute, value)),
            }
        }
        for child in source.children {
            let child_path = join(path, &child.name);
            let to = match self.path(shape, &child_path) {
                Some(to) => to.to_owned(),
                None => join(target, self.name(&child.name)),
            };
            let had_children = !child.children.is_empty();
            let Rebuilt { made, beside } = self.rebuild(shape, child, &child_path, &to);
            let is_dissolved = had_children && made.text.is_empty() && made.children.is_empty();
            rebuilt.made.children.extend(beside);
            if !is_dissolved {
                rebuilt.put(target, &to, made);
            }
        }
        if rebuilt.made.text.is_empty() && !path.is_empty() {
            let said = self.descriptors.iter().find_map(|name| rebuilt.made.text_of(name));
            rebuilt.made.text = said.unwrap_or_default();
        }
        rebuilt
    }
}

/// An element rebuilt, and those in it that stand beside it in 5.2.
struct Rebuilt {
    made: Node,
    beside: Vec<Node>,
}

impl Rebuilt {
    /// Puts a child where it belongs: in this element, deeper in it, or beside it.
    fn put(&mut self, own: &str, to: &str, node: Node) {
        let inside =
            if own.is_empty() { Some(to) } else { to.strip_prefix(own).and_then(|rest| rest.strip_prefix('/')) };
        let Some(inside) = inside else {
            self.beside.push(node);
            return;
        };
        let mut at = &mut self.made;
        if let Some((around, _)) = inside.rsplit_once('/') {
            for name in around.split('/') {
                at = at.child_or_new(name, node.place);
            }
        }
        at.children.push(node);
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

/// A descriptor written as a URI counts as its value.
fn descriptor_value(text: String) -> String {
    let value = text.strip_prefix("uri://").and_then(|rest| rest.split_once("Descriptor#")).map(|(_, value)| value);
    value.map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::{super::records::converter, *};

    #[test]
    fn every_version_can_be_read_and_names_records_that_the_reader_knows() {
        let ids: Vec<&str> = versions().iter().map(|version| version.id.as_str()).collect();
        assert_eq!(ids, ["edfi-1.0", "edfi-2.2", "edfi-3", "edfi-4", "edfi-5.2"]);
        for version in versions() {
            for (name, kind) in version.records() {
                assert!(converter(kind).is_some(), "{}: {name} as {kind}", version.id);
            }
            assert!(matches!(version.status.as_str(), "verified" | "provisional"));
        }
    }

    #[test]
    fn no_namespace_belongs_to_two_versions() {
        let mut all: Vec<&String> = versions().iter().flat_map(|version| &version.namespaces).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn findings_name_elements_as_the_file_does() {
        fn check(version: &str, name: &str, expect: &str) {
            assert_eq!(find_version(version).map(|version| version.said(name)), Some(expect));
        }
        check("edfi-1.0", "StudentUniqueId", "StudentUniqueStateId");
        check("edfi-1.0", "StudentContactAssociation", "StudentParentAssociation");
        check("edfi-1.0", "ExitWithdrawDate", "ExitWithdrawDate");
        check("edfi-3/Parent", "ContactUniqueId", "ParentUniqueId");
        check("edfi-5.2", "ContactUniqueId", "ContactUniqueId");
    }
}
