//! The matcher on an invented state with known truth: what it links without a person must be right.

#[path = "../testing/invented.rs"]
mod invented;
#[path = "../testing/score.rs"]
mod score;
#[path = "../testing/unseen.rs"]
mod unseen;

use identity::{Config, Corpus, Matcher};
use invented::{NamePool, Profile, invent};

fn check(students: usize, clients: usize, seed: u64, profile: Profile, recall_min: f64) {
    let world = invent(&NamePool::built_in(), students, clients, seed, profile);
    let corpus = Corpus::of(&world.left, &world.right);
    let config = Config { random_pairs: 200_000, ..Config::default() };
    let matcher = Matcher::train(&corpus, 7, &config, &|_, _, _| {}).expect("trained");
    let result = matcher.link(&corpus, &|_, _, _| {}).expect("linked");
    let score = score::measure(&result.pairs, &world.truth);
    let child = |row: u32| &world.children[world.right_child[row as usize] as usize];
    assert!(world.children.iter().any(|child| child.twin));
    for pair in &score.wrong {
        let other = &world.children[world.left_child[pair.left as usize] as usize];
        assert!(other.family != child(pair.right).family, "linked with a member of the household");
    }
    assert!(score.wrong.len() <= 1, "{} wrong links of {}", score.wrong.len(), score.links);
    assert!(
        score.precision() >= 0.999 && score.recall() >= recall_min,
        "precision {} recall {}",
        score.precision(),
        score.recall()
    );
    // What is not linked is not lost: it waits, or is listed.
    assert!(score.listed as f64 >= 0.98 * score.true_links as f64, "{} of {} listed", score.listed, score.true_links);
    assert!(score.right_in_review + score.correct >= score.true_links * 96 / 100 && score.reviews < clients / 4);
    assert!(score.at_999.1 <= 2 && score.recall_at.iter().all(|(_, recall)| *recall > 0.9), "{score:?}");
}

#[test]
fn a_roster_is_linked_without_a_wrong_link() {
    check(20_000, 2_000, 11, Profile::ROSTER, 0.93);
}

#[test]
fn twice_the_noise_and_half_moved_costs_recall_not_precision() {
    check(6_000, 4_000, 12, Profile::CENSUS, 0.85);
}

#[test]
fn dirty_files_with_everybody_present_are_linked() {
    check(2_500, 2_500, 13, Profile::DIRTY, 0.9);
}

/// A small share of what the bench `accuracy` measures: the noise that nothing was tuned to.
#[test]
fn noise_never_seen_before_is_linked_without_a_wrong_link() {
    let (world, done) = unseen::invent(&NamePool::built_in(), 20_000, 3_000, 41);
    let twins = world.children.iter().filter(|child| child.twin).count();
    assert!(twins * 100 >= 2 * world.children.len() && twins * 100 <= 4 * world.children.len(), "{twins}");
    let corpus = Corpus::of(&world.left, &world.right);
    let config = Config { random_pairs: 200_000, ..Config::default() };
    let matcher = Matcher::train(&corpus, 7, &config, &|_, _, _| {}).expect("trained");
    let result = matcher.link(&corpus, &|_, _, _| {}).expect("linked");
    let score = score::measure(&result.pairs, &world.truth);
    assert_eq!(score.wrong.len(), 0, "of {} links", score.links);
    assert!(score.recall() > 0.9, "{}", score.recall());
    let missed = (score.true_links - score.correct) as f64;
    assert!((result.report.expected_missed - missed).abs() < 0.25 * missed + 10.0, "{missed}");
    let swapped = done.iter().filter(|did| **did & unseen::done::SWAPPED != 0).count();
    assert!(swapped > 0 && done.iter().any(|did| *did & unseen::done::NO_DATE != 0));
}
