//! Conditions and rules across fields.

use chrono::NaiveDate;

use crate::Severity;

/// A condition on a field.
#[derive(Debug)]
pub struct Condition {
    /// The field.
    pub field: usize,
    /// What must be so.
    pub test: Test,
}

/// What a condition asks of a field's text.
#[derive(Debug)]
pub enum Test {
    /// It is one of these.
    Is(Vec<String>),
    /// It is none of these.
    Not(Vec<String>),
    /// It is blank.
    Blank,
    /// It is not blank.
    Filled,
    /// It has this shape: `#` a digit, `@` a letter, `?` any character, `*` whatever follows, anything else itself.
    Like(String),
    /// Its code bears this flag in the field's code table.
    Flag(String),
    /// Its code does not bear this flag; a code that the table does not know bears none.
    NotFlag(String),
    /// It is a Saturday or a Sunday.
    Weekend,
    /// It is this day or a later one.
    Since(NaiveDate),
}

impl Condition {
    /// In words, for documentation; `title` gives the field's title.
    pub fn words(&self, title: &str) -> String {
        let any_of =
            |values: &[String]| values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ");
        match &self.test {
            Test::Is(values) => format!("{title} is {}", any_of(values)),
            Test::Not(values) => format!("{title} is not {}", any_of(values)),
            Test::Blank => format!("{title} is blank"),
            Test::Filled => format!("{title} is filled"),
            Test::Like(shape) => format!("{title} has the shape `{shape}`"),
            Test::Weekend => format!("{title} is a Saturday or a Sunday"),
            Test::Since(day) => format!("{title} is {day} or later"),
            Test::NotFlag(flag) => {
                format!("the code table does not mark the value of {title} as \"{}\"", flag.replace('_', " "))
            }
            Test::Flag(flag) => {
                format!("the code table marks the value of {title} as \"{}\"", flag.replace('_', " "))
            }
        }
    }
}

/// Whether a text has a shape (see [`Test::Like`]).
pub(crate) fn is_like(text: &str, shape: &str) -> bool {
    let mut rest = text.chars();
    for wanted in shape.chars() {
        if wanted == '*' {
            return true;
        }
        let Some(found) = rest.next() else {
            return false;
        };
        let fits = match wanted {
            '#' => found.is_ascii_digit(),
            '@' => found.is_ascii_alphabetic(),
            '?' => true,
            other => found == other,
        };
        if !fits {
            return false;
        }
    }
    rest.next().is_none()
}

/// A rule across fields.
#[derive(Debug)]
pub struct Rule {
    /// What must hold.
    pub kind: RuleKind,
    /// How bad it is if it does not.
    pub severity: Severity,
}

/// What must hold across fields.
#[derive(Debug)]
pub enum RuleKind {
    /// The second day is not before the first.
    DateOrder {
        /// The first day.
        first: usize,
        /// The second.
        then: usize,
    },
    /// A number is not greater than another.
    AtMost {
        /// The number.
        field: usize,
        /// The other.
        limit: usize,
    },
    /// A field is filled when conditions hold.
    RequiredWhen {
        /// The field.
        field: usize,
        /// All must hold.
        when: Vec<Condition>,
        /// Why, for the message.
        because: String,
    },
    /// A field is blank unless conditions hold.
    BlankUnless {
        /// The field.
        field: usize,
        /// All must hold.
        when: Vec<Condition>,
        /// Why, for the message.
        because: String,
    },
    /// Two fields hold the same.
    MustEqual {
        /// The one.
        field: usize,
        /// The other.
        other: usize,
        /// All must hold for the rule to apply.
        when: Vec<Condition>,
        /// Why, for the message.
        because: String,
    },
    /// A field begins with what another holds.
    MustBegin {
        /// The field.
        field: usize,
        /// The other.
        with: usize,
        /// All must hold for the rule to apply.
        when: Vec<Condition>,
        /// Why, for the message.
        because: String,
    },
    /// The conditions must not all hold.
    Refused {
        /// The field at fault.
        field: usize,
        /// All must hold for the rule to apply.
        when: Vec<Condition>,
        /// Why, for the message.
        because: String,
    },
}

impl RuleKind {
    /// The conditions it depends on.
    pub fn conditions(&self) -> &[Condition] {
        match self {
            Self::DateOrder { .. } | Self::AtMost { .. } => &[],
            Self::RequiredWhen { when, .. }
            | Self::BlankUnless { when, .. }
            | Self::MustEqual { when, .. }
            | Self::MustBegin { when, .. }
            | Self::Refused { when, .. } => when,
        }
    }

    /// The stable code of findings.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DateOrder { .. } => "date.order",
            Self::AtMost { .. } => "number.at_most",
            Self::RequiredWhen { .. } => "field.required_when",
            Self::BlankUnless { .. } => "field.blank_unless",
            Self::MustEqual { .. } => "field.must_equal",
            Self::MustBegin { .. } => "field.must_begin",
            Self::Refused { .. } => "record.refused",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn shapes_compare() {
        fn check(text: &str, shape: &str, expect: bool) {
            assert_eq!(is_like(text, shape), expect, "{text} {shape}");
        }
        check("02052G1.0011", "#####@#.####", true);
        check("02052G0306", "#####@#.##*", false);
        check("02052G1.0011", "#####@#.##*", true);
        check("1", "#?", false);
        check("12", "#", false);
        check("", "*", true);
    }
}
