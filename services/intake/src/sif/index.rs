//! What objects of SIF call each other: RefIds, and what they stand for. Filled from a whole delivery before any object is
//! read, so that the order of its files and objects does not matter.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use crate::xml::Node;

/// Bytes that the names of a delivery may take.
const BYTES_MAX: usize = 512 << 20;

/// The delivery describes more than can be remembered at once.
#[derive(Debug)]
pub(crate) struct IndexFull;

/// A school.
#[derive(Clone, Default)]
struct School {
    code: String,
    lea_ref_id: String,
}

/// What has been learned.
#[derive(Default)]
pub(crate) struct Index {
    students: HashMap<String, String>,
    exchanges: HashMap<String, String>,
    schools: HashMap<String, School>,
    leas: HashMap<String, String>,
    attendance: HashMap<String, (String, String)>,
    bytes: usize,
}

/// District and facility of a school.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Whereabouts {
    pub lea: Option<String>,
    pub facility: Option<String>,
}

/// The identifier of an organization: the state's, else its own, else the federal one.
pub(crate) fn organization_code(node: &Node) -> Option<String> {
    ["StateProvinceId", "LocalId", "NCESId"].iter().find_map(|name| node.text_of(name))
}

impl Index {
    /// Whether objects of this name are learned from.
    pub fn wants(name: &str) -> bool {
        matches!(name, "StudentPersonal" | "StudentRecordExchange" | "SchoolInfo" | "LEAInfo" | "AttendanceCodeInfo")
    }

    /// Learns from an object; a later one of the same RefId replaces the earlier.
    pub fn learn(&mut self, node: &Node) -> Result<(), IndexFull> {
        let Some(ref_id) = node.attribute("RefId").map(str::to_owned) else {
            return Ok(());
        };
        self.bytes += ref_id.len() + 128;
        if self.bytes > BYTES_MAX {
            return Err(IndexFull);
        }
        let state_id = || node.text_of("StateProvinceId");
        match node.name.as_str() {
            "StudentPersonal" => self.students.extend(state_id().map(|id| (ref_id, id))),
            "StudentRecordExchange" => self.exchanges.extend(state_id().map(|id| (ref_id, id))),
            "LEAInfo" => self.leas.extend(organization_code(node).map(|code| (ref_id, code))),
            "SchoolInfo" => self.schools.extend(organization_code(node).map(|code| {
                let lea_ref_id = node.text_of("LEAInfoRefId").unwrap_or_default();
                (ref_id, School { code, lea_ref_id })
            })),
            "AttendanceCodeInfo" => {
                let text = |name: &str| node.text_of(name).unwrap_or_default();
                self.attendance.insert(ref_id, (text("AttendanceType"), text("AttendanceStatus")));
            }
            _ => {}
        }
        Ok(())
    }

    /// What tells it from what another delivery describes; `None` if it describes nothing.
    pub fn digest(&self) -> Option<String> {
        let mut known: Vec<[&str; 4]> = Vec::new();
        known.extend(self.students.iter().map(|(ref_id, id)| ["student", ref_id, id, ""]));
        known.extend(self.exchanges.iter().map(|(ref_id, id)| ["exchange", ref_id, id, ""]));
        known.extend(self.leas.iter().map(|(ref_id, code)| ["lea", ref_id, code, ""]));
        known.extend(self.schools.iter().map(|(ref_id, of)| ["school", ref_id, &of.code, &of.lea_ref_id]));
        known.extend(self.attendance.iter().map(|(ref_id, (kind, status))| ["attendance", ref_id, kind, status]));
        known.sort_unstable();
        let mut hash = Sha256::new();
        for part in known.iter().flatten() {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        (!known.is_empty()).then(|| hex::encode(hash.finalize()).chars().take(12).collect())
    }

    /// The state's identifier of the student published under a RefId.
    pub fn student(&self, ref_id: &str) -> Option<&str> {
        self.students.get(ref_id).map(String::as_str)
    }

    /// The state's identifier of the student of a record exchange.
    pub fn exchange(&self, ref_id: &str) -> Option<&str> {
        self.exchanges.get(ref_id).map(String::as_str)
    }

    /// Where a school is.
    pub fn school(&self, ref_id: &str) -> Whereabouts {
        let Some(school) = self.schools.get(ref_id) else {
            return Whereabouts::default();
        };
        Whereabouts { lea: self.lea(&school.lea_ref_id), facility: Some(school.code.clone()) }
    }

    /// The code of a district.
    pub fn lea(&self, ref_id: &str) -> Option<String> {
        self.leas.get(ref_id).cloned()
    }

    /// Type and status that an attendance code stands for.
    pub fn attendance(&self, ref_id: &str) -> Option<(&str, &str)> {
        self.attendance.get(ref_id).map(|(kind, status)| (kind.as_str(), status.as_str()))
    }
}
