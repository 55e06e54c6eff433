//! What can be asked on the command line. Flags, exit codes and formats are a contract: others script against them.

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use model::ConsumerId;

mod exchange;
mod feed;
mod order;
mod placement;
mod record;
mod summary;

pub use exchange::{Exchange, Which};
pub use feed::{Feed, Pull, Report};
pub use order::{BreakGlass, Erase, EraseRequest as EraseOptions, OpeningRequest, Retention, Unseal, Whose, Witness};
pub use placement::{NoticeFormat, Placement, UnshownFormat};
pub use record::{Certify, Disclosures};
pub use summary::{Summary, SummaryForm, SummaryLanguage, VerifySummary};

/// Interagency exchange of longitudinal student histories.
#[derive(Debug, Parser)]
#[command(
    name = "throughline",
    version,
    about,
    after_help = "Exit codes: 0 done; 1 could not do the work; 2 wrong usage; 3 done, but a batch was refused or a check found something."
)]
pub struct Args {
    #[command(flatten)]
    pub place: Place,
    /// Log filter, as in `info` or `disclosure=debug,warn`.
    #[arg(long, global = true, default_value = "warn", env = "THROUGHLINE_LOG", hide_env = true)]
    pub log: String,
    #[command(subcommand)]
    pub command: Command,
}

/// Where things are.
#[derive(Clone, Debug, ClapArgs)]
pub struct Place {
    /// Configuration file; default: `config.toml` in the data folder, if there is one.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data folder: embedded database, keys, findings; default: the platform's.
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Write the sandbox configuration into the data folder first, with two built-in stewards.
    #[arg(long, global = true)]
    pub sandbox: bool,
    /// One JSON object per unit of work on standard output.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole exchange on an invented state.
    Demo(Demo),
    /// Serve the API.
    Serve(Serve),
    /// Invent a state of any size, in the state's own file formats.
    Generate(Generate),
    /// State files: load, check, convert, describe.
    #[command(subcommand)]
    Intake(Intake),
    /// Matching people.
    #[command(subcommand)]
    Identity(Identity),
    /// An agency's roster.
    #[command(subcommand)]
    Roster(Roster),
    /// Stays in facilities, and what re-entry coordinators are told of them.
    #[command(subcommand)]
    Placement(Placement),
    /// The nightly exchange.
    #[command(subcommand)]
    Exchange(Exchange),
    /// A consumer's feed.
    #[command(subcommand)]
    Feed(Feed),
    /// The Client School Records Summary.
    #[command(subcommand)]
    Summary(Summary),
    /// Agreements.
    #[command(subcommand)]
    Agreement(Agreement),
    /// Approve what two stewards must approve: an export outside the schedule, a version of an agreement, an erasure, an order that opens records,
    /// children joined into one.
    Approve(Approve),
    /// Erase for good, by court order or at the end of retention.
    #[command(subcommand)]
    Erase(Erase),
    /// How long recipients keep what they received, and what they attest of its destruction.
    #[command(subcommand)]
    Retention(Retention),
    /// A court order or declared emergency opens one client's records until it expires.
    #[command(subcommand)]
    BreakGlass(BreakGlass),
    /// The record of disclosures.
    #[command(subcommand)]
    Ledger(Ledger),
    /// The database.
    #[command(subcommand)]
    Db(Db),
    /// The configuration.
    #[command(subcommand)]
    Config(Config),
    /// Look at everything the exchange rests on, change nothing, and say what is wrong and what to do.
    Doctor,
    /// Measure, each figure beside its limit in the same run. For a sandbox: what it reads is entered in the ledger like any disclosure.
    Bench(Bench),
}

#[derive(Debug, ClapArgs)]
pub struct Bench {
    /// What to measure.
    pub what: BenchWhat,
    /// With `--json`: the file for the figures; without it they go to standard output.
    pub file: Option<PathBuf>,
    /// The consumer that reads.
    #[arg(long, default_value = "cssd")]
    pub consumer: ConsumerId,
    /// Reads of one student, at most.
    #[arg(long, default_value_t = 400)]
    pub reads: usize,
    /// Rounds; figures are medians.
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// Entries of the ledger whose record of disclosures is asked for.
    #[arg(long, default_value_t = 1_000_000)]
    pub entries: u64,
    /// Students of the invented state: those whose files are loaded (default 20000), or to link clients with (default 1000000).
    #[arg(long)]
    pub students: Option<u64>,
    /// Clients to link, some 15 % of them unknown to the state.
    #[arg(long, default_value_t = 50_000)]
    pub clients: u64,
    /// Seed of the invented people.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchWhat {
    /// An agency's clients with a state's students, two files, without a database.
    Link,
    /// One student's history: cold, and warm by 1, 8 and 64 readers at once.
    History,
    /// The roster stream.
    Feed,
    /// Loading registrations, attendance and course rows of an invented state, in a database of its own.
    Intake,
    /// Recording disclosures in the ledger, in a database of its own.
    Ledger,
    /// Records of disclosures of a student, a school and a request, in a database of its own with `--entries` invented entries.
    Records,
    /// Decisions about clients whose terms are loaded.
    Decide,
    /// Rendering and signing summaries, without a database; `--students` says how many.
    Summary,
    /// All of them.
    All,
}

#[derive(Debug, ClapArgs)]
pub struct Approve {
    /// What: the digest that was printed when it was asked for, or at least its first eight digits.
    pub request: String,
    /// The steward's own private key (Ed25519, PKCS#8 PEM).
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub struct Demo {
    /// Students of the invented state.
    #[arg(long, default_value_t = 5_000)]
    pub students: u64,
    /// Seed: the same one gives the same state.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Folder for everything.
    #[arg(long, default_value = "throughline-demo")]
    pub dir: PathBuf,
    /// Stop when the exchange is done, instead of serving.
    #[arg(long)]
    pub exit: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Serve {
    /// Address of the API.
    #[arg(long)]
    pub listen: Option<std::net::SocketAddr>,
    /// Address of the published log (checkpoint and tiles by HTTPS GET); default: `tiles.listen` of the configuration.
    #[arg(long, value_name = "ADDRESS")]
    pub tiles: Option<std::net::SocketAddr>,
    /// Address of the portal (HTTPS, for browsers); default: `portal.listen` of the configuration.
    #[arg(long, value_name = "ADDRESS")]
    pub portal: Option<std::net::SocketAddr>,
    /// Address of `/metrics`, `/live` and `/ready` (HTTP, for operators); default: `telemetry.listen` of the configuration.
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<std::net::SocketAddr>,
}

#[derive(Debug, ClapArgs)]
pub struct Generate {
    /// Children the state has ever registered.
    #[arg(long)]
    pub students: u64,
    /// Seed.
    #[arg(long)]
    pub seed: u64,
    /// Folder to write into.
    #[arg(long)]
    pub out: PathBuf,
    /// School years the files cover.
    #[arg(long)]
    pub years: Option<u16>,
    /// Clients of each agency, as a share of the children.
    #[arg(long)]
    pub clients: Option<f64>,
}

#[derive(Debug, Subcommand)]
pub enum Intake {
    /// Load files, folders, .zip, .gz or Ed-Fi control files.
    Load {
        /// What to load.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// The state that sent it.
        #[arg(long, default_value = "ct")]
        sea: model::Sea,
        /// The layout; default: found out from folder, name and content.
        #[arg(long)]
        layout: Option<String>,
        /// The district that sent it: a file of another one is refused, and so is a record.
        #[arg(long)]
        district: Option<String>,
    },
    /// Say what is wrong with a file, without a database.
    Check {
        /// The file, or a folder of files of one layout, which are read side by side.
        path: PathBuf,
        /// The layout.
        #[arg(long)]
        layout: String,
        /// The district that sent it: a file of another one is refused, and so is a record.
        #[arg(long)]
        district: Option<String>,
        /// Write the findings to this file too: .csv, .ndjson or .xlsx, by its name.
        #[arg(long)]
        findings: Option<PathBuf>,
    },
    /// Turn a file into NDJSON records, or NDJSON records into the file.
    Convert {
        /// The file.
        path: PathBuf,
        /// The layout.
        #[arg(long)]
        layout: String,
        /// Into what.
        #[arg(long)]
        to: ConvertTo,
        /// Where to.
        #[arg(long)]
        out: PathBuf,
        /// SIF only: what was published the day before, as a census folder or as a file of contacts; the events since are written.
        #[arg(long)]
        since: Option<PathBuf>,
        /// SIF only: a folder that remembers what was published the night before and under which RefIds; the events since are written, and
        /// tonight is remembered.
        #[arg(long, value_name = "DIR", conflicts_with = "since")]
        state: Option<PathBuf>,
        /// SIF only: the day that a census is published for; default: today.
        #[arg(long)]
        date: Option<chrono::NaiveDate>,
    },
    /// Back from facts to the lines of files they stand in: the bytes as received, and where each value stands. Entered in the ledger.
    #[command(group = clap::ArgGroup::new("traced").required(true).args(["student", "batch"]))]
    Lineage {
        /// What is known of a student, by the exchange's own id.
        #[arg(long)]
        student: Option<uuid::Uuid>,
        /// Of one domain only, such as `enrollment`.
        #[arg(long, requires = "student")]
        domain: Option<model::Domain>,
        /// A batch: the `batch` of a row's `source`.
        #[arg(long, requires = "line")]
        batch: Option<i64>,
        /// A line of the batch's file, from 1: the `line` of a row's `source`.
        #[arg(long, requires = "batch")]
        line: Option<u32>,
        /// Who asks, for the record.
        #[arg(long, default_value = "operator")]
        by: String,
    },
    /// List the layouts.
    Layouts,
    /// A layout as a page.
    Describe {
        /// Its id.
        id: String,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ConvertTo {
    /// Records as NDJSON with element names.
    Ndjson,
    /// Back to the state's file.
    File,
}

#[derive(Debug, Subcommand)]
pub enum Identity {
    /// Link two CSV files, without a database.
    Link {
        /// The larger file.
        #[arg(long)]
        left: PathBuf,
        /// The smaller file.
        #[arg(long)]
        right: PathBuf,
        /// Pairs, as CSV.
        #[arg(long)]
        out: PathBuf,
        /// A saved model: no training.
        #[arg(long)]
        model: Option<PathBuf>,
        /// Save the model here.
        #[arg(long)]
        save_model: Option<PathBuf>,
    },
    /// Enter orders that restrict disclosure: NDJSON with `sasid`, `kind`, `domain`, `order_number`, `ordered_on`.
    Restrict {
        /// The orders.
        #[arg(long = "in")]
        input: PathBuf,
        /// Whose identifiers they name.
        #[arg(long, default_value = "ct")]
        sea: model::Sea,
    },
    /// Two state ids are one child: everything of OTHER becomes the student of KEEP. Where the state reports them as different children it is a
    /// request that two stewards approve.
    Merge {
        /// The state id whose student stays.
        keep: String,
        /// The state id whose student becomes that one.
        other: String,
        #[command(flatten)]
        moving: Moving,
    },
    /// One student is two children: these state ids become a student of their own.
    Unmerge {
        /// The state ids that part.
        #[arg(required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        moving: Moving,
    },
    /// These state ids belong to another student.
    Relink {
        /// The state ids that move.
        #[arg(required = true)]
        ids: Vec<String>,
        /// A state id of the student they belong to.
        #[arg(long)]
        to: String,
        #[command(flatten)]
        moving: Moving,
    },
    /// Take a merge, unmerge or re-link back, by its number.
    UndoMove {
        /// The number.
        id: i64,
        #[command(flatten)]
        moving: Moving,
    },
    /// People of whom two children may be reported under one state id: nothing of them is released meanwhile.
    Doubts {
        /// Lines, at most.
        #[arg(long, default_value_t = 50)]
        limit: i64,
    },
    /// Somebody in doubt is one child, or what was mixed has been put right: ask two stewards to release what waits.
    Settle {
        /// The state id.
        id: String,
        #[command(flatten)]
        moving: Moving,
    },
    /// Carry out a merge, re-link, undoing or settling that one steward may not decide alone and two have approved.
    CarryOut {
        /// The request: its digest, or at least its first eight digits.
        request: String,
    },
    /// Doubtful matches: what waits for a person.
    #[command(subcommand)]
    Review(Review),
}

/// Who moves state ids, and why.
#[derive(Debug, ClapArgs)]
pub struct Moving {
    /// Whose state ids they are.
    #[arg(long, default_value = "ct")]
    pub sea: model::Sea,
    #[command(flatten)]
    pub author: Author,
}

/// Who decides, and why.
#[derive(Clone, Debug, ClapArgs)]
pub struct Author {
    /// The steward who decides; in the sandbox the first of the built-in ones.
    #[arg(long)]
    pub by: Option<String>,
    /// Why, in words.
    #[arg(long)]
    pub reason: String,
}

#[derive(Debug, Subcommand)]
pub enum Review {
    /// The queue, most valuable first. It names nobody.
    List {
        /// One agency's.
        #[arg(long)]
        consumer: Option<ConsumerId>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// A client beside the students it may be. Recorded as an access before anything is shown.
    Show {
        /// The client, as the queue numbers it.
        client: i64,
        /// The steward who looks; in the sandbox the first of the built-in ones.
        #[arg(long)]
        by: Option<String>,
    },
    /// Decide on a client.
    #[command(group = clap::ArgGroup::new("verdict").required(true))]
    Decide {
        /// The client.
        client: i64,
        /// It is this student, whom the engine put forward.
        #[arg(long, group = "verdict")]
        is: Option<uuid::Uuid>,
        /// It is not this student.
        #[arg(long, group = "verdict")]
        is_not: Option<uuid::Uuid>,
        /// The state has no such student.
        #[arg(long, group = "verdict")]
        is_nobody: bool,
        #[command(flatten)]
        author: Author,
    },
    /// Ask for a link that the engine did not propose: two stewards sign it; in the sandbox the built-in ones do.
    Override {
        /// The client.
        client: i64,
        /// The student.
        #[arg(long)]
        student: uuid::Uuid,
        #[command(flatten)]
        author: Author,
    },
    /// Sign a link that somebody asked for; with the second signature it is made.
    Approve {
        /// The request.
        id: uuid::Uuid,
        /// The steward who signs.
        #[arg(long)]
        by: String,
        /// The steward's own private key (Ed25519, PKCS#8 PEM).
        #[arg(long)]
        key: PathBuf,
    },
    /// Take back what was decided last on a client.
    Undo {
        /// The client.
        client: i64,
        #[command(flatten)]
        author: Author,
    },
    /// Pairs that wait for the same reason and agree in the same way: what a bulk may decide. It names nobody.
    Alike {
        /// One agency's.
        #[arg(long)]
        consumer: Option<ConsumerId>,
    },
    /// Decide on pairs alike at once, after a sample of them was looked at one by one.
    #[command(subcommand)]
    Bulk(Bulk),
    /// The queues in figures, and how right the engine's probabilities proved.
    Stats {
        /// Decisions of so many days.
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
}

#[derive(Debug, Subcommand)]
pub enum Bulk {
    /// Bulks, the latest first.
    List {
        /// One agency's.
        #[arg(long)]
        consumer: Option<ConsumerId>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Draw a bulk of pairs alike, and the sample of it that is looked at (`review show`) and decided (`review decide`) one by one first.
    #[command(group = clap::ArgGroup::new("verdict").required(true))]
    Draw {
        /// Which pairs, as `review alike` names them.
        alike: String,
        /// Each client is the student beside it.
        #[arg(long, group = "verdict")]
        are: bool,
        /// None of them is.
        #[arg(long, group = "verdict")]
        are_not: bool,
        #[command(flatten)]
        author: Author,
    },
    /// How far a bulk has come, and who of its sample has still to be looked at.
    Show {
        /// Its number.
        id: i64,
    },
    /// Carry a bulk out, if its whole sample was decided alike. One pair decided otherwise refuses it.
    Apply {
        /// Its number.
        id: i64,
        #[command(flatten)]
        author: Author,
    },
    /// Take back all that a bulk decided, its sample included: the pairs wait for a person again.
    Undo {
        /// Its number.
        id: i64,
        #[command(flatten)]
        author: Author,
    },
}

#[derive(Debug, Subcommand)]
pub enum Roster {
    /// Take a roster.
    Load {
        /// The file.
        file: PathBuf,
        /// The agency.
        #[arg(long)]
        consumer: ConsumerId,
        /// The day it speaks of; default: today.
        #[arg(long)]
        date: Option<NaiveDate>,
        /// The steward who has made sure with the agency that a roster much smaller than the last is right.
        #[arg(long, value_name = "STEWARD")]
        accept_shrunken: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Agreement {
    /// Say every mistake of documents.
    Check {
        /// Documents.
        #[arg(required = true)]
        documents: Vec<PathBuf>,
    },
    /// Who may see what: a table.
    Matrix {
        /// Documents; default: those of the configuration.
        documents: Vec<PathBuf>,
        /// What the database has in force in place of documents: of each agency the version, since when, and whether it is suspended.
        #[arg(long, conflicts_with = "documents")]
        in_force: bool,
    },
    /// What a document changes.
    Diff {
        /// Before.
        old: PathBuf,
        /// After.
        new: PathBuf,
    },
    /// Put a document on file and into force; in the sandbox the built-in stewards approve.
    Activate {
        /// The document.
        document: PathBuf,
    },
    /// Why an agency is, or is not, given elements of a student: which clause and which fact decided. Entered in the ledger.
    #[command(group = clap::ArgGroup::new("about").required(true).args(["student", "client"]))]
    Explain {
        /// The agency.
        #[arg(long)]
        consumer: ConsumerId,
        /// The student, by the exchange's own id.
        #[arg(long)]
        student: Option<uuid::Uuid>,
        /// The client, by the agency's own person id.
        #[arg(long)]
        client: Option<String>,
        /// Elements, such as `attendance.days_attended`; default: all, by domain.
        #[arg(long = "element")]
        elements: Vec<String>,
        /// The purpose, by its id; default: the agreement's first.
        #[arg(long)]
        purpose: Option<String>,
        /// `unary`, `stream`, `file` or `pdf`.
        #[arg(long, default_value = "file")]
        delivery: String,
        /// As a person of this role of the agreement would be answered whose training is of yesterday; default: as the nightly run is.
        #[arg(long)]
        role: Option<String>,
        /// The office of that person.
        #[arg(long, requires = "role")]
        office: Option<String>,
        /// That person's id, as rosters name the officer.
        #[arg(long, requires = "role")]
        officer: Option<String>,
        /// Who asks, for the record.
        #[arg(long, default_value = "operator")]
        by: String,
    },
    /// What a draft would change: for which students and elements, and of recent requests. Entered in the ledger; nothing else is stored.
    Rehearse {
        /// The draft.
        draft: PathBuf,
        /// Requests of so many days are looked at.
        #[arg(long, default_value_t = 30)]
        days: u16,
        /// Who asks, for the record.
        #[arg(long, default_value = "operator")]
        by: String,
    },
    /// Stop an agreement at once.
    Suspend {
        /// Its id.
        id: String,
        /// Who.
        #[arg(long)]
        by: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Court orders that rosters report and that wait for two stewards; each approves with `throughline approve REQUEST --key FILE`.
    Orders {
        /// One agency's; default: all.
        #[arg(long)]
        consumer: Option<ConsumerId>,
    },
    /// Put an agency's written certification on file, which the juvenile-justice basis asks for (34 CFR 99.38(b)): first a request, which two stewards
    /// approve; then, with `--request`, the certification.
    Certify(Certify),
    /// End a certification now.
    RevokeCertification {
        /// Its number, as `certify` printed it.
        id: i64,
    },
    /// Versions and their state.
    List,
}

#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Verify the ledger: the database, or exported tiles offline.
    Verify {
        /// A folder that `ledger export` wrote, or the https address that the log is published at.
        #[arg(long, value_name = "DIR|URL")]
        tiles: Option<String>,
        /// The authorities (PEM) that vouch for the server at that address; default: those of the web.
        #[arg(long, value_name = "FILE", requires = "tiles")]
        ca: Option<PathBuf>,
        /// A checkpoint that was kept: the ledger must extend it.
        #[arg(long)]
        checkpoint: Option<PathBuf>,
        /// The log's public key, as a file with one verifier key (with `--tiles`: no data folder is needed then).
        #[arg(long)]
        log_key: Option<PathBuf>,
        /// The public key of a witness that must have cosigned the kept checkpoint.
        #[arg(long = "witness", value_name = "FILE", requires = "checkpoint")]
        witnesses: Vec<PathBuf>,
    },
    /// At a partner: look at the log as it is published, remember it, and cosign it if it has done nothing but grow. Ends with 3 if it has not.
    Witness(Witness),
    /// Export tiles, entries and the checkpoint.
    Export {
        /// The folder.
        #[arg(long)]
        out: PathBuf,
    },
    /// Change the log's signing key. The old key and the new one sign the entry and the note by which partners come to the new one. A server that
    /// runs meanwhile is started again.
    RotateKey(Author),
    /// The record of disclosures of a student, of a school or of a request, as one audience may have it. Each asking is entered in the ledger.
    Disclosures(Disclosures),
}

#[derive(Debug, Subcommand)]
pub enum Db {
    /// Server, size, migrations, ledger health.
    Status,
    /// Apply missing migrations.
    Migrate,
    /// Write the embedded database and what belongs to it to a folder; work goes on beside it. The control journal is to be kept apart.
    Backup {
        /// The folder; it must not exist.
        #[arg(long)]
        out: PathBuf,
    },
    /// Put a backup in the place of the embedded database. What was erased or has ended since is carried out again, and nothing is disclosed before
    /// `db unseal`.
    Restore {
        /// The folder of a backup.
        #[arg(long)]
        from: PathBuf,
        /// The control journal that was kept apart; default: that of the data folder.
        #[arg(long)]
        journal: Option<PathBuf>,
        /// For an encrypted backup: the file of a private key, as `age-keygen` writes it.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// After a restore: hold the ledger against the last checkpoint that others keep, so that disclosures go on, to each agency with its next
    /// roster. First a request, which two stewards approve; then, with `--request`, the act. Ends with 3 while anything is sealed. Entered in the
    /// ledger.
    Unseal(Unseal),
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Read the configuration and say every mistake.
    Check,
}
