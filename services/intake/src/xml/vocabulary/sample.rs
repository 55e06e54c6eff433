//! Records made from a vocabulary, every element filled once, and the same records wrong in one place: what a test needs to hold a reader to
//! each element of each record, without a list of them.

use std::fmt::Write as _;

use super::{Holds, Member, Type, Vocabulary};

/// Elements inside one another; what would stand deeper is left out where it may be.
const DEPTH_MAX: usize = 10;

/// The value of an element or attribute, by its name and the record it stands in; `None`: any that fits.
pub(crate) type Words = fn(record: &str, name: &str) -> Option<String>;

/// An element of a sample.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
    pub children: Vec<Sample>,
    /// How it stands in what is around it; `None`: it is the record.
    pub stands: Option<Stands>,
    /// Whether it may name what it means by the id of another record.
    pub is_reference: bool,
}

/// How an element stands in what is around it.
#[derive(Clone, Debug)]
pub(crate) struct Stands {
    pub is_mandatory: bool,
    pub repeats: bool,
    pub holds: Holds,
}

/// One wrong thing, with the rules of which one says so.
pub(crate) struct Defect {
    pub what: String,
    pub record: Sample,
    pub rules: &'static [&'static str],
    /// Whether it is no defect by the vocabulary alone: then it may go unsaid.
    pub may_be_right: bool,
}

/// A record of this name, with all that may stand in it.
pub(crate) fn record(vocabulary: &Vocabulary, name: &str, words: Words) -> Sample {
    let kind = vocabulary.record(name).unwrap_or_else(|| panic!("no record {name}"));
    let mut sample = element(vocabulary, kind, name, (name, words), 0);
    sample.name = name.to_owned();
    sample
}

fn element(vocabulary: &Vocabulary, kind: &Type, name: &str, (of, words): (&str, Words), depth: usize) -> Sample {
    let mut made = Sample {
        name: name.to_owned(),
        attributes: Vec::new(),
        text: String::new(),
        children: Vec::new(),
        stands: None,
        is_reference: kind.members.iter().any(|member| member.is_attribute && member.name == "ref"),
    };
    for member in &kind.members {
        let value = || words(of, &member.name).unwrap_or_else(|| value(vocabulary, &member.name, &member.holds));
        if member.is_attribute {
            if member.name != "id" && member.name != "ref" {
                made.attributes.push((member.name.clone(), value()));
            }
            continue;
        }
        // A look-up is another way to say what an identity says.
        if member.name.ends_with("Lookup") || (depth >= DEPTH_MAX && !member.is_mandatory) {
            continue;
        }
        let mut child = match vocabulary.inside(&member.holds) {
            Some(inner) => element(vocabulary, inner, &member.name, (of, words), depth + 1),
            None => Sample {
                name: member.name.clone(),
                attributes: Vec::new(),
                text: value(),
                children: Vec::new(),
                stands: None,
                is_reference: false,
            },
        };
        child.stands = Some(stands(member));
        if !child.text.is_empty() || !child.children.is_empty() || !child.attributes.is_empty() {
            made.children.push(child);
        }
    }
    if let Some(holds) = kind.text.as_ref().filter(|_| made.children.is_empty()) {
        made.text = words(of, name).unwrap_or_else(|| value(vocabulary, name, holds));
    }
    made
}

fn stands(member: &Member) -> Stands {
    Stands { is_mandatory: member.is_mandatory, repeats: member.repeats, holds: member.holds.clone() }
}

fn value(vocabulary: &Vocabulary, name: &str, holds: &Holds) -> String {
    let is_late = ["End", "Exit", "Last", "Withdraw"].iter().any(|word| name.contains(word));
    let day = if is_late { "2014-03-10" } else { "2013-10-01" };
    match holds {
        Holds::Text(_) if name.ends_with("Date") => day.to_owned(),
        Holds::Text(longest) => name.chars().take(longest.unwrap_or(60)).collect(),
        Holds::Date | Holds::DateTime => day.to_owned(),
        Holds::Time => "08:00:00".to_owned(),
        Holds::Boolean => "true".to_owned(),
        Holds::Integer => "1".to_owned(),
        Holds::Decimal => "1.5".to_owned(),
        Holds::Year => "2014".to_owned(),
        Holds::SchoolYear => "2013-2014".to_owned(),
        Holds::Guid => "0".repeat(32),
        Holds::Code(list) => {
            vocabulary.lists.get(list).and_then(|codes| codes.iter().min().cloned()).unwrap_or_default()
        }
        Holds::Descriptor(name) => format!("uri://ed-fi.org/{name}#Something"),
        Holds::Of(_) | Holds::Any => name.to_owned(),
    }
}

impl Sample {
    /// The record as XML, an element a line.
    pub fn print(&self, out: &mut String) {
        let mut head = self.name.clone();
        for (name, value) in &self.attributes {
            let _ = write!(head, " {name}=\"{value}\"");
        }
        let end = self.name.split(' ').next().unwrap_or_default();
        if self.children.is_empty() {
            let _ = writeln!(out, "<{head}>{}</{end}>", self.text.replace('&', "&amp;").replace('<', "&lt;"));
            return;
        }
        let _ = writeln!(out, "<{head}>");
        self.children.iter().for_each(|child| child.print(out));
        let _ = writeln!(out, "</{end}>");
    }

    /// The first element of this name, the record itself among them.
    pub fn find(&self, name: &str) -> Option<&Self> {
        if self.name == name { Some(self) } else { self.children.iter().find_map(|child| child.find(name)) }
    }

    /// Gives every element of these names another text, where it has this one.
    pub fn set(&mut self, names: &[&str], before: &str, text: &str) {
        if names.contains(&self.name.as_str()) && self.text == before {
            text.clone_into(&mut self.text);
        }
        self.children.iter_mut().for_each(|child| child.set(names, before, text));
    }

    /// The record with each kind of defect, one place at a time.
    pub fn defects(&self) -> Vec<Defect> {
        let mut paths = Vec::new();
        self.paths(&mut Vec::new(), &mut paths);
        paths.iter().flat_map(|path| self.defects_at(path)).collect()
    }

    fn paths(&self, here: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
        found.push(here.clone());
        for (at, child) in self.children.iter().enumerate() {
            here.push(at);
            child.paths(here, found);
            here.pop();
        }
    }

    fn at(&self, path: &[usize]) -> &Self {
        path.iter().fold(self, |sample, at| &sample.children[*at])
    }

    /// The record with one element changed, or taken out.
    fn changed(&self, path: &[usize], change: &dyn Fn(&mut Vec<Self>, usize)) -> Self {
        let mut copy = self.clone();
        let (last, above) = path.split_last().expect("the record itself is not changed so");
        let around = above.iter().fold(&mut copy, |sample, at| &mut sample.children[*at]);
        change(&mut around.children, *last);
        copy
    }

    fn defects_at(&self, path: &[usize]) -> Vec<Defect> {
        const ABSENT: &[&str] =
            &["field.required", "student.no_state_id", "student.unresolved", "attendance_code.unresolved"];
        let sample = self.at(path);
        let mut found = Vec::new();
        let mut add = |what: &str, rules, may_be_right, record| {
            found.push(Defect { what: format!("{what}: {}", self.name_of(path)), record, rules, may_be_right });
        };
        if !sample.children.is_empty() {
            let mut record = self.clone();
            let at = path.iter().fold(&mut record, |sample, at| &mut sample.children[*at]);
            at.children.push(Sample { name: "NotOfTheStandard".to_owned(), text: "x".to_owned(), ..leaf() });
            add("an unknown element", &["element.unknown"], false, record);
        }
        let Some(stands) = &sample.stands else { return found };
        let text = |text: &str| self.changed(path, &|around, at| text.clone_into(&mut around[at].text));
        // What is empty now says nothing, and may be left out itself.
        let around = self.at(path.split_last().map_or(&[], |(_, above)| above));
        let leaves_blank =
            around.children.len() == 1 && around.stands.as_ref().is_some_and(|stands| !stands.is_mandatory);
        add(
            "missing",
            ABSENT,
            !stands.is_mandatory || leaves_blank,
            self.changed(path, &|around, at| drop(around.remove(at))),
        );
        if !stands.repeats {
            let record = self.changed(path, &|around, at| around.insert(at + 1, around[at].clone()));
            add("twice", &["element.repeated"], false, record);
        }
        let record = self.changed(path, &|around, at| around[at].name.push_str("New"));
        add("renamed", &["element.unknown"], false, record);
        let record = self.changed(path, &|around, at| around[at].name.push_str(" xmlns=\"urn:another\""));
        add("of another namespace", &["element.namespace"], false, record);
        if sample.is_reference {
            let nowhere = self.changed(path, &|around, at| {
                around[at].children.clear();
                around[at].attributes = vec![("ref".to_owned(), "NOWHERE".to_owned())];
            });
            add("a reference that leads nowhere", &["reference.unresolved", "field.required"], false, nowhere);
        }
        match &stands.holds {
            Holds::Date | Holds::DateTime => {
                add("letters for a date", &["date.invalid", "date.partial"], false, text("spring"));
                add("no day of the calendar", &["date.invalid"], false, text("2014-02-30"));
            }
            Holds::Time => add("letters for a time", &["time.invalid"], false, text("noon")),
            Holds::Boolean => add("neither true nor false", &["boolean.invalid"], false, text("maybe")),
            Holds::Integer | Holds::Decimal => add("letters for a number", &["number.invalid"], false, text("many")),
            Holds::Year => add("letters for a year", &["year.invalid"], false, text("last")),
            Holds::SchoolYear => add("no school year", &["school_year.invalid"], false, text("2013-2015")),
            Holds::Guid => add("no identifier", &["guid.invalid"], false, text("123")),
            Holds::Text(Some(longest)) => add("too long", &["text.length"], false, text(&"x".repeat(longest + 1))),
            Holds::Code(_) => add("an unknown code", &["code.unknown"], false, text("No such code")),
            Holds::Descriptor(_) => {
                add(
                    "another descriptor",
                    &["code.other_list"],
                    false,
                    text("uri://ed-fi.org/AnotherDescriptor#Something"),
                );
            }
            Holds::Text(None) | Holds::Of(_) | Holds::Any => {}
        }
        found
    }

    fn name_of(&self, path: &[usize]) -> String {
        let mut names = vec![self.name.as_str()];
        let mut at = self;
        for step in path {
            at = &at.children[*step];
            names.push(&at.name);
        }
        names.join("/")
    }
}

fn leaf() -> Sample {
    Sample {
        name: String::new(),
        attributes: Vec::new(),
        text: String::new(),
        children: Vec::new(),
        stands: None,
        is_reference: false,
    }
}

/// A file of clean records and wrong ones between them.
pub(crate) struct Seeded {
    pub file: String,
    /// The first line of each clean copy, and of what follows it.
    pub clean: Vec<(u32, u32)>,
    /// Each defect with its lines.
    pub defects: Vec<(Defect, (u32, u32))>,
}

/// Writes the file: `head`, which holds what the records refer to, then the records.
pub(crate) fn seeded(head: &str, tail: &str, record: &Sample, number: &dyn Fn(&mut Sample, usize)) -> Seeded {
    seeded_with(head, tail, record, record.defects(), number)
}

/// The same with these defects.
pub(crate) fn seeded_with(
    head: &str,
    tail: &str,
    record: &Sample,
    defects: Vec<Defect>,
    number: &dyn Fn(&mut Sample, usize),
) -> Seeded {
    let mut made = Seeded { file: head.to_owned(), clean: Vec::new(), defects: Vec::new() };
    let mut line = made.file.matches('\n').count() as u32 + 1;
    let mut add = |file: &mut String, record: &Sample| {
        let mut text = String::new();
        record.print(&mut text);
        file.push_str(&text);
        let from = line;
        line += text.matches('\n').count() as u32;
        (from, line)
    };
    made.clean.push(add(&mut made.file, record));
    for (at, mut defect) in defects.into_iter().enumerate() {
        number(&mut defect.record, at);
        let lines = add(&mut made.file, &defect.record);
        made.defects.push((defect, lines));
        if at % 16 == 15 {
            made.clean.push(add(&mut made.file, record));
        }
    }
    made.clean.push(add(&mut made.file, record));
    made.file.push_str(tail);
    made
}
