//! Collection calendars: what districts owe their state by when, and what has not come.
//!
//! A calendar is data (`collections/<sea>.toml`). Whether a district has reported is a fact about what came of that district, whoever it was about:
//! it is asked of what loads have noted, never of a student. So what is said of a student beside it rests on the day, on the district that is
//! disclosed as theirs, and on nothing else that somebody has reported about them. What another agency's facility reports counts as the district's
//! as which it is disclosed ([`Come::add`]).
//!
//! Start with [`due_on`] (the latest collection of each domain that was due), then [`Due::awaited`].

mod come;

use std::{collections::BTreeSet, sync::LazyLock};

use chrono::{Datelike as _, NaiveDate};
pub use come::{Come, Report};
use model::{Awaited, Domain, Row, SchoolYear, Section, SectionState};
use serde::Deserialize;

use crate::tables::TableStatus;

/// The states' calendars: found when the program is built, not listed.
const TEXTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/collections.rs"));

/// Who brings a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reporter {
    /// Each district of its own students.
    District,
    /// The state of all.
    State,
}

/// A day of a school year, whichever year it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct DayOfYear {
    month: u32,
    day: u32,
}

impl DayOfYear {
    fn in_calendar_year(self, year: i32) -> NaiveDate {
        // Cannot fail: a day that not every year has is not read.
        NaiveDate::from_ymd_opt(year, self.month, self.day).unwrap_or(NaiveDate::MIN)
    }

    /// The one in a school year.
    fn of(self, year: SchoolYear) -> NaiveDate {
        self.on_or_after(year.first_day())
    }

    fn on_or_after(self, day: NaiveDate) -> NaiveDate {
        let this = self.in_calendar_year(day.year());
        if this >= day { this } else { self.in_calendar_year(day.year() + 1) }
    }

    fn on_or_before(self, day: NaiveDate) -> NaiveDate {
        let this = self.in_calendar_year(day.year());
        if this <= day { this } else { self.in_calendar_year(day.year() - 1) }
    }
}

impl TryFrom<String> for DayOfYear {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_shaped = text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        // 2001 has no 29 February, nor have most years.
        let day = format!("2001-{text}").parse::<NaiveDate>().ok().filter(|_| is_shaped);
        let day = day.ok_or_else(|| format!("{text:?} is no day of every year, as in 10-01"))?;
        Ok(Self { month: day.month(), day: day.day() })
    }
}

/// One collection of a state, as it comes back year after year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// The state.
    pub sea: String,
    /// Its id there.
    pub id: String,
    /// Its name, before which a reader can put "the".
    pub name: String,
    /// What it tells of.
    pub domains: Vec<Domain>,
    /// Who brings it.
    pub reported_by: Reporter,
    /// Whether a district can honestly have nothing to report.
    pub may_be_empty: bool,
    /// Published or completed.
    pub status: TableStatus,
    /// Where it comes from.
    pub source: String,
    as_of: DayOfYear,
    opens: Option<DayOfYear>,
    due: DayOfYear,
    certified: Option<DayOfYear>,
    snapshot: Option<(DayOfYear, DayOfYear)>,
    from: Option<SchoolYear>,
    to: Option<SchoolYear>,
}

/// A calendar cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("collection calendar {sea}: {what}")]
pub struct CalendarError {
    /// Of which state, as far as is known.
    pub sea: String,
    /// What is wrong with it.
    pub what: String,
}

/// The collections of all states that the program brings, by state.
pub fn all() -> &'static [Collection] {
    // Cannot fail: the calendars are part of the program, and a test reads every one.
    #[expect(clippy::panic, reason = "a calendar of our own that cannot be read is a defect of the program")]
    static ALL: LazyLock<Vec<Collection>> = LazyLock::new(|| {
        let read = TEXTS.iter().map(|(_, text)| parse(text)).collect::<Result<Vec<_>, _>>();
        read.unwrap_or_else(|error| panic!("{error}")).concat()
    });
    &ALL
}

/// Reads a state's calendar from its TOML.
pub fn parse(text: &str) -> Result<Vec<Collection>, CalendarError> {
    let file: CalendarFile = toml::from_str(text)
        .map_err(|error| CalendarError { sea: "(unreadable)".to_owned(), what: error.to_string() })?;
    let refuse = |what: String| CalendarError { sea: file.sea.clone(), what };
    let mut ids = BTreeSet::new();
    let mut collections = Vec::with_capacity(file.collections.len());
    for one in file.collections {
        if !ids.insert(one.id.clone()) {
            return Err(refuse(format!("the collection {:?} stands twice", one.id)));
        }
        let id = one.id.clone();
        collections.push(one.check(&file.sea).map_err(|what| refuse(format!("{id}: {what}")))?);
    }
    Ok(collections)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarFile {
    sea: String,
    collections: Vec<CollectionFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CollectionFile {
    id: String,
    name: String,
    domains: Vec<String>,
    as_of: DayOfYear,
    snapshot_from: Option<DayOfYear>,
    snapshot_to: Option<DayOfYear>,
    opens: Option<DayOfYear>,
    due: DayOfYear,
    certified: Option<DayOfYear>,
    reported_by: Reporter,
    #[serde(default)]
    may_be_empty: bool,
    status: TableStatus,
    source: String,
    from: Option<i16>,
    to: Option<i16>,
}

impl CollectionFile {
    fn check(self, sea: &str) -> Result<Collection, String> {
        let named = |name: &String| match name.parse::<Domain>() {
            // Who a student is and how they moved is told with everything else, and by no collection of its own.
            Ok(domain) if !matches!(domain, Domain::Student | Domain::Mobility) => Ok(domain),
            _ => Err(format!("{name:?} is no domain that is collected")),
        };
        let domains = self.domains.iter().map(named).collect::<Result<Vec<_>, _>>()?;
        if domains.is_empty() || self.name.is_empty() || self.source.is_empty() {
            return Err("domains, name and source are needed".to_owned());
        }
        let snapshot = match (self.snapshot_from, self.snapshot_to) {
            (Some(from), Some(to)) => Some((from, to)),
            (None, None) => None,
            _ => return Err("snapshot_from and snapshot_to go together".to_owned()),
        };
        if self.from.zip(self.to).is_some_and(|(from, to)| from > to) {
            return Err("it ends before it begins".to_owned());
        }
        Ok(Collection {
            sea: sea.to_owned(),
            id: self.id,
            name: self.name,
            domains,
            reported_by: self.reported_by,
            may_be_empty: self.may_be_empty,
            status: self.status,
            source: self.source,
            as_of: self.as_of,
            opens: self.opens,
            due: self.due,
            certified: self.certified,
            snapshot,
            from: self.from.map(SchoolYear),
            to: self.to.map(SchoolYear),
        })
    }
}

/// A collection in a school year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The collection.
    pub collection: &'static Collection,
    /// The school year.
    pub school_year: SchoolYear,
}

impl Instance {
    /// Its name, with the school year.
    pub fn name(self) -> String {
        format!("{} {}", self.collection.name, self.school_year)
    }

    /// The day it tells of.
    pub fn as_of_on(self) -> NaiveDate {
        self.collection.as_of.of(self.school_year)
    }

    /// The last day to send it.
    pub fn due_on(self) -> NaiveDate {
        self.collection.due.on_or_after(self.as_of_on())
    }

    /// When it is final.
    pub fn certified_on(self) -> Option<NaiveDate> {
        Some(self.collection.certified?.on_or_after(self.due_on()))
    }

    /// The first day on which it can be sent, where the state says one.
    pub fn opens_on(self) -> Option<NaiveDate> {
        Some(self.collection.opens?.on_or_before(self.due_on()))
    }

    /// The days that its records name as their own, where they name any: first and last. A record of a later day belongs to a later collection.
    pub fn snapshot_days(self) -> Option<(NaiveDate, NaiveDate)> {
        let (from, to) = self.collection.snapshot?;
        Some((from.on_or_before(self.as_of_on()), to.on_or_after(self.as_of_on())))
    }

    /// The same a year earlier.
    #[must_use]
    pub fn previous(self) -> Self {
        Self { school_year: self.school_year.previous(), ..self }
    }

    fn is_held(self) -> bool {
        let Collection { from, to, .. } = self.collection;
        from.is_none_or(|from| from <= self.school_year) && to.is_none_or(|to| self.school_year <= to)
    }
}

/// The latest collection of a domain that was due, of one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The domain.
    pub domain: Domain,
    /// The collection.
    pub instance: Instance,
}

/// The latest collection of each state and domain whose last day had passed on a day; always in the same order.
pub fn due_on(day: NaiveDate) -> Vec<Due> {
    due_of(all(), day)
}

fn due_of(collections: &'static [Collection], day: NaiveDate) -> Vec<Due> {
    let this = SchoolYear::containing(day);
    let mut latest: Vec<Due> = Vec::new();
    for collection in collections {
        // What tells of a school year can be due in the next.
        let instances = [this, this.previous(), this.previous().previous()];
        let due = instances
            .into_iter()
            .map(|school_year| Instance { collection, school_year })
            .find(|instance| instance.is_held() && instance.due_on() < day);
        let Some(instance) = due else { continue };
        for domain in &collection.domains {
            let is_of = |due: &&mut Due| due.domain == *domain && due.instance.collection.sea == collection.sea;
            match latest.iter_mut().find(is_of) {
                Some(due) if due.instance.as_of_on() < instance.as_of_on() => due.instance = instance,
                Some(_) => {}
                None => latest.push(Due { domain: *domain, instance }),
            }
        }
    }
    latest
}

impl Due {
    /// What has not come of the domain's latest collection that was due, to be said beside what is disclosed of the domain.
    ///
    /// `enrollment` are the rows disclosed of enrollment, from which it is known whose it was to report: the district of the stay on the
    /// collection's day. Where the rows do not say the district, or nobody had the student that day, nothing is said. So it is a function of the day,
    /// of that district and of what has come of districts, and of nothing else that is known of the student: two students shown at one district
    /// read the same, whoever reported them. That a district has reported, and not this student, is never said.
    pub fn awaited(self, section: &Section, enrollment: &[Row], come: &Come) -> Option<Awaited> {
        let Instance { collection, .. } = self.instance;
        if section.state == SectionState::NotPermitted || section.domain != self.domain {
            return None;
        }
        let stay = self.stay(enrollment)?;
        let code = stay.find_text("local_education_agency_id");
        let is_of_each = collection.reported_by == Reporter::District && !collection.may_be_empty;
        let expected_of = if is_of_each {
            let code = code?;
            if come.is_of(code) || !(come.is_begun || come.is_usual) {
                return None;
            }
            Some(stay.find_text("local_education_agency_name").unwrap_or(code).to_owned())
        } else {
            if come.is_begun || !come.is_usual {
                return None;
            }
            None
        };
        Some(Awaited {
            collection: self.instance.name(),
            as_of_on: self.instance.as_of_on(),
            due_on: self.instance.due_on(),
            expected_of,
        })
    }

    /// The stay at a school on the collection's day, in its state; of several the one that began last.
    fn stay(self, enrollment: &[Row]) -> Option<&Row> {
        let day = self.instance.as_of_on();
        let begun = |row: &Row| row.find_date("entry_date").or_else(|| row.find_date("first_seen_date"));
        let is_on = |row: &&Row| {
            let ended = row.find_date("exit_withdraw_date").or_else(|| row.find_date("last_seen_date"));
            let has_ended = row.find("exit_withdraw_date").is_some() || row.find("exit_basis").is_some();
            *row.source.sea == *self.instance.collection.sea
                && row.find("stay_basis").is_none()
                && begun(row).is_none_or(|begun| begun <= day)
                && (!has_ended || ended.is_some_and(|ended| ended >= day))
        };
        enrollment.iter().filter(is_on).max_by_key(|row| (begun(row), row.source.batch, row.source.line))
    }
}

#[cfg(test)]
mod tests;
