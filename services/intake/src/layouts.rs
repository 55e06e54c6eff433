//! The layouts the program knows. They are found when it is built, not listed: adding one is adding a file.

use std::{path::Path, sync::LazyLock};

use crate::{Finding, Layout, Severity, read::drift};

const TEXTS: &[&str] = include!(concat!(env!("OUT_DIR"), "/layouts.rs"));

static LAYOUTS: LazyLock<Vec<Layout>> = LazyLock::new(|| {
    TEXTS
        .iter()
        .map(|text| {
            // Cannot fail: the texts are part of the program, and a test reads every one.
            #[expect(clippy::panic, reason = "a layout of our own that does not compile is a defect of the program")]
            Layout::from_toml(text).unwrap_or_else(|error| panic!("{error}"))
        })
        .collect()
});

/// All layouts, by source and id.
pub fn all() -> &'static [Layout] {
    &LAYOUTS
}

/// The layout of an id.
pub fn find(id: &str) -> Option<&'static Layout> {
    all().iter().find(|layout| layout.id == id)
}

/// The layout of a file that nobody named: the folder it stands in (`<layout id>/...`) says it, or its name does, or its first
/// line (`first` holds the file's first bytes). The finding says what could not be told apart.
pub fn detect(path: &Path, first: &[u8]) -> Result<&'static Layout, Finding> {
    let named = path
        .ancestors()
        .filter_map(|part| part.file_name()?.to_str())
        .find_map(|name| all().iter().find(|layout| is_named(name, &layout.id)));
    if let Some(layout) = named {
        return Ok(layout);
    }
    let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
    let candidates = drift::candidates(&line);
    let ids = |layouts: &[&Layout]| layouts.iter().map(|layout| layout.id.as_str()).collect::<Vec<_>>().join(", ");
    match candidates.as_slice() {
        [layout] => Ok(layout),
        [layout, ..] if layout.has_header() => Ok(layout),
        [] => {
            let message = format!(
                "no layout is known for this file, neither by its folder nor by its first line; say which it is: {}",
                ids(&all().iter().collect::<Vec<_>>())
            );
            Err(Finding::new(0, "layout.unknown", Severity::Fatal, message))
        }
        several => {
            let message = format!("the file could be of several layouts; say which it is: {}", ids(several));
            Err(Finding::new(0, "layout.ambiguous", Severity::Fatal, message))
        }
    }
}

/// Says so when a layout is not one of the state that sends the file: its students would be taken for another state's.
pub fn check_sea(layout: &Layout, sea: &str) -> Result<(), Finding> {
    if layout.sea == sea {
        return Ok(());
    }
    let message = format!(
        "{} is a layout of {}, and the file is loaded for {sea}: say --sea {} if it is that state's file",
        layout.id, layout.sea, layout.sea
    );
    Err(Finding::new(0, "layout.other_state", Severity::Fatal, message))
}

/// Whether a folder or file is named after a layout: `tcs-4.0`, `tcs-4.0.txt`, `tcs-4.0_2015.csv`, and not `tcs-4.0-csv`.
fn is_named(name: &str, id: &str) -> bool {
    name.strip_prefix(id).is_some_and(|rest| matches!(rest.as_bytes().first(), None | Some(b'.' | b'_')))
}

#[cfg(test)]
mod tests {
    use reference::tables::Tables;

    use super::*;

    #[test]
    fn every_layout_compiles_and_names_tables_that_exist() {
        for layout in all() {
            let tables = Tables::builtin(&layout.sea).expect("its state has tables");
            for field in layout.records.iter().flat_map(|record| &record.fields) {
                if let Some(table) = &field.table {
                    assert!(tables.find(table).is_some(), "{}: {table}", layout.id);
                }
            }
        }
    }

    #[test]
    fn flags_that_conditions_ask_for_are_borne_by_a_code_of_the_field() {
        use crate::layout::Test;
        for (layout, record) in
            all().iter().flat_map(|layout| layout.records.iter().map(move |record| (layout, record)))
        {
            let tables = Tables::builtin(&layout.sea).expect("its state has tables");
            let of_rules = record.rules.iter().flat_map(|rule| rule.kind.conditions());
            let of_facts = record.meaning.facts.iter().flat_map(|fact| &fact.when);
            let replaced = record.produce.iter().flat_map(|produce| &produce.replace).flat_map(|replace| &replace.when);
            for condition in of_rules.chain(of_facts).chain(replaced) {
                let (Test::Flag(flag) | Test::NotFlag(flag)) = &condition.test else { continue };
                let field = record.fields.get(condition.field).expect("names are resolved");
                let table = field.table.as_ref().and_then(|table| tables.find(table)).expect("a flag is a table's");
                let mut codes = table.editions().iter().flat_map(|edition| &edition.codes);
                assert!(codes.any(|code| code.flags.contains(flag)), "{}: {} {flag}", layout.id, field.name);
            }
        }
    }

    #[test]
    fn published_lengths_come_out() {
        fn check(id: &str, length: usize) {
            let layout = find(id).expect("the layout is there");
            assert_eq!(layout.records.first().map(|record| record.length), Some(length), "{id}");
        }
        check("sasid-2.1", 279);
        check("sasid-2.1x", 292);
        check("tcs-4.0", 275);
    }

    #[test]
    fn a_layout_serves_its_own_state_only() {
        let layout = find("la-sis").expect("the layout is there");
        assert_eq!(check_sea(layout, "la"), Ok(()));
        let refused = check_sea(layout, "ct").expect_err("Connecticut has other files");
        assert!(refused.rule == "layout.other_state" && refused.message.contains("--sea la"), "{}", refused.message);
    }

    #[test]
    fn files_are_known_by_folder_name_or_first_line() {
        fn check(path: &str, first: &str, expect: Result<&str, &str>) {
            let found = detect(Path::new(path), first.as_bytes());
            let found = found.map(|layout| layout.id.as_str()).map_err(|finding| finding.rule);
            assert_eq!(found, expect.map_err(str::to_owned), "{path}");
        }
        check("state/tcs-4.0/2015/part1.txt", "", Ok("tcs-4.0"));
        check("state/tcs-4.0-csv/part1.txt", "", Ok("tcs-4.0-csv"));
        check("in/sasid-2.1x_0640011.txt", "", Ok("sasid-2.1x"));
        check("in/a.txt", &format!("{}\r\n", " ".repeat(275)), Ok("tcs-4.0"));
        check("in/a.txt", &format!("{}\n", " ".repeat(279)), Ok("sasid-2.1"));
        check("in/a.csv", &format!("1{}\n", ",".repeat(21)), Ok("tcs-4.0-csv"));
        let header = "SASID,FallOfYear,ReportingDistrictCode,Fac1OrgCode,ProgramCode,ProgramName,ProgramTypeName,ProgramSponsor,BeginDate,EndDate,ReasonExited,Services\n";
        check("in/a.csv", header, Ok("ct-program"));
        check("in/a.csv", "what,is,this\n", Err("layout.unknown"));
    }
}
