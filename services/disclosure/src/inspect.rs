//! The other door: what the SEA's own stewards look into. Each use is an access entry under the SEA's own agreement, and the answer is
//! returned only when that has committed. It names students by our own ids, and no value of a record.

use std::collections::{BTreeMap, BTreeSet};

use agreements::{
    Authority, Explanation, InForce, Instrument, Interval, Reason, Subject, explain as explain_one, majority_at,
};
use chrono::{DateTime, Utc};
use identity::inspection::{self, AuthorityInterval, Standing};
use ledger::Kind;
use model::{Element, Masked, StudentId};
use pg::{Role, Tx};

use crate::{
    Ask, Context, Error,
    access::decide_own,
    decided::{self, set_moment},
    entry,
    under_order::UnderOrder,
};

/// Whom a question is about.
#[derive(Clone, Debug)]
pub enum About {
    /// A client, by the agency's own person id.
    Client(Masked<String>),
    /// A student, by our own id.
    Student(StudentId),
}

/// Why an agency is, or is not, given elements of one client.
#[derive(Clone, Debug)]
pub struct Explained {
    /// The client by the agency's own person id; absent when no client of the agency is the student.
    pub person_key: Option<Masked<String>>,
    /// The student, if the client is matched with one.
    pub student: Option<StudentId>,
    /// What is known of the two, one sentence each: match, authorities, restrictions.
    pub facts: Vec<String>,
    /// Whether an order keeps everything back, whatever the agreement says.
    pub is_restricted: bool,
    /// The explanation of each element asked about, by id.
    pub elements: Vec<(String, Explanation)>,
}

/// What inspection knows of clients, those included whose authority has ended.
pub(crate) struct Known {
    pub(crate) clients: BTreeMap<String, Vec<AuthorityInterval>>,
    pub(crate) instruments: BTreeMap<String, Vec<Instrument>>,
    authorities: BTreeMap<String, Vec<Authority>>,
}

impl Known {
    pub(crate) async fn load(
        tx: &mut Tx<'_, '_>,
        context: Context<'_>,
        of: &Ask<'_>,
        keys: &[String],
        students: &[StudentId],
    ) -> Result<Self, Error> {
        let mut clients: BTreeMap<String, Vec<AuthorityInterval>> = BTreeMap::new();
        for interval in inspection::list_intervals(tx, of.consumer, keys, students).await? {
            clients.entry(interval.person_key.clone()).or_default().push(interval);
        }
        let keys: Vec<String> = keys.iter().chain(clients.keys()).cloned().collect();
        let instruments = context.agreements.load_instruments(tx, of.consumer, &keys).await?;
        let authorities = clients.iter().map(|(key, all)| (key.clone(), all.iter().map(authority).collect())).collect();
        Ok(Self { clients, instruments: instruments.into_iter().collect(), authorities })
    }

    pub(crate) fn student(&self, key: &str) -> Option<StudentId> {
        self.clients.get(key).and_then(|all| all.first()).map(|interval| interval.student)
    }

    pub(crate) fn subject(&self, key: &str, zone: chrono_tz::Tz) -> Subject<'_> {
        let birth_date = self.clients.get(key).and_then(|all| all.iter().find_map(|one| one.birth_date));
        Subject {
            authorities: self.authorities.get(key).map_or(&[], Vec::as_slice),
            instruments: self.instruments.get(key).map_or(&[], Vec::as_slice),
            majority_at: birth_date.map(|day| majority_at(day, zone)),
        }
    }
}

fn authority(interval: &AuthorityInterval) -> Authority {
    Authority {
        legal_basis: interval.legal_basis.parse().ok(),
        phase: interval.phase.as_deref().and_then(|phase| phase.parse().ok()),
        office: interval.office.clone(),
        officer: interval.officer.clone(),
        released: Interval { from: interval.from.unwrap_or(DateTime::<Utc>::MIN_UTC), to: interval.to },
    }
}

/// Explains elements of one client, or of whichever client a student is, to a steward. `own` is the steward's ask under the SEA's own
/// agreement; `of` is what the agency would ask.
pub async fn explain(
    context: Context<'_>,
    own: &Ask<'_>,
    of: &Ask<'_>,
    about: &About,
    elements: &[&'static Element],
) -> Result<Vec<Explained>, Error> {
    let outcome = pg::transaction("disclosure.explain", Role::Steward)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, own, Role::Steward).await?;
                let explained = explain_in(tx, context, of, about, elements, at).await?;
                let students = explained.iter().filter_map(|one| one.student).collect();
                let what = format!("explains disclosures to {}", of.consumer);
                Ok::<_, Error>(record_look(tx, context, own, (&what, &students), at).await?.map(|()| explained))
            })
        })
        .await?;
    outcome.map_err(Error::Denied)
}

/// Enters that a steward looks into something about students, or is refused to, in the caller's transaction.
pub(crate) async fn record_look(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    own: &Ask<'_>,
    (what, students): (&str, &BTreeSet<StudentId>),
    at: DateTime<Utc>,
) -> Result<Result<(), Reason>, Error> {
    record(tx, context, own, (what, students, None), at).await
}

/// The same about one student, who is named, or about nobody who is known.
pub(crate) async fn record_look_at(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    own: &Ask<'_>,
    (what, student): (&str, Option<StudentId>),
    at: DateTime<Utc>,
) -> Result<Result<(), Reason>, Error> {
    record(tx, context, own, (what, &student.into_iter().collect(), student), at).await
}

async fn record(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    own: &Ask<'_>,
    (what, students, named): (&str, &BTreeSet<StudentId>, Option<StudentId>),
    at: DateTime<Utc>,
) -> Result<Result<(), Reason>, Error> {
    tx.act_as(Role::Steward).await?;
    let in_force = context.agreements.load_active(tx, own.consumer, at).await?;
    let id = model::disclosure_id(context.entropy);
    let (mut entry, outcome) = match decide_own(own, in_force.as_ref(), at) {
        Ok(grant) => {
            let counted = (students.len() as u64, ledger::students_root(students).0);
            let mut entry = entry::run(own, Kind::Access, entry::terms_of(&grant)?, id, counted, at, context.entropy);
            entry.detail.authority = Some(Masked::new(what.to_owned()));
            (entry, Ok(()))
        }
        Err(denial) => {
            let terms = entry::terms_of_request(own, in_force.as_deref())?;
            let who = Masked::new(what.to_owned());
            (entry::refusal(own, terms, id, &who, denial.reason.code(), at, context.entropy), Err(denial.reason))
        }
    };
    entry.detail.student = named;
    entry::record(tx, own, &entry).await?;
    Ok(outcome)
}

async fn explain_in(
    tx: &mut Tx<'_, '_>,
    context: Context<'_>,
    of: &Ask<'_>,
    about: &About,
    elements: &[&'static Element],
    at: DateTime<Utc>,
) -> Result<Vec<Explained>, Error> {
    let (keys, students) = match about {
        About::Client(key) => (vec![key.expose().clone()], Vec::new()),
        About::Student(student) => (Vec::new(), vec![*student]),
    };
    let known = Known::load(tx, context, of, &keys, &students).await?;
    let in_force = context.agreements.load_active(tx, of.consumer, at).await?;
    let mut keys: BTreeSet<Option<String>> = keys.into_iter().chain(known.clients.keys().cloned()).map(Some).collect();
    if keys.is_empty() {
        keys.insert(None);
    }
    let mut explained = Vec::with_capacity(keys.len());
    for key in keys {
        let student = key.as_deref().and_then(|key| known.student(key)).or_else(|| students.first().copied());
        let mut facts = vec![matched(tx, of, key.as_deref(), student, &known).await?];
        let intervals = key.as_deref().and_then(|key| known.clients.get(key)).map_or(&[][..], Vec::as_slice);
        facts.extend(intervals.iter().map(|interval| words(interval, in_force.as_deref())));
        let orders = orders_over(tx, student, at).await?;
        facts.extend(orders.facts());
        let of_elements = match in_force.as_ref() {
            None => {
                facts.push(format!("{} has no agreement in force, and never had one.", of.consumer));
                Vec::new()
            }
            Some(in_force) => {
                let subject =
                    key.as_deref().map_or_else(Subject::default, |key| known.subject(key, in_force.plan().zone()));
                let request = decided::request(of, in_force);
                let one = |element: &&'static Element| {
                    let why = explain_one(&request, &subject, in_force, element, at);
                    let of_nobody = explain_one(&request, &Subject::default(), in_force, element, at).public;
                    (element.id(), orders.apply(element, why, of_nobody))
                };
                elements.iter().map(one).collect()
            }
        };
        explained.push(Explained {
            person_key: key.map(Masked::new),
            student,
            facts,
            is_restricted: orders.is_of_person(),
            elements: of_elements,
        });
    }
    Ok(explained)
}

/// The orders in force over a student, whole or in part; over nobody none.
async fn orders_over(tx: &mut Tx<'_, '_>, student: Option<StudentId>, at: DateTime<Utc>) -> Result<UnderOrder, Error> {
    let Some(student) = student else { return Ok(UnderOrder::default()) };
    let of_person = inspection::list_restrictions(tx, &[student], at).await?;
    let (persons, _) = inspection::list_persons(tx, student, at).await?;
    UnderOrder::load(tx, &persons, of_person).await
}

async fn matched(
    tx: &mut Tx<'_, '_>,
    of: &Ask<'_>,
    key: Option<&str>,
    student: Option<StudentId>,
    known: &Known,
) -> Result<String, Error> {
    let Some(key) = key else { return Ok(format!("No client of {} is matched with the student.", of.consumer)) };
    if let Some(student) = student.filter(|_| known.clients.contains_key(key)) {
        return Ok(format!("The client is matched with student {student}."));
    }
    let consumer = of.consumer;
    Ok(match inspection::find_standing(tx, consumer, key).await? {
        Standing::NeverNamed => format!("No roster of {consumer} ever named such a client."),
        Standing::Unmatched => format!("The client stands on a roster of {consumer} and is matched with no student."),
        Standing::Waiting => format!(
            "The client stands on a roster of {consumer}; who it may be waits for a person: see `identity review list`."
        ),
        Standing::Matched => format!(
            "The client is matched, and has no authority on file or was changed by {consumer} since: the next match run settles it."
        ),
        Standing::Contested => {
            "The client is matched, and what came since contradicts the match: nothing is released until a person \
            decides (`identity review list`)."
                .to_owned()
        }
    })
}

fn words(interval: &AuthorityInterval, in_force: Option<&InForce>) -> String {
    let zone = in_force.map_or(chrono_tz::Tz::UTC, |in_force| in_force.plan().zone());
    let instant = |at: DateTime<Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z").to_string();
    let from = interval.from.map_or_else(|| "always".to_owned(), instant);
    let to = interval.to.map_or_else(|| "with no end known".to_owned(), |to| format!("until {}", instant(to)));
    let phase = interval.phase.as_ref().map_or_else(String::new, |phase| format!(", phase {phase}"));
    let office = interval.office.as_ref().map_or_else(String::new, |office| format!(", office {office}"));
    format!("Authority on the basis {}{phase}{office}: from {from} {to}.", interval.legal_basis)
}

/// Enters that a steward has looked at a copy of a record of disclosures and releases it: of one student, or of several. Only auditors are shown the
/// entry.
pub async fn record_release(
    context: Context<'_>,
    own: &Ask<'_>,
    student: Option<StudentId>,
    steward: &str,
    what: &str,
) -> Result<(), Error> {
    pg::transaction("disclosure.record_release", Role::Steward)
        .run(context.pool, |tx| {
            Box::pin(async move {
                let at = set_moment(tx, context, own, Role::Steward).await?;
                let in_force = context.agreements.load_active(tx, own.consumer, at).await?;
                let grant = decide_own(own, in_force.as_ref(), at).map_err(|denial| Error::Denied(denial.reason))?;
                let mut entry = entry::act(own, Kind::Approval, entry::terms_of(&grant)?, at, context.entropy);
                entry.detail.student = student;
                entry.detail.person = Some(Masked::new(steward.to_owned()));
                entry.detail.authority = Some(Masked::new(what.to_owned()));
                tx.act_as(Role::Ledger).await?;
                ledger::record_one(tx, &entry).await?;
                Ok::<_, Error>(())
            })
        })
        .await
}
