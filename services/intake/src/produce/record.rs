//! One kind of record: its bases (what makes a record), its cells, and what is to be said of them.

use std::collections::{BTreeMap, BTreeSet};

use model::{Domain, Row, SchoolYear, Value};
use reference::tables::Tables;

use super::{
    Options,
    backwards::{self, is_told, is_vague},
    selection::{
        History, Person, is_excluded, is_of_excluded_school, is_of_report, overlaps, told, why_left_out, within,
    },
};
use crate::{
    Severity,
    layout::{
        FactRule, RuleKind, Setting, YearSource,
        produce::{Each, Fill, Part, Produce, Select, Students},
    },
    read::{
        checks::{Notes, all_hold, check},
        facts::Checkpoint,
        plan::RecordPlan,
    },
};

/// Makes the records of one kind for one student.
pub(super) struct Maker<'m> {
    pub plan: &'m RecordPlan<'static>,
    pub produce: &'m Produce,
    pub tables: &'m Tables,
    pub options: &'m Options,
    pub history: History<'m>,
}

/// Told what is to be said: the field, the rule, and what it means.
pub(super) type Say<'s> = dyn FnMut(Option<usize>, &str, &str) + 's;

/// What a record is made from.
struct Base<'h> {
    rows: Vec<(Domain, &'h Row)>,
    year: Option<SchoolYear>,
    lea: Option<&'h str>,
    stay: Option<&'h Row>,
}

/// The cells of a record, as far as they are known.
struct Draft {
    cells: Vec<String>,
    /// Fields whose value is known and has no text in this layout.
    untold: BTreeSet<usize>,
}

impl Draft {
    fn texts(&self) -> Vec<&str> {
        self.cells.iter().map(String::as_str).collect()
    }

    fn text(&self, field: usize) -> &str {
        self.cells.get(field).map_or("", String::as_str)
    }

    fn blank(&mut self, field: usize) {
        if let Some(cell) = self.cells.get_mut(field) {
            cell.clear();
        }
    }

    fn blank_all(&mut self, fields: &[usize]) {
        for field in fields {
            self.blank(*field);
        }
    }

    /// Fills a field that is blank.
    fn fill(&mut self, (field, text): (usize, Option<String>)) {
        match (text, self.cells.get_mut(field)) {
            (Some(text), Some(cell)) if cell.is_empty() => *cell = text,
            (None, Some(cell)) if cell.is_empty() => {
                self.untold.insert(field);
            }
            _ => {}
        }
    }

    /// Takes over what a later row says, but for the fields that keep what they have.
    fn overlay(&mut self, later: Self, keep: &BTreeSet<usize>) {
        for (field, (cell, text)) in self.cells.iter_mut().zip(later.cells).enumerate() {
            if !text.is_empty() && !keep.contains(&field) {
                *cell = text;
            }
        }
        self.untold.extend(later.untold);
    }
}

impl<'m> Maker<'m> {
    /// The records of the student.
    pub(super) fn records(&self, say: &mut Say<'_>) -> Vec<Vec<String>> {
        let has_rows = self.domains().into_iter().any(|domain| self.history.has_rows(domain));
        if has_rows && self.history.persons().next().is_none() {
            let message =
                "nothing may be told of who the student is, or nothing is known: the student's records are left out";
            say(self.plan.record.meaning.person, "person.not_told", message);
        }
        let needs_stays = self.produce.students != Students::All || self.produce.each != Each::Row;
        if has_rows && needs_stays && !self.history.is_permitted(Domain::Enrollment, "entry_date") {
            let message = "whether the student is enrolled may not be told: the student's records are left out";
            say(None, "selection.not_permitted", message);
            return Vec::new();
        }
        let mut records = Vec::new();
        for person in self.history.persons() {
            if let Some((rule, message)) = why_left_out(&person, self.options) {
                if has_rows {
                    say(None, rule, message);
                }
                continue;
            }
            for base in self.bases(&person) {
                records.extend(self.record(&person, &base, say));
            }
        }
        records
    }

    fn rules(&self) -> &'m [FactRule] {
        &self.plan.record.meaning.facts
    }

    fn domains(&self) -> BTreeSet<Domain> {
        self.rules().iter().map(|rule| rule.domain).collect()
    }

    fn bases(&self, person: &Person<'m>) -> Vec<Base<'m>> {
        let stays = match self.produce.students {
            Students::Active => self.history.active(person, self.options),
            Students::All | Students::Enrolled => self.history.enrolled(person, self.options),
        };
        match self.produce.each {
            Each::Stay => stays.iter().map(|stay| self.of_stay(person, stay, &stays)).collect(),
            Each::Membership => memberships(&stays)
                .into_iter()
                .map(|stay| Base {
                    rows: vec![(Domain::Student, person.row)],
                    year: stay.school_year,
                    lea: stay.find_text("local_education_agency_id"),
                    stay: Some(stay),
                })
                .collect(),
            Each::Row => self.of_rows(person, &stays),
        }
    }

    /// A stay, with what was reported in the same line, or else with the only other row of its school and year.
    fn of_stay(&self, person: &Person<'m>, stay: &'m Row, stays: &[&'m Row]) -> Base<'m> {
        let mut rows = vec![(Domain::Enrollment, stay)];
        let place = |row: &Row| (row.source.batch, row.source.line);
        let about = |row: &Row| (row.school_year, row.find_text("school_id").map(str::to_owned));
        for domain in self.domains().into_iter().filter(|domain| *domain != Domain::Enrollment) {
            let of_domain: Vec<&Row> = self.history.rows(domain, person).collect();
            let same_line = of_domain.iter().find(|row| place(row) == place(stay)).copied();
            let is_only_stay = stays.iter().filter(|other| about(other) == about(stay)).count() == 1;
            let mut alike = of_domain.iter().copied().filter(|row| is_only_stay && about(row) == about(stay));
            let only = alike.next().filter(|_| alike.next().is_none());
            rows.extend(same_line.or(only).map(|row| (domain, row)));
        }
        Base { rows, year: stay.school_year, lea: stay.find_text("local_education_agency_id"), stay: Some(stay) }
    }

    fn of_rows(&self, person: &Person<'m>, stays: &[&'m Row]) -> Vec<Base<'m>> {
        let mut groups: BTreeMap<Vec<String>, Vec<(Domain, &'m Row)>> = BTreeMap::new();
        let mut number = 0;
        for domain in self.domains() {
            for row in self.history.rows(domain, person) {
                if is_excluded(row)
                    || is_of_excluded_school(row, self.options)
                    || !is_of_report(row, stays, self.options)
                    || !self.is_of_student(row, stays)
                    || !self.selects_row(row)
                    || !self.rules().iter().any(|rule| self.matches(rule, domain, row))
                {
                    continue;
                }
                let mut key: Vec<String> = self.produce.together.iter().map(|part| part_of(*part, row)).collect();
                if key.is_empty() {
                    number += 1;
                    key.push(format!("{number:09}"));
                }
                groups.entry(key).or_default().push((domain, row));
            }
        }
        let base = |mut rows: Vec<(Domain, &'m Row)>| {
            // What was learned last stands.
            rows.sort_by_key(|(_, row)| (row.source.batch, row.source.line));
            let first = rows.first().map(|(_, row)| *row);
            Base {
                year: first.and_then(|row| row.school_year),
                lea: first.and_then(|row| row.find_text("local_education_agency_id")),
                stay: None,
                rows,
            }
        };
        groups.into_values().map(base).collect()
    }

    fn is_of_student(&self, row: &Row, stays: &[&Row]) -> bool {
        match self.produce.students {
            Students::All => true,
            Students::Active => !stays.is_empty(),
            Students::Enrolled => {
                stays.iter().any(|stay| row.school_year.is_none() || stay.school_year == row.school_year)
            }
        }
    }

    fn selects_row(&self, row: &Row) -> bool {
        let days = row.school_year.is_none_or(|year| overlaps(year, self.options));
        days && self.produce.select.iter().all(|criterion| match criterion {
            Select::AnyElement(elements) => elements.iter().any(|element| row.find(element).is_some()),
            Select::After(first, then) => match (row.find_date(first), row.find_date(then)) {
                (Some(first), Some(then)) => first < then,
                _ => true,
            },
            Select::BehindFirstOfOctober(element) => match (row.find_date(element), row.school_year) {
                (Some(day), Some(year)) => chrono::NaiveDate::from_ymd_opt(i32::from(year.0), 10, 1) < Some(day),
                _ => true,
            },
            Select::Within(elements) => {
                elements.iter().find_map(|element| row.find_date(element)).is_none_or(|day| within(day, self.options))
            }
            Select::AnyField(_) | Select::Coded(_) => true,
        })
    }

    fn selects_cells(&self, draft: &Draft, year: Option<SchoolYear>) -> bool {
        self.produce.select.iter().all(|criterion| match criterion {
            Select::AnyField(fields) => fields.iter().any(|field| !draft.text(*field).is_empty()),
            Select::Coded(field) => {
                let edition = self.plan.edition_in_use(*field, year);
                edition.is_some_and(|edition| edition.find(draft.text(*field)).is_some())
            }
            _ => true,
        })
    }

    /// Whether a row is what the rule makes: all that the rule always sets is so.
    fn matches(&self, rule: &FactRule, domain: Domain, row: &Row) -> bool {
        rule.domain == domain
            && rule.set.iter().all(|(element, setting)| match setting {
                Setting::Constant(value) => row.find(element) == Some(value),
                Setting::Transform(transform, from) if transform.name == "title" => {
                    let field = from.first().and_then(|field| self.plan.record.fields.get(*field));
                    field.is_some_and(|field| row.find_text(element) == Some(field.title.as_str()))
                }
                _ => true,
            })
    }

    fn record(&self, person: &Person<'m>, base: &Base<'m>, say: &mut Say<'_>) -> Option<Vec<String>> {
        let matching: Vec<Vec<&FactRule>> = base
            .rows
            .iter()
            .map(|(domain, row)| self.rules().iter().filter(|rule| self.matches(rule, *domain, row)).collect())
            .collect();
        let ways = matching.iter().map(Vec::len).max().unwrap_or(0).max(1);
        // Where a row could have been made in several ways, the way is taken that reads back as what is known.
        let draft = (0..ways)
            .map(|way| self.draft(person, base, &matching, way))
            .min_by_key(|draft| if ways == 1 { (0, 0) } else { self.flaws(draft, base) })?;
        let draft = self.fitting(draft, base, say);
        if !self.selects_cells(&draft, base.year) {
            return None;
        }
        self.say_all(&draft, base, say).then_some(draft.cells)
    }

    fn draft(&self, person: &Person<'m>, base: &Base<'m>, matching: &[Vec<&FactRule>], way: usize) -> Draft {
        let empty = || Draft { cells: vec![String::new(); self.plan.record.fields.len()], untold: BTreeSet::new() };
        let mut draft = empty();
        // Fields whose value so far is a preferred one.
        let mut preferred = BTreeSet::new();
        for ((domain, row), rules) in base.rows.iter().zip(matching) {
            let Some(rule) = rules.get(way.min(rules.len().saturating_sub(1))) else { continue };
            let mut of_row = empty();
            self.read_back(rule, *domain, row, base, &mut of_row);
            let is_preferred = |(field, flag): &&(usize, &'static str)| {
                !of_row.text(*field).is_empty() && row.find(flag).and_then(Value::as_boolean) == Some(true)
            };
            let of_this: BTreeSet<usize> = self.produce.prefer.iter().filter(is_preferred).map(|(f, _)| *f).collect();
            let keep = preferred.difference(&of_this).copied().collect();
            draft.overlay(of_row, &keep);
            preferred.extend(of_this);
        }
        self.fill_rest(person, base, &mut draft);
        self.settle(base, &mut draft);
        draft
    }

    /// The fields that one fact gives back.
    fn read_back(&self, rule: &FactRule, domain: Domain, row: &Row, base: &Base<'_>, draft: &mut Draft) {
        // What the layout takes from elsewhere is not taken from here.
        let from_elsewhere = |field: usize| self.produce.fill.iter().any(|fill| fill.field == field);
        let mut settings: Vec<&(&'static str, Setting)> = rule.set.iter().filter(|(_, s)| is_told(s)).collect();
        settings.sort_by_key(|(_, setting)| is_vague(setting));
        for (element, setting) in settings {
            let is_empty = |(list, other): &(&str, &str)| {
                list == element && row.find(other).is_some() && self.history.is_permitted(domain, element)
            };
            let nothing = Value::TextList(Vec::new());
            let value = row.find(element).or_else(|| self.produce.known_empty.iter().any(is_empty).then_some(&nothing));
            for filled in value.into_iter().flat_map(|value| backwards::fields(self.plan, setting, value, base.year)) {
                if !from_elsewhere(filled.0) {
                    draft.fill(filled);
                }
            }
        }
        let envelope = [(rule.lea, base.lea), (rule.facility, row.find_text("school_id"))];
        for (field, text) in envelope {
            if let (Some(field), Some(text)) = (field, text) {
                draft.fill((field, Some(text.to_owned())));
            }
        }
    }

    /// What no fact of the record gives: who it is about, the school year, and what the layout names.
    fn fill_rest(&self, person: &Person<'m>, base: &Base<'m>, draft: &mut Draft) {
        let meaning = &self.plan.record.meaning;
        let of_person = |element: &str, field: Option<usize>| {
            let value = person.row.find(element)?;
            Some((field?, backwards::text(self.plan, field?, value)))
        };
        let known = [of_person("state_id", meaning.person), of_person("birth_date", meaning.claimed_birth_date)];
        known.into_iter().flatten().for_each(|filled| draft.fill(filled));
        if let Some(year) = base.year {
            for source in &meaning.school_year {
                let (field, text) = match *source {
                    YearSource::Session(field) => (field, format!("{}{}", year.0, year.next().0)),
                    YearSource::Fall(field) => (field, year.0.to_string()),
                    YearSource::Text(field) => (field, year.to_string()),
                    YearSource::Containing(_) => continue,
                };
                draft.fill((field, Some(text)));
            }
        }
        for fill in &self.produce.fill {
            if let Some(value) =
                fill.from.iter().find_map(|element| self.find(person, base, element.domain, element.name))
            {
                draft.fill((
                    fill.field,
                    shortened(fill, value).and_then(|v| backwards::text(self.plan, fill.field, &v)),
                ));
            }
        }
    }

    /// What is known of the student beside the record's own rows. A district's own number of a student is looked for at that district alone.
    fn find(&self, person: &Person<'m>, base: &Base<'m>, domain: Domain, element: &str) -> Option<&'m Value> {
        let own = base.rows.iter().filter(|(of, _)| *of == domain).find_map(|(_, row)| row.find(element));
        if own.is_some() {
            return own;
        }
        let mut stays = self.history.rows(Domain::Enrollment, person);
        let lea = |row: &Row| row.find_text("local_education_agency_id").map(str::to_owned);
        match domain {
            Domain::Student if element == "district_student_id" => {
                stays.all(|row| lea(row).as_deref() == base.lea).then(|| person.row.find(element)).flatten()
            }
            Domain::Student => person.row.find(element),
            Domain::Enrollment => {
                let stay = base.stay.and_then(|row| row.find(element));
                let here = |row: &&Row| base.lea.is_some() && lea(row).as_deref() == base.lea;
                stay.or_else(|| stays.filter(here).filter_map(|row| row.find(element)).last())
            }
            _ => None,
        }
    }

    /// What the source itself does to a record before it reports it.
    fn settle(&self, base: &Base<'_>, draft: &mut Draft) {
        for replace in &self.produce.replace {
            if all_hold(self.plan, &replace.when, &draft.texts(), base.year) {
                draft.blank(replace.field);
                draft.fill((replace.field, Some(replace.with.clone())));
            }
        }
        if let Some((code, fields)) = &self.produce.promoted
            && self.options.promoted.iter().any(|promoted| promoted == draft.text(*code))
        {
            draft.blank_all(fields);
        }
        for fields in &self.produce.complete {
            if fields.iter().any(|field| draft.text(*field).is_empty()) {
                draft.blank_all(fields);
            }
        }
        for rule in &self.plan.record.rules {
            if let RuleKind::BlankUnless { field, when, .. } = &rule.kind
                && !all_hold(self.plan, when, &draft.texts(), base.year)
            {
                draft.blank(*field);
            }
        }
    }

    /// How far a draft is from what is known: rules it breaks, then values that do not read back.
    fn flaws(&self, draft: &Draft, base: &Base<'_>) -> (usize, usize) {
        let texts = draft.texts();
        let checked = check(self.plan, &texts, 0, &mut Notes::default());
        let broken = checked.findings.iter().filter(|finding| finding.severity >= Severity::Error).count();
        let record = Checkpoint { plan: self.plan, tables: self.tables, cells: &texts, year: base.year, line: 0 };
        let facts = record.facts().unwrap_or_default();
        let reads_back = |domain: Domain, element: &str, value: &Value| {
            facts.iter().any(|fact| fact.domain == domain && fact.payload.get(element) == Some(value))
        };
        let told =
            self.rules().iter().flat_map(|rule| rule.set.iter().map(move |(element, _)| (rule.domain, *element)));
        let told: BTreeSet<(Domain, &str)> = told.collect();
        let lost = told.into_iter().filter(|(domain, element)| {
            let value = base.rows.iter().filter(|(of, _)| of == domain).find_map(|(_, row)| row.find(element));
            value.is_some_and(|value| !reads_back(*domain, element, value))
        });
        (broken, lost.count())
    }

    /// Blanks what a field cannot hold, and says so.
    fn fitting(&self, mut draft: Draft, base: &Base<'_>, say: &mut Say<'_>) -> Draft {
        let checked = check(self.plan, &draft.texts(), 0, &mut Notes::default());
        let missing =
            |rule: &str| matches!(rule, "field.required" | "person.missing" | "field.constant" | "record.end_marker");
        let unfit: Vec<usize> = checked
            .wrong_fields()
            .filter(|finding| !missing(&finding.rule) && finding.rule != "code.unknown")
            .filter_map(|finding| self.plan.record.index_of(finding.field.as_deref()?))
            .collect();
        for field in unfit {
            say(Some(field), "value.does_not_fit", "what is known does not fit the field, which is left blank");
            draft.blank(field);
        }
        self.settle(base, &mut draft);
        draft
    }

    /// Says what the record lacks; whether it can stand at all.
    fn say_all(&self, draft: &Draft, base: &Base<'_>, say: &mut Say<'_>) -> bool {
        for field in draft.untold.iter().filter(|field| draft.text(**field).is_empty()) {
            let message = "what is known has no code in this layout; the field is left blank";
            say(Some(*field), "code.not_in_layout", message);
        }
        let checked = check(self.plan, &draft.texts(), 0, &mut Notes::default());
        for finding in checked.findings.iter().filter(|finding| finding.severity >= Severity::Warning) {
            let field = finding.field.as_deref().and_then(|name| self.plan.record.index_of(name));
            match finding.rule.as_str() {
                // The writer fills these in.
                "field.constant" | "record.end_marker" => {}
                "person.missing" => {
                    let message = "the student's identifier may not be told or is not known: the record is left out";
                    say(field, "person.not_told", message);
                    return false;
                }
                "field.required" | "field.required_when" => {
                    if let Some(field) = field.filter(|field| !draft.untold.contains(field)) {
                        let (rule, message) = self.why_blank(field, base);
                        say(Some(field), rule, message);
                    }
                }
                rule => say(field, rule, "the record does not keep this rule of its layout"),
            }
        }
        true
    }

    /// Why a field is blank that should be filled.
    fn why_blank(&self, field: usize, base: &Base<'_>) -> (&'static str, &'static str) {
        let sources = self.sources(field);
        if sources.is_empty() {
            return (
                "field.not_kept",
                "the layout wants this field, and the exchange keeps nothing of it; it is left blank",
            );
        }
        let permitted = |(domain, element): &(Domain, &'static str)| self.history.is_permitted(*domain, element);
        if base.rows.is_empty() || !sources.iter().any(permitted) {
            return (
                "field.not_permitted",
                "the layout wants this field, and the agreement withholds it; it is left blank",
            );
        }
        ("field.not_known", "the layout wants this field, and nothing is known of it; it is left blank")
    }

    /// The elements that fill a field.
    fn sources(&self, field: usize) -> Vec<(Domain, &'static str)> {
        let meaning = &self.plan.record.meaning;
        let mut sources = Vec::new();
        for rule in self.rules() {
            for (element, setting) in rule.set.iter().filter(|(_, setting)| is_told(setting)) {
                let fills = match setting {
                    Setting::Constant(_) => false,
                    Setting::Field(own) => *own == field,
                    Setting::Transform(_, from) => from.contains(&field),
                };
                sources.extend(fills.then_some((rule.domain, *element)));
            }
            let envelope = [(rule.lea, "local_education_agency_id"), (rule.facility, "school_id")];
            let envelope = envelope.into_iter().filter(|(own, _)| *own == Some(field));
            sources.extend(envelope.map(|(_, element)| match rule.domain {
                Domain::Student | Domain::Contact => (Domain::Enrollment, element),
                domain => (domain, element),
            }));
        }
        let fills = self.produce.fill.iter().filter(|fill| fill.field == field).flat_map(|fill| &fill.from);
        sources.extend(fills.map(|element| (element.domain, element.name)));
        sources.extend((meaning.person == Some(field)).then_some((Domain::Student, "state_id")));
        sources.extend((meaning.claimed_birth_date == Some(field)).then_some((Domain::Student, "birth_date")));
        sources
    }
}

/// The first stay in each district and school year.
fn memberships<'h>(stays: &[&'h Row]) -> Vec<&'h Row> {
    let mut seen = BTreeSet::new();
    let key = |stay: &Row| (stay.school_year, told(stay, "local_education_agency_id"));
    stays.iter().copied().filter(|stay| seen.insert(key(stay))).collect()
}

fn part_of(part: Part, row: &Row) -> String {
    match part {
        Part::Element(element) => told(row, element),
        Part::SchoolYear => row.school_year.map(|year| year.to_string()).unwrap_or_default(),
    }
}

/// As much of a value as the field wants.
fn shortened(fill: &Fill, value: &Value) -> Option<Value> {
    if fill.day {
        return match value {
            Value::Date(day) => Some(Value::Text(day.format("%d").to_string())),
            Value::Integer(day) => Some(Value::Text(format!("{day:02}"))),
            _ => None,
        };
    }
    match (fill.first, value) {
        (Some(first), Value::Text(text)) => Some(Value::Text(text.chars().take(first).collect())),
        _ => Some(value.clone()),
    }
}
