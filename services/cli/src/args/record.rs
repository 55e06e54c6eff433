//! Papers and records: an agency's certification, and asking for a record of disclosures.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::Args as ClapArgs;

/// A certification, or the request for one that two stewards approved.
#[derive(Debug, ClapArgs)]
pub struct Certify {
    /// The agency.
    #[arg(long, required_unless_present = "request", conflicts_with = "request")]
    pub consumer: Option<model::ConsumerId>,
    /// Who signed for it, by office.
    #[arg(long, required_unless_present = "request", conflicts_with = "request")]
    pub holder: Option<String>,
    /// Where the paper is.
    #[arg(long, required_unless_present = "request", conflicts_with = "request")]
    pub reference: Option<String>,
    /// The first day it holds.
    #[arg(long, required_unless_present = "request", conflicts_with = "request")]
    pub from: Option<NaiveDate>,
    /// The last day it holds; default: until it is taken back.
    #[arg(long, conflicts_with = "request")]
    pub to: Option<NaiveDate>,
    /// The request that two stewards approved: its digest, or at least its first eight digits.
    #[arg(long)]
    pub request: Option<String>,
    /// Who puts it on file.
    #[arg(long)]
    pub by: String,
}

/// What a record of disclosures is of, for whom, and in which form.
#[derive(Debug, ClapArgs)]
#[command(group = clap::ArgGroup::new("of").required(true).multiple(true).args(["student", "school", "request"]))]
pub struct Disclosures {
    /// The student, by the exchange's own id. A parent's or student's copy names one.
    #[arg(long)]
    pub student: Option<uuid::Uuid>,
    /// A school or district, by its state's code, such as `ct:0640011`: the students reported as enrolled there, from the first report on.
    #[arg(long, value_name = "SEA:CODE", value_parser = school)]
    pub school: Option<disclosure::School>,
    /// A request: a run, or a disclosure by its verification code; or the digest of what two stewards approved (at least eight digits).
    #[arg(long, value_name = "ID")]
    pub request: Option<String>,
    /// The first day.
    #[arg(long)]
    pub from: Option<NaiveDate>,
    /// The last day.
    #[arg(long)]
    pub to: Option<NaiveDate>,
    /// `csv`, `json`, `html` (a page) or `pdf` (which needs `--out`).
    #[arg(long, default_value = "csv")]
    pub format: String,
    /// `parent`, `eligible_student`, `district` or `auditor`.
    #[arg(long, default_value = "auditor")]
    pub audience: String,
    /// A file; default: standard output.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// A steward has looked at this copy and releases it; outside the sandbox with `--key`.
    #[arg(long)]
    pub release: bool,
    /// The releasing steward's private key.
    #[arg(long, requires = "release", value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// An entry that the steward holds back from this copy.
    #[arg(long = "hold", requires = "release", value_name = "ENTRY")]
    pub holds: Vec<uuid::Uuid>,
    /// Who asks, for the record.
    #[arg(long, default_value = "operator")]
    pub by: String,
}

fn school(text: &str) -> Result<disclosure::School, String> {
    let (sea, code) = text.split_once(':').ok_or("a school is given as SEA:CODE, such as ct:0640011")?;
    if code.trim().is_empty() {
        return Err("a school has a code".to_owned());
    }
    let sea = sea.parse().map_err(|_| "the state's name cannot be read".to_owned())?;
    Ok(disclosure::School { sea, code: code.trim().to_owned() })
}
