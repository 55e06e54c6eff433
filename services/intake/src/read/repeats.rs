//! Notices that two records of a file are about the same thing, in bounded memory.

use super::plan::RecordPlan;
use crate::{Finding, Severity};

/// Records remembered; later ones are compared with these, and not with each other.
const RECORDS_MAX: usize = 4_000_000;

/// Slots at first; twice as many whenever half of them are taken: at most 100 MB.
const SLOTS_MIN: usize = 1 << 10;

/// Slots in which the records of one person are looked for side by side; further ones of the same person stand anywhere.
const NEAR_MAX: usize = 64;

/// Bits of a digest that are the person's, before those of the whole key.
const PERSON_BITS: u32 = 24;

/// What the records of a file are about: an open table of digests, each with its line. The records of a person mostly come one after
/// the other, so they stand side by side: a large table costs a wait for memory for each place elsewhere. Two different records share a digest by a
/// chance of 2^-64, of one person 2^-40, which would cost a remark and nothing else.
#[derive(Default)]
pub(super) struct Repeats {
    slots: Vec<Slot>,
    taken: usize,
}

/// A digest, in halves so that a slot has no gap, and its line.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Slot {
    /// 0 where none is.
    digest: [u32; 2],
    line: u32,
}

impl Slot {
    const fn new(digest: u64, line: u32) -> Self {
        Self { digest: [(digest >> 32) as u32, digest as u32], line }
    }

    const fn digest(self) -> u64 {
        (self.digest[0] as u64) << 32 | self.digest[1] as u64
    }
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
        if self.taken * 2 >= self.slots.len() && self.taken < RECORDS_MAX {
            self.grow();
        }
        let place = self.place(digest);
        let slot = self.slots.get_mut(place)?;
        if slot.digest() == digest {
            return Some(slot.line);
        }
        if self.taken < RECORDS_MAX {
            *slot = Slot::new(digest, line);
            self.taken += 1;
        }
        None
    }

    /// Where a digest is, or the free slot where it belongs: half of the slots are free.
    fn place(&self, digest: u64) -> usize {
        let mask = self.slots.len().saturating_sub(1);
        let is_elsewhere =
            |place: usize| self.slots.get(place).is_some_and(|slot| slot.digest() != 0 && slot.digest() != digest);
        let near = ((digest >> (u64::BITS - PERSON_BITS)) as usize) << 4;
        let near = (near..near + NEAR_MAX).map(|place| place & mask).find(|place| !is_elsewhere(*place));
        near.unwrap_or_else(|| {
            let mut place = mixed(digest) as usize & mask;
            while is_elsewhere(place) {
                place = (place + 1) & mask;
            }
            place
        })
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() * 2).max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); slots]);
        for taken in old.into_iter().filter(|slot| slot.digest() != 0) {
            let place = self.place(taken.digest());
            if let Some(slot) = self.slots.get_mut(place) {
                *slot = taken;
            }
        }
    }
}

/// A digest of what a record is about, never 0: some bits of whom, the others of all of it. It need not withstand an attack: who repeats
/// records on purpose gains a remark.
fn digest(plan: &RecordPlan<'_>, cells: &[&str]) -> u64 {
    let text = |field: usize| cells.get(field).copied().unwrap_or_default();
    let all = plan.key.iter().fold(mixed(plan.number as u64 + 1), |digest, field| digest_of(digest, text(*field)));
    let whose = plan.record.meaning.person.map_or(all, |field| digest_of(1, text(field)));
    let rest = u64::BITS - PERSON_BITS;
    (mixed(whose) >> rest << rest | mixed(all) >> PERSON_BITS).max(1)
}

fn digest_of(digest: u64, text: &str) -> u64 {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let digest = words.iter().fold(digest, |digest, word| mixed(digest ^ u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    mixed(digest ^ u64::from_le_bytes(last)) ^ text.len() as u64
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
        // A tenth of the records are one person's.
        let whose = |line: u32| if line.is_multiple_of(10) { 0 } else { mixed(u64::from(line)) >> 40 << 40 };
        let digest = |line: u32| whose(line) | (mixed(u64::from(line) + 1) >> 24);
        for line in 1..=100_000 {
            assert_eq!(repeats.insert(digest(line), line), None);
        }
        for line in (1..=100_000).step_by(7) {
            assert_eq!(repeats.insert(digest(line), 200_000), Some(line));
        }
        assert!(repeats.slots.len() <= 1 << 18);
    }
}
