//! Organizations: the shipped list of a state, and which of them reveal another agency.

use chrono::NaiveDate;

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
    match (sea, code.get(..3)?) {
        ("ct", "336" | "348") | ("la", "A02") => Some("justice"),
        ("ct", "347") => Some("child_welfare"),
        _ => None,
    }
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
}
