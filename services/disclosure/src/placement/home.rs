//! Whose home district a placed student's is.
//!
//! The history is read as everybody outside sees it, with what other agencies did taken out of it: so a stay that the facility itself reported is the home
//! district's, and the exit into a facility ends nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use domains::{Organizations, StoredFact, conceal_other_agency, definition, fold};
use model::{Domain, Row, Sea, SourcePersonId};

/// The district, and under which of the state's ids it reports the student.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) office: String,
    pub(super) person: SourcePersonId,
}

/// The one district that reports the student as enrolled on a day: the nexus district where it is reported, else the district itself. `None` where no district
/// does, or where several do: a guess could tell the wrong one.
pub(super) fn find(facts: Vec<StoredFact>, sea: &Sea, organizations: &Organizations, day: NaiveDate) -> Option<Home> {
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

/// Whether a stay is known to cover a day. One that ended on a day not reported covers the days on which the student was seen.
fn covers(row: &Row, day: NaiveDate) -> bool {
    let begun = row.find_date("entry_date").or_else(|| row.find_date("first_seen_date"));
    let ended = row.find_date("exit_withdraw_date");
    let is_open = ended.is_none() && row.find("exit_basis").is_none();
    let last = ended.or_else(|| row.find_date("last_seen_date"));
    begun.is_some_and(|begun| begun <= day) && (is_open || last.is_some_and(|last| day <= last))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::{BatchId, Certification, Lineage, Period, SchoolYear, Value};

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
        check(vec![detained], "2026-11-10", None);
    }

    #[test]
    fn where_two_districts_report_the_same_day_nobody_is_told() {
        let hartford = fact("register", 1, "064", "0646311", "2026-08-28");
        let moved = fact("register", 2, "093", "0936311", "2026-10-01");
        let late = fact("unregister", 3, "064", "0646311", "2026-11-15");
        check(vec![hartford, moved, late], "2026-11-10", None);
    }
}
