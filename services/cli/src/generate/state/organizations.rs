//! The list of organizations.

use super::columns;
use crate::generate::World;
use crate::generate::places::OrganizationRow;
use crate::generate::sink::Batch;

columns! { Column;
    DistrictCode = "district_code",
    DistrictName = "district_name",
    SchoolCode = "school_code",
    SchoolName = "school_name",
    OrganizationType = "organization_type",
    Town = "town",
    Zip = "zip_code",
    Grades = "grades",
    OpenDate = "open_date",
}

/// Writes every district, school and facility.
pub fn write_organizations(world: &World, batch: &mut Batch) -> anyhow::Result<()> {
    for row in OrganizationRow::all() {
        let row = row?;
        // A district's own facility code ends in 00 and its type.
        let is_district = row.code.get(3..5) == Some("00");
        // The pattern of the state's codes: the district's number, 00, and the type its schools have.
        let kind = row.code.get(5..).unwrap_or_default();
        let district = format!("{}00{kind}", row.district_code);
        let file = (0, "organizations");
        batch.write(&world.tables.organizations, file, &[], |fill| {
            fill.text(Column::DistrictCode, &district)
                .text(Column::DistrictName, &row.district_name)
                .text(Column::OrganizationType, &row.organization_type)
                .text(Column::Town, &row.town)
                .text(Column::Zip, &row.zip)
                .text(Column::Grades, &row.grades)
                .iso(Column::OpenDate, row.open_date);
            if !is_district {
                fill.text(Column::SchoolCode, &row.code).text(Column::SchoolName, &row.name);
            }
        })?;
    }
    Ok(())
}
