//! Reads a clause: what is disclosed, element by element.

use domains::definition;
use model::{Domain, SchoolYear, Sensitivity};

use super::{
    Slug,
    reader::{AllOr, Any, Found, Node, Reader},
};
use crate::{
    element_set::ElementSet,
    terms::{Clause, LegalBasis, Records, SchoolYears},
};

/// What the rest of the document offers a clause to name.
pub(super) struct Context<'a> {
    pub(super) purposes: Vec<&'a str>,
    pub(super) bases: Vec<LegalBasis>,
    /// Whether purposes and bases were read without mistakes, so that a name not found is the clause's mistake.
    pub(super) complete: bool,
}

/// Domains whose facts are about a school year and days, so that years and ages can bound them.
const DATED: [Domain; 8] = [
    Domain::Enrollment,
    Domain::Attendance,
    Domain::SpecialEducation,
    Domain::Discipline,
    Domain::Assessment,
    Domain::Course,
    Domain::Program,
    Domain::Literacy,
];

pub(super) fn read(reader: &mut Reader, mut node: Node<'_>, context: &Context<'_>) -> Option<Clause> {
    let node = &mut node;
    let id = reader.name::<Slug>(node, "id");
    if let Some(id) = &id {
        node.name_clause(&id.value.0);
    }
    let text = reader.text(node, "text");
    let purposes = read_purposes(reader, node, context);
    let bases = read_bases(reader, node, context);
    let elements = reader.table(node, "elements").and_then(|table| read_elements(reader, &table));
    let school_years = reader
        .table_if_any(node, "school_years")
        .map_or(Some(SchoolYears::default()), |table| read_school_years(reader, table));
    let records = reader
        .table_if_any(node, "records")
        .map_or_else(Records::default, |table| read_records(reader, table, elements.as_ref()));
    reader.close(node);
    let clause = Clause {
        id: id?.value.0,
        text: text?.value,
        purposes: purposes?,
        bases: bases?,
        elements: elements?,
        school_years: school_years?,
        records,
    };
    check_bounds(reader, node, &clause);
    Some(clause)
}

fn read_purposes(reader: &mut Reader, node: &mut Node<'_>, context: &Context<'_>) -> Option<Vec<String>> {
    match reader.all_or_texts(node, "purposes")? {
        AllOr::All => Some(context.purposes.iter().map(|&one| one.to_owned()).collect()),
        AllOr::Listed(names) => Some(chosen(reader, node, "purposes", names, |name| {
            (!context.complete || context.purposes.contains(&name)).then(|| name.to_owned())
        })),
    }
}

fn read_bases(reader: &mut Reader, node: &mut Node<'_>, context: &Context<'_>) -> Option<Vec<LegalBasis>> {
    match reader.all_or_texts(node, "bases")? {
        AllOr::All => Some(context.bases.clone()),
        AllOr::Listed(names) => Some(chosen(reader, node, "bases", names, |name| {
            let law: LegalBasis = name.parse().ok()?;
            (!context.complete || context.bases.contains(&law)).then_some(law)
        })),
    }
}

fn chosen<T: PartialEq>(
    reader: &mut Reader,
    node: &Node<'_>,
    key: &str,
    names: Vec<Found<String>>,
    find: impl Fn(&str) -> Option<T>,
) -> Vec<T> {
    let mut found: Vec<T> = Vec::with_capacity(names.len());
    for name in names {
        match find(&name.value) {
            None => reader.wrong(node, key, name.at, format!("the agreement states no {:?}", name.value)),
            Some(one) if found.contains(&one) => {
                reader.wrong(node, key, name.at, format!("{:?} is named twice", name.value));
            }
            Some(one) => found.push(one),
        }
    }
    found
}

fn read_elements(reader: &mut Reader, table: &Node<'_>) -> Option<ElementSet> {
    let mut all = ElementSet::EMPTY;
    let mut sound = true;
    for key in table.keys() {
        let Ok(domain) = key.parse::<Domain>() else {
            let known = Domain::ALL.map(Domain::name).join(", ");
            let at = table.place(key);
            reader.wrong(table, key, at, format!("is no data domain; domains are: {known}"));
            sound = false;
            continue;
        };
        match read_domain(reader, table, key, domain) {
            Some(elements) => all = all.union(&elements),
            None => sound = false,
        }
    }
    if sound && all.is_empty() {
        let at = table.at();
        reader.wrong(table, "", at, "a clause names at least one element");
        return None;
    }
    sound.then_some(all)
}

/// All of a domain but what reveals another agency, or is kept for the state's own files: that must be named, element by element.
fn ordinary(domain: Domain) -> ElementSet {
    ElementSet::of_domain(domain).minus(&ElementSet::guarded())
}

fn read_domain(reader: &mut Reader, table: &Node<'_>, key: &str, domain: Domain) -> Option<ElementSet> {
    match reader.any(table, key)? {
        Any::Text("all") => Some(ordinary(domain)),
        Any::Text(_) => {
            let at = table.place(key);
            reader.wrong(table, key, at, "must be \"all\", a list of elements or a table");
            None
        }
        Any::Texts(names) => named(reader, table, key, domain, names, |_| None),
        Any::Table(mut inner) => read_domain_table(reader, &mut inner, domain),
    }
}

fn read_domain_table(reader: &mut Reader, node: &mut Node<'_>, domain: Domain) -> Option<ElementSet> {
    let all = reader.text(node, "elements");
    if let Some(all) = all.as_ref().filter(|all| all.value != "all") {
        reader.wrong(node, "elements", all.at, "must be \"all\" here; a list of elements stands without a table");
    }
    let except = reader.texts_if_any(node, "except");
    let guarded = [("other_agency", Sensitivity::OtherAgency), ("administrative", Sensitivity::Administrative)];
    let also = guarded.map(|(key, class)| (key, class, reader.texts_if_any(node, key)));
    reader.close(node);
    let except = except.map_or(Some(ElementSet::EMPTY), |names| {
        named(reader, node, "except", domain, names, |class| match class {
            Sensitivity::OtherAgency => Some("reveals another agency and is never part of \"all\""),
            Sensitivity::Administrative => Some("is kept for the state's own files and is never part of \"all\""),
            _ => None,
        })
    });
    let also = also.map(|(key, wanted, names)| {
        names.map_or(Some(ElementSet::EMPTY), |names| {
            named(reader, node, key, domain, names, |class| match class {
                _ if class == wanted => None,
                Sensitivity::OtherAgency => Some("reveals another agency: it is named under other_agency"),
                Sensitivity::Administrative => {
                    Some("is kept for the state's own files: it is named under administrative")
                }
                _ => Some("is part of \"all\" already"),
            })
        })
    });
    all?;
    also.into_iter().try_fold(ordinary(domain).minus(&except?), |set, also| Some(set.union(&also?)))
}

fn named(
    reader: &mut Reader,
    node: &Node<'_>,
    key: &str,
    domain: Domain,
    names: Vec<Found<String>>,
    objection: impl Fn(Sensitivity) -> Option<&'static str>,
) -> Option<ElementSet> {
    let mut set = ElementSet::EMPTY;
    let mut sound = true;
    for name in names {
        let problem = match definition(domain).find_element(&name.value) {
            None => Some(format!("{domain} has no element {:?}", name.value)),
            Some(element) if set.contains(domain, element.name) => Some(format!("{:?} is named twice", name.value)),
            Some(element) => {
                set.insert(element);
                objection(element.class).map(|why| format!("{:?} {why}", name.value))
            }
        };
        if let Some(problem) = problem {
            reader.wrong(node, key, name.at, problem);
            sound = false;
        }
    }
    sound.then_some(set)
}

fn read_school_years(reader: &mut Reader, mut node: Node<'_>) -> Option<SchoolYears> {
    let node = &mut node;
    let from = bound(reader, node, "from");
    let to = bound(reader, node, "to");
    reader.close(node);
    let years = SchoolYears { from: from.ok()?, to: to.ok()? };
    if years == SchoolYears::default() {
        let at = node.at();
        reader.wrong(node, "", at, "names neither a first nor a last school year; leave it out for all");
    }
    if let (Some(from), Some(to)) = (years.from, years.to)
        && to < from
    {
        let at = node.at();
        reader.wrong(node, "to", at, format!("{to} lies before {from}"));
    }
    Some(years)
}

/// A school year, if one is given; an error if what is given is none.
fn bound(reader: &mut Reader, node: &mut Node<'_>, key: &'static str) -> Result<Option<SchoolYear>, Wrong> {
    let Some(text) = reader.text_if_any(node, key) else {
        return Ok(None);
    };
    let year = text.value.parse().ok();
    if year.is_none() {
        reader.wrong(node, key, text.at, "is no school year, such as 2014-15");
    }
    year.map(Some).ok_or(Wrong)
}

/// A mistake that has been noted already.
struct Wrong;

fn read_records(reader: &mut Reader, mut node: Node<'_>, elements: Option<&ElementSet>) -> Records {
    let node = &mut node;
    let max_age_years = reader.number_if_any(node, "max_age_years", 1, 30);
    let kinds = reader.texts_if_any(node, "exclude_kinds").unwrap_or_default();
    reader.close(node);
    let mut exclude_kinds: Vec<String> = Vec::with_capacity(kinds.len());
    for kind in kinds {
        let domain = kind.value.split_once('.').and_then(|(domain, name)| {
            let domain: Domain = domain.parse().ok()?;
            definition(domain).find_kind(name).map(|_| domain)
        });
        let problem = match domain {
            None => Some("is no kind of record, such as discipline.offense"),
            Some(domain) if elements.is_some_and(|all| all.is_empty_in(domain)) => {
                Some("is of a domain this clause does not disclose")
            }
            Some(_) if exclude_kinds.contains(&kind.value) => Some("is named twice"),
            Some(_) => None,
        };
        match problem {
            Some(why) => reader.wrong(node, "exclude_kinds", kind.at, format!("{:?} {why}", kind.value)),
            None => exclude_kinds.push(kind.value),
        }
    }
    Records { max_age_years: max_age_years.and_then(|years| u16::try_from(years).ok()), exclude_kinds }
}

/// Years and ages bound facts that are about years and days; of any other domain they would hide everything, or nothing.
fn check_bounds(reader: &mut Reader, node: &Node<'_>, clause: &Clause) {
    for (key, bounded) in [
        ("school_years", clause.school_years != SchoolYears::default()),
        ("records.max_age_years", clause.records.max_age_years.is_some()),
    ] {
        for domain in clause.elements.domains().filter(|domain| bounded && !DATED.contains(domain)) {
            let at = node.place(key.split('.').next().unwrap_or(key));
            let message =
                format!("cannot bound {domain}, whose records are about no school year; give it a clause of its own");
            reader.wrong(node, key, at, message);
        }
    }
}
