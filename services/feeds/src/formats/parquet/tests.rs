use std::borrow::Cow;

use domains::definition;
use model::{Decimal, Domain};

use super::*;

fn scope() -> Scope {
    let elements = Domain::ALL.into_iter().flat_map(|domain| definition(domain).elements).collect();
    Scope { elements, day: NaiveDate::from_ymd_opt(2026, 11, 20).expect("a day") }
}

/// A value of each kind, by turns none.
fn cell(kind: Kind, number: usize) -> Cell<'static> {
    let value = match kind {
        Kind::Text | Kind::LongText => Value::Text(format!("t{number}")),
        Kind::TextList => Value::TextList((0..number % 4).map(|n| format!("l{n}")).collect()),
        Kind::Integer => Value::Integer(number as i64),
        Kind::Decimal => Value::Decimal(Decimal(number as i64 * 2_500)),
        Kind::Date => Value::Date(EPOCH + chrono::Days::new(number as u64)),
        Kind::Boolean => Value::Boolean(number.is_multiple_of(2)),
    };
    (number % 5 != 4).then_some(Cow::Owned(value))
}

fn expected(kind: Kind, number: usize) -> String {
    match cell(kind, number).as_deref() {
        None => "null".to_owned(),
        Some(Value::Text(text)) => format!("{text:?}"),
        Some(Value::TextList(texts)) => format!("{texts:?}"),
        Some(Value::Decimal(number)) => format!("{:.4}", number.to_f64()),
        Some(other) => other.to_plain(),
    }
}

#[test]
fn every_kind_comes_back_over_row_groups_with_what_is_absent() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut format = Parquet::begin_with(folder.path(), &scope(), 4_000).expect("begun");
    let columns: Vec<Vec<Column>> = format.files.iter().map(|file| file.table.columns.clone()).collect();
    for file in &mut format.files {
        for number in 0..100 {
            let row: Vec<Cell<'_>> =
                file.table.columns.iter().enumerate().map(|(at, column)| cell(column.kind, at + number)).collect();
            file.push(&row).expect("a row");
        }
    }
    let names: Vec<&str> = format.files.iter().map(|file| file.table.name).collect();
    let entries = Box::new(format).finish().expect("finished");
    assert!(entries.iter().all(|entry| entry.rows == 100));
    for (name, columns) in names.into_iter().zip(columns) {
        let path = folder.path().join(format!("{name}.parquet"));
        let reader = SerializedFileReader::new(File::open(&path).expect("a file")).expect("read");
        assert!(reader.num_row_groups() > 1, "{name}");
        for (number, row) in reader.get_row_iter(None).expect("rows").enumerate() {
            let row = row.expect("a row");
            for (at, ((field_name, field), column)) in row.get_column_iter().zip(&columns).enumerate() {
                assert_eq!(field_name, column.name);
                assert_eq!(printed(field), expected(column.kind, at + number), "{name}.{field_name} {number}");
            }
        }
        assert!(mentions(&path, &["t7".to_owned()]).expect("read"));
        assert!(!mentions(&path, &["t777".to_owned()]).expect("read"));
    }
}

fn printed(field: &Field) -> String {
    match field {
        Field::Null => "null".to_owned(),
        Field::Str(text) => format!("{text:?}"),
        Field::Long(number) => number.to_string(),
        Field::Bool(flag) => flag.to_string(),
        Field::Date(days) => (EPOCH + chrono::Days::new(u64::try_from(*days).expect("after"))).to_string(),
        Field::Decimal(number) => {
            let bytes: [u8; 8] = number.data().try_into().expect("eight bytes");
            format!("{:.4}", i64::from_be_bytes(bytes) as f64 / 10_000.0)
        }
        Field::ListInternal(list) => {
            let texts: Vec<String> = list.elements().iter().map(printed).collect();
            format!("[{}]", texts.join(", "))
        }
        other => panic!("{other:?}"),
    }
}
