//! `throughline identity`.

mod crosswalk;
mod review;

use std::path::Path;

use anyhow::{Context as _, anyhow};
pub use crosswalk::merge;
use intake::restriction::{Entered, Order};
use model::Masked;
use serde_json::json;

use super::{Outcome, with_app};
use crate::{
    app::App,
    args::{Identity, Place},
    console::{self, Progress},
    settings::Settings,
};

/// Links two files, enters restrictions, moves state ids, decides on doubtful matches.
pub async fn run(place: &Place, command: Identity) -> anyhow::Result<Outcome> {
    let (left, right, out, model, save_model) = match command {
        Identity::Link { left, right, out, model, save_model } => (left, right, out, model, save_model),
        Identity::Restrict { input, sea } => {
            return with_app(place, |app| async move {
                let (in_force, waiting) = restrict(&app, &input, &sea).await?;
                if place.json {
                    console::json(&serde_json::json!({ "in_force": in_force, "waiting_lines": waiting }))?;
                }
                console::line(place.json, format!("{in_force} restrictions are entered"));
                for line in &waiting {
                    let message = "names nobody whom the state has reported; it is kept, and in force from the moment that it does";
                    console::line(place.json, format!("line {line} {message}"));
                }
                Ok(Outcome::of(!waiting.is_empty()))
            })
            .await;
        }
        Identity::Review(command) => return review::run(place, command).await,
        moving => return crosswalk::run(place, moving).await,
    };
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
                "matched from probability {:.6}; expected wrong among the matches: {:.2}; expected missed: {:.1}",
                linkage.match_probability_min, linkage.expected_wrong, linkage.expected_missed
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

/// The steward who acts: a registered one. In the sandbox nobody need be named.
pub fn steward(app: &App, by: Option<String>) -> anyhow::Result<String> {
    let stewards = app.agreements.stewards();
    let by = by.or_else(|| app.sandbox_steward().map(str::to_owned)).context("--by names the steward who decides")?;
    anyhow::ensure!(stewards.find(&by).is_some(), "{by} is not a registered steward");
    Ok(by)
}

/// What was disclosed on a wrong match, for people and as JSON.
fn say_recalled(place: &Place, recalled: &[disclosure::recall::Recalled]) -> anyhow::Result<()> {
    for one in recalled {
        if place.json {
            console::json(&json!({
                "recall": one.disclosure, "consumer": one.consumer, "person_key": one.person_key.expose(), "student": one.student,
                "disclosed_at": one.disclosed_at, "delivery": one.delivery,
            }))?;
        } else {
            let (id, to, key) = (one.disclosure, &one.consumer, one.person_key.expose());
            console::line(
                false,
                format!(
                    "  to call back: disclosure {id} to {to}, client {key}, {} ({})",
                    one.disclosed_at, one.delivery
                ),
            );
        }
    }
    Ok(())
}

/// An order as a line of NDJSON gives it. Lines of other shapes are refused.
#[derive(serde::Deserialize)]
struct OrderLine {
    sasid: String,
    kind: String,
    domain: Option<model::Domain>,
    order_number: Option<String>,
    ordered_on: Option<chrono::NaiveDate>,
}

/// Enters the orders of a file; gives how many are in force, and the lines of those that name nobody known and wait for them. A record that a court had erased is sealed, until
/// it is erased.
pub async fn restrict(app: &App, input: &Path, sea: &model::Sea) -> anyhow::Result<(u64, Vec<usize>)> {
    let text = std::fs::read_to_string(input).with_context(|| format!("cannot read {}", input.display()))?;
    let zone = chrono_tz::America::New_York;
    let at = app.clock().now();
    let (mut in_force, mut waiting) = (0, Vec::new());
    for (number, line) in text.lines().enumerate() {
        let order: OrderLine =
            serde_json::from_str(line).map_err(|error| anyhow!("{}, line {}: {error}", input.display(), number + 1))?;
        // What the state's own file marks needs no order.
        let (Some(order_number), Some(ordered_on)) = (order.order_number, order.ordered_on) else { continue };
        let kind = if order.kind == "erased" { "sealed".to_owned() } else { order.kind };
        let order = Order {
            sea: sea.clone(),
            state_id: Masked::new(order.sasid),
            kind,
            domain: order.domain,
            ordered_on,
            order_number,
        };
        match intake::restriction::restrict(app.pool(), &order, zone, "steward", at).await? {
            Entered::New | Entered::Known => in_force += 1,
            Entered::Awaiting => waiting.push(number + 1),
        }
    }
    Ok((in_force, waiting))
}
