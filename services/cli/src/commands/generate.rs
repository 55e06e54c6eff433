//! `throughline generate`.

use serde_json::json;

use super::Outcome;
use crate::{
    args::{Generate, Place},
    console::{self, Progress},
    generate,
};

/// Writes an invented state.
pub fn run(place: &Place, options: &Generate) -> anyhow::Result<Outcome> {
    let mut wanted = generate::Options::new(options.students, options.seed, options.out.clone());
    if let Some(years) = options.years {
        wanted.years = years;
    }
    if let Some(clients) = options.clients {
        wanted.clients = clients;
    }
    let progress = Progress::begin("generate", options.students);
    let report = generate::run(&wanted, &|_, done, _| progress.at(done))?;
    progress.done(&format!("{} files", report.files.len()));
    if place.json {
        for file in &report.files {
            console::json(&json!({ "file": file.path, "rows": file.rows, "bytes": file.bytes }))?;
        }
    } else {
        console::line(false, format!("{} students in {}", options.students, options.out.display()));
    }
    Ok(Outcome::Done)
}
