//! Louisiana's rules, a row each: what the state's description says of a field, and how its contradictions are settled.

use std::{collections::BTreeSet, ops::ControlFlow};

use intake::{Item, Layout, Severity, Status, check, convert, describe};
use model::{SchoolYear, Value};

use crate::{
    findings_of, layout, read_all,
    rows::{Row, of_sample, written},
    tables,
};

fn la() -> &'static Layout {
    layout("la-sis")
}

/// The first record of a kind in the sample that has these values.
fn row(code: &str, values: &[(&str, &str)]) -> Row {
    let fits = |row: &Row| {
        let record = row.record(la());
        let value = |field: &str| row.values[record.index_of(field).expect("the field is there")].as_str();
        record.code.as_deref() == Some(code) && values.iter().all(|(field, wanted)| value(field) == *wanted)
    };
    of_sample(la()).into_iter().find(fits).unwrap_or_else(|| panic!("the sample has no such {code}"))
}

/// Of each finding the field, the rule and the severity, as `field rule`, a warning with `?` after it.
fn said(row: &Row) -> Vec<String> {
    let (items, _) = read_all(la(), &written(la(), std::slice::from_ref(row)));
    let finding = |found: &intake::Finding| {
        let field = found.field.as_deref().unwrap_or("-");
        format!("{field} {}{}", found.rule, if found.severity >= Severity::Error { "" } else { "?" })
    };
    items.iter().flat_map(findings_of).map(finding).collect()
}

/// What is said of a record of the sample with some fields changed.
fn check_row(row: &Row, changes: &[(&str, &str)], expect: &[&str]) {
    assert_eq!(said(&row.with(la(), changes)), expect, "{changes:?}");
}

#[test]
fn records_have_the_published_lengths_and_positions() {
    fn check(code: &str, length: usize, field: &str, position: usize) {
        let record = la().find_record(code).expect("the record is there");
        let place = record.index_of(field).expect("the field is there");
        assert_eq!((record.length, record.fields[place].span.start + 1), (length, position), "{code} {field}");
    }
    check("010", 123, "day_of_birth", 92);
    check("010", 123, "white", 123);
    check("040", 103, "exit_reason", 71);
    check("040", 103, "awaiting_foster_care", 103);
    check("050", 56, "program_start_date", 49);
    check("091", 82, "primary_reason", 55);
    check("091", 82, "medical_treatment", 80);
    check("092", 132, "discipline_administered_date", 66);
    check("092", 132, "alternate_site_code", 127);
    check("110", 62, "class_code", 43);
    check("120", 125, "postal_code", 111);
    check("120", 125, "non_district_building", 125);
    // The filler without a length is one position long.
    check("130", 88, "read_english", 85);
    check("130", 88, "read_social_studies", 88);
    // The beginning year is four positions long, whatever its declared length.
    check("140", 74, "site_code", 33);
    check("140", 74, "pd_4", 74);
    check("141", 55, "site_code", 33);
    let provisional: Vec<&str> = la()
        .records
        .iter()
        .filter(|record| record.status == Status::Provisional)
        .filter_map(|record| record.code.as_deref())
        .collect();
    assert_eq!(provisional, ["141"]);
}

#[test]
fn the_sample_holds_every_kind_of_record() {
    let kinds: BTreeSet<usize> = of_sample(la()).iter().map(|row| row.kind).collect();
    assert_eq!(kinds.len(), la().records.len());
}

#[test]
fn demographics_say_when_a_student_came() {
    let abroad = row("010", &[("country_of_birth", "ZZ")]);
    check_row(&abroad, &[("first_us_entry_date", "")], &["first_us_entry_date field.required_when"]);
    // Born in a territory: not the United States by the letter of the rule.
    check_row(&abroad, &[("country_of_birth", "PR")], &[]);
    check_row(&abroad, &[("country_of_birth", "FR")], &["country_of_birth code.unknown?"]);
    let born_here = row("010", &[("country_of_birth", "US")]);
    check_row(&born_here, &[("country_of_birth", "")], &["country_of_birth field.required"]);
    check_row(&born_here, &[("day_of_birth", "32")], &["day_of_birth record.refused"]);
    check_row(&born_here, &[("day_of_birth", "00")], &["day_of_birth record.refused"]);
    check_row(&born_here, &[("session_year", "20182020")], &["session_year session_year.invalid"]);
}

#[test]
fn enrollments_are_complete_where_a_rule_says_so() {
    let left = row("040", &[("exit_reason", "08")]);
    check_row(&left, &[("exit_reason", "")], &["exit_reason field.required_when"]);
    check_row(&left, &[("exit_date", "")], &["exit_date field.required_when"]);
    check_row(&left, &[("exit_date", "08012018")], &["exit_date date.order"]);
    for reason in ["02", "11", "13"] {
        check_row(&left, &[("exit_reason", reason)], &["dropout_reason field.required_when"]);
        check_row(&left, &[("exit_reason", reason), ("dropout_reason", "05")], &[]);
    }
    check_row(&left, &[("exit_reason", "39")], &["exit_reason code.unknown?"]);
    check_row(&left, &[("entry_reason", "ZZ")], &["entry_reason code.unknown"]);
    check_row(&left, &[("site_code", "991001")], &["site_code field.must_begin"]);
    check_row(&left, &[("homeless_reason", "")], &["homeless_reason field.required_when?"]);
    check_row(&left, &[("english_proficiency", "02")], &["lep_funding_source field.required_when"]);
    check_row(
        &left,
        &[("option_code", "3"), ("home_based_site_code", "")],
        &["home_based_site_code field.required_when?"],
    );
    // Absences are four digits, 0000 for a no-show.
    check_row(&left, &[("absences", "0000")], &[]);
    check_row(&left, &[("absences", "1.5")], &["absences digits.invalid"]);
    // Grade 24 needs a funding source, grade 20 may have one, no other has.
    check_row(&left, &[("grade_placement", "24")], &["pre_k_funding_source field.required_when"]);
    check_row(&left, &[("grade_placement", "24"), ("pre_k_funding_source", "01")], &[]);
    check_row(&left, &[("grade_placement", "20")], &[]);
    check_row(&left, &[("pre_k_funding_source", "01")], &["pre_k_funding_source field.blank_unless?"]);
    let kindergarten = row("040", &[("grade_placement", "22")]);
    check_row(
        &kindergarten,
        &[("prior_education_experience", "")],
        &["prior_education_experience field.required_when?"],
    );
}

#[test]
fn option_codes_are_those_of_the_school_year() {
    let enrolled = row("040", &[("option_code", "A")]);
    check_row(&enrolled, &[("session_year", "20172018"), ("option_code", "1")], &[]);
    check_row(&enrolled, &[("session_year", "20172018")], &["option_code code.unknown?"]);
    // An enrollment that began before the change still bears the 1.
    check_row(&enrolled, &[("option_code", "1")], &["option_code code.unknown?"]);
}

#[test]
fn violence_is_reported_as_50_and_the_subcode_goes_with_it() {
    let violent = row("091", &[("primary_reason", "50")]);
    check_row(&violent, &[("violent", "")], &["violent field.required_when"]);
    for reason in ["22", "23", "24", "25", "26", "27", "28", "29", "32"] {
        check_row(&violent, &[("primary_reason", reason)], &["primary_reason record.refused"]);
        check_row(&violent, &[("primary_reason", reason), ("violent", "")], &["primary_reason record.refused"]);
    }
}

#[test]
fn subcodes_go_with_their_reasons_and_with_no_other() {
    let check = |reasons: &[&str], field: &str| {
        for reason in reasons {
            let row = row("091", &[]).with(la(), &[("primary_reason", reason), ("violent", ""), (field, "1")]);
            assert_eq!(said(&row), [""; 0], "{reason} {field}");
            check_row(&row, &[(field, "")], &[&format!("{field} field.required_when")]);
        }
        let other = row("091", &[("primary_reason", "50")]).with(la(), &[(field, "1")]);
        assert_eq!(said(&other), [format!("{field} field.blank_unless")]);
    };
    check(&["13", "30"], "firearms_and_explosives");
    check(&["14", "15", "31"], "other_weapon");
    let bullying = row("091", &[("primary_reason", "35")]);
    for reason in ["35", "36"] {
        let row = bullying.with(la(), &[("primary_reason", reason)]);
        check_row(&row, &[], &[]);
        for (field, value) in [
            ("bullying", "02"),
            ("electronic_aggression", "Y"),
            ("emotional_aggression", "Y"),
            ("physical_aggression", "Y"),
            ("verbal_aggression", "Y"),
        ] {
            check_row(&row, &[(field, "")], &[&format!("{field} field.required_when")]);
            let other = crate::louisiana::row("091", &[("primary_reason", "50")]);
            check_row(&other, &[(field, value)], &[&format!("{field} field.blank_unless")]);
        }
    }
    check_row(&bullying, &[("event_id", "422       ")], &["event_id digits.length"]);
}

/// The dates of an action: start, return, administered.
fn dates(action: &str, dates: [&str; 3]) -> Vec<String> {
    let blank = row("092", &[("action_code", "000")]);
    let [start, back, administered] = dates;
    let changes = [
        ("action_code", action),
        ("discipline_start_date", start),
        ("discipline_return_date", back),
        ("discipline_administered_date", administered),
    ];
    said(&blank.with(la(), &changes))
}

#[test]
fn dates_of_an_action_follow_its_code() {
    const MON: &str = "10012018";
    const WED: &str = "10032018";
    const SAT: &str = "10062018";
    fn check(actions: &[&str], given: [&str; 3], expect: &[&str]) {
        for action in actions {
            assert_eq!(dates(action, given), expect, "{action} {given:?}");
        }
    }
    let one_day: Vec<String> = (8..=22).chain([1, 25, 30, 48]).map(|code| format!("{code:03}")).collect();
    let one_day: Vec<&str> = one_day.iter().map(String::as_str).collect();
    let (next_day, plan_end) = (["002", "004", "006"], ["003", "005", "007"]);
    let either = ["040", "043", "045", "070", "160", "999"];
    let (start, back, administered) =
        ("discipline_start_date", "discipline_return_date", "discipline_administered_date");
    let blank = |field: &str| format!("{field} field.blank_unless");
    let needed = |field: &str| format!("{field} field.required_when");

    // 000 has no dates.
    check(&["000"], ["", "", ""], &[]);
    check(&["000"], [MON, WED, MON], &[&blank(administered), &blank(start), &blank(back)]);
    // One day: administered, if present.
    check(&one_day, ["", "", MON], &[]);
    check(&one_day, ["", "", ""], &[]);
    check(&one_day, [MON, "", ""], &[&blank(start)]);
    check(&one_day, ["", WED, MON], &[&blank(back)]);
    // Several days: start and return, if present, and both.
    for several in [&next_day, &plan_end] {
        check(several, [MON, WED, ""], &[]);
        check(several, ["", "", ""], &[]);
        check(several, [MON, "", ""], &[&needed(back)]);
        check(several, ["", WED, ""], &[&needed(start)]);
        check(several, [WED, MON, ""], &[&format!("{back} date.order")]);
        check(several, ["", "", MON], &[&blank(administered)]);
    }
    // The next day in session is no weekend; the plan's last day may be.
    check(&next_day, [MON, SAT, ""], &[&format!("{back} record.refused?")]);
    check(&plan_end, [MON, SAT, ""], &[]);
    // 130 starts and has no return date.
    check(&["130"], [MON, "", ""], &[]);
    check(&["130"], [MON, WED, ""], &[&blank(back)]);
    // Administered, or start and return: the table of dates is followed, not the formula that leaves the return blank.
    check(&either, ["", "", MON], &[]);
    check(&either, [MON, WED, ""], &[]);
    check(&either, ["", "", ""], &[&needed(start), &needed(back)]);
    check(&either, [MON, "", ""], &[&needed(back)]);
    check(&either, ["", WED, MON], &[&format!("{back} record.refused")]);
    check(&either, [MON, "", MON], &[&format!("{start} record.refused")]);
    // An action without a rule: a return date has no place, the other two are taken.
    check(&["055"], [MON, "", ""], &["action_code code.unknown?"]);
    check(&["055"], ["", WED, ""], &["action_code code.unknown?", &blank(back)]);
}

#[test]
fn corporal_punishment_and_alternate_sites_go_with_their_actions() {
    // The description writes 90 and 95; the code has three digits.
    for action in ["090", "095", "100", "180"] {
        let row = row("092", &[("action_code", "090")]).with(la(), &[("action_code", action)]);
        check_row(&row, &[], &[]);
    }
    let punished = row("092", &[("action_code", "090")]);
    check_row(&punished, &[("action_code", "90")], &["action_code digits.length"]);
    check_row(
        &punished,
        &[("action_code", "001")],
        &[
            "administrator_type field.blank_unless",
            "administrator_last_name field.blank_unless",
            "administrator_first_name field.blank_unless",
        ],
    );
    let elsewhere = row("092", &[("action_code", "006")]);
    check_row(&elsewhere, &[("action_code", "007")], &[]);
    check_row(&elsewhere, &[("action_code", "004")], &["alternate_site_code field.blank_unless"]);
    let on_one_day = [("discipline_start_date", ""), ("discipline_return_date", ""), ("action_code", "010")];
    check_row(&elsewhere, &on_one_day, &[]);
}

#[test]
fn local_identifiers_are_required_where_the_description_says_so() {
    for (code, required) in [
        ("010", true),
        ("040", true),
        ("050", true),
        ("091", false),
        ("092", false),
        ("110", false),
        ("120", false),
        ("130", true),
        ("140", true),
    ] {
        let expect: &[&str] = if required { &["local_id field.required"] } else { &[] };
        check_row(&row(code, &[]), &[("local_id", "")], expect);
    }
}

#[test]
fn addresses_are_required_of_one_district() {
    let address = row("120", &[]);
    check_row(&address, &[("postal_code", ""), ("state", "")], &[]);
    check_row(&address, &[("lea_code", "A02"), ("postal_code", "")], &["postal_code field.required_when"]);
    check_row(&address, &[("postal_code", "7009")], &["postal_code digits.length"]);
}

#[test]
fn a_screening_has_a_score_or_an_exception() {
    for (code, of) in [("140", "screener"), ("141", "assessment")] {
        let field = |name: &str| format!("{of}_{name}");
        let (score, test, exception) = (field("score"), field("test_type"), field("exception"));
        let taken = row(code, &[(&exception, "")]);
        check_row(
            &taken,
            &[(&score, "")],
            &[&format!("{exception} field.required_when"), &format!("{score} field.required_when")],
        );
        check_row(&taken, &[(&test, "")], &[&format!("{test} field.required_when")]);
        check_row(&taken, &[(&score, ""), (&test, ""), (&exception, "01")], &[]);
        check_row(&taken, &[(&score, if code == "140" { "7 " } else { "7  " })], &[&format!("{score} digits.length")]);
    }
    check_row(&row("140", &[]), &[("lld_10", "7")], &["lld_10 code.unknown"]);
    check_row(&row("140", &[]), &[("beginning_session_year", "0018")], &["beginning_session_year number.range"]);
}

#[test]
fn lines_that_are_no_record_are_named_and_the_others_load() {
    let rows = of_sample(la());
    let clean = String::from_utf8(written(la(), &rows)).expect("it is text");
    let lines: Vec<&str> = clean.lines().collect();
    let check = |file: &str, expect: &str, lost: usize| {
        let (items, summary) = read_all(la(), file.as_bytes());
        let found: Vec<String> =
            items.iter().flat_map(findings_of).map(|found| format!("{} {}", found.line, found.rule)).collect();
        assert_eq!((found, summary.rejected), (vec![expect.to_owned()], lost as u64));
        let good = items.iter().filter(|item| matches!(item, Item::Person { .. })).count();
        assert_eq!(good, rows.len() - lost);
        let mut checked = Vec::new();
        let mut sink = |found| {
            checked.push(found);
            ControlFlow::Continue(())
        };
        check::check_file(&mut file.as_bytes(), la(), tables(la()), intake::read::Sender::default(), &mut sink)
            .expect("memory can be read");
        assert_eq!(checked.len(), 1, "checking says the same");
    };
    for (index, line) in lines.iter().enumerate() {
        let number = index + 1;
        let with = |new: &str| {
            let mut changed = lines.clone();
            changed[index] = new;
            changed.join("\n") + "\n"
        };
        check(&with(&format!("{line} ")), &format!("{number} record.length"), 1);
        check(&with(&line[..line.len() - 1]), &format!("{number} record.length"), 1);
        check(&with(&format!("{}099{}", &line[..6], &line[9..])), &format!("{number} record.unknown_kind"), 1);
        let mut last = lines.clone();
        let moved = last.remove(index);
        last.push(moved);
        for cut in [1, 4, 8, line.len() - 1] {
            let file = last.join("\n");
            let file = &file[..file.len() - line.len() + cut];
            check(file, &format!("{} file.truncated", lines.len()), 1);
        }
    }
}

#[test]
fn a_file_of_another_layout_is_named_before_anything_loads() {
    let other = layout("tcs-4.0");
    let bytes = written(other, &of_sample(other));
    let (items, _) = read_all(la(), &bytes);
    let [Item::File(finding)] = items.as_slice() else { panic!("{items:?}") };
    assert_eq!((finding.rule.as_str(), finding.severity), ("file.wrong_layout", Severity::Fatal));
    assert!(finding.message.contains("tcs-4.0"));
}

#[test]
fn numbers_are_written_with_the_zeros_their_fields_want() {
    let object =
        r#"{"record":"091","lea_code":"990","state_id":"9900000017","event_id":423,"session_year":"20182019"}"#;
    let mut out = Vec::new();
    let mut none = |found: intake::Finding| panic!("{found:?}");
    convert::from_ndjson(&mut object.as_bytes(), la(), &mut out, &mut none).expect("memory can be written");
    assert_eq!(out.get(28..46), Some(b"000000042320182019".as_slice()));
    let object = r#"{"record":"040","absences":"12"}"#;
    let mut out = Vec::new();
    convert::from_ndjson(&mut object.as_bytes(), la(), &mut out, &mut none).expect("memory can be written");
    assert_eq!(out.get(55..59), Some(b"0012".as_slice()));
}

/// An element of the facts that a record makes.
fn value(row: &Row, id: &str) -> Option<Value> {
    let (domain, element) = id.split_once('.').expect("an id has two parts");
    let (items, _) = read_all(la(), &written(la(), std::slice::from_ref(row)));
    let facts = items.into_iter().find_map(|item| match item {
        Item::Person { facts, .. } => Some(facts),
        _ => None,
    });
    let facts = facts.expect("the record is good");
    assert!(facts.iter().all(|fact| fact.school_year == Some(SchoolYear(2018))), "{id}");
    facts.iter().filter(|fact| fact.domain.name() == domain).find_map(|fact| fact.payload.get(element).cloned())
}

#[test]
fn what_names_another_agency_stands_in_its_own_elements() {
    let moved = row("040", &[("exit_reason", "12")]);
    assert_eq!(value(&moved, "enrollment.exit_withdraw_type"), None);
    let text = |text: &str| Some(Value::Text(text.to_owned()));
    assert_eq!(value(&moved, "enrollment.other_agency_exit_type"), text("Transferred to a correctional institution"));
    assert_eq!(value(&moved, "enrollment.special_program_status"), text("Awaiting foster care"));
    let left = row("040", &[("exit_reason", "08")]);
    assert_eq!(value(&left, "enrollment.other_agency_exit_type"), None);
    assert_eq!(value(&left, "enrollment.special_program_status"), None);
    assert_eq!(value(&left, "attendance.days_absent"), Some(Value::Integer(12)));
    assert_eq!(value(&left, "attendance.truant"), Some(Value::Boolean(true)));
}

#[test]
fn a_flag_outside_its_table_says_nothing() {
    let arrested = row("091", &[("arrest_resulted", "Y")]);
    assert_eq!(value(&arrested, "discipline.arrested"), Some(Value::Boolean(true)));
    assert_eq!(
        value(&arrested.with(la(), &[("arrest_resulted", "N")]), "discipline.arrested"),
        Some(Value::Boolean(false))
    );
    assert_eq!(value(&arrested.with(la(), &[("arrest_resulted", "3")]), "discipline.arrested"), None);
    let reported = arrested.with(la(), &[("reported_to_law_enforcement", "6")]);
    assert_eq!(value(&reported, "discipline.reported_to_law_enforcement"), Some(Value::Boolean(true)));
}

#[test]
fn a_prefix_is_never_a_name() {
    let student = row("010", &[]);
    for name in ["last_surname", "first_name", "birth_date", "sis_last_name"] {
        assert_eq!(value(&student, &format!("student.{name}")), None);
    }
    assert_eq!(value(&student, "student.birth_day"), Some(Value::Integer(29)));
}

#[test]
fn the_page_says_what_is_provisional() {
    let page = describe::page(la());
    for text in [
        "Code `141`, 55 characters; provisional",
        "Code `092`, 132 characters; as the source publishes it",
        "- `11` Exit reason 11 (provisional)",
        "- `002` Out-of-school suspension (verified)",
        "is a Saturday or a Sunday",
    ] {
        assert!(page.contains(text), "{text}");
    }
}
