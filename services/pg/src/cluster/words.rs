//! Turns what the server says when it refuses to start into what an operator can do.

use std::path::Path;

use super::layout::Layout;
use crate::Problem;

/// What to conclude from the output of `initdb` or of a server that went away.
pub(super) fn problem(said: &str, layout: &Layout) -> Problem {
    let contains = |text: &str| said.contains(text);
    if contains("No space left on device") || contains("Disk quota exceeded") {
        return disk_full(&layout.home);
    }
    if contains("database files are incompatible with server") {
        let found = quoted_after(said, "initialized by PostgreSQL version").unwrap_or("another version");
        let have = quoted_after(said, "not compatible with this version").unwrap_or("an older version");
        return Problem::OtherFormat { folder: layout.data.clone(), found: found.to_owned(), have: have.to_owned() };
    }
    if contains("could not map anonymous shared memory")
        || contains("Cannot allocate memory")
        || contains("could not create semaphores")
        || contains("could not create shared memory segment")
        || contains("insufficient file descriptors")
    {
        return Problem::NoResources { said: last_complaint(said) };
    }
    if contains("setpriv:") {
        return Problem::NoTool { program: "setpriv".to_owned(), why: last_line(said) };
    }
    if contains("Permission denied") || contains("has invalid permissions") || contains("has wrong ownership") {
        return Problem::NotPermitted { path: layout.data.clone(), why: last_complaint(said) };
    }
    Problem::StartFailed { folder: layout.data.clone(), said: last_complaint(said), log: layout.log.clone() }
}

/// Whether processes of a crashed server still hold its memory; they notice within moments that it is gone.
pub(super) fn is_passing(said: &str) -> bool {
    said.contains("pre-existing shared memory block") && said.contains("is still in use")
}

/// No room on the disk of `folder`.
pub(super) fn disk_full(folder: &Path) -> Problem {
    let free_mib = rustix::fs::statvfs(folder).map_or(0, |disk| disk.f_bavail * disk.f_frsize / (1024 * 1024));
    Problem::DiskFull { folder: folder.to_owned(), free_mib }
}

/// `... "15", which is not compatible ...` after `lead`: 15.
fn quoted_after<'a>(text: &'a str, lead: &str) -> Option<&'a str> {
    let rest = &text[text.find(lead)? + lead.len()..];
    let rest = rest.trim_start();
    match rest.strip_prefix('"') {
        Some(rest) => rest.split('"').next(),
        None => rest.split(|c: char| c.is_whitespace() || c == ',' || c == ')').next().filter(|word| !word.is_empty()),
    }
}

/// The last line of a level at which the server gives up, without its time and process.
fn last_complaint(said: &str) -> String {
    for level in ["FATAL:", "PANIC:", "ERROR:", "error:"] {
        if let Some(line) = said.lines().rev().find(|line| line.contains(level)) {
            return line[line.find(level).unwrap_or(0)..].trim_start_matches(level).trim().to_owned();
        }
    }
    last_line(said)
}

fn last_line(said: &str) -> String {
    said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(said: &str, expect: &[&str]) {
        let layout = Layout::new(Path::new("/srv/throughline"));
        let text = problem(said, &layout).to_string();
        for expect in expect {
            assert!(text.contains(expect), "{text:?} lacks {expect:?}");
        }
    }

    #[test]
    fn each_refusal_gets_a_clear_word() {
        check(
            "2026-01-01 00:00:00 UTC [7] FATAL:  could not write lock file \"postmaster.pid\": No space left on device",
            &["disk of /srv/throughline is full", "nothing is lost"],
        );
        check("initdb: error: could not create directory \"base\": Disk quota exceeded", &["is full"]);
        check(
            "FATAL:  database files are incompatible with server\nDETAIL:  The data directory was initialized by \
             PostgreSQL version 17, which is not compatible with this version 15.18 (Debian 15.18-0).",
            &["written by PostgreSQL 17", "only 15.18"],
        );
        check(
            "FATAL:  could not map anonymous shared memory: Cannot allocate memory\nHINT: ...",
            &["memory", "could not map anonymous shared memory"],
        );
        check("setpriv: setresuid failed: Operation not permitted", &["setpriv", "Operation not permitted"]);
        check(
            "[7] FATAL:  data directory \".\" has invalid permissions\nDETAIL: Permissions should be u=rwx",
            &["/srv/throughline/pg", "invalid permissions", "check its owner"],
        );
        check(
            "[7] LOG:  x\n[7] FATAL:  syntax error in file \"local.conf\" line 1\n",
            &["did not start: syntax error in file \"local.conf\" line 1;", "/srv/throughline/pg.log"],
        );
        check("", &["it said nothing"]);
    }

    #[test]
    fn memory_of_a_crashed_server_is_waited_for() {
        assert!(is_passing("FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use\nHINT:  Terminate"));
        assert!(!is_passing("FATAL:  something else"));
    }
}
