//! Every layout against its sample: what it reads, and that it writes the same file again. Samples are found, not listed; a new
//! layout without one fails.

use std::{fs, path::Path};

use intake::{Finding, Item, convert, layouts};
use model::Fact;
use serde_json::{Map, Value as Json, json};

use crate::{items, sample, tables};

fn fact(fact: &Fact) -> Json {
    let payload: Map<String, Json> = fact.payload.iter().map(|(name, value)| (name.clone(), value.to_json())).collect();
    let mut json = json!({
        "fact": format!("{}.{}", fact.domain, fact.kind),
        "school_year": fact.school_year.map(|year| year.to_string()),
        "from": fact.valid.from().map(|day| day.to_string()),
        "to": fact.valid.to().map(|day| day.to_string()),
        "lea": fact.lea,
        "facility": fact.facility,
        "certification": format!("{:?}", fact.certification),
        "restriction": format!("{:?}", fact.restriction),
        "payload": payload,
    });
    if let (Some(day), Some(json)) = (fact.reported_on, json.as_object_mut()) {
        json.insert("reported_on".to_owned(), day.to_string().into());
    }
    if let (Some(edition), Some(json)) = (&fact.edition, json.as_object_mut()) {
        json.insert("edition".to_owned(), edition.as_str().into());
    }
    json
}

fn finding(finding: &Finding) -> Json {
    serde_json::to_value(finding).expect("a finding is plain")
}

fn item(item: &Item) -> Json {
    match item {
        Item::Person { line, state_id, claimed_birth_date, facts, introduces, findings, .. } => json!({
            "line": line,
            "person": state_id.expose(),
            "claimed_birth_date": claimed_birth_date.as_ref().map(|day| day.expose().to_string()),
            "introduces": introduces,
            "facts": facts.iter().map(fact).collect::<Vec<_>>(),
            "findings": findings.iter().map(finding).collect::<Vec<_>>(),
        }),
        Item::Organization { line, record, findings, .. } => json!({
            "line": line,
            "organization": [record.code, record.name, record.organization_type],
            "parent": record.parent_code,
            "town": record.town,
            "open_date": record.open_date.map(|day| day.to_string()),
            "findings": findings.iter().map(finding).collect::<Vec<_>>(),
        }),
        Item::Passed { line, kind, .. } => json!({ "line": line, "passed": kind }),
        Item::Retracted { line, .. } => json!({ "line": line, "retracted": true }),
        Item::Joint(_) | Item::Described { .. } | Item::Dependent(_) => json!({ "of": "another reader" }),
        Item::Rejected { line, findings, .. } => json!({
            "line": line,
            "rejected": findings.iter().map(finding).collect::<Vec<_>>(),
        }),
        Item::File(found) => json!({ "file": finding(found) }),
    }
}

#[test]
fn every_sample_reads_as_expected() {
    let mut wrong = Vec::new();
    for layout in layouts::all() {
        let bytes =
            fs::read(sample(layout, "sample")).unwrap_or_else(|error| panic!("{} has no sample: {error}", layout.id));
        let found: String = items(layout, &bytes)
            .iter()
            .map(|read| serde_json::to_string_pretty(&item(read)).expect("plain") + "\n")
            .collect();
        let expected = fs::read_to_string(sample(layout, "expected")).unwrap_or_default();
        if found != expected {
            let actual = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.expected", layout.id));
            fs::write(&actual, found).expect("the actual reading can be kept");
            wrong.push(format!("{}: compare with {}", layout.id, actual.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn samples_are_clean_and_written_again_byte_for_byte() {
    for layout in layouts::all() {
        let bytes = fs::read(sample(layout, "sample")).expect("it has a sample");
        let (mut objects, mut findings) = (Vec::new(), Vec::new());
        let mut reader = bytes.as_slice();
        let summary =
            convert::to_ndjson(&mut reader, layout, tables(layout), &mut objects, &mut |found| findings.push(found))
                .expect("memory can be read");
        assert_eq!((summary.rejected, summary.refused), (0, false), "{}: {findings:#?}", layout.id);
        let mut again = Vec::new();
        let written = convert::from_ndjson(&mut objects.as_slice(), layout, &mut again, &mut |found| {
            panic!("{}: {found:?}", layout.id)
        })
        .expect("memory can be written");
        assert_eq!(written, summary.rows_in, "{}", layout.id);
        assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&bytes), "{}", layout.id);
    }
}

#[test]
fn samples_are_recognised_by_their_first_line() {
    for layout in layouts::all() {
        let bytes = fs::read(sample(layout, "sample")).expect("it has a sample");
        let found = layouts::detect(Path::new("delivery.txt"), &bytes).map(|found| found.id.as_str());
        assert_eq!(found.map_err(|found| found.message), Ok(layout.id.as_str()));
    }
}

#[test]
fn pages_describe_every_field() {
    for layout in layouts::all() {
        let page = intake::describe::page(layout);
        for field in layout.records.iter().flat_map(|record| &record.fields) {
            assert!(page.contains(&format!("| {} |", field.title)), "{}: {}", layout.id, field.name);
        }
    }
}
