//! From facts to the rows of a section: a pure fold, the same whatever the order of the facts.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use model::{Domain, Row, Value};

use crate::{Organizations, StoredFact, attendance, contact, course, discipline, enrollment, mobility, student};

/// Folds the facts of one student in one domain into rows, in the domain's own order (oldest first).
///
/// `facts` are current facts of all the student's source persons. Mobility is derived: use [`derive_mobility`].
pub fn fold(domain: Domain, facts: &[StoredFact], organizations: &Organizations) -> Vec<Row> {
    let mut facts: Vec<&StoredFact> = facts.iter().filter(|fact| fact.domain == domain).collect();
    facts.sort_by(|a, b| (a.source_person, a.learned(), &a.kind).cmp(&(b.source_person, b.learned(), &b.kind)));
    match domain {
        Domain::Student => student::fold(&facts),
        Domain::Enrollment => enrollment::fold(&facts, organizations),
        Domain::Mobility => Vec::new(),
        Domain::Attendance => attendance::fold(&facts, organizations),
        Domain::Discipline => discipline::fold(&facts, organizations),
        Domain::Contact => contact::fold(&facts),
        Domain::Course => course::fold(&facts, organizations),
        Domain::SpecialEducation | Domain::Assessment | Domain::Program | Domain::Literacy => {
            plain(&facts, organizations)
        }
    }
}

/// Derives mobility from the rows of a folded (and disclosed) enrollment section.
pub fn derive_mobility(enrollment: &[Row]) -> Vec<Row> {
    mobility::derive(enrollment)
}

/// The kind of a fact that says whether others are excluded from the state's own reports: it makes no row of its own, and reports nothing that is collected.
pub const EXCLUSION: &str = "exclusion";

/// The element that it sets.
const EXCLUDED: &str = "excluded_from_reporting";

/// Marks the rows that facts of kind [`EXCLUSION`] are about: those of the same person that say the same of all that the fact names. What was
/// learned last stands.
pub(crate) fn mark_excluded(rows: &mut [Row], facts: &[&StoredFact]) {
    for fact in facts.iter().filter(|fact| fact.kind == EXCLUSION) {
        let Some(flag) = fact.find(EXCLUDED) else { continue };
        let is_meant = |row: &Row| {
            row.source.person == Some(fact.source_person)
                && fact.payload.iter().all(|(name, value)| name == EXCLUDED || row.find(name) == Some(value))
        };
        for row in rows.iter_mut().filter(|row| is_meant(row)) {
            row.values.insert(EXCLUDED, flag.clone());
        }
    }
}

/// One row a fact, names of organizations added, ordered by day, then by where it was learned.
pub(crate) fn plain(facts: &[&StoredFact], organizations: &Organizations) -> Vec<Row> {
    let mut rows: Vec<(Option<NaiveDate>, Row)> = facts
        .iter()
        .map(|fact| {
            let mut row = fact.to_row();
            name_organizations(&mut row.values, fact, fact.valid.from(), organizations);
            (order_day(fact), row)
        })
        .collect();
    rows.sort_by(|(day_a, a), (day_b, b)| (day_a, a.school_year, &a.source).cmp(&(day_b, b.school_year, &b.source)));
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The day a fact is ordered by: what it is about, else the beginning of its school year.
pub(crate) fn order_day(fact: &StoredFact) -> Option<NaiveDate> {
    fact.valid.from().or_else(|| fact.school_year.map(model::SchoolYear::first_day))
}

/// Adds the names of district and school, and the school's town, as they were on `day`.
pub(crate) fn name_organizations(
    values: &mut BTreeMap<&'static str, Value>,
    fact: &StoredFact,
    day: Option<NaiveDate>,
    organizations: &Organizations,
) {
    let day = day.or_else(|| fact.school_year.map(model::SchoolYear::first_day));
    let domain = crate::definition(fact.domain);
    let mut set = |element: &str, text: Option<&str>| {
        if let (Some(element), Some(text)) = (domain.find_element(element), text) {
            values.entry(element.name).or_insert_with(|| Value::Text(text.to_owned()));
        }
    };
    set("local_education_agency_id", fact.lea.as_deref());
    set("school_id", fact.facility.as_deref());
    let school = fact.facility.as_deref().and_then(|code| organizations.find(&fact.sea, code, day));
    let lea = fact.lea.as_deref().or_else(|| school.and_then(|o| o.parent.as_deref()));
    let district = lea.and_then(|code| organizations.find(&fact.sea, code, day));
    set("school_name", school.map(|o| o.name.as_str()));
    set("town_name", school.and_then(|o| o.town.as_deref()).or_else(|| district.and_then(|o| o.town.as_deref())));
    set("local_education_agency_name", district.map(|o| o.name.as_str()));
}
