use crate::{Config, Corpus, Matcher, Model, Person, PersonName};
use chrono::{Days, NaiveDate};

/// A state of invented people, and the first of them again with every tenth surname changed and every twentieth birth
/// date off by a day.
fn people(count: usize, roster: usize) -> (Vec<Person>, Vec<Person>) {
    let (firsts, lasts) = (
        ["Ori", "Kelo", "Mira", "Sano", "Tavi", "Jessa", "Bruno", "Wenda"],
        ["Anders", "Muster", "Beispiel", "Exempel", "Ejemplo"],
    );
    let start = NaiveDate::from_ymd_opt(2001, 1, 1).expect("a date");
    let make = |at: usize, changed: bool, off: u64| {
        let last = if changed {
            "Changed".to_owned()
        } else {
            format!("{}{}", lasts[at % 5], ["a", "en", "it", "ova"][at / 5 % 4])
        };
        let name = PersonName { first: firsts[at * 7 % 8].to_owned(), last, ..PersonName::default() };
        let birth = start + Days::new((at as u64 * 2_654_435_761) % 6000 + off);
        Person {
            names: vec![name],
            birth_dates: vec![birth],
            sex: Some(["M", "F"][at / 3 % 2].to_owned()),
            ..Person::default()
        }
    };
    let left = (0..count).map(|at| make(at, false, 0)).collect();
    let right = (0..roster).map(|at| make(at, at % 10 == 0, u64::from(at % 20 == 7))).collect();
    (left, right)
}

fn train(corpus: &Corpus, config: &Config) -> Model {
    Matcher::train(corpus, 1, config, &|_, _, _| {}).expect("trained").model().clone()
}

#[test]
fn probabilities_are_learnt_without_labels() {
    let (left, right) = people(4000, 1000);
    let model = train(&Corpus::of(&left, &right), &Config { random_pairs: 100_000, ..Config::default() });
    let level = |comparison: &str, level: &str| model.comparisons[comparison][level];
    let close =
        |found: f64, expect: f64, slack: f64| assert!((found - expect).abs() < slack, "{found} instead of {expect}");
    close(level("birth_date", "exact").m, 0.95, 0.02);
    close(level("sex", "same").u, 0.5, 0.02);
    close(level("last_name", "exact").u, 0.05, 0.01);
    close(model.coverage, 0.98, 0.02);
    model.check().expect("nothing untrained");
}

#[test]
fn training_depends_on_neither_threads_nor_runs() {
    let (left, right) = people(1500, 400);
    let corpus = Corpus::of(&left, &right);
    let config = |threads| Config { threads, random_pairs: 50_000, ..Config::default() };
    let one = train(&corpus, &config(1));
    for threads in [1, 2, 5] {
        assert_eq!(train(&corpus, &config(threads)), one);
    }
}

#[test]
fn tiny_and_empty_sides_keep_to_the_beliefs() {
    let (left, right) = people(3, 1);
    train(&Corpus::of(&left, &right), &Config::default()).check().expect("usable");
    let nobody = Corpus::of(&left, &Vec::new());
    let matcher = Matcher::train(&nobody, 1, &Config::default(), &|_, _, _| {}).expect("trained");
    assert!(matcher.link(&nobody, &|_, _, _| {}).expect("linked").pairs.is_empty());
}
