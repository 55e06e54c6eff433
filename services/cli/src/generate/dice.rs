//! Seeded chance. Every child, and every purpose within a child, has its own stream, so nothing depends on the order of work.

use chrono::{Days, NaiveDate};
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream is for. Adding a draw to one purpose changes no other.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Who lives together.
    Household = 0,
    /// Who a child is.
    Person = 1,
    /// Where a child goes to school, and when.
    Life = 2,
    /// Attendance, special education, discipline, programs.
    Record = 3,
    /// Test scores and courses.
    Score = 4,
    /// Being a client of an agency, and what the agency wrote down.
    Agency = 5,
    /// Rows damaged on purpose.
    Damage = 6,
    /// Rows of rosters.
    Roster = 7,
}

/// Number of streams kept apart for each index.
const PURPOSES: u64 = 8;

/// A stream of chance.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of a purpose and an index under a seed.
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(index.wrapping_mul(PURPOSES) + purpose as u64);
        Self(rng)
    }

    /// True with a probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.0.random::<f64>() < probability
    }

    /// Uniform in `0..1`.
    pub fn unit(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    /// Uniform in `0..count`; 0 when there is nothing to choose from.
    pub fn below(&mut self, count: usize) -> usize {
        if count == 0 {
            return 0;
        }
        // The bias of a 64-bit multiply is far below anything a count of children could show.
        ((u128::from(self.0.next_u64()) * count as u128) >> 64) as usize
    }

    /// Uniform in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as usize) as i64
    }

    /// A day in `first..=last`.
    pub fn day(&mut self, first: NaiveDate, last: NaiveDate) -> NaiveDate {
        let span = (last - first).num_days().max(0);
        first + Days::new(self.between(0, span) as u64)
    }

    /// Standard normal, near enough: twelve-fold sums have no long tails, four uniforms scaled have shorter ones still.
    pub fn normal(&mut self) -> f64 {
        let bits = self.0.next_u64();
        let bits_2 = self.0.next_u64();
        let mut sum = 0.0;
        for word in [bits, bits_2] {
            for shift in [0, 16, 32, 48] {
                sum += f64::from((word >> shift) as u16) / 65535.0;
            }
        }
        // Eight uniforms: mean 4, variance 8/12.
        (sum - 4.0) / 0.816_496_58
    }

    /// How many times a rare thing happens, with a mean (Poisson, by inversion).
    pub fn poisson(&mut self, mean: f64) -> usize {
        let mut left = self.unit();
        let mut term = (-mean).exp();
        let mut count = 0;
        while left > term && count < 40 {
            left -= term;
            count += 1;
            term *= mean / count as f64;
        }
        count
    }

    /// One of a list; the caller gives a list with something in it.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    /// One of a few words.
    pub fn word(&mut self, from: &[&'static str]) -> &'static str {
        self.pick(from).copied().unwrap_or("")
    }

    /// The place of the first weight that the draw falls into.
    pub fn weighted(&mut self, weights: &[f64]) -> usize {
        let total: f64 = weights.iter().sum();
        let mut left = self.unit() * total;
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        weights.len().saturating_sub(1)
    }
}

/// Weights summed up once, drawn from often.
#[derive(Clone, Debug, Default)]
pub struct Cumulative(Vec<u64>);

impl Cumulative {
    /// Adds a weight up.
    pub fn push(&mut self, weight: u64) {
        let last = self.0.last().copied().unwrap_or(0);
        self.0.push(last + weight);
    }

    /// Draws a place.
    pub fn draw(&self, dice: &mut Dice) -> usize {
        let total = self.0.last().copied().unwrap_or(0);
        let at = dice.below(total as usize) as u64;
        self.0.partition_point(|sum| *sum <= at)
    }
}

impl FromIterator<u64> for Cumulative {
    fn from_iter<I: IntoIterator<Item = u64>>(weights: I) -> Self {
        let mut sums = Self::default();
        for weight in weights {
            sums.push(weight);
        }
        sums
    }
}

/// A one-to-one shuffle of `0..2^34`, walked until it falls below a limit: numbers that look random and never repeat.
#[derive(Clone, Copy, Debug)]
pub struct Permutation {
    keys: [u64; 4],
    low: u64,
    count: u64,
}

impl Permutation {
    /// Shuffles the numbers from `low` to `high`, at most 2^34 of them.
    pub fn new(seed: u64, purpose: Purpose, low: u64, high: u64) -> Self {
        let mut dice = Dice::new(seed, purpose, u64::MAX / PURPOSES - 1);
        let keys = std::array::from_fn(|_| dice.0.next_u64());
        Self { keys, low, count: high - low + 1 }
    }

    /// The number at a place.
    pub fn at(&self, place: u64) -> u64 {
        let mut value = place % self.count;
        loop {
            value = self.shuffle(value);
            if value < self.count {
                return self.low + value;
            }
        }
    }

    /// Four rounds of a balanced Feistel network on 34 bits.
    fn shuffle(&self, value: u64) -> u64 {
        const HALF: u64 = (1 << 17) - 1;
        let (mut left, mut right) = (value >> 17, value & HALF);
        for key in self.keys {
            let mut mixed = (right ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            mixed ^= mixed >> 29;
            mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (left, right) = (right, left ^ ((mixed >> 40) & HALF));
        }
        (left << 17) | right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permutation_never_repeats_and_stays_in_range() {
        let permutation = Permutation::new(7, Purpose::Person, 1_000_000_000, 9_999_999_999);
        let mut seen = std::collections::HashSet::new();
        for place in 0..20_000 {
            let number = permutation.at(place);
            assert!((1_000_000_000..=9_999_999_999).contains(&number));
            assert!(seen.insert(number), "{place} repeats");
        }
    }

    #[test]
    fn draws_follow_their_weights() {
        let mut dice = Dice::new(1, Purpose::Life, 3);
        let sums: Cumulative = [1, 0, 3].into_iter().collect();
        let mut counts = [0; 3];
        for _ in 0..4_000 {
            counts[sums.draw(&mut dice)] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((900..1_100).contains(&counts[0]), "{counts:?}");
    }

    #[test]
    fn normal_draws_have_mean_zero_and_variance_one() {
        let mut dice = Dice::new(1, Purpose::Score, 0);
        let draws: Vec<f64> = (0..20_000).map(|_| dice.normal()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|d| d * d).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
