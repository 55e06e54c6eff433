//! The same invented facts in the words of each version; and the public data sets, if they are at hand.

use super::*;

const NAMES: [(&str, &str); 5] =
    [("edfi-1.0", "0100"), ("edfi-2.2", "0220"), ("edfi-3", "0310"), ("edfi-4", "4.0.0"), ("edfi-5.2", "5.2.0")];

fn new_index() -> Index {
    Index::new(Config::default().index_bytes_max)
}

fn in_namespace(namespace: &str, name: &str, records: &str) -> String {
    format!("<Interchange{name} xmlns=\"http://ed-fi.org/{namespace}\">{records}</Interchange{name}>")
}

/// Records as each version writes them: an incident, the student who did it, the action, and an absence.
fn records(version: &str) -> String {
    let student = match version {
        "edfi-1.0" => {
            "<StudentReference><StudentIdentity><StudentUniqueStateId>7700000001</StudentUniqueStateId></StudentIdentity></StudentReference>"
        }
        "edfi-2.2" => {
            "<StudentReference><StudentIdentity><StudentUniqueId>7700000001</StudentUniqueId></StudentIdentity><StudentLookup/></StudentReference>"
        }
        _ => {
            "<StudentReference><StudentIdentity><StudentUniqueId>7700000001</StudentUniqueId></StudentIdentity></StudentReference>"
        }
    };
    let school = match version {
        "edfi-1.0" => {
            "<SchoolReference><EducationalOrgIdentity><StateOrganizationId>900101</StateOrganizationId></EducationalOrgIdentity></SchoolReference>"
        }
        _ => "<SchoolReference><SchoolIdentity><SchoolId>900101</SchoolId></SchoolIdentity></SchoolReference>",
    };
    let code = |name: &str, value: &str| match version {
        "edfi-1.0" | "edfi-2.2" => format!("<CodeValue>{value}</CodeValue>"),
        _ => format!("uri://ed-fi.org/{name}Descriptor#{value}"),
    };
    let behaviors = match version {
        "edfi-1.0" => "<Behaviors><CodeValue>Fighting</CodeValue></Behaviors>".to_owned(),
        _ => format!("<Behavior><Behavior>{}</Behavior></Behavior>", code("Behavior", "Fighting")),
    };
    let incident = "<DisciplineIncidentReference ref=\"I\"/>";
    let role = code("DisciplineIncidentParticipationCode", "Perpetrator");
    let did = match version {
        "edfi-1.0" => format!(
            "<StudentDisciplineIncidentAssociation>{student}{incident}<StudentParticipationCode>Perpetrator</StudentParticipationCode></StudentDisciplineIncidentAssociation>"
        ),
        "edfi-2.2" | "edfi-3" => format!(
            "<StudentDisciplineIncidentAssociation>{student}{incident}<StudentParticipationCode>{}</StudentParticipationCode></StudentDisciplineIncidentAssociation>",
            if version == "edfi-2.2" { "Perpetrator" } else { &role }
        ),
        _ => format!(
            "<StudentDisciplineIncidentBehaviorAssociation>{student}{incident}<Behavior>{}</Behavior><DisciplineIncidentParticipationCode>{role}</DisciplineIncidentParticipationCode></StudentDisciplineIncidentBehaviorAssociation>",
            code("Behavior", "Fighting")
        ),
    };
    let association = match version {
        "edfi-1.0" | "edfi-2.2" => incident.to_owned(),
        "edfi-3" => format!(
            "<StudentDisciplineIncidentAssociationReference><StudentDisciplineIncidentAssociationIdentity>{student}{incident}</StudentDisciplineIncidentAssociationIdentity></StudentDisciplineIncidentAssociationReference>"
        ),
        _ => format!(
            "<StudentDisciplineIncidentBehaviorAssociationReference><StudentDisciplineIncidentBehaviorAssociationIdentity>{student}{incident}</StudentDisciplineIncidentBehaviorAssociationIdentity></StudentDisciplineIncidentBehaviorAssociationReference>"
        ),
    };
    let discipline = match version {
        "edfi-1.0" => "<Disciplines><CodeValue>Suspension</CodeValue></Disciplines>".to_owned(),
        _ => format!("<Discipline>{}</Discipline>", code("Discipline", "Suspension")),
    };
    let event = format!(
        "<EventDate>2013-10-03</EventDate><AttendanceEventCategory>{}</AttendanceEventCategory>",
        if version == "edfi-1.0" {
            "Unexcused Absence".to_owned()
        } else {
            code("AttendanceEventCategory", "Unexcused Absence")
        }
    );
    let absence = match version {
        "edfi-1.0" => format!("<AttendanceEvent>{event}{student}{school}</AttendanceEvent>"),
        _ => format!(
            "<StudentSchoolAttendanceEvent><AttendanceEvent>{event}</AttendanceEvent>{student}{school}</StudentSchoolAttendanceEvent>"
        ),
    };
    format!(
        "<DisciplineIncident id=\"I\"><IncidentIdentifier>I-1</IncidentIdentifier><IncidentDate>2013-10-01</IncidentDate>{behaviors}{school}</DisciplineIncident>\
        {did}<DisciplineAction><DisciplineActionIdentifier>A-1</DisciplineActionIdentifier>{discipline}<DisciplineDate>2013-10-02</DisciplineDate>{student}{association}<Responsibility{}</DisciplineAction>{absence}",
        school
            .replace("<SchoolReference>", "SchoolReference>")
            .replace("</SchoolReference>", "</ResponsibilitySchoolReference>"),
    )
}

#[test]
fn each_version_tells_the_same_facts_in_its_own_words() {
    let mut warned = Vec::new();
    for (version, namespace) in NAMES {
        let text = in_namespace(namespace, "StudentDiscipline", &records(version));
        let (items, counts) = read_text(&text, &mut new_index());
        assert!(counts.is_complete, "{version}");
        warned.extend(items.iter().flat_map(findings_of).map(|finding| format!("{version} {}", said_of(finding))));
        let facts: Vec<_> = items.iter().flat_map(facts_of).collect();
        let of = |kind: &str, element: &str| {
            facts
                .iter()
                .find(|(person, fact)| *person == "7700000001" && fact.kind == kind)
                .and_then(|(_, fact)| plain(fact, element))
        };
        let found = [
            of("incident", "incident_type"),
            of("incident", "student_participation_code"),
            of("incident", "incident_date"),
            of("action", "discipline_action"),
            of("action", "incident_identifier"),
            of("event", "attendance_event_category"),
        ];
        let expect = ["Fighting", "Perpetrator", "2013-10-01", "Suspension", "I-1", "Unexcused Absence"];
        assert_eq!(found.map(Option::unwrap_or_default), expect.map(str::to_owned), "{version}");
        assert!(facts.iter().all(|(_, fact)| fact.facility.as_deref() == Some("900101")), "{version}");
    }
    // The standard asks for more than the exchange needs.
    let expect = [
        "edfi-2.2 warning: sessionreference field.required",
        "edfi-3 warning: studentparticipationcode code.other_list",
        "edfi-3 warning: sessionreference field.required",
        "edfi-4 warning: behavior field.required",
        "edfi-4 warning: sessionreference field.required",
        "edfi-5.2 warning: behavior field.required",
        "edfi-5.2 warning: sessionreference field.required",
    ];
    assert_eq!(warned, expect);
}

/// A class and a final grade as each version writes them, with what describes the class.
fn classes(version: &str) -> String {
    let is_first = version == "edfi-1.0";
    let id = if is_first { "StudentUniqueStateId" } else { "StudentUniqueId" };
    let student =
        format!("<StudentReference><StudentIdentity><{id}>7700000001</{id}></StudentIdentity></StudentReference>");
    let school = if is_first {
        "<EducationalOrgReference><EducationalOrgIdentity><StateOrganizationId>900101</StateOrganizationId></EducationalOrgIdentity></EducationalOrgReference>"
    } else {
        "<SchoolReference><SchoolIdentity><SchoolId>900101</SchoolId></SchoolIdentity></SchoolReference>"
    };
    let of_record = if is_first {
        "<SchoolReference><EducationalOrgIdentity><StateOrganizationId>900101</StateOrganizationId></EducationalOrgIdentity></SchoolReference>"
    } else {
        school
    };
    let named = match version {
        "edfi-1.0" => "<SessionName>Fall</SessionName>",
        "edfi-2.2" => "<SchoolYear>2013-2014</SchoolYear><Term><CodeValue>Fall</CodeValue></Term>",
        _ => "<SessionName>Fall</SessionName><SchoolYear>2013-2014</SchoolYear>",
    };
    let session = format!("<SessionReference><SessionIdentity>{named}{school}</SessionIdentity></SessionReference>");
    let offering = format!(
        "<CourseOfferingReference><CourseOfferingIdentity><LocalCourseCode>ALG-A</LocalCourseCode>{school}{session}</CourseOfferingIdentity></CourseOfferingReference>"
    );
    let section = match version {
        "edfi-1.0" => format!("{school}<UniqueSectionCode>ALG-1</UniqueSectionCode>"),
        "edfi-2.2" => format!("{offering}<UniqueSectionCode>ALG-1</UniqueSectionCode>"),
        _ => format!("<SectionIdentifier>ALG-1</SectionIdentifier>{offering}"),
    };
    let section = format!("<SectionReference><SectionIdentity>{section}</SectionIdentity></SectionReference>");
    let described = if is_first {
        format!("<Section><UniqueSectionCode>ALG-1</UniqueSectionCode>{offering}{of_record}</Section>")
    } else {
        String::new()
    };
    let calendar = match version {
        "edfi-2.2" => "<Term><CodeValue>Fall</CodeValue></Term>",
        _ => "<SessionName>Fall</SessionName>",
    };
    let period = match version {
        "edfi-1.0" | "edfi-2.2" => {
            "<GradingPeriod><CodeValue>First</CodeValue></GradingPeriod><BeginDate>2013-08-27</BeginDate>"
        }
        "edfi-5.2" => {
            "<GradingPeriod>uri://ed-fi.org/GradingPeriodDescriptor#Six Weeks</GradingPeriod><GradingPeriodName>First</GradingPeriodName><SchoolYear>2013-2014</SchoolYear>"
        }
        _ => {
            "<GradingPeriod>uri://ed-fi.org/GradingPeriodDescriptor#First</GradingPeriod><PeriodSequence>1</PeriodSequence><SchoolYear>2013-2014</SchoolYear>"
        }
    };
    let kind = match version {
        "edfi-1.0" | "edfi-2.2" => "Final",
        _ => "uri://ed-fi.org/GradeTypeDescriptor#Final",
    };
    let place = format!("{student}{section}<BeginDate>2013-08-27</BeginDate>");
    format!(
        "<StudentSectionAssociation>{place}</StudentSectionAssociation>\
        <Grade><LetterGradeEarned>B</LetterGradeEarned><GradeType>{kind}</GradeType><StudentSectionAssociationReference><StudentSectionAssociationIdentity>{place}</StudentSectionAssociationIdentity></StudentSectionAssociationReference>\
        <GradingPeriodReference><GradingPeriodIdentity>{period}{school}</GradingPeriodIdentity></GradingPeriodReference></Grade>\
        {described}<CourseOffering><LocalCourseCode>ALG-A</LocalCourseCode><LocalCourseTitle>Algebra</LocalCourseTitle>{of_record}{session}</CourseOffering>\
        <Session>{calendar}<SchoolYear>2013-2014</SchoolYear><BeginDate>2013-08-27</BeginDate><EndDate>2013-12-20</EndDate>{of_record}</Session>"
    )
}

#[test]
fn each_version_tells_the_same_of_a_class_and_its_grade() {
    let mut warned = Vec::new();
    for (version, namespace) in NAMES {
        let text = in_namespace(namespace, "StudentEnrollment", &classes(version));
        let mut index = new_index();
        let (items, counts) = read_text(&text, &mut index);
        assert_eq!((counts.is_complete, counts.persons), (true, 2), "{version}");
        warned.extend(items.iter().flat_map(findings_of).map(|finding| format!("{version} {}", said_of(finding))));
        let facts: Vec<_> = items.iter().flat_map(facts_of).collect();
        let found: Vec<_> = facts.iter().map(|(_, fact)| fact.kind.as_str()).collect();
        assert_eq!(found, ["section", "grade"], "{version}");
        for (person, fact) in &facts {
            assert_eq!((*person, fact.facility.as_deref()), ("7700000001", Some("900101")), "{version}");
            assert_eq!(fact.school_year.map(|year| year.to_string()).as_deref(), Some("2013-14"), "{version}");
            let elements = ["section_code", "local_course_code", "course_title", "session_name", "session_begin_date"];
            let found = elements.map(|element| plain(fact, element).unwrap_or_default());
            assert_eq!(found, ["ALG-1", "ALG-A", "Algebra", "Fall", "2013-08-27"], "{version}");
            assert_eq!(plain(fact, "session_end_date").as_deref(), Some("2013-12-20"), "{version}");
        }
        let grade = facts[1].1;
        let found =
            ["grade_type", "grading_period", "outcome"].map(|element| plain(grade, element).unwrap_or_default());
        assert_eq!(found, ["Final", "First", "B"], "{version}");
        // The same record again is the same fact, and so is its withdrawal, whatever is described by then.
        let (again, _) = read_text(&text, &mut index);
        let keys =
            |items: &[Item]| items.iter().flat_map(facts_of).map(|(_, fact)| fact.natural_key).collect::<Vec<_>>();
        let (alone, _) = read_text(&text, &mut new_index());
        assert_eq!((keys(&again), keys(&alone)), (keys(&items), keys(&items)), "{version}");
    }
    // The standard asks for more than the exchange needs.
    let expect = [
        "edfi-1.0 warning: sequenceofcourse field.required",
        "edfi-1.0 warning: coursereference field.required",
        "edfi-1.0 warning: term field.required",
        "edfi-1.0 warning: totalinstructionaldays field.required",
        "edfi-1.0 warning: educationorganizationreference field.required",
        "edfi-1.0 warning: gradingperiodreference field.required",
        "edfi-1.0 warning: schoolreference element.unknown",
        "edfi-2.2 warning: coursereference field.required",
        "edfi-2.2 warning: sessionname field.required",
        "edfi-2.2 warning: totalinstructionaldays field.required",
        "edfi-2.2 warning: gradingperiodreference field.required",
        "edfi-2.2 warning: locationreference field.required",
        "edfi-2.2 warning: classperiodreference field.required",
        "edfi-2.2 warning: locationreference field.required",
        "edfi-2.2 warning: classperiodreference field.required",
        "edfi-3 warning: coursereference field.required",
        "edfi-3 warning: term field.required",
        "edfi-3 warning: totalinstructionaldays field.required",
        "edfi-4 warning: coursereference field.required",
        "edfi-4 warning: term field.required",
        "edfi-4 warning: totalinstructionaldays field.required",
        "edfi-5.2 warning: coursereference field.required",
        "edfi-5.2 warning: term field.required",
        "edfi-5.2 warning: totalinstructionaldays field.required",
    ];
    assert_eq!(warned, expect);
}

#[test]
fn an_incident_number_used_again_in_a_later_year_is_another_incident() {
    let incident = |items: &[Item]| {
        let mut facts = items.iter().flat_map(facts_of);
        facts.find(|(_, fact)| fact.kind == "incident").map(|(_, fact)| fact.clone()).expect("an incident")
    };
    for (version, namespace) in NAMES {
        let text = in_namespace(namespace, "StudentDiscipline", &records(version));
        let mut index = new_index();
        let (first, _) = read_text(&text, &mut index);
        let (second, _) = read_text(&text.replace("2013-", "2015-"), &mut index);
        let (earlier, later) = (incident(&first), incident(&second));
        assert_ne!(earlier.natural_key, later.natural_key, "{version}");
        let (corrected, _) = read_text(&text.replace("2013-10-01", "2013-10-02"), &mut index);
        assert_eq!(
            incident(&corrected).natural_key,
            earlier.natural_key,
            "{version}: a correction is no other incident"
        );
        // Whoever withdraws it cannot say of which year it is.
        let withdrawn: Vec<_> =
            super::super::in_any_year(earlier.clone()).iter().map(|fact| fact.natural_key).collect();
        assert!(withdrawn.contains(&earlier.natural_key) && withdrawn.contains(&later.natural_key), "{version}");
        // What was told of the earlier one stays so after the number was used again, and follows its own correction.
        let kept = first.iter().find_map(|item| match item {
            Item::Dependent(kept) if facts_of(item).iter().any(|(_, fact)| fact.kind == "incident") => Some(kept),
            _ => None,
        });
        let kept = kept.expect("the record rests on the incident");
        let (_, _) = read_text(&text.replace("2013-", "2015-"), &mut index);
        let again = super::super::reread(kept.record.expose(), &[], &index).expect("it was kept");
        let told = incident(&[again.told.expect("it is told")]);
        assert_eq!(
            (told.natural_key, plain(&told, "incident_date").as_deref()),
            (earlier.natural_key, Some("2013-10-02"))
        );
        assert_eq!(again.rests_on, kept.rests_on, "{version}");
    }
}

#[test]
fn a_file_of_another_version_than_named_is_refused_and_says_which_it_is() {
    let text = in_namespace("5.2.0", "StudentDiscipline", "");
    let named = super::super::find_version("edfi-1.0");
    let expected = Expected { interchange: Interchange::StudentDiscipline, version: named };
    let mut said = Vec::new();
    read_interchange(expected, &mut text.as_bytes(), &mut new_index(), &Config::default(), &mut |item| {
        said.extend(
            findings_of(&item).into_iter().map(|finding| (finding.rule.clone(), finding.message.contains("edfi-5.2"))),
        );
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(said, [("edfi.other_version".to_owned(), true)]);
}

#[test]
fn an_interchange_is_recognised_by_its_beginning() {
    fn check(text: &[u8], expect: Option<(Option<&str>, Interchange)>) {
        let found = super::super::recognise(text);
        let found = found.map(|found| (found.version.map(|version| version.id.as_str()), found.interchange));
        assert_eq!(found, expect, "{}", String::from_utf8_lossy(text));
    }
    let text = in_namespace("5.2.0", "StudentDiscipline", "<x/>");
    check(text.as_bytes(), Some((Some("edfi-5.2"), Interchange::StudentDiscipline)));
    check(
        format!("<?xml version=\"1.0\"?><!-- Interchange -->{text}").as_bytes(),
        Some((Some("edfi-5.2"), Interchange::StudentDiscipline)),
    );
    check(
        b"<e:InterchangeStudent xmlns:e=\"http://ed-fi.org/0310\">",
        Some((Some("edfi-3"), Interchange::StudentParent)),
    );
    check(b"<InterchangeStudent xmlns=\"http://ed-fi.org/9.9\">", Some((None, Interchange::StudentParent)));
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(&utf16, Some((None, Interchange::StudentDiscipline)));
    check(b"a,b,Interchange\n1,2,3\n", None);
    check(b"<SIF_Message/>", None);
}

/// The public 5.2 and 3 sets, if a checkout of them lies beside this project (`../shared/data`). Where they are absent this test
/// passes without a word.
#[test]
fn the_public_sets_of_later_versions_give_one_fact_for_each_record() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let mut index = new_index();
    let mut read = |path: &str, domain: Domain, kind: &str, expect: usize| {
        let path = folder.join(path);
        let Ok(bytes) = std::fs::read(&path) else { return };
        let text = if path.extension().is_some_and(|extension| extension == "gz") {
            std::io::read_to_string(flate2::read::GzDecoder::new(bytes.as_slice())).unwrap()
        } else {
            String::from_utf8(bytes).unwrap()
        };
        let (items, counts) = read_text(&text, &mut index);
        let facts =
            items.iter().flat_map(facts_of).filter(|(_, fact)| fact.domain == domain && fact.kind == kind).count();
        assert_eq!((facts, counts.is_complete, counts.rejected), (expect, true, 0), "{}", path.display());
    };
    let grand_bend = |name: &str| format!("edfi-5.2-grand-bend/samples/{name}");
    read(&grand_bend("EducationOrganization.xml"), Domain::Student, "person", 0);
    read(&grand_bend("Student.xml"), Domain::Student, "person", 960);
    read(&grand_bend("Contact.xml.gz"), Domain::Contact, "parent", 1_872);
    read(&grand_bend("StudentSchoolAttendance.xml.gz"), Domain::Attendance, "event", 1_917);
    read(&grand_bend("StudentSectionAttendance-Tardy.xml"), Domain::Attendance, "event", 66);
    read(&grand_bend("StudentDiscipline.xml"), Domain::Discipline, "action", 25);
    read(&grand_bend("StudentProgram.xml"), Domain::Program, "participation", 706);
    read(&grand_bend("StudentProgram.xml"), Domain::SpecialEducation, "association", 97);
    read(&grand_bend("StudentProgram.xml"), Domain::SpecialEducation, "section_504", 3);
    read("edfi-3-enrolment-1400/Student-Grand Bend High School.xml.gz", Domain::Student, "person", 1_400);
    read(
        "edfi-3-enrolment-1400/StudentEnrollment-Grand Bend High School.xml.gz",
        Domain::Enrollment,
        "association",
        1_400,
    );
}
