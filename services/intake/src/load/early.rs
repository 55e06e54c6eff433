//! Withdrawals that came before what they withdraw. A file that comes late must not bring back what its source has taken away.

use std::collections::{BTreeMap, BTreeSet};

use history::BatchInfo;
use model::Sea;
use pg::{Role, Tx};

use super::LoadError;
use crate::{Reference, store};

/// What was withdrawn and never stated, as a load goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Early {
    /// By earlier batches.
    earlier: BTreeSet<Reference>,
    /// By this one, with the line.
    own: BTreeMap<Reference, u32>,
    /// Withdrawals of earlier batches that have met their records.
    met: BTreeSet<Reference>,
}

impl Early {
    /// Those of all deliveries so far; few, for most deliveries come in their order.
    pub(super) async fn load(tx: &mut Tx<'_, '_>, sea: &Sea) -> Result<Self, LoadError> {
        tx.act_as(Role::Intake).await?;
        let earlier = store::kept::list_early_withdrawals(tx, sea).await?;
        Ok(Self { earlier, ..Self::default() })
    }

    /// Whether no record can meet one.
    pub(super) fn is_empty(&self) -> bool {
        self.earlier.is_empty() && self.own.is_empty()
    }

    /// Something is withdrawn that nobody has stated.
    pub(super) fn withdraw(&mut self, subjects: Vec<Reference>, line: u32) {
        for subject in subjects.into_iter().filter(|subject| !self.earlier.contains(subject)) {
            self.own.entry(subject).or_insert(line);
        }
    }

    /// A record states something. Whether an earlier batch had withdrawn it: once, for what is stated again after that stands, and so does
    /// what a file states after it has withdrawn it.
    pub(super) fn meets(&mut self, subject: Reference) -> bool {
        self.own.remove(&subject).is_none() && self.earlier.remove(&subject) && self.met.insert(subject)
    }

    /// Keeps them for the batches to come.
    pub(super) async fn store(&self, tx: &mut Tx<'_, '_>, info: &BatchInfo) -> Result<(), LoadError> {
        if self.own.is_empty() && self.met.is_empty() {
            return Ok(());
        }
        tx.act_as(Role::Intake).await?;
        store::kept::delete_early_withdrawals(tx, &info.sea, &self.met).await?;
        store::kept::insert_early_withdrawals(tx, &info.sea, info.batch, &self.own).await?;
        Ok(())
    }
}
