//! `throughline summary`.

use serde_json::json;

use super::Outcome;
use crate::{
    args::{Place, Summary},
    console::{self, Progress},
};

/// Renders JSON summaries as PDF.
pub fn run(place: &Place, command: Summary) -> anyhow::Result<Outcome> {
    let Summary::Render { input, out, jobs } = command;
    let progress = Progress::begin("summary render", 0);
    let report = summary::render_path(&input, &out, jobs, &|done, _| progress.at(done as u64))?;
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
