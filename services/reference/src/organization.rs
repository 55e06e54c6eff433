//! Organizations: the shipped list of a state, and which of them reveal another agency.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use domains::Organizations;

use crate::Error;

/// One name of an organization, as a source gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationName {
    /// The state's code.
    pub code: String,
    /// The name.
    pub name: String,
    /// What it is, in the source's words.
    pub organization_type: String,
    /// The code of the district it belongs to.
    pub parent_code: Option<String>,
    /// The town it lies in.
    pub town: Option<String>,
    /// First day of this name, if the source says.
    pub valid_from: Option<NaiveDate>,
    /// Read in a public source, or not certain.
    pub verified: bool,
}

/// The agency whose involvement an organization reveals, by its state code.
///
/// Connecticut (Education Directory): 336 is Unified School District #1 (Correction) and 348 the Judicial Centers of CSSD; 347 is Unified
/// School District #2 (Children and Families). The first three digits of a facility code are its district.
///
/// Louisiana: A02 is the school district of the Office of Juvenile Justice. No public source at hand confirms the number; were it
/// another district's, its stays would be shown as ordinary ones of the home district, which discloses nothing.
pub fn other_agency(sea: &str, code: &str) -> Option<&'static str> {
    OTHER_AGENCIES
        .iter()
        .find(|(state, begin, _)| *state == sea && code.starts_with(begin))
        .map(|(_, _, agency)| *agency)
}

/// State, how the codes begin, agency.
const OTHER_AGENCIES: [(&str, &str, &str); 4] =
    [("ct", "336", "justice"), ("ct", "347", "child_welfare"), ("ct", "348", "justice"), ("la", "A02", "justice")];

/// How the codes begin of all organizations that may reveal another agency, by state: whatever [`Organizations::reveals_other_agency`] says yes to begins
/// with one of them, and so may others. For statements that find codes by how they begin.
pub fn revealing_codes(organizations: &Organizations) -> BTreeSet<(String, String)> {
    let listed = organizations.listed_other_agency().filter(|(sea, code)| other_agency(sea, code).is_none());
    let known = OTHER_AGENCIES.iter().map(|(sea, begin, _)| (*sea, *begin));
    known.chain(listed).map(|(sea, begin)| (sea.to_owned(), begin.to_owned())).collect()
}

/// Table A of Connecticut as the Education Directory publishes it.
pub const CT_ORGANIZATIONS: &str = include_str!("../tables/ct/organizations.csv");

/// The list of organizations shipped for a state; empty for a state without one.
///
/// Connecticut's resident-town and reporting-district codes have three digits, its facility codes seven; a district stands in
/// the list under both.
pub fn shipped_organizations(sea: &str) -> Result<Vec<OrganizationName>, Error> {
    if sea != "ct" {
        return Ok(Vec::new());
    }
    let corrupt = |reason: String| Error::Corrupt { table: "ct/organizations.csv", reason };
    let mut list = Vec::new();
    let mut reader = csv::Reader::from_reader(CT_ORGANIZATIONS.as_bytes());
    for record in reader.records() {
        let record = record.map_err(|error| corrupt(error.to_string()))?;
        let field = |index: usize| record.get(index).map(str::to_owned).filter(|text| !text.is_empty());
        let line = record.position().map_or(0, csv::Position::line);
        let (Some(code), Some(name), Some(kind), Some(district)) = (field(0), field(1), field(2), field(3)) else {
            return Err(corrupt(format!("line {line}: code, name, organization_type and district_code are needed")));
        };
        let valid_from = match field(8) {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| corrupt(format!("line {line}: open_date is no day")))?),
        };
        let verified = field(9).as_deref() == Some("verified");
        let organization = OrganizationName {
            code,
            name,
            organization_type: kind,
            parent_code: Some(district.clone()),
            town: field(5),
            valid_from,
            verified,
        };
        if organization.code.get(3..5) == Some("00") {
            list.push(OrganizationName { code: district, parent_code: None, ..organization.clone() });
        }
        list.push(organization);
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use domains::Organization;
    use model::Period;

    use super::*;

    #[test]
    fn the_shipped_table_reads_and_knows_the_detention_centres() {
        let list = shipped_organizations("ct").expect("the shipped table reads");
        let find = |code: &str| list.iter().find(|o| o.code == code).map(|o| o.name.as_str());
        assert_eq!(find("3480115"), Some("Bridgeport Detention Center"));
        assert_eq!(find("064"), Some("Hartford School District"));
        assert_eq!(other_agency("ct", "3480115"), Some("justice"));
        assert_eq!(other_agency("ct", "347"), Some("child_welfare"));
        assert_eq!(other_agency("ct", "0646111"), None);
        assert_eq!(other_agency("la", "A02001"), Some("justice"));
        assert_eq!(other_agency("la", "347001"), None);
    }

    #[test]
    fn whatever_reveals_another_agency_begins_with_a_revealing_code() {
        fn check(
            organizations: &Organizations,
            codes: &BTreeSet<(String, String)>,
            (sea, code): (&str, &str),
            expect: bool,
        ) {
            assert_eq!(organizations.reveals_other_agency(sea, code), expect, "{sea} {code}");
            let begins = codes.iter().any(|(state, begin)| state == sea && code.starts_with(begin));
            assert_eq!(begins, expect, "{sea} {code}");
        }
        let mut organizations = Organizations::with_rule(|sea, code| other_agency(sea, code).is_some());
        let other = |other_agency| Organization {
            valid: Period::ALWAYS,
            name: "Invented".to_owned(),
            town: None,
            parent: None,
            other_agency,
        };
        organizations.insert("ct", "9010115", other(true));
        organizations.insert("ct", "3480115", other(true));
        organizations.insert("ct", "0646111", other(false));
        let codes = revealing_codes(&organizations);
        assert_eq!(codes.len(), OTHER_AGENCIES.len() + 1, "what the rule knows is not said twice: {codes:?}");
        for code in ["336", "3360211", "347", "348", "3480115", "9010115"] {
            check(&organizations, &codes, ("ct", code), true);
            check(&organizations, &codes, ("la", code), false);
        }
        check(&organizations, &codes, ("la", "A02001"), true);
        for code in ["064", "0646111", "901", "34", ""] {
            check(&organizations, &codes, ("ct", code), false);
        }
    }
}
