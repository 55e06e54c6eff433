//! From one record to what the exchange keeps of it. One module for each group of records, one function for each record.

mod address;
mod assessment;
mod attendance;
mod contact;
mod course;
pub(super) mod discipline;
mod enrollment;
mod organization;
mod program;
mod section;
mod student;

use model::Fact;

use super::{
    fields::{Fields, Outcome},
    index::Entry,
};
use crate::item::OrganizationRecord;

/// What a record says about one person.
pub(super) struct Person {
    pub state_id: String,
    /// Whether the record makes the person known.
    pub introduces: bool,
    pub facts: Vec<Fact>,
}

/// What a record gives.
pub(super) enum Output {
    /// Facts about persons; a discipline action names several.
    Persons(Vec<Person>),
    /// An organization, and what to remember of it.
    Organization(Box<(OrganizationRecord, (String, Entry))>),
    /// No fact of its own, but something to remember under one name or several.
    Learned(Vec<(String, Entry)>),
}

impl Output {
    /// Facts about a person whom the record refers to.
    fn of(state_id: String, facts: Vec<Fact>) -> Self {
        Self::Persons(vec![Person { state_id, introduces: false, facts }])
    }
}

/// Reads one record.
pub(super) type Converter = for<'a> fn(&mut Fields<'a>) -> Outcome<Output>;

/// What reads records of this name, a name of 5.2; `None`: the exchange keeps nothing of them.
pub(super) fn converter(name: &str) -> Option<Converter> {
    Some(match name {
        "Student" => student::student,
        "StudentEducationOrganizationAssociation" => student::student_education_organization_association,
        "StudentSchoolAssociation" => enrollment::student_school_association,
        "StudentSchoolAttendanceEvent" | "StudentSectionAttendanceEvent" => attendance::attendance_event,
        "StudentAssessment" => assessment::student_assessment,
        "CourseTranscript" => course::course_transcript,
        "StudentSectionAssociation" => section::student_section_association,
        "Grade" => section::grade,
        "DisciplineIncident" => discipline::discipline_incident,
        "StudentDisciplineIncidentAssociation" | "StudentDisciplineIncidentNonOffenderAssociation" => {
            discipline::incident_participation
        }
        "StudentDisciplineIncidentBehaviorAssociation" => discipline::incident_behavior,
        "DisciplineAction" => discipline::discipline_action,
        "StudentProgramAssociation" | "StudentNeglectedOrDelinquentProgramAssociation" => {
            program::student_program_association
        }
        "StudentSpecialEducationProgramAssociation" => program::student_special_education_program_association,
        "StudentSection504ProgramAssociation" => program::student_section_504_program_association,
        "Contact" => contact::contact,
        "StudentContactAssociation" => contact::student_contact_association,
        "EducationOrganization"
        | "School"
        | "LocalEducationAgency"
        | "StateEducationAgency"
        | "EducationServiceCenter" => organization::education_organization,
        "Course" => course::course,
        "Session" => course::session,
        "CourseOffering" => section::course_offering,
        "Section" => section::section,
        "Program" => program::program,
        "Assessment" => assessment::assessment,
        "AssessmentFamily" => assessment::assessment_family,
        _ => return None,
    })
}

/// Whether a free text tells that another agency is involved: such a text is kept under an element of class `other_agency`,
/// which is denied unless an agreement names it. A word too many only hides a harmless text.
fn names_other_agency(text: &str) -> bool {
    const WORDS: [&str; 13] = [
        "foster",
        "child welfare",
        "child protective",
        "dcf",
        "ward of",
        "court",
        "probation",
        "juvenile",
        "delinquen",
        "neglected",
        "correction",
        "incarcerat",
        "jail",
    ];
    let text = text.to_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}
