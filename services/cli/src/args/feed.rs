//! What `throughline feed` is given.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args as ClapArgs, Subcommand};
use model::ConsumerId;

/// A consumer's whole feed: as files, or taken over the wire.
#[derive(Debug, Subcommand)]
pub enum Feed {
    /// The consumer's whole feed as files with a manifest.
    Export {
        /// The consumer; `sea` for the SEA's own complete export.
        #[arg(long)]
        consumer: ConsumerId,
        /// One office's part.
        #[arg(long)]
        office: Option<String>,
        /// `ndjson`, `csv`, `xlsx`, `parquet`, `cmis`, or the id of a layout that can be produced, such as `la-sis`.
        #[arg(long)]
        format: String,
        /// The folder.
        #[arg(long)]
        out: PathBuf,
        /// What was known then.
        #[arg(long)]
        as_of: Option<DateTime<Utc>>,
        /// Who asks, for the record.
        #[arg(long, default_value = "operator")]
        by: String,
        /// Why, for the stewards who approve it and for the record.
        #[arg(long, default_value = "asked for on the command line")]
        reason: String,
        /// A request that two stewards have approved; without it a request is made (and, in the sandbox, approved).
        #[arg(long, value_name = "DIGEST")]
        request: Option<String>,
        #[command(flatten)]
        report: Report,
    },
    /// The receiving side: take the feed into a copy of your own, from where it was cut; needs nothing of the exchange but its address.
    Pull(Pull),
}

/// Where the feed comes from, who asks, and where it is kept.
#[derive(Debug, ClapArgs)]
pub struct Pull {
    /// The exchange: HOST:PORT.
    #[arg(long)]
    pub server: String,
    /// Your certificate, PEM.
    #[arg(long)]
    pub cert: PathBuf,
    /// Its private key, PEM.
    #[arg(long)]
    pub key: PathBuf,
    /// The authority that vouches for the exchange, PEM.
    #[arg(long)]
    pub ca: PathBuf,
    /// A folder (one current set of CSV files), `sqlite:FILE`, or `postgres:URL`.
    #[arg(long)]
    pub to: String,
    /// Only this office's clients.
    #[arg(long)]
    pub office: Option<String>,
    /// The purpose, by its code in the agreement; default: its first.
    #[arg(long)]
    pub purpose: Option<String>,
    /// The public key of the record of disclosures: the ledger is held against what was seen of it before, and disclosures against the ledger.
    #[arg(long, value_name = "FILE")]
    pub log_key: Option<PathBuf>,
    /// Attempts after one that brought nothing.
    #[arg(long, default_value_t = 10)]
    pub retries: u32,
}

/// What a report in a state's own layout takes in; it can only narrow what is disclosed.
#[derive(Clone, Debug, ClapArgs)]
pub struct Report {
    /// A state's layout: the report's first day.
    #[arg(long = "report-from", value_name = "DATE")]
    pub from: Option<NaiveDate>,
    /// A state's layout: the report's last day, on which enrollments count as active; default: today.
    #[arg(long = "report-to", value_name = "DATE")]
    pub to: Option<NaiveDate>,
    /// A state's layout: exit codes of students who were promoted or stay in the district; their exits are not reported.
    #[arg(long = "promoted", value_name = "CODE")]
    pub promoted: Vec<String>,
    /// A state's layout: codes of schools that are excluded from state reporting; what belongs to them is left out.
    #[arg(long = "exclude-school", value_name = "CODE")]
    pub excluded_schools: Vec<String>,
}

impl Report {
    /// All there is.
    pub const fn whole() -> Self {
        Self { from: None, to: None, promoted: Vec::new(), excluded_schools: Vec::new() }
    }
}
