//! From blocking keys to scored candidates: for each record of the smaller side, those of the larger worth keeping.

use rayon::prelude::*;

use crate::block::{Index, PASSES, PassCount, Tier};
use crate::compare::{Comparer, Features, LikenessCache};
use crate::config::Config;
use crate::corpus::{Corpus, Side};
use crate::levels::{birth, field, first};
use crate::weights::Weights;

/// A candidate that scored high enough to matter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// Position on the larger side.
    pub record: u32,
    pub bits: f64,
    pub features: Features,
}

/// The candidates of one record of the smaller side, best first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Candidates {
    pub kept: Vec<Candidate>,
    /// Summed odds of those that were cut.
    pub rest: f64,
}

/// Odds (against "not in the larger file") under which a candidate is not worth keeping.
const ODDS_MIN: f64 = 1e-5;
/// Share of the odds from which the first passes settle a record.
const SETTLED: f64 = 0.9999;
const CHUNK: usize = 256;

/// Gathers candidates with one set of weights.
pub(crate) struct Gatherer<'a> {
    pub corpus: &'a Corpus,
    pub index: &'a Index<'a>,
    pub weights: &'a Weights,
    pub config: &'a Config,
}

struct Scratch {
    cache: LikenessCache,
    ids: Vec<u32>,
    more: Vec<u32>,
    counts: [PassCount; PASSES.len()],
}

impl Gatherer<'_> {
    /// Candidates of the given records, in their order, and what each pass brought.
    pub(crate) fn gather(&self, records: &[u32]) -> (Vec<Candidates>, [PassCount; PASSES.len()]) {
        let chunks: Vec<_> = records
            .par_chunks(CHUNK)
            .map(|chunk| {
                let mut scratch = Scratch {
                    cache: LikenessCache::new(),
                    ids: Vec::new(),
                    more: Vec::new(),
                    counts: [PassCount::default(); PASSES.len()],
                };
                let found: Vec<_> = chunk.iter().map(|record| self.of(*record, &mut scratch)).collect();
                (found, scratch.counts)
            })
            .collect();
        let mut all = Vec::with_capacity(records.len());
        let mut counts = [PassCount::default(); PASSES.len()];
        for (found, chunk_counts) in chunks {
            all.extend(found);
            for (sum, count) in counts.iter_mut().zip(chunk_counts) {
                sum.pairs += count.pairs;
                sum.skipped += count.skipped;
            }
        }
        (all, counts)
    }

    fn of(&self, record: u32, scratch: &mut Scratch) -> Candidates {
        let mut kept = Vec::new();
        self.index.candidates(record, Tier::Always, &mut scratch.counts, &mut scratch.ids);
        self.warm(&scratch.ids);
        for id in &scratch.ids {
            self.score(record, *id, &mut scratch.cache, &mut kept);
        }
        if !self.is_settled(&kept) {
            self.index.candidates(record, Tier::InDoubt, &mut scratch.counts, &mut scratch.more);
            self.warm(&scratch.more);
            for id in scratch.more.iter().filter(|id| scratch.ids.binary_search(id).is_err()) {
                self.score(record, *id, &mut scratch.cache, &mut kept);
            }
        }
        kept.sort_unstable_by(|a: &Candidate, b| b.bits.total_cmp(&a.bits).then(a.record.cmp(&b.record)));
        let (mut place, mut rest) = (0, 0.0);
        kept.retain(|candidate| {
            place += 1;
            let stays = place <= self.config.candidates_per_record_max || candidate.features.is_same_state_id();
            rest += if stays { 0.0 } else { self.odds(candidate) };
            stays
        });
        Candidates { kept, rest }
    }

    /// Touches the candidates' rows and names, so that the memory fetches them side by side and not one after the other.
    fn warm(&self, candidates: &[u32]) {
        let table = match self.index.asking() {
            Side::Left => self.corpus.table(Side::Right),
            Side::Right => self.corpus.table(Side::Left),
        };
        let lexicon = &self.corpus.lexicon;
        let names = || candidates.iter().filter_map(|id| table.names(*id as usize).first());
        let ids = || names().flat_map(|name| [name.first, name.last]).filter(|id| !id.is_none());
        std::hint::black_box(names().map(|name| name.first.0 ^ name.last.0).fold(0, |all, one| all ^ one));
        std::hint::black_box(ids().map(|id| lexicon.name(id).joined.0).fold(0, |all, one| all ^ one));
        std::hint::black_box(ids().map(|id| lexicon.word(lexicon.name(id).joined).sound).fold(0, |all, one| all ^ one));
    }

    fn score(&self, record: u32, candidate: u32, cache: &mut LikenessCache, kept: &mut Vec<Candidate>) {
        let comparer = Comparer { corpus: self.corpus, weights: self.weights };
        let (left, right) = orient(self.index.asking(), record, candidate);
        let Some(features) = comparer.compare(left, right, cache) else { return };
        let candidate = Candidate { record: candidate, bits: self.weights.score(&features), features };
        // Two people under one state id are somebody's mistake, and a person must hear of it however unlike they are.
        if self.odds(&candidate) >= ODDS_MIN || features.is_same_state_id() {
            kept.push(candidate);
        }
    }

    fn odds(&self, candidate: &Candidate) -> f64 {
        (candidate.bits + self.weights.prior_bits).exp2()
    }

    /// Whether one candidate agrees so well on name and birth date that no further search can matter.
    fn is_settled(&self, kept: &[Candidate]) -> bool {
        let sum: f64 = 1.0 + kept.iter().map(|candidate| self.odds(candidate)).sum::<f64>();
        kept.iter().any(|candidate| {
            let features = &candidate.features;
            self.odds(candidate) / sum >= SETTLED
                && features.level(field::BIRTH) == Some(birth::EXACT)
                && features.level(field::FIRST).is_some_and(|level| level <= first::MISSPELT)
        })
    }
}

/// Left and right position of a pair found by asking from one side.
pub(crate) fn orient(asking: Side, record: u32, candidate: u32) -> (u32, u32) {
    match asking {
        Side::Left => (record, candidate),
        Side::Right => (candidate, record),
    }
}
