//! Two small invented deliveries, `fixtures/edfi`.

use std::{collections::BTreeMap, fs, io::Write as _, path::PathBuf};

use super::*;
use crate::item::Severity;

const FIRST: &str = "7700000001";
const THIRD: &str = "7700000003";
const FOURTH: &str = "7700000004";

fn control(delivery: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/edfi").join(delivery).join("Delivery.ctl")
}

fn new_index() -> Index {
    Index::new(Config::default().index_bytes_max)
}

fn first() -> Reading {
    Reading::of(&control("first"), &mut new_index())
}

/// The facts of a kind about one person, element by element.
fn facts<'r>(reading: &'r Reading, domain: Domain, kind: &str, person: &str) -> Vec<&'r Fact> {
    reading
        .facts(domain)
        .into_iter()
        .filter(|(of, fact)| *of == person && fact.kind == kind)
        .map(|(_, fact)| fact)
        .collect()
}

fn check(fact: &Fact, expect: &[(&str, Option<&str>)]) {
    for (element, value) in expect {
        assert_eq!(plain(fact, element).as_deref(), *value, "{element}");
    }
}

#[test]
fn files_are_read_in_the_order_of_what_rests_on_what() {
    let order: Vec<String> =
        first().summaries.iter().map(|s| s.path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(
        order,
        [
            "Organization",
            "Schedule",
            "Calendar",
            "StudentParent",
            "Discipline",
            "Attendance",
            "Program",
            "Enrollment",
            "Grades",
        ]
    );
}

#[test]
fn every_record_is_counted_once() {
    let reading = first();
    for summary in &reading.summaries {
        let counts = &summary.counts;
        assert!(counts.is_complete);
        let told = counts.persons + counts.organizations + counts.passed + counts.retracted;
        assert_eq!(told + counts.rejected + counts.awaiting, counts.records, "{:?}", summary.interchange);
    }
}

#[test]
fn a_student_has_names_demographics_and_contact_points() {
    let reading = first();
    let person = facts(&reading, Domain::Student, "person", FIRST);
    assert_eq!(person.len(), 1);
    check(
        person[0],
        &[
            ("state_id", Some(FIRST)),
            ("last_surname", Some("Sample-Invented")),
            ("middle_name", Some("Q")),
            ("other_names", Some("Tess Sample")),
            ("district_student_id", Some("D-17")),
            ("birth_date", Some("2000-02-29")),
            ("birth_town", Some("Exampleton")),
            ("races", Some("White; Asian")),
            ("street_address", Some("1 Nowhere Road")),
            ("resident_town", Some("Exampleton")),
            ("meal_eligibility", Some("Free")),
            ("student_characteristics", Some("Migrant")),
            ("other_agency_characteristics", Some("Foster Care")),
        ],
    );
    let plan = facts(&reading, Domain::SpecialEducation, "section_504", FIRST);
    check(
        plan[0],
        &[("plan_type", Some("504")), ("section_504", Some("true")), ("primary_disability", Some("Motor Impairment"))],
    );
}

#[test]
fn only_student_records_introduce_a_person_and_the_others_bring_their_bytes() {
    for (file, item) in &first().items {
        if let Item::Person { introduces, raw, .. } = told(item) {
            let text = String::from_utf8(raw.expose().clone()).unwrap();
            assert_eq!(*introduces, text.is_empty(), "{file}");
            assert!(*introduces || (text.starts_with('<') && text.ends_with('>')), "{file}");
        }
    }
}

#[test]
fn bad_records_are_refused_with_their_place_and_the_good_ones_stay() {
    let reading = first();
    let mut refused: Vec<_> =
        reading.findings().into_iter().filter(|(_, finding)| finding.severity == Severity::Error).collect();
    refused.sort_by_key(|(file, finding)| (*file, finding.line));
    let refused: Vec<_> = refused
        .into_iter()
        .map(|(file, f)| (file, f.line, f.column, f.field.as_deref().unwrap_or_default(), f.rule.as_str()))
        .collect();
    assert_eq!(
        refused,
        [
            ("Enrollment.xml", 16, Some(5), "ExitWithdrawDate", "date.order"),
            ("StudentParent.xml", 46, Some(16), "BirthDate", "date.invalid"),
            ("StudentParent.xml", 54, Some(3), "StudentUniqueStateId", "student.no_state_id"),
            ("StudentParent.xml", 71, Some(3), "StudentParentAssociation", "reference.unresolved"),
        ]
    );
    let raw = reading.items.iter().find_map(|(_, item)| match item {
        Item::Rejected { line: 54, raw, .. } => Some(String::from_utf8(raw.expose().clone()).unwrap()),
        _ => None,
    });
    assert_eq!(
        raw.as_deref(),
        Some(
            "<Student>\n    <Name><FirstName>Without</FirstName><LastSurname>Number</LastSurname></Name>\n  </Student>"
        )
    );
}

#[test]
fn findings_hold_no_value_of_the_record() {
    for (_, finding) in first().findings() {
        for value in ["7700000", "Testina", "Sample", "Pretend", "Without", "2000-13-01", "P-404"] {
            assert!(!finding.message.contains(value), "{}", finding.message);
        }
    }
}

#[test]
fn an_enrollment_lies_in_the_district_of_its_school() {
    let reading = first();
    let enrollment = facts(&reading, Domain::Enrollment, "association", FIRST);
    assert_eq!(enrollment.len(), 1);
    let fact = enrollment[0];
    assert_eq!((fact.lea.as_deref(), fact.facility.as_deref()), (Some("9001"), Some("900101")));
    assert_eq!(fact.school_year.map(|year| year.to_string()).as_deref(), Some("2013-14"));
    check(
        fact,
        &[
            ("entry_date", Some("2013-08-27")),
            ("exit_withdraw_date", Some("2014-06-10")),
            ("grade_level", Some("Ninth grade")),
            ("entry_type", None),
            ("other_agency_entry_type", Some("Transfer from a correctional facility")),
            ("exit_withdraw_type", Some("End of school year")),
        ],
    );
}

#[test]
fn events_of_a_class_period_say_so_and_different_events_of_a_day_stay_apart() {
    let reading = first();
    let events = facts(&reading, Domain::Attendance, "event", FIRST);
    assert_eq!(events.len(), 6);
    let keys: std::collections::HashSet<_> = events.iter().map(|fact| fact.natural_key).collect();
    assert_eq!(keys.len(), 5, "the same event told twice is one event");
    assert_eq!(events[1].natural_key, events[3].natural_key);
    let periods: Vec<_> = events.iter().filter_map(|fact| plain(fact, "class_period")).collect();
    assert_eq!(periods, ["ALG-1"]);
    assert_eq!(events[4].facility.as_deref(), Some("900101"), "the school of the section");
    check(
        events[5],
        &[("attendance_event_reason", None), ("other_agency_event_reason", Some("Juvenile court hearing"))],
    );
}

#[test]
fn a_victim_learns_nothing_about_the_offender() {
    let reading = first();
    let offender = facts(&reading, Domain::Discipline, "incident", FIRST);
    check(
        offender[0],
        &[
            ("incident_type", Some("Fighting")),
            ("weapon", Some("Club")),
            ("reported_to_law_enforcement", Some("true")),
            ("incident_date", Some("2013-10-01")),
        ],
    );
    let victim = facts(&reading, Domain::Discipline, "incident", THIRD);
    check(
        victim[0],
        &[
            ("student_participation_code", Some("Victim")),
            ("incident_type", Some("Fighting")),
            ("weapon", None),
            ("reported_to_law_enforcement", None),
        ],
    );
    assert!(facts(&reading, Domain::Discipline, "action", THIRD).is_empty());
    for (person, fact) in reading.facts(Domain::Discipline) {
        for value in fact.payload.values().map(Value::to_plain) {
            let names_another = [FIRST, THIRD, FOURTH].into_iter().any(|id| id != person && value.contains(id));
            assert!(!names_another && !value.contains("Reporter"), "a fact names its own student at most");
        }
    }
}

#[test]
fn an_action_is_a_fact_of_each_of_its_students() {
    let reading = first();
    for person in [FIRST, FOURTH] {
        let action = facts(&reading, Domain::Discipline, "action", person);
        check(
            action[0],
            &[
                ("discipline_action", Some("Out of school suspension")),
                ("discipline_action_2", None),
                ("other_agency_action", Some("Referral to juvenile court")),
                ("discipline_action_length", Some("5")),
                ("days_served", Some("3.5")),
                ("incident_identifier", Some("I-1")),
            ],
        );
    }
}

#[test]
fn special_education_is_a_program_and_a_plan() {
    let reading = first();
    let programs = facts(&reading, Domain::Program, "participation", FIRST);
    check(
        programs[0],
        &[("program_id", Some("SE")), ("program_type", Some("Special Education")), ("services", Some("Speech"))],
    );
    assert_eq!(programs[0].lea.as_deref(), Some("9001"));
    check(
        programs[1],
        &[
            ("program_type", None),
            ("other_agency_program_type", Some("Neglected and Delinquent Program")),
            ("services", None),
            ("education_organization_id", Some("INVENTED")),
        ],
    );
    assert_eq!(programs[1].lea, None);
    let plans = facts(&reading, Domain::SpecialEducation, "association", FIRST);
    check(
        plans[0],
        &[("plan_type", Some("IEP")), ("special_education_hours", Some("6.5")), ("iep_begin_date", Some("2013-09-15"))],
    );
}

#[test]
fn a_contact_has_the_parents_details_although_the_parent_comes_later() {
    let reading = first();
    let contacts = facts(&reading, Domain::Contact, "parent", FIRST);
    assert_eq!(contacts.len(), 1);
    check(
        contacts[0],
        &[
            ("contact_id", Some("P-1")),
            ("contact_name", Some("Dr Parenta Sample")),
            ("relation", Some("Mother")),
            ("lives_with", Some("true")),
            ("primary_contact", Some("true")),
            ("contact_priority", Some("2")),
            ("contact_restrictions", Some("No pickup")),
            ("home_phone", Some("555-0101")),
            ("other_phones", Some("Home: 555-0100; Fax: 555-0102")),
            ("electronic_mail_address", Some("home@example.invalid")),
            ("other_electronic_mail_addresses", Some("work@example.invalid")),
            ("city", Some("Exampleton")),
        ],
    );
}

#[test]
fn a_class_has_its_course_and_session_and_the_student_s_own_days() {
    let reading = first();
    let classes = facts(&reading, Domain::Course, "section", FIRST);
    assert_eq!(classes.len(), 2);
    check(
        classes[0],
        &[
            ("section_code", Some("ALG-1")),
            ("local_course_code", Some("ALG-A")),
            ("course_title", Some("Algebra, first half")),
            ("course_code", Some("02052")),
            ("subject_area", Some("Mathematics")),
            ("session_name", Some("Fall")),
            ("session_begin_date", Some("2013-08-27")),
            ("session_end_date", Some("2013-12-20")),
        ],
    );
    assert_eq!((classes[0].lea.as_deref(), classes[0].facility.as_deref()), (Some("9001"), Some("900101")));
    assert_eq!(classes[0].school_year.map(|year| year.to_string()).as_deref(), Some("2013-14"));
    // Of a class that nobody has described there is what the record says.
    check(
        classes[1],
        &[
            ("section_code", Some("ALG-9")),
            ("local_course_code", None),
            ("course_title", None),
            ("session_begin_date", Some("2013-09-02")),
            ("session_end_date", Some("2013-09-20")),
        ],
    );
    assert_eq!(classes[1].school_year.map(|year| year.to_string()).as_deref(), Some("2013-14"));
    let is_kept = |(_, item): &&(String, Item)| {
        matches!(item, Item::Dependent(kept) if facts_of(item).iter().any(|(_, fact)| fact.domain == Domain::Course)
            && !kept.missing.is_empty())
    };
    assert_eq!(reading.items.iter().filter(is_kept).count(), 1, "it is completed when somebody describes the class");
}

#[test]
fn a_grade_says_of_which_kind_and_period_it_is() {
    let reading = first();
    let grades = facts(&reading, Domain::Course, "grade", FIRST);
    assert_eq!(grades.len(), 2);
    check(
        grades[0],
        &[
            ("grade_type", Some("Mid-Term Grade")),
            ("grading_period", Some("First Six Weeks")),
            ("outcome", Some("71")),
            ("numeric_grade", Some("71")),
            ("section_code", Some("ALG-1")),
            ("course_title", Some("Algebra, first half")),
        ],
    );
    check(
        grades[1],
        &[
            ("grade_type", Some("Final")),
            ("grading_period", None),
            ("outcome", Some("B")),
            ("numeric_grade", Some("83.5")),
        ],
    );
    assert!(grades.iter().all(|grade| grade.school_year.map(|year| year.to_string()).as_deref() == Some("2013-14")));
    assert_ne!(grades[0].natural_key, grades[1].natural_key);
}

#[test]
fn the_phone_to_call_first_is_marked() {
    fn check(phones: &str, expect: [Option<&str>; 4]) {
        let records = format!(
            "<Student><StudentUniqueStateId>{FIRST}</StudentUniqueStateId></Student><Parent><ParentUniqueStateId>P-1\
            </ParentUniqueStateId>{phones}</Parent><StudentParentAssociation><StudentReference><StudentIdentity>\
            <StudentUniqueStateId>{FIRST}</StudentUniqueStateId></StudentIdentity></StudentReference><ParentReference>\
            <ParentIdentity><ParentUniqueStateId>P-1</ParentUniqueStateId></ParentIdentity></ParentReference>\
            </StudentParentAssociation>"
        );
        let (items, _) = read_text(&interchange("StudentParent", &records), &mut new_index());
        let facts: Vec<_> =
            items.iter().flat_map(facts_of).filter(|(_, fact)| fact.domain == Domain::Contact).collect();
        let elements = ["home_phone", "home_phone_preferred", "mobile_phone", "mobile_phone_preferred"];
        let found = elements.map(|element| plain(facts[0].1, element));
        assert_eq!(found.each_ref().map(Option::as_deref), expect, "{phones}");
    }
    let phone = |kind: &str, number: &str, attribute: &str, inner: &str| {
        format!(
            "<Telephone TelephoneNumberType=\"{kind}\"{attribute}><TelephoneNumber>{number}</TelephoneNumber>{inner}</Telephone>"
        )
    };
    let primary = |flag: &str| format!(" PrimaryTelephoneNumberIndicator=\"{flag}\"");
    let order = |order: u32| format!("<OrderOfPriority>{order}</OrderOfPriority>");
    check(&phone("Home", "1", "", ""), [Some("1"), None, None, None]);
    check(&phone("Home", "1", &primary("true"), ""), [Some("1"), Some("true"), None, None]);
    check(
        &[phone("Home", "1", &primary("false"), ""), phone("Home", "2", &primary("true"), "")].concat(),
        [Some("2"), Some("true"), None, None],
    );
    check(
        &[phone("Home", "1", "", &order(2)), phone("Mobile", "2", "", &order(1))].concat(),
        [Some("1"), Some("false"), Some("2"), Some("true")],
    );
}

#[test]
fn organizations_say_where_they_belong() {
    let reading = first();
    let organizations = reading.items.iter().filter_map(|(_, item)| match item {
        Item::Organization { record, .. } => Some((
            record.code.as_str(),
            record.organization_type.as_str(),
            record.parent_code.as_deref(),
            record.town.as_deref(),
        )),
        _ => None,
    });
    let organizations: Vec<_> = organizations.collect();
    assert_eq!(
        organizations,
        [
            ("INVENTED", "StateEducationAgency", None, None),
            ("9001", "LocalEducationAgency", Some("9001"), None),
            ("900101", "School", Some("9001"), Some("Exampleton")),
        ]
    );
}

#[test]
fn the_same_delivery_again_gives_the_same_facts() {
    let keys = |reading: &Reading| -> Vec<_> {
        Domain::ALL
            .into_iter()
            .flat_map(|domain| {
                reading
                    .facts(domain)
                    .into_iter()
                    .map(|(person, fact)| (person.to_owned(), fact.clone()))
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    assert_eq!(keys(&first()), keys(&first()));
}

#[test]
fn a_later_delivery_corrects_and_withdraws_under_the_same_keys() {
    let mut index = new_index();
    let before = Reading::of(&control("first"), &mut index);
    let after = Reading::of(&control("second"), &mut index);
    let keys = |reading: &Reading, domain| -> BTreeMap<_, _> {
        reading.facts(domain).into_iter().map(|(_, fact)| (fact.natural_key, fact.clone())).collect()
    };
    let (old, new) = (keys(&before, Domain::Attendance), keys(&after, Domain::Attendance));
    let unchanged = new
        .iter()
        .filter(|(key, fact)| {
            old.get(key).is_some_and(|earlier| earlier.payload == fact.payload && earlier.lea == fact.lea)
        })
        .count();
    assert_eq!((new.len(), unchanged), (2, 1));
    let (old, new) = (keys(&before, Domain::Student), keys(&after, Domain::Student));
    assert!(new.keys().all(|key| old.contains_key(key)));
    let withdrawn: Vec<&Fact> = after.items.iter().flat_map(|(_, item)| withdrawn(item)).collect();
    let known: BTreeMap<_, _> =
        keys(&before, Domain::Attendance).into_iter().chain(keys(&before, Domain::Contact)).collect();
    assert_eq!(withdrawn.len(), 2);
    assert!(withdrawn.iter().all(|fact| known.contains_key(&fact.natural_key)));
    let said: Vec<_> = after.findings().into_iter().map(|(file, finding)| (file, said_of(finding))).collect();
    let said: Vec<_> = said.iter().map(|(file, said)| (*file, said.as_str())).collect();
    let expect = ["warning: hispaniclatinoethnicity field.required", "error: student delete.depended_on"];
    assert_eq!(said, expect.map(|said| ("StudentParent.xml", said)), "a safe delete of a student is not carried out");
}

#[test]
fn a_control_file_is_read_with_its_faults() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let attendance = fs::read(control("second").with_file_name("Attendance.xml")).unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&attendance).unwrap();
    let packed = packed.finish().unwrap();
    write("Attendance.xml.gz", &packed);
    write("Cut.xml.gz", &packed[..packed.len() / 2]);
    write("Unlisted.xml", b"<x/>");
    let lines = [
        "\u{FEFF}# a comment",
        "edfi-xml,Attendance,Attendance.xml,00000000000000000000000000000000",
        "",
        "edfi-xml,Attendance,Attendance.xml",
        "edfi-xml,Attendance,../outside.xml",
        "edfi-xml,Attendance,/etc/hostname",
        "edfi-xml,Attendance,Missing.xml",
        "edfi-csv,Attendance,Attendance.csv",
        "edfi-xml,StudentParent,Cut.xml",
        "@purge",
    ];
    write("All.ctl", lines.join("\r\n").as_bytes());
    let reading = Reading::of(&folder.path().join("All.ctl"), &mut new_index());
    let said: Vec<_> = reading
        .findings()
        .into_iter()
        .map(|(file, finding)| (file.to_owned(), finding.line, finding.rule.clone(), finding.severity))
        .collect();
    let mut control_said: Vec<_> =
        said.iter().filter(|(file, ..)| file == "All.ctl").map(|(_, line, rule, _)| (*line, rule.as_str())).collect();
    control_said.sort_unstable();
    assert_eq!(
        control_said,
        [
            (0, "control.unlisted"),
            (4, "control.repeated"),
            (5, "control.path"),
            (6, "control.path"),
            (7, "control.missing_file"),
            (8, "control.line"),
            (10, "control.directive"),
        ]
    );
    let of = |file: &str| {
        said.iter()
            .filter(|(name, ..)| name == file)
            .map(|(_, _, rule, severity)| (rule.as_str(), *severity))
            .collect::<Vec<_>>()
    };
    assert_eq!(of("Attendance.xml.gz"), [("file.checksum", Severity::Warning)]);
    assert_eq!(of("Cut.xml.gz").last(), Some(&("file.damaged", Severity::Fatal)));
    assert_eq!(
        reading.facts(Domain::Attendance).len(),
        2 + reading
            .items
            .iter()
            .filter(|(file, item)| file == "Cut.xml.gz" && matches!(told(item), Item::Person { .. }))
            .count()
    );
}

#[test]
fn a_caller_can_stop_at_any_item() {
    let mut seen = 0;
    let summaries = read_delivery(&control("first"), &mut new_index(), &Config::default(), &mut |_, _| {
        seen += 1;
        if seen == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(seen, 5);
    assert!(summaries.unwrap().last().is_some_and(|summary| !summary.counts.is_complete));
}

#[test]
fn organizations_known_before_place_a_delivery_without_any() {
    let mut index = new_index();
    for (_, item) in &first().items {
        if let Item::Organization { record, .. } = item {
            index.seed_organization(record);
        }
    }
    let reading = Reading::of(&control("second"), &mut index);
    assert!(reading.facts(Domain::Attendance).iter().all(|(_, fact)| fact.lea.as_deref() == Some("9001")));
}

/// What a reading describes, for an index of a later delivery.
fn described(reading: &Reading, index: &mut Index) {
    for (_, item) in &reading.items {
        if let Item::Described { descriptions, .. } = item {
            for description in descriptions {
                index.import(description.body.expose()).unwrap();
            }
        }
    }
}

#[test]
fn what_a_delivery_describes_serves_a_later_one() {
    let mut later = new_index();
    described(&first(), &mut later);
    let reading = Reading::of(&control("second"), &mut later);
    assert!(reading.facts(Domain::Attendance).iter().all(|(_, fact)| fact.lea.as_deref() == Some("9001")));
    assert!(later.import(b"[[1]]").is_err());
}

#[test]
fn a_participation_without_its_incident_is_kept_and_told_when_the_incident_comes() {
    let text = fs::read_to_string(control("first").with_file_name("Discipline.xml")).unwrap();
    let (before, rest) = text.split_once("<DisciplineIncident>").unwrap();
    let (incident, after) = rest.split_once("</DisciplineIncident>").unwrap();
    let (items, counts) = read_text(&format!("{before}{after}"), &mut new_index());
    assert_eq!((counts.awaiting, counts.rejected), (2, 0));
    let kept = items.iter().filter_map(|item| match item {
        Item::Dependent(dependent) if dependent.told.is_none() => Some(dependent),
        _ => None,
    });
    let kept: Vec<_> = kept.collect();
    assert_eq!(kept[0].findings[0].rule, "reference.unresolved");
    let mut index = new_index();
    let alone = interchange("StudentDiscipline", &format!("<DisciplineIncident>{incident}</DisciplineIncident>"));
    let (described, counts) = read_text(&alone, &mut new_index());
    assert_eq!((counts.passed, described.len()), (1, 1), "an incident alone is described, not lost");
    for item in described {
        if let Item::Described { descriptions, .. } = item {
            assert!(descriptions.iter().any(|d| kept[0].missing.contains(&d.reference)));
            for description in &descriptions {
                index.import(description.body.expose()).unwrap();
            }
        }
    }
    let (whole, _) = read_text(&text, &mut new_index());
    let expect: Vec<_> = whole.iter().flat_map(facts_of).filter(|(_, fact)| fact.kind == "incident").collect();
    for (dependent, (person, expect)) in kept.into_iter().zip(expect) {
        let again = crate::edfi::reread(dependent.record.expose(), b"", &index).unwrap();
        let item = again.told.unwrap();
        let found = facts_of(&item);
        assert_eq!(
            (found[0].0, &found[0].1.payload, found[0].1.natural_key),
            (person, &expect.payload, expect.natural_key)
        );
        assert_eq!(dependent.subjects, crate::edfi::subjects(&item));
    }
}

#[test]
fn a_kept_record_knows_whom_its_references_by_id_meant() {
    let records = "<Student id=\"S\"><StudentUniqueStateId>7700000008</StudentUniqueStateId></Student>\
        <StudentParentAssociation><StudentReference ref=\"S\"/><ParentReference><ParentIdentity>\
        <ParentUniqueStateId>P-9</ParentUniqueStateId></ParentIdentity></ParentReference></StudentParentAssociation>";
    let (items, counts) = read_text(&interchange("StudentParent", records), &mut new_index());
    assert_eq!(counts.awaiting, 1);
    let Some(Item::Dependent(dependent)) = items.last() else { panic!("the record is kept") };
    let mut index = new_index();
    let parent =
        "<Parent><ParentUniqueStateId>P-9</ParentUniqueStateId><Name><FirstName>Made</FirstName></Name></Parent>";
    read_text(&interchange("StudentParent", parent), &mut index);
    let again = crate::edfi::reread(dependent.record.expose(), b"", &index).unwrap();
    let item = again.told.unwrap();
    assert_eq!(facts_of(&item)[0].0, "7700000008");
}
