//! Program participation.

use crate::generate::World;
use crate::generate::program::OFFERS;
use crate::generate::sink::{Batch, Damage};
use crate::generate::state::{Record, columns};

columns! { Column;
    Sasid = "sasid",
    FallOfYear = "fall_of_year",
    ReportingDistrict = "reporting_district",
    Facility = "facility_code",
    Code = "program_code",
    Name = "program_name",
    Type = "program_type",
    Sponsor = "sponsor",
    Begin = "begin_date",
    End = "end_date",
    Reason = "reason_exited",
    Services = "services",
}

const DAMAGE: [Damage; 3] = [
    Damage::Value(Column::Begin as usize, "2020-13-01", "date.invalid"),
    Damage::Value(Column::Code as usize, "", "field.required"),
    Damage::Short,
];

/// Writes the programs of a life.
pub fn write(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    let places = &world.places;
    for part in &record.programs {
        let offer = &OFFERS[part.offer];
        batch.write(&world.tables.program, (part.fall, "participation"), &DAMAGE, |fill| {
            fill.text(Column::Sasid, record.identity.sasid(part.fall))
                .number(Column::FallOfYear, part.fall)
                .text(Column::ReportingDistrict, &places.districts[part.district].code)
                .text(Column::Facility, &places.schools[part.school].code)
                .text(Column::Code, offer.code)
                .text(Column::Name, offer.name)
                .text(Column::Type, offer.kind)
                .text(Column::Sponsor, &places.districts[part.district].name)
                .iso(Column::Begin, part.from)
                .text(Column::Reason, part.reason)
                .text(Column::Services, offer.services);
            if let Some(day) = part.to {
                fill.iso(Column::End, day);
            }
        })?;
    }
    Ok(())
}
