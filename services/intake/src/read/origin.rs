//! Whose file it is: the district that its records name beside the one that was to send it.

use super::plan::RecordPlan;
use crate::{Finding, Severity};

/// Who is to have sent a file. Nothing is asked of what is not told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender<'s> {
    /// The code of the reporting district, in the state's own digits; a longer code of one of its facilities means the district too.
    pub district: Option<&'s str>,
}

/// Records of another district, and none of the sender's, that make the file another district's.
const RECORDS_TO_JUDGE: u64 = 5;

/// What the districts named so far say about the file.
pub(super) struct Origin<'s> {
    sender: Sender<'s>,
    own: u64,
    other: u64,
}

impl<'s> Origin<'s> {
    pub(super) const fn new(sender: Sender<'s>) -> Self {
        Self { sender, own: 0, other: 0 }
    }

    /// Says so if a good record names another district than the sender.
    pub(super) fn look(&mut self, plan: &RecordPlan<'_>, cells: &[&str], line: u32) -> Option<Finding> {
        let expected = self.sender.district?;
        let index = plan.district?;
        let (field, named) = (plan.record.fields.get(index)?, cells.get(index).copied()?);
        if named.is_empty() {
            return None;
        }
        if named.starts_with(expected) || expected.starts_with(named) {
            self.own += 1;
            return None;
        }
        self.other += 1;
        let message = format!("the record is of district {named}, and the file is district {expected}'s");
        Some(Finding::new(line, "record.other_district", Severity::Error, message).at(plan.column(index), field))
    }

    /// Says so once it is plain that the file is another district's.
    pub(super) fn verdict(&self, has_ended: bool) -> Option<Finding> {
        let expected = self.sender.district?;
        let is_plain = self.own == 0 && (self.other >= RECORDS_TO_JUDGE || (has_ended && self.other > 0));
        let message = format!(
            "the records are of another district, and none is of {expected}, from which the file was expected: nothing of it is taken"
        );
        is_plain.then(|| Finding::new(0, "file.other_district", Severity::Fatal, message))
    }
}
