//! What Connecticut's layouts do not exercise: several kinds of record in one file, and code tables that end.

use std::ops::ControlFlow;

use intake::{Item, Layout, RecordWriter, Severity, convert, describe, read};
use reference::tables::Tables;

use crate::findings_of;

const LAYOUT: &str = r#"
id = "two-kinds"
title = "Two kinds of record"
sea = "ct"
version = "1"
status = "provisional"
source = "invented for a test"
about = "People and their programs in one file."

[format]
kind = "fixed"
line_end = "lf"
code = { at = 1, length = 3 }

[[records]]
code = "010"
name = "person"
person = "id"
fields = [
  { name = "kind", at = 1, length = 3, type = "constant 010", require = "M" },
  { name = "id", at = 4, length = 4, type = "digits", require = "M" },
  { name = "surname", at = 8, length = 6, type = "text", require = "M", allowed = "name" },
]
[[records.facts]]
domain = "student"
kind = "person"
[records.facts.set]
state_id = "id"
last_surname = "surname"

[[records]]
code = "050"
name = "program"
person = "id"
school_year = [{ text = "year" }]
fields = [
  { name = "kind", at = 1, length = 3, type = "constant 050", require = "M" },
  { name = "id", at = 4, length = 4, type = "digits", require = "M" },
  { name = "year", at = 8, length = 7, type = "text", require = "M" },
  { name = "program", at = 15, length = 2, type = "text", require = "M", table = "programs" },
  { name = "filler", at = 17, length = 3, type = "filler" },
  { name = "began", at = 20, length = 8, type = "date MMDDYYYY", require = "O" },
]
[[records.facts]]
domain = "program"
kind = "participation"
from = "began"
[records.facts.set]
program_id = "program"
program_name = { from = "program", as = "label" }
begin_date = "began"
"#;

const TABLE: &str = r#"
id = "programs"
title = "Programs"
[[editions]]
from = 2010
to = 2012
status = "verified"
source = "invented for a test"
codes = [{ code = "AA", label = "Arts" }]
[[editions]]
from = 2013
to = 2014
status = "verified"
source = "invented for a test"
codes = [{ code = "BB", label = "Ballet" }]
"#;

const FILE: &str = "0100001Quince\n05000012011-12AA   09012011\n05000012013-14BB           \n";

fn layout() -> (Layout, Tables) {
    let mut tables = Tables::default();
    tables.add_toml(TABLE).expect("the table reads");
    (Layout::from_toml(LAYOUT).expect("the layout compiles"), tables)
}

/// Good records, and of each finding line, rule and severity.
fn said(file: &str) -> (usize, Vec<String>) {
    let (layout, tables) = layout();
    let (mut good, mut said) = (0, Vec::new());
    let mut sink = |item: Item| {
        good += usize::from(matches!(item, Item::Person { .. }));
        said.extend(
            findings_of(&item).iter().map(|found| format!("{} {} {:?}", found.line, found.rule, found.severity)),
        );
        ControlFlow::Continue(())
    };
    read::read(&mut file.as_bytes(), &layout, &tables, &mut sink).expect("memory can be read");
    (good, said)
}

fn check(file: &str, good: usize, expect: &[&str]) {
    let expect: Vec<String> = expect.iter().map(|said| (*said).to_owned()).collect();
    assert_eq!(said(file), (good, expect));
}

#[test]
fn each_record_is_read_as_its_own_kind() {
    check(FILE, 3, &[]);
    check(&FILE.replace("0500001", "0990001"), 1, &["2 record.unknown_kind Error", "3 record.unknown_kind Error"]);
    check(&FILE.replace("Quince", "Quincey"), 2, &["1 record.length Error"]);
    check(&FILE.replace("AA   ", "AA x "), 2, &["2 field.disallowed Error"]);
}

#[test]
fn codes_are_read_by_the_edition_of_their_school_year() {
    check(&FILE.replace("2013-14BB", "2013-14AA"), 2, &["3 code.unknown Error"]);
    // No edition holds: said once, and the nearest one is used.
    let later = FILE.replace("2013-14", "2019-20") + "05000012019-20BB           \n";
    check(&later, 4, &["0 table.no_edition Warning", "4 record.repeated Information"]);
}

#[test]
fn several_kinds_are_converted_and_written_again() {
    let (layout, tables) = layout();
    let mut objects = Vec::new();
    let mut none = |found: intake::Finding| assert!(found.severity < Severity::Error, "{found:?}");
    convert::to_ndjson(&mut FILE.as_bytes(), &layout, &tables, &mut objects, &mut none).expect("memory can be read");
    let text = String::from_utf8_lossy(&objects).into_owned();
    assert!(
        text.contains(r#""record":"050","id":"0001","year":"2011-12","program":"AA","began":"2011-09-01""#),
        "{text}"
    );
    let mut again = Vec::new();
    convert::from_ndjson(&mut objects.as_slice(), &layout, &mut again, &mut none).expect("memory can be written");
    assert_eq!(String::from_utf8_lossy(&again), FILE);
    let program = layout.find_record("050").expect("it has one");
    let mut writer = RecordWriter::new(&layout, Vec::new());
    writer.write_record(program, &["", "0001", "2011-12", "AA", "", "09012011"]).expect("it fits");
    assert_eq!(writer.finish().expect("memory can be written"), b"05000012011-12AA   09012011\n");
    assert!(describe::page(&layout).contains("positions 1 to 3"));
}

#[test]
fn objects_that_are_no_records_are_told() {
    let (layout, _) = layout();
    let check = |line: &str, expect: &str| {
        let mut rules = Vec::new();
        let mut out = Vec::new();
        convert::from_ndjson(&mut line.as_bytes(), &layout, &mut out, &mut |found| rules.push(found.rule))
            .expect("memory can be read");
        assert_eq!(rules, [expect], "{line}");
        assert!(out.is_empty());
    };
    check("{\"record\":\"010\"", "json.invalid");
    check("{\"id\":\"0001\"}", "record.unknown_kind");
    check("{\"record\":\"010\",\"name\":\"x\"}", "field.unknown");
    check("{\"record\":\"010\",\"id\":[1]}", "field.kind");
    check("{\"record\":\"010\",\"id\":\"00001\"}", "value.does_not_fit");
}

#[test]
fn layouts_with_a_mistake_are_refused_by_name() {
    fn check(old: &str, new: &str, expect: &str) {
        assert!(LAYOUT.contains(old), "{old}");
        let error = Layout::from_toml(&LAYOUT.replace(old, new)).map(|_| ()).expect_err("it must not compile");
        assert!(error.to_string().contains(expect), "{error}");
    }
    check("last_surname = \"surname\"", "surname = \"surname\"", "no element \"surname\"");
    check("last_surname = \"surname\"", "birth_date = \"surname\"", "student.birth_date");
    check("from = \"began\"", "from = \"begun\"", "no field is called \"begun\"");
    check("at = 15", "at = 16", "field program: it begins at 15");
    check("as = \"label\"", "as = \"lable\"", "no transform \"lable\"");
    check("type = \"digits\"", "type = \"digit\"", "no type \"digit\"");
    check("kind = \"participation\"", "kind = \"part\"", "no fact of kind \"part\"");
    check("name = \"filler\"", "name = \"line\"", "reserved");
    check("code = \"050\"", "", "needs a code");
    check("require = \"O\"", "require = \"X\"", "lettered \"X\"");
}
