//! `throughline config`.

use super::Outcome;
use crate::{
    args::{Config, Place},
    console,
    settings::Settings,
};

/// Reads the configuration and says every mistake.
pub fn run(place: &Place, command: &Config) -> anyhow::Result<Outcome> {
    let Config::Check = command;
    let data = place.data.clone().unwrap_or_else(crate::system::data_folder);
    let settings = Settings::load(place.config.as_deref(), &data)?;
    settings.check()?;
    // As they would count: names and keys of their own, each key a file that reads.
    settings.stewards()?;
    console::line(place.json, format!("the configuration is in order; sandbox: {}", settings.sandbox));
    Ok(Outcome::Done)
}
