//! Two children of one district: what is said of its reports is the same, whichever of them another agency knows.

use std::sync::Arc;

use domains::{StoredFact, definition};
use model::{Awaited, BatchId, Certification, Lineage, Payload, Period, SchoolYear, SourcePersonId, Value};
use proptest::prelude::*;
use reference::{collections::Report, other_agency};

use super::*;
use crate::assemble::{self, Allowed};

const HARTFORD: (&str, &str) = ("064", "0646311");
const NEW_HAVEN: (&str, &str) = ("093", "0936111");
const CENTRE: (&str, &str) = ("348", "3480115");

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn organizations() -> Organizations {
    Organizations::with_rule(|sea, code| other_agency(sea, code).is_some())
}

/// Everything but what another agency's elements say.
struct Ordinary;

impl Allowed for Ordinary {
    fn domain(&self, _domain: Domain) -> bool {
        true
    }

    fn element(&self, domain: Domain, name: &str) -> bool {
        definition(domain).find_element(name).is_some_and(|element| !element.class.is_guarded())
    }
}

/// Whom a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The child whom the centre knows.
    Held,
    /// The child of the same district whom it does not know.
    Free,
    /// Somebody else.
    Other,
}

/// What somebody reported of a day.
#[derive(Clone, Debug)]
struct Told {
    whose: Whose,
    by: (&'static str, &'static str),
    nexus: Option<&'static str>,
    domain: Domain,
    on: NaiveDate,
}

impl Told {
    fn fact(&self, line: u32) -> StoredFact {
        let (lea, school) = self.by;
        let source = Lineage {
            batch: BatchId(i64::from(line)),
            file: Arc::from("file"),
            line,
            recorded_on: Some(self.on),
            reported_on: Some(self.on),
            sea: Arc::from("ct"),
            person: Some(SourcePersonId(1)),
        };
        let text = |value: &str| Value::Text(value.to_owned());
        let mut payload = Payload::from([
            ("local_education_agency_id".to_owned(), text(lea)),
            ("school_id".to_owned(), text(school)),
        ]);
        let (kind, said): (_, Vec<(&str, Value)>) = match self.domain {
            Domain::Enrollment => {
                let instance = if self.on.to_string().contains("-10-") { "October" } else { "June" };
                payload.extend(self.nexus.map(|code| ("nexus_district_id".to_owned(), text(code))));
                ("collection", vec![("snapshot_date", Value::Date(self.on)), ("collection", text(instance))])
            }
            Domain::Attendance => {
                ("year", vec![("days_scheduled", Value::Integer(90)), ("days_attended", Value::Integer(80))])
            }
            Domain::SpecialEducation => ("plan", vec![("plan_type", text("IEP"))]),
            Domain::Discipline => ("offense", vec![("incident_identifier", text("17"))]),
            _ => ("section", vec![("course_code", text("04101"))]),
        };
        payload.extend(said.into_iter().map(|(name, value)| (name.to_owned(), value)));
        StoredFact {
            source_person: SourcePersonId(1),
            sea: Arc::from("ct"),
            domain: self.domain,
            kind: kind.to_owned(),
            school_year: Some(SchoolYear::containing(self.on)),
            valid: Period::day(self.on),
            lea: Some(lea.to_owned()),
            facility: Some(school.to_owned()),
            certification: Certification::Certified,
            source,
            concealed: false,
            payload,
        }
    }

    /// What is noted of it: as the store does, with a nexus district where the fact says one.
    fn report(&self) -> Report {
        let (lea, facility) = self.by;
        let nexus = self.nexus.filter(|_| self.domain == Domain::Enrollment).map(str::to_owned);
        Report { lea: Some(lea.to_owned()), facility: Some(facility.to_owned()), nexus }
    }

    /// Whether it is of a collection, or of a later one.
    fn is_of(&self, due: &Due) -> bool {
        self.domain == due.domain
            && due.instance.collection.sea == "ct"
            && match due.instance.snapshot_days() {
                Some((from, _)) => self.on >= from,
                None => {
                    SchoolYear::containing(self.on) >= due.instance.school_year
                        && due.instance.opens_on().is_none_or(|opens| opens <= self.on)
                }
            }
    }

    fn is_of_last(&self, due: &Due) -> bool {
        let before = due.instance.previous();
        self.domain == due.domain
            && due.instance.collection.sea == "ct"
            && match before.snapshot_days() {
                Some((from, to)) => from <= self.on && self.on <= to,
                None => SchoolYear::containing(self.on) == before.school_year,
            }
    }
}

fn collected(on: NaiveDate, told: &[Told]) -> Collected {
    let noted = due_on(on).into_iter().map(|due| {
        let of = || told.iter().filter(|one| one.is_of(&due));
        let is_usual = told.iter().any(|one| one.is_of_last(&due));
        let reports = of().map(Told::report).collect();
        (due, Noted { is_begun: of().next().is_some(), is_usual, reports })
    });
    Collected::of(noted, &organizations())
}

/// What is told of a child, with what has not come.
fn disclosed(whose: Whose, told: &[Told], collected: &Collected) -> Vec<Section> {
    let numbered = (1..).zip(told);
    let facts = numbered.filter(|(_, one)| one.whose == whose).map(|(line, one)| one.fact(line)).collect();
    let mut sections = assemble::sections(&Ordinary, facts, &organizations());
    collected.mark(&mut sections);
    sections
}

fn awaited(sections: &[Section]) -> Vec<(Domain, Option<Awaited>)> {
    sections.iter().map(|section| (section.domain, section.awaited.clone())).collect()
}

const DOMAINS: [Domain; 5] =
    [Domain::Enrollment, Domain::Attendance, Domain::SpecialEducation, Domain::Discipline, Domain::Course];

/// Both children at Hartford a year ago, and somebody at New Haven: each collection came.
fn last_year() -> Vec<Told> {
    let mut all = Vec::new();
    for on in [day("2025-06-12"), day("2025-10-01")] {
        for domain in DOMAINS {
            let by = |whose, by| Told { whose, by, nexus: None, domain, on };
            all.extend([by(Whose::Held, HARTFORD), by(Whose::Free, HARTFORD), by(Whose::Other, NEW_HAVEN)]);
        }
    }
    all
}

fn told() -> impl Strategy<Value = Told> {
    let by = prop_oneof![
        3 => (Just(Whose::Held), Just(CENTRE), prop_oneof![2 => Just(Some("064")), 1 => Just(None)]),
        1 => (prop_oneof![Just(Whose::Held), Just(Whose::Free)], Just(HARTFORD), prop_oneof![Just(Some("064")), Just(None)]),
        1 => (Just(Whose::Other), prop_oneof![Just(HARTFORD), Just(NEW_HAVEN)], prop_oneof![Just(Some("093")), Just(None)]),
        3 => (
            Just(Whose::Other),
            Just(CENTRE),
            prop_oneof![4 => Just(Some("064")), 4 => Just(Some("093")), 1 => Just(Some("348")), 1 => Just(None)]
        ),
    ];
    let days = ["2026-06-12", "2026-09-20", "2026-10-01", "2026-10-06", "2026-11-10", "2027-01-04"];
    let on = proptest::sample::select(days.map(day).to_vec());
    (by, proptest::sample::select(DOMAINS.to_vec()), on).prop_map(|((whose, by, nexus), domain, on)| Told {
        whose,
        by,
        nexus,
        domain,
        on,
    })
}

fn asked_on() -> impl Strategy<Value = NaiveDate> {
    proptest::sample::select(["2026-08-10", "2026-11-01", "2026-11-20", "2026-12-20", "2027-02-02"].map(day).to_vec())
}

/// Whether a row says that a district reported on the days of a collection, or later.
fn is_shown(section: &Section, due: &Due, district: &str) -> bool {
    let Some((from, _)) = due.instance.snapshot_days() else { return false };
    let days =
        |row: &model::Row| [row.find_date("status_date"), row.find_date("last_seen_date"), row.source.reported_on];
    let of_it = |row: &&model::Row| row.find_text(DISTRICT) == Some(district);
    section.rows.iter().filter(of_it).any(|row| days(row).into_iter().flatten().any(|day| day >= from))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn two_children_of_a_district_read_the_same_whoever_reports_them(
        told in proptest::collection::vec(told(), 0..6),
        on in asked_on(),
    ) {
        let told: Vec<Told> = last_year().into_iter().chain(told.into_iter().filter(|one| one.on <= on)).collect();
        let collected = collected(on, &told);
        let held = disclosed(Whose::Held, &told, &collected);
        let free = disclosed(Whose::Free, &told, &collected);
        prop_assert_eq!(awaited(&held), awaited(&free));
        // Nor does a line contradict what is shown beside it, of either.
        for (due, _) in &collected.due {
            for section in held.iter().chain(&free).filter(|section| section.domain == due.domain) {
                let names_it = section.awaited.as_ref().is_some_and(|one| one.expected_of.as_deref() == Some("064"));
                prop_assert!(!names_it || !is_shown(section, due, "064"), "{:?}", section);
            }
        }
    }
}

#[test]
fn what_a_facility_reports_takes_the_line_from_every_child_of_the_district_or_from_none() {
    fn check(told: &[Told], expect: [Option<&str>; 2]) {
        let all: Vec<Told> = last_year().into_iter().chain(told.iter().cloned()).collect();
        let collected = collected(day("2026-11-20"), &all);
        for whose in [Whose::Held, Whose::Free] {
            let sections = disclosed(whose, &all, &collected);
            let of = |domain: Domain| sections.iter().find(|section| section.domain == domain);
            let said = |domain| of(domain).and_then(|section| section.awaited.as_ref()?.expected_of.clone());
            let found = [said(Domain::Enrollment), said(Domain::Attendance)];
            assert_eq!(found.each_ref().map(Option::as_deref), expect, "{whose:?}");
        }
    }
    let centre = |nexus, domain, on| Told { whose: Whose::Held, by: CENTRE, nexus, domain, on: day(on) };
    check(&[], [Some("064"); 2]);
    let enrolled = |nexus| centre(nexus, Domain::Enrollment, "2026-10-01");
    check(&[enrolled(Some("064"))], [None, Some("064")]);
    check(&[enrolled(None)], [None, Some("064")]);
    check(&[Told { whose: Whose::Other, ..enrolled(Some("093")) }], [Some("064"); 2]);
    check(&[Told { whose: Whose::Other, ..enrolled(Some("348")) }], [None, Some("064")]);
    check(&[centre(Some("064"), Domain::Attendance, "2026-06-12")], [Some("064"), None]);
    check(&[Told { whose: Whose::Other, by: NEW_HAVEN, ..enrolled(Some("064")) }], [Some("064"); 2]);
}

#[test]
fn what_the_stamp_says_changes_when_a_line_does_and_not_when_a_day_passes() {
    let districts = BTreeSet::from(["064".to_owned()]);
    let october =
        Told { whose: Whose::Other, by: HARTFORD, nexus: None, domain: Domain::Enrollment, on: day("2026-10-01") };
    let before = last_year();
    let after: Vec<Told> = before.iter().cloned().chain([october.clone()]).collect();
    let elsewhere: Vec<Told> = before.iter().cloned().chain([Told { by: NEW_HAVEN, ..october.clone() }]).collect();
    let revealing: Vec<Told> = before.iter().cloned().chain([Told { by: CENTRE, nexus: None, ..october }]).collect();
    let stamp = |on: &str, told: &[Told]| collected(day(on), told).stamp(&districts);
    assert_eq!(stamp("2026-11-01", &before), stamp("2026-12-05", &before), "nothing is due in between");
    assert_ne!(stamp("2026-10-31", &before), stamp("2026-11-01", &before), "October is due");
    assert_ne!(stamp("2026-11-20", &before), stamp("2026-11-20", &after));
    assert_ne!(stamp("2026-11-20", &before), stamp("2026-11-20", &revealing), "it counts as every district's");
    let begun = collected(day("2026-11-20"), &elsewhere);
    assert_ne!(begun.stamp(&districts), begun.stamp(&BTreeSet::from(["093".to_owned()])));

    let digest = |told: &[Told], on: &str| {
        let sections = disclosed(Whose::Free, &before, &collected(day(on), told));
        crate::disclosed::digest_sections(&sections)
    };
    assert_eq!(digest(&before, "2026-11-01"), digest(&before, "2026-12-05"), "a day that passes changes nothing");
    assert_ne!(digest(&before, "2026-10-31"), digest(&before, "2026-11-01"));
    assert_ne!(digest(&before, "2026-11-20"), digest(&after, "2026-11-20"));
    let mut sections = disclosed(Whose::Free, &before, &collected(day("2026-11-20"), &before));
    let told = crate::disclosed::digest_sections(&sections);
    for section in &mut sections {
        if let Some(awaited) = &mut section.awaited {
            awaited.as_of_on = day("2026-10-02");
        }
    }
    assert_ne!(crate::disclosed::digest_sections(&sections), told, "the day that the collection tells of is told");
}
