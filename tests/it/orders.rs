//! Facts do not depend on the order of deliveries: random orders of corrections, late files, files that come twice, and withdrawals.
//!
//! `THROUGHLINE_ORDER_CASES=50`, read when the tests are built, makes a long run of it.

use std::{fs, io::BufReader, ops::ControlFlow, path::PathBuf, sync::Arc};

use chrono::TimeDelta;
use intake::{Format, Layout, layouts, load::Limits, sif};
use sha2::{Digest as _, Sha256};

use crate::{
    edfi::{alone, current, fixture, load_file},
    world::{OTHER, Record, STUDENT, World, file_of, loaded_at, registration, snapshot, with},
};

const CASES: Option<&str> = option_env!("THROUGHLINE_ORDER_CASES");

fn cases() -> u64 {
    CASES.and_then(|cases| cases.parse().ok()).unwrap_or(5)
}

/// Something delivered: what it is, what reads it, its bytes.
#[derive(Clone)]
struct Sent {
    name: String,
    reader: Reader,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Layout(&'static str),
    EdFi,
    Sif,
}

/// The files in an order of their own for each seed, some of them sent twice.
fn shuffled(files: &[Sent], seed: u64) -> Vec<Sent> {
    let place = |at: usize| -> [u8; 32] { Sha256::digest(format!("{seed} {at}")).into() };
    let again = (0..files.len()).filter(|at| place(at + 1_000)[0] < 64);
    let mut order: Vec<(usize, usize)> =
        (0..files.len()).map(|at| (at, at)).chain(again.map(|at| (at, at + 500))).collect();
    order.sort_by_key(|(_, number)| place(*number));
    order.into_iter().filter_map(|(at, _)| files.get(at).cloned()).collect()
}

async fn load(world: &World, folder: &tempfile::TempDir, sent: &Sent, day: i64) {
    let when = loaded_at() + TimeDelta::days(day);
    let path = folder.path().join(&sent.name);
    let receipt = match sent.reader {
        Reader::Layout(id) => world.load_bytes(id, &sent.bytes, when).await,
        Reader::EdFi => {
            fs::write(&path, &sent.bytes).unwrap();
            load_file(world, alone(path), when).await
        }
        Reader::Sif => {
            fs::write(&path, &sent.bytes).unwrap();
            let open: sif::Open = Arc::new(|path| Ok(Box::new(BufReader::new(fs::File::open(path)?))));
            let mut items = Vec::new();
            let delivery = sif::Delivery::new(vec![path.clone()], open, sif::Config::default());
            delivery
                .read(&path, &mut |item| {
                    items.push(item);
                    ControlFlow::Continue(())
                })
                .unwrap();
            world
                .load_items_of(&sent.name, items, &Limits { quarantined_share_max: 0.9, ..Limits::default() }, when)
                .await
        }
    };
    assert_eq!(receipt.refused, None, "{}: {:?}", sent.name, receipt.findings);
}

/// Loads the files in several orders and holds what is current against what the order given leaves. `at_least` facts must remain. Gives the last state.
async fn hold(files: &[Sent], at_least: usize) -> World {
    let mut expect = None;
    let mut seed = 0;
    loop {
        let order = if seed == 0 { files.to_vec() } else { shuffled(files, seed) };
        let world = World::new(&[]).await;
        let folder = tempfile::tempdir().unwrap();
        seed += 1;
        for (day, sent) in (0..).zip(&order) {
            load(&world, &folder, sent, day).await;
        }
        let found = current(&world).await;
        let Some(expect) = &expect else {
            assert!(found.len() >= at_least, "{} facts", found.len());
            expect = Some(found);
            continue;
        };
        let names: Vec<&str> = order.iter().map(|sent| sent.name.as_str()).collect();
        let missing: Vec<&String> = expect.iter().filter(|fact| !found.contains(fact)).collect();
        let more: Vec<&String> = found.iter().filter(|fact| !expect.contains(fact)).collect();
        assert!(missing.is_empty() && more.is_empty(), "{names:?}: missing {missing:#?}, too many {more:#?}");
        if seed > cases() {
            return world;
        }
    }
}

/// Each record of a layout's sample as a file of its own.
fn records_of(layout: &'static Layout) -> Vec<Sent> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../services/intake/layouts").join(&layout.sea);
    let sample = fs::read_to_string(folder.join(format!("{}.sample", layout.id))).unwrap();
    let mut lines = sample.split_inclusive('\n');
    let header = match layout.format {
        Format::Delimited { header: true, .. } => lines.next().unwrap(),
        _ => "",
    };
    let of_record = |(number, line): (usize, &str)| Sent {
        name: format!("{}-{number}", layout.id),
        reader: Reader::Layout(&layout.id),
        bytes: format!("{header}{line}").into_bytes(),
    };
    lines.enumerate().map(of_record).collect()
}

#[tokio::test]
async fn records_of_connecticut_come_in_any_order() {
    // Another registration layout says other things of the same students, and records of several lines are read whole.
    let left_out = ["sasid-2.1", "ct-education-directory"];
    let of_state = layouts::all().iter().filter(|layout| layout.sea == "ct" && !left_out.contains(&layout.id.as_str()));
    let files: Vec<Sent> = of_state.flat_map(records_of).collect();
    hold(&files, 30).await;
}

#[tokio::test]
async fn records_of_louisiana_come_in_any_order() {
    let files: Vec<Sent> = layouts::all().iter().filter(|layout| layout.sea == "la").flat_map(records_of).collect();
    hold(&files, 20).await;
}

fn file(name: &str, layout: &'static str, records: &[Record<'_>]) -> Sent {
    Sent { name: name.to_owned(), reader: Reader::Layout(layout), bytes: file_of(layout, records) }
}

/// A row of each of these layouts, with values for some of its columns.
fn rows(name: &str, layout: &'static str, values: &[(&str, &str)]) -> Sent {
    let record = &layouts::find(layout).unwrap().records[0];
    let value = |column: &str| values.iter().find(|(named, _)| *named == column).map_or("", |(_, value)| *value);
    let columns: Vec<&str> = record.fields.iter().map(|field| field.column.as_str()).collect();
    let row: Vec<&str> = columns.iter().map(|column| value(column)).collect();
    let bytes = format!("{}\n{}\n", columns.join(","), row.join(",")).into_bytes();
    Sent { name: name.to_owned(), reader: Reader::Layout(layout), bytes }
}

#[tokio::test]
async fn exits_from_special_education_and_rescored_tests_come_in_any_order() {
    let place =
        [("SASID", STUDENT), ("FallOfYear", "2014"), ("ReportingDistrictCode", "064"), ("Fac1OrgCode", "0646311")];
    let plan = |name, told: &[(&'static str, &'static str)]| {
        let plan =
            [("CertificationFlag", "1"), ("IEPType", "IEP"), ("PrimaryDisabilityCode", "08"), ("SpEdHrs", "12.50")];
        rows(name, "ct-special-education", &[&place[..], &plan, told].concat())
    };
    let result = |name, told: &[(&'static str, &'static str)]| {
        let test = [
            ("AssmtFamilyShortName", "SBAC"),
            ("AssmtTitle", "Summative"),
            ("TestAbbreviation", "M"),
            ("GradeCode", "08"),
        ];
        rows(name, "ct-assessment", &[&place[..], &test, &[("AdministrationDate", "2015-05-04")], told].concat())
    };
    let files = [
        file("register", "sasid-2.1x", &[registration(STUDENT)]),
        plan("plan", &[("SnapshotDate", "2014-10-01"), ("FreezeNumber", "1"), ("IEPStartDate", "2014-08-27")]),
        plan("exit", &[("SnapshotDate", "2014-10-01"), ("FreezeNumber", "2"), ("ExitDate", "2015-01-30")]),
        // An exit that was reported by mistake is taken back: the latest word stands.
        plan("taken back", &[("SnapshotDate", "2015-06-30"), ("IEPStartDate", "2014-08-27")]),
        result("result", &[("SnapshotDate", "2015-07-01"), ("ScoreScale_NUM", "2560"), ("ScorePerfLvl_NUM", "2")]),
        result("rescored", &[("SnapshotDate", "2015-09-01"), ("ScoreScale_NUM", "2540"), ("ScorePerfLvl_NUM", "2")]),
    ];
    let world = hold(&files, 3).await;
    let told = current(&world).await;
    let says = |text: &str| told.iter().any(|fact| fact.contains(text));
    assert!(says("2540") && !says("2560") && !says("2015-01-30") && says("2014-08-27"), "{told:#?}");
}

#[tokio::test]
async fn registrations_changes_and_exits_come_in_any_order() {
    let exit = with(
        &registration(STUDENT),
        &[("record_type", "U"), ("exit_date", "06102025"), ("exit_type", "01"), ("exit_status", "")],
    );
    let change =
        with(&registration(STUDENT), &[("record_type", "C"), ("last_name", "Quince-Vale"), ("grade_code", "10")]);
    let preliminary = with(&snapshot(STUDENT), &[("certification_flag", "0"), ("meal_type", "R")]);
    let files = [
        file("register", "sasid-2.1x", &[registration(STUDENT), registration(OTHER)]),
        file("change", "sasid-2.1x", &[change]),
        file("exit", "sasid-2.1x", &[exit]),
        file("certified", "ct-student", &[snapshot(STUDENT), snapshot(OTHER)]),
        file("preliminary", "ct-student", &[preliminary]),
    ];
    hold(&files, 6).await;
}

#[tokio::test]
async fn freezes_of_a_collection_come_in_any_order() {
    let of = |sasid, more: &[(&'static str, &'static str)]| with(&snapshot(sasid), more);
    let (first, second) = (
        [("freeze_number", "1"), ("certification_date", "2024-11-15")],
        [("freeze_number", "2"), ("certification_date", "2024-12-15")],
    );
    let days = |attended| [("membership_days", "20"), ("attendance_days", attended)];
    let june = [
        ("instance_name", "June"),
        ("snapshot_date", "2025-06-30"),
        ("membership_days", "180"),
        ("attendance_days", "171"),
    ];
    let files = [
        file("freeze-1", "ct-student", &[of(STUDENT, &[&first[..], &days("18")].concat()), of(OTHER, &first)]),
        // The one has changed at the second freeze, the other has not.
        file(
            "freeze-2",
            "ct-student",
            &[of(STUDENT, &[&second[..], &days("19"), &[("meal_type", "P")]].concat()), of(OTHER, &second)],
        ),
        file(
            "certified-again",
            "ct-student",
            &[of(OTHER, &[("freeze_number", "1"), ("certification_date", "2024-11-20"), ("meal_type", "P")])],
        ),
        file("no-freeze", "ct-student", &[of(OTHER, &[("meal_type", "R")])]),
        file(
            "preliminary",
            "ct-student",
            &[of(STUDENT, &[("freeze_number", "2"), ("certification_flag", "0"), ("meal_type", "R")])],
        ),
        file("june", "ct-student", &[of(STUDENT, &[&first[..], &june].concat())]),
    ];
    let world = hold(&files, 7).await;
    let facts = current(&world).await;
    let of_october: Vec<&String> = facts.iter().filter(|fact| fact.contains("\"collection\": \"October\"")).collect();
    let meals = |sasid| of_october.iter().find(|fact| fact.starts_with(sasid)).unwrap().contains("Free");
    assert!(!meals(STUDENT) && meals(OTHER), "{of_october:#?}");
    assert!(facts.iter().any(|fact| fact.contains("\"days_attended\": 171")), "June's days, not October's: {facts:#?}");
}

#[tokio::test]
async fn a_correction_of_the_same_freeze_stands_and_an_older_freeze_is_told() {
    let world = World::new(&[]).await;
    let frozen = |number, meal| with(&snapshot(STUDENT), &[("freeze_number", number), ("meal_type", meal)]);
    let meals = async || current(&world).await.into_iter().find(|fact| fact.contains("\"October\"")).unwrap();
    for (day, (name, record, expect)) in (0..).zip([
        ("second", frozen("2", "F"), "Free"),
        ("corrected", frozen("2", "R"), "Reduced"),
        ("first", frozen("1", "F"), "Reduced"),
    ]) {
        let receipt =
            world.load_bytes("ct-student", &file_of("ct-student", &[record]), loaded_at() + TimeDelta::days(day)).await;
        assert!(meals().await.contains(expect), "{name}");
        let told: Vec<&str> = receipt.findings.iter().map(|finding| finding.rule.as_str()).collect();
        let expect: &[&str] = if name == "first" { &["record.older_edition"] } else { &[] };
        assert_eq!(told, expect, "{name}");
    }
}

/// The text of the first element of a name.
fn element<'t>(text: &'t str, name: &str) -> &'t str {
    let start = text.find(&format!("<{name}>")).or_else(|| text.find(&format!("<{name} "))).unwrap();
    let end = format!("</{name}>");
    let length = text[start..].find(&end).unwrap() + end.len();
    &text[start..start + length]
}

fn deletes(interchange: &str, force: bool, records: &str) -> Vec<u8> {
    let force = if force { " Force=\"true\"" } else { "" };
    format!(
        "<{interchange} xmlns=\"http://ed-fi.org/0100\"><Action ActionType=\"DELETE\"{force}>{records}</Action></{interchange}>"
    )
    .into_bytes()
}

#[tokio::test]
async fn ed_fi_records_and_their_deletes_come_in_any_order() {
    let edfi = |name: &str, bytes: Vec<u8>| Sent { name: name.to_owned(), reader: Reader::EdFi, bytes };
    let text = |name: &str| fs::read_to_string(fixture(&format!("first/{name}"))).unwrap();
    let (attendance, program, students) = (text("Attendance.xml"), text("Program.xml"), text("StudentParent.xml"));
    let gone = students.rsplit("<Student>").find(|student| student.contains("7700000003")).unwrap();
    let gone = format!("<Student>{}", gone.split_inclusive("</Student>").next().unwrap());
    let mut files: Vec<Sent> =
        ["Organization.xml", "StudentParent.xml", "Discipline.xml", "Attendance.xml", "Program.xml", "Enrollment.xml"]
            .into_iter()
            .map(|name| edfi(name, text(name).into_bytes()))
            .collect();
    files.push(edfi("A.xml", deletes("InterchangeStudentAttendance", false, element(&attendance, "AttendanceEvent"))));
    files.push(edfi(
        "P.xml",
        deletes("InterchangeStudentProgram", true, element(&program, "StudentProgramAssociation")),
    ));
    files.push(edfi("S.xml", deletes("InterchangeStudentParent", true, &gone)));
    hold(&files, 10).await;
}

const SIF_STUDENT: &str = r#"<StudentPersonal RefId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"><LocalId>101</LocalId>
<StateProvinceId>9000000101</StateProvinceId><Name Type="04"><LastName>Zzsample</LastName><FirstName>Alba</FirstName></Name>
<Demographics><Gender>F</Gender><BirthDate>2012-04-09</BirthDate></Demographics></StudentPersonal>"#;

fn contact(ref_id: &str) -> String {
    format!(
        r#"<StudentContact RefId="{ref_id}" StudentPersonalRefId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA">
<Name Type="04"><LastName>Quillfeather</LastName><FirstName>Oriel</FirstName></Name>
<Relationship><Code>1735</Code></Relationship><ContactFlags><LivesWith>Yes</LivesWith></ContactFlags></StudentContact>"#
    )
}

/// A message that names its student, as a delivery of SIF must.
fn events(name: &str, action: &str, object: &str) -> Sent {
    let event = |kind: &str, action: &str, object: &str| {
        format!(r#"<SIF_EventObject ObjectName="{kind}" Action="{action}">{object}</SIF_EventObject>"#)
    };
    let student = event("StudentPersonal", "Add", SIF_STUDENT);
    let other = event("StudentContact", action, object);
    let bytes = format!(
        r#"<SIF_Message xmlns="http://www.sifinfo.org/infrastructure/2.x" Version="2.7"><SIF_Event><SIF_Header/><SIF_ObjectData>
{student}{other}</SIF_ObjectData></SIF_Event></SIF_Message>"#
    );
    Sent { name: name.to_owned(), reader: Reader::Sif, bytes: bytes.into_bytes() }
}

#[tokio::test]
async fn contacts_of_sif_and_their_deletes_come_in_any_order() {
    let (stays, goes) = ("BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC");
    let delete = format!(r#"<StudentContact RefId="{goes}" StudentPersonalRefId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/>"#);
    let files = [
        events("stays.xml", "Add", &contact(stays)),
        events("goes.xml", "Add", &contact(goes)),
        events("delete.xml", "Delete", &delete),
    ];
    hold(&files, 2).await;
}

#[tokio::test]
async fn what_is_stated_again_after_its_withdrawal_stands() {
    let goes = "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC";
    let delete = format!(r#"<StudentContact RefId="{goes}" StudentPersonalRefId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"/>"#);
    let corrected = contact(goes).replace("Oriel", "Orielle");
    for order in [["Delete", "Add", "Change"], ["Add", "Delete", "Change"]] {
        let world = World::new(&[]).await;
        let folder = tempfile::tempdir().unwrap();
        for (day, action) in (0..).zip(order) {
            let object = match action {
                "Delete" => delete.clone(),
                "Add" => contact(goes),
                _ => corrected.clone(),
            };
            load(&world, &folder, &events(&format!("{day}.xml"), action, &object), day).await;
        }
        let facts = current(&world).await;
        assert!(facts.iter().any(|fact| fact.contains("Orielle")), "{order:?}: {facts:?}");
    }
}
