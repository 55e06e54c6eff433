//! Rows about people who were erased by order: refused one by one, and never kept.

use std::{collections::BTreeSet, fmt, sync::Arc};

use history::{TombstoneKey, erase::list_buried_persons};
use model::Sea;
use pg::{Role, Tx};

use super::{Fate, LoadError, Tally, chunk::Sorted};
use crate::{Finding, Severity};

/// The tombstones of a state's people, held for one load.
#[derive(Clone)]
pub(crate) struct Buried {
    key: TombstoneKey,
    sea: Sea,
    hashes: Arc<BTreeSet<[u8; 32]>>,
    /// The lengths that erased identifiers have.
    lengths: Arc<BTreeSet<usize>>,
}

impl fmt::Debug for Buried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tombstones", self.hashes.len())
    }
}

impl Buried {
    pub(super) async fn load(tx: &mut Tx<'_, '_>, key: &TombstoneKey, sea: &Sea) -> Result<Self, LoadError> {
        tx.act_as(Role::Intake).await?;
        let (hashes, lengths) = list_buried_persons(tx).await?;
        Ok(Self { key: key.clone(), sea: sea.clone(), hashes: Arc::new(hashes), lengths: Arc::new(lengths) })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether this is the identifier of somebody erased.
    pub(crate) fn is(&self, id: &[u8]) -> bool {
        self.lengths.contains(&id.len()) && self.hashes.contains(&self.key.hash_person(&self.sea, id))
    }

    /// Whether such an identifier stands anywhere in bytes that could not be read. Every stretch of letters and digits of an identifier's length is
    /// tried: in a file of fixed positions nothing stands between two fields.
    pub(crate) fn is_in(&self, bytes: &[u8]) -> bool {
        let runs = bytes.split(|byte| !byte.is_ascii_alphanumeric());
        !self.is_empty()
            && runs
                .into_iter()
                .any(|run| self.lengths.iter().any(|length| run.windows(*length).any(|window| self.is(window))))
    }
}

/// What is said of such a row: its line, and nobody's name.
pub(crate) fn erased(line: u32) -> Finding {
    let message = "the record was erased by order and is not taken in again";
    Finding::new(line, "record.erased", Severity::Warning, message.to_owned())
}

/// Takes out of a chunk whatever is about somebody erased: each such row is quarantined without its bytes, and its findings go with it.
pub(super) fn sift(sorted: &mut Sorted, buried: &Buried, tally: &mut Tally, findings_max: usize) {
    if buried.is_empty() {
        return;
    }
    let mut refused = BTreeSet::new();
    let mut uncounted = Vec::new();
    sorted.rows.retain_mut(|row| {
        let before = row.members.len();
        row.members.retain(|member| !buried.is(member.state_id.expose().as_bytes()));
        if row.members.len() < before {
            refused.insert(row.line);
            row.keep = None;
        }
        let is_about = before > 0 && row.members.is_empty();
        if is_about {
            uncounted.push(row.record_type.clone());
        }
        !is_about
    });
    sorted.dependents.retain(|dependent| {
        let is_about = buried.is_in(dependent.raw.expose()) || buried.is_in(dependent.record.expose());
        if is_about {
            refused.insert(dependent.line);
            uncounted.push(dependent.record_type.clone());
        }
        !is_about
    });
    sorted.quarantine.retain(|(line, raw)| {
        let is_about = buried.is_in(raw.expose());
        if is_about {
            // Counted when it was rejected.
            refused.insert(*line);
        }
        !is_about
    });
    for record_type in &uncounted {
        tally.count(record_type, Fate::Quarantined, 1);
    }
    tally.found.forget(&refused);
    for line in &refused {
        tally.find(erased(*line), findings_max);
    }
    tally.erased.extend(refused);
}
