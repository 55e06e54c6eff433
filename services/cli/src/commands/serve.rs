//! `throughline serve`.

use super::Outcome;
use crate::args::{Place, Serve};

/// Serves the API.
pub async fn run(_place: &Place, _options: &Serve) -> anyhow::Result<Outcome> {
    anyhow::bail!("not wired yet")
}
