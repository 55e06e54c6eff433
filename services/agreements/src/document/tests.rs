use super::*;
use crate::{
    element_set::ElementSet,
    terms::{Condition, LegalBasis},
};
use model::Domain;

/// A small agreement that has everything a document must have.
pub(crate) const SMALL: &str = r#"
format = "agreement/1"

[agreement]
id = "small"
version = 1
title = "A small agreement"
consumer = "dcf"
signed = "June 2016"
valid_from = 2016-06-30
valid_to = "perpetual"
time_zone = "America/New_York"

[[party]]
name = "State Department of Education"
role = "discloser"
[[party]]
name = "Child Welfare Agency"
role = "recipient"
kind = "child_welfare_agency"

[population]
rule = "custody_roster"
text = "Children in care."

[[purpose]]
id = "care"
text = "The child's education"

[[basis]]
law = "ferpa_uninterrupted_scholars"
citation = "20 U.S.C. 1232g(b)(1)(L)"
conditions = ["authority"]
text = "While the agency is responsible."

[access]
deliveries = ["unary", "stream", "file"]
offices = "all"
scheduled_runs = true
[[access.system]]
name = "case system"
san = "case.example.test"

[[clause]]
id = "attendance"
text = "Attendance."
purposes = "all"
bases = "all"
[clause.elements]
attendance = "all"

[redisclosure]
limit = "None."
notice = "Do not pass on."

[retention]
days = 365
destruction = "deleted"
attest_within_days = 30

[audience]
parent = "after_review"
eligible_student = "after_review"
district = "hidden"
auditor = "shown"
"#;

pub(crate) fn terms(text: &str) -> Terms {
    match parse(text) {
        Ok(terms) => terms,
        Err(Error::Document(findings)) => {
            panic!("{}", findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        }
        Err(other) => panic!("{other}"),
    }
}

pub(crate) fn shipped() -> [Terms; 5] {
    [
        include_str!("../../../../deploy/consumers/dcf/agreement.toml"),
        include_str!("../../../../deploy/consumers/cssd/agreement.toml"),
        include_str!("../../../../deploy/consumers/education_unit/agreement.toml"),
        include_str!("../../../../deploy/consumers/reentry/agreement.toml"),
        include_str!("../../../../deploy/consumers/sea/agreement.toml"),
    ]
    .map(terms)
}

#[test]
fn the_shipped_agreements_have_no_findings() {
    for text in [
        include_str!("../../../../deploy/consumers/dcf/agreement.toml"),
        include_str!("../../../../deploy/consumers/cssd/agreement.toml"),
        include_str!("../../../../deploy/consumers/education_unit/agreement.toml"),
        include_str!("../../../../deploy/consumers/reentry/agreement.toml"),
        include_str!("../../../../deploy/consumers/sea/agreement.toml"),
    ] {
        let checked = check(text);
        assert_eq!(checked.findings, [], "{:?}", checked.findings);
        let terms = checked.terms.expect("terms");
        let form = crate::canonical(&terms).expect("a form");
        assert_eq!(crate::canonical::read::<Terms>(&form).expect("terms"), terms);
    }
}

#[test]
fn the_policy_matrix_is_as_reviewed() {
    let printed = crate::matrix(&shipped());
    let reviewed = include_str!("../../../../tests/snapshots/policy_matrix.txt");
    if printed != reviewed {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/snapshots/policy_matrix.txt.new");
        std::fs::write(path, &printed).expect("a place for the new matrix");
    }
    assert!(
        printed == reviewed,
        "who may see what has changed: compare tests/snapshots/policy_matrix.txt with policy_matrix.txt.new, and replace it \
         if that is meant"
    );
}

#[test]
fn only_the_sea_sees_what_must_be_named() {
    let [dcf, cssd, education_unit, reentry, sea] = shipped();
    let revealing = ElementSet::guarded();
    for terms in [dcf, cssd, education_unit, reentry] {
        for clause in &terms.clauses {
            assert!(clause.elements.intersection(&revealing).is_empty(), "{} {}", terms.id, clause.id);
        }
    }
    let missing = ElementSet::all().minus(&sea.elements(LegalBasis::SchoolOfficial, "stewardship"));
    assert_eq!(missing.ids(), Vec::<String>::new(), "the SEA's export names every element");
}

#[test]
fn a_document_says_what_it_says() {
    let terms = terms(SMALL);
    assert_eq!(terms.consumer.as_str(), "dcf");
    assert_eq!(terms.recipient(), "Child Welfare Agency");
    assert_eq!(terms.valid_to, None);
    assert!(terms.clauses[0].elements.contains(Domain::Attendance, "days_attended"));
    assert!(terms.bases[0].requires(Condition::Authority));
    let reworded = SMALL.replace("text = \"Attendance.\"", "# a comment\ntext = \"\"\"\nAttendance.\n\"\"\"");
    let form = |terms: &Terms| crate::canonical(terms).expect("a form");
    assert_eq!(form(&terms), form(&super::tests::terms(&reworded)), "comments and line breaks mean nothing");
    assert_ne!(form(&terms), form(&super::tests::terms(&SMALL.replace("days = 365", "days = 364"))));
}

/// Each row changes one thing in the small agreement, and says what is found: line, field and a part of the message.
#[test]
fn mistakes_are_named_with_line_and_clause() {
    fn found(from: &str, to: &str) -> Vec<String> {
        assert!(SMALL.contains(from), "{from}");
        check(&SMALL.replacen(from, to, 1)).findings.iter().map(ToString::to_string).collect()
    }
    fn check_one(from: &str, to: &str, expect: &str) {
        let found = found(from, to);
        assert!(found.iter().any(|finding| finding.contains(expect)), "{to:?}\n{found:#?}");
    }
    check_one("days = 365", "days = 365\nyears = 1", "line 58, retention.years: is not known here");
    check_one("days = 365", "days = 0", "line 57, retention.days: must lie between 1 and 36600");
    check_one("days = 365", "days = \"365\"", "line 57, retention.days: must be a whole number, and is string");
    check_one("days = 365", "", "line 56, retention.days: is missing");
    check_one(
        "attendance = \"all\"",
        "attendence = \"all\"",
        "clause attendance, clause.elements.attendence: is no data domain",
    );
    check_one(
        "attendance = \"all\"",
        "attendance = [\"days\"]",
        "line 50, clause attendance, clause.elements.attendance: attendance has no element \"days\"",
    );
    check_one("attendance = \"all\"", "attendance = \"some\"", "must be \"all\", a list of elements or a table");
    check_one("attendance = \"all\"", "attendance = []", "must name at least one");
    check_one(
        "attendance = \"all\"",
        "discipline = { elements = \"all\", except = [\"arrested\"] }",
        "\"arrested\" reveals another agency and is never part of \"all\"",
    );
    check_one(
        "attendance = \"all\"",
        "discipline = { elements = \"all\", other_agency = [\"weapon\"] }",
        "\"weapon\" is part of \"all\" already",
    );
    check_one("purposes = \"all\"", "purposes = [\"research\"]", "the agreement states no \"research\"");
    check_one("bases = \"all\"", "bases = [\"court_order\"]", "the agreement states no \"court_order\"");
    check_one("law = \"ferpa_uninterrupted_scholars\"", "law = \"because\"", "a legal basis is one of");
    check_one(
        "law = \"ferpa_uninterrupted_scholars\"",
        "law = \"ferpa_juvenile_justice\"",
        "never holds without certification (34 CFR 99.31(a)(5) and 99.38)",
    );
    check_one("conditions = [\"authority\"]", "conditions = [\"authority\", \"full_moon\"]", "a condition is one of");
    check_one(
        "conditions = [\"authority\"]",
        "conditions = [\"authority\", \"release\", \"court_order\"]",
        "state two bases",
    );
    check_one("valid_to = \"perpetual\"", "valid_to = 2016-06-29", "lies before valid_from");
    check_one(
        "valid_to = \"perpetual\"",
        "valid_to = \"forever\"",
        "must be a day such as 2016-06-30, or \"perpetual\"",
    );
    check_one("valid_from = 2016-06-30", "valid_from = 2016-06-30T00:00:00Z", "without time");
    check_one("America/New_York", "Hartford", "is no time zone");
    check_one("version = 1", "version = 2", "must list the amendments");
    check_one("auditor = \"shown\"", "auditor = \"hidden\"", "an auditor is shown everything");
    check_one(
        "san = \"case.example.test\"",
        "",
        "line 40, access.system.san: a system is known by the name in its certificate",
    );
    check_one("format = \"agreement/1\"", "format = \"agreement/2\"", "this program reads \"agreement/1\" only");
    check_one("id = \"care\"", "id = \"Care!\"", "an id has 1 to 48 characters");
    check_one(
        "rule = \"custody_roster\"",
        "rule = \"every_student\"",
        "school_official is the basis of the SEA's own access",
    );
    check_one("attendance = \"all\"", "mobility = \"all\"", "mobility is computed from disclosed enrollment");
    check_one(
        "attendance = \"all\"",
        "contact = \"all\"\n[clause.school_years]\nfrom = \"2010-11\"",
        "cannot bound contact",
    );
    check_one(
        "attendance = \"all\"",
        "attendance = \"all\"\n[clause.school_years]\nfrom = \"2010\"",
        "is no school year",
    );
    check_one(
        "attendance = \"all\"",
        "attendance = \"all\"\n[clause.records]\nexclude_kinds = [\"discipline.offense\"]",
        "is of a domain this clause does not disclose",
    );
    check_one("[population]", "[population", "line 22");
}

/// Each row is a mistake of law, of names or of sense in an agreement that reads well.
#[test]
fn what_the_law_does_not_know_and_what_contradicts_itself_is_named() {
    fn check_all(changes: &[(&str, &str)], expect: &str) {
        let mut text = SMALL.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let found: Vec<_> = check(&text).findings.iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|finding| finding.contains(expect)), "{changes:?}\n{found:#?}");
    }
    let kind = "kind = \"child_welfare_agency\"";
    let justice = "kind = \"juvenile_justice_agency\"";
    check_all(&[(kind, "")], "party.kind: a recipient says what it is");
    check_all(&[(kind, "kind = \"police\"")], "a kind of party is one of");
    let only = "line 30, basis.law: ferpa_uninterrupted_scholars releases only to: child_welfare_agency (20 U.S.C. 1232g(b)(1)(L)); the recipient is: juvenile_justice_agency";
    check_all(&[(kind, justice)], only);
    check_all(
        &[("custody_roster", "release_roster")],
        "basis.law: ferpa_uninterrupted_scholars is about students of: custody_roster",
    );
    let law = ("law = \"ferpa_uninterrupted_scholars\"", "law = \"ferpa_juvenile_justice\"");
    let conditions =
        ("conditions = [\"authority\"]", "conditions = [\"authority\", \"before_adjudication\", \"certification\"]");
    check_all(&[law, conditions], "ferpa_juvenile_justice releases only to: juvenile_justice_agency");
    check_all(&[law, conditions, (kind, justice)], "ferpa_juvenile_justice is about students of: supervision_roster");
    check_all(
        &[("law = \"ferpa_uninterrupted_scholars\"", "law = \"audit_evaluation\"")],
        "releases only to: education_agency or authorized_representative",
    );
    for name in ["*.example.test", "*", "case.*.test"] {
        check_all(&[("case.example.test", name)], "access.system.san: names more than one system");
    }
    for name in ["case", "Case.example.test", "case..test", "https://case.example.test", "-case.example.test"] {
        check_all(&[("case.example.test", name)], "access.system.san: is no DNS name in lower case");
    }
    check_all(
        &[("[[clause]]", "[[access.system]]\nname = \"second\"\nsan = \"case.example.test\"\n\n[[clause]]")],
        "bears the certificate of \"case system\" too",
    );
    check_all(&[("\"Child Welfare Agency\"", "\"State Department of Education\"")], "are one party");
    check_all(
        &[("deliveries = [\"unary\", \"stream\", \"file\"]", "deliveries = [\"stream\"]")],
        "a scheduled run is given nothing",
    );
    let kinds = domains::definition(Domain::Attendance).kinds;
    let kinds: Vec<String> = kinds.iter().map(|kind| format!("\"attendance.{}\"", kind.name)).collect();
    let excluded = format!("attendance = \"all\"\n[clause.records]\nexclude_kinds = [{}]", kinds.join(", "));
    check_all(
        &[("attendance = \"all\"", &excluded)],
        "clause attendance: discloses attendance and leaves out every kind",
    );
    check_all(
        &[(
            "attendance = \"all\"",
            "attendance = \"all\"\n[clause.school_years]\nto = \"2009-10\"\n[clause.records]\nmax_age_years = 3",
        )],
        "nothing is left",
    );
}

#[test]
fn a_document_is_held_against_the_day_and_the_other_agreements() {
    let found = |text: &str, today: &str, others: &[Terms]| -> Vec<String> {
        let surroundings = Surroundings { today: today.parse().ok(), others };
        check_among(text, surroundings).findings.iter().map(ToString::to_string).collect()
    };
    let one = |text: &str, others: &[Terms], expect: &str| {
        let found = found(text, "2026-03-01", others);
        assert!(matches!(found.as_slice(), [only] if only.contains(expect)), "{expect}\n{found:#?}");
    };
    let small = terms(SMALL);
    assert_eq!(found(SMALL, "2026-03-01", std::slice::from_ref(&small)), Vec::<String>::new(), "itself is no other");
    let ended = SMALL.replace("valid_to = \"perpetual\"", "valid_to = 2025-06-30");
    one(&ended, &[], "line 11, agreement.valid_to: the agreement ended on 2025-06-30");
    assert_eq!(found(&ended, "2025-06-30", &[]), Vec::<String>::new(), "its last day is a day of it");
    let other_party =
        SMALL.replace("consumer = \"dcf\"", "consumer = \"unit\"").replace("id = \"small\"", "id = \"unit\"");
    one(
        &other_party,
        std::slice::from_ref(&small),
        "line 40, access.system: its certificate is that of \"case system\" in small version 1 (dcf)",
    );
    one(
        &SMALL.replace("days = 365", "days = 364"),
        std::slice::from_ref(&small),
        "small version 1 (dcf) says something else",
    );
    one(
        &SMALL.replace("id = \"small\"", "id = \"second\""),
        std::slice::from_ref(&small),
        "agreement.valid_from: overlaps small version 1",
    );
    let second = SMALL.replace("version = 1", "version = 2")
        + "\n[[amendment]]\nversion = 2\non = 2026-02-01\ntext = \"Changed.\"\n";
    assert_eq!(found(&second, "2026-03-01", std::slice::from_ref(&small)), Vec::<String>::new());
    one(
        &second.replace("2016-06-30", "2015-06-30"),
        std::slice::from_ref(&small),
        "version 2 would be valid before version 1 begins",
    );
    let consent = SMALL
        .replace("ferpa_uninterrupted_scholars", "parent_consent")
        .replace("[\"authority\"]", "[\"release\"]")
        .replace("child_welfare_agency", "juvenile_justice_agency")
        .replace("version = 1", "version = 2")
        + "\n[[amendment]]\nversion = 2\non = 2026-02-01\ntext = \"Changed.\"\n";
    one(
        &consent,
        std::slice::from_ref(&small),
        "party.kind: the recipient is a child_welfare_agency in small version 1",
    );
}

#[test]
fn all_mistakes_are_named_at_once() {
    let text = SMALL
        .replace("days = 365", "days = -1")
        .replace("attendance = \"all\"", "attendance = [\"days\", \"nights\"]")
        .replace("role = \"recipient\"", "role = \"observer\"");
    let findings = check(&text).findings;
    assert_eq!(findings.len(), 4, "{findings:#?}");
    assert!(findings.is_sorted_by_key(|finding| finding.line));
    assert!(matches!(parse(&text), Err(Error::Document(all)) if all.len() == 4));
}

#[test]
fn two_clauses_about_one_domain_contradict_each_other() {
    let second = "[[clause]]\nid = \"more\"\ntext = \"More.\"\npurposes = \"all\"\nbases = \"all\"\n[clause.elements]\nattendance = [\"month\"]\n\n[redisclosure]";
    let text = SMALL.replace("[redisclosure]", second);
    let line = text.lines().position(|line| line == "id = \"more\"").expect("a line");
    let expect = format!(
        "line {line}, clause more: speaks about attendance for care on the basis ferpa_uninterrupted_scholars, and so does \
         attendance; one may"
    );
    let found: Vec<_> = check(&text).findings.iter().map(ToString::to_string).collect();
    assert_eq!(found, [expect]);
}

#[test]
fn the_order_of_bases_is_doubted_when_the_first_gives_less() {
    let text = SMALL
        .replace(
            "[access]",
            "[[basis]]\nlaw = \"court_order\"\ncitation = \"34 CFR 99.31(a)(9)\"\nconditions = [\"court_order\"]\ntext = \"An order.\"\n\n[access]",
        )
        .replace(
            "[redisclosure]",
            "[[clause]]\nid = \"order\"\ntext = \"Discipline.\"\npurposes = \"all\"\nbases = [\"court_order\"]\n[clause.elements]\ndiscipline = \"all\"\n\n[redisclosure]",
        );
    let checked = check(&text);
    assert!(checked.terms.is_some(), "a doubt is no mistake");
    assert!(checked.findings.iter().any(|finding| finding.message.contains("the first that holds decides")));
}

#[test]
fn an_agreement_about_placements_gives_of_the_record_nothing_but_who_it_is() {
    const PLACEMENTS: &str = include_str!("../../../../deploy/consumers/reentry/agreement.toml");
    let found = |from: &str, to: &str| -> Vec<String> {
        assert!(PLACEMENTS.contains(from), "{from}");
        check(&PLACEMENTS.replacen(from, to, 1)).findings.iter().map(ToString::to_string).collect()
    };
    let check_one = |from: &str, to: &str, expect: &str| {
        let found = found(from, to);
        assert!(found.iter().any(|finding| finding.contains(expect)), "{to:?}\n{found:#?}");
    };
    let terms = terms(PLACEMENTS);
    let notice = terms.placement_notice.expect("notices");
    assert_eq!(
        notice.elements.iter().map(|one| one.id()).collect::<Vec<_>>(),
        ["placement.event", "placement.event_date", "placement.facility", "placement.educating_unit"]
    );
    check_one(
        "[\"state_id\"]",
        "[\"state_id\", \"birth_date\"]",
        "clause identity: a notice of a placement names the student",
    );
    check_one("student = [\"state_id\"]", "discipline = \"all\"", "discloses nothing else of the record");
    check_one("\"event_date\",", "\"offense\",", "an element of a placement notice is one of");
    check_one(
        "[placement_notice]",
        "[placement_note]",
        "notices of placements belong to the population placement_reports",
    );
    check_one(
        "kind = \"education_agency\"",
        "kind = \"juvenile_justice_agency\"",
        "releases only to: education_agency",
    );
    check_one(
        "placement_reports",
        "supervision_roster",
        "ferpa_school_of_enrollment is about students of: placement_reports",
    );
    check_one(
        "law = \"ferpa_school_of_enrollment\"",
        "law = \"audit_evaluation\"",
        "no other basis is about these students",
    );
    let with_notice = SMALL.replacen(
        "[redisclosure]",
        "[placement_notice]\ntext = \"x\"\nelements = [\"event\"]\n\n[redisclosure]",
        1,
    );
    let found: Vec<_> = check(&with_notice).findings.iter().map(ToString::to_string).collect();
    assert!(found.iter().any(|finding| finding.contains("and to no other")), "{found:#?}");
}
