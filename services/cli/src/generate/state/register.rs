//! SASID register, change and unregister records.

use chrono::NaiveDate;

use super::{Record, columns};
use crate::generate::World;
use crate::generate::codes::{exit_status, grade_code, legacy_race};
use crate::generate::household::Child;
use crate::generate::life::{Closes, Opens, Stint, Year};
use crate::generate::sink::{Batch, Damage, Fill};

columns! { Column;
    RecordType = "record_type",
    Sasid = "sasid",
    ReportingDistrict = "reporting_district",
    EntryDate = "reporting_district_entry_date",
    ResidentTown = "resident_town",
    Facility1 = "facility_code_1",
    Facility2 = "facility_code_2",
    LastName = "last_name",
    FirstName = "first_name",
    MiddleName = "middle_name",
    Suffix = "generation_suffix",
    BirthDate = "birth_date",
    Race = "race_code",
    Gender = "gender_code",
    Grade = "grade_code",
    DistrictStudentId = "district_student_id",
    SisLastName = "sis_last_name",
    BirthTown = "birth_town",
    MaidenName = "mothers_maiden_name",
    ExitDate = "exit_date",
    ExitType = "exit_type",
    ExitStatus = "exit_status",
}

const PART: &str = "register";
const CORRECTIONS: &str = "register-corrections";

const DAMAGE: [Damage; 5] = [
    Damage::Value(Column::BirthDate as usize, "13402009", "date.invalid"),
    Damage::Value(Column::Sasid as usize, "12345A7890", "digits.invalid"),
    Damage::Value(Column::ReportingDistrict as usize, "", "field.required"),
    Damage::Value(Column::RecordType as usize, "Q", "code.unknown"),
    Damage::Short,
];

/// What an event of registration is written with.
struct Line<'a> {
    child: &'a Child,
    sasid: &'a str,
    birth: NaiveDate,
    year: &'a Year,
    stint: &'a Stint,
}

/// Writes the records of a life.
pub fn write(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    let mut late: Option<usize> = None;
    for (place, year) in record.life.years.iter().enumerate() {
        let line = |stint| Line {
            child: record.child,
            sasid: record.identity.sasid(year.fall),
            birth: record.identity.birth(record.child, year.fall),
            year,
            stint,
        };
        for (at, stint) in year.stints.iter().enumerate() {
            // The first year on file begins with the registration, whenever that was.
            let first = place == 0 && at == 0;
            if first || stint.opens == Opens::Registered {
                write_line(world, batch, PART, 'R', &line(stint))?;
            } else {
                write_line(world, batch, PART, 'C', &line(stint))?;
            }
            if let Some(earlier) = late.take() {
                write_line(world, batch, PART, 'U', &line(&year.stints[earlier]))?;
            }
            let Closes::Exit(day, _) = stint.closes else { continue };
            let next = year.stints.get(at + 1);
            if next.is_some_and(|next| next.from <= day) {
                late = Some(at);
            } else {
                write_line(world, batch, PART, 'U', &line(stint))?;
            }
        }
        let corrected = record.identity.misreported.is_some_and(|(_, fall)| fall == year.fall);
        let present = year.stints.last().filter(|stint| stint.closes == Closes::Open);
        if let (true, Some(stint)) = (corrected, present) {
            write_line(world, batch, CORRECTIONS, 'C', &line(stint))?;
        }
    }
    Ok(())
}

fn write_line(world: &World, batch: &mut Batch, part: &'static str, kind: char, line: &Line<'_>) -> anyhow::Result<()> {
    let places = &world.places;
    let district = &places.districts[line.stint.district].code;
    let file = (line.year.fall, part);
    batch.write(&world.tables.register, file, &DAMAGE, |fill| {
        let letter = match kind {
            'R' => "R",
            'C' => "C",
            _ => "U",
        };
        fill.text(Column::RecordType, letter)
            .text(Column::Sasid, line.sasid)
            .text(Column::ReportingDistrict, district)
            .mdy(Column::BirthDate, line.birth);
        match kind {
            'U' => unregister(fill, line),
            'R' => {
                student(fill, world, line);
                registration(fill, line);
            }
            _ => student(fill, world, line),
        }
    })
}

fn unregister(fill: &mut Fill<'_>, line: &Line<'_>) {
    let Closes::Exit(day, kind) = line.stint.closes else { return };
    // One district in a hundred reports the exit and forgets its day.
    if line.child.index % 101 == 7 {
        fill.text(Column::ExitType, kind);
        return;
    }
    fill.mdy(Column::ExitDate, day).text(Column::ExitType, kind).text(Column::ExitStatus, exit_status(kind));
}

fn registration(fill: &mut Fill<'_>, line: &Line<'_>) {
    let child = line.child;
    fill.mdy(Column::EntryDate, line.stint.registered)
        .text(Column::Race, legacy_race(child.hispanic, child.races))
        .text(Column::Gender, child.sex_code(line.year.fall))
        .text(Column::BirthTown, &child.birth_town)
        .text(Column::MaidenName, &child.maiden_name);
}

fn student(fill: &mut Fill<'_>, world: &World, line: &Line<'_>) {
    let (child, stint) = (line.child, line.stint);
    let places = &world.places;
    let facility_2 = stint.facility_2.map_or("", |f| places.schools[f].code.as_str());
    fill.text(Column::ResidentTown, &places.towns[stint.town].code)
        .text(Column::Facility1, &places.schools[stint.school].code)
        .text(Column::Facility2, facility_2)
        .text(Column::LastName, child.last_on(stint.from))
        .text(Column::FirstName, &child.first)
        .text(Column::MiddleName, &child.middle)
        .text(Column::Suffix, child.suffix)
        .text(Column::Grade, grade_code(line.year.grade, line.year.fall, stint.district))
        .text(Column::DistrictStudentId, &child.local_id(stint.district))
        .text(Column::SisLastName, child.sis_last.as_deref().unwrap_or(""));
}
