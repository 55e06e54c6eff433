//! Elements of the student domain. Names, birth date and state id live in `identity` alone.

use crate::definition::elements;

elements! { Student;
    state_id: Text, Identity, "State-assigned student identifier";
    district_student_id: Text, Identity, "District student ID";
    last_surname: Text, Identity, "Last name";
    first_name: Text, Identity, "First name";
    middle_name: Text, Identity, "Middle name";
    generation_code_suffix: Text, Identity, "Suffix";
    sis_last_name: Text, Identity, "Last name in the district's system";
    birth_date: Date, Identity, "Date of birth";
    birth_town: Text, Identity, "Town of birth";
    mothers_maiden_name: Text, Identity, "Mother's maiden name";
    sex: Text, Record, "Gender";
    hispanic_latino_ethnicity: Boolean, Status, "Hispanic or Latino";
    races: TextList, Status, "Races";
    legacy_race_code: Text, Status, "Race code used before July 2010";
    race_ethnicity: Text, Status, "Race/Ethnicity";
    language: Text, Status, "Language";
    resident_town: Text, Status, "Resident town";
    dcf_status: Boolean, OtherAgency, "Served by DCF";
}
