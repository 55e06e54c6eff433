//! Elements of the special education domain (IDEA Part B and section 504).

use crate::definition::elements;

elements! { SpecialEducation;
    school_year: Text, SpecialEducation, "School year";
    plan_type: Text, SpecialEducation, "Plan";
    local_education_agency_id: Text, SpecialEducation, "District code";
    local_education_agency_name: Text, SpecialEducation, "School district";
    school_id: Text, SpecialEducation, "School code";
    school_name: Text, SpecialEducation, "School name";
    primary_disability: Text, SpecialEducation, "Type of disability";
    special_education_hours: Decimal, SpecialEducation, "Hours";
    hours_with_non_disabled_peers: Decimal, SpecialEducation, "Hours with non-disabled peers";
    total_school_hours: Decimal, SpecialEducation, "School hours per week";
    time_with_non_disabled_peers: Decimal, SpecialEducation, "Time with non-disabled peers";
    special_education_setting: Text, SpecialEducation, "Setting";
    iep_begin_date: Date, SpecialEducation, "IEP start";
    iep_end_date: Date, SpecialEducation, "IEP end";
    iep_review_date: Date, SpecialEducation, "PPT date";
    last_evaluation_date: Date, SpecialEducation, "Evaluation date";
    eligibility_date: Date, SpecialEducation, "Eligibility determined";
    exit_date: Date, SpecialEducation, "Exit date";
    related_services: TextList, SpecialEducation, "Related services";
    section_504: Boolean, SpecialEducation, "Section 504 plan";
    accommodations: TextList, SpecialEducation, "Accommodations";
    reason_exited: Text, Administrative, "Exit reason";
}
