//! From scores to decisions: a calibrated probability for each pair, one partner for each person, and what is left
//! to a person.
//!
//! The probability of a pair depends on more than its score: on who else could be meant (the margin to the next
//! candidate), on who else claims the same student, and on the chance that the person is not in the file at all.
//! `marginal` computes it over all one-to-one matchings together; `assign` finds the single best matching. Above the
//! threshold both agree, and a pair is linked only when no guard speaks against it.

use serde::Serialize;

use crate::compare::Features;
use crate::config::Config;
use crate::levels::{birth, field, first, last, middle, plain};

pub(crate) mod assign;
pub(crate) mod marginal;

/// What happens to a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// One child, without a person looking.
    Match,
    /// Possible match: waits for a clerk.
    Review,
    /// Not one child, as far as the data goes.
    NonMatch,
}

impl Outcome {
    /// As written in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Review => "review",
            Self::NonMatch => "non_match",
        }
    }
}

/// Why a pair has its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Both have the same SASID, confirmed by the name or the birth date beside it.
    StateId,
    /// The probability alone.
    Probability,
    /// First names disagree or are missing: it may be a twin, a sibling or a parent.
    FirstNamesDisagree,
    /// First names are only alike, and surname and birth date are the same: it may be a twin.
    TwinPattern,
    /// First names are only alike, an initial perhaps, and no surname bears them out.
    HardlyNamed,
    /// Both have a SASID, and they differ.
    OtherStateId,
    /// The SASIDs are equal, but neither name nor birth date bears it out.
    StateIdUnconfirmed,
    /// Another person has the better claim on this candidate.
    LostToAnother,
}

/// A pair as it comes from scoring: a record of the asking side and its candidate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    pub record: u32,
    pub candidate: u32,
    pub bits: f64,
    /// `2^(bits + prior)`: against "the record has no partner".
    pub odds: f64,
    pub features: Features,
}

/// What was decided about an edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Decision {
    pub probability: f64,
    pub outcome: Outcome,
    pub reason: Reason,
}

/// First names that agree in some way: the least that a link without a person asks for.
fn first_names_agree(features: &Features) -> bool {
    features.level(field::FIRST).is_some_and(|level| level < first::DIFFERENT)
}

/// First names that are merely alike.
fn first_names_alike(features: &Features) -> bool {
    matches!(features.level(field::FIRST), Some(first::PHONETIC | first::INITIAL | first::SIMILAR))
}

/// First names merely alike, and no surname that bears them out: a letter for each name fits many children of one birth date and one home.
fn is_hardly_named(features: &Features) -> bool {
    first_names_alike(features) && features.level(field::LAST).is_none_or(|level| level > last::NEAR)
}

/// Surname and birth date the same, first names merely alike, and nothing else to tell twins apart.
fn is_twin_pattern(features: &Features) -> bool {
    let alike = first_names_alike(features);
    let same_family = features.level(field::LAST).is_some_and(|level| level <= last::NEAR);
    let same_birth = features.level(field::BIRTH) == Some(birth::EXACT);
    let supported = matches!(features.level(field::MIDDLE), Some(middle::EXACT | middle::INITIAL | middle::NEAR));
    alike && same_family && same_birth && !supported
}

/// Whether name or birth date bears out an equal SASID.
fn confirms_state_id(features: &Features) -> bool {
    let surname = features.level(field::LAST).is_some_and(|level| level < last::DIFFERENT);
    let birth_date = features.level(field::BIRTH).is_some_and(|level| level <= birth::ONE_DIGIT);
    first_names_agree(features) && (surname || birth_date)
}

/// What speaks against linking a pair without a person, however high its score.
pub(crate) fn guard(features: &Features) -> Option<Reason> {
    match features.level(field::SASID) {
        Some(plain::AGREES) if confirms_state_id(features) => None,
        Some(plain::AGREES) => Some(Reason::StateIdUnconfirmed),
        Some(_) => Some(Reason::OtherStateId),
        None if !first_names_agree(features) => Some(Reason::FirstNamesDisagree),
        None if is_twin_pattern(features) => Some(Reason::TwinPattern),
        None if is_hardly_named(features) => Some(Reason::HardlyNamed),
        None => None,
    }
}

/// Decides all edges. They come sorted by record; `rest` holds the odds of cut candidates by position in `records`
/// order of the asking side.
///
/// Gives the decisions, and the probability from which pairs were linked: the configured floor, or more where the links above it would
/// together be wrong more often than the configured share.
pub(crate) fn decide(edges: &[Edge], rest: &[f64], config: &Config) -> (Vec<Decision>, f64) {
    let probabilities = marginal::probabilities(edges, rest);
    let assigned = assign::best_matching(edges);
    let eligible = edges.iter().enumerate().filter(|(at, edge)| assigned[*at] && guard(&edge.features).is_none());
    let threshold = threshold(eligible.map(|(at, _)| probabilities[at]).collect(), config);
    let config = &Config { match_probability_min: threshold, ..config.clone() };
    let mut decisions = Vec::with_capacity(edges.len());
    let mut from = 0;
    for group in edges.chunk_by(|a, b| a.record == b.record) {
        let to = from + group.len();
        let record = Record {
            edges: group,
            probabilities: &probabilities[from..to],
            assigned: &assigned[from..to],
            rest: rest[group[0].record as usize],
        };
        decisions.extend(record.decide(config));
        from = to;
    }
    (decisions, threshold)
}

/// Wrong links expected in a whole linkage that are put up with whatever its size: a small file cannot show so small a share.
const WRONG_MIN: f64 = 0.5;

/// The least probability, and no less than the floor, from which links are together wrong no more often than the configured share, by
/// their own probabilities.
fn threshold(mut eligible: Vec<f64>, config: &Config) -> f64 {
    eligible.retain(|probability| *probability >= config.match_probability_min);
    eligible.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut wrong = 0.0;
    for (count, probability) in eligible.iter().enumerate() {
        wrong += 1.0 - probability;
        if wrong > (config.wrong_share_max * (count + 1) as f64).max(WRONG_MIN) {
            // Too many from here on, all of the same probability included; the share only rises further down.
            return probability.next_up();
        }
    }
    config.match_probability_min
}

/// One record with all its candidates.
struct Record<'a> {
    edges: &'a [Edge],
    probabilities: &'a [f64],
    assigned: &'a [bool],
    rest: f64,
}

impl Record<'_> {
    fn decide(&self, config: &Config) -> Vec<Decision> {
        let best = self.edges.iter().map(|edge| edge.odds).fold(0.0, f64::max);
        let sum: f64 = 1.0 + self.rest + self.edges.iter().map(|edge| edge.odds).sum::<f64>();
        (0..self.edges.len())
            .map(|at| {
                let (edge, probability) = (&self.edges[at], self.probabilities[at]);
                let is_best = edge.odds >= best;
                // What the pair would be worth if nobody else claimed the candidate.
                let unclaimed = edge.odds / sum;
                let (outcome, reason) =
                    outcome(&edge.features, probability, unclaimed, is_best && self.assigned[at], is_best, config);
                Decision { probability, outcome, reason }
            })
            .collect()
    }
}

fn outcome(
    features: &Features,
    probability: f64,
    unclaimed: f64,
    assigned: bool,
    is_best: bool,
    config: &Config,
) -> (Outcome, Reason) {
    let same_state_id = features.is_same_state_id();
    let against = guard(features);
    if assigned && against.is_none() {
        if probability >= config.match_probability_min {
            return (Outcome::Match, if same_state_id { Reason::StateId } else { Reason::Probability });
        }
        // Equal and confirmed is a rule of its own, unless somebody else has a claim as good.
        if same_state_id && probability > 0.5 {
            return (Outcome::Match, Reason::StateId);
        }
    }
    let reason = against.unwrap_or(Reason::Probability);
    if same_state_id || probability >= config.review_probability_min {
        return (Outcome::Review, reason);
    }
    if is_best && unclaimed >= config.match_probability_min.min(0.9) {
        return (Outcome::Review, Reason::LostToAnother);
    }
    (Outcome::NonMatch, reason)
}

#[cfg(test)]
mod tests;
