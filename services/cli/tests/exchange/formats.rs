//! The same content in every format: tables hold what tables hold, whoever opens them.

use std::{collections::BTreeMap, fs::File, path::Path};

use parquet::{
    file::reader::{FileReader as _, SerializedFileReader},
    record::Field,
};

use crate::{
    erase::prepare,
    place::{Place, json, lines, word},
};

type Rows = Vec<BTreeMap<String, String>>;

fn csv_rows(path: &Path) -> Rows {
    let mut reader = csv::Reader::from_path(path).expect("a file");
    let header: Vec<String> =
        reader.headers().expect("a header").iter().map(|name| name.trim_start_matches('\u{feff}').to_owned()).collect();
    let row = |row: csv::StringRecord| header.iter().cloned().zip(row.iter().map(str::to_owned)).collect();
    reader.records().map(|record| row(record.expect("a row"))).collect()
}

fn parquet_rows(path: &Path) -> Rows {
    let reader = SerializedFileReader::new(File::open(path).expect("a file")).expect("Parquet");
    let rows = reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row"));
    rows.map(|row| row.get_column_iter().map(|(name, field)| (name.clone(), plain(field))).collect()).collect()
}

/// A typed value as the text of the other format.
fn plain(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::Long(number) => number.to_string(),
        Field::Bool(flag) => u8::from(*flag).to_string(),
        Field::Date(days) => chrono::DateTime::from_timestamp(i64::from(*days) * 86_400, 0)
            .map(|at| at.date_naive().to_string())
            .expect("a day"),
        Field::Decimal(number) => {
            let digits = i64::from_be_bytes(number.data().try_into().expect("eight bytes"));
            model::Decimal(digits).to_string()
        }
        Field::ListInternal(list) => list.elements().iter().map(plain).collect::<Vec<_>>().join("; "),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tables_hold_the_same_rows_in_every_format() {
    let place = Place::new();
    prepare(&place);
    let own = place.path("own");
    let histories = lines(&own.join("ndjson/histories.ndjson"));
    let manifest = |format: &str| json(&own.join(format).join("manifest.json"));
    let (csv, mut rows) = (manifest("csv"), 0);
    for file in csv["files"].as_array().expect("files") {
        let Some(table) = word(file, "name").strip_suffix(".csv") else { continue };
        let mut of_csv = csv_rows(&own.join("csv").join(word(file, "name")));
        let mut of_parquet = parquet_rows(&own.join("parquet").join(format!("{table}.parquet")));
        rows += of_csv.len() as u64;
        // Two exports are two runs: only what names the run differs.
        for row in of_csv.iter_mut().chain(&mut of_parquet) {
            for name in ["disclosure_id", "decided_at", "as_of"] {
                row.remove(name);
            }
        }
        of_csv.sort();
        of_parquet.sort();
        assert_eq!(of_csv, of_parquet, "{table}");
        if table == "disclosures" {
            assert_eq!(of_csv.len(), histories.len(), "one for each history");
        }
    }
    assert!(rows > 0, "there are rows to compare");
    let workbook = manifest("xlsx");
    assert_eq!(workbook["files"][0]["rows"].as_u64(), Some(rows), "the workbook holds as many");
    let night = place.path("out/dcf").join(crate::erase::NIGHT).join("csv/enrollment.csv");
    let of_dcf = csv_rows(&night);
    let first = of_dcf.first().expect("a row");
    assert!(!first.contains_key("facility_2_id"), "no column that the agreement can never fill names another agency");
    assert!(first.contains_key("entry_date"), "what it does fill is there");
}
