//! What a good record means: its facts, or the organization it describes.

use chrono::NaiveDate;
use domains::{FactBuilder, definition};
use model::{Certification, Edition, Fact, Masked, Period, Restriction, SchoolYear, Value, ValueKind};
use reference::tables::Tables;

use super::{
    checks::all_hold,
    plan::RecordPlan,
    transform::{Cell, Context},
    value,
};
use crate::{
    Finding, OrganizationRecord, Severity,
    layout::{Days, FactRule, FieldKind, OrganizationRule, ReportedOn, Setting},
};

/// A checked record.
#[derive(Clone, Copy)]
pub(crate) struct Checkpoint<'a> {
    pub plan: &'a RecordPlan<'a>,
    pub tables: &'a Tables,
    pub cells: &'a [&'a str],
    pub year: Option<SchoolYear>,
    pub line: u32,
}

impl<'a> Checkpoint<'a> {
    fn text(&self, field: usize) -> &'a str {
        self.cells.get(field).copied().unwrap_or_default()
    }

    fn filled(&self, field: Option<usize>) -> Option<&'a str> {
        field.map(|field| self.text(field)).filter(|text| !text.is_empty())
    }

    fn date(&self, field: usize) -> Option<NaiveDate> {
        let FieldKind::Date(form) = self.plan.record.fields.get(field)?.kind else {
            return None;
        };
        value::date(self.text(field), form)
    }

    fn says_yes(&self, field: Option<usize>) -> Option<bool> {
        let field = field?;
        let kind = &self.plan.record.fields.get(field)?.kind;
        value::of(kind, self.text(field), ValueKind::Boolean)?.as_boolean()
    }

    /// The state's identifier of the person, if the record is about one.
    pub(crate) fn person(&self) -> Option<&'a str> {
        self.filled(self.plan.record.meaning.person)
    }

    /// The birth date given for checking only.
    pub(crate) fn claimed_birth_date(&self) -> Option<Masked<NaiveDate>> {
        self.date(self.plan.record.meaning.claimed_birth_date?).map(Masked::new)
    }

    /// The day the source gives for its report.
    fn reported_on(&self) -> Option<NaiveDate> {
        match self.plan.record.meaning.reported_on? {
            ReportedOn::Field(field) => self.date(field),
            ReportedOn::FirstOfOctober(field) => NaiveDate::from_ymd_opt(self.text(field).parse().ok()?, 10, 1),
        }
    }

    /// Its facts.
    pub(crate) fn facts(&self) -> Result<Vec<Fact>, Finding> {
        let mut facts = Vec::new();
        for rule in &self.plan.record.meaning.facts {
            if all_hold(self.plan, &rule.when, self.cells, self.year) {
                facts.push(self.fact(rule)?);
            }
        }
        Ok(facts)
    }

    fn fact(&self, rule: &FactRule) -> Result<Fact, Finding> {
        let mut builder = FactBuilder::new(rule.domain, &rule.kind, self.line);
        if let Some(year) = self.year.filter(|_| rule.has_year) {
            builder.school_year(year);
        }
        if let Some(lea) = self.filled(rule.lea) {
            builder.lea(lea);
        }
        if let Some(facility) = self.filled(rule.facility) {
            builder.facility(facility);
        }
        builder.valid(self.days(rule.days)?);
        builder.reported_on(self.reported_on());
        if self.says_yes(rule.certified) == Some(false)
            || (rule.certified.is_some() && self.filled(rule.certified).is_none())
        {
            builder.certification(Certification::Preliminary);
        }
        if self.says_yes(rule.expunged) == Some(true) {
            builder.restriction(Restriction::Expunged);
        }
        builder.edition(self.edition(rule));
        for part in &rule.key_parts {
            let text = self.value(part, ValueKind::Text).map(|value| value.to_plain());
            builder.key_part(&text.unwrap_or_default());
        }
        for (element, setting) in &rule.set {
            let kind = definition(rule.domain).find_element(element).map_or(ValueKind::Text, |e| e.kind);
            builder.set_some(element, self.value(setting, kind));
        }
        builder.into_fact().map_err(|error| Finding::new(self.line, "fact.invalid", Severity::Error, error.to_string()))
    }

    fn edition(&self, rule: &FactRule) -> Option<Edition> {
        let part = |field: &usize| {
            let kind = &self.plan.record.fields.get(*field)?.kind;
            value::of(kind, self.text(*field), kind.value_kind()?)
        };
        Edition::of(&rule.edition.iter().map(part).collect::<Vec<_>>())
    }

    fn days(&self, days: Days) -> Result<Period, Finding> {
        let year = || self.year.map(|year| (Some(year.first_day()), Some(year.last_day())));
        let (from, to) = match days {
            Days::Day(field) => (self.date(field), self.date(field)),
            Days::Between(from, to) => (from.and_then(|field| self.date(field)), to.and_then(|field| self.date(field))),
            Days::SchoolYear => year().unwrap_or_default(),
            Days::DayOrSchoolYear(field) => match self.date(field) {
                Some(day) => (Some(day), Some(day)),
                None => year().unwrap_or_default(),
            },
            Days::Always => (None, None),
        };
        Period::new(from, to)
            .map_err(|_| Finding::new(self.line, "date.order", Severity::Error, "the record ends before it begins"))
    }

    fn value(&self, setting: &Setting, wanted: ValueKind) -> Option<Value> {
        match setting {
            Setting::Constant(value) => Some(value.clone()),
            Setting::Field(field) => {
                let text = self.text(*field);
                if self.plan.is_suppressed(text) {
                    return Some(Value::Suppressed);
                }
                value::of(&self.plan.record.fields.get(*field)?.kind, text, wanted)
            }
            Setting::Transform(transform, fields) => {
                if fields.iter().any(|field| self.plan.is_suppressed(self.text(*field))) {
                    return Some(Value::Suppressed);
                }
                let cells: Vec<Cell<'_>> = fields.iter().filter_map(|field| self.cell(*field)).collect();
                let context = Context { tables: self.tables, year: self.year };
                (transform.apply)(&cells, &context)
            }
        }
    }

    fn cell(&self, field: usize) -> Option<Cell<'a>> {
        Some(Cell {
            field: self.plan.record.fields.get(field)?,
            text: self.text(field),
            edition: self.plan.edition_in_use(field, self.year),
        })
    }

    /// The organization it describes.
    pub(crate) fn organization(&self, rule: &OrganizationRule) -> Result<OrganizationRecord, Finding> {
        let first = |fields: &[usize]| fields.iter().find_map(|field| self.filled(Some(*field)));
        let missing = |what: &str| {
            Finding::new(self.line, "organization.incomplete", Severity::Error, format!("the record gives no {what}"))
        };
        let code = first(&rule.code).ok_or_else(|| missing("code"))?;
        let parent = self.filled(rule.parent).map(|text| match rule.parent_digits {
            Some(digits) => text.get(..digits).unwrap_or(text),
            None => text,
        });
        Ok(OrganizationRecord {
            code: code.to_owned(),
            name: value::nfc(first(&rule.name).ok_or_else(|| missing("name"))?),
            organization_type: value::nfc(self.text(rule.kind)),
            parent_code: parent.map(str::to_owned),
            town: self.filled(rule.town).map(value::nfc),
            open_date: rule.open_date.and_then(|field| self.date(field)),
        })
    }
}
