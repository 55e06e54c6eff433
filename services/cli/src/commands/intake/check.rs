//! `intake check` of files that a layout describes: one, or those of a folder, each on a core of its own.

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
};

use anyhow::Context as _;
use intake::{Finding, Layout, read::Sender};

use super::{
    collect::{file_name, is_data, open},
    report::Report,
    tables,
};

/// Findings that wait to be said; a file whose findings are not said yet waits.
const FINDINGS_WAITING_MAX: usize = 1_000;

/// What a thread tells of a file.
enum Told {
    Finding(Finding),
    /// Its rows, or why it could not be read.
    End(anyhow::Result<u64>),
}

/// Says what is wrong with a file or with the files of a folder, without a database. Those of a folder are said as they are found: each names its file.
pub(super) fn check(
    path: &Path,
    layout: &'static Layout,
    sender: Sender<'_>,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let files = if path.is_dir() { files_of(path)? } else { vec![path.to_owned()] };
    let cores = thread::available_parallelism().map_or(1, usize::from).min(files.len());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (tell, told) = sync_channel(FINDINGS_WAITING_MAX);
        for _ in 0..cores {
            let (tell, next, files) = (tell.clone(), &next, &files);
            scope.spawn(move || {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = file_name(file);
                    let rows = read(file, layout, sender, &name, &tell);
                    if tell.send((name, Told::End(rows))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(tell);
        for (file, told) in told {
            match told {
                Told::Finding(finding) => report.say_of(&file, &finding)?,
                Told::End(rows) => report.close_of(&file, &format!("{} rows", rows?)),
            }
        }
        Ok(())
    })
}

fn files_of(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.retain(|file| file.is_file() && is_data(file));
    files.sort();
    Ok(files)
}

fn read(
    path: &Path,
    layout: &'static Layout,
    sender: Sender<'_>,
    name: &str,
    tell: &SyncSender<(String, Told)>,
) -> anyhow::Result<u64> {
    let mut reader = open(path)?;
    let mut say = |finding| match tell.send((name.to_owned(), Told::Finding(finding))) {
        Ok(()) => ControlFlow::Continue(()),
        // Nobody listens any more: what is wrong is said elsewhere.
        Err(_) => ControlFlow::Break(()),
    };
    Ok(intake::check::check_file(&mut reader, layout, tables(layout)?, sender, &mut say)?.rows_in)
}
