//! Two people under one state identifier.

use std::collections::HashMap;

use chrono::NaiveDate;
use model::{Masked, SourcePersonId};
use sqlx::PgConnection;

use crate::{
    jaro::jaro_winkler,
    nickname::{Nicknames, related},
    store::persons as store,
};

/// What a record says of who a person is. A blank name says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Said {
    /// The first name.
    pub first_name: Option<Masked<String>>,
    /// The last name.
    pub last_name: Option<Masked<String>>,
    /// The birth date.
    pub birth_date: Option<Masked<NaiveDate>>,
}

/// Below this likeness (Jaro-Winkler, 0 to 1) two names are no spellings of each other.
const LIKENESS_MIN: f64 = 0.75;
/// From this number of differing digits on two birth dates are no slip of the pen.
const DIGITS_MIN: usize = 3;

/// What of two records about one identifier differs so clearly that they are about two people: at least two of first name, last name and
/// birth date (a marriage, a nickname, a typing error change one). Empty: they may be one.
///
/// Deliberately blind to twins, who share all but the first name: a finding on each nickname would teach clerks to overlook findings.
pub fn clear_differences(a: &Said, b: &Said) -> Vec<&'static str> {
    let names = |a: &Option<Masked<String>>, b: &Option<Masked<String>>| {
        let (Some(a), Some(b)) = (a, b) else { return false };
        are_different_names(a.expose(), b.expose())
    };
    let birth_dates = |a: &Option<Masked<NaiveDate>>, b: &Option<Masked<NaiveDate>>| {
        let (Some(a), Some(b)) = (a, b) else { return false };
        are_different_days(*a.expose(), *b.expose())
    };
    let mut differ = Vec::new();
    differ.extend(names(&a.first_name, &b.first_name).then_some("first_name"));
    differ.extend(names(&a.last_name, &b.last_name).then_some("last_name"));
    differ.extend(birth_dates(&a.birth_date, &b.birth_date).then_some("birth_date"));
    if differ.len() < 2 { Vec::new() } else { differ }
}

fn words(name: &str) -> Vec<String> {
    let letters = name.to_uppercase().replace(['-', '\'', '.'], " ");
    letters.split_whitespace().map(str::to_owned).collect()
}

fn are_different_names(a: &str, b: &str) -> bool {
    let nicknames = Nicknames::new();
    let (a, b) = (words(a), words(b));
    if a.is_empty() || b.is_empty() {
        return false;
    }
    let alike = |a: &String, b: &String| {
        a.starts_with(b.as_str())
            || b.starts_with(a.as_str())
            || jaro_winkler(a, b) >= LIKENESS_MIN
            || related(&nicknames.roots(a), &nicknames.roots(b))
    };
    !a.iter().any(|a| b.iter().any(|b| alike(a, b)))
}

fn are_different_days(a: NaiveDate, b: NaiveDate) -> bool {
    let digits = |day: NaiveDate, form: &str| day.format(form).to_string();
    let is_swapped = digits(a, "%Y%m%d") == digits(b, "%Y%d%m");
    let (a, b) = (digits(a, "%Y%m%d"), digits(b, "%Y%m%d"));
    !is_swapped && a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count() >= DIGITS_MIN
}

/// What states have said so far of who these persons are, current records only.
pub async fn list_said(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
) -> Result<HashMap<SourcePersonId, Vec<Said>>, sqlx::Error> {
    let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
    let mut said: HashMap<SourcePersonId, Vec<Said>> = HashMap::new();
    for (person, first_name, last_name, birth_date) in store::list_said(conn, &ids).await? {
        said.entry(SourcePersonId(person)).or_default().push(Said {
            first_name: first_name.map(Masked::new),
            last_name: last_name.map(Masked::new),
            birth_date: birth_date.map(Masked::new),
        });
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(first: &str, last: &str, birth: &str) -> Said {
        let name = |name: &str| Some(Masked::new(name.to_owned()));
        Said { first_name: name(first), last_name: name(last), birth_date: birth.parse().ok().map(Masked::new) }
    }

    #[test]
    fn two_people_differ_in_two_things_and_one_person_in_one() {
        fn check(a: (&str, &str, &str), b: (&str, &str, &str), expect: &[&str]) {
            let (a, b) = (said(a.0, a.1, a.2), said(b.0, b.1, b.2));
            assert_eq!(clear_differences(&a, &b), expect);
            assert_eq!(clear_differences(&b, &a), expect, "the other way round");
        }
        let quince = ("Ambrosia", "Quince", "2010-03-04");
        check(quince, quince, &[]);
        check(quince, ("Ambrosia", "Medlar", "2010-03-04"), &[]);
        check(quince, ("Ambrosia", "Quince-Medlar", "2010-04-03"), &[]);
        check(quince, ("Ambrozia", "Quinze", "2011-03-04"), &[]);
        check(("William", "Quince", "2010-03-04"), ("Bill", "Medlar", "2010-03-14"), &[]);
        check(quince, ("Tobias", "Medlar", "2010-03-04"), &["first_name", "last_name"]);
        check(quince, ("Tobias", "Medlar", "2007-11-21"), &["first_name", "last_name", "birth_date"]);
        check(quince, ("Tobias", "Quince", "2007-11-21"), &["first_name", "birth_date"]);
        check(quince, ("", "", ""), &[]);
    }
}
