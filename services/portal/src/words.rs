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
    pub(crate) not_yours: String,
    pub(crate) already_done: String,
    pub(crate) overview: String,
    pub(crate) overview_about: String,
    pub(crate) review: String,
    pub(crate) review_about: String,
    pub(crate) review_none: String,
    pub(crate) case_title: String,
    pub(crate) case_about: String,
    pub(crate) case_none: String,
    pub(crate) case_client: String,
    pub(crate) case_candidate: String,
    pub(crate) case_likely: String,
    pub(crate) case_taken: String,
    pub(crate) case_not_proposed: String,
    pub(crate) case_values: String,
    pub(crate) case_weights: String,
    pub(crate) case_same: String,
    pub(crate) case_differs: String,
    pub(crate) case_unknown: String,
    pub(crate) case_for: String,
    pub(crate) case_against: String,
    pub(crate) case_reason: String,
    pub(crate) case_is: String,
    pub(crate) case_is_not: String,
    pub(crate) case_nobody: String,
    pub(crate) case_undo: String,
    pub(crate) case_past: String,
    pub(crate) case_back: String,
    pub(crate) case_done_match: String,
    pub(crate) case_done_not: String,
    pub(crate) case_done_undone: String,
    pub(crate) column_agency: String,
    pub(crate) column_client: String,
    pub(crate) column_student: String,
    pub(crate) column_what: String,
    pub(crate) column_level: String,
    pub(crate) column_candidates: String,
    pub(crate) column_best: String,
    pub(crate) column_waiting_since: String,
    pub(crate) column_urgency: String,
    pub(crate) contested: String,
    pub(crate) authority_runs: String,
    pub(crate) column_waiting: String,
    pub(crate) column_contested: String,
    pub(crate) column_oldest: String,
    pub(crate) batches: String,
    pub(crate) batches_about: String,
    pub(crate) batches_none: String,
    pub(crate) batch_title: String,
    pub(crate) column_file: String,
    pub(crate) column_layout: String,
    pub(crate) column_received: String,
    pub(crate) column_state: String,
    pub(crate) column_rows_in: String,
    pub(crate) column_loaded: String,
    pub(crate) column_unchanged: String,
    pub(crate) column_superseded: String,
    pub(crate) column_quarantined: String,
    pub(crate) column_control: String,
    pub(crate) column_erased: String,
    pub(crate) findings: String,
    pub(crate) findings_about: String,
    pub(crate) findings_none: String,
    pub(crate) findings_by_rule: String,
    pub(crate) findings_download: String,
    pub(crate) findings_lineage: String,
    pub(crate) column_line: String,
    pub(crate) column_column: String,
    pub(crate) column_field: String,
    pub(crate) column_rule: String,
    pub(crate) column_severity: String,
    pub(crate) column_message: String,
    pub(crate) column_count: String,
    pub(crate) any: String,
    pub(crate) filter: String,
    pub(crate) show_more: String,
    pub(crate) agreements: String,
    pub(crate) agreements_about: String,
    pub(crate) agreements_none: String,
    pub(crate) agreement_title: String,
    pub(crate) column_agreement: String,
    pub(crate) column_version: String,
    pub(crate) column_recipient: String,
    pub(crate) column_in_force: String,
    pub(crate) column_ended: String,
    pub(crate) on_file: String,
    pub(crate) in_force: String,
    pub(crate) agreement_parties: String,
    pub(crate) agreement_population: String,
    pub(crate) agreement_purposes: String,
    pub(crate) agreement_bases: String,
    pub(crate) agreement_clauses: String,
    pub(crate) agreement_access: String,
    pub(crate) agreement_onward: String,
    pub(crate) agreement_retention: String,
    pub(crate) agreement_retention_days: String,
    pub(crate) agreement_audience: String,
    pub(crate) agreement_amendments: String,
    pub(crate) agreement_matrix: String,
    pub(crate) agreement_diff: String,
    pub(crate) agreement_diff_none: String,
    pub(crate) agreement_digest: String,
    pub(crate) agreement_valid: String,
    pub(crate) agreement_perpetual: String,
    pub(crate) agreement_approve: String,
    pub(crate) jobs: String,
    pub(crate) jobs_about: String,
    pub(crate) jobs_none: String,
    pub(crate) jobs_paused: String,
    pub(crate) jobs_reports: String,
    pub(crate) jobs_no_reports: String,
    pub(crate) column_job: String,
    pub(crate) column_day: String,
    pub(crate) column_attempts: String,
    pub(crate) column_said: String,
    pub(crate) column_look: String,
    pub(crate) explain: String,
    pub(crate) explain_about: String,
    pub(crate) explain_agency: String,
    pub(crate) explain_client: String,
    pub(crate) explain_student: String,
    pub(crate) explain_ask: String,
    pub(crate) explain_facts: String,
    pub(crate) explain_elements: String,
    pub(crate) explain_told: String,
    pub(crate) explain_restricted: String,
    pub(crate) column_domain: String,
    pub(crate) column_permitted: String,
    pub(crate) column_refused: String,
    pub(crate) column_clause: String,
    pub(crate) ledger: String,
    pub(crate) ledger_about: String,
    pub(crate) ledger_none: String,
    pub(crate) ledger_from: String,
    pub(crate) ledger_to: String,
    pub(crate) ledger_kind: String,
    pub(crate) ledger_id: String,
    pub(crate) column_time: String,
    pub(crate) column_party: String,
    pub(crate) column_purpose: String,
    pub(crate) column_who: String,
    pub(crate) column_records: String,
    pub(crate) column_outcome: String,
    pub(crate) column_entry: String,
    pub(crate) record: String,
    pub(crate) record_about: String,
    pub(crate) record_student: String,
    pub(crate) record_show: String,
    pub(crate) record_of: String,
    pub(crate) record_none: String,
    pub(crate) record_cut: String,
    pub(crate) record_family: String,
    pub(crate) print_hint: String,
    pub(crate) log: String,
    pub(crate) log_about: String,
    pub(crate) log_size: String,
    pub(crate) log_root: String,
    pub(crate) log_origin: String,
    pub(crate) log_signed: String,
    pub(crate) log_signed_ours: String,
    pub(crate) log_signed_not: String,
    pub(crate) log_waiting: String,
    pub(crate) log_lag: String,
    pub(crate) log_seconds: String,
    pub(crate) log_green: String,
    pub(crate) log_red: String,
    pub(crate) log_none: String,
    pub(crate) log_text: String,
    pub(crate) log_witnesses: String,
    pub(crate) log_witnesses_about: String,
    pub(crate) log_keys: String,
    pub(crate) log_keys_none: String,
    pub(crate) destruction: String,
    pub(crate) destruction_about: String,
    pub(crate) destruction_none: String,
    pub(crate) column_cause: String,
    pub(crate) column_destroy_by: String,
    pub(crate) column_attest_by: String,
    pub(crate) column_last_disclosed: String,
    pub(crate) overdue: String,
    pub(crate) due: String,
    pub(crate) authority_ended: String,
    pub(crate) called_back: String,
    pub(crate) student_title: String,
    pub(crate) all_agencies: String,
    pub(crate) case_recalled: String,
    pub(crate) reports: String,
    pub(crate) reports_about: String,
    pub(crate) reports_none: String,
    pub(crate) reports_which: String,
    pub(crate) reports_open: String,
    pub(crate) reports_all: String,
    pub(crate) report_title: String,
    pub(crate) report_about_steward: String,
    pub(crate) report_by: String,
    pub(crate) report_by_steward: String,
    pub(crate) report_said: String,
    pub(crate) report_answer: String,
    pub(crate) report_answer_about: String,
    pub(crate) report_remark: String,
    pub(crate) report_give: String,
    pub(crate) report_back: String,
    pub(crate) report_done: String,
    pub(crate) report_heading: String,
    pub(crate) report_about: String,
    pub(crate) report_note: String,
    pub(crate) report_send: String,
    pub(crate) report_own: String,
    pub(crate) report_client: String,
    pub(crate) report_other: String,
    pub(crate) report_waits: String,
    pub(crate) outcome_passed_on: String,
    pub(crate) outcome_corrected: String,
    pub(crate) outcome_stands: String,
    pub(crate) outcome_unclear: String,
    pub(crate) column_block: String,
    pub(crate) column_reported: String,
    pub(crate) column_became: String,
    pub(crate) column_answered: String,
    pub(crate) since_heading: String,
    pub(crate) since_first: String,
    pub(crate) since_nothing: String,
    pub(crate) since_some: String,
    pub(crate) since_new: String,
    pub(crate) since_gone: String,
    pub(crate) since_mark: String,
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
