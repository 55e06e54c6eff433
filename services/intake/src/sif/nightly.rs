//! Night after night: what was published last, and under which RefIds, is kept in a folder, and tonight's events are the difference.
//!
//! A contact keeps the RefId it was first published under, whatever becomes of the identifiers it was made from, and also when it
//! comes back after it was withdrawn. The folder is brought up to date after the events are in place: a run that was cut off in between
//! says the same events again, and what they say is how things are.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use chrono::NaiveDate;

use super::{
    census::{Person, Relationship},
    convert::{self, Form, Stamp, Summary},
    difference::Contacts,
    publish::{derived_guid, publish_under},
    stream::MessageKind,
};
use crate::{Error, Finding};

/// The contacts as they were published last.
const PUBLISHED: &str = "published.xml";
/// The RefIds given so far.
const REF_IDS: &str = "ref-ids.csv";
const REF_IDS_HEADER: [&str; 4] = ["student_person_id", "contact_person_id", "given_ref_id", "ref_id"];

/// Student and contact by their own ids, and the RefId that the census gives their relationship, if it gives one.
type Pair = (String, String, String);

/// The RefIds of contacts.
#[derive(Default)]
pub(crate) struct RefIds {
    /// As they were given before.
    kept: BTreeMap<Pair, String>,
    /// As they are given now.
    given: BTreeMap<Pair, String>,
}

impl RefIds {
    /// The RefId of a contact: the one it has been published under; else the census's own; else one made from what it names.
    pub(crate) fn of(&mut self, relationship: &Relationship, student: &Person, contact: &Person) -> String {
        let pair = |given: &str| (student.person_id.clone(), contact.person_id.clone(), given.to_owned());
        let kept = self.kept.get(&pair(&relationship.ref_id)).or_else(|| self.kept.get(&pair("")));
        let ref_id = match kept {
            Some(kept) => kept.clone(),
            None if relationship.ref_id.is_empty() => {
                derived_guid(&["StudentContact", &student.student_personal_ref_id, &contact.person_id])
            }
            None => relationship.ref_id.clone(),
        };
        self.given.insert(pair(&relationship.ref_id), ref_id.clone());
        ref_id
    }

    fn load(path: &Path) -> Result<Self, Error> {
        let mut kept = BTreeMap::new();
        if path.exists() {
            let broken = |_| Error::Invalid(format!("{REF_IDS} is not what this program wrote"));
            let mut reader = csv::Reader::from_path(path).map_err(broken)?;
            for record in reader.records() {
                let record = record.map_err(broken)?;
                let [student, contact, given, ref_id] =
                    [0, 1, 2, 3].map(|n| record.get(n).unwrap_or_default().to_owned());
                kept.insert((student, contact, given), ref_id);
            }
        }
        Ok(Self { kept, given: BTreeMap::new() })
    }

    fn store(&self, path: &Path) -> std::io::Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(REF_IDS_HEADER)?;
        let mut all = self.kept.clone();
        all.extend(self.given.clone());
        for ((student, contact, given), ref_id) in &all {
            writer.write_record([student, contact, given, ref_id])?;
        }
        let bytes = writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?;
        let mut file = File::create(path)?;
        file.write_all(&bytes)?;
        file.sync_all()
    }
}

/// What is to be kept of a night once its events are in place.
#[must_use = "what is not kept is announced again tomorrow"]
pub struct Night {
    folder: PathBuf,
    /// What was written.
    pub summary: Summary,
}

impl Night {
    /// Keeps it: the next night's events are those since this one.
    pub fn keep(self) -> Result<(), Error> {
        // RefIds first: those of contacts that are not said to be published yet do no harm.
        for name in [REF_IDS, PUBLISHED] {
            fs::rename(part(&self.folder, name), self.folder.join(name)).map_err(failed)?;
        }
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

fn part(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.part"))
}

fn failed(error: std::io::Error) -> Error {
    Error::unavailable("keep what was published", error)
}

/// Writes the events since the night that `state` remembers; of the first night all contacts are added. Findings come with the name
/// of their file. Nothing is remembered before [`Night::keep`].
pub fn nightly(
    census: &Path,
    state: &Path,
    today: NaiveDate,
    (stamp, form): (&Stamp, Form),
    out: &mut dyn Write,
    findings: &mut dyn FnMut(&str, Finding),
) -> Result<Night, Error> {
    fs::create_dir_all(state).map_err(failed)?;
    let mut ref_ids = RefIds::load(&state.join(REF_IDS))?;
    let before = match File::open(state.join(PUBLISHED)) {
        Ok(file) => convert::published(&mut BufReader::new(file), &mut |finding| findings(PUBLISHED, finding))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Contacts::new(),
        Err(error) => return Err(failed(error)),
    };
    let set = convert::whole_set(census, "", findings)?;
    let publication = publish_under(&set, today, convert::tables()?, &mut ref_ids);
    let mut summary = convert::summary_of(&publication);
    let now = convert::contacts(publication);
    let events = convert::events(&before, &now);
    convert::write_message(MessageKind::Event, &events, stamp, form, out, &mut summary)
        .map_err(|error| Error::unavailable("write the message", error))?;
    ref_ids.store(&part(state, REF_IDS)).map_err(failed)?;
    store_published(now, stamp, &part(state, PUBLISHED)).map_err(failed)?;
    Ok(Night { folder: state.to_owned(), summary })
}

fn store_published(contacts: Contacts, stamp: &Stamp, path: &Path) -> std::io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let all: Vec<_> = contacts.into_values().map(|contact| (None, contact)).collect();
    convert::write_message(MessageKind::Response, &all, stamp, Form::Xml, &mut out, &mut Summary::default())?;
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
}

#[cfg(test)]
mod tests;
