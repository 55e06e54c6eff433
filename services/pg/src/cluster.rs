//! The embedded default: a private PostgreSQL in the data folder.
//!
//! Several processes may use one folder at once (a server, and `ledger verify` beside it). Whoever comes first starts
//! the database, whoever leaves last stops it, and nobody needs to be told: each user holds a shared file lock, and
//! who can get that lock exclusively is alone. A second lock, held only while starting or stopping, makes the two
//! decisions one. The kernel frees the locks of a process that dies, so after a crash the next process finds either a
//! server that still runs, and uses it, or one that does not, and starts it.
//!
//! This module is blocking; [`crate::Database`] calls it from a blocking thread.

mod account;
mod birth;
mod layout;
mod locks;
mod process;
mod programs;
mod settings;
mod words;

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::{
        fd::AsRawFd as _,
        unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tokio_util::sync::CancellationToken;

pub(crate) use self::process::run as run_tool;
use self::{account::Account, layout::Layout, programs::Programs, settings::Machine};
use crate::{Embedded, Problem};

/// The role that initialises the cluster and migrates.
const SUPERUSER: &str = "postgres";
/// The login of the application.
const APPLICATION: &str = "throughline_app";
/// Longest name of a Unix socket, without the terminating zero (`sun_path`).
const SOCKET_PATH_MAX: usize = 107;
/// The port is part of the socket's name; no TCP port is opened.
const PORT: u16 = 5432;
/// Below this nothing can be started in good conscience.
const DISK_FREE_MIN_MIB: u64 = 32;
/// A log larger than this is put aside at the next start.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(20);
/// How often [`Cluster::supervise`] looks after the server.
const SUPERVISION: Duration = Duration::from_millis(500);
/// A server that must be started more often than this in one process is not helped by another start.
const RESTARTS_MAX: u32 = 5;

/// What the surroundings say about where PostgreSQL is. The caller reads them; nothing here does.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// PATH.
    pub search_path: Option<OsString>,
    /// `PG_BINDIR`.
    pub bin_dir: Option<PathBuf>,
}

/// Whether other processes may use the same data folder at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For a server: a second one on the folder is refused.
    Alone,
    /// For a command: it uses the database beside whoever else does.
    Shared,
}

/// A private server in use by this process. Dropping it is leaving it: the last to leave stops the server.
#[derive(Debug)]
pub struct Cluster {
    layout: Layout,
    config: Embedded,
    programs: Programs,
    account: Option<Account>,
    /// The socket's folder in a form short enough for a socket address.
    socket_dir: PathBuf,
    /// Keeps `/proc/<pid>/fd/<n>` alive when `socket_dir` goes through it.
    _socket_dir_handle: Option<File>,
    /// `None` once this process has left.
    users_lock: Mutex<Option<File>>,
    _alone_lock: Option<File>,
    /// The postmaster, when it is our child and must be reaped by us.
    child: Mutex<Option<Child>>,
}

impl Cluster {
    /// Makes the cluster in `home` if there is none, starts it if it does not run, and joins it if it does.
    pub fn start(home: &Path, config: &Embedded, environment: &Environment, access: Access) -> Result<Self, Problem> {
        create_private_dir(home)?;
        let home = fs::canonicalize(home).map_err(|error| not_permitted(home, &error))?;
        let layout = Layout::new(&home);
        let alone_lock = match access {
            Access::Alone => Some(locks::lock_alone(&layout)?),
            Access::Shared => None,
        };
        let account = account::server_account(&config.server_user)?;
        let found = programs::find(config.bin_dir.as_deref(), environment)?;

        let patience = Duration::from_millis(config.start_timeout_ms);
        let change = locks::lock_for_change(&layout, patience)?;
        let users_lock = locks::open_lock(&layout.users_lock)?;
        users_lock.lock_shared().map_err(|error| not_permitted(&layout.users_lock, &error))?;

        let programs = if layout.data.exists() {
            birth::matching_programs(&layout, found)?
        } else {
            let preferred = found.into_iter().next();
            let programs = preferred.ok_or_else(|| Problem::NoPrograms { looked_in: String::new() })?;
            birth::initialise(&layout, &programs, account.as_ref())?;
            programs
        };
        let (socket_dir, socket_dir_handle) = reachable_socket_dir(&layout)?;
        let cluster = Self {
            layout,
            config: config.clone(),
            programs,
            account,
            socket_dir,
            _socket_dir_handle: socket_dir_handle,
            users_lock: Mutex::new(Some(users_lock)),
            _alone_lock: alone_lock,
            child: Mutex::new(None),
        };
        let started = cluster.run();
        // Before anything else: leaving, should it have failed, needs the lock again.
        drop(change);
        started.map(|()| cluster)
    }

    /// How to connect to `database` as the cluster's superuser, who migrates.
    pub fn admin_options(&self, database: &str) -> PgConnectOptions {
        self.options(SUPERUSER, database)
    }

    /// How to connect to `database` as the application.
    pub fn app_options(&self, database: &str) -> PgConnectOptions {
        self.options(APPLICATION, database)
    }

    /// The socket's folder, for `psql -h`.
    pub fn socket_dir(&self) -> PathBuf {
        self.layout.socket_dir()
    }

    /// The folder of `psql`, `pg_dump` and the rest, of the server's version.
    pub fn bin_dir(&self) -> &Path {
        &self.programs.bin_dir
    }

    /// The server's major version.
    pub fn major_version(&self) -> u32 {
        self.programs.major
    }

    /// Looks after the server until `stop` is cancelled: a server that is gone (killed, out of memory) is started again,
    /// a bounded number of times. Belongs into the caller's task tracker.
    pub async fn supervise(self: std::sync::Arc<Self>, stop: CancellationToken) -> Result<(), Problem> {
        let mut restarts = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(SUPERVISION) => {}
            }
            if self.is_running() {
                continue;
            }
            restarts += 1;
            tracing::error!(restarts, "the database server is gone; starting it again");
            let cluster = std::sync::Arc::clone(&self);
            let revived = tokio::task::spawn_blocking(move || cluster.revive()).await;
            match revived {
                Ok(Err(problem)) if restarts >= RESTARTS_MAX => return Err(problem),
                Ok(Err(problem)) => {
                    tracing::error!(error = %problem, "the database server did not start");
                }
                Ok(Ok(())) | Err(_) => {}
            }
        }
    }

    /// Leaves the server; stops it when nobody else uses it. Dropping does the same, and keeps a failure to itself.
    pub fn stop(self) -> Result<(), Problem> {
        self.leave()
    }

    fn options(&self, role: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("localhost")
            .socket(&self.socket_dir)
            .port(PORT)
            .username(role)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    fn is_running(&self) -> bool {
        // A postmaster of ours that died is a zombie until somebody asks.
        if let Some(child) = self.child().as_mut() {
            let _ = child.try_wait();
        }
        running_postmaster(&self.layout.data).is_ok_and(|found| found.is_some())
    }

    fn revive(&self) -> Result<(), Problem> {
        let _change = locks::lock_for_change(&self.layout, Duration::from_millis(self.config.start_timeout_ms))?;
        self.run()
    }

    /// Brings the server to "ready", whatever state it is in. The caller holds the change lock.
    fn run(&self) -> Result<(), Problem> {
        let deadline = Instant::now() + Duration::from_millis(self.config.start_timeout_ms);
        let mut log_from = log_length(&self.layout.log);
        loop {
            match running_postmaster(&self.layout.data)? {
                Some(postmaster) if postmaster.ready => return Ok(()),
                Some(_) => {}
                None => match self.exit_of_child() {
                    None if self.child().is_some() => {}
                    None => log_from = self.spawn()?,
                    Some(()) => {
                        let said = process::log_since(&self.layout.log, log_from);
                        if !words::is_passing(&said) || Instant::now() > deadline {
                            return Err(words::problem(&said, &self.layout));
                        }
                        thread::sleep(POLL * 10);
                    }
                },
            }
            if Instant::now() > deadline {
                return Err(Problem::StartTimedOut {
                    folder: self.layout.data.clone(),
                    seconds: self.config.start_timeout_ms / 1000,
                    log: self.layout.log.clone(),
                });
            }
            thread::sleep(POLL);
        }
    }

    /// `Some` when a child of ours has ended; it is then forgotten.
    fn exit_of_child(&self) -> Option<()> {
        let mut child = self.child();
        let ended = matches!(child.as_mut()?.try_wait(), Ok(Some(_)) | Err(_));
        ended.then(|| *child = None)
    }

    /// Starts the postmaster and returns where its words begin in the log.
    fn spawn(&self) -> Result<u64, Problem> {
        let Layout { data, log, .. } = &self.layout;
        let machine = Machine::measure(data);
        if machine.disk_free_mib < DISK_FREE_MIN_MIB {
            return Err(words::disk_full(&self.layout.home));
        }
        self.write_settings(machine)?;
        // Only a postmaster that stands in this folder may keep this file, and there is none: `running_postmaster`.
        remove_if_present(&data.join("postmaster.pid"))?;
        if log_length(log) > LOG_BYTES_MAX {
            fs::rename(log, &self.layout.old_log).map_err(|error| not_permitted(log, &error))?;
        }
        let log_from = log_length(log);
        let output =
            OpenOptions::new().create(true).append(true).mode(0o600).open(log).map_err(|error| self.io(log, &error))?;
        let errors = output.try_clone().map_err(|error| self.io(log, &error))?;
        let child = process::for_cluster(&self.programs.command("postgres"), data, self.account.as_ref())
            .and_then(|mut command| command.stdout(Stdio::from(output)).stderr(Stdio::from(errors)).spawn())
            .map_err(|error| Problem::NoTool { program: "postgres".to_owned(), why: error.to_string() })?;
        *self.child() = Some(child);
        Ok(log_from)
    }

    fn write_settings(&self, machine: Machine) -> Result<(), Problem> {
        let own_name = account::own_name()?;
        for (name, text) in [
            ("postgresql.conf", settings::server(machine, &self.config)),
            ("pg_hba.conf", settings::host_based_authentication().to_owned()),
            ("pg_ident.conf", settings::ident_map(&own_name)),
        ] {
            let path = self.layout.data.join(name);
            // Written beside and renamed: a full disk must not leave half a file behind.
            let fresh = self.layout.data.join(format!("{name}.new"));
            fs::write(&fresh, text).map_err(|error| self.io(&fresh, &error))?;
            hand_over(&fresh, 0o600, self.account.as_ref())?;
            fs::rename(&fresh, &path).map_err(|error| self.io(&path, &error))?;
        }
        let socket_dir = self.layout.socket_dir();
        create_private_dir(&socket_dir)?;
        hand_over(&socket_dir, 0o700, self.account.as_ref())
    }

    fn io(&self, path: &Path, error: &io::Error) -> Problem {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => words::disk_full(&self.layout.home),
            _ => not_permitted(path, error),
        }
    }

    fn leave(&self) -> Result<(), Problem> {
        let Some(users_lock) = self.users_lock.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Ok(());
        };
        let patience = Duration::from_millis(self.config.start_timeout_ms);
        let _change = locks::lock_for_change(&self.layout, patience)?;
        users_lock.unlock().map_err(|error| not_permitted(&self.layout.users_lock, &error))?;
        match users_lock.try_lock() {
            Ok(()) => self.shut_down(),
            // Somebody else is still at work; the last one will see to it.
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Error(error)) => Err(not_permitted(&self.layout.users_lock, &error)),
        }
    }

    /// Fast shutdown: sessions are ended, a checkpoint is written. Past the limit, an immediate one: the next start
    /// recovers from the log, nothing that was committed is lost.
    fn shut_down(&self) -> Result<(), Problem> {
        for (how, limit_ms) in
            [(Signal::INT, self.config.stop_timeout_ms), (Signal::QUIT, 10_000), (Signal::KILL, 5_000)]
        {
            let Some(postmaster) = running_postmaster(&self.layout.data)? else {
                break;
            };
            if how != Signal::INT {
                tracing::warn!("the database server did not stop in time and is told so more firmly");
            }
            process::signal(postmaster.pid, how).map_err(|error| not_permitted(&self.layout.data, &error))?;
            let deadline = Instant::now() + Duration::from_millis(limit_ms);
            // The process, not its pid file: that goes a moment earlier.
            while process::is_alive(postmaster.pid, &self.layout.data) && Instant::now() < deadline {
                thread::sleep(POLL);
            }
        }
        if let Some(mut child) = self.child().take() {
            let _ = child.wait();
        }
        Ok(())
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(problem) = self.leave() {
            tracing::error!(error = %problem, "the database server could not be left in order");
        }
    }
}

/// The postmaster that stands in `data`, if one lives.
fn running_postmaster(data: &Path) -> Result<Option<process::Postmaster>, Problem> {
    let found = process::postmaster(data).map_err(|error| not_permitted(&data.join("postmaster.pid"), &error))?;
    Ok(found.filter(|postmaster| process::is_alive(postmaster.pid, data)))
}

/// The socket's folder under a name that fits into a socket address: its own, or one through a handle of this process.
fn reachable_socket_dir(layout: &Layout) -> Result<(PathBuf, Option<File>), Problem> {
    let direct = layout.socket_dir();
    let fits = |folder: &Path| folder.as_os_str().len() + format!("/.s.PGSQL.{PORT}").len() <= SOCKET_PATH_MAX;
    if fits(&direct) {
        return Ok((direct, None));
    }
    // The folder exists from the first start on, and its handle stays good when the server is started anew.
    create_private_dir(&direct)?;
    let handle = File::open(&direct).map_err(|error| not_permitted(&direct, &error))?;
    let through_handle = PathBuf::from(format!("/proc/{}/fd/{}", std::process::id(), handle.as_raw_fd()));
    if through_handle.exists() {
        Ok((through_handle, Some(handle)))
    } else {
        Err(Problem::PathTooLong { folder: layout.home.clone(), limit: SOCKET_PATH_MAX })
    }
}

fn create_private_dir(path: &Path) -> Result<(), Problem> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull => words::disk_full(path.parent().unwrap_or(path)),
        _ => not_permitted(path, &error),
    })
}

/// Gives a file or folder to the account the server runs as.
fn hand_over(path: &Path, mode: u32, account: Option<&Account>) -> Result<(), Problem> {
    let done = fs::set_permissions(path, fs::Permissions::from_mode(mode)).and_then(|()| match account {
        Some(Account { uid, gid }) => std::os::unix::fs::chown(path, Some(*uid), Some(*gid)),
        None => Ok(()),
    });
    done.map_err(|error| not_permitted(path, &error))
}

fn remove_if_present(path: &Path) -> Result<(), Problem> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(not_permitted(path, &error)),
        _ => Ok(()),
    }
}

fn log_length(log: &Path) -> u64 {
    fs::metadata(log).map_or(0, |metadata| metadata.len())
}

fn not_permitted(path: &Path, error: &io::Error) -> Problem {
    Problem::NotPermitted { path: path.to_owned(), why: error.to_string() }
}

#[cfg(test)]
mod tests;
