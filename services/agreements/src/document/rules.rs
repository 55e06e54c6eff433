//! What a document must satisfy as a whole: completeness, no contradiction, nothing the law does not know.

use chrono::Months;
use domains::definition;
use model::{Domain, SchoolYear};

use super::{
    duplicates,
    reader::{Node, Reader},
};
use crate::terms::{Audiences, Basis, Clause, Delivery, LegalBasis, PartyRole, PopulationRule, Showing, System, Terms};

/// The conditions the law attaches to a basis are in the document, where a lawyer reads them; the program takes no
/// document that leaves one out.
pub(super) fn check_basis(reader: &mut Reader, node: &Node<'_>, basis: &Basis) {
    let at = node.place("conditions");
    for condition in basis.law.required() {
        if !basis.requires(*condition) {
            let message = format!("{} never holds without {condition} ({})", basis.law, basis.law.source());
            reader.wrong(node, "conditions", at, message);
        }
    }
    let papers = basis.conditions.iter().filter(|condition| condition.evidence().is_some()).count();
    if papers > 1 {
        reader.wrong(
            node,
            "conditions",
            at,
            "a basis rests on one of release, court_order and emergency; state two bases",
        );
    }
}

pub(super) fn check_audience(reader: &mut Reader, node: &Node<'_>, audiences: Audiences) {
    if audiences.auditor != Showing::Shown {
        let at = node.place("auditor");
        reader.wrong(node, "auditor", at, "an auditor is shown everything (34 CFR 99.32(c)); it must be \"shown\"");
    }
}

/// `places` is where each clause stands.
pub(super) fn check(reader: &mut Reader, root: &Node<'_>, terms: &Terms, places: &[usize]) {
    check_parties(reader, root, terms);
    check_names(reader, root, terms);
    check_population(reader, root, terms);
    check_placements(reader, root, terms, places);
    check_access(reader, root, terms);
    check_clauses(reader, root, terms, places);
    check_order_of_bases(reader, root, terms);
    check_amendments(reader, root, terms);
}

fn check_parties(reader: &mut Reader, root: &Node<'_>, terms: &Terms) {
    let at = root.place("party");
    let named = |role| terms.parties.iter().find(|party| party.role == role).map(|party| &party.name);
    if named(PartyRole::Discloser).is_some() && named(PartyRole::Discloser) == named(PartyRole::Recipient) {
        reader.wrong(root, "party", at, "discloser and recipient are one party");
    }
    for role in [PartyRole::Discloser, PartyRole::Recipient] {
        if terms.parties.iter().filter(|party| party.role == role).count() != 1 {
            reader.wrong(root, "party", at, format!("an agreement has exactly one {role}"));
        }
    }
}

fn check_names(reader: &mut Reader, root: &Node<'_>, terms: &Terms) {
    let lists = [
        ("purpose", terms.purposes.iter().map(|one| one.id.as_str()).collect::<Vec<_>>()),
        ("basis", terms.bases.iter().map(|one| one.law.as_str()).collect()),
        ("clause", terms.clauses.iter().map(|one| one.id.as_str()).collect()),
        ("access", terms.access.roles.iter().map(|one| one.name.as_str()).collect()),
        ("access", terms.access.systems.iter().map(|one| one.name.as_str()).collect()),
    ];
    for (key, names) in lists {
        for name in duplicates(&names) {
            let at = root.place(key);
            reader.wrong(root, key, at, format!("{name:?} is stated twice"));
        }
    }
}

/// The law names to whom a basis can release, and about whom: a document that says otherwise promises what cannot be.
fn check_population(reader: &mut Reader, root: &Node<'_>, terms: &Terms) {
    let everybody = terms.population.rule == PopulationRule::EveryStudent;
    let recipient = terms.parties.iter().find(|party| party.role == PartyRole::Recipient).and_then(|party| party.kind);
    let list = |names: Vec<&str>| names.join(" or ");
    for (basis, at) in terms.bases.iter().zip(root.places("basis", None)) {
        if (basis.law == LegalBasis::SchoolOfficial) != everybody {
            let at = root.place("population");
            let message = "school_official is the basis of the SEA's own access to every student, and only of that";
            reader.wrong(root, "population", at, message);
        }
        let Some(reach) = basis.law.reach() else { continue };
        if let Some(kind) = recipient.filter(|kind| !reach.recipients.contains(kind)) {
            let message = format!(
                "{} releases only to: {} ({}); the recipient is: {kind}",
                basis.law,
                list(reach.recipients.iter().map(|one| one.as_str()).collect()),
                basis.law.source()
            );
            reader.wrong(root, "basis.law", at, message);
        }
        if !reach.populations.is_empty() && !reach.populations.contains(&terms.population.rule) && !everybody {
            let message = format!(
                "{} is about students of: {} ({}); the population is: {}",
                basis.law,
                list(reach.populations.iter().map(|one| one.as_str()).collect()),
                basis.law.source(),
                terms.population.rule
            );
            reader.wrong(root, "basis.law", at, message);
        }
    }
}

/// An agreement about placements says what its notices say, and discloses of the record nothing but who the student is; no other agreement has notices.
fn check_placements(reader: &mut Reader, root: &Node<'_>, terms: &Terms, places: &[usize]) {
    let is_about_placements = terms.population.rule == PopulationRule::PlacementReports;
    if is_about_placements != terms.placement_notice.is_some() {
        let at = root.place(if is_about_placements { "population" } else { "placement_notice" });
        let message = "notices of placements belong to the population placement_reports, and to no other";
        reader.wrong(root, "placement_notice", at, message);
    }
    if !is_about_placements {
        return;
    }
    for (clause, at) in terms.clauses.iter().zip(places.iter().copied()) {
        if clause.elements.iter().any(|element| element.id() != "student.state_id") {
            let message = "a notice of a placement names the student by student.state_id, and discloses nothing else of the record";
            reader.wrong_clause(&clause.id, at, message);
        }
    }
    if terms.bases.iter().any(|basis| basis.law != LegalBasis::SchoolOfEnrollment) {
        let at = root.place("basis");
        let message =
            "a notice of a placement goes to the district of enrollment: no other basis is about these students";
        reader.wrong(root, "basis.law", at, message);
    }
}

/// Why a text is no name that a certificate can bear for one system alone, if it is none.
pub(super) fn no_certificate_name(san: &str) -> Option<&'static str> {
    let label = |label: &str| {
        let legal = label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        (1..=63).contains(&label.len()) && legal && !label.starts_with('-') && !label.ends_with('-')
    };
    if san.contains('*') {
        return Some("names more than one system: an agreement names each by the whole name in its certificate");
    }
    let is_name = san.len() <= 253 && san.split('.').count() >= 2 && san.split('.').all(label);
    (!is_name).then_some("is no DNS name in lower case, such as case.agency.example: no certificate will match it")
}

fn check_access(reader: &mut Reader, root: &Node<'_>, terms: &Terms) {
    let access = &terms.access;
    if access.systems.is_empty() && access.roles.is_empty() && !access.scheduled_runs {
        let at = root.place("access");
        reader.wrong(root, "access", at, "names nobody: no system, no role, no scheduled run");
    }
    let delivers = |kinds: &[Delivery]| kinds.iter().any(|kind| access.deliveries.contains(kind));
    let idle = [
        ("scheduled_runs", access.scheduled_runs, &[Delivery::File, Delivery::Pdf] as &[Delivery], "a scheduled run"),
        ("role", !access.roles.is_empty(), &[Delivery::Unary, Delivery::Pdf], "a role"),
        ("system", !access.systems.is_empty(), &[Delivery::Unary, Delivery::Stream], "a system"),
    ];
    for (key, is_named, kinds, who) in idle {
        if is_named && !delivers(kinds) {
            let kinds = kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" and ");
            let at = root.place_in("access", key);
            let message =
                format!("{who} is given nothing: it receives by {kinds}, and neither is among the deliveries");
            reader.doubtful(root, &format!("access.{key}"), at, message);
        }
    }
    for (index, at) in root.places("access", Some("system")).into_iter().enumerate() {
        let Some(system) = access.systems.get(index) else { continue };
        let same = |other: &&System| {
            (other.san.is_some() && other.san == system.san)
                || (other.fingerprint.is_some() && other.fingerprint == system.fingerprint)
        };
        if let Some(other) = access.systems.iter().take(index).find(same) {
            let message = format!("bears the certificate of {:?} too: one certificate is one system", other.name);
            reader.wrong(root, "access.system", at, message);
        }
    }
}

fn check_clauses(reader: &mut Reader, root: &Node<'_>, terms: &Terms, places: &[usize]) {
    for (clause, at) in terms.clauses.iter().zip(places.iter().copied()) {
        check_not_empty(reader, terms, clause, at);
    }
    for (law, purpose) in terms.bases.iter().flat_map(|basis| terms.purposes.iter().map(|one| (basis.law, &one.id))) {
        let speaking: Vec<(&Clause, usize)> = terms
            .clauses
            .iter()
            .zip(places.iter().copied())
            .filter(|(clause, _)| clause.speaks(law, purpose))
            .collect();
        if speaking.is_empty() {
            let at = root.place("clause");
            let message = format!("no clause discloses anything for {purpose} on the basis {law}");
            reader.doubtful(root, "clause", at, message);
        }
        check_one_clause_a_domain(reader, &speaking, (law, purpose));
        let about = |domain| speaking.iter().find(|(clause, _)| !clause.elements.is_empty_in(domain));
        if let (Some((clause, at)), None) = (about(Domain::Mobility), about(Domain::Enrollment)) {
            let message = format!(
                "mobility is computed from disclosed enrollment, and for {purpose} on the basis {law} no clause discloses enrollment"
            );
            reader.wrong_clause(&clause.id, *at, message);
        }
    }
}

/// A clause that gives with one hand and takes all of it with the other.
fn check_not_empty(reader: &mut Reader, terms: &Terms, clause: &Clause, at: usize) {
    for domain in clause.elements.domains() {
        let kinds = definition(domain).kinds;
        let excluded: Vec<&str> = clause.records.excluded_kinds(domain).collect();
        if !kinds.is_empty() && kinds.iter().all(|kind| excluded.contains(&kind.name)) {
            let message = format!("discloses {domain} and leaves out every kind of record of it: nothing is left");
            reader.wrong_clause(&clause.id, at, message);
        }
    }
    let years = clause.school_years;
    if let (Some(from), Some(last)) = (years.from, terms.valid_to)
        && SchoolYear::containing(last) < from
    {
        reader.wrong_clause(&clause.id, at, format!("begins with {from}, after the agreement has ended"));
    }
    if let (Some(to), Some(age)) = (years.to, clause.records.max_age_years)
        && to.last_day() < terms.valid_from.checked_sub_months(Months::new(12 * u32::from(age))).unwrap_or_default()
    {
        let message = format!("ends with {to} and leaves out what is older than {age} years: nothing is left");
        reader.wrong_clause(&clause.id, at, message);
    }
}

fn check_one_clause_a_domain(reader: &mut Reader, speaking: &[(&Clause, usize)], (law, purpose): (LegalBasis, &str)) {
    for domain in Domain::ALL {
        let mut about = speaking.iter().filter(|(clause, _)| !clause.elements.is_empty_in(domain));
        let first = about.next();
        for (clause, at) in about {
            let other = first.map_or("", |(first, _)| &first.id);
            let message =
                format!("speaks about {domain} for {purpose} on the basis {law}, and so does {other}; one may");
            reader.wrong_clause(&clause.id, *at, message);
        }
    }
}

/// A disclosure rests on the first basis that holds. If a later one gives more, the author may have meant another order.
fn check_order_of_bases(reader: &mut Reader, root: &Node<'_>, terms: &Terms) {
    for purpose in &terms.purposes {
        for (at, earlier) in terms.bases.iter().enumerate() {
            for later in terms.bases.iter().skip(at + 1) {
                let less = terms.elements(earlier.law, &purpose.id);
                let more = terms.elements(later.law, &purpose.id);
                if !less.is_empty() && !more.is_subset(&less) {
                    let line = root.place("basis");
                    let message = format!(
                        "for {} the basis {} comes before {}, which discloses elements it does not; the first that holds decides",
                        purpose.id, earlier.law, later.law
                    );
                    reader.doubtful(root, "basis", line, message);
                }
            }
        }
    }
}

fn check_amendments(reader: &mut Reader, root: &Node<'_>, terms: &Terms) {
    let at = root.place("amendment");
    let versions: Vec<i32> = terms.amendments.iter().map(|one| one.version).collect();
    let expected: Vec<i32> = (2..=terms.version).collect();
    if versions != expected {
        let message = format!(
            "version {} must list the amendments that made versions 2 to {0}, in order, and no other",
            terms.version
        );
        let message = if terms.version == 1 { "version 1 has no amendments".to_owned() } else { message };
        reader.wrong(root, "amendment", at, message);
    }
    let in_order = terms.amendments.is_sorted_by_key(|one| one.on);
    for (one, at) in terms.amendments.iter().zip(root.places("amendment", None)) {
        if !in_order || terms.valid_to.is_some_and(|last| last < one.on) {
            let message = format!(
                "the amendments are in the order of their days, and none is made after the agreement has ended; version {} is not",
                one.version
            );
            reader.wrong(root, "amendment.on", at, message);
        }
    }
}
