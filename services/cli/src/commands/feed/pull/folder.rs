//! One current set of CSV files, which tables linked in Access read.

use std::{fs, path::Path};

use anyhow::Context as _;
use feeds::formats::csv as format;

use super::{
    replica::Replica,
    tables::{Table, Tables, Type},
};
use crate::commands::exchange::write_whole;

/// The copy beside the files.
pub const COPY: &str = ".copy.sqlite";
/// The types of the columns, for Access and Excel.
const SCHEMA: &str = "schema.ini";

/// Writes the tables, each file whole or not at all.
pub async fn write(folder: &Path, tables: &Tables, replica: &mut Replica) -> anyhow::Result<()> {
    let mut schema = String::new();
    for table in &tables.all {
        let rows = replica.rows(table).await?;
        let columns: Vec<(&str, &str)> =
            table.columns.iter().map(|column| (column.name.as_str(), driver_type(column.kind))).collect();
        schema.push_str(&format::schema_section(&file_name(&table.name), &columns));
        write_table(folder, &table.name, &columns, &cells(table, rows))?;
    }
    let columns = ["withdrawal_id", "person_id", "reason", "destroy_by_date"].map(|name| (name, "Text Width 255"));
    schema.push_str(&format::schema_section(&file_name("withdrawals"), &columns));
    let rows = replica.withdrawals().await?;
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|row| row.into_iter().map(|cell| format::harmless(&cell.unwrap_or_default())).collect())
        .collect();
    write_table(folder, "withdrawals", &columns, &rows)?;
    write_whole(&folder.join(SCHEMA), schema.as_bytes())
}

fn file_name(table: &str) -> String {
    format!("{table}.csv")
}

const fn driver_type(kind: Type) -> &'static str {
    match kind {
        Type::Text => "Memo",
        Type::Day => "Date",
        Type::Integer => "Long",
        Type::Real => "Double",
        Type::Boolean => "Bit",
    }
}

fn cells(table: &Table, rows: Vec<Vec<Option<String>>>) -> Vec<Vec<String>> {
    let cell = |(kind, cell): (Type, Option<String>)| match (kind, cell) {
        (_, None) => String::new(),
        (Type::Boolean, Some(text)) => u8::from(matches!(text.as_str(), "1" | "true" | "t")).to_string(),
        (Type::Text, Some(text)) => format::harmless(&text),
        (_, Some(text)) => text,
    };
    let kinds = || table.columns.iter().map(|column| column.kind);
    rows.into_iter().map(|row| kinds().zip(row).map(cell).collect()).collect()
}

fn write_table(folder: &Path, name: &str, columns: &[(&str, &str)], rows: &[Vec<String>]) -> anyhow::Result<()> {
    let mut bytes = "\u{feff}".as_bytes().to_vec();
    bytes.extend(format::record(columns.iter().map(|(name, _)| (*name).to_owned()))?);
    for row in rows {
        bytes.extend(format::record(row.iter().cloned())?);
    }
    let path = folder.join(file_name(name));
    if fs::read(&path).is_ok_and(|before| before == bytes) {
        return Ok(());
    }
    write_whole(&path, &bytes).with_context(|| format!("the table {name}"))
}
