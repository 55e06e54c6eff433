//! Bad input: attacks, malformed files, limits. What was read before stays; nothing is expanded, fetched or waited for.

use std::time::{Duration, Instant};

use super::*;
use crate::item::Severity;

/// Good for any refusal, on any machine.
const QUICK: Duration = Duration::from_secs(5);

fn fatal(items: &[Item]) -> Option<(u32, u32, &str)> {
    match items.last() {
        Some(Item::File(finding)) if finding.severity == Severity::Fatal => {
            Some((finding.line, finding.column.unwrap_or_default(), finding.rule.as_str()))
        }
        _ => None,
    }
}

fn new_index() -> Index {
    Index::new(Config::default().index_bytes_max)
}

fn check(text: &str, expect: (u32, u32, &str)) {
    let start = Instant::now();
    let (items, counts) = read_text(text, &mut new_index());
    assert_eq!(fatal(&items), Some(expect), "{}", text.get(..200).unwrap_or(text));
    assert!(!counts.is_complete);
    assert!(start.elapsed() < QUICK);
}

const EVENT: &str = "<AttendanceEvent><EventDate>2013-09-03</EventDate><AttendanceEventCategory>Tardy</AttendanceEventCategory><StudentReference><StudentIdentity><StudentUniqueStateId>7700000009</StudentUniqueStateId></StudentIdentity></StudentReference></AttendanceEvent>";

#[test]
fn document_types_are_refused_where_they_begin() {
    check("<!DOCTYPE b [<!ENTITY a \"1\"><!ENTITY b \"&a;&a;\">]>\n<b>&b;</b>", (1, 1, "xml.doctype"));
    check("<?xml version=\"1.0\"?>\n<!DOCTYPE x SYSTEM \"http://example.invalid/x.dtd\">\n<x/>", (2, 1, "xml.doctype"));
    check(&format!("<!DOCTYPE b [<!ENTITY a \"{}\">]><b/>", "B".repeat(1 << 20)), (1, 1, "xml.doctype"));
    check(&interchange("StudentAttendance", "<!DOCTYPE x><AttendanceEvent/>"), (3, 1, "xml.doctype"));
}

#[test]
fn entities_beyond_the_five_are_refused() {
    check(
        &interchange("StudentAttendance", "<AttendanceEvent><EventDate>&date;</EventDate></AttendanceEvent>"),
        (3, 29, "xml.entity"),
    );
    check(&interchange("StudentAttendance", "<AttendanceEvent id=\"&x;\"/>"), (3, 1, "xml.entity"));
    check(&interchange("StudentAttendance", "<AttendanceEvent>&#0;</AttendanceEvent>"), (3, 18, "xml.entity"));
    check(&interchange("StudentAttendance", "<AttendanceEvent>&#8;</AttendanceEvent>"), (3, 18, "xml.character"));
    check(&interchange("StudentAttendance", "<AttendanceEvent>\0</AttendanceEvent>"), (3, 18, "xml.character"));
}

#[test]
fn the_five_entities_characters_by_number_and_cdata_are_text() {
    let event = EVENT.replace("Tardy", "A &amp; B &lt;&gt;&apos;&quot; &#233;e&#x301; <![CDATA[<&>]]>");
    let (items, _) = read_text(&interchange("StudentAttendance", &event), &mut new_index());
    let facts: Vec<_> = items.iter().flat_map(facts_of).collect();
    assert_eq!(plain(facts[0].1, "attendance_event_category").as_deref(), Some("A & B <>'\" éé <&>"), "in NFC");
}

#[test]
fn malformed_xml_is_said_with_its_place_and_what_came_before_stays() {
    let text = interchange("StudentAttendance", &format!("{EVENT}\n{EVENT}\n<AttendanceEvent></Attendance>"));
    let (items, counts) = read_text(&text, &mut new_index());
    assert_eq!(fatal(&items), Some((5, 18, "xml.malformed")));
    assert_eq!((counts.persons, counts.is_complete), (2, false));
    check("", (1, 1, "xml.empty"));
    check("\u{FEFF}  \n", (2, 1, "xml.empty"));
    check("plain text", (1, 1, "xml.loose_text"));
    check(&interchange("StudentAttendance", "  stray"), (3, 3, "xml.loose_text"));
    check("<x/>", (1, 1, "edfi.namespace"));
    check("<Other xmlns=\"http://ed-fi.org/0100\"/>", (1, 1, "edfi.root"));
    check("<InterchangeStudent xmlns=\"http://ed-fi.org/0500\"/>", (1, 1, "edfi.namespace"));
    check(&interchange("StudentAttendance", "<AttendanceEvent"), (3, 1, "xml.malformed"));
    check(&format!("{}<second/>", interchange("StudentAttendance", "")), (5, 1, "xml.second_root"));
    check(&interchange("StudentAttendance", "<AttendanceEvent a=\"1\" a=\"2\"/>"), (3, 1, "xml.malformed"));
    check("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><x/>", (1, 1, "xml.encoding"));
    check(&interchange("StudentAttendance", "<Action ActionType=\"UPDATE\"/>"), (3, 1, "edfi.action"));
}

#[test]
fn other_encodings_are_said_to_be_so() {
    for bytes in [&b"\xFF\xFE<\0x\0"[..], b"\xFE\xFF\0<\0x", b"<\0x\0/\0>\0", b"<x>\xE9</x>"] {
        let (items, _) = read_with(bytes, &mut new_index(), &Config::default());
        assert_eq!(
            fatal(&items).map(|(_, _, rule)| rule),
            Some(if bytes[1] == b'x' { "edfi.namespace" } else { "xml.encoding" })
        );
    }
    let text = interchange("StudentAttendance", EVENT).replace("Tardy", "Caf\u{E9}").into_bytes();
    let latin: Vec<u8> = String::from_utf8(text).unwrap().chars().map(|c| c as u8).collect();
    let (items, _) = read_with(&latin, &mut new_index(), &Config::default());
    assert_eq!(fatal(&items).map(|(_, _, rule)| rule), Some("xml.encoding"));
}

#[test]
fn a_file_cut_anywhere_is_never_complete_and_never_gives_more() {
    let text = interchange("StudentAttendance", &format!("{EVENT}\n<!-- note -->\n{EVENT}"));
    let (_, whole) = read_text(&text, &mut new_index());
    assert!(whole.is_complete);
    for cut in 0..text.trim_end().len() {
        let (items, counts) = read_with(&text.as_bytes()[..cut], &mut new_index(), &Config::default());
        assert!(!counts.is_complete && fatal(&items).is_some(), "cut at {cut}");
        assert!(counts.persons <= whole.persons);
    }
}

#[test]
fn limits_are_named_when_they_are_reached() {
    fn limited(text: &str, change: impl FnOnce(&mut Config)) -> Option<String> {
        let mut config = Config::default();
        change(&mut config);
        let mut index = Index::new(config.index_bytes_max);
        let (items, _) = read_with(text.as_bytes(), &mut index, &config);
        fatal(&items).map(|(_, _, rule)| rule.to_owned())
    }
    let deep = interchange("StudentAttendance", &format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000)));
    assert_eq!(limited(&deep, |_| {}).as_deref(), Some("limit.depth"));
    let long = interchange("StudentAttendance", &EVENT.replace("Tardy", &"x".repeat(300_000)));
    assert_eq!(limited(&long, |_| {}).as_deref(), Some("limit.markup_bytes"));
    let comment = interchange("StudentAttendance", &format!("<!--{}-->", "x".repeat(300_000)));
    assert_eq!(limited(&comment, |_| {}).as_deref(), Some("limit.markup_bytes"));
    let wide =
        interchange("StudentAttendance", &format!("<AttendanceEvent>{}</AttendanceEvent>", "<a/>".repeat(20_000)));
    assert_eq!(limited(&wide, |_| {}).as_deref(), Some("limit.record_elements"));
    assert_eq!(limited(&wide, |config| config.record_bytes_max = 1_000).as_deref(), Some("limit.record_bytes"));
    let attributes = (0..100).map(|n| format!("a{n}=\"\"")).collect::<Vec<_>>().join(" ");
    assert_eq!(
        limited(&interchange("StudentAttendance", &format!("<AttendanceEvent {attributes}/>")), |_| {}).as_deref(),
        Some("limit.attributes")
    );
    let plain = interchange("StudentAttendance", EVENT);
    assert_eq!(limited(&plain, |config| config.file_bytes_max = 100).as_deref(), Some("limit.file_bytes"));
    let family = interchange(
        "AssessmentMetadata",
        "<AssessmentFamily><AssessmentFamilyTitle>T</AssessmentFamilyTitle></AssessmentFamily>",
    );
    assert_eq!(limited(&family, |config| config.index_bytes_max = 10).as_deref(), Some("limit.index_bytes"));
    assert_eq!(limited(&plain, |_| {}), None);
}

#[test]
fn endless_input_is_read_to_its_limit_only() {
    let head = "<InterchangeStudentAttendance xmlns=\"http://ed-fi.org/0100\"><AttendanceEvent>";
    let mut source = std::io::BufReader::new(std::io::Read::chain(head.as_bytes(), std::io::repeat(b'x')));
    let mut rule = None;
    let start = Instant::now();
    read_interchange(anything(), &mut source, &mut new_index(), &Config::default(), &mut |item| {
        rule = findings_of(&item).first().map(|finding| finding.rule.clone());
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(rule.as_deref(), Some("limit.markup_bytes"));
    assert!(start.elapsed() < QUICK);
}

#[test]
fn a_lost_character_is_noticed() {
    let event = EVENT.replace("Tardy", "Tard\u{FFFD}");
    let (items, counts) = read_text(&interchange("StudentAttendance", &event), &mut new_index());
    assert_eq!(counts.persons, 1);
    assert_eq!(findings_of(&items[0])[0].rule, "text.replacement_character");
}

#[test]
fn a_repeated_record_that_says_something_else_is_noticed() {
    let student = |name: &str| {
        format!(
            "<Student><StudentUniqueStateId>1</StudentUniqueStateId><Name><FirstName>Made</FirstName><LastSurname>{name}</LastSurname></Name><BirthData><BirthDate>2001-01-01</BirthDate></BirthData></Student>"
        )
    };
    let records = [student("Up"), student("Up"), student("Down")].concat();
    let (items, _) = read_text(&interchange("StudentParent", &records), &mut new_index());
    let said = items.iter().map(|item| findings_of(item).into_iter().map(said_of).collect::<Vec<_>>().join("; "));
    let lacks = "warning: hispaniclatinoethnicity field.required";
    assert_eq!(said.collect::<Vec<_>>(), [lacks, lacks, &format!("{lacks}; warning: - record.repeated")]);
}

/// The attack files of another project, if a checkout of them lies beside this one (`../shared/data`). Where they are
/// absent this test passes without a word.
#[test]
fn public_attack_files_are_refused_at_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/xml-attacks");
    let Ok(files) = std::fs::read_dir(folder) else { return };
    for file in files.map(|file| file.unwrap().path()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if file.extension().is_none_or(|extension| extension != "xml") {
            continue;
        }
        let start = Instant::now();
        let (items, counts) = read_with(&std::fs::read(&file).unwrap(), &mut new_index(), &Config::default());
        let expect = if name.starts_with("simple") { "edfi.namespace" } else { "xml.doctype" };
        assert_eq!(
            (items.len(), fatal(&items).map(|(_, _, rule)| rule), counts.records),
            (1, Some(expect), 0),
            "{name}"
        );
        assert!(start.elapsed() < QUICK, "{name}");
    }
}
