//! An object of SIF as data: its elements in their order, what each holds, and where the census has it. One description
//! reads, writes, checks and documents the object.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::{layout::Status, xml::vocabulary::Vocabulary};

/// What an element or attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Holds {
    /// Other elements.
    Elements,
    /// An identifier of 32 hexadecimal digits.
    Guid,
    /// Text.
    Text,
    /// A day.
    Date,
    /// A whole number that is not negative.
    Integer,
    /// A code of a table.
    Code,
    /// Always the same.
    Constant,
    /// Whatever the sender puts there.
    Any,
}

/// How often an element occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Occurs {
    /// It must be there when what surrounds it is there.
    pub is_mandatory: bool,
    /// It may be there several times.
    pub repeats: bool,
}

/// An element or attribute.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Its name; that of an attribute without `@`.
    pub name: String,
    /// Its path within the object, as the page of the layout names it.
    pub path: String,
    /// As the source letters it: M, O, C, MR.
    pub flag: String,
    pub occurs: Occurs,
    pub holds: Holds,
    pub table: Option<String>,
    pub constant: Option<String>,
    pub census: Option<String>,
    pub about: String,
    pub attributes: Vec<Self>,
    pub children: Vec<Self>,
}

impl Shape {
    fn group(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            path: String::new(),
            flag: "M".to_owned(),
            occurs: Occurs { is_mandatory: true, repeats: false },
            holds: Holds::Elements,
            table: None,
            constant: None,
            census: None,
            about: String::new(),
            attributes: Vec::new(),
            children: Vec::new(),
        }
    }

    /// The child of this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Itself and all below it, in the order of the description.
    pub fn walk<'s>(&'s self, visit: &mut dyn FnMut(&'s Self)) {
        visit(self);
        self.attributes.iter().chain(&self.children).for_each(|part| part.walk(visit));
    }
}

/// A described object.
#[derive(Debug)]
pub(crate) struct ObjectLayout {
    pub id: String,
    pub title: String,
    pub version: String,
    pub status: Status,
    pub source: String,
    pub about: String,
    pub notes: Vec<String>,
    /// The object.
    pub object: Shape,
    /// What stands around objects in a message.
    pub head: Shape,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ObjectFile {
    id: String,
    title: String,
    object: String,
    version: String,
    status: Status,
    source: String,
    about: String,
    notes: Vec<String>,
    head: Vec<ElementLine>,
    elements: Vec<ElementLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ElementLine {
    path: String,
    flag: String,
    #[serde(rename = "type")]
    holds: Option<Holds>,
    table: Option<String>,
    constant: Option<String>,
    census: Option<String>,
    #[serde(default)]
    about: String,
}

impl ObjectLayout {
    fn from_toml(text: &str) -> Result<Self, String> {
        let file: ObjectFile = toml::from_str(text).map_err(|error| error.to_string())?;
        Ok(Self {
            object: assemble(&file.object, file.elements)?,
            head: assemble("head", file.head)?,
            id: file.id,
            title: file.title,
            version: file.version,
            status: file.status,
            source: file.source,
            about: file.about,
            notes: file.notes,
        })
    }
}

fn assemble(name: &str, lines: Vec<ElementLine>) -> Result<Shape, String> {
    let mut root = Shape::group(name);
    for line in lines {
        let (is_mandatory, repeats) = match line.flag.as_str() {
            "M" => (true, false),
            "O" | "C" => (false, false),
            "MR" => (true, true),
            "OR" => (false, true),
            other => return Err(format!("{}: no flag is {other:?}", line.path)),
        };
        let mut place = &mut root;
        let (above, last) = line.path.rsplit_once('/').unwrap_or(("", &line.path));
        for part in above.split('/').filter(|part| !part.is_empty()) {
            place = place
                .children
                .iter_mut()
                .find(|child| child.name == part)
                .ok_or_else(|| format!("{}: what it stands in is not described before it", line.path))?;
        }
        let attribute = last.strip_prefix('@');
        let shape = Shape {
            name: attribute.unwrap_or(last).to_owned(),
            path: line.path.clone(),
            flag: line.flag,
            occurs: Occurs { is_mandatory, repeats },
            holds: line.holds.unwrap_or(Holds::Elements),
            table: line.table,
            constant: line.constant,
            census: line.census,
            about: line.about,
            attributes: Vec::new(),
            children: Vec::new(),
        };
        if (shape.holds == Holds::Code) != shape.table.is_some()
            || (shape.holds == Holds::Constant) != shape.constant.is_some()
        {
            return Err(format!("{}: a code needs a table, a constant its text", line.path));
        }
        if attribute.is_some() { place.attributes.push(shape) } else { place.children.push(shape) }
    }
    Ok(root)
}

/// The StudentContact of SIF 2.7.
pub(crate) static STUDENT_CONTACT: LazyLock<ObjectLayout> = LazyLock::new(|| {
    // Cannot fail: the description is part of the program, and a test reads it.
    #[expect(clippy::panic, reason = "a description of our own that cannot be read is a defect of the program")]
    ObjectLayout::from_toml(include_str!("../../layouts/sif/objects/student-contact-2.7.toml"))
        .unwrap_or_else(|error| panic!("{error}"))
});

/// What the other objects may say, by the published definitions of SIF 2.0 to 2.6.
pub(crate) static OBJECTS: LazyLock<Vocabulary> = LazyLock::new(|| {
    // Cannot fail: the vocabulary is part of the program, and a test reads it.
    #[expect(clippy::panic, reason = "a vocabulary of our own that cannot be read is a defect of the program")]
    Vocabulary::read(include_str!("../../layouts/sif/objects/sif-2.vocabulary"))
        .unwrap_or_else(|error| panic!("{error}"))
});

#[cfg(test)]
mod tests {
    use reference::tables::Tables;

    use super::*;

    #[test]
    fn every_code_has_its_table() {
        let tables = Tables::builtin("sif").expect("SIF has tables");
        let mut paths = 0;
        for root in [&STUDENT_CONTACT.object, &STUDENT_CONTACT.head] {
            root.walk(&mut |shape| {
                paths += 1;
                assert!(shape.table.as_ref().is_none_or(|table| tables.find(table).is_some()), "{}", shape.path);
            });
        }
        assert!(paths > 100, "{paths}");
    }
}
