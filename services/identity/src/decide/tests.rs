use proptest::prelude::*;

use super::{Edge, Outcome, Reason, assign, marginal};
use crate::compare::{Features, Observed};
use crate::levels::field;
use crate::{Config, Corpus, Matcher, Model, Pair, Person, PersonName};
use chrono::NaiveDate;

fn edge(record: u32, candidate: u32, odds: f64) -> Edge {
    let features = Features { observed: [Observed::MISSING; field::COUNT], swapped: false, full_name: 0.0 };
    Edge { record, candidate, bits: odds.log2(), odds, features }
}

/// All one-to-one matchings of the edges, as masks.
fn matchings(edges: &[Edge]) -> Vec<u32> {
    (0..1_u32 << edges.len())
        .filter(|mask| {
            let chosen: Vec<_> = (0..edges.len()).filter(|at| mask >> at & 1 == 1).collect();
            chosen.iter().all(|a| {
                chosen.iter().all(|b| {
                    a == b || (edges[*a].record != edges[*b].record && edges[*a].candidate != edges[*b].candidate)
                })
            })
        })
        .collect()
}

fn weight(edges: &[Edge], mask: u32) -> f64 {
    edges.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1).map(|(_, edge)| edge.odds).product()
}

fn edges() -> impl Strategy<Value = Vec<Edge>> {
    prop::collection::btree_map((0_u32..4, 0_u32..4), -6.0_f64..12.0, 0..9).prop_map(|edges| {
        edges.into_iter().map(|((record, candidate), bits)| edge(record, candidate, bits.exp2())).collect()
    })
}

/// Edges without a circle: each record but the first shares at most one candidate with an earlier one.
fn chain() -> impl Strategy<Value = Vec<Edge>> {
    prop::collection::vec(-6.0_f64..12.0, 1..9).prop_map(|bits| {
        bits.into_iter()
            .enumerate()
            .map(|(at, bits)| edge(at as u32 / 2, (at as u32).div_ceil(2), bits.exp2()))
            .collect()
    })
}

proptest! {
    #[test]
    fn the_assignment_is_the_best_of_all(edges in edges()) {
        let chosen = assign::best_matching(&edges);
        let mask = chosen.iter().enumerate().fold(0_u32, |mask, (at, chosen)| mask | u32::from(*chosen) << at);
        let best = matchings(&edges).into_iter().map(|mask| weight(&edges, mask)).fold(0.0, f64::max);
        prop_assert!(matchings(&edges).contains(&mask), "not one-to-one");
        prop_assert!(weight(&edges, mask) >= best * (1.0 - 1e-9), "{} < {}", weight(&edges, mask), best);
    }

    #[test]
    fn probabilities_are_exact_where_claims_do_not_run_in_circles(edges in chain()) {
        let all: f64 = matchings(&edges).into_iter().map(|mask| weight(&edges, mask)).sum();
        let probabilities = marginal::probabilities(&edges, &[0.0; 8]);
        for (at, probability) in probabilities.iter().enumerate() {
            let with: f64 = matchings(&edges).into_iter().filter(|mask| mask >> at & 1 == 1).map(|mask| weight(&edges, mask)).sum();
            prop_assert!((with / all - probability).abs() < 1e-6, "{} {}", with / all, probability);
        }
    }

    #[test]
    fn probabilities_of_one_person_never_exceed_one(edges in edges()) {
        let probabilities = marginal::probabilities(&edges, &[0.0; 4]);
        for person in 0..4 {
            let by_record: f64 = edges.iter().zip(&probabilities).filter(|(edge, _)| edge.record == person).map(|(_, p)| p).sum();
            prop_assert!(by_record <= 1.05, "{}", by_record);
        }
        prop_assert!(probabilities.iter().filter(|p| **p > 0.999).count() <= 4);
    }
}

#[test]
fn a_large_group_is_matched_one_to_one() {
    let edges: Vec<_> = (0..200_u32)
        .flat_map(|record| {
            (0..4).map(move |step| edge(record, (record + step) % 200, 2.0 + f64::from((record * 7 + step * 3) % 11)))
        })
        .collect();
    let chosen = assign::best_matching(&edges);
    let mut records: Vec<_> =
        edges.iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(edge, _)| edge.record).collect();
    let mut candidates: Vec<_> =
        edges.iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(edge, _)| edge.candidate).collect();
    let count = records.len();
    records.dedup();
    candidates.sort_unstable();
    candidates.dedup();
    assert!(count > 180 && records.len() == count && candidates.len() == count);
}

struct Who<'a>(&'a str, &'a str, &'a str, (i32, u32, u32), &'a str);

fn person(who: &Who<'_>) -> Person {
    let name =
        PersonName { first: who.0.to_owned(), middle: who.1.to_owned(), last: who.2.to_owned(), suffix: String::new() };
    Person {
        names: vec![name],
        birth_dates: NaiveDate::from_ymd_opt(who.3.0, who.3.1, who.3.2).into_iter().collect(),
        sasids: if who.4.is_empty() { Vec::new() } else { vec![who.4.to_owned()] },
        ..Person::default()
    }
}

/// Links against a state of a few thousand invented others, with an untrained model.
fn link(left: &[Who<'_>], right: &[Who<'_>]) -> Vec<Pair> {
    let mut state: Vec<_> = left.iter().map(person).collect();
    let (firsts, lasts) = (
        ["Ori", "Kelo", "Mira", "Sano", "Tavi", "Jessa", "Bruno"],
        ["Anders", "Muster", "Beispiel", "Exempel", "Ejemplo"],
    );
    for at in 0..3000_usize {
        let birth = (1995 + at as i32 % 23, at as u32 % 12 + 1, at as u32 % 27 + 1);
        state.push(person(&Who(firsts[at % 7], "", lasts[at % 5], birth, "")));
    }
    let roster: Vec<_> = right.iter().map(person).collect();
    let matcher = Matcher::new(Model::untrained(), &Config::default()).expect("sound");
    matcher.link(&Corpus::of(&state, &roster), &|_, _, _| {}).expect("linked").pairs
}

fn outcome(pairs: &[Pair], left: u32, right: u32) -> Option<(Outcome, Reason)> {
    pairs.iter().find(|pair| (pair.left, pair.right) == (left, right)).map(|pair| (pair.outcome, pair.reason))
}

const BORN: (i32, u32, u32) = (2008, 5, 17);

#[test]
fn guards_keep_what_may_be_another_child_for_a_person() {
    let same = |right: Who<'_>| outcome(&link(&[Who("Testa", "Wenda", "Probinski", BORN, "")], &[right]), 0, 0);
    for (right, expect) in [
        (Who("Testa", "Wenda", "Probinski", BORN, ""), Some((Outcome::Match, Reason::Probability))),
        (Who("Testa", "W", "Probinsky", BORN, ""), Some((Outcome::Match, Reason::Probability))),
        (Who("Quill", "Wenda", "Probinski", BORN, ""), Some((Outcome::Review, Reason::FirstNamesDisagree))),
        (Who("", "Wenda", "Probinski", BORN, ""), Some((Outcome::Review, Reason::FirstNamesDisagree))),
        (Who("T", "", "Probinski", BORN, ""), Some((Outcome::Review, Reason::TwinPattern))),
        (Who("Ulla", "", "Unrelated", (1999, 1, 2), ""), None),
    ] {
        let shown = format!("{} {}", right.0, right.2);
        assert_eq!(same(right), expect, "{shown}");
    }
}

#[test]
fn state_ids_are_trusted_only_when_borne_out() {
    let state = || Who("Testa", "", "Probinski", BORN, "1001234");
    let same = |right: Who<'_>| outcome(&link(&[state()], &[right]), 0, 0);
    for (right, expect) in [
        (Who("Testa", "", "Probinski", BORN, "01001234"), (Outcome::Match, Reason::StateId)),
        (Who("Testa", "", "Changed", BORN, "1001234"), (Outcome::Match, Reason::StateId)),
        (Who("Testa", "", "Probinski", (2001, 1, 9), "1001234"), (Outcome::Match, Reason::StateId)),
        (Who("Quill", "", "Probinski", BORN, "1001234"), (Outcome::Review, Reason::StateIdUnconfirmed)),
        (Who("Quill", "", "Other", (1999, 2, 3), "1001234"), (Outcome::Review, Reason::StateIdUnconfirmed)),
        (Who("Testa", "", "Probinski", BORN, "1009999"), (Outcome::Review, Reason::OtherStateId)),
    ] {
        let shown = format!("{} {} {}", right.0, right.2, right.4);
        assert_eq!(same(right), Some(expect), "{shown}");
    }
}

#[test]
fn two_clients_with_one_state_id_both_wait() {
    let roster = [Who("Testa", "", "Probinski", BORN, "1001234"), Who("Testa", "", "Probinski", BORN, "1001234")];
    let pairs = link(&[Who("Testa", "", "Probinski", BORN, "1001234")], &roster);
    for right in 0..2 {
        assert_eq!(outcome(&pairs, 0, right).map(|(outcome, _)| outcome), Some(Outcome::Review));
    }
}

#[test]
fn twins_in_the_file_each_find_their_own() {
    let state = [Who("Testa", "", "Probinski", BORN, ""), Who("Quill", "", "Probinski", BORN, "")];
    let roster = [Who("Quill", "", "Probinski", BORN, ""), Who("Testa", "", "Probinski", BORN, "")];
    let pairs = link(&state, &roster);
    assert_eq!(outcome(&pairs, 0, 1), Some((Outcome::Match, Reason::Probability)));
    assert_eq!(outcome(&pairs, 1, 0), Some((Outcome::Match, Reason::Probability)));
    assert!(pairs.iter().filter(|pair| pair.outcome == Outcome::Match).count() == 2);
}

#[test]
fn one_client_under_two_ids_is_not_linked_twice() {
    let roster = [Who("Testa", "Wenda", "Probinski", BORN, ""), Who("Testa", "", "Probinski", BORN, "")];
    let pairs = link(&[Who("Testa", "Wenda", "Probinski", BORN, "")], &roster);
    assert!(pairs.iter().filter(|pair| pair.outcome == Outcome::Match).count() <= 1);
    assert!(pairs.iter().any(|pair| pair.right == 1 && pair.outcome == Outcome::Review));
}

#[test]
fn the_threshold_rises_until_the_links_above_it_are_right_often_enough() {
    let check = |sure: usize, unsure: usize, expect: f64| {
        let eligible = std::iter::repeat_n(0.9999, unsure).chain(std::iter::repeat_n(0.999_99, sure)).chain([0.5]);
        let found = super::threshold(eligible.collect(), &Config::default());
        assert!((found - expect).abs() < 1e-12, "{sure} {unsure}: {found}");
    };
    // All above the floor, because few wrong ones are expected in all.
    check(100, 100, 0.999);
    check(1_000_000, 100_000, 0.999);
    let many = vec![0.9991; 10_000];
    let found = super::threshold(many.into_iter().chain(vec![0.999_99; 2_000]).collect(), &Config::default());
    assert!(found > 0.9991, "the floor alone would have let nine wrong ones through: {found}");
}
