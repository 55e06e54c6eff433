//! Folders for what is unpacked on its way in: below the data folder, for their owner only, and gone when their process is, killed or not.

use std::{
    fs::{self, File},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tempfile::TempDir;

/// The folder of these folders.
const FOLDER: &str = "unpacked";
/// What a process locks while it uses its own.
const LOCK: &str = "in-use";

/// A folder in use, removed when dropped.
pub struct Scratch {
    // Dropped first: a folder is removed under its lock.
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes one, and removes those that killed processes have left.
    pub fn new(data: &Path) -> anyhow::Result<Self> {
        let (all, _change) = begin_change(data)?;
        remove_left(&all)?;
        let folder = tempfile::tempdir_in(&all).context("cannot make a folder to unpack in")?;
        let lock = lock_file(&folder.path().join(LOCK))?;
        lock.try_lock().context("cannot lock a folder to unpack in")?;
        Ok(Self { folder, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders that killed processes have left.
pub fn sweep(data: &Path) -> anyhow::Result<()> {
    if !data.join(FOLDER).exists() {
        return Ok(());
    }
    let (all, _change) = begin_change(data)?;
    remove_left(&all)
}

/// Locks the folder of folders: none is removed between its making and its own lock.
fn begin_change(data: &Path) -> anyhow::Result<(PathBuf, File)> {
    let all = crate::private::owners(data, FOLDER)?;
    let change = lock_file(&all.join(LOCK))?;
    change.lock().context("cannot lock the folder to unpack in")?;
    Ok((all, change))
}

fn lock_file(path: &Path) -> anyhow::Result<File> {
    let opened = File::options().create(true).truncate(false).write(true).mode(0o600).open(path);
    opened.context("cannot make a lock of a folder to unpack in")
}

fn remove_left(all: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(all).context("cannot read the folder to unpack in")? {
        let folder = entry?.path();
        if !folder.is_dir() {
            continue;
        }
        let is_left = lock_file(&folder.join(LOCK))?.try_lock().is_ok();
        if is_left {
            fs::remove_dir_all(&folder).context("cannot remove what a killed load has unpacked")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_load_left_goes_and_what_is_in_use_stays() {
        let data = tempfile::tempdir().unwrap();
        sweep(data.path()).unwrap();
        let left = data.path().join(FOLDER).join("left");
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("rows"), "of somebody").unwrap();
        let first = Scratch::new(data.path()).unwrap();
        assert!(!left.exists());
        fs::write(first.path().join("rows"), "of somebody").unwrap();
        let second = Scratch::new(data.path()).unwrap();
        sweep(data.path()).unwrap();
        assert!(first.path().join("rows").exists() && second.path().exists());
        let was = first.path().to_owned();
        drop(first);
        assert!(!was.exists() && second.path().exists());
    }
}
