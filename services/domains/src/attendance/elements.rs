//! Elements of the attendance domain.

use crate::definition::elements;

elements! { Attendance;
    school_year: Text, Record, "School year";
    month: Text, Record, "Month";
    local_education_agency_id: Text, Record, "District code";
    local_education_agency_name: Text, Record, "School district";
    school_id: Text, Record, "School code";
    school_name: Text, Record, "School name";
    town_name: Text, Record, "Town";
    days_scheduled: Integer, Record, "Days scheduled";
    days_attended: Integer, Record, "Days attended";
    attendance_rate: Decimal, Record, "Attendance %";
    chronic_absenteeism: Boolean, Record, "Chronically absent";
    days_absent: Integer, Record, "Days absent";
    truant: Boolean, Record, "Truant";
    event_date: Date, Record, "Event date";
    attendance_event_category: Text, Record, "Attendance event";
    attendance_event_type: Text, Record, "Event type";
    attendance_event_reason: Text, Record, "Event reason";
    other_agency_event_reason: Text, OtherAgency, "Event reason that names another agency";
    educational_environment: Text, Record, "Educational environment";
    class_period: Text, Record, "Class period";
}
