//! Clients of the agencies: who they are, how they were written down, and when the agency has authority.

use chrono::{Days, NaiveDate, TimeDelta};

use super::World;
use super::cases::{Consumer, NIGHTS, Script, View};
use super::dice::{Dice, Purpose};
use super::household::Child;
use super::identity::{Identity, first_sasid};
use super::life::{Life, Program};
use super::names::Sex;
use super::noise;

/// A person as an agency has it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Last name.
    pub last: String,
    /// First name.
    pub first: String,
    /// Middle name or initial or none.
    pub middle: String,
    /// Suffix or none.
    pub suffix: &'static str,
    /// Birth date.
    pub birth: NaiveDate,
    /// Sex.
    pub sex: Sex,
    /// Race, as agencies write it.
    pub race: &'static str,
    /// SASID or none.
    pub sasid: String,
}

/// A time of authority.
#[derive(Clone, Debug)]
pub struct Authority {
    /// First day.
    pub from: NaiveDate,
    /// Last day.
    pub to: Option<NaiveDate>,
    /// The night from which it is on the roster.
    pub known: usize,
    /// The night from which its end is.
    pub end_known: usize,
}

/// A client.
#[derive(Clone, Debug)]
pub struct Client {
    /// The agency.
    pub consumer: Consumer,
    /// The agency's own number.
    pub person_id: String,
    /// The child it truly is; `None` for a person the state has never seen.
    pub child: Option<u64>,
    /// As first written down.
    pub seen: Seen,
    /// As corrected, and from which night.
    pub corrected: Option<(usize, Seen)>,
    /// Times of authority.
    pub spans: Vec<Authority>,
    /// CSSD: after adjudication.
    pub adjudicated: bool,
    /// Legal basis, signer or end reason.
    pub basis: &'static str,
    /// The night from which it is gone.
    pub gone: Option<usize>,
    /// DCF: the night from which another area office has it, and which.
    pub transfer: Option<(usize, usize)>,
    /// Town of residence.
    pub town: usize,
    /// Worker or officer.
    pub worker: u64,
    /// What is wrong with how it was written down.
    pub noise: Vec<&'static str>,
}

impl Client {
    /// How it is written on a night.
    pub const fn seen(&self, night: usize) -> &Seen {
        match &self.corrected {
            Some((from, seen)) if night >= *from => seen,
            _ => &self.seen,
        }
    }

    /// The place of the DCF office that has it on a night, if that is another than its town's.
    pub fn transferred(&self, night: usize) -> Option<usize> {
        self.transfer.filter(|(from, _)| night >= *from).map(|(_, office)| office)
    }
}

/// Numbers kept apart for each child: an agency each, for itself and for a stranger.
const PER_CHILD: u64 = 8;

/// Share of clients whom the state has never seen.
const STRANGERS: f64 = 0.15;

/// The clients that a child is, and strangers that come with it.
pub fn clients(world: &World, child: &Child, life: &Life, identity: &Identity) -> Vec<Client> {
    let mut dice = Dice::new(world.seed, Purpose::Agency, child.index);
    let writer = Writer {
        world,
        child,
        identity,
        town: life.years.last().and_then(|y| y.last()).map_or(child.town, |s| s.town),
    };
    if let Some(case) = child.case {
        let script = |script| writer.scripted(script, &mut dice);
        return case.clients.iter().map(script).collect();
    }
    let mut clients = Vec::new();
    if life.years.is_empty() {
        return clients;
    }
    for consumer in drawn(world, child, life, &mut dice) {
        clients.push(writer.drawn(consumer, &mut dice));
        if dice.chance(STRANGERS / (1.0 - STRANGERS)) {
            clients.push(writer.stranger(consumer, &mut dice));
        }
    }
    clients
}

/// Times in the care of child welfare.
pub fn care(clients: &[Client]) -> Vec<(NaiveDate, Option<NaiveDate>)> {
    clients
        .iter()
        .filter(|c| c.consumer == Consumer::Dcf && c.child.is_some())
        .flat_map(|c| c.spans.iter().map(|span| (span.from, span.to)))
        .collect()
}

/// Which agencies a child is a client of.
fn drawn(world: &World, child: &Child, life: &Life, dice: &mut Dice) -> Vec<Consumer> {
    let age = (world.as_of - child.birth).num_days() / 365;
    let stayed = |program| {
        let recent = life.years.iter().rev().take(2);
        recent.flat_map(|y| &y.stints).any(|s| s.program == program)
    };
    // Shares of all children of these ages, so that the clients are the wished-for share of all.
    let eligible = if (10..=19).contains(&age) { 0.44 } else { f64::INFINITY };
    let conduct = (child.traits.conduct * 0.8 - 0.4).exp();
    let court = if stayed(Program::Detention) { 0.8 } else { (world.clients / eligible * conduct).min(0.6) };
    let is_court = dice.chance(court);
    let eligible = if (3..=18).contains(&age) { 0.68 } else { f64::INFINITY };
    let poverty = [0.45, 0.9, 1.6][usize::from(child.traits.meals.min(2))];
    let both = if is_court { 4.0 } else { 1.0 };
    let care = if stayed(Program::ChildWelfare) { 0.7 } else { (world.clients / eligible * poverty * both).min(0.6) };
    let mut consumers = Vec::new();
    if is_court {
        consumers.push(Consumer::Cssd);
    }
    if dice.chance(care) {
        consumers.push(Consumer::Dcf);
    }
    if is_court && dice.chance(0.22) {
        consumers.push(Consumer::EducationUnit);
    }
    consumers
}

struct Writer<'a> {
    world: &'a World,
    child: &'a Child,
    identity: &'a Identity,
    town: usize,
}

impl Writer<'_> {
    fn person_id(&self, consumer: Consumer, stranger: bool) -> String {
        let slot = consumer as u64 * 2 + u64::from(stranger);
        self.world.persons.at(self.child.index * PER_CHILD + slot).to_string()
    }

    fn exact(&self) -> Seen {
        let child = self.child;
        Seen {
            last: child.last_on(self.world.as_of).to_owned(),
            first: child.first.clone(),
            middle: child.middle.clone(),
            suffix: child.suffix,
            birth: child.birth,
            sex: child.sex,
            race: race(child),
            sasid: String::new(),
        }
    }

    /// The client of a case.
    fn scripted(&self, script: &Script, dice: &mut Dice) -> Client {
        let world = self.world;
        let day = |before: i64| world.as_of - TimeDelta::days(before);
        let spans = script.spans.iter().map(|span| Authority {
            from: day(span.start),
            to: span.end.map(day),
            known: span.known,
            end_known: span.end_known,
        });
        let right = Seen { sasid: self.identity.latest().to_owned(), ..self.exact() };
        Client {
            consumer: script.consumer,
            person_id: self.person_id(script.consumer, false),
            child: Some(self.child.index),
            seen: self.viewed(script.view, dice),
            corrected: script.corrected.map(|night| (night, right)),
            spans: spans.collect(),
            adjudicated: script.adjudicated,
            basis: script.basis,
            gone: script.gone,
            transfer: script.transfer,
            town: self.town,
            worker: 1 + self.child.index % 9,
            noise: Vec::new(),
        }
    }

    fn viewed(&self, view: View, dice: &mut Dice) -> Seen {
        let mut seen = self.exact();
        match view {
            View::Exact => {}
            View::WithSasid => self.identity.latest().clone_into(&mut seen.sasid),
            View::Nickname => {
                let nickname = self.world.names.nickname(&self.child.first, dice);
                nickname.unwrap_or("Bill").clone_into(&mut seen.first);
            }
            View::SwappedDate => seen.birth = noise::swapped(seen.birth),
            View::OldSurname => seen.last.clone_from(&self.child.last),
            View::Doubtful => {
                seen.first.truncate(1);
                seen.middle.clear();
            }
            View::StrangersSasid => seen.sasid = first_sasid(self.world, self.child.index + 1),
            View::LastPart => seen.last = noise::last_part(&seen.last).to_owned(),
        }
        seen
    }

    /// A client like many.
    fn drawn(&self, consumer: Consumer, dice: &mut Dice) -> Client {
        let child = self.child;
        let world = self.world;
        let mut wrong = Vec::new();
        let (first, middle, last) = noise::names(world, child, world.as_of, dice, &mut wrong);
        let birth = noise::birth(child, dice, &mut wrong);
        let known = match consumer {
            Consumer::Cssd => 0.42,
            Consumer::Dcf => 0.24,
            Consumer::EducationUnit => 0.6,
        };
        let mut sasid = String::new();
        if dice.chance(known) {
            // Some have the number of an earlier registration.
            let first = self.identity.sasids.first().map_or("", |(_, s)| s.as_str());
            let which = if dice.chance(0.8) { self.identity.latest() } else { first };
            which.clone_into(&mut sasid);
            if dice.chance(0.02) {
                sasid = noise::transposed(&sasid, dice);
                wrong.push("transposed_sasid");
            }
        }
        let seen = Seen {
            last,
            first,
            middle,
            suffix: if dice.chance(0.5) { child.suffix } else { "" },
            birth,
            sasid,
            ..self.exact()
        };
        let corrected = (!wrong.is_empty() && dice.chance(0.06)).then(|| {
            let sasid = seen.sasid.clone();
            (1 + dice.below(NIGHTS - 1), Seen { sasid, ..self.exact() })
        });
        let (adjudicated, basis) = self.basis(consumer, dice);
        Client {
            consumer,
            person_id: self.person_id(consumer, false),
            child: Some(child.index),
            seen,
            corrected,
            spans: self.spans(consumer, dice),
            adjudicated,
            basis,
            gone: dice.chance(0.008).then(|| 1 + dice.below(NIGHTS - 1)),
            transfer: None,
            town: self.residence(dice),
            worker: 1 + dice.below(40) as u64,
            noise: wrong,
        }
    }

    fn residence(&self, dice: &mut Dice) -> usize {
        if dice.chance(0.9) {
            return self.town;
        }
        let near = &self.world.places.towns[self.town].near;
        dice.pick(near).copied().unwrap_or(self.town)
    }

    fn basis(&self, consumer: Consumer, dice: &mut Dice) -> (bool, &'static str) {
        let adult = (self.world.as_of - self.child.birth).num_days() >= 18 * 366;
        match consumer {
            Consumer::Cssd => match dice.weighted(&[0.55, 0.2, 0.15, 0.1]) {
                0 => (false, "juvenile_justice"),
                1 => (true, "court_order"),
                2 => (true, "parent_consent"),
                _ => (true, "juvenile_justice"),
            },
            Consumer::Dcf => {
                let reasons =
                    ["Reunification", "Reunification", "Guardianship", "Adoption", "Living with Other Relative(s)"];
                (false, dice.word(&reasons))
            }
            Consumer::EducationUnit if adult && dice.chance(0.6) => (false, "eligible_student"),
            Consumer::EducationUnit => (false, "parent"),
        }
    }

    fn spans(&self, consumer: Consumer, dice: &mut Dice) -> Vec<Authority> {
        let as_of = self.world.as_of;
        let before = |days: i64| as_of - TimeDelta::days(days);
        let mut spans = Vec::new();
        let longest = (as_of - self.child.birth).num_days().clamp(60, 900);
        if dice.chance(0.08) {
            // An earlier time that ended.
            let end = dice.between(1_000, 1_200);
            let from = before(end + dice.between(40, 300)).max(self.child.birth);
            spans.push(Authority { from, to: Some(before(end)).filter(|to| *to > from), known: 0, end_known: 0 });
            spans.retain(|span| span.to.is_some());
        }
        let release = consumer == Consumer::EducationUnit;
        let joins = dice.chance(0.02).then(|| 1 + dice.below(NIGHTS - 1));
        let start = if joins.is_some() { dice.between(0, 3) } else { dice.between(5, longest) };
        let from = before(start);
        let ended = start > 60 && dice.chance(0.22);
        let ends_now = !ended && joins.is_none() && dice.chance(0.02);
        let (to, end_known) = if release {
            (Some(from + Days::new(365)), 0)
        } else if ended {
            (Some(before(dice.between(4, start - 30))), 0)
        } else if ends_now {
            let night = 1 + dice.below(NIGHTS - 1);
            (Some(before((NIGHTS - 1 - night) as i64)), night)
        } else {
            (None, 0)
        };
        spans.push(Authority { from, to, known: joins.unwrap_or(0), end_known });
        spans
    }

    /// A person the state has never seen: a newcomer, a child of private schools, someone of another state.
    fn stranger(&self, consumer: Consumer, dice: &mut Dice) -> Client {
        let world = self.world;
        let sex = if dice.chance(0.5) { Sex::Female } else { Sex::Male };
        let group = self.child.group;
        let mut client = self.drawn(consumer, dice);
        client.person_id = self.person_id(consumer, true);
        client.child = None;
        client.corrected = None;
        client.noise.clear();
        let offset = TimeDelta::days(dice.between(-500, 500));
        client.seen = Seen {
            last: world.names.family_surname(group, dice),
            first: world.names.first(group, sex, dice).to_owned(),
            middle: String::new(),
            suffix: "",
            birth: (self.child.birth + offset).min(world.as_of),
            sex,
            race: race(self.child),
            sasid: String::new(),
        };
        client
    }
}

fn race(child: &Child) -> &'static str {
    if child.hispanic {
        return "Hispanic";
    }
    match child.races {
        [_, _, true, _, _] => "Black",
        [_, true, _, _, _] => "Asian",
        [_, _, _, _, true] => "White",
        _ => "Other",
    }
}
