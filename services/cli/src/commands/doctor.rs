//! `throughline doctor`: looks at everything that the exchange rests on, changes nothing, and says what is wrong and what to do about it.

mod database;
mod files;

use std::{fmt, path::Path};

use serde::Serialize;

use super::Outcome;
pub use files::{first_end, free_bytes};

use crate::{
    args::Place,
    console,
    settings::Settings,
    system::{SystemClock, data_folder},
};

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    /// As it should be.
    Ok,
    /// It will be wrong, or is not as it is meant.
    Warning,
    /// The exchange does not work, or not as it must.
    Problem,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "PROBLEM",
        })
    }
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Seen {
    level: Level,
    /// What of the exchange it is about.
    area: &'static str,
    /// What was seen.
    what: String,
    /// What to do; empty where nothing is.
    advice: String,
}

/// Everything that was looked at.
#[derive(Debug, Default)]
struct Report(Vec<Seen>);

impl Report {
    fn see(&mut self, level: Level, area: &'static str, what: &str, advice: String) {
        // A line each: mistakes of the configuration come as several.
        let what = what.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        self.0.push(Seen { level, area, what, advice });
    }

    fn ok(&mut self, area: &'static str, what: impl Into<String>) {
        self.see(Level::Ok, area, &what.into(), String::new());
    }

    fn warning(&mut self, area: &'static str, what: impl Into<String>, advice: impl Into<String>) {
        self.see(Level::Warning, area, &what.into(), advice.into());
    }

    fn problem(&mut self, area: &'static str, what: impl Into<String>, advice: impl Into<String>) {
        self.see(Level::Problem, area, &what.into(), advice.into());
    }

    fn worst(&self) -> Level {
        self.0.iter().map(|seen| seen.level).max().unwrap_or(Level::Ok)
    }
}

/// Looks, and says what it saw. Nothing is made, migrated or put into force.
pub async fn run(place: &Place) -> anyhow::Result<Outcome> {
    let data = place.data.clone().unwrap_or_else(data_folder);
    let mut report = Report::default();
    if let Some(settings) = files::settings(place, &data, &mut report) {
        files::look(&settings, &data, &SystemClock, &mut report);
        database::look(&settings, &data, &mut report).await;
    }
    for seen in &report.0 {
        if place.json {
            console::json(seen)?;
        } else {
            let advice = if seen.advice.is_empty() { String::new() } else { format!("\n         {}", seen.advice) };
            console::line(false, format!("{:<8} {}: {}{advice}", seen.level, seen.area, seen.what));
        }
    }
    Ok(Outcome::of(report.worst() > Level::Ok))
}

/// What can be seen without the database, told on standard error where it is not as it should be: before the exchange serves.
pub fn before_serving(settings: &Settings, data: &Path) {
    let mut report = Report::default();
    files::look(settings, data, &SystemClock, &mut report);
    for seen in report.0.iter().filter(|seen| seen.level > Level::Ok) {
        console::warn(&format!("{}: {}; {}", seen.area, seen.what, seen.advice));
    }
}
