use std::{borrow::Cow, fs, io::Read as _};

use domains::definition;
use model::Domain;

use super::*;

fn scope() -> Scope {
    let elements = Domain::ALL.into_iter().flat_map(|domain| definition(domain).elements).collect();
    Scope { elements, day: NaiveDate::from_ymd_opt(2026, 11, 20).expect("a day") }
}

/// A row of a table: the client's id, then texts.
fn row(person: &str, text: &str, width: usize) -> Vec<Cell<'static>> {
    let cell = |text: &str| Some(Cow::Owned(Value::Text(text.to_owned())));
    let mut row = vec![cell(person), cell("d"), cell(text)];
    row.resize(width, None);
    row
}

fn part(path: &Path, name: &str) -> Option<String> {
    let mut archive = zip::ZipArchive::new(File::open(path).expect("a file")).expect("an archive");
    let mut text = String::new();
    archive.by_name(name).ok()?.read_to_string(&mut text).expect("text");
    Some(text)
}

#[test]
fn a_table_goes_on_in_another_sheet_and_no_row_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut format = Xlsx::begin_with(folder.path(), &scope(), 3).expect("begun");
    for number in 0..7 {
        format.write_row(0, &row(&format!("client-{number}"), "x", 11)).expect("a row");
    }
    let files = Box::new(format).finish().expect("finished");
    assert_eq!((files.len(), files[0].rows), (1, 7));
    let path = folder.path().join(FILE);
    let book = part(&path, "xl/workbook.xml").expect("a workbook");
    for name in ["\"disclosures\"", "\"disclosures 2\"", "\"disclosures 3\"", "\"sections\"", "\"student\""] {
        assert!(book.contains(name), "{name}");
    }
    let sheets = Domain::ALL.len() + 2 + 2;
    let all: String = (1..=sheets).filter_map(|n| part(&path, &format!("xl/worksheets/sheet{n}.xml"))).collect();
    for number in 0..7 {
        assert_eq!(all.matches(&format!("client-{number}<")).count(), 1);
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left beside it");
    assert!(mentions(&path, &["client-4".to_owned()]).expect("read"));
    assert!(!mentions(&path, &["client-7".to_owned()]).expect("read"));
}

#[test]
fn a_cell_holds_what_the_format_allows_and_says_what_was_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut format = Xlsx::begin(folder.path(), &scope()).expect("begun");
    format.write_row(0, &row("1", &"\u{1F600}".repeat(20_000), 11)).expect("a row");
    format.write_row(0, &row("2", "=1+1", 11)).expect("a row");
    assert_eq!(format.remarks().first().map(|remark| (remark.rule.as_str(), remark.count)), Some(("value.cut", 1)));
    Box::new(format).finish().expect("finished");
    let sheet = part(&folder.path().join(FILE), "xl/worksheets/sheet1.xml").expect("a sheet");
    assert_eq!(sheet.matches('\u{1F600}').count(), CELL_UNITS_MAX / 2);
    assert!(sheet.contains("=1+1") && !sheet.contains("<f>"), "a text that looks like a formula is a text");
}

#[test]
fn the_same_content_is_the_same_file() {
    let written = || {
        let folder = tempfile::tempdir().expect("a folder");
        let mut format = Xlsx::begin(folder.path(), &scope()).expect("begun");
        format.write_row(0, &row("1", "x", 11)).expect("a row");
        Box::new(format).finish().expect("finished").remove(0).sha256
    };
    assert_eq!(written(), written());
}
