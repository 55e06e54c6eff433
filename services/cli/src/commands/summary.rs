//! `throughline summary`.

mod verify;

use serde_json::json;
use summary::{Batch, Form, Language, RendererOptions};

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
    for failure in &report.failures {
        if place.json {
            console::json(&json!({ "file": failure.input, "error": failure.error.to_string() }))?;
        } else {
            console::line(false, format!("{}: {}", failure.input.display(), failure.error));
        }
    }
    if place.json {
        console::json(&json!({ "rendered": report.written.len(), "failed": report.failures.len() }))?;
    }
    Ok(Outcome::of(!report.failures.is_empty()))
}
