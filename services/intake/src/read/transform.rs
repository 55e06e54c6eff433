//! Transforms: how the fields of a record become the value of an element when it is not simply the field's own. One function
//! each; a layout names them.

use model::{Decimal, SchoolYear, Value, ValueKind};
use reference::tables::{Edition, Tables};
use sha2::{Digest, Sha256};

use super::value;
use crate::layout::{Field, FieldKind};

/// A transform that layouts can name.
pub struct Transform {
    /// Its name.
    pub name: &'static str,
    /// What it does, for documentation.
    pub about: &'static str,
    /// The kind of value it gives.
    pub kind: ValueKind,
    /// The function.
    pub(super) apply: fn(&[Cell<'_>], &Context<'_>) -> Option<Value>,
}

/// A field of the record at hand.
#[derive(Clone, Copy)]
pub(super) struct Cell<'a> {
    /// Its description.
    pub field: &'a Field,
    /// Its text, without the blanks around it.
    pub text: &'a str,
    /// The edition of its code table.
    pub edition: Option<&'a Edition>,
}

/// What a transform may look at besides its fields.
pub(super) struct Context<'a> {
    /// All code tables.
    pub tables: &'a Tables,
    /// The school year of the record.
    pub year: Option<SchoolYear>,
}

impl Context<'_> {
    fn edition(&self, table: &str) -> Option<&Edition> {
        Some(self.tables.find(table)?.edition(self.year)?.edition())
    }
}

const TRANSFORMS: &[Transform] = &[
    Transform {
        name: "label",
        about: "the label of the code, or the code itself if the table does not know it",
        kind: ValueKind::Text,
        apply: label,
    },
    Transform {
        name: "own_label",
        about: "as label, unless the code names another agency",
        kind: ValueKind::Text,
        apply: |cells, _| label_of(cells.first().filter(|cell| !has_flag(cell, OTHER_AGENCY))?),
    },
    Transform {
        name: "other_agency_label",
        about: "as label, if the code names another agency",
        kind: ValueKind::Text,
        apply: |cells, _| label_of(cells.first().filter(|cell| has_flag(cell, OTHER_AGENCY))?),
    },
    Transform {
        name: "titled",
        about: "the title of each filled field with the label of its code",
        kind: ValueKind::Text,
        apply: |cells, _| {
            let texts = titled(cells);
            (!texts.is_empty()).then(|| value::text(&texts.join("; ")))
        },
    },
    Transform {
        name: "titled_list",
        about: "the title of each filled field with the label of its code",
        kind: ValueKind::TextList,
        apply: |cells, _| Some(titled(cells)).filter(|texts| !texts.is_empty()).map(Value::TextList),
    },
    Transform {
        name: "first_three",
        about: "the first three characters: the district in the code of a site",
        kind: ValueKind::Text,
        apply: |cells, _| one(cells)?.text.get(..3).map(value::text),
    },
    Transform {
        name: "title",
        about: "the title of the field",
        kind: ValueKind::Text,
        apply: |cells, _| Some(value::text(&cells.first()?.field.title)),
    },
    Transform {
        name: "title_of_yes",
        about: "the title of the field if it says yes",
        kind: ValueKind::Text,
        apply: |cells, _| cells.first().filter(|cell| is_yes(cell)).map(|cell| value::text(&cell.field.title)),
    },
    Transform {
        name: "yes",
        about: "whether the code means yes; nothing for a code that the table does not know",
        kind: ValueKind::Boolean,
        apply: yes,
    },
    Transform {
        name: "count",
        about: "the number, without the zeros before it",
        kind: ValueKind::Integer,
        apply: |cells, _| one(cells)?.text.parse().ok().map(Value::Integer),
    },
    Transform {
        name: "number",
        about: "the number, without the zeros before it",
        kind: ValueKind::Decimal,
        apply: |cells, _| number(one(cells)).map(Value::Decimal),
    },
    Transform {
        name: "upper",
        about: "in capitals",
        kind: ValueKind::Text,
        apply: |cells, _| Some(value::text(&one(cells)?.text.to_uppercase())),
    },
    Transform { name: "list", about: "the parts between semicolons", kind: ValueKind::TextList, apply: list },
    Transform {
        name: "titles_of_yes",
        about: "the titles of the fields that say yes",
        kind: ValueKind::TextList,
        apply: titles_of_yes,
    },
    Transform {
        name: "first_or_label",
        about: "the first field, or the label of the second field's code if the first is blank",
        kind: ValueKind::Text,
        apply: first_or_label,
    },
    Transform {
        name: "share",
        about: "the first number as a share of the second",
        kind: ValueKind::Decimal,
        apply: share,
    },
    Transform {
        name: "race_ethnicity",
        about: "the reported roll-up, or: Hispanic of any race, the one race, two or more races",
        kind: ValueKind::Text,
        apply: race_ethnicity,
    },
    Transform {
        name: "race_ethnicity_of_flags",
        about: "Hispanic of any race, the one race, two or more races",
        kind: ValueKind::Text,
        apply: |cells, _| race_ethnicity_of(cells.first()?, cells.get(1..)?),
    },
    Transform {
        name: "subject_area",
        about: "the subject area of a SCED course code (its first two digits)",
        kind: ValueKind::Text,
        apply: subject_area,
    },
    Transform {
        name: "available_credit",
        about: "the available credit in a secondary SCED course code (positions 7 to 10)",
        kind: ValueKind::Decimal,
        apply: available_credit,
    },
    Transform {
        name: "educational_setting",
        about: "the place if it is another or private setting; else the band told; else the band of the share of hours with non-disabled peers",
        kind: ValueKind::Text,
        apply: educational_setting,
    },
    Transform {
        name: "is_section_504",
        about: "whether the plan is one under section 504",
        kind: ValueKind::Boolean,
        apply: is_section_504,
    },
    Transform {
        name: "performance_level",
        about: "the level's name in its test family, or the level as the source writes it",
        kind: ValueKind::Text,
        apply: performance_level,
    },
    Transform {
        name: "performance_level_met",
        about: "whether the level reaches the goal of its test family",
        kind: ValueKind::Boolean,
        apply: performance_level_met,
    },
    Transform {
        name: "contact_key",
        about: "a number made from student, type and name, so that a later report of the same contact replaces it",
        kind: ValueKind::Text,
        apply: contact_key,
    },
];

/// The transform of a name.
pub(crate) fn find(name: &str) -> Option<&'static Transform> {
    TRANSFORMS.iter().find(|transform| transform.name == name)
}

fn one<'c, 'a>(cells: &'c [Cell<'a>]) -> Option<&'c Cell<'a>> {
    cells.first().filter(|cell| !cell.text.is_empty())
}

fn label_of(cell: &Cell<'_>) -> Option<Value> {
    if cell.text.is_empty() {
        return None;
    }
    let label = cell.edition.and_then(|edition| edition.find(cell.text)).map_or(cell.text, |code| code.label.as_str());
    Some(value::text(label))
}

fn label(cells: &[Cell<'_>], _: &Context<'_>) -> Option<Value> {
    label_of(cells.first()?)
}

fn list(cells: &[Cell<'_>], _: &Context<'_>) -> Option<Value> {
    let parts: Vec<String> =
        one(cells)?.text.split(';').map(str::trim).filter(|part| !part.is_empty()).map(value::nfc).collect();
    (!parts.is_empty()).then_some(Value::TextList(parts))
}

fn is_yes(cell: &Cell<'_>) -> bool {
    match &cell.field.kind {
        FieldKind::Boolean(words) => words.yes.iter().any(|word| word == cell.text),
        _ => has_flag(cell, "yes"),
    }
}

/// What a code table says of the codes that name another agency.
const OTHER_AGENCY: &str = "other_agency";

fn has_flag(cell: &Cell<'_>, flag: &str) -> bool {
    let code = cell.edition.and_then(|edition| edition.find(cell.text));
    code.is_some_and(|code| code.flags.iter().any(|found| found == flag))
}

fn yes(cells: &[Cell<'_>], _: &Context<'_>) -> Option<Value> {
    let cell = one(cells)?;
    let told = has_flag(cell, "yes") || has_flag(cell, "no");
    told.then(|| Value::Boolean(has_flag(cell, "yes")))
}

fn titled(cells: &[Cell<'_>]) -> Vec<String> {
    let of = |cell: &Cell<'_>| Some(format!("{}: {}", cell.field.title, label_of(cell)?.to_plain()));
    cells.iter().filter_map(of).collect()
}

fn titles_of_yes(cells: &[Cell<'_>], _: &Context<'_>) -> Option<Value> {
    let titles: Vec<String> = cells.iter().filter(|cell| is_yes(cell)).map(|cell| cell.field.title.clone()).collect();
    (!titles.is_empty()).then_some(Value::TextList(titles))
}

fn first_or_label(cells: &[Cell<'_>], _: &Context<'_>) -> Option<Value> {
    match one(cells) {
        Some(cell) => Some(value::text(cell.text)),
        None => label_of(cells.get(1)?),
    }
}

fn number(cell: Option<&Cell<'_>>) -> Option<Decimal> {
    cell?.text.parse().ok()
}

fn share(cells: &[Cell<'_>], _: &Context<'_>) -> Option<Value> {
    let (part, whole) = (number(cells.first())?, number(cells.get(1))?);
    Decimal::ratio(part.0, whole.0).map(Value::Decimal)
}

fn race_ethnicity(cells: &[Cell<'_>], _: &Context<'_>) -> Option<Value> {
    let (reported, hispanic) = (cells.first()?, cells.get(1)?);
    if !reported.text.is_empty() {
        return Some(value::text(reported.text));
    }
    race_ethnicity_of(hispanic, cells.get(2..)?)
}

fn race_ethnicity_of(hispanic: &Cell<'_>, races: &[Cell<'_>]) -> Option<Value> {
    if is_yes(hispanic) {
        return Some(value::text("Hispanic/Latino of any race"));
    }
    let mut races = races.iter().filter(|cell| is_yes(cell));
    match (races.next(), races.next()) {
        (None, _) => None,
        (Some(race), None) => Some(value::text(&race.field.title)),
        (Some(_), Some(_)) => Some(value::text("Two or more races")),
    }
}

fn subject_area(cells: &[Cell<'_>], context: &Context<'_>) -> Option<Value> {
    let area = one(cells)?.text.get(..2)?;
    let code = context.edition("subject_area")?.find(area)?;
    Some(value::text(&code.label))
}

fn available_credit(cells: &[Cell<'_>], _: &Context<'_>) -> Option<Value> {
    // A course before secondary school has a grade span there, without a point.
    let credit = one(cells)?.text.get(6..10).filter(|credit| credit.contains('.'))?;
    credit.parse().ok().map(Value::Decimal)
}

/// The bands of the state's three-way grouping (TWNDP_3): above 79 per cent, above 40, the rest. The limits are exact, so hours are
/// compared before any rounding.
fn educational_setting(cells: &[Cell<'_>], _: &Context<'_>) -> Option<Value> {
    let (placement, band) = (cells.get(2)?, cells.get(3)?);
    if has_flag(placement, "elsewhere") {
        return label_of(placement);
    }
    if let Some(told) = label_of(band) {
        return Some(told);
    }
    let (part, whole) = (number(cells.first())?, number(cells.get(1))?);
    if whole.0 <= 0 {
        return None;
    }
    let above = |percent: i128| i128::from(part.0) * 100 > i128::from(whole.0) * percent;
    Some(value::text(if above(79) {
        "Regular class"
    } else if above(40) {
        "Resource room"
    } else {
        "Separate class"
    }))
}

fn is_section_504(cells: &[Cell<'_>], _: &Context<'_>) -> Option<Value> {
    let cell = one(cells)?;
    let _known = cell.edition?.find(cell.text)?;
    Some(Value::Boolean(has_flag(cell, "section_504")))
}

fn level_code(cells: &[Cell<'_>]) -> Option<String> {
    let (family, level) = (one(cells)?, cells.get(1)?);
    (!level.text.is_empty()).then(|| format!("{}:{}", family.text, level.text))
}

fn performance_level(cells: &[Cell<'_>], context: &Context<'_>) -> Option<Value> {
    let written = cells.get(2).or_else(|| cells.get(1))?;
    let known =
        level_code(cells).and_then(|code| Some(value::text(&context.edition("performance_level")?.find(&code)?.label)));
    known.or_else(|| (!written.text.is_empty()).then(|| value::text(written.text)))
}

fn performance_level_met(cells: &[Cell<'_>], context: &Context<'_>) -> Option<Value> {
    let code = level_code(cells)?;
    let level = context.edition("performance_level")?.find(&code)?;
    Some(Value::Boolean(level.flags.iter().any(|flag| flag == "met")))
}

/// Sixteen hexadecimal digits: the name alone tells nothing about them, and upper and lower case or double blanks do not change them.
fn contact_key(cells: &[Cell<'_>], _: &Context<'_>) -> Option<Value> {
    let mut hash = Sha256::new();
    for cell in cells {
        let words: Vec<String> = value::nfc(cell.text).split_whitespace().map(str::to_uppercase).collect();
        hash.update(words.join(" ").as_bytes());
        hash.update([0]);
    }
    let digest = hex::encode(hash.finalize());
    digest.get(..16).map(value::text)
}
