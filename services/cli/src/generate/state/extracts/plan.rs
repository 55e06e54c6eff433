//! Special education and section 504 (SEDAC).

use crate::generate::World;
use crate::generate::calendar::date;
use crate::generate::sink::{Batch, Damage};
use crate::generate::special_education::{DISABILITIES, PlanKind, PlanYear, SERVICES};
use crate::generate::state::{Record, columns};

columns! { Column;
    Sasid = "sasid",
    FallOfYear = "fall_of_year",
    Certified = "certification_flag",
    ReportingDistrict = "reporting_district",
    Facility = "facility_code",
    PlanType = "plan_type",
    Disability = "primary_disability",
    Hours = "special_education_hours",
    WithPeers = "hours_with_non_disabled_peers",
    Total = "total_school_hours",
    Placement = "placement",
    Ppt = "ppt_date",
    Evaluated = "evaluation_date",
    Begins = "iep_start_date",
    Eligible = "eligibility_date",
    Exits = "exit_date",
    Counseling = "counseling",
    Interpreting = "interpreting",
    Medical = "medical",
    Orientation = "orientation_mobility",
    Physical = "physical_occupational",
    Psychological = "psychological",
    Recreation = "recreation",
    Nurse = "school_nurse",
    SocialWork = "social_work",
    Speech = "speech_language",
    Transportation = "transportation",
    Accommodations = "accommodations",
}

impl Column {
    /// The flags of related services, in their order.
    const SERVICES: [Self; SERVICES] = [
        Self::Counseling,
        Self::Interpreting,
        Self::Medical,
        Self::Orientation,
        Self::Physical,
        Self::Psychological,
        Self::Recreation,
        Self::Nurse,
        Self::SocialWork,
        Self::Speech,
        Self::Transportation,
    ];
}

const OCTOBER: &str = "1-october";
const EXITS: &str = "2-exits";

const DAMAGE: [Damage; 4] = [
    Damage::Value(Column::Ppt as usize, "2019-00-12", "date.invalid"),
    Damage::Value(Column::Sasid as usize, "", "field.required"),
    Damage::Value(Column::Total as usize, "thirty", "number.invalid"),
    Damage::Short,
];

/// Writes the plans of a life; an exit is reported by a later file of the same year.
pub fn write(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    for plan in &record.plans {
        write_row(world, batch, record, plan, OCTOBER)?;
        if plan.exits.is_some() {
            write_row(world, batch, record, plan, EXITS)?;
        }
    }
    Ok(())
}

fn write_row(
    world: &World,
    batch: &mut Batch,
    record: &Record<'_>,
    plan: &PlanYear,
    part: &'static str,
) -> anyhow::Result<()> {
    let places = &world.places;
    let frozen = date(i32::from(plan.fall) + 1, 1, 31) <= world.as_of;
    let idea = plan.kind == PlanKind::Iep;
    batch.write(&world.tables.plans, (plan.fall, part), &DAMAGE, |fill| {
        fill.text(Column::Sasid, record.identity.sasid(plan.fall))
            .number(Column::FallOfYear, plan.fall)
            .flag(Column::Certified, frozen)
            .text(Column::ReportingDistrict, &places.districts[plan.district].code)
            .text(Column::Facility, &places.schools[plan.school].code)
            .text(Column::PlanType, if idea { "IEP" } else { "504 Plan" })
            .iso(Column::Ppt, plan.ppt)
            .iso(Column::Evaluated, plan.evaluated)
            .iso(Column::Begins, plan.begins)
            .iso(Column::Eligible, plan.eligible)
            .text(Column::Accommodations, plan.accommodations);
        if idea {
            let placement = if plan.elsewhere { "Other Public School District" } else { "In District" };
            fill.text(Column::Disability, DISABILITIES[plan.disability].code)
                .hundredths(Column::Hours, plan.hours)
                .hundredths(Column::WithPeers, plan.with_peers)
                .hundredths(Column::Total, plan.total)
                .text(Column::Placement, placement);
            for (service, column) in Column::SERVICES.into_iter().enumerate() {
                fill.flag(column, plan.services & (1 << service) != 0);
            }
        }
        if let (Some(day), EXITS) = (plan.exits, part) {
            fill.iso(Column::Exits, day);
        }
    })
}
