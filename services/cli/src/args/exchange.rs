//! What `throughline exchange` is given.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::Subcommand;
use model::ConsumerId;

/// An agency's nights.
#[derive(Debug, Subcommand)]
pub enum Exchange {
    /// Match, build the population, deliver files and summaries.
    Run {
        /// The agency.
        #[arg(long)]
        consumer: ConsumerId,
        /// The day of the run; default: today.
        #[arg(long)]
        date: Option<NaiveDate>,
        /// Where deliveries go; default: `out/<consumer>` beside the data folder.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// What a run would do, without doing it.
    Plan {
        /// The agency.
        #[arg(long)]
        consumer: ConsumerId,
        /// The day of the run; default: today.
        #[arg(long)]
        date: Option<NaiveDate>,
    },
    /// How the nights stand that `serve` runs; ends with 3 if one needs a person.
    Status,
    /// Stop an agency's nights; what is under way goes on to its end.
    Pause {
        /// The agency.
        #[arg(long)]
        consumer: ConsumerId,
        /// Who stops them.
        #[arg(long)]
        by: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Let an agency's nights go on.
    Resume {
        /// The agency.
        #[arg(long)]
        consumer: ConsumerId,
    },
    /// Try a night that failed now.
    Retry {
        /// The agency.
        #[arg(long)]
        consumer: ConsumerId,
        /// The night; default: the last.
        #[arg(long)]
        date: Option<NaiveDate>,
    },
    /// Why a night was run, or was not.
    Explain {
        /// The agency.
        #[arg(long)]
        consumer: ConsumerId,
        /// The night; default: today's.
        #[arg(long)]
        date: Option<NaiveDate>,
    },
}
