//! Rosters as the agencies' own systems write them: a full snapshot a night.

use std::io::Write;

use chrono::{NaiveDate, TimeDelta};

use super::World;
use super::agency::{Authority, Client};
use super::cases::{Consumer, NIGHTS};
use super::dice::Dice;
use super::places::{COURTS, DCF_OFFICES};
use super::sink::{Batch, FileKey, push_iso};

const CSSD: &str = "ClientPIN,LastName,FirstName,MiddleName,Suffix,DOB,Sex,Race,TownName,ZipCode,SASID,OfficePIN,CaseOwner,\
CaseType,CaseStatus,LegalStatus,SupervisionStartDate,SupervisionEndDate,LegalBasis,OrderNumber\n";
const DCF: &str = "DCF_Person_ID,Name_Last,Name_First,Name_Middle,Name_Suffix,Birth_Date,Sex,Race,Town,Zip,SASID,DCF_OFFICE,\
DCF_REGION,WORKER_ID,EPISODE_ID,EPISODE_START_DATE,EPISODE_END_DATE,EPISODE_END_REASON,PLACEMENT_START_DATE,\
PLACEMENT_END_DATE,PLACEMENT_CATEGORY\n";
const EDUCATION_UNIT: &str = "Client_ID,Name_Last,Name_First,Name_Middle,Birth_Date,Sex,SASID,RELEASE_SIGNED_DATE,\
RELEASE_EXPIRES_DATE,RELEASE_SIGNED_BY\n";

/// File names of nights, kept for the whole run because keys of files hold them.
#[derive(Debug)]
pub struct Nights([&'static str; NIGHTS]);

impl Nights {
    /// The nights up to a day.
    pub fn until(as_of: NaiveDate) -> Self {
        Self(std::array::from_fn(|night| {
            let mut name = String::new();
            push_iso(&mut name, as_of - TimeDelta::days((NIGHTS - 1 - night) as i64));
            // Four short names a run: leaked so that a file's key stays a plain copy.
            &*name.leak()
        }))
    }
}

const fn folder(consumer: Consumer) -> &'static str {
    match consumer {
        Consumer::Cssd => "rosters/cssd",
        Consumer::Dcf => "rosters/dcf",
        Consumer::EducationUnit => "rosters/education_unit",
    }
}

fn key(world: &World, consumer: Consumer, night: usize) -> FileKey {
    FileKey { folder: folder(consumer), fall: 0, part: world.nights.0[night], extension: "csv" }
}

/// Writes the headings of every night's file.
pub fn write_headings(world: &World, batch: &mut Batch) {
    for consumer in Consumer::ALL {
        for night in 0..NIGHTS {
            let heading = match consumer {
                Consumer::Cssd => CSSD,
                Consumer::Dcf => DCF,
                Consumer::EducationUnit => EDUCATION_UNIT,
            };
            batch.heading(key(world, consumer, night), heading);
        }
    }
}

/// Writes a client's rows of every night.
pub fn write(world: &World, batch: &mut Batch, client: &Client, dice: &mut Dice) -> anyhow::Result<()> {
    let detail = Detail {
        kind: dice.word(&["Delinquency", "Delinquency", "Delinquency", "FWSN"]),
        placement: dice.word(&["Foster Care", "Relative Care", "Special Study", "Congregate Care"]),
        placed_after: dice.between(0, 20),
        zip: dice.below(8),
        order: dice.between(10_000, 99_999),
    };
    for night in 0..NIGHTS {
        if client.gone.is_some_and(|gone| night >= gone) {
            continue;
        }
        for (place, span) in client.spans.iter().enumerate() {
            if span.known > night {
                continue;
            }
            let end = span.to.filter(|_| night >= span.end_known);
            let cells = match client.consumer {
                Consumer::Cssd => cssd(world, client, night, span, end, &detail),
                Consumer::Dcf => dcf(world, client, night, (place, span), end, &detail),
                Consumer::EducationUnit => education_unit(client, night, span, end),
            };
            let out = batch.plain(key(world, client.consumer, night));
            write_line(out, &cells)?;
        }
    }
    Ok(())
}

/// What stays the same from night to night.
struct Detail {
    kind: &'static str,
    placement: &'static str,
    placed_after: i64,
    zip: usize,
    order: i64,
}

fn write_line(out: &mut Vec<u8>, cells: &[String]) -> anyhow::Result<()> {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        if cell.contains([',', '"']) {
            write!(out, "\"{}\"", cell.replace('"', "\"\""))?;
        } else {
            out.extend_from_slice(cell.as_bytes());
        }
    }
    out.push(b'\n');
    Ok(())
}

fn day(day: NaiveDate) -> String {
    let mut text = String::with_capacity(10);
    push_iso(&mut text, day);
    text
}

fn maybe(value: Option<NaiveDate>) -> String {
    value.map_or_else(String::new, day)
}

fn cssd(
    world: &World,
    client: &Client,
    night: usize,
    span: &Authority,
    end: Option<NaiveDate>,
    detail: &Detail,
) -> Vec<String> {
    let seen = client.seen(night);
    let town = &world.places.towns[client.town];
    let (office, _, _) = COURTS[town.court];
    let tonight = world.as_of - TimeDelta::days((NIGHTS - 1 - night) as i64);
    let open = end.is_none_or(|end| end >= tonight);
    let legal = if client.adjudicated { "adjudicated" } else { "pre_adjudication" };
    let order = if client.basis == "court_order" { format!("JV-{}", detail.order) } else { String::new() };
    vec![
        client.person_id.clone(),
        seen.last.to_uppercase(),
        seen.first.to_uppercase(),
        seen.middle.to_uppercase(),
        seen.suffix.to_uppercase(),
        day(seen.birth),
        seen.sex.code().to_owned(),
        seen.race.to_owned(),
        town.name.clone(),
        zip(&town.zips, detail.zip),
        seen.sasid.clone(),
        office.to_owned(),
        format!("{office}{:02}", client.worker),
        detail.kind.to_owned(),
        if open { "Open" } else { "Closed" }.to_owned(),
        legal.to_owned(),
        day(span.from),
        maybe(end),
        client.basis.to_owned(),
        order,
    ]
}

fn dcf(
    world: &World,
    client: &Client,
    night: usize,
    (place, span): (usize, &Authority),
    end: Option<NaiveDate>,
    detail: &Detail,
) -> Vec<String> {
    let seen = client.seen(night);
    let town = &world.places.towns[client.town];
    let place_of_office = client.transferred(night).unwrap_or(town.dcf_office);
    let (region, office, _) = DCF_OFFICES[place_of_office];
    let placed = span.from + TimeDelta::days(detail.placed_after);
    let placed = Some(placed).filter(|placed| end.is_none_or(|end| *placed <= end) && *placed <= world.as_of);
    vec![
        client.person_id.clone(),
        seen.last.clone(),
        seen.first.clone(),
        seen.middle.clone(),
        seen.suffix.to_owned(),
        day(seen.birth),
        seen.sex.code().to_owned(),
        seen.race.to_owned(),
        town.name.clone(),
        zip(&town.zips, detail.zip),
        seen.sasid.clone(),
        office.to_owned(),
        region.to_owned(),
        format!("W{}{:03}", place_of_office + 10, client.worker),
        format!("{}{place}", client.person_id),
        day(span.from),
        maybe(end),
        end.map_or("Not Applicable", |_| client.basis).to_owned(),
        maybe(placed),
        maybe(placed.and(end)),
        placed.map_or("", |_| detail.placement).to_owned(),
    ]
}

fn education_unit(client: &Client, night: usize, span: &Authority, end: Option<NaiveDate>) -> Vec<String> {
    let seen = client.seen(night);
    vec![
        client.person_id.clone(),
        seen.last.clone(),
        seen.first.clone(),
        seen.middle.clone(),
        day(seen.birth),
        seen.sex.code().to_owned(),
        seen.sasid.clone(),
        day(span.from),
        maybe(end),
        client.basis.to_owned(),
    ]
}

fn zip(zips: &[String], place: usize) -> String {
    zips.get(place % zips.len().max(1)).cloned().unwrap_or_default()
}
