//! Words: one table, each line in each language, read when the program starts.

use std::{collections::BTreeMap, sync::LazyLock};

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use chrono_tz::Tz;

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
    // Cannot fail: the table is part of the program, and a test reads it in each language.
    let table: toml::Table = TABLE.parse().unwrap_or_default();
    let lines = table.iter().filter_map(|(key, texts)| Some((key.as_str(), texts.get(language.code())?.as_str()?)));
    Words::of(lines.collect())
}

/// A text with its places filled.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// Makes the struct of these texts. Reading it is spelled out here and not derived: what serde makes of so many fields takes the compiler minutes.
macro_rules! words {
    ($($name:ident),* $(,)?) => {
        /// The texts of one language, by the names of the table's lines.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub(crate) struct Words {
            $(pub(crate) $name: String,)*
        }

        impl Words {
            /// Every text there is.
            #[cfg(test)]
            const NAMES: &[&str] = &[$(stringify!($name)),*];

            fn of(mut texts: BTreeMap<&str, &str>) -> Self {
                let mut text = |name| texts.remove(name).unwrap_or_default().to_owned();
                Self { $($name: text(stringify!($name)),)* }
            }
        }
    };
}

words!(
    product,
    skip,
    sandbox_banner,
    sign_in,
    sign_in_about,
    sign_in_again,
    sign_out,
    sign_out_everywhere,
    signed_out,
    why_ended,
    why_changed,
    why_stale,
    why_refused,
    why_no_role,
    caseload,
    caseload_own,
    caseload_office,
    caseload_agency,
    search,
    search_label,
    search_hint,
    show_all,
    count_one,
    count_many,
    count_found,
    caseload_cut,
    none_found,
    none_at_all,
    page_of,
    previous,
    next,
    column_name,
    column_person_key,
    column_birth_date,
    column_office,
    column_officer,
    column_basis,
    column_since,
    column_until,
    no_end,
    basis_uninterrupted_scholars,
    basis_juvenile_justice,
    basis_parent_consent,
    basis_court_order,
    basis_emergency,
    basis_audit,
    basis_other,
    back_to_caseload,
    download_pdf,
    download_one_page,
    recorded,
    no_work_title,
    no_work,
    choose_persona,
    choose_persona_about,
    choose,
    not_available,
    training_missing,
    not_admitted,
    forged,
    invalid,
    not_found,
    too_large,
    unavailable,
    internal,
    not_yours,
    already_done,
    overview,
    overview_about,
    review,
    review_about,
    review_none,
    case_title,
    case_about,
    case_none,
    case_client,
    case_candidate,
    case_likely,
    case_taken,
    case_not_proposed,
    case_values,
    case_weights,
    case_same,
    case_differs,
    case_unknown,
    case_for,
    case_against,
    case_reason,
    case_is,
    case_is_not,
    case_nobody,
    case_undo,
    case_past,
    case_back,
    case_done_match,
    case_done_not,
    case_done_undone,
    column_agency,
    column_client,
    column_student,
    column_what,
    column_level,
    column_candidates,
    column_best,
    column_waiting_since,
    column_urgency,
    contested,
    authority_runs,
    column_waiting,
    column_contested,
    column_oldest,
    batches,
    batches_about,
    batches_none,
    batch_title,
    column_file,
    column_layout,
    column_received,
    column_state,
    column_rows_in,
    column_loaded,
    column_unchanged,
    column_superseded,
    column_quarantined,
    column_control,
    column_erased,
    findings,
    findings_about,
    findings_none,
    findings_by_rule,
    findings_download,
    findings_lineage,
    column_line,
    column_column,
    column_field,
    column_rule,
    column_severity,
    column_message,
    column_count,
    any,
    filter,
    show_more,
    agreements,
    agreements_about,
    agreements_none,
    agreement_title,
    column_agreement,
    column_version,
    column_recipient,
    column_in_force,
    column_ended,
    on_file,
    in_force,
    agreement_parties,
    agreement_population,
    agreement_purposes,
    agreement_bases,
    agreement_clauses,
    agreement_access,
    agreement_onward,
    agreement_retention,
    agreement_retention_days,
    agreement_audience,
    agreement_amendments,
    agreement_matrix,
    agreement_diff,
    agreement_diff_none,
    agreement_digest,
    agreement_valid,
    agreement_perpetual,
    agreement_approve,
    jobs,
    jobs_about,
    jobs_none,
    jobs_paused,
    jobs_reports,
    jobs_no_reports,
    column_job,
    column_day,
    column_attempts,
    column_said,
    column_look,
    explain,
    explain_about,
    explain_agency,
    explain_client,
    explain_student,
    explain_ask,
    explain_facts,
    explain_elements,
    explain_told,
    explain_restricted,
    column_domain,
    column_permitted,
    column_refused,
    column_clause,
    ledger,
    ledger_about,
    ledger_none,
    ledger_from,
    ledger_to,
    ledger_kind,
    ledger_id,
    column_time,
    column_party,
    column_purpose,
    column_who,
    column_records,
    column_outcome,
    column_entry,
    record,
    record_about,
    record_student,
    record_show,
    record_of,
    record_none,
    record_cut,
    record_family,
    print_hint,
    log,
    log_about,
    log_size,
    log_root,
    log_origin,
    log_signed,
    log_signed_ours,
    log_signed_not,
    log_waiting,
    log_lag,
    log_seconds,
    log_green,
    log_red,
    log_none,
    log_text,
    log_witnesses,
    log_witnesses_about,
    log_keys,
    log_keys_none,
    destruction,
    destruction_about,
    destruction_none,
    column_cause,
    column_destroy_by,
    column_attest_by,
    column_last_disclosed,
    overdue,
    due,
    authority_ended,
    called_back,
    stopped,
    student_title,
    all_agencies,
    case_recalled,
    reports,
    reports_about,
    reports_none,
    reports_which,
    reports_open,
    reports_all,
    report_title,
    report_about_steward,
    report_by,
    report_by_steward,
    report_said,
    report_answer,
    report_answer_about,
    report_remark,
    report_give,
    report_back,
    report_done,
    report_heading,
    report_about,
    report_note,
    report_send,
    report_own,
    report_client,
    report_other,
    report_waits,
    outcome_passed_on,
    outcome_corrected,
    outcome_stands,
    outcome_unclear,
    column_block,
    column_reported,
    column_became,
    column_answered,
    since_heading,
    since_first,
    since_nothing,
    since_some,
    since_new,
    since_mark,
    log_signed_at,
    column_witness,
    column_cosigned,
    column_behind,
    witness_none,
    witness_never,
    witness_not_believed,
    witness_late,
    witness_holds,
    witness_other_log,
    witness_rolled_back,
    witness_forked,
    witness_alarm,
    kept,
    kept_about,
    kept_checkpoint,
    kept_check,
    kept_verdict,
    kept_not_believed,
    kept_by_nobody,
    notices,
    notices_about,
    notices_none,
    notices_recorded,
    notices_more,
    notices_take,
    notices_take_about,
    notice_entered,
    notice_left,
    notice_retracted,
    notice_destroy,
    notice_of_nobody,
    notice_earlier,
    column_state_id,
    column_event,
    column_facility,
    column_unit,
    column_noticed,
    follow,
    follow_stop,
    error_title,
    home,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_there_in_every_language_with_the_same_places() {
        let table: toml::Table = TABLE.parse().unwrap();
        let mut keys: Vec<&str> = table.keys().map(String::as_str).collect();
        let mut names = Words::NAMES.to_vec();
        keys.sort_unstable();
        names.sort_unstable();
        assert_eq!(keys, names, "every line has its text, and every text its line");
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

    #[test]
    fn documents_are_in_the_language_of_the_page() {
        assert_eq!(Language::ALL.map(Language::of_summaries), [summary::Language::English, summary::Language::Spanish]);
    }
}
