//! From the words of a TOML file to a layout whose every name is resolved. A mistake is an error that names layout and field:
//! layouts are part of the program, so a test sees it before anybody else.

use std::collections::HashMap;

use domains::definition;
use model::{Decimal, Domain, Edition, Value, ValueKind};

use super::{
    Characters, Condition, Days, FactRule, Field, FieldKind, Format, Layout, LineEnd, Meaning, OrganizationRule,
    Record, ReportedOn, Requirement, Rule, RuleKind, Setting, Span, Status, Test, Types, YearSource, produce,
    spec::{
        ConditionSpec, FactSpec, FieldSpec, FormatSpec, LayoutSpec, OneOrMany, OrganizationSpec, RecordSpec,
        ReportedOnSpec, RuleSpec, SetSpec, TypesSpec, YearSpec,
    },
};
use crate::{Error, Severity, read::transform};

/// Names that conversions keep for themselves.
const RESERVED: [&str; 2] = ["line", "record"];

pub(super) fn compile(text: &str) -> Result<Layout, Error> {
    let spec: LayoutSpec = toml::from_str(text)
        .map_err(|error| Error::Corrupt(format!("a layout is not written as it should be: {error}")))?;
    let id = spec.id.clone();
    layout(spec).map_err(|what| Error::Corrupt(format!("layout {id}: {what}")))
}

fn layout(spec: LayoutSpec) -> Result<Layout, String> {
    let (format, line_end) = format(spec.format)?;
    let is_fixed = matches!(format, Format::Fixed { .. });
    let mut records = Vec::new();
    for record_spec in spec.records {
        records.push(record(record_spec, is_fixed, spec.status)?);
    }
    if records.is_empty() {
        return Err("it describes no record".to_owned());
    }
    if records.len() > 1 && records.iter().any(|record| record.code.is_none()) {
        return Err("each of several kinds of record needs a code".to_owned());
    }
    if let Format::Fixed { code: Some(span) } = format {
        for record in &records {
            code_place(record, span)?;
        }
    }
    Ok(Layout {
        id: spec.id,
        title: spec.title,
        sea: spec.sea,
        version: spec.version,
        status: spec.status,
        source: spec.source,
        about: spec.about,
        notes: spec.notes,
        format,
        line_end,
        records,
    })
}

fn format(spec: FormatSpec) -> Result<(Format, LineEnd), String> {
    let line_end = |name: &str| match name {
        "crlf" => Ok(LineEnd::CrLf),
        "lf" => Ok(LineEnd::Lf),
        other => Err(format!("no line end is called {other:?}")),
    };
    Ok(match spec {
        FormatSpec::Fixed { line_end: end, code } => (
            Format::Fixed { code: code.map(|code| Span { start: code.at.saturating_sub(1), length: code.length }) },
            line_end(&end)?,
        ),
        FormatSpec::Delimited { line_end: end, delimiter, header, suppressed } => (
            Format::Delimited {
                delimiter: u8::try_from(delimiter).ok().filter(u8::is_ascii).ok_or("the delimiter is not ASCII")?,
                header,
                suppressed,
            },
            line_end(&end)?,
        ),
    })
}

/// A kind of record must say its own code where the file is told apart by it, or nothing that is written could be read again.
fn code_place(record: &Record, span: Span) -> Result<(), String> {
    let code = record.code.as_deref().unwrap_or_default();
    let is_constant = record
        .fields
        .iter()
        .any(|field| field.span == span && matches!(&field.kind, FieldKind::Constant(constant) if constant == code));
    if is_constant { Ok(()) } else { Err(format!("the record {code:?} does not hold its code where it is looked for")) }
}

/// The fields known so far, by name.
pub(super) type Names = HashMap<String, usize>;

pub(super) fn place(names: &Names, name: &str) -> Result<usize, String> {
    names.get(name).copied().ok_or_else(|| format!("no field is called {name:?}"))
}

fn place_some(names: &Names, name: Option<&String>) -> Result<Option<usize>, String> {
    name.map(|name| place(names, name)).transpose()
}

pub(super) fn places(names: &Names, list: &[String]) -> Result<Vec<usize>, String> {
    list.iter().map(|name| place(names, name)).collect()
}

fn record(spec: RecordSpec, is_fixed: bool, status: Status) -> Result<Record, String> {
    let mut names = Names::new();
    for (index, field) in spec.fields.iter().enumerate() {
        if RESERVED.contains(&field.name.as_str()) {
            return Err(format!("the name {:?} is reserved", field.name));
        }
        if names.insert(field.name.clone(), index).is_some() {
            return Err(format!("two fields are called {:?}", field.name));
        }
    }
    let types = spec.types.map(|types| types_of(types, &names)).transpose()?;
    let mut fields = Vec::new();
    let mut next = 0;
    for field_spec in spec.fields {
        let name = field_spec.name.clone();
        let field =
            field(field_spec, types.as_ref(), is_fixed, next).map_err(|what| format!("field {name}: {what}"))?;
        next = field.span.start + field.span.length;
        fields.push(field);
    }
    let rules = spec.rules.into_iter().map(|rule_spec| rule(rule_spec, &names)).collect::<Result<_, _>>()?;
    let meaning = Meaning {
        person: place_some(&names, spec.person.as_ref())?,
        claimed_birth_date: place_some(&names, spec.claimed_birth_date.as_ref())?,
        reported_on: spec
            .reported_on
            .map(|reported| {
                Ok::<_, String>(match reported {
                    ReportedOnSpec::Field(name) => ReportedOn::Field(place(&names, &name)?),
                    ReportedOnSpec::FirstOfOctober { first_of_october } => {
                        ReportedOn::FirstOfOctober(place(&names, &first_of_october)?)
                    }
                })
            })
            .transpose()?,
        school_year: spec.school_year.iter().map(|year| year_source(year, &names)).collect::<Result<_, _>>()?,
        facts: spec
            .facts
            .into_iter()
            .flat_map(expanded)
            .map(|fact_spec| fact(fact_spec, &names, &fields))
            .collect::<Result<_, _>>()?,
        organization: spec
            .organization
            .as_ref()
            .map(|organization_spec| organization(organization_spec, &names))
            .transpose()?,
    };
    let produce = spec.produce.map(|spec| produce::compile(spec, &names, &fields)).transpose()?;
    if !meaning.facts.is_empty() && meaning.person.is_none() {
        return Err("facts need a person".to_owned());
    }
    Ok(Record {
        name: spec.name.unwrap_or_else(|| "record".to_owned()),
        status: spec.status.unwrap_or(status),
        notes: spec.notes,
        code: spec.code,
        length: if is_fixed { next } else { 0 },
        fields,
        types,
        rules,
        meaning,
        produce,
        by_name: names,
    })
}

fn types_of(spec: TypesSpec, names: &Names) -> Result<Types, String> {
    Ok(Types {
        field: place(names, &spec.field)?,
        values: spec.values.into_iter().map(|[value, name]| (value, name)).collect(),
    })
}

fn year_source(spec: &YearSpec, names: &Names) -> Result<YearSource, String> {
    Ok(match spec {
        YearSpec::Containing { containing } => YearSource::Containing(place(names, containing)?),
        YearSpec::Fall { fall } => YearSource::Fall(place(names, fall)?),
        YearSpec::Text { text } => YearSource::Text(place(names, text)?),
        YearSpec::Session { session } => YearSource::Session(place(names, session)?),
    })
}

fn severity(name: Option<&str>, otherwise: Severity) -> Result<Severity, String> {
    Ok(match name {
        None => otherwise,
        Some("information") => Severity::Information,
        Some("warning") => Severity::Warning,
        Some("error") => Severity::Error,
        Some(other) => return Err(format!("no severity is called {other:?}")),
    })
}

fn field(spec: FieldSpec, types: Option<&Types>, is_fixed: bool, next: usize) -> Result<Field, String> {
    let kind = FieldKind::named(&spec.kind).ok_or_else(|| format!("no type {:?}", spec.kind))?;
    let length = spec.length.unwrap_or_default();
    if is_fixed && length == 0 {
        return Err("a fixed field needs a length".to_owned());
    }
    if is_fixed && spec.at.is_some_and(|at| at != next + 1) {
        return Err(format!("it begins at {} in sequence, not at {:?}", next + 1, spec.at));
    }
    let number = |text: &Option<String>| -> Result<Option<i64>, String> {
        text.as_ref().map(|text| text.parse::<Decimal>().map(|d| d.0).map_err(|e| e.to_string())).transpose()
    };
    if (spec.exact || spec.shape.is_some()) && (kind != FieldKind::Text || length == 0) {
        return Err("only text of a length is exact or has a shape".to_owned());
    }
    let characters = match spec.allowed.as_deref() {
        None => Characters::Any,
        Some(name) => Characters::named(name).ok_or_else(|| format!("no characters {name:?}"))?,
    };
    Ok(Field {
        title: spec.title.unwrap_or_else(|| titled(&spec.name)),
        column: spec.column.unwrap_or_else(|| spec.name.clone()),
        name: spec.name,
        span: Span { start: next, length },
        length,
        kind,
        require: requirements(spec.require.as_deref().unwrap_or("O"), types)?,
        disallowed: severity(spec.disallowed.as_deref(), Severity::Error)?,
        table: spec.table,
        characters,
        is_exact: spec.exact,
        shape: spec.shape,
        min: number(&spec.min)?,
        max: number(&spec.max)?,
        optional_column: spec.optional_column,
        about: spec.about,
    })
}

fn titled(name: &str) -> String {
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// `M`, or one letter for each type: `R:M C:O U:D`.
fn requirements(text: &str, types: Option<&Types>) -> Result<Vec<Requirement>, String> {
    let letter = |letter: &str| match letter {
        "M" => Ok(Requirement::Mandatory),
        "O" => Ok(Requirement::Optional),
        "R" => Ok(Requirement::Recommended),
        "C" => Ok(Requirement::Conditional),
        "D" => Ok(Requirement::Disallowed),
        other => Err(format!("no requirement is lettered {other:?}")),
    };
    let Some(types) = types else {
        return Ok(vec![letter(text)?]);
    };
    if !text.contains(':') {
        return Ok(vec![letter(text)?; types.values.len()]);
    }
    types
        .values
        .iter()
        .map(|(value, _)| {
            text.split_whitespace()
                .find_map(|part| part.split_once(':').filter(|(name, _)| name == value))
                .ok_or_else(|| format!("no requirement for type {value:?}"))
                .and_then(|(_, one)| letter(one))
        })
        .collect()
}

pub(super) fn conditions(specs: Vec<ConditionSpec>, names: &Names) -> Result<Vec<Condition>, String> {
    specs
        .into_iter()
        .map(|spec| {
            let field = place(names, &spec.field)?;
            let asked = [
                spec.is.map(Test::Is),
                spec.not.map(Test::Not),
                spec.blank.map(|blank| if blank { Test::Blank } else { Test::Filled }),
                spec.like.map(Test::Like),
                spec.flag.map(Test::Flag),
                spec.not_flag.map(Test::NotFlag),
                spec.weekend.filter(|weekend| *weekend).map(|_| Test::Weekend),
                spec.since.map(Test::Since),
            ];
            let mut asked = asked.into_iter().flatten();
            let (Some(test), None) = (asked.next(), asked.next()) else {
                return Err(format!("the condition on {:?} asks not one thing", spec.field));
            };
            Ok(Condition { field, test })
        })
        .collect()
}

fn rule(spec: RuleSpec, names: &Names) -> Result<Rule, String> {
    let (kind, name) = match spec {
        RuleSpec::DateOrder { first, then, severity } => {
            let (first, then) = (place(names, &first)?, place(names, &then)?);
            (RuleKind::DateOrder { first, then }, severity)
        }
        RuleSpec::AtMost { field, limit, severity } => {
            let (field, limit) = (place(names, &field)?, place(names, &limit)?);
            (RuleKind::AtMost { field, limit }, severity)
        }
        RuleSpec::RequiredWhen { field, when, because, severity } => {
            let (field, when) = (place(names, &field)?, conditions(when, names)?);
            (RuleKind::RequiredWhen { field, when, because }, severity)
        }
        RuleSpec::BlankUnless { field, when, because, severity } => {
            let (field, when) = (place(names, &field)?, conditions(when, names)?);
            (RuleKind::BlankUnless { field, when, because }, severity)
        }
        RuleSpec::MustEqual { field, other, when, because, severity } => {
            let (field, other) = (place(names, &field)?, place(names, &other)?);
            let when = conditions(when, names)?;
            (RuleKind::MustEqual { field, other, when, because }, severity)
        }
        RuleSpec::MustBegin { field, with, when, because, severity } => {
            let (field, with) = (place(names, &field)?, place(names, &with)?);
            let when = conditions(when, names)?;
            (RuleKind::MustBegin { field, with, when, because }, severity)
        }
        RuleSpec::Refused { field, when, because, severity } => {
            let (field, when) = (place(names, &field)?, conditions(when, names)?);
            (RuleKind::Refused { field, when, because }, severity)
        }
    };
    Ok(Rule { kind, severity: severity(name.as_deref(), Severity::Error)? })
}

/// The field at hand, in a fact that is made for each of several.
const EACH: &str = "each";

/// A fact made for each of several fields, as so many facts.
fn expanded(spec: FactSpec) -> Vec<FactSpec> {
    if spec.for_each.is_empty() {
        return vec![spec];
    }
    spec.for_each
        .iter()
        .map(|field| {
            let mut one = FactSpec { for_each: Vec::new(), ..spec.clone() };
            let name = |name: &mut String| {
                if name == EACH {
                    name.clone_from(field);
                }
            };
            for setting in one.set.values_mut().chain(&mut one.key_parts) {
                match setting {
                    SetSpec::Field(from) | SetSpec::Transform { from: OneOrMany::One(from), .. } => name(from),
                    SetSpec::Transform { from: OneOrMany::Many(from), .. } => from.iter_mut().for_each(name),
                    SetSpec::Constant { .. } => {}
                }
            }
            one.when.push(ConditionSpec { field: field.clone(), blank: Some(false), ..ConditionSpec::default() });
            one
        })
        .collect()
}

fn fact(spec: FactSpec, names: &Names, fields: &[Field]) -> Result<FactRule, String> {
    let domain: Domain = spec.domain.parse()?;
    let known = definition(domain);
    if known.find_kind(&spec.kind).is_none() {
        return Err(format!("{domain} has no fact of kind {:?}", spec.kind));
    }
    let mut set = Vec::new();
    for (name, value) in spec.set {
        let element = known.find_element(&name).ok_or_else(|| format!("{domain} has no element {name:?}"))?;
        let setting = setting(value, names)?;
        check_kind(&setting, element.kind, fields).map_err(|what| format!("{domain}.{name}: {what}"))?;
        set.push((element.name, setting));
    }
    let days = match (spec.day, spec.from, spec.to, spec.whole_year) {
        (Some(day), None, None, false) => Days::Day(place(names, &day)?),
        (Some(day), None, None, true) => Days::DayOrSchoolYear(place(names, &day)?),
        (None, None, None, true) => Days::SchoolYear,
        (None, None, None, false) => Days::Always,
        (None, from, to, false) => Days::Between(place_some(names, from.as_ref())?, place_some(names, to.as_ref())?),
        _ => return Err(format!("the days of {domain}.{} are told twice", spec.kind)),
    };
    let edition = places(names, &spec.edition)?;
    if !edition.iter().filter_map(|place| fields.get(*place)).all(has_order) {
        return Err(format!("the edition of {domain}.{} is not told by days and by small numbers", spec.kind));
    }
    Ok(FactRule {
        domain,
        kind: spec.kind,
        when: conditions(spec.when, names)?,
        lea: place_some(names, spec.lea.as_ref())?,
        facility: place_some(names, spec.facility.as_ref())?,
        days,
        has_year: !spec.any_year,
        certified: place_some(names, spec.certified.as_ref())?,
        expunged: place_some(names, spec.expunged.as_ref())?,
        edition,
        key_parts: spec.key_parts.into_iter().map(|part| setting(part, names)).collect::<Result<_, _>>()?,
        set,
    })
}

/// Whether a field can be part of an edition: whatever it may hold comes in an order.
fn has_order(field: &Field) -> bool {
    let greatest = Edition::NUMBER_MAX * Decimal::SCALE;
    match field.kind {
        FieldKind::Date(_) => true,
        FieldKind::Integer => field.min >= Some(0) && field.max.is_some_and(|max| max <= greatest),
        _ => false,
    }
}

fn setting(spec: SetSpec, names: &Names) -> Result<Setting, String> {
    Ok(match spec {
        SetSpec::Field(name) => Setting::Field(place(names, &name)?),
        SetSpec::Constant { constant } => Setting::Constant(match constant {
            toml::Value::String(text) => Value::Text(text),
            toml::Value::Integer(number) => Value::Integer(number),
            toml::Value::Boolean(flag) => Value::Boolean(flag),
            other => return Err(format!("a constant cannot be {}", other.type_str())),
        }),
        SetSpec::Transform { from, transform: name } => {
            let from = match from {
                OneOrMany::One(name) => vec![name],
                OneOrMany::Many(names) => names,
            };
            let transform = transform::find(&name).ok_or_else(|| format!("no transform {name:?}"))?;
            Setting::Transform(transform, places(names, &from)?)
        }
    })
}

fn check_kind(setting: &Setting, wanted: ValueKind, fields: &[Field]) -> Result<(), String> {
    let given = match setting {
        Setting::Constant(value) if value.is(wanted) => return Ok(()),
        Setting::Constant(_) => None,
        Setting::Transform(transform, _) => Some(transform.kind),
        Setting::Field(index) => fields.get(*index).and_then(|field| field.kind.value_kind()),
    };
    match given {
        Some(kind) if kind == wanted => Ok(()),
        // A whole number fills an element with decimals, and anything written fills a text.
        Some(ValueKind::Integer) if wanted == ValueKind::Decimal => Ok(()),
        Some(ValueKind::Integer | ValueKind::Decimal) if wanted == ValueKind::Text => Ok(()),
        _ => Err(format!("it wants {wanted:?} and gets {given:?}")),
    }
}

fn organization(spec: &OrganizationSpec, names: &Names) -> Result<OrganizationRule, String> {
    Ok(OrganizationRule {
        code: places(names, &spec.code)?,
        name: places(names, &spec.name)?,
        kind: place(names, &spec.kind)?,
        parent: place_some(names, spec.parent.as_ref())?,
        parent_digits: spec.parent_digits,
        town: place_some(names, spec.town.as_ref())?,
        open_date: place_some(names, spec.open_date.as_ref())?,
    })
}
