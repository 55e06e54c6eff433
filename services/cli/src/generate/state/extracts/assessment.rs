//! Assessment results, K-3 screening and the kindergarten entrance inventory.

use crate::generate::World;
use crate::generate::assessment::{Inventory, Score};
use crate::generate::codes::grade_code;
use crate::generate::places::KINDERGARTEN;
use crate::generate::sink::{Batch, Damage};
use crate::generate::state::{Record, columns};

columns! { Column;
    Sasid = "sasid",
    FallOfYear = "fall_of_year",
    ReportingDistrict = "reporting_district",
    Facility = "facility_code",
    Family = "family",
    Title = "assessment_title",
    Subject = "subject",
    Grade = "grade_code",
    Date = "administration_date",
    Period = "screening_period",
    Attempt = "opportunity",
    Attempted = "attemptedness",
    Scale = "scale_score",
    Level = "performance_level",
    Accommodations = "accommodations",
    FosterCare = "foster_care",
    KeiLanguage = "kei_language",
    KeiLiteracy = "kei_literacy",
    KeiNumeracy = "kei_numeracy",
    KeiPhysical = "kei_physical_motor",
    KeiCreative = "kei_creative_aesthetic",
    KeiPersonal = "kei_personal_social",
}

impl Column {
    /// The domains of the kindergarten inventory, in their order.
    const INVENTORY: [Self; 6] = [
        Self::KeiLanguage,
        Self::KeiLiteracy,
        Self::KeiNumeracy,
        Self::KeiPhysical,
        Self::KeiCreative,
        Self::KeiPersonal,
    ];
}

const RESULTS: &str = "1-results";
const RESCORED: &str = "2-rescored";

const DAMAGE: [Damage; 5] = [
    Damage::Value(Column::Date as usize, "2018-04-31", "date.invalid"),
    Damage::Value(Column::Sasid as usize, "", "field.required"),
    Damage::Value(Column::Scale as usize, "24e", "number.invalid"),
    Damage::Value(Column::Attempted as usize, "Z", "code.unknown"),
    Damage::Short,
];

/// Writes the tests of a life, and again what was rescored.
pub fn write(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    for inventory in &record.inventories {
        write_inventory(world, batch, record, inventory)?;
    }
    for score in &record.scores {
        write_score(world, batch, record, score, RESULTS)?;
        if score.first_reported.is_some() {
            write_score(world, batch, record, score, RESCORED)?;
        }
    }
    Ok(())
}

fn write_score(
    world: &World,
    batch: &mut Batch,
    record: &Record<'_>,
    score: &Score,
    part: &'static str,
) -> anyhow::Result<()> {
    let places = &world.places;
    let scale = match (score.first_reported, part) {
        (Some(first), RESULTS) => Some(first),
        _ => score.scale,
    };
    batch.write(&world.tables.assessment, (score.fall, part), &DAMAGE, |fill| {
        fill.text(Column::Sasid, record.identity.sasid(score.fall))
            .number(Column::FallOfYear, score.fall)
            .text(Column::ReportingDistrict, &places.districts[score.district].code)
            .text(Column::Facility, &places.schools[score.school].code)
            .text(Column::Family, score.family)
            .text(Column::Title, title(score.family))
            .text(Column::Subject, score.subject.code(score.family))
            .text(Column::Grade, grade_code(score.grade, score.fall, score.district))
            .iso(Column::Date, score.day)
            .text(Column::Period, score.period)
            .text(Column::Accommodations, score.accommodations);
        if score.family != "K3" {
            fill.number(Column::Attempt, 1)
                .text(Column::Attempted, if scale.is_some() { "Y" } else { "N" })
                .flag(Column::FosterCare, record.in_care(score.day));
        }
        if let (Some(scale), Some(level)) = (scale, score.level) {
            fill.number(Column::Scale, scale).number(Column::Level, level);
        }
    })
}

fn title(family: &str) -> &'static str {
    match family {
        "CMT" => "Connecticut Mastery Test",
        "CAPT" => "Connecticut Academic Performance Test",
        "SBAC" => "Smarter Balanced Summative",
        "SAT" => "CT SAT School Day",
        "NGSS" => "NGSS Science",
        "CTAA" => "CT Alternate Assessment",
        "CTAS" => "CT Alternate Science",
        "LAS" => "LAS Links",
        _ => "K-3 Universal Screening",
    }
}

fn write_inventory(world: &World, batch: &mut Batch, record: &Record<'_>, inventory: &Inventory) -> anyhow::Result<()> {
    let places = &world.places;
    let fall = inventory.fall;
    batch.write(&world.tables.assessment, (fall, RESULTS), &DAMAGE[..1], |fill| {
        fill.text(Column::Sasid, record.identity.sasid(fall))
            .number(Column::FallOfYear, fall)
            .text(Column::ReportingDistrict, &places.districts[inventory.district].code)
            .text(Column::Facility, &places.schools[inventory.school].code)
            .text(Column::Family, "KEI")
            .text(Column::Title, "Kindergarten Entrance Inventory")
            .text(Column::Grade, grade_code(KINDERGARTEN, fall, inventory.district))
            .iso(Column::Date, inventory.day);
        for (column, level) in Column::INVENTORY.into_iter().zip(inventory.levels) {
            fill.number(column, level);
        }
    })
}
