use chrono::NaiveDate;
use proptest::prelude::*;

use super::dates::birth_level;
use crate::levels::birth;
use crate::{Address, Config, Corpus, Explanation, Matcher, Model, Person, PersonName};

fn named(first: &str, middle: &str, last: &str) -> Person {
    let name =
        PersonName { first: first.to_owned(), middle: middle.to_owned(), last: last.to_owned(), suffix: String::new() };
    Person { names: vec![name], ..Person::default() }
}

fn at(street: &str, town: &str, zip: &str) -> Person {
    let address = Address { street: street.to_owned(), town: town.to_owned(), zip: zip.to_owned() };
    Person { addresses: vec![address], ..named("Testa", "", "Probe") }
}

/// Names in use, so that they are not taken for misspellings.
fn population() -> Vec<Person> {
    let firsts = ["William", "Aubree", "Auburn", "Maria", "Jayden", "Kayden", "Sarah", "Testa", "Juan", "Bill"];
    let lasts = ["Smith", "Smythe", "Garcia", "Lopez", "Probe", "Schmidt", "Schmitt", "Kowalski"];
    let mut people = Vec::new();
    for first in firsts {
        for last in lasts {
            people.push(named(first, "", last));
        }
    }
    people
}

fn explain(a: &Person, b: &Person) -> Explanation {
    let left: Vec<_> = population().into_iter().chain([a.clone()]).collect();
    let corpus = Corpus::of(&left, [b]);
    let matcher = Matcher::new(Model::untrained(), &Config::default()).expect("sound");
    matcher.explain(&corpus, left.len() as u32 - 1, 0).expect("in range")
}

/// Comparison and level of the named field, from both sides alike.
fn level(a: &Person, b: &Person, field: &str) -> String {
    let find = |explanation: Explanation| {
        let part = explanation.parts.into_iter().find(|part| part.comparison.starts_with(field));
        part.map(|part| format!("{} {}", part.comparison, part.level)).unwrap_or_default()
    };
    let there = find(explain(a, b));
    assert_eq!(there, find(explain(b, a)), "not symmetric");
    there
}

#[test]
fn first_names_reach_their_levels() {
    for (a, b, expect) in [
        (("William", "", "Smith"), ("WILLIAM", "", "Smith"), "first_name exact"),
        (("Jos\u{e9}", "", "Smith"), ("Jose", "", "Smith"), "first_name_rare exact"),
        (("Mary-Ann", "", "Smith"), ("Maryann", "", "Smith"), "first_name_compound exact"),
        (("Maria Elena", "", "Smith"), ("Maria", "", "Smith"), "first_name_compound token"),
        (("William", "", "Smith"), ("Bill", "", "Smith"), "first_name_short nickname"),
        (("William", "", "Smith"), ("Wiliam", "", "Smith"), "first_name_rare misspelt"),
        (("Jayden", "", "Smith"), ("Kayden", "", "Smith"), "first_name alike"),
        (("Aubree", "", "Smith"), ("Auburn", "", "Smith"), "first_name similar"),
        (("William", "", "Smith"), ("W.", "", "Smith"), "first_name_initial initial"),
        (("William", "", "Smith"), ("J", "", "Smith"), "first_name_initial different"),
        (("Juan", "Maria", "Smith"), ("Maria", "", "Smith"), "first_name moved_to_middle"),
        (("Juan", "", "Smith"), ("Sarah", "", "Smith"), "first_name different"),
        (("", "", "Smith"), ("Sarah", "", "Smith"), ""),
        (("Unknown", "", "Smith"), ("Sarah", "", "Smith"), ""),
    ] {
        assert_eq!(level(&named(a.0, a.1, a.2), &named(b.0, b.1, b.2), "first_name"), expect, "{a:?} {b:?}");
    }
}

#[test]
fn surnames_reach_their_levels() {
    for (a, b, expect) in [
        ("Garcia", "GARC\u{cd}A", "last_name exact"),
        ("Garcia-Lopez", "Garcia Lopez", "last_name_compound exact"),
        ("Garcia-Lopez", "Lopez", "last_name_compound token"),
        ("Garcia-Lopez", "Lopez Garcia", "last_name_compound token"),
        ("de la Cruz", "Cruz", "last_name_compound token"),
        ("Kowalski", "Kowalsky", "last_name_rare near"),
        ("Schmidt", "Schmitt", "last_name near"),
        ("Smith Jr", "Smith", "last_name exact"),
        ("Smith", "Garcia", "last_name different"),
    ] {
        assert_eq!(level(&named("Juan", "", a), &named("Juan", "", b), "last_name"), expect, "{a} {b}");
    }
    let (married, maiden) = (named("Juan", "Garcia", "Smith"), named("Juan", "", "Garcia"));
    assert_eq!(level(&married, &maiden, "last_name"), "last_name moved_to_middle");
}

#[test]
fn crosswise_names_are_read_crosswise() {
    let (a, b) = (named("Garcia", "", "Juan"), named("Juan", "", "Garcia"));
    assert_eq!(level(&a, &b, "name_order"), "name_order first_and_last_swapped");
    assert_eq!(level(&a, &a.clone(), "name_order"), "");
}

#[test]
fn birth_dates_reach_their_levels() {
    for (a, b, expect) in [
        (20_100_304, 20_100_304, birth::EXACT),
        (20_100_304, 20_100_403, birth::SWAPPED),
        (20_100_304, 20_100_305, birth::ONE_DIGIT),
        (20_100_304, 20_010_304, birth::ONE_DIGIT),
        (20_100_304, 20_080_304, birth::MONTH_DAY),
        (20_100_304, 20_100_319, birth::YEAR_AND_PART),
        (20_100_304, 20_100_101, birth::FIRST_OF_YEAR),
        (20_100_304, 20_101_122, birth::YEAR),
        (20_100_304, 19_870_911, birth::DIFFERENT),
    ] {
        assert_eq!((birth_level(a, b), birth_level(b, a)), (expect, expect), "{a} {b}");
    }
}

#[test]
fn places_reach_their_levels() {
    for (a, b, expect) in [
        (("12 Main St", "", "06103"), ("12 Main Street Apt 3", "", "06511"), "place_given_surname address"),
        (("12 Main St", "", "06103"), ("40 Main St", "", "06103"), "place_given_surname street"),
        (("12 Main St", "", "06103"), ("40 Main St", "", "06511"), "place_given_surname nearby"),
        (("12 Main St", "", "06103"), ("9 Oak Rd", "", "06103"), "place_given_surname zip"),
        (("", "West Hartford", "06103"), ("", "W. Hartford", "06511"), "area_given_surname town"),
        (("", "", "06103"), ("", "", "6103"), "area_given_surname zip"),
        (("", "", "06103"), ("", "", "06108"), "area_given_surname nearby"),
        (("", "", "06103"), ("", "", "06511"), "area_given_surname different"),
        (("", "", "06103"), ("12 Main St", "", ""), ""),
    ] {
        let field = if expect.starts_with("area") { "area" } else { "place" };
        assert_eq!(level(&at(a.0, a.1, a.2), &at(b.0, b.1, b.2), field), expect, "{a:?} {b:?}");
    }
}

#[test]
fn the_best_of_several_names_and_dates_counts() {
    let mut a = named("Testa", "", "Smith");
    a.names.push(PersonName { first: "Testa".to_owned(), last: "Garcia".to_owned(), ..PersonName::default() });
    a.birth_dates =
        [(2010, 3, 4), (2011, 3, 4)].into_iter().filter_map(|(y, m, d)| NaiveDate::from_ymd_opt(y, m, d)).collect();
    let mut b = named("Testa", "", "Garcia");
    b.birth_dates = vec![NaiveDate::from_ymd_opt(2011, 3, 4).expect("a date")];
    assert_eq!(level(&a, &b, "last_name"), "last_name exact");
    assert_eq!(level(&a, &b, "birth_date"), "birth_date exact");
}

fn any_person() -> impl Strategy<Value = Person> {
    let name = prop::sample::select(vec![
        "William",
        "Bill",
        "Wiliam",
        "Maria Elena",
        "Maria",
        "Garcia",
        "Garcia-Lopez",
        "Lopez",
        "Smith",
        "J",
        "",
        "Smythe Jr",
        "\u{418}\u{432}\u{430}\u{43d}",
    ]);
    let date = (1990_i32..2015, 1_u32..13, 1_u32..29).prop_map(|(y, m, d)| NaiveDate::from_ymd_opt(y, m, d));
    let zip = prop::sample::select(vec!["", "06103", "06108", "06511"]);
    let street = prop::sample::select(vec!["", "12 Main St", "12 Mian St", "9 Oak Rd"]);
    let sex = prop::sample::select(vec![None, Some("M"), Some("F")]);
    let names = prop::collection::vec((name.clone(), name.clone(), name), 0..3);
    (names, prop::collection::vec(date, 0..3), zip, street, sex, prop::option::of(1_u32..4)).prop_map(
        |(names, dates, zip, street, sex, sasid)| Person {
            names: names
                .into_iter()
                .map(|(first, middle, last)| PersonName {
                    first: first.to_owned(),
                    middle: middle.to_owned(),
                    last: last.to_owned(),
                    suffix: String::new(),
                })
                .collect(),
            birth_dates: dates.into_iter().flatten().collect(),
            addresses: vec![Address { street: street.to_owned(), town: String::new(), zip: zip.to_owned() }],
            sex: sex.map(str::to_owned),
            sasids: sasid.map(|number| format!("10{number}")).into_iter().collect(),
            ..Person::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn scores_do_not_depend_on_the_side(a in any_person(), b in any_person()) {
        let people = population();
        let matcher = Matcher::new(Model::untrained(), &Config::default()).expect("sound");
        let there = Corpus::of(people.iter().chain([&a]), [&b]);
        let back = Corpus::of([&b], people.iter().chain([&a]));
        let there = matcher.explain(&there, people.len() as u32, 0).expect("in range");
        let back = matcher.explain(&back, 0, people.len() as u32).expect("in range");
        prop_assert!((there.score_bits - back.score_bits).abs() < 1e-6, "{:?} {:?}", there, back);
        prop_assert_eq!(there.guard, back.guard);
    }

    #[test]
    fn explanations_add_up_to_the_score(a in any_person(), b in any_person()) {
        let explanation = explain(&a, &b);
        let sum: f64 = explanation.parts.iter().map(|part| part.bits).sum();
        prop_assert!((sum - explanation.score_bits).abs() < 1e-9);
        prop_assert!(explanation.parts.iter().all(|part| part.bits.is_finite()));
    }
}
