//! `throughline identity`.

use serde_json::json;

use super::Outcome;
use crate::{
    args::{Identity, Place},
    console::{self, Progress},
    settings::Settings,
};

/// Links two files.
pub fn run(place: &Place, command: Identity) -> anyhow::Result<Outcome> {
    let Identity::Link { left, right, out, model, save_model } = command;
    let data = place.data.clone().unwrap_or_else(crate::system::data_folder);
    let settings = Settings::load(place.config.as_deref(), &data)?;
    let progress = Progress::begin("link", 0);
    let report = identity::link::link_files(
        &left,
        &right,
        &out,
        model.as_deref(),
        save_model.as_deref(),
        &settings.matching,
        &|_, done, _| progress.at(done),
    )?;
    let linkage = &report.report;
    progress.done(&format!("{} matches, {} for review", linkage.matches, linkage.reviews));
    if place.json {
        console::json(&json!({
            "left": linkage.left, "right": linkage.right, "matches": linkage.matches, "reviews": linkage.reviews,
            "threshold": linkage.match_probability_min, "expected_wrong": linkage.expected_wrong,
            "expected_missed": linkage.expected_missed, "findings": report.findings_total,
        }))?;
    } else {
        console::line(
            false,
            format!(
                "{} of {} right records matched, {} wait for review",
                linkage.matches, linkage.right, linkage.reviews
            ),
        );
        console::line(
            false,
            format!(
                "expected wrong among the matches: {:.2}; expected missed: {:.1}",
                linkage.expected_wrong, linkage.expected_missed
            ),
        );
    }
    for finding in &report.findings {
        console::line(
            place.json,
            format!("{}, line {}, {}: {}", finding.file.display(), finding.line, finding.column, finding.message),
        );
    }
    Ok(Outcome::of(report.findings_total > 0))
}
