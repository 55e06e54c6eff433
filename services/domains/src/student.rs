//! Who the student is: names, birth date, demographics. Stored by `identity` alone.

mod elements;

pub(crate) use elements::to_message;
use model::Domain;

use crate::{Definition, Kind, fold::EXCLUSION};

/// The domain as data.
pub const DEFINITION: Definition = Definition {
    domain: Domain::Student,
    label: "Student",
    elements: elements::ELEMENTS,
    kinds: &[
        Kind { name: "person", key: &["state_id"] },
        Kind { name: "registration", key: &["local_education_agency_id"] },
        Kind { name: "collection", key: &["collection", "school_year", "local_education_agency_id"] },
        Kind { name: EXCLUSION, key: &[] },
        Kind { name: "partial_file", key: &[] },
    ],
};

/// One row a source person: of each element the value that was reported last, a person or registration record before a collection
/// when both were learned in the same batch. A report is as old as the day its source gives for it, else as the day it was recorded: an old file
/// that comes late says nothing newer. Its lineage is that of the last report that gave a value which may be shown. A student with several
/// state ids has several rows.
pub(crate) fn fold(facts: &[&crate::StoredFact]) -> Vec<model::Row> {
    let mut facts = facts.to_vec();
    // What was lent another report's lineage yields to that report.
    facts.sort_by_key(|fact| (fact.source_person, fact.told_on(), fact.learned(), !fact.concealed));
    let mut rows: Vec<(model::SourcePersonId, model::Row)> = Vec::new();
    for fact in facts {
        let row = fact.to_row();
        match rows.last_mut() {
            Some((person, merged)) if *person == fact.source_person => {
                if !row.values.is_empty() {
                    merged.source = row.source;
                }
                merged.values.extend(row.values);
            }
            _ => rows.push((fact.source_person, row)),
        }
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::NaiveDate;
    use model::{BatchId, Certification, Lineage, Payload, Period, SourcePersonId, Value};

    use super::*;
    use crate::StoredFact;

    fn fact(batch: i64, reported: Option<(i32, u32)>, town: &str) -> StoredFact {
        let person = SourcePersonId(1);
        let day = |(year, month)| NaiveDate::from_ymd_opt(year, month, 1);
        StoredFact {
            source_person: person,
            sea: Arc::from("ct"),
            domain: Domain::Student,
            kind: "collection".to_owned(),
            school_year: None,
            valid: Period::ALWAYS,
            lea: None,
            facility: None,
            certification: Certification::Certified,
            source: Lineage {
                batch: BatchId(batch),
                file: Arc::from("file"),
                line: 1,
                recorded_on: day((2027, 1)),
                reported_on: reported.and_then(day),
                sea: Arc::from("ct"),
                person: Some(person),
            },
            concealed: false,
            payload: Payload::from([("resident_town".to_owned(), Value::Text(town.to_owned()))]),
        }
    }

    #[test]
    fn an_old_report_that_comes_late_says_nothing_newer() {
        fn check(facts: &[StoredFact; 2], town: &str) {
            for facts in [[&facts[0], &facts[1]], [&facts[1], &facts[0]]] {
                let rows = fold(&facts);
                assert_eq!(rows[0].values.get("resident_town").and_then(Value::as_text), Some(town));
            }
        }
        let october = |batch| fact(batch, Some((2026, 10)), "Newtown");
        let june = |batch| fact(batch, Some((2024, 6)), "Oldham");
        check(&[june(1), october(2)], "Newtown");
        check(&[october(1), june(2)], "Newtown");
        // Without a day of its own a report is as old as its file.
        check(&[october(2), fact(1, None, "Nextville")], "Nextville");
        check(&[fact(1, None, "Oldham"), fact(2, None, "Newtown")], "Newtown");
    }
}
