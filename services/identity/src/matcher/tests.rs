use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use proptest::prelude::*;

use super::Matcher;
use crate::{Config, Corpus, LinkResult, Model, Outcome, Person, PersonName, Side};

/// Families of invented children, each twice, the second time a little differently.
fn people() -> (Vec<Person>, Vec<Person>) {
    let (firsts, lasts) = (
        ["Ori", "Kelo", "Mira", "Sano", "Tavi", "Jessa", "Bruno", "Wenda", "Quill"],
        ["Anders", "Muster", "Beispiel", "Exempel", "Ejemplo", "Primer"],
    );
    let start = NaiveDate::from_ymd_opt(2003, 1, 1).expect("a date");
    let make = |at: usize, side: &str, wobble: usize| {
        let last = format!(
            "{}{}{}",
            lasts[at % 6],
            ["a", "en", "it", "ova", "ik"][at / 6 % 5],
            ["", "sko", "brun", "dal"][at / 30 % 4]
        );
        let first = format!("{}{}", firsts[at * 5 % 9], ["", "lo", "win", "ta"][at / 9 % 4]);
        let name = PersonName {
            first: if wobble == 3 { first[..3].to_owned() } else { first },
            last: if wobble == 5 { format!("{last}-Smid") } else { last },
            ..PersonName::default()
        };
        let birth = start + Days::new((at as u64 / 3 * 7_919) % 5000 + u64::from(wobble == 7));
        Person { id: format!("{side}{at}"), names: vec![name], birth_dates: vec![birth], ..Person::default() }
    };
    ((0..1200).map(|at| make(at, "L", 0)).collect(), (100..500).map(|at| make(at, "R", at % 9)).collect())
}

fn link(left: &[Person], right: &[Person], threads: usize) -> (Corpus, Matcher, LinkResult) {
    let corpus = Corpus::of(left, right);
    let config = Config { threads, random_pairs: 50_000, ..Config::default() };
    let matcher = Matcher::train(&corpus, 3, &config, &|_, _, _| {}).expect("trained");
    let result = matcher.link(&corpus, &|_, _, _| {}).expect("linked");
    (corpus, matcher, result)
}

#[test]
fn the_same_input_gives_the_same_result_on_any_number_of_threads() {
    let (left, right) = people();
    let (_, _, one) = link(&left, &right, 1);
    assert!(one.report.matches > 300, "{:?}", one.report);
    for threads in [1, 2, 3] {
        assert_eq!(link(&left, &right, threads).2, one);
    }
}

#[test]
fn matches_are_one_to_one() {
    let (left, right) = people();
    let result = link(&left, &right, 2).2;
    let matches: Vec<_> = result.pairs.iter().filter(|pair| pair.outcome == Outcome::Match).collect();
    for side in [|pair: &&crate::Pair| pair.left, |pair: &&crate::Pair| pair.right] {
        let mut seen: Vec<_> = matches.iter().map(side).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), matches.len());
    }
}

#[test]
fn the_order_of_rows_does_not_change_who_is_linked() {
    let (left, right) = people();
    let named = |(corpus, _, result): &(Corpus, Matcher, LinkResult)| {
        let mut pairs: Vec<_> = result
            .pairs
            .iter()
            .map(|pair| {
                (
                    corpus.id(Side::Left, pair.left).to_owned(),
                    corpus.id(Side::Right, pair.right).to_owned(),
                    pair.outcome,
                )
            })
            .collect();
        pairs.sort();
        pairs
    };
    let matcher_there = link(&left, &right, 2);
    let back: Vec<_> = left.iter().rev().cloned().collect();
    let corpus = Corpus::of(&back, right.iter().rev());
    let result = matcher_there.1.link(&corpus, &|_, _, _| {}).expect("linked");
    assert_eq!(named(&(corpus, matcher_there.1.clone(), result)), named(&matcher_there));
}

#[test]
fn every_listed_score_is_the_sum_of_its_explanation() {
    let (left, right) = people();
    let (corpus, matcher, result) = link(&left, &right, 2);
    for pair in &result.pairs {
        let explanation = matcher.explain(&corpus, pair.left, pair.right).expect("in range");
        let sum: f64 = explanation.parts.iter().map(|part| part.bits).sum();
        assert!((sum - pair.score_bits).abs() < 1e-9, "{sum} {}", pair.score_bits);
        assert!(pair.levels.names().iter().all(|(comparison, level)| {
            explanation.parts.iter().any(|part| part.comparison == *comparison && part.level == *level)
        }));
    }
    assert!(matcher.explain(&corpus, u32::MAX, 0).is_none());
}

#[test]
fn the_report_counts_what_was_decided() {
    let (left, right) = people();
    let result = link(&left, &right, 2).2;
    let count = |outcome| result.pairs.iter().filter(|pair| pair.outcome == outcome).count() as u64;
    assert_eq!((result.report.matches, result.report.reviews), (count(Outcome::Match), count(Outcome::Review)));
    assert_eq!((result.report.left, result.report.right), (1200, 400));
    assert!(result.report.expected_wrong < 0.5);
    let named = result.report.passes.iter().find(|pass| pass.pass == "birth date").expect("a pass");
    assert!(named.pairs > 0 && named.matches_found > 0);
}

#[test]
fn scoring_some_says_of_them_what_scoring_all_says() {
    let (left, right) = people();
    let (corpus, matcher, _) = link(&left, &right, 2);
    let everybody: BTreeSet<u32> = (0..right.len() as u32).collect();
    let (all, _) = matcher.link_some(&corpus, &everybody, &|_| Vec::new(), &|_, _, _| {}).expect("linked");
    let mut claims: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for pair in &all.pairs {
        claims.entry(pair.left).or_default().push(pair.right);
    }
    let rivals = |found: &LinkResult| {
        found.pairs.iter().filter_map(|pair| claims.get(&pair.left)).flatten().copied().collect::<Vec<_>>()
    };
    for start in [0, 60, 120] {
        let asked: BTreeSet<u32> = (start..start + 20).collect();
        let (some, scored) = matcher.link_some(&corpus, &asked, &rivals, &|_, _, _| {}).expect("linked");
        assert!(scored.is_superset(&asked) && scored.len() < everybody.len(), "{}", scored.len());
        let of = |result: &LinkResult| -> Vec<_> {
            let asked = result.pairs.iter().filter(|pair| asked.contains(&pair.right));
            asked.map(|pair| (pair.left, pair.right, pair.outcome, pair.reason, pair.score_bits)).collect()
        };
        assert_eq!(of(&some), of(&all));
    }
}

#[test]
fn a_change_concerns_those_who_share_a_key_with_it() {
    let (left, right) = people();
    let (corpus, matcher, result) = link(&left, &right, 2);
    for pair in result.pairs.iter().step_by(17) {
        let concerned = matcher.blocked(&corpus, &BTreeSet::from([pair.left])).expect("asked");
        assert!(concerned.contains(&pair.right) && concerned.len() < right.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Each thing that ceases to agree makes a pair less likely, never more.
    #[test]
    fn a_disagreement_more_is_never_evidence_for_a_pair(at in 100_usize..500, changes in prop::collection::vec(0_usize..4, 1..4)) {
        let (left, mut right) = people();
        let mut one = Person { id: "R".to_owned(), ..left[at].clone() };
        right.truncate(50);
        let mut before = f64::INFINITY;
        for change in std::iter::once(None).chain(changes.into_iter().map(Some)) {
            match change {
                Some(0) => one.names[0].first = "Xythor".to_owned(),
                Some(1) => one.names[0].last = "Vroomqual".to_owned(),
                Some(2) => one.birth_dates = vec![NaiveDate::from_ymd_opt(1999, 9, 27).expect("a date")],
                Some(_) => one.sex = Some(if at % 2 == 0 { "M" } else { "F" }.to_owned()),
                None => one.sex = Some(if at % 2 == 0 { "F" } else { "M" }.to_owned()),
            }
            let mut left = left.clone();
            left[at].sex = Some(if at % 2 == 0 { "F" } else { "M" }.to_owned());
            let mut side = right.clone();
            side.push(one.clone());
            let corpus = Corpus::of(&left, &side);
            let matcher = Matcher::new(Model::untrained(), &Config::default()).expect("sound");
            let bits = matcher.explain(&corpus, at as u32, 50).expect("in range").score_bits;
            prop_assert!(bits <= before + 1e-6, "{bits} after {before}");
            before = bits;
        }
    }
}

type Named = BTreeMap<(String, String), (Outcome, f64)>;

/// Who is linked with whom and how, by name, and how probable it is.
fn named(corpus: &Corpus, result: &LinkResult, of: [Side; 2]) -> Named {
    let name =
        |pair: &crate::Pair, side| corpus.id(side, if side == Side::Left { pair.left } else { pair.right }).to_owned();
    let row = |pair: &crate::Pair| ((name(pair, of[0]), name(pair, of[1])), (pair.outcome, pair.probability));
    result.pairs.iter().map(row).collect()
}

/// A pair that differs. Sums in another order differ in the last places, which decides for pairs on the very edge of an outcome only.
fn difference(a: &Named, b: &Named) -> Option<String> {
    let on_edge = |p: f64| [0.999, 0.1, 0.01].iter().any(|edge| (p - edge).abs() < 0.05 * f64::min(*edge, 1.0 - edge));
    let differs = |pair: &&(String, String)| match (a.get(*pair), b.get(*pair)) {
        (Some((outcome, p)), Some((other, q))) => (outcome != other && !on_edge(*p)) || (p - q).abs() > 1e-3,
        (Some((_, p)), None) | (None, Some((_, p))) => !on_edge(*p),
        (None, None) => false,
    };
    let pair = a.keys().chain(b.keys()).find(differs)?;
    Some(format!("{pair:?}: {:?} and {:?}", a.get(pair), b.get(pair)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Neither the order of rows nor which file is called left changes who is linked with whom.
    #[test]
    fn rows_in_any_order_on_either_side_give_the_same_links(seed in any::<u64>(), most in 500_usize..1200) {
        use rand::{SeedableRng as _, seq::SliceRandom as _};
        let (mut left, mut right) = people();
        left.truncate(most);
        let matcher = Matcher::new(Model::untrained(), &Config::default()).expect("sound");
        let link = |left: &[Person], right: &[Person], of: [Side; 2]| {
            let corpus = Corpus::of(left, right);
            let result = matcher.link(&corpus, &|_, _, _| {}).expect("linked");
            named(&corpus, &result, of)
        };
        let before = link(&left, &right, [Side::Left, Side::Right]);
        prop_assert!(before.values().any(|(outcome, _)| *outcome == Outcome::Match));
        prop_assert_eq!(difference(&link(&right, &left, [Side::Right, Side::Left]), &before), None);
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        left.shuffle(&mut rng);
        right.shuffle(&mut rng);
        prop_assert_eq!(difference(&link(&left, &right, [Side::Left, Side::Right]), &before), None);
    }
}
