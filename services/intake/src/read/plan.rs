//! A layout made ready for one file: its code tables found, its columns placed.

use std::sync::Arc;

use domains::definition;
use model::SchoolYear;
use reference::tables::{CodeTable, Edition, EditionMatch, Tables};

use super::value;
use crate::{
    Error, Layout, RecordType,
    layout::{FactRule, FieldKind, Format, Meaning, Record, Setting, YearSource},
};

/// A layout and the tables of its state.
pub(crate) struct Plan<'l> {
    pub layout: &'l Layout,
    pub tables: &'l Tables,
    pub records: Vec<RecordPlan<'l>>,
    /// The type of a record that does not say which it is of.
    unknown: RecordType,
}

/// One kind of record, ready.
pub(crate) struct RecordPlan<'l> {
    pub record: &'l Record,
    /// Which of the layout's kinds it is.
    pub number: usize,
    /// The fields that say what a record is about: two that agree in them are about the same thing. Empty where no field does.
    pub key: Vec<usize>,
    /// The field of the district that reports.
    pub district: Option<usize>,
    /// The code table of each field.
    pub tables: Vec<Option<&'l CodeTable>>,
    /// The column of each field as findings name it: the first position of a fixed field, the number of a delimited one.
    pub columns: Vec<u32>,
    /// What stands for a value that the source suppressed.
    pub suppressed: Option<&'l str>,
    /// The record's code, or `record`.
    own_type: RecordType,
    /// The values of the field that tells types of it apart.
    types: Vec<RecordType>,
}

impl<'l> Plan<'l> {
    pub(crate) fn new(layout: &'l Layout, tables: &'l Tables) -> Result<Self, Error> {
        let records = layout.records.iter().enumerate();
        let records = records.map(|(number, record)| RecordPlan::new(layout, number, record, tables));
        let records = records.collect::<Result<_, _>>()?;
        Ok(Self { layout, tables, records, unknown: Arc::from("unknown") })
    }

    /// The type that the text of a record says, where it cannot be read as a whole.
    pub(crate) fn type_of(&self, text: &str) -> RecordType {
        let only = self.records.first().filter(|_| self.records.len() == 1);
        let found = match (&self.layout.format, only) {
            (Format::Fixed { code: Some(span) }, _) => {
                let code: String = text.chars().skip(span.start).take(span.length).collect();
                self.records.iter().find(|plan| plan.record.code.as_ref() == Some(&code)).map(|plan| &plan.own_type)
            }
            (Format::Fixed { code: None }, Some(plan)) => match &plan.record.types {
                Some(types) => plan.record.fields.get(types.field).and_then(|field| {
                    let code: String = text.chars().skip(field.span.start).take(field.span.length).collect();
                    plan.types.iter().find(|known| known.as_ref() == value::trimmed(&code))
                }),
                None => Some(&plan.own_type),
            },
            (Format::Delimited { .. }, Some(plan)) if plan.record.types.is_none() => Some(&plan.own_type),
            _ => None,
        };
        found.unwrap_or(&self.unknown).clone()
    }
}

impl<'l> RecordPlan<'l> {
    fn new(layout: &'l Layout, number: usize, record: &'l Record, tables: &'l Tables) -> Result<Self, Error> {
        let is_fixed = matches!(layout.format, Format::Fixed { .. });
        let mut found = Vec::with_capacity(record.fields.len());
        let mut columns = Vec::with_capacity(record.fields.len());
        for (index, field) in record.fields.iter().enumerate() {
            found.push(match &field.table {
                None => None,
                Some(id) => Some(
                    tables
                        .find(id)
                        .ok_or_else(|| Error::Corrupt(format!("layout {}: there is no code table {id}", layout.id)))?,
                ),
            });
            columns.push(if is_fixed { field.span.start } else { index } as u32 + 1);
        }
        Ok(Self {
            record,
            number,
            key: key(&record.meaning),
            district: record.meaning.facts.iter().find_map(|rule| rule.lea),
            tables: found,
            columns,
            suppressed: match &layout.format {
                Format::Delimited { suppressed, .. } => suppressed.as_deref(),
                Format::Fixed { .. } => None,
            },
            own_type: Arc::from(record.code.as_deref().unwrap_or("record")),
            types: record
                .types
                .iter()
                .flat_map(|types| &types.values)
                .map(|(code, _)| Arc::from(code.as_str()))
                .collect(),
        })
    }

    /// The type of a record that is cut into its cells.
    pub(crate) fn type_of(&self, cells: &[&str]) -> RecordType {
        let field = self.record.types.as_ref().filter(|_| self.record.code.is_none()).map(|types| types.field);
        let Some(text) = field.and_then(|field| cells.get(field)) else { return self.own_type.clone() };
        self.types.iter().find(|known| known.as_ref() == *text).cloned().unwrap_or_else(|| Arc::from("unknown"))
    }

    /// The column of a field in findings.
    pub(crate) fn column(&self, field: usize) -> u32 {
        self.columns.get(field).copied().unwrap_or_default()
    }

    /// Whether a text stands for a suppressed value.
    pub(crate) fn is_suppressed(&self, text: &str) -> bool {
        self.suppressed == Some(text)
    }

    /// The edition of a field's code table for a school year.
    pub(crate) fn edition(&self, field: usize, year: Option<SchoolYear>) -> Option<EditionMatch<'l>> {
        self.tables.get(field).copied().flatten()?.edition(year)
    }

    /// The edition, exact or nearest.
    pub(crate) fn edition_in_use(&self, field: usize, year: Option<SchoolYear>) -> Option<&'l Edition> {
        self.edition(field, year).map(EditionMatch::edition)
    }

    /// The school year a record is about: the first of its sources that has a value.
    pub(crate) fn school_year(&self, cells: &[&str]) -> Option<SchoolYear> {
        let text = |field: usize| cells.get(field).copied().filter(|text| !text.is_empty());
        self.record.meaning.school_year.iter().find_map(|source| match *source {
            YearSource::Containing(field) => {
                let FieldKind::Date(form) = self.record.fields.get(field)?.kind else {
                    return None;
                };
                value::date(text(field)?, form).map(SchoolYear::containing)
            }
            YearSource::Fall(field) => {
                let fall = value::integer(text(field)?)?;
                i16::try_from(fall).ok().filter(|fall| (1900..=2100).contains(fall)).map(SchoolYear)
            }
            YearSource::Text(field) => text(field)?.parse().ok(),
            YearSource::Session(field) => value::session_year(text(field)?),
        })
    }
}

/// The fields that a record's natural keys are made of, and those that decide which facts it makes.
fn key(meaning: &Meaning) -> Vec<usize> {
    let mut fields: Vec<usize> = meaning.person.into_iter().filter(|_| !meaning.facts.is_empty()).collect();
    for rule in &meaning.facts {
        let Some(kind) = definition(rule.domain).find_kind(&rule.kind) else { continue };
        fields.extend(rule.when.iter().map(|condition| condition.field));
        fields.extend(rule.key_parts.iter().flat_map(fields_of));
        fields.extend(rule.certified);
        fields.extend(&rule.edition);
        fields.extend(kind.key.iter().flat_map(|element| fields_of_element(meaning, rule, element)));
    }
    fields.sort_unstable();
    fields.dedup();
    fields
}

fn fields_of_element(meaning: &Meaning, rule: &FactRule, element: &str) -> Vec<usize> {
    match element {
        "school_year" if rule.has_year => meaning.school_year.iter().map(|source| source.field()).collect(),
        "local_education_agency_id" if rule.lea.is_some() => rule.lea.into_iter().collect(),
        "school_id" if rule.facility.is_some() => rule.facility.into_iter().collect(),
        _ => rule.set.iter().filter(|(set, _)| *set == element).flat_map(|(_, setting)| fields_of(setting)).collect(),
    }
}

fn fields_of(setting: &Setting) -> Vec<usize> {
    match setting {
        Setting::Field(field) => vec![*field],
        Setting::Constant(_) => Vec::new(),
        Setting::Transform(_, fields) => fields.clone(),
    }
}
