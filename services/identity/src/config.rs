//! What an operator may set for matching. The defaults are for precision first.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Settings of the matcher. Every field has a default; unknown ones are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Probability from which a pair that passes the guards is linked without a person.
    pub match_probability_min: f64,
    /// Share of links that may be wrong, by their own probabilities: the threshold rises above `match_probability_min` until it holds.
    pub wrong_share_max: f64,
    /// Days after which the exchange learns its model anew and scores everybody; in between it scores whom a change could concern.
    pub refit_days: u32,
    /// Probability from which a pair waits for a person.
    pub review_probability_min: f64,
    /// Probability above which a candidate is listed at all.
    pub listed_probability_min: f64,
    /// Records that one blocking key may bring; a larger block is left to the other passes and reported.
    pub block_records_max: usize,
    /// Candidates kept for one record; what is cut still counts against those that are kept.
    pub candidates_per_record_max: usize,
    /// Other members of a child's household expected in the larger file (siblings, twins, parents of the same name).
    pub household_members: f64,
    /// Share of the people below which no name counts as rarer still.
    pub rarest_share: f64,
    /// Random pairs drawn to learn how often strangers agree.
    pub random_pairs: usize,
    /// Records of the smaller file used to learn how often one child's records agree.
    pub training_records_max: usize,
    /// Rounds after which training stops even if the figures still move.
    pub training_rounds_max: usize,
    /// Threads used for scoring. The result does not depend on it.
    pub threads: usize,
    /// Findings kept for one file; further ones are counted only.
    pub findings_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            match_probability_min: 0.999,
            wrong_share_max: 0.000_1,
            refit_days: 30,
            review_probability_min: 0.10,
            listed_probability_min: 0.01,
            block_records_max: 5_000,
            candidates_per_record_max: 12,
            household_members: 2.0,
            rarest_share: 0.000_01,
            random_pairs: 1_000_000,
            training_records_max: 10_000,
            training_rounds_max: 20,
            threads: 2,
            findings_max: 10_000,
        }
    }
}

impl Config {
    /// Says every setting that makes no sense, at once.
    pub fn check(&self) -> Result<(), Error> {
        let mut wrong = Vec::new();
        for (name, value) in [
            ("match_probability_min", self.match_probability_min),
            ("review_probability_min", self.review_probability_min),
            ("listed_probability_min", self.listed_probability_min),
            ("rarest_share", self.rarest_share),
        ] {
            if !(value > 0.0 && value < 1.0) {
                wrong.push(format!("{name} must lie between 0 and 1"));
            }
        }
        if !(self.wrong_share_max > 0.0 && self.wrong_share_max <= 1.0) {
            wrong.push("wrong_share_max must exceed 0 and be at most 1".to_owned());
        }
        if self.review_probability_min > self.match_probability_min {
            wrong.push("review_probability_min must not exceed match_probability_min".to_owned());
        }
        if self.match_probability_min <= 0.5 {
            wrong.push("match_probability_min must exceed 0.5: below it links would not be one-to-one".to_owned());
        }
        if !(0.0..=100.0).contains(&self.household_members) {
            wrong.push("household_members must lie between 0 and 100".to_owned());
        }
        for (name, value) in [
            ("block_records_max", self.block_records_max),
            ("candidates_per_record_max", self.candidates_per_record_max),
            ("random_pairs", self.random_pairs),
            ("training_records_max", self.training_records_max),
            ("threads", self.threads),
        ] {
            if value == 0 {
                wrong.push(format!("{name} must be at least 1"));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong.join("; "))) }
    }
}

#[cfg(test)]
mod tests {
    use super::Config;

    #[test]
    fn every_mistake_is_reported_at_once() {
        Config::default().check().expect("the defaults are sound");
        let wrong = Config { threads: 0, match_probability_min: 1.5, ..Config::default() };
        let text = wrong.check().expect_err("refused").to_string();
        assert!(text.contains("threads") && text.contains("match_probability_min"), "{text}");
    }

    #[test]
    fn unknown_settings_are_refused() {
        assert!(serde_json::from_str::<Config>(r#"{"treads": 2}"#).is_err());
        assert_eq!(serde_json::from_str::<Config>("{}").expect("all defaults"), Config::default());
    }
}
