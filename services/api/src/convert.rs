//! Between messages and our own types.

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use disclosure::DisclosedHistory;
use model::Masked;
use prost_types::Timestamp;
use proto::{google::r#type::Date, history::v1 as pb};
use uuid::Uuid;

use crate::status::Failure;

/// The longest text a caller may name somebody or something by.
const NAME_BYTES_MAX: usize = 256;

/// A disclosed history as its message: the same history always gives the same bytes.
pub(crate) fn history(history: &DisclosedHistory) -> pb::DisclosedHistory {
    let mut message = pb::DisclosedHistory {
        person_id: history.person_key().expose().clone(),
        disclosure_id: history.disclosure().to_string(),
        agreement: history.agreement_title().to_owned(),
        agreement_version: history.agreement_version().to_string(),
        legal_basis: history.legal_basis().to_owned(),
        redisclosure_notice: history.notice().to_owned(),
        decided_time: Some(timestamp(history.decided_at())),
        as_of_time: Some(timestamp(history.as_of())),
        content_digest: hex::encode(history.content_digest()),
        ..pb::DisclosedHistory::default()
    };
    domains::wire::fill(&mut message, history.sections());
    message
}

/// An instant as its message.
pub(crate) fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: at.timestamp(), nanos: at.timestamp_subsec_nanos().cast_signed() }
}

/// An instant out of its message.
pub(crate) fn instant(field: &'static str, message: Timestamp) -> Result<DateTime<Utc>, Failure> {
    let nanos = u32::try_from(message.nanos).ok();
    nanos
        .and_then(|nanos| DateTime::from_timestamp(message.seconds, nanos))
        .ok_or(Failure::Invalid { field, what: "an instant" })
}

/// A day out of its message.
pub(crate) fn day(field: &'static str, message: Option<Date>) -> Result<NaiveDate, Failure> {
    let whole = message.and_then(|date| {
        let (month, day) = (u32::try_from(date.month).ok()?, u32::try_from(date.day).ok()?);
        NaiveDate::from_ymd_opt(date.year, month, day)
    });
    whole.ok_or(Failure::Invalid { field, what: "a day: year, month and day" })
}

/// A day as messages hold it.
pub(crate) fn date(day: NaiveDate) -> Date {
    let part = |number: u32| i32::try_from(number).unwrap_or_default();
    Date { year: day.year(), month: part(day.month()), day: part(day.day()) }
}

/// A text by which the caller names something; `None` if it is empty.
pub(crate) fn name<'t>(field: &'static str, text: &'t str) -> Result<Option<&'t str>, Failure> {
    if text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(Failure::Invalid { field, what: "at most 256 bytes, without control characters" });
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A person's id as the caller knows them.
pub(crate) fn person(field: &'static str, text: &str) -> Result<Option<Masked<String>>, Failure> {
    Ok(name(field, text)?.map(|text| Masked::new(text.to_owned())))
}

/// A UUID; `None` if there is none.
pub(crate) fn uuid(field: &'static str, text: &str) -> Result<Option<Uuid>, Failure> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| Failure::Invalid { field, what: "a UUID" })
}

/// A count as messages hold it.
pub(crate) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_instants_and_ids_that_do_not_exist_are_refused() {
        let date = |year, month, day| Some(Date { year, month, day });
        assert_eq!(day("d", date(2026, 2, 28)).unwrap().to_string(), "2026-02-28");
        for wrong in [None, date(2026, 2, 30), date(2026, 0, 1), date(2026, -1, 1), date(2026, 1, 0)] {
            assert!(day("d", wrong).is_err());
        }
        assert!(instant("t", Timestamp { seconds: i64::MAX, nanos: 0 }).is_err());
        assert!(instant("t", Timestamp { seconds: 0, nanos: -1 }).is_err());
        let at = instant("t", Timestamp { seconds: 1_700_000_000, nanos: 5_000 }).unwrap();
        assert_eq!(timestamp(at), Timestamp { seconds: 1_700_000_000, nanos: 5_000 });
        assert!(uuid("u", "").unwrap().is_none());
        assert!(uuid("u", "not one").is_err());
        assert!(name("n", "A\u{0}").is_err());
        assert!(name("n", &"x".repeat(257)).is_err());
        assert_eq!(name("n", "").unwrap(), None);
    }
}
