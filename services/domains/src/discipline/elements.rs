//! Elements of the discipline domain: the incident (what happened) apart from the action (what was done).

use crate::definition::elements;

elements! { Discipline;
    school_year: Text, Discipline, "School year";
    incident_identifier: Text, Discipline, "Incident number";
    state_incident_number: Text, Discipline, "State incident number";
    incident_date: Date, Discipline, "Incident date";
    incident_time: Text, Discipline, "Incident time";
    incident_location: Text, Discipline, "Location";
    local_education_agency_id: Text, Discipline, "District code";
    local_education_agency_name: Text, Discipline, "School district";
    school_id: Text, Discipline, "School code";
    school_name: Text, Discipline, "School name";
    student_participation_code: Text, Discipline, "Role";
    incident_type: Text, Discipline, "Incident type";
    incident_type_2: Text, Discipline, "Second incident type";
    bullying: Text, Discipline, "Bullying";
    weapon: Text, Discipline, "Weapon";
    substance: Text, Discipline, "Substance";
    discipline_action_identifier: Text, Discipline, "Action number";
    discipline_date: Date, Discipline, "Action date";
    discipline_action: Text, Discipline, "Sanction type";
    discipline_action_length: Decimal, Discipline, "No of days sanctioned";
    return_date: Date, Discipline, "Return date";
    minutes_removed: Integer, Discipline, "Minutes removed from class";
    discipline_action_length_difference_reason: Text, Discipline, "Why fewer or more days were served";
    days_served: Decimal, Discipline, "Days served";
    days_carried_over: Decimal, Discipline, "Days carried over";
    education_provided: Text, Discipline, "Education provided";
    discipline_action_2: Text, Discipline, "Second sanction type";
    discipline_action_2_length: Decimal, Discipline, "Second sanction, days";
    days_served_2: Decimal, Discipline, "Second sanction, days served";
    days_carried_over_2: Decimal, Discipline, "Second sanction, days carried over";
    education_provided_2: Text, Discipline, "Second sanction, education provided";
    other_agency_action: Text, OtherAgency, "Sanction that names another agency";
    assignment_school_id: Text, OtherAgency, "Assigned school code";
    reported_to_law_enforcement: Boolean, OtherAgency, "Reported to the police";
    arrested: Boolean, OtherAgency, "Arrested";
}
