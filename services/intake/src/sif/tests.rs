//! Messages there and back, events that add up, objects into facts.

use std::{io::Cursor, ops::ControlFlow, path::Path, sync::Arc};

use model::Value;
use proptest::prelude::*;

mod public;
mod seeded;

use super::{
    Config, Delivery, LAYOUT, Open,
    convert::{self, Form, Since, Stamp},
    difference::{Contacts, apply, difference},
    publish::{
        publish,
        tests::{day, family, tables},
    },
    stream::MessageKind,
};
use crate::{Finding, Item, Severity};

fn stamp() -> Stamp {
    Stamp { at: "2026-11-20T06:00:00Z".parse().expect("an instant"), source_id: "Sandbox".to_owned() }
}

/// The samples of the census layouts as a set.
fn sample_set() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in super::CENSUS_FILES {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("layouts/sif/census-{name}.sample"));
        std::fs::copy(sample, folder.path().join(format!("{name}.csv"))).expect("a copy");
    }
    folder
}

fn produce(folder: &Path, since: Since<'_>, form: Form) -> (Vec<u8>, convert::Summary, Vec<Finding>) {
    let (mut out, mut findings) = (Vec::new(), Vec::new());
    let mut keep = |_: &str, finding| findings.push(finding);
    let summary = convert::from_census(folder, since, day("2026-11-20"), &stamp(), form, &mut out, &mut keep)
        .expect("the set can be read");
    (out, summary, findings)
}

#[test]
fn a_census_is_published_as_the_sample_says() {
    let folder = sample_set();
    let (out, summary, findings) = produce(folder.path(), Since::Nothing, Form::Xml);
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!((summary.published, summary.objects), (1, 1));
    let expected = Path::new(env!("CARGO_MANIFEST_DIR")).join("layouts/sif/objects/student-contact-2.7.expected");
    let expected = std::fs::read_to_string(expected).unwrap_or_default();
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[test]
fn a_set_that_is_not_whole_publishes_nothing() {
    fn check(file: &str, text: Option<&str>) {
        let folder = sample_set();
        let path = folder.path().join(file);
        match text {
            Some(text) => std::fs::write(path, text).expect("written"),
            None => std::fs::remove_file(path).expect("removed"),
        }
        let mut out = Vec::new();
        let made = convert::from_census(
            folder.path(),
            Since::Nothing,
            day("2026-11-20"),
            &stamp(),
            Form::Xml,
            &mut out,
            &mut |_, _| {},
        );
        assert!(made.is_err() && out.is_empty(), "{file}");
    }
    check("membership.csv", None);
    check("membership.csv", Some("what,is,this\r\n1,2,3\r\n"));
    let twice = "person_id,state_id,student_personal_ref_id,last_name,first_name,middle_name,suffix,alias,gender,birth_date,cell_phone,work_phone,email,excluded\r\n1,,,Zz,A,,,,,,,,,\r\n1,,,Zz,B,,,,,,,,,\r\n";
    check("person.csv", Some(twice));
}

#[test]
fn messages_go_there_and_back_byte_for_byte() {
    let folder = sample_set();
    let before = sample_set();
    std::fs::write(
        before.path().join("relationship.csv"),
        "relationship_id,person_id,contact_person_id,relation,guardian,sequence,start_date,end_date,ref_id\r\n",
    )
    .expect("written");
    for since in [Since::Nothing, Since::Census(before.path())] {
        let (xml, ..) = produce(folder.path(), since, Form::Xml);
        let (mut again, mut records, mut third) = (Vec::new(), Vec::new(), Vec::new());
        let mut none = |finding: Finding| panic!("{finding:?}");
        convert::from_xml(&mut Cursor::new(&xml), Form::Xml, &mut again, &mut none).expect("memory can be read");
        assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(&xml));
        convert::from_xml(&mut Cursor::new(&xml), Form::Ndjson, &mut records, &mut none).expect("memory can be read");
        convert::from_ndjson(&mut Cursor::new(&records), &mut third, &mut none).expect("memory can be read");
        assert_eq!(String::from_utf8_lossy(&third), String::from_utf8_lossy(&xml));
    }
}

/// Every element of the description, in a message.
const FULL: &str = include_str!("../../layouts/sif/objects/student-contact-2.7.sample");

#[test]
fn every_element_is_read_and_written() {
    let (mut again, mut records, mut third) = (Vec::new(), Vec::new(), Vec::new());
    let mut none = |finding: Finding| panic!("{finding:?}");
    convert::from_xml(&mut Cursor::new(FULL), Form::Xml, &mut again, &mut none).expect("memory can be read");
    assert_eq!(String::from_utf8_lossy(&again), FULL);
    convert::from_xml(&mut Cursor::new(FULL), Form::Ndjson, &mut records, &mut none).expect("memory can be read");
    convert::from_ndjson(&mut Cursor::new(&records), &mut third, &mut none).expect("memory can be read");
    assert_eq!(String::from_utf8_lossy(&third), FULL);
    super::shape::STUDENT_CONTACT.object.walk(&mut |shape| {
        let name = &shape.name;
        let stands = FULL.contains(&format!("<{name}")) || FULL.contains(&format!(" {name}=\""));
        assert!(stands, "{} is not in the sample", shape.path);
    });
}

#[test]
fn what_is_wrong_with_a_contact_is_said() {
    fn check(from: &str, to: &str, rule: &str) {
        assert!(FULL.contains(from), "{from}");
        let text = FULL.replacen(from, to, 1);
        let mut rules = Vec::new();
        let summary = convert::check(&mut Cursor::new(text), &mut |finding| {
            rules.push((finding.rule, finding.severity >= Severity::Error));
        })
        .expect("memory can be read");
        assert!(rules.iter().any(|(found, _)| found == rule), "{rule}: {rules:?}");
        assert!(summary.rejected <= 1);
    }
    check("<LastName>Zzsample</LastName>", "", "field.required");
    check("<Name Type=\"04\">", "<Name Type=\"01\">", "value.constant");
    check("<LivesWith>Yes</LivesWith>", "<LivesWith>Perhaps</LivesWith>", "code.unknown");
    check("<Code>1735</Code>", "<Code>0001</Code>", "code.unknown");
    check("<ContactSequence>1</ContactSequence>", "<ContactSequence>first</ContactSequence>", "number.invalid");
    check("<BirthDate>1984-02-29</BirthDate>", "<BirthDate>1985-02-29</BirthDate>", "date.invalid");
    check("<County>", "<Shire>x</Shire><County>", "element.unknown");
    check("<Address Type=\"1073\">", "<Address Type=\"0765\">", "address.type_repeated");
    check("</Relationship>", "</Relationship><Relationship><Code>1720</Code></Relationship>", "element.repeated");
    check("<SIF_MsgId>", "<SIF_MsgId>zz", "guid.invalid");
    check("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<!DOCTYPE a [<!ENTITY b \"c\">]>", "xml.doctype");
    check("<LastName>Zzsample", "<LastName>&b;", "xml.entity");
    check("</SIF_Message>", "", "xml.truncated");
}

#[test]
fn no_finding_repeats_a_name() {
    for at in (0..FULL.len()).step_by(7).filter(|at| FULL.is_char_boundary(*at)) {
        let mut text = FULL.to_owned();
        text.insert_str(at, "<&");
        convert::check(&mut Cursor::new(text), &mut |finding| {
            for name in ["Zzsample", "Oriel", "Invented", "Quillfeather"] {
                assert!(!finding.message.contains(name), "{}", finding.rule);
            }
        })
        .expect("memory can be read");
    }
}

fn items(files: &[(&str, &str)]) -> Vec<(String, Item)> {
    items_within(files, Config::default())
}

fn items_within(files: &[(&str, &str)], config: Config) -> Vec<(String, Item)> {
    let files: Vec<(String, String)> = files.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
    let paths: Vec<_> = files.iter().map(|(name, _)| Path::new(name).to_owned()).collect();
    let texts = files.clone();
    let delivery = Delivery::new(
        paths,
        Arc::new(move |path| {
            let text = texts.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| text.clone());
            Ok(Box::new(Cursor::new(text.unwrap_or_default().into_bytes())))
        }),
        config,
    );
    let mut items = Vec::new();
    for (name, _) in &files {
        let mut sink = |item| {
            items.push((name.clone(), item));
            ControlFlow::Continue(())
        };
        delivery.read(Path::new(name), &mut sink).expect("memory can be read");
    }
    items
}

const STUDENT: &str = r#"<StudentPersonal RefId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"><LocalId>101</LocalId>
<StateProvinceId>9000000101</StateProvinceId><Name Type="04"><LastName>Zzsample</LastName><FirstName>Alba</FirstName></Name>
<Demographics><Gender>F</Gender><BirthDate>2012-04-09</BirthDate></Demographics></StudentPersonal>"#;

fn contact(code: &str) -> String {
    format!(
        r#"<StudentContact RefId="BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB" StudentPersonalRefId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA">
<Name Type="04"><LastName>Quillfeather</LastName><FirstName>Oriel</FirstName></Name>
<Relationship><Code>{code}</Code></Relationship><ContactFlags><LivesWith>Yes</LivesWith></ContactFlags></StudentContact>"#
    )
}

fn only_fact(items: &[(String, Item)]) -> &model::Fact {
    match items {
        [(_, Item::Person { facts, introduces: false, .. })] => &facts[0],
        _ => panic!("one person"),
    }
}

#[test]
fn a_contact_finds_its_student_whatever_the_order() {
    let found = items(&[("contact.xml", &contact("1735")), ("student.xml", STUDENT)]);
    let fact = only_fact(&found[..1]);
    assert_eq!(fact.payload.get("relation"), Some(&Value::Text("Mother, natural/adoptive".to_owned())));
    assert_eq!(fact.payload.get("lives_with"), Some(&Value::Boolean(true)));
    let alone = items(&[("contact.xml", &contact("1735"))]);
    assert!(matches!(&alone[..], [(_, Item::Rejected { findings, .. })] if findings[0].rule == "student.unresolved"));
}

#[test]
fn a_file_that_comes_again_with_its_students_is_another_batch() {
    let folder = tempfile::tempdir().expect("a folder");
    let layout = |files: &[(&str, &str)]| {
        let paths = files.iter().map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("room");
            path
        });
        let open: Open = Arc::new(|path| Ok(Box::new(std::io::BufReader::new(std::fs::File::open(path)?))));
        Delivery::new(paths.collect(), open, Config::default()).layout().expect("they can be read")
    };
    let contact = contact("1735");
    let alone = layout(&[("contact.xml", &contact)]);
    let both = layout(&[("contact.xml", &contact), ("student.xml", STUDENT)]);
    assert_eq!(alone, LAYOUT);
    assert!(both.starts_with("sif-2@"), "{both}");
    assert_eq!(both, layout(&[("student.xml", STUDENT), ("contact.xml", &contact)]));
    assert_eq!(crate::lineage::version_of(&both), Some("2"));
}

#[test]
fn a_delivery_that_describes_too_much_is_refused_file_by_file() {
    let files = [("contact.xml", contact("1735")), ("student.xml", STUDENT.to_owned())];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let found = items_within(&files, Config { index_bytes_max: 100 });
    assert_eq!(found.len(), 2);
    for ((name, item), (expect, _)) in found.iter().zip(&files) {
        let Item::File(finding) = item else { panic!("{name}: {item:?}") };
        assert_eq!(
            (name.as_str(), finding.rule.as_str(), finding.severity),
            (*expect, "limit.index_bytes", Severity::Fatal)
        );
        assert!(finding.message.contains("100 bytes, intake.sif.index_bytes_max"), "{}", finding.message);
    }
    assert!(matches!(&items_within(&files, Config { index_bytes_max: 1_000 })[..], [(_, Item::Person { .. }), _]));
}

#[test]
fn who_is_of_another_agency_stands_under_other_agency_elements_only() {
    for (code, elements) in [
        ("1726", vec!["contact_id", "contact_name", "lives_with", "other_agency_relation"]),
        ("1779", vec!["other_agency_contact", "other_agency_relation"]),
        ("1751", vec!["other_agency_contact", "other_agency_relation"]),
    ] {
        let found = items(&[("contact.xml", &contact(code)), ("student.xml", STUDENT)]);
        let fact = only_fact(&found[..1]);
        assert_eq!(fact.payload.keys().map(String::as_str).collect::<Vec<_>>(), elements, "{code}");
    }
}

#[test]
fn a_delete_withdraws_what_the_add_brought() {
    let message = |action: &str, object: &str| {
        format!(
            r#"<SIF_Message xmlns="http://www.sifinfo.org/infrastructure/2.x" Version="2.7"><SIF_Event><SIF_Header/><SIF_ObjectData>
<SIF_EventObject ObjectName="StudentContact" Action="{action}">{object}</SIF_EventObject></SIF_ObjectData></SIF_Event></SIF_Message>"#
        )
    };
    let add = message("Add", &contact("1735"));
    let delete = message(
        "Delete",
        r#"<StudentContact RefId="BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB" StudentPersonalRefId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/>"#,
    );
    let found = items(&[("add.xml", &add), ("delete.xml", &delete), ("student.xml", STUDENT)]);
    let [(_, Item::Person { facts, .. }), (_, Item::Retracted { facts: withdrawn, state_id, .. }), _] = &found[..]
    else {
        panic!("an add, a delete and a student");
    };
    assert_eq!(facts[0].natural_key, withdrawn[0].natural_key);
    assert_eq!(state_id.expose(), "9000000101");
}

#[test]
fn a_census_becomes_students_and_contacts() {
    let folder = sample_set();
    let set = super::CensusSet::new(folder.path().to_owned(), day("2026-11-20"));
    let mut counts = Vec::new();
    for name in super::CENSUS_FILES {
        let (mut persons, mut passed, mut rejected) = (0, 0, 0);
        set.read(name, &mut |item| {
            match item {
                Item::Person { .. } => persons += 1,
                Item::Passed { .. } => passed += 1,
                _ => rejected += 1,
            }
            ControlFlow::Continue(())
        })
        .expect("the set can be read");
        counts.push((name, persons, passed, rejected));
    }
    let expect = [
        ("person", 1, 2, 0),
        ("household", 0, 2, 0),
        ("membership", 0, 3, 0),
        ("location", 0, 3, 0),
        ("relationship", 1, 1, 0),
        ("enrollment", 0, 2, 0),
    ];
    assert_eq!(counts, expect);
    let before = set.layout_of("relationship").expect("a layout");
    std::fs::write(folder.path().join("household.csv"), "household_id,household_phone\r\n").expect("written");
    assert_ne!(set.layout_of("relationship").expect("a layout"), before);
}

/// A random change of a census.
fn any_edit() -> impl Strategy<Value = (u8, usize, i64)> {
    (0..16_u8, 0..4_usize, -3..4_i64)
}

fn edit(census: &mut super::census::Census, (what, which, shift): (u8, usize, i64)) {
    let today = day("2026-11-20");
    let until = today.checked_add_signed(chrono::Duration::days(shift));
    let from_on = model::Period::new(until, None).unwrap_or_default();
    let up_to = model::Period::new(None, until).unwrap_or_default();
    let at = |length: usize| which.checked_rem(length);
    let mut copies = census.clone();
    match what {
        0 => at(census.relationships.len()).into_iter().for_each(|i| census.relationships[i].days = from_on),
        1 => at(census.relationships.len()).into_iter().for_each(|i| census.relationships[i].days = up_to),
        2 => at(census.relationships.len()).into_iter().for_each(|i| census.relationships[i].is_guardian ^= true),
        3 => at(census.relationships.len()).into_iter().for_each(|i| drop(census.relationships.remove(i))),
        4 => at(census.memberships.len()).into_iter().for_each(|i| census.memberships[i].days = from_on),
        5 => at(census.memberships.len()).into_iter().for_each(|i| census.memberships[i].days = up_to),
        6 => at(census.memberships.len()).into_iter().for_each(|i| census.memberships[i].is_private ^= true),
        7 => at(census.memberships.len()).into_iter().for_each(|i| drop(census.memberships.remove(i))),
        8 => at(census.locations.len()).into_iter().for_each(|i| census.locations[i].is_secondary ^= true),
        9 => at(census.locations.len()).into_iter().for_each(|i| census.locations[i].days = up_to),
        10 => at(census.enrollments.len()).into_iter().for_each(|i| census.enrollments[i].is_excluded ^= true),
        11 => at(census.persons.len()).into_iter().for_each(|i| census.persons[i].is_excluded ^= true),
        12 => at(census.persons.len()).into_iter().for_each(|i| census.persons[i].cell_phone = which.to_string()),
        13 => at(census.persons.len())
            .into_iter()
            .for_each(|i| census.persons[i].alias = format!("Al <&\"{which}>\u{e9}")),
        14 => copies.locations.iter_mut().for_each(|location| {
            location.location_id.push('x');
            census.locations.push(location.clone());
        }),
        // Another contact of the same student.
        _ => {
            let id = format!("3{which}");
            let mut person = copies.persons.remove(1);
            person.person_id.clone_from(&id);
            census.persons.push(person);
            let mut relationship = family().relationships.remove(0);
            relationship.contact_person_id = id;
            relationship.line += which as u32 + 1;
            census.relationships.push(relationship);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn yesterday_and_the_events_are_today(
        first in proptest::collection::vec(any_edit(), 0..8),
        then in proptest::collection::vec(any_edit(), 0..8),
    ) {
        let mut census = family();
        for one in first {
            edit(&mut census, one);
        }
        let published = |census: &super::census::Census, on: &str| -> Contacts {
            let contacts = publish(census, day(on), tables()).contacts;
            contacts.into_iter().map(|(id, published)| (id, published.contact)).collect()
        };
        let yesterday = published(&census, "2026-11-19");
        for one in then {
            edit(&mut census, one);
        }
        let today = published(&census, "2026-11-20");
        let events = difference(&yesterday, &today);
        prop_assert!(apply(yesterday.clone(), &events) == today);
        prop_assert!(difference(&today, &today).is_empty());
        let (mut xml, mut summary) = (Vec::new(), convert::Summary::default());
        let objects: Vec<_> = today.values().map(|contact| (None, contact.clone())).collect();
        convert::write_message(MessageKind::Response, &objects, &stamp(), Form::Xml, &mut xml, &mut summary).expect("memory");
        let again = convert::published(&mut Cursor::new(&xml), &mut |finding| panic!("{finding:?}")).expect("memory");
        prop_assert!(again == today);
        // No event is about a contact that did not change.
        for event in &events {
            let id = event.object.attribute("RefId").unwrap_or_default();
            prop_assert!(yesterday.get(id) != today.get(id));
        }
    }

    #[test]
    fn odd_bytes_are_findings_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        convert::check(&mut Cursor::new(&bytes), &mut |_| {}).expect("memory can be read");
        let mut out = Vec::new();
        let _ = convert::from_ndjson(&mut Cursor::new(&bytes), &mut out, &mut |_| {});
    }

    #[test]
    fn a_damaged_message_is_a_finding_and_never_a_panic(at in 0.0..1.0_f64, byte in any::<u8>()) {
        let mut bytes = FULL.as_bytes().to_vec();
        let at = (at * bytes.len() as f64) as usize;
        bytes[at] = byte;
        convert::check(&mut Cursor::new(&bytes), &mut |_| {}).expect("memory can be read");
    }
}
