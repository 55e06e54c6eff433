//! References by id that lead nowhere. Those that the exchange needs the reader refuses where it meets them; of the others somebody should
//! know, because the sender meant something by them.

use std::collections::HashSet;

use super::{index::Index, node::Node, version::Version};
use crate::{
    item::{Finding, Severity},
    xml::Place,
};

/// References remembered until their file ends. Of a file with more that look forward, the rest is not looked at.
const OPEN_MAX: usize = 100_000;

/// References to records that have not been read yet.
#[derive(Default)]
pub(super) struct OpenReferences {
    open: Vec<(String, Place, String)>,
    told: HashSet<(u32, Option<u32>)>,
}

impl OpenReferences {
    /// Remembers the references of a record that lead nowhere so far.
    pub fn note(&mut self, node: &Node, index: &Index) {
        for child in &node.children {
            if let Some(id) = child.attribute("ref").filter(|id| !index.knows_id(id))
                && self.open.len() < OPEN_MAX
            {
                self.open.push((id.to_owned(), child.place, child.name.clone()));
            }
            self.note(child, index);
        }
    }

    /// Findings that were given of a record.
    pub fn told(&mut self, findings: &[Finding]) {
        if !self.open.is_empty() {
            let told = findings.iter().filter(|finding| finding.rule == "reference.unresolved");
            self.told.extend(told.map(|finding| (finding.line, finding.column)).take(OPEN_MAX));
        }
    }

    /// What is to be said once the file has been read.
    pub fn unresolved(self, index: &Index, version: &Version) -> Vec<Finding> {
        let Self { open, told } = self;
        let is_open = |(id, place, _): &(String, Place, String)| {
            !index.knows_id(id) && !told.contains(&(place.line, Some(place.column)))
        };
        let finding = |(_, place, name): (String, Place, String)| Finding {
            line: place.line,
            column: Some(place.column),
            field: Some(version.said(&name).to_owned()),
            rule: "reference.unresolved".to_owned(),
            severity: Severity::Warning,
            message:
                "The reference names an id that no record of the file has; the exchange keeps nothing of what it names."
                    .to_owned(),
        };
        open.into_iter().filter(is_open).map(finding).collect()
    }
}
