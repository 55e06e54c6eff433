//! Folders of the data folder that are not for everybody on the machine.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

/// The owner alone: secrets, the control journal, what archives hold.
const OWNER: u32 = 0o700;
/// The owner and the group, to which the state's clerks may belong: findings, reports, notices.
const GROUP: u32 = 0o750;

/// A folder of the data folder for the owner alone, made if needed.
pub fn owners(data: &Path, name: &str) -> anyhow::Result<PathBuf> {
    made(data.join(name), OWNER)
}

/// A folder of the data folder for the owner and the group, made if needed.
pub fn groups(data: &Path, name: &str) -> anyhow::Result<PathBuf> {
    made(data.join(name), GROUP)
}

fn made(folder: PathBuf, mode: u32) -> anyhow::Result<PathBuf> {
    let made: io::Result<()> = fs::DirBuilder::new().recursive(true).mode(mode).create(&folder);
    made.with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
