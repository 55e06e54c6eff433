//! Words: one table, each line in each language, read when the program starts.

use std::sync::LazyLock;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Deserialize;

const TABLE: &str = include_str!("words.toml");

/// A language of the portal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    #[default]
    English,
    Spanish,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::Spanish];

    /// As HTML and cookies name it.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
        }
    }

    pub(crate) fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.code() == code)
    }

    /// What a browser would like best of what there is.
    pub(crate) fn preferred(header: &str) -> Self {
        let weighed = header.split(',').filter_map(|part| {
            let mut pieces = part.trim().split(';');
            let language = Self::of_code(pieces.next()?.split('-').next()?.trim())?;
            let weight = pieces.find_map(|piece| piece.trim().strip_prefix("q=")?.parse::<f32>().ok());
            Some((language, weight.unwrap_or(1.0)))
        });
        // Of equals the first that is named.
        weighed.fold((Self::default(), 0.0), |best, one| if one.1 > best.1 { one } else { best }).0
    }

    /// The language of documents.
    pub(crate) const fn of_summaries(self) -> summary::Language {
        match self {
            Self::English => summary::Language::English,
            Self::Spanish => summary::Language::Spanish,
        }
    }

    pub(crate) fn words(self) -> &'static Words {
        static WORDS: LazyLock<[Words; 2]> = LazyLock::new(|| Language::ALL.map(read));
        &WORDS[usize::from(self == Self::Spanish)]
    }

    /// A day as the summary prints it, in every language.
    pub(crate) fn day(day: NaiveDate) -> String {
        format!("{}/{}/{}", day.month(), day.day(), day.year())
    }

    /// The day of an instant in a zone.
    pub(crate) fn day_of(at: DateTime<Utc>, zone: Tz) -> String {
        Self::day(at.with_timezone(&zone).date_naive())
    }
}

fn read(language: Language) -> Words {
    let table: toml::Table = TABLE.parse().unwrap_or_default();
    let line = |(key, texts): (&String, &toml::Value)| Some((key.clone(), texts.get(language.code())?.clone()));
    let texts: toml::Table = table.iter().filter_map(line).collect();
    // Cannot fail: the table is part of the program, and a test reads it in each language.
    texts.try_into().unwrap_or_default()
}

/// A text with its places filled.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// The texts of one language, by the names of the table's lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Words {
    pub(crate) product: String,
    pub(crate) skip: String,
    pub(crate) sandbox_banner: String,
    pub(crate) sign_in: String,
    pub(crate) sign_in_about: String,
    pub(crate) sign_in_again: String,
    pub(crate) sign_out: String,
    pub(crate) sign_out_everywhere: String,
    pub(crate) signed_out: String,
    pub(crate) why_ended: String,
    pub(crate) why_changed: String,
    pub(crate) why_stale: String,
    pub(crate) why_refused: String,
    pub(crate) why_no_role: String,
    pub(crate) caseload: String,
    pub(crate) caseload_own: String,
    pub(crate) caseload_office: String,
    pub(crate) caseload_agency: String,
    pub(crate) search: String,
    pub(crate) search_label: String,
    pub(crate) search_hint: String,
    pub(crate) show_all: String,
    pub(crate) count_one: String,
    pub(crate) count_many: String,
    pub(crate) count_found: String,
    pub(crate) caseload_cut: String,
    pub(crate) none_found: String,
    pub(crate) none_at_all: String,
    pub(crate) page_of: String,
    pub(crate) previous: String,
    pub(crate) next: String,
    pub(crate) column_name: String,
    pub(crate) column_person_key: String,
    pub(crate) column_birth_date: String,
    pub(crate) column_office: String,
    pub(crate) column_officer: String,
    pub(crate) column_basis: String,
    pub(crate) column_since: String,
    pub(crate) column_until: String,
    pub(crate) no_end: String,
    pub(crate) basis_uninterrupted_scholars: String,
    pub(crate) basis_juvenile_justice: String,
    pub(crate) basis_parent_consent: String,
    pub(crate) basis_court_order: String,
    pub(crate) basis_emergency: String,
    pub(crate) basis_audit: String,
    pub(crate) basis_other: String,
    pub(crate) student_title: String,
    pub(crate) back_to_caseload: String,
    pub(crate) download_pdf: String,
    pub(crate) download_one_page: String,
    pub(crate) recorded: String,
    pub(crate) no_work_title: String,
    pub(crate) no_work: String,
    pub(crate) choose_persona: String,
    pub(crate) choose_persona_about: String,
    pub(crate) choose: String,
    pub(crate) not_available: String,
    pub(crate) training_missing: String,
    pub(crate) not_admitted: String,
    pub(crate) forged: String,
    pub(crate) invalid: String,
    pub(crate) not_found: String,
    pub(crate) too_large: String,
    pub(crate) unavailable: String,
    pub(crate) internal: String,
    pub(crate) error_title: String,
    pub(crate) home: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_there_in_every_language_with_the_same_places() {
        let table: toml::Table = TABLE.parse().unwrap();
        for (key, texts) in &table {
            let places = |language: Language| {
                let text = texts.get(language.code()).unwrap_or_else(|| panic!("{key}")).as_str().unwrap();
                assert!(!text.is_empty(), "{key}");
                let mut places: Vec<String> =
                    text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect();
                places.sort();
                places
            };
            assert_eq!(places(Language::English), places(Language::Spanish), "{key}");
        }
        for language in Language::ALL {
            assert_ne!(language.words(), &Words::default());
        }
    }

    #[test]
    fn the_browser_is_given_what_it_likes_best() {
        for (header, expect) in [
            ("", Language::English),
            ("es", Language::Spanish),
            ("es-PR,es;q=0.9,en;q=0.8", Language::Spanish),
            ("pt-BR,en;q=0.3,es;q=0.5", Language::Spanish),
            ("en-US,en;q=0.9", Language::English),
            ("fr", Language::English),
            ("es;q=x", Language::Spanish),
        ] {
            assert_eq!(Language::preferred(header), expect, "{header}");
        }
    }
}
