//! Disciplinary offenses (ED166).

use crate::generate::World;
use crate::generate::discipline::{Action, Incident};
use crate::generate::sink::{Batch, Damage, Fill, push_number};
use crate::generate::state::{Record, columns};

columns! { Column;
    Sasid = "sasid",
    FallOfYear = "fall_of_year",
    Certified = "certification_flag",
    ReportingDistrict = "reporting_district",
    Facility = "facility_code",
    StateNumber = "state_incident_number",
    Identifier = "incident_identifier",
    Date = "incident_date",
    Time = "incident_time",
    Location = "incident_location",
    Role = "student_role",
    Type1 = "incident_type_1",
    Type2 = "incident_type_2",
    Bullying = "bullying",
    Weapon = "weapon_type",
    Substance = "substance_type",
    SanctionDate = "sanction_date",
    Sanction1 = "sanction_type_primary",
    Days1 = "days_sanctioned_primary",
    Served1 = "days_served_primary",
    Carried1 = "days_carryover_primary",
    Education1 = "education_provided_primary",
    Sanction2 = "sanction_type_second",
    Days2 = "days_sanctioned_second",
    Served2 = "days_served_second",
    Carried2 = "days_carryover_second",
    Arrested = "arrested",
    Expunged = "expunged",
}

const OFFENSES: &str = "1-offenses";
const CORRECTIONS: &str = "2-corrections";

const DAMAGE: [Damage; 4] = [
    Damage::Value(Column::Date as usize, "2019-02-30", "date.invalid"),
    Damage::Value(Column::Identifier as usize, "", "field.required"),
    Damage::Value(Column::Role as usize, "X", "code.unknown"),
    Damage::Short,
];

/// Writes the incidents of a life, and again what a later file says differently.
pub fn write(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    for incident in &record.incidents {
        write_row(world, batch, record, incident, OFFENSES)?;
        if incident.expunged || incident.first_reported.is_some() {
            write_row(world, batch, record, incident, CORRECTIONS)?;
        }
    }
    Ok(())
}

fn write_row(
    world: &World,
    batch: &mut Batch,
    record: &Record<'_>,
    incident: &Incident,
    part: &'static str,
) -> anyhow::Result<()> {
    let places = &world.places;
    let corrected = part == CORRECTIONS;
    let over = world.calendar(incident.fall).last <= world.as_of;
    batch.write(&world.tables.discipline, (incident.fall, part), &DAMAGE, |fill| {
        fill.text(Column::Sasid, record.identity.sasid(incident.fall))
            .number(Column::FallOfYear, incident.fall)
            .flag(Column::Certified, over)
            .text(Column::ReportingDistrict, &places.districts[incident.district].code)
            .text(Column::Facility, &places.schools[incident.school].code)
            .number(Column::StateNumber, incident.state_number as i64)
            .number(Column::Identifier, incident.identifier as i64)
            .iso(Column::Date, incident.day)
            .text(Column::Time, &time(incident.minute))
            .text(Column::Location, incident.location)
            .text(Column::Role, incident.role)
            .text(Column::Type1, incident.kind.code)
            .text(Column::Type2, incident.second.map_or("", |kind| kind.code))
            .text(Column::Bullying, incident.bullying)
            .text(Column::Weapon, incident.kind.weapon)
            .text(Column::Substance, incident.kind.substance)
            .flag(Column::Arrested, incident.arrested)
            .flag(Column::Expunged, incident.expunged && corrected);
        sanctions(fill, incident, corrected);
    })
}

fn sanctions(fill: &mut Fill<'_>, incident: &Incident, corrected: bool) {
    let Some(first) = incident.actions.first() else { return };
    let half_days = match incident.first_reported {
        Some(half_days) if !corrected => half_days,
        _ => first.half_days,
    };
    fill.iso(Column::SanctionDate, incident.decided)
        .text(Column::Sanction1, first.sanction.code)
        .hundredths(Column::Days1, halves(half_days))
        .hundredths(Column::Served1, halves(first.served))
        .hundredths(Column::Carried1, halves(first.carried));
    if incident.educated {
        fill.text(Column::Education1, "01");
    }
    if let Some(Action { sanction, half_days, served, carried }) = incident.actions.get(1) {
        fill.text(Column::Sanction2, sanction.code)
            .hundredths(Column::Days2, halves(*half_days))
            .hundredths(Column::Served2, halves(*served))
            .hundredths(Column::Carried2, halves(*carried));
    }
}

const fn halves(half_days: u16) -> u32 {
    half_days as u32 * 50
}

fn time(minute: u16) -> String {
    let mut text = String::with_capacity(5);
    push_number(&mut text, i64::from(minute / 60), 2);
    text.push(':');
    push_number(&mut text, i64::from(minute % 60), 2);
    text
}
