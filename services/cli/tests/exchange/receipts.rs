//! Receipts by type of record, beside a count that shares no code with the program (`deploy/recount`, run where there is Python).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value as Json;

use crate::place::{Place, files, text, word};

/// What a receipt says a file is made of, in the order of DESIGN's contract.
const FATES: [&str; 5] = ["loaded", "unchanged", "superseded", "quarantined", "control"];

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// What the script counts; `None` where there is no Python.
fn recounted(layout: &str, path: &Path) -> Option<BTreeMap<String, u64>> {
    let found = Command::new("python3").arg(project("deploy/recount")).arg(layout).arg(path).output().ok()?;
    assert!(found.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&found.stderr));
    Some(serde_json::from_slice(&found.stdout).expect("one object"))
}

fn number(counts: &Json, name: &str) -> u64 {
    counts[name].as_u64().unwrap_or_else(|| panic!("{name} is a count in {counts}"))
}

/// The rows of a receipt by type, after its sums were held together.
fn by_type(receipt: &Json) -> BTreeMap<String, u64> {
    let types = receipt["record_types"].as_array().expect("types");
    for name in FATES.iter().chain(&["rows_in"]) {
        let sum: u64 = types.iter().map(|of| number(of, name)).sum();
        assert_eq!(sum, number(receipt, name), "{name} of all types: {receipt}");
    }
    for of in types {
        assert_eq!(number(of, "rows_in"), FATES.iter().map(|name| number(of, name)).sum::<u64>(), "{of}");
    }
    types.iter().map(|of| (word(of, "record_type").to_owned(), number(of, "rows_in"))).collect()
}

/// The files below a folder, by name and size.
fn walk(folder: &Path, sent: &mut BTreeMap<(String, u64), PathBuf>) {
    for path in files(folder) {
        if path.is_dir() {
            walk(&path, sent);
        } else {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            sent.insert((name, fs::metadata(&path).expect("a file").len()), path);
        }
    }
}

/// Holds the receipts of a folder against the script; gives the files compared, refused, and their rows.
#[expect(clippy::disallowed_macros, reason = "a table that people read")]
fn hold(place: &Place, folder: &Path, sea: &str, code: i32) -> [u64; 3] {
    let receipts = place.run(&["intake", "load", "--sea", sea, text(folder)], code);
    let mut sent = BTreeMap::new();
    walk(folder, &mut sent);
    let [mut compared, mut refused, mut rows] = [0; 3];
    for receipt in &receipts {
        if !receipt["refused"].is_null() {
            refused += 1;
            continue;
        }
        let found = by_type(receipt);
        let path = &sent[&(word(receipt, "file").to_owned(), number(receipt, "bytes"))];
        let Some(expected) = recounted(word(receipt, "layout"), path) else { continue };
        assert_eq!(found, expected, "{}: {}", folder.display(), word(receipt, "file"));
        compared += 1;
        rows += found.values().sum::<u64>();
    }
    println!("{:<60} {compared:>4} files {refused:>3} refused {rows:>8} rows agree", folder.display());
    [compared, refused, rows]
}

/// A message of SIF with an event that adds and one that withdraws.
const EVENTS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<SIF_Message xmlns="http://www.sifinfo.org/infrastructure/2.x" Version="2.7"><SIF_Event><SIF_Header/><SIF_ObjectData>
<SIF_EventObject ObjectName="StudentPersonal" Action="Add">
<StudentPersonal RefId="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"><LocalId>101</LocalId><StateProvinceId>9990000001</StateProvinceId>
  <Name Type="04"><LastName>Zzobject</LastName><FirstName>Ada</FirstName></Name>
  <Demographics><Gender>F</Gender><BirthDate>2012-04-09</BirthDate></Demographics></StudentPersonal></SIF_EventObject>
<SIF_EventObject ObjectName="SchoolInfo" Action="Delete"><SchoolInfo RefId="DDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD"/></SIF_EventObject>
</SIF_ObjectData></SIF_Event></SIF_Message>
"#;

/// A withdrawal of Ed-Fi beside a student.
const DELETE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<InterchangeStudentParent xmlns="http://ed-fi.org/0100">
  <Student><StudentUniqueStateId>7700000009</StudentUniqueStateId><Name><FirstName>Fictive</FirstName><LastSurname>Nobody</LastSurname></Name>
    <Sex>Male</Sex><BirthData><BirthDate>2001-05-05</BirthDate></BirthData></Student>
  <Action ActionType="DELETE" Force="true">
    <StudentReference><StudentIdentity><StudentUniqueStateId>7700000008</StudentUniqueStateId></StudentIdentity></StudentReference>
    <StudentReference><StudentIdentity><StudentUniqueStateId>7700000009</StudentUniqueStateId></StudentIdentity></StudentReference>
  </Action>
</InterchangeStudentParent>
"#;

#[test]
fn receipts_count_each_type_of_record_as_a_script_does() {
    let place = Place::new();
    let layouts = project("services/intake/layouts");
    let mut compared = 0;
    for (id, sea) in [
        ("ct/ct-organization", "ct"),
        ("ct/sasid-2.1", "ct"),
        ("ct/sasid-2.1x", "ct"),
        ("ct/ct-student", "ct"),
        ("ct/ct-discipline", "ct"),
        ("ct/tcs-4.0", "ct"),
        ("ct/tcs-4.0-csv", "ct"),
        ("la/la-sis", "la"),
    ] {
        let (_, name) = id.split_once('/').expect("a folder");
        let folder = place.path(name);
        fs::create_dir_all(&folder).expect("room");
        let mut sample = fs::read(layouts.join(format!("{id}.sample"))).expect("a sample");
        if name == "la-sis" {
            // Of a known type, and bad.
            sample.extend_from_slice(b"999999110 cut short\r\n");
        }
        fs::write(folder.join(format!("{name}.txt")), sample).expect("room");
        compared += hold(&place, &folder, sea, 0)[0];
    }
    let (edfi, sif) = (place.path("edfi"), place.path("sif"));
    for (folder, name, content) in [(&edfi, "Delete.xml", DELETE), (&sif, "events.xml", EVENTS)] {
        fs::create_dir_all(folder).expect("room");
        fs::write(folder.join(name), content).expect("room");
    }
    compared += hold(&place, &edfi, "ct", 0)[0] + hold(&place, &sif, "ct", 0)[0];
    compared += hold(&place, &project("services/intake/fixtures/edfi/first"), "ct", 3)[0];
    assert!(compared == 0 || compared > 12, "{compared} files compared");
    // The same bytes again: the same types, and nothing new.
    let again = place.run(&["intake", "load", "--sea", "la", text(&place.path("la-sis"))], 0);
    assert_eq!(again[0]["seen_before"], true);
    assert!(by_type(&again[0]).len() > 5);
}

/// Every folder of public inputs that a reader takes, where they lie beside the project; the test above has inputs of our own.
#[test]
fn receipts_of_public_inputs_count_as_a_script_does() {
    let data = project("../shared/data");
    let folders = [
        ("edfi-1.0-daybreak/base", 0),
        ("edfi-1.0-daybreak/append", 0),
        ("edfi-1.0-daybreak/deltas", 0),
        ("edfi-1.0-ten-students-three-years", 0),
        ("edfi-3-enrolment-1400", 0),
        ("edfi-5.2-grand-bend/descriptors", 0),
        ("edfi-5.2-grand-bend/samples", 0),
        ("sif-us-2.0", 0),
        ("ct-reference", 3),
        ("xml-attacks", 3),
        ("csv-spectrum/csvs", 3),
        ("tinysis-csv", 3),
        ("student-csv-5000", 3),
    ];
    let place = Place::new();
    for (name, code) in folders {
        let folder = data.join(name);
        if folder.is_dir() {
            hold(&place, &folder, "ct", code);
        }
    }
}
