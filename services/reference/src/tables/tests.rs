use super::*;

fn connecticut() -> &'static Tables {
    Tables::builtin("ct").expect("Connecticut has tables")
}

#[test]
fn every_file_of_the_folder_is_a_table() {
    for sea in ["ct", "la", "sif"] {
        let tables = Tables::builtin(sea).expect("the state has tables");
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tables").join(sea);
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be read").path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let id = path.file_stem().and_then(|stem| stem.to_str()).expect("it has a name");
                let table = tables.find(id).unwrap_or_else(|| panic!("{id} is not found"));
                assert!(table.editions().iter().all(|edition| !edition.codes.is_empty()), "{id}");
            }
        }
    }
    assert!(Tables::builtin("zz").is_none());
}

#[test]
fn a_code_may_be_less_certain_than_its_edition() {
    let table = Tables::builtin("la").and_then(|tables| tables.find("exit_reason")).expect("the table is there");
    let edition = table.edition(None).expect("it has an edition").edition();
    assert_eq!((edition.status, edition.unknown), (TableStatus::Verified, Unknown::Warning));
    assert_eq!(edition.find("11").and_then(|code| code.status), Some(TableStatus::Provisional));
    assert_eq!(edition.find("14").and_then(|code| code.status), None);
}

#[test]
fn codes_have_labels_and_unknown_ones_none() {
    fn check(table: &str, code: &str, expect: Option<&str>) {
        let table = connecticut().find(table).expect("the table is there");
        let edition = table.edition(None).expect("it has an edition").edition();
        assert_eq!(edition.find(code).map(|code| code.label.as_str()), expect, "{code}");
    }
    check("resident_town", "064", Some("Hartford"));
    check("resident_town", "170", None);
    check("reporting_district", "347", Some("Unified School District #2"));
    check("facility", "0646311", Some("Weaver High School"));
    check("grade", "KF", Some("Kindergarten, full day"));
    check("incident_type", "1700", Some("Fighting"));
}

#[test]
fn a_school_year_finds_its_edition_or_the_nearest() {
    let table = connecticut().find("gender").expect("the table is there");
    let of = |year: i16| table.edition(Some(SchoolYear(year))).map(|found| found.edition().codes.len());
    assert_eq!((of(2012), of(2018), of(2019), of(2030)), (Some(2), Some(2), Some(3), Some(3)));
    let mut tables = Tables::default();
    tables
        .add_toml("id = 't'\ntitle = 'T'\n[[editions]]\nfrom = 2010\nto = 2012\nstatus = 'verified'\nsource = 's'\ncodes = [{ code = '1', label = 'one' }]")
        .expect("it reads");
    let table = tables.find("t").expect("it is there");
    assert!(matches!(table.edition(Some(SchoolYear(2011))), Some(EditionMatch::Exact(_))));
    assert!(matches!(table.edition(Some(SchoolYear(2013))), Some(EditionMatch::Nearest(_))));
}

#[test]
fn a_code_that_stands_twice_is_refused() {
    let twice = "id = 't'\ntitle = 'T'\n[[editions]]\nstatus = 'verified'\nsource = 's'\ncodes = [{ code = '1', label = 'a' }, { code = '1', label = 'b' }]";
    assert!(Tables::default().add_toml(twice).is_err());
}
