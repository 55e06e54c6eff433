//! What has come of a collection, and as whose report it counts.

use std::collections::BTreeSet;

use domains::Organizations;

/// That something has come, whoever it was about. Codes are the state's.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Report {
    /// The reporting district.
    pub lea: Option<String>,
    /// The reporting facility.
    pub facility: Option<String>,
    /// The district whose student it was about, where the report says it.
    pub nexus: Option<String>,
}

/// What has come of a collection, or of a later one in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Come {
    /// The districts, by code, of which anything has: of those asked about.
    pub districts: BTreeSet<String>,
    /// Whether something has that counts as every district's.
    pub is_of_all: bool,
    /// Whether anything has, of any district.
    pub is_begun: bool,
    /// Whether anything of it had come a year earlier: a collection that a state never brought here is not awaited.
    pub is_usual: bool,
}

impl Come {
    /// Takes a report of a state in.
    ///
    /// What another agency's facility reports of a student is disclosed as a report of the student's own district. A recipient who read beside another
    /// student of that district that it has not reported could tell from it who is in a facility. So such a report is its nexus district's too; and
    /// where it names none, and each student of it is disclosed at a district that it does not know, every district's.
    pub fn add(&mut self, sea: &str, report: &Report, organizations: &Organizations) {
        let reveals = |code: &String| organizations.reveals_other_agency(sea, code);
        self.districts.extend(report.lea.clone());
        if report.lea.iter().chain(&report.facility).any(reveals) {
            match &report.nexus {
                Some(nexus) if !reveals(nexus) => {
                    self.districts.insert(nexus.clone());
                }
                _ => self.is_of_all = true,
            }
        }
    }

    /// Whether anything has come that counts as this district's.
    pub fn is_of(&self, district: &str) -> bool {
        self.is_of_all || self.districts.contains(district)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::other_agency;

    #[test]
    fn what_a_facility_reports_counts_as_the_district_as_which_it_is_disclosed() {
        fn check([lea, facility, nexus]: [&str; 3], expect: [bool; 3]) {
            let code = |code: &str| Some(code.to_owned()).filter(|code| !code.is_empty());
            let report = Report { lea: code(lea), facility: code(facility), nexus: code(nexus) };
            let organizations = Organizations::with_rule(|sea, code| other_agency(sea, code).is_some());
            let mut come = Come::default();
            come.add("ct", &report, &organizations);
            assert_eq!(["064", "093", "348"].map(|district| come.is_of(district)), expect, "{report:?}");
        }
        check(["064", "0646311", ""], [true, false, false]);
        // A district reports a student of another's: it is its own report.
        check(["064", "0646311", "093"], [true, false, false]);
        check(["348", "3480115", "064"], [true, false, true]);
        check(["", "3480115", "093"], [false, true, false]);
        check(["064", "3480115", "093"], [true, true, false]);
        for nexus in ["", "348", "347"] {
            check(["348", "3480115", nexus], [true, true, true]);
            check(["064", "3480115", nexus], [true, true, true]);
        }
        check(["", "0646311", ""], [false, false, false]);
    }
}
