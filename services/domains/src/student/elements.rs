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
    other_names: TextList, Identity, "Other names";
    birth_date: Date, Identity, "Date of birth";
    birth_town: Text, Identity, "Town of birth";
    mothers_maiden_name: Text, Identity, "Mother's maiden name";
    last_surname_prefix: Text, Identity, "First letters of the last name";
    first_name_prefix: Text, Identity, "First letter of the first name";
    birth_day: Integer, Identity, "Day of birth";
    sex: Text, Record, "Gender";
    hispanic_latino_ethnicity: Boolean, Status, "Hispanic or Latino";
    races: TextList, Status, "Races";
    legacy_race_code: Text, Status, "Race code used before July 2010";
    race_ethnicity: Text, Status, "Race/Ethnicity";
    language: Text, Status, "Language";
    resident_town: Text, Status, "Resident town";
    street_address: Text, Contact, "Address";
    street_address_2: Text, Contact, "Address, second line";
    state_abbreviation: Text, Contact, "State";
    postal_code: Text, Contact, "ZIP code";
    telephone_numbers: TextList, Contact, "Phones";
    electronic_mail_addresses: TextList, Contact, "E-mail";
    meal_eligibility: Text, Status, "Free or reduced-price meals";
    economic_disadvantaged: Boolean, Status, "Economically disadvantaged";
    limited_english_proficiency: Text, Status, "English proficiency";
    student_characteristics: TextList, Status, "Characteristics";
    dcf_status: Boolean, OtherAgency, "Served by DCF";
    other_agency_characteristics: TextList, OtherAgency, "Characteristics that name another agency";
    birth_country: Text, Administrative, "Country of birth";
    date_entered_us: Date, Administrative, "First entry into the United States";
    military_residence: Boolean, Administrative, "Address on a military base";
    non_district_building: Boolean, Administrative, "School in a building not of the district's own";
    excluded_from_reporting: Boolean, Administrative, "Excluded from state reporting";
    partial_file: Boolean, Administrative, "In partial state files";
}
