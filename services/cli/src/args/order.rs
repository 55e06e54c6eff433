//! What is done by order, and what partners do: erasing, opening records by court order, destruction at a recipient's, witnessing the log.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// Erasing for good.
#[derive(Debug, Subcommand)]
pub enum Erase {
    /// Say what an erasure would take and what stays, and put the request on file: two stewards approve it.
    Request(EraseRequest),
    /// Facts of a student in one domain, by the keys under which a single one is erased. Entered in the ledger; shows no content.
    Facts {
        #[command(flatten)]
        whose: Whose,
        /// The domain.
        #[arg(long)]
        domain: model::Domain,
        /// The steward who asks; in the sandbox the first of the built-in ones.
        #[arg(long)]
        by: Option<String>,
    },
    /// Carry out a request that two stewards have approved. It cannot be undone.
    Run {
        /// The request: its digest, or at least its first eight digits.
        request: String,
        /// Folders with deliveries of ours beyond those the exchange remembers.
        #[arg(long, value_name = "DIR")]
        deliveries: Vec<PathBuf>,
    },
    /// Erasures and how far they have come; one that was broken off goes on first.
    Status,
}

/// What is to be erased, on whose order.
#[derive(Debug, ClapArgs)]
pub struct EraseRequest {
    #[command(flatten)]
    pub whose: Whose,
    /// With `--fact`: the domain of the one fact that goes.
    #[arg(long, requires = "fact")]
    pub domain: Option<model::Domain>,
    /// The key of the one fact that goes, as `erase facts` lists it.
    #[arg(long, requires = "domain")]
    pub fact: Option<uuid::Uuid>,
    /// `court_order` or `retention`.
    #[arg(long)]
    pub ground: intake::erase::Ground,
    /// The number of the order, or of the retention decision. No names: it outlives what is erased.
    #[arg(long)]
    pub order: String,
    /// The steward who asks; in the sandbox the first of the built-in ones.
    #[arg(long)]
    pub by: Option<String>,
}

/// A student, by one of their ids; or an agency's client who matches none.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub struct Whose {
    /// By the exchange's own id.
    #[arg(long)]
    pub student: Option<uuid::Uuid>,
    /// By a state's id: a file whose one line is SEA:ID, such as `ct:9900000017`; `-` asks for it on standard input. Never on the command
    /// line, which every process of the machine can read.
    #[arg(long, value_name = "FILE")]
    pub state_id_file: Option<PathBuf>,
    /// A client who matches no student, by the agency's own id: a file whose one line is AGENCY:ID, such as `cssd:52829772`; `-` asks for it on standard input. For
    /// `erase request` alone.
    #[arg(long, value_name = "FILE")]
    pub client_file: Option<PathBuf>,
}

/// How long recipients keep what they received, and the ledger what it says of persons.
#[derive(Debug, Subcommand)]
pub enum Retention {
    /// Destroy the personal part of ledger entries whose time is over, and stays in facilities with what was told of them, as `serve` does every day. Entered in the
    /// ledger; proofs stay.
    Detail {
        /// The steward who has it done; in the sandbox the first of the built-in ones.
        #[arg(long)]
        by: Option<String>,
    },
    /// What a recipient has to destroy and has not attested, with the days on which that is due; of an agency that reports stays in facilities also those whose
    /// time is over here.
    Due {
        /// The agency.
        #[arg(long)]
        consumer: model::ConsumerId,
    },
    /// What should have been attested by now. Ends with 3 if anything is overdue.
    Overdue {
        /// One agency's; default: all.
        #[arg(long)]
        consumer: Option<model::ConsumerId>,
    },
    /// Enter a recipient's attestation that it has destroyed what it held.
    Attest {
        /// The agency.
        #[arg(long)]
        consumer: model::ConsumerId,
        /// The clients, by the agency's own ids.
        #[arg(long = "client", required = true)]
        clients: Vec<String>,
        /// The day of the destruction.
        #[arg(long)]
        destroyed_on: chrono::NaiveDate,
        /// How it was destroyed.
        #[arg(long)]
        method: String,
        /// Who signed for the agency.
        #[arg(long)]
        attested_by: String,
        /// Where the paper is.
        #[arg(long)]
        reference: String,
        /// The steward who enters it; in the sandbox the first of the built-in ones.
        #[arg(long)]
        by: Option<String>,
    },
}

/// Opening one client's records outside the routine.
#[derive(Debug, Subcommand)]
pub enum BreakGlass {
    /// Put a court order or declared emergency on file: two stewards approve it, within a day.
    Request(OpeningRequest),
    /// Open the records on a request that two stewards have approved. They close by themselves.
    Open {
        /// The request: its digest, or at least its first eight digits.
        request: String,
        /// The steward who opens; in the sandbox the first of the built-in ones.
        #[arg(long)]
        by: Option<String>,
    },
    /// What was opened, until when, and who looked at it afterwards.
    List {
        /// Only what waits for a review. Ends with 3 if anything does.
        #[arg(long)]
        waiting: bool,
    },
    /// Enter a review: another steward than who opened the records says what they found.
    Review {
        /// The opening: its digest, or at least its first eight digits.
        opening: String,
        /// What was found.
        #[arg(long)]
        found: String,
        /// The steward who reviews; in the sandbox the second of the built-in ones.
        #[arg(long)]
        by: Option<String>,
    },
    /// Close the records before their time. Entered in the ledger, with who did and why.
    Close {
        /// The opening: its digest, or at least its first eight digits.
        opening: String,
        #[command(flatten)]
        author: super::Author,
    },
}

/// A court order or declared emergency about one client.
#[derive(Debug, ClapArgs)]
pub struct OpeningRequest {
    /// The agency that needs the records.
    #[arg(long)]
    pub consumer: model::ConsumerId,
    /// Its client, by its own id.
    #[arg(long)]
    pub client: String,
    /// `court_order` or `emergency`.
    #[arg(long)]
    pub kind: agreements::InstrumentKind,
    /// The number of the order, or the emergency's file number.
    #[arg(long)]
    pub order: String,
    /// Why; of an emergency the articulable and significant threat.
    #[arg(long)]
    pub reason: String,
    /// When the records close again (RFC 3339).
    #[arg(long)]
    pub until: chrono::DateTime<chrono::Utc>,
}

/// A partner's look at the log.
#[derive(Debug, ClapArgs)]
pub struct Witness {
    /// Where the log is published: a folder as `ledger export` writes it, or an https address.
    #[arg(long, value_name = "DIR|URL")]
    pub tiles: String,
    /// The authorities (PEM) that vouch for the server at that address; default: those of the web.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The log's public key, as a file with one verifier key.
    #[arg(long, value_name = "FILE")]
    pub log_key: PathBuf,
    /// The witness's own folder: its key, and the last checkpoint it cosigned.
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// The name it signs under, such as `witness.example/dcf`.
    #[arg(long)]
    pub name: String,
    /// Where the cosigned checkpoint goes, beside the witness's own folder.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Lifting the seal after a restore.
#[derive(Debug, ClapArgs)]
#[command(group = clap::ArgGroup::new("kept").required(true).args(["checkpoint", "no_checkpoint", "request"]))]
pub struct Unseal {
    /// The last checkpoint that a witness or recipient keeps.
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Nobody keeps one: what was lost of the ledger cannot be named.
    #[arg(long)]
    pub no_checkpoint: bool,
    /// Carry out a request that two stewards have approved: its digest, or at least its first eight digits.
    #[arg(long, conflicts_with = "reason")]
    pub request: Option<String>,
    /// The steward who asks, or who carries it out; in the sandbox the first of the built-in ones.
    #[arg(long)]
    pub by: Option<String>,
    /// Why, in words.
    #[arg(long, required_unless_present = "request")]
    pub reason: Option<String>,
}
