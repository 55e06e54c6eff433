//! The policy matrix: consumer, purpose, element, in one table that a lawyer can read.

use std::fmt::Write as _;

use domains::definition;
use model::{Domain, Element, Sensitivity};

use crate::{
    explain::condition_words,
    terms::{Clause, SchoolYears, Terms},
};

/// Prints agreements side by side: first what each says about who, when and to whom, then every element of the registry
/// with the clause that discloses it.
pub fn matrix(agreements: &[Terms]) -> String {
    let mut out = String::from(
        "Policy matrix: what may be disclosed to whom, for what, under which clause.\n\
         Generated from the agreement documents. A cell names the clause; \"-\" means never disclosed. Numbers in\n\
         brackets are the legal bases a clause is limited to; without them it holds on every basis of the agreement.\n",
    );
    for terms in agreements {
        describe(&mut out, terms);
    }
    let columns: Vec<(&Terms, &str)> = agreements
        .iter()
        .flat_map(|terms| terms.purposes.iter().map(move |purpose| (terms, purpose.id.as_str())))
        .collect();
    table(&mut out, &columns);
    out
}

// Writing to a String cannot fail.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {{ let _ = writeln!($out, $($text)*); }};
}

fn describe(out: &mut String, terms: &Terms) {
    let until = terms.valid_to.map_or_else(|| "perpetual".to_owned(), |day| format!("to {day}"));
    line!(out, "\n{} (agreement {}, version {})", terms.consumer, terms.id, terms.version);
    line!(out, "  {}", terms.title);
    line!(out, "  recipient: {}", terms.recipient());
    line!(out, "  valid: from {} {until}; signed {}; time zone {}", terms.valid_from, terms.signed, terms.time_zone);
    line!(out, "  population: {} - {}", terms.population.rule, terms.population.text);
    for purpose in &terms.purposes {
        line!(out, "  purpose {}: {}", purpose.id, purpose.text);
    }
    for (at, basis) in terms.bases.iter().enumerate() {
        let conditions = basis.conditions.iter().map(|one| condition_words(*one)).collect::<Vec<_>>().join("; ");
        line!(out, "  basis {}: {} ({}), while {conditions}", at + 1, basis.law, basis.citation);
    }
    let access = &terms.access;
    line!(out, "  deliveries: {}", join(access.deliveries.iter()));
    line!(out, "  offices: {}", access.offices.as_ref().map_or_else(|| "all".to_owned(), |all| all.join(", ")));
    line!(out, "  scheduled runs: {}", if access.scheduled_runs { "yes" } else { "no" });
    for system in &access.systems {
        let known_by = [("name", &system.san), ("fingerprint", &system.fingerprint)]
            .into_iter()
            .filter_map(|(label, value)| Some(format!("{label} {}", value.as_ref()?)))
            .collect::<Vec<_>>()
            .join(", ");
        line!(out, "  system {}: certificate {known_by}", system.name);
    }
    for role in &access.roles {
        let training =
            role.training_valid_days.map_or_else(String::new, |days| format!(", trained within {days} days"));
        line!(out, "  role {}: {}{training}", role.name, role.scope);
    }
    for clause in &terms.clauses {
        line!(out, "  clause {}: {}{}", clause.id, clause.text, bounds(clause));
    }
    if let Some(notice) = &terms.placement_notice {
        line!(out, "  placement notice: {} [{}]", notice.text, join(notice.elements.iter()));
    }
    line!(out, "  redisclosure: {}", terms.redisclosure.limit);
    for onward in &terms.redisclosure.onward {
        line!(out, "  onward to {}: {}", onward.party, onward.interest);
    }
    line!(
        out,
        "  retention: {} days after authority ends, then {}; attested within {} days",
        terms.retention.days,
        terms.retention.destruction,
        terms.retention.attest_within_days
    );
    let audience = &terms.audience;
    line!(
        out,
        "  record of disclosures: parent {}, eligible student {}, district {}, auditor {}",
        audience.parent,
        audience.eligible_student,
        audience.district,
        audience.auditor
    );
}

fn bounds(clause: &Clause) -> String {
    let mut bounds = Vec::new();
    if clause.school_years != SchoolYears::default() {
        bounds.push(clause.school_years.to_string());
    }
    if let Some(years) = clause.records.max_age_years {
        bounds.push(format!("nothing older than {years} years"));
    }
    if !clause.records.exclude_kinds.is_empty() {
        bounds.push(format!("without {}", clause.records.exclude_kinds.join(", ")));
    }
    if bounds.is_empty() { String::new() } else { format!(" [{}]", bounds.join("; ")) }
}

fn join<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

fn table(out: &mut String, columns: &[(&Terms, &str)]) {
    let heads = ["element".to_owned(), "class".to_owned()]
        .into_iter()
        .chain(columns.iter().map(|(terms, purpose)| format!("{}/{purpose}", terms.consumer)))
        .collect();
    let mut rows: Vec<Vec<String>> = vec![heads];
    for domain in Domain::ALL {
        for element in definition(domain).elements {
            let mut row = vec![element.id(), class_name(element.class).to_owned()];
            row.extend(columns.iter().map(|(terms, purpose)| cell(terms, purpose, element)));
            rows.push(row);
        }
    }
    let widths: Vec<usize> = (0..columns.len() + 2)
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    out.push('\n');
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>();
        line!(out, "{}", cells.join("  ").trim_end());
    }
}

fn cell(terms: &Terms, purpose: &str, element: &Element) -> String {
    let clauses: Vec<String> = terms
        .clauses
        .iter()
        .filter(|clause| clause.purposes.iter().any(|one| one == purpose))
        .filter(|clause| clause.elements.contains(element.domain, element.name))
        .map(|clause| {
            let bases: Vec<String> = terms
                .bases
                .iter()
                .enumerate()
                .filter(|(_, basis)| clause.bases.contains(&basis.law))
                .map(|(at, _)| (at + 1).to_string())
                .collect();
            if bases.len() == terms.bases.len() {
                clause.id.clone()
            } else {
                format!("{}[{}]", clause.id, bases.join(","))
            }
        })
        .collect();
    if clauses.is_empty() { "-".to_owned() } else { clauses.join(" ") }
}

const fn class_name(class: Sensitivity) -> &'static str {
    match class {
        Sensitivity::Record => "record",
        Sensitivity::Identity => "identity",
        Sensitivity::SpecialEducation => "special education",
        Sensitivity::Discipline => "discipline",
        Sensitivity::Contact => "contact",
        Sensitivity::Status => "status",
        Sensitivity::Administrative => "ADMINISTRATIVE",
        Sensitivity::OtherAgency => "OTHER AGENCY",
    }
}
