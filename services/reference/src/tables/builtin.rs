//! The tables the program brings, and those it makes from the list of organizations.

use super::{Code, EditionFile, TableError, TableFile, TableStatus, Tables, Unknown};

/// A line for each file of `tables/ct`; a test compares the list with the folder.
const CONNECTICUT: &[&str] = &[
    include_str!("../../tables/ct/assessment_family.toml"),
    include_str!("../../tables/ct/attemptedness.toml"),
    include_str!("../../tables/ct/bullying.toml"),
    include_str!("../../tables/ct/collection.toml"),
    include_str!("../../tables/ct/collection_instance.toml"),
    include_str!("../../tables/ct/disability.toml"),
    include_str!("../../tables/ct/dual_enrollment_program.toml"),
    include_str!("../../tables/ct/education_provided.toml"),
    include_str!("../../tables/ct/educational_setting.toml"),
    include_str!("../../tables/ct/english_learner_program.toml"),
    include_str!("../../tables/ct/exit_status.toml"),
    include_str!("../../tables/ct/exit_type.toml"),
    include_str!("../../tables/ct/gender.toml"),
    include_str!("../../tables/ct/gifted_and_talented.toml"),
    include_str!("../../tables/ct/grade.toml"),
    include_str!("../../tables/ct/homeless_residence.toml"),
    include_str!("../../tables/ct/incident_location.toml"),
    include_str!("../../tables/ct/incident_type.toml"),
    include_str!("../../tables/ct/language.toml"),
    include_str!("../../tables/ct/legacy_race.toml"),
    include_str!("../../tables/ct/meal_eligibility.toml"),
    include_str!("../../tables/ct/no_local_expense.toml"),
    include_str!("../../tables/ct/organization_type.toml"),
    include_str!("../../tables/ct/outcome_status.toml"),
    include_str!("../../tables/ct/parent_type.toml"),
    include_str!("../../tables/ct/performance_level.toml"),
    include_str!("../../tables/ct/placement.toml"),
    include_str!("../../tables/ct/plan_type.toml"),
    include_str!("../../tables/ct/prek_program.toml"),
    include_str!("../../tables/ct/program.toml"),
    include_str!("../../tables/ct/program_type.toml"),
    include_str!("../../tables/ct/resident_town.toml"),
    include_str!("../../tables/ct/sanction_type.toml"),
    include_str!("../../tables/ct/sasid_record_type.toml"),
    include_str!("../../tables/ct/screening_period.toml"),
    include_str!("../../tables/ct/special_program_status.toml"),
    include_str!("../../tables/ct/student_role.toml"),
    include_str!("../../tables/ct/subject_area.toml"),
    include_str!("../../tables/ct/substance.toml"),
    include_str!("../../tables/ct/teacher_type.toml"),
    include_str!("../../tables/ct/test_subject.toml"),
    include_str!("../../tables/ct/weapon.toml"),
];

/// A line for each file of `tables/sif`: code sets of the SIF data model, which no state owns.
const SIF: &[&str] = &[
    include_str!("../../tables/sif/address_type.toml"),
    include_str!("../../tables/sif/answer.toml"),
    include_str!("../../tables/sif/attendance_status.toml"),
    include_str!("../../tables/sif/codeset.toml"),
    include_str!("../../tables/sif/disability.toml"),
    include_str!("../../tables/sif/dwelling_arrangement.toml"),
    include_str!("../../tables/sif/educational_level.toml"),
    include_str!("../../tables/sif/email_type.toml"),
    include_str!("../../tables/sif/employer_type.toml"),
    include_str!("../../tables/sif/entry_type.toml"),
    include_str!("../../tables/sif/exit_type.toml"),
    include_str!("../../tables/sif/gender.toml"),
    include_str!("../../tables/sif/language_type.toml"),
    include_str!("../../tables/sif/meal_status.toml"),
    include_str!("../../tables/sif/name_type.toml"),
    include_str!("../../tables/sif/other_id_type.toml"),
    include_str!("../../tables/sif/phone_type.toml"),
    include_str!("../../tables/sif/program_type.toml"),
    include_str!("../../tables/sif/race.toml"),
    include_str!("../../tables/sif/relationship.toml"),
    include_str!("../../tables/sif/relationship_name.toml"),
    include_str!("../../tables/sif/service.toml"),
];

const DIRECTORY: &str = "Education Directory (about 2021): closed and newer organizations are not in it";

pub(super) fn sif() -> Result<Tables, TableError> {
    let mut tables = Tables::default();
    for text in SIF {
        tables.add_toml(text)?;
    }
    Ok(tables)
}

pub(super) fn connecticut() -> Result<Tables, TableError> {
    let mut tables = Tables::default();
    for text in CONNECTICUT {
        tables.add_toml(text)?;
    }
    let organizations = crate::shipped_organizations("ct")
        .map_err(|error| TableError { table: "facility".to_owned(), what: error.to_string() })?;
    let facilities = organizations
        .iter()
        .filter(|organization| organization.code.len() == 7)
        .map(|organization| (organization.code.clone(), organization.name.clone()));
    tables.add(open_table("facility", "Facility (table A)", facilities.collect()))?;
    let mut districts: Vec<(String, String)> = Vec::new();
    for organization in &organizations {
        let Some(code) = organization.code.get(..3) else {
            continue;
        };
        let is_district = organization.code.len() == 3;
        match districts.iter_mut().find(|(known, _)| known == code) {
            Some((_, name)) if is_district => name.clone_from(&organization.name),
            Some(_) => {}
            None => districts.push((code.to_owned(), organization.name.clone())),
        }
    }
    districts.sort();
    tables.add(open_table("reporting_district", "Reporting district (PSIS table H, TCS table B)", districts))?;
    Ok(tables)
}

fn open_table(id: &str, title: &str, codes: Vec<(String, String)>) -> TableFile {
    let codes = codes.into_iter().map(|(code, label)| Code { code, label, flags: Vec::new() }).collect();
    TableFile {
        id: id.to_owned(),
        title: title.to_owned(),
        editions: vec![EditionFile {
            from: None,
            to: None,
            status: TableStatus::Verified,
            unknown: Some(Unknown::Warning),
            source: DIRECTORY.to_owned(),
            codes,
        }],
    }
}
