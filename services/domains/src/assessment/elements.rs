//! Elements of the assessment domain.

use crate::definition::elements;

elements! { Assessment;
    school_year: Text, Record, "School year";
    assessment_family: Text, Record, "Test type";
    assessment_title: Text, Record, "Test";
    academic_subject: Text, Record, "Subject";
    grade_level: Text, Record, "Grade tested";
    administration_date: Date, Record, "Test date";
    attempt: Integer, Record, "Attempt";
    attemptedness: Text, Record, "Participation";
    reason_not_tested: Text, Record, "Reason not tested";
    local_education_agency_id: Text, Record, "District code";
    local_education_agency_name: Text, Record, "School district";
    school_id: Text, Record, "School code";
    school_name: Text, Record, "School name";
    scale_score: Decimal, Record, "Score";
    raw_score: Text, Record, "Raw score";
    score_results: TextList, Record, "Other scores";
    performance_level: Text, Record, "Level";
    performance_level_met: Boolean, Record, "Level met";
    accommodations: TextList, SpecialEducation, "Accommodations";
    foster_care: Boolean, OtherAgency, "Foster care";
}
