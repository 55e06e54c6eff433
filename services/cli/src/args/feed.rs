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
        /// `ndjson`, `csv`, `xlsx`, `parquet`, `cmis`, `term`, or the id of a layout that can be produced, such as `la-sis`.
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
    /// The receiving side: hold a delivered night against its manifest and, with the key it was encrypted to, open it.
    Open {
        /// The night's folder, as it was delivered: the one with `manifest.json`.
        night: PathBuf,
        /// The private key, as `age-keygen` writes it; needed for what is encrypted.
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// The folder for what is opened; without it the night is only looked at.
        #[arg(long)]
        out: Option<PathBuf>,
    },
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
#[derive(Clone, Debug, PartialEq, Eq, ClapArgs)]
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
    /// A state's layout: codes of the districts it is for; default: all.
    #[arg(long = "district", value_name = "CODE")]
    pub districts: Vec<String>,
    /// A state's layout: codes of the schools it is for; default: all.
    #[arg(long = "school", value_name = "CODE")]
    pub schools: Vec<String>,
    /// A state's layout: a file of the state identifiers of the students it is for, one a line; default: all.
    #[arg(long = "students", value_name = "FILE")]
    pub students: Option<PathBuf>,
    /// A state's layout: the kinds of record it has, by code or, where there is none, name; default: all.
    #[arg(long = "record", value_name = "CODE")]
    pub records: Vec<String>,
    /// A state's layout: only students who are marked for partial files.
    #[arg(long = "partial-file")]
    pub partial_file: bool,
}

impl Report {
    /// All there is.
    pub const fn whole() -> Self {
        Self {
            from: None,
            to: None,
            promoted: Vec::new(),
            excluded_schools: Vec::new(),
            districts: Vec::new(),
            schools: Vec::new(),
            students: None,
            records: Vec::new(),
            partial_file: false,
        }
    }
}
