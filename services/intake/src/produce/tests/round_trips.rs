//! A file is read, folded into histories and produced again.

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use domains::{FactBuilder, Organizations, StoredFact, fold};
use model::{Fact, Section, SectionState};
use reference::tables::Tables;

use super::*;
use crate::{Item, layouts, read};

fn stored(fact: Fact, person: i64, sea: &str) -> StoredFact {
    StoredFact {
        source_person: SourcePersonId(person),
        sea: Arc::from(sea),
        domain: fact.domain,
        kind: fact.kind,
        school_year: fact.school_year,
        valid: fact.valid,
        lea: fact.lea,
        facility: fact.facility,
        certification: fact.certification,
        source: Lineage {
            batch: BatchId(1),
            file: "invented".into(),
            line: fact.line,
            recorded_on: None,
            reported_on: fact.reported_on,
            sea: sea.into(),
            person: Some(SourcePersonId(person)),
        },
        concealed: false,
        payload: fact.payload,
    }
}

/// The histories that a file makes, by the state's identifier.
fn histories(layout: &str, file: &str, known: &[(&str, Vec<Fact>)]) -> Vec<Vec<Section>> {
    let layout = layouts::find(layout).expect("the layout is there");
    let tables = Tables::builtin(&layout.sea).expect("its state has tables");
    let mut facts: BTreeMap<String, Vec<Fact>> =
        known.iter().map(|(id, facts)| ((*id).to_owned(), facts.clone())).collect();
    read::read(&mut file.as_bytes(), layout, tables, &mut |item| {
        match item {
            Item::Person { state_id, facts: told, .. } => {
                facts.entry(state_id.expose().clone()).or_default().extend(told);
            }
            Item::Rejected { line, findings, .. } => panic!("line {line} is good: {findings:?}"),
            _ => {}
        }
        ControlFlow::Continue(())
    })
    .expect("it can be read");
    let folded = |(number, facts): (usize, Vec<Fact>)| {
        let stored: Vec<_> = facts.into_iter().map(|fact| stored(fact, number as i64, &layout.sea)).collect();
        let section = |domain| Section {
            domain,
            state: SectionState::Reported,
            rows: fold(domain, &stored, &Organizations::default()),
            withheld: Vec::new(),
            awaited: None,
        };
        Domain::ALL.into_iter().map(section).collect()
    };
    facts.into_values().enumerate().map(folded).collect()
}

/// A file as it comes back: produced for each history, in the order of kinds and bytes.
fn produced_again(layout: &str, options: &Options, histories: &[Vec<Section>]) -> (String, Vec<Remark>) {
    let mut producer = Producer::begin(layout, options.clone()).expect("good").expect("it can be produced");
    let mut lines: Vec<_> = histories.iter().flat_map(|history| producer.produce(history)).collect();
    lines.sort();
    let mut file = producer.header();
    for (_, line) in lines {
        file.extend(line);
    }
    (String::from_utf8(file).expect("text"), producer.remarks())
}

#[test]
fn every_louisiana_record_comes_back() {
    let sample = include_str!("../../../layouts/la/la-sis.sample");
    let layout = layouts::find("la-sis").expect("the layout is there");
    let (file, remarks) = produced_again("la-sis", &Options::default(), &histories("la-sis", sample, &[]));
    let mut expected: Vec<(usize, String)> = sample
        .lines()
        .map(|line| {
            let code = &line[6..9];
            let kind = layout.records.iter().position(|record| record.code.as_deref() == Some(code)).expect("known");
            (kind, line.to_owned())
        })
        .collect();
    expected.sort();
    let expected: Vec<&str> = expected.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(file.lines().collect::<Vec<_>>(), expected);
    assert_eq!(remarks, []);
    // What is produced is as good as what was received, and says the same.
    let tables = Tables::builtin(&layout.sea).expect("its state has tables");
    read::read(&mut file.as_bytes(), layout, tables, &mut |item| {
        if let Item::Rejected { line, findings, .. } | Item::Person { line, findings, .. } = item {
            assert_eq!(findings, [], "line {line}");
        }
        ControlFlow::Continue(())
    })
    .expect("it can be read");
    let (again, _) = produced_again("la-sis", &Options::default(), &histories("la-sis", &file, &[]));
    assert_eq!(again, file);
}

/// What another file has said of who the students are.
fn persons(persons: &[(&'static str, &str, &str)]) -> Vec<(&'static str, Vec<Fact>)> {
    let fact = |id: &str, birth_date: &str, local: &str| {
        let mut fact = FactBuilder::new(Domain::Student, "person", 1);
        fact.set("state_id", text(id));
        fact.set("birth_date", Value::Date(day(birth_date)));
        if !local.is_empty() {
            fact.set("district_student_id", text(local));
        }
        fact.into_fact().expect("the values fit")
    };
    persons.iter().map(|(id, birth_date, local)| (*id, vec![fact(id, birth_date, local)])).collect()
}

#[test]
fn course_files_come_back_byte_for_byte() {
    let known = persons(&[
        ("9900000017", "2000-02-29", "H-4711"),
        ("9900000025", "1995-11-30", ""),
        ("9900000033", "1998-07-04", ""),
    ]);
    let fixed = [
        "9900000017064H-4711              022920000000012345001T-88                064631102052G1.0011ALG1                Per. 4 Algebra I, Section 2   B+        06463110827201406152015Pass                1.00180171",
        "9900000025043                    11301995          006                    348031551045G040411                    2                             Pass      04362110902201410312014Transferred",
        "9900000033155                    07041998          005                    155511101005C1.5012                    7                             A         15551110827201401202015Pass                1.50      UCONN",
    ];
    let file: String = fixed.map(|line| format!("{line:<274}X\r\n")).concat();
    let (again, remarks) = produced_again("tcs-4.0", &Options::default(), &histories("tcs-4.0", &file, &known));
    assert_eq!((again, remarks), (file, Vec::new()));

    let file = "9900000017,064,H-4711,02292000,0000012345,001,T-88,0646311,02052G1.0011,ALG1,\"Per. 4 Algebra I, Section 2\",B+,0646311,08272014,06152015,Pass,1.00,180,171,,,X\r\n\
        9900000025,043,,11301995,,006,,3480315,51045G040411,,2,Pass,0436211,09022014,10312014,Transferred,,,,,,X\r\n";
    let known = &known[..2];
    let (again, remarks) = produced_again("tcs-4.0-csv", &Options::default(), &histories("tcs-4.0-csv", file, known));
    assert_eq!((again.as_str(), remarks), (file, Vec::new()));
}

#[test]
fn contact_files_come_back_byte_for_byte() {
    let file = "Parent Name,Parent Type,Student Code,E-mail,Address Line1,Address Line2,City,State,ZIP Code,Home Phone,Work Phone,Mobile/Cell Phone,Native Language,Not Collected,Student Lives Here,Can Receive Parent Portal Notifications\r\n\
        \"Bartleby \"\"Bart\"\" Zuñiga\",FATHER,9900000025,,9 Nowhere Street,Rear,East Hartford,CT,06108-1234,,(860) 555-0199,,,,,\r\n\
        Mulberry Quince,MOTHER,9900000017,mulberry@example.org,\"1 Invented Way, Apt 2\",,Hartford,CT,06103,860-555-0101,,860-555-0102,,,Y,Y\r\n";
    let enrolled = |id: &str| {
        let mut person = FactBuilder::new(Domain::Student, "person", 1);
        person.set("state_id", text(id));
        let mut stay = FactBuilder::new(Domain::Enrollment, "register", 1);
        stay.lea("064");
        stay.set("entry_date", Value::Date(day("2025-08-27")));
        stay.valid(model::Period::new(Some(day("2025-08-27")), None).expect("in order"));
        vec![person.into_fact().expect("good"), stay.into_fact().expect("good")]
    };
    let known = [("9900000017", enrolled("9900000017")), ("9900000025", enrolled("9900000025"))];
    let options = Options { today: day("2025-11-03"), ..Options::default() };
    let (again, _) = produced_again("ct-student-contacts", &options, &histories("ct-student-contacts", file, &known));
    assert_eq!(again, file);
}
