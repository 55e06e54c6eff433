//! Elements of the literacy domain: K-3 screening and the kindergarten entry inventory.

use crate::definition::elements;

elements! { Literacy;
    school_year: Text, Record, "School year";
    instrument: Text, Record, "Instrument";
    period: Text, Record, "Screening period";
    administration_date: Date, Record, "Date";
    grade_level: Text, Record, "Grade";
    local_education_agency_id: Text, Record, "District code";
    local_education_agency_name: Text, Record, "School district";
    school_id: Text, Record, "School code";
    school_name: Text, Record, "School name";
    measure: Text, Record, "Measure";
    scale_score: Decimal, Record, "Score";
    performance_level: Text, Record, "Level";
}
