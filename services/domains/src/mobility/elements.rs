//! Elements of the mobility domain: derived from disclosed enrollment, never stored.

use crate::definition::elements;

elements! { Mobility;
    school_year: Text, Record, "School year";
    schools: Integer, Record, "Schools attended";
    districts: Integer, Record, "Districts attended";
    moves_between_districts: Integer, Record, "Moves between districts";
    moves_within_district: Integer, Record, "Moves within a district";
    moves_within_school_year: Integer, Record, "Moves during school years";
    gaps: Integer, Record, "Gaps in enrollment";
    days_out_of_school: Integer, Record, "Days out of school";
    overlaps: Integer, Record, "Overlapping enrollments";
    facility_stays: Integer, OtherAgency, "Facility stays";
}
