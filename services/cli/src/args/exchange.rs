//! What `throughline exchange` is given.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args as ClapArgs, Subcommand};
use model::ConsumerId;

/// An agency's nights.
#[derive(Debug, Subcommand)]
pub enum Exchange {
    /// Match, build the population, deliver files and summaries. For whoever is told of placements: take the reports that wait (`in/<agency>/placements` beside the
    /// data folder, `YYYY-MM-DD*.csv`), tell the districts, and write what one side alone knows beside the night's report.
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
    /// Stop an agency's nights, or the erasure of personal detail; what is under way goes on to its end.
    Pause {
        #[command(flatten)]
        which: Which,
        /// Who stops them.
        #[arg(long)]
        by: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Let go on what was stopped.
    Resume {
        #[command(flatten)]
        which: Which,
    },
    /// Try now what failed.
    Retry {
        #[command(flatten)]
        which: Which,
        /// Its day; default: the last.
        #[arg(long)]
        date: Option<NaiveDate>,
    },
    /// Why a night, or a day's erasure, was run or was not.
    Explain {
        #[command(flatten)]
        which: Which,
        /// Its day; default: today.
        #[arg(long)]
        date: Option<NaiveDate>,
    },
}

/// Work that is done on a calendar, as its `serve` does it.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// The nights of this agency.
    #[arg(long)]
    pub consumer: Option<ConsumerId>,
    /// The daily erasure of personal detail from the ledger.
    #[arg(long)]
    pub detail: bool,
}
