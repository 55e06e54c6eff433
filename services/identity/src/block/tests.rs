use super::{Index, PASSES, Pass, PassCount, Tier};
use crate::corpus::{Corpus, Side};
use crate::{Config, Person, PersonName};
use chrono::NaiveDate;

fn person(first: &str, last: &str, birth: (i32, u32, u32)) -> Person {
    let name = PersonName { first: first.to_owned(), last: last.to_owned(), ..PersonName::default() };
    Person {
        names: vec![name],
        birth_dates: NaiveDate::from_ymd_opt(birth.0, birth.1, birth.2).into_iter().collect(),
        ..Person::default()
    }
}

#[test]
fn each_pass_finds_what_it_is_for() {
    let asked = person("Testa", "Probe-Muster", (2010, 3, 4));
    for (other, expect) in [
        (person("Xx", "Yy", (2010, 3, 4)), Pass::BirthDate),
        (person("Testa", "Probe Muster", (1999, 1, 2)), Pass::FullName),
        (person("Xx", "Yy", (2010, 4, 3)), Pass::BirthDateSwapped),
        (person("Xx", "Probe Muster", (2001, 3, 4)), Pass::LastMonthDay),
        (person("Tom", "Probemuster", (2010, 9, 9)), Pass::LastYear),
        (person("Testa", "Yy", (2009, 3, 4)), Pass::FirstMonthDay),
        (person("Probe Muster", "Testa", (2009, 3, 5)), Pass::NamesSwapped),
        (person("Tom", "Muster", (2010, 9, 9)), Pass::LastPartYearInitial),
        (person("Testa", "Yy", (2010, 9, 9)), Pass::FirstYear),
        (person("Testa", "Prohaska", (1999, 9, 9)), Pass::FirstLastStart),
        (person("Tesda", "Brobemuster", (1999, 9, 9)), Pass::NamesSound),
        (person("Testa Maria", "Muster", (1999, 9, 9)), Pass::NameParts),
    ] {
        let corpus = Corpus::of([&other], [&asked]);
        let index = Index::build(&corpus, Side::Right, &Config::default());
        let found: Vec<_> = PASSES.iter().map(|plan| plan.pass).filter(|pass| index.finds(*pass, 0, 0)).collect();
        assert!(found.contains(&expect), "{expect:?}: {found:?}");
    }
}

#[test]
fn a_block_too_large_is_skipped_and_counted() {
    let many: Vec<_> = (0..20).map(|_| person("Testa", "Probe", (2010, 3, 4))).collect();
    let asked = person("Other", "Name", (2010, 3, 4));
    let corpus = Corpus::of(&many, [&asked]);
    let config = Config { block_records_max: 10, ..Config::default() };
    let index = Index::build(&corpus, Side::Right, &config);
    let (mut counts, mut out) = ([PassCount::default(); PASSES.len()], Vec::new());
    index.candidates(0, Tier::Always, &mut counts, &mut out);
    assert!(out.is_empty());
    assert_eq!(counts.iter().map(|count| count.skipped).sum::<u64>(), 1);
}

#[test]
fn of_a_name_that_many_bear_only_those_of_a_date_not_wholly_another_are_asked() {
    let mut many: Vec<_> = (0..80).map(|n| person("Testa", "Probe", (1990, 1 + n % 12, 1 + n % 27))).collect();
    many.push(person("Testa", "Probe", (2001, 3, 4)));
    many.push(person("Testa", "Probe", (2010, 11, 23)));
    many.push(Person { birth_dates: Vec::new(), ..person("Testa", "Probe", (2010, 1, 1)) });
    let found = |asked: &Person| {
        let corpus = Corpus::of(&many, [asked]);
        let index = Index::build(&corpus, Side::Right, &Config::default());
        let (mut counts, mut out) = ([PassCount::default(); PASSES.len()], Vec::new());
        index.candidates(0, Tier::Always, &mut counts, &mut out);
        out
    };
    let asked = person("Testa", "Probe", (2010, 3, 4));
    let alike: Vec<u32> = (0..80).filter(|n| (n % 12, n % 27) == (2, 3)).chain(80..83).collect();
    assert_eq!(found(&asked), alike);
    assert_eq!(found(&Person { birth_dates: Vec::new(), ..asked }).len(), many.len());
}

#[test]
fn passes_stand_in_their_order() {
    assert!(PASSES.iter().enumerate().all(|(at, plan)| plan.pass as usize == at && plan.blocks <= at));
}
