//! The policy matrix: consumer, purpose, element, in one table that a lawyer can read.

use std::{fmt::Write as _, sync::Arc};

use chrono::{DateTime, SubsecRound as _, Utc};
use domains::definition;
use model::{ConsumerId, Domain, Element, Sensitivity};

use crate::{
    decide::runs,
    explain::condition_words,
    in_force::{Ended, InForce},
    terms::{Audience, Clause, Condition, SchoolYears, Terms},
};

// Writing to a String cannot fail.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {{ let _ = writeln!($out, $($text)*); }};
}

/// Prints agreements side by side: first what each says about who, when and to whom, then every element of the registry
/// with the clause that discloses it.
pub fn matrix(agreements: &[Terms]) -> String {
    let mut out = String::from(
        "Policy matrix: what may be disclosed to whom, for what, under which clause.\n\
         Generated from the agreement documents. A cell names the clause; \"-\" means never disclosed. Numbers in\n\
         brackets are the legal bases a clause is limited to; without them it holds on every basis of the agreement.\n",
    );
    for terms in agreements {
        describe(&mut out, terms, None);
    }
    audiences(&mut out);
    table(&mut out, &agreements.iter().flat_map(|terms| columns(terms, true)).collect::<Vec<_>>());
    out
}

/// Prints what is in force at an instant: of each recipient the version that is, or was last, in force, since when, and whether it discloses anything
/// now. Of one that is suspended, expired or not yet valid every cell is "-".
pub fn matrix_in_force(agreements: &[(ConsumerId, Option<Arc<InForce>>)], at: DateTime<Utc>) -> String {
    let mut out = format!(
        "Policy matrix: what may be disclosed to whom, for what, under which clause.\n\
         Of the versions in force at {}. A cell names the clause; \"-\" means not disclosed. Numbers in\n\
         brackets are the legal bases a clause is limited to; without them it holds on every basis of the agreement.\n",
        second(at)
    );
    for (consumer, in_force) in agreements {
        match in_force {
            Some(in_force) => describe(&mut out, in_force.terms(), Some((in_force.as_ref(), at))),
            None => line!(out, "\n{consumer}\n  state: no agreement was ever in force; nothing is disclosed"),
        }
    }
    audiences(&mut out);
    let standing = agreements.iter().filter_map(|(_, in_force)| in_force.as_deref());
    let columns: Vec<Column<'_>> =
        standing.flat_map(|in_force| columns(in_force.terms(), runs(in_force, at).is_ok())).collect();
    table(&mut out, &columns);
    out
}

/// One purpose of an agreement.
struct Column<'a> {
    terms: &'a Terms,
    purpose: &'a str,
    /// Whether anything is disclosed under it.
    runs: bool,
}

fn columns(terms: &Terms, runs: bool) -> impl Iterator<Item = Column<'_>> {
    terms.purposes.iter().map(move |purpose| Column { terms, purpose: &purpose.id, runs })
}

fn second(at: DateTime<Utc>) -> String {
    at.trunc_subsecs(0).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Since when a version is in force, who approved it, and whether it is so now.
fn state(in_force: &InForce, at: DateTime<Utc>) -> String {
    let [first, second_steward] = in_force.approved_by();
    let sandbox = if in_force.has_sandbox_approval() { " (sandbox)" } else { "" };
    let since = format!(
        "version {} since {}, approved by {first} and {second_steward}{sandbox}",
        in_force.terms().version,
        second(in_force.activated_at())
    );
    match (runs(in_force, at), in_force.ended()) {
        (Ok(()), _) => format!("in force, {since}"),
        (Err(_), Some((ended_at, Ended::Suspended))) => {
            format!("SUSPENDED since {}, nothing is disclosed; {since}", second(ended_at))
        }
        (Err(reason), _) => format!("NOT IN FORCE: {}, nothing is disclosed; {since}", reason.words()),
    }
}

fn describe(out: &mut String, terms: &Terms, standing: Option<(&InForce, DateTime<Utc>)>) {
    let until = terms.valid_to.map_or_else(|| "perpetual".to_owned(), |day| format!("to {day}"));
    line!(out, "\n{} (agreement {}, version {})", terms.consumer, terms.id, terms.version);
    if let Some((in_force, at)) = standing {
        line!(out, "  state: {}", state(in_force, at));
    }
    line!(out, "  {}", terms.title);
    line!(out, "  recipient: {}", terms.recipient());
    line!(out, "  valid: from {} {until}; signed {}; time zone {}", terms.valid_from, terms.signed, terms.time_zone);
    line!(out, "  population: {} - {}", terms.population.rule, terms.population.text);
    for purpose in &terms.purposes {
        line!(out, "  purpose {}: {}", purpose.id, purpose.text);
    }
    for (at, basis) in terms.bases.iter().enumerate() {
        let conditions = basis.conditions.iter().map(|one| condition_words(*one)).collect::<Vec<_>>().join("; ");
        let uncertified = standing
            .is_some_and(|(in_force, now)| basis.requires(Condition::Certification) && !in_force.is_certified(now));
        let gives = if uncertified { "; gives NOTHING now: no certification is in force" } else { "" };
        line!(out, "  basis {}: {} ({}), while {conditions}{gives}", at + 1, basis.law, basis.citation);
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

/// What every audience reads of an entry, whatever the agreement.
fn audiences(out: &mut String) {
    line!(
        out,
        "\nRecord of disclosures: of an entry that its agreement shows it, each audience reads the parties, their interests, the legal\n\
         basis, the elements and the time (34 CFR 99.32(a)(3), 300.614). Of an emergency it reads the threat for which it was declared\n\
         (99.32(a)(5)) where 99.32(c) opens the record to it; a district reads what 99.32(b) has kept for it."
    );
    for audience in Audience::ALL {
        let threat = if audience.reads_threat() { "read" } else { "not read" };
        let asker = if *audience == Audience::Auditor { "read" } else { "not read" };
        line!(
            out,
            "  {audience}: threat of an emergency {threat}; person and system that asked, paper, digest {asker}"
        );
    }
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

fn table(out: &mut String, columns: &[Column<'_>]) {
    let heads = ["element".to_owned(), "class".to_owned()]
        .into_iter()
        .chain(columns.iter().map(|column| format!("{}/{}", column.terms.consumer, column.purpose)))
        .collect();
    let mut rows: Vec<Vec<String>> = vec![heads];
    for domain in Domain::ALL {
        for element in definition(domain).elements {
            let mut row = vec![element.id(), class_name(element.class).to_owned()];
            row.extend(columns.iter().map(|column| cell(column, element)));
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

fn cell(column: &Column<'_>, element: &Element) -> String {
    let Column { terms, purpose, runs } = *column;
    if !runs {
        return "-".to_owned();
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{canonical::Digest, in_force::Plan, interval::Interval};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    fn standing(ended: Option<Ended>, certified: bool) -> (ConsumerId, Option<Arc<InForce>>) {
        let document = include_str!("../../../deploy/consumers/cssd/agreement.toml");
        let terms = crate::parse(document).expect("the shipped agreement");
        let always = Interval { from: at("2026-01-01T00:00:00Z"), to: None };
        let in_force = InForce {
            activated_at: at("2026-09-01T08:00:00Z"),
            ended: ended.map(|why| (at("2026-11-19T10:30:00Z"), why)),
            approved_by: ["ann", "ben"].map(str::to_owned),
            sandbox_approval: false,
            certifications: certified.then_some(always).into_iter().collect(),
            plan: Arc::new(Plan::new(terms, Digest([0; 32]))),
        };
        (in_force.terms().consumer.clone(), Some(Arc::new(in_force)))
    }

    /// The matrix must hold these lines, and the cell of an element must be this one.
    fn check(one: (ConsumerId, Option<Arc<InForce>>), now: &str, lines: &[&str], cell: &str) {
        let printed = matrix_in_force(&[one], at(now));
        for line in lines {
            assert!(
                printed.lines().any(|printed| printed.trim() == *line || printed.ends_with(line)),
                "{line}:\n{printed}"
            );
        }
        let row = printed.lines().find(|line| line.starts_with("attendance.days_attended")).expect("a row");
        assert_eq!(row.split_whitespace().last(), Some(cell), "{row}");
    }

    #[test]
    fn the_matrix_of_what_is_in_force_says_since_when_and_what_is_suspended() {
        let now = "2026-11-20T15:00:00Z";
        let since = "version 1 since 2026-09-01T08:00:00Z, approved by ann and ben";
        let in_force = format!("state: in force, {since}");
        check(standing(None, true), now, &[&in_force], "attendance");
        let uncertified = "gives NOTHING now: no certification is in force";
        check(standing(None, false), now, &[&in_force, uncertified], "attendance");
        let suspended = format!("state: SUSPENDED since 2026-11-19T10:30:00Z, nothing is disclosed; {since}");
        check(standing(Some(Ended::Suspended), true), now, &[&suspended], "-");
        let expired = format!("state: NOT IN FORCE: the agreement has expired, nothing is disclosed; {since}");
        check(standing(None, true), "2032-01-01T00:00:00Z", &[&expired], "-");
        let (consumer, _) = standing(None, true);
        let printed = matrix_in_force(&[(consumer, None)], at(now));
        assert!(printed.contains("cssd\n  state: no agreement was ever in force; nothing is disclosed"), "{printed}");
    }
}
