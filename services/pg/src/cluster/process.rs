//! Programs of the operating system, and the life of a postmaster.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal};

use super::account::Account;
use crate::Problem;

/// Programs see this and nothing of our own environment, so that no PGDATA, PGOPTIONS or language reaches them.
const ENVIRONMENT: [(&str, &str); 3] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C"), ("TZ", "UTC")];

/// The one line a small program prints.
pub(super) fn output(command: &mut Command) -> Result<String, Problem> {
    let program = command.get_program().to_string_lossy().into_owned();
    let refused = |why: String| Problem::NoTool { program: program.clone(), why };
    let output = command
        .env_clear()
        .envs(ENVIRONMENT)
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| refused(error.to_string()))?;
    if !output.status.success() {
        return Err(refused(output.status.to_string()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a program to its end; what it says when it fails goes into the problem.
pub(crate) fn run(command: &mut Command) -> Result<(), Problem> {
    let program = command.get_program().to_string_lossy().into_owned();
    let refused = |why: String| Problem::NoTool { program: program.clone(), why };
    let output = command
        .env_clear()
        .envs(ENVIRONMENT)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| refused(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    // Only the first line: what follows could quote rows.
    let said = String::from_utf8_lossy(&output.stderr);
    Err(refused(format!("{}: {}", output.status, said.lines().next().unwrap_or_default())))
}

/// A command of PostgreSQL for the cluster in `folder`, run as `account`.
///
/// For an account of its own the folder is handed over open, as file descriptor 3, and named through it: the account
/// need not be able to enter the folders above it, so a data folder below /root or a private temporary folder works.
/// The command starts in `/` (PostgreSQL 15 insists on returning to where it started), and in a process group of its
/// own: a Ctrl-C in the terminal is for us, and we then stop the server in order.
pub(super) fn for_cluster(program: &Path, folder: &Path, account: Option<&Account>) -> io::Result<Command> {
    use std::os::unix::process::CommandExt as _;

    let mut command = match account {
        None => {
            let mut command = Command::new(program);
            command.stdin(Stdio::null()).arg("-D").arg(folder);
            command
        }
        Some(Account { uid, gid }) => {
            let mut command = Command::new("sh");
            command
                .stdin(Stdio::from(fs::File::open(folder)?))
                .args(["-c", "exec 3<&0 </dev/null; exec \"$@\"", "sh", "setpriv"])
                .args([format!("--reuid={uid}"), format!("--regid={gid}")])
                .args(["--clear-groups", "--"])
                .arg(program)
                .args(["-D", "/proc/self/fd/3"]);
            command
        }
    };
    command.env_clear().envs(ENVIRONMENT).current_dir("/").process_group(0);
    Ok(command)
}

/// What `postmaster.pid` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Postmaster {
    pub pid: i32,
    pub ready: bool,
}

/// Reads `postmaster.pid`: line 1 is the process, line 8 its state.
pub(super) fn postmaster(folder: &Path) -> io::Result<Option<Postmaster>> {
    let text = match fs::read_to_string(folder.join("postmaster.pid")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut lines = text.lines();
    let Some(pid) = lines.next().and_then(|line| line.trim().parse().ok()) else {
        return Ok(None);
    };
    let ready = lines.nth(6).is_some_and(|state| state.trim() == "ready");
    Ok(Some(Postmaster { pid, ready }))
}

/// Whether `pid` is a postmaster that stands in `folder`, and not a stranger who was given the number of a dead one.
pub(super) fn is_alive(pid: i32, folder: &Path) -> bool {
    let Some(process) = Pid::from_raw(pid) else {
        return false;
    };
    if rustix::process::test_kill_process(process).is_err() {
        return false;
    }
    match fs::read_link(format!("/proc/{pid}/cwd")) {
        Ok(stands_in) => fs::canonicalize(folder).is_ok_and(|folder| folder == stands_in),
        // Root in a container may not look into another user's process; its name and state are public.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| stat.contains("(postgres) ") && !stat.contains("(postgres) Z"))
        }
        // Linux says so of a zombie: it stands nowhere any more. Elsewhere there is nothing to ask.
        Err(_) => !Path::new("/proc/self").exists(),
    }
}

/// Asks a process to go. `Ok` also when it is gone already.
pub(super) fn signal(pid: i32, signal: Signal) -> io::Result<()> {
    let Some(process) = Pid::from_raw(pid) else {
        return Ok(());
    };
    match rustix::process::kill_process(process, signal) {
        Err(error) if error != rustix::io::Errno::SRCH => Err(error.into()),
        _ => Ok(()),
    }
}

/// What was appended to a log since it was `from` bytes long; the last 64 KiB of it.
pub(super) fn log_since(log: &Path, from: u64) -> String {
    use std::io::Seek as _;

    const TAIL_BYTES_MAX: u64 = 64 * 1024;
    let read = || -> io::Result<String> {
        let mut file = fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(io::SeekFrom::Start(from.min(length).max(length.saturating_sub(TAIL_BYTES_MAX))))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pid_file_tells_process_and_state() {
        let folder = tempfile::tempdir().unwrap();
        let check = |text: &str, expect: Option<Postmaster>| {
            fs::write(folder.path().join("postmaster.pid"), text).unwrap();
            assert_eq!(postmaster(folder.path()).unwrap(), expect, "{text:?}");
        };
        assert_eq!(postmaster(folder.path()).unwrap(), None);
        check("", None);
        check("123\n/data\n1\n5432\nrun\n\n0 0\nstarting\n", Some(Postmaster { pid: 123, ready: false }));
        check("123\n/data\n1\n5432\nrun\n\n0 0\nready   \n", Some(Postmaster { pid: 123, ready: true }));
    }

    #[test]
    fn a_stranger_with_the_same_number_is_no_postmaster() {
        let folder = tempfile::tempdir().unwrap();
        let ourselves = i32::try_from(std::process::id()).unwrap();
        assert!(!is_alive(ourselves, folder.path()));
        assert!(is_alive(ourselves, &std::env::current_dir().unwrap()));
        assert!(!is_alive(0, folder.path()));
    }
}
