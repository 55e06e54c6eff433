//! Collections: the October snapshot, and June with the days of membership and attendance.

use chrono::NaiveDate;

use super::{Record, columns};
use crate::generate::World;
use crate::generate::attendance::{Attendance, chronic};
use crate::generate::calendar::date;
use crate::generate::codes::{
    HOMELESS, english_program, grade_code, legacy_race, meals, race_ethnicity, special_program,
};
use crate::generate::household::LANGUAGES;
use crate::generate::life::{Closes, Stint, Year};
use crate::generate::places::{PK, Sector};
use crate::generate::sink::{Batch, Damage, Fill};

columns! { Column;
    CollectionName = "collection_name",
    InstanceName = "instance_name",
    FallOfYear = "fall_of_year",
    SnapshotDate = "snapshot_date",
    FreezeNumber = "freeze_number",
    Certified = "certification_flag",
    CertifiedOn = "certification_date",
    Sasid = "sasid",
    LastName = "last_name",
    FirstName = "first_name",
    MiddleName = "middle_name",
    Suffix = "generation_code",
    SisLastName = "sis_last_name",
    BirthDate = "birth_date",
    BirthTown = "birth_town",
    MaidenName = "mothers_maiden_name",
    Sex = "sex_code",
    Hispanic = "hispanic_latino_ethnicity",
    AmericanIndian = "american_indian_or_alaska_native",
    Asian = "asian",
    Black = "black_or_african_american",
    PacificIslander = "native_hawaiian_or_other_pacific_islander",
    White = "white",
    RaceEthnicity = "race_ethnicity_reporting",
    LegacyRace = "legacy_race_code",
    DistrictStudentId = "district_student_id",
    ReportingDistrict = "reporting_district",
    NexusDistrict = "nexus_district",
    Facility1 = "facility_1_code",
    Facility2 = "facility_2_code",
    Grade = "grade_code",
    ResidentTown = "resident_town",
    ResidentTownName = "resident_town_name",
    ExitType = "exit_type",
    MembershipDays = "membership_days",
    AttendanceDays = "attendance_days",
    Chronic = "chronic_absenteeism",
    SpecialEducation = "special_education",
    Meals = "meal_type",
    EnglishLearner = "english_learner",
    EnglishProgram = "english_learner_program",
    Immigrant = "immigrant",
    Migrant = "migrant",
    MilitaryFamily = "military_family",
    Homeless = "homeless",
    HomelessResidence = "homeless_residence",
    Language = "language",
    Gifted = "gifted_and_talented",
    PreKProgram = "prek_program",
    SpecialProgram = "special_program_status",
    DcfStatus = "dcf_status",
}

const OCTOBER: &str = "1-october";
const JUNE: &str = "2-june";
const JUNE_AGAIN: &str = "3-june-second-freeze";

const DAMAGE: [Damage; 5] = [
    Damage::Value(Column::BirthDate as usize, "2009-13-40", "date.invalid"),
    Damage::Value(Column::Sasid as usize, "", "field.required"),
    Damage::Value(Column::Sasid as usize, "90O1234567", "digits.invalid"),
    Damage::Value(Column::Grade as usize, "ZZ", "code.unknown"),
    Damage::Short,
];

/// A snapshot row in the making.
struct Snapshot<'a> {
    record: &'a Record<'a>,
    year: &'a Year,
    stint: &'a Stint,
    instance: &'static str,
    day: NaiveDate,
    freeze: i64,
    attendance: Option<(u16, u16)>,
}

/// Writes the collections of a life.
pub fn write(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    for year in &record.life.years {
        let fall = i32::from(year.fall);
        let october = date(fall, 10, 1);
        if let Some(stint) = year.on(october).filter(|_| october <= world.as_of) {
            let snapshot = Snapshot {
                record,
                year,
                stint,
                instance: "October",
                day: october,
                // The current year is not frozen yet: its districts have not certified.
                freeze: i64::from(date(fall, 12, 1) <= world.as_of),
                attendance: None,
            };
            write_row(world, batch, OCTOBER, &snapshot)?;
        }
        for days in record.attendance.iter().filter(|a| a.fall == year.fall) {
            june(world, batch, record, year, days)?;
        }
    }
    Ok(())
}

fn june(world: &World, batch: &mut Batch, record: &Record<'_>, year: &Year, days: &Attendance) -> anyhow::Result<()> {
    let here = |s: &&Stint| s.district == days.district && s.school == days.school;
    let Some(stint) = year.stints.iter().rev().find(here) else {
        return Ok(());
    };
    let mut snapshot = Snapshot {
        record,
        year,
        stint,
        instance: "June",
        day: world.calendar(year.fall).last,
        freeze: 1,
        attendance: Some((days.days, days.first_reported.unwrap_or(days.attended))),
    };
    write_row(world, batch, JUNE, &snapshot)?;
    if days.first_reported.is_some() {
        snapshot.freeze = 2;
        snapshot.attendance = Some((days.days, days.attended));
        write_row(world, batch, JUNE_AGAIN, &snapshot)?;
    }
    Ok(())
}

fn write_row(world: &World, batch: &mut Batch, part: &'static str, snapshot: &Snapshot<'_>) -> anyhow::Result<()> {
    let file = (snapshot.year.fall, part);
    batch.write(&world.tables.student, file, &DAMAGE, |fill| {
        fill.text(Column::CollectionName, "PSIS")
            .text(Column::InstanceName, snapshot.instance)
            .number(Column::FallOfYear, snapshot.year.fall)
            .iso(Column::SnapshotDate, snapshot.day)
            .number(Column::FreezeNumber, snapshot.freeze)
            .flag(Column::Certified, snapshot.freeze > 0);
        if snapshot.freeze > 0 {
            let later = chrono::Days::new(if snapshot.freeze == 1 { 45 } else { 75 });
            fill.iso(Column::CertifiedOn, snapshot.day + later);
        }
        person(fill, snapshot);
        schooling(fill, world, snapshot);
        status(fill, snapshot);
    })
}

fn person(fill: &mut Fill<'_>, snapshot: &Snapshot<'_>) {
    let (record, fall) = (snapshot.record, snapshot.year.fall);
    let child = record.child;
    let [american_indian, asian, black, pacific_islander, white] = child.races;
    fill.text(Column::Sasid, record.identity.sasid(fall))
        .text(Column::LastName, child.last_on(snapshot.day))
        .text(Column::FirstName, &child.first)
        .text(Column::MiddleName, &child.middle)
        .text(Column::Suffix, child.suffix)
        .text(Column::SisLastName, child.sis_last.as_deref().unwrap_or(""))
        .iso(Column::BirthDate, record.identity.birth(child, fall))
        .text(Column::BirthTown, &child.birth_town)
        .text(Column::MaidenName, &child.maiden_name)
        .text(Column::Sex, child.sex_code(fall))
        .flag(Column::Hispanic, child.hispanic)
        .flag(Column::AmericanIndian, american_indian)
        .flag(Column::Asian, asian)
        .flag(Column::Black, black)
        .flag(Column::PacificIslander, pacific_islander)
        .flag(Column::White, white)
        .text(Column::RaceEthnicity, race_ethnicity(child.hispanic, child.races));
    if fall < 2010 {
        fill.text(Column::LegacyRace, legacy_race(child.hispanic, child.races));
    }
}

fn schooling(fill: &mut Fill<'_>, world: &World, snapshot: &Snapshot<'_>) {
    let places = &world.places;
    let (year, stint, child) = (snapshot.year, snapshot.stint, snapshot.record.child);
    let town = &places.towns[stint.town];
    let facility_2 = stint.facility_2.map_or("", |f| places.schools[f].code.as_str());
    fill.text(Column::DistrictStudentId, &child.local_id(stint.district))
        .text(Column::ReportingDistrict, &places.districts[stint.district].code)
        .text(Column::Facility1, &places.schools[stint.school].code)
        .text(Column::Facility2, facility_2)
        .text(Column::SpecialProgram, special_program(stint.program))
        .text(Column::Grade, grade_code(year.grade, year.fall, stint.district))
        .text(Column::ResidentTown, &town.code)
        .text(Column::ResidentTownName, &town.name);
    if let (true, Closes::Exit(_, kind)) = (snapshot.attendance.is_some(), stint.closes) {
        fill.text(Column::ExitType, kind);
    }
    if let Some((days, attended)) = snapshot.attendance {
        fill.number(Column::MembershipDays, days)
            .number(Column::AttendanceDays, attended)
            .flag(Column::Chronic, chronic(attended, days));
    }
    let elsewhere = places.schools[stint.school].sector != Sector::Local;
    let has_plan = snapshot.has_plan();
    if let (true, true, Some(home)) = (elsewhere, has_plan, town.districts.first()) {
        fill.text(Column::NexusDistrict, &places.districts[*home].code);
    }
}

fn status(fill: &mut Fill<'_>, snapshot: &Snapshot<'_>) {
    let (year, child) = (snapshot.year, snapshot.record.child);
    let (_, language) = LANGUAGES[child.language];
    let has_plan = snapshot.has_plan();
    fill.flag(Column::SpecialEducation, has_plan)
        .text(Column::Meals, meals(year.meals))
        .flag(Column::EnglishLearner, year.english_learner)
        .flag(Column::Immigrant, child.language != 0 && child.index % 7 == 0)
        .flag(Column::Migrant, false)
        .flag(Column::MilitaryFamily, child.index % 89 == 3)
        .flag(Column::Homeless, year.homeless.is_some())
        .text(Column::Language, language)
        .flag(Column::DcfStatus, snapshot.record.in_care(snapshot.day));
    if year.english_learner {
        fill.text(Column::EnglishProgram, english_program(child.language, child.index));
    }
    if let Some(residence) = year.homeless {
        fill.text(Column::HomelessResidence, HOMELESS[residence]);
    }
    if year.gifted {
        fill.text(Column::Gifted, "01");
    }
    if year.grade <= PK {
        let program = match (has_plan, child.index % 3) {
            (true, _) => "04",
            (_, 0) => "02",
            _ => "01",
        };
        fill.text(Column::PreKProgram, program);
    }
}

impl Snapshot<'_> {
    /// Whether an IEP is in force.
    fn has_plan(&self) -> bool {
        self.record.has_iep(self.year.fall, self.day)
    }
}
