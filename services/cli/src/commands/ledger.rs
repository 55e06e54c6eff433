//! `throughline ledger`.

pub mod disclosures;
mod fetch;
mod rotate;
mod verify;
pub mod witness;

use std::fs;

use anyhow::bail;
use ledger::Details;
use pg::Role;

use self::verify::diverged;
pub use self::witness::verifier_key;
use super::{Outcome, with_app};
use crate::{
    args::{Ledger, Place},
    console,
};

/// Verifies, exports and lists. With `--tiles` and `--log-key` nothing but the files is needed.
pub async fn run(place: &Place, command: Ledger) -> anyhow::Result<Outcome> {
    if let Ledger::Witness(options) = &command {
        return witness::run(place, options).await;
    }
    let command = match command {
        Ledger::Verify { tiles, ca: authorities, checkpoint, log_key, witnesses } => {
            let options = verify::Options { tiles, authorities, checkpoint, log_key, witnesses };
            return verify::run(place, options).await;
        }
        other => other,
    };
    with_app(place, |app| async move {
        let trusted = app.log_keys().await?;
        match command {
            Ledger::Witness(_) | Ledger::Verify { .. } => bail!("this needs no prepared database"),
            Ledger::Export { out } => {
                app.sequence().await?;
                let (trusted, out_dir) = (&trusted, &out);
                let exported = pg::run_tx(app.pool(), "ledger.export", Role::Ledger, |tx| {
                    Box::pin(async move { ledger::export(tx, out_dir, trusted, Details::Omit).await })
                })
                .await;
                if let Err(error @ ledger::Error::Diverged(_)) = exported {
                    return diverged(place, &format!("{error}; {} stays as it was", out.display()));
                }
                exported?;
                fs::write(out.join("log-key.txt"), format!("{}\n", app.first_log_key()?))?;
                console::line(
                    place.json,
                    format!("exported to {}; keep its checkpoint and log-key.txt elsewhere", out.display()),
                );
                Ok(Outcome::Done)
            }
            Ledger::RotateKey(author) => {
                let by = super::identity::steward(&app, author.by)?;
                let new = rotate::run(&app, (&by, &author.reason)).await?;
                console::line(
                    place.json,
                    format!("the log signs with {new} from now on; partners come to it by the log itself"),
                );
                Ok(Outcome::Done)
            }
            Ledger::Disclosures(options) => disclosures::run(&app, options).await,
        }
    })
    .await
}
