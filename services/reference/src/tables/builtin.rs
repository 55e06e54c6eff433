//! The tables the program brings, and those it makes from the list of organizations.

use std::collections::BTreeMap;

use super::{Code, EditionFile, TableError, TableFile, TableStatus, Tables, Unknown};

/// The states' tables, each with its state: found when the program is built, not listed.
const TEXTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/tables.rs"));

const DIRECTORY: &str = "Education Directory (about 2021): closed and newer organizations are not in it";

/// The tables of every state that has any.
pub(super) fn all() -> Result<BTreeMap<&'static str, Tables>, TableError> {
    let mut states: BTreeMap<&str, Tables> = BTreeMap::new();
    for (sea, text) in TEXTS {
        states.entry(sea).or_default().add_toml(text)?;
    }
    if let Some(connecticut) = states.get_mut("ct") {
        add_organizations(connecticut)?;
    }
    Ok(states)
}

/// Connecticut's tables of facilities and districts, from its directory.
fn add_organizations(tables: &mut Tables) -> Result<(), TableError> {
    let organizations = crate::shipped_organizations("ct")
        .map_err(|error| TableError { table: "facility".to_owned(), what: error.to_string() })?;
    let facilities = organizations
        .iter()
        .filter(|organization| organization.code.len() == 7)
        .map(|organization| (organization.code.clone(), organization.name.clone()));
    tables.add(open_table("facility", "Facility (table A)", facilities.collect()))?;
    let mut districts: Vec<(String, String)> = Vec::new();
    for organization in &organizations {
        let Some(code) = organization.code.get(..3) else {
            continue;
        };
        let is_district = organization.code.len() == 3;
        match districts.iter_mut().find(|(known, _)| known == code) {
            Some((_, name)) if is_district => name.clone_from(&organization.name),
            Some(_) => {}
            None => districts.push((code.to_owned(), organization.name.clone())),
        }
    }
    districts.sort();
    tables.add(open_table("reporting_district", "Reporting district (PSIS table H, TCS table B)", districts))
}

fn open_table(id: &str, title: &str, codes: Vec<(String, String)>) -> TableFile {
    let codes = codes.into_iter().map(|(code, label)| Code { code, label, flags: Vec::new(), status: None }).collect();
    TableFile {
        id: id.to_owned(),
        title: title.to_owned(),
        editions: vec![EditionFile {
            from: None,
            to: None,
            status: TableStatus::Verified,
            unknown: Some(Unknown::Warning),
            source: DIRECTORY.to_owned(),
            codes,
        }],
    }
}
