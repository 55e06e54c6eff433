//! What real files hold that they should not: each case beside some thousand invented people, through the two-file command's own function.

#[path = "../testing/invented.rs"]
#[expect(dead_code, reason = "measurements ask more of it")]
mod invented;

use std::{collections::BTreeMap, fmt::Write as _};

use identity::{Config, link::link_files};
use invented::{NamePool, Profile, invent};

const HEADER: &str = "id,sasid,first_name,middle_name,last_name,birth_date,sex,town,zip\n";

/// Outcome and probability by left and right id.
type Pairs = BTreeMap<(String, String), (String, f64)>;

/// Links cases, rows of their own on both sides, beside people with whom they have nothing to do. Gives outcome and probability by
/// (left, right), for the cases alone, and how many findings there were.
fn link(lefts: &str, rights: &str) -> (Pairs, u64) {
    let world = invent(&NamePool::built_in(), 4_000, 800, 17, Profile::ROSTER);
    let side = |people: &[identity::Person], cases: &str| {
        let mut text = String::from(HEADER);
        for person in people {
            let (name, home) = (&person.names[0], &person.addresses[0]);
            let birth = person.birth_dates.first().map(ToString::to_string).unwrap_or_default();
            let (first, middle, last) = (&name.first, &name.middle, &name.last);
            let (sex, town, zip) = (person.sex.as_deref().unwrap_or(""), &home.town, &home.zip);
            writeln!(text, "{},,{first},{middle},{last},{birth},{sex},{town},{zip}", person.id).expect("a text");
        }
        text + cases
    };
    let folder = tempfile::tempdir().expect("a folder");
    let [left, right, out] = ["left.csv", "right.csv", "pairs.csv"].map(|name| folder.path().join(name));
    std::fs::write(&left, side(&world.left, lefts)).expect("written");
    std::fs::write(&right, side(&world.right, rights)).expect("written");
    let config = Config { random_pairs: 200_000, ..Config::default() };
    let report = link_files(&left, &right, &out, None, None, &config, &|_, _, _| {}).expect("linked");
    let pairs = std::fs::read_to_string(&out).expect("pairs");
    let pair = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let is_case = |id: &str| id.starts_with("case-");
        assert_eq!(is_case(fields[0]) && fields[3] == "match", is_case(fields[1]) && fields[3] == "match", "{line}");
        let key = (fields[0].to_owned(), fields[1].to_owned());
        is_case(fields[1]).then(|| (key, (fields[3].to_owned(), fields[2].parse().expect("a probability"))))
    };
    (pairs.lines().skip(1).filter_map(pair).collect(), report.findings_total)
}

/// What became of one case beside its own left row.
fn check(name: &str, left: &str, right: &str, expect: &[&str]) {
    let (pairs, _) = link(&format!("case-L,{left}\n"), &format!("case-R,{right}\n"));
    let outcome = pairs.get(&("case-L".to_owned(), "case-R".to_owned())).map_or("unlisted", |(outcome, _)| outcome);
    assert!(expect.contains(&outcome), "{name}: {outcome}, {pairs:?}");
}

const CHILD: &str = ",Oristelle,Wendo,Quincewood,2010-03-14,F,Hartford,06103";

#[test]
fn capitals_and_accents_and_their_loss_cost_nothing() {
    check("as it is", CHILD, CHILD, &["match"]);
    check("capitals", CHILD, ",ORISTELLE,WENDO,QUINCEWOOD,2010-03-14,F,HARTFORD,06103", &["match"]);
    let accents = ",Oristéllé,Wendó,Quiñcewood,2010-03-14,F,Hartford,06103";
    check("accents on one side", CHILD, accents, &["match"]);
    let apart = ",Oriste\u{301}lle\u{301},Wendo\u{301},Quin\u{303}cewood,2010-03-14,F,Hartford,06103";
    check("accents apart from their letters", accents, apart, &["match"]);
    let lost = ",Orist?ll?,Wend?,Qui?cewood,2010-03-14,F,Hartford,06103";
    check("letters lost with their accents", accents, lost, &["match", "review"]);
}

#[test]
fn missing_and_one_letter_names_are_never_linked_without_a_person() {
    for (name, right) in [
        ("no first name", ",,Wendo,Quincewood,2010-03-14,F,Hartford,06103"),
        ("no name at all", ",,,,2010-03-14,F,Hartford,06103"),
        ("nothing", ",,,,,,,"),
        ("one letter and one letter", ",O,,Q,2010-03-14,F,Hartford,06103"),
        ("another letter", ",B,,Quincewood,2010-03-14,F,Hartford,06103"),
    ] {
        check(name, CHILD, right, &["review", "non_match", "unlisted"]);
    }
    // What is missing is no evidence: without a surname a rare first name, the middle name, birth date and home may still be enough.
    check("no surname", CHILD, ",Oristelle,Wendo,,2010-03-14,F,Hartford,06103", &["match", "review"]);
    check("a surname alone", CHILD, ",,,Quincewood,,,Hartford,06103", &["review", "non_match", "unlisted"]);
    // One letter that agrees is weak: with the same surname and birth date a twin would look the same.
    check("an initial", CHILD, ",O,,Quincewood,2010-03-14,F,Hartford,06103", &["review"]);
    check(
        "an unreported name",
        CHILD,
        ",UNKNOWN,,Quincewood,2010-03-14,F,Hartford,06103",
        &["review", "non_match", "unlisted"],
    );
}

#[test]
fn dates_that_stand_for_unknown_are_no_evidence() {
    let dated = |date: &str| CHILD.replace("2010-03-14", date);
    for date in ["1900-01-01", "1901-01-01", "9999-12-31", "1899-12-30", "01/01", "0000-00-00", "2010-02-30"] {
        let (pairs, findings) = link(&format!("case-L,{CHILD}\n"), &format!("case-R,{}\n", dated(date)));
        assert_eq!(findings, 1, "{date} is said");
        let found = pairs.get(&("case-L".to_owned(), "case-R".to_owned())).map(|(outcome, _)| outcome.as_str());
        assert!(found.is_some(), "{date}: the person is compared on the rest: {pairs:?}");
    }
    // Two strangers of one common name who both have the same placeholder.
    let (one, other) = (",Mira,,Anders,1900-01-01,F,Hartford,06103", ",Mira,,Anders,1900-01-01,F,Stamford,06901");
    let (pairs, findings) = link(&format!("case-L,{one}\n"), &format!("case-R,{other}\n"));
    assert_eq!(findings, 2);
    assert!(pairs.values().all(|(outcome, _)| outcome != "match"), "{pairs:?}");
    // The first of January of the right year says less than the day, and contradicts less than another day.
    let [same, new_year, another] = ["2010-03-14", "2010-01-01", "2010-07-29"].map(|date| {
        let (pairs, _) = link(&format!("case-L,{CHILD}\n"), &format!("case-R,{}\n", dated(date)));
        pairs.get(&("case-L".to_owned(), "case-R".to_owned())).map_or(0.0, |(_, probability)| *probability)
    });
    assert!(same >= new_year && new_year >= another, "{same} {new_year} {another}");
}

#[test]
fn one_client_under_two_ids_waits_for_a_person() {
    let (pairs, _) = link(&format!("case-L,{CHILD}\n"), &format!("case-R1,{CHILD}\ncase-R2,{CHILD}\n"));
    for right in ["case-R1", "case-R2"] {
        let (outcome, _) = &pairs[&("case-L".to_owned(), right.to_owned())];
        assert_eq!(outcome, "review", "{pairs:?}");
    }
}

#[test]
fn a_state_id_is_never_trusted_alone() {
    let with = |sasid: &str, child: &str| format!("{sasid}{child}");
    // Somebody of another name and birth date.
    let stranger = with("0012345678", ",Tavian,,Musterbrook,2012-09-27,M,Stamford,06901");
    check("somebody else's", &with("0012345678", CHILD), &stranger, &["review", "non_match", "unlisted"]);
    // The same without its leading zeros: the birth date or the name beside it bears it out.
    check("without its leading zeros", &with("0012345678", CHILD), &with("12345678", CHILD), &["match"]);
    let renamed = with("12345678", ",Oristelle,,Stranger,2010-03-14,F,Stamford,06901");
    check("borne out by first name and birth date", &with("0012345678", CHILD), &renamed, &["match"]);
    // Two clients claim it: the child whose it is, and another.
    let rights = format!("case-R1,{}\ncase-R2,{stranger}\n", with("12345678", CHILD));
    let (pairs, _) = link(&format!("case-L,{}\n", with("0012345678", CHILD)), &rights);
    let of = |right: &str| pairs.get(&("case-L".to_owned(), right.to_owned())).map(|(outcome, _)| outcome.as_str());
    assert!(of("case-R2") != Some("match"), "{pairs:?}");
    // Two strangers to the file who were given one id: neither is linked to the other's student.
    let other = with("12345678", ",Tavian,,Musterbrook,2012-09-27,M,Stamford,06901");
    let third = with("12345678", ",Brunix,,Exempelova,2006-11-02,M,Danbury,06810");
    let (pairs, _) =
        link(&format!("case-L,{}\n", with("0012345678", CHILD)), &format!("case-R1,{other}\ncase-R2,{third}\n"));
    assert!(pairs.values().all(|(outcome, _)| outcome != "match"), "{pairs:?}");
}
