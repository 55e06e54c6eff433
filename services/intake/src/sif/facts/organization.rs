//! Districts and schools.

use super::{Address, Outcome, Output, Source};
use crate::{OrganizationRecord, sif::index::organization_code};

pub(super) fn school_info(source: &mut Source<'_>) -> Outcome<Output> {
    let parent = source.node.text_of("LEAInfoRefId").and_then(|ref_id| source.index.lea(&ref_id));
    organization(source, "SchoolName", "public school", parent)
}

pub(super) fn lea_info(source: &mut Source<'_>) -> Outcome<Output> {
    let own = organization_code(source.node);
    organization(source, "LEAName", "district", own)
}

fn organization(source: &mut Source<'_>, name: &str, kind: &str, parent: Option<String>) -> Outcome<Output> {
    let node = source.node;
    let Some(code) = organization_code(node) else {
        return source.refuse(node, "StateProvinceId", "field.required", "The organization has no identifier.");
    };
    let Some(name) = node.text_of(name) else {
        return source.refuse(node, name, "field.required", "The organization has no name.");
    };
    let town = Address::all(node).first().and_then(|address| address.node.text_of("City"));
    Ok(Output::Organization(OrganizationRecord {
        code,
        name,
        organization_type: kind.to_owned(),
        parent_code: parent,
        town,
        open_date: None,
    }))
}
