use super::Weights;
use crate::compare::{Features, Observed};
use crate::levels::{self, COMPARISONS, birth, field, first, last};
use crate::{Config, Model};

fn weights() -> Weights {
    Weights::new(&Model::untrained(), &Config::default(), 100_000)
}

fn observed(comparison: u8, level: u8, frequency: f32) -> Observed {
    Observed { comparison, level, frequency }
}

fn features(parts: &[(usize, Observed)]) -> Features {
    let mut all = [Observed::MISSING; field::COUNT];
    for (field, part) in parts {
        all[*field] = *part;
    }
    Features { observed: all, swapped: false, full_name: 0.0 }
}

#[test]
fn the_rarer_the_value_the_more_it_says() {
    let weights = weights();
    let bits = |frequency| weights.bits(observed(levels::LAST, last::EXACT, frequency));
    assert!(bits(0.02) < bits(0.001) && bits(0.001) < bits(0.000_1));
    let floor = Config::default().rarest_share as f32;
    assert!((bits(floor / 100.0) - bits(floor)).abs() < 1e-9, "the gain is capped");
}

#[test]
fn missing_says_nothing() {
    assert!(weights().bits(Observed::MISSING).abs() < f64::EPSILON);
}

#[test]
fn agreement_never_counts_less_than_disagreement_of_the_same_form() {
    let weights = weights();
    for (comparison, spec) in COMPARISONS.iter().enumerate() {
        let least = spec.levels.len() as u8 - 1;
        let exact = weights.bits(observed(comparison as u8, 0, 0.0));
        let different = weights.bits(observed(comparison as u8, least, 0.0));
        assert!(exact > different, "{}", spec.name);
    }
}

#[test]
fn a_twin_of_another_name_is_not_worth_its_family_and_birth_date() {
    let weights = weights();
    let pair = |level| {
        features(&[
            (field::FIRST, observed(levels::FIRST, level, 0.001)),
            (field::LAST, observed(levels::LAST, last::EXACT, 0.000_1)),
            (field::BIRTH, observed(levels::BIRTH, birth::EXACT, 0.000_1)),
            (field::PLACE, observed(levels::PLACE_SURNAME, levels::place::ADDRESS, 0.0)),
        ])
    };
    let (same, twin) = (weights.score(&pair(first::EXACT)), weights.score(&pair(first::DIFFERENT)));
    assert!(same > 30.0, "{same}");
    // Against prior odds of 1 : 100,000 (17 bits) that leaves about even chances: a case for a person.
    assert!(twin < 19.0 && same - twin > 12.0, "{twin}");
}

#[test]
fn training_cannot_turn_ordered_levels_round() {
    let mut model = Model::untrained();
    let sex = model.comparisons.get_mut("sex").expect("known");
    sex.get_mut("same").expect("known").m = 0.4;
    sex.get_mut("differs").expect("known").m = 0.6;
    let weights = Weights::new(&model, &Config::default(), 1000);
    assert!(weights.bits(observed(levels::SEX, 1, 0.0)) <= weights.bits(observed(levels::SEX, 0, 0.0)));
}
