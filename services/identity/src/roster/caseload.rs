//! Whom an officer or an office is responsible for, as their own agency's roster says it: for a list that the agency's people read. Nothing in
//! it comes from the state, not even whether the state knows the client.

use chrono::{DateTime, Utc};
use model::{ConsumerId, Masked};
use sqlx::PgConnection;

use super::ClientDetails;
use crate::{Error, normalise::fold, store};

/// Whose clients are meant.
#[derive(Clone, Copy, Debug)]
pub enum Responsible<'a> {
    /// An officer's, as rosters name them.
    Officer(&'a str),
    /// An office's.
    Office(&'a str),
    /// The whole agency's.
    Agency,
}

/// A client over whom an authority runs.
#[derive(Clone, Debug)]
pub struct Supervised {
    /// The agency's own person id.
    pub person_key: Masked<String>,
    /// What the agency reported last.
    pub details: ClientDetails,
    /// The office responsible.
    pub office: Option<String>,
    /// The officer responsible.
    pub officer: Option<String>,
    /// The legal basis that the roster names.
    pub legal_basis: String,
    /// When authority began.
    pub since: DateTime<Utc>,
    /// When it ends, if its last day is known.
    pub until: Option<DateTime<Utc>>,
}

impl Supervised {
    /// Surname, first name and middle name.
    pub fn name(&self) -> Masked<String> {
        let details = &self.details;
        let surname = [details.last_name.trim(), details.suffix.trim()].join(" ").trim().to_owned();
        let given = [details.first_name.trim(), details.middle_name.trim()].join(" ").trim().to_owned();
        let parts: Vec<String> = [surname, given].into_iter().filter(|part| !part.is_empty()).collect();
        Masked::new(parts.join(", "))
    }

    /// Whether every word of a search begins a word of the name or of the person id, accents and case apart.
    pub fn is_found_by(&self, search: &Masked<String>) -> bool {
        let details = &self.details;
        let said = [&details.last_name, &details.first_name, &details.middle_name, &details.suffix];
        let said: Vec<String> = said.into_iter().chain([self.person_key.expose()]).map(|part| fold(part)).collect();
        let words: Vec<&str> = said.iter().flat_map(|part| part.split_whitespace()).collect();
        // A person id is searched for whole, too: the marks between its parts separate nothing then.
        let is_key = fold(search.expose()) == fold(self.person_key.expose());
        is_key
            || fold(search.expose()).split_whitespace().all(|wanted| words.iter().any(|word| word.starts_with(wanted)))
    }

    /// The place in a list by name.
    fn order(&self) -> (String, &str) {
        ([fold(&self.details.last_name), fold(&self.details.first_name)].join(" "), self.person_key.expose())
    }
}

/// The clients of an agency over whom an authority runs at a moment, by surname and first name, `limit` at most.
pub async fn list_supervised(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    responsible: Responsible<'_>,
    at: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<Supervised>, Error> {
    let mut supervised = store::rosters::list_supervised(conn, consumer, responsible, at, i64::from(limit)).await?;
    supervised.sort_by_cached_key(|one| {
        let (name, key) = one.order();
        (name, key.to_owned())
    });
    Ok(supervised)
}

/// Offices and officers with the most clients at a moment: whom a sandbox can let sign in.
pub async fn list_responsible(
    conn: &mut PgConnection,
    consumer: &ConsumerId,
    at: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<(Option<String>, Option<String>)>, Error> {
    Ok(store::rosters::list_responsible(conn, consumer, at, i64::from(limit)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(last: &str, first: &str, middle: &str) -> Supervised {
        let details = ClientDetails {
            last_name: last.to_owned(),
            first_name: first.to_owned(),
            middle_name: middle.to_owned(),
            ..ClientDetails::default()
        };
        Supervised {
            person_key: Masked::new("C-17".to_owned()),
            details,
            office: None,
            officer: None,
            legal_basis: String::new(),
            since: DateTime::UNIX_EPOCH,
            until: None,
        }
    }

    #[test]
    fn a_name_reads_surname_first() {
        let check = |last, first, middle, expect: &str| {
            assert_eq!(named(last, first, middle).name().expose(), expect);
        };
        check("Quince", "Ambrosia", "", "Quince, Ambrosia");
        check("Quince", "Ambrosia", "Lee", "Quince, Ambrosia Lee");
        check("", "Ambrosia", "", "Ambrosia");
        check("Quince", "", "", "Quince");
    }

    #[test]
    fn a_search_finds_beginnings_of_words_without_accents_and_case() {
        let one = named("Peña-Quince", "Ambrosia", "");
        for (search, expect) in [
            ("pena", true),
            ("amb pen", true),
            ("QUINCE", true),
            ("c-17", true),
            ("c 17", true),
            ("rosia", false),
            ("pena bob", false),
            ("", true),
        ] {
            assert_eq!(one.is_found_by(&Masked::new(search.to_owned())), expect, "{search}");
        }
    }
}
