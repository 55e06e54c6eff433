//! Every object that is read with every element of its vocabulary wrong, one at a time: each gives exactly its finding, and the objects around it are
//! read as before.

use super::super::{facts, shape::OBJECTS};
use super::*;
use crate::xml::vocabulary::sample::{self, Sample, Seeded};

/// The RefId of the one object of a name.
fn ref_id(name: &str) -> String {
    let mut id = hex::encode_upper(name);
    id.truncate(32);
    format!("{id:0<32}")
}

fn words(record: &str, name: &str) -> Option<String> {
    Some(match name {
        "RefId" => ref_id(record),
        "SIF_RefId" => ref_id("StudentRecordExchange"),
        "SIF_RefObject" if record == "StudentAcademicRecord" => "StudentRecordExchange".to_owned(),
        "SIF_RefObject" if ["StudentParticipation", "StudentPlacement"].contains(&record) => "SchoolInfo".to_owned(),
        "ManagingSchool" | "ServicingSchool" => ref_id("SchoolInfo"),
        _ => match name.strip_suffix("RefId") {
            Some(object) if facts::wants(object) => ref_id(object),
            _ => return None,
        },
    })
}

fn line_of(item: &Item) -> u32 {
    match item {
        Item::Person { line, .. }
        | Item::Organization { line, .. }
        | Item::Rejected { line, .. }
        | Item::Passed { line, .. } => *line,
        _ => 0,
    }
}

fn findings_of(item: &Item) -> &[Finding] {
    match item {
        Item::Person { findings, .. } | Item::Organization { findings, .. } | Item::Rejected { findings, .. } => {
            findings
        }
        Item::File(finding) => std::slice::from_ref(finding),
        _ => &[],
    }
}

/// What an item says, whatever its line.
fn content(item: &Item) -> String {
    match item {
        Item::Person { facts, .. } => {
            let told = facts
                .iter()
                .map(|fact| format!("{} {:?} {:?} {:?}", fact.kind, fact.natural_key, fact.valid, fact.payload));
            format!("facts {:?}", told.collect::<Vec<_>>())
        }
        Item::Organization { record, .. } => format!("{record:?}"),
        Item::Rejected { .. } => "rejected".to_owned(),
        _ => "passed".to_owned(),
    }
}

fn wrong(seeded: &Seeded, items: &[(String, Item)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let items: Vec<&Item> = items.iter().filter(|(name, _)| name == "seeded.xml").map(|(_, item)| item).collect();
    let findings: Vec<&Finding> = items.iter().flat_map(|item| findings_of(item)).collect();
    let findings: Vec<&Finding> = findings.into_iter().filter(|one| one.severity > Severity::Information).collect();
    let of =
        |(from, to): (u32, u32)| findings.iter().filter(move |one| (from..to).contains(&one.line)).collect::<Vec<_>>();
    let read = |(from, to): (u32, u32)| {
        items.iter().filter(|item| (from..to).contains(&line_of(item))).map(|item| content(item)).collect::<Vec<_>>()
    };
    let clean = read(seeded.clean[0]);
    if clean.is_empty() || clean[0] == "rejected" || !of(seeded.clean[0]).is_empty() {
        return vec![format!("the clean object: {:?} {clean:?}", of(seeded.clean[0]))];
    }
    wrong.extend(
        seeded
            .clean
            .iter()
            .filter(|lines| read(**lines) != clean || !of(**lines).is_empty())
            .map(|lines| format!("{lines:?} is clean")),
    );
    for (defect, lines) in &seeded.defects {
        let mut found = of(*lines);
        // What is wrong with the name of something names nothing, and what is left out may change what its neighbours mean: a school year that is not
        // stated is that of a day.
        if found.len() == 2 {
            let follows =
                |rule: &str| rule.ends_with(".unresolved") || ["code.unknown", "school_year.invalid"].contains(&rule);
            found.retain(|one| !follows(&one.rule));
        }
        let is_said = match found.as_slice() {
            [] => defect.may_be_right,
            // What is wrong with a RefId or a code leads nowhere, which its reader says.
            [one] => {
                defect.rules.contains(&one.rule.as_str())
                    || one.rule.ends_with(".unresolved")
                    || one.rule == "code.unknown"
            }
            _ => false,
        };
        let is_refused = of(*lines).iter().any(|one| one.severity >= Severity::Error);
        let is_rejected = read(*lines).iter().any(|content| content == "rejected");
        if !is_said || (is_refused != is_rejected && !read(*lines).contains(&"passed".to_owned())) {
            let said: Vec<_> = found
                .iter()
                .map(|one| (one.line - lines.0, one.field.as_deref(), one.rule.as_str(), one.severity))
                .collect();
            wrong.push(format!("{}: {said:?}, rejected: {is_rejected}", defect.what));
        }
    }
    wrong
}

#[test]
fn each_defect_of_an_element_is_named_there_and_loses_no_other_object() {
    let names: Vec<&str> = facts::objects().map(|(name, _)| name).filter(|name| *name != "StudentContact").collect();
    let samples: Vec<Sample> = names.iter().map(|name| sample::record(&OBJECTS, name, words)).collect();
    let message = |objects: &str| {
        format!(
            "<SIF_Message xmlns=\"http://www.sifinfo.org/infrastructure/2.x\" Version=\"2.6\"><SIF_Response><SIF_ObjectData>\n{objects}</SIF_ObjectData></SIF_Response></SIF_Message>\n"
        )
    };
    let mut all = String::new();
    for sample in &samples {
        sample.print(&mut all);
    }
    let all = message(&all);
    let (mut seeds, mut failed) = (0, Vec::new());
    for (name, record) in names.iter().zip(&samples) {
        let whole = message("|");
        let (head, tail) = whole.split_once('|').expect("it is there");
        let seeded = sample::seeded(head, tail, record, &|_, _| {});
        seeds += seeded.defects.len();
        // What the objects refer to is described last, so that no defect of a description stands.
        let found = items(&[("seeded.xml", &seeded.file), ("all.xml", &all)]);
        failed.extend(wrong(&seeded, &found).into_iter().map(|what| format!("{name}: {what}")));
    }
    assert!(failed.is_empty(), "{} of {seeds}:\n{}", failed.len(), failed.join("\n"));
    assert!(seeds > 3_000, "{seeds}");
}
