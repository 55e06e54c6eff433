//! Holding the population against what it follows from: matches, authorities, and the days that rosters stated.
//!
//! The population is derived, so a row that somebody wrote past the program contradicts what it is derived from, and a row that was
//! altered further down contradicts its own days.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Bound,
};

use chrono::{DateTime, Days, Utc};
use chrono_tz::Tz;
use model::ConsumerId;
use sqlx::PgConnection;

use crate::{
    closings::CUT,
    population::{ABSENT, day_begins},
    store::{audit as store, rosters::bound},
};

/// How many authorities are read at once.
const PAGE: i64 = 8_192;

/// What is wrong with an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The population has it, and no match and authority gives it.
    Added,
    /// Match and authority give it, and the population lacks it.
    Missing,
    /// It is another than match and authority give.
    Altered,
    /// The instants of the authority itself are not those of its days.
    NotItsDays,
    /// Two authorities of one client and case are current.
    Twice,
}

/// An interval of authority that does not follow from what is on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Whose population.
    pub consumer: String,
    /// The authority, by our own number.
    pub authority: i64,
    /// The source person, where it is a row of the population.
    pub source_person: Option<i64>,
    /// What is wrong.
    pub wrong: Wrong,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { consumer, authority, source_person, wrong } = self;
        let person = source_person.map_or_else(String::new, |person| format!(" over source person {person}"));
        let why = match wrong {
            Wrong::Added => "is in the population, and no match and authority give it",
            Wrong::Missing => "follows from match and authority, and is not in the population",
            Wrong::Altered => "is not in the population as match and authority give it",
            Wrong::NotItsDays => "does not begin and end with the days that the roster stated",
            Wrong::Twice => "is current beside another one of the same client and case",
        };
        write!(f, "authority {authority} of {consumer}{person} was altered: it {why}")
    }
}

/// Whatever of the population does not follow from matches, authorities and their days, at most `limit`. A consumer without a zone is
/// looked at without its days.
pub async fn audit(
    conn: &mut PgConnection,
    zones: &BTreeMap<ConsumerId, Tz>,
    limit: u32,
) -> Result<Vec<Difference>, sqlx::Error> {
    let differing = store::list_differing(conn, i64::from(limit)).await?;
    let mut found: Vec<Difference> = differing
        .into_iter()
        .map(|row| Difference {
            consumer: row.consumer,
            authority: row.authority,
            source_person: Some(row.source_person),
            wrong: match (row.is_there, row.is_due) {
                (true, false) => Wrong::Added,
                (false, _) => Wrong::Missing,
                (true, true) => Wrong::Altered,
            },
        })
        .collect();
    let zones: BTreeMap<&str, Tz> = zones.iter().map(|(consumer, zone)| (consumer.as_str(), *zone)).collect();
    let mut cases = BTreeSet::new();
    let mut after = 0;
    while found.len() < limit as usize {
        let page = store::list_days(conn, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.authority;
        for row in page {
            let differs = zones.get(row.consumer.as_str()).is_some_and(|zone| !keeps_its_days(&row, *zone));
            let is_second = !cases.insert((row.client, row.source_key));
            let wrong = [(differs, Wrong::NotItsDays), (is_second, Wrong::Twice)];
            found.extend(wrong.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, wrong)| Difference {
                consumer: row.consumer.clone(),
                authority: row.authority,
                source_person: None,
                wrong,
            }));
        }
    }
    found.truncate(limit as usize);
    Ok(found)
}

/// Whether the instants of an authority are those that its days, and the roster that no longer named it, give.
fn keeps_its_days(row: &store::Days, zone: Tz) -> bool {
    let begins = |day| Some(day_begins(zone, day));
    let end: Option<DateTime<Utc>> = bound(&row.released.end);
    let by_day = row.end_date.and_then(|day| day.checked_add_days(Days::new(1))).and_then(begins);
    let is_absent = row.end_reason.as_deref() == Some(ABSENT);
    let is_cut = row.end_reason.as_deref() == Some(CUT) && end.is_some() && (by_day.is_none() || end <= by_day);
    matches!(row.released.start, Bound::Included(_))
        && bound(&row.released.start) == begins(row.start_date)
        && !matches!(row.released.end, Bound::Included(_))
        && (end == by_day || is_cut || (is_absent && end == begins(row.roster_date)))
}
