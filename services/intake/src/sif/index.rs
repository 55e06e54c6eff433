//! What objects of SIF call each other: RefIds, and what they stand for. Filled from a whole delivery before any object is
//! read, so that the order of its files and objects does not matter.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use crate::xml::Node;

/// About what an entry takes beside its text.
const AROUND: usize = 128;

/// The delivery describes more than can be remembered at once.
#[derive(Debug)]
pub(crate) struct IndexFull;

/// A school.
#[derive(Clone, Default)]
struct School {
    code: String,
    lea_ref_id: String,
}

/// What has been learned; one that was made by default learns nothing.
#[derive(Default)]
pub(crate) struct Index {
    students: HashMap<String, String>,
    exchanges: HashMap<String, String>,
    schools: HashMap<String, School>,
    leas: HashMap<String, String>,
    attendance: HashMap<String, (String, String)>,
    /// What all of it takes.
    bytes: usize,
    bytes_max: usize,
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

    /// An empty index of at most this many bytes (`Config::index_bytes_max`).
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, ..Self::default() }
    }

    /// Learns from an object; a later one of the same RefId replaces the earlier.
    pub fn learn(&mut self, node: &Node) -> Result<(), IndexFull> {
        let Some(ref_id) = node.attribute("RefId").map(str::to_owned) else {
            return Ok(());
        };
        let code = match node.name.as_str() {
            "StudentPersonal" | "StudentRecordExchange" => node.text_of("StateProvinceId"),
            "LEAInfo" | "SchoolInfo" => organization_code(node),
            "AttendanceCodeInfo" => Some(node.text_of("AttendanceType").unwrap_or_default()),
            _ => None,
        };
        let Some(code) = code else { return Ok(()) };
        let text = |name: &str| node.text_of(name).unwrap_or_default();
        let other = match node.name.as_str() {
            "SchoolInfo" => text("LEAInfoRefId"),
            "AttendanceCodeInfo" => text("AttendanceStatus"),
            _ => String::new(),
        };
        let around = ref_id.len() + AROUND;
        let bytes = around + code.len() + other.len();
        if self.bytes + bytes > self.bytes_max {
            return Err(IndexFull);
        }
        let old = match node.name.as_str() {
            "StudentPersonal" => self.students.insert(ref_id, code).map(|old| old.len()),
            "StudentRecordExchange" => self.exchanges.insert(ref_id, code).map(|old| old.len()),
            "LEAInfo" => self.leas.insert(ref_id, code).map(|old| old.len()),
            "SchoolInfo" => {
                let old = self.schools.insert(ref_id, School { code, lea_ref_id: other });
                old.map(|old| old.code.len() + old.lea_ref_id.len())
            }
            _ => self.attendance.insert(ref_id, (code, other)).map(|(kind, status)| kind.len() + status.len()),
        };
        self.bytes += bytes;
        self.bytes -= old.map_or(0, |old| old + around);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Place;

    fn student(ref_id: &str, state_id: &str) -> Node {
        let place = Place { line: 1, column: 1 };
        let mut node = Node::new("StudentPersonal".to_owned(), place, vec![("RefId".to_owned(), ref_id.to_owned())]);
        node.child_or_new("StateProvinceId", place).text = state_id.to_owned();
        node
    }

    #[test]
    fn what_is_remembered_is_bounded_by_its_bytes() {
        let mut index = Index::new(3 * (AROUND + 20));
        for number in 0..3 {
            index.learn(&student(&format!("{number:010}"), "9000000101")).expect("there is room");
        }
        assert!(matches!(index.learn(&student("000000000X", "9000000101")), Err(IndexFull)));
        assert_eq!((index.bytes, index.student("000000000X")), (index.bytes_max, None));
        // What takes another's place gives its room back, and what says nothing takes none.
        let mut index = Index::new(2 * (AROUND + 30));
        for state_id in ["9", "9000000101", "90", ""] {
            index.learn(&student("0000000001", state_id)).expect("there is room");
        }
        assert_eq!((index.bytes, index.student("0000000001")), (AROUND + 10 + 2, Some("90")));
    }
}
