//! Measuring a linkage against the truth.

use identity::{Outcome, Pair};

/// How good a linkage is.
#[derive(Debug, Default, Clone)]
pub struct Score {
    pub links: usize,
    pub true_links: usize,
    pub wrong: Vec<Pair>,
    /// Right pairs linked automatically.
    pub correct: usize,
    /// Right pairs sent to review.
    pub right_in_review: usize,
    pub reviews: usize,
    /// Right pairs listed at all.
    pub listed: usize,
    /// Recall at any threshold with that precision, one-to-one by probability.
    pub recall_at: Vec<(f64, f64)>,
    /// Links that a threshold of 0.999 on the probability alone would make, and how many are wrong.
    pub at_999: (usize, usize),
}

pub fn measure(pairs: &[Pair], truth: &[Option<u32>]) -> Score {
    let right = |pair: &Pair| truth[pair.right as usize] == Some(pair.left);
    let true_links = truth.iter().flatten().count();
    let mut score = Score { true_links, ..Score::default() };
    for pair in pairs {
        score.listed += usize::from(right(pair));
        match pair.outcome {
            Outcome::Match if right(pair) => score.correct += 1,
            Outcome::Match => score.wrong.push(*pair),
            Outcome::Review => {
                score.reviews += 1;
                score.right_in_review += usize::from(right(pair));
            }
            Outcome::NonMatch => {}
        }
        if pair.probability >= 0.999 {
            score.at_999.0 += 1;
            score.at_999.1 += usize::from(!right(pair));
        }
    }
    score.links = score.correct + score.wrong.len();
    let mut ranked: Vec<&Pair> = pairs.iter().collect();
    ranked.sort_by(|a, b| {
        b.probability
            .total_cmp(&a.probability)
            .then(b.score_bits.total_cmp(&a.score_bits))
            .then((a.right, a.left).cmp(&(b.right, b.left)))
    });
    let (mut used_left, mut used_right) = (std::collections::HashSet::new(), std::collections::HashSet::new());
    let mut curve = Vec::new();
    let (mut hits, mut count) = (0_usize, 0_usize);
    for pair in ranked {
        if used_left.contains(&pair.left) || used_right.contains(&pair.right) {
            continue;
        }
        used_left.insert(pair.left);
        used_right.insert(pair.right);
        count += 1;
        hits += usize::from(right(pair));
        curve.push((hits as f64 / count as f64, hits as f64 / true_links.max(1) as f64));
    }
    score.recall_at = [0.99, 0.999, 0.9999]
        .into_iter()
        .map(|precision| {
            (precision, curve.iter().filter(|(p, _)| *p >= precision).map(|(_, recall)| *recall).fold(0.0, f64::max))
        })
        .collect();
    score
}

impl Score {
    pub fn precision(&self) -> f64 {
        self.correct as f64 / self.links.max(1) as f64
    }

    pub fn recall(&self) -> f64 {
        self.correct as f64 / self.true_links.max(1) as f64
    }
}
