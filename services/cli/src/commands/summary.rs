//! `throughline summary`.

mod verify;

use serde_json::{Value as Json, json};
use summary::{Batch, Form, Language, RenderReport, RendererOptions, Written};

use super::Outcome;
use crate::{
    args::{Place, Summary, SummaryForm, SummaryLanguage},
    console::{self, Progress},
};

/// Renders JSON summaries, and verifies documents.
pub fn run(place: &Place, command: Summary) -> anyhow::Result<Outcome> {
    let (input, out, jobs, format, language, fonts) = match command {
        Summary::Render { input, out, jobs, format, language, fonts } => (input, out, jobs, format, language, fonts),
        Summary::Verify(options) => return verify::run(place, &options),
    };
    let batch = Batch {
        jobs,
        form: match format {
            SummaryForm::Pdf => Form::Pdf,
            SummaryForm::PdfWithRecord => Form::PdfWithRecord,
            SummaryForm::OnePage => Form::OnePage,
            SummaryForm::Html => Form::Html,
        },
        language: match language {
            SummaryLanguage::En => Language::English,
            SummaryLanguage::Es => Language::Spanish,
            SummaryLanguage::Pt => Language::Portuguese,
        },
        renderer: RendererOptions { extra_fonts: fonts },
    };
    let progress = Progress::begin("summary render", 0);
    let report = summary::render_path(&input, &out, &batch, &|done, _| progress.at(done as u64))?;
    progress.done(&format!("{} rendered", report.written.len()));
    if place.json {
        for line in lines(&report) {
            console::json(&line)?;
        }
    } else {
        for failure in &report.failures {
            console::line(false, format!("{}: {}", failure.input.display(), failure.error));
        }
    }
    for document in report.written.iter().filter(|one| one.without_glyph > 0) {
        console::warn(&without_glyph(document));
    }
    Ok(Outcome::of(!report.failures.is_empty()))
}

/// What is said of a document in which marks stand for characters: how many, never which.
fn without_glyph(of: &Written) -> String {
    let (document, count) = (of.document.display(), of.without_glyph);
    let marks = if count == 1 { "1 mark (\u{fffd}) stands" } else { &*format!("{count} marks (\u{fffd}) stand") };
    format!(
        "{document}: {marks} for characters that no font has; --fonts names a font that has them, or a folder of such \
         (Debian's fonts-noto-cjk for Chinese, Japanese and Korean)"
    )
}

/// One object for each input in the order of their names, then the totals.
fn lines(report: &RenderReport) -> Vec<Json> {
    let written = report
        .written
        .iter()
        .map(|one| (&one.input, json!({ "file": one.input, "document": one.document, "bytes": one.bytes })));
    let failed =
        report.failures.iter().map(|one| (&one.input, json!({ "file": one.input, "error": one.error.to_string() })));
    let mut lines: Vec<_> = written.chain(failed).collect();
    lines.sort_by_key(|(input, _)| *input);
    let totals = json!({ "rendered": report.written.len(), "failed": report.failures.len(), "bytes": report.bytes });
    lines.into_iter().map(|(_, line)| line).chain([totals]).collect()
}

#[cfg(test)]
mod tests {
    use summary::{Error, Failure};

    use super::*;

    #[test]
    fn each_document_is_an_object_and_the_totals_come_last() {
        let report = RenderReport {
            written: vec![Written { input: "b.json".into(), document: "b.pdf".into(), bytes: 7, without_glyph: 0 }],
            failures: vec![Failure { input: "a.json".into(), error: Error::Precondition("no code") }],
            bytes: 7,
        };
        let expected = [
            json!({ "file": "a.json", "error": Error::Precondition("no code").to_string() }),
            json!({ "file": "b.json", "document": "b.pdf", "bytes": 7 }),
            json!({ "rendered": 1, "failed": 1, "bytes": 7 }),
        ];
        assert_eq!(lines(&report), expected);
    }

    #[test]
    fn characters_that_no_font_has_are_counted_and_not_named() {
        let of = |without_glyph| Written { input: "a.json".into(), document: "a.pdf".into(), bytes: 7, without_glyph };
        assert!(
            super::without_glyph(&of(1))
                .starts_with("a.pdf: 1 mark (\u{fffd}) stands for characters that no font has; --fonts")
        );
        assert!(super::without_glyph(&of(12)).starts_with("a.pdf: 12 marks (\u{fffd}) stand for characters"));
    }
}
