//! What `throughline summary` is given.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

/// Documents of the Client School Records Summary.
#[derive(Debug, Subcommand)]
pub enum Summary {
    /// Make documents from JSON summaries, without a database.
    Render {
        /// A file or folder of `school-records-summary/1` JSON.
        #[arg(long = "in")]
        input: PathBuf,
        /// A file or folder.
        #[arg(long)]
        out: PathBuf,
        /// Threads.
        #[arg(long, default_value_t = 2)]
        jobs: usize,
        /// What is made.
        #[arg(long, value_enum, default_value_t = SummaryForm::Pdf)]
        format: SummaryForm,
        /// The language of headings and wording; values stay as they are.
        #[arg(long, value_enum, default_value_t = SummaryLanguage::En)]
        language: SummaryLanguage,
        /// A font or a folder of fonts, for scripts that the embedded ones lack (Chinese, Japanese, Korean).
        #[arg(long, value_name = "PATH")]
        fonts: Option<PathBuf>,
    },
    /// Check a document's signature, digest and proof, without a database.
    Verify(VerifySummary),
}

/// A document to check.
#[derive(Debug, ClapArgs)]
pub struct VerifySummary {
    /// The document. Its proof is looked for beside it, under its name with `.tlog-proof`.
    pub file: PathBuf,
    /// A certificate that summaries are signed under, PEM; default: that of the data folder.
    #[arg(long = "certificate", value_name = "FILE")]
    pub certificates: Vec<PathBuf>,
    /// Certificates, PEM, that vouch for the authority whose time stamp documents bear; default: those of the configuration.
    #[arg(long, value_name = "FILE")]
    pub authority: Option<PathBuf>,
    /// The log's public key, a file with one verifier key; default: that of the data folder.
    #[arg(long, value_name = "FILE")]
    pub log_key: Option<PathBuf>,
    /// The proof, where it lies elsewhere.
    #[arg(long, value_name = "FILE")]
    pub proof: Option<PathBuf>,
}

/// See [`::summary::Form`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SummaryForm {
    /// PDF/A-2a and PDF/UA-1.
    Pdf,
    /// PDF/A-3a and PDF/UA-1 with the JSON record inside.
    PdfWithRecord,
    /// One page.
    OnePage,
    /// A web page.
    Html,
}

/// See [`::summary::Language`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SummaryLanguage {
    /// English.
    En,
    /// Spanish.
    Es,
    /// Portuguese.
    Pt,
}
