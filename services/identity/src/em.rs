//! Learning the probabilities from the data itself, without a single labelled pair.
//!
//! `u` comes from random pairs: nearly all of them are strangers, and each counts only as far as it looks like one and
//! not like the same child or a sibling.
//! `m` comes from expectation-maximisation over the candidates of a sample of records: how likely each candidate is
//! the right one, against all others of its record and against "not in the file"; then the levels of the likely ones
//! are counted; and again until nothing moves. All passes contribute at once, so no comparison is conditioned on
//! being its own blocking key. Every probability has a Dirichlet prior, so none is ever untrained.

use rand::seq::index::sample;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::Error;
use crate::block::Index;
use crate::candidates::{Candidates, Gatherer};
use crate::compare::{Comparer, Features, LikenessCache};
use crate::config::Config;
use crate::corpus::{Corpus, Side};
use crate::levels::{COMPARISON_COUNT, COMPARISONS, LEVELS_MAX};
use crate::matcher::{Progress, thread_pool};
use crate::model::{Model, Training};
use crate::weights::Weights;

/// Weight of a belief: this many observations, and this share of the observations made.
const PRIOR_PAIRS: f64 = 20.0;
const PRIOR_SHARE: f64 = 0.003;
/// Added to each level among strangers once many were seen: what did not occur in a million pairs may still be one in
/// two million.
const UNSEEN: f64 = 0.5;
const MANY: f64 = 1000.0;
/// Coverage is never taken for certain: someone may always be missing.
const COVERAGE_RANGE: (f64, f64) = (0.02, 0.98);
/// Largest change of a probability at which training stops.
const STILL: f64 = 1e-4;
const CHUNK: usize = 32_768;
/// Records of each side from which a chunk of random pairs is drawn.
const POOL: usize = 2048;

type Counts = [[f64; LEVELS_MAX]; COMPARISON_COUNT];

fn count(counts: &mut Counts, features: &Features, weight: f64) {
    for observed in features.observed.iter().filter(|observed| !observed.is_missing()) {
        counts[usize::from(observed.comparison)][usize::from(observed.level)] += weight;
    }
}

fn add(sum: &mut Counts, counts: &Counts) {
    for (row, more) in sum.iter_mut().zip(counts) {
        row.iter_mut().zip(more).for_each(|(cell, value)| *cell += value);
    }
}

/// Trains a model. The same corpus and seed give the same model on any number of threads.
pub(crate) fn train(
    corpus: &Corpus,
    index: &Index<'_>,
    seed: u64,
    config: &Config,
    progress: Progress<'_>,
) -> Result<Model, Error> {
    let pool = thread_pool(config)?;
    let mut model = Model::untrained();
    let sizes = [corpus.len(Side::Left), corpus.len(Side::Right)];
    model.trained = Training { persons: sizes.map(|size| size as u64), seed, ..Training::default() };
    if sizes.contains(&0) {
        return Ok(model);
    }
    progress("random pairs", 0, config.random_pairs as u64);
    pool.install(|| learn_strangers(corpus, seed, config, &mut model));
    progress("random pairs", config.random_pairs as u64, config.random_pairs as u64);
    let asking = index.asking();
    let records = sampled(corpus.len(asking), seed, config.training_records_max);
    model.trained.sampled = records.len() as u64;
    let larger = sizes[0].max(sizes[1]);
    // Which reading of a pair is best depends on the weights, so what was gathered is gathered again once.
    for round in 0..2 {
        progress("training", round, 2);
        let weights = Weights::new(&model, config, larger);
        let gatherer = Gatherer { corpus, index, weights: &weights, config };
        let (candidates, _) = pool.install(|| gatherer.gather(&records));
        pool.install(|| maximise(&candidates, larger, config, &mut model));
    }
    progress("training", 2, 2);
    Ok(model)
}

fn sampled(records: usize, seed: u64, records_max: usize) -> Vec<u32> {
    if records <= records_max {
        return (0..records as u32).collect();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5a3b_1e00);
    let mut chosen: Vec<u32> = sample(&mut rng, records, records_max).into_iter().map(|record| record as u32).collect();
    chosen.sort_unstable();
    chosen
}

/// Random pairs, or all pairs of two small files.
fn random_pairs(corpus: &Corpus, seed: u64, chunk: usize, config: &Config) -> Vec<(u32, u32)> {
    let (left, right) = (corpus.len(Side::Left), corpus.len(Side::Right));
    let (from, to) = (chunk * CHUNK, ((chunk + 1) * CHUNK).min(pair_count(corpus, config)));
    if left * right <= config.random_pairs {
        return (from..to).map(|pair| ((pair / right) as u32, (pair % right) as u32)).collect();
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(chunk as u64 + 1);
    // Drawn from a few thousand records per chunk: as random, and kinder to the memory than one at a time from a million.
    let mut pool = |records: usize| (0..POOL).map(|_| rng.random_range(0..records as u32)).collect::<Vec<_>>();
    let (lefts, rights) = (pool(left), pool(right));
    (from..to).map(|_| (lefts[rng.random_range(0..POOL)], rights[rng.random_range(0..POOL)])).collect()
}

fn pair_count(corpus: &Corpus, config: &Config) -> usize {
    (corpus.len(Side::Left).saturating_mul(corpus.len(Side::Right))).min(config.random_pairs)
}

fn learn_strangers(corpus: &Corpus, seed: u64, config: &Config, model: &mut Model) {
    let larger = corpus.len(Side::Left).max(corpus.len(Side::Right));
    let weights = Weights::new(model, config, larger);
    let comparer = Comparer { corpus, weights: &weights };
    let pairs = pair_count(corpus, config);
    let chunks: Vec<Counts> = (0..pairs.div_ceil(CHUNK))
        .into_par_iter()
        .map(|chunk| {
            let mut counts = [[0.0; LEVELS_MAX]; COMPARISON_COUNT];
            let mut cache = LikenessCache::new();
            for (left, right) in random_pairs(corpus, seed, chunk, config) {
                let features = comparer.observe(left, right, &mut cache);
                let strangers = if features.is_hopeless() { 1.0 } else { weights.stranger_share(&features) };
                count(&mut counts, &features, strangers);
            }
            counts
        })
        .collect();
    let mut counts = [[0.0; LEVELS_MAX]; COMPARISON_COUNT];
    for chunk in &chunks {
        add(&mut counts, chunk);
    }
    model.trained.random_pairs = pairs as u64;
    for (at, comparison) in COMPARISONS.iter().enumerate() {
        let seen: f64 = counts[at].iter().sum();
        let belief = PRIOR_PAIRS + PRIOR_SHARE * seen;
        let unseen = UNSEEN * seen / (seen + MANY);
        let total = seen + belief + unseen * comparison.levels.len() as f64;
        for (index, level) in comparison.levels.iter().enumerate() {
            if let Some(entry) = model.level_mut(at, index) {
                entry.u = (counts[at][index] + belief * level.u + unseen) / total;
                entry.seen[1] = counts[at][index];
            }
        }
    }
}

/// Odds of each candidate of a record, and the sum with "none of them".
fn odds(candidates: &Candidates, weights: &Weights, rest: f64) -> (Vec<f64>, f64) {
    let odds: Vec<f64> = candidates
        .kept
        .iter()
        .map(|candidate| (weights.score(&candidate.features) + weights.prior_bits).exp2())
        .collect();
    let sum = 1.0 + rest + odds.iter().sum::<f64>();
    (odds, sum)
}

fn maximise(candidates: &[Candidates], larger: usize, config: &Config, model: &mut Model) {
    for round in 1..=config.training_rounds_max as u32 {
        let weights = Weights::new(model, config, larger);
        let chunks: Vec<(Counts, f64, f64)> = candidates
            .par_chunks(512)
            .map(|chunk| {
                let mut counts = [[0.0; LEVELS_MAX]; COMPARISON_COUNT];
                let (mut linked, mut swapped) = (0.0, 0.0);
                for record in chunk {
                    let (odds, sum) = odds(record, &weights, record.rest);
                    for (candidate, odds) in record.kept.iter().zip(odds) {
                        let probability = odds / sum;
                        count(&mut counts, &candidate.features, probability);
                        linked += probability;
                        swapped += if candidate.features.swapped { probability } else { 0.0 };
                    }
                }
                (counts, linked, swapped)
            })
            .collect();
        let mut counts = [[0.0; LEVELS_MAX]; COMPARISON_COUNT];
        let (mut linked, mut swapped) = (0.0, 0.0);
        for (chunk, chunk_linked, chunk_swapped) in &chunks {
            add(&mut counts, chunk);
            linked += chunk_linked;
            swapped += chunk_swapped;
        }
        model.coverage = coverage(linked, candidates.len());
        // As if four in a thousand of 250 pairs had been swapped.
        model.swap_rate = (swapped + 1.0) / (linked + 250.0);
        let change = update(model, &counts);
        model.trained.rounds = round;
        model.trained.last_change = change;
        if change < STILL {
            break;
        }
    }
}

fn update(model: &mut Model, counts: &Counts) -> f64 {
    let mut change = 0.0_f64;
    for (at, comparison) in COMPARISONS.iter().enumerate() {
        let seen: f64 = counts[at].iter().sum();
        let belief = PRIOR_PAIRS + PRIOR_SHARE * seen;
        for (index, level) in comparison.levels.iter().enumerate() {
            if let Some(entry) = model.level_mut(at, index) {
                let m = (counts[at][index] + belief * level.m) / (seen + belief);
                change = change.max((m - entry.m).abs());
                entry.m = m;
                entry.seen[0] = counts[at][index];
            }
        }
    }
    change
}

fn coverage(linked: f64, records: usize) -> f64 {
    ((linked + 4.0) / (records as f64 + 5.0)).clamp(COVERAGE_RANGE.0, COVERAGE_RANGE.1)
}

/// The share of records that have their like in the larger file, from the scores of all candidates. The weights are
/// given this coverage.
pub(crate) fn estimate_coverage(candidates: &[Candidates], larger: usize, start: f64, weights: &mut Weights) -> f64 {
    let mut share = start;
    let before = weights.prior_bits;
    for _ in 0..20 {
        weights.set_coverage(share, larger);
        let scale = (weights.prior_bits - before).exp2();
        let mut linked = 0.0;
        for record in candidates {
            let odds: f64 =
                record.kept.iter().map(|candidate| (candidate.bits + weights.prior_bits).exp2()).sum::<f64>();
            let rest = record.rest * scale;
            linked += odds / (1.0 + rest + odds);
        }
        let next = coverage(linked, candidates.len());
        let change = (next - share).abs();
        share = next;
        if change < STILL {
            break;
        }
    }
    weights.set_coverage(share, larger);
    share
}

#[cfg(test)]
mod tests;
