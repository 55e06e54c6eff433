//! The matcher: a model ready to link two sides, to explain a pair, and to be kept.

use serde::Serialize;

use crate::Error;
use crate::block::{Index, PASSES, PassCount, PassReport, Tier};
use crate::candidates::{Candidates, Gatherer, orient};
use crate::compare::{Comparer, Features, LikenessCache};
use crate::config::Config;
use crate::corpus::{Corpus, Side};
use crate::decide::{self, Decision, Edge, Outcome, Reason};
use crate::em;
use crate::levels::{COMPARISONS, field};
use crate::model::Model;
use crate::weights::Weights;

/// Links two sides with one model and one configuration.
#[derive(Debug, Clone)]
pub struct Matcher {
    model: Model,
    config: Config,
}

/// Two persons that may be one child.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Position on the left side.
    pub left: u32,
    /// Position on the right side.
    pub right: u32,
    /// Evidence in bits, before the prior; the sum of the explanation's parts.
    pub score_bits: f64,
    /// Calibrated probability that both are one child.
    pub probability: f64,
    /// What happens to the pair.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// The levels reached.
    pub levels: Levels,
}

/// The levels of a pair's comparisons in a few bytes, for storing beside a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    codes: [u16; field::COUNT],
    swapped: bool,
}

impl Levels {
    const MISSING: u16 = u16::MAX;

    fn of(features: &Features) -> Self {
        let codes = features.observed.map(|observed| {
            if observed.is_missing() {
                return Self::MISSING;
            }
            u16::from(observed.comparison) << 8 | u16::from(observed.level)
        });
        Self { codes, swapped: features.swapped }
    }

    /// Comparison and level by name; a comparison that a side could not answer is absent.
    pub fn names(&self) -> Vec<(&'static str, &'static str)> {
        let mut names: Vec<_> = self
            .codes
            .iter()
            .filter_map(|code| {
                let comparison = COMPARISONS.get(usize::from(code >> 8))?;
                Some((comparison.name, comparison.levels.get(usize::from(code & 0xff))?.name))
            })
            .collect();
        if self.swapped {
            names.push(("name_order", "first_and_last_swapped"));
        }
        names
    }
}

/// Why a pair scores as it does. The parts add up to the score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Sum of the parts.
    pub score_bits: f64,
    /// One per comparison that both sides could answer, then the corrections.
    pub parts: Vec<Contribution>,
    /// What forbids linking the pair without a person, if anything does.
    pub guard: Option<Reason>,
}

/// One comparison's share of a score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Contribution {
    /// What was compared.
    pub comparison: &'static str,
    /// How alike it was.
    pub level: &'static str,
    /// Evidence: positive for one child, negative against.
    pub bits: f64,
    /// Frequency of the value, where it entered the weight.
    pub frequency: Option<f64>,
}

/// All pairs worth listing, and how the linkage went.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkResult {
    /// Pairs from `listed_probability_min` on, and all others that wait for review; by right record, best first.
    pub pairs: Vec<Pair>,
    /// Counts.
    pub report: Report,
}

/// How a linkage went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Persons on the left side.
    pub left: u64,
    /// Persons on the right side.
    pub right: u64,
    /// What each blocking pass did.
    pub passes: Vec<PassReport>,
    /// Estimated share of the smaller side's people that the larger side holds.
    pub coverage: f64,
    /// Pairs linked.
    pub matches: u64,
    /// Pairs that wait for a person.
    pub reviews: u64,
    /// The probability from which pairs were linked: the least at which the expected share of wrong links stays within the limit.
    pub match_probability_min: f64,
    /// Linked pairs that are expected to be wrong, by their own probabilities.
    pub expected_wrong: f64,
    /// People of the smaller side who are in the larger but are not linked, by the same estimate.
    pub expected_missed: f64,
}

/// How far the work is: a stage, what is done, and how much there is.
pub type Progress<'a> = &'a dyn Fn(&str, u64, u64);

/// Records gathered between two progress calls.
const BATCH: usize = 8192;

impl Matcher {
    /// A matcher with a model that was trained before.
    pub fn new(model: Model, config: &Config) -> Result<Self, Error> {
        config.check()?;
        model.check()?;
        Ok(Self { model, config: config.clone() })
    }

    /// Learns a model from the two sides themselves; nothing about true pairs is known.
    pub fn train(corpus: &Corpus, seed: u64, config: &Config, progress: Progress<'_>) -> Result<Self, Error> {
        let index = index(corpus, config, progress)?;
        Self::train_on(corpus, &index, seed, config, progress)
    }

    /// Trains and links in one go; both need the same index.
    pub(crate) fn train_and_link(
        corpus: &Corpus,
        seed: u64,
        config: &Config,
        progress: Progress<'_>,
    ) -> Result<(Self, LinkResult), Error> {
        let index = index(corpus, config, progress)?;
        let matcher = Self::train_on(corpus, &index, seed, config, progress)?;
        let result = matcher.link_on(corpus, &index, progress)?;
        Ok((matcher, result))
    }

    fn train_on(
        corpus: &Corpus,
        index: &Index<'_>,
        seed: u64,
        config: &Config,
        progress: Progress<'_>,
    ) -> Result<Self, Error> {
        config.check()?;
        Self::new(em::train(corpus, index, seed, config, progress)?, config)
    }

    /// The same model with the coverage that a linkage of everybody found: what later linkages of some go by.
    #[must_use]
    pub fn with_coverage(mut self, coverage: f64) -> Self {
        self.model.coverage = coverage.clamp(0.001, 0.999);
        self
    }

    /// The model, to be saved.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Links the two sides of a corpus.
    pub fn link(&self, corpus: &Corpus, progress: Progress<'_>) -> Result<LinkResult, Error> {
        let index = index(corpus, &self.config, progress)?;
        self.link_on(corpus, &index, progress)
    }

    /// Links some persons of the right side only, with the model's own coverage and the configured threshold as they are, so that what is
    /// said of one person does not depend on who else is asked about, those apart who claim the same candidates: `widen` is told what was
    /// found and names them. Gives who was linked in the end; where the right side is the larger, that is everybody.
    pub fn link_some(
        &self,
        corpus: &Corpus,
        persons: &std::collections::BTreeSet<u32>,
        widen: &dyn Fn(&LinkResult) -> Vec<u32>,
        progress: Progress<'_>,
    ) -> Result<(LinkResult, std::collections::BTreeSet<u32>), Error> {
        let index = index(corpus, &self.config, progress)?;
        let mut persons = persons.clone();
        loop {
            let scope = (index.asking() == Side::Right).then_some(&persons);
            let result = self.link_scope(corpus, &index, Scope::Some(scope), progress)?;
            let before = persons.len();
            persons.extend(widen(&result));
            if scope_is_all(&index) {
                persons = (0..corpus.len(Side::Right) as u32).collect();
                return Ok((result, persons));
            }
            if persons.len() == before {
                return Ok((result, persons));
            }
        }
    }

    /// Persons of the right side who share a blocking key with one of these of the left: whom a change there could concern. All, where the
    /// right side is the larger.
    pub fn blocked(&self, corpus: &Corpus, lefts: &std::collections::BTreeSet<u32>) -> Result<Vec<u32>, Error> {
        let index = index(corpus, &self.config, &|_, _, _| {})?;
        let rights = 0..corpus.len(Side::Right) as u32;
        if scope_is_all(&index) {
            return Ok(rights.collect());
        }
        let mut counts = [PassCount::default(); PASSES.len()];
        let mut found = Vec::new();
        let concerns = |right: &u32| {
            [Tier::Always, Tier::InDoubt].into_iter().any(|tier| {
                index.candidates(*right, tier, &mut counts, &mut found);
                found.iter().any(|left| lefts.contains(left))
            })
        };
        Ok(rights.filter(concerns).collect())
    }

    fn link_on(&self, corpus: &Corpus, index: &Index<'_>, progress: Progress<'_>) -> Result<LinkResult, Error> {
        self.link_scope(corpus, index, Scope::All, progress)
    }

    fn link_scope(
        &self,
        corpus: &Corpus,
        index: &Index<'_>,
        scope: Scope<'_>,
        progress: Progress<'_>,
    ) -> Result<LinkResult, Error> {
        let pool = thread_pool(&self.config)?;
        let asking = index.asking();
        let larger = corpus.len(Side::Left).max(corpus.len(Side::Right));
        let mut weights = Weights::new(&self.model, &self.config, larger);
        let records: Vec<u32> = match scope {
            Scope::Some(Some(some)) => some.iter().copied().filter(|at| (*at as usize) < corpus.len(asking)).collect(),
            Scope::All | Scope::Some(None) => (0..corpus.len(asking) as u32).collect(),
        };
        let mut found = Vec::with_capacity(records.len());
        let mut counts = [PassCount::default(); PASSES.len()];
        for batch in records.chunks(BATCH) {
            progress("comparing", found.len() as u64, records.len() as u64);
            let gatherer = Gatherer { corpus, index, weights: &weights, config: &self.config };
            let (candidates, batch_counts) = pool.install(|| gatherer.gather(batch));
            found.extend(candidates);
            for (sum, count) in counts.iter_mut().zip(batch_counts) {
                sum.pairs += count.pairs;
                sum.skipped += count.skipped;
            }
        }
        progress("comparing", records.len() as u64, records.len() as u64);
        let before = weights.prior_bits;
        let coverage = match scope {
            Scope::All => em::estimate_coverage(&found, larger, self.model.coverage, &mut weights),
            Scope::Some(_) => self.model.coverage,
        };
        let rest_scale = (weights.prior_bits - before).exp2();
        let (edges, rest) = edges(&records, &found, corpus.len(asking), weights.prior_bits, rest_scale);
        drop(found);
        let (decisions, threshold) = match scope {
            Scope::All => decide::decide(&edges, &rest, &self.config),
            Scope::Some(_) => decide::decide(&edges, &rest, &Config { wrong_share_max: 1.0, ..self.config.clone() }),
        };
        let report = Report {
            match_probability_min: threshold,
            ..self.report(corpus, index, &counts, coverage, &edges, &decisions)
        };
        tracing::info!(
            left = report.left,
            right = report.right,
            matches = report.matches,
            reviews = report.reviews,
            coverage,
            "sides linked"
        );
        Ok(LinkResult { pairs: self.pairs(asking, &edges, &decisions), report })
    }

    /// Why a pair of the corpus scores as it does, whether or not it was listed.
    pub fn explain(&self, corpus: &Corpus, left: u32, right: u32) -> Option<Explanation> {
        if left as usize >= corpus.len(Side::Left) || right as usize >= corpus.len(Side::Right) {
            return None;
        }
        let larger = corpus.len(Side::Left).max(corpus.len(Side::Right));
        let weights = Weights::new(&self.model, &self.config, larger);
        let features = Comparer { corpus, weights: &weights }.observe(left, right, &mut LikenessCache::new());
        let mut parts = Vec::new();
        weights.each_part(&features, |part| {
            parts.push(Contribution {
                comparison: part.comparison,
                level: part.level,
                bits: part.bits,
                frequency: part.frequency,
            });
        });
        Some(Explanation { score_bits: weights.score(&features), parts, guard: decide::guard(&features) })
    }

    fn pairs(&self, asking: Side, edges: &[Edge], decisions: &[Decision]) -> Vec<Pair> {
        let listed = |decision: &Decision| {
            decision.probability >= self.config.listed_probability_min || decision.outcome != Outcome::NonMatch
        };
        let mut pairs: Vec<Pair> = edges
            .iter()
            .zip(decisions)
            .filter(|(_, decision)| listed(decision))
            .map(|(edge, decision)| {
                let (left, right) = orient(asking, edge.record, edge.candidate);
                Pair {
                    left,
                    right,
                    score_bits: edge.bits,
                    probability: decision.probability,
                    outcome: decision.outcome,
                    reason: decision.reason,
                    levels: Levels::of(&edge.features),
                }
            })
            .collect();
        pairs.sort_by(|a, b| {
            (a.right, b.probability)
                .partial_cmp(&(b.right, a.probability))
                .unwrap_or(std::cmp::Ordering::Equal)
                .then(a.left.cmp(&b.left))
        });
        pairs
    }

    fn report(
        &self,
        corpus: &Corpus,
        index: &Index<'_>,
        counts: &[PassCount],
        coverage: f64,
        edges: &[Edge],
        decisions: &[Decision],
    ) -> Report {
        let matched: Vec<_> =
            edges.iter().zip(decisions).filter(|(_, decision)| decision.outcome == Outcome::Match).collect();
        let sure: f64 = matched.iter().map(|(_, decision)| decision.probability).sum();
        let asked = corpus.len(Side::Left).min(corpus.len(Side::Right));
        let passes = PASSES
            .iter()
            .zip(counts)
            .map(|(plan, count)| PassReport {
                pass: plan.name,
                pairs: count.pairs,
                blocks_skipped: count.skipped,
                matches_found: matched
                    .iter()
                    .filter(|(edge, _)| index.finds(plan.pass, edge.record, edge.candidate))
                    .count() as u64,
            })
            .collect();
        Report {
            left: corpus.len(Side::Left) as u64,
            right: corpus.len(Side::Right) as u64,
            passes,
            coverage,
            matches: matched.len() as u64,
            reviews: decisions.iter().filter(|decision| decision.outcome == Outcome::Review).count() as u64,
            match_probability_min: self.config.match_probability_min,
            expected_wrong: matched.len() as f64 - sure,
            expected_missed: (coverage * asked as f64 - sure).max(0.0),
        }
    }
}

/// The smaller side asks, the larger is indexed: candidates are gathered per record of the smaller.
fn asking_side(corpus: &Corpus) -> Side {
    if corpus.len(Side::Left) < corpus.len(Side::Right) { Side::Left } else { Side::Right }
}

fn index<'a>(corpus: &'a Corpus, config: &Config, progress: Progress<'_>) -> Result<Index<'a>, Error> {
    config.check()?;
    progress("indexing", 0, 1);
    let index = thread_pool(config)?.install(|| Index::build(corpus, asking_side(corpus), config));
    progress("indexing", 1, 1);
    Ok(index)
}

pub(crate) fn thread_pool(config: &Config) -> Result<rayon::ThreadPool, Error> {
    rayon::ThreadPoolBuilder::new().num_threads(config.threads).build().map_err(Error::Unavailable)
}

/// Who is linked.
#[derive(Clone, Copy)]
enum Scope<'a> {
    /// Everybody; coverage and threshold follow from the linkage itself.
    All,
    /// These of the asking side, or everybody, with coverage and threshold given.
    Some(Option<&'a std::collections::BTreeSet<u32>>),
}

/// Only the asking side can be asked in part, and it is the smaller one.
fn scope_is_all(index: &Index<'_>) -> bool {
    index.asking() != Side::Right
}

fn edges(
    records: &[u32],
    found: &[Candidates],
    asked: usize,
    prior_bits: f64,
    rest_scale: f64,
) -> (Vec<Edge>, Vec<f64>) {
    let (mut edges, mut rest) = (Vec::new(), vec![0.0; asked]);
    for (record, candidates) in records.iter().zip(found) {
        rest[*record as usize] = candidates.rest * rest_scale;
        edges.extend(candidates.kept.iter().map(|candidate| Edge {
            record: *record,
            candidate: candidate.record,
            bits: candidate.bits,
            odds: (candidate.bits + prior_bits).exp2(),
            features: candidate.features,
        }));
    }
    (edges, rest)
}

#[cfg(test)]
mod tests;
