//! Holds a record against its vocabulary, and joins what that finds with what reading the record found: one finding for one cause.
//!
//! What the exchange needs of a record its reader says, and refuses the record without it. What the standard asks beyond that is a warning: the
//! record is loaded as far as it goes. An element that stands twice where it may stand once is an error: nobody knows which of the two is
//! meant.

use model::SchoolYear;

use super::{
    super::{Foreign, Node, Place, date},
    Holds, Member, Type, Vocabulary,
};
use crate::{Finding, Severity};

/// How much of a record must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All that is mandatory.
    Whole,
    /// What changed, or what names it.
    Part,
}

/// Something that does not fit the vocabulary.
#[derive(Clone, Debug)]
pub(crate) struct Misfit {
    pub finding: Finding,
    /// The element whose absence this is, or explains.
    missing: Option<Missing>,
}

/// An element that is not there.
#[derive(Clone, Debug)]
struct Missing {
    name: String,
    holds: Holds,
    /// The elements around it, the record first.
    around: Vec<String>,
}

/// Rules by which readers say that something is not there.
const ABSENT: [&str; 4] = ["field.required", "student.no_state_id", "student.unresolved", "attendance_code.unresolved"];

/// What is wrong with a record, in one list: what its reader said (`read`), and what does not fit.
pub(crate) fn joined(vocabulary: &Vocabulary, record: Place, read: Vec<Finding>, misfits: &[Misfit]) -> Vec<Finding> {
    if misfits.is_empty() {
        return read;
    }
    // Each of the reader's findings has one cause at most.
    let mut read: Vec<(Finding, bool)> = read.into_iter().map(|finding| (finding, false)).collect();
    let mut open: Vec<&Misfit> = Vec::new();
    for misfit in misfits {
        let own = &misfit.finding;
        let is_same = |other: &Finding| {
            (other.line, other.column) == (own.line, own.column) && (other.field == own.field || other.rule == own.rule)
        };
        match read.iter_mut().find(|(other, _)| is_same(other)) {
            Some((_, is_told)) => *is_told = true,
            None => open.push(misfit),
        }
    }
    let mut more = Vec::new();
    let mut rest: Vec<&Misfit> = Vec::new();
    for misfit in open {
        match read.iter().position(|(other, is_told)| !is_told && misfit.explains(other, vocabulary)) {
            Some(at) if misfit.finding.rule == "field.required" => {
                if let Some((_, is_told)) = read.get_mut(at) {
                    *is_told = true;
                }
            }
            // What stands in its place is the cause.
            Some(at) => more.push(misfit.of(&read.remove(at).0)),
            None => rest.push(misfit),
        }
    }
    // A record goes by the one or the other; the reader names another than the standard's.
    let is_of_record = |other: &Finding| {
        (other.line, other.column) == (record.line, Some(record.column)) && ABSENT.contains(&other.rule.as_str())
    };
    let alone = |misfit: &&&Misfit| misfit.missing.as_ref().is_some_and(|missing| missing.around.len() == 1);
    let only = rest.iter().filter(alone).count() == 1;
    for misfit in rest {
        let at = read.iter().position(|(other, is_told)| !is_told && is_of_record(other));
        match at.filter(|_| only && alone(&&misfit)) {
            Some(at) => more.push(misfit.of(&read.remove(at).0)),
            None => more.push(misfit.finding.clone()),
        }
    }
    let mut all: Vec<Finding> = read.into_iter().map(|(finding, _)| finding).chain(more).collect();
    all.sort_by_key(|finding| (finding.line, finding.column));
    all
}

impl Misfit {
    /// Whether the reader's finding is that what is missing here is not there.
    fn explains(&self, other: &Finding, vocabulary: &Vocabulary) -> bool {
        let Some(missing) = &self.missing else { return false };
        let field = other.field.as_deref().unwrap_or_default();
        let is_it = missing.name == field
            || missing.around.iter().any(|name| name == field)
            || vocabulary.reaches(&missing.holds, field);
        is_it && ABSENT.contains(&other.rule.as_str())
    }

    /// The finding, as bad as what it is the cause of.
    fn of(&self, other: &Finding) -> Finding {
        Finding { severity: self.finding.severity.max(other.severity), ..self.finding.clone() }
    }
}

impl Vocabulary {
    /// What does not fit in a record; nothing, if the vocabulary has no such record. `foreign`: elements of other namespaces in it.
    pub fn check(&self, node: &Node, foreign: &[Foreign], extent: Extent) -> Vec<Misfit> {
        let Some(kind) = self.record(&node.name) else { return Vec::new() };
        let mut check = Check { vocabulary: self, foreign, extent, around: vec![node.name.clone()], found: Vec::new() };
        check.element(node, kind);
        check.found
    }
}

struct Check<'v> {
    vocabulary: &'v Vocabulary,
    foreign: &'v [Foreign],
    extent: Extent,
    around: Vec<String>,
    found: Vec<Misfit>,
}

impl Check<'_> {
    fn note(&mut self, place: Place, field: &str, rule: &str, severity: Severity, message: impl Into<String>) {
        let finding = Finding {
            line: place.line,
            column: Some(place.column),
            field: Some(field.to_owned()),
            rule: rule.to_owned(),
            severity,
            message: message.into(),
        };
        self.found.push(Misfit { finding, missing: None });
    }

    fn element(&mut self, node: &Node, kind: &Type) {
        self.attributes(node, kind);
        match &kind.text {
            Some(holds) => self.value(&node.text, holds, node.place, &node.name),
            None if !node.text.is_empty() => {
                let message = "Text stands where only elements may stand; it is left out.";
                self.note(node.place, &node.name, "text.misplaced", Severity::Warning, message);
            }
            None => {}
        }
        self.strangers(node, kind);
        for child in &node.children {
            if let Some(member) = kind.member(&child.name)
                && !self.is_blank(child)
            {
                self.around.push(child.name.clone());
                self.child(child, member);
                self.around.pop();
            }
        }
        for member in kind.members.iter().filter(|member| !member.is_attribute && !member.repeats) {
            if let Some(second) = node.all(&member.name).filter(|child| !self.is_blank(child)).nth(1) {
                let message =
                    "The element may stand here once and stands here again: nobody knows which of the two is meant.";
                self.note(second.place, &second.name, "element.repeated", Severity::Error, message);
            }
        }
    }

    fn child(&mut self, child: &Node, member: &Member) {
        match self.vocabulary.inside(&member.holds) {
            Some(inner) => self.element(child, inner),
            None if member.holds == Holds::Any => {}
            None if !child.children.is_empty() => {
                let message = "Elements stand where only text may stand; they are left out.";
                self.note(child.place, &child.name, "element.misplaced", Severity::Warning, message);
            }
            None => self.value(&child.text, &member.holds, child.place, &child.name),
        }
    }

    fn attributes(&mut self, node: &Node, kind: &Type) {
        for member in kind.members.iter().filter(|member| member.is_attribute) {
            match node.attribute(&member.name).filter(|text| !text.is_empty()) {
                Some(text) => self.value(text, &member.holds, node.place, &member.name),
                None if member.is_mandatory && self.extent == Extent::Whole => self.missing(node, member),
                None => {}
            }
        }
        for (name, _) in &node.attributes {
            if !kind.members.iter().any(|member| member.is_attribute && member.name == *name) {
                let message = "The standard has no such attribute here; it is left out.";
                self.note(node.place, name, "attribute.unknown", Severity::Warning, message);
            }
        }
    }

    /// What does not belong into an element, and what is not there. One of either kind has one cause: a wrong name.
    fn strangers(&mut self, node: &Node, kind: &Type) {
        // A reference by id says elsewhere what it names.
        let is_whole = self.extent == Extent::Whole && node.attribute("ref").is_none();
        let is_there = |member: &Member| node.all(&member.name).any(|child| !self.is_blank(child));
        let is_due = |member: &&Member| !member.is_attribute && member.is_mandatory && is_whole;
        let mut missing: Vec<&Member> = kind.members.iter().filter(is_due).filter(|member| !is_there(member)).collect();
        let foreign = self.foreign;
        for stranger in foreign.iter().filter(|stranger| stranger.around == node.place) {
            let Some(meant) = kind.member(&stranger.name) else { continue };
            let message = "The element has the name of one of the standard and another namespace; it is left out.";
            self.note(stranger.place, &stranger.name, "element.namespace", Severity::Warning, message);
            missing.retain(|member| member.name != stranger.name);
            self.is_for_lack_of(Some(meant));
        }
        let unknown: Vec<&Node> = node.children.iter().filter(|child| kind.member(&child.name).is_none()).collect();
        for stranger in &unknown {
            let alike = kind.members.iter().find(|member| {
                let is_part = stranger.name.starts_with(&member.name) || member.name.starts_with(&stranger.name);
                !member.is_attribute && is_part && !node.all(&member.name).any(|child| !self.is_blank(child))
            });
            let only = if unknown.len() == 1 && missing.len() == 1 { missing.first().copied() } else { None };
            let meant = only.or(alike);
            missing.retain(|member| meant.is_none_or(|meant| meant.name != member.name));
            let message = meant.map_or_else(
                || "The standard has no such element here; it is left out.".to_owned(),
                |meant| {
                    format!(
                        "The standard has no such element here; {} may be what is meant, and is missing.",
                        meant.name
                    )
                },
            );
            self.note(stranger.place, &stranger.name, "element.unknown", Severity::Warning, message);
            self.is_for_lack_of(meant);
        }
        for member in missing {
            self.missing(node, member);
        }
    }

    /// Whether an element says nothing: senders write them for what they do not know.
    fn is_blank(&self, node: &Node) -> bool {
        let holds_foreign = self.foreign.iter().any(|foreign| foreign.around == node.place);
        let says_nothing = node.text.is_empty() && node.attributes.is_empty() && !holds_foreign;
        says_nothing && node.children.iter().all(|child| self.is_blank(child))
    }

    /// The finding told last is about the absence of this element.
    fn is_for_lack_of(&mut self, member: Option<&Member>) {
        let around = self.around.clone();
        if let (Some(member), Some(last)) = (member, self.found.last_mut()) {
            last.missing = Some(Missing { name: member.name.clone(), holds: member.holds.clone(), around });
        }
    }

    fn missing(&mut self, node: &Node, member: &Member) {
        let message = "The standard requires this, and it is missing or empty.";
        self.note(node.place, &member.name, "field.required", Severity::Warning, message);
        self.is_for_lack_of(Some(member));
    }

    /// Whether a text is what should stand here; never repeats it.
    fn value(&mut self, text: &str, holds: &Holds, place: Place, field: &str) {
        if text.is_empty() {
            return;
        }
        if let Holds::Text(Some(longest)) = holds
            && text.chars().count() > *longest
        {
            let message = format!("The standard allows at most {longest} characters here; all of it is kept.");
            return self.note(place, field, "text.length", Severity::Warning, message);
        }
        if let Some((rule, message)) = self.wrong(text, holds) {
            self.note(place, field, rule, Severity::Warning, message);
        }
    }

    fn wrong(&self, text: &str, holds: &Holds) -> Option<(&'static str, &'static str)> {
        let (is_right, rule, message) = match holds {
            Holds::Date | Holds::DateTime => (
                date(text.split('T').next().filter(|_| *holds == Holds::DateTime).unwrap_or(text)).is_some(),
                "date.invalid",
                "This is no day of the calendar in the form YYYY-MM-DD.",
            ),
            Holds::Time => (is_time(text), "time.invalid", "This is no time in the form HH:MM:SS."),
            Holds::Boolean => (
                ["true", "false", "1", "0"].contains(&text),
                "boolean.invalid",
                "This field holds true or false and nothing else.",
            ),
            Holds::Integer => (text.parse::<i64>().is_ok(), "number.invalid", "This field holds a whole number."),
            Holds::Decimal => (is_decimal(text), "number.invalid", "This field holds a number."),
            Holds::Year => (text.len() == 4 && is_digits(text), "year.invalid", "This is no year of four digits."),
            Holds::SchoolYear => (
                text.parse::<SchoolYear>().is_ok(),
                "school_year.invalid",
                "A school year reads 2014-2015, the second year following the first.",
            ),
            Holds::Guid => (
                text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "guid.invalid",
                "An identifier has 32 hexadecimal digits.",
            ),
            Holds::Code(list) => (
                self.vocabulary
                    .lists
                    .get(list)
                    .is_none_or(|codes| codes.contains(text) || codes.contains(&token(text))),
                "code.unknown",
                "The standard's list has no such value; it is kept as it is.",
            ),
            Holds::Descriptor(name) => (
                !is_of_another(text, name),
                "code.other_list",
                "The value is of another descriptor than the one that stands here; it is kept as it is.",
            ),
            Holds::Text(_) | Holds::Of(_) | Holds::Any => return None,
        };
        (!is_right).then_some((rule, message))
    }
}

/// A text as schemas compare codes: a line end in one is as good as a blank.
fn token(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_time(text: &str) -> bool {
    text.get(..8).unwrap_or(text).parse::<chrono::NaiveTime>().is_ok()
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    is_digits(whole) && is_digits(part) && !(whole.is_empty() && part.is_empty())
}

/// Whether a value is written as one of another descriptor (`uri://ed-fi.org/SexDescriptor#Female` as a grade).
fn is_of_another(text: &str, name: &str) -> bool {
    let said = text.strip_prefix("uri://").and_then(|rest| rest.split_once('#')).map(|(list, _)| list);
    said.and_then(|list| list.rsplit('/').next()).is_some_and(|said| said.ends_with("Descriptor") && said != name)
}
