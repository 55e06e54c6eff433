//! What can go wrong between us and Postgres, by what the caller can do about it.

use std::{fmt, path::PathBuf};

use sqlx::postgres::PgDatabaseError;

/// SQLSTATE of a transaction that lost against a concurrent one.
const SERIALIZATION_FAILURE: &str = "40001";
/// SQLSTATE of a transaction that was chosen to break a deadlock.
const DEADLOCK_DETECTED: &str = "40P01";

/// A failure of the database, or of reaching it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was to be written cannot be stored: the caller's fault, before the database was asked.
    #[error("row {row} of a bulk load cannot be stored: {what}")]
    Invalid {
        /// Counted from 1.
        row: u64,
        /// What is wrong with it, without its content.
        what: &'static str,
    },
    /// A rule that the database keeps was broken: a unique key, a period that overlaps, a check.
    #[error("the database refused a row that breaks its rule {constraint}")]
    Conflict {
        /// The constraint's name.
        constraint: String,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// The acting role may not do this.
    #[error("the acting database role may not do this")]
    Denied(#[source] Cause),
    /// Something outside must be put right first; the text says what.
    #[error(transparent)]
    Precondition(#[from] Problem),
    /// The database cannot be used now; later it may.
    #[error("the database cannot be used at the moment")]
    Unavailable(#[source] Cause),
    /// Neither the caller nor time will mend it.
    #[error("the database answered in a way that should not be possible")]
    Corrupt(#[source] Cause),
}

/// What the driver or the server reported, with everything removed that could quote a row.
///
/// PostgreSQL repeats offending values in its messages of class 22 (data) and 23 (constraints), and a trigger may do
/// so in class P0; of those only the code and the constraint's name are kept.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Cause {
    text: String,
    sqlstate: Option<String>,
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Cause {
    /// The five-character code, when the server itself answered.
    pub fn sqlstate(&self) -> Option<&str> {
        self.sqlstate.as_deref()
    }

    pub(crate) fn from_text(text: impl Into<String>) -> Self {
        Self { text: text.into(), sqlstate: None }
    }

    fn from_database(error: &PgDatabaseError) -> Self {
        let code = error.code();
        let mut text = format!("SQLSTATE {code}");
        if !matches!(code.get(..2), Some("22" | "23" | "P0")) {
            text.push_str(": ");
            text.push_str(error.message());
        }
        for (label, name) in [("constraint", error.constraint()), ("table", error.table()), ("column", error.column())]
        {
            if let Some(name) = name {
                text.extend([", ", label, " ", name]);
            }
        }
        Self { text, sqlstate: Some(code.to_owned()) }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
                Some(database) => from_database(database),
                None => Self::Corrupt(Cause::from_text("the answer is not PostgreSQL's")),
            },
            sqlx::Error::Io(io) => Self::Unavailable(Cause::from_text(format!("connection: {io}"))),
            sqlx::Error::Tls(_) => Self::Unavailable(Cause::from_text("connection: TLS could not be established")),
            sqlx::Error::PoolTimedOut => Self::Unavailable(Cause::from_text("no connection became free in time")),
            sqlx::Error::PoolClosed => Self::Unavailable(Cause::from_text("the connection pool is closed")),
            sqlx::Error::WorkerCrashed => Self::Unavailable(Cause::from_text("the driver's worker died")),
            sqlx::Error::BeginFailed => Self::Unavailable(Cause::from_text("the transaction did not begin")),
            sqlx::Error::RowNotFound => Self::Corrupt(Cause::from_text("a row that must exist was not found")),
            sqlx::Error::ColumnDecode { index, .. } => {
                Self::Corrupt(Cause::from_text(format!("column {index} could not be decoded")))
            }
            sqlx::Error::Decode(_) => Self::Corrupt(Cause::from_text("an answer could not be decoded")),
            sqlx::Error::Encode(_) => Self::Corrupt(Cause::from_text("a parameter could not be encoded")),
            _ => Self::Corrupt(Cause::from_text("the driver and the server disagree")),
        }
    }
}

fn from_database(error: &PgDatabaseError) -> Error {
    let source = Cause::from_database(error);
    let code = error.code();
    match code {
        "42501" => Error::Denied(source),
        SERIALIZATION_FAILURE | DEADLOCK_DETECTED | "55P03" | "57014" => Error::Unavailable(source),
        _ => match code.get(..2) {
            Some("23") => Error::Conflict { constraint: error.constraint().unwrap_or("(unnamed)").to_owned(), source },
            // Connection, resources (disk and memory among them), operator, system.
            Some("08" | "28" | "53" | "57" | "58") => Error::Unavailable(source),
            _ => Error::Corrupt(source),
        },
    }
}

/// Whether the database itself asks for another attempt, however deep in the chain it said so.
pub(crate) fn is_retryable(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let sqlstate = if let Some(cause) = error.downcast_ref::<Cause>() {
            cause.sqlstate()
        } else if let Some(sqlx::Error::Database(database)) = error.downcast_ref::<sqlx::Error>() {
            database.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::code)
        } else {
            error.downcast_ref::<PgDatabaseError>().map(PgDatabaseError::code)
        };
        if let Some(code) = sqlstate {
            return matches!(code, SERIALIZATION_FAILURE | DEADLOCK_DETECTED);
        }
        next = error.source();
    }
    false
}

/// What an operator must put right before the database can be used. Each text says what was found and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// No server programs.
    #[error(
        "PostgreSQL 15 or newer was not found (looked in {looked_in}); install it (Debian: apt-get install postgresql), \
         or name the folder of its programs in database.embedded.bin_dir, or name a running server in database.url"
    )]
    NoPrograms {
        /// Where it was looked for.
        looked_in: String,
    },
    /// The server of `database.url` is too old.
    #[error("the server at database.url is PostgreSQL {found}; Throughline needs 15 or newer")]
    ServerTooOld {
        /// Its major version.
        found: u32,
    },
    /// The database does not store Unicode.
    #[error("the database at database.url is encoded as {found}; create one with ENCODING 'UTF8' and name that")]
    NotUnicode {
        /// Its encoding.
        found: String,
    },
    /// `database.url` cannot be used as it stands.
    #[error("{key} cannot be used: {what}")]
    BadUrl {
        /// The configuration key.
        key: &'static str,
        /// Why, without repeating it.
        what: String,
    },
    /// A connection string names a login that may not become the application's.
    #[error(
        "the login {login} may not act as throughline_app; log in as throughline_app, or run: GRANT throughline_app TO {login}"
    )]
    LoginNotMember {
        /// The login.
        login: String,
    },
    /// Root, and no account to step down to.
    #[error(
        "PostgreSQL refuses to run as root, and there is no user '{user}' to run it as; create one \
         (useradd --system {user}), or name another in database.embedded.server_user, or start as an ordinary user"
    )]
    NoServerUser {
        /// The account that was looked for.
        user: String,
    },
    /// The database is one that somebody else runs.
    #[error(
        "the database is given by database.url: back it up and restore it with its own tools; erasures are carried out again at the next start"
    )]
    NotEmbedded,
    /// A program of the operating system is missing or failed.
    #[error("the program {program} could not be run ({why}); install it and try again")]
    NoTool {
        /// Its name.
        program: String,
        /// What the system said.
        why: String,
    },
    /// A second instance on one folder.
    #[error(
        "another throughline (process {pid}) is running on {folder}; stop it first, or choose another folder with --data"
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The other process, as it wrote itself down.
        pid: String,
    },
    /// The short lock around starting and stopping did not come free.
    #[error("another throughline has been starting or stopping the database in {folder} for {seconds} s; try again")]
    Busy {
        /// The data folder.
        folder: PathBuf,
        /// How long we waited.
        seconds: u64,
    },
    /// The files were written by a PostgreSQL that is not here.
    #[error(
        "the database in {folder} was written by PostgreSQL {found}, and here is only {have}; install PostgreSQL {found}, \
         or convert the folder with pg_upgrade"
    )]
    OtherFormat {
        /// The cluster's folder.
        folder: PathBuf,
        /// The version that wrote it.
        found: String,
        /// The versions found on this machine.
        have: String,
    },
    /// The cluster's folder holds something else.
    #[error("{folder} exists but holds no database; move it away, or choose another folder with --data")]
    NotACluster {
        /// The folder.
        folder: PathBuf,
    },
    /// No room.
    #[error("the disk of {folder} is full ({free_mib} MiB free); make room and start again, nothing is lost")]
    DiskFull {
        /// The data folder.
        folder: PathBuf,
        /// What is left.
        free_mib: u64,
    },
    /// The operating system would not let us.
    #[error("{path} cannot be used: {why}; check its owner and its permissions")]
    NotPermitted {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The folder's name does not fit into a socket address, and there is no way around it here.
    #[error("the name of {folder} is too long for a Unix socket ({limit} bytes); choose a shorter one with --data")]
    PathTooLong {
        /// The folder.
        folder: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// Not enough memory, semaphores or files for the server.
    #[error(
        "the database did not get the memory or the system resources it asked for: {said}; free some and start again"
    )]
    NoResources {
        /// The server's own words.
        said: String,
    },
    /// Any other refusal of the server to start.
    #[error("the database in {folder} did not start: {said}; its log is {log}")]
    StartFailed {
        /// The cluster's folder.
        folder: PathBuf,
        /// The last complaint in its log.
        said: String,
        /// The log.
        log: PathBuf,
    },
    /// It started and is still not ready.
    #[error(
        "the database in {folder} was not ready after {seconds} s (it may be recovering after a crash); its log is {log}; \
         raise database.embedded.start_timeout_ms if it needs longer"
    )]
    StartTimedOut {
        /// The cluster's folder.
        folder: PathBuf,
        /// How long we waited.
        seconds: u64,
        /// The log.
        log: PathBuf,
    },
    /// A database name that is not a plain identifier.
    #[error("'{name}' is no name for a database: use up to 63 lower-case letters, digits and underscores")]
    BadDatabaseName {
        /// The name.
        name: String,
    },
    /// Migrations are missing and we may not, or shall not, apply them.
    #[error(
        "the database lacks {pending} migrations (the first is {first}); run throughline db migrate with a login that may \
         apply them (database.admin_url)"
    )]
    NotMigrated {
        /// How many.
        pending: usize,
        /// The first of them.
        first: String,
    },
    /// An applied migration is not the one this program carries.
    #[error("migration {name} was applied with another content than this program carries; migrations are never edited")]
    EditedMigration {
        /// Its name.
        name: String,
    },
    /// The database is ahead of the program.
    #[error(
        "the database holds migration {name}, which this program does not know; run a Throughline that is as new as the database"
    )]
    UnknownMigration {
        /// Its name.
        name: String,
    },
    /// A migration did not go through. Nothing of it remains.
    #[error("migration {name} failed: {said}; nothing of it was applied")]
    MigrationFailed {
        /// Its name.
        name: String,
        /// What the database said.
        said: String,
    },
}
