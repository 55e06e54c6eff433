//! Files of SIF and census sets, on the way in and out.

use std::{
    fs::{self, File},
    io::{self, BufRead as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use chrono::{DateTime, NaiveDate, Utc};
use intake::{
    Finding, Severity,
    load::LoadFile,
    sif::{
        self, CENSUS_FILES, CensusSet, Delivery,
        convert::{Form, Since, Stamp, Summary},
    },
};
use model::{Clock as _, Sea};

use super::{
    Outcome,
    collect::{file_name, first_bytes, open},
    report::Report,
};
use crate::{
    args::{ConvertTo, Place},
    console,
    system::SystemClock,
};

/// Who sends the messages that are produced.
const SOURCE_ID: &str = "Throughline";

/// What `intake layouts` lists of SIF.
pub const LAYOUTS: [(&str, &str); 2] = [
    (sif::STUDENT_CONTACT, "SIF 2.7 StudentContact, XML; produced from a census set too"),
    (sif::LAYOUT, "SIF 2.x objects of students and schools, XML"),
];

/// Whether a layout id is that of files of SIF.
pub fn is_delivered(id: &str) -> bool {
    id == sif::LAYOUT || is_layout(id)
}

/// Whether a layout id is that of SIF's objects of students and schools.
pub fn is_objects(id: &str) -> bool {
    id == sif::LAYOUT
}

/// Whether a layout id is that of StudentContact.
pub fn is_layout(id: &str) -> bool {
    id == sif::STUDENT_CONTACT
}

/// The day it is where the schools of a state are.
fn today(sea: &str) -> NaiveDate {
    day_of(SystemClock.now(), sea)
}

/// The day a moment falls on where the schools of a state are.
pub fn day_of(at: DateTime<Utc>, sea: &str) -> NaiveDate {
    let zone = if sea == "la" { chrono_tz::America::Chicago } else { chrono_tz::America::New_York };
    at.with_timezone(&zone).date_naive()
}

/// Makes one delivery of files of SIF, so that they can refer to each other. Who makes students known is loaded before what refers to
/// them.
pub fn delivery(mut paths: Vec<PathBuf>, sea: &Sea, config: sif::Config) -> anyhow::Result<Vec<LoadFile>> {
    let mut turns = Vec::with_capacity(paths.len());
    for path in paths.drain(..) {
        turns.push((sif::turn(&first_bytes(&path)?), path));
    }
    // Stable: files of one kind stay in the order of their names.
    turns.sort_by_key(|(turn, _)| *turn);
    let paths: Vec<PathBuf> = turns.into_iter().map(|(_, path)| path).collect();
    let open: sif::Open = Arc::new(|path| open(path).map_err(|error| io::Error::other(error.to_string())));
    let delivery = Arc::new(Delivery::new(paths.clone(), open, config));
    let layout = delivery.layout()?;
    let file = |path: PathBuf| {
        let delivery = Arc::clone(&delivery);
        LoadFile {
            sea: sea.clone(),
            path: path.clone(),
            name: file_name(&path),
            layout: layout.clone(),
            produce: Arc::new(move |sink| delivery.read(&path, sink)),
            is_referred_to: false,
        }
    };
    Ok(paths.into_iter().map(file).collect())
}

/// Adds a census set as of today: each of its files is a batch.
pub fn add_census(folder: &Path, sea: &Sea, files: &mut Vec<LoadFile>) -> anyhow::Result<()> {
    let set = Arc::new(CensusSet::new(folder.to_owned(), today(sea.as_str())));
    for name in CENSUS_FILES {
        let path = folder.join(format!("{name}.csv"));
        if !path.is_file() {
            bail!("the census set in {} has no {name}.csv", folder.display());
        }
        let set = Arc::clone(&set);
        files.push(LoadFile {
            sea: sea.clone(),
            name: file_name(&path),
            path,
            layout: set.layout_of(name)?,
            produce: Arc::new(move |sink| set.read(name, sink)),
            is_referred_to: false,
        });
    }
    Ok(())
}

/// What is to be converted.
pub struct Conversion<'a> {
    /// A message, its records as NDJSON, or a census set.
    pub path: &'a Path,
    /// Into what.
    pub to: ConvertTo,
    /// Where to.
    pub out: &'a Path,
    /// What was published the day before.
    pub since: Option<&'a Path>,
    /// The folder that remembers what was published the night before, and under which RefIds.
    pub state: Option<&'a Path>,
    /// The day.
    pub date: Option<NaiveDate>,
}

/// Says what is wrong with a file of contacts, or with a census set and the contacts it makes.
pub fn check(path: &Path, report: &mut Report<'_>) -> anyhow::Result<()> {
    let mut failed = None;
    let mut keep = |file: &str, finding: Finding| {
        if failed.is_none() {
            failed = report.say_of(file, &finding).err();
        }
    };
    let summary = if path.is_dir() {
        let stamp = Stamp { at: SystemClock.now(), source_id: SOURCE_ID.to_owned() };
        let mut checked = Vec::new();
        let day = today("ct");
        sif::convert::from_census(path, Since::Nothing, day, &stamp, Form::Xml, &mut checked, &mut keep)?;
        let mut source = checked.as_slice();
        sif::convert::check(&mut source, &mut |finding| keep("published", finding))?
    } else {
        let name = file_name(path);
        sif::convert::check(&mut open(path)?, &mut |finding| keep(&name, finding))?
    };
    if let Some(error) = failed {
        return Err(error);
    }
    report.close(&format!("{} objects, {} wrong", summary.objects, summary.rejected));
    Ok(())
}

fn outcome(found: &[(String, Finding)]) -> Outcome {
    Outcome::of(found.iter().any(|(_, finding)| finding.severity >= Severity::Error))
}

/// Turns a message into NDJSON, NDJSON or a census set into a message.
pub fn convert(place: &Place, conversion: &Conversion<'_>) -> anyhow::Result<Outcome> {
    let part = conversion.out.with_extension("part");
    let mut writer =
        io::BufWriter::new(File::create(&part).with_context(|| format!("cannot write {}", part.display()))?);
    let mut found = Vec::new();
    let mut keep = |file: &str, finding: Finding| found.push((file.to_owned(), finding));
    let (summary, night) = match conversion.state {
        None => (write(conversion, &mut writer, &mut keep)?, None),
        Some(state) => {
            let night = write_night(conversion, state, &mut writer, &mut keep)?;
            (night.summary.clone(), Some(night))
        }
    };
    writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(&part, conversion.out)?;
    if let Some(night) = night {
        night.keep()?;
    }
    for (file, finding) in &found {
        console::line(place.json, format!("{file}, line {}: {} [{}]", finding.line, finding.message, finding.rule));
    }
    say(place, &summary);
    Ok(outcome(&found))
}

const fn form(to: ConvertTo) -> Form {
    match to {
        ConvertTo::Ndjson => Form::Ndjson,
        ConvertTo::File => Form::Xml,
    }
}

/// Writes the events since the night before.
fn write_night(
    conversion: &Conversion<'_>,
    state: &Path,
    writer: &mut dyn io::Write,
    keep: &mut dyn FnMut(&str, Finding),
) -> anyhow::Result<sif::Night> {
    if conversion.since.is_some() || !conversion.path.is_dir() {
        bail!("--state goes with the folder of today's census set, and without --since");
    }
    let day = conversion.date.unwrap_or_else(|| today("ct"));
    let stamp = Stamp { at: SystemClock.now(), source_id: SOURCE_ID.to_owned() };
    Ok(sif::nightly(conversion.path, state, day, (&stamp, form(conversion.to)), writer, keep)?)
}

fn write(
    conversion: &Conversion<'_>,
    writer: &mut dyn io::Write,
    keep: &mut dyn FnMut(&str, Finding),
) -> anyhow::Result<Summary> {
    let form = form(conversion.to);
    let path = conversion.path;
    if path.is_dir() {
        let day = conversion.date.unwrap_or_else(|| today("ct"));
        let stamp = Stamp { at: SystemClock.now(), source_id: SOURCE_ID.to_owned() };
        let mut published;
        let since = match conversion.since {
            None => Since::Nothing,
            Some(folder) if folder.is_dir() => Since::Census(folder),
            Some(file) => {
                published = open(file)?;
                Since::Published(&mut published)
            }
        };
        return Ok(sif::convert::from_census(path, since, day, &stamp, form, writer, keep)?);
    }
    if conversion.since.is_some() {
        bail!("--since compares census sets: give the folder of today's");
    }
    let name = file_name(path);
    let mut source = open(path)?;
    let is_xml = source.fill_buf()?.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| *byte != b'{');
    let mut keep = |finding: Finding| keep(&name, finding);
    Ok(if is_xml {
        sif::convert::from_xml(&mut source, form, writer, &mut keep)?
    } else {
        match form {
            Form::Xml => sif::convert::from_ndjson(&mut source, writer, &mut keep)?,
            Form::Ndjson => bail!("the file holds records already"),
        }
    })
}

fn say(place: &Place, summary: &Summary) {
    for (reason, count) in &summary.withheld {
        console::line(place.json, format!("{count} not published: {reason}"));
    }
    for (action, count) in &summary.events {
        console::line(place.json, format!("{count} events: {action}"));
    }
    console::line(place.json, format!("{} written, {} left out as wrong", summary.objects, summary.rejected));
}
