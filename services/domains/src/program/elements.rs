//! Elements of the program domain.

use crate::definition::elements;

elements! { Program;
    school_year: Text, Record, "School year";
    program_id: Text, Record, "Program code";
    program_name: Text, Record, "Program";
    program_type: Text, Record, "Program type";
    other_agency_program_type: Text, OtherAgency, "Program type that names another agency";
    program_sponsor: Text, Record, "Sponsor";
    education_organization_id: Text, Record, "Offered by (code)";
    local_education_agency_id: Text, Record, "District code";
    local_education_agency_name: Text, Record, "School district";
    school_id: Text, Record, "School code";
    school_name: Text, Record, "School name";
    begin_date: Date, Record, "Begin date";
    end_date: Date, Record, "End date";
    reason_exited: Text, Record, "Reason exited";
    services: TextList, Record, "Services";
}
