//! How a record is made from what is known of a student: the other direction of its facts, with the source's own selection criteria.
//!
//! The fields come from the record's own facts, read backwards. What stands here is only what facts do not say: which rows make a
//! record, which are selected, and the few fields that come from somewhere else.

use std::collections::BTreeMap;

use domains::{definition, find_element};
use model::Element;
use serde::Deserialize;

use super::{
    compile::{Names, conditions, place, places},
    spec::ConditionSpec,
};
use crate::layout::{Condition, Field};

/// As the TOML file writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProduceSpec {
    each: Each,
    #[serde(default)]
    students: Students,
    #[serde(default)]
    together: Vec<String>,
    #[serde(default)]
    select: Vec<SelectSpec>,
    #[serde(default)]
    fill: BTreeMap<String, FillSpec>,
    #[serde(default)]
    replace: Vec<ReplaceSpec>,
    #[serde(default)]
    complete: Vec<Vec<String>>,
    promoted: Option<PromotedSpec>,
    /// Of each field the element that says whether its value is preferred.
    #[serde(default)]
    prefer: BTreeMap<String, String>,
    /// A list that is known to be empty where it is not reported and the other element is.
    #[serde(default)]
    known_empty: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum SelectSpec {
    AnyElement(Vec<String>),
    AnyField(Vec<String>),
    Coded(String),
    After { first: String, then: String },
    BehindFirstOfOctober(String),
    Within(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FillSpec {
    from: Vec<String>,
    first: Option<usize>,
    #[serde(default)]
    day: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplaceSpec {
    field: String,
    when: Vec<ConditionSpec>,
    with: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PromotedSpec {
    code: String,
    blank: Vec<String>,
}

/// What makes one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Each {
    /// A stay at a school.
    Stay,
    /// A district that a student attended in a school year.
    Membership,
    /// A row of the record's domain, or the rows that belong together.
    Row,
}

/// Whose records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Students {
    /// All that anything is known of.
    #[default]
    All,
    /// Those with a stay that overlaps the report's dates, in the school year of the row if it has one.
    Enrolled,
    /// Those with a stay on the report's last day.
    Active,
}

/// A criterion.
#[derive(Debug)]
pub(crate) enum Select {
    /// One of these elements of the row is reported.
    AnyElement(Vec<&'static str>),
    /// One of these fields is filled.
    AnyField(Vec<usize>),
    /// The field bears a code of its table.
    Coded(usize),
    /// Where both days are reported, the second lies behind the first.
    After(&'static str, &'static str),
    /// The day, if reported, lies behind 1 October of the row's school year.
    BehindFirstOfOctober(&'static str),
    /// The first of these days that is reported lies within the report's dates; without one the row's school year overlaps them.
    Within(Vec<&'static str>),
}

/// Where a field comes from that no fact of the record gives.
#[derive(Debug)]
pub(crate) struct Fill {
    pub field: usize,
    /// The first that is reported: of the record's own rows, or of what is known of the student.
    pub from: Vec<&'static Element>,
    /// So many characters of it, from the beginning.
    pub first: Option<usize>,
    /// The day of the month of it.
    pub day: bool,
}

/// A code that the source reports as another.
#[derive(Debug)]
pub(crate) struct Replace {
    pub field: usize,
    /// All must hold.
    pub when: Vec<Condition>,
    pub with: String,
}

/// How a record is made.
#[derive(Debug)]
pub(crate) struct Produce {
    pub each: Each,
    pub students: Students,
    /// Rows with the same values of these belong together; none: each row is a record.
    pub together: Vec<Part>,
    pub select: Vec<Select>,
    pub fill: Vec<Fill>,
    pub replace: Vec<Replace>,
    /// Fields whose value is taken from the last row that says it is preferred, by this element; else from the last row that has one.
    pub prefer: Vec<(usize, &'static str)>,
    /// All of these fields are filled, or all are blank.
    pub complete: Vec<Vec<usize>>,
    /// The field whose codes may say that a student was promoted, and the fields that are then blank.
    pub promoted: Option<(usize, Vec<usize>)>,
    /// A list that is known to be empty where it is not reported and the other element is.
    pub known_empty: Vec<(&'static str, &'static str)>,
}

/// What tells rows apart that belong to different records.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// An element.
    Element(&'static str),
    /// The row's school year.
    SchoolYear,
}

pub(super) fn compile(spec: ProduceSpec, names: &Names, fields: &[Field]) -> Result<Produce, String> {
    // Elements of rows are those of the domains that the record's facts are of: a name that no domain has is a slip.
    let element = |name: &String| {
        model::Domain::ALL
            .into_iter()
            .find_map(|domain| definition(domain).find_element(name))
            .map(|element| element.name)
            .ok_or_else(|| format!("no domain has an element {name:?}"))
    };
    let elements = |names: &[String]| names.iter().map(element).collect::<Result<Vec<_>, _>>();
    let mut select = Vec::new();
    for criterion in spec.select {
        select.push(match criterion {
            SelectSpec::AnyElement(names) => Select::AnyElement(elements(&names)?),
            SelectSpec::AnyField(list) => Select::AnyField(places(names, &list)?),
            SelectSpec::Coded(name) => {
                let field = place(names, &name)?;
                if fields.get(field).is_none_or(|field| field.table.is_none()) {
                    return Err(format!("the field {name:?} has no code table"));
                }
                Select::Coded(field)
            }
            SelectSpec::After { first, then } => Select::After(element(&first)?, element(&then)?),
            SelectSpec::BehindFirstOfOctober(name) => Select::BehindFirstOfOctober(element(&name)?),
            SelectSpec::Within(names) => Select::Within(elements(&names)?),
        });
    }
    let mut fill = Vec::new();
    for (name, spec) in spec.fill {
        let from = spec.from.iter().map(|id| find_element(id).ok_or_else(|| format!("no element is called {id:?}")));
        fill.push(Fill {
            field: place(names, &name)?,
            from: from.collect::<Result<_, _>>()?,
            first: spec.first,
            day: spec.day,
        });
    }
    let part = |name: &String| match name.as_str() {
        "row_school_year" => Ok(Part::SchoolYear),
        _ => element(name).map(Part::Element),
    };
    let replace = spec.replace.into_iter().map(|r| {
        Ok::<_, String>(Replace { field: place(names, &r.field)?, when: conditions(r.when, names)?, with: r.with })
    });
    let prefer = spec.prefer.iter().map(|(field, flag)| Ok::<_, String>((place(names, field)?, element(flag)?)));
    let promoted = spec.promoted.map(|p| Ok::<_, String>((place(names, &p.code)?, places(names, &p.blank)?)));
    Ok(Produce {
        each: spec.each,
        students: spec.students,
        together: spec.together.iter().map(part).collect::<Result<_, _>>()?,
        select,
        fill,
        replace: replace.collect::<Result<_, _>>()?,
        prefer: prefer.collect::<Result<_, _>>()?,
        complete: spec.complete.iter().map(|list| places(names, list)).collect::<Result<_, _>>()?,
        promoted: promoted.transpose()?,
        known_empty: spec
            .known_empty
            .iter()
            .map(|(list, other)| Ok::<_, String>((element(list)?, element(other)?)))
            .collect::<Result<_, _>>()?,
    })
}
