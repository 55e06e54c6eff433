//! Files that are wrong, each in one way: exactly that is said, and no good record is lost.

use std::{fs, ops::ControlFlow};

use intake::{Item, Layout, Severity, check, read};

use crate::{findings_of, items, layout, read_all, sample, tables};

/// The sample of a layout as text.
fn text(layout: &Layout) -> String {
    fs::read_to_string(sample(layout, "sample")).expect("it has a sample")
}

/// What reading gives: how many good records, and of each finding the line, the column, the field and the rule.
fn said(layout: &Layout, bytes: &[u8]) -> (usize, Vec<String>) {
    let items = items(layout, bytes);
    let good = items.iter().filter(|item| matches!(item, Item::Person { .. } | Item::Organization { .. })).count();
    let mut said = Vec::new();
    for finding in items.iter().flat_map(findings_of) {
        let column = finding.column.map_or_else(|| "-".to_owned(), |column| column.to_string());
        let field = finding.field.as_deref().unwrap_or("-");
        let severity = match finding.severity {
            Severity::Information => "information",
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Fatal => "fatal",
        };
        said.push(format!("{}:{column} {field} {} {severity}", finding.line, finding.rule));
    }
    (good, said)
}

fn check_said(id: &str, bytes: &[u8], good: usize, expect: &[&str]) {
    let expect: Vec<String> = expect.iter().map(|said| (*said).to_owned()).collect();
    assert_eq!(said(layout(id), bytes), (good, expect), "{id}");
    // Checking says the same as reading.
    let mut checked = 0;
    let mut count = |_| {
        checked += 1;
        ControlFlow::Continue(())
    };
    let mut reader = bytes;
    let summary = check::check_file(&mut reader, layout(id), tables(layout(id)), read::Sender::default(), &mut count)
        .expect("memory can be read");
    assert_eq!(checked, expect_count(layout(id), bytes), "{id}");
    assert_eq!(summary, read_all(layout(id), bytes).1, "{id}");
}

fn expect_count(layout: &Layout, bytes: &[u8]) -> usize {
    items(layout, bytes).iter().map(|item| findings_of(item).len()).sum()
}

/// Replaces one stretch of a line (both from 1) by a text of its own length.
fn with(text: &str, line: usize, position: usize, new: &str) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let changed = lines.get_mut(line - 1).expect("the line is there");
    changed.replace_range(position - 1..position - 1 + new.len(), new);
    lines.concat()
}

/// Replaces a text in the sample once.
fn replaced(layout: &Layout, old: &str, new: &str) -> String {
    let text = text(layout);
    assert!(text.contains(old), "{}: {old}", layout.id);
    text.replacen(old, new, 1)
}

#[test]
fn fields_of_a_fixed_record_are_named_with_their_position() {
    fn check(line: usize, position: usize, new: &str, good: usize, expect: &[&str]) {
        check_said("tcs-4.0", with(&text(layout("tcs-4.0")), line, position, new).as_bytes(), good, expect);
    }
    check(1, 1, "          ", 2, &["1:1 sasid person.missing error"]);
    check(1, 1, "99000A0017", 2, &["1:1 sasid digits.invalid error"]);
    check(2, 1, "990000002 ", 2, &["2:1 sasid digits.length error"]);
    check(1, 34, "02302000", 2, &["1:34 birth_date date.invalid error"]);
    check(1, 34, "        ", 2, &["1:34 birth_date field.required error"]);
    check(1, 52, "999", 3, &["1:52 teacher_type code.unknown warning"]);
    check(1, 42, "          ", 2, &["1:42 ein field.required_when error"]);
    check(1, 154, "0649911", 3, &["1:154 facility_1_code code.unknown warning"]);
    check(1, 161, "07012015", 2, &["1:169 session_end_date date.order error"]);
    check(1, 197, "    ", 2, &["1:197 credits_earned field.required_when error"]);
    check(1, 197, "1,50", 2, &["1:197 credits_earned number.invalid error"]);
    check(1, 204, "181", 2, &["1:204 membership_sessions_attended number.at_most error"]);
    check(1, 217, "reserved", 3, &["1:217 csde_use field.disallowed warning"]);
    check(3, 275, " ", 2, &["3:275 end_marker record.end_marker error"]);
    check(1, 144, "B\u{1}", 2, &["1:144 outcome text.control_character error"]);
    check(1, 34, "\x002", 2, &["1:34 birth_date text.control_character error"]);
    // A course code has twelve characters; what its parts are is another matter.
    check(1, 82, "02052G1.001 ", 2, &["1:82 nces_course_code text.length error"]);
    check(1, 82, "ABC         ", 2, &["1:82 nces_course_code text.length error"]);
    check(1, 82, "!!!!!!!!!!!!", 2, &["1:82 nces_course_code text.characters error"]);
    check(1, 82, "02G052051.00", 3, &["1:82 nces_course_code text.shape warning"]);
    check(2, 82, "51045GKG0411", 3, &[]);
    check(1, 144, "\0\0", 2, &["1:144 outcome text.control_character error"]);
}

#[test]
fn requirements_follow_the_type_of_record() {
    fn check(line: usize, position: usize, new: &str, good: usize, expect: &[&str]) {
        check_said("sasid-2.1", with(&text(layout("sasid-2.1")), line, position, new).as_bytes(), good, expect);
    }
    check(2, 127, "3", 3, &["2:127 race_code field.disallowed error"]);
    check(3, 40, "Quince", 3, &["3:40 last_name field.disallowed error"]);
    check(1, 75, "            ", 3, &["1:75 first_name field.required error"]);
    check(1, 75, "Ambr0sia", 3, &["1:75 first_name text.characters error"]);
    check(1, 1, "X", 3, &["1:1 record_type record.unknown_type error"]);
    check(1, 2, "          ", 3, &["1:2 sasid person.missing error"]);
    check(1, 130, "K9", 3, &["1:130 grade_code code.unknown error"]);
}

#[test]
fn names_load_in_whatever_shape_their_marks_were_typed() {
    fn check(id: &str, from: &str, to: &str, expect: &[&str]) {
        let clean = text(layout(id));
        let (all, _) = said(layout(id), clean.as_bytes());
        assert!(clean.contains(from), "{id} has {from}");
        let (good, said) = said(layout(id), clean.replacen(from, to, 1).as_bytes());
        let refused = usize::from(expect.iter().any(|one| one.ends_with(" error")));
        assert_eq!(
            (good, said.iter().map(String::as_str).collect::<Vec<_>>()),
            (all - refused, expect.to_vec()),
            "{to}"
        );
    }
    for shape in ["D\u{2019}Am bro", "D\u{2bc}Am-bro", "Am\u{2013}br\u{f6}s", "D`Am\u{a0}bro", "Ame\u{301}br."] {
        let padded: String = shape.chars().chain(" ".repeat(8).chars()).take(8).collect();
        check("sasid-2.1", "Ambrosia", &padded, &[]);
        check("ct-student", "Ambrosia", shape, &[]);
    }
    // The source of the registration says which characters a name has; of the snapshot nobody does.
    check("sasid-2.1", "Ambrosia", "Ambr,sia", &["1:75 first_name text.characters error"]);
    check("ct-student", "Ambrosia", "Ambr(o)sia", &["2:10 first_name text.unusual warning"]);
}

#[test]
fn lines_of_a_wrong_length_are_named_and_the_others_load() {
    let clean = text(layout("tcs-4.0"));
    let lines: Vec<&str> = clean.split_inclusive('\n').collect();
    let (first, rest) = clean.split_at(lines[0].len());
    // One position too many in the middle, and one cut off.
    check_said(
        "tcs-4.0",
        format!("{} {}{rest}", &first[..20], &first[20..]).as_bytes(),
        2,
        &["1:- - record.length error"],
    );
    check_said("tcs-4.0", format!("{}\r\n{rest}", &first[..200]).as_bytes(), 2, &["1:- - record.length error"]);
    // A truncated last line.
    let cut = clean.trim_end_matches("\r\n");
    check_said("tcs-4.0", &cut.as_bytes()[..cut.len() - 30], 2, &["3:- - file.truncated error"]);
    // A last line without line end is whole all the same.
    check_said("tcs-4.0", cut.as_bytes(), 3, &[]);
    // A shifted stretch, the length kept.
    let mut shifted = first[..41].to_owned() + " " + &first[41..];
    shifted.remove(220);
    let (good, said) = said(layout("tcs-4.0"), format!("{shifted}{rest}").as_bytes());
    assert_eq!(good, 2);
    assert!(said.iter().any(|said| said.contains("record.shifted")), "{said:?}");
}

#[test]
fn a_shift_before_an_end_marker_is_told_wherever_it_begins() {
    fn check_shift(id: &str, line: usize, position: usize) {
        let clean = text(layout(id));
        let mut lines: Vec<String> = clean.split_inclusive('\n').map(str::to_owned).collect();
        let shifted = lines.get_mut(line - 1).expect("the line is there");
        shifted.insert(position - 1, ' ');
        let before_marker = shifted.rfind('X').expect("it ends with the marker") - 1;
        shifted.remove(before_marker);
        let (_, said) = said(layout(id), lines.concat().as_bytes());
        assert!(
            matches!(said.as_slice(), [one] if one.starts_with(&format!("{line}:")) && one.ends_with("record.shifted error")),
            "{id} {line} {position}: {said:?}"
        );
    }
    for position in [2, 12, 15, 23, 26, 40, 75, 119] {
        check_shift("sasid-2.1x", 1, position);
    }
    for position in [1, 11, 14, 34, 42, 55, 75, 82, 161] {
        check_shift("tcs-4.0", 1, position);
    }
}

#[test]
fn a_line_without_end_is_refused_and_memory_stays_flat() {
    let mut bytes = text(layout("tcs-4.0")).into_bytes();
    let good = bytes.clone();
    bytes.extend(std::iter::repeat_n(b'9', 5_000_000));
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&good);
    let (items, summary) = read_all(layout("tcs-4.0"), &bytes);
    assert_eq!((summary.rows_in, summary.rejected), (7, 1));
    let kept = items.iter().find_map(|item| match item {
        Item::Rejected { raw, line: 4, .. } => Some(raw.expose().len()),
        _ => None,
    });
    assert_eq!(kept, Some(read::RECORD_BYTES_MAX));
}

#[test]
fn line_ends_blank_lines_and_marks_are_read_and_said() {
    let clean = text(layout("tcs-4.0"));
    let unix = clean.replace("\r\n", "\n");
    check_said("tcs-4.0", unix.as_bytes(), 3, &["0:- - file.line_end information"]);
    check_said("tcs-4.0", format!("{clean}\r\n\r\n").as_bytes(), 3, &["0:- - file.blank_lines information"]);
    check_said("tcs-4.0", format!("{clean}\u{1a}").as_bytes(), 3, &["0:- - file.blank_lines information"]);
    check_said("tcs-4.0", format!("\u{feff}{clean}").as_bytes(), 3, &[]);
    check_said("tcs-4.0", b"", 0, &["0:- - file.empty fatal"]);
}

#[test]
fn other_encodings_are_recognised() {
    let clean = text(layout("sasid-2.1"));
    let accented: String = clean.lines().last().map(|line| format!("{line}\r\n")).expect("it has lines");
    let windows: Vec<u8> = accented.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect();
    check_said("sasid-2.1", &windows, 1, &["0:- - encoding.windows_1252 warning"]);
    // The same letters come out as from UTF-8.
    let payload = |bytes: &[u8]| match items(layout("sasid-2.1"), bytes).pop() {
        Some(Item::Person { facts, .. }) => facts.first().map(|fact| fact.payload.clone()),
        _ => None,
    };
    let of_utf8 = payload(accented.as_bytes());
    assert!(of_utf8.is_some() && of_utf8 == payload(&windows));
    let mixed = [accented.as_bytes(), &windows].concat();
    check_said("sasid-2.1", &mixed, 1, &["2:- - encoding.mixed error"]);
    let wide: Vec<u8> = clean.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check_said("sasid-2.1", &wide, 0, &["0:- - encoding.not_utf8 fatal"]);
    // Positions counted in bytes.
    // A mainframe's text: blanks, letters and digits lie elsewhere.
    let mainframe: Vec<u8> = clean
        .bytes()
        .map(|byte| match byte {
            b' ' => 0x40,
            b'0'..=b'9' => byte - b'0' + 0xf0,
            b'A'..=b'I' => byte - b'A' + 0xc1,
            b'J'..=b'R' => byte - b'J' + 0xd1,
            b'S'..=b'Z' => byte - b'S' + 0xe2,
            b'a'..=b'i' => byte - b'a' + 0x81,
            b'j'..=b'r' => byte - b'j' + 0x91,
            b's'..=b'z' => byte - b's' + 0xa2,
            b'\n' => 0x15,
            b'\r' => b'\r',
            _ => 0x6b,
        })
        .collect();
    check_said("sasid-2.1", &mainframe, 0, &["0:- - encoding.not_utf8 fatal"]);
    let bytes_counted = accented.replacen("  ", "", 1);
    check_said("sasid-2.1", bytes_counted.as_bytes(), 1, &["0:- - record.byte_positions warning"]);
}

#[test]
fn a_file_of_another_layout_is_named_before_anything_loads() {
    fn check(id: &str, other: &str, expect: &str, named: &str) {
        let items = items(layout(id), text(layout(other)).as_bytes());
        let [Item::File(finding)] = items.as_slice() else {
            panic!("{id} read something of {other}: {items:?}");
        };
        assert_eq!((finding.rule.as_str(), finding.severity), (expect, Severity::Fatal));
        assert!(finding.message.contains(named), "{}", finding.message);
    }
    check("sasid-2.1", "sasid-2.1x", "file.wrong_layout", "sasid-2.1x");
    check("tcs-4.0", "sasid-2.1", "file.wrong_layout", "sasid-2.1");
    check("tcs-4.0", "ct-student", "file.wrong_layout", "ct-student");
    check("ct-student", "tcs-4.0", "file.wrong_layout", "tcs-4.0");
    check("ct-discipline", "ct-program", "file.wrong_layout", "ct-program");
    check("tcs-4.0-csv", "ct-program", "file.wrong_layout", "ct-program");
    check("ct-program", "tcs-4.0-csv", "file.wrong_layout", "tcs-4.0-csv");
}

#[test]
fn a_column_added_throughout_is_named_before_anything_loads() {
    let clean = text(layout("tcs-4.0")).repeat(2);
    let widened =
        clean.lines().map(|line| [&line[..33], " ", &line[33..], "\r\n"].concat()).collect::<Vec<_>>().concat();
    check_said("tcs-4.0", widened.as_bytes(), 0, &["1:- - file.record_length fatal"]);
}

#[test]
fn headers_are_read_by_name_and_their_faults_told() {
    let program = layout("ct-program");
    let whole = text(program);
    check_said(
        "ct-program",
        replaced(program, "ProgramCode", "ProgCode").as_bytes(),
        0,
        &["1:5 - header.renamed fatal"],
    );
    check_said(
        "ct-program",
        replaced(program, "Services", "Services,Comment").as_bytes(),
        0,
        &["1:13 - header.unknown_column warning", "2:- - record.columns error", "3:- - record.columns error"],
    );
    check_said(
        "ct-program",
        replaced(program, "SASID", "Services").as_bytes(),
        0,
        &["1:12 - header.repeated_column fatal", "1:- - header.missing_column fatal"],
    );
    let (_, body) = whole.split_once('\n').expect("it has a header");
    check_said("ct-program", body.as_bytes(), 0, &["1:- - header.missing fatal"]);
    check_said("ct-program", whole.replacen("ProgramCode", "program_code", 1).as_bytes(), 2, &[]);
    // Any order of columns is read.
    let turned: String = whole.lines().map(|line| line.split(',').rev().collect::<Vec<_>>().join(",") + "\n").collect();
    check_said("ct-program", turned.as_bytes(), 2, &[]);
    check_said(
        "ct-program",
        turned.replacen("CHOICE", "CHESS", 1).as_bytes(),
        2,
        &["2:8 program_code code.unknown warning"],
    );
    // A header where there should be none.
    let headed = format!(
        "SASID,Reporting district,District student ID,Date of birth,EIN,Teacher type,District teacher ID,Course facility code,NCES course code,District course code,Section code,Outcome,Facility 1 code,Session begin date,Session end date,Status,Credits,Held,Attended,Dual,CSDE use,X\r\n{}",
        text(layout("tcs-4.0-csv"))
    );
    check_said("tcs-4.0-csv", headed.as_bytes(), 3, &["1:- - header.unexpected warning"]);
}

#[test]
fn rows_of_a_delimited_file_fail_alone() {
    let discipline = layout("ct-discipline");
    check_said(
        "ct-discipline",
        replaced(discipline, "9900000017", "").as_bytes(),
        1,
        &["2:1 sasid person.missing error"],
    );
    check_said(
        "ct-discipline",
        replaced(discipline, "2014-11-05", "11/5/2014").as_bytes(),
        1,
        &["2:8 incident_date date.invalid error"],
    );
    check_said(
        "ct-discipline",
        replaced(discipline, "10:45", "10:45 AM").as_bytes(),
        1,
        &["2:9 incident_time time.invalid error"],
    );
    check_said(
        "ct-discipline",
        replaced(discipline, ",OSS,2.5", ",OSS,").as_bytes(),
        1,
        &["2:20 days_sanctioned_primary field.required_when error"],
    );
    check_said(
        "ct-discipline",
        replaced(discipline, "9900000017,2014,1", "9900000017,2014,yes").as_bytes(),
        1,
        &["2:3 certification_flag boolean.invalid error"],
    );
    check_said(
        "ct-discipline",
        replaced(discipline, "9900000017,2014", "9900000017,1814").as_bytes(),
        1,
        &["2:2 fall_of_year number.range error"],
    );
    check_said(
        "ct-discipline",
        replaced(discipline, "9900000017,2014", "9900000017,,2014").as_bytes(),
        1,
        &["2:- - record.columns error"],
    );
    // The sanction of a victim's record is another child's.
    check_said(
        "ct-discipline",
        replaced(discipline, "O,1700", "V,1700").as_bytes(),
        1,
        &["2:19 sanction_type_primary field.blank_unless error", "2:18 sanction_date field.blank_unless error"],
    );
    let long = "x".repeat(41);
    check_said(
        "ct-discipline",
        replaced(discipline, "H-2014-17", &long).as_bytes(),
        1,
        &["2:7 incident_identifier field.length error"],
    );
}

#[test]
fn a_quote_that_is_not_closed_costs_its_own_line_only() {
    let program = layout("ct-program");
    check_said(
        "ct-program",
        replaced(program, "Transportation; Tutoring", "\"Transportation").as_bytes(),
        1,
        &["2:12 - quote.unclosed error"],
    );
    check_said(
        "ct-program",
        replaced(program, "Transportation; Tutoring", "\"Trans\"portation").as_bytes(),
        1,
        &["2:12 - quote.misplaced error"],
    );
    check_said("ct-program", replaced(program, "Transportation; Tutoring", "5\" ruler").as_bytes(), 2, &[]);
    let both = text(program).replace("Transportation; Tutoring", "\"A").replace(",,,\n", ",,,\"B\n");
    check_said("ct-program", both.as_bytes(), 0, &["2:- - quote.unclosed error", "3:12 - quote.unclosed error"]);
    let cut = text(program);
    check_said("ct-program", &cut.as_bytes()[..cut.len() - 20], 1, &["3:- - file.truncated error"]);
}

#[test]
fn findings_hold_no_name_birth_date_or_identifier() {
    let broken = with(&text(layout("sasid-2.1")), 1, 75, "Ambr0sia").replace("02292000", "02302000");
    for item in items(layout("sasid-2.1"), broken.as_bytes()) {
        let shown = format!("{item:?}");
        for secret in ["Ambr", "Quince", "0230", "9900000017", "Mulberry"] {
            assert!(!shown.contains(secret), "{secret}");
        }
    }
}

#[test]
fn a_name_in_the_wrong_column_is_not_repeated() {
    fn check(id: &str, file: &str, secrets: &[&str], expect: &str) {
        let items = items(layout(id), file.as_bytes());
        assert!(items.iter().flat_map(findings_of).any(|found| found.rule == expect), "{expect}");
        for finding in items.iter().flat_map(findings_of) {
            for secret in secrets {
                assert!(!finding.message.contains(secret), "{}", finding.message);
            }
        }
    }
    let contacts = replaced(layout("ct-student-contacts"), "Mulberry Quince,MOTHER", "MOTHER,Mulberry Quince");
    check("ct-student-contacts", &contacts, &["Mulberry", "Quince"], "code.unknown");
    let students = text(layout("ct-student"));
    let swapped = students.replacen("Ambrosia,,,,2000-02-29,,,F", "Q,,,,2000-02-29,,,Ambrosia", 1);
    assert_ne!(students, swapped);
    check("ct-student", &swapped, &["Ambrosia"], "code.unknown");
    let (_, body) = students.split_once('\n').expect("it has a header");
    let body = body.replace("Quince-O'Pear", "White").replace("Ambrosia", "Asian");
    check("ct-student", &body, &["9900000017", "2000-02-29", "Asian", "White"], "header.missing");
}

#[test]
fn reading_stops_when_it_is_told_to() {
    let mut given = 0;
    let clean = text(layout("tcs-4.0"));
    let mut reader = clean.as_bytes();
    let mut sink = |_| {
        given += 1;
        ControlFlow::Break(())
    };
    read::read(&mut reader, layout("tcs-4.0"), tables(layout("tcs-4.0")), &mut sink).expect("memory can be read");
    assert_eq!(given, 1);
}
