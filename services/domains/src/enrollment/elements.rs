//! Elements of the enrollment domain.

use crate::definition::elements;

elements! { Enrollment;
    school_year: Text, Record, "School year";
    collection: Text, Record, "Collection";
    snapshot_date: Date, Record, "Snapshot date";
    entry_date: Date, Record, "Entry date";
    entry_type: Text, Record, "Entry type";
    other_agency_entry_type: Text, OtherAgency, "Entry type that names another agency";
    exit_withdraw_date: Date, Record, "Exit date";
    exit_withdraw_type: Text, Record, "Exit reason";
    other_agency_exit_type: Text, OtherAgency, "Exit reason that names another agency";
    exit_status: Text, Record, "Exit status";
    exit_basis: Text, Record, "How the exit is known";
    local_education_agency_id: Text, Record, "District code";
    local_education_agency_name: Text, Record, "School district";
    school_id: Text, Record, "School code";
    school_name: Text, Record, "School name";
    town_name: Text, Record, "Town of the school";
    facility_2_id: Text, OtherAgency, "Facility 2 code";
    facility_2_name: Text, OtherAgency, "Facility 2";
    special_program_status: Text, OtherAgency, "Special program status";
    grade_level: Text, Record, "Grade";
    repeat_grade_indicator: Boolean, Record, "Repeats the grade";
    graduation_plan_type: Text, Record, "Graduation plan";
    nexus_district_id: Text, Record, "Nexus district code";
    resident_town: Text, Status, "Resident town";
    english_learner: Boolean, Status, "English learner";
    english_learner_program: Text, Status, "English learner program";
    meal_eligibility: Text, Status, "Free or reduced-price meals";
    homeless: Boolean, Status, "Homeless";
    homeless_residence: Text, Status, "Nighttime residence";
    special_education: Boolean, SpecialEducation, "Special education";
    gifted_and_talented: Text, Record, "Gifted and talented";
    immigrant: Boolean, Status, "Immigrant";
    migrant: Boolean, Status, "Migrant";
    military_family: Boolean, Status, "Military family";
    language: Text, Status, "Language";
    district_student_id: Text, Identity, "District student ID";
    primary_spell: Boolean, Record, "Shown first where two districts report the same days";
}
