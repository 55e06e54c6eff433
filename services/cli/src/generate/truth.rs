//! The true answers: what an exchange that makes no mistake would find.

use chrono::{NaiveDate, TimeDelta};
use serde::{Serialize, Serializer};

use super::World;
use super::agency::Client;
use super::cases::{Consumer, NIGHTS, Restricted};
use super::life::{Closes, Program, Stint, Year};
use super::places::{COURTS, DCF_OFFICES};
use super::sink::{Batch, FileKey, push_iso};
use super::special_education::{DISABILITIES, PlanKind};
use super::state::Record;

const fn key(part: &'static str) -> FileKey {
    FileKey { folder: "truth", fall: 0, part, extension: "ndjson" }
}

fn line(batch: &mut Batch, part: &'static str, value: &impl Serialize) -> anyhow::Result<()> {
    let out = batch.plain(key(part));
    serde_json::to_writer(&mut *out, value)?;
    out.push(b'\n');
    Ok(())
}

/// A day, written without a formatter: there are millions.
struct Day(NaiveDate);

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(10);
        push_iso(&mut text, self.0);
        serializer.serialize_str(&text)
    }
}

#[derive(Serialize)]
struct TrueStudent<'a> {
    child: u64,
    household: u64,
    twin: bool,
    /// Empty for a child that no public school of the state ever registered.
    sasids: Vec<TrueSasid<'a>>,
    first_name: &'a str,
    middle_name: &'a str,
    last_name: &'a str,
    suffix: &'a str,
    renamed: Option<TrueName<'a>>,
    birth_date: Day,
    sex: &'a str,
    died: bool,
    years: Vec<TrueYear<'a>>,
    attendance: Vec<TrueAttendance<'a>>,
    plans: Vec<TruePlan>,
    incidents: Vec<TrueIncident<'a>>,
    tests: Vec<TrueTest>,
    courses: usize,
}

#[derive(Serialize)]
struct TrueSasid<'a> {
    sasid: &'a str,
    from_fall: Option<i16>,
}

#[derive(Serialize)]
struct TrueName<'a> {
    from: Day,
    last_name: &'a str,
}

#[derive(Serialize)]
struct TrueYear<'a> {
    fall: i16,
    grade: &'a str,
    repeated: bool,
    stints: Vec<TrueStint<'a>>,
}

#[derive(Serialize)]
struct TrueStint<'a> {
    district: &'a str,
    school: &'a str,
    facility_2: Option<&'a str>,
    program: Program,
    town: &'a str,
    registered: Day,
    from: Day,
    to: Day,
    exit: Option<TrueExit>,
}

#[derive(Serialize)]
struct TrueExit {
    date: Day,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct TrueAttendance<'a> {
    fall: i16,
    school: &'a str,
    days: u16,
    attended: u16,
    first_reported: Option<u16>,
}

#[derive(Serialize)]
struct TruePlan {
    fall: i16,
    kind: PlanKind,
    disability: &'static str,
    hours: f64,
    exit: Option<Day>,
}

#[derive(Serialize)]
struct TrueIncident<'a> {
    date: Day,
    school: &'a str,
    identifier: String,
    #[serde(rename = "type")]
    kind: &'static str,
    sanction: Option<&'static str>,
    days: Option<f64>,
    expunged: bool,
}

#[derive(Serialize)]
struct TrueTest {
    fall: i16,
    family: &'static str,
    subject: &'static str,
    date: Day,
    score: Option<i32>,
    level: Option<u8>,
}

#[derive(Serialize)]
struct TrueCase<'a> {
    case: &'static str,
    about: &'static str,
    child: u64,
    name: String,
    birth_date: Day,
    sasids: Vec<&'a str>,
    clients: Vec<TrueClient<'a>>,
}

#[derive(Serialize)]
struct TrueClient<'a> {
    consumer: &'static str,
    person_id: &'a str,
}

#[derive(Serialize)]
struct TrueLink<'a> {
    consumer: &'static str,
    person_id: &'a str,
    child: Option<u64>,
    sasids: Vec<&'a str>,
    noise: &'a [&'static str],
    /// Times of authority, as the last night's roster tells them: first and last day.
    authority: Vec<TrueSpan>,
    /// The first night whose roster no longer names the client.
    left: Option<Day>,
}

#[derive(Serialize)]
struct TrueSpan {
    from: Day,
    to: Option<Day>,
}

#[derive(Serialize)]
struct TrueRestriction<'a> {
    kind: &'static str,
    child: u64,
    sasid: &'a str,
    domain: Option<&'static str>,
    incident_identifier: Option<String>,
    order_number: Option<String>,
    ordered_on: Option<Day>,
    known_from: &'static str,
}

impl<'a> TrueClient<'a> {
    fn of(client: &'a Client) -> Self {
        Self { consumer: client.consumer.id(), person_id: &client.person_id }
    }
}

#[derive(Serialize)]
struct Office<'a> {
    consumer: &'a str,
    #[serde(rename = "office")]
    key: &'a str,
    name: &'a str,
    region: Option<&'a str>,
}

/// Writes the agencies' offices, and makes sure that every file is there, rows or none.
pub fn begin(batch: &mut Batch) -> anyhow::Result<()> {
    for part in ["students", "links", "restrictions", "cases"] {
        batch.heading(key(part), "");
    }
    for (office, name, _) in COURTS {
        let consumer = Consumer::Cssd.id();
        line(batch, "offices", &Office { consumer, key: office, name, region: None })?;
    }
    for (region, name, _) in DCF_OFFICES {
        let office = Office { consumer: Consumer::Dcf.id(), key: name, name, region: Some(region) };
        line(batch, "offices", &office)?;
    }
    Ok(())
}

/// Writes all that is true of a child.
pub fn write(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    line(batch, "students", &student(world, record))?;
    for client in &record.clients {
        let link = TrueLink {
            consumer: client.consumer.id(),
            person_id: &client.person_id,
            child: client.child,
            sasids: client.child.map_or_else(Vec::new, |_| sasids(record)),
            noise: &client.noise,
            authority: client.spans.iter().map(|s| TrueSpan { from: Day(s.from), to: s.to.map(Day) }).collect(),
            left: client.gone.map(|night| Day(world.as_of - TimeDelta::days((NIGHTS - 1 - night) as i64))),
        };
        line(batch, "links", &link)?;
    }
    restrictions(world, batch, record)?;
    let child = record.child;
    let Some(case) = child.case else {
        return Ok(());
    };
    let case = TrueCase {
        case: case.name,
        about: case.about,
        child: child.index,
        name: format!("{} {}", child.first, child.last),
        birth_date: Day(child.birth),
        sasids: sasids(record),
        clients: record.clients.iter().map(TrueClient::of).collect(),
    };
    line(batch, "cases", &case)
}

/// The identifiers that stand in the state's files; none for a child without a school year in them.
fn sasid_spans<'a>(record: &'a Record<'_>) -> &'a [(i16, String)] {
    if record.life.years.is_empty() {
        return &[];
    }
    &record.identity.sasids
}

fn sasids<'a>(record: &'a Record<'_>) -> Vec<&'a str> {
    let ids = sasid_spans(record).iter();
    ids.map(|(_, sasid)| sasid.as_str()).collect()
}

fn student<'a>(world: &'a World, record: &'a Record<'_>) -> TrueStudent<'a> {
    let child = record.child;
    let ids = sasid_spans(record).iter();
    TrueStudent {
        child: child.index,
        household: record.household.number,
        twin: child.twin,
        sasids: ids.map(|(from, sasid)| TrueSasid { sasid, from_fall: (*from > 0).then_some(*from) }).collect(),
        first_name: &child.first,
        middle_name: &child.middle,
        last_name: &child.last,
        suffix: child.suffix,
        renamed: child.renamed.as_ref().map(|(from, name)| TrueName { from: Day(*from), last_name: name }),
        birth_date: Day(child.birth),
        sex: child.sex.code(),
        died: record.life.died,
        years: record.life.years.iter().map(|y| year(world, y)).collect(),
        attendance: attendance(world, record),
        plans: plans(record),
        incidents: incidents(world, record),
        tests: tests(record),
        courses: record.courses.len(),
    }
}

fn year<'a>(world: &'a World, year: &Year) -> TrueYear<'a> {
    let district = year.stints.first().map_or(0, |s| s.district);
    TrueYear {
        fall: year.fall,
        grade: super::codes::grade_code(year.grade, year.fall, district),
        repeated: year.repeated,
        stints: year.stints.iter().map(|s| stint(world, s)).collect(),
    }
}

fn stint<'a>(world: &'a World, stint: &Stint) -> TrueStint<'a> {
    let places = &world.places;
    TrueStint {
        district: &places.districts[stint.district].code,
        school: &places.schools[stint.school].code,
        facility_2: stint.facility_2.map(|f| places.schools[f].code.as_str()),
        program: stint.program,
        town: &places.towns[stint.town].code,
        registered: Day(stint.registered),
        from: Day(stint.from),
        to: Day(stint.to),
        exit: match stint.closes {
            Closes::Exit(day, kind) => Some(TrueExit { date: Day(day), kind }),
            Closes::Open => None,
        },
    }
}

fn attendance<'a>(world: &'a World, record: &Record<'_>) -> Vec<TrueAttendance<'a>> {
    let all = record.attendance.iter();
    all.map(|a| TrueAttendance {
        fall: a.fall,
        school: &world.places.schools[a.school].code,
        days: a.days,
        attended: a.attended,
        first_reported: a.first_reported,
    })
    .collect()
}

fn plans(record: &Record<'_>) -> Vec<TruePlan> {
    let all = record.plans.iter();
    all.map(|p| TruePlan {
        fall: p.fall,
        kind: p.kind,
        disability: DISABILITIES[p.disability].code,
        hours: f64::from(p.hours) / 100.0,
        exit: p.exits.map(Day),
    })
    .collect()
}

fn incidents<'a>(world: &'a World, record: &Record<'_>) -> Vec<TrueIncident<'a>> {
    let all = record.incidents.iter();
    all.map(|i| TrueIncident {
        date: Day(i.day),
        school: &world.places.schools[i.school].code,
        identifier: i.identifier.to_string(),
        kind: i.kind.code,
        sanction: i.actions.first().map(|a| a.sanction.code),
        days: i.actions.first().map(|a| f64::from(a.half_days) / 2.0),
        expunged: i.expunged,
    })
    .collect()
}

fn tests(record: &Record<'_>) -> Vec<TrueTest> {
    let all = record.scores.iter();
    all.map(|s| TrueTest {
        fall: s.fall,
        family: s.family,
        subject: s.subject.code(s.family),
        date: Day(s.day),
        score: s.scale,
        level: s.level,
    })
    .collect()
}

fn restrictions(world: &World, batch: &mut Batch, record: &Record<'_>) -> anyhow::Result<()> {
    let child = record.child;
    for incident in record.incidents.iter().filter(|i| i.expunged) {
        let restriction = TrueRestriction {
            kind: "expunged",
            child: child.index,
            sasid: record.identity.sasid(incident.fall),
            domain: Some("discipline"),
            incident_identifier: Some(incident.identifier.to_string()),
            order_number: None,
            ordered_on: None,
            known_from: "state file",
        };
        line(batch, "restrictions", &restriction)?;
    }
    let (kind, domain) = match child.case.map_or(Restricted::No, |case| case.restricted) {
        Restricted::No => return Ok(()),
        Restricted::Sealed => ("sealed", None),
        Restricted::Erased => ("erased", None),
        Restricted::ConfidentialAddress => ("confidential_address", Some("contact")),
        Restricted::ProtectiveOrder => ("protective_order", Some("contact")),
    };
    let restriction = TrueRestriction {
        kind,
        child: child.index,
        sasid: record.identity.latest(),
        domain,
        incident_identifier: None,
        order_number: Some(format!("DEMO-{:04}", child.index)),
        ordered_on: Some(Day(world.as_of - TimeDelta::days(10))),
        known_from: "court",
    };
    line(batch, "restrictions", &restriction)
}
