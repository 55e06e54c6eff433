//! Two people under one state identifier.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use model::{BatchId, Masked, SourcePersonId};
use serde::Serialize;
use sqlx::PgConnection;

use crate::{
    jaro::{jaro_winkler, one_edit},
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
    /// The sex, by code.
    pub sex: Option<Masked<String>>,
}

/// Below this likeness (Jaro-Winkler, 0 to 1) two names are no spellings of each other.
const LIKENESS_MIN: f64 = 0.75;
/// From this likeness on one name is the other with a slip.
const SLIP_MIN: f64 = 0.92;
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

/// Whether two records of one file, which speak of one time, may be about twins: surname and birth date are the same, and the first names are
/// clearly others, or others of another sex. Between files the same says nothing: children are renamed.
pub fn may_be_twins(a: &Said, b: &Said) -> bool {
    let both = |a: &Option<Masked<String>>, b: &Option<Masked<String>>, differ: fn(&str, &str) -> bool| matches!((a, b), (Some(a), Some(b)) if differ(a.expose(), b.expose()));
    let same_birth_date = matches!((&a.birth_date, &b.birth_date), (Some(a), Some(b)) if a.expose() == b.expose());
    let same_surname = !both(&a.last_name, &b.last_name, are_different_names);
    let other_sex = both(&a.sex, &b.sex, |a, b| a != b);
    let other_name = |a: &str, b: &str| !words(a).is_empty() && !words(b).is_empty() && words(a) != words(b);
    same_birth_date
        && same_surname
        && (both(&a.first_name, &b.first_name, are_other_names)
            || other_sex && both(&a.first_name, &b.first_name, other_name))
}

/// In what no record of the one agrees with a record of the other, or what differs clearly between any two of them. Empty: whatever is known of
/// both says that they are one child: a record of each has the same birth date, no other sex, and first and last names that are spelled alike but for
/// a slip, and none contradicts it.
pub fn unlike(a: &[Said], b: &[Said]) -> Vec<&'static str> {
    let pairs = || a.iter().flat_map(|a| b.iter().map(move |b| (a, b)));
    let clear = pairs().map(|(a, b)| clear_differences(a, b)).find(|differ| !differ.is_empty());
    let least = pairs().map(|(a, b)| disagreements(a, b)).min_by_key(Vec::len);
    clear.or(least).unwrap_or_else(|| vec!["name"])
}

fn disagreements(a: &Said, b: &Said) -> Vec<&'static str> {
    let alike = |a: &Option<Masked<String>>, b: &Option<Masked<String>>| {
        let said = |name: &Option<Masked<String>>| name.as_ref().is_some_and(|name| !words(name.expose()).is_empty());
        said(a) && said(b) && matches!((a, b), (Some(a), Some(b)) if !are_other_names(a.expose(), b.expose()))
    };
    let day = |said: &Said| said.birth_date.as_ref().map(|day| *day.expose());
    let other_sex = matches!((&a.sex, &b.sex), (Some(a), Some(b)) if a.expose() != b.expose());
    let mut differ = Vec::new();
    differ.extend((!alike(&a.first_name, &b.first_name)).then_some("first_name"));
    differ.extend((!alike(&a.last_name, &b.last_name)).then_some("last_name"));
    differ.extend((day(a).is_none() || day(a) != day(b)).then_some("birth_date"));
    differ.extend(other_sex.then_some("sex"));
    differ
}

fn words(name: &str) -> Vec<String> {
    let letters = name.to_uppercase().replace(['-', '\'', '.'], " ");
    letters.split_whitespace().map(str::to_owned).collect()
}

fn are_different_names(a: &str, b: &str) -> bool {
    are_unlike(a, b, |a, b| jaro_winkler(a, b) >= LIKENESS_MIN)
}

/// In one file a slip of the pen is all that a spelling may differ by: twins are often named alike.
fn are_other_names(a: &str, b: &str) -> bool {
    are_unlike(a, b, |a, b| jaro_winkler(a, b) >= SLIP_MIN || one_edit(a.as_bytes(), b.as_bytes()))
}

fn are_unlike(a: &str, b: &str, is_spelling: fn(&str, &str) -> bool) -> bool {
    let nicknames = Nicknames::new();
    let (a, b) = (words(a), words(b));
    if a.is_empty() || b.is_empty() {
        return false;
    }
    let alike = |a: &String, b: &String| {
        a.starts_with(b.as_str())
            || b.starts_with(a.as_str())
            || is_spelling(a, b)
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

/// The places of those statements that a current record makes word for word already.
pub async fn were_said(
    conn: &mut PgConnection,
    told: &[(SourcePersonId, &Said)],
) -> Result<HashSet<usize>, sqlx::Error> {
    let persons: Vec<i64> = told.iter().map(|(person, _)| person.0).collect();
    let name = |name: &Option<Masked<String>>| name.as_ref().map(|name| name.expose().clone());
    let first_names: Vec<Option<String>> = told.iter().map(|(_, said)| name(&said.first_name)).collect();
    let last_names: Vec<Option<String>> = told.iter().map(|(_, said)| name(&said.last_name)).collect();
    let day = |said: &Said| said.birth_date.as_ref().map(|day| day.expose().to_string());
    let birth_dates: Vec<Option<String>> = told.iter().map(|(_, said)| day(said)).collect();
    let places = store::list_repeated(conn, &persons, &first_names, &last_names, &birth_dates).await?;
    Ok(places.into_iter().collect())
}

/// What states have said so far of who these persons are, current records only, and whether this batch said it.
pub async fn list_said(
    conn: &mut PgConnection,
    persons: &[SourcePersonId],
    batch: BatchId,
) -> Result<HashMap<SourcePersonId, Vec<(Said, bool)>>, sqlx::Error> {
    let ids: Vec<i64> = persons.iter().map(|person| person.0).collect();
    let mut said: HashMap<SourcePersonId, Vec<(Said, bool)>> = HashMap::new();
    for row in store::list_said(conn, &ids, batch.0).await? {
        let one = Said {
            first_name: row.first_name.map(Masked::new),
            last_name: row.last_surname.map(Masked::new),
            birth_date: row.birth_date.map(Masked::new),
            sex: row.sex.map(Masked::new),
        };
        said.entry(SourcePersonId(row.source_person_id)).or_default().push((one, row.is_of_batch));
    }
    Ok(said)
}

/// Marks persons who may be two children, each with the line of the batch that says so: nothing of them is disclosed outside the SEA until a
/// steward settles it. A person in doubt already stays so.
pub async fn doubt(
    conn: &mut PgConnection,
    doubtful: &[(SourcePersonId, u32)],
    batch: BatchId,
    at: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let persons: Vec<i64> = doubtful.iter().map(|(person, _)| person.0).collect();
    let whence: Vec<String> = doubtful.iter().map(|(_, line)| format!("batch {}, line {line}", batch.0)).collect();
    store::insert_doubts(conn, &persons, &whence, at).await
}

/// A person in doubt.
#[derive(Clone, Debug, Serialize)]
pub struct Doubt {
    /// Whose identifier it is.
    pub sea: String,
    /// The source person, by our number.
    pub source_person: i64,
    /// The batch and line that raised the doubt.
    pub raised_by: String,
    /// When.
    pub raised_at: DateTime<Utc>,
    /// Clients of agencies who are matched with the student: what they would get waits.
    pub clients: i64,
}

/// Who is in doubt, those first for whom most clients wait; at most so many. Nothing in it names anybody.
pub async fn list_doubts(conn: &mut PgConnection, limit: i64) -> Result<Vec<Doubt>, sqlx::Error> {
    store::list_doubts(conn, limit).await
}

/// Two stewards have looked, and whoever calls has verified their signatures: what is reported under the identifier is one child's, or has been put
/// right. Says whether there was a doubt.
pub async fn settle(
    conn: &mut PgConnection,
    person: SourcePersonId,
    (by, reason): (&str, &str),
    at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    Ok(store::settle_doubt(conn, person.0, by, reason, at).await? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(first: &str, last: &str, birth: &str) -> Said {
        let name = |name: &str| Some(Masked::new(name.to_owned()));
        Said {
            first_name: name(first),
            last_name: name(last),
            birth_date: birth.parse().ok().map(Masked::new),
            sex: None,
        }
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

    #[test]
    fn one_steward_joins_only_whom_the_records_call_one_child() {
        fn check(a: &[(&str, &str, &str)], b: &[(&str, &str, &str)], expect: &[&str]) {
            let of = |list: &[(&str, &str, &str)]| list.iter().map(|one| said(one.0, one.1, one.2)).collect::<Vec<_>>();
            assert_eq!(unlike(&of(a), &of(b)), expect);
            assert_eq!(unlike(&of(b), &of(a)), expect, "the other way round");
        }
        let quince = ("Ambrosia", "Quince", "2010-03-04");
        check(&[quince], &[quince], &[]);
        check(&[quince], &[("Ambrozia", "Quince", "2010-03-04")], &[]);
        check(&[quince], &[("Ambrosia", "Quince", "2010-03-05")], &["birth_date"]);
        check(&[quince], &[("Edith", "Quince", "2010-03-04")], &["first_name"]);
        check(&[quince], &[("Tobias", "Medlar", "2007-11-21")], &["first_name", "last_name", "birth_date"]);
        // A name that was changed has a record before and one after; a stranger's among them contradicts it.
        check(&[quince, ("Ambrosia", "Medlar", "2010-03-04")], &[("Ambrosia", "Medlar", "2010-03-04")], &[]);
        check(&[quince, ("Tobias", "Medlar", "2010-03-04")], &[quince], &["first_name", "last_name"]);
        check(&[quince], &[], &["name"]);
        check(&[quince], &[("", "", "")], &["first_name", "last_name", "birth_date"]);
        let of_sex =
            |sex: &str| vec![Said { sex: Some(Masked::new(sex.to_owned())), ..said("Kim", "Quince", "2010-03-04") }];
        assert_eq!(unlike(&of_sex("F"), &of_sex("M")), ["sex"]);
    }

    #[test]
    fn twins_share_all_but_the_first_name() {
        fn check(a: (&str, &str), b: (&str, &str), expect: bool) {
            let of = |(first, sex): (&str, &str)| Said {
                sex: Some(Masked::new(sex.to_owned())),
                ..said(first, "Quince", "2010-03-04")
            };
            assert_eq!((may_be_twins(&of(a), &of(b)), may_be_twins(&of(b), &of(a))), (expect, expect), "{a:?} {b:?}");
        }
        check(("Ambrosia", "F"), ("Ambrosia", "F"), false);
        check(("Ambrosia", "F"), ("Ambrosia", "M"), false);
        check(("Ambrosia", "F"), ("Tobias", "M"), true);
        check(("Ambrosia", "F"), ("Edith", "F"), true);
        check(("Quinn", "M"), ("Quincy", "M"), true);
        check(("Mario", "M"), ("Maria", "F"), true);
        check(("Ambrosia", "F"), ("Ambrozia", "F"), false);
        check(("Mario", "M"), ("Marion", "M"), false);
        check(("William", "M"), ("Bill", "M"), false);
        check(("", "F"), ("Edith", "F"), false);
        let (one, other) = (said("Ambrosia", "Quince", "2010-03-04"), said("Edith", "Quince", "2011-03-04"));
        assert!(!may_be_twins(&one, &other), "not born on one day");
    }
}
