//! Many files: a folder of summaries becomes a folder of documents, by several threads.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{
    Error, Form, Language, Origin, RenderOptions, Renderer, RendererOptions, Worker, from_json, model::FILE_BYTES_MAX,
};

/// The most threads.
const JOBS_MAX: usize = 64;

/// What a run made and what it could not make.
#[derive(Debug, Default)]
pub struct RenderReport {
    /// Documents written, in the order of their inputs' names.
    pub written: Vec<Written>,
    /// Inputs without a document, in the order of their names.
    pub failures: Vec<Failure>,
    /// Bytes written.
    pub bytes: u64,
}

/// An input with its document.
#[derive(Debug, PartialEq, Eq)]
pub struct Written {
    /// The input.
    pub input: PathBuf,
    /// The document.
    pub document: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// How many of its marks stand for a character that no font has.
    pub without_glyph: usize,
}

/// An input without a document.
#[derive(Debug)]
pub struct Failure {
    /// The input.
    pub input: PathBuf,
    /// Why.
    pub error: Error,
}

/// How a batch is rendered.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Threads; at least one is used.
    pub jobs: usize,
    /// What is made.
    pub form: Form,
    /// The language of headings and of our wording.
    pub language: Language,
    /// Further fonts.
    pub renderer: RendererOptions,
}

/// Renders a JSON file to a document, or all `*.json` of a folder into a folder, with the names kept.
///
/// Each document is written whole or not at all. An input that cannot be read or rendered is a [`Failure`]; the others are
/// rendered all the same. `progress` is told how many of how many inputs are done, from the threads that did them.
pub fn render_path(
    input: &Path,
    output: &Path,
    batch: &Batch,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<RenderReport, Error> {
    let work = plan(input, output, batch.form)?;
    let renderer = Renderer::new(&batch.renderer)?;
    let options = RenderOptions { origin: Origin::File, form: batch.form, language: batch.language };
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<Vec<(usize, Result<Rendered, Error>)>> = Mutex::new(Vec::with_capacity(work.len()));
    progress(0, work.len());
    std::thread::scope(|scope| {
        for _ in 0..batch.jobs.clamp(1, JOBS_MAX).min(work.len().max(1)) {
            scope.spawn(|| {
                let mut worker = renderer.worker();
                while let Some((index, (from, to))) = take(&next, &work) {
                    let result = render_file(&mut worker, options, from, to);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, work.len());
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    let mut report = RenderReport::default();
    for ((from, to), (_, result)) in work.into_iter().zip(results) {
        match result {
            Ok((bytes, without_glyph)) => {
                report.written.push(Written { input: from, document: to, bytes, without_glyph });
                report.bytes += bytes;
            }
            Err(error) => report.failures.push(Failure { input: from, error }),
        }
    }
    Ok(report)
}

type Job = (PathBuf, PathBuf);

fn take<'w>(next: &AtomicUsize, work: &'w [Job]) -> Option<(usize, &'w Job)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    work.get(index).map(|job| (index, job))
}

/// Inputs and outputs, in the order of the inputs' names.
fn plan(input: &Path, output: &Path, form: Form) -> Result<Vec<Job>, Error> {
    let unreadable = |source| Error::Unavailable { path: input.to_owned(), action: "read", source };
    if !fs::metadata(input).map_err(unreadable)?.is_dir() {
        let to = if output.is_dir() { document(output, input, form) } else { output.to_owned() };
        return Ok(vec![(input.to_owned(), to)]);
    }
    fs::create_dir_all(output).map_err(|source| Error::Unavailable {
        path: output.to_owned(),
        action: "written",
        source,
    })?;
    let mut work = Vec::new();
    for entry in fs::read_dir(input).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension() == Some(OsStr::new("json")) && path.is_file() {
            let to = document(output, &path, form);
            work.push((path, to));
        }
    }
    work.sort();
    Ok(work)
}

fn document(folder: &Path, input: &Path, form: Form) -> PathBuf {
    folder.join(input.file_name().unwrap_or_default()).with_extension(form.extension())
}

/// A document's bytes, and how many of its marks stand for a character that no font has.
type Rendered = (u64, usize);

fn render_file(worker: &mut Worker<'_>, options: RenderOptions, from: &Path, to: &Path) -> Result<Rendered, Error> {
    let unreadable = |source| Error::Unavailable { path: from.to_owned(), action: "read", source };
    let length = fs::metadata(from).map_err(unreadable)?.len();
    if length > FILE_BYTES_MAX as u64 {
        return Err(Error::invalid("the file", format!("expected at most {} MB", FILE_BYTES_MAX >> 20)));
    }
    let summary = from_json(&fs::read(from).map_err(unreadable)?)?;
    let document = worker.render(&summary, options)?;
    write_whole(to, &document).map_err(|source| Error::Unavailable {
        path: to.to_owned(),
        action: "written",
        source,
    })?;
    Ok((document.len() as u64, worker.without_glyph()))
}

/// Writes beside the target and renames: a reader sees the old document or the new one.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    fs::write(&part, bytes).and_then(|()| fs::rename(&part, path)).inspect_err(|_| drop(fs::remove_file(&part)))
}
