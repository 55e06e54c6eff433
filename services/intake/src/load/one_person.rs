//! Whether what is reported under one identifier is about one person.

use std::{
    collections::{BTreeSet, HashMap, HashSet, hash_map::Entry},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use history::BatchInfo;
use identity::persons::{Said, clear_differences, doubt, list_said, may_be_twins, were_said};
use model::{Domain, Fact, Masked, SourcePersonId, Value};
use pg::Tx;

use super::{LoadError, Tally};
use crate::{Finding, Severity};

/// Persons whom a file has named that are remembered at most, some 100 MB; of those after them a file is held against itself chunk by chunk.
const NAMED_MAX: usize = 4_000_000;

/// How a file has named whom so far, by hashes: what an earlier file said too is said by this one all the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Named {
    first: HashMap<SourcePersonId, u64>,
    /// Whoever bears more than one name.
    more: HashMap<SourcePersonId, Vec<u64>>,
}

impl Named {
    fn hash(said: &Said) -> u64 {
        let mut hasher = DefaultHasher::new();
        for name in [&said.first_name, &said.last_name] {
            name.as_ref().map(Masked::expose).hash(&mut hasher);
        }
        said.birth_date.as_ref().map(Masked::expose).hash(&mut hasher);
        hasher.finish()
    }

    fn has(&self, person: SourcePersonId, said: &Said) -> bool {
        let hash = Self::hash(said);
        self.first.get(&person) == Some(&hash) || self.more.get(&person).is_some_and(|more| more.contains(&hash))
    }

    /// Whether the file has named this person otherwise.
    fn has_other(&self, person: SourcePersonId, said: &Said) -> bool {
        self.more.contains_key(&person) || self.first.get(&person).is_some_and(|first| *first != Self::hash(said))
    }

    fn note(&mut self, person: SourcePersonId, said: &Said) {
        let (hash, is_full) = (Self::hash(said), self.first.len() >= NAMED_MAX);
        match self.first.entry(person) {
            Entry::Vacant(place) if !is_full => drop(place.insert(hash)),
            Entry::Occupied(first) if *first.get() != hash => {
                let more = self.more.entry(person).or_default();
                if !more.contains(&hash) {
                    more.push(hash);
                }
            }
            _ => {}
        }
    }
}

/// Finds records that are about another person than those before under the same identifier. They are loaded all the same: which of the two
/// the identifier belongs to, a steward decides, and until then nothing of that person is disclosed. Of those `introduced` nothing was said before
/// these rows.
pub(super) async fn check(
    tx: &mut Tx<'_, '_>,
    info: &BatchInfo,
    (told, introduced): (&[(SourcePersonId, u32, &Said)], &BTreeSet<SourcePersonId>),
    tally: &mut Tally,
    findings_max: usize,
) -> Result<(), LoadError> {
    let news = list_news(tx, told, introduced, &tally.named).await?;
    let asked: Vec<SourcePersonId> = news.difference(introduced).copied().collect();
    let mut known = if asked.is_empty() { HashMap::new() } else { list_said(tx, &asked, info.batch).await? };
    for (person, before) in &mut known {
        for (other, is_of_file) in before {
            *is_of_file |= tally.named.has(*person, other);
        }
    }
    for (person, _, said) in told {
        tally.named.note(*person, said);
    }
    let mut doubtful = Vec::new();
    for (person, line, said) in told {
        if !news.contains(person) {
            continue;
        }
        let before = known.entry(*person).or_default();
        let place = before.iter().position(|(other, _)| other == *said);
        if place.is_some_and(|at| before[at].1) {
            continue;
        }
        // What an earlier file said is no news, but this file may say it beside something else.
        let finding = if place.is_some() { twins(before, said, *line) } else { two_people(before, said, *line) };
        if let Some(finding) = finding {
            tally.find(finding, findings_max);
            doubtful.push((*person, *line));
        }
        match place {
            Some(at) => before[at].1 = true,
            None => before.push(((*said).clone(), true)),
        }
    }
    if !doubtful.is_empty() {
        doubt(tx, &doubtful, info.batch, info.recorded_at).await?;
        tally.restricts = true;
    }
    Ok(())
}

/// Of whom something new is said, or different things: most records say what was said before, and only for the others is it worth knowing what that was.
async fn list_news(
    tx: &mut Tx<'_, '_>,
    told: &[(SourcePersonId, u32, &Said)],
    introduced: &BTreeSet<SourcePersonId>,
    named: &Named,
) -> Result<BTreeSet<SourcePersonId>, LoadError> {
    let mut first: HashMap<SourcePersonId, &Said> = HashMap::new();
    let mut news: BTreeSet<SourcePersonId> = BTreeSet::new();
    for (person, _, said) in told {
        let differs = *first.entry(*person).or_insert(said) != *said || named.has_other(*person, said);
        if introduced.contains(person) || differs {
            news.insert(*person);
        }
    }
    let asked: Vec<(SourcePersonId, &Said)> = first.into_iter().filter(|(person, _)| !news.contains(person)).collect();
    let repeated = if asked.is_empty() { HashSet::new() } else { were_said(tx, &asked).await? };
    news.extend((0..).zip(&asked).filter(|(place, _)| !repeated.contains(place)).map(|(_, (person, _))| *person));
    Ok(news)
}

/// The finding, if a record is of another person than all those before it.
fn two_people(before: &[(Said, bool)], said: &Said, line: u32) -> Option<Finding> {
    // Whoever is like any of those before is one of them.
    let others = before.iter().map(|(other, _)| clear_differences(other, said));
    let differ = others.min_by_key(Vec::len).unwrap_or_default();
    if differ.is_empty() {
        return twins(before, said, line);
    }
    let message = "these fields are clearly another person's than those reported under this identifier before; \
        check whose identifier it is. Both are kept, and nothing of them is released until a steward has looked";
    Some(finding(line, "person.two_under_one_identifier", differ.join(", "), message))
}

/// The finding, if a record is of a twin of everybody whom this file has named under the identifier before.
fn twins(before: &[(Said, bool)], said: &Said, line: u32) -> Option<Finding> {
    let mut of_file = before.iter().filter(|(_, is_of_file)| *is_of_file).peekable();
    if of_file.peek().is_none() || !of_file.all(|(other, _)| may_be_twins(other, said)) {
        return None;
    }
    let message = "another first name than this file gives before under the same identifier, with the same surname and birth date, as twins \
        have; check whose identifier it is. Both are kept, and nothing of them is released until a steward has looked";
    Some(finding(line, "person.twins_under_one_identifier", "first_name".to_owned(), message))
}

fn finding(line: u32, rule: &'static str, fields: String, message: &str) -> Finding {
    Finding { field: Some(fields), ..Finding::new(line, rule, Severity::Warning, message.to_owned()) }
}

/// What a record says of who the person is.
pub(super) fn said(facts: &[Fact]) -> Option<Said> {
    let fact = facts.iter().find(|fact| fact.domain == Domain::Student && fact.payload.contains_key("last_surname"))?;
    let text =
        |element: &str| fact.payload.get(element).and_then(Value::as_text).map(|text| Masked::new(text.to_owned()));
    Some(Said {
        first_name: text("first_name"),
        last_name: text("last_surname"),
        birth_date: fact.payload.get("birth_date").and_then(Value::as_date).map(Masked::new),
        sex: text("sex"),
    })
}
