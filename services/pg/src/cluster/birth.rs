//! The first start on a folder, and whether what lies there is ours to start.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use super::{
    DISK_FREE_MIN_MIB, SUPERUSER,
    account::Account,
    create_private_dir, hand_over,
    layout::Layout,
    not_permitted, process,
    programs::{MAJOR_MIN, Programs},
    settings::Machine,
    words,
};
use crate::Problem;

/// The programs of the version that wrote the cluster.
pub(super) fn matching_programs(layout: &Layout, found: Vec<Programs>) -> Result<Programs, Problem> {
    let version = layout.data.join("PG_VERSION");
    let wrote = match fs::read_to_string(&version) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Problem::NotACluster { folder: layout.data.clone() });
        }
        Err(error) => return Err(not_permitted(&version, &error)),
    };
    let have = found.iter().map(|programs| programs.major.to_string()).collect::<Vec<_>>().join(", ");
    found.into_iter().find(|programs| programs.major.to_string() == wrote).ok_or_else(|| Problem::OtherFormat {
        folder: layout.data.clone(),
        found: wrote,
        have,
    })
}

/// Makes a cluster beside its final place and moves it there when it is whole.
pub(super) fn initialise(layout: &Layout, programs: &Programs, account: Option<&Account>) -> Result<(), Problem> {
    debug_assert!(programs.major >= MAJOR_MIN);
    if Machine::measure(&layout.home).disk_free_mib < DISK_FREE_MIN_MIB * 4 {
        return Err(words::disk_full(&layout.home));
    }
    match fs::remove_dir_all(&layout.unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(not_permitted(&layout.unfinished, &error));
        }
        _ => {}
    }
    create_private_dir(&layout.unfinished)?;
    hand_over(&layout.unfinished, 0o700, account)?;
    let output = process::for_cluster(&programs.command("initdb"), &layout.unfinished, account)
        .and_then(|mut command| {
            command
                .args(["-U", SUPERUSER, "--auth=peer", "--encoding=UTF8"])
                // Bytes decide order (the same everywhere, and fast), Unicode decides what a letter is.
                .args(["--locale=C", "--lc-ctype=C.UTF-8", "--data-checksums", "--no-instructions"])
                .output()
        })
        .map_err(|error| Problem::NoTool { program: "initdb".to_owned(), why: error.to_string() })?;
    if !output.status.success() {
        let _ = fs::remove_dir_all(&layout.unfinished);
        return Err(words::problem(&String::from_utf8_lossy(&output.stderr), layout));
    }
    fs::rename(&layout.unfinished, &layout.data).map_err(|error| not_permitted(&layout.data, &error))?;
    sync_folder(&layout.home)
}

fn sync_folder(path: &Path) -> Result<(), Problem> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(|error| not_permitted(path, &error))
}
