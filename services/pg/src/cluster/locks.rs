//! The three file locks that let processes share a server without talking to each other.
//!
//! They are freed by the kernel when their holder ends, however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{POLL, layout::Layout, not_permitted, words};
use crate::Problem;

/// Takes the folder for this process alone and writes its number down for whoever is refused.
pub(super) fn lock_alone(layout: &Layout) -> Result<File, Problem> {
    let mut file = open_lock(&layout.alone_lock)?;
    match file.try_lock() {
        Ok(()) => {
            let written =
                file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
            written.map_err(|error| not_permitted(&layout.alone_lock, &error))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.take(20).read_to_string(&mut pid);
            let pid = if pid.trim().is_empty() { "unknown".to_owned() } else { pid.trim().to_owned() };
            Err(Problem::InUse { folder: layout.home.clone(), pid })
        }
        Err(TryLockError::Error(error)) => Err(not_permitted(&layout.alone_lock, &error)),
    }
}

/// The lock around starting and stopping; waits for whoever is at it.
pub(super) fn lock_for_change(layout: &Layout, patience: Duration) -> Result<File, Problem> {
    let file = open_lock(&layout.change_lock)?;
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(POLL),
            Err(TryLockError::WouldBlock) => {
                return Err(Problem::Busy { folder: layout.home.clone(), seconds: patience.as_secs() });
            }
            Err(TryLockError::Error(error)) => {
                return Err(not_permitted(&layout.change_lock, &error));
            }
        }
    }
}

pub(super) fn open_lock(path: &Path) -> Result<File, Problem> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(|error| {
        match error.kind() {
            io::ErrorKind::StorageFull => words::disk_full(path.parent().unwrap_or(path)),
            _ => not_permitted(path, &error),
        }
    })
}
