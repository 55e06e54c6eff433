//! Elements of the course domain.

use crate::definition::elements;

elements! { Course;
    school_year: Text, Record, "School year";
    course_code: Text, Record, "Course code (SCED)";
    local_course_code: Text, Record, "District course code";
    course_title: Text, Record, "Course";
    subject_area: Text, Record, "Subject area";
    section_code: Text, Record, "Section";
    teacher_type: Text, Record, "Teacher type";
    local_education_agency_id: Text, Record, "District code";
    local_education_agency_name: Text, Record, "School district";
    school_id: Text, Record, "School code";
    school_name: Text, Record, "School name";
    course_facility_id: Text, OtherAgency, "Course facility code";
    session_name: Text, Record, "Session";
    session_begin_date: Date, Record, "Session begin";
    session_end_date: Date, Record, "Session end";
    grade_level: Text, Record, "Grade when taken";
    grade_type: Text, Record, "Kind of grade";
    grading_period: Text, Record, "Grading period";
    outcome: Text, Record, "Outcome";
    outcome_status: Text, Record, "Outcome status";
    numeric_grade: Text, Record, "Numeric grade";
    credits_attempted: Decimal, Record, "Credits attempted";
    credits_earned: Decimal, Record, "Credits earned";
    credit_type: Text, Record, "Kind of credit";
    membership_sessions: Integer, Record, "Sessions held";
    membership_sessions_attended: Integer, Record, "Sessions attended";
    dual_enrollment_program: Text, Record, "Dual enrollment program";
    educator_identification_number: Text, Administrative, "Educator identification number";
    district_teacher_id: Text, Administrative, "District teacher ID";
    excluded_from_reporting: Boolean, Administrative, "Excluded from state reporting";
}
