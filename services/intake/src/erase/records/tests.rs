use super::*;

const ID: &str = "9900000017";

/// The texts of the stretches that are found.
fn found(layout: Option<&str>, file: &[u8], wanted: &Wanted) -> Vec<String> {
    let mut found = find(&mut &*file, layout, wanted).expect("memory");
    found.sort_unstable();
    let text =
        |stretch: &Stretch| String::from_utf8_lossy(&file[stretch.from as usize..stretch.to as usize]).into_owned();
    found.iter().map(text).collect()
}

fn person() -> Wanted {
    Wanted::Persons(vec![ID.as_bytes().to_vec()])
}

#[test]
fn lines_nobody_read_are_found_by_their_bytes() {
    let file = b"a,9900000017\r\nb,9900000025\r\n\r\nc 9900000017\n";
    assert_eq!(found(None, file, &person()), ["a,9900000017", "c 9900000017"]);
    let wide: Vec<u8> = format!("x{ID}y").bytes().flat_map(|byte| [byte, 0]).collect();
    assert_eq!(found(None, &wide, &person()).len(), 1);
    assert_eq!(found(None, file, &Wanted::Lines(BTreeSet::from([2]))), ["b,9900000025"]);
}

/// A discipline file with these rows, each by state id and a free text.
fn discipline(rows: &[(&str, &str)]) -> Vec<u8> {
    let layout = layouts::find("ct-discipline").expect("a layout");
    let mut writer = crate::RecordWriter::new(layout, Vec::new());
    for (sasid, incident) in rows {
        let mut values = vec![""; layout.records[0].fields.len()];
        for (field, value) in [
            ("sasid", *sasid),
            ("fall_of_year", "2024"),
            ("certification_flag", "1"),
            ("reporting_district", "064"),
            ("facility_code", "0646311"),
            ("incident_identifier", *incident),
            ("incident_date", "2024-11-05"),
            ("incident_location", "02"),
            ("student_role", "O"),
            ("incident_type_1", "1700"),
            ("bullying", "01"),
            ("sanction_date", "2024-11-06"),
            ("sanction_type_primary", "OSS"),
            ("days_sanctioned_primary", "2"),
            ("arrested", "0"),
            ("expunged", "0"),
        ] {
            values[layout.index_of(field).expect("a field")] = value;
        }
        writer.write(&values).expect("memory");
    }
    writer.finish().expect("memory")
}

#[test]
fn another_childs_row_with_the_same_digits_stays() {
    let file = discipline(&[(ID, "H-1"), ("9900000025", ID), ("9900000025", "H-3")]);
    let found = found(Some("ct-discipline"), &file, &person());
    assert!(found.len() == 1 && found[0].contains("H-1"), "{found:?}");
}

#[test]
fn one_fact_is_told_from_the_persons_other_facts() {
    let file = discipline(&[(ID, "H-1"), (ID, "H-2")]);
    let layout = layouts::find("ct-discipline").expect("a layout");
    let mut keys = Vec::new();
    let tables = Tables::builtin(&layout.sea).expect("tables");
    read::read(&mut file.as_slice(), layout, tables, &mut |item| {
        if let Item::Person { facts, .. } = item {
            keys.extend(facts.iter().filter(|fact| fact.domain == Domain::Discipline).map(|fact| fact.natural_key));
        }
        ControlFlow::Continue(())
    })
    .expect("a file that can be read");
    let wanted = Wanted::Fact(ID.as_bytes().to_vec(), Domain::Discipline, keys[1], BTreeSet::new());
    let found = found(Some("ct-discipline"), &file, &wanted);
    assert!(found.len() == 1 && found[0].contains("H-2"), "{found:?}");
}

#[test]
fn records_of_xml_are_found_whole_also_by_reference() {
    let file = br#"<?xml version="1.0"?>
<InterchangeStudent xmlns="x">
  <Student id="S1"><StudentUniqueId>9900000017</StudentUniqueId><Name>Quince</Name></Student>
  <Student id="S2"><StudentUniqueId>9900000025</StudentUniqueId></Student>
  <StudentSchoolAssociation><StudentReference ref="S1"/><Grade>09</Grade></StudentSchoolAssociation>
  <StudentSchoolAssociation><StudentReference ref="S2"/></StudentSchoolAssociation>
  <Note>tel 19900000017</Note>
</InterchangeStudent>
"#;
    let texts = found(Some("edfi-1.0"), file, &person());
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].starts_with("<Student id=\"S1\">") && texts[0].ends_with("</Student>"), "{texts:?}");
    assert!(texts[1].contains("ref=\"S1\"") && texts[1].ends_with("</StudentSchoolAssociation>"), "{texts:?}");
    let wanted = Wanted::Fact(ID.as_bytes().to_vec(), Domain::Enrollment, NaturalKey([0; 16]), BTreeSet::from([5]));
    assert_eq!(found(Some("edfi-1.0"), file, &wanted).len(), 1);
    // What cannot be read on is looked through line by line.
    let broken = b"<InterchangeStudent><Student></Other>\n<x>9900000017</x>\n<y/>\n";
    assert_eq!(found(Some("edfi-1.0"), broken, &person()), ["<x>9900000017</x>"]);
}
