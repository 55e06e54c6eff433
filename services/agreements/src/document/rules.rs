//! What a document must satisfy as a whole: completeness, no contradiction, nothing the law does not know.

use model::Domain;

use super::{
    duplicates,
    reader::{Node, Reader},
};
use crate::terms::{Audiences, Basis, Clause, LegalBasis, PartyRole, PopulationRule, Showing, Terms};

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
    check_access(reader, root, terms);
    check_clauses(reader, root, terms, places);
    check_order_of_bases(reader, root, terms);
    check_amendments(reader, root, terms);
}

fn check_parties(reader: &mut Reader, root: &Node<'_>, terms: &Terms) {
    let at = root.place("party");
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

fn check_population(reader: &mut Reader, root: &Node<'_>, terms: &Terms) {
    let everybody = terms.population.rule == PopulationRule::EveryStudent;
    for basis in &terms.bases {
        if (basis.law == LegalBasis::SchoolOfficial) != everybody {
            let at = root.place("population");
            let message = "school_official is the basis of the SEA's own access to every student, and only of that";
            reader.wrong(root, "population", at, message);
        }
    }
}

fn check_access(reader: &mut Reader, root: &Node<'_>, terms: &Terms) {
    let access = &terms.access;
    if access.systems.is_empty() && access.roles.is_empty() && !access.scheduled_runs {
        let at = root.place("access");
        reader.wrong(root, "access", at, "names nobody: no system, no role, no scheduled run");
    }
}

fn check_clauses(reader: &mut Reader, root: &Node<'_>, terms: &Terms, places: &[usize]) {
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
}
