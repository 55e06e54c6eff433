//! The true answers: what an exchange that makes no mistake would find.

use serde_json::{Value, json};

use super::World;
use super::agency::Client;
use super::cases::Restricted;
use super::life::{Closes, Stint, Year};
use super::sink::{Batch, FileKey};
use super::special_education::DISABILITIES;
use super::state::Record;

const fn key(part: &'static str) -> FileKey {
    FileKey { folder: "truth", fall: 0, part, extension: "ndjson" }
}

fn line(batch: &mut Batch, part: &'static str, value: &Value) -> anyhow::Result<()> {
    let out = batch.plain(key(part));
    serde_json::to_writer(&mut *out, value)?;
    out.push(b'\n');
    Ok(())
}

/// Makes sure that every file is there, rows or none.
pub fn begin(batch: &mut Batch) {
    for part in ["students", "links", "restrictions", "cases"] {
        batch.heading(key(part), "");
    }
}

/// Writes all that is true of a child.
pub fn write(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    line(batch, "students", &student(world, record))?;
    for client in &record.clients {
        line(batch, "links", &link(record, client))?;
    }
    restrictions(world, batch, record)?;
    let Some(case) = record.child.case else { return Ok(()) };
    let clients: Vec<Value> =
        record.clients.iter().map(|c| json!({"consumer": c.consumer.id(), "person_id": c.person_id})).collect();
    let child = record.child;
    let value = json!({
        "case": case.name,
        "about": case.about,
        "child": child.index,
        "name": format!("{} {}", child.first, child.last),
        "birth_date": child.birth,
        "sasids": sasids(record),
        "clients": clients,
    });
    line(batch, "cases", &value)
}

fn sasids<'a>(record: &'a Record<'_>) -> Vec<&'a str> {
    let ids = &record.identity.sasids;
    ids.iter().map(|(_, sasid)| sasid.as_str()).collect()
}

fn student(world: &World, record: &Record<'_>) -> Value {
    let child = record.child;
    let years: Vec<Value> = record.life.years.iter().map(|y| year(world, y)).collect();
    let code = |school: usize| world.places.schools[school].code.as_str();
    let attendance: Vec<Value> = record
        .attendance
        .iter()
        .map(|a| {
            json!({"fall": a.fall, "school": code(a.school), "days": a.days, "attended": a.attended,
            "first_reported": a.first_reported})
        })
        .collect();
    let plans: Vec<Value> = record
        .plans
        .iter()
        .map(|p| {
            json!({"fall": p.fall, "kind": p.kind, "disability": DISABILITIES[p.disability].code,
            "hours": f64::from(p.hours) / 100.0, "exit": p.exits})
        })
        .collect();
    let incidents: Vec<Value> = record
        .incidents
        .iter()
        .map(|i| {
            json!({"date": i.day, "school": code(i.school), "identifier": i.identifier.to_string(), "type": i.kind.code,
            "sanction": i.actions.first().map(|a| a.sanction.code),
            "days": i.actions.first().map(|a| f64::from(a.half_days) / 2.0), "expunged": i.expunged})
        })
        .collect();
    let tests: Vec<Value> = record
        .scores
        .iter()
        .map(|s| {
            json!({"fall": s.fall, "family": s.family, "subject": s.subject.code(s.family), "date": s.day,
            "score": s.scale, "level": s.level})
        })
        .collect();
    json!({
        "child": child.index,
        "household": record.household.number,
        "twin": child.twin,
        "sasids": record.identity.sasids.iter().map(|(from, sasid)| json!({
            "sasid": sasid, "from_fall": (*from > 0).then_some(*from)})).collect::<Vec<_>>(),
        "first_name": child.first,
        "middle_name": child.middle,
        "last_name": child.last,
        "suffix": child.suffix,
        "renamed": child.renamed.as_ref().map(|(from, name)| json!({"from": from, "last_name": name})),
        "birth_date": child.birth,
        "sex": child.sex.code(),
        "died": record.life.died,
        "years": years,
        "attendance": attendance,
        "plans": plans,
        "incidents": incidents,
        "tests": tests,
        "courses": record.courses.len(),
    })
}

fn year(world: &World, year: &Year) -> Value {
    let stints: Vec<Value> = year.stints.iter().map(|s| stint(world, s)).collect();
    json!({"fall": year.fall, "grade": year.grade, "repeated": year.repeated, "stints": stints})
}

fn stint(world: &World, stint: &Stint) -> Value {
    let places = &world.places;
    let exit = match stint.closes {
        Closes::Exit(day, kind) => Some(json!({"date": day, "type": kind})),
        Closes::Open => None,
    };
    json!({
        "district": places.districts[stint.district].code,
        "school": places.schools[stint.school].code,
        "facility_2": stint.facility_2.map(|f| places.schools[f].code.as_str()),
        "program": stint.program,
        "town": places.towns[stint.town].code,
        "registered": stint.registered,
        "from": stint.from,
        "to": stint.to,
        "exit": exit,
    })
}

fn link(record: &Record<'_>, client: &Client) -> Value {
    let known = client.child.is_some();
    json!({
        "consumer": client.consumer.id(),
        "person_id": client.person_id,
        "child": client.child,
        "sasids": if known { sasids(record) } else { Vec::new() },
        "noise": client.noise,
    })
}

fn restrictions(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    let child = record.child;
    for incident in record.incidents.iter().filter(|i| i.expunged) {
        let value = json!({"kind": "expunged", "child": child.index, "sasid": record.identity.sasid(incident.fall),
            "domain": "discipline", "incident_identifier": incident.identifier.to_string(), "known_from": "state file"});
        line(batch, "restrictions", &value)?;
    }
    let restricted = child.case.map_or(Restricted::No, |case| case.restricted);
    let (kind, domain) = match restricted {
        Restricted::No => return Ok(()),
        Restricted::Sealed => ("sealed", None),
        Restricted::Erased => ("erased", None),
        Restricted::ConfidentialAddress => ("confidential_address", Some("contact")),
        Restricted::ProtectiveOrder => ("protective_order", Some("contact")),
    };
    let value = json!({"kind": kind, "child": child.index, "sasid": record.identity.latest(), "domain": domain,
        "order_number": format!("DEMO-{:04}", child.index), "ordered_on": world.as_of - chrono::TimeDelta::days(10),
        "known_from": "court"});
    line(batch, "restrictions", &value)
}
