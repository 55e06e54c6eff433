//! Every object that is read with every element of its vocabulary wrong, one at a time: each gives exactly its finding, and the objects around it are
//! read as before.

use super::super::{
    facts,
    shape::{self, OBJECTS, STUDENT_CONTACT, Shape},
};
use super::*;
use crate::xml::vocabulary::{
    Holds,
    sample::{self, Defect, Sample, Seeded, Stands},
};

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
                    // The day that told the school year may be left out: then the year is asked, which is no year here.
                    || (defect.may_be_right && one.rule == "school_year.invalid")
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

fn message(objects: &str) -> String {
    format!(
        "<SIF_Message xmlns=\"http://www.sifinfo.org/infrastructure/2.x\" Version=\"2.6\"><SIF_Response><SIF_ObjectData>\n{objects}</SIF_ObjectData></SIF_Response></SIF_Message>\n"
    )
}

/// What may stand where a StudentContact has this.
fn value_of(shape: &Shape) -> String {
    let code = || {
        let table = tables().find(shape.table.as_deref()?)?.edition(None)?;
        // Another name is not the name of record.
        table.edition().codes.iter().map(|code| code.code.clone()).find(|code| code != "04")
    };
    match shape.holds {
        shape::Holds::Guid => words("StudentContact", &shape.name).unwrap_or_default(),
        shape::Holds::Date => "2013-10-01".to_owned(),
        shape::Holds::Integer => "1".to_owned(),
        shape::Holds::Code if shape.table.as_deref() == Some("answer") => "Yes".to_owned(),
        shape::Holds::Code => code().unwrap_or_default(),
        shape::Holds::Constant => shape.constant.clone().unwrap_or_default(),
        shape::Holds::Elements => String::new(),
        shape::Holds::Text | shape::Holds::Any => shape.name.clone(),
    }
}

/// All that a StudentContact may say, once.
fn contact_sample(shape: &Shape, stands: Option<Stands>) -> Sample {
    let of = |child: &Shape| {
        let holds = match child.holds {
            shape::Holds::Guid => Holds::Guid,
            shape::Holds::Date => Holds::Date,
            shape::Holds::Integer => Holds::Integer,
            shape::Holds::Code => Holds::Code(child.table.clone().unwrap_or_default()),
            _ => Holds::Text(None),
        };
        let (is_mandatory, repeats) = (child.occurs.is_mandatory, child.occurs.repeats);
        contact_sample(child, Some(Stands { is_mandatory, repeats, holds }))
    };
    Sample {
        name: shape.name.clone(),
        attributes: shape.attributes.iter().map(|own| (own.name.clone(), value_of(own))).collect(),
        text: value_of(shape),
        children: shape.children.iter().map(of).collect(),
        stands,
        is_reference: false,
    }
}

/// A StudentContact with each attribute wrong, one at a time.
fn attribute_defects(shape: &Shape, sample: &Sample) -> Vec<Defect> {
    let mut found = Vec::new();
    let mut add = |what: &str, rules: &'static [&'static str], may_be_right, attributes: Vec<(String, String)>| {
        let record = Sample { attributes, ..sample.clone() };
        found.push(Defect { what: format!("{what}: {}", shape.name), record, rules, may_be_right });
    };
    let with = |name: &str, text: &str| {
        let others = sample.attributes.iter().filter(|(own, _)| own != name).cloned();
        others.chain((!text.is_empty()).then(|| (name.to_owned(), text.to_owned()))).collect::<Vec<_>>()
    };
    if shape.holds != shape::Holds::Any {
        add("an unknown attribute", &["attribute.unknown"], false, with("Odd", "x"));
    }
    for own in &shape.attributes {
        add(&format!("no {}", own.name), &["field.required"], !own.occurs.is_mandatory, with(&own.name, ""));
        let rules: &[&str] = match own.holds {
            shape::Holds::Guid => &["guid.invalid"],
            shape::Holds::Code => &["code.unknown"],
            shape::Holds::Constant => &["value.constant"],
            _ => continue,
        };
        add(&format!("a wrong {}", own.name), rules, false, with(&own.name, "x"));
    }
    for (at, (child, inner)) in sample.children.iter().zip(&shape.children).enumerate() {
        found.extend(attribute_defects(inner, child).into_iter().map(|defect| {
            let mut record = sample.clone();
            record.children[at] = defect.record;
            Defect { record, ..defect }
        }));
    }
    found
}

/// The same of StudentContact, which a description of its own checks.
#[test]
fn each_defect_of_a_contact_is_named_there_and_loses_no_other() {
    let shape = Shape { name: "StudentContact".to_owned(), ..STUDENT_CONTACT.object.clone() };
    let record = contact_sample(&shape, None);
    let defects = [record.defects(), attribute_defects(&shape, &record)].into_iter().flatten().collect();
    let mut student = String::new();
    sample::record(&OBJECTS, "StudentPersonal", words).print(&mut student);
    let whole = message("|");
    let (head, tail) = whole.split_once('|').expect("it is there");
    let seeded = sample::seeded_with(head, tail, &record, defects, &|_, _| {});
    let found = items(&[("seeded.xml", &seeded.file), ("student.xml", &message(&student))]);
    let failed = wrong(&seeded, &found);
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), seeded.defects.len(), failed.join("\n"));
    assert!(seeded.defects.len() > 400, "{}", seeded.defects.len());
}

#[test]
fn each_defect_of_an_element_is_named_there_and_loses_no_other_object() {
    let names: Vec<&str> = facts::objects().map(|(name, _)| name).filter(|name| *name != "StudentContact").collect();
    let samples: Vec<Sample> = names.iter().map(|name| sample::record(&OBJECTS, name, words)).collect();
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
