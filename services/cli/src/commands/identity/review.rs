//! `throughline identity review`.

mod bulk;

use agreements::{Act, Actor, Approval, Delivery};
use anyhow::Context as _;
use chrono::Days;
use disclosure::{
    Ask, Asker, Repeat,
    review::{self, Decided},
};
use identity::review::{Candidate, Case, Override, Verdict};
use model::{Masked, StudentId};
use serde_json::{Value as Json, json};

use super::{say_recalled, steward};
use crate::{
    app::App,
    args::{Place, Review},
    commands::{Outcome, with_app},
    console, keys,
};

/// Lists, shows, decides, takes back.
pub async fn run(place: &Place, command: Review) -> anyhow::Result<Outcome> {
    with_app(place, |app| async move {
        let app = &*app;
        match command {
            Review::List { consumer, limit } => {
                for waiting in review::list(app.disclosure(), consumer.as_ref(), None, limit).await? {
                    if place.json {
                        console::json(&waiting)?;
                        continue;
                    }
                    let doubt = if waiting.is_contested { ", matched and in doubt" } else { "" };
                    let authority = if waiting.has_authority { "" } else { ", no authority in force" };
                    console::line(
                        false,
                        format!(
                            "client {} of {}: {} candidates, best {:.4}, since {}{doubt}{authority}",
                            waiting.client, waiting.consumer, waiting.candidates, waiting.best, waiting.waiting_since
                        ),
                    );
                }
            }
            Review::Show { client, by } => show(place, app, client, steward(app, by)?).await?,
            Review::Decide { client, is, is_not, author, .. } => {
                let verdict = match (is, is_not) {
                    (Some(student), _) => Verdict::Is(StudentId(student)),
                    (_, Some(student)) => Verdict::IsNot(StudentId(student)),
                    _ => Verdict::IsNobody,
                };
                let by = steward(app, author.by)?;
                let decided = review::decide(app.disclosure(), client, verdict, (&by, &author.reason)).await?;
                say(place, client, &decided)?;
            }
            Review::Override { client, student, author } => {
                let by = steward(app, author.by)?;
                let pair = (client, StudentId(student));
                let request = review::request_override(app.disclosure(), pair, (&by, &author.reason)).await?;
                sign_or_ask(place, app, &request, client).await?;
            }
            Review::Approve { id, by, key } => {
                let request = review::find_override(app.disclosure(), id).await?.context("there is no such request")?;
                let key = keys::private_key(&key)?;
                let act = (Act::OverrideMatch, review::digest_of(&request));
                let approval = Approval::sign(app.agreements.stewards(), &by, &key, act, app.clock().now())?;
                match review::approve_override(app.disclosure(), id, &approval).await? {
                    Some(decided) => say(place, 0, &decided)?,
                    None => console::line(place.json, "signed; another steward has still to sign"),
                }
            }
            Review::Undo { client, author } => {
                let by = steward(app, author.by)?;
                let decided = review::undo(app.disclosure(), client, (&by, &author.reason)).await?;
                say(place, client, &decided)?;
            }
            Review::Alike { consumer } => bulk::alike(place, app, consumer.as_ref()).await?,
            Review::Bulk(command) => {
                let outcome = bulk::run(place, app, command).await?;
                app.sequence().await?;
                return Ok(outcome);
            }
            Review::Stats { days } => stats(place, app, days).await?,
        }
        app.sequence().await?;
        Ok(Outcome::Done)
    })
    .await
}

/// In the sandbox the built-in stewards sign; elsewhere two people must.
async fn sign_or_ask(place: &Place, app: &App, request: &Override, client: i64) -> anyhow::Result<()> {
    if app.sandbox_steward().is_none() {
        if place.json {
            return console::json(&json!({ "override": request.id, "waits_for": 2 }));
        }
        console::line(
            false,
            format!(
                "two stewards sign it with: throughline identity review approve {} --by NAME --key FILE",
                request.id
            ),
        );
        return Ok(());
    }
    for approval in app.sandbox_approvals(Act::OverrideMatch, review::digest_of(request), app.clock().now())? {
        if let Some(decided) = review::approve_override(app.disclosure(), request.id, &approval).await? {
            say(place, client, &decided)?;
        }
    }
    Ok(())
}

fn say(place: &Place, client: i64, decided: &Decided) -> anyhow::Result<()> {
    if place.json {
        console::json(&json!({ "client": client, "matched": decided.is_matched, "recalled": decided.recalled.len() }))?;
    } else {
        let state = if decided.is_matched { "matched" } else { "not matched" };
        console::line(
            false,
            format!("decided: the client is {state}; {} disclosures to call back", decided.recalled.len()),
        );
    }
    say_recalled(place, &decided.recalled)
}

async fn show(place: &Place, app: &App, client: i64, by: String) -> anyhow::Result<()> {
    let ask = Ask {
        consumer: app.own_consumer()?,
        actor: Actor::Person { role: "steward", office: None, officer: None, trained_on: None },
        purpose: None,
        delivery: Delivery::Unary,
        office: None,
        as_of: None,
        asker: Asker { person: Some(Masked::new(by)), system: Some("review".to_owned()), on_behalf_of: None },
        run: None,
        repeat: Repeat::Always,
        request: None,
    };
    let case = review::open(app.disclosure(), &ask, client).await?;
    if place.json {
        return console::json(&case_json(&case));
    }
    let d = &case.details;
    let birth = d.birth_date.map(|day| day.to_string()).unwrap_or_default();
    console::line(false, format!("client {} of {}, {}", case.client, case.consumer, case.person_key.expose()));
    console::line(
        false,
        format!(
            "  {}, {} {} {} | {birth} | {} | {} {} | SASID {}",
            d.last_name, d.first_name, d.middle_name, d.suffix, d.sex, d.town, d.zip, d.sasid
        ),
    );
    for candidate in &case.candidates {
        say_candidate(candidate);
    }
    for past in &case.past {
        let ended = past.superseded_at.map_or_else(String::new, |at| format!(", until {at}"));
        console::line(
            false,
            format!("  {} by {} on {}{ended}: {}", past.outcome, past.decided_by, past.decided_at, past.reason),
        );
    }
    Ok(())
}

fn say_candidate(candidate: &Candidate) {
    let person = &candidate.person;
    let taken = if candidate.is_taken { ", another client is this student" } else { "" };
    let probability =
        candidate.probability.map_or_else(|| "not compared".to_owned(), |p| format!("probability {p:.6}"));
    console::line(false, format!("  student {}: {probability}, {}{taken}", candidate.student, candidate.reason));
    for name in &person.names {
        console::line(false, format!("    {}, {} {} {}", name.last, name.first, name.middle, name.suffix));
    }
    let births: Vec<String> = person.birth_dates.iter().map(ToString::to_string).collect();
    let towns: Vec<&str> = person.addresses.iter().map(|address| address.town.as_str()).collect();
    console::line(
        false,
        format!(
            "    {} | {} | {} | SASID {}",
            births.join(", "),
            person.sex.as_deref().unwrap_or(""),
            towns.join(", "),
            person.sasids.join(", ")
        ),
    );
    for part in &candidate.comparisons {
        let frequency = part.frequency.map_or_else(String::new, |share| format!(", borne by 1 in {:.0}", 1.0 / share));
        console::line(false, format!("    {:>7.2} bits  {} {}{frequency}", part.bits, part.comparison, part.level));
    }
}

fn case_json(case: &Case) -> Json {
    let candidate = |candidate: &Candidate| {
        let person = &candidate.person;
        let names: Vec<Json> = person
            .names
            .iter()
            .map(|name| json!({ "first": name.first, "middle": name.middle, "last": name.last, "suffix": name.suffix }))
            .collect();
        let towns: Vec<&str> = person.addresses.iter().map(|address| address.town.as_str()).collect();
        json!({
            "student": candidate.student, "probability": candidate.probability, "score_bits": candidate.score_bits,
            "outcome": candidate.outcome, "reason": candidate.reason, "taken": candidate.is_taken, "comparisons": candidate.comparisons,
            "sasids": person.sasids, "names": names, "birth_dates": person.birth_dates, "sex": person.sex, "towns": towns,
        })
    };
    json!({
        "client": case.client, "consumer": case.consumer, "person_key": case.person_key.expose(), "details": case.details,
        "candidates": case.candidates.iter().map(candidate).collect::<Vec<_>>(), "past": case.past,
    })
}

async fn stats(place: &Place, app: &App, days: u32) -> anyhow::Result<()> {
    let from = app
        .clock()
        .now()
        .checked_sub_days(Days::new(u64::from(days)))
        .context("so many days ago there was no exchange")?;
    let (queues, reliability) = review::stats(app.disclosure(), from).await?;
    if place.json {
        return console::json(&json!({ "queues": queues, "reliability": reliability }));
    }
    for queue in queues {
        let oldest = queue.oldest.map(|at| at.to_string()).unwrap_or_default();
        console::line(
            false,
            format!(
                "{}: {} wait, {} of them matched and in doubt, the first since {oldest}",
                queue.consumer, queue.waiting, queue.contested
            ),
        );
    }
    for bin in reliability {
        console::line(
            false,
            format!(
                "probability from {}: people decided {}, confirmed {}, the engine expected {:.1}",
                bin.from, bin.decided, bin.confirmed, bin.expected
            ),
        );
    }
    Ok(())
}
