//! Whose home district a placed student's is.
//!
//! Only what districts report of their own students counts. What a facility reports says nothing of where home is: concealment, which has to print something,
//! puts it to the nearest district that there ever was, and a notice must not go there. An exit into a facility ends nothing for a while; any other does.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use domains::{Organizations, StoredFact, conceal_other_agency, definition, fold, names_other_agency};
use model::{Domain, Row, SchoolYear, Sea, SourcePersonId};

/// The district, and under which of the state's ids it reports the student.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) office: String,
    pub(super) person: SourcePersonId,
}

/// For how many days after an exit that leads to another agency the district is still home, if no other reports the student: a summer.
const AWAY_DAYS: u64 = 75;

/// For how many school years after the one in which it was last reported a stay that nobody ended still counts.
const SEEN_YEARS: i16 = 2;

/// The one district that reports the student as enrolled on a day: the nexus district where it is reported, else the district itself. `None` where no district
/// does, or where several do: a guess could tell the wrong one.
pub(super) fn find(facts: Vec<StoredFact>, sea: &Sea, organizations: &Organizations, day: NaiveDate) -> Option<Home> {
    let facts = facts.into_iter().filter_map(|fact| of_district(fact, organizations, day)).collect();
    let mut facts = conceal_other_agency(facts, &BTreeSet::new(), organizations);
    let elements = definition(Domain::Enrollment);
    for fact in &mut facts {
        fact.payload.retain(|name, _| elements.find_element(name).is_some_and(|element| !element.class.is_guarded()));
    }
    let rows = fold(Domain::Enrollment, &facts, organizations);
    let mut homes: BTreeMap<String, BTreeSet<SourcePersonId>> = BTreeMap::new();
    for row in rows.iter().filter(|row| &*row.source.sea == sea.as_str() && covers(row, day)) {
        let code = row.find_text("nexus_district_id").or_else(|| row.find_text("local_education_agency_id"));
        // A stay without a district could be anywhere.
        let (code, person) = (code?, row.source.person?);
        homes.entry(code.to_owned()).or_default().insert(person);
    }
    let (office, persons) = homes.pop_first()?;
    // Of several of the state's ids under which the district reports the child, the one that came last.
    let person = persons.last().copied()?;
    let is_clear = homes.is_empty() && !organizations.reveals_other_agency(sea.as_str(), &office);
    is_clear.then_some(Home { office, person })
}

/// What a report says of a district's own student; `None`: it is a facility's, or an exit into one shortly before the day.
fn of_district(mut fact: StoredFact, organizations: &Organizations, day: NaiveDate) -> Option<StoredFact> {
    let reveals = |code: &String| organizations.reveals_other_agency(&fact.sea, code);
    if fact.lea.as_ref().is_none_or(reveals) {
        return None;
    }
    // A district that names the facility as the school of its own student is the district all the same.
    if fact.facility.as_ref().is_some_and(reveals) {
        fact.facility = None;
        for element in ["school_id", "school_name", "town_name"] {
            fact.payload.remove(element);
        }
    }
    let leads_away = fact.kind == "unregister"
        && (fact.find("other_agency_exit_type").is_some()
            || fact.find_text("exit_withdraw_type").is_some_and(names_other_agency));
    let is_recent = |exit: NaiveDate| exit.checked_add_days(Days::new(AWAY_DAYS)).is_none_or(|last| day <= last);
    let is_seam = leads_away && fact.find_date("exit_withdraw_date").is_some_and(is_recent);
    (!is_seam).then_some(fact)
}

/// Whether a stay is known to cover a day. One that ended on a day not reported covers the days on which the student was seen.
fn covers(row: &Row, day: NaiveDate) -> bool {
    let begun = row.find_date("entry_date").or_else(|| row.find_date("first_seen_date"));
    let ended = row.find_date("exit_withdraw_date");
    let is_open = ended.is_none() && row.find("exit_basis").is_none();
    let last = ended.or_else(|| row.find_date("last_seen_date"));
    // One that nobody ended and nobody has reported for long proves nothing: the family may have moved long ago.
    let year = |day| SchoolYear::containing(day).0;
    let is_current = || last.or(begun).is_some_and(|last| year(day) <= year(last) + SEEN_YEARS);
    begun.is_some_and(|begun| begun <= day) && (is_open && is_current() || last.is_some_and(|last| day <= last))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{BatchId, Certification, Lineage, Period, Value};

    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn organizations() -> Organizations {
        Organizations::with_rule(|sea, code| reference::other_agency(sea, code).is_some())
    }

    /// A report of a district about a person (1 unless said otherwise), learned in the order of lines.
    fn fact(kind: &str, line: u32, lea: &str, facility: &str, on: &str) -> StoredFact {
        let (sea, person): (Arc<str>, _) = (Arc::from("ct"), SourcePersonId(1));
        let element = match kind {
            "unregister" => "exit_withdraw_date",
            "collection" => "snapshot_date",
            _ => "entry_date",
        };
        let payload = [
            ("local_education_agency_id", Value::Text(lea.to_owned())),
            ("school_id", Value::Text(facility.to_owned())),
            (element, Value::Date(day(on))),
        ];
        StoredFact {
            source_person: person,
            sea: Arc::clone(&sea),
            domain: Domain::Enrollment,
            kind: kind.to_owned(),
            school_year: Some(SchoolYear::containing(day(on))),
            valid: Period::new(Some(day(on)), None).expect("a period"),
            lea: Some(lea.to_owned()),
            facility: Some(facility.to_owned()),
            certification: Certification::Certified,
            source: Lineage {
                batch: BatchId(1),
                file: Arc::from("file"),
                line,
                recorded_on: Some(day("2026-11-20")),
                reported_on: None,
                sea,
                person: Some(person),
            },
            concealed: false,
            payload: payload.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }

    fn nexus(mut fact: StoredFact, code: &str) -> StoredFact {
        fact.payload.insert("nexus_district_id".to_owned(), Value::Text(code.to_owned()));
        fact
    }

    fn check(facts: Vec<StoredFact>, on: &str, expect: Option<&str>) {
        let sea = "ct".parse().expect("a state");
        let found = find(facts, &sea, &organizations(), day(on)).map(|home| home.office);
        assert_eq!(found.as_deref(), expect, "on {on}");
    }

    #[test]
    fn home_is_the_one_district_that_reports_the_student() {
        let hartford = || fact("register", 1, "064", "0646311", "2026-08-28");
        check(vec![hartford()], "2026-11-10", Some("064"));
        check(vec![hartford()], "2026-08-27", None);
        check(vec![hartford(), fact("unregister", 2, "064", "0646311", "2026-10-01")], "2026-11-10", None);
        check(vec![hartford(), fact("register", 2, "093", "0936311", "2026-10-01")], "2026-11-10", Some("093"));
        check(vec![], "2026-11-10", None);
        // Registered once, and neither ended nor seen for years; and the same, seen last October.
        let forgotten = || fact("register", 1, "064", "0646311", "2021-08-28");
        check(vec![forgotten()], "2024-11-10", None);
        check(vec![forgotten()], "2022-11-10", Some("064"));
        check(vec![forgotten(), fact("collection", 2, "064", "0646311", "2025-10-01")], "2026-11-10", Some("064"));
        // A magnet school's district reports who the home district is.
        let magnet = vec![
            fact("register", 1, "241", "2416411", "2026-08-28"),
            nexus(fact("collection", 2, "241", "2416411", "2026-10-01"), "064"),
        ];
        check(magnet, "2026-11-10", Some("064"));
    }

    #[test]
    fn what_the_facility_reports_changes_nothing_of_where_home_is() {
        let hartford = fact("register", 1, "064", "0646311", "2026-08-28");
        let detained = fact("register", 2, "348", "3480115", "2026-11-09");
        check(vec![hartford.clone(), detained.clone()], "2026-11-10", Some("064"));
        check(vec![detained.clone()], "2026-11-10", None);
        // Nor is a district home that the student had left, long ago or of late.
        for left_on in ["2026-09-01", "2026-11-02"] {
            let left = fact("unregister", 3, "064", "0646311", left_on);
            check(vec![hartford.clone(), left, detained.clone()], "2026-11-10", None);
        }
        let long_ago = fact("register", 1, "064", "0646311", "2024-08-28");
        let left = fact("unregister", 2, "064", "0646311", "2025-06-13");
        check(vec![long_ago, left, nexus(detained.clone(), "064")], "2026-11-10", None);
        // Whoever names the facility as the school of its own student is home; not whoever had the student before.
        let at_facility = fact("register", 3, "093", "3480115", "2026-11-05");
        check(vec![hartford, at_facility, detained], "2026-11-10", Some("093"));
    }

    #[test]
    fn an_exit_into_a_facility_ends_nothing_for_a_while() {
        let hartford = fact("register", 1, "064", "0646311", "2026-08-28");
        let mut into = fact("unregister", 2, "064", "0646311", "2026-11-09");
        into.payload
            .insert("other_agency_exit_type".to_owned(), Value::Text("Transferred to an institution".to_owned()));
        check(vec![hartford.clone(), into.clone()], "2026-11-10", Some("064"));
        check(vec![hartford.clone(), into.clone()], "2027-03-01", None);
        let elsewhere = fact("register", 3, "093", "0936311", "2026-11-09");
        check(vec![hartford, into, elsewhere], "2026-11-10", Some("093"));
    }

    #[test]
    fn where_two_districts_report_the_same_day_nobody_is_told() {
        let hartford = fact("register", 1, "064", "0646311", "2026-08-28");
        let moved = fact("register", 2, "093", "0936311", "2026-10-01");
        let late = fact("unregister", 3, "064", "0646311", "2026-11-15");
        check(vec![hartford, moved, late], "2026-11-10", None);
    }
}
