//! From levels to bits of evidence.
//!
//! The score of a pair is `log2 P(levels | one child) / P(levels | not one child)`, and those who are not one child
//! are of two kinds: strangers, whose agreements are independent of each other, and members of one household, who
//! share surname, place and, if twins, the birth date. The sum over the comparisons is the evidence against
//! strangers; the `household` part takes back what a sibling, twin or parent of the same name would show as well.

use crate::compare::{Features, Observed};
use crate::config::Config;
use crate::levels::{COMPARISON_COUNT, COMPARISONS, LEVELS_MAX, Level, Term, field};
use crate::model::Model;

/// Share of the level's `u` that is added to the frequency of the name come near: other names may lie as near.
const FUZZY_SHARE: f64 = 0.25;
/// How much rarer or commoner than the mean a place may make itself felt.
const RATIO_RANGE: (f64, f64) = (1.0 / 8.0, 16.0);

/// Share of twins among the other members of a child's household: about three children in a hundred are twins.
const TWINS: f64 = 0.016;

/// Name of the part that takes back what kin would show as well.
const HOUSEHOLD: &str = "household";

/// One part of a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Part {
    pub comparison: &'static str,
    pub level: &'static str,
    pub bits: f64,
    pub frequency: Option<f64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct LevelWeight {
    u: f64,
    log_m: f64,
    bits: f64,
    kin: Kin,
    twin: Kin,
}

/// Probability of a level among household members: a fixed part, and a share that compares like strangers.
#[derive(Debug, Clone, Copy, Default)]
struct Kin {
    fixed: f64,
    strangers: f64,
}

impl Kin {
    /// How many times likelier the level is among household members than among strangers.
    fn ratio(self, u: f64) -> f64 {
        self.fixed / u + self.strangers
    }
}

/// A model made ready for scoring a corpus of a given size.
#[derive(Debug, Clone)]
pub(crate) struct Weights {
    levels: [[LevelWeight; LEVELS_MAX]; COMPARISON_COUNT],
    pub(crate) swap_bits: f64,
    /// Probability that two random records belong to one household.
    household: f64,
    rarest_share: f64,
    /// Prior odds of a pair, were it alone: coverage spread over the larger side.
    pub(crate) prior_bits: f64,
}

impl Weights {
    pub(crate) fn new(model: &Model, config: &Config, larger: usize) -> Self {
        let persons = (larger as f64).max(1.0);
        let mut levels = [[LevelWeight::default(); LEVELS_MAX]; COMPARISON_COUNT];
        for (at, (comparison, weights)) in COMPARISONS.iter().zip(&mut levels).enumerate() {
            let fixed = |part: fn(&Level) -> f64| comparison.levels.iter().map(part).sum::<f64>();
            let mut ceiling = f64::INFINITY;
            for (index, (level, weight)) in comparison.levels.iter().zip(weights.iter_mut()).enumerate() {
                let (m, mut u) = model.level(at, index).map_or((level.m, level.u), |level| (level.m, level.u));
                if comparison.ordered && (m / u).log2() > ceiling {
                    // Training on few records may turn two levels round; likeness must not count against a pair.
                    u = m / ceiling.exp2();
                }
                let bits = (m / u).log2();
                ceiling = bits;
                *weight = LevelWeight {
                    u,
                    log_m: m.log2(),
                    bits,
                    kin: Kin {
                        fixed: comparison.own * m + level.kin,
                        strangers: 1.0 - comparison.own - fixed(|level| level.kin),
                    },
                    twin: Kin {
                        fixed: comparison.own * m + level.twin,
                        strangers: 1.0 - comparison.own - fixed(|level| level.twin),
                    },
                };
            }
        }
        let household = (config.household_members / persons).min(0.5);
        let mut weights = Self {
            levels,
            swap_bits: model.swap_rate.log2(),
            household,
            rarest_share: config.rarest_share,
            prior_bits: 0.0,
        };
        weights.set_coverage(model.coverage, larger);
        weights
    }

    pub(crate) fn set_coverage(&mut self, coverage: f64, larger: usize) {
        self.prior_bits = (coverage / (1.0 - coverage) / (larger as f64).max(1.0)).log2();
    }

    fn level(&self, observed: Observed) -> &LevelWeight {
        &self.levels[usize::from(observed.comparison)][usize::from(observed.level)]
    }

    fn term(observed: Observed) -> Term {
        COMPARISONS[usize::from(observed.comparison)].levels[usize::from(observed.level)].term
    }

    /// How often strangers reach this level on this value.
    fn u(&self, observed: Observed) -> f64 {
        let level = self.level(observed);
        let frequency = f64::from(observed.frequency);
        match Self::term(observed) {
            _ if observed.frequency <= 0.0 => level.u,
            Term::None => level.u,
            Term::Exact => frequency.clamp(self.rarest_share, 1.0),
            Term::Fuzzy => (frequency + FUZZY_SHARE * level.u).min(1.0),
            Term::Unique => frequency,
            Term::Ratio => (level.u * frequency.clamp(RATIO_RANGE.0, RATIO_RANGE.1)).min(1.0),
        }
    }

    /// Evidence of one comparison.
    pub(crate) fn bits(&self, observed: Observed) -> f64 {
        if observed.is_missing() {
            return 0.0;
        }
        let level = self.level(observed);
        if observed.frequency <= 0.0 { level.bits } else { level.log_m - self.u(observed).log2() }
    }

    /// Evidence of a pair: the sum of its parts, in their order.
    pub(crate) fn score(&self, features: &Features) -> f64 {
        let mut sum = 0.0;
        self.each_part(features, |part| sum += part.bits);
        sum
    }

    /// Probability that a random pair with these features is of strangers, neither one child nor one household.
    pub(crate) fn stranger_share(&self, features: &Features) -> f64 {
        let (mut bits, mut household) = (self.prior_bits, 0.0);
        self.each_part(features, |part| {
            bits += part.bits;
            if part.comparison == HOUSEHOLD {
                household = part.bits;
            }
        });
        // The household part is the log of the strangers' share of all non-matches, as far as it matters.
        household.exp2() / (1.0 + bits.exp2())
    }

    /// The parts of a score. What `score` adds is exactly what an explanation shows.
    pub(crate) fn each_part(&self, features: &Features, mut visit: impl FnMut(Part)) {
        let (mut kin, mut twin) = (1.0, 1.0);
        for observed in features.observed.iter().filter(|observed| !observed.is_missing()) {
            let level = self.level(*observed);
            let u = self.u(*observed);
            kin *= level.kin.ratio(u);
            twin *= level.twin.ratio(u);
            let comparison = &COMPARISONS[usize::from(observed.comparison)];
            visit(Part {
                comparison: comparison.name,
                level: comparison.levels[usize::from(observed.level)].name,
                bits: self.bits(*observed),
                frequency: (observed.frequency > 0.0).then(|| match Self::term(*observed) {
                    // Of a place only how much commoner it is than others is known: told as the share of strangers who agree on it.
                    Term::Ratio => u,
                    _ => f64::from(observed.frequency),
                }),
            });
        }
        if features.swapped {
            // Kin show crosswise names as seldom as the child itself.
            kin *= self.swap_bits.exp2();
            twin *= self.swap_bits.exp2();
            visit(Part {
                comparison: "name_order",
                level: "first_and_last_swapped",
                bits: self.swap_bits,
                frequency: None,
            });
        }
        if features.full_name > 0.0 {
            let strangers = self.u(features.observed[field::FIRST]) * self.u(features.observed[field::LAST]);
            let share = f64::from(features.full_name);
            if share > strangers {
                visit(Part {
                    comparison: "full_name",
                    level: "commoner_than_its_parts",
                    bits: (strangers / share).log2(),
                    frequency: Some(share),
                });
            }
        }
        let household = 1.0 - self.household + self.household * (kin * (1.0 - TWINS) + twin * TWINS);
        if household > 1.0 + 1e-6 {
            visit(Part { comparison: HOUSEHOLD, level: "may_be_kin", bits: -household.log2(), frequency: None });
        }
    }
}

#[cfg(test)]
mod tests;
