//! Notices that two records of a file are about the same thing, in bounded memory.

use super::plan::RecordPlan;
use crate::{Finding, Severity};

/// Records remembered; later ones are compared with these, and not with each other.
const RECORDS_MAX: usize = 4_000_000;

/// Slots at first; twice as many whenever half of them are taken: at most 100 MB.
const SLOTS_MIN: usize = 1 << 10;

/// What the records of a file are about: an open table of digests, each with its line. Two different records share a digest by a
/// chance of 2^-64, which would cost a remark and nothing else.
#[derive(Default)]
pub(super) struct Repeats {
    /// Digests; 0 where none is.
    digests: Vec<u64>,
    lines: Vec<u32>,
    taken: usize,
}

impl Repeats {
    /// Says so if an earlier record of the file is about the same thing as this good one.
    pub(super) fn look(&mut self, plan: &RecordPlan<'_>, cells: &[&str], line: u32) -> Option<Finding> {
        if plan.key.is_empty() {
            return None;
        }
        let earlier = self.insert(digest(plan, cells), line)?;
        let fields = plan.key.iter().filter_map(|field| plan.record.fields.get(*field));
        let titles: Vec<&str> = fields.map(|field| field.title.as_str()).collect();
        let message = format!(
            "line {earlier} is about the same thing: the two agree in {}. The later one stands",
            titles.join(", ")
        );
        // Not a fault by itself: one file may report two changes of a student one after the other.
        Some(Finding::new(line, "record.repeated", Severity::Information, message))
    }

    /// Remembers a digest (not 0); gives the line of the one that is there already, which stays.
    fn insert(&mut self, digest: u64, line: u32) -> Option<u32> {
        if self.taken * 2 >= self.digests.len() && self.taken < RECORDS_MAX {
            self.grow();
        }
        let place = self.place(digest);
        let (slot, of_line) = (self.digests.get_mut(place)?, self.lines.get_mut(place)?);
        if *slot == digest {
            return Some(*of_line);
        }
        if self.taken < RECORDS_MAX {
            (*slot, *of_line) = (digest, line);
            self.taken += 1;
        }
        None
    }

    /// Where a digest is, or the free slot where it belongs: half of the slots are free.
    fn place(&self, digest: u64) -> usize {
        let mask = self.digests.len().saturating_sub(1);
        let mut place = digest as usize & mask;
        while self.digests.get(place).is_some_and(|slot| *slot != 0 && *slot != digest) {
            place = (place + 1) & mask;
        }
        place
    }

    fn grow(&mut self) {
        let slots = (self.digests.len() * 2).max(SLOTS_MIN);
        let digests = std::mem::replace(&mut self.digests, vec![0; slots]);
        let lines = std::mem::replace(&mut self.lines, vec![0; slots]);
        for (digest, line) in digests.into_iter().zip(lines).filter(|(digest, _)| *digest != 0) {
            let place = self.place(digest);
            if let (Some(slot), Some(of_line)) = (self.digests.get_mut(place), self.lines.get_mut(place)) {
                (*slot, *of_line) = (digest, line);
            }
        }
    }
}

/// A digest of what a record is about, never 0. It need not withstand an attack: who repeats records on purpose gains a remark.
fn digest(plan: &RecordPlan<'_>, cells: &[&str]) -> u64 {
    let mut digest = mixed(plan.number as u64 + 1);
    for field in &plan.key {
        let text = cells.get(*field).copied().unwrap_or_default();
        let (words, rest) = text.as_bytes().as_chunks::<8>();
        for word in words {
            digest = mixed(digest ^ u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        digest = mixed(digest ^ u64::from_le_bytes(last)) ^ text.len() as u64;
    }
    mixed(digest).max(1)
}

/// Spreads every bit over all of them (the finalizer of SplitMix64).
const fn mixed(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_found_again_however_much_it_is() {
        let mut repeats = Repeats::default();
        let digest = |line: u32| mixed(u64::from(line) + 1);
        for line in 1..=100_000 {
            assert_eq!(repeats.insert(digest(line), line), None);
        }
        for line in (1..=100_000).step_by(997) {
            assert_eq!(repeats.insert(digest(line), 200_000), Some(line));
        }
        assert!(repeats.digests.len() <= 1 << 18);
    }
}
