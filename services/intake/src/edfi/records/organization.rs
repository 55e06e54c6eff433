//! States, districts and schools.

use super::{
    super::{
        fields::{Fields, Outcome, organization_id},
        index::{Entry, Organization, OrganizationKind},
    },
    Output,
};
use crate::item::OrganizationRecord;

/// References to the organization above, nearest first.
const PARENTS: [&str; 5] = [
    "ParentEducationOrganizationReference",
    "LocalEducationAgencyReference",
    "ParentLocalEducationAgencyReference",
    "EducationServiceCenterReference",
    "StateEducationAgencyReference",
];

pub(super) fn education_organization(fields: &mut Fields<'_>) -> Outcome<Output> {
    let node = fields.node;
    let Some(code) = organization_id(node).map(str::to_owned) else {
        return fields.refuse(
            node,
            "EducationOrganizationId",
            "field.required",
            "This field is required and is missing or empty.",
        );
    };
    let name = fields.required_text(node, "NameOfInstitution")?;
    let category =
        if node.name == "EducationOrganization" { node.value("EducationOrganizationCategory") } else { None };
    let category = category.unwrap_or(&node.name);
    let kind = OrganizationKind::of(category);
    let mut parent = None;
    for reference in PARENTS {
        if parent.is_none() {
            parent = fields.organization(node, &[reference])?.map(str::to_owned);
        }
    }
    let is_physical = |address: &&super::super::node::Node| address.value("AddressType") == Some("Physical");
    let address = node.all("Address").find(is_physical).or_else(|| node.child("Address"));
    let record = OrganizationRecord {
        code: code.clone(),
        name,
        organization_type: category.to_owned(),
        parent_code: if kind == OrganizationKind::District { Some(code.clone()) } else { parent.clone() },
        town: address.and_then(|address| address.value("City")).map(str::to_owned),
        open_date: None,
    };
    let entry = (code, Entry::Organization(Organization { kind, parent }));
    Ok(Output::Organization(Box::new((record, entry))))
}
