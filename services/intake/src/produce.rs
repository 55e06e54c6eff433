//! From what is known of a student to the records of a layout: the layout that reads is the layout that writes.
//!
//! A record's fields come from its own facts, read backwards (`backwards`); the layout adds which rows make a record, the source's
//! selection criteria and the few fields that come from elsewhere (`layout/produce.rs`, `selection`). What is withheld, or was
//! never kept, is blank: nothing is guessed. What a record should hold and does not is counted, field by field, with the
//! reason ([`Remark`]), and so is what is left out.
//!
//! It works on sections as they are disclosed and knows no agreement: what it is not given it cannot write.

mod backwards;
mod record;
mod selection;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use model::{Masked, Section};
use reference::tables::Tables;
use serde::Serialize;

use self::selection::History;
use crate::{Error, Layout, Record, layouts, read::plan::Plan, write::encode};

/// What whoever asks for a report chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The report's first day; `None`: since ever.
    pub from: Option<NaiveDate>,
    /// The report's last day, on which enrollments count as active.
    pub to: Option<NaiveDate>,
    /// The day it is, for a report without a last day.
    pub today: NaiveDate,
    /// Exit codes of students who were promoted or stay in the district: their exits are not reported.
    pub promoted: Vec<String>,
    /// Codes of schools that are excluded from state reporting: what belongs to them is not reported.
    pub excluded_schools: Vec<String>,
    /// The districts it is for, by their codes; none: all.
    pub districts: Vec<String>,
    /// The schools it is for, by their codes; none: all.
    pub schools: Vec<String>,
    /// The students it is for, by the state's identifier; `None`: all.
    pub students: Option<Masked<BTreeSet<String>>>,
    /// The kinds of record it has, by code or, where the layout has none, name; none: all.
    pub records: Vec<String>,
    /// Whether everybody is in it.
    pub extent: Extent,
}

/// Whether a report is about everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// It is.
    #[default]
    Whole,
    /// It is about those alone whom the district has marked for a partial file.
    Partial,
}

impl Options {
    /// Whether a kind of record is asked for.
    fn wants(&self, record: &Record) -> bool {
        self.records.is_empty() || self.records.iter().any(|name| name == name_of(record))
    }
}

/// What a kind of record is asked for by: its code, else its name.
fn name_of(record: &Record) -> &str {
    record.code.as_deref().unwrap_or(&record.name)
}

/// Something to say about records that were made, or left out: how often, in words, never a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The kind of record, by its code or its name.
    pub record: String,
    /// The field, as the layout names it.
    pub field: Option<String>,
    /// A stable code such as `field.not_permitted`.
    pub rule: String,
    /// What it means.
    pub message: String,
    /// In how many records.
    pub count: u64,
}

type RemarkKey = (usize, Option<usize>, String, String);

/// Makes the records of a layout, student by student.
pub struct Producer {
    plan: Plan<'static>,
    options: Options,
    remarks: BTreeMap<RemarkKey, u64>,
    /// Districts and schools it is for of which nothing was found so far.
    unseen: BTreeSet<String>,
}

/// A record: which kind it is of, in the order of the layout, and its bytes, line end included.
pub type Produced = (usize, Vec<u8>);

/// The ids of the layouts that can be produced from what is known of students.
pub fn names() -> impl Iterator<Item = &'static str> {
    layouts::all().iter().filter(|layout| is_produced(layout)).map(|layout| layout.id.as_str())
}

fn is_produced(layout: &Layout) -> bool {
    layout.records.iter().any(|record| record.produce.is_some())
}

impl Producer {
    /// Begins to produce a layout; `None` if there is none of this id that can be produced. `Err`: it has no such kind of record.
    pub fn begin(id: &str, options: Options) -> Result<Option<Self>, Error> {
        let Some(layout) = layouts::find(id).filter(|layout| is_produced(layout)) else { return Ok(None) };
        let kinds: Vec<&str> = layout.records.iter().filter(|r| r.produce.is_some()).map(name_of).collect();
        if let Some(unknown) = options.records.iter().find(|name| !kinds.contains(&name.as_str())) {
            let kinds = kinds.join(", ");
            return Err(Error::Invalid(format!(
                "{id} has no kind of record {unknown:?} that can be produced: {kinds}"
            )));
        }
        let tables = Tables::builtin(&layout.sea)
            .ok_or_else(|| Error::Corrupt(format!("layout {id}: its state has no code tables")))?;
        let unseen = options.districts.iter().chain(&options.schools).cloned().collect();
        Ok(Some(Self { plan: Plan::new(layout, tables)?, options, remarks: BTreeMap::new(), unseen }))
    }

    /// What stands before the first record.
    pub fn header(&self) -> Vec<u8> {
        // Cannot fail: writing to memory.
        crate::RecordWriter::new(self.plan.layout, Vec::new()).finish().unwrap_or_default()
    }

    /// How a file of the layout is named.
    pub fn file_name(&self) -> String {
        let ending = match self.plan.layout.format {
            crate::Format::Fixed { .. } => "txt",
            crate::Format::Delimited { .. } => "csv",
        };
        format!("{}.{ending}", self.plan.layout.id)
    }

    /// Whether the report is for all students, whatever it then holds of each.
    pub fn is_for_all(&self) -> bool {
        let Options { districts, schools, students, extent, .. } = &self.options;
        districts.is_empty() && schools.is_empty() && students.is_none() && *extent == Extent::Whole
    }

    /// Whether the report is for the student: named or marked as it asks, and reported at one of its districts and schools at any time. Kinds
    /// of record, dates and exclusions have no part in it: of a student whom the report is for, a record that is not there tells as much
    /// as one that is. Of who is not, `produce` makes no record and has nothing to say of district or school.
    pub fn is_for(&self, sections: &[Section]) -> bool {
        selection::is_for(History::new(sections, &self.plan.layout.sea), &self.options)
    }

    /// The records of one student, by kind. A student of several identifiers has the records of each.
    pub fn produce(&mut self, sections: &[Section]) -> Vec<Produced> {
        let mut produced = Vec::new();
        let history = History::new(sections, &self.plan.layout.sea);
        if !self.unseen.is_empty() {
            let seen: BTreeSet<&str> = history.places().collect();
            self.unseen.retain(|code| !seen.contains(code.as_str()));
        }
        for (kind, plan) in self.plan.records.iter().enumerate() {
            let Some(produce) = plan.record.produce.as_ref().filter(|_| self.options.wants(plan.record)) else {
                continue;
            };
            let mut remark = |field: Option<usize>, rule: &str, message: &str| {
                *self.remarks.entry((kind, field, rule.to_owned(), message.to_owned())).or_default() += 1;
            };
            let maker = record::Maker { plan, produce, tables: self.plan.tables, options: &self.options, history };
            for cells in maker.records(&mut remark) {
                let texts: Vec<&str> = cells.iter().map(String::as_str).collect();
                let mut line = Vec::new();
                match encode(self.plan.layout, plan.record, &texts, &mut line) {
                    Ok(()) => produced.push((kind, line)),
                    Err(_) => remark(None, "record.does_not_fit", "the record does not fit its layout and is left out"),
                }
            }
        }
        produced
    }

    /// What is to be said about all that was produced so far.
    pub fn remarks(&self) -> Vec<Remark> {
        let name = |kind: usize, field: Option<usize>| {
            let record = self.plan.records.get(kind).map(|plan| plan.record);
            let field = field.and_then(|field| record?.fields.get(field)).map(|field| field.name.clone());
            let record = record.map(|record| record.code.clone().unwrap_or_else(|| record.name.clone()));
            (record.unwrap_or_default(), field)
        };
        let said = self.remarks.iter().map(|((kind, field, rule, message), count)| {
            let (record, field) = name(*kind, *field);
            Remark { record, field, rule: rule.clone(), message: message.clone(), count: *count }
        });
        let unseen = self.unseen.iter().map(|code| Remark {
            record: self.plan.layout.id.clone(),
            field: None,
            rule: "selection.nobody".to_owned(),
            message: format!("no enrollment is known at the district or school {code} that the report is for"),
            count: 1,
        });
        said.chain(unseen).collect()
    }
}
