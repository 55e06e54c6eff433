//! A trained model: what the matcher learnt, as a file a person can read and a later run can use.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::levels::COMPARISONS;

/// What a model file says it is.
const FORMAT: &str = "throughline-match-model";
/// Changes whenever comparisons, levels or their meaning change.
const VERSION: u32 = 1;

/// Probabilities of every level of every comparison, and the priors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    format: String,
    version: u32,
    /// What it was trained on.
    pub trained: Training,
    /// Share of the smaller side's people that the larger side holds. Estimated again for each linkage.
    pub coverage: f64,
    /// Share of true pairs whose first and last name stand crosswise.
    pub swap_rate: f64,
    /// By comparison and level.
    pub comparisons: BTreeMap<String, BTreeMap<String, LevelModel>>,
}

/// One level of one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelModel {
    /// Probability among records of one child.
    pub m: f64,
    /// Probability among records of two strangers.
    pub u: f64,
    /// How many (weighted) true pairs and random pairs stood behind the two figures.
    pub seen: [f64; 2],
}

/// Where a model comes from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Persons of the two sides.
    pub persons: [u64; 2],
    /// Seed of the random pairs and of the sample.
    pub seed: u64,
    /// Random pairs compared.
    pub random_pairs: u64,
    /// Persons of the smaller side in the sample.
    pub sampled: u64,
    /// Rounds until the figures stood still.
    pub rounds: u32,
    /// Largest change of a probability in the last round.
    pub last_change: f64,
}

impl Model {
    /// The beliefs held before any data is seen.
    pub fn untrained() -> Self {
        let comparisons = COMPARISONS
            .iter()
            .map(|comparison| {
                let levels = comparison
                    .levels
                    .iter()
                    .map(|level| (level.name.to_owned(), LevelModel { m: level.m, u: level.u, seen: [0.0; 2] }));
                (comparison.name.to_owned(), levels.collect())
            })
            .collect();
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            trained: Training::default(),
            coverage: 0.8,
            swap_rate: 0.004,
            comparisons,
        }
    }

    /// Reads and checks a model file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let file = std::fs::File::open(path).map_err(|source| Error::file(path, "opened", source))?;
        let model: Self = serde_json::from_reader(BufReader::new(file))
            .map_err(|error| Error::Model(format!("{}: {error}", path.display())))?;
        model.check()?;
        Ok(model)
    }

    /// Writes the model as JSON.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        // Cannot fail: the model holds numbers and texts only, and its maps have text keys.
        let mut text = serde_json::to_string_pretty(self).map_err(|error| Error::Model(error.to_string()))?;
        text.push('\n');
        std::fs::write(path, text).map_err(|source| Error::file(path, "written", source))
    }

    /// Refuses a model with a level that is missing, unknown or untrained: such a level would score as noise.
    pub fn check(&self) -> Result<(), Error> {
        if self.format != FORMAT || self.version != VERSION {
            return Err(Error::Model(format!("this program reads {FORMAT} version {VERSION}")));
        }
        let sound = |p: f64| p > 0.0 && p < 1.0;
        if !sound(self.coverage) || !sound(self.swap_rate) {
            return Err(Error::Model("coverage and swap_rate must lie between 0 and 1".to_owned()));
        }
        if self.comparisons.len() != COMPARISONS.len() {
            return Err(Error::Model(format!(
                "{} comparisons instead of {}",
                self.comparisons.len(),
                COMPARISONS.len()
            )));
        }
        for comparison in &COMPARISONS {
            let levels = self
                .comparisons
                .get(comparison.name)
                .ok_or_else(|| Error::Model(format!("comparison {} is missing", comparison.name)))?;
            if levels.len() != comparison.levels.len() {
                return Err(Error::Model(format!(
                    "{} has {} levels instead of {}",
                    comparison.name,
                    levels.len(),
                    comparison.levels.len()
                )));
            }
            for level in comparison.levels {
                match levels.get(level.name) {
                    Some(found) if sound(found.m) && sound(found.u) => {}
                    Some(_) => return Err(Error::Model(format!("{} / {} is untrained", comparison.name, level.name))),
                    None => return Err(Error::Model(format!("{} / {} is missing", comparison.name, level.name))),
                }
            }
        }
        Ok(())
    }

    pub(crate) fn level(&self, comparison: usize, level: usize) -> Option<&LevelModel> {
        let comparison = COMPARISONS.get(comparison)?;
        self.comparisons.get(comparison.name)?.get(comparison.levels.get(level)?.name)
    }

    pub(crate) fn level_mut(&mut self, comparison: usize, level: usize) -> Option<&mut LevelModel> {
        let comparison = COMPARISONS.get(comparison)?;
        self.comparisons.get_mut(comparison.name)?.get_mut(comparison.levels.get(level)?.name)
    }
}

#[cfg(test)]
mod tests {
    use super::{LevelModel, Model};

    #[test]
    fn a_model_survives_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.json");
        let model = Model::untrained();
        model.save(&path).expect("written");
        assert_eq!(Model::load(&path).expect("read"), model);
    }

    #[test]
    fn an_untrained_or_foreign_model_is_refused() {
        let mut untrained = Model::untrained();
        *untrained.level_mut(0, 3).expect("a level") = LevelModel { m: 0.0, u: 0.5, seen: [0.0; 2] };
        let mut missing = Model::untrained();
        missing.comparisons.get_mut("birth_date").expect("there").remove("exact");
        let mut newer = Model::untrained();
        newer.version += 1;
        for (model, word) in [(untrained, "untrained"), (missing, "levels"), (newer, "version")] {
            let text = model.check().expect_err("refused").to_string();
            assert!(text.contains(word), "{text}");
        }
    }
}
