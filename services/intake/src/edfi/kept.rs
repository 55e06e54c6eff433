//! Records that rest on others: kept as they are, references by id written out, and read again when what they rest on comes.

use chrono::NaiveDate;
use model::{Certification, Domain, Fact, Masked, NaturalKey, Payload, Period, Restriction, SchoolYear};
use serde::{Deserialize, Serialize};

use super::{
    fields::{Fields, Referents},
    index::{Index, Kind, payload, reference},
    interchange::{number, together},
    node::Node,
    records::{Output, Person, converter, discipline},
    version::{Version, find_version},
};
use crate::{
    Error,
    item::{Finding, Item, RecordType, Reference},
};

/// What is kept: a record, to be read again; or, where only the student is unknown, what it says.
#[derive(Serialize, Deserialize)]
enum Kept {
    Record(KeptRecord),
    Told(Vec<ToldPerson>),
}

/// A record as it is kept: in the words of 5.2, with the identities its references by id led to.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptRecord {
    version: String,
    node: Node,
    /// Which repetition in its file each of its facts was.
    occurrences: Vec<usize>,
    /// The school year of the incident it was told with: one of the same number in another year is not meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    incident_year: Option<SchoolYear>,
}

/// References inside identities inside references: nobody nests deeper.
const NESTED_MAX: usize = 8;

impl KeptRecord {
    /// A record that was told as `told` says, if it was.
    pub fn new(
        version: &Version,
        node: &Node,
        index: &Index,
        (occurrences, told): (Vec<usize>, Option<&Item>),
    ) -> Self {
        let mut node = node.clone();
        write_out(&mut node, index, NESTED_MAX);
        let incident_year = told.and_then(|item| discipline::year_of(all_facts(item).into_iter()));
        Self { version: version.id.clone(), node, occurrences, incident_year }
    }

    pub fn encode(self) -> Result<Vec<u8>, Error> {
        encode(&Kept::Record(self))
    }
}

fn encode(kept: &Kept) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(kept).map_err(|_| Error::Corrupt("an Ed-Fi record cannot be kept".to_owned()))
}

/// What a record says about a student whom nobody has introduced yet.
#[derive(Serialize, Deserialize)]
struct ToldPerson {
    state_id: String,
    facts: Vec<ToldFact>,
}

#[derive(Serialize, Deserialize)]
struct ToldFact {
    domain: String,
    kind: String,
    natural_key: [u8; 16],
    school_year: Option<SchoolYear>,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
    lea: Option<String>,
    facility: Option<String>,
    reported_on: Option<NaiveDate>,
    line: u32,
    #[serde(with = "payload")]
    payload: Payload,
}

/// Keeps what a record says about a student whom nobody has introduced yet.
pub(crate) fn keep_told(persons: &[(&Masked<String>, Vec<&Fact>)]) -> Result<Vec<u8>, Error> {
    let fact = |fact: &Fact| ToldFact {
        domain: fact.domain.name().to_owned(),
        kind: fact.kind.clone(),
        natural_key: fact.natural_key.0,
        school_year: fact.school_year,
        from: fact.valid.from(),
        to: fact.valid.to(),
        lea: fact.lea.clone(),
        facility: fact.facility.clone(),
        reported_on: fact.reported_on,
        line: fact.line,
        payload: fact.payload.clone(),
    };
    let person = |(state_id, facts): &(&Masked<String>, Vec<&Fact>)| ToldPerson {
        state_id: state_id.expose().clone(),
        facts: facts.iter().copied().map(fact).collect(),
    };
    encode(&Kept::Told(persons.iter().map(person).collect()))
}

fn told(person: ToldPerson) -> Option<Person> {
    let fact = |told: ToldFact| {
        Some(Fact {
            domain: told.domain.parse().ok()?,
            kind: told.kind,
            natural_key: NaturalKey(told.natural_key),
            school_year: told.school_year,
            valid: Period::new(told.from, told.to).ok()?,
            lea: told.lea,
            facility: told.facility,
            certification: Certification::Certified,
            restriction: Restriction::None,
            edition: None,
            reported_on: told.reported_on,
            line: told.line,
            payload: told.payload,
        })
    };
    let facts = person.facts.into_iter().map(fact).collect::<Option<Vec<Fact>>>()?;
    Some(Person { state_id: person.state_id, introduces: false, facts })
}

/// Puts identities in the place of ids, which hold within one file only.
fn write_out(node: &mut Node, index: &Index, nested: usize) {
    let is_open = !node.children.iter().any(|child| child.name.ends_with("Identity"));
    if let (Some(found), true) = (node.attribute("ref").and_then(|id| index.find_id(id)), is_open && nested > 0) {
        let mut identity = found.clone();
        identity.name = format!("{}Identity", node.name.strip_suffix("Reference").unwrap_or(&node.name));
        node.children.push(identity);
    }
    let nested = nested.saturating_sub(1);
    for child in &mut node.children {
        write_out(child, index, nested);
    }
}

/// What a kept record says, with the descriptions at hand.
pub(crate) struct Reread {
    /// Its item; or why nothing can be told of it.
    pub told: Result<Item, Vec<Finding>>,
    /// What would say more.
    pub missing: Vec<Reference>,
    /// Descriptions that it copies from.
    pub rests_on: Vec<Reference>,
    /// The record as it is to be kept from now on, if what was told of it settles what it means.
    pub record: Option<Masked<Vec<u8>>>,
}

/// Reads a kept record again. `Err`: it is none.
pub(crate) fn reread(record: &[u8], raw: &[u8], index: &Index) -> Result<Reread, Error> {
    let broken = || Error::Corrupt("a record that was kept of an Ed-Fi delivery cannot be read".to_owned());
    let mut kept = match serde_json::from_slice(record).map_err(|_| broken())? {
        Kept::Record(kept) => kept,
        Kept::Told(persons) => {
            let persons = persons.into_iter().map(told).collect::<Option<Vec<Person>>>().ok_or_else(broken)?;
            let line = persons.iter().flat_map(|person| &person.facts).map(|fact| fact.line).next().unwrap_or_default();
            let told = Ok(together(persons, (line, &RecordType::from("kept")), raw, Vec::new()));
            return Ok(Reread { told, missing: Vec::new(), rests_on: Vec::new(), record: None });
        }
    };
    let version = find_version(&kept.version).ok_or_else(broken)?;
    let convert = converter(&kept.node.name).ok_or_else(broken)?;
    let mut fields = Fields::new(&kept.node, index, Referents::MustBeThere, version);
    fields.incident_year = kept.incident_year;
    let outcome = convert(&mut fields);
    fields.note_lost_character();
    let is_refused = fields.is_refused();
    let Fields { findings, missing, rests_on, .. } = fields;
    let told = match outcome {
        Ok(Output::Persons(mut persons)) if !is_refused => {
            let facts = persons.iter_mut().flat_map(|person| &mut person.facts);
            for (fact, occurrence) in facts.zip(&kept.occurrences) {
                number(fact, *occurrence);
            }
            let of = (kept.node.place.line, &RecordType::from(kept.node.name.as_str()));
            Ok(together(persons, of, raw, findings))
        }
        _ => Err(findings),
    };
    let year = told.as_ref().ok().and_then(|item| discipline::year_of(all_facts(item).into_iter()));
    let is_settled = kept.incident_year.is_none() && year.is_some();
    kept.incident_year = kept.incident_year.or(year);
    let record = is_settled.then(|| kept.encode()).transpose()?.map(Masked::new);
    Ok(Reread { told, missing, rests_on, record })
}

/// The facts of an item.
fn all_facts(item: &Item) -> Vec<&Fact> {
    match item {
        Item::Person { facts, .. } | Item::Retracted { facts, .. } => facts.iter().collect(),
        Item::Joint(members) => members.iter().flat_map(all_facts).collect(),
        _ => Vec::new(),
    }
}

/// A fact by its person and natural key, whatever the year of an incident: whoever withdraws one does not say it.
fn subject(state_id: &str, fact: &Fact) -> Reference {
    let domain: Domain = fact.domain;
    Reference::of(
        "fact",
        &format!("{state_id}\u{1f}{domain}\u{1f}{}", hex::encode(discipline::key_of_any_year(fact).0)),
    )
}

/// The facts of an item, by person and natural key.
pub(crate) fn subjects(item: &Item) -> Vec<Reference> {
    match item {
        Item::Person { state_id, facts, .. } | Item::Retracted { state_id, facts, .. } => {
            facts.iter().map(|fact| subject(state_id.expose(), fact)).collect()
        }
        Item::Joint(members) => members.iter().flat_map(subjects).collect(),
        _ => Vec::new(),
    }
}

/// Facts of one person, by person and natural key.
pub(crate) fn subjects_of<'f>(state_id: &Masked<String>, facts: impl Iterator<Item = &'f Fact>) -> Vec<Reference> {
    facts.map(|fact| subject(state_id.expose(), fact)).collect()
}

/// The same, before they are items.
pub(super) fn facts_of(persons: &[Person]) -> Vec<Reference> {
    persons.iter().flat_map(|person| person.facts.iter().map(|fact| subject(&person.state_id, fact))).collect()
}

/// The name of a student whom records may await.
pub(crate) fn student(state_id: &Masked<String>) -> Reference {
    reference(Kind::Student, state_id.expose())
}
