//! `agreement explain` and `agreement rehearse`: what stewards look into before they answer or sign.

use std::collections::BTreeMap;

use agreements::{Actor, Delivery, Explanation};
use anyhow::anyhow;
use chrono::{NaiveDate, TimeDelta};
use disclosure::{About, Ask, Explained, Rehearsal};
use model::{ConsumerId, Domain, Element};
use serde_json::json;

use super::super::{Outcome, own_ask, with_app};
use crate::{args::Place, console};

/// What is asked of `explain`.
pub struct Question {
    /// The agency.
    pub consumer: ConsumerId,
    /// Whom it is about.
    pub about: About,
    /// The elements by id; none: all.
    pub elements: Vec<String>,
    /// The purpose by id; `None`: the agreement's first.
    pub purpose: Option<String>,
    /// The kind of delivery.
    pub delivery: String,
    /// As which person of the agency; `None`: as the nightly run.
    pub person: Option<Reader>,
    /// Who asks.
    pub by: String,
}

/// A person of an agency, by what the agreement asks about.
pub struct Reader {
    /// A role of the agreement.
    pub role: String,
    /// Their office.
    pub office: Option<String>,
    /// Their id as rosters name the officer.
    pub officer: Option<String>,
}

impl Reader {
    fn actor(&self, trained_on: NaiveDate) -> Actor<'_> {
        let Self { role, office, officer } = self;
        Actor::Person { role, office: office.as_deref(), officer: officer.as_deref(), trained_on: Some(trained_on) }
    }
}

/// What the agency itself would ask for, on schedule.
fn agency_ask<'a>(consumer: &'a ConsumerId, purpose: Option<&'a str>, delivery: Delivery) -> Ask<'a> {
    Ask {
        actor: Actor::ScheduledRun,
        asker: disclosure::Asker::default(),
        purpose,
        delivery,
        ..own_ask(consumer, "", "")
    }
}

/// Explains, after the access has been entered in the ledger.
pub async fn explain(place: &Place, question: Question) -> anyhow::Result<Outcome> {
    let delivery: Delivery = question.delivery.parse().map_err(|_| {
        anyhow!("a delivery is one of: {}", Delivery::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", "))
    })?;
    let all = || Domain::ALL.into_iter().flat_map(|domain| domains::definition(domain).elements).collect();
    let named: Result<Vec<&'static Element>, _> = question
        .elements
        .iter()
        .map(|id| domains::find_element(id).ok_or_else(|| anyhow!("no element is called {id:?}")))
        .collect();
    let elements = if question.elements.is_empty() { all() } else { named? };
    with_app(place, |app| async move {
        app.consumer(&question.consumer)?;
        let own = own_ask(app.own_consumer()?, "steward", &question.by);
        // A day that is over wherever the agency is.
        let trained_on = (app.clock().now() - TimeDelta::days(1)).date_naive();
        let actor = question.person.as_ref().map_or(Actor::ScheduledRun, |person| person.actor(trained_on));
        let of = Ask { actor, ..agency_ask(&question.consumer, question.purpose.as_deref(), delivery) };
        let mut explained = disclosure::explain(app.disclosure(), &own, &of, &question.about, &elements).await?;
        app.sequence().await?;
        let erased = match &question.about {
            About::Student(student) => super::super::erase::say_erased(&app, *student).await?,
            About::Client(_) => Vec::new(),
        };
        for one in &mut explained {
            one.facts.extend(erased.iter().cloned());
            if place.json {
                console::json(&as_json(one))?;
            } else {
                say(one, question.elements.is_empty());
            }
        }
        Ok(Outcome::Done)
    })
    .await
}

fn as_json(one: &Explained) -> serde_json::Value {
    let elements: Vec<_> = one
        .elements
        .iter()
        .map(|(id, why)| {
            json!({
                "element": id, "permitted": why.permitted && !one.is_restricted, "clause": why.clause,
                "legal_basis": why.legal_basis.map(agreements::LegalBasis::as_str), "reason": why.reason.map(agreements::Reason::code),
                "lines": why.lines, "public": why.public,
            })
        })
        .collect();
    json!({
        "client": one.person_key.as_ref().map(model::Masked::expose), "student": one.student.map(|student| student.to_string()),
        "facts": one.facts, "restricted": one.is_restricted, "elements": elements,
    })
}

fn say(one: &Explained, by_domain: bool) {
    let who =
        one.person_key.as_ref().map_or_else(|| "the student".to_owned(), |key| format!("client {}", key.expose()));
    console::line(false, format!("{who}:"));
    for fact in &one.facts {
        console::line(false, format!("  {fact}"));
    }
    if by_domain {
        say_by_domain(one);
    } else {
        for (id, why) in &one.elements {
            console::line(false, format!("  {id}:"));
            for line in &why.lines {
                console::line(false, format!("    {line}"));
            }
            console::line(false, format!("    The recipient is told: {}.", why.public));
        }
    }
    if one.is_restricted {
        console::line(false, "  An order is in force: whatever the agreement says, nothing is disclosed.");
    }
}

/// The chain that all elements share once, then each domain with what its clause permits.
fn say_by_domain(one: &Explained) {
    // Behind the agreement and its bases come the clause and the verdict, which differ from element to element.
    let chain = |why: &Explanation| why.lines.len().saturating_sub(2);
    if let Some((_, why)) = one.elements.iter().max_by_key(|(_, why)| why.lines.len()) {
        for line in why.lines.iter().take(chain(why)) {
            console::line(false, format!("  {line}"));
        }
    }
    let mut domains: BTreeMap<(&str, Option<&str>), [Vec<&str>; 2]> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for (id, why) in &one.elements {
        let (domain, element) = id.split_once('.').unwrap_or((id.as_str(), ""));
        if !order.contains(&domain) {
            order.push(domain);
        }
        let clause = why.clause.as_deref().filter(|_| why.permitted);
        let [permitted, refused] = domains.entry((domain, clause)).or_default();
        if why.permitted { permitted } else { refused }.push(element);
    }
    for domain in order {
        for ((_, clause), [permitted, refused]) in domains.iter().filter(|((of, _), _)| *of == domain) {
            if let Some(clause) = clause {
                console::line(false, format!("  {domain}: clause {clause} permits {}", permitted.join(", ")));
            }
            if !refused.is_empty() {
                console::line(false, format!("  {domain}: not permitted: {}", refused.join(", ")));
            }
        }
    }
    let reasons: BTreeMap<&str, &str> =
        one.elements.iter().filter_map(|(_, why)| why.reason.map(|reason| (reason.code(), reason.words()))).collect();
    for (code, words) in reasons {
        console::line(false, format!("  refused because {words} ({code})"));
    }
}

/// Rehearses a draft, after the access has been entered in the ledger.
pub async fn rehearse(place: &Place, document: &str, days: u16, by: &str) -> anyhow::Result<Outcome> {
    let draft = agreements::parse(document).map_err(|error| crate::app::agreement_error(&error))?;
    with_app(place, |app| async move {
        app.consumer(&draft.consumer)?;
        let own = own_ask(app.own_consumer()?, "steward", by);
        let of = agency_ask(&draft.consumer, None, Delivery::File);
        let since = app.clock().now() - TimeDelta::days(i64::from(days));
        let rehearsal = disclosure::rehearse(app.disclosure(), &own, &of, document, since).await?;
        app.sequence().await?;
        if place.json {
            console::json(&rehearsal_json(&rehearsal))?;
        } else {
            say_rehearsal(&rehearsal, days);
        }
        Ok(Outcome::Done)
    })
    .await
}

fn rehearsal_json(rehearsal: &Rehearsal) -> serde_json::Value {
    let changes: Vec<_> = rehearsal
        .changes
        .iter()
        .map(|change| {
            json!({
                "student": change.student.map(|student| student.to_string()), "client": change.person_key.expose(),
                "purpose": change.purpose, "added": change.added, "removed": change.removed,
            })
        })
        .collect();
    json!({
        "at": rehearsal.at.to_rfc3339(), "clients": rehearsal.clients, "requests": rehearsal.requests,
        "now_refused": rehearsal.now_refused, "now_granted": rehearsal.now_granted, "changes": changes,
    })
}

fn say_rehearsal(rehearsal: &Rehearsal, days: u16) {
    console::line(
        false,
        format!(
            "{} clients and the {} requests of {days} days, held against the draft as of {}: {} requests that were granted would be refused, \
             {} that were refused would be granted; something changes for {} clients",
            rehearsal.clients,
            rehearsal.requests,
            rehearsal.at.to_rfc3339(),
            rehearsal.now_refused,
            rehearsal.now_granted,
            rehearsal.changes.len()
        ),
    );
    // Clients for whom the same changes stand together: a draft mostly changes the same elements for all.
    let mut alike = BTreeMap::<_, Vec<String>>::new();
    for change in &rehearsal.changes {
        let who = change
            .student
            .map_or_else(|| format!("client {}", change.person_key.expose()), |student| student.to_string());
        alike.entry((&change.purpose, &change.added, &change.removed)).or_default().push(who);
    }
    for ((purpose, added, removed), who) in alike {
        console::line(false, format!("for {purpose}, {} students:", who.len()));
        for (sign, elements) in [("+", added), ("-", removed)] {
            if !elements.is_empty() {
                console::line(false, format!("  {sign} {}", elements.join(", ")));
            }
        }
        for one in who {
            console::line(false, format!("    {one}"));
        }
    }
}
