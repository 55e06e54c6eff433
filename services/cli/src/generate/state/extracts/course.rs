//! Teacher-Course-Student records, version 4.0.

use crate::generate::World;
use crate::generate::course::Ending;
use crate::generate::sink::{Batch, Damage};
use crate::generate::state::{Record, columns};

columns! { Column;
    Sasid = "sasid",
    ReportingDistrict = "reporting_district",
    DistrictStudentId = "district_student_id",
    BirthDate = "birth_date",
    Ein = "ein",
    TeacherType = "teacher_type",
    DistrictTeacherId = "district_teacher_id",
    CourseFacility = "course_facility_code",
    CourseCode = "nces_course_code",
    DistrictCourseCode = "district_course_code",
    Section = "section_code",
    Outcome = "outcome",
    Facility1 = "facility_1_code",
    Begin = "session_begin_date",
    End = "session_end_date",
    Status = "outcome_status",
    Credits = "credits_earned",
    Sessions = "membership_sessions",
    Attended = "membership_sessions_attended",
    Dual = "dual_enrollment_program",
}

const DAMAGE: [Damage; 4] = [
    Damage::Value(Column::Begin as usize, "02302018", "date.invalid"),
    Damage::Value(Column::Sasid as usize, "", "field.required"),
    Damage::Value(Column::Sessions as usize, "1X2", "number.invalid"),
    Damage::Short,
];

/// Writes the courses of a life.
pub fn write(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    let places = &world.places;
    let child = record.child;
    for taken in &record.courses {
        let Some(course) = world.courses.get(taken.course) else { continue };
        let teacher = (taken.school * 131 + taken.course * 7 + usize::from(taken.section)) % 90_000;
        let (status, outcome) = match taken.ending {
            Ending::Pass => ("Pass", letter(taken.mark)),
            Ending::Fail => ("Fail", "F"),
            Ending::Transferred => ("Transferred", "TR"),
            Ending::Incomplete => ("Incomplete", "I"),
        };
        batch.write(&world.tables.courses, (taken.fall, "courses"), &DAMAGE, |fill| {
            fill.text(Column::Sasid, record.identity.sasid(taken.fall))
                .text(Column::ReportingDistrict, &places.districts[taken.district].code)
                .text(Column::DistrictStudentId, &child.local_id(taken.district))
                .mdy(Column::BirthDate, record.identity.birth(child, taken.fall))
                .number(Column::Ein, 1_000_000_000 + teacher as i64 * 7_919)
                .text(Column::TeacherType, "001")
                .number(Column::DistrictTeacherId, teacher as i64 + 1)
                .text(Column::CourseFacility, &places.schools[taken.school].code)
                .text(Column::CourseCode, &course.full_code)
                .number(Column::DistrictCourseCode, 100 + taken.course as i64)
                .number(Column::Section, i64::from(taken.section))
                .text(Column::Outcome, outcome)
                .text(Column::Facility1, &places.schools[taken.school].code)
                .mdy(Column::Begin, taken.from)
                .mdy(Column::End, taken.to)
                .text(Column::Status, status)
                .number(Column::Sessions, i64::from(taken.sessions))
                .number(Column::Attended, i64::from(taken.attended));
            if course.credit > 0.0 {
                fill.hundredths(Column::Credits, u32::from(taken.credits));
            }
            if taken.dual {
                fill.text(Column::Dual, "UCONN");
            }
        })?;
    }
    Ok(())
}

const fn letter(mark: u8) -> &'static str {
    match mark {
        93.. => "A",
        90..93 => "A-",
        87..90 => "B+",
        83..87 => "B",
        80..83 => "B-",
        77..80 => "C+",
        73..77 => "C",
        70..73 => "C-",
        60..70 => "D",
        _ => "F",
    }
}
