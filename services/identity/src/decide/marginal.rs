//! The probability of each pair over all one-to-one matchings.
//!
//! A matching has the weight of the product of its pairs' odds. On a forest the sum-product messages below give the
//! exact share of matchings that hold a pair; where claims run in circles they converge to a good approximation.

use super::Edge;

const ROUNDS_MAX: usize = 60;
const STILL: f64 = 1e-9;

/// Probability of each edge, in order. `rest` by record: odds of candidates that are not among the edges.
pub(crate) fn probabilities(edges: &[Edge], rest: &[f64]) -> Vec<f64> {
    let mut by_candidate: Vec<u32> = (0..edges.len() as u32).collect();
    by_candidate.sort_unstable_by_key(|at| (edges[*at as usize].candidate, *at));
    let mut from_record = vec![1.0; edges.len()];
    let mut from_candidate = vec![1.0; edges.len()];
    let mut probability = vec![0.0; edges.len()];
    let mut claims = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let mut from = 0;
        for group in edges.chunk_by(|a, b| a.record == b.record) {
            claims.clear();
            claims.extend(group.iter().zip(&from_candidate[from..]).map(|(edge, message)| edge.odds * message));
            let outside = rest.get(group[0].record as usize).copied().unwrap_or(0.0);
            others(&claims, outside, |at, sum| from_record[from + at] = 1.0 / (1.0 + sum));
            from += group.len();
        }
        let mut from = 0;
        for group in by_candidate.chunk_by(|a, b| edges[*a as usize].candidate == edges[*b as usize].candidate) {
            claims.clear();
            claims.extend(group.iter().map(|at| edges[*at as usize].odds * from_record[*at as usize]));
            others(&claims, 0.0, |at, sum| from_candidate[group[at] as usize] = 1.0 / (1.0 + sum));
            from += group.len();
        }
        debug_assert_eq!(from, edges.len());
        let mut change = 0.0_f64;
        for (at, edge) in edges.iter().enumerate() {
            let odds = edge.odds * from_record[at] * from_candidate[at];
            let next = odds / (1.0 + odds);
            change = change.max((next - probability[at]).abs());
            probability[at] = next;
        }
        if change < STILL {
            break;
        }
    }
    probability
}

/// For each place the sum of all other values, from sums before and behind it: subtracting from the total would lose
/// the small ones beside a large.
fn others(values: &[f64], outside: f64, mut give: impl FnMut(usize, f64)) {
    if let [_] = values {
        return give(0, outside);
    }
    let mut behind = vec![0.0; values.len() + 1];
    for at in (0..values.len()).rev() {
        behind[at] = behind[at + 1] + values[at];
    }
    let mut before = 0.0;
    for (at, value) in values.iter().enumerate() {
        give(at, outside + before + behind[at + 1]);
        before += value;
    }
}
