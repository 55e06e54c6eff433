//! The two public Ed-Fi 1.0 data sets, if a checkout of them lies beside this project (`../shared/data`). Where they are
//! absent these tests pass without a word: they are not part of the project.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use super::*;
use crate::item::Severity;

fn data(set: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(set);
    path.is_file().then_some(path)
}

/// Different facts by domain and kind, and how many of their keys differ. What a file says twice alike is one.
fn count(reading: &Reading) -> BTreeMap<String, (usize, usize)> {
    let mut keys: BTreeMap<String, (HashSet<_>, HashSet<_>)> = BTreeMap::new();
    for domain in Domain::ALL {
        for (person, fact) in reading.facts(domain) {
            let entry = keys.entry(format!("{domain} {}", fact.kind)).or_default();
            let values: Vec<String> =
                fact.payload.iter().map(|(name, value)| format!("{name}={}", value.to_plain())).collect();
            entry.0.insert((person.to_owned(), fact.natural_key, values));
            entry.1.insert((person.to_owned(), fact.natural_key));
        }
    }
    keys.into_iter().map(|(kind, (facts, keys))| (kind, (facts.len(), keys.len()))).collect()
}

fn check(reading: &Reading, expect: &[(&str, usize)]) {
    let found = count(reading);
    let expect: BTreeMap<String, (usize, usize)> =
        expect.iter().map(|(kind, n)| ((*kind).to_owned(), (*n, *n))).collect();
    assert_eq!(found, expect, "facts and distinct keys by kind");
    assert!(reading.summaries.iter().all(|summary| summary.counts.is_complete));
}

/// The findings as `file rule severity`, with how often each is said.
fn said(reading: &Reading) -> BTreeMap<String, usize> {
    let mut said = BTreeMap::new();
    for (file, finding) in reading.findings() {
        *said.entry(format!("{file} {} {:?}", finding.rule, finding.severity)).or_default() += 1;
    }
    said
}

#[test]
fn the_first_daybreak_delivery_gives_one_fact_for_each_record() {
    let Some(control) = data("edfi-1.0-daybreak/base/MainControlFile.ctl") else { return };
    let reading = Reading::of(&control, &mut Index::new(Config::default().index_bytes_max));
    check(
        &reading,
        &[
            ("student person", 78),
            ("special_education section_504", 1),
            ("enrollment association", 167),
            ("attendance event", 5_550),
            ("assessment result", 203),
            ("course transcript", 196),
            // 325 records: the file says 28 twice.
            ("course section", 297),
            ("course grade", 4),
            ("contact parent", 9),
            ("discipline incident", 4),
            ("discipline action", 3),
            ("program participation", 6),
        ],
    );
    let said = said(&reading);
    let of = |rule: &str| said.iter().filter(|(name, _)| name.contains(rule)).map(|(_, count)| *count).sum::<usize>();
    assert_eq!(
        (of("file.checksum Warning"), of("control.missing_file Warning"), of(" Error"), of(" Fatal")),
        (4, 2, 0, 0)
    );
    let rejected = reading
        .items
        .iter()
        .filter(|(_, item)| matches!(told(item), Item::Rejected { .. } | Item::Dependent(_)))
        .count();
    assert_eq!(rejected, 0);
    let introduced: BTreeSet<&str> = reading.facts(Domain::Student).into_iter().map(|(person, _)| person).collect();
    for domain in Domain::ALL {
        assert!(reading.facts(domain).iter().all(|(person, _)| introduced.contains(person)), "{domain}");
    }
}

#[test]
fn the_ten_students_give_one_fact_for_each_record() {
    let Some(control) = data("edfi-1.0-ten-students-three-years/ControlFile.ctl") else { return };
    let reading = Reading::of(&control, &mut Index::new(Config::default().index_bytes_max));
    check(
        &reading,
        &[
            ("student person", 10),
            ("enrollment association", 30),
            ("attendance event", 731),
            ("assessment result", 180),
            ("course transcript", 75),
            ("course section", 75),
            ("course grade", 75),
            ("contact parent", 20),
            ("discipline incident", 75),
            ("discipline action", 75),
            ("program participation", 92),
        ],
    );
    assert_eq!(
        said(&reading).into_iter().collect::<Vec<_>>(),
        [("ControlFile.ctl control.missing_file Warning".to_owned(), 1)]
    );
}

#[test]
fn later_daybreak_deliveries_correct_and_add() {
    let mut index = Index::new(Config::default().index_bytes_max);
    let mut current: BTreeMap<_, Fact> = BTreeMap::new();
    let mut known = BTreeSet::new();
    let mut steps = Vec::new();
    for delivery in ["base", "append", "deltas"] {
        let Some(control) = data(&format!("edfi-1.0-daybreak/{delivery}/MainControlFile.ctl")) else { return };
        let reading = Reading::of(&control, &mut index);
        let mut step = (0, 0, 0, 0, 0);
        for (file, item) in &reading.items {
            match told(item) {
                Item::Rejected { .. } | Item::Dependent(_) => panic!("{file}: {:?}", findings_of(item)),
                Item::Person { state_id, introduces: true, .. } => {
                    known.insert(state_id.expose().clone());
                }
                Item::Person { state_id, .. } if !known.contains(state_id.expose()) => {
                    step.3 += 1;
                    assert_eq!(file, "StudentAttendanceNoStudent.xml");
                    continue;
                }
                Item::Person { .. } | Item::Joint(_) => {}
                _ => continue,
            }
            for (person, fact) in facts_of(item) {
                let key = (person.to_owned(), fact.domain, fact.natural_key);
                match current.insert(key, fact.clone()) {
                    None => step.0 += 1,
                    Some(old) if old.payload == fact.payload && old.valid == fact.valid && old.lea == fact.lea => {
                        step.1 += 1;
                    }
                    Some(_) => step.2 += 1,
                }
            }
        }
        step.4 = reading
            .findings()
            .iter()
            .filter(|(_, finding)| finding.rule == "file.checksum" && finding.severity == Severity::Warning)
            .count();
        steps.push((delivery, step));
    }
    // Facts new, unchanged, corrected; records of unknown students; wrong sums.
    assert_eq!(steps, [("base", (6_518, 28, 0, 0, 4)), ("append", (14, 2, 20, 1, 4)), ("deltas", (2, 2, 1, 0, 1))]);
}
