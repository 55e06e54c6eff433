//! `throughline placement`.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Subcommand, ValueEnum};
use model::ConsumerId;

#[derive(Debug, Subcommand)]
pub enum Placement {
    /// Take an agency's report of stays in facilities.
    Load {
        /// The file.
        file: PathBuf,
        /// The agency.
        #[arg(long, default_value = "cssd")]
        consumer: ConsumerId,
        /// The day it speaks of; default: today.
        #[arg(long)]
        date: Option<NaiveDate>,
    },
    /// Tell the home districts' re-entry coordinators what they have not been told yet: a file a district.
    Notify {
        /// The agency whose reports notices are made of.
        #[arg(long, default_value = "cssd")]
        consumer: ConsumerId,
        /// One district only, by its code.
        #[arg(long, value_name = "CODE")]
        district: Option<String>,
        /// How the files are written.
        #[arg(long, default_value = "csv")]
        format: NoticeFormat,
        /// Where to: a folder a district is made in it.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Placements that a district was told of and does not show in facility 2 or special program status, and those it shows that nobody reported.
    Unshown {
        /// The agency that reports placements.
        #[arg(long, default_value = "cssd")]
        consumer: ConsumerId,
        /// How many days either side has.
        #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(0..=365))]
        days: u32,
        /// How it is written.
        #[arg(long, default_value = "text")]
        format: UnshownFormat,
        /// Where to; default: standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// The steward who asks.
        #[arg(long, value_name = "STEWARD")]
        by: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum UnshownFormat {
    /// For people.
    Text,
    /// Comma-separated, with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NoticeFormat {
    /// Comma-separated, with a header.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl NoticeFormat {
    /// The end of a file's name.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }
}
