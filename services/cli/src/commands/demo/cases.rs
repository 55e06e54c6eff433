//! What the demo does beside its nights, so that every case is seen, and the list of cases that it ends with.
//!
//! Each step is done once: begun again after a kill, the demo finds what it has done already.

use std::{collections::BTreeMap, fs, path::Path};

use agreements::{Act, Actor, InstrumentKind, Interval, NewCertification, NewInstrument, Reason};
use anyhow::{Context as _, bail, ensure};
use chrono::{NaiveDate, TimeDelta};
use disclosure::{About, Ask, Asker, Error};
use model::{ConsumerId, Masked};
use pg::Role;
use serde::Deserialize;
use serde_json::json;

use super::Nights;
use crate::{
    app::App,
    commands::{break_glass, exchange, identity, own_ask},
    console,
};

/// A case as `truth/cases.ndjson` tells it.
#[derive(Deserialize)]
struct Case {
    #[serde(rename = "case")]
    name: String,
    about: String,
    sasids: Vec<String>,
    clients: Vec<Client>,
}

#[derive(Deserialize)]
struct Client {
    consumer: ConsumerId,
    person_id: String,
}

/// The cases that an invented state has: a small one has only the first of them.
pub struct Cases(Vec<Case>);

/// For whom an emergency is declared, before the night of this number; it is over before the next.
const EMERGENCY: (&str, &str, usize) = ("education_unit_emergency", "education_unit", 2);
/// By what number it is on file.
const EMERGENCY_NUMBER: &str = "DEMO-E-1";
/// The threat, as the record of disclosures states it (34 CFR 99.32(a)(5)).
const THREAT: &str = "a clinician of the facility states an imminent risk that the student comes to harm; who is on duty must \
know tonight which plans and services the student has";
/// How long the emergency lasts.
const EMERGENCY_HOURS: i64 = 12;

/// Whose two state ids are made one student's, before the night of this number.
const MERGED: (&str, usize) = ("two_sasids", 2);

/// Who is refused while the agency's certification is off file.
const UNCERTIFIED: (&str, &str) = ("cssd_certification_missing", "cssd");

impl Cases {
    /// Reads them.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join("truth/cases.ndjson");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let cases: Result<_, _> = text.lines().map(serde_json::from_str).collect();
        Ok(Self(cases.with_context(|| format!("{} holds no cases", path.display()))?))
    }

    fn find(&self, name: &str) -> Option<&Case> {
        self.0.iter().find(|case| case.name == name)
    }

    fn client(&self, case: &str, consumer: &str) -> Option<&Client> {
        self.find(case)?.clients.iter().find(|client| client.consumer.as_str() == consumer)
    }

    /// Before the first night: the education unit's agreement is amended by a basis for emergencies, which no shipped agreement has. The parties'
    /// document stands in the demo's folder.
    pub async fn amend(&self, app: &App, dir: &Path, eve: NaiveDate, as_json: bool) -> anyhow::Result<()> {
        let (case, consumer, _) = EMERGENCY;
        if self.client(case, consumer).is_none() {
            return Ok(());
        }
        let document = amended(&app.consumer(&consumer.parse()?)?.agreement, eve)?;
        let path = dir.join("agreements").join(format!("{consumer}-2.toml"));
        fs::create_dir_all(path.parent().unwrap_or(dir))?;
        fs::write(&path, &document).with_context(|| format!("cannot write {}", path.display()))?;
        let (agreement, version) = app.activate(&document).await?;
        let what = "by a basis for emergencies";
        console::line(as_json, format!("{agreement} is amended {what}: version {version}, {}", path.display()));
        Ok(())
    }

    /// Before a night: what happens on its day beside the rosters.
    pub async fn before_night(&self, app: &App, number: usize, as_json: bool) -> anyhow::Result<()> {
        if number == MERGED.1 {
            self.merge(app, as_json).await?;
        }
        if number == EMERGENCY.2 {
            self.declare_emergency(app, as_json).await?;
        }
        Ok(())
    }

    async fn merge(&self, app: &App, as_json: bool) -> anyhow::Result<()> {
        let Some(case) = self.find(MERGED.0) else { return Ok(()) };
        let [first, second] = &case.sasids[..] else { bail!("the case {} has two state ids", case.name) };
        let by = app.sandbox_steward().context("the demo is a sandbox")?;
        let why = "one child, registered anew on coming back to the state";
        if identity::merge(app, &"ct".parse()?, [second, first], (by, why)).await? {
            console::line(as_json, format!("case {}: both state ids are one student's now", case.name));
        }
        Ok(())
    }

    async fn declare_emergency(&self, app: &App, as_json: bool) -> anyhow::Result<()> {
        let (case, consumer, _) = EMERGENCY;
        let Some(client) = self.client(case, consumer) else { return Ok(()) };
        let is_open = break_glass::list(app, false).await?.iter().any(|one| one.reference == EMERGENCY_NUMBER);
        if is_open {
            return Ok(());
        }
        let at = app.clock().now();
        let paper = NewInstrument {
            kind: InstrumentKind::Emergency,
            consumer: client.consumer.clone(),
            person_key: Masked::new(client.person_id.clone()),
            reference: EMERGENCY_NUMBER.to_owned(),
            reason: THREAT.to_owned(),
            in_force: Interval { from: at, to: Some(at + TimeDelta::hours(EMERGENCY_HOURS)) },
        };
        let request = break_glass::file(app, &paper).await?;
        let by = app.sandbox_steward().context("the demo is a sandbox")?;
        let (opening, _) = break_glass::open_filed(app, &request.to_string(), by).await?;
        let opening: String = opening.to_string().chars().take(12).collect();
        let folder = app.data.join("notices");
        console::line(
            as_json,
            format!(
                "case {case}: an emergency opens {consumer}'s client {} for {EMERGENCY_HOURS} hours; the notice is in {}, and the \
                 opening {opening} waits for a review",
                client.person_id,
                folder.display()
            ),
        );
        Ok(())
    }

    /// After the last night: CSSD's certification is taken back, its client is refused, and is open again under the next one.
    pub async fn lapse(&self, app: &App, last: NaiveDate, as_json: bool) -> anyhow::Result<()> {
        let (case, consumer) = UNCERTIFIED;
        let Some(client) = self.client(case, consumer) else { return Ok(()) };
        let next = NewCertification {
            consumer: client.consumer.clone(),
            holder: "sandbox: the agency's head".to_owned(),
            reference: "sandbox certification, given anew".to_owned(),
            in_force: Interval { from: agreements::start_of_day(last, super::ZONE), to: None },
        };
        let (agreements, clock) = (&*app.agreements, app.clock());
        let (is_done, standing) = pg::run_tx(app.pool(), "cli.certifications", Role::Agreements, |tx| {
            let next = &next;
            Box::pin(async move {
                let is_done = agreements.is_on_file(tx, next).await?;
                let standing = agreements.list_standing_certifications(tx, &next.consumer).await?;
                Ok::<_, agreements::Error>((is_done, standing))
            })
        })
        .await?;
        if is_done {
            return Ok(());
        }
        for id in standing {
            pg::run_tx(app.pool(), "cli.revoke_certification", Role::Agreements, |tx| {
                Box::pin(async move { agreements.revoke_certification(tx, id, clock).await })
            })
            .await?;
        }
        let refused = asked(app, client).await?;
        let approvals = app.sandbox_approvals(Act::Certify, next.digest()?, clock.now())?;
        pg::run_tx(app.pool(), "cli.certification", Role::Agreements, |tx| {
            let (next, approvals, at) = (&next, &approvals, clock.now());
            Box::pin(async move {
                let by = app.sandbox_steward().unwrap_or_default();
                agreements.record_certification(tx, next, approvals, by, at).await
            })
        })
        .await?;
        ensure!(is_permitted(app, client).await?, "the case {case} is closed under a certification in force");
        console::line(
            as_json,
            format!(
                "\ncase {case}: while no certification of {consumer} was on file its client {} was refused, for {} ({}); under the next one \
                 it is open",
                client.person_id,
                refused.words(),
                refused.code()
            ),
        );
        Ok(())
    }

    /// Lists the cases: each client, the nights on which it was delivered, and what is to be seen.
    pub fn say(&self, dir: &Path, nights: &Nights, as_json: bool) -> anyhow::Result<()> {
        let delivered = delivered(dir, nights)?;
        if !as_json {
            console::line(
                false,
                "\ncases: a child each, of the same name in every invented state; its clients by number, with the nights on which they \
                 were delivered, as the summaries' indexes tell (truth/cases.ndjson has all of it)",
            );
        }
        for case in &self.0 {
            let (mut told, mut listed) = (Vec::new(), Vec::new());
            for client in &case.clients {
                let key = (client.consumer.as_str(), client.person_id.as_str());
                let days = delivered.get(&(key.0.to_owned(), key.1.to_owned())).cloned().unwrap_or_default();
                let marks: String =
                    nights.keys().zip(1..).map(|(day, night)| mark(days.contains(day), night)).collect();
                told.push(format!("{} {} [{marks}]", key.0, key.1));
                listed.push(json!({ "consumer": key.0, "person_id": key.1, "delivered": days }));
            }
            if as_json {
                console::json(&json!({ "case": case.name, "about": case.about, "clients": listed }))?;
            } else {
                let clients = if told.is_empty() { "nobody's client".to_owned() } else { told.join(", ") };
                console::line(false, format!("  {}: {clients}\n    {}", case.name, case.about));
            }
        }
        Ok(())
    }
}

fn mark(is_delivered: bool, night: u32) -> String {
    if is_delivered { night.to_string() } else { "-".to_owned() }
}

/// The days on which clients were delivered, by consumer and number.
type Delivered = BTreeMap<(String, String), Vec<NaiveDate>>;

fn delivered(dir: &Path, nights: &Nights) -> anyhow::Result<Delivered> {
    let mut delivered = Delivered::new();
    for (day, rosters) in nights {
        for consumer in rosters.keys() {
            for person in exchange::clients_of(&dir.join("out").join(consumer.as_str()), *day)? {
                delivered.entry((consumer.to_string(), person)).or_default().push(*day);
            }
        }
    }
    Ok(delivered)
}

/// The education unit's agreement as amended: a second basis, for emergencies.
fn amended(shipped: &str, on: NaiveDate) -> anyhow::Result<String> {
    const BASIS: &str = r#"[[basis]]
law = "health_safety_emergency"
citation = "34 CFR 99.31(a)(10) and 99.36"
conditions = ["emergency"]
text = """
An articulable and significant threat to the health or safety of the student or of others is declared, and two stewards
have entered it with its end."""

[access]
"#;
    ensure!(shipped.contains("\nversion = 1\n"), "the shipped agreement is its first version");
    let changed = shipped.replacen("\nversion = 1\n", "\nversion = 2\n", 1).replacen("[access]\n", BASIS, 1);
    Ok(format!(
        "{changed}\n[[amendment]]\nversion = 2\non = {on}\ntext = \"A declared emergency is a basis of its own (34 CFR 99.36).\"\n"
    ))
}

fn ask_of(consumer: &ConsumerId) -> Ask<'_> {
    let asker = Asker { system: Some("demo".to_owned()), ..Asker::default() };
    Ask { actor: Actor::ScheduledRun, asker, ..own_ask(consumer, "", "") }
}

/// Asks as the agency would; gives the reason of the refusal.
async fn asked(app: &App, client: &Client) -> anyhow::Result<Reason> {
    let encode = |history: &disclosure::DisclosedHistory| Ok(feeds::formats::ndjson::line(history));
    let person = Masked::new(client.person_id.clone());
    match disclosure::disclose_one(app.disclosure(), &ask_of(&client.consumer), &person, &encode).await {
        Err(Error::Denied(reason)) => {
            ensure!(reason == Reason::CertificationMissing, "refused for {}", reason.words());
            Ok(reason)
        }
        Err(error) => Err(error.into()),
        Ok(_) => bail!("a basis that asks for a certification gave a record without one"),
    }
}

/// Whether a steward is told that the agency may have something of the client.
async fn is_permitted(app: &App, client: &Client) -> anyhow::Result<bool> {
    let element = domains::find_element("enrollment.entry_date").context("an element of the registry")?;
    let own = own_ask(app.own_consumer()?, "steward", app.sandbox_steward().unwrap_or_default());
    let about = About::Client(Masked::new(client.person_id.clone()));
    let explained = disclosure::explain(app.disclosure(), &own, &ask_of(&client.consumer), &about, &[element]).await?;
    Ok(explained.iter().flat_map(|one| &one.elements).any(|(_, why)| why.permitted))
}
