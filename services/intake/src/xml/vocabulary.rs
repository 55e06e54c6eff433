//! What a version of an XML standard may say: which elements stand where, how often, and what they hold. It is data (`*.vocabulary` in
//! `layouts`, made by `deploy/xml-vocabulary` from the published schemas); one check serves every record of every standard.

mod check;
#[cfg(test)]
pub(crate) mod sample;

use std::collections::{BTreeMap, HashMap, HashSet};

pub(crate) use self::check::{Extent, Misfit, joined};

/// What an element or attribute holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Text of at most so many characters, if there is a limit.
    Text(Option<usize>),
    Date,
    /// An instant, or a day.
    DateTime,
    Time,
    Boolean,
    Integer,
    Decimal,
    Year,
    SchoolYear,
    /// An identifier of 32 hexadecimal digits.
    Guid,
    /// A code of a closed list.
    Code(String),
    /// A value of a descriptor of this name, which districts may extend.
    Descriptor(String),
    /// Other elements.
    Of(usize),
    /// Versions differ: nothing is checked.
    Any,
}

/// An element or attribute that may stand in another.
#[derive(Debug)]
pub(crate) struct Member {
    pub name: String,
    pub is_attribute: bool,
    pub is_mandatory: bool,
    pub repeats: bool,
    pub holds: Holds,
}

impl Member {
    /// As pages letter it: M or O, and R if it may repeat.
    fn flag(&self) -> String {
        format!("{}{}", if self.is_mandatory { "M" } else { "O" }, if self.repeats { "R" } else { "" })
    }
}

/// What may stand in an element.
#[derive(Debug)]
pub(crate) struct Type {
    name: String,
    pub members: Vec<Member>,
    /// What its own text is, if it has any.
    pub text: Option<Holds>,
}

impl Type {
    /// The element of this name in it.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| !member.is_attribute && member.name == name)
    }
}

/// What a version of a standard may say.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    types: Vec<Type>,
    by_name: HashMap<String, usize>,
    lists: HashMap<String, HashSet<String>>,
}

impl Vocabulary {
    /// Reads a vocabulary. `Err`: what cannot be read in it.
    pub fn read(text: &str) -> Result<Self, String> {
        let heads = text.lines().filter_map(|line| line.strip_prefix("= "));
        let by_name: HashMap<String, usize> = heads.enumerate().map(|(at, name)| (name.to_owned(), at)).collect();
        let mut types: Vec<Type> = Vec::with_capacity(by_name.len());
        let mut lists: HashMap<String, HashSet<String>> = HashMap::new();
        let mut list = None;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let broken = || format!("{line:?} says nothing");
            match line.split_at_checked(1).ok_or_else(broken)? {
                ("=", name) => types.push(Type { name: name.trim().to_owned(), members: Vec::new(), text: None }),
                ("?", name) => list = Some(lists.entry(name.trim().to_owned()).or_default()),
                (":", value) => {
                    list.as_mut().ok_or_else(broken)?.insert(value.to_owned());
                }
                _ => {
                    let at = types.last_mut().ok_or_else(broken)?;
                    let mut words = line.splitn(3, ' ');
                    let (flag, name, holds) = (words.next(), words.next(), words.next());
                    let (Some(flag), Some(name), Some(holds)) = (flag, name, holds) else { return Err(broken()) };
                    let holds = self::holds(holds, &by_name).ok_or_else(broken)?;
                    if name == "." {
                        at.text = Some(holds);
                        continue;
                    }
                    at.members.push(Member {
                        name: name.trim_start_matches('@').to_owned(),
                        is_attribute: name.starts_with('@'),
                        is_mandatory: flag.starts_with('M'),
                        repeats: flag.ends_with('R'),
                        holds,
                    });
                }
            }
        }
        Ok(Self { types, by_name, lists })
    }

    /// The type of records of this name.
    pub fn record(&self, name: &str) -> Option<&Type> {
        self.by_name.get(name).and_then(|at| self.types.get(*at))
    }

    /// What may stand in an element that holds others.
    pub fn inside(&self, holds: &Holds) -> Option<&Type> {
        match holds {
            Holds::Of(at) => self.types.get(*at),
            _ => None,
        }
    }

    /// Whether an element or attribute of this name stands somewhere in what a member holds.
    fn reaches(&self, holds: &Holds, name: &str) -> bool {
        let Holds::Of(first) = holds else { return false };
        let (mut seen, mut open) = (HashSet::from([*first]), vec![*first]);
        while let Some(members) = open.pop().and_then(|at| self.types.get(at)).map(|kind| &kind.members) {
            for member in members {
                if member.name == name {
                    return true;
                }
                if let Holds::Of(at) = member.holds
                    && seen.insert(at)
                {
                    open.push(at);
                }
            }
        }
        false
    }

    /// The records as a page: what each may say, and below it the parts it is made of.
    pub fn page(&self, records: &[&str]) -> String {
        let mut page = "\nWhat each may say (M mandatory, O optional, R may repeat, @ an attribute):\n".to_owned();
        let mut order: Vec<usize> = records.iter().filter_map(|name| self.by_name.get(*name).copied()).collect();
        let mut at = 0;
        let mut lists = BTreeMap::new();
        while let Some(kind) = order.get(at).and_then(|at| self.types.get(*at)) {
            page.extend(["\n", &kind.name, "\n"]);
            for member in &kind.members {
                let sign = if member.is_attribute { "@" } else { "" };
                page.extend(["  ", &member.flag(), " ", sign, &member.name, ": ", &self.words(&member.holds), "\n"]);
                match &member.holds {
                    Holds::Of(part) if !order.contains(part) => order.push(*part),
                    Holds::Code(list) => {
                        lists.insert(list.as_str(), self.lists.get(list));
                    }
                    _ => {}
                }
            }
            at += 1;
        }
        for (name, codes) in lists {
            let mut codes: Vec<&str> = codes.into_iter().flatten().map(String::as_str).collect();
            codes.sort_unstable();
            page.extend(["\n", name, ": ", &codes.join(" | "), "\n"]);
        }
        page
    }

    fn words(&self, holds: &Holds) -> String {
        match holds {
            Holds::Text(None) => "text".to_owned(),
            Holds::Text(Some(longest)) => format!("text of at most {longest} characters"),
            Holds::Date => "date YYYY-MM-DD".to_owned(),
            Holds::DateTime => "date and time, or date".to_owned(),
            Holds::Time => "time HH:MM:SS".to_owned(),
            Holds::Boolean => "true or false".to_owned(),
            Holds::Integer => "whole number".to_owned(),
            Holds::Decimal => "number".to_owned(),
            Holds::Year => "year YYYY".to_owned(),
            Holds::SchoolYear => "school year such as 2014-2015".to_owned(),
            Holds::Guid => "32 hexadecimal digits".to_owned(),
            Holds::Code(list) => format!("one of {list}"),
            Holds::Descriptor(name) => format!("value of {name}"),
            Holds::Of(at) => self.types.get(*at).map(|kind| kind.name.clone()).unwrap_or_default(),
            Holds::Any => "not checked: versions differ".to_owned(),
        }
    }
}

fn holds(text: &str, types: &HashMap<String, usize>) -> Option<Holds> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    Some(match word {
        "text" if rest.is_empty() => Holds::Text(None),
        "text" => Holds::Text(Some(rest.parse().ok()?)),
        "date" => Holds::Date,
        "datetime" => Holds::DateTime,
        "time" => Holds::Time,
        "boolean" => Holds::Boolean,
        "integer" => Holds::Integer,
        "decimal" => Holds::Decimal,
        "year" => Holds::Year,
        "schoolyear" => Holds::SchoolYear,
        "guid" => Holds::Guid,
        "code" => Holds::Code(rest.to_owned()),
        "descriptor" => Holds::Descriptor(rest.to_owned()),
        "of" => Holds::Of(*types.get(rest)?),
        "any" => Holds::Any,
        _ => return None,
    })
}
