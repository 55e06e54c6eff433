//! One row a rule of the published page: flags, addresses, phones, events.

use super::*;
use crate::sif::{
    census::{Enrollment, Household},
    check::{Extent, canonical, contact_rules},
    difference::{Contacts, difference},
    shape::STUDENT_CONTACT,
    stream::Action,
};

pub(in crate::sif) fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

pub(in crate::sif) fn tables() -> &'static Tables {
    Tables::builtin("sif").expect("SIF has tables")
}

fn days(from: &str, to: &str) -> Period {
    let side = |text: &str| (!text.is_empty()).then(|| day(text));
    Period::new(side(from), side(to)).expect("in order")
}

const TODAY: &str = "2026-11-20";
const YESTERDAY: &str = "2026-11-19";

fn person(id: &str) -> Person {
    Person {
        person_id: id.to_owned(),
        last_name: "Zzsample".to_owned(),
        first_name: format!("Invented{id}"),
        ..Person::default()
    }
}

fn member(id: &str, person: &str, household: &str) -> Membership {
    Membership {
        membership_id: id.to_owned(),
        household_id: household.to_owned(),
        person_id: person.to_owned(),
        ..Membership::default()
    }
}

fn location(id: &str, household: &str) -> Location {
    Location {
        location_id: id.to_owned(),
        household_id: household.to_owned(),
        number: id.to_owned(),
        street: "Invented".to_owned(),
        tag: "St".to_owned(),
        city: "Hartford".to_owned(),
        state: "CT".to_owned(),
        zip: "06103".to_owned(),
        ..Location::default()
    }
}

fn enrollment(person: &str) -> Enrollment {
    Enrollment {
        person_id: person.to_owned(),
        school_year: SchoolYear(2026),
        is_excluded: false,
        is_calendar_excluded: false,
    }
}

/// A student who lives with a guardian at one address.
pub(in crate::sif) fn family() -> Census {
    let student = Person { state_id: "9000000001".to_owned(), student_personal_ref_id: "A".repeat(32), ..person("1") };
    Census {
        persons: vec![student, person("2")],
        households: vec![Household { household_id: "H1".to_owned(), phone: "8605550100".to_owned() }],
        memberships: vec![member("1", "1", "H1"), member("2", "2", "H1")],
        locations: vec![location("10", "H1")],
        relationships: vec![Relationship {
            line: 2,
            relationship_id: "R1".to_owned(),
            person_id: "1".to_owned(),
            contact_person_id: "2".to_owned(),
            relation: "Mother".to_owned(),
            is_guardian: true,
            sequence: "1".to_owned(),
            ..Relationship::default()
        }],
        enrollments: vec![enrollment("1")],
    }
}

type Edit = fn(&mut Census);

fn changed(edit: Edit) -> Census {
    let mut census = family();
    edit(&mut census);
    census
}

fn published(census: &Census, on: &str) -> Contacts {
    let publication = publish(census, day(on), tables());
    publication.contacts.into_iter().map(|(id, published)| (id, published.contact)).collect()
}

fn only(edit: Edit) -> Node {
    let contacts = published(&changed(edit), TODAY);
    assert_eq!(contacts.len(), 1);
    contacts.into_values().next().expect("one contact")
}

#[test]
fn relationships_are_published_by_the_rules() {
    fn check(what: &str, edit: Edit, expect: Option<Withheld>) {
        let publication = publish(&changed(edit), day(TODAY), tables());
        assert_eq!(publication.withheld.first().map(|(_, reason)| *reason), expect, "{what}");
        assert_eq!(publication.contacts.len(), usize::from(expect.is_none()), "{what}");
    }
    check("as it is", |_| {}, None);
    check("ends today", |c| c.relationships[0].days = days("", TODAY), None);
    check("ended yesterday", |c| c.relationships[0].days = days("", YESTERDAY), Some(Withheld::NotToday));
    check("begins tomorrow", |c| c.relationships[0].days = days("2026-11-21", ""), Some(Withheld::NotToday));
    check("begins today", |c| c.relationships[0].days = days(TODAY, ""), None);
    check("no StudentPersonal", |c| c.persons[0].student_personal_ref_id.clear(), Some(Withheld::NoStudentPersonal));
    check("excluded student", |c| c.persons[0].is_excluded = true, Some(Withheld::StudentExcluded));
    check("no enrollment", |c| c.enrollments.clear(), Some(Withheld::NoEnrollment));
    check("excluded enrollment", |c| c.enrollments[0].is_excluded = true, Some(Withheld::NoEnrollment));
    check("excluded calendar", |c| c.enrollments[0].is_calendar_excluded = true, Some(Withheld::NoEnrollment));
    check("last year's", |c| c.enrollments[0].school_year = SchoolYear(2025), Some(Withheld::NoEnrollment));
    check(
        "one of two enrollments excluded",
        |c| {
            c.enrollments[0].is_excluded = true;
            c.enrollments.push(enrollment("1"));
        },
        None,
    );
    check("contact enrolled", |c| c.enrollments.push(enrollment("2")), Some(Withheld::ContactEnrolled));
    check(
        "contact enrolled in a calendar that is excluded",
        |c| c.enrollments.push(Enrollment { is_calendar_excluded: true, ..enrollment("2") }),
        Some(Withheld::ContactEnrolled),
    );
    check(
        "contact enrolled last year",
        |c| c.enrollments.push(Enrollment { school_year: SchoolYear(2025), ..enrollment("2") }),
        None,
    );
    check(
        "neither guardian nor together",
        |c| {
            c.relationships[0].is_guardian = false;
            c.memberships[1].household_id = "H2".to_owned();
        },
        Some(Withheld::NoFlag),
    );
    check("not a guardian, together", |c| c.relationships[0].is_guardian = false, None);
    check("guardian, not together", |c| c.memberships.truncate(1), None);
    check("nobody knows the contact", |c| c.persons.truncate(1), Some(Withheld::PersonUnknown));
}

#[test]
fn flags_follow_from_guardian_and_household() {
    fn check(what: &str, edit: Edit, expect: [&str; 8]) {
        let contact = only(edit);
        let flags = contact.child("ContactFlags").expect("flags");
        let found: Vec<(&str, &str)> = flags.children.iter().map(|f| (f.name.as_str(), f.text.as_str())).collect();
        let names = [
            "ParentLegalGuardian",
            "PickupRights",
            "LivesWith",
            "AccessToRecords",
            "EmergencyContact",
            "HasCustody",
            "DisciplinaryContact",
            "PrimaryCareProvider",
        ];
        assert_eq!(found, names.into_iter().zip(expect).collect::<Vec<_>>(), "{what}");
    }
    const Y: &str = "Yes";
    const N: &str = "No";
    check("guardian of the household", |_| {}, [Y; 8]);
    check("guardian elsewhere", |c| c.memberships[1].household_id = "H9".into(), [Y, Y, N, Y, Y, N, Y, N]);
    check("not a guardian, together", |c| c.relationships[0].is_guardian = false, [N, N, Y, N, N, N, N, N]);
    check("the contact moved out", |c| c.memberships[1].days = days("", YESTERDAY), [Y, Y, N, Y, Y, N, Y, N]);
    check("the student moved out", |c| c.memberships[0].days = days("", YESTERDAY), [Y, Y, N, Y, Y, N, Y, N]);
    check(
        "the contact moves in tomorrow",
        |c| c.memberships[1].days = days("2026-11-21", ""),
        [Y, Y, N, Y, Y, N, Y, N],
    );
    check("the contact leaves today", |c| c.memberships[1].days = days("", TODAY), [Y; 8]);
    check(
        "together in a second household",
        |c| {
            c.memberships[1].household_id = "H9".into();
            c.memberships.push(member("3", "1", "H9"));
        },
        [Y; 8],
    );
}

/// Types and numbers of the addresses, in their order.
fn reported(contact: &Node) -> Vec<String> {
    let list = contact.child("AddressList").map(|list| list.children.as_slice()).unwrap_or_default();
    list.iter()
        .map(|address| {
            let number = address.child("Street").and_then(|street| street.value("StreetNumber")).unwrap_or_default();
            format!("{} {number}", address.attribute("Type").unwrap_or_default())
        })
        .collect()
}

#[test]
fn addresses_come_in_order_with_their_types() {
    fn check(what: &str, edit: Edit, expect: &[&str]) {
        assert_eq!(reported(&only(edit)), expect, "{what}");
    }
    fn more(census: &mut Census, count: usize) {
        for number in 1..=count {
            census.locations.push(location(&(10 + number).to_string(), "H1"));
        }
    }
    check("one", |_| {}, &["0765 10"]);
    check("a secondary location", |c| c.locations[0].is_secondary = true, &["1073 10"]);
    check("a secondary household", |c| c.memberships[1].is_secondary = true, &["1073 10"]);
    check("a P.O. box", |c| c.locations[0].is_post_office_box = true, &["0123 10"]);
    check("a private location", |c| c.locations[0].is_private = true, &[]);
    check("a private membership", |c| c.memberships[1].is_private = true, &[]);
    check("a location that ended", |c| c.locations[0].days = days("", YESTERDAY), &[]);
    check("a location that begins tomorrow", |c| c.locations[0].days = days("2026-11-21", ""), &[]);
    check(
        "non-secondary before secondary, whatever the start",
        |c| {
            c.locations[0].is_secondary = true;
            c.locations[0].days = days("2026-01-01", "");
            c.locations.push(Location { days: days("2020-01-01", ""), ..location("11", "H1") });
        },
        &["0765 11", "1073 10"],
    );
    check(
        "the most recent start first",
        |c| {
            c.locations[0].days = days("2020-01-01", "");
            c.locations.push(Location { days: days("2024-01-01", ""), ..location("11", "H1") });
        },
        &["0765 11", "2382 10"],
    );
    check(
        "then the membership's number",
        |c| {
            c.memberships[1].membership_id = "10".into();
            c.memberships.push(member("9", "2", "H2"));
            c.locations.push(location("11", "H2"));
        },
        &["0765 11", "2382 10"],
    );
    check(
        "without an active primary, the secondary household that lasts longest",
        |c| {
            c.memberships[1].is_secondary = true;
            c.memberships[1].days = days("2025-01-01", "2027-01-01");
            c.memberships.push(Membership {
                is_secondary: true,
                days: days("2020-01-01", "2028-01-01"),
                ..member("3", "2", "H2")
            });
            c.locations.push(location("11", "H2"));
        },
        &["1073 11", "2382 10"],
    );
    check("types in turn, five at most", |c| more(c, 6), &["0765 10", "2382 11", "0124 12", "1074 13", "1075 14"]);
    check(
        "a box takes none of the turns and a second box is left out",
        |c| {
            more(c, 6);
            c.locations[1].is_post_office_box = true;
            c.locations[2].is_post_office_box = true;
        },
        &["0765 10", "0123 11", "2382 13", "0124 14", "1074 15"],
    );
    check(
        "without a membership today, where the contact was last",
        |c| {
            c.memberships[1].days = days("2020-01-01", "2021-06-30");
            c.memberships.push(Membership { days: days("2021-07-01", "2024-06-30"), ..member("3", "2", "H2") });
            c.locations.push(location("11", "H2"));
        },
        &["0765 11"],
    );
    check(
        "where the contact was last is private: nothing",
        |c| {
            c.memberships[1].days = days("2020-01-01", "2021-06-30");
            c.memberships.push(Membership {
                days: days("2021-07-01", "2024-06-30"),
                is_private: true,
                ..member("3", "2", "H2")
            });
            c.locations.push(location("11", "H2"));
        },
        &[],
    );
    check("no membership ever: blank", |c| c.memberships.truncate(1), &[]);
    check("a membership that is still to come: blank", |c| c.memberships[1].days = days("2026-12-01", ""), &[]);
}

#[test]
fn an_address_is_written_out() {
    let contact = only(|c| {
        let place = &mut c.locations[0];
        (place.number, place.prefix, place.dir) = ("12".into(), "NE".into(), "SW".into());
        place.apartment = "4B".into();
    });
    let street = contact.child("AddressList").and_then(|l| l.child("Address")).and_then(|a| a.child("Street"));
    let parts: Vec<(&str, &str)> =
        street.expect("a street").children.iter().map(|part| (part.name.as_str(), part.text.as_str())).collect();
    let expect = [
        ("Line1", "12 NE Invented St SW"),
        ("Line2", "4B"),
        ("Line3", "Hartford, CT 06103"),
        ("StreetNumber", "12"),
        ("StreetPrefix", "NE"),
        ("StreetName", "Invented"),
        ("StreetType", "St"),
        ("StreetSuffix", "SW"),
        ("ApartmentNumber", "4B"),
    ];
    assert_eq!(parts, expect);
    let boxed = only(|c| c.locations[0].is_post_office_box = true);
    let line = boxed.child("AddressList").and_then(|l| l.child("Address")).and_then(|a| a.child("Street"));
    assert_eq!(line.and_then(|street| street.value("Line1")), Some("P.O. Box 10"));
}

#[test]
fn phones_are_the_household_s_and_the_contact_s() {
    fn check(what: &str, edit: Edit, expect: &[(&str, &str)]) {
        let contact = only(edit);
        let list = contact.child("PhoneNumberList").map(|list| list.children.as_slice()).unwrap_or_default();
        let found: Vec<(&str, &str)> = list
            .iter()
            .map(|phone| (phone.attribute("Type").unwrap_or_default(), phone.value("Number").unwrap_or_default()))
            .collect();
        assert_eq!(found, expect, "{what}");
    }
    const HOME: (&str, &str) = ("0096", "(860) 555-0100");
    check("the household's", |_| {}, &[HOME]);
    check("a cell phone", |c| c.persons[1].cell_phone = "8605550101".into(), &[HOME, ("0350", "(860) 555-0101")]);
    check("a work phone", |c| c.persons[1].work_phone = "5550102".into(), &[HOME, ("0350", "555-0102")]);
    check(
        "cell before work",
        |c| {
            c.persons[1].cell_phone = "8605550101".into();
            c.persons[1].work_phone = "5550102".into();
        },
        &[HOME, ("0350", "(860) 555-0101")],
    );
    check("the student's household, not the contact's", |c| c.memberships[1].household_id = "H2".into(), &[HOME]);
    check("the student belongs to none today", |c| c.memberships[0].days = days("", YESTERDAY), &[]);
    check("a private membership of the student", |c| c.memberships[0].is_private = true, &[]);
    check(
        "of two households the shared one",
        |c| {
            c.households.push(Household { household_id: "H2".into(), phone: "8605550109".into() });
            c.memberships.insert(0, member("0", "1", "H2"));
        },
        &[HOME],
    );
    check("no phone", |c| c.households[0].phone.clear(), &[]);
}

#[test]
fn names_mail_and_relation_are_written_out() {
    let contact = only(|c| {
        let person = &mut c.persons[1];
        (person.first_name, person.middle_name) = ("Oriel".into(), "Wren".into());
        (person.suffix, person.alias, person.email) = ("Jr".into(), "Ori".into(), "oriel@example.org".into());
    });
    let name = contact.child("Name").expect("a name");
    assert_eq!(name.attribute("Type"), Some("04"));
    for (part, expect) in [
        ("LastName", "Zzsample"),
        ("FirstName", "Oriel"),
        ("MiddleName", "Wren"),
        ("Suffix", "Jr"),
        ("PreferredName", "Ori"),
        ("SortName", "Zzsample, Oriel W"),
        ("FullName", "Oriel Wren Zzsample"),
    ] {
        assert_eq!(name.value(part), Some(expect), "{part}");
    }
    let mail = contact.child("EmailList").and_then(|list| list.child("Email")).expect("a mail");
    assert_eq!((mail.attribute("Type"), mail.text.as_str()), (Some("Primary"), "oriel@example.org"));
    assert_eq!((contact.value("LocalId"), contact.value("ContactSequence")), (Some("2"), Some("1")));
}

#[test]
fn a_relation_is_a_code_or_a_word_beside_other() {
    fn check(relation: &str, code: Option<&str>, own_word: Option<&str>) {
        let mut census = family();
        relation.clone_into(&mut census.relationships[0].relation);
        let contact = published(&census, TODAY).into_values().next().expect("one");
        let found = contact.child("Relationship");
        assert_eq!(found.and_then(|r| r.value("Code")), code, "{relation}");
        let other = found.and_then(|r| r.child("OtherCodeList")).and_then(|list| list.child("OtherCode"));
        assert_eq!(other.map(|other| other.text.as_str()), own_word, "{relation}");
    }
    check("Mother", Some("1735"), None);
    check("mother", Some("1735"), None);
    check("1779", Some("1779"), None);
    check("Foster Parent", Some("1765"), None);
    check("Neighbor", Some("9999"), Some("Neighbor"));
    check("Guardian", Some("9999"), Some("Guardian"));
    check("", None, None);
}

#[test]
fn events_follow_the_table() {
    fn check(what: &str, before: Edit, after: Edit, expect: &[Action]) {
        let events = difference(&published(&changed(before), YESTERDAY), &published(&changed(after), TODAY));
        assert_eq!(events.iter().map(|event| event.action).collect::<Vec<_>>(), expect, "{what}");
    }
    use Action::{Add, Change, Delete};
    let apart: Edit = |c| {
        c.relationships[0].is_guardian = false;
        c.memberships[1].household_id = "H2".into();
    };
    let no_guardian: Edit = |c| c.relationships[0].is_guardian = false;
    let nothing: Edit = |_| {};
    check("nothing happened", nothing, nothing, &[]);
    check("a relationship is created", |c| c.relationships.clear(), nothing, &[Add]);
    check(
        "a relationship is made to overlap today",
        |c| c.relationships[0].days = days("2027-01-01", ""),
        nothing,
        &[Add],
    );
    let begins: Edit = |c| c.relationships[0].days = days(TODAY, "");
    check("a relationship begins by itself", begins, begins, &[Add]);
    check("an excluded student is excluded no more", |c| c.persons[0].is_excluded = true, nothing, &[Add]);
    check("one of two persons is enrolled", |c| c.enrollments.clear(), nothing, &[Add]);
    check(
        "a membership is added: the contact, no guardian, now lives with the student",
        |c| {
            c.relationships[0].is_guardian = false;
            c.memberships.truncate(1);
        },
        no_guardian,
        &[Add],
    );
    check(
        "the days of a membership change and overlap today",
        |c| {
            c.relationships[0].is_guardian = false;
            c.memberships[1].days = days("", "2026-01-01");
        },
        no_guardian,
        &[Add],
    );
    check(
        "a membership is added: the student now lives with the contact, no guardian",
        |c| {
            c.relationships[0].is_guardian = false;
            c.memberships.remove(0);
        },
        no_guardian,
        &[Add],
    );
    check(
        "the days of the student's membership change and overlap today",
        |c| {
            c.relationships[0].is_guardian = false;
            c.memberships[0].days = days("", "2026-01-01");
        },
        no_guardian,
        &[Add],
    );
    check(
        "the days of the membership and of the location change and overlap today",
        |c| {
            c.relationships[0].is_guardian = false;
            c.memberships[1].days = days("", "2026-01-01");
            c.locations[0].days = days("", "2026-01-01");
        },
        no_guardian,
        &[Add],
    );
    // The table names an Add for a household's locations too, of contacts who now live with the student. Who lives with whom follows from
    // memberships alone, in the same page's own rule: by a location's days nobody comes to live with anybody. Such a contact was published
    // before, and a second Add of the same object would break what an event says. The table's line on changes of a household location
    // applies: the address changes.
    check(
        "the days of a location alone change and overlap today",
        |c| c.locations[0].days = days("", "2026-01-01"),
        nothing,
        &[Change],
    );
    check(
        "the days of a location alone change, no guardian who lives with the student",
        |c| {
            c.relationships[0].is_guardian = false;
            c.locations[0].days = days("", "2026-01-01");
        },
        no_guardian,
        &[Change],
    );
    let student_leaves: Edit = |c| c.memberships[0].days = days("", YESTERDAY);
    check("the membership of a guardian's student ends", nothing, student_leaves, &[Change]);
    check("the relation changes", nothing, |c| c.relationships[0].relation = "Aunt".into(), &[Change]);
    check("the address changes", nothing, |c| c.locations[0].street = "Other".into(), &[Change]);
    check("the demographics change", nothing, |c| c.persons[1].cell_phone = "8605550101".into(), &[Change]);
    check("the household changes", nothing, |c| c.households[0].phone = "8605550111".into(), &[Change]);
    check("a location is added", nothing, |c| c.locations.push(location("11", "H1")), &[Change]);
    check("a guardian's membership changes", nothing, |c| c.memberships[1].household_id = "H2".into(), &[Change]);
    check("the identity changes", nothing, |c| c.persons[1].last_name = "Zzother".into(), &[Change]);
    check("the contact is deleted", nothing, |c| c.persons.truncate(1), &[Delete]);
    check("the relationship is deleted", nothing, |c| c.relationships.clear(), &[Delete]);
    let ended: Edit = |c| c.relationships[0].days = days("", YESTERDAY);
    check("the relationship ended before today", nothing, ended, &[Delete]);
    check("the relationship ends by itself", ended, ended, &[Delete]);
    check("all enrollments that are not excluded are deleted", nothing, |c| c.enrollments.clear(), &[Delete]);
    check("the last enrollment is excluded", nothing, |c| c.enrollments[0].is_excluded = true, &[Delete]);
    check("the student is excluded", nothing, |c| c.persons[0].is_excluded = true, &[Delete]);
    check(
        "the relationship is moved out of today",
        nothing,
        |c| c.relationships[0].days = days("2027-01-01", ""),
        &[Delete],
    );
    check("the membership of the contact is deleted, no guardian", no_guardian, apart, &[Delete]);
    check(
        "the membership of the student is deleted, no guardian",
        no_guardian,
        |c| {
            c.relationships[0].is_guardian = false;
            c.memberships.remove(0);
        },
        &[Delete],
    );
    check(
        "the days of the student's membership no longer overlap today, no guardian",
        no_guardian,
        |c| {
            c.relationships[0].is_guardian = false;
            c.memberships[0].days = days("", YESTERDAY);
        },
        &[Delete],
    );
    check(
        "the days of the membership no longer overlap today, no guardian",
        no_guardian,
        |c| {
            c.relationships[0].is_guardian = false;
            c.memberships[1].days = days("", YESTERDAY);
        },
        &[Delete],
    );
    let guardian_apart: Edit = |c| c.memberships[1].household_id = "H2".into();
    check("guardian is checked, not together", apart, guardian_apart, &[Add]);
    check("guardian is unchecked, not together", guardian_apart, apart, &[Delete]);
    check("guardian is unchecked, together", nothing, no_guardian, &[Change]);
    check("the contact is enrolled", nothing, |c| c.enrollments.push(enrollment("2")), &[Delete]);
}

#[test]
fn what_is_published_is_clean_and_canonical() {
    let contact = only(|c| {
        c.persons[1].cell_phone = "8605550101".into();
        c.persons[1].email = "oriel@example.org".into();
        c.relationships[0].relation = "Neighbor".into();
    });
    let (ordered, mut findings) = canonical(&contact, &STUDENT_CONTACT.object, tables(), Extent::Whole);
    contact_rules(&ordered, NOWHERE, &mut findings);
    assert!(findings.is_empty(), "{findings:?}");
    assert!(ordered == contact);
}
